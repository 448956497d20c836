//! docs/matching.md, rule by rule: order types, modifiers, times in force, replaces, self-trade
//! prevention and mass cancels.

mod desk;

use desk::{Desk, X, buy, sell};
use spindle_engine::command::{MassCancel, SelfTradeMode, TradingPhase};
use spindle_types::{AccountId, InstrumentId, OrderToken, SessionId, Side};

#[test]
fn prices_and_quantities_have_steps_and_bounds() {
    let mut desk = Desk::new();
    desk.steps(5, 10);
    let table = [
        (buy(1, 15).at(10), "quantity_off_lot"),
        (buy(1, 0).at(10), "invalid_quantity"),
        (buy(1, 1 << 31).at(10), "invalid_quantity"),
        (buy(1, 10).at(12), "price_off_tick"),
        (buy(1, 10).at(0), "invalid_price"),
        (buy(1, 10).at(1 << 31), "invalid_price"),
        (buy(1, 10).stop(12), "price_off_tick"),
        (buy(1, 10).stop(0), "invalid_price"),
        (buy(1, 10).trail_from(3, 20), "price_off_tick"),
        (buy(1, 10).trail(0), "invalid_price"),
        (buy(1, 10).trail_from(5, 21), "price_off_tick"),
        (buy(1, 10).primary(-7), "price_off_tick"),
        (buy(1, 20).at(10).show(5), "quantity_off_lot"),
    ];
    for (order, reason) in table {
        assert_eq!(desk.send(order), [format!("1 rejected {reason}")], "{order:?}");
    }
    desk.stand([buy(1, 20).at(10), buy(2, 20).at(10).show(10), buy(3, 10).primary(0)]);
    assert_eq!(desk.levels(Side::Buy), [(10, 40, 3)]);
}

#[test]
fn what_does_not_go_together_is_refused_with_the_field() {
    let mut desk = Desk::new();
    let table = [
        (buy(1, 10).at(10).to_limit(), "limit"),
        (buy(1, 10).gtc(), "time_in_force"),
        (buy(1, 10).gtd(5), "time_in_force"),
        (buy(1, 10).at_open().to_limit(), "time_in_force"),
        (buy(1, 10).stop(5).ioc(), "time_in_force"),
        (buy(1, 10).midpoint(0).at_close(), "time_in_force"),
        (buy(1, 10).hidden(), "hidden"),
        (buy(1, 10).at(10).hidden().show(5), "hidden"),
        (buy(1, 10).at(10).hidden().ioc(), "hidden"),
        (buy(1, 10).stop(5).hidden(), "hidden"),
        (buy(1, 10).primary(0).hidden(), "hidden"),
        (buy(1, 10).show(5), "display"),
        (buy(1, 10).at(5).show(5).fok(), "display"),
        (buy(1, 10).at(5).midpoint(0).show(5), "display"),
        (buy(1, 10).post_only(), "post_only"),
        (buy(1, 10).at(5).ioc().post_only(), "post_only"),
        (buy(1, 10).at(5).stop(5).post_only(), "post_only"),
        (buy(1, 10).at(5).at_close().post_only(), "post_only"),
        (buy(1, 10).to_limit().post_only(), "post_only"),
        (buy(1, 10).at(5).fok().minimum(5), "minimum"),
    ];
    for (order, field) in table {
        let told = desk.send(order);
        assert_eq!(told, [format!("1 rejected invalid_combination {field}")], "{order:?}");
    }
    let no_minimum = [
        buy(1, 10).at(5).minimum(11),
        buy(1, 10).stop(5).minimum(5),
        buy(1, 10).midpoint(0).minimum(5),
        buy(1, 10).at(5).post_only().minimum(5),
        buy(1, 10).at(5).at_close().minimum(5),
    ];
    for order in no_minimum {
        assert_eq!(desk.send(order), ["1 rejected minimum_quantity"], "{order:?}");
    }
    assert_eq!(desk.send(buy(1, 10).at(5).at_open()), ["1 rejected wrong_phase"]);
}

#[test]
fn a_market_order_takes_what_there_is() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 10).at(100), sell(2, 10).at(101).hidden()]);
    assert_eq!(
        desk.send(buy(3, 25)),
        [
            "3 accepted",
            "1 made 10 at 100, 0 left",
            "3 took 10 at 100, 15 left",
            "2 made 10 at 101, 0 left",
            "3 took 10 at 101, 5 left",
            "3 canceled 5, 0 left: no_liquidity",
        ]
    );
    assert_eq!(desk.send(sell(4, 5).ioc()), ["4 accepted", "4 canceled 5, 0 left: no_liquidity"]);
    assert_eq!(desk.send(sell(5, 5).fok()), ["5 accepted", "5 canceled 5, 0 left: fill_or_kill"]);
}

#[test]
fn a_market_to_limit_order_takes_the_best_price_and_stands_there() {
    let mut desk = Desk::new();
    assert_eq!(
        desk.send(buy(1, 5).to_limit()),
        ["1 accepted", "1 canceled 5, 0 left: no_liquidity"]
    );
    desk.stand([sell(2, 10).at(101), sell(3, 5).at(100).hidden()]);
    assert_eq!(
        desk.send(buy(4, 8).to_limit()),
        ["4 accepted", "3 made 5 at 100, 0 left", "4 took 5 at 100, 3 left"]
    );
    assert_eq!(desk.levels(Side::Buy), [(100, 3, 1)]);
    // It is a limit order now.
    assert_eq!(
        desk.replace(4, 5, 6, 101),
        ["5 replaced 4, 1 left", "2 made 1 at 101, 9 left", "5 took 1 at 101, 0 left"]
    );
    assert_eq!(
        desk.send(buy(6, 20).to_limit().ioc()),
        [
            "6 accepted",
            "2 made 9 at 101, 0 left",
            "6 took 9 at 101, 11 left",
            "6 canceled 11, 0 left: immediate_or_cancel",
        ]
    );
}

#[test]
fn post_only_is_refused_or_slides() {
    let mut desk = Desk::new();
    desk.slides(1);
    desk.steps(5, 1);
    desk.stand([sell(1, 10).at(100), sell(2, 10).at(95).hidden(), buy(3, 10).at(50)]);
    assert_eq!(desk.send(buy(4, 5).at(95).post_only()), ["4 rejected post_only"]);
    desk.stand([buy(4, 5).at(90).post_only(), buy(5, 5).at(120).post_only().of(1)]);
    assert_eq!(desk.levels(Side::Buy), [(90, 10, 2), (50, 10, 1)], "hidden shares count");
    // It stays where it slid to.
    assert_eq!(desk.cancel(2, 0), ["2 canceled 10, 0 left: user_request"]);
    assert_eq!(desk.levels(Side::Buy), [(90, 10, 2), (50, 10, 1)]);
    desk.stand([sell(6, 5).at(10).post_only().of(1)]);
    assert_eq!(desk.levels(Side::Sell), [(95, 5, 1), (100, 10, 1)]);
    // Nothing below a tick.
    let mut desk = Desk::new();
    desk.slides(1);
    desk.steps(5, 1);
    desk.stand([sell(1, 10).at(5)]);
    assert_eq!(desk.send(buy(2, 5).at(5).post_only().of(1)), ["2 rejected post_only"]);
    // A replacement that would trade leaves the original.
    let mut desk = Desk::new();
    desk.stand([sell(1, 10).at(10), buy(2, 5).at(9).post_only()]);
    assert_eq!(desk.replace(2, 3, 5, 10), ["3 rejected post_only"]);
    assert_eq!(desk.open(2), 5);
    assert_eq!(desk.replace(2, 3, 5, 8), ["3 replaced 2, 5 left"]);
}

#[test]
fn an_iceberg_goes_to_the_back_with_each_slice() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 25).at(100).show(10), sell(2, 10).at(100)]);
    assert_eq!(desk.levels(Side::Sell), [(100, 20, 2)]);
    assert_eq!(
        desk.send(buy(3, 33).at(100)),
        [
            "3 accepted",
            "1 made 10 at 100, 15 left",
            "3 took 10 at 100, 23 left",
            "2 made 10 at 100, 0 left",
            "3 took 10 at 100, 13 left",
            "1 made 10 at 100, 5 left",
            "3 took 10 at 100, 3 left",
            "1 made 3 at 100, 2 left",
            "3 took 3 at 100, 0 left",
        ]
    );
    assert_eq!(desk.levels(Side::Sell), [(100, 2, 1)]);
    // One whose display is no less than the whole is a plain order.
    desk.stand([sell(4, 5).at(100).show(5)]);
    assert_eq!(desk.levels(Side::Sell), [(100, 7, 2)]);
    // It trades whole on entry, and shows of what is left.
    let told = desk.send(buy(5, 30).at(100).show(4));
    assert_eq!(told.last().map(String::as_str), Some("5 took 5 at 100, 23 left"));
    assert_eq!(desk.levels(Side::Buy), [(100, 4, 1)]);
}

#[test]
fn a_smaller_iceberg_loses_its_reserve_first() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 25).at(100).show(10), sell(2, 10).at(100)]);
    assert_eq!(desk.replace(1, 3, 12, 100), ["3 replaced 1, 12 left"]);
    assert_eq!(desk.levels(Side::Sell), [(100, 20, 2)]);
    assert_eq!(desk.cancel(3, 8), ["3 canceled 4, 8 left: user_request"]);
    assert_eq!(desk.levels(Side::Sell), [(100, 18, 2)]);
    assert_eq!(
        desk.send(buy(4, 9).at(100)),
        [
            "4 accepted",
            "3 made 8 at 100, 0 left",
            "4 took 8 at 100, 1 left",
            "2 made 1 at 100, 9 left",
            "4 took 1 at 100, 0 left",
        ],
        "it has kept its place"
    );
}

#[test]
fn the_display_size_stays_through_a_replace() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 25).at(100).show(10)]);
    assert_eq!(desk.replace(1, 2, 30, 101), ["2 replaced 1, 30 left"]);
    assert_eq!(desk.levels(Side::Sell), [(101, 10, 1)]);
}

#[test]
fn icebergs_have_a_bound() {
    let mut desk = Desk::with(16);
    desk.stand([sell(1, 10).at(100).show(1)]);
    assert_eq!(desk.send(sell(2, 9).at(100).show(1)), ["2 rejected capacity"]);
    desk.stand([sell(2, 8).at(100).show(1)]);
    desk.cancel(1, 0);
    desk.stand([sell(3, 10).at(100).show(1)]);
}

#[test]
fn hidden_shares_trade_behind_displayed_ones() {
    let mut desk = Desk::new();
    desk.stand([
        sell(1, 5).at(100).hidden(),
        sell(2, 5).at(100),
        sell(3, 5).at(99).hidden(),
        sell(4, 5).at(100).hidden(),
    ]);
    assert_eq!(desk.levels(Side::Sell), [(100, 5, 1)]);
    assert_eq!(
        desk.send(buy(5, 17).at(100)),
        [
            "5 accepted",
            "3 made 5 at 99, 0 left",
            "5 took 5 at 99, 12 left",
            "2 made 5 at 100, 0 left",
            "5 took 5 at 100, 7 left",
            "1 made 5 at 100, 0 left",
            "5 took 5 at 100, 2 left",
            "4 made 2 at 100, 3 left",
            "5 took 2 at 100, 0 left",
        ]
    );
    // Hidden orders are replaced and cancelled as others are.
    assert_eq!(desk.replace(4, 6, 4, 100), ["6 replaced 4, 2 left"]);
    assert_eq!(desk.cancel(6, 0), ["6 canceled 2, 0 left: user_request"]);
}

#[test]
fn a_minimum_is_met_or_nothing_trades() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 5).at(100), sell(2, 10).at(101).show(2)]);
    assert_eq!(
        desk.send(buy(3, 20).at(100).minimum(6)),
        ["3 accepted", "3 canceled 20, 0 left: minimum_quantity"]
    );
    let told = desk.send(buy(3, 20).at(101).minimum(15));
    assert_eq!(told.len(), 1 + 2 * 6, "reserves count: {told:?}");
    assert_eq!(desk.levels(Side::Buy), [(101, 5, 1)], "what is left has no minimum");
}

#[test]
fn fill_or_kill_is_all_or_nothing() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 5).at(100).of(1), sell(2, 5).at(100).hidden(), sell(3, 5).at(101)]);
    assert_eq!(
        desk.send(buy(4, 11).at(100).fok()),
        ["4 accepted", "4 canceled 11, 0 left: fill_or_kill"]
    );
    let told = desk.send(buy(5, 11).at(101).fok());
    assert_eq!(told.last().map(String::as_str), Some("5 took 1 at 101, 0 left"));
    // Orders of the own group do not count, or end the count.
    for (mode, trades) in [
        (SelfTradeMode::CancelOldest, true),
        (SelfTradeMode::CancelNewest, false),
        (SelfTradeMode::CancelBoth, false),
        (SelfTradeMode::DecrementAndCancel, false),
    ] {
        let mut desk = Desk::new();
        desk.group(&[1, 2], mode);
        desk.stand([sell(1, 5).at(100).of(1), sell(2, 5).at(100)]);
        let told = desk.send(buy(3, 5).at(100).fok().of(2));
        if trades {
            assert_eq!(
                told,
                [
                    "3 accepted",
                    "1 canceled 5, 0 left: self_trade",
                    "2 made 5 at 100, 0 left",
                    "3 took 5 at 100, 0 left",
                ]
            );
        } else {
            assert_eq!(told, ["3 accepted", "3 canceled 5, 0 left: fill_or_kill"]);
        }
        assert_eq!(
            desk.send(buy(4, 11).at(100).fok().of(2)),
            ["4 accepted", "4 canceled 11, 0 left: fill_or_kill"]
        );
    }
}

#[test]
fn self_trades_are_prevented_as_the_incoming_order_has_it() {
    let world = |mode| {
        let mut desk = Desk::new();
        desk.group(&[1, 2], mode);
        desk.stand([sell(1, 4).at(100), sell(2, 12).at(100).show(5).of(1), sell(3, 4).at(100)]);
        desk
    };
    let begin = ["4 accepted", "1 made 4 at 100, 0 left", "4 took 4 at 100, 6 left"];
    let rest = |told: Vec<String>| {
        assert_eq!(told[..3], begin);
        told[3..].to_vec()
    };
    let order = buy(4, 10).at(100).of(2);
    let told = world(SelfTradeMode::CancelNewest).send(order);
    assert_eq!(rest(told), ["4 canceled 6, 0 left: self_trade"]);
    let told = world(SelfTradeMode::CancelOldest).send(order);
    assert_eq!(
        rest(told),
        ["2 canceled 12, 0 left: self_trade", "3 made 4 at 100, 0 left", "4 took 4 at 100, 2 left",]
    );
    let told = world(SelfTradeMode::CancelBoth).send(order);
    assert_eq!(
        rest(told),
        ["2 canceled 12, 0 left: self_trade", "4 canceled 6, 0 left: self_trade"]
    );
    let mut desk = world(SelfTradeMode::DecrementAndCancel);
    assert_eq!(
        rest(desk.send(order)),
        ["2 canceled 6, 6 left: self_trade", "4 canceled 6, 0 left: self_trade"]
    );
    assert_eq!(desk.levels(Side::Sell), [(100, 9, 2)], "the reserve goes first");
    let told = desk.send(buy(5, 10).at(100).of(1));
    assert_eq!(
        told,
        [
            "5 accepted",
            "2 canceled 6, 0 left: self_trade",
            "5 canceled 6, 4 left: self_trade",
            "3 made 4 at 100, 0 left",
            "5 took 4 at 100, 0 left",
        ]
    );
    // Who belongs to no group trades with everybody.
    let told = world(SelfTradeMode::CancelBoth).send(buy(4, 20).at(100));
    assert!(told.iter().all(|text| !text.contains("self_trade")), "{told:?}");
}

#[test]
fn a_replace_keeps_the_place_only_when_the_size_goes_down_at_the_same_price() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).at(50), buy(2, 10).at(50), buy(3, 10).at(50)]);
    desk.replace(1, 11, 9, 50);
    desk.replace(2, 12, 11, 50);
    let told = desk.send(sell(4, 29).at(50));
    let makers: Vec<_> = told.iter().filter(|text| text.contains("made")).collect();
    assert_eq!(
        makers,
        ["11 made 9 at 50, 0 left", "3 made 10 at 50, 0 left", "12 made 10 at 50, 1 left"]
    );
    // The whole chain is meant, executed shares included.
    assert_eq!(desk.replace(12, 13, 12, 51), ["13 replaced 12, 2 left"]);
    assert_eq!(desk.replace(13, 14, 10, 51), ["13 canceled 2, 0 left: invalid_replace"]);
    // A refused one leaves the original.
    desk.stand([buy(5, 10).at(50)]);
    assert_eq!(desk.replace(5, 15, 10, 0), ["15 rejected invalid_price"]);
    assert_eq!(desk.replace(5, 15, 1 << 31, 50), ["15 rejected invalid_quantity"]);
    assert_eq!(desk.replace(9, 15, 10, 50), ["15 not replaced"]);
    assert_eq!(desk.open(5), 10);
    // Without a price it is a market order.
    assert_eq!(
        desk.replace(5, 15, 10, None),
        ["15 replaced 5, 10 left", "15 canceled 10, 0 left: no_liquidity"]
    );
}

#[test]
fn a_replace_that_crosses_trades() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 10).at(60), buy(2, 15).at(50).hidden()]);
    assert_eq!(
        desk.replace(2, 3, 15, 60),
        ["3 replaced 2, 15 left", "1 made 10 at 60, 0 left", "3 took 10 at 60, 5 left"]
    );
    assert_eq!(desk.levels(Side::Buy), [], "still hidden");
}

#[test]
fn what_is_good_till_a_time_expires_then() {
    let mut desk = Desk::new();
    desk.time = 10;
    assert_eq!(desk.send(buy(1, 10).at(50).gtd(10)), ["1 rejected invalid_expiry"]);
    desk.stand([
        buy(1, 10).at(50).gtd(30),
        buy(2, 10).at(50).gtd(20),
        buy(3, 10).at(50).gtd(20).hidden(),
        buy(4, 10).at(50),
        sell(5, 10).stop(40).gtd(25),
    ]);
    assert_eq!(desk.clock(19), [""; 0]);
    assert_eq!(
        desk.clock(25),
        [
            "2 canceled 10, 0 left: expired",
            "3 canceled 10, 0 left: expired",
            "5 canceled 10, 0 left: expired",
        ]
    );
    // Before anything else of the input that brings the time.
    desk.time = 31;
    assert_eq!(
        desk.send(sell(6, 20).at(50)),
        [
            "1 canceled 10, 0 left: expired",
            "6 accepted",
            "4 made 10 at 50, 0 left",
            "6 took 10 at 50, 10 left",
        ]
    );
}

#[test]
fn a_mass_cancel_means_what_matches_all_that_is_given() {
    let orders = |desk: &mut Desk| {
        desk.stand([
            sell(1, 10).at(100).of(1),
            buy(2, 10).at(50).of(1).hidden(),
            buy(3, 10).stop(120).of(2),
            buy(4, 10).at(50).primary(0).of(1),
            buy(5, 10).at(50).of(1).on(InstrumentId(2)),
            buy(6, 10).at(51).at_close().of(1),
        ]);
    };
    let ask = |mass| {
        let mut desk = Desk::new();
        orders(&mut desk);
        let told = desk.mass_cancel(mass);
        told.iter().map(|text| text.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    let canceled = |mass| -> Vec<String> { ask(mass) };
    let all = MassCancel { token: OrderToken(9), ..MassCancel::default() };
    assert_eq!(canceled(all), ["1", "2", "3", "4", "5", "6", "9"]);
    let account = Some(AccountId(1));
    assert_eq!(canceled(MassCancel { account, ..all }), ["1", "2", "4", "5", "6", "9"]);
    let symbol = Some(desk::symbol(X));
    let side = Some(Side::Buy);
    assert_eq!(canceled(MassCancel { account, symbol, side, ..all }), ["2", "4", "6", "9"]);
    let session = Some(SessionId(1));
    assert_eq!(canceled(MassCancel { session, ..all }), ["9"]);
    let mut desk = Desk::new();
    orders(&mut desk);
    assert_eq!(
        desk.mass_cancel(MassCancel { account: Some(AccountId(2)), ..all }),
        ["3 canceled 10, 0 left: mass_cancel", "9 mass-canceled 1"]
    );
    let symbol = Some("NONE".parse().expect("a symbol"));
    assert_eq!(desk.mass_cancel(MassCancel { symbol, ..all }), ["9 rejected unknown_instrument"]);
    // After a replace that loses the place, an order is last.
    desk.replace(1, 11, 20, 100);
    let told = desk.mass_cancel(all);
    assert_eq!(
        told.iter().rev().nth(1).map(String::as_str),
        Some("11 canceled 20, 0 left: mass_cancel")
    );
}

#[test]
fn a_closed_or_halted_instrument_takes_no_orders() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).at(50), buy(2, 10).at(50).gtc(), buy(3, 10).stop(60)]);
    desk.phase(TradingPhase::Halted);
    assert_eq!(desk.send(buy(4, 10).at(50)), ["4 rejected halted"]);
    assert_eq!(desk.replace(1, 4, 5, 50), ["4 rejected halted"]);
    assert_eq!(desk.cancel(1, 5), ["1 canceled 5, 5 left: user_request"]);
    assert_eq!(
        desk.phase(TradingPhase::Closed),
        ["1 canceled 5, 0 left: end_of_day", "3 canceled 10, 0 left: end_of_day"]
    );
    assert_eq!(desk.send(buy(4, 10).at(50)), ["4 rejected closed"]);
    assert_eq!(desk.open(2), 10);
    desk.phase(TradingPhase::Continuous);
    desk.stand([buy(4, 10).at(50)]);
}
