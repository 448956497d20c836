//! What a scenario asks, one operation a line.

use std::fmt;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::decimal::{Amount, Shares};
use crate::risk_op::{Arm, Kill, Limits, Reference};

mod tape;

pub use tape::{Center, Cross, Day, Restriction, State, Tape, TapeEvent};

/// The number that the scenario gives an order.
pub type Id = u64;

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Makes an instrument known.
    Instrument(Instrument),
    /// Sets how an account's orders behave. Replaces all that was set before.
    Account(Account),
    /// Enters an order.
    New(New),
    /// Cancels all that is open of an order.
    Cancel(Cancel),
    /// Replaces an order.
    Replace(Replace),
    /// Cancels all orders that match all that is given.
    MassCancel(MassCancel),
    /// Brings an instrument into another phase.
    Phase(PhaseChange),
    /// Says what time it is.
    Time(Time),
    /// Asks for the book.
    Book(Book),
    /// Something that the recorded market does.
    Tape(Tape),
    /// Sets limits of the risk gate.
    Limits(Limits),
    /// Says what the risk gate is to know of an instrument.
    Reference(Reference),
    /// Stops somebody.
    Kill(Kill),
    /// Lets somebody go on.
    Arm(Arm),
}

/// An instrument and its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// Up to eight characters.
    pub symbol: String,
    /// The step of its prices, 0.0001 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick: Option<Amount>,
    /// The step of its quantities, 1 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<Shares>,
    /// Its currency; USD where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// How an account's orders behave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its name.
    pub account: String,
    /// The group whose orders do not trade with each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What happens instead; needed with a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_trade: Option<SelfTrade>,
    /// What happens to a post-only order that would trade on entry; refused where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_only: Option<PostOnly>,
    /// The firm that it belongs to; none where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firm: Option<String>,
}

/// A new order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// Its number, not used before.
    pub id: Id,
    /// Whose it is.
    #[serde(deserialize_with = "name")]
    pub account: String,
    /// Through which session it comes; the account's name where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_name")]
    pub session: Option<String>,
    /// Of which instrument.
    pub symbol: String,
    /// Buy or sell.
    pub side: Side,
    /// How it sells; what is owned where nothing is given.
    #[serde(default, skip_serializing_if = "Sale::is_long")]
    pub sale: Sale,
    /// What kind of order it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
    /// Shares.
    pub quantity: Shares,
    /// How long it stays; for the day where nothing is given.
    #[serde(default)]
    pub tif: Tif,
    /// When it expires, with `gtd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_ns: Option<u64>,
    /// What elects a stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<Amount>,
    /// The distance at which a trailing stop follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<Amount>,
    /// How far a peg stands from its reference; positive is more aggressive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Amount>,
    /// Shares shown at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<Shares>,
    /// Not shown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// Does not trade on entry.
    #[serde(default, skip_serializing_if = "is_false")]
    pub post_only: bool,
    /// The least that may execute on entry; 0 is no such condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_quantity: Option<Shares>,
    /// Nothing happens but that it is told what would become of the order.
    #[serde(default, skip_serializing_if = "is_false")]
    pub check_only: bool,
}

/// A cancel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The open order.
    pub id: Id,
}

/// A replacement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// The open order.
    pub id: Id,
    /// The number of the replacement, not used before.
    pub new_id: Id,
    /// Its limit; null is none. To be written always: left out by mistake it would make a market
    /// order.
    #[serde(deserialize_with = "written")]
    pub price: Option<Amount>,
    /// Shares of the whole chain, executed ones included.
    pub quantity: Shares,
    /// How long it stays; as long as the original where nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tif: Option<Tif>,
    /// When it expires, with `gtd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_ns: Option<u64>,
}

/// Which orders a mass cancel means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MassCancel {
    /// Those of this account.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_name")]
    pub account: Option<String>,
    /// Those of this session.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_name")]
    pub session: Option<String>,
    /// Those of this instrument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Those of this side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
}

/// A change of phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseChange {
    /// Of which instrument.
    pub symbol: String,
    /// To which phase.
    pub phase: Phase,
    /// The price that an auction's shall be near; the last print where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Amount>,
}

/// The time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// Nanoseconds since midnight, never less than before.
    pub ns: u64,
}

/// A look at the book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// Of which instrument.
    pub symbol: String,
    /// How many levels of each side; all where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
}

/// A side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// How an order sells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sale {
    /// What is owned.
    #[default]
    Long,
    /// What is not.
    Short,
    /// What is not, exempt from the price test.
    ShortExempt,
}

impl Sale {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    fn is_long(&self) -> bool {
        *self == Self::Long
    }
}

/// Kinds of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Needs `price`.
    Limit,
    /// Has none.
    Market,
    /// Has none, and gets the other side's best as its limit.
    MarketToLimit,
    /// Needs `stop_price`; a market order once it is elected.
    Stop,
    /// Needs `stop_price` and `price`.
    StopLimit,
    /// Needs `trail`; may have `stop_price` and `price`.
    TrailingStop,
    /// May have `offset` and `price`.
    MidpointPeg,
    /// May have `offset` and `price`.
    PrimaryPeg,
}

/// Times in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tif {
    /// For the day.
    #[default]
    Day,
    /// What does not trade at once is cancelled.
    Ioc,
    /// All of it trades at once, or nothing does.
    Fok,
    /// Until it is cancelled.
    Gtc,
    /// Until `expire_ns`.
    Gtd,
    /// For the opening auction.
    AtOpen,
    /// For the closing auction.
    AtClose,
}

/// What happens instead of a trade within a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTrade {
    /// What is left of the incoming order is cancelled.
    CancelNewest,
    /// The resting order is cancelled.
    CancelOldest,
    /// Both are.
    CancelBoth,
    /// The smaller size is taken off both.
    DecrementAndCancel,
}

/// What happens to a post-only order that would trade on entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostOnly {
    /// It is refused.
    #[default]
    Reject,
    /// Its limit moves to where it does not trade.
    Slide,
}

/// Phases of an instrument's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Orders are collected for the opening auction.
    PreOpen,
    /// Orders are matched.
    Continuous,
    /// Orders are collected for the halt auction.
    Paused,
    /// No orders are taken.
    Halted,
    /// Orders are collected for the closing auction.
    PreClose,
    /// The day is over.
    Closed,
}

impl Op {
    /// Reads one line.
    ///
    /// # Errors
    /// A line that is no JSON object, that misses a field, or has one that is unknown or of another
    /// type than it must be. The message names it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
        let Value::Object(mut fields) = value else {
            return Err("not a JSON object; write one such as {\"op\":\"cancel\",\"id\":1}".into());
        };
        let op = match fields.remove("op") {
            Some(Value::String(op)) => op,
            Some(_) => return Err("op: write the operation's name as a string".into()),
            None => return Err("missing field `op`".into()),
        };
        let op = match op.as_str() {
            "instrument" => Self::Instrument(read(fields)?),
            "account" => Self::Account(read(fields)?),
            "new" => Self::New(read(fields)?),
            "cancel" => Self::Cancel(read(fields)?),
            "replace" => Self::Replace(read(fields)?),
            "mass_cancel" => Self::MassCancel(read(fields)?),
            "phase" => Self::Phase(read(fields)?),
            "time" => Self::Time(read(fields)?),
            "book" => Self::Book(read(fields)?),
            "tape" => Self::Tape(read(fields)?),
            "limits" => Self::Limits(Limits::read(fields)?),
            "reference" => Self::Reference(read(fields)?),
            "kill" => Self::Kill(read(fields)?),
            "arm" => Self::Arm(read(fields)?),
            _ => {
                return Err(format!(
                    "op: unknown operation `{op}`, expected one of instrument, account, new, \
                     cancel, replace, mass_cancel, phase, time, book, tape, limits, reference, \
                     kill, arm"
                ));
            }
        };
        if let Self::Tape(tape) = &op
            && let Some((field, is_there)) = tape.misfit()
        {
            return Err(match is_there {
                true => format!("{field}: this event of the tape has none"),
                false => format!("missing field `{field}`: this event of the tape needs it"),
            });
        }
        match &op {
            Self::Kill(kill) => drop(kill.owner()?),
            Self::Arm(arm) => drop(arm.owner()?),
            _ => {}
        }
        op.misses()
            .map_or(Ok(op.clone()), |(field, why)| Err(format!("missing field `{field}`: {why}")))
    }

    /// What its other fields make necessary and it does not have.
    fn misses(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Account(account) if account.group.is_some() && account.self_trade.is_none() => {
                Some(("self_trade", "a group needs to know what happens instead of a trade"))
            }
            Self::Account(account) if account.group.is_none() && account.self_trade.is_some() => {
                Some(("group", "self_trade needs a group"))
            }
            Self::New(order) => match order.kind {
                Kind::Limit | Kind::StopLimit if order.price.is_none() => {
                    Some(("price", "this type needs a limit"))
                }
                Kind::Stop | Kind::StopLimit if order.stop_price.is_none() => {
                    Some(("stop_price", "a stop needs one"))
                }
                Kind::TrailingStop if order.trail.is_none() => {
                    Some(("trail", "a trailing stop needs one"))
                }
                _ if order.tif == Tif::Gtd && order.expire_ns.is_none() => {
                    Some(("expire_ns", "gtd needs one"))
                }
                _ => None,
            },
            Self::Replace(replace)
                if replace.tif == Some(Tif::Gtd) && replace.expire_ns.is_none() =>
            {
                Some(("expire_ns", "gtd needs one"))
            }
            _ => None,
        }
    }

    /// The operation as a line of a scenario.
    pub fn to_json(&self) -> String {
        // Strings, numbers and plain structs: nothing in here can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        // What is missing or unknown is named by the message; a wrong value by its place alone.
        if path == "." || message.contains(&format!("`{path}`")) {
            message
        } else {
            format!("{path}: {message}")
        }
    })
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

/// A field that may be null and may not be left out.
fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
    Option::deserialize(deserializer)
}

/// A name, written as text or as a number.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Reader;
    impl Visitor<'_> for Reader {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a name")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.into())
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }
    deserializer.deserialize_any(Reader)
}

fn some_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    name(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> String {
        Op::parse(line).expect_err(line)
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        let new = |rest: &str| {
            format!(r#"{{"op":"new","id":1,"account":"A","symbol":"X","side":"buy"{rest}}}"#)
        };
        let cases = [
            ("{".into(), "not JSON: "),
            ("[1]".into(), "not a JSON object"),
            ("{}".into(), "missing field `op`"),
            (r#"{"op":1}"#.into(), "op: "),
            (r#"{"op":"sell"}"#.into(), "unknown operation `sell`"),
            (r#"{"op":"cancel"}"#.into(), "missing field `id`"),
            (r#"{"op":"cancel","id":1,"ids":2}"#.into(), "unknown field `ids`"),
            (r#"{"op":"cancel","id":-1}"#.into(), "id: "),
            (r#"{"op":"cancel","id":"1"}"#.into(), "id: "),
            (new(r#","type":"limit","price":"10","quantity":"5""#), "quantity: "),
            (new(r#","type":"limit","price":"ten","quantity":5"#), "price: "),
            (new(r#","type":"limit","quantity":5"#), "missing field `price`"),
            (new(r#","type":"stop","quantity":5"#), "missing field `stop_price`"),
            (new(r#","type":"trailing_stop","quantity":5"#), "missing field `trail`"),
            (new(r#","type":"market","quantity":5,"tif":"gtd""#), "missing field `expire_ns`"),
            (new(r#","type":"best","quantity":5"#), "type: unknown variant `best`"),
            (new(r#","quantity":5"#), "missing field `type`"),
            (r#"{"op":"replace","id":1,"new_id":2,"quantity":5}"#.into(), "missing field `price`"),
            (r#"{"op":"tape","symbol":"X","event":"delete"}"#.into(), "missing field `ref`"),
            (
                r#"{"op":"tape","symbol":"X","event":"delete","ref":1,"side":"buy"}"#.into(),
                "side: ",
            ),
            (
                r#"{"op":"tape","symbol":"X","event":"status","state":"open"}"#.into(),
                "state: unknown variant `open`",
            ),
            (r#"{"op":"tape","symbol":"X","event":"status"}"#.into(), "missing field `state`"),
            (
                r#"{"op":"tape","symbol":"X","event":"cross","quantity":1,"price":1}"#.into(),
                "missing field `kind`",
            ),
            (
                r#"{"op":"tape","symbol":"X","event":"delete","ref":1,"printable":true}"#.into(),
                "printable: ",
            ),
            (r#"{"op":"account","account":"A","group":"g"}"#.into(), "missing field `self_trade`"),
            (r#"{"op":"limits","order_size_max":1}"#.into(), "missing field `account`"),
            (r#"{"op":"limits","account":"A","firm":"F"}"#.into(), "firm: give one of"),
            (r#"{"op":"limits","firm":"F","symbol":"X"}"#.into(), "symbol: only an account"),
            (r#"{"op":"limits","account":"A","size":1}"#.into(), "unknown field `size`"),
            (
                r#"{"op":"limits","account":"A","order_size_max":-1}"#.into(),
                "order_size_max: give a whole number",
            ),
            (
                r#"{"op":"limits","account":"A","order_value_max":"-1"}"#.into(),
                "order_value_max: it is negative",
            ),
            (
                r#"{"op":"limits","account":"A","collar_percent":"5.001"}"#.into(),
                "collar_percent: give at most two",
            ),
            (r#"{"op":"limits","account":"A","luld":1}"#.into(), "luld: give true or false"),
            (r#"{"op":"arm","account":"A"}"#.into(), "missing field `cause`"),
            (r#"{"op":"arm","account":"A","cause":" "}"#.into(), "cause: say why"),
            (r#"{"op":"kill","account":"A","firm":"F"}"#.into(), "firm: give one of"),
        ];
        for (line, expected) in cases {
            let message = error(&line);
            assert!(message.contains(expected), "{line}: {message:?} has no {expected:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for line in [
            r#"{"op":"instrument","symbol":"X","tick":"0.01"}"#,
            r#"{"op":"new","id":1,"account":"A","session":"7","symbol":"X","side":"sell","type":"trailing_stop","price":"9.00","quantity":100,"tif":"gtd","expire_ns":5,"trail":"0.05"}"#,
            r#"{"op":"replace","id":1,"new_id":2,"price":null,"quantity":50}"#,
            r#"{"op":"mass_cancel","account":"A","side":"buy"}"#,
            r#"{"op":"phase","symbol":"X","phase":"pre_open"}"#,
            r#"{"op":"limits","account":"A","symbol":"X","order_value_max":"10.00","collar_percent":"5.00","luld":false,"position_max":null}"#,
            r#"{"op":"reference","symbol":"X","price":"10.00","restricted":true}"#,
            r#"{"op":"kill","firm":"F"}"#,
            r#"{"op":"arm","cause":"checked"}"#,
            r#"{"op":"account","account":"A","group":"g","self_trade":"cancel_both","post_only":"slide"}"#,
            r#"{"op":"tape","symbol":"X","event":"execute","ref":7,"quantity":5,"price":"9.99","printable":false}"#,
            r#"{"op":"tape","symbol":"X","event":"trade","side":"sell","quantity":5,"price":"9.99"}"#,
            r#"{"op":"tape","symbol":"X","event":"cross","quantity":5,"price":"9.99","kind":"opening"}"#,
            r#"{"op":"tape","symbol":"X","event":"status","state":"quotation"}"#,
        ] {
            assert_eq!(Op::parse(line).expect(line).to_json(), line);
        }
    }
}
