//! Strategies' sessions: OUCH over SoupBinTCP and FIX, the gateway that serves them, and the client side.

pub mod board;
pub mod client;
pub mod clock;
pub mod close;
pub mod config;
pub mod delay;
pub mod desk;
pub mod fix;
pub mod gateway;
pub mod line;
pub mod lockstep;
pub mod memory;
pub mod notice;
pub mod options;
pub mod ouch;
pub mod ouch42;
pub mod record;
pub mod soup;
pub mod stats;
pub mod tls;
pub mod vault;
pub mod wire;

mod arrivals;
pub mod copy;
mod pace;
mod port;
mod protocol;
mod transport;

pub use board::{BoardReader, GatewayCounts, Standing};
pub use clock::{Clock, SystemClock};
pub use config::{GatewayConfig, Limits, OuchEdition, User};
pub use gateway::{Gateway, GatewayError, ShutdownHandle};
pub use notice::GatewayNotice;
pub use stats::GatewayStats;

#[cfg(test)]
mod testing;
