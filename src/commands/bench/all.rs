//! `spindle bench all`: every part of the venue in one table.

use std::path::PathBuf;

use clap::Args;

use super::output::Output;
use super::wire::{command_line, told};
use crate::exit::Exit;
use crate::lab::{self, AllOptions, WireOptions};

/// Every part in one table, each beside its floor: orders over sockets on a schedule, the feed, books, matching, the risk
/// gate, the journal.
#[derive(Args)]
pub(super) struct All {
    /// How long everything takes, about; the journal alone needs some ten seconds
    #[arg(long, value_name = "S", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Requests a second over sockets
    #[arg(long, value_name = "N", default_value_t = 50_000,
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
    /// Where the journal's part writes, on the device that is meant; what it wrote is taken away again
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// The engine's core
    #[arg(long, value_name = "CORE")]
    engine_core: Option<usize>,
    /// The gateway's core; on two cores the load's as well
    #[arg(long, value_name = "CORE")]
    gateway_core: Option<usize>,
    #[command(flatten)]
    output: Output,
}

impl All {
    pub(super) fn run(self) -> Result<(), Exit> {
        self.output.check()?;
        let milliseconds = self.seconds * 1_000;
        let wire = WireOptions {
            rate: self.rate,
            // As long again for the floor, and pauses between the rounds.
            milliseconds: milliseconds / 6,
            rounds: 10.max(milliseconds / 60_000),
            engine_core: self.engine_core,
            gateway_core: self.gateway_core,
            command: command_line(),
            ..WireOptions::default()
        };
        let options = AllOptions { wire, milliseconds, directory: self.directory };
        self.output.tell(&told("", |progress| lab::run_all(&options, progress))?)
    }
}
