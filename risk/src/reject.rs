//! What the gate answers.

use spindle_types::keep;

/// The checks of the gate, in their order of precedence: the first that fails is the answer.
/// `docs/risk.md` has each one's formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
#[repr(u8)]
pub enum Check {
    /// The account is in the gate's table.
    Account,
    /// Nobody has stopped the account, its session, its firm, or everybody.
    Killed,
    /// The instrument is not restricted.
    Restricted,
    /// The account may trade on this side.
    Side,
    /// Shares to be sold short were located.
    Locate,
    /// The price test for short sales.
    RegSho,
    /// The gate's table has room for the owner's cell in this instrument.
    Positions,
    /// Requests in time.
    MessageRate,
    /// Accepted orders in time.
    OrderRate,
    /// Shares of one order.
    OrderSize,
    /// Something says what the order is worth.
    NoPrice,
    /// Price times quantity of one order.
    OrderValue,
    /// The instrument's price band.
    LuldBand,
    /// Distance of the price from the market.
    Collar,
    /// Orders that are alike.
    Duplicate,
    /// Executions again and again.
    RepeatedExecution,
    /// Orders for each execution.
    OrderToTrade,
    /// Orders that are open at once.
    OpenOrders,
    /// Shares held, with open orders at their worst.
    Position,
    /// Shares bought in a day, with open buys.
    BoughtQuantity,
    /// Shares sold in a day, with open sells.
    SoldQuantity,
    /// Money bought for in a day, with open buys.
    BoughtValue,
    /// Money sold for in a day, with open sells.
    SoldValue,
    /// Exposure of all instruments, each at its worst.
    GrossExposure,
    /// Exposure with long and short positions against each other.
    NetExposure,
    /// Money that is used.
    Credit,
    /// Realised and unrealised loss.
    Loss,
}

impl Check {
    /// Every check, in order of precedence.
    pub const ALL: [Self; 27] = [
        Self::Account,
        Self::Killed,
        Self::Restricted,
        Self::Side,
        Self::Locate,
        Self::RegSho,
        Self::Positions,
        Self::MessageRate,
        Self::OrderRate,
        Self::OrderSize,
        Self::NoPrice,
        Self::OrderValue,
        Self::LuldBand,
        Self::Collar,
        Self::Duplicate,
        Self::RepeatedExecution,
        Self::OrderToTrade,
        Self::OpenOrders,
        Self::Position,
        Self::BoughtQuantity,
        Self::SoldQuantity,
        Self::BoughtValue,
        Self::SoldValue,
        Self::GrossExposure,
        Self::NetExposure,
        Self::Credit,
        Self::Loss,
    ];

    /// The name in scripts, logs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Killed => "killed",
            Self::Restricted => "restricted",
            Self::Side => "side",
            Self::Locate => "locate",
            Self::RegSho => "reg_sho",
            Self::Positions => "positions",
            Self::MessageRate => "message_rate",
            Self::OrderRate => "order_rate",
            Self::OrderSize => "order_size",
            Self::NoPrice => "no_price",
            Self::OrderValue => "order_value",
            Self::LuldBand => "luld_band",
            Self::Collar => "collar",
            Self::Duplicate => "duplicate",
            Self::RepeatedExecution => "repeated_execution",
            Self::OrderToTrade => "order_to_trade",
            Self::OpenOrders => "open_orders",
            Self::Position => "position",
            Self::BoughtQuantity => "bought_quantity",
            Self::SoldQuantity => "sold_quantity",
            Self::BoughtValue => "bought_value",
            Self::SoldValue => "sold_value",
            Self::GrossExposure => "gross_exposure",
            Self::NetExposure => "net_exposure",
            Self::Credit => "credit",
            Self::Loss => "loss",
        }
    }

    /// What its limit and the value seen are.
    pub const fn measure(self) -> Measure {
        match self {
            Self::RegSho
            | Self::OrderValue
            | Self::LuldBand
            | Self::Collar
            | Self::BoughtValue
            | Self::SoldValue
            | Self::GrossExposure
            | Self::NetExposure
            | Self::Credit
            | Self::Loss => Measure::Money,
            Self::Account | Self::Killed | Self::Restricted | Self::Side | Self::NoPrice => {
                Measure::None
            }
            _ => Measure::Count,
        }
    }

    /// Its bit in a set of checks.
    pub(crate) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What figures of a check are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Prices, or prices times shares, in price units.
    Money,
    /// Shares, orders, requests or executions.
    Count,
    /// The check has no figures that would say anything.
    None,
}

/// At which level a limit was met, in the order in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum Level {
    /// The account.
    Account,
    /// The account in this instrument.
    Instrument,
    /// The session.
    Session,
    /// The firm.
    Firm,
}

impl Level {
    /// The name in scripts, logs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Instrument => "instrument",
            Self::Session => "session",
            Self::Firm => "firm",
        }
    }
}

/// Why the gate refused an order: which check, what it allows and what it saw.
///
/// `limit` and `observed` are in the check's own unit: shares, price units times shares, price
/// units, orders; what is more than 2^64 - 1 is cut to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The check that failed.
    pub check: Check,
    /// Whose limit it is.
    pub level: Level,
    /// What it allows.
    pub limit: u64,
    /// What it saw.
    pub observed: u64,
}
