//! docs/matching.md, rule by rule: stops, trailing stops and pegs.

mod desk;

use desk::{Desk, buy, sell};
use spindle_engine::command::{SelfTradeMode, TradingPhase};
use spindle_feed::event::{Cross, MarketAction, TradingState};
use spindle_types::{MatchNumber, OrderReference, Price, Quantity, Side, Symbol};

/// Trades one share at each price, through orders that are gone afterwards.
fn print(desk: &mut Desk, prices: &[u32]) -> Vec<String> {
    let mut told = Vec::new();
    for (token, &price) in
        (90_000 + desk.sequence.try_into().unwrap_or(0) * 100..).step_by(2).zip(prices)
    {
        desk.sequence += 1;
        desk.stand([sell(token, 1).at(price)]);
        told.extend(desk.send(buy(token + 1, 1).at(price)).into_iter().skip(3));
    }
    told
}

fn add(reference: u64, side: Side, quantity: u32, price: u32) -> MarketAction {
    let (reference, quantity, price) =
        (OrderReference(reference), Quantity(quantity), Price(price));
    MarketAction::Add { reference, side, quantity, price, symbol: Symbol::BLANK }
}

#[test]
fn a_print_elects_buys_first_and_each_has_its_turn() {
    let mut desk = Desk::new();
    desk.stand([
        buy(1, 10).stop(102),
        buy(2, 10).stop(101).at(90),
        buy(3, 10).stop(101),
        buy(4, 10).stop(103),
        sell(5, 10).stop(102).at(120),
        sell(6, 10).stop(101),
        sell(7, 10).stop(103).at(121),
        sell(8, 10).stop(104).at(122),
    ]);
    assert_eq!(
        print(&mut desk, &[102]),
        [
            "2 triggered",
            "3 triggered",
            "3 canceled 10, 0 left: no_liquidity",
            "1 triggered",
            "1 canceled 10, 0 left: no_liquidity",
            "8 triggered",
            "7 triggered",
            "5 triggered",
        ]
    );
    assert_eq!(desk.levels(Side::Sell), [(120, 10, 1), (121, 10, 1), (122, 10, 1)]);
    assert_eq!(desk.levels(Side::Buy), [(90, 10, 1)]);
    assert_eq!((desk.open(4), desk.open(6)), (10, 10));
}

#[test]
fn a_cascade_runs_to_its_end() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).at(100), buy(2, 10).at(99), buy(3, 10).at(98), buy(4, 30).at(97)]);
    desk.stand([sell(5, 10).stop(100), sell(6, 10).stop(99).of(1), sell(7, 5).stop(98).at(98)]);
    assert_eq!(
        desk.send(sell(8, 1).at(100)),
        [
            "8 accepted",
            "1 made 1 at 100, 9 left",
            "8 took 1 at 100, 0 left",
            "5 triggered",
            "1 made 9 at 100, 0 left",
            "5 took 9 at 100, 1 left",
            "2 made 1 at 99, 9 left",
            "5 took 1 at 99, 0 left",
            "6 triggered",
            "2 made 9 at 99, 0 left",
            "6 took 9 at 99, 1 left",
            "3 made 1 at 98, 9 left",
            "6 took 1 at 98, 0 left",
            "7 triggered",
            "3 made 5 at 98, 4 left",
            "7 took 5 at 98, 0 left",
        ]
    );
}

#[test]
fn what_the_last_print_has_reached_is_elected_on_entry() {
    let mut desk = Desk::new();
    print(&mut desk, &[100]);
    assert_eq!(
        desk.send(buy(1, 10).stop(100)),
        ["1 accepted", "1 triggered", "1 canceled 10, 0 left: no_liquidity"]
    );
    assert_eq!(desk.send(sell(2, 10).stop(100).at(105)), ["2 accepted", "2 triggered"]);
    desk.stand([buy(3, 10).stop(101), sell(4, 10).stop(99)]);
}

#[test]
fn outside_continuous_trading_what_is_elected_waits() {
    let mut desk = Desk::new();
    print(&mut desk, &[100]);
    desk.stand([sell(1, 10).stop(95).at(120), sell(2, 10).stop(96).at(121)]);
    desk.phase(TradingPhase::Paused);
    desk.stand([sell(3, 10).stop(100).at(122)]);
    assert_eq!(desk.replace(3, 4, 5, 122), ["4 replaced 3, 5 left"]);
    assert_eq!(desk.cancel(4, 3), ["4 canceled 2, 3 left: user_request"]);
    desk.stand([buy(5, 5).at(95)]);
    assert_eq!(desk.send(sell(6, 5).at(95)), ["6 accepted", "indicative 5 at 95, 0 even"]);
    // The auction's print elects; the phase is entered first, then all have their turn.
    assert_eq!(
        desk.phase(TradingPhase::Continuous),
        [
            "halt auction 5 at 95, 0 even",
            "5 made 5 at 95, 0 left",
            "6 took 5 at 95, 0 left",
            "4 triggered",
            "2 triggered",
            "1 triggered",
        ]
    );
}

#[test]
fn a_stop_is_replaced_where_it_waits() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).stop(100).at(50), buy(2, 10).stop(100).at(50), buy(3, 10).stop(100)]);
    // The first gets smaller and keeps its place, the second gets another limit.
    desk.replace(1, 11, 5, 50);
    desk.replace(2, 12, 10, 51);
    assert_eq!(
        print(&mut desk, &[100]),
        ["11 triggered", "3 triggered", "3 canceled 10, 0 left: no_liquidity", "12 triggered",]
    );
    assert_eq!(desk.levels(Side::Buy), [(51, 10, 1), (50, 5, 1)]);
}

#[test]
fn the_prints_of_the_tape_elect_too() {
    let mut desk = Desk::new();
    desk.market(add(7, Side::Sell, 100, 103));
    desk.market(add(8, Side::Sell, 100, 104));
    let stop = |token, at| sell(token, 1).stop(at).at(200);
    let buy_stop = |token, at| buy(token, 1).stop(at).at(1);
    desk.stand([
        buy_stop(1, 103),
        buy_stop(2, 105),
        buy_stop(3, 106),
        buy_stop(4, 107),
        stop(5, 50),
    ]);
    let (quantity, match_number) = (Quantity(1), MatchNumber(1));
    let reference = OrderReference(7);
    assert_eq!(
        desk.market(MarketAction::Execute { reference, quantity, match_number }),
        ["1 triggered"]
    );
    let at = |price, printable| MarketAction::ExecuteAt {
        reference,
        quantity,
        match_number,
        price: Price(price),
        printable,
    };
    assert_eq!(desk.market(at(200, false)), [""; 0], "what is not printable is no print");
    assert_eq!(desk.market(at(105, true)), ["2 triggered"]);
    let price = Price(106);
    assert_eq!(desk.market(MarketAction::Trade { quantity, price, match_number }), ["3 triggered"]);
    let cross = |quantity, price| MarketAction::Cross {
        quantity,
        price: Price(price),
        kind: Cross::Opening,
        match_number,
    };
    assert_eq!(desk.market(cross(0, 300)), [""; 0]);
    assert_eq!(desk.market(cross(10, 107)), ["4 triggered"]);
    // While the tape does not trade, they wait.
    desk.market(MarketAction::status(TradingState::Halted));
    assert_eq!(desk.market(cross(10, 50)), [""; 0]);
    assert_eq!(
        desk.market(MarketAction::status(TradingState::Trading)),
        ["tape: trading", "5 triggered"]
    );
}

#[test]
fn a_trailing_stop_follows_and_does_not_go_back() {
    let mut desk = Desk::new();
    assert_eq!(desk.send(sell(1, 10).trail(5)), ["1 rejected no_reference_price"]);
    desk.stand([sell(1, 10).trail_from(5, 90).at(200), buy(2, 10).trail_from(5, 120).at(1)]);
    assert_eq!(print(&mut desk, &[100, 103, 99]), [""; 0]);
    // The sell's stop is at 98 (103 - 5), the buy's at 104 (99 + 5).
    assert_eq!(print(&mut desk, &[103]), [""; 0]);
    assert_eq!(print(&mut desk, &[104]), ["2 triggered"]);
    // 104 has moved the sell's to 99.
    assert_eq!(print(&mut desk, &[100]), [""; 0]);
    assert_eq!(print(&mut desk, &[99]), ["1 triggered"]);
}

#[test]
fn a_trailing_stop_begins_at_the_better_of_two_prices() {
    let mut desk = Desk::new();
    print(&mut desk, &[100]);
    desk.stand([sell(1, 1).trail_from(5, 90).at(200), sell(2, 1).trail_from(5, 97).at(200)]);
    assert_eq!(print(&mut desk, &[97]), ["2 triggered"], "97 is better than 95");
    assert_eq!(print(&mut desk, &[95]), ["1 triggered"], "95 is better than 90");
    // The last print gives none: below a price unit.
    assert_eq!(desk.send(sell(3, 1).trail(95)), ["3 rejected no_reference_price"]);
    desk.stand([sell(3, 1).trail_from(95, 1).at(200)]);
    assert_eq!(print(&mut desk, &[96, 97]), [""; 0]);
    assert_eq!(print(&mut desk, &[2]), ["3 triggered"]);
}

#[test]
fn trailing_stops_that_move_go_behind_those_that_stand_there() {
    let mut desk = Desk::new();
    print(&mut desk, &[100]);
    desk.stand([
        sell(1, 1).trail(10).at(200), // 90
        sell(2, 1).trail(8).at(200),  // 92
        sell(3, 1).stop(94).at(200),
        sell(4, 1).trail(10).at(200), // 90
    ]);
    // 1 and 4 to 94, 2 to 96.
    assert_eq!(print(&mut desk, &[104]), [""; 0]);
    assert_eq!(
        print(&mut desk, &[94]),
        ["2 triggered", "3 triggered", "1 triggered", "4 triggered"]
    );
}

#[test]
fn a_midpoint_peg_stands_hidden_in_the_middle() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).at(100), buy(2, 5).midpoint(0), sell(3, 5).at(110).midpoint(-2)]);
    desk.stand([sell(4, 10).at(105)]);
    // 102.5: the buy stands at 102, the sell at 110.
    assert_eq!(desk.levels(Side::Buy), [(100, 10, 1)]);
    assert_eq!(
        desk.send(sell(5, 3).at(102)),
        ["5 accepted", "2 made 3 at 102, 2 left", "5 took 3 at 102, 0 left"]
    );
    // The market moves, the peg with it; a sell that comes to the middle of 102 meets it.
    assert_eq!(desk.send(buy(6, 10).at(101)), ["6 accepted"]);
    assert_eq!(
        desk.send(sell(7, 3).at(60).midpoint(0)),
        ["7 accepted", "2 made 2 at 103, 0 left", "7 took 2 at 103, 1 left"]
    );
    // It waits while a side is gone, and while the sides are locked.
    desk.cancel(4, 0);
    desk.stand([buy(8, 5).midpoint(0)]);
    assert_eq!(
        desk.send(sell(9, 5).ioc().at(60)),
        ["9 accepted", "6 made 5 at 101, 5 left", "9 took 5 at 101, 0 left"]
    );
}

#[test]
fn a_midpoint_is_rounded_away_from_the_other_side() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).at(100), sell(2, 10).at(103), buy(3, 5).midpoint(0)]);
    desk.stand([sell(4, 5).midpoint(0)]);
    // 101 and 102: they do not meet. One more and they do.
    assert_eq!(
        desk.send(sell(5, 5).midpoint(1)),
        ["5 accepted", "3 made 5 at 101, 0 left", "5 took 5 at 101, 0 left"]
    );
}

#[test]
fn a_primary_peg_stands_at_its_own_side() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).at(104).primary(1)]);
    assert_eq!(desk.levels(Side::Buy), [], "it has nothing to follow");
    desk.stand([buy(2, 10).at(100)]);
    assert_eq!(desk.levels(Side::Buy), [(101, 10, 1), (100, 10, 1)]);
    desk.stand([buy(3, 10).at(103)]);
    assert_eq!(desk.levels(Side::Buy), [(104, 10, 1), (103, 10, 1), (100, 10, 1)]);
    desk.stand([buy(4, 10).at(104)]);
    assert_eq!(desk.levels(Side::Buy)[0], (104, 20, 2), "never beyond its limit");
    // A peg that stands right keeps its place; one that moves comes last.
    let told = desk.send(sell(5, 1).at(104));
    assert_eq!(told[1], "1 made 1 at 104, 9 left");
    desk.cancel(4, 0);
    desk.cancel(3, 0);
    assert_eq!(desk.levels(Side::Buy), [(101, 9, 1), (100, 10, 1)]);
    desk.cancel(2, 0);
    assert_eq!(desk.levels(Side::Buy), [], "pegs are no reference for pegs");
    assert_eq!(desk.open(1), 9);
}

#[test]
fn a_peg_that_reaches_the_other_side_trades() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).at(100), buy(2, 10).primary(3), sell(3, 10).at(105)]);
    assert_eq!(desk.levels(Side::Buy)[0], (103, 10, 1));
    assert_eq!(
        desk.send(buy(4, 10).at(102)),
        ["4 accepted", "3 made 10 at 105, 0 left", "2 took 10 at 105, 0 left"]
    );
    // With self-trade prevention in the taker's role.
    let mut desk = Desk::new();
    desk.group(&[1], SelfTradeMode::CancelNewest);
    desk.stand([buy(1, 10).at(100), buy(2, 10).primary(3).of(1), sell(3, 10).at(105).of(1)]);
    assert_eq!(desk.send(buy(4, 10).at(102)), ["4 accepted", "2 canceled 10, 0 left: self_trade"]);
}

#[test]
fn pegs_wait_outside_continuous_trading() {
    let mut desk = Desk::new();
    desk.stand([
        buy(1, 10).at(100),
        sell(2, 10).at(104),
        buy(3, 5).primary(1),
        buy(4, 5).midpoint(0),
    ]);
    desk.phase(TradingPhase::Paused);
    assert_eq!(desk.levels(Side::Buy), [(100, 10, 1)]);
    desk.stand([buy(5, 5).primary(2), sell(6, 20).at(101)]);
    assert_eq!(
        desk.phase(TradingPhase::Continuous),
        [
            "6 made 5 at 101, 15 left",
            "3 took 5 at 101, 0 left",
            "6 made 5 at 101, 10 left",
            "5 took 5 at 101, 0 left",
        ],
        "in order of entry, and 4 stays below"
    );
    assert_eq!(desk.levels(Side::Buy), [(100, 10, 1)]);
}

#[test]
fn a_peg_follows_the_tape() {
    let mut desk = Desk::new();
    desk.market(add(7, Side::Buy, 100, 50));
    desk.stand([buy(1, 10).primary(0)]);
    assert_eq!(desk.levels(Side::Buy), [(50, 110, 2)]);
    desk.market(add(8, Side::Buy, 100, 55));
    assert_eq!(desk.levels(Side::Buy), [(55, 110, 2), (50, 100, 1)]);
    desk.market(MarketAction::Delete { reference: OrderReference(8) });
    assert_eq!(desk.levels(Side::Buy), [(50, 110, 2)]);
    // A hidden order is met by the tape behind displayed ones of its price.
    desk.stand([buy(2, 10).at(52).hidden()]);
    assert_eq!(desk.market(add(9, Side::Sell, 4, 51)), ["2 made 4 at 52, 6 left"]);
    desk.market(MarketAction::status(TradingState::Halted));
    assert_eq!(desk.levels(Side::Buy), [(50, 100, 1)]);
    desk.market(MarketAction::status(TradingState::Trading));
    assert_eq!(desk.levels(Side::Buy), [(50, 110, 2)]);
}

#[test]
fn messages_from_the_wire_move_pegs_and_elect_stops_too() {
    let message = |kind: u8, reference: u64, rest: &[u8]| {
        // Type, locate, tracking number, six bytes of time, reference.
        let mut bytes = vec![kind, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(reference.to_be_bytes());
        bytes.extend(rest);
        bytes
    };
    let add = |reference, price: u32| {
        let rest = [&b"B"[..], &100_u32.to_be_bytes(), b"S1      ", &price.to_be_bytes()].concat();
        message(b'A', reference, &rest)
    };
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).primary(0), sell(2, 10).stop(56).at(200)]);
    desk.wire(&add(7, 50));
    assert_eq!(desk.levels(Side::Buy), [(50, 110, 2)]);
    let replacement = [9_u64.to_be_bytes().as_slice(), &[0, 0, 0, 80], &[0, 0, 0, 55]].concat();
    desk.wire(&message(b'U', 7, &replacement));
    assert_eq!(desk.levels(Side::Buy), [(55, 90, 2)]);
    let executed = [5_u32.to_be_bytes().as_slice(), &1_u64.to_be_bytes()].concat();
    assert_eq!(desk.wire(&message(b'E', 9, &executed)), ["2 triggered"]);
    desk.wire(&message(b'X', 9, &5_u32.to_be_bytes()));
    assert_eq!(desk.levels(Side::Buy), [(55, 80, 2)]);
    desk.wire(&message(b'D', 9, &[]));
    assert_eq!(desk.levels(Side::Buy), []);
    assert_eq!(desk.open(1), 10);
}
