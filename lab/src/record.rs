//! The record of a run: one JSON file with every figure, what was run, and on what.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::load::Bounds;
use crate::machine::{Machine, Noise};
use crate::stamps::Stamps;
use crate::stats::{Figure, Percentiles};
use crate::wire::Tally;

/// What names the format in a file.
pub const FORMAT: &str = "spindle-lab";

/// The version of the format. It rises when a figure changes its meaning or a field its place.
pub const VERSION: u32 = 1;

/// Everything that a run says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// When the run began, in seconds since 1970.
    pub begun: u64,
    /// The command line that asks for this run.
    pub command: String,
    /// The program.
    pub build: Build,
    /// The machine.
    pub machine: Machine,
    /// What disturbed the run.
    pub noise: Noise,
    /// What was asked for.
    pub config: RunConfig,
    /// The figures in short.
    pub wire: Wire,
    /// Every figure over its rounds, by name.
    pub figures: BTreeMap<String, Figure>,
    /// Each hop, in the order of the way.
    pub hops: Vec<Hop>,
    /// Distributions over all rounds together.
    pub curves: Vec<Curve>,
    /// Latency over the time of the run, all rounds one after the other.
    pub over_time: Vec<Slot>,
    /// What stamping the hops costs.
    pub stamps: Option<Stamps>,
    /// Latency against offered load.
    pub sweep: Vec<SweepPoint>,
    /// The highest rate of the sweep that the venue held, in requests a second.
    pub knee: Option<u64>,
    /// Every part of the venue beside its floor, where all were measured.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// The program that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The version of the package.
    pub version: String,
    /// The commit, with a plus where files had changed; "unknown" outside of a repository.
    pub commit: String,
    /// `release` or `debug`.
    pub profile: String,
    /// Whether stamps of hops are compiled in.
    pub stamps: bool,
}

impl Build {
    /// This program.
    pub fn here() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("SPINDLE_COMMIT").unwrap_or("unknown").to_owned(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            stamps: spindle_engine::latency::STAMPS,
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Requests a second.
    pub rate: u64,
    /// How they are spread.
    pub arrivals: String,
    /// Measured time over all rounds, in milliseconds.
    pub milliseconds: u64,
    /// Rounds.
    pub rounds: u64,
    /// Warm-up before each round, in milliseconds, in no figure.
    pub warm_up_ms: u64,
    /// Sessions, each with an account of its own.
    pub sessions: u64,
    /// `ouch` or `fix`.
    pub protocol: String,
    /// Weights of the kinds of requests.
    pub mix: String,
    /// What random numbers are made from.
    pub seed: u64,
    /// The venue: started by the run, or where it was found.
    pub venue: String,
    /// Which thread ran on which core.
    pub layout: String,
    /// Checks of the risk gate that were on.
    pub risk: String,
    /// What a round had to keep.
    pub bounds: Option<Bounds>,
    /// Whether latency counts from a message of the market.
    pub tick_to_trade: bool,
}

/// The figures in short: medians over the rounds, of latency from the time at which a request was due.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is a percentile in nanoseconds, of what its name says")]
pub struct Wire {
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub p9999_ns: u64,
    pub max_ns: u64,
    pub floor_p50_ns: u64,
    pub floor_p90_ns: u64,
    pub floor_p99_ns: u64,
    pub floor_p999_ns: u64,
    pub floor_p9999_ns: u64,
    pub floor_max_ns: u64,
    /// The p50 over the floor's; each round's own ratio is among the figures.
    pub p50_ratio: f64,
    /// The same of p99.
    pub p99_ratio: f64,
    pub engine_p50_ns: u64,
    pub engine_p99_ns: u64,
    /// From the gateway's push into the ring to the engine's push of the answer.
    pub ring_to_ring_p50_ns: u64,
    pub ring_to_ring_p99_ns: u64,
    /// A ring there and back between the same cores.
    pub ring_floor_p50_ns: u64,
    pub ring_floor_p99_ns: u64,
    /// One reading of the clock.
    pub clock_read_ns: f64,
    /// How late requests were sent.
    pub late_p50_ns: u64,
    pub late_p99_ns: u64,
    pub late_max_ns: u64,
    /// Requests in all measured rounds.
    pub requests: u64,
    /// Requests a second that were reached.
    pub reached_per_second: u64,
    /// What came of the requests, warm-ups among them.
    pub tally: Tally,
    /// Whether the run does not count.
    pub voided: bool,
    /// Why not; one line each.
    pub void_reasons: Vec<String>,
}

/// One hop of the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// Its name.
    pub name: String,
    /// From where to where.
    pub what: String,
    /// Which thread spends it.
    pub thread: String,
    /// Over all rounds.
    pub percentiles: Percentiles,
}

/// A distribution, as points of its percentile curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Of what.
    pub name: String,
    /// Over all rounds.
    pub percentiles: Percentiles,
    /// Percentile (0 to 100) and nanoseconds, rising.
    pub points: Vec<(f64, u64)>,
}

/// A part of the run's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Milliseconds from the begin of the first round; warm-ups and floors are left out.
    pub at_ms: u64,
    /// Requests that were due in it.
    pub count: u64,
    /// Their p50, in nanoseconds.
    pub p50: u64,
    /// Their p99.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

/// One line of the table of all parts: which figures it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which part of the venue.
    pub part: String,
    /// What is timed.
    pub what: String,
    /// Its name among the figures.
    pub figure: String,
    /// The floor's name among the figures; empty where there is none.
    pub floor: String,
    /// What the floor is.
    pub floor_what: String,
}

/// One rate of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// Requests a second that were due.
    pub offered: u64,
    /// Requests a second that were answered.
    pub reached: u64,
    /// Latency.
    pub venue: Percentiles,
    /// The floor's.
    pub floor: Percentiles,
    /// Why the rate does not count, if it does not.
    pub void: Option<String>,
}

/// Why a record cannot be used.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no record.
    #[error(
        "{path}: no record of a run ({message}); `spindle bench wire --record {path}` writes one"
    )]
    Format {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A record of another version.
    #[error(
        "{path}: a record of version {found}, this program reads version {VERSION}; run the bench again \
         with this program, or compare with the program that wrote it ({build})"
    )]
    Version {
        /// The file.
        path: String,
        /// Its version.
        found: u64,
        /// The version and commit of the program that wrote it.
        build: String,
    },
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecordError::File { path: name.clone(), source })?;
        Self::parse(&text, &name)
    }

    /// Reads a record from its text; `path` names it in errors.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse(text: &str, path: &str) -> Result<Self, RecordError> {
        let path = path.to_owned();
        let wrong = |message: String| RecordError::Format { path: path.clone(), message };
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if value.get("format").and_then(|format| format.as_str()) != Some(FORMAT) {
            return Err(wrong(format!("\"format\" is not \"{FORMAT}\"")));
        }
        let found = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if found != u64::from(VERSION) {
            let of = |key: &str| {
                let value = value.pointer(&format!("/build/{key}")).and_then(|v| v.as_str());
                value.unwrap_or("unknown").to_owned()
            };
            let build = format!("{} {}", of("version"), of("commit"));
            return Err(RecordError::Version { path, found, build });
        }
        serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
    }

    /// The record as text.
    ///
    /// # Errors
    /// A number that JSON does not have; none of these is.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
