//! Changes of an order in its place: smaller, or another kind of sale.

mod desk;

use desk::{Desk, X, buy, sell, symbol};
use spindle_engine::command::{Action, Modify, OrderSide, TimeInForce};
use spindle_engine::event::Outcome;
use spindle_engine::risk::RiskChange;
use spindle_risk::{Key, Limits, Target};
use spindle_types::{AccountId, EventTime, OrderToken, Quantity, Side};

fn modify(desk: &mut Desk, token: u32, side: OrderSide, quantity: u32) -> Vec<String> {
    let modify = Modify { token: OrderToken(token), side, quantity: Quantity(quantity) };
    desk.command(0, Action::Modify(modify))
}

#[test]
fn a_smaller_size_keeps_the_place() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 100).at(10), sell(2, 100).at(10)]);
    let side = OrderSide::Sell;
    assert_eq!(modify(&mut desk, 1, side, 60), ["1 modified to Sell, 40 off, 60 left"]);
    assert_eq!(desk.levels(Side::Sell), [(10, 160, 2)]);
    assert_eq!(modify(&mut desk, 1, side, 61), ["1 not canceled"], "it may not grow");
    assert_eq!(modify(&mut desk, 1, side, 60), ["1 modified to Sell, 0 off, 60 left"]);
    assert_eq!(modify(&mut desk, 3, side, 60), ["3 not canceled"]);
    let told = desk.send(buy(9, 20).at(10));
    assert_eq!(told[1], "1 made 20 at 10, 40 left", "it is first still");
    let told = modify(&mut desk, 1, side, 50);
    assert_eq!(told, ["1 modified to Sell, 10 off, 30 left"], "executed shares count");
    assert_eq!(modify(&mut desk, 1, side, 20), ["1 canceled 30, 0 left: user_request"]);
}

#[test]
fn a_sale_becomes_another_kind_of_sale_and_nothing_else() {
    use OrderSide::{Buy, Sell, SellShort, SellShortExempt};
    let sides = [Buy, Sell, SellShort, SellShortExempt];
    let good = [
        (Buy, Buy),
        (Sell, Sell),
        (Sell, SellShort),
        (Sell, SellShortExempt),
        (SellShort, SellShort),
        (SellShortExempt, SellShortExempt),
        (SellShortExempt, SellShort),
    ];
    for (before, after) in sides.into_iter().flat_map(|b| sides.map(|a| (b, a))) {
        let mut desk = Desk::new();
        let mut order = buy(1, 100).at(10);
        order.enter.side = before;
        desk.stand([order]);
        let expected = match good.contains(&(before, after)) {
            true => format!("1 modified to {after:?}, 0 off, 100 left"),
            false => "1 not canceled".to_owned(),
        };
        assert_eq!(modify(&mut desk, 1, after, 100), [expected], "{before:?} {after:?}");
    }
}

/// Shares that were located: what the gate counts follows the kind of sale.
#[test]
fn the_gate_counts_a_sale_as_what_it_became() {
    let mut desk = Desk::new();
    let account = AccountId(0);
    let changes = [
        RiskChange::Limits {
            target: Target::Account(account),
            limits: Limits::NONE.with(Key::Locate, 1),
        },
        RiskChange::InstrumentLimits {
            account,
            symbol: symbol(X),
            limits: Limits::NONE.with(Key::LocateShares, 80),
        },
    ];
    desk.engine.on_risk(EventTime(0), &changes).expect("limits");
    desk.stand([sell(1, 100).at(10), sell(2, 100).at(10)]);
    let short = OrderSide::SellShort;
    assert_eq!(modify(&mut desk, 1, short, 100), ["1 not canceled"], "100 is more than 80");
    assert_eq!(modify(&mut desk, 1, short, 80), ["1 modified to SellShort, 20 off, 80 left"]);
    assert_eq!(modify(&mut desk, 2, short, 1), ["2 not canceled"], "all are used");
    assert_eq!(modify(&mut desk, 1, short, 79), ["1 modified to SellShort, 1 off, 79 left"]);
    assert_eq!(modify(&mut desk, 2, short, 1), ["2 modified to SellShort, 99 off, 1 left"]);
    desk.engine.check_risk().expect("the gate has reserved what is open");
    assert_eq!(desk.cancel(1, 0), ["1 canceled 79, 0 left: user_request"]);
    assert_eq!(desk.cancel(2, 0), ["2 canceled 1, 0 left: user_request"]);
    let mut again = sell(3, 80).at(10);
    again.enter.side = short;
    assert_eq!(desk.send(again), ["3 accepted"], "nothing is left reserved");
    desk.engine.check_risk().expect("the gate has reserved what is open");
}

#[test]
fn an_order_stays_for_so_many_seconds() {
    let mut desk = Desk::new();
    desk.time = 5_000_000_000;
    desk.send(buy(1, 10).at(10).tif(TimeInForce::GoodFor(3)));
    let until = TimeInForce::GoodTillDate(EventTime(8_000_000_000));
    let Outcome::Accepted { time_in_force, .. } = desk.events[0].outcome else {
        panic!("not accepted")
    };
    assert_eq!(time_in_force, until);
    desk.time = 7_999_999_999;
    assert_eq!(desk.cancel(9, 0), ["9 not canceled"]);
    desk.time = 8_000_000_000;
    assert_eq!(desk.cancel(9, 0), ["1 canceled 10, 0 left: expired", "9 not canceled"]);
    let told = desk.send(buy(2, 10).at(10).tif(TimeInForce::GoodFor(0)));
    assert_eq!(told, ["2 rejected invalid_expiry"]);
}
