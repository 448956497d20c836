//! The table of price levels.
//!
//! Open-addressed like the table of orders, found by instrument, side and price, so that an order
//! that comes finds its level without a search through the book. Prices one cent apart are
//! neighbours in memory: what is near the best of a book lies in few cache lines.

use spindle_types::{InstrumentId, Side, keep};

use super::orders::{NONE, Slot};
use spindle_feed::memory::table;
use spindle_feed::prefetch::prefetch;

/// A stable handle of a level.
pub(super) type LevelIndex = u32;

/// No level: an index that exists and is never found.
pub(super) const NO_LEVEL: LevelIndex = 0;

const LIVE: u64 = 1 << 49;
/// Above the key: how many levels were sent on from this slot, at most 255, where it stays.
const PASSED: u64 = 1 << 56;
const KEY: u64 = PASSED - 1;

/// What a level is found by: price, instrument, side.
#[inline]
const fn key(instrument: InstrumentId, side: Side, price: u32) -> u64 {
    LIVE | (side as u64) << 48 | (instrument.0 as u64) << 32 | price as u64
}

/// A price at which orders stand, in the order in which they came.
#[derive(Clone, Copy, Debug, keep::Value)]
#[repr(C, align(32))]
pub(super) struct Level {
    key: u64,
    /// Shares that can be traded against: taken ones are not counted.
    pub(super) quantity: u64,
    /// Strategies' orders among `count`.
    pub(super) own: u32,
    pub(super) tail: Slot,
    pub(super) count: u32,
    pub(super) head: Slot,
}

const _: () = assert!(size_of::<Level>() == 32);

impl Level {
    const VACANT: Self = Self { key: 0, quantity: 0, own: 0, tail: NONE, count: 0, head: NONE };

    #[allow(clippy::cast_possible_truncation, reason = "the lower half is the price")]
    pub(super) const fn price(&self) -> u32 {
        self.key as u32
    }

    #[allow(clippy::cast_possible_truncation, reason = "16 bits of it are the instrument")]
    pub(super) const fn instrument(&self) -> InstrumentId {
        InstrumentId((self.key >> 32) as u16)
    }

    pub(super) const fn side(&self) -> Side {
        if self.key & 1 << 48 == 0 { Side::Buy } else { Side::Sell }
    }
}

/// All levels. Index 0 is nobody's; a table of `n` slots has them numbered from 1 to `n`.
#[derive(Debug, keep::State)]
pub(super) struct Levels {
    levels: Box<[Level]>,
    #[keep(skip)]
    mask: u32,
    live: usize,
    #[keep(skip)]
    live_max: usize,
}

impl Levels {
    /// Whether every level's queue begins and ends at one of so many slots.
    pub(super) fn leads_somewhere(&self, slots: usize) -> bool {
        let is_slot = |slot: Slot| (slot as usize) < slots;
        self.live <= self.live_max
            && self.levels.iter().all(|level| is_slot(level.head) && is_slot(level.tail))
    }

    /// Indices that there are: the highest is one less.
    pub(super) fn indices(&self) -> usize {
        self.levels.len()
    }

    #[allow(clippy::cast_possible_truncation, reason = "a capacity is checked to fit 32 bits")]
    pub(super) fn new(live_max: usize) -> Self {
        let slots = Self::slots(live_max);
        let levels = table(slots + 1, Level::VACANT);
        Self { levels, mask: (slots - 1) as u32, live: 0, live_max }
    }

    /// How many slots a table for `live_max` levels has: at least twice as many.
    pub(super) fn slots(live_max: usize) -> usize {
        (live_max.max(16) * 2).next_power_of_two()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.live = 0;
        self.levels.fill(Level::VACANT);
    }

    /// Writes to every page. Only while nothing is stored.
    pub(super) fn warm_up(&mut self) {
        std::hint::black_box(&mut self.levels).fill(Level::VACANT);
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

    /// Where the search for a level begins. Multiplying by the inverse of 25 and turning by 2 bits
    /// divides whole cents by 100 and sends all other prices elsewhere, each to a place of its own.
    #[inline]
    pub(super) fn home(&self, instrument: InstrumentId, side: Side, price: u32) -> LevelIndex {
        const INVERSE_OF_25: u32 = 0xc28f_5c29;
        let cents = price.wrapping_mul(INVERSE_OF_25).rotate_right(2);
        // The two bits that turned keep fractions of a cent apart from whole ones.
        let region = u32::from(instrument.0) << 3 | (side as u32) << 2 | cents >> 30;
        (cents.wrapping_add(region.wrapping_mul(0x9e37_79b1)) & self.mask) + 1
    }

    #[inline]
    fn home_of(&self, level: &Level) -> LevelIndex {
        self.home(level.instrument(), level.side(), level.price())
    }

    /// The index behind `at`; the first one behind the last.
    #[inline]
    fn behind(&self, at: LevelIndex) -> LevelIndex {
        (at & self.mask) + 1
    }

    /// The level at a price of a side of a book.
    #[inline]
    pub(super) fn find(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: u32,
    ) -> Option<LevelIndex> {
        let home = self.home(instrument, side, price);
        let key = key(instrument, side, price);
        if self.known(home).key & KEY == key { Some(home) } else { self.find_beyond(home, key) }
    }

    /// Whether a level is where the search for it begins.
    #[inline]
    pub(super) fn holds(
        &self,
        home: LevelIndex,
        instrument: InstrumentId,
        side: Side,
        price: u32,
    ) -> bool {
        self.known(home).key & KEY == key(instrument, side, price)
    }

    /// Goes on with a search that did not end at its home.
    #[inline(never)]
    fn find_beyond(&self, home: LevelIndex, key: u64) -> Option<LevelIndex> {
        let mut at = home;
        for _ in 0..=self.mask {
            let found = self.get(at).key;
            if found & KEY == key {
                return Some(at);
            }
            if found < PASSED {
                return None;
            }
            at = self.behind(at);
        }
        None
    }

    /// Makes a level that is not there, without orders, or gives `None` when there are too many.
    pub(super) fn allocate(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        price: u32,
    ) -> Option<LevelIndex> {
        if self.live == self.live_max {
            return None;
        }
        let mut at = self.home(instrument, side, price);
        while self.get(at).key & KEY != 0 {
            let key = &mut self.get_mut(at).key;
            if *key < u64::MAX - KEY {
                *key += PASSED;
            }
            at = self.behind(at);
        }
        self.live += 1;
        let level = self.get_mut(at);
        *level = Level { key: level.key | key(instrument, side, price), ..Level::VACANT };
        Some(at)
    }

    /// Forgets a level.
    pub(super) fn free(&mut self, index: LevelIndex) {
        self.live -= 1;
        let home = self.home_of(self.get(index));
        self.get_mut(index).key &= !KEY;
        if home != index {
            self.no_longer_beyond(home, index);
        }
    }

    #[cold]
    fn no_longer_beyond(&mut self, home: LevelIndex, index: LevelIndex) {
        let mut at = home;
        while at != index {
            let key = &mut self.get_mut(at).key;
            if *key < u64::MAX - KEY {
                *key -= PASSED;
            }
            at = self.behind(at);
        }
    }

    /// The record of an index that the table gave: by `home`, `find` or `allocate`, or in an order
    /// or a book.
    #[inline]
    #[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
    pub(super) fn known(&self, index: LevelIndex) -> &Level {
        debug_assert!((index as usize) < self.levels.len(), "an index of this table");
        // SAFETY: indices are made in this module alone. `home` and `behind` give numbers from 1 to
        // the number of slots, and `NO_LEVEL` is 0; the slice has one record more than there are
        // slots and never changes its length. All callers pass indices that came from there.
        unsafe { self.levels.get_unchecked(index as usize) }
    }

    /// As [`Levels::known`], to change it.
    #[inline]
    #[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
    pub(super) fn known_mut(&mut self, index: LevelIndex) -> &mut Level {
        debug_assert!((index as usize) < self.levels.len(), "an index of this table");
        // SAFETY: as in `known`.
        unsafe { self.levels.get_unchecked_mut(index as usize) }
    }

    #[inline]
    pub(super) fn get(&self, index: LevelIndex) -> &Level {
        &self.levels[index as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: LevelIndex) -> &mut Level {
        &mut self.levels[index as usize]
    }

    #[inline]
    pub(super) fn prefetch(&self, index: LevelIndex) {
        prefetch(&self.levels, index as usize);
    }
}
