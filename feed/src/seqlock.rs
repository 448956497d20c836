//! A sequence-locked cell: a few words that one thread writes and any number read, whole or not
//! at all.
//!
//! The version is odd while a write is under way and grows by two with each. A reader takes the
//! version, the words, and the version again; if it changed, or was odd, the words may be from two
//! writes and are thrown away. Every word is an atomic that is read and written relaxed, so a torn
//! read is a wrong value that is never used, not undefined behaviour; no `unsafe` is needed.
//!
//! Four orderings carry it, in two pairs:
//!
//! * The writer's *release fence* (after the odd version) pairs with the reader's *acquire fence*
//!   (before the second look at the version): a reader that saw one word of a write also sees, at
//!   its second look, that the version is odd or newer.
//! * The writer's *release store* of the even version pairs with the reader's *acquire load* at its
//!   first look: a reader that saw the even version sees all words of that write, or newer ones.
//!
//! Leaving out either fence, or moving the version only once, tears; the model in
//! `tests/is_the_cell_torn.rs` explores all interleavings of this very file and shows that it finds
//! each of these mistakes.

use crate::sync::{AtomicU64, Ordering, fence};

/// Which steps of the protocol are taken. [`Sound`] is the only rule in use; the others exist so
/// that the model can show that it notices when a step is missing.
pub(crate) trait Rules {
    /// Whether the writer fences after it made the version odd.
    const WRITER_FENCE: bool;
    /// Whether the reader fences before it looks at the version again.
    const READER_FENCE: bool;
    /// Whether the version moves before the words are written, and not only after.
    const VERSION_TWICE: bool;
}

/// Every step.
#[derive(Debug)]
pub(crate) struct Sound;

impl Rules for Sound {
    const WRITER_FENCE: bool = true;
    const READER_FENCE: bool = true;
    const VERSION_TWICE: bool = true;
}

/// One cell of `N` words. It has one writer at a time: whoever owns the cell sees to that.
///
/// A cell is one cache line of its own as long as `N` is at most 7, so that a write disturbs no
/// reader of a neighbour.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct SequenceLock<const N: usize, R = Sound> {
    version: AtomicU64,
    words: [AtomicU64; N],
    rules: std::marker::PhantomData<fn() -> R>,
}

impl<const N: usize, R: Rules> SequenceLock<N, R> {
    /// A cell that holds `words`.
    pub(crate) fn new(words: [u64; N]) -> Self {
        Self {
            version: AtomicU64::new(0),
            words: words.map(AtomicU64::new),
            rules: std::marker::PhantomData,
        }
    }

    /// Writes all words. Only one thread may be in here at a time.
    #[inline]
    pub(crate) fn write(&self, words: [u64; N]) {
        self.change(|cell| {
            for (word, value) in cell.iter().zip(words) {
                word.store(value, Ordering::Relaxed);
            }
        });
    }

    /// Writes one word and leaves the others. Only one thread may be in here at a time.
    ///
    /// # Panics
    /// When there is no such word.
    #[inline]
    pub(crate) fn write_one(&self, index: usize, value: u64) {
        self.change(|cell| cell[index].store(value, Ordering::Relaxed));
    }

    /// Writes some words and leaves the others. Only one thread may be in here at a time.
    ///
    /// # Panics
    /// When there is no such word.
    #[inline]
    pub(crate) fn write_some<const K: usize>(&self, some: [(usize, u64); K]) {
        self.change(|cell| {
            for (index, value) in some {
                cell[index].store(value, Ordering::Relaxed);
            }
        });
    }

    /// One word as the writer last wrote it. Only for the writer itself: nothing is checked.
    ///
    /// # Panics
    /// When there is no such word.
    #[inline]
    pub(crate) fn own_word(&self, index: usize) -> u64 {
        self.words[index].load(Ordering::Relaxed)
    }

    /// What the writer last wrote. Only for the writer itself: nothing is checked.
    #[inline]
    pub(crate) fn own(&self) -> [u64; N] {
        std::array::from_fn(|index| self.words[index].load(Ordering::Relaxed))
    }

    /// Reads all words of one write, or `None` when a write was in the way.
    #[inline]
    pub(crate) fn try_read(&self) -> Option<[u64; N]> {
        // Acquire: pairs with the release store that ends `change`.
        let before = self.version.load(Ordering::Acquire);
        let words = std::array::from_fn(|index| self.words[index].load(Ordering::Relaxed));
        if R::READER_FENCE {
            // Pairs with the release fence in `change`.
            fence(Ordering::Acquire);
        }
        let after = self.version.load(Ordering::Relaxed);
        (before == after && before.is_multiple_of(2)).then_some(words)
    }

    #[inline]
    fn change(&self, write: impl FnOnce(&[AtomicU64; N])) {
        let version = self.version.load(Ordering::Relaxed);
        if R::VERSION_TWICE {
            self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        }
        if R::WRITER_FENCE {
            // Pairs with the acquire fence in `try_read`.
            fence(Ordering::Release);
        }
        write(&self.words);
        // Release: pairs with the acquire load that begins `try_read`.
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }
}
