//! What everybody may see of the books, as it changes: for a feed that the venue publishes itself.
//!
//! The engine notes every change of a displayed queue where it happens, as a plain value; somebody else makes
//! messages of them. It remembers of every order how many shares everybody has seen, and a note is the
//! difference from that, so the notes of a day make up the displayed books exactly. Hidden orders are never
//! noted, of an iceberg only what it shows, of an order of the outside market what strategies have not
//! taken. Without publication nothing is noted, and an input pays a branch for each order it changes.

use spindle_feed::event::{Cross, Phase, TradingState};
use spindle_feed::state::Reason;
use spindle_types::{
    EventTime, InstrumentId, MatchNumber, OrderReference, Price, Quantity, Side, Symbol, keep,
};

use crate::book::{OrderKey, Slot};
use crate::command::TradingPhase;
use crate::engine::Engine;
use crate::event::Auction;

/// One thing that everybody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it happened, in the engine's sequenced time.
    pub time: EventTime,
    /// The instrument; 0 for the whole market.
    pub instrument: InstrumentId,
    /// What happened.
    pub what: Sight,
}

/// What everybody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// An order is displayed, at the back of its price.
    Added {
        /// What it is known by here until it is gone; then another order may have the number.
        slot: u32,
        /// The number under which its session, or the outside market, knows it; `None` where that
        /// has been displayed before: a further slice of an iceberg, an order that was re-priced, a stop
        /// that was triggered.
        reference: Option<OrderReference>,
        /// Its side.
        side: Side,
        /// Shares that it shows.
        quantity: Quantity,
        /// Its price.
        price: Price,
    },
    /// Displayed shares were executed.
    Executed {
        /// The order.
        slot: u32,
        /// Shares.
        quantity: Quantity,
        /// Shares that it still shows; with none it is gone.
        left: Quantity,
        /// The number that both sides share.
        match_number: MatchNumber,
        /// The price where it is another than the order's.
        price: Option<Price>,
        /// Whether it counts as volume: shares of an auction are told in its cross.
        printable: bool,
    },
    /// Displayed shares were taken off; the order keeps its place.
    Reduced {
        /// The order.
        slot: u32,
        /// Shares.
        quantity: Quantity,
    },
    /// An order is not displayed any more.
    Deleted {
        /// The order.
        slot: u32,
        /// Whether another takes its place within the same request.
        replaced: bool,
    },
    /// Shares of an order that was not displayed were executed.
    Trade {
        /// Shares.
        quantity: Quantity,
        /// At which price.
        price: Price,
        /// The number that both sides share.
        match_number: MatchNumber,
    },
    /// An auction is held.
    Cross {
        /// Shares.
        quantity: u64,
        /// Its price.
        price: Price,
        /// Which.
        kind: Cross,
        /// Its number.
        match_number: MatchNumber,
    },
    /// An instrument is known.
    Directory {
        /// Its symbol.
        symbol: Symbol,
        /// Shares that an order's quantity is a multiple of.
        round_lot: u32,
    },
    /// Whether an instrument is traded.
    Status {
        /// The state.
        state: TradingState,
        /// Why, where the outside market says.
        reason: Reason,
    },
    /// The phase of the outside market's day.
    Day(Phase),
    /// All books are empty: a new session of the outside market begins.
    Cleared,
    /// All that one input has caused stands before this, behind the one before. It is noted where inputs are recorded.
    Input {
        /// The frame in which the journal has the input: see [`Tap`](crate::tap::Tap).
        frame: u64,
    },
}

/// Why displayed shares become fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// They were taken off.
    Canceled,
    /// Another order takes the place of this one.
    Replaced,
    /// They were executed at the order's price or another.
    Executed { match_number: MatchNumber, price: Price, printable: bool },
}

/// What has been noted, and what everybody has seen. What was noted and not handed on yet is no part of its state: whoever
/// keeps that has handed on all.
#[derive(Debug, Default, keep::State)]
pub(crate) struct Publication {
    /// Whether anything is noted.
    pub(crate) is_on: bool,
    /// Whether notes were lost.
    is_broken: bool,
    #[keep(skip)]
    notes: Vec<Seen>,
    #[keep(skip)]
    notes_max: usize,
    /// Shares that everybody has seen, by slot.
    sizes: Box<[u32]>,
    /// The order that was accepted last, and the number its session was told.
    fresh: Option<(OrderKey, OrderReference)>,
    /// The execution that the outside market has just told, while its message is carried out.
    #[keep(skip)]
    tape: Option<Cause>,
    /// Whether what is executed is told in a cross.
    is_crossing: bool,
    /// Numbers given to executions of the outside market.
    matches: u64,
}

impl Publication {
    /// A number for what the outside market executed, beyond all that the engine gives.
    fn next_match(&mut self) -> MatchNumber {
        self.matches += 1;
        MatchNumber(FOREIGN_MATCHES + self.matches)
    }

    fn note(&mut self, time: EventTime, instrument: InstrumentId, what: Sight) {
        if self.notes.len() < self.notes_max {
            self.notes.push(Seen { time, instrument, what });
        } else {
            // More than one input can cause by any count: the feed ends here.
            (self.is_on, self.is_broken) = (false, true);
        }
    }
}

/// Where the numbers of executions begin that the engine did not make.
const FOREIGN_MATCHES: u64 = 3 << 61;

/// Notes for which there is room, beside those that one input can cause.
const NOTES_SPARE: usize = 64;

impl Engine {
    /// Notes from now on what everybody may see. To be called before the first order; instruments that are known are
    /// noted at once. Allocates.
    pub fn publish_books(&mut self) {
        // A trade uses up what one order shows and may bring up a new slice; besides that an order is
        // taken out and put in again, at most a few times an input.
        let notes_max = 4 * self.outbox_max + 2 * self.books.instruments() + NOTES_SPARE;
        self.publication = Publication {
            is_on: true,
            // One more for the end of an input behind the last that there is room for.
            notes: Vec::with_capacity(notes_max + 1),
            notes_max,
            sizes: vec![0; self.books.slots()].into_boxed_slice(),
            ..Publication::default()
        };
        for number in 0..self.books.instruments() {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            let instrument = InstrumentId(number as u16);
            if self.instruments.is_known(instrument) {
                self.see_directory(instrument);
            }
        }
    }

    /// What everybody may see and has not been handed on, in order.
    #[inline]
    pub fn seen(&self) -> &[Seen] {
        &self.publication.notes
    }

    /// Forgets the first notes, which have been handed on.
    #[inline]
    pub fn forget_seen(&mut self, count: usize) {
        self.publication.notes.drain(..count);
    }

    /// What was noted since this was called last follows from the input that the journal has in this frame.
    #[inline]
    pub(crate) fn see_input(&mut self, frame: u64) {
        let time = self.time;
        let Publication { notes, notes_max, .. } = &mut self.publication;
        let has_more = notes.last().is_some_and(|last| !matches!(last.what, Sight::Input { .. }));
        if has_more && notes.len() <= *notes_max {
            let (instrument, what) = (InstrumentId(0), Sight::Input { frame });
            notes.push(Seen { time, instrument, what });
        }
    }

    /// Whether notes were lost because one input caused more than there is room for. Nothing is noted
    /// any more then.
    pub fn is_publication_broken(&self) -> bool {
        self.publication.is_broken
    }

    /// Whether there is room for the notes that one more input can cause.
    #[inline]
    pub(crate) fn has_room_for_notes(&self) -> bool {
        let publication = &self.publication;
        publication.notes.len() <= publication.notes_max / 2
    }

    #[inline]
    pub(crate) fn see(&mut self, instrument: InstrumentId, what: Sight) {
        if self.publication.is_on {
            self.publication.note(self.time, instrument, what);
        }
    }

    /// A session was told this number of its order.
    #[inline]
    pub(crate) fn see_accepted(&mut self, key: OrderKey, reference: OrderReference) {
        if self.publication.is_on {
            self.publication.fresh = Some((key, reference));
        }
    }

    /// The outside market executes shares of an order of its own, at that order's price or another.
    #[inline]
    pub(crate) fn see_tape_execution(&mut self, price: Option<Price>, printable: bool) {
        if self.publication.is_on {
            let match_number = self.publication.next_match();
            // 0 stands for the order's own price.
            let price = price.unwrap_or(Price(0));
            self.publication.tape = Some(Cause::Executed { match_number, price, printable });
        }
    }

    /// What the outside market executes is carried out.
    #[inline]
    pub(crate) fn see_tape_done(&mut self) {
        self.publication.tape = None;
    }

    /// The outside market tells a trade with an order that it did not display.
    #[inline]
    pub(crate) fn see_tape_trade(
        &mut self,
        instrument: InstrumentId,
        quantity: Quantity,
        price: Price,
    ) {
        if self.publication.is_on {
            let match_number = self.publication.next_match();
            self.see(instrument, Sight::Trade { quantity, price, match_number });
        }
    }

    /// The outside market tells what its cross printed.
    pub(crate) fn see_tape_cross(
        &mut self,
        instrument: InstrumentId,
        quantity: u64,
        price: Price,
        kind: Cross,
    ) {
        if self.publication.is_on {
            let match_number = self.publication.next_match();
            self.see(instrument, Sight::Cross { quantity, price, kind, match_number });
        }
    }

    /// An auction is held: what is executed until it is over is told in its cross.
    pub(crate) fn see_auction(
        &mut self,
        instrument: InstrumentId,
        kind: Auction,
        price: Price,
        quantity: u64,
    ) {
        if self.publication.is_on {
            let match_number = self.publication.next_match();
            let kind = match kind {
                Auction::Opening => Cross::Opening,
                Auction::Halt => Cross::Halt,
                Auction::Closing => Cross::Closing,
            };
            self.see(instrument, Sight::Cross { quantity, price, kind, match_number });
            self.publication.is_crossing = true;
        }
    }

    /// The auction is over.
    pub(crate) fn see_auction_over(&mut self) {
        self.publication.is_crossing = false;
    }

    /// Orders are executed in a cross that is told by itself, from now on or no longer.
    pub(crate) fn see_crossing(&mut self, begins: bool) {
        self.publication.is_crossing = begins;
    }

    /// An instrument is known, with its state.
    pub(crate) fn see_directory(&mut self, instrument: InstrumentId) {
        if self.publication.is_on {
            let known = self.instruments.get(instrument);
            let what = Sight::Directory { symbol: known.symbol, round_lot: known.steps.lot.max(1) };
            self.see(instrument, what);
            self.see_status(instrument);
        }
    }

    /// Whether an instrument is traded has changed.
    pub(crate) fn see_status(&mut self, instrument: InstrumentId) {
        if !self.publication.is_on {
            return;
        }
        let known = self.instruments.get(instrument);
        let state = match known.phase {
            TradingPhase::Continuous => known.trading,
            TradingPhase::Halted | TradingPhase::Closed => TradingState::Halted,
            TradingPhase::Paused => TradingState::Paused,
            TradingPhase::PreOpen | TradingPhase::PreClose => TradingState::QuotationOnly,
        };
        let reason = self.instruments.state(instrument).reason;
        self.see(instrument, Sight::Status { state, reason });
    }

    /// All books are empty.
    pub(crate) fn see_cleared(&mut self) {
        if self.publication.is_on {
            self.publication.sizes.fill(0);
            self.see(InstrumentId(0), Sight::Cleared);
        }
    }

    /// An order that stands has changed, or has just come to stand.
    #[inline]
    pub(crate) fn see_order(&mut self, slot: Slot, cause: Cause) {
        if self.publication.is_on {
            self.see_order_now(slot, cause, false);
        }
    }

    /// An order is about to leave its place.
    #[inline]
    pub(crate) fn see_leaving(&mut self, slot: Slot, cause: Cause) {
        if self.publication.is_on {
            self.see_order_now(slot, cause, true);
        }
    }

    /// An order that is not displayed is executed.
    #[inline]
    pub(crate) fn see_hidden_execution(
        &mut self,
        instrument: InstrumentId,
        quantity: Quantity,
        price: Price,
        match_number: MatchNumber,
    ) {
        if self.publication.is_on && !self.publication.is_crossing {
            let what = Sight::Trade { quantity, price, match_number };
            self.publication.note(self.time, instrument, what);
        }
    }

    #[inline(never)]
    fn see_order_now(&mut self, slot: Slot, cause: Cause, leaves: bool) {
        let order = self.books.order(slot);
        let (instrument, side, key) = (order.instrument(), order.side(), order.key());
        let is_displayed = !self.books.is_parked(slot);
        let now = if is_displayed && !leaves { order.available() } else { 0 };
        let price = if is_displayed { self.books.price_of(slot) } else { Price(0) };
        let publication = &mut self.publication;
        let before = std::mem::replace(&mut publication.sizes[slot as usize], now);
        let cause = match cause {
            Cause::Canceled => publication.tape.unwrap_or(cause),
            cause => cause,
        };
        if now < before {
            let (quantity, left) = (Quantity(before - now), Quantity(now));
            let is_crossing = publication.is_crossing;
            let what = match cause {
                Cause::Executed { match_number, price: at, printable } => {
                    let at = if at == Price(0) { price } else { at };
                    let printable = printable && !is_crossing;
                    let other = (at != price || !printable).then_some(at);
                    Sight::Executed { slot, quantity, left, match_number, price: other, printable }
                }
                Cause::Canceled | Cause::Replaced if now > 0 => Sight::Reduced { slot, quantity },
                Cause::Canceled => Sight::Deleted { slot, replaced: false },
                Cause::Replaced => Sight::Deleted { slot, replaced: true },
            };
            publication.note(self.time, instrument, what);
        }
        if now > before {
            if before > 0 {
                // A queue does not show that an order has grown in its place.
                let what = Sight::Deleted { slot, replaced: true };
                publication.note(self.time, instrument, what);
            }
            let told = publication.fresh.take_if(|(of, _)| *of == key);
            let reference = key.reference().or(told.map(|(_, reference)| reference));
            let what = Sight::Added { slot, reference, side, quantity: Quantity(now), price };
            publication.note(self.time, instrument, what);
        }
    }
}
