//! Real sockets: clients that read nothing, come twice, come too many, say the wrong thing; a ring
//! to the engine that is full; a port that is taken. Each has its stated answer and its line.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use common::{SECOND, World, config};
use socket2::{Domain, Socket, Type};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{NewOrder, Resume};
use spindle_gateway::{Gateway, GatewayError};
use spindle_types::{Agent, OrderToken, Price, Quantity};
use zerocopy::IntoBytes;

const LOGIN: &[u8] = b"\x00\x2fLALICE PASS                                   1";

fn order(symbol: &str) -> NewOrder {
    let symbol = symbol.parse().expect("a symbol");
    NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(10_000))
}

fn order_packet(number: u32, symbol: &str) -> Vec<u8> {
    let message = order(symbol).message(OrderToken(number));
    [&[0, 48, b'U'][..], message.as_bytes()].concat()
}

/// A bare socket, for clients that do what the client library never would.
struct Bare(TcpStream);

impl Bare {
    fn connect(world: &World) -> Self {
        let socket = TcpStream::connect(world.address).expect("the gateway listens");
        socket.set_nonblocking(true).expect("a socket");
        Self(socket)
    }

    /// A client whose kernel keeps little for it, so that it is soon the gateway that has to.
    fn connect_small(world: &World) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("a socket");
        socket.connect(&world.address.into()).expect("the gateway listens");
        socket.set_nonblocking(true).expect("a socket");
        Self(socket.into())
    }

    /// Writes everything, with turns of the gateway in between.
    fn write(&mut self, world: &mut World, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.0.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            world.turn();
        }
    }

    /// Everything that comes until the gateway closes.
    fn read_to_end(&mut self, world: &mut World) -> Vec<u8> {
        let mut read = Vec::new();
        let mut space = [0; 4_096];
        for _ in 0..1_000_000 {
            world.turn();
            match self.0.read(&mut space) {
                Ok(0) => return read,
                Ok(count) => read.extend_from_slice(&space[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return read,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the gateway never closed");
    }
}

#[test]
fn a_refused_client_is_told_why_before_the_connection_closes() {
    let mut world = World::new(&config());
    let mut bare = Bare::connect(&world);
    let wrong = LOGIN.to_ascii_lowercase();
    let mut wrong = [&LOGIN[..3], &wrong[3..]].concat();
    wrong[9] = b'X';
    // More follows in the same breath: the rejection must not be lost by closing over it.
    wrong.extend_from_slice(&order_packet(1, "REST"));
    bare.write(&mut world, &wrong);
    assert_eq!(bare.read_to_end(&mut world), b"\x00\x02JA");
    drop(bare);
    world.quiet(&mut []);
    assert_eq!(world.gateway.connections_open(), 0);
    assert_eq!(
        world.log(),
        [
            "gateway: PEER connected",
            "gateway: login of alice from PEER refused: unknown user or wrong password",
        ]
    );
    assert_eq!(world.gateway.stats().refused_logins, 1);
    assert!(world.engine.taken.is_empty());
}

#[test]
fn a_second_login_of_a_live_user_is_refused() {
    let mut world = World::new(&config());
    let mut alice = world.logged_in("ALICE");
    world.log();
    let mut bare = Bare::connect(&world);
    bare.write(&mut world, LOGIN);
    assert_eq!(bare.read_to_end(&mut world), b"\x00\x02JS");
    alice.client.enter(&order("REST")).expect("the first one still trades");
    world.quiet(&mut [&mut alice]);
    assert_eq!(alice.take_told().last().map(String::as_str), Some("2 accepted 1 L"));
    assert_eq!(
        world.log(),
        [
            "gateway: PEER connected",
            "gateway: login of ALICE from PEER refused: the user is already logged in on another \
             connection",
        ]
    );
}

#[test]
fn a_client_that_breaks_the_protocol_is_cut_with_its_cause() {
    let mut world = World::new(&config());
    let mut bare = Bare::connect(&world);
    bare.write(&mut world, LOGIN);
    bare.write(&mut world, &order_packet(1, "REST"));
    bare.write(&mut world, b"\x00\x02U\xff");
    bare.read_to_end(&mut world);
    assert_eq!(
        world.log(),
        [
            "gateway: PEER connected",
            "gateway: ALICE logged in from PEER at message 1, 1 to replay",
            "gateway: ALICE at PEER disconnected: unknown message type 0xff",
        ]
    );
    // What it asked for before is done and told at its next login.
    let mut alice = world.trader("ALICE", "PASS", Resume { sequence: 2, ..Resume::START });
    world.quiet(&mut [&mut alice]);
    assert_eq!(alice.take_told(), ["login 2", "2 accepted 1 L"]);
}

#[test]
fn a_client_that_reads_nothing_is_disconnected_and_loses_nothing() {
    let mut config = config();
    config.limits.backlog_bytes_max = 64 * 1024;
    let mut world = World::new(&config);
    let mut bare = Bare::connect_small(&world);
    bare.write(&mut world, LOGIN);
    let mut bob = world.logged_in("BOB");
    let mut number = 0;
    while world.gateway.stats().slow_consumers == 0 {
        number += 1;
        assert!(number < 400_000, "it was never disconnected");
        let packet = order_packet(number, "FILL");
        let mut rest = &packet[..];
        while !rest.is_empty() && world.gateway.stats().slow_consumers == 0 {
            match bare.0.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
            world.turn();
        }
    }
    // Somebody else is not held up by it.
    bob.client.enter(&order("REST")).expect("live");
    world.quiet(&mut [&mut bob]);
    assert_eq!(bob.take_told().last().map(String::as_str), Some("2 accepted 1 L"));
    let log = world.log();
    let cut = log.iter().find(|line| line.contains("ALICE at PEER disconnected")).expect("a line");
    assert!(cut.contains("the client reads too slowly"), "{cut}");
    assert!(cut.ends_with("bytes wait; at most 65536 may"), "{cut}");
    // A reconnect reads everything: replay is no backlog.
    let mut alice = world.trader("ALICE", "PASS", Resume::START);
    world.quiet(&mut [&mut alice]);
    let own = world.engine.taken.iter().filter(|command| command.session.0 == 1).count();
    assert_eq!(alice.messages.len(), 1 + 2 * own);
    let numbers: Vec<u64> = alice.messages.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_client_that_takes_nothing_of_its_replay_is_disconnected_in_time() {
    let mut world = World::with_rings(&config(), 1_024);
    let mut alice = world.logged_in("ALICE");
    // More than the socket's buffers hold, read by a client that keeps up.
    for round in 0..250 {
        for _ in 0..200 {
            alice.client.enter(&order("FILL")).expect("it keeps up");
        }
        world.until(&mut alice, |alice| alice.messages.len() == 1 + 400 * (round + 1));
    }
    alice.client.logout();
    world.quiet(&mut []);
    let mut bare = Bare::connect_small(&world);
    bare.write(&mut world, LOGIN);
    world.quiet(&mut []);
    // It does send heartbeats.
    for _ in 0..10 {
        bare.write(&mut world, b"\x00\x01R");
        world.clock.advance(SECOND / 2 - 1);
        world.turn();
    }
    assert_eq!(world.gateway.connections_open(), 1);
    // The system's buffers may have taken something as late as with a heartbeat of the first seconds.
    for _ in 0..5 {
        world.clock.advance(SECOND);
        world.quiet(&mut []);
    }
    assert_eq!(world.gateway.connections_open(), 0);
    assert_eq!(world.gateway.stats().slow_consumers, 1);
    let log = world.log();
    let last = log.last().expect("a line");
    assert!(last.starts_with("gateway: ALICE at PEER disconnected: the client takes nothing"));
}

#[test]
fn with_a_full_ring_reading_stops_and_nothing_is_lost() {
    let mut world = World::with_rings(&config(), 16);
    let mut alice = world.logged_in("ALICE");
    world.engine.paused = true;
    let mut sent = 0_usize;
    // Until even the client's own buffer is full: back-pressure all the way.
    while sent < 1_000_000 && alice.client.enter(&order("FILL")).is_ok() {
        sent += 1;
        if sent.is_multiple_of(64) {
            world.turn();
            alice.poll();
        }
    }
    assert!(sent > 1_000, "only {sent} were sent");
    assert!(sent < 1_000_000, "the client was never stopped");
    assert_eq!(world.gateway.stats().commands, 16);
    assert!(world.gateway.stats().ring_full > 0);
    // Time passes meanwhile: a client that is not read from is not silent.
    for _ in 0..60 {
        world.clock.advance(SECOND / 2);
        world.turn();
        alice.poll();
    }
    world.engine.paused = false;
    world.until(&mut alice, |alice| alice.messages.len() == 1 + 2 * sent);
    assert_eq!(world.engine.taken.len(), sent);
    let tokens: Vec<u32> = (1..=u32::try_from(sent).expect("few")).collect();
    let numbers: Vec<u64> = alice.messages.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let accepted: Vec<u32> = alice
        .messages
        .iter()
        .filter(|(_, bytes)| bytes[0] == b'A')
        .map(|(_, bytes)| u32::from_be_bytes([bytes[9], bytes[10], bytes[11], bytes[12]]))
        .collect();
    assert_eq!(accepted, tokens);
}

#[test]
fn more_connections_than_places_are_turned_away() {
    let mut config = config();
    config.limits.connections_max = 2;
    let mut world = World::new(&config);
    let mut alice = world.logged_in("ALICE");
    let idle = Bare::connect(&world);
    world.quiet(&mut [&mut alice]);
    for _ in 0..50 {
        let mut third = Bare::connect(&world);
        assert_eq!(third.read_to_end(&mut world), b"");
        // After one that was turned away there is a pause.
        world.clock.advance(SECOND / 100);
    }
    assert_eq!(world.gateway.connections_open(), 2);
    assert_eq!(world.gateway.stats().turned_away, 50);
    let log = world.log();
    assert_eq!(
        log.last().map(String::as_str),
        Some("gateway: PEER turned away: all 2 places are taken")
    );
    drop(idle);
    world.quiet(&mut [&mut alice]);
    let mut bob = world.trader("BOB", "PASS", Resume::START);
    world.clock.advance(SECOND / 100);
    world.until(&mut bob, |bob| bob.client.is_live());
}

#[test]
fn a_client_without_a_login_gives_its_place_back() {
    let mut world = World::new(&config());
    let mut idle = Bare::connect(&world);
    world.quiet(&mut []);
    // One byte a second is no login either.
    for byte in &LOGIN[..29] {
        idle.write(&mut world, &[*byte]);
        world.clock.advance(SECOND);
    }
    assert_eq!(world.gateway.connections_open(), 1);
    world.clock.advance(SECOND);
    world.quiet(&mut []);
    assert_eq!(world.gateway.connections_open(), 0);
    assert_eq!(
        world.log().last().map(String::as_str),
        Some("gateway: PEER disconnected: no login in time")
    );
}

#[test]
fn a_port_in_use_is_told_in_one_line() {
    let world = World::new(&config());
    let mut second = config();
    second.listen = world.address;
    let (commands, _engine_commands) = rtrb::RingBuffer::new(1);
    let (_engine_events, events) = rtrb::RingBuffer::new(1);
    let refused = Gateway::bind(&second, world.clock.clone(), commands, events).err();
    let error = refused.expect("the port is taken");
    assert!(matches!(error, GatewayError::Listen { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on {}: the port is in use; stop the program that has it or give \
             another port in gateway.listen",
            world.address
        )
    );
}

#[test]
fn the_end_reaches_clients_without_a_login_and_those_that_do_not_read() {
    let mut world = World::new(&config());
    let mut idle = Bare::connect(&world);
    let mut silent = Bare::connect(&world);
    silent.write(&mut world, LOGIN);
    world.quiet(&mut []);
    world.gateway.shutdown_handle().request();
    world.quiet(&mut []);
    assert_eq!(idle.read_to_end(&mut world), b"");
    assert!(!world.gateway.is_done(), "one has been told and has not closed");
    world.clock.advance(SECOND);
    world.quiet(&mut []);
    assert!(world.gateway.is_done(), "it has had its time");
    let mut read = Vec::new();
    silent.0.read_to_end(&mut read).expect("what was sent is there");
    assert!(read.ends_with(b"\x00\x01Z"));
    assert_eq!(SocketAddr::from(([127, 0, 0, 1], world.address.port())), world.address);
}
