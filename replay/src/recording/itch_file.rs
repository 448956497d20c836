use std::io::{ErrorKind, Read};

use super::batch::{Frame, Places};
use super::frames::truncated;
use super::{Batch, Format, Messages, RecordingError, Source};

/// Bytes read at once. Large enough that a call of the operating system is spread over thousands of
/// messages, small enough that block and frames stay in a second-level cache.
const BLOCK_LENGTH: usize = 512 * 1024;

/// The longest record: prefix and 65,535 bytes.
const RECORD_LENGTH_MAX: usize = 2 + u16::MAX as usize;

const _: () = assert!(BLOCK_LENGTH > 2 * RECORD_LENGTH_MAX);

/// A daily file: records of a 2-byte big-endian length and a message, without header. It ends at
/// the end of the bytes or at a zero-length record, behind which only zeroes may follow.
pub struct ItchFile<R> {
    input: R,
    block: Vec<u8>,
    filled: usize,
    /// Where the records that have not been handed out begin.
    start: usize,
    block_offset: u64,
    frames: Vec<Frame>,
    /// The number of the first record of the batch, or of the next one where there is none.
    sequence: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    InputOver,
    Done,
}

/// Why the walk through a block stopped.
enum Stop {
    /// The last record is not whole yet.
    NeedsMore,
    /// A zero-length record.
    EndMark,
}

impl<R: Read> ItchFile<R> {
    /// Reads records from `input`, which stands at the first length prefix.
    pub fn new(input: R) -> Self {
        Self {
            input,
            block: vec![0; BLOCK_LENGTH],
            filled: 0,
            start: 0,
            block_offset: 0,
            frames: Vec::with_capacity(BLOCK_LENGTH / 16),
            sequence: 1,
            state: State::Reading,
        }
    }

    /// Moves what is left to the front of the block and fills the rest of it.
    fn fill(&mut self) -> Result<(), RecordingError> {
        self.block.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.block_offset += self.start as u64;
        self.start = 0;
        while self.filled < self.block.len() && self.state == State::Reading {
            match self.input.read(&mut self.block[self.filled..]) {
                Ok(0) => self.state = State::InputOver,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.state = State::Done;
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// Notes the whole records of the block from `start` on, and moves `start` behind them.
    #[allow(clippy::cast_possible_truncation, reason = "a block is far shorter than 4 GiB")]
    fn walk(&mut self) -> Stop {
        self.frames.clear();
        let block = &self.block[..self.filled];
        let mut at = self.start;
        let stop = loop {
            let Some(prefix) = block.get(at..).and_then(|rest| rest.first_chunk::<2>()) else {
                break Stop::NeedsMore;
            };
            let length = usize::from(u16::from_be_bytes(*prefix));
            if length == 0 {
                break Stop::EndMark;
            }
            let end = at + 2 + length;
            if end > block.len() {
                break Stop::NeedsMore;
            }
            self.frames.push(Frame { start: at as u32 + 2, end: end as u32 });
            at = end;
        };
        self.start = at;
        stop
    }

    /// What the bytes at `start` mean when no whole record begins there and no more come.
    fn end(&mut self, stop: Stop) -> Option<RecordingError> {
        let offset = self.block_offset + self.start as u64;
        let rest = &self.block[self.start..self.filled];
        let first = self.sequence == 1;
        let error = match stop {
            Stop::NeedsMore if rest.is_empty() && first => Some(RecordingError::Empty),
            Stop::NeedsMore if rest.is_empty() => None,
            Stop::NeedsMore => Some(truncated(offset, self.sequence, rest)),
            Stop::EndMark if first && rest.len() > 2 => {
                Some(RecordingError::ZeroPrefix { following: rest.len() as u64 - 2 })
            }
            Stop::EndMark => match self.rest_is_zero() {
                Ok(true) => None,
                Ok(false) => Some(RecordingError::AfterEnd { offset }),
                Err(error) => Some(error),
            },
        };
        self.state = State::Done;
        error
    }

    fn rest_is_zero(&mut self) -> Result<bool, RecordingError> {
        loop {
            if self.block[self.start..self.filled].iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            self.start = self.filled;
            if self.state != State::Reading {
                return Ok(true);
            }
            self.fill()?;
        }
    }
}

impl<R: Read + Send> Source for ItchFile<R> {
    fn format(&self) -> Format {
        Format::ItchFile
    }

    fn advance(&mut self) -> Result<bool, RecordingError> {
        self.sequence += self.frames.len() as u64;
        self.frames.clear();
        if self.state == State::Done {
            return Ok(false);
        }
        let mut stop = self.walk();
        if self.frames.is_empty() && matches!(stop, Stop::NeedsMore) {
            self.fill()?;
            stop = self.walk();
        }
        if self.frames.is_empty() {
            return self.end(stop).map_or(Ok(false), Err);
        }
        Ok(true)
    }

    fn batch(&self) -> Batch<'_> {
        let block = &self.block[..self.filled];
        let places = Places::Piece(self.block_offset);
        Batch::Itch(Messages::new(block, &self.frames, self.sequence, places))
    }
}
