//! Floods on real sockets: connections, messages beyond a gap, a client that is stopped; and an
//! engine that is gone. Those who trade go on, what is kept is bounded, and every end is told.

mod common;
mod reader;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use common::{SECOND, StandIn, World, config};
use reader::{FixReader, SoupReader, get};
use rtrb::RingBuffer;
use socket2::{Domain, Socket, Type};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::NewOrder;
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::{Gateway, GatewayConfig};
use spindle_types::{AccountId, Agent, OrderToken, Price, Quantity, SessionId};
use zerocopy::IntoBytes;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn with_fix() -> GatewayConfig {
    let mut config = config();
    let mut fix = FixConfig::new(([127, 0, 0, 1], 0).into(), "SPIN");
    fix.sessions = vec![FixUser::new(Version::Fix44, "FIONA", SessionId(3), AccountId(3))];
    config.fix = Some(fix);
    config
}

fn order() -> NewOrder {
    // The stand-in for the engine has only so much room for what stays open.
    let symbol = "FILL".parse().expect("a symbol");
    NewOrder::limit(OrderSide::Buy, Quantity(1), symbol, Price(10_000))
}

/// Begins to connect from one of loopback's many addresses.
fn begin(from: u8, to: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let own = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 1, from)), 0);
    socket.bind(&own.into()).expect("an address of loopback");
    socket.set_nonblocking(true).expect("a socket");
    // It is under way, or there already.
    let _ = socket.connect(&to.into());
    socket
}

/// `SPINDLE_CONNECTS` sets how many; by hand 20,000.
#[test]
fn a_flood_of_connections_leaves_those_who_trade_alone() {
    let connects = number("SPINDLE_CONNECTS", 2_000);
    let mut config = with_fix();
    config.limits.connections_max = 16;
    config.limits.connections_by_address_max = 8;
    let mut world = World::new(&config);
    let mut alice = world.logged_in("ALICE");
    alice.take_told();
    let fix = world.gateway.fix_address().expect("FIX is served");
    let (mut flood, mut answered, mut most) = (Vec::new(), 0, 0);
    for number in 0..connects {
        let to = if number % 3 == 0 { fix } else { world.address };
        flood.push(begin(u8::try_from(number % 250).expect("small") + 1, to));
        if flood.len() > 64 {
            flood.remove(0);
        }
        world.clock.advance(SECOND / 100);
        alice.client.enter(&order()).expect("sent");
        for _ in 0..1_000_000 {
            world.turn();
            alice.poll();
            if alice.told.iter().any(|line| line.contains("accepted")) {
                break;
            }
            std::thread::yield_now();
        }
        answered += u64::from(alice.take_told().iter().any(|line| line.contains("accepted")));
        most = most.max(world.gateway.connections_open());
        // Heartbeats keep Alice's session, the clock goes on for everybody.
    }
    drop(flood);
    world.clock.advance(31 * SECOND / 2);
    world.quiet(&mut [&mut alice]);
    assert!(most <= 16, "{most} connections at once");
    assert_eq!(answered, connects, "an order had no answer");
    let stats = world.gateway.stats();
    assert!(stats.turned_away > connects / 4, "{} turned away", stats.turned_away);
    println!("{} of {connects} taken, {} turned away", stats.connections - 1, stats.turned_away);
    for _ in 0..200 {
        world.clock.advance(SECOND / 10);
        world.quiet(&mut [&mut alice]);
        if world.gateway.connections_open() <= 1 {
            break;
        }
    }
    assert!(world.gateway.connections_open() <= 1, "places were not given back");
}

/// `SPINDLE_FUTURE` sets how many; by hand 100,000.
#[test]
fn messages_beyond_a_gap_are_kept_in_a_bounded_queue_then_the_session_ends() {
    let future = number("SPINDLE_FUTURE", 5_000);
    let mut world = World::new(&with_fix());
    let mut alice = world.logged_in("ALICE");
    let address = world.gateway.fix_address().expect("FIX is served");
    let (mut sent, mut ends) = (0, 0);
    while sent < future {
        let mut fiona = FixReader::logon(address, Version::Fix44, "FIONA", "SPIN", &world.clock);
        fiona.read(|| {
            world.turn();
        });
        assert_eq!(get(&fiona.messages[0], 35), Some("A"), "{:?}", fiona.messages);
        fiona.skip(1);
        while !fiona.closed {
            for _ in 0..100 {
                fiona.send(b"0", "");
            }
            sent += 100;
            world.turn();
            fiona.fill();
            alice.client.enter(&order()).expect("sent");
            world.turn();
            alice.poll();
        }
        ends += 1;
        let texts: Vec<_> = fiona.messages.iter().filter_map(|message| get(message, 58)).collect();
        assert!(texts.is_empty() || texts == ["Too many messages beyond a gap"], "{texts:?}");
        // The gap is still there: what never came is what the next Logon has to begin with.
        fiona.rewind_to(2 + ends);
        world.quiet(&mut [&mut alice]);
    }
    let told = alice.take_told();
    let accepted = told.iter().filter(|line| line.contains("accepted")).count() as u64;
    assert_eq!(accepted, u64::from(alice.client.next_number().0) - 1, "an order had no answer");
    let log = world.log();
    let count = |text: &str| log.iter().filter(|line| line.contains(text)).count() as u64;
    assert_eq!(
        count("FIONA at PEER disconnected: Too many messages beyond a gap"),
        ends,
        "{log:?}"
    );
    println!("{sent} messages, {ends} sessions ended");
}

/// The program that is stopped: it logs in and enters orders as fast as it can. Its port comes in the
/// environment; without one this is nobody's test.
#[test]
#[ignore = "a part of another test, run as a process of its own"]
fn a_client_that_will_be_stopped() {
    let Ok(port) = std::env::var("SPINDLE_STOPPED_PORT") else { return };
    let address = ([127, 0, 0, 1], port.parse().expect("a port")).into();
    let mut socket = TcpStream::connect::<SocketAddr>(address).expect("the gateway listens");
    let login = format!("\0/LBOB   PASS      {:10}{:>20}", "", 1);
    socket.write_all(login.as_bytes()).expect("sent");
    for number in 1.. {
        let message = order().message(OrderToken(number));
        let packet = [&[0, 48, b'U'][..], message.as_bytes()].concat();
        if socket.write_all(&packet).is_err() {
            return;
        }
    }
}

#[test]
fn a_stopped_client_is_closed_and_none_of_its_late_orders_are_taken() {
    let mut config = config();
    config.limits.backlog_bytes_max = 64 * 1_024;
    let mut world = World::new(&config);
    let mut alice = world.logged_in("ALICE");
    let program = std::env::current_exe().expect("this test");
    let mut child = Command::new(program)
        .args(["--exact", "a_client_that_will_be_stopped", "--ignored"])
        .env("SPINDLE_STOPPED_PORT", world.address.port().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test as another process");
    let of_bob = |world: &World| {
        world.engine.taken.iter().filter(|command| command.session == SessionId(2)).count()
    };
    while of_bob(&world) < 100 {
        world.turn();
        std::thread::yield_now();
    }
    let signal = |signal: i32| {
        let pid = i32::try_from(child.id()).expect("a process");
        #[allow(unsafe_code, reason = "the standard library cannot stop a process")]
        // SAFETY: kill takes two numbers; the process is a child that nobody has waited for yet.
        let result = unsafe { libc::kill(pid, signal) };
        assert_eq!(result, 0);
    };
    signal(libc::SIGSTOP);
    world.quiet(&mut [&mut alice]);
    alice.take_told();
    // Sixteen seconds and more go by; Alice trades, and heartbeats keep her session.
    let mut rounds = 0;
    while rounds < 32 || (world.gateway.connections_open() > 1 && rounds < 200) {
        rounds += 1;
        world.clock.advance(SECOND / 2);
        alice.client.enter(&order()).expect("sent");
        world.quiet(&mut [&mut alice]);
    }
    let told = alice.take_told();
    assert_eq!(told.iter().filter(|line| line.contains("accepted")).count(), rounds);
    let log = world.log();
    let closed = log.iter().filter(|line| line.starts_with("gateway: BOB at PEER disconnected"));
    assert_eq!(closed.count(), 1, "{log:?}");
    let taken = of_bob(&world);
    signal(libc::SIGCONT);
    for _ in 0..200 {
        world.quiet(&mut [&mut alice]);
        if child.try_wait().expect("a child").is_some() {
            break;
        }
    }
    assert_eq!(of_bob(&world), taken, "an order from before the stop was taken after it");
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn when_the_engine_is_gone_every_session_is_told_and_nobody_comes_in() {
    let mut world = World::new(&with_fix());
    let mut soup = SoupReader::login(world.address, "ALICE", "PASS", 1);
    soup.read(|| {
        world.turn();
    });
    let address = world.gateway.fix_address().expect("FIX is served");
    let mut fiona = FixReader::logon(address, Version::Fix44, "FIONA", "SPIN", &world.clock);
    fiona.read(|| {
        world.turn();
    });
    // Another engine, at rings that nobody reads: this one is dropped with its ends.
    let (events, commands) = (RingBuffer::new(4).0, RingBuffer::new(4).1);
    let World { gateway, engine, .. } = &mut world;
    drop(std::mem::replace(engine, StandIn::new(commands, events)));
    let turn = |gateway: &mut Gateway<_>| {
        gateway.poll();
    };
    soup.read(|| turn(gateway));
    fiona.read(|| turn(gateway));
    assert_eq!(soup.messages.last().map(|message| (message[0], message[9])), Some((b'S', b'E')));
    assert_eq!((soup.others.last(), soup.closed), (Some(&b'Z'), true));
    let logout = fiona.messages.last().expect("a Logout");
    assert_eq!([35, 58].map(|tag| get(logout, tag)), [Some("5"), Some("The day is over")]);
    assert!(TcpStream::connect(world.address).is_err(), "nobody listens any more");
    fiona.send(b"5", "");
    fiona.read(|| turn(&mut world.gateway));
    for _ in 0..10 {
        world.clock.advance(SECOND);
        world.gateway.poll();
    }
    assert!(world.gateway.is_done());
    let log = world.log();
    let gone = "gateway: the engine is gone; every session is ended";
    assert_eq!(log.iter().filter(|line| *line == gone).count(), 1, "{log:?}");
}
