//! What the recorded market can do in a scenario.

use serde::{Deserialize, Serialize};

use super::Side;
use crate::decimal::{Amount, Shares};

/// Something that the recorded market does: it is done as the tape says, and fills strategies'
/// orders by the fill rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tape {
    /// Of which instrument; empty where it is the whole market.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub symbol: String,
    /// What happens.
    pub event: TapeEvent,
    /// The market's order.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u64>,
    /// The order that comes in its place.
    #[serde(rename = "new_ref", default, skip_serializing_if = "Option::is_none")]
    pub new_reference: Option<u64>,
    /// Its side. Of a hidden order that traded it may be left out, for it changes nothing. Of an
    /// imbalance the side that finds nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Shares; of an imbalance those that would be paired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Shares>,
    /// Its price, or that of the trade; of a collar and an imbalance the reference price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
    /// Whether an execution counts as a trade; it does where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printable: Option<bool>,
    /// Which cross.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Cross>,
    /// The trading state that begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Why: up to four characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which market centre; Nasdaq where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<Center>,
    /// The highest price of the next reopening auction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<Amount>,
    /// The lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<Amount>,
    /// How often that auction was put off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<u32>,
    /// The price test of short sales.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<Restriction>,
    /// The levels of the circuit breaker, in index points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<[Amount; 3]>,
    /// The level that was breached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// When an IPO is released for quotation, in seconds since midnight; without it, it is put off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// The phase of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Day>,
    /// Shares that find nobody in the next cross.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imbalance: Option<Shares>,
    /// The price at which all orders would clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Amount>,
    /// The price at which orders for the cross alone would clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far: Option<Amount>,
}

/// What the recorded market can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TapeEvent {
    /// An order enters at the back of its level.
    #[default]
    Add,
    /// An order is executed, at another price if one is given.
    Execute,
    /// Shares are taken off an order; it keeps its place.
    Cancel,
    /// An order goes.
    Delete,
    /// An order goes and another enters on its side.
    Replace,
    /// A trade with an order that was not displayed.
    Trade,
    /// The print of a cross.
    Cross,
    /// What the next cross would give.
    Imbalance,
    /// The instrument's trading state changes.
    Status,
    /// One market centre stops trading the instrument, or goes on.
    OperationalHalt,
    /// The prices for the next reopening auction.
    Collar,
    /// The price test of short sales.
    ShortSale,
    /// An IPO's release for quotation.
    Release,
    /// The levels of the market-wide circuit breaker.
    BreakerLevels,
    /// A level of the market-wide circuit breaker is breached.
    Breaker,
    /// The day's next phase begins.
    System,
    /// Messages were lost, of one instrument or of an unknown one.
    Loss,
}

/// Crosses of the recorded market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cross {
    /// The opening cross.
    Opening,
    /// The closing cross.
    Closing,
    /// The cross after a halt or a pause.
    Halt,
}

/// Trading states of the recorded market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does not trade.
    Halted,
    /// It does not trade for a moment.
    Paused,
    /// Orders come and nothing trades.
    Quotation,
    /// It trades.
    #[default]
    Trading,
}

impl State {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::Paused => "paused",
            Self::Quotation => "quotation",
            Self::Trading => "trading",
        }
    }
}

/// Market centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Center {
    /// Nasdaq, which the venue stands for.
    #[default]
    Nasdaq,
    /// BX.
    Bx,
    /// PSX.
    Psx,
}

impl Center {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nasdaq => "nasdaq",
            Self::Bx => "bx",
            Self::Psx => "psx",
        }
    }
}

/// The price test of short sales.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// None.
    #[default]
    Free,
    /// Since the price fell today.
    RestrictedToday,
    /// Since the day before.
    RestrictionRemains,
}

impl Restriction {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::RestrictedToday => "restricted_today",
            Self::RestrictionRemains => "restriction_remains",
        }
    }
}

/// Phases of the recorded day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// The first message.
    StartOfMessages,
    /// Orders are taken.
    StartOfSystemHours,
    /// The market opens.
    StartOfMarketHours,
    /// The market closes.
    EndOfMarketHours,
    /// No more orders are taken.
    EndOfSystemHours,
    /// The last message.
    EndOfMessages,
}

impl Day {
    /// As it is written.
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
}

impl TapeEvent {
    /// The fields that this event must have, and those that it may have.
    const fn fields(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Add => (&["symbol", "ref", "side", "quantity", "price"], &[]),
            Self::Execute => (&["symbol", "ref", "quantity"], &["price", "printable"]),
            Self::Cancel => (&["symbol", "ref", "quantity"], &[]),
            Self::Delete => (&["symbol", "ref"], &[]),
            Self::Replace => (&["symbol", "ref", "new_ref", "quantity", "price"], &[]),
            Self::Trade => (&["symbol", "quantity", "price"], &["side"]),
            Self::Cross => (&["symbol", "quantity", "price", "kind"], &[]),
            Self::Imbalance => {
                (&["symbol", "quantity", "imbalance", "kind"], &["side", "price", "near", "far"])
            }
            Self::Status => (&["symbol", "state"], &["reason"]),
            Self::OperationalHalt => (&["symbol", "state"], &["market"]),
            Self::Collar => (&["symbol", "price", "upper", "lower"], &["extension"]),
            Self::ShortSale => (&["symbol", "restriction"], &[]),
            Self::Release => (&["symbol"], &["seconds", "price"]),
            Self::BreakerLevels => (&["levels"], &[]),
            Self::Breaker => (&["level"], &[]),
            Self::System => (&["phase"], &[]),
            Self::Loss => (&[], &["symbol"]),
        }
    }

    /// Whether it concerns the whole market.
    pub const fn is_of_the_market(self) -> bool {
        matches!(self, Self::BreakerLevels | Self::Breaker | Self::System)
    }

    /// Whether it does something with an order that stands.
    pub const fn names_an_order(self) -> bool {
        matches!(self, Self::Execute | Self::Cancel | Self::Delete | Self::Replace)
    }
}

impl Tape {
    /// An event with no field but its instrument.
    pub fn of(symbol: &str, event: TapeEvent) -> Self {
        Self { symbol: symbol.into(), event, ..Self::default() }
    }

    /// The first field that its event needs and it does not have, or has and does not need; and
    /// whether it has it.
    pub(super) fn misfit(&self) -> Option<(&'static str, bool)> {
        let (must, may) = self.event.fields();
        [
            ("symbol", !self.symbol.is_empty()),
            ("ref", self.reference.is_some()),
            ("new_ref", self.new_reference.is_some()),
            ("side", self.side.is_some()),
            ("quantity", self.quantity.is_some()),
            ("price", self.price.is_some()),
            ("printable", self.printable.is_some()),
            ("kind", self.kind.is_some()),
            ("state", self.state.is_some()),
            ("reason", self.reason.is_some()),
            ("market", self.market.is_some()),
            ("upper", self.upper.is_some()),
            ("lower", self.lower.is_some()),
            ("extension", self.extension.is_some()),
            ("restriction", self.restriction.is_some()),
            ("levels", self.levels.is_some()),
            ("level", self.level.is_some()),
            ("seconds", self.seconds.is_some()),
            ("phase", self.phase.is_some()),
            ("imbalance", self.imbalance.is_some()),
            ("near", self.near.is_some()),
            ("far", self.far.is_some()),
        ]
        .into_iter()
        .find(|(name, is_there)| {
            (*is_there && !must.contains(name) && !may.contains(name))
                || (!is_there && must.contains(name))
        })
    }
}
