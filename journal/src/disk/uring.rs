//! io_uring: a write and the sync behind it in one call, linked, so that the sync runs when the write
//! is done. All else goes through plain calls.

#![allow(unsafe_code, reason = "a submission points to the bytes that are written")]

use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use io_uring::{IoUring, opcode, squeue, types};

use super::{Disk, FileId, PlainDisk};

/// What the two submissions are known by.
const WRITE: u64 = 1;
const SYNC: u64 = 2;

/// A directory, written through a ring.
pub struct UringDisk {
    plain: PlainDisk,
    ring: IoUring,
}

impl UringDisk {
    /// Opens a directory that is there.
    ///
    /// # Errors
    /// What the system says; where the kernel or a container refuses io_uring, that.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { plain: PlainDisk::open(path)?, ring: IoUring::new(4)? })
    }
}

impl Disk for UringDisk {
    fn place(&self) -> &Path {
        self.plain.place()
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        self.plain.names()
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<FileId> {
        self.plain.create(name, bytes)
    }

    fn open(&mut self, name: &str) -> io::Result<FileId> {
        self.plain.open(name)
    }

    fn close(&mut self, file: FileId) {
        self.plain.close(file);
    }

    fn length(&mut self, file: FileId) -> io::Result<u64> {
        self.plain.length(file)
    }

    fn extend(&mut self, file: FileId, bytes: u64) -> io::Result<()> {
        self.plain.extend(file, bytes)
    }

    fn read(&mut self, file: FileId, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.plain.read(file, offset, into)
    }

    fn write(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.plain.write(file, offset, bytes)
    }

    fn sync(&mut self, file: FileId) -> io::Result<()> {
        self.plain.sync(file)
    }

    fn write_and_sync(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let descriptor = types::Fd(self.plain.file(file)?.as_raw_fd());
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let write = opcode::Write::new(descriptor, bytes.as_ptr(), length)
            .offset(offset)
            .build()
            .flags(squeue::Flags::IO_LINK)
            .user_data(WRITE);
        let sync = opcode::Fsync::new(descriptor)
            .flags(types::FsyncFlags::DATASYNC)
            .build()
            .user_data(SYNC);
        // SAFETY: `bytes` and the descriptor are borrowed until both completions have come, which is
        // waited for below whatever happens.
        unsafe { self.ring.submission().push_multiple(&[write, sync]) }
            .map_err(|_| io::Error::other("the ring has no room for two submissions"))?;
        let (mut written, mut synced) = (None, None);
        while written.is_none() || synced.is_none() {
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    // The kernel may still read the bytes: there is no way on from here.
                    give_up(&error);
                }
                _ => {}
            }
            for completion in self.ring.completion() {
                match completion.user_data() {
                    WRITE => written = Some(completion.result()),
                    _ => synced = Some(completion.result()),
                }
            }
        }
        let error = |result: i32| io::Error::from_raw_os_error(-result);
        match (written.unwrap_or(0), synced.unwrap_or(0)) {
            (result, _) if result < 0 => Err(error(result)),
            // A short write breaks the link: the sync was not done.
            (result, _) if usize::try_from(result) != Ok(bytes.len()) => {
                Err(io::ErrorKind::WriteZero.into())
            }
            (_, result) if result < 0 => Err(error(result)),
            _ => Ok(()),
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.plain.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.plain.remove(name)
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.plain.sync_directory()
    }
}

/// Ends the process: the ring refuses to be waited for while it holds bytes of ours.
#[cold]
fn give_up(error: &io::Error) -> ! {
    eprintln!("journal: io_uring cannot be waited for: {error}");
    std::process::abort();
}
