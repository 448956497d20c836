//! The cold end: frames one by one, as if none had shared its way with others.

use super::{FRAME_HEADER, FrameHeader, TapReader, ring};
use crate::input::{Cursor, kind};

/// What came in one frame and is given out one by one.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where the next begins.
    at: usize,
    /// Of requests: how many had been taken with the next. Of messages: the next one's number.
    number: u64,
    of: Option<FrameHeader>,
}

/// One of a batch.
struct Part {
    header: FrameHeader,
    /// Where its bytes are.
    bytes: std::ops::Range<usize>,
}

impl Batch {
    /// The next of it.
    fn next(&self) -> Option<Part> {
        let of = self.of.as_ref()?;
        let mut cursor = Cursor::new(self.bytes.get(self.at..)?);
        let time = cursor.u64("time").ok()?;
        if of.kind == ring::CARRIED_OUT {
            let told = cursor.u64("told").ok()?;
            let header =
                FrameHeader { length: 0, kind: kind::COMMAND, time, told, passed: self.number };
            return Some(Part { header, bytes: self.at + 16..self.at + 16 });
        }
        let length = cursor.u16("length").ok()?;
        let begin = self.at + 10;
        let bytes = begin..begin + usize::from(length);
        // What the last one led to was told after it alone.
        let before = u64::from_le_bytes(*self.bytes.get(8..16)?.first_chunk()?);
        let told = if bytes.end == self.bytes.len() { of.told } else { before };
        let (length, passed) = (u32::from(length) + 8, of.passed);
        Some(Part { header: FrameHeader { length, kind: kind::MARKET, time, told, passed }, bytes })
    }

    /// A frame has come: what it consists of is given out first.
    fn begin(&mut self, of: FrameHeader) {
        (self.at, self.number) = (0, of.passed);
        if of.kind == ring::MESSAGES {
            let first = self.bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            (self.at, self.number) = (16, first);
        }
        self.of = Some(of);
    }
}

impl TapReader {
    /// The header of the next frame, if it has come whole. Of inputs that shared one each has its own; of a request
    /// that was carried out the payload is empty: it was [`ring::PASSED`] by whoever asked.
    pub fn peek(&mut self) -> Option<FrameHeader> {
        if self.next.is_none() {
            self.next = self.batch.next().map(|part| part.header);
        }
        if self.next.is_none() {
            let mut bytes = [0; FRAME_HEADER];
            self.ring.pop_entire_slice(&mut bytes).ok()?;
            let header = FrameHeader::decode(&bytes);
            self.batch.of = None;
            if matches!(header.kind, ring::CARRIED_OUT | ring::MESSAGES) {
                self.batch.bytes.resize(header.length as usize, 0);
                // A frame is made visible whole.
                self.ring.pop_entire_slice(&mut self.batch.bytes).ok()?;
                self.batch.begin(header);
                self.next = self.batch.next().map(|part| part.header);
            } else {
                self.next = Some(header);
            }
        }
        self.next
    }

    /// Takes the next frame's payload into `into`, in the place of what is there.
    pub fn take(&mut self, into: &mut Vec<u8>) -> Option<FrameHeader> {
        let header = self.peek()?;
        if let Some(part) = self.batch.next() {
            into.clear();
            if part.header.kind == kind::MARKET {
                into.extend_from_slice(&self.batch.number.to_le_bytes());
                into.extend_from_slice(&self.batch.bytes[part.bytes.clone()]);
            }
            self.batch.at = part.bytes.end;
            self.batch.number += 1;
        } else {
            into.resize(header.length as usize, 0);
            self.ring.pop_entire_slice(into).ok()?;
        }
        self.next = None;
        Some(header)
    }

    /// Bytes that wait in the ring.
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
        self.ring.is_abandoned()
            && self.next.is_none()
            && self.batch.next().is_none()
            && self.ring.is_empty()
    }
}
