//! docs/matching.md: phases and auctions.

mod desk;

use desk::{Desk, buy, sell};
use spindle_engine::command::{SelfTradeMode, TradingPhase};
use spindle_feed::event::MarketAction;
use spindle_types::{OrderReference, Price, Quantity, Side, Symbol};

fn opening() -> Desk {
    let mut desk = Desk::new();
    desk.phase(TradingPhase::PreOpen);
    desk
}

/// Sends orders whose answers but the first are left out.
fn collect<const N: usize>(desk: &mut Desk, orders: [desk::Order; N]) {
    for order in orders {
        let told = desk.send(order);
        assert_eq!(told[0], format!("{} accepted", order.enter.token), "{order:?}");
        assert!(told[1..].iter().all(|text| text.starts_with("indicative")), "{told:?}");
    }
}

fn open(desk: &mut Desk) -> Vec<String> {
    desk.phase(TradingPhase::Continuous)
}

#[test]
fn the_indicative_figures_are_told_when_they_change() {
    let mut desk = opening();
    assert_eq!(desk.send(buy(1, 10).at(100)), ["1 accepted"]);
    assert_eq!(desk.send(sell(2, 4).at(99)), ["2 accepted", "indicative 4 at 99, 6 buy"]);
    assert_eq!(desk.send(sell(3, 4).at(101)), ["3 accepted"]);
    assert_eq!(desk.send(sell(4, 6).at(100)), ["4 accepted", "indicative 10 at 100, 0 even"]);
    assert_eq!(
        desk.cancel(1, 5),
        ["1 canceled 5, 5 left: user_request", "indicative 5 at 100, 5 sell"]
    );
    assert_eq!(desk.cancel(1, 0), ["1 canceled 5, 0 left: user_request", "indicative nothing"]);
    // Another phase begins from nothing.
    collect(&mut desk, [buy(5, 5).at(101)]);
    assert_eq!(desk.phase(TradingPhase::Halted), [""; 0]);
    assert_eq!(desk.phase(TradingPhase::Paused), ["indicative 5 at 100, 5 sell"]);
}

#[test]
fn most_shares_then_least_imbalance_then_the_reference_decide() {
    // At 100 and 101 trade 10 shares; the imbalance is less at 101.
    let mut desk = opening();
    collect(&mut desk, [buy(1, 10).at(101), buy(2, 5).at(100), sell(3, 10).at(100)]);
    assert_eq!(open(&mut desk)[0], "opening auction 10 at 101, 0 even");
    // All the same from 100 to 104: without a reference the lowest, else the nearest.
    let world = || {
        let mut desk = opening();
        collect(&mut desk, [buy(1, 10).at(104), sell(2, 10).at(100)]);
        desk
    };
    let price = |near: Option<u32>| {
        let told = world().phase_near(TradingPhase::Continuous, near);
        told[0].clone()
    };
    assert_eq!(price(None), "opening auction 10 at 100, 0 even");
    assert_eq!(price(Some(103)), "opening auction 10 at 103, 0 even");
    assert_eq!(price(Some(90)), "opening auction 10 at 100, 0 even");
    assert_eq!(price(Some(200)), "opening auction 10 at 104, 0 even");
    // Two as near: the lower.
    let mut desk = opening();
    collect(&mut desk, [buy(1, 10).at(102), sell(2, 10).at(100)]);
    collect(&mut desk, [buy(3, 1).at(99), sell(4, 1).at(103)]);
    assert_eq!(
        desk.phase_near(TradingPhase::Continuous, Some(101))[0],
        "opening auction 10 at 101, 0 even"
    );
    // The last print is the reference where none is given.
    let mut desk = Desk::new();
    desk.stand([sell(1, 1).at(102)]);
    desk.send(buy(2, 1).at(102));
    desk.phase(TradingPhase::PreOpen);
    collect(&mut desk, [buy(3, 10).at(104), sell(4, 10).at(100)]);
    assert_eq!(open(&mut desk)[0], "opening auction 10 at 102, 0 even");
}

#[test]
fn market_orders_meet_at_the_reference_or_not_at_all() {
    let world = || {
        let mut desk = opening();
        collect(&mut desk, [buy(1, 10), sell(2, 4).at_open()]);
        desk
    };
    assert_eq!(
        open(&mut world()),
        ["1 canceled 10, 0 left: auction_over", "2 canceled 4, 0 left: auction_over"]
    );
    assert_eq!(
        world().phase_near(TradingPhase::Continuous, Some(50)),
        [
            "opening auction 4 at 50, 6 buy",
            "1 made 4 at 50, 6 left",
            "2 took 4 at 50, 0 left",
            "1 canceled 6, 0 left: auction_over",
        ]
    );
}

#[test]
fn who_trades_goes_by_market_price_display_time() {
    let mut desk = opening();
    collect(
        &mut desk,
        [
            buy(1, 10).at(100).hidden(),
            buy(2, 10).at(100),
            buy(3, 20).at(100).show(5),
            buy(4, 10).at(101),
            buy(5, 10),
            buy(6, 10).at(100),
            sell(7, 47).at(100),
        ],
    );
    assert_eq!(desk.levels(Side::Buy), [(101, 10, 1), (100, 25, 3)]);
    assert_eq!(
        open(&mut desk),
        [
            "opening auction 47 at 100, 23 buy",
            "5 made 10 at 100, 0 left",
            "7 took 10 at 100, 37 left",
            "4 made 10 at 100, 0 left",
            "7 took 10 at 100, 27 left",
            "2 made 10 at 100, 0 left",
            "7 took 10 at 100, 17 left",
            "3 made 17 at 100, 3 left",
            "7 took 17 at 100, 0 left",
        ]
    );
    // What the iceberg showed is used up: the rest stands behind.
    assert_eq!(desk.levels(Side::Buy), [(100, 13, 2)]);
    let told = desk.send(sell(8, 12).at(100));
    assert_eq!(
        told[1..],
        [
            "6 made 10 at 100, 0 left",
            "8 took 10 at 100, 2 left",
            "3 made 2 at 100, 1 left",
            "8 took 2 at 100, 0 left"
        ]
    );
    assert_eq!(desk.open(1), 10);
}

#[test]
fn an_iceberg_keeps_its_place_while_it_shows_what_it_showed() {
    let mut desk = opening();
    collect(&mut desk, [buy(1, 20).at(100).show(5), buy(2, 10).at(100), sell(3, 4).at(100)]);
    open(&mut desk);
    assert_eq!(desk.levels(Side::Buy), [(100, 11, 2)], "one share of five, and no new ones");
    let told = desk.send(sell(4, 12).at(100));
    assert_eq!(
        told[1..],
        [
            "1 made 1 at 100, 15 left",
            "4 took 1 at 100, 11 left",
            "2 made 10 at 100, 0 left",
            "4 took 10 at 100, 1 left",
            "1 made 1 at 100, 14 left",
            "4 took 1 at 100, 0 left",
        ]
    );
}

#[test]
fn the_earlier_of_a_pair_is_the_maker_and_groups_do_not_count() {
    let mut desk = opening();
    desk.group(&[1], SelfTradeMode::CancelBoth);
    collect(
        &mut desk,
        [sell(1, 5).at(99).of(1), buy(2, 8).at(100).of(1), sell(3, 5).at(100).of(1)],
    );
    assert_eq!(
        open(&mut desk),
        [
            "opening auction 8 at 100, 2 sell",
            "1 made 5 at 100, 0 left",
            "2 took 5 at 100, 3 left",
            "2 made 3 at 100, 0 left",
            "3 took 3 at 100, 2 left",
        ]
    );
}

#[test]
fn at_open_orders_are_for_the_opening() {
    let mut desk = opening();
    collect(
        &mut desk,
        [buy(1, 10).at(100).at_open(), sell(2, 4).at(100), sell(3, 1).at(100).at_close()],
    );
    assert_eq!(
        open(&mut desk),
        [
            "opening auction 4 at 100, 6 buy",
            "1 made 4 at 100, 6 left",
            "2 took 4 at 100, 0 left",
            "1 canceled 6, 0 left: auction_over",
        ]
    );
    assert_eq!(desk.open(3), 1);
}

#[test]
fn at_close_orders_wait_for_the_closing() {
    let mut desk = Desk::new();
    desk.stand([
        sell(1, 10).at(100).at_close(),
        sell(2, 4).at_close(),
        buy(3, 10).at(100),
        sell(4, 5).at(101),
    ]);
    assert_eq!(desk.levels(Side::Sell), [(101, 5, 1)]);
    // A halt auction is none of theirs.
    desk.phase(TradingPhase::Paused);
    assert_eq!(open(&mut desk), [""; 0]);
    assert_eq!(desk.phase(TradingPhase::PreClose), ["indicative 10 at 100, 4 sell"]);
    desk.phase(TradingPhase::Continuous);
    desk.phase(TradingPhase::PreClose);
    collect(&mut desk, [sell(5, 3).at(100), buy(6, 9).at(100).gtc()]);
    assert_eq!(
        desk.phase(TradingPhase::Closed),
        [
            "closing auction 17 at 100, 2 buy",
            "2 made 4 at 100, 0 left",
            "3 took 4 at 100, 6 left",
            "1 made 6 at 100, 4 left",
            "3 took 6 at 100, 0 left",
            "1 made 4 at 100, 0 left",
            "6 took 4 at 100, 5 left",
            "5 made 3 at 100, 0 left",
            "6 took 3 at 100, 2 left",
            "4 canceled 5, 0 left: end_of_day",
        ]
    );
    assert_eq!(desk.levels(Side::Buy), [(100, 2, 1)], "good till cancelled stays");
}

#[test]
fn an_at_close_order_has_the_time_of_its_entry() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 5).at(100), buy(2, 5).at(100).at_close(), buy(3, 5).at(100)]);
    desk.phase(TradingPhase::PreClose);
    collect(&mut desk, [sell(4, 8).at(100)]);
    assert_eq!(
        desk.phase(TradingPhase::Closed),
        [
            "closing auction 8 at 100, 7 buy",
            "1 made 5 at 100, 0 left",
            "4 took 5 at 100, 3 left",
            "2 made 3 at 100, 2 left",
            "4 took 3 at 100, 0 left",
            "2 canceled 2, 0 left: auction_over",
            "3 canceled 5, 0 left: end_of_day",
        ]
    );
}

#[test]
fn what_cannot_take_part_is_refused_while_orders_are_collected() {
    let mut desk = opening();
    for order in
        [buy(1, 5).at(100).ioc(), buy(1, 5).at(100).fok(), buy(1, 5).to_limit(), buy(1, 5).ioc()]
    {
        assert_eq!(desk.send(order), ["1 rejected not_in_auction"], "{order:?}");
    }
    assert_eq!(desk.send(buy(1, 5).at(100).minimum(2)), ["1 rejected minimum_quantity"]);
    // Post-only has no effect, and orders stand crossed.
    collect(&mut desk, [sell(1, 5).at(100), buy(2, 5).at(101).post_only()]);
    assert_eq!(desk.levels(Side::Buy), [(101, 5, 1)]);
    assert_eq!(desk.replace(2, 3, 5, 102), ["3 replaced 2, 5 left"]);
}

#[test]
fn what_stands_crossed_is_uncrossed_before_trading_goes_on() {
    let mut desk = opening();
    collect(&mut desk, [sell(1, 5).at(100).gtc(), buy(2, 5).at(101).gtc(), buy(3, 5)]);
    desk.phase(TradingPhase::Halted);
    assert_eq!(
        open(&mut desk),
        ["halt auction 5 at 100, 5 buy", "1 made 5 at 100, 0 left", "3 took 5 at 100, 0 left",]
    );
    let mut desk = opening();
    collect(&mut desk, [sell(1, 5).at(100).gtc(), buy(2, 5).at(101).gtc()]);
    assert_eq!(desk.phase(TradingPhase::Closed), [""; 0]);
    assert_eq!(open(&mut desk)[0], "halt auction 5 at 100, 0 even");
}

#[test]
fn the_print_of_an_auction_elects_stops_and_pegs_come_in_first() {
    let mut desk = opening();
    collect(&mut desk, [buy(1, 5).at(99), sell(2, 5).at(105), sell(3, 2).stop(100).at(90)]);
    collect(&mut desk, [buy(4, 3).midpoint(0), buy(5, 5).at(100), sell(6, 5).at(100)]);
    assert_eq!(
        open(&mut desk),
        [
            "opening auction 5 at 100, 0 even",
            "5 made 5 at 100, 0 left",
            "6 took 5 at 100, 0 left",
            "3 triggered",
            "4 made 2 at 102, 1 left",
            "3 took 2 at 102, 0 left",
        ]
    );
}

#[test]
fn orders_of_the_tape_take_part() {
    let mut desk = opening();
    for (reference, side, price) in [(7, Side::Buy, 102), (8, Side::Sell, 98)] {
        let (quantity, price) = (Quantity(10), Price(price));
        let reference = OrderReference(reference);
        desk.market(MarketAction::Add { reference, side, quantity, price, symbol: Symbol::BLANK });
    }
    collect(&mut desk, [buy(1, 5).at(101), sell(2, 3).at(99), sell(3, 4)]);
    assert_eq!(
        open(&mut desk),
        [
            "opening auction 15 at 99, 2 sell",
            "3 took 4 at 99, 0 left",
            "1 took 4 at 99, 1 left",
            "1 made 1 at 99, 0 left",
            "2 took 1 at 99, 2 left",
        ],
        "six of the pairs' shares are the tape's own, and its orders are the earlier ones"
    );
    assert_eq!(desk.engine.divergence().taken, 8);
    assert_eq!(desk.levels(Side::Buy), [(102, 6, 1)]);
    assert_eq!(desk.levels(Side::Sell), [(98, 6, 1), (99, 2, 1)]);
}
