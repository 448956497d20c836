//! What a journal needs of a disk: one directory of files that are written at an offset and synced.

mod plain;
mod sim;
mod uring;

use std::io;
use std::path::Path;

pub use plain::PlainDisk;
pub use sim::{Cut, SECTOR, SimDisk};
pub use uring::UringDisk;

/// A file that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId(pub usize);

/// One directory. Nothing is safe before it is synced: what was written to a file by [`Disk::sync`], names by
/// [`Disk::sync_directory`].
pub trait Disk: Send {
    /// Where it is, for people.
    fn place(&self) -> &Path;

    /// The names in the directory.
    ///
    /// # Errors
    /// What the system says; so of all that follow.
    fn names(&mut self) -> io::Result<Vec<String>>;

    /// Makes a file of this many bytes, all 0, with their room on the device. One that is there
    /// is made anew.
    fn create(&mut self, name: &str, bytes: u64) -> io::Result<FileId>;

    /// Opens a file.
    fn open(&mut self, name: &str) -> io::Result<FileId>;

    /// Closes a file. What it does with what was not synced is open.
    fn close(&mut self, file: FileId);

    /// How many bytes a file has.
    fn length(&mut self, file: FileId) -> io::Result<u64>;

    /// Makes a file longer, by zeros.
    fn extend(&mut self, file: FileId, bytes: u64) -> io::Result<()>;

    /// Reads exactly this many bytes.
    fn read(&mut self, file: FileId, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all of these bytes; a write that takes only part of them and then no more is an error.
    fn write(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes safe what was written to a file. After an error nothing is known of what was.
    fn sync(&mut self, file: FileId) -> io::Result<()>;

    /// Writes, and makes safe what was written.
    fn write_and_sync(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write(file, offset, bytes)?;
        self.sync(file)
    }

    /// Gives a file another name; what had it is gone.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Takes a file away.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Makes the names safe.
    fn sync_directory(&mut self) -> io::Result<()>;
}
