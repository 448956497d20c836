//! Applies the journal behind its writer, to an engine and sessions of its own, and makes snapshots of them: so the
//! engine's thread never pauses for one. What it applies is safe already; every digest of what was told is compared on the way.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rtrb::{Consumer, Producer, RingBuffer};
use spindle_engine::Engine;
use spindle_engine::command::Command;
use spindle_engine::event::Event;
use spindle_engine::input::Cursor;
use spindle_gateway::desk::Desk;
use spindle_journal::disk::{Disk, PlainDisk};
use spindle_journal::format::file_name;
use spindle_journal::lock::DirectoryLock;
use spindle_journal::snapshot::thin_out;
use spindle_journal::{JournalError, Snapshot, Tail, read};
use spindle_types::{Agent, EventTime};
use thiserror::Error;

use super::again::Again;
use super::replayer::{ReplayError, Replayer, Sessions};
use super::whole::{self, Foreword, Whole, WholeError};
use super::{RecordKind, shape};
use crate::accounting::StrategyBooks;
use crate::config::{Config, JournalConfig, OldSegments};
use crate::venue::{engine_of, gateway_config, stream_of};

/// Requests of sessions that one record leads to at most.
const COMMANDS_MAX: usize = 1 << 16;

/// Why a journal is not followed any more.
#[derive(Debug, Error)]
pub enum FollowError {
    /// The journal.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// It does not lead to where it led then.
    #[error("{0}")]
    Replay(#[from] ReplayError),
    /// A snapshot that cannot be gone on from.
    #[error("snapshot of record {0}: {1}")]
    Whole(u64, WholeError),
    /// The configuration.
    #[error("{0}")]
    Config(String),
}

/// An engine, accounts and sessions beside those of the venue.
pub struct Replica {
    pub(crate) engine: Engine,
    pub(crate) books: StrategyBooks,
    pub(crate) desk: Desk,
    commands: Consumer<Command>,
    _events: Producer<Event>,
    pub(crate) replayer: Replayer,
}

impl Replica {
    /// One of a configuration, at the begin of a day.
    ///
    /// # Errors
    /// A configuration that the gateway refuses.
    pub fn new(config: &Config, day_began: EventTime) -> Result<Self, String> {
        let (commands_in, commands) = RingBuffer::new(COMMANDS_MAX);
        let (events_in, events) = RingBuffer::new(1);
        let desk = Desk::new(&gateway_config(config), day_began, commands_in, events)
            .map_err(|error| format!("gateway: {error}"))?;
        let (books, _) = StrategyBooks::new(config);
        let (mut engine, mut replayer) = (engine_of(config), Replayer::new(shape(config)));
        replayer.stream = stream_of(config, &mut engine, day_began);
        Ok(Self { engine, books, desk, commands, _events: events_in, replayer })
    }

    /// Applies a record.
    ///
    /// # Errors
    /// As [`Replayer::apply`].
    pub fn apply(&mut self, record: &spindle_journal::Record<'_>) -> Result<(), ReplayError> {
        let Self { engine, books, desk, commands, replayer, .. } = self;
        let mut sessions = Sessions { desk, commands };
        replayer.apply(record, engine, Some(books), Some(&mut sessions))
    }

    /// Applies records while they are read.
    pub fn again<T>(&mut self, act: impl FnOnce(&mut Again<'_, '_>) -> T) -> T {
        let Self { engine, books, desk, commands, replayer, .. } = self;
        let mut sessions = Sessions { desk, commands };
        act(&mut Again::new(replayer, engine, Some(books), Some(&mut sessions)))
    }

    /// Does something with all of it.
    pub fn whole<T>(&mut self, act: impl FnOnce(&mut Whole<'_, '_>) -> T) -> T {
        let Self { engine, books, desk, commands, replayer, .. } = self;
        let mut sessions = Sessions { desk, commands };
        act(&mut Whole { replayer, engine, books, sessions: &mut sessions })
    }
}

/// A snapshot that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The last record in it.
    pub sequence: u64,
    /// Inputs in it.
    pub inputs: u64,
    /// Bytes of the state.
    pub bytes: usize,
    /// How long making it took, in nanoseconds.
    pub took_ns: u64,
    /// Segments that were put away behind it.
    pub put_away: usize,
}

/// Follows a journal.
pub struct Follower {
    directory: PathBuf,
    journal: u64,
    keep: usize,
    old: OldSegments,
    tail: Tail<PlainDisk>,
    replica: Replica,
    day_began: EventTime,
    /// Inputs at the last snapshot.
    kept_inputs: u64,
    _lock: DirectoryLock,
}

fn open(directory: &Path) -> Result<PlainDisk, JournalError> {
    let file = directory.to_owned();
    PlainDisk::open(directory).map_err(|source| JournalError::Io { what: "open", file, source })
}

impl Follower {
    /// Follows from the newest snapshot that can be used, or from the first record; `None` while there is no journal.
    ///
    /// # Errors
    /// Somebody else makes snapshots there, or what is there cannot be gone on from.
    pub fn begin(config: &Config, kept: &JournalConfig) -> Result<Option<Self>, FollowError> {
        let directory = kept.directory.as_path();
        let lock = DirectoryLock::take_for_snapshots(directory)?;
        let mut disk = open(directory)?;
        let Some(identity) = read::identity(&mut disk)? else { return Ok(None) };
        let (snapshot, _) = whole::newest(&mut disk, Some(&identity))?;
        let (tail, replica, day_began) = match snapshot {
            Some(snapshot) => Self::from_snapshot(config, disk, &snapshot)?,
            None => {
                let Some(found) = Self::from_the_first(config, disk)? else { return Ok(None) };
                found
            }
        };
        let kept_inputs = replica.replayer.now().inputs;
        Ok(Some(Self {
            directory: directory.to_owned(),
            journal: identity.journal,
            keep: kept.keep_snapshots,
            old: kept.old_segments,
            tail,
            replica,
            day_began,
            kept_inputs,
            _lock: lock,
        }))
    }

    fn from_snapshot(
        config: &Config,
        disk: PlainDisk,
        snapshot: &Snapshot,
    ) -> Result<(Tail<PlainDisk>, Replica, EventTime), FollowError> {
        let sequence = snapshot.start.chain.next - 1;
        let unfit = |error| FollowError::Whole(sequence, error);
        let day_began =
            Foreword::of(&snapshot.state).map_err(|error| unfit(error.into()))?.day_began;
        let mut replica = Replica::new(config, day_began).map_err(FollowError::Config)?;
        replica.whole(|whole| whole.load(&snapshot.state)).map_err(unfit)?;
        Ok((Tail::new(disk, &snapshot.start), replica, day_began))
    }

    fn from_the_first(
        config: &Config,
        disk: PlainDisk,
    ) -> Result<Option<(Tail<PlainDisk>, Replica, EventTime)>, FollowError> {
        let Ok(mut tail) = Tail::from_the_first(disk)? else { return Ok(None) };
        let mut began = None;
        let first = tail.peek(&mut |record| {
            if record.kind == RecordKind::BEGIN {
                began = Cursor::new(record.payload).u64("time").ok().map(EventTime);
            }
        })?;
        let Some(day_began) = began.filter(|_| first) else { return Ok(None) };
        let replica = Replica::new(config, day_began).map_err(FollowError::Config)?;
        Ok(Some((tail, replica, day_began)))
    }

    /// Applies what is safe and was not applied yet, a piece of it; how many records.
    ///
    /// # Errors
    /// It cannot be read, or leads to something else than then.
    pub fn follow(&mut self) -> Result<usize, FollowError> {
        let Self { tail, replica, .. } = self;
        replica.again(|again| {
            let taken = tail.poll(again)?;
            again.applied()?;
            Ok(taken)
        })
    }

    /// Inputs that were applied since the last snapshot.
    pub fn inputs_since(&self) -> u64 {
        self.replica.replayer.now().inputs - self.kept_inputs
    }

    /// Whether the day of the sessions is over: then there is nothing to come back to.
    pub fn is_over(&self) -> bool {
        self.replica.replayer.is_over
    }

    /// What was applied.
    pub const fn replica(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// Makes a snapshot here, and puts away what is not needed any more.
    ///
    /// # Errors
    /// The system refuses.
    pub fn snapshot(&mut self) -> Result<Made, FollowError> {
        let started = Instant::now();
        let (start, day_began) = (self.tail.start(), self.day_began);
        let disk = self.tail.disk_mut();
        let bytes = self.replica.whole(|whole| whole::write(disk, start, whole, day_began))?;
        let oldest = thin_out(self.tail.disk_mut(), self.keep)?;
        let put_away = match oldest {
            Some(oldest) => self.put_away(oldest)?,
            None => 0,
        };
        let inputs = self.replica.replayer.now().inputs;
        self.kept_inputs = inputs;
        let took_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok(Made { sequence: start.chain.next - 1, inputs, bytes, took_ns, put_away })
    }

    /// Puts away the segments that lie wholly before a snapshot; how many.
    fn put_away(&mut self, snapshot: u64) -> Result<usize, FollowError> {
        if self.old == OldSegments::Keep {
            return Ok(0);
        }
        let layout = whole::layout();
        let disk = self.tail.disk_mut();
        let found = spindle_journal::snapshot::read_snapshot(disk, snapshot, None, layout);
        // One that is not whole leads nowhere, and nothing is put away for it.
        let Ok(found) = found else { return Ok(0) };
        let first = read::segments(disk)?.0;
        let names: Vec<_> = (first..found.start.place.segment).map(file_name).collect();
        let failed = |what, file: &Path| {
            let file = file.to_owned();
            move |source| JournalError::Io { what, file, source }
        };
        if names.is_empty() {
            return Ok(0);
        }
        let aside = self.directory.join("archive").join(self.journal.to_string());
        if self.old == OldSegments::Archive {
            std::fs::create_dir_all(&aside).map_err(failed("make", &aside))?;
        }
        for name in &names {
            let from = self.directory.join(name);
            match self.old {
                OldSegments::Archive => {
                    std::fs::rename(&from, aside.join(name)).map_err(failed("move", &from))?;
                }
                _ => disk.remove(name).map_err(failed("remove", &from))?,
            }
        }
        if self.old == OldSegments::Archive {
            let synced = std::fs::File::open(&aside).and_then(|directory| directory.sync_all());
            synced.map_err(failed("sync", &aside))?;
        }
        let directory = self.directory.clone();
        self.tail.disk_mut().sync_directory().map_err(failed("sync", &directory))?;
        Ok(names.len())
    }
}

/// A follower on a thread of the venue. Whatever happens to it, the venue goes on; it says so and makes no more
/// snapshots.
pub struct FollowerAgent {
    config: Config,
    kept: JournalConfig,
    follower: Option<Follower>,
    failed: bool,
    /// Snapshots that were made.
    pub made: u64,
}

impl FollowerAgent {
    /// One that begins on its thread, with memory of its own.
    pub const fn new(config: Config, kept: JournalConfig) -> Self {
        Self { config, kept, follower: None, failed: false, made: 0 }
    }

    fn turn(&mut self) -> Result<usize, FollowError> {
        let Some(follower) = &mut self.follower else {
            self.follower = Follower::begin(&self.config, &self.kept)?;
            return Ok(usize::from(self.follower.is_some()));
        };
        if follower.is_over() {
            return Ok(0);
        }
        let taken = follower.follow()?;
        if follower.inputs_since() >= self.kept.snapshot_inputs && !follower.is_over() {
            let made = follower.snapshot()?;
            self.made += 1;
            eprintln!("{}", describe(&made));
        }
        Ok(taken)
    }
}

/// A line on a snapshot.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub fn describe(made: &Made) -> String {
    let Made { sequence, inputs, bytes, took_ns, put_away } = made;
    let took = *took_ns as f64 / 1e9;
    let away = match put_away {
        0 => String::new(),
        count => format!("; {count} segments put away"),
    };
    format!(
        "snapshot: record {sequence}, {inputs} inputs, {} KiB in {took:.3} s{away}",
        bytes.div_ceil(1_024)
    )
}

impl Agent for FollowerAgent {
    fn name(&self) -> &str {
        "follower"
    }

    fn poll(&mut self) -> usize {
        if self.failed {
            return 0;
        }
        self.turn().unwrap_or_else(|error| {
            eprintln!("snapshot: {error}; no more snapshots are made, the venue goes on");
            self.failed = true;
            self.follower = None;
            0
        })
    }

    /// Until it is stopped: the venue does not end with it.
    fn is_done(&self) -> bool {
        false
    }
}
