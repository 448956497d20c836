//! How a venue stands, asked while it runs: over its control socket, by Prometheus, and in its log. What the
//! pages say of it is held to what is told.

mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use spindle::metrics::{FAMILIES, Kind, text};
use spindle::status::{BOUNDS_NS, Snapshot};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{Login, NewOrder, OuchClient};
use spindle_types::{Price, Quantity};

use crate::process::{LIMIT, Process, example, until};

/// A venue with a control socket and metrics, and what it listens on.
struct Venue {
    _process: Process,
    ouch: SocketAddr,
    metrics: SocketAddr,
    control: PathBuf,
    _folder: tempfile::TempDir,
}

impl Venue {
    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let control = folder.path().join("control");
        let more = format!("\n[metrics]\naddress = \"127.0.0.1:0\"\n{more}");
        let config = example(folder.path(), &more);
        let text = std::fs::read_to_string(&config).expect("a file");
        let risk = format!("[risk]\ncontrol = \"{}\"\n", control.display());
        let text = match text.contains("\n[risk]\n") {
            true => text.replacen("\n[risk]\n", &format!("\n{risk}"), 1),
            false => text + "\n" + &risk,
        };
        std::fs::write(&config, text).expect("a file");
        let mut process = Process::venue(&config);
        let ouch = process.address("ouch: listening on ");
        let metrics = process.address("metrics: listening on ");
        process.forget_log();
        Self { _process: process, ouch, metrics, control, _folder: folder }
    }

    fn client(&self, user: &str, password: &str) -> OuchClient {
        let login = Login::new(user, password).expect("a login");
        OuchClient::connect(self.ouch, login).expect("a connection")
    }

    /// A maker and a taker who have traded 100 shares, and a bid that stands.
    fn trade(&self) -> (OuchClient, OuchClient) {
        let (mut maker, mut taker) =
            (self.client("maker1", "quote"), self.client("taker1", "take"));
        let symbol = "AAPL".parse().expect("a symbol");
        let order = |side, price| NewOrder::limit(side, Quantity(100), symbol, Price(price));
        maker.enter(&order(OrderSide::Sell, 1_500_000)).expect("sent");
        until(&mut maker, b'A');
        taker.enter(&order(OrderSide::Buy, 1_500_000)).expect("sent");
        until(&mut taker, b'E');
        taker.enter(&order(OrderSide::Buy, 1_490_000)).expect("sent");
        until(&mut taker, b'A');
        let unknown = "NONE".parse().expect("a symbol");
        taker
            .enter(&NewOrder::limit(OrderSide::Buy, Quantity(1), unknown, Price(10_000)))
            .expect("sent");
        until(&mut taker, b'J');
        (maker, taker)
    }

    /// The answers to lines of the control socket.
    fn ask(&self, lines: &[&str]) -> Vec<Value> {
        let mut stream = UnixStream::connect(&self.control).expect("a socket");
        stream.set_read_timeout(Some(LIMIT)).expect("set");
        let mut reader = BufReader::new(stream.try_clone().expect("a copy"));
        let told = lines.iter().map(|line| {
            stream.write_all(format!("{line}\n").as_bytes()).expect("written");
            let mut answer = String::new();
            reader.read_line(&mut answer).expect("an answer");
            serde_json::from_str(&answer).expect("JSON")
        });
        told.collect()
    }

    fn status(&self, line: &str) -> Snapshot {
        serde_json::from_value(self.ask(&[line]).remove(0)).expect("a snapshot")
    }

    /// A status in which this holds: what the gateway counts is written down from time to time.
    fn status_when(&self, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let begun = Instant::now();
        loop {
            let status = self.status(r#"{"op":"status"}"#);
            if holds(&status) {
                return status;
            }
            assert!(begun.elapsed() < LIMIT, "{status:#?}");
        }
    }
}

fn get(address: SocketAddr, head: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(LIMIT)).expect("set");
    stream.write_all(head.as_bytes()).expect("written");
    let mut told = String::new();
    stream.read_to_string(&mut told).expect("text");
    let (head, body) = told.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

/// The samples of OpenMetrics text by name and labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("name and value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

#[test]
fn over_the_control_socket() {
    let venue = Venue::start("");
    let (maker, _taker) = venue.trade();
    let up = |status: &Snapshot| status.sessions.iter().filter(|session| session.up).count();
    let status = venue.status_when(|status| up(status) == 2);
    assert_eq!((status.venue.as_str(), status.version), ("SPINDLE", 1));
    let orders = status.orders;
    assert_eq!((orders.requests, orders.accepted, orders.rejected), (4, 3, 1));
    assert_eq!((orders.fills, orders.shares), (2, 200));
    assert_eq!(status.rejects, BTreeMap::from([("unknown_instrument".to_owned(), 1)]));
    assert_eq!((status.books.own_orders, status.books.levels), (1, 1));
    assert_eq!(status.books.good, status.books.known);
    assert_eq!(status.feed, None);
    let rings: Vec<_> = status.rings.iter().map(|ring| (ring.name.as_str(), ring.used)).collect();
    assert_eq!(rings, [("gateway to engine", 0), ("engine to gateway", 0)]);
    assert!(status.rings.iter().all(|ring| ring.capacity > 0));
    let accounts: Vec<_> =
        status.accounts.iter().map(|one| (one.fills, one.bought, one.sold)).collect();
    assert_eq!(accounts, [(1, 0, 100), (1, 100, 0)]);
    let positions: Vec<_> =
        status.positions.iter().map(|one| (one.symbol.as_str(), one.shares)).collect();
    assert_eq!(positions, [("AAPL", -100), ("AAPL", 100)], "{:?}", status.positions);
    assert!(status.positions.iter().all(|one| one.average == "150.000000"));
    let used = |of: &str, name: &str| {
        let is_it = |limit: &&spindle::status::Limit| limit.of == of && limit.name == name;
        status.limits.iter().find(is_it).map(|limit| limit.used.clone())
    };
    assert_eq!(used("account TAKER", "open_orders_max").as_deref(), Some("1"));
    let hop = status.hop("engine").expect("the hop");
    assert_eq!((hop.all.count, hop.at_most.len()), (4, BOUNDS_NS.len()));
    assert_eq!((status.gateway.open, status.gateway.logins), (2, 2));
    drop(maker);
    let gone = venue.status_when(|status| status.gateway.open == 1);
    let up: Vec<_> = gone.sessions.iter().map(|one| (one.name.as_str(), one.up)).collect();
    assert!(up.contains(&("maker1", false)) && up.contains(&("taker1", true)), "{up:?}");
    let ladder = venue.status(r#"{"op":"status","ladder":"AAPL","levels":3}"#).ladder;
    let ladder = ladder.expect("a ladder");
    assert_eq!((ladder.symbol.as_str(), ladder.state.as_str()), ("AAPL", "good"));
    let bids: Vec<_> =
        ladder.bids.iter().map(|l| (l.price.as_str(), l.quantity, l.orders)).collect();
    assert_eq!(bids, [("149.0000", 100, 1)]);
    assert_eq!(ladder.asks, []);
    let none = venue.status(r#"{"op":"status","ladder":"XYZ"}"#);
    assert_eq!(none.ladder, None);
    assert_eq!(none.missing, ["no instrument has the symbol XYZ"]);
    let answers = venue.ask(&[r#"{"op":"status","levels":99}"#, r#"{"op":"show"}"#, "{"]);
    assert_eq!(answers[0], json!({"error": "levels: give 1 to 64"}));
    assert!(answers[1]["limits"].is_array(), "the gate's operator is served beside it");
    assert!(answers[2]["error"].is_string());
}

#[test]
fn by_prometheus() {
    let venue = Venue::start("");
    let (_maker, _taker) = venue.trade();
    venue.status_when(|status| status.gateway.open == 2);
    let (head, body) = get(venue.metrics, "GET /metrics HTTP/1.1\r\nHost: venue\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.ends_with("# EOF\n"));
    let told = samples(&body);
    let value = |name: &str| *told.get(name).unwrap_or_else(|| panic!("{name} in {body}"));
    assert_eq!(value("spindle_requests_total"), 4.0);
    assert_eq!(value("spindle_orders_accepted_total"), 3.0);
    assert_eq!(value("spindle_rejects_total{reason=\"unknown_instrument\"}"), 1.0);
    assert_eq!(value("spindle_fills_total"), 2.0);
    assert_eq!(value("spindle_position_shares{account=\"MAKER\",symbol=\"AAPL\"}"), -100.0);
    assert_eq!(value("spindle_session_up{session=\"maker1\",protocol=\"ouch\"}"), 1.0);
    assert_eq!(value("spindle_hop_seconds_count{hop=\"engine\"}"), 4.0);
    assert_eq!(value("spindle_hop_seconds_bucket{le=\"+Inf\",hop=\"engine\"}"), 4.0);
    let (head, body) = get(venue.metrics, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK") && body.is_empty());
    let (head, _) = get(venue.metrics, "GET / HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

#[test]
fn who_crowds_the_endpoint_is_closed() {
    let venue = Venue::start("");
    // None of these ever asks. The sixteenth and those after it find no place.
    let idle: Vec<_> =
        (0..20).map(|_| TcpStream::connect(venue.metrics).expect("a connection")).collect();
    let closed = || {
        let is_closed = |mut stream: &TcpStream| {
            stream.set_nonblocking(true).expect("set");
            match stream.read(&mut [0]) {
                Ok(count) => count == 0,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            }
        };
        idle.iter().filter(|stream| is_closed(stream)).count()
    };
    let begun = Instant::now();
    while closed() < 4 {
        assert!(begun.elapsed() < LIMIT, "they keep their places");
        std::thread::yield_now();
    }
    // Those who have a place lose it after a while, and then others are served.
    while closed() < 20 {
        assert!(begun.elapsed() < LIMIT, "they keep their places");
        std::thread::yield_now();
    }
    let (head, _) = get(venue.metrics, "GET /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[test]
fn an_address_in_use_is_said_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    let config = example(folder.path(), &format!("\n[metrics]\naddress = \"{address}\"\n"));
    let out = Command::new(env!("CARGO_BIN_EXE_spindle"))
        .args(["run".as_ref(), "--config".as_ref(), config.as_os_str()])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    let wanted = format!(
        "spindle: [metrics] address {address}: the port is in use; stop the program that has it or \
         give another port\n"
    );
    assert_eq!(said, wanted);
}

#[test]
fn the_log_is_json_lines_without_a_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = example(folder.path(), "\n[log]\nformat = \"json\"\n");
    let mut process = Process::venue(&config);
    let mut lines = Vec::new();
    let ouch: SocketAddr = loop {
        let line: Value = serde_json::from_str(&process.line()).expect("JSON");
        let is_ouch = line["source"] == "ouch";
        lines.push(line.clone());
        if is_ouch {
            break line["address"].as_str().expect("text").parse().expect("an address");
        }
    };
    let connect = |user, password| {
        let login = Login::new(user, password).expect("a login");
        OuchClient::connect(ouch, login)
    };
    let good = connect("maker1", "quote").expect("a connection");
    assert!(connect("taker1", "wrongpass").is_err());
    drop(good);
    let mut log = String::new();
    loop {
        let line = process.line();
        let told: Value = serde_json::from_str(&line).expect("JSON");
        log += &line;
        let is_last = told["event"] == "closed" && told["user"] == "MAKER1";
        lines.push(told);
        if is_last {
            break;
        }
    }
    for line in &lines {
        for field in ["time", "level", "event", "source", "text"] {
            assert!(line[field].is_string(), "{field} of {line}");
        }
        let time = line["time"].as_str().expect("text");
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
    let events: BTreeSet<_> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    for event in ["listening", "connected", "logged_in", "login_refused", "closed"] {
        assert!(events.contains(event), "{event} in {events:?}");
    }
    let refused = lines.iter().find(|line| line["event"] == "login_refused").expect("one");
    assert_eq!((&refused["user"], &refused["level"]), (&"taker1".into(), &"warn".into()));
    for secret in ["quote", "wrongpass"] {
        assert!(!log.to_lowercase().contains(secret), "{secret} in {log}");
    }
}

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(path).expect("a page")
}

#[test]
fn the_page_of_metrics_is_what_is_served() {
    let page = page("metrics.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `spindle_"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let wanted: Vec<Vec<String>> = FAMILIES
        .iter()
        .map(|family| {
            let labels: Vec<_> =
                family.labels.split(',').filter(|label| !label.is_empty()).collect();
            let labels =
                labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            vec![
                format!("`{}`", family.name),
                family.kind.name().to_owned(),
                labels,
                family.unit.to_owned(),
                family.help.to_owned(),
            ]
        })
        .collect();
    assert_eq!(rows, wanted);
    let full = text(full());
    for family in FAMILIES {
        let kind = format!("# TYPE {} {}\n", family.name, family.kind.name());
        assert!(full.contains(&kind), "{kind}");
        let suffix = match family.kind {
            Kind::Counter => "_total",
            Kind::Gauge => "",
            Kind::Histogram => "_bucket",
        };
        let labels = family.labels.split(',').next().unwrap_or_default();
        let name = format!("\n{}{suffix}", family.name);
        let sample = full.lines().find(|line| line.starts_with(name.trim_start()));
        let sample = sample.unwrap_or_else(|| panic!("no sample of {} in {full}", family.name));
        assert!(sample.contains(labels), "{sample} has no {labels}");
        let first = family.name.starts_with("spindle_");
        assert!(first && !family.name.ends_with("_total"), "{}", family.name);
    }
}

/// A snapshot with something of everything.
fn full() -> Snapshot {
    use spindle::status::*;
    let hop = Hop {
        name: "engine".to_owned(),
        all: Percentiles { count: 3, ..Percentiles::default() },
        at_most: vec![1; BOUNDS_NS.len()],
        ..Hop::default()
    };
    Snapshot {
        feed: Some(Feed { lines: vec![Line::default()], ..Feed::default() }),
        rings: vec![Ring::default()],
        rejects: BTreeMap::from([("stale".to_owned(), 1)]),
        warnings: BTreeMap::from([("collar".to_owned(), 1)]),
        hops: vec![hop],
        sessions: vec![Session::default()],
        accounts: vec![Account::default()],
        positions: vec![Position::default()],
        limits: vec![Limit::default()],
        stopped: vec![Stopped::default()],
        journal: Some(Journal::default()),
        ..Snapshot::default()
    }
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(&page("grafana.json")).expect("JSON");
    let mut asked = BTreeSet::new();
    let mut queries = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(panel["title"].is_string() && panel["gridPos"]["w"].is_number(), "{panel}");
        assert_eq!(panel["type"] == "row", panel["targets"].is_null(), "{panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().expect("a query");
            queries += 1;
            let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            asked.extend(words.filter(|word| word.starts_with("spindle_")).map(str::to_owned));
        }
    }
    assert!(queries >= 20, "{queries}");
    let names: BTreeSet<_> = FAMILIES
        .iter()
        .flat_map(|family| match family.kind {
            Kind::Counter => vec![format!("{}_total", family.name)],
            Kind::Gauge => vec![family.name.to_owned()],
            Kind::Histogram => {
                ["bucket", "sum", "count"].map(|part| format!("{}_{part}", family.name)).into()
            }
        })
        .collect();
    let unknown: Vec<_> = asked.difference(&names).collect();
    assert!(unknown.is_empty(), "{unknown:?} are not served");
    // Each is a sample of what the endpoint serves.
    let full = text(full());
    for name in &asked {
        let is_sample = |line: &str| {
            line.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with([' ', '{']))
        };
        assert!(full.lines().any(is_sample), "{name} is no sample of {full}");
    }
}

#[test]
fn the_dashboard_tells_apart_by_labels_that_there_are() {
    let dashboard: Value = serde_json::from_str(&page("grafana.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut checked = 0;
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
    {
        let query = target["expr"].as_str().expect("a query");
        let families: Vec<_> = FAMILIES.iter().filter(|one| query.contains(one.name)).collect();
        let known: BTreeSet<_> = families
            .iter()
            .flat_map(|family| family.labels.split(','))
            .chain(["le", "job", "instance"])
            .collect();
        // What is summed by, what a series is called by, and what is chosen by.
        let by = query.split(" by (").skip(1).filter_map(|rest| rest.split(')').next());
        let by = by.flat_map(|list| list.split(',')).map(str::trim);
        let legend = target["legendFormat"].as_str().unwrap_or_default();
        let legend = legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
        let chosen = query.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let chosen =
            chosen.flat_map(|list| list.split(',')).filter_map(|one| one.split(['=', '!']).next());
        for label in by.chain(legend).chain(chosen).map(str::trim).filter(|label| !label.is_empty())
        {
            assert!(known.contains(label), "{query}: {label} is no label of it, {known:?} are");
            checked += 1;
        }
    }
    assert!(checked >= 10, "{checked} labels were seen");
}
