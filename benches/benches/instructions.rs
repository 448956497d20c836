//! How many instructions a message of a fixed day costs in the books: a figure without noise, which
//! must stay below the bound in `instructions.txt`.
//!
//! The program runs itself under valgrind's callgrind, which counts only inside `apply_stream`.
//! Where there is no valgrind it says so and checks nothing.

use std::process::ExitCode;

use spindle_benches::instructions::Guard;
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::recording::{Batch, Messages, Recording};
use spindle_risk::Gate;
use spindle_types::Sequence;

const MESSAGES: u32 = 100_000;
const INSTRUMENTS: u16 = 100;
const STREAM: &str = "--apply-the-stream";

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == STREAM) {
        stream();
        return ExitCode::SUCCESS;
    }
    let guard = Guard {
        argument: STREAM,
        function: "apply_stream",
        unit: "a message",
        units: MESSAGES,
        bound: include_str!("../instructions.txt"),
        file: "benches/instructions.txt",
    };
    guard.check()
}

fn stream() {
    let capacity = Capacity { instruments: 128, orders: 40_000, levels: 20_000 };
    let first_number = EngineConfig::BESIDE_A_FEED;
    let (mut engine, _) =
        Engine::new(&EngineConfig { capacity, own_orders: 16, first_number }, Gate::new(0));
    let config = GenerateConfig::new(MESSAGES.into(), INSTRUMENTS, 3).expect("a day");
    let mut recording = Recording::new(GeneratedDay::new(config));
    while let Some(batch) = recording.next_batch().expect("an intact day") {
        let Batch::Itch(messages) = batch else { panic!("a day is ITCH") };
        apply_stream(&mut engine, &messages);
    }
    let counters = engine.counters();
    assert_eq!((counters.market_messages, counters.unknown_references), (MESSAGES.into(), 0));
}

#[inline(never)]
fn apply_stream(engine: &mut Engine, messages: &Messages<'_>) {
    engine.on_messages(
        messages.len(),
        |at| Sequence(messages.sequence(at)),
        |at| messages.in_place(at),
        |_, _, decoded| {
            assert_eq!(decoded, Ok(()));
        },
    );
}
