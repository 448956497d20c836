//! How the engine asks the risk gate, and what changes it while orders are taken.

use std::collections::HashMap;

use spindle_risk::{
    Cause, Form, Gate, GateError, InstrumentState, Limits, Notice, Purpose, Request, Reserved,
    Target, Totals, Usage, UsageRow,
};
use spindle_types::{AccountId, EventTime, InstrumentId, Quantity, Symbol, keep};
use thiserror::Error;

use crate::engine::Engine;
use crate::event::CancelReason;
use crate::matching::TAPE_FILLS_MAX;
use crate::own::OwnOrder;

/// A change of the risk gate, an input like an order: see [`Engine::on_risk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum RiskChange {
    /// Sets the limits of an account, a session or a firm.
    Limits {
        /// Whose; not [`Target::All`].
        target: Target,
        /// All its limits from now on.
        limits: Limits,
    },
    /// Sets the limits of an account in one instrument.
    InstrumentLimits {
        /// Whose.
        account: AccountId,
        /// In which. One that the feed has not told yet is awaited.
        symbol: Symbol,
        /// All its limits there from now on.
        limits: Limits,
    },
    /// Puts an account into a firm, or into none.
    Firm {
        /// Which account.
        account: AccountId,
        /// Its firm from now on.
        firm: Option<u16>,
    },
    /// Sets what the gate keeps of an instrument.
    Instrument {
        /// Which; it must be known.
        symbol: Symbol,
        /// All that is kept of it from now on.
        state: InstrumentState,
    },
    /// Stops somebody, and cancels what rests.
    Kill {
        /// Whom.
        target: Target,
        /// Why.
        cause: Cause,
    },
    /// Lets somebody go on who was stopped. Whoever asks has given a cause.
    Arm {
        /// Whom.
        target: Target,
    },
}

/// Why changes of the gate are refused, all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("change {at}: {why}")]
pub struct RiskError {
    /// Which change, from 1.
    pub at: usize,
    /// What is wrong with it.
    pub why: RiskFault,
}

/// What is wrong with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RiskFault {
    /// The gate refuses it.
    #[error("{0}")]
    Gate(#[from] GateError),
    /// Nothing has this symbol.
    #[error("no instrument has the symbol {0}")]
    Symbol(Symbol),
    /// It goes on already.
    #[error("it is not stopped")]
    NotStopped,
}

/// Of whom it is asked what is used of their limits: made empty by who asks, filled by the engine,
/// and changed by it in nothing else.
#[derive(Clone, Debug)]
pub struct UsageReport {
    rows: Box<[UsageRow]>,
    symbols: Box<[Option<Symbol>]>,
    places: Box<[u32]>,
}

impl UsageReport {
    /// An empty report about accounts, sessions and firms, and accounts in instruments, of a gate
    /// that has so many owners of limits ([`Gate::owners`]).
    pub fn new(of: &[(Target, Option<Symbol>)], owners: usize) -> Self {
        let rows = of.iter().map(|&(target, _)| UsageRow::of(target, None)).collect();
        let symbols = of.iter().map(|&(_, symbol)| symbol).collect();
        Self { rows, symbols, places: vec![0; owners].into() }
    }

    /// What is used, in the order in which it was asked.
    pub fn rows(&self) -> impl Iterator<Item = (Target, Option<Symbol>, &Usage)> {
        self.rows.iter().zip(&self.symbols).map(|(row, symbol)| (row.target, *symbol, &row.usage))
    }
}

impl Engine {
    /// Fills a report with what is used now of limits. No input: nothing changes by it. One pass over
    /// the rows and one over the gate's cells in use, without allocating.
    pub fn fill_usage(&self, time: EventTime, report: &mut UsageReport) {
        for (row, symbol) in report.rows.iter_mut().zip(&report.symbols) {
            // Number 0 is no instrument: nothing is used of one that is not known yet.
            row.instrument =
                symbol.map(|symbol| self.instruments.find(symbol).unwrap_or(InstrumentId(0)));
        }
        self.gate.fill_usage(time, &mut report.rows, &mut report.places);
    }

    /// The gate, to look at.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Whether everybody is stopped when the feed is silent or loses messages; not where nothing is
    /// set.
    pub fn kill_on_stale(&mut self, kills: bool) {
        self.kills_on_stale = kills;
    }

    /// The feed is silent or has lost messages.
    #[cold]
    pub(crate) fn feed_failed(&mut self) {
        if self.kills_on_stale {
            self.gate.kill(Target::All, Cause::Stale);
            self.stop_at_the_end();
            self.finish();
        }
    }

    /// The next that the operator is to be told by the gate.
    #[inline]
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.gate.next_notice()
    }

    /// Changes the gate between two other inputs, by all of these changes or, when one of them cannot
    /// be, by none. Orders of those who are stopped are cancelled and told.
    ///
    /// # Errors
    /// The first change that cannot be.
    pub fn on_risk(&mut self, time: EventTime, changes: &[RiskChange]) -> Result<(), RiskError> {
        self.begin(time);
        let checked = (1..).zip(changes).try_for_each(|(at, change)| {
            self.check_change(change).map_err(|why| RiskError { at, why })
        });
        let sets = changes.iter().filter(|change| self.needs_set(change)).count();
        let decided = checked.and_then(|()| match sets <= self.gate.sets_room() {
            true => Ok(()),
            false => Err(RiskError { at: changes.len(), why: GateError::Full.into() }),
        });
        if decided.is_ok() {
            for change in changes {
                // Checked above: nothing of this can fail.
                let _ = self.make_change(change);
            }
            self.stop_at_the_end();
        }
        self.finish();
        self.extras.tape_fills = TAPE_FILLS_MAX;
        decided
    }

    fn check_change(&self, change: &RiskChange) -> Result<(), RiskFault> {
        let exists = |target| match self.gate.has(target) {
            true => Ok(()),
            false => Err(RiskFault::Gate(GateError::Unknown)),
        };
        match *change {
            RiskChange::Limits { target: Target::All, .. } => Err(GateError::Unknown.into()),
            RiskChange::Limits { target, limits } => {
                limits.check(false).map_err(GateError::from)?;
                exists(target)
            }
            RiskChange::InstrumentLimits { account, limits, .. } => {
                limits.check(true).map_err(GateError::from)?;
                exists(Target::Account(account))
            }
            RiskChange::Instrument { symbol, state } => {
                let instrument = self.instruments.find(symbol).ok_or(RiskFault::Symbol(symbol))?;
                match self.gate.may_set_instrument(instrument, &state) {
                    true => Ok(()),
                    false => Err(GateError::InUse.into()),
                }
            }
            RiskChange::Firm { account, firm } => {
                exists(Target::Account(account))?;
                firm.map_or(Ok(()), |firm| exists(Target::Firm(firm)))?;
                match self.gate.may_set_account(account, firm) {
                    true => Ok(()),
                    false => Err(GateError::InUse.into()),
                }
            }
            RiskChange::Kill { target, .. } => exists(target),
            RiskChange::Arm { target } => match self.gate.is_stopped(target) {
                true => exists(target),
                false => exists(target).and(Err(RiskFault::NotStopped)),
            },
        }
    }

    fn needs_set(&self, change: &RiskChange) -> bool {
        match change {
            RiskChange::Limits { target, .. } => self.gate.limits(*target) == Some(&Limits::NONE),
            RiskChange::InstrumentLimits { .. } => true,
            _ => false,
        }
    }

    fn make_change(&mut self, change: &RiskChange) -> Result<(), GateError> {
        match *change {
            RiskChange::Limits { target, limits } => self.gate.set_limits(target, limits),
            RiskChange::InstrumentLimits { account, symbol, limits } => {
                self.gate.await_instrument_limits(account, symbol, limits)?;
                if let Some(instrument) = self.instruments.find(symbol) {
                    self.gate.learn(instrument, symbol);
                }
                Ok(())
            }
            RiskChange::Instrument { symbol, state } => {
                if let Some(instrument) = self.instruments.find(symbol) {
                    self.gate.set_instrument(instrument, state);
                }
                Ok(())
            }
            RiskChange::Firm { account, firm } => {
                self.gate.set_account(account, firm);
                Ok(())
            }
            RiskChange::Kill { target, cause } => {
                self.gate.kill(target, cause);
                Ok(())
            }
            RiskChange::Arm { target } => {
                self.gate.arm(target);
                Ok(())
            }
        }
    }

    /// An order that there is, as the gate sees it.
    #[inline]
    pub(crate) fn request(
        &self,
        order: &OwnOrder,
        quantity: Quantity,
        form: Form,
        purpose: Purpose,
    ) -> Request {
        Request {
            time: self.time,
            account: order.account,
            session: order.session,
            instrument: order.instrument,
            side: order.side.book_side(),
            sale: order.side.sale(),
            quantity,
            limit: order.limit.get(),
            form,
            purpose,
            before: Reserved::default(),
        }
    }

    /// Somebody was stopped: orders are cancelled at the end of this input.
    #[cold]
    pub(crate) fn settle_at_the_end(&mut self, instrument: InstrumentId) {
        if let Some(pools) = self.extras.pools.get_mut(instrument.index())
            && !pools.dirty
        {
            pools.dirty = true;
            self.extras.dirty.push(instrument);
        }
    }

    /// As [`Engine::settle_at_the_end`], where no instrument has changed.
    #[cold]
    pub(crate) fn stop_at_the_end(&mut self) {
        if self.gate.has_tripped() {
            self.settle_at_the_end(InstrumentId(0));
        }
    }

    /// Cancels what rests of those who were stopped.
    #[cold]
    pub(crate) fn carry_out_stops(&mut self) {
        self.gate.settle_trips();
        self.cancel_in_order(CancelReason::Killed, |engine, index| {
            let order = engine.own.get(index);
            engine.gate.is_killed(order.account, order.session)
        });
    }

    /// Holds what the gate has reserved against all open orders, owner by owner and instrument by instrument.
    ///
    /// # Errors
    /// The first difference.
    pub fn check_risk(&self) -> Result<(), String> {
        self.gate.check_sums()?;
        let mut reserved: HashMap<(Target, InstrumentId), Totals> = HashMap::new();
        for (index, order) in self.own.iter() {
            let open = self.open_of(index);
            let side = order.side.book_side().index();
            for target in self.gate.targets_of(order.account, order.session) {
                let sum = reserved.entry((target, order.instrument)).or_default();
                sum.open_orders += 1;
                sum.open[side] += u64::from(open);
                sum.open_value[side] += i128::from(order.valued.times(Quantity(open)).0);
            }
        }
        for (target, instrument, has) in self.gate.positions() {
            let Totals { open_orders, open, open_value, .. } = has;
            let found = Totals { open_orders, open, open_value, ..Totals::default() };
            let due = reserved.remove(&(target, instrument)).unwrap_or_default();
            if found != due {
                return Err(format!(
                    "{target:?} in instrument {instrument}: the gate has {found:?}, orders {due:?}"
                ));
            }
        }
        match reserved.iter().next() {
            Some(missed) => Err(format!("the gate knows nothing of {missed:?}")),
            None => Ok(()),
        }
    }
}
