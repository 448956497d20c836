use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;

/// A ladder and what a sorted map makes of the same steps.
struct Pair {
    ladder: Ladder,
    twin: BTreeMap<u32, LevelIndex>,
}

impl Pair {
    fn new() -> Self {
        Self { ladder: Ladder::EMPTY, twin: BTreeMap::new() }
    }

    fn toggle(&mut self, arena: &mut Arena, rank: u32) -> Result<(), TestCaseError> {
        if self.twin.remove(&rank).is_some() {
            prop_assert!(arena.remove(&mut self.ladder, rank));
        } else {
            prop_assert!(!arena.remove(&mut self.ladder, rank));
            self.twin.insert(rank, !rank);
            prop_assert_eq!(arena.insert(&mut self.ladder, entry(rank, !rank)), Ok(()));
        }
        Ok(())
    }

    fn compare(&self, arena: &Arena, near: u32) -> Result<(), TestCaseError> {
        let twin: Vec<_> = self.twin.iter().map(|(&rank, &level)| entry(rank, level)).collect();
        prop_assert!(arena.entries_of(&self.ladder).eq(twin.iter().copied()));
        prop_assert!(arena.entries_of(&self.ladder).rev().eq(twin.iter().rev().copied()));
        prop_assert_eq!(arena.best(&self.ladder), twin.last().copied());
        prop_assert!(arena.check(&self.ladder).is_ok(), "{:?}", arena.check(&self.ladder));
        // From both ends at once, to where they meet.
        let mut entries = arena.entries_of(&self.ladder);
        for at in 0..twin.len() {
            let next = if at % 3 == 0 { entries.next_back() } else { entries.next() };
            let gone = at.div_ceil(3);
            let wanted = if at % 3 == 0 { twin.len() - 1 - at / 3 } else { at - gone };
            prop_assert_eq!(next, Some(twin[wanted]));
        }
        prop_assert_eq!((entries.next(), entries.next_back()), (None, None));
        for rank in self.twin.range(near..).take(3).map(|(&rank, _)| rank) {
            let below = self.twin.range(..rank).next_back().map(|(&r, &l)| entry(r, l));
            prop_assert_eq!(arena.below(&self.ladder, rank), below);
        }
        Ok(())
    }
}

/// Ranks one after the other, from a start, in steps up or down; each comes or goes.
type Run = (bool, u32, u32, bool, u32);

fn ranks(&(_, start, step, up, count): &Run) -> impl Iterator<Item = u32> {
    (0..count).map(move |at| if up { start + at * step } else { start + 30_000 - at * step })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Two ladders in one arena against two sorted maps: few levels, in any order.
    #[test]
    fn it_keeps_what_a_sorted_map_keeps(
        steps in prop::collection::vec((any::<bool>(), 0..200_u32), 0..600),
    ) {
        let mut arena = Arena::new(400, 2);
        let mut pairs = [Pair::new(), Pair::new()];
        for (which, rank) in steps {
            let pair = &mut pairs[usize::from(which)];
            pair.toggle(&mut arena, rank)?;
            pair.compare(&arena, rank)?;
        }
    }

    /// Many levels, in runs that make trees of two and three storeys, and take them down again.
    #[test]
    fn it_keeps_what_a_sorted_map_keeps_in_trees(
        runs in prop::collection::vec(
            (any::<bool>(), 0..3_000_u32, 1..9_u32, any::<bool>(), 0..3_000_u32),
            0..24,
        ),
        last in any::<bool>(),
    ) {
        let mut arena = Arena::new(2 * 33_000, 2);
        let mut pairs = [Pair::new(), Pair::new()];
        for run in &runs {
            let pair = &mut pairs[usize::from(run.0)];
            for (at, rank) in ranks(run).enumerate() {
                pair.toggle(&mut arena, rank)?;
                if at % 500 == 0 {
                    pair.compare(&arena, rank)?;
                }
            }
            pair.compare(&arena, run.1)?;
            let used = pairs.iter().map(|pair| arena.check(&pair.ladder).unwrap_or(0)).sum();
            prop_assert_eq!(arena.used(), used);
            let levels = pairs.iter().map(|pair| pair.twin.len()).sum();
            prop_assert!(used <= Arena::blocks(levels, 2), "{} blocks for {} levels", used, levels);
        }
        for pair in &mut pairs {
            while let Some(rank) = match last {
                true => pair.twin.last_key_value(),
                false => pair.twin.first_key_value(),
            }.map(|(&rank, _)| rank) {
                pair.toggle(&mut arena, rank)?;
                if pair.twin.len() % 300 == 0 {
                    pair.compare(&arena, rank)?;
                }
            }
        }
        prop_assert_eq!(arena.used(), 0, "blocks are given back");
    }
}

/// The ranks of each leaf.
fn leaves(arena: &Arena, ladder: &Ladder) -> Vec<Vec<u32>> {
    let mut leaves = Vec::new();
    let mut leaf = arena.first_leaf(ladder);
    while let Some(&last) = leaf.last() {
        leaves.push(leaf.iter().map(|&entry| rank_of(entry)).collect());
        leaf = arena.leaf_beside(ladder, rank_of(last), true);
    }
    leaves
}

/// The most blocks that levels can take: one side has all but one of the others' each, its leaves
/// are thinned to the fewest entries, and what that sets free goes on at its end.
#[test]
fn the_worst_case_fits_and_there_is_little_more_room() {
    const LEVELS: usize = 40_000;
    const SIDES: usize = 300;
    let mut arena = Arena::new(LEVELS, SIDES);
    for _ in 1..SIDES {
        arena.insert(&mut Ladder::EMPTY.clone(), entry(1, 1)).expect("room");
    }
    let most = LEVELS - (SIDES - 1);
    let (mut ladder, mut next) = (Ladder::EMPTY, 0);
    for _ in 0..40 {
        while (ladder.length as usize) < most {
            arena.insert(&mut ladder, entry(next, 1)).expect("room for every level");
            next += 1;
        }
        for leaf in leaves(&arena, &ladder) {
            for rank in leaf.iter().skip(tree::LEAST) {
                assert!(arena.remove(&mut ladder, *rank));
            }
        }
    }
    while (ladder.length as usize) < most {
        arena.insert(&mut ladder, entry(next, 1)).expect("room for every level");
        next += 1;
    }
    let blocks = arena.blocks.len();
    assert_eq!(arena.check(&ladder).map(|own| own + SIDES - 1), Ok(arena.used));
    assert!(arena.used <= blocks && arena.used * 100 > blocks * 92, "{} of {blocks}", arena.used);
}

/// Sides that had many levels once leave nothing behind that others would miss.
#[test]
fn memory_that_one_side_gave_back_is_anothers() {
    let mut arena = Arena::new(5_000, 1_000);
    for round in 0..50 {
        let mut ladder = Ladder::EMPTY;
        for at in 0..5_000 {
            let rank = (at * 611 + round) % 5_003;
            arena.insert(&mut ladder, entry(rank, at)).expect("room");
        }
        let ranks: Vec<_> = arena.entries_of(&ladder).map(rank_of).collect();
        // From both ends to the middle.
        let (low, high) = ranks.split_at(ranks.len() / 2);
        for (low, high) in low.iter().zip(high.iter().rev()) {
            assert!(arena.remove(&mut ladder, *low) && arena.remove(&mut ladder, *high));
        }
        assert_eq!((arena.used, arena.check(&ladder)), (0, Ok(0)));
    }
}

#[test]
fn a_full_arena_says_so_and_keeps_what_it_has() {
    for blocks in [1, 2, 3, 4, 5, 40] {
        let mut arena = Arena::of_blocks(blocks);
        let mut ladder = Ladder::EMPTY;
        let mut kept = Vec::new();
        // Up and down in turn, so that blocks at both ends become full.
        let refused = loop {
            let at = u32::try_from(kept.len()).expect("few");
            let next = entry(if at % 2 == 0 { 100_000 + at } else { 100_000 - at }, at);
            if arena.insert(&mut ladder, next).is_err() {
                break next;
            }
            kept.push(next);
        };
        kept.sort_unstable();
        assert!(kept.len() >= blocks.min(2) * BLOCK / 2, "{blocks} blocks, {} levels", kept.len());
        for _ in 0..3 {
            assert_eq!(arena.insert(&mut ladder, refused), Err(ArenaFull));
            assert!(arena.entries_of(&ladder).eq(kept.iter().copied()));
            assert_eq!(arena.check(&ladder), Ok(arena.used));
        }
        let none_is_free = arena.used == blocks;
        let other = arena.insert(&mut Ladder::EMPTY.clone(), 7);
        assert_eq!(other.is_err(), none_is_free);
        for entry in kept {
            assert!(arena.remove(&mut ladder, rank_of(entry)));
        }
        assert_eq!(ladder.root, NONE);
    }
}
