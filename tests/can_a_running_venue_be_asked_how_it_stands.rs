//! SIGUSR1 to a venue that runs: how the strategies stand is written while it goes on, in real time and
//! in lockstep.

mod lockstep;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lockstep::{CONFIG, Process, connect};
use serde_json::Value;
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{ClientEvent, Login, NewOrder, OuchClient, Step};
use spindle_gateway::lockstep::Wait;
use spindle_gateway::ouch::outbound::Message;
use spindle_replay::generate::{GenerateConfig, Generator};
use spindle_types::{Price, Quantity};

/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(30);

/// The report, once it is there whole.
fn report(path: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

fn usr1(process: u32) {
    let status = Command::new("kill").args(["-s", "USR1", &process.to_string()]).status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn in_real_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/venue.toml");
    let text = std::fs::read_to_string(example).expect("the example");
    let (config, json) = (folder.path().join("venue.toml"), folder.path().join("report.json"));
    let csv = folder.path().join("report.csv");
    std::fs::write(&config, text.replacen("127.0.0.1:8401", "127.0.0.1:0", 1)).expect("a file");
    let mut venue = Command::new(env!("CARGO_BIN_EXE_spindle"))
        .args(["run", "--config"])
        .arg(&config)
        .arg("--json")
        .arg(&json)
        .arg("--csv")
        .arg(&csv)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let log = BufReader::new(venue.stderr.take().expect("a pipe"));
    let mut lines = log.lines().map(|line| line.expect("a line"));
    let address =
        lines.find_map(|line| line.strip_prefix("ouch: listening on ").map(str::to_owned));
    let address = address.expect("an address").parse().expect("an address");
    let client = |user, password| {
        let login = Login::new(user, password).expect("a login");
        OuchClient::connect(address, login).expect("a connection")
    };
    let (mut maker, mut taker) = (client("maker1", "quote"), client("taker1", "take"));
    let symbol = "AAPL".parse().expect("a symbol");
    let order = |side, price| NewOrder::limit(side, Quantity(100), symbol, Price(price));
    maker.enter(&order(OrderSide::Sell, 1_500_000)).expect("sent");
    until(&mut maker, b'A');
    taker.enter(&order(OrderSide::Buy, 1_500_000)).expect("sent");
    until(&mut taker, b'E');
    usr1(venue.id());
    let begun = Instant::now();
    let report = loop {
        if let Some(report) = report(&json) {
            break report;
        }
        assert!(begun.elapsed() < LIMIT, "no report came");
        std::thread::yield_now();
    };
    assert!(venue.try_wait().expect("a status").is_none(), "it goes on");
    assert_eq!(report["accounts"][0]["sold"], 100);
    assert_eq!(report["accounts"][1]["bought"], 100);
    assert_eq!(report["positions"][0]["average"], "150.000000");
    venue.kill().expect("it ends");
    venue.wait().expect("an end");
    let csv = std::fs::read_to_string(&csv);
    assert!(csv.expect("a file").contains("position,MAKER,AAPL,,,-100"));
}

fn until(client: &mut OuchClient, kind: u8) {
    let (mut seen, begun) = (false, Instant::now());
    while !seen {
        client.poll(&mut |event| {
            if let ClientEvent::Message { message, .. } = event {
                seen |= message.to_owned_bytes()[0] == kind;
            }
        });
        assert!(begun.elapsed() < LIMIT, "no answer came");
    }
}

#[test]
fn in_lockstep() {
    let folder = tempfile::tempdir().expect("a folder");
    let [config, day, json] =
        ["venue.toml", "day.itch", "report.json"].map(|name| folder.path().join(name));
    let made = GenerateConfig::new(200_000, 2, 3).expect("a day");
    Generator::new(made).write_to(File::create(&day).expect("a file"), |_| {}).expect("a day");
    std::fs::write(&config, CONFIG).expect("a file");
    let arguments: [&OsStr; 7] = [
        "--config".as_ref(),
        config.as_ref(),
        "--recording".as_ref(),
        day.as_ref(),
        "--lockstep".as_ref(),
        "--json".as_ref(),
        json.as_ref(),
    ];
    let venue =
        Process::start(Path::new(env!("CARGO_BIN_EXE_spindle")), &arguments).expect("it runs");
    let login = Login::new("alice", "a").expect("a login");
    let mut client = connect(venue.ouch, venue.tape, login);
    client.wait(&Wait::MESSAGE).expect("a wait");
    let (mut asked, mut on_the_way) = (false, None);
    while let Some(step) = client.next_step().expect("a step") {
        if let Step::Own { message: Message::SystemEvent(..), .. } | Step::Turn(_) = step
            && asked
            && on_the_way.is_none()
        {
            on_the_way = report(&json);
        }
        if let Step::Turn(_) = step {
            if !std::mem::replace(&mut asked, true) {
                venue.signal("USR1");
            }
            let wait = if on_the_way.is_some() { Wait::EVENT } else { Wait::MESSAGE };
            client.wait(&wait).expect("a wait");
        }
    }
    let (status, out, log) = venue.end();
    assert_eq!(status, Some(0), "{out}{log}");
    let on_the_way = on_the_way.expect("a report while the run went on");
    assert!(on_the_way["run"].is_null() && on_the_way["accounts"].is_array());
    let last = report(&json).expect("a report");
    assert_eq!(last["run"]["messages"], 200_000);
    assert_eq!(out.matches("accounts at ").count(), 2, "{out}");
}
