//! Who is stopped, and what the operator is told.

use spindle_types::{AccountId, SessionId};

use crate::counts::Counts;
use crate::gate::Gate;
use crate::notice::{Cause, Notice, Target};

/// Notices that wait at most; further ones are counted.
pub(crate) const NOTICES_MAX: usize = 256;

impl Gate {
    #[cold]
    pub(crate) fn stop(&mut self, owner: u32, cause: Cause) {
        if let Some(known) = self.owners.get_mut(owner as usize)
            && known.killed == 0
        {
            known.killed = cause as u8;
            self.kills += 1;
            self.tripped = true;
            let target = self.target(owner);
            self.tell(Notice::Killed { target, cause });
        }
    }

    /// Stops somebody: orders are refused from now on, and what rests is to be cancelled. One who
    /// is stopped already stays so for the first cause. False where there is no such owner.
    pub fn kill(&mut self, target: Target, cause: Cause) -> bool {
        if target == Target::All {
            if self.all_killed == 0 {
                self.all_killed = cause as u8;
                self.kills += 1;
                self.tell(Notice::Killed { target, cause });
            }
            self.tripped = true;
            return true;
        }
        let Some(owner) = self.owner_of(target) else {
            return false;
        };
        self.stop(owner, cause);
        self.tripped = true;
        true
    }

    /// Lets somebody go on who was stopped; false where there is no such owner, or it was not
    /// stopped. What counted towards stopping it by itself begins anew.
    pub fn arm(&mut self, target: Target) -> bool {
        let killed = match (target, self.owner_of(target)) {
            (Target::All, _) => std::mem::take(&mut self.all_killed),
            (_, Some(owner)) => std::mem::take(&mut self.owners[owner as usize].killed),
            (_, None) => 0,
        };
        if killed == 0 {
            return false;
        }
        if let Some(owner) = self.owner_of(target) {
            let owner = &mut self.owners[owner as usize];
            (owner.rejects, owner.fills) = Default::default();
        }
        self.kills -= 1;
        self.tell(Notice::Armed { target });
        true
    }

    /// Whether an order of these would be refused for being stopped, whether it reduces or not.
    pub fn is_killed(&self, account: AccountId, session: SessionId) -> bool {
        let is_killed =
            |&owner: &u32| self.owners.get(owner as usize).is_some_and(|owner| owner.killed != 0);
        self.all_killed != 0 || self.owners_of(account, session).iter().any(is_killed)
    }

    /// Whether this one was stopped.
    pub fn is_stopped(&self, target: Target) -> bool {
        match self.owner_of(target) {
            None => self.all_killed != 0,
            Some(owner) => self.owners[owner as usize].killed != 0,
        }
    }

    /// Everybody who is stopped.
    pub fn stopped(&self) -> impl Iterator<Item = Target> + '_ {
        let all = (self.all_killed != 0).then_some(Target::All);
        let owners = (0..).zip(&self.owners).filter(|(_, owner)| owner.killed != 0);
        all.into_iter().chain(owners.map(|(number, _)| self.target(number)))
    }

    /// Whether somebody was stopped whose orders have not been cancelled yet.
    #[inline]
    pub const fn has_tripped(&self) -> bool {
        self.tripped
    }

    /// The orders of those who were stopped are being cancelled.
    pub const fn settle_trips(&mut self) {
        self.tripped = false;
    }

    pub(crate) fn tell(&mut self, notice: Notice) {
        if self.notices.len() < NOTICES_MAX {
            self.notices.push_back(notice);
        } else {
            self.notices_lost += 1;
        }
    }

    /// The next that the operator is to be told.
    #[inline]
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Whether the operator is to be told something.
    #[inline]
    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Warnings and refusals so far, by check.
    #[inline]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Notices for which there was no room.
    pub const fn notices_lost(&self) -> u64 {
        self.notices_lost
    }
}
