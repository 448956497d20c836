//! What a scenario is answered, one event a line.

use serde::Serialize;

use crate::decimal::Amount;
use crate::op::{Id, Side};

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Line {
    /// An order is accepted.
    Accepted {
        /// The order.
        id: Id,
        /// Its limit, where it is not the one that was asked: a post-only order slid.
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<Amount>,
    },
    /// A request is refused and has changed nothing.
    Rejected(Rejected),
    /// What would become of an order; nothing has changed.
    Checked {
        /// The order.
        id: Id,
        /// Whether it would be accepted.
        passes: bool,
        /// What each share would be valued at, where it would be accepted.
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<Amount>,
        /// Why it would be refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        /// The field that does not go with the rest of the order.
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<&'static str>,
        /// What would have been allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<Figure>,
        /// What was asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        observed: Option<Figure>,
    },
    /// A sum has reached the part of its limit from which it is told.
    Warning {
        /// Whose.
        #[serde(flatten)]
        owner: Box<OwnerName>,
        /// The instrument, where the limit is that of an account in one or the sum that of one.
        #[serde(skip_serializing_if = "Option::is_none")]
        symbol: Option<String>,
        /// Which sum.
        check: &'static str,
        /// Its limit.
        limit: Figure,
        /// What it is.
        observed: Figure,
    },
    /// Somebody was stopped.
    Killed {
        /// Who; everybody where nobody is named.
        #[serde(flatten)]
        owner: Box<OwnerName>,
        /// Why.
        cause: &'static str,
    },
    /// Somebody may go on.
    Armed {
        /// Who; everybody where nobody is named.
        #[serde(flatten)]
        owner: Box<OwnerName>,
    },
    /// Two orders traded.
    Trade {
        /// The instrument.
        symbol: String,
        /// The order that stood, in an auction the earlier one; none where that is the tape's.
        #[serde(skip_serializing_if = "Option::is_none")]
        maker: Option<Id>,
        /// The order that came, in an auction the later one; none where that is the tape's.
        #[serde(skip_serializing_if = "Option::is_none")]
        taker: Option<Id>,
        /// The tape's order where one side was the tape's; none for a hidden trade.
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<u64>,
        /// At which price.
        price: Amount,
        /// Shares.
        quantity: u64,
        /// The cross of the tape that it was in: it rests on an assumption.
        #[serde(skip_serializing_if = "Option::is_none")]
        cross: Option<&'static str>,
    },
    /// Shares were taken off an order.
    Canceled {
        /// The order.
        id: Id,
        /// How many.
        quantity: u64,
        /// Why.
        reason: &'static str,
    },
    /// An order stands under a new number.
    Replaced {
        /// The number it had.
        id: Id,
        /// The number it has.
        new_id: Id,
        /// Its limit, where it is not the one that was asked: a post-only order slid.
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<Amount>,
    },
    /// A stop was elected and now enters.
    Triggered {
        /// The order.
        id: Id,
    },
    /// A mass cancel is done.
    MassCanceled {
        /// How many orders it cancelled.
        orders: u64,
    },
    /// An auction is held; its trades follow.
    Auction {
        /// The instrument.
        symbol: String,
        /// `opening`, `halt` or `closing`.
        auction: &'static str,
        /// Price, shares and imbalance.
        #[serde(flatten)]
        figures: Figures,
    },
    /// What an auction would give now, while orders are collected.
    Imbalance {
        /// The instrument.
        symbol: String,
        /// Price, shares and imbalance.
        #[serde(flatten)]
        figures: Figures,
        /// What the tape says beside that, where it is the tape's cross.
        #[serde(flatten)]
        of_tape: Option<OfTape>,
    },
    /// The tape trades an instrument or no longer.
    Status {
        /// The instrument.
        symbol: String,
        /// `halted`, `paused`, `quotation` or `trading`.
        state: &'static str,
        /// Why, where the tape says.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A market centre stops trading an instrument, or goes on.
    OperationalHalt {
        /// The instrument.
        symbol: String,
        /// `nasdaq`, `bx` or `psx`.
        market: &'static str,
        /// `halted` or `trading`.
        state: &'static str,
    },
    /// The prices for the next reopening auction.
    Collar {
        /// The instrument.
        symbol: String,
        /// From which the others were counted.
        price: Amount,
        /// The highest.
        upper: Amount,
        /// The lowest.
        lower: Amount,
        /// How often the auction was put off.
        extension: u32,
    },
    /// The price test of short sales.
    ShortSale {
        /// The instrument.
        symbol: String,
        /// `free`, `restricted_today` or `restriction_remains`.
        restriction: &'static str,
    },
    /// An IPO's release for quotation.
    Release {
        /// The instrument.
        symbol: String,
        /// When, in seconds since midnight; none where it is put off.
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<u32>,
        /// Its price; none where it is put off.
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<Amount>,
    },
    /// The levels of the market-wide circuit breaker.
    BreakerLevels {
        /// Index points.
        levels: [Amount; 3],
    },
    /// A level of the market-wide circuit breaker is breached.
    Breaker {
        /// 1, 2 or 3.
        level: u8,
    },
    /// The recorded day's next phase begins.
    System {
        /// Which.
        phase: &'static str,
    },
    /// A book is not known to be the market's any more: all books where there is no symbol.
    Stale {
        /// The instrument.
        #[serde(skip_serializing_if = "Option::is_none")]
        symbol: Option<String>,
        /// Why.
        cause: &'static str,
    },
    /// A market has become absurd or is sound again.
    Quarantine {
        /// The instrument.
        symbol: String,
        /// Whether it is absurd.
        entered: bool,
    },
    /// The displayed book.
    Book {
        /// The instrument.
        symbol: String,
        /// Levels to buy, the highest first.
        bids: Vec<Level>,
        /// Levels to sell, the lowest first.
        asks: Vec<Level>,
    },
    /// A line of the scenario is none.
    Error {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
}

/// Whom something is about; nobody is everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OwnerName {
    /// An account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// A session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A firm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firm: Option<String>,
}

/// A refusal.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rejected {
    /// The order that was to be entered, the replacement or the order to be cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// The operation, where it has no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<&'static str>,
    /// Why.
    pub reason: &'static str,
    /// The field that does not go with the rest of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
    /// What would have been allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Figure>,
    /// What was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Figure>,
}

impl Rejected {
    /// For this reason, with nothing more to say.
    pub const fn because(reason: &'static str) -> Self {
        Self { id: None, op: None, reason, field: None, limit: None, observed: None }
    }

    /// Because this field does not go with the rest.
    pub const fn combination(field: &'static str) -> Self {
        let mut rejected = Self::because("invalid_combination");
        rejected.field = Some(field);
        rejected
    }

    /// With what would have been allowed and what was asked.
    #[must_use]
    pub const fn with(mut self, limit: Figure, observed: Figure) -> Self {
        self.limit = Some(limit);
        self.observed = Some(observed);
        self
    }

    /// As the answer about this order.
    pub const fn of(mut self, id: Id) -> Line {
        self.id = Some(id);
        Line::Rejected(self)
    }

    /// As the answer to a check of this order.
    pub const fn checked(self, id: Id) -> Line {
        let Self { reason, field, limit, observed, .. } = self;
        let (passes, price, reason) = (false, None, Some(reason));
        Line::Checked { id, passes, price, reason, field, limit, observed }
    }

    /// As the answer to an operation that has no number.
    pub const fn of_op(mut self, op: &'static str) -> Line {
        self.op = Some(op);
        Line::Rejected(self)
    }
}

/// A price or money, or a number of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Figure {
    /// A price or money.
    Amount(Amount),
    /// A number of shares, orders or messages.
    Count(u64),
    /// A number that was asked for and cannot be, below 0 perhaps.
    Signed(i64),
}

impl Figure {
    /// Figures of a check of the risk gate; `None` where it has none.
    pub fn of_check(check: &str, units: u64) -> Option<Self> {
        let check = spindle_risk::Check::ALL.into_iter().find(|known| known.name() == check)?;
        match check.measure() {
            spindle_risk::Measure::Money => {
                Some(Self::Amount(Amount::new(i64::try_from(units).unwrap_or(i64::MAX))))
            }
            spindle_risk::Measure::Count => Some(Self::Count(units)),
            spindle_risk::Measure::None => None,
        }
    }
}

/// The figures of an auction. Where nothing trades there is no price and all else is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// The price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
    /// Shares that trade.
    pub quantity: u64,
    /// Shares at the price or better that find nobody.
    pub imbalance: u64,
    /// On which side those are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
}

/// What the tape says of its next cross, beside the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OfTape {
    /// `opening`, `closing` or `halt`.
    pub cross: &'static str,
    /// The price by which shares and imbalance are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Amount>,
    /// The price at which orders for the cross alone would clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub far: Option<Amount>,
}

/// A level of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Level {
    /// The price.
    pub price: Amount,
    /// Displayed shares.
    pub quantity: u64,
    /// Displayed orders.
    pub orders: u64,
}

impl Line {
    /// The event as a line.
    pub fn to_json(&self) -> String {
        // Strings, numbers and plain structs: nothing in here can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
