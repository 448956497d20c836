//! How well a stream is, at a glance.

use super::{LINES_MAX, Life, Phase, Stream};

/// How well a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineStatus {
    /// The stream has no such line.
    NotConfigured,
    /// Nothing has come on any line yet.
    Waiting,
    /// Something came lately, or the session is over.
    Alive {
        /// How long ago, in nanoseconds.
        silence_ns: u64,
    },
    /// Nothing came for too long, though messages may still arrive by the other line.
    Silent {
        /// For how long, in nanoseconds; from the first datagram on any line where this one never
        /// had any.
        silence_ns: u64,
    },
}

/// How well a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStatus {
    /// Where it is.
    pub phase: Phase,
    /// Messages missing now.
    pub missing: u64,
    /// Messages that wait behind a gap.
    pub waiting: u64,
    /// How long ago a line last confirmed that everything sent so far was delivered, in
    /// nanoseconds; `None` before the first time. This is the age of every top of book: a market
    /// that is quiet has heartbeats, and is as good as new with each.
    pub age_ns: Option<u64>,
    /// The lines.
    pub lines: [LineStatus; LINES_MAX],
}

impl StreamStatus {
    /// Whether somebody should look: a configured line is silent.
    pub fn is_alarm(&self) -> bool {
        self.lines.iter().any(|line| matches!(line, LineStatus::Silent { .. }))
    }
}

impl Stream {
    /// How well the stream is at `now`, on the clock of the datagrams.
    pub fn status(&self, now: u64) -> StreamStatus {
        StreamStatus {
            phase: self.phase(),
            missing: self.missing(),
            waiting: self.waiting(),
            age_ns: self.age_ns(now),
            lines: std::array::from_fn(|line| self.line_status(line, now)),
        }
    }

    /// See [`StreamStatus::age_ns`].
    #[inline]
    pub fn age_ns(&self, now: u64) -> Option<u64> {
        self.confirmed.map(|confirmed| now.saturating_sub(confirmed))
    }

    fn line_status(&self, line: usize, now: u64) -> LineStatus {
        if line >= self.config.lines {
            return LineStatus::NotConfigured;
        }
        let Some(last) = self.counters.lines[line].last_ns.or(self.begun) else {
            return LineStatus::Waiting;
        };
        let silence_ns = now.saturating_sub(last);
        if silence_ns >= self.config.alarm_ns && self.life != Life::Ended {
            LineStatus::Silent { silence_ns }
        } else {
            LineStatus::Alive { silence_ns }
        }
    }
}
