//! Every way on which an order of an account ends, or gets smaller: what it had reserved at the risk
//! gate is given back, to the share and to the price unit, to account and session. A way in which it
//! stays keeps what it has.

mod desk;

use desk::{Desk, X, buy, sell};
use spindle_engine::RiskChange;
use spindle_engine::command::{MassCancel, OrderSide, SelfTradeMode, TradingPhase};
use spindle_feed::event::{MarketAction, Phase, TradingState};
use spindle_risk::{Cause, InstrumentState, Key, Limits, Target};
use spindle_types::{
    AccountId, EventTime, MatchNumber, OrderReference, OrderToken, Price, Quantity, SessionId, Side,
};

/// Open orders, shares to buy and to sell, and what they are valued at.
type Reserved = (u64, [u64; 2], [i128; 2]);

const NOTHING: Reserved = (0, [0; 2], [0; 2]);

fn reserved_by(desk: &Desk, target: Target) -> Reserved {
    let totals = desk.engine.gate().totals(target);
    (totals.open_orders, totals.open, totals.open_value)
}

/// What the account has reserved; the session, through which all orders of these tests come, has at
/// least as much.
fn reserved(desk: &Desk, account: u16) -> Reserved {
    let one = reserved_by(desk, Target::Account(AccountId(account)));
    let session = reserved_by(desk, Target::Session(SessionId(0)));
    assert!(one.0 <= session.0, "{one:?} {session:?}");
    one
}

fn buys(orders: u64, shares: u64, price: i128) -> Reserved {
    (orders, [shares, 0], [i128::from(shares) * price, 0])
}

fn sells(orders: u64, shares: u64, price: i128) -> Reserved {
    (orders, [0, shares], [0, i128::from(shares) * price])
}

#[test]
fn executions_give_back_what_they_took() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 100).at(10)]);
    assert_eq!(reserved(&desk, 0), buys(1, 100, 10));
    desk.send(sell(2, 30).at(10).of(1));
    assert_eq!(reserved(&desk, 0), buys(1, 70, 10), "a part");
    assert_eq!(reserved(&desk, 1), NOTHING, "all of the one that came");
    desk.send(sell(3, 70).at(8).of(1));
    assert_eq!(reserved(&desk, 0), NOTHING);
    let totals = desk.engine.gate().totals_in(Target::Account(AccountId(0)), X);
    assert_eq!((totals.position, totals.net), (100, 1_000));
}

#[test]
fn a_cancel_gives_back_the_whole_or_a_part() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 100).at(10), sell(2, 50).at(20)]);
    assert_eq!(desk.cancel(1, 40), ["1 canceled 60, 40 left: user_request"]);
    assert_eq!(reserved(&desk, 0), (2, [40, 50], [400, 1_000]));
    desk.cancel(1, 0);
    assert_eq!(reserved(&desk, 0), sells(1, 50, 20));
    desk.cancel(2, 0);
    assert_eq!(reserved(&desk, 0), NOTHING);
}

#[test]
fn what_never_stands_reserves_nothing_afterwards() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 10).at(10).of(1)]);
    for (order, told) in [
        (buy(2, 100).at(10).fok(), "2 canceled 100, 0 left: fill_or_kill"),
        (buy(3, 100).at(9).ioc(), "3 canceled 100, 0 left: immediate_or_cancel"),
        (sell(4, 100), "4 canceled 100, 0 left: no_liquidity"),
    ] {
        let answers = desk.send(order);
        assert_eq!(answers.last().map(String::as_str), Some(told));
        assert_eq!(reserved(&desk, 0), NOTHING, "{told}");
    }
    // A part is executed, and the rest goes.
    desk.send(buy(5, 25).at(12).ioc());
    assert_eq!(reserved(&desk, 0), NOTHING);
    assert_eq!(reserved(&desk, 1), NOTHING);
}

#[test]
fn protection_gives_back_what_lies_beyond() {
    let mut desk = Desk::new();
    let limits = Limits::NONE.with(Key::CollarMoney, 1);
    change(&mut desk, RiskChange::Limits { target: Target::Account(AccountId(0)), limits });
    desk.stand([sell(1, 10).at(10).of(1), sell(2, 10).at(12).of(1)]);
    let told = desk.send(buy(3, 20));
    assert_eq!(told.last().map(String::as_str), Some("3 canceled 10, 0 left: protection"));
    assert_eq!(reserved(&desk, 0), NOTHING);
}

#[test]
fn a_replacement_takes_the_place_of_what_was_reserved() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 100).at(10)]);
    desk.replace(1, 2, 150, 10);
    assert_eq!(reserved(&desk, 0), buys(1, 150, 10), "up");
    desk.replace(2, 3, 60, 10);
    assert_eq!(reserved(&desk, 0), buys(1, 60, 10), "down, in its place");
    desk.replace(3, 4, 60, 8);
    assert_eq!(reserved(&desk, 0), buys(1, 60, 8), "at another price");
    desk.send(sell(9, 20).at(8).of(1));
    desk.replace(4, 5, 50, 7);
    assert_eq!(reserved(&desk, 0), buys(1, 30, 7), "less what is executed already");
    // Refused, it leaves what was reserved; with nothing left open it gives all of it back.
    desk.replace(5, 6, 50, 0);
    assert_eq!(reserved(&desk, 0), buys(1, 30, 7));
    assert_eq!(desk.replace(5, 7, 20, 7), ["5 canceled 30, 0 left: invalid_replace"]);
    assert_eq!(reserved(&desk, 0), NOTHING);
}

#[test]
fn time_that_is_over_gives_back() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 100).at(10).gtd(50), buy(2, 10).at(9).gtd(60)]);
    desk.clock(50);
    assert_eq!(reserved(&desk, 0), buys(1, 10, 9));
    desk.clock(60);
    assert_eq!(reserved(&desk, 0), NOTHING);
}

#[test]
fn a_mass_cancel_gives_back_what_it_means() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).at(10), sell(2, 20).at(20), buy(3, 30).at(10).of(1)]);
    let mass = MassCancel {
        token: OrderToken(9),
        account: Some(AccountId(0)),
        session: None,
        symbol: None,
        side: Some(Side::Buy),
    };
    desk.mass_cancel(mass);
    assert_eq!(reserved(&desk, 0), sells(1, 20, 20));
    assert_eq!(reserved(&desk, 1), buys(1, 30, 10));
    desk.mass_cancel(MassCancel { account: None, side: None, ..mass });
    assert_eq!((reserved(&desk, 0), reserved(&desk, 1)), (NOTHING, NOTHING));
}

#[test]
fn self_trade_prevention_gives_back_what_it_takes_off() {
    use SelfTradeMode::{CancelBoth, CancelNewest, CancelOldest, DecrementAndCancel};
    for (mode, first, second) in [
        (CancelNewest, buys(1, 100, 10), NOTHING),
        (CancelOldest, NOTHING, sells(1, 40, 10)),
        (CancelBoth, NOTHING, NOTHING),
        (DecrementAndCancel, buys(1, 60, 10), NOTHING),
    ] {
        let mut desk = Desk::new();
        desk.group(&[0, 1], mode);
        desk.send(buy(1, 100).at(10));
        desk.send(sell(2, 40).at(10).of(1));
        assert_eq!((reserved(&desk, 0), reserved(&desk, 1)), (first, second), "{mode:?}");
    }
    // The one that came is larger.
    let mut desk = Desk::new();
    desk.group(&[0, 1], DecrementAndCancel);
    desk.send(buy(1, 40).at(10));
    desk.send(sell(2, 100).at(10).of(1));
    assert_eq!((reserved(&desk, 0), reserved(&desk, 1)), (NOTHING, sells(1, 60, 10)));
}

#[test]
fn a_stop_that_is_refused_when_it_is_triggered_gives_back() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 100).stop(12)]);
    assert_eq!(reserved(&desk, 0), buys(1, 100, 12));
    let state = InstrumentState { restricted: true, ..InstrumentState::default() };
    let symbol = desk::symbol(X);
    desk.stand([sell(2, 10).at(12).of(1), sell(3, 10).at(13).of(1)]);
    desk.stand([buy(4, 1).at(9).of(2)]);
    change(&mut desk, RiskChange::Instrument { symbol, state });
    // The print comes from the tape: nobody may trade here any more.
    let (price, quantity, match_number) = (Price(12), Quantity(1), MatchNumber(1));
    let told = desk.market(MarketAction::Trade { quantity, price, match_number });
    assert!(told.contains(&"1 canceled 100, 0 left: restricted".to_owned()), "{told:?}");
    assert_eq!(reserved(&desk, 0), NOTHING);
}

#[test]
fn a_stop_that_is_triggered_reserves_what_it_is_worth_then() {
    let mut desk = Desk::new();
    desk.stand([sell(1, 5).at(12).of(1), sell(2, 100).at(15).of(1), buy(3, 50).at(15).stop(12)]);
    assert_eq!(reserved(&desk, 0), buys(1, 50, 15));
    desk.send(buy(4, 5).at(12).of(2));
    assert_eq!(reserved(&desk, 0), NOTHING, "it was triggered and executed");
    assert_eq!(reserved(&desk, 1), sells(1, 50, 15));
}

#[test]
fn a_halt_keeps_what_is_reserved_and_its_end_lets_it_go() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 100).at(10)]);
    let status = MarketAction::status;
    desk.market(status(TradingState::Halted));
    assert_eq!(reserved(&desk, 0), buys(1, 100, 10));
    desk.cancel(1, 60);
    assert_eq!(reserved(&desk, 0), buys(1, 60, 10), "a cancel is taken while halted");
    desk.cancel(1, 0);
    assert_eq!(reserved(&desk, 0), NOTHING);
    desk.market(status(TradingState::Trading));
    desk.stand([buy(2, 10).at(10)]);
    desk.phase(TradingPhase::Halted);
    assert_eq!(reserved(&desk, 0), buys(1, 10, 10));
    desk.phase(TradingPhase::Closed);
    assert_eq!(reserved(&desk, 0), NOTHING);
}

#[test]
fn an_auction_gives_back_what_it_executes_and_what_it_leaves() {
    let mut desk = Desk::new();
    desk.phase(TradingPhase::PreOpen);
    for order in [
        buy(1, 100).at(10),
        sell(2, 40).at(10).of(1),
        sell(3, 10).of(2),
        buy(4, 7).at(9).at_open().of(3),
    ] {
        desk.send(order);
        assert_eq!(reserved(&desk, order.account).0, 1);
    }
    desk.phase(TradingPhase::Continuous);
    assert_eq!(reserved(&desk, 0), buys(1, 50, 10));
    for account in [1, 2, 3] {
        assert_eq!(reserved(&desk, account), NOTHING, "account {account}");
    }
}

#[test]
fn the_end_of_the_day_gives_back_what_does_not_outlive_it() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 100).at(10), buy(2, 30).at(9).gtc()]);
    desk.market(MarketAction::Phase { phase: Phase::EndOfSystemHours });
    assert_eq!(reserved(&desk, 0), buys(1, 30, 9));
}

#[test]
fn a_kill_gives_back_everything_at_every_level() {
    for target in [Target::Account(AccountId(0)), Target::Session(SessionId(0)), Target::All] {
        let mut desk = Desk::new();
        desk.stand([buy(1, 100).at(10), sell(2, 50).at(20), buy(3, 9).stop(30)]);
        change(&mut desk, RiskChange::Kill { target, cause: Cause::Operator });
        assert_eq!(reserved(&desk, 0), NOTHING, "{target:?}");
        assert_eq!(reserved_by(&desk, Target::Session(SessionId(0))), NOTHING);
    }
}

#[test]
fn a_kill_that_trips_by_itself_gives_back() {
    let mut desk = Desk::new();
    let limits = Limits::NONE.with(Key::KillFillsMax, 1).with(Key::KillFillsWindowMs, 1_000);
    change(&mut desk, RiskChange::Limits { target: Target::Account(AccountId(0)), limits });
    desk.stand([buy(1, 100).at(10), buy(2, 50).at(9), sell(3, 5).at(20)]);
    desk.send(sell(4, 1).at(10).of(1));
    assert_eq!(reserved(&desk, 0).0, 3);
    desk.send(sell(5, 1).at(10).of(1));
    assert_eq!(reserved(&desk, 0), NOTHING);
}

#[test]
fn what_the_tape_fills_gives_back() {
    let mut desk = Desk::new();
    desk.stand([buy(1, 100).at(10)]);
    // A seller of the market comes through the strategy's price.
    desk.market(MarketAction::Add {
        reference: OrderReference(7),
        side: Side::Sell,
        quantity: Quantity(30),
        price: Price(10),
        symbol: desk::symbol(X),
    });
    assert_eq!(reserved(&desk, 0), buys(1, 70, 10));
}

#[test]
fn located_shares_come_back_with_a_short_sale_that_ends() {
    let mut desk = Desk::new();
    let account = AccountId(0);
    let limits = Limits::NONE.with(Key::Locate, 1);
    change(&mut desk, RiskChange::Limits { target: Target::Account(account), limits });
    let limits = Limits::NONE.with(Key::LocateShares, 100);
    let symbol = desk::symbol(X);
    change(&mut desk, RiskChange::InstrumentLimits { account, symbol, limits });
    let short = |token, quantity| {
        let mut order = sell(token, quantity).at(20);
        order.enter.side = OrderSide::SellShort;
        order
    };
    desk.stand([short(1, 100)]);
    assert_eq!(desk.send(short(2, 1)), ["2 rejected locate"]);
    desk.cancel(1, 40);
    desk.stand([short(3, 60)]);
    desk.replace(3, 4, 50, 21);
    desk.stand([short(5, 10)]);
    assert_eq!(desk.send(short(6, 1)), ["6 rejected locate"]);
    // What is executed stays used.
    desk.send(buy(7, 40).at(20).of(1));
    assert_eq!(desk.send(short(8, 1)), ["8 rejected locate"]);
    desk.cancel(5, 0);
    assert_eq!(desk.send(short(9, 11)), ["9 rejected locate"]);
    desk.stand([short(10, 10)]);
}

fn change(desk: &mut Desk, change: RiskChange) {
    desk.engine.on_risk(EventTime(desk.time), &[change]).expect("a change");
    desk.told();
}
