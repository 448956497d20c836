//! What is in a recording, and what is broken in it.

mod names;
mod text;

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;
use spindle_feed::itch::{self, DecodeError, Message};
use spindle_types::{EventTime, Symbol};

use crate::recording::{Batch, Messages, Recording, RecordingError};

/// What is in a recording.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The format's short name.
    pub format: &'static str,
    /// The format in words.
    pub description: String,
    /// Bytes of the file; of a source that is no file, bytes read.
    pub bytes: u64,
    /// Records, broken ones included.
    pub messages: u64,
    /// Messages by type, the most frequent first.
    pub types: Vec<TypeCount>,
    /// Entries of the stock directory.
    pub directory_entries: u64,
    /// Distinct stock locate codes other than 0.
    pub locates: u64,
    /// Distinct symbols named in messages that carry one.
    pub symbols: u64,
    /// Time inside the first message, where there is one.
    pub first_time: Option<String>,
    /// Time inside the last message.
    pub last_time: Option<String>,
    /// What is broken, each kind once; empty for a sound recording.
    pub faults: Vec<Fault>,
}

/// How often a message type occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeCount {
    /// The type byte; `0x07` where it is not printable.
    #[serde(rename = "type")]
    pub code: String,
    /// What the type is called.
    pub name: &'static str,
    /// Messages of the type.
    pub count: u64,
}

/// What can be wrong in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A message type that this edition of the protocol does not know.
    UnknownType,
    /// A message shorter than its type demands.
    ShortMessage,
    /// The file ends inside a record.
    Truncated,
    /// The first length prefix is 0.
    ZeroPrefix,
    /// Data behind the record that ends the recording.
    AfterEnd,
    /// The file could not be read further.
    Unreadable,
}

/// Something broken: how often, and where first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// How often.
    pub count: u64,
    /// The byte of the file at which the first such record begins.
    pub first_byte: u64,
    /// The number of the first such record, from 1.
    pub first_record: u64,
    /// The first one in words.
    pub first: String,
}

impl Inspection {
    /// Whether nothing is broken.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Reads a file through and says what is in it. `progress` is told the bytes taken in and the size of
/// the file now and then.
///
/// # Errors
/// The file is no recording that can be read. One that is broken further on is no error: that is
/// among the faults.
pub fn inspect_file(
    path: impl AsRef<Path>,
    progress: impl FnMut(u64, u64),
) -> Result<Inspection, RecordingError> {
    let path = path.as_ref();
    match Recording::open(path) {
        Ok(mut recording) => Ok(inspect(&mut recording, progress)),
        Err(error @ RecordingError::ZeroPrefix { .. }) => {
            let mut survey = Survey::default();
            survey.stopped(&error);
            let bytes = std::fs::metadata(path)?.len();
            Ok(survey.finish(crate::recording::Format::ItchFile, bytes))
        }
        Err(error) => Err(error),
    }
}

/// Reads a recording to its end and says what was in it. `progress` is told the bytes taken in and
/// the size of the file, where there is one.
pub fn inspect(recording: &mut Recording, mut progress: impl FnMut(u64, u64)) -> Inspection {
    let mut survey = Survey::default();
    let size = recording.size();
    loop {
        match recording.next_batch() {
            Ok(Some(Batch::Itch(messages))) => survey.messages(&messages),
            Ok(Some(Batch::Events(events))) => survey.records += events.events.len() as u64,
            Ok(None) => break,
            Err(error) => {
                survey.stopped(&error);
                break;
            }
        }
        if let Some(size) = size {
            progress(recording.position(), size);
        }
    }
    survey.finish(recording.format(), size.unwrap_or(recording.position()))
}

/// What has been seen so far.
struct Survey {
    records: u64,
    by_type: [u64; 256],
    directory_entries: u64,
    locates: Vec<bool>,
    symbols: HashSet<Symbol>,
    times: Option<(u64, u64)>,
    faults: Vec<Fault>,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            records: 0,
            by_type: [0; 256],
            directory_entries: 0,
            locates: vec![false; 1 << 16],
            symbols: HashSet::new(),
            times: None,
            faults: Vec::new(),
        }
    }
}

impl Survey {
    fn messages(&mut self, messages: &Messages<'_>) {
        for (index, bytes) in messages.iter().enumerate() {
            self.records += 1;
            if let Some(&message_type) = bytes.first() {
                self.by_type[usize::from(message_type)] += 1;
            }
            match Message::decode(bytes) {
                Ok(message) => self.decoded(&message),
                Err(error) => {
                    let kind = match error {
                        DecodeError::UnknownType(_) => FaultKind::UnknownType,
                        DecodeError::Short { .. } | DecodeError::Empty => FaultKind::ShortMessage,
                    };
                    let (byte, record) = (messages.offset(index), messages.sequence(index));
                    self.fault(kind, byte, record, &error);
                }
            }
        }
    }

    fn decoded(&mut self, message: &Message<'_>) {
        let header = message.header();
        let time = header.time.get();
        let (first, _) = self.times.unwrap_or((time, time));
        self.times = Some((first, time));
        self.locates[usize::from(header.locate.get())] = true;
        self.directory_entries += u64::from(matches!(message, Message::StockDirectory(_)));
        if let Some(stock) = stock(message) {
            self.symbols.insert(Symbol(stock));
        }
    }

    fn stopped(&mut self, error: &RecordingError) {
        let kind = match error {
            RecordingError::Truncated { .. } => FaultKind::Truncated,
            RecordingError::ZeroPrefix { .. } => FaultKind::ZeroPrefix,
            RecordingError::AfterEnd { .. } => FaultKind::AfterEnd,
            _ => FaultKind::Unreadable,
        };
        self.fault(kind, error.offset().unwrap_or(0), self.records + 1, error);
    }

    fn fault(&mut self, kind: FaultKind, byte: u64, record: u64, error: &dyn std::fmt::Display) {
        match self.faults.iter_mut().find(|fault| fault.kind == kind) {
            Some(fault) => fault.count += 1,
            None => self.faults.push(Fault {
                kind,
                count: 1,
                first_byte: byte,
                first_record: record,
                first: error.to_string(),
            }),
        }
    }

    fn finish(self, format: crate::recording::Format, bytes: u64) -> Inspection {
        let mut types: Vec<TypeCount> = (0_u8..=255)
            .zip(self.by_type)
            .filter(|(_, count)| *count > 0)
            .map(|(byte, count)| TypeCount {
                code: itch::printable(byte).trim_matches('\'').to_owned(),
                name: names::of(byte),
                count,
            })
            .collect();
        types.sort_by_key(|entry| std::cmp::Reverse(entry.count));
        let time = |nanoseconds| EventTime(nanoseconds).to_string();
        Inspection {
            format: format.name(),
            description: format.to_string(),
            bytes,
            messages: self.records,
            types,
            directory_entries: self.directory_entries,
            locates: self.locates[1..].iter().filter(|&&seen| seen).count() as u64,
            symbols: self.symbols.len() as u64,
            first_time: self.times.map(|(first, _)| time(first)),
            last_time: self.times.map(|(_, last)| time(last)),
            faults: self.faults,
        }
    }
}

/// The symbol that a message names.
fn stock(message: &Message<'_>) -> Option<[u8; 8]> {
    Some(match message {
        Message::StockDirectory(m) => m.stock,
        Message::StockTradingAction(m) => m.stock,
        Message::RegShoRestriction(m) => m.stock,
        Message::MarketParticipantPosition(m) => m.stock,
        Message::IpoQuotingPeriodUpdate(m) => m.stock,
        Message::LuldAuctionCollar(m) => m.stock,
        Message::OperationalHalt(m) => m.stock,
        Message::AddOrder(m) => m.stock,
        Message::AddOrderMpid(m) => m.stock,
        Message::Trade(m) => m.stock,
        Message::CrossTrade(m) => m.stock,
        Message::NetOrderImbalance(m) => m.stock,
        Message::RetailInterest(m) => m.stock,
        Message::DirectListing(m) => m.stock,
        Message::SystemEvent(_)
        | Message::MwcbDeclineLevel(_)
        | Message::MwcbStatus(_)
        | Message::OrderExecuted(_)
        | Message::OrderExecutedWithPrice(_)
        | Message::OrderCancel(_)
        | Message::OrderDelete(_)
        | Message::OrderReplace(_)
        | Message::BrokenTrade(_) => return None,
    })
}
