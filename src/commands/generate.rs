//! `spindle generate`: a synthetic day, valid by construction, from a seed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use spindle_replay::generate::{GenerateConfig, Generator};

use crate::exit::Exit;

/// Make up an ITCH 5.0 day, valid by construction, in the framing of Nasdaq's daily files.
///
/// The same numbers give the same bytes on every machine.
#[derive(Args)]
pub(crate) struct Generate {
    /// The file to write; `-` is standard output
    out: PathBuf,
    /// Messages in the day, in all; at least 6 + 5 for each symbol
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    messages: u64,
    /// Instruments
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    symbols: u16,
    /// What chance is seeded with
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

impl Generate {
    pub(crate) fn run(self) -> Result<(), Exit> {
        let config =
            GenerateConfig::new(self.messages, self.symbols, self.seed).map_err(Exit::usage)?;
        let out = &self.out;
        let shown = out.display();
        let cannot = |error| Exit::usage(format!("{shown}: cannot be written: {error}"));
        let output: Box<dyn Write> = if out == Path::new("-") {
            Box::new(std::io::stdout().lock())
        } else {
            Box::new(File::create(out).map_err(cannot)?)
        };
        let bar = ProgressBar::new(self.messages).with_style(style());
        let mut generator = Generator::new(config);
        let bytes = generator
            .write_to(output, |done| bar.set_position(done))
            .map_err(|error| Exit::failed(format!("{shown}: writing stopped: {error}")))?;
        bar.finish_and_clear();
        eprintln!(
            "{shown}: {} messages over {} symbols, {bytes} bytes, seed {}, {} orders live at the end",
            generator.produced(),
            config.symbols(),
            config.seed(),
            generator.live_orders(),
        );
        Ok(())
    }
}

/// A bar that draws on a terminal alone: indicatif hides it where standard error is none.
fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} messages, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
