//! Whether a day comes out of every container as it went in, and what is said of what is missing.

mod captures;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use captures::{Capture, Container, Link, day, frame, itch_file, mold, mold_packets};
use flate2::Compression;
use flate2::write::GzEncoder;
use spindle_feed::moldudp64::header;
use spindle_replay::inspect::{FaultKind, inspect_file};
use spindle_replay::record::PcapngWriter;
use spindle_replay::recording::{Batch, OpenOptions, Recording, RecordingError};
use zerocopy::IntoBytes;

const GROUP: &str = "233.54.12.111:26477";
const OTHER: &str = "233.54.12.112:26477";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// All messages, how it ended, and the notes.
fn read(mut recording: Recording) -> (Vec<Vec<u8>>, Option<RecordingError>, Vec<String>) {
    let mut messages = Vec::new();
    let mut offset = 0;
    let error = loop {
        match recording.next_batch() {
            Ok(Some(Batch::Itch(batch))) => {
                for (index, message) in batch.iter().enumerate() {
                    assert_eq!(batch.sequence(index), messages.len() as u64 + 1);
                    assert!(batch.offset(index) >= offset, "offsets rise");
                    offset = batch.offset(index);
                    messages.push(message.to_vec());
                }
            }
            Ok(Some(Batch::Events(_))) => panic!("messages, not events"),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(matches!(recording.next_batch(), Ok(None)));
    (messages, error, recording.notes())
}

fn written(bytes: &[u8], name: &str, folder: &Path) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("written");
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

fn capture(container: Container, link: Link, to: SocketAddr, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut capture = Capture::new(container, link);
    for (time, packet) in (1_692_711_000_000_000_000..).step_by(1_000).zip(packets) {
        capture.frame(time, &frame(link, to, packet), usize::MAX);
    }
    capture.bytes
}

const CONTAINERS: [Container; 8] = [
    Container::Pcap { big: false, nanoseconds: false },
    Container::Pcap { big: false, nanoseconds: true },
    Container::Pcap { big: true, nanoseconds: false },
    Container::Pcap { big: true, nanoseconds: true },
    Container::Pcapng { big: false, resolution: 6 },
    Container::Pcapng { big: false, resolution: 9 },
    Container::Pcapng { big: true, resolution: 6 },
    Container::Pcapng { big: true, resolution: 9 },
];

#[test]
fn compressed_files_give_what_plain_ones_give() {
    let folder = tempfile::tempdir().expect("a folder");
    let messages = day(20_000);
    let plain = itch_file(&messages);
    let (half, rest) = plain.split_at(plain.len() / 2);
    let variants = [
        ("plain", plain.clone(), 0),
        ("gz", gzip(&plain), 1),
        ("zst", zstd(&plain), 1),
        ("two members", [gzip(half), gzip(rest)].concat(), 1),
        ("two frames", [zstd(half), zstd(rest)].concat(), 1),
        ("both", gzip(&zstd(&plain)), 2),
    ];
    for (name, bytes, layers) in variants {
        let path = written(&bytes, name, folder.path());
        let recording = Recording::open(&path).expect(name);
        assert_eq!(recording.compression().len(), layers, "{name}");
        assert_eq!(recording.size(), Some(bytes.len() as u64));
        let (read, error, notes) = read(recording);
        assert!(read == messages && error.is_none() && notes.is_empty(), "{name}");
        let described = inspect_file(&path, |_, _| ()).expect(name);
        assert_eq!((described.messages, described.is_sound()), (20_000, true), "{name}");
        assert_eq!(described.unpacked_bytes.is_some(), layers > 0);
    }
}

#[test]
fn compressed_files_that_are_cut_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let messages = day(50_000);
    let plain = itch_file(&messages);
    for (name, bytes) in [("gz", gzip(&plain)), ("zst", zstd(&plain))] {
        for part in [2, 3, 9] {
            let path = written(&bytes[..bytes.len() * (part - 1) / part], name, folder.path());
            let (read, error, _) = read(Recording::open(&path).expect(name));
            assert!(!read.is_empty() && messages.starts_with(&read), "{name}");
            let error = error.expect("an error").to_string();
            let wanted = format!(
                "the {} data are damaged or cut short",
                if name == "gz" { "gzip" } else { "zstd" }
            );
            assert!(error.contains(&wanted), "{error}");
            let described = inspect_file(&path, |_, _| ()).expect(name);
            assert_eq!(described.faults[0].kind, FaultKind::Unreadable);
        }
    }
}

#[test]
fn captures_of_every_dialect_give_the_same_messages() {
    let folder = tempfile::tempdir().expect("a folder");
    let messages = day(2_000);
    let packets = mold_packets(&messages);
    for container in CONTAINERS {
        for link in Link::ALL {
            for to in [GROUP, "[ff02::1234]:26477"] {
                let what = format!("{container:?} {link:?} {to}");
                let bytes = capture(container, link, address(to), &packets);
                let path = written(&bytes, "capture", folder.path());
                let (read, error, notes) = read(Recording::open(&path).expect(&what));
                assert!(error.is_none() && notes.is_empty(), "{what}: {error:?} {notes:?}");
                assert!(read == messages, "{what}");
                let described = inspect_file(&path, |_, _| ()).expect(&what);
                let capture = described.capture.expect("a capture");
                assert_eq!((described.messages, capture.groups.len()), (2_000, 1), "{what}");
                assert_eq!(capture.groups[0].address, to, "{what}");
                let vlan = matches!(link, Link::Ethernet { vlan_tags: 1.. });
                assert_eq!(capture.vlan_tagged, if vlan { capture.frames } else { 0 }, "{what}");
                let first = capture.first_time.expect("a time");
                assert_eq!(first, "2023-08-22 13:30:00.000000000", "{what}");
            }
        }
    }
}

#[test]
fn packets_in_a_row_without_a_capture_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let messages = day(2_000);
    let mut bytes = header(captures::SESSION, 1, 0).as_bytes().to_vec();
    bytes.extend(mold_packets(&messages).concat());
    bytes.extend(header(captures::SESSION, 2_001, 0xffff).as_bytes());
    let path = written(&bytes, "day.mold", folder.path());
    let (found, error, notes) = read(Recording::open(&path).expect("packets"));
    assert!(found == messages && error.is_none() && notes.is_empty());

    let path = written(&bytes[..bytes.len() - 25], "cut.mold", folder.path());
    let (found, error, _) = read(Recording::open(&path).expect("packets"));
    assert!(messages.starts_with(&found) && found.len() > 1_900);
    let error = error.expect("an error").to_string();
    assert!(error.contains("message") && error.contains("of the packet needs"), "{error}");
}

#[test]
fn several_groups_are_listed_and_one_or_two_can_be_picked() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b, foreign) = (address(GROUP), address(OTHER), address("224.0.31.11:14320"));
    let messages = day(3_000);
    // Each line has packets of its own size, and each loses some.
    let (on_a, on_b) = (mold(&messages, 1_472), mold(&messages, 700));
    let link = Link::Ethernet { vlan_tags: 1 };
    let mut capture = Capture::new(CONTAINERS[5], link);
    let mut frames: Vec<(u64, SocketAddr, &Vec<u8>)> = Vec::new();
    let (step_a, step_b) = (2_000_000 / on_a.len() as u64, 2_000_000 / on_b.len() as u64);
    for (index, packet) in (0..).zip(&on_a).filter(|(index, _)| index % 7 != 3) {
        frames.push((index * step_a, a, packet));
    }
    for (index, packet) in (0..).zip(&on_b).filter(|(index, _)| index % 11 != 5) {
        frames.push((300 + index * step_b, b, packet));
    }
    frames.sort_by_key(|(time, ..)| *time);
    for (time, to, packet) in frames {
        capture.frame(time, &frame(link, to, packet), usize::MAX);
        capture.frame(time, &frame(link, foreign, &[7; 33]), usize::MAX);
    }
    let path = written(&capture.bytes, "two.pcapng", folder.path());

    let error = Recording::open(&path).err().expect("a choice").to_string();
    assert!(error.contains(GROUP) && error.contains(OTHER) && !error.contains("224."), "{error}");
    let pick = |groups: &[SocketAddr]| {
        Recording::open_with(&path, &OpenOptions { groups: groups.to_vec() })
    };
    let (only_a, _, notes) = read(pick(&[a]).expect("line A"));
    assert!(only_a.len() < 3_000 && notes.iter().any(|note| note.contains("messages lost")));
    let (both, error, _) = read(pick(&[a, b]).expect("both lines"));
    assert!(error.is_none());
    assert!(both.len() > only_a.len(), "one line fills the gaps of the other");
    let lost: Vec<&Vec<u8>> = messages.iter().filter(|message| !both.contains(message)).collect();
    assert!(lost.len() < 3_000 - only_a.len());

    assert!(matches!(pick(&[a, b, foreign]), Err(RecordingError::TooManyGroups(3))));
    let silent = pick(&[address("239.0.0.1:1")]).map(read).expect("opened").1;
    assert!(matches!(silent, Some(RecordingError::SilentGroup(_))), "{silent:?}");
    let plain = written(&itch_file(&messages), "plain", folder.path());
    let options = OpenOptions { groups: vec![a] };
    assert!(matches!(Recording::open_with(&plain, &options), Err(RecordingError::NotACapture(_))));
}

#[test]
fn a_capture_without_the_feed_is_refused_with_its_groups() {
    let folder = tempfile::tempdir().expect("a folder");
    let link = Link::Ethernet { vlan_tags: 0 };
    let bytes = capture(CONTAINERS[1], link, address(GROUP), &[vec![7; 33]]);
    let path = written(&bytes, "foreign", folder.path());
    let error = Recording::open(&path).err().expect("an error").to_string();
    assert!(error.contains("no group with MoldUDP64") && error.contains(GROUP), "{error}");
    let empty = Capture::new(CONTAINERS[1], link).bytes;
    let path = written(&empty, "empty", folder.path());
    assert!(matches!(Recording::open(&path), Err(RecordingError::NoGroup(_))));
    let described = inspect_file(&path, |_, _| ()).expect("a capture");
    assert_eq!(described.remark.as_deref(), Some("it holds no UDP or TCP packets"));
}

#[test]
fn cut_packets_and_fragments_are_counted_as_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let messages = day(500);
    let link = Link::Ethernet { vlan_tags: 0 };
    let mut capture = Capture::new(CONTAINERS[1], link);
    let packets = mold(&messages, 300);
    for (index, packet) in packets.iter().enumerate() {
        let mut bytes = frame(link, address(GROUP), packet);
        if index == 4 {
            bytes[20] |= 0x20; // More fragments follow: the IPv4 flags.
        }
        let snap = if index == 9 { 120 } else { usize::MAX };
        capture.frame(index as u64, &bytes, snap);
    }
    let path = written(&capture.bytes, "snap", folder.path());
    let (read, error, notes) = read(Recording::open(&path).expect("a capture"));
    assert!(error.is_none() && read.len() < 500);
    let notes = notes.join("\n");
    assert!(notes.contains("1 packets of the group cut by the capture"), "{notes}");
    assert!(notes.contains("1 IP fragments"), "{notes}");
    assert!(notes.contains(&format!("{} messages lost", 500 - read.len())), "{notes}");
    let described = inspect_file(&path, |_, _| ()).expect("a capture");
    let report = described.capture.expect("a capture");
    assert_eq!((report.cut, report.fragments), (1, 1));
    let fault = &described.faults[0];
    assert_eq!((fault.kind, fault.count, fault.first_record), (FaultKind::CutPacket, 1, 10));
}

#[test]
fn a_capture_that_ends_inside_a_block_is_read_up_to_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let messages = day(300);
    let packets = mold(&messages, 400);
    for container in CONTAINERS {
        let bytes = capture(container, Link::Raw, address(GROUP), &packets);
        let whole = capture(container, Link::Raw, address(GROUP), &packets[..packets.len() - 1]);
        let path = written(&bytes[..bytes.len() - 3], "cut", folder.path());
        let (read, error, _) = read(Recording::open(&path).expect("a capture"));
        assert!(!read.is_empty() && messages.starts_with(&read));
        let Some(RecordingError::Damaged { offset, record, .. }) = error else {
            panic!("{container:?}: {error:?}");
        };
        assert_eq!((offset, record), (whole.len() as u64, packets.len() as u64), "{container:?}");
    }
}

#[test]
fn what_the_recorder_writes_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let messages = day(1_000);
    for to in [GROUP, "[ff02::1234]:26477"] {
        let mut bytes = Vec::new();
        let mut writer = PcapngWriter::new(&mut bytes).expect("memory");
        let packets = mold_packets(&messages);
        for (time, packet) in (1_700_000_000_123_456_789..).zip(&packets) {
            let source = address("10.1.2.3:4000");
            writer.datagram(time, source, address(to), packet).expect("memory");
        }
        let (datagrams, length) = (writer.datagrams(), writer.bytes());
        assert_eq!(datagrams, packets.len() as u64);
        assert_eq!(length, bytes.len() as u64);
        let path = written(&bytes, "recorded", folder.path());
        let (read, error, notes) = read(Recording::open(&path).expect("a capture"));
        assert!(read == messages && error.is_none() && notes.is_empty());
        let capture = inspect_file(&path, |_, _| ()).expect("it").capture.expect("a capture");
        assert_eq!(capture.first_time.as_deref(), Some("2023-11-14 22:13:20.123456789"));
        assert_eq!(capture.groups[0].address, to);
    }
}
