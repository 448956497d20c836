//! What the program says of wrong usage and wrong input: one line that names what, where and what
//! would be right, the right exit status, and never a panic.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn spindle(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spindle"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

/// Runs the program and checks status and the one line on stderr.
fn refused(arguments: &[&str], status: i32, expected: &str) {
    let output = spindle(arguments);
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {line}");
    assert!(line.contains(expected), "{arguments:?}: {line:?} does not contain {expected:?}");
    assert_eq!(line.trim_end().lines().count(), 1, "{arguments:?}: {line:?}");
    assert!(line.starts_with("spindle: "), "{line:?}");
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("a file");
    path.to_string_lossy().into_owned()
}

/// The example with one text in the place of another.
fn example(folder: &Path, name: &str, good: &str, bad: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/venue.toml");
    let text = fs::read_to_string(path).expect("the example");
    assert!(text.contains(good), "the example has no {good:?}");
    file(folder, name, text.replacen(good, bad, 1).as_bytes())
}

#[test]
fn recordings_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let missing = folder.join("missing.itch").to_string_lossy().into_owned();
    let empty = file(folder, "empty.itch", b"");
    let text = file(folder, "text.itch", b"This is no recording of anything at all.\n");
    let here = folder.to_string_lossy().into_owned();
    for command in ["book", "inspect"] {
        refused(&[command, &missing], 2, "missing.itch: cannot be read: No such file");
        refused(&[command, &empty], 2, "empty.itch: ");
        refused(&[command, &text], 2, "text.itch: ");
        refused(&[command, &here], 2, "is a folder");
    }
    refused(&["match", &missing], 2, "missing.itch: cannot be read: No such file");
    refused(&["match", &here], 2, "is a folder");
    refused(&["match", &text], 1, "text.itch: 1 line is no operation");
    // A message of 12 bytes, and then one that is cut after 5 of 19.
    let cut = b"\x00\x0cS\0\0\0\0\0\0\0\0\0\0O\x00\x13D\0\0\0\0";
    let cut = file(folder, "cut.itch", cut);
    refused(&["book", &cut], 1, "byte 14");
}

#[test]
fn arguments_that_make_no_sense() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("day.itch").to_string_lossy().into_owned();
    refused(&["generate", &out, "--messages", "10", "--symbols", "100"], 2, "messages");
    refused(&["generate", "/nowhere/at/all.itch"], 2, "/nowhere/at/all.itch");
    refused(&["run", "--config", "/nowhere.toml"], 2, "/nowhere.toml: No such file");
    let output = spindle(&["nonsense"]);
    assert_eq!(output.status.code(), Some(2), "an unknown command is wrong usage");
    let output = spindle(&["book"]);
    assert_eq!(output.status.code(), Some(2), "a missing argument is wrong usage");
}

#[test]
fn configurations_that_cannot_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let cases = [
        ("symbol = \"AAPL\"", "symbl = \"AAPL\"", "line LINE: unknown field `symbl`"),
        ("connections_max = 64", "connections_max = \"many\"", "line LINE: invalid type"),
        ("connections_max = 64", "connections_max = 0", "connections_max: give a number from 1"),
        (
            "ouch_listen = \"127.0.0.1:8401\"",
            "ouch_listen = \"localhost\"",
            "give one such as 127.0.0.1:8401",
        ),
        ("account = \"TAKER\"", "account = \"TACKER\"", "no [[account]] is named 'TACKER'"),
        ("order_size_max = 1_000", "order_size_max = 0", "line LINE: order_size_max is 0"),
        ("password = \"take\"", "password = \"far too long\"", "give 1 to 10 ASCII letters"),
        ("orders_max = 100_000 ", "orders_max = 0 ", "[engine] orders_max: 0 is out of range"),
    ];
    for (at, (good, bad, expected)) in cases.into_iter().enumerate() {
        let config = example(folder, &format!("{at}.toml"), good, bad);
        let text = std::fs::read_to_string(&config).expect("a file");
        let line = 1 + text.lines().position(|line| line.contains(bad)).expect("it is there");
        let expected = expected.replace("LINE", &line.to_string());
        refused(&["run", "--config", &config], 2, &expected);
    }
}

#[test]
fn ports_that_are_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = tcp.local_addr().expect("an address").to_string();
    let config = example(folder, "tcp.toml", "127.0.0.1:8401", &taken);
    refused(&["run", "--config", &config], 2, &taken);

    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let taken = udp.local_addr().expect("an address").to_string();
    let feed = format!("[feed]\n[[feed.line]]\naddress = \"{taken}\"\n\n[gateway]");
    let config = example(folder, "udp.toml", "[gateway]", &feed);
    let text = fs::read_to_string(&config).expect("the file");
    let text = text.replace("127.0.0.1:8401", "127.0.0.1:0");
    fs::write(&config, text.replace("127.0.0.1:8402", "127.0.0.1:0")).expect("a file");
    refused(&["run", "--config", &config], 2, &taken);
}
