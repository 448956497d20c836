//! The phases of an instrument's day.

use spindle_types::{EventTime, InstrumentId, Price};

use super::TAPE_FILLS_MAX;
use crate::command::TradingPhase;
use crate::engine::Engine;
use crate::event::{Auction, CancelReason, Figures};
use crate::own::Stay;

impl Engine {
    /// The instrument enters another phase. Orders that this cancels or trades are told. The
    /// reference is what an auction's price shall be near; `None` stands for the last print. False,
    /// and nothing changes but the time, where the instrument is unknown or has this phase already.
    pub fn on_phase_change(
        &mut self,
        time: EventTime,
        instrument: InstrumentId,
        phase: TradingPhase,
        reference: Option<Price>,
    ) -> bool {
        self.begin(time);
        let known = self.instruments.get(instrument);
        let changes = known.known && known.phase != phase;
        if changes {
            self.change_phase(instrument, known.phase, phase, reference);
        }
        self.finish();
        self.extras.tape_fills = TAPE_FILLS_MAX;
        changes
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
            (TradingPhase::PreClose, TradingPhase::Closed) => Some(Auction::Closing),
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
                    Stay::AtOpen => true,
                    _ => engine.is_collected_market(index),
                };
                is_over && order.instrument == instrument
            });
        }
        if let Some(known) = self.instruments.get_mut(instrument) {
            known.phase = phase;
        }
        if !before.collects() {
            self.extras.pools[instrument.index()].told = Figures::NONE;
        }
        self.refresh(instrument);
        if phase == TradingPhase::Closed {
            self.end_of_day(Some(instrument));
        }
        if let Some(price) = print {
            self.print(instrument, price);
        }
        self.publish(instrument);
        self.touch(instrument);
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
