//! May this order go? Pure checks over fixed-size state, before anything reaches a book. What each
//! check compares, and in which order, is in `docs/risk.md`.

mod gate;
mod judge;
mod limits;
mod notice;
mod price;
mod reject;
mod request;
mod state;
mod table;

pub use gate::{Gate, GateConfig, GateError, Totals};
pub use judge::Admission;
pub use limits::{CURRENCIES_MAX, Key, LimitError, Limits, OFF, Unit};
pub use notice::{Cause, NO_FIRM, Notice, Target};
pub use reject::{Check, Level, Measure, Reject};
pub use request::{Form, Holder, InstrumentState, Market, Purpose, Request, Reserved, Sale};
