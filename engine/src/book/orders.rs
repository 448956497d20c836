//! The table of all orders, which is also the memory of the queues.
//!
//! Linear probing over 32-byte records. A deleted record becomes a tombstone only while the record
//! after it is in use, and tombstones at the end of a run are freed again, so that at the load the
//! capacity allows (at most one in four) runs stay short whatever comes and goes.

use spindle_types::{InstrumentId, OrderReference, OrderToken, SessionId, Side};

use super::prefetch::prefetch;

/// A stable handle of a live order: its place in the table.
pub type Slot = u32;

/// No order.
pub(super) const NONE: Slot = u32::MAX;

const EMPTY: u64 = 0;
const TOMBSTONE: u64 = u64::MAX;
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

    /// The market's reference, if it is a market order.
    pub const fn reference(self) -> Option<OrderReference> {
        if self.0 & OWN == 0 { Some(OrderReference(self.0)) } else { None }
    }
}

const _: () = assert!(OrderKey::own(SessionId(u16::MAX), OrderToken(u32::MAX)).0 != TOMBSTONE);

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
    _unused: u8,
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
        _unused: 0,
    };

    pub(super) const fn new(
        key: OrderKey,
        instrument: InstrumentId,
        side: Side,
        quantity: u32,
        level: u32,
    ) -> Self {
        let (instrument, side) = (instrument.0, side as u8);
        Self { key: key.0, quantity, level, instrument, side, ..Self::VACANT }
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
        self.quantity - self.taken()
    }

    /// The index in the table of own orders, if a strategy entered it.
    #[inline]
    pub const fn own_index(&self) -> Option<u32> {
        if self.is_own() { Some(self.extra) } else { None }
    }
}

/// The table.
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
        Self { orders: vec![Order::VACANT; slots].into(), mask: slots - 1, live: 0, live_max }
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
        (key.wrapping_add(spread)) as usize & self.mask
    }

    #[inline]
    pub(super) fn prefetch(&self, key: u64) {
        prefetch(&self.orders, self.home(key));
    }

    #[inline]
    pub(super) fn prefetch_slot(&self, slot: Slot) {
        prefetch(&self.orders, slot as usize);
    }

    /// Whether the order with this key is in this slot.
    #[inline]
    pub(super) fn holds(&self, slot: Slot, key: OrderKey) -> bool {
        self.orders.get(slot as usize).is_some_and(|order| order.key == key.0)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a table has fewer than 2^32 slots")]
    pub(super) fn find(&self, key: OrderKey) -> Option<Slot> {
        let mut at = self.home(key.0);
        loop {
            let found = self.orders[at].key;
            if found == key.0 {
                return Some(at as Slot);
            }
            if found == EMPTY {
                return None;
            }
            at = (at + 1) & self.mask;
        }
    }

    /// The slot for a new key, or why there is none.
    #[inline]
    pub(super) fn vacancy(&self, key: OrderKey) -> Result<Slot, NoVacancy> {
        if self.live == self.live_max { Err(NoVacancy::Full) } else { self.vacancy_beyond(key) }
    }

    /// As [`OrderTable::vacancy`], whatever the capacity says: the table itself is never full.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a table has fewer than 2^32 slots")]
    fn vacancy_beyond(&self, key: OrderKey) -> Result<Slot, NoVacancy> {
        let mut at = self.home(key.0);
        let mut vacancy = None;
        loop {
            match self.orders[at].key {
                EMPTY => return Ok(vacancy.unwrap_or(at) as Slot),
                TOMBSTONE => vacancy = vacancy.or(Some(at)),
                found if found == key.0 => return Err(NoVacancy::Duplicate),
                _ => {}
            }
            at = (at + 1) & self.mask;
        }
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
    #[inline]
    pub(super) fn fill(&mut self, slot: Slot, order: Order) {
        self.orders[slot as usize] = order;
        self.live += 1;
    }

    /// Empties a slot.
    #[inline]
    pub(super) fn vacate(&mut self, slot: Slot) {
        let mut at = slot as usize;
        self.live -= 1;
        if self.orders[(at + 1) & self.mask].key != EMPTY {
            self.orders[at].key = TOMBSTONE;
            return;
        }
        self.orders[at].key = EMPTY;
        // Tombstones just before an empty slot hold no run together any more.
        loop {
            at = at.wrapping_sub(1) & self.mask;
            if self.orders[at].key != TOMBSTONE {
                return;
            }
            self.orders[at].key = EMPTY;
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> &Order {
        &self.orders[slot as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Order {
        &mut self.orders[slot as usize]
    }

    /// Asks for the record's queue neighbours and gives its level.
    #[inline]
    pub(super) fn prefetch_neighbours(&self, slot: Slot) -> u32 {
        let order = self.get(slot);
        prefetch(&self.orders, order.previous as usize);
        prefetch(&self.orders, order.next as usize);
        order.level
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
                            table.fill(slot, Order::new(key, InstrumentId(1), Side::Buy, 1, 0));
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
            let clean = table.orders.iter().all(|order| order.key == EMPTY);
            prop_assert!(clean, "tombstones stay behind");
        }
    }
}
