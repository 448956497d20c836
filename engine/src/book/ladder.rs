//! The sorted prices of one side of one book, the best last.
//!
//! An entry is a price rank and a level. The rank of a bid is its price, that of an ask the price's
//! complement, so that the best of either side is the highest rank. Ladders live in one arena, in
//! blocks of 56 entries. Nearly all sides have fewer levels than that and are one block. A longer
//! one is a tree of blocks, so that a price that comes or goes moves the entries of a few blocks at
//! most, however many levels there are and however far from the best it is: see [`tree`]. The ladder
//! knows the block in which the best entries are, so what happens near the best costs the same in a
//! tree as in a single block.

use spindle_feed::memory::table;
use spindle_feed::prefetch::prefetch_in;
use spindle_types::{Side, keep};

use super::levels::LevelIndex;

mod check;
mod entries;
mod tree;

#[cfg(test)]
mod tests;

/// Entries of a block: seven cache lines. Were the number of lines even, what is best in each of
/// many books of like depth would fall into a part of the cache's sets.
const BLOCK: usize = 56;
const NONE: u32 = u32::MAX;

/// A price rank in the upper half, a level in the lower.
pub(super) type Entry = u64;

#[derive(Clone, Copy, Debug, keep::Value)]
#[repr(C, align(64))]
struct Block([Entry; BLOCK]);

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

/// Where a rank stands among sorted entries, or where it would be put. What is wanted is mostly
/// near the best, so the search walks a few steps from there before it halves.
#[inline]
fn place(entries: &[Entry], rank: u32) -> Result<usize, usize> {
    const STEPS: usize = 8;
    let near = entries.len().saturating_sub(STEPS);
    for (at, &entry) in entries.iter().enumerate().skip(near).rev() {
        if rank_of(entry) <= rank {
            return if rank_of(entry) == rank { Ok(at) } else { Err(at + 1) };
        }
    }
    entries[..near].binary_search_by_key(&rank, |&entry| rank_of(entry))
}

/// One side of one book: where its entries are.
#[derive(Clone, Copy, Debug, keep::Value)]
pub(super) struct Ladder {
    root: u32,
    /// Levels.
    length: u32,
    /// The block of the best entries; the root where that is the only one.
    last: u32,
    /// What ranks lower is not in the last block.
    low: u32,
    /// Entries of the last block. What leads to it in a tree does not know this number.
    last_width: u8,
    /// Entries of a root that has children.
    width: u8,
    /// Blocks from the root to a level, less one: 0 where the root holds the levels.
    height: u8,
}

impl Ladder {
    /// A side without levels, which holds no block.
    pub(super) const EMPTY: Self =
        Self { root: NONE, length: 0, last: NONE, low: 0, last_width: 0, width: 0, height: 0 };
}

/// The memory of all ladders.
#[derive(Debug, keep::State)]
pub(super) struct Arena {
    blocks: Box<[Block]>,
    /// The block that became free last; its first entry is the one before.
    free: u32,
    untouched: usize,
    used: usize,
}

/// Every block is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ArenaFull;

impl Arena {
    /// An arena in which `levels_max` levels over `sides` sides always have room.
    pub(super) fn new(levels_max: usize, sides: usize) -> Self {
        Self::of_blocks(Self::blocks(levels_max, sides))
    }

    fn of_blocks(blocks: usize) -> Self {
        Self { blocks: table(blocks, Block([0; BLOCK])), free: NONE, untouched: 0, used: 0 }
    }

    /// Bytes of an arena.
    pub(super) fn bytes(levels_max: usize, sides: usize) -> usize {
        Self::blocks(levels_max, sides) * size_of::<Block>()
    }

    /// Blocks that `levels_max` levels over `sides` sides need at worst.
    ///
    /// All blocks are alike, so whichever is free will do, and what counts is how many are in use.
    /// A side without levels has none, one of a single block has one. In a tree every block but the
    /// root has at least `m` = [`tree::LEAST`] entries. So `n` levels lie in at most `n / m` blocks,
    /// what leads to those in at most `n / m^2`, and so on: less than `n / (m - 1)` in all, and the
    /// root. Summed over the sides that is less than `levels_max / (m - 1)`, and one root for each
    /// side that has a level.
    fn blocks(levels_max: usize, sides: usize) -> usize {
        levels_max / (tree::LEAST - 1) + sides.min(levels_max)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        (self.free, self.untouched, self.used) = (NONE, 0, 0);
    }

    /// Writes to every page. Only while nothing is stored.
    pub(super) fn warm_up(&mut self) {
        std::hint::black_box(&mut self.blocks).fill(Block([0; BLOCK]));
    }

    /// The first entries of a block.
    #[inline]
    fn block(&self, block: u32, length: usize) -> &[Entry] {
        &self.blocks[block as usize].0[..length]
    }

    /// The entries of the last block.
    #[inline]
    fn last(&self, ladder: &Ladder) -> &[Entry] {
        match ladder.last_width {
            0 => &[],
            width => self.block(ladder.last, width.into()),
        }
    }

    /// The best entry.
    #[inline]
    pub(super) fn best(&self, ladder: &Ladder) -> Option<Entry> {
        self.last(ladder).last().copied()
    }

    /// The next worse entry than that of a rank which is there.
    #[inline]
    pub(super) fn below(&self, ladder: &Ladder, rank: u32) -> Option<Entry> {
        if rank < ladder.low {
            return self.below_in_tree(ladder, rank);
        }
        let entries = self.last(ladder);
        match place(entries, rank).ok()?.checked_sub(1) {
            Some(at) => Some(entries[at]),
            None => self.below_in_tree(ladder, rank),
        }
    }

    /// Asks for the best entries.
    #[inline]
    pub(super) fn prefetch_best(&self, ladder: &Ladder) {
        let end = size_of::<Entry>() * usize::from(ladder.last_width);
        prefetch_in(&self.blocks, ladder.last as usize, end.wrapping_sub(2 * size_of::<Entry>()));
    }

    /// Puts an entry in, whose rank is not there.
    ///
    /// # Errors
    /// No block is free where one is needed; the ladder has the entries that it had.
    #[inline]
    pub(super) fn insert(&mut self, ladder: &mut Ladder, entry: Entry) -> Result<(), ArenaFull> {
        let length = usize::from(ladder.last_width);
        if rank_of(entry) < ladder.low || length == BLOCK {
            return self.insert_in_tree(ladder, entry);
        }
        if ladder.root == NONE {
            ladder.root = self.allocate()?;
            ladder.last = ladder.root;
        }
        let entries = &mut self.blocks[ladder.last as usize].0;
        let (Ok(at) | Err(at)) = place(&entries[..length], rank_of(entry));
        entries.copy_within(at..length, at + 1);
        entries[at] = entry;
        ladder.last_width += 1;
        ladder.length += 1;
        Ok(())
    }

    /// Takes the entry of a rank out. Whether there was one.
    #[inline]
    pub(super) fn remove(&mut self, ladder: &mut Ladder, rank: u32) -> bool {
        let length = usize::from(ladder.last_width);
        if ladder.height > 0 && (rank < ladder.low || length <= tree::LEAST) {
            return self.remove_from_tree(ladder, rank);
        }
        let Ok(at) = place(self.last(ladder), rank) else {
            return false;
        };
        self.blocks[ladder.last as usize].0.copy_within(at + 1..length, at);
        ladder.last_width -= 1;
        ladder.length -= 1;
        if ladder.last_width == 0 {
            self.release(ladder.root);
            *ladder = Ladder::EMPTY;
        }
        true
    }

    #[allow(clippy::cast_possible_truncation, reason = "an arena has fewer than 2^26 blocks")]
    fn allocate(&mut self) -> Result<u32, ArenaFull> {
        let block = if self.free != NONE {
            let block = self.free;
            self.free = level_of(self.blocks[block as usize].0[0]);
            block
        } else if self.untouched < self.blocks.len() {
            self.untouched += 1;
            (self.untouched - 1) as u32
        } else {
            return Err(ArenaFull);
        };
        self.used += 1;
        Ok(block)
    }

    fn release(&mut self, block: u32) {
        self.blocks[block as usize].0[0] = self.free.into();
        self.free = block;
        self.used -= 1;
    }
}
