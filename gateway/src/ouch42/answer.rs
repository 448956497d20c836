//! From the engine's events to OUCH 4.2 messages.

use spindle_engine::event::{Event, Outcome};
use spindle_types::Price;
use zerocopy::{BigEndian, IntoBytes, U32, U64};

use super::codes::reject_letter;
use super::outbound::{Accepted, Canceled, Executed, Modified, Rejected, Replaced};
use super::tokens::Record;
use super::{MARKET_PRICE, Token};
use crate::ouch::answer::side_letter;
use crate::ouch::codes::{cancel_letter, liquidity_flag};

/// A message to a client, by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An order is accepted.
    Accepted(Accepted),
    /// An order stands in the place of another.
    Replaced(Replaced),
    /// Side or size of an order were changed in its place.
    Modified(Modified),
    /// Shares were taken off.
    Canceled(Canceled),
    /// Shares were executed.
    Executed(Executed),
    /// A request is refused.
    Rejected(Rejected),
}

impl Answer {
    /// The message on the wire.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Accepted(message) => message.as_bytes(),
            Self::Replaced(message) => message.as_bytes(),
            Self::Modified(message) => message.as_bytes(),
            Self::Canceled(message) => message.as_bytes(),
            Self::Executed(message) => message.as_bytes(),
            Self::Rejected(message) => message.as_bytes(),
        }
    }

    /// The message that tells an event of an order; `None` for events that OUCH does not tell. `previous` is
    /// the token of the order that a replacement stands for.
    #[inline]
    pub(super) fn of(event: &Event, record: &Record, previous: &Token) -> Option<Self> {
        let (timestamp, token) = (U64::new(event.time.0), record.token);
        Some(match event.outcome {
            Outcome::Accepted {
                reference,
                symbol,
                side,
                quantity,
                limit,
                live,
                attributes,
                ..
            } => Self::Accepted(Accepted {
                message_type: Accepted::TYPE,
                timestamp,
                token,
                side: side_letter(side),
                shares: U32::new(quantity.0),
                stock: symbol.0,
                price: price(limit),
                time_in_force: U32::new(record.time_in_force),
                firm: record.firm,
                display: attributes.display,
                reference: U64::new(reference.0),
                capacity: attributes.capacity,
                iso: attributes.iso,
                minimum: U32::new(record.minimum),
                cross: attributes.cross,
                state: if live { b'L' } else { b'D' },
                bbo_weight: b' ',
            }),
            Outcome::Replaced { reference, symbol, side, quantity, limit, attributes, .. } => {
                Self::Replaced(Replaced {
                    message_type: Replaced::TYPE,
                    timestamp,
                    token,
                    side: side_letter(side),
                    shares: U32::new(quantity.0),
                    stock: symbol.0,
                    price: price(limit),
                    time_in_force: U32::new(record.time_in_force),
                    firm: record.firm,
                    display: attributes.display,
                    reference: U64::new(reference.0),
                    capacity: attributes.capacity,
                    iso: attributes.iso,
                    minimum: U32::new(record.minimum),
                    cross: attributes.cross,
                    state: b'L',
                    previous: *previous,
                    bbo_weight: b' ',
                })
            }
            Outcome::Modified { side, open, .. } => Self::Modified(Modified {
                message_type: Modified::TYPE,
                timestamp,
                token,
                side: side_letter(side),
                shares: U32::new(open.0),
            }),
            Outcome::Canceled { quantity, reason, .. } => Self::Canceled(Canceled {
                message_type: Canceled::TYPE,
                timestamp,
                token,
                decrement: U32::new(quantity.0),
                reason: cancel_letter(reason),
            }),
            Outcome::Executed { quantity, price, liquidity, match_number, .. } => {
                Self::Executed(Executed {
                    message_type: Executed::TYPE,
                    timestamp,
                    token,
                    shares: U32::new(quantity.0),
                    price: U32::new(price.0),
                    liquidity: liquidity_flag(liquidity),
                    match_number: U64::new(match_number.0),
                })
            }
            Outcome::Rejected { reason, observed, attributes, .. } => Self::Rejected(Rejected {
                message_type: Rejected::TYPE,
                timestamp,
                token: attributes.client_order_id.first_chunk().copied().unwrap_or(token),
                reason: reject_letter(reason, observed)?,
            }),
            Outcome::CancelRejected
            | Outcome::ReplaceRejected { .. }
            | Outcome::Triggered
            | Outcome::Checked { .. }
            | Outcome::MassCanceled { .. }
            | Outcome::Indicative { .. }
            | Outcome::Auction { .. }
            | Outcome::TapeImbalance { .. }
            | Outcome::State { .. } => return None,
        })
    }
}

fn price(limit: Option<Price>) -> U32<BigEndian> {
    U32::new(limit.map_or(MARKET_PRICE, |price| price.0))
}
