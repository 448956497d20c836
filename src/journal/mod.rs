//! The venue's journal: what begins it, the cold thread that writes it, how a venue is brought back from it, and the
//! follower that makes snapshots.

mod again;
mod begin;
pub mod bench;
mod follower;
mod passed;
mod replayer;
mod whole;
mod writer;

pub use again::Again;
pub use begin::{Opening, RecordKind, Shape, shape};
pub use follower::{FollowError, Follower, FollowerAgent, Made, Replica, describe};
pub use replayer::{ReplayError, Replayer, Sessions};
pub use whole::{Foreword, Whole, WholeError, layout, newest};
pub use writer::{JournalAgent, JournalStats};
