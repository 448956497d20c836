//! The live orders, by age.

use spindle_types::Side;

use super::marks::Marks;

/// No order.
pub(crate) const NONE: u32 = u32::MAX;

/// A live order. Orders of a level are linked in queue order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) reference: u64,
    pub(crate) price: u32,
    pub(crate) shares: u32,
    pub(crate) before: u32,
    pub(crate) behind: u32,
    entry: u32,
    pub(crate) instrument: u16,
    pub(crate) side: Side,
}

#[derive(Clone, Copy)]
struct Entry {
    time: u64,
    order: u32,
}

/// All live orders: by index, and in the order in which they came. Memory follows the number of live
/// orders, not of messages.
#[derive(Default)]
pub(crate) struct Orders {
    orders: Vec<Order>,
    free: Vec<u32>,
    entries: Vec<Entry>,
    /// The entries whose orders are live.
    marks: Marks,
    live: usize,
}

impl Orders {
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    pub(crate) fn get(&self, order: u32) -> &Order {
        &self.orders[order as usize]
    }

    pub(crate) fn get_mut(&mut self, order: u32) -> &mut Order {
        &mut self.orders[order as usize]
    }

    /// Takes in an order that came at `time`, no earlier than any before.
    #[allow(clippy::cast_possible_truncation, reason = "orders and entries stay below 2^32")]
    pub(crate) fn insert(&mut self, time: u64, mut order: Order) -> u32 {
        if self.entries.len() > 1024 && self.entries.len() > 2 * self.live {
            self.compact();
        }
        order.entry = self.entries.len() as u32;
        let index = match self.free.pop() {
            Some(index) => {
                self.orders[index as usize] = order;
                index
            }
            None => {
                self.orders.push(order);
                self.orders.len() as u32 - 1
            }
        };
        self.marks.set(self.entries.len());
        self.entries.push(Entry { time, order: index });
        self.live += 1;
        index
    }

    pub(crate) fn remove(&mut self, order: u32) {
        let entry = self.orders[order as usize].entry;
        self.entries[entry as usize].order = NONE;
        self.marks.clear(entry as usize);
        self.free.push(order);
        self.live -= 1;
    }

    /// The live order that came nearest to `time`, the younger in doubt.
    pub(crate) fn near(&self, time: u64) -> Option<u32> {
        let at = self.entries.partition_point(|entry| entry.time < time);
        let older = self.marks.previous(at).map(|index| self.entries[index]);
        let younger = self.marks.next(at).map(|index| self.entries[index]);
        match (older, younger) {
            (Some(older), Some(younger)) if time - older.time < younger.time - time => {
                Some(older.order)
            }
            (older, younger) => younger.or(older).map(|entry| entry.order),
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "there are no more entries than before")]
    fn compact(&mut self) {
        self.entries.retain(|entry| entry.order != NONE);
        self.marks.reset();
        for (index, entry) in self.entries.iter().enumerate() {
            self.marks.set(index);
            self.orders[entry.order as usize].entry = index as u32;
        }
    }
}

impl Order {
    pub(crate) fn new(
        instrument: u16,
        side: Side,
        reference: u64,
        price: u32,
        shares: u32,
    ) -> Self {
        Self { reference, price, shares, before: NONE, behind: NONE, entry: NONE, instrument, side }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_live_order_is_found() {
        let mut orders = Orders::default();
        let order = |reference| Order::new(1, Side::Buy, reference, 100, 1);
        let indices: Vec<u32> = (0..10).map(|n| orders.insert(n * 100, order(n))).collect();
        let found = |orders: &Orders, time| orders.near(time).map(|at| orders.get(at).reference);
        assert_eq!(found(&orders, 300), Some(3));
        assert_eq!(found(&orders, 301), Some(3));
        assert_eq!(found(&orders, 350), Some(4));
        orders.remove(indices[4]);
        assert_eq!(found(&orders, 301), Some(3));
        assert_eq!(found(&orders, 450), Some(5));
        assert_eq!(found(&orders, 9_999), Some(9));
        for &index in indices.iter().filter(|&&index| index != 4) {
            orders.remove(index);
        }
        assert_eq!(found(&orders, 300), None);
    }

    #[test]
    fn memory_follows_the_live_orders() {
        let mut orders = Orders::default();
        for time in 0..100_000 {
            let index = orders.insert(time, Order::new(1, Side::Buy, time, 100, 1));
            if time % 50 != 0 {
                orders.remove(index);
            }
        }
        assert_eq!(orders.live(), 2_000);
        assert!(orders.entries.len() <= 4_001, "{}", orders.entries.len());
        assert!(orders.orders.len() <= 2_001);
        let oldest = orders.near(0).map(|at| orders.get(at).reference);
        assert_eq!(oldest, Some(0));
    }
}
