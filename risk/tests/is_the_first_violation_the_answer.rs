//! Every pair of checks that one order can violate at once: the earlier one of the page is the
//! answer, whichever of the two limits was set first and at whatever level each is.

use spindle_risk::{
    Cause, Check, Form, Gate, GateConfig, Holder, InstrumentState, Key, Level, Limits, Market,
    Purpose, Request, Reserved, Sale, Target,
};
use spindle_types::{AccountId, EventTime, InstrumentId, Price, Quantity, SessionId, Side};

const ACCOUNT: AccountId = AccountId(0);
const SESSION: SessionId = SessionId(0);
const INSTRUMENT: InstrumentId = InstrumentId(1);
const NOW: EventTime = EventTime(1_000);

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
fn request(side: Side) -> Request {
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

fn market() -> Market {
    let price = Some(Price(100_000));
    Market { bid: price, ask: price, last: price, tick: 1 }
}

/// The answer to the order where these checks, each at its level, are violated.
fn answer(side: Side, violated: &[(Check, Level)]) -> Option<Check> {
    let request = request(side);
    let is_violated = |check: Check| violated.iter().any(|(of, _)| *of == check);
    let is_full = is_violated(Check::Positions);
    let mut gate =
        Gate::with(&GateConfig { accounts: 1, sessions: 1, firms: 1, cells: 4, sets: 8 });
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
        before.fill(&holder, Quantity(1), request.limit.expect("a limit"), false, NOW);
        for (target, limits) in sets.into_iter().zip(kept) {
            before.set_limits(target, limits).ok()?;
        }
        before.set_instrument_limits(ACCOUNT, INSTRUMENT, kept_own).ok()?;
        gate = before;
    }
    if is_violated(Check::Killed) {
        gate.kill(Target::Account(ACCOUNT), Cause::Operator);
    }
    gate.check(&request, &market()).err().map(|reject| reject.check)
}

#[test]
fn of_every_pair_the_earlier_one_answers() {
    let mut pairs = 0;
    let levels = [Level::Account, Level::Instrument, Level::Session, Level::Firm];
    for side in [Side::Buy, Side::Sell] {
        let possible: Vec<Check> = Check::ALL
            .into_iter()
            .filter(|&check| match side {
                Side::Buy => !matches!(
                    check,
                    Check::Locate | Check::RegSho | Check::SoldQuantity | Check::SoldValue
                ),
                Side::Sell => {
                    !matches!(check, Check::BoughtQuantity | Check::BoughtValue | Check::Credit)
                }
            })
            // An unknown account has no limits, and an order that has a price is not without one.
            .filter(|check| !matches!(check, Check::Account | Check::NoPrice))
            .collect();
        for &check in &possible {
            for level in levels {
                if check == Check::Positions && level != Level::Account {
                    continue;
                }
                assert_eq!(answer(side, &[(check, level)]), Some(check), "{check:?} {level:?}");
            }
        }
        for (at, &first) in possible.iter().enumerate() {
            for &second in &possible[at + 1..] {
                for (one, other) in
                    levels.into_iter().flat_map(|one| levels.map(|other| (one, other)))
                {
                    // What counts an order before it cannot be where no table has room for one.
                    if first == Check::Positions || second == Check::Positions {
                        let needs_one = |check| {
                            !matches!(
                                check,
                                Check::Positions
                                    | Check::Killed
                                    | Check::Restricted
                                    | Check::Side
                                    | Check::Locate
                                    | Check::RegSho
                                    | Check::OrderSize
                                    | Check::OrderValue
                                    | Check::LuldBand
                                    | Check::Collar
                            )
                        };
                        let at_cell = one == Level::Instrument || other == Level::Instrument;
                        if at_cell || needs_one(first) || needs_one(second) {
                            continue;
                        }
                    }
                    // Limits that contradict each other at one level cannot be set there.
                    let found = answer(side, &[(first, one), (second, other)]);
                    if found.is_none() && one == other {
                        continue;
                    }
                    assert_eq!(
                        found,
                        Some(first),
                        "{side:?}: {first:?} {one:?}, {second:?} {other:?}"
                    );
                    pairs += 1;
                }
            }
        }
    }
    println!("{pairs} pairs");
    assert!(pairs > 6_000, "{pairs}");
}

#[test]
fn an_unknown_account_and_an_order_without_a_price_answer_first() {
    let mut gate = Gate::new(1);
    gate.fit_instruments(8);
    let reject = gate.check(&request(Side::Buy), &market()).expect_err("unknown");
    assert_eq!((reject.check, reject.observed), (Check::Account, 0));
    for (key, value, expected) in [
        (Key::OrderSizeMax, 1, Check::OrderSize),
        (Key::OrderValueMax, 1, Check::NoPrice),
        (Key::CreditMax, 1, Check::NoPrice),
    ] {
        let limits = Limits::NONE.with(key, value);
        gate.set_limits(Target::Account(ACCOUNT), limits).expect("limits");
        let bare = Request { limit: None, ..request(Side::Buy) };
        let reject = gate.check(&bare, &Market::default()).expect_err("refused");
        assert_eq!(reject.check, expected);
    }
    gate.set_limits(Target::Account(ACCOUNT), Limits::NONE).expect("limits");
    let bare = Request { limit: None, ..request(Side::Buy) };
    assert!(gate.check(&bare, &Market::default()).is_ok());
}

/// The largest orders that there can be, again and again: nothing overflows, and where the sums would
/// leave what can be counted the order is refused.
#[test]
fn the_ends_of_the_types_hold() {
    let most = (1 << 31) - 1;
    let mut gate = Gate::new(1);
    gate.fit_instruments(8);
    gate.set_account(ACCOUNT, None);
    let market = Market { bid: Some(Price(u32::MAX)), ask: Some(Price(u32::MAX)), ..market() };
    for side in [Side::Buy, Side::Sell] {
        for quantity in [most, u32::MAX] {
            for at in 0..2_000 {
                let order = Request {
                    time: EventTime(u64::MAX - at),
                    quantity: Quantity(quantity),
                    limit: Some(Price(u32::MAX)),
                    sale: Sale::Long,
                    ..request(side)
                };
                let admission = gate.check(&order, &market).expect("room");
                gate.reserve(&order, &admission);
                let price = admission.price;
                let (account, session, instrument) = (ACCOUNT, SESSION, INSTRUMENT);
                let holder = Holder { account, session, instrument, side, sale: Sale::Long, price };
                // Every other one is executed, some of it at the lowest price.
                if at % 2 == 0 {
                    let traded = Price(if at % 4 == 0 { u32::MAX } else { 0 });
                    gate.fill(&holder, Quantity(quantity), traded, true, EventTime(at));
                }
            }
        }
    }
    gate.check_sums().expect("sums");
    for key in Key::ALL.into_iter().filter(|key| *key != Key::LocateShares) {
        let mut limits = Limits::NONE.with(key, key.highest());
        for (one, other) in [
            (Key::DuplicateMax, Key::DuplicateWindowMs),
            (Key::ExecutionsMax, Key::ExecutionsWindowMs),
            (Key::KillRejectsMax, Key::KillRejectsWindowMs),
            (Key::KillFillsMax, Key::KillFillsWindowMs),
            (Key::MessageRateMax, Key::MessageBurst),
            (Key::OrderRateMax, Key::OrderBurst),
            (Key::OrderToTradeMax, Key::OrderToTradeFree),
            (Key::KillLoss, Key::LossMax),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                if key == one {
                    limits = limits.with(other, other.highest());
                }
            }
        }
        gate.set_limits(Target::Account(ACCOUNT), limits)
            .unwrap_or_else(|why| panic!("{key:?}: {why}"));
        for side in [Side::Buy, Side::Sell] {
            for form in [Form::Plain, Form::Stop(Price(u32::MAX)), Form::Free] {
                for limit in [None, Some(Price(0)), Some(Price(u32::MAX))] {
                    let order = Request {
                        quantity: Quantity(u32::MAX),
                        time: EventTime(u64::MAX),
                        limit,
                        form,
                        ..request(side)
                    };
                    // Whatever it says, it says it without overflowing.
                    let _ = gate.check(&order, &market);
                    let _ = gate.protection(&order, &market);
                }
            }
        }
    }
}

/// An order alike is refused until the nanosecond at which the window of the one before is over, and
/// only as often as the limit says.
#[test]
fn duplicates_are_counted_to_the_end_of_their_window() {
    let mut gate = Gate::new(1);
    gate.fit_instruments(8);
    let limits = Limits::NONE.with(Key::DuplicateMax, 2).with(Key::DuplicateWindowMs, 1);
    gate.set_limits(Target::Account(ACCOUNT), limits).expect("limits");
    let mut enter = |time: u64, quantity: u32| {
        let (time, quantity) = (EventTime(time), Quantity(quantity));
        let order = Request { time, quantity, ..request(Side::Buy) };
        match gate.check(&order, &market()) {
            Ok(admission) => {
                gate.reserve(&order, &admission);
                None
            }
            Err(reject) => Some((reject.check, reject.limit, reject.observed)),
        }
    };
    assert_eq!(enter(10, 100), None);
    assert_eq!(enter(500, 100), None, "two may be alike");
    let refused = Some((Check::Duplicate, 2, 3));
    assert_eq!(enter(600, 100), refused);
    assert_eq!(enter(600, 101), None, "another one");
    assert_eq!(enter(1_000_009, 100), refused);
    assert_eq!(enter(1_000_010, 100), None, "the first is out of the window");
    assert_eq!(enter(1_000_011, 100), refused, "the second is not");
}

/// Whoever was armed again has a clean count: what stopped it before does not stop it at once.
#[test]
fn an_arm_begins_the_counts_anew() {
    let mut gate = Gate::new(1);
    gate.fit_instruments(8);
    let limits = Limits::NONE.with(Key::KillFillsMax, 2).with(Key::KillFillsWindowMs, 1_000);
    let target = Target::Account(ACCOUNT);
    gate.set_limits(target, limits).expect("limits");
    let order = request(Side::Buy);
    let admission = gate.check(&order, &market()).expect("a pass");
    gate.reserve(&order, &admission);
    let Request { account, session, instrument, side, sale, .. } = order;
    let holder = Holder { account, session, instrument, side, sale, price: admission.price };
    let fill = |gate: &mut Gate| gate.fill(&holder, Quantity(1), Price(1), false, NOW);
    for _ in 0..2 {
        fill(&mut gate);
        assert!(!gate.is_stopped(target));
    }
    fill(&mut gate);
    assert!(gate.is_stopped(target), "a third within the window");
    assert!(gate.arm(target));
    for _ in 0..2 {
        fill(&mut gate);
        assert!(!gate.is_stopped(target), "counted from the arm on");
    }
    fill(&mut gate);
    assert!(gate.is_stopped(target));
}

/// Stopped, an account may still sell what it holds, to the last share and no further.
#[test]
fn who_is_stopped_may_close_to_the_last_share() {
    let mut gate = Gate::new(1);
    gate.fit_instruments(8);
    let target = Target::Account(ACCOUNT);
    gate.set_limits(target, Limits::NONE.with(Key::Reducing, 1)).expect("limits");
    let order = request(Side::Buy);
    let admission = gate.check(&order, &market()).expect("a pass");
    gate.reserve(&order, &admission);
    let Request { account, session, instrument, side, sale, .. } = order;
    let holder = Holder { account, session, instrument, side, sale, price: admission.price };
    gate.fill(&holder, Quantity(100), Price(100_000), true, NOW);
    gate.kill(target, Cause::Operator);
    let mut sell = |quantity: u32| {
        let sale = Sale::Long;
        let order = Request { sale, quantity: Quantity(quantity), ..request(Side::Sell) };
        gate.check(&order, &market()).err().map(|reject| reject.check)
    };
    assert_eq!(sell(100), None);
    assert_eq!(sell(101), Some(Check::Killed));
}
