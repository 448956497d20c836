//! The venue's journal: what begins it, the cold thread that writes it, and how a venue is brought back from it.

mod begin;
mod replayer;
mod writer;

pub use begin::{Opening, RecordKind, Shape, shape};
pub use replayer::{ReplayError, Replayer, Sessions};
pub use writer::{JournalAgent, JournalStats};
