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
            let step = records.next(|record| {
                if !record.has::<MboMsg>() {
                    *others += 1;
                    return Ok(());
                }
                let record = record.try_get::<MboMsg>().map_err(|error| error.to_string())?;
                converter.convert(record, events)
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs::File;

    use dbn::RecordHeader;

    use super::*;

    /// A book of orders as Databento describes it: A, C, M and R change it, F and T do not.
    #[derive(Default)]
    struct Theirs(HashMap<u64, (u8, i64, u32)>);

    impl Theirs {
        fn apply(&mut self, record: &MboMsg) {
            let (id, side) = (record.order_id, code(record.side));
            match code(record.action) {
                b'A' | b'M' => {
                    self.0.insert(id, (side, record.price, record.size));
                }
                b'C' => {
                    if let Some(order) = self.0.get_mut(&id) {
                        order.2 = order.2.saturating_sub(record.size);
                        if order.2 == 0 {
                            self.0.remove(&id);
                        }
                    }
                }
                b'R' => self.0.clear(),
                _ => {}
            }
        }
    }

    /// A book of orders as the engine keeps it.
    #[derive(Default)]
    struct Ours {
        orders: HashMap<u64, (u8, i64, u32)>,
        executed: u64,
        strange: u64,
    }

    impl Ours {
        fn take(&mut self, reference: OrderReference, quantity: u32) {
            let Some(order) = self.orders.get_mut(&reference.0) else {
                self.strange += 1;
                return;
            };
            self.strange += u64::from(quantity > order.2);
            order.2 = order.2.saturating_sub(quantity);
            if order.2 == 0 {
                self.orders.remove(&reference.0);
            }
        }

        fn apply(&mut self, event: &MarketEvent) {
            let units = |price: Price| i64::from(price.0) * 100_000;
            match event.action {
                MarketAction::Add { reference, side, quantity, price, .. } => {
                    let side = if side == Side::Buy { b'B' } else { b'A' };
                    let order = (side, units(price), quantity.0);
                    self.strange += u64::from(self.orders.insert(reference.0, order).is_some());
                }
                MarketAction::Execute { reference, quantity, .. }
                | MarketAction::ExecuteAt { reference, quantity, .. } => {
                    self.executed += u64::from(quantity.0);
                    self.take(reference, quantity.0);
                }
                MarketAction::Reduce { reference, quantity } => self.take(reference, quantity.0),
                MarketAction::Delete { reference } => {
                    self.strange += u64::from(self.orders.remove(&reference.0).is_none());
                }
                MarketAction::Replace { reference, new_reference, quantity, price } => {
                    match self.orders.remove(&reference.0) {
                        Some((side, ..)) => {
                            let order = (side, units(price), quantity.0);
                            self.orders.insert(new_reference.0, order);
                        }
                        None => self.strange += 1,
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_books_of_a_real_day_are_databentos_own() {
        const FILE: &str = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../shared/data/dbn/glbx_ESH4_20231225.mbo.dbn.zst"
        );
        let Ok(file) = File::open(FILE) else {
            println!("skipped: {FILE} is not here");
            return;
        };
        let mut decoder = Decoder::new(zstd::Decoder::new(file).expect("zstd")).expect("DBN");
        let mut converter = Converter::new(decoder.metadata());
        assert_eq!(
            converter.symbols.values().next().map(ToString::to_string).as_deref(),
            Some("ESH4")
        );
        let (mut theirs, mut ours) = (Theirs::default(), Ours::default());
        let (mut events, mut compared, mut fills) = (Vec::new(), 0, 0);
        let mut touched = Vec::new();
        while let Some(record) = decoder.decode_record_ref().expect("a record") {
            let record = record.get::<MboMsg>().expect("market by order");
            events.clear();
            converter.convert(record, &mut events).expect("convertible");
            assert!(!events.is_empty());
            events.iter().for_each(|event| ours.apply(event));
            theirs.apply(record);
            fills += u64::from(code(record.action) == b'F') * u64::from(record.size);
            touched.push(record.order_id);
            if record.flags.is_last() {
                for id in touched.drain(..) {
                    assert_eq!(ours.orders.get(&id), theirs.0.get(&id), "order {id}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 60_000, "{compared}");
        assert_eq!(ours.orders, theirs.0);
        assert_eq!(ours.strange, 0);
        assert!(
            ours.executed > fills * 9 / 10 && ours.executed <= fills,
            "{} of {fills}",
            ours.executed
        );
    }

    fn record(action: u8, id: u64, side: u8, price: i64, size: u32) -> MboMsg {
        MboMsg {
            hd: RecordHeader::new::<MboMsg>(0xa0, 1, 7, 1_700_000_000_000_000_000),
            order_id: id,
            price: price * 1_000_000_000,
            size,
            action: std::ffi::c_char::from_ne_bytes([action]),
            side: std::ffi::c_char::from_ne_bytes([side]),
            ..MboMsg::default()
        }
    }

    fn run(records: &[MboMsg]) -> Vec<MarketAction> {
        let metadata = Metadata::builder()
            .dataset("TEST")
            .schema(Some(Schema::Mbo))
            .start(0)
            .stype_in(None)
            .stype_out(dbn::SType::InstrumentId)
            .build();
        let mut converter = Converter::new(&metadata);
        let mut events = Vec::new();
        for record in records {
            converter.convert(record, &mut events).expect("convertible");
        }
        events.iter().map(|event| event.action).collect()
    }

    #[test]
    fn fills_execute_and_what_follows_only_corrects() {
        let reference = OrderReference(1);
        let add = MarketAction::Add {
            reference,
            side: Side::Buy,
            quantity: Quantity(10),
            price: Price(1_000_000),
            symbol: Symbol::BLANK,
        };
        let execute = |shares, number| MarketAction::Execute {
            reference,
            quantity: Quantity(shares),
            match_number: MatchNumber(number),
        };
        let replace = |shares, price| MarketAction::Replace {
            reference,
            new_reference: reference,
            quantity: Quantity(shares),
            price: Price(price),
        };
        // Filled in part, and the rest confirmed; then filled whole and gone.
        let partly = [
            record(b'A', 1, b'B', 100, 10),
            record(b'F', 1, b'B', 100, 4),
            record(b'M', 1, b'B', 100, 6),
            record(b'F', 1, b'B', 100, 6),
            record(b'C', 1, b'B', 100, 6),
        ];
        let other = MarketAction::Other;
        assert_eq!(run(&partly), [add, execute(4, 1), other, execute(6, 2), other]);
        // A filled iceberg comes again, behind all others.
        let iceberg = [
            record(b'A', 1, b'B', 100, 10),
            record(b'F', 1, b'B', 100, 10),
            record(b'M', 1, b'B', 100, 10),
        ];
        assert_eq!(run(&iceberg), [add, execute(10, 1), add]);
        // Less keeps its place, more or another price does not.
        let moved = [
            record(b'A', 1, b'B', 100, 10),
            record(b'M', 1, b'B', 100, 7),
            record(b'M', 1, b'B', 100, 8),
            record(b'M', 1, b'B', 99, 8),
            record(b'C', 1, b'B', 99, 3),
            record(b'R', 0, b'N', 0, 0),
        ];
        let reduce = MarketAction::Reduce { reference, quantity: Quantity(3) };
        let delete = MarketAction::Delete { reference };
        assert_eq!(
            run(&moved),
            [add, reduce, replace(8, 1_000_000), replace(8, 990_000), reduce, delete]
        );
        // A fill at another price than the order's, and one more than stands.
        let crossing = [
            record(b'A', 1, b'B', 100, 10),
            record(b'F', 1, b'B', 99, 4),
            record(b'F', 1, b'B', 100, 40),
            record(b'F', 2, b'B', 100, 1),
            record(b'T', 0, b'A', 100, 4),
        ];
        let at = MarketAction::ExecuteAt {
            reference,
            quantity: Quantity(4),
            match_number: MatchNumber(1),
            price: Price(990_000),
            printable: true,
        };
        assert_eq!(run(&crossing), [add, at, execute(6, 2), other, other]);
    }

    #[test]
    fn prices_that_books_cannot_hold_are_refused() {
        assert_eq!(price(4_800_250_000_000), Ok(Price(48_002_500)));
        assert!(price(-37_630_000_000).is_err_and(|reason| reason.contains("not between 0 and")));
        assert!(price(3_906_250).is_err_and(|reason| reason.contains("finer than 1/10,000")));
        assert!(price(i64::MAX).is_err());
    }
}
