//! Where a measurement goes: a table, the record, the page, the distributions.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use spindle_lab::{hlog, page, parts, text};

use crate::exit::Exit;
use crate::lab::Measured;

/// Files, and how it is told.
#[derive(Args)]
pub(super) struct Output {
    /// Write the record to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
    /// Write a page with pictures to this file, as HTML
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the distributions to this file, as an HdrHistogram log
    #[arg(long, value_name = "FILE")]
    hdr: Option<PathBuf>,
    /// Print the record instead of the table
    #[arg(long)]
    json: bool,
}

impl Output {
    /// Says before anything is measured that a file cannot be written.
    pub(super) fn check(&self) -> Result<(), Exit> {
        for path in [&self.record, &self.report, &self.hdr].into_iter().flatten() {
            let file = File::options().append(true).create(true).open(path);
            let failed = |error| Exit::usage(format!("{}: {error}", path.display()));
            file.map(drop).map_err(failed)?;
        }
        Ok(())
    }

    /// Tells what was measured, and fails where it is void.
    pub(super) fn tell(&self, measured: &Measured) -> Result<(), Exit> {
        let Measured { record, histograms } = measured;
        match self.json {
            true => print!("{}", record.text().map_err(Exit::failed)?),
            false if record.parts.is_empty() => print!("{}", text::table(record)),
            false => print!("{}\n{}", text::table(record), parts::table(record)),
        }
        if let Some(path) = &self.record {
            write(path, &record.text().map_err(Exit::failed)?)?;
        }
        if let Some(path) = &self.report {
            write(path, &page::page(record))?;
        }
        if let Some(path) = &self.hdr {
            let failed = |error| Exit::failed(format!("{}: {error}", path.display()));
            let mut file = BufWriter::new(File::create(path).map_err(failed)?);
            let length = Duration::from_millis(record.config.milliseconds);
            hlog::write(&mut file, record.begun, length, histograms).map_err(failed)?;
        }
        match record.wire.void_reasons.first() {
            None => Ok(()),
            Some(reason) => Err(Exit::failed(format!("the run is void: {reason}"))),
        }
    }
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Exit> {
    std::fs::write(path, text).map_err(|error| Exit::failed(format!("{}: {error}", path.display())))
}
