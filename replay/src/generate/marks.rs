//! A set of indices in which the next and the previous member are found in a few steps.

/// Bits in levels: a bit of one level says whether the word below it has any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    levels: Vec<Vec<u64>>,
}

impl Marks {
    /// Adds an index.
    pub(crate) fn set(&mut self, index: usize) {
        let mut at = index;
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                // A new top carries the mark of what the level below has had so far.
                let below = level.checked_sub(1).and_then(|below| self.levels[below].first());
                let first = u64::from(below.is_some_and(|&word| word != 0));
                self.levels.push(vec![first]);
            }
            let words = &mut self.levels[level];
            if words.len() <= at / 64 {
                words.resize(at / 64 + 1, 0);
            }
            words[at / 64] |= 1 << (at % 64);
            if words.len() == 1 {
                return;
            }
            at /= 64;
            level += 1;
        }
    }

    /// Takes an index out.
    pub(crate) fn clear(&mut self, index: usize) {
        let mut at = index;
        for words in &mut self.levels {
            let Some(word) = words.get_mut(at / 64) else { return };
            *word &= !(1 << (at % 64));
            if *word != 0 {
                return;
            }
            at /= 64;
        }
    }

    /// Takes all out.
    pub(crate) fn reset(&mut self) {
        self.levels.clear();
    }

    /// The lowest member that is `from` or higher.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        let mut at = from;
        for level in 0..self.levels.len() {
            let word = self.levels[level].get(at / 64)?;
            let rest = word & (u64::MAX << (at % 64));
            if rest != 0 {
                let found = at / 64 * 64 + rest.trailing_zeros() as usize;
                return Some(self.descend(level, found, u64::trailing_zeros));
            }
            at = at / 64 + 1;
        }
        None
    }

    /// The highest member below `before`.
    pub(crate) fn previous(&self, before: usize) -> Option<usize> {
        let mut at = before;
        for level in 0..self.levels.len() {
            at = at.checked_sub(1)?.min(self.levels[level].len() * 64 - 1);
            let rest = self.levels[level][at / 64] & (u64::MAX >> (63 - at % 64));
            if rest != 0 {
                let found = at / 64 * 64 + 63 - rest.leading_zeros() as usize;
                return Some(self.descend(level, found, |word| 63 - word.leading_zeros()));
            }
            at /= 64;
        }
        None
    }

    fn descend(&self, level: usize, mut at: usize, bit: impl Fn(u64) -> u32) -> usize {
        for words in self.levels[..level].iter().rev() {
            at = at * 64 + bit(words[at]) as usize;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Random;

    #[test]
    fn neighbours_are_those_of_a_sorted_set() {
        for range in [10, 64, 65, 5_000, 300_000] {
            let mut random = Random::new(range);
            let (mut marks, mut naive) = (Marks::default(), BTreeSet::new());
            for step in 0..20_000 {
                let index = random.index(usize::try_from(range).expect("small"));
                if step % 3 == 0 || step > 12_000 {
                    marks.clear(index);
                    naive.remove(&index);
                } else {
                    marks.set(index);
                    naive.insert(index);
                }
                let at = random.index(usize::try_from(range).expect("small") + 100);
                assert_eq!(marks.next(at), naive.range(at..).next().copied(), "{at}");
                assert_eq!(marks.previous(at), naive.range(..at).next_back().copied(), "{at}");
            }
        }
    }
}
