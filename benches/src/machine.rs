//! The machine that a figure belongs to.

use std::fmt;
use std::fs;

use core_affinity::CoreId;
use serde::Serialize;

/// What must be known of a machine to compare its figures with another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name, as it gives it.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
}

impl Machine {
    /// This machine; what the system does not tell is "unknown".
    pub fn here() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        let unknown = || "unknown".to_owned();
        Self {
            processor: processor.unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel.map_or_else(unknown, |text| text.trim().to_owned()),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} cores, Linux {}", self.processor, self.cores, self.kernel)
    }
}

/// Cores for a number of threads that shall not disturb each other: one each, or `None` where there
/// are not enough, in which case the threads stay where the kernel puts them. To be asked before any
/// thread is pinned, because a pinned thread sees its own core alone.
pub fn cores_for<const N: usize>() -> Option<[CoreId; N]> {
    core_affinity::get_core_ids()?.get(..N)?.try_into().ok()
}
