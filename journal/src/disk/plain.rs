//! Plain calls: `pwrite` and `fdatasync`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Disk, FileId};

/// A directory, by plain calls.
#[derive(Debug)]
pub struct PlainDisk {
    path: PathBuf,
    directory: File,
    files: Vec<Option<File>>,
}

impl PlainDisk {
    /// Opens a directory that is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let directory = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?;
        Ok(Self { path: path.to_owned(), directory, files: Vec::new() })
    }

    pub(super) fn file(&self, file: FileId) -> io::Result<&File> {
        let found = self.files.get(file.0).and_then(Option::as_ref);
        found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn keep(&mut self, file: File) -> FileId {
        self.files.push(Some(file));
        FileId(self.files.len() - 1)
    }

    fn open_with(&mut self, name: &str, options: &mut OpenOptions) -> io::Result<FileId> {
        // A name that is a link would lead out of the directory.
        let file = options.custom_flags(libc::O_NOFOLLOW).open(self.path.join(name))?;
        Ok(self.keep(file))
    }
}

/// Takes room on the device for all bytes of a file. Where the file system has no such call they are written.
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let zeros = vec![0; 1 << 16];
            let mut at = file.metadata()?.len();
            while at < bytes {
                let count = zeros.len().min(usize::try_from(bytes - at).unwrap_or(usize::MAX));
                file.write_all_at(&zeros[..count], at)?;
                at += count as u64;
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

impl Disk for PlainDisk {
    fn place(&self) -> &Path {
        &self.path
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        std::fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<FileId> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = self.open_with(name, &mut options)?;
        allocate(self.file(file)?, bytes)?;
        Ok(file)
    }

    fn open(&mut self, name: &str) -> io::Result<FileId> {
        self.open_with(name, OpenOptions::new().read(true).write(true)).or_else(|error| match error
            .kind()
        {
            // A journal may be looked at by who may not write it.
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                self.open_with(name, OpenOptions::new().read(true))
            }
            _ => Err(error),
        })
    }

    fn close(&mut self, file: FileId) {
        if let Some(file) = self.files.get_mut(file.0) {
            *file = None;
        }
    }

    fn length(&mut self, file: FileId) -> io::Result<u64> {
        Ok(self.file(file)?.metadata()?.len())
    }

    fn extend(&mut self, file: FileId, bytes: u64) -> io::Result<()> {
        allocate(self.file(file)?, bytes)
    }

    fn read(&mut self, file: FileId, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file(file)?.read_exact_at(into, offset)
    }

    fn write(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(file)?;
        let mut written = 0;
        while written < bytes.len() {
            match file.write_at(&bytes[written..], offset + written as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                // Nothing was written: this is no error of the device.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync(&mut self, file: FileId) -> io::Result<()> {
        self.file(file)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        self.directory.sync_all()
    }
}
