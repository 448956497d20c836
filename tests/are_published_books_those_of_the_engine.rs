//! The venue's own feed: random orders of every kind, phases and an outside market go through an engine; what it
//! notes becomes ITCH 5.0; a second engine builds its books from these messages alone. After every input
//! both show the same: every price, every order's shares, in their order. Then the same through MoldUDP64 packets of
//! which many are lost, and a request server.

#[path = "../engine/tests/chance/mod.rs"]
mod chance;
#[path = "../engine/tests/desk/mod.rs"]
mod desk;

use std::collections::BTreeMap;

use chance::{Course, Input, input};
use desk::{Desk, X, buy, sell};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use spindle::publication::BookTape;
use spindle_engine::command::TradingPhase;
use spindle_engine::event::{Liquidity, Outcome};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_feed::itch::Message;
use spindle_feed::stream::{Delivery, Origin, Stream, StreamConfig};
use spindle_replay::publish::{Impairments, LineConfig, Live, OutgoingConfig};
use spindle_risk::Gate;
use spindle_types::{InstrumentId, Sequence, Side};
use zerocopy::IntoBytes;

/// What everybody may see of a book: at each price of a side the shares of each order, in their order.
type Displayed = [Vec<(u32, Vec<u32>)>; 2];

fn displayed(engine: &Engine) -> Displayed {
    [Side::Buy, Side::Sell].map(|side| {
        let mut levels: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut next = engine.books().first(X, side);
        while let Some(slot) = next {
            let (price, shares) =
                (engine.books().price_of(slot).0, engine.books().order(slot).available());
            next = engine.books().behind(slot);
            if shares == 0 {
                continue;
            }
            match levels.last_mut() {
                Some((at, orders)) if *at == price => orders.push(shares),
                _ => levels.push((price, vec![shares])),
            }
        }
        levels
    })
}

/// Keeps books and nothing else.
fn follower() -> Engine {
    let capacity = Capacity { instruments: 3, orders: 2_048, levels: 1_024 };
    let config = EngineConfig { capacity, own_orders: 16, first_number: 1 << 62 };
    Engine::new(&config, Gate::new(0)).0
}

fn is_sound(follower: &Engine) {
    let counters = follower.counters();
    let wrong = (
        counters.unknown_references,
        counters.duplicate_references,
        counters.excess_reductions,
        counters.beyond_capacity,
    );
    assert_eq!(wrong, (0, 0, 0, 0));
}

/// A venue that publishes.
struct Venue {
    desk: Desk,
    course: Course,
    tape: BookTape,
}

impl Venue {
    fn new() -> Self {
        let mut desk = Desk::new();
        desk.engine.publish_books();
        let tape = BookTape::new(desk.engine.books().slots());
        Self { desk, course: Course::default(), tape }
    }

    /// The messages of all that was noted.
    fn messages(&mut self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let mut out = |message: &[u8]| messages.push(message.to_vec());
        for seen in self.desk.engine.seen() {
            self.tape.take(seen, &mut out);
        }
        self.tape.flush(&mut out);
        let count = self.desk.engine.seen().len();
        self.desk.engine.forget_seen(count);
        assert!(!self.desk.engine.is_publication_broken());
        messages
    }

    fn apply(&mut self, input: &Input) -> Vec<Vec<u8>> {
        assert!(self.desk.engine.has_room());
        self.course.apply(&mut self.desk.engine, input);
        self.messages()
    }
}

/// Shares of the messages that count as volume.
fn volume(message: &[u8]) -> u64 {
    match Message::decode(message).expect("a message of ITCH") {
        Message::OrderExecuted(m) => m.shares.get().into(),
        Message::OrderExecutedWithPrice(m) if m.printable == b'Y' => m.shares.get().into(),
        Message::Trade(m) => m.shares.get().into(),
        Message::CrossTrade(m) => m.shares.get(),
        _ => 0,
    }
}

/// Runs inputs and compares after each; counts messages by type.
fn run(inputs: &[Input], types: &mut BTreeMap<char, usize>) {
    let (mut venue, mut follower) = (Venue::new(), follower());
    let (mut sequence, mut printed, mut traded, mut is_alone) = (0, 0, 0, true);
    for (at, input) in inputs.iter().enumerate() {
        is_alone &= !matches!(input, Input::Market(_));
        for message in venue.apply(input) {
            sequence += 1;
            *types.entry(char::from(message[0])).or_default() += 1;
            printed += volume(&message);
            follower.on_message(Sequence(sequence), &message).expect("a message of ITCH");
        }
        let events = venue.desk.engine.outbox();
        traded += events
            .iter()
            .map(|event| match event.outcome {
                Outcome::Executed { quantity, liquidity: Liquidity::Added, .. } => {
                    u64::from(quantity.0)
                }
                _ => 0,
            })
            .sum::<u64>();
        venue.desk.engine.clear_outbox();
        let [shown, stands] = [&follower, &venue.desk.engine].map(displayed);
        assert_eq!(shown, stands, "after {at}: {input:?}");
        if is_alone {
            assert_eq!(printed, traded, "volume after {at}: {input:?}");
        }
    }
    is_sound(&follower);
    follower.books().check().expect("whole books");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]
    #[test]
    fn whatever_comes_both_show_the_same(inputs in prop::collection::vec(input(), 1..300)) {
        run(&inputs, &mut BTreeMap::new());
    }
}

#[test]
fn random_inputs_reach_every_message() {
    let (mut runner, mut types) = (TestRunner::deterministic(), BTreeMap::new());
    for _ in 0..100 {
        let inputs = prop::collection::vec(input(), 300).new_tree(&mut runner).expect("inputs");
        run(&inputs.current(), &mut types);
    }
    for kind in "RHAECXDUPQ".chars() {
        let count = types.get(&kind).copied().unwrap_or(0);
        assert!(count >= 5, "{kind}: {count} of {types:?}");
    }
}

#[test]
fn hidden_shares_are_shown_to_nobody() {
    let mut venue = Venue::new();
    let mut say = |order| {
        venue.desk.send(order);
        venue.messages().iter().map(|message| char::from(message[0])).collect()
    };
    let _: String = say(buy(99, 1).at(1));
    assert_eq!(say(sell(1, 30).at(10).hidden()), "");
    assert_eq!(say(sell(2, 30).at(10).show(10)), "A", "of an iceberg the display size");
    assert_eq!(say(buy(3, 10).at(10)), "EA", "displayed shares first, and the next slice comes");
    assert_eq!(say(buy(4, 25).at(10)), "EAEP", "both slices, then of the hidden ones");
    let shown = displayed(&venue.desk.engine);
    assert_eq!(shown[1], [], "25 hidden shares are left");
}

#[test]
fn an_auction_is_told_in_its_cross() {
    let mut venue = Venue::new();
    venue.desk.phase(TradingPhase::PreOpen);
    venue.desk.send(buy(1, 100).at(12));
    venue.desk.send(sell(2, 60).at(11));
    venue.messages();
    venue.desk.phase(TradingPhase::Continuous);
    let messages = venue.messages();
    let kinds: String = messages.iter().map(|message| char::from(message[0])).collect();
    assert_eq!(kinds, "QCCH");
    assert_eq!(messages.iter().map(|message| volume(message)).sum::<u64>(), 60);
}

/// An order in every phase in which orders are collected grows, shrinks, and is an iceberg that an auction eats into:
/// everybody sees each order in its true place.
#[test]
fn while_orders_are_collected_places_in_the_queue_are_seen() {
    let (mut venue, mut follower, mut sequence) = (Venue::new(), follower(), 0);
    let mut see = |venue: &mut Venue| {
        for message in venue.messages() {
            sequence += 1;
            follower.on_message(Sequence(sequence), &message).expect("a message of ITCH");
        }
        let [shown, stands] = [&follower, &venue.desk.engine].map(displayed);
        assert_eq!(shown, stands, "the feed and the engine");
        stands
    };
    let mut number = 0;
    for phase in [TradingPhase::PreOpen, TradingPhase::Paused, TradingPhase::PreClose] {
        venue.desk.phase(phase);
        let [first, grown, shrunk, iceberg, last, bid, bid_again] =
            [1, 2, 3, 4, 5, 6, 7].map(|n| number + n);
        for order in [
            sell(first, 10).at(11),
            sell(iceberg, 60).at(11).show(20),
            sell(shrunk, 30).at(11),
            sell(last, 40).at(11),
        ] {
            venue.desk.send(order);
        }
        assert_eq!(see(&mut venue)[1], [(11, vec![10, 20, 30, 40])], "{phase:?}");
        // Larger: behind its level, under the new number. Smaller: in its place.
        venue.desk.replace(first, grown, 15, Some(11));
        venue.desk.cancel(shrunk, 25);
        assert_eq!(see(&mut venue)[1], [(11, vec![20, 25, 40, 15])], "{phase:?}");
        // The auction takes some of what the iceberg shows: the rest keeps its place.
        venue.desk.send(buy(bid, 5).at(11));
        see(&mut venue);
        venue.desk.phase(TradingPhase::Continuous);
        assert_eq!(see(&mut venue), [vec![], vec![(11, vec![15, 25, 40, 15])]], "{phase:?}");
        // Another takes all of that and some of what nobody saw: the next slice stands behind.
        venue.desk.phase(phase);
        venue.desk.send(buy(bid_again, 25).at(11));
        see(&mut venue);
        venue.desk.phase(TradingPhase::Continuous);
        assert_eq!(see(&mut venue), [vec![], vec![(11, vec![25, 40, 15, 20])]], "{phase:?}");
        for order in [grown, shrunk, iceberg, last] {
            venue.desk.cancel(order, 0);
        }
        assert_eq!(see(&mut venue), [vec![], vec![]], "{phase:?}");
        number += 10;
    }
    is_sound(&follower);
}

#[test]
fn the_number_that_a_session_was_told_is_that_of_the_feed() {
    let mut venue = Venue::new();
    let told = venue.desk.send(buy(1, 100).at(10));
    assert_eq!(told, ["1 accepted"]);
    let Outcome::Accepted { reference, .. } = venue.desk.events[0].outcome else {
        panic!("{:?}", venue.desk.events)
    };
    let messages = venue.messages();
    let add = messages.last().expect("an add");
    match Message::decode(add).expect("a message") {
        Message::AddOrder(m) => assert_eq!(m.reference.get(), reference.0),
        other => panic!("{other:?}"),
    }
}

/// Packets that are lost, late and doubled on two lines, and a server for what both miss.
#[test]
fn a_lossy_feed_gives_the_same_books() {
    let share = |text: &str| text.parse().expect("a share");
    let mut runner = TestRunner::deterministic();
    let mut asked = 0;
    for seed in 0..20 {
        let impairments = Impairments {
            loss: share("0.3"),
            duplicate: share("0.05"),
            reorder: share("0.05"),
            outages: 0,
            seed,
        };
        let line = LineConfig { payload_max: 100, impairments };
        let config = OutgoingConfig::default();
        let mut live = Live::with_lines(&config, &[line, line]);
        let mut stream = StreamConfig { lines: 2, ..StreamConfig::default() };
        (stream.requests.servers, stream.gap_wait_ns) = (1, 1_000_000);
        let mut stream = Stream::new(stream).expect("a configuration");
        let (mut venue, mut follower) = (Venue::new(), follower());
        let asker = ([127, 0, 0, 1], 4_000).into();
        let inputs = prop::collection::vec(input(), 300).new_tree(&mut runner).expect("inputs");
        let (mut now, mut ended) = (0, false);
        for input in inputs.current().iter().map(Some).chain([None]) {
            match input {
                Some(input) => {
                    venue.apply(input).iter().for_each(|message| live.push(message));
                    venue.desk.engine.clear_outbox();
                }
                None => live.end(),
            }
            // The last input's packets are followed until all is there.
            let turns = if input.is_none() { 20_000 } else { 3 };
            for _ in 0..turns {
                let mut deliver = |delivery: Delivery<'_>| match delivery {
                    Delivery::Message { sequence, bytes } => {
                        follower.on_message(Sequence(sequence), bytes).expect("a message");
                    }
                    Delivery::Lost { first, count } => panic!("{count} lost from {first}"),
                    Delivery::EndOfSession { .. } => ended = true,
                    _ => {}
                };
                for line in 0..2 {
                    if let Some(packet) = live.packet(line, now) {
                        let origin = Origin::Line(u8::try_from(line).expect("two"));
                        stream.on_datagram(origin, packet, now, &mut deliver);
                        live.sent(line, now);
                    }
                }
                while let Some(request) = stream.poll_request(now) {
                    let answer = live.answer(request.header.as_bytes(), asker, now);
                    if let Some(answer) = answer.map(<[u8]>::to_vec) {
                        stream.on_datagram(Origin::Server, &answer, now, &mut deliver);
                    }
                }
                stream.on_timer(now, &mut deliver);
                now += 500_000;
            }
        }
        assert!(ended, "seed {seed}");
        assert_eq!(displayed(&follower), displayed(&venue.desk.engine), "seed {seed}");
        is_sound(&follower);
        assert_eq!(follower.instruments().get(InstrumentId(1)).symbol, desk::symbol(X));
        asked += live.request_counters().answered;
    }
    assert!(asked > 30, "both lines lost some: {asked}");
}
