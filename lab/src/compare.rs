//! Two records side by side, each difference with how likely chance alone would make it.

use std::fmt::Write as _;

use serde::Serialize;

use crate::record::Record;
use crate::text::time;

/// A difference with at most this chance is called one.
pub const LEVEL: f64 = 0.05;

/// One figure of both records.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// The first record's median.
    pub first: f64,
    /// The second record's median.
    pub second: f64,
    /// The second over the first.
    pub ratio: f64,
    /// The chance that rounds of the same thing differ so much or more: two-sided Mann-Whitney U test.
    pub p: f64,
    /// Whether that is below [`LEVEL`].
    pub significant: bool,
}

/// Every figure that both records have.
pub fn differences(first: &Record, second: &Record) -> Vec<Difference> {
    let both = first
        .figures
        .iter()
        .filter_map(|(name, figure)| Some((name, figure, second.figures.get(name)?)));
    both.map(|(name, a, b)| {
        let p = mann_whitney(&a.rounds, &b.rounds);
        Difference {
            name: name.clone(),
            unit: a.unit.clone(),
            first: a.median,
            second: b.median,
            ratio: if a.median == 0.0 { 0.0 } else { b.median / a.median },
            p,
            significant: p < LEVEL,
        }
    })
    .collect()
}

/// What differs between the runs besides their figures; one line each.
pub fn circumstances(first: &Record, second: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differ = |name: &str, a: &str, b: &str| {
        if a != b {
            lines.push(format!("{name}: {a} | {b}"));
        }
    };
    let (a, b) = (&first.machine, &second.machine);
    differ("processor", &a.processor, &b.processor);
    differ("cores", &a.cores.to_string(), &b.cores.to_string());
    differ("kernel", &a.kernel, &b.kernel);
    differ("scheduling", &a.scheduling, &b.scheduling);
    let (a, b) = (&first.build, &second.build);
    differ("commit", &a.commit, &b.commit);
    differ("profile", &a.profile, &b.profile);
    differ("stamps compiled in", &a.stamps.to_string(), &b.stamps.to_string());
    let (a, b) = (&first.config, &second.config);
    differ("rate", &a.rate.to_string(), &b.rate.to_string());
    differ("arrivals", &a.arrivals, &b.arrivals);
    differ("sessions", &a.sessions.to_string(), &b.sessions.to_string());
    differ("protocol", &a.protocol, &b.protocol);
    differ("mix", &a.mix, &b.mix);
    differ("open orders at most", &a.open_max.to_string(), &b.open_max.to_string());
    differ(
        "round, ms",
        &(a.milliseconds / a.rounds.max(1)).to_string(),
        &(b.milliseconds / b.rounds.max(1)).to_string(),
    );
    differ("layout", &a.layout, &b.layout);
    for (name, record) in [("first", first), ("second", second)] {
        if record.wire.voided {
            lines.push(format!("the {name} run is void: its figures do not count"));
        }
        if record.noise.noisy {
            lines.push(format!("the {name} run was noisy: {}", record.noise.why.join("; ")));
        }
    }
    lines
}

/// The comparison as a table for a terminal; without `all`, the figures that say most.
pub fn table(first: &Record, second: &Record, all: bool) -> String {
    let shown = |name: &str| {
        let tail = ["max_ns", "p9999_ns", "p999_ns", "p999_ratio", "p90_ns", "p90_ratio"];
        all || !(tail.iter().any(|end| name.ends_with(end)) || name.contains("late_"))
    };
    let mut out = String::new();
    for line in circumstances(first, second) {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(
        out,
        "{:<36}{:>12}{:>12}{:>9}{:>9}",
        "figure (median of rounds)", "first", "second", "ratio", "p"
    );
    for difference in differences(first, second).iter().filter(|d| shown(&d.name)) {
        let Difference { name, unit, first, second, ratio, p, significant } = difference;
        let value = |value: f64| match unit.as_str() {
            "ns" => time(value),
            "ratio" => format!("{value:.3}"),
            _ => format!("{value:.0}"),
        };
        let mark = if *significant { "" } else { "  no difference that the noise leaves" };
        let (first, second) = (value(*first), value(*second));
        let _ = writeln!(out, "{name:<36}{first:>12}{second:>12}{ratio:>9.3}{p:>9.4}{mark}");
    }
    out
}

/// The two-sided p-value of the Mann-Whitney U test. Exact, by counting, where the rounds are few and
/// no two are equal; otherwise by the normal approximation with the correction for ties and for
/// continuity. 1 where a side has no rounds.
#[allow(clippy::cast_precision_loss, reason = "counts of rounds")]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    let (n, m) = (a.len(), b.len());
    if n == 0 || m == 0 {
        return 1.0;
    }
    let mut u = 0.0_f64;
    for x in a {
        for y in b {
            u += match x.total_cmp(y) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    let mut pool: Vec<f64> = a.iter().chain(b).copied().collect();
    pool.sort_by(f64::total_cmp);
    let ties: Vec<usize> = pool.chunk_by(|x, y| x == y).map(<[f64]>::len).collect();
    let (n_real, m_real) = (n as f64, m as f64);
    let u = u.min(n_real * m_real - u);
    if ties.iter().all(|&tie| tie == 1) && n.max(m) <= 30 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole count"
        )]
        return exact(n, m, u as usize);
    }
    let total = n_real + m_real;
    let tied: f64 = ties.iter().map(|&tie| (tie as f64).powi(3) - tie as f64).sum();
    let variance = n_real * m_real / 12.0 * (total + 1.0 - tied / (total * (total - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (n_real * m_real / 2.0 - u - 0.5).max(0.0) / variance.sqrt();
    (2.0 * normal_tail(z)).min(1.0)
}

/// The chance of a U of at most `u`, doubled, where all orders are equally likely.
#[allow(clippy::cast_precision_loss, reason = "counts of rounds")]
fn exact(n: usize, m: usize, u: usize) -> f64 {
    // Ways to reach each U with i of the one side and j of the other, one row of i at a time.
    let mut ways = vec![vec![0.0_f64; n * m + 1]; m + 1];
    ways.iter_mut().for_each(|of| of[0] = 1.0);
    for i in 1..=n {
        for j in 1..=m {
            let mut next = vec![0.0; n * m + 1];
            for total in 0..=i * j {
                // The last in order is of the one side, and beats all j of the other, or of the other.
                let one = if total >= j { ways[j][total - j] } else { 0.0 };
                next[total] = one + ways[j - 1][total];
            }
            ways[j] = next;
        }
    }
    let all: f64 = ways[m].iter().sum();
    let low: f64 = ways[m][..=u.min(n * m)].iter().sum();
    (2.0 * low / all).min(1.0)
}

/// The part of a normal distribution beyond `z`, at least 0: Abramowitz and Stegun 26.2.17, to 7 places.
fn normal_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let sum = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(told: f64, truth: f64) {
        assert!((told - truth).abs() < 1e-4, "{told}, in truth {truth}");
    }

    #[test]
    fn chances_are_those_of_counting() {
        // 3 against 3, wholly apart: 2 of 20 orders.
        close(mann_whitney(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), 0.1);
        // 5 against 5, wholly apart: 2 of 252.
        close(mann_whitney(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]), 2.0 / 252.0);
        // 2 against 2 with U of 1: orders with U of at most 1 are 2 of 6, twice that.
        close(mann_whitney(&[1.0, 3.0], &[2.0, 4.0]), 4.0 / 6.0);
        assert_eq!(mann_whitney(&[], &[1.0]), 1.0);
        assert_eq!(mann_whitney(&[2.0, 2.0], &[2.0, 2.0]), 1.0);
    }

    #[test]
    fn counting_and_the_approximation_agree_where_both_can_be() {
        let a: Vec<f64> = (0..20).map(|n| f64::from(n) * 1.01).collect();
        let b: Vec<f64> = (0..20).map(|n| f64::from(n) + 4.3).collect();
        let counted = mann_whitney(&a, &b);
        // A tie makes it the approximation.
        let mut tied = b.clone();
        tied[19] = tied[18];
        let told = mann_whitney(&a, &tied);
        assert!((counted - told).abs() < 0.01, "{counted} and {told}");
    }

    #[test]
    fn sides_can_be_exchanged_and_shifts_are_found() {
        let a: Vec<f64> = (0..10).map(f64::from).collect();
        let b: Vec<f64> = a.iter().map(|x| x + 0.5).collect();
        assert_eq!(mann_whitney(&a, &b), mann_whitney(&b, &a));
        assert!(mann_whitney(&a, &b) > LEVEL);
        let far: Vec<f64> = a.iter().map(|x| x + 8.5).collect();
        assert!(mann_whitney(&a, &far) < 0.001);
    }
}
