//! How full a ring is, as the thread that empties it last saw it: nothing is asked of the thread that fills it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Ring;

/// What waits in a ring. A clone is the same level.
#[derive(Clone, Debug)]
pub struct RingLevel {
    name: &'static str,
    used: Arc<AtomicU64>,
    capacity: u64,
}

impl RingLevel {
    /// Of a ring from one thread to another that takes so much.
    pub fn new(name: &'static str, capacity: usize) -> Self {
        Self { name, used: Arc::default(), capacity: capacity as u64 }
    }

    /// So much waits now.
    #[inline]
    pub fn set(&self, used: usize) {
        // Relaxed: the number stands for itself.
        self.used.store(used as u64, Ordering::Relaxed);
    }

    /// As the status tells it.
    pub fn ring(&self) -> Ring {
        let used = self.used.load(Ordering::Relaxed);
        Ring { name: self.name.to_owned(), used, capacity: self.capacity }
    }
}
