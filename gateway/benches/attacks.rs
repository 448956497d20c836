//! What attacks cost those who trade: enter to accepted over OUCH, with and without each attack, in turns of the same run.
//!
//! Venue, client and attacker share one thread, so that no scheduler decides who waits, and the venue's clock counts its
//! own turns alone: what client and attacker do in between takes no time. An order is due at a random moment after the
//! last answer, whatever the venue does just then, and its time counts from that moment. The attacker has one step after
//! each turn of the venue.
//!
//! Blocks come in fours: without the attack; with it on another venue in the same thread, whose turns are not counted;
//! on this one; and without it again. The second kind is what the attack costs in this thread whomever it is for: caches,
//! and the kernel's work for its sockets. What the venue adds is the third over the second. The noise is what
//! the first blocks differ by from the fourth. Told too is how many orders met a slice of the time that the gateway gives to
//! those who may wait, and the quantiles of all orders over those of the orders that met none: what the slices cost, on the same
//! orders, whatever the machine did.
//!
//!     cargo bench -p spindle-gateway --bench attacks [-- NAME]

#![allow(clippy::print_stdout, reason = "it is its output")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rtrb::RingBuffer;
use socket2::{Domain, Socket, Type};
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::command::OrderSide;
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_gateway::client::NewOrder;
use spindle_gateway::fix::encode::envelope;
use spindle_gateway::fix::value::format_timestamp;
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::{Clock, Gateway, GatewayConfig, SystemClock, User};
use spindle_risk::{Gate, Key, Limits, Target};
use spindle_types::{
    AccountId, Agent, EventTime, InstrumentId, OrderToken, Price, Quantity, SessionId,
};
use zerocopy::IntoBytes;

/// Blocks of each kind.
const BLOCKS: usize = 100;

/// An order is due so long after the last answer at most, in nanoseconds.
const PAUSE_MAX: u64 = 40_000;

/// The venue's clock: it stands still between the venue's turns.
#[derive(Clone)]
struct TurnClock {
    machine: SystemClock,
    /// How far the machine's clock is ahead.
    ahead: Arc<AtomicU64>,
}

impl Clock for TurnClock {
    fn now_ns(&self) -> u64 {
        self.machine.now_ns().wrapping_sub(self.ahead.load(Ordering::Relaxed))
    }

    fn time_of_day(&self) -> EventTime {
        self.machine.time_of_day()
    }

    fn utc_ns(&self) -> u64 {
        self.machine.utc_ns()
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

struct Rig {
    gateway: Gateway<TurnClock>,
    clock: TurnClock,
    /// The time on the venue's clock.
    now: u64,
    seed: u64,
    engine: EngineAgent<NoFeed>,
    ouch: SocketAddr,
    fix: SocketAddr,
    client: TcpStream,
    next: u32,
    /// Whether the last order was due before a slice for those who may wait and answered after it.
    met: bool,
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
        let clock = TurnClock { machine: SystemClock::new(), ahead: Arc::default() };
        let mut gateway =
            Gateway::bind(&config, clock.clone(), commands_in, events_out).expect("a free port");
        let _ = gateway.notices(1);
        let engine =
            EngineAgent::new(engine, NoFeed, commands_out, events_in, TimeSource::Tape, false);
        let (ouch, fix) = (gateway.local_address(), gateway.fix_address().expect("it serves FIX"));
        let client = TcpStream::connect(ouch).expect("it listens");
        client.set_nodelay(true).expect("a socket");
        let (client, now) = (nonblocking(client), clock.now_ns());
        let mut rig =
            Self { gateway, clock, now, seed: 1, engine, ouch, fix, client, next: 1, met: false };
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
        let ahead = self.clock.machine.now_ns().wrapping_sub(self.now);
        self.clock.ahead.store(ahead, Ordering::Relaxed);
        self.gateway.poll();
        self.engine.poll();
        self.now = self.clock.now_ns();
    }

    /// One order and its answer: the time from when it was due.
    fn round_trip(&mut self, attack: &mut dyn FnMut()) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let due = self.now + (self.seed >> 33) % PAUSE_MAX;
        let mut space = [0; 4_096];
        let mut slices = 0;
        while self.now < due {
            slices = self.gateway.stats().aside.count();
            self.turn();
            // What is left of the last order's answers.
            let _ = self.client.read(&mut space);
            attack();
        }
        let packet = order(self.next);
        self.next += 1;
        self.client.write_all(&packet).expect("room");
        loop {
            self.turn();
            match self.client.read(&mut space) {
                // Accepted and cancelled come together or one after the other.
                Ok(count) if space[..count].windows(3).any(|w| w == [0, 65, b'S']) => break,
                Ok(0) => panic!("the venue closed the connection"),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            attack();
        }
        self.met = self.gateway.stats().aside.count() > slices;
        self.now - due
    }

    /// Turns under an attack that begins, on a clock that runs ahead: whoever can log in has done so.
    fn begin(&mut self, attack: &mut dyn FnMut()) {
        let mut space = [0; 4_096];
        for _ in 0..1_000 {
            self.now += 1_000_000;
            self.turn();
            let _ = self.client.read(&mut space);
            attack();
        }
    }

    /// Turns until nobody is left but the client, on a clock that runs ahead.
    fn settle(&mut self) {
        let mut space = [0; 4_096];
        for _ in 0..1_000_000 {
            self.now += 1_000_000;
            self.turn();
            let _ = self.client.read(&mut space);
            if self.gateway.connections_open() == 1 {
                return;
            }
        }
        panic!("attackers who are gone keep their places");
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
        "oversized" => {
            let mut peers: Vec<_> = (0..8).map(|_| Peer::new(Vec::new(), true)).collect();
            let fix_flood = [b"8=FIX.4.4\x019=999999999\x0135=D\x01".as_slice(), &[b'7'; 2_000]];
            let (ouch_flood, fix_flood) = ([0xff; 2_000], fix_flood.concat());
            let mut at = 0;
            Box::new(move |ouch, fix| {
                at = (at + 1) % peers.len();
                let (to, flood) =
                    if at % 2 == 0 { (ouch, &ouch_flood[..]) } else { (fix, &fix_flood[..]) };
                peers[at].step(to, flood);
            })
        }
        "garbled after logon" => {
            let hello = fix_message("A", 1, "98=0\u{1}108=0\u{1}141=Y\u{1}");
            let mut peer = Peer::new(hello, true);
            let mut bad = fix_message("D", 2, "11=1\u{1}");
            let sum = bad.len() - 2;
            bad[sum] = if bad[sum] == b'0' { b'1' } else { b'0' };
            let bad = bad.repeat(8);
            Box::new(move |_, fix| peer.step(fix, &bad))
        }
        "resend one" => {
            let mut hello = fix_message("A", 1, "98=0\u{1}108=0\u{1}141=Y\u{1}");
            hello.extend_from_slice(&fix_message("1", 2, "112=x\u{1}"));
            let mut peer = Peer::new(hello, true);
            let mut sequence = 3;
            Box::new(move |_, fix| {
                if peer.socket.is_none() {
                    sequence = 3;
                }
                let request = fix_message("2", sequence, "7=1\u{1}16=1\u{1}");
                sequence += 1;
                peer.step(fix, &request);
            })
        }
        "resend all" => {
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
                if peer.socket.is_none() {
                    sequence = 400;
                }
                let request = fix_message("2", sequence, "7=1\u{1}16=0\u{1}");
                sequence += 1;
                peer.step(fix, &request);
            })
        }
        "asks, never reads" => {
            // It asks and never reads: it is closed at its bound, and comes again.
            let mut peer = Peer::new(login("BOB"), false);
            let query = [0, 2, b'U', b'Q'].repeat(16);
            Box::new(move |ouch, _| peer.step(ouch, &query))
        }
        "a stopped client" => {
            // It enters some orders, and then neither sends nor reads until it is closed.
            let mut hello = login("BOB");
            hello.extend((1..400).flat_map(order));
            let mut peer = Peer::new(hello, false);
            Box::new(move |ouch, _| peer.step(ouch, &[]))
        }
        _ => Box::new(|_, _| {}),
    }
}

/// Which quantiles are told, in thousandths.
const QUANTILES: [usize; 5] = [500, 900, 950, 980, 990];

fn quantile(sorted: &[u64], thousandths: usize) -> f64 {
    sorted.get(sorted.len() * thousandths / 1_000).copied().unwrap_or(0) as f64
}

/// How many of a hundred are above a limit.
fn beyond(sorted: &[u64], limit: f64) -> f64 {
    let below = sorted.partition_point(|&time| time as f64 <= limit);
    (sorted.len() - below) as f64 * 100.0 / sorted.len().max(1) as f64
}

const ATTACKS: [&str; 10] = [
    "nothing",
    "connections",
    "slow logons",
    "garbage",
    "oversized",
    "garbled after logon",
    "resend all",
    "resend one",
    "asks, never reads",
    "a stopped client",
];

fn main() {
    // `cargo test` asks benches whether they have tests.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let only: Vec<_> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let samples = number("SPINDLE_SAMPLES", 250);
    println!("4 x {BLOCKS} blocks of {samples} orders each; ns");
    println!("quiet: no attack; beside: on another venue in this thread; under: on this one");
    println!("beyond: percent of the orders above 1.1 times the p99 without the attack");
    for name in ATTACKS {
        if !only.is_empty() && !only.iter().any(|only| name.contains(only.as_str())) {
            continue;
        }
        let (mut rig, mut other) = (Rig::new(), Rig::new());
        for _ in 0..2_000 {
            rig.round_trip(&mut || {});
        }
        let _ = rig.gateway.take_stats();
        let mut times = [const { Vec::new() }; 4];
        let (mut commands, mut unmet) = (0, [const { Vec::new() }; 4]);
        // Connections taken while orders were timed, and how long that was on the venue's clock.
        let (mut newcomers, mut while_timed) = (0, 0);
        for _ in 0..BLOCKS {
            for (kind, (times, unmet)) in times.iter_mut().zip(&mut unmet).enumerate() {
                let before = rig.gateway.stats().commands;
                let (ouch, fix) =
                    if kind == 1 { (other.ouch, other.fix) } else { (rig.ouch, rig.fix) };
                let mut step = attack(if kind == 1 || kind == 2 { name } else { "nothing" });
                let mut both = || {
                    step(ouch, fix);
                    other.turn();
                };
                rig.begin(&mut both);
                let (connections, began) = (rig.gateway.stats().connections, rig.now);
                for _ in 0..samples {
                    let time = rig.round_trip(&mut both);
                    times.push(time);
                    if !rig.met {
                        unmet.push(time);
                    }
                }
                drop(step);
                if kind == 2 {
                    newcomers += rig.gateway.stats().connections - connections;
                    while_timed += rig.now - began;
                }
                commands += rig.gateway.stats().commands - before - samples as u64;
                rig.settle();
                other.settle();
            }
        }
        let mut quiet = [&times[0][..], &times[3][..]].concat();
        for times in times.iter_mut().chain([&mut quiet]) {
            times.sort_unstable();
        }
        let [first, beside, under, fourth] = times;
        let limit = 1.1 * quantile(&quiet, 990);
        let stats = rig.gateway.stats();
        println!(
            "{name}: {} connections, {} logins, {commands} requests, {} garbled, {} slow",
            stats.connections, stats.logins, stats.garbled, stats.slow_consumers,
        );
        println!(
            "  {newcomers} newcomers in {:.2} s of its time: {:.0} a second",
            while_timed as f64 / 1e9,
            newcomers as f64 * 1e9 / while_timed.max(1) as f64
        );
        println!(
            "  slices of its time: {}, p50 {} ns, p99 {} ns",
            stats.aside.count(),
            stats.aside.quantile(0.5),
            stats.aside.quantile(0.99)
        );
        let [_, _, mut without, _] = unmet;
        without.sort_unstable();
        let met = 100.0 - without.len() as f64 * 100.0 / under.len() as f64;
        print!("  {met:.2}% met a slice; all over those that met none:");
        for q in QUANTILES {
            print!(" {:.3}", quantile(&under, q) / quantile(&without, q));
        }
        println!();
        println!(
            "{:<16}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "", "p50", "p90", "p95", "p98", "p99", "beyond"
        );
        for (what, times) in [("quiet", &quiet), ("beside", &beside), ("under", &under)] {
            print!("  {what:<14}");
            QUANTILES.iter().for_each(|&q| print!("{:>10.0}", quantile(times, q)));
            println!("{:>9.2}%", beyond(times, limit));
        }
        for (what, a, b) in [
            ("under/beside", &under, &beside),
            ("under/quiet", &under, &quiet),
            ("noise", &first, &fourth),
        ] {
            print!("  {what:<14}");
            QUANTILES.iter().for_each(|&q| print!("{:>10.3}", quantile(a, q) / quantile(b, q)));
            println!();
        }
    }
}
