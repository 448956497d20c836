//! Gates in which an order violates what a test says.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

use spindle_risk::{
    Cause, Check, Form, Gate, GateConfig, Holder, InstrumentState, Key, Level, Limits, Market,
    Purpose, Request, Reserved, Sale, Target,
};
use spindle_types::{AccountId, EventTime, InstrumentId, Price, Quantity, SessionId, Side};

pub const ACCOUNT: AccountId = AccountId(0);
/// An account that the gate does not know.
pub const STRANGER: AccountId = AccountId(1);
pub const SESSION: SessionId = SessionId(0);
pub const INSTRUMENT: InstrumentId = InstrumentId(1);
pub const NOW: EventTime = EventTime(1_000);

/// The limits under which the order fails this check alone; `None` where it is no limit.
fn limits(check: Check, side: Side) -> Option<Vec<(Key, u64)>> {
    let sided = |buy, sell| if side == Side::Buy { buy } else { sell };
    Some(match check {
        Check::Restricted => vec![(Key::Restricted, 1)],
        Check::Side => vec![(sided(Key::MayBuy, Key::MayShort), 0)],
        Check::Locate => vec![(Key::Locate, 1)],
        Check::MessageRate => vec![(Key::MessageRateMax, 1), (Key::MessageBurst, 1)],
        Check::OrderRate => vec![(Key::OrderRateMax, 1), (Key::OrderBurst, 1)],
        Check::OrderSize => vec![(Key::OrderSizeMax, 99)],
        Check::OrderValue => vec![(Key::OrderValueMax, 1)],
        // Any limit in money; this one no order reaches.
        Check::NoPrice => vec![(Key::OrderValueMax, Key::OrderValueMax.highest())],
        Check::Collar => vec![(Key::CollarMoney, 0)],
        Check::Duplicate => vec![(Key::DuplicateMax, 1), (Key::DuplicateWindowMs, 1)],
        Check::RepeatedExecution => vec![(Key::ExecutionsMax, 1), (Key::ExecutionsWindowMs, 1)],
        Check::OrderToTrade => vec![(Key::OrderToTradeMax, 0), (Key::OrderToTradeFree, 1)],
        Check::OpenOrders => vec![(Key::OpenOrdersMax, 1)],
        Check::Position => vec![(Key::PositionMax, 100)],
        Check::BoughtQuantity => vec![(Key::BoughtQuantityMax, 100)],
        Check::SoldQuantity => vec![(Key::SoldQuantityMax, 100)],
        Check::BoughtValue => vec![(Key::BoughtValueMax, 1)],
        Check::SoldValue => vec![(Key::SoldValueMax, 1)],
        Check::GrossExposure => vec![(Key::GrossExposureMax, 1)],
        Check::NetExposure => vec![(Key::NetExposureMax, 1)],
        Check::Credit => vec![(Key::CreditMax, 1)],
        Check::Loss => vec![(Key::LossMax, 0)],
        _ => return None,
    })
}

/// A buy at 10.10 or a short sale at 9.90 while the market is 10.00 to 10.00, with an order alike
/// before it of which one share was executed at a loss.
pub fn request(side: Side) -> Request {
    let (limit, sale) = match side {
        Side::Buy => (101_000, Sale::Long),
        Side::Sell => (99_000, Sale::Short),
    };
    Request {
        time: NOW,
        account: ACCOUNT,
        session: SESSION,
        instrument: INSTRUMENT,
        side,
        sale,
        quantity: Quantity(100),
        limit: Some(Price(limit)),
        form: Form::Plain,
        purpose: Purpose::Enter,
        before: Reserved::default(),
    }
}

pub fn market() -> Market {
    let price = Some(Price(100_000));
    Market { bid: price, ask: price, last: price, tick: 1 }
}

/// The answer to the order where these checks, each at its level, are violated.
pub fn answer(side: Side, violated: &[(Check, Level)]) -> Option<Check> {
    answer_to(&request(side), &market(), violated)
}

/// The answer to another order in another market, after one alike; `None` where it passes, or limits
/// contradict each other.
pub fn answer_to(order: &Request, seen: &Market, violated: &[(Check, Level)]) -> Option<Check> {
    let usual = request(order.side);
    let request = Request { limit: order.limit, ..usual };
    let side = request.side;
    let is_violated = |check: Check| violated.iter().any(|(of, _)| *of == check);
    let is_full = is_violated(Check::Positions);
    let mut gate =
        Gate::with(&GateConfig { accounts: 2, sessions: 1, firms: 1, cells: 4, sets: 8 });
    gate.fit_instruments(8);
    gate.set_account(ACCOUNT, Some(0));
    let state = InstrumentState {
        price_test: is_violated(Check::RegSho),
        high: is_violated(Check::LuldBand).then_some(Price(100_500)),
        low: is_violated(Check::LuldBand).then_some(Price(99_500)),
        ..InstrumentState::default()
    };
    gate.set_instrument(INSTRUMENT, state);
    for level in [Level::Account, Level::Instrument, Level::Session, Level::Firm] {
        let mut set = Limits::NONE.with(Key::RegSho, 0).with(Key::Luld, 0);
        for &(check, at) in violated {
            if at == level {
                for (key, value) in limits(check, side).into_iter().flatten() {
                    set = set.with(key, value);
                }
                for (of, key) in [(Check::RegSho, Key::RegSho), (Check::LuldBand, Key::Luld)] {
                    set = if of == check { set.with(key, 1) } else { set };
                }
            }
        }
        // Contradictions between limits do not matter here, their order does; what is set at once
        // and cannot be is left out by whoever asks.
        let done = match level {
            Level::Account => gate.set_limits(Target::Account(ACCOUNT), set),
            Level::Session => gate.set_limits(Target::Session(SESSION), set),
            Level::Firm => gate.set_limits(Target::Firm(0), set),
            Level::Instrument if is_full => continue,
            Level::Instrument => gate.set_instrument_limits(ACCOUNT, INSTRUMENT, set),
        };
        done.ok()?;
    }
    if is_full {
        // The table is filled by other instruments.
        for instrument in [2, 3, 4, 5] {
            gate.set_instrument_limits(ACCOUNT, InstrumentId(instrument), Limits::NONE).ok()?;
        }
    } else {
        // One alike before: what would refuse it too is not asked of it.
        let mut before = Gate::clone(&gate);
        let free = Limits::NONE.with(Key::RegSho, 0).with(Key::Luld, 0);
        let sets = [Target::Account(ACCOUNT), Target::Session(SESSION), Target::Firm(0)];
        let kept = sets.map(|target| *before.limits(target).expect("limits"));
        let kept_own = *before.instrument_limits(ACCOUNT, INSTRUMENT);
        // Rates, windows and counts go on under the limits that they are for.
        let harmless = |limits: &Limits| {
            let mut harmless = free;
            for (key, currency, value) in limits.iter() {
                if matches!(
                    key,
                    Key::MessageRateMax
                        | Key::MessageBurst
                        | Key::OrderRateMax
                        | Key::OrderBurst
                        | Key::ExecutionsMax
                        | Key::ExecutionsWindowMs
                ) {
                    harmless.set(key, currency, value);
                }
            }
            harmless
        };
        for (target, limits) in sets.into_iter().zip(&kept) {
            before.set_limits(target, harmless(limits)).ok()?;
        }
        before.set_instrument_limits(ACCOUNT, INSTRUMENT, harmless(&kept_own)).ok()?;
        let admission = before.check(&request, &market()).expect("the one before");
        before.reserve(&request, &admission);
        let Request { account, session, instrument, side, sale, .. } = request;
        let holder = Holder { account, session, instrument, side, sale, price: admission.price };
        before.fill(&holder, Quantity(1), usual.limit.expect("a limit"), false, NOW);
        for (target, limits) in sets.into_iter().zip(kept) {
            before.set_limits(target, limits).ok()?;
        }
        before.set_instrument_limits(ACCOUNT, INSTRUMENT, kept_own).ok()?;
        gate = before;
    }
    if is_violated(Check::Killed) {
        gate.kill(Target::Account(ACCOUNT), Cause::Operator);
    }
    gate.check(order, seen).err().map(|reject| reject.check)
}
