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
                -1 => MarketAction::Status { state: TradingState::Halted },
                0 => MarketAction::Status { state: TradingState::QuotationOnly },
                1 => MarketAction::Status { state: TradingState::Trading },
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
