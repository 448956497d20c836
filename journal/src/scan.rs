//! Decisions over bytes alone: is there a whole record here, and what is it if not.
//!
//! A record that is not whole is a **torn tail** where nothing says that it ever was: it was being written
//! when the machine stopped, and nobody was told of it. It is **damage** where a whole record behind it says, by its
//! `durable`, that it was safe on disk when that one was written. The two are told apart by nothing else, so
//! that any part of what was not yet synced may be there or not.

use zerocopy::FromBytes;

use crate::error::Fault;
use crate::format::{
    ALIGNMENT, RECORD_HEADER, RECORD_MAGIC, RecordHeader, SEGMENT_HEADER, VERSION, checksum_of,
    record_bytes,
};

/// What comes next, and what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The number of the next record.
    pub next: u64,
    /// The checksum of the record before it.
    pub previous: u32,
}

/// A whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: u16,
    /// Its number.
    pub sequence: u64,
    /// The last record that was safe when it was written.
    pub durable: u64,
    /// The user's time, in nanoseconds.
    pub time: u64,
    /// What it says.
    pub payload: &'a [u8],
    /// The checksum of the record before it.
    pub previous: u32,
    /// Its checksum.
    pub checksum: u32,
}

impl<'a> Record<'a> {
    #[inline]
    const fn of(header: &RecordHeader, payload: &'a [u8]) -> Self {
        Self {
            kind: header.kind.get(),
            sequence: header.sequence.get(),
            durable: header.durable.get(),
            time: header.time.get(),
            payload,
            previous: header.previous.get(),
            checksum: header.checksum.get(),
        }
    }

    /// Bytes that it takes in its segment.
    pub const fn bytes(&self) -> usize {
        record_bytes(self.payload.len())
    }
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look<'a> {
    Whole(Record<'a>),
    /// A whole record of a version that is not known.
    Future(u16),
    /// Nothing was ever written here.
    Empty,
    Broken(&'static str),
}

/// What the scan of a segment comes to behind its last record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing was written behind it.
    Clean,
    /// Something was being written behind it: this many bytes that are not 0, and whole records among them.
    Torn {
        /// What is wrong with the first.
        what: &'static str,
        /// From the last record to the last byte that is not 0.
        bytes: u64,
        /// Whole records in there that nobody was told of.
        records: u64,
    },
    /// It cannot be so.
    Fault(Fault),
}

/// Looks at what stands at the front of `bytes`.
#[inline]
fn look(bytes: &[u8]) -> Look<'_> {
    let Ok((header, _)) = RecordHeader::ref_from_prefix(bytes) else {
        return if bytes.iter().all(|&byte| byte == 0) {
            Look::Empty
        } else {
            Look::Broken("cut off")
        };
    };
    if header.magic != RECORD_MAGIC {
        let empty = bytes[..RECORD_HEADER].iter().all(|&byte| byte == 0);
        return if empty { Look::Empty } else { Look::Broken("no record begins here") };
    }
    let length = header.length.get() as usize;
    let Some(end) = RECORD_HEADER.checked_add(length).filter(|&end| end <= bytes.len()) else {
        return Look::Broken("its length leads out of the segment");
    };
    if header.checksum.get() != checksum_of(bytes, length) {
        return Look::Broken("its checksum does not fit");
    }
    if header.version.get() != VERSION {
        return Look::Future(header.version.get());
    }
    Look::Whole(Record::of(header, &bytes[RECORD_HEADER..end]))
}

/// The record at the front of bytes that were looked at before and are whole records; `None` behind the last.
#[inline]
pub(crate) fn known(bytes: &[u8]) -> Option<Record<'_>> {
    let (header, rest) = RecordHeader::ref_from_prefix(bytes).ok()?;
    Some(Record::of(header, rest.get(..header.length.get() as usize)?))
}

/// Whether the record before what comes next stands at the front of `bytes`, whole, and takes so many of them.
pub(crate) fn is_record(bytes: &[u8], next: &Chain, length: usize) -> bool {
    matches!(look(bytes), Look::Whole(record) if record.sequence + 1 == next.next
        && record.checksum == next.previous
        && record.bytes() == length)
}

/// The records of a segment, one after the other, as long as they are whole and in order.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    bytes: &'a [u8],
    offset: usize,
    chain: Chain,
}

impl<'a> Segment<'a> {
    /// The records of the segment with these bytes, header included.
    pub const fn new(bytes: &'a [u8], chain: Chain) -> Self {
        Self::at(bytes, SEGMENT_HEADER, chain)
    }

    /// The records from a place in these bytes on.
    pub const fn at(bytes: &'a [u8], offset: usize, chain: Chain) -> Self {
        Self { bytes, offset, chain }
    }

    /// Where the next record begins.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What comes next.
    pub const fn chain(&self) -> Chain {
        self.chain
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    /// The next record; `None` where there is none that is whole and in order.
    #[inline]
    pub fn next_record(&mut self) -> Option<Record<'a>> {
        match look(self.rest()) {
            Look::Whole(record)
                if record.sequence == self.chain.next && record.previous == self.chain.previous =>
            {
                self.offset += record.bytes();
                self.chain = Chain { next: record.sequence + 1, previous: record.checksum };
                Some(record)
            }
            _ => None,
        }
    }

    /// What stands behind the last record that [`Segment::next_record`] gave.
    pub fn end(&self) -> End {
        let rest = self.rest();
        let next = self.chain.next;
        let what = match look(rest) {
            Look::Whole(record) if record.sequence != next => {
                return End::Fault(Fault::Order { expected: next, found: record.sequence });
            }
            Look::Whole(_) => return End::Fault(Fault::Chain { sequence: next }),
            Look::Future(found) => return End::Fault(Fault::Future { found }),
            Look::Empty => "nothing was written here",
            Look::Broken(what) => what,
        };
        let Some(last) = rest.iter().rposition(|&byte| byte != 0) else {
            return End::Clean;
        };
        let mut records = 0;
        let mut at = 0;
        while at <= last {
            if rest[at..].starts_with(&RECORD_MAGIC[..1])
                && let Look::Whole(record) = look(&rest[at..])
            {
                if record.sequence < next {
                    return End::Fault(Fault::Order { expected: next, found: record.sequence });
                }
                if record.durable >= next {
                    let later = record.sequence;
                    return End::Fault(Fault::Damaged { sequence: next, what, later });
                }
                records += 1;
            }
            at += ALIGNMENT;
        }
        End::Torn { what, bytes: last as u64 + 1, records }
    }
}
