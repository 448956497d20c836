//! Is the stream right for every pattern of loss on two lines? Twelve packets, each lost or not on
//! each line, are 2^24 patterns. They share their beginnings, so they are walked as a tree: the
//! state before a packet is copied, and each of the four fates of that packet is tried on a copy.
//! That is 22 million steps instead of 400 million, and every one of them is compared with a naive
//! reassembler, which is a set of received numbers.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

use spindle_feed::moldudp64::{END_OF_SESSION, PacketBuilder, header};
use spindle_feed::stream::{Delivery, HoldLimits, Origin, Stream, StreamConfig};
use zerocopy::IntoBytes;

const SESSION: [u8; 10] = *b"PATTERNS  ";
const WAIT: u64 = 1_000;

fn new_stream() -> Stream {
    let config = StreamConfig {
        gap_wait_ns: WAIT,
        hold: HoldLimits { messages: 16, bytes: 64, packets: 12 },
        ..StreamConfig::default()
    };
    Stream::new(config).expect("a configuration within its ranges")
}

/// Each packet carries one message: its number.
fn packets(count: u8) -> Vec<Vec<u8>> {
    (1..=count)
        .map(|number| {
            let mut builder = PacketBuilder::new(SESSION, number.into(), 64);
            assert!(builder.push(&[number]));
            builder.packet().to_vec()
        })
        .collect()
}

/// What was delivered: for message `n` bit `n - 1` of one of the two.
#[derive(Clone, Copy, Default)]
struct Delivered {
    next: u64,
    given: u32,
    lost: u32,
    gap_open: bool,
    ended: bool,
}

impl Delivered {
    fn take(&mut self, delivery: Delivery<'_>) {
        match delivery {
            Delivery::SessionStarted { session } => {
                assert_eq!((session, self.next), (SESSION, 0));
                self.next = 1;
            }
            Delivery::Message { sequence, bytes } => {
                assert_eq!(sequence, self.next, "a message out of order");
                assert_eq!(bytes, [sequence as u8]);
                self.given |= 1 << (sequence - 1);
                self.next += 1;
            }
            Delivery::Lost { first, count } => {
                assert_eq!(first, self.next, "a loss out of order");
                assert!(count > 0);
                for sequence in first..first + count {
                    self.lost |= 1 << (sequence - 1);
                }
                self.next += count;
            }
            Delivery::GapOpened { first } => {
                assert_eq!((first, self.gap_open), (self.next, false));
                self.gap_open = true;
            }
            Delivery::GapClosed { next } => {
                assert_eq!((next, self.gap_open), (self.next, true));
                self.gap_open = false;
            }
            Delivery::EndOfSession { next } => {
                assert_eq!((next, self.ended, self.gap_open), (self.next, false, false));
                self.ended = true;
            }
        }
    }
}

struct Walk {
    packets: Vec<Vec<u8>>,
    /// How many packets line B is behind line A.
    lag: usize,
    leaves: u64,
}

impl Walk {
    fn run(count: u8, lag: usize) -> u64 {
        let mut walk = Self { packets: packets(count), lag, leaves: 0 };
        walk.step(0, &new_stream(), Delivered::default(), 0);
        walk.leaves
    }

    /// Tries every fate of the packets of one step; `received` is the naive reassembler.
    fn step(&mut self, at: usize, stream: &Stream, delivered: Delivered, received: u32) {
        let count = self.packets.len();
        if at == count + self.lag {
            self.leaf(stream.clone(), delivered, received);
            return;
        }
        let on_a = (at < count).then_some(at);
        let on_b = at.checked_sub(self.lag).filter(|&at| at < count);
        for take_a in 0..=usize::from(on_a.is_some()) {
            for take_b in 0..=usize::from(on_b.is_some()) {
                let (mut stream, mut delivered, mut received) =
                    (stream.clone(), delivered, received);
                let fates = [(0, on_a, take_a), (1, on_b, take_b)];
                for (line, packet, taken) in fates {
                    if let (Some(packet), 1) = (packet, taken) {
                        let bytes = &self.packets[packet];
                        let each = &mut |delivery: Delivery<'_>| delivered.take(delivery);
                        stream.on_datagram(Origin::Line(line), bytes, at as u64, each);
                        received |= 1 << packet;
                    }
                }
                assert_eq!(delivered.given.trailing_ones(), received.trailing_ones());
                assert_eq!(delivered.lost, 0, "nothing is lost before its time");
                self.step(at + 1, &stream, delivered, received);
            }
        }
    }

    /// The end of the session shows every gap; then its time runs out.
    fn leaf(&mut self, mut stream: Stream, mut delivered: Delivered, received: u32) {
        let count = self.packets.len() as u64;
        let end = header(SESSION, count + 1, END_OF_SESSION);
        for line in 0..2 {
            let each = &mut |delivery: Delivery<'_>| delivered.take(delivery);
            stream.on_datagram(Origin::Line(line), end.as_bytes(), 100, each);
        }
        let all = (1 << count) - 1;
        assert_eq!(delivered.gap_open, received != all);
        stream.on_timer(100 + WAIT, &mut |delivery| delivered.take(delivery));
        assert_eq!((delivered.given, delivered.lost), (received, all & !received));
        assert!(delivered.ended && !delivered.gap_open);
        let gaps = stream.counters().gaps;
        assert_eq!(gaps.lost, u64::from((all & !received).count_ones()));
        assert_eq!(
            gaps.opened,
            gaps.filled_by_other_line + gaps.filled_late + gaps.filled_by_request + gaps.lost
        );
        assert_eq!((gaps.filled_late, gaps.filled_by_request, stream.missing()), (0, 0, 0));
        assert_eq!(stream.counters().delivered, u64::from(received.count_ones()));
        self.leaves += 1;
    }
}

#[test]
fn twelve_packets_side_by_side() {
    assert_eq!(Walk::run(12, 0), 1 << 24);
}

#[test]
fn line_b_behind_by_one_to_four_packets() {
    for lag in 1..=4 {
        assert_eq!(Walk::run(8, lag), 1 << 16);
    }
}

#[test]
fn line_b_behind_by_the_whole_session() {
    assert_eq!(Walk::run(8, 8), 1 << 16);
}
