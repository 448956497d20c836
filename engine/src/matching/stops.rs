//! Stops: elected by prints, triggered one after the other.

use spindle_risk::{Form, Purpose};
use spindle_types::{InstrumentId, Price, Quantity, Side};

use super::forest::Key;
use super::{HIGHEST, Kind, Place, features};
use crate::RULES;
use crate::engine::Engine;
use crate::event::{CancelReason, Outcome, RejectReason};
use crate::publication::Cause;

impl Engine {
    /// Something was traded at a price: stops are elected, then trailing ones move.
    #[inline]
    pub(crate) fn print(&mut self, instrument: InstrumentId, price: Price) {
        let Some(known) = self.instruments.get_mut(instrument) else {
            return;
        };
        known.last_print = price.0;
        if known.features & features::STOPS != 0 {
            self.elect(instrument, price.0);
        }
    }

    /// A print of the market, whose price says nothing while the market is absurd.
    #[inline]
    pub(crate) fn print_of_tape(&mut self, instrument: InstrumentId, price: Price, shares: u64) {
        let Some(known) = self.instruments.get_mut(instrument) else {
            return;
        };
        if RULES {
            known.volume += shares;
        }
        if known.quarantined {
            return;
        }
        known.last_print = price.0;
        if known.features & features::STOPS != 0 {
            self.elect(instrument, price.0);
        }
    }

    #[cold]
    fn elect(&mut self, instrument: InstrumentId, price: u32) {
        for side in [Side::Buy, Side::Sell] {
            loop {
                let set = self.extras.pools[instrument.index()].stops[side.index()];
                let Some(index) = self.extras.places.first(set) else {
                    break;
                };
                if !is_reached(side, self.extras.specials[index as usize].stop, price) {
                    break;
                }
                self.replace_place(index, Place::Elected);
            }
        }
        if self.instruments.get(instrument).features & features::TRAILING != 0 {
            self.trail(instrument, price);
        }
        self.touch(instrument);
    }

    /// Moves an order that is in no book to the end of another set.
    pub(crate) fn replace_place(&mut self, index: u32, place: Place) {
        self.unlink(index);
        let time = self.extras.tick();
        let special = &mut self.extras.specials[index as usize];
        (special.place, special.time) = (place, time);
        self.link(index);
    }

    /// Moves trailing stops after a print, in order of entry.
    fn trail(&mut self, instrument: InstrumentId, price: u32) {
        let pools = &mut self.extras.pools[instrument.index()];
        if price <= pools.marks.0 && i64::from(price) >= pools.marks.1 {
            return;
        }
        pools.marks = (u32::MAX, -1);
        let mut from = Key::default();
        loop {
            let set = self.extras.pools[instrument.index()].trailing;
            let Some(index) = self.extras.followers.after(set, from) else {
                return;
            };
            from = self.extras.followers.key(index);
            let side = self.own.get(index).side.book_side();
            let special = &self.extras.specials[index as usize];
            let stop = better_stop(side, trailed(side, price, special.trail), Some(special.stop));
            self.unlink(index);
            if let Some(stop) = stop
                && stop != self.extras.specials[index as usize].stop
            {
                let time = self.extras.tick();
                let special = &mut self.extras.specials[index as usize];
                (special.stop, special.time) = (stop, time);
            }
            self.link(index);
        }
    }

    /// The stop price with which a trailing stop begins.
    pub(crate) fn first_stop(
        &self,
        instrument: InstrumentId,
        side: Side,
        trail: u32,
        brought: Option<u32>,
    ) -> Option<u32> {
        let last = self.instruments.get(instrument).last_print;
        let followed = if last > 0 { trailed(side, last, trail) } else { None };
        better_stop(side, followed, brought)
    }

    /// A stop waits, or is elected at once by the last print.
    pub(crate) fn wait_for_print(&mut self, mut incoming: super::Incoming) {
        let instrument = incoming.order.instrument;
        let last = self.instruments.get(instrument).last_print;
        let is_elected = last > 0 && is_reached(incoming.side(), incoming.special.stop, last);
        incoming.special.place = if is_elected { Place::Elected } else { Place::Stop };
        self.lodge(incoming);
        self.touch(instrument);
    }

    /// The first of the elected stops has its turn.
    pub(crate) fn trigger(&mut self, index: u32) {
        let mut incoming = self.lift(index, Cause::Canceled);
        incoming.special.kind = Kind::Plain;
        incoming.special.time = self.extras.tick();
        self.emit(incoming.address(), Outcome::Triggered);
        let open = Quantity(incoming.open);
        let mut request = self.request(&incoming.order, open, Form::Plain, Purpose::Trigger);
        request.before = incoming.order.reserved(incoming.open);
        match self.admit_risk(&request, false) {
            Ok(admission) => {
                self.gate.reserve(&request, &admission);
                incoming.order.valued = admission.price;
                self.arrive(incoming);
            }
            Err(refusal) => {
                let reason = match refusal.reason {
                    RejectReason::Risk(check) => CancelReason::Risk(check),
                    _ => CancelReason::Protection,
                };
                let (to, holder) = (incoming.address(), incoming.order.holder());
                self.cancel_remainder(to, holder, open, reason);
            }
        }
    }
}

/// Whether a print elects a stop.
fn is_reached(side: Side, stop: u32, print: u32) -> bool {
    match side {
        Side::Buy => print >= stop,
        Side::Sell => print <= stop,
    }
}

/// Where a print takes the stop price of a trailing stop; `None` where that is no price.
fn trailed(side: Side, print: u32, trail: u32) -> Option<u32> {
    match side {
        Side::Sell => print.checked_sub(trail).filter(|&stop| stop > 0),
        Side::Buy => print.checked_add(trail).filter(|&stop| stop <= HIGHEST),
    }
}

/// The one of two stop prices that is nearer to the market.
fn better_stop(side: Side, one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other, side) {
        (Some(one), Some(other), Side::Sell) => Some(one.max(other)),
        (Some(one), Some(other), Side::Buy) => Some(one.min(other)),
        (one, other, _) => one.or(other),
    }
}
