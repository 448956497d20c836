//! A session over OUCH.

use spindle_engine::command::OrderSide;
use spindle_gateway::SystemClock;
use spindle_gateway::client::{
    ClientEvent, ClientTiming, Login, NewOrder, OuchClient, Replacement, Resume,
};
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
    /// How far the way in is.
    entry: Entry,
    gone: Option<String>,
}

/// The way into a session. Numbers that it has used are not taken again, so the venue is asked for the next one, and what comes
/// before the answer is history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    LogsIn,
    Asked,
    Done,
}

impl OuchLink {
    /// Begins to connect; see [`OuchLink::is_live`].
    pub fn begin(address: SocketAddr, login: Login) -> Self {
        // From the most recent message on: what was told before is none of the load's business.
        let latest = Resume { sequence: 0, ..Resume::START };
        let timing = ClientTiming::default();
        let client = OuchClient::resume_later(address, login, latest, timing, SystemClock::new());
        Self { client, entry: Entry::LogsIn, gone: None }
    }

    /// Whether it is logged in and knows its next number.
    pub fn is_live(&self) -> bool {
        self.entry == Entry::Done && self.client.is_live()
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
        let Self { client, entry, gone } = self;
        if *entry == Entry::LogsIn && client.is_live() && client.query().is_ok() {
            *entry = Entry::Asked;
        }
        client.poll(&mut |event| match event {
            ClientEvent::Message { message: Message::AccountQueryResponse(..), .. } => {
                *entry = Entry::Done;
            }
            ClientEvent::Message { .. } if *entry != Entry::Done => {}
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
            ClientEvent::LoggedIn { .. } | ClientEvent::Unreadable { .. } | ClientEvent::Mark => {}
        });
    }

    fn gone(&self) -> Option<String> {
        self.gone.clone()
    }
}
