//! Latency against offered load, rate by rate until the knee.

use std::time::{Duration, Instant};

use spindle_lab::load::Peer as _;
use spindle_lab::machine::{this_thread, waited_ns};
use spindle_lab::record::SweepPoint;
use spindle_lab::schedule::REQUESTS_MAX;
use spindle_lab::stats::Percentiles;
use spindle_lab::sweep;

use super::rounds::{Bench, Round};
use super::wire::{Progress, rounds};
use super::{LabError, Sweep, WireOptions};

/// Rounds at each rate.
const ROUNDS: u64 = 3;

/// Measurements of a rate that is not held, at most.
const TRIES: usize = 3;

/// The part of the time that the engine's or the load's thread may have been without a core in a measurement that says
/// something of the venue.
const WAITED_MAX: f64 = 0.02;

/// Measures at the rates that are wanted, and gives the knee. A rate that was not held is measured again, and counts as not
/// held where it never was: what disturbs a machine makes nothing better. `engine` is the number of the engine's thread.
pub(super) fn sweep_over(
    options: &WireOptions,
    bench: &mut Bench,
    engine: u64,
    progress: Progress<'_>,
) -> Result<(Vec<SweepPoint>, Option<u64>), LabError> {
    let Some(wanted) = &options.sweep else { return Ok((Vec::new(), None)) };
    let mut points: Vec<SweepPoint> = Vec::new();
    loop {
        let next = match wanted {
            Sweep::Rates(rates) => rates.get(points.len()).copied(),
            Sweep::UntilTheKnee => sweep::next(options.rate, &points),
        };
        let nanoseconds = options.milliseconds / options.rounds.max(1) * 1_000_000;
        let Some(rate) = next.filter(|rate| {
            u128::from(*rate) * u128::from(nanoseconds) / 1_000_000_000 <= u128::from(REQUESTS_MAX)
        }) else {
            break;
        };
        let mut point = at(options, bench, engine, rate, progress)?;
        for _ in 1..TRIES {
            if sweep::is_held(&point, &points) || bench.sessions.gone().is_some() {
                break;
            }
            point = sweep::better(point, at(options, bench, engine, rate, progress)?);
        }
        points.push(point);
        if bench.sessions.tally().accepted == 0 || bench.sessions.gone().is_some() {
            break;
        }
    }
    points.sort_by_key(|point| point.offered);
    let knee = sweep::knee(&points);
    Ok((points, knee))
}

/// One rate.
fn at(
    options: &WireOptions,
    bench: &mut Bench,
    engine: u64,
    rate: u64,
    progress: Progress<'_>,
) -> Result<SweepPoint, LabError> {
    let threads = [engine, this_thread()];
    let (begun, before) = (Instant::now(), threads.map(waited_ns));
    let (venue, floor) = rounds(options, bench, rate, ROUNDS, progress)?;
    let elapsed = begun.elapsed().as_secs_f64().max(1e-9);
    let waited = threads
        .map(waited_ns)
        .into_iter()
        .zip(before)
        .map(|(now, before)| now.saturating_sub(before));
    let waited = Duration::from_nanos(waited.max().unwrap_or(0)).as_secs_f64() / elapsed;
    let median = |rounds: &[Round]| {
        let of: Vec<_> = rounds.iter().map(|round| Percentiles::of(&round.latencies())).collect();
        sweep::median(&of)
    };
    let void: Vec<_> =
        venue.iter().map(|round| round.outcome.void.first().map(ToString::to_string)).collect();
    Ok(SweepPoint {
        offered: rate,
        reached: sweep::reached(
            venue.iter().map(|round| (round.recorder.count() as u64, round.outcome.elapsed_ns)),
        ),
        venue: median(&venue),
        floor: median(&floor),
        void: sweep::void_of(&void).map(|why| match waited > WAITED_MAX {
            true => format!("{why}; a thread had no core for {:.0} % of the time", 100.0 * waited),
            false => why,
        }),
    })
}
