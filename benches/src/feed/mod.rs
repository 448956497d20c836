//! The receive paths side by side: what they hold without loss, how long a message takes from being
//! sent to being decoded, and what bursts do to them.
//!
//! A sender on one core, a receiver on another, UDP over loopback between them. The receiving side is
//! the product's own: receive path, arbitration, decoding. Load is open: a message is due when the
//! plan says so, however late the one before was, and latency is also counted from then.

mod bare;
mod load;
mod report;
mod run;

use quanta::Clock;
use spindle_feed::mold_feed::FeedError;
use spindle_feed::receive::{OpenError, Path, Refusal, RingMode};

pub use report::{FeedReport, Measurement};
pub use run::RunError;

use crate::machine::{Machine, cores_for};
use load::Plan;
use run::{Run, Setup};

/// Messages of a packet that is filled as far as messages are due.
const FULL: usize = spindle_feed::moldudp64::PAYLOAD_MAX;

/// A receive path under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The path; none: a bare socket, whose packets are walked and nothing else is done.
    pub path: Option<Path>,
    /// For io_uring another mode than the default.
    pub ring_mode: Option<RingMode>,
}

impl Subject {
    /// The three paths.
    pub const PATHS: [Self; 3] =
        [Self::of(Path::IoUring), Self::of(Path::Recvmmsg), Self::of(Path::Recv)];

    /// io_uring in its other two modes.
    pub const RING_MODES: [Self; 2] = [
        Self { path: Some(Path::IoUring), ring_mode: Some(RingMode::Cooperative) },
        Self { path: Some(Path::IoUring), ring_mode: Some(RingMode::Interrupt) },
    ];

    /// The floor: a bare socket, without arbitration and decoding.
    pub const BARE: Self = Self { path: None, ring_mode: None };

    const fn of(path: Path) -> Self {
        Self { path: Some(path), ring_mode: None }
    }

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match (self.path, self.ring_mode) {
            (None, _) => "bare socket",
            (_, Some(RingMode::Cooperative)) => "io_uring, cooperative",
            (_, Some(RingMode::Interrupt)) => "io_uring, interrupt",
            (Some(path), Some(RingMode::Deferred) | None) => path.name(),
        }
    }
}

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct FeedBench {
    /// The paths, in the order of the table.
    pub subjects: Vec<Subject>,
    /// Runs of each, of which the median is taken. Paths take turns, so that what disturbs the
    /// machine for a while disturbs all of them.
    pub runs: usize,
    /// Length of the runs at a steady rate, in milliseconds.
    pub milliseconds: u64,
    /// Steady rates, in messages a second.
    pub rates: Vec<u64>,
    /// The parts to measure.
    pub parts: Vec<Part>,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Latency at the steady rates.
    Rates,
    /// The opening second.
    Opening,
    /// Packets of one message as fast as they can be sent.
    Flood,
    /// The same into a ring of 8 buffers, to a slow consumer.
    Burst,
    /// The highest rate without loss.
    Held,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rates, Self::Opening, Self::Flood, Self::Burst, Self::Held];
}

impl Default for FeedBench {
    fn default() -> Self {
        Self {
            subjects: Subject::PATHS.to_vec(),
            runs: 5,
            milliseconds: 1_000,
            rates: vec![10_000, 100_000, 500_000],
            parts: Part::ALL.to_vec(),
        }
    }
}

/// What is sent in a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// So many messages a second.
    Rate(u64),
    /// The opening second.
    Opening,
    /// Packets of one message as fast as they can be sent.
    Flood,
    /// The same into a ring of 8 buffers, batches of 8 and a small socket buffer, to a consumer
    /// that takes longer over a message than the sender.
    SmallRing,
}

/// Packets in the floods.
const FLOOD: usize = 200_000;
const SMALL_RING: usize = 20_000;

/// The socket buffer for all but the bursts that are to overflow it.
const SOCKET_BUFFER: usize = 32 << 20;

/// What the slow consumer takes over a message, in nanoseconds: several times the sender's pace.
const SLOW: u64 = 10_000;

/// The socket buffer behind the small ring: a few hundred packets.
const SMALL_BUFFER: usize = 256 << 10;

impl Scenario {
    fn name(self) -> String {
        match self {
            Self::Rate(rate) => format!("{} messages/s", crate::summary::thousands(rate)),
            Self::Opening => "opening second".to_owned(),
            Self::Flood => "flood".to_owned(),
            Self::SmallRing => "burst into 8 buffers, slow consumer".to_owned(),
        }
    }

    fn plan(self, milliseconds: u64) -> Plan {
        match self {
            Self::Rate(rate) => {
                let count = usize::try_from(rate * milliseconds / 1_000).unwrap_or(usize::MAX);
                Plan::even(rate, count, FULL)
            }
            Self::Opening => Plan::opening(),
            Self::Flood => Plan::flood(FLOOD, 1),
            Self::SmallRing => Plan::flood(SMALL_RING, 1),
        }
    }

    fn setup(self, subject: Subject, cores: Option<[core_affinity::CoreId; 2]>) -> Setup {
        let (buffers, batch, socket_buffer) = match self {
            Self::SmallRing => (8, 8, SMALL_BUFFER),
            Self::Rate(_) | Self::Opening | Self::Flood => (1_024, 64, SOCKET_BUFFER),
        };
        let work = if self == Self::SmallRing { SLOW } else { 0 };
        Setup { subject, buffers, batch, socket_buffer, work, cores }
    }
}

impl FeedBench {
    /// Measures everything. `progress` hears what is done next.
    ///
    /// # Errors
    /// See [`RunError`]. A path that the kernel refuses is no error: the report says so.
    pub fn run(&self, mut progress: impl FnMut(&str)) -> Result<FeedReport, RunError> {
        let cores = cores_for::<2>();
        let mut report = FeedReport::new(Machine::here(), cores.is_some(), self.runs);
        let mut subjects = self.subjects.clone();
        for scenario in self.scenarios() {
            let plan = scenario.plan(self.milliseconds);
            let mut runs: Vec<Vec<Run>> = vec![Vec::new(); subjects.len()];
            for number in 1..=self.runs {
                for (runs, &subject) in runs.iter_mut().zip(&subjects) {
                    let (name, path) = (scenario.name(), subject.name());
                    progress(&format!("{name}: {path}, run {number} of {}", self.runs));
                    match run::run(&scenario.setup(subject, cores), &plan) {
                        Ok(run) => runs.push(run),
                        Err(error) => report.refuse(subject, refusal(error)?),
                    }
                }
            }
            for (runs, &subject) in runs.iter().zip(&subjects) {
                if !runs.is_empty() {
                    report.add(&scenario.name(), subject, runs);
                }
            }
            subjects.retain(|&subject| !report.is_refused(subject));
        }
        subjects.retain(|_| self.parts.contains(&Part::Held));
        for &subject in &subjects {
            progress(&format!("highest rate without loss: {}", subject.name()));
            report.held.push(self.held(subject, cores)?);
        }
        Ok(report)
    }

    fn scenarios(&self) -> Vec<Scenario> {
        let rates = self.rates.iter().map(|&rate| (Part::Rates, Scenario::Rate(rate)));
        let others = [
            (Part::Opening, Scenario::Opening),
            (Part::Flood, Scenario::Flood),
            (Part::Burst, Scenario::SmallRing),
        ];
        let chosen = rates.chain(others).filter(|(part, _)| self.parts.contains(part));
        chosen.map(|(_, scenario)| scenario).collect()
    }

    /// The highest rate, in steps of a tenth, at which a quarter of a second of single-message
    /// packets comes through without loss, and at which the sender keeps the pace.
    fn held(
        &self,
        subject: Subject,
        cores: Option<[core_affinity::CoreId; 2]>,
    ) -> Result<report::Held, RunError> {
        let setup = Scenario::Flood.setup(subject, cores);
        let mut held = report::Held::new(subject);
        let (mut rate, mut failures) = (50_000_u64, 0);
        // The kernel on one core sends and receives; nothing comes near the upper end.
        while rate < 20_000_000 && failures < 3 {
            let count = usize::try_from(rate / 4).unwrap_or(usize::MAX);
            let run = run::run(&setup, &Plan::even(rate, count, 1))?;
            let reached = run.sent.took < 250_000_000 * 102 / 100;
            let lossless = run.lost == 0 && run.sent.errors == 0;
            if reached && lossless {
                held.packets_per_second = rate;
                failures = 0;
                rate += rate / 10;
            } else {
                failures += 1;
                held.limit = if lossless { "sender" } else { "receiver" };
            }
        }
        Ok(held)
    }
}

/// Why a path is left out, or the error when it is not the kernel's refusal.
fn refusal(error: RunError) -> Result<Refusal, RunError> {
    match error {
        RunError::Feed(FeedError::Open(OpenError::Refused { refusal, .. })) => Ok(refusal),
        other => Err(other),
    }
}

/// Nanoseconds since the beginning of a run, on one clock for both threads.
#[derive(Debug)]
struct Ticks {
    clock: Clock,
    base: u64,
}

impl Ticks {
    fn new() -> Self {
        let clock = Clock::new();
        let base = clock.raw();
        Self { clock, base }
    }

    #[inline]
    fn now(&self) -> u64 {
        self.clock.delta_as_nanos(self.base, self.clock.raw())
    }

    /// Spins for so long, or until something is the case.
    fn wait(&self, nanoseconds: u64, until: impl Fn() -> bool) {
        let end = self.now() + nanoseconds;
        while self.now() < end && !until() {
            std::hint::spin_loop();
        }
    }
}
