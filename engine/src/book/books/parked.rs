//! Strategies' orders that are known to the table and stand in no level, and what happens to an
//! order's place besides coming and going.

use spindle_types::{InstrumentId, Quantity, Side};

use super::super::levels::NO_LEVEL;
use super::super::orders::{NONE, Order, OrderKey, Slot};
use super::{BookError, Books};

impl Books {
    /// Makes a strategy's order known to the table without a place in a level. Nobody trades with
    /// it through the books, and no level and no best price counts it.
    ///
    /// # Errors
    /// [`BookError::Orders`] or [`BookError::Duplicate`]; nothing has changed then.
    pub fn park(
        &mut self,
        key: OrderKey,
        instrument: InstrumentId,
        side: Side,
        quantity: Quantity,
        own: u32,
    ) -> Result<Slot, BookError> {
        self.admit_key(key)?;
        let mut order = Order::new(key, instrument, side, quantity.0, NO_LEVEL, NONE);
        order.extra = own;
        Ok(self.orders.insert(order))
    }

    /// Whether an order stands in no level.
    #[inline]
    pub fn is_parked(&self, slot: Slot) -> bool {
        self.orders.get(slot).level == NO_LEVEL
    }

    /// Whether two orders stand in the same level.
    #[inline]
    pub fn is_same_level(&self, one: Slot, other: Slot) -> bool {
        self.orders.get(one).level == self.orders.get(other).level
    }

    /// Takes a parked order out.
    pub fn unpark(&mut self, slot: Slot) {
        debug_assert!(self.is_parked(slot), "an order in a level is removed");
        self.orders.vacate(slot);
    }

    /// Gives a strategy's order another size in its place, at least 1. Returns whether the best of
    /// its side may have changed.
    pub fn resize(&mut self, slot: Slot, quantity: Quantity) -> bool {
        let order = self.orders.get_mut(slot);
        debug_assert!(order.is_own(), "the market's orders are as the tape says");
        let before = std::mem::replace(&mut order.quantity, quantity.0);
        let (instrument, side, index) = (order.instrument(), order.side(), order.level);
        if index == NO_LEVEL {
            return false;
        }
        let level = self.levels.get_mut(index);
        level.quantity = level.quantity - u64::from(before) + u64::from(quantity.0);
        self.touches_best(instrument, side, index)
    }

    /// Gives a strategy's order another size and the last place of its level.
    pub fn requeue(&mut self, slot: Slot, quantity: Quantity) {
        let order = *self.orders.get(slot);
        debug_assert!(order.level != NO_LEVEL, "a parked order has no place");
        if self.levels.get(order.level).tail != slot {
            self.orders.get_mut(order.previous).next = order.next;
            self.orders.get_mut(order.next).previous = order.previous;
            let level = self.levels.get_mut(order.level);
            level.head = if order.previous == NONE { order.next } else { level.head };
            let tail = self.levels.get(order.level).tail;
            self.orders.get_mut(tail).next = slot;
            let moved = self.orders.get_mut(slot);
            (moved.previous, moved.next) = (tail, NONE);
            self.levels.get_mut(order.level).tail = slot;
        }
        self.resize(slot, quantity);
    }

    /// Looks at everything and says what is wrong: levels that do not sum up, queues that are not
    /// linked, ladders out of order, a best that is not the best. Slow; for tests.
    ///
    /// # Errors
    /// The first thing found.
    pub fn check(&self) -> Result<(), String> {
        use super::super::ladder::level_of;
        let (mut levels, mut orders, mut blocks) = (0, 0, 0);
        for number in 0..self.books.len() {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            let instrument = InstrumentId(number as u16);
            for side in [Side::Buy, Side::Sell] {
                let place = || format!("{} of instrument {instrument}", side.name());
                let book = &self.books[number];
                let ladder = &book.ladders[side.index()];
                blocks +=
                    self.arena.check(ladder).map_err(|what| format!("{}: {what}", place()))?;
                let entries = self.arena.entries_of(ladder);
                let best = book.best[side.index()];
                if entries.clone().next_back().map_or(NO_LEVEL, level_of) != best {
                    return Err(format!("{}: the best is not the last of the ladder", place()));
                }
                if best != NO_LEVEL
                    && self.levels.get(best).price() != book.best_price[side.index()]
                {
                    return Err(format!("{}: the best has another price", place()));
                }
                let mut own = 0;
                let mut better = None;
                for entry in entries.rev() {
                    let level = self.levels.get(level_of(entry));
                    let price = spindle_types::Price(level.price());
                    let place = || format!("{} at {}", place(), level.price());
                    if level.side() != side || level.instrument() != instrument {
                        return Err(format!("{}: a level of another book", place()));
                    }
                    if better.is_some_and(|better| !price.is_better(side.opposite(), better)) {
                        return Err(format!("{}: out of order", place()));
                    }
                    better = Some(price);
                    let (mut slot, mut previous) = (level.head, NONE);
                    let (mut quantity, mut count, mut own_here) = (0, 0, 0);
                    while slot != NONE {
                        let order = self.orders.get(slot);
                        if order.previous != previous || order.level != level_of(entry) {
                            return Err(format!("{}: the queue is not linked", place()));
                        }
                        if order.is_own() && order.quantity() == 0 {
                            return Err(format!("{}: an order without shares", place()));
                        }
                        quantity += u64::from(order.available());
                        count += 1;
                        own_here += u32::from(order.is_own());
                        (previous, slot) = (slot, order.next);
                    }
                    if (quantity, count, own_here, previous)
                        != (level.quantity, level.count, level.own, level.tail)
                        || count == 0
                    {
                        return Err(format!("{}: the level does not sum up", place()));
                    }
                    own += own_here;
                    orders += count as usize;
                    levels += 1;
                }
                if own != book.own[side.index()] {
                    return Err(format!("{}: strategies' orders are miscounted", place()));
                }
            }
        }
        if levels != self.levels.live() || orders > self.orders.live() {
            return Err("levels or orders are lost".to_owned());
        }
        if blocks != self.arena.used() {
            return Err("blocks of ladders are lost".to_owned());
        }
        Ok(())
    }
}
