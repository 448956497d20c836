//! The books at a whole day's size, and in a crash.
//!
//! First 1.92 million live orders over 8,906 instruments, and ten million messages that keep that
//! population, beside the same mix at 20,000 live orders, over as many instruments and over fewer.
//! Then one instrument of 50,000 prices a side with 20 orders each, through which the price walks
//! down and up. Everything checks its own answer.
//! `cargo bench -p spindle-benches --bench whole_day`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use spindle_benches::shape::{Batch, Crash, Population};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_risk::Gate;
use spindle_types::Side;

const INSTRUMENTS: u16 = 8_906;
const LIVE: usize = 1_920_000;
const FEW: usize = 20_000;
/// With that few orders, as many instruments as have books of the same shape as the whole day's.
const FEW_INSTRUMENTS: u16 = 93;
const MESSAGES: usize = 10_000_000;
/// Messages that are on the wire at a time.
const BATCH: usize = 100_000;
/// Most memory of the whole process with the day's books and what makes its messages.
const RESIDENT_MAX: u64 = 1 << 30;

const TICKS: u32 = 50_000;
const ORDERS: u32 = 20;
/// Levels that one order sweeps.
const SWEEP: u32 = 100;

fn main() -> ExitCode {
    match day().and_then(|()| crash()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn nanoseconds(took: Duration, count: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = count as f64;
    took.as_secs_f64() * 1e9 / count
}

fn day() -> Result<(), String> {
    let few = population(FEW, INSTRUMENTS)?;
    let dense = population(FEW, FEW_INSTRUMENTS)?;
    let all = population(LIVE, INSTRUMENTS)?;
    println!("{all:.1} ns a message at {LIVE} live orders");
    println!("{few:.1} at {FEW} over as many instruments: {:.2} times", all / few);
    println!("{dense:.1} at {FEW} over {FEW_INSTRUMENTS} instruments: {:.2} times", all / dense);
    Ok(())
}

/// Brings a population to its size, and returns what a message costs that keeps it.
fn population(live: usize, instruments: u16) -> Result<f64, String> {
    let capacity = Capacity {
        instruments: usize::from(instruments) + 1,
        orders: live + live / 16,
        levels: live / 2 + 10_000,
    };
    let first_number = EngineConfig::BESIDE_A_FEED;
    let config = EngineConfig { capacity, own_orders: 0, first_number };
    let (mut engine, _tops) = Engine::new(&config, Gate::new(0));
    engine.warm_up();
    let mut population = Population::new(1, instruments, live);
    let (mut batch, mut sequence) = (Batch::default(), 1);
    population.directory(&mut batch);
    while !batch.is_empty() {
        batch.apply(&mut engine, sequence);
        sequence += batch.len() as u64;
        population.grow(&mut batch, BATCH);
    }
    let mut took = Duration::ZERO;
    for _ in 0..MESSAGES / BATCH {
        population.keep(&mut batch, BATCH);
        let start = Instant::now();
        batch.apply(&mut engine, sequence);
        took += start.elapsed();
        sequence += batch.len() as u64;
    }
    let each = nanoseconds(took, MESSAGES);
    let (orders, levels) = (engine.books().live_orders(), engine.books().live_levels());
    println!("{orders} orders live at {levels} prices of {instruments} instruments");
    println!("books by calculation: {} MiB", capacity.bytes() >> 20);
    match most_resident() {
        Some(bytes) => {
            println!("most resident, with what makes the messages: {} MiB", bytes >> 20);
            if bytes > RESIDENT_MAX {
                return Err(format!("more than {} MiB are resident", RESIDENT_MAX >> 20));
            }
        }
        None => println!("this system does not say how much memory is resident"),
    }
    if orders.abs_diff(live) > live / 100 {
        return Err(format!("{orders} orders live, not about {live}"));
    }
    population.check(&engine)?;
    Ok(each)
}

/// The most memory that this process ever had resident.
fn most_resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

fn crash() -> Result<(), String> {
    let mut crash = Crash::new(TICKS, ORDERS);
    println!("a crash: {TICKS} prices a side, {ORDERS} orders each; near, middle and far, ns each");
    let parts = [(0, TICKS / 3), (TICKS / 3, TICKS / 3 * 2), (TICKS / 3 * 2, TICKS)];

    let mut each = [0.0; 3];
    for (each, from) in each.iter_mut().zip([0, TICKS / 2, TICKS - 64]) {
        const ROUNDS: u32 = 200_000;
        let start = Instant::now();
        for round in 0..ROUNDS {
            crash.come_and_go(Side::Buy, from + round % 64);
        }
        *each = nanoseconds(start.elapsed(), ROUNDS as usize);
    }
    print("an order at a price of its own comes and goes", each);
    for side in [Side::Buy, Side::Sell] {
        let way = if side == Side::Buy { "down" } else { "up" };
        print(
            &format!("an order is executed, the price walks {way}"),
            walk(parts, |from, to| crash.execute(side, from, to)),
        );
        crash.check(side, TICKS)?;
        print("an order enters, level after level from the far end", {
            let [near, middle, far] = parts;
            let [far, middle, near] = walk([far, middle, near], |from, to| {
                for depth in (from..to).rev() {
                    crash.fill(side, depth, depth + 1);
                }
            });
            [near, middle, far]
        });
        crash.check(side, 0)?;
        let mut trades = 0;
        print(
            &format!("an order is traded against, swept {SWEEP} levels at a time, {way}"),
            walk(parts, |from, to| {
                for from in (from..to).step_by(SWEEP as usize) {
                    trades += crash.sweep(side, from, to.min(from + SWEEP));
                }
            }),
        );
        if trades != u64::from(TICKS * ORDERS) {
            return Err(format!("{trades} trades, not one for each order"));
        }
        crash.check(side, TICKS)?;
    }
    Ok(())
}

/// Nanoseconds an order in each part of a side.
fn walk(parts: [(u32, u32); 3], mut each: impl FnMut(u32, u32)) -> [f64; 3] {
    parts.map(|(from, to)| {
        let start = Instant::now();
        each(from, to);
        nanoseconds(start.elapsed(), ((to - from) * ORDERS) as usize)
    })
}

fn print(what: &str, [near, middle, far]: [f64; 3]) {
    println!("  {near:7.1} {middle:7.1} {far:7.1}  {what}");
}
