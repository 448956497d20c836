//! What the gate has said, by check, for threads other than the engine's.

use std::array::from_fn;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle_risk::{Check, Counts};

const CHECKS: usize = Check::ALL.len();

/// Warnings and refusals of the gate, by check. The engine's thread writes, once a turn and only when something was
/// counted; any thread may read. Each number stands for itself and never goes back, so the order in
/// which they are seen means nothing.
#[derive(Debug)]
pub struct GateCounts {
    warnings: [AtomicU64; CHECKS],
    refusals: [AtomicU64; CHECKS],
    total: AtomicU64,
}

impl Default for GateCounts {
    fn default() -> Self {
        let zeros = || from_fn(|_| AtomicU64::new(0));
        Self { warnings: zeros(), refusals: zeros(), total: AtomicU64::new(0) }
    }
}

impl GateCounts {
    /// Takes over what the gate has counted, where that is more than was taken over last.
    #[inline]
    pub(crate) fn store(&self, counts: &Counts) {
        if self.total.load(Ordering::Relaxed) != counts.total() {
            self.store_all(counts);
        }
    }

    #[cold]
    fn store_all(&self, counts: &Counts) {
        for check in Check::ALL {
            let at = check as usize;
            self.warnings[at].store(counts.warnings(check), Ordering::Relaxed);
            self.refusals[at].store(counts.refusals(check), Ordering::Relaxed);
        }
        self.total.store(counts.total(), Ordering::Relaxed);
    }

    /// Warnings of a check: see [`Counts::warnings`].
    pub fn warnings(&self, check: Check) -> u64 {
        self.warnings[check as usize].load(Ordering::Relaxed)
    }

    /// Orders that this check refused: see [`Counts::refusals`].
    pub fn refusals(&self, check: Check) -> u64 {
        self.refusals[check as usize].load(Ordering::Relaxed)
    }

    /// Warnings of all checks.
    pub fn all_warnings(&self) -> u64 {
        Check::ALL.into_iter().map(|check| self.warnings(check)).sum()
    }
}
