//! Whether every file of the shared recordings is described as its own list says: the table in
//! `../shared/data/README.md`, whose counts were made by other programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use spindle_replay::inspect::{FaultKind, GroupReport, Inspection, TypeCount, inspect_file};

/// A row of the table.
struct Row {
    path: PathBuf,
    name: String,
    bytes: u64,
    content: String,
    symbols: String,
    span: String,
}

fn rows() -> Option<Vec<Row>> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let Ok(readme) = fs::read_to_string(root.join("README.md")) else {
        println!("skipped: {} is not here", root.display());
        return None;
    };
    let rows = readme.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`').to_owned();
        Row {
            path: root.join(&name),
            name,
            bytes: cells[4].parse().expect("bytes"),
            content: cells[6].to_owned(),
            symbols: cells[7].to_owned(),
            span: cells[8].to_owned(),
        }
    });
    Some(rows.collect())
}

/// The numbers that stand before a word, as in `5000 UDP packets`.
fn before(text: &str, word: &str) -> u64 {
    let end = text.find(word).unwrap_or_else(|| panic!("'{word}' in '{text}'"));
    let digits = text[..end].trim_end().rsplit(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).expect("a number")
}

/// The counts written as `A:247 U:130`.
fn counts(text: &str) -> BTreeMap<String, u64> {
    text.split([' ', ';', ','])
        .filter_map(|word| {
            let (code, count) = word.split_once(':')?;
            Some((code.to_owned(), count.parse().ok()?))
        })
        .collect()
}

fn counted(types: &[TypeCount]) -> BTreeMap<String, u64> {
    types.iter().map(|entry| (entry.code.clone(), entry.count)).collect()
}

/// How many symbols the table names: a number, or a list.
fn symbols(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| text.split(',').count() as u64)
}

/// Nanoseconds of the day, and the date before it.
fn moment(text: &str) -> (String, i64) {
    let (date, time) = text.trim().rsplit_once(' ').unwrap_or(("", text.trim()));
    let mut parts = time.split([':', '.']);
    let mut next = || parts.next().unwrap_or("0");
    let (hours, minutes, seconds, fraction) = (next(), next(), next(), next());
    let number = |text: &str| text.parse::<i64>().expect("digits");
    let seconds = (number(hours) * 60 + number(minutes)) * 60 + number(seconds);
    (date.to_owned(), seconds * 1_000_000_000 + number(&format!("{fraction:0<9}")))
}

/// Two times that are the same up to the digits of the coarser one, which may have been rounded.
fn same(what: &str, found: Option<&str>, wanted: &str) {
    let (found, wanted) =
        (moment(found.unwrap_or_else(|| panic!("{what}: no time"))), moment(wanted));
    assert_eq!(found.0, wanted.0, "{what}");
    assert!((found.1 - wanted.1).abs() <= 1_000, "{what}: {found:?} and {wanted:?}");
}

/// The two ends of `FROM to UNTIL UTC`, or of one moment.
fn ends(span: &str) -> (String, String) {
    let clean = |text: &str| {
        let text = text.trim();
        let text = text.split(" UTC").next().unwrap_or(text);
        text.split(" ET").next().unwrap_or(text).trim().to_owned()
    };
    match span.split_once(" to ") {
        Some((first, last)) => (clean(first), clean(last)),
        None => (clean(span), clean(span)),
    }
}

fn only_group(inspection: &Inspection) -> &GroupReport {
    let groups = &inspection.capture.as_ref().expect("a capture").groups;
    assert_eq!(groups.len(), 1);
    &groups[0]
}

#[test]
fn every_file_is_described_as_the_list_says() {
    let Some(rows) = rows() else { return };
    assert_eq!(rows.len(), 80);
    for row in &rows {
        let name = row.name.as_str();
        let found = inspect_file(&row.path, |_, _| ()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let content = if name.ends_with(".gz") { found.unpacked_bytes } else { Some(found.bytes) };
        assert_eq!(content, Some(row.bytes), "{name}");
        assert!(!found.to_string().is_empty());
        let check = match name.split('/').next() {
            Some("itch") => itch,
            Some("itch_pcap") => itch_capture,
            Some("mold") => mold,
            Some("ouch_pcap") => ouch_capture,
            Some("lobster") => lobster,
            Some("iex") => iex,
            Some("dbn") => databento,
            Some("pcap_other") => other_capture,
            Some("pitch") => pitch,
            Some("crypto") => crypto,
            _ => panic!("{name}: a folder that this test does not know"),
        };
        check(row, &found);
    }
}

fn itch(row: &Row, found: &Inspection) {
    assert_eq!(found.messages, before(&row.content, " messages"), "{}", row.name);
    assert_eq!(counted(&found.types), counts(&row.content), "{}", row.name);
    assert_eq!(found.instruments.symbols, symbols(&row.symbols), "{}", row.name);
    let (first, last) = ends(&row.span);
    same(&row.name, found.first_time.as_deref(), &first);
    same(&row.name, found.last_time.as_deref(), &last);
    let zero = row.name.contains("zero_length_prefix");
    assert_eq!(found.faults.iter().any(|f| f.kind == FaultKind::ZeroPrefix), zero, "{}", row.name);
    assert_eq!(found.is_sound(), !zero);
    assert!(found.decoded);
}

fn itch_capture(row: &Row, found: &Inspection) {
    let capture = found.capture.as_ref().expect("a capture");
    assert!(found.is_sound() && found.decoded, "{}", row.name);
    assert_eq!(capture.udp, before(&row.content, " packets"), "{}", row.name);
    assert_eq!(capture.vlan_tagged, capture.udp, "{}", row.name);
    assert_eq!(capture.resolution, "nanoseconds");
    let counts = counts(row.content.split("messages): ").nth(1).expect("counts"));
    assert_eq!(counted(&found.types), counts, "{}", row.name);
    assert_eq!(found.messages, counts.values().sum::<u64>());
    if row.symbols != "0" {
        assert_eq!(found.instruments.symbols, symbols(&row.symbols), "{}", row.name);
    }
    let (captured, itch) = row.span.split_once("; ITCH ").expect("two spans");
    same(&row.name, capture.first_time.as_deref(), &ends(captured).0);
    let (first, last) = ends(itch);
    same(&row.name, found.first_time.as_deref(), &first);
    same(&row.name, found.last_time.as_deref(), &last);
    let group = only_group(found);
    assert_eq!(group.protocol, "MoldUDP64 with ITCH 5.0");
    if row.name.contains("_wire/") {
        assert!(!group.address.starts_with("0.0.0.0"), "{}", row.name);
    }
}

fn mold(row: &Row, found: &Inspection) {
    assert!(!found.decoded);
    assert!(row.content.starts_with("3 packets (15+13+13 messages, seq 1/16/29)"));
    // One L is cut by five bytes: 40 messages are whole.
    assert_eq!(found.messages, 40);
    let fact =
        |name: &str| found.facts.iter().find(|fact| fact.name == name).map(|f| f.value.as_str());
    assert_eq!(fact("packets"), Some("3"));
    assert_eq!(fact("first number"), Some("1"));
    let types: Vec<(&str, u64)> =
        found.types.iter().map(|entry| (entry.code.as_str(), entry.count)).collect();
    assert_eq!(types, [("R", 19), ("L", 18), ("T", 2), ("S", 1)]);
    assert_eq!(found.faults.len(), 1);
    let fault = &found.faults[0];
    assert_eq!((fault.kind, fault.first_record), (FaultKind::Truncated, 3));
    assert!(fault.first.ends_with("needs 27 bytes, there are 22"), "{}", fault.first);
}

fn ouch_capture(row: &Row, found: &Inspection) {
    let capture = found.capture.as_ref().expect("a capture");
    assert!(found.is_sound() && !found.decoded, "{}", row.name);
    assert_eq!((capture.frames, capture.tcp), (1, 1));
    let group = only_group(found);
    assert_eq!((group.protocol.as_str(), group.transport), ("SoupBinTCP, not decoded", "tcp"));
    let packet_type = row.content.split("types: ").nth(1).and_then(|types| types.get(..1));
    assert_eq!(Some(group.types[0].code.as_str()), packet_type, "{}", row.name);
    same(&row.name, capture.first_time.as_deref(), &ends(&row.span).0);
}

fn lobster(row: &Row, found: &Inspection) {
    assert!(found.is_sound(), "{}", row.name);
    assert!(found.facts.iter().any(|fact| fact.name == "symbol" && fact.value == "GOOG"));
    if row.name.contains("_message_") {
        assert!(found.decoded);
        assert_eq!(found.messages, before(&row.content, " events"), "{}", row.name);
        assert_eq!(counted(&found.types), counts(&row.content), "{}", row.name);
        assert_eq!(found.first_time.as_deref(), Some("09:30:00.015105074"));
        assert_eq!(found.last_time.as_deref(), Some("15:59:59.871751084"));
    } else {
        assert!(!found.decoded);
        assert_eq!(found.messages, before(&row.content, " rows"), "{}", row.name);
        assert!(found.facts.iter().any(|fact| fact.name == "levels" && fact.value == "10"));
    }
}

fn iex(row: &Row, found: &Inspection) {
    let capture = found.capture.as_ref().expect("a capture");
    assert!(found.is_sound() && !found.decoded, "{}", row.name);
    assert_eq!(capture.udp, before(&row.content, " packets"), "{}", row.name);
    let group = only_group(found);
    let protocol = if row.name.contains("eep") { "IEX-TP DEEP" } else { "IEX-TP TOPS" };
    assert!(group.protocol.starts_with(protocol), "{}: {}", row.name, group.protocol);
    assert_eq!(group.messages, Some(before(&row.content, " messages")), "{}", row.name);
    if let Some((_, idle)) = row.content.split_once("heartbeats ") {
        let idle = idle.split(';').next().and_then(|count| count.trim().parse().ok());
        assert_eq!(Some(group.idle_packets), idle, "{}", row.name);
    }
    if let Some((_, breaks)) = row.content.split_once("sequence breaks ") {
        assert_eq!(Some(group.sequence_breaks), breaks.trim().parse().ok(), "{}", row.name);
    }
    let captured = row.span.split(';').next().and_then(|span| span.strip_prefix("capture "));
    let (first, last) = ends(captured.expect("a span"));
    same(&row.name, capture.first_time.as_deref(), &first);
    same(&row.name, capture.last_time.as_deref(), &last);
}

fn databento(row: &Row, found: &Inspection) {
    assert!(found.is_sound(), "{}", row.name);
    assert_eq!(found.messages, before(&row.content, " records"), "{}", row.name);
    assert_eq!(counted(&found.types), counts(&row.content), "{}", row.name);
    let fact = |name: &str| found.facts.iter().find(|f| f.name == name).expect(name).value.clone();
    assert_eq!(fact("symbols"), row.symbols, "{}", row.name);
    assert_eq!(fact("dataset"), "GLBX.MDP3");
    assert_eq!(found.decoded, fact("schema") == "mbo");
    let (first, last) = ends(&row.span);
    same(&row.name, found.first_time.as_deref(), &first);
    same(&row.name, found.last_time.as_deref(), &last);
}

fn other_capture(row: &Row, found: &Inspection) {
    let capture = found.capture.as_ref().expect("a capture");
    assert!(found.is_sound() && !found.decoded, "{}", row.name);
    assert_eq!(capture.udp, before(&row.content, " UDP packets"), "{}", row.name);
    let groups = row.content.split("; ").nth(1).expect("groups");
    let wanted: Vec<(String, u64)> = groups
        .split(", ")
        .filter_map(|group| group.split_once(' '))
        .map(|(address, count)| (address.to_owned(), count.parse().expect("a count")))
        .collect();
    let listed: Vec<(String, u64)> =
        capture.groups.iter().map(|group| (group.address.clone(), group.packets)).collect();
    assert_eq!(listed, wanted, "{}", row.name);
    assert!(capture.groups.iter().all(|group| group.protocol == "unknown, not decoded"));
    assert_eq!(capture.vlan_tagged > 0, row.name.contains("vlan"), "{}", row.name);
    let (first, last) = ends(&row.span);
    same(&row.name, capture.first_time.as_deref(), &first);
    same(&row.name, capture.last_time.as_deref(), &last);
}

fn pitch(row: &Row, found: &Inspection) {
    assert!(found.is_sound() && !found.decoded);
    assert_eq!(found.messages, before(&row.content, " messages"));
    assert_eq!(counted(&found.types), counts(&row.content));
    assert_eq!(found.instruments.symbols, symbols(&row.symbols));
    let (first, last) = ends(&row.span);
    same(&row.name, found.first_time.as_deref(), &first);
    same(&row.name, found.last_time.as_deref(), &last);
}

fn crypto(row: &Row, found: &Inspection) {
    assert!(found.is_sound() && !found.decoded);
    assert_eq!(found.messages, before(&row.content, " lines"));
    let mut wanted = counts(&row.content);
    let snapshot = wanted.remove("rest-snapshot").expect("a snapshot");
    wanted.insert("without a stream".to_owned(), snapshot);
    assert_eq!(counted(&found.types), wanted);
    let (first, last) = ends(&row.span);
    same(&row.name, found.first_time.as_deref(), &first);
    same(&row.name, found.last_time.as_deref(), &last);
}
