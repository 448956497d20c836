//! The operator's hand on a venue that runs as a process: limits set, refused and shown, an account
//! stopped and armed again, the configuration read again, and a stop that outlives a restart.

mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use process::Process;
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{ClientEvent, Login, NewOrder, OuchClient};
use spindle_types::{Price, Quantity};

struct Venue {
    process: Process,
    address: std::net::SocketAddr,
    folder: PathBuf,
}

fn spindle(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spindle")).args(arguments).output().expect("it runs")
}

/// Writes the example's configuration with a control socket and a state file.
fn configure(folder: &Path) -> PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/venue.toml");
    let text = std::fs::read_to_string(example).expect("the example");
    let path = |name: &str| folder.join(name).display().to_string();
    let risk =
        format!("[risk]\ncontrol = \"{}\"\nstate = \"{}\"\n", path("control"), path("stopped"));
    let text = text.replacen("127.0.0.1:8401", "127.0.0.1:0", 1).replacen("[risk]\n", &risk, 1);
    let file = folder.join("venue.toml");
    std::fs::write(&file, text).expect("a file");
    file
}

impl Venue {
    fn start(folder: &Path) -> Self {
        let mut process = Process::venue(&folder.join("venue.toml"));
        let address = process.address("ouch: listening on ");
        Self { process, address, folder: folder.to_owned() }
    }

    /// `spindle risk`: what it prints, or what is wrong.
    fn risk(&self, arguments: &[&str]) -> Result<String, String> {
        let control = self.folder.join("control").display().to_string();
        let output = spindle(&[&["risk", "--control", &control], arguments].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    fn connect(&self) -> OuchClient {
        let login = Login::new("taker1", "take").expect("a login");
        OuchClient::connect(self.address, login).expect("a connection")
    }

    /// Reads the log until a line of the gate says this.
    fn wait_for(&mut self, what: &str) {
        self.process.after(what);
    }

    fn end(self) -> String {
        self.process.end().1
    }
}

/// The first answer to an order of so many shares: its type.
fn order(client: &mut OuchClient, quantity: u32) -> char {
    let symbol = "AAPL".parse().expect("a symbol");
    // No two are alike.
    let order = NewOrder::limit(OrderSide::Buy, Quantity(quantity), symbol, Price(1_000_000));
    client.enter(&order).expect("sent");
    answer(client, "AJ")
}

/// Polls until an answer of one of these types comes.
fn answer(client: &mut OuchClient, types: &str) -> char {
    let mut found = None;
    while found.is_none() {
        client.poll(&mut |event| {
            if let ClientEvent::Message { message, .. } = event {
                let kind = char::from(message.to_owned_bytes()[0]);
                if types.contains(kind) {
                    found = found.or(Some(kind));
                }
            }
        });
    }
    found.expect("one")
}

#[test]
fn limits_change_accounts_stop_and_a_stop_outlives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = configure(folder.path());
    let mut venue = Venue::start(folder.path());
    let mut client = venue.connect();
    assert_eq!(order(&mut client, 1_000), 'A');
    assert_eq!(order(&mut client, 1_001), 'J', "the configuration's limit");

    // A limit is set, and what contradicts it is refused with the reason; nothing has changed then.
    let set = |venue: &Venue, limit: &str| venue.risk(&["set", "--account", "TAKER", limit]);
    assert_eq!(set(&venue, "order_size_max=2000"), Ok(String::new()));
    assert_eq!(order(&mut client, 1_500), 'A');
    for (limit, expected) in [
        ("position_max=1999", "order_size_max is above position_max"),
        ("order_size_max=0", "order_size_max is 0"),
        ("order_size_max=-1", "is no whole number"),
        ("collar_percent=1.234", "give at most two"),
    ] {
        let wrong = set(&venue, limit).expect_err(limit);
        assert!(wrong.contains(expected), "{wrong}");
    }
    let unknown = venue.risk(&["set", "--account", "NOBODY", "order_size_max=1"]);
    assert!(unknown.expect_err("nobody").contains("account: none is named 'NOBODY'"));
    let shown = venue.risk(&["show", "--json"]).expect("shown");
    assert!(shown.contains("\"order_size_max\": 2000"), "{shown}");

    // What is used is told beside the limit: two orders are open, of 1,000 and 1,500 shares.
    assert_eq!(set(&venue, "open_orders_max=8"), Ok(String::new()));
    assert_eq!(set(&venue, "bought_quantity_max=10_000"), Ok(String::new()));
    let shown = venue.risk(&["show", "--json"]).expect("shown");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let of_taker =
        |one: &&serde_json::Value| one["of"] == "account TAKER" && one.get("symbol").is_none();
    let limits = shown["limits"].as_array().expect("limits");
    let usage = &limits.iter().find(of_taker).expect("its limits")["usage"];
    let expected = serde_json::json!({"used": 2, "limit": 8, "percent": 25});
    assert_eq!(usage["open_orders_max"], expected, "{shown:#}");
    let expected = serde_json::json!({"used": 2_500, "limit": 10_000, "percent": 25});
    assert_eq!(usage["bought_quantity_max"], expected, "{shown:#}");
    let table = venue.risk(&["show"]).expect("shown");
    let line = |line: &&str| line.contains("TAKER") && line.contains("open_orders_max");
    let words = table.lines().find(line).expect(&table).split_whitespace().collect::<Vec<_>>();
    assert_eq!(words, ["account", "TAKER", "open_orders_max", "2", "8", "25"], "{table}");

    // A sum that reaches 70 % of its limit is told once and counted, and so is what a check refused.
    assert_eq!(set(&venue, "bought_quantity_max=3_000"), Ok(String::new()));
    assert_eq!(order(&mut client, 10), 'A');
    assert_eq!(order(&mut client, 9), 'A');
    venue.wait_for("warning: account TAKER: bought_quantity is 2510 of 3000");
    let shown = venue.risk(&["show", "--json"]).expect("shown");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["warnings"], 1, "{shown:#}");
    assert_eq!(shown["warnings_by"], serde_json::json!({"bought_quantity": 1}), "{shown:#}");
    assert_eq!(shown["refusals_by"], serde_json::json!({"order_size": 1}), "{shown:#}");

    // Stopped: what rests is cancelled, and what comes is refused, until it is armed.
    assert_eq!(venue.risk(&["kill", "--account", "TAKER"]), Ok(String::new()));
    assert_eq!(answer(&mut client, "C"), 'C');
    assert_eq!(order(&mut client, 11), 'J');
    venue.wait_for("account TAKER stopped (operator)");
    let without = venue.risk(&["arm", "--account", "TAKER", "--cause", " "]);
    assert!(without.expect_err("no cause").contains("cause: say why"));
    assert_eq!(venue.risk(&["arm", "--account", "TAKER", "--cause", "checked"]), Ok(String::new()));
    let again = venue.risk(&["arm", "--account", "TAKER", "--cause", "checked"]);
    assert!(again.expect_err("armed").contains("it is not stopped"));
    assert_eq!(order(&mut client, 12), 'A');

    // The configuration is read again, whole or not at all.
    let text = std::fs::read_to_string(&file).expect("text");
    std::fs::write(&file, text.replacen("order_size_max = 1_000", "order_size_max = 20", 1))
        .expect("written");
    assert_eq!(venue.risk(&["reload"]), Ok(String::new()));
    assert_eq!(order(&mut client, 21), 'J');
    std::fs::write(&file, text.replacen("order_size_max = 1_000", "order_size_max = 0", 1))
        .expect("written");
    let wrong = venue.risk(&["reload"]).expect_err("a limit of 0");
    assert!(wrong.contains("line") && wrong.contains("order_size_max is 0"), "{wrong}");
    assert_eq!(order(&mut client, 20), 'A');
    std::fs::write(&file, text).expect("written");

    // It stays stopped over a restart, until it is armed.
    assert_eq!(venue.risk(&["kill", "--firm", "FIRM"]), Ok(String::new()));
    venue.wait_for("firm FIRM stopped (operator)");
    venue.end();
    let kept = std::fs::read_to_string(folder.path().join("stopped")).expect("the state");
    assert_eq!(kept, "firm FIRM: operator\n");
    let venue = Venue::start(folder.path());
    let mut client = venue.connect();
    assert_eq!(order(&mut client, 1), 'J');
    assert_eq!(venue.risk(&["arm", "--firm", "FIRM", "--cause", "checked"]), Ok(String::new()));
    assert_eq!(order(&mut client, 2), 'A');
    venue.end();

    // A state that names nobody: the venue does not start.
    std::fs::write(folder.path().join("stopped"), "account GONE: loss\n").expect("written");
    let output = spindle(&["run", "--config", &file.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("line 1: 'account GONE' is nobody"), "{said}");
}
