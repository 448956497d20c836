//! One client's connection: bytes between what carries it and its line.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use spindle_types::SessionId;

use crate::close::CloseCause;
use crate::desk::Desk;
use crate::line::{Line, LoginOutcome};
use crate::notice::GatewayNotice;
use crate::soup::server::Timing;
use crate::wire::Carrier;

/// Writes to one connection in one turn at most: control bytes, then two chunks of the stream.
const WRITES_MAX: usize = 3;

/// Bytes written to one connection in one turn at most, so that a burst of one leaves the others their turn.
const TURN_BYTES_MAX: usize = 16 * 1_024;

/// What waits for a member above this is no burst: it is served aside until it has left.
const BURST_BYTES_MAX: usize = 256 * 1_024;

/// Whoever sent something in the last so many turns, about a millisecond, was heard lately.
const LATELY_TURNS: u64 = 1_024;

/// Requests taken from a connection that is served aside in one slice at most.
const ASIDE_REQUESTS_MAX: usize = 4;

/// A connection of the gateway.
pub(crate) struct Connection {
    carrier: Carrier,
    peer: SocketAddr,
    line: Line,
    /// Why nothing can be written any more. What was received is still dealt with.
    broken: Option<CloseCause>,
    state: State,
    /// Whether the last write left something behind because the other side does not take it.
    blocked: bool,
    /// Whether it is served in slices: see [`Pace`](crate::pace::Pace).
    aside: bool,
    /// The turn in which something came from it last.
    heard: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Everything is written and the sending side closed; what still comes is thrown away, because
    /// a socket closed over unread bytes takes back what was written last.
    Draining {
        until: u64,
    },
    Closed,
}

impl Connection {
    /// Takes over what was just accepted. It must not block.
    pub(crate) fn new(carrier: Carrier, peer: SocketAddr, mut line: Line) -> Self {
        line.comes_from(peer.ip());
        let (broken, state, blocked, aside, heard) = (None, State::Open, false, false, 0);
        Self { carrier, peer, line, broken, state, blocked, aside, heard }
    }

    /// Where it comes from.
    pub(crate) const fn address(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Whether a user is logged in on it.
    pub(crate) fn has_user(&self) -> bool {
        self.line.has_user()
    }

    /// Whether it is a session that is served aside: it does not read, catches up with what it missed, or causes work
    /// that is no trading.
    #[inline]
    pub(crate) const fn is_aside(&self) -> bool {
        self.aside
    }

    /// Whether something came from it in one of the last turns, or is left to be taken.
    #[inline]
    pub(crate) const fn was_heard_lately(&self, desk: &Desk) -> bool {
        self.line.is_stopped() || desk.port.turn - self.heard < LATELY_TURNS
    }

    /// The session that is logged in on it, and the bytes that wait for the client to read them.
    pub(crate) fn standing(&self, desk: &Desk) -> Option<(SessionId, u64)> {
        self.line.standing(desk)
    }

    /// The line behind the socket.
    pub(crate) const fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    /// Whether everything that is to be sent has left, or nothing more can leave.
    pub(crate) fn is_flushed(&self, desk: &Desk) -> bool {
        let empty = self.line.output(desk).is_empty() && !self.carrier.waits();
        self.state != State::Open || self.broken.is_some() || empty
    }

    /// Whether nothing more comes from it.
    pub(crate) fn is_over(&self) -> bool {
        self.state != State::Open || self.broken.is_some()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Ends the session: the rest of the stream goes out, then the end.
    pub(crate) fn end(&mut self, desk: &mut Desk, now: u64) {
        self.line.end(desk, now);
    }

    /// Closes at once.
    pub(crate) fn cut(&mut self, desk: &mut Desk, cause: CloseCause) {
        if self.state == State::Open {
            self.leave(desk, cause);
        }
        self.state = State::Closed;
    }

    fn leave(&mut self, desk: &mut Desk, cause: CloseCause) {
        let user = self.line.user(desk);
        self.line.leave(desk);
        if matches!(cause, CloseCause::SlowConsumer { .. } | CloseCause::Stalled { .. }) {
            desk.count_slow_consumer();
        }
        if !matches!(cause, CloseCause::Refused(_)) {
            desk.notice(GatewayNotice::Closed { user, peer: self.peer, cause });
        }
    }

    /// Writes what waits, as far as the socket takes it. Gives how many writes were done.
    #[inline]
    pub(crate) fn flush(&mut self, desk: &mut Desk, now: u64) -> usize {
        if self.state != State::Open || self.broken.is_some() {
            return 0;
        }
        self.blocked = false;
        if self.carrier.waits()
            && let Err(error) = self.carrier.push()
        {
            if !is_for_now(error.kind()) {
                self.broken = Some(CloseCause::Socket(error.kind()));
            }
            self.blocked = true;
            return 0;
        }
        let mut left = TURN_BYTES_MAX;
        for writes in 0..WRITES_MAX {
            let output = self.line.output(desk);
            if output.is_empty() || left == 0 || self.broken.is_some() {
                return writes;
            }
            let wanted = output.len().min(left);
            match self.carrier.write(&output[..wanted]) {
                Ok(count) if count > 0 => {
                    self.line.written(desk, count, now);
                    left -= count;
                    if count < wanted {
                        self.blocked = true;
                        return writes + 1;
                    }
                }
                Err(error) if is_for_now(error.kind()) => {
                    self.blocked = true;
                    return writes;
                }
                Ok(_) => self.broken = Some(CloseCause::Socket(ErrorKind::WriteZero)),
                Err(error) => self.broken = Some(CloseCause::Socket(error.kind())),
            }
        }
        WRITES_MAX
    }

    /// Serves it in a slice: writes, reads, lets time pass. Gives how much was done.
    pub(crate) fn serve_aside(&mut self, desk: &mut Desk, timing: &Timing, now: u64) -> usize {
        let work = self.flush(desk, now) + self.read_some(desk, ASIDE_REQUESTS_MAX, now);
        self.tick(desk, timing, now);
        self.settle(desk);
        self.line.set_aside(desk, self.aside);
        work
    }

    /// Lets time pass for a member, unless it is served aside.
    #[inline]
    pub(crate) fn tick_member(&mut self, desk: &mut Desk, timing: &Timing, now: u64) {
        if self.aside {
            return;
        }
        self.tick(desk, timing, now);
        self.settle(desk);
    }

    /// Decides how it is served from here on.
    #[inline]
    fn settle(&mut self, desk: &mut Desk) {
        let much = self.line.output(desk).len() > BURST_BYTES_MAX;
        let aside = self.blocked || much || self.line.is_aside(desk);
        if aside != self.aside {
            self.aside = aside;
            self.line.set_aside(desk, aside);
        }
    }

    /// Reads once and deals with what came. Gives how many packets were dealt with.
    #[inline]
    pub(crate) fn read(&mut self, desk: &mut Desk, now: u64) -> usize {
        self.read_some(desk, desk.limits().requests_max, now)
    }

    #[inline]
    fn read_some(&mut self, desk: &mut Desk, requests_max: usize, now: u64) -> usize {
        if self.state != State::Open || self.line.is_closing(desk) {
            self.read_end(desk, now);
            return 0;
        }
        let mut packets = 0;
        if self.line.is_stopped() {
            packets = self.take_packets(desk, requests_max, now);
        }
        let more =
            self.state == State::Open && !self.line.is_stopped() && !self.line.is_closing(desk);
        if more && self.fill(desk) {
            packets += self.take_packets(desk, requests_max, now);
        }
        if let Some(cause) = self.broken
            && !self.line.is_stopped()
        {
            self.cut(desk, cause);
        }
        packets
    }

    /// Reads once from the socket; whether something came.
    #[inline]
    fn fill(&mut self, desk: &mut Desk) -> bool {
        match self.carrier.read(self.line.space()) {
            Ok(0) => self.cut(desk, CloseCause::PeerClosed),
            Ok(count) => {
                self.heard = desk.port.turn;
                self.line.commit(count, desk.stamp());
                return true;
            }
            Err(error) if is_for_now(error.kind()) => {}
            Err(error) => self.cut(desk, CloseCause::Socket(error.kind())),
        }
        false
    }

    #[inline]
    fn take_packets(&mut self, desk: &mut Desk, requests_max: usize, now: u64) -> usize {
        let taken = self.line.take_some(desk, requests_max, now);
        if let Some(outcome) = self.line.take_login_outcome() {
            desk.notice(login_notice(outcome, self.peer));
        }
        taken.unwrap_or_else(|cause| {
            self.cut(desk, cause);
            1
        })
    }

    /// What is left of reading once the last bytes are leaving: it reads once and throws away what
    /// came, until the client has closed too or has had its time.
    pub(crate) fn read_end(&mut self, desk: &mut Desk, now: u64) {
        let late = match self.state {
            State::Open if self.line.is_closing(desk) => false,
            State::Draining { until } => now >= until,
            State::Open | State::Closed => return,
        };
        self.line.discard();
        // What is encrypted and has not left yet leaves while the client is waited for.
        let _ = self.carrier.push();
        let gone = match self.carrier.read(self.line.space()) {
            Ok(count) => count == 0,
            Err(error) => !is_for_now(error.kind()),
        };
        if gone || late {
            self.cut(desk, CloseCause::PeerClosed);
        }
    }

    /// Lets time pass.
    #[inline]
    pub(crate) fn tick(&mut self, desk: &mut Desk, timing: &Timing, now: u64) {
        if self.state != State::Open {
            return;
        }
        let Err(cause) = self.line.tick(desk, now) else {
            return;
        };
        if cause.is_orderly() && self.carrier.end().is_ok() {
            self.leave(desk, cause);
            self.state = State::Draining { until: now.saturating_add(timing.linger_ns) };
        } else {
            self.cut(desk, cause);
        }
    }
}

const fn is_for_now(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

const fn login_notice(outcome: LoginOutcome, peer: SocketAddr) -> GatewayNotice {
    match outcome {
        LoginOutcome::LoggedIn { user, sequence, next_sequence } => {
            GatewayNotice::LoggedIn { user, peer, sequence, next_sequence }
        }
        LoginOutcome::Refused { user, refusal } => GatewayNotice::Refused { user, peer, refusal },
    }
}
