//! How the feed is, for threads other than the engine's: numbers in atomics, and a watch that puts
//! what a person must know of them into a line each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use spindle_feed::stream::Counters;

/// The feed's condition. One thread writes, any may read; each number stands for itself, so the
/// order in which they are seen means nothing.
#[derive(Debug, Default)]
pub struct FeedHealth {
    packets: AtomicU64,
    silent: AtomicBool,
    lost: AtomicU64,
    requests_unanswered: AtomicU64,
    answers_useless: AtomicU64,
}

impl FeedHealth {
    /// Takes over what the stream has counted.
    #[inline]
    pub(crate) fn store(&self, packets: u64, counters: &Counters) {
        self.packets.store(packets, Ordering::Relaxed);
        self.lost.store(counters.gaps.lost, Ordering::Relaxed);
        self.requests_unanswered.store(counters.requests.timed_out, Ordering::Relaxed);
        self.answers_useless.store(counters.requests.useless, Ordering::Relaxed);
    }

    pub(crate) fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
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

    /// Tells each line that is due, `since` the start.
    pub fn look(&mut self, since: Duration, mut tell: impl FnMut(String)) {
        let health = &self.health;
        let packets = health.packets.load(Ordering::Relaxed);
        if packets == 0 && since >= FIRST_PACKET && !self.said_nothing {
            self.said_nothing = true;
            tell(format!(
                "nothing has come to {} in {} s; check address, interface and source, and whether \
                 somebody sends",
                self.addresses,
                FIRST_PACKET.as_secs()
            ));
        }
        let silent = health.silent.load(Ordering::Relaxed);
        if silent != self.silent {
            self.silent = silent;
            tell(match silent {
                true => {
                    "silent, without even a heartbeat: every top of book is stale and no order \
                         is taken until it speaks again"
                        .to_owned()
                }
                false => "speaks again".to_owned(),
            });
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
        if let Some(lost) = grew(&mut self.lost, load(&health.lost), 1) {
            tell(format!(
                "{lost} messages are lost: no line and no request server gave them; every book is \
                 stale until the next session"
            ));
        }
        let unanswered = load(&health.requests_unanswered);
        if let Some(count) = grew(&mut self.unanswered, unanswered, UNANSWERED) {
            tell(format!(
                "request servers left {count} requests unanswered; check their addresses and \
                 whether they serve this session"
            ));
        }
        let useless = load(&health.answers_useless);
        if let Some(count) = grew(&mut self.useless, useless, UNANSWERED) {
            tell(format!(
                "{count} answers of request servers were of no use: broken, of another session, \
                 or not what was asked for"
            ));
        }
        if said {
            self.last = Some(since);
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
            watch.look(Duration::from_millis(millis), |line| lines.push(line));
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
}
