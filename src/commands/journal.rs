//! `spindle journal`: what is in a journal, and whether it leads to where it led.

use clap::Args;

use crate::exit::Exit;

/// Look into a venue's journal.
#[derive(Args)]
pub(crate) struct Journal {}

impl Journal {
    pub(crate) fn run(self) -> Result<(), Exit> {
        Ok(())
    }
}
