//! An entry of the log.

use std::fmt;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// What every line has.
const COMMON: [&str; 5] = ["time", "level", "source", "event", "text"];

/// How much an entry matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Somebody should look at it.
    Warn,
    /// Something does not work any more.
    Error,
}

impl Level {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Something worth a line.
#[derive(Clone, Debug)]
pub struct Entry {
    level: Level,
    source: &'static str,
    event: &'static str,
    fields: Map<String, Value>,
    text: String,
}

impl Entry {
    /// Something that happened in a part of the venue.
    pub fn new(level: Level, source: &'static str, event: &'static str) -> Self {
        Self { level, source, event, fields: Map::new(), text: String::new() }
    }

    /// With a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// With the line for people, without its source.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// As an object on one line, at this time: what every line has first, the fields of the event, and the line
    /// for people.
    pub(super) fn json(&self, time: &str) -> String {
        let mut line = format!("{{\"time\":{}", Value::from(time));
        let mut add = |name: &str, value: &Value| {
            let _ = write!(line, ",{}:{value}", Value::from(name));
        };
        add("level", &self.level.name().into());
        add("source", &self.source.into());
        add("event", &self.event.into());
        for (name, value) in self.fields.iter().filter(|(name, _)| !COMMON.contains(&name.as_str()))
        {
            add(name, value);
        }
        add("text", &self.text.as_str().into());
        line.push('}');
        line
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_empty() {
            return f.write_str(&self.text);
        }
        write!(f, "{}: {}", self.source, self.text)
    }
}
