//! `spindle run`: the venue.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rtrb::Consumer;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use spindle_gateway::GatewayNotice;
use spindle_types::Agent;

use crate::config::Config;
use crate::exit::Exit;
use crate::report::{grouped, latency_table};
use crate::runner::{Layout, Place, Stop, run, spawn};
use crate::venue::{Outcome, Venue};

/// Run the venue: feed, engine, gateway. Ctrl-C or SIGTERM ends it.
#[derive(Args)]
pub(crate) struct Run {
    /// The configuration; examples/venue.toml is one that runs as it is.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Run {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let config = Config::read(&self.config).map_err(Exit::usage)?;
        let (control, events) = unbounded();
        watch_signals(control.clone()).map_err(Exit::failed)?;
        let venue = Venue::build(&config).map_err(Exit::usage)?;
        let layout = Layout::fit(&config.threads);
        eprintln!("{}", layout.describe());
        if let Some(line) = venue.engine.feed().describe() {
            eprintln!("feed: {line}");
        }
        eprintln!("memory of the engine: {} MiB", venue.memory_bytes >> 20);
        eprintln!("ouch: listening on {}", venue.address);
        if let (Some(fix), Some(address)) = (&config.fix, venue.fix_address) {
            let (sessions, mebibytes) = (fix.sessions.len(), fix.bytes() >> 20);
            eprintln!("fix: listening on {address}; {sessions} sessions, at most {mebibytes} MiB");
        }
        serve(venue, &layout, &control, &events)
    }
}

/// What the main thread waits for.
enum Control {
    /// An operator wants the end.
    Quit,
    /// A thread of the venue has ended by itself.
    Ended,
}

/// Turns the signals that end a program into a message.
fn watch_signals(control: Sender<Control>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in &mut signals {
            // Nobody listens once the venue is over.
            let _ = control.send(Control::Quit);
        }
    })?;
    Ok(())
}

/// Runs the threads until the end is wanted, then ends gateway and engine in that order, so that
/// every request that was passed on is answered.
fn serve(
    venue: Venue,
    layout: &Layout,
    control: &Sender<Control>,
    events: &Receiver<Control>,
) -> Result<(), Exit> {
    let Venue { engine, gateway, mut notices, shutdown, .. } = venue;
    let mut watch = engine.feed().watch();
    let started = Instant::now();
    let stop = Stop::default();
    let engine_thread = agent_thread(engine, layout.engine, stop.clone(), control.clone())?;
    let gateway_thread = agent_thread(gateway, layout.gateway, Stop::default(), control.clone())?;
    // This thread is cold: it prints, and waits for the end.
    while let Err(RecvTimeoutError::Timeout) = events.recv_timeout(Duration::from_millis(20)) {
        print(&mut notices);
        if let Some(watch) = &mut watch {
            watch.look(started.elapsed(), |line| eprintln!("feed: {line}"));
        }
    }
    shutdown.request();
    let gateway = gateway_thread.join();
    print(&mut notices);
    stop.stop();
    let engine = engine_thread.join();
    let (Ok(gateway), Ok(engine)) = (gateway, engine) else {
        return Err(Exit::failed("a thread of the venue ended by a panic; see the lines above"));
    };
    let outcome = Outcome { engine: &engine, gateway: gateway.stats() };
    println!("{}", summary(&outcome));
    println!("{}", latency_table(&outcome, None));
    Ok(())
}

fn print(notices: &mut Consumer<GatewayNotice>) {
    while let Ok(notice) = notices.pop() {
        eprintln!("gateway: {notice}");
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
    mut agent: A,
    place: Place,
    stop: Stop,
    control: Sender<Control>,
) -> Result<thread::JoinHandle<A>, Exit> {
    let name = agent.name().to_owned();
    spawn(&name, place, move || {
        let _ended = SayEnded(control);
        run(&mut [&mut agent], place.idle, &stop);
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
        ("executions", counters.executions),
        ("shares executed", counters.executed_shares),
        ("logins", outcome.gateway.logins),
        ("logins refused", outcome.gateway.refused_logins),
    ];
    let lines = rows.map(|(name, count)| format!("{name:<24}{:>15}", grouped(count)));
    lines.join("\n")
}
