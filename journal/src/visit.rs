//! Hands over the records of a journal, and shows each some time before its turn.

use std::ops::ControlFlow;

use crate::format::RECORD_HEADER;
use crate::read::Place;
use crate::scan::{Chain, Record, Segment, known};

/// Records that are shown before the one whose turn it is.
pub const AHEAD: usize = 40;

/// Who gets the records of a journal.
pub trait Visitor {
    /// Shows a record that is whole and in order, [`AHEAD`] records before its turn or as many as are in memory: its kind,
    /// and the bytes from its payload's first on, those behind it too. For asking for the memory that it will need:
    /// nothing may follow from it, as the reading may end before.
    fn ahead(&mut self, kind: u16, bytes: &[u8]) {
        let _ = (kind, bytes);
    }

    /// Takes a record. With a break the reading ends.
    fn visit(&mut self, place: Place, record: &Record<'_>) -> ControlFlow<()>;
}

/// A function that wants to see nothing before its turn.
pub(crate) struct Each<'a>(pub(crate) &'a mut dyn FnMut(Place, &Record<'_>) -> ControlFlow<()>);

impl Visitor for Each<'_> {
    fn visit(&mut self, place: Place, record: &Record<'_>) -> ControlFlow<()> {
        (self.0)(place, record)
    }
}

/// Records one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// How many there are.
    pub(crate) records: u64,
    /// Bytes that they take.
    pub(crate) bytes: usize,
    /// What comes behind them.
    pub(crate) chain: Chain,
    /// Bytes of the last of them.
    pub(crate) last: usize,
}

impl Run {
    /// No records.
    pub(crate) const NONE: Self = Self::behind(Chain { next: 1, previous: 0 });

    const fn behind(chain: Chain) -> Self {
        Self { records: 0, bytes: 0, chain, last: 0 }
    }

    /// The records at the front of these bytes that are whole and in order. `each` sees what every one says is safe.
    pub(crate) fn check(bytes: &[u8], chain: Chain, mut each: impl FnMut(u64)) -> Self {
        let mut segment = Segment::at(bytes, 0, chain);
        let mut run = Self::behind(chain);
        while let Some(record) = segment.next_record() {
            each(record.durable);
            run.records += 1;
            run.last = record.bytes();
        }
        Self { bytes: segment.offset(), chain: segment.chain(), ..run }
    }

    /// Hands over its records, which begin at a place with these bytes and behind `chain`, up to a number. What the visitor took
    /// without a break, and the record with which it ended, if any: that one is not among them.
    pub(crate) fn visit<'a>(
        &self,
        bytes: &'a [u8],
        chain: Chain,
        begin: Place,
        until: u64,
        visitor: &mut dyn Visitor,
    ) -> (Self, Option<Record<'a>>) {
        // The zeros behind the last record may be missing.
        let bytes = &bytes[..self.bytes.min(bytes.len())];
        let from = |at: usize| bytes.get(at..).unwrap_or_default();
        let mut shown = 0;
        let mut show = |visitor: &mut dyn Visitor| {
            if let Some(record) = known(from(shown)) {
                visitor.ahead(record.kind, from(shown + RECORD_HEADER));
                shown += record.bytes();
            }
        };
        (0..AHEAD).for_each(|_| show(visitor));
        let mut taken = Self::behind(chain);
        while taken.chain.next <= until
            && let Some(record) = known(from(taken.bytes))
        {
            show(visitor);
            let place = Place { offset: begin.offset + taken.bytes as u64, ..begin };
            if visitor.visit(place, &record).is_break() {
                return (taken, Some(record));
            }
            taken.take(&record);
        }
        (taken, None)
    }

    /// Takes in the record behind it.
    pub(crate) const fn take(&mut self, record: &Record<'_>) {
        self.records += 1;
        self.last = record.bytes();
        self.bytes += self.last;
        self.chain = Chain { next: record.sequence + 1, previous: record.checksum };
    }
}
