//! What was measured, as a table and for machines.

use std::fmt;

use serde::Serialize;
use spindle_feed::receive::Refusal;

use super::Subject;
use super::run::Run;
use crate::machine::Machine;
use crate::summary::{Latency, Spread, nanoseconds, thousands};

/// Everything that a `bench feed` measured.
#[derive(Clone, Debug, Serialize)]
pub struct FeedReport {
    /// Where.
    pub machine: Machine,
    /// Whether sender and receiver had a core each.
    pub pinned: bool,
    /// Runs behind each measurement.
    pub runs: usize,
    /// Scenario by scenario, path by path.
    pub measurements: Vec<Measurement>,
    /// What each path holds without loss.
    pub held: Vec<Held>,
    /// Paths that the kernel refuses, and why.
    pub refused: Vec<(String, String)>,
}

/// One path in one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// What was sent.
    pub scenario: String,
    /// The path.
    pub path: String,
    /// Messages sent in a second, as it came out.
    pub messages_per_second: Spread,
    /// Packets sent in all runs.
    pub packets: u64,
    /// Messages measured in all runs.
    pub messages: u64,
    /// Packets that the kernel dropped, in all runs.
    pub dropped: u64,
    /// Messages declared lost, in all runs.
    pub lost: u64,
    /// Packets sent that neither came nor are among the dropped: a fault of the program.
    pub unaccounted: u64,
    /// From sending to decoding, in nanoseconds.
    pub from_send: Percentiles,
    /// From when it was due to decoding, in nanoseconds.
    pub from_due: Percentiles,
    /// How late messages were sent, in nanoseconds.
    pub pacing: Percentiles,
    /// Times that an io_uring ran out of buffers, in all runs.
    pub buffers_exhausted: u64,
    /// Times that an io_uring's request was armed again, in all runs.
    pub rearmed: u64,
    /// Calls of an io_uring into the kernel, in all runs.
    pub enters: u64,
}

/// Percentiles over the runs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    /// Half are at most this.
    pub p50: Spread,
    /// 99 % are at most this.
    pub p99: Spread,
    /// 99.9 % are at most this.
    pub p999: Spread,
    /// The longest.
    pub most: Spread,
}

/// What a path holds without loss.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// The path.
    pub path: String,
    /// Packets a second.
    pub packets_per_second: u64,
    /// Who could not do more: `sender` or `receiver`.
    pub limit: &'static str,
}

impl Held {
    pub(super) fn new(subject: Subject) -> Self {
        Self { path: subject.name().to_owned(), packets_per_second: 0, limit: "nobody" }
    }
}

impl Percentiles {
    fn of(runs: &[Run], latency: impl Fn(&Run) -> Latency) -> Self {
        let of =
            |figure: fn(&Latency) -> u64| Spread::of(runs.iter().map(|run| figure(&latency(run))));
        Self {
            p50: of(|latency| latency.p50),
            p99: of(|latency| latency.p99),
            p999: of(|latency| latency.p999),
            most: of(|latency| latency.most),
        }
    }
}

impl FeedReport {
    pub(super) fn new(machine: Machine, pinned: bool, runs: usize) -> Self {
        let (measurements, held, refused) = (Vec::new(), Vec::new(), Vec::new());
        Self { machine, pinned, runs, measurements, held, refused }
    }

    pub(super) fn refuse(&mut self, subject: Subject, refusal: Refusal) {
        if !self.is_refused(subject) {
            self.refused.push((subject.name().to_owned(), refusal.to_string()));
        }
    }

    pub(super) fn is_refused(&self, subject: Subject) -> bool {
        self.refused.iter().any(|(name, _)| name == subject.name())
    }

    pub(super) fn add(&mut self, scenario: &str, subject: Subject, runs: &[Run]) {
        let sum = |figure: &dyn Fn(&Run) -> u64| runs.iter().map(figure).sum();
        let per_second = |run: &Run| {
            let messages = u128::from(run.sent.pacing.len());
            let rate = messages * 1_000_000_000 / u128::from(run.sent.took.max(1));
            u64::try_from(rate).unwrap_or(u64::MAX)
        };
        self.measurements.push(Measurement {
            scenario: scenario.to_owned(),
            path: subject.name().to_owned(),
            messages_per_second: Spread::of(runs.iter().map(per_second)),
            packets: sum(&|run| run.sent.packets),
            messages: sum(&|run| run.decoded),
            dropped: sum(&|run| run.kernel_drops),
            lost: sum(&|run| run.lost),
            unaccounted: sum(&Run::unaccounted),
            from_send: Percentiles::of(runs, |run| Latency::of(&run.from_send)),
            from_due: Percentiles::of(runs, |run| Latency::of(&run.from_due)),
            pacing: Percentiles::of(runs, |run| Latency::of(&run.sent.pacing)),
            buffers_exhausted: sum(&|run| run.stats.ring.buffers_exhausted),
            rearmed: sum(&|run| run.stats.ring.rearmed),
            enters: sum(&|run| run.stats.ring.enters),
        });
    }

    /// Packets that nobody can account for, over everything; anything but 0 is a fault.
    pub fn unaccounted(&self) -> u64 {
        self.measurements.iter().map(|measurement| measurement.unaccounted).sum()
    }
}

/// `5.61 µs (5.40 to 6.02)`, median and ends.
fn spread(spread: Spread) -> String {
    let [median, least, most] = [spread.median, spread.least, spread.most].map(nanoseconds);
    format!("{median} ({least} to {most})")
}

impl fmt::Display for FeedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        let cores = if self.pinned { "a core each" } else { "no cores of their own" };
        writeln!(
            f,
            "sender and receiver with {cores}; {} runs, median (least to most)",
            self.runs
        )?;
        for (path, refusal) in &self.refused {
            writeln!(f, "{path} is left out: {refusal}")?;
        }
        let mut scenario = "";
        for measurement in &self.measurements {
            if measurement.scenario != scenario {
                scenario = &measurement.scenario;
                writeln!(f, "\n{scenario}")?;
                writeln!(
                    f,
                    "  {:<22} {:>12} {:>9} {:>9}  {:<32} {:<32} {:<32} due to decoded p99",
                    "path", "messages/s", "dropped", "lost", "send to decoded p50", "p99", "p99.9"
                )?;
            }
            measurement.fmt(f)?;
        }
        if self.held.is_empty() {
            return Ok(());
        }
        writeln!(f, "\npackets of one message held without loss for a quarter of a second")?;
        for held in &self.held {
            let rate = thousands(held.packets_per_second);
            writeln!(
                f,
                "  {:<22} {rate:>12}/s, then the {} could not do more",
                held.path, held.limit
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {:<22} {:>12} {:>9} {:>9}  {:<32} {:<32} {:<32} {}",
            self.path,
            thousands(self.messages_per_second.median),
            thousands(self.dropped),
            thousands(self.lost),
            spread(self.from_send.p50),
            spread(self.from_send.p99),
            spread(self.from_send.p999),
            spread(self.from_due.p99),
        )?;
        if self.unaccounted > 0 {
            let unaccounted = thousands(self.unaccounted);
            writeln!(f, "  {:<22} {unaccounted} packets are unaccounted for", "")?;
        }
        if self.buffers_exhausted > 0 {
            let (exhausted, rearmed) = (thousands(self.buffers_exhausted), thousands(self.rearmed));
            writeln!(f, "  {:<22} buffers exhausted {exhausted} times, armed again {rearmed}", "")?;
        }
        Ok(())
    }
}
