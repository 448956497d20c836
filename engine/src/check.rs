//! Whether the engine's state is whole: for tests, slow, and allocating.

use std::collections::HashMap;

use spindle_risk::Target;
use spindle_types::{AccountId, InstrumentId, OrderToken, Price, SessionId, Side, Symbol};

use crate::book::OrderKey;
use crate::command::{OrderSide, TradingPhase};
use crate::engine::Engine;
use crate::event::{Event, Outcome};
use crate::matching::Place;

/// What is wrong, for people.
pub type Fault = String;

/// Shares of one order, as its events tell them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Entered with it; of a replacement what was open when it came.
    pub entered: u64,
    /// Executed since.
    pub executed: u64,
    /// Cancelled since; what a replacement took over counts here.
    pub cancelled: u64,
}

impl Shares {
    /// What is open.
    pub const fn open(&self) -> u64 {
        self.entered - self.executed - self.cancelled
    }
}

/// What an account has traded of an instrument through a session, as it was told.
#[derive(Clone, Copy, Debug, Default)]
struct Traded {
    /// Shares, by side.
    shares: [u64; 2],
    /// Price units times shares, by side.
    money: [i128; 2],
}

/// An order that was told of.
#[derive(Clone, Copy, Debug)]
struct Told {
    account: AccountId,
    symbol: Symbol,
    side: Side,
    shares: Shares,
}

/// Keeps books on what the engine tells, so that it can be held against what it has.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    orders: HashMap<(SessionId, OrderToken), Told>,
    traded: HashMap<(AccountId, SessionId, Symbol), Traded>,
    sequence: u64,
}

impl Ledger {
    /// Forgets all that was told: the next event follows this number. A day has begun.
    #[cfg(feature = "verify")]
    pub(crate) fn begin_after(sequence: u64) -> Self {
        Self { sequence, ..Self::default() }
    }

    /// Forgets what was traded: a new session of the outside market begins, and positions with it.
    pub fn begin_day(&mut self) {
        self.traded.clear();
    }

    /// The number of the last event that was taken.
    #[cfg(feature = "verify")]
    pub(crate) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Forgets orders of which nothing is open.
    #[cfg(feature = "verify")]
    pub(crate) fn forget_closed(&mut self) {
        self.orders.retain(|_, told| told.shares.open() > 0);
    }

    /// Takes an event into account.
    ///
    /// # Errors
    /// One that contradicts those before: a number missed, shares executed or cancelled that were
    /// not open, or an open size that does not follow.
    pub fn take(&mut self, event: &Event) -> Result<(), Fault> {
        self.sequence += 1;
        if event.sequence != self.sequence {
            return Err(format!("event {} after {}", event.sequence, self.sequence - 1));
        }
        let key = (event.session, event.token);
        let fresh = |symbol: Symbol, side: OrderSide, quantity: u32| Told {
            account: event.account,
            symbol,
            side: side.book_side(),
            shares: Shares { entered: quantity.into(), ..Shares::default() },
        };
        match event.outcome {
            Outcome::Accepted { symbol, side, quantity, .. } => {
                self.orders.insert(key, fresh(symbol, side, quantity.0));
            }
            Outcome::Replaced { original, symbol, side, quantity, .. } => {
                let old = self.orders.get_mut(&(event.session, original));
                let Some(old) = old.filter(|old| old.shares.open() > 0) else {
                    return Err(format!("replaced although nothing was open: {event:?}"));
                };
                old.shares.cancelled += old.shares.open();
                self.orders.insert(key, fresh(symbol, side, quantity.0));
            }
            Outcome::Executed { quantity, price, open, .. } => {
                let Told { account, symbol, side, .. } =
                    self.take_off(event, quantity.0, open.0, true)?;
                let traded = self.traded.entry((account, event.session, symbol)).or_default();
                traded.shares[side.index()] += u64::from(quantity.0);
                traded.money[side.index()] += i128::from(price.times(quantity).0);
            }
            Outcome::Canceled { quantity, open, .. } => {
                self.take_off(event, quantity.0, open.0, false)?;
            }
            Outcome::Modified { quantity, open, .. } if !quantity.is_zero() => {
                self.take_off(event, quantity.0, open.0, false)?;
            }
            Outcome::Triggered
                if self.orders.get(&key).is_none_or(|told| told.shares.open() == 0) =>
            {
                return Err(format!("triggered although nothing was open: {event:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn take_off(
        &mut self,
        event: &Event,
        quantity: u32,
        open: u32,
        executed: bool,
    ) -> Result<Told, Fault> {
        let order = self.orders.get_mut(&(event.session, event.token));
        let Some(told) = order else {
            return Err(format!("an order that was never accepted: {event:?}"));
        };
        let (quantity, open) = (u64::from(quantity), u64::from(open));
        let shares = &mut told.shares;
        if told.account != event.account || quantity == 0 || quantity > shares.open() {
            return Err(format!("{shares:?} cannot become {event:?}"));
        }
        if executed {
            shares.executed += quantity;
        } else {
            shares.cancelled += quantity;
        }
        if shares.open() != open {
            return Err(format!("{} are open after {event:?}", shares.open()));
        }
        Ok(*told)
    }

    /// The shares of an order.
    pub fn shares(&self, session: SessionId, token: OrderToken) -> Option<Shares> {
        self.orders.get(&(session, token)).map(|told| told.shares)
    }

    /// Holds what was told against what the engine has: every open order with the same open shares
    /// on both sides, and what is whole in itself, by [`Engine::check`].
    ///
    /// # Errors
    /// The first thing found.
    pub fn check(&self, engine: &Engine) -> Result<(), Fault> {
        let mut open = 0;
        for (&(session, token), &Told { account, shares, .. }) in &self.orders {
            let has = engine.open_shares(session, token).unwrap_or_default();
            if u64::from(has) != shares.open() {
                return Err(format!(
                    "order {token} of session {session}, account {account}: {shares:?} were told, \
                     {has} are open"
                ));
            }
            open += usize::from(shares.open() > 0);
        }
        if open != engine.own_orders() {
            return Err(format!("{} orders are open, {open} were told", engine.own_orders()));
        }
        self.check_positions(engine)?;
        engine.check()
    }

    /// Holds what was told of executions against what the risk gate counts, for every account,
    /// session and firm in each instrument: position, and shares and money traded by side.
    ///
    /// # Errors
    /// The first difference.
    pub fn check_positions(&self, engine: &Engine) -> Result<(), Fault> {
        let mut due: HashMap<(Target, InstrumentId), Traded> = HashMap::new();
        for (&(account, session, symbol), told) in &self.traded {
            let Some(instrument) = engine.instruments().find(symbol) else {
                return Err(format!("{symbol} was traded and is not known"));
            };
            for target in engine.gate().targets_of(account, session) {
                let sum = due.entry((target, instrument)).or_default();
                for side in [Side::Buy.index(), Side::Sell.index()] {
                    sum.shares[side] += told.shares[side];
                    sum.money[side] += told.money[side];
                }
            }
        }
        for (target, instrument, has) in engine.gate().positions() {
            let told = due.remove(&(target, instrument)).unwrap_or_default();
            let [bought, sold] = told.shares.map(u64::cast_signed);
            if (has.traded, has.traded_value) != (told.shares, told.money)
                || has.position != bought - sold
            {
                return Err(format!(
                    "{target:?} in instrument {instrument}: the gate has {has:?}, told were {told:?}"
                ));
            }
        }
        match due.iter().next() {
            Some(missed) => Err(format!("the gate knows nothing of {missed:?}")),
            None => Ok(()),
        }
    }
}

impl Engine {
    /// Open shares of an order, reserve included; `None` where it is not open.
    pub fn open_shares(&self, session: SessionId, token: OrderToken) -> Option<u32> {
        self.find_own(OrderKey::own(session, token)).map(|index| self.open_of(index))
    }

    /// Looks at everything and says what is wrong: see the source for what is looked at. Slow, and
    /// it allocates; for tests, between inputs.
    ///
    /// # Errors
    /// The first thing found.
    pub fn check(&self) -> Result<(), Fault> {
        self.books.check()?;
        let (mut hidden, mut refills) = (0, 0);
        for (index, order) in self.own.iter() {
            let place = || format!("order {} of session {}", order.token, order.session);
            let record = self.books.order(order.slot);
            if record.own_index() != Some(index)
                || record.key() != OrderKey::own(order.session, order.token)
                || record.instrument() != order.instrument
                || record.side() != order.side.book_side()
                || record.quantity() == 0
            {
                return Err(format!("{}: its record is another's", place()));
            }
            let special = self.extras.specials[index as usize];
            let stands = if order.special { special.place } else { Place::Shown };
            if self.books.is_parked(order.slot) != (stands != Place::Shown) {
                return Err(format!("{}: it is not where it should be", place()));
            }
            let price = match (stands, order.special) {
                (Place::Shown, true) => Some(special.price),
                (Place::Shown, false) => order.limit.get().map(|limit| limit.0),
                _ => None,
            };
            if price.is_some_and(|price| Price(price) != self.books.price_of(order.slot))
                && special.price != 0
            {
                return Err(format!("{}: it stands at another price", place()));
            }
            if order.special {
                hidden += u32::from(special.place == Place::Hidden);
                if special.display > 0 {
                    refills += u64::from(special.reserve.div_ceil(special.display));
                }
                self.check_special(index).map_err(|what| format!("{}: {what}", place()))?;
            }
        }
        if (hidden, refills) != (self.extras.hidden, self.extras.refills) {
            return Err("hidden orders or refills are miscounted".to_owned());
        }
        self.check_risk()?;
        if !self.extras.dirty.is_empty() || self.time >= self.extras.next_expiry {
            return Err("an input was left half done".to_owned());
        }
        if let Some(imbalance) = self.imbalance() {
            return Err(imbalance.to_string());
        }
        self.check_sets()?;
        for number in 0..self.books.instruments() {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            self.check_instrument(InstrumentId(number as u16))
                .map_err(|what| format!("instrument {number}: {what}"))?;
        }
        Ok(())
    }

    fn check_instrument(&self, instrument: InstrumentId) -> Result<(), Fault> {
        let taken_of = |side| {
            let mut taken = 0;
            let mut next = self.books.first(instrument, side);
            while let Some(slot) = next {
                let order = self.books.order(slot);
                taken += if order.is_own() { 0 } else { u64::from(order.taken()) };
                next = self.books.behind(slot);
            }
            taken
        };
        let (taken, ledger) =
            (taken_of(Side::Buy) + taken_of(Side::Sell), self.divergence_of(instrument));
        if ledger.displaced + ledger.void + taken != ledger.taken + ledger.met
            || taken != self.standing_of(instrument)
        {
            return Err(format!("{taken} taken shares stand, not as in {ledger:?}"));
        }
        let known = self.instruments.get(instrument);
        if known.phase != TradingPhase::Continuous {
            return Ok(());
        }
        let best_own = |side| {
            self.own
                .iter()
                .filter(|(_, order)| order.instrument == instrument)
                .filter(|(_, order)| order.side.book_side() == side)
                .filter_map(|(index, order)| {
                    let special = &self.extras.specials[index as usize];
                    match (order.special, special.place) {
                        (false, _) | (_, Place::Shown) => Some(self.books.price_of(order.slot)),
                        (_, Place::Hidden) => Some(Price(special.price)),
                        _ => None,
                    }
                })
                .reduce(|one, other| if one.is_better(side, other) { one } else { other })
        };
        if let (Some(bid), Some(ask)) = (best_own(Side::Buy), best_own(Side::Sell))
            && bid >= ask
        {
            return Err(format!("strategies' orders stand crossed, {bid:?} over {ask:?}"));
        }
        if self.trades(instrument) {
            self.check_settled(instrument)?;
        }
        Ok(())
    }
}
