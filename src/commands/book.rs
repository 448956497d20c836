//! `spindle book`: builds every book of a recording, checks them and says how long it took.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use spindle_engine::{Capacity, Counters, Engine, EngineConfig};
use spindle_replay::recording::{Batch, Messages, OpenOptions, Recording};
use spindle_risk::Gate;
use spindle_types::{Sequence, Side};

use crate::exit::Exit;
use crate::tops::write_tops;

/// Build all books from a recording, check them, time it.
#[derive(Args)]
pub(crate) struct Book {
    /// The recording.
    file: PathBuf,
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
}

/// What building the books showed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BookReport {
    pub(crate) messages: u64,
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
}

impl Book {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let name = self.file.display();
        let options = OpenOptions { groups: self.group.clone() };
        let mut recording = Recording::open_with(&self.file, &options)
            .map_err(|error| Exit::usage(format!("{name}: {error}")))?;
        // The size of a compressed file says little of what is in it.
        let size = recording.size().filter(|_| recording.compression().is_empty());
        let config = engine_config(self.orders, size);
        let mut builder = Builder::new(&config);
        builder.build(&mut recording).map_err(|error| Exit::failed(format!("{name}: {error}")))?;
        for note in recording.notes() {
            eprintln!("{name}: {note}");
        }
        let report = builder.report(config.bytes());
        if let Some(path) = &self.tops {
            write_tops_to(path, &builder.engine)
                .map_err(|error| Exit::failed(format!("{}: {error}", path.display())))?;
        }
        print(&report, self.json).map_err(Exit::failed)?;
        if report.beyond_capacity > 0 {
            return Err(Exit::failed(format!(
                "{} messages found the books full; give --orders a number above {}",
                report.beyond_capacity, config.capacity.orders
            )));
        }
        Ok(())
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

/// The books of a recording, as they are built.
struct Builder {
    engine: Engine,
    elapsed_ns: u64,
    undecodable: u64,
}

impl Builder {
    fn new(config: &EngineConfig) -> Self {
        let (mut engine, _tops) = Engine::new(config, Gate::new(0));
        engine.warm_up();
        Self { engine, elapsed_ns: 0, undecodable: 0 }
    }

    /// Applies the whole recording. Only applying is timed, reading is not.
    fn build(&mut self, recording: &mut Recording) -> Result<(), Box<dyn std::error::Error>> {
        while let Some(batch) = recording.next_batch()? {
            let start = Instant::now();
            match batch {
                Batch::Itch(messages) => self.apply(&messages),
                Batch::Events(events) => {
                    for (sequence, event) in (events.first_sequence..).zip(events.events) {
                        self.engine.on_market(event, Sequence(sequence));
                    }
                }
            }
            self.elapsed_ns += u64::try_from(start.elapsed().as_nanos())?;
        }
        Ok(())
    }

    fn apply(&mut self, messages: &Messages<'_>) {
        let first = Sequence(messages.sequence(0));
        let undecodable = &mut self.undecodable;
        self.engine.on_messages(
            first,
            messages.len(),
            |at| messages.at(at),
            |_, decoded| {
                *undecodable += u64::from(decoded.is_err());
            },
        );
    }

    #[allow(clippy::cast_precision_loss, reason = "a figure for people, three digits of it")]
    fn report(&self, memory_bytes: usize) -> BookReport {
        let books = self.engine.books();
        let (mut crossed, mut locked) = (0, 0);
        for (instrument, _) in self.engine.instruments().iter() {
            let price = |side| books.best(instrument, side).map(|best| best.price);
            if let (Some(bid), Some(ask)) = (price(Side::Buy), price(Side::Sell)) {
                crossed += usize::from(bid > ask);
                locked += usize::from(bid == ask);
            }
        }
        let Counters {
            market_messages,
            unknown_references,
            duplicate_references,
            excess_reductions,
            beyond_capacity,
            ..
        } = *self.engine.counters();
        let messages = market_messages + self.undecodable;
        BookReport {
            messages,
            elapsed_ns: self.elapsed_ns,
            ns_per_message: self.elapsed_ns as f64 / messages.max(1) as f64,
            instruments: self.engine.instruments().known(),
            live_orders: books.live_orders(),
            levels: books.live_levels(),
            unknown_references,
            duplicate_references,
            excess_reductions,
            beyond_capacity,
            undecodable_messages: self.undecodable,
            crossed_books: crossed,
            locked_books: locked,
            memory_bytes,
        }
    }
}

fn write_tops_to(path: &Path, engine: &Engine) -> io::Result<()> {
    if path == Path::new("-") {
        return write_tops(&mut io::stdout().lock(), engine);
    }
    let mut out = BufWriter::new(File::create(path)?);
    write_tops(&mut out, engine)?;
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
    writeln!(out, "instruments          {instruments}")?;
    writeln!(out, "live orders          {live_orders}")?;
    writeln!(out, "levels               {levels}")?;
    writeln!(out, "crossed books        {}", report.crossed_books)?;
    writeln!(out, "locked books         {}", report.locked_books)?;
    writeln!(out, "unknown references   {}", report.unknown_references)?;
    writeln!(out, "other broken         {}", broken(report))?;
    writeln!(out, "memory for the books {} MiB", report.memory_bytes >> 20)
}

/// Messages that no intact feed has, besides unknown references.
fn broken(report: &BookReport) -> u64 {
    report.duplicate_references
        + report.excess_reductions
        + report.beyond_capacity
        + report.undecodable_messages
}
