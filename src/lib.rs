//! The program's own part: command line, configuration and the wiring of threads. Everything that
//! decides something lives in the crates of the workspace.

pub mod accounting;
mod commands;
pub mod config;
pub mod demo;
mod exit;
pub mod feed;
pub mod health;
pub mod journal;
pub mod lab;
pub mod lockstep;
pub mod log;
pub mod machine;
pub mod metrics;
mod operator;
mod panic;
pub mod publication;
pub mod report;
pub mod risk;
pub mod runner;
pub mod shares;
pub mod statement;
pub mod status;
pub mod top;
pub mod tops;
pub mod venue;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

/// A trading venue in one program.
#[derive(Parser)]
#[command(version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Generate(commands::Generate),
    Book(commands::Book),
    Run(commands::Run),
    Demo(commands::Demo),
    Inspect(commands::Inspect),
    Journal(commands::Journal),
    Match(commands::Match),
    Password(commands::Password),
    Replay(commands::Replay),
    Bench(commands::Bench),
    Doctor(commands::Doctor),
    Record(commands::Record),
    Risk(commands::Risk),
    Top(commands::Top),
    Client(commands::Client),
}

/// Runs the program on the process's own arguments.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result: Result<(), Exit> = match cli.command {
        Command::Generate(command) => command.run(),
        Command::Book(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Journal(command) => command.run(),
        Command::Match(command) => command.run(),
        Command::Password(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Record(command) => command.run(),
        Command::Risk(command) => command.run(),
        Command::Top(command) => command.run(),
        Command::Client(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}
