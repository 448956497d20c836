//! When requests are due. A schedule is made before anything is sent and does not change: what is
//! measured against it cannot be late without that being seen.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use thiserror::Error;

/// Requests of one round at most: their times are kept.
pub const REQUESTS_MAX: u64 = 4_000_000;

const SECOND: u64 = 1_000_000_000;

/// How requests are spread over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// One every so often.
    Constant,
    /// Each independent of all others: exponential gaps.
    Poisson,
    /// So many at once, then a pause that keeps the rate.
    Bursts {
        /// Requests that are due at the same time.
        size: u32,
    },
    /// The times of a recording, in nanoseconds from its first, rising; stretched to the rate, and begun
    /// anew where they are over.
    Recorded(Vec<u64>),
}

/// Why there is no schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// Nothing would be sent.
    #[error(
        "at {rate} a second, {nanoseconds} ns hold no request; give a higher rate or more time"
    )]
    Empty {
        /// Requests a second.
        rate: u64,
        /// How long.
        nanoseconds: u64,
    },
    /// More than can be kept.
    #[error(
        "{requests} requests in a round are more than {REQUESTS_MAX}; give a lower rate, fewer seconds \
         or more rounds"
    )]
    TooMany {
        /// How many.
        requests: u64,
    },
    /// The recording has fewer than two times.
    #[error("a recording with fewer than two arrival times says nothing of their spacing")]
    TooShort,
}

impl Arrivals {
    /// Nanoseconds from the begin at which requests are due, rising, `rate` a second on average for
    /// so long.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub fn schedule(
        &self,
        rate: u64,
        nanoseconds: u64,
        seed: u64,
    ) -> Result<Vec<u64>, ScheduleError> {
        let requests = u128::from(rate) * u128::from(nanoseconds) / u128::from(SECOND);
        let requests = u64::try_from(requests).unwrap_or(u64::MAX);
        if requests == 0 {
            return Err(ScheduleError::Empty { rate, nanoseconds });
        }
        if requests > REQUESTS_MAX {
            return Err(ScheduleError::TooMany { requests });
        }
        let even = |nth: u64| to_u64(u128::from(nth) * u128::from(SECOND) / u128::from(rate));
        match self {
            Self::Constant => Ok((0..requests).map(even).collect()),
            Self::Bursts { size } => {
                let size = u64::from((*size).max(1));
                Ok((0..requests).map(|nth| even(nth / size * size)).collect())
            }
            Self::Poisson => Ok(poisson(rate, nanoseconds, seed)),
            Self::Recorded(times) => recorded(times, rate, nanoseconds, requests),
        }
    }

    /// One or two words for it.
    pub fn name(&self) -> String {
        match self {
            Self::Constant => "constant".to_owned(),
            Self::Poisson => "poisson".to_owned(),
            Self::Bursts { size } => format!("bursts of {size}"),
            Self::Recorded(times) => format!("recorded, {} times", times.len()),
        }
    }
}

fn to_u64(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn poisson(rate: u64, nanoseconds: u64, seed: u64) -> Vec<u64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    #[allow(clippy::cast_precision_loss, reason = "gaps of nanoseconds")]
    let (mean, end) = (1e9 / rate as f64, nanoseconds as f64);
    let mut times = Vec::new();
    let mut at = 0.0_f64;
    while times.len() < usize::try_from(2 * REQUESTS_MAX).unwrap_or(usize::MAX) {
        // In (0, 1]: the logarithm of 0 is left out.
        #[allow(clippy::cast_precision_loss, reason = "53 bits are kept")]
        let uniform = ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        at -= mean * uniform.ln();
        if at >= end {
            break;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below the end"
        )]
        times.push(at as u64);
    }
    times
}

fn recorded(
    times: &[u64],
    rate: u64,
    nanoseconds: u64,
    requests: u64,
) -> Result<Vec<u64>, ScheduleError> {
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
        return Err(ScheduleError::TooShort);
    };
    let gaps = u128::try_from(times.len() - 1).unwrap_or(0);
    if gaps == 0 || last <= first {
        return Err(ScheduleError::TooShort);
    }
    // One pass over the recording is stretched so that it has the rate, and takes one gap more than
    // it has, so that the next begins where it would go on.
    let length = u128::from(last - first);
    let wanted = (gaps + 1) * u128::from(SECOND) / u128::from(rate);
    let scale =
        |time: u64| u128::from(time.saturating_sub(first)) * (wanted * gaps / (gaps + 1)) / length;
    let mut schedule = Vec::with_capacity(usize::try_from(requests).unwrap_or(0));
    for pass in 0.. {
        for &time in times {
            let at = to_u64(pass * wanted + scale(time));
            if at >= nanoseconds || schedule.len() as u64 >= REQUESTS_MAX {
                return Ok(schedule);
            }
            schedule.push(at);
        }
    }
    Ok(schedule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(arrivals: &Arrivals, rate: u64, seconds: u64) -> Vec<u64> {
        arrivals.schedule(rate, seconds * SECOND, 7).expect("a schedule")
    }

    #[test]
    fn every_kind_keeps_the_rate_and_rises() {
        let recorded = Arrivals::Recorded(vec![5, 6, 7, 1_000, 1_001, 9_000]);
        for arrivals in
            [Arrivals::Constant, Arrivals::Poisson, Arrivals::Bursts { size: 32 }, recorded]
        {
            let times = schedule(&arrivals, 50_000, 4);
            let name = arrivals.name();
            assert!(times.len().abs_diff(200_000) < 2_000, "{name}: {}", times.len());
            assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{name}");
            assert!(times.last().is_some_and(|&last| last < 4 * SECOND), "{name}");
        }
    }

    #[test]
    fn each_kind_is_what_its_name_says() {
        let times = schedule(&Arrivals::Constant, 3, 1);
        assert_eq!(times, [0, 333_333_333, 666_666_666], "no error adds up");
        let times = schedule(&Arrivals::Bursts { size: 4 }, 8, 1);
        assert_eq!(times, [0, 0, 0, 0, SECOND / 2, SECOND / 2, SECOND / 2, SECOND / 2]);
        let times = schedule(&Arrivals::Poisson, 10_000, 10);
        let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let longer = gaps.iter().filter(|&&gap| gap > 100_000).count();
        // Of exponential gaps, a part of 1/e is longer than the mean.
        assert!(longer.abs_diff(gaps.len() * 3_679 / 10_000) < 1_000, "{longer} of {}", gaps.len());
        let times = schedule(&Arrivals::Recorded(vec![100, 101, 103]), 3, 2);
        let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps[0] * 2, gaps[1], "the shape of the recording is kept: {gaps:?}");
        assert_eq!(times.len(), 6, "and begins anew: {times:?}");
    }

    #[test]
    fn what_cannot_be_sent_is_said() {
        let error = |rate, nanoseconds| Arrivals::Constant.schedule(rate, nanoseconds, 0).err();
        assert_eq!(error(0, SECOND), Some(ScheduleError::Empty { rate: 0, nanoseconds: SECOND }));
        assert_eq!(
            error(REQUESTS_MAX + 1, SECOND),
            Some(ScheduleError::TooMany { requests: REQUESTS_MAX + 1 })
        );
        let one = Arrivals::Recorded(vec![1]);
        assert_eq!(one.schedule(1, SECOND, 0), Err(ScheduleError::TooShort));
        let same = Arrivals::Recorded(vec![1, 1]);
        assert_eq!(same.schedule(1, SECOND, 0), Err(ScheduleError::TooShort));
    }
}
