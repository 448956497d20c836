//! The venue, in process or behind real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rtrb::{Consumer, Producer, RingBuffer};
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::event::Event;
use spindle_gateway::desk::Desk;
use spindle_gateway::fix::session::Now;
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::line::Line;
use spindle_gateway::soup::server::Timing;
use spindle_gateway::{Clock, Gateway, GatewayConfig, OuchEdition};
use spindle_types::{AccountId, Agent, EventTime, SessionId};

use crate::common::{ManualClock, SECOND, engine_of_two, user};

/// 2026-11-20, noon.
const NOON: u64 = 1_795_176_000 * SECOND;

/// Who is there: a user of OUCH 5.0 (session 1), one of 4.2 (2) and one of FIX (3).
pub const CLIENTS: usize = 3;

/// How bytes travel.
pub trait World {
    /// Begins a connection of a client.
    fn connect(&mut self, client: usize);
    /// Ends it: what is under way is lost.
    fn cut(&mut self, client: usize);
    /// Whether the venue has closed it: the last connection was not known to be gone.
    fn is_closed(&self, client: usize) -> bool;
    /// Sends the first bytes of these; gives how many were sent.
    fn send(&mut self, client: usize, bytes: &[u8]) -> usize;
    /// At most so many bytes that came.
    fn receive(&mut self, client: usize, most: usize) -> Vec<u8>;
    /// One turn of the venue.
    fn turn(&mut self);
    /// The time, since 1970.
    fn utc(&self) -> u64;
    /// Lets time pass.
    fn pass(&mut self, nanoseconds: u64);
    /// Everything that the engine has told.
    fn events(&self) -> &[Event];
}

fn config() -> GatewayConfig {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut fix = FixConfig::new(listen, "SPIN");
    fix.sessions = vec![FixUser::new(Version::Fix44, "FIONA", SessionId(3), AccountId(1))];
    let mut users = vec![user("ALICE", 1), user("BOB", 2)];
    users[1].protocol = OuchEdition::V42;
    GatewayConfig { users, fix: Some(fix), stamps: false, ..GatewayConfig::new(listen, "DAY01") }
}

/// The engine, and what it tells on its way to the gateway.
struct Middle {
    engine: EngineAgent<NoFeed>,
    from: Consumer<Event>,
    to: Producer<Event>,
    log: Vec<Event>,
}

impl Middle {
    /// With the gateway's ends of the rings.
    fn new() -> (Self, Producer<spindle_engine::command::Command>, Consumer<Event>) {
        let engine = engine_of_two(20_000, 20_000, 10_000);
        let (commands_in, commands_out) = RingBuffer::new(64);
        let (events_in, from) = RingBuffer::new(256);
        let (to, events_out) = RingBuffer::new(256);
        let engine =
            EngineAgent::new(engine, NoFeed, commands_out, events_in, TimeSource::Tape, false);
        (Self { engine, from, to, log: Vec::new() }, commands_in, events_out)
    }

    fn turn(&mut self) {
        self.engine.poll();
        while !self.to.is_full()
            && let Ok(event) = self.from.pop()
        {
            self.log.push(event);
            self.to.push(event).expect("there is room");
        }
    }
}

/// A connection in process.
struct Wire {
    line: Line,
    to_venue: Vec<u8>,
    to_client: Vec<u8>,
}

/// The venue without sockets, its clock the test's.
pub struct InProcess {
    desk: Desk,
    middle: Middle,
    wires: [Option<Wire>; CLIENTS],
    now: u64,
}

/// Bytes that a connection takes before it is full.
const WIRE_BYTES: usize = 4_096;

impl InProcess {
    pub fn new() -> Self {
        let (middle, commands, events) = Middle::new();
        let desk = Desk::new(&config(), EventTime(0), commands, events).expect("a desk");
        Self { desk, middle, wires: [None, None, None], now: SECOND }
    }
}

impl World for InProcess {
    fn connect(&mut self, client: usize) {
        self.cut(client);
        let line = match client {
            2 => Line::fix(Timing::default(), &self.desk, self.now),
            _ => Line::new(Timing::default(), &self.desk, self.now),
        };
        self.wires[client] = Some(Wire { line, to_venue: Vec::new(), to_client: Vec::new() });
    }

    fn cut(&mut self, client: usize) {
        if let Some(mut wire) = self.wires[client].take() {
            wire.line.leave(&mut self.desk);
        }
    }

    fn is_closed(&self, client: usize) -> bool {
        self.wires[client].is_none()
    }

    fn send(&mut self, client: usize, bytes: &[u8]) -> usize {
        let Some(wire) = &mut self.wires[client] else { return 0 };
        let count = bytes.len().min(WIRE_BYTES.saturating_sub(wire.to_venue.len()));
        wire.to_venue.extend_from_slice(&bytes[..count]);
        count
    }

    fn receive(&mut self, client: usize, most: usize) -> Vec<u8> {
        let Some(wire) = &mut self.wires[client] else { return Vec::new() };
        let count = most.min(wire.to_client.len());
        wire.to_client.drain(..count).collect()
    }

    fn turn(&mut self) {
        let Self { desk, middle, wires, now } = self;
        let now = *now;
        desk.begin_turn(Now { monotonic: now, utc: NOON + now });
        middle.turn();
        desk.take_events();
        for wire in wires.iter_mut().flatten() {
            wire.turn(desk, now);
        }
    }

    fn utc(&self) -> u64 {
        NOON + self.now
    }

    fn pass(&mut self, nanoseconds: u64) {
        self.now += nanoseconds;
    }

    fn events(&self) -> &[Event] {
        &self.middle.log
    }
}

impl Wire {
    fn turn(&mut self, desk: &mut Desk, now: u64) {
        loop {
            let output = self.line.output(desk);
            let count = output.len().min(WIRE_BYTES.saturating_sub(self.to_client.len()));
            if count == 0 {
                break;
            }
            self.to_client.extend_from_slice(&output[..count]);
            self.line.written(desk, count, now);
        }
        let mut result = Ok(0);
        if self.line.is_stopped() {
            result = self.line.take_packets(desk, now);
        }
        if result.is_ok() && !self.line.is_stopped() && !self.to_venue.is_empty() {
            let space = self.line.space();
            let count = space.len().min(self.to_venue.len());
            space[..count].copy_from_slice(&self.to_venue[..count]);
            self.to_venue.drain(..count);
            self.line.commit(count, 0);
            result = self.line.take_packets(desk, now);
        }
        let result = result.and_then(|_| self.line.tick(desk, now));
        assert!(result.is_ok(), "the venue closes nothing: {result:?}");
    }
}

/// The venue behind real sockets.
pub struct OnSockets {
    gateway: Gateway<ManualClock>,
    middle: Middle,
    clock: ManualClock,
    sockets: [Option<TcpStream>; CLIENTS],
}

impl OnSockets {
    pub fn new() -> Self {
        let clock = ManualClock::default();
        clock.advance(SECOND);
        let (middle, commands, events) = Middle::new();
        let gateway =
            Gateway::bind(&config(), clock.clone(), commands, events).expect("a free port");
        Self { gateway, middle, clock, sockets: [None, None, None] }
    }
}

impl World for OnSockets {
    fn connect(&mut self, client: usize) {
        self.cut(client);
        let address = match client {
            2 => self.gateway.fix_address().expect("FIX is served"),
            _ => self.gateway.local_address(),
        };
        let socket = TcpStream::connect(address).expect("it listens");
        // Newcomers are looked for every two milliseconds: nobody is left waiting in the kernel's queue,
        // which would be full in the end.
        for _ in 0..2 {
            self.clock.advance(3_000_000);
            self.turn();
        }
        socket.set_nonblocking(true).expect("a socket");
        self.sockets[client] = Some(socket);
    }

    fn cut(&mut self, client: usize) {
        self.sockets[client] = None;
    }

    fn is_closed(&self, client: usize) -> bool {
        self.sockets[client].is_none()
    }

    fn send(&mut self, client: usize, bytes: &[u8]) -> usize {
        let Some(socket) = &mut self.sockets[client] else { return 0 };
        match socket.write(bytes) {
            Ok(count) => return count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.sockets[client] = None,
        }
        0
    }

    fn receive(&mut self, client: usize, most: usize) -> Vec<u8> {
        let Some(socket) = &mut self.sockets[client] else { return Vec::new() };
        let mut bytes = vec![0; most.max(1)];
        match socket.read(&mut bytes) {
            Ok(count) if count > 0 => return bytes[..count].to_vec(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => self.sockets[client] = None,
        }
        Vec::new()
    }

    fn turn(&mut self) {
        self.gateway.poll();
        self.middle.turn();
    }

    fn utc(&self) -> u64 {
        self.clock.utc_ns()
    }

    fn pass(&mut self, nanoseconds: u64) {
        self.clock.advance(nanoseconds);
    }

    fn events(&self) -> &[Event] {
        &self.middle.log
    }
}
