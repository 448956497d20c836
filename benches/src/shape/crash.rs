//! One deep book, through which the price walks.

use spindle_engine::{Capacity, Matcher, Placement};
use spindle_types::{InstrumentId, OrderReference, Price, Quantity, Side};

const INSTRUMENT: InstrumentId = InstrumentId(1);
const SHARES: u32 = 100;
/// Between the best bid and the best ask of the full book.
const MIDDLE: u32 = 1_000_000;
/// Between two levels, so that there is room for one more.
const TICK: u32 = 2;

/// A book of one instrument, deep on both sides.
pub struct Crash {
    matcher: Matcher,
    /// Levels a side.
    ticks: u32,
    /// Orders a level.
    orders: u32,
}

impl Crash {
    /// The full book. It takes its memory at once.
    pub fn new(ticks: u32, orders: u32) -> Self {
        let levels = 2 * ticks as usize + 1;
        let capacity =
            Capacity { instruments: 2, orders: levels * orders as usize + orders as usize, levels };
        let mut crash = Self { matcher: Matcher::new(capacity), ticks, orders };
        crash.matcher.warm_up();
        for side in [Side::Buy, Side::Sell] {
            crash.fill(side, 0, ticks);
        }
        crash
    }

    /// The number of the `nth` order at a depth. Those of a level stand far apart.
    fn number(&self, side: Side, depth: u32, nth: u32) -> OrderReference {
        let of_side = u64::from(side as u8) * u64::from(self.ticks * self.orders);
        OrderReference(1 + of_side + u64::from(nth) * u64::from(self.ticks) + u64::from(depth))
    }

    fn placement(side: Side, depth: u32) -> Placement {
        let away = 1 + TICK * depth;
        let price = if side == Side::Buy { MIDDLE - away } else { MIDDLE + away };
        let (instrument, quantity, price) = (INSTRUMENT, Quantity(SHARES), Price(price));
        Placement { instrument, side, quantity, price }
    }

    /// Enters all orders of the levels from one depth to another. They must not be there.
    pub fn fill(&mut self, side: Side, from: u32, to: u32) {
        for depth in from..to {
            let placement = Self::placement(side, depth);
            for nth in 0..self.orders {
                let number = self.number(side, depth, nth);
                let open = self.matcher.enter(number, &placement, true, |_| {});
                assert_eq!(open, Ok(Quantity(SHARES)), "room, and nobody to trade with");
            }
        }
    }

    /// Enters an order at a price of its own behind that of a depth, and takes it out.
    pub fn come_and_go(&mut self, side: Side, depth: u32) {
        let mut placement = Self::placement(side, depth);
        placement.price.0 = match side {
            Side::Buy => placement.price.0 - 1,
            Side::Sell => placement.price.0 + 1,
        };
        let number = OrderReference(u64::from(u32::MAX));
        let open = self.matcher.enter(number, &placement, true, |_| {});
        assert_eq!(open, Ok(Quantity(SHARES)));
        assert_eq!(self.matcher.cancel(number), Some(placement));
    }

    /// Executes every order of the levels from one depth to another, best first. They must be the
    /// best.
    pub fn execute(&mut self, side: Side, from: u32, to: u32) {
        for depth in from..to {
            for nth in 0..self.orders {
                let number = self.number(side, depth, nth);
                assert!(self.matcher.reduce(number, Quantity(SHARES)), "it lives");
            }
        }
    }

    /// One order of the other side takes all levels of a side from one depth to another. Returns its
    /// trades.
    pub fn sweep(&mut self, side: Side, from: u32, to: u32) -> u64 {
        let quantity = Quantity((to - from) * self.orders * SHARES);
        let limit = Self::placement(side, to - 1).price;
        let order =
            Placement { instrument: INSTRUMENT, side: side.opposite(), quantity, price: limit };
        let mut trades = 0;
        let number = OrderReference(u64::from(u32::MAX));
        let open = self.matcher.enter(number, &order, true, |_| trades += 1);
        assert_eq!(open, Ok(Quantity(0)), "all of it trades");
        trades
    }

    /// Holds a side against what it must be: all levels from a depth on, and none before.
    ///
    /// # Errors
    /// What is not so.
    pub fn check(&self, side: Side, from: u32) -> Result<(), String> {
        let books = self.matcher.books();
        let wanted = (from..self.ticks).map(|depth| {
            (Self::placement(side, depth).price, u64::from(self.orders * SHARES), self.orders)
        });
        let has = books.levels_of(INSTRUMENT, side);
        if !has.map(|level| (level.price, level.quantity, level.orders)).eq(wanted) {
            return Err(format!("{}: other levels", side.name()));
        }
        let best = books.best(INSTRUMENT, side).map(|best| best.price);
        let wanted = (from < self.ticks).then(|| Self::placement(side, from).price);
        if best != wanted {
            return Err(format!("{}: {best:?} is best, not {wanted:?}", side.name()));
        }
        books.check()
    }
}
