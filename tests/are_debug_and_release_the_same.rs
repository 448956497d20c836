//! The program in lockstep, as a process, on a generated day: what it tells strategies is the same in
//! every build, and is what it was when this test was written.

mod lockstep;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;

use lockstep::{BOB, CONFIG, Process, connect, quoter, taker};
use serde_json::Value;
use spindle_gateway::client::Login;
use spindle_replay::generate::{GenerateConfig, Generator};
use spindle_types::Symbol;

/// Everything that was told in this run. Where the venue, the fill rules or the generated day change on
/// purpose, another number is right: take the one that the test prints, when debug and release agree.
const CHECKSUM: &str = "08f116e7d1a41903";

const LATENCY: &str = r#"
[session.latency]
entry = { model = "log_normal", median_ns = 50_000_000, sigma = "0.5" }
cancel = { model = "constant", ns = 20_000_000 }
answer = { model = "normal", mean_ns = 30_000_000, deviation_ns = 10_000_000 }
"#;

/// Runs a build of the program and gives its report, to the byte, and its checksum.
fn report(program: &Path, folder: &Path, day: &Path, symbol: Symbol) -> (String, String) {
    let (config, json) = (folder.join("venue.toml"), folder.join("report.json"));
    std::fs::write(&config, format!("{CONFIG}{LATENCY}{BOB}")).expect("a file");
    let arguments: [&OsStr; 7] = [
        "--config".as_ref(),
        config.as_ref(),
        "--recording".as_ref(),
        day.as_ref(),
        "--lockstep".as_ref(),
        "--json".as_ref(),
        json.as_ref(),
    ];
    let process = Process::start(program, &arguments).expect("it runs");
    let (ouch, tape) = (process.ouch, process.tape);
    let strategies = [("alice", "a", quoter(symbol)), ("bob", "b", taker(symbol, 60_000_000_000))];
    let threads = strategies.map(|(user, password, trade)| {
        let login = Login::new(user, password).expect("a login");
        thread::spawn(move || trade(connect(ouch, tape, login)))
    });
    for thread in threads {
        thread.join().expect("a journal");
    }
    let (status, out, log) = process.end();
    assert_eq!(status, Some(0), "{out}{log}");
    let report = std::fs::read_to_string(json).expect("a report");
    let value: Value = serde_json::from_str(&report).expect("JSON");
    assert!(value["accounts"][2]["fills"].as_u64() > Some(100), "{report}");
    let checksum = value["run"]["checksum"].as_str().expect("a checksum").to_owned();
    (report, checksum)
}

/// The other build of this program, where there is one that is as new as this one.
fn other_build(this: &Path) -> Option<PathBuf> {
    let (profile, target) = (this.parent()?, this.parent()?.parent()?);
    let other = if profile.ends_with("release") { "debug" } else { "release" };
    let path = target.join(other).join(this.file_name()?);
    let written = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let is_current = written(&path)? >= written(this)?;
    is_current.then_some(path)
}

#[test]
fn what_is_told_is_the_same_in_every_build() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = folder.path().join("day.itch");
    let config = GenerateConfig::new(20_000, 2, 3).expect("a day");
    let file = File::create(&day).expect("a file");
    Generator::new(config).write_to(file, |_| {}).expect("a day");
    let symbol = lockstep::first_symbol(config);
    let this = Path::new(env!("CARGO_BIN_EXE_spindle"));
    let (first, checksum) = report(this, folder.path(), &day, symbol);
    println!("checksum {checksum}");
    match other_build(this) {
        Some(other) => {
            let (second, _) = report(&other, folder.path(), &day, symbol);
            assert!(first == second, "two builds tell different things");
            println!("{} tells the same to the byte", other.display());
        }
        None => println!("skipped: no other build as new as this one; only the checksum is held"),
    }
    assert_eq!(checksum, CHECKSUM);
}
