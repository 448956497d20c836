//! The latency laboratory put together: a venue, the load of [`spindle_lab`], threads and cores.

mod all;
mod floors;
mod rounds;
pub(crate) mod side;
mod sweeping;
mod tick;
mod venue;
mod watch;
mod wire;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use spindle_lab::load::Bounds;
use spindle_lab::schedule::{Arrivals, ScheduleError};
use spindle_lab::wire::{OPEN_MAX, Weights};
use spindle_types::{Price, Symbol};
use thiserror::Error;

pub use all::{AllOptions, run_all};
pub use wire::{Measured, Progress, run};

/// What sessions speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OUCH 5.0 over SoupBinTCP.
    Ouch,
    /// FIX 4.4.
    Fix,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ouch => "ouch",
            Self::Fix => "fix",
        })
    }
}

/// A venue that runs already.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it listens.
    pub address: SocketAddr,
    /// User and password of each session; over FIX the two CompIDs, the client's first.
    pub logins: Vec<(String, String)>,
    /// What is traded.
    pub symbols: Vec<Symbol>,
    /// The middle of the prices.
    pub middle: Price,
}

/// Which rates a sweep takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// These.
    Rates(Vec<u64>),
    /// From a tenth of the rate on, until the knee is found.
    UntilTheKnee,
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct WireOptions {
    /// Requests a second.
    pub rate: u64,
    /// Measured time over all rounds.
    pub milliseconds: u64,
    /// Rounds.
    pub rounds: u64,
    /// Warm-up before each round.
    pub warm_up_ms: u64,
    /// How requests are spread.
    pub arrivals: Arrivals,
    /// Sessions.
    pub sessions: u16,
    /// What they speak.
    pub protocol: Protocol,
    /// What they send.
    pub mix: Weights,
    /// Orders that each session keeps open at most, beside the few that are there to be taken.
    pub open_max: usize,
    /// What random numbers are made from.
    pub seed: u64,
    /// A venue that runs already; otherwise one is started.
    pub to: Option<Remote>,
    /// Rates to sweep over afterwards.
    pub sweep: Option<Sweep>,
    /// The engine's core.
    pub engine_core: Option<usize>,
    /// The gateway's core.
    pub gateway_core: Option<usize>,
    /// What a round must keep.
    pub bounds: Bounds,
    /// Whether the cost of stamps is measured.
    pub stamps: bool,
    /// Whether a request is a market message to which a strategy reacts: over OUCH, with one session.
    pub tick_to_trade: bool,
    /// Where the venue can be looked at meanwhile, if it is started: a Unix socket.
    pub control: Option<PathBuf>,
    /// The command line, for the record.
    pub command: String,
}

impl Default for WireOptions {
    /// 50,000 requests a second over two sessions of OUCH, ten rounds of a second each.
    fn default() -> Self {
        Self {
            rate: 50_000,
            milliseconds: 10_000,
            rounds: 10,
            warm_up_ms: 100,
            arrivals: Arrivals::Constant,
            sessions: 2,
            protocol: Protocol::Ouch,
            mix: Weights::default(),
            open_max: OPEN_MAX,
            seed: 1,
            to: None,
            sweep: None,
            engine_core: None,
            gateway_core: None,
            bounds: Bounds::default(),
            stamps: true,
            tick_to_trade: false,
            control: None,
            command: String::new(),
        }
    }
}

/// Why nothing was measured, or not to the end.
#[derive(Debug, Error)]
pub enum LabError {
    /// The schedule.
    #[error("{0}")]
    Schedule(#[from] ScheduleError),
    /// A round that is too long for sessions that say nothing meanwhile.
    #[error(
        "a round would take {seconds} s, at most {most} s are possible; give at least --rounds {rounds}"
    )]
    LongRounds {
        /// How long.
        seconds: u64,
        /// The most.
        most: u64,
        /// Rounds that would do.
        rounds: u64,
    },
    /// Too few cores.
    #[error(
        "{0}; a venue and its load need two cores to themselves: give the process two (taskset, \
         cpuset), or measure a venue elsewhere with --to HOST:PORT"
    )]
    Cores(String),
    /// The rate is more than the sockets carry.
    #[error(
        "this machine's sockets alone carry about {carried} requests a second with {sessions} sessions \
         on {layout}; {rate} cannot be sent: give --rate {advice} or less, or more cores"
    )]
    Rate {
        /// What was asked for.
        rate: u64,
        /// What the bare echo carried.
        carried: u64,
        /// Sessions.
        sessions: u16,
        /// Where they run.
        layout: &'static str,
        /// What would work.
        advice: u64,
    },
    /// The venue cannot be reached or does not let us in.
    #[error("{0}")]
    Session(String),
    /// The venue cannot be built.
    #[error("{0}")]
    Venue(String),
    /// Sockets of the floor.
    #[error("the echo: {0}")]
    Echo(std::io::Error),
    /// Threads.
    #[error("{0}")]
    Thread(String),
    /// The folder of the journal's part.
    #[error("{0}; give --directory a folder that can be written")]
    Folder(String),
    /// A part beside the wire.
    #[error("{part}: {why}")]
    Part {
        /// Which.
        part: &'static str,
        /// What went wrong.
        why: String,
    },
}
