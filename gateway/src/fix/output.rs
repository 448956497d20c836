//! Bytes on their way to a socket.

use spindle_types::keep;

/// A send buffer of fixed size.
#[derive(Debug)]
pub struct Output {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes ever put in.
    put: u64,
}

/// What waits, from the front.
impl keep::State for Output {
    const SHAPE: keep::Shape = keep::Shape::of("output");

    fn save(&self, pen: &mut keep::Pen) {
        keep::Value::save(&self.put, pen);
        pen.count(self.waiting().len());
        pen.raw(self.waiting());
    }

    fn load(&mut self, reader: &mut keep::Reader<'_>) -> Result<(), keep::Unfit> {
        self.put = keep::Value::read(reader)?;
        (self.start, self.end) = (0, reader.count()?);
        let place = self.bytes.get_mut(..self.end);
        let place = place.ok_or(keep::Unfit::new("output", "more than it has room for"))?;
        place.copy_from_slice(reader.raw(self.end)?);
        Ok(())
    }
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
