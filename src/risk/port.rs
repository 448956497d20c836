//! The control socket of the gate: one line a request, one line an answer, as of a feed that is
//! replayed.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Reply;

/// Programs that are connected at once; further ones wait.
const CLIENTS_MAX: usize = 8;

/// The longest line; who sends a longer one is disconnected.
const LINE_MAX: usize = 4_096;

/// Bytes of answers that wait for a client to read them; who leaves more unread is disconnected.
const UNREAD_MAX: usize = 4 << 20;

/// A Unix socket that takes changes of the gate. Its file goes with it.
pub struct ControlPort {
    listener: UnixListener,
    path: PathBuf,
    clients: Vec<Client>,
}

struct Client {
    stream: UnixStream,
    line: Vec<u8>,
    /// The inputs whose answers it waits for.
    waits: Vec<u64>,
    /// Answers that the socket has not taken yet.
    unread: Vec<u8>,
}

impl ControlPort {
    /// Opens the socket. A file that a venue left behind, to which nobody listens, is taken away.
    ///
    /// # Errors
    /// A path that cannot be listened on, or where somebody listens.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path.exists() && UnixStream::connect(path).is_err() {
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned(), clients: Vec::new() })
    }

    /// Takes in who has come and has what they ask carried out, without waiting.
    pub(crate) fn serve(&mut self, mut carry_out: impl FnMut(&str) -> Reply) {
        while self.clients.len() < CLIENTS_MAX
            && let Ok((stream, _)) = self.listener.accept()
        {
            if stream.set_nonblocking(true).is_ok() {
                let (line, waits, unread) = (Vec::new(), Vec::new(), Vec::new());
                self.clients.push(Client { stream, line, waits, unread });
            }
        }
        self.clients.retain_mut(|client| client.serve(&mut carry_out));
    }

    /// The engine has answered an input.
    pub fn answered(&mut self, number: u64, answer: &Result<Value, String>) {
        for client in &mut self.clients {
            if let Some(at) = client.waits.iter().position(|wait| *wait == number) {
                client.waits.remove(at);
                let told = match answer {
                    Ok(told) => told.clone(),
                    Err(error) => json!({"error": error}),
                };
                // One that is gone is noticed when it is served.
                client.tell(&told);
            }
        }
    }
}

impl Drop for ControlPort {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Client {
    /// A client that does not read its answers is not waited for.
    fn tell(&mut self, answer: &Value) -> bool {
        self.unread.extend_from_slice(format!("{answer}\n").as_bytes());
        self.flush()
    }

    /// Writes what the socket takes; false when the client is gone or leaves too much unread.
    fn flush(&mut self) -> bool {
        while !self.unread.is_empty() {
            match self.stream.write(&self.unread) {
                Ok(0) => return false,
                Ok(count) => drop(self.unread.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.unread.len() <= UNREAD_MAX;
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Reads what has come; false when the client is gone or misbehaves.
    fn serve(&mut self, carry_out: &mut impl FnMut(&str) -> Reply) -> bool {
        if !self.flush() {
            return false;
        }
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
            match carry_out(String::from_utf8_lossy(&line).trim()) {
                Reply::Now(answer) if !self.tell(&answer) => return false,
                Reply::Now(_) => {}
                Reply::When(number) => self.waits.push(number),
            }
        }
        self.line.len() < LINE_MAX
    }
}
