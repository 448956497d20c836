//! Without an order of a strategy the books are those of the tape: every level and every order in
//! every queue of an engine whose fill rules are at work, against plain books that know nothing of
//! them. On a made-up day, and on real data where it lies beside the repository.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_feed::event::{MarketAction, MarketEvent};
use spindle_feed::itch::{Message, to_event};
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::recording::{Batch, Recording};
use spindle_risk::{Gate, Limits, Target};
use spindle_types::{AccountId, OrderReference, Sequence, Side};

/// Messages between two looks at all books.
const LOOK: u64 = 20_000;

/// The plainest books: a list of references for each price.
#[derive(Default)]
struct Plain {
    orders: HashMap<u64, (u16, Side, u32, u32)>,
    levels: BTreeMap<(u16, bool, u32), Vec<u64>>,
}

impl Plain {
    fn add(&mut self, instrument: u16, reference: u64, side: Side, price: u32, shares: u32) {
        if self.orders.contains_key(&reference) || shares == 0 {
            return;
        }
        self.orders.insert(reference, (instrument, side, price, shares));
        self.levels.entry((instrument, side == Side::Sell, price)).or_default().push(reference);
    }

    fn remove(&mut self, reference: u64) -> Option<(u16, Side)> {
        let (instrument, side, price, _) = self.orders.remove(&reference)?;
        let key = (instrument, side == Side::Sell, price);
        let level = self.levels.get_mut(&key).expect("its level");
        level.retain(|other| *other != reference);
        if level.is_empty() {
            self.levels.remove(&key);
        }
        Some((instrument, side))
    }

    fn reduce(&mut self, reference: u64, by: u32) {
        match self.orders.get_mut(&reference) {
            Some(order) if order.3 > by => order.3 -= by,
            _ => {
                self.remove(reference);
            }
        }
    }

    fn apply(&mut self, event: &MarketEvent) {
        let instrument = event.instrument.0;
        match event.action {
            MarketAction::Add { reference, side, quantity, price, .. } => {
                self.add(instrument, reference.0, side, price.0, quantity.0);
            }
            MarketAction::Execute { reference, quantity, .. }
            | MarketAction::ExecuteAt { reference, quantity, .. }
            | MarketAction::Reduce { reference, quantity } => self.reduce(reference.0, quantity.0),
            MarketAction::Delete { reference } => {
                self.remove(reference.0);
            }
            MarketAction::Replace { reference, new_reference, quantity, price } => {
                if let Some((instrument, side)) = self.remove(reference.0) {
                    self.add(instrument, new_reference.0, side, price.0, quantity.0);
                }
            }
            _ => {}
        }
    }

    /// Every level, its shares and its queue, as text.
    fn text(&self) -> String {
        let mut text = String::new();
        for (&(instrument, sells, price), references) in &self.levels {
            let queue = references.iter().map(|reference| (*reference, self.orders[reference].3));
            line(&mut text, instrument, sells, price, queue);
        }
        text
    }
}

fn line(
    text: &mut String,
    instrument: u16,
    sells: bool,
    price: u32,
    queue: impl Iterator<Item = (u64, u32)>,
) {
    use std::fmt::Write;
    let queue: Vec<_> = queue.collect();
    let shares: u64 = queue.iter().map(|(_, shares)| u64::from(*shares)).sum();
    let orders = queue.len();
    let _ = writeln!(text, "{instrument} {sells} {price}: {shares} in {orders}: {queue:?}");
}

/// The same of the engine's books.
fn text_of(engine: &Engine) -> String {
    let books = engine.books();
    let mut levels: BTreeMap<(u16, bool, u32), Vec<(u64, u32)>> = BTreeMap::new();
    for (instrument, _) in engine.instruments().iter() {
        for side in [Side::Buy, Side::Sell] {
            let mut next = books.first(instrument, side);
            while let Some(slot) = next {
                let order = books.order(slot);
                let reference = order.key().reference().unwrap_or(OrderReference(0)).0;
                let key = (instrument.0, side == Side::Sell, books.price_of(slot).0);
                levels.entry(key).or_default().push((reference, order.quantity()));
                next = books.behind(slot);
            }
            // What a level sums up is what stands in its queue.
            for level in books.levels_of(instrument, side) {
                let queue = &levels[&(instrument.0, side == Side::Sell, level.price.0)];
                let shares = queue.iter().map(|(_, shares)| u64::from(*shares)).sum::<u64>();
                assert_eq!((level.quantity, level.orders as usize), (shares, queue.len()));
            }
        }
    }
    let mut text = String::new();
    for ((instrument, sells, price), queue) in levels {
        line(&mut text, instrument, sells, price, queue.into_iter());
    }
    text
}

/// An engine with accounts and room for their orders, of whom none sends any.
fn engine() -> Engine {
    let limits = Limits::NONE;
    let mut gate = Gate::new(16);
    gate.set_limits(Target::Account(AccountId(0)), limits).expect("limits that are not 0");
    let capacity = Capacity { instruments: 1 << 14, orders: 200_000, levels: 100_000 };
    let first_number = EngineConfig::BESIDE_A_FEED;
    Engine::new(&EngineConfig { capacity, own_orders: 1_000, first_number }, gate).0
}

/// Through both; how many messages, and how many levels were compared in all.
fn compare(mut recording: Recording) -> (u64, usize) {
    let (mut engine, mut plain) = (engine(), Plain::default());
    let (mut messages, mut levels) = (0, 0);
    let mut look = |engine: &Engine, plain: &Plain, messages: u64| {
        let (ours, theirs) = (plain.text(), text_of(engine));
        levels += ours.lines().count();
        let differs = ours.lines().zip(theirs.lines()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "after {messages} messages");
        assert_eq!(ours.len(), theirs.len(), "after {messages} messages");
    };
    let mut one = |event: &MarketEvent, bytes: Option<&[u8]>, plain: &mut Plain| {
        messages += 1;
        match bytes {
            Some(bytes) => engine.on_message(Sequence(messages), bytes).expect("a message"),
            None => engine.on_market(event, Sequence(messages)),
        }
        plain.apply(event);
        engine.clear_outbox();
        if messages.is_multiple_of(LOOK) {
            look(&engine, plain, messages);
        }
    };
    while let Some(batch) = recording.next_batch().expect("an intact recording") {
        match batch {
            Batch::Itch(batch) => {
                for at in 0..batch.len() {
                    let bytes = batch.get(at).expect("a message");
                    let event = to_event(&Message::decode(bytes).expect("a message"));
                    one(&event, Some(bytes), &mut plain);
                }
            }
            Batch::Events(events) => {
                for event in events.events {
                    one(event, None, &mut plain);
                }
            }
        }
    }
    look(&engine, &plain, messages);
    let sums = engine.divergence();
    assert_eq!((sums.traded(), sums.displaced, sums.refused), (0, 0, 0));
    (messages, levels)
}

#[test]
fn on_a_day_that_is_made_up() {
    let config = GenerateConfig::new(300_000, 300, 5).expect("a day");
    let (messages, levels) = compare(Recording::new(GeneratedDay::new(config)));
    assert_eq!(messages, 300_000);
    assert!(levels > 20_000, "only {levels} levels were compared");
}

#[test]
fn on_recordings_of_real_markets() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    for name in [
        "itch/nasdaq_20191230_open.part1.itch",
        "lobster/GOOG_2012-06-21_34200000_57600000_message_10.csv.gz",
    ] {
        let path = data.join(name);
        if !path.is_file() {
            println!("skipped: {} is not there", path.display());
            continue;
        }
        let (messages, levels) = compare(Recording::open(&path).expect("a recording"));
        println!("{name}: {messages} messages, {levels} levels compared");
        assert!(messages >= 600 && levels > 0);
    }
}

#[test]
fn a_difference_would_be_seen() {
    let mut plain = Plain::default();
    plain.add(1, 7, Side::Buy, 100, 50);
    let before = plain.text();
    plain.reduce(7, 1);
    assert_ne!(before, plain.text());
    // A place in the queue is a difference too.
    plain.add(1, 8, Side::Buy, 100, 49);
    let before = plain.text();
    plain.remove(7);
    plain.add(1, 7, Side::Buy, 100, 49);
    assert_ne!(before, plain.text());
}
