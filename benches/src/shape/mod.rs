//! Shapes of load that a recording at hand may not have: a whole day's population of orders, and a
//! price that falls through a deep book. The same code is measured by `benches/whole_day.rs` and, in
//! small, tested.

mod crash;
mod population;

pub use crash::Crash;
pub use population::{Batch, Population};
