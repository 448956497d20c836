//! The load: requests go out when they are due, whether or not answers have come, and each latency
//! counts from when its request was due. Time and the venue come from the caller, so that a test can
//! put both in its place and know what must come out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::recorder::Recorder;

/// Requests that one turn sends at most, so that answers are taken in between also when many are due.
const SENDS_PER_TURN: usize = 4;

/// A clock.
pub trait Time {
    /// Nanoseconds from any beginning; never goes back.
    fn now(&mut self) -> u64;
}

/// Who is asked, over however many sessions.
pub trait Peer {
    /// Sends a request; false, and nothing is sent, while its socket takes nothing more.
    fn send(&mut self, request: usize) -> bool;

    /// Takes what has come and names each request that has its first answer. Never waits.
    fn poll(&mut self, answered: &mut impl FnMut(usize));

    /// Why nothing can be sent any more, if that is so.
    fn gone(&self) -> Option<String>;
}

/// What a round must keep to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// A request sent later than this after it was due was sent late.
    pub late_ns: u64,
    /// So many of a thousand requests may be sent late.
    pub late_per_mille: u64,
    /// A sender that is further behind than this gives up.
    pub give_up_ns: u64,
    /// How long the last answers are waited for.
    pub patience_ns: u64,
}

impl Default for Bounds {
    /// Ten of a thousand later than a millisecond; a second; two seconds.
    fn default() -> Self {
        const SECOND: u64 = 1_000_000_000;
        Self { late_ns: 1_000_000, late_per_mille: 10, give_up_ns: SECOND, patience_ns: 2 * SECOND }
    }
}

/// Why a round does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Void {
    /// The sender did not keep its schedule.
    Behind {
        /// Requests sent late.
        late: u64,
        /// Of so many.
        requests: u64,
        /// Later than this.
        late_ns: u64,
    },
    /// The sender was so far behind that it gave up.
    GaveUp {
        /// Requests that were sent.
        sent: u64,
        /// Of so many.
        requests: u64,
    },
    /// Requests without an answer.
    Unanswered {
        /// How many.
        requests: u64,
    },
    /// A session is over.
    Gone(String),
}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind { late, requests, late_ns } => write!(
                f,
                "the sender fell behind its schedule: {late} of {requests} requests left more than \
                 {} us late",
                late_ns / 1_000
            ),
            Self::GaveUp { sent, requests } => write!(
                f,
                "the sender fell hopelessly behind its schedule and gave up after {sent} of \
                 {requests} requests"
            ),
            Self::Unanswered { requests } => write!(f, "{requests} requests were never answered"),
            Self::Gone(why) => write!(f, "a session ended: {why}"),
        }
    }
}

/// What one round came to besides its latencies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Requests sent.
    pub sent: u64,
    /// From the begin to the last answer, in nanoseconds.
    pub elapsed_ns: u64,
    /// Why the round does not count; empty where it does.
    pub void: Vec<Void>,
}

/// Sends each request when it is due and records what comes back. `beside` is called once a turn, for
/// whatever shares this thread.
pub fn open_loop<T: Time, P: Peer>(
    time: &mut T,
    peer: &mut P,
    due: &[u64],
    bounds: &Bounds,
    recorder: &mut Recorder,
    beside: &mut impl FnMut(),
) -> Outcome {
    let begin = time.now();
    let (mut sent, mut late, mut quiet_since) = (0, 0, 0);
    let mut void = Vec::new();
    loop {
        for _ in 0..SENDS_PER_TURN {
            let Some(&at) = due.get(sent) else { break };
            let now = time.now() - begin;
            if now < at || !peer.send(sent) {
                break;
            }
            recorder.sent(now - at);
            late += u64::from(now - at > bounds.late_ns);
            (sent, quiet_since) = (sent + 1, now);
        }
        beside();
        peer.poll(&mut |request| {
            let now = time.now() - begin;
            if let Some(at) = due.get(request) {
                recorder.answered(request, now.saturating_sub(*at));
            }
        });
        let now = time.now() - begin;
        match due.get(sent) {
            None if recorder.count() == sent => break,
            None if now > quiet_since + bounds.patience_ns => break,
            Some(at) if now > at + bounds.give_up_ns => {
                void.push(Void::GaveUp { sent: sent as u64, requests: due.len() as u64 });
                break;
            }
            _ => {}
        }
        if let Some(why) = peer.gone() {
            void.push(Void::Gone(why));
            break;
        }
    }
    let (requests, answered) = (sent as u64, recorder.count() as u64);
    if late * 1_000 > requests * bounds.late_per_mille {
        void.push(Void::Behind { late, requests, late_ns: bounds.late_ns });
    }
    if answered < requests && void.is_empty() {
        void.push(Void::Unanswered { requests: requests - answered });
    }
    Outcome { sent: requests, elapsed_ns: time.now() - begin, void }
}

/// As fast as answers come: at most `window` requests under way, each timed from when it was sent.
/// For throughput; its latencies hide what a pause does to the requests that would have come in it.
pub fn closed_loop<T: Time, P: Peer>(
    time: &mut T,
    peer: &mut P,
    requests: usize,
    window: usize,
    patience_ns: u64,
    recorder: &mut Recorder,
    beside: &mut impl FnMut(),
) -> Outcome {
    let begin = time.now();
    let mut times = vec![0; requests];
    let (mut sent, mut last) = (0, begin);
    let mut void = Vec::new();
    while recorder.count() < requests {
        for _ in 0..SENDS_PER_TURN {
            if sent == requests || sent - recorder.count() >= window {
                break;
            }
            times[sent] = time.now();
            if !peer.send(sent) {
                break;
            }
            sent += 1;
        }
        beside();
        peer.poll(&mut |request| {
            last = time.now();
            if let Some(at) = times.get(request) {
                recorder.answered(request, last - at);
            }
        });
        if time.now() > last + patience_ns {
            void.push(Void::Unanswered { requests: (sent - recorder.count()) as u64 });
            break;
        }
        if let Some(why) = peer.gone() {
            void.push(Void::Gone(why));
            break;
        }
    }
    Outcome { sent: sent as u64, elapsed_ns: time.now() - begin, void }
}

/// The processor's counter as a clock.
#[derive(Clone, Debug)]
pub struct Ticks {
    clock: quanta::Clock,
    base: u64,
}

impl Ticks {
    /// Counting from now. The first in a process measures the counter's rate, which takes a part of
    /// a second.
    pub fn new() -> Self {
        let clock = quanta::Clock::new();
        let base = clock.raw();
        Self { clock, base }
    }
}

impl Default for Ticks {
    fn default() -> Self {
        Self::new()
    }
}

impl Time for Ticks {
    #[inline]
    fn now(&mut self) -> u64 {
        self.clock.delta_as_nanos(self.base, self.clock.raw())
    }
}
