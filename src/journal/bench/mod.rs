//! What a journal costs and how fast it comes back: figures for `spindle bench journal`.

mod commit;
mod cost;
mod day;
mod recover;

use std::path::Path;

use serde::Serialize;

pub use commit::{Commits, commits};
pub use cost::{Cost, Recording, cost};
pub use day::{Day, make};
pub use recover::{Recovery, Replayed, recover, replay};

/// All figures of one run.
#[derive(Clone, Debug, Serialize)]
pub struct JournalFigures {
    /// The journal that was made, or was there.
    pub day: Day,
    /// Its inputs applied again to an engine.
    pub replayed: Replayed,
    /// A venue that comes back from it.
    pub recovery: Recovery,
    /// Group commit.
    pub commits: Commits,
    /// What recording costs the engine's thread.
    pub cost: Recording,
}

/// What goes wrong, in a line.
pub type BenchError = String;

pub(super) fn said(error: impl std::fmt::Display) -> BenchError {
    error.to_string()
}

/// Makes a journal of so many inputs in a folder, unless one is there already, and measures: applying it again, coming back
/// from a snapshot with a tail of so many inputs, group commit, and what recording costs.
///
/// # Errors
/// The system refuses, or the journal leads to something else than it should.
pub fn run(directory: &Path, inputs: u64, tail: u64) -> Result<JournalFigures, BenchError> {
    let place = directory.join("day");
    std::fs::create_dir_all(&place).map_err(said)?;
    let day = make(&place, inputs)?;
    let replayed = replay(&place)?;
    let recovery = recover(&place, tail)?;
    let commits = commits(&directory.join("commits"))?;
    Ok(JournalFigures { day, replayed, recovery, commits, cost: cost()? })
}
