//! The books, matching, the fill rules, and the state machine that ties them together.

pub mod agent;
mod book;
pub mod check;
pub mod command;
mod counters;
pub mod delay;
pub mod digest;
mod engine;
pub mod event;
mod gate_counts;
mod hash;
pub mod input;
mod instruments;
pub mod kept;
pub mod latency;
mod ledger;
mod lookahead;
mod lookout;
mod matcher;
mod matching;
mod modify;
mod orders;
mod own;
pub mod probe;
pub mod publication;
pub mod rider;
pub mod risk;
mod state;
pub mod tap;
mod tape;
#[cfg(feature = "verify")]
mod verify;

pub use book::{
    Best, BookError, Books, Capacity, LevelView, Order, OrderKey, Place, Placed, Placement, Slot,
};
pub use counters::{CounterReader, Counters};
pub use engine::{Engine, EngineConfig};
pub use gate_counts::GateCounts;
pub use hash::OpenOrder;
pub use instruments::{Instrument, Instruments};
pub use ledger::{Booking, Divergence, DivergenceRow, Imbalance};
pub use matcher::{Matcher, Trade};
pub use risk::{RiskChange, RiskError, RiskFault, UsageReport};

/// Whether the tape acts on strategies' orders. Left out, by a feature, for one purpose: to measure
/// what the fill rules cost where no strategy has an order.
const RULES: bool = !cfg!(feature = "without-fill-rules");
