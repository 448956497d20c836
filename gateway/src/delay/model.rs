//! One model and what is drawn from it.

use std::sync::Arc;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use spindle_types::SessionId;

use super::fixed::{ONE, Powers};

/// No delay is longer: an hour. What is drawn above it becomes it, what is drawn below 0 becomes 0.
pub const LONGEST_NS: u64 = 3_600 * 1_000_000_000;

/// How long something is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// Always as long.
    Constant {
        /// Nanoseconds.
        ns: u64,
    },
    /// Normal: the sum of twelve even draws stands for it, which has the mean and deviation that are
    /// asked for, slightly thinner tails, and nothing beyond six deviations.
    Normal {
        /// Nanoseconds.
        mean_ns: u64,
        /// Nanoseconds.
        deviation_ns: u64,
    },
    /// The median times e to the power of sigma times a normal draw as above.
    LogNormal {
        /// Nanoseconds.
        median_ns: u64,
        /// Millionths.
        sigma: u32,
    },
    /// Measured.
    Measured {
        /// Nanoseconds each; at least one.
        figures: Arc<[u64]>,
        /// Which is next.
        draw: Draw,
    },
}

/// Which of the measured figures is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Draw {
    /// One after the other, and from the first again after the last.
    #[default]
    InOrder,
    /// Any, each as likely.
    Sampled,
}

impl Model {
    /// No delay.
    pub const ZERO: Self = Self::Constant { ns: 0 };

    /// Whether nothing is delayed.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::ZERO
    }
}

impl std::fmt::Display for Model {
    /// `normal, mean 20000 ns, deviation 4000 ns`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Constant { ns: 0 } => write!(f, "none"),
            Self::Constant { ns } => write!(f, "constant, {ns} ns"),
            Self::Normal { mean_ns, deviation_ns } => {
                write!(f, "normal, mean {mean_ns} ns, deviation {deviation_ns} ns")
            }
            Self::LogNormal { median_ns, sigma } => {
                let (whole, millionths) = (sigma / 1_000_000, sigma % 1_000_000);
                let sigma = format!("{whole}.{millionths:06}");
                let sigma = sigma.trim_end_matches('0').trim_end_matches('.');
                write!(f, "log-normal, median {median_ns} ns, sigma {sigma}")
            }
            Self::Measured { figures, draw } => {
                let order = match draw {
                    Draw::InOrder => "in order",
                    Draw::Sampled => "sampled",
                };
                write!(f, "{} measured figures, {order}", figures.len())
            }
        }
    }
}

/// A model that is drawn from.
#[derive(Clone, Debug)]
pub struct Sampler {
    model: Model,
    powers: Option<Powers>,
    random: Xoshiro256PlusPlus,
    drawn: usize,
}

/// The finishing steps of SplitMix64.
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Sampler {
    /// A sampler whose chance follows from the seed, the session and the kind of thing that is sent:
    /// xoshiro256++ seeded with the three mixed by SplitMix64's steps.
    pub fn new(model: Model, seed: u64, session: SessionId, kind: u64) -> Self {
        let mixed = mix(mix(mix(seed) ^ u64::from(session.0)) ^ kind);
        let powers = matches!(model, Model::LogNormal { .. }).then(Powers::new);
        Self { model, powers, random: Xoshiro256PlusPlus::seed_from_u64(mixed), drawn: 0 }
    }

    /// The next delay in nanoseconds. Every draw of a model takes as many random numbers as every
    /// other: none, six, or one.
    pub fn draw(&mut self) -> u64 {
        let delay = match &self.model {
            Model::Constant { ns } => *ns,
            Model::Normal { mean_ns, deviation_ns } => {
                let (mean, deviation) = (i128::from(*mean_ns), i128::from(*deviation_ns));
                let drawn = mean + ((deviation * normal(&mut self.random)) >> 32);
                u64::try_from(drawn.max(0)).unwrap_or(u64::MAX)
            }
            Model::LogNormal { median_ns, sigma } => {
                let exponent = normal(&mut self.random) * i128::from(*sigma) / 1_000_000;
                let powers = self.powers.get_or_insert_with(Powers::new);
                powers.times_exp(*median_ns, exponent)
            }
            Model::Measured { figures, draw } => {
                let count = figures.len().max(1);
                let at = match draw {
                    Draw::InOrder => self.drawn % count,
                    Draw::Sampled => below(self.random.next_u64(), count),
                };
                self.drawn = self.drawn.wrapping_add(1);
                figures.get(at).copied().unwrap_or(0)
            }
        };
        delay.min(LONGEST_NS)
    }
}

/// The high half of a draw times the bound, as everywhere in this program.
#[allow(clippy::cast_possible_truncation, reason = "the product's high half is below bound")]
fn below(drawn: u64, bound: usize) -> usize {
    ((u128::from(drawn) * bound as u128) >> 64) as usize
}

/// A standard normal draw with 32 binary places: twelve even draws of 32 bits, summed, less their mean.
/// The variance of each is 1/12 (of one), so that of the sum is 1.
fn normal(random: &mut Xoshiro256PlusPlus) -> i128 {
    let mut sum = 0_i128;
    for _ in 0..6 {
        let drawn = random.next_u64();
        sum += i128::from(drawn >> 32) + i128::from(drawn & 0xffff_ffff);
    }
    sum - 6 * (ONE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(model: Model, seed: u64, session: u16, count: usize) -> Vec<u64> {
        let mut sampler = Sampler::new(model, seed, SessionId(session), 0);
        (0..count).map(|_| sampler.draw()).collect()
    }

    const NORMAL: Model = Model::Normal { mean_ns: 20_000, deviation_ns: 4_000 };
    const LOG_NORMAL: Model = Model::LogNormal { median_ns: 20_000, sigma: 500_000 };

    #[test]
    fn a_delay_follows_from_seed_session_and_number_alone() {
        for model in [NORMAL, LOG_NORMAL] {
            let drawn = draws(model.clone(), 7, 3, 100);
            assert_eq!(drawn[..50], draws(model.clone(), 7, 3, 50));
            assert_ne!(drawn, draws(model.clone(), 8, 3, 100));
            assert_ne!(drawn, draws(model, 7, 4, 100));
        }
    }

    #[test]
    fn what_was_drawn_once_is_drawn_always() {
        // Worked out from the definitions by another program.
        assert_eq!(draws(NORMAL, 7, 3, 6), GOLDEN[0]);
        assert_eq!(draws(LOG_NORMAL, 7, 3, 6), GOLDEN[1]);
    }

    const GOLDEN: [[u64; 6]; 2] =
        [[18986, 18500, 19292, 18096, 18773, 21440], [17620, 16581, 18307, 15764, 17157, 23946]];

    #[test]
    fn mean_deviation_and_median_are_as_asked_for() {
        let mut drawn = draws(NORMAL, 1, 0, 100_000);
        let mean = drawn.iter().sum::<u64>() / 100_000;
        let square = drawn.iter().map(|drawn| drawn.abs_diff(20_000).pow(2)).sum::<u64>();
        assert!(mean.abs_diff(20_000) < 50, "{mean}");
        assert!((square / 100_000).isqrt().abs_diff(4_000) < 40, "{square}");
        drawn = draws(LOG_NORMAL, 1, 0, 100_000);
        drawn.sort_unstable();
        // Quantiles of a log-normal: the median times e to the power of -sigma, 0 and sigma.
        for (at, wanted) in [(15_866, 12_131), (50_000, 20_000), (84_134, 32_974)] {
            assert!(drawn[at].abs_diff(wanted) < wanted / 50, "{} for {wanted}", drawn[at]);
        }
    }

    #[test]
    fn what_leaves_the_range_is_cut() {
        let wide = Model::Normal { mean_ns: 100, deviation_ns: 10_000 };
        let drawn = draws(wide, 1, 0, 1_000);
        assert!(drawn.contains(&0) && drawn.iter().any(|&drawn| drawn > 100));
        let long = Model::LogNormal { median_ns: LONGEST_NS, sigma: 5_000_000 };
        assert!(draws(long, 1, 0, 1_000).contains(&LONGEST_NS));
    }

    #[test]
    fn measured_figures_come_in_order_or_by_chance() {
        let figures: Arc<[u64]> = [10, 20, 30].into();
        let in_order = Model::Measured { figures: figures.clone(), draw: Draw::InOrder };
        assert_eq!(draws(in_order, 1, 0, 5), [10, 20, 30, 10, 20]);
        let sampled = draws(Model::Measured { figures, draw: Draw::Sampled }, 1, 0, 3_000);
        for figure in [10, 20, 30] {
            let count = sampled.iter().filter(|&&drawn| drawn == figure).count();
            assert!(count.abs_diff(1_000) < 120, "{figure}: {count}");
        }
    }
}
