//! May this order go? Pure checks over fixed-size state, before anything reaches a book. What each
//! check compares, and in which order, is in `docs/risk.md`.

mod ask;
mod counts;
mod gate;
mod judge;
mod keys;
mod limits;
mod near;
mod notice;
mod pass;
mod price;
mod reject;
mod request;
mod reserve;
mod route;
mod set;
mod setup;
mod state;
mod switch;
mod table;
mod totals;
mod usage;
mod view;
mod warn;
mod why;

pub use counts::Counts;
pub use gate::{Gate, GateConfig};
pub use judge::Admission;
pub use keys::{CURRENCIES_MAX, Key, OFF, Unit};
pub use limits::{LimitError, Limits};
pub use notice::{Cause, NO_FIRM, Notice, Target};
pub use reject::{Check, Level, Measure, Reject};
pub use request::{Form, Holder, InstrumentState, Market, Purpose, Request, Reserved, Sale};
pub use setup::GateError;
pub use totals::Totals;
pub use usage::{Usage, UsageRow};
