//! Whether an ITCH file is read whole, and what is said where it is broken.

use std::io::{Cursor, Read};
use std::path::PathBuf;

use proptest::prelude::*;
use spindle_replay::generate::{GenerateConfig, GeneratedDay, Generator};
use spindle_replay::recording::{
    Batch, Format, Frames, ItchFile, Recording, RecordingError, detect,
};

type Read3 = (u64, u64, Vec<u8>);

/// All records with sequence and offset, and how it ended.
fn read(mut recording: Recording) -> (Vec<Read3>, Option<RecordingError>) {
    let mut records = Vec::new();
    loop {
        match recording.next_batch() {
            Ok(Some(Batch::Itch(messages))) => {
                assert!(!messages.is_empty());
                assert_eq!(messages.get(messages.len()), None);
                for (index, message) in messages.iter().enumerate() {
                    assert_eq!(messages.at(index), message);
                    let (sequence, offset) = (messages.sequence(index), messages.offset(index));
                    records.push((sequence, offset, message.to_vec()));
                }
            }
            Ok(Some(Batch::Events(_))) => panic!("an ITCH file has messages"),
            Ok(None) => return (records, None),
            Err(error) => {
                assert!(matches!(recording.next_batch(), Ok(None)), "after an error the end");
                return (records, Some(error));
            }
        }
    }
}

fn read_bytes(bytes: &[u8]) -> (Vec<Read3>, Option<RecordingError>) {
    read(Recording::new(ItchFile::new(Cursor::new(bytes.to_vec()))))
}

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend_from_slice(&u16::try_from(message.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(message);
    }
    bytes
}

fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(path);
    if !path.exists() {
        println!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

/// Gives its bytes in pieces of odd sizes.
struct Dribble(Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1 * 31 % 9_973 + 1;
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

#[test]
fn a_day_is_read_as_it_was_written_across_blocks() {
    let config = GenerateConfig::new(40_000, 20, 5).expect("a day");
    let mut bytes = Vec::new();
    Generator::new(config).write_to(&mut bytes, |_| ()).expect("memory");
    assert!(bytes.len() > 1_000_000, "several blocks");
    let (records, error) = read_bytes(&bytes);
    assert!(error.is_none());
    assert_eq!(records.len(), 40_000);
    for (sequence, (read, offset, message)) in (1..).zip(&records) {
        assert_eq!(*read, sequence);
        let at = usize::try_from(*offset).expect("small") + 2;
        assert_eq!(&bytes[at..at + message.len()], message);
    }
    let slow = Recording::new(ItchFile::new(Dribble(Cursor::new(bytes.clone()), 1)));
    assert_eq!(read(slow).0, records);
    assert_eq!(read(Recording::new(GeneratedDay::new(config))).0, records);
    let frames: Vec<Vec<u8>> = Frames::new(&bytes).map(|m| m.expect("whole").to_vec()).collect();
    assert!(frames.iter().eq(records.iter().map(|(_, _, message)| message)));
}

#[test]
fn a_cut_record_is_named_with_its_byte() {
    let whole = framed(&[vec![b'D'; 19], vec![b'A'; 36], vec![b'S'; 12]]);
    for length in 1..whole.len() {
        let (records, error) = read_bytes(&whole[..length]);
        let starts = [0, 21, 59, 73];
        let complete = starts.iter().filter(|&&start| start > 0 && start <= length).count();
        assert_eq!(records.len(), complete, "cut at {length}");
        if starts.contains(&length) {
            assert!(error.is_none(), "cut at {length}, between records");
            continue;
        }
        let Some(RecordingError::Truncated { offset, sequence, needed, got }) = error else {
            panic!("cut at {length}: {error:?}");
        };
        assert_eq!((offset, sequence), (starts[complete] as u64, complete as u64 + 1));
        assert_eq!(got, length as u64 - offset);
        assert!(needed > got);
        let frames: Vec<_> = Frames::new(&whole[..length]).collect();
        assert_eq!(frames.len(), complete + 1);
        assert!(matches!(frames.last(), Some(Err(RecordingError::Truncated { .. }))));
    }
    assert_eq!(
        read_bytes(&whole[..40]).1.expect("an error").to_string(),
        "byte 21: record 2 is cut short: it needs 38 bytes with its prefix, the file has 19 more"
    );
}

#[test]
fn a_zero_length_record_ends_a_recording_unless_data_follow() {
    let mut bytes = framed(&[vec![b'D'; 19]]);
    bytes.extend_from_slice(&[0, 0]);
    assert!(read_bytes(&bytes).1.is_none());
    bytes.extend_from_slice(&[0; 1000]);
    assert!(read_bytes(&bytes).1.is_none(), "padding is no data");
    assert_eq!(Frames::new(&bytes).count(), 1);
    bytes.push(7);
    let (records, error) = read_bytes(&bytes);
    assert_eq!(records.len(), 1);
    assert!(matches!(error, Some(RecordingError::AfterEnd { offset: 21 })));
    assert!(matches!(
        Frames::new(&bytes).last(),
        Some(Err(RecordingError::AfterEnd { offset: 21 }))
    ));
    let mut far = framed(&[vec![b'D'; 19]]);
    far.extend_from_slice(&vec![0; 1_000_000]);
    far.push(1);
    assert!(matches!(read_bytes(&far).1, Some(RecordingError::AfterEnd { offset: 21 })));
}

#[test]
fn prefixes_of_zero_are_an_error_and_not_an_empty_recording() {
    let bytes: Vec<u8> = [[0, 0].as_slice(), &[b'S'; 12], &[0, 0], &[b'R'; 39]].concat();
    assert!(matches!(read_bytes(&bytes).1, Some(RecordingError::ZeroPrefix { following: 53 })));
    assert!(matches!(detect(&bytes), Err(RecordingError::ZeroPrefix { .. })));
    assert!(matches!(read_bytes(&[]).1, Some(RecordingError::Empty)));
    assert!(matches!(detect(&[]), Err(RecordingError::Empty)));
}

#[test]
fn formats_are_told_by_their_first_bytes() {
    let day = framed(&[vec![b'S'; 12]]);
    assert!(matches!(detect(&day), Ok(Format::ItchFile)));
    assert!(matches!(detect(&framed(&[vec![b'z'; 12], vec![b'S'; 12]])), Ok(Format::ItchFile)));
    assert!(matches!(detect(b"\xd4\xc3\xb2\xa1...."), Ok(Format::Pcap)));
    let unknown = detect(b"hello, world").expect_err("a text");
    assert!(unknown.to_string().contains("68 65 6c 6c 6f 2c 20 77"), "{unknown}");
    for path in ["/", "/nowhere/at/all"] {
        assert!(Recording::open(path).is_err());
    }
}

#[test]
fn real_files_are_read_whole() {
    for (path, count) in [
        ("itch/nasdaq_20191230_open.part1.itch", 600),
        ("itch/nasdaq_20191230_directory.itch", 1000),
    ] {
        let Some(path) = shared(path) else { continue };
        let recording = Recording::open(&path).expect("a recording");
        assert_eq!(recording.format(), Format::ItchFile);
        let size = recording.size().expect("a file");
        let (records, error) = read(recording);
        assert!(error.is_none());
        assert_eq!(records.len(), count);
        let last = records.last().expect("one");
        assert_eq!(last.1 + 2 + last.2.len() as u64, size);
    }
}

proptest! {
    #[test]
    fn any_bytes_end_without_a_panic_and_frames_agree(
        bytes in proptest::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..600)
    ) {
        let (records, error) = read_bytes(&bytes);
        let mut frames = Frames::new(&bytes);
        for (_, _, message) in &records {
            prop_assert_eq!(frames.next().expect("as many").expect("whole"), message.as_slice());
        }
        let end = frames.next();
        match (end, error) {
            (None, None) => {}
            (None, Some(RecordingError::Empty)) => prop_assert!(bytes.is_empty()),
            (Some(Err(one)), Some(other)) => {
                prop_assert_eq!(one.to_string(), other.to_string());
            }
            (one, other) => prop_assert!(false, "{:?} and {:?}", one, other),
        }
        let _ = detect(&bytes);
    }
}
