//! A LOBSTER day made whole: the message file and the order-book file beside it.
//!
//! The message file tells what happens inside the first levels of each side. Orders that stood there
//! before it begins, or drift in from deeper, come without an add, and what happens deeper down is not
//! told at all. So after each event the books are brought to what the order-book file shows: shares
//! that came unseen are made up as an order at the back of their level, a level that has fewer shares
//! than it should is emptied and made up anew, and one that is out of sight is emptied. What the file
//! tells of an order that nobody saw come is told of the made-up ones at its price, the oldest first.
//! The first row gives the books to begin with; its event lies before them and is left out.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};

use spindle_feed::event::{MarketAction, MarketEvent};
use spindle_types::{
    EventTime, InstrumentId, MatchNumber, OrderReference, Price, Quantity, Side, Symbol,
};

use super::lobster::Rows;
use super::{Batch, Events, Format, LobsterRow, RecordingError, Source};

/// References from here on are made up.
const MADE_UP: u64 = 1 << 40;

/// Rows of one batch.
const BATCH: usize = 1_024;

/// No row of an order-book file is longer: 200 levels.
const ROW_MAX: u64 = 32_768;

const INSTRUMENT: InstrumentId = InstrumentId(1);

/// Prices and shares of the levels that a row shows, the best first.
type Shown = Vec<(u32, u64)>;

struct Order {
    side: Side,
    price: u32,
    shares: u32,
}

/// Both files as market events of instrument 1.
pub(crate) struct LobsterDay {
    rows: Rows<Box<dyn Read + Send>>,
    books: BufReader<Box<dyn Read + Send>>,
    symbol: Symbol,
    row: Vec<u8>,
    orders: HashMap<u64, Order>,
    /// By side and price, the orders in their order.
    levels: [BTreeMap<u32, VecDeque<u64>>; 2],
    made_up: u64,
    /// Shares of events for which no order stood.
    unmatched: u64,
    events: Vec<MarketEvent>,
    first: u64,
    read: u64,
    error: Option<RecordingError>,
    done: bool,
}

impl LobsterDay {
    pub(crate) fn new(
        messages: Box<dyn Read + Send>,
        books: Box<dyn Read + Send>,
        symbol: Symbol,
    ) -> Self {
        Self {
            rows: Rows::new(messages),
            books: BufReader::new(books),
            symbol,
            row: Vec::new(),
            orders: HashMap::new(),
            levels: [BTreeMap::new(), BTreeMap::new()],
            made_up: 0,
            unmatched: 0,
            events: Vec::new(),
            first: 1,
            read: 0,
            error: None,
            done: false,
        }
    }

    fn push(&mut self, time: EventTime, action: MarketAction) {
        self.events.push(MarketEvent { time, instrument: INSTRUMENT, action });
    }

    fn read_row(&mut self) -> Result<bool, RecordingError> {
        let Some((record, row)) = self.rows.next()? else { return Ok(false) };
        let damaged = |reason| RecordingError::Damaged { offset: 0, record, reason };
        self.row.clear();
        self.books.by_ref().take(ROW_MAX).read_until(b'\n', &mut self.row)?;
        let shown = shown(&self.row)
            .map_err(|reason| damaged(format!("the order-book file, row {record}: {reason}")))?;
        if record == 1 {
            let symbol = self.symbol;
            self.push(row.time, MarketAction::Directory { symbol, round_lot: 100 });
        } else {
            self.tell(record, &row).map_err(damaged)?;
        }
        for (side, shown) in [Side::Buy, Side::Sell].into_iter().zip(&shown) {
            self.show(row.time, side, shown);
        }
        Ok(true)
    }

    /// Tells the event of a row, of the order that it names or of made-up ones.
    fn tell(&mut self, record: u64, row: &LobsterRow) -> Result<(), String> {
        let action = row.action(record, self.symbol)?;
        match action {
            MarketAction::Add { reference, side, quantity, price, .. } => {
                self.enter(row.time, reference.0, side, price.0, quantity.0);
            }
            MarketAction::Reduce { .. }
            | MarketAction::Delete { .. }
            | MarketAction::Execute { .. } => {
                let executed = row.kind == 4;
                let mut left = row.size;
                if self.orders.contains_key(&row.order) {
                    left -= self.take(row.time, record, row.order, left, executed);
                } else {
                    let price = u32::try_from(row.price).map_err(|_| "a price that is none")?;
                    let standing = self.levels[row.side.index()].get(&price).cloned();
                    for reference in standing.unwrap_or_default() {
                        if left > 0 && reference >= MADE_UP {
                            left -= self.take(row.time, record, reference, left, executed);
                        }
                    }
                }
                self.unmatched += u64::from(left);
            }
            _ => self.push(row.time, action),
        }
        Ok(())
    }

    fn enter(&mut self, time: EventTime, reference: u64, side: Side, price: u32, shares: u32) {
        let add = MarketAction::Add {
            reference: OrderReference(reference),
            side,
            quantity: Quantity(shares),
            price: Price(price),
            symbol: self.symbol,
        };
        self.push(time, add);
        self.orders.insert(reference, Order { side, price, shares });
        self.levels[side.index()].entry(price).or_default().push_back(reference);
    }

    /// Takes up to `most` shares off an order, and tells it; the shares taken.
    fn take(&mut self, time: EventTime, record: u64, order: u64, most: u32, executed: bool) -> u32 {
        let Some(standing) = self.orders.get_mut(&order) else { return 0 };
        let shares = most.min(standing.shares);
        standing.shares -= shares;
        let (side, price, is_gone) = (standing.side, standing.price, standing.shares == 0);
        if is_gone {
            self.forget(order, side, price);
        }
        let (reference, quantity) = (OrderReference(order), Quantity(shares));
        let match_number = MatchNumber(record);
        self.push(
            time,
            match (executed, is_gone) {
                (true, _) => MarketAction::Execute { reference, quantity, match_number },
                (false, true) => MarketAction::Delete { reference },
                (false, false) => MarketAction::Reduce { reference, quantity },
            },
        );
        shares
    }

    fn forget(&mut self, order: u64, side: Side, price: u32) {
        self.orders.remove(&order);
        let levels = &mut self.levels[side.index()];
        if let Some(level) = levels.get_mut(&price) {
            level.retain(|&standing| standing != order);
            if level.is_empty() {
                levels.remove(&price);
            }
        }
    }

    /// Brings a side to what a row shows of it.
    fn show(&mut self, time: EventTime, side: Side, shown: &Shown) {
        let wanted = |price: u32| shown.iter().find(|level| level.0 == price).map_or(0, |l| l.1);
        let mine: Vec<(u32, u64)> = self.levels[side.index()]
            .keys()
            .map(|&price| (price, self.shares(side, price)))
            .collect();
        for (price, _) in mine.into_iter().filter(|&(price, shares)| wanted(price) < shares) {
            for order in self.levels[side.index()].remove(&price).unwrap_or_default() {
                self.orders.remove(&order);
                self.push(time, MarketAction::Delete { reference: OrderReference(order) });
            }
        }
        for &(price, wanted) in shown {
            let mut missing = wanted - self.shares(side, price).min(wanted);
            while missing > 0 {
                let shares = u32::try_from(missing).unwrap_or(u32::MAX);
                self.made_up += 1;
                self.enter(time, MADE_UP + self.made_up, side, price, shares);
                missing -= u64::from(shares);
            }
        }
    }

    fn shares(&self, side: Side, price: u32) -> u64 {
        let level = self.levels[side.index()].get(&price);
        let shares = |order| self.orders.get(order).map_or(0, |order| u64::from(order.shares));
        level.map_or(0, |level| level.iter().map(shares).sum())
    }
}

/// The levels of a row, bids first: `ask price, ask shares, bid price, bid shares` from the best level
/// on. A level that is not there has no shares, or a price that is none.
fn shown(row: &[u8]) -> Result<[Shown; 2], String> {
    let text = std::str::from_utf8(row).map_err(|_| "it is no text")?.trim_end();
    let numbers: Vec<i64> = text
        .split(',')
        .map(|field| field.trim().parse().map_err(|_| "a field is no whole number".to_owned()))
        .collect::<Result<_, _>>()?;
    if numbers.is_empty() || !numbers.len().is_multiple_of(4) {
        return Err(format!("{} fields; four a level are", numbers.len()));
    }
    let side = |from: usize| {
        let levels = numbers.chunks_exact(4).map(|level| (level[from], level[from + 1]));
        let known = levels.filter_map(|(price, shares)| {
            Some((u32::try_from(price).ok()?, u64::try_from(shares).ok()?))
        });
        known.filter(|&(_, shares)| shares > 0).collect()
    };
    Ok([side(2), side(0)])
}

impl Source for LobsterDay {
    fn format(&self) -> Format {
        Format::Lobster
    }

    fn advance(&mut self) -> Result<bool, RecordingError> {
        self.first += self.events.len() as u64;
        self.events.clear();
        for _ in 0..BATCH {
            if self.done {
                break;
            }
            match self.read_row() {
                Ok(true) => self.read += 1,
                Ok(false) => self.done = true,
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
        let (rows, made_up, unmatched) = (self.read, self.made_up, self.unmatched);
        vec![format!(
            "{rows} rows; {made_up} orders made up for what the files do not tell; {unmatched} shares \
             of events for which no order stood"
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(messages: &'static str, books: &'static str) -> Vec<String> {
        let symbol = "X".parse().expect("a symbol");
        let mut day =
            LobsterDay::new(Box::new(messages.as_bytes()), Box::new(books.as_bytes()), symbol);
        let mut told = Vec::new();
        loop {
            match day.advance() {
                Ok(true) => {}
                Ok(false) => return told,
                Err(error) => {
                    told.push(error.to_string());
                    return told;
                }
            }
            let Batch::Events(events) = day.batch() else { panic!("events") };
            for event in events.events {
                told.push(match event.action {
                    MarketAction::Directory { symbol, .. } => format!("directory {symbol}"),
                    MarketAction::Add { reference, side, quantity, price, .. } => {
                        let made_up = if reference.0 > MADE_UP { "made up" } else { "add" };
                        format!("{made_up} {} {quantity} at {}", side.name(), price.0)
                    }
                    MarketAction::Execute { quantity, .. } => format!("execute {quantity}"),
                    MarketAction::Reduce { quantity, .. } => format!("reduce {quantity}"),
                    MarketAction::Delete { .. } => "delete".to_owned(),
                    other => format!("{other:?}"),
                });
            }
        }
    }

    #[test]
    fn what_the_message_file_does_not_tell_is_made_up() {
        let messages =
            "1,4,9,5,100,1\n2,1,7,10,99,1\n3,4,5,30,100,1\n4,3,7,10,99,1\n5,1,8,1,101,1\n";
        let books = "110,10,100,50\n110,10,100,50\n110,10,100,20\n110,10,100,20\n\
                     9999999999,0,101,1\n";
        let wanted = [
            "directory X",
            "made up buy 50 at 100",
            "made up sell 10 at 110",
            // Seen to come, and out of sight at once.
            "add buy 10 at 99",
            "delete",
            // Of an order that nobody saw come.
            "execute 30",
            // The delete of 7 finds nothing; then a better bid pushes 100 out of sight.
            "add buy 1 at 101",
            "delete",
            "delete",
        ];
        assert_eq!(told(messages, books), wanted);
    }

    #[test]
    fn a_broken_order_book_is_told_with_its_row() {
        let told = told("1,4,9,5,100,1\n2,1,7,10,99,1\n", "110,10,100,50\n110,10,100\n");
        let last = told.last().expect("an error");
        assert!(last.contains("the order-book file, row 2: 3 fields; four a level are"), "{last}");
    }
}
