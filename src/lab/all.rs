//! `spindle bench all`: after the wire each part of the venue by itself, beside what nothing can be faster than.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spindle_benches::feed::{FeedBench, Part as FeedPart, Subject};
use spindle_benches::matching::Tally;
use spindle_benches::risk::{CHECKS, Orders, gate, limits};
use spindle_engine::{Capacity, EngineConfig, Matcher};
use spindle_feed::itch::{Message, to_event};
use spindle_feed::receive::Path as ReceivePath;
use spindle_lab::record::{Part, Record};
use spindle_lab::stats::Figure;
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::recording::{Batch, Recording};

use super::wire::{self, Measured, Progress};
use super::{LabError, WireOptions};
use crate::config::ThreadsTable;
use crate::journal::bench as journal;
use crate::runner::{Layout, spawn};
use crate::shares::Shares;

/// Rounds of each part.
const ROUNDS: u64 = 7;

/// Instruments of the day whose books are kept.
const SYMBOLS: u16 = 100;

/// Messages a second of the feed.
const FEED_RATE: u64 = 100_000;

/// What is measured.
#[derive(Clone, Debug)]
pub struct AllOptions {
    /// The wire.
    pub wire: WireOptions,
    /// How long everything shall take, about: the parts are sized by it.
    pub milliseconds: u64,
    /// Where the journal's part writes: a folder of its own is made in it and taken away again.
    pub directory: PathBuf,
}

/// Measures the wire and then part by part; the record has all of it.
///
/// # Errors
/// See [`LabError`]; what cannot be measured is said before anything is, except what the system refuses to a part.
pub fn run_all(options: &AllOptions, progress: Progress<'_>) -> Result<Measured, LabError> {
    let folder = Folder::make(&options.directory)?;
    // Asked before anything is pinned.
    let layout = Layout::fit(&ThreadsTable {
        engine_core: options.wire.engine_core,
        gateway_core: options.wire.gateway_core,
        idle: None,
    });
    let mut measured = wire::run(&options.wire, &mut *progress)?;
    let record = &mut measured.record;
    of_wire(record);
    progress("feed");
    feed(record, options.milliseconds)?;
    progress("books, matching, risk");
    let length = options.milliseconds;
    // One thread on the engine's core, as the engine has it.
    let alone = spawn("part", layout.engine, move || -> Result<Vec<Line>, LabError> {
        Ok([of_day(length)?, of_risk(length)].concat())
    });
    let alone = alone.map_err(|error| LabError::Thread(error.to_string()))?;
    let lines =
        alone.join().map_err(|_| LabError::Thread("a part's thread panicked".to_owned()))?;
    lines?.into_iter().for_each(|line| line.put(record));
    progress("journal");
    of_journal(&folder.0, options.milliseconds)?.into_iter().for_each(|line| line.put(record));
    Ok(measured)
}

fn failed(part: &'static str) -> impl Fn(String) -> LabError {
    move |why| LabError::Part { part, why }
}

/// A folder that goes when it is no longer wanted.
struct Folder(PathBuf);

impl Folder {
    fn make(directory: &Path) -> Result<Self, LabError> {
        let path = directory.join(format!("spindle-bench-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| {
            LabError::Folder(format!("--directory {}: {error}", directory.display()))
        })?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A line of the table with its figures.
#[derive(Clone)]
struct Line {
    part: Part,
    value: Option<Figure>,
    floor: Option<Figure>,
}

impl Line {
    /// A figure by this name.
    fn new(part: &str, what: &str, name: &str, value: Figure) -> Self {
        Self { value: Some(value), ..Self::known(part, what, &format!("{part}.{name}")) }
    }

    /// A figure that the record has already.
    fn known(part: &str, what: &str, figure: &str) -> Self {
        let text = str::to_owned;
        let part =
            Part { part: text(part), what: text(what), figure: text(figure), ..Part::default() };
        Self { part, value: None, floor: None }
    }

    fn floor(mut self, what: &str, name: &str, value: Figure) -> Self {
        self.part.floor = format!("{}.{name}", self.part.part);
        self.part.floor_what = what.to_owned();
        self.floor = Some(value);
        self
    }

    fn known_floor(mut self, what: &str, figure: &str) -> Self {
        (self.part.floor, self.part.floor_what) = (figure.to_owned(), what.to_owned());
        self
    }

    fn put(self, record: &mut Record) {
        let Self { part, value, floor } = self;
        let figures = [(&part.figure, value), (&part.floor, floor)];
        for (name, figure) in figures {
            if let Some(figure) = figure {
                record.figures.insert(name.clone(), figure);
            }
        }
        record.parts.push(part);
    }
}

/// What the wire has measured, as lines of the table.
fn of_wire(record: &mut Record) {
    let echo = "a bare echo, same sockets and threads";
    let lines = [
        Line::known("wire", "from due to the answer, p50", "wire.p50_ns")
            .known_floor(echo, "wire.floor_p50_ns"),
        Line::known("wire", "from due to the answer, p99", "wire.p99_ns")
            .known_floor(echo, "wire.floor_p99_ns"),
        Line::known("engine", "command taken to answers in the ring, p50", "hop.engine.p50_ns"),
        Line::known("engine", "command taken to answers in the ring, p99", "hop.engine.p99_ns"),
        Line::known("engine", "ring to ring, p50", "hop.ring_to_ring.p50_ns")
            .known_floor("a ring there and back", "ring.p50_ns"),
    ];
    lines.into_iter().for_each(|line| line.put(record));
}

/// The default receive path with arbitration and decoding, beside a bare socket.
fn feed(record: &mut Record, length: u64) -> Result<(), LabError> {
    let failed = failed("feed");
    let path = ReceivePath::Recvmmsg.name();
    let bench = FeedBench {
        subjects: vec![Subject::BARE, Subject::PATHS[1]],
        runs: 1,
        milliseconds: (length / 10 / (2 * ROUNDS)).clamp(20, 10_000),
        rates: vec![FEED_RATE],
        parts: vec![FeedPart::Rates],
    };
    // Percentiles of each round: path and floor, p50 and p99.
    let mut rounds: [[Vec<u64>; 2]; 2] = Default::default();
    for _ in 0..ROUNDS {
        let report = bench.run(|_| ()).map_err(|error| failed(error.to_string()))?;
        for measurement in &report.measurements {
            let of = &mut rounds[usize::from(measurement.path != path)];
            of[0].push(measurement.from_send.p50.median);
            of[1].push(measurement.from_send.p99.median);
        }
    }
    let [of_path, of_floor] = rounds.map(|of| of.map(|rounds| Figure::of_whole("ns", rounds)));
    let floor = "a bare socket, packets walked";
    for ((value, under), name) in of_path.into_iter().zip(of_floor).zip(["p50", "p99"]) {
        let what = format!("{path}: sent to decoded, {name}");
        Line::new("feed", &what, &format!("{name}_ns"), value)
            .floor(floor, &format!("floor_{name}_ns"), under)
            .put(record);
    }
    Ok(())
}

/// Nanoseconds each.
fn each(took: Duration, count: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a figure with a few digits")]
    let count = count.max(1) as f64;
    took.as_secs_f64() * 1e9 / count
}

/// Books kept of a day, and its orders matched, beside its messages decoded alone.
fn of_day(length: u64) -> Result<Vec<Line>, LabError> {
    let messages = (length * 20).clamp(20_000, 2_000_000);
    let made = GenerateConfig::new(messages, SYMBOLS, 1);
    let made = made.map_err(|error| failed("books")(error.to_string()))?;
    let capacity = usize::try_from(messages).unwrap_or(usize::MAX);
    let capacity = Capacity { instruments: 1 << 16, orders: capacity, levels: capacity };
    let first_number = EngineConfig::BESIDE_A_FEED;
    let config = EngineConfig { capacity, own_orders: 0, first_number };
    let day = || Recording::new(GeneratedDay::new(made));
    let (mut decoded, mut books, mut matched) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let unreadable = |part| {
            move |error: spindle_replay::recording::RecordingError| LabError::Part {
                part,
                why: error.to_string(),
            }
        };
        let took = batches(&mut day(), |batch| {
            for message in batch.iter().filter_map(|bytes| Message::decode(bytes).ok()) {
                black_box(to_event(&message));
            }
        });
        decoded.push(each(took.map_err(unreadable("books"))?, messages));
        let mut shares = Shares::new(&config, 1);
        let took = shares.build(&mut day()).map_err(unreadable("books"))?;
        books.push(each(took, shares.messages()));
        drop(shares);
        let mut matcher = Matcher::new(capacity);
        matcher.warm_up();
        let mut tally = Tally::default();
        let took = batches(&mut day(), |batch| tally.enter(&mut matcher, batch));
        matched.push(each(took.map_err(unreadable("matching"))?, tally.messages));
    }
    let [decoded, books, matched] =
        [decoded, books, matched].map(|rounds| Figure::of("ns", rounds));
    let floor = "the same messages decoded, nothing kept";
    Ok(vec![
        Line::new("books", "a message applied, top published", "message_ns", books).floor(
            floor,
            "floor_ns",
            decoded.clone(),
        ),
        Line::new("matching", "an order of the day entered and matched", "message_ns", matched)
            .floor(floor, "floor_ns", decoded),
    ])
}

/// Times what is done with each batch of a day.
fn batches(
    day: &mut Recording,
    mut act: impl FnMut(&spindle_replay::recording::Messages<'_>),
) -> Result<Duration, spindle_replay::recording::RecordingError> {
    let mut took = Duration::ZERO;
    while let Some(batch) = day.next_batch()? {
        let Batch::Itch(messages) = batch else { continue };
        let begin = Instant::now();
        act(&messages);
        took += begin.elapsed();
    }
    Ok(took)
}

/// An order judged and reserved with every check on, beside a gate without limits.
fn of_risk(length: u64) -> Vec<Line> {
    let orders = (length * 30).clamp(10_000, 10_000_000);
    let mut full = Orders::new(gate(limits(&CHECKS)));
    let mut bare = Orders::new(gate(limits(&[])));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    // The first round warms up.
    for round in 0..=ROUNDS {
        let took = [&mut bare, &mut full].map(|it| each(it.time_batches(orders), orders));
        if round > 0 {
            without.push(took[0]);
            with.push(took[1]);
        }
    }
    let [with, without] = [with, without].map(|rounds| Figure::of("ns", rounds));
    let what = "an order judged and reserved, every check on";
    vec![Line::new("risk", what, "order_ns", with).floor(
        "a gate without limits",
        "floor_ns",
        without,
    )]
}

/// What recording costs, group commit beside a write with its sync, and a journal applied again.
fn of_journal(folder: &Path, length: u64) -> Result<Vec<Line>, LabError> {
    let inputs = (length * 5).clamp(10_000, 1_000_000);
    let figures = journal::run(folder, inputs, inputs / 10).map_err(failed("journal"))?;
    let one = |unit: &str, value: f64| Figure::of(unit, vec![value]);
    let journal::JournalFigures { replayed, recovery, commits, cost, .. } = figures;
    let mut lines = vec![
        Line::new(
            "journal",
            "an order through the engine, recorded",
            "order_ns",
            one("ns", cost.orders.with_ns),
        )
        .floor(
            "the same order, not recorded",
            "floor_ns",
            one("ns", cost.orders.without_ns),
        ),
    ];
    for run in &commits.runs {
        let window = run.window;
        let what = format!("group commit, {window} under way, p50");
        let value = one("ns", run.p50_us * 1e3);
        let line = Line::new("journal", &what, &format!("commit_{window}_p50_ns"), value);
        let sync = one("ns", run.sync_p50_us * 1e3);
        lines.push(line.floor("one write with its sync", &format!("sync_{window}_p50_ns"), sync));
    }
    lines.push(Line::new(
        "journal",
        "inputs applied again",
        "replay_per_second",
        one("1/s", replayed.inputs_a_second),
    ));
    let ready = recovery.ready_seconds.iter().map(|seconds| seconds * 1e9).collect();
    let without = one("ns", recovery.ready_seconds_without * 1e9);
    lines.push(Line::new(
        "journal",
        "ready for orders, from a snapshot and its tail",
        "ready_ns",
        Figure::of("ns", ready),
    ));
    lines.push(Line::new(
        "journal",
        "ready for orders, without a snapshot",
        "ready_without_ns",
        without,
    ));
    Ok(lines)
}
