//! The rules of UserRefNum.

use spindle_types::keep;

/// Which numbers of one account are used up.
///
/// A number at or below the last one used is a retransmission. A replace that finds its original
/// gone, or is itself invalid, leaves its number unused; that is known only with the engine's
/// answer, so a number that lies between what is used for sure and what is under way has to wait
/// for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub(super) struct Numbers {
    /// The highest that was passed on.
    passed: u32,
    /// The highest that an answer has used up.
    used: u32,
    /// Requests with a new number that have no answer yet.
    under_way: u32,
}

/// What a number means for its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new: the request goes on to the engine.
    New,
    /// It is used up: the request is ignored.
    Used,
    /// It depends on answers that are under way: ask again after them.
    Unknown,
}

impl Numbers {
    /// Decides on a request with this number, and when it is new counts it as under way. Number 0
    /// is always used.
    #[inline]
    pub(super) const fn take(&mut self, number: u32) -> Verdict {
        if number <= self.used {
            return Verdict::Used;
        }
        if number <= self.passed {
            return Verdict::Unknown;
        }
        self.passed = number;
        self.under_way += 1;
        Verdict::New
    }

    /// An answer has used the number up.
    #[inline]
    pub(super) fn consumed(&mut self, number: u32) {
        self.used = self.used.max(number);
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

    /// The lowest number that the next request can have, as far as answers have come; `u32::MAX`
    /// also when that is used up.
    pub(super) const fn next(&self) -> u32 {
        self.used.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_only_rise_and_gaps_are_allowed() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.take(0), Verdict::Used);
        assert_eq!(numbers.take(5), Verdict::New);
        assert_eq!(numbers.take(5), Verdict::Unknown);
        assert_eq!(numbers.take(9), Verdict::New);
        numbers.consumed(5);
        assert_eq!(numbers.next(), 6);
        assert_eq!(numbers.take(5), Verdict::Used);
        assert_eq!(numbers.take(6), Verdict::Unknown);
        numbers.consumed(9);
        assert_eq!(numbers.take(9), Verdict::Used);
        assert_eq!(numbers.next(), 10);
        assert_eq!(numbers.take(u32::MAX), Verdict::New);
        numbers.consumed(u32::MAX);
        assert_eq!(numbers.next(), u32::MAX);
        assert_eq!(numbers.take(u32::MAX), Verdict::Used);
    }

    #[test]
    fn a_number_that_was_not_consumed_can_be_used_once_nothing_is_under_way() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.take(1), Verdict::New);
        numbers.consumed(1);
        assert_eq!((numbers.take(2), numbers.take(3)), (Verdict::New, Verdict::New));
        numbers.answered();
        assert_eq!(numbers.take(2), Verdict::Unknown, "3 is still under way");
        numbers.answered();
        assert_eq!(numbers.next(), 2);
        assert_eq!(numbers.take(2), Verdict::New);
    }
}
