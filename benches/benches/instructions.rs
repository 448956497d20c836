//! How many instructions a message of a fixed day costs in the books: a figure without noise, which
//! must stay below the bound in `instructions.txt`.
//!
//! The program runs itself under valgrind's callgrind, which counts only inside `apply_stream`.
//! Where there is no valgrind it says so and checks nothing.

use std::process::{Command, ExitCode};

use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::recording::{Batch, Messages, Recording};
use spindle_risk::Gate;
use spindle_types::Sequence;

const MESSAGES: u64 = 100_000;
const INSTRUMENTS: u16 = 100;
const STREAM: &str = "--apply-the-stream";

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == STREAM) {
        stream();
        return ExitCode::SUCCESS;
    }
    let bound: f64 = include_str!("../instructions.txt").trim().parse().expect("a number");
    let program = std::env::current_exe().expect("a path");
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*apply_stream*")
        .arg(program)
        .arg(STREAM)
        .output();
    let Ok(counted) = counted else {
        println!("skipped: there is no valgrind here, so instructions are not counted");
        return ExitCode::SUCCESS;
    };
    let said = String::from_utf8_lossy(&counted.stderr);
    let Some(instructions) = said
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, number)| number.trim().parse::<u32>().ok())
    else {
        eprintln!("valgrind counted nothing:\n{said}");
        return ExitCode::FAILURE;
    };
    let each = f64::from(instructions) / 100_000.0;
    println!("instructions a message: {each:.1}, the bound is {bound}");
    if each > bound || each < bound / 2.0 {
        eprintln!("outside of half the bound to the bound; see benches/instructions.txt");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn stream() {
    let capacity = Capacity { instruments: 128, orders: 40_000, levels: 20_000 };
    let first_number = EngineConfig::BESIDE_A_FEED;
    let (mut engine, _) =
        Engine::new(&EngineConfig { capacity, own_orders: 16, first_number }, Gate::new(0));
    let config = GenerateConfig::new(MESSAGES, INSTRUMENTS, 3).expect("a day");
    let mut recording = Recording::new(GeneratedDay::new(config));
    while let Some(batch) = recording.next_batch().expect("an intact day") {
        let Batch::Itch(messages) = batch else { panic!("a day is ITCH") };
        apply_stream(&mut engine, &messages);
    }
    let counters = engine.counters();
    assert_eq!((counters.market_messages, counters.unknown_references), (MESSAGES, 0));
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
