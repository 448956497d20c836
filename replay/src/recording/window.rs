use std::io::{ErrorKind, Read};

use super::RecordingError;

/// A reader of which the next bytes can be looked at whole. Memory is bounded by what is asked for.
pub(crate) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    /// The input's byte at `start`.
    offset: u64,
    over: bool,
}

impl<R: Read> Window<R> {
    /// A window of at least so many bytes.
    pub(crate) fn new(input: R, length: usize) -> Self {
        Self { input, buffer: vec![0; length], start: 0, filled: 0, offset: 0, over: false }
    }

    /// The input's byte at which what is ahead begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// What is ahead: `wanted` bytes or more, fewer only where the input ends. `wanted` is at most
    /// the window's length.
    pub(crate) fn ahead(&mut self, wanted: usize) -> Result<&[u8], RecordingError> {
        if self.filled - self.start < wanted && !self.over {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
            while self.filled < wanted && !self.over {
                match self.input.read(&mut self.buffer[self.filled..]) {
                    Ok(0) => self.over = true,
                    Ok(count) => self.filled += count,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.over = true;
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(&self.buffer[self.start..self.filled])
    }

    /// Passes over bytes that were looked at.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.filled - self.start);
        self.start += count;
        self.offset += count as u64;
    }
}
