//! Writes a journal: records are gathered, written and made safe in groups. After the first error nothing
//! is written any more, and nothing is tried again: what the system then says of older writes means nothing.

use crate::disk::{Disk, FileId};
use crate::error::JournalError;
use crate::format::{
    Identity, Label, MARK, RECORD_HEADER, SEGMENT_HEADER, SEGMENT_MAGIC, SegmentHeader, VERSION,
    encode, encode_segment, file_name, record_bytes, seed,
};
use crate::read::{NEW, Scanned, io};
use crate::scan::Chain;

/// How a journal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a segment, header included.
    pub segment_bytes: u64,
}

impl Settings {
    /// The smallest segment.
    pub const SEGMENT_BYTES_MIN: u64 = 64 << 10;
    /// The largest segment: one is read into memory whole.
    pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;
}

impl Default for Settings {
    /// Segments of 64 MiB.
    fn default() -> Self {
        Self { segment_bytes: 64 << 20 }
    }
}

/// A journal that is being written.
pub struct Journal<D: Disk> {
    disk: D,
    identity: Identity,
    settings: Settings,
    file: FileId,
    segment: u64,
    segment_bytes: u64,
    /// Where the buffer goes.
    offset: u64,
    buffer: Vec<u8>,
    chain: Chain,
    durable: u64,
    /// Whether the last record is a mark that says of all before it that it is safe.
    marked: bool,
    failed: bool,
}

impl<D: Disk> Journal<D> {
    /// Goes on with a journal that was read to its end, or begins one with this identity. What was torn is
    /// cut, which takes a sync; doing it twice comes to the same.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(
        disk: D,
        identity: Identity,
        settings: Settings,
        scanned: &Scanned,
    ) -> Result<Self, JournalError> {
        let begun = scanned.identity.is_some();
        let identity = scanned.identity.unwrap_or(identity);
        let chain = match begun {
            true => scanned.chain,
            false => Chain { next: 1, previous: seed(&identity) },
        };
        let mut journal = Self {
            disk,
            identity,
            settings,
            file: FileId(usize::MAX),
            segment: scanned.segments.1,
            segment_bytes: scanned.segment_bytes,
            offset: scanned.offset,
            buffer: Vec::with_capacity(1 << 20),
            chain,
            durable: chain.next - 1,
            marked: false,
            failed: false,
        };
        journal.clear_away(&scanned.unfinished)?;
        if begun {
            journal.go_on()?;
        } else {
            journal.begin_segment()?;
        }
        Ok(journal)
    }

    /// Takes files away that were being made.
    fn clear_away(&mut self, unfinished: &[String]) -> Result<(), JournalError> {
        for name in unfinished {
            self.disk.remove(name).map_err(io(&self.disk, "remove", name))?;
        }
        if !unfinished.is_empty() {
            self.disk.sync_directory().map_err(io(&self.disk, "sync", ""))?;
        }
        Ok(())
    }

    /// Opens the last segment, makes it as long as it was meant, and all behind its last record 0. What was
    /// read is made safe: it may have been in the system's memory alone.
    fn go_on(&mut self) -> Result<(), JournalError> {
        let name = file_name(self.segment);
        let wrong = |disk: &D| io(disk, "write", &name);
        self.file = self.disk.open(&name).map_err(wrong(&self.disk))?;
        let length = self.disk.length(self.file).map_err(wrong(&self.disk))?;
        if length < self.segment_bytes {
            self.disk.extend(self.file, self.segment_bytes).map_err(wrong(&self.disk))?;
        }
        let mut bytes = vec![0; 1 << 16];
        let mut at = self.offset;
        while at < self.segment_bytes {
            let left = usize::try_from(self.segment_bytes - at).unwrap_or(usize::MAX);
            let count = bytes.len().min(left);
            let bytes = &mut bytes[..count];
            self.disk.read(self.file, at, bytes).map_err(wrong(&self.disk))?;
            if bytes.iter().any(|&byte| byte != 0) {
                bytes.fill(0);
                self.disk.write(self.file, at, bytes).map_err(wrong(&self.disk))?;
            }
            at += count as u64;
        }
        self.sync_first(&name)
    }

    /// The first sync of a file: a file system that cannot says so here.
    fn sync_first(&mut self, name: &str) -> Result<(), JournalError> {
        let synced = self.disk.sync(self.file).and_then(|()| self.disk.sync_directory());
        synced.map_err(|source| match source.raw_os_error() {
            Some(libc::EINVAL | libc::ENOTSUP | libc::ENOSYS) => {
                JournalError::NoSync { file: self.disk.place().to_owned(), source }
            }
            _ => io(&self.disk, "sync", name)(source),
        })
    }

    /// Makes the next segment: whole and safe under another name first, so that a segment is there with its
    /// header or not at all.
    fn begin_segment(&mut self) -> Result<(), JournalError> {
        self.segment += 1;
        self.segment_bytes = self.settings.segment_bytes;
        let name = file_name(self.segment);
        let new = format!("{name}{NEW}");
        let header = SegmentHeader {
            magic: SEGMENT_MAGIC,
            checksum: 0.into(),
            version: VERSION.into(),
            reserved: 0.into(),
            venue: self.identity.venue.0,
            journal: self.identity.journal.into(),
            number: self.segment.into(),
            first: self.chain.next.into(),
            previous: self.chain.previous.into(),
            reserved_2: 0.into(),
            bytes: self.segment_bytes.into(),
        };
        if self.file != FileId(usize::MAX) {
            self.disk.close(self.file);
        }
        let wrong = |disk: &D| io(disk, "make", &new);
        self.file = self.disk.create(&new, self.segment_bytes).map_err(wrong(&self.disk))?;
        let page = encode_segment(&header);
        self.disk.write(self.file, 0, &page).map_err(wrong(&self.disk))?;
        self.sync_first(&new)?;
        self.disk.rename(&new, &name).map_err(wrong(&self.disk))?;
        self.disk.sync_directory().map_err(wrong(&self.disk))?;
        self.offset = SEGMENT_HEADER as u64;
        Ok(())
    }

    /// Whose journal it is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The number of the last record that was appended; 0 where there is none.
    pub const fn last(&self) -> u64 {
        self.chain.next - 1
    }

    /// The number of the last record that is safe.
    pub const fn durable(&self) -> u64 {
        self.durable
    }

    /// The number of the segment that is written.
    pub const fn segment(&self) -> u64 {
        self.segment
    }

    /// Bytes that wait for the next commit.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes of the longest payload.
    pub fn payload_max(&self) -> usize {
        let bytes = usize::try_from(self.settings.segment_bytes).unwrap_or(usize::MAX);
        bytes.saturating_sub(SEGMENT_HEADER + RECORD_HEADER)
    }

    /// Appends a record and gives its number. It is safe after the next [`Journal::commit`]. Where it
    /// does not fit the segment, what waits is committed and the next segment made.
    ///
    /// # Errors
    /// A record that no segment holds; and see [`Journal::commit`].
    pub fn append(&mut self, kind: u16, time: u64, payload: &[u8]) -> Result<u64, JournalError> {
        if self.failed {
            return Err(JournalError::Failed);
        }
        let bytes = record_bytes(payload.len());
        if payload.len() > self.payload_max() {
            return Err(JournalError::TooLong { bytes: payload.len(), most: self.payload_max() });
        }
        if self.offset + (self.buffer.len() + bytes) as u64 > self.segment_bytes {
            self.commit()?;
            let made = self.begin_segment();
            self.failed = made.is_err();
            made?;
        }
        let Chain { next, previous } = self.chain;
        let label = Label { kind, sequence: next, durable: self.durable, time, previous };
        let checksum = encode(&mut self.buffer, &label, payload);
        self.chain = Chain { next: next + 1, previous: checksum };
        self.marked = false;
        Ok(next)
    }

    /// Writes what waits and makes it safe.
    ///
    /// # Errors
    /// The system refuses: nothing of what waited is known to be there, and nothing is written any more.
    pub fn commit(&mut self) -> Result<(), JournalError> {
        if self.failed {
            return Err(JournalError::Failed);
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self.disk.write_and_sync(self.file, self.offset, &self.buffer);
        if let Err(source) = written {
            self.failed = true;
            return Err(io(&self.disk, "write", &file_name(self.segment))(source));
        }
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        self.durable = self.chain.next - 1;
        Ok(())
    }

    /// Appends a mark, if the last record is none, and commits: from then on damage to any record before it
    /// cannot be taken for a torn tail.
    ///
    /// # Errors
    /// See [`Journal::commit`].
    pub fn mark(&mut self, time: u64) -> Result<(), JournalError> {
        self.commit()?;
        if !self.marked && self.chain.next > 1 {
            self.append(MARK, time, &[])?;
            self.marked = true;
            self.commit()?;
        }
        Ok(())
    }
}
