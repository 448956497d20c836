//! What the tape says of the market's state: halts, pauses, quote-only periods, operational halts,
//! price collars, the price test of short sales, the circuit breaker and the day's phases. Each
//! change is told to everybody.

use spindle_feed::event::{Phase, TradingState};
use spindle_feed::state::{MarketCenter, Reason, StateChange, WholeState};
use spindle_feed::top::TopState;
use spindle_types::{InstrumentId, Symbol};

use crate::engine::{Address, Engine};
use crate::event::{Change, Outcome};
use crate::publication::Sight;

/// The level of the market-wide circuit breaker after which nothing trades any more today.
const LAST_BREAKER: u8 = 3;

impl Engine {
    /// Sets which market centre this venue stands for: its operational halts are the ones that
    /// count here. Nasdaq where nothing is set.
    pub fn set_market_center(&mut self, center: MarketCenter) {
        self.center = center;
    }

    /// What the tape says of the market as a whole.
    pub fn whole_state(&self) -> WholeState {
        self.whole
    }

    /// The phase of the day that the tape gave last; `None` where it gave none yet.
    pub fn day_phase(&self) -> Option<Phase> {
        self.phase
    }

    /// Tells everybody what has changed. An engine without accounts tells nobody: nothing but books
    /// is wanted of it.
    #[cold]
    pub(crate) fn announce(&mut self, symbol: Symbol, change: Change) {
        if self.gate.accounts() == 0 {
            return;
        }
        // A loss comes beside the inputs for which room is asked.
        if self.outbox.len() < self.outbox_max {
            self.emit(Address::NOBODY, Outcome::State { symbol, change });
        } else {
            self.counters.untold.add(1);
        }
    }

    /// Tells everybody what has changed at an instrument, if it is known.
    pub(crate) fn announce_at(&mut self, instrument: InstrumentId, change: Change) {
        let known = self.instruments.get(instrument);
        if known.known {
            self.announce(known.symbol, change);
        }
    }

    /// Writes the state of every instrument that is known into its cell.
    fn tell_states(&mut self) {
        for number in 0..self.books.instruments() {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            let instrument = InstrumentId(number as u16);
            if self.instruments.is_known(instrument) {
                self.tops.set_state(instrument, self.top_state(instrument));
            }
        }
    }

    #[cold]
    pub(crate) fn on_status(
        &mut self,
        instrument: InstrumentId,
        state: TradingState,
        reason: Reason,
    ) {
        self.forget_anchor(instrument);
        let (Some(known), Some(tape)) = self.instruments.both_mut(instrument) else {
            return;
        };
        let changes = known.trading != state || tape.reason != reason;
        known.trading = state;
        tape.reason = reason;
        if changes && matches!(state, TradingState::Halted | TradingState::Paused) {
            // The prices for the reopening are told anew.
            tape.collar = None;
        }
        self.tell_band(instrument);
        self.tops.set_state(instrument, self.top_state(instrument));
        self.tape_changed(instrument);
        if changes {
            self.announce_at(instrument, Change::Trading { state, reason });
            self.see_status(instrument);
        }
    }

    #[cold]
    pub(crate) fn on_state(&mut self, instrument: InstrumentId, change: StateChange) {
        let instrument = match change {
            StateChange::Release { symbol, .. } => {
                self.instruments.find(symbol).unwrap_or(instrument)
            }
            _ => instrument,
        };
        if !self.keep_state(instrument, change) {
            return;
        }
        match change {
            StateChange::BreakerLevels(_) | StateChange::Breaker { .. } => {
                self.announce(Symbol::BLANK, Change::Tape(change));
            }
            _ => self.announce_at(instrument, Change::Tape(change)),
        }
        match change {
            StateChange::Collar(_) => self.tell_band(instrument),
            StateChange::OperationalHalt { center, .. } if center == self.center => {
                self.forget_anchor(instrument);
                self.tops.set_state(instrument, self.top_state(instrument));
                self.tape_changed(instrument);
            }
            StateChange::Breaker { level: LAST_BREAKER } => self.close_the_day(),
            _ => {}
        }
    }

    /// Tells the risk gate in which band the tape lets an instrument trade, if it says so.
    pub(crate) fn tell_band(&mut self, instrument: InstrumentId) {
        self.gate.set_band(instrument, self.instruments.luld_collar(instrument));
    }

    /// Keeps what has changed; whether it has.
    fn keep_state(&mut self, instrument: InstrumentId, change: StateChange) -> bool {
        let center = self.center;
        match change {
            StateChange::BreakerLevels(levels) => {
                return self.whole.breaker_levels.replace(levels) != Some(levels);
            }
            StateChange::Breaker { level } => {
                let before = self.whole.breaker;
                self.whole.breaker = before.max(level);
                return self.whole.breaker != before;
            }
            _ => {}
        }
        let (Some(known), Some(tape)) = self.instruments.both_mut(instrument) else {
            return false;
        };
        if !known.known {
            return false;
        }
        let before = (*tape, known.short_sale);
        match change {
            StateChange::OperationalHalt { center: at, halted } => {
                let others = tape.operational_halts & !at.bit();
                tape.operational_halts = others | if halted { at.bit() } else { 0 };
                known.operationally_halted = tape.operational_halts & center.bit() != 0;
            }
            StateChange::Collar(collar) => tape.collar = Some(collar),
            StateChange::ShortSale(restriction) => known.short_sale = restriction,
            StateChange::Release { release, .. } => tape.release = Some(release),
            StateChange::BreakerLevels(_) | StateChange::Breaker { .. } => {}
        }
        before != (*tape, known.short_sale)
    }

    #[cold]
    pub(crate) fn on_phase(&mut self, phase: Phase) {
        let was_closed = self.is_closed();
        let before = self.phase.replace(phase);
        if before != Some(phase) {
            self.announce(Symbol::BLANK, Change::Day(phase));
            self.see(InstrumentId(0), Sight::Day(phase));
        }
        if was_closed && !self.is_closed() {
            self.tell_states();
            self.tape_changed_everywhere();
        }
        match phase {
            Phase::EndOfSystemHours | Phase::EndOfMessages => self.close_the_day(),
            Phase::StartOfMessages => self.instruments.forget_crosses(),
            Phase::EndOfMarketHours => self.no_more_openings(),
            Phase::StartOfSystemHours | Phase::StartOfMarketHours => {}
        }
    }

    fn close_the_day(&mut self) {
        self.end_of_day(None);
        self.tops.set_all_states(TopState::Closed);
        self.tape_changed_everywhere();
    }

    /// Whether the venue takes no more orders today: system hours are over, or the circuit breaker
    /// has ended the day.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.phase, Some(Phase::EndOfSystemHours | Phase::EndOfMessages))
            || self.whole.breaker == LAST_BREAKER
    }
}
