//! What people read: times with three digits, counts with their thousands apart, tables.

use std::fmt::Write as _;

use crate::record::Record;

/// Nanoseconds as people read them: `850 ns`, `5.61 us`, `12.3 ms`.
pub fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        n if n < 9.95 => return format!("{n:.1} ns"),
        n if n < 999.5 => return format!("{n:.0} ns"),
        n if n < 999.5e3 => (n / 1e3, "us"),
        n if n < 999.5e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let places = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.places$} {unit}")
}

/// Whole nanoseconds as people read them.
#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn time_of(nanoseconds: u64) -> String {
    if nanoseconds == 0 { "0 ns".to_owned() } else { time(nanoseconds as f64) }
}

/// A whole number with its thousands apart: 1,234,567.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The percentiles of the tables: key in the record, and how it is written.
pub const SHOWN: [(&str, &str); 6] = [
    ("p50", "p50"),
    ("p90", "p90"),
    ("p99", "p99"),
    ("p999", "p99.9"),
    ("p9999", "p99.99"),
    ("max", "max"),
];

/// Reasons for which a run is void that are told; the record has all.
pub(crate) const REASONS: usize = 6;

/// The record as a table for a terminal.
pub fn table(record: &Record) -> String {
    let mut out = String::new();
    let (config, wire) = (&record.config, &record.wire);
    let _ = writeln!(
        out,
        "{} requests a second, {}, over {} {} sessions; {} rounds of {} ms; venue {}",
        grouped(config.rate),
        config.arrivals,
        config.sessions,
        config.protocol,
        config.rounds,
        config.milliseconds / config.rounds.max(1),
        config.venue,
    );
    let _ = writeln!(out, "{}\n", config.layout);
    let _ = writeln!(
        out,
        "{:<10}{:>12}{:>12}{:>8}   {:<26}{:<26}",
        "latency", "venue", "floor", "ratio", "venue, least to most", "floor, least to most"
    );
    for (key, name) in SHOWN {
        let get = |name: String| record.figures.get(&name).cloned().unwrap_or_default();
        let (venue, floor) = (get(format!("wire.{key}_ns")), get(format!("wire.floor_{key}_ns")));
        let ratio = venue.median / floor.median.max(1.0);
        let range = |least: f64, most: f64| format!("{} to {}", time(least), time(most));
        let _ = writeln!(
            out,
            "{name:<10}{:>12}{:>12}{ratio:>8.2}   {:<26}{:<26}",
            time(venue.median),
            time(floor.median),
            range(venue.least, venue.most),
            range(floor.least, floor.most),
        );
    }
    let _ = writeln!(
        out,
        "\nfrom when each request was due; medians of the rounds. Requests {}, reached {} a second.",
        grouped(wire.requests),
        grouped(wire.reached_per_second)
    );
    let _ = writeln!(
        out,
        "sent after they were due: p50 {}, p99 {}, at most {}",
        time_of(wire.late_p50_ns),
        time_of(wire.late_p99_ns),
        time_of(wire.late_max_ns)
    );
    if !record.hops.is_empty() {
        let _ = writeln!(
            out,
            "\n{:<24}{:>10}{:>10}{:>10}{:>10}{:>10}   spent by",
            "hop", "count", "p50", "p99", "p99.9", "max"
        );
    }
    for hop in &record.hops {
        let p = &hop.percentiles;
        let times = [p.p50, p.p99, p.p999, p.max].map(time_of);
        let [p50, p99, p999, max] = times;
        let (name, thread, count) = (&hop.name, &hop.thread, grouped(p.count));
        let _ =
            writeln!(out, "{name:<24}{count:>10}{p50:>10}{p99:>10}{p999:>10}{max:>10}   {thread}");
    }
    let _ = writeln!(
        out,
        "\nfloors: ring there and back p50 {}, p99 {}; one clock reading {}",
        time_of(wire.ring_floor_p50_ns),
        time_of(wire.ring_floor_p99_ns),
        time(wire.clock_read_ns)
    );
    match &record.stamps {
        Some(stamps) => {
            let _ = writeln!(out, "stamps: {}", stamps.line());
        }
        None if !record.build.stamps => {
            let _ = writeln!(out, "stamps: left out of this build");
        }
        None => {}
    }
    for point in &record.sweep {
        let _ = writeln!(
            out,
            "{:>10} offered, {:>10} reached: p50 {:>8}, p99 {:>8}; floor {:>8}, {:>8}{}",
            grouped(point.offered),
            grouped(point.reached),
            time_of(point.venue.p50),
            time_of(point.venue.p99),
            time_of(point.floor.p50),
            time_of(point.floor.p99),
            point.void.as_ref().map_or(String::new(), |void| format!("  void: {void}"))
        );
    }
    if let Some(knee) = record.knee {
        let _ = writeln!(out, "the knee: {} requests a second are held", grouped(knee));
    }
    if record.noise.noisy {
        let _ = writeln!(out, "\nnoisy: {}", record.noise.why.join("; "));
    }
    for reason in wire.void_reasons.iter().take(REASONS) {
        let _ = writeln!(out, "VOID: {reason}");
    }
    if wire.void_reasons.len() > REASONS {
        let _ = writeln!(out, "and {} more, in the record", wire.void_reasons.len() - REASONS);
    }
    out
}

/// A figure without its fraction.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates")]
pub(crate) fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_at_every_border() {
        let table = [
            (4.2, "4.2 ns"),
            (850.0, "850 ns"),
            (999.7, "1.00 us"),
            (9_996.0, "10.0 us"),
            (99_960.0, "100 us"),
            (12_345_678.0, "12.3 ms"),
            (2.1e9, "2.10 s"),
        ];
        for (nanoseconds, text) in table {
            assert_eq!(time(nanoseconds), text);
        }
        assert_eq!((time_of(0), grouped(1_234_567)), ("0 ns".to_owned(), "1,234,567".to_owned()));
    }
}
