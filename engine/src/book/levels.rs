//! The slab of price levels.

use spindle_types::{InstrumentId, Side};

use super::orders::{NONE, Slot};
use super::prefetch::prefetch;

/// A stable handle of a level.
pub(super) type LevelIndex = u32;

/// A price at which orders stand, in the order in which they came.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Level {
    /// Shares that can be traded against: taken ones are not counted.
    pub(super) quantity: u64,
    pub(super) head: Slot,
    pub(super) tail: Slot,
    pub(super) count: u32,
    pub(super) price: u32,
    /// Strategies' orders among `count`.
    pub(super) own: u32,
    instrument: u16,
    side: u8,
    _unused: u8,
}

const _: () = assert!(size_of::<Level>() == 32);

impl Level {
    const VACANT: Self = Self {
        quantity: 0,
        head: NONE,
        tail: NONE,
        count: 0,
        price: 0,
        own: 0,
        instrument: 0,
        side: 0,
        _unused: 0,
    };

    pub(super) const fn new(instrument: InstrumentId, side: Side, price: u32) -> Self {
        Self { price, instrument: instrument.0, side: side as u8, ..Self::VACANT }
    }

    pub(super) const fn instrument(&self) -> InstrumentId {
        InstrumentId(self.instrument)
    }

    pub(super) const fn side(&self) -> Side {
        if self.side == 0 { Side::Buy } else { Side::Sell }
    }
}

/// All levels; a vacant one holds the index of the next vacant one in `head`.
#[derive(Debug)]
pub(super) struct Levels {
    levels: Box<[Level]>,
    vacant: LevelIndex,
    untouched: LevelIndex,
    live: usize,
}

impl Levels {
    #[allow(clippy::cast_possible_truncation, reason = "a capacity is checked to fit 32 bits")]
    pub(super) fn new(levels_max: usize) -> Self {
        Self { levels: vec![Level::VACANT; levels_max].into(), vacant: NONE, untouched: 0, live: 0 }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.vacant = NONE;
        self.untouched = 0;
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

    pub(super) fn is_full(&self) -> bool {
        self.live == self.levels.len()
    }

    /// Takes a vacant level, or `None` when all are in use.
    #[inline]
    pub(super) fn allocate(&mut self, level: Level) -> Option<LevelIndex> {
        let index = if self.vacant != NONE {
            let index = self.vacant;
            self.vacant = self.levels[index as usize].head;
            index
        } else if (self.untouched as usize) < self.levels.len() {
            self.untouched += 1;
            self.untouched - 1
        } else {
            return None;
        };
        self.levels[index as usize] = level;
        self.live += 1;
        Some(index)
    }

    #[inline]
    pub(super) fn free(&mut self, index: LevelIndex) {
        self.levels[index as usize].head = self.vacant;
        self.vacant = index;
        self.live -= 1;
    }

    #[inline]
    pub(super) fn get(&self, index: LevelIndex) -> &Level {
        &self.levels[index as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: LevelIndex) -> &mut Level {
        &mut self.levels[index as usize]
    }

    /// Whether a level lives at this index that has this price on this side of this book.
    #[inline]
    pub(super) fn holds(
        &self,
        index: LevelIndex,
        instrument: InstrumentId,
        side: Side,
        price: u32,
    ) -> bool {
        self.levels.get(index as usize).is_some_and(|level| {
            level.count > 0
                && level.price == price
                && level.instrument == instrument.0
                && level.side == side as u8
        })
    }

    /// The last order of a level; any number where the level is gone.
    #[inline]
    pub(super) fn tail(&self, index: LevelIndex) -> Slot {
        self.levels.get(index as usize).map_or(NONE, |level| level.tail)
    }

    #[inline]
    pub(super) fn prefetch(&self, index: LevelIndex) {
        prefetch(&self.levels, index as usize);
    }
}
