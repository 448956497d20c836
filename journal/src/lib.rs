//! The journal: sequenced records in preallocated segments, and what is decided about them when they
//! are read again. It knows neither engine nor gateway: a record is bytes with a kind.
//!
//! [`format`] is the layout, [`scan`] decides over bytes alone, [`read`] and [`write`] go through a
//! [`Disk`](disk::Disk): plain calls, io_uring, or a simulated one that loses, tears and doubles
//! sectors. docs/journal.md has the layout and the decisions.

pub mod disk;
pub mod error;
pub mod format;
pub mod lock;
mod pieces;
pub mod read;
pub mod scan;
pub mod snapshot;
pub mod tail;
pub mod visit;
pub mod write;

pub use error::{Fault, JournalError, Refusal};
pub use format::{Identity, Venue};
pub use read::{Place, Scanned, Torn, read, read_from, visit_from};
pub use scan::Record;
pub use snapshot::{Snapshot, Start};
pub use tail::Tail;
pub use visit::Visitor;
pub use write::{Journal, Settings};
