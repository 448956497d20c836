//! The tape's crosses: who of the strategies takes part, and at what is left of the cross's shares.

use spindle_feed::event::Cross;
use spindle_feed::state::Imbalance;
use spindle_types::{InstrumentId, Price, Quantity, Side};

use super::Place;
use super::forest::{NONE, Root};
use super::pools::{price_of, rank_of};
use super::taker::Execution;
use crate::command::TradingPhase;
use crate::engine::{Address, Engine};
use crate::event::{Basis, CancelReason, Liquidity, Outcome};
use crate::ledger::Booking;
use crate::own::Stay;

/// Whether an order was entered for this cross.
fn is_for(stay: Stay, kind: Cross) -> bool {
    matches!((stay, kind), (Stay::AtOpen, Cross::Opening) | (Stay::AtClose, Cross::Closing))
}

impl Engine {
    /// The print of a cross. Strategies' orders that it reaches are filled at its price, on each side
    /// up to its shares; then those that were for it are cancelled; then it elects stops.
    #[cold]
    pub(crate) fn on_cross(
        &mut self,
        instrument: InstrumentId,
        quantity: u64,
        price: Price,
        kind: Cross,
    ) {
        if instrument.index() >= self.books.instruments() {
            return;
        }
        if self.may_cross(instrument) {
            self.fill_in_cross(instrument, quantity, price, kind);
            if self.waits_for(instrument, kind) {
                self.cancel_in_order(CancelReason::AuctionOver, |engine, index| {
                    let order = engine.own.get(index);
                    order.instrument == instrument && is_for(order.stay, kind)
                });
            }
        }
        if let (Some(known), Some(tape)) = self.instruments.both_mut(instrument) {
            match kind {
                Cross::Opening => known.crosses.opening = true,
                Cross::Closing => known.crosses.closing = true,
                Cross::Halt => tape.collar = None,
                Cross::Other => {}
            }
        }
        self.tell_band(instrument);
        if quantity > 0 {
            self.see_tape_cross(instrument, quantity, price, kind);
            self.print_of_tape(instrument, price, quantity);
            // While orders are collected, the last print is what a price shall be near.
            self.touch(instrument);
        }
    }

    /// Whether what the tape crosses may fill strategies' orders. A cross comes out of a halt, so the
    /// trading state does not matter.
    fn may_cross(&self, instrument: InstrumentId) -> bool {
        let known = self.instruments.get(instrument);
        !known.stale
            && !known.quarantined
            && !self.is_closed()
            && !matches!(known.phase, TradingPhase::Halted | TradingPhase::Closed)
    }

    fn fill_in_cross(
        &mut self,
        instrument: InstrumentId,
        quantity: u64,
        price: Price,
        kind: Cross,
    ) {
        let collar = self.instruments.state(instrument).collar;
        if kind == Cross::Halt && collar.is_some_and(|collar| !collar.allows(price)) {
            return;
        }
        self.see_crossing(true);
        for side in [Side::Buy, Side::Sell] {
            let told = self.counters.executed_shares.get();
            let (mut left, mut used_up) = (quantity, None);
            while left > 0
                && let Some(index) = self.next_in_cross(instrument, side, price, kind)
            {
                let open = self.open_of(index);
                let shares = u32::try_from(left).map_or(open, |left| open.min(left));
                left -= u64::from(shares);
                let match_number = self.next_match();
                let execution = Execution {
                    quantity: Quantity(shares),
                    price,
                    match_number,
                    liquidity: Liquidity::Added,
                    tape: None,
                    basis: Basis::Cross(kind),
                };
                self.fill_in_auction(index, execution, &mut used_up);
                self.touch(instrument);
            }
            self.show_next_slice(used_up);
            let filled = quantity - left;
            if filled > 0 {
                self.book_shares(instrument, Booking::Cross, filled);
                self.balance_fills(instrument, Booking::Cross, filled, told);
                self.publish(instrument);
            }
        }
        self.see_crossing(false);
    }

    /// The strategies' order of a side that is next in a cross at this price: orders without a limit,
    /// then better prices, at a price displayed orders before hidden ones, then time.
    fn next_in_cross(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        kind: Cross,
    ) -> Option<u32> {
        let pools = &self.extras.pools[instrument.index()];
        let at = side.index();
        let (shown, is_blocked) = self.shown_in_cross(instrument, side, price, kind);
        let in_set = |set: Root, class: u8| {
            let index = self.extras.places.first(set)?;
            let key = self.extras.places.key(index);
            let limit = Price(price_of(side, key.rank));
            let takes_part = key.rank == 0
                || limit.reaches(side, price) && !(class == 1 && is_blocked && limit == price);
            takes_part.then_some((key.rank, class, key.time, index))
        };
        let waiting = match kind {
            Cross::Opening => pools.open[at],
            Cross::Closing => pools.close[at],
            Cross::Halt | Cross::Other => NONE,
        };
        [shown, in_set(pools.market[at], 0), in_set(waiting, 0), in_set(pools.hidden[at], 1)]
            .into_iter()
            .flatten()
            .min_by_key(|&(rank, class, time, _)| (rank, class, time))
            .map(|(.., index)| index)
    }

    /// The first displayed order of strategies that a cross reaches. At the cross's own price one
    /// that was not entered for it is reached only where nothing of the tape has stayed in front of
    /// it. Whether something has stayed at that price is the second value; it means nothing where
    /// there is a first.
    fn shown_in_cross(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        kind: Cross,
    ) -> (Option<(u64, u8, u64, u32)>, bool) {
        let mut next = self.books.first(instrument, side);
        let mut is_blocked = false;
        while let Some(slot) = next {
            let at = self.books.price_of(slot);
            if !at.reaches(side, price) {
                break;
            }
            let order = self.books.order(slot);
            match order.own_index() {
                Some(index) => {
                    let own = self.own.get(index);
                    if at != price || !is_blocked || is_for(own.stay, kind) {
                        let time = match own.special {
                            true => self.extras.specials[index as usize].time,
                            false => own.entry,
                        };
                        return (Some((rank_of(side, at.0), 0, time, index)), is_blocked);
                    }
                }
                None => is_blocked |= at == price && order.available() > 0,
            }
            next = self.books.behind(slot);
        }
        (None, is_blocked)
    }

    /// The tape says what its next cross would give. Everybody is told, if a strategy's order waits
    /// for that cross.
    #[cold]
    pub(crate) fn on_imbalance(&mut self, instrument: InstrumentId, imbalance: Imbalance) {
        if self.own.live() == 0 || instrument.index() >= self.books.instruments() {
            return;
        }
        let known = self.instruments.get(instrument);
        if known.known && self.waits_for(instrument, imbalance.kind) {
            let symbol = known.symbol;
            self.emit(Address::NOBODY, Outcome::TapeImbalance { symbol, imbalance });
        }
    }

    /// Whether strategies' orders wait for a cross: those that were entered for it, or for that after
    /// a halt all that stand.
    fn waits_for(&self, instrument: InstrumentId, kind: Cross) -> bool {
        let pools = &self.extras.pools[instrument.index()];
        let stands = || {
            let shown = |side| self.books.own_orders(instrument, side) > 0;
            pools.market != [NONE; 2]
                || pools.hidden != [NONE; 2]
                || shown(Side::Buy)
                || shown(Side::Sell)
        };
        match kind {
            Cross::Opening => {
                // Before the venue's own opening auction, orders for it stand among the others.
                let phase = self.instruments.get(instrument).phase;
                pools.open != [NONE; 2] || phase != TradingPhase::Continuous && stands()
            }
            Cross::Closing => pools.close != [NONE; 2],
            Cross::Halt | Cross::Other => stands(),
        }
    }

    /// The tape's market hours are over: what waited for an opening cross that never came is
    /// cancelled.
    pub(crate) fn no_more_openings(&mut self) {
        self.cancel_in_order(CancelReason::AuctionOver, |engine, index| {
            engine.waits_for_the_opening(index)
        });
    }

    /// Whether an order waits outside the book for the tape's opening cross.
    pub(crate) fn waits_for_the_opening(&self, index: u32) -> bool {
        self.own.get(index).special && self.extras.specials[index as usize].place == Place::Open
    }
}
