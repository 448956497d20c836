//! What was read from a socket and not yet taken apart, and what waits to be written to one.

use zeroize::Zeroize;

use super::codec::Packet;

/// A receive buffer of fixed size. Bytes are read into its free end and packets are taken from its
/// front; what is incomplete moves to the front only when the end is reached, so a packet is always
/// one slice.
#[derive(Clone, Debug)]
pub struct ReceiveBuffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl ReceiveBuffer {
    /// A buffer of `capacity` bytes. It must be at least as large as the largest packet that its
    /// user takes, or that packet never completes.
    pub fn new(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity].into_boxed_slice(), start: 0, end: 0 }
    }

    /// What was read and not consumed.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Where the next read goes. Empty only when the buffer is full of unconsumed bytes.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 && (self.start == self.end || self.end == self.bytes.len()) {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.bytes[self.end..]
    }

    /// `count` bytes were written to the front of [`ReceiveBuffer::space`].
    ///
    /// # Panics
    /// When `count` is more than that space holds: an error of the caller.
    #[inline]
    pub fn commit(&mut self, count: usize) {
        assert!(count <= self.bytes.len() - self.end, "more bytes committed than there was space");
        self.end += count;
    }

    /// `count` bytes at the front of [`ReceiveBuffer::filled`] are dealt with.
    ///
    /// # Panics
    /// When `count` is more than is filled: an error of the caller.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.end - self.start, "more bytes consumed than were filled");
        self.start += count;
    }

    /// The same, and nothing of them is left in memory.
    ///
    /// # Panics
    /// See [`ReceiveBuffer::consume`].
    pub fn wipe(&mut self, count: usize) {
        self.bytes[..self.start + count].zeroize();
        self.consume(count);
    }

    /// Forgets everything, for a new connection.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }
}

impl Drop for ReceiveBuffer {
    /// A password may be among what was received.
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// A send buffer of fixed size. Whole packets go in; whatever the socket takes goes out.
#[derive(Clone, Debug)]
pub struct SendBuffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl SendBuffer {
    /// A buffer of `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Appends a packet; false, with nothing appended, where it does not fit.
    #[inline]
    pub fn push(&mut self, packet: &Packet<'_>) -> bool {
        if self.bytes.len() - self.end < packet.wire_length() {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let written = packet.write(&mut self.bytes[self.end..]);
        self.end += written.unwrap_or(0);
        written.is_some()
    }

    /// What waits to be written.
    #[inline]
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// `count` bytes at the front of [`SendBuffer::waiting`] were written.
    ///
    /// # Panics
    /// When `count` is more than was waiting: an error of the caller.
    #[inline]
    pub fn written(&mut self, count: usize) {
        assert!(count <= self.end - self.start, "more bytes written than were waiting");
        self.start += count;
        if self.start == self.end {
            self.clear();
        }
    }

    /// Forgets everything, for a new connection.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffer: &mut ReceiveBuffer, bytes: &[u8]) -> usize {
        let space = buffer.space();
        let count = bytes.len().min(space.len());
        space[..count].copy_from_slice(&bytes[..count]);
        buffer.commit(count);
        count
    }

    #[test]
    fn what_is_left_moves_to_the_front_when_the_end_is_reached() {
        let mut buffer = ReceiveBuffer::new(4);
        assert_eq!(fill(&mut buffer, b"abcdef"), 4);
        assert_eq!(fill(&mut buffer, b"e"), 0);
        buffer.consume(3);
        assert_eq!(buffer.filled(), b"d");
        assert_eq!(fill(&mut buffer, b"efgh"), 3);
        assert_eq!(buffer.filled(), b"defg");
        buffer.consume(4);
        assert_eq!(buffer.space().len(), 4);
    }

    #[test]
    fn a_packet_is_taken_whole_or_not_at_all() {
        let mut buffer = SendBuffer::new(10);
        assert!(buffer.push(&Packet::Unsequenced(b"abcd")));
        assert!(buffer.push(&Packet::ClientHeartbeat));
        assert!(!buffer.push(&Packet::ClientHeartbeat));
        buffer.written(3);
        assert_eq!(buffer.waiting(), b"abcd\0\x01R");
        assert!(buffer.push(&Packet::LogoutRequest), "what is left makes room");
        assert_eq!(buffer.waiting(), b"abcd\0\x01R\0\x01O");
        buffer.written(10);
        assert_eq!(buffer.waiting(), b"");
    }
}
