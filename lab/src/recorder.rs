//! What came of the requests of one round: latencies from the time at which they were due.

use hdrhistogram::Histogram;

/// The longest latency that is told apart: a minute. Longer ones count as that.
pub const LONGEST_NS: u64 = 60_000_000_000;

/// A histogram with three digits.
///
/// # Panics
/// Never: the bounds are constants that the histogram accepts.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("constant bounds that fit")
}

/// Nothing recorded for a request.
const NONE: u64 = u64::MAX;

/// The latencies of one round, each with the time at which its request was due. All memory is taken
/// and touched at the start.
#[derive(Clone, Debug)]
pub struct Recorder {
    latencies: Vec<u64>,
    lag: Histogram<u64>,
    answered: usize,
    max: u64,
}

impl Recorder {
    /// For so many requests.
    pub fn new(requests: usize) -> Self {
        Self { latencies: vec![NONE; requests], lag: histogram(), answered: 0, max: 0 }
    }

    /// A request was sent so long after it was due.
    #[inline]
    pub fn sent(&mut self, late: u64) {
        self.lag.saturating_record(late.max(1));
    }

    /// A request is answered, so long after it was due. A second answer changes nothing.
    #[inline]
    pub fn answered(&mut self, request: usize, latency: u64) {
        if let Some(place) = self.latencies.get_mut(request)
            && *place == NONE
        {
            *place = latency;
            self.answered += 1;
            self.max = self.max.max(latency);
        }
    }

    /// Requests that have their answer.
    pub const fn count(&self) -> usize {
        self.answered
    }

    /// How late requests were sent.
    pub const fn lag(&self) -> &Histogram<u64> {
        &self.lag
    }

    /// All latencies.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = histogram();
        for &latency in self.latencies.iter().filter(|latency| **latency != NONE) {
            histogram.saturating_record(latency.max(1));
        }
        histogram
    }

    /// The latencies of those requests that were due in each of `slots` equal parts of
    /// `nanoseconds`.
    pub fn over_time(&self, due: &[u64], nanoseconds: u64, slots: usize) -> Vec<Histogram<u64>> {
        let mut histograms: Vec<_> = (0..slots.max(1)).map(|_| histogram()).collect();
        for (&due, &latency) in due.iter().zip(&self.latencies).filter(|(_, l)| **l != NONE) {
            let slot = u128::from(due) * slots as u128 / u128::from(nanoseconds.max(1));
            let slot = usize::try_from(slot).unwrap_or(usize::MAX).min(slots.max(1) - 1);
            histograms[slot].saturating_record(latency.max(1));
        }
        histograms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_once_and_where_it_was_due() {
        let mut recorder = Recorder::new(4);
        recorder.answered(0, 10);
        recorder.answered(0, 99);
        recorder.answered(3, 40);
        recorder.answered(4, 1);
        assert_eq!(recorder.count(), 2);
        let histogram = recorder.histogram();
        assert_eq!((histogram.len(), histogram.min(), histogram.max()), (2, 10, 40));
        let slots = recorder.over_time(&[0, 25, 50, 99], 100, 2);
        assert_eq!(slots.iter().map(Histogram::max).collect::<Vec<_>>(), [10, 40]);
    }
}
