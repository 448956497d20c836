//! The sequenced stream of one session: everything ever sent to it, ready to be sent again.
//!
//! Packets are kept as they go over the wire, in chunks that never move. Live sending and replay
//! are therefore the same thing, a cursor that walks towards the end, and there is no seam between
//! the two. No packet crosses a chunk's end. Memory is allocated a chunk at a time.

use spindle_types::keep;
use thiserror::Error;

use super::codec::{HEADER_LENGTH, Packet};

/// Bytes in a chunk.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// How much of the next chunk is asked for at once.
const PAGE_BYTES: usize = 4 * 1_024;

/// What stands where nothing was written yet.
const UNUSED: u8 = b' ';

/// The largest message that a stream keeps.
pub const MESSAGE_MAX: usize = CHUNK_BYTES - HEADER_LENGTH;

/// A message longer than [`MESSAGE_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a message of {0} bytes; a stream keeps messages of at most {MESSAGE_MAX}")]
pub struct TooLong(pub usize);

#[derive(Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    used: usize,
    /// The number of its first message.
    first: u64,
}

/// An append-only sequence of messages, the first of which has number 1.
#[derive(Debug)]
pub struct Stream {
    /// Never empty but in [`Stream::NOTHING`].
    chunks: Vec<Chunk>,
    /// The next chunk, as far as the system has given its pages.
    spare: Vec<u8>,
    next: u64,
    total: u64,
}

/// A place in a stream: how far a connection has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    chunk: usize,
    offset: usize,
    sent: u64,
}

impl Cursor {
    /// Bytes of the stream before this place.
    #[inline]
    pub const fn position(self) -> u64 {
        self.sent
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}

/// Chunk by chunk as far as each is used.
impl keep::State for Stream {
    const SHAPE: keep::Shape = keep::Shape::of("stream").shape(keep::Shape(CHUNK_BYTES as u64));

    fn save(&self, pen: &mut keep::Pen) {
        keep::Value::save(&(self.next, self.total), pen);
        pen.count(self.chunks.len());
        for chunk in &self.chunks {
            keep::Value::save(&(chunk.used, chunk.first), pen);
            pen.raw(&chunk.bytes[..chunk.used]);
        }
    }

    fn load(&mut self, reader: &mut keep::Reader<'_>) -> Result<(), keep::Unfit> {
        let wrong = keep::Unfit::new("stream", "chunks that do not add up");
        (self.next, self.total) = keep::Value::read(reader)?;
        self.chunks.clear();
        let (mut before, mut total) = (0, 0);
        for _ in 0..reader.count()? {
            let (used, first): (usize, u64) = keep::Value::read(reader)?;
            if used > CHUNK_BYTES || first <= before || first > self.next {
                return Err(wrong);
            }
            let mut bytes = empty_chunk();
            bytes[..used].copy_from_slice(reader.raw(used)?);
            self.chunks.push(Chunk { bytes, used, first });
            (before, total) = (first, total + used as u64);
        }
        match !self.chunks.is_empty() && total == self.total {
            true => Ok(()),
            false => Err(wrong),
        }
    }
}

impl Stream {
    /// What is sent to a connection before its login: nothing. It cannot be appended to.
    pub(crate) const NOTHING: &'static Self =
        &Self { chunks: Vec::new(), spare: Vec::new(), next: 1, total: 0 };

    /// An empty stream, with its first chunk allocated.
    pub fn new() -> Self {
        let first = Chunk { bytes: empty_chunk(), used: 0, first: 1 };
        Self { chunks: vec![first], spare: Vec::new(), next: 1, total: 0 }
    }

    /// The number that the next message will have.
    #[inline]
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Bytes appended so far, framing included.
    #[inline]
    pub const fn len_bytes(&self) -> u64 {
        self.total
    }

    /// Gets the next chunk ahead of need, when this one is at least a quarter full: one page of it at a time, because the
    /// system takes a part of a microsecond for each. To be called when there is nothing better to do. Whether it did
    /// something.
    pub fn prepare(&mut self) -> bool {
        if self.spare.len() == CHUNK_BYTES || self.last().used <= CHUNK_BYTES / 4 {
            return false;
        }
        if self.spare.is_empty() {
            self.spare.reserve_exact(CHUNK_BYTES);
        }
        self.spare.resize((self.spare.len() + PAGE_BYTES).min(CHUNK_BYTES), UNUSED);
        true
    }

    /// Appends one message.
    ///
    /// # Errors
    /// A message that no chunk holds; nothing is appended then.
    #[inline]
    pub fn append(&mut self, message: &[u8]) -> Result<(), TooLong> {
        if message.len() > MESSAGE_MAX {
            return Err(TooLong(message.len()));
        }
        if CHUNK_BYTES - self.last().used < HEADER_LENGTH + message.len() {
            self.add_chunk();
        }
        let chunk = self.chunks.last_mut().ok_or(TooLong(message.len()))?;
        let written = Packet::Sequenced(message).write(&mut chunk.bytes[chunk.used..]);
        let length = written.ok_or(TooLong(message.len()))?;
        chunk.used += length;
        self.total += length as u64;
        self.next += 1;
        Ok(())
    }

    fn last(&self) -> &Chunk {
        &self.chunks[self.chunks.len() - 1]
    }

    #[cold]
    fn add_chunk(&mut self) {
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.resize(CHUNK_BYTES, UNUSED);
        let bytes = bytes.into_boxed_slice();
        self.chunks.push(Chunk { bytes, used: 0, first: self.next });
    }

    /// The place of the message with this number; the number after the last gives the end. `None`
    /// for 0 and for numbers beyond.
    pub fn find(&self, sequence: u64) -> Option<Cursor> {
        if sequence == 0 || sequence > self.next {
            return None;
        }
        let index = self.chunks.partition_point(|chunk| chunk.first <= sequence) - 1;
        let chunk = &self.chunks[index];
        let mut offset = 0;
        for _ in chunk.first..sequence {
            let length = chunk.bytes[offset..].first_chunk().map_or(0, |b| u16::from_be_bytes(*b));
            offset += usize::from(length) + 2;
        }
        let before: u64 = self.chunks[..index].iter().map(|chunk| chunk.used as u64).sum();
        Some(Cursor { chunk: index, offset, sent: before + offset as u64 })
    }

    /// What comes after the cursor, as far as it is in one piece; empty at the end.
    #[inline]
    pub fn after(&self, cursor: Cursor) -> &[u8] {
        let Some(chunk) = self.chunks.get(cursor.chunk) else {
            return &[];
        };
        match self.chunks.get(cursor.chunk + 1) {
            Some(following) if cursor.offset >= chunk.used => &following.bytes[..following.used],
            _ => chunk.bytes.get(cursor.offset..chunk.used).unwrap_or_default(),
        }
    }

    /// The place `count` bytes after the cursor, where `count` is at most what
    /// [`Stream::after`] gave.
    #[inline]
    pub fn advance(&self, mut cursor: Cursor, count: usize) -> Cursor {
        let used = self.chunks.get(cursor.chunk).map_or(0, |chunk| chunk.used);
        if cursor.offset >= used && cursor.chunk + 1 < self.chunks.len() {
            cursor.chunk += 1;
            cursor.offset = 0;
        }
        cursor.offset += count;
        cursor.sent += count as u64;
        cursor
    }
}

/// A chunk whose pages the system has given: written to at once, so that not every thirtieth message
/// waits for a page of its own. (Zeros would be promised and not written.)
fn empty_chunk() -> Box<[u8]> {
    vec![UNUSED; CHUNK_BYTES].into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything from a cursor on, read in pieces of at most `step` bytes.
    fn read(stream: &Stream, mut cursor: Cursor, step: usize) -> Vec<u8> {
        let mut read = Vec::new();
        loop {
            let piece = stream.after(cursor);
            let count = piece.len().min(step);
            if count == 0 {
                assert_eq!(cursor.position(), stream.len_bytes());
                return read;
            }
            read.extend_from_slice(&piece[..count]);
            cursor = stream.advance(cursor, count);
        }
    }

    /// A stream over several chunks, and its naive twin: all packets one after the other.
    fn long_stream() -> (Stream, Vec<Vec<u8>>) {
        let mut stream = Stream::new();
        let mut twin = Vec::new();
        for number in 0_u32..6_000 {
            let message = vec![number.to_be_bytes()[3]; 10 + number as usize % 53];
            stream.append(&message).expect("short");
            stream.prepare();
            let mut packet = vec![0; message.len() + HEADER_LENGTH];
            Packet::Sequenced(&message).write(&mut packet).expect("it fits");
            twin.push(packet);
        }
        (stream, twin)
    }

    #[test]
    fn from_every_number_the_same_bytes_follow_as_from_the_naive_twin() {
        let (stream, twin) = long_stream();
        assert!(stream.chunks.len() > 2, "the test needs several chunks");
        assert_eq!(stream.next_sequence(), 6_001);
        for sequence in (1..=6_001).step_by(97).chain([2, 5_999, 6_000, 6_001]) {
            let cursor = stream.find(sequence as u64).expect("it is there");
            let expected = twin[sequence - 1..].concat();
            assert_eq!(read(&stream, cursor, usize::MAX), expected, "from {sequence}");
        }
        let start = stream.find(1).expect("it is there");
        assert_eq!(read(&stream, start, 7), twin.concat());
        assert_eq!(stream.find(0), None);
        assert_eq!(stream.find(6_002), None);
    }

    #[test]
    fn a_cursor_at_the_end_of_a_full_chunk_goes_on_in_the_next() {
        let mut stream = Stream::new();
        stream.append(&[1; MESSAGE_MAX]).expect("it fills the chunk");
        let end = stream.find(2).expect("the end");
        assert_eq!(stream.after(end), b"");
        stream.append(b"x").expect("short");
        assert_eq!(stream.after(end), b"\0\x02Sx");
        assert_eq!(stream.find(2).expect("it is there").position(), end.position());
        assert_eq!(stream.advance(end, 4).position(), stream.len_bytes());
        assert_eq!(stream.append(&[0; MESSAGE_MAX + 1]), Err(TooLong(MESSAGE_MAX + 1)));
    }
}
