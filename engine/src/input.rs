//! The engine's inputs as bytes: what a journal keeps, and how it is applied again.
//!
//! Kinds and layouts are written down in docs/journal.md and do not change; what is new gets a new number. All
//! integers are little-endian. The stamps of a command (`received`, `queued`) decide nothing and are not kept.

mod command;
mod pen;
mod risk;

use spindle_types::{EventTime, Sequence, keep};
use thiserror::Error;

use crate::command::Command;
use crate::digest::Digest;
use crate::engine::Engine;
use crate::event::Event;
use crate::risk::RiskChange;

pub(crate) use command::time_code;
pub use command::{decode_command, encode_command};
pub use pen::Cursor;
pub use risk::{decode_changes, encode_changes};

/// Kinds of records that are inputs of the engine.
pub mod kind {
    /// A request of a session: see [`super::encode_command`].
    pub const COMMAND: u16 = 1;
    /// A message of the market: its number in its stream (u64), its bytes.
    pub const MARKET: u16 = 2;
    /// A change of the feed's state: a [`super::FeedChange`].
    pub const FEED: u16 = 3;
    /// Changes of the risk gate, all or none: see [`super::encode_changes`].
    pub const RISK: u16 = 4;
    /// No input, not written any more, and passed over: [`DIGEST`] is in its place.
    pub const CHECKPOINT: u16 = 5;
    /// No input: what sessions had been told when it was so much: a [`super::Told`].
    pub const DIGEST: u16 = 6;
}

/// Bytes of the longest encoding of changes of the gate that one record takes.
pub const CHANGES_MAX: usize = 256 << 10;

/// Bytes of a record that are no input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} cannot be {value}")]
pub struct InputError {
    /// Which field.
    pub what: &'static str,
    /// What stands there; of a record that is too short its length.
    pub value: u64,
}

/// What a feed tells beside its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedChange {
    /// A new session of the stream begins.
    SessionStarted,
    /// Messages are missing and awaited.
    GapOpened,
    /// Nothing is missing any more.
    GapClosed,
    /// Nothing has come for too long.
    Silent,
    /// The market speaks again.
    Speaks,
    /// Messages that will never come: the first, and how many.
    Lost(Sequence, u64),
    /// The stream is over. The engine is not told.
    Ended,
}

impl FeedChange {
    /// As bytes: which (u8), and for lost ones first and count (u64 each).
    pub fn encode(self) -> ([u8; 17], usize) {
        let mut bytes = [0; 17];
        let tag = match self {
            Self::SessionStarted => 1,
            Self::GapOpened => 2,
            Self::GapClosed => 3,
            Self::Silent => 4,
            Self::Speaks => 5,
            Self::Lost(..) => 6,
            Self::Ended => 7,
        };
        bytes[0] = tag;
        match self {
            Self::Lost(first, count) => {
                bytes[1..9].copy_from_slice(&first.0.to_le_bytes());
                bytes[9..].copy_from_slice(&count.to_le_bytes());
                (bytes, 17)
            }
            _ => (bytes, 1),
        }
    }

    /// From bytes.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, InputError> {
        let mut cursor = Cursor::new(bytes);
        let change = match cursor.u8("feed change")? {
            1 => Self::SessionStarted,
            2 => Self::GapOpened,
            3 => Self::GapClosed,
            4 => Self::Silent,
            5 => Self::Speaks,
            6 => Self::Lost(Sequence(cursor.u64("first")?), cursor.u64("count")?),
            7 => Self::Ended,
            other => return Err(InputError { what: "feed change", value: other.into() }),
        };
        cursor.end()?;
        Ok(change)
    }
}

/// What had been told at some point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct Told {
    /// Events so far.
    pub events: u64,
    /// The digest of all of them: see [`crate::digest`].
    pub digest: Digest,
}

impl Told {
    /// Events between two that are recorded.
    pub const INTERVAL: u64 = 256;

    /// One more is told. Whether it is one after which what was told is recorded.
    #[inline]
    pub fn tell(&mut self, event: &Event) -> bool {
        self.digest.event(event);
        self.events = event.sequence;
        event.sequence.is_multiple_of(Self::INTERVAL)
    }

    /// As bytes: events, digest (u64 each).
    pub fn encode(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.events.to_le_bytes());
        bytes[8..].copy_from_slice(&self.digest.value().to_le_bytes());
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, InputError> {
        let mut cursor = Cursor::new(bytes);
        let (events, digest) = (cursor.u64("events")?, cursor.u64("digest")?);
        cursor.end()?;
        Ok(Self { events, digest: Digest::from_value(digest) })
    }
}

/// What had been told after so many inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Inputs so far.
    pub inputs: u64,
    /// What had been told.
    pub told: Told,
}

/// An input as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// A request of a session.
    Command(Command),
    /// A message of the market.
    Market(Sequence, &'a [u8]),
    /// A change of the feed's state.
    Feed(FeedChange),
    /// Changes of the risk gate.
    Risk(EventTime, Vec<RiskChange>),
}

impl<'a> Input<'a> {
    /// Reads a record; `None` for a kind that is no input of the engine.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn decode(kind: u16, time: u64, payload: &'a [u8]) -> Result<Option<Self>, InputError> {
        Ok(Some(match kind {
            kind::COMMAND => Self::Command(decode_command(EventTime(time), payload)?),
            kind::MARKET => {
                let mut cursor = Cursor::new(payload);
                let sequence = Sequence(cursor.u64("sequence")?);
                Self::Market(sequence, cursor.rest())
            }
            kind::FEED => Self::Feed(FeedChange::decode(payload)?),
            kind::RISK => Self::Risk(EventTime(time), decode_changes(payload)?),
            _ => return Ok(None),
        }))
    }
}

impl Engine {
    /// Applies an input that was recorded, as it was applied then. The outbox must have room.
    pub fn apply(&mut self, input: &Input<'_>) {
        match input {
            Input::Command(command) => self.on_command(command, &mut ()),
            // What is no message was counted then, and changed nothing.
            Input::Market(sequence, bytes) => drop(self.on_message(*sequence, bytes)),
            Input::Feed(change) => self.on_feed(*change),
            Input::Risk(time, changes) => drop(self.on_risk(*time, changes)),
        }
    }

    /// A change of the feed's state.
    pub fn on_feed(&mut self, change: FeedChange) {
        match change {
            FeedChange::SessionStarted => self.on_session_start(),
            FeedChange::GapOpened => self.on_gap(true),
            FeedChange::GapClosed => self.on_gap(false),
            FeedChange::Silent => self.on_silence(true),
            FeedChange::Speaks => self.on_silence(false),
            FeedChange::Lost(..) => self.on_loss(),
            FeedChange::Ended => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_the_feed_and_digests_are_read_back() {
        use FeedChange::*;
        let lost = Lost(Sequence(3), 9);
        for change in [SessionStarted, GapOpened, GapClosed, Silent, Speaks, lost, Ended] {
            let (bytes, length) = change.encode();
            assert_eq!(FeedChange::decode(&bytes[..length]), Ok(change));
            assert!(FeedChange::decode(&bytes[..length - 1]).is_err());
        }
        let told = Told { events: 2, digest: Digest::from_value(3) };
        assert_eq!(Told::decode(&told.encode()), Ok(told));
        assert!(Told::decode(&[0; 15]).is_err() && Told::decode(&[0; 17]).is_err());
    }
}
