//! From the engine's events to OUCH messages.

use spindle_engine::command::{Attributes, OrderSide, TimeInForce};
use spindle_engine::event::{Event, Outcome};
use spindle_types::{EventTime, Price, Quantity};
use zerocopy::{IntoBytes, U16, U32, U64};

use super::MARKET_PRICE;
use super::codes::{cancel_letter, liquidity_flag, reject_code};
use super::outbound::{
    Accepted, AccountQueryResponse, Canceled, Executed, Rejected, Replaced, SystemEvent,
};

/// A message to a client, by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The day begins or ends.
    SystemEvent(SystemEvent),
    /// An order is accepted.
    Accepted(Accepted),
    /// An order stands in the place of another.
    Replaced(Replaced),
    /// Shares were taken off.
    Canceled(Canceled),
    /// Shares were executed.
    Executed(Executed),
    /// A request is refused.
    Rejected(Rejected),
    /// The next number.
    AccountQueryResponse(AccountQueryResponse),
}

impl Answer {
    /// The message on the wire.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::SystemEvent(message) => message.as_bytes(),
            Self::Accepted(message) => message.as_bytes(),
            Self::Replaced(message) => message.as_bytes(),
            Self::Canceled(message) => message.as_bytes(),
            Self::Executed(message) => message.as_bytes(),
            Self::Rejected(message) => message.as_bytes(),
            Self::AccountQueryResponse(message) => message.as_bytes(),
        }
    }

    /// The day begins.
    pub const fn start_of_day(time: EventTime) -> Self {
        Self::system_event(time, b'S')
    }

    /// The day ends.
    pub const fn end_of_day(time: EventTime) -> Self {
        Self::system_event(time, b'E')
    }

    const fn system_event(time: EventTime, event_code: u8) -> Self {
        let message_type = SystemEvent::TYPE;
        Self::SystemEvent(SystemEvent { message_type, timestamp: U64::new(time.0), event_code })
    }

    /// The answer to an account query.
    pub const fn next_number(time: EventTime, next: u32) -> Self {
        Self::AccountQueryResponse(AccountQueryResponse {
            message_type: AccountQueryResponse::TYPE,
            timestamp: U64::new(time.0),
            next_user_ref_num: U32::new(next),
        })
    }

    /// The message that tells an event; `None` for events that OUCH does not tell: a cancel or a
    /// replace of an order that is not open, and a number used before.
    #[inline]
    pub fn of(event: &Event) -> Option<Self> {
        let timestamp = U64::new(event.time.0);
        let user_ref_num = U32::new(event.token.0);
        match event.outcome {
            Outcome::Accepted { .. } => accepted(event).map(Self::Accepted),
            Outcome::Replaced { .. } => replaced(event).map(Self::Replaced),
            Outcome::Canceled { quantity, reason, .. } => Some(Self::Canceled(Canceled {
                message_type: Canceled::TYPE,
                timestamp,
                user_ref_num,
                quantity: U32::new(quantity.0),
                reason: cancel_letter(reason),
            })),
            Outcome::Executed { quantity, price, liquidity, match_number, .. } => {
                Some(Self::Executed(Executed {
                    message_type: Executed::TYPE,
                    timestamp,
                    user_ref_num,
                    quantity: U32::new(quantity.0),
                    price: U64::new(price.0.into()),
                    liquidity: liquidity_flag(liquidity),
                    match_number: U64::new(match_number.0),
                    appendage_length: U16::new(0),
                }))
            }
            Outcome::Rejected { reason, observed, attributes, .. } => reject_code(reason, observed)
                .map(|code| {
                    Self::Rejected(Rejected {
                        message_type: Rejected::TYPE,
                        timestamp,
                        user_ref_num,
                        reason: U16::new(code),
                        client_order_id: client_order_id(&attributes),
                    })
                }),
            Outcome::CancelRejected | Outcome::ReplaceRejected { .. } => None,
        }
    }
}

fn accepted(event: &Event) -> Option<Accepted> {
    let Outcome::Accepted {
        reference,
        symbol,
        side,
        quantity,
        limit,
        time_in_force,
        live,
        attributes,
    } = event.outcome
    else {
        return None;
    };
    Some(Accepted {
        message_type: Accepted::TYPE,
        timestamp: U64::new(event.time.0),
        user_ref_num: U32::new(event.token.0),
        side: side_letter(side),
        quantity: shares(quantity),
        symbol: symbol.0,
        price: price(limit),
        time_in_force: time_in_force_letter(time_in_force),
        display: attributes.display,
        reference: U64::new(reference.0),
        capacity: attributes.capacity,
        iso: attributes.iso,
        cross: attributes.cross,
        state: if live { b'L' } else { b'D' },
        client_order_id: client_order_id(&attributes),
        appendage_length: U16::new(0),
    })
}

fn replaced(event: &Event) -> Option<Replaced> {
    let Outcome::Replaced {
        original,
        reference,
        symbol,
        side,
        quantity,
        limit,
        time_in_force,
        attributes,
    } = event.outcome
    else {
        return None;
    };
    Some(Replaced {
        message_type: Replaced::TYPE,
        timestamp: U64::new(event.time.0),
        original: U32::new(original.0),
        user_ref_num: U32::new(event.token.0),
        side: side_letter(side),
        quantity: shares(quantity),
        symbol: symbol.0,
        price: price(limit),
        time_in_force: time_in_force_letter(time_in_force),
        display: attributes.display,
        reference: U64::new(reference.0),
        capacity: attributes.capacity,
        iso: attributes.iso,
        cross: attributes.cross,
        state: b'L',
        client_order_id: client_order_id(&attributes),
        appendage_length: U16::new(0),
    })
}

fn shares(quantity: Quantity) -> U32<zerocopy::BigEndian> {
    U32::new(quantity.0)
}

fn price(limit: Option<Price>) -> U64<zerocopy::BigEndian> {
    U64::new(limit.map_or(MARKET_PRICE, |price| price.0.into()))
}

fn client_order_id(attributes: &Attributes) -> [u8; 14] {
    attributes.client_order_id.first_chunk().copied().unwrap_or([b' '; 14])
}

/// The letter of a side.
pub const fn side_letter(side: OrderSide) -> u8 {
    match side {
        OrderSide::Buy => b'B',
        OrderSide::Sell => b'S',
        OrderSide::SellShort => b'T',
        OrderSide::SellShortExempt => b'E',
    }
}

/// The letter of a time in force.
pub const fn time_in_force_letter(time_in_force: TimeInForce) -> u8 {
    match time_in_force {
        TimeInForce::Day => b'0',
        TimeInForce::ImmediateOrCancel => b'3',
    }
}
