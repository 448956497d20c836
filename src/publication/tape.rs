//! What everybody may see of the books, as messages of ITCH 5.0: notes of the engine in, messages out.
//! No socket and no clock.
//!
//! An order is known to the engine by its slot, and to everybody by a reference that is used once a day. An order that its
//! session was told a number for has that number when it is displayed first; whatever comes to be displayed
//! again (the next slice of an iceberg, an order that was re-priced, a stop that was triggered) gets one of its own.

use spindle_engine::publication::{Seen, Sight};
use spindle_feed::event::{MarketAction, MarketEvent, Phase};
use spindle_replay::publish::Encoder;
use spindle_types::{EventTime, InstrumentId, OrderReference, Price, Quantity, Side, Symbol, keep};

/// Where the numbers begin that no session and no outside market gave.
const OWN_REFERENCES: u64 = 3 << 61;

/// Makes the messages.
#[derive(keep::State)]
pub struct BookTape {
    encoder: Encoder,
    /// The order that each slot displays; 0 for none.
    references: Box<[u64]>,
    sides: Box<[Side]>,
    given: u64,
    /// An order that is gone, and whose place another may be about to take.
    held: Option<Held>,
    time: EventTime,
}

#[derive(Clone, Copy, keep::Value)]
struct Held {
    time: EventTime,
    instrument: InstrumentId,
    reference: OrderReference,
    side: Side,
}

impl BookTape {
    /// A day that begins, for books with so many slots.
    pub fn new(slots: usize) -> Self {
        Self {
            encoder: Encoder::new(),
            references: vec![0; slots].into(),
            sides: vec![Side::Buy; slots].into(),
            given: 0,
            held: None,
            time: EventTime(0),
        }
    }

    /// The time of the last note.
    pub const fn time(&self) -> EventTime {
        self.time
    }

    /// A phase of the day begins.
    pub fn phase(&mut self, time: EventTime, phase: Phase, out: &mut impl FnMut(&[u8])) {
        self.time = self.time.max(time);
        self.flush(out);
        self.tell(self.time, InstrumentId(0), MarketAction::Phase { phase }, out);
    }

    /// Tells what a note says. What it says may wait for the next note: see [`BookTape::flush`].
    pub fn take(&mut self, seen: &Seen, out: &mut impl FnMut(&[u8])) {
        let Seen { time, instrument, what } = *seen;
        if let Sight::Input { .. } = what {
            return self.flush(out);
        }
        // The feed's time never goes back, though an engine's input may bring an earlier one.
        self.time = self.time.max(time);
        let time = self.time;
        if let Sight::Added { slot, reference, side, quantity, price } = what {
            return self.added(instrument, slot, reference, (side, quantity, price), out);
        }
        self.flush(out);
        let action = match what {
            Sight::Added { .. } | Sight::Input { .. } => return,
            Sight::Executed { slot, quantity, left, match_number, price, printable } => {
                let reference = self.reference(slot);
                if left.is_zero() {
                    self.references[slot as usize] = 0;
                }
                match price {
                    None => MarketAction::Execute { reference, quantity, match_number },
                    Some(price) => MarketAction::ExecuteAt {
                        reference,
                        quantity,
                        match_number,
                        price,
                        printable,
                    },
                }
            }
            Sight::Reduced { slot, quantity } => {
                MarketAction::Reduce { reference: self.reference(slot), quantity }
            }
            Sight::Deleted { slot, replaced } => {
                let (reference, side) = (self.reference(slot), self.sides[slot as usize]);
                self.references[slot as usize] = 0;
                if replaced {
                    self.held = Some(Held { time, instrument, reference, side });
                    return;
                }
                MarketAction::Delete { reference }
            }
            Sight::Trade { quantity, price, match_number } => {
                MarketAction::Trade { quantity, price, match_number }
            }
            Sight::Cross { quantity, price, kind, match_number } => {
                MarketAction::Cross { quantity, price, kind, match_number }
            }
            Sight::Directory { symbol, round_lot } => MarketAction::Directory { symbol, round_lot },
            Sight::Status { state, reason } => MarketAction::Status { state, reason },
            Sight::Day(phase) => MarketAction::Phase { phase },
            Sight::Cleared => return self.clear(time, out),
        };
        self.tell(time, instrument, action, out);
    }

    /// Tells what waits for a note that has not come.
    pub fn flush(&mut self, out: &mut impl FnMut(&[u8])) {
        if let Some(Held { time, instrument, reference, .. }) = self.held.take() {
            self.tell(time, instrument, MarketAction::Delete { reference }, out);
        }
    }

    fn added(
        &mut self,
        instrument: InstrumentId,
        slot: u32,
        told: Option<OrderReference>,
        (side, quantity, price): (Side, Quantity, Price),
        out: &mut impl FnMut(&[u8]),
    ) {
        let reference = told.unwrap_or_else(|| {
            self.given += 1;
            OrderReference(OWN_REFERENCES + self.given)
        });
        let replaced = self.held.take_if(|held| held.instrument == instrument && held.side == side);
        self.flush(out);
        self.references[slot as usize] = reference.0;
        self.sides[slot as usize] = side;
        let action = match replaced {
            Some(held) => {
                let new_reference = reference;
                MarketAction::Replace { reference: held.reference, new_reference, quantity, price }
            }
            None => {
                // The encoder knows the symbol from the directory.
                let symbol = self.encoder.symbol(instrument).unwrap_or(Symbol::BLANK);
                MarketAction::Add { reference, side, quantity, price, symbol }
            }
        };
        self.tell(self.time, instrument, action, out);
    }

    /// Every order that is displayed is gone.
    fn clear(&mut self, time: EventTime, out: &mut impl FnMut(&[u8])) {
        for slot in 0..self.references.len() {
            let reference = std::mem::take(&mut self.references[slot]);
            if reference != 0 {
                let reference = OrderReference(reference);
                self.tell(time, InstrumentId(0), MarketAction::Delete { reference }, out);
            }
        }
    }

    fn reference(&self, slot: u32) -> OrderReference {
        let reference = self.references[slot as usize];
        debug_assert!(reference != 0, "the engine notes what was displayed");
        OrderReference(reference)
    }

    fn tell(
        &mut self,
        time: EventTime,
        instrument: InstrumentId,
        action: MarketAction,
        out: &mut impl FnMut(&[u8]),
    ) {
        if let Some(message) = self.encoder.encode(&MarketEvent { time, instrument, action }) {
            out(message);
        }
    }
}
