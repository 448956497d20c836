//! One writer for each directory.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::error::JournalError;

/// The name of the file that is locked.
pub const LOCK_NAME: &str = "journal.lock";

/// The name of the file that who makes snapshots has locked.
pub const FOLLOWER_LOCK_NAME: &str = "follower.lock";

/// A directory that is this process's own. The lock goes with the process, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes a directory that is there.
    ///
    /// # Errors
    /// Another process has it, or the system refuses.
    pub fn take(directory: &Path) -> Result<Self, JournalError> {
        Self::take_named(directory, LOCK_NAME)
    }

    /// Takes a directory for making snapshots in it: there is one who does.
    ///
    /// # Errors
    /// Another one does, or the system refuses.
    pub fn take_for_snapshots(directory: &Path) -> Result<Self, JournalError> {
        Self::take_named(directory, FOLLOWER_LOCK_NAME).map_err(|error| match error {
            JournalError::Locked(directory) => JournalError::Followed(directory),
            error => error,
        })
    }

    fn take_named(directory: &Path, name: &str) -> Result<Self, JournalError> {
        let path = directory.join(name);
        let failed = |what| {
            let file = directory.to_owned();
            move |source| JournalError::Io { what, file, source }
        };
        let mut options = File::options();
        options.write(true).create(true).truncate(false).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&path).map_err(failed("write"))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(JournalError::Locked(directory.to_owned())),
            Err(error) => Err(failed("lock")(io::Error::from(error))),
        }
    }
}
