//! The gateway: listens, serves connections, and passes requests and events between them and the
//! engine. One agent, one thread, one pair of rings.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};
use socket2::SockRef;
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
use crate::notice::GatewayNotice;
use crate::options::Door;
use crate::pace::Pace;
use crate::soup::server::Timing;
use crate::stats::GatewayStats;
use crate::transport::Connection;

/// Bytes that the system keeps for a client that does not read, about: beyond them it is noticed, and what waits is
/// counted here. Without it the system takes megabytes.
const SEND_BUFFER_BYTES: usize = 256 * 1_024;

/// Members who were not heard lately are read from in turns without other work, and at least in one of so many.
const QUIET_TURNS: u64 = 8;

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
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) speech: Speech,
    pub(crate) door: Door,
}

impl Listener {
    pub(crate) fn bind(
        address: SocketAddr,
        speech: Speech,
        door: &Door,
    ) -> Result<(Self, SocketAddr), GatewayError> {
        let listen = |source| GatewayError::Listen { address, source };
        let socket = TcpListener::bind(address).map_err(listen)?;
        socket.set_nonblocking(true).map_err(listen)?;
        // What is accepted inherits both.
        let options = SockRef::from(&socket);
        options.set_send_buffer_size(SEND_BUFFER_BYTES).map_err(listen)?;
        options.set_tcp_nodelay(true).map_err(listen)?;
        let local_address = socket.local_addr().map_err(listen)?;
        Ok((Self { socket, speech, door: door.clone() }, local_address))
    }
}

/// The gateway.
pub struct Gateway<C = SystemClock> {
    pub(crate) listeners: Vec<Listener>,
    local_address: SocketAddr,
    fix_address: Option<SocketAddr>,
    /// Connections of users who are logged in. They are served in every turn, but for those aside.
    pub(crate) members: Vec<Connection>,
    /// All others: without a login yet, and those whose last bytes are leaving.
    pub(crate) crowd: Vec<Connection>,
    /// Who is served first in this turn: it moves on, so that nobody is always last.
    first: usize,
    /// Whether every member was read from in this turn, but for those aside.
    pub(crate) read_all: bool,
    pub(crate) desk: Desk,
    pub(crate) clock: C,
    pub(crate) timing: Timing,
    shutdown: Arc<AtomicBool>,
    phase: Phase,
    /// When those who may wait are served.
    pub(crate) pace: Pace,
    /// Which kind of them was served last.
    pub(crate) kind: u8,
    pub(crate) first_listener: usize,
    /// Which of the crowd is served next.
    pub(crate) next_stranger: usize,
    /// Which of the members aside is served next, or the first behind it.
    pub(crate) next_aside: usize,
    pub(crate) accept_failing: bool,
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
        let mut gateway = Self::without_ports(config, clock, commands, events)?;
        gateway.desk.start_helper().map_err(GatewayError::Helper)?;
        let (ouch, local_address) = Listener::bind(config.listen, Speech::Ouch, &config.door)?;
        gateway.local_address = local_address;
        gateway.listeners.push(ouch);
        if let Some(fix) = &config.fix {
            let (listener, address) = Listener::bind(fix.listen, Speech::Fix, &fix.door)?;
            gateway.listeners.push(listener);
            gateway.fix_address = Some(address);
        }
        Ok(gateway)
    }

    /// A gateway that listens nowhere and starts no thread: its connections come by [`Gateway::adopt`], and
    /// hashed passwords are checked where they are asked for.
    ///
    /// # Errors
    /// A wrong configuration.
    pub fn without_ports(
        config: &GatewayConfig,
        clock: C,
        commands: Producer<Command>,
        events: Consumer<Event>,
    ) -> Result<Self, GatewayError> {
        let begun = config.day_began.unwrap_or_else(|| clock.time_of_day());
        let desk = Desk::new(config, begun, commands, events)?;
        let board = BoardWriter::new(desk.sessions());
        Ok(Self {
            listeners: Vec::new(),
            local_address: config.listen,
            fix_address: None,
            members: Vec::with_capacity(config.limits.connections_max),
            crowd: Vec::with_capacity(config.limits.connections_max),
            first: 0,
            read_all: false,
            desk,
            clock,
            timing: config.timing,
            shutdown: Arc::new(AtomicBool::new(false)),
            phase: Phase::Running,
            pace: Pace::default(),
            kind: 0,
            first_listener: 0,
            next_stranger: 0,
            next_aside: 0,
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
        for connection in self.members.iter_mut().chain(&mut self.crowd) {
            if connection.line().say(&self.desk, HALTED) {
                connection.flush(&mut self.desk, now);
            }
            connection.cut(&mut self.desk, CloseCause::Halted);
        }
        self.members.clear();
        self.crowd.clear();
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
        let open = self.connections_open() as u64;
        let counts = GatewayCounts { open, ..self.desk.counts() };
        let (desk, connections) = (&self.desk, self.members.iter().chain(&self.crowd));
        let up = connections.filter_map(|connection| connection.standing(desk));
        self.board.write(&counts, up);
    }

    /// Connections that are open now, those without a login included.
    pub fn connections_open(&self) -> usize {
        self.members.len() + self.crowd.len()
    }

    /// Serves the members, and then those who may wait.
    fn serve(&mut self, now: u64) -> usize {
        let mut work = self.desk.take_events() + self.flush(now);
        work += self.read(work > 0, now);
        if self.desk.await_answer() {
            work += self.desk.take_events() + self.flush(now);
        }
        for connection in &mut self.members {
            connection.tick_member(&mut self.desk, &self.timing, now);
        }
        work += self.serve_aside(work > 0, now);
        self.desk.await_nothing();
        self.dismiss();
        work
    }

    fn flush(&mut self, now: u64) -> usize {
        let mut work = 0;
        for connection in &mut self.members {
            if !connection.is_aside() {
                work += connection.flush(&mut self.desk, now);
            }
        }
        work
    }

    /// Reads from the members, `busy` where this turn has had work: before anybody without a login, so that the end of an
    /// old connection is seen before the same client's login on a new one. Who was heard lately comes first; to look
    /// at all others costs a system call each, which whoever has just sent something shall not wait for.
    fn read(&mut self, busy: bool, now: u64) -> usize {
        let count = self.members.len();
        self.first = if self.first + 1 < count { self.first + 1 } else { 0 };
        let mut work = 0;
        let must = self.desk.port.turn.is_multiple_of(QUIET_TURNS) || self.pace.is_due(now, true);
        for heard_lately in [true, false] {
            self.read_all = !busy && work == 0 || must;
            if !heard_lately && !self.read_all {
                break;
            }
            let (front, back) = self.members.split_at_mut(self.first);
            for connection in back.iter_mut().chain(front) {
                let lately = connection.was_heard_lately(&self.desk);
                if !connection.is_aside() && lately == heard_lately {
                    work += connection.read(&mut self.desk, now);
                }
            }
        }
        work
    }

    /// Who is a member no more joins the crowd, where closing his socket waits for a slice.
    fn dismiss(&mut self) {
        let mut at = 0;
        while at < self.members.len() {
            if self.members[at].has_user() {
                at += 1;
            } else {
                let connection = self.members.remove(at);
                self.crowd.push(connection);
            }
        }
    }

    /// The last bytes leave: everybody is served in every turn, and nothing is taken.
    fn serve_last(&mut self, now: u64) -> usize {
        let mut work = self.desk.take_events();
        for connection in self.members.iter_mut().chain(&mut self.crowd) {
            work += connection.flush(&mut self.desk, now);
            connection.read_end(&mut self.desk, now);
            connection.tick(&mut self.desk, &self.timing, now);
        }
        self.members.retain(|connection| !connection.is_closed());
        self.crowd.retain(|connection| !connection.is_closed());
        work
    }

    /// Steps towards the end, once it was asked for.
    fn wind_down(&mut self, now: u64) {
        match self.phase {
            Phase::Running => {
                // Asked for first: an engine that was gone before the end was asked for is seen to be gone.
                let is_asked_to_end = self.shutdown.load(Ordering::Acquire);
                let engine_is_gone = self.desk.engine_is_gone();
                if engine_is_gone {
                    self.desk.notice(GatewayNotice::EngineGone);
                }
                if engine_is_gone || is_asked_to_end {
                    self.listeners.clear();
                    self.phase =
                        Phase::Settling { until: now.saturating_add(self.timing.stall_ns) };
                }
            }
            Phase::Settling { until } => {
                if self.desk.is_settled() || now >= until {
                    self.desk.end_day(self.clock.time_of_day());
                    for connection in self.members.iter_mut().chain(&mut self.crowd) {
                        connection.end(&mut self.desk, now);
                    }
                    self.phase = Phase::Ending { until: now.saturating_add(self.timing.stall_ns) };
                }
            }
            Phase::Ending { until } => {
                if now >= until {
                    for connection in self.members.iter_mut().chain(&mut self.crowd) {
                        connection.cut(&mut self.desk, CloseCause::EndOfSession);
                    }
                    self.members.clear();
                    self.crowd.clear();
                }
                if self.connections_open() == 0 {
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
        let running = self.phase == Phase::Running;
        let work = if running { self.serve(now) } else { self.serve_last(now) };
        if work == 0 {
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
