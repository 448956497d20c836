//! One file for each subcommand: its arguments, and how it calls the crates.

mod generate;

pub(crate) use generate::Generate;
