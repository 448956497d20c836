//! Nasdaq's own Python client (the package nasdaq-protocols) logs in, trades, comes back and reads
//! again. Skipped, with a line that says so, where there is no Python with that package; the
//! variable SPINDLE_PYTHON names another interpreter than python3.

mod common;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{World, config};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::NewOrder;
use spindle_types::{OrderToken, Price, Quantity};
use zerocopy::IntoBytes;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party/nasdaq_client.py");

fn python() -> Option<String> {
    let python = std::env::var("SPINDLE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut import = Command::new(&python);
    import.args(["-c", "import nasdaq_protocols"]).stdout(Stdio::null()).stderr(Stdio::null());
    import.status().is_ok_and(|status| status.success()).then_some(python)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn nasdaqs_own_client_logs_in_trades_and_resumes() {
    let Some(python) = python() else {
        println!("skipped: no Python with the package nasdaq-protocols");
        return;
    };
    let mut world = World::new(&config());
    let address = world.address;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let venue = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            world.turn();
            std::thread::yield_now();
        }
        world
    });
    let symbol = "FILL".parse().expect("a symbol");
    let order = NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(10_000));
    let port = address.port().to_string();
    let enter = hex(order.message(OrderToken(1)).as_bytes());
    let output = Command::new(python).args([SCRIPT, &port, &enter]).output();
    stop.store(true, Ordering::Relaxed);
    let mut world = venue.join().expect("the venue's thread ends");

    let output = output.expect("python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    let starts = [
        "refused",
        "login 1",
        "SequencedData 53",
        "SequencedData 41",
        "SequencedData 45",
        "login 2",
        "SequencedData 41",
        "SequencedData 45",
    ];
    assert_eq!(lines.len(), starts.len(), "{printed}{errors}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line} instead of {start}");
    }
    assert_eq!(lines[3..5], lines[6..8], "a replay is byte for byte what was sent");
    let log = world.log();
    let logouts = log.iter().filter(|line| line.ends_with("ALICE at PEER disconnected: logout"));
    assert_eq!(logouts.count(), 2, "{log:?}");
}
