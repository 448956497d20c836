//! What is sent, and when.

use std::io;
use std::net::UdpSocket;

use hdrhistogram::Histogram;
use spindle_feed::itch;
use spindle_feed::moldudp64::{END_OF_SESSION, PAYLOAD_MAX, PacketBuilder, Session, header};
use zerocopy::IntoBytes;

use super::Ticks;
use crate::summary::histogram;

/// The stream's name.
pub(super) const SESSION: Session = *b"LABORATORY";

/// Messages before those that are measured: they bring caches, pages and branch predictors into the
/// state of a process that runs.
pub(super) const WARM_UP: usize = 2_000;

/// Nanoseconds between them, and before the first that is measured.
const WARM_UP_GAP: u64 = 25_000;
const WARM_UP_PAUSE: u64 = 20_000_000;

/// Messages in the opening second of 2019-12-30.
pub(super) const OPENING: usize = 527_644;

/// Nanoseconds after the last message was due in which a run must end.
const PATIENCE: u64 = 5_000_000_000;

/// A plan: when each message is due, in nanoseconds from the start, and how many may share a packet.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) due: Vec<u64>,
    /// Messages in a packet at most. Only what is due is sent, so packets fill up when the sender is
    /// behind, as an exchange's do.
    pub(super) packet_max: usize,
}

impl Plan {
    /// When receiving is given up, for a plan that begins at `start`: so long after its last message.
    pub(super) fn deadline(&self, start: u64) -> u64 {
        start + self.due.last().copied().unwrap_or(0) + PATIENCE
    }

    /// `count` messages at even distances.
    pub(super) fn even(per_second: u64, count: usize, packet_max: usize) -> Self {
        Self::after_warm_up(count, packet_max, |index| index * 1_000_000_000 / per_second.max(1))
    }

    /// `count` messages as fast as they can be sent.
    pub(super) fn flood(count: usize, packet_max: usize) -> Self {
        Self::after_warm_up(count, packet_max, |_| 0)
    }

    /// The opening second: [`OPENING`] messages with the gaps of that day, of which half were at
    /// most 1.45 µs and 99 in 100 at most 15.6 µs.
    pub(super) fn opening() -> Self {
        let mut random = Random(9_30_00);
        let mut at = 0;
        Self::after_warm_up(OPENING, PAYLOAD_MAX, |_| {
            at += random.opening_gap();
            at
        })
    }

    fn after_warm_up(count: usize, packet_max: usize, mut due: impl FnMut(u64) -> u64) -> Self {
        let start = WARM_UP as u64 * WARM_UP_GAP + WARM_UP_PAUSE;
        let warm_up = (0..WARM_UP as u64).map(|index| index * WARM_UP_GAP);
        let measured = (0..count as u64).map(|index| start + due(index));
        Self { due: warm_up.chain(measured).collect(), packet_max }
    }
}

/// A linear congruential generator: the same plan on every machine.
struct Random(u64);

impl Random {
    /// From 0 to 2^31 - 1.
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// 49 of 50 gaps are even between 0.2 and 2.7 µs, one is exponential with a mean of 22.5 µs: the
    /// simplest mixture with the median, the 99th percentile and the sum of the day.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "nanoseconds of a load, rounded down"
    )]
    fn opening_gap(&mut self) -> u64 {
        if self.next().is_multiple_of(50) {
            let uniform = (self.next() + 1) as f64 / (1_u64 << 31) as f64;
            (-uniform.ln() * 22_500.0) as u64
        } else {
            200 + self.next() % 2_500
        }
    }
}

/// What the sender did.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) packets: u64,
    /// Announcements of the end of the session.
    pub(super) ends: u64,
    /// Packets that the kernel refused.
    pub(super) errors: u64,
    /// From the first measured message to the last, in nanoseconds.
    pub(super) took: u64,
    /// How late each measured message was sent.
    pub(super) pacing: Histogram<u64>,
}

impl Sent {
    pub(super) fn new() -> Self {
        Self { packets: 0, ends: 0, errors: 0, took: 0, pacing: histogram() }
    }
}

/// Sends the plan, counted from `start`. Each message carries the time at which it is sent where ITCH has its time.
pub(super) fn send(plan: &Plan, socket: &UdpSocket, ticks: &Ticks, start: u64) -> Sent {
    let messages = templates();
    let mut builder = PacketBuilder::new(SESSION, 1, PAYLOAD_MAX);
    let mut sent = Sent::new();
    let (mut at, mut began) = (0, start);
    while at < plan.due.len() {
        let now = ticks.now();
        if now < start + plan.due[at] {
            std::hint::spin_loop();
            continue;
        }
        if at <= WARM_UP {
            began = now;
        }
        let first = at;
        while at < plan.due.len() && at - first < plan.packet_max && start + plan.due[at] <= now {
            let mut message = messages[at % messages.len()].clone();
            // Six bytes, big-endian, after type, locate and tracking number.
            message[5..11].copy_from_slice(&now.to_be_bytes()[2..]);
            if !builder.push(&message) {
                break;
            }
            if at >= WARM_UP {
                sent.pacing.saturating_record(now - start - plan.due[at]);
            }
            at += 1;
        }
        match socket.send(builder.packet()) {
            Ok(_) => sent.packets += 1,
            Err(_) => sent.errors += 1,
        }
        builder.next_packet();
    }
    sent.took = ticks.now() - began;
    sent
}

/// Says that the session is over. To be repeated until somebody has heard it.
pub(super) fn send_end(plan: &Plan, socket: &UdpSocket) -> io::Result<()> {
    let end = header(SESSION, plan.due.len() as u64 + 1, END_OF_SESSION);
    socket.send(end.as_bytes()).map(drop)
}

/// Messages in about the mix of a day: of 50, 22 adds, 21 deletes, 4 replaces, 2 executions, 1 cancel.
fn templates() -> Vec<Vec<u8>> {
    let of = |kind: u8, count: usize| {
        let length = itch::length_of(kind).unwrap_or(11);
        let mut message = vec![0; length];
        message[0] = kind;
        message[2] = 13;
        if kind == b'A' {
            message[19] = b'B';
        }
        vec![message; count]
    };
    let kinds = [(b'A', 22), (b'D', 21), (b'U', 4), (b'E', 2), (b'X', 1)];
    let mut messages: Vec<_> = kinds.iter().flat_map(|&(kind, count)| of(kind, count)).collect();
    // Mixed: 7 and 50 have no common divisor.
    messages = (0..50).map(|index| messages[index * 7 % 50].clone()).collect();
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_second_has_the_gaps_of_the_day() {
        let plan = Plan::opening();
        assert_eq!(plan.due.len(), WARM_UP + OPENING);
        let measured = &plan.due[WARM_UP..];
        let mut gaps: Vec<_> = measured.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_unstable();
        let at = |quantile: usize| gaps[gaps.len() * quantile / 1_000];
        assert!((1_400..1_500).contains(&at(500)), "{}", at(500));
        assert!((14_800..16_400).contains(&at(990)), "{}", at(990));
        let took = measured[OPENING - 1] - measured[0];
        assert!((950_000_000..1_050_000_000).contains(&took), "{took}");
    }

    #[test]
    fn plans_begin_with_the_warm_up() {
        let plan = Plan::even(1_000, 3, 1);
        assert_eq!(plan.due.len(), WARM_UP + 3);
        assert_eq!(plan.due[WARM_UP] - plan.due[WARM_UP - 1], WARM_UP_PAUSE + WARM_UP_GAP);
        assert_eq!(plan.due[WARM_UP + 2] - plan.due[WARM_UP], 2_000_000);
        assert_eq!(Plan::flood(2, 1).due[WARM_UP..], [70_000_000; 2]);
    }

    #[test]
    fn every_template_is_a_message() {
        for message in templates() {
            let decoded = itch::Message::decode(&message).expect("a message");
            let action = itch::to_event(&decoded).action;
            assert_ne!(action, spindle_feed::event::MarketAction::Other);
        }
    }
}
