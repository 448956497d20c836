//! The gateway: listens, serves connections, and passes requests and events between them and the
//! engine. One agent, one thread, one pair of rings.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use spindle_engine::command::Command;
use spindle_engine::event::Event;
use spindle_types::Agent;
use thiserror::Error;

use crate::board::{BoardReader, BoardWriter, GatewayCounts};
use crate::clock::{Clock, SystemClock};
use crate::close::CloseCause;
use crate::config::{ConfigError, GatewayConfig};
use crate::desk::Desk;
use crate::fix::session::Now;
use crate::line::Line;
use crate::notice::{Away, GatewayNotice};
use crate::options::Door;
use crate::soup::server::Timing;
use crate::stats::GatewayStats;
use crate::transport::Connection;
use crate::wire::{Carrier, Wire};

/// New connections are looked for at least this often, and at every 64th turn if the one before had
/// nothing to do.
const ACCEPT_INTERVAL_NS: u64 = 2_000_000;
const ACCEPT_TURNS: u64 = 64;

/// Addresses that are asked about in one call.
const LISTENERS_AT_ONCE: usize = 4;

/// Asks and does not wait.
const NO_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Connections accepted on each address in one turn at most.
const ACCEPTS_MAX: usize = 1;

/// After one that was turned away nobody is looked at for so long: a flood waits in the kernel's
/// queue, and costs those who are served a small part of their time.
const AWAY_NS: u64 = 10_000_000;

/// Connections without a login that are read in one turn at most.
const STRANGERS_MAX: usize = 2;

/// What clients of OUCH are told when the journal has failed, at most 48 bytes.
const HALTED: &[u8] = b"halted: the journal cannot be written";

/// Why a gateway cannot start.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No thread for passwords.
    #[error("no thread that checks passwords: {0}")]
    Helper(std::io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", listen_hint(.source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

fn listen_hint(source: &std::io::Error) -> String {
    match source.kind() {
        ErrorKind::AddrInUse => {
            "the port is in use; stop the program that has it or give another port in \
             gateway.listen"
                .to_owned()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; give one of its own in gateway.listen".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "not permitted; give a port of 1024 or above in gateway.listen".to_owned()
        }
        _ => format!("{source}; give another address in gateway.listen"),
    }
}

/// Asks a gateway to end, from any thread.
#[derive(Clone, Debug)]
pub struct ShutdownHandle(Arc<AtomicBool>);

impl ShutdownHandle {
    /// Asks the gateway to end: it takes no more connections and requests, waits for the answers
    /// to what it has passed on, ends every session and is done. Asking twice is the same.
    pub fn request(&self) {
        // Release pairs with the gateway's Acquire: it sees what the caller did before.
        self.0.store(true, Ordering::Release);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Waits for the engine's answers to what was passed on.
    Settling {
        until: u64,
    },
    /// The sessions have ended; their last bytes are leaving.
    Ending {
        until: u64,
    },
    Done,
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// OUCH over SoupBinTCP.
    Ouch,
    /// FIX.
    Fix,
}

/// An address that is listened on.
struct Listener {
    socket: TcpListener,
    speech: Speech,
    door: Door,
}

impl Listener {
    fn bind(
        address: SocketAddr,
        speech: Speech,
        door: &Door,
    ) -> Result<(Self, SocketAddr), GatewayError> {
        let listen = |source| GatewayError::Listen { address, source };
        let socket = TcpListener::bind(address).map_err(listen)?;
        socket.set_nonblocking(true).map_err(listen)?;
        let local_address = socket.local_addr().map_err(listen)?;
        Ok((Self { socket, speech, door: door.clone() }, local_address))
    }
}

/// The gateway.
pub struct Gateway<C = SystemClock> {
    listeners: Vec<Listener>,
    local_address: SocketAddr,
    fix_address: Option<SocketAddr>,
    connections: Vec<Connection>,
    /// Who is served first in this turn: it moves on, so that nobody is always last.
    first: usize,
    desk: Desk,
    clock: C,
    timing: Timing,
    shutdown: Arc<AtomicBool>,
    phase: Phase,
    turn: u64,
    accept_at: u64,
    /// Whether the last turn had nothing to do.
    idle: bool,
    /// Until when nobody is looked at, after one who was turned away.
    away_until: u64,
    first_listener: usize,
    /// Which of the connections without a login is read next.
    first_stranger: usize,
    accept_failing: bool,
    board: BoardWriter,
}

impl<C: Clock> Gateway<C> {
    /// Listens, with `commands` to the engine and `events` from it.
    ///
    /// # Errors
    /// A wrong configuration, or an address that cannot be listened on.
    pub fn bind(
        config: &GatewayConfig,
        clock: C,
        commands: Producer<Command>,
        events: Consumer<Event>,
    ) -> Result<Self, GatewayError> {
        let begun = config.day_began.unwrap_or_else(|| clock.time_of_day());
        let mut desk = Desk::new(config, begun, commands, events)?;
        desk.start_helper().map_err(GatewayError::Helper)?;
        let board = BoardWriter::new(desk.sessions());
        let (ouch, local_address) = Listener::bind(config.listen, Speech::Ouch, &config.door)?;
        let mut listeners = vec![ouch];
        let mut fix_address = None;
        if let Some(fix) = &config.fix {
            let (listener, address) = Listener::bind(fix.listen, Speech::Fix, &fix.door)?;
            listeners.push(listener);
            fix_address = Some(address);
        }
        Ok(Self {
            listeners,
            local_address,
            fix_address,
            connections: Vec::with_capacity(config.limits.connections_max),
            first: 0,
            desk,
            clock,
            timing: config.timing,
            shutdown: Arc::new(AtomicBool::new(false)),
            phase: Phase::Running,
            turn: 0,
            accept_at: 0,
            idle: true,
            away_until: 0,
            first_listener: 0,
            first_stranger: 0,
            accept_failing: false,
            board,
        })
    }

    /// Touches the memory of all sessions once, so that the system has given every page before the first
    /// message needs it.
    pub fn warm_up(&mut self) {
        self.desk.warm_up();
    }

    /// Where it listens: the address of the configuration, with the port that port 0 became.
    pub const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Where it listens for FIX, if it does.
    pub const fn fix_address(&self) -> Option<SocketAddr> {
        self.fix_address
    }

    /// The sessions, for bringing them back to where a journal says that they were. Before the first turn.
    pub const fn desk_mut(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// The journal has failed: nothing that waits may leave, and nothing more is taken. Who is connected is told
    /// as far as its protocol can without counting, and is closed.
    #[cold]
    fn halt(&mut self, now: u64) {
        self.listeners.clear();
        for connection in &mut self.connections {
            if connection.line().say(&self.desk, HALTED) {
                connection.flush(&mut self.desk, now);
            }
            connection.cut(&mut self.desk, CloseCause::Halted);
        }
        self.connections.clear();
        self.phase = Phase::Done;
    }

    /// A handle to end it.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(Arc::clone(&self.shutdown))
    }

    /// The end of a new ring of `capacity` notices; a ring taken before gets no more. What does
    /// not fit is counted as lost. Without a ring, notices are not made.
    pub fn notices(&mut self, capacity: usize) -> Consumer<GatewayNotice> {
        let (producer, consumer) = RingBuffer::new(capacity);
        self.desk.set_notices(producer);
        consumer
    }

    /// What was counted and measured so far.
    pub const fn stats(&self) -> &GatewayStats {
        self.desk.stats()
    }

    /// Takes what was counted and measured, and counts from 0 again. Allocates: not for the hot
    /// path.
    pub fn take_stats(&mut self) -> GatewayStats {
        self.desk.take_stats()
    }

    /// From now on requests and answers are stamped, or not. What is under way keeps its stamps.
    pub fn set_stamps(&mut self, stamps: bool) {
        self.desk.port.set_stamps(stamps);
    }

    /// What other threads may read of it while it runs.
    pub fn board(&self) -> BoardReader {
        self.board.reader()
    }

    /// Writes on the board.
    #[cold]
    fn write_board(&mut self) {
        let open = self.connections.len() as u64;
        let counts = GatewayCounts { open, ..self.desk.counts() };
        let (desk, connections) = (&self.desk, &self.connections);
        let up = connections.iter().filter_map(|connection| connection.standing(desk));
        self.board.write(&counts, up);
    }

    /// Connections that are open now, those without a login included.
    pub fn connections_open(&self) -> usize {
        self.connections.len()
    }

    fn accept(&mut self, now: u64) -> usize {
        self.turn += 1;
        let often = now >= self.away_until && self.idle && self.turn.is_multiple_of(ACCEPT_TURNS);
        if now < self.accept_at && !often {
            return 0;
        }
        self.accept_at = now.saturating_add(ACCEPT_INTERVAL_NS);
        if !self.has_newcomers() {
            return 0;
        }
        // Who is looked at first moves on, so that a flood of one port leaves the other open.
        let count = self.listeners.len();
        self.first_listener = (self.first_listener + 1) % count.max(1);
        (0..count).map(|at| self.accept_from((self.first_listener + at) % count, now)).sum()
    }

    /// Whether somebody waits to be accepted. One call for all addresses, and a cheap one: to accept
    /// makes a socket before it looks whether there is anybody, which costs microseconds.
    fn has_newcomers(&self) -> bool {
        self.listeners.chunks(LISTENERS_AT_ONCE).any(|listeners| {
            let mut asked: [_; LISTENERS_AT_ONCE] = std::array::from_fn(|at| {
                let listener = listeners.get(at).unwrap_or(&listeners[0]);
                PollFd::new(&listener.socket, PollFlags::IN)
            });
            // Where the answer is a failure, accepting tells it.
            poll(&mut asked[..listeners.len()], Some(&NO_TIME)).map_or(true, |ready| ready > 0)
        })
    }

    fn accept_from(&mut self, index: usize, now: u64) -> usize {
        for accepted in 0..ACCEPTS_MAX {
            if now < self.away_until {
                return accepted;
            }
            let Some(Listener { socket, .. }) = self.listeners.get(index) else {
                return accepted;
            };
            match socket.accept() {
                Ok((socket, peer)) => self.admit(socket, peer, index, now),
                Err(error) => {
                    self.accept_failed(error.kind());
                    return accepted;
                }
            }
        }
        ACCEPTS_MAX
    }

    fn admit(&mut self, socket: TcpStream, peer: SocketAddr, index: usize, now: u64) {
        self.accept_failing = false;
        let Some(Listener { speech, door, .. }) = self.listeners.get(index) else { return };
        let speech = *speech;
        if let Some(why) = self.turns_away(peer, door) {
            self.away_until = now.saturating_add(AWAY_NS);
            self.accept_at = self.away_until;
            return self.turn_away(peer, why);
        }
        let ready = socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true));
        let carrier = ready.and_then(|()| match &door.tls {
            None => Ok(Carrier::Plain(socket)),
            Some(tls) => Ok(Carrier::Secure(Box::new(tls.accept(Box::new(socket))?))),
        });
        match carrier {
            Ok(carrier) => self.take_over(carrier, peer, speech, now),
            Err(error) => {
                let cause = CloseCause::Socket(error.kind());
                self.desk.notice(GatewayNotice::Closed { user: None, peer, cause });
            }
        }
    }

    /// Why a newcomer is not taken, if it is not.
    fn turns_away(&self, peer: SocketAddr, door: &Door) -> Option<Away> {
        if !door.allow.admits(peer.ip()) {
            return Some(Away::Address);
        }
        let limits = self.desk.limits();
        if self.connections.len() >= limits.connections_max {
            return Some(Away::Full { connections_max: limits.connections_max });
        }
        let address = peer.ip().to_canonical();
        let same = |connection: &&Connection| connection.address().to_canonical() == address;
        let connections_max = limits.connections_by_address_max;
        let full = self.connections.iter().filter(same).count() >= connections_max;
        full.then_some(Away::AddressFull { connections_max })
    }

    fn turn_away(&mut self, peer: SocketAddr, why: Away) {
        self.desk.stats_mut().turned_away += 1;
        self.desk.notice(GatewayNotice::TurnedAway { peer, why });
    }

    fn take_over(&mut self, carrier: Carrier, peer: SocketAddr, speech: Speech, now: u64) {
        let line = match speech {
            Speech::Ouch => Line::new(self.timing, &self.desk, now),
            Speech::Fix => Line::fix(self.timing, &self.desk, now),
        };
        self.connections.push(Connection::new(carrier, peer, line));
        self.desk.stats_mut().connections += 1;
        self.desk.notice(GatewayNotice::Connected { peer });
    }

    /// Takes over a connection that something else than a port of this gateway brought: a
    /// simulated network, or a stream that fails on purpose. Limits and lists of addresses hold for
    /// it too, TLS does not. False where it is turned away.
    pub fn adopt(&mut self, wire: Box<dyn Wire>, peer: SocketAddr, speech: Speech) -> bool {
        let why = self.turns_away(peer, &Door::default());
        match why {
            Some(why) => self.turn_away(peer, why),
            None => self.take_over(Carrier::Other(wire), peer, speech, self.clock.now_ns()),
        }
        why.is_none()
    }

    fn accept_failed(&mut self, error: ErrorKind) {
        // A client that was gone before it was accepted is no failure of this side.
        let harmless = matches!(
            error,
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
        );
        if !harmless && !self.accept_failing {
            self.accept_failing = true;
            self.desk.notice(GatewayNotice::AcceptFailed { error });
        }
    }

    fn serve(&mut self, now: u64) -> usize {
        let mut work = self.desk.take_events();
        for connection in &mut self.connections {
            work += connection.flush(&mut self.desk, now);
        }
        if self.phase == Phase::Running {
            work += self.read(now);
            if self.desk.await_answer() {
                work += self.desk.take_events();
                for connection in &mut self.connections {
                    work += connection.flush(&mut self.desk, now);
                }
            }
        } else {
            for connection in &mut self.connections {
                connection.read_end(&mut self.desk, now);
            }
        }
        for connection in &mut self.connections {
            connection.tick(&mut self.desk, &self.timing, now);
        }
        self.connections.retain(|connection| !connection.is_closed());
        work
    }

    /// Reads from every connection that has a user, and then from a few of those without: so the
    /// end of an old connection is seen before the same client's login on a new one, and many who
    /// only connect cost little.
    fn read(&mut self, now: u64) -> usize {
        let count = self.connections.len();
        self.first = if self.first + 1 < count { self.first + 1 } else { 0 };
        let mut work = 0;
        let (front, back) = self.connections.split_at_mut(self.first);
        for connection in back.iter_mut().chain(front) {
            if connection.has_user() {
                work += connection.read(&mut self.desk, now);
            }
        }
        let mut strangers = 0;
        for step in 0..count {
            let at = (self.first_stranger + step) % count;
            if !self.connections[at].has_user() {
                work += self.connections[at].read(&mut self.desk, now);
                strangers += 1;
                if strangers == STRANGERS_MAX {
                    self.first_stranger = (at + 1) % count;
                    break;
                }
            }
        }
        work
    }

    /// Steps towards the end, once it was asked for.
    fn wind_down(&mut self, now: u64) {
        match self.phase {
            Phase::Running => {
                let engine_is_gone = self.desk.engine_is_gone();
                if engine_is_gone {
                    self.desk.notice(GatewayNotice::EngineGone);
                }
                if engine_is_gone || self.shutdown.load(Ordering::Acquire) {
                    self.listeners.clear();
                    self.phase =
                        Phase::Settling { until: now.saturating_add(self.timing.stall_ns) };
                }
            }
            Phase::Settling { until } => {
                if self.desk.is_settled() || now >= until {
                    self.desk.end_day(self.clock.time_of_day());
                    for connection in &mut self.connections {
                        connection.end(&mut self.desk, now);
                    }
                    self.phase = Phase::Ending { until: now.saturating_add(self.timing.stall_ns) };
                }
            }
            Phase::Ending { until } => {
                if now >= until {
                    for connection in &mut self.connections {
                        connection.cut(&mut self.desk, CloseCause::EndOfSession);
                    }
                    self.connections.clear();
                }
                if self.connections.is_empty() {
                    self.phase = Phase::Done;
                }
            }
            Phase::Done => {}
        }
    }
}

impl<C: Clock> Agent for Gateway<C> {
    fn name(&self) -> &str {
        "gateway"
    }

    fn poll(&mut self) -> usize {
        if self.phase == Phase::Done {
            return 0;
        }
        let now = self.clock.now_ns();
        let utc = if self.desk.needs_utc() { self.clock.utc_ns() } else { 0 };
        if self.desk.has_failed() {
            self.halt(now);
            return 0;
        }
        self.desk.begin_turn(Now { monotonic: now, utc });
        let work = self.accept(now) + self.serve(now);
        self.idle = work == 0;
        if self.idle {
            self.desk.prepare();
        }
        self.wind_down(now);
        if self.board.is_due(now) {
            self.write_board();
        }
        work
    }

    fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }
}
