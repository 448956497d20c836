//! `spindle doctor`: what spoils latency on this machine.

use clap::Args;
use spindle_lab::doctor::{ThisMachine, examine, table};

use crate::config::ThreadsTable;
use crate::exit::Exit;
use crate::runner::Layout;

/// What spoils latency on this machine: what was found, what it costs, and the command that would change
/// it. Changes nothing.
#[derive(Args)]
pub(crate) struct Doctor {
    /// The cores of the hot threads; left out, those that a venue would take
    #[arg(long, value_name = "CORES", value_delimiter = ',')]
    cores: Vec<usize>,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let cores = match self.cores.as_slice() {
            [] => {
                let layout = Layout::fit(&ThreadsTable::default());
                let places = [layout.engine, layout.gateway];
                places.into_iter().filter_map(|place| place.core.map(|core| core.id)).collect()
            }
            cores => cores.to_vec(),
        };
        let findings = examine(&ThisMachine, &cores);
        if self.json {
            println!("{}", serde_json::to_string_pretty(&findings).map_err(Exit::failed)?);
        } else {
            print!("{}", table(&findings));
        }
        Ok(())
    }
}
