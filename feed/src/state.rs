//! What a market says of itself and of its instruments, beside orders and trades: who may trade,
//! within which prices, and what the next cross would give.

use spindle_types::{Price, Side, Symbol, keep};

use crate::event::Cross;

/// Whether an instrument trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, keep::Value)]
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

impl TradingState {
    /// The name in logs, tables and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trading => "trading",
            Self::Halted => "halted",
            Self::Paused => "paused",
            Self::QuotationOnly => "quotation",
        }
    }
}

/// Why the trading state is what it is: a code of up to four characters, padded on the right with
/// spaces, as the market gives it (`LUDP` for a volatility pause).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub struct Reason(pub [u8; 4]);

impl Reason {
    /// None was given.
    pub const NONE: Self = Self(*b"    ");

    /// The code without its padding; empty where none was given or where it is no text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0).map_or("", str::trim_end)
    }
}

impl Default for Reason {
    fn default() -> Self {
        Self::NONE
    }
}

/// A market centre, by its code in ITCH 5.0 `h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, keep::Value)]
pub enum MarketCenter {
    /// `Q`: Nasdaq.
    #[default]
    Nasdaq,
    /// `B`: BX, named Nasdaq Texas in later editions.
    Bx,
    /// `X`: PSX.
    Psx,
}

impl MarketCenter {
    /// The name in logs, tables and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nasdaq => "nasdaq",
            Self::Bx => "bx",
            Self::Psx => "psx",
        }
    }

    /// Its bit in a set of market centres.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The prices between which a reopening auction after a volatility pause may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub struct Collar {
    /// The price from which the others were counted.
    pub reference: Price,
    /// The highest price of the auction.
    pub upper: Price,
    /// The lowest price of the auction.
    pub lower: Price,
    /// How often the auction was put off so far.
    pub extension: u32,
}

impl Collar {
    /// Whether an auction may be held at this price.
    pub const fn allows(&self, price: Price) -> bool {
        self.lower.0 <= price.0 && price.0 <= self.upper.0
    }
}

/// The price test of short sales (Regulation SHO, Rule 201).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, keep::Value)]
pub enum ShortSale {
    /// No test.
    #[default]
    Free,
    /// Restricted since the price fell today.
    RestrictedToday,
    /// Restricted since the day before.
    RestrictionRemains,
}

impl ShortSale {
    /// Whether short sales are restricted.
    pub const fn is_restricted(self) -> bool {
        !matches!(self, Self::Free)
    }

    /// The name in logs, tables and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::RestrictedToday => "restricted_today",
            Self::RestrictionRemains => "restriction_remains",
        }
    }
}

/// When an IPO is expected to be released for quotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub struct Release {
    /// Seconds since midnight; 0 where it is cancelled or put off.
    pub seconds: u32,
    /// The price of the IPO; 0 where it is cancelled or put off.
    pub price: Price,
    /// Whether it is cancelled or put off.
    pub is_off: bool,
}

/// What a cross of the market would give, as the market says it (NOII).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub struct Imbalance {
    /// Shares that would be paired at the reference price.
    pub paired: u64,
    /// Shares that would not.
    pub imbalance: u64,
    /// On which side those are; `None` where there are none or too few orders to say.
    pub side: Option<Side>,
    /// The price at which orders for the cross alone would clear; 0 where there is none.
    pub far: Price,
    /// The price at which all orders would clear; 0 where there is none.
    pub near: Price,
    /// The price by which paired shares and imbalance are counted; 0 where there is none.
    pub reference: Price,
    /// Which cross.
    pub kind: Cross,
}

/// A change of state other than an instrument's trading state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum StateChange {
    /// One market centre stops trading the instrument, or goes on, for a reason of its own.
    OperationalHalt {
        /// Which.
        center: MarketCenter,
        /// Whether it stops.
        halted: bool,
    },
    /// The prices for the next reopening auction of the instrument.
    Collar(Collar),
    /// The price test of short sales in the instrument.
    ShortSale(ShortSale),
    /// An IPO's release for quotation; by its symbol, for the message has no instrument.
    Release {
        /// Of which instrument.
        symbol: Symbol,
        /// When and for how much.
        release: Release,
    },
    /// The levels of the market-wide circuit breaker: values of an index, in 1/100,000,000.
    BreakerLevels([u64; 3]),
    /// A level of the market-wide circuit breaker was breached.
    Breaker {
        /// 1, 2 or 3. After the third nothing trades any more today.
        level: u8,
    },
}

/// What a market says of an instrument now, beside its orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct InstrumentState {
    /// Why its trading state is what it is.
    pub reason: Reason,
    /// The market centres that have stopped trading it: bits of [`MarketCenter::bit`].
    pub operational_halts: u8,
    /// Where its next reopening auction may be held.
    pub collar: Option<Collar>,
    /// When it is released for quotation, if it is an IPO.
    pub release: Option<Release>,
}

/// Which crosses an instrument has had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct Crosses {
    /// The opening cross.
    pub opening: bool,
    /// The closing cross.
    pub closing: bool,
}

/// What a market says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct WholeState {
    /// The levels of the circuit breaker, in 1/100,000,000 of an index point.
    pub breaker_levels: Option<[u64; 3]>,
    /// The highest level that was breached; 0 for none.
    pub breaker: u8,
}
