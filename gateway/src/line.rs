//! One client's connection without its socket: messages taken out of received bytes, requests
//! passed on, bytes to send. The gateway puts a socket around it, a test or a simulator its own
//! bytes and times. It is the same for every protocol; see [`Line::new`] and [`Line::fix`].

use std::net::IpAddr;

use spindle_types::SessionId;

use crate::close::CloseCause;
use crate::desk::Desk;
use crate::fix::talk::FixTalk;
use crate::notice::UserName;
use crate::ouch::talk::OuchTalk;
use crate::protocol::{ALWAYS, Taken, Talk};
use crate::soup::buffer::ReceiveBuffer;
use crate::soup::login::Refusal;
use crate::soup::server::Timing;

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
    input: ReceiveBuffer,
    /// When the bytes in `input` were read, in raw ticks.
    received: u64,
    /// Whether `input` may hold whole messages: taking them stopped before the end.
    stopped: bool,
    talk: AnyTalk,
}

#[derive(Debug)]
enum AnyTalk {
    Ouch(OuchTalk),
    Fix(FixTalk),
}

/// Asks the protocol at hand.
macro_rules! talk {
    ($line:expr, $talk:ident => $ask:expr) => {
        match $line {
            AnyTalk::Ouch($talk) => $ask,
            AnyTalk::Fix($talk) => $ask,
        }
    };
}

impl Line {
    /// A connection for OUCH that has just been opened.
    pub fn new(timing: Timing, desk: &Desk, now: u64) -> Self {
        let talk = AnyTalk::Ouch(OuchTalk::new(timing, now));
        Self::with(talk, desk.limits().read_bytes_max)
    }

    /// A connection for FIX that has just been opened.
    pub fn fix(timing: Timing, desk: &Desk, now: u64) -> Self {
        let talk = AnyTalk::Fix(FixTalk::new(timing, now));
        Self::with(talk, desk.limits().read_bytes_max.max(desk.fix.block_max()))
    }

    fn with(talk: AnyTalk, input_bytes: usize) -> Self {
        Self { input: ReceiveBuffer::new(input_bytes), received: 0, stopped: false, talk }
    }

    /// Says where the client is, for sessions that may not come from everywhere. Who is nowhere, as
    /// in a simulation, may.
    pub const fn comes_from(&mut self, address: IpAddr) {
        match &mut self.talk {
            AnyTalk::Ouch(talk) => talk.address = Some(address),
            AnyTalk::Fix(talk) => talk.address = Some(address),
        }
    }

    /// The name of the user who is logged in.
    pub fn user(&self, desk: &Desk) -> Option<UserName> {
        talk!(&self.talk, talk => talk.user(desk))
    }

    /// Whether a user is logged in.
    pub fn has_user(&self) -> bool {
        talk!(&self.talk, talk => talk.has_user())
    }

    /// The session that is logged in on it, and the bytes that wait for the client to read them.
    pub fn standing(&self, desk: &Desk) -> Option<(SessionId, u64)> {
        talk!(&self.talk, talk => talk.standing(desk))
    }

    /// Whether nothing more is to be read: the last bytes are leaving.
    pub fn is_closing(&self, desk: &Desk) -> bool {
        talk!(&self.talk, talk => talk.is_closing(desk))
    }

    /// Whether messages were left behind: take them before reading more.
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

    /// Takes messages and deals with them; to be called at each turn while the line is stopped, so
    /// that the client is not taken for silent. It goes on until there is no whole one left, the ring to the engine
    /// is full, a request has to wait for the engine, or the line has had its share of this turn.
    /// Gives how many.
    ///
    /// # Errors
    /// The cause for which the connection is to be closed now. What was passed on before stays.
    #[inline]
    pub fn take_packets(&mut self, desk: &mut Desk, now: u64) -> Result<usize, CloseCause> {
        self.take_some(desk, desk.limits().requests_max, now)
    }

    /// The same with a share of its own.
    #[inline]
    pub(crate) fn take_some(
        &mut self,
        desk: &mut Desk,
        requests_max: usize,
        now: u64,
    ) -> Result<usize, CloseCause> {
        let taken = self.take_share(desk, requests_max, now);
        talk!(&self.talk, talk => talk.set_behind(self.stopped, desk));
        taken
    }

    #[inline]
    fn take_share(
        &mut self,
        desk: &mut Desk,
        requests_max: usize,
        now: u64,
    ) -> Result<usize, CloseCause> {
        if self.stopped {
            talk!(&mut self.talk, talk => talk.excuse(desk, now));
            self.stopped = false;
        }
        for taken in 0..requests_max {
            if !desk.takes_requests() {
                desk.count_ring_full();
                self.stopped = true;
                return Ok(taken);
            }
            let login = !self.has_user();
            let bytes = self.input.filled();
            let step = talk!(&mut self.talk, talk => talk.take(bytes, self.received, desk, now))?;
            match step {
                // There was a password in it.
                Taken::Used(count) if login => self.input.wipe(count),
                Taken::Used(count) => self.input.consume(count),
                Taken::More(skip) => {
                    self.input.consume(skip);
                    return Ok(taken);
                }
                Taken::Wait => {
                    self.stopped = true;
                    return Ok(taken);
                }
                Taken::Over => {
                    self.input.clear();
                    return Ok(taken);
                }
            }
        }
        self.stopped = true;
        Ok(requests_max)
    }

    /// Whether its session catches up with what it missed, or causes work that is no trading.
    #[inline]
    pub(crate) fn is_aside(&self, desk: &Desk) -> bool {
        talk!(&self.talk, talk => talk.is_aside(desk))
    }

    /// Says whether its session is served aside from here on; if so, it was read from in this turn.
    pub(crate) fn set_aside(&self, desk: &mut Desk, aside: bool) {
        let looked = if aside { desk.port.turn } else { ALWAYS };
        talk!(&self.talk, talk => talk.set_looked_at(looked, desk));
    }

    /// The place of its user in the configuration of OUCH.
    pub(crate) const fn user_index(&self) -> Option<usize> {
        match &self.talk {
            AnyTalk::Ouch(talk) => talk.user,
            AnyTalk::Fix(_) => None,
        }
    }

    /// Sends a debug packet; false, and nothing is sent, while other bytes wait, and over FIX, which
    /// has no such thing.
    pub(crate) fn say(&mut self, desk: &Desk, text: &[u8]) -> bool {
        match &mut self.talk {
            AnyTalk::Ouch(talk) => talk.say(desk, text),
            AnyTalk::Fix(_) => false,
        }
    }

    /// What a login came to, once.
    pub const fn take_login_outcome(&mut self) -> Option<LoginOutcome> {
        match &mut self.talk {
            AnyTalk::Ouch(talk) => talk.outcome.take(),
            AnyTalk::Fix(talk) => talk.outcome.take(),
        }
    }

    /// The bytes to send next, as far as they are in one piece; empty when there are none.
    #[inline]
    pub fn output<'a>(&'a self, desk: &'a Desk) -> &'a [u8] {
        talk!(&self.talk, talk => talk.output(desk))
    }

    /// The first `count` bytes of [`Line::output`] were sent; at least one.
    #[inline]
    pub fn written(&mut self, desk: &mut Desk, count: usize, now: u64) {
        talk!(&mut self.talk, talk => talk.written(count, desk, now));
    }

    /// Lets time pass: once a turn, after reading and writing.
    ///
    /// # Errors
    /// The cause for which the connection is to be closed now.
    #[inline]
    pub fn tick(&mut self, desk: &mut Desk, now: u64) -> Result<(), CloseCause> {
        talk!(&mut self.talk, talk => talk.tick(desk, now))
    }

    /// Ends the session: what waits goes out, then the end.
    pub fn end(&mut self, desk: &mut Desk, now: u64) {
        talk!(&mut self.talk, talk => talk.end(desk, now));
    }

    /// The connection is gone: its user can log in again.
    pub fn leave(&mut self, desk: &mut Desk) {
        talk!(&mut self.talk, talk => talk.leave(desk));
    }
}
