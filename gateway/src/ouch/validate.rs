//! Which requests the venue takes: from the fields of a message to the engine's values.

use spindle_engine::command::{Attributes, Enter, OrderSide, Priority, Replace, TimeInForce};
use spindle_engine::event::RejectReason;
use spindle_types::{OrderToken, Price, Quantity, Symbol};

use super::appendage::Appendage;
use super::codes::option;
use super::inbound;
use super::tag::{Tag, allowed};
use super::terms::Terms;
use super::{LIMIT_PRICE_MAX, MARKET_PRICE, MARKET_PRICE_ROUND, QUANTITY_MAX};

/// Why a request is refused, and what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) reason: RejectReason,
    pub(super) observed: u64,
}

impl Invalid {
    /// An option that is not offered.
    pub(super) const fn option(tag: Tag) -> Self {
        Self { reason: RejectReason::InvalidOption, observed: tag as u64 }
    }

    /// What is wrong, by name.
    #[allow(clippy::cast_possible_truncation, reason = "it is below 256")]
    pub(super) const fn name(self) -> &'static str {
        match (self.reason, self.observed) {
            (RejectReason::InvalidOption, option::CAPACITY) => "capacity",
            (RejectReason::InvalidOption, option::ISO) => "ISO eligibility",
            (RejectReason::InvalidOption, option::DISABLED) => {
                "order entry (disabled by the client)"
            }
            (RejectReason::InvalidOption, number @ 0..=0xff) => {
                match Tag::from_number(number as u8) {
                    Some(tag) => tag.name(),
                    None => "unknown option",
                }
            }
            (reason, _) => reason.name(),
        }
    }
}

const fn invalid(reason: RejectReason, observed: u64) -> Invalid {
    Invalid { reason, observed }
}

/// The order that an Enter asks for, and its terms. Fields are judged in the order of the message, options
/// last; the first that is wrong is the answer.
pub(super) fn enter(
    message: &inbound::Enter,
    options: Appendage<'_>,
    firms: &[[u8; 4]],
) -> Result<(Enter, Terms), Invalid> {
    let side = side(message.side)?;
    let quantity = quantity(message.quantity.get())?;
    let limit = limit(message.price.get())?;
    let in_force = message.time_in_force;
    if !matches!(in_force, b'0' | b'3' | b'5' | b'6') {
        return Err(invalid(RejectReason::InvalidTimeInForce, in_force.into()));
    }
    let hidden = hidden(message.display)?;
    if !matches!(message.capacity, b'A' | b'P' | b'R' | b'O') {
        return Err(invalid(RejectReason::InvalidOption, option::CAPACITY));
    }
    iso(message.iso)?;
    if !matches!(message.cross, b'N' | b'O' | b'C') {
        return Err(invalid(RejectReason::InvalidCross, message.cross.into()));
    }
    let mut terms = Terms::read(options, allowed::ENTER, firms)?.named(options);
    (terms.hidden, terms.cross) = (hidden, message.cross);
    let kind = terms.kind(side)?;
    if terms.is_midpoint() {
        terms.hidden = false;
    }
    let mut attributes = enter_attributes(message);
    if terms.is_midpoint() {
        attributes.display = b'N';
    }
    Ok((
        Enter {
            token: OrderToken(message.user_ref_num.get()),
            symbol: Symbol(message.symbol),
            side,
            quantity,
            limit,
            kind,
            modifiers: terms.modifiers(),
            time_in_force: time_in_force(in_force, &terms, options)?,
            attributes,
        },
        terms,
    ))
}

/// The replacement that a Replace of an order with these terms asks for, and its own.
pub(super) fn replace(
    message: &inbound::Replace,
    options: Appendage<'_>,
    original: &Terms,
    firms: &[[u8; 4]],
) -> Result<(Replace, Terms), Invalid> {
    let quantity = quantity(message.quantity.get())?;
    let limit = limit(message.price.get())?;
    let in_force = message.time_in_force;
    // After hours exists on Enter alone, and is not offered there either.
    if !matches!(in_force, b'0' | b'3' | b'5' | b'6') {
        return Err(invalid(RejectReason::InvalidTimeInForce, in_force.into()));
    }
    let shows = hidden(message.display)? == original.hidden;
    if !shows && !original.is_midpoint() {
        return Err(invalid(RejectReason::InvalidDisplay, message.display.into()));
    }
    iso(message.iso)?;
    let terms = original.replaced(options, allowed::REPLACE, firms)?;
    let mut attributes = replace_attributes(message);
    if terms.is_midpoint() {
        attributes.display = b'N';
    }
    let replace = Replace {
        original: OrderToken(message.original.get()),
        token: OrderToken(message.user_ref_num.get()),
        quantity,
        limit,
        time_in_force: match terms.cross {
            b'N' => Some(time_in_force(in_force, &terms, options)?),
            // It is for its auction still.
            _ if in_force == b'6' => {
                return Err(invalid(RejectReason::InvalidTimeInForce, b'6'.into()));
            }
            _ => None,
        },
        priority: Priority::New,
        attributes,
    };
    Ok((replace, terms))
}

/// What the client wrote on an Enter, right or wrong.
pub(super) fn enter_attributes(message: &inbound::Enter) -> Attributes {
    Attributes {
        client_order_id: client_order_id(&message.client_order_id),
        capacity: message.capacity,
        iso: message.iso,
        display: message.display,
        cross: message.cross,
    }
}

/// What the client wrote on a Replace. Capacity and cross are those of the original: 0.
pub(super) fn replace_attributes(message: &inbound::Replace) -> Attributes {
    Attributes {
        client_order_id: client_order_id(&message.client_order_id),
        capacity: 0,
        iso: message.iso,
        display: message.display,
        cross: 0,
    }
}

fn client_order_id(field: &[u8; 14]) -> [u8; 20] {
    let mut padded = [b' '; 20];
    padded[..field.len()].copy_from_slice(field);
    padded
}

pub(super) fn side(letter: u8) -> Result<OrderSide, Invalid> {
    match letter {
        b'B' => Ok(OrderSide::Buy),
        b'S' => Ok(OrderSide::Sell),
        b'T' => Ok(OrderSide::SellShort),
        b'E' => Ok(OrderSide::SellShortExempt),
        _ => Err(invalid(RejectReason::InvalidSide, letter.into())),
    }
}

fn quantity(shares: u32) -> Result<Quantity, Invalid> {
    match shares {
        1..=QUANTITY_MAX => Ok(Quantity(shares)),
        _ => Err(invalid(RejectReason::InvalidQuantity, shares.into())),
    }
}

/// The limit, or `None` for a market order.
fn limit(price: u64) -> Result<Option<Price>, Invalid> {
    match price {
        MARKET_PRICE | MARKET_PRICE_ROUND => Ok(None),
        1..=LIMIT_PRICE_MAX => u32::try_from(price)
            .map(|price| Some(Price(price)))
            .map_err(|_| invalid(RejectReason::InvalidPrice, price)),
        _ => Err(invalid(RejectReason::InvalidPrice, price)),
    }
}

/// Extended hours (5) is a day order here: the venue has one kind of hours, and the answer may
/// carry a shorter time in force than was asked for. An order for an auction is for that alone.
fn time_in_force(
    letter: u8,
    terms: &Terms,
    options: Appendage<'_>,
) -> Result<TimeInForce, Invalid> {
    let expires = Tag::ExpireTime as u64;
    if letter != b'6' && options.get(Tag::ExpireTime).is_some() {
        return Err(invalid(RejectReason::InvalidOption, expires));
    }
    match (letter, terms.cross) {
        (b'6', b'N') if terms.seconds > 0 => Ok(TimeInForce::GoodFor(terms.seconds)),
        (b'6', b'N') => Err(invalid(RejectReason::InvalidOption, expires)),
        (b'0' | b'3' | b'5', b'O') => Ok(TimeInForce::AtOpen),
        (b'0' | b'3' | b'5', b'C') => Ok(TimeInForce::AtClose),
        (b'0' | b'5', _) => Ok(TimeInForce::Day),
        (b'3', _) => Ok(TimeInForce::ImmediateOrCancel),
        _ => Err(invalid(RejectReason::InvalidTimeInForce, letter.into())),
    }
}

/// Whether the order is not shown at all.
fn hidden(letter: u8) -> Result<bool, Invalid> {
    match letter {
        b'Y' | b'A' => Ok(false),
        b'N' => Ok(true),
        _ => Err(invalid(RejectReason::InvalidDisplay, letter.into())),
    }
}

fn iso(letter: u8) -> Result<(), Invalid> {
    match letter {
        b'N' => Ok(()),
        _ => Err(invalid(RejectReason::InvalidOption, option::ISO)),
    }
}
