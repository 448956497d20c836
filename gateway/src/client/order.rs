//! What a client asks for, and how it looks on the wire.

use spindle_engine::command::{OrderSide, TimeInForce};
use spindle_types::{OrderToken, Price, Quantity, Symbol};
use zerocopy::{U16, U32, U64};

use crate::ouch::MARKET_PRICE;
use crate::ouch::answer::{side_letter, time_in_force_letter};
use crate::ouch::inbound;

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
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
    /// A agency, P principal, R riskless, O other.
    pub capacity: u8,
    /// Free text that comes back, padded on the right with spaces.
    pub client_order_id: [u8; 14],
}

impl NewOrder {
    /// A limit order for the day, as principal, without a text.
    pub const fn limit(side: OrderSide, quantity: Quantity, symbol: Symbol, limit: Price) -> Self {
        Self {
            side,
            quantity,
            symbol,
            limit: Some(limit),
            time_in_force: TimeInForce::Day,
            capacity: b'P',
            client_order_id: [b' '; 14],
        }
    }

    /// A market order, as principal, without a text; what does not execute at once is cancelled.
    pub const fn market(side: OrderSide, quantity: Quantity, symbol: Symbol) -> Self {
        let order = Self::limit(side, quantity, symbol, Price(0));
        Self { limit: None, time_in_force: TimeInForce::ImmediateOrCancel, ..order }
    }

    /// The same order; what does not execute at once is cancelled.
    #[must_use]
    pub const fn immediate_or_cancel(self) -> Self {
        Self { time_in_force: TimeInForce::ImmediateOrCancel, ..self }
    }

    /// The message on the wire.
    pub fn message(&self, number: OrderToken) -> inbound::Enter {
        inbound::Enter {
            message_type: inbound::Enter::TYPE,
            user_ref_num: U32::new(number.0),
            side: side_letter(self.side),
            quantity: U32::new(self.quantity.0),
            symbol: self.symbol.0,
            price: price(self.limit),
            time_in_force: time_in_force_letter(self.time_in_force),
            display: b'Y',
            capacity: self.capacity,
            iso: b'N',
            cross: b'N',
            client_order_id: self.client_order_id,
            appendage_length: U16::new(0),
        }
    }
}

/// What stands in the place of an open order. Side, symbol and capacity stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Shares of the whole chain, those already executed included.
    pub quantity: Quantity,
    /// The limit in 1/10,000; `None` is a market order.
    pub limit: Option<Price>,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// Free text that comes back, padded on the right with spaces.
    pub client_order_id: [u8; 14],
}

impl Replacement {
    /// A limit order for the day without a text.
    pub const fn limit(quantity: Quantity, limit: Price) -> Self {
        Self {
            quantity,
            limit: Some(limit),
            time_in_force: TimeInForce::Day,
            client_order_id: [b' '; 14],
        }
    }

    /// The message on the wire.
    pub fn message(&self, original: OrderToken, number: OrderToken) -> inbound::Replace {
        inbound::Replace {
            message_type: inbound::Replace::TYPE,
            original: U32::new(original.0),
            user_ref_num: U32::new(number.0),
            quantity: U32::new(self.quantity.0),
            price: price(self.limit),
            time_in_force: time_in_force_letter(self.time_in_force),
            display: b'Y',
            iso: b'N',
            client_order_id: self.client_order_id,
            appendage_length: U16::new(0),
        }
    }
}

/// A cancel on the wire: `quantity` is the size that the order shall have in total.
pub fn cancel(number: OrderToken, quantity: Quantity) -> inbound::Cancel {
    inbound::Cancel {
        message_type: inbound::Cancel::TYPE,
        user_ref_num: U32::new(number.0),
        quantity: U32::new(quantity.0),
    }
}

fn price(limit: Option<Price>) -> U64<zerocopy::BigEndian> {
    U64::new(limit.map_or(MARKET_PRICE, |price| price.0.into()))
}
