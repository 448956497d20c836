//! A population of live orders over many instruments, and messages that keep it.

use std::collections::BTreeMap;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use spindle_engine::Engine;
use spindle_feed::itch::{
    AddOrder, Header, OrderCancel, OrderDelete, OrderExecuted, OrderReplace, StockDirectory,
};
use spindle_types::{InstrumentId, Sequence, Side};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// Prices a side, a cent apart. Those near the middle have most of the orders.
const DEPTH: u64 = 80;
/// The best bid of every instrument is below, the best ask above: 100 dollars.
const MIDDLE: u32 = 1_000_000;
const CENT: u32 = 100;

#[derive(Clone, Copy)]
struct Live {
    reference: u64,
    price: u32,
    shares: u32,
    instrument: u16,
    side: Side,
}

/// Messages on the wire, one behind the other.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each message begins, and the end of the last.
    starts: Vec<usize>,
}

impl Batch {
    fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
        self.starts.push(0);
    }

    fn put(&mut self, message: &(impl IntoBytes + Immutable)) {
        self.bytes.extend_from_slice(message.as_bytes());
        self.starts.push(self.bytes.len());
    }

    /// Messages in it.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies all messages; `first` is the number of the first of them in its stream.
    ///
    /// # Panics
    /// One that cannot be decoded.
    #[inline(never)]
    pub fn apply(&self, engine: &mut Engine, first: u64) {
        engine.on_messages(
            self.len(),
            |at| Sequence(first + at as u64),
            |at| (&self.bytes[self.starts[at]..], self.starts[at + 1] - self.starts[at]),
            |_, _, decoded| assert_eq!(decoded, Ok(()), "a message of the population"),
        );
    }
}

/// Orders that live, and the source of what happens to them. Any order that lives is equally
/// likely to be the next that something happens to: for caches that is worse than a real day, where
/// most of what goes came lately.
pub struct Population {
    random: Xoshiro256PlusPlus,
    instruments: u16,
    target: usize,
    live: Vec<Live>,
    reference: u64,
    time: u64,
}

impl Population {
    /// A population that grows to `target` orders over instruments 1 to `instruments`.
    pub fn new(seed: u64, instruments: u16, target: usize) -> Self {
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            instruments,
            target,
            live: Vec::with_capacity(target + 1),
            reference: 0,
            time: 34_200_000_000_000,
        }
    }

    /// Orders that live after all messages so far.
    pub fn live(&self) -> usize {
        self.live.len()
    }

    #[allow(clippy::cast_possible_truncation, reason = "the product's high half is below bound")]
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.random.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Below `bound`, and more often low: half of all draws are in the first quarter.
    fn low(&mut self, bound: u64) -> u64 {
        let draw = self.below(1 << 32);
        ((u128::from(draw * draw) * u128::from(bound)) >> 64) as u64
    }

    #[allow(clippy::cast_possible_truncation, reason = "below 2^32")]
    fn shares(&mut self) -> u32 {
        1 + self.below(500) as u32
    }

    #[allow(clippy::cast_possible_truncation, reason = "below 80")]
    fn price(&mut self, side: Side) -> u32 {
        let depth = CENT * (1 + self.low(DEPTH) as u32);
        if side == Side::Buy { MIDDLE - depth } else { MIDDLE + depth }
    }

    fn next_reference(&mut self) -> u64 {
        // Numbers of a venue grow, with gaps.
        self.reference += 1 + self.below(3);
        self.reference
    }

    fn header(&mut self, message_type: u8, instrument: u16) -> Header {
        self.time += 1_000;
        Header::new(message_type, instrument, self.time)
    }

    /// The directory of the day.
    pub fn directory(&mut self, batch: &mut Batch) {
        batch.clear();
        for instrument in 1..=self.instruments {
            let mut message = StockDirectory::new_zeroed();
            message.header = self.header(StockDirectory::TYPE, instrument);
            message.stock = stock(instrument);
            batch.put(&message);
        }
    }

    /// The next adds, at most `count`, as long as the population has not its size.
    pub fn grow(&mut self, batch: &mut Batch, count: usize) {
        batch.clear();
        for _ in 0..count.min(self.target.saturating_sub(self.live.len())) {
            self.add(batch);
        }
    }

    /// The next `count` messages, which keep the population: 42 % adds and as many deletes, 9 %
    /// replaces, 5 % executions, half of them of all that an order has, 2 % partial cancels.
    pub fn keep(&mut self, batch: &mut Batch, count: usize) {
        batch.clear();
        for _ in 0..count {
            let missing = self.live.len() < self.target;
            match self.below(100) {
                _ if self.live.is_empty() => self.add(batch),
                0..84 if missing => self.add(batch),
                0..84 => self.delete(batch),
                84..93 => self.replace(batch),
                93..98 => self.execute(batch),
                _ => self.cancel(batch),
            }
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "below the bounds given")]
    fn add(&mut self, batch: &mut Batch) {
        let instrument = 1 + self.low(self.instruments.into()) as u16;
        let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
        let reference = self.next_reference();
        let (price, shares) = (self.price(side), self.shares());
        batch.put(&AddOrder {
            header: self.header(AddOrder::TYPE, instrument),
            reference: reference.into(),
            side: if side == Side::Buy { b'B' } else { b'S' },
            shares: shares.into(),
            stock: stock(instrument),
            price: price.into(),
        });
        self.live.push(Live { reference, price, shares, instrument, side });
    }

    #[allow(clippy::cast_possible_truncation, reason = "below the number of live orders")]
    fn any(&mut self) -> usize {
        self.below(self.live.len() as u64) as usize
    }

    fn delete(&mut self, batch: &mut Batch) {
        let at = self.any();
        let gone = self.live.swap_remove(at);
        let header = self.header(OrderDelete::TYPE, gone.instrument);
        batch.put(&OrderDelete { header, reference: gone.reference.into() });
    }

    fn replace(&mut self, batch: &mut Batch) {
        let at = self.any();
        let old = self.live[at];
        let (reference, price, shares) =
            (self.next_reference(), self.price(old.side), self.shares());
        batch.put(&OrderReplace {
            header: self.header(OrderReplace::TYPE, old.instrument),
            reference: old.reference.into(),
            new_reference: reference.into(),
            shares: shares.into(),
            price: price.into(),
        });
        self.live[at] = Live { reference, price, shares, ..old };
    }

    #[allow(clippy::cast_possible_truncation, reason = "at most an order's shares")]
    fn part(&mut self, of: Live) -> u32 {
        1 + self.below(of.shares.into()) as u32
    }

    fn execute(&mut self, batch: &mut Batch) {
        let at = self.any();
        let order = self.live[at];
        let part = if self.below(2) == 0 { order.shares } else { self.part(order) };
        batch.put(&OrderExecuted {
            header: self.header(OrderExecuted::TYPE, order.instrument),
            reference: order.reference.into(),
            shares: part.into(),
            match_number: order.reference.into(),
        });
        self.take_off(at, part);
    }

    fn cancel(&mut self, batch: &mut Batch) {
        let at = self.any();
        let order = self.live[at];
        let part = self.part(order);
        batch.put(&OrderCancel {
            header: self.header(OrderCancel::TYPE, order.instrument),
            reference: order.reference.into(),
            shares: part.into(),
        });
        self.take_off(at, part);
    }

    fn take_off(&mut self, at: usize, shares: u32) {
        self.live[at].shares -= shares;
        if self.live[at].shares == 0 {
            self.live.swap_remove(at);
        }
    }

    /// Holds the books against the population: every level of every book with its shares and orders,
    /// and what the engine counted.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, engine: &Engine) -> Result<(), String> {
        let counters = engine.counters();
        let wrong = counters.unknown_references
            + counters.duplicate_references
            + counters.excess_reductions
            + counters.beyond_capacity;
        if wrong > 0 || engine.books().live_orders() != self.live.len() {
            let has = engine.books().live_orders();
            return Err(format!("{has} orders, not {}; {counters:?}", self.live.len()));
        }
        let mut levels: BTreeMap<_, (u64, u32)> = BTreeMap::new();
        for order in &self.live {
            let level =
                levels.entry((order.instrument, order.side as u8, order.price)).or_default();
            level.0 += u64::from(order.shares);
            level.1 += 1;
        }
        if engine.books().live_levels() != levels.len() {
            let has = engine.books().live_levels();
            return Err(format!("{has} levels, not {}", levels.len()));
        }
        for instrument in 1..=self.instruments {
            for side in [Side::Buy, Side::Sell] {
                let range = (instrument, side as u8, 0)..=(instrument, side as u8, u32::MAX);
                let wanted = levels.range(range).map(|(&(_, _, price), &sums)| (price, sums));
                let has = engine.books().levels_of(InstrumentId(instrument), side);
                let has = has.map(|level| (level.price.0, (level.quantity, level.orders)));
                let same = if side == Side::Buy { has.eq(wanted.rev()) } else { has.eq(wanted) };
                if !same {
                    return Err(format!("instrument {instrument}, {}: other levels", side.name()));
                }
            }
        }
        engine.books().check()
    }
}

fn stock(instrument: u16) -> [u8; 8] {
    let mut stock = *b"S00000  ";
    let mut left = instrument;
    for place in stock[1..6].iter_mut().rev() {
        *place += u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
    }
    stock
}
