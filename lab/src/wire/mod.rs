//! Orders over sockets: who sends them, and the bare echo that is the floor under the figures.

mod echo;
mod fix;
mod mix;
mod ouch;
mod trading;

pub use echo::{EchoPeer, EchoServer};
pub use fix::FixLink;
pub use mix::{Mix, MixError, OPEN_MAX, Weights};
pub use ouch::OuchLink;
pub use trading::{Link, Seen, Tally, Told, Trading};
