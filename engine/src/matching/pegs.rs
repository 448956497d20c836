//! Pegs: orders whose price follows the best displayed prices.

use spindle_types::{InstrumentId, Price, Side};

use super::forest::{Key, NONE};
use super::pools::rank_of;
use super::{HIGHEST, Kind, Place};
use crate::engine::Engine;
use crate::publication::Cause;

impl Engine {
    /// Re-prices pegs, in order of entry, until all stand right.
    pub(crate) fn settle_pegs(&mut self, instrument: InstrumentId) {
        let at = instrument.index();
        if self.extras.pools[at].pegs == NONE {
            return;
        }
        loop {
            let references = self.references(instrument);
            let pools = &mut self.extras.pools[at];
            if !pools.peg_came && pools.references == references {
                return;
            }
            pools.peg_came = false;
            pools.references = references;
            let mut from = Key::default();
            while let Some(index) = self.extras.followers.after(self.extras.pools[at].pegs, from) {
                from = self.extras.followers.key(index);
                self.settle_peg(instrument, index);
            }
        }
    }

    fn settle_peg(&mut self, instrument: InstrumentId, index: u32) {
        let right = self.peg_price(instrument, index);
        let special = &self.extras.specials[index as usize];
        let now = (special.place != Place::Waiting).then_some(special.price);
        if right == now {
            return;
        }
        let mut incoming = self.lift(index, Cause::Replaced);
        incoming.special.time = self.extras.tick();
        let Some(price) = right else {
            return self.park_peg(incoming);
        };
        self.take_any(&mut incoming, Price(price));
        if incoming.open > 0 {
            self.stand(incoming, Price(price));
        }
    }

    /// Puts a peg outside the book.
    pub(crate) fn park_peg(&mut self, mut incoming: super::Incoming) {
        let instrument = incoming.order.instrument;
        incoming.special.place = Place::Waiting;
        let came = self.extras.pools[instrument.index()].peg_came;
        self.lodge(incoming);
        self.extras.pools[instrument.index()].peg_came = came;
    }

    /// Takes every peg out of the book: they wait while the instrument does not trade.
    pub(crate) fn park_pegs(&mut self, instrument: InstrumentId) {
        let mut from = Key::default();
        while let Some(index) =
            self.extras.followers.after(self.extras.pools[instrument.index()].pegs, from)
        {
            from = self.extras.followers.key(index);
            if self.extras.specials[index as usize].place != Place::Waiting {
                let incoming = self.lift(index, Cause::Canceled);
                self.park_peg(incoming);
            }
        }
        self.extras.pools[instrument.index()].peg_came = true;
    }

    /// Where a peg should stand now; `None` where it has to wait.
    pub(crate) fn peg_price(&self, instrument: InstrumentId, index: u32) -> Option<u32> {
        let order = self.own.get(index);
        let special = &self.extras.specials[index as usize];
        let side = order.side.book_side();
        let (bid, ask) = self.references(instrument);
        let reference = match (special.kind, side) {
            (Kind::Midpoint, _) if bid == 0 || ask == 0 || bid >= ask => return None,
            (Kind::Midpoint, Side::Buy) => bid.midpoint(ask),
            (Kind::Midpoint, Side::Sell) => ask - (ask - bid) / 2,
            (_, Side::Buy) => bid,
            (_, Side::Sell) => ask,
        };
        if reference == 0 {
            return None;
        }
        let (reference, offset) = (i64::from(reference), i64::from(special.offset));
        let limit = order.limit.get().map(|limit| i64::from(limit.0));
        let price = match side {
            Side::Buy => limit.unwrap_or(i64::MAX).min(reference + offset),
            Side::Sell => limit.unwrap_or(i64::MIN).max(reference - offset),
        };
        u32::try_from(price).ok().filter(|price| (1..=HIGHEST).contains(price))
    }

    /// The best displayed bid and ask that are not pegged; 0 for none.
    fn references(&self, instrument: InstrumentId) -> (u32, u32) {
        let best = |side: Side| {
            let pegged = self.extras.pools[instrument.index()].primaries[side.index()];
            self.books
                .levels_of(instrument, side)
                .find(|level| {
                    let pegged = self.extras.places.sum_of(pegged, rank_of(side, level.price.0));
                    level.quantity > pegged
                })
                .map_or(0, |level| level.price.0)
        };
        (best(Side::Buy), best(Side::Sell))
    }
}
