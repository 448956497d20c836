//! The venue put together: engine, feed and gateway, joined by rings. Threads are the caller's.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rtrb::{Consumer, RingBuffer};
use spindle_engine::agent::{EngineAgent, TimeSource};
use spindle_engine::command::{Action, Cancel, Command};
use spindle_engine::delay::Delayed;
use spindle_engine::event::Event;
use spindle_engine::input::{self, Checkpoint, Told, encode_changes};
use spindle_engine::latency::EngineLatency;
use spindle_engine::publication::{Seen, Sight};
use spindle_engine::tap::{EngineTap, Progress, tap};
use spindle_engine::{Engine, RiskChange, RiskError};
use spindle_feed::quarantine::Band;
use spindle_feed::top::TopReader;
use spindle_gateway::delay::{SessionDelays, SessionModels};
use spindle_gateway::fix::session::Now;
use spindle_gateway::memory::GatewayMemory;
use spindle_gateway::record::{Hold, SessionTap};
use spindle_gateway::{
    Clock, Gateway, GatewayConfig, GatewayError, GatewayNotice, GatewayStats, ShutdownHandle,
    SystemClock, User,
};
use spindle_journal::disk::Disk;
use spindle_journal::lock::DirectoryLock;
use spindle_journal::snapshot::snapshot_name;
use spindle_journal::{Journal, JournalError, Record};
use spindle_risk::{Cause, Gate, Target};
use spindle_types::{
    AccountId, EventTime, InstrumentId, OrderToken, Quantity, Sequence, SessionId,
};
use thiserror::Error;

use crate::accounting::{RecordDesk, StrategyBooks};
use crate::config::{Config, Durability};
use crate::feed::{AnyFeed, FeedError};
use crate::journal::{
    Again, FollowerAgent, JournalAgent, Opening, RecordKind, ReplayError, Replayer, Sessions,
    Whole, WholeError, shape,
};
use crate::lab::side::hop_readers;
use crate::machine::Machine;
use crate::publication::{BookPublisher, BookStream, PublicationError};
use crate::risk::{RiskDesk, StateError, read_state};
use crate::status::{Sources, StatusDesk};

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
    /// The journal.
    #[error("journal: {0}")]
    Journal(#[from] JournalError),
    /// The journal does not lead to where it led then.
    #[error("journal: {}: {error}", .directory.display())]
    Replay {
        /// The journal's directory.
        directory: PathBuf,
        /// What does not fit.
        error: ReplayError,
    },
    /// A snapshot is whole, and no state of this configuration.
    #[error("journal: {}: {error}", .file.display())]
    Snapshot {
        /// The snapshot.
        file: PathBuf,
        /// What does not fit.
        error: WholeError,
    },
    /// More requests wait behind the journal than the ring takes.
    #[error("journal: {0} requests wait behind its end, more than the venue takes at once")]
    Pending(usize),
    /// Who was stopped is not known.
    #[error("risk: {0}")]
    State(#[from] StateError),
}

/// What the program takes beside what its configuration asks for: code, stacks, rings, the strategies'
/// accounts at their usual size, what the allocator keeps.
const PROGRAM_BYTES: u64 = 64 << 20;

/// Bytes that a venue takes at most, from its configuration alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The engine and the risk gate, touched at the start.
    pub engine: u64,
    /// What the gateway takes.
    pub gateway: GatewayMemory,
    /// Everything else.
    pub program: u64,
}

impl Memory {
    /// What a venue with this configuration takes at most.
    pub fn of(config: &Config) -> Self {
        Self {
            engine: (config.engine.bytes() + config.risk.gate.bytes()) as u64,
            gateway: gateway_config(config).memory(),
            program: PROGRAM_BYTES,
        }
    }

    /// All of it.
    pub const fn total(&self) -> u64 {
        self.engine + self.gateway.total() + self.program
    }

    /// One line for the start.
    pub fn describe(&self) -> String {
        let kibibytes = [
            self.total(),
            self.engine,
            self.gateway.sessions,
            self.gateway.connections,
            self.gateway.fixed + self.program,
        ]
        .map(|bytes| bytes.div_ceil(1_024));
        let [total, engine, sessions, connections, rest] = kibibytes;
        format!(
            "memory: at most {total} KiB: engine {engine}, what sessions are told {sessions}, \
             connections {connections}, all else {rest}"
        )
    }
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
    /// How the venue stands, for whoever asks.
    pub status: StatusDesk,
    /// Publishes the books, where that is asked for.
    pub publisher: Option<BookPublisher>,
    /// Ends the gateway.
    pub shutdown: ShutdownHandle,
    /// Bytes that the engine has taken, once.
    pub memory_bytes: usize,
    /// Who writes the journal, where there is one.
    pub journal: Option<JournalAgent>,
    /// Who makes snapshots of the journal, where that is asked for.
    pub follower: Option<FollowerAgent>,
    /// What was found of the journal, in lines for people.
    pub found: Vec<String>,
}

impl Venue {
    /// Puts a venue together. All its memory is taken and touched here.
    ///
    /// # Errors
    /// An address that cannot be listened on or received from.
    pub fn build(config: &Config) -> Result<Self, VenueError> {
        Self::build_on(config, Machine::this())
    }

    /// Puts a venue together on a machine.
    ///
    /// # Errors
    /// As [`Venue::build`].
    pub fn build_on(config: &Config, mut machine: Machine) -> Result<Self, VenueError> {
        let kept = config.journal.as_ref().filter(|kept| kept.durability != Durability::Off);
        let disk = machine.simulated.as_mut().and_then(|simulated| simulated.disk.take());
        let opening = match (kept, disk) {
            (Some(kept), Some(disk)) => Some(Opening::on(disk, config, kept)?),
            (kept, _) => kept.map(|kept| Opening::find(config, kept)).transpose()?,
        };
        let delayed = config.sessions.iter().any(|session| !session.latency.is_zero());
        // What was under way when a journal ended waits in the ring.
        let more = if opening.is_some() && delayed { UNDER_WAY_MAX } else { 0 };
        let (commands_in, mut commands_out) = ring(machine.rings.commands + more, NO_COMMAND);
        let (events_in, events_out) = ring(machine.rings.events, Event::NOTHING);
        let (mut engine, tops) = engine(config);
        for (id, &symbol) in (1..=u16::MAX).zip(&config.instruments) {
            engine.add_instrument(InstrumentId(id), symbol);
        }
        let (mut books, records) = StrategyBooks::new(config);
        let mut settings = gateway_config(config);
        let clock = machine.clock.clone();
        settings.day_began =
            opening.as_ref().map(|found| found.day_began.unwrap_or_else(|| clock.time_of_day()));
        let mut gateway = match machine.simulated {
            None => Gateway::bind(&settings, clock, commands_in, events_out)?,
            Some(_) => Gateway::without_ports(&settings, clock, commands_in, events_out)?,
        };
        gateway.warm_up();
        let began = settings.day_began.unwrap_or_else(|| machine.clock.time_of_day());
        let mut stream = stream_of(config, &mut engine, began);
        let mut stopped = Vec::new();
        let mut begun = None;
        match opening {
            None => {
                stopped = read_state(config)?;
                limit(&mut engine, config, &stopped)?;
            }
            Some(opening) => {
                let sessions = Sessions { desk: gateway.desk_mut(), commands: &mut commands_out };
                let mut replayer = Replayer::new(shape(config));
                replayer.stream = stream;
                let mut back = bring_back(
                    config,
                    &machine.clock,
                    opening,
                    began,
                    replayer,
                    &mut engine,
                    &mut books,
                    sessions,
                )?;
                stream = back.stream.take();
                begun = Some(back);
                let gate = engine.gate();
                stopped.extend(targets(config).filter(|&target| gate.is_stopped(target)));
            }
        }
        let (mut risk, port) = RiskDesk::new(config, &stopped);
        let lines = machine.simulated.as_mut().and_then(|simulated| simulated.lines.take());
        let feed = match (&config.feed, lines) {
            (Some(feed), Some(lines)) => AnyFeed::carried(feed, lines, machine.ticks())?,
            (feed, _) => AnyFeed::open(feed.as_ref())?,
        };
        let time_source = if config.feed.is_some() {
            TimeSource::Tape
        } else {
            let (ticks, time) = machine.time_of_day();
            TimeSource::Wall { ticks, time }
        };
        let notices = gateway.notices(NOTICES_MAX);
        let (address, shutdown) = (gateway.local_address(), gateway.shutdown_handle());
        let fix_address = gateway.fix_address();
        let measure = config.measure;
        let mut engine = EngineAgent::with_rider(
            engine,
            books,
            feed,
            commands_out,
            events_in,
            time_source,
            measure,
        );
        engine.set_clock(machine.ticks());
        if let Some(simulated) = &machine.simulated {
            engine.set_waits(simulated.waits);
        }
        if delayed {
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
        let mut publisher = publisher(config, &mut engine, stream)?;
        let mut sources = sources(config, &engine, &gateway, &tops);
        sources.levels.extend(publisher.as_ref().map(BookPublisher::level));
        let mut found = Vec::new();
        let journal = begun.zip(kept).map(|(begun, kept)| {
            found.extend(begun.lines);
            risk.adopt(&begun.changes);
            engine.resume(begun.last_message);
            let progress = Arc::<Progress>::default();
            sources.journal = Some(Arc::clone(&progress));
            let rings = &machine.rings;
            let (engine_tap, engine_reader) = tap(rings.engine_journal_bytes, &progress);
            let (gateway_tap, gateway_reader) = tap(rings.gateway_journal_bytes, &progress);
            let hold = match kept.durability {
                Durability::Async => Hold::Window(kept.loss_window_ms * 1_000_000),
                Durability::Sync | Durability::Off => Hold::UntilSafe,
            };
            if hold == Hold::UntilSafe {
                risk.hold(Arc::clone(&progress));
            }
            if let Some(publisher) = &mut publisher {
                publisher.hold(Arc::clone(&progress), begun.is_back);
            }
            engine.record(EngineTap::new(engine_tap, begun.told.events));
            gateway.desk_mut().record(SessionTap::new(gateway_tap, hold, begun.told));
            let mut agent =
                JournalAgent::new(begun.journal, kept, engine_reader, gateway_reader, progress);
            sources.levels.extend(agent.levels());
            agent.begin_at(begun.told.events, &begun.pending);
            agent.set_clock(machine.ticks());
            agent
        });
        let status = StatusDesk::new(config, sources, Instant::now());
        let follower = kept
            .filter(|kept| kept.snapshot_inputs > 0)
            .map(|kept| FollowerAgent::new(config.clone(), kept.clone()));
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
            status,
            publisher,
            shutdown,
            memory_bytes,
            journal,
            follower,
            found,
        })
    }
}

/// What can be read of a venue while it runs.
fn sources(config: &Config, engine: &VenueEngine, gateway: &Gateway, tops: &TopReader) -> Sources {
    let feed = engine.feed();
    let silence_ns = config.feed.as_ref().map(|feed| feed.silence_ms.saturating_mul(1_000_000));
    let feed = feed.health().zip(silence_ns).map(|(health, silence_ns)| {
        let addresses = engine.feed().addresses().to_vec();
        (health, addresses, silence_ns)
    });
    Sources {
        counters: engine.engine().counter_reader(),
        position: engine.position(),
        feed,
        boards: vec![gateway.board()],
        hops: hop_readers(engine, gateway),
        tops: tops.clone(),
        journal: None,
        levels: Vec::new(),
    }
}

/// The publisher of the books, and the engine's end of the ring to it.
fn publisher(
    config: &Config,
    engine: &mut VenueEngine,
    stream: Option<BookStream>,
) -> Result<Option<BookPublisher>, VenueError> {
    let Some((publish, stream)) = config.publish.as_ref().zip(stream) else {
        return Ok(None);
    };
    let nothing = Seen { time: EventTime(0), instrument: InstrumentId(0), what: Sight::Cleared };
    let (notes_in, notes_out) = ring(NOTES_MAX, nothing);
    let publisher = BookPublisher::open(publish, notes_out, stream)?;
    engine.publish_into(notes_in);
    Ok(Some(publisher))
}

/// Lets an engine that has had no input note what everybody may see, where that is published: the stream of a day that
/// begins at this time.
pub(crate) fn stream_of(
    config: &Config,
    engine: &mut Engine,
    began: EventTime,
) -> Option<BookStream> {
    let publish = config.publish.as_ref()?;
    engine.publish_books();
    let (slots, beside_a_feed) = (engine.books().slots(), config.feed.is_some());
    let stream = BookStream::new(publish, slots, beside_a_feed, began, engine.seen());
    engine.forget_seen(engine.seen().len());
    Some(stream)
}

/// A journal that is begun, and what it has brought back.
struct Begun {
    journal: (Journal<Box<dyn Disk>>, Option<DirectoryLock>),
    told: Told,
    /// Requests of earlier runs that the engine carries out first.
    pending: Vec<Command>,
    changes: Vec<RiskChange>,
    last_message: Sequence,
    /// What was published.
    stream: Option<BookStream>,
    /// Whether the journal was there before.
    is_back: bool,
    lines: Vec<String>,
}

/// Brings a venue to where its journal ends, or begins a journal.
#[allow(clippy::too_many_arguments, reason = "what a venue is made of, handed over once")]
fn bring_back(
    config: &Config,
    clock: &SystemClock,
    mut opening: Opening,
    began: EventTime,
    mut replayer: Replayer,
    engine: &mut Engine,
    books: &mut StrategyBooks,
    mut sessions: Sessions<'_>,
) -> Result<Begun, VenueError> {
    let now = Now { monotonic: clock.now_ns(), utc: clock.utc_ns() };
    let started = Instant::now();
    let directory = || config.journal.as_ref().map(|kept| kept.directory.clone());
    let failed = |error| VenueError::Replay { directory: directory().unwrap_or_default(), error };
    let mut lines = Vec::new();
    let is_begun = opening.is_begun();
    lines.append(&mut opening.passed);
    if is_begun {
        if let Some(snapshot) = opening.take_snapshot() {
            let sequence = snapshot.start.chain.next - 1;
            let mut whole =
                Whole { replayer: &mut replayer, engine, books, sessions: &mut sessions };
            let loaded = whole.load(&snapshot.state);
            loaded.map_err(|error| VenueError::Snapshot {
                file: directory().unwrap_or_default().join(snapshot_name(sequence)),
                error,
            })?;
            let took = started.elapsed().as_secs_f64();
            lines.push(format!("snapshot of record {sequence} taken up in {took:.3} s"));
        }
        let mut again = Again::new(&mut replayer, engine, Some(books), Some(&mut sessions));
        opening.apply(&mut again)?.map_err(failed)?;
        lines.extend(opening.scanned().torn.as_ref().map(ToString::to_string));
        let Checkpoint { inputs, told } = replayer.now();
        let (records, took) = (opening.scanned().records, started.elapsed().as_secs_f64());
        lines.push(format!(
            "{records} records, {inputs} inputs and {} events brought back in {took:.3} s",
            told.events
        ));
        lines.extend(replayer.stream.as_ref().map(|stream| {
            let (next, first) = (stream.next_sequence(), stream.first_kept());
            format!(
                "the published feed goes on at message {next}; requests have those from {first} on"
            )
        }));
    }
    let (mut journal, lock) = opening.go_on(now.utc)?;
    if is_begun {
        let mut payload = now.monotonic.to_le_bytes().to_vec();
        payload.extend(now.utc.to_le_bytes());
        journal.append(RecordKind::RESTART, now.utc, &payload)?;
        replayer.restart(&mut sessions, now);
    } else {
        let stopped = read_state(config)?;
        let changes = changes(config, &stopped);
        let mut payload = began.0.to_le_bytes().to_vec();
        payload.extend(shape(config).as_bytes());
        journal.append(RecordKind::BEGIN, now.utc, &payload)?;
        let mut payload = Vec::new();
        encode_changes(&mut payload, &changes);
        let sequence = journal.append(input::kind::RISK, 0, &payload)?;
        let record = Record {
            kind: input::kind::RISK,
            sequence,
            durable: 0,
            time: 0,
            payload: &payload,
            previous: 0,
            checksum: 0,
        };
        replayer.apply(&record, engine, Some(books), Some(&mut sessions)).map_err(failed)?;
        if replayer.changes.len() != changes.len() {
            // They were refused; this says why.
            engine.on_risk(EventTime(0), &changes)?;
        }
    }
    // From here on damage to what there is cannot be taken for a torn tail.
    journal.mark(now.utc)?;
    let pending: Vec<_> = replayer.pending().copied().collect();
    for command in &pending {
        if !sessions.desk.pass_again(*command) {
            return Err(VenueError::Pending(pending.len()));
        }
    }
    let (told, last_message) = (replayer.now().told, replayer.last_message);
    let Replayer { changes, stream, .. } = replayer;
    Ok(Begun {
        journal: (journal, lock),
        told,
        pending,
        changes,
        last_message,
        stream,
        is_back: is_begun,
        lines,
    })
}

/// Everybody who can be stopped.
fn targets(config: &Config) -> impl Iterator<Item = Target> {
    let accounts = config.accounts.iter().map(|account| Target::Account(account.id));
    let sessions = config.sessions.iter().map(|session| Target::Session(session.id));
    let firms = (0..config.risk.firms.len()).filter_map(|firm| u16::try_from(firm).ok());
    let all = std::iter::once(Target::All);
    all.chain(accounts).chain(sessions).chain(firms.map(Target::Firm))
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

/// The engine of a configuration with its instruments, before any limit is set.
pub(crate) fn engine_of(config: &Config) -> Engine {
    let (mut engine, _) = engine(config);
    for (id, &symbol) in (1..=u16::MAX).zip(&config.instruments) {
        engine.add_instrument(InstrumentId(id), symbol);
    }
    engine
}

/// Sets all limits of a configuration, and stops whoever was stopped before. The instruments of a
/// venue without a feed are known by now.
pub(crate) fn limit(
    engine: &mut Engine,
    config: &Config,
    stopped: &[Target],
) -> Result<(), RiskError> {
    engine.on_risk(EventTime(0), &changes(config, stopped))
}

pub(crate) fn changes(config: &Config, stopped: &[Target]) -> Vec<RiskChange> {
    let mut changes = config.risk.changes(&config.accounts, config.feed.is_none());
    let kills = stopped.iter().map(|&target| RiskChange::Kill { target, cause: Cause::Restart });
    changes.extend(kills);
    changes
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
