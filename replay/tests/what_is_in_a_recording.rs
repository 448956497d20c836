//! Whether an inspection says what is in a file, and what is broken where.

use std::fs;
use std::path::Path;

use spindle_replay::generate::{GenerateConfig, Generator};
use spindle_replay::inspect::{FaultKind, Inspection, inspect_file};

fn inspect(path: &Path) -> Inspection {
    inspect_file(path, |_, _| ()).expect("a recording")
}

#[test]
fn a_generated_day_is_sound_and_its_text_is_aligned() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("day.itch");
    let config = GenerateConfig::new(1_000, 10, 1).expect("a day");
    let written = Generator::new(config)
        .write_to(fs::File::create(&path).expect("a file"), |_| ())
        .expect("written");
    let day = inspect(&path);
    assert!(day.is_sound());
    assert_eq!((day.messages, day.bytes), (1_000, written));
    assert_eq!((day.instruments.directory_entries, day.instruments.numbers), (10, 10));
    let text = day.to_string();
    let start = format!(
        "format           ITCH 5.0 file (2-byte length before each message)\n\
         bytes            {},{}\n\
         messages         1,000\n\
         instruments      10 in the directory, 10 seen, 10 by symbol\n\
         time             03:04:32.000000000 to 20:05:00.000000000\n\n\
         type  name                         count       %\n\
         A     add order                      ",
        written / 1_000,
        written % 1_000
    );
    assert!(text.starts_with(&start), "{text}");
    let json = serde_json::to_value(&day).expect("JSON");
    assert_eq!(json["messages"], 1_000);
    assert_eq!(json["types"][0]["type"], "A");
    assert_eq!(json["faults"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_is_broken_is_counted_and_located() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.itch");
    let mut bytes = Vec::new();
    for message in [
        [b"S".as_slice(), &[0; 11]].concat(), // sound
        [b"z".as_slice(), &[0; 5]].concat(),  // unknown, at byte 14
        [b"A".as_slice(), &[0; 10]].concat(), // too short, at byte 22
        [b"z".as_slice(), &[0; 2]].concat(),  // unknown again
        [b"D".as_slice(), &[0; 20]].concat(), // longer than known: tolerated
    ] {
        bytes.extend_from_slice(&u16::try_from(message.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(&message);
    }
    let end = bytes.len() as u64;
    bytes.extend_from_slice(&[0, 40, b'A']);
    fs::write(&path, &bytes).expect("written");
    let broken = inspect(&path);
    assert!(!broken.is_sound());
    assert_eq!(broken.messages, 5);
    let found: Vec<_> = broken
        .faults
        .iter()
        .map(|fault| (fault.kind, fault.count, fault.first_record, fault.first_byte))
        .collect();
    assert_eq!(
        found,
        [
            (FaultKind::UnknownType, 2, 2, 14),
            (FaultKind::ShortMessage, 1, 3, 22),
            (FaultKind::Truncated, 1, 6, end),
        ]
    );
    let text = broken.to_string();
    assert!(text.contains("unknown message type          2  first: record 2, byte 14"), "{text}");
    assert!(text.contains("message type 'A' has 11 bytes; it needs 36"), "{text}");
    let json = serde_json::to_value(&broken).expect("JSON");
    assert_eq!(json["faults"][2]["kind"], "truncated");
}

#[test]
fn zero_prefixes_are_a_fault_of_a_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("zero.itch");
    fs::write(&path, [[0, 0].as_slice(), b"S", &[1; 11], &[0, 0], b"R", &[1; 38]].concat())
        .expect("written");
    let zero = inspect(&path);
    assert_eq!(zero.faults[0].kind, FaultKind::ZeroPrefix);
    assert_eq!((zero.faults[0].first_byte, zero.messages), (0, 2));
    assert!(zero.remark.is_some_and(|remark| remark.contains("by their types alone")));
}
