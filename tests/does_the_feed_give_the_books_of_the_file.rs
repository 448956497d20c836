//! A day of a million messages, once from memory and once through UDP sockets: the same tops of
//! book, nothing unknown, nothing crossed. Publisher and engine are stepped by hand in one thread.

use rtrb::RingBuffer;
use spindle::config::{FeedConfig, FeedLine, JoinAt, ReceivePath};
use spindle::feed::AnyFeed;
use spindle::tops::write_tops;
use spindle_engine::agent::{EngineAgent, TimeSource};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::publish::{Outgoing, OutgoingConfig, Publisher, Speed, Target};
use spindle_replay::recording::{Batch, Recording};
use spindle_risk::Gate;
use spindle_types::{Agent, Sequence, Side};

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
    write_tops(&mut tops, engine).expect("memory");
    String::from_utf8(tops).expect("text")
}

fn from_file() -> String {
    let (mut engine, mut recording) = (engine(), day());
    while let Some(batch) = recording.next_batch().expect("an intact day") {
        let Batch::Itch(messages) = batch else { panic!("a day is ITCH") };
        let first = Sequence(messages.sequence(0));
        engine.on_messages(
            first,
            messages.len(),
            |at| messages.in_place(at),
            |_, decoded| {
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

fn from_feed(receive: ReceivePath) -> Option<String> {
    let address = "127.0.0.1:0".parse().expect("an address");
    let line = FeedLine { address, interface: None, source: None };
    let config = FeedConfig {
        lines: vec![line],
        receive,
        session: None,
        request: Vec::new(),
        join: JoinAt::First,
        receive_buffer_bytes: 4 << 20,
    };
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
fn every_receive_path_gives_the_tops_of_the_file() {
    let expected = from_file();
    assert_eq!(expected.lines().count(), 1_001, "a row for every instrument, and the header");
    for receive in [ReceivePath::IoUring, ReceivePath::Recvmmsg, ReceivePath::Recv] {
        if let Some(tops) = from_feed(receive) {
            assert!(tops == expected, "other tops by {receive:?}");
        }
    }
}
