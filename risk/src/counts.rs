//! What the gate has said, counted by check: for metrics. It decides nothing.

use spindle_types::keep;

use crate::reject::Check;

/// How many checks there are.
const CHECKS: usize = Check::ALL.len();

/// Warnings that were told and orders that were refused since the start, by check. They never go back: a new day
/// leaves them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct Counts {
    warnings: [u64; CHECKS],
    refusals: [u64; CHECKS],
    total: u64,
}

impl Counts {
    /// Warnings of a check. One for each crossing, at each level; only sums (from [`Check::OpenOrders`] on) have any.
    pub const fn warnings(&self, check: Check) -> u64 {
        self.warnings[check as usize]
    }

    /// Orders, replacements and triggered stops of which this check was the first that failed.
    pub const fn refusals(&self, check: Check) -> u64 {
        self.refusals[check as usize]
    }

    /// Both together, of all checks: while it is the same, nothing was counted.
    #[inline]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Warnings of all checks.
    pub fn all_warnings(&self) -> u64 {
        self.warnings.iter().sum()
    }

    pub(crate) const fn warn(&mut self, check: Check) {
        self.warnings[check as usize] += 1;
        self.total += 1;
    }

    pub(crate) const fn refuse(&mut self, check: Check) {
        self.refusals[check as usize] += 1;
        self.total += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_a_place_of_its_own() {
        for (at, check) in Check::ALL.into_iter().enumerate() {
            assert_eq!(check as usize, at);
        }
        let mut counts = Counts::default();
        counts.warn(Check::Loss);
        counts.refuse(Check::Account);
        counts.refuse(Check::Account);
        assert_eq!((counts.warnings(Check::Loss), counts.refusals(Check::Loss)), (1, 0));
        assert_eq!((counts.warnings(Check::Account), counts.refusals(Check::Account)), (0, 2));
        assert_eq!((counts.all_warnings(), counts.total()), (1, 3));
    }
}
