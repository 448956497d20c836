//! `spindle bench wire`: from what was asked for to the record.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use spindle_lab::load::Ticks;
use spindle_lab::machine::{
    Gaps, Machine, Noise, SystemTimes, load_average, this_thread, waited_ns,
};
use spindle_lab::record::{Build, FORMAT, Record, RunConfig, VERSION};
use spindle_lab::stamps::Stamps;
use spindle_lab::stats::Figure;
use spindle_lab::summary::{RoundOf, Summary};
use spindle_lab::wire::{EchoPeer, EchoServer, Mix};

use super::rounds::{Bench, Round, Sessions};
use super::side::{Beside, EngineSide, Serve, ServerSide, Started, hop_readers};
use super::sweeping::sweep_over;
use super::tick::{Floor, FloorTrader};
use super::watch::{Watch, Watching};
use super::{LabError, WireOptions, floors, venue};
use crate::config::ThreadsTable;
use crate::runner::{Layout, Stop, spawn};
use crate::venue::Venue;

/// The longest round: sessions that say nothing for longer are taken for dead.
const ROUND_MS_MAX: u64 = 10_000;

/// Stamps on the way of one request and its answer: read, in the ring, taken, risk, matched, in the ring,
/// taken, encoded, sent.
const STAMPS_PER_REQUEST: u64 = 9;

/// A record, and the distributions behind it.
pub struct Measured {
    /// The record.
    pub record: Record,
    /// Latencies of the venue, of the floor, and of each hop, over all measured rounds.
    pub histograms: Vec<(String, Histogram<u64>)>,
}

/// Told what is being done.
pub type Progress<'a> = &'a mut (dyn FnMut(&str) + Send);

/// Measures.
///
/// # Errors
/// See [`LabError`]; what cannot be measured is said before anything is.
pub fn run(options: &WireOptions, progress: Progress<'_>) -> Result<Measured, LabError> {
    let threads = ThreadsTable {
        engine_core: options.engine_core,
        gateway_core: options.gateway_core,
        idle: None,
    };
    let layout = Layout::fit(&threads);
    check(options, &layout)?;
    let watch = options.control.as_deref().map(Watch::start).transpose()?;
    // Asked before anything is pinned: a pinned thread sees its own core alone.
    let machine = Machine::here();
    let place = layout.others.unwrap_or(layout.gateway);
    std::thread::scope(|scope| {
        let body = || {
            if let Some(core) = place.core {
                core_affinity::set_for_current(core);
            }
            measure(options, &layout, machine, watch, progress)
        };
        let thread = std::thread::Builder::new().name("load".to_owned()).spawn_scoped(scope, body);
        let thread = thread.map_err(|error| LabError::Thread(error.to_string()))?;
        thread.join().map_err(|_| LabError::Thread("the load's thread panicked".to_owned()))?
    })
}

/// What can be said before anything is started.
fn check(options: &WireOptions, layout: &Layout) -> Result<(), LabError> {
    let rounds = options.rounds.max(1);
    let round_ms = options.milliseconds / rounds;
    if round_ms > ROUND_MS_MAX {
        return Err(LabError::LongRounds {
            seconds: round_ms / 1_000,
            most: ROUND_MS_MAX / 1_000,
            rounds: options.milliseconds.div_ceil(ROUND_MS_MAX),
        });
    }
    options.arrivals.schedule(options.rate, round_ms * 1_000_000, options.seed)?;
    if options.to.is_none() && layout.cores < 2 {
        return Err(LabError::Cores("this process may use one core".to_owned()));
    }
    let wanted = [options.engine_core, options.gateway_core];
    let got = [layout.engine, layout.gateway].map(|place| place.core.map(|core| core.id));
    for (wanted, got) in wanted.into_iter().zip(got) {
        if let Some(wanted) = wanted
            && got != Some(wanted)
        {
            let said = format!("core {wanted} is not among those that this process may use");
            return Err(LabError::Cores(said));
        }
    }
    if let Some(remote) = &options.to {
        let timeout = Duration::from_secs(2);
        TcpStream::connect_timeout(&remote.address, timeout).map_err(|error| {
            LabError::Session(format!(
                "{}: no venue answers there ({error}); start one with `spindle run --config FILE`, or \
                 leave --to out and one is started",
                remote.address
            ))
        })?;
    }
    Ok(())
}

fn measure(
    options: &WireOptions,
    layout: &Layout,
    machine: Machine,
    watch: Option<Watch>,
    progress: Progress<'_>,
) -> Result<Measured, LabError> {
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    progress("rings and clock");
    let (clock, load_average) = (floors::clock_read(), load_average());
    let rings = match options.to {
        None => Some(floors::ring(layout)?),
        Some(_) => None,
    };
    let gaps = Gaps::here(Duration::from_millis(200));
    let mut setup = Setup::start(options, layout, watch)?;
    let carried = setup.bench.throughput(Serve::Echo, probes(options.rate, 20_000), 32);
    if carried < options.rate {
        let layout = if layout.others.is_some() { "three cores" } else { "two cores" };
        let (rate, sessions, advice) = (options.rate, options.sessions, carried * 7 / 10);
        setup.finish()?;
        return Err(LabError::Rate { rate, carried, sessions, layout, advice });
    }
    let (system, load_waits) = (SystemTimes::now(), waited_ns(this_thread()));
    let engine_waits = waited_ns(setup.engine_thread());
    let started = std::time::Instant::now();
    let (venue, floor) = rounds(options, &mut setup.bench, options.rate, options.rounds, progress)?;
    let elapsed = started.elapsed();
    #[allow(clippy::cast_precision_loss, reason = "a part with a few digits")]
    let part = |waited: u64| waited as f64 / elapsed.as_nanos().max(1) as f64;
    let mut noise = Noise {
        steal: SystemTimes::now().steal_since(&system),
        load_waited: part(waited_ns(this_thread()).saturating_sub(load_waits)),
        engine_waited: part(waited_ns(setup.engine_thread()).saturating_sub(engine_waits)),
        load_average,
        gaps,
        ..Noise::default()
    };
    let mut pairs = Vec::new();
    if options.stamps && options.to.is_none() {
        progress("stamps on and off");
        pairs = throughputs(&mut setup.bench, probes(options.rate, 10_000));
    }
    let engine_thread = setup.engine_thread();
    let (sweep, knee) = sweep_over(options, &mut setup.bench, engine_thread, progress)?;
    let tally = *setup.bench.sessions.tally();
    let names: Vec<_> =
        setup.bench.hops.iter().map(|hop| (hop.name, hop.what, hop.thread)).collect();
    setup.finish()?;

    let round_ms = options.milliseconds / options.rounds.max(1);
    let as_round = |round: Round| RoundOf {
        due: round.due,
        recorder: round.recorder,
        outcome: round.outcome,
        hops: round.hops,
    };
    let summary = Summary::new(
        venue.into_iter().map(as_round).collect(),
        floor.into_iter().map(as_round).collect(),
        round_ms,
        &names,
    );
    let mut figures: BTreeMap<String, Figure> = summary.figures();
    figures.insert("clock.read_ns".to_owned(), clock.clone());
    if let Some((p50, p99)) = rings {
        figures.insert("ring.p50_ns".to_owned(), p50);
        figures.insert("ring.p99_ns".to_owned(), p99);
    }
    // In both kinds of build, so that their records can be compared.
    if !pairs.is_empty() {
        let rates = pairs.iter().map(|pair| pair.0).filter(|rate| *rate > 0);
        figures.insert("throughput.per_second".to_owned(), Figure::of_whole("1/s", rates));
    }
    let has_stamps = spindle_engine::latency::STAMPS;
    let stamps = has_stamps.then(|| Stamps::of(clock.median, STAMPS_PER_REQUEST, &pairs)).flatten();
    if let Some(stamps) = &stamps {
        figures.insert("stamps.cost_ratio".to_owned(), stamps.pairs.clone());
        figures.insert("throughput.unstamped_per_second".to_owned(), stamps.without.clone());
    }
    noise.p50_spread = figures.get("wire.p50_ns").map_or(0.0, Figure::spread);
    let noise = noise.judged(machine.cores);
    let wire = summary.wire(&figures, tally, &options.protocol.to_string());
    let histograms = summary.histograms();
    let record = Record {
        format: FORMAT.to_owned(),
        version: VERSION,
        begun,
        command: options.command.clone(),
        build: Build::here(),
        machine,
        noise,
        config: config(options, layout),
        wire,
        hops: summary.hops(),
        curves: summary.curves(),
        over_time: summary.over_time(),
        figures,
        stamps,
        sweep,
        knee,
        parts: Vec::new(),
    };
    Ok(Measured { record, histograms })
}

fn config(options: &WireOptions, layout: &Layout) -> RunConfig {
    let (venue, risk) = match &options.to {
        None => ("started by the run".to_owned(), venue::RISK.to_owned()),
        Some(remote) => (remote.address.to_string(), "as the venue has it".to_owned()),
    };
    RunConfig {
        rate: options.rate,
        arrivals: options.arrivals.name(),
        milliseconds: options.milliseconds,
        rounds: options.rounds,
        warm_up_ms: options.warm_up_ms,
        sessions: options.sessions.into(),
        protocol: options.protocol.to_string(),
        mix: match options.tick_to_trade {
            true => "an order that meets nobody for each market message".to_owned(),
            false => options.mix.to_string(),
        },
        seed: options.seed,
        venue,
        layout: layout.describe(),
        risk,
        bounds: Some(options.bounds),
        tick_to_trade: options.tick_to_trade,
    }
}

/// Rounds on the venue and on the echo, by turns; which is first changes from pair to pair.
pub(super) fn rounds(
    options: &WireOptions,
    bench: &mut Bench,
    rate: u64,
    rounds: u64,
    progress: Progress<'_>,
) -> Result<(Vec<Round>, Vec<Round>), LabError> {
    let nanoseconds = options.milliseconds * 1_000_000 / options.rounds.max(1);
    let (mut venue, mut floor) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let order = match round % 2 {
            0 => [Serve::Echo, Serve::Venue],
            _ => [Serve::Venue, Serve::Echo],
        };
        for serve in order {
            let name = if serve == Serve::Venue { "the venue" } else { "the floor" };
            progress(&format!("{rate} a second, round {} of {rounds}: {name}", round + 1));
            let lengths = (options.warm_up_ms, nanoseconds);
            let seed = options.seed.wrapping_add(round);
            let done = bench.round(serve, &options.arrivals, rate, lengths, seed)?;
            if serve == Serve::Venue { venue.push(done) } else { floor.push(done) }
        }
    }
    Ok((venue, floor))
}

/// Requests of a measurement of throughput: fewer where little is asked for.
fn probes(rate: u64, most: usize) -> usize {
    usize::try_from(rate / 2).unwrap_or(most).clamp(500, most)
}

/// Pairs of rounds, with stamps and without.
const PAIRS: usize = 9;

/// Throughput with stamps and without, by turns, in requests a second; which is first changes from pair to pair. Where
/// stamps are left out of the build, both are without.
fn throughputs(bench: &mut Bench, requests: usize) -> Vec<(u64, u64)> {
    let mut pairs = Vec::new();
    for pair in 0..=PAIRS {
        let (mut with, mut without) = (0, 0);
        for stamped in [pair % 2 == 0, pair % 2 != 0] {
            bench.stamps.store(stamped, Ordering::Relaxed);
            let rate = bench.throughput(Serve::Venue, requests, 16);
            if stamped { with = rate } else { without = rate }
        }
        pairs.push((with, without));
    }
    bench.stamps.store(true, Ordering::Relaxed);
    // The first pair warms up.
    pairs.split_off(1)
}

/// Everything that runs during a measurement.
struct Setup {
    bench: Bench,
    engine: Option<(std::thread::JoinHandle<EngineSide>, Stop)>,
    started: Started,
    shutdown: Option<spindle_gateway::ShutdownHandle>,
    watched: Option<Watching>,
}

impl Setup {
    fn start(
        options: &WireOptions,
        layout: &Layout,
        watch: Option<Watch>,
    ) -> Result<Self, LabError> {
        let seconds = options.milliseconds / 1_000 + 1;
        let requests = 4 * options.rate.saturating_mul(seconds) + 1_000_000;
        let stamps = Arc::new(AtomicBool::new(true));
        let rest = Arc::new(AtomicBool::new(false));
        let serve = Arc::new(AtomicU8::new(Serve::Venue as u8));
        let started = Started::default();
        let (mut engine, mut hops, mut gateway, mut shutdown) = (None, Vec::new(), None, None);
        let mut watched = None;
        let mut market = None;
        let mut server = EchoServer::bind().map_err(LabError::Echo)?;
        let bytes = Bench::request_bytes(options.protocol);
        let at = server.address().map_err(LabError::Echo)?;
        let echo = EchoPeer::connect(at, options.sessions.into(), bytes).map_err(LabError::Echo)?;
        server.accept(options.sessions.into()).map_err(LabError::Echo)?;
        let (echo, mut floor_line) = match options.tick_to_trade {
            false => (Floor::Echo(echo), None),
            true => {
                let (trader, line) = FloorTrader::open(echo).map_err(LabError::Echo)?;
                (Floor::Trader(trader), Some(line))
            }
        };
        let address = match &options.to {
            Some(remote) => remote.address,
            None => {
                let feed = options.tick_to_trade;
                let config = venue::config(options.sessions, options.protocol, requests, feed)?;
                let built = Venue::build(&config).map_err(|e| LabError::Venue(e.to_string()))?;
                hops = hop_readers(&built.engine, &built.gateway);
                shutdown = Some(built.shutdown);
                watched = watch.map(|it| it.over(built.risk, built.status, built.records));
                let address = built.fix_address.unwrap_or(built.address);
                let (stop, place) = (Stop::default(), layout.engine);
                market = built.engine.feed().addresses().first().map(|at| (*at, built.tops));
                let floor = floor_line.take().map(|line| (line, Arc::clone(&serve)));
                let mut side =
                    EngineSide::new(built.engine, Arc::clone(&stamps), Arc::clone(&rest), floor);
                let (flag, says) = (stop.clone(), started.clone());
                let thread = spawn("engine", place, move || {
                    says.say();
                    crate::runner::run(&mut [&mut side], place.idle, &flag);
                    side
                })
                .map_err(|error| LabError::Thread(error.to_string()))?;
                started.wait()?;
                engine = Some((thread, stop));
                gateway = Some(built.gateway);
                address
            }
        };
        let side = ServerSide::new(gateway, server, Arc::clone(&serve), Arc::clone(&stamps));
        let mut beside = Beside::start(side, layout)?;
        let (symbols, middle) = match &options.to {
            Some(remote) => (remote.symbols.clone(), remote.middle),
            None => (venue::symbols(), venue::MIDDLE),
        };
        let mix = Mix::new(options.mix, &symbols, middle, options.sessions.into(), options.seed)
            .with_open_max(options.open_max);
        let mut turn = || beside.turn();
        let sessions = match market {
            Some((feed, tops)) => Sessions::connect_to_market(address, feed, tops, &mut turn)?,
            None => Sessions::connect(
                options.protocol,
                address,
                options.to.as_ref(),
                options.sessions,
                mix,
                &mut turn,
            )?,
        };
        let time = Ticks::new();
        let bounds = options.bounds;
        let bench = Bench { time, sessions, echo, beside, serve, stamps, rest, hops, bounds };
        Ok(Self { bench, engine, started, shutdown, watched })
    }

    fn engine_thread(&self) -> u64 {
        self.started.thread()
    }

    /// Ends the sessions, the gateway and the engine, in that order.
    fn finish(self) -> Result<(), LabError> {
        let Self { mut bench, engine, shutdown, watched, .. } = self;
        watched.map_or(Ok(()), Watching::finish)?;
        bench.serve.store(Serve::Venue as u8, Ordering::Relaxed);
        bench.sessions.leave();
        let side = bench.beside.finish()?;
        if let (Some(mut gateway), Some(shutdown)) = (side.gateway, shutdown) {
            use spindle_types::Agent as _;
            drop(bench.sessions);
            shutdown.request();
            while !gateway.is_done() {
                gateway.poll();
            }
        }
        if let Some((thread, stop)) = engine {
            stop.stop();
            let panicked = |_| LabError::Thread("the engine's thread panicked".to_owned());
            let side = thread.join().map_err(panicked)?;
            if let Some(imbalance) = side.engine.engine().imbalance() {
                return Err(LabError::Venue(imbalance.to_string()));
            }
        }
        Ok(())
    }
}
