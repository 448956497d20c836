//! Since when messages are missing.

/// Ages told apart at once. When more gaps open, the newest share the age of the one before.
const MARKS: usize = 64;

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// One past the last message that was found missing.
    end: u64,
    /// When.
    time: u64,
}

/// The ages of gaps, oldest first: whatever is missing below a mark's end, and not below an earlier
/// one's, was found missing at its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    marks: [Mark; MARKS],
    first: usize,
    count: usize,
}

impl Marks {
    pub(super) const fn new() -> Self {
        Self { marks: [Mark { end: 0, time: 0 }; MARKS], first: 0, count: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    /// Notes that all up to `end` that is missing and has no mark yet was found missing at `time`.
    pub(super) fn push(&mut self, end: u64, time: u64) {
        if self.count == MARKS {
            let last = (self.first + self.count - 1) % MARKS;
            self.marks[last].end = end;
            return;
        }
        self.marks[(self.first + self.count) % MARKS] = Mark { end, time };
        self.count += 1;
    }

    /// Drops the marks of what is delivered: everything below `expected`.
    pub(super) fn pop_below(&mut self, expected: u64) {
        while self.count > 0 && self.marks[self.first].end <= expected {
            self.first = (self.first + 1) % MARKS;
            self.count -= 1;
        }
    }

    /// End and time of the oldest gap.
    pub(super) fn oldest(&self) -> Option<(u64, u64)> {
        let mark = self.marks[self.first];
        (self.count > 0).then_some((mark.end, mark.time))
    }

    /// One past the last message that has been missing since `time` or longer; 0 for none.
    pub(super) fn end_of_those_since(&self, time: u64) -> u64 {
        (0..self.count)
            .map(|index| self.marks[(self.first + index) % MARKS])
            .take_while(|mark| mark.time <= time)
            .last()
            .map_or(0, |mark| mark.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_what_has_been_missing_since_when() {
        let mut marks = Marks::new();
        marks.push(10, 100);
        marks.push(20, 200);
        assert_eq!(marks.end_of_those_since(99), 0);
        assert_eq!(marks.end_of_those_since(100), 10);
        assert_eq!(marks.end_of_those_since(900), 20);
        marks.pop_below(9);
        assert_eq!(marks.oldest(), Some((10, 100)));
        marks.pop_below(10);
        assert_eq!(marks.oldest(), Some((20, 200)));
        marks.pop_below(25);
        assert_eq!(marks.oldest(), None);
    }

    #[test]
    fn more_gaps_than_marks_share_the_newest() {
        let mut marks = Marks::new();
        for gap in 1..=200_u64 {
            marks.push(gap * 10, gap);
        }
        assert_eq!(marks.end_of_those_since(63), 630);
        assert_eq!(marks.end_of_those_since(64), 2_000);
        marks.pop_below(1_999);
        assert_eq!(marks.oldest(), Some((2_000, 64)));
    }
}
