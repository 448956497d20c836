//! Whether a ladder is whole: for tests, slow.

use super::tree::{LEAST, Node};
use super::{Arena, BLOCK, Entry, Ladder, level_of, rank_of};

/// Blocks from a root to a level at most, less one: 20^6 levels are more than there can be.
const HEIGHT_MAX: u8 = 6;

impl Arena {
    /// Looks at a ladder's shape, and says how many blocks it has. That its entries are in order is
    /// looked at by whoever goes through them.
    ///
    /// # Errors
    /// The first thing found.
    pub(in super::super) fn check(&self, ladder: &Ladder) -> Result<usize, &'static str> {
        if ladder.last_width == 0 {
            let empty = ladder.root == Ladder::EMPTY.root && ladder.length == 0;
            return if empty { Ok(0) } else { Err("a ladder without levels holds a block") };
        }
        if ladder.height > 0 && ladder.width < 2 {
            return Err("a root has one child");
        }
        let (mut blocks, mut levels) = (0, 0);
        let last = match ladder.height {
            0 => {
                (blocks, levels) = (1, self.last(ladder).len());
                ladder.root
            }
            height => {
                self.check_node(ladder, ladder.root_node(), height, None, &mut blocks, &mut levels)?
            }
        };
        if last != ladder.last
            || self.last(ladder).first().is_some_and(|&e| rank_of(e) < ladder.low)
        {
            return Err("the last block is another");
        }
        if levels != ladder.length as usize {
            return Err("a ladder's levels are miscounted");
        }
        Ok(blocks)
    }

    /// Gives the last leaf.
    fn check_node(
        &self,
        ladder: &Ladder,
        node: Node,
        height: u8,
        from: Option<u32>,
        blocks: &mut usize,
        levels: &mut usize,
    ) -> Result<u32, &'static str> {
        *blocks += 1;
        let entries = if height == 0 { self.leaf(ladder, node) } else { self.entries_in(node) };
        if entries.len() < LEAST && node.block != ladder.root {
            return Err("a block has too few entries");
        }
        if height == 0 {
            *levels += entries.len();
            let lower = from.is_some_and(|from| rank_of(entries[0]) < from);
            return if lower { Err("a rank is in a block too high") } else { Ok(node.block) };
        }
        let mut last = node.block;
        for (at, &entry) in entries.iter().enumerate() {
            let from = if at == 0 { from } else { Some(rank_of(entry)) };
            last =
                self.check_node(ladder, self.child(node, at), height - 1, from, blocks, levels)?;
        }
        Ok(last)
    }

    /// Whether every block that a ladder leads to is there, and every level is one of so many. Unlike the rest it is asked of what
    /// is not trusted.
    pub(in super::super) fn leads_somewhere(&self, ladder: &Ladder, levels: usize) -> bool {
        let is_block = |block: u32| (block as usize) < self.blocks.len();
        let (last, width) = (usize::from(ladder.last_width), usize::from(ladder.width));
        if last == 0 {
            return ladder.root == Ladder::EMPTY.root && ladder.length == 0 && ladder.height == 0;
        }
        let fits = last <= BLOCK && width <= BLOCK && ladder.height <= HEIGHT_MAX;
        if !fits || !is_block(ladder.root) || !is_block(ladder.last) {
            return false;
        }
        match ladder.height {
            0 => ladder.root == ladder.last && self.leaf_leads(self.last(ladder), levels),
            height => self.node_leads(ladder, ladder.root_node(), height, levels),
        }
    }

    fn leaf_leads(&self, entries: &[Entry], levels: usize) -> bool {
        entries.iter().all(|&entry| (level_of(entry) as usize) < levels)
    }

    fn node_leads(&self, ladder: &Ladder, node: Node, height: u8, levels: usize) -> bool {
        let is_there = (node.block as usize) < self.blocks.len();
        if !is_there || node.length == 0 || node.length > BLOCK {
            return false;
        }
        match height {
            0 => self.leaf_leads(self.leaf(ladder, node), levels),
            _ => (0..node.length)
                .all(|at| self.node_leads(ladder, self.child(node, at), height - 1, levels)),
        }
    }

    /// Whether what is free is there.
    pub(in super::super) fn frees_what_is_there(&self) -> bool {
        let (mut at, mut left) = (self.free, self.blocks.len());
        while at != super::NONE {
            if at as usize >= self.blocks.len() || left == 0 {
                return false;
            }
            (at, left) = (level_of(self.blocks[at as usize].0[0]), left - 1);
        }
        self.untouched <= self.blocks.len() && self.used <= self.blocks.len()
    }

    /// Blocks in use.
    pub(in super::super) fn used(&self) -> usize {
        self.used
    }
}
