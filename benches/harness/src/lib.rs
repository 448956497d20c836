//! The matching of Spindle behind the C interface of a public benchmark: a shared library that a
//! driver loads, gives orders, cancels and changes to, one call each, and gets reports from through
//! a queue between two threads.
//!
//! Nothing is done here that the engine does: its books know which orders live, match them and
//! answer what the best prices are. This library turns the driver's records into the engine's
//! values and the engine's answers into the driver's reports.
//!
//! The reports go through a ring like those between the venue's own threads. With
//! `SPINDLE_HARNESS_QUEUE=driver` in the environment they go through the driver's queue instead.

mod desk;
pub mod interface;
mod ring;

pub use desk::{Desk, Reports};
