//! How a venue stands: one value for the control socket, the metrics and `spindle top`, put together by a
//! cold thread from what the hot ones count.

mod desk;
mod hops;
mod level;
mod look;
mod snapshot;

pub(crate) use desk::Sources;
pub use desk::{Answer, StatusDesk, Waiter, Wish};
pub use level::RingLevel;
pub use look::{ACCOUNTS_MAX, Held, LEVELS_MAX, Look, NAMES_MAX, POSITIONS_MAX};
pub use snapshot::*;
