//! A journal on a disk that forgets what was not synced, cut at any moment, also while it recovers: what was
//! safe is there, in order, and nothing twice. Segments are so small that they rotate all the time.

mod tools;

use spindle_journal::disk::{Cut, SimDisk};
use spindle_journal::{JournalError, Settings};
use tools::{Chance, Written, open, payload, records};

const SETTINGS: Settings = Settings { segment_bytes: 6 << 10 };

fn cut(disk: &SimDisk, chance: &mut Chance) {
    let names = chance.below(disk.unsynced_names() + 1);
    let luck = chance.below(3);
    disk.cut_power(names, || match (luck, chance.below(3)) {
        (0, _) => Cut::Lose,
        (1, 0) | (2, 1) => Cut::Keep,
        (_, 2) => Cut::Tear(chance.below(513)),
        _ => Cut::Lose,
    });
}

/// Runs a journal through cuts and errors: what was acknowledged is always there.
fn walk(seed: u64, lives: usize) -> (usize, usize) {
    let mut chance = Chance(seed);
    let disk = SimDisk::default();
    let mut written: Vec<Written> = Vec::new();
    let mut acknowledged = 0;
    let (mut torn, mut errors) = (0, 0);
    for life in 0..lives {
        // Recovery itself may be cut, any number of times; its reading changes nothing.
        while chance.below(3) == 0 {
            if chance.below(2) == 0 {
                disk.fail_sync(chance.below(3) as u64);
            }
            let _ = open(disk.clone(), SETTINGS);
            cut(&disk, &mut chance);
        }
        let (found, scanned) = records(&mut disk.clone())
            .unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
        torn += usize::from(scanned.torn.is_some());
        assert!(found.len() >= acknowledged, "seed {seed}, life {life}: {acknowledged} were safe");
        assert_eq!(found, written[..found.len()], "seed {seed}, life {life}");
        written.truncate(found.len());
        let (mut journal, again) = open(disk.clone(), SETTINGS)
            .unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
        assert_eq!(again, found);
        // What recovery has handed on is safe: it may be told to clients now.
        acknowledged = found.len();
        match chance.below(6) {
            0 => disk.fail_write(chance.below(12) as u64),
            1 => disk.fail_sync(chance.below(12) as u64),
            _ => {}
        }
        for _ in 0..chance.below(60) {
            let payload = payload(&mut chance, 300);
            let (kind, time) = (1 + u16::from(payload.len().is_multiple_of(2)), chance.draw());
            let result = journal.append(kind, time, &payload).map(|sequence| {
                written.push((sequence, kind, time, payload));
            });
            let result = match chance.below(4) {
                0 => result.and_then(|()| journal.commit()),
                _ => result,
            };
            if result.is_err() {
                errors += 1;
                assert!(matches!(journal.append(1, 1, b"x"), Err(JournalError::Failed)));
                assert!(matches!(journal.commit(), Err(JournalError::Failed)), "never again");
                break;
            }
            acknowledged = usize::try_from(journal.durable()).expect("few");
        }
        cut(&disk, &mut chance);
    }
    (torn, errors)
}

#[test]
fn what_was_safe_is_there_after_every_cut() {
    let seeds = std::env::var("SPINDLE_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let (mut torn, mut errors) = (0, 0);
    for seed in 0..seeds.unwrap_or(400) {
        let (t, e) = walk(seed, 25);
        torn += t;
        errors += e;
    }
    assert!(torn > 150 && errors > 100, "{torn} torn tails, {errors} errors");
}

#[test]
fn every_kth_call_that_fails_stops_the_journal_for_good() {
    for k in 0..200 {
        for sync in [false, true] {
            let disk = SimDisk::default();
            let (mut journal, _) = open(disk.clone(), SETTINGS).expect("a new journal");
            if sync {
                disk.fail_sync(k)
            } else {
                disk.fail_write(k)
            }
            let mut safe = 0;
            let error = loop {
                let done = journal.append(1, 5, &[3; 90]).and_then(|_| journal.commit());
                match done {
                    Ok(()) => safe = journal.durable(),
                    Err(error) => break error,
                }
            };
            assert!(error.to_string().contains("Input/output error"), "{error}");
            assert!(matches!(journal.commit(), Err(JournalError::Failed)));
            let calls = disk.calls();
            assert!(journal.mark(1).is_err());
            assert_eq!(disk.calls(), calls, "no call after the error");
            disk.cut_power(usize::MAX, || Cut::Lose);
            let (found, _) = records(&mut disk.clone()).expect("it opens");
            assert!(found.len() as u64 >= safe, "call {k}: {} of {safe}", found.len());
        }
    }
}

#[test]
fn without_room_nothing_is_begun_and_a_full_disk_stops_it() {
    let disk = SimDisk::default();
    disk.limit_room(2 * SETTINGS.segment_bytes);
    let (mut journal, _) = open(disk.clone(), SETTINGS).expect("room for two");
    let error = loop {
        if let Err(error) = journal.append(1, 1, &[1; 200]).and_then(|_| journal.commit()) {
            break error;
        }
    };
    assert!(error.to_string().contains("no room left on the device"), "{error}");
    let safe = journal.durable();
    let (found, _) = records(&mut disk.clone()).expect("whole");
    assert_eq!(found.len() as u64, safe);
    let full = SimDisk::default();
    full.limit_room(100);
    let error = open(full, SETTINGS).err().expect("no room");
    assert_eq!(
        error.to_string(),
        "simulated/00000001.segment.new: cannot make: no room left on the device; make room or give \
         another directory"
    );
}
