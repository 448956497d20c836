//! The orders of a recorded day entered and matched: adds are entered as orders, deletes and cancels take
//! off, replaces take out and enter. Executions are left out, because the orders match among themselves.

use spindle_engine::{Matcher, Place, Placement, Trade};
use spindle_feed::event::MarketAction;
use spindle_feed::itch::{self, Message};
use spindle_replay::recording::Messages;
use spindle_types::InstrumentId;

/// Messages before its turn at which a message is looked at first.
const AHEAD: usize = 24;
/// Messages after the first look at which it is looked at again, and a last time.
const SECOND: usize = 8;
const LAST: usize = 16;
const RING: usize = 32;

/// What came of the orders of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that were entered, took off or replaced, or were passed over.
    pub messages: u64,
    /// Trades.
    pub trades: u64,
    /// Shares of them.
    pub shares: u64,
    /// Orders for which there was no room.
    pub refused: u64,
    /// Messages about orders that no longer stood.
    pub unknown: u64,
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

impl Tally {
    /// Enters and matches these.
    pub fn enter(&mut self, matcher: &mut Matcher, messages: &Messages<'_>) {
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
                carry_out(matcher, &ring[at % RING], self);
            }
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
