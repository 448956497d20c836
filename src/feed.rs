//! An outside feed put together: a receiver's packets through a stream's arbitration.

use spindle_engine::agent::{MarketFeed, MarketSink};
use thiserror::Error;

use crate::config::FeedConfig;

/// Why a feed does not start.
#[derive(Debug, Error)]
pub enum FeedError {}

/// A feed, or none.
pub enum AnyFeed {
    /// No outside market.
    None,
}

impl AnyFeed {
    /// Opens the feed of a configuration.
    ///
    /// # Errors
    /// An address that cannot be received from, or a receive path that the kernel refuses.
    pub fn open(config: Option<&FeedConfig>) -> Result<Self, FeedError> {
        match config {
            _ => Ok(Self::None),
        }
    }

    /// One line on how the feed is received, if there is one.
    pub fn describe(&self) -> Option<String> {
        None
    }
}

impl MarketFeed for AnyFeed {
    fn poll<S: MarketSink>(&mut self, _: &mut S) -> usize {
        0
    }
}
