//! OUCH 5.0: order entry.
//!
//! Each message is a plain struct whose memory layout is the wire layout, followed by a chain of
//! optional values (the appendage), so a decoded message is a view into the packet and an encoded
//! one the struct's own bytes. Layouts follow the edition of April 2023; messages and options of
//! the revision 1.05 of October 2025 are there too and say so. Both forms of the messages to which
//! 1.05 added an appendage are read.

pub mod appendage;
pub mod codes;
pub(crate) mod desk;
pub mod inbound;
pub mod outbound;
pub mod session;
pub mod tag;
pub(crate) mod talk;

pub mod answer;
mod messages;
mod numbers;
pub mod remark;
pub mod terms;
mod validate;

pub use appendage::{Appendage, AppendageWriter};
pub use messages::DecodeError;
pub(crate) use messages::fields;

/// The price field of a market order: 214,748.3647.
pub const MARKET_PRICE: u64 = 0x7fff_ffff;

/// A second value that means a market order: 200,000.0000.
pub const MARKET_PRICE_ROUND: u64 = 2_000_000_000;

/// The highest limit price: 199,999.9900.
pub const LIMIT_PRICE_MAX: u64 = 1_999_999_900;

/// The largest order.
pub const QUANTITY_MAX: u32 = 999_999;
