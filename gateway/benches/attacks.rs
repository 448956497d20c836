//! What attacks cost those who trade: enter to accepted over OUCH in a closed loop, with and without
//! each attack, in turns of the same run.
//!
//! Venue, client and attacker share one thread, so that no scheduler decides who waits. A round trip
//! counts what the venue's turns take from the request's write to its answer's read; what the
//! attacker does in between is not counted. Blocks with and without the attack alternate; the noise
//! is what blocks without it differ by among themselves.
//!
//!     cargo bench -p spindle-gateway --bench attacks

#![allow(clippy::print_stdout, reason = "it is its output")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use rtrb::RingBuffer;
use socket2::{Domain, Socket, Type};
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::command::OrderSide;
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_gateway::client::NewOrder;
use spindle_gateway::fix::encode::envelope;
use spindle_gateway::fix::value::format_timestamp;
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::{Gateway, GatewayConfig, SystemClock, User};
use spindle_risk::{Gate, Key, Limits, Target};
use spindle_types::{AccountId, Agent, InstrumentId, OrderToken, Price, Quantity, SessionId};
use zerocopy::IntoBytes;

const BLOCKS: usize = 12;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

struct Rig {
    gateway: Gateway<SystemClock>,
    engine: EngineAgent<NoFeed>,
    ouch: SocketAddr,
    fix: SocketAddr,
    client: TcpStream,
    next: u32,
}

fn user(name: &str, session: u16) -> User {
    let (name, account) = (name.to_owned(), AccountId(session));
    User::new(&name, "PASS", SessionId(session), account)
}

fn order(number: u32) -> Vec<u8> {
    let symbol = "AAPL".parse().expect("a symbol");
    let order = NewOrder::limit(OrderSide::Buy, Quantity(1), symbol, Price(10_000));
    let mut message = order.message(OrderToken(number));
    message.time_in_force = b'3';
    [&[0, 48, b'U'][..], message.as_bytes()].concat()
}

fn nonblocking(socket: TcpStream) -> TcpStream {
    socket.set_nonblocking(true).expect("a socket");
    socket
}

impl Rig {
    fn new() -> Self {
        let mut gate = Gate::new(5);
        let limits = Limits::NONE
            .with(Key::OrderSizeMax, 10_000)
            .with(Key::OrderValueMax, 1_000_000_000_000)
            .with(Key::CollarPercent, 1_000)
            .with(Key::OpenOrdersMax, 10_000);
        for account in 1..=4 {
            gate.set_limits(Target::Account(AccountId(account)), limits).expect("good limits");
        }
        let capacity = Capacity { orders: 20_000, levels: 1_000, instruments: 4 };
        let config = EngineConfig { capacity, own_orders: 20_000, first_number: 1 };
        let (mut engine, _tops) = Engine::new(&config, gate);
        engine.warm_up();
        engine.add_instrument(InstrumentId(1), "AAPL".parse().expect("a symbol"));
        let (commands_in, commands_out) = RingBuffer::new(4_096);
        let (events_in, events_out) = RingBuffer::new(16_384);
        let listen = ([127, 0, 0, 1], 0).into();
        let mut fix = FixConfig::new(listen, "SPIN");
        fix.sessions = vec![FixUser::new(Version::Fix44, "STORM", SessionId(3), AccountId(3))];
        let mut config = GatewayConfig {
            users: vec![user("ALICE", 1), user("BOB", 2)],
            fix: Some(fix),
            ..GatewayConfig::new(listen, "BENCH")
        };
        config.timing.silence_ns = u64::MAX / 2;
        let mut gateway = Gateway::bind(&config, SystemClock::new(), commands_in, events_out)
            .expect("a free port");
        let _ = gateway.notices(1);
        let engine =
            EngineAgent::new(engine, NoFeed, commands_out, events_in, TimeSource::Tape, false);
        let (ouch, fix) = (gateway.local_address(), gateway.fix_address().expect("it serves FIX"));
        let client = TcpStream::connect(ouch).expect("it listens");
        client.set_nodelay(true).expect("a socket");
        let mut rig = Self { gateway, engine, ouch, fix, client: nonblocking(client), next: 1 };
        rig.client
            .write_all(format!("\0/LALICE PASS      {:10}{:>20}", "", 1).as_bytes())
            .expect("room");
        let mut space = [0; 4_096];
        while rig.client.read(&mut space).is_err() {
            rig.turn();
        }
        rig
    }

    fn turn(&mut self) {
        self.gateway.poll();
        self.engine.poll();
    }

    /// One order and its answer: the time that the venue's turns took.
    fn round_trip(&mut self, attack: &mut dyn FnMut(SocketAddr, SocketAddr)) -> u64 {
        let packet = order(self.next);
        self.next += 1;
        self.client.write_all(&packet).expect("room");
        let mut took = Duration::ZERO;
        let mut space = [0; 4_096];
        loop {
            let before = Instant::now();
            self.turn();
            took += before.elapsed();
            match self.client.read(&mut space) {
                // Accepted and cancelled come together or one after the other.
                Ok(count) if space[..count].windows(3).any(|w| w == [0, 65, b'S']) => break,
                Ok(0) => panic!("the venue closed the connection"),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            attack(self.ouch, self.fix);
        }
        // What is left of this order's answers.
        for _ in 0..3 {
            self.turn();
            let _ = self.client.read(&mut space);
        }
        u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A peer that may be gone: it connects again when it is.
struct Peer {
    socket: Option<TcpStream>,
    hello: Vec<u8>,
    reads: bool,
}

impl Peer {
    fn new(hello: Vec<u8>, reads: bool) -> Self {
        Self { socket: None, hello, reads }
    }

    /// Writes what it has to say, as far as there is room, and reads what there is.
    fn step(&mut self, to: SocketAddr, bytes: &[u8]) {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            None => {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
                let _ = socket.set_recv_buffer_size(16 * 1_024);
                let _ = socket.set_nonblocking(true);
                let _ = socket.connect(&to.into());
                let socket = self.socket.insert(socket.into());
                let _ = socket.write(&self.hello);
                socket
            }
        };
        let written = socket.write(bytes);
        let mut space = [0; 16_384];
        let read = if self.reads { socket.read(&mut space) } else { Ok(1) };
        let gone = |error: &std::io::Error| {
            !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
        };
        if matches!(read, Ok(0))
            || read.is_err_and(|e| gone(&e))
            || written.is_err_and(|e| gone(&e))
        {
            self.socket = None;
        }
    }
}

fn fix_message(kind: &str, sequence: u64, body: &str) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let time = format_timestamp(u64::try_from(now).unwrap_or_default());
    let time = String::from_utf8_lossy(&time[..21]).into_owned();
    let head = format!("35={kind}\u{1}34={sequence}\u{1}49=STORM\u{1}52={time}\u{1}56=SPIN\u{1}");
    let mut space = [0; 1_024];
    let length = envelope(&mut space, b"FIX.4.4", head.as_bytes(), body.as_bytes());
    space[..length.expect("short")].to_vec()
}

fn attack(name: &str) -> Box<dyn FnMut(SocketAddr, SocketAddr)> {
    let login = |name: &str| format!("\0/L{name:<6}PASS      {:10}{:>20}", "", 1).into_bytes();
    match name {
        "connections" => {
            let mut crowd = std::collections::VecDeque::new();
            Box::new(move |ouch, fix| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
                let _ = socket.set_nonblocking(true);
                let to = if crowd.len() % 2 == 0 { ouch } else { fix };
                let _ = socket.connect(&to.into());
                crowd.push_back(socket);
                if crowd.len() > 200 {
                    crowd.pop_front();
                }
            })
        }
        "slow logons" => {
            let mut peers: Vec<_> = (0..40).map(|_| Peer::new(Vec::new(), true)).collect();
            let mut at = 0;
            Box::new(move |ouch, _| {
                at = (at + 1) % peers.len();
                peers[at].step(ouch, b"\0");
            })
        }
        "garbage" => {
            let mut peers: Vec<_> = (0..8).map(|_| Peer::new(Vec::new(), true)).collect();
            let mut seed = 1_u64;
            Box::new(move |ouch, fix| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let noise = seed.to_le_bytes().repeat(100);
                let at = usize::try_from(seed >> 61).unwrap_or(0);
                peers[at].step(if at % 2 == 0 { ouch } else { fix }, &noise);
            })
        }
        "resend requests" => {
            let mut hello = fix_message("A", 1, "98=0\u{1}108=0\u{1}141=Y\u{1}");
            for number in 2..400_u64 {
                let body = format!(
                    "11={number}\u{1}38=1\u{1}40=2\u{1}44=1\u{1}54=1\u{1}55=AAPL\u{1}59=3\u{1}60=20261121-00:00:00\u{1}"
                );
                hello.extend_from_slice(&fix_message("D", number, &body));
            }
            let mut peer = Peer::new(hello, true);
            let mut sequence = 400;
            Box::new(move |_, fix| {
                let request = fix_message("2", sequence, "7=1\u{1}16=0\u{1}");
                if peer.socket.is_none() {
                    sequence = 400;
                } else {
                    sequence += 1;
                }
                peer.step(fix, &request);
            })
        }
        "a reader that stopped" => {
            // It asks and never reads: it is closed at its bound, and comes again.
            let mut peer = Peer::new(login("BOB"), false);
            let query = [0, 2, b'U', b'Q'].repeat(16);
            Box::new(move |ouch, _| peer.step(ouch, &query))
        }
        _ => Box::new(|_, _| {}),
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("a histogram")
}

fn main() {
    // `cargo test` asks benches whether they have tests.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let samples = number("SPINDLE_SAMPLES", 4_000);
    println!("{BLOCKS} blocks of {samples} round trips each, half of them under attack");
    println!(
        "{:<24}{:>10}{:>10}{:>10}{:>10}{:>9}{:>9}{:>16}",
        "attack", "p50 ns", "p99 ns", "p50 att.", "p99 att.", "p50", "p99", "noise of p99"
    );
    for name in [
        "nothing",
        "connections",
        "slow logons",
        "garbage",
        "resend requests",
        "a reader that stopped",
    ] {
        let mut rig = Rig::new();
        let mut step = attack(name);
        let mut quiet = |_: SocketAddr, _: SocketAddr| {};
        for _ in 0..2_000 {
            rig.round_trip(&mut quiet);
        }
        let (mut without, mut with) = (histogram(), histogram());
        let mut blocks = Vec::new();
        for block in 0..BLOCKS {
            let mut of_block = histogram();
            for _ in 0..samples {
                let under = block % 2 == 1;
                let took =
                    if under { rig.round_trip(&mut *step) } else { rig.round_trip(&mut quiet) };
                of_block.saturating_record(took);
            }
            if block % 2 == 1 {
                with.add(&of_block).expect("the same bounds");
            } else {
                without.add(&of_block).expect("the same bounds");
                blocks.push(of_block.value_at_quantile(0.99));
            }
        }
        let (least, most) = (blocks.iter().min(), blocks.iter().max());
        let noise = most.copied().unwrap_or(0) as f64 / least.copied().unwrap_or(1) as f64;
        let at = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile);
        let ratio = |quantile| at(&with, quantile) as f64 / at(&without, quantile) as f64;
        println!(
            "{name:<24}{:>10}{:>10}{:>10}{:>10}{:>9.3}{:>9.3}{:>16.3}",
            at(&without, 0.5),
            at(&without, 0.99),
            at(&with, 0.5),
            at(&with, 0.99),
            ratio(0.5),
            ratio(0.99),
            noise,
        );
    }
}
