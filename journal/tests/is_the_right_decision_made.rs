//! What is cut and what is refused: tails torn at every byte, every bit of records flipped, sectors lost,
//! doubled and written to wrong places. The right answer is known beforehand: records that a whole record behind
//! them says were safe are all there, or the journal is refused.

mod tools;

use spindle_journal::disk::{SECTOR, SimDisk};
use spindle_journal::format::{
    RECORD_HEADER, SEGMENT_HEADER, VERSION, decode_segment, encode_segment, file_name,
    record_bytes, seed,
};
use spindle_journal::scan::{Chain, End, Segment};
use spindle_journal::{Fault, JournalError, Refusal, Settings, Venue, read};
use std::ops::ControlFlow;
use tools::{Chance, IDENTITY, Written, journal, open, records};

const SETTINGS: Settings = Settings { segment_bytes: 128 << 10 };

fn refusal(error: JournalError) -> Refusal {
    match error {
        JournalError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

/// Where the records of the only segment begin, and where the last ends.
fn offsets(all: &[Written]) -> Vec<usize> {
    let mut at = SEGMENT_HEADER;
    let mut offsets = vec![at];
    for (_, _, _, payload) in all {
        at += record_bytes(payload.len());
        offsets.push(at);
    }
    offsets
}

/// What a scan finds in the bytes of the first segment: how many records, and what lies behind them.
fn scan(bytes: &[u8]) -> (usize, usize, End) {
    let chain = Chain { next: 1, previous: seed(&IDENTITY) };
    let mut segment = Segment::new(bytes, chain);
    let mut count = 0;
    while segment.next_record().is_some() {
        count += 1;
    }
    (count, segment.offset(), segment.end())
}

#[test]
fn a_tail_that_is_torn_at_any_byte_is_cut_to_the_last_whole_record() {
    let (disk, all) = journal(1, 500, SETTINGS, 200);
    let name = file_name(1);
    let whole = disk.contents(&name).expect("it is there");
    let offsets = offsets(&all);
    let end = offsets[all.len()];
    assert!(end > SEGMENT_HEADER + (64 << 10), "the test needs 64 KiB of records");
    let mut kept = all.len();
    let mut bytes = whole.clone();
    for at in (end - (64 << 10)..end).rev() {
        while offsets[kept] > at {
            kept -= 1;
        }
        // A record that lacks nothing but padding is whole.
        let needed = |record: usize| offsets[record] + RECORD_HEADER + all[record].3.len();
        let expected = kept + usize::from(kept < all.len() && needed(kept) <= at);
        // Cut off.
        let (found, offset, tail) = scan(&bytes[..at]);
        assert_eq!((found, offset), (expected, offsets[expected].min(offset)), "cut at {at}");
        assert!(matches!(tail, End::Clean | End::Torn { records: 0, .. }), "cut at {at}: {tail:?}");
        assert_eq!(matches!(tail, End::Torn { .. }), at > offsets[expected], "cut at {at}");
        // Followed by zeros, and by garbage: what is missing of a record may happen to be that.
        for fill in [0_u8, 0xa5] {
            bytes[at] = fill;
            bytes[at + 1..end].fill(fill);
            let (found, _, tail) = scan(&bytes);
            assert!(
                found >= expected && found <= expected + 1,
                "cut at {at}, then {fill}: {found}"
            );
            assert!(matches!(tail, End::Clean | End::Torn { records: 0, .. }), "{at}: {tail:?}");
        }
        bytes[at..end].copy_from_slice(&whole[at..end]);
        // Going on behind the cut is tried at some places.
        if at.is_multiple_of(1_009) {
            let disk = disk.copied();
            disk.put(&name, whole[..at].to_vec());
            let (mut journal, found) = open(disk.clone(), SETTINGS).expect("it opens");
            assert_eq!(found, all[..expected]);
            let next = journal.append(9, 9, b"next").expect("it fits");
            assert_eq!(next, expected as u64 + 1);
            journal.commit().expect("committed");
            let (again, scanned) = records(&mut disk.clone()).expect("it is whole");
            assert_eq!((again.len(), scanned.torn), (expected + 1, None));
        }
    }
}

#[test]
fn every_flipped_bit_of_a_hundred_records_is_refused_with_its_place() {
    let (disk, all) = journal(2, 300, SETTINGS, 60);
    let mut bytes = disk.contents(&file_name(1)).expect("it is there");
    let offsets = offsets(&all);
    let flip = |bytes: &mut [u8], at: usize, bit: u32| bytes[at] ^= 1 << bit;
    for record in 150..250 {
        // What is between records is not summed: only what a record says.
        let end = offsets[record] + RECORD_HEADER + all[record].3.len();
        for at in offsets[record]..end {
            for bit in 0..8 {
                flip(&mut bytes, at, bit);
                let (found, offset, tail) = scan(&bytes);
                assert_eq!((found, offset), (record, offsets[record]), "bit {bit} of byte {at}");
                let sequence = record as u64 + 1;
                assert!(
                    matches!(tail, End::Fault(Fault::Damaged { sequence: s, .. }) if s == sequence),
                    "bit {bit} of byte {at}: {tail:?}"
                );
                flip(&mut bytes, at, bit);
            }
        }
    }
    // And as it is told.
    flip(&mut bytes, offsets[200] + 20, 3);
    let damaged = SimDisk::default();
    damaged.put(&file_name(1), bytes);
    let error = records(&mut damaged.clone()).expect_err("it is damaged").to_string();
    let place =
        format!("simulated/00000001.segment, offset {}: record 201 is damaged", offsets[200]);
    assert!(error.starts_with(&place), "{error}");
}

/// After whatever was done to the sectors of a closed journal: either it is refused, or what is read are its
/// first records, and none is missing that a record says was safe.
fn is_right(whole: &[Written], disk: &SimDisk, what: &str) -> bool {
    match records(&mut disk.clone()) {
        Ok((found, _)) => {
            assert_eq!(found, whole[..found.len()], "{what}");
            // The mark at the end is the only one that says that the last group was safe.
            let mark = whole.len() - 1;
            assert!(found.len() >= mark || found.len() == whole.len(), "{what}: {}", found.len());
            true
        }
        Err(JournalError::Refused(_)) => false,
        Err(other) => panic!("{what}: {other}"),
    }
}

#[test]
fn lost_doubled_and_misdirected_sectors_are_never_overlooked() {
    let settings = Settings { segment_bytes: 64 << 10 };
    let (disk, all) = journal(3, 1_000, settings, 150);
    let files: Vec<_> = (1..)
        .map(|number| (file_name(number), disk.contents(&file_name(number))))
        .map_while(|(name, bytes)| bytes.map(|bytes| (name, bytes)))
        .collect();
    assert!(files.len() >= 2, "the test needs several segments");
    let used: Vec<_> = files
        .iter()
        .map(|(_, bytes)| bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last / SECTOR))
        .collect();
    let mut chance = Chance(33);
    let (mut refused, mut cut) = (0, 0);
    let rounds = 6_000;
    for round in 0..rounds {
        let (at, to) = (chance.below(files.len()), chance.below(files.len()));
        let from_sector = chance.below(used[at] + 1);
        let to_sector = chance.below(used[to] + 3).min(files[to].1.len() / SECTOR - 1);
        let from = from_sector * SECTOR..(from_sector + 1) * SECTOR;
        let target = to_sector * SECTOR..(to_sector + 1) * SECTOR;
        let source = files[at].1[from.clone()].to_vec();
        let mut bytes = files[to].1.clone();
        let before = bytes[target.clone()].to_vec();
        let what = match round % 4 {
            0 => {
                bytes[target.clone()].fill(0);
                "lost"
            }
            1 => {
                bytes[target.clone()].copy_from_slice(&source);
                "written to a wrong place"
            }
            2 => {
                // It was written to a wrong place, and where it belongs nothing was.
                if at == to {
                    bytes[from].fill(0);
                }
                bytes[target.clone()].copy_from_slice(&source);
                "misdirected"
            }
            _ => {
                let next = (to_sector + 1).min(bytes.len() / SECTOR - 1) * SECTOR;
                bytes[next..next + SECTOR].copy_from_slice(&before);
                "doubled"
            }
        };
        if bytes == files[to].1 {
            continue;
        }
        let changed = disk.copied();
        changed.put(&files[to].0, bytes);
        let what = format!("round {round}: sector {to_sector} of {} {what}", files[to].0);
        if is_right_or_beyond(&all, &changed, &what) {
            cut += 1;
        } else {
            refused += 1;
        }
    }
    assert!(refused > rounds / 2, "{refused} refused, {cut} opened");
}

/// As [`is_right`]; a change of the last group of all, with its mark, may be taken for a torn tail.
fn is_right_or_beyond(all: &[Written], disk: &SimDisk, what: &str) -> bool {
    match records(&mut disk.clone()) {
        Ok((found, scanned)) => {
            assert_eq!(found, all[..found.len()], "{what}");
            if found.len() < all.len() {
                let torn = scanned.torn.unwrap_or_else(|| panic!("{what}: cut and not said"));
                // Whatever is cut lies within one sector of the end, and the mark with it: a mark
                // that is whole would have spoken.
                let bytes: usize =
                    all[found.len()..].iter().map(|record| record_bytes(record.3.len())).sum();
                assert!(bytes <= 2 * SECTOR, "{what}: {bytes} bytes cut by {torn}");
            }
            true
        }
        Err(JournalError::Refused(_)) => false,
        Err(other) => panic!("{what}: {other}"),
    }
}

#[test]
fn all_patterns_of_the_last_eight_sectors_are_cut_where_nothing_was_synced() {
    // One group that was never synced: a power cut may keep any of its sectors.
    let disk = SimDisk::default();
    let (mut journal, _) = open(disk.clone(), SETTINGS).expect("a new journal");
    for time in 0..40 {
        journal.append(1, time, &[7; 100]).expect("it fits");
    }
    journal.commit().expect("committed");
    let safe = disk.contents(&file_name(1)).expect("it is there");
    let safe_records = records(&mut disk.clone()).expect("whole").0;
    for time in 40..62 {
        journal.append(1, time, &[9; 100]).expect("it fits");
    }
    journal.commit().expect("committed");
    let full = disk.contents(&file_name(1)).expect("it is there");
    let all = records(&mut disk.clone()).expect("whole").0;
    let changed: Vec<usize> = (0..full.len() / SECTOR)
        .filter(|sector| {
            let range = sector * SECTOR..(sector + 1) * SECTOR;
            full[range.clone()] != safe[range]
        })
        .collect();
    assert!(changed.len() == 8, "{}", changed.len());
    for pattern in 0..1_u32 << changed.len() {
        let mut bytes = safe.clone();
        for (at, sector) in changed.iter().enumerate() {
            if pattern >> at & 1 == 1 {
                let range = sector * SECTOR..(sector + 1) * SECTOR;
                bytes[range.clone()].copy_from_slice(&full[range]);
            }
        }
        let disk = SimDisk::default();
        disk.put(&file_name(1), bytes);
        let (found, scanned) = records(&mut disk.clone())
            .unwrap_or_else(|error| panic!("pattern {pattern:08b}: {error}"));
        assert!(found.len() >= safe_records.len(), "pattern {pattern:08b}");
        assert_eq!(found, all[..found.len()], "pattern {pattern:08b}");
        assert_eq!(scanned.torn.is_some(), found.len() < all.len() && pattern != 0);
    }
}

#[test]
fn segments_that_do_not_belong_together_are_refused_by_name() {
    let settings = Settings { segment_bytes: 16 << 10 };
    let (disk, _) = journal(5, 600, settings, 150);
    let (other, _) = journal(6, 600, settings, 150);
    let name = file_name;
    let fault = |disk: &SimDisk| refusal(records(&mut disk.clone()).expect_err("it is refused"));
    let count = (1..).find(|&number| disk.contents(&name(number)).is_none()).expect("an end") - 1;
    assert!(count > 4, "{count} segments");

    let missing = disk.copied();
    missing.take_away(&name(2));
    assert_eq!(fault(&missing).fault, Fault::Missing { expected: 2 });

    let swapped = disk.copied();
    swapped.put(&name(2), disk.contents(&name(3)).expect("it is there"));
    swapped.put(&name(3), disk.contents(&name(2)).expect("it is there"));
    assert!(matches!(fault(&swapped).fault, Fault::Misplaced { found: 3, .. }));

    // The same venue and journal, other records.
    let mixed = disk.copied();
    mixed.put(&name(2), other.contents(&name(2)).expect("it is there"));
    let Refusal { file, fault: what, .. } = fault(&mixed);
    assert!(file.ends_with(name(1)) || file.ends_with(name(2)), "{}", file.display());
    assert!(
        matches!(what, Fault::Misplaced { .. } | Fault::Hole { .. }),
        "a segment of another journal: {what}"
    );

    // What the last records of a segment were, is lost with its sectors.
    let hole = disk.copied();
    let mut bytes = disk.contents(&name(2)).expect("it is there");
    bytes.truncate(SEGMENT_HEADER + 4_096);
    hole.put(&name(2), bytes);
    assert!(matches!(fault(&hole).fault, Fault::Hole { .. } | Fault::Damaged { .. }));

    let of_page = |change: &dyn Fn(&mut spindle_journal::format::SegmentHeader)| {
        let changed = disk.copied();
        let mut bytes = disk.contents(&name(2)).expect("it is there");
        let mut header = decode_segment(&bytes).expect("whole");
        change(&mut header);
        bytes[..SEGMENT_HEADER].copy_from_slice(&encode_segment(&header));
        changed.put(&name(2), bytes);
        fault(&changed)
    };
    let foreign = of_page(&|header| header.venue = *b"OTHER           ");
    let other = Venue::named("OTHER");
    assert_eq!(foreign.fault, Fault::Foreign { found: other, expected: IDENTITY.venue });
    assert!(foreign.file.ends_with(name(2)));
    assert_eq!(of_page(&|header| header.journal = 78.into()).fault, Fault::Mixed);
    let future = of_page(&|header| header.version = (VERSION + 1).into());
    assert_eq!(future.fault, Fault::Future { found: VERSION + 1 });

    let broken = disk.copied();
    let mut bytes = disk.contents(&name(3)).expect("it is there");
    bytes[SEGMENT_HEADER - 1] ^= 1;
    broken.put(&name(3), bytes);
    assert_eq!(fault(&broken).fault, Fault::Header);

    let stranger = disk.copied();
    stranger.put("photos.zip", vec![1]);
    assert_eq!(fault(&stranger).fault, Fault::Stranger);
    assert_eq!(
        fault(&stranger).to_string(),
        "simulated/photos.zip, offset 0: it is no part of a journal; give an empty directory"
    );

    let mut foreign = disk.copied();
    let refused = read(&mut foreign, Some(other), &mut |_, _| ControlFlow::Continue(()));
    let refused = refusal(refused.expect_err("another venue's"));
    assert_eq!(refused.fault, Fault::Foreign { found: IDENTITY.venue, expected: other });
}

#[test]
fn a_record_of_a_future_version_is_refused_and_not_cut() {
    let (disk, all) = journal(7, 20, SETTINGS, 60);
    let name = file_name(1);
    let mut bytes = disk.contents(&name).expect("it is there");
    let begin = offsets(&all)[10];
    let end = begin + RECORD_HEADER + all[10].3.len();
    bytes[begin + 14] = 2;
    let checksum = crc32c::crc32c(&bytes[begin + 8..end]);
    bytes[begin + 4..begin + 8].copy_from_slice(&checksum.to_le_bytes());
    disk.put(&name, bytes);
    let refused = refusal(records(&mut disk.clone()).expect_err("refused"));
    assert_eq!((refused.fault, refused.offset), (Fault::Future { found: 2 }, begin as u64));
}

#[test]
fn closed_journals_are_right_after_any_single_change() {
    let (disk, all) = journal(8, 30, SETTINGS, 40);
    let whole = disk.contents(&file_name(1)).expect("it is there");
    let end = offsets(&all)[all.len()];
    for at in 0..end {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let disk = SimDisk::default();
        disk.put(&file_name(1), bytes);
        is_right(&all, &disk, &format!("byte {at}"));
    }
}
