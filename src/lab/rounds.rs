//! Rounds of load, by turns on the venue and on the echo.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use spindle_engine::latency::LatencySnapshot;
use spindle_feed::top::TopReader;
use spindle_gateway::client::{FixLogin, Login};
use spindle_gateway::fix::Version;
use spindle_lab::load::{Bounds, Outcome, Peer, Ticks, Time, closed_loop, open_loop};
use spindle_lab::recorder::Recorder;
use spindle_lab::schedule::Arrivals;
use spindle_lab::wire::{FixLink, Link, Mix, OuchLink, Tally, Trading};

use super::side::{Beside, HopReader, Serve};
use super::tick::{Floor, Market, Trader};
use super::venue;
use super::{LabError, Protocol, Remote};

/// How long everybody has to log in.
const LOGIN_NS: u64 = 6_000_000_000;

/// What a request of each protocol has in bytes, about: what the echo is given to carry.
const OUCH_BYTES: usize = 50;
const FIX_BYTES: usize = 170;

/// The sessions with the venue.
pub(super) enum Sessions {
    Ouch(Trading<OuchLink>),
    Fix(Trading<FixLink>),
    /// One session that reacts to a market.
    Tick(Box<Trader>),
}

impl Peer for Sessions {
    #[inline]
    fn send(&mut self, request: usize) -> bool {
        match self {
            Self::Ouch(sessions) => sessions.send(request),
            Self::Fix(sessions) => sessions.send(request),
            Self::Tick(trader) => trader.send(request),
        }
    }

    #[inline]
    fn poll(&mut self, answered: &mut impl FnMut(usize)) {
        match self {
            Self::Ouch(sessions) => sessions.poll(answered),
            Self::Fix(sessions) => sessions.poll(answered),
            Self::Tick(trader) => trader.poll(answered),
        }
    }

    fn gone(&self) -> Option<String> {
        match self {
            Self::Ouch(sessions) => sessions.gone(),
            Self::Fix(sessions) => sessions.gone(),
            Self::Tick(trader) => trader.gone(),
        }
    }
}

impl Sessions {
    /// Connects and logs in, while the venue is served.
    pub(super) fn connect(
        protocol: Protocol,
        address: SocketAddr,
        remote: Option<&Remote>,
        sessions: u16,
        mix: Mix,
        turn: &mut impl FnMut(),
    ) -> Result<Self, LabError> {
        let failed = |error: String| LabError::Session(format!("{address}: {error}"));
        match protocol {
            Protocol::Ouch => {
                let mut links = Vec::new();
                for session in 0..sessions {
                    let login = match remote {
                        None => venue::ouch_login(session)?,
                        Some(remote) => {
                            let (user, password) = &remote.logins[usize::from(session)];
                            Login::new(user, password).map_err(|error| failed(error.to_string()))?
                        }
                    };
                    links.push(OuchLink::begin(address, login));
                }
                wait(&mut links, OuchLink::is_live, turn).map_err(failed)?;
                Ok(Self::Ouch(Trading::new(links, mix)))
            }
            Protocol::Fix => {
                let mut links = Vec::new();
                for session in 0..sessions {
                    let login = match remote {
                        None => venue::fix_login(session),
                        Some(remote) => {
                            let (client, venue) = &remote.logins[usize::from(session)];
                            FixLogin::new(Version::Fix44, client, venue)
                        }
                    };
                    let link = FixLink::begin(address, login);
                    links.push(link.map_err(|error| failed(error.to_string()))?);
                }
                wait(&mut links, FixLink::is_live, turn).map_err(failed)?;
                Ok(Self::Fix(Trading::new(links, mix)))
            }
        }
    }

    /// One session with a market to which it reacts, once its first order stands in the venue's book.
    pub(super) fn connect_to_market(
        address: SocketAddr,
        feed: SocketAddr,
        tops: TopReader,
        turn: &mut impl FnMut(),
    ) -> Result<Self, LabError> {
        let failed = |error: String| LabError::Session(format!("{address}: {error}"));
        let mut links = vec![OuchLink::begin(address, venue::ouch_login(0)?)];
        wait(&mut links, OuchLink::is_live, turn).map_err(failed)?;
        let (link, symbol) = (links.remove(0), venue::symbols()[0]);
        let mut market = Market::open(feed).map_err(LabError::Echo)?;
        market.begin().map_err(LabError::Echo)?;
        let trader = Trader::new(market, tops, symbol, link);
        let mut time = Ticks::new();
        let begin = time.now();
        while !trader.is_ready() {
            turn();
            if time.now() > begin + LOGIN_NS {
                return Err(failed("the market is not in the book within 6 s".to_owned()));
            }
        }
        Ok(Self::Tick(Box::new(trader)))
    }

    /// Says that whoever is not heard otherwise still lives.
    fn stay_alive(&mut self) {
        if let Self::Tick(trader) = self {
            trader.market().heartbeat();
        }
    }

    pub(super) const fn tally(&self) -> &Tally {
        match self {
            Self::Ouch(sessions) => sessions.tally(),
            Self::Fix(sessions) => sessions.tally(),
            Self::Tick(trader) => trader.tally(),
        }
    }

    /// Cancels what the load has left standing: a venue that runs on keeps nothing of it.
    pub(super) fn withdraw(&mut self) -> bool {
        match self {
            Self::Ouch(sessions) => sessions.withdraw(),
            Self::Fix(sessions) => sessions.withdraw(),
            Self::Tick(_) => true,
        }
    }

    pub(super) fn leave(&mut self) {
        match self {
            Self::Ouch(sessions) => sessions.links().iter_mut().for_each(OuchLink::leave),
            Self::Fix(sessions) => sessions.links().iter_mut().for_each(FixLink::leave),
            Self::Tick(trader) => trader.leave(),
        }
    }
}

/// Waits until every session is logged in.
fn wait<L: Link>(
    links: &mut [L],
    is_live: impl Fn(&L) -> bool,
    turn: &mut impl FnMut(),
) -> Result<(), String> {
    let mut time = Ticks::new();
    let begin = time.now();
    while !links.iter().all(&is_live) {
        turn();
        for link in &mut *links {
            link.poll(&mut |_| {});
            if let Some(why) = link.gone() {
                return Err(why);
            }
        }
        if time.now() > begin + LOGIN_NS {
            return Err("no login within 6 s; is a venue listening there?".to_owned());
        }
    }
    Ok(())
}

/// One measured round.
pub(super) struct Round {
    pub(super) due: Vec<u64>,
    pub(super) recorder: Recorder,
    pub(super) outcome: Outcome,
    /// What each hop recorded in it.
    pub(super) hops: Vec<LatencySnapshot>,
}

impl Round {
    pub(super) fn latencies(&self) -> Histogram<u64> {
        self.recorder.histogram()
    }
}

/// What rounds are run with.
pub(super) struct Bench {
    pub(super) time: Ticks,
    pub(super) sessions: Sessions,
    pub(super) echo: Floor,
    pub(super) beside: Beside,
    pub(super) serve: Arc<AtomicU8>,
    pub(super) stamps: Arc<AtomicBool>,
    /// Lets others have the engine's core.
    pub(super) rest: Arc<AtomicBool>,
    pub(super) hops: Vec<HopReader>,
    pub(super) bounds: Bounds,
}

impl Bench {
    /// The bytes of a request, for the echo.
    pub(super) const fn request_bytes(protocol: Protocol) -> usize {
        match protocol {
            Protocol::Ouch => OUCH_BYTES,
            Protocol::Fix => FIX_BYTES,
        }
    }

    /// Lets other programs run for an eighth of a round, so that what they need is not taken from the
    /// round itself, then sessions say that they live.
    fn settle(&mut self, round_ns: u64) {
        self.rest.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_nanos((round_ns / 8).clamp(20_000_000, 200_000_000)));
        self.rest.store(false, Ordering::Relaxed);
        self.serve.store(Serve::Venue as u8, Ordering::Relaxed);
        self.sessions.stay_alive();
        let begin = self.time.now();
        while self.time.now() < begin + 2_000_000 {
            self.beside.turn();
            self.sessions.poll(&mut |_| {});
        }
    }

    /// Leaves a venue that runs on as it was: cancels what stands, and takes the answers as far as they come in a moment.
    pub(super) fn tidy(&mut self) {
        const MOMENT_NS: u64 = 100_000_000;
        self.sessions.withdraw();
        let begin = self.time.now();
        while self.time.now() < begin + MOMENT_NS && self.sessions.gone().is_none() {
            self.sessions.poll(&mut |_| {});
        }
    }

    fn load(&mut self, serve: Serve, due: &[u64], recorder: &mut Recorder) -> Outcome {
        self.serve.store(serve as u8, Ordering::Relaxed);
        let Self { time, sessions, echo, beside, bounds, .. } = self;
        let mut turn = || beside.turn();
        match serve {
            Serve::Venue => open_loop(time, sessions, due, bounds, recorder, &mut turn),
            Serve::Echo => open_loop(time, echo, due, bounds, recorder, &mut turn),
        }
    }

    /// Warms up, and then measures.
    pub(super) fn round(
        &mut self,
        serve: Serve,
        arrivals: &Arrivals,
        rate: u64,
        (warm_up_ms, nanoseconds): (u64, u64),
        seed: u64,
    ) -> Result<Round, LabError> {
        let due = arrivals.schedule(rate, nanoseconds, seed)?;
        let mut recorder = Recorder::new(due.len());
        self.settle(nanoseconds + warm_up_ms * 1_000_000);
        let mut outcome = Outcome::default();
        if warm_up_ms > 0 && rate * warm_up_ms >= 1_000 {
            let warm = arrivals.schedule(rate, warm_up_ms * 1_000_000, seed ^ 1)?;
            outcome = self.load(serve, &warm, &mut Recorder::new(warm.len()));
            // What warms up may be late, but it must be answered and the sessions must stand.
            outcome.void.retain(|void| {
                use spindle_lab::load::Void::{Gone, Unanswered};
                matches!(void, Gone(_) | Unanswered { .. })
            });
        }
        let before: Vec<_> = self.snapshots(serve);
        if outcome.void.is_empty() {
            outcome = self.load(serve, &due, &mut recorder);
        }
        let after = self.snapshots(serve);
        let hops = after.iter().zip(&before).map(|(after, before)| after.since(before)).collect();
        Ok(Round { due, recorder, outcome, hops })
    }

    fn snapshots(&self, serve: Serve) -> Vec<LatencySnapshot> {
        let venue = serve == Serve::Venue;
        let readers = self.hops.iter().filter(|_| venue);
        readers.map(|hop| hop.reader.snapshot()).collect()
    }

    /// Requests a second as fast as answers come, over a short time; 0 where some never came.
    pub(super) fn throughput(&mut self, serve: Serve, requests: usize, window: usize) -> u64 {
        self.settle(200_000_000);
        self.serve.store(serve as u8, Ordering::Relaxed);
        let mut recorder = Recorder::new(requests);
        let Self { time, sessions, echo, beside, bounds, .. } = self;
        let (patience, mut turn) = (bounds.patience_ns, || beside.turn());
        let outcome = match serve {
            Serve::Venue => {
                closed_loop(time, sessions, requests, window, patience, &mut recorder, &mut turn)
            }
            Serve::Echo => {
                closed_loop(time, echo, requests, window, patience, &mut recorder, &mut turn)
            }
        };
        if !outcome.void.is_empty() {
            return 0;
        }
        let rate = u128::from(outcome.sent) * 1_000_000_000 / u128::from(outcome.elapsed_ns.max(1));
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}
