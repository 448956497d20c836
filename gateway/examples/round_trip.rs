//! How much does the gateway add to a bare echo? One client, one order after the other over
//! loopback: from entering an order to its acceptance, against the round trip of as many bytes
//! through a thread that sends back what it reads, with the same threads in the same run.
//!
//! The gateway shares its thread with an engine that accepts everything, so the figure is the
//! gateway's and the sockets' alone.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use hdrhistogram::Histogram;
use rtrb::{Consumer, Producer, RingBuffer};
use spindle_engine::command::{Action, Command, OrderSide};
use spindle_engine::event::{Event, Outcome};
use spindle_gateway::client::{ClientEvent, Login, NewOrder, OuchClient};
use spindle_gateway::ouch::outbound::Message;
use spindle_gateway::{Gateway, GatewayConfig, GatewayStats, SystemClock, User};
use spindle_types::{AccountId, Agent, OrderReference, Price, Quantity, SessionId};

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 20_000;
const WARM_UP: usize = 2_000;
/// Bytes of an Enter and of its acceptance on the wire.
const REQUEST_BYTES: usize = 50;
const ANSWER_BYTES: usize = 67;

fn main() -> Result<(), Failure> {
    let clock = quanta::Clock::new();
    println!("{:>8} {:>10} {:>10} {:>10} {:>10}", "ns", "p50", "p90", "p99", "p99.9");
    for _ in 0..3 {
        let echo = echo_round_trips(&clock)?;
        let (orders, stats) = order_round_trips(&clock)?;
        print("echo", &echo);
        print("order", &orders);
        print("inside", &stats.order_in_to_answer_out.histogram());
        let ratio = |quantile| {
            let of = |times: &Histogram<u64>| times.value_at_quantile(quantile);
            of(&orders) * 100 / of(&echo).max(1)
        };
        println!("order / echo: p50 {} %, p99 {} %", ratio(0.5), ratio(0.99));
    }
    Ok(())
}

fn print(name: &str, times: &Histogram<u64>) {
    let at = |quantile| times.value_at_quantile(quantile);
    println!("{name:>8} {:>10} {:>10} {:>10} {:>10}", at(0.5), at(0.9), at(0.99), at(0.999));
}

fn echo_round_trips(clock: &quanta::Clock) -> Result<Histogram<u64>, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let echo = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut request = [0; REQUEST_BYTES];
        while read_exactly(&mut socket, &mut request)? {
            socket.write_all(&[0; ANSWER_BYTES])?;
        }
        Ok(())
    });
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    let mut times = Histogram::new(3)?;
    for round in 0..WARM_UP + ROUNDS {
        let start = clock.raw();
        socket.write_all(&[0; REQUEST_BYTES])?;
        read_exactly(&mut socket, &mut [0; ANSWER_BYTES])?;
        if round >= WARM_UP {
            times.record(clock.delta_as_nanos(start, clock.raw()))?;
        }
    }
    drop(socket);
    echo.join().map_err(|_| "the echo thread failed")??;
    Ok(times)
}

/// Fills the buffer, spinning; false at the end of the connection.
fn read_exactly(socket: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match socket.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(false),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn order_round_trips(clock: &quanta::Clock) -> Result<(Histogram<u64>, GatewayStats), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let (address, venue) = venue(&stop)?;
    let mut client = OuchClient::connect(address, Login::new("ALICE", "PASS")?)?;
    let order = NewOrder::limit(OrderSide::Buy, Quantity(100), "AAPL".parse()?, Price(10_000));
    let mut times = Histogram::new(3)?;
    for round in 0..WARM_UP + ROUNDS {
        let start = clock.raw();
        client.enter(&order)?;
        let mut accepted = false;
        while !accepted && client.is_connected() {
            client.poll(&mut |event| {
                accepted |=
                    matches!(event, ClientEvent::Message { message: Message::Accepted(..), .. });
            });
        }
        if round >= WARM_UP {
            times.record(clock.delta_as_nanos(start, clock.raw()))?;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let stats = venue.join().map_err(|_| "the venue's thread failed")?;
    Ok((times, stats))
}

type Venue = (SocketAddr, JoinHandle<GatewayStats>);

fn venue(stop: &Arc<AtomicBool>) -> Result<Venue, Failure> {
    let mut config = GatewayConfig::new("127.0.0.1:0".parse()?, "DAY");
    config.users.push(User::new("ALICE", "PASS", SessionId(1), AccountId(1)));
    let (commands, mut engine_commands) = RingBuffer::new(1_024);
    let (mut engine_events, events) = RingBuffer::new(1_024);
    let mut gateway = Gateway::bind(&config, SystemClock::new(), commands, events)?;
    let address = gateway.local_address();
    let stopped = Arc::clone(stop);
    let thread = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            gateway.poll();
            accept_all(&mut engine_commands, &mut engine_events);
        }
        gateway.take_stats()
    });
    Ok((address, thread))
}

fn accept_all(commands: &mut Consumer<Command>, events: &mut Producer<Event>) {
    while let Ok(command) = commands.pop() {
        let Action::Enter(enter) = command.action else {
            continue;
        };
        let outcome = Outcome::Accepted {
            reference: OrderReference(u64::from(enter.token.0)),
            symbol: enter.symbol,
            side: enter.side,
            quantity: enter.quantity,
            limit: enter.limit,
            time_in_force: enter.time_in_force,
            live: true,
            attributes: enter.attributes,
        };
        let event = Event {
            sequence: 1,
            time: command.time,
            session: command.session,
            account: command.account,
            token: enter.token,
            received: command.received,
            queued: command.queued,
            outcome,
        };
        // The client waits for each answer, so there is always room.
        let _ = events.push(event);
    }
}
