//! The order-by-order books of all instruments.
//!
//! Market orders and strategies' orders stand in the same levels, in the same queues. Memory is
//! taken once, at the start, and stated by [`Capacity::bytes`]:
//!
//! * [`orders`]: a slab of 32-byte records, which also are the nodes of the queues, and an
//!   open-addressed index that finds them by their key. A record never moves: its slot is a stable
//!   32-bit handle while the order lives.
//! * [`levels`]: another one, of 32-byte records too, one for each price at which orders stand, found
//!   by instrument, side and price.
//! * [`ladder`]: for each side of each book the sorted prices, the best last, so that what happens
//!   near the best moves few entries, and far from it not many more.
//!
//! A message on an order touches its record, its level and its queue neighbours. Only a price that
//! appears or disappears touches the ladder.

mod books;
mod ladder;
mod levels;
mod orders;

pub use books::{Best, BookError, Books, Capacity, LevelView, Place, Placed, Placement};
pub use orders::{Order, OrderKey, Slot};
