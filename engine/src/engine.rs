//! The state machine: sequenced inputs in, events out.

use spindle_feed::event::Phase;
use spindle_feed::top::{TopOfBook, TopReader, TopState, TopWriter, top_table};
use spindle_risk::Gate;
use spindle_types::{
    AccountId, EventTime, InstrumentId, MatchNumber, OrderReference, OrderToken, Sequence,
    SessionId, Side, Symbol,
};

use crate::book::{Best, Books, Capacity};
use crate::event::{Event, Outcome};
use crate::instruments::Instruments;
use crate::own::OwnOrders;

/// What an engine is made for.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// What the books hold, orders of the market and of strategies together.
    pub capacity: Capacity,
    /// Strategies' orders that are open at once.
    pub own_orders: usize,
    /// The first reference and match number that the engine gives. Beside a feed it must lie above
    /// all numbers of the feed, which [`EngineConfig::BESIDE_A_FEED`] does.
    pub first_number: u64,
}

impl EngineConfig {
    /// A first number above all that a feed uses in a day.
    pub const BESIDE_A_FEED: u64 = 1 << 62;

    /// Bytes of memory that the engine takes, at the start and once.
    pub fn bytes(&self) -> usize {
        let instruments = self.capacity.clamped().instruments;
        self.capacity.bytes()
            + self.own_orders * size_of::<crate::own::OwnOrder>()
            + self.outbox() * size_of::<Event>()
            + instruments * (size_of::<crate::instruments::Instrument>() + 8 + 64)
    }

    /// Events for which there is room: more than one input can cause. Each open order is told at
    /// most two things by one input, and the order that comes at most one more than those it meets.
    pub(crate) fn outbox(&self) -> usize {
        4 * self.own_orders + 64
    }
}

/// What has happened so far, by count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Market messages.
    pub market_messages: u64,
    /// Market messages that name an order which the book does not have.
    pub unknown_references: u64,
    /// Market messages that add an order under a reference that lives or that no venue gives, or
    /// without shares: that book is then stale.
    pub duplicate_references: u64,
    /// Executions and cancels of more shares than the order had; it is taken out.
    pub excess_reductions: u64,
    /// Adds that found a table full, or an instrument number beyond the capacity: that book is then
    /// stale.
    pub beyond_capacity: u64,
    /// Commands of strategies.
    pub commands: u64,
    /// Orders accepted, replacements included.
    pub accepted: u64,
    /// Requests refused.
    pub rejected: u64,
    /// Executions of strategies' orders, each side counted.
    pub executions: u64,
    /// Shares of strategies' orders executed, each side counted.
    pub executed_shares: u64,
}

/// Shares by which the run has left the tape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Divergence {
    /// Shares of market orders that strategies took.
    pub taken: u64,
    /// Shares that strategies' orders were given in front of what the tape did.
    pub filled_ahead: u64,
    /// Shares that the tape executed or cancelled although strategies had taken them.
    pub displaced: u64,
}

/// The engine. It asks no clock, draws no random number and reads no file: the same inputs give the
/// same events.
#[derive(Debug)]
pub struct Engine {
    pub(crate) books: Books,
    pub(crate) own: OwnOrders,
    pub(crate) instruments: Instruments,
    pub(crate) gate: Gate,
    pub(crate) tops: TopWriter,
    pub(crate) outbox: Vec<Event>,
    outbox_max: usize,
    pub(crate) counters: Counters,
    pub(crate) divergence: Divergence,
    pub(crate) time: EventTime,
    pub(crate) market_sequence: Sequence,
    pub(crate) phase: Option<Phase>,
    /// Whether market messages are missing and awaited.
    pub(crate) gap_open: bool,
    sequence: u64,
    next_reference: u64,
    next_match: u64,
}

/// To whom an event goes, and what of the request comes back in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) session: SessionId,
    pub(crate) account: AccountId,
    pub(crate) token: OrderToken,
    pub(crate) received: u64,
}

impl Engine {
    /// An engine whose accounts and limits are those of `gate`, and a reader of its tops of book.
    pub fn new(config: &EngineConfig, gate: Gate) -> (Self, TopReader) {
        let capacity = config.capacity.clamped();
        let (tops, reader) = top_table(capacity.instruments);
        let outbox_max = config.outbox();
        let engine = Self {
            books: Books::new(capacity),
            own: OwnOrders::new(config.own_orders),
            instruments: Instruments::new(capacity.instruments),
            gate,
            tops,
            outbox: Vec::with_capacity(outbox_max),
            outbox_max,
            counters: Counters::default(),
            divergence: Divergence::default(),
            time: EventTime(0),
            market_sequence: Sequence(0),
            phase: None,
            gap_open: false,
            sequence: 0,
            next_reference: config.first_number,
            next_match: config.first_number,
        };
        (engine, reader)
    }

    /// Touches the memory of the books once, so that the system has given every page before the
    /// first message needs it.
    pub fn warm_up(&mut self) {
        self.books.warm_up();
    }

    /// Makes an instrument known, for a venue without a feed. False where the number is 0 or
    /// beyond the capacity.
    pub fn add_instrument(&mut self, instrument: InstrumentId, symbol: Symbol) -> bool {
        let learnt = self.instruments.learn(instrument, symbol);
        if learnt {
            self.publish(instrument);
        }
        learnt
    }

    /// The events since the outbox was last cleared, in order.
    #[inline]
    pub fn outbox(&self) -> &[Event] {
        &self.outbox
    }

    /// Forgets the events that have been handed on.
    #[inline]
    pub fn clear_outbox(&mut self) {
        self.outbox.clear();
    }

    /// Forgets the first events, which have been handed on.
    #[inline]
    pub fn forget_events(&mut self, count: usize) {
        self.outbox.drain(..count);
    }

    /// Whether there is room for every event that one more input can cause.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.outbox.len() + 2 * self.own.live() + 32 <= self.outbox_max
    }

    /// The books.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// The instruments.
    pub fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// By how many shares the run has left the tape.
    pub fn divergence(&self) -> &Divergence {
        &self.divergence
    }

    /// Strategies' orders that are open.
    pub fn own_orders(&self) -> usize {
        self.own.live()
    }

    /// Time of the last input.
    pub fn time(&self) -> EventTime {
        self.time
    }

    /// Writes the top of an instrument's book into its cell.
    #[inline]
    pub(crate) fn publish(&mut self, instrument: InstrumentId) {
        let bid = self.books.best(instrument, Side::Buy);
        let ask = self.books.best(instrument, Side::Sell);
        let (bid_price, bid_size) = price_and_size(bid);
        let (ask_price, ask_size) = price_and_size(ask);
        let top = TopOfBook {
            bid_price,
            bid_size,
            ask_price,
            ask_size,
            state: self.top_state(instrument),
            sequence: self.market_sequence,
            time: self.time,
        };
        self.tops.write(instrument, &top);
    }

    /// Writes one side of the top of an instrument's book into its cell: all that changes when the
    /// market adds to a level or takes from it. The other side and the state stay as they are.
    #[inline]
    pub(crate) fn publish_side(&mut self, instrument: InstrumentId, side: Side) {
        if self.books.any_taken() {
            // Which level is the best that can be traded against may have changed on both sides.
            return self.publish(instrument);
        }
        let (price, size) = price_and_size(self.books.best(instrument, side));
        self.tops.write_side(instrument, side, price, size, self.market_sequence, self.time);
    }

    /// What readers of an instrument's top are told.
    #[inline]
    pub(crate) fn top_state(&self, instrument: InstrumentId) -> TopState {
        if self.is_closed() {
            TopState::Closed
        } else {
            self.instruments.get(instrument).top_state()
        }
    }

    /// Whether the venue takes no more orders today.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.phase, Some(Phase::EndOfSystemHours | Phase::EndOfMessages))
    }

    /// Writes an event. The outbox has room: the duty cycle asks [`Engine::has_room`] before an
    /// input, so nothing is allocated here.
    #[inline]
    pub(crate) fn emit(&mut self, to: Address, outcome: Outcome) {
        self.sequence += 1;
        debug_assert!(self.outbox.len() < self.outbox_max, "an input without room for its events");
        self.outbox.push(Event {
            sequence: self.sequence,
            time: self.time,
            session: to.session,
            account: to.account,
            token: to.token,
            received: to.received,
            queued: 0,
            outcome,
        });
    }

    pub(crate) fn next_reference(&mut self) -> OrderReference {
        self.next_reference += 1;
        OrderReference(self.next_reference - 1)
    }

    pub(crate) fn next_match(&mut self) -> MatchNumber {
        self.next_match += 1;
        MatchNumber(self.next_match - 1)
    }
}

#[inline]
fn price_and_size(best: Option<Best>) -> (spindle_types::Price, u64) {
    best.map_or((spindle_types::Price(0), 0), |best| (best.price, best.quantity))
}
