//! What can be asked of either protocol with the same words, and what is told.

use std::fmt;

use spindle_engine::command::{OrderSide, TimeInForce};
use spindle_types::{Price, Quantity, Symbol};
use thiserror::Error;

use crate::client::SendError;
use crate::client::fix::FixSendError;

/// A client's number of an order: UserRefNum of OUCH, ClOrdID of FIX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(pub u64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An order as both protocols can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Buy, or how it sells.
    pub side: OrderSide,
    /// Shares.
    pub quantity: Quantity,
    /// The instrument.
    pub symbol: Symbol,
    /// The limit in 1/10,000; `None` is a market order.
    pub limit: Option<Price>,
    /// How long it stays.
    pub time_in_force: TimeInForce,
}

impl Order {
    /// A limit order to buy, for the day.
    pub const fn buy(shares: u32, symbol: Symbol, limit: Price) -> Self {
        Self::day(OrderSide::Buy, shares, symbol, limit)
    }

    /// A limit order to sell, for the day.
    pub const fn sell(shares: u32, symbol: Symbol, limit: Price) -> Self {
        Self::day(OrderSide::Sell, shares, symbol, limit)
    }

    const fn day(side: OrderSide, shares: u32, symbol: Symbol, limit: Price) -> Self {
        let (quantity, limit) = (Quantity(shares), Some(limit));
        Self { side, quantity, symbol, limit, time_in_force: TimeInForce::Day }
    }

    /// The same order; what does not execute at once is cancelled.
    #[must_use]
    pub const fn immediate_or_cancel(self) -> Self {
        Self { time_in_force: TimeInForce::ImmediateOrCancel, ..self }
    }
}

/// What the venue said of an order, or of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// The order stands, or at least stood.
    Accepted {
        /// The order.
        id: OrderId,
        /// The venue's number for it.
        reference: u64,
        /// Shares open.
        open: u32,
    },
    /// The second stands in the place of the first.
    Replaced {
        /// The order that is gone.
        original: OrderId,
        /// The order that stands.
        id: OrderId,
        /// Shares open.
        open: u32,
    },
    /// Shares were executed.
    Executed {
        /// The order.
        id: OrderId,
        /// Shares, now.
        quantity: u32,
        /// At which price.
        price: Price,
        /// Shares still open.
        open: u32,
    },
    /// Shares were taken off.
    Canceled {
        /// The order.
        id: OrderId,
        /// Shares, now.
        quantity: u32,
        /// Shares still open.
        open: u32,
        /// Why, in the protocol's words.
        why: String,
    },
    /// The order or the replacement with this number is refused.
    Rejected {
        /// The number of the request.
        id: OrderId,
        /// Why, in the protocol's words.
        why: String,
    },
    /// A cancel or a replacement found nothing to do; over OUCH nothing is said then.
    NotDone {
        /// The order that was meant, as far as the venue says.
        id: Option<OrderId>,
        /// Why, in the protocol's words.
        why: String,
    },
    /// Something happened to an order that this client does not know: over FIX, one that was entered over an earlier
    /// connection.
    Elsewhere {
        /// What.
        what: String,
    },
    /// The connection is over.
    Disconnected {
        /// Why.
        why: String,
    },
}

impl OrderEvent {
    /// Whether nothing more comes after it.
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Disconnected { .. })
    }
}

/// A price in 1/10,000 as it is read: 10.0100.
pub(super) struct Money(pub(super) Price);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.0.0 / 10_000, self.0.0 % 10_000)
    }
}

impl fmt::Display for OrderEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { id, reference, open } => {
                write!(f, "{id} accepted: {open} open, the venue's number {reference}")
            }
            Self::Replaced { original, id, open } => {
                write!(f, "{id} stands in the place of {original}: {open} open")
            }
            Self::Executed { id, quantity, price, open } => {
                write!(f, "{id} executed: {quantity} at {}, {open} open", Money(*price))
            }
            Self::Canceled { id, quantity, open, why } => {
                write!(f, "{id} canceled: {quantity} taken off ({why}), {open} open")
            }
            Self::Rejected { id, why } => write!(f, "{id} rejected: {why}"),
            Self::NotDone { id: Some(id), why } => write!(f, "{id} not changed: {why}"),
            Self::NotDone { id: None, why } => write!(f, "not done: {why}"),
            Self::Elsewhere { what } => what.fmt(f),
            Self::Disconnected { why } => write!(f, "disconnected: {why}"),
        }
    }
}

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TradingError {
    /// Over OUCH.
    #[error(transparent)]
    Ouch(#[from] SendError),
    /// Over FIX.
    #[error(transparent)]
    Fix(#[from] FixSendError),
    /// This client has entered no such order, or it is not open any more.
    #[error("no open order {0} of this client")]
    NotOpen(OrderId),
}

/// An order as the client knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its number.
    pub id: OrderId,
    /// What was asked for: the quantity is that of the whole chain of replacements.
    pub order: Order,
    /// Shares open; until the venue has answered, those asked for.
    pub open: u32,
    /// Shares executed.
    pub executed: u32,
    /// Whether the venue has accepted it.
    pub accepted: bool,
}
