//! Histograms of how long things took, of fixed size, so that recording never allocates.

use hdrhistogram::Histogram;

/// The longest time that is told apart, in nanoseconds: a minute. What is longer counts as that.
pub const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// A histogram of times in nanoseconds, with three significant digits.
#[derive(Clone, Debug)]
pub struct Latency {
    histogram: Histogram<u64>,
}

impl Latency {
    /// An empty histogram; all its memory is taken here.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram accepts.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3);
        Self { histogram: histogram.expect("constant bounds that fit") }
    }

    /// Records one time. 0 counts as 1 ns and more than a minute as a minute.
    #[inline]
    pub fn record(&mut self, nanoseconds: u64) {
        self.histogram.saturating_record(nanoseconds.max(1));
    }

    /// Times recorded.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The time that this part (0 to 1) of all stayed at or below; 0 while nothing is recorded.
    pub fn quantile(&self, part: f64) -> u64 {
        self.histogram.value_at_quantile(part)
    }

    /// The longest time; 0 while nothing is recorded.
    pub fn max(&self) -> u64 {
        self.histogram.max()
    }

    /// The histogram behind it.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

/// Where time goes on the engine thread.
#[derive(Clone, Debug, Default)]
pub struct EngineLatency {
    /// From the kernel's receive stamp of a packet to the engine having it.
    pub receive: Latency,
    /// Decoding a market message and applying it to its book, its top published.
    pub book: Latency,
    /// From the gateway putting a command into the ring to the engine having it.
    pub ring_in: Latency,
    /// Looking up what an order needs and passing the risk gate.
    pub risk: Latency,
    /// Matching, and writing the answers.
    pub matching: Latency,
}
