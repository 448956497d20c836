//! Counting instructions: a figure without noise, held to a bound.
//!
//! A benchmark runs itself under valgrind's callgrind, which counts only inside one function. Where
//! there is no valgrind it says so and checks nothing.

use std::process::{Command, ExitCode};

/// What is counted, and what it is held to.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// The argument with which the program does the counted work and nothing else.
    pub argument: &'static str,
    /// The function in which instructions count.
    pub function: &'static str,
    /// What the figure is for: a message, an order.
    pub unit: &'static str,
    /// How many of them the function sees.
    pub units: u32,
    /// The bound, in instructions for each: the text of the file.
    pub bound: &'static str,
    /// The file that has the bound, for people.
    pub file: &'static str,
}

impl Guard {
    /// Runs this program once more under valgrind and holds what it counts to the bound: at most
    /// that, and at least half of it, for a count of next to nothing counts the wrong thing.
    ///
    /// # Panics
    /// When the bound is no number, or this program cannot be found.
    pub fn check(&self) -> ExitCode {
        let Self { unit, bound, file, .. } = *self;
        let bound: f64 = bound.trim().parse().expect("a number");
        let each = match self.count(&[]) {
            Counted::Each(each) => each,
            Counted::NoValgrind => {
                println!("skipped: there is no valgrind here, so instructions are not counted");
                return ExitCode::SUCCESS;
            }
            Counted::Nothing(said) => {
                eprintln!("valgrind counted nothing:\n{said}");
                return ExitCode::FAILURE;
            }
        };
        println!("instructions {unit}: {each:.1}, the bound is {bound}");
        if each > bound || each < bound / 2.0 {
            eprintln!("outside of half the bound to the bound; see {file}");
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }

    /// Runs this program once more under valgrind, with these arguments behind its own.
    ///
    /// # Panics
    /// When this program cannot be found.
    pub fn count(&self, further: &[&str]) -> Counted {
        let program = std::env::current_exe().expect("a path");
        let counted = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(format!("--toggle-collect=*{}*", self.function))
            .arg(program)
            .arg(self.argument)
            .args(further)
            .output();
        let Ok(counted) = counted else {
            return Counted::NoValgrind;
        };
        let said = String::from_utf8_lossy(&counted.stderr);
        let collected = said.lines().find_map(|line| line.split_once("Collected :"));
        match collected.and_then(|(_, number)| number.trim().parse::<u32>().ok()) {
            Some(instructions) => Counted::Each(f64::from(instructions) / f64::from(self.units)),
            None => Counted::Nothing(said.into_owned()),
        }
    }
}

/// What a count came to.
#[derive(Clone, Debug)]
pub enum Counted {
    /// Instructions for each unit.
    Each(f64),
    /// There is no valgrind.
    NoValgrind,
    /// It counted nothing; what it said.
    Nothing(String),
}
