//! A record that was made up, by the way that real ones come.

use std::collections::BTreeMap;

use spindle_engine::latency::Latency;
use spindle_lab::load::Outcome;
use spindle_lab::machine::{Machine, Noise};
use spindle_lab::record::{Build, FORMAT, Part, Record, RunConfig, SweepPoint, VERSION};
use spindle_lab::recorder::Recorder;
use spindle_lab::stamps::Stamps;
use spindle_lab::stats::{Figure, Percentiles};
use spindle_lab::summary::{RoundOf, Summary};
use spindle_lab::wire::Tally;

const ROUNDS: u64 = 5;
const REQUESTS: u64 = 5_000;
const ROUND_MS: u64 = 100;

/// Latencies from `base` up with a tail, different in each round.
fn round(base: u64, nth: u64) -> RoundOf {
    let due: Vec<_> = (0..REQUESTS).map(|at| at * ROUND_MS * 1_000_000 / REQUESTS).collect();
    let mut recorder = Recorder::new(due.len());
    let mut hop = Latency::new();
    for (request, at) in due.iter().enumerate() {
        let step = (request as u64 * 7_919 + nth * 31) % 1_000;
        let latency = base + nth * 50 + step * 3 + if step > 990 { (step - 990) * base } else { 0 };
        recorder.sent(at % 700);
        recorder.answered(request, latency);
        hop.record(latency / 20);
    }
    let elapsed_ns = ROUND_MS * 1_000_000;
    let outcome = Outcome { sent: REQUESTS, elapsed_ns, void: Vec::new() };
    RoundOf { due, recorder, outcome, hops: vec![hop.snapshot(), hop.snapshot(), hop.snapshot()] }
}

/// A record with everything in it, of a venue that takes `base` nanoseconds.
pub(crate) fn record(base: u64) -> Record {
    let names = [
        ("decode", "bytes <read> to the command in the ring", "gateway"),
        ("match", "matched, answers written", "engine"),
        ("engine", "the command to its answers", "sum"),
    ];
    let rounds = |base| (0..ROUNDS).map(|nth| round(base, nth)).collect();
    let summary = Summary::new(rounds(base), rounds(base * 7 / 10), ROUND_MS, &names);
    let mut figures: BTreeMap<String, Figure> = summary.figures();
    figures.insert("clock.read_ns".to_owned(), Figure::of("ns", vec![10.5, 10.25, 11.0]));
    let point = |rate: u64| {
        let venue = Percentiles { count: 1, p50: base, p99: base + rate, ..Percentiles::default() };
        let void = (rate > 120_000).then(|| "the sender fell behind".to_owned());
        SweepPoint { offered: rate, reached: rate, venue, floor: venue, void }
    };
    let decoded = [8.5, 8.25, 9.0];
    figures.insert("books.message_ns".to_owned(), Figure::of("ns", vec![61.0, 60.5, 75.0]));
    figures.insert("books.floor_ns".to_owned(), Figure::of("ns", decoded.to_vec()));
    let parts = vec![Part {
        part: "books".to_owned(),
        what: "a message applied".to_owned(),
        figure: "books.message_ns".to_owned(),
        floor: "books.floor_ns".to_owned(),
        floor_what: "decoded & dropped".to_owned(),
    }];
    Record {
        format: FORMAT.to_owned(),
        version: VERSION,
        begun: 1_795_278_660,
        command: "spindle bench wire --rate 50000".to_owned(),
        build: Build::here(),
        machine: Machine { cores: 2, processor: "A <processor>".to_owned(), ..Machine::default() },
        noise: Noise { steal: 0.25, ..Noise::default() }.judged(2),
        config: RunConfig {
            rate: 50_000,
            arrivals: "constant".to_owned(),
            milliseconds: ROUNDS * ROUND_MS,
            rounds: ROUNDS,
            sessions: 2,
            protocol: "ouch".to_owned(),
            ..RunConfig::default()
        },
        wire: summary.wire(&figures, Tally { accepted: 100, ..Tally::default() }, "ouch"),
        hops: summary.hops(),
        curves: summary.curves(),
        over_time: summary.over_time(),
        stamps: Stamps::of(10.0, 9, &[(98_800, 100_000), (98_000, 100_000), (99_000, 100_000)]),
        sweep: [10_000, 50_000, 100_000, 150_000].map(point).to_vec(),
        knee: Some(100_000),
        parts,
        figures,
    }
}
