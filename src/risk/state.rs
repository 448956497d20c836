//! Who was stopped, over a restart: a small file of one line each.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use spindle_risk::Target;
use thiserror::Error;

use crate::config::Config;
use crate::config::risk::name_of;

/// Why the state cannot be read or written.
#[derive(Debug, Error)]
pub enum StateError {
    /// The system says so.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What it says.
        source: io::Error,
    },
    /// A line that means nobody.
    #[error(
        "{path}, line {line}: '{text}' is nobody of this configuration; whoever was stopped must be \
         known, or the line be taken out"
    )]
    Unknown {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is there.
        text: String,
    },
}

/// Who was stopped when the venue ran last. A file that is not there stopped nobody.
///
/// # Errors
/// A file that cannot be read, or a line that names nobody: the venue does not start then.
pub fn read(config: &Config) -> Result<Vec<Target>, StateError> {
    let Some(path) = &config.risk.state else {
        return Ok(Vec::new());
    };
    let name = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StateError::File { path: name, source }),
    };
    let accounts = config.accounts.iter().map(|account| Target::Account(account.id));
    let sessions = config.sessions.iter().map(|session| Target::Session(session.id));
    let firms = (0..u16::MAX).zip(&config.risk.firms).map(|(firm, _)| Target::Firm(firm));
    let everybody: Vec<_> =
        [Target::All].into_iter().chain(accounts).chain(sessions).chain(firms).collect();
    let mut stopped = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let named = text.split(':').next().unwrap_or_default().trim();
        if named.is_empty() {
            continue;
        }
        let is_it = |target: &&Target| {
            name_of(**target, &config.accounts, &config.sessions, &config.risk.firms) == named
        };
        match everybody.iter().find(is_it) {
            Some(target) => stopped.push(*target),
            None => {
                let text = named.escape_default().to_string();
                return Err(StateError::Unknown { path: name, line, text });
            }
        }
    }
    Ok(stopped)
}

/// Writes who is stopped, whole: a reader sees the old file or the new one.
pub(super) fn write(path: &Path, stopped: &[(String, &str)]) -> Result<(), StateError> {
    let wrong = |source| StateError::File { path: path.display().to_string(), source };
    let beside = path.with_extension("new");
    let text: String = stopped.iter().map(|(name, cause)| format!("{name}: {cause}\n")).collect();
    let mut file = fs::File::create(&beside).map_err(wrong)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)?;
    fs::rename(&beside, path).map_err(wrong)
}
