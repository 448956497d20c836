//! What a configuration says of the journal.

use std::path::PathBuf;

use serde::Deserialize;
use spindle_journal::Settings;

use super::{Checker, ConfigError};

/// Fewest inputs between two snapshots.
const SNAPSHOT_INPUTS_MIN: u64 = 100;

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

/// What becomes of segments that lie wholly before the oldest snapshot that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OldSegments {
    /// They stay.
    #[default]
    Keep,
    /// They go into `archive/`, under the journal's number.
    Archive,
    /// They are deleted.
    Delete,
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
    #[serde(default)]
    snapshot_inputs: u64,
    #[serde(default = "default_keep")]
    keep_snapshots: usize,
    #[serde(default)]
    old_segments: OldSegments,
}

const fn default_keep() -> usize {
    2
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
    /// A thread of the venue follows the journal and makes a snapshot every so many inputs; 0 for none.
    pub snapshot_inputs: u64,
    /// How many snapshots are kept, the newest.
    pub keep_snapshots: usize,
    /// What becomes of segments that are not needed any more.
    pub old_segments: OldSegments,
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
        if table.keep_snapshots == 0 || table.keep_snapshots > 1_000 {
            let message = format!("{}; give 1 to 1000", table.keep_snapshots);
            return Err(self.wrong("[journal] keep_snapshots", message));
        }
        if table.snapshot_inputs > 0 && table.snapshot_inputs < SNAPSHOT_INPUTS_MIN {
            let message = format!(
                "{}; give 0 for none, or at least {SNAPSHOT_INPUTS_MIN}",
                table.snapshot_inputs
            );
            return Err(self.wrong("[journal] snapshot_inputs", message));
        }
        Ok(JournalConfig {
            directory: table.directory.clone(),
            durability: table.durability,
            loss_window_ms: table.loss_window_ms,
            segment_bytes: bytes,
            calls: table.calls,
            snapshot_inputs: table.snapshot_inputs,
            keep_snapshots: table.keep_snapshots,
            old_segments: table.old_segments,
        })
    }
}
