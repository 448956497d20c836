//! A connection that speaks FIX.

use std::net::IpAddr;

use spindle_types::SessionId;

use super::session::Close;
use crate::close::CloseCause;
use crate::desk::Desk;
use crate::line::LoginOutcome;
use crate::notice::UserName;
use crate::protocol::{Taken, Talk};
use crate::soup::server::Timing;
use crate::vault::Knock;

/// A backlog beyond so many bytes is not told to the byte.
const BACKLOG_TOLD: usize = 1 << 20;

/// FIX's part of one connection. Its session is at the desk.
#[derive(Debug)]
pub(crate) struct FixTalk {
    timing: Timing,
    user: Option<usize>,
    /// Where it comes from, where that is known.
    pub(crate) address: Option<IpAddr>,
    knock: Knock,
    opened: u64,
    /// When the client last took bytes, or last had none to take.
    progressed: u64,
    pub(crate) outcome: Option<LoginOutcome>,
}

impl FixTalk {
    /// A connection that has just been opened.
    pub(crate) fn new(timing: Timing, now: u64) -> Self {
        Self {
            timing,
            user: None,
            address: None,
            knock: Knock::default(),
            opened: now,
            progressed: now,
            outcome: None,
        }
    }
}

impl Talk for FixTalk {
    #[inline]
    fn take(
        &mut self,
        bytes: &[u8],
        received: u64,
        desk: &mut Desk,
        now: u64,
    ) -> Result<Taken, CloseCause> {
        let Desk { fix, port, .. } = desk;
        if let Some(user) = self.user {
            return Ok(fix.take(user, bytes, received, port));
        }
        let (taken, user) = fix.take_logon(bytes, self.address, &mut self.knock, port)?;
        if let Some(user) = user {
            self.user = Some(user);
            self.progressed = now;
            let next = fix.session(user).next_out();
            self.outcome = Some(LoginOutcome::LoggedIn {
                user: fix.user_name(user),
                sequence: next,
                next_sequence: next,
            });
        }
        Ok(taken)
    }

    fn excuse(&mut self, desk: &mut Desk, _: u64) {
        if let Some(user) = self.user {
            let now = desk.port.now;
            desk.fix.session_mut(user).excuse(now);
        }
    }

    #[inline]
    fn set_behind(&self, behind: bool, desk: &mut Desk) {
        if let Some(user) = self.user {
            desk.fix.set_behind(user, behind);
        }
    }

    #[inline]
    fn is_aside(&self, desk: &Desk) -> bool {
        self.user.is_some_and(|user| desk.fix.is_aside(user, desk.port.now.monotonic))
    }

    fn set_looked_at(&self, turn: u64, desk: &mut Desk) {
        if let Some(user) = self.user {
            desk.fix.set_looked_at(user, turn);
        }
    }

    #[inline]
    fn output<'a>(&'a self, desk: &'a Desk) -> &'a [u8] {
        self.user.map_or(&[], |user| desk.fix.output(user))
    }

    #[inline]
    fn written(&mut self, count: usize, desk: &mut Desk, now: u64) {
        if let Some(user) = self.user {
            desk.fix.session_mut(user).written(count);
            self.progressed = now;
        }
    }

    fn tick(&mut self, desk: &mut Desk, now: u64) -> Result<(), CloseCause> {
        let Some(user) = self.user else {
            let late = now.saturating_sub(self.opened) >= self.timing.login_ns;
            return if late { Err(CloseCause::NoLogin) } else { Ok(()) };
        };
        let waiting_max = desk.limits().backlog_bytes_max;
        desk.fix.tick(user, &mut desk.port).map_err(CloseCause::Fix)?;
        let session = desk.fix.session_mut(user);
        if session.output().is_empty() {
            self.progressed = now;
            return Ok(());
        }
        let enough = usize::try_from(waiting_max).unwrap_or(usize::MAX);
        let waiting = session.backlog(enough) as u64;
        if waiting > waiting_max {
            return Err(CloseCause::SlowConsumer { waiting, waiting_max });
        }
        if now.saturating_sub(self.progressed) >= self.timing.stall_ns {
            return Err(CloseCause::Stalled { waiting: waiting + session.output().len() as u64 });
        }
        Ok(())
    }

    fn end(&mut self, desk: &mut Desk, _: u64) {
        match self.user {
            Some(user) => desk.fix.session_mut(user).end(),
            // The time for a Logon is over.
            None => self.timing.login_ns = 0,
        }
    }

    fn leave(&mut self, desk: &mut Desk) {
        self.knock.leave(&mut desk.port.vault);
        if let Some(user) = self.user.take() {
            desk.fix.disconnected(user, &mut desk.port);
        }
    }

    #[inline]
    fn has_user(&self) -> bool {
        self.user.is_some()
    }

    fn user(&self, desk: &Desk) -> Option<UserName> {
        self.user.map(|user| desk.fix.user_name(user))
    }

    #[inline]
    fn is_closing(&self, desk: &Desk) -> bool {
        self.user.is_some_and(|user| desk.fix.session(user).is_closing())
    }

    fn standing(&self, desk: &Desk) -> Option<(SessionId, u64)> {
        let user = self.user?;
        let session = desk.fix.session(user);
        let waiting = session.output().len() + session.backlog(BACKLOG_TOLD);
        Some((desk.fix.session_id(user), waiting as u64))
    }
}

impl From<Close> for CloseCause {
    fn from(close: Close) -> Self {
        Self::Fix(close)
    }
}
