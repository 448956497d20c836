//! What the risk gate costs an accepted order: judged, reserved and given back. The whole gate with
//! every check on, each check alone, and a gate without any.
//!
//! Every check is on with a limit that the order keeps; the order, its market and the owners' state
//! stay in the nearest cache, as those of an account that trades do.

mod common;

use std::time::{Duration, Instant};

use common::{BATCH, CHECKS, Orders, at_every_level, gate, limits};
use criterion::{Criterion, criterion_group, criterion_main};
use spindle_types::Side;

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("risk");
    let all = limits(&CHECKS);
    for (name, gate, side) in [
        ("no limits", gate(limits(&[])), Side::Buy),
        ("every check, account", gate(all), Side::Buy),
        ("every check, account, a short sale", at_every_level(all, &[]), Side::Sell),
        ("every check, all four levels", at_every_level(all, &[all; 3]), Side::Buy),
    ] {
        let mut orders = Orders::of(gate, side);
        group.bench_function(format!("judge, reserve: {name}"), |b| {
            b.iter_custom(|orders_wanted| time_batches(&mut orders, orders_wanted));
        });
        group.bench_function(format!("judge: {name}"), |b| b.iter(|| orders.judge()));
        group.bench_function(format!("judge, reserve, release: {name}"), |b| {
            b.iter(|| orders.enter_and_cancel());
        });
    }
    for check in CHECKS {
        let mut orders = Orders::new(gate(limits(&[check])));
        group.bench_function(format!("only {}", check.0), |b| b.iter(|| orders.judge()));
    }
    group.finish();
}

/// How long orders take to be judged and reserved; making them and cancelling them again is not timed. Of the last
/// batch the part that was wanted counts.
fn time_batches(orders: &mut Orders, wanted: u64) -> Duration {
    let batches = wanted.div_ceil(BATCH.into());
    let mut taken = Duration::ZERO;
    for _ in 0..batches {
        orders.make_batch();
        let begin = Instant::now();
        orders.enter_batch();
        taken += begin.elapsed();
        orders.cancel_batch();
    }
    taken.mul_f64(wanted as f64 / (batches * u64::from(BATCH)) as f64)
}

criterion_group!(risk, whole);
criterion_main!(risk);
