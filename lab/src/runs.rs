//! Several runs in a row: how far their medians lie apart.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::record::Record;
use crate::stats::Figure;
use crate::text::time;

/// How far apart the medians of p50 may lie on a quiet machine, as a part of their median.
pub const APART_MAX: f64 = 0.05;

/// The figures that runs are held against each other by.
const SHOWN: [&str; 6] = [
    "wire.p50_ns",
    "wire.p99_ns",
    "wire.floor_p50_ns",
    "wire.floor_p99_ns",
    "hop.engine.p50_ns",
    "hop.engine.p99_ns",
];

/// Runs that were made one after the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Runs {
    /// How many.
    pub runs: usize,
    /// Of each figure the median of every run, in their order.
    pub medians: BTreeMap<String, Figure>,
    /// How far the medians of p50 lie apart, highest less lowest, as a part of their median.
    pub p50_apart: f64,
    /// Runs, from 1 on, whose record says that the machine was noisy.
    pub noisy: Vec<usize>,
    /// Runs that are void.
    pub void: Vec<usize>,
}

impl Runs {
    /// Of these records.
    pub fn of(records: &[Record]) -> Self {
        let medians = SHOWN.iter().filter_map(|name| {
            let of_run = |record: &Record| record.figures.get(*name).map(|figure| figure.median);
            let medians: Option<Vec<_>> = records.iter().map(of_run).collect();
            Some(((*name).to_owned(), Figure::of("ns", medians.filter(|all| !all.is_empty())?)))
        });
        let medians: BTreeMap<_, _> = medians.collect();
        let p50_apart = medians.get("wire.p50_ns").map_or(0.0, apart);
        let numbers = |is: &dyn Fn(&Record) -> bool| {
            let all = records.iter().zip(1..).filter(|(record, _)| is(record));
            all.map(|(_, number)| number).collect()
        };
        Self {
            runs: records.len(),
            p50_apart,
            noisy: numbers(&|record| record.noise.noisy),
            void: numbers(&|record| record.wire.voided),
            medians,
        }
    }

    /// What the runs say of the bound.
    pub fn verdict(&self) -> String {
        let apart = format!("the medians of p50 lie {:.1} % apart", 100.0 * self.p50_apart);
        let list = |numbers: &[usize]| {
            numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let within = self.p50_apart <= APART_MAX;
        let mut text = match (within, self.noisy.is_empty()) {
            (true, _) => format!("{apart}, within 5 %"),
            (false, true) => {
                format!("{apart}, more than 5 %, on a machine that no run calls noisy")
            }
            (false, false) => format!("{apart}, more than 5 %"),
        };
        if !self.noisy.is_empty() {
            let _ = write!(text, "; noisy by their own record: runs {}", list(&self.noisy));
        }
        if !self.void.is_empty() {
            let _ = write!(text, "; void: runs {}", list(&self.void));
        }
        text
    }

    /// The table for a terminal: a row for each figure, and the verdict.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{:<20}{:>10}{:>10}{:>10}{:>8}   each run",
            format!("{} runs", self.runs),
            "median",
            "least",
            "most",
            "apart"
        );
        for (name, figure) in &self.medians {
            let [median, least, most] = [figure.median, figure.least, figure.most].map(time);
            let each: Vec<_> = figure.rounds.iter().map(|value| time(*value)).collect();
            let apart = format!("{:.1} %", 100.0 * apart(figure));
            let each = each.join(", ");
            let _ = writeln!(out, "{name:<20}{median:>10}{least:>10}{most:>10}{apart:>8}   {each}");
        }
        let _ = writeln!(out, "{}", self.verdict());
        out
    }
}

/// How far the values lie apart, as a part of their median.
fn apart(figure: &Figure) -> f64 {
    if figure.median > 0.0 { (figure.most - figure.least) / figure.median } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(p50: f64, noisy: bool) -> Record {
        let mut record = Record::default();
        record.figures.insert("wire.p50_ns".to_owned(), Figure::of("ns", vec![p50]));
        record.noise.noisy = noisy;
        record
    }

    #[test]
    fn runs_are_within_five_percent_or_say_why_not() {
        let near = Runs::of(&[10_000.0, 10_100.0, 10_400.0].map(|p50| record(p50, false)));
        assert!((near.p50_apart - 400.0 / 10_100.0).abs() < 1e-12);
        assert_eq!(near.verdict(), "the medians of p50 lie 4.0 % apart, within 5 %");
        let table = near.table();
        assert!(table.contains("10.1 us") && !table.contains("hop.engine"), "{table}");
        let mut far = [record(10_000.0, false), record(12_000.0, true), record(10_000.0, false)];
        far[2].wire.voided = true;
        let far = Runs::of(&far);
        assert!(
            far.verdict()
                .ends_with("more than 5 %; noisy by their own record: runs 2; void: runs 3")
        );
        let silent = Runs::of(&[record(10_000.0, false), record(12_000.0, false)]);
        assert!(silent.verdict().contains("no run calls noisy"), "{}", silent.verdict());
        assert_eq!(Runs::of(&[]).p50_apart, 0.0);
    }
}
