//! A venue as a process of its own, as a person starts it: it says where it listens, and does not outlive
//! its test.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use spindle_gateway::client::{ClientEvent, OuchClient};

/// How long a test waits for what must come.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A venue that runs.
pub struct Process {
    process: Child,
    log: Option<BufReader<ChildStderr>>,
    said: String,
}

impl Process {
    /// Starts `spindle run` with this configuration.
    pub fn venue(config: &Path) -> Self {
        Self::venue_with(config, &[])
    }

    /// Starts `spindle run` with this configuration and further arguments.
    pub fn venue_with(config: &Path, more: &[&Path]) -> Self {
        Self::venue_in(config, more, &[])
    }

    /// The same in an environment with these variables.
    pub fn venue_in(config: &Path, more: &[&Path], environment: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_spindle"))
            .args(["run", "--config"])
            .arg(config)
            .args(more)
            .env_remove("RUST_BACKTRACE")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let log = process.stderr.take().map(BufReader::new);
        Self { process, log, said: String::new() }
    }

    /// Reads its log up to the line that has this, and gives what follows there, up to a semicolon.
    pub fn after(&mut self, what: &str) -> String {
        loop {
            let line = self.line();
            if let Some((_, rest)) = line.trim().split_once(what) {
                return rest.split(';').next().unwrap_or_default().to_owned();
            }
        }
    }

    /// As [`Process::after`], an address.
    pub fn address(&mut self, what: &str) -> SocketAddr {
        self.after(what).parse().expect("an address")
    }

    /// The next line of its log.
    pub fn line(&mut self) -> String {
        let log = self.log.as_mut().expect("its log is read here");
        let mut line = String::new();
        let count = log.read_line(&mut line).expect("a line");
        assert!(count > 0, "the venue ended: {}", self.said);
        self.said.push_str(&line);
        line
    }

    /// Lets somebody else read the rest of its log, or it would wait for room in the pipe.
    pub fn forget_log(&mut self) {
        if let Some(mut log) = self.log.take() {
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end, and gives its status.
    pub fn status(&mut self) -> Option<i32> {
        self.process.wait().expect("an end").code()
    }

    /// Whether it has not ended.
    pub fn goes_on(&mut self) -> bool {
        self.process.try_wait().expect("a status").is_none()
    }

    /// The rest of its log, once it has ended.
    pub fn rest_of_log(&mut self) -> String {
        let mut rest = String::new();
        if let Some(log) = &mut self.log {
            log.read_to_string(&mut rest).expect("text");
        }
        rest
    }

    /// Kills it, as a machine does that has no memory left.
    pub fn kill(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
    }

    /// Waits for its end by itself, and gives its status and its log.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let rest = self.rest_of_log();
        let status = self.process.wait().expect("an end").code();
        (status, std::mem::take(&mut self.said) + &rest)
    }

    /// Ends it as an operator would, and gives its summary and the rest of its log.
    pub fn end(mut self) -> (String, String) {
        self.signal("TERM");
        let mut out = String::new();
        self.process.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
        let log = self.rest_of_log();
        assert_eq!(self.process.wait().expect("an end").code(), Some(0), "{log}");
        (out, log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port")
}

/// The example's configuration on free ports, with more behind it, in a folder.
pub fn example(folder: &Path, more: &str) -> PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/venue.toml");
    let text = std::fs::read_to_string(example).expect("the example");
    let text = text.replace("127.0.0.1:8401", "127.0.0.1:0");
    let text = text.replace("127.0.0.1:8402", "127.0.0.1:0");
    let config = folder.join("venue.toml");
    std::fs::write(&config, text + more).expect("a file");
    config
}

/// Polls until a message of this kind has come.
pub fn until(client: &mut OuchClient, kind: u8) {
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
