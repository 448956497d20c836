//! The strategies' accounts, kept on the engine's thread and told as plain records.
//!
//! The engine's thread never formats: whoever wants to know hands it an empty record through a ring,
//! it fills the record between two turns, and gives it back through another.

use std::collections::HashMap;

use rtrb::{Consumer, Producer, RingBuffer};
use spindle_accounts::{Accounts, Fill, Liquidity, Money, Report};
use spindle_engine::event::{Basis, Event, Liquidity as EngineLiquidity, Outcome};
use spindle_engine::rider::Rider;
use spindle_engine::{Divergence, DivergenceRow, Engine};
use spindle_types::{
    AccountId, EventTime, InstrumentId, OrderToken, Price, Quantity, SessionId, Side, Symbol, keep,
};

use crate::config::Config;
use crate::status::Look;

/// How a run stands at one moment: plain values, with room for all there can be.
#[derive(Clone, Debug, Default)]
pub struct RunRecord {
    /// The tape's time.
    pub time: EventTime,
    /// How the accounts stand.
    pub accounts: Report,
    /// For each line of a position the symbol of its instrument.
    pub symbols: Vec<Symbol>,
    /// The instruments in which the run has left the tape.
    pub divergence: Vec<DivergenceRow>,
    /// All instruments together.
    pub total: Divergence,
    /// The first fills that rest on an assumption, up to [`ASSUMED_MAX`].
    pub assumed: Vec<AssumedFill>,
    /// How many there were in all.
    pub assumed_fills: u64,
}

/// Fills that rest on an assumption and are told one by one, at most.
pub const ASSUMED_MAX: usize = 4_096;

/// A fill that rests on an assumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct AssumedFill {
    /// When, in tape time.
    pub time: EventTime,
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// At which price.
    pub price: Price,
    /// How many shares.
    pub quantity: Quantity,
    /// On which assumption.
    pub basis: Basis,
}

/// The accounts of a venue's strategies. Rides along with the engine.
#[derive(keep::State)]
pub struct StrategyBooks {
    accounts: Accounts,
    /// Of what and on which side each open order is.
    orders: HashMap<(SessionId, OrderToken), (InstrumentId, Side)>,
    assumed: Vec<AssumedFill>,
    assumed_fills: u64,
    #[keep(skip)]
    wanted: Consumer<Paper>,
    #[keep(skip)]
    filled: Producer<Paper>,
}

/// Empty paper for the engine's thread to write on, and written paper from it.
enum Paper {
    Record(Box<RunRecord>),
    Look(Box<Look>),
}

/// Asks the engine's thread for records, and lets it be looked at, while it runs.
pub struct RecordDesk {
    wanted: Producer<Paper>,
    filled: Consumer<Paper>,
    spare: Option<Box<RunRecord>>,
    spare_look: Option<Box<Look>>,
    looked: Option<Box<Look>>,
}

/// Papers on their way at once: a record and a look.
const PAPERS: usize = 2;

impl StrategyBooks {
    /// The accounts of a configuration, and the desk to ask for records. All memory is taken here.
    pub fn new(config: &Config) -> (Self, RecordDesk) {
        let instruments = config.engine.capacity.clamped().instruments;
        let fees: Vec<_> = config.accounts.iter().map(|account| account.fees).collect();
        let accounts = Accounts::new(&config.accounting, instruments, &fees);
        let (wanted_in, wanted) = RingBuffer::new(PAPERS);
        let (filled, filled_out) = RingBuffer::new(PAPERS);
        let empty = accounts.empty_report();
        let positions = empty.positions.capacity();
        let spare = RunRecord {
            accounts: empty,
            symbols: Vec::with_capacity(positions),
            divergence: Vec::with_capacity(instruments),
            assumed: Vec::with_capacity(ASSUMED_MAX),
            ..RunRecord::default()
        };
        // Twice the orders there can be: room that a table without deletions in place would need.
        let mut orders = HashMap::with_capacity(2 * config.engine.own_orders);
        // Its memory is touched here, and not by the first orders of the day.
        for token in 0..u32::try_from(config.engine.own_orders).unwrap_or(u32::MAX) {
            orders.insert((SessionId(0), OrderToken(token)), (InstrumentId(0), Side::Buy));
        }
        orders.clear();
        let desk = RecordDesk {
            wanted: wanted_in,
            filled: filled_out,
            spare: Some(Box::new(spare)),
            spare_look: Some(Box::default()),
            looked: None,
        };
        let assumed = Vec::with_capacity(ASSUMED_MAX);
        (Self { accounts, orders, assumed, assumed_fills: 0, wanted, filled }, desk)
    }

    /// Writes how all stands into a record; allocates only where it has no room.
    pub fn record(&self, engine: &Engine, record: &mut RunRecord) {
        record.time = engine.time();
        self.accounts.report(&mut record.accounts, |instrument| tape_price(engine, instrument));
        record.symbols.clear();
        for line in &record.accounts.positions {
            record.symbols.push(engine.instruments().get(line.instrument).symbol);
        }
        record.divergence.clear();
        record.divergence.extend(engine.divergence_report());
        record.total = engine.divergence();
        record.assumed.clear();
        record.assumed.extend_from_slice(&self.assumed);
        record.assumed_fills = self.assumed_fills;
    }

    /// Writes on a paper and hands it back. The ring has room for all papers that there are.
    #[cold]
    fn write(&mut self, engine: &Engine, mut paper: Paper) {
        match &mut paper {
            Paper::Record(record) => self.record(engine, record),
            Paper::Look(look) => look.take(engine, &self.accounts),
        }
        let _ = self.filled.push(paper);
    }

    /// A record of how all stands, when nothing runs any more. Allocates.
    pub fn last_record(&self, engine: &Engine) -> RunRecord {
        let mut record =
            RunRecord { accounts: self.accounts.empty_report(), ..RunRecord::default() };
        self.record(engine, &mut record);
        record
    }
}

impl RecordDesk {
    /// Asks for a record; nothing where one is under way.
    pub fn ask(&mut self) {
        if let Some(spare) = self.spare.take() {
            // The ring has room: there is one record in all.
            let _ = self.wanted.push(Paper::Record(spare));
        }
    }

    /// Shows the record that was asked for, if it has come.
    pub fn look(&mut self, show: impl FnOnce(&RunRecord)) {
        self.collect();
        if let Ok(Paper::Record(record)) = self.filled.pop() {
            show(&record);
            self.spare = Some(record);
        }
    }

    /// Asks the engine's thread what it sees; false, and nothing is asked, while a look is under way.
    pub fn ask_look(&mut self, wish: impl FnOnce(&mut Look)) -> bool {
        let Some(mut look) = self.spare_look.take() else {
            return false;
        };
        wish(&mut look);
        // The ring has room: there is one look in all.
        let _ = self.wanted.push(Paper::Look(look));
        true
    }

    /// Shows what the engine's thread has seen, if it has answered.
    pub fn take_look<T>(&mut self, show: impl FnOnce(&Look) -> T) -> Option<T> {
        self.collect();
        let look = self.looked.take()?;
        let shown = show(&look);
        self.spare_look = Some(look);
        Some(shown)
    }

    /// Takes in a look that stands before a record.
    fn collect(&mut self) {
        while let Ok(Paper::Look(_)) = self.filled.peek()
            && let Ok(Paper::Look(look)) = self.filled.pop()
        {
            self.looked = Some(look);
        }
    }
}

/// What a share is worth by the tape: half way between the best displayed prices of the market's own
/// orders; where one side has none, the last trade; where there was none, nothing.
pub fn tape_price(engine: &Engine, instrument: InstrumentId) -> Option<Money> {
    let best = |side| best_of_market(engine, instrument, side);
    match (best(Side::Buy), best(Side::Sell)) {
        (Some(bid), Some(ask)) => Some(Money::between(bid, ask)),
        _ => {
            let last = Price(engine.instruments().get(instrument).last_print);
            (last.0 > 0).then(|| Money::of_price(last))
        }
    }
}

/// The best price at which an order of the market stands. Walks past strategies' orders in front of it.
fn best_of_market(engine: &Engine, instrument: InstrumentId, side: Side) -> Option<Price> {
    let books = engine.books();
    let mut at = books.first(instrument, side);
    while let Some(slot) = at {
        if books.order(slot).own_index().is_none() {
            return Some(books.price_of(slot));
        }
        at = books.behind(slot);
    }
    None
}

impl Rider for StrategyBooks {
    #[inline]
    fn time(&mut self, engine: &Engine, to: EventTime) {
        self.accounts.advance(to, |instrument| tape_price(engine, instrument));
    }

    fn event(&mut self, engine: &Engine, event: &Event) {
        let key = (event.session, event.token);
        match event.outcome {
            Outcome::Accepted { symbol, side, live: true, .. } => {
                if let Some(instrument) = engine.instruments().find(symbol) {
                    self.orders.insert(key, (instrument, side.book_side()));
                }
            }
            Outcome::Replaced { original, .. } => {
                if let Some(order) = self.orders.remove(&(event.session, original)) {
                    self.orders.insert(key, order);
                }
            }
            Outcome::Executed { quantity, price, open, liquidity, basis, .. } => {
                if let Some(&(instrument, side)) = self.orders.get(&key) {
                    self.accounts.fill(&Fill {
                        time: event.time,
                        account: event.account,
                        instrument,
                        side,
                        price,
                        quantity,
                        liquidity: match liquidity {
                            EngineLiquidity::Added => Liquidity::Maker,
                            EngineLiquidity::Removed => Liquidity::Taker,
                        },
                        assumed: basis.is_assumed(),
                    });
                    if basis.is_assumed() {
                        self.assumed_fills += 1;
                        if self.assumed.len() < ASSUMED_MAX {
                            let (time, account) = (event.time, event.account);
                            let symbol = engine.instruments().get(instrument).symbol;
                            let fill =
                                AssumedFill { time, account, symbol, side, price, quantity, basis };
                            self.assumed.push(fill);
                        }
                    }
                }
                if open.is_zero() {
                    self.orders.remove(&key);
                }
            }
            Outcome::Canceled { open, .. } if open.is_zero() => {
                self.orders.remove(&key);
            }
            _ => {}
        }
    }

    #[inline]
    fn turn(&mut self, engine: &Engine) {
        if let Ok(paper) = self.wanted.pop() {
            self.write(engine, paper);
        }
    }
}
