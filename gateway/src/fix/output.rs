//! Bytes on their way to a socket.

/// A send buffer of fixed size.
#[derive(Debug)]
pub struct Output {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes ever put in.
    put: u64,
}

impl Output {
    /// Room for so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes: vec![0; bytes_max].into_boxed_slice(), start: 0, end: 0, put: 0 }
    }

    /// What waits to be written.
    #[inline]
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Bytes that can be put in.
    #[inline]
    pub const fn room(&self) -> usize {
        self.bytes.len() - (self.end - self.start)
    }

    /// Where the next bytes go: all that is free.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.bytes[self.end..]
    }

    /// `count` bytes were put to the front of [`Output::space`].
    #[inline]
    pub fn commit(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
        self.put += count as u64;
    }

    /// The first `count` bytes that waited were written.
    #[inline]
    pub fn written(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.clear();
        }
    }

    /// Bytes that were ever put in.
    #[inline]
    pub const fn put(&self) -> u64 {
        self.put
    }

    /// Forgets everything.
    pub const fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_moves_to_the_front() {
        let mut output = Output::new(8);
        output.space()[..6].copy_from_slice(b"abcdef");
        output.commit(6);
        output.written(4);
        assert_eq!((output.waiting(), output.room()), (&b"ef"[..], 6));
        output.space()[..6].copy_from_slice(b"ghijkl");
        output.commit(6);
        assert_eq!((output.waiting(), output.room()), (&b"efghijkl"[..], 0));
        output.written(8);
        assert_eq!((output.waiting(), output.room()), (&b""[..], 8));
    }
}
