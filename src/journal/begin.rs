//! How a journal begins, and whether it is one of this configuration.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use spindle_engine::input::Cursor;
use spindle_journal::disk::{Disk, PlainDisk, UringDisk};
use spindle_journal::lock::DirectoryLock;
use spindle_journal::read::identity;
use spindle_journal::snapshot::{snapshot_name, snapshots};
use spindle_journal::{
    Fault, Identity, Journal, JournalError, Refusal, Scanned, Settings, Snapshot, Start, Venue,
    format, read_from, visit_from,
};
use spindle_types::EventTime;

use super::again::Again;
use super::replayer::ReplayError;
use super::whole::{self, Foreword};
use crate::config::{Config, DiskCalls, JournalConfig};
use crate::venue::gateway_config;

/// Kinds of records that are neither the engine's nor the gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordKind;

impl RecordKind {
    /// The first record: the time of day (u64) at which the day of the sessions began, then the [`Shape`].
    pub const BEGIN: u16 = 32;
    /// The venue was started again: the monotonic clock and UTC (u64 each).
    pub const RESTART: u16 = 33;
    /// The state hash of the engine at the end of a run (u64).
    pub const STATE: u16 = 34;

    /// The name of a kind.
    pub const fn name(kind: u16) -> &'static str {
        match kind {
            0 => "mark",
            1 => "command",
            2 => "market",
            3 => "feed",
            4 => "risk",
            5 => "checkpoint",
            6 => "digest",
            16 => "ouch_message",
            17 => "fix_logon",
            18 => "fix_message",
            19 => "fix_queued",
            20 => "fix_down",
            21 => "fix_cancel",
            22 => "told",
            23 => "fix_numbers",
            24 => "day_ended",
            25 => "ouch_cancel",
            26 => "ouch_login",
            27 => "ouch_down",
            32 => "begin",
            33 => "restart",
            34 => "state",
            _ => "unknown",
        }
    }
}

/// All of a configuration that the same inputs need to come to the same end, as lines; without passwords.
pub type Shape = String;

/// The shape of a configuration.
pub fn shape(config: &Config) -> Shape {
    let mut lines = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Debug| {
        let _ = writeln!(lines, "{name} {value:?}");
    };
    line("name", &config.name);
    line("engine", &config.engine);
    line("gate", &config.risk.gate);
    line("kill_on_stale", &config.risk.kill_on_stale);
    line("quarantine", &config.feed.as_ref().map(|feed| feed.quarantine_basis_points));
    for instrument in &config.instruments {
        line("instrument", instrument);
    }
    for account in &config.accounts {
        line("account", &(account.id, &account.name, account.firm));
    }
    for session in &config.sessions {
        line("session", &(session.id, &session.user, session.account, session.protocol));
        line("session's orders", &(session.cancel_on, session.grace_ns));
    }
    for (session, options) in &gateway_config(config).options {
        line("session's options", &(session, options));
    }
    if let Some(publish) = &config.publish {
        line("published as", &(publish.session.escape_ascii().to_string(), config.feed.is_some()));
    }
    if let Some(fix) = &config.fix {
        line("fix", &(&fix.comp_id, fix.limits, fix.ids_max));
        for user in &fix.sessions {
            let session = user.session_config(&fix.comp_id, fix.limits);
            line("fix session", &(user.session, user.account, user.application, session));
            line("fix session's orders", &(user.cancel_on, user.grace_ns));
        }
    }
    lines
}

/// Why a journal is not that of a configuration: the first line that differs.
pub(super) fn difference(journal: &str, config: &str) -> Option<String> {
    if journal == config {
        return None;
    }
    let (mut one, mut other) = (journal.lines(), config.lines());
    loop {
        match (one.next(), other.next()) {
            (a, b) if a == b && a.is_some() => {}
            (a, b) => {
                let (a, b) = (a.unwrap_or("nothing"), b.unwrap_or("nothing"));
                return Some(format!("the journal has '{a}', the configuration '{b}'"));
            }
        }
    }
}

/// A journal that was found and read once, before anything of a venue is made.
pub struct Opening {
    pub(super) disk: Box<dyn Disk>,
    pub(super) scanned: Scanned,
    settings: Settings,
    venue: Venue,
    /// The newest snapshot that can be used.
    snapshot: Option<Snapshot>,
    start: Option<Start>,
    /// Lines for people about snapshots that cannot.
    pub passed: Vec<String>,
    /// When the day of its sessions began; `None` for a new journal.
    pub day_began: Option<EventTime>,
    /// Whether that day is over.
    is_over: bool,
    lock: Option<DirectoryLock>,
}

fn disk(config: &JournalConfig) -> Result<Box<dyn Disk>, JournalError> {
    let failed = |source| JournalError::Io { what: "open", file: config.directory.clone(), source };
    Ok(match config.calls {
        DiskCalls::Plain => Box::new(PlainDisk::open(&config.directory).map_err(failed)?),
        DiskCalls::IoUring => Box::new(UringDisk::open(&config.directory).map_err(failed)?),
    })
}

impl Opening {
    /// Looks at the directory of a configuration and locks it. A journal whose day is over is put aside, into `archive`,
    /// and a new one begun.
    ///
    /// # Errors
    /// Whatever is wrong with the directory or the journal, but for a torn tail.
    pub fn find(config: &Config, journal: &JournalConfig) -> Result<Self, JournalError> {
        let disk = disk(journal)?;
        let lock = DirectoryLock::take(&journal.directory)?;
        let mut found = Self::on(disk, config, journal)?;
        if found.is_over {
            put_aside(&mut found.disk, &journal.directory, &found.scanned)?;
            found = Self::on(found.disk, config, journal)?;
        }
        found.lock = Some(lock);
        Ok(found)
    }

    /// Looks at a journal on this disk, which nobody else has.
    ///
    /// # Errors
    /// Whatever is wrong with the journal, but for a torn tail.
    pub fn on(
        mut disk: Box<dyn Disk>,
        config: &Config,
        journal: &JournalConfig,
    ) -> Result<Self, JournalError> {
        let venue = Venue::named(&config.name);
        let Found { scanned, snapshot, passed, day_began, is_over } =
            Found::look(&mut disk, venue)?;
        let settings = Settings { segment_bytes: journal.segment_bytes };
        let start = snapshot.as_ref().map(|snapshot| snapshot.start);
        Ok(Self {
            disk,
            scanned,
            settings,
            venue,
            snapshot,
            start,
            passed,
            day_began,
            is_over,
            lock: None,
        })
    }

    /// The snapshot to begin with, if there is one.
    pub const fn take_snapshot(&mut self) -> Option<Snapshot> {
        self.snapshot.take()
    }

    /// Whether there is something to bring back.
    pub const fn is_begun(&self) -> bool {
        self.day_began.is_some()
    }

    /// What was found.
    pub const fn scanned(&self) -> &Scanned {
        &self.scanned
    }

    /// Applies every record in its order, those behind the snapshot where there is one, until one cannot be applied.
    ///
    /// # Errors
    /// As [`Opening::find`]; within it why a record cannot be applied.
    pub fn apply(
        &mut self,
        again: &mut Again<'_, '_>,
    ) -> Result<Result<(), ReplayError>, JournalError> {
        let scanned = visit_from(&mut self.disk, Some(self.venue), self.start.as_ref(), again)?;
        let applied = again.applied();
        if applied.is_ok() {
            self.scanned = scanned;
        }
        Ok(applied)
    }

    /// Goes on with it: what was torn is cut. The lock goes with the journal.
    ///
    /// # Errors
    /// The system refuses.
    pub fn go_on(self, utc: u64) -> Result<LockedJournal, JournalError> {
        let identity = Identity { venue: self.venue, journal: utc };
        let journal = Journal::open(self.disk, identity, self.settings, &self.scanned)?;
        Ok((journal, self.lock))
    }
}

/// What lies in a directory.
struct Found {
    scanned: Scanned,
    snapshot: Option<Snapshot>,
    passed: Vec<String>,
    day_began: Option<EventTime>,
    /// Whether that day is over.
    is_over: bool,
}

impl Found {
    fn look(disk: &mut dyn Disk, venue: Venue) -> Result<Self, JournalError> {
        let (mut day_began, mut is_over) = (None, false);
        let (snapshot, mut passed) = match identity(disk)? {
            Some(identity) => whole::newest(disk, Some(&identity))?,
            None => (None, Vec::new()),
        };
        if let Some(snapshot) = &snapshot {
            match Foreword::of(&snapshot.state) {
                Ok(foreword) => day_began = Some(foreword.day_began),
                Err(error) => passed.push(error.to_string()),
            }
        }
        let snapshot = snapshot.filter(|_| day_began.is_some());
        let start = snapshot.as_ref().map(|snapshot| snapshot.start);
        let scanned = read_from(disk, Some(venue), start.as_ref(), &mut |_, record| {
            if record.kind == RecordKind::BEGIN {
                day_began = Cursor::new(record.payload).u64("time").ok().map(EventTime);
            }
            is_over |= record.kind == spindle_gateway::record::kind::DAY_ENDED;
            ControlFlow::Continue(())
        })?;
        if start.is_none() && scanned.first > 1 {
            let fault = Fault::Beheaded { first: scanned.first };
            let file = disk.place().join(format::file_name(scanned.segments.0));
            return Err(Refusal { file, offset: 0, fault }.into());
        }
        Ok(Self { scanned, snapshot, passed, day_began, is_over })
    }
}

/// A journal and the lock of its directory, which lasts as long.
pub(super) type LockedJournal = (Journal<Box<dyn Disk>>, Option<DirectoryLock>);

/// Moves the segments and snapshots of a journal whose day is over into a folder of their own.
fn put_aside(disk: &mut dyn Disk, directory: &Path, scanned: &Scanned) -> Result<(), JournalError> {
    let number = scanned.identity.map_or(0, |identity| identity.journal);
    let aside = directory.join("archive").join(number.to_string());
    let failed = |what, file: &Path| {
        let file = file.to_owned();
        move |source| JournalError::Io { what, file, source }
    };
    std::fs::create_dir_all(&aside).map_err(failed("make", &aside))?;
    let segments = (scanned.segments.0..=scanned.segments.1).map(format::file_name);
    let snapshots = snapshots(disk)?.into_iter().map(snapshot_name);
    // Snapshots first: without one the segments behind it would lead to nothing.
    for name in snapshots.chain(segments) {
        let from = directory.join(&name);
        std::fs::rename(&from, aside.join(&name)).map_err(failed("move", &from))?;
    }
    for directory in [aside.as_path(), directory] {
        let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(failed("sync", directory))?;
    }
    Ok(())
}
