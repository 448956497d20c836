//! One file for each subcommand: its arguments, and how it calls the crates.

mod generate;
mod inspect;
mod replay;

pub(crate) use generate::Generate;
pub(crate) use inspect::Inspect;
pub(crate) use replay::Replay;
