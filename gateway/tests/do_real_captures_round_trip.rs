//! Captures of real traffic, where they are at hand: every packet decodes and encodes to the same
//! bytes. Nasdaq's are OUCH 5.0; the Japannext ones are another OUCH, so only their SoupBinTCP
//! frames are looked at.

use std::path::{Path, PathBuf};

use etherparse::SlicedPacket;
use pcap_parser::{LegacyPcapSlice, PcapBlockOwned};
use spindle_gateway::ouch::inbound::Message;
use spindle_gateway::soup::codec::{PAYLOAD_MAX, Packet, split};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/ouch_pcap");

/// The TCP payloads of a capture, without the padding that Ethernet adds to short frames.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).expect("the capture");
    let blocks = LegacyPcapSlice::from_slice(&bytes).expect("a classic capture file");
    blocks
        .filter_map(|block| match block.expect("a whole block") {
            PcapBlockOwned::Legacy(block) => Some(block.data.to_vec()),
            _ => None,
        })
        .map(|frame| {
            let sliced = SlicedPacket::from_ethernet(&frame).expect("Ethernet");
            let Some(etherparse::TransportSlice::Tcp(tcp)) = sliced.transport else {
                panic!("{}: no TCP", path.display())
            };
            tcp.payload().to_vec()
        })
        .collect()
}

fn captures(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(Path::new(FOLDER).join(folder)) else {
        println!("skipped: no captures in {FOLDER}/{folder}");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// Checks every packet of every capture; gives their types and names.
fn check(folder: &str, mut each: impl FnMut(&Packet<'_>)) -> usize {
    let mut packets = 0;
    for path in captures(folder) {
        for payload in payloads(&path) {
            let mut rest = &payload[..];
            while !rest.is_empty() {
                let found = split(rest, PAYLOAD_MAX + 1).expect("SoupBinTCP");
                let (packet, length) = found.expect("whole packets");
                let mut written = vec![0; length];
                assert_eq!(packet.write(&mut written), Some(length), "{}", path.display());
                assert_eq!(written, rest[..length], "{}", path.display());
                each(&packet);
                rest = &rest[length..];
                packets += 1;
            }
        }
    }
    packets
}

#[test]
fn nasdaq_captures_round_trip() {
    let mut seen = Vec::new();
    let packets = check("nasdaq_ouch50", |packet| match packet {
        Packet::Unsequenced(bytes) => {
            let message = Message::decode(bytes).expect("OUCH 5.0");
            assert_eq!(message.to_owned_bytes(), *bytes);
            seen.push(message.name().to_owned());
        }
        other => seen.push(other.to_string()),
    });
    if packets > 0 {
        assert_eq!(seen, ["Cancel", "client heartbeat 'R'", "Enter", "server heartbeat 'H'"]);
    }
}

#[test]
fn japannext_frames_round_trip() {
    let mut seen = String::new();
    let packets = check("jnx_ouch_soupbin", |packet| {
        seen.push(char::from(packet.packet_type()));
        match packet {
            Packet::LoginRequest(request) => assert_eq!(request.requested_sequence(), Some(0)),
            Packet::LoginAccepted(accepted) => {
                assert_eq!(accepted.next_sequence(), Some(135));
                assert_eq!(accepted.session.trim_ascii(), b"1689192121");
            }
            _ => {}
        }
    });
    if packets > 0 {
        assert_eq!(seen, "UALSU");
    }
}
