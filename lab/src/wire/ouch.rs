//! A session over OUCH.

use spindle_engine::command::OrderSide;
use spindle_gateway::SystemClock;
use spindle_gateway::client::{ClientError, ClientEvent, Login, NewOrder, OuchClient, Replacement};
use spindle_gateway::ouch::outbound::Message;
use spindle_types::{OrderToken, Price, Quantity, Side, Symbol};

use super::mix::{Order, Role};
use super::trading::{Link, Seen, Told};
use std::net::SocketAddr;

/// Shares of every order.
pub(super) const SHARES: Quantity = Quantity(100);

pub(super) const fn side_of(side: Side) -> OrderSide {
    match side {
        Side::Buy => OrderSide::Buy,
        Side::Sell => OrderSide::Sell,
    }
}

/// A session over OUCH.
pub struct OuchLink {
    client: OuchClient<SystemClock>,
    gone: Option<String>,
}

impl OuchLink {
    /// Begins to connect; see [`OuchLink::is_live`].
    pub fn begin(address: SocketAddr, login: Login) -> Self {
        let client = OuchClient::connect_later(address, login, SystemClock::new());
        Self { client, gone: None }
    }

    /// Connects and waits until it is logged in.
    ///
    /// # Errors
    /// No connection, a refused login, or no answer in time.
    pub fn connect(address: SocketAddr, login: Login) -> Result<Self, ClientError> {
        Ok(Self { client: OuchClient::connect(address, login)?, gone: None })
    }

    /// Whether it is logged in.
    pub fn is_live(&self) -> bool {
        self.client.is_live()
    }

    /// Enters a buy order of 100 shares that is taken at once or not at all, and gives its number; `None` while the
    /// socket takes nothing more.
    #[inline]
    pub fn buy_at_once(&mut self, symbol: Symbol, price: Price) -> Option<u64> {
        let new = NewOrder::limit(OrderSide::Buy, SHARES, symbol, price).immediate_or_cancel();
        self.client.enter(&new).ok().map(|token| number_of(token.0))
    }

    /// Logs out.
    pub fn leave(&mut self) {
        self.client.logout();
    }
}

fn number_of(token: u32) -> u64 {
    token.into()
}

impl Link for OuchLink {
    #[inline]
    fn enter(&mut self, symbol: Symbol, order: &Order) -> Option<u64> {
        let new = NewOrder::limit(side_of(order.side), SHARES, symbol, order.price);
        let new = match order.role {
            Role::Take | Role::Pass => new.immediate_or_cancel(),
            Role::Rest | Role::Make => new,
        };
        self.client.enter(&new).ok().map(|token| number_of(token.0))
    }

    #[inline]
    fn cancel(&mut self, number: u64, _: Symbol, _: &Order) -> Option<u64> {
        let token = OrderToken(u32::try_from(number).ok()?);
        self.client.cancel(token).ok().map(|()| number)
    }

    #[inline]
    fn replace(&mut self, number: u64, _: Symbol, order: &Order) -> Option<u64> {
        let token = OrderToken(u32::try_from(number).ok()?);
        let replacement = Replacement::limit(SHARES, order.price);
        self.client.replace(token, &replacement).ok().map(|token| number_of(token.0))
    }

    #[inline]
    fn poll(&mut self, each: &mut impl FnMut(Seen)) {
        let gone = &mut self.gone;
        self.client.poll(&mut |event| match event {
            ClientEvent::Message { message, .. } => {
                let (number, told) = match message {
                    Message::Accepted(m, _) => (m.user_ref_num.get(), Told::Accepted),
                    Message::Replaced(m, _) => (m.user_ref_num.get(), Told::Accepted),
                    Message::Executed(m, _) => (m.user_ref_num.get(), Told::Executed),
                    Message::Canceled(m, _) => (m.user_ref_num.get(), Told::Canceled),
                    Message::Rejected(m, _) => {
                        (m.user_ref_num.get(), Told::Rejected(m.reason.get().into()))
                    }
                    _ => return,
                };
                each(Seen { number: number_of(number), told });
            }
            ClientEvent::Disconnected(cause) => *gone = Some(cause.to_string()),
            ClientEvent::LoggedIn { .. } | ClientEvent::Unreadable { .. } => {}
        });
    }

    fn gone(&self) -> Option<String> {
        self.gone.clone()
    }
}
