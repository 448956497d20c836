//! What the naive gate is asked, and what it answers and tells.

use rust_decimal::Decimal;
use spindle_risk::{Cause, Purpose, Sale};
use spindle_types::Side;

/// Who has limits, by the numbers that whoever uses this gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody; has a switch and no limits.
    All,
    /// An account.
    Account(u32),
    /// An account in an instrument.
    Pair(u32, u32),
    /// A session.
    Session(u32),
    /// A firm.
    Firm(u32),
}

/// A refusal: the check's name, whose limit it is, and the figures in price units, shares or orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The check.
    pub check: &'static str,
    /// The level.
    pub level: &'static str,
    /// What is allowed.
    pub limit: u64,
    /// What was seen.
    pub observed: u64,
}

/// What kind of order it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Limit, market or market-to-limit.
    Plain,
    /// Waits for this stop price.
    Stop(Decimal),
    /// A peg, or an order for an auction.
    Free,
}

/// An order to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Nanoseconds.
    pub time: u64,
    /// Whose.
    pub account: u32,
    /// Through which session.
    pub session: u32,
    /// Of what.
    pub instrument: u32,
    /// Its side.
    pub side: Side,
    /// How it sells.
    pub sale: Sale,
    /// Shares that would be open.
    pub quantity: u64,
    /// Its limit.
    pub limit: Option<Decimal>,
    /// Its kind.
    pub shape: Shape,
    /// Why it is judged.
    pub purpose: Purpose,
    /// The open order that it replaces, or that it is.
    pub before: Option<u64>,
}

/// The market that it is judged by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Best bid.
    pub bid: Option<Decimal>,
    /// Best ask.
    pub ask: Option<Decimal>,
    /// The last trade.
    pub last: Option<Decimal>,
    /// The step of prices.
    pub tick: Decimal,
    /// The band that the tape names, its lower and upper end.
    pub band: Option<(Decimal, Decimal)>,
}

/// What is known of an instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct About {
    /// The currency's number.
    pub currency: usize,
    /// Nobody may trade it.
    pub restricted: bool,
    /// The price test is in force.
    pub price_test: bool,
    /// Its reference price.
    pub reference: Option<Decimal>,
    /// Its band.
    pub low: Option<Decimal>,
    /// Its band.
    pub high: Option<Decimal>,
}

/// Something that a warning was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warned {
    /// Whose limit.
    pub who: Who,
    /// The level's name.
    pub level: &'static str,
    /// The check.
    pub check: &'static str,
    /// The instrument of the order.
    pub instrument: u32,
    /// The limit.
    pub limit: u64,
    /// What was seen.
    pub observed: u64,
}

/// Something that the operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A sum has reached the part of its limit that is told.
    Warning(Warned),
    /// Somebody was stopped.
    Killed(Who, Cause),
    /// Somebody may go on.
    Armed(Who),
}
