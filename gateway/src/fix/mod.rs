//! FIX 4.2 and 4.4: order entry as tag=value messages.
//!
//! Bytes are cut into messages ([`frame`](mod@frame)), a message into fields that are views of its bytes
//! ([`message`]), and the fields are held against the tables of the standard ([`validate`](mod@validate)). The
//! [`session`] is a state machine without sockets and clocks: it numbers, answers, resends and keeps
//! time. What is sent is encoded into buffers taken at the start; no message allocates.

pub mod config;
pub(crate) mod desk;
pub mod dictionary;
mod echo;
pub mod encode;
pub(crate) mod entry;
pub mod frame;
pub mod message;
pub mod output;
pub mod queue;
pub mod session;
pub mod store;
pub mod tag;
pub(crate) mod talk;
mod text;
pub mod validate;
pub mod value;

pub use config::{Application, CancelOn, FixConfig, FixUser};
pub use dictionary::Version;
pub use encode::Writer;
pub use frame::{Frame, frame};
pub use message::{Message, ParseError, Scratch};
pub use validate::{Violation, validate};

/// The byte that ends every field.
pub const SOH: u8 = 1;

#[cfg(test)]
mod testing;
