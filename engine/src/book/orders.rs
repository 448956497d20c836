//! The table of all orders, which is also the memory of the queues.
//!
//! Linear probing over 32-byte records. Each slot counts the orders that were put beyond it because
//! it was taken; a search ends at the first slot that nobody was sent on from. So an order that
//! leaves empties its own slot and touches no other, no tombstone stays, and at the load the
//! capacity allows (at most one in four) almost every search ends where it begins.

use spindle_types::{InstrumentId, OrderReference, OrderToken, SessionId, Side};

use spindle_feed::memory::table;
use spindle_feed::prefetch::prefetch;

/// A stable handle of a live order: its place in the table.
pub type Slot = u32;

/// No order. The slot exists and is never found: what is written to the neighbour of the first or
/// last order of a queue lands there, so that no branch asks whether there is one.
pub(super) const NONE: Slot = 0;

const EMPTY: u64 = 0;
const OWN: u64 = 1 << 63;

/// What an order is found by: the market's reference, or a session and its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderKey(u64);

impl OrderKey {
    /// The key of a market order; `None` for references that no venue gives: 0, and those from
    /// 2^63 on.
    #[inline]
    pub const fn market(reference: OrderReference) -> Option<Self> {
        if reference.0 == EMPTY || reference.0 & OWN != 0 { None } else { Some(Self(reference.0)) }
    }

    /// The key of a strategy's order.
    #[inline]
    pub const fn own(session: SessionId, token: OrderToken) -> Self {
        Self(OWN | (session.0 as u64) << 32 | token.0 as u64)
    }

    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// The market's reference, if it is a market order.
    pub const fn reference(self) -> Option<OrderReference> {
        if self.0 & OWN == 0 { Some(OrderReference(self.0)) } else { None }
    }
}

/// One order in the books.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub struct Order {
    key: u64,
    /// Shares that stand: of a market order as the tape says, of a strategy's order what is open.
    pub(super) quantity: u32,
    /// Of a market order the shares that strategies have taken; of a strategy's order its index in
    /// the table of own orders.
    pub(super) extra: u32,
    pub(super) level: u32,
    pub(super) previous: Slot,
    pub(super) next: Slot,
    instrument: u16,
    side: u8,
    /// Of the slot, not of the order in it: how many orders were sent on from here, at most 255;
    /// once it is 255 it stays so.
    passed: u8,
}

const _: () = assert!(size_of::<Order>() == 32);

impl Order {
    const VACANT: Self = Self {
        key: EMPTY,
        quantity: 0,
        extra: 0,
        level: 0,
        previous: NONE,
        next: NONE,
        instrument: 0,
        side: 0,
        passed: 0,
    };

    pub(super) const fn new(
        key: OrderKey,
        instrument: InstrumentId,
        side: Side,
        quantity: u32,
        level: u32,
        previous: Slot,
    ) -> Self {
        let (instrument, side) = (instrument.0, side as u8);
        Self { key: key.0, quantity, level, previous, instrument, side, ..Self::VACANT }
    }

    /// What it is found by.
    #[inline]
    pub const fn key(&self) -> OrderKey {
        OrderKey(self.key)
    }

    /// Whether a strategy entered it.
    #[inline]
    pub const fn is_own(&self) -> bool {
        self.key & OWN != 0
    }

    /// Its instrument.
    #[inline]
    pub const fn instrument(&self) -> InstrumentId {
        InstrumentId(self.instrument)
    }

    /// Its side.
    #[inline]
    pub const fn side(&self) -> Side {
        if self.side == 0 { Side::Buy } else { Side::Sell }
    }

    /// Shares that stand, those that strategies have taken included.
    #[inline]
    pub const fn quantity(&self) -> u32 {
        self.quantity
    }

    /// Shares of a market order that strategies have taken; 0 for a strategy's order.
    #[inline]
    pub const fn taken(&self) -> u32 {
        if self.is_own() { 0 } else { self.extra }
    }

    /// Shares that can still be traded against.
    #[inline]
    pub const fn available(&self) -> u32 {
        self.quantity.wrapping_sub(self.taken())
    }

    /// The index in the table of own orders, if a strategy entered it.
    #[inline]
    pub const fn own_index(&self) -> Option<u32> {
        if self.is_own() { Some(self.extra) } else { None }
    }
}

/// The table. Slot 0 is nobody's; a table of `n` slots has them numbered from 1 to `n`.
#[derive(Debug)]
pub(super) struct OrderTable {
    orders: Box<[Order]>,
    mask: usize,
    live: usize,
    live_max: usize,
}

impl OrderTable {
    /// A table for `live_max` orders at once, with at least four times as many slots.
    pub(super) fn new(live_max: usize) -> Self {
        let slots = Self::slots(live_max);
        Self { orders: table(slots + 1, Order::VACANT), mask: slots - 1, live: 0, live_max }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.orders.fill(Order::VACANT);
        self.live = 0;
    }

    /// Writes to every page. Only while nothing is stored.
    pub(super) fn warm_up(&mut self) {
        std::hint::black_box(&mut self.orders).fill(Order::VACANT);
    }

    /// How many slots a table for `live_max` orders has.
    pub(super) fn slots(live_max: usize) -> usize {
        (live_max.max(16) * 4).next_power_of_two()
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Where the search for a key begins. Keys that grow together stay together; the upper half
    /// (sessions, and references beyond 2^32) is spread.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    fn home(&self, key: u64) -> usize {
        let spread = (key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        ((key.wrapping_add(spread)) as usize & self.mask) + 1
    }

    /// The slot behind `at`; the first one behind the last.
    #[inline]
    fn behind(&self, at: usize) -> usize {
        (at & self.mask) + 1
    }

    /// Where the search for a key begins, for looking ahead.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a table has fewer than 2^32 slots")]
    pub(super) fn likely_slot(&self, key: u64) -> Slot {
        self.home(key) as Slot
    }

    #[inline]
    pub(super) fn prefetch(&self, slot: Slot) {
        prefetch(&self.orders, slot as usize);
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a table has fewer than 2^32 slots")]
    pub(super) fn find(&self, key: OrderKey) -> Option<Slot> {
        let home = self.home(key.0);
        if self.holds(home as Slot, key) {
            return Some(home as Slot);
        }
        self.find_beyond(home, key)
    }

    /// Goes on with a search that did not end at its home.
    #[inline(never)]
    #[allow(clippy::cast_possible_truncation, reason = "a table has fewer than 2^32 slots")]
    fn find_beyond(&self, home: usize, key: OrderKey) -> Option<Slot> {
        let mut at = home;
        for _ in 0..=self.mask {
            let order = &self.orders[at];
            if order.key == key.0 {
                return Some(at as Slot);
            }
            if order.passed == 0 {
                return None;
            }
            at = self.behind(at);
        }
        None
    }

    /// The slot for a new key, or why there is none.
    #[allow(clippy::cast_possible_truncation, reason = "a table has fewer than 2^32 slots")]
    pub(super) fn vacancy(&self, key: OrderKey) -> Result<Slot, NoVacancy> {
        if self.live == self.live_max {
            return Err(NoVacancy::Full);
        }
        let home = self.home(key.0);
        let order = &self.orders[home];
        if order.key == EMPTY && order.passed == 0 {
            return Ok(home as Slot);
        }
        self.vacancy_beyond(key)
    }

    /// As [`OrderTable::vacancy`], whatever the capacity says: the table itself is never full.
    #[allow(clippy::cast_possible_truncation, reason = "a table has fewer than 2^32 slots")]
    fn vacancy_beyond(&self, key: OrderKey) -> Result<Slot, NoVacancy> {
        if self.find(key).is_some() {
            return Err(NoVacancy::Duplicate);
        }
        let mut at = self.home(key.0);
        while self.orders[at].key != EMPTY {
            at = self.behind(at);
        }
        Ok(at as Slot)
    }

    /// Moves an order to the slot of another key, which no order has. Its neighbours and its level
    /// still name the old slot.
    pub(super) fn rekey(&mut self, slot: Slot, key: OrderKey) -> Slot {
        let Ok(target) = self.vacancy_beyond(key) else {
            debug_assert!(false, "callers have looked for the key");
            return slot;
        };
        let order = Order { key: key.0, ..*self.get(slot) };
        self.fill(target, order);
        self.vacate(slot);
        target
    }

    pub(super) fn is_full(&self) -> bool {
        self.live == self.live_max
    }

    /// Fills a slot that [`OrderTable::vacancy`] gave.
    pub(super) fn fill(&mut self, slot: Slot, order: Order) {
        let home = self.home(order.key);
        let place = &mut self.orders[slot as usize];
        *place = Order { passed: place.passed, ..order };
        self.live += 1;
        if home != slot as usize {
            self.pass(home, slot, u8::saturating_add);
        }
    }

    /// Empties a slot.
    #[inline]
    pub(super) fn vacate(&mut self, slot: Slot) {
        let order = self.known_mut(slot);
        let key = order.key;
        order.key = EMPTY;
        self.live = self.live.wrapping_sub(1);
        let home = self.home(key);
        if home != slot as usize {
            self.pass(
                home,
                slot,
                |passed, by| if passed == u8::MAX { passed } else { passed - by },
            );
        }
    }

    /// Counts an order that is beyond its home in all slots that it was sent on from, or no longer.
    #[cold]
    fn pass(&mut self, home: usize, slot: Slot, count: impl Fn(u8, u8) -> u8) {
        let mut at = home;
        while at != slot as usize {
            let passed = &mut self.orders[at].passed;
            *passed = count(*passed, 1);
            at = self.behind(at);
        }
    }

    /// Whether the home of a new key is free, nobody was sent on from it, and the table takes one
    /// more order: then it is the key's slot.
    #[inline]
    pub(super) fn is_vacant(&self, home: Slot) -> bool {
        let order = self.known(home);
        (order.key == EMPTY) & (order.passed == 0) & (self.live < self.live_max)
    }

    /// Fills the home of a key that [`OrderTable::is_vacant`].
    #[inline]
    pub(super) fn fill_home(&mut self, home: Slot, order: Order) {
        *self.known_mut(home) = order;
        self.live = self.live.wrapping_add(1);
    }

    /// Whether an order has this key, known by where the search for it begins.
    #[inline]
    pub(super) fn holds(&self, home: Slot, key: OrderKey) -> bool {
        self.known(home).key == key.0
    }

    /// The record of a slot that the table gave: by [`OrderTable::likely_slot`], `find` or
    /// `vacancy`, or in a link of a record or level.
    #[inline]
    #[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
    pub(super) fn known(&self, slot: Slot) -> &Order {
        debug_assert!((slot as usize) < self.orders.len(), "a slot of this table");
        // SAFETY: slots are made in this module alone. `home` and `behind` give numbers from 1 to
        // the number of slots, and `NONE` is 0; the slice has one record more than there are slots
        // and never changes its length. All callers pass slots that came from there.
        unsafe { self.orders.get_unchecked(slot as usize) }
    }

    /// As [`OrderTable::known`], to change it.
    #[inline]
    #[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
    pub(super) fn known_mut(&mut self, slot: Slot) -> &mut Order {
        debug_assert!((slot as usize) < self.orders.len(), "a slot of this table");
        // SAFETY: as in `known`.
        unsafe { self.orders.get_unchecked_mut(slot as usize) }
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> &Order {
        &self.orders[slot as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Order {
        &mut self.orders[slot as usize]
    }
}

/// Why a new order has no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoVacancy {
    /// As many orders live as the table was made for.
    Full,
    /// An order with this key lives.
    Duplicate,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn key(reference: u64) -> OrderKey {
        OrderKey::market(OrderReference(reference)).expect("a market reference")
    }

    #[test]
    fn references_that_no_venue_gives_have_no_key() {
        assert_eq!(OrderKey::market(OrderReference(0)), None);
        assert_eq!(OrderKey::market(OrderReference(1 << 63)), None);
        assert_eq!(OrderKey::market(OrderReference(u64::MAX)), None);
        assert_eq!(key(7).reference(), Some(OrderReference(7)));
        assert_eq!(OrderKey::own(SessionId(0), OrderToken(7)).reference(), None);
    }

    proptest! {
        /// Against a hash map, with keys that collide: every reference is a multiple of 64 slots.
        #[test]
        fn it_finds_what_a_map_finds(steps in prop::collection::vec((0..3_u8, 1..40_u64), 0..400)) {
            let mut table = OrderTable::new(16);
            let mut twin = HashMap::new();
            for (step, reference) in steps {
                let key = key(reference * 64 + reference % 3);
                match (step, table.find(key)) {
                    (0 | 1, None) => match table.vacancy(key) {
                        Ok(slot) => {
                            table.fill(slot, Order::new(key, InstrumentId(1), Side::Buy, 1, 0, NONE));
                            twin.insert(key.0, slot);
                        }
                        Err(why) => {
                            prop_assert_eq!(why, NoVacancy::Full);
                            prop_assert_eq!(twin.len(), 16);
                        }
                    },
                    (0 | 1, Some(_)) if twin.len() < 16 => {
                        prop_assert_eq!(table.vacancy(key), Err(NoVacancy::Duplicate));
                    }
                    (_, Some(slot)) => {
                        prop_assert_eq!(twin.remove(&key.0), Some(slot));
                        table.vacate(slot);
                    }
                    (_, None) => prop_assert!(!twin.contains_key(&key.0)),
                }
                prop_assert_eq!(table.live(), twin.len());
                for (key, slot) in &twin {
                    prop_assert_eq!(table.find(OrderKey(*key)), Some(*slot));
                }
            }
            for slot in twin.into_values() {
                table.vacate(slot);
            }
            let clean = table.orders.iter().all(|order| order.key == EMPTY && order.passed == 0);
            prop_assert!(clean, "something stays behind");
        }
    }
}
