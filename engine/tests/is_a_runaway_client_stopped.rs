//! A client that runs away: 212 parent orders that become children without end. What passes is
//! bounded by the limit and one turn of the loop, and everything that rests is gone. Both figures are
//! printed: what passed beyond the limit, and how long the stop took.

use std::time::Instant;

use spindle_engine::agent::COMMANDS_PER_TURN;
use spindle_engine::command::{
    Action, Attributes, Command, Enter, Modifiers, OrderKind, OrderSide, TimeInForce,
};
use spindle_engine::event::{CancelReason, Outcome, RejectReason};
use spindle_engine::{Capacity, Engine, EngineConfig, RiskChange};
use spindle_risk::{Cause, Check, Gate, Key, Limits, Notice, Target};
use spindle_types::{AccountId, EventTime, InstrumentId, OrderToken, Price, Quantity, SessionId};

const PARENTS: u32 = 212;
/// Two millions; each parent has its share of them.
const CHILDREN: u32 = 10_000 * PARENTS;
const RUNAWAY: AccountId = AccountId(1);

fn engine(limits: Limits) -> Engine {
    let mut gate = Gate::new(2);
    gate.set_account(AccountId(0), None);
    gate.set_limits(Target::Account(RUNAWAY), limits).expect("limits");
    let capacity = Capacity { instruments: 2, orders: 1 << 16, levels: 1 << 12 };
    let config = EngineConfig { capacity, own_orders: 1 << 15, first_number: 1 };
    let (mut engine, _) = Engine::new(&config, gate);
    engine.warm_up();
    engine.add_instrument(InstrumentId(1), "X".parse().expect("a symbol"));
    engine
}

fn enter(account: AccountId, token: u32, side: OrderSide, quantity: u32, price: u32) -> Command {
    Command {
        // Time stands still: no window ends and no bucket drains while it runs away.
        time: EventTime(1),
        session: SessionId(account.0),
        account,
        received: 0,
        queued: 0,
        action: Action::Enter(Enter {
            token: OrderToken(token),
            symbol: "X".parse().expect("a symbol"),
            side,
            quantity: Quantity(quantity),
            limit: Some(Price(price)),
            kind: OrderKind::Plain,
            modifiers: Modifiers::NONE,
            time_in_force: TimeInForce::Day,
            attributes: Attributes::default(),
        }),
    }
}

/// What became of the flood.
#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    executed: u64,
    refused: u64,
    stopped: u64,
    canceled: u64,
}

impl Tally {
    fn read(&mut self, engine: &mut Engine) {
        for event in engine.outbox().iter().filter(|event| event.account == RUNAWAY) {
            match event.outcome {
                Outcome::Accepted { .. } => self.accepted += 1,
                Outcome::Executed { .. } => self.executed += 1,
                Outcome::Rejected { reason: RejectReason::Risk(Check::Killed), .. } => {
                    self.stopped += 1;
                }
                Outcome::Rejected { .. } => self.refused += 1,
                Outcome::Canceled { reason: CancelReason::Killed, .. } => self.canceled += 1,
                _ => {}
            }
        }
        engine.clear_outbox();
    }
}

/// The flood, turn by turn; before each turn something may be done. Returns what became of it and the
/// turns that it took until the account was stopped.
fn flood(engine: &mut Engine, mut between: impl FnMut(&mut Engine, u32)) -> Tally {
    let mut tally = Tally::default();
    let mut turn = 0;
    for child in 0..CHILDREN {
        if child % u32::try_from(COMMANDS_PER_TURN).expect("few") == 0 {
            between(engine, turn);
            tally.read(engine);
            turn += 1;
        }
        let parent = child % PARENTS;
        let side = if parent % 4 == 3 { OrderSide::Sell } else { OrderSide::Buy };
        // Three of four buy at the market, one rests far away.
        let price = if side == OrderSide::Buy { 100_000 } else { 200_000 };
        engine.on_command(&enter(RUNAWAY, child + 1, side, 1, price), &mut ());
        tally.read(engine);
    }
    tally
}

fn with_a_market(engine: &mut Engine) {
    let seller = enter(AccountId(0), 1, OrderSide::Sell, 1_000_000_000, 100_000);
    engine.on_command(&seller, &mut ());
    engine.clear_outbox();
}

#[test]
fn executions_stop_it_by_itself() {
    const MOST: u64 = 1_000;
    let limits = Limits::NONE.with(Key::KillFillsMax, MOST).with(Key::KillFillsWindowMs, 1_000);
    let mut engine = engine(limits);
    with_a_market(&mut engine);
    let tally = flood(&mut engine, |_, _| {});
    println!(
        "{CHILDREN} children of {PARENTS} parents: {} passed beyond the limit of {MOST} executions, a \
         turn of the loop is {COMMANDS_PER_TURN} requests; {tally:?}",
        tally.executed - MOST
    );
    assert!(tally.executed <= MOST + COMMANDS_PER_TURN as u64, "{tally:?}");
    assert_eq!(tally.accepted + tally.stopped, CHILDREN.into());
    assert_eq!(engine.gate().open_orders(RUNAWAY), 0, "what rested is gone");
    assert!(tally.canceled > 0);
    let killed = Notice::Killed { target: Target::Account(RUNAWAY), cause: Cause::Fills };
    assert_eq!(engine.next_notice(), Some(killed));
    engine.check().expect("whole");
}

#[test]
fn refusals_stop_it_by_themselves() {
    const RATE: u64 = 500;
    const MOST: u64 = 200;
    let limits = Limits::NONE
        .with(Key::OrderRateMax, RATE)
        .with(Key::KillRejectsMax, MOST)
        .with(Key::KillRejectsWindowMs, 1_000);
    let mut engine = engine(limits);
    with_a_market(&mut engine);
    let tally = flood(&mut engine, |_, _| {});
    println!("{RATE} orders a second, stopped after {MOST} refusals: {tally:?}");
    assert_eq!(tally.accepted, RATE);
    assert_eq!(tally.refused, MOST + 1);
    assert_eq!(tally.stopped, u64::from(CHILDREN) - RATE - MOST - 1);
    assert_eq!(engine.gate().open_orders(RUNAWAY), 0);
}

/// An operator stops it in the middle: after that turn nothing passes, and all that rests is gone
/// within the input. How long that takes is printed, for thousands of open orders.
#[test]
fn an_operator_stops_it_between_two_messages() {
    const TURN: u32 = 600;
    let mut engine = engine(Limits::NONE);
    with_a_market(&mut engine);
    let mut took = None;
    let tally = flood(&mut engine, |engine, turn| {
        if turn == TURN {
            let open = engine.gate().open_orders(RUNAWAY);
            let started = Instant::now();
            let kill =
                RiskChange::Kill { target: Target::Account(RUNAWAY), cause: Cause::Operator };
            engine.on_risk(EventTime(1), &[kill]).expect("a kill");
            took = Some((open, started.elapsed()));
        }
    });
    let (open, took) = took.expect("the turn came");
    let before = u64::from(TURN) * COMMANDS_PER_TURN as u64;
    println!(
        "{} passed after the turn of the stop, which took {took:?} with {open} orders open; {tally:?}",
        tally.accepted - before
    );
    assert_eq!(tally.accepted, before);
    assert_eq!(tally.canceled, open);
    assert_eq!(engine.gate().open_orders(RUNAWAY), 0);
    engine.check().expect("whole");
}

/// The stop alone, again and again: how long it takes is told, as the median and the longest.
#[test]
fn a_stop_cancels_thousands_of_orders_in_one_input() {
    const OPEN: u32 = 10_000;
    const ROUNDS: u32 = 21;
    let mut engine = engine(Limits::NONE);
    let target = Target::Account(RUNAWAY);
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        for order in 0..OPEN {
            let token = round * OPEN + order;
            let price = 100_000 - 100 * (order % 50);
            engine.on_command(&enter(RUNAWAY, token, OrderSide::Buy, 1, price), &mut ());
            engine.clear_outbox();
        }
        assert_eq!(engine.gate().open_orders(RUNAWAY), OPEN.into());
        let started = Instant::now();
        let kill = RiskChange::Kill { target, cause: Cause::Operator };
        engine.on_risk(EventTime(1), &[kill]).expect("a kill");
        took.push(started.elapsed());
        assert_eq!(engine.gate().open_orders(RUNAWAY), 0);
        let mut tally = Tally::default();
        tally.read(&mut engine);
        assert_eq!(tally.canceled, OPEN.into());
        engine.on_risk(EventTime(1), &[RiskChange::Arm { target }]).expect("an arm");
        while engine.next_notice().is_some() {}
    }
    took.sort_unstable();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("a stop with {OPEN} orders open: median {median:?}, longest {longest:?} of {ROUNDS}");
}
