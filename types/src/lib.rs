//! The vocabulary of Spindle: prices, quantities, sides, identifiers and times.
//!
//! Everything here is a plain `Copy` value. On the hot path a price is an integer in the
//! instrument's own [`PriceUnit`]; conversions to and from decimals happen at the edges, with
//! [`rust_decimal`]. This crate depends on no other crate of the
//! workspace but its own derives.

// What is derived names this crate from wherever it stands.
extern crate self as spindle_types;

mod agent;
mod ident;
pub mod keep;
mod price;
mod symbol;
mod time;

pub use agent::Agent;
pub use ident::{
    AccountId, InstrumentId, MatchNumber, OrderReference, OrderToken, Sequence, SessionId, Side,
};
pub use price::{Notional, Price, PriceError, PriceUnit, Quantity};
pub use rust_decimal::Decimal;
pub use symbol::{Symbol, SymbolError};
pub use time::{EventTime, ReceiveTime};
