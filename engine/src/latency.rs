//! How long things took, counted so that the thread that measures owns the counters and any other may
//! read them while they move. Recording never allocates, locks or waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;

/// Whether stamps are compiled in: false with the feature `without-stamps`.
pub const STAMPS: bool = cfg!(not(feature = "without-stamps"));

/// The longest time that is told apart, in nanoseconds: a minute. What is longer counts as that.
pub const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// Values below twice this have a counter each; above, each doubling of the value has so many
/// counters. With 1,024 a value is known to three digits.
const HALF: u64 = 1 << HALF_BITS;
const HALF_BITS: u32 = 10;

/// Counters of one histogram.
const COUNTERS: usize = index_of(LATENCY_MAX_NS) + 1;

/// The counter of a value: linear within each doubling, as HdrHistogram has it.
const fn index_of(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(HALF_BITS + 1);
    #[allow(clippy::cast_possible_truncation, reason = "at most some ten thousand")]
    let index = ((shift as u64 * HALF) + (value >> shift)) as usize;
    index
}

/// The middle of the values that a counter counts.
const fn value_of(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * HALF {
        return index;
    }
    let shift = index / HALF - 1;
    ((index - shift * HALF) << shift) + (1 << shift) / 2
}

/// The counters. One thread adds, any may read; each number stands for itself.
struct Counters {
    counts: Box<[AtomicU64]>,
    max: AtomicU64,
}

/// A histogram of times in nanoseconds with three significant digits, written by its owner.
pub struct Latency {
    counters: Arc<Counters>,
}

/// The same histogram for any other thread.
#[derive(Clone)]
pub struct LatencyReader {
    counters: Arc<Counters>,
}

/// How a histogram stood at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencySnapshot {
    /// Up to the counter of `max`.
    counts: Vec<u64>,
    max: u64,
}

impl Latency {
    /// An empty histogram; all its memory is taken and touched here.
    pub fn new() -> Self {
        // Written one by one: zeroed pages would be given by the system at the first record.
        let counts = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self { counters: Arc::new(Counters { counts, max: AtomicU64::new(0) }) }
    }

    /// Records one time. 0 counts as 1 ns and more than a minute as a minute.
    #[inline]
    pub fn record(&mut self, nanoseconds: u64) {
        let value = nanoseconds.clamp(1, LATENCY_MAX_NS);
        // One thread writes, so that a load and a store are an addition.
        let count = &self.counters.counts[index_of(value)];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if value > self.counters.max.load(Ordering::Relaxed) {
            self.counters.max.store(value, Ordering::Relaxed);
        }
    }

    /// Times recorded. Walks the counters.
    pub fn count(&self) -> u64 {
        self.snapshot().count()
    }

    /// The time that this part (0 to 1) of all stayed at or below; 0 while nothing is recorded. Walks the counters.
    pub fn quantile(&self, part: f64) -> u64 {
        self.histogram().value_at_quantile(part)
    }

    /// The longest time; 0 while nothing is recorded.
    pub fn max(&self) -> u64 {
        self.counters.max.load(Ordering::Relaxed)
    }

    /// For another thread.
    pub fn reader(&self) -> LatencyReader {
        LatencyReader { counters: Arc::clone(&self.counters) }
    }

    /// How it stands. Allocates.
    pub fn snapshot(&self) -> LatencySnapshot {
        self.counters.snapshot()
    }

    /// What was recorded, as a histogram of the field's own library. Allocates.
    pub fn histogram(&self) -> Histogram<u64> {
        self.snapshot().histogram()
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Latency {
    /// Counters of its own with the same counts.
    fn clone(&self) -> Self {
        let LatencySnapshot { mut counts, max } = self.snapshot();
        counts.resize(COUNTERS, 0);
        let counts = counts.into_iter().map(AtomicU64::new).collect();
        Self { counters: Arc::new(Counters { counts, max: AtomicU64::new(max) }) }
    }
}

impl std::fmt::Debug for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latency").field("count", &self.count()).field("max", &self.max()).finish()
    }
}

impl std::fmt::Debug for LatencyReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LatencyReader").field("count", &self.snapshot().count()).finish()
    }
}

impl LatencyReader {
    /// How it stands now. What is recorded meanwhile may be in it or not.
    pub fn snapshot(&self) -> LatencySnapshot {
        self.counters.snapshot()
    }
}

impl Counters {
    fn snapshot(&self) -> LatencySnapshot {
        let max = self.max.load(Ordering::Relaxed);
        // Nothing lies above the longest.
        let counts = &self.counts[..=index_of(max)];
        let counts = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        LatencySnapshot { counts, max }
    }
}

impl LatencySnapshot {
    /// Times recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The longest time; 0 while nothing is recorded.
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// Every value that was recorded, to three digits, from the least, with how often it was.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let counts = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(|(index, &count)| (value_of(index).min(self.max.max(1)), count))
    }

    /// What was recorded after `earlier`, a snapshot of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        if earlier.counts.is_empty() {
            return self.clone();
        }
        let counts: Vec<_> = self
            .counts
            .iter()
            .zip(earlier.counts.iter().copied().chain(std::iter::repeat(0)))
            .map(|(now, then)| now.saturating_sub(then))
            .collect();
        // The longest of all is known to the last digit, the longest of a part to three.
        let highest = counts.iter().rposition(|&count| count > 0).map_or(0, value_of);
        let max = if self.max > earlier.max { self.max } else { highest };
        Self { counts, max }
    }

    /// What was recorded, as a histogram of the field's own library, to three digits.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram accepts.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram =
            Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("constant bounds that fit");
        for (value, count) in self.values() {
            histogram.saturating_record_n(value, count);
        }
        histogram
    }
}

/// Where time goes on the engine thread.
#[derive(Clone, Debug, Default)]
pub struct EngineLatency {
    /// From the kernel's receive stamp of a packet to the engine having it.
    pub receive: Latency,
    /// Decoding a market message and applying it to its book, its top published.
    pub book: Latency,
    /// From the gateway having a request's bytes to the command being in the ring: framing,
    /// decoding, checking.
    pub decode: Latency,
    /// From the gateway putting a command into the ring to the engine having it.
    pub ring_in: Latency,
    /// Looking up what an order needs and passing the risk gate.
    pub risk: Latency,
    /// Matching, and writing the answers.
    pub matching: Latency,
    /// From the engine having a command to its answers being in the ring out: the engine's whole part.
    pub engine: Latency,
    /// From the gateway putting a command into the ring to its answers being in the ring out.
    pub ring_to_ring: Latency,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_known_to_three_digits() {
        let mut previous = 0;
        let mut value = 1_u64;
        while value < LATENCY_MAX_NS {
            let index = index_of(value);
            assert!(index >= previous && index < COUNTERS, "{value}");
            let told = value_of(index);
            assert!(told.abs_diff(value) * 1_000 <= value, "{value} told as {told}");
            previous = index;
            value += 1 + value / 977;
        }
    }

    #[test]
    fn no_counter_is_left_out() {
        let indices: Vec<_> = (0..10_000).map(index_of).collect();
        assert!(indices.windows(2).all(|pair| pair[1] - pair[0] <= 1), "{indices:?}");
    }

    #[test]
    fn it_tells_what_a_plain_histogram_tells() {
        let mut plain = Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("bounds");
        let mut ours = Latency::new();
        let mut value = 7_u64;
        for _ in 0..100_000 {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) >> 1;
            let time = value % 50_000_000;
            plain.saturating_record(time.max(1));
            ours.record(time);
        }
        assert_eq!(ours.count(), plain.len());
        for quantile in [0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let (told, wanted) = (ours.quantile(quantile), plain.value_at_quantile(quantile));
            assert!(told.abs_diff(wanted) * 1_000 <= wanted, "{quantile}: {told} and {wanted}");
        }
    }

    #[test]
    fn a_part_is_what_was_recorded_since() {
        let mut latency = Latency::new();
        let reader = latency.reader();
        latency.record(5_000_000);
        let before = reader.snapshot();
        (0..10).for_each(|_| latency.record(100));
        let part = reader.snapshot().since(&before);
        assert_eq!((part.count(), part.histogram().max()), (10, 100));
        assert_eq!((latency.count(), latency.max()), (11, 5_000_000));
        latency.record(u64::MAX);
        latency.record(0);
        assert_eq!((latency.max(), latency.histogram().min()), (LATENCY_MAX_NS, 1));
    }
}
