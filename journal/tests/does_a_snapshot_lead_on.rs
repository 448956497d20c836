//! A follower sees every record once and only when it is safe; a snapshot of any place leads to the same tail; what is
//! damaged, foreign or of another program is passed over; what a snapshot knows and the journal has not is refused.

mod tools;

use std::ops::ControlFlow;

use spindle_journal::disk::{Cut, Disk, SimDisk};
use spindle_journal::format::file_name;
use spindle_journal::snapshot::{
    SNAPSHOT_HEADER, read_snapshot, snapshot_name, snapshots, thin_out, write_snapshot,
};
use spindle_journal::{Settings, Snapshot, Start, Tail, read, read_from};
use tools::{Chance, Written, open, payload, poll, records};

const SETTINGS: Settings = Settings { segment_bytes: 16 << 10 };

/// What a tail hands over until it has nothing more, and where it then is.
fn follow(tail: &mut Tail<SimDisk>, into: &mut Vec<Written>) -> Start {
    loop {
        let taken = poll(tail, |record| {
            into.push((record.sequence, record.kind, record.time, record.payload.to_vec()));
            true
        });
        if taken.expect("it is read") == 0 {
            return tail.start();
        }
    }
}

/// All records behind a place.
fn behind(disk: &SimDisk, start: &Start) -> Vec<Written> {
    let mut found = Vec::new();
    read_from(&mut disk.clone(), None, Some(start), &mut |_, record| {
        found.push((record.sequence, record.kind, record.time, record.payload.to_vec()));
        ControlFlow::Continue(())
    })
    .expect("it leads on");
    found
}

fn write_some(disk: &SimDisk, chance: &mut Chance, count: usize, longest: usize) {
    let (mut journal, _) = open(disk.clone(), SETTINGS).expect("it opens");
    for time in 0..count {
        let payload = payload(chance, longest);
        journal.append(2, time as u64, &payload).expect("it fits");
        if chance.below(4) == 0 {
            journal.commit().expect("committed");
        }
    }
    journal.mark(9).expect("marked");
}

#[test]
fn a_follower_sees_every_record_once_and_only_when_it_is_safe() {
    for seed in 0..30 {
        let (disk, mut chance) = (SimDisk::default(), Chance(seed));
        assert!(Tail::from_the_first(disk.clone()).expect("an empty directory").is_err());
        let (mut journal, _) = open(disk.clone(), SETTINGS).expect("it opens");
        let mut tail = Tail::from_the_first(disk.clone())
            .expect("it is read")
            .unwrap_or_else(|_| panic!("it is there"));
        let (mut written, mut seen) = (Vec::new(), Vec::new());
        for time in 0..400 {
            // Long ones leave the end of their segment empty.
            let longest = if chance.below(20) == 0 { 9_000 } else { 300 };
            let payload = payload(&mut chance, longest);
            let sequence = journal.append(3, time, &payload).expect("it fits");
            written.push((sequence, 3, time, payload));
            match chance.below(9) {
                0..3 => journal.commit().expect("committed"),
                3 => {
                    journal.mark(time).expect("marked");
                    written.push((journal.last(), 0, time, Vec::new()));
                }
                _ => {}
            }
            if chance.below(3) == 0 {
                follow(&mut tail, &mut seen);
                assert!(seen.len() as u64 <= journal.durable(), "seed {seed}");
                assert_eq!(seen, written[..seen.len()], "seed {seed}");
            }
        }
        if journal.durable() < journal.last() || written.last().is_some_and(|last| last.1 != 0) {
            journal.mark(1).expect("marked");
            written.push((journal.last(), 0, 1, Vec::new()));
        }
        let start = follow(&mut tail, &mut seen);
        // The last mark says that all before it is safe, and nothing says it of the mark.
        assert!(
            seen.len() + 1 >= written.len(),
            "seed {seed}: {} of {}",
            seen.len(),
            written.len()
        );
        assert!(start.place.segment > 3 && seen == written[..seen.len()]);
    }
}

#[test]
fn from_every_place_the_same_records_follow() {
    let (disk, mut chance) = (SimDisk::default(), Chance(3));
    write_some(&disk, &mut chance, 300, 700);
    let (all, scanned) = records(&mut disk.clone()).expect("whole");
    let mut tail = Tail::from_the_first(disk.clone())
        .expect("it is read")
        .unwrap_or_else(|_| panic!("it is there"));
    let mut starts = vec![tail.start()];
    // One record at a time: the second is refused, and comes again.
    loop {
        let mut first = true;
        match poll(&mut tail, |_| std::mem::take(&mut first)).expect("it is read") {
            0 => break,
            _ => starts.push(tail.start()),
        }
    }
    starts.dedup();
    assert!(starts.len() + 1 >= all.len(), "{} places of {} records", starts.len(), all.len());
    for start in &starts {
        let from = usize::try_from(start.chain.next - 1).expect("few");
        assert_eq!(behind(&disk, start), all[from..], "{start:?}");
        let mut seen = Vec::new();
        follow(&mut Tail::new(disk.clone(), start), &mut seen);
        assert_eq!(seen, all[from..from + seen.len()], "{start:?}");
    }
    // Segments before the place may be gone.
    let last = starts.last().expect("some");
    for number in 1..last.place.segment {
        disk.clone().remove(&file_name(number)).expect("gone");
    }
    assert_eq!(
        behind(&disk, last).len(),
        all.len() + 1 - usize::try_from(last.chain.next).expect("few")
    );
    let refused =
        read_from(&mut disk.clone(), None, Some(&starts[0]), &mut |_, _| ControlFlow::Continue(()));
    let line = refused.expect_err("its segment is gone").to_string();
    assert!(line.contains("segment 1 is missing"), "{line}");
    assert!(scanned.segments.1 > 3);
}

#[test]
fn a_first_group_longer_than_what_is_read_at_once_is_followed() {
    let (disk, mut chance) = (SimDisk::default(), Chance(9));
    let settings = Settings { segment_bytes: 8 << 20 };
    let (mut journal, _) = open(disk.clone(), settings).expect("it opens");
    // Nothing says of the first three mebibytes that they are safe before what stands behind them.
    for time in 0..3_000 {
        let mut payload = payload(&mut chance, 400);
        payload.resize(1_024, 7);
        journal.append(2, time, &payload).expect("it fits");
    }
    journal.commit().expect("committed");
    journal.mark(1).expect("marked");
    let mut tail =
        Tail::from_the_first(disk).expect("it is read").unwrap_or_else(|_| panic!("there"));
    let mut first = 0;
    assert!(tail.peek(&mut |record| first = record.sequence).expect("it is read"));
    assert_eq!(first, 1);
    let mut seen = Vec::new();
    follow(&mut tail, &mut seen);
    assert_eq!(seen.len(), 3_000);
}

fn snapshot_of(disk: &SimDisk, records: usize) -> Snapshot {
    let mut tail = Tail::from_the_first(disk.clone())
        .expect("it is read")
        .unwrap_or_else(|_| panic!("it is there"));
    let mut left = records;
    let _ = poll(&mut tail, |_| match left.checked_sub(1) {
        Some(less) => {
            left = less;
            true
        }
        None => false,
    });
    let state = (0..5_000_u32).flat_map(u32::to_le_bytes).collect();
    Snapshot { start: tail.start(), layout: 77, hash: 5, state }
}

#[test]
fn any_changed_byte_is_noticed_and_the_one_before_is_used() {
    let (disk, mut chance) = (SimDisk::default(), Chance(4));
    write_some(&disk, &mut chance, 60, 100);
    let identity = read::identity(&mut disk.clone()).expect("it is read").expect("a journal");
    let [old, new] = [20, 40].map(|records| snapshot_of(&disk, records));
    for snapshot in [&old, &new] {
        write_snapshot(&mut disk.clone(), snapshot).expect("written");
    }
    assert_eq!(snapshots(&mut disk.clone()).expect("listed"), [40, 20]);
    let again = read_snapshot(&mut disk.clone(), 40, Some(&identity), 77).expect("whole");
    assert_eq!(again, new);
    assert_eq!(again.start.chain.next, 41);
    // It is no part of what a journal is refused for.
    assert_eq!(records(&mut disk.clone()).expect("whole").0.len(), 61);
    let mut other = disk.clone();
    let file = other.open(&snapshot_name(40)).expect("it is there");
    let length = SNAPSHOT_HEADER + new.state.len();
    for at in (0..SNAPSHOT_HEADER).chain((SNAPSHOT_HEADER..length).step_by(617)) {
        let mut byte = [0];
        other.read(file, at as u64, &mut byte).expect("read");
        for bit in 0..8 {
            other.write(file, at as u64, &[byte[0] ^ 1 << bit]).expect("written");
            let passed = read_snapshot(&mut other, 40, Some(&identity), 77).expect_err("damaged");
            assert!(passed.to_string().contains("passed over"), "byte {at}: {passed}");
        }
        other.write(file, at as u64, &byte).expect("written");
    }
    assert!(read_snapshot(&mut other, 40, Some(&identity), 77).is_ok());
    let said = |identity, layout| {
        read_snapshot(&mut disk.clone(), 40, Some(identity), layout).expect_err("passed over").why
    };
    assert!(said(&identity, 78).contains("another program"));
    let strange = spindle_journal::Identity { journal: identity.journal + 1, ..identity };
    assert!(said(&strange, 77).contains("it is of journal"));
    other.rename(&snapshot_name(40), &snapshot_name(50)).expect("renamed");
    let passed = read_snapshot(&mut other, 50, Some(&identity), 77).expect_err("renamed");
    assert!(passed.why.contains("it was renamed"), "{passed}");
    assert_eq!(thin_out(&mut other, 1).expect("thinned out"), Some(50));
    assert_eq!(snapshots(&mut other).expect("listed"), [50]);
}

#[test]
fn a_snapshot_is_there_whole_or_not_at_all_whenever_the_power_goes() {
    for seed in 0..200 {
        let (disk, mut chance) = (SimDisk::default(), Chance(seed));
        write_some(&disk, &mut chance, 60, 100);
        let snapshot = snapshot_of(&disk, 30);
        match chance.below(3) {
            0 => disk.fail_write(chance.below(3) as u64),
            1 => disk.fail_sync(0),
            _ => {}
        }
        let written = write_snapshot(&mut disk.clone(), &snapshot).is_ok();
        let names = chance.below(disk.unsynced_names() + 1);
        disk.cut_power(names, || match chance.below(3) {
            0 => Cut::Lose,
            1 => Cut::Keep,
            _ => Cut::Tear(chance.below(513)),
        });
        let found = snapshots(&mut disk.clone()).expect("listed");
        assert!(!written || found == [30], "seed {seed}: it was safe");
        for sequence in found {
            assert!(read_snapshot(&mut disk.clone(), sequence, None, 77).is_ok(), "seed {seed}");
        }
        // What was begun is no stranger to who starts next.
        open(disk.clone(), SETTINGS).expect("it opens");
        assert!(disk.clone().names().expect("listed").iter().all(|name| !name.ends_with(".new")));
    }
}

#[test]
fn what_the_snapshot_knows_and_the_journal_has_not_is_refused() {
    let (disk, mut chance) = (SimDisk::default(), Chance(6));
    write_some(&disk, &mut chance, 40, 100);
    let start = snapshot_of(&disk, 30).start;
    let mut other = disk.clone();
    let file = other.open(&file_name(start.place.segment)).expect("it is there");
    let last = start.place.offset - start.before;
    let zeros = vec![0; usize::try_from(SETTINGS.segment_bytes - last).expect("small")];
    other.write(file, last, &zeros).expect("written");
    let refused = read_from(&mut other, None, Some(&start), &mut |_, _| ControlFlow::Continue(()));
    let line = refused.expect_err("record 30 is gone").to_string();
    assert!(line.contains("record 31, behind a snapshot, is not here"), "{line}");
}
