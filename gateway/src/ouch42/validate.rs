//! Which requests the venue takes: from the fields of a message to the engine's values.

use spindle_engine::command::{
    Attributes, Enter, Modifiers, OrderKind, OrderSide, Priority, Replace, TimeInForce,
};
use spindle_engine::event::RejectReason;
use spindle_types::{OrderToken, Price, Quantity, Symbol};

use super::codes::{option, option_name};
use super::tokens::Record;
use super::{
    EXTENDED_HOURS, IMMEDIATE, LIMIT_PRICE_MAX, MARKET_HOURS, MARKET_PRICE, SECONDS_MAX,
    SYSTEM_HOURS, Token, inbound,
};
use crate::ouch::QUANTITY_MAX;

/// Why a request is refused, and what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) reason: RejectReason,
    pub(super) observed: u64,
}

impl Invalid {
    /// What is wrong, by name.
    pub(super) const fn name(self) -> &'static str {
        match self.reason {
            RejectReason::InvalidOption => option_name(self.observed),
            reason => reason.name(),
        }
    }
}

const fn invalid<T>(reason: RejectReason, observed: u64) -> Result<T, Invalid> {
    Err(Invalid { reason, observed })
}

/// What is remembered of a new order.
pub(super) fn record(message: &inbound::Enter) -> Record {
    Record {
        token: message.token,
        firm: message.firm,
        minimum: message.minimum.get(),
        time_in_force: told(message.time_in_force.get(), message.cross),
        display: message.display,
        cross: message.cross,
    }
}

/// What is remembered of a replacement: a minimum was for the entry.
pub(super) fn replaced(message: &inbound::Replace, original: &Record) -> Record {
    Record {
        token: message.token,
        minimum: 0,
        time_in_force: told(message.time_in_force.get(), original.cross),
        display: message.display,
        ..*original
    }
}

/// The order that an Enter asks for. Fields are judged in the order of the message; the first that is wrong
/// is the answer.
pub(super) fn enter(
    message: &inbound::Enter,
    token: OrderToken,
    firms: &[[u8; 4]],
) -> Result<Enter, Invalid> {
    check_token(&message.token)?;
    let side = side(message.side)?;
    let quantity = quantity(message.shares.get())?;
    let limit = limit(message.price.get())?;
    let time_in_force = time_in_force(message.time_in_force.get(), message.cross)?;
    if message.firm != *b"    " && !firms.contains(&message.firm) {
        return invalid(RejectReason::InvalidOption, option::FIRM);
    }
    let (kind, mut modifiers) = shown(message.display)?;
    iso(message.iso)?;
    modifiers.minimum = Quantity(message.minimum.get());
    if !matches!(message.cross, b'N' | b'O' | b'C') {
        return invalid(RejectReason::InvalidCross, message.cross.into());
    }
    if !matches!(message.customer, b'N' | b' ') {
        return invalid(RejectReason::InvalidOption, option::CUSTOMER);
    }
    let (symbol, attributes) = (Symbol(message.stock), enter_attributes(message));
    Ok(Enter { token, symbol, side, quantity, limit, kind, modifiers, time_in_force, attributes })
}

/// The replacement that a Replace asks for.
pub(super) fn replace(
    message: &inbound::Replace,
    original: OrderToken,
    token: OrderToken,
    record: &Record,
) -> Result<Replace, Invalid> {
    check_token(&message.token)?;
    let quantity = quantity(message.shares.get())?;
    let limit = limit(message.price.get())?;
    let time_in_force = time_in_force(message.time_in_force.get(), record.cross)?;
    if shown(message.display)? != shown(record.display)? {
        // What is shown of an order stays.
        return invalid(RejectReason::InvalidDisplay, message.display.into());
    }
    iso(message.iso)?;
    let minimum = message.minimum.get();
    if minimum != 0 && minimum != record.minimum {
        return invalid(RejectReason::MinimumQuantity, minimum.into());
    }
    Ok(Replace {
        original,
        token,
        quantity,
        limit,
        time_in_force: (record.cross == b'N').then_some(time_in_force),
        priority: Priority::New,
        attributes: replace_attributes(message),
    })
}

/// What the client wrote on an Enter, right or wrong.
pub(super) fn enter_attributes(message: &inbound::Enter) -> Attributes {
    let capacity = match message.capacity {
        letter @ (b'A' | b'P' | b'R') => letter,
        _ => b'O',
    };
    Attributes {
        client_order_id: padded(&message.token),
        capacity,
        iso: message.iso,
        display: message.display,
        cross: message.cross,
    }
}

/// What the client wrote on a Replace. Capacity and cross are those of the original: 0.
pub(super) fn replace_attributes(message: &inbound::Replace) -> Attributes {
    Attributes {
        client_order_id: padded(&message.token),
        capacity: 0,
        iso: message.iso,
        display: message.display,
        cross: 0,
    }
}

fn padded(token: &Token) -> [u8; 20] {
    let mut padded = [b' '; 20];
    padded[..token.len()].copy_from_slice(token);
    padded
}

/// A token is letters and digits, with spaces behind them.
fn check_token(token: &Token) -> Result<(), Invalid> {
    let text = token.trim_ascii_end();
    match !text.is_empty() && text.iter().all(u8::is_ascii_alphanumeric) {
        true => Ok(()),
        false => invalid(RejectReason::InvalidOption, option::TOKEN),
    }
}

pub(super) const fn side(letter: u8) -> Result<OrderSide, Invalid> {
    match letter {
        b'B' => Ok(OrderSide::Buy),
        b'S' => Ok(OrderSide::Sell),
        b'T' => Ok(OrderSide::SellShort),
        b'E' => Ok(OrderSide::SellShortExempt),
        _ => invalid(RejectReason::InvalidSide, letter as u64),
    }
}

const fn quantity(shares: u32) -> Result<Quantity, Invalid> {
    match shares {
        1..=QUANTITY_MAX => Ok(Quantity(shares)),
        _ => invalid(RejectReason::InvalidQuantity, shares as u64),
    }
}

/// The limit, or `None` for a market order.
const fn limit(price: u32) -> Result<Option<Price>, Invalid> {
    match price {
        MARKET_PRICE => Ok(None),
        1..=LIMIT_PRICE_MAX => Ok(Some(Price(price))),
        _ => invalid(RejectReason::InvalidPrice, price as u64),
    }
}

/// All hours are the day here. An order for an auction is for that alone.
const fn time_in_force(value: u32, cross: u8) -> Result<TimeInForce, Invalid> {
    let hours = matches!(value, EXTENDED_HOURS | MARKET_HOURS | SYSTEM_HOURS);
    match (value, cross) {
        (IMMEDIATE, b'O') => Ok(TimeInForce::AtOpen),
        (_, b'O') if hours => Ok(TimeInForce::AtOpen),
        (IMMEDIATE, b'C') => Ok(TimeInForce::AtClose),
        (_, b'C') if hours => Ok(TimeInForce::AtClose),
        (IMMEDIATE, _) => Ok(TimeInForce::ImmediateOrCancel),
        _ if hours => Ok(TimeInForce::Day),
        (1..=SECONDS_MAX, b'N') => Ok(TimeInForce::GoodFor(value)),
        _ => invalid(RejectReason::InvalidTimeInForce, value as u64),
    }
}

/// The time in force as it is told: the same or a shorter one.
const fn told(value: u32, cross: u8) -> u32 {
    match value {
        EXTENDED_HOURS | MARKET_HOURS | SYSTEM_HOURS if cross == b'N' => MARKET_HOURS,
        EXTENDED_HOURS | MARKET_HOURS | SYSTEM_HOURS => IMMEDIATE,
        value => value,
    }
}

/// What a display asks for: A and Y shown, N not, P and L post-only, M a midpoint peg.
const fn shown(letter: u8) -> Result<(OrderKind, Modifiers), Invalid> {
    let plain = Modifiers::NONE;
    match letter {
        b'A' | b'Y' => Ok((OrderKind::Plain, plain)),
        b'N' => Ok((OrderKind::Plain, Modifiers { hidden: true, ..plain })),
        b'P' | b'L' => Ok((OrderKind::Plain, Modifiers { post_only: true, ..plain })),
        b'M' => Ok((OrderKind::MidpointPeg { offset: 0 }, plain)),
        _ => invalid(RejectReason::InvalidDisplay, letter as u64),
    }
}

const fn iso(letter: u8) -> Result<(), Invalid> {
    match letter {
        b'N' => Ok(()),
        _ => invalid(RejectReason::InvalidOption, option::ISO),
    }
}
