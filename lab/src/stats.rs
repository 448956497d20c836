//! Percentiles of a round, and figures over several rounds.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The percentiles that every table has, with their names.
pub const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999)];

/// What one round of latencies comes to, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Latencies.
    pub count: u64,
    /// Half are at most this.
    pub p50: u64,
    /// 90 % are at most this.
    pub p90: u64,
    /// 99 % are at most this.
    pub p99: u64,
    /// 99.9 % are at most this.
    pub p999: u64,
    /// 99.99 % are at most this.
    pub p9999: u64,
    /// The longest.
    pub max: u64,
}

impl Percentiles {
    /// Of a histogram of nanoseconds; all 0 where nothing was recorded.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: histogram.max(),
        }
    }

    /// Names and values, from p50 to the maximum.
    pub const fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p999", self.p999),
            ("p9999", self.p9999),
            ("max", self.max),
        ]
    }
}

/// One figure over the rounds of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its unit: `ns`, `1/s`, `ratio`.
    pub unit: String,
    /// The middle of the rounds; of two in the middle their mean.
    pub median: f64,
    /// The lowest.
    pub least: f64,
    /// The highest.
    pub most: f64,
    /// Each round.
    pub rounds: Vec<f64>,
}

impl Figure {
    /// Over these rounds; all 0 where there are none.
    pub fn of(unit: &str, rounds: Vec<f64>) -> Self {
        let mut sorted = rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else {
            return Self { unit: unit.to_owned(), ..Self::default() };
        };
        Self { unit: unit.to_owned(), median: middle(&sorted), least, most, rounds }
    }

    /// Over these rounds of whole numbers.
    #[allow(clippy::cast_precision_loss, reason = "times of at most a minute")]
    pub fn of_whole(unit: &str, rounds: impl IntoIterator<Item = u64>) -> Self {
        Self::of(unit, rounds.into_iter().map(|value| value as f64).collect())
    }

    /// The ratio of two figures, round by round; as many as both have.
    pub fn ratio(over: &Self, under: &Self) -> Self {
        let pairs = over.rounds.iter().zip(&under.rounds);
        Self::of("ratio", pairs.map(|(a, b)| if *b > 0.0 { a / b } else { 0.0 }).collect())
    }

    /// The ends of the middle half of the rounds; of fewer than four the least and the most.
    pub fn middle_half(&self) -> (f64, f64) {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let quarter = sorted.len() / 4;
        let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
        (at(quarter), at(sorted.len().saturating_sub(1 + quarter)))
    }

    /// What the middle half of the rounds says of a bound that is not to be passed: `Some(true)` where all of it keeps it,
    /// `Some(false)` where none of it does, `None` where it lies on both sides.
    pub fn keeps(&self, most: f64) -> Option<bool> {
        let (low, high) = self.middle_half();
        (high <= most || low > most).then_some(high <= most)
    }

    /// How far the middle half of the rounds lies apart, as a part of the median; 0 for fewer than
    /// four rounds.
    pub fn spread(&self) -> f64 {
        if self.rounds.len() < 4 || self.median == 0.0 {
            return 0.0;
        }
        let (low, high) = self.middle_half();
        (high - low) / self.median
    }
}

/// The middle of sorted values.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_and_the_ends() {
        let figure = Figure::of_whole("ns", [5, 1, 9]);
        assert_eq!((figure.median, figure.least, figure.most), (5.0, 1.0, 9.0));
        assert_eq!(Figure::of_whole("ns", [4, 2]).median, 3.0);
        assert_eq!(Figure::of_whole("ns", []).median, 0.0);
        let ratio = Figure::ratio(&Figure::of_whole("ns", [3, 8]), &Figure::of_whole("ns", [2, 2]));
        assert_eq!(ratio.rounds, [1.5, 4.0]);
        let even = Figure::of_whole("ns", [90, 100, 100, 110, 100, 100, 100, 100]);
        assert_eq!((even.spread(), even.middle_half()), (0.0, (100.0, 100.0)));
        assert_eq!(Figure::of_whole("ns", [3, 1, 2]).middle_half(), (1.0, 3.0));
        assert_eq!(Figure::default().middle_half(), (0.0, 0.0));
        assert_eq!(Figure::of_whole("ns", [50, 100, 150, 200]).spread(), 50.0 / 125.0);
    }
}
