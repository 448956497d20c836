//! The venue put together: engine, feed and gateway, joined by rings. Threads are the caller's.

use std::net::SocketAddr;

use rtrb::{Consumer, RingBuffer};
use spindle_engine::agent::{EngineAgent, TimeSource};
use spindle_engine::command::{Action, Cancel, Command};
use spindle_engine::delay::Delayed;
use spindle_engine::event::{self, Event};
use spindle_engine::latency::EngineLatency;
use spindle_engine::publication::{Seen, Sight};
use spindle_engine::{Engine, RiskChange, RiskError};
use spindle_feed::quarantine::Band;
use spindle_feed::top::TopReader;
use spindle_gateway::delay::{SessionDelays, SessionModels};
use spindle_gateway::{
    Gateway, GatewayConfig, GatewayError, GatewayNotice, GatewayStats, ShutdownHandle, SystemClock,
    User,
};
use spindle_risk::{Cause, Gate, Target};
use spindle_types::{AccountId, EventTime, InstrumentId, OrderToken, Quantity, SessionId};
use thiserror::Error;

use crate::accounting::{RecordDesk, StrategyBooks};
use crate::config::Config;
use crate::feed::{AnyFeed, FeedError};
use crate::publication::{BookPublisher, PublicationError};
use crate::risk::{RiskDesk, StateError, read_state};

/// Commands that wait between gateway and engine at most. When they do, the gateway stops reading.
const COMMANDS_MAX: usize = 4_096;

/// Events that wait between engine and gateway at most. When they do, the engine takes no input.
const EVENTS_MAX: usize = 16_384;

/// What everybody may see and waits to be published at most. When it does, the engine takes no input.
const NOTES_MAX: usize = 16_384;

/// Notices that wait to be printed at most; further ones are counted as lost.
const NOTICES_MAX: usize = 1_024;

/// Sound observations in a row after which a quarantined market is believed again.
const CALM: u32 = 100;

/// Why a venue does not start.
#[derive(Debug, Error)]
pub enum VenueError {
    /// The gateway.
    #[error("gateway: {0}")]
    Gateway(#[from] GatewayError),
    /// The feed.
    #[error("feed: {0}")]
    Feed(#[from] FeedError),
    /// The limits of the risk gate.
    #[error("risk: {0}")]
    Risk(#[from] RiskError),
    /// The venue's own feed.
    #[error("{0}")]
    Publish(#[from] PublicationError),
    /// Who was stopped is not known.
    #[error("risk: {0}")]
    State(#[from] StateError),
}

/// The engine of a venue: its feed with it, and the strategies' accounts riding along.
pub type VenueEngine = EngineAgent<AnyFeed, StrategyBooks>;

/// Requests and answers that are under way at once, each, where they take time.
const UNDER_WAY_MAX: usize = 65_536;

/// The parts of a venue, each to be polled by a thread of the caller's choice.
pub struct Venue {
    /// The engine with its feed.
    pub engine: VenueEngine,
    /// The gateway.
    pub gateway: Gateway,
    /// The best prices of every book, for any thread.
    pub tops: TopReader,
    /// What the gateway has to say to people.
    pub notices: Consumer<GatewayNotice>,
    /// Where OUCH is served.
    pub address: SocketAddr,
    /// Where FIX is served, if it is.
    pub fix_address: Option<SocketAddr>,
    /// Asks for how the strategies stand.
    pub records: RecordDesk,
    /// Where the operator of the risk gate acts.
    pub risk: RiskDesk,
    /// Publishes the books, where that is asked for.
    pub publisher: Option<BookPublisher>,
    /// Ends the gateway.
    pub shutdown: ShutdownHandle,
    /// Bytes that the engine has taken, once.
    pub memory_bytes: usize,
}

impl Venue {
    /// Puts a venue together. All its memory is taken and touched here.
    ///
    /// # Errors
    /// An address that cannot be listened on or received from.
    pub fn build(config: &Config) -> Result<Self, VenueError> {
        let (commands_in, commands_out) = ring(COMMANDS_MAX, NO_COMMAND);
        let (events_in, events_out) = ring(EVENTS_MAX, NO_EVENT);
        let (mut engine, tops) = engine(config);
        for (id, &symbol) in (1..=u16::MAX).zip(&config.instruments) {
            engine.add_instrument(InstrumentId(id), symbol);
        }
        let stopped = read_state(config)?;
        limit(&mut engine, config, &stopped)?;
        let (risk, port) = RiskDesk::new(config, &stopped);
        let mut gateway =
            Gateway::bind(&gateway_config(config), SystemClock::new(), commands_in, events_out)?;
        gateway.warm_up();
        let feed = AnyFeed::open(config.feed.as_ref())?;
        let time_source = if config.feed.is_some() { TimeSource::Tape } else { wall_clock() };
        let notices = gateway.notices(NOTICES_MAX);
        let (address, shutdown) = (gateway.local_address(), gateway.shutdown_handle());
        let fix_address = gateway.fix_address();
        let measure = config.measure;
        let (books, records) = StrategyBooks::new(config);
        let mut engine = EngineAgent::with_rider(
            engine,
            books,
            feed,
            commands_out,
            events_in,
            time_source,
            measure,
        );
        if config.sessions.iter().any(|session| !session.latency.is_zero()) {
            let sessions = config.sessions.iter().map(|session| (session.id, &session.latency));
            // What FIX sessions send is not delayed, but it keeps its place among what is.
            let none = SessionModels::default();
            let of_fix = config.fix.iter().flat_map(|fix| &fix.sessions);
            let sessions = sessions.chain(of_fix.clone().map(|user| (user.session, &none)));
            let delays = SessionDelays::new(config.latency.seed, sessions);
            let (ranks, scale) = (config.sessions.len() + of_fix.count(), config.latency.scale);
            engine.delay(Delayed::new(Box::new(delays), ranks, UNDER_WAY_MAX, scale));
        }
        engine.open_risk_port(port);
        let publisher = publisher(config, &mut engine)?;
        let memory_bytes = config.engine.bytes() + config.risk.gate.bytes();
        Ok(Self {
            engine,
            gateway,
            tops,
            notices,
            address,
            fix_address,
            records,
            risk,
            publisher,
            shutdown,
            memory_bytes,
        })
    }
}

/// The publisher of the books, and the engine's end of the ring to it.
fn publisher(
    config: &Config,
    engine: &mut VenueEngine,
) -> Result<Option<BookPublisher>, VenueError> {
    let Some(publish) = &config.publish else {
        return Ok(None);
    };
    let nothing = Seen { time: EventTime(0), instrument: InstrumentId(0), what: Sight::Cleared };
    let (notes_in, notes_out) = ring(NOTES_MAX, nothing);
    let core = engine.engine_mut();
    core.publish_books();
    let slots = core.books().slots();
    let beside_a_feed = config.feed.is_some();
    let publisher = BookPublisher::open(publish, notes_out, slots, core.seen(), beside_a_feed)?;
    core.forget_seen(core.seen().len());
    engine.publish_into(notes_in);
    Ok(Some(publisher))
}

/// What a venue has done and how long it took, when it is over.
pub struct Outcome<'a> {
    /// The engine with its feed.
    pub engine: &'a VenueEngine,
    /// The gateway's counters.
    pub gateway: &'a GatewayStats,
}

impl Outcome<'_> {
    /// Where time went on the engine thread.
    pub fn latency(&self) -> &EngineLatency {
        self.engine.latency()
    }
}

/// Lets an engine watch its markets, where somebody says how far they may jump.
pub(crate) fn watch(engine: &mut Engine, quarantine_basis_points: Option<u32>) {
    if let Some(width_basis_points) = quarantine_basis_points {
        engine.watch(Band { width_basis_points, calm: CALM });
    }
}

/// The engine of a configuration with its accounts, its memory touched.
pub(crate) fn engine(config: &Config) -> (Engine, TopReader) {
    let mut gate = Gate::with(&config.risk.gate);
    for account in &config.accounts {
        // Sizes and limits were checked with the configuration.
        gate.set_account(account.id, account.firm);
    }
    let (mut engine, tops) = Engine::new(&config.engine, gate);
    engine.warm_up();
    watch(&mut engine, config.feed.as_ref().and_then(|feed| feed.quarantine_basis_points));
    engine.kill_on_stale(config.risk.kill_on_stale);
    (engine, tops)
}

/// Sets all limits of a configuration, and stops whoever was stopped before. The instruments of a
/// venue without a feed are known by now.
pub(crate) fn limit(
    engine: &mut Engine,
    config: &Config,
    stopped: &[Target],
) -> Result<(), RiskError> {
    let mut changes = config.risk.changes(&config.accounts, config.feed.is_none());
    let kills = stopped.iter().map(|&target| RiskChange::Kill { target, cause: Cause::Restart });
    changes.extend(kills);
    engine.on_risk(EventTime(0), &changes)
}

/// What the gateway of a configuration is told.
pub(crate) fn gateway_config(config: &Config) -> GatewayConfig {
    let mut gateway = GatewayConfig::new(config.ouch_listen, &config.name);
    gateway.limits = config.access.limits;
    gateway.limits.connections_max = config.connections_max;
    gateway.timing.refusal_ns = config.access.refusal_ns;
    gateway.door = config.access.door.clone();
    gateway.options.clone_from(&config.access.options);
    gateway.account_names.clone_from(&config.access.account_names);
    gateway.stamps = config.measure;
    gateway.fix.clone_from(&config.fix);
    gateway.users = config
        .sessions
        .iter()
        .map(|session| User {
            protocol: session.protocol,
            cancel_on: session.cancel_on,
            grace_ns: session.grace_ns,
            ..User::new(&session.user, &session.password, session.id, session.account)
        })
        .collect();
    gateway
}

/// A ring whose memory is touched.
fn ring<T: Copy>(capacity: usize, value: T) -> (rtrb::Producer<T>, Consumer<T>) {
    let (mut producer, mut consumer) = RingBuffer::new(capacity);
    while producer.push(value).is_ok() {}
    while consumer.pop().is_ok() {}
    (producer, consumer)
}

/// What is put into a ring to touch its memory.
const NO_COMMAND: Command = Command {
    time: EventTime(0),
    session: SessionId(0),
    account: AccountId(0),
    received: 0,
    queued: 0,
    action: Action::Cancel(Cancel { token: OrderToken(0), quantity: Quantity::ZERO }),
};

/// As [`NO_COMMAND`].
const NO_EVENT: Event = Event {
    sequence: 0,
    time: EventTime(0),
    session: SessionId(0),
    account: AccountId(0),
    token: OrderToken(0),
    received: 0,
    queued: 0,
    outcome: event::Outcome::CancelRejected,
};

/// The machine's time of day, in UTC, tied to the tick counter.
fn wall_clock() -> TimeSource {
    const DAY_NS: u128 = 86_400 * 1_000_000_000;
    let ticks = quanta::Clock::new().raw();
    let since_epoch =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let time = u64::try_from(since_epoch.as_nanos() % DAY_NS).unwrap_or_default();
    TimeSource::Wall { ticks, time: EventTime(time) }
}
