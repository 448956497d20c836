//! What the tests of the journal share.

#![allow(dead_code, reason = "each test uses a part")]

use std::ops::ControlFlow;

use spindle_journal::disk::{Disk, SimDisk};
use spindle_journal::{
    Identity, Journal, JournalError, Place, Record, Scanned, Settings, Tail, Venue, Visitor, read,
};

/// A source of random numbers: SplitMix64.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % bound.max(1) as u64).unwrap_or(0)
    }
}

pub(crate) const IDENTITY: Identity = Identity { venue: Venue(*b"TEST            "), journal: 77 };

/// A record as it was written: number, kind, time, payload.
pub(crate) type Written = (u64, u16, u64, Vec<u8>);

/// Reads a journal: its records, and what was said of it.
pub(crate) fn records(disk: &mut dyn Disk) -> Result<(Vec<Written>, Scanned), JournalError> {
    let mut all = Vec::new();
    let scanned = read(disk, Some(IDENTITY.venue), &mut |_, record| {
        all.push((record.sequence, record.kind, record.time, record.payload.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok((all, scanned))
}

/// Opens a journal as a program does that starts.
pub(crate) fn open<D: Disk>(
    mut disk: D,
    settings: Settings,
) -> Result<(Journal<D>, Vec<Written>), JournalError> {
    let (all, scanned) = records(&mut disk)?;
    Ok((Journal::open(disk, IDENTITY, settings, &scanned)?, all))
}

/// A payload of a record with this number.
pub(crate) fn payload(chance: &mut Chance, longest: usize) -> Vec<u8> {
    let length = chance.below(longest);
    let byte = chance.draw().to_le_bytes();
    (0..length).map(|at| byte[at % 8]).collect()
}

/// A journal of `count` records that were committed in groups, and closed by a mark. Its records with the mark.
pub(crate) fn journal(
    seed: u64,
    count: usize,
    settings: Settings,
    longest: usize,
) -> (SimDisk, Vec<Written>) {
    let disk = SimDisk::default();
    let mut chance = Chance(seed);
    let (mut journal, _) = open(disk.clone(), settings).expect("a new journal");
    for time in 0..count as u64 {
        let payload = payload(&mut chance, longest);
        journal.append(1 + u16::from(time.is_multiple_of(3)), time, &payload).expect("it fits");
        if chance.below(7) == 0 {
            journal.commit().expect("committed");
        }
    }
    journal.mark(count as u64).expect("marked");
    let (all, scanned) = records(&mut disk.clone()).expect("it is whole");
    assert_eq!((scanned.torn, all.len()), (None, count + 1));
    (disk, all)
}

/// Somebody who takes a record or refuses it.
struct Taker<'a>(&'a mut dyn FnMut(&Record<'_>) -> bool);

impl Visitor for Taker<'_> {
    fn visit(&mut self, _: Place, record: &Record<'_>) -> ControlFlow<()> {
        if (self.0)(record) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Takes what a tail hands over until a record is refused; how many.
pub(crate) fn poll<D: Disk>(
    tail: &mut Tail<D>,
    mut take: impl FnMut(&Record<'_>) -> bool,
) -> Result<usize, JournalError> {
    tail.poll(&mut Taker(&mut take))
}
