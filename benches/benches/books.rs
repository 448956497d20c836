//! What one operation on a book costs. Each is done many times on a book of 200 levels a side with
//! 20 orders each; what it changed is undone outside the time. Each run checks that the book did
//! what was asked.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use spindle_engine::{Capacity, Matcher, Placement};
use spindle_types::{InstrumentId, OrderReference, Price, Quantity, Side};

const INSTRUMENT: InstrumentId = InstrumentId(1);
const LEVELS: u32 = 200;
const ORDERS: u32 = 20;
const SHARES: Quantity = Quantity(100);
/// The best bid; the best ask is a cent above.
const BID: u32 = 1_000_000;
const CENT: u32 = 100;
/// Operations between two looks at the clock.
const ROUND: u64 = 64;

fn placement(side: Side, depth: u32, quantity: Quantity) -> Placement {
    let price = match side {
        Side::Buy => BID - depth * CENT,
        Side::Sell => BID + CENT + depth * CENT,
    };
    Placement { instrument: INSTRUMENT, side, quantity, price: Price(price) }
}

/// The number of the `nth` order of a level.
fn number(side: Side, depth: u32, nth: u32) -> OrderReference {
    OrderReference(1 + u64::from((side as u32 * LEVELS + depth) * ORDERS + nth))
}

fn book() -> Matcher {
    let mut matcher = Matcher::new(Capacity { instruments: 2, orders: 20_000, levels: 2_000 });
    matcher.warm_up();
    for side in [Side::Buy, Side::Sell] {
        for depth in 0..LEVELS {
            fill(&mut matcher, side, depth);
        }
    }
    matcher
}

fn fill(matcher: &mut Matcher, side: Side, depth: u32) {
    for nth in 0..ORDERS {
        enter(matcher, number(side, depth, nth), &placement(side, depth, SHARES));
    }
}

fn enter(matcher: &mut Matcher, reference: OrderReference, placement: &Placement) -> Quantity {
    matcher
        .enter(reference, placement, true, |trade| {
            black_box(trade);
        })
        .expect("room")
}

/// Times `act` on rounds of numbers from 0; `undo` is not timed.
fn rounds(
    iterations: u64,
    matcher: &mut Matcher,
    mut act: impl FnMut(&mut Matcher, u64),
    mut undo: impl FnMut(&mut Matcher, u64),
) -> Duration {
    let mut took = Duration::ZERO;
    let mut left = iterations;
    while left > 0 {
        let round = left.min(ROUND);
        let start = Instant::now();
        for at in 0..round {
            act(matcher, at);
        }
        took += start.elapsed();
        for at in 0..round {
            undo(matcher, at);
        }
        left -= round;
    }
    took
}

fn checked(matcher: &Matcher) {
    let best = |side| matcher.books().best(INSTRUMENT, side).map(|best| best.quantity);
    let full = Some(u64::from(ORDERS * SHARES.0));
    assert_eq!((best(Side::Buy), best(Side::Sell)), (full, full), "the book is as it was");
    assert_eq!(matcher.books().live_orders(), (2 * LEVELS * ORDERS) as usize);
}

fn new_number(at: u64) -> OrderReference {
    OrderReference(1_000_000 + at)
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("book");
    for (name, depth) in [("add at the top", 0), ("add 150 levels deep", 150)] {
        group.bench_function(name, |bench| {
            let mut matcher = book();
            let order = placement(Side::Buy, depth, SHARES);
            bench.iter_custom(|iterations| {
                rounds(
                    iterations,
                    &mut matcher,
                    |matcher, at| assert_eq!(enter(matcher, new_number(at), &order), SHARES),
                    |matcher, at| assert!(matcher.cancel(new_number(at)).is_some()),
                )
            });
            checked(&matcher);
        });
    }
    group.bench_function("add and cancel at a price of its own, in the middle", |bench| {
        let mut matcher = book();
        let mut order = placement(Side::Buy, 100, SHARES);
        order.price.0 += CENT / 2;
        bench.iter(|| {
            assert_eq!(enter(&mut matcher, new_number(0), &order), SHARES);
            assert_eq!(matcher.cancel(new_number(0)), Some(order));
        });
        checked(&matcher);
    });
    group.bench_function("cancel", |bench| {
        let mut matcher = book();
        let order = placement(Side::Sell, 3, SHARES);
        for at in 0..ROUND {
            enter(&mut matcher, new_number(at), &order);
        }
        bench.iter_custom(|iterations| {
            rounds(
                iterations,
                &mut matcher,
                |matcher, at| assert_eq!(matcher.cancel(new_number(at)), Some(order)),
                |matcher, at| {
                    enter(matcher, new_number(at), &order);
                },
            )
        });
    });
    group.bench_function("execute a part", |bench| {
        let mut matcher = book();
        let order = placement(Side::Sell, 0, Quantity(u32::MAX / 2));
        enter(&mut matcher, new_number(0), &order);
        let before = matcher.books().best(INSTRUMENT, Side::Sell).expect("a best").quantity;
        let mut executed = 0;
        bench.iter(|| {
            assert!(matcher.reduce(new_number(0), Quantity(1)));
            executed += 1;
        });
        let after = matcher.books().best(INSTRUMENT, Side::Sell).expect("a best").quantity;
        assert_eq!(before - after, executed);
    });
    group.bench_function("replace by one a level deeper", |bench| {
        let mut matcher = book();
        let price = |at: u64| {
            placement(Side::Buy, 2 + u32::try_from(at % 2).expect("0 or 1"), SHARES).price
        };
        enter(&mut matcher, new_number(0), &placement(Side::Buy, 2, SHARES));
        let mut at = 0;
        bench.iter(|| {
            at += 1;
            let (old, new) = (new_number(at - 1), new_number(at));
            let replaced = matcher.replace(old, new, price(at), SHARES, |_| {});
            assert!(matches!(replaced, Some(Ok((stood, SHARES))) if stood.price == price(at - 1)));
        });
        assert!(matcher.cancel(new_number(at)).is_some());
        checked(&matcher);
    });
    for levels in [1, 10, 100] {
        group.bench_function(format!("sweep {levels} levels of {ORDERS} orders"), |bench| {
            let mut matcher = book();
            let shares = Quantity(levels * ORDERS * SHARES.0);
            let order = placement(Side::Buy, 0, shares);
            let order = Placement { price: Price(BID + CENT * levels), ..order };
            bench.iter_custom(|iterations| {
                let mut took = Duration::ZERO;
                for _ in 0..iterations {
                    let mut traded = 0;
                    let start = Instant::now();
                    let open = matcher.enter(new_number(0), &order, true, |trade| {
                        traded += trade.quantity.0;
                    });
                    took += start.elapsed();
                    assert_eq!((open, traded), (Ok(Quantity::ZERO), shares.0));
                    for depth in 0..levels {
                        fill(&mut matcher, Side::Sell, depth);
                    }
                }
                took
            });
            checked(&matcher);
        });
    }
    group.finish();
}

criterion_group!(
    name = all;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = benches
);
criterion_main!(all);
