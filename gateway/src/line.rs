//! One client's connection without its socket: packets taken out of received bytes, requests
//! passed on, bytes to send. The gateway puts a socket around it, a test or a simulator its own
//! bytes and times.

use crate::desk::Desk;
use crate::notice::UserName;
use crate::soup::buffer::ReceiveBuffer;
use crate::soup::codec::{LoginRequest, split};
use crate::soup::login::Refusal;
use crate::soup::server::{CloseCause, Inbound, Link, Timing};
use crate::soup::stream::Stream;

/// What a login on a line came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// It is accepted.
    LoggedIn {
        /// Who.
        user: UserName,
        /// The number from which the stream goes on.
        sequence: u64,
        /// The number of the next new message.
        next_sequence: u64,
    },
    /// It is refused.
    Refused {
        /// What the client called itself.
        user: UserName,
        /// Why.
        refusal: Refusal,
    },
}

/// One client's connection.
#[derive(Debug)]
pub struct Line {
    link: Link,
    input: ReceiveBuffer,
    user: Option<usize>,
    /// When the bytes in `input` were read, in raw ticks.
    received: u64,
    /// Whether `input` may hold whole packets: taking them stopped before the end.
    stopped: bool,
    outcome: Option<LoginOutcome>,
}

impl Line {
    /// A connection that has just been opened.
    pub fn new(timing: Timing, desk: &Desk, now: u64) -> Self {
        Self {
            link: Link::new(timing, now),
            input: ReceiveBuffer::new(desk.limits().read_bytes_max),
            user: None,
            received: 0,
            stopped: false,
            outcome: None,
        }
    }

    /// The name of the user who is logged in.
    pub fn user(&self, desk: &Desk) -> Option<UserName> {
        self.user.map(|user| desk.user_name(user))
    }

    /// Whether a user is logged in.
    pub const fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// Whether nothing more is to be read: the last bytes are leaving.
    pub const fn is_closing(&self) -> bool {
        self.link.is_closing()
    }

    /// Whether packets were left behind: take them before reading more.
    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Where the next bytes go. Never empty while the line is not stopped.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        self.input.space()
    }

    /// `count` bytes were read into [`Line::space`], at `stamp` in raw ticks.
    #[inline]
    pub fn commit(&mut self, count: usize, stamp: u64) {
        self.input.commit(count);
        self.received = stamp;
    }

    /// Forgets what was received, when nothing of it matters any more.
    pub fn discard(&mut self) {
        self.input.clear();
    }

    /// Takes packets and deals with them; to be called at each turn while the line is stopped, so
    /// that the client is not taken for silent. It goes on until there is no whole one left, the ring to the engine
    /// is full, a request has to wait for the engine, or the line has had its share of this turn.
    /// Gives how many.
    ///
    /// # Errors
    /// The cause for which the connection is to be closed now. What was passed on before stays.
    #[inline]
    pub fn take_packets(&mut self, desk: &mut Desk, now: u64) -> Result<usize, CloseCause> {
        let taken = self.take_share(desk, now);
        if let Some(user) = self.user {
            desk.set_behind(user, self.stopped);
        }
        taken
    }

    #[inline]
    fn take_share(&mut self, desk: &mut Desk, now: u64) -> Result<usize, CloseCause> {
        if self.stopped {
            // It was the venue that did not read, so the client was not silent.
            self.link.excuse(now);
            self.stopped = false;
        }
        if self.user.is_some_and(|user| desk.is_waiting(user)) {
            self.stopped = true;
            return Ok(0);
        }
        for taken in 0..desk.limits().requests_max {
            if !desk.takes_requests() {
                desk.count_ring_full();
                self.stopped = true;
                return Ok(taken);
            }
            if !self.take_packet(desk, now)? {
                return Ok(taken);
            }
        }
        self.stopped = true;
        Ok(desk.limits().requests_max)
    }

    #[inline]
    fn take_packet(&mut self, desk: &mut Desk, now: u64) -> Result<bool, CloseCause> {
        if self.link.is_closing() {
            self.input.clear();
            return Ok(false);
        }
        let packet = split(self.input.filled(), desk.limits().packet_length_max);
        let Some((packet, length)) = packet.map_err(CloseCause::Frame)? else {
            return Ok(false);
        };
        match self.link.receive(packet, now)? {
            Inbound::Message(message) => {
                if let Some(user) = self.user
                    && !desk.request(user, message, self.received)?
                {
                    self.stopped = true;
                    return Ok(false);
                }
            }
            Inbound::Login(request) => {
                let request = *request;
                if !self.login(desk, &request, now) {
                    self.stopped = true;
                    return Ok(false);
                }
            }
            Inbound::Debug(text) => {
                let begins = match self.user {
                    Some(user) => desk.debug(user, text)?,
                    None => false,
                };
                self.input.consume(length);
                self.stopped |= begins;
                return Ok(!begins);
            }
            Inbound::Nothing => {}
        }
        self.input.consume(length);
        Ok(true)
    }

    /// Whether the login is decided; otherwise it waits.
    #[cold]
    fn login(&mut self, desk: &mut Desk, request: &LoginRequest, now: u64) -> bool {
        let Some(decision) = desk.login(request) else {
            return false;
        };
        self.outcome = Some(match decision {
            Ok((user, sequence)) => {
                self.user = Some(user);
                let stream = desk.stream(user);
                self.link.accept(desk.session_name(), sequence, stream, now);
                let next_sequence = stream.next_sequence();
                LoginOutcome::LoggedIn { user: desk.user_name(user), sequence, next_sequence }
            }
            Err(refusal) => {
                self.link.refuse(refusal, now);
                LoginOutcome::Refused { user: UserName(request.username), refusal }
            }
        });
        true
    }

    /// The place of its user in the configuration.
    pub(crate) const fn user_index(&self) -> Option<usize> {
        self.user
    }

    /// Sends a debug packet; false, and nothing is sent, while other bytes wait.
    pub(crate) fn say(&mut self, desk: &Desk, text: &[u8]) -> bool {
        self.link.say(stream(self.user, desk), text)
    }

    /// What a login came to, once.
    pub const fn take_login_outcome(&mut self) -> Option<LoginOutcome> {
        self.outcome.take()
    }

    /// The bytes to send next, as far as they are in one piece; empty when there are none.
    #[inline]
    pub fn output<'a>(&'a self, desk: &'a Desk) -> &'a [u8] {
        self.link.output(stream(self.user, desk))
    }

    /// The first `count` bytes of [`Line::output`] were sent; at least one.
    #[inline]
    pub fn written(&mut self, desk: &mut Desk, count: usize, now: u64) {
        self.link.written(stream(self.user, desk), count, now);
        if let Some(user) = self.user {
            desk.sent(user, self.link.position());
        }
    }

    /// Lets time pass: once a turn, after reading and writing.
    ///
    /// # Errors
    /// The cause for which the connection is to be closed now.
    #[inline]
    pub fn tick(&mut self, desk: &Desk, now: u64) -> Result<(), CloseCause> {
        self.link.tick(stream(self.user, desk), desk.limits().backlog_bytes_max, now)
    }

    /// Ends the session: the rest of the stream goes out, then the end.
    pub fn end(&mut self, now: u64) {
        self.link.end(now);
    }

    /// The connection is gone: its user can log in again.
    pub fn leave(&mut self, desk: &mut Desk) {
        if let Some(user) = self.user.take() {
            desk.disconnected(user);
        }
    }
}

#[inline]
fn stream(user: Option<usize>, desk: &Desk) -> &Stream {
    user.map_or(Stream::NOTHING, |user| desk.stream(user))
}
