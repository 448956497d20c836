//! Matching beyond the plain limit order: what docs/matching.md says, rule by rule.
//!
//! An order that stands whole and displayed at its limit is known to the books alone, and an
//! instrument that has nothing else takes the short way through [`taker`]. All other orders have a
//! [`Special`] beside them, and stand in sorted sets of their instrument ([`Pools`]) where they do
//! not stand in the book. What a change of the book leads to (pegs that move, stops that were
//! elected, figures of an auction) is worked off at the end of the input, instrument by instrument
//! ([`settle`]).

pub(crate) mod admit;
mod auction;
mod cross;
mod forest;
mod mass_cancel;
mod pegs;
mod phases;
mod pools;
mod settle;
mod stops;
mod taker;
mod whole;

pub(crate) use pools::{Extras, Incoming, Kind, Place, Special, features};
pub(crate) use taker::Execution;

/// Most executions against orders of the market that one input can cause, each told to one. What an
/// order would take beyond that is cancelled.
pub(crate) const TAPE_FILLS_MAX: usize = 4_096;

/// The highest price and the highest quantity of an order.
pub(crate) const HIGHEST: u32 = (1 << 31) - 1;
