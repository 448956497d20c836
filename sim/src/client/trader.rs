//! What a client does: it trades at random, within what it knows of its own orders.

use crate::ledger::{Ledger, Way};
use crate::random::Random;

/// What a client does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A new order.
    Enter {
        /// Its side.
        way: Way,
        /// Its instrument, from 0.
        symbol: usize,
        /// Shares.
        quantity: u32,
        /// The limit; 0 is a market order.
        price: u32,
        /// Whether what does not execute at once is cancelled.
        at_once: bool,
    },
    /// Another order in the place of one.
    Replace {
        /// Which.
        id: u64,
        /// Shares of the whole chain.
        quantity: u32,
        /// The limit.
        price: u32,
    },
    /// Cancel down to a size.
    Cancel {
        /// Which.
        id: u64,
        /// The size; 0 for all.
        quantity: u32,
    },
    /// Make an order smaller in its place.
    Shrink {
        /// Which.
        id: u64,
        /// The size.
        quantity: u32,
    },
    /// Cancel everything.
    CancelAll,
}

/// How a client trades: how often, in 10,000, something that it sends is of a kind; the rest are new orders.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// How often it does anything in a turn.
    pub trade: u64,
    /// Replacements.
    pub replace: u64,
    /// Cancels.
    pub cancel: u64,
    /// Smaller orders.
    pub shrink: u64,
    /// Everything cancelled.
    pub cancel_all: u64,
    /// Orders for now alone.
    pub at_once: u64,
    /// Market orders.
    pub market: u64,
    /// The largest order.
    pub quantity_max: u32,
    /// Ticks around the middle.
    pub ticks: u64,
    /// Orders beyond which it cancels instead.
    pub open_max: usize,
}

/// The middle of all prices.
pub const MIDDLE: u32 = 100_0000;

/// A tick.
pub const TICK: u32 = 100;

impl Habits {
    fn price(&self, random: &mut Random) -> u32 {
        let ticks = u32::try_from(random.below(2 * self.ticks + 1)).unwrap_or(0);
        let span = u32::try_from(self.ticks).unwrap_or(0);
        MIDDLE + ticks * TICK - span * TICK
    }

    /// What it does next.
    pub fn wish(&self, ledger: &Ledger, symbols: usize, random: &mut Random) -> Wish {
        let open = &ledger.open;
        let one = (!open.is_empty()).then(|| open[random.index(open.len())]);
        let roll = random.below(10_000);
        let mut bound = self.replace;
        if let Some(id) = one
            && let Some(order) = ledger.orders.get(&id)
        {
            if open.len() > self.open_max {
                return Wish::Cancel { id, quantity: 0 };
            }
            let quantity = random.between32(1, self.quantity_max);
            if roll < bound {
                return Wish::Replace { id, quantity, price: self.price(random) };
            }
            bound += self.cancel;
            if roll < bound {
                let quantity = if random.once_in(3) { quantity } else { 0 };
                return Wish::Cancel { id, quantity };
            }
            bound += self.shrink;
            if roll < bound {
                return Wish::Shrink { id, quantity: random.between32(1, order.entered) };
            }
            bound += self.cancel_all;
            if roll < bound {
                return Wish::CancelAll;
            }
        }
        let market = random.chance(self.market);
        Wish::Enter {
            way: random.pick(&[Way::Buy, Way::Sell]),
            symbol: random.index(symbols),
            quantity: random.between32(1, self.quantity_max),
            price: if market { 0 } else { self.price(random) },
            at_once: market || random.chance(self.at_once),
        }
    }
}
