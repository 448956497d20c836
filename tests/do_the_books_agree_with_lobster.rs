//! The engine's books against the order-book file of a real day: GOOG on 2012-06-21, 147,915 events,
//! the first nine levels of each side compared after every one of them.
//!
//! The message file lists only what happens inside the first ten levels: orders that stood there
//! before, or drift in from deeper, come without an add, and what happens to others deeper down is
//! not told. So after each comparison the books are brought to what the file shows of the levels
//! that have come into sight, with an order made up for each difference.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;
use spindle_engine::{Capacity, Engine, EngineConfig, OrderKey};
use spindle_feed::event::{MarketAction, MarketEvent};
use spindle_replay::recording::LobsterRow;
use spindle_risk::Gate;
use spindle_types::{
    EventTime, InstrumentId, OrderReference, Price, Quantity, Sequence, Side, Symbol,
};

const GOOG: InstrumentId = InstrumentId(1);

/// References from here on are made up.
const MADE_UP: u64 = 1 << 40;

type Level = (u32, u64);

fn lines(name: &str) -> Option<impl Iterator<Item = String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/lobster");
    let path = folder.join(format!("GOOG_2012-06-21_34200000_57600000_{name}_10.csv.gz"));
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    let file = GzDecoder::new(File::open(path).expect("a file"));
    Some(BufReader::new(file).lines().map(|line| line.expect("a line")))
}

/// Ten levels of each side, bids first; the file has no empty ones on this day.
fn levels(row: &str) -> [Vec<Level>; 2] {
    let numbers: Vec<u64> = row.split(',').map(|field| field.parse().expect("a number")).collect();
    let level = |at: usize| (u32::try_from(numbers[at]).expect("a price"), numbers[at + 1]);
    let every = (0..numbers.len()).step_by(4);
    [every.clone().map(|at| level(at + 2)).collect(), every.map(level).collect()]
}

struct Books {
    engine: Engine,
    sequence: u64,
    made_up: u64,
    /// Made-up orders that stand, by side and price.
    standing: HashMap<(Side, u32), Vec<OrderReference>>,
}

impl Books {
    fn new() -> Self {
        let capacity = Capacity { instruments: 2, orders: 20_000, levels: 20_000 };
        let config = EngineConfig { capacity, own_orders: 1, first_number: 1 << 62 };
        let (mut engine, _) = Engine::new(&config, Gate::new(0));
        assert!(engine.add_instrument(GOOG, "GOOG".parse().expect("a symbol")));
        Self { engine, sequence: 0, made_up: MADE_UP, standing: HashMap::new() }
    }

    fn apply(&mut self, action: MarketAction) {
        self.sequence += 1;
        let event = MarketEvent { time: EventTime(self.sequence), instrument: GOOG, action };
        self.engine.on_market(&event, Sequence(self.sequence));
    }

    fn quantity(&self, reference: OrderReference) -> Option<u32> {
        let slot = self.engine.books().find(OrderKey::market(reference)?)?;
        Some(self.engine.books().order(slot).quantity())
    }

    /// Applies an event of the file. What happens to an order that came without an add happens to
    /// the made-up ones in its place.
    fn event(&mut self, row: &LobsterRow) {
        let action = row.action(self.sequence, Symbol::BLANK).expect("an action");
        let known = self.quantity(OrderReference(row.order)).is_some();
        if known || !(2..=4).contains(&row.kind) {
            return self.apply(action);
        }
        let price = u32::try_from(row.price).expect("a price");
        let mut left = row.size;
        for reference in self.standing.get(&(row.side, price)).cloned().unwrap_or_default() {
            let shares = self.quantity(reference).unwrap_or_default().min(left);
            if shares > 0 {
                self.apply(MarketAction::Reduce { reference, quantity: Quantity(shares) });
                left -= shares;
            }
        }
        assert_eq!(left, 0, "more shares than stand at {price}: {row:?}");
    }

    fn side(&self, side: Side) -> Vec<Level> {
        let levels = self.engine.books().levels_of(GOOG, side);
        levels.map(|level| (level.price.0, level.quantity)).collect()
    }

    /// Brings a side to what the file shows of it.
    fn show(&mut self, side: Side, shown: &[Level]) {
        let mine = self.side(side);
        for &(price, quantity) in &mine {
            let wanted = shown.iter().find(|level| level.0 == price).map_or(0, |level| level.1);
            if wanted < quantity {
                self.empty(side, price);
            }
        }
        for &(price, wanted) in shown {
            let mine = self.side(side);
            let quantity = mine.iter().find(|level| level.0 == price).map_or(0, |level| level.1);
            if wanted > quantity {
                self.make_up(side, price, wanted - quantity);
            }
        }
    }

    fn make_up(&mut self, side: Side, price: u32, shares: u64) {
        self.made_up += 1;
        let reference = OrderReference(self.made_up);
        let quantity = Quantity(u32::try_from(shares).expect("a size"));
        let symbol = Symbol::BLANK;
        self.apply(MarketAction::Add { reference, side, quantity, price: Price(price), symbol });
        self.standing.entry((side, price)).or_default().push(reference);
    }

    /// Deletes every order at a price.
    fn empty(&mut self, side: Side, price: u32) {
        let books = self.engine.books();
        let (mut at, mut references) = (books.first(GOOG, side), Vec::new());
        while let Some(slot) = at {
            if books.price_of(slot).0 == price {
                references.extend(books.order(slot).key().reference());
            }
            at = books.behind(slot);
        }
        for reference in references {
            self.apply(MarketAction::Delete { reference });
        }
        self.standing.remove(&(side, price));
    }
}

#[test]
fn nine_levels_agree_after_every_event() {
    let (Some(messages), Some(shown)) = (lines("message"), lines("orderbook")) else { return };
    let mut rows = messages.map(|line| LobsterRow::parse(&line).expect("a row"));
    let mut shown = shown.map(|row| levels(&row));
    let mut books = Books::new();
    rows.next();
    let first = shown.next().expect("a row");
    for (side, levels) in [Side::Buy, Side::Sell].into_iter().zip(&first) {
        books.show(side, levels);
    }
    let mut steps = 0;
    for (row, expected) in rows.zip(shown) {
        books.event(&row);
        steps += 1;
        for (side, expected) in [Side::Buy, Side::Sell].into_iter().zip(&expected) {
            let mine = books.side(side);
            assert_eq!(mine[..9], expected[..9], "{} after event {steps}, {row:?}", side.name());
            books.show(side, expected);
        }
    }
    assert_eq!(steps, 147_915);
    let counters = books.engine.counters();
    assert_eq!((counters.duplicate_references, counters.unknown_references), (0, 0));
    let made_up = books.made_up - MADE_UP;
    println!("{steps} events, {} of them adds; {made_up} orders made up", books.sequence);
}
