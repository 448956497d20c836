use super::{GenerateConfig, Generator};
use crate::recording::{Batch, Format, Frame, Messages, Places, RecordingError, Source};

/// Messages of one batch.
const BATCH: usize = 4096;

/// A generated day as a recording, without a file: each batch is made when it is asked for.
pub struct GeneratedDay {
    generator: Generator,
    block: Vec<u8>,
    frames: Vec<Frame>,
    offset: u64,
}

impl GeneratedDay {
    /// The day of this configuration, from its start.
    pub fn new(config: GenerateConfig) -> Self {
        Self {
            generator: Generator::new(config),
            block: Vec::with_capacity(BATCH * 52),
            frames: Vec::with_capacity(BATCH),
            offset: 0,
        }
    }
}

impl Source for GeneratedDay {
    fn format(&self) -> Format {
        Format::Generated
    }

    #[allow(clippy::cast_possible_truncation, reason = "a block of 4,096 messages is small")]
    fn advance(&mut self) -> Result<bool, RecordingError> {
        self.offset += self.block.len() as u64;
        self.block.clear();
        self.frames.clear();
        while self.frames.len() < BATCH {
            let Some(message) = self.generator.next_message() else { break };
            self.block.extend_from_slice(&(message.len() as u16).to_be_bytes());
            let start = self.block.len() as u32;
            self.block.extend_from_slice(message);
            self.frames.push(Frame { start, end: self.block.len() as u32 });
        }
        Ok(!self.frames.is_empty())
    }

    fn batch(&self) -> Batch<'_> {
        let first = self.generator.produced() + 1 - self.frames.len() as u64;
        let places = Places::Piece(self.offset);
        Batch::Itch(Messages::new(&self.block, &self.frames, first, places))
    }

    fn messages(&self) -> Option<u64> {
        Some(self.generator.total())
    }
}
