//! Every pair of checks that one order can violate at once: the earlier one of the page is the
//! answer, whichever of the two limits was set first and at whatever level each is.

mod orders;

use orders::{ACCOUNT, INSTRUMENT, NOW, SESSION, STRANGER, answer, answer_to, market, request};
use spindle_risk::{
    Cause, Check, Form, Gate, Holder, Key, Level, Limits, Market, Request, Sale, Target,
};
use spindle_types::{EventTime, Price, Quantity, Side};

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

/// Checks of the session, which an order of an account that nobody knows violates as well.
#[test]
fn an_unknown_account_answers_before_everything_else() {
    let of_session =
        |check: &Check| !matches!(check, Check::Account | Check::NoPrice | Check::Positions);
    for side in [Side::Buy, Side::Sell] {
        for check in Check::ALL.into_iter().filter(of_session) {
            let known = answer(side, &[(check, Level::Session)]);
            let stranger = Request { account: STRANGER, ..request(side) };
            let found = answer_to(&stranger, &market(), &[(check, Level::Session)]);
            assert_eq!(found, Some(Check::Account), "{check:?}, where a known one says {known:?}");
        }
    }
}

/// An order that nothing values, beside everything else that it violates.
#[test]
fn an_order_without_a_price_answers_in_its_place() {
    let levels = [Level::Account, Level::Instrument, Level::Session, Level::Firm];
    let mut pairs = 0;
    for side in [Side::Buy, Side::Sell] {
        let bare = Request { limit: None, ..request(side) };
        for (check, level) in
            Check::ALL.into_iter().flat_map(|check| levels.map(|level| (check, level)))
        {
            let found = |violated: &[_]| answer_to(&bare, &Market::default(), violated);
            let alone = found(&[(check, level)]);
            let with = found(&[(check, level), (Check::NoPrice, Level::Session)]);
            // Limits that contradict each other at one level cannot be set there.
            if with.is_none() && level == Level::Session {
                continue;
            }
            if check < Check::NoPrice && alone == Some(check) {
                assert_eq!(with, Some(check), "{side:?} {level:?}");
                pairs += 1;
            } else if check > Check::NoPrice {
                assert_eq!(with, Some(Check::NoPrice), "{side:?} {check:?} {level:?}");
                pairs += 1;
            }
        }
    }
    println!("{pairs} pairs");
    assert!(pairs > 150, "{pairs}");
    let bare = Request { limit: None, ..request(Side::Buy) };
    assert_eq!(answer_to(&bare, &Market::default(), &[]), None, "nobody limits money");
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
