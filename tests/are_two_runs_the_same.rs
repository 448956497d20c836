//! The same inputs give the same output bytes: a day with strategies' orders mixed in, twice, the
//! events compared as OUCH puts them on the wire and the tops as a reader sees them.

use spindle_engine::command::{
    Action, Attributes, Cancel, Command, Enter, Modifiers, OrderKind, OrderSide, Priority, Replace,
    TimeInForce,
};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_feed::itch::{self, Message};
use spindle_feed::top::TopReader;
use spindle_gateway::ouch::answer::{ANSWER_MAX, Answer};
use spindle_gateway::ouch::terms::Terms;
use spindle_replay::generate::{GenerateConfig, Generator};
use spindle_risk::{Gate, Key, Limits, Target};
use spindle_types::{
    AccountId, EventTime, InstrumentId, OrderToken, Price, Quantity, Sequence, SessionId, Symbol,
};

const ACCOUNTS: u16 = 4;

fn engine() -> (Engine, TopReader) {
    let limits = Limits::NONE
        .with(Key::OrderSizeMax, 1_000)
        .with(Key::OrderValueMax, 50_000_000_000)
        .with(Key::CollarPercent, 1_000)
        .with(Key::OpenOrdersMax, 50);
    let mut gate = Gate::new(ACCOUNTS.into());
    for account in 0..ACCOUNTS {
        gate.set_limits(Target::Account(AccountId(account)), limits).expect("limits");
    }
    let capacity = Capacity { instruments: 101, orders: 100_000, levels: 50_000 };
    let first_number = EngineConfig::BESIDE_A_FEED;
    Engine::new(&EngineConfig { capacity, own_orders: 1_000, first_number }, gate)
}

/// Commands that depend on nothing but their number: entries near the market, replaces, cancels.
fn command(number: u32, symbol: Symbol, near: Price, time: EventTime) -> Command {
    let token = OrderToken(number);
    let before = OrderToken(number.saturating_sub(4 * u32::from(ACCOUNTS)));
    let offset = (number * 7_919) % 9;
    let price = Price((near.0 + offset * 100).saturating_sub(400).max(100));
    let attributes = Attributes::default();
    let quantity = Quantity(1 + number % 1_100);
    let time_in_force =
        if number.is_multiple_of(5) { TimeInForce::ImmediateOrCancel } else { TimeInForce::Day };
    let side = if number.is_multiple_of(2) { OrderSide::Buy } else { OrderSide::SellShort };
    let action = match number % 10 {
        0 => Action::Cancel(Cancel { token: before, quantity: Quantity(number % 3 * 10) }),
        1 => Action::Replace(Replace {
            original: before,
            token,
            quantity,
            limit: Some(price),
            time_in_force: Some(TimeInForce::Day),
            priority: Priority::New,
            attributes,
        }),
        _ => {
            let limit = (number % 10 != 2).then_some(price);
            Action::Enter(Enter {
                token,
                symbol,
                side,
                quantity,
                limit,
                kind: OrderKind::Plain,
                modifiers: Modifiers::NONE,
                time_in_force,
                attributes,
            })
        }
    };
    let session = SessionId(u16::try_from(number % u32::from(ACCOUNTS)).expect("small"));
    let account = AccountId(session.0);
    Command { time, session, account, received: 0, queued: 0, action }
}

/// Runs the day and writes down everything that came out.
fn run(seed: u64) -> (Vec<u8>, Engine) {
    let (mut engine, tops) = engine();
    let mut generator = Generator::new(GenerateConfig::new(200_000, 100, seed).expect("a day"));
    let (mut out, mut number) = (Vec::new(), 0);
    let mut sequence = 0;
    while let Some(bytes) = generator.next_message() {
        sequence += 1;
        let message = Message::decode(bytes).expect("a valid day");
        let event = itch::to_event(&message);
        engine.on_market(&event, Sequence(sequence));
        if let Message::AddOrder(add) = message
            && sequence.is_multiple_of(3)
        {
            number += 1;
            let (symbol, near) = (Symbol(add.stock), Price(add.price.get()));
            engine.on_command(&command(number, symbol, near, event.time), &mut ());
        }
        for event in engine.outbox() {
            out.extend_from_slice(&event.session.0.to_be_bytes());
            if let Some(answer) = Answer::of(event, Terms::PLAIN) {
                out.extend_from_slice(answer.bytes(&mut [0; ANSWER_MAX]));
            }
        }
        engine.clear_outbox();
        if sequence.is_multiple_of(1_000) {
            for instrument in 1..=100 {
                let top = tops.read(InstrumentId(instrument));
                out.extend_from_slice(format!("{top:?}").as_bytes());
            }
        }
    }
    (out, engine)
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let ((first, engine), (second, _)) = (run(5), run(5));
    assert!(engine.counters().executions > 1_000, "{:?}", engine.counters());
    assert!(engine.counters().rejected > 1_000, "{:?}", engine.counters());
    assert!(first == second, "two runs on the same inputs differ");
    let (other, _) = run(6);
    assert!(first != other, "a comparison that cannot fail");
}
