//! Which rates a sweep takes, and where the knee is.

use crate::record::SweepPoint;
use crate::stats::Percentiles;

/// The knee is left behind where p99 is more than so many times that of the lowest rate.
const P99_TIMES: u64 = 5;

/// Steps that narrow the knee down once a rate beyond it is known.
const NARROWING: usize = 3;

/// Rates of a sweep at most.
const POINTS_MAX: usize = 16;

/// Whether a rate was held: it counts, and its p99 is of the order of the lowest rate's.
fn held(point: &SweepPoint, lowest: &SweepPoint) -> bool {
    point.void.is_none() && point.venue.p99 <= P99_TIMES * lowest.venue.p99.max(1)
}

/// Whether a rate was held beside those that were measured before; the lowest of all is what its p99 is held against.
pub fn is_held(point: &SweepPoint, before: &[SweepPoint]) -> bool {
    let first = before.iter().chain([point]).min_by_key(|point| point.offered);
    first.is_none_or(|first| held(point, first))
}

/// Of two measurements of one rate the one that disturbances have spoilt less: they make nothing better.
pub fn better(one: SweepPoint, other: SweepPoint) -> SweepPoint {
    match (&one.void, &other.void) {
        (Some(_), None) => other,
        (None, Some(_)) => one,
        _ if other.venue.p99 < one.venue.p99 => other,
        _ => one,
    }
}

/// Why a rate does not count: the first reason, where most of its rounds have one.
pub fn void_of(rounds: &[Option<String>]) -> Option<String> {
    let void = rounds.iter().flatten().count();
    let first = rounds.iter().flatten().next();
    first.filter(|_| 2 * void > rounds.len()).cloned()
}

fn lowest(points: &[SweepPoint]) -> Option<&SweepPoint> {
    points.iter().min_by_key(|point| point.offered)
}

/// The rate to be measured next, around `rate`; `None` when the knee is known well enough.
pub fn next(rate: u64, points: &[SweepPoint]) -> Option<u64> {
    let Some(first) = lowest(points) else {
        return Some((rate / 10).max(1));
    };
    if points.len() >= POINTS_MAX {
        return None;
    }
    let broken = points.iter().filter(|point| !held(point, first)).map(|point| point.offered).min();
    let best = points
        .iter()
        .filter(|point| held(point, first) && broken.is_none_or(|broken| point.offered < broken))
        .map(|point| point.offered)
        .max();
    match (best, broken) {
        (Some(best), None) => {
            // A tenth, a quarter, a half, the whole, and by half as much from there on.
            let stations = [rate / 4, rate / 2, rate];
            let station = stations.into_iter().find(|station| *station > best);
            Some(station.unwrap_or(best.saturating_mul(3) / 2))
        }
        (Some(best), Some(broken)) => {
            let beyond = points.iter().filter(|point| !held(point, first)).count();
            let middle = best.midpoint(broken);
            (beyond <= NARROWING && broken - best > best / 10 && middle > best).then_some(middle)
        }
        (None, _) => None,
    }
}

/// The highest rate that was held; `None` where not even the lowest was.
pub fn knee(points: &[SweepPoint]) -> Option<u64> {
    let first = lowest(points)?;
    let broken = points.iter().filter(|point| !held(point, first)).map(|point| point.offered).min();
    points
        .iter()
        .filter(|point| held(point, first) && broken.is_none_or(|broken| point.offered < broken))
        .map(|point| point.offered)
        .max()
}

/// Each percentile's median over rounds.
pub fn median(rounds: &[Percentiles]) -> Percentiles {
    let of = |value: fn(&Percentiles) -> u64| {
        let mut values: Vec<_> = rounds.iter().map(value).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or(0)
    };
    Percentiles {
        count: rounds.iter().map(|round| round.count).sum(),
        p50: of(|p| p.p50),
        p90: of(|p| p.p90),
        p99: of(|p| p.p99),
        p999: of(|p| p.p999),
        p9999: of(|p| p.p9999),
        max: of(|p| p.max),
    }
}

/// Answers a second, from the answers and nanoseconds of each round.
pub fn reached(rounds: impl IntoIterator<Item = (u64, u64)>) -> u64 {
    let (answers, nanoseconds) =
        rounds.into_iter().fold((0_u128, 0_u128), |(a, n), (answers, ns)| {
            (a + u128::from(answers), n + u128::from(ns))
        });
    u64::try_from(answers * 1_000_000_000 / nanoseconds.max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue with one server: what waits in it grows without bound towards its rate.
    fn point(offered: u64, capacity: u64) -> SweepPoint {
        let void = (offered >= capacity).then(|| "the sender fell behind".to_owned());
        let free = capacity.saturating_sub(offered).max(1);
        let p99 = 10_000 * capacity / free;
        let venue = Percentiles { p99, ..Percentiles::default() };
        SweepPoint { offered, void, venue, ..SweepPoint::default() }
    }

    #[test]
    fn a_sweep_closes_in_on_the_knee() {
        for capacity in [3_000, 60_000, 117_000, 400_000] {
            let mut points = Vec::new();
            while let Some(rate) = next(50_000, &points) {
                assert!(
                    points.iter().all(|point: &SweepPoint| point.offered != rate),
                    "{rate} twice"
                );
                points.push(point(rate, capacity));
            }
            assert!(points.len() <= POINTS_MAX);
            let lowest = point(5_000, capacity);
            let truth = (0..capacity).rev().find(|&rate| held(&point(rate, capacity), &lowest));
            match knee(&points) {
                None => assert!(capacity <= 5_000),
                Some(knee) => {
                    let truth = truth.expect("some rate is held");
                    assert!(knee <= truth && 10 * knee > 8 * truth, "{knee}, in truth {truth}");
                }
            }
        }
    }

    #[test]
    fn one_round_that_was_disturbed_makes_no_knee() {
        let why = || Some("the sender fell behind".to_owned());
        assert_eq!(void_of(&[None, why(), None]), None);
        assert_eq!(void_of(&[why(), None, why()]), why());
        assert_eq!((void_of(&[why()]), void_of(&[])), (why(), None));
        let of = |offered, p99, void| {
            let venue = Percentiles { p99, ..Percentiles::default() };
            SweepPoint { offered, void, venue, ..SweepPoint::default() }
        };
        let quiet = || of(5_000, 60, None);
        assert!(is_held(&quiet(), &[]) && !is_held(&of(5_000, 60, why()), &[]));
        let before = [of(1_000, 50, None)];
        assert!(is_held(&quiet(), &before) && !is_held(&of(5_000, 251, None), &before));
        assert_eq!(better(of(5_000, 10, why()), quiet()), quiet());
        assert_eq!(better(quiet(), of(5_000, 10, why())), quiet());
        assert_eq!(better(of(5_000, 70, None), quiet()), quiet());
    }

    #[test]
    fn percentiles_have_their_median_and_rates_their_sum() {
        let of = |p50| Percentiles { p50, count: 1, ..Percentiles::default() };
        let middle = median(&[of(9), of(1), of(5)]);
        assert_eq!((middle.p50, middle.count), (5, 3));
        assert_eq!(reached([(10, 1_000_000_000), (30, 1_000_000_000)]), 20);
        assert_eq!(reached([]), 0);
    }
}
