//! Where snapshots come from: the control socket of a venue, asked from a thread of its own.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::{Value, json};
use thiserror::Error;

use crate::status::{Snapshot, VERSION, Wish};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why there is no snapshot.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Nobody is at the socket.
    #[error(
        "{}: no venue answers there ({source}); start one with [risk] control = \"{}\"",
        .path.display(), .path.display()
    )]
    Nobody {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The venue refuses.
    #[error("the venue says: {0}")]
    Refused(String),
    /// The venue is of another version.
    #[error(
        "the venue tells version {told} of its status, this program reads {VERSION}; use one build"
    )]
    Version {
        /// Which it is.
        told: u64,
    },
    /// What came is no snapshot.
    #[error("the venue told something that is no status: {0}")]
    Form(String),
}

/// Asks a venue how it stands, once.
///
/// # Errors
/// A venue that is not there, or of another version.
pub fn ask(path: &Path, wish: &Wish) -> Result<Snapshot, SourceError> {
    let mut line = json!({"op": "status"});
    if let Some(symbol) = &wish.ladder {
        line["ladder"] = symbol.as_str().into();
        line["levels"] = wish.levels.into();
    }
    let answer = exchange(path, &line)
        .map_err(|source| SourceError::Nobody { path: path.to_owned(), source })?;
    let told: Value =
        serde_json::from_str(&answer).map_err(|error| SourceError::Form(error.to_string()))?;
    if let Some(error) = told.get("error").and_then(Value::as_str) {
        return Err(SourceError::Refused(error.to_owned()));
    }
    let version = told.get("version").and_then(Value::as_u64).unwrap_or_default();
    if version != u64::from(VERSION) {
        return Err(SourceError::Version { told: version });
    }
    serde_json::from_value(told).map_err(|error| SourceError::Form(error.to_string()))
}

fn exchange(path: &Path, line: &Value) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    match BufReader::new(stream).read_line(&mut answer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer),
    }
}

/// A thread that asks at intervals.
pub struct Source {
    wish: Arc<Mutex<Wish>>,
    now: Sender<()>,
    told: Receiver<Result<Snapshot, SourceError>>,
}

impl Source {
    /// Asks the venue at this socket from now on.
    ///
    /// # Errors
    /// No thread.
    pub fn start(path: PathBuf, interval: Duration, wish: Wish) -> io::Result<Self> {
        let wish = Arc::new(Mutex::new(wish));
        let ((now, wanted), (tell, told)) = (bounded::<()>(1), bounded(1));
        let shared = Arc::clone(&wish);
        thread::Builder::new().name("status".to_owned()).spawn(move || {
            loop {
                let wish = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if tell.send(ask(&path, &wish)).is_err() {
                    return;
                }
                if let Err(crossbeam_channel::RecvTimeoutError::Disconnected) =
                    wanted.recv_timeout(interval)
                {
                    return;
                }
            }
        })?;
        Ok(Self { wish, now, told })
    }

    /// Something else is wanted: it is asked for at once.
    pub fn want(&self, wish: Wish) {
        *self.wish.lock().unwrap_or_else(PoisonError::into_inner) = wish;
        // One that waits to be noticed is enough.
        let _ = self.now.try_send(());
    }

    /// What has come, without waiting.
    pub fn next(&self) -> Option<Result<Snapshot, SourceError>> {
        self.told.try_recv().ok()
    }
}
