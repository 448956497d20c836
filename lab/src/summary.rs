//! From rounds to figures.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use spindle_engine::latency::LatencySnapshot;

use crate::load::Outcome;
use crate::record::{Curve, Hop, Slot, Wire};
use crate::recorder::{Recorder, histogram};
use crate::refusal;
use crate::stats::{Figure, Percentiles};
use crate::sweep::reached;
use crate::wire::Tally;

/// Parts of each round for latency over time.
const SLOTS: usize = 20;

/// A measured round.
#[derive(Clone, Debug)]
pub struct RoundOf {
    /// When its requests were due.
    pub due: Vec<u64>,
    /// What came of them.
    pub recorder: Recorder,
    /// Whether it counts.
    pub outcome: Outcome,
    /// What each hop recorded.
    pub hops: Vec<LatencySnapshot>,
}

/// All rounds of a run.
#[derive(Clone, Debug)]
pub struct Summary {
    venue: Vec<RoundOf>,
    floor: Vec<RoundOf>,
    round_ms: u64,
    names: Vec<(String, String, String)>,
    venue_all: Histogram<u64>,
    floor_all: Histogram<u64>,
}

fn together(rounds: &[RoundOf]) -> Histogram<u64> {
    let mut all = histogram();
    for round in rounds {
        // The bounds are the same, so that nothing can fall outside.
        let _ = all.add(round.recorder.histogram());
    }
    all
}

impl Summary {
    /// Of these rounds, each of so many milliseconds; hops by name, what they are, and thread.
    pub fn new(
        venue: Vec<RoundOf>,
        floor: Vec<RoundOf>,
        round_ms: u64,
        names: &[(&str, &str, &str)],
    ) -> Self {
        let (venue_all, floor_all) = (together(&venue), together(&floor));
        let names = names
            .iter()
            .map(|(name, what, thread)| {
                ((*name).to_owned(), (*what).to_owned(), (*thread).to_owned())
            })
            .collect();
        Self { venue, floor, round_ms, names, venue_all, floor_all }
    }

    /// Every figure over its rounds.
    pub fn figures(&self) -> BTreeMap<String, Figure> {
        let mut figures = BTreeMap::new();
        let mut add = |prefix: &str, rounds: Vec<Percentiles>| {
            for (index, (name, _)) in Percentiles::default().named().into_iter().enumerate() {
                let values = rounds.iter().map(|round| round.named()[index].1);
                figures.insert(format!("{prefix}{name}_ns"), Figure::of_whole("ns", values));
            }
        };
        let of = |rounds: &[RoundOf]| -> Vec<_> {
            rounds.iter().map(|round| Percentiles::of(&round.recorder.histogram())).collect()
        };
        add("wire.", of(&self.venue));
        add("wire.floor_", of(&self.floor));
        let late = self.venue.iter().map(|round| Percentiles::of(round.recorder.lag()));
        add("wire.late_", late.collect());
        for (index, (name, _, _)) in self.names.iter().enumerate() {
            let rounds: Vec<_> = self
                .venue
                .iter()
                .filter_map(|round| round.hops.get(index))
                .map(|hop| Percentiles::of(&hop.histogram()))
                .collect();
            if rounds.iter().any(|round| round.count > 0) {
                add(&format!("hop.{}.", name.replace(' ', "_")), rounds);
            }
        }
        for name in ["p50", "p90", "p99", "p999"] {
            let over = figures.get(&format!("wire.{name}_ns"));
            if let (Some(over), Some(under)) = (over, figures.get(&format!("wire.floor_{name}_ns")))
            {
                let ratio = Figure::ratio(over, under);
                figures.insert(format!("wire.{name}_ratio"), ratio);
            }
        }
        let rates = self
            .venue
            .iter()
            .map(|round| reached([(round.recorder.count() as u64, round.outcome.elapsed_ns)]));
        figures.insert("wire.reached_per_second".to_owned(), Figure::of_whole("1/s", rates));
        figures
    }

    /// The figures in short; `figures` may hold more than came from here. The sessions spoke `protocol`: `ouch` or `fix`.
    pub fn wire(&self, figures: &BTreeMap<String, Figure>, tally: Tally, protocol: &str) -> Wire {
        let median = |name: &str| figures.get(name).map_or(0.0, |figure| figure.median);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds")]
        let whole = |name: &str| median(name).round() as u64;
        let kinds = [("the venue", &self.venue), ("the floor", &self.floor)];
        let reasons: Vec<_> = kinds
            .iter()
            .flat_map(|(name, rounds)| {
                rounds.iter().enumerate().flat_map(move |(index, round)| {
                    let void = round.outcome.void.iter();
                    void.map(move |void| format!("round {} of {name}: {void}", index + 1))
                })
            })
            .chain((tally.rejected * 1_000 > tally.requests()).then(|| {
                format!(
                    "{} requests were refused, the first with {}",
                    tally.rejected,
                    refusal::said(protocol, tally.first_reject)
                )
            }))
            .collect();
        Wire {
            p50_ns: whole("wire.p50_ns"),
            p90_ns: whole("wire.p90_ns"),
            p99_ns: whole("wire.p99_ns"),
            p999_ns: whole("wire.p999_ns"),
            p9999_ns: whole("wire.p9999_ns"),
            max_ns: whole("wire.max_ns"),
            floor_p50_ns: whole("wire.floor_p50_ns"),
            floor_p90_ns: whole("wire.floor_p90_ns"),
            floor_p99_ns: whole("wire.floor_p99_ns"),
            floor_p999_ns: whole("wire.floor_p999_ns"),
            floor_p9999_ns: whole("wire.floor_p9999_ns"),
            floor_max_ns: whole("wire.floor_max_ns"),
            p50_ratio: median("wire.p50_ns") / median("wire.floor_p50_ns").max(1.0),
            p99_ratio: median("wire.p99_ns") / median("wire.floor_p99_ns").max(1.0),
            engine_p50_ns: whole("hop.engine.p50_ns"),
            engine_p99_ns: whole("hop.engine.p99_ns"),
            ring_to_ring_p50_ns: whole("hop.ring_to_ring.p50_ns"),
            ring_to_ring_p99_ns: whole("hop.ring_to_ring.p99_ns"),
            ring_floor_p50_ns: whole("ring.p50_ns"),
            ring_floor_p99_ns: whole("ring.p99_ns"),
            clock_read_ns: median("clock.read_ns"),
            late_p50_ns: whole("wire.late_p50_ns"),
            late_p99_ns: whole("wire.late_p99_ns"),
            late_max_ns: whole("wire.late_max_ns"),
            requests: self.venue.iter().map(|round| round.outcome.sent).sum(),
            reached_per_second: whole("wire.reached_per_second"),
            tally,
            voided: !reasons.is_empty(),
            void_reasons: reasons,
        }
    }

    /// Each hop over all rounds.
    pub fn hops(&self) -> Vec<Hop> {
        let all = self.hop_histograms();
        self.names
            .iter()
            .zip(all)
            .filter(|(_, all)| !all.is_empty())
            .map(|((name, what, thread), all)| {
                let percentiles = Percentiles::of(&all);
                let (name, what, thread) = (name.clone(), what.clone(), thread.clone());
                Hop { name, what, thread, percentiles }
            })
            .collect()
    }

    fn hop_histograms(&self) -> Vec<Histogram<u64>> {
        let of = |index: usize| {
            let mut all = histogram();
            for hop in self.venue.iter().filter_map(|round| round.hops.get(index)) {
                let _ = all.add(hop.histogram());
            }
            all
        };
        (0..self.names.len()).map(of).collect()
    }

    /// The distributions, the venue's first.
    pub fn curves(&self) -> Vec<Curve> {
        vec![curve("venue", &self.venue_all), curve("floor", &self.floor_all)]
    }

    /// Latency over the time of the run.
    pub fn over_time(&self) -> Vec<Slot> {
        let mut slots = Vec::new();
        for (round, base) in self.venue.iter().zip((0..).step_by(1)) {
            let base: u64 = base * self.round_ms;
            let histograms = round.recorder.over_time(&round.due, self.round_ms * 1_000_000, SLOTS);
            for (histogram, nth) in histograms.iter().zip(0_u64..) {
                slots.push(Slot {
                    at_ms: base + nth * self.round_ms / SLOTS as u64,
                    count: histogram.len(),
                    p50: histogram.value_at_quantile(0.5),
                    p99: histogram.value_at_quantile(0.99),
                    max: histogram.max(),
                });
            }
        }
        slots
    }

    /// All latencies of venue, floor and hops by name, for a log.
    pub fn histograms(&self) -> Vec<(String, Histogram<u64>)> {
        let ends = [("venue", &self.venue_all), ("floor", &self.floor_all)];
        let ends = ends.into_iter().map(|(name, all)| (name.to_owned(), all.clone()));
        let hops = self.names.iter().zip(self.hop_histograms());
        let hops = hops.map(|((name, _, _), all)| (name.replace(' ', "-"), all));
        ends.chain(hops).filter(|(_, all)| !all.is_empty()).collect()
    }
}

/// A percentile curve: some fifty points, closer together towards the tail.
pub fn curve(name: &str, histogram: &Histogram<u64>) -> Curve {
    let mut points: Vec<(f64, u64)> = Vec::new();
    // Ten points from one 9 to the next, up to 99.999.
    for step in 0..=50_i32 {
        let quantile = 1.0 - 10_f64.powf(-f64::from(step) / 10.0);
        points.push((100.0 * quantile, histogram.value_at_quantile(quantile)));
    }
    points.push((100.0, histogram.max()));
    // A curve ends where it has reached its longest.
    if let Some(last) = points.iter().position(|point| point.1 == histogram.max()) {
        points.truncate(last + 1);
    }
    Curve { name: name.to_owned(), percentiles: Percentiles::of(histogram), points }
}
