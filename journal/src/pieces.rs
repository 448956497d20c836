//! Reads a journal piece by piece. A piece is what is read of a segment at once, and begins with records that are whole and in
//! order.

use crate::disk::{Disk, FileId};
use crate::error::{Fault, JournalError, Refusal};
use crate::format::{
    Identity, SEGMENT_HEADER, SegmentHeader, VERSION, Venue, decode_segment, file_name, number_of,
    seed,
};
use crate::lock::{FOLLOWER_LOCK_NAME, LOCK_NAME};
use crate::read::{NEW, Place, Scanned, Torn, io};
use crate::scan::{Chain, End, Segment};
use crate::snapshot::{Start, snapshot_of};
use crate::visit::{Run, Visitor};

/// Bytes that are read at once: they stay close to the core that looks at them.
const PIECE: usize = 256 << 10;

/// Names that may lie beside the segments: the locks, and where old segments go.
const KEPT: [&str; 3] = [LOCK_NAME, FOLLOWER_LOCK_NAME, "archive"];

/// Records of a segment, and what was read of the journal before them.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Vec<u8>,
    segment: u64,
    run: Run,
    before: Scanned,
}

impl Piece {
    /// One that has nothing yet.
    pub(crate) const EMPTY: Self =
        Self { bytes: Vec::new(), segment: 0, run: Run::NONE, before: Scanned::EMPTY };

    /// Hands over its records. Where the visitor wants no more: what was read of the journal by then.
    pub(crate) fn visit(&self, visitor: &mut dyn Visitor) -> Option<Scanned> {
        let begin = Place { segment: self.segment, offset: self.before.offset };
        let (mut taken, last) =
            self.run.visit(&self.bytes, self.before.chain, begin, u64::MAX, visitor);
        taken.take(&last?);
        let mut scanned = self.before.clone();
        scanned.pass(&taken);
        Some(scanned)
    }
}

/// A journal that is read.
pub(crate) struct Reading<'a> {
    disk: &'a mut dyn Disk,
    venue: Option<Venue>,
    start: Option<&'a Start>,
    /// The segments that were not opened yet.
    numbers: std::vec::IntoIter<u64>,
    /// The number that the next of them should have.
    expected: u64,
    /// What was read so far.
    scanned: Scanned,
    /// The segment that is read.
    open: Option<Open>,
    /// What is wrong behind the piece that was given last.
    fault: Option<JournalError>,
}

/// A segment that is read.
#[derive(Clone, Copy, Debug)]
struct Open {
    number: u64,
    file: FileId,
    /// Its bytes in all.
    length: u64,
    /// How many are read at once.
    piece: usize,
}

impl<'a> Reading<'a> {
    /// From the first record on, or from a place.
    pub(crate) fn new(
        disk: &'a mut dyn Disk,
        venue: Option<Venue>,
        start: Option<&'a Start>,
    ) -> Result<Self, JournalError> {
        let mut reading = Self {
            disk,
            venue,
            start,
            numbers: Vec::new().into_iter(),
            expected: 0,
            scanned: Scanned::EMPTY,
            open: None,
            fault: None,
        };
        let numbers = reading.list()?;
        if let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) {
            reading.scanned.segments = (first, last);
            reading.expected = first;
            if let Some(expected) = start.map(|start| start.place.segment)
                && !numbers.contains(&expected)
            {
                return reading.refuse(first, 0, Fault::Missing { expected });
            }
        }
        reading.numbers = numbers.into_iter();
        Ok(reading)
    }

    /// What was read.
    pub(crate) fn into_scanned(mut self) -> Scanned {
        std::mem::replace(&mut self.scanned, Scanned::EMPTY)
    }

    /// Where the journal is.
    pub(crate) fn place(&self) -> std::path::PathBuf {
        self.disk.place().to_owned()
    }

    fn refuse<T>(&self, number: u64, offset: u64, fault: Fault) -> Result<T, JournalError> {
        self.refuse_file(&file_name(number), offset, fault)
    }

    fn refuse_file<T>(&self, name: &str, offset: u64, fault: Fault) -> Result<T, JournalError> {
        Err(Refusal { file: self.disk.place().join(name), offset, fault }.into())
    }

    /// The numbers of the segments in their order. Notes files that were being made.
    fn list(&mut self) -> Result<Vec<u64>, JournalError> {
        let mut names = self.disk.names().map_err(io(self.disk, "read", ""))?;
        names.sort_unstable();
        let mut numbers = Vec::new();
        for name in names {
            if let Some(number) = number_of(&name) {
                numbers.push(number);
            } else if name
                .strip_suffix(NEW)
                .is_some_and(|name| number_of(name).or_else(|| snapshot_of(name)).is_some())
            {
                self.scanned.unfinished.push(name);
            } else if !KEPT.contains(&name.as_str()) && snapshot_of(&name).is_none() {
                return self.refuse_file(&name, 0, Fault::Stranger);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Reads the next records; whether there are any.
    ///
    /// # Errors
    /// The system refuses, or what stands there is neither a record nor an end.
    pub(crate) fn next(&mut self, piece: &mut Piece) -> Result<bool, JournalError> {
        loop {
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            let open = match self.open {
                Some(open) => open,
                None => match self.open_next(&mut piece.bytes)? {
                    Some(open) => open,
                    None => return Ok(false),
                },
            };
            let is_rest = self.read(&open, self.scanned.offset, open.piece, &mut piece.bytes)?;
            piece.run = Run::check(&piece.bytes, self.scanned.chain, |_| {});
            (piece.segment, piece.before) = (open.number, self.scanned.clone());
            self.scanned.pass(&piece.run);
            if is_rest {
                self.close();
                let rest = Segment::at(&piece.bytes, piece.run.bytes, piece.run.chain);
                self.fault = self.end(open.number, rest.end()).err();
            } else {
                // No record, or a longer one: what it is can be said where all that follows is seen.
                let piece = if piece.run.records > 0 { PIECE } else { usize::MAX };
                self.open = Some(Open { piece, ..open });
            }
            if piece.run.records > 0 {
                return Ok(true);
            }
        }
    }

    /// Decides what stands behind the last record of a segment.
    fn end(&mut self, number: u64, end: End) -> Result<(), JournalError> {
        let Scanned { offset, chain: Chain { next: sequence, .. }, .. } = self.scanned;
        match end {
            End::Clean => Ok(()),
            End::Fault(fault) => self.refuse(number, offset, fault),
            End::Torn { what, bytes, records } if number == self.scanned.segments.1 => {
                let file = self.disk.place().join(file_name(number));
                self.scanned.torn = Some(Torn { file, offset, sequence, what, bytes, records });
                Ok(())
            }
            // All of it was safe when the next segment was made.
            End::Torn { what, .. } => {
                let fault = Fault::Damaged { sequence, what, later: sequence + 1 };
                self.refuse(number, offset, fault)
            }
        }
    }

    /// Opens the next segment, if there is one; `page` is used on the way.
    fn open_next(&mut self, page: &mut Vec<u8>) -> Result<Option<Open>, JournalError> {
        let from = self.start.map_or(0, |start| start.place.segment);
        while let Some(number) = self.numbers.next() {
            let expected = self.expected;
            if number != expected {
                return self.refuse(number, 0, Fault::Missing { expected });
            }
            self.expected += 1;
            if number >= from {
                return self.open(number, page).map(Some);
            }
        }
        Ok(None)
    }

    /// Opens a segment and looks whether it goes on where the last one ended.
    fn open(&mut self, number: u64, page: &mut Vec<u8>) -> Result<Open, JournalError> {
        let name = file_name(number);
        let file = self.disk.open(&name).map_err(io(self.disk, "read", &name))?;
        let open = self.open.insert(Open { number, file, length: 0, piece: PIECE });
        open.length = self.disk.length(file).map_err(io(self.disk, "read", &name))?;
        let open = *open;
        let header = self.header(&open, page)?;
        let identity = Identity { venue: Venue(header.venue), journal: header.journal.get() };
        if let Some(expected) = self.venue.filter(|&venue| venue != identity.venue) {
            let fault = Fault::Foreign { found: identity.venue, expected };
            return self.refuse(number, 0, fault);
        }
        let begin = Chain { next: header.first.get(), previous: header.previous.get() };
        match self.scanned.identity {
            None => self.begin(&open, identity, begin, page)?,
            Some(before) if before.venue != identity.venue => {
                let fault = Fault::Foreign { found: identity.venue, expected: before.venue };
                return self.refuse(number, 0, fault);
            }
            Some(before) if before != identity => return self.refuse(number, 0, Fault::Mixed),
            Some(_) if begin.next > self.scanned.chain.next => {
                let sequence = self.scanned.chain.next;
                let fault = Fault::Hole { sequence, next: begin.next };
                return self.refuse(number - 1, self.scanned.offset, fault);
            }
            Some(_) if begin != self.scanned.chain => {
                let fault = Fault::Misplaced { found: number, first: begin.next };
                return self.refuse(number, 0, fault);
            }
            Some(_) => self.scanned.offset = SEGMENT_HEADER as u64,
        }
        self.scanned.segment_bytes = header.bytes.get();
        Ok(open)
    }

    /// The header of a segment.
    fn header(&mut self, open: &Open, page: &mut Vec<u8>) -> Result<SegmentHeader, JournalError> {
        let number = open.number;
        self.read(open, 0, SEGMENT_HEADER, page)?;
        let Some(header) = decode_segment(page) else {
            return self.refuse(number, 0, Fault::Header);
        };
        if header.version.get() != VERSION {
            return self.refuse(number, 0, Fault::Future { found: header.version.get() });
        }
        if header.number.get() != number {
            let (found, first) = (header.number.get(), header.first.get());
            return self.refuse(number, 0, Fault::Misplaced { found, first });
        }
        Ok(header)
    }

    /// Begins with a segment: at its first record, or at the place that was asked for.
    fn begin(
        &mut self,
        open: &Open,
        identity: Identity,
        begin: Chain,
        page: &mut Vec<u8>,
    ) -> Result<(), JournalError> {
        let number = open.number;
        let new = Chain { next: 1, previous: seed(&identity) };
        if number == 1 && begin != new {
            return self.refuse(number, 0, Fault::Misplaced { found: number, first: begin.next });
        }
        let (mut chain, mut offset) = (begin, SEGMENT_HEADER as u64);
        if let Some(start) = self.start {
            let (from, length) = start.record_before();
            self.read(open, from, length, page)?;
            let is_here = identity == start.identity
                && number == start.place.segment
                && start.follows(page, begin);
            (chain, offset) = (start.chain, start.place.offset);
            if !is_here {
                let sequence = start.chain.next;
                return self.refuse(number, offset, Fault::Elsewhere { sequence });
            }
        }
        self.scanned.identity = Some(identity);
        (self.scanned.first, self.scanned.chain, self.scanned.offset) = (chain.next, chain, offset);
        Ok(())
    }

    /// Reads so many bytes of a segment from a place on, or as many as there are; whether those are all.
    fn read(
        &mut self,
        open: &Open,
        offset: u64,
        most: usize,
        into: &mut Vec<u8>,
    ) -> Result<bool, JournalError> {
        let left = open.length.saturating_sub(offset);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(most);
        into.resize(count, 0);
        let read = self.disk.read(open.file, offset, into);
        read.map_err(io(self.disk, "read", &file_name(open.number)))?;
        Ok(count as u64 == left)
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.disk.close(open.file);
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.close();
    }
}
