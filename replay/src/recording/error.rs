use thiserror::Error;

use super::Format;

/// Why a recording cannot be read, or cannot be read further.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The operating system refused.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A folder instead of a file.
    #[error("is a folder; a recording is a file")]
    Directory,
    /// No bytes at all.
    #[error("is empty; a recording has at least one message")]
    Empty,
    /// Nothing that the first bytes could be.
    #[error("is no recording that is known here: {0}")]
    Unknown(String),
    /// A known format that cannot be read.
    #[error("is {0}, which cannot be read here yet")]
    Unsupported(Format),
    /// The very first length prefix is 0, though bytes follow.
    #[error(
        "byte 0: the length prefix of the first record is 0, but {following} bytes or more \
         follow; each record needs its length in 2 bytes before it"
    )]
    ZeroPrefix {
        /// Bytes seen after the prefix; there may be more.
        following: u64,
    },
    /// The file ends inside a record.
    #[error(
        "byte {offset}: record {sequence} is cut short: it needs {needed} bytes with its prefix, \
         the file has {got} more"
    )]
    Truncated {
        /// Where the record begins in the file.
        offset: u64,
        /// The record's number, from 1.
        sequence: u64,
        /// Bytes that the record needs, prefix included; 2 where even the prefix is cut.
        needed: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// A zero-length record, which ends a recording, has more bytes behind it.
    #[error(
        "byte {offset}: a zero-length record, which ends a recording, but more than zeroes follow \
         it; was the file damaged here?"
    )]
    AfterEnd {
        /// Where the zero-length record begins.
        offset: u64,
    },
}

impl RecordingError {
    /// Whether the input is a recording that is broken further on, as opposed to one that cannot
    /// be opened at all.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::AfterEnd { .. })
    }

    /// The byte at which the recording is broken, where that is known.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Truncated { offset, .. } | Self::AfterEnd { offset } => Some(*offset),
            Self::ZeroPrefix { .. } => Some(0),
            _ => None,
        }
    }
}
