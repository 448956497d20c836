//! What the engine answers: the plain values that travel from it to a gateway.

use spindle_risk::Check;
use spindle_types::{
    AccountId, EventTime, MatchNumber, OrderReference, OrderToken, Price, Quantity, SessionId,
    Symbol,
};

use crate::command::{Attributes, OrderSide, TimeInForce};

/// Something that happened to an order, told to the session that entered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number of this event in the engine's stream, from 1, without gaps.
    pub sequence: u64,
    /// When it happened, in the engine's sequenced time.
    pub time: EventTime,
    /// Who is told.
    pub session: SessionId,
    /// Whose order.
    pub account: AccountId,
    /// The session's number for the order.
    pub token: OrderToken,
    /// When the bytes of the request behind this event were read from the socket, in raw ticks; 0
    /// for what no request of this session caused.
    pub received: u64,
    /// When the event was put into the ring, in raw ticks; 0 where nobody measures.
    pub queued: u64,
    /// What happened.
    pub outcome: Outcome,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The order is accepted. When `live` is false it was cancelled in the same step and nothing
    /// more follows.
    Accepted {
        /// The venue's number for it.
        reference: OrderReference,
        /// The instrument.
        symbol: Symbol,
        /// As entered.
        side: OrderSide,
        /// Shares.
        quantity: Quantity,
        /// The limit; `None` is a market order.
        limit: Option<Price>,
        /// How long it stays.
        time_in_force: TimeInForce,
        /// Whether it is open after this.
        live: bool,
        /// What the client wrote.
        attributes: Attributes,
    },
    /// The request is refused; nothing changed.
    Rejected {
        /// Why.
        reason: RejectReason,
        /// What would have been allowed, in the reason's unit; 0 where it has none.
        limit: u64,
        /// What was asked, in the reason's unit; 0 where it has none.
        observed: u64,
        /// What the client wrote.
        attributes: Attributes,
    },
    /// The original is gone and this order, under its new token, stands instead.
    Replaced {
        /// The session's number for the original.
        original: OrderToken,
        /// The venue's number for the new order.
        reference: OrderReference,
        /// The instrument.
        symbol: Symbol,
        /// Side of the first order of the chain.
        side: OrderSide,
        /// Open shares now.
        quantity: Quantity,
        /// The limit; `None` is a market order.
        limit: Option<Price>,
        /// How long it stays.
        time_in_force: TimeInForce,
        /// What the client wrote on the replacement, and where its protocol has no place for it,
        /// what it wrote on the original.
        attributes: Attributes,
    },
    /// Shares were taken off.
    Canceled {
        /// How many, now.
        quantity: Quantity,
        /// Shares still open.
        open: Quantity,
        /// Why.
        reason: CancelReason,
    },
    /// Shares were executed.
    Executed {
        /// How many, now.
        quantity: Quantity,
        /// At which price.
        price: Price,
        /// Shares still open.
        open: Quantity,
        /// Whether the order stood or came.
        liquidity: Liquidity,
        /// The number that both sides share.
        match_number: MatchNumber,
    },
    /// A cancel that did nothing: the order is unknown or no longer open, or the cancel takes
    /// nothing off. OUCH says nothing in this case, FIX sends OrderCancelReject.
    CancelRejected,
    /// A replace of an order that is unknown or no longer open, or with a number already used. The
    /// event's token is the number of the replacement, which stays unused. OUCH says nothing in
    /// this case, FIX sends OrderCancelReject.
    ReplaceRejected {
        /// The order that was to be replaced.
        original: OrderToken,
    },
}

/// Whether an order added liquidity to the book or removed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liquidity {
    /// It stood in the book.
    Added,
    /// It came and took.
    Removed,
}

/// Why shares were cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// The session asked.
    UserRequest,
    /// What did not execute at once.
    ImmediateOrCancel,
    /// The details of a replace were invalid; the original is cancelled.
    InvalidReplace,
    /// A market order reached the end of what its protection price allows.
    Protection,
    /// What is left of the order found no room in the book.
    Capacity,
    /// The day is over.
    EndOfDay,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// No instrument has this symbol.
    UnknownInstrument,
    /// The instrument is halted or paused.
    Halted,
    /// The instrument's book has a gap: what it shows is not the market.
    Stale,
    /// The instrument's market is absurd: crossed, or far from where it was a moment ago.
    Quarantined,
    /// The venue takes no orders any more today.
    Closed,
    /// 0, or more than the protocol allows.
    InvalidQuantity,
    /// 0, above the protocol's highest, or off the tick.
    InvalidPrice,
    /// A side that the protocol does not know.
    InvalidSide,
    /// A time in force that the protocol does not know or the venue does not offer.
    InvalidTimeInForce,
    /// A display instruction that the venue does not offer.
    InvalidDisplay,
    /// A cross that the venue does not offer.
    InvalidCross,
    /// A capacity, ISO flag or option that the protocol does not know or the venue does not offer.
    InvalidOption,
    /// The token was used before.
    DuplicateToken,
    /// A table of the venue is full; the order would fit when others are gone.
    Capacity,
    /// A check of the risk gate.
    Risk(Check),
}

impl RejectReason {
    /// The name in logs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownInstrument => "unknown_instrument",
            Self::Halted => "halted",
            Self::Stale => "stale",
            Self::Quarantined => "quarantined",
            Self::Closed => "closed",
            Self::InvalidQuantity => "invalid_quantity",
            Self::InvalidPrice => "invalid_price",
            Self::InvalidSide => "invalid_side",
            Self::InvalidTimeInForce => "invalid_time_in_force",
            Self::InvalidDisplay => "invalid_display",
            Self::InvalidCross => "invalid_cross",
            Self::InvalidOption => "invalid_option",
            Self::DuplicateToken => "duplicate_token",
            Self::Capacity => "capacity",
            Self::Risk(check) => check.name(),
        }
    }
}

// An event fits two cache lines and a command too: a ring slot is copied with a few vector moves.
const _: () = assert!(size_of::<Event>() <= 128);
const _: () = assert!(size_of::<crate::command::Command>() <= 128);
