//! May this order go? Pure checks over fixed-size state, before anything reaches a book.

mod gate;
mod reject;

pub use gate::{Gate, GateError, Limits, Market, Request};
pub use reject::{Check, Reject};
