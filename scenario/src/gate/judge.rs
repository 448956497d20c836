//! The checks, one after the other, as the page lists them.

use rust_decimal::Decimal;
use spindle_risk::{Cause, Key, Purpose, Sale};
use spindle_types::Side;

use super::{
    Ask, NaiveGate, Reached, Refused, Seen, Shape, Told, Warned, Who, amount, told, units,
};

/// The highest price of an order.
fn highest() -> Decimal {
    amount((1 << 31) - 1)
}

fn refuse(
    check: &'static str,
    level: &'static str,
    limit: u64,
    observed: u64,
) -> Result<(), Refused> {
    Err(Refused { check, level, limit, observed })
}

/// What an order would change of the sums.
struct Change {
    shares: i128,
    /// In price units.
    value: Decimal,
}

/// A sum with what it would become.
struct Sum {
    check: &'static str,
    key: Key,
    seen: Decimal,
    /// Whether the order raises it.
    grows: bool,
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
    fn is_reducing(&self, ask: &Ask, old_shares: u64) -> bool {
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

    /// How far a collar reaches from a price.
    fn width(&self, who: Who, price: Decimal, tick: Decimal) -> Option<Decimal> {
        let ticks = self.limit(who, Key::CollarTicks, 0).map(|ticks| tick * Decimal::from(ticks));
        let percent = self.limit(who, Key::CollarPercent, 0).map(|points| {
            let part = units(price) * Decimal::from(points) / Decimal::from(10_000);
            part.floor() / Decimal::from(10_000)
        });
        let money = self.limit(who, Key::CollarMoney, 0).map(amount);
        [ticks, percent, money].into_iter().flatten().min()
    }

    /// A price so far away from the market.
    fn away(side: Side, price: Decimal, width: Decimal) -> Decimal {
        match side {
            Side::Buy => (price + width).min(highest()),
            Side::Sell => (price - width).max(Decimal::ZERO),
        }
    }

    /// What is worse of two prices for whoever is protected: the one that lets less through.
    fn tighter(side: Side, one: Decimal, other: Decimal) -> Decimal {
        if side == Side::Buy { one.min(other) } else { one.max(other) }
    }

    fn reference(&self, ask: &Ask, seen: &Seen) -> Option<Decimal> {
        let other = if ask.side == Side::Buy { seen.ask } else { seen.bid };
        other.or(seen.last).or(self.about(ask.instrument).reference)
    }

    /// The tightest collar and its level; the band and its level.
    #[allow(clippy::type_complexity)]
    fn bounds(
        &self,
        ask: &Ask,
        seen: &Seen,
        levels: &[(Who, &'static str)],
    ) -> (Option<(Decimal, &'static str)>, Option<(Decimal, &'static str)>) {
        let reference = self.reference(ask, seen);
        let mut collar: Option<(Decimal, &'static str)> = None;
        for &(who, level) in levels {
            let Some(reference) = reference else { continue };
            let Some(width) = self.width(who, reference, seen.tick) else { continue };
            let bound = Self::away(ask.side, reference, width);
            let is_tighter = collar.is_none_or(|(before, _)| {
                before != bound && Self::tighter(ask.side, before, bound) == bound
            });
            if is_tighter {
                collar = Some((bound, level));
            }
        }
        let about = self.about(ask.instrument);
        let (low, high) = match seen.band {
            Some((low, high)) => (Some(low), Some(high)),
            None => (about.low, about.high),
        };
        let end = if ask.side == Side::Buy { high } else { low };
        let heeds = levels
            .iter()
            .find(|(who, _)| self.limited.contains(who) && self.is_on(*who, Key::Luld));
        let band = heeds.and_then(|(_, level)| end.map(|end| (end, *level)));
        (collar, band)
    }

    /// The furthest price of an order without a limit, if anything bounds it.
    pub fn protection(&self, ask: &Ask, seen: &Seen) -> Option<Decimal> {
        let levels = self.levels(ask.account, ask.session, ask.instrument);
        let (collar, band) = self.bounds(ask, seen, &levels);
        let ends = [collar, band].into_iter().flatten().map(|(end, _)| end);
        ends.reduce(|one, other| Self::tighter(ask.side, one, other))
    }

    /// What the order is valued at; value, band and collar.
    fn check_price(
        &self,
        ask: &Ask,
        seen: &Seen,
        levels: &[(Who, &'static str)],
    ) -> Result<Decimal, Refused> {
        let currency = self.currency(ask.instrument);
        let reference = self.reference(ask, seen);
        let (collar, band) = self.bounds(ask, seen, levels);
        let protection = self.protection(ask, seen);
        let price = match (ask.side, ask.shape, ask.limit) {
            (Side::Buy, _, Some(limit)) => Some(limit),
            (Side::Buy, Shape::Plain, None) => reference.map(|price| protection.unwrap_or(price)),
            (Side::Buy, Shape::Stop(stop), None) => {
                let widths = levels.iter().filter_map(|(who, _)| self.width(*who, stop, seen.tick));
                let width = widths.min().unwrap_or(Decimal::ZERO);
                Some(Self::away(Side::Buy, stop, width))
            }
            (Side::Buy, Shape::Free, None) => Some(highest()),
            (Side::Sell, Shape::Stop(stop), None) => Some(stop),
            (Side::Sell, Shape::Stop(stop), Some(limit)) => {
                [Some(stop), Some(limit), reference].into_iter().flatten().max()
            }
            (Side::Sell, _, Some(limit)) => Some(limit.max(reference.unwrap_or(limit))),
            (Side::Sell, _, None) => reference,
        };
        let needs_price = levels.iter().any(|(who, _)| {
            [
                Key::OrderValueMax,
                Key::BoughtValueMax,
                Key::SoldValueMax,
                Key::GrossExposureMax,
                Key::NetExposureMax,
                Key::CreditMax,
            ]
            .into_iter()
            .any(|key| self.limit(*who, key, currency).is_some())
        });
        if price.is_none() && needs_price {
            refuse("no_price", "account", 0, 0)?;
        }
        let price = price.unwrap_or(Decimal::ZERO);
        let value = told(units(price) * Decimal::from(ask.quantity));
        for &(who, level) in levels {
            if let Some(most) = self.limit(who, Key::OrderValueMax, currency)
                && value > most
            {
                refuse("order_value", level, most, value)?;
            }
        }
        let held = match (ask.shape, ask.limit) {
            (Shape::Stop(_), _) | (Shape::Plain, None) => None,
            (_, Some(limit)) => Some(limit),
            (Shape::Free, None) => Some(if ask.side == Side::Buy { highest() } else { amount(1) }),
        };
        if let Some(held) = held {
            let is_beyond = |end: Decimal| match ask.side {
                Side::Buy => held > end,
                Side::Sell => held < end,
            };
            for (check, bound) in [("luld_band", band), ("collar", collar)] {
                if let Some((end, level)) = bound.filter(|(end, _)| is_beyond(*end)) {
                    refuse(check, level, told(units(end)), told(units(held)))?;
                }
            }
        }
        Ok(price)
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

    /// Whose orders these are, in one instrument or in all of a currency.
    fn open_shares(&self, who: Who, instrument: Option<u32>, side: Side) -> u64 {
        let open = self.open.iter().filter(|open| {
            open.side == side
                && self.owns(who, open.account, open.session)
                && instrument.is_none_or(|instrument| instrument == open.instrument)
        });
        open.map(|open| open.shares).sum()
    }

    fn open_value(
        &self,
        who: Who,
        instrument: Option<u32>,
        side: Side,
        currency: usize,
    ) -> Decimal {
        let open = self.open.iter().filter(|open| {
            open.side == side
                && self.owns(who, open.account, open.session)
                && self.currency(open.instrument) == currency
                && instrument.is_none_or(|instrument| instrument == open.instrument)
        });
        open.map(|open| units(open.price) * Decimal::from(open.shares)).sum()
    }

    /// What a position cost, negative for a short one, in price units.
    fn net(&self, who: Who, instrument: Option<u32>, currency: usize) -> Decimal {
        self.held_by(who, currency)
            .filter(|held| instrument.is_none_or(|instrument| instrument == held.instrument))
            .map(|held| units(if held.shares < 0 { -held.cost } else { held.cost }))
            .sum()
    }

    /// The worst of an owner in an instrument, with open orders that much larger.
    fn worst(
        &self,
        who: Who,
        instrument: u32,
        currency: usize,
        more: Option<(Side, Decimal)>,
    ) -> Decimal {
        let net = self.net(who, Some(instrument), currency);
        let open = |side| {
            let more = more.filter(|(of, _)| *of == side).map_or(Decimal::ZERO, |(_, more)| more);
            self.open_value(who, Some(instrument), side, currency) + more
        };
        (net + open(Side::Buy)).max(open(Side::Sell) - net)
    }

    /// Every sum that has a limit, in order of precedence, as the order would make it.
    fn sums(&self, who: Who, ask: &Ask, currency: usize, change: &Change) -> Vec<Sum> {
        let pair = match who {
            Who::Pair(_, instrument) => Some(instrument),
            _ => None,
        };
        let is_buy = ask.side == Side::Buy;
        let sign = if is_buy { Decimal::ONE } else { -Decimal::ONE };
        let more_shares = change.shares > 0;
        let more_value = change.value > Decimal::ZERO;
        let mut sums = Vec::new();
        if ask.purpose == Purpose::Enter {
            let open = self.open.iter().filter(|open| {
                self.owns(who, open.account, open.session)
                    && pair.is_none_or(|instrument| instrument == open.instrument)
            });
            let seen = Decimal::from(open.count() as u64 + 1);
            sums.push(Sum { check: "open_orders", key: Key::OpenOrdersMax, seen, grows: true });
        }
        let change_shares = Decimal::from_i128_with_scale(change.shares, 0);
        let owner = match who {
            Who::Pair(account, _) => Who::Account(account),
            who => who,
        };
        let held = Decimal::from(self.position(owner, ask.instrument));
        let open = Decimal::from(self.open_shares(owner, Some(ask.instrument), ask.side));
        let seen = held * sign + open + change_shares;
        sums.push(Sum { check: "position", key: Key::PositionMax, seen, grows: more_shares });

        let fills = self.fills.iter().filter(|fill| {
            fill.side == ask.side
                && self.owns(who, fill.account, fill.session)
                && pair.is_none_or(|instrument| instrument == fill.instrument)
        });
        let traded: u64 = fills.clone().map(|fill| fill.shares).sum();
        let traded_value: Decimal = fills
            .filter(|fill| self.currency(fill.instrument) == currency)
            .map(|fill| units(fill.price) * Decimal::from(fill.shares))
            .sum();
        let seen = Decimal::from(traded)
            + Decimal::from(self.open_shares(who, pair, ask.side))
            + change_shares;
        let names = match ask.side {
            Side::Buy => {
                [("bought_quantity", Key::BoughtQuantityMax), ("bought_value", Key::BoughtValueMax)]
            }
            Side::Sell => {
                [("sold_quantity", Key::SoldQuantityMax), ("sold_value", Key::SoldValueMax)]
            }
        };
        sums.push(Sum { check: names[0].0, key: names[0].1, seen, grows: more_shares });
        let open = self.open_value(who, pair, ask.side, currency) + change.value;
        let seen = traded_value + open;
        sums.push(Sum { check: names[1].0, key: names[1].1, seen, grows: more_value });

        let with = self.worst(owner, ask.instrument, currency, Some((ask.side, change.value)));
        let without = self.worst(owner, ask.instrument, currency, None);
        let mut gross = with;
        if pair.is_none() {
            let mut instruments: Vec<u32> = self.open.iter().map(|open| open.instrument).collect();
            instruments.extend(self.held.iter().map(|held| held.instrument));
            instruments.sort_unstable();
            instruments.dedup();
            let others = instruments
                .into_iter()
                .filter(|&other| other != ask.instrument && self.currency(other) == currency);
            gross += others.map(|other| self.worst(owner, other, currency, None)).sum::<Decimal>();
        }
        let grows = more_value && with > without;
        sums.push(Sum { check: "gross_exposure", key: Key::GrossExposureMax, seen: gross, grows });
        let net = self.net(who, pair, currency);
        let seen = net * sign + open;
        sums.push(Sum { check: "net_exposure", key: Key::NetExposureMax, seen, grows: more_value });
        if is_buy {
            sums.push(Sum { check: "credit", key: Key::CreditMax, seen, grows: more_value });
        }
        let old = ask.before.and_then(|id| self.reserved(id)).map_or(0, |(shares, _)| shares);
        let passes =
            self.is_on(Who::Account(ask.account), Key::Reducing) && self.is_reducing(ask, old);
        let seen = units(-self.profit(who, currency));
        sums.push(Sum { check: "loss", key: Key::LossMax, seen, grows: !passes });
        sums
    }

    /// The order that was let through last is accepted: tells what it brought to the part of a limit
    /// that is told, and was below it before.
    pub(super) fn warn(&mut self, instrument: u32) {
        let reached = std::mem::take(&mut self.pending);
        for Reached { who, level, check, currency, limit, observed, is_told } in reached {
            let place = (check == "position").then_some(instrument);
            let mark = (who, check, place, currency);
            let stands = self.warned.contains(&mark);
            if is_told && !stands {
                self.warned.push(mark);
                let warned = Warned { who, level, check, instrument, limit, observed };
                self.told.push(Told::Warning(warned));
            } else if !is_told {
                self.warned.retain(|one| *one != mark);
            }
        }
    }
}
