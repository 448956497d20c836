//! Changes of the gate that come together are made together or not at all: whatever is wrong with one of them, the ones
//! before it leave no trace.

mod desk;

use desk::{Desk, X, buy, symbol};
use spindle_engine::risk::{RiskChange, RiskFault};
use spindle_risk::{Cause, GateError, InstrumentState, Key, LimitError, Limits, Target};
use spindle_types::{AccountId, EventTime};

/// All that decides, as text.
fn state(desk: &Desk) -> String {
    let mut text = String::new();
    desk.engine.gate().show_state(&mut |part| text.push_str(&format!("{part:?}\n")));
    text
}

#[test]
fn one_that_cannot_be_leaves_no_trace_of_the_others() {
    let account = |account| Target::Account(AccountId(account));
    let limits = |value| Limits::NONE.with(Key::OrderSizeMax, value);
    let restricted = InstrumentState { restricted: true, ..InstrumentState::default() };
    let good = [
        RiskChange::Limits { target: account(0), limits: limits(5) },
        RiskChange::InstrumentLimits {
            account: AccountId(1),
            symbol: symbol(X),
            limits: limits(6),
        },
        RiskChange::Instrument { symbol: symbol(X), state: restricted },
        RiskChange::Kill { target: account(0), cause: Cause::Operator },
        RiskChange::Kill { target: Target::All, cause: Cause::Operator },
    ];
    let nobody = symbol(spindle_types::InstrumentId(99));
    let contradicting = limits(5).with(Key::PositionMax, 4);
    let bad: [(RiskChange, fn(&RiskFault) -> bool); 6] = [
        (RiskChange::Arm { target: account(2) }, |why| matches!(why, RiskFault::NotStopped)),
        (RiskChange::Limits { target: account(999), limits: limits(1) }, |why| {
            matches!(why, RiskFault::Gate(GateError::Unknown))
        }),
        (RiskChange::Limits { target: Target::All, limits: limits(1) }, |why| {
            matches!(why, RiskFault::Gate(GateError::Unknown))
        }),
        (RiskChange::Limits { target: account(2), limits: contradicting }, |why| {
            matches!(why, RiskFault::Gate(GateError::Limits(LimitError::Contradiction { .. })))
        }),
        (RiskChange::Instrument { symbol: nobody, state: restricted }, |why| {
            matches!(why, RiskFault::Symbol(_))
        }),
        (RiskChange::Firm { account: AccountId(999), firm: None }, |why| {
            matches!(why, RiskFault::Gate(GateError::Unknown))
        }),
    ];
    for (wrong, is_it) in bad {
        for at in 0..=good.len() {
            let mut desk = Desk::new();
            desk.stand([buy(1, 10).at(9)]);
            let before = state(&desk);
            let mut changes = good.to_vec();
            changes.insert(at, wrong);
            let error = desk.engine.on_risk(EventTime(0), &changes).expect_err("one cannot be");
            assert!(error.at == at + 1 && is_it(&error.why), "{wrong:?}: {error}");
            assert!(desk.engine.outbox().is_empty(), "{wrong:?} at {at}: something was cancelled");
            assert_eq!(state(&desk), before, "{wrong:?} at {at}");
            assert_eq!(desk.engine.own_orders(), 1);
        }
    }
    // Together they can be: what rested is gone.
    let mut desk = Desk::new();
    desk.stand([buy(1, 10).at(9)]);
    desk.engine.on_risk(EventTime(0), &good).expect("all of them can be");
    assert_eq!(desk.engine.own_orders(), 0);
    assert!(desk.engine.gate().is_stopped(Target::All));
}
