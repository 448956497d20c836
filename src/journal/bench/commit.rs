//! Group commit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use quanta::Clock;
use rtrb::{Consumer, Producer, RingBuffer};
use serde::Serialize;
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::command::{
    Action, Attributes, Command, Enter, Modifiers, OrderKind, OrderSide, TimeInForce,
};
use spindle_engine::event::{Event, Outcome};
use spindle_engine::input::encode_command;
use spindle_engine::tap::{EngineTap, FrameHeader, Progress, Tap, ring, tap};
use spindle_gateway::record::kind;
use spindle_lab::recorder::histogram;
use spindle_types::{AccountId, Agent, EventTime, OrderToken, Price, Quantity, SessionId, Symbol};

use super::{BenchError, said};
use crate::config::Config;
use crate::journal::{JournalAgent, Opening};
use crate::machine::Rings;
use crate::venue::{engine_of, limit};

/// What a gateway records of an order: head and message.
const MESSAGE: [u8; 42 + 47] = [0; 42 + 47];

/// Orders under way in each run.
const WINDOWS: [u64; 4] = [64, 256, 1_024, 4_096];

/// How long each run takes.
const RUN: Duration = Duration::from_millis(1_000);

/// What group commit holds with so many orders under way.
#[derive(Clone, Debug, Serialize)]
pub struct CommitRun {
    /// Orders under way.
    pub window: u64,
    /// Orders a second of which the answer could leave.
    pub orders_a_second: f64,
    /// From the request's way into the engine's ring to its answer's leave, in microseconds: half of them.
    pub p50_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// The slowest.
    pub max_us: f64,
    /// Records for each sync.
    pub records_a_commit: f64,
    /// How long a write with its sync took, in microseconds: half of them.
    pub sync_p50_us: f64,
}

/// Group commit.
#[derive(Clone, Debug, Serialize)]
pub struct Commits {
    /// With few orders under way up to many.
    pub runs: Vec<CommitRun>,
}

pub(super) fn config(directory: &Path) -> Result<Config, BenchError> {
    let text = format!(
        "[venue]\nname = \"COMMIT\"\n[engine]\norders_max = 100_000\nlevels_max = 10_000\n\
         own_orders_max = 16_384\ninstruments_max = 8\n[gateway]\nouch_listen = \"127.0.0.1:0\"\n\
         [[instrument]]\nsymbol = \"X\"\nreference_price = \"100.00\"\n[[account]]\nname = \"A\"\n\
         order_size_max = 10_000\norder_value_max = \"100000000.00\"\ncollar_percent = \"90\"\nopen_orders_max = 10_000\n\
         [[session]]\nuser = \"a\"\npassword = \"a\"\naccount = \"A\"\n\
         [journal]\ndirectory = {directory:?}\n",
    );
    Config::parse(&text, "the bench's own configuration").map_err(said)
}

/// An order that stands nowhere: it is accepted, finds nothing and is cancelled.
pub(super) fn order(token: u32, received: u64) -> Command {
    let enter = Enter {
        token: OrderToken(token),
        symbol: Symbol(*b"X       "),
        side: if token.is_multiple_of(2) { OrderSide::Buy } else { OrderSide::Sell },
        quantity: Quantity(100),
        limit: Some(Price(1_000_000)),
        kind: OrderKind::Plain,
        modifiers: Modifiers::NONE,
        time_in_force: TimeInForce::ImmediateOrCancel,
        attributes: Attributes::default(),
    };
    Command {
        time: EventTime(0),
        session: SessionId(0),
        account: AccountId(0),
        received,
        queued: 0,
        action: Action::Enter(enter),
    }
}

pub(super) struct Rig {
    pub(super) agent: EngineAgent<NoFeed>,
    pub(super) commands: Producer<Command>,
    pub(super) events: Consumer<Event>,
}

pub(super) fn rig(config: &Config) -> Result<Rig, BenchError> {
    let mut engine = engine_of(config);
    limit(&mut engine, config, &[]).map_err(said)?;
    let (commands, commands_out) = RingBuffer::new(8_192);
    let (events_in, events) = RingBuffer::new(16_384);
    let time = TimeSource::Wall { ticks: Clock::new().raw(), time: EventTime(1) };
    let agent = EngineAgent::new(engine, NoFeed, commands_out, events_in, time, false);
    Ok(Rig { agent, commands, events })
}

/// Group commit: an engine, a journal and somebody who asks, a thread each.
///
/// # Errors
/// The system refuses.
pub fn commits(directory: &Path) -> Result<Commits, BenchError> {
    let mut runs = Vec::new();
    for window in WINDOWS {
        let place = directory.join(format!("window-{window}"));
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir_all(&place).map_err(said)?;
        let run = commit_run(&place, window);
        let _ = std::fs::remove_dir_all(&place);
        runs.push(run?);
    }
    Ok(Commits { runs })
}

fn poll_until<A: Agent>(agent: &mut A, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) && !agent.is_done() {
        if agent.poll() == 0 {
            std::thread::yield_now();
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn commit_run(directory: &Path, window: u64) -> Result<CommitRun, BenchError> {
    let config = config(directory)?;
    let kept = config.journal.clone().ok_or_else(|| "no journal".to_owned())?;
    let locked = Opening::find(&config, &kept).and_then(|found| found.go_on(1)).map_err(said)?;
    let Rig { mut agent, mut commands, mut events } = rig(&config)?;
    let progress = Arc::<Progress>::default();
    let rings = Rings::default();
    let (engine_tap, engine_reader) = tap(rings.engine_journal_bytes, &progress);
    let (gateway_tap, gateway_reader) = tap(rings.gateway_journal_bytes, &progress);
    agent.record(EngineTap::new(engine_tap, 0));
    let mut journal =
        JournalAgent::new(locked, &kept, engine_reader, gateway_reader, Arc::clone(&progress));
    let stop = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        scope.spawn(|| poll_until(&mut agent, &stop));
        scope.spawn(|| poll_until(&mut journal, &stop));
        let asked = ask(&mut commands, &mut events, gateway_tap, &progress, window);
        stop.store(true, Ordering::Release);
        asked
    });
    let (answered, took, latency) = asked;
    let stats = journal.stats();
    if let Some(error) = journal.error() {
        return Err(said(error));
    }
    let microseconds = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
    Ok(CommitRun {
        window,
        orders_a_second: answered as f64 / took.as_secs_f64(),
        p50_us: microseconds(0.5),
        p99_us: microseconds(0.99),
        max_us: latency.max() as f64 / 1e3,
        records_a_commit: stats.records as f64 / stats.commits.max(1) as f64,
        sync_p50_us: stats.sync_ns.value_at_quantile(0.5) as f64 / 1e3,
    })
}

/// Keeps so many orders under way, and takes an answer when it may leave.
fn ask(
    commands: &mut Producer<Command>,
    events: &mut Consumer<Event>,
    mut gateway: Tap,
    progress: &Progress,
    window: u64,
) -> (u64, Duration, Histogram<u64>) {
    let (clock, begun) = (Clock::new(), Instant::now());
    let mut latency = histogram();
    let (mut asked, mut answered, mut told) = (0_u64, 0_u64, 0);
    let (mut token, mut request) = (0_u32, Vec::new());
    loop {
        let is_over = begun.elapsed() >= RUN;
        if is_over && answered == asked || begun.elapsed() >= 5 * RUN {
            return (answered, begun.elapsed(), latency);
        }
        let mut work = 0;
        while !is_over && asked - answered < window && gateway.has_room() && !commands.is_full() {
            token += 1;
            let time = asked;
            let header =
                FrameHeader { length: 0, kind: kind::OUCH_MESSAGE, time, told, passed: asked };
            gateway.write(&header, [&MESSAGE, &[]]);
            let order = order(token, clock.raw());
            request.clear();
            encode_command(&mut request, &order);
            gateway.write(&FrameHeader { kind: ring::PASSED, ..header }, [&request, &[]]);
            if commands.push(order).is_err() {
                break;
            }
            asked += 1;
            work += 1;
        }
        let safe = progress.events();
        while let Ok(event) = events.peek()
            && event.sequence <= safe
        {
            if matches!(event.outcome, Outcome::Accepted { .. }) {
                latency.saturating_record(clock.delta_as_nanos(event.received, clock.raw()));
                answered += 1;
            }
            told = event.sequence;
            let _ = events.pop();
            work += 1;
        }
        if work == 0 {
            std::thread::yield_now();
        }
    }
}
