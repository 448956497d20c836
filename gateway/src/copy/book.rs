//! The open orders of all sessions, as far as a copy has to know them: what an order is, so that an
//! execution can be told with its symbol and its sums.

use std::collections::HashMap;

use spindle_engine::command::{OrderSide, TimeInForce};
use spindle_engine::event::{Event, Outcome};
use spindle_types::{OrderToken, Price, SessionId, Symbol, keep};

/// An order of a session, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub(crate) struct Order {
    /// The venue's number; 0 where it has none.
    pub(crate) reference: u64,
    /// The instrument; blank where it is not known.
    pub(crate) symbol: Symbol,
    pub(crate) side: Option<OrderSide>,
    pub(crate) limit: Option<Price>,
    pub(crate) time_in_force: Option<TimeInForce>,
    /// Shares of the whole chain of replacements.
    pub(crate) quantity: u32,
    pub(crate) executed: u32,
    pub(crate) open: u32,
    /// The sum of price times shares executed.
    pub(crate) value: u64,
    /// What the client calls it, padded with spaces or zeros.
    pub(crate) id: [u8; 20],
}

impl Order {
    /// One of which nothing is known.
    pub(crate) const UNKNOWN: Self = Self {
        reference: 0,
        symbol: Symbol::BLANK,
        side: None,
        limit: None,
        time_in_force: None,
        quantity: 0,
        executed: 0,
        open: 0,
        value: 0,
        id: [b' '; 20],
    };
}

/// The orders that are open. Room is taken at the start.
#[derive(Debug, keep::State)]
pub(super) struct Book {
    orders: HashMap<(SessionId, OrderToken), Order>,
    #[keep(skip)]
    orders_max: usize,
}

impl Book {
    pub(super) fn new(orders_max: usize) -> Self {
        Self { orders: HashMap::with_capacity(orders_max), orders_max }
    }

    fn put(&mut self, event: &Event, order: Order) {
        if order.open > 0 && self.orders.len() < self.orders_max {
            self.orders.insert((event.session, event.token), order);
        }
    }

    /// The order after an event, and what it was called before where it was replaced; `None` for
    /// what no copy is told: answers that change no order.
    pub(super) fn follow(&mut self, event: &Event) -> Option<(Order, Option<[u8; 20]>)> {
        let key = (event.session, event.token);
        match event.outcome {
            Outcome::Accepted {
                reference,
                symbol,
                side,
                quantity,
                limit,
                time_in_force,
                live,
                attributes,
            } => {
                let order = Order {
                    reference: reference.0,
                    symbol,
                    side: Some(side),
                    limit,
                    time_in_force: Some(time_in_force),
                    quantity: quantity.0,
                    open: if live { quantity.0 } else { 0 },
                    id: attributes.client_order_id,
                    ..Order::UNKNOWN
                };
                self.put(event, order);
                Some((order, None))
            }
            Outcome::Replaced {
                original,
                reference,
                symbol,
                side,
                quantity,
                limit,
                time_in_force,
                attributes,
            } => {
                let before = self.orders.remove(&(event.session, original));
                let was = before.unwrap_or(Order::UNKNOWN);
                let order = Order {
                    // That of the first order of the chain.
                    reference: if was.reference > 0 { was.reference } else { reference.0 },
                    symbol,
                    side: Some(side),
                    limit,
                    time_in_force: Some(time_in_force),
                    quantity: was.executed.saturating_add(quantity.0),
                    open: quantity.0,
                    id: attributes.client_order_id,
                    ..was
                };
                self.put(event, order);
                Some((order, before.map(|before| before.id)))
            }
            Outcome::Canceled { quantity, open, .. } => {
                let mut order = self.orders.remove(&key).unwrap_or(Order::UNKNOWN);
                order.open = open.0;
                if open.0 > 0 {
                    order.quantity = order.quantity.saturating_sub(quantity.0);
                }
                self.put(event, order);
                Some((order, None))
            }
            Outcome::Modified { side, quantity, open } => {
                let mut order = self.orders.remove(&key).unwrap_or(Order::UNKNOWN);
                (order.side, order.open) = (Some(side), open.0);
                order.quantity = order.quantity.saturating_sub(quantity.0);
                self.put(event, order);
                Some((order, None))
            }
            Outcome::Executed { quantity, price, open, .. } => {
                let mut order = self.orders.remove(&key).unwrap_or(Order::UNKNOWN);
                order.executed = order.executed.saturating_add(quantity.0);
                let value = u64::from(price.0) * u64::from(quantity.0);
                order.value = order.value.saturating_add(value);
                order.open = open.0;
                self.put(event, order);
                Some((order, None))
            }
            Outcome::Rejected { attributes, .. } => {
                Some((Order { id: attributes.client_order_id, ..Order::UNKNOWN }, None))
            }
            Outcome::Triggered => {
                Some((self.orders.get(&key).copied().unwrap_or(Order::UNKNOWN), None))
            }
            Outcome::Checked { .. }
            | Outcome::MassCanceled { .. }
            | Outcome::Indicative { .. }
            | Outcome::Auction { .. }
            | Outcome::TapeImbalance { .. }
            | Outcome::State { .. }
            | Outcome::CancelRejected
            | Outcome::ReplaceRejected { .. } => None,
        }
    }
}
