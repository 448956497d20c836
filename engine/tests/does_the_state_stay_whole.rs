//! Random orders of every kind, replaces, cancels, phases, times and messages of the market, with
//! a look at the whole state after each: shares are conserved for every order, levels and sets sum
//! up, the best is the best, strategies' orders never stand crossed in continuous trading, pegs
//! stand right, no stop is forgotten. What each order should have done is not asked here.

mod chance;
mod desk;

use std::collections::BTreeMap;

use chance::{Course, Input, input};
use desk::Desk;
use proptest::prelude::*;

/// Runs the inputs and counts the events by their kind.
fn run(inputs: &[Input]) -> BTreeMap<String, usize> {
    let (mut desk, mut course) = (Desk::new(), Course::default());
    let mut seen = BTreeMap::new();
    for input in inputs {
        assert!(desk.engine.has_room());
        course.apply(&mut desk.engine, input);
        let told = desk.told();
        for text in told {
            // The words, without the numbers.
            let kind: Vec<_> = text
                .split([' ', ',', ':'])
                .filter(|word| word.chars().any(char::is_alphabetic))
                .collect();
            *seen.entry(kind.join(" ")).or_default() += 1;
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]
    #[test]
    fn nothing_is_lost_whatever_comes(inputs in prop::collection::vec(input(), 1..300)) {
        run(&inputs);
    }
}

#[test]
fn random_inputs_reach_everything() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for _ in 0..250 {
        let inputs = prop::collection::vec(input(), 300).new_tree(&mut runner).expect("inputs");
        for (kind, count) in run(&inputs.current()) {
            *seen.entry(kind).or_insert(0) += count;
        }
    }
    for what in [
        "accepted",
        "triggered",
        "replaced left",
        "took at left",
        "canceled left no_liquidity",
        "canceled left fill_or_kill",
        "canceled left minimum_quantity",
        "canceled left self_trade",
        "canceled left expired",
        "canceled left auction_over",
        "canceled left end_of_day",
        "canceled left mass_cancel",
        "rejected post_only",
        "opening auction",
        "halt auction",
        "closing auction",
        "indicative nothing",
    ] {
        let count: usize =
            seen.iter().filter(|(kind, _)| kind.starts_with(what)).map(|(_, count)| count).sum();
        assert!(count >= 5, "{what} in {seen:#?}");
    }
}
