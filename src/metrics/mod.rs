//! What a venue counts, for Prometheus: the names and units of `docs/metrics.md`, served over HTTP by a cold
//! thread.

mod exposition;
mod server;

pub use exposition::{FAMILIES, Family, Kind, text};
pub use server::{Ask, MetricsError, MetricsServer};
