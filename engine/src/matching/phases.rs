//! The phases of an instrument's day.

use spindle_feed::event::TradingState;
use spindle_types::{EventTime, InstrumentId, Price};

use super::TAPE_FILLS_MAX;
use crate::command::TradingPhase;
use crate::engine::Engine;
use crate::event::{Auction, CancelReason, Figures, PhaseRefusal};
use crate::instruments::Instrument;
use crate::own::Stay;

impl Engine {
    /// The instrument enters another phase. Orders that this cancels or trades are told. The
    /// reference is what an auction's price shall be near; `None` stands for the last print. False,
    /// and nothing changes but the time, where the instrument is unknown or has this phase already.
    ///
    /// # Errors
    /// Continuous trading does not begin while the tape does not trade the instrument, nor where the
    /// tape's price collar does not allow the auction that would be held. Nothing changes but the
    /// time then.
    pub fn on_phase_change(
        &mut self,
        time: EventTime,
        instrument: InstrumentId,
        phase: TradingPhase,
        reference: Option<Price>,
    ) -> Result<bool, PhaseRefusal> {
        self.begin(time);
        let known = self.instruments.get(instrument);
        let changes = known.known && known.phase != phase;
        let result = match self.admit_phase(instrument, &known, phase, reference) {
            Err(why) if changes => Err(why),
            _ => Ok(changes),
        };
        if let Ok(true) = result {
            self.change_phase(instrument, known.phase, phase, reference);
        }
        self.finish();
        self.extras.tape_fills = TAPE_FILLS_MAX;
        result
    }

    /// Whether the tape allows a phase.
    fn admit_phase(
        &self,
        instrument: InstrumentId,
        known: &Instrument,
        phase: TradingPhase,
        reference: Option<Price>,
    ) -> Result<(), PhaseRefusal> {
        if phase != TradingPhase::Continuous {
            return Ok(());
        }
        if self.is_closed() {
            return Err(PhaseRefusal::Closed);
        }
        if known.stale || self.gap_open || self.feed_silent {
            return Err(PhaseRefusal::Stale);
        }
        if known.trading != TradingState::Trading {
            return Err(PhaseRefusal::Halted);
        }
        if known.operationally_halted {
            return Err(PhaseRefusal::OperationalHalt);
        }
        if known.phase != TradingPhase::PreOpen
            && let Some(collar) = self.instruments.state(instrument).collar
            && let Some(price) = self.auction_figures(instrument, false, reference).price
            && !collar.allows(price)
        {
            return Err(PhaseRefusal::OutsideCollar);
        }
        Ok(())
    }

    fn change_phase(
        &mut self,
        instrument: InstrumentId,
        before: TradingPhase,
        phase: TradingPhase,
        reference: Option<Price>,
    ) {
        let auction = match (before, phase) {
            (TradingPhase::PreOpen, TradingPhase::Continuous) => Some(Auction::Opening),
            (_, TradingPhase::Continuous) => Some(Auction::Halt),
            // While the tape does not trade it, what was for the close is cancelled without one.
            (TradingPhase::PreClose, TradingPhase::Closed) if self.may_auction(instrument) => {
                Some(Auction::Closing)
            }
            _ => None,
        };
        if before == TradingPhase::Continuous {
            self.park_pegs(instrument);
        }
        let print = auction.and_then(|kind| self.hold_auction(instrument, kind, reference));
        if let Some(kind) = auction {
            self.cancel_in_order(CancelReason::AuctionOver, |engine, index| {
                let order = engine.own.get(index);
                let is_over = match order.stay {
                    Stay::AtClose => kind == Auction::Closing,
                    Stay::AtOpen => !engine.waits_for_the_opening(index),
                    _ => engine.is_collected_market(index),
                };
                is_over && order.instrument == instrument
            });
        }
        if let (Some(known), Some(tape)) = self.instruments.both_mut(instrument) {
            known.phase = phase;
            if auction == Some(Auction::Halt) {
                tape.collar = None;
            }
        }
        self.tell_band(instrument);
        if !before.collects() {
            self.extras.pools[instrument.index()].told = Figures::NONE;
        }
        self.refresh(instrument);
        self.see_status(instrument);
        if phase == TradingPhase::Closed {
            self.end_of_day(Some(instrument));
        }
        if let Some(price) = print {
            self.print(instrument, price);
        }
        self.publish(instrument);
        self.touch(instrument);
    }

    /// Whether the tape allows an auction now.
    fn may_auction(&self, instrument: InstrumentId) -> bool {
        let known = self.instruments.get(instrument);
        known.tape_trades()
            && !known.stale
            && !self.gap_open
            && !self.feed_silent
            && !self.is_closed()
    }

    /// It is now this time: orders whose time has come are cancelled. Every other input with a time
    /// does the same before anything else.
    pub fn on_time(&mut self, time: EventTime) {
        self.begin(time);
        self.finish();
    }

    /// The day of an instrument, or of all, is over: what is not good till later is cancelled.
    pub(crate) fn end_of_day(&mut self, instrument: Option<InstrumentId>) {
        self.cancel_in_order(CancelReason::EndOfDay, |engine, index| {
            let order = engine.own.get(index);
            !order.stay.outlives_the_day()
                && instrument.is_none_or(|instrument| instrument == order.instrument)
        });
    }

    /// The market's tape has changed whether it trades an instrument, or whether it is known.
    pub(crate) fn tape_changed(&mut self, instrument: InstrumentId) {
        if !self.trades(instrument) && self.extras.watched > 0 {
            self.park_pegs(instrument);
        }
        self.touch(instrument);
    }

    /// The market's tape has changed whether it trades at all.
    pub(crate) fn tape_changed_everywhere(&mut self) {
        for number in 0..self.books.instruments() {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            self.tape_changed(InstrumentId(number as u16));
        }
    }

    /// All instruments may trade again.
    pub(crate) fn touch_all(&mut self) {
        if self.extras.watched == 0 {
            return;
        }
        for number in 0..self.books.instruments() {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            self.touch(InstrumentId(number as u16));
        }
    }
}
