//! One file for each subcommand: its arguments, and how it calls the crates.
