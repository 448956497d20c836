//! Where a snapshot is put together, on the cold thread: counters are read, and the engine's thread is
//! asked between two inputs for what it alone can see.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Sender;
use spindle_accounts::Money;
use spindle_engine::event::RejectReason;
use spindle_engine::tap::Progress;
use spindle_engine::{CounterReader, LevelView};
use spindle_feed::top::{TopReader, TopState};
use spindle_gateway::{BoardReader, OuchEdition};
use spindle_types::{AccountId, InstrumentId, PriceUnit, SessionId, Side, Symbol};

use super::hops::Hops;
use super::{
    Account, Books, GatewayCounts, Journal, LEVELS_MAX, Ladder, Level, Limit, Look, NAMES_MAX,
    Orders, POSITIONS_MAX, Position, Ring, RingLevel, Session, Snapshot, VERSION,
};
use crate::accounting::RecordDesk;
use crate::config::Config;
use crate::health::FeedHealth;
use crate::lab::side::HopReader;
use crate::risk::RiskDesk;
use crate::statement::money;

/// How long the engine's thread is waited for; then a snapshot goes without what it would have said.
const PATIENCE: Duration = Duration::from_millis(500);

/// Positions that a snapshot has at most.
const HELD_MAX: usize = 8 * POSITIONS_MAX;

/// Instruments that are not good and are told by name, at most.
const NOT_GOOD_MAX: usize = 256;

/// Snapshots that are waited for at once, at most.
const WAITERS_MAX: usize = 32;

/// What somebody wants to see beside what everybody sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Whose ladder.
    pub ladder: Option<String>,
    /// How many levels of each side, up to [`LEVELS_MAX`].
    pub levels: usize,
}

/// Who waits for a snapshot.
#[derive(Debug)]
pub enum Waiter {
    /// A client of the control socket, by the number of its request.
    Client(u64),
    /// Another thread.
    Channel(Sender<Snapshot>),
}

/// A snapshot for somebody who waits.
pub struct Answer {
    /// Who.
    pub waiter: Waiter,
    /// What.
    pub snapshot: Snapshot,
}

/// A round of questions to the engine's thread.
struct Round {
    wish: Wish,
    waiters: Vec<Waiter>,
    until: Instant,
    /// Whether the look is under way.
    looks: bool,
    seen: Option<Look>,
    /// Whether all of it was seen.
    seen_all: bool,
    limits: Option<Vec<Limit>>,
}

/// What can be read of a venue without asking anybody.
pub(crate) struct Sources {
    /// What the engine counts.
    pub(crate) counters: CounterReader,
    /// The number of the last market message.
    pub(crate) position: Arc<AtomicU64>,
    /// The feed with its lines, and after how many nanoseconds it is silent.
    pub(crate) feed: Option<(Arc<FeedHealth>, Vec<SocketAddr>, u64)>,
    /// What the gateway counts; one of each gateway.
    pub(crate) boards: Vec<BoardReader>,
    /// Latencies.
    pub(crate) hops: Vec<HopReader>,
    /// The best prices.
    pub(crate) tops: TopReader,
    /// How far the journal is.
    pub(crate) journal: Option<Arc<Progress>>,
    /// Rings to the journal and to the publisher of the books.
    pub(crate) levels: Vec<RingLevel>,
}

/// Puts snapshots together.
pub struct StatusDesk {
    venue: String,
    accounts: Vec<String>,
    sessions: Vec<(SessionId, Session)>,
    /// Symbols as far as they are known here.
    symbols: HashMap<InstrumentId, Symbol>,
    sources: Sources,
    hops: Hops,
    clock: quanta::Clock,
    begun: Instant,
    waiting: Vec<(Wish, Waiter)>,
    round: Option<Round>,
}

impl StatusDesk {
    /// The desk of a venue that begins now.
    pub(crate) fn new(config: &Config, mut sources: Sources, now: Instant) -> Self {
        let accounts: Vec<_> = config.accounts.iter().map(|account| account.name.clone()).collect();
        let account = |id: AccountId| accounts.get(id.index()).cloned().unwrap_or_default();
        let session = |name: &str, protocol: &str, id| Session {
            name: name.to_owned(),
            protocol: protocol.to_owned(),
            account: account(id),
            ..Session::default()
        };
        let of_ouch = config.sessions.iter().map(|user| {
            let protocol = if user.protocol == OuchEdition::V42 { "ouch 4.2" } else { "ouch" };
            (user.id, session(&user.user, protocol, user.account))
        });
        let of_fix = config.fix.iter().flat_map(|fix| &fix.sessions);
        let of_fix = of_fix.map(|user| (user.session, session(&user.comp_id, "fix", user.account)));
        let sessions = of_ouch.chain(of_fix).collect();
        let symbols =
            (1..=u16::MAX).map(InstrumentId).zip(config.instruments.iter().copied()).collect();
        Self {
            venue: config.name.clone(),
            sessions,
            symbols,
            hops: Hops::new(std::mem::take(&mut sources.hops), now),
            sources,
            accounts,
            clock: quanta::Clock::new(),
            begun: now,
            waiting: Vec::new(),
            round: None,
        }
    }

    /// Somebody wants a snapshot; false where too many wait.
    pub fn ask(&mut self, wish: Wish, waiter: Waiter) -> bool {
        let has_room = self.waiting.len() < WAITERS_MAX;
        if has_room {
            self.waiting.push((wish, waiter));
        }
        has_room
    }

    /// Does what is to be done next, and gives the snapshots that are ready.
    pub fn turn(
        &mut self,
        records: &mut RecordDesk,
        risk: &mut RiskDesk,
        now: Instant,
    ) -> Vec<Answer> {
        if self.round.is_none() && !self.waiting.is_empty() {
            self.begin(records, risk, now);
        }
        let Some(mut round) = self.round.take() else {
            return Vec::new();
        };
        self.look(&mut round, records);
        if round.limits.is_none() {
            round.limits = risk.take_limits();
        }
        let is_whole = round.seen_all && round.limits.is_some();
        if !is_whole && now < round.until {
            self.round = Some(round);
            return Vec::new();
        }
        let snapshot = self.snapshot(&round, risk, now);
        let waiters = round.waiters.into_iter();
        waiters.map(|waiter| Answer { waiter, snapshot: snapshot.clone() }).collect()
    }

    /// Begins a round for everybody who wants the same.
    fn begin(&mut self, records: &mut RecordDesk, risk: &mut RiskDesk, now: Instant) {
        let wish = self.waiting[0].0.clone();
        let (same, others) = self.waiting.drain(..).partition(|(one, _)| *one == wish);
        self.waiting = others;
        let same: Vec<(Wish, Waiter)> = same;
        // What an earlier round did not wait for is of no use any more.
        records.take_look(|_| ());
        risk.take_limits();
        risk.ask_limits();
        self.round = Some(Round {
            wish,
            waiters: same.into_iter().map(|(_, waiter)| waiter).collect(),
            until: now + PATIENCE,
            looks: false,
            seen: None,
            seen_all: false,
            limits: None,
        });
    }

    /// Asks the engine's thread, or takes in what it has seen.
    fn look(&mut self, round: &mut Round, records: &mut RecordDesk) {
        if round.looks
            && let Some(look) = records.take_look(Look::clone)
        {
            round.looks = false;
            for &(instrument, symbol) in &look.names {
                self.symbols.insert(instrument, symbol);
            }
            let next = look.positions_next;
            match &mut round.seen {
                None => round.seen = Some(look),
                Some(seen) => {
                    seen.positions.extend_from_slice(&look.positions);
                    seen.positions_next = next;
                }
            }
            let count = round.seen.as_ref().map_or(0, |seen| seen.positions.len());
            round.seen_all = next.is_none() || count >= HELD_MAX;
        }
        if round.looks || round.seen_all {
            return;
        }
        let from = round.seen.as_ref().and_then(|seen| seen.positions_next).unwrap_or_default();
        let unnamed: Vec<_> = match from {
            0 => self.not_good().filter(|(id, _)| !self.symbols.contains_key(id)).collect(),
            _ => Vec::new(),
        };
        let symbol = round.wish.ladder.as_ref().and_then(|symbol| symbol.parse().ok());
        let levels_max = round.wish.levels.min(LEVELS_MAX);
        round.looks = records.ask_look(|look| {
            (look.symbol, look.levels_max, look.positions_from) = (symbol, levels_max, from);
            look.names.clear();
            let names = unnamed.into_iter().map(|(instrument, _)| (instrument, Symbol::default()));
            look.names.extend(names.take(NAMES_MAX));
        });
    }

    /// Instruments whose books are not good, by the state of each, as far as there was a word of them; none
    /// while the whole table is not good.
    fn not_good(&self) -> impl Iterator<Item = (InstrumentId, TopState)> + '_ {
        let tops = &self.sources.tops;
        let all = if tops.table_state() == TopState::Good { tops.instruments() } else { 0 };
        let instruments = (0..u16::try_from(all).unwrap_or(u16::MAX)).map(InstrumentId);
        instruments.filter_map(|instrument| {
            let top = tops.try_read(instrument, READS)?;
            let is_known = top.sequence.0 > 0 || self.symbols.contains_key(&instrument);
            (is_known && top.state != TopState::Good).then_some((instrument, top.state))
        })
    }

    fn snapshot(&mut self, round: &Round, risk: &RiskDesk, now: Instant) -> Snapshot {
        let counts = self.sources.counters.read();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (gateway, rings) = self.gateway();
        let mut missing = Vec::new();
        if round.seen.is_none() {
            missing.push("the engine's thread did not answer: no positions, no ladder".to_owned());
        } else if !round.seen_all || round.seen.as_ref().is_some_and(|s| s.positions_next.is_some())
        {
            missing.push("there are more positions than these".to_owned());
        }
        if round.limits.is_none() {
            missing.push("the risk gate did not answer: no limits".to_owned());
        }
        let seen = round.seen.as_ref();
        let ladder = round.wish.ladder.as_ref().and_then(|symbol| {
            let ladder = seen.and_then(|seen| self.ladder(symbol, seen));
            if ladder.is_none() && seen.is_some() {
                missing.push(format!("no instrument has the symbol {symbol}"));
            }
            ladder
        });
        Snapshot {
            version: VERSION,
            venue: self.venue.clone(),
            unix_ms: millis(since_epoch),
            uptime_ms: millis(now.duration_since(self.begun)),
            feed: self.feed(),
            books: self.books(seen),
            rings,
            orders: Orders {
                requests: counts.commands,
                accepted: counts.accepted,
                rejected: counts.rejected,
                fills: counts.executions,
                shares: counts.executed_shares,
                market_messages: counts.market_messages,
                unknown_references: counts.unknown_references,
                quarantines: counts.quarantines,
            },
            rejects: self.rejects(),
            warnings: risk.warned(),
            hops: self.hops.read(now),
            gateway,
            sessions: self.sessions(),
            accounts: seen.map(|seen| self.accounts(seen)).unwrap_or_default(),
            positions: seen.map(|seen| self.positions(seen)).unwrap_or_default(),
            limits: round.limits.clone().unwrap_or_default(),
            stopped: risk.stopped(),
            journal: self.journal(),
            ladder,
            missing,
        }
    }

    fn feed(&self) -> Option<super::Feed> {
        let (health, addresses, silence_ns) = self.sources.feed.as_ref()?;
        let now = self.clock.delta_as_nanos(0, self.clock.raw());
        let mut feed = health.status(addresses, now, *silence_ns);
        feed.last_sequence = self.sources.position.load(Ordering::Relaxed);
        Some(feed)
    }

    fn books(&self, seen: Option<&Look>) -> Books {
        let tops = &self.sources.tops;
        let known = match seen {
            Some(seen) => seen.known as u64,
            None => self.symbols.len() as u64,
        };
        let not_good: Vec<_> = self.not_good().collect();
        let count = |state| not_good.iter().filter(|(_, of)| *of == state).count() as u64;
        let named = not_good.iter().filter_map(|(instrument, state)| {
            let symbol = self.symbols.get(instrument)?;
            Some((symbol.to_string(), state.name().to_owned()))
        });
        let mut books = Books {
            known,
            halted: count(TopState::Halted),
            stale: count(TopState::Stale),
            closed: count(TopState::Closed),
            orders: seen.map_or(0, |seen| seen.orders as u64),
            own_orders: seen.map_or(0, |seen| seen.own_orders as u64),
            levels: seen.map_or(0, |seen| seen.levels as u64),
            not_good: named.take(NOT_GOOD_MAX).collect(),
            good: 0,
        };
        match tops.table_state() {
            TopState::Good => {}
            TopState::Halted => books.halted = known,
            TopState::Stale => books.stale = known,
            TopState::Closed => books.closed = known,
        }
        books.good = known.saturating_sub(books.halted + books.stale + books.closed);
        books
    }

    fn rejects(&self) -> BTreeMap<String, u64> {
        let counters = &self.sources.counters;
        let counts = RejectReason::all().map(|why| (why.name().to_owned(), counters.rejected(why)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn gateway(&self) -> (GatewayCounts, Vec<Ring>) {
        let (mut told, mut rings) = (GatewayCounts::default(), Vec::new());
        for (at, board) in self.sources.boards.iter().enumerate() {
            let counts = board.counts();
            told.open += counts.open;
            told.connections += counts.connections;
            told.turned_away += counts.turned_away;
            told.logins += counts.logins;
            told.refused_logins += counts.refused_logins;
            told.throttled += counts.throttled;
            told.slow_consumers += counts.slow_consumers;
            told.ring_full += counts.ring_full;
            told.notices_lost += counts.notices_lost;
            let number = if at == 0 { String::new() } else { format!(" {}", at + 1) };
            let ring = |name: &str, used, capacity| {
                let name = format!("{name}{number}");
                Ring { name, used, capacity }
            };
            rings.push(ring("gateway to engine", counts.commands_used, counts.commands_capacity));
            rings.push(ring("engine to gateway", counts.events_used, counts.events_capacity));
        }
        rings.extend(self.sources.levels.iter().map(RingLevel::ring));
        (told, rings)
    }

    fn sessions(&self) -> Vec<Session> {
        let stands = |(id, session): &(SessionId, Session)| {
            let standings = self.sources.boards.iter().map(|board| board.session(*id));
            let standing = standings.max_by_key(|standing| standing.up).unwrap_or_default();
            let (up, backlog_bytes) = (standing.up, standing.backlog_bytes);
            Session { up, backlog_bytes, ..session.clone() }
        };
        self.sessions.iter().map(stands).collect()
    }

    fn account_name(&self, account: AccountId) -> String {
        self.accounts.get(account.index()).cloned().unwrap_or_default()
    }

    fn accounts(&self, seen: &Look) -> Vec<Account> {
        let mut realised = vec![Money::ZERO; self.accounts.len()];
        for held in &seen.positions {
            if let Some(sum) = realised.get_mut(held.account.index()) {
                *sum += held.position.realised;
            }
        }
        let lines = self.accounts.iter().zip(&seen.accounts).zip(realised);
        lines
            .map(|((name, line), realised)| Account {
                name: name.clone(),
                fills: line.fills,
                bought: line.bought,
                sold: line.sold,
                fees: money(line.fees),
                realised: money(realised),
            })
            .collect()
    }

    fn positions(&self, seen: &Look) -> Vec<Position> {
        let position = |held: &super::Held| Position {
            account: self.account_name(held.account),
            symbol: held.symbol.to_string(),
            shares: held.position.shares,
            average: held.position.average().map(money).unwrap_or_default(),
            realised: money(held.position.realised),
        };
        seen.positions.iter().map(position).collect()
    }

    fn journal(&self) -> Option<Journal> {
        let progress = self.sources.journal.as_ref()?;
        let now = self.clock.delta_as_nanos(0, self.clock.raw());
        let waiting_ns = match progress.waiting_since() {
            0 => 0,
            since => now.saturating_sub(since),
        };
        Some(Journal {
            engine_frames: progress.engine(),
            gateway_frames: progress.gateway(),
            waiting_ms: waiting_ns / 1_000_000,
            failed: progress.has_failed(),
        })
    }

    fn ladder(&self, symbol: &str, seen: &Look) -> Option<Ladder> {
        let instrument = seen.instrument?;
        let levels = |side: Side| seen.ladder[side.index()].iter().map(level).collect();
        Some(Ladder {
            symbol: symbol.to_owned(),
            state: self.sources.tops.read(instrument).state.name().to_owned(),
            bids: levels(Side::Buy),
            asks: levels(Side::Sell),
        })
    }
}

/// How often a top of book is read before it is passed over.
const READS: u32 = 64;

fn level(level: &LevelView) -> Level {
    Level {
        price: PriceUnit::TEN_THOUSANDTH.decimal(level.price).to_string(),
        quantity: level.quantity,
        orders: level.orders,
    }
}
