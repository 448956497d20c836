//! Databento DBN files of any schema.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use dbn::{Cmbp1Msg, MboMsg, Mbp1Msg, Mbp10Msg, RecordRef, Schema, TradeMsg};

use super::Tick;
use super::clock::{Span, utc};
use super::report::{Fact, Inspection, Instruments};
use super::tally::{code, fault_kind, note_fault, sorted};
use crate::recording::{DbnRecords, Format, RecordingError, dbn_symbols};

pub(super) fn inspect(
    reader: impl Read,
    head: &[u8],
    tick: &mut Tick<'_>,
) -> Result<Inspection, RecordingError> {
    let mut records = DbnRecords::new(reader, head)?;
    let metadata = records.metadata();
    let schema = metadata.schema;
    let named = |schema: Option<Schema>| schema.map_or("mixed".to_owned(), |s| s.to_string());
    let symbols: Vec<String> = dbn_symbols(metadata)
        .values()
        .map(ToString::to_string)
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    let facts = vec![
        Fact { name: "DBN version", value: metadata.version.to_string() },
        Fact { name: "dataset", value: metadata.dataset.clone() },
        Fact { name: "schema", value: named(schema) },
        Fact { name: "symbols", value: shown(symbols.clone()) },
    ];
    let (mut count, mut span, mut numbers) = (0, Span::default(), HashSet::new());
    let mut actions: BTreeMap<u8, u64> = BTreeMap::new();
    let mut faults = Vec::new();
    loop {
        let step = records.next(|record| {
            count += 1;
            let header = record.header();
            span.note(header.ts_event);
            numbers.insert(header.instrument_id);
            if record.has::<MboMsg>() {
                record.try_get::<MboMsg>().map_err(|error| error.to_string())?;
            }
            if let Some(action) = action(record) {
                *actions.entry(action).or_default() += 1;
            }
            Ok(())
        });
        tick.tick();
        match step {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let byte = error.offset().unwrap_or(0);
                note_fault(&mut faults, fault_kind(&error), byte, count + 1, &error);
                break;
            }
        }
    }
    let decoded = schema == Some(Schema::Mbo);
    let (first_time, last_time) = span.show(utc);
    let instruments = Instruments {
        directory_entries: 0,
        numbers: numbers.len() as u64,
        symbols: symbols.len() as u64,
    };
    let remark = "only schema mbo is decoded: it alone has every order";
    Ok(Inspection {
        format: Format::Dbn.name(),
        description: Format::Dbn.to_string(),
        decoded,
        remark: (!decoded).then(|| remark.to_owned()),
        messages: count,
        types: sorted(actions.iter().map(|(&byte, &count)| (code(byte), name(byte), count))),
        instruments,
        first_time,
        last_time,
        facts,
        faults,
        ..Inspection::default()
    })
}

/// What a record does, where its kind has that field.
fn action(record: &RecordRef<'_>) -> Option<u8> {
    let action = record
        .try_get::<MboMsg>()
        .map(|record| record.action)
        .or_else(|_| record.try_get::<TradeMsg>().map(|record| record.action))
        .or_else(|_| record.try_get::<Mbp1Msg>().map(|record| record.action))
        .or_else(|_| record.try_get::<Mbp10Msg>().map(|record| record.action))
        .or_else(|_| record.try_get::<Cmbp1Msg>().map(|record| record.action))
        .ok()?;
    Some(action.to_ne_bytes()[0])
}

const fn name(action: u8) -> &'static str {
    match action {
        b'A' => "add",
        b'C' => "cancel",
        b'M' => "modify",
        b'R' => "clear the book",
        b'T' => "trade",
        b'F' => "fill of a resting order",
        b'N' => "none",
        _ => "unknown",
    }
}

/// Some symbols and how many more there are.
fn shown(mut symbols: Vec<String>) -> String {
    const SHOWN: usize = 10;
    symbols.sort_unstable();
    let more = symbols.len().saturating_sub(SHOWN);
    symbols.truncate(SHOWN);
    let list = symbols.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}
