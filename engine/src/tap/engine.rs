//! The engine's tap: what it records of its inputs.
//!
//! Requests of a turn share a frame, and messages of the market that follow each other do. A frame ends before
//! anything of another kind, and with the turn: see [`EngineTap::flush`].

use spindle_types::{EventTime, Sequence};

use super::{FRAME_HEADER, FRAME_MAX, FrameHeader, Tap, ring};
use crate::input::{self, CHANGES_MAX, FeedChange, kind};
use crate::risk::RiskChange;

/// Bytes of a frame that inputs share, at most; a message that is longer has one for itself.
const SHARED_MAX: usize = 8 << 10;

/// The engine's tap.
#[derive(Debug)]
pub struct EngineTap {
    tap: Tap,
    /// A frame that inputs share, with room for its header; empty between two.
    shared: Vec<u8>,
    /// Inputs in it.
    count: u64,
    /// Its header.
    header: FrameHeader,
    /// The number that the next message of the market has to have to share it.
    next: u64,
    /// The last event that was told.
    told: u64,
    changes: Vec<u8>,
}

impl EngineTap {
    /// An engine's tap; so many events were told before.
    pub fn new(tap: Tap, told: u64) -> Self {
        Self {
            tap,
            shared: Vec::with_capacity(FRAME_MAX),
            count: 0,
            header: FrameHeader { length: 0, kind: 0, time: 0, told: 0, passed: 0 },
            next: 0,
            told,
            changes: Vec::with_capacity(CHANGES_MAX),
        }
    }

    /// Whether an input can be taken.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.tap.has_room()
    }

    /// Whether changes of the gate can be taken.
    pub fn has_room_for_changes(&self) -> bool {
        self.tap.has_room_for(CHANGES_MAX + 2 * FRAME_MAX)
    }

    /// Frames so far, those included that have not set out yet.
    pub const fn frames(&self) -> u64 {
        self.tap.frames() + self.count
    }

    /// Sends off the frame that inputs share. Before whoever records waits for anybody.
    #[inline]
    pub fn flush(&mut self) {
        if self.count > 0 {
            self.tap.push(&self.header, &mut self.shared, self.count);
            self.count = 0;
        }
    }

    #[inline]
    fn begin(&mut self, kind: u16, time: u64, passed: u64) {
        self.flush();
        self.header = FrameHeader { length: 0, kind, time, told: self.told, passed };
        self.shared.clear();
        self.shared.extend_from_slice(&[0; FRAME_HEADER]);
    }

    /// A request was carried out: the first of those that were passed on and not carried out before. Up to
    /// [`EngineTap::flush`] it is on its way to nobody.
    #[inline]
    pub fn command(&mut self, time: EventTime, told: u64, passed: u64) {
        let is_shared = self.count > 0
            && self.header.kind == ring::CARRIED_OUT
            && self.shared.len() + 16 <= SHARED_MAX;
        if !is_shared {
            self.begin(ring::CARRIED_OUT, time.0, passed);
        }
        let (mut bytes, told_bytes) = ([0; 16], told.to_le_bytes());
        bytes[..8].copy_from_slice(&time.0.to_le_bytes());
        bytes[8..].copy_from_slice(&told_bytes);
        self.shared.extend_from_slice(&bytes);
        (self.told, self.header.told) = (told, told);
        self.count += 1;
    }

    /// A message of the market was applied. Where it led to events its frame sets out at once.
    #[inline]
    pub fn message(
        &mut self,
        sequence: Sequence,
        message: &[u8],
        time: EventTime,
        told: u64,
        passed: u64,
    ) {
        let Ok(length) = u16::try_from(message.len()) else {
            debug_assert!(false, "a message of a packet has at most 65,535 bytes");
            return;
        };
        let size = 10 + message.len();
        let is_shared = self.count > 0
            && self.header.kind == ring::MESSAGES
            && self.next == sequence.0
            && self.shared.len() + size <= SHARED_MAX;
        if !is_shared {
            self.begin(ring::MESSAGES, time.0, passed);
            self.shared.extend_from_slice(&sequence.0.to_le_bytes());
            self.shared.extend_from_slice(&self.told.to_le_bytes());
        }
        self.shared.extend_from_slice(&time.0.to_le_bytes());
        self.shared.extend_from_slice(&length.to_le_bytes());
        self.shared.extend_from_slice(message);
        self.next = sequence.0 + 1;
        self.count += 1;
        if self.told != told {
            (self.told, self.header.told) = (told, told);
            self.flush();
        }
    }

    fn write(&mut self, kind: u16, time: EventTime, told: u64, passed: u64, payload: &[u8]) {
        self.flush();
        self.told = told;
        let header = FrameHeader { length: 0, kind, time: time.0, told, passed };
        self.tap.write(&header, [payload, &[]]);
    }

    /// The feed's state has changed.
    #[cold]
    pub fn feed(&mut self, change: FeedChange, time: EventTime, told: u64, passed: u64) {
        let (bytes, length) = change.encode();
        self.write(kind::FEED, time, told, passed, &bytes[..length]);
    }

    /// The gate was changed, or refused to be.
    #[cold]
    pub fn changes(&mut self, changes: &[RiskChange], time: EventTime, told: u64, passed: u64) {
        let mut bytes = std::mem::take(&mut self.changes);
        bytes.clear();
        input::encode_changes(&mut bytes, changes);
        self.write(kind::RISK, time, told, passed, &bytes);
        self.changes = bytes;
    }
}

impl Drop for EngineTap {
    fn drop(&mut self) {
        self.flush();
    }
}
