//! The orders of a recorded day entered and matched: adds are entered as orders, deletes and
//! cancels take off, replaces take out and enter. Executions are left out, because the orders
//! match among themselves. `cargo bench -p spindle-benches --bench orders_of_a_day -- FILE`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use spindle_engine::{Capacity, Matcher, Place, Placement, Trade};
use spindle_feed::event::MarketAction;
use spindle_feed::itch::{self, Message};
use spindle_replay::recording::{Batch, Messages, Recording};
use spindle_types::InstrumentId;

/// Messages before its turn at which a message is looked at first.
const AHEAD: usize = 24;
/// Messages after the first look at which it is looked at again, and a last time.
const SECOND: usize = 8;
const LAST: usize = 16;
const RING: usize = 32;

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

/// A message that waits for its turn.
#[derive(Clone, Copy)]
struct Waiting {
    instrument: InstrumentId,
    action: MarketAction,
    place: Place,
}

fn waiting(matcher: &Matcher, messages: &Messages<'_>, at: usize) -> Waiting {
    let decoded = messages.get(at).and_then(|bytes| Message::decode(bytes).ok());
    let (instrument, action) = decoded.map_or((InstrumentId(0), MarketAction::Other), |message| {
        let event = itch::to_event(&message);
        (event.instrument, event.action)
    });
    let place = match action {
        MarketAction::Add { reference, side, price, .. } => {
            matcher.look(reference, instrument, Some((side, price)))
        }
        MarketAction::Delete { reference }
        | MarketAction::Reduce { reference, .. }
        | MarketAction::Replace { reference, .. } => matcher.look(reference, instrument, None),
        _ => Place::default(),
    };
    Waiting { instrument, action, place }
}

fn apply(matcher: &mut Matcher, messages: &Messages<'_>, tally: &mut Tally) {
    let nothing = Waiting {
        instrument: InstrumentId(0),
        action: MarketAction::Other,
        place: Place::default(),
    };
    let mut ring = [nothing; RING];
    for turn in 0..messages.len() + AHEAD {
        if turn < messages.len() {
            ring[turn % RING] = waiting(matcher, messages, turn);
        }
        if let Some(at) = turn.checked_sub(SECOND) {
            matcher.look_again(ring[at % RING].place);
        }
        if let Some(at) = turn.checked_sub(LAST) {
            matcher.look_last(ring[at % RING].place);
        }
        if let Some(at) = turn.checked_sub(AHEAD) {
            carry_out(matcher, &ring[at % RING], tally);
        }
    }
}

fn carry_out(matcher: &mut Matcher, waiting: &Waiting, tally: &mut Tally) {
    let (mut trades, mut shares) = (0, 0);
    let on_trade = |trade: Trade| {
        trades += 1;
        shares += u64::from(trade.quantity.0);
    };
    tally.messages += 1;
    let instrument = waiting.instrument;
    match waiting.action {
        MarketAction::Add { reference, side, quantity, price, .. } => {
            let placement = Placement { instrument, side, quantity, price };
            let entered = matcher.enter(reference, &placement, true, on_trade);
            tally.refused += u64::from(entered.is_err());
        }
        MarketAction::Delete { reference } => {
            tally.unknown += u64::from(matcher.cancel(reference).is_none());
        }
        MarketAction::Reduce { reference, quantity } => {
            tally.unknown += u64::from(!matcher.reduce(reference, quantity));
        }
        MarketAction::Replace { reference, new_reference, quantity, price } => {
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
