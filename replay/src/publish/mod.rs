//! The sending side of a feed: a recording as a MoldUDP64 stream on one or two lines.
//!
//! [`Outgoing`] decides, without sockets or clock, which packet is due on which line at a given time:
//! it paces by the tape's time, fills packets, sends heartbeats into silence, ends the session,
//! answers requests for missed messages, and does to packets what a bad network does. A
//! [`Publisher`] is the agent around it with UDP sockets and a clock.

mod control;
mod encode;
mod impair;
mod limit;
mod line;
mod live;
mod outgoing;
mod pace;
mod publisher;
mod requests;
mod socket;
mod stats;
mod store;
mod tape;

pub(crate) use tape::time_of;

pub use control::{Control, ControlError};
pub use encode::Encoder;
pub use impair::{Impairments, Share, ShareError};
pub use line::{LineConfig, LineCounters};
pub use live::Live;
pub use outgoing::{LINES_MAX, Outgoing, OutgoingConfig, PublishError};
pub use pace::{Pacer, Speed, SpeedError};
pub use publisher::Publisher;
pub use requests::RequestCounters;
pub use socket::{Target, open as open_socket};
pub use stats::PublishStats;
