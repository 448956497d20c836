//! Reads a journal from its first segment to its end, and says what is wrong with it.

use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::disk::{Disk, FileId};
use crate::error::{Fault, JournalError, Refusal};
use crate::format::{
    Identity, SEGMENT_HEADER, SegmentHeader, VERSION, Venue, decode_segment, file_name, number_of,
    seed,
};
use crate::lock::{FOLLOWER_LOCK_NAME, LOCK_NAME};
use crate::scan::{Chain, End, Record, Segment};
use crate::snapshot::{Start, snapshot_of};

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
    const EMPTY: Self = Self {
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

/// Bytes of a segment that are in memory at once, as far as its records are whole: they stay in a core's cache while they are
/// copied there, summed and taken apart.
const WINDOW: usize = 256 << 10;

/// Reads a journal.
struct Reading<'a> {
    disk: &'a mut dyn Disk,
    /// The open segment's name.
    name: String,
    file: Option<FileId>,
    /// Its bytes.
    length: u64,
    /// Where in it `bytes` begin.
    base: u64,
    bytes: Vec<u8>,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

impl Reading<'_> {
    fn refuse<T>(&self, name: &str, offset: u64, fault: Fault) -> Result<T, JournalError> {
        Err(Refusal { file: self.disk.place().join(name), offset, fault }.into())
    }

    fn close(&mut self) {
        if let Some(file) = self.file.take() {
            self.disk.close(file);
        }
    }

    /// Whether the bytes in memory reach to the end of the file.
    fn is_at_end(&self) -> bool {
        self.base + self.bytes.len() as u64 == self.length
    }

    /// Takes `bytes` bytes from a place on into memory, or what the file has of them.
    fn take(&mut self, from: u64, bytes: usize) -> Result<(), JournalError> {
        let Some(file) = self.file else { return Ok(()) };
        let from = from.min(self.length);
        let rest = usize::try_from(self.length - from).unwrap_or(usize::MAX);
        let bytes = bytes.min(rest);
        // What is there already moves to the front.
        let known = from.checked_sub(self.base).and_then(|known| usize::try_from(known).ok());
        let kept = match known.filter(|&known| known < self.bytes.len()) {
            Some(known) => {
                self.bytes.copy_within(known.., 0);
                (self.bytes.len() - known).min(bytes)
            }
            None => 0,
        };
        self.bytes.resize(bytes, 0);
        self.base = from;
        self.disk
            .read(file, from + kept as u64, &mut self.bytes[kept..])
            .map_err(io(self.disk, "read", &self.name))
    }

    /// Opens a segment and reads its header.
    fn open(&mut self, number: u64) -> Result<SegmentHeader, JournalError> {
        self.close();
        self.name = file_name(number);
        let wrong = |disk: &dyn Disk, name: &str| io(disk, "read", name);
        let file = self.disk.open(&self.name).map_err(wrong(self.disk, &self.name))?;
        self.file = Some(file);
        self.length = self.disk.length(file).map_err(wrong(self.disk, &self.name))?;
        self.bytes.clear();
        self.take(0, WINDOW)?;
        let Some(header) = decode_segment(&self.bytes) else {
            return self.refuse(&self.name, 0, Fault::Header);
        };
        if header.version.get() != VERSION {
            return self.refuse(&self.name, 0, Fault::Future { found: header.version.get() });
        }
        if header.number.get() != number {
            let (found, first) = (header.number.get(), header.first.get());
            return self.refuse(&self.name, 0, Fault::Misplaced { found, first });
        }
        Ok(header)
    }

    /// Whether the journal has what a snapshot knows, in the open segment.
    fn follows(&mut self, start: &Start, begin: Chain) -> Result<bool, JournalError> {
        let before = start.before();
        self.take(before.start, usize::try_from(before.end - before.start).unwrap_or(usize::MAX))?;
        Ok(start.follows(&self.bytes, begin))
    }

    /// The numbers of the segments, and files that were being made.
    fn list(&mut self) -> Result<(Vec<u64>, Vec<String>), JournalError> {
        let mut names = self.disk.names().map_err(io(self.disk, "read", ""))?;
        names.sort_unstable();
        let (mut numbers, mut unfinished) = (Vec::new(), Vec::new());
        for name in names {
            if let Some(number) = number_of(&name) {
                numbers.push(number);
            } else if name
                .strip_suffix(NEW)
                .is_some_and(|name| number_of(name).or_else(|| snapshot_of(name)).is_some())
            {
                unfinished.push(name);
            } else if !KEPT.contains(&name.as_str()) && snapshot_of(&name).is_none() {
                return self.refuse(&name, 0, Fault::Stranger);
            }
        }
        numbers.sort_unstable();
        Ok((numbers, unfinished))
    }
}

/// Names that may lie beside the segments: the locks, and where old segments go.
const KEPT: [&str; 3] = [LOCK_NAME, FOLLOWER_LOCK_NAME, "archive"];

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
/// at. At most one segment is in memory at once.
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
    let mut reading =
        Reading { disk, name: String::new(), file: None, length: 0, base: 0, bytes: Vec::new() };
    let (numbers, unfinished) = reading.list()?;
    let mut scanned = Scanned { unfinished, ..Scanned::EMPTY };
    let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else {
        return Ok(scanned);
    };
    scanned.segments = (first, last);
    if let Some(expected) =
        start.map(|start| start.place.segment).filter(|at| !numbers.contains(at))
    {
        return reading.refuse(&file_name(first), 0, Fault::Missing { expected });
    }
    let mut begins_at = SEGMENT_HEADER as u64;
    for (at, &number) in (first..).zip(&numbers) {
        if at != number {
            return reading.refuse(&file_name(number), 0, Fault::Missing { expected: at });
        }
        if start.is_some_and(|start| number < start.place.segment) {
            continue;
        }
        let header = reading.open(number)?;
        let name = file_name(number);
        let identity = Identity { venue: Venue(header.venue), journal: header.journal.get() };
        if let Some(expected) = venue.filter(|&venue| venue != identity.venue) {
            let fault = Fault::Foreign { found: identity.venue, expected };
            return reading.refuse(&name, 0, fault);
        }
        let begin = Chain { next: header.first.get(), previous: header.previous.get() };
        match scanned.identity {
            None => {
                let new = Chain { next: 1, previous: seed(&identity) };
                if number == 1 && begin != new {
                    let fault = Fault::Misplaced { found: number, first: begin.next };
                    return reading.refuse(&name, 0, fault);
                }
                (scanned.identity, scanned.first, scanned.chain) =
                    (Some(identity), begin.next, begin);
                if let Some(start) = start {
                    let is_here = identity == start.identity
                        && number == start.place.segment
                        && reading.follows(start, begin)?;
                    if !is_here {
                        let sequence = start.chain.next;
                        return reading.refuse(
                            &name,
                            start.place.offset,
                            Fault::Elsewhere { sequence },
                        );
                    }
                    (scanned.first, scanned.chain) = (start.chain.next, start.chain);
                    begins_at = start.place.offset;
                }
            }
            Some(before) if before.venue != identity.venue => {
                let fault = Fault::Foreign { found: identity.venue, expected: before.venue };
                return reading.refuse(&name, 0, fault);
            }
            Some(before) if before != identity => return reading.refuse(&name, 0, Fault::Mixed),
            Some(_) if begin.next > scanned.chain.next => {
                let fault = Fault::Hole { sequence: scanned.chain.next, next: begin.next };
                return reading.refuse(&file_name(number - 1), scanned.offset, fault);
            }
            Some(_) if begin != scanned.chain => {
                let fault = Fault::Misplaced { found: number, first: begin.next };
                return reading.refuse(&name, 0, fault);
            }
            Some(_) => {}
        }
        scanned.segment_bytes = header.bytes.get();
        let mut at = std::mem::replace(&mut begins_at, SEGMENT_HEADER as u64);
        let mut window = WINDOW;
        loop {
            reading.take(at, window)?;
            let mut segment = Segment::at(&reading.bytes, 0, scanned.chain);
            while let Some(record) = segment.next_record() {
                scanned.records += 1;
                let flow = visit(Place { segment: number, offset: at }, &record);
                at = reading.base + segment.offset() as u64;
                if flow.is_break() {
                    (scanned.chain, scanned.offset) = (segment.chain(), at);
                    return Ok(scanned);
                }
            }
            scanned.chain = segment.chain();
            if reading.is_at_end() {
                break;
            }
            // What is not whole here may go on behind; where it does not, all that follows is asked.
            window = if at > reading.base { WINDOW } else { window.saturating_mul(2) };
        }
        scanned.offset = at;
        let from = usize::try_from(at - reading.base).unwrap_or(usize::MAX);
        let segment = Segment::at(&reading.bytes, from, scanned.chain);
        let offset = at;
        match segment.end() {
            End::Clean => {}
            End::Fault(fault) => return reading.refuse(&name, offset, fault),
            End::Torn { what, bytes, records } if number == last => {
                let file = reading.disk.place().join(&name);
                let sequence = scanned.chain.next;
                scanned.torn = Some(Torn { file, offset, sequence, what, bytes, records });
            }
            // All of it was safe when the next segment was made.
            End::Torn { what, .. } => {
                let (sequence, later) = (scanned.chain.next, scanned.chain.next + 1);
                return reading.refuse(&name, offset, Fault::Damaged { sequence, what, later });
            }
        }
    }
    debug_assert!(scanned.offset >= SEGMENT_HEADER as u64);
    Ok(scanned)
}
