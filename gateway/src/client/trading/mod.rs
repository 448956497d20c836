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

mod order;
mod told;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use spindle_types::{OrderToken, Price, Quantity};

pub use self::order::{OpenOrder, Order, OrderEvent, OrderId, TradingError};
use self::told::Heard;
use super::fix::{FixDisconnect, FixSendError};
use super::{
    ClientError, FixClient, FixLogin, FixOrder, Login, NewOrder, OuchClient, Replacement, SendError,
};
use crate::clock::SystemClock;

enum Wire {
    Ouch(Box<OuchClient>),
    Fix(Box<FixClient>),
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The login is not answered.
    Connecting,
    /// Over OUCH: what the venue told before is told again.
    CatchingUp {
        /// When a venue that answers no mark is believed to have told all.
        until: Instant,
    },
    /// Requests can be sent.
    Live,
}

/// A client of one session, over either protocol.
pub struct TradingClient {
    wire: Wire,
    stage: Stage,
    /// Whether what comes before it has caught up is history that nobody waits for.
    is_new: bool,
    orders: HashMap<OrderId, OpenOrder>,
    /// Cancels over FIX have numbers of their own: the orders that they mean.
    requests: HashMap<OrderId, OrderId>,
    /// Requests that the venue has not answered.
    awaited: Vec<Awaited>,
    heard: Vec<Heard>,
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
    /// Connects over OUCH and waits until the login is accepted and the day so far is told, at most 5 s each. The orders
    /// of earlier connections that are still open are taken up, and numbers go on where they were; all of that is
    /// history, and no event.
    ///
    /// # Errors
    /// No connection, a refused login, or no answer in time.
    pub fn connect_ouch(address: SocketAddr, login: Login) -> Result<Self, ClientError> {
        let client = OuchClient::connect(address, login)?;
        Ok(Self::over(Wire::Ouch(Box::new(client))).caught_up())
    }

    /// Connects over FIX and waits until the Logon is answered, at most 5 s. The session's numbers begin anew, so that
    /// orders of earlier connections are not taken up: what happens to them is told as [`OrderEvent::Elsewhere`].
    ///
    /// # Errors
    /// No connection, a refused Logon, or no answer in time.
    pub fn connect_fix(address: SocketAddr, login: FixLogin) -> Result<Self, FixDisconnect> {
        let client = FixClient::connect(address, login)?;
        Ok(Self::over(Wire::Fix(Box::new(client))).caught_up())
    }

    /// As [`TradingClient::connect_ouch`], but returns at once: it is [live](TradingClient::is_live) after some polls, which
    /// also tell of a failure.
    pub fn begin_ouch(address: SocketAddr, login: Login) -> Self {
        let client = OuchClient::connect_later(address, login, SystemClock::new());
        Self::over(Wire::Ouch(Box::new(client)))
    }

    fn over(wire: Wire) -> Self {
        Self {
            wire,
            stage: Stage::Connecting,
            is_new: true,
            orders: HashMap::new(),
            requests: HashMap::new(),
            awaited: Vec::new(),
            heard: Vec::new(),
            told: VecDeque::new(),
            over: false,
        }
    }

    /// Waits until requests can be sent, or never will.
    fn caught_up(mut self) -> Self {
        while self.stage != Stage::Live && !self.over {
            self.take();
            if self.stage != Stage::Live {
                std::thread::sleep(PAUSE);
            }
        }
        self
    }

    /// Begins a new connection in the place of the old one, and returns at once: polls tell what was missed, and of a
    /// failure. Requests that never reached the venue are told as [`OrderEvent::Rejected`] or [`OrderEvent::NotDone`]
    /// over OUCH; over FIX they are sent again.
    pub fn reconnect(&mut self) {
        (self.stage, self.is_new, self.over) = (Stage::Connecting, false, false);
        match &mut self.wire {
            Wire::Ouch(client) => client.reconnect(),
            Wire::Fix(client) => {
                if let Err(cause) = client.reconnect() {
                    self.over = true;
                    self.told.push_back(OrderEvent::Disconnected { why: cause.to_string() });
                }
            }
        }
    }

    /// Closes the connection without a word, as a cut cable does.
    pub fn drop_connection(&mut self) {
        match &mut self.wire {
            Wire::Ouch(client) => client.drop_connection(),
            Wire::Fix(client) => client.drop_connection(),
        }
        self.over = true;
    }

    /// Whether requests can be sent.
    pub fn is_live(&self) -> bool {
        self.stage == Stage::Live && self.is_logged_in()
    }

    fn is_logged_in(&self) -> bool {
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
        self.check_live()?;
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
        self.check_live()?;
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
        self.check_live()?;
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
            self.take();
        }
        self.told.pop_front()
    }

    /// Takes what the venue has said by now.
    fn take(&mut self) {
        let mut heard = std::mem::take(&mut self.heard);
        match &mut self.wire {
            Wire::Ouch(client) => {
                client.poll(&mut |event| told::of_ouch(&event, &mut |said| heard.push(said)));
            }
            Wire::Fix(client) => {
                let requests = &self.requests;
                client.poll(&mut |event| heard.extend(told::of_fix(&event, requests)));
            }
        }
        for heard in heard.drain(..) {
            match heard {
                Heard::Stands(order) if self.stage != Stage::Live && self.is_new => {
                    self.orders.insert(order.id, order);
                }
                Heard::Stands(_) => {}
                Heard::Mark => self.has_caught_up(),
                Heard::NotDone { request } => {
                    self.awaited.retain(|awaited| awaited.request != request);
                    self.forget(request);
                }
                Heard::Event(event) => self.hear(event),
            }
        }
        self.heard = heard;
        self.catch_up();
    }

    fn hear(&mut self, mut event: OrderEvent) {
        self.note(&mut event);
        if self.stage == Stage::Live || !self.is_new || event.is_end() {
            self.told.push_back(event);
        }
    }

    /// Asks for what is to be known before the first request. Over OUCH the venue tells the user's day again, or what
    /// was missed of it: answers to the queries of earlier connections look like the answer to ours, so a mark is
    /// asked for behind it, which comes when all of that is told.
    fn catch_up(&mut self) {
        match (self.stage, &mut self.wire) {
            (Stage::Connecting, Wire::Fix(client)) if client.is_live() => self.stage = Stage::Live,
            (Stage::Connecting, Wire::Ouch(client)) if client.is_live() => {
                // What cannot be sent now is asked at the next poll.
                let is_asked = client.query().is_ok() && client.mark().is_ok();
                let until = Instant::now() + PATIENCE;
                self.stage = if is_asked { Stage::CatchingUp { until } } else { self.stage };
            }
            (Stage::CatchingUp { until }, _) if Instant::now() >= until => self.has_caught_up(),
            _ => {}
        }
    }

    /// Everything is told that the venue knew: what has no answer by now was lost with its connection.
    fn has_caught_up(&mut self) {
        if !matches!(self.stage, Stage::CatchingUp { .. }) {
            return;
        }
        self.stage = Stage::Live;
        for Awaited { request, order } in std::mem::take(&mut self.awaited) {
            let why = LOST.to_owned();
            self.hear(if request == CANCEL {
                OrderEvent::NotDone { id: Some(order), why }
            } else {
                OrderEvent::Rejected { id: request, why }
            });
        }
    }

    /// Whether the venue owes an answer, that to the login included. Over OUCH a cancel or a replacement of an order that is
    /// gone meanwhile has none.
    pub fn is_awaiting(&self) -> bool {
        (self.stage != Stage::Live || !self.awaited.is_empty()) && !self.over
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

    fn check_live(&self) -> Result<(), TradingError> {
        match &self.wire {
            _ if self.stage == Stage::Live => Ok(()),
            Wire::Ouch(_) => Err(SendError::NotLoggedIn.into()),
            Wire::Fix(_) => Err(FixSendError::NotLoggedOn.into()),
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
                self.awaited.retain(|awaited| awaited.request != *id);
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
                // Where nothing says which request it was, the venue owes nothing that could be waited for.
                if id.is_none() {
                    self.awaited.clear();
                }
            }
            OrderEvent::Disconnected { .. } => self.over = true,
            OrderEvent::Elsewhere { .. } => {}
        }
    }

    /// An order is gone, and with it what was asked about it: what was to stand in its place never will.
    fn forget(&mut self, id: OrderId) {
        self.orders.remove(&id);
        while let Some(at) = self.awaited.iter().position(|awaited| awaited.order == id) {
            let request = self.awaited.swap_remove(at).request;
            if request != id && request != CANCEL {
                self.forget(request);
            }
        }
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

/// Why a request has no answer after a reconnect.
const LOST: &str = "without an answer: lost with its connection";

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
