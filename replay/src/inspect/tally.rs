//! Counts ITCH 5.0 messages.

use std::collections::HashSet;

use spindle_feed::itch::{self, DecodeError, Message};
use spindle_types::{EventTime, Symbol};

use super::clock::Span;
use super::names;
use super::report::{Fault, FaultKind, Inspection, Instruments, TypeCount};
use crate::recording::{Format, RecordingError};

/// What has been seen so far.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    records: u64,
    by_type: [u64; 256],
    directory_entries: u64,
    /// By stock locate code; as long as the highest seen.
    locates: Vec<bool>,
    symbols: HashSet<Symbol>,
    span: Span,
    pub(super) faults: Vec<Fault>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            records: 0,
            by_type: [0; 256],
            directory_entries: 0,
            locates: Vec::new(),
            symbols: HashSet::new(),
            span: Span::default(),
            faults: Vec::new(),
        }
    }
}

impl Tally {
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Counts a message, whose record with this number begins at this byte.
    pub(super) fn message(&mut self, bytes: &[u8], byte: u64, record: u64) {
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
                self.fault(kind, byte, record, &error);
            }
        }
    }

    fn decoded(&mut self, message: &Message<'_>) {
        let header = message.header();
        self.span.note(header.time.get());
        let locate = usize::from(header.locate.get());
        if self.locates.len() <= locate {
            self.locates.resize(locate + 1, false);
        }
        self.locates[locate] = true;
        self.directory_entries += u64::from(matches!(message, Message::StockDirectory(_)));
        if let Some(stock) = stock(message) {
            self.symbols.insert(Symbol(stock));
        }
    }

    /// Notes why reading stopped.
    pub(super) fn stopped(&mut self, error: &RecordingError) {
        let kind = fault_kind(error);
        let record = match error {
            RecordingError::Damaged { record, .. } => *record,
            _ => self.records + 1,
        };
        self.fault(kind, error.offset().unwrap_or(0), record, error);
    }

    pub(super) fn fault(
        &mut self,
        kind: FaultKind,
        byte: u64,
        record: u64,
        error: &dyn std::fmt::Display,
    ) {
        note_fault(&mut self.faults, kind, byte, record, error);
    }

    /// Adds what another has seen.
    pub(super) fn merge(&mut self, other: &Self) {
        self.records += other.records;
        for (count, more) in self.by_type.iter_mut().zip(other.by_type) {
            *count += more;
        }
        self.directory_entries += other.directory_entries;
        if self.locates.len() < other.locates.len() {
            self.locates.resize(other.locates.len(), false);
        }
        for (seen, also) in self.locates.iter_mut().zip(&other.locates) {
            *seen |= also;
        }
        self.symbols.extend(&other.symbols);
        self.span.merge(other.span);
        for fault in &other.faults {
            match self.faults.iter_mut().find(|known| known.kind == fault.kind) {
                Some(known) => known.count += fault.count,
                None => self.faults.push(fault.clone()),
            }
        }
    }

    /// Types by count. Of a protocol that is not decoded the names say nothing.
    pub(super) fn types(&self, decoded: bool) -> Vec<TypeCount> {
        let name = |byte| if decoded { names::of(byte) } else { "" };
        let counted = (0_u8..=255).zip(self.by_type);
        sorted(counted.map(|(byte, count)| (code(byte), name(byte), count)))
    }

    pub(super) fn instruments(&self) -> Instruments {
        let numbers = self.locates.iter().skip(1).filter(|&&seen| seen).count();
        Instruments {
            directory_entries: self.directory_entries,
            numbers: numbers as u64,
            symbols: self.symbols.len() as u64,
        }
    }

    /// First and last time of day.
    pub(super) fn times(&self) -> (Option<String>, Option<String>) {
        self.span.show(|nanoseconds| EventTime(nanoseconds).to_string())
    }

    pub(super) fn finish(self, format: Format) -> Inspection {
        let (first_time, last_time) = self.times();
        Inspection {
            format: format.name(),
            description: format.to_string(),
            decoded: true,
            messages: self.records,
            types: self.types(true),
            instruments: self.instruments(),
            first_time,
            last_time,
            faults: self.faults,
            ..Inspection::default()
        }
    }
}

/// What kind of fault an error is.
pub(super) fn fault_kind(error: &RecordingError) -> FaultKind {
    match error {
        RecordingError::Truncated { .. } => FaultKind::Truncated,
        RecordingError::ZeroPrefix { .. } => FaultKind::ZeroPrefix,
        RecordingError::AfterEnd { .. } => FaultKind::AfterEnd,
        RecordingError::Damaged { .. } => FaultKind::Damaged,
        _ => FaultKind::Unreadable,
    }
}

/// Counts a fault, and keeps the first of its kind.
pub(super) fn note_fault(
    faults: &mut Vec<Fault>,
    kind: FaultKind,
    byte: u64,
    record: u64,
    error: &dyn std::fmt::Display,
) {
    match faults.iter_mut().find(|fault| fault.kind == kind) {
        Some(fault) => fault.count += 1,
        None => faults.push(Fault {
            kind,
            count: 1,
            first_byte: byte,
            first_record: record,
            first: error.to_string(),
        }),
    }
}

/// A type byte as a report shows it.
pub(super) fn code(byte: u8) -> String {
    itch::printable(byte).trim_matches('\'').to_owned()
}

/// Those that occur, the most frequent first.
pub(super) fn sorted(counted: impl Iterator<Item = (String, &'static str, u64)>) -> Vec<TypeCount> {
    let mut types: Vec<TypeCount> = counted
        .filter(|(_, _, count)| *count > 0)
        .map(|(code, name, count)| TypeCount { code, name, count })
        .collect();
    types.sort_by_key(|entry| std::cmp::Reverse(entry.count));
    types
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
