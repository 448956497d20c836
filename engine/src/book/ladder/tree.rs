//! Ladders of more than one block.
//!
//! They are B+ trees. The levels lie in leaves, all at the same depth; an entry of a block above
//! has a child, how many entries the child has, and a rank: none in the child is lower, and all in
//! the child before are. Of the first child the rank says nothing, for what is lower than all ranks
//! of a block goes there too. Whoever comes to insert splits each full block on the way down, and
//! whoever comes to remove fills each scant one from its neighbour, so that nothing is left to be
//! done on the way up. The cost is that of moving the entries of two blocks at each step, of which
//! there are at most six.
//!
//! The last leaf's length is kept in the ladder, where what happens near the best changes it. It is
//! written into the tree before the tree is changed.

use super::{Arena, ArenaFull, BLOCK, Entry, Ladder, level_of, place, rank_of};

/// Fewest entries of a block that is not the root.
pub(super) const LEAST: usize = 20;
/// Two neighbours, one of them scant, become one block if it has no more entries than this;
/// otherwise they share. Well below a whole block, so that it is not split again at once.
const MERGED: usize = 44;

const _: () = assert!(LEAST <= BLOCK / 2 && 2 * LEAST <= MERGED && MERGED / 2 > LEAST);
const _: () = assert!(BLOCK <= 64 && MERGED < BLOCK, "a length less one has six bits");

/// A block on the way down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) block: u32,
    pub(super) length: usize,
    /// The block and the entry in it where the length is kept; that of the root is in the ladder.
    parent: Option<(u32, usize)>,
}

/// An entry that leads to a child: its rank, and below that the block and the length less one.
#[inline]
const fn child_entry(rank: u32, block: u32, length: usize) -> Entry {
    (rank as u64) << 32 | (block as u64) << 6 | (length - 1) as u64
}

#[inline]
const fn with_rank(entry: Entry, rank: u32) -> Entry {
    (rank as u64) << 32 | level_of(entry) as u64
}

impl Ladder {
    #[inline]
    pub(super) const fn root_node(&self) -> Node {
        Node { block: self.root, length: self.width as usize, parent: None }
    }
}

impl Arena {
    #[inline]
    pub(super) fn entries_in(&self, node: Node) -> &[Entry] {
        self.block(node.block, node.length)
    }

    /// A child by its number.
    #[inline]
    pub(super) fn child(&self, node: Node, at: usize) -> Node {
        let low = level_of(self.entries_in(node)[at]);
        let length = 1 + (low as usize & 63);
        Node { block: low >> 6, length, parent: Some((node.block, at)) }
    }

    /// The number of the child in which a rank is, or would be.
    #[inline]
    pub(super) fn child_of_rank(&self, node: Node, rank: u32) -> usize {
        match place(&self.entries_in(node)[1..], rank) {
            Ok(before) => before + 1,
            Err(at) => at,
        }
    }

    /// The entries of a leaf.
    pub(super) fn leaf(&self, ladder: &Ladder, node: Node) -> &[Entry] {
        if node.block == ladder.last { self.last(ladder) } else { self.entries_in(node) }
    }

    /// Goes down from a node, always to the first child or always to the last.
    fn outermost(&self, mut node: Node, height: u8, last: bool) -> Node {
        for _ in 0..height {
            node = self.child(node, if last { node.length - 1 } else { 0 });
        }
        node
    }

    /// The leaf of the worst entries.
    pub(super) fn first_leaf(&self, ladder: &Ladder) -> &[Entry] {
        self.leaf(ladder, self.outermost(ladder.root_node(), ladder.height, false))
    }

    /// Writes into the tree what only the ladder knows.
    fn write_back(&mut self, ladder: &mut Ladder) {
        if ladder.height == 0 {
            ladder.width = ladder.last_width;
            return;
        }
        let mut last = self.outermost(ladder.root_node(), ladder.height, true);
        self.set_length(ladder, &mut last, ladder.last_width.into());
    }

    /// Finds the last leaf after the tree has changed.
    fn read_back(&self, ladder: &mut Ladder) {
        let last = self.outermost(ladder.root_node(), ladder.height, true);
        let low = last.parent.map(|(block, at)| rank_of(self.blocks[block as usize].0[at]));
        ladder.last = last.block;
        ladder.low = low.unwrap_or(0);
        ladder.last_width = short(last.length);
    }

    /// The leaf above or below the one in which a rank is; nothing where that is the outermost.
    pub(super) fn leaf_beside(&self, ladder: &Ladder, rank: u32, above: bool) -> &[Entry] {
        let (mut node, mut beside) = (ladder.root_node(), None);
        for height in (0..ladder.height).rev() {
            let at = self.child_of_rank(node, rank);
            let next = if above { at + 1 } else { at.wrapping_sub(1) };
            if next < node.length {
                beside = Some((self.child(node, next), height));
            }
            node = self.child(node, at);
        }
        beside.map_or(&[], |(node, height)| self.leaf(ladder, self.outermost(node, height, !above)))
    }

    #[inline(never)]
    pub(super) fn below_in_tree(&self, ladder: &Ladder, rank: u32) -> Option<Entry> {
        let mut node = ladder.root_node();
        for _ in 0..ladder.height {
            node = self.child(node, self.child_of_rank(node, rank));
        }
        let entries = self.leaf(ladder, node);
        match place(entries, rank).ok()?.checked_sub(1) {
            Some(at) => Some(entries[at]),
            None => self.leaf_beside(ladder, rank, false).last().copied(),
        }
    }

    #[inline(never)]
    pub(super) fn insert_in_tree(
        &mut self,
        ladder: &mut Ladder,
        entry: Entry,
    ) -> Result<(), ArenaFull> {
        self.write_back(ladder);
        let inserted = self.insert_from_root(ladder, entry);
        self.read_back(ladder);
        inserted
    }

    fn insert_from_root(&mut self, ladder: &mut Ladder, entry: Entry) -> Result<(), ArenaFull> {
        let rank = rank_of(entry);
        if usize::from(ladder.width) == BLOCK {
            self.raise(ladder)?;
        }
        let mut node = ladder.root_node();
        for _ in 0..ladder.height {
            let mut at = self.child_of_rank(node, rank);
            if self.child(node, at).length == BLOCK {
                self.split(ladder, &mut node, at)?;
                at = self.child_of_rank(node, rank);
            }
            node = self.child(node, at);
        }
        let (Ok(at) | Err(at)) = place(self.entries_in(node), rank);
        self.put(ladder, &mut node, at, entry);
        ladder.length += 1;
        Ok(())
    }

    #[inline(never)]
    pub(super) fn remove_from_tree(&mut self, ladder: &mut Ladder, rank: u32) -> bool {
        self.write_back(ladder);
        let removed = self.remove_from_root(ladder, rank);
        self.read_back(ladder);
        removed
    }

    fn remove_from_root(&mut self, ladder: &mut Ladder, rank: u32) -> bool {
        let mut node = ladder.root_node();
        let mut height = ladder.height;
        while height > 0 {
            let mut at = self.child_of_rank(node, rank);
            if self.child(node, at).length <= LEAST {
                self.fill(ladder, &mut node, at, height > 1);
                if node.length == 1 {
                    // Only the root can have a single child left, and needs to be no more.
                    let child = self.child(node, 0);
                    self.release(node.block);
                    height -= 1;
                    ladder.root = child.block;
                    (ladder.width, ladder.height) = (short(child.length), height);
                    node = ladder.root_node();
                    continue;
                }
                at = self.child_of_rank(node, rank);
            }
            node = self.child(node, at);
            height -= 1;
        }
        let Ok(at) = place(self.entries_in(node), rank) else {
            return false;
        };
        self.take(ladder, &mut node, at);
        ladder.length -= 1;
        true
    }

    /// Puts an entry into a block with room.
    fn put(&mut self, ladder: &mut Ladder, node: &mut Node, at: usize, entry: Entry) {
        let entries = &mut self.blocks[node.block as usize].0;
        entries.copy_within(at..node.length, at + 1);
        entries[at] = entry;
        self.set_length(ladder, node, node.length + 1);
    }

    /// Takes an entry out of a block that has more.
    fn take(&mut self, ladder: &mut Ladder, node: &mut Node, at: usize) {
        self.blocks[node.block as usize].0.copy_within(at + 1..node.length, at);
        self.set_length(ladder, node, node.length - 1);
    }

    fn set_length(&mut self, ladder: &mut Ladder, node: &mut Node, length: usize) {
        node.length = length;
        match node.parent {
            None => ladder.width = short(length),
            Some((block, at)) => {
                let entry = &mut self.blocks[block as usize].0[at];
                *entry = child_entry(rank_of(*entry), node.block, length);
            }
        }
    }

    /// Puts a new root with one child above a full one. There is room to split that child then.
    fn raise(&mut self, ladder: &mut Ladder) -> Result<(), ArenaFull> {
        if self.used + 2 > self.blocks.len() {
            return Err(ArenaFull);
        }
        let top = self.allocate()?;
        self.blocks[top as usize].0[0] = child_entry(0, ladder.root, ladder.width.into());
        (ladder.root, ladder.width) = (top, 1);
        ladder.height += 1;
        Ok(())
    }

    /// Makes two blocks of a full child.
    fn split(&mut self, ladder: &mut Ladder, node: &mut Node, at: usize) -> Result<(), ArenaFull> {
        const HALF: usize = BLOCK / 2;
        let right = self.allocate()?;
        let mut left = self.child(*node, at);
        let full = self.blocks[left.block as usize].0;
        self.blocks[right as usize].0[..HALF].copy_from_slice(&full[HALF..]);
        self.set_length(ladder, &mut left, HALF);
        self.put(ladder, node, at + 1, child_entry(rank_of(full[HALF]), right, HALF));
        Ok(())
    }

    /// Joins a scant child and its neighbour, or lets them share what they have.
    fn fill(&mut self, ladder: &mut Ladder, node: &mut Node, at: usize, inner: bool) {
        let at = if at + 1 < node.length { at } else { at - 1 };
        let (mut left, mut right) = (self.child(*node, at), self.child(*node, at + 1));
        let between = rank_of(self.entries_in(*node)[at + 1]);
        let total = left.length + right.length;
        let mut row = [0; 2 * BLOCK];
        row[..left.length].copy_from_slice(self.entries_in(left));
        row[left.length..total].copy_from_slice(self.entries_in(right));
        if inner {
            // It was the first of its block and its rank said nothing.
            row[left.length] = with_rank(row[left.length], between);
        }
        let rest = if total <= MERGED { total } else { total / 2 };
        self.blocks[left.block as usize].0[..rest].copy_from_slice(&row[..rest]);
        self.set_length(ladder, &mut left, rest);
        if rest == total {
            self.release(right.block);
            return self.take(ladder, node, at + 1);
        }
        self.blocks[right.block as usize].0[..total - rest].copy_from_slice(&row[rest..total]);
        self.set_length(ladder, &mut right, total - rest);
        let entry = &mut self.blocks[node.block as usize].0[at + 1];
        *entry = with_rank(*entry, rank_of(row[rest]));
    }
}

#[allow(clippy::cast_possible_truncation, reason = "at most 56")]
const fn short(length: usize) -> u8 {
    length as u8
}
