//! Texts with a record on each line.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read};

use spindle_types::EventTime;

use super::Tick;
use super::clock::{Span, utc};
use super::report::{Fact, Fault, FaultKind, Inspection, Instruments};
use super::tally::{code, fault_kind, note_fault, sorted};
use crate::recording::{Format, Rows};

/// The longest line that is looked at whole; a longer one is counted by its beginning.
const LINE_MAX: u64 = 1 << 20;

/// Reads lines with bounded memory: gives each with its byte and number to `visit`, which may find it
/// broken.
fn each_line(
    reader: impl Read,
    tick: &mut Tick<'_>,
    faults: &mut Vec<Fault>,
    mut visit: impl FnMut(&str) -> Result<(), String>,
) -> u64 {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    let (mut line, mut byte, mut number) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let read = (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line);
        let length = match read {
            Ok(0) => break,
            Ok(length) => length as u64,
            Err(error) => {
                note_fault(faults, FaultKind::Unreadable, byte, number + 1, &error);
                break;
            }
        };
        number += 1;
        let text = String::from_utf8_lossy(&line);
        if let Err(reason) = visit(text.trim_end()) {
            note_fault(faults, FaultKind::MalformedRow, byte, number, &reason);
        }
        byte += length;
        if length == LINE_MAX && line.last() != Some(&b'\n') {
            byte += skip_line(&mut reader);
        }
        tick.tick();
    }
    number
}

/// Passes over the rest of a line and says how many bytes that were.
fn skip_line(reader: &mut impl BufRead) -> u64 {
    let mut skipped = 0;
    while let Ok(ahead) = reader.fill_buf() {
        let end = ahead.iter().position(|&byte| byte == b'\n');
        let count = end.map_or(ahead.len(), |end| end + 1);
        reader.consume(count);
        skipped += count as u64;
        if end.is_some() || count == 0 {
            break;
        }
    }
    skipped
}

fn report(format: Format, decoded: bool, remark: Option<&str>) -> Inspection {
    Inspection {
        format: format.name(),
        description: format.to_string(),
        decoded,
        remark: remark.map(str::to_owned),
        ..Inspection::default()
    }
}

/// Symbol and date, as LOBSTER puts them in the names of its files.
fn lobster_facts(file_name: &str) -> Vec<Fact> {
    let mut parts = file_name.split('_');
    let (symbol, date) = (parts.next(), parts.next());
    match (symbol, date) {
        (Some(symbol), Some(date)) if date.len() == 10 => vec![
            Fact { name: "symbol", value: symbol.to_owned() },
            Fact { name: "date", value: date.to_owned() },
        ],
        _ => Vec::new(),
    }
}

/// LOBSTER messages.
pub(super) fn lobster(reader: impl Read, file_name: &str, tick: &mut Tick<'_>) -> Inspection {
    let mut rows = Rows::new(reader);
    let (mut span, mut kinds, mut count) = (Span::default(), [0_u64; 8], 0);
    let mut report = report(Format::Lobster, true, None);
    loop {
        match rows.next() {
            Ok(Some((_, row))) => {
                count += 1;
                span.note(row.time.0);
                kinds[usize::from(row.kind & 7)] += 1;
            }
            Ok(None) => break,
            Err(error) => {
                let byte = error.offset().unwrap_or(0);
                note_fault(&mut report.faults, fault_kind(&error), byte, count + 1, &error);
                break;
            }
        }
        tick.tick();
    }
    const NAMES: [&str; 8] = [
        "",
        "add",
        "partial cancel",
        "delete",
        "execution of a visible order",
        "execution of a hidden order",
        "cross",
        "halt or its end",
    ];
    let counted = (0_usize..8).map(|kind| (kind.to_string(), NAMES[kind], kinds[kind]));
    report.types = sorted(counted);
    report.messages = count;
    report.instruments = Instruments { directory_entries: 0, numbers: 1, symbols: 1 };
    report.facts = lobster_facts(file_name);
    (report.first_time, report.last_time) = span.show(|time| EventTime(time).to_string());
    report
}

/// LOBSTER order book: levels after each event.
pub(super) fn lobster_book(reader: impl Read, file_name: &str, tick: &mut Tick<'_>) -> Inspection {
    let remark = "it holds levels, not orders, and is not read; the message file beside it is";
    let mut report = report(Format::LobsterBook, false, Some(remark));
    let mut fields = 0;
    let rows = each_line(reader, tick, &mut report.faults, |line| {
        let count = line.split(',').count();
        if fields == 0 {
            fields = count;
        }
        if count != fields || !line.split(',').all(|field| field.parse::<i64>().is_ok()) {
            return Err(format!("the row is not {fields} whole numbers as the first"));
        }
        Ok(())
    });
    report.messages = rows;
    report.facts = lobster_facts(file_name);
    report.facts.push(Fact { name: "levels", value: (fields / 4).to_string() });
    report.instruments = Instruments { directory_entries: 0, numbers: 1, symbols: 1 };
    report
}

/// BATS PITCH as text: `S`, milliseconds since midnight, a type, and its fields.
pub(super) fn pitch(reader: impl Read, tick: &mut Tick<'_>) -> Inspection {
    let mut report = report(Format::PitchText, false, Some("PITCH messages are not decoded"));
    let (mut span, mut types, mut symbols) = (Span::default(), [0_u64; 256], HashSet::new());
    report.messages = each_line(reader, tick, &mut report.faults, |line| {
        let wrong = || "the row is no PITCH message: 'S', 8 digits and a type".to_owned();
        let line = line.strip_prefix('S').unwrap_or(line);
        let time: u64 = line.get(..8).and_then(|t| t.parse().ok()).ok_or_else(wrong)?;
        let kind = *line.as_bytes().get(8).ok_or_else(wrong)?;
        span.note(time * 1_000_000);
        types[usize::from(kind)] += 1;
        // Behind 12 characters of order, a side and 6 of shares: 6 of symbol.
        if matches!(kind, b'A' | b'P')
            && let Some(symbol) = line.get(28..34)
        {
            symbols.insert(symbol.trim_end().to_owned());
        }
        Ok(())
    });
    let counted = (0_u8..=255).zip(types);
    report.types = sorted(counted.map(|(byte, count)| (code(byte), pitch_name(byte), count)));
    report.instruments.symbols = symbols.len() as u64;
    (report.first_time, report.last_time) = span.show(|time| EventTime(time).to_string());
    report
}

const fn pitch_name(kind: u8) -> &'static str {
    match kind {
        b'A' => "add order",
        b'E' => "order executed",
        b'X' => "order cancel",
        b'P' => "trade",
        b'B' => "trade break",
        b'H' => "trading status",
        _ => "",
    }
}

/// JSON documents, perhaps behind the time each was received in nanoseconds.
pub(super) fn json(reader: impl Read, tick: &mut Tick<'_>) -> Inspection {
    let remark = "its documents are counted and not decoded";
    let mut report = report(Format::JsonLines, false, Some(remark));
    let (mut span, mut kinds, mut symbols) =
        (Span::default(), BTreeMap::<String, u64>::new(), HashSet::new());
    report.messages = each_line(reader, tick, &mut report.faults, |line| {
        let document = match line.split_once(' ') {
            Some((time, rest)) if !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit()) => {
                span.note(time.parse().map_err(|_| "the time is out of range".to_owned())?);
                rest
            }
            _ => line,
        };
        if !document.starts_with('{') && !document.starts_with('[') {
            return Err("the row holds no JSON document".to_owned());
        }
        let stream = text_of(document, "\"stream\":\"").and_then(|name| name.split('@').nth(1));
        if kinds.len() < 256 {
            *kinds.entry(stream.unwrap_or("without a stream").to_owned()).or_default() += 1;
        }
        if let Some(symbol) = text_of(document, "\"s\":\"")
            && symbols.len() < 100_000
        {
            symbols.insert(symbol.to_owned());
        }
        Ok(())
    });
    report.types = sorted(kinds.into_iter().map(|(kind, count)| (kind, "", count)));
    report.instruments.symbols = symbols.len() as u64;
    (report.first_time, report.last_time) = span.show(utc);
    report
}

/// The text behind a key, up to the closing quote.
fn text_of<'a>(document: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(key)?;
    rest.split('"').next()
}
