//! One file for each subcommand: its arguments, and how it calls the crates.

mod book;
mod generate;
mod run;

pub(crate) use book::Book;
pub(crate) use generate::Generate;
pub(crate) use run::Run;
