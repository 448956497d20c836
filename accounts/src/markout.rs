//! Markouts: what a fill would have made by the market's price some time after it.
//!
//! The delay of a horizon is the same for all fills, so what is pending falls due in the order of the
//! fills: one queue, and for each horizon a cursor that walks along it. While nothing is due, a message
//! of the tape costs one comparison.

use spindle_types::{EventTime, InstrumentId, Price, keep};

use crate::money::Money;

/// Tape time after a fill at which it is valued, in nanoseconds: 1 ms, 10 ms, 100 ms, 1 s, 10 s.
pub const HORIZONS: [u64; 5] = [1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000];

/// Fills valued some time after they happened, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct Markout {
    /// Fills valued.
    pub fills: u64,
    /// Their shares.
    pub shares: u64,
    /// What they had made by then, by the market's price; without fees.
    pub profit: Money,
    /// Fills at whose time the market had no price.
    pub unpriced: u64,
}

impl Markout {
    /// What a share had made, rounded to the nearest unit; `None` where none was valued.
    pub fn average(&self) -> Option<Money> {
        (self.shares > 0).then(|| self.profit.part(1, self.shares))
    }

    pub(crate) fn add(&mut self, shares: i64, price: Price, mark: Option<Money>) {
        match mark {
            Some(mark) => {
                self.fills += 1;
                self.shares += shares.unsigned_abs();
                self.profit += (mark - Money::of_price(price)).times(shares);
            }
            None => self.unpriced += 1,
        }
    }
}

/// A fill that waits to be valued.
#[derive(Clone, Copy, Debug, Default, keep::Value)]
pub(crate) struct Pending {
    pub(crate) time: u64,
    /// Below zero they were sold.
    pub(crate) shares: i64,
    pub(crate) price: Price,
    pub(crate) account: u16,
    pub(crate) instrument: InstrumentId,
}

/// The fills whose last horizon has not come.
#[derive(Debug, keep::State)]
pub(crate) struct Queue {
    ring: Box<[Pending]>,
    /// Fills put in since the start. The fill with number n is at n modulo the length.
    end: u64,
    /// For each horizon the number of the first fill that is not valued at it.
    cursors: [u64; HORIZONS.len()],
    /// When the next one is due.
    next_due: u64,
}

impl Queue {
    /// Whether it waits for what is in it.
    pub(crate) fn is_whole(&self) -> bool {
        let most = self.ring.len() as u64;
        let waits = |&cursor: &u64| cursor <= self.end && self.end - cursor <= most;
        self.cursors.iter().all(waits)
    }

    /// A queue for `capacity` fills at once, at least 1.
    pub(crate) fn new(capacity: usize) -> Self {
        let ring = vec![Pending::default(); capacity.max(1)].into_boxed_slice();
        Self { ring, end: 0, cursors: [0; HORIZONS.len()], next_due: u64::MAX }
    }

    /// Whether one is due at this time.
    #[inline]
    pub(crate) fn is_due(&self, now: EventTime) -> bool {
        self.next_due <= now.0
    }

    /// Puts a fill in; false where the queue is full. Times never go back.
    pub(crate) fn push(&mut self, pending: Pending) -> bool {
        if self.end - self.cursors[HORIZONS.len() - 1] >= self.ring.len() as u64 {
            return false;
        }
        let at = self.place(self.end);
        self.ring[at] = pending;
        self.end += 1;
        self.next_due = self.next_due.min(pending.time.saturating_add(HORIZONS[0]));
        true
    }

    /// Tells each that is due, with the number of its horizon.
    pub(crate) fn take_due(&mut self, now: EventTime, mut each: impl FnMut(usize, &Pending)) {
        self.next_due = u64::MAX;
        for (horizon, delay) in HORIZONS.iter().enumerate() {
            while self.cursors[horizon] < self.end {
                let pending = self.ring[self.place(self.cursors[horizon])];
                let due = pending.time.saturating_add(*delay);
                if due > now.0 {
                    self.next_due = self.next_due.min(due);
                    break;
                }
                each(horizon, &pending);
                self.cursors[horizon] += 1;
            }
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "below the ring's length")]
    fn place(&self, number: u64) -> usize {
        (number % self.ring.len() as u64) as usize
    }
}
