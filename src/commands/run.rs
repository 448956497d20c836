//! `spindle run`: the venue.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rtrb::Consumer;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook::iterator::Signals;
use spindle_engine::Engine;
use spindle_gateway::lockstep::Outcome as LockstepOutcome;
use spindle_gateway::{Gateway, GatewayNotice};
use spindle_replay::recording::OpenOptions;
use spindle_types::{Agent, EventTime};

use crate::accounting::{RecordDesk, RunRecord};
use crate::commands::time_of_day;
use crate::config::Config;
use crate::exit::Exit;
use crate::journal::JournalStats;
use crate::lockstep::{self, Ready, Tape};
use crate::log::{Entry, Level, Log};
use crate::metrics::MetricsServer;
use crate::operator::Operator;
use crate::panic::{Fragile, Panics, wanted};
use crate::publication::BookPublisher;
use crate::report::{grouped, latency_table};
use crate::risk::{ControlPort, Reply};
use crate::runner::{Idle, Layout, Place, Stop, run, spawn};
use crate::statement::{self, Frame};
use crate::venue::{Memory, Outcome, Venue};

/// Run the venue: feed, engine, gateway. Ctrl-C or SIGTERM ends it.
#[derive(Args)]
pub(crate) struct Run {
    /// The configuration; examples/venue.toml is one that runs as it is.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Trade in this recording instead of a feed; needs --lockstep. In real time, `spindle replay` sends
    /// one to the venue's feed
    #[arg(long, value_name = "DAY", requires = "lockstep")]
    recording: Option<PathBuf>,
    /// As fast as the machine can: the tape's time advances only when every strategy waits
    #[arg(long, requires = "recording")]
    lockstep: bool,
    /// Of a LOBSTER recording the order-book file, which makes the day whole
    #[arg(long, value_name = "FILE", requires = "recording")]
    orderbook: Option<PathBuf>,
    /// Of a capture, the group to read; twice for lines A and B of one stream
    #[arg(long, value_name = "ADDR:PORT", requires = "recording")]
    group: Vec<SocketAddr>,
    /// End before messages of this time of day
    #[arg(long, value_name = "HH:MM:SS", value_parser = time_of_day, requires = "recording")]
    until: Option<EventTime>,
    /// Write how the strategies stand to this file, as JSON: at the end and on SIGUSR1
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The same as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// Where how the strategies stand is told.
struct Reports {
    frame: Frame,
    json: Option<PathBuf>,
    csv: Option<PathBuf>,
}

impl Reports {
    /// Prints a record and writes the files.
    fn tell(&self, record: &RunRecord, outcome: Option<&LockstepOutcome>) -> Result<(), Exit> {
        println!("{}", statement::table(record, &self.frame));
        let write = |path: &PathBuf, text: String| {
            std::fs::write(path, text)
                .map_err(|error| Exit::failed(format!("{}: {error}", path.display())))
        };
        if let Some(path) = &self.json {
            write(path, format!("{:#}\n", statement::json(record, &self.frame, outcome)))?;
        }
        if let Some(path) = &self.csv {
            write(path, statement::csv(record, &self.frame))?;
        }
        Ok(())
    }

    /// Tells a record that was asked for.
    fn look(&self, records: &mut RecordDesk) {
        records.look(|record| {
            if let Err(error) = self.tell(record, None) {
                let _ = error.report();
            }
        });
    }
}

impl Run {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let config = Config::read(&self.config).map_err(Exit::usage)?;
        let (control, events) = unbounded();
        watch_signals(control.clone()).map_err(Exit::failed)?;
        let frame = Frame::new(&config, self.lockstep);
        let reports = Reports { frame, json: self.json.clone(), csv: self.csv.clone() };
        if let Some(recording) = &self.recording {
            return self.run_lockstep(&config, recording, &reports, &control, &events);
        }
        let log = Log::new(config.log);
        let metrics = config.metrics.map(MetricsServer::open).transpose().map_err(Exit::usage)?;
        let venue = Venue::build(&config).map_err(Exit::usage)?;
        let layout = Layout::fit(&config.threads);
        self.tell_start(&config, &venue, &layout, metrics.as_ref(), log);
        let mut venue = venue;
        venue.risk.read_again_from(self.config.clone());
        let port = match &config.risk.control {
            None => None,
            Some(path) => Some(ControlPort::open(path).map_err(|error| {
                Exit::usage(format!("{}: no control socket: {error}", path.display()))
            })?),
        };
        serve(venue, port, metrics, log, &layout, &reports, &control, &events)
    }

    /// Says how the venue begins.
    fn tell_start(
        &self,
        config: &Config,
        venue: &Venue,
        layout: &Layout,
        metrics: Option<&MetricsServer>,
        log: Log,
    ) {
        let entry = |source, event| Entry::new(Level::Info, source, event);
        if config.access.plain_passwords > 0 {
            let text = format!(
                "{} passwords stand in {} as they are; `spindle password` makes hashes of them",
                config.access.plain_passwords,
                self.config.display(),
            );
            let passwords = config.access.plain_passwords;
            let entry = Entry::new(Level::Warn, "gateway", "plain_passwords").text(text);
            log.tell(&entry.with("passwords", passwords));
        }
        log.tell(&entry("", "layout").with("cores", layout.cores).text(layout.describe()));
        if let Some(line) = venue.engine.feed().describe() {
            log.tell(&entry("feed", "listening").text(line));
        }
        for line in &venue.found {
            log.tell(&entry("journal", "found").text(line.as_str()));
        }
        let text = format!("memory of the engine: {} MiB", venue.memory_bytes >> 20);
        log.tell(&entry("", "engine_memory").with("bytes", venue.memory_bytes).text(text));
        let memory = Memory::of(config);
        log.tell(&entry("", "memory").with("bytes_max", memory.total()).text(memory.describe()));
        let listening = |source, address: SocketAddr, more: String| {
            let text = format!("listening on {address}{more}");
            log.tell(&entry(source, "listening").with("address", address.to_string()).text(text));
        };
        listening("ouch", venue.address, String::new());
        if let (Some(fix), Some(address)) = (&config.fix, venue.fix_address) {
            let (sessions, mebibytes) = (fix.sessions.len(), fix.bytes() >> 20);
            listening("fix", address, format!("; {sessions} sessions, at most {mebibytes} MiB"));
        }
        if let Some(metrics) = metrics {
            listening("metrics", metrics.address(), "; GET /metrics".to_owned());
        }
        if let Some(publisher) = &venue.publisher {
            let targets: Vec<_> = publisher.targets().iter().map(ToString::to_string).collect();
            let requests = publisher.request_address();
            let requests = requests.map_or(String::new(), |at| format!("; requests at {at}"));
            let text = format!("books to {}{requests}", targets.join(" and "));
            log.tell(&entry("publish", "publishing").text(text));
        }
    }

    fn run_lockstep(
        &self,
        config: &Config,
        recording: &Path,
        reports: &Reports,
        control: &Sender<Control>,
        events: &Receiver<Control>,
    ) -> Result<(), Exit> {
        let options = OpenOptions { groups: self.group.clone() };
        let tape = Tape::open(recording, self.orderbook.as_deref(), &options, self.until)
            .map_err(Exit::usage)?;
        let name = self.config.display().to_string();
        let ready = lockstep::build(config, &name, tape).map_err(Exit::usage)?;
        let Ready { mut run, mut records, users } = ready;
        let mut notices = run.notices(1_024);
        let log = Log::new(config.log);
        if let Some((ouch, tape)) = run.addresses() {
            eprintln!("ouch: listening on {ouch}");
            eprintln!("tape: listening on {tape}");
        }
        if let Some(control) = &config.risk.control {
            eprintln!(
                "risk: {} is not opened: a run in lockstep has no operator, whose changes would come at \
                 a moment of this machine's and make no two runs the same; set limits in {name}",
                control.display()
            );
        }
        eprintln!(
            "lockstep: the tape begins when all of these are logged in and wait: {}",
            users.join(", ")
        );
        let stop = Stop::default();
        let flag = stop.flag();
        let ended = SayEnded(control.clone());
        let place = Place { core: None, idle: Idle::Yield };
        let started = Instant::now();
        let thread = spawn("lockstep", place, move || {
            let _ended = ended;
            let result = run.run(&flag);
            (run, result)
        })
        .map_err(Exit::failed)?;
        loop {
            match events.recv_timeout(Duration::from_millis(20)) {
                Ok(Control::Quit) => stop.stop(),
                Ok(Control::Report) => records.ask(),
                Ok(Control::Ended) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Control::Reload) | Err(RecvTimeoutError::Timeout) => {}
            }
            print(&mut notices, log);
            reports.look(&mut records);
        }
        let Ok((run, result)) = thread.join() else {
            return Err(Exit::failed("the run ended by a panic; see the lines above"));
        };
        let elapsed = started.elapsed();
        print(&mut notices, log);
        let (engine, books, _, outcome) = run.into_parts();
        println!("{}", lockstep_summary(&engine, &outcome, elapsed));
        reports.tell(&books.last_record(&engine), Some(&outcome))?;
        result.map_err(|error| Exit::failed(format!("lockstep: {error}")))
    }
}

/// A few lines on what a run in lockstep did.
fn lockstep_summary(engine: &Engine, outcome: &LockstepOutcome, elapsed: Duration) -> String {
    let counters = engine.counters();
    let rows = [
        ("market messages", outcome.messages),
        ("messages not decoded", outcome.undecoded),
        ("unknown references", counters.unknown_references),
        ("turns", outcome.turns),
        ("answers", outcome.answers),
        ("answers hurried", outcome.hurried),
        ("requests", counters.commands),
        ("orders accepted", counters.accepted),
        ("requests rejected", counters.rejected),
        ("executions", counters.executions),
        ("shares executed", counters.executed_shares),
    ];
    let mut lines: Vec<_> =
        rows.iter().map(|(name, count)| format!("{name:<24}{:>15}", grouped(*count))).collect();
    lines.push(format!("{:<24}{:016x}", "checksum of all told", outcome.checksum));
    for (user, time) in &outcome.gone {
        lines
            .push(format!("{user} disconnected at {time} of the tape; the run went on without it"));
    }
    if outcome.stopped {
        lines.push(format!("ended at {} of the tape, as asked", outcome.time));
    }
    lines.push(format!(
        "{:.2} s from the first look for strategies to the end",
        elapsed.as_secs_f64()
    ));
    lines.join("\n")
}

/// What the main thread waits for.
enum Control {
    /// An operator wants the end.
    Quit,
    /// An operator wants to know how the strategies stand.
    Report,
    /// An operator wants the configuration's limits to be read again.
    Reload,
    /// A thread of the venue has ended by itself.
    Ended,
}

/// Turns the signals that end a program into a message.
fn watch_signals(control: Sender<Control>) -> std::io::Result<()> {
    // Beyond a limit of the length of files a write fails as any other may; without this the process would be killed.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in &mut signals {
            // Nobody listens once the venue is over.
            let wanted = match signal {
                SIGUSR1 => Control::Report,
                SIGHUP => Control::Reload,
                SIGXFSZ => continue,
                _ => Control::Quit,
            };
            let _ = control.send(wanted);
        }
    })?;
    Ok(())
}

/// Runs the threads until the end is wanted, then ends gateway and engine in that order, so that
/// every request that was passed on is answered.
#[allow(clippy::too_many_arguments, reason = "what a venue is made of, handed over once")]
fn serve(
    venue: Venue,
    port: Option<ControlPort>,
    metrics: Option<MetricsServer>,
    log: Log,
    layout: &Layout,
    reports: &Reports,
    control: &Sender<Control>,
    events: &Receiver<Control>,
) -> Result<(), Exit> {
    let Venue {
        engine,
        gateway,
        mut notices,
        mut records,
        risk,
        status,
        publisher,
        shutdown,
        journal,
        follower,
        ..
    } = venue;
    let panics = Panics::catch();
    let mut operator = Operator::new(risk, status, port, metrics, log);
    let mut watch = engine.feed().watch();
    let started = Instant::now();
    let stop = Stop::default();
    let engine_thread = agent_thread(engine, layout.engine, stop.clone(), control.clone())?;
    // Where there is no core for it, the publisher shares the gateway's.
    let (alone, beside) = match layout.others {
        Some(place) => (publisher.map(|publisher| (publisher, place)), None),
        None => (None, publisher),
    };
    let stop_publisher = Stop::default();
    let publisher_thread = alone.map(|(publisher, place)| {
        agent_thread(publisher, place, stop_publisher.clone(), control.clone())
    });
    let publisher_thread = publisher_thread.transpose()?;
    let front = Front { gateway, publisher: beside };
    let gateway_thread = agent_thread(front, layout.gateway, Stop::default(), control.clone())?;
    let cold = Place { core: None, idle: Idle::Park };
    let journal_thread = journal
        .map(|journal| agent_thread(journal, cold, Stop::default(), control.clone()))
        .transpose()?;
    let stop_follower = Stop::default();
    let follower_thread = follower
        .map(|follower| agent_thread(follower, cold, stop_follower.clone(), control.clone()))
        .transpose()?;
    // This thread is cold: it prints, and waits for the end.
    loop {
        match events.recv_timeout(Duration::from_millis(20)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Control::Report) => records.ask(),
            Ok(Control::Reload) => {
                if let Reply::Now(answer) = operator.risk.reload() {
                    let entry = Entry::new(Level::Error, "risk", "not_reloaded");
                    log.tell(&entry.text(answer.to_string()));
                }
            }
            Ok(Control::Quit | Control::Ended) | Err(RecvTimeoutError::Disconnected) => break,
        }
        print(&mut notices, log);
        operator.turn(&mut records, Instant::now());
        reports.look(&mut records);
        if let Some(watch) = &mut watch {
            watch.look(started.elapsed(), |notice| log.tell(&Entry::from(&notice)));
        }
    }
    shutdown.request();
    let gateway = gateway_thread.join();
    print(&mut notices, log);
    stop.stop();
    let engine = engine_thread.join();
    stop_publisher.stop();
    let publisher = publisher_thread.map(thread::JoinHandle::join).transpose();
    let (Ok(front), Ok(mut engine), Ok(publisher)) = (gateway, engine, publisher) else {
        return Err(Exit::Panic(panics.said()));
    };
    let Front { mut gateway, publisher: beside } = front;
    gateway.desk_mut().close_tap(engine.engine().told());
    engine.close_tap();
    stop_follower.stop();
    if follower_thread.is_some_and(|thread| thread.join().is_err()) {
        eprintln!("snapshot: the follower ended by a panic; see the lines above");
    }
    if let Some(thread) = journal_thread {
        let Ok(mut journal) = thread.join() else {
            return Err(Exit::Panic(panics.said()));
        };
        journal.close(engine.engine().state_hash()).map_err(|error| {
            Exit::Journal(format!(
                "journal: {error}; intake was stopped, and what was not safe was not acknowledged"
            ))
        })?;
        println!("{}", journal_summary(journal.stats()));
    }
    if let Some(publisher) = publisher.or(beside) {
        end_publication(publisher);
    }
    if engine.engine().is_publication_broken() {
        eprintln!("publish: one input changed more than there is room for; the feed ended there");
    }
    let outcome = Outcome { engine: &engine, gateway: gateway.stats() };
    println!("{}", summary(&outcome));
    println!("{}", latency_table(&outcome, None));
    if let Some(imbalance) = engine.engine().imbalance() {
        return Err(Exit::failed(imbalance));
    }
    let record = engine.rider().last_record(engine.engine());
    if !record.accounts.accounts.is_empty() {
        reports.tell(&record, None)?;
    }
    Ok(())
}

/// The gateway, and the publisher of the books where it shares the gateway's thread.
struct Front {
    gateway: Gateway,
    publisher: Option<BookPublisher>,
}

impl Agent for Front {
    fn name(&self) -> &str {
        "gateway"
    }

    fn poll(&mut self) -> usize {
        self.gateway.poll() + self.publisher.as_mut().map_or(0, Agent::poll)
    }

    fn is_done(&self) -> bool {
        self.gateway.is_done()
    }
}

/// Sends what is left of the feed and its end; the engine notes no more.
fn end_publication(mut publisher: BookPublisher) {
    let begun = Instant::now();
    publisher.end();
    while !publisher.is_done() && begun.elapsed() < END_MAX {
        if publisher.poll() == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    let counters = publisher.counters();
    let (messages, packets) = (grouped(counters.messages), grouped(counters.packets));
    eprintln!(
        "publish: {messages} messages in {packets} packets, {} requests answered",
        counters.answered
    );
    if counters.first_kept > 1 {
        let lost = grouped(counters.forgotten);
        eprintln!(
            "publish: messages below {} were no longer kept; {lost} requests for such had no answer. \
             A higher [publish] store_mib keeps more",
            grouped(counters.first_kept)
        );
    }
}

/// How long the end of the feed may take.
const END_MAX: Duration = Duration::from_secs(2);

/// A few lines on what the journal did.
fn journal_summary(stats: &JournalStats) -> String {
    let rows = [
        ("journal records", stats.records),
        ("journal commits", stats.commits),
        ("commit p50, us", stats.sync_ns.value_at_quantile(0.5) / 1_000),
        ("commit p99, us", stats.sync_ns.value_at_quantile(0.99) / 1_000),
        ("most records not safe", stats.window_records),
        ("longest not safe, us", stats.window_ns / 1_000),
    ];
    let lines = rows.map(|(name, count)| format!("{name:<24}{:>15}", grouped(count)));
    lines.join("\n")
}

fn print(notices: &mut Consumer<GatewayNotice>, log: Log) {
    while let Ok(notice) = notices.pop() {
        log.tell(&Entry::from(&notice));
    }
}

/// Says, also when its thread panics, that the thread has ended.
struct SayEnded(Sender<Control>);

impl Drop for SayEnded {
    fn drop(&mut self) {
        let _ = self.0.send(Control::Ended);
    }
}

fn agent_thread<A: Agent + 'static>(
    agent: A,
    place: Place,
    stop: Stop,
    control: Sender<Control>,
) -> Result<thread::JoinHandle<A>, Exit> {
    let name = agent.name().to_owned();
    let panic = wanted(&name);
    spawn(&name, place, move || {
        let _ended = SayEnded(control);
        // Dropped in a panic before the end is said: others see that it is gone before they are told to end.
        let mut agent = agent;
        match panic {
            None => run(&mut [&mut agent], place.idle, &stop),
            Some(wanted) => {
                let mut fragile = Fragile { agent: &mut agent, wanted };
                run(&mut [&mut fragile], place.idle, &stop);
            }
        }
        agent
    })
    .map_err(|error| Exit::failed(format!("thread {name}: {error}")))
}

/// A few lines on what the venue did.
pub(crate) fn summary(outcome: &Outcome<'_>) -> String {
    let engine = outcome.engine.engine();
    let (counters, feed) = (engine.counters(), outcome.engine.feed_counters());
    let rows = [
        ("market packets", feed.packets),
        ("market messages", counters.market_messages),
        ("messages lost", feed.lost),
        ("unknown references", counters.unknown_references),
        ("requests", counters.commands),
        ("orders accepted", counters.accepted),
        ("requests rejected", counters.rejected),
        ("risk warnings", engine.gate().counts().all_warnings()),
        ("executions", counters.executions),
        ("shares executed", counters.executed_shares),
        ("logins", outcome.gateway.logins),
        ("logins refused", outcome.gateway.refused_logins),
    ];
    let lines = rows.map(|(name, count)| format!("{name:<24}{:>15}", grouped(count)));
    lines.join("\n")
}
