//! What it costs a venue to be followed: rounds with a follower beside it, and without, in pairs.

use serde::{Deserialize, Serialize};

use crate::stats::{Figure, Percentiles};
use crate::text::time;

/// How many times as long p99 may be.
pub const P99_MAX: f64 = 1.03;

/// Rounds with `spindle top` and without.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    /// Frames that it drew in the rounds with it: without any, it followed nothing.
    pub frames: u64,
    /// p50 with it, in nanoseconds.
    pub with_p50: Figure,
    /// p50 without.
    pub without_p50: Figure,
    /// p99 with it.
    pub with_p99: Figure,
    /// p99 without.
    pub without_p99: Figure,
    /// p50 with it over p50 without, pair by pair.
    pub p50_ratio: Figure,
    /// The same of p99.
    pub p99_ratio: Figure,
}

impl Followed {
    /// From pairs of rounds that count, with the follower and without; `None` where there are none.
    pub fn of(pairs: &[(Percentiles, Percentiles)], frames: u64) -> Option<Self> {
        if pairs.is_empty() {
            return None;
        }
        let figure = |value: &dyn Fn(&(Percentiles, Percentiles)) -> u64| {
            Figure::of_whole("ns", pairs.iter().map(value))
        };
        let (with_p50, without_p50) = (figure(&|pair| pair.0.p50), figure(&|pair| pair.1.p50));
        let (with_p99, without_p99) = (figure(&|pair| pair.0.p99), figure(&|pair| pair.1.p99));
        let p50_ratio = Figure::ratio(&with_p50, &without_p50);
        let p99_ratio = Figure::ratio(&with_p99, &without_p99);
        Some(Self { frames, with_p50, without_p50, with_p99, without_p99, p50_ratio, p99_ratio })
    }

    /// What the run says of the bound on p99.
    pub fn verdict(&self) -> &'static str {
        match self.p99_ratio.keeps(P99_MAX) {
            _ if self.frames == 0 => "it drew nothing, so nothing is said",
            Some(true) => "at most 3 % more, as it must be",
            Some(false) => "more than the 3 % that it may be",
            None => "the pairs lie too far apart to tell it from 3 %",
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let (low, high) = self.p99_ratio.middle_half();
        format!(
            "p50 {} with it and {} without: {:.3}; p99 {} and {}: {:.3} ({low:.3} to {high:.3} in the middle half \
             of {} pairs): {}; {} frames",
            time(self.with_p50.median),
            time(self.without_p50.median),
            self.p50_ratio.median,
            time(self.with_p99.median),
            time(self.without_p99.median),
            self.p99_ratio.median,
            self.p99_ratio.rounds.len(),
            self.verdict(),
            self.frames
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_is_judged_by_the_middle_half_of_its_pairs() {
        let pairs = |with: [u64; 5]| {
            let of = |p99| Percentiles { p50: 10_000, p99, ..Percentiles::default() };
            with.map(|p99| (of(p99), of(100_000)))
        };
        let kept = pairs([99_000, 100_000, 101_000, 102_000, 400_000]);
        let followed = Followed::of(&kept, 5).expect("pairs");
        assert_eq!((followed.p99_ratio.median, followed.p50_ratio.median), (1.01, 1.0));
        assert!(followed.line().contains("as it must be; 5 frames"), "{}", followed.line());
        assert!(Followed::of(&kept, 0).expect("pairs").verdict().contains("drew nothing"));
        let broken = Followed::of(&pairs([104_000, 105_000, 105_000, 106_000, 90_000]), 1);
        assert_eq!(broken.expect("pairs").verdict(), "more than the 3 % that it may be");
        let unclear = Followed::of(&pairs([90_000, 100_000, 101_000, 110_000, 120_000]), 1);
        assert!(unclear.expect("pairs").verdict().contains("too far apart"));
        assert_eq!(Followed::of(&[], 1), None);
    }
}
