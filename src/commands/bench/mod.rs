//! `spindle bench`: the latency laboratory.

mod all;
mod arrivals;
mod compare;
mod journal;
mod output;
mod wire;

use std::io::{IsTerminal, stderr};

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use spindle_benches::feed::{FeedBench, Part, Subject};

use crate::exit::Exit;

/// Measure parts of the venue on this machine.
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    All(all::All),
    Feed(Feed),
    Wire(Box<wire::Wire>),
    Compare(compare::Compare),
    Journal(journal::Journal),
}

impl Bench {
    pub(crate) fn run(self) -> Result<(), Exit> {
        match self.what {
            What::All(all) => all.run(),
            What::Feed(feed) => feed.run(),
            What::Wire(wire) => wire.run(),
            What::Compare(compare) => compare.run(),
            What::Journal(journal) => journal.run(),
        }
    }
}

/// The receive paths side by side: latency at steady rates, bursts, and what they hold without loss.
#[derive(Args)]
struct Feed {
    /// The paths to measure
    #[arg(long, value_enum, value_delimiter = ',', default_value = "io-uring,recvmmsg,recv")]
    paths: Vec<PathName>,
    /// Runs of each, of which the median is shown
    #[arg(long, value_name = "N", default_value_t = 5,
        value_parser = clap::value_parser!(u16).range(1..=1_000))]
    runs: u16,
    /// Length of a run at a steady rate
    #[arg(long, value_name = "MS", default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(1..=600_000))]
    milliseconds: u64,
    /// Steady rates, in messages a second
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10_000, 100_000, 500_000],
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rates: Vec<u64>,
    /// The parts to measure: all of them unless named
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    only: Vec<PartName>,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PathName {
    IoUring,
    Recvmmsg,
    Recv,
    /// io_uring, completions made when the thread next enters the kernel
    IoUringCooperative,
    /// io_uring, completions made in an interrupt
    IoUringInterrupt,
    /// A bare socket, whose packets are walked and nothing else: the floor
    Bare,
}

#[derive(Clone, Copy, ValueEnum)]
enum PartName {
    /// Latency at the steady rates
    Rates,
    /// The opening second of a real day
    Opening,
    /// Packets of one message as fast as they can be sent
    Flood,
    /// The same into a ring of 8 buffers, to a slow consumer
    Burst,
    /// The highest rate without loss
    Held,
}

impl PartName {
    const fn part(self) -> Part {
        match self {
            Self::Rates => Part::Rates,
            Self::Opening => Part::Opening,
            Self::Flood => Part::Flood,
            Self::Burst => Part::Burst,
            Self::Held => Part::Held,
        }
    }
}

impl PathName {
    const fn subject(self) -> Subject {
        match self {
            Self::IoUring => Subject::PATHS[0],
            Self::Recvmmsg => Subject::PATHS[1],
            Self::Recv => Subject::PATHS[2],
            Self::IoUringCooperative => Subject::RING_MODES[0],
            Self::IoUringInterrupt => Subject::RING_MODES[1],
            Self::Bare => Subject::BARE,
        }
    }
}

impl Feed {
    fn run(self) -> Result<(), Exit> {
        let bench = FeedBench {
            subjects: self.paths.into_iter().map(PathName::subject).collect(),
            runs: self.runs.into(),
            milliseconds: self.milliseconds,
            rates: self.rates,
            parts: match self.only.as_slice() {
                [] => Part::ALL.to_vec(),
                only => only.iter().map(|part| part.part()).collect(),
            },
        };
        let progress = progress();
        let report = bench
            .run(|step| {
                progress.set_message(step.to_owned());
                progress.tick();
            })
            .map_err(Exit::failed)?;
        progress.finish_and_clear();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report).map_err(Exit::failed)?);
        } else {
            print!("{report}");
        }
        match report.unaccounted() {
            0 => Ok(()),
            packets => Err(Exit::failed(format!("{packets} packets are unaccounted for"))),
        }
    }
}

/// What is measured now, on a terminal; nothing in a pipe. It does not tick by itself: a thread
/// that wakes up would disturb what is measured.
fn progress() -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    match ProgressStyle::with_template("{spinner} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
