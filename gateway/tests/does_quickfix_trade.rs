//! QuickFIX, the engine that the field knows best, as a client over sockets and with its own
//! dictionaries: it logs on, trades, is cut off, comes back, asks for what it has missed, cancels and
//! logs out, and ends with exactly the right reports. In both versions.
//!
//! It needs a Python with the package `quickfix`: the one that SPINDLE_PYTHON names, python3, or the one in
//! `target/peers`, which the test makes where SPINDLE_INSTALL_PEERS is set (it compiles for minutes).
//! Where there is none the test is skipped, with a line that says so.

mod common;
mod peers;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::{engine_of_two, user};
use rtrb::RingBuffer;
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{Login, NewOrder, OuchClient};
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::{Gateway, GatewayConfig, SystemClock};
use spindle_types::{AccountId, Agent, Price, Quantity, SessionId};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party/quickfix_client.py");

/// Turns after which the test gives up.
const TURNS_MAX: u64 = 3_000_000_000;

/// A cable between the client and the venue that can be cut.
struct Cable {
    listener: TcpListener,
    venue: SocketAddr,
    pair: Option<(TcpStream, TcpStream)>,
    /// While it is, nobody gets through.
    broken: bool,
}

impl Cable {
    fn new(venue: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        Self { listener, venue, pair: None, broken: false }
    }

    fn cut(&mut self) {
        (self.pair, self.broken) = (None, true);
    }

    fn poll(&mut self) {
        if let Ok((client, _)) = self.listener.accept()
            && !self.broken
        {
            let venue = TcpStream::connect(self.venue).expect("the venue listens");
            for socket in [&client, &venue] {
                socket.set_nonblocking(true).expect("a socket");
                socket.set_nodelay(true).expect("a socket");
            }
            self.pair = Some((client, venue));
        }
        if let Some((client, venue)) = &mut self.pair
            && !(pass(client, venue) && pass(venue, client))
        {
            self.pair = None;
        }
    }
}

/// Passes on what has come; false when it is over.
fn pass(from: &mut TcpStream, to: &mut TcpStream) -> bool {
    let mut bytes = [0; 4_096];
    match from.read(&mut bytes) {
        Ok(0) => false,
        // A few messages at most are under way: the socket has room for them.
        Ok(count) => to.write_all(&bytes[..count]).is_ok(),
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

struct Client {
    process: Child,
    input: ChildStdin,
    lines: std::sync::mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Client {
    fn start(python: &Path, version: &str, name: &str, port: u16) -> Self {
        let mut process = Command::new(python)
            .args([SCRIPT, version, name, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let output: ChildStdout = process.stdout.take().expect("a pipe");
        let input = process.stdin.take().expect("a pipe");
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, input, lines, said: Vec::new() }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct World {
    gateway: Gateway,
    engine: EngineAgent<NoFeed>,
    cable: Cable,
    ouch: OuchClient,
}

impl World {
    fn new() -> Self {
        let engine = engine_of_two(1_000, 100, 100);
        let (commands_in, commands_out) = RingBuffer::new(64);
        let (events_in, events_out) = RingBuffer::new(256);
        let listen = ([127, 0, 0, 1], 0).into();
        let mut fix = FixConfig::new(listen, "SPIN");
        fix.sessions = vec![
            FixUser::new(Version::Fix42, "PY42", SessionId(3), AccountId(1)),
            FixUser::new(Version::Fix44, "PY44", SessionId(4), AccountId(1)),
        ];
        let config = GatewayConfig {
            users: vec![user("BOB", 2)],
            fix: Some(fix),
            ..GatewayConfig::new(listen, "DAY01")
        };
        let gateway = Gateway::bind(&config, SystemClock::new(), commands_in, events_out);
        let gateway = gateway.expect("a free port");
        let cable = Cable::new(gateway.fix_address().expect("FIX is served"));
        let engine =
            EngineAgent::new(engine, NoFeed, commands_out, events_in, TimeSource::Tape, false);
        let login = Login::new("BOB", "PASS").expect("a login");
        let ouch = OuchClient::connect_later(gateway.local_address(), login, SystemClock::new());
        let mut world = Self { gateway, engine, cable, ouch };
        while !world.ouch.is_live() {
            world.turn();
        }
        world
    }

    fn turn(&mut self) {
        self.gateway.poll();
        self.engine.poll();
        self.cable.poll();
        self.ouch.poll(&mut |_| {});
    }

    /// Turns until the client has said a line that begins so.
    fn until(&mut self, client: &mut Client, line: &str) {
        for turn in 0..TURNS_MAX {
            self.turn();
            if let Ok(said) = client.lines.try_recv() {
                client.said.push(said);
            }
            if client.said.last().is_some_and(|said| said.starts_with(line)) {
                return;
            }
            if turn % 1_000 == 0 && client.process.try_wait().is_ok_and(|status| status.is_some()) {
                // What it said last may still be on its way.
                while let Ok(said) = client.lines.recv() {
                    client.said.push(said);
                }
                assert!(client.said.iter().any(|said| said.starts_with(line)), "{:?}", client.said);
                return;
            }
            std::thread::yield_now();
        }
        panic!("it never said {line:?}: {:?}", client.said);
    }

    fn sell(&mut self, quantity: u32) {
        let symbol = "AAPL".parse().expect("a symbol");
        let order = NewOrder::limit(OrderSide::Sell, Quantity(quantity), symbol, Price(100_000));
        let before = self.engine.engine().counters().executed_shares;
        self.ouch.enter(&order).expect("sent");
        while self.engine.engine().counters().executed_shares == before {
            self.turn();
        }
    }
}

fn trade(python: &Path, begin: &str, name: &str, part: &str) {
    let mut world = World::new();
    let port = world.cable.listener.local_addr().expect("a port").port();
    let mut client = Client::start(python, begin, name, port);
    world.until(&mut client, "report first 0");
    world.sell(40);
    world.until(&mut client, "report first");
    world.until(&mut client, &format!("report first {part} 1 40"));
    world.cable.cut();
    world.until(&mut client, "gone");
    world.sell(30);
    world.sell(20);
    world.cable.broken = false;
    world.until(&mut client, &format!("report first {part} 1 90"));
    client.input.write_all(b"cancel\n").expect("a pipe");
    world.until(&mut client, "report second");
    client.input.write_all(b"end\n").expect("a pipe");
    world.until(&mut client, "done");
    let expected = [
        "logon".to_owned(),
        "report first 0 0 0 100 new".to_owned(),
        format!("report first {part} 1 40 60 new"),
        "gone".to_owned(),
        "logon".to_owned(),
        "asks 4 0".to_owned(),
        format!("report first {part} 1 70 30 again"),
        format!("report first {part} 1 90 10 again"),
        "report second 4 4 90 0 new".to_owned(),
        "gone".to_owned(),
        "done".to_owned(),
    ];
    // Whether it says first that it is logged on or that it asks is its affair.
    let sorted = |said: &[String]| {
        let mut said = said.to_vec();
        if let Some(asks) = said.iter().position(|line| line.starts_with("asks"))
            && asks > 0
            && said.get(asks + 1).is_some_and(|line| line == "logon")
        {
            said.swap(asks, asks + 1);
        }
        said
    };
    assert_eq!(sorted(&client.said), expected, "{begin}");
}

#[test]
fn quickfix_trades_is_cut_off_and_ends_with_the_right_reports() {
    match peers::quickfix(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")) {
        Ok(python) => {
            trade(&python, "FIX.4.2", "PY42", "1");
            trade(&python, "FIX.4.4", "PY44", "F");
        }
        Err(why) => println!("skipped: {why}"),
    }
}
