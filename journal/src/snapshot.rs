//! Snapshots: a state that a journal leads to, as bytes of the user's, with the place in the journal behind which it
//! goes on. A file of its own beside the segments, whole under its name or not there at all.
//!
//! Nothing in one is trusted before its checksums are right and it is known to be of this journal. One that is not is
//! passed over, with a line that says why: the one before it, or the whole journal, leads to the same.

use std::path::PathBuf;

use thiserror::Error;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::disk::{Disk, FileId};
use crate::error::JournalError;
use crate::format::{Identity, SEGMENT_HEADER};
use crate::read::{NEW, Place, io};
use crate::scan::{Chain, is_record};

/// The first bytes of a snapshot.
pub const SNAPSHOT_MAGIC: [u8; 8] = *b"SPINDLES";

/// The version that is written. Others are passed over.
pub const SNAPSHOT_VERSION: u16 = 1;

/// Bytes before the state.
pub const SNAPSHOT_HEADER: usize = size_of::<SnapshotHeader>();

/// Bytes that are written at once.
const PIECE: usize = 1 << 20;

/// The header of a snapshot.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SnapshotHeader {
    /// [`SNAPSHOT_MAGIC`].
    pub magic: [u8; 8],
    /// CRC32C of the header from `version` on.
    pub checksum: U32,
    /// [`SNAPSHOT_VERSION`].
    pub version: U16,
    /// 0.
    pub reserved: U16,
    /// Whose journal.
    pub venue: [u8; 16],
    /// Which journal.
    pub journal: U64,
    /// The last record that the state has taken in.
    pub sequence: U64,
    /// The segment in which the next record is looked for first.
    pub segment: U64,
    /// Its first byte in there.
    pub offset: U64,
    /// Bytes of the last record, which stands before that place; 0 where it stands in the segment before.
    pub before: U64,
    /// The checksum of the last record.
    pub previous: U32,
    /// CRC32C of the state.
    pub state_checksum: U32,
    /// What the state consists of: another program's has another number.
    pub layout: U64,
    /// The user's digest of the state.
    pub hash: U64,
    /// Bytes of the state.
    pub bytes: U64,
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<SnapshotHeader>() == 104);
    assert!(offset_of!(SnapshotHeader, checksum) == 8);
    assert!(offset_of!(SnapshotHeader, venue) == 16);
    assert!(offset_of!(SnapshotHeader, sequence) == 40);
    assert!(offset_of!(SnapshotHeader, before) == 64);
    assert!(offset_of!(SnapshotHeader, previous) == 72);
    assert!(offset_of!(SnapshotHeader, layout) == 80);
    assert!(offset_of!(SnapshotHeader, bytes) == 96);
};

/// Where the checksum of a header begins.
const SUMMED: usize = 12;

/// Where in a journal something goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Which journal.
    pub identity: Identity,
    /// Where the next record is looked for first.
    pub place: Place,
    /// Bytes of the record before it, where that stands in the same segment; 0 otherwise.
    pub before: u64,
    /// What comes next.
    pub chain: Chain,
}

impl Start {
    /// Where in the segment of its place the record before it should begin, and how many bytes it should take; none where it
    /// is the first of its segment.
    pub(crate) fn record_before(&self) -> (u64, usize) {
        let bytes = usize::try_from(self.before).unwrap_or(usize::MAX);
        (self.place.offset.saturating_sub(self.before), bytes)
    }

    /// Whether these bytes, from that place, are the record before it, in a segment that begins so: then the
    /// journal has not lost anything that the snapshot knows.
    pub(crate) fn follows(&self, bytes: &[u8], begin: Chain) -> bool {
        let (from, length) = self.record_before();
        if length == 0 {
            return from == SEGMENT_HEADER as u64 && begin == self.chain;
        }
        from >= SEGMENT_HEADER as u64 && is_record(bytes, &self.chain, length)
    }
}

/// A state with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Where the journal goes on.
    pub start: Start,
    /// What the state consists of.
    pub layout: u64,
    /// The user's digest of the state.
    pub hash: u64,
    /// The state.
    pub state: Vec<u8>,
}

/// Why a snapshot is passed over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: this snapshot is passed over: {why}", .file.display())]
pub struct Passed {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// The name of a snapshot's file.
pub fn snapshot_name(sequence: u64) -> String {
    format!("{sequence:020}.snapshot")
}

/// The record that the name of a snapshot's file says.
pub fn snapshot_of(name: &str) -> Option<u64> {
    let sequence = name.strip_suffix(".snapshot")?.parse().ok()?;
    (snapshot_name(sequence) == name).then_some(sequence)
}

/// The snapshots that lie in a directory, the newest first.
///
/// # Errors
/// The system refuses.
pub fn snapshots(disk: &mut dyn Disk) -> Result<Vec<u64>, JournalError> {
    let names = disk.names().map_err(io(disk, "read", ""))?;
    let mut sequences: Vec<_> = names.iter().filter_map(|name| snapshot_of(name)).collect();
    sequences.sort_unstable_by(|one, other| other.cmp(one));
    Ok(sequences)
}

/// Writes a snapshot: whole and safe under another name first.
///
/// # Errors
/// The system refuses; what was begun is taken away where that can be done.
pub fn write_snapshot(disk: &mut dyn Disk, snapshot: &Snapshot) -> Result<(), JournalError> {
    let name = snapshot_name(snapshot.start.chain.next - 1);
    let new = format!("{name}{NEW}");
    let written = write_under(disk, snapshot, &new);
    if written.is_err() {
        let _ = disk.remove(&new);
        return written;
    }
    disk.rename(&new, &name).map_err(io(disk, "make", &name))?;
    disk.sync_directory().map_err(io(disk, "sync", ""))
}

fn write_under(disk: &mut dyn Disk, snapshot: &Snapshot, new: &str) -> Result<(), JournalError> {
    let Snapshot { start, layout, hash, state } = snapshot;
    let mut header = SnapshotHeader {
        magic: SNAPSHOT_MAGIC,
        checksum: U32::ZERO,
        version: SNAPSHOT_VERSION.into(),
        reserved: U16::ZERO,
        venue: start.identity.venue.0,
        journal: start.identity.journal.into(),
        sequence: (start.chain.next - 1).into(),
        segment: start.place.segment.into(),
        offset: start.place.offset.into(),
        before: start.before.into(),
        previous: start.chain.previous.into(),
        state_checksum: crc32c::crc32c(state).into(),
        layout: (*layout).into(),
        hash: (*hash).into(),
        bytes: (state.len() as u64).into(),
    };
    header.checksum = crc32c::crc32c(&header.as_bytes()[SUMMED..]).into();
    let room = (SNAPSHOT_HEADER + state.len()) as u64;
    let file = disk.create(new, room).map_err(io(disk, "make", new))?;
    let written = fill(disk, file, header.as_bytes(), state);
    disk.close(file);
    written.map_err(io(disk, "write", new))
}

fn fill(disk: &mut dyn Disk, file: FileId, header: &[u8], state: &[u8]) -> std::io::Result<()> {
    disk.write(file, 0, header)?;
    let mut at = header.len() as u64;
    for piece in state.chunks(PIECE) {
        disk.write(file, at, piece)?;
        at += piece.len() as u64;
    }
    disk.sync(file)
}

/// Reads a snapshot of a journal; `None` takes that of any.
///
/// # Errors
/// One that is damaged, of another journal, or of another program.
pub fn read_snapshot(
    disk: &mut dyn Disk,
    sequence: u64,
    identity: Option<&Identity>,
    layout: u64,
) -> Result<Snapshot, Passed> {
    let name = snapshot_name(sequence);
    let found = read_named(disk, &name, sequence, identity, layout);
    found.map_err(|why| Passed { file: disk.place().join(&name), why })
}

fn read_named(
    disk: &mut dyn Disk,
    name: &str,
    sequence: u64,
    identity: Option<&Identity>,
    layout: u64,
) -> Result<Snapshot, String> {
    let said = |error: std::io::Error| error.to_string();
    let file = disk.open(name).map_err(said)?;
    let read = read_open(disk, file, sequence, identity, layout);
    disk.close(file);
    read
}

fn read_open(
    disk: &mut dyn Disk,
    file: FileId,
    sequence: u64,
    identity: Option<&Identity>,
    layout: u64,
) -> Result<Snapshot, String> {
    let said = |error: std::io::Error| error.to_string();
    let length = disk.length(file).map_err(said)?;
    let mut bytes = [0; SNAPSHOT_HEADER];
    if length < bytes.len() as u64 {
        return Err("it is cut off".to_owned());
    }
    disk.read(file, 0, &mut bytes).map_err(said)?;
    let Ok(header) = SnapshotHeader::read_from_bytes(&bytes) else {
        return Err("it is cut off".to_owned());
    };
    if header.magic != SNAPSHOT_MAGIC || header.checksum.get() != crc32c::crc32c(&bytes[SUMMED..]) {
        return Err("its header is damaged".to_owned());
    }
    if header.version.get() != SNAPSHOT_VERSION {
        let found = header.version.get();
        return Err(format!("it is of version {found}, this program knows {SNAPSHOT_VERSION}"));
    }
    let found =
        Identity { venue: crate::format::Venue(header.venue), journal: header.journal.get() };
    if identity.is_some_and(|identity| *identity != found) {
        let (venue, journal) = (found.venue, found.journal);
        return Err(format!("it is of journal {journal} of venue '{venue}'"));
    }
    if header.sequence.get() != sequence {
        return Err(format!("it says record {}: it was renamed", header.sequence.get()));
    }
    if header.layout.get() != layout {
        return Err("it is of another program, whose state has other parts".to_owned());
    }
    if length != SNAPSHOT_HEADER as u64 + header.bytes.get() {
        return Err("it is of another length than it says".to_owned());
    }
    let size = usize::try_from(header.bytes.get()).map_err(|_| "it is too long".to_owned())?;
    let mut state = vec![0; size];
    disk.read(file, SNAPSHOT_HEADER as u64, &mut state).map_err(said)?;
    if crc32c::crc32c(&state) != header.state_checksum.get() {
        return Err("its state is damaged".to_owned());
    }
    let place = Place { segment: header.segment.get(), offset: header.offset.get() };
    let chain = Chain { next: sequence + 1, previous: header.previous.get() };
    let start = Start { identity: found, place, before: header.before.get(), chain };
    Ok(Snapshot { start, layout, hash: header.hash.get(), state })
}

/// Takes away all snapshots but the newest `keep`, and gives the oldest record behind which one that is left goes on.
///
/// # Errors
/// The system refuses.
pub fn thin_out(disk: &mut dyn Disk, keep: usize) -> Result<Option<u64>, JournalError> {
    let found = snapshots(disk)?;
    let (kept, old) = found.split_at(found.len().min(keep));
    for &sequence in old {
        let name = snapshot_name(sequence);
        disk.remove(&name).map_err(io(disk, "remove", &name))?;
    }
    if !old.is_empty() {
        disk.sync_directory().map_err(io(disk, "sync", ""))?;
    }
    Ok(kept.last().copied())
}
