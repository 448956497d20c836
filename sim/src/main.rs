//! Runs seeds of the simulator: a swarm of them, or one with its trace.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use spindle_sim::run::{Outcome, run};

/// A whole venue in one thread, with everything that goes wrong drawn from a seed.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// Seeds, as FROM..TO; the first that fails ends it.
    #[arg(long, value_parser = range, default_value = "0..1000")]
    seeds: Range<u64>,
    /// One seed.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Print what happens.
    #[arg(long)]
    trace: bool,
    /// Threads; left out, as many as there are cores.
    #[arg(long)]
    threads: Option<usize>,
    /// Run one seed in so many twice, and compare.
    #[arg(long, default_value_t = 50)]
    twice: u64,
    /// Say nothing but the failure.
    #[arg(long)]
    quiet: bool,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("'{text}' is no range; give one such as 0..10000");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| text.parse().map_err(|_| wrong());
    Ok(number(from)?..number(to)?)
}

/// Runs a seed, and again where it is one of those.
fn hold(seed: u64, twice: u64) -> Result<Outcome, String> {
    let outcome = run(seed, false)?;
    if twice > 0 && seed.is_multiple_of(twice) && run(seed, false)? != outcome {
        return Err("the same seed went another way the second time".to_owned());
    }
    Ok(outcome)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(seed) = cli.seed {
        return match run(seed, cli.trace) {
            Ok(outcome) => {
                println!("seed {seed} holds: {outcome:?}");
                ExitCode::SUCCESS
            }
            Err(why) => {
                println!("seed {seed}: {why}");
                ExitCode::FAILURE
            }
        };
    }
    if !cli.trace {
        // A panic is told as the failure of its seed.
        std::panic::set_hook(Box::new(|_| ()));
    }
    let begun = Instant::now();
    let threads = cli.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let next = AtomicU64::new(cli.seeds.start);
    let over = AtomicBool::new(false);
    let failure: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let totals = Mutex::new([0_u64; 7]);
    std::thread::scope(|scope| {
        for _ in 0..threads.unwrap_or(1) {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= cli.seeds.end {
                        return;
                    }
                    match hold(seed, cli.twice) {
                        Ok(outcome) => {
                            let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
                            let counts = outcome.counts;
                            let of_run = [
                                1,
                                counts.turns,
                                counts.crashes,
                                counts.failed_starts,
                                counts.halts,
                                counts.messages,
                                counts.fills,
                            ];
                            for (total, one) in totals.iter_mut().zip(of_run) {
                                *total += one;
                            }
                            if !cli.quiet && totals[0].is_multiple_of(1_000) {
                                eprintln!(
                                    "{} seeds, {:.1} s",
                                    totals[0],
                                    begun.elapsed().as_secs_f64()
                                );
                            }
                        }
                        Err(why) => {
                            over.store(true, Ordering::Relaxed);
                            let mut failure =
                                failure.lock().unwrap_or_else(PoisonError::into_inner);
                            if failure.as_ref().is_none_or(|(other, _)| seed < *other) {
                                *failure = Some((seed, why));
                            }
                        }
                    }
                }
            });
        }
    });
    let [seeds, turns, crashes, failed_starts, halts, messages, fills] =
        totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    let took = begun.elapsed().as_secs_f64();
    if !cli.quiet {
        println!(
            "{seeds} seeds in {took:.1} s: {turns} turns, {crashes} crashes, {failed_starts} starts that failed, \
             {halts} halts, {messages} messages, {fills} executions"
        );
    }
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => ExitCode::SUCCESS,
        Some((seed, why)) => {
            println!("seed {seed}: {why}");
            println!("again: cargo run --release -p spindle-sim -- --seed {seed} --trace");
            ExitCode::FAILURE
        }
    }
}
