//! `spindle demo`: the whole thing on one machine, with nothing to configure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::ReceivePath;
use crate::demo::{self, DemoOptions, DemoOutcome, round_trips};
use crate::exit::Exit;
use crate::report::{grouped, latency_table};
use crate::venue::Outcome;

/// Show the whole thing on one machine: a day is made up, replayed over UDP into a venue, and
/// strategies trade in it over OUCH. Under a minute, nothing to configure, nothing left behind.
#[derive(Args)]
pub(crate) struct Demo {
    /// Messages of the day.
    #[arg(long, value_name = "N", default_value_t = 600_000)]
    messages: u64,
    /// Instruments of the day.
    #[arg(long, value_name = "N", default_value_t = 100)]
    symbols: u16,
    /// What the day is made from: the same seed makes the same day.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Market messages a second.
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    rate: u64,
}

impl Demo {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let options = DemoOptions {
            messages: self.messages,
            symbols: self.symbols,
            seed: self.seed,
            rate: self.rate.max(1),
            receive: ReceivePath::default(),
            hooks: None,
        };
        println!(
            "a synthetic day of {} messages over {} instruments (seed {}), {} a second over UDP",
            grouped(options.messages),
            options.symbols,
            options.seed,
            grouped(options.rate),
        );
        let bar = ProgressBar::new(options.messages).with_style(style());
        let outcome = demo::run(&options, &mut |taken| bar.set_position(taken));
        bar.finish_and_clear();
        let outcome = outcome.map_err(Exit::failed)?;
        print!("{}", table(&outcome));
        let lost = outcome.engine.feed_counters().lost;
        if lost > 0 {
            return Err(Exit::failed(format!("{lost} market messages were lost on the way")));
        }
        Ok(())
    }
}

fn style() -> ProgressStyle {
    // A bar that cannot be drawn as wanted is drawn as indicatif draws it.
    ProgressStyle::with_template("{bar:40} {pos}/{len} messages, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn table(outcome: &DemoOutcome) -> String {
    let engine = outcome.engine.engine();
    let (counters, feed) = (engine.counters(), outcome.engine.feed_counters());
    let divergence = engine.divergence();
    let mut out = String::new();
    let _ = writeln!(out, "{}", outcome.layout);
    let _ = writeln!(out, "feed: {}\n", outcome.receive);
    let _ = writeln!(
        out,
        "market   {} messages in {} packets over {:.1} s, {} lost; {} orders live at the end",
        grouped(counters.market_messages),
        grouped(feed.packets),
        outcome.elapsed.as_secs_f64(),
        grouped(feed.lost),
        grouped(engine.books().live_orders() as u64),
    );
    let _ = writeln!(
        out,
        "venue    {} requests, {} accepted, {} rejected, {} fills, {} shares",
        grouped(counters.commands),
        grouped(counters.accepted),
        grouped(counters.rejected),
        grouped(counters.executions),
        grouped(counters.executed_shares),
    );
    let _ = writeln!(
        out,
        "tape     {} shares taken from it, {} filled ahead of it, {} displaced\n",
        grouped(divergence.taken),
        grouped(divergence.filled_ahead()),
        grouped(divergence.displaced),
    );
    strategies(outcome, &mut out);
    rejects(outcome, &mut out);
    let clients = round_trips(outcome.strategies.iter().map(|(_, _, tally)| tally));
    let venue = Outcome { engine: &outcome.engine, gateway: &outcome.gateway };
    out.push_str(&latency_table(&venue, Some(&clients)));
    out
}

fn strategies(outcome: &DemoOutcome, out: &mut String) {
    let _ = writeln!(
        out,
        "{:<10}{:<9}{:>10}{:>10}{:>10}{:>10}{:>12}{:>10}",
        "strategy", "trades", "requests", "accepted", "rejected", "fills", "shares", "position"
    );
    for (name, symbol, tally) in &outcome.strategies {
        let _ = writeln!(
            out,
            "{name:<10}{symbol:<9}{:>10}{:>10}{:>10}{:>10}{:>12}{:>10}",
            grouped(tally.sent),
            grouped(tally.accepted),
            grouped(tally.rejected()),
            grouped(tally.fills),
            grouped(tally.shares),
            tally.position,
        );
    }
    out.push('\n');
}

fn rejects(outcome: &DemoOutcome, out: &mut String) {
    let _ = writeln!(out, "{:<34}{:>10}", "rejected because", "requests");
    let mut total = BTreeMap::<_, u64>::new();
    for (_, _, tally) in &outcome.strategies {
        for (why, count) in &tally.rejects {
            *total.entry(why).or_default() += count;
        }
    }
    for (why, count) in total {
        let _ = writeln!(out, "{why:<34}{:>10}", grouped(count));
    }
    out.push('\n');
}
