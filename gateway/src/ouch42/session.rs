//! One account's conversation in OUCH 4.2: requests become the engine's commands, events become
//! messages.
//!
//! Bytes and events in, decisions out. It outlives connections: its state is the day's. As in
//! [OUCH 5.0](crate::ouch::session), everything that has an answer goes to the engine, what is invalid as
//! [`Action::Refuse`], an invalid Replace with quantity 0.

use std::collections::VecDeque;

use spindle_engine::command::{Action, Cancel, MassCancel, Modify, Priority, Refuse, Replace};
use spindle_engine::event::{CancelReason, Event, Outcome, RejectReason};
use spindle_types::{OrderToken, Quantity, SessionId, keep};

use super::answer::Answer;
use super::inbound::{self, Message};
use super::tokens::{Record, Tokens, Verdict};
use super::validate::{self, Invalid, enter_attributes, replace_attributes};
use super::{IMMEDIATE, Token};
use crate::ouch::DecodeError;
use crate::ouch::remark::{Name, Remark};
use crate::ouch::session::{Ignored, Reaction, is_first_answer};

/// Requests without an answer at most; with more, nothing is read.
const ASKED_MAX: usize = 8_192;

/// The number that no order has.
const NOBODY: OrderToken = OrderToken(0);

/// What a refusal without room for its token is told with.
const NO_RECORD: Record = Record {
    token: [b' '; 14],
    firm: [b' '; 4],
    minimum: 0,
    time_in_force: IMMEDIATE,
    display: b'Y',
    cross: b'N',
};

/// Why an order is refused without a look at it; without a reason given, its session's tokens are used up.
fn why(refused: Option<RejectReason>) -> Invalid {
    Invalid { reason: refused.unwrap_or(RejectReason::Capacity), observed: 0 }
}

/// The firm that a new order names, if it names one.
pub(crate) fn firm_of(message: &[u8]) -> Option<[u8; 4]> {
    let firm = match Message::decode(message) {
        Ok(Message::Enter(enter)) => enter.firm,
        Ok(Message::EnterWithoutCustomer(bytes)) => *bytes[36..].first_chunk()?,
        _ => return None,
    };
    Some(firm).filter(|firm| *firm != [b' '; 4])
}

/// The state of one account.
#[derive(Clone, Debug, keep::State)]
pub struct Session {
    #[keep(skip)]
    id: SessionId,
    #[keep(skip)]
    firms: Box<[[u8; 4]]>,
    tokens: Tokens,
    /// The requests that have no answer yet, in their order: the replacement's number of a Replace, and
    /// nothing of others.
    asked: VecDeque<OrderToken>,
    #[keep(skip)]
    remark: Option<Remark>,
}

impl Session {
    /// A session whose day begins, with room for so many tokens. `firms` are those that its orders may
    /// name.
    pub fn new(id: SessionId, firms: Box<[[u8; 4]]>, tokens_max: usize) -> Self {
        let asked = VecDeque::with_capacity(ASKED_MAX);
        Self { id, firms, tokens: Tokens::new(tokens_max), asked, remark: None }
    }

    /// Requests passed to the engine that have no answer yet.
    pub fn under_way(&self) -> usize {
        self.asked.len()
    }

    /// What is to be said of the last request in the log, once.
    #[inline]
    pub const fn take_remark(&mut self) -> Option<Remark> {
        self.remark.take()
    }

    /// Decides on a request. With `refused`, new orders and replaces are refused for that: the
    /// session's stream is at its limit, or the session is too fast. Cancels still go through.
    ///
    /// A [`Reaction::Pass`] must reach the engine: its token is used up by this call.
    ///
    /// # Errors
    /// Bytes that are no OUCH message of a client: close the connection.
    #[inline]
    pub fn decide(
        &mut self,
        message: &[u8],
        refused: Option<RejectReason>,
    ) -> Result<Reaction, DecodeError> {
        if self.asked.len() >= ASKED_MAX {
            return Ok(Reaction::Wait);
        }
        let decided = match Message::decode(message)? {
            Message::Enter(enter) => self.enter(enter, refused),
            Message::EnterWithoutCustomer(bytes) => {
                let mut whole = [b' '; inbound::Enter::LENGTH];
                whole[..bytes.len()].copy_from_slice(bytes);
                self.enter(&zerocopy::transmute!(whole), refused)
            }
            Message::Replace(replace) => self.replace(replace, refused),
            Message::Cancel(cancel) => self.cancel(cancel),
            Message::Modify(modify) => self.modify(modify),
            Message::TradeNow(trade_now) => {
                // Nothing here can be locked by an order that it does not trade with.
                self.remark(trade_now.token, "trade now", 0);
                Err(Reaction::Ignore(Ignored::NoSuchOrder))
            }
        };
        if let Some(remark) = &mut self.remark {
            remark.of(message);
        }
        Ok(match decided {
            Ok((asked, action)) => {
                self.asked.push_back(asked);
                Reaction::Pass(action)
            }
            Err(reaction) => reaction,
        })
    }

    fn remark(&mut self, token: Token, what: &'static str, observed: u64) {
        self.remark = Some(Remark::new(Name::Token(token), what, observed));
    }

    #[inline]
    fn take(&mut self, record: Record) -> Result<Option<OrderToken>, Reaction> {
        match self.tokens.take(record) {
            Verdict::New(number) => Ok(Some(number)),
            Verdict::Full => Ok(None),
            Verdict::Used => Err(Reaction::Ignore(Ignored::Retransmission)),
            Verdict::Unknown => Err(Reaction::Wait),
        }
    }

    #[inline]
    fn enter(
        &mut self,
        message: &inbound::Enter,
        refused: Option<RejectReason>,
    ) -> Result<(OrderToken, Action), Reaction> {
        let number = self.take(validate::record(message))?;
        let order = match (number, refused) {
            (Some(number), None) => validate::enter(message, number, &self.firms),
            (_, refused) => Err(why(refused)),
        };
        let action = match order {
            Ok(order) => Action::Enter(order),
            Err(invalid) => {
                self.remark(message.token, invalid.name(), invalid.observed);
                let Invalid { reason, observed } = invalid;
                let (token, attributes) = (number.unwrap_or(NOBODY), enter_attributes(message));
                Action::Refuse(Refuse { token, reason, observed, attributes })
            }
        };
        Ok((NOBODY, action))
    }

    #[inline]
    fn replace(
        &mut self,
        message: &inbound::Replace,
        refused: Option<RejectReason>,
    ) -> Result<(OrderToken, Action), Reaction> {
        let original = self.find(&message.existing)?;
        let of = *self.tokens.get(original).unwrap_or(&NO_RECORD);
        let taken = self.take(validate::replaced(message, &of))?;
        let attributes = replace_attributes(message);
        let Some(number) = taken.filter(|_| refused.is_none()) else {
            let Invalid { reason, observed } = why(refused);
            self.remark(message.token, reason.name(), observed);
            let token = taken.unwrap_or(NOBODY);
            let refuse = Refuse { token, reason, observed, attributes };
            return Ok((NOBODY, Action::Refuse(refuse)));
        };
        let replace = validate::replace(message, original, number, &of).unwrap_or_else(|invalid| {
            self.remark(message.token, invalid.name(), invalid.observed);
            Replace {
                original,
                token: number,
                quantity: Quantity::ZERO,
                limit: None,
                time_in_force: None,
                priority: Priority::New,
                attributes,
            }
        });
        Ok((number, Action::Replace(replace)))
    }

    /// The order that a request names.
    #[inline]
    fn find(&self, token: &Token) -> Result<OrderToken, Reaction> {
        self.tokens.find(token).ok_or(Reaction::Ignore(Ignored::NoSuchOrder))
    }

    #[inline]
    fn cancel(&mut self, message: &inbound::Cancel) -> Result<(OrderToken, Action), Reaction> {
        let (token, quantity) = (self.find(&message.token)?, Quantity(message.shares.get()));
        Ok((NOBODY, Action::Cancel(Cancel { token, quantity })))
    }

    fn modify(&mut self, message: &inbound::Modify) -> Result<(OrderToken, Action), Reaction> {
        let (token, quantity) = (self.find(&message.token)?, Quantity(message.shares.get()));
        match validate::side(message.side) {
            Ok(side) => Ok((NOBODY, Action::Modify(Modify { token, side, quantity }))),
            Err(invalid) => {
                self.remark(message.token, invalid.name(), invalid.observed);
                Err(Reaction::Ignore(Ignored::NoSuchOrder))
            }
        }
    }

    /// The orders of this session are to be cancelled because it is gone; `None` while too much is
    /// under way. What it gives must reach the engine.
    pub fn cancel_all(&mut self) -> Option<Action> {
        if self.asked.len() >= ASKED_MAX {
            return None;
        }
        self.asked.push_back(NOBODY);
        let session = Some(self.id);
        Some(Action::MassCancel(MassCancel { token: NOBODY, session, ..MassCancel::default() }))
    }

    /// Takes an event into account and tells the message that OUCH has for it, if it has one.
    #[inline]
    pub fn answer(&mut self, event: &Event, mut tell: impl FnMut(&Answer)) {
        let asked = if is_first_answer(event) { self.asked.pop_front() } else { None };
        let mut previous = NO_RECORD.token;
        match event.outcome {
            Outcome::Accepted { .. } | Outcome::Rejected { .. } => self.tokens.used(event.token),
            Outcome::Replaced { original, .. } => {
                self.tokens.used(event.token);
                previous = self.tokens.get(original).map_or(previous, |record| record.token);
            }
            Outcome::ReplaceRejected { .. }
            | Outcome::Canceled { reason: CancelReason::InvalidReplace, .. } => {
                self.tokens.unused(asked.unwrap_or(NOBODY));
            }
            _ => {}
        }
        let record = self.tokens.get(event.token).unwrap_or(&NO_RECORD);
        if let Some(answer) = Answer::of(event, record, &previous) {
            tell(&answer);
        }
    }
}
