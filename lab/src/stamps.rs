//! What stamping every hop costs of the throughput.

use serde::{Deserialize, Serialize};

use crate::stats::Figure;
use crate::text::{grouped, time, whole};

/// The part of the throughput that stamps may cost.
pub const COST_MAX: f64 = 0.05;

/// What stamping costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stamps {
    /// One stamp, in nanoseconds.
    pub one_ns: f64,
    /// Stamps on the way of one request and its answer.
    pub per_request: u64,
    /// Requests a second with stamps, as fast as answers come.
    pub with: Figure,
    /// The same without.
    pub without: Figure,
    /// The part of the throughput that stamps cost: the median over pairs of rounds.
    pub cost: f64,
    /// The same of each pair of rounds; its middle half says how far the machine's noise reaches.
    #[serde(default)]
    pub pairs: Figure,
}

impl Stamps {
    /// From pairs of rounds, with stamps and without, in requests a second. A pair of which a round did not come to its end,
    /// whose rate is then 0, counts for nothing; `None` where no pair is left.
    #[allow(clippy::cast_precision_loss, reason = "rates far below 2^52")]
    pub fn of(one_ns: f64, per_request: u64, pairs: &[(u64, u64)]) -> Option<Self> {
        let whole = pairs.iter().filter(|(with, without)| *with > 0 && *without > 0);
        let (with, without): (Vec<_>, Vec<_>) = whole.copied().unzip();
        if with.is_empty() {
            return None;
        }
        let costs = with.iter().zip(&without).map(|(with, without)| {
            let (with, without) = (*with as f64, *without as f64);
            1.0 - with / without
        });
        let pairs = Figure::of("ratio", costs.collect());
        let [with, without] = [with, without].map(|rounds| Figure::of_whole("1/s", rounds));
        Some(Self { one_ns, per_request, with, without, cost: pairs.median, pairs })
    }

    /// What the run says of the bound: kept, broken, or that the pairs lie too far apart to tell.
    pub fn verdict(&self) -> &'static str {
        match self.pairs.keeps(COST_MAX) {
            Some(true) => "at most 5 %, as it must be",
            Some(false) => "more than the 5 % that it may be",
            None => "the pairs lie too far apart to tell it from 5 %",
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let (low, high) = self.pairs.middle_half();
        let percent = |part: f64| format!("{:.1}", 100.0 * part);
        format!(
            "{} a request at {} each, in the figures; {} requests a second with them, {} without: {} % of \
             throughput ({} to {} in the middle half of {} pairs): {}",
            self.per_request,
            time(self.one_ns),
            grouped(whole(self.with.median)),
            grouped(whole(self.without.median)),
            percent(self.cost),
            percent(low),
            percent(high),
            self.pairs.rounds.len(),
            self.verdict()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(u64, u64)]) -> Stamps {
        Stamps::of(10.0, 9, pairs).expect("pairs")
    }

    #[test]
    fn the_cost_is_the_median_of_the_pairs() {
        // Throughput falls to half between the pairs; within each, stamps take 2, 3 and 4 of a hundred.
        let stamps = of(&[(98_000, 100_000), (48_500, 50_000), (96_000, 100_000)]);
        assert!((stamps.cost - 0.03).abs() < 1e-12, "{}", stamps.cost);
        assert_eq!((stamps.with.median, stamps.without.median), (96_000.0, 100_000.0));
        let text = stamps.line();
        assert!(text.contains("3.0 % of throughput") && text.contains("of 3 pairs"), "{text}");
    }

    #[test]
    fn a_round_that_did_not_end_takes_its_pair_with_it() {
        let stamps = of(&[(98_000, 100_000), (0, 100_000), (98_000, 0)]);
        assert_eq!((stamps.pairs.rounds.len(), stamps.with.rounds.len()), (1, 1));
        assert_eq!(Stamps::of(10.0, 9, &[(0, 5), (5, 0)]), None);
        assert_eq!(Stamps::of(10.0, 9, &[]), None);
    }

    #[test]
    fn the_bound_is_kept_or_broken_only_where_the_pairs_say_so() {
        let pairs = |costs: [u64; 8]| costs.map(|cost| (1_000 - cost, 1_000));
        let kept = of(&pairs([10, 20, 20, 30, 30, 40, 40, 50]));
        assert_eq!(kept.verdict(), "at most 5 %, as it must be");
        let broken = of(&pairs([40, 60, 60, 70, 70, 80, 80, 90]));
        assert_eq!(broken.verdict(), "more than the 5 % that it may be");
        let unclear = of(&pairs([0, 10, 20, 30, 50, 60, 70, 90]));
        assert!(unclear.verdict().contains("too far apart"), "{}", unclear.line());
    }
}
