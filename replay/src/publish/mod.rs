//! The sending side of a feed: a recording as a MoldUDP64 stream.
//!
//! [`Outgoing`] decides, without socket or clock, which packet is due at a given time: it paces by
//! the tape's time, fills packets, sends heartbeats into silence and ends the session. A
//! [`Publisher`] is the agent around it with a UDP socket and a clock.

mod limit;
mod outgoing;
mod pace;
mod publisher;
mod socket;

pub use outgoing::{Outgoing, OutgoingConfig, PublishError};
pub use pace::{Pacer, Speed, SpeedError};
pub use publisher::{PublishStats, Publisher};
pub use socket::{Target, open as open_socket};
