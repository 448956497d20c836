//! The scenario language: operations and answers, one JSON object a line, as `spindle match` reads
//! and writes them, and what can answer them: the engine, and the plainest matching engine that can
//! be written, its naive twin.
//!
//! The grammar is in `docs/match.md`, the rules of matching in `docs/matching.md`.

mod decimal;
mod edge;
pub mod gate;
mod line;
mod op;
mod risk_op;
mod run;
mod twin;
mod venue;

pub use decimal::{Amount, Shares};
pub use line::{Figure, Figures, Level, Line, OfTape, OwnerName, Rejected};
pub use op::{
    Account, Book, Cancel, Center, Cross, Day, Id, Instrument, Kind, MassCancel, New, Op, Phase,
    PhaseChange, PostOnly, Replace, Restriction, Sale, SelfTrade, Side, State, Tape, TapeEvent,
    Tif, Time,
};
pub use risk_op::{Arm, Kill, Limits, Owner, Reference, value_of, written};
pub use run::{RunError, run};
pub use twin::Twin;
pub use venue::{Size, Venue};

/// Something that answers operations.
pub trait Matcher {
    /// Carries out one operation and adds its events, in order.
    fn apply(&mut self, op: &Op, answer: &mut Vec<Line>);
}
