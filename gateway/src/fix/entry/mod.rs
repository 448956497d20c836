//! Order entry: requests of a FIX session become the engine's commands, its events become reports.
//!
//! Messages and events in, decisions out. It outlives connections: its state is the day's.
//!
//! Every request that has an answer goes to the engine, so that answers keep the order of the requests:
//! one that is invalid as [`Action::Refuse`], and one that only asks (a status, a cancel of an order
//! that nobody knows) as a cancel of number 0, which no order has.

pub(crate) mod codes;
mod orders;
pub(crate) mod report;
mod request;

use std::collections::VecDeque;

use spindle_engine::command::Action;
use spindle_engine::event::{Event, RejectReason};
use spindle_types::{AccountId, OrderToken, keep};

use super::dictionary::Version;
use super::message::Message;
use super::session::Now;
use super::tag;
use super::validate::Violation;
use orders::Orders;

pub(super) use super::text::Text;

/// Requests without an answer at most; with more, nothing is read.
const PENDING_MAX: usize = 8_192;

/// A ClOrdID: up to 20 characters.
type ClOrdId = Text<20>;

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Pass it to the engine, for this account.
    Pass(AccountId, Action),
    /// Reject it at the session layer: a text is longer than the venue keeps.
    Reject(Violation),
    /// Tell that the venue does not take messages of this type.
    Unsupported,
    /// Nothing: a possible resend of what is known.
    Ignore,
}

/// A request that was passed to the engine and has no answer yet. Answers come in the order of the
/// requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
struct Pending {
    what: Asked,
    /// Its ClOrdID.
    id: ClOrdId,
    /// The ClOrdID that it names as the original, if it does.
    original: ClOrdId,
    /// MsgSeqNum and MsgType, for a reject that names them.
    sequence: u64,
    msg_type: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
enum Asked {
    /// A new order with this token.
    New(OrderToken),
    /// A cancel of the order that the token names, if any does.
    Cancel(Option<OrderToken>),
    /// A replacement of the order that the token names, if any does.
    Replace(Option<OrderToken>),
    /// The state of an order.
    Status(Option<OrderToken>),
    /// A mass cancel with this MassCancelRequestType.
    MassCancel(u8),
    /// A message without something that it needs: the tag.
    Incomplete(u16),
    /// No room for another order.
    NoRoom,
    /// The orders of a session that is gone are cancelled: nobody asked.
    CancelOnDisconnect,
}

/// The accounts of a session.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// That of orders that name none.
    own: AccountId,
    /// What orders may write in Account. Empty: whatever they write there is not used.
    named: Box<[(Text<32>, AccountId)]>,
}

impl Accounts {
    pub(crate) fn new(own: AccountId, named: Box<[(Text<32>, AccountId)]>) -> Self {
        Self { own, named }
    }

    /// The account that a request means; `None` for one that the session does not have.
    fn of(&self, name: Option<&[u8]>) -> Option<AccountId> {
        match name {
            Some(name) if !self.named.is_empty() => {
                let found = self.named.iter().find(|(known, _)| known.as_bytes() == name);
                found.map(|(_, account)| *account)
            }
            Some(_) | None => Some(self.own),
        }
    }

    /// Whether there is a choice.
    fn are_several(&self) -> bool {
        self.named.len() > 1
    }

    /// What reports write in Account; `None` where there is nothing to choose.
    fn name_of(&self, account: AccountId) -> Option<&[u8]> {
        let mut several = self.named.iter().filter(|_| self.are_several());
        several.find(|(_, known)| *known == account).map(|(name, _)| name.as_bytes())
    }
}

/// The order entry of one session.
#[derive(Debug, keep::State)]
pub(crate) struct Entry {
    #[keep(skip)]
    version: Version,
    #[keep(skip)]
    accounts: Accounts,
    orders: Orders,
    pending: VecDeque<Pending>,
}

impl Entry {
    /// A session whose day begins, with room for so many ClOrdIDs of orders and replacements.
    pub(crate) fn new(version: Version, accounts: Accounts, ids_max: usize) -> Self {
        let pending = VecDeque::with_capacity(PENDING_MAX);
        Self { version, accounts, orders: Orders::new(ids_max), pending }
    }

    /// Touches its memory once. Nothing has been asked yet.
    pub(crate) fn warm_up(&mut self) {
        self.orders.warm_up();
        let nothing = Pending {
            what: Asked::NoRoom,
            id: ClOrdId::EMPTY,
            original: ClOrdId::EMPTY,
            sequence: 0,
            msg_type: 0,
        };
        self.pending.resize(PENDING_MAX, nothing);
        self.pending.clear();
    }

    /// Whether another request can be passed on.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.pending.len() < PENDING_MAX
    }

    /// Requests passed to the engine that have no answer yet.
    pub(crate) fn under_way(&self) -> usize {
        self.pending.len()
    }

    /// The orders of this session are being cancelled because it is gone.
    pub(crate) fn expect_cancel_on_disconnect(&mut self) {
        self.pending.push_back(Pending {
            what: Asked::CancelOnDisconnect,
            id: ClOrdId::EMPTY,
            original: ClOrdId::EMPTY,
            sequence: 0,
            msg_type: 0,
        });
    }

    /// Decides on a request. With `refused`, new orders and replacements are refused for that: the
    /// room for reports is nearly used up, or the session is too fast. Cancels still go through.
    ///
    /// A [`Reaction::Pass`] must reach the engine.
    #[inline]
    pub(crate) fn request(
        &mut self,
        message: &Message<'_>,
        refused: Option<RejectReason>,
        now: Now,
    ) -> Reaction {
        let &[msg_type] = message.msg_type() else { return Reaction::Unsupported };
        let known = match self.version {
            Version::Fix42 => b"DFGH".contains(&msg_type),
            Version::Fix44 => b"DFGHq".contains(&msg_type),
        };
        if !known {
            return Reaction::Unsupported;
        }
        let text = |tag| ClOrdId::new(message.get(tag).unwrap_or_default());
        let Some(id) = text(tag::CL_ORD_ID) else {
            return Reaction::Reject(Violation::OutOfRange(tag::CL_ORD_ID.into()));
        };
        let Some(original) = text(tag::ORIG_CL_ORD_ID) else {
            return Reaction::Reject(Violation::OutOfRange(tag::ORIG_CL_ORD_ID.into()));
        };
        let sequence = message.sequence().unwrap_or(0);
        let asked = match msg_type {
            b'D' => self.new_order(message, id, refused, now),
            b'G' => self.replace(message, id, original, refused, now),
            b'F' => Ok(self.cancel(original)),
            b'H' => Ok(self.status(id)),
            _ => Ok(self.mass_cancel(message)),
        };
        match asked {
            Ok((what, action)) => {
                self.pending.push_back(Pending { what, id, original, sequence, msg_type });
                let named = self.accounts.of(message.get(tag::ACCOUNT));
                Reaction::Pass(named.unwrap_or(self.accounts.own), action)
            }
            Err(reaction) => reaction,
        }
    }

    /// Takes an event into account and sends the reports that tell it.
    #[inline]
    pub(crate) fn answer(
        &mut self,
        event: &Event,
        session: &mut super::session::Session,
        now: Now,
    ) {
        let pending = if crate::ouch::session::is_first_answer(event) {
            self.pending.pop_front()
        } else {
            None
        };
        let mut reports = report::Reports {
            version: self.version,
            accounts: &self.accounts,
            orders: &mut self.orders,
            session,
            now,
        };
        reports.answer(event, pending.as_ref());
    }
}
