//! SIGUSR1 to a venue that runs: how the strategies stand is written while it goes on, in real time and
//! in lockstep.

mod lockstep;
mod process;

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use lockstep::{CONFIG, Process, connect};
use process::{LIMIT, until};
use serde_json::Value;
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{Login, NewOrder, OuchClient, Step};
use spindle_gateway::lockstep::Wait;
use spindle_gateway::ouch::outbound::Message;
use spindle_replay::generate::{GenerateConfig, Generator};
use spindle_types::{Price, Quantity};

/// The report, once it is there whole.
fn report(path: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

#[test]
fn in_real_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let [json, csv] = ["report.json", "report.csv"].map(|name| folder.path().join(name));
    let more = ["--json".as_ref(), json.as_path(), "--csv".as_ref(), csv.as_path()];
    let mut venue = process::Process::venue_with(&process::example(folder.path(), ""), &more);
    let address = venue.address("ouch: listening on ");
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
    venue.signal("USR1");
    let begun = Instant::now();
    let report = loop {
        if let Some(report) = report(&json) {
            break report;
        }
        assert!(begun.elapsed() < LIMIT, "no report came");
        std::thread::yield_now();
    };
    assert!(venue.goes_on(), "it goes on");
    assert_eq!(report["accounts"][0]["sold"], 100);
    assert_eq!(report["accounts"][1]["bought"], 100);
    assert_eq!(report["positions"][0]["average"], "150.000000");
    venue.kill();
    let csv = std::fs::read_to_string(&csv);
    assert!(csv.expect("a file").contains("position,MAKER,AAPL,,,-100"));
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
