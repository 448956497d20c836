//! Many market messages at once: while one is applied, the memory that the next ones need is
//! already on its way.
//!
//! What a message touches hangs together: its record names its level, its level names the last
//! order of the queue. So each message is looked at three times before its turn, each time with
//! what the look before has brought into the cache.

use spindle_feed::event::{MarketAction, MarketEvent};
use spindle_feed::itch::{self, DecodeError, Message};
use spindle_types::{EventTime, InstrumentId, Sequence};

use crate::book::{Hint, OrderKey};
use crate::engine::Engine;

// How many messages before its turn a message is looked at. That it pays is in docs/measuring.md;
// the distances themselves are not tuned.
const FIRST: usize = 28;
const SECOND: usize = 20;
const THIRD: usize = 12;
const FOURTH: usize = 6;

const RING: usize = 32;
const _: () = assert!(RING.is_power_of_two() && RING > SECOND);

/// A message that waits for its turn.
#[derive(Clone, Copy)]
struct Waiting {
    event: MarketEvent,
    decoded: Result<(), DecodeError>,
    order: Hint,
    level: Hint,
}

impl Waiting {
    const NOTHING: Self = Self {
        event: MarketEvent {
            time: EventTime(0),
            instrument: InstrumentId(0),
            action: MarketAction::Other,
        },
        decoded: Ok(()),
        order: Hint::NONE,
        level: Hint::NONE,
    };
}

impl Engine {
    /// Applies `count` ITCH messages, the first of which has number `first`. After each, `each` is
    /// told whether it could be decoded; one that could not is left out.
    #[inline]
    pub fn on_messages<'a>(
        &mut self,
        first: Sequence,
        count: usize,
        message: impl Fn(usize) -> &'a [u8],
        mut each: impl FnMut(&mut Self, Result<(), DecodeError>),
    ) {
        let mut ring = [Waiting::NOTHING; RING];
        for turn in 0..count + FIRST {
            let at = |ahead: usize| (turn + ahead).checked_sub(FIRST).filter(|&at| at < count);
            if let Some(at) = at(FIRST) {
                self.look_first(message(at));
            }
            if let Some(at) = at(SECOND) {
                ring[at % RING] = self.look_second(message(at));
            }
            if let Some(at) = at(THIRD) {
                self.look_third(&mut ring[at % RING]);
            }
            if let Some(at) = at(FOURTH) {
                self.books.ask_for_tail(ring[at % RING].level);
            }
            if let Some(at) = at(0) {
                let Waiting { event, decoded, order, level } = &ring[at % RING];
                if decoded.is_ok() {
                    let sequence = Sequence(first.0 + at as u64);
                    self.on_market_at(event, sequence, *order, *level);
                }
                each(self, *decoded);
            }
        }
    }

    /// Looks at messages that will be applied one by one soon: asks for all that they will need
    /// first, and then for what that leads to.
    #[inline]
    pub fn look_ahead<'a>(&self, messages: impl Iterator<Item = &'a [u8]> + Clone) {
        for message in messages.clone() {
            self.look_first(message);
        }
        for message in messages {
            self.look_third(&mut self.look_second(message));
        }
    }

    /// Asks for the record that the reference leads to, and for the head of the book. Both fields
    /// are at the same place in every message that names an order; what stands there in others is
    /// harmless.
    #[inline]
    fn look_first(&self, message: &[u8]) {
        let (Some(locate), Some(reference)) = (message.get(1..3), message.get(11..19)) else {
            return;
        };
        let locate = locate.first_chunk().copied().unwrap_or_default();
        let reference = reference.first_chunk().copied().unwrap_or_default();
        let instrument = InstrumentId(u16::from_be_bytes(locate));
        self.books.ask_for(u64::from_be_bytes(reference), instrument);
    }

    /// Decodes, and asks for the end of the ladder that an order will enter.
    #[inline]
    fn look_second(&self, bytes: &[u8]) -> Waiting {
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(error) => return Waiting { decoded: Err(error), ..Waiting::NOTHING },
        };
        let event = itch::to_event(&message);
        match event.action {
            MarketAction::Add { side, .. } => self.books.ask_for_ladder(event.instrument, side),
            MarketAction::Replace { new_reference, .. } => {
                self.books.ask_for(new_reference.0, event.instrument);
            }
            _ => {}
        }
        Waiting { event, ..Waiting::NOTHING }
    }

    /// Finds order and level, and asks for what they point at.
    #[inline]
    fn look_third(&self, waiting: &mut Waiting) {
        let MarketEvent { instrument, action, .. } = waiting.event;
        let reference = match action {
            MarketAction::Add { side, price, .. } => {
                waiting.level = self.books.look_for_level(instrument, side, price);
                return;
            }
            MarketAction::Execute { reference, .. }
            | MarketAction::ExecuteAt { reference, .. }
            | MarketAction::Reduce { reference, .. }
            | MarketAction::Delete { reference }
            | MarketAction::Replace { reference, .. } => reference,
            _ => return,
        };
        let Some(key) = OrderKey::market(reference) else {
            return;
        };
        waiting.order = self.books.look_for_order(key);
        if let MarketAction::Replace { price, .. } = action
            && let Some(slot) = self.books.find_at(key, waiting.order)
        {
            let side = self.books.order(slot).side();
            waiting.level = self.books.look_for_level(instrument, side, price);
        }
    }
}
