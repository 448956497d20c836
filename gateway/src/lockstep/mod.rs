//! Lockstep: strategies trade in a recorded day as fast as the machine can, and each sees the same
//! sequence of events in every run.
//!
//! The tape's time advances only when every strategy waits. Strategies connect over OUCH as always, and
//! over a second port that carries the tape as ITCH over SoupBinTCP. Engine, sessions and tape run in
//! one thread, the caller's. `docs/lockstep.md` has the protocol.

mod driver;
mod sessions;
mod tape_port;
mod wait;

pub use driver::{Lockstep, Outcome, TapeSource};
pub use wait::{Messages, SYMBOLS_MAX, Symbols, Turn, Wait, WaitError};

use std::net::SocketAddr;
use std::time::Duration;

use spindle_engine::Imbalance;
use spindle_types::EventTime;
use thiserror::Error;

use crate::config::GatewayConfig;
use crate::gateway::GatewayError;
use crate::notice::UserName;

/// What a run in lockstep needs to know.
#[derive(Clone, Debug)]
pub struct LockstepConfig {
    /// Where OUCH is served, and for whom: each of these users has to log in before the tape begins,
    /// and their order is that in which requests of the same time are processed.
    pub gateway: GatewayConfig,
    /// Where the tape is served.
    pub tape_listen: SocketAddr,
    /// How long a strategy may take for its turn, and to take what is sent to it, by the wall clock.
    pub deadline: Duration,
    /// Whether the run goes on without a strategy that disconnects.
    pub goes_on: bool,
    /// Rounds of turns at one time of the tape, between two of its messages.
    pub rounds_max: u32,
}

/// Why a run in lockstep ends before the tape does.
#[derive(Debug, Error)]
pub enum LockstepError {
    /// It cannot begin.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// A strategy neither answers nor waits.
    #[error(
        "{user} neither answers nor waits: no 'wait' came for {} ms at {time} of the tape; a strategy \
         ends its turn with a debug packet such as 'wait until NS'", .deadline.as_millis()
    )]
    Late {
        /// Who.
        user: UserName,
        /// How long it had.
        deadline: Duration,
        /// The tape's time.
        time: EventTime,
    },
    /// A strategy takes nothing of what is sent to it.
    #[error(
        "{user} takes nothing of {what} for {} ms at {time} of the tape; a strategy reads both its \
         connections while it waits", .deadline.as_millis()
    )]
    Stalled {
        /// Who.
        user: UserName,
        /// What waits to be sent.
        what: &'static str,
        /// How long it had.
        deadline: Duration,
        /// The tape's time.
        time: EventTime,
    },
    /// A strategy disconnected, and the run is not to go on without it.
    #[error(
        "{user} has disconnected at {time} of the tape; with on_disconnect = \"continue\" the run goes \
         on without it"
    )]
    Gone {
        /// Who.
        user: UserName,
        /// The tape's time.
        time: EventTime,
    },
    /// Strategies act on and on at one time.
    #[error(
        "{user} has had {rounds} turns at {time} of the tape and acts again; a strategy has to wait \
         for a later time or the next message"
    )]
    Endless {
        /// One of those who act.
        user: UserName,
        /// Turns.
        rounds: u32,
        /// The tape's time.
        time: EventTime,
    },
    /// The books of shares do not balance: the run is in error.
    #[error("{0}")]
    Imbalance(Imbalance),
    /// The recording cannot be read further.
    #[error("{0}")]
    Tape(String),
}
