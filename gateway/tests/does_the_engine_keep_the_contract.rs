//! The gateway and the real engine in one thread: what the protocol promises only together.

mod common;

use common::{ManualClock, Trader, config, engine_of_two};
use rtrb::RingBuffer;
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::command::OrderSide;
use spindle_gateway::Gateway;
use spindle_gateway::client::{Login, NewOrder, OuchClient, Replacement};
use spindle_types::{Agent, OrderToken, Price, Quantity};

struct Venue {
    clock: ManualClock,
    gateway: Gateway<ManualClock>,
    engine: EngineAgent<NoFeed>,
}

impl Venue {
    fn new() -> Self {
        let engine = engine_of_two(1_000, 100, 100);
        let (commands_in, commands_out) = RingBuffer::new(64);
        let (events_in, events_out) = RingBuffer::new(256);
        let clock = ManualClock::default();
        let gateway = Gateway::bind(&config(), clock.clone(), commands_in, events_out);
        let engine =
            EngineAgent::new(engine, NoFeed, commands_out, events_in, TimeSource::Tape, false);
        Self { clock, gateway: gateway.expect("a free port"), engine }
    }

    fn trader(&mut self, name: &str) -> Trader {
        let login = Login::new(name, "PASS").expect("a login");
        let address = self.gateway.local_address();
        let client = OuchClient::connect_later(address, login, self.clock.clone());
        let mut trader = Trader { client, told: Vec::new(), messages: Vec::new() };
        self.quiet(&mut [&mut trader]);
        assert_eq!(trader.take_told(), ["login 1", "1 day S"]);
        trader
    }

    fn quiet(&mut self, traders: &mut [&mut Trader]) {
        let mut idle = 0;
        while idle < 1_000 {
            let told: usize = traders.iter_mut().map(|trader| trader.poll()).sum();
            let work = told + self.gateway.poll() + self.engine.poll();
            idle = if work == 0 { idle + 1 } else { 0 };
            std::thread::yield_now();
        }
    }
}

fn order(side: OrderSide, quantity: u32, price: u32) -> NewOrder {
    let symbol = "AAPL".parse().expect("a symbol");
    let order = NewOrder::limit(side, Quantity(quantity), symbol, Price(price));
    NewOrder { capacity: b'A', client_order_id: *b"first         ", ..order }
}

#[test]
fn two_clients_trade_replace_and_cancel() {
    let mut venue = Venue::new();
    let (mut alice, mut bob) = (venue.trader("ALICE"), venue.trader("BOB"));
    let resting = alice.client.enter(&order(OrderSide::Buy, 500, 100_000)).expect("live");
    venue.quiet(&mut [&mut alice]);
    bob.client.enter(&order(OrderSide::Sell, 100, 100_000)).expect("live");
    venue.quiet(&mut [&mut alice, &mut bob]);
    // 500 less the 100 executed: 400 stay of a chain of 500, and 500 of a chain of 600.
    let larger = Replacement::limit(Quantity(600), Price(100_000));
    let larger = alice.client.replace(resting, &larger).expect("live");
    venue.quiet(&mut [&mut alice]);
    let replaced = alice.messages.last().expect("a message").1.clone();
    assert_eq!(replaced[18..22], 500_u32.to_be_bytes(), "what is open");
    assert_eq!(replaced[48..51], *b"ANN", "capacity and cross are the original's");
    assert_eq!(replaced[52..66], *b"              ", "the text is the replacement's");
    // At most 250 in all, of which 100 are executed: 350 are taken off.
    alice.client.cancel_to(larger, Quantity(250)).expect("live");
    alice.client.cancel_to(larger, Quantity(250)).expect("live");
    alice.client.cancel(resting).expect("live");
    alice.client.cancel(larger).expect("live");
    venue.quiet(&mut [&mut alice]);
    assert_eq!(
        alice.take_told(),
        [
            "2 accepted 1 L",
            "3 executed 1 100",
            "4 replaced 1 2",
            "5 canceled 2 350 U",
            "6 canceled 2 150 U",
        ]
    );
    assert_eq!(bob.take_told(), ["2 accepted 1 L", "3 executed 1 100"]);
}

#[test]
fn the_four_outcomes_of_a_replace_and_the_number_each_leaves() {
    let mut venue = Venue::new();
    let mut alice = venue.trader("ALICE");
    let mut ask = |alice: &mut Trader, original: u32, quantity: u32, price: u32| {
        let replacement = Replacement::limit(Quantity(quantity), Price(price));
        alice.client.replace(OrderToken(original), &replacement).expect("live");
        alice.client.query().expect("live");
        venue.quiet(&mut [&mut *alice]);
        alice.take_told()
    };
    // 1: the original is not open; the client's own numbering goes on all the same.
    assert_eq!(ask(&mut alice, 9, 100, 10_000), ["2 next 1"]);
    alice.client.enter(&order(OrderSide::Buy, 100, 100_000)).expect("live");
    // 4: good. The order is 2, the replacement 3.
    assert_eq!(ask(&mut alice, 2, 200, 100_000), ["3 accepted 2 L", "4 replaced 2 3", "5 next 4"]);
    // 3: refused by the gate; the original stays.
    assert_eq!(ask(&mut alice, 3, 20_000, 100_000), ["6 rejected 4 1e", "7 next 5"]);
    // 2: an invalid detail; the original goes.
    assert_eq!(ask(&mut alice, 3, 0, 100_000), ["8 canceled 3 200 U", "9 next 5"]);
    assert_eq!(ask(&mut alice, 3, 100, 100_000), ["10 next 5"]);
}

#[test]
fn a_query_is_answered_after_everything_before_it() {
    let mut venue = Venue::new();
    let (mut alice, mut bob) = (venue.trader("ALICE"), venue.trader("BOB"));
    bob.client.enter(&order(OrderSide::Sell, 100, 100_000)).expect("live");
    venue.quiet(&mut [&mut bob]);
    alice.client.enter(&order(OrderSide::Buy, 100, 100_000)).expect("live");
    alice.client.query().expect("live");
    alice.client.enter(&order(OrderSide::Buy, 100, 99_000)).expect("live");
    // A cancel of number 0 is no query.
    alice.client.cancel(OrderToken(0)).expect("live");
    let market = NewOrder::market(OrderSide::Sell, Quantity(300), "AAPL".parse().expect("one"));
    let unknown = NewOrder::market(OrderSide::Buy, Quantity(1), "MSFT".parse().expect("one"));
    venue.quiet(&mut [&mut alice]);
    bob.client.enter(&market).expect("live");
    bob.client.enter(&unknown).expect("live");
    venue.quiet(&mut [&mut alice, &mut bob]);
    assert_eq!(
        alice.take_told(),
        ["2 accepted 1 L", "3 executed 1 100", "4 next 2", "5 accepted 2 L", "6 executed 2 100",]
    );
    assert_eq!(
        bob.take_told(),
        [
            "2 accepted 1 L",
            "3 executed 1 100",
            "4 accepted 2 L",
            "5 executed 2 100",
            "6 canceled 2 200 K",
            "7 rejected 3 17",
        ]
    );
}
