//! Reading a recording, streaming, with bounded memory.
//!
//! A recording is opened with [`Recording::open`], which looks at the first bytes to tell the
//! format, and read in batches. What is in a batch stays valid together until the next one is asked
//! for, so that a consumer can look ahead of the message it works on:
//!
//! ```
//! use spindle_replay::recording::{Batch, ItchFile, Recording};
//!
//! let file: &[u8] = &[0, 12, b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'O'];
//! let mut recording = Recording::new(ItchFile::new(file));
//! while let Some(batch) = recording.next_batch()? {
//!     let Batch::Itch(messages) = batch else { continue };
//!     for index in 0..messages.len() {
//!         let _soon = messages.get(index + 8); // the caller may prefetch what this one touches
//!         assert_eq!(messages.at(index)[0], b'S');
//!         assert_eq!(messages.sequence(index), 1);
//!         assert_eq!(messages.offset(index), 0);
//!     }
//! }
//! # Ok::<(), spindle_replay::recording::RecordingError>(())
//! ```

mod batch;
mod detect;
mod error;
mod frames;
mod itch_file;

pub(crate) use batch::Frame;
pub use batch::{Batch, Events, Messages};
pub use detect::{Format, HEAD_LENGTH, detect};
pub use error::RecordingError;
pub use frames::Frames;
pub use itch_file::ItchFile;

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Where records come from. Each format has one implementation.
pub trait Source: Send {
    /// The format that is read.
    fn format(&self) -> Format;

    /// Moves to the next records, at least one, and says whether there are any. After the end, and
    /// after an error, every further call gives `false`.
    ///
    /// # Errors
    /// What is broken, and at which byte. The records before that byte have all been given.
    fn advance(&mut self) -> Result<bool, RecordingError>;

    /// The records that the last [`advance`](Source::advance) has moved to: an empty batch before
    /// the first one and after the end.
    fn batch(&self) -> Batch<'_>;

    /// Bytes of the input taken in so far, for progress. Of a file that is the file's own bytes.
    fn position(&self) -> u64;

    /// How many records there are in all, where that is known beforehand.
    fn messages(&self) -> Option<u64> {
        None
    }
}

/// An opened recording.
pub struct Recording {
    source: Box<dyn Source>,
    size: Option<u64>,
}

impl Recording {
    /// Opens a file and tells its format from its first bytes.
    ///
    /// # Errors
    /// The file cannot be read, is empty, is of a format that this program does not know, or its
    /// framing is broken in the first record.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let mut file = File::open(path.as_ref())?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(RecordingError::Directory);
        }
        let head = read_head(&mut file)?;
        let source: Box<dyn Source> = match detect(&head)? {
            Format::ItchFile => Box::new(ItchFile::new(std::io::Cursor::new(head).chain(file))),
            format => return Err(RecordingError::Unsupported(format)),
        };
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Self { source, size })
    }

    /// A recording from any source, for example one in memory or a generator.
    pub fn new(source: impl Source + 'static) -> Self {
        Self { source: Box::new(source), size: None }
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.source.format()
    }

    /// Bytes in the file, where there is a file.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// How many records there are in all, where that is known beforehand.
    pub fn messages(&self) -> Option<u64> {
        self.source.messages()
    }

    /// Bytes of the file taken in so far. Reading runs ahead of what has been handed out by at most
    /// a block.
    pub fn position(&self) -> u64 {
        self.source.position()
    }

    /// The next records, at least one, or `None` at the end and after an error.
    ///
    /// # Errors
    /// What is broken, and at which byte. The records before that byte have all been given.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, RecordingError> {
        Ok(if self.source.advance()? { Some(self.source.batch()) } else { None })
    }

    /// Moves to the next records without borrowing them: for a reader that works through a batch in
    /// several steps. `false` at the end and after an error.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub fn advance(&mut self) -> Result<bool, RecordingError> {
        self.source.advance()
    }

    /// The records that [`advance`](Self::advance) or [`next_batch`](Self::next_batch) has moved to:
    /// empty before the first and after the end.
    pub fn batch(&self) -> Batch<'_> {
        self.source.batch()
    }
}

/// The first bytes of an input: [`HEAD_LENGTH`], or fewer where it is shorter.
fn read_head(input: &mut impl Read) -> Result<Vec<u8>, RecordingError> {
    let mut head = Vec::with_capacity(HEAD_LENGTH);
    input.take(HEAD_LENGTH as u64).read_to_end(&mut head)?;
    Ok(head)
}
