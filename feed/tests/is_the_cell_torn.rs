//! Does any interleaving of one writer and two readers tear a cell? The file under test is the
//! product's own, built with atomics that explore every order that the memory model allows within
//! the model checker's reach (it does not explore load buffering, and treats sequentially
//! consistent accesses as acquire and release; neither is used here).
//!
//! Forbidden: a reader gets words of two writes. Allowed: it gets nothing because a write was in
//! the way, or any one write, the newest or not.

#![allow(missing_docs, unreachable_pub, reason = "a test includes the file it examines")]

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
}

#[allow(dead_code, reason = "the model uses what it examines")]
#[path = "../src/seqlock.rs"]
mod seqlock;

use loom::sync::Arc;
use loom::thread;

use seqlock::{Rules, SequenceLock, Sound};

/// Two words are as many as a tear needs.
type Cell<R> = SequenceLock<2, R>;

fn read_and_check<R: Rules>(cell: &Cell<R>) {
    if let Some([left, right]) = cell.try_read() {
        assert_eq!(left, right, "torn");
    }
}

/// The interleavings of `writes` writes and `readers` readers: all of them with one reader; with
/// two, those in which threads are interrupted at most twice, because all would take many minutes.
fn model<R: Rules + 'static>(writes: u64, readers: usize) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = (readers > 1).then_some(2);
    builder.check(move || {
        let cell: Arc<Cell<R>> = Arc::new(SequenceLock::new([0, 0]));
        let readers: Vec<_> = (0..readers)
            .map(|_| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || read_and_check(&cell))
            })
            .collect();
        for value in 1..=writes {
            cell.write([value, value]);
        }
        for reader in readers {
            reader.join().expect("the reader's assertion");
        }
        assert_eq!(cell.try_read(), Some([writes, writes]), "the last write stays");
    });
}

#[test]
fn no_interleaving_of_a_write_and_two_readers_tears_the_cell() {
    model::<Sound>(1, 2);
}

#[test]
fn no_interleaving_of_two_writes_and_a_reader_tears_the_cell() {
    model::<Sound>(2, 1);
}

struct NoWriterFence;

impl Rules for NoWriterFence {
    const WRITER_FENCE: bool = false;
    const READER_FENCE: bool = true;
    const VERSION_TWICE: bool = true;
}

#[test]
#[should_panic(expected = "torn")]
fn without_the_writers_fence_it_tears() {
    model::<NoWriterFence>(1, 2);
}

struct NoReaderFence;

impl Rules for NoReaderFence {
    const WRITER_FENCE: bool = true;
    const READER_FENCE: bool = false;
    const VERSION_TWICE: bool = true;
}

#[test]
#[should_panic(expected = "torn")]
fn without_the_readers_fence_it_tears() {
    model::<NoReaderFence>(1, 2);
}

struct VersionOnce;

impl Rules for VersionOnce {
    const WRITER_FENCE: bool = true;
    const READER_FENCE: bool = true;
    const VERSION_TWICE: bool = false;
}

#[test]
#[should_panic(expected = "torn")]
fn when_the_version_moves_only_once_it_tears() {
    model::<VersionOnce>(1, 2);
}
