//! What a configuration says of metrics and of the log.

use std::net::SocketAddr;

use serde::Deserialize;

use super::{Checker, ConfigError};
use crate::log::Format;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsTable {
    #[serde(default = "default_address")]
    address: String,
}

fn default_address() -> String {
    "127.0.0.1:9464".to_owned()
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogTable {
    pub(super) format: Format,
}

impl Checker<'_> {
    pub(super) fn metrics(&self, table: &MetricsTable) -> Result<SocketAddr, ConfigError> {
        self.address(&table.address, "[metrics] address")
    }
}
