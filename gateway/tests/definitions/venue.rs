//! A venue in one thread, without sockets, and with a clock that the test moves.

use std::net::SocketAddr;

use rtrb::RingBuffer;
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_gateway::desk::Desk;
use spindle_gateway::fix::FixConfig;
use spindle_gateway::fix::session::Now;
use spindle_gateway::line::Line;
use spindle_gateway::soup::server::Timing;
use spindle_gateway::{GatewayConfig, Limits};
use spindle_risk::{Gate, Key, Target};
use spindle_types::{AccountId, Agent, EventTime, InstrumentId};

use super::{Peer, whole};

/// 2026-11-20, noon.
const NOON: u64 = 1_795_176_000 * SECOND;
const SECOND: u64 = 1_000_000_000;

/// How long something is waited for.
const PATIENCE: u64 = 60 * SECOND;

/// How far the clock goes on when nothing happens.
const STEP: u64 = SECOND / 20;

/// A connection from the outside.
pub struct Connection {
    line: Line,
    /// What was sent and not yet read by the venue.
    input: Vec<u8>,
    /// What came from the venue and was not yet looked at.
    output: Vec<u8>,
    closed: bool,
    /// While it is, nothing is read from the venue.
    pub deaf: bool,
    /// Why the venue closed it.
    pub cause: Option<String>,
}

/// The venue.
pub struct Venue {
    pub desk: Desk,
    pub engine: EngineAgent<NoFeed>,
    connections: Vec<(usize, Connection)>,
    now: u64,
}

impl Venue {
    /// A venue with these FIX sessions, the instruments AAPL and MSFT, and two accounts that may do nearly
    /// everything: orders of up to 10,000 shares, 100 of them at once.
    pub fn new(fix: FixConfig) -> Self {
        Self::with_limits(fix, Limits::default())
    }

    /// The same with other capacities.
    pub fn with_limits(fix: FixConfig, limits: Limits) -> Self {
        let (commands_in, commands_out) = RingBuffer::new(256);
        let (events_in, events_out) = RingBuffer::new(1_024);
        let mut gate = Gate::new(2);
        for account in 0..2 {
            let limits = spindle_risk::Limits::NONE
                .with(Key::OrderSizeMax, 10_000)
                .with(Key::OrderValueMax, 1_000_000_000_000)
                .with(Key::CollarPercent, 5_000)
                .with(Key::OpenOrdersMax, 100);
            gate.set_limits(Target::Account(AccountId(account)), limits).expect("limits");
        }
        let capacity = Capacity { instruments: 4, orders: 1_000, levels: 1_000 };
        let config = EngineConfig { capacity, own_orders: 1_000, first_number: 1 };
        let (mut engine, _) = Engine::new(&config, gate);
        for (id, symbol) in (1..).zip(["AAPL", "MSFT"]) {
            assert!(engine.add_instrument(InstrumentId(id), symbol.parse().expect("a symbol")));
        }
        let engine =
            EngineAgent::new(engine, NoFeed, commands_out, events_in, TimeSource::Tape, false);
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let gateway = GatewayConfig {
            fix: Some(fix),
            limits,
            stamps: false,
            ..GatewayConfig::new(listen, "TEST")
        };
        let desk = Desk::new(&gateway, EventTime(0), commands_in, events_out).expect("a desk");
        Self { desk, engine, connections: Vec::new(), now: SECOND }
    }

    /// A connection by its number.
    pub fn find(&mut self, id: usize) -> Result<&mut Connection, String> {
        let found = self.connections.iter_mut().find(|(each, _)| *each == id);
        found.map(|(_, connection)| connection).ok_or_else(|| format!("no connection {id}"))
    }

    /// One turn of engine and gateway.
    pub fn turn(&mut self) {
        let Self { desk, engine, connections, now } = self;
        let now = *now;
        desk.begin_turn(Now { monotonic: now, utc: NOON + now });
        engine.poll();
        desk.take_events();
        for (_, connection) in connections.iter_mut().filter(|(_, each)| !each.closed) {
            connection.turn(desk, now);
        }
    }

    /// Turns until nothing more happens without time.
    fn settle(&mut self) {
        for _ in 0..6 {
            self.turn();
        }
    }

    /// Lets time pass.
    pub fn pass(&mut self, nanoseconds: u64) {
        self.now += nanoseconds;
        self.settle();
    }
}

impl Connection {
    /// Bytes that were sent and not yet read by the venue.
    pub fn waiting(&self) -> usize {
        self.input.len()
    }

    fn turn(&mut self, desk: &mut Desk, now: u64) {
        if !self.deaf {
            self.flush(desk, now);
        }
        let mut result = Ok(());
        if self.line.is_closing(desk) {
            self.input.clear();
            self.line.discard();
        } else {
            if self.line.is_stopped() {
                result = self.line.take_packets(desk, now).map(drop);
            }
            if result.is_ok() && !self.line.is_stopped() && !self.input.is_empty() {
                let space = self.line.space();
                let count = space.len().min(self.input.len());
                space[..count].copy_from_slice(&self.input[..count]);
                self.input.drain(..count);
                self.line.commit(count, 0);
                result = self.line.take_packets(desk, now).map(drop);
            }
        }
        let result = result.and_then(|()| self.line.tick(desk, now));
        if let Err(cause) = result {
            self.cause = Some(cause.to_string());
            self.line.leave(desk);
            self.closed = true;
        }
    }

    fn flush(&mut self, desk: &mut Desk, now: u64) {
        loop {
            let waiting = self.line.output(desk).to_vec();
            if waiting.is_empty() {
                return;
            }
            self.output.extend_from_slice(&waiting);
            self.line.written(desk, waiting.len(), now);
        }
    }
}

impl Peer for Venue {
    fn connect(&mut self, id: usize) -> Result<(), String> {
        self.disconnect(id);
        let line = Line::fix(Timing::default(), &self.desk, self.now);
        let connection = Connection {
            line,
            input: Vec::new(),
            output: Vec::new(),
            closed: false,
            deaf: false,
            cause: None,
        };
        self.connections.push((id, connection));
        Ok(())
    }

    fn disconnect(&mut self, id: usize) {
        if let Some(at) = self.connections.iter().position(|(each, _)| *each == id) {
            let (_, mut connection) = self.connections.swap_remove(at);
            connection.line.leave(&mut self.desk);
        }
        self.settle();
    }

    fn send(&mut self, id: usize, bytes: &[u8]) -> Result<(), String> {
        let connection = self.find(id)?;
        if !connection.closed {
            connection.input.extend_from_slice(bytes);
        }
        if bytes.len() == 1 {
            self.turn();
        } else {
            self.settle();
        }
        Ok(())
    }

    fn receive(&mut self, id: usize) -> Result<Vec<u8>, String> {
        let end = self.now + PATIENCE;
        loop {
            let connection = self.find(id)?;
            if let Some(length) = whole(&connection.output) {
                return Ok(connection.output.drain(..length).collect());
            }
            if connection.closed {
                return Err("the connection is closed".to_owned());
            }
            if self.now > end {
                return Err("nothing came".to_owned());
            }
            self.settle();
            if whole(&self.find(id)?.output).is_none() {
                self.pass(STEP);
            }
        }
    }

    fn expect_closed(&mut self, id: usize) -> Result<(), String> {
        let end = self.now + PATIENCE;
        loop {
            let connection = self.find(id)?;
            if !connection.output.is_empty() {
                return Err(format!("instead of the end came {}", super::show(&connection.output)));
            }
            if connection.closed {
                return Ok(());
            }
            if self.now > end {
                return Err("the connection stays open".to_owned());
            }
            self.pass(STEP);
        }
    }

    fn utc(&self) -> u64 {
        NOON + self.now
    }
}
