//! Delays in the duty cycle beside a feed: when requests reach the books and when answers are handed
//! on, in the tape's time or in the machine's.

use std::collections::VecDeque;

use rtrb::{Consumer, Producer, RingBuffer};
use spindle_engine::agent::{EngineAgent, MarketFeed, MarketSink, TimeSource};
use spindle_engine::command::{
    Action, Attributes, Command, Enter, Modifiers, OrderKind, OrderSide, TimeInForce,
};
use spindle_engine::delay::{Delayed, Delays};
use spindle_engine::event::{Event, Outcome};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_feed::itch::{AddOrder, Header, StockDirectory};
use spindle_risk::{Gate, Key, Limits, Target};
use spindle_types::{
    AccountId, Agent, EventTime, OrderToken, Price, Quantity, ReceiveTime, Sequence, SessionId,
    Symbol,
};
use zerocopy::{FromZeros, IntoBytes};

const X: Symbol = Symbol(*b"X       ");

/// Gives one message a turn, and at its end says so.
#[derive(Default)]
struct Feed {
    messages: VecDeque<Vec<u8>>,
    sequence: u64,
    ends: bool,
}

impl MarketFeed for Feed {
    fn poll<S: MarketSink>(&mut self, sink: &mut S) -> usize {
        if let Some(message) = self.messages.pop_front() {
            self.sequence += 1;
            sink.packet(ReceiveTime(0), &[]);
            sink.message(Sequence(self.sequence), &message);
            return 1;
        }
        if std::mem::take(&mut self.ends) {
            sink.end_of_session();
        }
        0
    }
}

fn directory(time: u64) -> Vec<u8> {
    let mut directory = StockDirectory::new_zeroed();
    directory.header = Header::new(StockDirectory::TYPE, 1, time);
    directory.stock = X.0;
    directory.as_bytes().to_vec()
}

fn sell(time: u64, reference: u64) -> Vec<u8> {
    AddOrder {
        header: Header::new(AddOrder::TYPE, 1, time),
        reference: reference.into(),
        side: b'S',
        shares: 100.into(),
        stock: X.0,
        price: 10_000.into(),
    }
    .as_bytes()
    .to_vec()
}

/// Requests take 100, answers 50.
struct Fixed;

impl Delays for Fixed {
    fn of_command(&mut self, _: &Command) -> u64 {
        100
    }

    fn of_event(&mut self, _: &Event) -> u64 {
        50
    }

    fn rank(&self, session: SessionId) -> u16 {
        session.0
    }
}

struct Venue {
    agent: EngineAgent<Feed>,
    commands: Producer<Command>,
    events: Consumer<Event>,
}

fn venue(feed: Feed, scales: bool, capacity: usize) -> Venue {
    let limits = Limits::NONE.with(Key::OpenOrdersMax, 100);
    let mut gate = Gate::new(1);
    gate.set_limits(Target::Account(AccountId(0)), limits).expect("limits");
    let capacity_of_books = Capacity { instruments: 4, orders: 100, levels: 100 };
    let first_number = EngineConfig::BESIDE_A_FEED;
    let config = EngineConfig { capacity: capacity_of_books, own_orders: 100, first_number };
    let (engine, _) = Engine::new(&config, gate);
    let (commands, commands_out) = RingBuffer::new(64);
    let (events_in, events) = RingBuffer::new(64);
    let mut agent =
        EngineAgent::new(engine, feed, commands_out, events_in, TimeSource::Tape, false);
    agent.delay(Delayed::new(Box::new(Fixed), 1, capacity, scales));
    Venue { agent, commands, events }
}

fn buy(token: u32) -> Command {
    Command {
        time: EventTime(0),
        session: SessionId(0),
        account: AccountId(0),
        received: 0,
        queued: 0,
        action: Action::Enter(Enter {
            token: OrderToken(token),
            symbol: X,
            side: OrderSide::Buy,
            quantity: Quantity(100),
            limit: Some(Price(10_000)),
            kind: OrderKind::Plain,
            modifiers: Modifiers::NONE,
            time_in_force: TimeInForce::Day,
            attributes: Attributes::default(),
        }),
    }
}

/// The letters and times of what has been handed on.
fn told(venue: &mut Venue) -> Vec<(char, u64)> {
    std::iter::from_fn(|| venue.events.pop().ok())
        .map(|event| {
            let letter = match event.outcome {
                Outcome::Accepted { .. } => 'A',
                Outcome::Executed { .. } => 'E',
                other => panic!("{other:?}"),
            };
            (letter, event.time.0)
        })
        .collect()
}

#[test]
fn in_tape_time_a_request_arrives_before_the_message_that_is_not_earlier() {
    // Asked for at 1,000, it is there at 1,100: behind the sell of 1,099, before that of 1,100.
    for (at, wanted) in [(1_099, ['A', 'E']), (1_100, ['A', 'E'])] {
        let mut feed = Feed::default();
        feed.messages.push_back(directory(1_000));
        let mut venue = venue(feed, true, 16);
        venue.agent.poll();
        venue.commands.push(buy(1)).expect("room");
        venue.agent.poll();
        assert_eq!(venue.agent.engine().counters().commands, 0, "it is under way");
        let coming = [sell(at, 7), directory(1_149), directory(1_150)];
        let mut seen = Vec::new();
        for message in coming {
            venue.agent.feed_mut().messages.push_back(message);
            venue.agent.poll();
            seen.push(told(&mut venue));
        }
        let taken = venue.agent.engine().divergence().taken;
        let met = venue.agent.engine().divergence().met;
        assert_eq!((taken, met), if at == 1_099 { (100, 0) } else { (0, 100) });
        // Answers leave with the first message at or after their time: accepted at 1,100, at 1,150.
        assert_eq!(seen.concat(), wanted.map(|letter| (letter, 1_100)));
        assert!(seen[0].is_empty() && seen[1].is_empty(), "{seen:?}");
    }
}

#[test]
fn what_is_under_way_when_the_tape_ends_arrives() {
    let mut feed = Feed { ends: true, ..Feed::default() };
    feed.messages.push_back(directory(1_000));
    let mut venue = venue(feed, true, 16);
    venue.agent.poll();
    venue.commands.push(buy(1)).expect("room");
    for _ in 0..3 {
        venue.agent.poll();
    }
    assert_eq!(told(&mut venue), [('A', 1_100)]);
}

#[test]
fn in_the_machines_time_a_silent_tape_holds_nothing_back() {
    let mut feed = Feed::default();
    feed.messages.push_back(directory(1_000));
    let mut venue = venue(feed, false, 16);
    venue.agent.poll();
    venue.commands.push(buy(1)).expect("room");
    let mut seen = Vec::new();
    for _ in 0..1_000_000 {
        venue.agent.poll();
        seen.extend(told(&mut venue));
        if !seen.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [('A', 1_000)]);
}

#[test]
fn a_full_line_holds_requests_in_their_ring_and_hurries_answers() {
    let mut feed = Feed::default();
    feed.messages.push_back(directory(1_000));
    let mut venue = venue(feed, true, 2);
    venue.agent.poll();
    for token in 1..=5 {
        venue.commands.push(buy(token)).expect("room");
    }
    venue.agent.poll();
    assert_eq!(venue.commands.slots(), 64 - 3, "two are under way, three wait in the ring");
    let mut seen = Vec::new();
    for time in [1_100, 1_101, 1_250, 1_251, 1_500, 2_000] {
        venue.agent.feed_mut().messages.push_back(directory(time));
        venue.agent.poll();
        seen.extend(told(&mut venue));
    }
    assert_eq!(seen.len(), 5, "none is lost: {seen:?}");
}
