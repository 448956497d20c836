//! What is written down when an order is accepted, executed or cancelled.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use spindle_risk::{Cause, Key, Purpose, Sale};
use spindle_types::Side;

use super::{
    Accepted, Ask, Bucket, Fill, Held, NaiveGate, Open, Seen, Who, Window, amount, told, units,
};

impl NaiveGate {
    /// An order is accepted under a number, each of its shares valued at this price.
    pub fn reserve(&mut self, ask: &Ask, id: u64, price: Decimal) {
        if let Some(before) = ask.before {
            self.open.retain(|open| open.id != before);
        }
        self.open.push(Open {
            id,
            account: ask.account,
            session: ask.session,
            instrument: ask.instrument,
            side: ask.side,
            sale: ask.sale,
            shares: ask.quantity,
            price,
        });
        if ask.purpose == Purpose::Trigger {
            return;
        }
        self.accepted.push(Accepted {
            account: ask.account,
            session: ask.session,
            instrument: ask.instrument,
            side: ask.side,
            sale: ask.sale,
            quantity: ask.quantity,
            limit: ask.limit,
            time: ask.time,
            is_new: ask.purpose == Purpose::Enter,
        });
        for (who, _) in self.levels(ask.account, ask.session, ask.instrument) {
            self.pour(who, Key::MessageRateMax, Key::MessageBurst, ask.time);
            self.pour(who, Key::OrderRateMax, Key::OrderBurst, ask.time);
        }
        self.warn(ask.instrument);
    }

    /// Shares of an open order were cancelled.
    pub fn release(&mut self, id: u64, shares: u64) {
        for open in self.open.iter_mut().filter(|open| open.id == id) {
            open.shares -= shares;
        }
        self.open.retain(|open| open.shares > 0);
    }

    /// An open order goes by another number from now on.
    pub fn rename(&mut self, id: u64, new: u64) {
        for open in self.open.iter_mut().filter(|open| open.id == id) {
            open.id = new;
        }
    }

    /// Shares of an open order were executed.
    pub fn fill(&mut self, id: u64, shares: u64, price: Decimal, time: u64) {
        let Some(open) = self.open.iter().find(|open| open.id == id).copied() else {
            return;
        };
        self.release(id, shares);
        let Open { account, session, instrument, side, sale, .. } = open;
        self.fills.push(Fill { account, session, instrument, side, sale, shares, price });
        for who in self.owners(account, session) {
            self.hold(who, instrument, side, shares, price);
            self.count(
                who,
                Key::ExecutionsMax,
                Key::ExecutionsWindowMs,
                time,
                Some((instrument, side)),
            );
            let most = self.limit(who, Key::KillFillsMax, 0);
            let count = self.count(who, Key::KillFillsMax, Key::KillFillsWindowMs, time, None);
            if most.is_some_and(|most| count > most) {
                self.stop(who, Cause::Fills);
            }
            self.stop_for_loss(who, instrument);
        }
        let pair = Who::Pair(account, instrument);
        self.count(
            pair,
            Key::ExecutionsMax,
            Key::ExecutionsWindowMs,
            time,
            Some((instrument, side)),
        );
    }

    fn stop(&mut self, who: Who, cause: Cause) {
        if !self.is_stopped(who) {
            self.kill(who, cause);
        }
    }

    /// Stops an owner whose loss is too large, where that is configured.
    pub(super) fn stop_for_loss(&mut self, who: Who, instrument: u32) {
        let currency = self.currency(instrument);
        if let (Some(most), true) =
            (self.limit(who, Key::LossMax, currency), self.is_on(who, Key::KillLoss))
            && told(units(-self.profit(who, currency))) > most
        {
            self.stop(who, Cause::Loss);
        }
    }

    /// A trade of an owner: position, cost by average, and what was made of it.
    fn hold(&mut self, owner: Who, instrument: u32, side: Side, shares: u64, price: Decimal) {
        let is_it = |held: &Held| held.owner == owner && held.instrument == instrument;
        let at = self.held.iter().position(is_it).unwrap_or_else(|| {
            let (cost, realised, mark) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
            self.held.push(Held { owner, instrument, shares: 0, cost, realised, mark });
            self.held.len() - 1
        });
        let held = &mut self.held[at];
        let is_opposite = match side {
            Side::Buy => held.shares < 0,
            Side::Sell => held.shares > 0,
        };
        let closes = if is_opposite { shares.min(held.shares.unsigned_abs()) } else { 0 };
        if closes > 0 {
            let removed = part(held.cost, closes, held.shares.unsigned_abs());
            held.cost -= removed;
            let got = price * Decimal::from(closes);
            held.realised += if side == Side::Sell { got - removed } else { removed - got };
        }
        let signed = i64::try_from(shares).expect("shares of an order");
        held.shares += if side == Side::Buy { signed } else { -signed };
        held.cost += price * Decimal::from(shares - closes);
        held.mark = price;
    }

    /// Values what is held by what it could be closed for.
    pub(super) fn mark(&mut self, ask: &Ask, seen: &Seen) {
        let about = self.about(ask.instrument);
        for owner in self.owners(ask.account, ask.session) {
            for held in &mut self.held {
                if held.owner != owner || held.instrument != ask.instrument || held.shares == 0 {
                    continue;
                }
                let best = if held.shares > 0 { seen.bid } else { seen.ask };
                held.mark = best.or(seen.last).or(about.reference).unwrap_or(held.mark);
            }
        }
    }

    /// Realised and unrealised profit of an owner, or an account in an instrument, in a currency.
    pub(super) fn profit(&self, who: Who, currency: usize) -> Decimal {
        self.held_by(who, currency)
            .map(|held| {
                let shares = Decimal::from(held.shares);
                let cost = if held.shares < 0 { -held.cost } else { held.cost };
                held.realised + shares * held.mark - cost
            })
            .sum()
    }

    pub(super) fn held_by(&self, who: Who, currency: usize) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(move |held| {
            let is_its = match who {
                Who::Pair(account, instrument) => {
                    held.owner == Who::Account(account) && held.instrument == instrument
                }
                owner => held.owner == owner,
            };
            is_its && self.currency(held.instrument) == currency
        })
    }

    /// A cancel, or a request that was refused before the gate.
    pub fn message(&mut self, account: u32, session: u32, instrument: Option<u32>, time: u64) {
        for who in self.owners(account, session) {
            self.pour(who, Key::MessageRateMax, Key::MessageBurst, time);
        }
        if let Some(instrument) = instrument {
            let pair = Who::Pair(account, instrument);
            self.pour(pair, Key::MessageRateMax, Key::MessageBurst, time);
        }
    }

    /// What is in a bucket by now, and what it may hold.
    pub(super) fn bucket(
        &self,
        who: Who,
        key: Key,
        burst: Key,
        time: u64,
    ) -> Option<(Decimal, u64)> {
        let rate = self.limit(who, key, 0)?;
        let burst = self.limit(who, burst, 0).unwrap_or(rate);
        let found = self.buckets.iter().find(|bucket| bucket.who == who && bucket.rate == key);
        let level = found.map_or(Decimal::ZERO, |bucket| {
            let drained = Decimal::from(time.saturating_sub(bucket.time)) * Decimal::from(rate)
                / Decimal::from(1_000_000_000);
            (bucket.level - drained).max(Decimal::ZERO)
        });
        Some((level, burst))
    }

    /// One more, if it fits.
    pub(super) fn pour(&mut self, who: Who, key: Key, burst: Key, time: u64) {
        let Some((level, most)) = self.bucket(who, key, burst, time) else {
            return;
        };
        let level = level + Decimal::ONE;
        if level <= Decimal::from(most) {
            self.buckets.retain(|bucket| bucket.who != who || bucket.rate != key);
            self.buckets.push(Bucket { who, rate: key, level, time });
        }
    }

    /// How many there are in the window that runs.
    pub(super) fn counted(
        &self,
        who: Who,
        key: Key,
        window: Key,
        time: u64,
        of: Option<(u32, Side)>,
    ) -> u64 {
        let Some(millis) = self.limit(who, window, 0) else {
            return 0;
        };
        let is_it = |one: &&Window| one.who == who && one.key == key && one.of == of;
        match self.windows.iter().find(is_it) {
            Some(one) if time < one.start + millis * 1_000_000 => one.count,
            _ => 0,
        }
    }

    /// Counts one more, if there is such a limit.
    pub(super) fn count(
        &mut self,
        who: Who,
        key: Key,
        window: Key,
        time: u64,
        of: Option<(u32, Side)>,
    ) -> u64 {
        if self.limit(who, key, 0).is_none() {
            return 0;
        }
        let count = self.counted(who, key, window, time, of) + 1;
        let is_it = |one: &Window| one.who == who && one.key == key && one.of == of;
        let before = self.windows.iter().find(|one| is_it(one)).map(|one| one.start);
        let start = if count == 1 { time } else { before.unwrap_or(time) };
        self.windows.retain(|one| !is_it(one));
        self.windows.push(Window { who, key, of, start, count });
        count
    }

    /// Shares of the locate that an account uses.
    pub(super) fn located(&self, account: u32, instrument: u32) -> u64 {
        let open = self.open.iter().filter(|open| {
            open.account == account && open.instrument == instrument && open.sale != Sale::Long
        });
        let fills = self.fills.iter().filter(|fill| {
            fill.account == account && fill.instrument == instrument && fill.sale != Sale::Long
        });
        open.map(|open| open.shares).sum::<u64>() + fills.map(|fill| fill.shares).sum::<u64>()
    }
}

/// So many parts of all of an amount, rounded down to a price unit.
fn part(cost: Decimal, closes: u64, held: u64) -> Decimal {
    let whole = units(cost).trunc();
    match whole.checked_mul(Decimal::from(closes)) {
        Some(product) => (product / Decimal::from(held)).floor() / Decimal::from(10_000),
        // Beyond the digits of a decimal.
        None => {
            let whole = whole.to_i128().expect("whole units");
            let removed = whole * i128::from(closes) / i128::from(held);
            match u64::try_from(removed) {
                Ok(removed) => amount(removed),
                Err(_) => Decimal::from_i128_with_scale(removed, 4),
            }
        }
    }
}
