//! What the gate is asked, and what it must know of the market to answer.

use spindle_types::{AccountId, EventTime, InstrumentId, Price, Quantity, SessionId, Side, keep};

/// How an order sells, as far as the gate treats it differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sale {
    /// A buy, or a sell of what is owned.
    #[default]
    Long,
    /// A short sale.
    Short,
    /// A short sale that is exempt from the price test.
    ShortExempt,
}

/// What an order is, as far as the gate values it differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A limit order; without a limit a market or market-to-limit order, which trades no further than
    /// its protection price.
    #[default]
    Plain,
    /// Waits outside the book for this stop price.
    Stop(Price),
    /// Follows the market, or waits for an auction: without a limit nothing holds it to a price.
    Free,
}

/// Why the order is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// It is new.
    #[default]
    Enter,
    /// It replaces another.
    Replace,
    /// It is a stop that was elected.
    Trigger,
}

/// What an order has reserved: so many shares at this price each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Open shares.
    pub quantity: Quantity,
    /// What each is valued at.
    pub price: Price,
}

/// An order as the gate sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// When it is judged.
    pub time: EventTime,
    /// Whose order.
    pub account: AccountId,
    /// Through which session it came.
    pub session: SessionId,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// How it sells.
    pub sale: Sale,
    /// Shares that would be open.
    pub quantity: Quantity,
    /// Its limit; `None` is an order without one.
    pub limit: Option<Price>,
    /// What it is.
    pub form: Form,
    /// Why it is judged.
    pub purpose: Purpose,
    /// What it, or the order that it replaces, still reserves; nothing for a new order.
    pub before: Reserved,
}

/// An order that has reserved something, as the gate needs to know it to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whose order.
    pub account: AccountId,
    /// Through which session it came.
    pub session: SessionId,
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// How it sells.
    pub sale: Sale,
    /// What each of its shares is valued at.
    pub price: Price,
}

/// The market before an order; prices are `None` where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Market {
    /// Best bid.
    pub bid: Option<Price>,
    /// Best ask.
    pub ask: Option<Price>,
    /// The last trade.
    pub last: Option<Price>,
    /// The step of the instrument's prices, at least 1.
    pub tick: u32,
}

/// What the gate itself keeps of an instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct InstrumentState {
    /// Its currency, below [`CURRENCIES_MAX`](crate::CURRENCIES_MAX).
    pub currency: u8,
    /// Nobody may trade it.
    pub restricted: bool,
    /// The price test for short sales is in force.
    pub price_test: bool,
    /// A price to go by where there is neither book nor trade.
    pub reference: Option<Price>,
    /// The lower end of its band.
    pub low: Option<Price>,
    /// The upper end of its band.
    pub high: Option<Price>,
}
