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
mod capture;
mod databento;
mod detect;
mod error;
mod frames;
mod input;
mod itch_file;
mod lobster;
mod lobster_day;
mod mold_file;
mod window;

pub(crate) use batch::{Frame, Places};
pub(crate) use capture::{
    Datagram, Dissected, Look, Looks, Packets, Resolution, Without, dissect, look,
};
pub(crate) use databento::{DbnRecords, symbols as dbn_symbols};
pub(crate) use input::Input;
pub(crate) use lobster::Rows;
pub(crate) use mold_file::MoldPackets;

pub use batch::{Batch, Events, Messages};
pub use capture::{Protocol, Transport};
pub use detect::{Format, HEAD_LENGTH, detect};
pub use error::RecordingError;
pub use frames::Frames;
pub use input::Compression;
pub use itch_file::ItchFile;
pub use lobster::LobsterRow;

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use capture::{CaptureSource, Found, find_groups};
use databento::DbnFile;
use lobster::LobsterFile;
use lobster_day::LobsterDay;
use mold_file::MoldFile;

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

    /// How many records there are in all, where that is known beforehand.
    fn messages(&self) -> Option<u64> {
        None
    }

    /// What a reader should know of what has been read so far and is no error: messages lost in the
    /// capture, packets passed over. One line each, with its number.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What to read of a file that holds several things.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Groups of a capture: none where it has just one with ITCH 5.0, one, or two that carry the
    /// same stream as lines A and B.
    pub groups: Vec<SocketAddr>,
}

/// An opened recording.
pub struct Recording {
    source: Box<dyn Source>,
    compression: Vec<Compression>,
    size: Option<u64>,
    position: Arc<AtomicU64>,
}

impl Recording {
    /// Opens a file, unpacks it where it is compressed, and tells its format from its first bytes.
    ///
    /// # Errors
    /// See [`open_with`](Self::open_with).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        Self::open_with(path, &OpenOptions::default())
    }

    /// Opens a file and reads of it what the options say.
    ///
    /// # Errors
    /// The file cannot be read, is empty, is of a format that this program does not read, its
    /// framing is broken in the first record, or it does not hold what the options ask for.
    pub fn open_with(
        path: impl AsRef<Path>,
        options: &OpenOptions,
    ) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let input = Input::open(path)?;
        let again = input.size.is_some().then_some(path);
        Self::of(input, &name.unwrap_or_default(), options, again)
    }

    /// Opens a LOBSTER message file with the order-book file beside it, which makes the day whole:
    /// orders of which the message file does not tell are made up, and told of in the notes.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with), or one of the files is none of LOBSTER's.
    pub fn open_with_books(
        messages: impl AsRef<Path>,
        books: impl AsRef<Path>,
    ) -> Result<Self, RecordingError> {
        let path = messages.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let Input { head, reader, compression, position, size } = Input::open(path)?;
        match detect(&head)? {
            Format::Lobster => {}
            other => return Err(RecordingError::NoOrderBook(other)),
        }
        let books = Input::open(books.as_ref())?;
        if detect(&books.head)? != Format::LobsterBook {
            return Err(RecordingError::NotAnOrderBook);
        }
        let symbol = lobster::symbol_of(&name.unwrap_or_default());
        let source = Box::new(LobsterDay::new(reader, books.reader, symbol));
        Ok(Self { source, compression, size, position })
    }

    /// A recording from a reader instead of a file. Of a capture the groups must be picked, since it
    /// can be read but once.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn from_reader(
        reader: impl Read + Send + 'static,
        options: &OpenOptions,
    ) -> Result<Self, RecordingError> {
        Self::of(Input::new(reader)?, "", options, None)
    }

    /// `again` is where the same input can be opened once more.
    fn of(
        input: Input,
        name: &str,
        options: &OpenOptions,
        again: Option<&Path>,
    ) -> Result<Self, RecordingError> {
        let format = detect(&input.head)?;
        if !options.groups.is_empty() && !matches!(format, Format::Pcap | Format::Pcapng) {
            return Err(RecordingError::NotACapture(format));
        }
        let Input { head, reader, compression, position, size } = input;
        let source: Box<dyn Source> = match format {
            Format::ItchFile => Box::new(ItchFile::new(reader)),
            Format::Mold => Box::new(MoldFile::new(reader)),
            Format::Pcap | Format::Pcapng => {
                let groups = groups(again, &options.groups)?;
                Box::new(CaptureSource::new(reader, format, groups)?)
            }
            Format::Dbn => Box::new(DbnFile::new(reader, &head)?),
            Format::Lobster => Box::new(LobsterFile::new(reader, lobster::symbol_of(name))),
            Format::LobsterBook | Format::PitchText | Format::JsonLines | Format::Generated => {
                return Err(RecordingError::Unsupported(format));
            }
        };
        Ok(Self { source, compression, size, position })
    }

    /// A recording from any source, for example one in memory or a generator.
    pub fn new(source: impl Source + 'static) -> Self {
        let (compression, position) = (Vec::new(), Arc::default());
        Self { source: Box::new(source), compression, size: None, position }
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.source.format()
    }

    /// What the file is compressed with, the outermost first.
    pub fn compression(&self) -> &[Compression] {
        &self.compression
    }

    /// Bytes in the file as it lies there, where there is a file.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// How many records there are in all, where that is known beforehand.
    pub fn messages(&self) -> Option<u64> {
        self.source.messages()
    }

    /// Bytes of the file read so far; 0 where there is no file. Reading runs ahead of what has been
    /// handed out by a block or two.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// What a reader should know of what has been read so far and is no error: see
    /// [`Source::notes`].
    pub fn notes(&self) -> Vec<String> {
        self.source.notes()
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

/// The groups of a capture to read: those asked for, or the only one with ITCH 5.0.
fn groups(again: Option<&Path>, asked: &[SocketAddr]) -> Result<Vec<SocketAddr>, RecordingError> {
    let path = match (asked.len(), again) {
        (0, None) => return Err(RecordingError::GroupOfPipe),
        (0, Some(path)) => path,
        (1 | 2, _) => return Ok(asked.to_vec()),
        (more, _) => return Err(RecordingError::TooManyGroups(more)),
    };
    let Found { itch, others } = find_groups(Input::open(path)?.reader)?;
    match itch.as_slice() {
        [] if others.is_empty() => Err(RecordingError::NoGroup("none".to_owned())),
        [] => {
            let shown = others.iter().take(8).map(|(to, what)| format!("{to} ({what})"));
            Err(RecordingError::NoGroup(shown.collect::<Vec<_>>().join(", ")))
        }
        [only] => Ok(vec![*only]),
        _ => Err(RecordingError::SeveralGroups(itch)),
    }
}
