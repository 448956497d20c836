//! The venue's own feed: its books as ITCH 5.0 over MoldUDP64, with a request server.

mod publisher;
mod stream;
mod tape;

pub use publisher::{BookPublisher, PublicationCounters, PublicationError};
pub use stream::BookStream;
pub use tape::BookTape;
