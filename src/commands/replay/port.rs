//! The control socket: programs act on a running feed, one line a request, one line an answer.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use serde::Serialize;
use spindle_replay::publish::{Control, Publisher};

/// Programs that are connected at once; further ones wait.
const CLIENTS_MAX: usize = 8;

/// The longest line; who sends a longer one is disconnected.
const LINE_MAX: usize = 256;

/// A Unix socket that takes controls. Its file goes with it.
pub(super) struct ControlPort {
    listener: UnixListener,
    path: PathBuf,
    clients: Vec<Client>,
}

struct Client {
    stream: UnixStream,
    line: Vec<u8>,
}

/// The answer to `status`.
#[derive(Serialize)]
struct Status {
    messages: u64,
    tape_time: String,
    speed: String,
    paused: bool,
    session: String,
    pass: u32,
    next_sequence: u64,
}

impl ControlPort {
    /// Opens the socket.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned(), clients: Vec::new() })
    }

    /// Takes in who has come, and does what was asked for, without waiting.
    pub(super) fn serve(&mut self, publisher: &mut Publisher) {
        while self.clients.len() < CLIENTS_MAX
            && let Ok((stream, _)) = self.listener.accept()
        {
            if stream.set_nonblocking(true).is_ok() {
                self.clients.push(Client { stream, line: Vec::new() });
            }
        }
        self.clients.retain_mut(|client| client.serve(publisher));
    }
}

impl Drop for ControlPort {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Client {
    /// Reads what has come; false when the client is gone or misbehaves.
    fn serve(&mut self, publisher: &mut Publisher) -> bool {
        let mut bytes = [0; LINE_MAX];
        match self.stream.read(&mut bytes) {
            Ok(0) => return false,
            Ok(count) => self.line.extend_from_slice(&bytes[..count]),
            Err(error) => {
                return matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
            }
        }
        while let Some(end) = self.line.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            let answer = answer(String::from_utf8_lossy(&line).trim(), publisher);
            // A client that does not read its answers is not waited for.
            if self.stream.write_all(format!("{answer}\n").as_bytes()).is_err() {
                return false;
            }
        }
        self.line.len() < LINE_MAX
    }
}

fn answer(line: &str, publisher: &mut Publisher) -> String {
    if line == "status" {
        let feed = publisher.outgoing();
        let status = Status {
            messages: feed.line_counters(0).messages + feed.line_counters(0).lost_messages,
            tape_time: feed.tape_time().to_string(),
            speed: feed.speed().to_string(),
            paused: feed.is_paused(),
            session: String::from_utf8_lossy(&feed.session()).trim_end().to_owned(),
            pass: feed.pass(),
            next_sequence: feed.next_sequence(),
        };
        return serde_json::to_string(&status).unwrap_or_else(|error| format!("error: {error}"));
    }
    match line.parse::<Control>() {
        Ok(control) => {
            publisher.control(control);
            "ok".to_owned()
        }
        Err(error) => format!("error: {error}"),
    }
}
