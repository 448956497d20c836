//! What the risk gate costs an accepted order: judged, reserved and given back. The whole gate with
//! every check on, each check alone, and a gate without any.
//!
//! Every check is on with a limit that the order keeps; the order, its market and the owners' state
//! stay in the nearest cache, as those of an account that trades do.

use criterion::{Criterion, criterion_group, criterion_main};
use spindle_benches::risk::{CHECKS, Orders, at_every_level, gate, limits};
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
            b.iter_custom(|orders_wanted| orders.time_batches(orders_wanted));
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

criterion_group!(risk, whole);
criterion_main!(risk);
