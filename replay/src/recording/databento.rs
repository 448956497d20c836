//! Databento DBN files with market-by-order records, as market events.
//!
//! In DBN a fill (F) names the resting order but leaves the book alone; the cancel (C) or modify (M)
//! that follows it takes the shares off, and says what stands then. Here a fill executes at once, as
//! in ITCH, and what follows only brings the order to what DBN says. So between the records of one
//! event the books may differ from DBN's; at its last record they are the same. Trades (T) are the
//! other side of the fills and do nothing.

use std::collections::BTreeMap;
use std::io::Read;

use dbn::decode::dbn::Decoder;
use dbn::decode::{DbnMetadata, DecodeRecordRef};
use dbn::{MboMsg, Metadata, Record, Schema, VersionUpgradePolicy};
use spindle_feed::event::{MarketAction, MarketEvent};
use spindle_types::{
    EventTime, InstrumentId, MatchNumber, OrderReference, Price, Quantity, Side, Symbol,
};

use super::{Batch, Events, Format, RecordingError, Source};

/// Records of one batch.
const BATCH: usize = 4096;

const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// A live order.
#[derive(Clone, Copy, Debug)]
struct Order {
    instrument: u16,
    side: Side,
    price: Price,
    /// Shares as DBN has them.
    size: u32,
    /// Shares of those that were executed and are not yet taken off by DBN.
    filled: u32,
}

/// Records become events; the state that needs.
pub(crate) struct Converter {
    /// Orders by their number. Ordered, so that what a cleared book gives up comes in one order.
    orders: BTreeMap<u64, Order>,
    instruments: BTreeMap<u32, u16>,
    symbols: BTreeMap<u32, Symbol>,
    /// Midnight (UTC) before the first record, in nanoseconds since the epoch.
    midnight: Option<u64>,
    fills: u64,
}

impl Converter {
    pub(crate) fn new(metadata: &Metadata) -> Self {
        Self {
            orders: BTreeMap::new(),
            instruments: BTreeMap::new(),
            symbols: symbols(metadata),
            midnight: None,
            fills: 0,
        }
    }

    /// Appends what a record does: at least one event.
    pub(crate) fn convert(
        &mut self,
        record: &MboMsg,
        events: &mut Vec<MarketEvent>,
    ) -> Result<(), String> {
        let time = record.hd.ts_event;
        let midnight = *self.midnight.get_or_insert(time / DAY_NS * DAY_NS);
        let time = EventTime(time.saturating_sub(midnight));
        let number = record.hd.instrument_id;
        let instrument = match self.instruments.get(&number) {
            Some(&instrument) => instrument,
            None => {
                let next = u16::try_from(self.instruments.len() + 1)
                    .map_err(|_| "more than 65,535 instruments".to_owned())?;
                self.instruments.insert(number, next);
                next
            }
        };
        let symbol = self.symbols.get(&number).copied().unwrap_or_default();
        let before = events.len();
        let mut emit = |action| {
            events.push(MarketEvent { time, instrument: InstrumentId(instrument), action });
        };
        let at = Place { instrument, symbol };
        match code(record.action) {
            b'A' => self.set(record, at, &mut emit)?,
            b'M' => self.set(record, at, &mut emit)?,
            b'C' => self.cancel(record, symbol, &mut emit),
            b'F' => self.fill(record, &mut emit),
            b'R' => self.clear(instrument, &mut emit),
            _ => {}
        }
        if events.len() == before {
            let action = MarketAction::Other;
            events.push(MarketEvent { time, instrument: InstrumentId(instrument), action });
        }
        Ok(())
    }

    /// An add, or a modify to a price and a size. An order that is not known is added.
    fn set(
        &mut self,
        record: &MboMsg,
        at: Place,
        emit: &mut impl FnMut(MarketAction),
    ) -> Result<(), String> {
        let side = match code(record.side) {
            b'B' => Side::Buy,
            b'A' => Side::Sell,
            _ => return Ok(()),
        };
        let price = price(record.price)?;
        let size = record.size;
        let reference = OrderReference(record.order_id);
        let quantity = Quantity(size);
        let (instrument, symbol) = (at.instrument, at.symbol);
        let order = Order { instrument, side, price, size, filled: 0 };
        let add = MarketAction::Add { reference, side, quantity, price, symbol };
        let old = match size {
            0 => self.orders.remove(&record.order_id),
            _ => self.orders.insert(record.order_id, order),
        };
        let standing = old.map_or(0, |old| old.size - old.filled);
        // An order that was executed whole is gone from the books, so it enters again.
        match old.filter(|_| standing > 0) {
            None if size == 0 => {}
            None => emit(add),
            Some(_) if size == 0 => emit(MarketAction::Delete { reference }),
            Some(old) if old.side != side || old.instrument != instrument => {
                emit(MarketAction::Delete { reference });
                emit(add);
            }
            Some(old) if old.price != price || size > standing => {
                emit(MarketAction::Replace {
                    reference,
                    new_reference: reference,
                    quantity,
                    price,
                });
            }
            Some(_) if size < standing => {
                let quantity = Quantity(standing - size);
                emit(MarketAction::Reduce { reference, quantity });
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Takes shares off, some of which may have been executed before.
    fn cancel(&mut self, record: &MboMsg, symbol: Symbol, emit: &mut impl FnMut(MarketAction)) {
        let reference = OrderReference(record.order_id);
        let Some(order) = self.orders.get_mut(&record.order_id) else {
            return emit(MarketAction::Delete { reference });
        };
        let standing = order.size - order.filled;
        let left = order.size.saturating_sub(record.size);
        if left == 0 {
            self.orders.remove(&record.order_id);
            if standing > 0 {
                emit(MarketAction::Delete { reference });
            }
            return;
        }
        let (side, price, quantity) = (order.side, order.price, Quantity(left));
        (order.size, order.filled) = (left, 0);
        if left < standing {
            let quantity = Quantity(standing - left);
            emit(MarketAction::Reduce { reference, quantity });
        } else if standing == 0 {
            emit(MarketAction::Add { reference, side, quantity, price, symbol });
        } else if left > standing {
            emit(MarketAction::Replace { reference, new_reference: reference, quantity, price });
        }
    }

    /// Executes a resting order.
    fn fill(&mut self, record: &MboMsg, emit: &mut impl FnMut(MarketAction)) {
        let Some(order) = self.orders.get_mut(&record.order_id) else { return };
        let quantity = Quantity(record.size.min(order.size - order.filled));
        if quantity.is_zero() {
            return;
        }
        order.filled += quantity.0;
        self.fills += 1;
        let reference = OrderReference(record.order_id);
        let match_number = MatchNumber(self.fills);
        emit(match price(record.price) {
            Ok(price) if price != order.price => MarketAction::ExecuteAt {
                reference,
                quantity,
                match_number,
                price,
                printable: true,
            },
            _ => MarketAction::Execute { reference, quantity, match_number },
        });
    }

    /// Every order of the instrument goes.
    fn clear(&mut self, instrument: u16, emit: &mut impl FnMut(MarketAction)) {
        self.orders.retain(|&reference, order| {
            let goes = order.instrument == instrument;
            if goes && order.size > order.filled {
                emit(MarketAction::Delete { reference: OrderReference(reference) });
            }
            !goes
        });
    }
}

/// Where a record belongs.
#[derive(Clone, Copy)]
struct Place {
    instrument: u16,
    symbol: Symbol,
}

/// A character of the record as a byte.
fn code(character: std::ffi::c_char) -> u8 {
    character.to_ne_bytes()[0]
}

/// DBN's 1/1,000,000,000 in 1/10,000, the price unit of the books.
fn price(units: i64) -> Result<Price, String> {
    if units % 100_000 != 0 {
        return Err(format!("price {units}e-9 is finer than 1/10,000, the unit of the books"));
    }
    u32::try_from(units / 100_000)
        .map(Price)
        .map_err(|_| format!("price {units}e-9 is not between 0 and 429,496.7295"))
}

/// Symbols by instrument number: the first eight characters where one is longer.
pub(crate) fn symbols(metadata: &Metadata) -> BTreeMap<u32, Symbol> {
    let mut symbols = BTreeMap::new();
    for mapping in &metadata.mappings {
        for interval in &mapping.intervals {
            let Ok(number) = interval.symbol.parse() else { continue };
            let name: String = mapping.raw_symbol.chars().take(8).collect();
            symbols.insert(number, name.parse().unwrap_or_default());
        }
    }
    symbols
}

/// A DBN file's records, with the place of each.
pub(crate) struct DbnRecords<R> {
    decoder: Decoder<Counting<R>>,
    /// Where the next record begins.
    offset: u64,
    records: u64,
}

/// Counts bytes, so that a record that is cut short is noticed: the decoder takes it for the end.
pub(crate) struct Counting<R> {
    input: R,
    bytes: u64,
    failure: Option<std::io::Error>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.input.read(buffer) {
            Ok(count) => {
                self.bytes += count as u64;
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                self.failure = Some(error);
                Err(kind.into())
            }
        }
    }
}

impl<R: Read> DbnRecords<R> {
    /// Reads the metadata. `head` is how the file begins.
    pub(crate) fn new(input: R, head: &[u8]) -> Result<Self, RecordingError> {
        let length = head.get(4..8).and_then(|bytes| bytes.first_chunk::<4>());
        let offset = 8 + u64::from(length.map_or(0, |bytes| u32::from_le_bytes(*bytes)));
        let input = Counting { input, bytes: 0, failure: None };
        let decoder = Decoder::with_upgrade_policy(input, VersionUpgradePolicy::AsIs);
        let decoder = decoder.map_err(|error| {
            let reason = format!("the metadata of the DBN file cannot be read: {error}");
            RecordingError::Damaged { offset: 0, record: 0, reason }
        })?;
        Ok(Self { decoder, offset, records: 0 })
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        self.decoder.metadata()
    }

    /// Gives the next record to `visit`, and says whether there was one.
    pub(crate) fn next(
        &mut self,
        visit: impl FnOnce(&dbn::RecordRef<'_>) -> Result<(), String>,
    ) -> Result<bool, RecordingError> {
        let (offset, record) = (self.offset, self.records + 1);
        let damaged = |reason| RecordingError::Damaged { offset, record, reason };
        match self.decoder.decode_record_ref() {
            Ok(Some(found)) => {
                self.offset += found.record_size() as u64;
                self.records += 1;
                visit(&found).map_err(damaged)?;
                Ok(true)
            }
            Ok(None) => {
                let bytes = self.decoder.get_ref().bytes;
                if bytes == offset {
                    return Ok(false);
                }
                self.offset = bytes;
                Err(damaged(format!("the file ends {} bytes into a record", bytes - offset)))
            }
            Err(error) => Err(match self.decoder.get_mut().failure.take() {
                Some(failure) => RecordingError::Io(failure),
                None => damaged(format!("this is no DBN record: {error}")),
            }),
        }
    }
}

/// A DBN file of schema mbo as market events.
pub(crate) struct DbnFile<R> {
    records: DbnRecords<R>,
    converter: Converter,
    first: u64,
    events: Vec<MarketEvent>,
    error: Option<RecordingError>,
    others: u64,
    done: bool,
}

impl<R: Read> DbnFile<R> {
    pub(crate) fn new(input: R, head: &[u8]) -> Result<Self, RecordingError> {
        let records = DbnRecords::new(input, head)?;
        if let Some(schema) = records.metadata().schema.filter(|schema| *schema != Schema::Mbo) {
            return Err(RecordingError::Schema(schema.to_string()));
        }
        let converter = Converter::new(records.metadata());
        let events = Vec::with_capacity(BATCH + 64);
        Ok(Self { records, converter, first: 1, events, error: None, others: 0, done: false })
    }
}

impl<R: Read + Send> Source for DbnFile<R> {
    fn format(&self) -> Format {
        Format::Dbn
    }

    fn advance(&mut self) -> Result<bool, RecordingError> {
        self.first += self.events.len() as u64;
        self.events.clear();
        let Self { records, converter, events, others, .. } = self;
        while events.len() < BATCH && !self.done {
            let step = records.next(|record| match record.get::<MboMsg>() {
                Some(record) => converter.convert(record, events),
                None => {
                    *others += 1;
                    Ok(())
                }
            });
            match step {
                Ok(more) => self.done = !more,
                Err(error) => {
                    self.done = true;
                    self.error = Some(error);
                }
            }
        }
        match self.error.take() {
            Some(error) if self.events.is_empty() => Err(error),
            error => {
                self.error = error;
                Ok(!self.events.is_empty())
            }
        }
    }

    fn batch(&self) -> Batch<'_> {
        Batch::Events(Events { first_sequence: self.first, events: &self.events })
    }

    fn notes(&self) -> Vec<String> {
        match self.others {
            0 => vec![],
            others => vec![format!("{others} records of other kinds than market by order")],
        }
    }
}
