//! Changes of the risk gate as bytes: how many (u32), then each: which (u8), whose, and what.
//!
//! Limits are those that are set, by the names that configurations use, so that a limit that is new later changes
//! nothing here: how many (u16), then length of the name (u8), name, currency (u8), value (u64).

use spindle_risk::{Cause, InstrumentState, Key, Limits, Target};
use spindle_types::{AccountId, SessionId, Symbol};

use super::InputError;
use super::pen::{Cursor, Pen};
use crate::risk::RiskChange;

/// Appends changes.
pub fn encode_changes(into: &mut Vec<u8>, changes: &[RiskChange]) {
    let pen = &mut Pen(into);
    pen.u32(u32::try_from(changes.len()).unwrap_or(u32::MAX));
    for change in changes {
        match change {
            RiskChange::Limits { target, limits } => {
                encode_target(pen.u8(1), *target);
                encode_limits(pen, limits);
            }
            RiskChange::InstrumentLimits { account, symbol, limits } => {
                pen.u8(2).u16(account.0).bytes(&symbol.0);
                encode_limits(pen, limits);
            }
            RiskChange::Firm { account, firm } => {
                pen.u8(3).u16(account.0).u8(firm.is_some().into()).u16(firm.unwrap_or(0));
            }
            RiskChange::Instrument { symbol, state } => {
                let InstrumentState { currency, restricted, price_test, reference, low, high } =
                    *state;
                pen.u8(4).bytes(&symbol.0).u8(currency).u8(restricted.into());
                pen.u8(price_test.into()).price(reference).price(low).price(high);
            }
            RiskChange::Kill { target, cause } => {
                encode_target(pen.u8(5), *target);
                pen.u8(*cause as u8);
            }
            RiskChange::Arm { target } => encode_target(pen.u8(6), *target),
        }
    }
}

fn encode_target(pen: &mut Pen<'_>, target: Target) {
    let (code, number) = match target {
        Target::All => (0, 0),
        Target::Account(account) => (1, account.0),
        Target::Session(session) => (2, session.0),
        Target::Firm(firm) => (3, firm),
    };
    pen.u8(code).u16(number);
}

#[allow(clippy::cast_possible_truncation, reason = "few keys, short names, few currencies")]
fn encode_limits(pen: &mut Pen<'_>, limits: &Limits) {
    pen.u16(limits.iter().count() as u16);
    for (key, currency, value) in limits.iter() {
        let name = key.name().as_bytes();
        pen.u8(name.len() as u8).bytes(name).u8(currency as u8).u64(value);
    }
}

/// Reads changes. Allocates.
///
/// # Errors
/// Bytes that are none.
pub fn decode_changes(bytes: &[u8]) -> Result<Vec<RiskChange>, InputError> {
    let cursor = &mut Cursor::new(bytes);
    let count = cursor.u32("changes")?;
    let mut changes = Vec::new();
    for _ in 0..count {
        changes.push(match cursor.u8("change")? {
            1 => {
                let target = decode_target(cursor)?;
                RiskChange::Limits { target, limits: decode_limits(cursor)? }
            }
            2 => {
                let account = AccountId(cursor.u16("account")?);
                let symbol = Symbol(cursor.array("symbol")?);
                RiskChange::InstrumentLimits { account, symbol, limits: decode_limits(cursor)? }
            }
            3 => {
                let account = AccountId(cursor.u16("account")?);
                let is_some = cursor.flag("firm")?;
                let firm = Some(cursor.u16("firm")?).filter(|_| is_some);
                RiskChange::Firm { account, firm }
            }
            4 => {
                let symbol = Symbol(cursor.array("symbol")?);
                let state = InstrumentState {
                    currency: cursor.u8("currency")?,
                    restricted: cursor.flag("restricted")?,
                    price_test: cursor.flag("price test")?,
                    reference: cursor.price("reference")?,
                    low: cursor.price("low")?,
                    high: cursor.price("high")?,
                };
                RiskChange::Instrument { symbol, state }
            }
            5 => {
                let target = decode_target(cursor)?;
                RiskChange::Kill { target, cause: decode_cause(cursor.u8("cause")?)? }
            }
            6 => RiskChange::Arm { target: decode_target(cursor)? },
            other => return Err(InputError { what: "change", value: other.into() }),
        });
    }
    cursor.end()?;
    Ok(changes)
}

fn decode_target(cursor: &mut Cursor<'_>) -> Result<Target, InputError> {
    let (code, number) = (cursor.u8("target")?, cursor.u16("target")?);
    Ok(match code {
        0 => Target::All,
        1 => Target::Account(AccountId(number)),
        2 => Target::Session(SessionId(number)),
        3 => Target::Firm(number),
        other => return Err(InputError { what: "target", value: other.into() }),
    })
}

fn decode_cause(code: u8) -> Result<Cause, InputError> {
    use Cause::{Fills, Loss, Operator, Rejects, Restart, Stale};
    let causes = [Operator, Loss, Rejects, Fills, Stale, Restart];
    let found = causes.into_iter().find(|cause| *cause as u8 == code);
    found.ok_or(InputError { what: "cause", value: code.into() })
}

fn decode_limits(cursor: &mut Cursor<'_>) -> Result<Limits, InputError> {
    let mut limits = Limits::NONE;
    for _ in 0..cursor.u16("limits")? {
        let length = cursor.u8("limit's name")?;
        let name = cursor.take(length.into(), "limit's name")?;
        let key = std::str::from_utf8(name).ok().and_then(Key::named);
        let key = key.ok_or(InputError { what: "limit's name", value: length.into() })?;
        let (currency, value) = (cursor.u8("currency")?, cursor.u64("limit")?);
        limits.set(key, currency.into(), value);
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use spindle_types::Price;

    use super::*;

    #[test]
    fn every_change_is_read_back() {
        let mut limits = Limits::NONE;
        for (value, key) in (1..).zip(Key::ALL) {
            limits.set(key, 2, value);
        }
        let state = InstrumentState {
            currency: 1,
            restricted: true,
            price_test: false,
            reference: Some(Price(1)),
            low: None,
            high: Some(Price(2)),
        };
        let symbol = Symbol(*b"AAPL    ");
        let account = AccountId(4);
        let mut changes = vec![
            RiskChange::InstrumentLimits { account, symbol, limits: Limits::NONE },
            RiskChange::Firm { account, firm: None },
            RiskChange::Firm { account, firm: Some(9) },
            RiskChange::Instrument { symbol, state },
        ];
        for target in
            [Target::All, Target::Account(account), Target::Session(SessionId(5)), Target::Firm(6)]
        {
            changes.push(RiskChange::Limits { target, limits });
            changes.push(RiskChange::Arm { target });
            for code in 1..=6 {
                let cause = decode_cause(code).expect("a cause");
                changes.push(RiskChange::Kill { target, cause });
            }
        }
        let mut bytes = Vec::new();
        encode_changes(&mut bytes, &changes);
        assert_eq!(decode_changes(&bytes), Ok(changes));
        for length in 0..bytes.len() {
            assert!(decode_changes(&bytes[..length]).is_err());
        }
    }
}
