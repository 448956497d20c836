//! Figures of several runs: the median, and how far they lie apart.

use hdrhistogram::Histogram;
use serde::Serialize;

/// One figure over several runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// The middle one; of two in the middle the lower.
    pub median: u64,
    /// The lowest.
    pub least: u64,
    /// The highest.
    pub most: u64,
}

impl Spread {
    /// Of these figures; all 0 when there are none.
    pub fn of(figures: impl IntoIterator<Item = u64>) -> Self {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_unstable();
        let (Some(&least), Some(&most)) = (figures.first(), figures.last()) else {
            return Self::default();
        };
        Self { median: figures[(figures.len() - 1) / 2], least, most }
    }
}

/// What a latency histogram comes to, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half are at most this.
    pub p50: u64,
    /// 99 % are at most this.
    pub p99: u64,
    /// 99.9 % are at most this.
    pub p999: u64,
    /// The longest.
    pub most: u64,
}

impl Latency {
    /// Of a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            most: histogram.max(),
        }
    }
}

/// A histogram of nanoseconds up to a minute, with three digits; longer times count as a minute.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3)
        .expect("bounds and digits that the library allows")
}

/// Nanoseconds as people read them: `850 ns`, `5.61 µs`, `12.3 ms`.
pub fn nanoseconds(value: u64) -> String {
    let (unit, name) = match value {
        0..1_000 => return format!("{value} ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let (whole, thousandths) = (value / unit, value % unit * 1_000 / unit);
    match whole {
        0..10 => format!("{whole}.{:02} {name}", thousandths / 10),
        10..100 => format!("{whole}.{:01} {name}", thousandths / 100),
        _ => format!("{whole} {name}"),
    }
}

/// A count with commas: 1,234,567.
pub fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_median_and_the_ends() {
        let of = |figures: &[u64]| Spread::of(figures.iter().copied());
        assert_eq!(of(&[]), Spread::default());
        assert_eq!(of(&[5, 1, 9]), Spread { median: 5, least: 1, most: 9 });
        assert_eq!(of(&[4, 2]), Spread { median: 2, least: 2, most: 4 });
    }

    #[test]
    fn figures_are_printed_for_people() {
        let table = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (5_619, "5.61 µs"),
            (12_399, "12.3 µs"),
            (123_999, "123 µs"),
            (12_300_000, "12.3 ms"),
            (60_000_000_000, "60.0 s"),
        ];
        for (value, expected) in table {
            assert_eq!(nanoseconds(value), expected);
        }
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
