//! The top of every book, for other threads to read without a lock.
//!
//! The engine thread writes; strategies, the gateway and the screens read. A reader always gets
//! one whole top of book, never one side's old value beside the other's new one, and always with
//! the state that says whether it may be believed.
//!
//! A cell has a state of its own, and the table has one above all of them, so that a gap in the
//! feed marks every instrument in one store, at the first packet that shows it. What a reader gets
//! is the worse of the two.
//!
//! ```
//! use spindle_feed::top::{TopOfBook, TopState, top_table};
//! use spindle_types::{InstrumentId, Price};
//!
//! let (mut writer, reader) = top_table(8);
//! let top = TopOfBook { bid_price: Price(10_000), bid_size: 300, ..TopOfBook::EMPTY };
//! writer.write(InstrumentId(3), &top);
//! assert_eq!(reader.read(InstrumentId(3)).bid(), Some((Price(10_000), 300)));
//! assert_eq!(reader.read(InstrumentId(3)).ask(), None);
//!
//! writer.set_table_state(TopState::Stale);
//! assert_eq!(reader.read(InstrumentId(3)).state, TopState::Stale);
//! writer.set_table_state(TopState::Good);
//! assert_eq!(reader.read(InstrumentId(3)), top);
//! ```

use std::hint;
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use spindle_types::{EventTime, InstrumentId, Price, Sequence, Side, keep};

use crate::memory::ask_for_large_pages;
use crate::prefetch::prefetch;
use crate::seqlock::SequenceLock;
use crate::sync::{AtomicU64, Ordering, fence};

/// Prices, bid size, ask size, sequence, time, state.
const WORDS: usize = 6;
const PRICES_WORD: usize = 0;
const BID_SIZE_WORD: usize = 1;
const SEQUENCE_WORD: usize = 3;
const TIME_WORD: usize = 4;
const STATE_WORD: usize = 5;

/// How far a top of book may be believed. Ordered from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
#[repr(u8)]
pub enum TopState {
    /// The book is exact as of `sequence`.
    Good = 0,
    /// The book is exact, and the instrument does not trade.
    Halted = 1,
    /// A gap is open or something was lost: the book may differ from the market's.
    #[default]
    Stale = 2,
    /// The day is over, or there is no such instrument.
    Closed = 3,
}

impl TopState {
    /// The name in tables: `good`, `halted`, `stale` or `closed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Halted => "halted",
            Self::Stale => "stale",
            Self::Closed => "closed",
        }
    }

    /// The state behind a word. Only the writer makes words, from this enum.
    const fn from_word(word: u64) -> Self {
        match word & 0xff {
            0 => Self::Good,
            1 => Self::Halted,
            2 => Self::Stale,
            _ => Self::Closed,
        }
    }
}

/// The best of both sides of one book. A side is empty when its size is 0; its price is then 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopOfBook {
    /// Best bid.
    pub bid_price: Price,
    /// Shares at the best bid; 0 when there is no bid.
    pub bid_size: u64,
    /// Best ask.
    pub ask_price: Price,
    /// Shares at the best ask; 0 when there is no ask.
    pub ask_size: u64,
    /// Whether it may be believed.
    pub state: TopState,
    /// Number of the message behind the last change; 0 before the first.
    pub sequence: Sequence,
    /// Time inside that message.
    pub time: EventTime,
}

impl TopOfBook {
    /// An empty book in good order.
    pub const EMPTY: Self = Self {
        bid_price: Price(0),
        bid_size: 0,
        ask_price: Price(0),
        ask_size: 0,
        state: TopState::Good,
        sequence: Sequence(0),
        time: EventTime(0),
    };

    /// What is known of an instrument before the first message: an empty book that is stale.
    pub const UNKNOWN: Self = Self { state: TopState::Stale, ..Self::EMPTY };

    /// What is read of an instrument outside the table.
    pub const CLOSED: Self = Self { state: TopState::Closed, ..Self::EMPTY };

    /// Best bid and its shares, or `None` when there is none.
    #[inline]
    pub fn bid(&self) -> Option<(Price, u64)> {
        (self.bid_size != 0).then_some((self.bid_price, self.bid_size))
    }

    /// Best ask and its shares, or `None` when there is none.
    #[inline]
    pub fn ask(&self) -> Option<(Price, u64)> {
        (self.ask_size != 0).then_some((self.ask_price, self.ask_size))
    }

    #[inline]
    fn to_words(self) -> [u64; WORDS] {
        let prices = u64::from(self.bid_price.0) << 32 | u64::from(self.ask_price.0);
        let state = u64::from(self.state as u8);
        [prices, self.bid_size, self.ask_size, self.sequence.0, self.time.0, state]
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "each half of the word is one price")]
    const fn from_words(words: [u64; WORDS]) -> Self {
        let [prices, bid_size, ask_size, sequence, time, state] = words;
        Self {
            bid_price: Price((prices >> 32) as u32),
            bid_size,
            ask_price: Price(prices as u32),
            ask_size,
            state: TopState::from_word(state),
            sequence: Sequence(sequence),
            time: EventTime(time),
        }
    }
}

#[derive(Debug)]
struct Table {
    /// The state above all cells in the lowest byte, and above it a count of its changes, so that a
    /// reader notices a change back and forth while it reads a cell.
    state: CachePadded<AtomicU64>,
    cells: Box<[SequenceLock<WORDS>]>,
}

const _: () = assert!(size_of::<SequenceLock<WORDS>>() == 64);

/// A table with a cell for each of `instruments` instruments, from 0 up to 65,536, all
/// [`TopOfBook::UNKNOWN`]: its one writer, and the first of its readers.
pub fn top_table(instruments: usize) -> (TopWriter, TopReader) {
    let instruments = instruments.min(1 << 16);
    let unknown = TopOfBook::UNKNOWN.to_words();
    let mut cells = Vec::with_capacity(instruments);
    ask_for_large_pages(cells.spare_capacity_mut());
    cells.extend((0..instruments).map(|_| SequenceLock::new(unknown)));
    let state = CachePadded::new(AtomicU64::new(0));
    let table = Arc::new(Table { state, cells: cells.into() });
    (TopWriter { table: Arc::clone(&table) }, TopReader { table })
}

/// The one handle that writes. It is not `Clone`, and writing takes `&mut`: that is what makes it
/// the only writer, which the cells rely on.
#[derive(Debug)]
pub struct TopWriter {
    table: Arc<Table>,
}

impl TopWriter {
    /// Writes the top of one book. An instrument outside the table is left out.
    #[inline]
    pub fn write(&mut self, instrument: InstrumentId, top: &TopOfBook) {
        if let Some(cell) = self.table.cells.get(instrument.index()) {
            cell.write(top.to_words());
        }
    }

    /// Writes one side of the top of one book and leaves the other side and the state. An instrument
    /// outside the table is left out.
    #[inline]
    pub fn write_side(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        size: u64,
        sequence: Sequence,
        time: EventTime,
    ) {
        if let Some(cell) = self.table.cells.get(instrument.index()) {
            let shift = 32 * (1 - side.index());
            let other = cell.own_word(PRICES_WORD) & !(u64::from(u32::MAX) << shift);
            let prices = other | u64::from(price.0) << shift;
            cell.write_some([
                (PRICES_WORD, prices),
                (BID_SIZE_WORD + side.index(), size),
                (SEQUENCE_WORD, sequence.0),
                (TIME_WORD, time.0),
            ]);
        }
    }

    /// Asks the processor for the cell of an instrument that will be written soon.
    #[inline]
    pub fn ask_for(&self, instrument: InstrumentId) {
        prefetch(&self.table.cells, instrument.index());
    }

    /// Changes the state of one instrument and leaves its prices.
    #[inline]
    pub fn set_state(&mut self, instrument: InstrumentId, state: TopState) {
        if let Some(cell) = self.table.cells.get(instrument.index()) {
            cell.write_one(STATE_WORD, u64::from(state as u8));
        }
    }

    /// Changes the state of every instrument, one after the other. For what must be proved again
    /// instrument by instrument: after a loss, and at the end of the day. Where all change together
    /// and change back together, [`TopWriter::set_table_state`] does it in one store.
    pub fn set_all_states(&mut self, state: TopState) {
        for cell in &self.table.cells {
            cell.write_one(STATE_WORD, u64::from(state as u8));
        }
    }

    /// Sets the state above all instruments: no reader gets a better one until it is set to
    /// [`TopState::Good`] again. The instruments' own states stay as they are.
    #[inline]
    pub fn set_table_state(&mut self, state: TopState) {
        let word = self.table.state.load(Ordering::Relaxed);
        let changes = (word >> 8).wrapping_add(1);
        let word = changes << 8 | u64::from(state as u8);
        // Release: a reader that sees the new state sees every cell written before it.
        self.table.state.store(word, Ordering::Release);
        // And whoever sees a cell written after this also sees the new state: that cell's own
        // release store comes later in this thread.
    }

    /// The state above all instruments.
    pub fn table_state(&self) -> TopState {
        TopState::from_word(self.table.state.load(Ordering::Relaxed))
    }

    /// The top of one book as last written, with its own state.
    #[inline]
    pub fn own(&self, instrument: InstrumentId) -> TopOfBook {
        self.table
            .cells
            .get(instrument.index())
            .map_or(TopOfBook::CLOSED, |cell| TopOfBook::from_words(cell.own()))
    }

    /// A reader of the same table.
    pub fn reader(&self) -> TopReader {
        TopReader { table: Arc::clone(&self.table) }
    }

    /// Number of instruments in the table.
    pub fn instruments(&self) -> usize {
        self.table.cells.len()
    }
}

/// Cell by cell as it was written last, and the state above all.
impl keep::State for TopWriter {
    const SHAPE: keep::Shape = keep::Shape::of("tops of book, six words each");

    fn save(&self, pen: &mut keep::Pen) {
        keep::Value::save(&self.table_state(), pen);
        pen.count(self.instruments());
        let words: Vec<_> = self.table.cells.iter().map(SequenceLock::own).collect();
        <[u64; WORDS] as keep::Value>::save_all(&words, pen);
    }

    fn load(&mut self, reader: &mut keep::Reader<'_>) -> Result<(), keep::Unfit> {
        self.set_table_state(keep::Value::read(reader)?);
        if reader.count()? != self.instruments() {
            return Err(keep::Unfit::new("tops of book", "another number of instruments"));
        }
        let mut cells = self.table.cells.iter();
        <[u64; WORDS] as keep::Value>::read_all(reader, self.instruments(), |words, alike| {
            cells.by_ref().take(alike).for_each(|cell| cell.write(words));
        })
    }
}

/// A handle that reads. Cheap to clone; any number may read at once.
#[derive(Clone, Debug)]
pub struct TopReader {
    table: Arc<Table>,
}

impl TopReader {
    /// The top of one book. Tries again while a write is under way, which takes nanoseconds unless
    /// the writer was suspended in the middle of one: a thread that must not wait for that uses
    /// [`TopReader::try_read`]. An instrument outside the table reads as [`TopOfBook::CLOSED`].
    #[inline]
    pub fn read(&self, instrument: InstrumentId) -> TopOfBook {
        loop {
            if let Some(top) = self.try_read(instrument, 64) {
                return top;
            }
            // The writer may wait for this very core.
            std::thread::yield_now();
        }
    }

    /// The top of one book, or `None` when each of `attempts` readings met a write.
    #[inline]
    pub fn try_read(&self, instrument: InstrumentId, attempts: u32) -> Option<TopOfBook> {
        let Some(cell) = self.table.cells.get(instrument.index()) else {
            return Some(TopOfBook::CLOSED);
        };
        for _ in 0..attempts {
            if let Some(top) = self.read_once(cell) {
                return Some(top);
            }
            hint::spin_loop();
        }
        None
    }

    #[inline]
    fn read_once(&self, cell: &SequenceLock<WORDS>) -> Option<TopOfBook> {
        // Acquire: pairs with the store in `set_table_state`; the cell is read as of then or later.
        let before = self.table.state.load(Ordering::Acquire);
        let words = cell.try_read()?;
        // The acquire load and fence in `try_read` order this load after those of the words: had a
        // word been written after the table's state changed, the change would be seen here.
        fence(Ordering::Acquire);
        let after = self.table.state.load(Ordering::Relaxed);
        if before != after {
            return None;
        }
        let mut top = TopOfBook::from_words(words);
        top.state = top.state.max(TopState::from_word(before));
        Some(top)
    }

    /// The state above all instruments.
    pub fn table_state(&self) -> TopState {
        TopState::from_word(self.table.state.load(Ordering::Acquire))
    }

    /// Number of instruments in the table.
    pub fn instruments(&self) -> usize {
        self.table.cells.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering as StdOrdering};
    use std::thread;

    use super::*;

    fn top(seed: u64) -> TopOfBook {
        let state = TopState::from_word(seed % 3);
        #[allow(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
        let price = |factor: u64| Price(seed.wrapping_mul(factor) as u32);
        TopOfBook {
            bid_price: price(3),
            bid_size: seed.wrapping_mul(5),
            ask_price: price(7),
            ask_size: seed.wrapping_mul(11),
            state,
            sequence: Sequence(seed),
            time: EventTime(seed.wrapping_mul(13)),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut writer, reader) = top_table(3);
        let ends = TopOfBook {
            bid_price: Price::MAX,
            bid_size: u64::MAX,
            ask_price: Price::MAX,
            ask_size: u64::MAX,
            state: TopState::Halted,
            sequence: Sequence(u64::MAX),
            time: EventTime(u64::MAX),
        };
        for value in [top(1), top(0xffff_ffff_ffff), ends, TopOfBook::EMPTY] {
            writer.write(InstrumentId(1), &value);
            assert_eq!(reader.read(InstrumentId(1)), value);
            assert_eq!(writer.own(InstrumentId(1)), value);
        }
        assert_eq!(reader.read(InstrumentId(0)), TopOfBook::UNKNOWN);
        assert_eq!(reader.read(InstrumentId(2)), TopOfBook::UNKNOWN);
    }

    #[test]
    fn instruments_outside_the_table_are_closed_and_never_written() {
        let (mut writer, reader) = top_table(2);
        writer.write(InstrumentId(2), &top(1));
        writer.set_state(InstrumentId(65_535), TopState::Good);
        assert_eq!(reader.read(InstrumentId(2)), TopOfBook::CLOSED);
        assert_eq!(reader.read(InstrumentId(65_535)), TopOfBook::CLOSED);
        assert_eq!(top_table(usize::MAX).1.instruments(), 65_536);
        assert_eq!(top_table(0).1.read(InstrumentId(0)), TopOfBook::CLOSED);
    }

    #[test]
    fn the_worse_state_of_instrument_and_table_shows() {
        use TopState::{Closed, Good, Halted, Stale};
        let (mut writer, reader) = top_table(1);
        let instrument = InstrumentId(0);
        for own in [Good, Halted, Stale, Closed] {
            for table in [Good, Halted, Stale, Closed] {
                writer.set_state(instrument, own);
                writer.set_table_state(table);
                assert_eq!(reader.read(instrument).state, own.max(table));
                assert_eq!(writer.own(instrument).state, own);
            }
        }
        writer.set_table_state(Good);
        writer.set_all_states(Stale);
        assert_eq!(reader.read(instrument).state, Stale);
    }

    /// Every field of `top(seed)` follows from its sequence, so a mixture of two shows.
    #[test]
    fn no_reader_on_another_thread_sees_a_mixture() {
        const WRITES: u64 = 400_000;
        let (mut writer, reader) = top_table(2);
        let instrument = InstrumentId(1);
        writer.write(instrument, &top(0));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                let (reader, done) = (reader.clone(), &done);
                scope.spawn(move || {
                    let mut last = 0;
                    while !done.load(StdOrdering::Relaxed) {
                        let seen = reader.read(instrument);
                        let written = top(seen.sequence.0);
                        let shown = TopOfBook { state: written.state, ..seen };
                        assert_eq!(shown, written, "torn");
                        assert!(seen.sequence.0 >= last, "time ran backwards");
                        last = seen.sequence.0;
                    }
                });
            }
            for seed in 1..=WRITES {
                writer.write(instrument, &top(seed));
                if seed % 1_024 == 0 {
                    writer.set_table_state(TopState::from_word(seed / 1_024 % 3));
                }
            }
            done.store(true, StdOrdering::Relaxed);
        });
        assert_eq!(reader.read(instrument).sequence, Sequence(WRITES));
    }
}
