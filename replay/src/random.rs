use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The source of chance of generated days and of injected faults: xoshiro256++, seeded from 64 bits through SplitMix64 (which is
/// what `seed_from_u64` of that type is). Every draw is one 64-bit output scaled with integers, so
/// that the same seed gives the same day on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number below `bound`, which is at least 1: the high half of output times bound. The bias
    /// is below `bound` / 2^64.
    #[allow(clippy::cast_possible_truncation, reason = "the product's high half is below bound")]
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number below `bound`, which is at least 1.
    #[allow(clippy::cast_possible_truncation, reason = "the result is below a 32-bit bound")]
    pub(crate) fn below32(&mut self, bound: u32) -> u32 {
        self.below(u64::from(bound)) as u32
    }

    /// An index below `bound`, which is at least 1.
    #[allow(clippy::cast_possible_truncation, reason = "the result is below a usize bound")]
    pub(crate) fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    /// True `parts` times in 1,024.
    pub(crate) fn chance(&mut self, parts: u64) -> bool {
        self.below(1024) < parts
    }

    /// Brings a slice into random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index(last + 1);
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeding_is_the_documented_one() {
        // SplitMix64 from 1, then xoshiro256++, computed by hand from their published definitions.
        let mut state = 1_u64;
        let mut words = [0_u64; 4];
        for word in &mut words {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *word = z ^ (z >> 31);
        }
        let first = words[0].wrapping_add(words[3]).rotate_left(23).wrapping_add(words[0]);
        let mut random = Random::new(1);
        let drawn = random.below(1 << 32);
        assert_eq!(drawn, first >> 32);
    }

    #[test]
    fn draws_stay_below_their_bound() {
        let mut random = Random::new(7);
        for bound in [1_u64, 2, 3, 1000, u64::MAX] {
            for _ in 0..100 {
                assert!(random.below(bound) < bound);
            }
        }
        let mut items: Vec<u32> = (0..50).collect();
        random.shuffle(&mut items);
        let mut sorted = items.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        assert_ne!(sorted, items);
    }
}
