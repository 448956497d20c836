//! Every real ITCH, MoldUDP64, SoupBinTCP and OUCH message of the recordings beside the repository,
//! decoded and encoded again, byte for byte. Skips, and says so, where the recordings are not there.

use std::fs;
use std::path::{Path, PathBuf};

use spindle_feed::itch::Message;
use spindle_feed::moldudp64::{self, Kind, Packet, PacketBuilder};
use spindle_gateway::ouch::{inbound, outbound};
use spindle_gateway::soup::codec::{self, Packet as Soup};
use spindle_replay::recording::{Batch, Recording, RecordingError};

/// The folder of the recordings, or `None` with a line that says what is skipped.
fn data(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(folder);
    if !path.is_dir() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// Every file below a folder whose name ends so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The Ethernet frames of a classic capture.
fn frames(capture: &[u8]) -> Vec<&[u8]> {
    let little = capture[0] == 0xd4 || capture[0] == 0x4d;
    let number = |at: usize| {
        let bytes = capture[at..at + 4].try_into().expect("four bytes");
        if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    };
    let (mut at, mut frames) = (24, Vec::new());
    while at < capture.len() {
        let length = number(at + 8) as usize;
        frames.push(&capture[at + 16..at + 16 + length]);
        at += 16 + length;
    }
    frames
}

/// The payload of an IPv4 packet in an Ethernet frame: the protocol, and what it carries.
fn payload(frame: &[u8]) -> (u8, &[u8]) {
    let tag = if frame[12..14] == [0x81, 0] { 4 } else { 0 };
    let ip = &frame[14 + tag..];
    let length = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let ip_header = usize::from(ip[0] & 0x0f) * 4;
    let body = &ip[ip_header..length];
    match ip[9] {
        17 => (17, &body[8..]),
        6 => (6, &body[usize::from(body[12] >> 4) * 4..]),
        other => (other, body),
    }
}

fn itch_survives(bytes: &[u8], place: &str) {
    let message = Message::decode(bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(message.to_owned_bytes(), bytes, "{place}");
}

#[test]
fn itch_files() {
    let Some(folder) = data("itch") else { return };
    let mut total = 0;
    for path in files(&folder, ".itch") {
        let place = path.display().to_string();
        let (mut recording, mut written) = (Recording::open(&path).expect(&place), Vec::new());
        while let Some(batch) = recording.next_batch().expect(&place) {
            let Batch::Itch(messages) = batch else { panic!("{place} is ITCH") };
            for bytes in messages.iter() {
                itch_survives(bytes, &place);
                let length = u16::try_from(bytes.len()).expect("short");
                written.extend_from_slice(&length.to_be_bytes());
                written.extend_from_slice(bytes);
                total += 1;
            }
        }
        assert_eq!(written, fs::read(&path).expect(&place), "{place}");
    }
    assert_eq!(total, 1_600, "600 and 1,000 messages");
}

#[test]
fn a_file_whose_lengths_are_all_zero_is_refused() {
    let Some(folder) = data("itch") else { return };
    let path = folder.join("simulated_ritch_zero_length_prefix.itch.gz");
    let error = Recording::open(&path).and_then(|mut recording| {
        while recording.next_batch()?.is_some() {}
        Ok(())
    });
    let error: RecordingError = error.expect_err("lengths of zero");
    println!("{error}");
    assert!(!error.to_string().contains('\n'));
}

#[test]
fn itch_captures() {
    let Some(folder) = data("itch_pcap") else { return };
    let (mut packets, mut messages) = (0, 0);
    for path in files(&folder, ".pcap") {
        let place = path.display().to_string();
        for frame in frames(&fs::read(&path).expect(&place)) {
            let (protocol, datagram) = payload(frame);
            assert_eq!(protocol, 17, "{place}");
            let packet = Packet::parse(datagram).unwrap_or_else(|e| panic!("{place}: {e}"));
            let mut builder =
                PacketBuilder::new(*packet.session(), packet.sequence(), moldudp64::PAYLOAD_MAX);
            for bytes in packet.messages() {
                itch_survives(bytes, &place);
                assert!(builder.push(bytes), "{place}");
                messages += 1;
            }
            assert_eq!(builder.packet(), datagram, "{place}");
            packets += 1;
        }
    }
    println!("{packets} packets, {messages} messages");
    assert!(packets > 100, "{packets}");
    assert!(messages >= packets, "{messages}");
}

#[test]
fn packets_of_another_dialect_and_a_cut_tail() {
    let Some(folder) = data("mold") else { return };
    let bytes = fs::read(folder.join("other_itch_dialect.moldudp64.dat")).expect("the file");
    // The packets follow one another without a length: each ends where its blocks do.
    let (mut at, mut whole) = (0, 0);
    while at < bytes.len() {
        let count = u16::from_be_bytes([bytes[at + 18], bytes[at + 19]]);
        let mut end = at + 20;
        for _ in 0..count {
            let Some(prefix) = bytes.get(end..end + 2) else { break };
            end += 2 + usize::from(u16::from_be_bytes([prefix[0], prefix[1]]));
        }
        let datagram = &bytes[at..end.min(bytes.len())];
        match Packet::parse(datagram) {
            Ok(packet) => {
                assert_eq!(packet.kind(), Kind::Data);
                let session = *packet.session();
                let mut builder = PacketBuilder::new(session, packet.sequence(), 65_507);
                assert!(packet.messages().all(|message| builder.push(message)));
                assert_eq!(builder.packet(), datagram);
                whole += 1;
            }
            Err(error) => {
                println!("{error}");
                assert_eq!(end, bytes.len() + 5, "the last message is cut by five bytes");
                assert!(matches!(error, moldudp64::PacketError::Truncated { block: 13, .. }));
            }
        }
        at = end;
    }
    assert_eq!(whole, 2, "two whole packets and a cut one");
}

#[test]
fn order_entry_captures() {
    let Some(folder) = data("ouch_pcap") else { return };
    let mut packets = 0;
    for path in files(&folder, ".pcap") {
        let place = path.display().to_string();
        let nasdaq = place.contains("nasdaq_ouch50");
        for frame in frames(&fs::read(&path).expect(&place)) {
            let (protocol, mut stream) = payload(frame);
            assert_eq!(protocol, 6, "{place}");
            while !stream.is_empty() {
                let (packet, length) =
                    codec::split(stream, usize::from(u16::MAX)).expect(&place).expect(&place);
                let mut written = vec![0; packet.wire_length()];
                assert_eq!(packet.write(&mut written), Some(length), "{place}");
                assert_eq!(written, stream[..length], "{place}");
                // The other venue's OUCH is an older version: there the framing alone is ours.
                match packet {
                    Soup::Unsequenced(bytes) if nasdaq => {
                        let message = inbound::Message::decode(bytes).expect(&place);
                        assert_eq!(message.to_owned_bytes(), bytes, "{place}");
                    }
                    Soup::Sequenced(bytes) if nasdaq => {
                        let message = outbound::Message::decode(bytes).expect(&place);
                        assert_eq!(message.to_owned_bytes(), bytes, "{place}");
                    }
                    _ => {}
                }
                stream = &stream[length..];
                packets += 1;
            }
        }
    }
    println!("{packets} packets");
    assert!(packets >= 9, "{packets}");
}
