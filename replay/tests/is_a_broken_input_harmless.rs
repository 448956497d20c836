//! Every prefix and every flipped bit of inputs of every kind: nothing panics, nothing runs away, and
//! what a prefix gives is what the whole gives up to there.

mod captures;

use std::io::Cursor;
use std::net::SocketAddr;
use std::path::PathBuf;

use captures::{Capture, Container, Link, day, frame, itch_file, mold};
use proptest::prelude::*;
use spindle_replay::inspect::inspect_reader;
use spindle_replay::recording::{Batch, OpenOptions, Recording};

/// A real packet of the exchange's feed: one order delete.
const REAL: &str =
    "303030303130303539420000000000e12f5a00010013440dbd00001f1aced85ad80000000001668bd6";

fn real_packet() -> Vec<u8> {
    (0..REAL.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&REAL[at..at + 2], 16).expect("hex"))
        .collect()
}

const GROUP: &str = "233.54.12.111:26477";

fn group() -> SocketAddr {
    GROUP.parse().expect("an address")
}

/// All messages or events of an input, as text, and how many there are at most worth keeping.
fn read(bytes: &[u8], groups: &[SocketAddr]) -> Vec<String> {
    let options = OpenOptions { groups: groups.to_vec() };
    let mut all = Vec::new();
    let Ok(mut recording) = Recording::from_reader(Cursor::new(bytes.to_vec()), &options) else {
        return all;
    };
    while let Ok(Some(batch)) = recording.next_batch() {
        match batch {
            Batch::Itch(messages) => all.extend(messages.iter().map(|m| format!("{m:02x?}"))),
            Batch::Events(events) => all.extend(events.events.iter().map(|e| format!("{e:?}"))),
        }
    }
    assert!(matches!(recording.next_batch(), Ok(None)), "after the end there is nothing");
    recording.notes();
    all
}

fn describe(bytes: &[u8]) {
    if let Ok(report) = inspect_reader(Cursor::new(bytes.to_vec()), |_, _| ()) {
        assert!(report.messages <= bytes.len() as u64);
        assert!(!report.to_string().is_empty());
    }
}

fn torture(what: &str, bytes: &[u8], groups: &[SocketAddr], ordered: bool) {
    let whole = read(bytes, groups);
    assert!(!whole.is_empty() || !ordered, "{what} is readable");
    describe(bytes);
    for length in 0..bytes.len() {
        let part = read(&bytes[..length], groups);
        assert!(whole.starts_with(&part) || !ordered, "{what} cut to {length} bytes");
        describe(&bytes[..length]);
    }
    let mut flipped = bytes.to_vec();
    for bit in 0..bytes.len() * 8 {
        flipped[bit / 8] ^= 1 << (bit % 8);
        read(&flipped, groups);
        describe(&flipped);
        flipped[bit / 8] ^= 1 << (bit % 8);
    }
}

fn capture(container: Container, link: Link) -> Vec<u8> {
    let mut packets = mold(&day(80)[..6], 128);
    packets.push(real_packet());
    let mut capture = Capture::new(container, link);
    for (time, packet) in (1_692_711_000_000_000_000..).zip(&packets) {
        capture.frame(time, &frame(link, group(), packet), usize::MAX);
    }
    capture.bytes
}

#[test]
fn captures_of_every_dialect() {
    let vlan = Link::Ethernet { vlan_tags: 1 };
    for (container, link) in [
        (Container::Pcap { big: false, nanoseconds: true }, vlan),
        (Container::Pcap { big: true, nanoseconds: false }, Link::Raw),
        (Container::Pcapng { big: false, resolution: 9 }, vlan),
        (Container::Pcapng { big: true, resolution: 6 }, Link::LinuxCooked),
    ] {
        let bytes = capture(container, link);
        torture(&format!("{container:?} {link:?}"), &bytes, &[group()], true);
    }
}

#[test]
fn files_of_messages_and_packets() {
    let messages = &day(80)[..12];
    torture("an ITCH file", &itch_file(messages), &[], true);
    torture("MoldUDP64 packets", &mold(messages, 128).concat(), &[], true);
    torture("a real packet", &real_packet(), &[], true);
    let zero: Vec<u8> = messages.iter().flat_map(|m| [[0, 0].as_slice(), m].concat()).collect();
    torture("zero prefixes", &zero, &[], false);
}

#[test]
fn texts() {
    let lobster = "34200.015105074,4,15818974,4,5794000,1\n34200.5,1,7,100,5794000,-1\n";
    torture("LOBSTER messages", lobster.as_bytes(), &[], false);
    torture("LOBSTER book", b"5802300,100,5794000,496\n5802300,100,5794000,196\n", &[], false);
    torture("PITCH", b"S28800011AAK27GA0000DTS000100SH    0000619200Y\nS2880001", &[], false);
    torture(
        "JSON",
        b"1723161254024619568 {\"stream\":\"a@b\",\"data\":{\"s\":\"X\"}}\n",
        &[],
        false,
    );
}

#[test]
fn compressed_inputs() {
    let file = itch_file(&day(80)[..4]);
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, &file).expect("memory");
        encoder.finish().expect("memory")
    };
    torture("gzip", &gzip, &[], false);
    torture("zstd", &zstd::encode_all(file.as_slice(), 3).expect("memory"), &[], false);
}

#[test]
fn real_files() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let files = [
        ("dbn/versions/test_data.mbo.v3.dbn", ""),
        ("dbn/versions/test_data.mbo.v1.dbn.zst", ""),
        ("itch_pcap/nasdaq_wire/NetOrderImbalanceIndicatorMessage.pcap", GROUP),
        ("itch_pcap/bx_anon/AddOrderMpidAttributionMessage.pcap", "0.0.0.0:0"),
        ("itch_pcap/nasdaq_anon/CrossTrade.pcap", "0.0.0.0:0"),
        ("ouch_pcap/nasdaq_ouch50/EnterOrderMessage.pcap", "206.200.125.172:8001"),
        ("iex/messages/Tops.IexTp.v1.5/TradingStatusMessage.pcap", "233.215.21.3:10377"),
    ];
    for (name, group) in files {
        let Ok(bytes) = std::fs::read(root.join(name)) else {
            println!("skipped: {name} is not here");
            continue;
        };
        let groups: Vec<SocketAddr> = group.parse().into_iter().collect();
        torture(name, &bytes, &groups, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn bytes_without_sense_behind_every_magic(
        magic in prop_oneof![
            Just(vec![0xa1, 0xb2, 0xc3, 0xd4]), Just(vec![0x4d, 0x3c, 0xb2, 0xa1]),
            Just(vec![0x0a, 0x0d, 0x0d, 0x0a]), Just(b"DBN\x03".to_vec()), Just(vec![0x1f, 0x8b, 8]),
            Just(vec![0x28, 0xb5, 0x2f, 0xfd]), Just(b"S28800011A".to_vec()), Just(vec![]),
        ],
        rest in proptest::collection::vec(prop_oneof![2 => 0_u8..6, 1 => any::<u8>()], 0..800)
    ) {
        let bytes = [magic, rest].concat();
        describe(&bytes);
        read(&bytes, &[]);
        read(&bytes, &[group()]);
    }
}
