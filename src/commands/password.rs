//! `spindle password`: the hash of a password for the configuration.

use std::io::{IsTerminal, Read, Write, stderr, stdin};

use clap::{Args, ValueEnum};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use spindle_gateway::vault::hash_password;
use zeroize::Zeroizing;

use crate::exit::Exit;

/// Hash a password for a session of the configuration. It is read from the terminal or from a pipe.
#[derive(Args)]
pub(crate) struct Password {
    /// What the session speaks: OUCH's passwords have up to 10 letters or digits, and case does not
    /// matter
    protocol: Protocol,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Ouch,
    Fix,
}

impl Password {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let mut password = read().map_err(Exit::failed)?;
        if self.protocol == Protocol::Ouch {
            let fits = (1..=10).contains(&password.len());
            if !fits || !password.iter().all(u8::is_ascii_alphanumeric) {
                return Err(Exit::usage("an OUCH password has 1 to 10 ASCII letters or digits"));
            }
            password.make_ascii_uppercase();
        } else if password.is_empty() || password.len() > 128 || password.contains(&1) {
            return Err(Exit::usage("a FIX password has 1 to 128 bytes and no SOH among them"));
        }
        let hash = hash_password(&password).map_err(Exit::failed)?;
        println!("{hash}");
        Ok(())
    }
}

/// The first line of what comes. On a terminal it is asked for, and not shown.
fn read() -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut input = stdin().lock();
    let before = if input.is_terminal() {
        eprint!("password: ");
        stderr().flush()?;
        let before = tcgetattr(&input)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Flush, &silent)?;
        Some(before)
    } else {
        None
    };
    // Room at once, so that no half of it is left behind by growing.
    let mut line = Zeroizing::new(Vec::with_capacity(1_024));
    let mut byte = [0];
    let read = loop {
        match input.read(&mut byte) {
            Ok(0) => break Ok(()),
            Ok(_) if byte[0] == b'\n' || line.len() == 1_024 => break Ok(()),
            Ok(_) => line.push(byte[0]),
            Err(error) => break Err(error),
        }
    };
    if let Some(before) = before {
        tcsetattr(&input, OptionalActions::Flush, &before)?;
        eprintln!();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    read.map(|()| line)
}
