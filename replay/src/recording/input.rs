//! A file as a stream of plain bytes, whatever it is compressed with.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::RecordingError;
use super::detect::HEAD_LENGTH;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip, one member or several.
    Gzip,
    /// zstd, one frame or several.
    Zstd,
}

impl Compression {
    /// `gzip` or `zstd`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// By the first bytes (RFC 1952, RFC 8878).
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Compressions inside one another that are unpacked; nobody packs more often in earnest.
const LAYERS_MAX: usize = 3;

/// An opened file: its first bytes unpacked, and the rest.
pub(crate) struct Input {
    /// The first bytes of the content.
    pub(crate) head: Vec<u8>,
    /// All of the content, the first bytes included.
    pub(crate) reader: Box<dyn Read + Send>,
    /// Compressions, the outermost first.
    pub(crate) compression: Vec<Compression>,
    /// Bytes of the file read so far.
    pub(crate) position: Arc<AtomicU64>,
    /// Bytes of the file, where it is one and no pipe.
    pub(crate) size: Option<u64>,
}

impl Input {
    /// Opens a file and unpacks it.
    pub(crate) fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(RecordingError::Directory);
        }
        let size = metadata.is_file().then_some(metadata.len());
        let mut input = Self::new(file)?;
        input.size = size;
        Ok(input)
    }

    /// Unpacks what a reader gives.
    pub(crate) fn new(reader: impl Read + Send + 'static) -> Result<Self, RecordingError> {
        let position = Arc::new(AtomicU64::new(0));
        let mut reader: Box<dyn Read + Send> =
            Box::new(Counted { reader, position: Arc::clone(&position) });
        let mut compression = Vec::new();
        let mut head = read_head(&mut reader)?;
        while let Some(found) = Compression::of(&head).filter(|_| compression.len() < LAYERS_MAX) {
            let packed = BufReader::with_capacity(1 << 16, Cursor::new(head).chain(reader));
            let unpacked: Box<dyn Read + Send> = match found {
                Compression::Gzip => Box::new(MultiGzDecoder::new(packed)),
                Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
            };
            let position = Arc::clone(&position);
            reader = Box::new(Unpacked { reader: unpacked, compression: found, position });
            compression.push(found);
            head = read_head(&mut reader)?;
        }
        let reader = Box::new(Cursor::new(head.clone()).chain(reader));
        Ok(Self { head, reader, compression, position, size: None })
    }
}

/// The first bytes of an input: [`HEAD_LENGTH`], or fewer where it is shorter. What cannot be read
/// behind some bytes is told when those have been read.
fn read_head(input: &mut impl Read) -> Result<Vec<u8>, RecordingError> {
    let mut head = vec![0; HEAD_LENGTH];
    let mut filled = 0;
    while filled < head.len() {
        match input.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if filled == 0 => return Err(error.into()),
            Err(_) => break,
        }
    }
    head.truncate(filled);
    Ok(head)
}

/// Counts the bytes that are read.
struct Counted<R> {
    reader: R,
    position: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.position.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Says where in the file unpacking failed, and goes on failing: a decoder that is asked again after
/// an error may take what is left for the end.
struct Unpacked {
    reader: Box<dyn Read + Send>,
    compression: Compression,
    position: Arc<AtomicU64>,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            let position = self.position.load(Ordering::Relaxed);
            let text = format!(
                "the {} data are damaged or cut short at or before byte {position} of the file",
                self.compression
            );
            self.reader = Box::new(Broken(text.clone()));
            io::Error::new(io::ErrorKind::InvalidData, text)
        })
    }
}

struct Broken(String);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::InvalidData, self.0.clone()))
    }
}
