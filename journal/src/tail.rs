//! Follows a journal that is being written: every record once it is known to be safe, and no record before.

use crate::disk::{Disk, FileId};
use crate::error::{Fault, JournalError, Refusal};
use crate::format::{
    Identity, RECORD_HEADER, SEGMENT_HEADER, Venue, decode_segment, file_name, seed,
};
use crate::read::{Place, io};
use crate::scan::{Chain, Record, Segment};
use crate::snapshot::Start;
use crate::visit::{Run, Visitor};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// Bytes that are read at once where a record, or what says that it is safe, needs more.
const PIECE_MAX: usize = 1 << 30;

/// A place in a journal that moves on behind its writer.
pub struct Tail<D: Disk> {
    disk: D,
    identity: Identity,
    place: Place,
    before: u64,
    chain: Chain,
    /// The last record that is known to be safe.
    durable: u64,
    file: Option<FileId>,
    bytes: Vec<u8>,
    /// How much is read at once: more where a record is longer.
    piece: usize,
}

impl<D: Disk> Tail<D> {
    /// From a place on. All before it is taken for safe.
    pub const fn new(disk: D, start: &Start) -> Self {
        Self {
            disk,
            identity: start.identity,
            place: start.place,
            before: start.before,
            chain: start.chain,
            durable: start.chain.next - 1,
            file: None,
            bytes: Vec::new(),
            piece: PIECE,
        }
    }

    /// From the first record on of the journal that lies there; `None` while there is none.
    ///
    /// # Errors
    /// The system refuses, or the first segment is none.
    pub fn from_the_first(mut disk: D) -> Result<Result<Self, D>, JournalError> {
        let name = file_name(1);
        if !disk.names().map_err(io(&disk, "read", ""))?.contains(&name) {
            return Ok(Err(disk));
        }
        let file = disk.open(&name).map_err(io(&disk, "read", &name))?;
        let mut page = vec![0; SEGMENT_HEADER];
        let read = disk.read(file, 0, &mut page);
        disk.close(file);
        read.map_err(io(&disk, "read", &name))?;
        let Some(header) = decode_segment(&page) else {
            return Err(refusal(&disk, &name, 0, Fault::Header));
        };
        let identity = Identity { venue: Venue(header.venue), journal: header.journal.get() };
        let place = Place { segment: 1, offset: SEGMENT_HEADER as u64 };
        let chain = Chain { next: 1, previous: seed(&identity) };
        Ok(Ok(Self::new(disk, &Start { identity, place, before: 0, chain })))
    }

    /// Where it goes on.
    pub const fn start(&self) -> Start {
        let Self { identity, place, before, chain, .. } = *self;
        Start { identity, place, before, chain }
    }

    /// The disk.
    pub const fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    /// Looks at the next record, if it is safe, and stays; whether there is one.
    ///
    /// # Errors
    /// The system refuses.
    pub fn peek(&mut self, look: &mut dyn FnMut(&Record<'_>)) -> Result<bool, JournalError> {
        loop {
            let whole = self.read_piece()?;
            let mut segment = Segment::at(&self.bytes, 0, self.chain);
            let first = segment.next_record();
            let mut safe = first;
            while let Some(record) = segment.next_record() {
                safe = Some(record);
            }
            let found = first.zip(safe).filter(|(first, last)| last.durable >= first.sequence);
            if let Some((first, _)) = found {
                look(&first);
            }
            if found.is_some() || whole || first.is_none() {
                return Ok(found.is_some());
            }
            // What says that it is safe stands farther behind.
            self.piece = (self.piece * 2).min(PIECE_MAX);
        }
    }

    /// Hands over what is safe and was not handed over yet, about a mebibyte of it or as much as was safe at once; how many. None
    /// is there where it gives 0. The record with which the visitor ends it comes again.
    ///
    /// # Errors
    /// The system refuses, a segment is not the next one, or what was safe is damaged.
    pub fn poll(&mut self, visitor: &mut dyn Visitor) -> Result<usize, JournalError> {
        // Asked first: when there is a next segment, all of this one is there and safe.
        let next = file_name(self.place.segment + 1);
        let is_last = !self.disk.names().map_err(io(&self.disk, "read", ""))?.contains(&next);
        let (run, goes_on) = loop {
            let whole = self.read_piece()?;
            let durable = &mut self.durable;
            let run = Run::check(&self.bytes, self.chain, |safe| *durable = safe.max(*durable));
            if run.records > 0 && !is_last {
                self.durable = self.durable.max(run.chain.next - 1);
            }
            // A record that is longer than what was read, or what says that it is safe stands farther behind.
            let goes_on = !whole && self.bytes.iter().any(|&byte| byte != 0);
            let is_safe = run.records > 0 && self.chain.next <= self.durable;
            // Where what is being written ends, nothing stands behind it.
            let rest = self.bytes.get(run.bytes..).unwrap_or_default();
            let ends = is_last && rest.len() >= RECORD_HEADER && rest.iter().all(|&byte| byte == 0);
            if is_safe || !goes_on || ends || self.piece >= PIECE_MAX {
                break (run, goes_on);
            }
            self.piece = (self.piece * 2).min(PIECE_MAX);
        };
        let (taken, refused) =
            run.visit(&self.bytes, self.chain, self.place, self.durable, visitor);
        self.place.offset += taken.bytes as u64;
        self.chain = taken.chain;
        if taken.records > 0 {
            (self.before, self.piece) = (taken.last as u64, PIECE);
        } else if refused.is_none() && !goes_on && !is_last {
            self.go_to_the_next()?;
            return Ok(1);
        }
        Ok(usize::try_from(taken.records).unwrap_or(usize::MAX))
    }

    /// Reads from the place on; whether that is all of the segment.
    fn read_piece(&mut self) -> Result<bool, JournalError> {
        let name = file_name(self.place.segment);
        let file = match self.file {
            Some(file) => file,
            None => {
                let file = self.disk.open(&name).map_err(io(&self.disk, "read", &name))?;
                *self.file.insert(file)
            }
        };
        let length = self.disk.length(file).map_err(io(&self.disk, "read", &name))?;
        let left = length.saturating_sub(self.place.offset);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.piece);
        self.bytes.resize(count, 0);
        let read = self.disk.read(file, self.place.offset, &mut self.bytes);
        read.map_err(io(&self.disk, "read", &name))?;
        Ok(count as u64 == left)
    }

    /// The segment is behind: the next must go on where it ends.
    fn go_to_the_next(&mut self) -> Result<(), JournalError> {
        let number = self.place.segment + 1;
        let name = file_name(number);
        let file = self.disk.open(&name).map_err(io(&self.disk, "read", &name))?;
        let mut page = vec![0; SEGMENT_HEADER];
        let read = self.disk.read(file, 0, &mut page);
        if read.is_err() {
            self.disk.close(file);
        }
        read.map_err(io(&self.disk, "read", &name))?;
        let header = decode_segment(&page).filter(|header| header.number.get() == number);
        let fault = match header {
            None => Some(Fault::Header),
            Some(header) => {
                let identity =
                    Identity { venue: Venue(header.venue), journal: header.journal.get() };
                let begin = Chain { next: header.first.get(), previous: header.previous.get() };
                match (identity == self.identity, begin == self.chain) {
                    (true, true) => None,
                    (false, _) => Some(Fault::Mixed),
                    (true, false) => {
                        Some(Fault::Hole { sequence: self.chain.next, next: begin.next })
                    }
                }
            }
        };
        if let Some(fault) = fault {
            self.disk.close(file);
            return Err(refusal(&self.disk, &name, 0, fault));
        }
        if let Some(before) = self.file.replace(file) {
            self.disk.close(before);
        }
        (self.place, self.before) = (Place { segment: number, offset: SEGMENT_HEADER as u64 }, 0);
        self.piece = PIECE;
        Ok(())
    }
}

fn refusal(disk: &dyn Disk, name: &str, offset: u64, fault: Fault) -> JournalError {
    Refusal { file: disk.place().join(name), offset, fault }.into()
}
