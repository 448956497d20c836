//! OUCH 4.2: the older order entry protocol over the same sessions.
//!
//! Orders are named by a token of 14 characters instead of a number, prices have four bytes, a time in
//! force is a number of seconds, and every option is a field: no appendages. Each message is a plain
//! struct whose memory layout is the wire layout.

pub mod answer;
pub mod codes;
pub mod inbound;
mod messages;
pub mod outbound;
pub mod session;
mod tokens;
mod validate;

/// A client's name of an order.
pub type Token = [u8; 14];

/// The price field of a market order: 214,748.3647.
pub const MARKET_PRICE: u32 = 0x7fff_ffff;

/// The highest limit price: 199,999.9900.
pub const LIMIT_PRICE_MAX: u32 = 1_999_999_900;

/// Time in force: what does not execute at once is cancelled.
pub const IMMEDIATE: u32 = 0;

/// Time in force: the most seconds that an order can live.
pub const SECONDS_MAX: u32 = 86_399;

/// Time in force: until the close of extended trading.
pub const EXTENDED_HOURS: u32 = 99_996;

/// Time in force: market hours, which is the day here.
pub const MARKET_HOURS: u32 = 99_998;

/// Time in force: system hours.
pub const SYSTEM_HOURS: u32 = 99_999;
