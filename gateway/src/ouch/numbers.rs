//! The rules of UserRefNum.

/// Which numbers of one account are used up.
///
/// A number at or below the last one is a retransmission and ignored. A replace that finds its
/// original gone, or is itself invalid, leaves its number unused; the gateway learns that only with
/// the engine's answer, so numbers under way count as used until nothing is under way any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// The highest that was passed on.
    passed: u32,
    /// The highest that an answer has used up.
    used: u32,
    /// Requests with a new number that have no answer yet.
    under_way: u32,
}

impl Numbers {
    /// Whether a request with this number goes on to the engine. Number 0 never does.
    #[inline]
    pub(super) const fn take(&mut self, number: u32) -> bool {
        if number <= self.passed {
            return false;
        }
        self.passed = number;
        self.under_way += 1;
        true
    }

    /// An answer has used the number up.
    #[inline]
    pub(super) fn consumed(&mut self, number: u32) {
        self.used = self.used.max(number);
        self.passed = self.passed.max(number);
        self.answered();
    }

    /// An answer has left its number unused.
    #[inline]
    pub(super) const fn answered(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        if self.under_way == 0 {
            self.passed = self.used;
        }
    }

    /// The lowest number that the next request can have; `u32::MAX` also when that is used up.
    pub(super) const fn next(&self) -> u32 {
        self.passed.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_only_rise_and_gaps_are_allowed() {
        let mut numbers = Numbers::default();
        assert!(!numbers.take(0));
        assert!(numbers.take(5));
        assert!(!numbers.take(5));
        assert!(!numbers.take(4));
        assert!(numbers.take(9));
        assert_eq!(numbers.next(), 10);
        numbers.consumed(5);
        numbers.consumed(9);
        assert_eq!(numbers.next(), 10);
        assert!(numbers.take(u32::MAX));
        assert_eq!(numbers.next(), u32::MAX);
        assert!(!numbers.take(u32::MAX));
    }

    #[test]
    fn a_number_that_was_not_consumed_can_be_used_once_nothing_is_under_way() {
        let mut numbers = Numbers::default();
        assert!(numbers.take(1));
        numbers.consumed(1);
        assert!(numbers.take(2) && numbers.take(3));
        numbers.answered();
        assert!(!numbers.take(2), "3 is still under way");
        numbers.answered();
        assert_eq!(numbers.next(), 2);
        assert!(numbers.take(2));
    }
}
