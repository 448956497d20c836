//! One file for each subcommand: its arguments, and how it calls the crates.

mod book;
mod generate;

pub(crate) use book::Book;
pub(crate) use generate::Generate;
