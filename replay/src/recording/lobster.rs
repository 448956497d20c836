//! LOBSTER message files: one event of one instrument a row.
//!
//! A row is `time,type,order,size,price,direction`: seconds after midnight with a fraction, then
//! integers; prices in 1/10,000; direction 1 where the resting order buys, -1 where it sells
//! (<https://lobsterdata.com/info/DataStructure.php>). Orders that stood before the file begins, or
//! drift into the levels it covers, come without an add.

use std::io::Read;

use spindle_feed::event::{Cross, MarketAction, MarketEvent, TradingState};
use spindle_types::{
    EventTime, InstrumentId, MatchNumber, OrderReference, Price, Quantity, Side, Symbol,
};

use super::window::Window;
use super::{Batch, Events, Format, RecordingError, Source};

/// No row is longer: six numbers.
const ROW_MAX: usize = 256;

/// Events of one batch.
const BATCH: usize = 4096;

/// A row of a message file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LobsterRow {
    /// When.
    pub time: EventTime,
    /// 1 add, 2 partial cancel, 3 delete, 4 execution of a visible order, 5 execution of a hidden
    /// one, 6 cross, 7 halt or its end.
    pub kind: u8,
    /// The order; 0 where there is none.
    pub order: u64,
    /// Shares.
    pub size: u32,
    /// Price in 1/10,000; in a row of type 7 it is -1 for a halt, 0 for quoting, 1 for trading.
    pub price: i64,
    /// The side of the resting order.
    pub side: Side,
}

impl LobsterRow {
    /// Reads a row without its line end.
    ///
    /// # Errors
    /// What is wrong with the row, in words.
    pub fn parse(row: &str) -> Result<Self, String> {
        let mut fields = row.split(',').map(str::trim);
        let mut next = |name: &str| fields.next().ok_or_else(|| format!("the row has no {name}"));
        let time = seconds(next("time")?)?;
        let kind: u8 = number(next("type")?, "type")?;
        let order = number(next("order")?, "order")?;
        let size = number(next("size")?, "size")?;
        let price = number(next("price")?, "price")?;
        let side = match next("direction")? {
            "1" => Side::Buy,
            "-1" => Side::Sell,
            other => return Err(format!("direction '{}' is neither 1 nor -1", shown(other))),
        };
        if !(1..=7).contains(&kind) {
            return Err(format!("type {kind} is none of 1 to 7"));
        }
        Ok(Self { time, kind, order, size, price, side })
    }

    /// What the row does. `number` stands in for the match number, which such files do not have.
    ///
    /// # Errors
    /// A price that is none.
    pub fn action(&self, number: u64, symbol: Symbol) -> Result<MarketAction, String> {
        let reference = OrderReference(self.order);
        let quantity = Quantity(self.size);
        let match_number = MatchNumber(number);
        if self.kind == 7 {
            return Ok(match self.price {
                -1 => MarketAction::status(TradingState::Halted),
                0 => MarketAction::status(TradingState::QuotationOnly),
                1 => MarketAction::status(TradingState::Trading),
                _ => MarketAction::Other,
            });
        }
        let price = u32::try_from(self.price)
            .map(Price)
            .map_err(|_| format!("price {} is not between 0 and {}", self.price, u32::MAX))?;
        Ok(match self.kind {
            1 => MarketAction::Add { reference, side: self.side, quantity, price, symbol },
            2 => MarketAction::Reduce { reference, quantity },
            3 => MarketAction::Delete { reference },
            4 => MarketAction::Execute { reference, quantity, match_number },
            5 => MarketAction::Trade { quantity, price, match_number },
            _ => {
                let quantity = u64::from(self.size);
                MarketAction::Cross { quantity, price, kind: Cross::Other, match_number }
            }
        })
    }
}

fn number<T: std::str::FromStr>(field: &str, name: &str) -> Result<T, String> {
    field.parse().map_err(|_| format!("{name} '{}' is no whole number in range", shown(field)))
}

/// Seconds with up to nine decimals.
fn seconds(field: &str) -> Result<EventTime, String> {
    let wrong = || format!("time '{}' is no number of seconds", shown(field));
    let (whole, fraction) = field.split_once('.').unwrap_or((field, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 || whole.len() > 6 {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let fraction: u64 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    Ok(EventTime(whole * EventTime::SECOND + fraction))
}

fn shown(field: &str) -> String {
    field.chars().take(20).flat_map(char::escape_default).collect()
}

/// A message file as market events of instrument 1.
pub(crate) struct LobsterFile<R> {
    rows: Rows<R>,
    symbol: Symbol,
    first: u64,
    events: Vec<MarketEvent>,
    error: Option<RecordingError>,
    done: bool,
}

/// The rows of a file.
pub(crate) struct Rows<R> {
    window: Window<R>,
    rows: u64,
}

impl<R: Read> Rows<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { window: Window::new(input, 1 << 16), rows: 0 }
    }

    /// The next row with its number from 1, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, LobsterRow)>, RecordingError> {
        let offset = self.window.offset();
        let record = self.rows + 1;
        let ahead = self.window.ahead(ROW_MAX)?;
        if ahead.iter().all(u8::is_ascii_whitespace) && ahead.len() < ROW_MAX {
            return Ok(None);
        }
        let end = ahead.iter().take(ROW_MAX).position(|&byte| byte == b'\n');
        let length = end.unwrap_or(ahead.len().min(ROW_MAX));
        let damaged = |reason| RecordingError::Damaged { offset, record, reason };
        let row = std::str::from_utf8(&ahead[..length])
            .map_err(|_| damaged("the row is no text".to_owned()))?;
        let row = LobsterRow::parse(row.trim_end()).map_err(damaged)?;
        self.window.consume(length + 1);
        self.rows += 1;
        Ok(Some((record, row)))
    }
}

impl<R: Read> LobsterFile<R> {
    pub(crate) fn new(input: R, symbol: Symbol) -> Self {
        let events = Vec::with_capacity(BATCH);
        Self { rows: Rows::new(input), symbol, first: 1, events, error: None, done: false }
    }

    fn read_event(&mut self) -> Result<bool, RecordingError> {
        let offset = self.rows.window.offset();
        let Some((record, row)) = self.rows.next()? else { return Ok(false) };
        let action = row.action(record, self.symbol).map_err(|reason| RecordingError::Damaged {
            offset,
            record,
            reason,
        })?;
        self.events.push(MarketEvent { time: row.time, instrument: InstrumentId(1), action });
        Ok(true)
    }
}

impl<R: Read + Send> Source for LobsterFile<R> {
    fn format(&self) -> Format {
        Format::Lobster
    }

    fn advance(&mut self) -> Result<bool, RecordingError> {
        self.first += self.events.len() as u64;
        self.events.clear();
        while self.events.len() < BATCH && !self.done {
            match self.read_event() {
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
}

/// The symbol at the front of a file's name, up to the first underscore, as LOBSTER names its files.
pub(crate) fn symbol_of(file_name: &str) -> Symbol {
    file_name.split('_').next().and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_say_what_they_do() {
        let row = LobsterRow::parse("34200.05990197,4,15818974,300,5794000,1").expect("a row");
        assert_eq!(row.time, EventTime(34_200_059_901_970));
        assert_eq!((row.kind, row.order, row.size), (4, 15_818_974, 300));
        assert_eq!((row.price, row.side), (5_794_000, Side::Buy));
        let action = |text: &str| {
            LobsterRow::parse(text).and_then(|row| row.action(9, Symbol::BLANK)).expect(text)
        };
        let reference = OrderReference(5);
        let (quantity, price) = (Quantity(7), Price(100));
        let match_number = MatchNumber(9);
        let symbol = Symbol::BLANK;
        let halted = TradingState::Halted;
        for (text, wanted) in [
            (
                "1,1,5,7,100,-1",
                MarketAction::Add { reference, side: Side::Sell, quantity, price, symbol },
            ),
            ("1,2,5,7,100,-1", MarketAction::Reduce { reference, quantity }),
            ("1,3,5,7,100,-1", MarketAction::Delete { reference }),
            ("1,4,5,7,100,-1", MarketAction::Execute { reference, quantity, match_number }),
            ("1,5,5,7,100,-1", MarketAction::Trade { quantity, price, match_number }),
            (
                "1,6,5,7,100,-1",
                MarketAction::Cross { quantity: 7, price, kind: Cross::Other, match_number },
            ),
            ("1,7,0,0,-1,-1", MarketAction::status(halted)),
            ("1,7,0,0,1,-1", MarketAction::status(TradingState::Trading)),
        ] {
            assert_eq!(action(text), wanted, "{text}");
        }
    }

    #[test]
    fn rows_that_are_none_say_what_is_wrong() {
        for (text, wanted) in [
            ("", "time ''"),
            ("1,2", "the row has no order"),
            ("1.1234567890,1,1,1,1,1", "time '1.1234567890'"),
            ("-1,1,1,1,1,1", "time '-1'"),
            ("1,8,1,1,1,1", "type 8 is none of 1 to 7"),
            ("1,1,x,1,1,1", "order 'x'"),
            ("1,1,1,4294967296,1,1", "size '4294967296'"),
            ("1,1,1,1,1,0", "direction '0'"),
            ("1,1,1,1,1,\u{1b}[2J", "direction '\\u{1b}[2J'"),
        ] {
            let error = LobsterRow::parse(text).expect_err(text);
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let row = LobsterRow::parse("1,1,1,1,-5,1").expect("a row");
        assert!(row.action(1, Symbol::BLANK).is_err());
    }

    #[test]
    fn a_broken_row_ends_the_file_with_its_byte() {
        let text = "1.5,1,5,7,100,1\r\n2,2,5,7,100,1\n2,9,5,7,100,1\n3,3,5,7,100,1\n";
        let mut file = LobsterFile::new(text.as_bytes(), symbol_of("GOOG_2012-06-21_x.csv"));
        assert!(file.advance().expect("rows"));
        let Batch::Events(events) = file.batch() else { panic!("events") };
        assert_eq!(events.events.len(), 2);
        let MarketAction::Add { symbol, .. } = events.events[0].action else { panic!("an add") };
        assert_eq!(symbol.to_string(), "GOOG");
        let error = file.advance().expect_err("the third row");
        assert_eq!(error.to_string(), "byte 31: record 3: type 9 is none of 1 to 7");
        assert!(!file.advance().expect("the end"));
        let mut empty = LobsterFile::new(&b"1,1,5,7,100,1\n\n  \n"[..], Symbol::BLANK);
        assert!(empty.advance().expect("a row"));
        assert!(!empty.advance().expect("blank lines end it"));
    }
}
