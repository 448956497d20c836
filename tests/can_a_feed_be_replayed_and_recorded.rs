//! Replay and record as real processes over loopback: what is sent is in the capture, and the capture
//! gives the same books as the file.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn spindle(arguments: &[&str]) -> Output {
    program(arguments).output().expect("the program runs")
}

fn json(output: &[u8]) -> serde_json::Value {
    serde_json::from_slice(output).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(output));
    })
}

/// A child that is ended if the test is.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A port that nobody uses now.
fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("an address").port()
}

/// Starts a recorder and waits until it listens.
fn recorder(out: &Path, lines: &[String]) -> Process {
    let mut arguments = vec!["record", text(out), "--until-end", "--seconds", "60", "--json"];
    for (flag, line) in ["--from", "--and"].into_iter().zip(lines) {
        arguments.extend([flag, line.as_str()]);
    }
    let mut child = program(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut line = String::new();
    let stderr = child.stderr.as_mut().expect("piped");
    BufReader::new(stderr).read_line(&mut line).expect("a line");
    assert!(line.starts_with("recording: "), "{line}");
    Process(child)
}

fn finish(mut recorder: Process) -> serde_json::Value {
    let mut output = Vec::new();
    let mut stdout = recorder.0.stdout.take().expect("piped");
    std::io::Read::read_to_end(&mut stdout, &mut output).expect("its summary");
    assert_eq!(recorder.0.wait().expect("an end").code(), Some(0));
    json(&output)
}

fn tops(file: &Path, groups: &[String]) -> String {
    let mut arguments = vec!["book", text(file), "--tops", "-"];
    for group in groups {
        arguments.extend(["--group", group.as_str()]);
    }
    let output = spindle(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // The report on the time it took follows the table.
    text.lines().take_while(|line| line.contains(',')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_recorded_replay_gives_the_books_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (day, capture) = (folder.path().join("day.itch"), folder.path().join("live.pcapng"));
    spindle(&["generate", text(&day), "--messages", "20000", "--symbols", "30", "--seed", "9"]);
    let lines = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let recorder = recorder(&capture, &lines);
    let sent = spindle(&[
        "replay",
        text(&day),
        "--to",
        &lines[0],
        "--and",
        &lines[1],
        "--mtu-b",
        "700",
        "--speed",
        "max",
        "--duplicate",
        "0.02",
        "--reorder",
        "0.02",
        "--seed",
        "4",
        "--json",
    ]);
    assert_eq!(sent.status.code(), Some(0), "{}", String::from_utf8_lossy(&sent.stderr));
    let (sent, recorded) = (json(&sent.stdout), finish(recorder));
    assert_eq!(sent["messages"], 20_000);
    for line in 0..2 {
        let (sent, recorded) = (&sent["lines"][line], &recorded["lines"][line]);
        assert_eq!(sent["messages"], 20_000);
        assert!(sent["duplicated"].as_u64() > Some(0) && sent["reordered"].as_u64() > Some(0));
        if recorded["kernel_drops"] != 0 {
            println!("skipped: this machine's socket buffers are too small");
            return;
        }
        assert_eq!(recorded["foreign"], 0);
    }
    let (a, b) = (&sent["lines"][0]["packets"], &sent["lines"][1]["packets"]);
    assert!(a.as_u64() < b.as_u64(), "each line has packets of its own size");
    let books = tops(&day, &[]);
    assert!(books.lines().count() > 20, "{books}");
    assert_eq!(tops(&capture, &lines), books, "both lines");
    assert_eq!(tops(&capture, &lines[..1]), books, "line A alone");
    let described = json(&spindle(&["inspect", text(&capture), "--json"]).stdout);
    let groups = described["capture"]["groups"].as_array().expect("groups");
    for line in &lines {
        assert!(groups.iter().any(|group| group["address"] == line.as_str()), "{groups:?}");
    }
}

#[test]
fn programs_act_on_a_running_replay() {
    let folder = tempfile::tempdir().expect("a folder");
    let (day, control) = (folder.path().join("day.itch"), folder.path().join("control"));
    spindle(&["generate", text(&day), "--messages", "20000", "--symbols", "30", "--seed", "9"]);
    let to = format!("127.0.0.1:{}", free_port());
    let replay = Process(
        program(&[
            "replay",
            text(&day),
            "--to",
            &to,
            "--from",
            "10:00",
            "--control",
            text(&control),
        ])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs"),
    );
    let deadline = Instant::now() + Duration::from_secs(30);
    let stream = loop {
        match UnixStream::connect(&control) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::yield_now();
    };
    let mut answers = BufReader::new(stream.try_clone().expect("a handle"));
    let mut ask = |line: &str| {
        (&stream).write_all(format!("{line}\n").as_bytes()).expect("sent");
        let mut answer = String::new();
        answers.read_line(&mut answer).expect("an answer");
        answer.trim_end().to_owned()
    };
    assert_eq!(ask("pause"), "ok");
    let before = json(ask("status").as_bytes());
    assert_eq!((&before["paused"], &before["speed"]), (&true.into(), &"x1".into()));
    assert_eq!(ask("step 7"), "ok");
    let stepped = loop {
        let status = json(ask("status").as_bytes());
        if status["messages"] != before["messages"] {
            break status;
        }
        assert!(Instant::now() < deadline, "{status}");
    };
    assert_eq!(stepped["messages"].as_u64(), before["messages"].as_u64().map(|count| count + 7));
    assert_eq!(ask("speed x5"), "ok");
    assert_eq!(json(ask("status").as_bytes())["speed"], "x5");
    assert!(ask("nonsense").starts_with("error: 'nonsense' is none of"));
    assert_eq!(ask("stop"), "ok");
    let mut replay = replay;
    assert_eq!(replay.0.wait().expect("an end").code(), Some(0));
    assert!(!control.exists(), "the socket goes with the program");
}

#[test]
fn wrong_usage_is_said_in_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = folder.path().join("day.itch");
    spindle(&["generate", text(&day), "--messages", "1000", "--symbols", "3"]);
    let day = text(&day);
    let to = ["--to", "127.0.0.1:9"];
    for (arguments, wanted) in [
        (vec!["replay", "/nowhere", to[0], to[1]], "/nowhere: cannot be read"),
        (vec!["replay", day, "--to", "nowhere"], "invalid value 'nowhere'"),
        (vec!["replay", day, to[0], to[1], "--speed", "fast"], "'fast' is not a speed"),
        (vec!["replay", day, to[0], to[1], "--loss-a", "2"], "'2' is not a share of packets"),
        (vec!["replay", day, to[0], to[1], "--from", "9:75"], "a time of day is HH:MM"),
        (vec!["replay", day, to[0], to[1], "--group", "239.0.0.1:5"], "has no groups to pick from"),
        (vec!["replay", day, to[0], to[1], "--request", "x"], "--request x: neither a port nor"),
        (vec!["replay", day, to[0], to[1], "--request", "192.0.2.1:5"], "cannot take requests at"),
        (vec!["replay", day, to[0], to[1], "--control", "/nowhere/at/all"], "no control socket"),
        (vec!["replay", day, to[0], to[1], "--interface", "::1"], "both be IPv4"),
        (vec!["record", "/nowhere/x", "--from", "127.0.0.1:0"], "/nowhere/x: cannot be written"),
        (vec!["record", "-", "--from", "192.0.2.1:5"], "192.0.2.1"),
    ] {
        let output = spindle(&arguments);
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
        assert!(line.contains(wanted), "{arguments:?}: {line}");
    }
}
