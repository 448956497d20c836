//! Which requests the venue takes: from the fields of a message to the engine's values.

use spindle_engine::command::{
    Attributes, Enter, Modifiers, OrderKind, OrderSide, Priority, Replace, TimeInForce,
};
use spindle_engine::event::RejectReason;
use spindle_types::{OrderToken, Price, Quantity, Symbol};

use super::appendage::{Appendage, TagValue};
use super::codes::option;
use super::inbound;
use super::tag::{Tag, TagSet, allowed};
use super::{LIMIT_PRICE_MAX, MARKET_PRICE, MARKET_PRICE_ROUND, QUANTITY_MAX};

/// Why a request is refused, and what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) reason: RejectReason,
    pub(super) observed: u64,
}

const fn invalid(reason: RejectReason, observed: u64) -> Invalid {
    Invalid { reason, observed }
}

/// The order that an Enter asks for. Fields are judged in the order of the message, options last;
/// the first that is wrong is the answer.
pub(super) fn enter(
    message: &inbound::Enter,
    options: Appendage<'_>,
    firms: &[[u8; 4]],
) -> Result<Enter, Invalid> {
    let side = side(message.side)?;
    let quantity = quantity(message.quantity.get())?;
    let limit = limit(message.price.get())?;
    let time_in_force = time_in_force(message.time_in_force)?;
    display(message.display)?;
    if !matches!(message.capacity, b'A' | b'P' | b'R' | b'O') {
        return Err(invalid(RejectReason::InvalidOption, option::CAPACITY));
    }
    iso(message.iso)?;
    if message.cross != b'N' {
        return Err(invalid(RejectReason::InvalidCross, message.cross.into()));
    }
    offered(options, allowed::ENTER, firms)?;
    Ok(Enter {
        token: OrderToken(message.user_ref_num.get()),
        symbol: Symbol(message.symbol),
        side,
        quantity,
        limit,
        kind: OrderKind::Plain,
        modifiers: Modifiers::NONE,
        time_in_force,
        attributes: enter_attributes(message),
    })
}

/// The replacement that a Replace asks for.
pub(super) fn replace(
    message: &inbound::Replace,
    options: Appendage<'_>,
    firms: &[[u8; 4]],
) -> Result<Replace, Invalid> {
    let quantity = quantity(message.quantity.get())?;
    let limit = limit(message.price.get())?;
    let time_in_force = match message.time_in_force {
        // After hours exists on Enter alone, and is not offered there either.
        b'E' => return Err(invalid(RejectReason::InvalidTimeInForce, b'E'.into())),
        letter => time_in_force(letter)?,
    };
    display(message.display)?;
    iso(message.iso)?;
    offered(options, allowed::REPLACE, firms)?;
    Ok(Replace {
        original: OrderToken(message.original.get()),
        token: OrderToken(message.user_ref_num.get()),
        quantity,
        limit,
        time_in_force: Some(time_in_force),
        priority: Priority::New,
        attributes: replace_attributes(message),
    })
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

fn side(letter: u8) -> Result<OrderSide, Invalid> {
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
/// carry a shorter time in force than was asked for.
fn time_in_force(letter: u8) -> Result<TimeInForce, Invalid> {
    match letter {
        b'0' | b'5' => Ok(TimeInForce::Day),
        b'3' => Ok(TimeInForce::ImmediateOrCancel),
        _ => Err(invalid(RejectReason::InvalidTimeInForce, letter.into())),
    }
}

fn display(letter: u8) -> Result<(), Invalid> {
    match letter {
        b'Y' | b'A' => Ok(()),
        _ => Err(invalid(RejectReason::InvalidDisplay, letter.into())),
    }
}

fn iso(letter: u8) -> Result<(), Invalid> {
    match letter {
        b'N' => Ok(()),
        _ => Err(invalid(RejectReason::InvalidOption, option::ISO)),
    }
}

/// Checks the options: strictly, and that none asks for something that the venue does not offer.
pub(super) fn offered(
    options: Appendage<'_>,
    allowed: TagSet,
    firms: &[[u8; 4]],
) -> Result<(), Invalid> {
    let refused = |number: u8| invalid(RejectReason::InvalidOption, number.into());
    options.check(allowed).map_err(|error| refused(error.number()))?;
    match options.iter().find(|option| !asks_for_nothing(option, firms)) {
        Some(option) => Err(refused(option.number)),
        None => Ok(()),
    }
}

/// Whether the value is the one that a message without this option has too, or is information that
/// changes nothing here.
fn asks_for_nothing(option: &TagValue<'_>, firms: &[[u8; 4]]) -> bool {
    let value = option.value;
    match option.tag() {
        Some(Tag::Firm) => value == b"    " || firms.iter().any(|firm| value == firm),
        Some(
            Tag::MinQuantity
            | Tag::MaxFloor
            | Tag::PegOffset
            | Tag::DiscretionPrice
            | Tag::DiscretionPegOffset
            | Tag::RandomReserves
            | Tag::GroupId
            | Tag::UserRefIdx,
        ) => option.as_number() == 0,
        Some(Tag::CustomerType | Tag::TradeNow) => matches!(value, b"N" | b" "),
        Some(Tag::PriceType | Tag::DiscretionPriceType) => value == b"L",
        Some(Tag::PostOnly) => value == b"N",
        Some(Tag::Route) => value == b"    ",
        Some(Tag::HandleInstruction) => value == b" ",
        Some(Tag::AiqStrategy) => matches!(value, b"*" | b"N"),
        Some(Tag::AiqGroup) => value == b"**",
        Some(Tag::SharesLocated | Tag::LocateBroker) => true,
        Some(
            Tag::SecondaryOrderReference
            | Tag::ExpireTime
            | Tag::BboWeight
            | Tag::DisplayQuantity
            | Tag::DisplayPrice
            | Tag::Side,
        )
        | None => false,
    }
}
