//! Reads a journal from its first segment to its end, and says what is wrong with it.

use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::disk::Disk;
use crate::error::{Fault, JournalError, Refusal};
use crate::format::{Identity, SEGMENT_HEADER, Venue, decode_segment, file_name, number_of};
use crate::pieces::{Piece, Reading};
use crate::scan::{Chain, Record};
use crate::snapshot::Start;
use crate::visit::{Each, Run, Visitor};

/// Pieces that are read before a thread for reading is worth its start.
const ALONE: usize = 4;

/// Pieces that are read ahead on a thread.
const BESIDE: usize = 4;

/// The end of a name of a file that is being made.
pub const NEW: &str = ".new";

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of its segment.
    pub segment: u64,
    /// Its first byte in there.
    pub offset: u64,
}

/// What was being written when the machine stopped, and is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: PathBuf,
    /// Where the last whole record ends.
    pub offset: u64,
    /// The number of the first record that is cut.
    pub sequence: u64,
    /// What is wrong with it.
    pub what: &'static str,
    /// Bytes to the last one that is not 0.
    pub bytes: u64,
    /// Whole records among them, which nobody was told of.
    pub records: u64,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, offset, sequence, what, bytes, records } = self;
        write!(
            f,
            "{}, offset {offset}: torn tail cut: record {sequence} was never safe ({what}); {bytes} bytes, \
             {records} whole records among them",
            file.display()
        )
    }
}

/// A journal as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Whose it is; `None` where there is no segment yet.
    pub identity: Option<Identity>,
    /// Its segments: the numbers of the first and the last. 0 and 0 where there is none.
    pub segments: (u64, u64),
    /// Records that were read.
    pub records: u64,
    /// The number of the first.
    pub first: u64,
    /// Where the last segment's next record goes.
    pub offset: u64,
    /// What comes next.
    pub chain: Chain,
    /// What is to be cut.
    pub torn: Option<Torn>,
    /// Files that were being made when the machine stopped.
    pub unfinished: Vec<String>,
    /// Bytes that the last segment was made for.
    pub segment_bytes: u64,
}

impl Scanned {
    pub(crate) const EMPTY: Self = Self {
        identity: None,
        segments: (0, 0),
        records: 0,
        first: 1,
        offset: 0,
        chain: Chain { next: 1, previous: 0 },
        torn: None,
        unfinished: Vec::new(),
        segment_bytes: 0,
    };

    /// Takes in records that follow.
    pub(crate) const fn pass(&mut self, run: &Run) {
        self.records += run.records;
        self.offset += run.bytes as u64;
        self.chain = run.chain;
    }
}

/// An error of the system with what was tried.
pub(crate) fn io(
    disk: &dyn Disk,
    what: &'static str,
    name: &str,
) -> impl FnOnce(std::io::Error) -> JournalError + use<> {
    let file = disk.place().join(name);
    move |source| JournalError::Io { what, file, source }
}

/// Whose journal lies there, by its first segment; `None` where there is none.
///
/// # Errors
/// The system refuses, or the header of that segment is damaged.
pub fn identity(disk: &mut dyn Disk) -> Result<Option<Identity>, JournalError> {
    let (first, _) = segments(disk)?;
    if first == 0 {
        return Ok(None);
    }
    let name = file_name(first);
    let file = disk.open(&name).map_err(io(disk, "read", &name))?;
    let mut page = vec![0; SEGMENT_HEADER];
    let length = disk.length(file).map_err(io(disk, "read", &name))?;
    let read = if length < page.len() as u64 { Ok(()) } else { disk.read(file, 0, &mut page) };
    disk.close(file);
    read.map_err(io(disk, "read", &name))?;
    let Some(header) = decode_segment(&page) else {
        return Err(
            Refusal { file: disk.place().join(name), offset: 0, fault: Fault::Header }.into()
        );
    };
    Ok(Some(Identity { venue: Venue(header.venue), journal: header.journal.get() }))
}

/// The numbers of the first and the last segment that lie there; 0 and 0 for none.
///
/// # Errors
/// The system refuses.
pub fn segments(disk: &mut dyn Disk) -> Result<(u64, u64), JournalError> {
    let names = disk.names().map_err(io(disk, "read", ""))?;
    let numbers = || names.iter().filter_map(|name| number_of(name));
    Ok((numbers().min().unwrap_or(0), numbers().max().unwrap_or(0)))
}

/// Reads all records in their order. `visit` may end the reading early; what lies behind is then not looked
/// at, nor are reasons to refuse it. At most a mebibyte is in memory at once, or one segment where a record is so long.
///
/// # Errors
/// Whatever is not a clean end or a torn tail, by file, offset and sequence. With a `venue`, the journal of another.
pub fn read(
    disk: &mut dyn Disk,
    venue: Option<Venue>,
    visit: &mut dyn FnMut(Place, &Record<'_>) -> ControlFlow<()>,
) -> Result<Scanned, JournalError> {
    read_from(disk, venue, None, visit)
}

/// As [`read`], from a place on that a snapshot knows. Segments before it are not looked into.
///
/// # Errors
/// As [`read`]; and where the place is none of this journal.
pub fn read_from(
    disk: &mut dyn Disk,
    venue: Option<Venue>,
    start: Option<&Start>,
    visit: &mut dyn FnMut(Place, &Record<'_>) -> ControlFlow<()>,
) -> Result<Scanned, JournalError> {
    visit_from(disk, venue, start, &mut Each(visit))
}

/// As [`read_from`], for who wants to see records before their turn.
///
/// # Errors
/// As [`read_from`].
pub fn visit_from(
    disk: &mut dyn Disk,
    venue: Option<Venue>,
    start: Option<&Start>,
    visitor: &mut dyn Visitor,
) -> Result<Scanned, JournalError> {
    let mut reading = Reading::new(disk, venue, start)?;
    let mut piece = Piece::EMPTY;
    for _ in 0..ALONE {
        if !reading.next(&mut piece)? {
            return Ok(reading.into_scanned());
        }
        if let Some(ended) = piece.visit(visitor) {
            return Ok(ended);
        }
    }
    visit_beside(reading, visitor)
}

/// Reads and checks what follows on a thread of its own, while it is visited on this one.
fn visit_beside(
    mut reading: Reading<'_>,
    visitor: &mut dyn Visitor,
) -> Result<Scanned, JournalError> {
    let file = reading.place();
    let failed = move |source| JournalError::Io { what: "start a thread to read it", file, source };
    let (give, taken) = sync_channel::<Piece>(BESIDE);
    let (give_back, empty) = sync_channel(BESIDE);
    for _ in 0..BESIDE {
        let _ = give_back.send(Piece::EMPTY);
    }
    // Either end goes when the other is gone.
    thread::scope(move |scope| {
        let read = move || {
            while let Ok(mut piece) = empty.recv() {
                if !reading.next(&mut piece)? || give.send(piece).is_err() {
                    break;
                }
            }
            Ok(reading.into_scanned())
        };
        let thread = thread::Builder::new().name("journal reader".to_owned());
        let reader = thread.spawn_scoped(scope, read).map_err(failed)?;
        while let Ok(piece) = taken.recv() {
            if let Some(ended) = piece.visit(visitor) {
                return Ok(ended);
            }
            let _ = give_back.send(piece);
        }
        reader.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
