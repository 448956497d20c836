//! A stream whose k-th call fails, for every k: short reads and writes, nothing for now, interrupted,
//! reset in the middle of a message. What the client gets is a beginning of what it should get,
//! byte for byte, and after a reconnect all of it; what the engine gets is a beginning of what was
//! sent, each request once.

mod common;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{SECOND, World, config};
use spindle_engine::command::{Action, OrderSide};
use spindle_gateway::GatewayConfig;
use spindle_gateway::client::NewOrder;
use spindle_gateway::fix::encode::envelope;
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::gateway::Speech;
use spindle_gateway::soup::codec::{Packet, split};
use spindle_gateway::wire::Wire;
use spindle_types::{AccountId, OrderToken, Price, Quantity, SessionId};
use zerocopy::IntoBytes;

/// What a call of the stream does when its turn to fail has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// One byte is all that it moves.
    Short,
    /// Nothing for now.
    WouldBlock,
    Interrupted,
    Reset,
    BrokenPipe,
    /// Nothing more comes or goes.
    End,
}

const FAULTS: [Fault; 6] = [
    Fault::Short,
    Fault::WouldBlock,
    Fault::Interrupted,
    Fault::Reset,
    Fault::BrokenPipe,
    Fault::End,
];

/// The two directions of a stream, and which call of it fails.
struct Pipe {
    to_venue: VecDeque<u8>,
    to_client: Vec<u8>,
    calls: u64,
    fails_at: u64,
    fault: Fault,
    dead: Option<ErrorKind>,
    ended: bool,
}

#[derive(Clone)]
struct Failing(Arc<Mutex<Pipe>>);

impl Failing {
    fn new(input: &[u8], fails_at: u64, fault: Fault) -> Self {
        Self(Arc::new(Mutex::new(Pipe {
            to_venue: input.iter().copied().collect(),
            to_client: Vec::new(),
            calls: 0,
            fails_at,
            fault,
            dead: None,
            ended: false,
        })))
    }

    fn with<T>(&self, ask: impl FnOnce(&mut Pipe) -> T) -> T {
        ask(&mut self.0.lock().expect("one thread"))
    }
}

impl Pipe {
    /// How many of `wanted` bytes this call moves.
    fn call(&mut self, wanted: usize, is_read: bool) -> io::Result<usize> {
        if let Some(kind) = self.dead {
            return Err(kind.into());
        }
        self.calls += 1;
        if self.calls != self.fails_at {
            // Small pieces, so that there are many calls.
            return Ok(wanted.min(37));
        }
        let kind = match self.fault {
            Fault::Short => return Ok(wanted.min(1)),
            Fault::WouldBlock => return Err(ErrorKind::WouldBlock.into()),
            Fault::Interrupted => return Err(ErrorKind::Interrupted.into()),
            Fault::Reset => ErrorKind::ConnectionReset,
            Fault::BrokenPipe => ErrorKind::BrokenPipe,
            Fault::End if is_read => {
                self.to_venue.clear();
                self.ended = true;
                return Ok(0);
            }
            Fault::End => ErrorKind::WriteZero,
        };
        self.dead = Some(kind);
        Err(kind.into())
    }
}

impl Read for Failing {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.with(|pipe| {
            if pipe.ended {
                return Ok(0);
            }
            if pipe.to_venue.is_empty() && pipe.dead.is_none() {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = pipe.call(space.len().min(pipe.to_venue.len()), true)?;
            for byte in &mut space[..count] {
                *byte = pipe.to_venue.pop_front().unwrap_or(0);
            }
            Ok(count)
        })
    }
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|pipe| {
            let count = pipe.call(bytes.len(), false)?;
            pipe.to_client.extend_from_slice(&bytes[..count]);
            Ok(count)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire for Failing {
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const ORDERS: u32 = 130;

/// Calls that fail, each by itself. A conversation has at least so many.
const CALLS: u64 = 500;

fn peer() -> SocketAddr {
    ([127, 0, 0, 1], 9).into()
}

fn login(from: u64) -> Vec<u8> {
    format!("\0/LALICE PASS      {:10}{from:>20}", "").into_bytes()
}

fn conversation() -> Vec<u8> {
    let symbol = "FILL".parse().expect("a symbol");
    let order = NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(10_000));
    let mut bytes = login(1);
    for number in 1..=ORDERS {
        bytes.extend_from_slice(&[0, 48, b'U']);
        bytes.extend_from_slice(order.message(OrderToken(number)).as_bytes());
    }
    bytes
}

/// The sequenced messages among bytes whose last packet may be cut off.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let mut at = 0;
    while let Some((packet, length)) = split(&bytes[at..], 65_535).expect("framing holds") {
        if let Packet::Sequenced(message) = packet {
            messages.push(message.to_vec());
        }
        at += length;
    }
    messages
}

/// Runs a conversation: all that the client got, and the calls that it took.
fn run(
    world: &mut World,
    input: &[u8],
    fails_at: u64,
    fault: Fault,
    speech: Speech,
) -> (Vec<u8>, u64) {
    let stream = Failing::new(input, fails_at, fault);
    assert!(world.gateway.adopt(Box::new(stream.clone()), peer(), speech));
    let mut idle = 0;
    while idle < 5 {
        let before = stream.with(|pipe| pipe.calls);
        let work = world.turn();
        idle = if work == 0 && stream.with(|pipe| pipe.calls) == before { idle + 1 } else { 0 };
    }
    let result = stream.with(|pipe| (std::mem::take(&mut pipe.to_client), pipe.calls));
    // The client goes: its session is free for the next connection.
    stream.with(|pipe| pipe.ended = true);
    for _ in 0..5 {
        world.turn();
    }
    assert_eq!(world.gateway.connections_open(), 0);
    result
}

fn entered(world: &World) -> Vec<u32> {
    let enters = world.engine.taken.iter().filter_map(|command| match command.action {
        Action::Enter(enter) => Some(enter.token.0),
        _ => None,
    });
    enters.collect()
}

#[test]
fn every_call_of_a_stream_may_fail_over_ouch() {
    let mut world = World::new(&config());
    let (whole, calls) = run(&mut world, &conversation(), 0, Fault::Short, Speech::Ouch);
    let whole = messages(&whole);
    assert_eq!(whole.len(), 1 + 2 * ORDERS as usize);
    assert!(calls >= CALLS, "only {calls} calls");
    for fault in FAULTS {
        for fails_at in 1..=CALLS {
            let mut world = World::new(&config());
            let (got, _) = run(&mut world, &conversation(), fails_at, fault, Speech::Ouch);
            let got = messages(&got);
            let tokens = entered(&world);
            let expected: Vec<_> =
                (1..=tokens.len()).filter_map(|n| u32::try_from(n).ok()).collect();
            assert_eq!(tokens, expected, "{fault:?} at {fails_at}: requests once and in order");
            assert_eq!(got[..], whole[..got.len()], "{fault:?} at {fails_at}");
            let survives = matches!(fault, Fault::Short | Fault::WouldBlock | Fault::Interrupted);
            assert!(!survives || got.len() == whole.len(), "{fault:?} at {fails_at}");
            // All that the engine answered is there at the next login, from the next number on.
            let next = got.len() as u64 + 1;
            let (rest, _) = run(&mut world, &login(next), 0, Fault::Short, Speech::Ouch);
            let all = [got, messages(&rest)].concat();
            assert_eq!(all.len(), 1 + 2 * tokens.len(), "{fault:?} at {fails_at}");
            assert_eq!(all[..], whole[..all.len()], "{fault:?} at {fails_at}");
        }
    }
}

fn fix_config() -> GatewayConfig {
    let mut config = config();
    let mut fix = FixConfig::new(([127, 0, 0, 1], 0).into(), "SPIN");
    fix.limits.store_bytes = 1 << 20;
    fix.limits.store_messages = 1_024;
    fix.ids_max = 1_024;
    fix.sessions = vec![FixUser::new(Version::Fix44, "FIONA", SessionId(3), AccountId(3))];
    config.fix = Some(fix);
    config
}

fn fix_message(sequence: u64, kind: &str, body: &str) -> Vec<u8> {
    let time = "19700101-09:30:00.000";
    let head = format!("35={kind}\u{1}34={sequence}\u{1}49=FIONA\u{1}52={time}\u{1}56=SPIN\u{1}");
    let mut space = [0; 1_024];
    let length = envelope(&mut space, b"FIX.4.4", head.as_bytes(), body.as_bytes());
    space[..length.expect("short")].to_vec()
}

fn fix_conversation() -> Vec<u8> {
    let mut bytes = fix_message(1, "A", "98=0\u{1}108=0\u{1}");
    for number in 1..=u64::from(ORDERS) {
        let body = format!(
            "11={number}\u{1}38=100\u{1}40=2\u{1}44=1\u{1}54=1\u{1}55=FILL\u{1}60=19700101-09:30:00\u{1}"
        );
        bytes.extend_from_slice(&fix_message(number + 1, "D", &body));
    }
    bytes
}

/// What the reports say, by MsgSeqNum: without times and checksums. A message that is cut off is none.
fn reports(bytes: &[u8]) -> Vec<(u64, String)> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut whole = Vec::new();
    let mut rest = text.as_str();
    while let Some(end) = rest.find("\u{1}10=").map(|at| at + 8).filter(|end| *end <= rest.len()) {
        let (message, after) = rest.split_at(end);
        assert!(message.starts_with("8=FIX.4.4\u{1}9="), "framing holds: {message}");
        let fields: Vec<_> = message.split('\u{1}').collect();
        let field = |tag: &str| fields.iter().find_map(|field| field.strip_prefix(tag));
        let sequence = field("34=").and_then(|text| text.parse().ok()).expect("a number");
        if field("35=") == Some("8") {
            let body =
                ["17=", "11=", "39=", "150=", "14=", "31="].map(|tag| field(tag).unwrap_or(""));
            whole.push((sequence, body.join(" ")));
        }
        rest = after;
    }
    whole
}

#[test]
fn every_call_of_a_stream_may_fail_over_fix() {
    let mut world = World::new(&fix_config());
    let (whole, calls) = run(&mut world, &fix_conversation(), 0, Fault::Short, Speech::Fix);
    let whole = reports(&whole);
    assert_eq!(whole.len(), 2 * ORDERS as usize);
    assert!(calls >= CALLS, "only {calls} calls");
    for fault in FAULTS {
        for fails_at in 1..=CALLS {
            let mut world = World::new(&fix_config());
            world.clock.advance(SECOND / 10);
            let (got, _) = run(&mut world, &fix_conversation(), fails_at, fault, Speech::Fix);
            let got = reports(&got);
            let tokens = entered(&world);
            let expected: Vec<_> =
                (1..=tokens.len()).filter_map(|n| u32::try_from(n).ok()).collect();
            assert_eq!(tokens, expected, "{fault:?} at {fails_at}: requests once and in order");
            assert_eq!(got[..], whole[..got.len()], "{fault:?} at {fails_at}");
            let survives = matches!(fault, Fault::Short | Fault::WouldBlock | Fault::Interrupted);
            assert!(!survives || got.len() == whole.len(), "{fault:?} at {fails_at}");
            if tokens.is_empty() {
                continue;
            }
            // The client comes back and asks for what it lacks.
            let next = tokens.len() as u64 + 2;
            let from = got.last().map_or(1, |(sequence, _)| sequence + 1);
            let body = format!("7={from}\u{1}16=0\u{1}");
            let again =
                [fix_message(next, "A", "98=0\u{1}108=0\u{1}"), fix_message(next + 1, "2", &body)];
            let (rest, _) = run(&mut world, &again.concat(), 0, Fault::Short, Speech::Fix);
            let all = [got, reports(&rest)].concat();
            assert_eq!(all, whole[..2 * tokens.len()], "{fault:?} at {fails_at}");
        }
    }
}
