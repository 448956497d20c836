//! What people read when a venue is over: counts, and where the time went.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use crate::venue::Outcome;

/// The parts of a histogram that the tables show.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// One line for each hop, from the first byte of a market packet to the last of an answer.
pub fn latency_table(outcome: &Outcome<'_>, client: Option<&Histogram<u64>>) -> String {
    let engine = outcome.latency();
    let mut hops: Vec<(&str, Histogram<u64>)> = vec![
        ("receive", engine.receive.histogram()),
        ("decode and book", engine.book.histogram()),
        ("decode", engine.decode.histogram()),
        ("ring in", engine.ring_in.histogram()),
        ("risk", engine.risk.histogram()),
        ("match", engine.matching.histogram()),
        ("the engine's part", engine.engine.histogram()),
        ("ring out", outcome.gateway.ring_out.histogram()),
        ("encode", outcome.gateway.encode.histogram()),
        ("send", outcome.gateway.send.histogram()),
        ("order in to answer out", outcome.gateway.order_in_to_answer_out.histogram()),
    ];
    hops.extend(client.map(|histogram| ("client round trip", histogram.clone())));
    let mut table = format!("{:<24}{:>11}", "hop", "count");
    for (name, _) in QUANTILES {
        let _ = write!(table, "{name:>11}");
    }
    let _ = writeln!(table, "{:>11}", "max");
    for (name, histogram) in hops {
        let _ = write!(table, "{name:<24}{:>11}", histogram.len());
        for (_, quantile) in QUANTILES {
            let _ = write!(table, "{:>11}", time(histogram.value_at_quantile(quantile)));
        }
        let _ = writeln!(table, "{:>11}", time(histogram.max()));
    }
    table
}

/// A time as people read it: `812 ns`, `12.3 us`, `1.25 ms`, `2.10 s`.
pub fn time(nanoseconds: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = nanoseconds as f64;
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.3} us", Short(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{:.3} ms", Short(value / 1e6)),
        _ => format!("{:.3} s", Short(value / 1e9)),
    }
}

/// A number from 1 up with three digits.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = if self.0 < 10.0 { 2 } else { usize::from(self.0 < 100.0) };
        write!(f, "{:.places$}", self.0)
    }
}

/// A whole number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(time(812), "812 ns");
        assert_eq!(time(1_250), "1.25 us");
        assert_eq!(time(12_345), "12.3 us");
        assert_eq!(time(123_456), "123 us");
        assert_eq!(time(2_100_000_000), "2.10 s");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
