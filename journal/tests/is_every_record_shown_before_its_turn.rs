//! Who reads a journal sees every record before its turn, in order, with the bytes of its payload; what is not whole is not
//! shown, and pieces that are read at once change nothing of what is handed over.

mod tools;

use std::ops::ControlFlow;

use spindle_journal::disk::{Disk, SimDisk};
use spindle_journal::format::file_name;
use spindle_journal::visit::{AHEAD, Visitor};
use spindle_journal::{Place, Record, Settings, visit_from};
use tools::{Chance, open, payload};

/// Longer than a piece that is read at once, so that records lie across its end.
const SETTINGS: Settings = Settings { segment_bytes: 1 << 20 };

/// Bytes of what is shown that are looked at.
const KEPT: usize = 100;

/// Holds what is shown against what is handed over.
#[derive(Default)]
struct Watch {
    shown: Vec<(u16, Vec<u8>)>,
    taken: usize,
    /// Records that were shown farthest before their turn.
    farthest: usize,
    ends_at: Option<usize>,
    places: Vec<Place>,
}

impl Visitor for Watch {
    fn ahead(&mut self, kind: u16, bytes: &[u8]) {
        self.shown.push((kind, bytes[..bytes.len().min(KEPT)].to_vec()));
        self.farthest = self.farthest.max(self.shown.len() - self.taken);
    }

    fn visit(&mut self, place: Place, record: &Record<'_>) -> ControlFlow<()> {
        let (kind, bytes) = &self.shown[self.taken];
        let count = record.payload.len().min(KEPT);
        assert_eq!((*kind, &bytes[..count]), (record.kind, &record.payload[..count]));
        self.places.push(place);
        self.taken += 1;
        match self.ends_at == Some(self.taken) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn written(count: usize, longest: usize) -> SimDisk {
    let (disk, mut chance) = (SimDisk::default(), Chance(5));
    let (mut journal, _) = open(disk.clone(), SETTINGS).expect("it opens");
    for time in 0..count {
        let payload = payload(&mut chance, longest);
        journal.append(1 + u16::from(time % 7 == 0), time as u64, &payload).expect("it fits");
        if chance.below(90) == 0 {
            journal.commit().expect("committed");
        }
    }
    journal.mark(9).expect("marked");
    disk
}

#[test]
fn every_record_is_shown_before_its_turn() {
    // Short ones, and some longer than a piece.
    for (count, longest) in [(30_000, 90), (60, 600_000)] {
        let disk = written(count, longest);
        let mut watch = Watch::default();
        let scanned = visit_from(&mut disk.clone(), None, None, &mut watch).expect("whole");
        assert_eq!(watch.taken as u64, scanned.records);
        assert_eq!(watch.shown.len(), watch.taken);
        assert!(scanned.segments.1 > 2, "{:?}", scanned.segments);
        assert!(watch.farthest <= AHEAD + 1, "{}", watch.farthest);
        assert!(count < 1_000 || watch.farthest == AHEAD + 1, "{}", watch.farthest);
        let grow = watch
            .places
            .windows(2)
            .all(|two| (two[0].segment, two[0].offset) < (two[1].segment, two[1].offset));
        assert!(grow);
    }
}

#[test]
fn reading_ends_where_the_visitor_says_and_behind_it_nothing_is_looked_at() {
    let disk = written(30_000, 90);
    let mut whole = Watch::default();
    let scanned = visit_from(&mut disk.clone(), None, None, &mut whole).expect("whole");
    for ends_at in [1, 2, AHEAD, 1_000, 20_000] {
        let mut watch = Watch { ends_at: Some(ends_at), ..Watch::default() };
        let found = visit_from(&mut disk.clone(), None, None, &mut watch).expect("whole");
        let next = whole.places[ends_at];
        assert_eq!((found.records, found.chain.next), (ends_at as u64, ends_at as u64 + 1));
        assert!(watch.places.iter().eq(&whole.places[..ends_at]));
        // It ends where the next record begins; in a segment that is full at its end.
        let last = watch.places[ends_at - 1];
        assert!(next.segment != last.segment || found.offset == next.offset);
    }
    // What lies behind is not looked at: one bit of the last segment is turned.
    let name = file_name(scanned.segments.1);
    let mut damaged = disk.clone();
    let file = damaged.open(&name).expect("there");
    let at = 4_096 + 17;
    let mut byte = [0];
    damaged.read(file, at, &mut byte).expect("read");
    damaged.write(file, at, &[byte[0] ^ 1]).expect("written");
    let mut watch = Watch { ends_at: Some(1_000), ..Watch::default() };
    visit_from(&mut damaged.clone(), None, None, &mut watch).expect("not looked at");
    visit_from(&mut damaged, None, None, &mut Watch::default()).expect_err("it is damaged");
}
