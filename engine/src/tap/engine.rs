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
    /// A frame that inputs share, behind room for its header.
    shared: Box<[u8; FRAME_MAX]>,
    /// Bytes of it.
    length: usize,
    /// Inputs in it; none between two.
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
            shared: Box::new([0; FRAME_MAX]),
            length: FRAME_HEADER,
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
        // Whoever began a frame had room for two of the longest, and flushes before each packet.
        self.count > 0 || self.tap.has_room()
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
            self.tap.push(&self.header, &mut self.shared[..self.length], self.count);
            self.count = 0;
        }
    }

    #[cold]
    fn begin(&mut self, kind: u16, time: u64, passed: u64) {
        self.flush();
        self.header = FrameHeader { length: 0, kind, time, told: self.told, passed };
        self.length = FRAME_HEADER;
    }

    /// Appends to the frame that inputs share; there is room.
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(space) = self.shared.get_mut(self.length..self.length + N) {
            space.copy_from_slice(&bytes);
            self.length += N;
        }
    }

    /// Whether an input of so many bytes goes into the frame that there is.
    #[inline]
    const fn shares(&self, kind: u16, size: usize) -> bool {
        self.count > 0 && self.header.kind == kind && self.length + size <= SHARED_MAX
    }

    /// A request was carried out: the first of those that were passed on and not carried out before. Up to
    /// [`EngineTap::flush`] it is on its way to nobody.
    #[inline]
    pub fn command(&mut self, time: EventTime, told: u64, passed: u64) {
        if !self.shares(ring::CARRIED_OUT, 16) {
            self.begin(ring::CARRIED_OUT, time.0, passed);
        }
        self.put(time.0.to_le_bytes());
        self.put(told.to_le_bytes());
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
        if self.next != sequence.0 || !self.shares(ring::MESSAGES, 10 + message.len()) {
            self.begin(ring::MESSAGES, time.0, passed);
            self.put(sequence.0.to_le_bytes());
            self.put(self.told.to_le_bytes());
        }
        let end = self.length + 10 + message.len();
        let space = self.shared.get_mut(self.length..end).unwrap_or_default();
        if let Some((head, body)) = space.split_first_chunk_mut::<10>() {
            head[..8].copy_from_slice(&time.0.to_le_bytes());
            head[8..].copy_from_slice(&length.to_le_bytes());
            copy(body, message);
            self.length = end;
        }
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

/// Copies bytes to as many. Messages of ITCH have 12 to 50: two pieces of a fixed size that may overlap, in the place of a call.
#[inline]
fn copy(into: &mut [u8], from: &[u8]) {
    fn ends<const N: usize>(into: &mut [u8], from: &[u8]) -> Option<()> {
        *into.first_chunk_mut::<N>()? = *from.first_chunk()?;
        *into.last_chunk_mut::<N>()? = *from.last_chunk()?;
        Some(())
    }
    let copied = match from.len() {
        32..=64 => ends::<32>(into, from),
        16..32 => ends::<16>(into, from),
        8..16 => ends::<8>(into, from),
        _ => None,
    };
    if copied.is_none() {
        into.copy_from_slice(from);
    }
}

impl Drop for EngineTap {
    fn drop(&mut self) {
        self.flush();
    }
}
