//! The sorted prices of one side of one book, the best last.
//!
//! An entry is a price rank and a level. The rank of a bid is its price, that of an ask the price's
//! complement, so that the best of either side is the highest rank. Ladders live in one arena, in
//! blocks of 8, 16, 32 and so on; a ladder that outgrows its block moves to the next size, and the
//! block it leaves waits for another ladder.

use spindle_feed::memory::table;
use spindle_feed::prefetch::prefetch;
use spindle_types::Side;

use super::levels::LevelIndex;

const CLASSES: usize = 24;
const BLOCK_MIN: usize = 8;
const NONE: u32 = u32::MAX;

/// A price rank in the upper half, a level in the lower.
pub(super) type Entry = u64;

/// The rank of a price: higher is better.
#[inline]
pub(super) const fn rank(side: Side, price: u32) -> u32 {
    match side {
        Side::Buy => price,
        Side::Sell => !price,
    }
}

#[inline]
pub(super) const fn entry(rank: u32, level: LevelIndex) -> Entry {
    (rank as u64) << 32 | level as u64
}

/// The level of an entry.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the lower half is the level")]
pub(super) const fn level_of(entry: Entry) -> LevelIndex {
    entry as u32
}

/// The price of an entry of this side.
#[inline]
pub(super) const fn price_of(side: Side, entry: Entry) -> u32 {
    rank(side, rank_of(entry))
}

#[inline]
const fn rank_of(entry: Entry) -> u32 {
    (entry >> 32) as u32
}

/// One side of one book: where its entries are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ladder {
    offset: u32,
    length: u32,
    class: u32,
}

impl Ladder {
    /// A side without levels, which holds no block.
    pub(super) const EMPTY: Self = Self { offset: NONE, length: 0, class: 0 };

    pub(super) const fn len(&self) -> usize {
        self.length as usize
    }

    const fn capacity(&self) -> usize {
        if self.offset == NONE { 0 } else { BLOCK_MIN << self.class }
    }
}

/// The memory of all ladders.
#[derive(Debug)]
pub(super) struct Arena {
    entries: Box<[Entry]>,
    /// For each class the first free block; a free block holds the next one's offset.
    free: [u32; CLASSES],
    untouched: usize,
}

/// Every block is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ArenaFull;

impl Arena {
    pub(super) fn new(entries_max: usize) -> Self {
        Self { entries: table(entries_max, 0), free: [NONE; CLASSES], untouched: 0 }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.free = [NONE; CLASSES];
        self.untouched = 0;
    }

    /// Writes to every page. Only while nothing is stored.
    pub(super) fn warm_up(&mut self) {
        std::hint::black_box(&mut self.entries).fill(0);
    }

    /// Entries that `levels_max` levels over `sides` sides need at worst: a block is at most half
    /// empty, and the smaller blocks that a ladder has left behind are no larger than its own.
    pub(super) fn entries(levels_max: usize, sides: usize) -> usize {
        levels_max * 4 + sides * BLOCK_MIN
    }

    /// The entries, the best last.
    #[inline]
    pub(super) fn entries_of(&self, ladder: &Ladder) -> &[Entry] {
        match ladder.length {
            0 => &[],
            length => &self.entries[ladder.offset as usize..][..length as usize],
        }
    }

    /// The best entry.
    #[inline]
    pub(super) fn best(&self, ladder: &Ladder) -> Option<Entry> {
        match ladder.length {
            0 => None,
            length => Some(self.entries[(ladder.offset + length - 1) as usize]),
        }
    }

    /// Asks for the best entries.
    #[inline]
    pub(super) fn prefetch_best(&self, ladder: &Ladder) {
        let end = (ladder.offset as usize).wrapping_add(ladder.length as usize);
        prefetch(&self.entries, end.wrapping_sub(2));
    }

    /// Where a rank stands, or where it would be put. What is wanted is mostly near the best, so
    /// the search walks a few steps from there before it halves.
    #[inline]
    pub(super) fn find(&self, ladder: &Ladder, rank: u32) -> Result<usize, usize> {
        const STEPS: usize = 8;
        let entries = self.entries_of(ladder);
        let near = entries.len().saturating_sub(STEPS);
        for (at, &entry) in entries.iter().enumerate().skip(near).rev() {
            if rank_of(entry) <= rank {
                return if rank_of(entry) == rank { Ok(at) } else { Err(at + 1) };
            }
        }
        entries[..near].binary_search_by_key(&rank, |&entry| rank_of(entry))
    }

    /// Puts an entry at a place that [`Arena::find`] gave.
    #[inline]
    pub(super) fn insert(
        &mut self,
        ladder: &mut Ladder,
        at: usize,
        entry: Entry,
    ) -> Result<(), ArenaFull> {
        if ladder.len() == ladder.capacity() {
            self.grow(ladder)?;
        }
        let block = &mut self.entries[ladder.offset as usize..][..=ladder.length as usize];
        block.copy_within(at..ladder.length as usize, at + 1);
        block[at] = entry;
        ladder.length += 1;
        Ok(())
    }

    /// Takes an entry out.
    #[inline]
    pub(super) fn remove(&mut self, ladder: &mut Ladder, at: usize) {
        let block = &mut self.entries[ladder.offset as usize..][..ladder.length as usize];
        block.copy_within(at + 1.., at);
        ladder.length -= 1;
    }

    #[cold]
    #[allow(clippy::cast_possible_truncation, reason = "an arena has fewer than 2^32 entries")]
    fn grow(&mut self, ladder: &mut Ladder) -> Result<(), ArenaFull> {
        let class = if ladder.offset == NONE { 0 } else { ladder.class + 1 };
        let offset = self.allocate(class as usize)?;
        if ladder.offset != NONE {
            let from = ladder.offset as usize;
            self.entries.copy_within(from..from + ladder.len(), offset as usize);
            self.entries[from] = u64::from(self.free[ladder.class as usize]);
            self.free[ladder.class as usize] = ladder.offset;
        }
        (ladder.offset, ladder.class) = (offset, class);
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, reason = "an arena has fewer than 2^32 entries")]
    fn allocate(&mut self, class: usize) -> Result<u32, ArenaFull> {
        if class >= CLASSES {
            return Err(ArenaFull);
        }
        let free = self.free[class];
        if free != NONE {
            self.free[class] = level_of(self.entries[free as usize]);
            return Ok(free);
        }
        let end = self.untouched + (BLOCK_MIN << class);
        if end > self.entries.len() {
            return Err(ArenaFull);
        }
        let offset = self.untouched as u32;
        self.untouched = end;
        Ok(offset)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Two ladders in one arena against two sorted maps.
        #[test]
        fn it_keeps_what_a_sorted_map_keeps(
            steps in prop::collection::vec((any::<bool>(), any::<bool>(), 0..60_u32), 0..600),
        ) {
            let mut arena = Arena::new(Arena::entries(120, 2));
            let mut ladders = [Ladder::EMPTY; 2];
            let mut twins = [BTreeMap::new(), BTreeMap::new()];
            for (which, add, rank) in steps {
                let which = usize::from(which);
                match (arena.find(&ladders[which], rank), add) {
                    (Err(at), true) => {
                        let inserted = arena.insert(&mut ladders[which], at, entry(rank, rank + 7));
                        prop_assert_eq!(inserted, Ok(()));
                        twins[which].insert(rank, rank + 7);
                    }
                    (Ok(at), false) => {
                        arena.remove(&mut ladders[which], at);
                        twins[which].remove(&rank);
                    }
                    (found, _) => {
                        prop_assert_eq!(found.is_ok(), twins[which].contains_key(&rank));
                    }
                }
                for (ladder, twin) in ladders.iter().zip(&twins) {
                    let twin: Vec<_> = twin.iter().map(|(&r, &l)| entry(r, l)).collect();
                    prop_assert_eq!(arena.entries_of(ladder), &twin);
                    prop_assert_eq!(arena.best(ladder), twin.last().copied());
                }
            }
        }
    }

    #[test]
    fn a_full_arena_says_so_and_keeps_what_it_has() {
        let mut arena = Arena::new(BLOCK_MIN);
        let mut ladder = Ladder::EMPTY;
        for at in 0..BLOCK_MIN {
            let rank = u32::try_from(at).expect("small");
            assert_eq!(arena.insert(&mut ladder, at, entry(rank, 0)), Ok(()));
        }
        assert_eq!(arena.insert(&mut ladder, 0, 0), Err(ArenaFull));
        assert_eq!(ladder.len(), BLOCK_MIN);
        assert_eq!(arena.find(&ladder, 0), Ok(0));
    }
}
