//! `spindle bench journal`: what the journal costs and how fast it comes back.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Exit;
use crate::journal::bench::{self, JournalFigures};

/// What the journal costs and how fast a venue comes back from it: a journal of a synthetic day is made, applied again,
/// come back from with a snapshot and without; group commit; what recording costs the engine's thread.
#[derive(Args)]
pub(super) struct Journal {
    /// A folder for the journals, on the device that is meant; the journal of the day stays there and is used again
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Inputs of the day: nine messages of the market for each order
    #[arg(long, value_name = "N", default_value_t = 10_000_000,
        value_parser = clap::value_parser!(u64).range(10_000..=1_000_000_000))]
    inputs: u64,
    /// Inputs behind the snapshot
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    tail: u64,
    /// Print JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl Journal {
    pub(super) fn run(self) -> Result<(), Exit> {
        let figures = bench::run(&self.directory, self.inputs, self.tail).map_err(Exit::failed)?;
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&figures).map_err(Exit::failed)?),
            false => print!("{}", lines(&figures)),
        }
        Ok(())
    }
}

fn lines(figures: &JournalFigures) -> String {
    let JournalFigures { replayed, recovery, commits, cost, .. } = figures;
    let mut lines = vec![
        format!(
            "applied again        {} inputs in {:.3} s: {:.0} a second; digest {}, state {}",
            replayed.inputs,
            replayed.seconds,
            replayed.inputs_a_second,
            replayed.digest,
            replayed.state_hash
        ),
        format!(
            "snapshot             {} inputs, {} MiB, made in {:.3} s behind {:.3} s of following",
            recovery.snapshot_inputs,
            recovery.snapshot_bytes >> 20,
            recovery.snapshot_seconds,
            recovery.follow_seconds
        ),
        format!(
            "ready for orders     {:.3?} s with the snapshot and its tail, {:.3} s without",
            recovery.ready_seconds, recovery.ready_seconds_without
        ),
    ];
    for (what, cost) in [("an order", &cost.orders), ("a message", &cost.messages)] {
        lines.push(format!(
            "recording            {:.1} ns {what} without, {:.1} ns with: {:+.1} % ({:+.1} to {:+.1})",
            cost.without_ns, cost.with_ns, cost.percent[1], cost.percent[0], cost.percent[2]
        ));
    }
    for run in &commits.runs {
        lines.push(format!(
            "group commit         {:>5} under way: {:>7.0} orders a second, p50 {:.0} us, p99 {:.0} us, max {:.0} us; \
             {:.1} records a commit, {:.0} us each",
            run.window,
            run.orders_a_second,
            run.p50_us,
            run.p99_us,
            run.max_us,
            run.records_a_commit,
            run.sync_p50_us
        ));
    }
    lines.join("\n") + "\n"
}
