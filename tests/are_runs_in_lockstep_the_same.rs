//! Strategies over real sockets in lockstep: each sees the same in every run, to the byte.

mod lockstep;

use lockstep::{BOB, CONFIG, Ran, quoter, run, taker};
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::recording::Recording;
use spindle_types::Symbol;

/// The generated day's first instrument.
fn symbol(config: GenerateConfig) -> Symbol {
    use spindle_feed::itch::Message;
    let mut day = spindle_replay::generate::Generator::new(config);
    loop {
        let bytes = day.next_message().expect("a directory");
        if let Ok(Message::StockDirectory(directory)) = Message::decode(bytes) {
            return Symbol(directory.stock);
        }
    }
}

fn quoter_and_taker(config: &str, seed: u64) -> Ran {
    let day = GenerateConfig::new(20_000, 2, seed).expect("a day");
    let symbol = symbol(day);
    let recording = Recording::new(GeneratedDay::new(day));
    let ran = run(
        &format!("{config}{BOB}"),
        recording,
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
