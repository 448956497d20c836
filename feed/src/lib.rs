//! Bytes from the market become ordered, decoded market messages.

pub mod event;
pub mod itch;
pub mod memory;
pub mod mold_feed;
pub mod moldudp64;
pub mod prefetch;
pub mod quarantine;
pub mod receive;
mod seqlock;
pub mod state;
pub mod stream;
mod sync;
pub mod top;
