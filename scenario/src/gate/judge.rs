//! The checks, one after the other, as the page lists them.

use rust_decimal::Decimal;
use spindle_risk::{Cause, Key, Purpose, Sale};
use spindle_types::Side;

use super::sums::{Change, Sum};
use super::{Ask, NaiveGate, Reached, Refused, Seen, Shape, Who, told, units};

pub(super) fn refuse(
    check: &'static str,
    level: &'static str,
    limit: u64,
    observed: u64,
) -> Result<(), Refused> {
    Err(Refused { check, level, limit, observed })
}

impl NaiveGate {
    /// Judges an order, and counts what a request counts for.
    ///
    /// # Errors
    /// The first check that it fails.
    pub fn check(&mut self, ask: &Ask, seen: &Seen) -> Result<Decimal, Refused> {
        self.mark(ask, seen);
        let decision = self.judge(ask, seen);
        match decision {
            Ok((price, sums)) => {
                self.pending = sums;
                Ok(price)
            }
            Err(refused) => {
                self.refused(ask, refused.check);
                Err(refused)
            }
        }
    }

    /// What [`NaiveGate::check`] would say.
    ///
    /// # Errors
    /// The first check that it would fail.
    pub fn would(&self, ask: &Ask, seen: &Seen) -> Result<Decimal, Refused> {
        let mut copy = self.clone();
        copy.mark(ask, seen);
        copy.judge(ask, seen).map(|(price, _)| price)
    }

    fn refused(&mut self, ask: &Ask, check: &'static str) {
        if ask.purpose != Purpose::Trigger {
            for (who, _) in self.levels(ask.account, ask.session, ask.instrument) {
                self.pour(who, Key::MessageRateMax, Key::MessageBurst, ask.time);
            }
        }
        for who in self.owners(ask.account, ask.session) {
            if check != "killed" {
                let most = self.limit(who, Key::KillRejectsMax, 0);
                let (key, window) = (Key::KillRejectsMax, Key::KillRejectsWindowMs);
                let count = self.count(who, key, window, ask.time, None);
                if most.is_some_and(|most| count > most) && !self.is_stopped(who) {
                    self.kill(who, Cause::Rejects);
                }
            }
            self.stop_for_loss(who, ask.instrument);
        }
    }

    fn judge(&self, ask: &Ask, seen: &Seen) -> Result<(Decimal, Vec<Reached>), Refused> {
        let about = self.about(ask.instrument);
        let currency = about.currency;
        let levels = self.levels(ask.account, ask.session, ask.instrument);
        let before = ask.before.and_then(|id| self.reserved(id));
        let (old_shares, old_price) = before.unwrap_or((0, Decimal::ZERO));
        self.check_switches(ask, old_shares)?;
        if about.restricted {
            refuse("restricted", "account", 0, 1)?;
        }
        for &(who, level) in &levels {
            if self.is_on(who, Key::Restricted) {
                refuse("restricted", level, 0, 1)?;
            }
        }
        let may = match (ask.side, ask.sale) {
            (Side::Buy, _) => Key::MayBuy,
            (Side::Sell, Sale::Long) => Key::MaySell,
            (Side::Sell, Sale::Short) => Key::MayShort,
            (Side::Sell, Sale::ShortExempt) => Key::MayShortExempt,
        };
        for &(who, level) in &levels {
            if !self.is_on(who, may) {
                refuse("side", level, 0, 1)?;
            }
        }
        if ask.side == Side::Sell && ask.sale != Sale::Long {
            self.check_short(ask, seen, &levels, old_shares)?;
        }
        if ask.purpose != Purpose::Trigger {
            for (check, key, burst) in [
                ("message_rate", Key::MessageRateMax, Key::MessageBurst),
                ("order_rate", Key::OrderRateMax, Key::OrderBurst),
            ] {
                for &(who, level) in &levels {
                    if let Some((inside, most)) = self.bucket(who, key, burst, ask.time)
                        && inside + Decimal::ONE > Decimal::from(most)
                    {
                        refuse(check, level, most, told((inside + Decimal::ONE).ceil()))?;
                    }
                }
            }
        }
        for &(who, level) in &levels {
            if let Some(most) = self.limit(who, Key::OrderSizeMax, 0)
                && ask.quantity > most
            {
                refuse("order_size", level, most, ask.quantity)?;
            }
        }
        let price = self.check_price(ask, seen, &levels)?;
        if ask.purpose == Purpose::Enter {
            self.check_duplicates(ask, &levels)?;
        }
        if ask.purpose != Purpose::Trigger {
            self.check_activity(ask, &levels)?;
        }
        let new = units(price) * Decimal::from(ask.quantity);
        let change = Change {
            shares: i128::from(ask.quantity) - i128::from(old_shares),
            value: new - units(old_price) * Decimal::from(old_shares),
        };
        let mut reached = Vec::new();
        let table: Vec<Vec<Sum>> =
            levels.iter().map(|&(who, _)| self.sums(who, ask, currency, &change)).collect();
        for row in 0..table[0].len() {
            for (&(who, level), sums) in levels.iter().zip(&table) {
                let sum = &sums[row];
                let currency = if sum.key.is_money() { currency } else { 0 };
                let observed = told(sum.seen);
                let check = sum.check;
                let Some(most) = self.limit(who, sum.key, currency) else {
                    let (limit, is_told) = (0, false);
                    reached.push(Reached { who, level, check, currency, limit, observed, is_told });
                    continue;
                };
                if observed > most && sum.grows {
                    refuse(sum.check, level, most, observed)?;
                }
                let percent = self.limit(who, Key::WarnPercent, 0).unwrap_or(70);
                let from =
                    (Decimal::from(most) * Decimal::from(percent) / Decimal::from(100)).ceil();
                let is_told = percent > 0 && Decimal::from(observed) >= from;
                let limit = most;
                reached.push(Reached { who, level, check, currency, limit, observed, is_told });
            }
        }
        Ok((price, reached))
    }

    /// Who was stopped: all, the account, its session, its firm.
    fn check_switches(&self, ask: &Ask, old_shares: u64) -> Result<(), Refused> {
        let reduces = self.is_reducing(ask, old_shares);
        let owners = self.owners(ask.account, ask.session);
        for (number, who) in [Who::All].into_iter().chain(owners.iter().copied()).enumerate() {
            let allows = if who == Who::All { owners[0] } else { who };
            if self.is_stopped(who) && !(reduces && self.is_on(allows, Key::Reducing)) {
                refuse("killed", "account", 0, number as u64 + 1)?;
            }
        }
        Ok(())
    }

    /// Whether an order only takes from what the account holds.
    pub(super) fn is_reducing(&self, ask: &Ask, old_shares: u64) -> bool {
        let held = self.position(Who::Account(ask.account), ask.instrument);
        let against = match ask.side {
            Side::Buy => -held,
            Side::Sell => held,
        };
        let open = self.open_shares(Who::Account(ask.account), Some(ask.instrument), ask.side);
        let all = i128::from(open + ask.quantity) - i128::from(old_shares);
        against > 0 && all <= i128::from(against)
    }

    fn check_short(
        &self,
        ask: &Ask,
        seen: &Seen,
        levels: &[(Who, &'static str)],
        old_shares: u64,
    ) -> Result<(), Refused> {
        if let Some((_, level)) = levels.iter().find(|(who, _)| self.is_on(*who, Key::Locate)) {
            let pair = Who::Pair(ask.account, ask.instrument);
            let found = self.limit(pair, Key::LocateShares, 0).unwrap_or(0);
            let used = self.located(ask.account, ask.instrument) - old_shares + ask.quantity;
            if used > found {
                refuse("locate", level, found, used)?;
            }
        }
        let heeds = levels.iter().find(|(who, _)| {
            // One that has no limits at all heeds nothing.
            self.limited.contains(who) && self.is_on(*who, Key::RegSho)
        });
        if let (Some((_, level)), true, Sale::Short, Some(bid), false) = (
            heeds,
            self.about(ask.instrument).price_test,
            ask.sale,
            seen.bid,
            matches!(ask.shape, Shape::Stop(_)),
        ) && ask.limit.is_none_or(|limit| limit <= bid)
        {
            let observed = ask.limit.map_or(0, |limit| told(units(limit)));
            refuse("reg_sho", level, told(units(bid + seen.tick)), observed)?;
        }
        Ok(())
    }

    fn check_duplicates(&self, ask: &Ask, levels: &[(Who, &'static str)]) -> Result<(), Refused> {
        for &(who, level) in levels {
            let (Some(most), Some(window)) =
                (self.limit(who, Key::DuplicateMax, 0), self.limit(who, Key::DuplicateWindowMs, 0))
            else {
                continue;
            };
            let of_cell = self.accepted.iter().rev().filter(|order| {
                order.is_new
                    && order.instrument == ask.instrument
                    && self.owns(who, order.account, order.session)
            });
            let alike = of_cell.take(4).filter(|order| {
                (order.side, order.sale, order.quantity, order.limit)
                    == (ask.side, ask.sale, ask.quantity, ask.limit)
                    && ask.time < order.time + window * 1_000_000
            });
            let alike = alike.count() as u64;
            if alike >= most {
                refuse("duplicate", level, most, alike + 1)?;
            }
        }
        Ok(())
    }

    fn check_activity(&self, ask: &Ask, levels: &[(Who, &'static str)]) -> Result<(), Refused> {
        for &(who, level) in levels {
            if let Some(most) = self.limit(who, Key::ExecutionsMax, 0) {
                let of = Some((ask.instrument, ask.side));
                let (key, window) = (Key::ExecutionsMax, Key::ExecutionsWindowMs);
                let count = self.counted(who, key, window, ask.time, of);
                if count >= most {
                    refuse("repeated_execution", level, most, count)?;
                }
            }
        }
        for &(who, level) in levels {
            if let Some(most) = self.limit(who, Key::OrderToTradeMax, 0) {
                let free = self.limit(who, Key::OrderToTradeFree, 0).unwrap_or(1_000);
                let is_its = |account, session, instrument| {
                    self.owns(who, account, session)
                        && (!matches!(who, Who::Pair(..)) || instrument == ask.instrument)
                };
                let fills =
                    self.fills.iter().filter(|f| is_its(f.account, f.session, f.instrument));
                let orders =
                    self.accepted.iter().filter(|o| is_its(o.account, o.session, o.instrument));
                let limit = free + most * fills.count() as u64;
                let observed = orders.count() as u64 + 1;
                if observed > limit {
                    refuse("order_to_trade", level, limit, observed)?;
                }
            }
        }
        Ok(())
    }
}
