//! The way from a hot thread to its journal: a ring of bytes that a cold thread empties, and what that thread
//! has made safe.
//!
//! Nothing is allocated and no system call is made. While the ring has no room no input is taken.
//!
//! The engine's thread writes as little as it can: of a request when it was carried out and what had been told after
//! it, because the gateway has written what was asked when it passed the request on ([`ring::PASSED`]); and messages of
//! the market packet by packet. The cold thread makes a record of each.

mod engine;
mod reader;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

pub use self::engine::EngineTap;
use self::reader::Batch;
use crate::input::CHANGES_MAX;

/// Bytes before a frame's payload: length (u32), kind (u16), two bytes of 0, time, told, needs (u64 each).
pub const FRAME_HEADER: usize = 32;

/// Room for what one input of the usual kind takes: a message of any gateway fits, and any of a packet.
pub const FRAME_MAX: usize = 72 << 10;

/// Bytes of a ring at least: changes of the gate fit beside a reserve.
pub const RING_MIN: usize = 2 * (CHANGES_MAX + FRAME_MAX);

/// Kinds of frames that are no records: they are on their way to the cold thread alone.
pub mod ring {
    /// Of the gateway: a request that it passes on, as [`encode_command`](crate::input::encode_command) writes it.
    pub const PASSED: u16 = 0xff01;
    /// Of the engine: requests that were carried out one after the other, in the order in which they were passed on. For each
    /// its time and the last event told after it (u64 each); `passed` counts the first of them.
    pub const CARRIED_OUT: u16 = 0xff02;
    /// Of the engine: messages of the market, numbered one after the other. The first's number and the last event told before it (u64
    /// each), then for each its time (u64), its length (u16), its bytes; `told` is for the last.
    pub const MESSAGES: u16 = 0xff03;
}

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
    /// A frame in the making.
    frame: Vec<u8>,
}

/// The cold end of a ring.
#[derive(Debug)]
pub struct TapReader {
    ring: Consumer<u8>,
    next: Option<FrameHeader>,
    /// What came in one frame and is given out one by one.
    batch: Batch,
}

/// A ring of so many bytes, at least [`RING_MIN`].
pub fn tap(bytes: usize, progress: &Arc<Progress>) -> (Tap, TapReader) {
    let (mut producer, mut consumer) = RingBuffer::new(bytes.max(RING_MIN));
    // Its memory is touched once, so that no hot thread is the first to do so.
    let all = producer.slots();
    if let Ok(chunk) = producer.write_chunk(all) {
        chunk.commit_all();
    }
    if let Ok(chunk) = consumer.read_chunk(all) {
        chunk.commit_all();
    }
    let frame = Vec::with_capacity(FRAME_HEADER + CHANGES_MAX);
    let tap = Tap { ring: producer, progress: Arc::clone(progress), frames: 0, frame };
    (tap, TapReader { ring: consumer, next: None, batch: Batch::default() })
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

    /// Frames so far; of inputs that share one, each counts.
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
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        frame.extend_from_slice(&[0; FRAME_HEADER]);
        parts.iter().for_each(|part| frame.extend_from_slice(part));
        self.push(header, &mut frame, 1);
        self.frame = frame;
    }

    /// Writes a frame that begins with room for its header, which counts as so many.
    #[inline]
    fn push(&mut self, header: &FrameHeader, frame: &mut [u8], count: u64) {
        if let Some((head, payload)) = frame.split_first_chunk_mut() {
            *head = header.encode(payload.len());
        }
        if self.ring.push_entire_slice(frame).is_err() {
            debug_assert!(false, "room was asked for");
            // What cannot be written must not be lost in silence.
            self.progress.fail();
            return;
        }
        self.frames += count;
    }
}

impl FrameHeader {
    #[inline]
    fn encode(&self, length: usize) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        bytes[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        bytes[4..6].copy_from_slice(&self.kind.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.time.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.told.to_le_bytes());
        bytes[24..].copy_from_slice(&self.passed.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; FRAME_HEADER]) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let kind = u16::from_le_bytes([bytes[4], bytes[5]]);
        Self { length, kind, time: word(8), told: word(16), passed: word(24) }
    }
}
