//! How a command ends: status 0, 1 when it ran and found a failure, 2 for wrong usage or input, 3 when the journal
//! could not be written, 4 when a thread of the venue ended by a panic.

use std::fmt;
use std::process::ExitCode;

/// An end that is not success, with its one line for stderr.
#[derive(Debug)]
pub(crate) enum Exit {
    /// The command ran and found a failure: status 1.
    Failed(String),
    /// The arguments or the input are wrong: status 2.
    Usage(String),
    /// The journal of a venue that ran could not be written: status 3.
    Journal(String),
    /// A thread of a venue that ran ended by a panic: status 4.
    Panic(String),
}

impl Exit {
    /// A failure found while running.
    pub(crate) fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }

    /// Wrong usage or input.
    pub(crate) fn usage(reason: impl fmt::Display) -> Self {
        Self::Usage(reason.to_string())
    }

    /// Writes the line and gives the status.
    pub(crate) fn report(self) -> ExitCode {
        let (line, status) = match self {
            Self::Failed(line) => (line, 1),
            Self::Usage(line) => (line, 2),
            Self::Journal(line) => (line, 3),
            Self::Panic(line) => (line, 4),
        };
        eprintln!("spindle: {line}");
        ExitCode::from(status)
    }
}
