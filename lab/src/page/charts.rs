//! The pictures of a record.

use std::fmt::Write as _;

use super::plot::{Plot, SIZES, Scale, Size, round_ticks, short_rate};
use crate::record::Record;
use crate::text::{time, time_of, whole};

#[allow(clippy::cast_precision_loss, reason = "pixels")]
const fn real(value: u64) -> f64 {
    value as f64
}

fn both(draw: impl Fn(Size) -> String) -> String {
    SIZES.map(draw).concat()
}

/// Percentile curves of venue and floor.
pub(super) fn percentiles(record: &Record) -> String {
    let nines = |percentile: f64| -(1.0 - percentile / 100.0).max(1e-9).log10();
    let values = record.curves.iter().flat_map(|curve| curve.points.iter().map(|p| real(p.1)));
    let y = Scale::decades(values);
    let last = record.curves.iter().flat_map(|curve| curve.points.iter());
    let last = last.map(|point| point.0).filter(|p| *p < 100.0).map(nines).fold(2.0, f64::max);
    both(|size| {
        let title = "Latency of venue and floor by percentile, logarithmic";
        let mut plot = Plot::new(size, title, Scale::Linear(0.0, last.max(2.05)), y);
        plot.times();
        let ticks = [
            (50.0, "50 %"),
            (90.0, "90"),
            (99.0, "99"),
            (99.9, "99.9"),
            (99.99, "99.99"),
            (99.999, "99.999"),
        ];
        let ticks: Vec<_> = ticks
            .into_iter()
            .map(|(p, text)| (nines(p), text.to_owned()))
            .filter(|tick| tick.0 <= last + 0.01)
            .collect();
        let label = match plot.is_narrow() {
            true => "percentile",
            false => "percentile: so many of a hundred requests were at most so late",
        };
        plot.across(&ticks, label);
        for curve in record.curves.iter().rev() {
            let points: Vec<_> =
                curve.points.iter().map(|&(p, ns)| (nines(p).min(last), real(ns))).collect();
            plot.line(&curve.name, &points);
            plot.dots(&curve.name, points.last().map_or(&[], std::slice::from_ref), 3.5);
        }
        plot.finish()
    })
}

/// Latency over the time of the run.
pub(super) fn over_time(record: &Record) -> String {
    let slots = &record.over_time;
    let y = Scale::decades(slots.iter().flat_map(|slot| [real(slot.p50), real(slot.max)]));
    let end = real(record.config.milliseconds.max(1)) / 1e3;
    both(|size| {
        let title = "Latency over the time of the run: p50, p99 and the longest of each part";
        let mut plot = Plot::new(size, title, Scale::Linear(0.0, end), y);
        plot.times();
        let steps = if plot.is_narrow() { 4 } else { 8 };
        let ticks = round_ticks(end, steps).into_iter();
        let ticks: Vec<_> = ticks.map(|at| (at, short_seconds(at))).collect();
        plot.across(&ticks, "measured seconds, one round after the other");
        let round = end / real(record.config.rounds.max(1));
        for nth in 1..record.config.rounds {
            plot.mark("round", round * real(nth), "");
        }
        let at = |value: fn(&crate::record::Slot) -> u64| -> Vec<_> {
            slots.iter().map(|slot| (real(slot.at_ms) / 1e3, real(value(slot)))).collect()
        };
        plot.dots("venue faint", &at(|slot| slot.max), 2.0);
        plot.line("venue thin", &at(|slot| slot.p99));
        plot.line("venue", &at(|slot| slot.p50));
        plot.finish()
    })
}

fn short_seconds(at: f64) -> String {
    let text = format!("{at:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Latency against offered load.
pub(super) fn load(record: &Record) -> String {
    let points = &record.sweep;
    let values = points.iter().flat_map(|p| [p.venue.p50, p.venue.p99, p.floor.p50, p.floor.p99]);
    let y = Scale::decades(values.map(real));
    let most = points.iter().map(|point| point.offered).max().unwrap_or(1);
    both(|size| {
        let title = "Latency against offered load, venue and floor, with the knee";
        let mut plot = Plot::new(size, title, Scale::Linear(0.0, real(most) * 1.04), y);
        plot.times();
        let steps = if plot.is_narrow() { 3 } else { 6 };
        let ticks: Vec<_> = round_ticks(real(most), steps)
            .into_iter()
            .map(|rate| (rate, short_rate(whole(rate))))
            .collect();
        plot.across(&ticks, "requests a second that were due");
        if let Some(knee) = record.knee {
            plot.mark("knee", real(knee), &format!("the knee: {}", short_rate(knee)));
        }
        let of = |value: fn(&crate::record::SweepPoint) -> u64| -> Vec<_> {
            points.iter().map(|point| (real(point.offered), real(value(point)))).collect()
        };
        plot.line("floor thin", &of(|p| p.floor.p99));
        plot.line("floor", &of(|p| p.floor.p50));
        plot.line("venue thin", &of(|p| p.venue.p99));
        plot.line("venue", &of(|p| p.venue.p50));
        plot.dots("venue", &of(|p| p.venue.p50), 3.0);
        plot.dots("venue faint", &of(|p| p.venue.p99), 3.0);
        plot.finish()
    })
}

/// The parts of an order's way, without sums and without the market's own hops.
pub(super) fn parts(record: &Record) -> Vec<(&str, u64, u64)> {
    const MARKET: [&str; 2] = ["receive", "book"];
    let part = |hop: &&crate::record::Hop| {
        hop.thread != "sum" && (record.config.tick_to_trade || !MARKET.contains(&hop.name.as_str()))
    };
    let hops = record.hops.iter().filter(part);
    hops.map(|hop| (hop.name.as_str(), hop.percentiles.p50, hop.percentiles.p99)).collect()
}

/// Each hop as a part of a bar, at p50 and at p99.
pub(super) fn hops(record: &Record) -> String {
    let parts = parts(record);
    let sums = [parts.iter().map(|p| p.1).sum::<u64>(), parts.iter().map(|p| p.2).sum()];
    both(|size| {
        let mut svg = String::new();
        let height = 132.0;
        let _ = write!(
            svg,
            "<svg class=\"plot {}\" viewBox=\"0 0 {} {height}\" role=\"img\" \
             aria-label=\"Each hop's part at p50 and at p99\">",
            size.class, size.width
        );
        for (row, name) in ["p50", "p99"].into_iter().enumerate() {
            let (sum, top) = (sums[row].max(1), 8.0 + 62.0 * if row == 0 { 0.0 } else { 1.0 });
            let (label_y, bar_y) = (top + 12.0, top + 18.0);
            let _ = write!(
                svg,
                "<text class=\"axis\" x=\"0\" y=\"{label_y}\">{name} of each hop; together {}</text>",
                time_of(sum)
            );
            let mut x = 0.0;
            for (nth, (hop, p50, p99)) in parts.iter().enumerate() {
                let value = if row == 0 { *p50 } else { *p99 };
                let width = size.width * real(value) / real(sum);
                let _ = write!(
                    svg,
                    "<g class=\"seg\"><title>{hop}: {}</title><rect x=\"{x:.1}\" y=\"{bar_y}\" \
                     width=\"{width:.1}\" height=\"30\" style=\"fill:var(--h{})\"/>",
                    time_of(value),
                    nth % 9
                );
                #[allow(clippy::cast_precision_loss, reason = "pixels")]
                let needs = hop.len() as f64 * 6.6 + 8.0;
                if width > needs {
                    let (middle, y) = (x + width / 2.0, bar_y + 19.5);
                    let _ = write!(
                        svg,
                        "<text x=\"{middle:.1}\" y=\"{y}\" text-anchor=\"middle\">{hop}</text>"
                    );
                }
                svg.push_str("</g>");
                x += width;
            }
        }
        svg.push_str("</svg>");
        svg
    })
}

/// What one sentence says of the run.
pub(super) fn verdict(record: &Record) -> String {
    let wire = &record.wire;
    format!(
        "Half of the answers came within {} of when the request was due, 99 of 100 within {}. A bare echo \
         over the same sockets and threads needed {} and {}: the venue takes {:.2} and {:.2} times as long.",
        time_of(wire.p50_ns),
        time_of(wire.p99_ns),
        time_of(wire.floor_p50_ns),
        time_of(wire.floor_p99_ns),
        wire.p50_ratio,
        wire.p99_ratio
    )
}

/// The spread of a figure over its rounds.
pub(super) fn range(least: f64, most: f64) -> String {
    format!("{} to {}", time(least), time(most))
}
