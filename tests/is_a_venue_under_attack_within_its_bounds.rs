//! The program as a process of its own, with every limit attacked at once: all connections taken,
//! streams and stores filled to their ends, a drop copy full, messages waiting beyond gaps, passwords
//! guessed. What it takes of the machine's memory stays below what it said at its start, and none of
//! the secrets that it was told stands in anything that it says.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spindle_engine::command::OrderSide;
use spindle_gateway::client::{
    ClientEvent, FixClient, FixEvent, FixLogin, FixOrder, Login, NewOrder, OuchClient,
};
use spindle_gateway::fix::Version;
use spindle_gateway::fix::encode::envelope;
use spindle_gateway::fix::value::format_timestamp;
use spindle_gateway::ouch::outbound::Message;
use spindle_gateway::vault::hash_password;
use spindle_types::{OrderToken, Price, Quantity, Symbol};

const SECRETS: [&str; 4] = ["Xq7Trader", "Zw9Copy", "Kp3FixWord", "Vb5Guess"];

fn config(folder: &Path) -> std::path::PathBuf {
    let hash = hash_password(SECRETS[0].to_ascii_uppercase().as_bytes()).expect("random numbers");
    let fix_hash = hash_password(SECRETS[2].as_bytes()).expect("random numbers");
    let text = format!(
        r#"
[venue]
name = "ATTACKED"
[engine]
orders_max = 20_000
levels_max = 20_000
own_orders_max = 4_096
instruments_max = 64
[threads]
idle = "yield"
[gateway]
ouch_listen = "127.0.0.1:0"
connections_max = 48
stream_mib = 4
backlog_kib = 1_024
wrong_login_delay_ms = 50
[[instrument]]
symbol = "AAPL"
[[account]]
name = "ONE"
order_size_max = 10_000
order_value_max = "5000000.00"
collar_percent = "10"
open_orders_max = 1_000
[[session]]
user = "trader"
password = "{hash}"
account = "ONE"
[[session]]
user = "copy"
password = "{copy}"
drop_copy = true
accounts = ["*"]
[fix]
listen = "127.0.0.1:0"
comp_id = "SPIN"
store_mib = 1
orders_max = 16_384
[[fix.session]]
comp_id = "FIONA"
version = "4.4"
password = "{fix_hash}"
account = "ONE"
[[fix.session]]
comp_id = "DROP"
version = "4.4"
drop_copy = true
accounts = ["*"]
"#,
        copy = SECRETS[1],
    );
    let path = folder.join("venue.toml");
    std::fs::write(&path, text).expect("a file");
    path
}

struct Venue {
    process: Child,
    ouch: SocketAddr,
    fix: SocketAddr,
    /// KiB that it said it takes at most.
    bound: u64,
    said: Vec<String>,
    /// What else it says, read all the time so that it never waits for its reader.
    log: Option<std::thread::JoinHandle<String>>,
}

impl Venue {
    fn start(config: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_spindle"))
            .args(["run", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut log = BufReader::new(process.stderr.take().expect("a pipe"));
        let mut said = Vec::new();
        let mut after = |what: &str| loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).expect("a line") > 0, "the venue ended: {said:?}");
            said.push(line.trim().to_owned());
            if let Some(rest) = line.trim().strip_prefix(what) {
                break rest.split([';', ' ']).next().unwrap_or_default().to_owned();
            }
        };
        let bound = after("memory: at most ").parse().expect("a number");
        let ouch = after("ouch: listening on ").parse().expect("an address");
        let fix = after("fix: listening on ").parse().expect("an address");
        let log = Some(std::thread::spawn(move || {
            let mut rest = String::new();
            let _ = log.read_to_string(&mut rest);
            rest
        }));
        Self { process, ouch, fix, bound, said, log }
    }

    /// KiB that it has taken at most so far.
    fn most_resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("a Linux machine");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a line");
        line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

fn aapl() -> Symbol {
    "AAPL".parse().expect("a symbol")
}

/// Enters and cancels until the stream takes no more orders, and then until the end of the reserve.
fn fill_stream(venue: &Venue) -> u64 {
    let login = Login::new("trader", SECRETS[0]).expect("a login");
    let mut client = OuchClient::connect(venue.ouch, login).expect("a connection");
    let order = NewOrder::limit(OrderSide::Buy, Quantity(10), aapl(), Price(10_000));
    let (mut under_way, mut answers, mut ended) = (0_u32, 0, false);
    let mut open = Vec::new();
    while !ended {
        while under_way < 200 && client.enter(&order).is_ok() {
            under_way += 1;
        }
        let came = client.poll(&mut |event| match event {
            ClientEvent::Message { message, .. } => {
                answers += 1;
                under_way = under_way.saturating_sub(1);
                if let Message::Accepted(accepted, _) = message {
                    open.push(OrderToken(accepted.user_ref_num.get()));
                }
            }
            ClientEvent::Disconnected(_) => ended = true,
            ClientEvent::LoggedIn { .. } | ClientEvent::Unreadable { .. } | ClientEvent::Mark => {}
        });
        if came == 0 {
            std::thread::yield_now();
        }
        for token in open.drain(..) {
            let _ = client.cancel(token);
        }
    }
    answers
}

/// Orders until the store has no more room for them.
fn fill_store(venue: &Venue) -> u64 {
    let login = FixLogin::new(Version::Fix44, "FIONA", "SPIN").with("", SECRETS[2]);
    let mut client = FixClient::connect(venue.fix, login).expect("a connection");
    let order = FixOrder::limit(OrderSide::Buy, Quantity(10), aapl(), Price(10_000));
    let (mut under_way, mut reports, mut refused) = (0_u32, 0, 0);
    let mut open = Vec::new();
    while refused < 500 {
        while under_way < 100 {
            client.enter(&order).expect("sent");
            under_way += 1;
        }
        let came = client.poll(&mut |event| {
            if let FixEvent::Report(report) = event {
                reports += 1;
                under_way = under_way.saturating_sub(1);
                match (report.exec_type, report.id) {
                    (b'8', _) => refused += 1,
                    (b'0', Some(id)) => open.push(id),
                    _ => {}
                }
            } else if let FixEvent::Disconnected(cause) = event {
                panic!("{cause}");
            }
        });
        if came == 0 {
            std::thread::yield_now();
        }
        for id in open.drain(..) {
            client.cancel(id, OrderSide::Buy, aapl()).expect("sent");
        }
    }
    reports
}

/// A FIX message of a client that keeps no numbers.
fn message(from: &str, kind: &str, sequence: u64, body: &str) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let time = format_timestamp(u64::try_from(now).unwrap_or_default());
    let time = String::from_utf8_lossy(&time[..21]).into_owned();
    let head = format!("35={kind}\u{1}34={sequence}\u{1}49={from}\u{1}52={time}\u{1}56=SPIN\u{1}");
    let mut space = [0; 2_048];
    let length = envelope(&mut space, b"FIX.4.4", head.as_bytes(), body.as_bytes());
    space[..length.expect("short")].to_vec()
}

#[test]
fn memory_stays_below_what_is_said_at_the_start_and_no_secret_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut venue = Venue::start(&config(folder.path()));
    let at_start = venue.most_resident();

    // Wrong passwords, over both protocols.
    let mut guesses = Vec::new();
    for _ in 0..8 {
        let mut socket = TcpStream::connect(venue.ouch).expect("the venue listens");
        let login = format!("\0/Ltrader{:<10}{:10}{:>20}", SECRETS[3], "", 1);
        socket.write_all(login.as_bytes()).expect("sent");
        let mut other = TcpStream::connect(venue.fix).expect("the venue listens");
        let body = format!("98=0\u{1}108=0\u{1}554={}\u{1}", SECRETS[3]);
        other.write_all(&message("FIONA", "A", 1, &body)).expect("sent");
        guesses.extend([socket, other]);
    }
    for mut socket in guesses {
        let _ = socket.set_read_timeout(Some(Duration::from_secs(20)));
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer == b"\0\x02JA", "{answer:?}");
    }
    // A FIX drop copy that is there and reads nothing, with messages beyond a gap in its queue.
    let mut copy = TcpStream::connect(venue.fix).expect("the venue listens");
    copy.write_all(&message("DROP", "A", 1, "98=0\u{1}108=0\u{1}")).expect("sent");
    for number in 10..500 {
        copy.write_all(&message("DROP", "0", number, "")).expect("sent");
    }
    let answers = fill_stream(&venue);
    let reports = fill_store(&venue);
    // All places taken: packets that never end, a Logon that never ends, nothing at all.
    let mut crowd = Vec::new();
    for number in 0..80 {
        let to = if number % 2 == 0 { venue.ouch } else { venue.fix };
        let mut socket = TcpStream::connect(to).expect("the kernel takes it");
        socket.set_nonblocking(true).expect("a socket");
        let _ = match (number % 4, number % 2) {
            (0, _) => socket.write(&[&[4, 0, b'U'][..], &[b'x'; 900]].concat()),
            (_, 1) => {
                socket.write(&[b"8=FIX.4.4\x019=8000\x01"[..].to_vec(), vec![b'y'; 7_900]].concat())
            }
            _ => Ok(0),
        };
        crowd.push(socket);
    }
    // A reader of the whole stream that reads slowly and leaves.
    let mut slow = TcpStream::connect(venue.ouch).expect("the kernel takes it");
    let login = format!("\0/Lcopy  {:<10}{:10}{:>20}", SECRETS[1], "", 1);
    slow.write_all(login.as_bytes()).expect("sent");
    slow.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
    let mut read = 0;
    let mut space = vec![0; 1 << 16];
    loop {
        match slow.read(&mut space) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break;
            }
            Err(_) => break,
        }
    }
    let most = venue.most_resident();
    println!(
        "{answers} answers over OUCH, {reports} reports over FIX, {read} bytes of a drop copy; \
         resident {at_start} KiB at the start, {most} KiB at most, {} KiB said",
        venue.bound
    );
    assert!(
        answers > 40_000 && reports > 2_000,
        "{answers} {reports}: the limits were not reached"
    );
    assert!(most <= venue.bound + venue.bound / 100, "{most} KiB of {} KiB", venue.bound);
    // A bound that is far away would say nothing.
    assert!(most >= venue.bound / 4, "{most} KiB of {} KiB", venue.bound);

    drop((crowd, slow, copy));
    let killed = Command::new("kill").arg(venue.process.id().to_string()).status();
    assert!(killed.expect("kill runs").success());
    let (mut out, mut log) = (String::new(), venue.said.join("\n"));
    venue.process.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
    let rest = venue.log.take().expect("once").join().expect("text");
    log.push_str(&rest);
    assert_eq!(venue.process.wait().expect("an end").code(), Some(0), "{log}");
    assert!(
        log.contains("refused") && log.contains("disconnected"),
        "the log is not this one: {log}"
    );
    for secret in SECRETS {
        for text in [secret.to_owned(), secret.to_ascii_uppercase(), secret.to_ascii_lowercase()] {
            assert!(!out.contains(&text) && !log.contains(&text), "a secret stands in the log");
        }
    }
    assert!(!out.contains("argon2") && !log.contains("argon2id"));
    // Whatever files the run left behind are its own configuration alone.
    let files = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(files, 1);
}
