//! The begin and the end of every input: what expires, and what a change leads to.

use spindle_types::{EventTime, InstrumentId, Price, Side};

use super::pools::price_of;
use super::{TAPE_FILLS_MAX, features};
use crate::command::TradingPhase;
use crate::engine::Engine;
use crate::event::CancelReason;

impl Engine {
    /// An input comes at this time: what expires by then is cancelled, with all that follows.
    #[inline]
    pub(crate) fn begin(&mut self, time: EventTime) {
        self.time = time;
        if time >= self.extras.next_expiry {
            self.expire();
        }
    }

    #[cold]
    fn expire(&mut self) {
        while self.time >= self.extras.next_expiry
            && let Some(index) = self.extras.expiries.first(self.extras.expiring)
        {
            self.cancel_own(index, CancelReason::Expired, 0);
        }
        self.settle_all();
    }

    /// Something has changed in a book.
    #[inline]
    pub(crate) fn touch(&mut self, instrument: InstrumentId) {
        if self.extras.watched > 0 {
            self.touch_watched(instrument);
        }
    }

    #[cold]
    fn touch_watched(&mut self, instrument: InstrumentId) {
        let is_watched = self.instruments.get(instrument).features & features::WATCHED != 0;
        if let Some(pools) = self.extras.pools.get_mut(instrument.index())
            && is_watched
            && !pools.dirty
        {
            pools.dirty = true;
            self.extras.dirty.push(instrument);
        }
    }

    /// The input has been carried out: pegs, elected stops and auctions' figures follow.
    #[inline]
    pub(crate) fn finish(&mut self) {
        if !self.extras.dirty.is_empty() {
            self.finish_dirty();
        }
        #[cfg(feature = "verify")]
        self.verify();
    }

    #[cold]
    fn finish_dirty(&mut self) {
        loop {
            if self.gate.has_tripped() {
                self.carry_out_stops();
            }
            self.settle_all();
            if !self.gate.has_tripped() {
                break;
            }
        }
        for at in 0..self.extras.dirty.len() {
            let instrument = self.extras.dirty[at];
            self.tell_indicative(instrument);
            self.extras.pools[instrument.index()].dirty = false;
        }
        self.extras.dirty.clear();
        self.extras.tape_fills = TAPE_FILLS_MAX;
    }

    /// Settles every instrument in which something has changed, in the order of their numbers.
    fn settle_all(&mut self) {
        self.extras.dirty.sort_unstable();
        for at in 0..self.extras.dirty.len() {
            // Number 0 is no instrument: it stands for something that concerns none.
            if self.extras.dirty[at].0 > 0 {
                self.settle(self.extras.dirty[at]);
            }
        }
    }

    /// Works off pegs and elected stops of an instrument.
    fn settle(&mut self, instrument: InstrumentId) {
        if !self.trades(instrument) {
            return;
        }
        loop {
            self.settle_pegs(instrument);
            let elected = self.extras.pools[instrument.index()].elected;
            match self.extras.places.first(elected) {
                Some(index) => self.trigger(index),
                None => break,
            }
        }
        self.publish(instrument);
    }

    /// Whether an instrument trades continuously now.
    pub(crate) fn trades(&self, instrument: InstrumentId) -> bool {
        let known = self.instruments.get(instrument);
        known.phase == TradingPhase::Continuous
            && known.tape_trades()
            && !known.stale
            && !known.quarantined
            && !self.gap_open
            && !self.feed_silent
            && !self.is_closed()
    }

    /// The best price of a side at which something can be traded against, hidden shares included.
    pub(crate) fn best_with_hidden(&self, instrument: InstrumentId, side: Side) -> Option<Price> {
        let shown = self.books.best(instrument, side).map(|best| best.price);
        let Some(hidden) = self.first_hidden(instrument, side) else {
            return shown;
        };
        let hidden = Price(price_of(side, self.extras.places.key(hidden).rank));
        match shown {
            Some(shown) if !hidden.is_better(side, shown) => Some(shown),
            _ => Some(hidden),
        }
    }

    /// The first hidden order of a side.
    #[inline]
    pub(crate) fn first_hidden(&self, instrument: InstrumentId, side: Side) -> Option<u32> {
        if self.extras.hidden == 0 {
            return None;
        }
        self.extras.places.first(self.extras.pools[instrument.index()].hidden[side.index()])
    }
}
