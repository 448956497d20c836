//! The layout: the header of a segment and that of a record. All integers are little-endian.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The version that is written. Newer ones are refused.
pub const VERSION: u16 = 1;

/// The first bytes of a segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"SPINDLEJ";

/// The first bytes of a record.
pub const RECORD_MAGIC: [u8; 4] = *b"SPJR";

/// Bytes before a segment's first record: a page, which is written once and never again.
pub const SEGMENT_HEADER: usize = 4_096;

/// Bytes of a record before its payload.
pub const RECORD_HEADER: usize = size_of::<RecordHeader>();

/// Records begin at multiples of this many bytes; what is between them is 0.
pub const ALIGNMENT: usize = 8;

/// The kind of a mark: a record without payload that says by its `durable` how far all before it is
/// safe. Kinds from 1 on are the user's.
pub const MARK: u16 = 0;

/// Whose journal it is: a name of up to 16 bytes, padded with spaces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Venue(pub [u8; 16]);

impl Venue {
    /// The venue of this name; what is beyond 16 bytes is left out.
    pub fn named(name: &str) -> Self {
        let mut bytes = [b' '; 16];
        for (space, byte) in bytes.iter_mut().zip(name.bytes()) {
            *space = byte;
        }
        Self(bytes)
    }
}

impl std::fmt::Display for Venue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = String::from_utf8_lossy(&self.0);
        write!(f, "{}", text.trim_end().escape_default())
    }
}

impl std::fmt::Debug for Venue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Venue({self})")
    }
}

/// What all segments of one journal have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is.
    pub venue: Venue,
    /// Which journal of this venue: nanoseconds since 1970 when it was begun.
    pub journal: u64,
}

/// The header of a segment, at the begin of its page; the rest of the page is 0.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SegmentHeader {
    /// [`SEGMENT_MAGIC`].
    pub magic: [u8; 8],
    /// CRC32C over the page from `version` on.
    pub checksum: U32,
    /// [`VERSION`].
    pub version: U16,
    /// 0.
    pub reserved: U16,
    /// Whose journal.
    pub venue: [u8; 16],
    /// Which journal.
    pub journal: U64,
    /// The segment's number, from 1.
    pub number: U64,
    /// The sequence of its first record. All before it was safe on disk when the segment was made.
    pub first: U64,
    /// Checksum of the record before that; for the first of a journal the [`seed`].
    pub previous: U32,
    /// 0.
    pub reserved_2: U32,
    /// Bytes of the segment, header included.
    pub bytes: U64,
}

/// The header of a record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct RecordHeader {
    /// [`RECORD_MAGIC`].
    pub magic: [u8; 4],
    /// CRC32C over the record from `length` to the end of the payload.
    pub checksum: U32,
    /// Bytes of the payload, padding left out.
    pub length: U32,
    /// What it is: [`MARK`], or the user's.
    pub kind: U16,
    /// [`VERSION`].
    pub version: U16,
    /// From 1, without gaps over all segments.
    pub sequence: U64,
    /// The last record that was safe on disk when this one was written; 0 where none was.
    pub durable: U64,
    /// The user's time, in nanoseconds.
    pub time: U64,
    /// The checksum of the record before this one.
    pub previous: U32,
    /// 0.
    pub reserved: U32,
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<SegmentHeader>() == 72);
    assert!(offset_of!(SegmentHeader, checksum) == 8);
    assert!(offset_of!(SegmentHeader, version) == 12);
    assert!(offset_of!(SegmentHeader, venue) == 16);
    assert!(offset_of!(SegmentHeader, journal) == 32);
    assert!(offset_of!(SegmentHeader, number) == 40);
    assert!(offset_of!(SegmentHeader, first) == 48);
    assert!(offset_of!(SegmentHeader, previous) == 56);
    assert!(offset_of!(SegmentHeader, bytes) == 64);
    assert!(size_of::<RecordHeader>() == 48);
    assert!(offset_of!(RecordHeader, checksum) == 4);
    assert!(offset_of!(RecordHeader, length) == 8);
    assert!(offset_of!(RecordHeader, kind) == 12);
    assert!(offset_of!(RecordHeader, version) == 14);
    assert!(offset_of!(RecordHeader, sequence) == 16);
    assert!(offset_of!(RecordHeader, durable) == 24);
    assert!(offset_of!(RecordHeader, time) == 32);
    assert!(offset_of!(RecordHeader, previous) == 40);
};

/// Where the checksum of a record begins.
const SUMMED: usize = 8;

/// Where the checksum of a segment's page begins.
const PAGE_SUMMED: usize = 12;

/// What the first record of a journal has in the place of the checksum before it: nothing of another
/// journal fits behind it.
pub fn seed(identity: &Identity) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&identity.venue.0), &identity.journal.to_le_bytes())
}

/// Bytes that a record with a payload of this length takes, padding included.
pub const fn record_bytes(length: usize) -> usize {
    (RECORD_HEADER + length).next_multiple_of(ALIGNMENT)
}

/// What a record says of itself besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// What it is.
    pub kind: u16,
    /// Its number.
    pub sequence: u64,
    /// The last record that was safe when it was written.
    pub durable: u64,
    /// The user's time.
    pub time: u64,
    /// The checksum of the record before it.
    pub previous: u32,
}

/// Appends a record to `into` and gives its checksum. The payload has less than 4 GiB.
pub fn encode(into: &mut Vec<u8>, label: &Label, payload: &[u8]) -> u32 {
    let begin = into.len();
    let header = RecordHeader {
        magic: RECORD_MAGIC,
        checksum: U32::ZERO,
        length: U32::new(u32::try_from(payload.len()).unwrap_or(u32::MAX)),
        kind: U16::new(label.kind),
        version: U16::new(VERSION),
        sequence: U64::new(label.sequence),
        durable: U64::new(label.durable),
        time: U64::new(label.time),
        previous: U32::new(label.previous),
        reserved: U32::ZERO,
    };
    into.extend_from_slice(header.as_bytes());
    into.extend_from_slice(payload);
    let checksum = crc32c::crc32c(&into[begin + SUMMED..]);
    into[begin + 4..begin + 8].copy_from_slice(&checksum.to_le_bytes());
    into.resize(begin + record_bytes(payload.len()), 0);
    checksum
}

/// The checksum that the record at the front of `bytes` should have; the caller has looked at its
/// length.
pub(crate) fn checksum_of(bytes: &[u8], length: usize) -> u32 {
    crc32c::crc32c(&bytes[SUMMED..RECORD_HEADER + length])
}

/// The page of a segment's header.
pub fn encode_segment(header: &SegmentHeader) -> Vec<u8> {
    let mut page = vec![0; SEGMENT_HEADER];
    page[..size_of::<SegmentHeader>()].copy_from_slice(header.as_bytes());
    let checksum = crc32c::crc32c(&page[PAGE_SUMMED..]);
    page[8..12].copy_from_slice(&checksum.to_le_bytes());
    page
}

/// The header of a segment, if its page is whole. A version that is not known is given all the same.
pub fn decode_segment(page: &[u8]) -> Option<SegmentHeader> {
    let page = page.get(..SEGMENT_HEADER)?;
    let (header, _) = SegmentHeader::read_from_prefix(page).ok()?;
    let whole = header.magic == SEGMENT_MAGIC
        && header.checksum.get() == crc32c::crc32c(&page[PAGE_SUMMED..]);
    whole.then_some(header)
}

/// The name of a segment's file.
pub fn file_name(number: u64) -> String {
    format!("{number:08}.segment")
}

/// The number that the name of a segment's file says.
pub fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".segment")?;
    let number = digits.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_bytes_that_are_written_down() {
        let mut bytes = Vec::new();
        let label = Label { kind: 3, sequence: 258, durable: 257, time: 7, previous: 0x0102_0304 };
        let checksum = encode(&mut bytes, &label, b"abc");
        let mut golden = b"SPJR".to_vec();
        golden.extend(checksum.to_le_bytes());
        golden.extend([3, 0, 0, 0, 3, 0, 1, 0]);
        golden.extend([2, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
        golden.extend([7, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0]);
        golden.extend(b"abc\0\0\0\0\0");
        assert_eq!(bytes, golden);
        assert_eq!(checksum, 0x2f0c_a1d5, "CRC32C (Castagnoli) of bytes 8 to 51");
    }

    #[test]
    fn names_of_segments_are_read_back() {
        assert_eq!(number_of(&file_name(1)), Some(1));
        assert_eq!(number_of("00000012.segment"), Some(12));
        for name in ["12.segment", "00000012.segment.new", "x.segment", "journal.lock"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
