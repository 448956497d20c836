//! Gaps, losses, full tables, repeated references, halts, the end of the day and a new session: who
//! reads a top of book is told, who sends an order is refused with the reason, and what stands is
//! neither filled nor lost.

use spindle_engine::command::{
    Action, Attributes, Cancel, Command, Enter, Modifiers, OrderKind, OrderSide, TimeInForce,
};
use spindle_engine::event::{CancelReason, Change, Outcome, RejectReason, StaleCause};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_feed::event::{MarketAction, MarketEvent, Phase, TradingState};
use spindle_feed::quarantine::Band;
use spindle_feed::top::{TopReader, TopState};
use spindle_risk::{Gate, Key, Limits, Target};
use spindle_types::{
    AccountId, EventTime, InstrumentId, MatchNumber, OrderReference, OrderToken, Price, Quantity,
    Sequence, SessionId, Side, Symbol,
};

const X: InstrumentId = InstrumentId(1);
const Y: InstrumentId = InstrumentId(2);

struct World {
    engine: Engine,
    tops: TopReader,
    sequence: u64,
    token: u32,
}

impl World {
    fn new(orders: usize) -> Self {
        let limits = Limits::NONE
            .with(Key::OrderSizeMax, 1_000)
            .with(Key::CollarPercent, 10_000)
            .with(Key::OpenOrdersMax, 100);
        let mut gate = Gate::new(1);
        gate.set_limits(Target::Account(AccountId(0)), limits).expect("limits");
        let capacity = Capacity { instruments: 4, orders, levels: 64 };
        let config = EngineConfig { capacity, own_orders: 8, first_number: 1 << 62 };
        let (engine, tops) = Engine::new(&config, gate);
        let mut world = Self { engine, tops, sequence: 0, token: 0 };
        for (instrument, symbol) in [(X, "X"), (Y, "Y")] {
            world.market(
                instrument,
                MarketAction::Directory {
                    symbol: symbol.parse().expect("a symbol"),
                    round_lot: 100,
                },
            );
        }
        world
    }

    fn market(&mut self, instrument: InstrumentId, action: MarketAction) {
        self.sequence += 1;
        let event = MarketEvent { time: EventTime(self.sequence), instrument, action };
        self.engine.on_market(&event, Sequence(self.sequence));
    }

    fn add(&mut self, instrument: InstrumentId, reference: u64, side: Side, price: u32) {
        self.market(
            instrument,
            MarketAction::Add {
                reference: OrderReference(reference),
                side,
                quantity: Quantity(100),
                price: Price(price),
                symbol: Symbol::BLANK,
            },
        );
    }

    fn send(&mut self, action: Action) -> Vec<Outcome> {
        let (session, account) = (SessionId(0), AccountId(0));
        let time = EventTime(self.sequence);
        let command = Command { time, session, account, received: 0, queued: 0, action };
        self.engine.on_command(&command, &mut ());
        self.told()
    }

    fn buy(&mut self, symbol: &str, price: u32) -> Vec<Outcome> {
        self.enter(OrderSide::Buy, symbol, price)
    }

    fn sell(&mut self, symbol: &str, price: u32) -> Vec<Outcome> {
        self.enter(OrderSide::Sell, symbol, price)
    }

    fn enter(&mut self, side: OrderSide, symbol: &str, price: u32) -> Vec<Outcome> {
        self.token += 1;
        self.send(Action::Enter(Enter {
            token: OrderToken(self.token),
            symbol: symbol.parse().expect("a symbol"),
            side,
            quantity: Quantity(100),
            limit: Some(Price(price)),
            kind: OrderKind::Plain,
            modifiers: Modifiers::NONE,
            time_in_force: TimeInForce::Day,
            attributes: Attributes::default(),
        }))
    }

    /// What sessions are told, without what everybody is.
    fn told(&mut self) -> Vec<Outcome> {
        let outcomes = self.engine.outbox().iter().map(|event| event.outcome);
        let told = outcomes.filter(|outcome| !outcome.is_public()).collect();
        self.engine.clear_outbox();
        told
    }

    fn states(&self) -> [TopState; 2] {
        [X, Y].map(|instrument| self.tops.read(instrument).state)
    }
}

fn refused(outcomes: &[Outcome]) -> RejectReason {
    match outcomes {
        [Outcome::Rejected { reason, .. }] => *reason,
        other => panic!("{other:?}"),
    }
}

fn accepted(outcomes: &[Outcome]) -> bool {
    matches!(outcomes, [Outcome::Accepted { .. }])
}

#[test]
fn while_messages_are_awaited_nothing_is_up_to_date() {
    let mut world = World::new(64);
    assert_eq!(world.states(), [TopState::Good; 2]);
    assert!(accepted(&world.buy("X", 100)));
    world.engine.on_gap(true);
    assert_eq!(world.states(), [TopState::Stale; 2]);
    assert_eq!(refused(&world.buy("X", 100)), RejectReason::Stale);
    // What stands can still be cancelled.
    let cancel = Cancel { token: OrderToken(1), quantity: Quantity(0) };
    let told = world.send(Action::Cancel(cancel));
    assert!(matches!(told[..], [Outcome::Canceled { reason: CancelReason::UserRequest, .. }]));
    world.engine.on_gap(false);
    assert_eq!(world.states(), [TopState::Good; 2]);
    assert!(accepted(&world.buy("X", 100)));
}

#[test]
fn after_a_loss_orders_are_kept_and_not_filled() {
    let mut world = World::new(64);
    assert!(accepted(&world.buy("X", 100)));
    world.engine.on_loss();
    assert_eq!(world.states(), [TopState::Stale; 2]);
    assert_eq!(refused(&world.buy("X", 100)), RejectReason::Stale);
    world.add(X, 7, Side::Sell, 90);
    assert_eq!(world.told(), [], "the tape cannot fill on a book that is not the market's");
    assert_eq!(world.engine.own_orders(), 1);
    assert_eq!(world.states(), [TopState::Stale; 2], "a change of the book proves nothing");
}

#[test]
fn a_loss_says_nothing_against_instruments_that_are_named_only_then() {
    let mut world = World::new(64);
    let z = InstrumentId(3);
    world.engine.on_loss();
    let symbol = "Z".parse().expect("a symbol");
    world.market(z, MarketAction::Directory { symbol, round_lot: 100 });
    assert_eq!(world.tops.read(z).state, TopState::Good, "nothing of it can have been lost");
    assert!(accepted(&world.buy("Z", 100)));
    // Named again, an instrument that was known before proves nothing.
    let symbol = "X".parse().expect("a symbol");
    world.market(X, MarketAction::Directory { symbol, round_lot: 100 });
    assert_eq!(world.states(), [TopState::Stale; 2]);
    world.engine.on_loss();
    assert_eq!(world.tops.read(z).state, TopState::Stale);
}

#[test]
fn while_the_feed_is_silent_nothing_is_up_to_date() {
    let mut world = World::new(64);
    assert!(accepted(&world.buy("X", 100)));
    world.engine.on_silence(true);
    assert_eq!(world.states(), [TopState::Stale; 2]);
    assert_eq!(refused(&world.buy("X", 100)), RejectReason::Stale);
    world.engine.on_gap(true);
    world.engine.on_silence(false);
    assert_eq!(world.states(), [TopState::Stale; 2], "it speaks, and messages are missing");
    world.engine.on_gap(false);
    assert_eq!(world.states(), [TopState::Good; 2]);
    assert!(accepted(&world.buy("X", 100)));
}

#[test]
fn an_absurd_market_is_traded_on_by_nobody() {
    let mut world = World::new(64);
    world.engine.watch(Band { width_basis_points: 5_000, calm: 2 });
    world.add(X, 1, Side::Buy, 10_000);
    world.add(X, 2, Side::Sell, 10_100);
    assert!(accepted(&world.sell("X", 10_200)));
    // A hundred times the price, all of it in one message: it meets the strategy's order and does
    // not fill it.
    world.add(X, 3, Side::Buy, 1_000_000);
    assert_eq!(world.told(), []);
    assert_eq!(world.states(), [TopState::Stale, TopState::Good]);
    assert_eq!(world.engine.counters().quarantines, 1);
    assert_eq!(refused(&world.buy("X", 10_100)), RejectReason::Quarantined);
    world.market(X, MarketAction::Delete { reference: OrderReference(3) });
    assert_eq!(refused(&world.buy("X", 10_100)), RejectReason::Quarantined, "one is not enough");
    world.add(X, 4, Side::Buy, 10_010);
    assert_eq!(world.states(), [TopState::Good; 2]);
    assert!(accepted(&world.buy("X", 9_000)));
    // A print far away is as bad as a price.
    let (price, match_number) = (Price(100), MatchNumber(1));
    world.market(X, MarketAction::Trade { quantity: Quantity(5), price, match_number });
    assert_eq!(world.told(), []);
    assert_eq!(refused(&world.buy("X", 9_000)), RejectReason::Quarantined);
    // After a halt a market may open anywhere.
    world.market(X, MarketAction::status(TradingState::Trading));
    assert_eq!(world.states(), [TopState::Good; 2]);
}

#[test]
fn a_repeated_reference_and_a_full_table_make_their_own_book_stale() {
    let mut world = World::new(16);
    world.add(X, 7, Side::Sell, 200);
    world.add(X, 7, Side::Sell, 201);
    assert_eq!(world.states(), [TopState::Stale, TopState::Good]);
    assert_eq!(world.engine.counters().duplicate_references, 1);
    assert_eq!(refused(&world.buy("X", 100)), RejectReason::Stale);

    for reference in 100..120 {
        world.add(Y, reference, Side::Sell, 300);
    }
    assert_eq!(world.engine.counters().beyond_capacity, 5);
    assert_eq!(world.engine.books().live_orders(), 16);
    assert_eq!(world.states(), [TopState::Stale, TopState::Stale]);
}

#[test]
fn a_full_table_refuses_an_order_and_goes_on() {
    let mut world = World::new(64);
    for _ in 0..8 {
        assert!(accepted(&world.buy("X", 100)));
    }
    assert_eq!(refused(&world.buy("X", 100)), RejectReason::Capacity);
    let cancel = Cancel { token: OrderToken(3), quantity: Quantity(0) };
    world.send(Action::Cancel(cancel));
    assert!(accepted(&world.buy("X", 100)));
}

#[test]
fn a_halt_refuses_and_fills_nothing() {
    let mut world = World::new(64);
    assert!(accepted(&world.buy("X", 100)));
    for state in [TradingState::Halted, TradingState::Paused, TradingState::QuotationOnly] {
        world.market(X, MarketAction::status(state));
        assert_eq!(world.states(), [TopState::Halted, TopState::Good]);
        assert_eq!(refused(&world.buy("X", 100)), RejectReason::Halted);
    }
    world.add(X, 7, Side::Sell, 90);
    assert_eq!(world.told(), []);
    world.market(X, MarketAction::status(TradingState::Trading));
    assert_eq!(world.states(), [TopState::Good; 2]);
}

#[test]
fn the_end_of_the_day_cancels_and_closes() {
    let mut world = World::new(64);
    assert!(accepted(&world.buy("X", 100)));
    world.add(Y, 7, Side::Sell, 200);
    world.market(InstrumentId(0), MarketAction::Phase { phase: Phase::EndOfSystemHours });
    let told = world.told();
    assert!(matches!(told[..], [Outcome::Canceled { reason: CancelReason::EndOfDay, .. }]));
    assert_eq!(refused(&world.buy("X", 100)), RejectReason::Closed);
    world.market(Y, MarketAction::Delete { reference: OrderReference(7) });
    assert_eq!(world.states(), [TopState::Closed; 2]);
    assert_eq!(world.tops.read(Y).ask(), None);
}

#[test]
fn a_new_session_begins_with_nothing() {
    let mut world = World::new(64);
    world.add(X, 7, Side::Sell, 200);
    assert!(accepted(&world.buy("X", 100)));
    world.engine.on_session_start();
    let told = world.told();
    assert!(matches!(told[..], [Outcome::Canceled { reason: CancelReason::EndOfDay, .. }]));
    assert_eq!(world.engine.books().live_orders(), 0);
    assert_eq!(world.engine.books().live_levels(), 0);
    assert_eq!(world.engine.instruments().known(), 0);
    assert_eq!(world.states(), [TopState::Stale; 2]);
    assert_eq!(refused(&world.buy("X", 100)), RejectReason::UnknownInstrument);
    // The same numbers and references serve again.
    let symbol = "Z".parse().expect("a symbol");
    world.market(X, MarketAction::Directory { symbol, round_lot: 100 });
    world.add(X, 7, Side::Buy, 50);
    assert_eq!(world.states(), [TopState::Good, TopState::Stale]);
    assert!(accepted(&world.buy("Z", 40)));
}

#[test]
fn an_order_that_would_meet_too_many_of_the_market_is_cut_short() {
    let limits = Limits::NONE.with(Key::CollarPercent, 10_000).with(Key::OpenOrdersMax, 100);
    let mut gate = Gate::new(1);
    gate.set_limits(Target::Account(AccountId(0)), limits).expect("limits");
    let capacity = Capacity { instruments: 3, orders: 8_192, levels: 64 };
    let config = EngineConfig { capacity, own_orders: 8, first_number: 1 << 62 };
    let (engine, tops) = Engine::new(&config, gate);
    let mut world = World { engine, tops, sequence: 0, token: 0 };
    let symbol = "X".parse().expect("a symbol");
    world.market(X, MarketAction::Directory { symbol, round_lot: 100 });
    for reference in 1..=5_000 {
        world.add(X, reference, Side::Sell, 100);
    }
    assert!(world.engine.has_room());
    let told = world.send(Action::Enter(Enter {
        token: OrderToken(1),
        symbol,
        side: OrderSide::Buy,
        quantity: Quantity(500_000),
        limit: Some(Price(100)),
        kind: OrderKind::Plain,
        modifiers: Modifiers::NONE,
        time_in_force: TimeInForce::Day,
        attributes: Attributes::default(),
    }));
    assert_eq!(told.len(), 1 + 4_096 + 1);
    let quantity = Quantity(500_000 - 409_600);
    let (open, reason) = (Quantity::ZERO, CancelReason::Capacity);
    assert_eq!(told.last(), Some(&Outcome::Canceled { quantity, open, reason }));
    assert_eq!(world.engine.own_orders(), 0, "nothing stands crossed");
}

/// What everybody is told of books that are not the market's any more.
fn stale_told(world: &mut World) -> Vec<StaleCause> {
    let causes = world.engine.outbox().iter().filter_map(|event| match event.outcome {
        Outcome::State { change: Change::Stale(cause), .. } => Some(cause),
        _ => None,
    });
    let causes = causes.collect();
    world.engine.clear_outbox();
    causes
}

#[test]
fn an_order_that_the_tape_never_showed_makes_its_book_stale_and_says_why() {
    let unseen = OrderReference(77);
    let (quantity, match_number) = (Quantity(10), MatchNumber(1));
    let (new_reference, price) = (OrderReference(78), Price(100));
    for action in [
        MarketAction::Execute { reference: unseen, quantity, match_number },
        MarketAction::ExecuteAt {
            reference: unseen,
            quantity,
            match_number,
            price,
            printable: false,
        },
        MarketAction::Reduce { reference: unseen, quantity },
        MarketAction::Delete { reference: unseen },
        MarketAction::Replace { reference: unseen, new_reference, quantity, price },
    ] {
        let mut world = World::new(64);
        world.add(X, 7, Side::Buy, 100);
        assert!(accepted(&world.buy("X", 100)));
        world.market(X, action);
        assert_eq!(stale_told(&mut world), [StaleCause::UnknownOrder], "{action:?}");
        assert_eq!(world.engine.counters().unknown_references, 1);
        assert_eq!(world.states(), [TopState::Stale, TopState::Good]);
        // What stands is neither filled nor lost.
        world.market(X, MarketAction::Trade { quantity, price, match_number });
        world.market(X, MarketAction::Delete { reference: unseen });
        assert_eq!(world.told(), [], "and it is told once");
        assert_eq!(refused(&world.buy("X", 100)), RejectReason::Stale);
        let row = world.engine.divergence_report().next().expect("a line of the report");
        assert_eq!((row.instrument, row.stale), (X, Some(StaleCause::UnknownOrder)));
        assert_eq!((row.sums.refused, row.sums.traded()), (100, 0));
        let cancel = Cancel { token: OrderToken(1), quantity: Quantity(0) };
        let told = world.send(Action::Cancel(cancel));
        assert!(matches!(told[..], [Outcome::Canceled { open: Quantity::ZERO, .. }]));
    }
}

#[test]
fn each_cause_of_a_stale_book_is_told_once() {
    let mut world = World::new(16);
    world.add(X, 7, Side::Buy, 100);
    world.add(X, 7, Side::Buy, 100);
    assert_eq!(stale_told(&mut world), [StaleCause::Duplicate]);
    let reduce = MarketAction::Reduce { reference: OrderReference(7), quantity: Quantity(101) };
    world.market(X, reduce);
    assert_eq!(stale_told(&mut world), [], "the first cause stays");
    world.add(Y, 8, Side::Buy, 100);
    let execute = MarketAction::Execute {
        reference: OrderReference(8),
        quantity: Quantity(101),
        match_number: MatchNumber(1),
    };
    world.market(Y, execute);
    assert_eq!(stale_told(&mut world), [StaleCause::Excess]);
    assert_eq!(world.engine.stale_cause(X), Some(StaleCause::Duplicate));
    assert_eq!(world.engine.stale_cause(Y), Some(StaleCause::Excess));
    assert_eq!(world.engine.counters().excess_reductions, 2);
    world.engine.on_loss();
    assert_eq!(stale_told(&mut world), [], "nothing was known of any book before");
    let mut world = World::new(16);
    world.engine.on_loss();
    assert_eq!(stale_told(&mut world), [StaleCause::Loss], "one line for all");
    let mut world = World::new(16);
    for reference in 1..=17 {
        world.add(X, reference, Side::Buy, 100);
    }
    assert_eq!(stale_told(&mut world), [StaleCause::Capacity]);
}
