//! What a market message does, whatever protocol carried it.
//!
//! Every feed's decoder turns its messages into these; the engine knows nothing else of a feed.

use spindle_types::{
    EventTime, InstrumentId, MatchNumber, OrderReference, Price, Quantity, Side, Symbol, keep,
};

pub use crate::state::TradingState;
use crate::state::{Imbalance, Reason, StateChange};

/// One message of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketEvent {
    /// The time inside the message.
    pub time: EventTime,
    /// The instrument; 0 where none applies.
    pub instrument: InstrumentId,
    /// What happened.
    pub action: MarketAction,
}

/// What happened in the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketAction {
    /// A displayed order enters at the back of its level.
    Add {
        /// Its reference, new.
        reference: OrderReference,
        /// Its side.
        side: Side,
        /// Displayed shares.
        quantity: Quantity,
        /// Displayed price.
        price: Price,
        /// The instrument's symbol, for who joined after the directory.
        symbol: Symbol,
    },
    /// A displayed order is executed at its own price.
    Execute {
        /// The order.
        reference: OrderReference,
        /// Shares executed now.
        quantity: Quantity,
        /// Match number.
        match_number: MatchNumber,
    },
    /// A displayed order is executed at another price.
    ExecuteAt {
        /// The order.
        reference: OrderReference,
        /// Shares executed now.
        quantity: Quantity,
        /// Match number.
        match_number: MatchNumber,
        /// The price of the trade; the order keeps its own.
        price: Price,
        /// Whether the trade counts as volume (it does not where a cross prints it again).
        printable: bool,
    },
    /// Part of an order is cancelled; it keeps its place.
    Reduce {
        /// The order.
        reference: OrderReference,
        /// Shares taken off.
        quantity: Quantity,
    },
    /// The rest of an order is cancelled.
    Delete {
        /// The order.
        reference: OrderReference,
    },
    /// An order goes and another, on its side, enters at the back of its level.
    Replace {
        /// The order that goes.
        reference: OrderReference,
        /// The order that comes.
        new_reference: OrderReference,
        /// Displayed shares of the new order.
        quantity: Quantity,
        /// Displayed price of the new order.
        price: Price,
    },
    /// An execution against an order that was not displayed.
    Trade {
        /// Shares.
        quantity: Quantity,
        /// Price.
        price: Price,
        /// Match number.
        match_number: MatchNumber,
    },
    /// The bulk print of a cross.
    Cross {
        /// Shares; may be 0.
        quantity: u64,
        /// Cross price.
        price: Price,
        /// Which cross.
        kind: Cross,
        /// Match number.
        match_number: MatchNumber,
    },
    /// The instrument's symbol for the day.
    Directory {
        /// Symbol.
        symbol: Symbol,
        /// Shares in a round lot.
        round_lot: u32,
    },
    /// The instrument's trading state.
    Status {
        /// The new state.
        state: TradingState,
        /// Why.
        reason: Reason,
    },
    /// Another state of the instrument or of the market.
    State(StateChange),
    /// What the next cross of the instrument would give.
    Imbalance(Imbalance),
    /// An event of the whole day.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// A message without effect on books or orders.
    Other,
}

impl MarketAction {
    /// A trading state without a reason.
    pub const fn status(state: TradingState) -> Self {
        Self::Status { state, reason: Reason::NONE }
    }
}

/// Which cross printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum Cross {
    /// Opening cross.
    Opening,
    /// Closing cross.
    Closing,
    /// Cross after a halt, a pause or for an IPO.
    Halt,
    /// A cross that this edition does not name.
    Other,
}

impl Cross {
    /// The name in logs, tables and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Closing => "closing",
            Self::Halt => "halt",
            Self::Other => "other",
        }
    }
}

/// Where in its day the market is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum Phase {
    /// First message of the day.
    StartOfMessages,
    /// Orders are taken.
    StartOfSystemHours,
    /// The market opens.
    StartOfMarketHours,
    /// The market closes.
    EndOfMarketHours,
    /// No new orders.
    EndOfSystemHours,
    /// Last message of the day.
    EndOfMessages,
}

impl Phase {
    /// The name in logs, tables and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartOfMessages => "start_of_messages",
            Self::StartOfSystemHours => "start_of_system_hours",
            Self::StartOfMarketHours => "start_of_market_hours",
            Self::EndOfMarketHours => "end_of_market_hours",
            Self::EndOfSystemHours => "end_of_system_hours",
            Self::EndOfMessages => "end_of_messages",
        }
    }

    /// Whether the market has not opened yet.
    pub const fn is_before_the_open(self) -> bool {
        matches!(self, Self::StartOfMessages | Self::StartOfSystemHours)
    }
}
