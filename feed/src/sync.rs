//! The atomics that the lock-free parts use. The model in `tests/` builds the same files with
//! atomics that explore every interleaving in their place.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
