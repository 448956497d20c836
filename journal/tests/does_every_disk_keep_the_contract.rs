//! The same journal over plain calls, io_uring and the simulated disk: the same bytes in the same files.

mod tools;

use std::path::Path;

use spindle_journal::disk::{Disk, PlainDisk, SimDisk, UringDisk};
use spindle_journal::format::file_name;
use spindle_journal::lock::DirectoryLock;
use spindle_journal::{JournalError, Settings};
use tools::{Chance, open, payload, records};

const SETTINGS: Settings = Settings { segment_bytes: 64 << 10 };

/// Writes, stops without a word, goes on, and closes.
fn exercise<D: Disk>(mut reopen: impl FnMut() -> D) -> Vec<Vec<u8>> {
    let mut chance = Chance(5);
    let mut count = 0;
    for life in 0..6 {
        let (mut journal, found) = open(reopen(), SETTINGS).expect("it opens");
        assert_eq!(found.len(), count, "life {life}");
        for time in 0..200 {
            let payload = payload(&mut chance, 400);
            journal.append(2, time, &payload).expect("it fits");
            if chance.below(5) == 0 {
                journal.commit().expect("committed");
                assert_eq!(journal.durable(), journal.last());
            }
        }
        if life % 2 == 0 {
            journal.mark(9).expect("marked");
        }
        // What was not committed is not there.
        count = usize::try_from(journal.durable()).expect("few");
    }
    let mut disk = reopen();
    let (_, scanned) = records(&mut disk).expect("whole");
    assert!(scanned.segments.1 > 3, "{:?}", scanned.segments);
    assert_eq!(scanned.torn, None);
    let segments = 1..=scanned.segments.1;
    segments
        .map(|number| {
            let file = disk.open(&file_name(number)).expect("it is there");
            let length = usize::try_from(disk.length(file).expect("a length")).expect("small");
            let mut bytes = vec![0; length];
            disk.read(file, 0, &mut bytes).expect("its bytes");
            bytes
        })
        .collect()
}

#[test]
fn all_disks_hold_the_same_bytes() {
    let simulated = SimDisk::default();
    let expected = exercise(|| simulated.clone());
    let directory = tempfile::tempdir().expect("a directory");
    let plain = exercise(|| PlainDisk::open(directory.path()).expect("it opens"));
    assert!(plain == expected, "plain calls");
    let directory = tempfile::tempdir().expect("a directory");
    if let Err(error) = UringDisk::open(directory.path()) {
        println!("notice: io_uring is not to be had here ({error}); skipped");
        return;
    }
    let uring = exercise(|| UringDisk::open(directory.path()).expect("it opens"));
    assert!(uring == expected, "io_uring");
}

#[test]
fn a_directory_has_one_writer() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = DirectoryLock::take(directory.path()).expect("free");
    let error = DirectoryLock::take(directory.path()).expect_err("taken");
    assert!(matches!(error, JournalError::Locked(_)));
    let line = error.to_string();
    assert!(line.ends_with("stop it or give another directory"), "{line}");
    drop(first);
    DirectoryLock::take(directory.path()).expect("free again");
}

#[test]
fn a_directory_that_is_not_there_or_a_link_is_refused_in_a_line() {
    assert!(PlainDisk::open(Path::new("/nonexistent")).is_err());
    let directory = tempfile::tempdir().expect("a directory");
    let aside = directory.path().join("aside");
    std::fs::create_dir(&aside).expect("made");
    std::fs::write(directory.path().join("target"), b"precious").expect("written");
    let link = aside.join("00000001.segment");
    std::os::unix::fs::symlink(directory.path().join("target"), link).expect("linked");
    let error = open(PlainDisk::open(&aside).expect("it opens"), SETTINGS).err().expect("refused");
    assert!(error.to_string().contains("00000001.segment: cannot read"), "{error}");
    let left = std::fs::read(directory.path().join("target")).expect("it is there");
    assert_eq!(left, b"precious");
}
