//! The world of a run: a venue that is started, stepped, killed and started again on a simulated machine, and the clients
//! around it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use quanta::Mock;
use spindle::config::Config;
use spindle::feed::Lines;
use spindle::journal::RecordKind;
use spindle::machine::{Machine, Rings, Simulated};
use spindle::venue::{Venue, VenueError};
use spindle_gateway::SystemClock;
use spindle_gateway::gateway::Speech;
use spindle_journal::disk::{Cut, SECTOR, SimDisk};
use spindle_types::Agent;

use crate::client::fix::{FixClient, FixPlan};
use crate::client::soup::{SoupClient, SoupPlan};
use crate::client::{Act, Around, Client, MayLose};
use crate::feed::Market;
use crate::net::{Link, VenueEnd, Weather};
use crate::plan::{self, Durability, Plan};
use crate::random::Random;
use crate::trace::Trace;
use crate::watch::Watch;

/// UTC when the simulated clock shows 0: a Monday, half past two in the afternoon.
const BEGAN: u64 = 1_767_623_400 * 1_000_000_000;

/// A day, in nanoseconds.
const DAY: u64 = 86_400 * 1_000_000_000;

/// Bytes of the rings to the journal: as few as there can be.
const JOURNAL_RING: usize = 1;

/// The network while everything settles.
const FAIR: Weather =
    Weather { delay_ns: 100_000, buffer: 1 << 16, split: 0, stall: 0, stall_ns: 0 };

/// Turns in a row in which nothing happens, until nothing is under way.
const QUIET: u32 = 8;

/// Turns that the engine waits for a full ring in the middle of a packet: nobody empties it meanwhile.
const WAITS: u32 = 4;

/// How a venue stops before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed.
    Kill,
    /// The power is cut.
    Power,
}

/// What was counted in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Turns.
    pub turns: u64,
    /// Crashes.
    pub crashes: u64,
    /// Starts that a fault of the disk ended.
    pub failed_starts: u64,
    /// Times that the journal could not be written.
    pub halts: u64,
    /// Messages that clients were told.
    pub messages: u64,
    /// Executions.
    pub fills: u64,
    /// Messages of the market that were lost.
    pub lost: u64,
}

/// A world.
pub struct World {
    /// What the seed stands for.
    pub plan: Plan,
    /// The venue's configuration.
    pub config: Config,
    /// The clients; those over SoupBinTCP first.
    pub clients: Vec<Box<dyn Client>>,
    /// The venue, while it runs.
    pub venue: Option<Venue>,
    /// What is seen.
    pub trace: Trace,
    /// What was counted.
    pub counts: Counts,
    /// The outside market, if there is one.
    pub market: Option<Market>,
    random: Random,
    clock: quanta::Clock,
    mock: Arc<Mock>,
    disk: SimDisk,
    arriving: Vec<(VenueEnd, usize)>,
    start_at: u64,
    may_lose: MayLose,
    /// Whether a fault of the disk was ordered since the last start.
    disk_may_fail: bool,
    /// Whether a sync was ordered to be cut since the last start.
    tears: bool,
    /// The turn in which a venue that was started is killed at once, or loses its power.
    ends_at: Option<u64>,
    /// What was safe when the journal's turn began, and whether more counted as safe while a sync was under way.
    watch: Arc<Watch>,
    journal_polled: u64,
    journal_gap: u64,
    /// Until when a part is not polled: engine, gateway, journal.
    paused: [u64; 3],
}

impl World {
    /// The world of a plan; the venue is not started yet.
    ///
    /// # Errors
    /// A configuration that the venue does not take.
    pub fn new(plan: Plan, prints: bool) -> Result<Self, String> {
        let mut config = Config::parse(&plan.configuration(), "simulated")
            .map_err(|error| format!("the configuration: {error}"))?;
        if let Some(journal) = &mut config.journal {
            journal.segment_bytes = plan.segment_bytes;
        }
        config.access.limits.requests_max = 8;
        let mut random = Random::new(plan.seed);
        let (clock, mock) = quanta::Clock::mock();
        let symbols: Vec<_> = (0..plan.symbols).map(Plan::symbol).collect();
        let market = plan.feed.map(|feed| {
            let (random, clock) = (random.fork(), Arc::clone(&mock));
            Market::new(feed, random, clock, BEGAN % DAY, symbols.clone())
        });
        let mut clients: Vec<Box<dyn Client>> = Vec::new();
        for (number, client) in plan.clients.iter().enumerate() {
            let edition = match client.speech {
                plan::Speech::Ouch(edition) => Some(edition),
                plan::Speech::Copy => None,
                plan::Speech::Fix { is_44, heartbeat } => {
                    let fix = FixPlan {
                        number,
                        name: FixPlan::named(number),
                        is_44,
                        heartbeat,
                        habits: client.habits,
                        manners: client.manners,
                        symbols: symbols.clone(),
                        cancel_on: client.cancel_on,
                        began: BEGAN % DAY,
                    };
                    clients.push(Box::new(FixClient::new(fix, random.fork())));
                    continue;
                }
            };
            let soup = SoupPlan {
                number,
                user: Plan::user(number),
                edition,
                habits: client.habits,
                manners: client.manners,
                symbols: symbols.clone(),
                keeps_orders: client.cancel_on == "never",
            };
            clients.push(Box::new(SoupClient::new(soup, random.fork())));
        }
        let (disk, watch) = (SimDisk::default(), Arc::<Watch>::default());
        let watching = Arc::clone(&watch);
        disk.at_sync(move || watching.look());
        Ok(Self {
            plan,
            config,
            clients,
            venue: None,
            trace: Trace::new(prints),
            counts: Counts::default(),
            market,
            random,
            clock,
            mock,
            disk,
            arriving: Vec::new(),
            start_at: 0,
            may_lose: MayLose::default(),
            disk_may_fail: false,
            tears: false,
            ends_at: None,
            watch,
            journal_polled: 0,
            journal_gap: 0,
            paused: [0; 3],
        })
    }

    /// The time.
    pub fn now(&self) -> u64 {
        self.mock.value()
    }

    fn pass(&mut self, nanoseconds: u64) {
        self.mock.increment(nanoseconds);
        self.trace.now = self.now();
    }

    /// Starts the venue, or starts it again.
    ///
    /// # Errors
    /// It does not start, and nothing was ordered that would be a reason.
    pub fn start(&mut self) -> Result<(), String> {
        let (commands, events) = self.plan.rings;
        let machine = Machine {
            clock: SystemClock::simulated(self.clock.clone(), BEGAN),
            rings: Rings {
                commands,
                events,
                engine_journal_bytes: JOURNAL_RING,
                gateway_journal_bytes: JOURNAL_RING,
            },
            simulated: Some(Simulated {
                disk: Some(Box::new(self.disk.clone())),
                lines: self
                    .market
                    .as_ref()
                    .map(|market| Box::new(market.lines()) as Box<dyn Lines>),
                waits: WAITS,
            }),
        };
        match Venue::build_on(&self.config, machine) {
            Ok(venue) => {
                for line in &venue.found {
                    self.trace.say(|| format!("the venue starts: {line}"));
                }
                self.watch.begin(venue.journal.as_ref().map(|journal| journal.progress()));
                self.venue = Some(venue);
                self.paused = [0; 3];
                let tears = std::mem::take(&mut self.tears);
                if self.random.chance(if tears { 7_000 } else { self.plan.faults.again }) {
                    self.ends_at = Some(self.counts.turns + self.random.below(12));
                }
                self.journal_polled = self.now();
                Ok(())
            }
            Err(VenueError::Journal(error)) if self.disk_may_fail => {
                self.trace.say(|| format!("the venue does not start: {error}"));
                self.counts.failed_starts += 1;
                let crash = self.random.pick(&[Crash::Kill, Crash::Power]);
                self.crash(crash);
                Ok(())
            }
            Err(error) => Err(format!("the venue does not start: {error}")),
        }
    }

    /// Ends the venue at once.
    pub fn crash(&mut self, crash: Crash) {
        self.trace.say(|| format!("{crash:?}"));
        self.trace.note(0xc4a5_0000 + crash as u64);
        let gap = self.now() - self.journal_polled;
        self.journal_gap = self.journal_gap.max(gap);
        // What had left may arrive still; after a cut of the power nothing does.
        for client in &self.clients {
            if let Some(link) = client.link() {
                link.reset(crash == Crash::Kill);
            }
        }
        self.arriving.clear();
        if let Some(venue) = &self.venue {
            self.counts.lost += venue.engine.feed_counters().lost;
        }
        self.watch.begin(None);
        self.venue = None;
        self.ends_at = None;
        if let Some(market) = &self.market {
            market.lose_all();
        }
        let random = &mut self.random;
        match crash {
            Crash::Kill => self.disk.cut_power(usize::MAX, || Cut::Keep),
            Crash::Power => {
                let names = random.index(self.disk.unsynced_names() + 1);
                self.disk.cut_power(names, || match random.below(3) {
                    0 => Cut::Keep,
                    1 => Cut::Lose,
                    _ => Cut::Tear(random.index(SECTOR)),
                });
            }
        }
        self.disk_may_fail = false;
        self.counts.crashes += 1;
        let now = self.now();
        self.may_lose.crashed.push(now);
        self.start_at = now + self.random.spread(1, 50_000_000);
    }

    /// Orders a fault of the disk.
    fn spoil_disk(&mut self, calls: u64) {
        let nth = self.random.below(calls);
        match self.random.below(4) {
            0 => self.disk.fail_write(nth),
            1 => self.disk.fail_sync(nth),
            _ => {
                // The more waits for that sync, the more ways there are to tear it; and what is torn shows best when little
                // is written over it.
                self.disk.cut_sync(nth);
                self.tears = true;
                let pace = self.plan.pace_ns;
                self.paused[2] = self.now() + self.random.spread(1, 40 * pace);
            }
        }
        self.disk_may_fail = true;
    }

    fn poll_venue(&mut self, kills_between: bool) -> Result<usize, String> {
        let now = self.now();
        let Some(venue) = &mut self.venue else { return Ok(0) };
        for (end, client) in self.arriving.drain(..) {
            let host = u8::try_from(client + 1).unwrap_or(u8::MAX);
            let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), 40_000);
            let is_fix = matches!(self.plan.clients[client].speech, plan::Speech::Fix { .. });
            let speech = if is_fix { Speech::Fix } else { Speech::Ouch };
            venue.gateway.adopt(Box::new(end), peer, speech);
        }
        let mut work = 0;
        let first = self.random.index(3);
        for step in 0..3 {
            let part = (first + step) % 3;
            if now < self.paused[part] {
                continue;
            }
            work += match part {
                0 => venue.engine.poll(),
                1 => venue.gateway.poll(),
                _ => {
                    self.journal_gap = self.journal_gap.max(now - self.journal_polled);
                    self.journal_polled = now;
                    self.watch.look_first();
                    venue.journal.as_mut().map_or(0, Agent::poll)
                }
            };
            if part == 1 && kills_between && self.random.chance(self.plan.faults.between) {
                self.crash(Crash::Kill);
                return Ok(work);
            }
        }
        if self.watch.is_broken() {
            return Err("records counted as safe before their sync was done".to_owned());
        }
        if venue.engine.is_done() {
            return Err(format!("the ledger of shares: {:?}", venue.engine.engine().imbalance()));
        }
        if let Some(error) = venue.journal.as_ref().and_then(|journal| journal.error()) {
            if !self.disk_may_fail {
                return Err(format!("the journal failed: {error}"));
            }
            self.trace.say(|| format!("the journal failed: {error}"));
            self.counts.halts += 1;
            // It stops by itself, and whoever looks after it starts it again.
            venue.gateway.poll();
            venue.engine.poll();
            venue.gateway.poll();
            let crash = self.random.pick(&[Crash::Kill, Crash::Power]);
            self.crash(crash);
        }
        Ok(work)
    }

    fn step_clients(&mut self, act: Act) -> Result<(), String> {
        if let Durability::Async(window) = self.plan.durability {
            self.may_lose.window_ns = Some(window * 1_000_000 + 2 * self.journal_gap);
        }
        let weather = match act {
            Act::Trade => self.plan.weather,
            _ => FAIR,
        };
        let mut around = Around {
            now: self.mock.value(),
            act,
            venue_is_up: self.venue.is_some(),
            crashes: self.counts.crashes,
            may_lose: &self.may_lose,
            weather,
            arriving: &mut self.arriving,
            trace: &mut self.trace,
            clock: &self.mock,
        };
        for client in &mut self.clients {
            let told = client.step(&mut around);
            told.map_err(|why| format!("{}: {why}", client.name()))?;
        }
        Ok(())
    }

    /// A turn in which clients trade and faults happen.
    fn turn(&mut self) -> Result<(), String> {
        self.counts.turns += 1;
        let step = 1 + self.random.below(2 * self.plan.pace_ns);
        self.pass(step);
        let faults = self.plan.faults;
        if self.venue.is_some() {
            if self.random.chance(faults.kill) {
                self.crash(Crash::Kill);
            } else if self.random.chance(faults.power) {
                self.crash(Crash::Power);
            } else if self.ends_at.is_some_and(|turn| self.counts.turns >= turn) {
                let crash = self.random.pick(&[Crash::Kill, Crash::Power]);
                self.crash(crash);
            } else if self.random.chance(faults.disk) {
                self.spoil_disk(6);
            }
            if self.random.chance(faults.pause) {
                let part = self.random.index(3);
                self.paused[part] = self.now() + self.random.spread(1, 40 * self.plan.pace_ns);
            }
            if self.random.chance(faults.nap) {
                let part = self.random.index(3);
                self.paused[part] = self.now() + self.random.spread(1, 400 * self.plan.pace_ns);
            }
        } else if self.now() >= self.start_at {
            if self.random.chance(faults.start) {
                self.spoil_disk(10);
            }
            self.start()?;
        }
        if let Some(market) = &self.market {
            market.step();
        }
        self.step_clients(Act::Trade)?;
        self.poll_venue(true)?;
        Ok(())
    }

    /// Lets clients trade and faults happen.
    ///
    /// # Errors
    /// What must not be.
    pub fn trade(&mut self) -> Result<(), String> {
        self.start()?;
        for _ in 0..self.plan.turns {
            self.turn()?;
        }
        Ok(())
    }

    /// No more faults: steps until everybody has heard everything, and what `act` asks for is done.
    ///
    /// # Errors
    /// What must not be; that it takes for ever.
    pub fn settle(&mut self, act: Act) -> Result<(), String> {
        (self.paused, self.ends_at) = ([0; 3], None);
        if let Some(market) = &self.market {
            market.settle();
        }
        for client in &self.clients {
            if let Some(link) = client.link() {
                link.set_weather(FAIR);
            }
        }
        if self.disk_may_fail && self.venue.is_some() {
            // The fault that was ordered comes now, or never.
            self.disk.heal();
            self.disk_may_fail = false;
        }
        let (mut why, mut quiet) = (String::new(), 0);
        for turn in 0..6_000_u64 {
            let step = if turn < 400 { 200_000 } else { 20_000_000 };
            self.pass(step);
            if self.venue.is_none() && self.now() >= self.start_at {
                self.start()?;
            }
            if let Some(market) = &self.market {
                market.step();
            }
            self.step_clients(act)?;
            let mut work = 0;
            for _ in 0..3 {
                work += self.poll_venue(false)?;
            }
            match self.is_settled(act) {
                Ok(()) if work == 0 => quiet += 1,
                Ok(()) => quiet = 0,
                Err(what) => (quiet, why) = (0, what),
            }
            if quiet == QUIET {
                return self.rest();
            }
        }
        Err(format!("it does not settle: {why}"))
    }

    /// Nothing happens for as long as the journal may take to have everything safe.
    fn rest(&mut self) -> Result<(), String> {
        for _ in 0..4 {
            self.pass(20_000_000);
            self.poll_venue(false)?;
        }
        Ok(())
    }

    /// As [`World::settle`], after the venue was started from its journal alone: with the state that it had.
    ///
    /// # Errors
    /// As there, and another state.
    pub fn settle_after_restart(&mut self, before: Option<u64>) -> Result<(), String> {
        let wait = self.start_at.saturating_sub(self.now());
        self.pass(wait);
        self.start()?;
        let after = self.venue.as_ref().map(|venue| venue.engine.engine().state_hash());
        if before != after {
            return Err(format!("the state was {before:x?}, from the journal it is {after:x?}"));
        }
        self.settle(Act::Settle)
    }

    fn is_settled(&mut self, act: Act) -> Result<(), String> {
        let Some(venue) = &mut self.venue else { return Err("the venue is down".to_owned()) };
        if let Some(market) = &self.market {
            let heard = venue.engine.feed_counters().last_sequence;
            if heard != market.last() {
                return Err(format!("the feed is at {heard} of {}", market.last()));
            }
        }
        let standing = venue.gateway.desk_mut().standing();
        for (client, standing) in self.clients.iter_mut().zip(&standing) {
            let settled = client.settle(standing.next_out, &self.may_lose);
            settled.map_err(|why| format!("{} {why}", client.name()))?;
            if client.link().is_some_and(Link::is_carrying) {
                return Err(format!("bytes of {} are under way", client.name()));
            }
            if act == Act::Cancel && !client.ledger().open.is_empty() {
                let open = &client.ledger().open;
                return Err(format!("{}: orders {open:?} cannot be cancelled", client.name()));
            }
        }
        Ok(())
    }

    /// Prints what is in the journal.
    pub fn print_journal(&self) {
        let mut disk = self.disk.copied();
        let _ = spindle_journal::read(&mut disk, None, &mut |_, record| {
            let name = RecordKind::name(record.kind);
            let payload = record.payload.escape_ascii();
            println!("journal {} {} {name}: {payload}", record.sequence, record.time);
            std::ops::ControlFlow::Continue(())
        });
    }

    /// Whether there is a journal.
    pub fn has_journal(&self) -> bool {
        self.plan.durability != Durability::Off
    }
}
