//! `spindle match`: orders in, events out, one JSON object a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;
use spindle_scenario::{RunError, Venue, run};

use crate::exit::Exit;

/// Match orders from a file or a pipe: JSON lines in, JSON lines out.
///
/// Each line is answered before the next is read. A line that is no operation is answered by an
/// error line; the exit status is then 1.
#[derive(Args)]
pub(crate) struct Match {
    /// The operations, one JSON object a line; `-` is standard input
    file: PathBuf,
}

impl Match {
    pub(crate) fn run(self) -> Result<(), Exit> {
        let shown = self.file.display();
        let cannot = |error: io::Error| Exit::usage(format!("{shown}: cannot be read: {error}"));
        let input: Box<dyn BufRead> = if self.file == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(&self.file).map_err(cannot)?;
            if file.metadata().is_ok_and(|file| file.is_dir()) {
                return Err(Exit::usage(format!(
                    "{shown}: is a folder; give a file of JSON lines"
                )));
            }
            Box::new(BufReader::new(file))
        };
        match run(input, io::stdout().lock(), &mut Venue::default()) {
            Ok(0) => Ok(()),
            Ok(1) => Err(Exit::failed(format!("{shown}: 1 line is no operation"))),
            Ok(errors) => Err(Exit::failed(format!("{shown}: {errors} lines are no operations"))),
            Err(RunError::Read(error)) => Err(cannot(error)),
            // Whoever reads the answers has had enough.
            Err(RunError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(RunError::Write(error)) => Err(Exit::failed(format!("standard output: {error}"))),
        }
    }
}
