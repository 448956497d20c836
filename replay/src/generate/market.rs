//! The made-up market: instruments, their books and all live orders, and the choices that orders
//! make in it.

use spindle_types::{Side, Symbol};

use super::book::Book;
use super::orders::{Order, Orders};
use super::tables;
use crate::random::Random;

/// One cent, in price units.
pub(crate) const TICK: u32 = 100;

/// The highest price that ITCH 5.0 allows, 200,000 dollars, less room for what is placed behind it.
const PRICE_MAX: u32 = 1_999_000_000;

/// An instrument. Its locate code is its index plus 1.
struct Instrument {
    symbol: Symbol,
    /// What the instrument is worth: it walks at random, and orders are placed around it.
    worth: u32,
    book: Book,
}

pub(crate) struct Market {
    instruments: Vec<Instrument>,
    /// Instruments by activity, the busiest first.
    ranking: Vec<u16>,
    /// The weights of the ranking, summed up.
    weights: Vec<u64>,
    pub(crate) orders: Orders,
}

impl Market {
    pub(crate) fn new(symbols: u16, random: &mut Random) -> Self {
        let mut ranking: Vec<u16> = (0..symbols).collect();
        random.shuffle(&mut ranking);
        // Zipf's law with an offset, so that the first of 8,000 has 1.5 % of all activity and the
        // first of 10 has a third.
        let offset = 1 + u64::from(symbols / 800).min(10);
        let weights = (0..u64::from(symbols))
            .scan(0, |sum, rank| {
                *sum += 1_000_000_000 / (rank + offset);
                Some(*sum)
            })
            .collect();
        let instruments = (0..symbols)
            .map(|index| Instrument {
                symbol: symbol(index),
                worth: tables::opening_ticks(random) * TICK,
                book: Book::default(),
            })
            .collect();
        Self { instruments, ranking, weights, orders: Orders::default() }
    }

    pub(crate) fn symbol(&self, instrument: u16) -> [u8; 8] {
        self.instruments[usize::from(instrument)].symbol.0
    }

    /// Every instrument once, the busiest first.
    pub(crate) fn ranking(&self) -> &[u16] {
        &self.ranking
    }

    /// An instrument, the busy ones more often.
    pub(crate) fn any_instrument(&self, random: &mut Random) -> u16 {
        let total = self.weights.last().copied().unwrap_or(1);
        let at = random.below(total);
        let rank = self.weights.partition_point(|&sum| sum <= at);
        self.ranking[rank.min(self.ranking.len() - 1)]
    }

    pub(crate) fn any_side(random: &mut Random) -> Side {
        if random.below(2) == 0 { Side::Buy } else { Side::Sell }
    }

    pub(crate) fn book(&self, instrument: u16) -> &Book {
        &self.instruments[usize::from(instrument)].book
    }

    /// The middle of the book, or the best price there is, or the reference price, in whole ticks.
    pub(crate) fn middle(&self, instrument: u16) -> u32 {
        let Instrument { book, worth, .. } = &self.instruments[usize::from(instrument)];
        match (book.best(Side::Buy), book.best(Side::Sell)) {
            (Some(bid), Some(ask)) => (bid + (ask - bid) / 2) / TICK * TICK,
            (Some(price), None) | (None, Some(price)) => price,
            (None, None) => *worth,
        }
    }

    /// A price for a new order: near what the instrument is worth, and never at or through the
    /// other side. The worth moves a tick with one order in thirty-two. As the orders on the side that
    /// it moves to are executed or cancelled and none comes in their place, the book follows.
    pub(crate) fn price_for(&mut self, random: &mut Random, instrument: u16, side: Side) -> u32 {
        let Instrument { book, worth, .. } = &mut self.instruments[usize::from(instrument)];
        if random.chance(32) {
            *worth = if random.below(2) == 0 { *worth + TICK } else { worth.saturating_sub(TICK) }
                .clamp(2 * TICK, PRICE_MAX - 2 * TICK);
        }
        let behind = tables::ticks_behind(random) * TICK;
        // A bid at the worth itself and an ask a tick above it are the best that are wanted. Where
        // the best is better than that, every other order joins it all the same.
        let wanted = match side {
            Side::Buy => *worth,
            Side::Sell => *worth + TICK,
        };
        let best = book.best(side).unwrap_or(wanted);
        let better = if side == Side::Buy { best > wanted } else { best < wanted };
        let front = if better && random.chance(512) { best } else { wanted };
        within(side, away(side, front, behind), book.best(side.opposite()))
    }

    /// Puts a new order into its book. The same time or a later one than before.
    pub(crate) fn enter(&mut self, time: u64, order: Order) {
        let instrument = usize::from(order.instrument);
        let index = self.orders.insert(time, order);
        self.instruments[instrument].book.enter(&mut self.orders, index);
    }

    /// Takes a live order out.
    pub(crate) fn leave(&mut self, order: u32) {
        let instrument = usize::from(self.orders.get(order).instrument);
        self.instruments[instrument].book.leave(&mut self.orders, order);
        self.orders.remove(order);
    }

    /// The first order of a level that the worth has left behind: a bid above it, or an ask at or
    /// below it.
    fn overtaken(&self, instrument: u16) -> Option<u32> {
        let Instrument { book, worth, .. } = &self.instruments[usize::from(instrument)];
        let bid = book.best(Side::Buy).filter(|price| price > worth);
        let ask = book.best(Side::Sell).filter(|price| price <= worth);
        match (bid, ask) {
            (Some(_), _) => book.front(Side::Buy),
            (None, Some(_)) => book.front(Side::Sell),
            (None, None) => None,
        }
    }

    /// An order that goes: every other time one that the worth has left behind, otherwise one of
    /// about the right age, more often one near the top of its book.
    pub(crate) fn any_order(&self, random: &mut Random, now: u64) -> Option<u32> {
        if random.chance(512) {
            let instrument = self.any_instrument(random);
            if let Some(order) = self.overtaken(instrument) {
                return Some(order);
            }
        }
        let mut chosen = None;
        for _ in 0..4 {
            let order = self.orders.near(now.saturating_sub(tables::age(random)))?;
            chosen = Some(order);
            let book = self.book(self.orders.get(order).instrument);
            let accepted = match book.levels_before(&self.orders, order) {
                0 => 1024,
                1 | 2 => 800,
                _ => 100,
            };
            if random.chance(accepted) {
                break;
            }
        }
        chosen
    }

    /// The order that an incoming one would meet first in some busy book.
    pub(crate) fn any_front(&self, random: &mut Random, now: u64) -> Option<u32> {
        for _ in 0..8 {
            let instrument = self.any_instrument(random);
            let overtaken = self.overtaken(instrument);
            let front = || self.book(instrument).front(Self::any_side(random));
            if let Some(order) = overtaken.or_else(front) {
                return Some(order);
            }
        }
        let order = self.any_order(random, now)?;
        let Order { instrument, side, .. } = *self.orders.get(order);
        self.book(instrument).front(side)
    }
}

/// `units` behind `price`, on an order's own side.
fn away(side: Side, price: u32, units: u32) -> u32 {
    match side {
        Side::Buy => price.saturating_sub(units),
        Side::Sell => price.saturating_add(units),
    }
}

/// The nearest price that is at least a tick, at most the highest allowed, and leaves a tick to the
/// other side's best. Asks stay a tick above the lowest price, so that a bid always has room.
fn within(side: Side, price: u32, other: Option<u32>) -> u32 {
    match side {
        Side::Buy => price.min(other.unwrap_or(PRICE_MAX).saturating_sub(TICK)).max(TICK),
        Side::Sell => price.min(PRICE_MAX).max(other.unwrap_or(TICK) + TICK),
    }
}

/// A symbol for each index: A to Z, then AA and so on.
fn symbol(index: u16) -> Symbol {
    let mut rest = u32::from(index) + 1;
    let mut letters = [b' '; 8];
    let mut length = 0;
    while rest > 0 {
        rest -= 1;
        letters[length] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(rest % 26) as usize];
        length += 1;
        rest /= 26;
    }
    letters[..length].reverse();
    Symbol(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_differ() {
        let names: Vec<String> =
            [0, 25, 26, 701, 702, 65_534].map(|at| symbol(at).to_string()).into();
        assert_eq!(names, ["A", "Z", "AA", "ZZ", "AAA", "CRXO"]);
    }

    #[test]
    fn prices_leave_room_on_both_ends() {
        assert_eq!(within(Side::Buy, 0, None), TICK);
        assert_eq!(within(Side::Sell, 0, None), 2 * TICK);
        assert_eq!(within(Side::Buy, 500, Some(200)), 100);
        assert_eq!(within(Side::Sell, 100, Some(500)), 600);
        assert_eq!(within(Side::Buy, u32::MAX, None), PRICE_MAX - TICK);
        assert_eq!(within(Side::Sell, u32::MAX, Some(PRICE_MAX - TICK)), PRICE_MAX);
    }
}
