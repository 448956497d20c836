//! The terminal view in two sizes, held to frames that were looked at. SPINDLE_WRITE_FRAMES=1 writes them anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use spindle::status::*;
use spindle::top::{App, Key, frame_text};

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

/// A venue with something of everything, a moment after [`before`].
fn now() -> Snapshot {
    let hop = |name: &str, count, p50_ns, p99_ns| Hop {
        name: name.to_owned(),
        all: Percentiles {
            count: count * 9,
            p50_ns,
            p90_ns: p99_ns,
            p99_ns,
            p999_ns: p99_ns,
            max_ns: 90_000_000,
        },
        recent: Percentiles {
            count,
            p50_ns,
            p90_ns: (p50_ns + p99_ns) / 2,
            p99_ns,
            p999_ns: p99_ns * 3,
            max_ns: p99_ns * 40,
        },
        ..Hop::default()
    };
    let session = |name: &str, protocol: &str, up, backlog_bytes| Session {
        name: name.to_owned(),
        protocol: protocol.to_owned(),
        account: name.to_uppercase(),
        up,
        backlog_bytes,
    };
    let line = |address: &str, state, age_ms, missed| Line {
        address: address.to_owned(),
        state,
        age_ms,
        packets: 5_000_000,
        first: 2_600_000,
        duplicates: 2_400_000,
        missed,
        filled: 12,
        dropped: 0,
    };
    let position = |account: &str, symbol: &str, shares| Position {
        account: account.to_owned(),
        symbol: symbol.to_owned(),
        shares,
        average: "150.250000".to_owned(),
        realised: "-1234.567899".to_owned(),
    };
    let limit = |name: &str, symbol: &str, used: &str, limit: &str, percent| Limit {
        of: "account MAKER".to_owned(),
        symbol: symbol.to_owned(),
        name: name.to_owned(),
        used: used.to_owned(),
        limit: limit.to_owned(),
        percent,
    };
    let level = |price: &str, quantity, orders| Level { price: price.to_owned(), quantity, orders };
    Snapshot {
        version: VERSION,
        venue: "SPINDLE".to_owned(),
        unix_ms: 1_700_000_000_000,
        uptime_ms: 3_725_000,
        feed: Some(Feed {
            packets: 10_000_000,
            last_sequence: 123_456_789,
            lost: 2,
            gaps: 3,
            requests_unanswered: 1,
            silent: false,
            lines: vec![
                line("239.1.1.1:26400", LineState::Live, Some(0), 14),
                line("239.1.1.2:26400", LineState::Silent, Some(4_100), 5_000),
            ],
        }),
        books: Books {
            known: 8_000,
            good: 7_997,
            halted: 1,
            stale: 2,
            closed: 0,
            orders: 912_345,
            own_orders: 321,
            levels: 45_678,
            not_good: vec![
                ("HALTD".to_owned(), "halted".to_owned()),
                ("AAPL".to_owned(), "stale".to_owned()),
                ("ZZZ".to_owned(), "stale".to_owned()),
            ],
        },
        rings: vec![
            Ring { name: "gateway to engine".to_owned(), used: 3, capacity: 4_096 },
            Ring { name: "engine to gateway".to_owned(), used: 13_000, capacity: 16_384 },
        ],
        orders: Orders {
            requests: 1_050_000,
            accepted: 700_000,
            rejected: 1_300,
            fills: 250_000,
            shares: 25_000_000,
            market_messages: 123_456_700,
            unknown_references: 0,
            quarantines: 1,
        },
        rejects: BTreeMap::from([("collar".to_owned(), 1_000), ("order_size_max".to_owned(), 300)]),
        warnings: BTreeMap::from([("position".to_owned(), 4)]),
        hops: vec![
            hop("decode", 50_000, 90, 250),
            hop("ring in", 50_000, 130, 900),
            hop("risk", 50_000, 110, 480),
            hop("match", 50_000, 210, 1_450),
            hop("ring out", 50_000, 120, 2_600),
            hop("engine", 50_000, 420, 2_050),
            hop("order in to answer out", 50_000, 4_900, 19_400),
            Hop { name: "receive".to_owned(), ..Hop::default() },
        ],
        gateway: GatewayCounts {
            open: 4,
            connections: 9,
            logins: 7,
            refused_logins: 2,
            ..GatewayCounts::default()
        },
        sessions: vec![
            session("maker1", "ouch", true, 0),
            session("taker1", "ouch", true, 1_500_000),
            session("FIXMAKER", "fix", false, 0),
        ],
        accounts: Vec::new(),
        positions: vec![
            position("MAKER", "AAPL", -12_300),
            position("TAKER", "AAPL", 12_300),
            position("TAKER", "MSFT", 0),
        ],
        limits: vec![
            limit("open_orders_max", "", "321", "1000", 32),
            limit("position_max", "AAPL", "12300", "15000", 82),
            limit("credit_max", "", "998000.00", "1000000.00", 99),
        ],
        stopped: vec![Stopped { of: "session taker2".to_owned(), cause: "operator".to_owned() }],
        journal: None,
        ladder: Some(Ladder {
            symbol: "AAPL".to_owned(),
            state: "good".to_owned(),
            bids: vec![level("149.9900", 12_300, 4), level("149.9800", 100, 1)],
            asks: vec![
                level("150.0100", 900, 2),
                level("150.0200", 5_000, 7),
                level("151.0000", 1, 1),
            ],
        }),
        missing: Vec::new(),
    }
}

/// Two seconds earlier.
fn before() -> Snapshot {
    let mut before = now();
    before.uptime_ms -= 2_000;
    before.orders.requests -= 100_000;
    before.orders.accepted -= 66_000;
    before.orders.fills -= 24_000;
    before.orders.shares -= 2_400_000;
    before.orders.rejected -= 10;
    before.orders.market_messages -= 1_000_000;
    before.rejects.insert("collar".to_owned(), 990);
    for hop in &mut before.hops {
        hop.all.count = hop.all.count.saturating_sub(100_000);
    }
    for line in before.feed.iter_mut().flat_map(|feed| &mut feed.lines) {
        line.packets -= 20_000;
        line.first -= 10_000;
        line.duplicates -= 9_000;
    }
    before
}

fn app() -> App {
    let mut app = App::new(false);
    app.take(before());
    app.take(now());
    app
}

/// Holds frames in both sizes to those that were looked at.
fn hold(name: &str, app: &App) {
    for (width, height) in SIZES {
        let frame = frame_text(app, width, height);
        assert_eq!(frame.lines().count(), usize::from(height));
        let widest = frame.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(usize::from(width)));
        let file = format!("tests/top/{name}_{width}x{height}.txt");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
        if std::env::var_os("SPINDLE_WRITE_FRAMES").is_some() {
            std::fs::write(&path, &frame).expect("written");
        }
        let wanted = std::fs::read_to_string(&path).expect("a frame");
        assert!(frame == wanted, "{file} has\n{wanted}\nand it is\n{frame}");
    }
}

#[test]
fn every_pane() {
    let names = ["flow", "latency", "feed", "sessions", "positions", "limits", "ladder"];
    for (name, key) in names.into_iter().zip('1'..) {
        let mut app = app();
        app.key(Key::Char(key));
        hold(name, &app);
    }
}

#[test]
fn what_keys_do_is_seen() {
    let mut help = app();
    help.key(Key::Char('?'));
    hold("help", &help);
    let mut filtered = app();
    for key in ['5', '/', 'a', 'a', 'p', 'l'] {
        filtered.key(Key::Char(key));
    }
    hold("typing", &filtered);
    filtered.key(Key::Enter);
    for key in ['s', 's', 's', 'p'] {
        filtered.key(Key::Char(key));
    }
    hold("filtered", &filtered);
}

#[test]
fn what_is_wrong_is_seen() {
    let mut empty = App::new(false);
    hold("waiting", &empty);
    let mut status = now();
    status.feed.as_mut().expect("a feed").silent = true;
    status.missing = vec!["the risk gate did not answer: no limits".to_owned()];
    status.limits.clear();
    empty.take(status);
    empty.key(Key::Char('6'));
    hold("silent", &empty);
    let mut gone = app();
    gone.trouble("/run/venue: no venue answers there; trying again");
    hold("gone", &gone);
}

#[test]
fn a_small_change_is_another_frame() {
    let seen = frame_text(&app(), 80, 24);
    let mut status = now();
    status.orders.fills += 1;
    let mut other = App::new(false);
    other.take(before());
    other.take(status);
    assert_ne!(frame_text(&other, 80, 24), seen);
    // Any size is drawn: a terminal can be made small.
    for (width, height) in [(1, 1), (5, 3), (20, 10), (500, 200)] {
        frame_text(&app(), width, height);
    }
}

#[test]
fn a_venue_that_is_not_there_is_said_in_one_line() {
    let run = |arguments: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_spindle")).arg("top").args(arguments).output();
        let out = out.expect("it runs");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code(), said)
    };
    let (status, said) = run(&["--control", "/nowhere/control", "--once"]);
    assert_eq!(status, Some(2), "{said}");
    let wanted = "spindle: /nowhere/control: no venue answers there (No such file or directory (os error 2)); \
                  start one with [risk] control = \"/nowhere/control\"\n";
    assert_eq!(said, wanted);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/venue.toml");
    let (status, said) = run(&["--config", example, "--json"]);
    assert_eq!((status, said.lines().count()), (Some(2), 1), "{said}");
    for size in ["80", "9x9", "80x9999", "x"] {
        let (status, said) = run(&["--control", "/nowhere", "--once", "--size", size]);
        assert!(status == Some(2) && said.contains("80x24"), "{said}");
    }
}
