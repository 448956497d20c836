//! The log of a venue: lines for people, or JSON lines for programs. Only the cold thread writes it; what the
//! hot ones have to say arrives there as plain values in rings.

mod entry;
mod gateway;

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use entry::{Entry, Level};

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A line for people each.
    #[default]
    Text,
    /// A JSON object a line: time, level, source, event, its fields, and the line for people.
    Json,
}

/// The log, on stderr.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log {
    format: Format,
}

impl Log {
    /// A log of this form.
    pub const fn new(format: Format) -> Self {
        Self { format }
    }

    /// Writes an entry. A log that cannot be written stops nothing.
    pub fn tell(&self, entry: &Entry) {
        let mut line = self.line(entry, SystemTime::now());
        line.push('\n');
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    /// The line of an entry at this time, without its end.
    pub fn line(&self, entry: &Entry, now: SystemTime) -> String {
        match self.format {
            Format::Text => entry.to_string(),
            Format::Json => entry.json(&timestamp(now)),
        }
    }
}

/// UTC to the microsecond, as RFC 3339 writes it.
fn timestamp(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i128::try_from(since.as_micros()).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp_nanos(micros * 1_000);
    time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_entry_is_a_line_for_people_or_for_programs() {
        let entry = Entry::new(Level::Warn, "feed", "lost")
            .with("messages", 5_u64)
            .with("what", "a \"line\"\nof two")
            .text("5 messages are lost");
        let now = UNIX_EPOCH + Duration::from_micros(1_700_000_000_250_000);
        let line = |format| Log::new(format).line(&entry, now);
        assert_eq!(line(Format::Text), "feed: 5 messages are lost");
        let json_line = line(Format::Json);
        assert_eq!(json_line.lines().count(), 1);
        let told: Value = serde_json::from_str(&json_line).expect("JSON");
        let wanted = json!({
            "time": "2023-11-14T22:13:20.25Z", "level": "warn", "source": "feed", "event": "lost",
            "messages": 5, "what": "a \"line\"\nof two", "text": "5 messages are lost",
        });
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_field_does_not_take_the_place_of_what_every_line_has() {
        let entry = Entry::new(Level::Info, "gateway", "connected").with("time", 1_u64).text("x");
        let line = entry.json("now");
        assert!(line.starts_with("{\"time\":\"now\","), "{line}");
        assert_eq!(line.matches("\"time\":").count(), 1, "{line}");
    }
}
