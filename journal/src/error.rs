//! What goes wrong, in one line each: what, where, what would be right.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::format::{VERSION, Venue};

/// What is wrong at a place of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// A segment's header is not whole.
    #[error("the header of the segment is damaged")]
    Header,
    /// A record that was safe on disk is not whole any more.
    #[error("record {sequence} is damaged: {what}; record {later} behind it says that it was safe")]
    Damaged {
        /// Its number.
        sequence: u64,
        /// What does not fit.
        what: &'static str,
        /// A whole record behind it.
        later: u64,
    },
    /// A segment ends, and the next begins with a later record.
    #[error("record {sequence} is damaged or missing: the next segment begins with record {next}")]
    Hole {
        /// The first that is missing.
        sequence: u64,
        /// The first of the next segment.
        next: u64,
    },
    /// A whole record that has no place here.
    #[error(
        "record {found} stands where record {expected} should: written twice or to a wrong place"
    )]
    Order {
        /// Which should be here.
        expected: u64,
        /// Which is.
        found: u64,
    },
    /// A record that names another one before it.
    #[error(
        "record {sequence} does not belong behind the one before it: parts of two journals are mixed"
    )]
    Chain {
        /// Its number.
        sequence: u64,
    },
    /// A version that this program does not know.
    #[error(
        "it is of version {found}, this program knows versions up to {VERSION}; use a newer one"
    )]
    Future {
        /// The version.
        found: u16,
    },
    /// The journal of somebody else.
    #[error(
        "it belongs to venue '{found}', not to '{expected}'; give each venue a directory of its own"
    )]
    Foreign {
        /// Whose it is.
        found: Venue,
        /// Whose it should be.
        expected: Venue,
    },
    /// Segments of two journals in one directory.
    #[error("segments of two journals are mixed; move those of one away")]
    Mixed,
    /// A segment is missing.
    #[error("segment {expected} is missing")]
    Missing {
        /// Its number.
        expected: u64,
    },
    /// The header does not fit the name of the file, or the segment before it.
    #[error("its header says segment {found}, record {first}: a file was renamed or copied")]
    Misplaced {
        /// The number that the header says.
        found: u64,
        /// The first record that the header says.
        first: u64,
    },
    /// What a snapshot goes on from is not here.
    #[error(
        "record {sequence}, behind a snapshot, is not here: the snapshot is of another journal, or segments were moved"
    )]
    Elsewhere {
        /// The record that should be here.
        sequence: u64,
    },
    /// The first segments are gone, and no snapshot leads behind them.
    #[error(
        "the journal begins with record {first} here, and no snapshot that this program can use leads there; put the segments before it back from archive/"
    )]
    Beheaded {
        /// The first record that is here.
        first: u64,
    },
    /// Something else lies in the directory.
    #[error("it is no part of a journal; give an empty directory")]
    Stranger,
}

/// A journal that is not opened: the place and the fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}, offset {offset}: {fault}", .file.display())]
pub struct Refusal {
    /// The file.
    pub file: PathBuf,
    /// The byte in it.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// Why a journal cannot be read or written.
#[derive(Debug, Error)]
pub enum JournalError {
    /// What is there is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The system refuses.
    #[error("{}: cannot {what}: {}", .file.display(), hint(.source))]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file or directory.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another program has the directory.
    #[error("{}: another venue that runs has this journal; stop it or give another directory", .0.display())]
    Locked(PathBuf),
    /// Another one makes snapshots.
    #[error("{}: somebody else makes snapshots of this journal; one is enough", .0.display())]
    Followed(PathBuf),
    /// The file system does not take a sync.
    #[error("{}: this file system cannot sync ({source}); give a directory on one that can, or durability = \"off\"", .file.display())]
    NoSync {
        /// The directory.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A record that no segment holds.
    #[error("a record of {bytes} bytes; a segment takes at most {most}")]
    TooLong {
        /// Its payload.
        bytes: usize,
        /// What would fit.
        most: usize,
    },
    /// What was to be recorded does not go together.
    #[error("{0}: a fault of this program, please report it; nothing more is written")]
    Inconsistent(&'static str),
    /// An error before: nothing is written any more.
    #[error("the journal has failed before; nothing more is written")]
    Failed,
}

fn hint(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "no room left on the device; make room or give another directory".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "not permitted; give a directory that this user may write".to_owned()
        }
        io::ErrorKind::NotFound => "it does not exist; make the directory first".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is mounted read-only; give another directory".to_owned()
        }
        _ => source.to_string(),
    }
}
