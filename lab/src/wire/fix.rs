//! A session over FIX 4.4.

use std::net::SocketAddr;

use spindle_engine::command::TimeInForce;
use spindle_gateway::SystemClock;
use spindle_gateway::client::fix::FixDisconnect;
use spindle_gateway::client::{FixClient, FixEvent, FixLogin, FixOrder};
use spindle_types::Symbol;

use super::mix::{Order, Role};
use super::ouch::{SHARES, side_of};
use super::trading::{Link, Seen, Told};

/// A session over FIX.
pub struct FixLink {
    client: FixClient<SystemClock>,
    gone: Option<String>,
}

impl FixLink {
    /// Begins to connect; see [`FixLink::is_live`].
    ///
    /// # Errors
    /// No connection.
    pub fn begin(address: SocketAddr, login: FixLogin) -> Result<Self, FixDisconnect> {
        let client = FixClient::begin(address, login, SystemClock::new())?;
        Ok(Self { client, gone: None })
    }

    /// Connects and waits until it is logged on.
    ///
    /// # Errors
    /// No connection, a refused Logon, or no answer in time.
    pub fn connect(address: SocketAddr, login: FixLogin) -> Result<Self, FixDisconnect> {
        Ok(Self { client: FixClient::connect(address, login)?, gone: None })
    }

    /// Whether it is logged on.
    pub const fn is_live(&self) -> bool {
        self.client.is_live()
    }

    /// Asks for the end of the session.
    pub const fn leave(&mut self) {
        self.client.logout();
    }
}

fn order_of(symbol: Symbol, order: &Order) -> FixOrder {
    FixOrder {
        side: side_of(order.side),
        quantity: SHARES,
        symbol,
        limit: Some(order.price),
        time_in_force: match order.role {
            Role::Take | Role::Pass => TimeInForce::ImmediateOrCancel,
            Role::Rest | Role::Make => TimeInForce::Day,
        },
    }
}

impl Link for FixLink {
    fn enter(&mut self, symbol: Symbol, order: &Order) -> Option<u64> {
        self.client.enter(&order_of(symbol, order)).ok()
    }

    fn cancel(&mut self, number: u64, symbol: Symbol, order: &Order) -> Option<u64> {
        self.client.cancel(number, side_of(order.side), symbol).ok()
    }

    fn replace(&mut self, number: u64, symbol: Symbol, order: &Order) -> Option<u64> {
        self.client.replace(number, &order_of(symbol, order)).ok()
    }

    fn poll(&mut self, each: &mut impl FnMut(Seen)) {
        let gone = &mut self.gone;
        self.client.poll(&mut |event| {
            let (number, told) = match event {
                FixEvent::Report(report) => {
                    let Some(number) = report.id else { return };
                    let told = match report.exec_type {
                        b'0' | b'5' => Told::Accepted,
                        b'F' | b'1' | b'2' => Told::Executed,
                        b'8' => Told::Rejected(0),
                        _ => Told::Canceled,
                    };
                    (number, told)
                }
                FixEvent::CancelRejected { id: Some(number), reason, .. } => {
                    (number, Told::Rejected(reason))
                }
                FixEvent::Disconnected(cause) => {
                    *gone = Some(cause.to_string());
                    return;
                }
                _ => return,
            };
            each(Seen { number, told });
        });
    }

    fn gone(&self) -> Option<String> {
        self.gone.clone()
    }
}
