//! `spindle bench` where it cannot measure says so before it does, in one line with what would work; and
//! where it can, each of its ways runs to the end. Loads here are small: nothing is said of how fast anything is.

mod process;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use spindle_replay::generate::{GenerateConfig, Generator};

use crate::process::{Process, example};

/// Loads one after the other: each wants two cores.
static CORES: Mutex<()> = Mutex::new(());

fn bench(arguments: &[&str]) -> Output {
    let _alone = CORES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.arg("bench").args(arguments).output().expect("it runs")
}

/// The one line that a wrong use says.
fn refused(arguments: &[&str]) -> String {
    let out = bench(arguments);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    assert!(out.stdout.is_empty(), "{arguments:?}: nothing was measured");
    said
}

/// Fewer cores than a venue and its load need: such a machine measures nothing.
fn too_few_cores() -> bool {
    let few = std::thread::available_parallelism().map_or(1, usize::from) < 2;
    if few {
        println!("skipped: this machine gives one core, and a venue with its load needs two");
    }
    few
}

/// A short measurement and its record. A round that a busy machine made void is a record too.
fn measured(folder: &Path, arguments: &[&str]) -> Value {
    let path = folder.join("run.json");
    let record = path.to_str().expect("a path");
    let short =
        ["wire", "--rounds", "1", "--warm-up", "20", "--late", "1000000", "--record", record];
    let out = bench(&[&short, arguments].concat());
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let is_void = out.status.code() == Some(1) && said.contains("the run is void");
    assert!(out.status.success() || is_void, "{arguments:?}: {said}");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no record: {said}"));
    let record: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(record["wire"]["voided"], is_void, "{said}");
    for key in ["p50_ns", "p99_ns", "floor_p50_ns", "floor_p99_ns"] {
        assert!(record["wire"][key].as_f64() > Some(0.0), "{key} of {}", record["wire"]);
    }
    record
}

#[test]
fn a_venue_that_is_not_there() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr();
    let nobody = nobody.expect("an address").to_string();
    let said = refused(&["wire", "--to", &nobody, "--login", "a:b", "--symbol", "AAPL"]);
    assert!(said.contains("no venue answers there") && said.contains("spindle run"), "{said}");
    let said = refused(&["wire", "--to", "nowhere", "--login", "a:b", "--symbol", "AAPL"]);
    assert!(said.contains("give HOST:PORT"), "{said}");
}

#[test]
fn a_rate_that_this_machine_cannot_send() {
    if too_few_cores() {
        return;
    }
    let said = refused(&["wire", "--rate", "9000000", "--seconds", "0.1", "--rounds", "1"]);
    let advice = said.split("give --rate ").nth(1).expect("what would work");
    let advice: u64 = advice.split(' ').next().and_then(|rate| rate.parse().ok()).expect("a rate");
    assert!((1..9_000_000).contains(&advice), "{said}");
}

#[test]
fn cores_that_are_not_there() {
    if too_few_cores() {
        return;
    }
    let said = refused(&["wire", "--engine-core", "9999"]);
    assert!(said.contains("core 9999 is not among those") && said.contains("taskset"), "{said}");
    let one = Command::new("taskset")
        .args(["-c", "0", env!("CARGO_BIN_EXE_spindle"), "bench", "wire", "--seconds", "0.1"])
        .output();
    match one {
        Err(error) => println!("skipped: no taskset here ({error})"),
        Ok(out) if String::from_utf8_lossy(&out.stderr).contains("failed to set") => {
            println!("skipped: core 0 is not this process's");
        }
        Ok(out) => {
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!((out.status.code(), said.lines().count()), (Some(2), 1), "{said}");
            assert!(said.contains("may use one core") && said.contains("two cores"), "{said}");
        }
    }
}

#[test]
fn what_cannot_be_written_or_is_too_long() {
    let said = refused(&["wire", "--record", "/nowhere/run.json"]);
    assert!(said.contains("/nowhere/run.json"), "{said}");
    let said = refused(&["wire", "--seconds", "100", "--rounds", "1"]);
    assert!(said.contains("give at least --rounds 10"), "{said}");
    let said = refused(&["wire", "--seconds", "0"]);
    assert!(said.contains("give 0.001 to 86400"), "{said}");
    let said = refused(&["wire", "--arrivals", "sometimes"]);
    assert!(said.contains("a recording that is there"), "{said}");
}

#[test]
fn records_of_different_versions() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, record: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, record).expect("a file");
        path.to_str().expect("a path").to_owned()
    };
    let build = json!({"version": "9.9.9", "commit": "abc"});
    let newer = json!({"format": "spindle-lab", "version": 99, "build": build}).to_string();
    let newer = write("newer.json", &newer);
    let said = refused(&["compare", &newer, &newer]);
    assert!(said.contains("a record of version 99") && said.contains("9.9.9 abc"), "{said}");
    let other = write("other.json", "{\"format\": \"else\"}");
    assert!(refused(&["compare", &other, &newer]).contains("spindle-lab"));
    let broken = write("broken.json", "{");
    assert!(refused(&["compare", &broken, &newer]).contains("broken.json"));
    assert!(refused(&["compare", "/nowhere/a.json", &newer]).contains("/nowhere/a.json"));
}

#[test]
fn three_sessions_and_a_sweep_over_two_rates() {
    if too_few_cores() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let more = ["--rate", "1000", "--seconds", "0.2", "--sessions", "3", "--sweep", "500,2000"];
    let record = measured(folder.path(), &more);
    assert_eq!(record["config"]["sessions"], 3);
    let rates: Vec<_> =
        record["sweep"].as_array().into_iter().flatten().map(|point| &point["offered"]).collect();
    assert_eq!(rates, [500, 2_000]);
    assert!(record["hops"].as_array().is_some_and(|hops| hops.len() > 5), "{}", record["hops"]);
}

#[test]
fn at_the_times_of_a_recording() {
    if too_few_cores() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let day = folder.path().join("day.itch");
    let made = GenerateConfig::new(20_000, 2, 3).expect("a day");
    Generator::new(made).write_to(File::create(&day).expect("a file"), |_| {}).expect("a day");
    let arrivals = day.to_str().expect("a path");
    let more = ["--rate", "1000", "--seconds", "0.3", "--arrivals", arrivals];
    let record = measured(folder.path(), &more);
    assert!(record["config"]["arrivals"].as_str().is_some_and(|kind| kind.contains("record")));
    // The whole day has the rate; how many of its requests lie in its first part is the day's affair.
    assert!(record["wire"]["requests"].as_u64() > Some(1), "{}", record["wire"]);
}

#[test]
fn from_tick_to_trade() {
    if too_few_cores() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let more = ["--rate", "500", "--seconds", "0.3", "--tick-to-trade"];
    let record = measured(folder.path(), &more);
    assert_eq!(
        (&record["config"]["tick_to_trade"], &record["config"]["sessions"]),
        (&json!(true), &json!(1))
    );
    let why = record["wire"]["void_reasons"].to_string();
    assert!(!why.contains("refused") && !why.contains("never answered"), "{why}");
    let counts: Vec<_> = record["hops"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|hop| {
            ["receive", "book", "risk"].contains(&hop["name"].as_str().unwrap_or_default())
        })
        .map(|hop| hop["percentiles"]["count"].as_u64().unwrap_or_default())
        .collect();
    assert!(counts.len() == 3 && counts.iter().all(|count| *count > 50), "{counts:?}");
}

#[test]
fn every_part_beside_its_floor() {
    if too_few_cores() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (record, report, directory) = (path("all.json"), path("all.html"), path("journal"));
    std::fs::create_dir(&directory).expect("a folder");
    let files = ["--record", &record, "--report", &report, "--directory", &directory];
    let out = bench(&[&["all", "--seconds", "1", "--rate", "500", "--json"][..], &files].concat());
    let said = String::from_utf8_lossy(&out.stderr);
    let is_void = out.status.code() == Some(1) && said.contains("the run is void");
    assert!(out.status.success() || is_void, "{said}");
    let told: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let kept = std::fs::read_to_string(&record).expect("a record");
    assert_eq!(told, serde_json::from_str::<Value>(&kept).expect("JSON"));
    let page = std::fs::read_to_string(&report).expect("a page");
    let left = std::fs::read_dir(&directory).expect("the folder").count();
    assert_eq!(left, 0, "the journal's part leaves nothing");
    let lines = told["parts"].as_array().expect("lines");
    let mut parts: Vec<_> = lines.iter().filter_map(|line| line["part"].as_str()).collect();
    parts.dedup();
    assert_eq!(parts, ["wire", "engine", "feed", "books", "matching", "risk", "journal"]);
    for line in lines {
        for name in ["figure", "floor"] {
            let name = line[name].as_str().expect("text");
            let figure = &told["figures"][name];
            assert!(name.is_empty() || figure["median"].as_f64() > Some(0.0), "{line}: {figure}");
            let is_shown =
                figure["unit"] != "ns" || page.contains(&format!("data-figure=\"{name}\""));
            assert!(is_shown, "{name} is not on the page");
        }
    }
    // A histogram without room for its values once told its own bound, 2 ns.
    let synced = &told["figures"]["journal.sync_64_p50_ns"]["median"];
    assert!(synced.as_f64() > Some(100.0), "a write and its sync: {synced}");
    let said = refused(&["all", "--directory", &record]);
    assert!(said.contains("--directory"), "{said}");
}

#[test]
fn a_venue_that_runs_already() {
    if too_few_cores() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    // The example's limits are for people: the load must keep them.
    let mut venue = Process::venue(&example(folder.path(), ""));
    let address = venue.address("ouch: listening on ").to_string();
    venue.forget_log();
    let to = [
        "--to",
        &address,
        "--symbol",
        "AAPL",
        "--price",
        "150",
        "--rate",
        "500",
        "--seconds",
        "0.3",
    ];
    let logins = ["--login", "maker1:quote", "--login", "taker1:take"];
    let record = measured(folder.path(), &[&to[..], &logins].concat());
    assert_eq!(record["config"]["venue"], *address);
    assert_eq!(
        record["wire"]["tally"]["rejected"], 0,
        "the example's limits are kept: {}",
        record["wire"]
    );
    let command = record["command"].as_str().expect("text");
    assert!(!command.contains("quote") && !command.contains("take"), "{command}");
    assert!(venue.goes_on(), "it outlives its load");
    // More open orders than the taker may have.
    let many = ["--open", "200", "--mix", "enter:1", "--login", "taker1:take"];
    let record = measured(folder.path(), &[&to[..], &many].concat());
    let why = record["wire"]["void_reasons"].to_string();
    assert!(why.contains("refused") && why.contains("open_orders"), "{why}");
    assert!(why.contains("--open less than"), "{why}");
    let said = refused(&[&["wire"][..], &to, &["--login", "maker1:wrong"]].concat());
    assert!(said.contains(&address), "{said}");
}
