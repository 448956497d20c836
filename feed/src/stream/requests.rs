//! Which messages are asked for, of whom, and when again.

use super::config::RequestLimits;

const NANOSECONDS: u64 = 1_000_000_000;

/// One request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// First message that is still missing.
    pub(super) first: u64,
    /// One past the last that was asked for.
    pub(super) end: u64,
    /// Which server has it.
    server: usize,
    /// How often it was sent without any answer.
    attempts: u32,
    /// When it is to be sent again or given up; 0 while it was not sent at all.
    deadline: u64,
}

/// A request to be sent: `count` messages from `first` on, of `server`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) server: usize,
    pub(super) first: u64,
    pub(super) count: u16,
}

/// The requests that wait, and the pace at which they go out.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    limits: RequestLimits,
    waiting: Vec<Request>,
    /// The server that is asked next: the last one that did not let a request time out.
    server: usize,
    /// Everything missing below this number is in `waiting`.
    pub(super) asked_until: u64,
    /// When the pace is even with the requests already sent.
    paced_until: u64,
    /// When a server last brought something that was missing.
    pub(super) progress: u64,
}

impl Requests {
    pub(super) fn new(limits: RequestLimits) -> Self {
        Self {
            limits,
            waiting: Vec::with_capacity(limits.outstanding),
            server: 0,
            asked_until: 0,
            paced_until: 0,
            progress: 0,
        }
    }

    /// Forgets what was asked for: nothing is missing any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.asked_until = 0;
    }

    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < self.limits.outstanding
    }

    pub(super) fn limits(&self) -> &RequestLimits {
        &self.limits
    }

    /// Adds a request for messages that nobody has asked for yet. There must be room.
    pub(super) fn add(&mut self, first: u64, end: u64) {
        debug_assert!(self.has_room() && first < end);
        self.waiting.push(Request { first, end, server: self.server, attempts: 0, deadline: 0 });
        self.asked_until = end;
    }

    /// Drops what is no longer missing from the front of each request. After an answer the rest of
    /// its request is due soon: the answer may have been cut short, or have a second packet.
    pub(super) fn shrink(&mut self, now: u64, by_answer: bool, missing: impl Fn(u64) -> bool) {
        let pause = self.limits.timeout_ns / 8;
        self.waiting.retain_mut(|request| {
            let before = request.first;
            while request.first < request.end && !missing(request.first) {
                request.first += 1;
            }
            if by_answer && request.first != before {
                request.attempts = 0;
                request.deadline = request.deadline.min(now.saturating_add(pause));
            }
            request.first < request.end
        });
    }

    /// Takes out one request that went unanswered too often.
    pub(super) fn take_failed(&mut self, now: u64) -> Option<Request> {
        let attempts = self.limits.attempts;
        let failed = |request: &Request| request.attempts >= attempts && request.deadline <= now;
        let index = self.waiting.iter().position(failed)?;
        Some(self.waiting.swap_remove(index))
    }

    /// Whether the pace allows a request now.
    fn may_send(&self, now: u64) -> bool {
        let burst = self.limits.outstanding as u64 * self.interval();
        self.paced_until <= now.saturating_add(burst)
    }

    fn interval(&self) -> u64 {
        NANOSECONDS / u64::from(self.limits.per_second)
    }

    /// The next request that is due, if the pace allows one. `timed_out` hears of each that is
    /// repeated because no answer came.
    pub(super) fn next_due(&mut self, now: u64, mut timed_out: impl FnMut()) -> Option<Ask> {
        if !self.may_send(now) {
            return None;
        }
        let (servers, attempts) = (self.limits.servers, self.limits.attempts);
        let due = |request: &&mut Request| request.deadline <= now && request.attempts < attempts;
        let request = self.waiting.iter_mut().find(due)?;
        if request.attempts > 0 {
            timed_out();
            if request.server == self.server {
                self.server = (self.server + 1) % servers;
            }
            request.server = self.server;
        }
        request.attempts += 1;
        request.deadline = now.saturating_add(self.limits.timeout_ns).max(1);
        let count = u16::try_from(request.end - request.first).unwrap_or(self.limits.messages);
        let ask = Ask { server: request.server, first: request.first, count };
        self.paced_until = self.paced_until.max(now).saturating_add(self.interval());
        Some(ask)
    }
}
