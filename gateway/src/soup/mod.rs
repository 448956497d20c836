//! SoupBinTCP 3.00: the session layer under OUCH.
//!
//! Packets over TCP. What the server sends in sequenced packets is numbered by counting, kept for
//! the session, and sent again from any number at the next login; what the client sends is not.

pub mod buffer;
pub mod codec;
pub mod login;
pub mod server;
pub mod stream;
