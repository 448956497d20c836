//! The books, matching, the fill rules, and the state machine that ties them together.

pub mod command;
pub mod event;

mod book;
pub use book::{Best, BookError, Books, Capacity, LevelView, Order, OrderKey, Placed, Slot};
