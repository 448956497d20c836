//! The generator's own books: levels with queues, enough to keep a day valid.

use spindle_types::Side;

use super::orders::{NONE, Orders};

#[derive(Clone, Copy, Debug)]
struct Level {
    price: u32,
    first: u32,
    last: u32,
}

/// One side: levels from worst to best.
#[derive(Clone, Debug, Default)]
struct Ladder(Vec<Level>);

/// The book of one instrument.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    sides: [Ladder; 2],
}

fn is_worse(side: Side, price: u32, than: u32) -> bool {
    match side {
        Side::Buy => price < than,
        Side::Sell => price > than,
    }
}

impl Ladder {
    /// Where the level of `price` stands or would stand, from the worst.
    fn position(&self, side: Side, price: u32) -> usize {
        let near =
            self.0.iter().rev().take(8).take_while(|level| is_worse(side, price, level.price));
        let near = near.count();
        if near < 8 {
            let upto = self.0.len() - near;
            let here = upto > 0 && self.0[upto - 1].price == price;
            return if here { upto - 1 } else { upto };
        }
        self.0.partition_point(|level| is_worse(side, level.price, price))
    }
}

impl Book {
    /// The best price of a side.
    pub(crate) fn best(&self, side: Side) -> Option<u32> {
        self.sides[side.index()].0.last().map(|level| level.price)
    }

    /// The order at the front of a side's best level.
    pub(crate) fn front(&self, side: Side) -> Option<u32> {
        self.sides[side.index()].0.last().map(|level| level.first)
    }

    /// How many levels of its side stand before an order's level.
    pub(crate) fn levels_before(&self, orders: &Orders, order: u32) -> usize {
        let order = orders.get(order);
        let ladder = &self.sides[order.side.index()];
        ladder.0.len().saturating_sub(1 + ladder.position(order.side, order.price))
    }

    /// Puts a live order at the back of its level.
    pub(crate) fn enter(&mut self, orders: &mut Orders, order: u32) {
        let (side, price) = (orders.get(order).side, orders.get(order).price);
        let levels = &mut self.sides[side.index()];
        let at = levels.position(side, price);
        match levels.0.get_mut(at) {
            Some(level) if level.price == price => {
                orders.get_mut(level.last).behind = order;
                orders.get_mut(order).before = level.last;
                level.last = order;
            }
            _ => levels.0.insert(at, Level { price, first: order, last: order }),
        }
    }

    /// Takes an order out of its level.
    pub(crate) fn leave(&mut self, orders: &mut Orders, order: u32) {
        let gone = *orders.get(order);
        let levels = &mut self.sides[gone.side.index()];
        let at = levels.position(gone.side, gone.price);
        let level = &mut levels.0[at];
        match gone.before {
            NONE => level.first = gone.behind,
            before => orders.get_mut(before).behind = gone.behind,
        }
        match gone.behind {
            NONE => level.last = gone.before,
            behind => orders.get_mut(behind).before = gone.before,
        }
        if level.first == NONE {
            levels.0.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::orders::Order;
    use super::*;

    fn enter(book: &mut Book, orders: &mut Orders, side: Side, price: u32) -> u32 {
        let order = orders.insert(0, Order::new(1, side, 0, price, 100));
        book.enter(orders, order);
        order
    }

    #[test]
    fn levels_stand_in_order_and_queues_in_time() {
        let (mut orders, mut book) = (Orders::default(), Book::default());
        let prices = [100, 90, 110, 80, 70, 60, 50, 40, 30, 20, 10, 5, 105, 100];
        let bids = prices.map(|price| enter(&mut book, &mut orders, Side::Buy, price));
        let ask = enter(&mut book, &mut orders, Side::Sell, 200);
        enter(&mut book, &mut orders, Side::Sell, 210);
        assert_eq!(book.best(Side::Buy), Some(110));
        assert_eq!(book.front(Side::Sell), Some(ask));
        assert_eq!(book.levels_before(&orders, bids[11]), 12);
        assert_eq!(book.levels_before(&orders, bids[0]), 2);
        book.leave(&mut orders, bids[2]);
        book.leave(&mut orders, bids[12]);
        assert_eq!(book.front(Side::Buy), Some(bids[0]));
        book.leave(&mut orders, bids[0]);
        assert_eq!(book.front(Side::Buy), Some(bids[13]));
        for index in [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13] {
            book.leave(&mut orders, bids[index]);
        }
        assert_eq!(book.best(Side::Buy), None);
        assert_eq!(book.best(Side::Sell), Some(200));
    }
}
