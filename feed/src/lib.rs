//! Bytes from the market become ordered, decoded market messages.

pub mod event;
pub mod itch;
pub mod moldudp64;
mod seqlock;
pub mod stream;
mod sync;
pub mod top;
