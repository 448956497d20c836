//! How a strategy says that it waits, and how it is told that its turn has come: texts of debug
//! packets.

use std::fmt::Write as _;

use spindle_types::{EventTime, Symbol};
use thiserror::Error;

/// Symbols of one wait at most.
pub const SYMBOLS_MAX: usize = 32;

/// What a strategy waits for, besides events of its own orders, which always end a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Until this time of the tape; `None` for ever.
    pub until: Option<EventTime>,
    /// Until one of these messages of the tape.
    pub messages: Messages,
}

/// Which messages of the tape end a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one for each session")]
pub enum Messages {
    /// None.
    None,
    /// The next, whatever it is.
    Any,
    /// The next of one of these instruments.
    Of(Symbols),
}

/// A few symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbols {
    symbols: [Symbol; SYMBOLS_MAX],
    count: usize,
}

impl Symbols {
    /// These symbols, as far as there is room.
    pub fn new(symbols: &[Symbol]) -> Self {
        let mut all = [Symbol::BLANK; SYMBOLS_MAX];
        let count = symbols.len().min(SYMBOLS_MAX);
        all[..count].copy_from_slice(&symbols[..count]);
        Self { symbols: all, count }
    }

    /// The symbols.
    pub fn as_slice(&self) -> &[Symbol] {
        &self.symbols[..self.count]
    }
}

/// Why a text is no wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WaitError {
    /// Not of this form.
    #[error("no wait; say 'wait', 'wait until NS', 'wait message' or 'wait message SYMBOL ...'")]
    Form,
    /// A number that is none.
    #[error("a wait until no number; say 'wait until 34200000000000': nanoseconds since midnight")]
    Time,
    /// A symbol that is none.
    #[error("a wait for no symbol; 1 to 8 printable characters are")]
    Symbol,
    /// Too many symbols.
    #[error("a wait for more than {SYMBOLS_MAX} symbols; leave them out to wait for any message")]
    Symbols,
}

impl Wait {
    /// For events of its own orders alone.
    pub const EVENT: Self = Self { until: None, messages: Messages::None };

    /// For the next message of the tape.
    pub const MESSAGE: Self = Self { until: None, messages: Messages::Any };

    /// Until a time of the tape.
    pub const fn until(time: EventTime) -> Self {
        Self { until: Some(time), messages: Messages::None }
    }

    /// For the next message of the tape about one of these symbols; of more than [`SYMBOLS_MAX`] the
    /// first.
    pub fn message_of(symbols: &[Symbol]) -> Self {
        Self { until: None, messages: Messages::Of(Symbols::new(symbols)) }
    }

    /// The same wait, but no longer than until a time.
    #[must_use]
    pub const fn or_until(self, time: EventTime) -> Self {
        Self { until: Some(time), ..self }
    }

    /// Reads `wait [until NS] [message [SYMBOL ...]]`.
    ///
    /// # Errors
    /// See [`WaitError`].
    pub fn parse(text: &[u8]) -> Result<Self, WaitError> {
        let text = std::str::from_utf8(text).map_err(|_| WaitError::Form)?;
        let mut words = text.split_ascii_whitespace().peekable();
        if words.next() != Some("wait") {
            return Err(WaitError::Form);
        }
        let mut wait = Self::EVENT;
        if words.next_if_eq(&"until").is_some() {
            let time = words.next().and_then(|word| word.parse().ok()).ok_or(WaitError::Time)?;
            wait.until = Some(EventTime(time));
        }
        if words.next_if_eq(&"message").is_some() {
            let mut symbols = [Symbol::BLANK; SYMBOLS_MAX];
            let mut count = 0;
            for word in words.by_ref() {
                let place = symbols.get_mut(count).ok_or(WaitError::Symbols)?;
                *place = word.parse().map_err(|_| WaitError::Symbol)?;
                count += 1;
            }
            wait.messages = match count {
                0 => Messages::Any,
                _ => Messages::Of(Symbols { symbols, count }),
            };
        }
        if words.next().is_some() { Err(WaitError::Form) } else { Ok(wait) }
    }

    /// The text that [`Wait::parse`] reads.
    pub fn text(&self) -> String {
        let mut text = "wait".to_owned();
        if let Some(until) = self.until {
            let _ = write!(text, " until {}", until.0);
        }
        match &self.messages {
            Messages::None => {}
            Messages::Any => text.push_str(" message"),
            Messages::Of(symbols) => {
                text.push_str(" message");
                for symbol in symbols.as_slice() {
                    let _ = write!(text, " {symbol}");
                }
            }
        }
        text
    }
}

/// A strategy's turn: the time of the tape, and the number of the last message before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The time.
    pub time: EventTime,
    /// Messages of the tape so far: each was sent before this.
    pub messages: u64,
}

impl Turn {
    /// Reads `at NS MESSAGES`; `None` where it is something else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
        if words.next() != Some("at") {
            return None;
        }
        let time = EventTime(words.next()?.parse().ok()?);
        let messages = words.next()?.parse().ok()?;
        words.next().is_none().then_some(Self { time, messages })
    }

    /// The text that [`Turn::parse`] reads; at most 44 bytes.
    pub fn text(&self) -> String {
        format!("at {} {}", self.time.0, self.messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_they_are_written() {
        let symbols = ["AAPL".parse().expect("a symbol"), "MSFT".parse().expect("a symbol")];
        let time = EventTime(34_200_000_000_000);
        let table = [
            ("wait", Wait::EVENT),
            ("wait until 34200000000000", Wait::until(time)),
            ("wait message", Wait::MESSAGE),
            ("wait message AAPL MSFT", Wait::message_of(&symbols)),
            ("wait until 34200000000000 message", Wait::MESSAGE.or_until(time)),
        ];
        for (text, wait) in table {
            assert_eq!(Wait::parse(text.as_bytes()), Ok(wait), "{text}");
            assert_eq!(wait.text(), text);
        }
        assert_eq!(Wait::parse(b"  wait  message\n"), Ok(Wait::MESSAGE));
    }

    #[test]
    fn what_is_no_wait_says_what_would_be() {
        let long = format!("wait message{}", " A".repeat(SYMBOLS_MAX + 1));
        let table: [(&[u8], WaitError); 8] = [
            (b"", WaitError::Form),
            (b"hello", WaitError::Form),
            (b"wait a moment", WaitError::Form),
            (b"\xff", WaitError::Form),
            (b"wait until", WaitError::Time),
            (b"wait until -1", WaitError::Time),
            (b"wait message NINECHARS", WaitError::Symbol),
            (long.as_bytes(), WaitError::Symbols),
        ];
        for (text, error) in table {
            assert_eq!(Wait::parse(text), Err(error));
            assert!(error.to_string().len() < 120);
        }
    }

    #[test]
    fn turns_are_read_as_they_are_written() {
        let turn = Turn { time: EventTime(u64::MAX), messages: u64::MAX };
        assert_eq!(Turn::parse(turn.text().as_bytes()), Some(turn));
        assert!(turn.text().len() <= 44);
        for text in ["", "at", "at 1", "at 1 x", "at 1 2 3", "hello 1 2"] {
            assert_eq!(Turn::parse(text.as_bytes()), None, "{text}");
        }
    }
}
