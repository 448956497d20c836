//! Latencies of the hops for a snapshot: since the start, and of the last seconds.

use std::time::{Duration, Instant};

use spindle_engine::latency::LatencySnapshot;

use super::{BOUNDS_NS, Hop, Percentiles};
use crate::lab::side::HopReader;

/// How far back what is called recent begins, at least.
const RECENT: Duration = Duration::from_secs(2);

/// The hops, and how they stood a moment ago.
pub(super) struct Hops {
    readers: Vec<HopReader>,
    /// How they stood when what is recent began, and how at the last reading since then.
    base: Vec<LatencySnapshot>,
    last: Vec<LatencySnapshot>,
    last_at: Instant,
}

impl Hops {
    pub(super) fn new(readers: Vec<HopReader>, now: Instant) -> Self {
        let nothing = vec![LatencySnapshot::default(); readers.len()];
        Self { readers, base: nothing.clone(), last: nothing, last_at: now }
    }

    /// How they stand. What is recent begins at a reading two seconds ago or more, if there was one.
    pub(super) fn read(&mut self, now: Instant) -> Vec<Hop> {
        let stands: Vec<_> = self.readers.iter().map(|hop| hop.reader.snapshot()).collect();
        let told = self.readers.iter().zip(&stands).zip(&self.base).map(|((hop, all), base)| Hop {
            name: hop.name.to_owned(),
            all: percentiles(all),
            recent: percentiles(&all.since(base)),
            sum_ns: sum(all),
            at_most: at_most(all),
        });
        let told = told.collect();
        if now.duration_since(self.last_at) >= RECENT {
            self.base = std::mem::replace(&mut self.last, stands);
            self.last_at = now;
        }
        told
    }
}

fn sum(of: &LatencySnapshot) -> u64 {
    of.values().fold(0, |sum, (value, count)| sum.saturating_add(value.saturating_mul(count)))
}

fn at_most(of: &LatencySnapshot) -> Vec<u64> {
    let mut values = of.values().peekable();
    let mut below = 0;
    let count = |bound: &u64| {
        while let Some((_, count)) = values.next_if(|(value, _)| value <= bound) {
            below += count;
        }
        below
    };
    BOUNDS_NS.iter().map(count).collect()
}

fn percentiles(of: &LatencySnapshot) -> Percentiles {
    let count = of.count();
    let mut told = Percentiles { count, max_ns: of.max(), ..Percentiles::default() };
    let wanted = [
        (&mut told.p50_ns, 500),
        (&mut told.p90_ns, 900),
        (&mut told.p99_ns, 990),
        (&mut told.p999_ns, 999),
    ];
    let (mut values, mut below, mut value) = (of.values(), 0_u64, 0);
    for (place, per_mille) in wanted {
        let rank = u128::from(count) * per_mille;
        while u128::from(below) * 1_000 < rank
            && let Some((next, count)) = values.next()
        {
            (value, below) = (next, below + count);
        }
        *place = value;
    }
    told
}

#[cfg(test)]
mod tests {
    use spindle_engine::latency::Latency;

    use super::*;

    fn reader(latency: &Latency) -> HopReader {
        HopReader { name: "risk", what: "", thread: "", reader: latency.reader() }
    }

    #[test]
    fn percentiles_are_those_of_the_histogram() {
        let mut latency = Latency::new();
        let mut value = 3_u64;
        for _ in 0..50_000 {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) >> 1;
            latency.record(value % 3_000_000);
        }
        let (told, histogram) = (percentiles(&latency.snapshot()), latency.histogram());
        let wanted = [0.5, 0.9, 0.99, 0.999].map(|part| histogram.value_at_quantile(part));
        let found = [told.p50_ns, told.p90_ns, told.p99_ns, told.p999_ns];
        for (found, wanted) in found.into_iter().zip(wanted) {
            assert!(found.abs_diff(wanted) * 500 <= wanted, "{found} and {wanted}");
        }
        assert_eq!((told.count, told.max_ns), (50_000, latency.max()));
        let counts = at_most(&latency.snapshot());
        let bound = BOUNDS_NS.iter().position(|bound| *bound == 1_000_000).expect("a bound");
        assert!(counts[bound].abs_diff(histogram.count_between(0, 1_000_000)) < 100);
        assert_eq!(counts.last(), Some(&50_000));
    }

    #[test]
    fn what_is_recent_leaves_out_what_is_long_ago() {
        let mut latency = Latency::new();
        let start = Instant::now();
        let mut hops = Hops::new(vec![reader(&latency)], start);
        let mut at = |seconds: u64, latency: &mut Latency, time: u64| {
            (0..10).for_each(|_| latency.record(time));
            let hop = hops.read(start + Duration::from_secs(seconds)).remove(0);
            (hop.all.count, hop.recent.count, hop.recent.p50_ns)
        };
        assert_eq!(at(1, &mut latency, 100), (10, 10, 100));
        assert_eq!(at(2, &mut latency, 100), (20, 20, 100));
        assert_eq!(at(4, &mut latency, 200), (30, 30, 100));
        assert_eq!(at(6, &mut latency, 200), (40, 20, 200), "since the second second");
        assert_eq!(at(7, &mut latency, 200), (50, 20, 200), "since the fourth");
    }
}
