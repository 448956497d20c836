//! `spindle book`: builds every book of a recording, checks them and says how long it took.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use clap::Args;
use rtrb::RingBuffer;
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use spindle_engine::agent::{EngineAgent, TimeSource};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_feed::stream::{Counters as StreamCounters, LineCounters};
use spindle_replay::recording::{OpenOptions, Recording};
use spindle_risk::Gate;
use spindle_types::{Agent, Side};

use crate::config::{FeedConfig, FeedLine, JoinAt, ReceivePath};
use crate::exit::Exit;
use crate::feed::AnyFeed;
use crate::health::FeedWatch;
use crate::runner::Stop;
use crate::shares::Shares;
use crate::tops::write_tops;

/// Build all books from a recording or a live feed, check them, time it.
#[derive(Args)]
pub(crate) struct Book {
    /// The recording; or `udp://A` or `udp://A,B`, the addresses of a live feed's lines, which is
    /// followed until its session ends.
    #[arg(value_name = "FILE|udp://A[,B]")]
    source: String,
    /// Write the best prices of every instrument to this CSV file ("-" is standard output).
    #[arg(long, value_name = "OUT.csv")]
    tops: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Of a capture, the group to read; twice for lines A and B of one stream.
    #[arg(long, value_name = "ADDR:PORT")]
    group: Vec<SocketAddr>,
    /// Orders that live at once; by default what the size of the file allows, at most 2,000,000.
    #[arg(long, value_name = "N")]
    orders: Option<usize>,
    /// Of a live feed: a server that is asked for what both lines miss. May be given several times.
    #[arg(long, value_name = "ADDR:PORT")]
    request: Vec<SocketAddr>,
    /// Of a live feed: the interface that groups are joined on, by name.
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// Of a live feed: how packets are received.
    #[arg(long, value_enum, default_value = "recvmmsg")]
    receive: ReceivePath,
    /// Of a recording: threads, each with its share of the instruments; by default one for each core,
    /// at most 8. A live feed has one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
}

/// What building the books showed.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct BookReport {
    pub(crate) messages: u64,
    pub(crate) threads: usize,
    pub(crate) elapsed_ns: u64,
    pub(crate) ns_per_message: f64,
    pub(crate) instruments: usize,
    pub(crate) live_orders: usize,
    pub(crate) levels: usize,
    pub(crate) unknown_references: u64,
    pub(crate) duplicate_references: u64,
    pub(crate) excess_reductions: u64,
    pub(crate) beyond_capacity: u64,
    pub(crate) undecodable_messages: u64,
    pub(crate) crossed_books: usize,
    pub(crate) locked_books: usize,
    pub(crate) memory_bytes: usize,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    gaps: Option<Gaps>,
}

impl Book {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let (report, engines) = match self.source.strip_prefix("udp://") {
            Some(lines) => self.follow_feed(lines)?,
            None => self.follow_file()?,
        };
        if let Some(path) = &self.tops {
            write_tops_to(path, &engines)
                .map_err(|error| Exit::failed(format!("{}: {error}", path.display())))?;
        }
        print(&report, self.json).map_err(Exit::failed)?;
        if report.beyond_capacity > 0 {
            return Err(Exit::failed(format!(
                "{} messages found the books full; give --orders a higher number",
                report.beyond_capacity
            )));
        }
        Ok(())
    }

    fn follow_file(&self) -> Result<(BookReport, Vec<Engine>), Exit> {
        let name = &self.source;
        let options = OpenOptions { groups: self.group.clone() };
        let mut recording = Recording::open_with(name, &options)
            .map_err(|error| Exit::usage(format!("{name}: {error}")))?;
        // The size of a compressed file says little of what is in it.
        let size = recording.size().filter(|_| recording.compression().is_empty());
        let threads = self.threads.map_or_else(threads, usize::from);
        let config = share_of(engine_config(self.orders, size), threads);
        let mut shares = Shares::new(&config, threads);
        let took = shares
            .build(&mut recording)
            .map_err(|error| Exit::failed(format!("{name}: {error}")))?;
        let elapsed_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        for note in recording.notes() {
            eprintln!("{name}: {note}");
        }
        let (messages, undecodable) = (shares.messages(), shares.undecodable());
        let engines = shares.into_engines();
        let timed = Timed { messages, elapsed_ns, undecodable, memory_bytes: config.bytes() };
        Ok((timed.report(&engines), engines))
    }

    /// Follows a live feed until its session ends.
    fn follow_feed(&self, lines: &str) -> Result<(BookReport, Vec<Engine>), Exit> {
        let feed_config = self.feed_config(lines)?;
        let lines = &feed_config.lines;
        let config = engine_config(self.orders, None);
        let mut engine = Engine::new(&config, Gate::new(0)).0;
        engine.warm_up();
        // Opened when all else is ready: from here on packets wait in its buffers.
        let feed = AnyFeed::open(Some(&feed_config)).map_err(Exit::usage)?;
        let (_to_engine, commands) = RingBuffer::new(1);
        let (events, _from_engine) = RingBuffer::new(1);
        let mut agent = EngineAgent::new(engine, feed, commands, events, TimeSource::Tape, false);
        if let Some(line) = agent.feed().describe() {
            eprintln!("feed: {line}");
        }
        let quit = Stop::default();
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, quit.flag()).map_err(Exit::failed)?;
        }
        let (started, mut watch) = (Instant::now(), agent.feed().watch());
        let mut idle = 0_u32;
        let mut first = None;
        while !agent.feed_counters().ended && !quit.is_stopped() {
            if agent.poll() > 0 {
                first.get_or_insert_with(Instant::now);
            } else {
                idle = idle.wrapping_add(1);
                std::hint::spin_loop();
                if idle.is_multiple_of(LOOK_AROUND)
                    && let Some(watch) = &mut watch
                {
                    watch.look(started.elapsed(), |line| eprintln!("feed: {line}"));
                }
            }
        }
        let elapsed = first.map_or(0, |first| first.elapsed().as_nanos());
        let elapsed_ns = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let counters = *agent.feed_counters();
        if let Some(watch) = &mut watch {
            watch.look(started.elapsed() + FeedWatch::PAUSE, |line| eprintln!("feed: {line}"));
        }
        let gaps = agent.feed().stream_counters().map(|counters| Gaps::of(counters, lines.len()));
        let engines = vec![agent.into_engine()];
        let undecodable = counters.unknown_types + counters.short_messages;
        let messages = engines[0].counters().market_messages + undecodable;
        let timed = Timed { messages, elapsed_ns, undecodable, memory_bytes: config.bytes() };
        Ok((BookReport { gaps, ..timed.report(&engines) }, engines))
    }

    fn feed_config(&self, lines: &str) -> Result<FeedConfig, Exit> {
        let line = |text: &str| match text.parse() {
            Ok(address) => {
                Ok(FeedLine { address, interface: self.interface.clone(), source: None })
            }
            Err(_) => Err(Exit::usage(format!(
                "udp://{lines}: '{text}' is no address and port; give one such as 127.0.0.1:26400"
            ))),
        };
        let lines = lines.split(',').map(line).collect::<Result<Vec<_>, _>>()?;
        Ok(FeedConfig {
            lines,
            receive: self.receive,
            session: None,
            request: self.request.clone(),
            join: JoinAt::First,
            receive_buffer_bytes: 8 << 20,
            silence_ms: 3_000,
            quarantine_basis_points: None,
        })
    }
}

/// Turns without work after which the feed's condition is looked at.
const LOOK_AROUND: u32 = 1 << 14;

/// What became of the gaps of a live feed, in messages.
#[derive(Clone, Debug, Serialize)]
struct Gaps {
    opened: u64,
    filled_by_other_line: u64,
    filled_late: u64,
    filled_by_request: u64,
    lost: u64,
    lines: Vec<LineReport>,
    requests: RequestReport,
}

/// What a line brought.
#[derive(Clone, Debug, Serialize)]
struct LineReport {
    packets: u64,
    /// Packets of which at least one message was new.
    first: u64,
    duplicates: u64,
    heartbeats: u64,
    malformed: u64,
    other_session: u64,
    implausible: u64,
    /// Messages that it passed over.
    missed: u64,
    /// Messages that the other line had missed.
    filled: u64,
    /// How far it was behind where the other was first, in nanoseconds; upper ends of powers of two.
    behind_p50_ns: Option<u64>,
    behind_p99_ns: Option<u64>,
    /// Packets by how far it was behind: each number counts those below 1, 2, 4, 8 ... ns.
    behind_histogram: Vec<u64>,
}

/// What requests came to.
#[derive(Clone, Copy, Debug, Serialize)]
struct RequestReport {
    sent: u64,
    timed_out: u64,
    failed: u64,
    answers: u64,
    useless: u64,
}

impl LineReport {
    fn of(line: &LineCounters) -> Self {
        Self {
            packets: line.packets,
            first: line.first,
            duplicates: line.duplicates,
            heartbeats: line.heartbeats,
            malformed: line.malformed,
            other_session: line.other_session,
            implausible: line.implausible,
            missed: line.missed,
            filled: line.filled,
            behind_p50_ns: line.skew.at_most(500),
            behind_p99_ns: line.skew.at_most(990),
            behind_histogram: line.skew.counts().to_vec(),
        }
    }
}

impl Gaps {
    fn of(counters: &StreamCounters, lines: usize) -> Self {
        let gaps = counters.gaps;
        let requests = counters.requests;
        Self {
            opened: gaps.opened,
            filled_by_other_line: gaps.filled_by_other_line,
            filled_late: gaps.filled_late,
            filled_by_request: gaps.filled_by_request,
            lost: gaps.lost,
            lines: counters.lines.iter().take(lines).map(LineReport::of).collect(),
            requests: RequestReport {
                sent: requests.sent,
                timed_out: requests.timed_out,
                failed: requests.failed,
                answers: requests.answers,
                useless: requests.useless,
            },
        }
    }
}

/// Room for the orders that can live at once: no more than one for each add, and a whole day of
/// Nasdaq, 8 GB, has 1.92 million.
fn engine_config(orders: Option<usize>, size: Option<u64>) -> EngineConfig {
    const BYTES_PER_LIVE_ORDER: u64 = 300;
    let fitting = size.map_or(2_000_000, |size| {
        usize::try_from(size / BYTES_PER_LIVE_ORDER).unwrap_or(usize::MAX)
    });
    let orders = orders.unwrap_or(fitting.clamp(10_000, 2_000_000));
    let capacity = Capacity { instruments: 1 << 16, orders, levels: orders };
    EngineConfig { capacity, own_orders: 0, first_number: EngineConfig::BESIDE_A_FEED }
}

/// Threads that books are built on where nobody says how many.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(8))
}

/// The capacity of each engine where several share the instruments: up to twice the part that it
/// would have if all shares were alike, which they are not.
fn share_of(config: EngineConfig, threads: usize) -> EngineConfig {
    let Capacity { orders, .. } = config.capacity;
    let orders = (2 * orders).div_ceil(threads).min(orders);
    EngineConfig { capacity: Capacity { orders, levels: orders, ..config.capacity }, ..config }
}

/// What building the books took.
struct Timed {
    messages: u64,
    elapsed_ns: u64,
    undecodable: u64,
    /// Of each engine.
    memory_bytes: usize,
}

impl Timed {
    #[allow(clippy::cast_precision_loss, reason = "a figure for people, three digits of it")]
    fn report(&self, engines: &[Engine]) -> BookReport {
        let mut report = BookReport {
            messages: self.messages,
            threads: engines.len(),
            elapsed_ns: self.elapsed_ns,
            ns_per_message: self.elapsed_ns as f64 / self.messages.max(1) as f64,
            undecodable_messages: self.undecodable,
            memory_bytes: self.memory_bytes * engines.len(),
            ..BookReport::default()
        };
        for engine in engines {
            report.add(engine);
        }
        report
    }
}

impl BookReport {
    /// Adds what an engine has of the books.
    fn add(&mut self, engine: &Engine) {
        let books = engine.books();
        for (instrument, _) in engine.instruments().iter() {
            let price = |side| books.best(instrument, side).map(|best| best.price);
            if let (Some(bid), Some(ask)) = (price(Side::Buy), price(Side::Sell)) {
                self.crossed_books += usize::from(bid > ask);
                self.locked_books += usize::from(bid == ask);
            }
        }
        let counters = engine.counters();
        self.instruments += engine.instruments().known();
        self.live_orders += books.live_orders();
        self.levels += books.live_levels();
        self.unknown_references += counters.unknown_references;
        self.duplicate_references += counters.duplicate_references;
        self.excess_reductions += counters.excess_reductions;
        self.beyond_capacity += counters.beyond_capacity;
    }
}

fn write_tops_to(path: &Path, engines: &[Engine]) -> io::Result<()> {
    if path == Path::new("-") {
        return write_tops(&mut io::stdout().lock(), engines);
    }
    let mut out = BufWriter::new(File::create(path)?);
    write_tops(&mut out, engines)?;
    out.flush()
}

fn print(report: &BookReport, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, report)?;
        return writeln!(out);
    }
    let BookReport { messages, ns_per_message, instruments, live_orders, levels, .. } = report;
    writeln!(out, "messages             {messages}")?;
    writeln!(out, "time a message       {ns_per_message:.1} ns")?;
    writeln!(out, "threads              {}", report.threads)?;
    writeln!(out, "instruments          {instruments}")?;
    writeln!(out, "live orders          {live_orders}")?;
    writeln!(out, "levels               {levels}")?;
    writeln!(out, "crossed books        {}", report.crossed_books)?;
    writeln!(out, "locked books         {}", report.locked_books)?;
    writeln!(out, "unknown references   {}", report.unknown_references)?;
    writeln!(out, "other broken         {}", broken(report))?;
    writeln!(out, "memory for the books {} MiB", report.memory_bytes >> 20)?;
    let Some(gaps) = &report.gaps else {
        return Ok(());
    };
    writeln!(out, "messages missed      {}", gaps.opened)?;
    writeln!(out, "  from other line    {}", gaps.filled_by_other_line)?;
    writeln!(out, "  late               {}", gaps.filled_late)?;
    writeln!(out, "  by request         {}", gaps.filled_by_request)?;
    writeln!(out, "  lost               {}", gaps.lost)?;
    for (name, line) in ["A", "B"].iter().zip(&gaps.lines) {
        let LineReport { packets, duplicates, missed, filled, .. } = line;
        let behind = match (line.behind_p50_ns, line.behind_p99_ns) {
            (Some(half), Some(most)) => format!(", behind by p50 {half} p99 {most} ns"),
            _ => String::new(),
        };
        writeln!(
            out,
            "line {name}               {packets} packets, {duplicates} duplicates, {missed} messages \
             missed, {filled} filled for the other{behind}"
        )?;
    }
    Ok(())
}

/// Messages that no intact feed has, besides unknown references.
fn broken(report: &BookReport) -> u64 {
    report.duplicate_references
        + report.excess_reductions
        + report.beyond_capacity
        + report.undecodable_messages
}
