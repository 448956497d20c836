//! Every form of an order, with a limit and without, as a new order, a replacement and a triggered stop, against every
//! check at every level: it is refused by it, but where the page says that it is not held to it.

mod orders;

use orders::{STRANGER, answer_to, market, request};
use spindle_risk::{Check, Form, Level, Market, Purpose, Request, Reserved, Sale};
use spindle_types::{Price, Quantity, Side};

const LEVELS: [Level; 4] = [Level::Account, Level::Instrument, Level::Session, Level::Firm];

/// Whether an order is held to a check at all, by `docs/risk.md`.
fn is_held(check: Check, order: &Request) -> bool {
    let Request { side, sale, limit, form, purpose, .. } = *order;
    let is_short = side == Side::Sell && sale == Sale::Short;
    let waits = matches!(form, Form::Stop(_));
    let of_side = match check {
        Check::Locate => is_short,
        // A stop is when it is triggered.
        Check::RegSho => is_short && !waits,
        Check::BoughtQuantity | Check::BoughtValue | Check::Credit => side == Side::Buy,
        Check::SoldQuantity | Check::SoldValue => side == Side::Sell,
        // A stop is when it is triggered; what trades at once without a limit is protected instead.
        Check::LuldBand | Check::Collar => !waits && (limit.is_some() || form == Form::Free),
        // With a limit, a stop price, or as a peg that buys, something always values it.
        Check::NoPrice => limit.is_none() && !waits && (form == Form::Plain || side == Side::Sell),
        _ => true,
    };
    let of_purpose = match purpose {
        Purpose::Enter => true,
        Purpose::Replace => !matches!(check, Check::Duplicate | Check::OpenOrders),
        Purpose::Trigger => !matches!(
            check,
            Check::Positions
                | Check::MessageRate
                | Check::OrderRate
                | Check::Duplicate
                | Check::RepeatedExecution
                | Check::OrderToTrade
                | Check::OpenOrders
        ),
    };
    of_side && of_purpose
}

#[test]
fn every_form_is_refused_by_every_check_that_it_is_held_to() {
    let (mut refused, mut free) = (0, 0);
    for side in [Side::Buy, Side::Sell] {
        let beyond = request(side).limit.expect("one");
        for form in [Form::Plain, Form::Stop(beyond), Form::Free] {
            for limit in [Some(beyond), None] {
                for purpose in [Purpose::Enter, Purpose::Replace, Purpose::Trigger] {
                    // A stop that was triggered is a plain order.
                    if purpose == Purpose::Trigger && form != Form::Plain {
                        continue;
                    }
                    let before = match purpose {
                        Purpose::Enter => Reserved::default(),
                        _ => Reserved { quantity: Quantity(1), price: Price(1) },
                    };
                    let order = Request { form, limit, purpose, before, ..request(side) };
                    for check in Check::ALL {
                        for level in LEVELS {
                            // There the table is full of others, or nobody has limits.
                            let is_of_one = matches!(check, Check::Positions | Check::Account);
                            if is_of_one && level != Level::Account {
                                continue;
                            }
                            let held = is_held(check, &order);
                            let seen =
                                if check == Check::NoPrice { Market::default() } else { market() };
                            let order = match check {
                                Check::Account => Request { account: STRANGER, ..order },
                                _ => order,
                            };
                            let found = answer_to(&order, &seen, &[(check, level)]);
                            let expected = held.then_some(check);
                            assert_eq!(found, expected, "{check:?} {level:?}: {order:?}");
                            if held { refused += 1 } else { free += 1 }
                        }
                    }
                }
            }
        }
    }
    println!("{refused} refused, {free} not held to the check");
    assert!(refused > 1_500, "{refused}");
}
