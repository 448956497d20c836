//! The state machine: sequenced inputs in, events out.

use spindle_feed::event::Phase;
use spindle_feed::quarantine::{Band, Quarantine, Verdict};
use spindle_feed::state::{InstrumentState, MarketCenter, WholeState};
use spindle_feed::top::{TopOfBook, TopReader, TopState, TopWriter, top_table};
use spindle_risk::Gate;
use spindle_types::{
    AccountId, EventTime, InstrumentId, MatchNumber, OrderReference, OrderToken, Price, Sequence,
    SessionId, Side, Symbol, keep,
};

use crate::book::{Best, Books, Capacity};
use crate::command::{AccountSettings, InstrumentSettings, TradingPhase};
use crate::counters::{CounterReader, Counters, Tally};
use crate::event::{Change, Event, Outcome};
use crate::instruments::Instruments;
use crate::ledger::{Imbalance, Row};
use crate::lookout::Lookout;
use crate::matching::{Extras, TAPE_FILLS_MAX};
use crate::own::OwnOrders;
use crate::publication::Publication;

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
            + Extras::bytes(self.own_orders, instruments)
            + self.outbox() * size_of::<Event>()
            + instruments
                * (size_of::<crate::instruments::Instrument>()
                    + size_of::<InstrumentState>()
                    + size_of::<Row>()
                    + 8
                    + 64)
    }

    /// Events for which there is room: more than one input can cause, see [`Engine::has_room`].
    pub(crate) fn outbox(&self) -> usize {
        8 * self.own_orders + TAPE_FILLS_MAX + 64
    }
}

/// The engine. It asks no clock, draws no random number and reads no file: the same inputs give the
/// same events.
#[derive(Debug, keep::State)]
#[keep(settle)]
pub struct Engine {
    pub(crate) books: Books,
    pub(crate) own: OwnOrders,
    pub(crate) extras: Extras,
    pub(crate) instruments: Instruments,
    pub(crate) gate: Gate,
    pub(crate) tops: TopWriter,
    #[keep(skip)]
    pub(crate) outbox: Vec<Event>,
    #[keep(skip)]
    pub(crate) outbox_max: usize,
    pub(crate) counters: Tally,
    pub(crate) ledgers: Box<[Row]>,
    pub(crate) imbalance: Option<Imbalance>,
    pub(crate) publication: Publication,
    pub(crate) time: EventTime,
    pub(crate) market_sequence: Sequence,
    pub(crate) phase: Option<Phase>,
    pub(crate) whole: WholeState,
    /// Whose operational halts count here.
    #[keep(skip)]
    pub(crate) center: MarketCenter,
    /// Whether market messages are missing and awaited.
    pub(crate) gap_open: bool,
    /// Whether nothing has come from the market for too long.
    pub(crate) feed_silent: bool,
    /// Whether everybody is stopped when the feed is silent or loses messages.
    #[keep(skip)]
    pub(crate) kills_on_stale: bool,
    #[keep(same)]
    pub(crate) quarantine: Option<Quarantine>,
    /// Messages that come soon.
    #[keep(skip)]
    pub(crate) lookout: Box<Lookout>,
    /// What was told, in a build that looks at itself.
    #[cfg(feature = "verify")]
    #[keep(skip)]
    pub(crate) told: crate::check::Ledger,
    pub(crate) sequence: u64,
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

impl Address {
    /// Everybody.
    pub(crate) const NOBODY: Self = Self {
        session: SessionId(u16::MAX),
        account: AccountId(u16::MAX),
        token: OrderToken(0),
        received: 0,
    };
}

impl Engine {
    /// An engine whose accounts and limits are those of `gate`, and a reader of its tops of book.
    pub fn new(config: &EngineConfig, mut gate: Gate) -> (Self, TopReader) {
        let capacity = config.capacity.clamped();
        gate.fit_instruments(capacity.instruments);
        let (tops, reader) = top_table(capacity.instruments);
        let outbox_max = config.outbox();
        let engine = Self {
            books: Books::new(capacity),
            own: OwnOrders::new(config.own_orders),
            extras: Extras::new(config.own_orders, capacity.instruments, gate.accounts()),
            instruments: Instruments::new(capacity.instruments),
            gate,
            tops,
            outbox: Vec::with_capacity(outbox_max),
            outbox_max,
            counters: Tally::default(),
            ledgers: vec![Row::default(); capacity.instruments].into_boxed_slice(),
            imbalance: None,
            publication: Publication::default(),
            time: EventTime(0),
            market_sequence: Sequence(0),
            phase: None,
            whole: WholeState::default(),
            center: MarketCenter::default(),
            gap_open: false,
            feed_silent: false,
            kills_on_stale: false,
            quarantine: None,
            lookout: Box::default(),
            #[cfg(feature = "verify")]
            told: crate::check::Ledger::default(),
            sequence: 0,
            next_reference: config.first_number,
            next_match: config.first_number,
        };
        (engine, reader)
    }

    /// Touches the memory of the books once, and that of strategies' orders with as many events as
    /// they can be cancelled by, so that the system has given every page before the first message
    /// needs it. To be called before the first input.
    pub fn warm_up(&mut self) {
        self.books.warm_up();
        let orders = self.own.capacity();
        self.own.warm_up();
        self.extras.list.resize(orders, (0, 0));
        self.extras.list.clear();
        if self.outbox.is_empty() {
            for _ in 0..orders {
                self.outbox.push(Event::NOTHING);
            }
            self.outbox.clear();
        }
    }

    /// Watches every market from now on: one that is crossed or leaves this band is put into
    /// quarantine, where its top of book is stale, no order is taken and the tape fills nothing.
    /// Without this nothing is watched. Allocates; to be called before the first input.
    pub fn watch(&mut self, band: Band) {
        self.quarantine = Some(Quarantine::new(self.books.instruments(), band));
    }

    /// Makes an instrument known, for a venue without a feed. False where the number is 0 or
    /// beyond the capacity.
    pub fn add_instrument(&mut self, instrument: InstrumentId, symbol: Symbol) -> bool {
        self.begin_book(instrument);
        let learnt = self.instruments.learn(instrument, symbol);
        if learnt {
            self.gate.learn(instrument, symbol);
            self.publish(instrument);
            self.see_directory(instrument);
        }
        learnt
    }

    /// Sets the steps of an instrument's prices and quantities, for orders that come from now on.
    /// They stay until a new session of the feed begins, without a feed for good. False where the
    /// instrument is unknown.
    pub fn set_instrument(
        &mut self,
        instrument: InstrumentId,
        settings: InstrumentSettings,
    ) -> bool {
        match self.instruments.get_mut(instrument) {
            Some(known) if known.known => known.steps = settings,
            _ => return false,
        }
        self.refresh(instrument);
        true
    }

    /// Sets how an account's orders behave from now on. False where the account lies outside the
    /// gate's table.
    pub fn set_account(&mut self, account: AccountId, settings: AccountSettings) -> bool {
        match self.extras.accounts.get_mut(account.index()) {
            Some(known) => {
                *known = settings;
                true
            }
            None => false,
        }
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

    /// Whether there is room for every event that one more input can cause. Each trade uses up an
    /// order or what an iceberg shows of it, and is told to two; besides that an order is told at
    /// most that it was triggered and that it is cancelled, and each instrument that an order was
    /// in what an auction would give. Icebergs can be refilled as often as there is room for orders.
    /// Trades with orders of the market are told to one, and there is a most of them.
    #[inline]
    pub fn has_room(&self) -> bool {
        let most = 6 * self.own.live() + 2 * self.own.capacity() + TAPE_FILLS_MAX + 32;
        self.outbox.len() + most <= self.outbox_max && self.has_room_for_notes()
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
    pub fn counters(&self) -> Counters {
        self.counters.read()
    }

    /// The same for any other thread, while this one counts.
    pub fn counter_reader(&self) -> CounterReader {
        self.counters.reader()
    }

    /// Strategies' orders that are open.
    pub fn own_orders(&self) -> usize {
        self.own.live()
    }

    /// Events told so far: the number of the last.
    #[inline]
    pub const fn told(&self) -> u64 {
        self.sequence
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
        if self.quarantine.is_some() {
            self.watch_market(instrument);
        }
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
    #[inline(always)]
    pub(crate) fn publish_side(&mut self, instrument: InstrumentId, side: Side) {
        if self.books.any_taken(instrument) || self.quarantine.is_some() {
            // The state may change with the price, or which level is the best that can be traded
            // against, on both sides.
            return self.publish(instrument);
        }
        let (price, size) = price_and_size(self.books.best(instrument, side));
        self.tops.write_side(instrument, side, price, size, self.market_sequence, self.time);
    }

    /// Does what the watch over a market says.
    #[inline]
    fn heed(&mut self, instrument: InstrumentId, verdict: Verdict) {
        if let Verdict::Entered(_) | Verdict::Released = verdict
            && let Some(known) = self.instruments.get_mut(instrument)
        {
            known.quarantined = verdict != Verdict::Released;
            let entered = known.quarantined;
            self.counters.quarantines.add(u64::from(entered));
            self.announce_at(instrument, Change::Quarantine { entered });
        }
    }

    /// Looks at the best prices of a market.
    #[inline]
    pub(crate) fn watch_market(&mut self, instrument: InstrumentId) {
        // While orders are collected, they may stand crossed.
        let trades = self.instruments.get(instrument).phase == TradingPhase::Continuous;
        if let Some(quarantine) = &mut self.quarantine
            && trades
        {
            let price = |side| self.books.best(instrument, side).map(|best| best.price);
            let verdict = quarantine.observe(instrument, price(Side::Buy), price(Side::Sell));
            self.heed(instrument, verdict);
        }
    }

    /// Looks at a print of the market.
    #[inline]
    pub(crate) fn watch_trade(&mut self, instrument: InstrumentId, price: Price) {
        if let Some(quarantine) = &mut self.quarantine {
            let verdict = quarantine.observe_trade(instrument, price);
            if verdict != Verdict::Sound {
                self.heed(instrument, verdict);
                self.tops.set_state(instrument, self.top_state(instrument));
            }
        }
    }

    /// Forgets where a market was: after a halt it may open anywhere.
    pub(crate) fn forget_anchor(&mut self, instrument: InstrumentId) {
        if let Some(quarantine) = &mut self.quarantine {
            quarantine.reset(instrument, None);
            if let Some(known) = self.instruments.get_mut(instrument)
                && std::mem::take(&mut known.quarantined)
            {
                self.announce_at(instrument, Change::Quarantine { entered: false });
            }
        }
    }

    /// Forgets where all markets were.
    pub(crate) fn forget_anchors(&mut self) {
        if let Some(quarantine) = &mut self.quarantine {
            quarantine.clear();
        }
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

    /// The next numbers that are given: of a reference and of a match.
    pub(crate) const fn next_numbers(&self) -> (u64, u64) {
        (self.next_reference, self.next_match)
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
