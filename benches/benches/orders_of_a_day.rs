//! The orders of a recorded day entered and matched: adds are entered as orders, deletes and
//! cancels take off, replaces take out and enter. Executions are left out, because the orders
//! match among themselves. `cargo bench -p spindle-benches --bench orders_of_a_day -- FILE`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use spindle_benches::matching::Tally;
use spindle_engine::{Capacity, Matcher};
use spindle_replay::recording::{Batch, Recording};

fn main() -> ExitCode {
    let Some(path) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        println!("skipped: no file given; its adds would be entered as orders and matched");
        return ExitCode::SUCCESS;
    };
    let mut recording = match Recording::open(&path) {
        Ok(recording) => recording,
        Err(error) => {
            eprintln!("{path}: {error}");
            return ExitCode::from(2);
        }
    };
    let capacity = Capacity { instruments: 1 << 16, orders: 2_000_000, levels: 1_000_000 };
    let mut matcher = Matcher::new(capacity);
    matcher.warm_up();
    let (mut tally, mut took) = (Tally::default(), Duration::ZERO);
    while let Some(batch) = recording.next_batch().expect("an intact file") {
        let Batch::Itch(messages) = batch else { continue };
        let start = Instant::now();
        tally.enter(&mut matcher, &messages);
        took += start.elapsed();
    }
    let each = took.as_secs_f64() * 1e9 / f64::from(u32::try_from(tally.messages).unwrap_or(1));
    let Tally { messages, trades, shares, refused, unknown } = tally;
    println!("{messages} messages, {each:.1} ns each; {trades} trades of {shares} shares");
    println!("{refused} refused, {unknown} of orders that no longer stood");
    println!("{} orders stand at the end", matcher.books().live_orders());
    ExitCode::SUCCESS
}
