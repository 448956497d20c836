//! One file for each subcommand: its arguments, and how it calls the crates.

mod bench;
mod book;
mod client;
mod demo;
mod doctor;
mod generate;
mod inspect;
mod journal;
mod match_file;
mod password;
mod record;
mod replay;
mod risk;
mod run;
mod top;

pub(crate) use bench::Bench;
pub(crate) use book::Book;
pub(crate) use client::Client;
pub(crate) use demo::Demo;
pub(crate) use doctor::Doctor;
pub(crate) use generate::Generate;
pub(crate) use inspect::Inspect;
pub(crate) use journal::Journal;
pub(crate) use match_file::Match;
pub(crate) use password::Password;
pub(crate) use record::Record;
pub(crate) use replay::{Replay, time_of_day};
pub(crate) use risk::Risk;
pub(crate) use run::Run;
pub(crate) use top::Top;
