//! One face for both protocols: connect, enter, cancel, replace, and an iterator of what the venue
//! says, as the same values over OUCH and over FIX.
//!
//! It knows the orders that it has entered, so that every event says what is left open, and a cancel over
//! FIX brings side and symbol by itself. For that it allocates; whoever counts nanoseconds takes
//! [`OuchClient`] or [`FixClient`], which are underneath.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use spindle_gateway::client::{Login, Order, TradingClient};
//! use spindle_types::Price;
//!
//! let login = Login::new("maker1", "quote")?;
//! let mut client = TradingClient::connect_ouch("127.0.0.1:8401".parse()?, login)?;
//! client.enter(&Order::buy(100, "AAPL".parse()?, Price(1_500_000)))?;
//! for event in client.events() {
//!     println!("{event}");
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use spindle_engine::command::{OrderSide, TimeInForce};
use spindle_types::{OrderToken, Price, Quantity, Symbol};
use thiserror::Error;

use super::fix::{ExecutionReport, FixDisconnect, FixSendError};
use super::{
    ClientError, ClientEvent, FixClient, FixEvent, FixLogin, FixOrder, Login, NewOrder, OuchClient,
    Replacement, SendError,
};
use crate::ouch::MARKET_PRICE;
use crate::ouch::codes::reject_meaning;
use crate::ouch::outbound::Message;

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
struct Money(Price);

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

enum Wire {
    Ouch(Box<OuchClient>),
    Fix(Box<FixClient>),
}

/// A client of one session, over either protocol.
pub struct TradingClient {
    wire: Wire,
    orders: HashMap<OrderId, OpenOrder>,
    /// Cancels over FIX have numbers of their own: the orders that they mean.
    requests: HashMap<OrderId, OrderId>,
    /// Requests that the venue has not answered.
    awaited: Vec<Awaited>,
    told: VecDeque<OrderEvent>,
    over: bool,
}

/// A request without an answer: the number that it brought, and the order that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Awaited {
    request: OrderId,
    order: OrderId,
}

impl TradingClient {
    /// Connects over OUCH and waits until the login is accepted, at most 5 s.
    ///
    /// # Errors
    /// No connection, a refused login, or no answer in time.
    pub fn connect_ouch(address: SocketAddr, login: Login) -> Result<Self, ClientError> {
        OuchClient::connect(address, login).map(|client| Self::over(Wire::Ouch(Box::new(client))))
    }

    /// Connects over FIX and waits until the Logon is answered, at most 5 s.
    ///
    /// # Errors
    /// No connection, a refused Logon, or no answer in time.
    pub fn connect_fix(address: SocketAddr, login: FixLogin) -> Result<Self, FixDisconnect> {
        FixClient::connect(address, login).map(|client| Self::over(Wire::Fix(Box::new(client))))
    }

    fn over(wire: Wire) -> Self {
        let (orders, requests) = (HashMap::new(), HashMap::new());
        let (awaited, told) = (Vec::new(), VecDeque::new());
        let mut client = Self { wire, orders, requests, awaited, told, over: false };
        client.catch_up();
        client
    }

    /// Over OUCH the venue tells the user's day again: the orders that are still open are taken up, and
    /// numbers go on where they were. All of that is history, and no event.
    fn catch_up(&mut self) {
        let Wire::Ouch(client) = &mut self.wire else { return };
        if client.query().is_err() {
            return;
        }
        let end = Instant::now() + PATIENCE;
        let mut is_answered = false;
        while !is_answered && !self.over && Instant::now() < end {
            let mut told = Vec::new();
            let Wire::Ouch(client) = &mut self.wire else { return };
            let orders = &mut self.orders;
            client.poll(&mut |event| {
                if let ClientEvent::Message { message, .. } = event {
                    is_answered |= matches!(message, Message::AccountQueryResponse(..));
                    orders.extend(stands(&message).map(|order| (order.id, order)));
                }
                told.extend(of_ouch(&event));
            });
            for mut event in told {
                self.note(&mut event);
                if event.is_end() {
                    self.told.push_back(event);
                }
            }
            if !is_answered {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Whether requests can be sent.
    pub fn is_live(&self) -> bool {
        match &self.wire {
            Wire::Ouch(client) => client.is_live(),
            Wire::Fix(client) => client.is_live(),
        }
    }

    /// The orders of this client that are open, by number.
    pub fn orders(&self) -> Vec<OpenOrder> {
        let mut orders: Vec<_> = self.orders.values().copied().collect();
        orders.sort_by_key(|order| order.id);
        orders
    }

    /// Enters an order and gives its number.
    ///
    /// # Errors
    /// The request cannot be sent.
    pub fn enter(&mut self, order: &Order) -> Result<OrderId, TradingError> {
        let id = match &mut self.wire {
            Wire::Ouch(client) => OrderId(client.enter(&new_order(order))?.0.into()),
            Wire::Fix(client) => OrderId(client.enter(&fix_order(order))?),
        };
        let open = order.quantity.0;
        let known = OpenOrder { id, order: *order, open, executed: 0, accepted: false };
        self.orders.insert(id, known);
        self.awaited.push(Awaited { request: id, order: id });
        Ok(id)
    }

    /// Cancels what is open of an order.
    ///
    /// # Errors
    /// The order is not open, or the request cannot be sent.
    pub fn cancel(&mut self, id: OrderId) -> Result<(), TradingError> {
        let known = *self.orders.get(&id).ok_or(TradingError::NotOpen(id))?;
        let request = match &mut self.wire {
            Wire::Ouch(client) => {
                client.cancel(token(id)?)?;
                CANCEL
            }
            Wire::Fix(client) => {
                let request = client.cancel(id.0, known.order.side, known.order.symbol)?;
                self.requests.insert(OrderId(request), id);
                OrderId(request)
            }
        };
        self.awaited.push(Awaited { request, order: id });
        Ok(())
    }

    /// Replaces an order, and gives the number of what shall stand instead. The quantity is that of the whole
    /// chain, shares already executed included.
    ///
    /// # Errors
    /// The order is not open, or the request cannot be sent.
    pub fn replace(
        &mut self,
        id: OrderId,
        quantity: Quantity,
        limit: Price,
    ) -> Result<OrderId, TradingError> {
        let known = *self.orders.get(&id).ok_or(TradingError::NotOpen(id))?;
        let order = Order { quantity, limit: Some(limit), ..known.order };
        let new = match &mut self.wire {
            Wire::Ouch(client) => {
                let replacement = Replacement {
                    time_in_force: order.time_in_force,
                    ..Replacement::limit(quantity, limit)
                };
                OrderId(client.replace(token(id)?, &replacement)?.0.into())
            }
            Wire::Fix(client) => {
                let request = OrderId(client.replace(id.0, &fix_order(&order))?);
                self.requests.insert(request, id);
                request
            }
        };
        let open = quantity.0.saturating_sub(known.executed);
        self.orders.insert(new, OpenOrder { id: new, order, open, accepted: false, ..known });
        self.awaited.push(Awaited { request: new, order: id });
        Ok(new)
    }

    /// The next event that is there by now. Does not wait.
    pub fn poll(&mut self) -> Option<OrderEvent> {
        if self.told.is_empty() && !self.over {
            let mut told = Vec::new();
            match &mut self.wire {
                Wire::Ouch(client) => {
                    client.poll(&mut |event| told.extend(of_ouch(&event)));
                }
                Wire::Fix(client) => {
                    let requests = &self.requests;
                    client.poll(&mut |event| told.extend(of_fix(&event, requests)));
                }
            }
            for mut event in told {
                self.note(&mut event);
                self.told.push_back(event);
            }
        }
        self.told.pop_front()
    }

    /// Whether the venue owes an answer. Over OUCH a cancel or a replacement of an order that is gone meanwhile has none.
    pub fn is_awaiting(&self) -> bool {
        !self.awaited.is_empty() && !self.over
    }

    /// What the venue says, as it comes: ends when everything is answered, or should have been since 5 s, and nothing
    /// has come for 300 ms; or when the connection is over. What comes later is found by another call.
    pub fn events(&mut self) -> Events<'_> {
        self.events_for(QUIET)
    }

    /// As [`TradingClient::events`], with another time of quiet after the answers.
    pub const fn events_for(&mut self, quiet: Duration) -> Events<'_> {
        Events { client: self, quiet }
    }

    /// Ends the session.
    pub fn logout(&mut self) {
        match &mut self.wire {
            Wire::Ouch(client) => client.logout(),
            Wire::Fix(client) => {
                client.logout();
                client.poll(&mut |_| {});
            }
        }
    }

    /// Keeps the orders by what was told, and adds to the event what only they know.
    fn note(&mut self, event: &mut OrderEvent) {
        match event {
            OrderEvent::Accepted { id, open, .. } => {
                self.awaited.retain(|awaited| awaited.request != *id);
                self.settle(*id, *open);
            }
            OrderEvent::Replaced { original, id, open } => {
                self.forget(*original);
                self.settle(*id, *open);
            }
            OrderEvent::Executed { id, quantity, open, .. } => {
                let left = self.orders.get_mut(id).map(|known| {
                    known.executed += *quantity;
                    known.open.saturating_sub(*quantity)
                });
                *open = left.unwrap_or(*open);
                self.settle(*id, *open);
            }
            OrderEvent::Canceled { id, quantity, open, .. } => {
                let known = self.orders.get(id).map(|known| known.open);
                if let (Some(known), 0) = (known, *quantity) {
                    *quantity = known.saturating_sub(*open);
                }
                *open = known.map_or(*open, |known| known.saturating_sub(*quantity));
                self.settle(*id, *open);
            }
            OrderEvent::Rejected { id, .. } => {
                self.awaited.retain(|awaited| awaited.request != *id);
                self.forget(*id);
            }
            OrderEvent::NotDone { id, .. } => {
                // Which of several requests it was does not matter: the next answer clears the rest.
                self.awaited.retain(|awaited| id.is_some_and(|id| awaited.order != id));
            }
            OrderEvent::Disconnected { .. } => self.over = true,
        }
    }

    /// An order is gone, and with it what was asked about it.
    fn forget(&mut self, id: OrderId) {
        self.orders.remove(&id);
        self.awaited.retain(|awaited| awaited.order != id);
    }

    fn settle(&mut self, id: OrderId, open: u32) {
        if open == 0 {
            self.forget(id);
        } else if let Some(known) = self.orders.get_mut(&id) {
            (known.open, known.accepted) = (open, true);
        }
    }
}

/// In the place of a number where a request has none: a cancel over OUCH.
const CANCEL: OrderId = OrderId(0);

/// How long the day's history may take, and what is asked, to be answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long quiet means that the venue has said all.
const QUIET: Duration = Duration::from_millis(300);

/// Between two looks at a socket that has nothing.
const PAUSE: Duration = Duration::from_micros(100);

/// What the venue says: see [`TradingClient::events`].
pub struct Events<'a> {
    client: &'a mut TradingClient,
    quiet: Duration,
}

impl Iterator for Events<'_> {
    type Item = OrderEvent;

    fn next(&mut self) -> Option<OrderEvent> {
        let begun = Instant::now();
        let mut quiet = begun;
        loop {
            if let Some(event) = self.client.poll() {
                return Some(event);
            }
            let now = Instant::now();
            if self.client.is_awaiting() && now - begun < PATIENCE {
                quiet = now;
            }
            if self.client.over || now - quiet >= self.quiet {
                return None;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn token(id: OrderId) -> Result<OrderToken, TradingError> {
    u32::try_from(id.0).map(OrderToken).map_err(|_| TradingError::NotOpen(id))
}

fn new_order(order: &Order) -> NewOrder {
    let Order { side, quantity, symbol, limit, time_in_force } = *order;
    NewOrder { limit, time_in_force, ..NewOrder::limit(side, quantity, symbol, Price(0)) }
}

fn fix_order(order: &Order) -> FixOrder {
    let Order { side, quantity, symbol, limit, time_in_force } = *order;
    FixOrder { side, quantity, symbol, limit, time_in_force }
}

/// The order that a message of OUCH says stands.
fn stands(message: &Message<'_>) -> Option<OpenOrder> {
    let (number, side, symbol, price, quantity) = match message {
        Message::Accepted(m, _) if m.state != b'D' => {
            (m.user_ref_num, m.side, m.symbol, m.price, m.quantity)
        }
        Message::Replaced(m, _) => (m.user_ref_num, m.side, m.symbol, m.price, m.quantity),
        _ => return None,
    };
    let side = match side {
        b'B' => OrderSide::Buy,
        b'T' => OrderSide::SellShort,
        b'E' => OrderSide::SellShortExempt,
        _ => OrderSide::Sell,
    };
    let limit = u32::try_from(price.get()).ok().filter(|_| price.get() != MARKET_PRICE).map(Price);
    let (quantity, symbol) = (Quantity(quantity.get()), Symbol(symbol));
    let order = Order { side, quantity, symbol, limit, time_in_force: TimeInForce::Day };
    let id = OrderId(number.get().into());
    Some(OpenOrder { id, order, open: quantity.0, executed: 0, accepted: true })
}

/// What a message of OUCH tells of orders.
fn of_ouch(event: &ClientEvent<'_>) -> Option<OrderEvent> {
    let message = match event {
        ClientEvent::Message { message, .. } => message,
        ClientEvent::Disconnected(cause) => {
            return Some(OrderEvent::Disconnected { why: cause.to_string() });
        }
        ClientEvent::LoggedIn { .. } | ClientEvent::Unreadable { .. } => return None,
    };
    let id = |number: u32| OrderId(number.into());
    Some(match message {
        Message::Accepted(m, _) => OrderEvent::Accepted {
            id: id(m.user_ref_num.get()),
            reference: m.reference.get(),
            open: if m.state == b'D' { 0 } else { m.quantity.get() },
        },
        Message::Replaced(m, _) => OrderEvent::Replaced {
            original: id(m.original.get()),
            id: id(m.user_ref_num.get()),
            open: m.quantity.get(),
        },
        Message::Executed(m, _) => OrderEvent::Executed {
            id: id(m.user_ref_num.get()),
            quantity: m.quantity.get(),
            price: Price(u32::try_from(m.price.get()).unwrap_or(u32::MAX)),
            open: 0,
        },
        Message::Canceled(m, _) => OrderEvent::Canceled {
            id: id(m.user_ref_num.get()),
            quantity: m.quantity.get(),
            open: 0,
            why: format!("reason {}", char::from(m.reason)),
        },
        Message::Rejected(m, _) => OrderEvent::Rejected {
            id: id(m.user_ref_num.get()),
            why: match reject_meaning(m.reason.get()) {
                Some(meaning) => meaning.to_owned(),
                None => format!("reason {:#04x}", m.reason.get()),
            },
        },
        _ => return None,
    })
}

/// What a message of FIX tells of orders.
fn of_fix(event: &FixEvent<'_>, requests: &HashMap<OrderId, OrderId>) -> Option<OrderEvent> {
    let words = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    Some(match event {
        FixEvent::Report(report) => return of_report(report),
        FixEvent::CancelRejected { id, text, .. } => {
            let meant = id.and_then(|id| requests.get(&OrderId(id))).copied();
            OrderEvent::NotDone { id: meant, why: words(text) }
        }
        FixEvent::BusinessRejected { text, .. } => {
            OrderEvent::NotDone { id: None, why: words(text) }
        }
        FixEvent::Disconnected(cause) => OrderEvent::Disconnected { why: cause.to_string() },
        FixEvent::LoggedOn | FixEvent::MassCanceled { .. } | FixEvent::Message(_) => return None,
    })
}

fn of_report(report: &ExecutionReport<'_>) -> Option<OrderEvent> {
    let id = OrderId(report.id?);
    let original = report.original.map(OrderId);
    let open = report.open.0;
    let text = |otherwise: &str| match report.text {
        [] => otherwise.to_owned(),
        text => String::from_utf8_lossy(text).into_owned(),
    };
    Some(match report.exec_type {
        b'0' => {
            let digits = std::str::from_utf8(report.order_id).ok();
            let reference = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
            OrderEvent::Accepted { id, reference, open }
        }
        b'1' | b'2' | b'F' => OrderEvent::Executed {
            id,
            quantity: report.last_quantity.0,
            price: report.last_price,
            open,
        },
        // The id is that of the request, where there was one.
        b'4' | b'C' => OrderEvent::Canceled {
            id: original.unwrap_or(id),
            quantity: 0,
            open,
            why: text(if report.exec_type == b'C' { "expired" } else { "canceled" }),
        },
        b'D' => OrderEvent::Canceled { id, quantity: 0, open, why: text("restated") },
        b'5' => OrderEvent::Replaced { original: original.unwrap_or(id), id, open },
        b'8' => OrderEvent::Rejected { id, why: text("rejected") },
        _ => return None,
    })
}
