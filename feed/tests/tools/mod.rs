//! What several tests of the stream need: packets whose content follows from their numbers, a
//! generator of random numbers, and a checker of the promises that every delivery keeps.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

pub(crate) mod scenario;

use spindle_feed::moldudp64::{PacketBuilder, Session};
use spindle_feed::stream::{Counters, Delivery, Stream};

/// The session with this letter.
pub(crate) fn session(letter: char) -> Session {
    let mut session = *b"SESSION   ";
    session[8] = letter as u8;
    session
}

/// The content of a message: different for each number and session, 0 to 18 bytes.
pub(crate) fn message(letter: char, number: u64) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.push(letter as u8);
    bytes.resize((number % 19) as usize, 0xaa);
    bytes
}

pub(crate) fn packet(letter: char, first: u64, count: u64) -> Vec<u8> {
    let mut builder = PacketBuilder::new(session(letter), first, 60_000);
    for number in first..first + count {
        assert!(builder.push(&message(letter, number)), "short packets only");
    }
    builder.packet().to_vec()
}

/// A linear congruential generator: the same numbers on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub(crate) fn per_mille(&mut self, chance: u64) -> bool {
        self.below(1_000) < chance
    }
}

/// Checks what holds of every delivery, whatever came in: numbers follow each other from 1 in each
/// session, contents are right, and gaps open and close in turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checker {
    pub(crate) session: Option<Session>,
    pub(crate) next: u64,
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) gaps: u64,
    pub(crate) gap_open: bool,
    pub(crate) ended: bool,
}

impl Checker {
    pub(crate) fn take(&mut self, delivery: Delivery<'_>) {
        match delivery {
            Delivery::SessionStarted { session } => {
                assert!(self.session.is_none() || self.ended, "a session before the last ended");
                *self = Self { session: Some(session), next: 1, ..self.clone() };
                self.ended = false;
            }
            Delivery::Message { sequence, bytes } => {
                self.expect(sequence);
                let letter = char::from(self.session.expect("a session")[8]);
                assert_eq!(bytes, message(letter, sequence));
                self.next += 1;
                self.delivered += 1;
            }
            Delivery::Lost { first, count } => {
                self.expect(first);
                assert!(count > 0);
                self.next += count;
                self.lost += count;
            }
            Delivery::GapOpened { first } => {
                self.expect(first);
                assert!(!self.gap_open);
                self.gap_open = true;
                self.gaps += 1;
            }
            Delivery::GapClosed { next } => {
                self.expect(next);
                assert!(self.gap_open);
                self.gap_open = false;
            }
            Delivery::EndOfSession { next } => {
                self.expect(next);
                assert!(!self.gap_open);
                self.ended = true;
            }
        }
    }

    fn expect(&self, sequence: u64) {
        assert!(self.session.is_some() && !self.ended, "a delivery outside a session");
        assert_eq!(sequence, self.next, "out of order");
    }

    /// Compares the stream's counters with what was delivered.
    pub(crate) fn check(&self, stream: &Stream) {
        let counters = stream.counters();
        check_balance(counters, stream.missing());
        assert_eq!(counters.delivered, self.delivered);
        assert_eq!(counters.gaps.lost + counters.before_join, self.lost);
        assert_eq!(counters.gaps.gaps, self.gaps);
        assert_eq!(stream.is_gap_open(), self.gap_open);
        assert_eq!(stream.missing() > 0, self.gap_open);
    }
}

/// Every datagram and every message of a gap is in exactly one count.
pub(crate) fn check_balance(counters: &Counters, missing: u64) {
    let gaps = &counters.gaps;
    assert_eq!(
        gaps.opened,
        gaps.filled_by_other_line + gaps.filled_late + gaps.filled_by_request + gaps.lost + missing,
        "{gaps:?}"
    );
    for line in &counters.lines {
        let counted = line.first
            + line.duplicates
            + line.heartbeats
            + line.ends
            + line.malformed
            + line.other_session
            + line.implausible;
        assert_eq!(line.packets, counted, "{line:?}");
    }
    let filled: u64 = counters.lines.iter().map(|line| line.filled).sum();
    let late: u64 = counters.lines.iter().map(|line| line.filled_late).sum();
    assert_eq!((filled, late), (gaps.filled_by_other_line, gaps.filled_late));
}

/// One real message of each of 18 types, captured from the exchange's own feed.
pub(crate) fn itch_messages() -> Vec<Vec<u8>> {
    include_str!("itch_messages.hex").lines().map(bytes_of_hex).collect()
}

fn bytes_of_hex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

/// The UDP payloads of the ITCH captures in the folder beside the repository that holds recordings;
/// none where there is no such folder. The captures are plain pcap, Ethernet, IPv4 with or without a
/// VLAN tag; those whose MoldUDP64 header was zeroed come with sequence number 1 in its place.
pub(crate) fn real_datagrams() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/itch_pcap");
    let Ok(captures) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = captures
        .flatten()
        .filter_map(|capture| std::fs::read_dir(capture.path()).ok())
        .flat_map(|files| files.flatten().map(|file| file.path()))
        .collect();
    files.sort();
    files.iter().flat_map(|file| payloads(&std::fs::read(file).expect("a file"))).collect()
}

fn payloads(pcap: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let mut rest = &pcap[24..];
    while rest.len() >= 16 {
        let length = u32::from_le_bytes(*rest[8..].first_chunk().expect("16 bytes")) as usize;
        let frame = &rest[16..16 + length];
        let tag = if frame[12..14] == [0x81, 0] { 4 } else { 0 };
        let udp = 14 + tag + usize::from(frame[14 + tag] & 0xf) * 4;
        let end = udp + usize::from(u16::from_be_bytes([frame[udp + 4], frame[udp + 5]]));
        let mut payload = frame[udp + 8..end].to_vec();
        if payload[10..18] == [0; 8] {
            payload[17] = 1;
        }
        payloads.push(payload);
        rest = &rest[16 + length..];
    }
    payloads
}
