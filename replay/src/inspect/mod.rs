//! What is in a recording, and what is broken in it.
//!
//! Every format that is known is described, also those whose messages are not decoded here.

mod capture;
mod clock;
mod databento;
mod lines;
mod mold;
mod names;
mod report;
mod tally;
mod text;

pub use report::{
    CaptureReport, Fact, Fault, FaultKind, GroupReport, Inspection, Instruments, TypeCount,
};

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::recording::{Batch, Format, Input, ItchFile, RecordingError, Source, detect};
use tally::Tally;

/// Reads a file through and says what is in it. `progress` is told the bytes taken in and the size of
/// the file now and then.
///
/// # Errors
/// The file cannot be opened, is empty, or is nothing that is known. One that is broken further on
/// is no error: that is among the faults.
pub fn inspect_file(
    path: impl AsRef<Path>,
    progress: impl FnMut(u64, u64),
) -> Result<Inspection, RecordingError> {
    let path = path.as_ref();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    describe(Input::open(path)?, name.unwrap_or_default(), progress)
}

/// Reads an input through and says what is in it.
///
/// # Errors
/// As [`inspect_file`].
pub fn inspect_reader(
    reader: impl Read + Send + 'static,
    progress: impl FnMut(u64, u64),
) -> Result<Inspection, RecordingError> {
    describe(Input::new(reader)?, String::new(), progress)
}

fn describe(
    input: Input,
    name: String,
    mut progress: impl FnMut(u64, u64),
) -> Result<Inspection, RecordingError> {
    let format = match detect(&input.head) {
        Err(RecordingError::ZeroPrefix { .. }) => None,
        format => Some(format?),
    };
    let Input { head, reader, compression, position, size } = input;
    let unpacked = Arc::new(AtomicU64::new(0));
    let reader = Counted { reader, bytes: Arc::clone(&unpacked) };
    let mut tick = Tick { position, size: size.unwrap_or(0), calls: 0, progress: &mut progress };
    let mut report = match format {
        None => itch_without_lengths(reader, &mut tick),
        Some(Format::ItchFile) => itch_file(reader, &mut tick),
        Some(Format::Mold) => mold::inspect(reader, &mut tick),
        Some(format @ (Format::Pcap | Format::Pcapng)) => {
            capture::inspect(reader, format, &mut tick)
        }
        Some(Format::Dbn) => databento::inspect(reader, &head, &mut tick)?,
        Some(Format::Lobster) => lines::lobster(reader, &name, &mut tick),
        Some(Format::LobsterBook) => lines::lobster_book(reader, &name, &mut tick),
        Some(Format::PitchText) => lines::pitch(reader, &mut tick),
        Some(Format::JsonLines) => lines::json(reader, &mut tick),
        // Nothing in a file is taken for a day that is still to be made up.
        Some(Format::Generated) => return Err(RecordingError::Unsupported(Format::Generated)),
    };
    report.compression = compression.iter().map(|compression| compression.name()).collect();
    let unpacked = unpacked.load(Ordering::Relaxed);
    report.bytes = size.unwrap_or(unpacked);
    report.unpacked_bytes = (!compression.is_empty()).then_some(unpacked);
    Ok(report)
}

/// Counts the bytes of the content.
struct Counted<R> {
    reader: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Tells the progress now and then.
struct Tick<'a> {
    position: Arc<AtomicU64>,
    size: u64,
    calls: u32,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Tick<'_> {
    /// To be called for each record or batch.
    fn tick(&mut self) {
        self.calls += 1;
        if self.calls.is_multiple_of(64) {
            (self.progress)(self.position.load(Ordering::Relaxed), self.size);
        }
    }
}

fn itch_file(reader: impl Read + Send, tick: &mut Tick<'_>) -> Inspection {
    let mut tally = Tally::default();
    let mut source = ItchFile::new(reader);
    loop {
        match source.advance() {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tally.stopped(&error);
                break;
            }
        }
        if let Batch::Itch(messages) = source.batch() {
            for (index, message) in messages.iter().enumerate() {
                tally.message(message, messages.offset(index), messages.sequence(index));
            }
        }
        tick.tick();
    }
    tally.finish(Format::ItchFile)
}

/// A file whose length prefixes are all 0: the length of a message follows from its type, as long as
/// only known types come.
fn itch_without_lengths(mut reader: impl Read, tick: &mut Tick<'_>) -> Inspection {
    let mut tally = Tally::default();
    let mut following = 0;
    let mut record = Vec::new();
    let mut offset = 0;
    loop {
        record.clear();
        match (&mut reader).take(3).read_to_end(&mut record) {
            Ok(3) => {}
            _ => break,
        }
        let Some(length) =
            spindle_feed::itch::length_of(record[2]).filter(|_| record[..2] == [0, 0])
        else {
            break;
        };
        match (&mut reader).take(length as u64 - 1).read_to_end(&mut record) {
            Ok(got) if got == length - 1 => {}
            _ => break,
        }
        tally.message(&record[2..], offset, tally.records() + 1);
        offset += record.len() as u64;
        following = offset - 2;
        tick.tick();
    }
    let error = RecordingError::ZeroPrefix { following };
    tally.fault(FaultKind::ZeroPrefix, 0, 1, &error);
    let mut report = tally.finish(Format::ItchFile);
    report.remark = Some(
        "every length prefix is 0: the messages were told apart by their types alone, which nothing \
         but this description does"
            .to_owned(),
    );
    report
}
