//! The latency laboratory: what is sent and when, what is recorded of it, what figures come of several
//! rounds, and how they are told. Sockets are in [`wire`] alone; everything else takes times and
//! values.

pub mod compare;
pub mod doctor;
pub mod hlog;
pub mod load;
pub mod machine;
pub mod page;
pub mod parts;
pub mod record;
pub mod recorder;
pub mod refusal;
pub mod schedule;
pub mod stamps;
pub mod stats;
pub mod summary;
pub mod sweep;
pub mod text;
pub mod wire;
