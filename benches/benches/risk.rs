//! What the risk gate costs an accepted order: judged, reserved and given back. The whole gate with
//! every check on, each check alone, and a gate without any.
//!
//! Every check is on with a limit that the order keeps; the order, its market and the owners' state
//! stay in the nearest cache, as those of an account that trades do.

mod common;

use common::{ACCOUNT, CHECKS, INSTRUMENT, Orders, SESSION, gate, limits};
use criterion::{Criterion, criterion_group, criterion_main};
use spindle_risk::Target;

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("risk");
    let all = limits(&CHECKS);
    for (name, account, others) in [
        ("no limits", limits(&[]), false),
        ("every check, account", all, false),
        ("every check, all four levels", all, true),
    ] {
        let mut gate = gate(account);
        if others {
            gate.set_limits(Target::Session(SESSION), all).expect("limits");
            gate.set_limits(Target::Firm(1), all).expect("limits");
            gate.set_instrument_limits(ACCOUNT, INSTRUMENT, all).expect("limits");
        }
        let mut orders = Orders::new(gate);
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
