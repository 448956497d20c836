//! One account's OUCH conversation: requests become the engine's commands, events become messages.
//!
//! Bytes and events in, decisions out. It outlives connections: its state is the day's.
//!
//! Every request that has an answer goes to the engine, so that answers keep the order of the
//! requests. One with an invalid detail goes as [`Action::Refuse`]. An invalid Replace goes with
//! quantity 0, because OUCH then cancels the original, if it is open, and leaves the new number
//! unused. An account query goes as a cancel of number 0, which no order can have: the answer comes
//! back when everything before it is answered.

use spindle_engine::command::{Action, Attributes, Cancel, Priority, Refuse, Replace};
use spindle_engine::event::{CancelReason, Event, Outcome, RejectReason};
use spindle_types::{OrderToken, Quantity};

use super::answer::Answer;
use super::codes::option;
use super::inbound::{self, Message};
use super::numbers::{Numbers, Verdict};
use super::tag::{Tag, allowed};
use super::validate::{self, Invalid, enter_attributes, replace_attributes};
use super::{Appendage, DecodeError};

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Pass it to the engine.
    Pass(Action),
    /// Ask again when the engine has answered more: whether the request's number is new depends on
    /// what is under way.
    Wait,
    /// Nothing, by the protocol's rules.
    Ignore(Ignored),
}

/// Why a request is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Its number is not higher than the last: a retransmission, or 0.
    Retransmission,
    /// It names number 0 or an order of a channel that the account does not have, or carries an
    /// option that it may not: no order can be meant.
    NoSuchOrder,
    /// A Modify, which the venue does not offer; the protocol has no refusal for it.
    Modify,
}

/// The state of one account.
#[derive(Clone, Debug)]
pub struct Session {
    firms: Box<[[u8; 4]]>,
    numbers: Numbers,
    /// Requests passed to the engine that have no answer yet.
    under_way: u64,
}

impl Session {
    /// A session whose day begins. `firm` is the one that its orders may name; spaces where they
    /// may name none.
    pub fn new(firm: [u8; 4]) -> Self {
        Self::with_firms(if firm == [b' '; 4] { Box::default() } else { Box::new([firm]) })
    }

    /// The same; `firms` are those that its orders may name.
    pub fn with_firms(firms: Box<[[u8; 4]]>) -> Self {
        Self { firms, numbers: Numbers::default(), under_way: 0 }
    }

    /// Requests passed to the engine that have no answer yet.
    pub const fn under_way(&self) -> u64 {
        self.under_way
    }

    /// Decides on a request. With `full`, new orders are refused because the session's stream is
    /// at its limit; see [`Session::decide`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn request(&mut self, message: &[u8], full: bool) -> Result<Reaction, DecodeError> {
        self.decide(message, full.then_some(RejectReason::Capacity))
    }

    /// Decides on a request. With `refused`, new orders and replaces are refused for that: the
    /// session's stream is at its limit, or the session is too fast. Cancels still go through.
    ///
    /// A [`Reaction::Pass`] must reach the engine: its number is used up by this call.
    ///
    /// # Errors
    /// Bytes that are no OUCH message of a client. There is no number to answer to, and no way to
    /// know what was meant: close the connection.
    #[inline]
    pub fn decide(
        &mut self,
        message: &[u8],
        refused: Option<RejectReason>,
    ) -> Result<Reaction, DecodeError> {
        let reaction = match Message::decode(message)? {
            Message::Enter(message, options) => self.enter(message, options, refused),
            Message::Replace(message, options) => self.replace(message, options, refused),
            Message::Cancel(message, options) => cancel(message, options),
            Message::Modify(..) => Reaction::Ignore(Ignored::Modify),
            Message::AccountQuery(_, options) => query(options),
            Message::MassCancel(m, _) => self.not_offered(m.user_ref_num.get(), m.message_type),
            Message::DisableEntry(m, _) => self.not_offered(m.user_ref_num.get(), m.message_type),
            Message::EnableEntry(m, _) => self.not_offered(m.user_ref_num.get(), m.message_type),
        };
        if let Reaction::Pass(_) = reaction {
            self.under_way += 1;
        }
        Ok(reaction)
    }

    #[inline]
    fn enter(
        &mut self,
        message: &inbound::Enter,
        options: Appendage<'_>,
        refused: Option<RejectReason>,
    ) -> Reaction {
        let number = message.user_ref_num.get();
        match self.numbers.take(number) {
            Verdict::New => {}
            Verdict::Used => return Reaction::Ignore(Ignored::Retransmission),
            Verdict::Unknown => return Reaction::Wait,
        }
        let order = match refused {
            Some(reason) => Err(Invalid { reason, observed: 0 }),
            None => validate::enter(message, options, &self.firms),
        };
        Reaction::Pass(match order {
            Ok(order) => Action::Enter(order),
            Err(invalid) => refuse(number, invalid, enter_attributes(message)),
        })
    }

    #[inline]
    fn replace(
        &mut self,
        message: &inbound::Replace,
        options: Appendage<'_>,
        refused: Option<RejectReason>,
    ) -> Reaction {
        let number = message.user_ref_num.get();
        match self.numbers.take(number) {
            Verdict::New => {}
            Verdict::Used => return Reaction::Ignore(Ignored::Retransmission),
            Verdict::Unknown => return Reaction::Wait,
        }
        let attributes = replace_attributes(message);
        if let Some(reason) = refused {
            return Reaction::Pass(refuse(number, Invalid { reason, observed: 0 }, attributes));
        }
        let replacement = validate::replace(message, options, &self.firms);
        Reaction::Pass(Action::Replace(replacement.unwrap_or_else(|_| Replace {
            original: OrderToken(message.original.get()),
            token: OrderToken(number),
            quantity: Quantity::ZERO,
            limit: None,
            time_in_force: None,
            priority: Priority::New,
            attributes,
        })))
    }

    /// A request with a number of its own that the venue does not offer.
    fn not_offered(&mut self, number: u32, message_type: u8) -> Reaction {
        match self.numbers.take(number) {
            Verdict::New => {}
            Verdict::Used => return Reaction::Ignore(Ignored::Retransmission),
            Verdict::Unknown => return Reaction::Wait,
        }
        let observed = option::MESSAGE + u64::from(message_type);
        let invalid = Invalid { reason: RejectReason::InvalidOption, observed };
        Reaction::Pass(refuse(number, invalid, Attributes::default()))
    }

    /// Takes an event into account and gives the message that tells it; `None` for events that
    /// OUCH does not tell.
    #[inline]
    pub fn answer(&mut self, event: &Event) -> Option<Answer> {
        if is_first_answer(event) {
            self.under_way = self.under_way.saturating_sub(1);
        }
        match event.outcome {
            Outcome::Accepted { .. } | Outcome::Rejected { .. } | Outcome::Replaced { .. } => {
                self.numbers.consumed(event.token.0);
            }
            Outcome::ReplaceRejected { .. }
            | Outcome::Canceled { reason: CancelReason::InvalidReplace, .. } => {
                self.numbers.answered();
            }
            Outcome::CancelRejected if event.token == QUERY => {
                return Some(Answer::next_number(event.time, self.numbers.next()));
            }
            Outcome::Canceled { .. }
            | Outcome::Executed { .. }
            | Outcome::CancelRejected
            | Outcome::Triggered
            | Outcome::Checked { .. }
            | Outcome::Modified { .. }
            | Outcome::MassCanceled { .. }
            | Outcome::Indicative { .. }
            | Outcome::Auction { .. }
            | Outcome::TapeImbalance { .. }
            | Outcome::State { .. } => {}
        }
        Answer::of(event)
    }
}

/// The number that no order has: an account query asks the engine to cancel it.
const QUERY: OrderToken = OrderToken(0);

/// Whether the event is the one that answers a request; what follows it (executions, the end of
/// the day) is told without having been asked for again.
#[inline]
pub const fn is_first_answer(event: &Event) -> bool {
    match event.outcome {
        Outcome::Accepted { .. }
        | Outcome::Rejected { .. }
        | Outcome::Replaced { .. }
        | Outcome::CancelRejected
        | Outcome::ReplaceRejected { .. }
        | Outcome::Checked { .. }
        | Outcome::Modified { .. }
        | Outcome::MassCanceled { .. } => true,
        Outcome::Canceled { reason, .. } => {
            matches!(reason, CancelReason::UserRequest | CancelReason::InvalidReplace)
        }
        Outcome::Executed { .. }
        | Outcome::Triggered
        | Outcome::Indicative { .. }
        | Outcome::Auction { .. }
        | Outcome::TapeImbalance { .. }
        | Outcome::State { .. } => false,
    }
}

/// The firm that a new order names, if it names one.
pub(super) fn firm_of(message: &[u8]) -> Option<[u8; 4]> {
    let Ok(Message::Enter(_, options)) = Message::decode(message) else { return None };
    options.get(Tag::Firm).and_then(|option| option.value.try_into().ok())
}

fn refuse(number: u32, invalid: Invalid, attributes: Attributes) -> Action {
    let Invalid { reason, observed } = invalid;
    Action::Refuse(Refuse { token: OrderToken(number), reason, observed, attributes })
}

#[inline]
fn cancel(message: &inbound::Cancel, options: Appendage<'_>) -> Reaction {
    let token = OrderToken(message.user_ref_num.get());
    if token == QUERY || names_another_channel(options) {
        return Reaction::Ignore(Ignored::NoSuchOrder);
    }
    Reaction::Pass(Action::Cancel(Cancel { token, quantity: Quantity(message.quantity.get()) }))
}

fn query(options: Appendage<'_>) -> Reaction {
    if names_another_channel(options) {
        return Reaction::Ignore(Ignored::NoSuchOrder);
    }
    Reaction::Pass(Action::Cancel(Cancel { token: QUERY, quantity: Quantity::ZERO }))
}

fn names_another_channel(options: Appendage<'_>) -> bool {
    validate::offered(options, allowed::CHANNEL_ONLY, &[]).is_err()
}
