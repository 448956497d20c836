//! The way from a hot thread to its journal: a ring of bytes that a cold thread empties, and what that thread
//! has made safe.
//!
//! A hot thread writes a frame for each input after it was applied and before anything that follows from it is
//! handed on. Nothing is allocated and no system call is made. While the ring has no room no input is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};
use spindle_types::{EventTime, Sequence};

use crate::command::Command;
use crate::digest::Digest;
use crate::event::Event;
use crate::input::{self, CHANGES_MAX, Checkpoint, FeedChange, encode_command, kind};
use crate::risk::RiskChange;

/// Bytes before a frame's payload: length (u32), kind (u16), two bytes of 0, time, told, needs (u64 each).
pub const FRAME_HEADER: usize = 32;

/// Room for what one input of the usual kind takes: a message of any gateway fits.
pub const FRAME_MAX: usize = 16 << 10;

/// Bytes of a ring at least: changes of the gate fit beside a reserve.
pub const RING_MIN: usize = 2 * (CHANGES_MAX + FRAME_MAX);

/// Inputs between two checkpoints.
pub const CHECKPOINT_INPUTS: u64 = 16_384;

/// How far a journal is: written by the cold thread, read by the hot ones.
#[derive(Debug, Default)]
pub struct Progress {
    /// Frames of the engine whose records are safe.
    engine: AtomicU64,
    /// Frames of the gateway whose records are safe.
    gateway: AtomicU64,
    /// The last event that follows from records that are safe.
    events: AtomicU64,
    failed: AtomicBool,
    /// When the oldest record that is not safe yet was taken up, on the cold thread's clock; 0 where none waits.
    waiting_since: AtomicU64,
}

impl Progress {
    /// Says what is safe.
    pub fn advance(&self, engine: u64, gateway: u64, events: u64) {
        // Release: whoever sees the numbers may tell what they stand for.
        self.engine.store(engine, Ordering::Release);
        self.gateway.store(gateway, Ordering::Release);
        self.events.store(events, Ordering::Release);
    }

    /// Says that nothing is safe any more that was not so far.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Whether the journal has failed.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Frames of the engine whose records are safe.
    pub fn engine(&self) -> u64 {
        self.engine.load(Ordering::Acquire)
    }

    /// Frames of the gateway whose records are safe.
    #[inline]
    pub fn gateway(&self) -> u64 {
        self.gateway.load(Ordering::Acquire)
    }

    /// The last event that follows from records that are safe.
    #[inline]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Acquire)
    }

    /// Says since when records wait to be safe; 0 for none.
    pub fn set_waiting_since(&self, now: u64) {
        self.waiting_since.store(now, Ordering::Release);
    }

    /// Since when records wait to be safe; 0 where none does.
    #[inline]
    pub fn waiting_since(&self) -> u64 {
        self.waiting_since.load(Ordering::Acquire)
    }
}

/// What a frame says besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of the payload.
    pub length: u32,
    /// The kind of the record.
    pub kind: u16,
    /// The time of the record, in nanoseconds.
    pub time: u64,
    /// Of the engine: the number of the last event told after this input. Of the gateway: of the last event that
    /// it had taken before.
    pub told: u64,
    /// Of the engine: commands that it had taken from the gateway. Of the gateway: commands that it had passed on
    /// before this one.
    pub passed: u64,
}

/// The hot end of a ring.
#[derive(Debug)]
pub struct Tap {
    ring: Producer<u8>,
    progress: Arc<Progress>,
    frames: u64,
}

/// The cold end of a ring.
#[derive(Debug)]
pub struct TapReader {
    ring: Consumer<u8>,
    next: Option<FrameHeader>,
}

/// A ring of so many bytes, at least [`RING_MIN`].
pub fn tap(bytes: usize, progress: &Arc<Progress>) -> (Tap, TapReader) {
    let (producer, consumer) = RingBuffer::new(bytes.max(RING_MIN));
    let tap = Tap { ring: producer, progress: Arc::clone(progress), frames: 0 };
    (tap, TapReader { ring: consumer, next: None })
}

impl Tap {
    /// Whether an input can be taken: its frame has room, and the journal has not failed.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.has_room_for(2 * FRAME_MAX)
    }

    #[inline]
    fn has_room_for(&self, bytes: usize) -> bool {
        (self.ring.cached_slots() >= bytes || self.ring.slots() >= bytes)
            && !self.progress.has_failed()
    }

    /// Frames so far.
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// How far the journal is.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Writes a frame whose payload is these parts together. There is room: see [`Tap::has_room`].
    #[inline]
    pub fn write(&mut self, header: &FrameHeader, parts: [&[u8]; 2]) {
        let length = parts[0].len() + parts[1].len();
        let mut bytes = [0; FRAME_HEADER];
        bytes[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        bytes[4..6].copy_from_slice(&header.kind.to_le_bytes());
        bytes[8..16].copy_from_slice(&header.time.to_le_bytes());
        bytes[16..24].copy_from_slice(&header.told.to_le_bytes());
        bytes[24..].copy_from_slice(&header.passed.to_le_bytes());
        let Ok(mut chunk) = self.ring.write_chunk(FRAME_HEADER + length) else {
            debug_assert!(false, "room was asked for");
            // What cannot be written must not be lost in silence.
            self.progress.fail();
            return;
        };
        let (first, second) = chunk.as_mut_slices();
        if first.len() >= FRAME_HEADER + length {
            let (head, rest) = first.split_at_mut(FRAME_HEADER);
            head.copy_from_slice(&bytes);
            let (one, other) = rest.split_at_mut(parts[0].len());
            one.copy_from_slice(parts[0]);
            other[..parts[1].len()].copy_from_slice(parts[1]);
        } else {
            let all = bytes.iter().chain(parts[0]).chain(parts[1]);
            for (space, byte) in first.iter_mut().chain(second).zip(all) {
                *space = *byte;
            }
        }
        chunk.commit_all();
        self.frames += 1;
    }
}

impl TapReader {
    /// The header of the next frame, if it has come whole.
    pub fn peek(&mut self) -> Option<FrameHeader> {
        if self.next.is_none() {
            let mut bytes = [0; FRAME_HEADER];
            self.ring.pop_entire_slice(&mut bytes).ok()?;
            let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
            let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let kind = u16::from_le_bytes([bytes[4], bytes[5]]);
            let (time, told, passed) = (word(8), word(16), word(24));
            self.next = Some(FrameHeader { length, kind, time, told, passed });
        }
        self.next
    }

    /// Takes the next frame's payload into `into`, in the place of what is there.
    pub fn take(&mut self, into: &mut Vec<u8>) -> Option<FrameHeader> {
        let header = self.peek()?;
        into.resize(header.length as usize, 0);
        // A frame is made visible whole.
        self.ring.pop_entire_slice(into).ok()?;
        self.next = None;
        Some(header)
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.ring.slots()
    }

    /// Bytes that the ring takes.
    pub fn capacity(&self) -> usize {
        self.ring.buffer().capacity()
    }

    /// Whether the hot end is gone and nothing is left.
    pub fn is_over(&self) -> bool {
        // In this order: it may write and go in between, never the other way round.
        self.ring.is_abandoned() && self.next.is_none() && self.ring.is_empty()
    }
}

/// The engine's tap: what it records, and the digest of what it tells.
#[derive(Debug)]
pub struct EngineTap {
    tap: Tap,
    scratch: Vec<u8>,
    changes: Vec<u8>,
    digest: Digest,
    /// The last event in the digest.
    digested: u64,
    inputs: u64,
    next_checkpoint: u64,
}

impl EngineTap {
    /// An engine's tap that goes on after `inputs` inputs and the events that are in `digest`.
    pub fn new(tap: Tap, begin: Checkpoint) -> Self {
        let mut digest = Digest::default();
        if begin.events > 0 {
            digest = Digest::from_value(begin.digest);
        }
        Self {
            tap,
            scratch: Vec::with_capacity(512),
            changes: Vec::with_capacity(CHANGES_MAX),
            digest,
            digested: begin.events,
            inputs: begin.inputs,
            next_checkpoint: (begin.inputs / CHECKPOINT_INPUTS + 1) * CHECKPOINT_INPUTS,
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

    /// Frames so far.
    pub const fn frames(&self) -> u64 {
        self.tap.frames()
    }

    #[inline]
    fn done(&mut self, header: &FrameHeader, outbox: &[Event]) {
        self.inputs += 1;
        if header.told != self.digested {
            self.digest_events(header.told, outbox);
        }
        if self.inputs == self.next_checkpoint {
            self.checkpoint(header.time, header.passed);
            self.next_checkpoint += CHECKPOINT_INPUTS;
        }
    }

    fn digest_events(&mut self, told: u64, outbox: &[Event]) {
        for event in outbox.iter().filter(|event| event.sequence > self.digested) {
            self.digest.event(event);
        }
        self.digested = told;
    }

    /// What was told so far.
    pub const fn now(&self) -> Checkpoint {
        let (inputs, events) = (self.inputs, self.digested);
        Checkpoint { inputs, events, digest: self.digest.value() }
    }

    /// Records what was told so far.
    #[cold]
    pub fn checkpoint(&mut self, time: u64, passed: u64) {
        let bytes = self.now().encode();
        let told = self.digested;
        let header = FrameHeader { length: 0, kind: kind::CHECKPOINT, time, told, passed };
        self.tap.write(&header, [&bytes, &[]]);
    }

    /// A command was carried out.
    #[inline]
    pub fn command(&mut self, command: &Command, told: u64, passed: u64, outbox: &[Event]) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        encode_command(&mut scratch, command);
        let time = command.time.0;
        let header = FrameHeader { length: 0, kind: kind::COMMAND, time, told, passed };
        self.tap.write(&header, [&scratch, &[]]);
        self.scratch = scratch;
        self.done(&header, outbox);
    }

    /// A message of the market was applied.
    #[inline]
    pub fn message(
        &mut self,
        sequence: Sequence,
        message: &[u8],
        time: EventTime,
        told: u64,
        passed: u64,
        outbox: &[Event],
    ) {
        let header = FrameHeader { length: 0, kind: kind::MARKET, time: time.0, told, passed };
        self.tap.write(&header, [&sequence.0.to_le_bytes(), message]);
        self.done(&header, outbox);
    }

    /// The feed's state has changed.
    #[cold]
    pub fn feed(
        &mut self,
        change: FeedChange,
        time: EventTime,
        told: u64,
        passed: u64,
        outbox: &[Event],
    ) {
        let (bytes, length) = change.encode();
        let header = FrameHeader { length: 0, kind: kind::FEED, time: time.0, told, passed };
        self.tap.write(&header, [&bytes[..length], &[]]);
        self.done(&header, outbox);
    }

    /// The gate was changed, or refused to be.
    #[cold]
    pub fn changes(
        &mut self,
        changes: &[RiskChange],
        time: EventTime,
        told: u64,
        passed: u64,
        outbox: &[Event],
    ) {
        let mut bytes = std::mem::take(&mut self.changes);
        bytes.clear();
        input::encode_changes(&mut bytes, changes);
        let header = FrameHeader { length: 0, kind: kind::RISK, time: time.0, told, passed };
        self.tap.write(&header, [&bytes, &[]]);
        self.changes = bytes;
        self.done(&header, outbox);
    }
}
