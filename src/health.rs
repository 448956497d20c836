//! How the feed is, for threads other than the engine's: numbers in atomics, and a watch that puts
//! what a person must know of them into a line each.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use spindle_feed::stream::{Counters, LINES_MAX, LineCounters};

use crate::log::{Entry, Level};
use crate::status::{Feed, Line, LineState};

/// How often the feed's thread writes down how the feed is.
pub(crate) const STORE_NS: u64 = 1_000_000;

/// What one line has brought, for other threads.
#[derive(Debug, Default)]
struct LineHealth {
    packets: AtomicU64,
    first: AtomicU64,
    duplicates: AtomicU64,
    missed: AtomicU64,
    filled: AtomicU64,
    dropped: AtomicU64,
    last_ns: AtomicU64,
}

impl LineHealth {
    fn store(&self, counters: &LineCounters) {
        let dropped = counters.malformed + counters.other_session + counters.implausible;
        let filled = counters.filled + counters.filled_late;
        self.packets.store(counters.packets, Ordering::Relaxed);
        self.first.store(counters.first, Ordering::Relaxed);
        self.duplicates.store(counters.duplicates, Ordering::Relaxed);
        self.missed.store(counters.missed, Ordering::Relaxed);
        self.filled.store(filled, Ordering::Relaxed);
        self.dropped.store(dropped, Ordering::Relaxed);
        self.last_ns.store(counters.last_ns.map_or(0, |at| at.max(1)), Ordering::Relaxed);
    }
}

/// The feed's condition. One thread writes, any may read; each number stands for itself, so the
/// order in which they are seen means nothing.
#[derive(Debug, Default)]
pub struct FeedHealth {
    packets: AtomicU64,
    silent: AtomicBool,
    lost: AtomicU64,
    gaps: AtomicU64,
    lines: [LineHealth; LINES_MAX],
    requests_unanswered: AtomicU64,
    answers_useless: AtomicU64,
}

impl FeedHealth {
    /// Takes over what the stream has counted. Not for every packet: see [`STORE_NS`].
    pub(crate) fn store(&self, packets: u64, counters: &Counters) {
        self.packets.store(packets, Ordering::Relaxed);
        self.lost.store(counters.gaps.lost, Ordering::Relaxed);
        self.gaps.store(counters.gaps.gaps, Ordering::Relaxed);
        for (line, counters) in self.lines.iter().zip(&counters.lines) {
            line.store(counters);
        }
        self.requests_unanswered.store(counters.requests.timed_out, Ordering::Relaxed);
        self.answers_useless.store(counters.requests.useless, Ordering::Relaxed);
    }

    pub(crate) fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// How the feed is, with a line for each of these addresses; `now` is on the feed's clock, and a line
    /// that has brought nothing for longer than `silence_ns` is silent.
    pub fn status(&self, addresses: &[SocketAddr], now: u64, silence_ns: u64) -> Feed {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let line = |(address, line): (&SocketAddr, &LineHealth)| {
            let age = match load(&line.last_ns) {
                0 => None,
                at => Some(now.saturating_sub(at)),
            };
            Line {
                address: address.to_string(),
                state: match age {
                    None => LineState::Waiting,
                    Some(age) if age > silence_ns => LineState::Silent,
                    Some(_) => LineState::Live,
                },
                age_ms: age.map(|age| age / 1_000_000),
                packets: load(&line.packets),
                first: load(&line.first),
                duplicates: load(&line.duplicates),
                missed: load(&line.missed),
                filled: load(&line.filled),
                dropped: load(&line.dropped),
            }
        };
        Feed {
            packets: load(&self.packets),
            last_sequence: 0,
            lost: load(&self.lost),
            gaps: load(&self.gaps),
            requests_unanswered: load(&self.requests_unanswered),
            silent: self.silent.load(Ordering::Relaxed),
            lines: addresses.iter().zip(&self.lines).map(line).collect(),
        }
    }
}

/// How long nothing may come after the start before that is said.
const FIRST_PACKET: Duration = Duration::from_secs(3);

/// Unanswered requests that are not worth a line: answers are lost like any packet.
const UNANSWERED: u64 = 20;

/// Says what has changed since it last looked. Time comes from the caller.
#[derive(Debug)]
pub struct FeedWatch {
    health: Arc<FeedHealth>,
    addresses: String,
    said_nothing: bool,
    silent: bool,
    lost: u64,
    unanswered: u64,
    useless: u64,
    last: Option<Duration>,
}

impl FeedWatch {
    /// The least time between two lines on the same matter.
    pub const PAUSE: Duration = Duration::from_secs(1);

    /// A watch over a feed that listens at these addresses.
    pub fn new(health: Arc<FeedHealth>, addresses: String) -> Self {
        Self {
            health,
            addresses,
            said_nothing: false,
            silent: false,
            lost: 0,
            unanswered: 0,
            useless: 0,
            last: None,
        }
    }

    /// Tells each thing that is due, `since` the start.
    pub fn look(&mut self, since: Duration, mut tell: impl FnMut(FeedNotice)) {
        let health = &self.health;
        let packets = health.packets.load(Ordering::Relaxed);
        if packets == 0 && since >= FIRST_PACKET && !self.said_nothing {
            self.said_nothing = true;
            tell(FeedNotice::NothingCame { addresses: self.addresses.clone() });
        }
        let silent = health.silent.load(Ordering::Relaxed);
        if silent != self.silent {
            self.silent = silent;
            tell(if silent { FeedNotice::Silent } else { FeedNotice::Speaks });
        }
        if self.last.is_some_and(|last| since < last + Self::PAUSE) {
            return;
        }
        let mut said = false;
        let mut grew = |seen: &mut u64, now: u64, least: u64| {
            let by = now - *seen;
            if by < least {
                return None;
            }
            *seen = now;
            said = true;
            Some(by)
        };
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        if let Some(messages) = grew(&mut self.lost, load(&health.lost), 1) {
            tell(FeedNotice::Lost { messages });
        }
        let unanswered = load(&health.requests_unanswered);
        if let Some(requests) = grew(&mut self.unanswered, unanswered, UNANSWERED) {
            tell(FeedNotice::Unanswered { requests });
        }
        let useless = load(&health.answers_useless);
        if let Some(answers) = grew(&mut self.useless, useless, UNANSWERED) {
            tell(FeedNotice::Useless { answers });
        }
        if said {
            self.last = Some(since);
        }
    }
}

/// What a person must know of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedNotice {
    /// Nothing has come since the start.
    NothingCame {
        /// Where it listens.
        addresses: String,
    },
    /// It is silent.
    Silent,
    /// It speaks again.
    Speaks,
    /// Messages are lost.
    Lost {
        /// How many.
        messages: u64,
    },
    /// Request servers do not answer.
    Unanswered {
        /// How many requests.
        requests: u64,
    },
    /// Request servers answer what is of no use.
    Useless {
        /// How many answers.
        answers: u64,
    },
}

impl fmt::Display for FeedNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingCame { addresses } => write!(
                f,
                "nothing has come to {addresses} in {} s; check address, interface and source, and \
                 whether somebody sends",
                FIRST_PACKET.as_secs()
            ),
            Self::Silent => f.write_str(
                "silent, without even a heartbeat: every top of book is stale and no order is taken \
                 until it speaks again",
            ),
            Self::Speaks => f.write_str("speaks again"),
            Self::Lost { messages } => write!(
                f,
                "{messages} messages are lost: no line and no request server gave them; every book is \
                 stale until the next session"
            ),
            Self::Unanswered { requests } => write!(
                f,
                "request servers left {requests} requests unanswered; check their addresses and \
                 whether they serve this session"
            ),
            Self::Useless { answers } => write!(
                f,
                "{answers} answers of request servers were of no use: broken, of another session, or \
                 not what was asked for"
            ),
        }
    }
}

impl From<&FeedNotice> for Entry {
    fn from(notice: &FeedNotice) -> Self {
        let entry = |level, event| Self::new(level, "feed", event).text(notice.to_string());
        match notice {
            FeedNotice::NothingCame { addresses } => {
                entry(Level::Warn, "nothing_came").with("addresses", addresses.as_str())
            }
            FeedNotice::Silent => entry(Level::Error, "silent"),
            FeedNotice::Speaks => entry(Level::Info, "speaks"),
            FeedNotice::Lost { messages } => {
                entry(Level::Error, "lost").with("messages", *messages)
            }
            FeedNotice::Unanswered { requests } => {
                entry(Level::Warn, "requests_unanswered").with("requests", *requests)
            }
            FeedNotice::Useless { answers } => {
                entry(Level::Warn, "answers_useless").with("answers", *answers)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_must_know_is_said_once() {
        let health = Arc::new(FeedHealth::default());
        let mut watch = FeedWatch::new(Arc::clone(&health), "127.0.0.1:1".to_owned());
        let mut look = |millis: u64| {
            let mut lines = Vec::new();
            watch.look(Duration::from_millis(millis), |notice| lines.push(notice.to_string()));
            lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(look(2_999), [""; 0]);
        assert_eq!(look(3_000), ["nothing"]);
        assert_eq!(look(9_000), [""; 0]);
        let mut counters = Counters::default();
        counters.gaps.lost = 5;
        counters.requests.timed_out = 19;
        counters.requests.useless = 20;
        health.store(1, &counters);
        health.set_silent(true);
        assert_eq!(look(10_000), ["silent,", "5", "20"]);
        counters.gaps.lost = 7;
        counters.requests.timed_out = 20;
        health.store(2, &counters);
        health.set_silent(false);
        assert_eq!(look(10_999), ["speaks"], "not more than one line a second on a matter");
        assert_eq!(look(11_000), ["2", "request"]);
        assert_eq!(look(20_000), [""; 0]);
    }

    #[test]
    fn a_line_is_live_until_it_has_been_quiet_too_long() {
        let health = FeedHealth::default();
        let addresses: Vec<SocketAddr> =
            ["127.0.0.1:1", "127.0.0.1:2"].map(|text| text.parse().unwrap()).into();
        let states = |now| {
            let told = health.status(&addresses, now, 1_000);
            told.lines.iter().map(|line| line.state).collect::<Vec<_>>()
        };
        assert_eq!(states(5_000), [LineState::Waiting; 2]);
        let mut counters = Counters::default();
        counters.lines[1] = LineCounters {
            packets: 3,
            last_ns: Some(4_000),
            malformed: 1,
            ..LineCounters::default()
        };
        health.store(3, &counters);
        assert_eq!(states(5_000), [LineState::Waiting, LineState::Live]);
        assert_eq!(states(5_001), [LineState::Waiting, LineState::Silent]);
        let told = health.status(&addresses, 6_000_000, 1_000);
        assert_eq!((told.lines[1].packets, told.lines[1].dropped), (3, 1));
        assert_eq!(told.lines[1].age_ms, Some(5));
    }
}
