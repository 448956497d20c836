//! Strategies over real sockets in lockstep: each sees the same in every run, to the byte.

mod lockstep;

use lockstep::{BOB, CONFIG, Ran, goog, goog_tape, quoter, run, taker};
use spindle::lockstep::Tape;
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::recording::Recording;
use spindle_types::{EventTime, Symbol};

fn quoter_and_taker(config: &str, seed: u64) -> Ran {
    let day = GenerateConfig::new(20_000, 2, seed).expect("a day");
    let symbol = lockstep::first_symbol(day);
    let tape = Tape::new(Recording::new(GeneratedDay::new(day)));
    let ran = run(
        &format!("{config}{BOB}"),
        tape,
        vec![("alice", "a", quoter(symbol)), ("bob", "b", taker(symbol, 60_000_000_000))],
    );
    assert!(ran.error.is_none(), "{:?}", ran.error);
    ran
}

#[test]
fn ten_runs_tell_the_same() {
    let first = quoter_and_taker(CONFIG, 3);
    println!("{:?} {:?}", first.outcome, first.engine.counters());
    assert!(first.engine.counters().executions > 100);
    assert!(first.journals.iter().all(|journal| journal.len() > 20_000));
    for _ in 1..10 {
        let again = quoter_and_taker(CONFIG, 3);
        assert!(again.journals == first.journals, "a strategy saw something else");
        assert_eq!(again.outcome, first.outcome);
    }
    let other = quoter_and_taker(CONFIG, 4);
    assert!(other.journals != first.journals, "a comparison that cannot fail");
}

/// Of the real day the first minutes; all of it with SPINDLE_WHOLE_DAY set.
#[test]
fn ten_runs_of_a_real_day_tell_the_same() {
    let Some(files) = goog() else { return };
    let whole = std::env::var_os("SPINDLE_WHOLE_DAY").is_some();
    let until = (!whole).then_some(EventTime::at(9, 34, 0));
    let symbol: Symbol = "GOOG".parse().expect("a symbol");
    let run = || {
        let strategies =
            vec![("alice", "a", quoter(symbol)), ("bob", "b", taker(symbol, 500_000_000))];
        let ran = run(&format!("{CONFIG}{BOB}"), goog_tape(&files, until), strategies);
        assert!(ran.error.is_none(), "{:?}", ran.error);
        ran
    };
    let first = run();
    println!("{:?} {:?}", first.outcome, first.engine.counters());
    assert!(first.engine.counters().executions > 100);
    for _ in 1..10 {
        let again = run();
        assert!(again.journals == first.journals, "a strategy saw something else");
        assert_eq!(again.outcome, first.outcome);
    }
}
