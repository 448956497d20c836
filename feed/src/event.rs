//! What a market message does, whatever protocol carried it.
//!
//! Every feed's decoder turns its messages into these; the engine knows nothing else of a feed.

use spindle_types::{
    EventTime, InstrumentId, MatchNumber, OrderReference, Price, Quantity, Side, Symbol,
};

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
    },
    /// An event of the whole day.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// A message without effect on books or orders.
    Other,
}

/// Which cross printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Whether an instrument trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TradingState {
    /// Continuous trading.
    #[default]
    Trading,
    /// Halted.
    Halted,
    /// Paused by a volatility limit.
    Paused,
    /// Quotes are taken, nothing executes.
    QuotationOnly,
}

/// Where in its day the market is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
