//! A FIX client that does not read, asks for everything again and again, or takes its time to log on:
//! it is held to its bounds, loses nothing, and another client does not notice.

#[allow(missing_docs, unreachable_pub, reason = "several tests have the same runner")]
mod definitions;

use definitions::venue::Venue;
use definitions::{Peer, show};
use spindle_gateway::Limits;
use spindle_gateway::fix::frame::{check_sum, three_digits};
use spindle_gateway::fix::value::format_timestamp;
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_types::{AccountId, SessionId};

const SECOND: u64 = 1_000_000_000;

/// Sessions A and B, of two accounts.
fn config() -> FixConfig {
    let mut fix = FixConfig::new(([127, 0, 0, 1], 0).into(), "SPIN");
    fix.sessions = vec![
        FixUser::new(Version::Fix42, "A", SessionId(0), AccountId(0)),
        FixUser::new(Version::Fix42, "B", SessionId(1), AccountId(1)),
    ];
    fix
}

fn message(venue: &Venue, from: &str, kind: &str, sequence: u64, body: &str) -> Vec<u8> {
    let time = String::from_utf8(format_timestamp(venue.utc()).to_vec()).expect("ASCII");
    let rest = format!("35={kind}|34={sequence}|49={from}|52={time}|56=SPIN|{body}");
    let rest = rest.replace('|', "\x01").replace("<T>", &time);
    let mut bytes = format!("8=FIX.4.2\x019={}\x01{rest}", rest.len()).into_bytes();
    let sum = three_digits(check_sum(&bytes));
    bytes.extend_from_slice(b"10=");
    bytes.extend_from_slice(&sum);
    bytes.push(1);
    bytes
}

fn send(venue: &mut Venue, id: usize, from: &str, kind: &str, sequence: u64, body: &str) {
    let bytes = message(venue, from, kind, sequence, body);
    venue.send(id, &bytes).expect("an open connection");
}

fn logon(venue: &mut Venue, id: usize, from: &str, sequence: u64) {
    venue.connect(id).expect("a connection");
    send(venue, id, from, "A", sequence, "98=0|108=0|");
    let answer = show(&venue.receive(id).expect("an answer"));
    assert!(answer.contains("|35=A|"), "{answer}");
}

fn order(id: u64, side: char, quantity: u32) -> String {
    format!("11={id}|21=1|55=AAPL|54={side}|60=<T>|38={quantity}|40=2|44=10|")
}

/// A buys 5,000; B sells it one share at a time.
fn sell(venue: &mut Venue, first: u64, count: u64) {
    for number in first..first + count {
        send(venue, 2, "B", "D", number, &order(number, '2', 1));
        for _ in 0..2 {
            let report = show(&venue.receive(2).expect("a report"));
            assert!(report.contains("|35=8|"), "{report}");
        }
    }
}

#[test]
fn who_does_not_read_is_closed_and_gets_all_later() {
    let limits = Limits { backlog_bytes_max: 64 * 1_024, ..Limits::default() };
    let mut venue = Venue::with_limits(config(), limits);
    logon(&mut venue, 1, "A", 1);
    logon(&mut venue, 2, "B", 1);
    send(&mut venue, 1, "A", "D", 2, &order(1, '1', 5_000));
    venue.receive(1).expect("its acceptance");
    venue.find(1).expect("A").deaf = true;
    sell(&mut venue, 2, 2_000);
    let cause = venue.find(1).expect("A").cause.clone();
    assert!(cause.is_some_and(|cause| cause.starts_with("the client reads too slowly")));
    sell(&mut venue, 2_002, 10);

    // Its Logon was 1 and its order 2; the venue sent a Logon, an acceptance and 2,010 executions.
    logon(&mut venue, 1, "A", 3);
    send(&mut venue, 1, "A", "2", 4, "7=1|16=0|");
    let mut executed = 0;
    loop {
        let report = show(&venue.receive(1).expect("a message"));
        assert!(report.contains("|43=Y|"), "{report}");
        if report.contains("|35=8|") && report.contains("|150=1|") {
            executed += 1;
            assert!(report.contains(&format!("|14={executed}|")), "in order: {report}");
        }
        if report.contains("|36=2014|") {
            break;
        }
    }
    assert_eq!(executed, 2_010);
}

#[test]
fn a_storm_of_resend_requests_is_answered_at_the_pace_of_its_reader() {
    let mut venue = Venue::new(config());
    logon(&mut venue, 1, "A", 1);
    logon(&mut venue, 2, "B", 1);
    send(&mut venue, 1, "A", "D", 2, &order(1, '1', 5_000));
    venue.receive(1).expect("its acceptance");
    sell(&mut venue, 2, 500);
    for _ in 0..500 {
        venue.receive(1).expect("an execution");
    }
    venue.find(1).expect("A").deaf = true;
    let storm: Vec<u8> =
        (3..403).flat_map(|number| message(&venue, "A", "2", number, "7=1|16=0|")).collect();
    venue.send(1, &storm).expect("an open connection");
    // The other one trades on as if nothing were.
    sell(&mut venue, 502, 100);
    let waiting = venue.find(1).expect("A").waiting();
    assert!(waiting > storm.len() / 3, "what is not answered yet is not read: {waiting}");
    venue.find(1).expect("A").deaf = false;
    let (mut again, mut fills, mut new) = (0, 0, 0);
    while again + fills < 400 * 502 || new < 100 {
        let report = show(&venue.receive(1).expect("a message"));
        match (report.contains("|43=Y|"), report.contains("|35=4|")) {
            (true, true) => fills += 1,
            (true, false) => again += 1,
            (false, _) => new += 1,
        }
    }
    assert_eq!(new, 100, "what came up meanwhile comes once without the mark");
    send(&mut venue, 1, "A", "1", 403, "112=alive|");
    loop {
        let report = show(&venue.receive(1).expect("a message"));
        if report.contains("|112=alive|") {
            break;
        }
        assert!(report.contains("|43=Y|"), "{report}");
    }
}

#[test]
fn a_logon_of_one_byte_a_second_is_closed() {
    let mut venue = Venue::new(config());
    venue.connect(1).expect("a connection");
    let bytes = message(&venue, "A", "A", 1, "98=0|108=30|");
    let mut sent = 0;
    for byte in bytes {
        venue.send(1, &[byte]).expect("a connection");
        venue.pass(SECOND);
        sent += 1;
        if venue.find(1).expect("A").cause.is_some() {
            break;
        }
    }
    assert_eq!(venue.find(1).expect("A").cause.as_deref(), Some("no login in time"));
    assert_eq!(sent, 30);
    logon(&mut venue, 2, "A", 1);
}
