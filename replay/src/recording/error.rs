use std::net::SocketAddr;

use thiserror::Error;

use super::Format;

/// Why a recording cannot be read, or cannot be read further.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The operating system refused, or compressed data are broken.
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
    /// A format that is only described.
    #[error(
        "is a {0}, which is described by inspect but not read: it carries no orders one by one"
    )]
    Unsupported(Format),
    /// A DBN file of another schema.
    #[error("is a DBN file of schema {0}; books are built from schema mbo, order by order")]
    Schema(String),
    /// A capture without a group that could be read.
    #[error("holds no group with MoldUDP64 and ITCH 5.0; its groups: {0}")]
    NoGroup(String),
    /// A capture with several such groups.
    #[error(
        "holds several groups with ITCH 5.0; pick one, or two as lines A and B of one stream, with \
         --group: {}", super::capture::list(.0)
    )]
    SeveralGroups(Vec<SocketAddr>),
    /// Groups asked for of a capture that has no packet of them.
    #[error("has no packet to {0}; inspect lists the groups of a capture")]
    SilentGroup(String),
    /// Groups asked for that no reader could take.
    #[error("{0} groups were picked; pick one, or two as lines A and B of one stream")]
    TooManyGroups(usize),
    /// Groups asked for of something that is no capture.
    #[error("is a {0}, which has no groups to pick from; only packet captures have")]
    NotACapture(Format),
    /// An order-book file for something that has none.
    #[error("is a {0}; only a LOBSTER message file has an order-book file beside it")]
    NoOrderBook(Format),
    /// An order-book file that is none.
    #[error("has an order-book file beside it that is none of LOBSTER's")]
    NotAnOrderBook,
    /// A capture from a pipe, without a group.
    #[error("is no file that could be read twice; pick its group with --group")]
    GroupOfPipe,
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
    /// A packet, record or row that is broken or cut short, and how.
    #[error("byte {offset}: record {record}: {reason}")]
    Damaged {
        /// Where it begins in the file; of a compressed file, in what it unpacks to.
        offset: u64,
        /// Its number, from 1; 0 is the file's own header.
        record: u64,
        /// What is wrong.
        reason: String,
    },
}

impl RecordingError {
    /// The byte at which the recording is broken, where that is known.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Truncated { offset, .. }
            | Self::AfterEnd { offset }
            | Self::Damaged { offset, .. } => Some(*offset),
            Self::ZeroPrefix { .. } => Some(0),
            _ => None,
        }
    }
}
