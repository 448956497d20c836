//! Chance: everything that is drawn in a run comes from its seed.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A source of chance.
#[derive(Clone, Debug)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The source of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A source of its own, so that what one part draws does not change what another does.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.0.next_u64())
    }

    /// A number below `bound`, which is at least 1.
    #[allow(clippy::cast_possible_truncation, reason = "the product's high half is below bound")]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// An index below `bound`, which is at least 1.
    #[allow(clippy::cast_possible_truncation, reason = "the result is below a usize bound")]
    pub fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// As [`Random::between`], to count with.
    pub fn count(&mut self, least: usize, most: usize) -> usize {
        least + self.index(most - least + 1)
    }

    /// As [`Random::spread`], to count with.
    pub fn size(&mut self, least: usize, most: usize) -> usize {
        usize::try_from(self.spread(least as u64, most as u64)).unwrap_or(most)
    }

    /// As [`Random::between`], of 32 bits.
    #[allow(clippy::cast_possible_truncation, reason = "the result is at most 32 bits")]
    pub fn between32(&mut self, least: u32, most: u32) -> u32 {
        self.between(u64::from(least), u64::from(most)) as u32
    }

    /// True `parts` times in 10,000.
    pub fn chance(&mut self, parts: u64) -> bool {
        self.below(10_000) < parts
    }

    /// True one time in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// A number from `least` to `most` whose size is drawn first: small ones are as likely as large ones.
    pub fn spread(&mut self, least: u64, most: u64) -> u64 {
        let (low, high) = (64 - least.max(1).leading_zeros(), 64 - most.leading_zeros());
        let bits = self.between(low.into(), high.into());
        let top = 1_u64.checked_shl(u32::try_from(bits).unwrap_or(63)).unwrap_or(u64::MAX);
        self.between(top / 2, top.saturating_sub(1)).clamp(least, most)
    }
}
