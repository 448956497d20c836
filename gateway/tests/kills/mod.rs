//! Naive clients that are cut off while they trade, and the venue that they trade in: in process with
//! cuts at any byte, or over real sockets. What the engine told is written down between it and the
//! gateway, and is what each client must have been told, once and in order.

#![allow(unreachable_pub, clippy::cast_possible_truncation, reason = "for tests")]

pub mod fix;
pub mod ouch;
pub mod world;

use spindle_engine::event::{Event, Outcome};
use spindle_types::SessionId;

/// Splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// A client, which knows nothing of how its bytes travel.
pub trait Client {
    /// A connection begins: nothing of the last one is under way any more.
    fn connected(&mut self, now: u64);
    /// Asks for something, if it may.
    fn trade(&mut self, random: &mut Random, now: u64);
    /// Bytes came.
    fn take(&mut self, bytes: &[u8], now: u64);
    /// Bytes to send; what is sent is taken from the front.
    fn out(&mut self) -> &mut Vec<u8>;
    /// What it was told, in order.
    fn told(&self) -> &[String];
    /// What a client of its kind must have been told of an event.
    fn expected(&self, event: &Event) -> Option<String>;
}

/// Holds what a client was told against the events of its session.
pub fn compare(client: &dyn Client, session: SessionId, events: &[Event]) {
    let mut told = client.told().iter();
    let of_session = events.iter().filter(|event| event.session == session);
    for event in of_session.filter(|event| !event.outcome.is_public()) {
        if let Some(expected) = client.expected(event) {
            assert_eq!(told.next(), Some(&expected), "event {event:?}");
        }
    }
    assert_eq!(told.next(), None, "told and never happened");
}

/// What OUCH tells of an event, whatever its edition.
pub fn in_ouch(event: &Event) -> Option<String> {
    let number = event.token.0;
    Some(match event.outcome {
        Outcome::Accepted { .. } => format!("A {number}"),
        Outcome::Rejected { .. } => format!("J {number}"),
        Outcome::Replaced { original, .. } => format!("U {original} {number}"),
        Outcome::Canceled { quantity, .. } => format!("C {number} {quantity}"),
        Outcome::Executed { quantity, match_number, .. } => {
            format!("E {number} {quantity} {}", match_number.0)
        }
        _ => return None,
    })
}
