//! Requests of sessions as bytes.
//!
//! Session, account (u16 each), which action (u8), then the action's fields in the order of its declaration. An
//! optional value is a u8 that says whether there is one, and the value; an enumeration is a u8 with the numbers
//! below.

use spindle_risk::Check;
use spindle_types::{AccountId, EventTime, OrderToken, Price, Quantity, SessionId, Side, Symbol};

use super::InputError;
use super::pen::{Cursor, Pen};
use crate::command::{
    Action, Attributes, Cancel, Command, Enter, MassCancel, Modifiers, Modify, OrderKind,
    OrderSide, Priority, Refuse, Replace, TimeInForce,
};
use crate::event::{Field, RejectReason};

/// Appends a request, without its time and its stamps.
pub fn encode_command(into: &mut Vec<u8>, command: &Command) {
    let pen = &mut Pen(into);
    pen.u16(command.session.0).u16(command.account.0);
    match &command.action {
        Action::Enter(enter) => encode_enter(pen.u8(1), enter),
        Action::Replace(replace) => {
            let Replace { original, token, quantity, limit, time_in_force, priority, attributes } =
                replace;
            pen.u8(2).u32(original.0).u32(token.0).u32(quantity.0).price(*limit);
            pen.u8(time_in_force.is_some().into());
            encode_time(pen, time_in_force.unwrap_or(TimeInForce::Day));
            pen.u8(match priority {
                Priority::KeepWhenReduced => 1,
                Priority::New => 2,
            });
            encode_attributes(pen, attributes);
        }
        Action::Cancel(Cancel { token, quantity }) => {
            pen.u8(3).u32(token.0).u32(quantity.0);
        }
        Action::MassCancel(MassCancel { token, account, session, symbol, side }) => {
            pen.u8(4).u32(token.0);
            pen.u8(account.is_some().into()).u16(account.map_or(0, |account| account.0));
            pen.u8(session.is_some().into()).u16(session.map_or(0, |session| session.0));
            pen.u8(symbol.is_some().into()).bytes(&symbol.unwrap_or_default().0);
            pen.u8(side.map_or(0, |side| 1 + u8::from(side == Side::Sell)));
        }
        Action::Refuse(Refuse { token, reason, observed, attributes }) => {
            let (reason, of) = reason_code(*reason);
            pen.u8(5).u32(token.0).u8(reason).u8(of).u64(*observed);
            encode_attributes(pen, attributes);
        }
        Action::Modify(Modify { token, side, quantity }) => {
            pen.u8(6).u32(token.0).u8(side_code(*side)).u32(quantity.0);
        }
    }
}

const fn side_code(side: OrderSide) -> u8 {
    match side {
        OrderSide::Buy => 1,
        OrderSide::Sell => 2,
        OrderSide::SellShort => 3,
        OrderSide::SellShortExempt => 4,
    }
}

fn decode_side(cursor: &mut Cursor<'_>) -> Result<OrderSide, InputError> {
    Ok(match cursor.u8("side")? {
        1 => OrderSide::Buy,
        2 => OrderSide::Sell,
        3 => OrderSide::SellShort,
        4 => OrderSide::SellShortExempt,
        other => return Err(InputError { what: "side", value: other.into() }),
    })
}

fn encode_enter(pen: &mut Pen<'_>, enter: &Enter) {
    let Enter { token, symbol, side, quantity, limit, kind, modifiers, time_in_force, attributes } =
        enter;
    pen.u32(token.0).bytes(&symbol.0).u8(side_code(*side));
    pen.u32(quantity.0).price(*limit);
    let (kind, number, stop) = match *kind {
        OrderKind::Plain => (1, 0, None),
        OrderKind::MarketToLimit => (2, 0, None),
        OrderKind::Stop { stop } => (3, 0, Some(stop)),
        OrderKind::TrailingStop { trail, stop } => (4, trail.0, stop),
        OrderKind::MidpointPeg { offset } => (5, offset.cast_unsigned(), None),
        OrderKind::PrimaryPeg { offset } => (6, offset.cast_unsigned(), None),
    };
    pen.u8(kind).u32(number).price(stop);
    let Modifiers { display, hidden, post_only, minimum, check_only } = modifiers;
    pen.u32(display.0).u8((*hidden).into()).u8((*post_only).into());
    pen.u32(minimum.0).u8((*check_only).into());
    encode_time(pen, *time_in_force);
    encode_attributes(pen, attributes);
}

/// The number of a time in force, and what comes with it.
pub(crate) const fn time_code(time_in_force: TimeInForce) -> (u8, u64) {
    match time_in_force {
        TimeInForce::Day => (1, 0),
        TimeInForce::ImmediateOrCancel => (2, 0),
        TimeInForce::FillOrKill => (3, 0),
        TimeInForce::GoodTillCancel => (4, 0),
        TimeInForce::GoodTillDate(until) => (5, until.0),
        TimeInForce::AtOpen => (6, 0),
        TimeInForce::AtClose => (7, 0),
        TimeInForce::GoodFor(seconds) => (8, seconds as u64),
    }
}

fn encode_time(pen: &mut Pen<'_>, time_in_force: TimeInForce) {
    let (code, until) = time_code(time_in_force);
    pen.u8(code).u64(until);
}

fn encode_attributes(pen: &mut Pen<'_>, attributes: &Attributes) {
    let Attributes { client_order_id, capacity, iso, display, cross } = attributes;
    pen.bytes(client_order_id).u8(*capacity).u8(*iso).u8(*display).u8(*cross);
}

/// Reads a request.
///
/// # Errors
/// Bytes that are none.
pub fn decode_command(time: EventTime, bytes: &[u8]) -> Result<Command, InputError> {
    let cursor = &mut Cursor::new(bytes);
    let session = SessionId(cursor.u16("session")?);
    let account = AccountId(cursor.u16("account")?);
    let action = match cursor.u8("action")? {
        1 => Action::Enter(decode_enter(cursor)?),
        2 => Action::Replace(decode_replace(cursor)?),
        3 => Action::Cancel(Cancel {
            token: OrderToken(cursor.u32("token")?),
            quantity: Quantity(cursor.u32("quantity")?),
        }),
        4 => Action::MassCancel(decode_mass_cancel(cursor)?),
        5 => {
            let token = OrderToken(cursor.u32("token")?);
            let reason = reason_of(cursor.u8("reason")?, cursor.u8("reason's part")?)?;
            let observed = cursor.u64("observed")?;
            let attributes = decode_attributes(cursor)?;
            Action::Refuse(Refuse { token, reason, observed, attributes })
        }
        6 => Action::Modify(Modify {
            token: OrderToken(cursor.u32("token")?),
            side: decode_side(cursor)?,
            quantity: Quantity(cursor.u32("quantity")?),
        }),
        other => return Err(InputError { what: "action", value: other.into() }),
    };
    cursor.end()?;
    Ok(Command { time, session, account, received: 0, queued: 0, action })
}

fn decode_enter(cursor: &mut Cursor<'_>) -> Result<Enter, InputError> {
    let wrong = |what, value: u8| Err(InputError { what, value: value.into() });
    let token = OrderToken(cursor.u32("token")?);
    let symbol = Symbol(cursor.array("symbol")?);
    let side = decode_side(cursor)?;
    let quantity = Quantity(cursor.u32("quantity")?);
    let limit = cursor.price("limit")?;
    let (code, number) = (cursor.u8("kind")?, cursor.u32("kind")?);
    let stop = cursor.price("stop")?;
    let offset = number.cast_signed();
    let kind = match (code, stop) {
        (1, None) => OrderKind::Plain,
        (2, None) => OrderKind::MarketToLimit,
        (3, Some(stop)) => OrderKind::Stop { stop },
        (4, stop) => OrderKind::TrailingStop { trail: Price(number), stop },
        (5, None) => OrderKind::MidpointPeg { offset },
        (6, None) => OrderKind::PrimaryPeg { offset },
        (other, _) => return wrong("kind", other),
    };
    let modifiers = Modifiers {
        display: Quantity(cursor.u32("display")?),
        hidden: cursor.flag("hidden")?,
        post_only: cursor.flag("post-only")?,
        minimum: Quantity(cursor.u32("minimum")?),
        check_only: cursor.flag("check-only")?,
    };
    let time_in_force = decode_time(cursor)?;
    let attributes = decode_attributes(cursor)?;
    Ok(Enter { token, symbol, side, quantity, limit, kind, modifiers, time_in_force, attributes })
}

fn decode_replace(cursor: &mut Cursor<'_>) -> Result<Replace, InputError> {
    let original = OrderToken(cursor.u32("original")?);
    let token = OrderToken(cursor.u32("token")?);
    let quantity = Quantity(cursor.u32("quantity")?);
    let limit = cursor.price("limit")?;
    let has_time = cursor.flag("time in force")?;
    let time_in_force = Some(decode_time(cursor)?).filter(|_| has_time);
    let priority = match cursor.u8("priority")? {
        1 => Priority::KeepWhenReduced,
        2 => Priority::New,
        other => return Err(InputError { what: "priority", value: other.into() }),
    };
    let attributes = decode_attributes(cursor)?;
    Ok(Replace { original, token, quantity, limit, time_in_force, priority, attributes })
}

fn decode_mass_cancel(cursor: &mut Cursor<'_>) -> Result<MassCancel, InputError> {
    let token = OrderToken(cursor.u32("token")?);
    let has_account = cursor.flag("account")?;
    let account = Some(AccountId(cursor.u16("account")?)).filter(|_| has_account);
    let has_session = cursor.flag("session")?;
    let session = Some(SessionId(cursor.u16("session")?)).filter(|_| has_session);
    let has_symbol = cursor.flag("symbol")?;
    let symbol = Some(Symbol(cursor.array("symbol")?)).filter(|_| has_symbol);
    let side = match cursor.u8("side")? {
        0 => None,
        1 => Some(Side::Buy),
        2 => Some(Side::Sell),
        other => return Err(InputError { what: "side", value: other.into() }),
    };
    Ok(MassCancel { token, account, session, symbol, side })
}

fn decode_time(cursor: &mut Cursor<'_>) -> Result<TimeInForce, InputError> {
    let (code, until) = (cursor.u8("time in force")?, cursor.u64("expiry")?);
    Ok(match code {
        1 => TimeInForce::Day,
        2 => TimeInForce::ImmediateOrCancel,
        3 => TimeInForce::FillOrKill,
        4 => TimeInForce::GoodTillCancel,
        5 => TimeInForce::GoodTillDate(EventTime(until)),
        6 => TimeInForce::AtOpen,
        7 => TimeInForce::AtClose,
        8 => TimeInForce::GoodFor(
            u32::try_from(until).map_err(|_| InputError { what: "seconds", value: until })?,
        ),
        other => return Err(InputError { what: "time in force", value: other.into() }),
    })
}

fn decode_attributes(cursor: &mut Cursor<'_>) -> Result<Attributes, InputError> {
    Ok(Attributes {
        client_order_id: cursor.array("client's identifier")?,
        capacity: cursor.u8("capacity")?,
        iso: cursor.u8("ISO flag")?,
        display: cursor.u8("display")?,
        cross: cursor.u8("cross")?,
    })
}

/// The numbers of reasons; the second is the field or the check.
const fn reason_code(reason: RejectReason) -> (u8, u8) {
    match reason {
        RejectReason::UnknownInstrument => (1, 0),
        RejectReason::Halted => (2, 0),
        RejectReason::OperationalHalt => (3, 0),
        RejectReason::ShortSale => (4, 0),
        RejectReason::Stale => (5, 0),
        RejectReason::Quarantined => (6, 0),
        RejectReason::Closed => (7, 0),
        RejectReason::InvalidQuantity => (8, 0),
        RejectReason::InvalidPrice => (9, 0),
        RejectReason::InvalidSide => (10, 0),
        RejectReason::InvalidTimeInForce => (11, 0),
        RejectReason::InvalidDisplay => (12, 0),
        RejectReason::InvalidCross => (13, 0),
        RejectReason::InvalidOption => (14, 0),
        RejectReason::DuplicateToken => (15, 0),
        RejectReason::Capacity => (16, 0),
        RejectReason::Risk(check) => (17, check as u8),
        RejectReason::QuantityOffLot => (18, 0),
        RejectReason::PriceOffTick => (19, 0),
        RejectReason::PostOnly => (20, 0),
        RejectReason::MinimumQuantity => (21, 0),
        RejectReason::InvalidCombination(field) => (22, field as u8),
        RejectReason::InvalidExpiry => (23, 0),
        RejectReason::NoReferencePrice => (24, 0),
        RejectReason::NotInAuction => (25, 0),
        RejectReason::WrongPhase => (26, 0),
    }
}

const FIELDS: [Field; 7] = [
    Field::Limit,
    Field::Stop,
    Field::TimeInForce,
    Field::Display,
    Field::Hidden,
    Field::PostOnly,
    Field::Minimum,
];

fn reason_of(code: u8, of: u8) -> Result<RejectReason, InputError> {
    let wrong = InputError { what: "reason", value: u64::from(code) << 8 | u64::from(of) };
    Ok(match (code, of) {
        (1, 0) => RejectReason::UnknownInstrument,
        (2, 0) => RejectReason::Halted,
        (3, 0) => RejectReason::OperationalHalt,
        (4, 0) => RejectReason::ShortSale,
        (5, 0) => RejectReason::Stale,
        (6, 0) => RejectReason::Quarantined,
        (7, 0) => RejectReason::Closed,
        (8, 0) => RejectReason::InvalidQuantity,
        (9, 0) => RejectReason::InvalidPrice,
        (10, 0) => RejectReason::InvalidSide,
        (11, 0) => RejectReason::InvalidTimeInForce,
        (12, 0) => RejectReason::InvalidDisplay,
        (13, 0) => RejectReason::InvalidCross,
        (14, 0) => RejectReason::InvalidOption,
        (15, 0) => RejectReason::DuplicateToken,
        (16, 0) => RejectReason::Capacity,
        (17, of) => {
            let check = Check::ALL.into_iter().find(|check| *check as u8 == of);
            RejectReason::Risk(check.ok_or(wrong)?)
        }
        (18, 0) => RejectReason::QuantityOffLot,
        (19, 0) => RejectReason::PriceOffTick,
        (20, 0) => RejectReason::PostOnly,
        (21, 0) => RejectReason::MinimumQuantity,
        (22, of) => {
            let field = FIELDS.into_iter().find(|field| *field as u8 == of);
            RejectReason::InvalidCombination(field.ok_or(wrong)?)
        }
        (23, 0) => RejectReason::InvalidExpiry,
        (24, 0) => RejectReason::NoReferencePrice,
        (25, 0) => RejectReason::NotInAuction,
        (26, 0) => RejectReason::WrongPhase,
        _ => return Err(wrong),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(kind: OrderKind, time_in_force: TimeInForce) -> Action {
        Action::Enter(Enter {
            token: OrderToken(0x0102_0304),
            symbol: Symbol(*b"AAPL    "),
            side: OrderSide::SellShort,
            quantity: Quantity(100),
            limit: Some(Price(7)),
            kind,
            modifiers: Modifiers {
                display: Quantity(10),
                hidden: true,
                post_only: false,
                minimum: Quantity(5),
                check_only: true,
            },
            time_in_force,
            attributes: Attributes::default(),
        })
    }

    fn actions() -> Vec<Action> {
        let price = Price(9);
        let mut actions = Vec::new();
        for kind in [
            OrderKind::Plain,
            OrderKind::MarketToLimit,
            OrderKind::Stop { stop: price },
            OrderKind::TrailingStop { trail: price, stop: None },
            OrderKind::TrailingStop { trail: price, stop: Some(price) },
            OrderKind::MidpointPeg { offset: -3 },
            OrderKind::PrimaryPeg { offset: 3 },
        ] {
            actions.push(enter(kind, TimeInForce::Day));
        }
        for time in [
            TimeInForce::ImmediateOrCancel,
            TimeInForce::FillOrKill,
            TimeInForce::GoodTillCancel,
            TimeInForce::GoodTillDate(EventTime(u64::MAX)),
            TimeInForce::AtOpen,
            TimeInForce::AtClose,
            TimeInForce::GoodFor(u32::MAX),
        ] {
            actions.push(enter(OrderKind::Plain, time));
        }
        for (limit, time_in_force, priority) in [
            (None, None, Priority::New),
            (Some(price), Some(TimeInForce::AtClose), Priority::KeepWhenReduced),
        ] {
            actions.push(Action::Replace(Replace {
                original: OrderToken(1),
                token: OrderToken(2),
                quantity: Quantity(3),
                limit,
                time_in_force,
                priority,
                attributes: Attributes { cross: 0, ..Attributes::default() },
            }));
        }
        actions.push(Action::Cancel(Cancel { token: OrderToken(5), quantity: Quantity(6) }));
        let (token, quantity) = (OrderToken(9), Quantity(10));
        for side in
            [OrderSide::Buy, OrderSide::Sell, OrderSide::SellShort, OrderSide::SellShortExempt]
        {
            actions.push(Action::Modify(Modify { token, side, quantity }));
        }
        actions.push(Action::MassCancel(MassCancel::default()));
        actions.push(Action::MassCancel(MassCancel {
            token: OrderToken(7),
            account: Some(AccountId(1)),
            session: Some(SessionId(2)),
            symbol: Some(Symbol(*b"X       ")),
            side: Some(Side::Sell),
        }));
        for code in 1..=26 {
            for of in 0..=u8::MAX {
                if let Ok(reason) = reason_of(code, of) {
                    assert_eq!(reason_code(reason), (code, of));
                    let attributes = Attributes::default();
                    let token = OrderToken(8);
                    actions.push(Action::Refuse(Refuse { token, reason, observed: 9, attributes }));
                }
            }
        }
        actions
    }

    #[test]
    fn every_request_is_read_back() {
        let actions = actions();
        assert!(actions.len() > 24 + Check::ALL.len() + FIELDS.len());
        for action in actions {
            let command = Command {
                time: EventTime(11),
                session: SessionId(12),
                account: AccountId(13),
                received: 0,
                queued: 0,
                action,
            };
            let mut bytes = Vec::new();
            encode_command(&mut bytes, &command);
            assert_eq!(decode_command(EventTime(11), &bytes), Ok(command));
            for length in 0..bytes.len() {
                assert!(decode_command(EventTime(11), &bytes[..length]).is_err());
            }
            bytes.push(0);
            assert!(decode_command(EventTime(11), &bytes).is_err());
        }
    }

    #[test]
    fn a_cancel_has_the_bytes_that_are_written_down() {
        let action = Action::Cancel(Cancel { token: OrderToken(258), quantity: Quantity(1) });
        let command = Command {
            time: EventTime(0),
            session: SessionId(3),
            account: AccountId(4),
            received: 9,
            queued: 9,
            action,
        };
        let mut bytes = Vec::new();
        encode_command(&mut bytes, &command);
        assert_eq!(bytes, [3, 0, 4, 0, 3, 2, 1, 0, 0, 1, 0, 0, 0]);
    }
}
