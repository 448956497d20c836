//! A day of a million messages, once from memory and once through UDP sockets: the same tops of
//! book, nothing unknown, nothing crossed; and through two lines that lose, repeat and reorder
//! packets. Publisher and engine are stepped by hand in one thread.

use std::net::UdpSocket;

use rtrb::RingBuffer;
use spindle::config::{FeedConfig, FeedLine, JoinAt, ReceivePath};
use spindle::feed::AnyFeed;
use spindle::tops::write_tops;
use spindle_engine::agent::{EngineAgent, MarketFeed, MarketSink, TimeSource};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_feed::moldudp64::header;
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::publish::{
    Impairments, LineConfig, Outgoing, OutgoingConfig, Publisher, Speed, Target,
};
use spindle_replay::recording::{Batch, Recording};
use spindle_risk::Gate;
use spindle_types::{Agent, ReceiveTime, Sequence, Side};
use zerocopy::IntoBytes;

const MESSAGES: u64 = 1_000_000;

fn engine() -> Engine {
    let capacity = Capacity { instruments: 1_001, orders: 200_000, levels: 100_000 };
    let first_number = EngineConfig::BESIDE_A_FEED;
    Engine::new(&EngineConfig { capacity, own_orders: 16, first_number }, Gate::new(0)).0
}

fn day() -> Recording {
    let config = GenerateConfig::new(MESSAGES, 1_000, 11).expect("a day");
    Recording::new(GeneratedDay::new(config))
}

fn tops(engine: &Engine) -> String {
    let mut tops = Vec::new();
    write_tops(&mut tops, std::slice::from_ref(engine)).expect("memory");
    String::from_utf8(tops).expect("text")
}

fn from_file() -> String {
    let (mut engine, mut recording) = (engine(), day());
    while let Some(batch) = recording.next_batch().expect("an intact day") {
        let Batch::Itch(messages) = batch else { panic!("a day is ITCH") };
        engine.on_messages(
            messages.len(),
            |at| Sequence(messages.sequence(at)),
            |at| messages.in_place(at),
            |_, _, decoded| {
                assert_eq!(decoded, Ok(()));
            },
        );
    }
    assert_eq!(engine.counters().market_messages, MESSAGES);
    assert_eq!(engine.counters().unknown_references, 0);
    assert_eq!(engine.counters().duplicate_references, 0);
    assert_eq!(engine.counters().excess_reductions, 0);
    assert_eq!(engine.counters().beyond_capacity, 0);
    for (instrument, _) in engine.instruments().iter() {
        let price = |side| engine.books().best(instrument, side).map(|best| best.price);
        if let (Some(bid), Some(ask)) = (price(Side::Buy), price(Side::Sell)) {
            assert!(bid < ask, "the book of {instrument} is crossed");
        }
    }
    tops(&engine)
}

fn feed_config(lines: usize, receive: ReceivePath) -> FeedConfig {
    let address = "127.0.0.1:0".parse().expect("an address");
    let line = FeedLine { address, interface: None, source: None };
    FeedConfig {
        lines: vec![line; lines],
        receive,
        session: None,
        request: Vec::new(),
        join: JoinAt::First,
        receive_buffer_bytes: 4 << 20,
        silence_ms: 3_000,
        quarantine_basis_points: None,
    }
}

fn from_feed(receive: ReceivePath) -> Option<String> {
    let config = feed_config(1, receive);
    let feed = match AnyFeed::open(Some(&config)) {
        Ok(feed) => feed,
        Err(error) if receive == ReceivePath::IoUring => {
            println!("skipped: io_uring is not to be had here: {error}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let target = Target { address: feed.addresses()[0], interface: None };
    let (_commands, from_gateway) = RingBuffer::new(1);
    let (to_gateway, _events) = RingBuffer::new(1);
    let time = TimeSource::Tape;
    let mut agent = EngineAgent::new(engine(), feed, from_gateway, to_gateway, time, false);
    let config = OutgoingConfig { speed: Speed::Max, end_packets: 1, ..OutgoingConfig::default() };
    let mut publisher = Publisher::new(Outgoing::new(day(), config), target).expect("a socket");
    publisher.set_window(agent.position(), 2_000);
    while !agent.feed_counters().ended {
        publisher.poll();
        agent.poll();
        assert!(publisher.take_error().is_none());
    }
    assert_eq!(agent.engine().counters().market_messages, MESSAGES);
    assert_eq!(agent.feed_counters().lost, 0);
    Some(tops(agent.engine()))
}

#[test]
fn two_lossy_lines_and_a_request_server_give_the_tops_of_the_file() {
    let share = |text: &str| text.parse().expect("a share");
    let line = |loss| LineConfig {
        payload_max: 1_472,
        impairments: Impairments {
            loss: share(loss),
            duplicate: share("0.01"),
            reorder: share("0.01"),
            outages: 5,
            seed: 3,
        },
    };
    // A free port for the request server: the feed must know it before the publisher is there.
    let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let server = free.expect("a free port");
    let config = FeedConfig { request: vec![server], ..feed_config(2, ReceivePath::Recvmmsg) };
    let feed = AnyFeed::open(Some(&config)).expect("a feed");
    let targets: Vec<Target> =
        feed.addresses().iter().map(|&address| Target { address, interface: None }).collect();
    let (_commands, from_gateway) = RingBuffer::new(1);
    let (to_gateway, _events) = RingBuffer::new(1);
    let time = TimeSource::Tape;
    let mut agent = EngineAgent::new(engine(), feed, from_gateway, to_gateway, time, false);
    let config = OutgoingConfig {
        speed: Speed::Max,
        end_packets: 50,
        end_spacing_ns: 1_000_000,
        keep_bytes: 64 << 20,
        ..OutgoingConfig::default()
    };
    let outgoing = Outgoing::with_lines(day(), config, &[line("0.02"), line("0.05")]);
    let mut publisher = Publisher::with_targets(outgoing, &targets).expect("sockets");
    publisher.serve_requests(server).expect("the port is still free");
    publisher.set_window(agent.position(), 20_000);
    while !agent.feed_counters().ended {
        publisher.poll();
        agent.poll();
        assert!(publisher.take_error().is_none());
        assert!(!publisher.is_done() || agent.feed_counters().ended, "the end never came");
    }
    let gaps = agent.feed().stream_counters().expect("a feed").gaps;
    let filled = gaps.filled_by_other_line + gaps.filled_late + gaps.filled_by_request;
    assert_eq!(gaps.opened, filled + gaps.lost, "{gaps:?}");
    assert!(gaps.filled_by_other_line > 1_000 && gaps.filled_by_request > 100, "{gaps:?}");
    assert_eq!((gaps.lost, agent.feed_counters().lost), (0, 0), "{gaps:?}");
    assert_eq!(agent.engine().counters().market_messages, MESSAGES, "each message once");
    assert!(tops(agent.engine()) == from_file(), "other tops");
}

/// Notes when the feed falls silent and speaks again.
#[derive(Default)]
struct Listener {
    silences: Vec<bool>,
}

impl MarketSink for Listener {
    fn packet(&mut self, _: ReceiveTime, _: &[u8]) {}
    fn message(&mut self, _: Sequence, _: &[u8]) {}
    fn session_started(&mut self) {}
    fn gap_opened(&mut self) {}
    fn gap_closed(&mut self) {}
    fn lost(&mut self, _: Sequence, _: u64) {}
    fn end_of_session(&mut self) {}
    fn silent(&mut self, is_silent: bool) {
        self.silences.push(is_silent);
    }
}

#[test]
fn a_feed_without_heartbeats_is_silent_until_one_comes() {
    let config = FeedConfig { silence_ms: 1, ..feed_config(1, ReceivePath::Recv) };
    let mut feed = AnyFeed::open(Some(&config)).expect("a feed");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let heartbeat = header(*b"DAY       ", 1, 0);
    let mut listener = Listener::default();
    for expected in [true, false] {
        if !expected || listener.silences.is_empty() {
            sender.send_to(heartbeat.as_bytes(), feed.addresses()[0]).expect("sent");
        }
        while listener.silences.last() != Some(&expected) {
            feed.poll(&mut listener);
        }
    }
    assert_eq!(listener.silences[..2], [true, false]);
}

#[test]
fn every_receive_path_gives_the_tops_of_the_file() {
    let expected = from_file();
    assert_eq!(expected.lines().count(), 1_001, "a row for every instrument, and the header");
    for receive in [ReceivePath::IoUring, ReceivePath::Recvmmsg, ReceivePath::Recv] {
        if let Some(tops) = from_feed(receive) {
            assert!(tops == expected, "other tops by {receive:?}");
        }
    }
}
