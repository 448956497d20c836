//! The whole thing on one machine: a day is made up, replayed into a venue over UDP, and strategies
//! trade in it over OUCH. Nothing is configured, and nothing stays behind.

mod strategies;
mod trader;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use spindle_accounts::{AccountsConfig, FeeSchedule};
use spindle_engine::{Capacity, EngineConfig};
use spindle_feed::itch::Message;
use spindle_gateway::OuchEdition;
use spindle_gateway::client::Login;
use spindle_gateway::delay::SessionModels;
use spindle_gateway::fix::CancelOn;
use spindle_replay::generate::{GenerateConfig, GenerateError, GeneratedDay, Generator};
use spindle_replay::publish::{
    Outgoing, OutgoingConfig, PublishError, PublishStats, Publisher, Speed, Target,
};
use spindle_replay::recording::Recording;
use spindle_risk::{GateConfig, Key, Limits};
use spindle_types::{AccountId, Agent, InstrumentId, SessionId, Symbol};
use thiserror::Error;

use crate::config::risk::RiskConfig;
use crate::config::{
    Access, AccountConfig, Config, FeedConfig, FeedLine, JoinAt, LatencyConfig, ReceivePath,
    SessionConfig, ThreadsTable,
};
use crate::log::Format;
use crate::runner::{Layout, Place, Stop, run as run_agents, spawn};
use crate::venue::{Venue, VenueEngine, VenueError};
use spindle_gateway::{Gateway, GatewayStats};
use strategies::{Breaker, Decide, Quoter, Strategy, Taker};
use trader::Trader;
pub use trader::{Tally, round_trips};

/// Limits of the account that breaks them.
const BREAKER_SIZE_MAX: u32 = 50_000;
const BREAKER_VALUE_MAX: u64 = 1_000_000_000;

/// Messages that may be between the publisher and the books: less than a receive buffer holds.
const IN_FLIGHT_MAX: u64 = 2_000;

/// What can be chosen of a demo.
#[derive(Clone, Copy, Debug)]
pub struct DemoOptions {
    /// Messages of the day.
    pub messages: u64,
    /// Instruments of the day.
    pub symbols: u16,
    /// What the day is made from.
    pub seed: u64,
    /// Messages a second at most.
    pub rate: u64,
    /// How packets are received.
    pub receive: ReceivePath,
    /// For tests that count on the engine's thread.
    pub hooks: Option<Hooks>,
}

/// Called on the engine's thread.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// When it is about to take its first turn.
    pub begin: fn(),
    /// When it has taken its last.
    pub end: fn(),
}

/// Why a demo does not run to its end.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The day cannot be made.
    #[error("{0}")]
    Generate(#[from] GenerateError),
    /// The venue does not start.
    #[error("{0}")]
    Venue(#[from] VenueError),
    /// The day cannot be sent.
    #[error("replay: {0}")]
    Publish(#[from] PublishError),
    /// The system gives no thread, or a thread panicked.
    #[error("{0}")]
    Thread(String),
    /// The venue did not take the whole day.
    #[error("only {taken} of {sent} messages were taken within {seconds} s")]
    Incomplete {
        /// Messages taken.
        taken: u64,
        /// Messages sent.
        sent: u64,
        /// After how long.
        seconds: u64,
    },
}

/// What a demo showed.
pub struct DemoOutcome {
    /// The engine, its feed and its latencies.
    pub engine: VenueEngine,
    /// The gateway's counters and latencies.
    pub gateway: GatewayStats,
    /// Name, instrument and count of each strategy.
    pub strategies: Vec<(&'static str, Symbol, Tally)>,
    /// How the threads were laid out.
    pub layout: String,
    /// How packets were received.
    pub receive: String,
    /// From the first packet to the end of the day.
    pub elapsed: Duration,
}

/// A progress to show: messages taken of all.
pub type Progress<'a> = &'a mut dyn FnMut(u64);

/// Runs a demo from beginning to end.
///
/// # Errors
/// See [`DemoError`].
pub fn run(options: &DemoOptions, progress: Progress<'_>) -> Result<DemoOutcome, DemoError> {
    let day = GenerateConfig::new(options.messages, options.symbols, options.seed)?;
    let busiest = busiest(day);
    let venue = Venue::build(&config(options))?;
    let layout = Layout::fit(&ThreadsTable::default());
    let receive = venue.engine.feed().describe().unwrap_or_default();
    let target = venue.engine.feed().addresses();
    let publisher = publisher(options, day, &venue, target[0])?;
    let strategies = strategies(&venue, &busiest);
    let running = Running::start(venue, publisher, strategies, &layout, options.hooks)?;
    let start = Instant::now();
    let ended = running.watch(options.messages, progress);
    let elapsed = start.elapsed();
    let (engine, gateway, strategies) = running.finish()?;
    ended?;
    let strategies = strategies.into_iter().map(Strategy::finish).collect();
    let layout = layout.describe();
    Ok(DemoOutcome { engine, gateway, strategies, layout, receive, elapsed })
}

/// The instruments of a day that have the most orders, the busiest first.
fn busiest(day: GenerateConfig) -> Vec<(InstrumentId, Symbol)> {
    let mut orders = vec![(0_u64, InstrumentId(0), Symbol::BLANK); usize::from(u16::MAX) + 1];
    let mut generator = Generator::new(day);
    while let Some(message) = generator.next_message() {
        if let Ok(Message::AddOrder(add)) = Message::decode(message) {
            let locate = add.header.locate.get();
            let entry = &mut orders[usize::from(locate)];
            *entry = (entry.0 + 1, InstrumentId(locate), Symbol(add.stock));
        }
    }
    orders.sort_by_key(|&(count, instrument, _)| (std::cmp::Reverse(count), instrument));
    orders.into_iter().map(|(_, instrument, symbol)| (instrument, symbol)).take(3).collect()
}

/// The venue of the demo, as a configuration file would make it.
fn config(options: &DemoOptions) -> Config {
    let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let limits = |size: u32, value, basis_points, open| {
        Limits::NONE
            .with(Key::OrderSizeMax, size.into())
            .with(Key::OrderValueMax, value)
            .with(Key::CollarPercent, basis_points)
            .with(Key::OpenOrdersMax, open)
    };
    let accounts = [
        ("QUOTER", limits(10_000, 100_000_000_000, 2_000, 100)),
        ("TAKER", limits(1_000, 10_000_000_000, 1_000, 10)),
        ("BREAKER", limits(BREAKER_SIZE_MAX, BREAKER_VALUE_MAX, 500, 1)),
    ];
    let ids = 0..=u16::MAX;
    let accounts: Vec<_> = ids
        .clone()
        .zip(accounts)
        .map(|(id, (name, limits))| AccountConfig {
            id: AccountId(id),
            name: name.to_owned(),
            firm: None,
            ouch_firm: String::new(),
            limits,
            fees: FeeSchedule::default(),
        })
        .collect();
    let sessions = ids.zip(USERS).map(|(id, user)| SessionConfig {
        id: SessionId(id),
        user: user.to_owned(),
        password: PASSWORD.to_owned(),
        account: AccountId(id),
        protocol: OuchEdition::V50,
        cancel_on: CancelOn::Never,
        grace_ns: 0,
        latency: SessionModels::default(),
    });
    let capacity = Capacity {
        instruments: usize::from(options.symbols) + 1,
        orders: usize::try_from(options.messages).unwrap_or(usize::MAX).clamp(10_000, 1_000_000),
        levels: 200_000,
    };
    let first_number = EngineConfig::BESIDE_A_FEED;
    let line = FeedLine { address: loopback(0), interface: None, source: None };
    Config {
        name: "DEMO".to_owned(),
        engine: EngineConfig { capacity, own_orders: 4_096, first_number },
        measure: true,
        risk: RiskConfig { gate: GateConfig::for_accounts(3), ..RiskConfig::default() },
        threads: ThreadsTable::default(),
        ouch_listen: loopback(0),
        connections_max: 16,
        access: Access::default(),
        fix: None,
        publish: None,
        feed: Some(FeedConfig {
            lines: vec![line],
            receive: options.receive,
            session: None,
            request: Vec::new(),
            join: JoinAt::First,
            receive_buffer_bytes: 4 << 20,
            silence_ms: 3_000,
            quarantine_basis_points: Some(5_000),
        }),
        instruments: Vec::new(),
        accounts,
        sessions: sessions.collect(),
        latency: LatencyConfig { seed: 1, scale: true },
        accounting: AccountsConfig::default(),
        lockstep: None,
        journal: None,
        metrics: None,
        log: Format::default(),
    }
}

const USERS: [&str; 3] = ["quoter", "taker", "breakr"];
const PASSWORD: &str = "demo";

fn publisher(
    options: &DemoOptions,
    day: GenerateConfig,
    venue: &Venue,
    address: SocketAddr,
) -> Result<Publisher, DemoError> {
    let config = OutgoingConfig {
        session: *b"DEMO      ",
        speed: Speed::Max,
        rate: Some(options.rate),
        end_packets: 3,
        end_spacing_ns: 10_000_000,
        ..OutgoingConfig::default()
    };
    let recording = Recording::new(GeneratedDay::new(day));
    let mut publisher =
        Publisher::new(Outgoing::new(recording, config), Target { address, interface: None })?;
    publisher.set_window(venue.engine.position(), IN_FLIGHT_MAX);
    Ok(publisher)
}

fn strategies(venue: &Venue, busiest: &[(InstrumentId, Symbol)]) -> Vec<Strategy> {
    let decide: [Box<dyn Decide>; 3] =
        [Box::new(Quoter::new()), Box::new(Taker::new()), Box::new(Breaker::new())];
    USERS
        .iter()
        .zip(decide)
        .filter_map(|(user, decide)| {
            // The names are constants that a login takes.
            let login = Login::new(user, PASSWORD).ok()?;
            let instrument = *busiest.first()?;
            let trader = Trader::new(venue.address, login, venue.tops.clone(), instrument);
            Some(Strategy::new(trader, decide))
        })
        .collect()
}

/// What runs beside the engine: on two cores all of it on one thread.
struct Clients {
    publisher: Publisher,
    strategies: Vec<Strategy>,
}

impl Agent for Clients {
    fn name(&self) -> &str {
        "clients"
    }

    fn poll(&mut self) -> usize {
        let work = if self.publisher.is_done() { 0 } else { self.publisher.poll() };
        work + self.strategies.iter_mut().map(Agent::poll).sum::<usize>()
    }
}

/// The gateway together with the clients, for machines without a core for each.
struct Shared {
    gateway: Gateway,
    clients: Option<Clients>,
}

impl Agent for Shared {
    fn name(&self) -> &str {
        "gateway"
    }

    fn poll(&mut self) -> usize {
        self.gateway.poll() + self.clients.as_mut().map_or(0, Agent::poll)
    }

    fn is_done(&self) -> bool {
        self.gateway.is_done()
    }
}

/// A demo under way.
struct Running {
    engine: thread::JoinHandle<VenueEngine>,
    gateway: thread::JoinHandle<Shared>,
    clients: Option<thread::JoinHandle<Clients>>,
    stop_engine: Stop,
    stop_clients: Stop,
    shutdown: spindle_gateway::ShutdownHandle,
    position: std::sync::Arc<std::sync::atomic::AtomicU64>,
    sent: std::sync::Arc<PublishStats>,
}

impl Running {
    fn start(
        venue: Venue,
        publisher: Publisher,
        strategies: Vec<Strategy>,
        layout: &Layout,
        hooks: Option<Hooks>,
    ) -> Result<Self, DemoError> {
        let (stop_engine, stop_clients) = (Stop::default(), Stop::default());
        let (position, sent) = (venue.engine.position(), publisher.stats());
        let Venue { mut engine, gateway, shutdown, .. } = venue;
        let (place, stop) = (layout.engine, stop_engine.clone());
        let failed = |error: std::io::Error| DemoError::Thread(format!("no thread: {error}"));
        let engine = spawn("engine", place, move || {
            if let Some(hooks) = hooks {
                (hooks.begin)();
            }
            run_agents(&mut [&mut engine], place.idle, &stop);
            if let Some(hooks) = hooks {
                (hooks.end)();
            }
            engine
        })
        .map_err(failed)?;
        let mut clients = Some(Clients { publisher, strategies });
        let clients_thread = match layout.others {
            Some(place) => clients
                .take()
                .map(|clients| agent_thread(clients, place, stop_clients.clone()))
                .transpose()
                .map_err(failed)?,
            None => None,
        };
        let shared = Shared { gateway, clients };
        let gateway = agent_thread(shared, layout.gateway, Stop::default()).map_err(failed)?;
        let clients = clients_thread;
        Ok(Self { engine, gateway, clients, stop_engine, stop_clients, shutdown, position, sent })
    }

    /// Waits until the venue has taken the whole day, and a little longer for the last answers.
    fn watch(&self, messages: u64, progress: Progress<'_>) -> Result<(), DemoError> {
        const SECONDS: u64 = 300;
        let start = Instant::now();
        loop {
            let taken = self.position.load(Ordering::Relaxed);
            progress(taken);
            let dead = self.engine.is_finished() || self.gateway.is_finished();
            if taken >= messages || dead {
                break;
            }
            if start.elapsed().as_secs() >= SECONDS {
                let sent = self.sent.messages.load(Ordering::Relaxed);
                return Err(DemoError::Incomplete { taken, sent, seconds: SECONDS });
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends gateway, clients and engine, in that order, so that every request is answered.
    #[allow(clippy::type_complexity, reason = "used once")]
    fn finish(self) -> Result<(VenueEngine, GatewayStats, Vec<Strategy>), DemoError> {
        let panicked = |_| DemoError::Thread("a thread panicked; see the lines above".to_owned());
        self.shutdown.request();
        let mut shared = self.gateway.join().map_err(panicked)?;
        self.stop_clients.stop();
        let clients = match self.clients {
            Some(clients) => Some(clients.join().map_err(panicked)?),
            None => shared.clients.take(),
        };
        self.stop_engine.stop();
        let engine = self.engine.join().map_err(panicked)?;
        let strategies = clients.map(|clients| clients.strategies).unwrap_or_default();
        Ok((engine, shared.gateway.take_stats(), strategies))
    }
}

fn agent_thread<A: Agent + 'static>(
    mut agent: A,
    place: Place,
    stop: Stop,
) -> std::io::Result<thread::JoinHandle<A>> {
    let name = agent.name().to_owned();
    spawn(&name, place, move || {
        run_agents(&mut [&mut agent], place.idle, &stop);
        agent
    })
}
