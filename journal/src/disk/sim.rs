//! A simulated disk: sectors that were not synced are there after a power cut or not, or in part; calls fail
//! when they are told to. All copies of a [`SimDisk`] are one disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, FileId};

/// Bytes of a sector: what a device writes whole, or is torn in.
pub const SECTOR: usize = 512;

/// What a power cut does to a sector that was written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It is there.
    Keep,
    /// It is as it was when it was last synced.
    Lose,
    /// So many of its first bytes are there.
    Tear(usize),
}

#[derive(Clone, Debug, Default)]
struct SimFile {
    now: Vec<u8>,
    safe: Vec<u8>,
    dirty: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(String, usize),
    Gone(String),
}

#[derive(Debug, Default)]
struct State {
    files: Vec<SimFile>,
    names: BTreeMap<String, usize>,
    safe_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the directory, in their order.
    changes: Vec<NameChange>,
    writes: u64,
    syncs: u64,
    fail_write: Option<u64>,
    fail_sync: Option<u64>,
    /// The power goes in the middle of this sync.
    cut_sync: Option<u64>,
    room: Option<u64>,
    at_sync: Option<AtSync>,
}

/// What is called when a sync begins.
struct AtSync(Box<dyn Fn() + Send>);

impl std::fmt::Debug for AtSync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AtSync")
    }
}

/// A simulated disk with one directory.
#[derive(Clone, Debug)]
pub struct SimDisk {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self { path: PathBuf::from("simulated"), state: Arc::default() }
    }
}

impl SimDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power: `choose` decides on each sector that was not synced, and `names` how many of the
    /// changes of names since the last sync of the directory are there.
    pub fn cut_power(&self, names: usize, mut choose: impl FnMut() -> Cut) {
        let state = &mut *self.state();
        for file in &mut state.files {
            let dirty = std::mem::take(&mut file.dirty);
            file.safe.resize(file.now.len().max(file.safe.len()), 0);
            for sector in dirty {
                let (from, to) = (sector * SECTOR, ((sector + 1) * SECTOR).min(file.now.len()));
                let kept = match choose() {
                    Cut::Keep => to.saturating_sub(from),
                    Cut::Lose => 0,
                    Cut::Tear(bytes) => bytes.min(to.saturating_sub(from)),
                };
                if kept > 0 {
                    file.safe[from..from + kept].copy_from_slice(&file.now[from..from + kept]);
                }
            }
            file.now.clone_from(&file.safe);
        }
        let changes = std::mem::take(&mut state.changes);
        for change in changes.into_iter().take(names) {
            match change {
                NameChange::Set(name, file) => drop(state.safe_names.insert(name, file)),
                NameChange::Gone(name) => drop(state.safe_names.remove(&name)),
            }
        }
        state.names = state.safe_names.clone();
        state.heal();
    }

    /// How many changes of names a power cut could lose now.
    pub fn unsynced_names(&self) -> usize {
        self.state().changes.len()
    }

    /// Writes and syncs so far.
    pub fn calls(&self) -> (u64, u64) {
        let state = self.state();
        (state.writes, state.syncs)
    }

    /// Lets the write fail that is the `nth` from now, from 0.
    pub fn fail_write(&self, nth: u64) {
        let mut state = self.state();
        state.fail_write = Some(state.writes + nth);
    }

    /// Lets the sync fail that is the `nth` from now, from 0. As on a real system what it should have
    /// made safe is then clean for the next sync, and not safe.
    pub fn fail_sync(&self, nth: u64) {
        let mut state = self.state();
        state.fail_sync = Some(state.syncs + nth);
    }

    /// Lets the power go in the middle of the sync that is the `nth` from now, from 0: it fails, and what it should have
    /// made safe may be there or not when [`SimDisk::cut_power`] is called, which has to follow.
    pub fn cut_sync(&self, nth: u64) {
        let mut state = self.state();
        state.cut_sync = Some(state.syncs + nth);
    }

    /// Calls this when a sync of a file begins, from now on; it must not call the disk.
    pub fn at_sync(&self, call: impl Fn() + Send + 'static) {
        self.state().at_sync = Some(AtSync(Box::new(call)));
    }

    /// Takes back the faults that were ordered and have not come yet.
    pub fn heal(&self) {
        self.state().heal();
    }

    /// Leaves room for so many bytes in files that are made from now on.
    pub fn limit_room(&self, bytes: u64) {
        self.state().room = Some(bytes);
    }

    /// What is in a file; `None` where there is none.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|&file| state.files[file].now.clone())
    }

    /// Puts a file there whose bytes are safe.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let state = &mut *self.state();
        state.files.push(SimFile { now: bytes.clone(), safe: bytes, dirty: BTreeSet::new() });
        let file = state.files.len() - 1;
        state.names.insert(name.to_owned(), file);
        state.safe_names.insert(name.to_owned(), file);
    }

    /// Takes a file away for good.
    pub fn take_away(&self, name: &str) {
        let state = &mut *self.state();
        state.names.remove(name);
        state.safe_names.remove(name);
    }

    /// A disk of its own with the same safe contents.
    #[must_use]
    pub fn copied(&self) -> Self {
        let state = self.state();
        let copy = State {
            files: state.files.clone(),
            names: state.names.clone(),
            safe_names: state.safe_names.clone(),
            changes: state.changes.clone(),
            ..State::default()
        };
        Self { path: self.path.clone(), state: Arc::new(Mutex::new(copy)) }
    }
}

impl State {
    const fn heal(&mut self) {
        (self.fail_write, self.fail_sync, self.cut_sync) = (None, None, None);
    }

    fn file(&mut self, file: FileId) -> io::Result<&mut SimFile> {
        self.files.get_mut(file.0).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn take_room(&mut self, bytes: u64) -> io::Result<()> {
        match &mut self.room {
            Some(room) if *room < bytes => Err(io::ErrorKind::StorageFull.into()),
            Some(room) => {
                *room -= bytes;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Disk for SimDisk {
    fn place(&self) -> &Path {
        &self.path
    }

    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<FileId> {
        let state = &mut *self.state();
        state.take_room(bytes)?;
        // The length is of the file, which a sync of it makes safe; here it is at once.
        let zeros = vec![0; at(bytes)];
        state.files.push(SimFile { now: zeros.clone(), safe: zeros, dirty: BTreeSet::new() });
        let file = state.files.len() - 1;
        state.names.insert(name.to_owned(), file);
        state.changes.push(NameChange::Set(name.to_owned(), file));
        Ok(FileId(file))
    }

    fn open(&mut self, name: &str) -> io::Result<FileId> {
        let found = self.state().names.get(name).copied();
        found.map(FileId).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn close(&mut self, _: FileId) {}

    fn length(&mut self, file: FileId) -> io::Result<u64> {
        Ok(self.state().file(file)?.now.len() as u64)
    }

    fn extend(&mut self, file: FileId, bytes: u64) -> io::Result<()> {
        let state = &mut *self.state();
        let file = state.file(file)?;
        file.now.resize(at(bytes).max(file.now.len()), 0);
        file.safe.resize(file.now.len(), 0);
        Ok(())
    }

    fn read(&mut self, file: FileId, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let state = &mut *self.state();
        let bytes = &state.file(file)?.now;
        let found = bytes.get(at(offset)..).and_then(|bytes| bytes.get(..into.len()));
        into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let state = &mut *self.state();
        let fails = state.fail_write == Some(state.writes);
        state.writes += 1;
        // What fails may have been written in part.
        let bytes = if fails { &bytes[..bytes.len() / 2] } else { bytes };
        let file = state.file(file)?;
        let (from, to) = (at(offset), at(offset) + bytes.len());
        if file.now.len() < to {
            file.now.resize(to, 0);
        }
        file.now[from..to].copy_from_slice(bytes);
        file.dirty.extend(from / SECTOR..to.div_ceil(SECTOR));
        if fails { Err(io::Error::from_raw_os_error(libc::EIO)) } else { Ok(()) }
    }

    fn sync(&mut self, file: FileId) -> io::Result<()> {
        let state = &mut *self.state();
        if let Some(AtSync(call)) = &state.at_sync {
            call();
        }
        let fails = state.fail_sync == Some(state.syncs);
        let is_cut = state.cut_sync == Some(state.syncs);
        state.syncs += 1;
        if is_cut {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let file = state.file(file)?;
        let dirty = std::mem::take(&mut file.dirty);
        if fails {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        file.safe.resize(file.now.len(), 0);
        for sector in dirty {
            let (from, to) = (sector * SECTOR, ((sector + 1) * SECTOR).min(file.now.len()));
            file.safe[from..to].copy_from_slice(&file.now[from..to]);
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let state = &mut *self.state();
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        state.changes.push(NameChange::Gone(from.to_owned()));
        state.changes.push(NameChange::Set(to.to_owned(), file));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let state = &mut *self.state();
        state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.changes.push(NameChange::Gone(name.to_owned()));
        Ok(())
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let state = &mut *self.state();
        state.safe_names = state.names.clone();
        state.changes.clear();
        Ok(())
    }
}
