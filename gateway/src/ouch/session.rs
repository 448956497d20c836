//! One account's OUCH conversation: requests become the engine's commands, events become messages.
//!
//! Bytes and events in, decisions out. It outlives connections: its state is the day's.
//!
//! Every request that has an answer goes to the engine, so that answers keep the order of the
//! requests. One with an invalid detail goes as [`Action::Refuse`]. An invalid Replace goes with
//! quantity 0, because OUCH then cancels the original, if it is open, and leaves the new number
//! unused. What only asks, or changes nothing but the session (an account query, disable and enable)
//! goes as a cancel of number 0, which no order can have: the answer comes back when everything
//! before it is answered.

use std::collections::VecDeque;

use spindle_engine::command::{
    Action, Attributes, Cancel, MassCancel, Modify, Priority, Refuse, Replace,
};
use spindle_engine::event::{CancelReason, Event, Outcome, RejectReason};
use spindle_types::{OrderToken, Quantity, SessionId, Side, Symbol, keep};

use super::answer::Answer;
use super::codes::option;
use super::inbound::{self, Message};
use super::numbers::{Numbers, Verdict};
use super::remark::{Name, Remark};
use super::tag::{Tag, allowed};
use super::terms::{Standing, Terms, check};
use super::validate::{self, Invalid, enter_attributes, replace_attributes};
use super::{Appendage, DecodeError};

/// Requests without an answer at most; with more, nothing is read.
const ASKED_MAX: usize = 8_192;

/// Orders with options that are open at once at most.
const STANDING_MAX: usize = 16_384;

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Pass it to the engine.
    Pass(Action),
    /// Ask again when the engine has answered more: whether the request's number is new depends on
    /// what is under way, or too much is.
    Wait,
    /// Nothing, by the protocol's rules.
    Ignore(Ignored),
}

/// Why a request is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Its number or token was used before: a retransmission. In OUCH 5.0 also number 0.
    Retransmission,
    /// It names number 0 or an order of a channel that the account does not have, carries an
    /// option that it may not, or asks for what the protocol has no refusal for.
    NoSuchOrder,
}

/// A request that was passed to the engine and has no answer yet. Answers come in the order of the
/// requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
enum Asked {
    /// A new order, a cancel or a modify: the event says everything.
    Plain,
    /// A replacement under this number.
    Replace(u32),
    /// The next number.
    Query,
    /// No more orders.
    Disable { number: u32, firm: [u8; 4] },
    /// Orders again.
    Enable { number: u32, firm: [u8; 4] },
    /// A mass cancel, and whether its answer was sent.
    MassCancel { number: u32, firm: [u8; 4], symbol: [u8; 8], side: Option<u8>, told: bool },
    /// The orders of a session that is gone are cancelled: nobody asked.
    CancelOnDisconnect,
}

/// The state of one account.
#[derive(Clone, Debug, keep::State)]
pub struct Session {
    #[keep(skip)]
    id: SessionId,
    #[keep(skip)]
    firms: Box<[[u8; 4]]>,
    numbers: Numbers,
    /// The firms of which the client has disabled order entry, and whether that of all.
    disabled: Vec<[u8; 4]>,
    all_disabled: bool,
    asked: VecDeque<Asked>,
    standing: Standing,
    #[keep(skip)]
    remark: Option<Remark>,
}

impl Session {
    /// A session whose day begins. `firm` is the one that its orders may name; spaces where they
    /// may name none.
    pub fn new(id: SessionId, firm: [u8; 4]) -> Self {
        Self::with_firms(id, if firm == BLANK { Box::default() } else { Box::new([firm]) })
    }

    /// The same; `firms` are those that its orders may name.
    pub fn with_firms(id: SessionId, firms: Box<[[u8; 4]]>) -> Self {
        Self {
            id,
            numbers: Numbers::default(),
            disabled: Vec::with_capacity(firms.len()),
            all_disabled: false,
            firms,
            asked: VecDeque::with_capacity(ASKED_MAX),
            standing: Standing::new(STANDING_MAX),
            remark: None,
        }
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
        if self.asked.len() >= ASKED_MAX {
            return Ok(Reaction::Wait);
        }
        let decoded = Message::decode(message)?;
        let decided = match decoded {
            Message::Enter(enter, options) => self.enter(enter, options, refused),
            Message::Replace(replace, options) => self.replace(replace, options, refused),
            Message::Cancel(cancel, options) => self.cancel(cancel, options),
            Message::Modify(modify, options) => self.modify(modify, options),
            Message::AccountQuery(_, options) => self.query(options),
            Message::MassCancel(mass, options) => self.mass_cancel(mass, options),
            Message::DisableEntry(m, options) => {
                self.switch(m.user_ref_num.get(), m.firm, options, true)
            }
            Message::EnableEntry(m, options) => {
                self.switch(m.user_ref_num.get(), m.firm, options, false)
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

    /// Takes a new number.
    #[inline]
    fn take(&mut self, number: u32) -> Result<(), Reaction> {
        match self.numbers.take(number) {
            Verdict::New => Ok(()),
            Verdict::Used => Err(Reaction::Ignore(Ignored::Retransmission)),
            Verdict::Unknown => Err(Reaction::Wait),
        }
    }

    fn remark(&mut self, number: u32, invalid: Invalid) {
        self.remark = Some(Remark::new(Name::Number(number), invalid.name(), invalid.observed));
    }

    fn refuse(&mut self, number: u32, invalid: Invalid, attributes: Attributes) -> Action {
        self.remark(number, invalid);
        let Invalid { reason, observed } = invalid;
        Action::Refuse(Refuse { token: OrderToken(number), reason, observed, attributes })
    }

    /// Why no order for this firm is taken.
    #[inline]
    fn why_no_orders(
        &self,
        refused: Option<RejectReason>,
        firm: Option<[u8; 4]>,
    ) -> Option<Invalid> {
        if let Some(reason) = refused {
            return Some(Invalid { reason, observed: 0 });
        }
        let is_disabled = self.all_disabled
            || !self.disabled.is_empty()
                && firm
                    .or(self.firms.first().copied())
                    .is_some_and(|firm| self.disabled.contains(&firm));
        is_disabled.then_some(DISABLED)
    }

    #[inline]
    fn enter(
        &mut self,
        message: &inbound::Enter,
        options: Appendage<'_>,
        refused: Option<RejectReason>,
    ) -> Result<(Asked, Action), Reaction> {
        let number = message.user_ref_num.get();
        self.take(number)?;
        let order = match self.why_no_orders(refused, firm_named(options)) {
            Some(invalid) => Err(invalid),
            None => validate::enter(message, options, &self.firms),
        };
        let kept = order.and_then(|(order, terms)| {
            if self.standing.keep(number, terms) { Ok(order) } else { Err(NO_ROOM) }
        });
        let action = match kept {
            Ok(order) => Action::Enter(order),
            Err(invalid) => self.refuse(number, invalid, enter_attributes(message)),
        };
        Ok((Asked::Plain, action))
    }

    #[inline]
    fn replace(
        &mut self,
        message: &inbound::Replace,
        options: Appendage<'_>,
        refused: Option<RejectReason>,
    ) -> Result<(Asked, Action), Reaction> {
        let (original, number) = (message.original.get(), message.user_ref_num.get());
        self.take(number)?;
        let attributes = replace_attributes(message);
        let terms = self.standing.get(original);
        if let Some(invalid) = self.why_no_orders(refused, terms.firm()) {
            return Ok((Asked::Plain, self.refuse(number, invalid, attributes)));
        }
        let asked = Asked::Replace(number);
        let invalid = match validate::replace(message, options, &terms, &self.firms) {
            Ok((replacement, terms)) if self.standing.keep(number, terms) => {
                return Ok((asked, Action::Replace(replacement)));
            }
            Ok(_) => return Ok((Asked::Plain, self.refuse(number, NO_ROOM, attributes))),
            Err(invalid) => invalid,
        };
        self.remark(number, invalid);
        let nothing = Replace {
            original: OrderToken(original),
            token: OrderToken(number),
            quantity: Quantity::ZERO,
            limit: None,
            time_in_force: None,
            priority: Priority::New,
            attributes,
        };
        Ok((asked, Action::Replace(nothing)))
    }

    #[inline]
    fn cancel(
        &mut self,
        message: &inbound::Cancel,
        options: Appendage<'_>,
    ) -> Result<(Asked, Action), Reaction> {
        let token = self.named(message.user_ref_num.get(), options, allowed::CHANNEL_ONLY)?;
        let quantity = Quantity(message.quantity.get());
        Ok((Asked::Plain, Action::Cancel(Cancel { token, quantity })))
    }

    fn modify(
        &mut self,
        message: &inbound::Modify,
        options: Appendage<'_>,
    ) -> Result<(Asked, Action), Reaction> {
        let number = message.user_ref_num.get();
        let token = self.named(number, options, allowed::MODIFY)?;
        let side = validate::side(message.side).map_err(|invalid| self.ignore(number, invalid))?;
        let quantity = Quantity(message.quantity.get());
        Ok((Asked::Plain, Action::Modify(Modify { token, side, quantity })))
    }

    /// The order that a request names; it must be of the one channel that there is.
    #[inline]
    fn named(
        &mut self,
        number: u32,
        options: Appendage<'_>,
        allowed: super::tag::TagSet,
    ) -> Result<OrderToken, Reaction> {
        if number == NOBODY.0 {
            return Err(Reaction::Ignore(Ignored::NoSuchOrder));
        }
        if !options.as_bytes().is_empty() {
            check(options, allowed).map_err(|invalid| self.ignore(number, invalid))?;
        }
        Ok(OrderToken(number))
    }

    fn ignore(&mut self, number: u32, invalid: Invalid) -> Reaction {
        self.remark(number, invalid);
        Reaction::Ignore(Ignored::NoSuchOrder)
    }

    fn query(&mut self, options: Appendage<'_>) -> Result<(Asked, Action), Reaction> {
        check(options, allowed::CHANNEL_ONLY).map_err(|invalid| self.ignore(0, invalid))?;
        Ok((Asked::Query, ASK))
    }

    fn mass_cancel(
        &mut self,
        message: &inbound::MassCancel,
        options: Appendage<'_>,
    ) -> Result<(Asked, Action), Reaction> {
        let number = message.user_ref_num.get();
        self.take(number)?;
        let given = options.get(Tag::Side).and_then(|option| option.value.first().copied());
        let side = match given {
            None => Ok(None),
            Some(b'B') => Ok(Some(Side::Buy)),
            Some(b'S') => Ok(Some(Side::Sell)),
            // Sales are not told apart.
            Some(_) => Err(Invalid::option(Tag::Side)),
        };
        let side = check(options, allowed::MASS_CANCEL)
            .and_then(|()| self.own_firm(message.firm))
            .and(side);
        let side = match side {
            Ok(side) => side,
            Err(invalid) => {
                let action = self.refuse(number, invalid, Attributes::default());
                return Ok((Asked::Plain, action));
            }
        };
        let (firm, symbol) = (message.firm, message.symbol);
        let mass = MassCancel {
            token: OrderToken(number),
            account: None,
            session: Some(self.id),
            symbol: (symbol != *b"        ").then_some(Symbol(symbol)),
            side,
        };
        let asked = Asked::MassCancel { number, firm, symbol, side: given, told: false };
        Ok((asked, Action::MassCancel(mass)))
    }

    /// Disables order entry, or enables it again. It holds for what comes behind it.
    fn switch(
        &mut self,
        number: u32,
        firm: [u8; 4],
        options: Appendage<'_>,
        disables: bool,
    ) -> Result<(Asked, Action), Reaction> {
        self.take(number)?;
        let good = check(options, allowed::CHANNEL_ONLY).and_then(|()| self.own_firm(firm));
        if let Err(invalid) = good {
            return Ok((Asked::Plain, self.refuse(number, invalid, Attributes::default())));
        }
        match (firm == BLANK, disables) {
            (true, _) => {
                self.all_disabled = disables;
                self.disabled.clear();
            }
            (false, true) if !self.disabled.contains(&firm) => self.disabled.push(firm),
            (false, true) => {}
            (false, false) => self.disabled.retain(|disabled| *disabled != firm),
        }
        let asked = match disables {
            true => Asked::Disable { number, firm },
            false => Asked::Enable { number, firm },
        };
        Ok((asked, ASK))
    }

    fn own_firm(&self, firm: [u8; 4]) -> Result<(), Invalid> {
        match firm == BLANK || self.firms.contains(&firm) {
            true => Ok(()),
            false => Err(Invalid::option(Tag::Firm)),
        }
    }

    /// The orders of this session are to be cancelled because it is gone; `None` while too much is
    /// under way. What it gives must reach the engine.
    pub fn cancel_all(&mut self) -> Option<Action> {
        if self.asked.len() >= ASKED_MAX {
            return None;
        }
        self.asked.push_back(Asked::CancelOnDisconnect);
        let session = Some(self.id);
        Some(Action::MassCancel(MassCancel { token: NOBODY, session, ..MassCancel::default() }))
    }

    /// Takes an event into account and tells the messages that OUCH has for it, none or up to two.
    #[inline]
    pub fn answer(&mut self, event: &Event, mut tell: impl FnMut(&Answer)) {
        let asked = if is_first_answer(event) { self.asked.pop_front() } else { None };
        let number = event.token.0;
        let mut terms = Terms::PLAIN;
        match event.outcome {
            Outcome::Accepted { live, .. } => {
                self.numbers.consumed(number);
                terms = self.standing.get(number);
                if !live {
                    self.standing.forget(number);
                }
            }
            Outcome::Replaced { original, .. } => {
                self.numbers.consumed(number);
                terms = self.standing.get(number);
                self.standing.forget(original.0);
            }
            Outcome::Rejected { .. } => {
                self.numbers.consumed(number);
                self.standing.forget(number);
                if let Some(Asked::MassCancel { told: true, .. }) = asked {
                    return;
                }
            }
            Outcome::ReplaceRejected { .. } => self.unused(asked),
            Outcome::Canceled { reason: CancelReason::InvalidReplace, .. } => {
                self.unused(asked);
                self.standing.forget(number);
            }
            Outcome::Canceled { reason: CancelReason::MassCancel, open, .. } => {
                // What is cancelled while a mass cancel is the next to be answered is told behind its answer.
                if let Some(front) = self.asked.front_mut()
                    && let Some(answer) = front.begin(event)
                {
                    tell(&answer);
                }
                self.gone(number, open);
            }
            Outcome::Canceled { open, .. } | Outcome::Executed { open, .. } => {
                self.gone(number, open);
            }
            Outcome::CancelRejected | Outcome::MassCanceled { .. } => {
                if let Some(answer) = asked.and_then(|asked| self.done(asked, event)) {
                    tell(&answer);
                }
                return;
            }
            Outcome::Modified { .. }
            | Outcome::Triggered
            | Outcome::Checked { .. }
            | Outcome::Indicative { .. }
            | Outcome::Auction { .. }
            | Outcome::TapeImbalance { .. }
            | Outcome::State { .. } => {}
        }
        if let Some(answer) = Answer::of(event, terms) {
            tell(&answer);
        }
    }

    #[inline]
    fn gone(&mut self, number: u32, open: Quantity) {
        if open.is_zero() {
            self.standing.forget(number);
        }
    }

    /// A replacement came to nothing: its number stays unused.
    fn unused(&mut self, asked: Option<Asked>) {
        self.numbers.answered();
        if let Some(Asked::Replace(number)) = asked {
            self.standing.forget(number);
        }
    }

    /// The answer to what was not about one order.
    fn done(&mut self, asked: Asked, event: &Event) -> Option<Answer> {
        let mut asked = asked;
        match asked {
            Asked::Plain | Asked::Replace(_) | Asked::CancelOnDisconnect => None,
            Asked::Query => Some(Answer::next_number(event.time, self.numbers.next())),
            Asked::Disable { number, firm } => {
                self.numbers.consumed(number);
                Some(Answer::disabled(event.time, number, firm))
            }
            Asked::Enable { number, firm } => {
                self.numbers.consumed(number);
                Some(Answer::enabled(event.time, number, firm))
            }
            Asked::MassCancel { number, .. } => {
                self.numbers.consumed(number);
                asked.begin(event)
            }
        }
    }
}

impl Asked {
    /// The answer to a mass cancel, once; it comes ahead of what was cancelled.
    fn begin(&mut self, event: &Event) -> Option<Answer> {
        match self {
            Self::MassCancel { number, firm, symbol, side, told } if !*told => {
                *told = true;
                Some(Answer::mass_cancel(event.time, *number, *firm, *symbol, *side))
            }
            _ => None,
        }
    }
}

/// The firm of a request that names none.
const BLANK: [u8; 4] = [b' '; 4];

/// The firm that an order names by an option.
fn firm_named(options: Appendage<'_>) -> Option<[u8; 4]> {
    if options.as_bytes().is_empty() {
        return None;
    }
    let named = options.get(Tag::Firm).and_then(|option| option.value.try_into().ok());
    named.filter(|firm| *firm != BLANK)
}

/// The firm that a new order or a mass cancel names, if it names one.
pub(super) fn firm_of(message: &[u8]) -> Option<[u8; 4]> {
    match Message::decode(message) {
        Ok(Message::Enter(_, options)) => firm_named(options),
        Ok(Message::MassCancel(mass, _)) => Some(mass.firm).filter(|firm| *firm != BLANK),
        _ => None,
    }
}

/// The number that no order has.
const NOBODY: OrderToken = OrderToken(0);

/// A cancel that finds nothing: it comes back when everything before it is answered.
const ASK: Action = Action::Cancel(Cancel { token: NOBODY, quantity: Quantity::ZERO });

/// Whether the event is the one that answers a request; what follows it (executions, the end of
/// the day) is told without having been asked for again.
#[inline]
pub const fn is_first_answer(event: &Event) -> bool {
    match event.outcome {
        Outcome::Accepted { .. }
        | Outcome::Rejected { .. }
        | Outcome::Replaced { .. }
        | Outcome::Modified { .. }
        | Outcome::CancelRejected
        | Outcome::ReplaceRejected { .. }
        | Outcome::Checked { .. }
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

/// The room for what the session's orders ask for is used up.
const NO_ROOM: Invalid = Invalid { reason: RejectReason::Capacity, observed: 0 };

/// The client has disabled order entry.
const DISABLED: Invalid =
    Invalid { reason: RejectReason::InvalidOption, observed: option::DISABLED };
