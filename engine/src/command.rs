//! What the engine is asked to do: the plain values that travel from a gateway to it.

use spindle_risk::Sale;
use spindle_types::{
    AccountId, EventTime, OrderToken, Price, Quantity, SessionId, Side, Symbol, keep,
};

use crate::event::RejectReason;

/// One request of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Command {
    /// The time at which the request is sequenced. The engine asks no clock: its duty cycle writes
    /// the time here as it takes the request from the ring, and a journal brings it back.
    pub time: EventTime,
    /// Who asks.
    pub session: SessionId,
    /// For which account.
    pub account: AccountId,
    /// When its bytes were read from the socket, in raw ticks of the process's clock; 0 where
    /// nobody measures. Comes back in every event that answers it and decides nothing.
    pub received: u64,
    /// When it was put into the ring, in raw ticks; 0 where nobody measures.
    pub queued: u64,
    /// What is asked.
    pub action: Action,
}

/// What a session can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum Action {
    /// Enter a new order. Answered by accepted or rejected.
    Enter(Enter),
    /// Replace an open order. Answered by replaced, rejected, canceled or replace-rejected.
    Replace(Replace),
    /// Cancel an open order or part of it. Answered by canceled or cancel-rejected.
    Cancel(Cancel),
    /// Change side or size of an open order in its place. Answered by modified, canceled or
    /// cancel-rejected.
    Modify(Modify),
    /// Cancel every open order that matches. Each is told to its own session; answered by
    /// mass-canceled after the last of them, or rejected.
    MassCancel(MassCancel),
    /// A request that the gateway found invalid. It comes here all the same, so that all answers
    /// of a session keep the order of its requests. Answered by rejected.
    Refuse(Refuse),
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Enter {
    /// The session's number for it, not used before.
    pub token: OrderToken,
    /// The instrument by its symbol.
    pub symbol: Symbol,
    /// Buy, or how it sells.
    pub side: OrderSide,
    /// Shares, at least 1.
    pub quantity: Quantity,
    /// The limit; `None` is an order without one: a market order, a stop that becomes one, a peg
    /// that follows its reference wherever it goes.
    pub limit: Option<Price>,
    /// What it is besides that.
    pub kind: OrderKind,
    /// How it is shown, and what it does on entry.
    pub modifiers: Modifiers,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// What the client wrote and wants to read again.
    pub attributes: Attributes,
}

/// What an order is besides having a limit or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub enum OrderKind {
    /// A limit order, or without a limit a market order.
    #[default]
    Plain,
    /// Comes without a limit and gets the other side's best price as its limit on entry.
    MarketToLimit,
    /// Waits until the market reaches its stop price; is then what it would be without one.
    Stop {
        /// Elects it: a buy by a print at or above, a sell by one at or below.
        stop: Price,
    },
    /// A stop whose stop price follows the market.
    TrailingStop {
        /// The distance, in price units, at least 1.
        trail: Price,
        /// Where the stop price begins if the last print gives no better; needed where there was no
        /// print yet.
        stop: Option<Price>,
    },
    /// Hidden in the middle between the best displayed bid and ask.
    MidpointPeg {
        /// Price units that make it more aggressive; negative: less.
        offset: i32,
    },
    /// Displayed at the best displayed price of its own side.
    PrimaryPeg {
        /// Price units that make it more aggressive; negative: less.
        offset: i32,
    },
}

/// How an order is shown, and what it does on entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct Modifiers {
    /// Shares that are shown at a time; 0 shows all. Less than the quantity makes an iceberg.
    pub display: Quantity,
    /// Not shown at all.
    pub hidden: bool,
    /// Does not trade on entry: refused or moved away, as the account has it.
    pub post_only: bool,
    /// The least that may execute on entry, if anything does; 0 is no such condition.
    pub minimum: Quantity,
    /// Nothing happens but that it is told what would become of the order: answered by checked, and
    /// not counted by the risk gate.
    pub check_only: bool,
}

impl Modifiers {
    /// Shown whole, and nothing special on entry.
    pub const NONE: Self = Self {
        display: Quantity::ZERO,
        hidden: false,
        post_only: false,
        minimum: Quantity::ZERO,
        check_only: false,
    };
}

/// Which orders a mass cancel means: those that match all that is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct MassCancel {
    /// The session's number for the request; comes back in its answer.
    pub token: OrderToken,
    /// Orders of this account.
    pub account: Option<AccountId>,
    /// Orders of this session.
    pub session: Option<SessionId>,
    /// Orders of the instrument with this symbol.
    pub symbol: Option<Symbol>,
    /// Orders of this side.
    pub side: Option<Side>,
}

/// A replacement. Side, symbol, account, kind and modifiers stay as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Replace {
    /// The open order.
    pub original: OrderToken,
    /// The session's number for the replacement, not used before.
    pub token: OrderToken,
    /// Shares of the whole chain of replacements, those already executed included. 0 is what a
    /// gateway sends when it found another detail of the replacement invalid: as with every
    /// quantity that leaves nothing to replace, an open original is cancelled for
    /// [`InvalidReplace`](crate::event::CancelReason::InvalidReplace), and the new number stays
    /// unused.
    pub quantity: Quantity,
    /// The limit; `None` is a market order.
    pub limit: Option<Price>,
    /// How long it stays; `None` as long as the original.
    pub time_in_force: Option<TimeInForce>,
    /// What happens to its place in the queue.
    pub priority: Priority,
    /// What the client wrote and wants to read again. What its protocol does not let it write on a
    /// replacement is 0 and comes from the original: see [`Attributes::or`].
    pub attributes: Attributes,
}

/// Whether a replacement can keep the place of its original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum Priority {
    /// It keeps it when the price stays and the size goes down. FIX, and the engine's own rule.
    KeepWhenReduced,
    /// It goes to the back of its level always. OUCH.
    New,
}

/// A cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Cancel {
    /// The open order.
    pub token: OrderToken,
    /// The size that the order shall have in total, executed shares included: the most that may
    /// ever execute. 0 cancels all that is open.
    pub quantity: Quantity,
}

/// A change of an order in its place: from one kind of sale to another, or to a smaller size. What is not such a change does nothing
/// and is answered as a cancel that does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Modify {
    /// The open order.
    pub token: OrderToken,
    /// Its side, or the one that it shall have: from a sale of what is owned to either kind of short sale, or from an exempt one to one
    /// that is not.
    pub side: OrderSide,
    /// The size that the order shall have in total, executed shares included. What leaves nothing open
    /// cancels the order as the session asked; an open size above that of now does nothing.
    pub quantity: Quantity,
}

/// A request that the gateway found invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Refuse {
    /// The number that the request used.
    pub token: OrderToken,
    /// What is wrong with it.
    pub reason: RejectReason,
    /// What was asked, in the reason's unit; 0 where it has none. Comes back in the answer, whose
    /// `limit` is 0.
    pub observed: u64,
    /// What the client wrote and wants to read again.
    pub attributes: Attributes,
}

/// Buy, or how an order sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum OrderSide {
    /// Buy.
    Buy,
    /// Sell what is owned.
    Sell,
    /// Sell short.
    SellShort,
    /// Sell short, exempt from the price test.
    SellShortExempt,
}

impl OrderSide {
    /// Whether an order of this side can become one of another, or stay as it is, in its place.
    pub const fn may_become(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Buy, Self::Buy)
                | (Self::Sell, Self::Sell | Self::SellShort | Self::SellShortExempt)
                | (Self::SellShortExempt, Self::SellShortExempt | Self::SellShort)
                | (Self::SellShort, Self::SellShort)
        )
    }

    /// The side of the book.
    #[inline]
    pub const fn book_side(self) -> Side {
        match self {
            Self::Buy => Side::Buy,
            Self::Sell | Self::SellShort | Self::SellShortExempt => Side::Sell,
        }
    }

    /// How the risk gate sees it.
    #[inline]
    pub const fn sale(self) -> Sale {
        match self {
            Self::Buy | Self::Sell => Sale::Long,
            Self::SellShort => Sale::Short,
            Self::SellShortExempt => Sale::ShortExempt,
        }
    }
}

/// How long an order stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum TimeInForce {
    /// Until the instrument is closed.
    Day,
    /// What does not execute at once is cancelled.
    ImmediateOrCancel,
    /// All of it executes at once, or nothing does.
    FillOrKill,
    /// Until it is cancelled.
    GoodTillCancel,
    /// Until the first input at or after this time.
    GoodTillDate(EventTime),
    /// For so many seconds from the time of the command: the engine makes a [`TimeInForce::GoodTillDate`] of it, and tells
    /// that.
    GoodFor(u32),
    /// For the opening auction.
    AtOpen,
    /// For the closing auction.
    AtClose,
}

impl TimeInForce {
    /// As it is for an order that comes at this time.
    #[inline]
    #[must_use]
    pub const fn from(self, time: EventTime) -> Self {
        match self {
            Self::GoodFor(seconds) => {
                Self::GoodTillDate(EventTime(time.0.saturating_add(seconds as u64 * 1_000_000_000)))
            }
            other => other,
        }
    }
}

/// Where an instrument is in its day, on a venue that runs its own. Changed by
/// [`Engine::on_phase_change`](crate::Engine::on_phase_change).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, keep::Value)]
pub enum TradingPhase {
    /// Orders are collected for the opening auction.
    PreOpen,
    /// Orders are matched as they come.
    #[default]
    Continuous,
    /// Orders are collected for the halt auction.
    Paused,
    /// No orders are taken.
    Halted,
    /// Orders are collected for the closing auction.
    PreClose,
    /// The day is over; no orders are taken.
    Closed,
}

impl TradingPhase {
    /// Whether orders are taken and do not trade until an auction.
    pub const fn collects(self) -> bool {
        matches!(self, Self::PreOpen | Self::Paused | Self::PreClose)
    }

    /// The name in configurations and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreOpen => "pre_open",
            Self::Continuous => "continuous",
            Self::Paused => "paused",
            Self::Halted => "halted",
            Self::PreClose => "pre_close",
            Self::Closed => "closed",
        }
    }
}

/// How an account's orders behave. Set by [`Engine::set_account`](crate::Engine::set_account).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct AccountSettings {
    /// The group whose orders do not trade with each other, and what happens instead.
    pub self_trade: Option<SelfTrade>,
    /// What happens to a post-only order that would trade on entry.
    pub post_only: PostOnly,
}

/// A group of accounts whose orders do not trade with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct SelfTrade {
    /// The group.
    pub group: u16,
    /// What happens when an order of this account would trade with a resting one of the group.
    pub mode: SelfTradeMode,
}

/// What happens instead of a trade within a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum SelfTradeMode {
    /// What is left of the incoming order is cancelled.
    CancelNewest,
    /// The resting order is cancelled, and matching goes on.
    CancelOldest,
    /// Both.
    CancelBoth,
    /// The smaller open size is taken off both.
    DecrementAndCancel,
}

/// What happens to a post-only order that would trade on entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub enum PostOnly {
    /// It is refused.
    #[default]
    Refuse,
    /// Its limit becomes one tick less aggressive than the other side's best price.
    Slide,
}

/// The steps of an instrument's prices and quantities. Set by
/// [`Engine::set_instrument`](crate::Engine::set_instrument).
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct InstrumentSettings {
    /// Prices of orders are multiples of this many price units; 0 counts as 1.
    pub tick: u32,
    /// Quantities of orders are multiples of this many shares; 0 counts as 1.
    pub lot: u32,
}

impl Default for InstrumentSettings {
    fn default() -> Self {
        Self { tick: 1, lot: 1 }
    }
}

/// What a client wrote on an order and gets back in every answer. The engine keeps it and reads
/// none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Attributes {
    /// The client's own identifier, in the form of its protocol, padded on the right with spaces.
    pub client_order_id: [u8; 20],
    /// OUCH: A agency, P principal, R riskless, O other.
    pub capacity: u8,
    /// OUCH: Y or N.
    pub iso: u8,
    /// OUCH: Y visible, A attributable.
    pub display: u8,
    /// OUCH: N continuous.
    pub cross: u8,
}

impl Attributes {
    /// These attributes, with those that are 0 taken from `original`: a replacement of OUCH has no
    /// capacity and no cross of its own.
    #[must_use]
    pub const fn or(self, original: Self) -> Self {
        const fn either(own: u8, original: u8) -> u8 {
            if own == 0 { original } else { own }
        }
        Self {
            client_order_id: self.client_order_id,
            capacity: either(self.capacity, original.capacity),
            iso: either(self.iso, original.iso),
            display: either(self.display, original.display),
            cross: either(self.cross, original.cross),
        }
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self { client_order_id: [b' '; 20], capacity: b'P', iso: b'N', display: b'Y', cross: b'N' }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_keeps_what_its_protocol_cannot_say() {
        let original = Attributes { capacity: b'A', iso: b'N', ..Attributes::default() };
        let written = Attributes {
            client_order_id: *b"second              ",
            capacity: 0,
            iso: b'Y',
            display: b'A',
            cross: 0,
        };
        let merged = Attributes { capacity: b'A', cross: b'N', ..written };
        assert_eq!(written.or(original), merged);
    }
}
