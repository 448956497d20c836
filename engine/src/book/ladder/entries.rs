//! The entries of a ladder one by one, from either end.

use super::{Arena, Entry, Ladder, rank_of};

/// The entries of a ladder, the best last.
#[derive(Clone, Debug)]
pub(in super::super) struct Entries<'a> {
    arena: &'a Arena,
    ladder: &'a Ladder,
    /// What is left of the leaf at the front, and of that at the back; they may be the same one.
    front: &'a [Entry],
    back: &'a [Entry],
    left: u32,
}

impl Arena {
    /// The entries, the best last.
    #[inline]
    pub(in super::super) fn entries_of<'a>(&'a self, ladder: &'a Ladder) -> Entries<'a> {
        let back = self.last(ladder);
        let front = if ladder.height == 0 { back } else { self.first_leaf(ladder) };
        Entries { arena: self, ladder, front, back, left: ladder.length }
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    #[inline]
    fn next(&mut self) -> Option<Entry> {
        self.left = self.left.checked_sub(1)?;
        let (&entry, rest) = self.front.split_first()?;
        self.front = rest;
        if rest.is_empty() && self.left > 0 {
            self.front = self.arena.leaf_beside(self.ladder, rank_of(entry), true);
        }
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl DoubleEndedIterator for Entries<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Entry> {
        self.left = self.left.checked_sub(1)?;
        let (&entry, rest) = self.back.split_last()?;
        self.back = rest;
        if rest.is_empty() && self.left > 0 {
            self.back = self.arena.leaf_beside(self.ladder, rank_of(entry), false);
        }
        Some(entry)
    }
}
