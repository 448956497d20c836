//! What a configuration says of the journal.

use std::path::PathBuf;

use serde::Deserialize;
use spindle_journal::Settings;

use super::{Checker, ConfigError};

/// When what follows from an input may be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// When the input is safe on disk.
    #[default]
    Sync,
    /// At once; what a crash can lose is bounded by time.
    Async,
    /// There is no journal.
    Off,
}

/// How the journal is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskCalls {
    /// `pwrite` and `fdatasync`.
    #[default]
    Plain,
    /// io_uring, or an error.
    IoUring,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalTable {
    directory: PathBuf,
    #[serde(default)]
    durability: Durability,
    #[serde(default = "default_window")]
    loss_window_ms: u64,
    #[serde(default = "default_segment")]
    segment_bytes: u64,
    #[serde(default)]
    calls: DiskCalls,
}

const fn default_window() -> u64 {
    10
}

fn default_segment() -> u64 {
    Settings::default().segment_bytes
}

/// The journal of a venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// The directory, which must be there.
    pub directory: PathBuf,
    /// When answers may leave.
    pub durability: Durability,
    /// With [`Durability::Async`]: for how many milliseconds an input may be told and not be safe.
    pub loss_window_ms: u64,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// How it is written.
    pub calls: DiskCalls,
}

impl Checker<'_> {
    pub(super) fn journal(&self, table: &JournalTable) -> Result<JournalConfig, ConfigError> {
        let (least, most) = (Settings::SEGMENT_BYTES_MIN, Settings::SEGMENT_BYTES_MAX);
        // Changes of the risk gate and the shape of the configuration fit one record.
        let least = least.max(1 << 20);
        let bytes = table.segment_bytes;
        if bytes < least || bytes > most || !bytes.is_multiple_of(4_096) {
            let message = format!("{bytes}; give a multiple of 4096 from {least} to {most}");
            return Err(self.wrong("[journal] segment_bytes", message));
        }
        if table.loss_window_ms == 0 || table.loss_window_ms > 60_000 {
            let message = format!("{}; give 1 to 60000", table.loss_window_ms);
            return Err(self.wrong("[journal] loss_window_ms", message));
        }
        Ok(JournalConfig {
            directory: table.directory.clone(),
            durability: table.durability,
            loss_window_ms: table.loss_window_ms,
            segment_bytes: bytes,
            calls: table.calls,
        })
    }
}
