//! A connection that speaks OUCH over SoupBinTCP.

use std::net::IpAddr;

use spindle_types::SessionId;

use crate::close::CloseCause;
use crate::desk::Desk;
use crate::line::LoginOutcome;
use crate::notice::UserName;
use crate::protocol::{Taken, Talk};
use crate::soup::codec::{LoginRequest, MARK, split};
use crate::soup::server::{Inbound, Link, Timing};
use crate::soup::stream::Stream;
use crate::vault::Knock;

/// OUCH's part of one connection.
#[derive(Debug)]
pub(crate) struct OuchTalk {
    link: Link,
    pub(crate) user: Option<usize>,
    /// Where it comes from, where that is known.
    pub(crate) address: Option<IpAddr>,
    knock: Knock,
    pub(crate) outcome: Option<LoginOutcome>,
    /// Whether the client has logged out.
    logged_out: bool,
    /// Whether it has asked for a mark.
    is_mark_owed: bool,
}

impl OuchTalk {
    /// A connection that has just been opened.
    pub(crate) fn new(timing: Timing, now: u64) -> Self {
        Self {
            link: Link::new(timing, now),
            user: None,
            address: None,
            knock: Knock::default(),
            outcome: None,
            logged_out: false,
            is_mark_owed: false,
        }
    }

    /// Sends a debug packet; false, and nothing is sent, while other bytes wait.
    pub(crate) fn say(&mut self, desk: &Desk, text: &[u8]) -> bool {
        self.link.say(stream(self.user, desk), text)
    }

    /// Sends the mark that was asked for, once everything before it is answered and has left.
    #[cold]
    fn mark(&mut self, desk: &Desk) {
        if self.user.is_some_and(|user| desk.ouch.is_answered(user)) {
            self.is_mark_owed = !self.say(desk, MARK);
        }
    }

    /// Whether the login is decided; otherwise it waits.
    #[cold]
    fn login(&mut self, desk: &mut Desk, request: &LoginRequest, now: u64) -> bool {
        let Self { address, knock, .. } = self;
        let Some(decision) = desk.ouch.login(request, *address, knock, &mut desk.port) else {
            return false;
        };
        self.outcome = Some(match decision {
            Ok((user, sequence)) => {
                self.user = Some(user);
                let stream = desk.ouch.stream(user);
                self.link.accept(desk.ouch.session_name(), sequence, stream, now);
                let next_sequence = stream.next_sequence();
                LoginOutcome::LoggedIn { user: desk.ouch.user_name(user), sequence, next_sequence }
            }
            Err(refusal) => {
                self.link.refuse(refusal, now);
                LoginOutcome::Refused { user: UserName::new(&request.username), refusal }
            }
        });
        true
    }
}

impl Talk for OuchTalk {
    #[inline]
    fn take(
        &mut self,
        bytes: &[u8],
        received: u64,
        desk: &mut Desk,
        now: u64,
    ) -> Result<Taken, CloseCause> {
        if self.link.is_closing() {
            return Ok(Taken::Over);
        }
        if self.user.is_some_and(|user| desk.ouch.is_waiting(user)) {
            return Ok(Taken::Wait);
        }
        let packet = split(bytes, desk.limits().packet_length_max);
        let Some((packet, length)) = packet.map_err(CloseCause::Frame)? else {
            return Ok(Taken::More(0));
        };
        let inbound = self.link.receive(packet, now);
        self.logged_out = inbound == Err(CloseCause::Logout);
        match inbound? {
            Inbound::Message(message) => {
                if let Some(user) = self.user
                    && !desk.ouch.request(user, message, received, &mut desk.port)?
                {
                    return Ok(Taken::Wait);
                }
            }
            Inbound::Login(request) => {
                if !self.login(desk, request, now) {
                    return Ok(Taken::Wait);
                }
            }
            Inbound::Debug(text) => {
                if let Some(user) = self.user {
                    self.is_mark_owed |= desk.ouch.debug(user, text)?;
                }
            }
            Inbound::Nothing => {}
        }
        Ok(Taken::Used(length))
    }

    fn excuse(&mut self, _: &mut Desk, now: u64) {
        self.link.excuse(now);
    }

    #[inline]
    fn set_behind(&self, behind: bool, desk: &mut Desk) {
        if let Some(user) = self.user {
            desk.ouch.set_behind(user, behind);
        }
    }

    #[inline]
    fn is_aside(&self, _: &Desk) -> bool {
        self.link.is_replaying()
    }

    fn set_looked_at(&self, turn: u64, desk: &mut Desk) {
        if let Some(user) = self.user {
            desk.ouch.set_looked_at(user, turn);
        }
    }

    #[inline]
    fn output<'a>(&'a self, desk: &'a Desk) -> &'a [u8] {
        self.link.output(stream(self.user, desk))
    }

    #[inline]
    fn written(&mut self, count: usize, desk: &mut Desk, now: u64) {
        self.link.written(stream(self.user, desk), count, now);
        if let Some(user) = self.user {
            desk.ouch.sent(user, self.link.position(), &mut desk.port);
        }
    }

    #[inline]
    fn tick(&mut self, desk: &mut Desk, now: u64) -> Result<(), CloseCause> {
        if self.is_mark_owed {
            self.mark(desk);
        }
        self.link.tick(stream(self.user, desk), desk.limits().backlog_bytes_max, now)
    }

    fn end(&mut self, _: &mut Desk, now: u64) {
        self.link.end(now);
    }

    fn leave(&mut self, desk: &mut Desk) {
        self.knock.leave(&mut desk.port.vault);
        if let Some(user) = self.user.take() {
            desk.ouch.disconnected(user, self.logged_out, &mut desk.port);
        }
    }

    #[inline]
    fn has_user(&self) -> bool {
        self.user.is_some()
    }

    fn user(&self, desk: &Desk) -> Option<UserName> {
        self.user.map(|user| desk.ouch.user_name(user))
    }

    #[inline]
    fn is_closing(&self, _: &Desk) -> bool {
        self.link.is_closing()
    }

    fn standing(&self, desk: &Desk) -> Option<(SessionId, u64)> {
        let user = self.user?;
        let waiting = desk.ouch.stream(user).len_bytes().saturating_sub(self.link.position());
        Some((desk.ouch.session_id(user), waiting))
    }
}

#[inline]
fn stream(user: Option<usize>, desk: &Desk) -> &Stream {
    user.map_or(Stream::NOTHING, |user| desk.ouch.stream(user))
}
