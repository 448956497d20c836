//! Sorted sets of strategies' orders that do not stand in the displayed book: stops by their stop
//! price, hidden orders by price and time, what expires by its time.
//!
//! Each set is a treap over nodes in one table with a place for every index of strategies' orders,
//! so nothing is allocated; an order is in at most one set of a forest. Every node also has a weight
//! (shares) and knows the sum of those below it. All operations take the logarithm of the set's
//! size. The shape follows from the members alone: which priority an index has is fixed.

use spindle_types::keep;

/// The root of one set.
pub(crate) type Root = u32;

/// An empty set, or no node.
pub(crate) const NONE: Root = u32::MAX;

/// What a set is sorted by: a rank, the first first, then a time. No two members have both alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, keep::Value)]
pub(crate) struct Key {
    pub(crate) rank: u64,
    pub(crate) time: u64,
}

#[derive(Clone, Copy, Debug, keep::Value)]
struct Node {
    key: Key,
    sum: u64,
    weight: u32,
    left: u32,
    right: u32,
}

impl Node {
    const VACANT: Self =
        Self { key: Key { rank: 0, time: 0 }, sum: 0, weight: 0, left: NONE, right: NONE };
}

/// The nodes of all sets.
#[derive(Debug, keep::State)]
pub(crate) struct Forest {
    nodes: Box<[Node]>,
}

impl Forest {
    /// Whether a root or a child is none or one of this forest.
    pub(crate) fn has(&self, root: Root) -> bool {
        root == NONE || (root as usize) < self.nodes.len()
    }

    /// Whether every child is there.
    pub(crate) fn leads_somewhere(&self) -> bool {
        self.nodes.iter().all(|node| self.has(node.left) && self.has(node.right))
    }

    /// Room for indices below `nodes_max`.
    pub(crate) fn new(nodes_max: usize) -> Self {
        Self { nodes: vec![Node::VACANT; nodes_max].into() }
    }

    /// Bytes that a node takes.
    pub(crate) const NODE_BYTES: usize = size_of::<Node>();

    /// Puts an index that is in no set of this forest into one.
    pub(crate) fn insert(&mut self, root: &mut Root, index: u32, key: Key, weight: u32) {
        let node = Node { key, sum: weight.into(), weight, ..Node::VACANT };
        self.nodes[index as usize] = node;
        *root = self.insert_below(*root, index);
    }

    /// Takes a member out.
    pub(crate) fn remove(&mut self, root: &mut Root, index: u32) {
        *root = self.remove_below(*root, index, self.key(index));
    }

    /// Changes the weight of a member.
    pub(crate) fn set_weight(&mut self, root: Root, index: u32, weight: u32) {
        let (key, old) = (self.key(index), self.node(index).weight);
        let mut at = root;
        while at != NONE {
            let node = &mut self.nodes[at as usize];
            node.sum = node.sum - u64::from(old) + u64::from(weight);
            if at == index {
                node.weight = weight;
                return;
            }
            at = if key < node.key { node.left } else { node.right };
        }
        debug_assert!(false, "the order is no member of this set");
    }

    /// The key under which an index stands.
    #[inline]
    pub(crate) fn key(&self, index: u32) -> Key {
        self.node(index).key
    }

    /// The weight of a member.
    pub(crate) fn weight(&self, index: u32) -> u32 {
        self.node(index).weight
    }

    /// The first member.
    #[inline]
    pub(crate) fn first(&self, root: Root) -> Option<u32> {
        let mut at = root;
        let mut first = None;
        while at != NONE {
            first = Some(at);
            at = self.node(at).left;
        }
        first
    }

    /// The first member behind a key.
    pub(crate) fn after(&self, root: Root, key: Key) -> Option<u32> {
        let (mut at, mut found) = (root, None);
        while at != NONE {
            let node = self.node(at);
            if node.key > key {
                found = Some(at);
                at = node.left;
            } else {
                at = node.right;
            }
        }
        found
    }

    /// The last member with a rank below this one.
    pub(crate) fn before_rank(&self, root: Root, rank: u64) -> Option<u32> {
        let (mut at, mut found) = (root, None);
        while at != NONE {
            let node = self.node(at);
            if node.key.rank < rank {
                found = Some(at);
                at = node.right;
            } else {
                at = node.left;
            }
        }
        found
    }

    /// The first member with a rank above this one.
    pub(crate) fn after_rank(&self, root: Root, rank: u64) -> Option<u32> {
        self.after(root, Key { rank, time: u64::MAX })
    }

    /// The weight of all members.
    #[inline]
    pub(crate) fn sum(&self, root: Root) -> u64 {
        if root == NONE { 0 } else { self.node(root).sum }
    }

    /// The weight of all members whose rank is at most this one.
    pub(crate) fn sum_to(&self, root: Root, rank: u64) -> u64 {
        let (mut at, mut sum) = (root, 0);
        while at != NONE {
            let node = self.node(at);
            if node.key.rank <= rank {
                sum += self.sum(node.left) + u64::from(node.weight);
                at = node.right;
            } else {
                at = node.left;
            }
        }
        sum
    }

    /// The weight of all members of one rank.
    pub(crate) fn sum_of(&self, root: Root, rank: u64) -> u64 {
        match rank.checked_sub(1) {
            Some(below) => self.sum_to(root, rank) - self.sum_to(root, below),
            None => self.sum_to(root, rank),
        }
    }

    #[inline]
    fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    fn refresh(&mut self, index: u32) {
        let node = self.node(index);
        let sum = u64::from(node.weight) + self.sum(node.left) + self.sum(node.right);
        self.nodes[index as usize].sum = sum;
    }

    fn insert_below(&mut self, root: Root, index: u32) -> Root {
        if root == NONE {
            return index;
        }
        let key = self.key(index);
        if priority(index) > priority(root) {
            let (left, right) = self.split(root, key);
            let node = &mut self.nodes[index as usize];
            (node.left, node.right) = (left, right);
            self.refresh(index);
            return index;
        }
        if key < self.key(root) {
            let left = self.insert_below(self.node(root).left, index);
            self.nodes[root as usize].left = left;
        } else {
            let right = self.insert_below(self.node(root).right, index);
            self.nodes[root as usize].right = right;
        }
        self.refresh(root);
        root
    }

    fn remove_below(&mut self, root: Root, index: u32, key: Key) -> Root {
        if root == NONE {
            debug_assert!(false, "the order is no member of this set");
            return NONE;
        }
        let Node { left, right, .. } = *self.node(root);
        if root == index {
            return self.join(left, right);
        }
        if key < self.key(root) {
            let left = self.remove_below(left, index, key);
            self.nodes[root as usize].left = left;
        } else {
            let right = self.remove_below(right, index, key);
            self.nodes[root as usize].right = right;
        }
        self.refresh(root);
        root
    }

    /// Splits a set into what is before a key and what is not.
    fn split(&mut self, root: Root, key: Key) -> (Root, Root) {
        if root == NONE {
            return (NONE, NONE);
        }
        let Node { left, right, .. } = *self.node(root);
        if self.key(root) < key {
            let (before, behind) = self.split(right, key);
            self.nodes[root as usize].right = before;
            self.refresh(root);
            (root, behind)
        } else {
            let (before, behind) = self.split(left, key);
            self.nodes[root as usize].left = behind;
            self.refresh(root);
            (before, root)
        }
    }

    /// Joins two sets, the first of which is before the second.
    fn join(&mut self, before: Root, behind: Root) -> Root {
        if before == NONE {
            return behind;
        }
        if behind == NONE {
            return before;
        }
        if priority(before) > priority(behind) {
            let right = self.join(self.node(before).right, behind);
            self.nodes[before as usize].right = right;
            self.refresh(before);
            before
        } else {
            let left = self.join(before, self.node(behind).left);
            self.nodes[behind as usize].left = left;
            self.refresh(behind);
            behind
        }
    }
}

/// A number for each index that has nothing to do with where its order stands.
const fn priority(index: u32) -> u32 {
    let mixed = (index ^ (index >> 16)).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35);
    mixed ^ (mixed >> 16)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Two sets of one forest against two sorted maps.
        #[test]
        fn it_keeps_what_a_sorted_map_keeps(
            steps in prop::collection::vec((0..2_usize, 0..40_u32, 0..6_u64, 1..9_u32), 0..400),
        ) {
            let mut forest = Forest::new(40);
            let mut roots = [NONE; 2];
            let mut twins: [BTreeMap<Key, (u32, u32)>; 2] = Default::default();
            let mut at: [Option<usize>; 40] = [None; 40];
            for (time, (set, index, rank, weight)) in (1..).zip(steps) {
                match at[index as usize] {
                    None => {
                        let key = Key { rank, time };
                        forest.insert(&mut roots[set], index, key, weight);
                        twins[set].insert(key, (index, weight));
                        at[index as usize] = Some(set);
                    }
                    Some(set) if weight < 4 => {
                        let key = forest.key(index);
                        forest.set_weight(roots[set], index, weight);
                        twins[set].insert(key, (index, weight));
                    }
                    Some(set) => {
                        twins[set].remove(&forest.key(index));
                        forest.remove(&mut roots[set], index);
                        at[index as usize] = None;
                    }
                }
                for (&root, twin) in roots.iter().zip(&twins) {
                    let mut members = Vec::new();
                    let mut next = forest.first(root);
                    while let Some(index) = next {
                        members.push((forest.key(index), (index, forest.node(index).weight)));
                        next = forest.after(root, forest.key(index));
                    }
                    let expected: Vec<_> = twin.iter().map(|(&key, &value)| (key, value)).collect();
                    prop_assert_eq!(members, expected);
                    let sum = |all: &dyn Fn(u64) -> bool| -> u64 {
                        twin.iter().filter(|(key, _)| all(key.rank)).map(|(_, v)| u64::from(v.1)).sum()
                    };
                    prop_assert_eq!(forest.sum(root), sum(&|_| true));
                    prop_assert_eq!(forest.sum_to(root, rank), sum(&|r| r <= rank));
                    prop_assert_eq!(forest.sum_of(root, rank), sum(&|r| r == rank));
                    let before = twin.iter().rev().find(|(key, _)| key.rank < rank);
                    prop_assert_eq!(forest.before_rank(root, rank), before.map(|(_, v)| v.0));
                    let after = twin.iter().find(|(key, _)| key.rank > rank);
                    prop_assert_eq!(forest.after_rank(root, rank), after.map(|(_, v)| v.0));
                }
            }
        }
    }
}
