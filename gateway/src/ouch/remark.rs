//! What the log says of a request that was refused or ignored before the engine saw it.

use std::fmt;

/// How a client names the order of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// OUCH 5.0: its number.
    Number(u32),
    /// OUCH 4.2: its token.
    Token([u8; 14]),
}

/// Bytes of a message that are shown.
const SHOWN: usize = 24;

/// A request that was refused or ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remark {
    name: Name,
    /// What is wrong with it, or not offered.
    what: &'static str,
    observed: u64,
    /// The begin of the message, and its length.
    head: [u8; SHOWN],
    length: usize,
}

impl Remark {
    /// Of the request with this name, which asked for something that is not taken.
    pub(crate) const fn new(name: Name, what: &'static str, observed: u64) -> Self {
        Self { name, what, observed, head: [0; SHOWN], length: 0 }
    }

    /// Keeps the begin of the message.
    pub(crate) fn of(&mut self, message: &[u8]) {
        let shown = message.len().min(SHOWN);
        self.head[..shown].copy_from_slice(&message[..shown]);
        self.length = message.len();
    }

    /// What is wrong with it, or not offered.
    pub const fn what(&self) -> &'static str {
        self.what
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Name::Number(number) => write!(f, "request {number}")?,
            Name::Token(token) => write!(f, "request {}", token.trim_ascii().escape_ascii())?,
        }
        write!(f, ": {} {} is not taken; {} bytes:", self.what, self.observed, self.length)?;
        let shown = self.length.min(SHOWN);
        self.head[..shown].iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
        if shown < self.length { f.write_str(" ...") } else { Ok(()) }
    }
}
