//! `spindle inspect`: what is in a recording.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use spindle_replay::inspect::inspect_file;

use crate::exit::Exit;

/// Say what is in a recording, and what is broken in it.
///
/// The exit status is 1 when something is broken, 2 when the file is no recording.
#[derive(Args)]
pub(crate) struct Inspect {
    /// The recording
    file: PathBuf,
    /// Write JSON instead of text
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(self) -> Result<(), Exit> {
        let shown = self.file.display();
        let bar = ProgressBar::new(0).with_style(
            ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let inspection = inspect_file(&self.file, |position, size| {
            bar.set_length(size);
            bar.set_position(position);
        })
        .map_err(|error| Exit::usage(format!("{shown}: {error}")))?;
        bar.finish_and_clear();
        if self.json {
            let json = serde_json::to_string_pretty(&inspection).map_err(Exit::failed)?;
            println!("{json}");
        } else {
            println!("{shown}\n\n{inspection}");
        }
        match inspection.faults.first() {
            None => Ok(()),
            Some(fault) => Err(Exit::failed(format!("{shown}: broken: {}", fault.first))),
        }
    }
}
