//! The orders of a recorded day entered and matched: adds are entered as orders, deletes and
//! cancels take off, replaces take out and enter. Executions are left out, because the orders
//! match among themselves. `cargo bench -p spindle-benches --bench orders_of_a_day -- FILE`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use spindle_engine::{Capacity, Matcher, Placement, Trade};
use spindle_feed::event::MarketAction;
use spindle_feed::itch::{self, Message};
use spindle_replay::recording::{Batch, Messages, Recording};

/// Messages before its turn at which a message is looked at, twice.
const FIRST: usize = 24;
const SECOND: usize = 12;

#[derive(Default)]
struct Tally {
    messages: u64,
    trades: u64,
    shares: u64,
    refused: u64,
    unknown: u64,
}

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
        apply(&mut matcher, &messages, &mut tally);
        took += start.elapsed();
    }
    let each = took.as_secs_f64() * 1e9 / f64::from(u32::try_from(tally.messages).unwrap_or(1));
    let Tally { messages, trades, shares, refused, unknown } = tally;
    println!("{messages} messages, {each:.1} ns each; {trades} trades of {shares} shares");
    println!("{refused} refused, {unknown} of orders that no longer stood");
    println!("{} orders stand at the end", matcher.books().live_orders());
    ExitCode::SUCCESS
}

fn action(
    messages: &Messages<'_>,
    at: usize,
) -> Option<(spindle_types::InstrumentId, MarketAction)> {
    let event = itch::to_event(&Message::decode(messages.get(at)?).ok()?);
    Some((event.instrument, event.action))
}

fn apply(matcher: &mut Matcher, messages: &Messages<'_>, tally: &mut Tally) {
    for at in 0..messages.len() {
        if let Some((instrument, action)) = action(messages, at + FIRST) {
            match action {
                MarketAction::Add { reference, side, quantity, price, .. } => {
                    matcher.look_ahead(reference, &Placement { instrument, side, quantity, price });
                }
                MarketAction::Delete { reference }
                | MarketAction::Reduce { reference, .. }
                | MarketAction::Replace { reference, .. } => matcher.look_ahead_at(reference),
                _ => {}
            }
        }
        if let Some((
            _,
            MarketAction::Delete { reference } | MarketAction::Replace { reference, .. },
        )) = action(messages, at + SECOND)
        {
            matcher.look_again_at(reference);
        }
        let (mut trades, mut shares) = (0, 0);
        let on_trade = |trade: Trade| {
            trades += 1;
            shares += u64::from(trade.quantity.0);
        };
        tally.messages += 1;
        match action(messages, at) {
            Some((instrument, MarketAction::Add { reference, side, quantity, price, .. })) => {
                let placement = Placement { instrument, side, quantity, price };
                let entered = matcher.enter(reference, &placement, true, on_trade);
                tally.refused += u64::from(entered.is_err());
            }
            Some((_, MarketAction::Delete { reference })) => {
                tally.unknown += u64::from(matcher.cancel(reference).is_none());
            }
            Some((_, MarketAction::Reduce { reference, quantity })) => {
                tally.unknown += u64::from(!matcher.reduce(reference, quantity));
            }
            Some((_, MarketAction::Replace { reference, new_reference, quantity, price })) => {
                match matcher.replace(reference, new_reference, price, quantity, on_trade) {
                    Some(entered) => tally.refused += u64::from(entered.is_err()),
                    None => tally.unknown += 1,
                }
            }
            _ => {}
        }
        tally.trades += trades;
        tally.shares += shares;
    }
}
