//! The table of all orders, which is also the memory of the queues.
//!
//! The records, 32 bytes each, lie in a slab: the one that became free last is the next to be used,
//! so that they stay few and warm. What finds them is an open-addressed index of 4 bytes for each
//! slot, probed linearly. Numbers of a market grow, so neighbours in time are neighbours in the
//! index. Each entry counts the keys that looked for a place there and had to go on; a search ends
//! where none did. So an entry that is left is free at once, and what has come and gone leaves
//! nothing behind that a search would have to pass.

use spindle_feed::memory::table;
use spindle_feed::prefetch::prefetch;
use spindle_types::{InstrumentId, OrderReference, OrderToken, SessionId, Side, keep};

/// A stable handle of a live order: its place in the slab.
pub type Slot = u32;

/// No order. The record exists and is never found: what is written to the neighbour of the first or
/// last order of a queue lands there, so that no branch asks whether there is one.
pub(super) const NONE: Slot = 0;

const EMPTY: u64 = 0;
/// In an entry of the index, below `PASSED`: the slot.
const SLOT: u32 = PASSED - 1;
/// In an entry of the index, from here up: how many live keys passed it on the way to their place,
/// at most 31, where it stays.
const PASSED: u32 = 1 << 27;
/// An entry that no more keys are counted at.
const PASSED_BY_MANY: u32 = u32::MAX - SLOT;

/// Most orders: what the slot in an entry of the index reaches.
pub(super) const LIVE_MAX: usize = 1 << 26;
const OWN: u64 = 1 << 63;

/// What an order is found by: the market's reference, or a session and its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
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

    /// The key as a number.
    #[inline]
    pub(super) const fn raw(self) -> u64 {
        self.0
    }

    /// The market's reference, if it is a market order.
    pub const fn reference(self) -> Option<OrderReference> {
        if self.0 & OWN == 0 { Some(OrderReference(self.0)) } else { None }
    }
}

/// A number that lies far from those of its neighbours.
#[inline]
const fn scattered(part: u64) -> u64 {
    part.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

/// One order in the books.
#[derive(Clone, Copy, Debug, keep::Value)]
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

    /// Whether strategies have taken nothing of an order that is known to be the market's.
    #[inline]
    pub const fn is_untaken(&self) -> bool {
        self.extra == 0
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

/// The table. Record 0 is nobody's; entry 0 of the index is always empty.
#[derive(Debug, keep::State)]
pub(super) struct OrderTable {
    index: Box<[Slot]>,
    orders: Box<[Order]>,
    #[keep(skip)]
    mask: usize,
    /// The record that became free last, and in its `next` the one before.
    vacant: Slot,
    untouched: Slot,
    live: usize,
    #[keep(skip)]
    live_max: usize,
}

impl OrderTable {
    /// Whether every number leads to a record: of this table, of so many levels, instruments and own orders.
    pub(super) fn leads_somewhere(&self, levels: usize, instruments: usize) -> bool {
        let is_slot = |slot: Slot| (slot as usize) < self.orders.len();
        let empty = self.index.iter().skip(1).any(|&entry| entry < PASSED && entry & SLOT == NONE);
        empty
            && self.live <= self.live_max
            && is_slot(self.vacant)
            && (self.vacant != NONE || self.live == self.untouched as usize - 1)
            && (1..=self.orders.len()).contains(&(self.untouched as usize))
            && self.index.iter().all(|&entry| is_slot(entry & SLOT))
            && self.orders.iter().all(|order| {
                is_slot(order.previous)
                    && is_slot(order.next)
                    && (order.level as usize) < levels
                    && usize::from(order.instrument) < instruments
            })
    }

    /// The places in the table of own orders that orders name.
    pub(super) fn own_places(&self) -> impl Iterator<Item = u32> {
        self.orders.iter().filter_map(Order::own_index)
    }

    /// A table for `live_max` orders at once.
    pub(super) fn new(live_max: usize) -> Self {
        let entries = Self::entries(live_max);
        Self {
            index: table(entries + 1, NONE),
            orders: table(live_max + 1, Order::VACANT),
            mask: entries - 1,
            vacant: NONE,
            untouched: 1,
            live: 0,
            live_max,
        }
    }

    /// Records that there are, that of nobody included.
    pub(super) fn slots(&self) -> usize {
        self.orders.len()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.index.fill(NONE);
        self.orders.fill(Order::VACANT);
        (self.vacant, self.untouched, self.live) = (NONE, 1, 0);
    }

    /// Writes to every page. Only while nothing is stored.
    pub(super) fn warm_up(&mut self) {
        std::hint::black_box(&mut self.index).fill(NONE);
        std::hint::black_box(&mut self.orders).fill(Order::VACANT);
    }

    /// Bytes of a table for `live_max` orders.
    pub(super) fn bytes(live_max: usize) -> usize {
        (Self::entries(live_max) + 1) * size_of::<Slot>() + (live_max + 1) * size_of::<Order>()
    }

    /// How many entries the index of a table for `live_max` orders has: at least twice as many, and
    /// eight times where twice as many are more than a core keeps close. A large index is waited
    /// for ahead of time, and then what counts is how seldom a key finds its home taken.
    fn entries(live_max: usize) -> usize {
        /// 512 KiB, half of what today's cores have to themselves.
        const CLOSE: usize = (512 << 10) / size_of::<Slot>();
        let twice = (live_max.max(16) * 2).next_power_of_two();
        if twice <= CLOSE { twice } else { twice * 4 }
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn live_max(&self) -> usize {
        self.live_max
    }

    pub(super) fn is_full(&self) -> bool {
        self.live == self.live_max
    }

    /// Where in the index the search for a key begins. References of a market stay together, so that
    /// neighbours in time are neighbours in memory; tokens of a session do so by sixteen.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    pub(super) fn home(&self, key: u64) -> usize {
        let home = match key & OWN {
            0 => key,
            _ => scattered(key >> 4) << 4 | key & 15,
        };
        (home as usize & self.mask) + 1
    }

    /// Where the search goes on if the home is another key's: anywhere. From there it walks. Whoever
    /// walked on from home would walk to the end of all that stands together there.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    fn second(&self, key: u64) -> usize {
        (scattered(key) as usize & self.mask) + 1
    }

    /// The entry behind `at`; the first one behind the last.
    #[inline]
    fn behind(&self, at: usize) -> usize {
        (at & self.mask) + 1
    }

    /// Asks for an entry of the index.
    #[inline]
    pub(super) fn prefetch_entry(&self, home: usize) {
        prefetch(&self.index, home);
    }

    /// Asks for a record.
    #[inline]
    pub(super) fn prefetch(&self, slot: Slot) {
        prefetch(&self.orders, slot as usize);
    }

    /// The record to which an entry that [`OrderTable::home`] gave leads, probably; for looking
    /// ahead.
    #[inline]
    pub(super) fn likely_slot(&self, home: usize) -> Slot {
        self.entry(home) & SLOT
    }

    #[inline(always)]
    pub(super) fn find(&self, key: OrderKey) -> Option<Slot> {
        let entry = self.entry(self.home(key.0));
        // The record of no order has no key.
        if self.known(entry & SLOT).key == key.0 {
            return Some(entry & SLOT);
        }
        if entry < PASSED { None } else { self.find_beyond(key) }
    }

    /// Goes on with a search that did not end at its home.
    #[inline(never)]
    fn find_beyond(&self, key: OrderKey) -> Option<Slot> {
        let mut at = self.second(key.0);
        for _ in 0..=self.mask {
            let entry = self.entry(at);
            if self.known(entry & SLOT).key == key.0 {
                return Some(entry & SLOT);
            }
            if entry < PASSED {
                return None;
            }
            at = self.behind(at);
        }
        None
    }

    /// Whether one more order may enter, and under this key.
    #[inline]
    pub(super) fn admit(&self, key: OrderKey) -> Result<(), NoVacancy> {
        if self.live >= self.live_max {
            return Err(NoVacancy::Full);
        }
        if self.find(key).is_some() { Err(NoVacancy::Duplicate) } else { Ok(()) }
    }

    /// Takes a record for an order whose key the table [admits](OrderTable::admit) or has looked
    /// for.
    #[inline]
    pub(super) fn insert(&mut self, order: Order) -> Slot {
        debug_assert!(self.live < self.live_max, "callers ask before");
        let slot = self.next_slot();
        self.enter(order.key, slot);
        // Checked, so that no slot beyond the slab is ever given.
        *self.get_mut(slot) = order;
        slot
    }

    /// The entry of a key that is free at once, if the table takes one more order: no search then.
    #[inline(always)]
    pub(super) fn free_home(&self, key: OrderKey) -> Option<usize> {
        let home = self.home(key.0);
        ((self.entry(home) == NONE) & (self.live < self.live_max)).then_some(home)
    }

    /// As [`OrderTable::insert`], for a key whose [`OrderTable::free_home`] is known.
    #[inline(always)]
    pub(super) fn insert_at(&mut self, home: usize, order: Order) -> Slot {
        let slot = self.next_slot();
        *self.entry_mut(home) = slot;
        // Checked, so that no slot beyond the slab is ever given.
        *self.get_mut(slot) = order;
        slot
    }

    /// Takes the record that became free last, or one that was never used.
    #[inline(always)]
    fn next_slot(&mut self) -> Slot {
        self.live = self.live.wrapping_add(1);
        let slot = self.vacant;
        if slot == NONE {
            self.untouched = self.untouched.wrapping_add(1);
            return self.untouched.wrapping_sub(1);
        }
        self.vacant = self.known(slot).next;
        slot
    }

    /// Puts a slot into the index.
    fn enter(&mut self, key: u64, slot: Slot) {
        let mut at = self.home(key);
        let mut next = self.second(key);
        while self.entry(at) & SLOT != NONE {
            let entry = self.entry_mut(at);
            if *entry < PASSED_BY_MANY {
                *entry += PASSED;
            }
            (at, next) = (next, self.behind(next));
        }
        *self.entry_mut(at) |= slot;
    }

    /// Takes a slot out of the index, wherever it is.
    #[inline(never)]
    fn leave(&mut self, key: u64, slot: Slot) {
        let mut at = self.home(key);
        let mut next = self.second(key);
        while self.entry(at) & SLOT != slot {
            let entry = self.entry_mut(at);
            if *entry < PASSED_BY_MANY {
                *entry -= PASSED;
            }
            (at, next) = (next, self.behind(next));
        }
        *self.entry_mut(at) &= !SLOT;
    }

    /// Gives an order another key, which no order has. Its slot stays.
    pub(super) fn rekey(&mut self, slot: Slot, key: OrderKey) {
        debug_assert!(self.find(key).is_none(), "callers have looked for the key");
        let old = self.get(slot).key;
        self.leave(old, slot);
        self.enter(key.0, slot);
        self.get_mut(slot).key = key.0;
    }

    /// Empties the slot of an order that lives.
    #[inline(always)]
    pub(super) fn vacate(&mut self, slot: Slot) {
        let key = self.known(slot).key;
        let home = self.home(key);
        if self.entry(home) & SLOT == slot {
            *self.entry_mut(home) &= !SLOT;
        } else {
            self.leave(key, slot);
        }
        let vacant = self.vacant;
        let order = self.known_mut(slot);
        (order.key, order.next) = (EMPTY, vacant);
        self.vacant = slot;
        self.live = self.live.wrapping_sub(1);
    }

    /// An entry that `home` or `behind` gave.
    #[inline]
    #[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
    fn entry(&self, at: usize) -> Slot {
        debug_assert!(at < self.index.len(), "an entry of this index");
        // SAFETY: those two give numbers from 1 to the number of entries and `looking ahead`
        // passes 0 besides; the slice has one more than entries and never changes its length.
        unsafe { *self.index.get_unchecked(at) }
    }

    /// As [`OrderTable::entry`], to change it.
    #[inline]
    #[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
    fn entry_mut(&mut self, at: usize) -> &mut Slot {
        debug_assert!(at < self.index.len(), "an entry of this index");
        // SAFETY: as in `entry`.
        unsafe { self.index.get_unchecked_mut(at) }
    }

    /// The record of a slot that the table gave, or that is in a link of a record or level.
    #[inline]
    #[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
    pub(super) fn known(&self, slot: Slot) -> &Order {
        debug_assert!((slot as usize) < self.orders.len(), "a slot of this table");
        // SAFETY: slots are made by `insert` alone, which gives a new one only while fewer than
        // `live_max` live, so that none is above `live_max`; `NONE` is 0. The slice has one record
        // more than that and never changes its length. All callers pass slots that came from there.
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

    /// Whoever looks for an order that is not there walks to the end of a run.
    #[test]
    fn the_tokens_of_sessions_make_no_long_runs() {
        let mut table = OrderTable::new(20_000);
        for session in 0..4 {
            for token in 1..=5_000 {
                let key = OrderKey::own(SessionId(session), OrderToken(token));
                let order = Order::new(key, InstrumentId(1), Side::Buy, 1, 0, NONE);
                table.insert(order);
            }
        }
        let runs = table.index.split(|&entry| entry < PASSED).map(<[Slot]>::len);
        let longest = runs.max().unwrap_or(0);
        assert!(longest < 500, "a run of {longest} entries");
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
                    (0 | 1, None) => match table.admit(key) {
                        Ok(()) => {
                            let order = Order::new(key, InstrumentId(1), Side::Buy, 1, 0, NONE);
                            twin.insert(key.0, table.insert(order));
                        }
                        Err(why) => {
                            prop_assert_eq!(why, NoVacancy::Full);
                            prop_assert_eq!(twin.len(), 16);
                        }
                    },
                    (0 | 1, Some(_)) if twin.len() < 16 => {
                        prop_assert_eq!(table.admit(key), Err(NoVacancy::Duplicate));
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
            prop_assert!(table.index.iter().all(|&entry| entry == NONE), "counts stay behind");
        }
    }
}
