//! The ledger of divergence: each sum by the rule behind it, and the balance with the books, which
//! the desk asks for after every input.

mod desk;

use desk::{Desk, X, buy, sell, symbol};
use spindle_engine::{Booking, Divergence};
use spindle_feed::event::{MarketAction, MarketEvent, TradingState};
use spindle_types::{EventTime, MatchNumber, OrderReference, Price, Quantity, Sequence, Side};

fn add(reference: u64, side: Side, quantity: u32, price: u32) -> MarketAction {
    MarketAction::Add {
        reference: OrderReference(reference),
        side,
        quantity: Quantity(quantity),
        price: Price(price),
        symbol: symbol(X),
    }
}

fn execute(reference: u64, quantity: u32) -> MarketAction {
    let (reference, quantity) = (OrderReference(reference), Quantity(quantity));
    MarketAction::Execute { reference, quantity, match_number: MatchNumber(0) }
}

fn replace(reference: u64, new_reference: u64, quantity: u32, price: u32) -> MarketAction {
    MarketAction::Replace {
        reference: OrderReference(reference),
        new_reference: OrderReference(new_reference),
        quantity: Quantity(quantity),
        price: Price(price),
    }
}

/// An order of the tape with 200 shares of which a strategy has taken 100.
fn taken() -> Desk {
    let mut desk = Desk::new();
    desk.market(add(7, Side::Sell, 200, 1_002));
    desk.send(buy(1, 100).at(1_002));
    desk
}

#[test]
fn each_rule_has_its_sum() {
    let mut desk = taken();
    let mut expected = Divergence { taken: 100, ..Divergence::default() };
    assert_eq!(desk.engine.divergence_of(X), expected);
    // Rule 3: 40 of 50 met.
    desk.stand([buy(2, 40).at(1_000)]);
    desk.market(add(8, Side::Sell, 50, 1_000));
    expected.met = 40;
    assert_eq!(desk.engine.divergence_of(X), expected);
    assert_eq!(expected.standing(), 140);
    // Rule 6: 10 are left, 20 are cancelled, 10 of them were sold.
    desk.market(MarketAction::Reduce { reference: OrderReference(8), quantity: Quantity(20) });
    expected.displaced = 10;
    assert_eq!(desk.engine.divergence_of(X), expected);
    // Rule 4: in front of 60 that the tape executes; nothing is displaced, for 100 are left.
    desk.stand([sell(3, 30).at(1_001)]);
    desk.market(execute(7, 60));
    expected.ahead = 30;
    expected.volume = 60;
    assert_eq!(desk.engine.divergence_of(X), expected);
    // Rule 5.
    desk.stand([sell(4, 30).at(1_001)]);
    let (quantity, price, match_number) = (Quantity(10), Price(1_001), MatchNumber(0));
    desk.market(MarketAction::Trade { quantity, price, match_number });
    expected.hidden = 10;
    expected.volume += 10;
    assert_eq!(desk.engine.divergence_of(X), expected);
    // The tape has executed all that it had: what was sold before is displaced.
    desk.market(execute(7, 140));
    expected.ahead += 20;
    expected.volume += 140;
    expected.displaced += 100;
    assert_eq!(desk.engine.divergence_of(X), expected);
    assert_eq!(expected.standing(), 30);
    assert_eq!(desk.engine.divergence(), expected, "no other instrument has anything");
    assert_eq!(expected.filled_ahead(), 100);
}

#[test]
fn shares_of_a_replacement_that_finds_no_place_are_displaced() {
    for (new_reference, quantity) in [(9, 150), (9, 60), (8, 0)] {
        let mut desk = taken();
        desk.market(add(9, Side::Sell, 10, 1_010));
        // 9 lives already, and nothing stands with no shares.
        desk.market(replace(7, new_reference, quantity, 1_002));
        let expected = Divergence { taken: 100, displaced: 100, ..Divergence::default() };
        assert_eq!(desk.engine.divergence_of(X), expected, "{new_reference} {quantity}");
    }
}

#[test]
fn a_new_session_of_the_feed_makes_void_what_stands() {
    let mut desk = taken();
    desk.market(execute(7, 150));
    desk.engine.on_session_start();
    desk.ledger.begin_day();
    desk.told();
    let expected =
        Divergence { taken: 100, displaced: 50, void: 50, volume: 150, ..Divergence::default() };
    assert_eq!(desk.engine.divergence_of(X), expected);
    assert_eq!(expected.standing(), 0);
}

#[test]
fn refused_shares_and_the_volume_are_in_the_report() {
    let mut desk = Desk::new();
    assert_eq!(desk.engine.divergence_report().count(), 0);
    desk.market(MarketAction::Trade {
        quantity: Quantity(500),
        price: Price(1_000),
        match_number: MatchNumber(0),
    });
    assert_eq!(desk.engine.divergence_report().count(), 0, "that was the tape alone");
    desk.market(MarketAction::status(TradingState::Halted));
    desk.send(buy(1, 40).at(1_000));
    let rows: Vec<_> = desk.engine.divergence_report().collect();
    let sums = Divergence { refused: 40, volume: 500, ..Divergence::default() };
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].instrument, rows[0].symbol, rows[0].sums), (X, symbol(X), sums));
    // What the venue refuses for reasons of its own is none of the tape's.
    desk.market(MarketAction::status(TradingState::Trading));
    desk.send(buy(1, 40).at(0));
    assert_eq!(desk.engine.divergence().refused, 40);
}

#[test]
fn books_that_do_not_balance_are_noticed_at_the_next_booking_and_it_stays_said() {
    let mut desk = taken();
    assert_eq!(desk.engine.imbalance(), None);
    desk.engine.unbalance_for_test(X);
    let mut sequence = 1_000;
    let mut market = |desk: &mut Desk, action| {
        sequence += 1;
        let event = MarketEvent { time: EventTime(sequence), instrument: X, action };
        desk.engine.on_market(&event, Sequence(sequence));
    };
    market(&mut desk, execute(7, 20));
    let first = desk.engine.imbalance().expect("it is noticed");
    assert_eq!((first.instrument, first.booking), (X, Booking::Displaced));
    assert_eq!((first.booked, first.found), (100, 101));
    assert_eq!(
        first.to_string(),
        "the shares of S1 (instrument 1) do not balance after market message 1001: displaced \
         (rule 6) makes 100 of the ledger, 101 of the books"
    );
    market(&mut desk, execute(7, 20));
    assert_eq!(desk.engine.imbalance(), Some(first), "the first stays");
    assert!(desk.engine.check().is_err());
}
