//! `spindle bench compare`: two records side by side.

use std::path::PathBuf;

use clap::Args;
use spindle_lab::compare::{circumstances, differences, table};
use spindle_lab::record::Record;

use crate::exit::Exit;

/// Two records side by side, each difference with the chance that the rounds' noise alone makes it
/// (two-sided Mann-Whitney U test over the rounds).
#[derive(Args)]
pub(super) struct Compare {
    /// A record that `spindle bench wire --record` wrote
    #[arg(value_name = "A")]
    first: PathBuf,
    /// Another
    #[arg(value_name = "B")]
    second: PathBuf,
    /// Every figure, not only those that say most
    #[arg(long)]
    all: bool,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(super) fn run(self) -> Result<(), Exit> {
        let first = Record::read(&self.first).map_err(Exit::usage)?;
        let second = Record::read(&self.second).map_err(Exit::usage)?;
        if self.json {
            let value = serde_json::json!({
                "circumstances": circumstances(&first, &second),
                "differences": differences(&first, &second),
            });
            println!("{value:#}");
        } else {
            print!("{}", table(&first, &second, self.all));
        }
        Ok(())
    }
}
