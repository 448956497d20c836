//! Recordings of a market: read, generate, describe, publish.
//!
//! This crate knows recordings and the sending side of a feed; it knows neither the engine nor the
//! gateway. Readers stream with bounded memory, the generator and the packetiser are pure, and only
//! [`publish::Publisher`] touches a socket.

pub mod generate;
pub mod inspect;
pub mod publish;
pub mod record;
pub mod recording;

mod messages;
mod random;

pub use messages::ItchMessages;
