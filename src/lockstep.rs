//! A run in lockstep put together: recording, engine, accounts, sessions.

use std::path::{Path, PathBuf};

use spindle_engine::EngineConfig;
use spindle_gateway::delay::SessionDelays;
use spindle_gateway::lockstep::{Lockstep, LockstepConfig, LockstepError, TapeSource};
use spindle_replay::ItchMessages;
use spindle_replay::recording::{OpenOptions, Recording, RecordingError};
use spindle_types::EventTime;
use thiserror::Error;

use crate::accounting::{RecordDesk, StrategyBooks};
use crate::config::{Config, LockstepSettings, SessionConfig};
use crate::venue::{engine, gateway_config, limit, watch};

/// Why a run in lockstep does not begin.
#[derive(Debug, Error)]
pub enum StartError {
    /// The recording.
    #[error("{}: {source}", .path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RecordingError,
    },
    /// The configuration says nothing of lockstep.
    #[error(
        "{0}: no [lockstep] table; give one with tape_listen = \"127.0.0.1:8402\" for a run in lockstep"
    )]
    NotConfigured(String),
    /// The limits of the risk gate.
    #[error("risk: {0}")]
    Risk(#[from] spindle_engine::RiskError),
    /// The sessions cannot be served.
    #[error("{0}")]
    Lockstep(#[from] LockstepError),
}

/// The recording of a run.
pub struct Tape {
    path: PathBuf,
    messages: ItchMessages,
}

impl Tape {
    /// Opens a recording, of LOBSTER with its order-book file where there is one, up to a time.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn open(
        path: &Path,
        order_book: Option<&Path>,
        options: &OpenOptions,
        until: Option<EventTime>,
    ) -> Result<Self, StartError> {
        let recording = match order_book {
            Some(books) => Recording::open_with_books(path, books),
            None => Recording::open_with(path, options),
        };
        let path = path.to_owned();
        let recording =
            recording.map_err(|source| StartError::Recording { path: path.clone(), source })?;
        Ok(Self { path, messages: ItchMessages::new(recording, until) })
    }

    /// The messages of a recording that is open already.
    pub fn new(recording: Recording) -> Self {
        Self { path: PathBuf::new(), messages: ItchMessages::new(recording, None) }
    }
}

impl TapeSource for Tape {
    fn next_message(&mut self) -> Result<Option<(EventTime, &[u8])>, String> {
        let path = &self.path;
        self.messages.next_message().map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// A run that can begin, and the desk that tells how it stands.
pub struct Ready {
    /// The run.
    pub run: Lockstep<Tape, StrategyBooks>,
    /// Asks for how the strategies stand.
    pub records: RecordDesk,
    /// The users that it waits for.
    pub users: Vec<String>,
}

/// Puts a run together. `name` is the configuration's, for errors.
///
/// # Errors
/// See [`StartError`].
pub fn build(config: &Config, name: &str, tape: Tape) -> Result<Ready, StartError> {
    let settings = config.lockstep.as_ref();
    let settings = settings.ok_or_else(|| StartError::NotConfigured(name.to_owned()))?;
    let mut config = config.clone();
    config.engine.first_number = EngineConfig::BESIDE_A_FEED;
    config.sessions = chosen(&config, settings);
    // Strategies of a run in lockstep speak OUCH.
    config.fix = None;
    // Nor is there a live feed, whose settings would hold.
    config.feed = None;
    let (books, records) = StrategyBooks::new(&config);
    let (mut engine, _) = engine(&config);
    watch(&mut engine, settings.quarantine_basis_points);
    limit(&mut engine, &config, &[])?;
    let mut gateway = gateway_config(&config);
    gateway.stamps = false;
    let sessions = config.sessions.iter().map(|session| (session.id, &session.latency));
    let delays = SessionDelays::new(config.latency.seed, sessions);
    let lockstep = LockstepConfig {
        gateway,
        tape_listen: settings.tape_listen,
        deadline: settings.deadline,
        goes_on: settings.goes_on,
        rounds_max: settings.rounds_max,
    };
    let run = Lockstep::bind(lockstep, engine, books, tape, Box::new(delays))?;
    let users = config.sessions.iter().map(|session| session.user.clone()).collect();
    Ok(Ready { run, records, users })
}

/// The sessions that take part, in their order.
fn chosen(config: &Config, settings: &LockstepSettings) -> Vec<SessionConfig> {
    let all = &config.sessions;
    let found = settings.sessions.iter().map(|id| all.iter().find(|session| session.id == *id));
    found.flatten().cloned().collect()
}
