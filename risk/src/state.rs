//! What is counted: of each owner, and of each owner in each instrument.

use spindle_types::{EventTime, Price, Side, keep};

use crate::keys::CURRENCIES_MAX;
use crate::notice::NO_FIRM;

/// A whole request in a bucket.
const ONE: u64 = 1_000_000_000;

/// What a leaky bucket loses a second, and what it holds at most.
#[derive(Clone, Copy, Debug, keep::Value)]
pub(crate) struct Rate {
    a_second: u64,
    /// Requests.
    pub(crate) burst: u64,
    /// The same in billionths.
    most: u64,
}

impl Rate {
    /// Both are below 2^32 where the check is on.
    pub(crate) const fn new(a_second: u64, burst: u64) -> Self {
        Self { a_second, burst, most: burst.saturating_mul(ONE) }
    }
}

/// A leaky bucket on the sequenced time. A rate a second drains it; each request adds one.
#[derive(Clone, Copy, Debug, Default, keep::Value)]
pub(crate) struct Bucket {
    /// In billionths of a request: at most 2^62.
    level: u64,
    time: u64,
}

impl Bucket {
    /// What would be in it now with one more, in billionths.
    #[inline]
    const fn raised(&self, time: EventTime, rate: &Rate) -> u64 {
        let elapsed = time.0.saturating_sub(self.time);
        self.level.saturating_sub(elapsed.saturating_mul(rate.a_second)) + ONE
    }

    /// Requests in it now, rounded up.
    pub(crate) const fn filled(&self, time: EventTime, rate: &Rate) -> u64 {
        (self.raised(time, rate) - ONE).div_ceil(ONE)
    }

    /// Requests with one more, rounded up.
    pub(crate) const fn with_one(&self, time: EventTime, rate: &Rate) -> u64 {
        self.raised(time, rate).div_ceil(ONE)
    }

    /// Adds one if it fits.
    #[inline]
    pub(crate) const fn add(&mut self, time: EventTime, rate: &Rate) {
        let level = self.raised(time, rate);
        if level <= rate.most {
            *self = Self { level, time: time.0 };
        }
    }

    /// Whether one more fits.
    #[inline]
    pub(crate) const fn fits(&self, time: EventTime, rate: &Rate) -> bool {
        self.raised(time, rate) <= rate.most
    }
}

/// A count in a window of time that begins with the first after the last window's end.
#[derive(Clone, Copy, Debug, Default, keep::Value)]
pub(crate) struct Window {
    start: u64,
    count: u64,
}

impl Window {
    const fn is_over(&self, time: EventTime, millis: u64) -> bool {
        time.0 >= self.start.saturating_add(millis.saturating_mul(1_000_000))
    }

    /// How many there are in the window that runs.
    #[inline]
    pub(crate) const fn count(&self, time: EventTime, millis: u64) -> u64 {
        if self.is_over(time, millis) { 0 } else { self.count }
    }

    /// Whether it holds fewer than this, whether it runs or is over.
    #[inline]
    pub(crate) const fn is_below(&self, most: u64) -> bool {
        self.count < most
    }

    /// Counts one, and says how many there are with it.
    #[inline]
    pub(crate) const fn add(&mut self, time: EventTime, millis: u64) -> u64 {
        *self = if self.count == 0 || self.is_over(time, millis) {
            Self { start: time.0, count: 1 }
        } else {
            Self { start: self.start, count: self.count.saturating_add(1) }
        };
        self.count
    }
}

/// Shares, orders and rates.
#[derive(Clone, Copy, Debug, Default, keep::Value)]
pub(crate) struct Flow {
    /// Open shares, by side.
    pub(crate) open: [u64; 2],
    /// Shares traded today, by side.
    pub(crate) traded: [u64; 2],
    pub(crate) open_orders: u64,
    /// Orders and replacements accepted today.
    pub(crate) orders: u64,
    /// Executions today.
    pub(crate) fills: u64,
    pub(crate) messages: Bucket,
    pub(crate) accepted: Bucket,
}

/// Sums of money, in price units times shares.
#[derive(Clone, Copy, Debug, Default, keep::Value)]
pub(crate) struct Money {
    /// Of a cell its worst; of an owner the sum of them.
    pub(crate) gross: i128,
    /// What is held, at its cost; negative: short.
    pub(crate) net: i128,
    /// Open orders, by side.
    pub(crate) open: [i128; 2],
    /// Traded today, by side.
    pub(crate) traded: [i128; 2],
    /// Realised and, by the latest marks, unrealised.
    pub(crate) profit: i128,
}

impl Flow {
    const EMPTY: Self = Self {
        open: [0; 2],
        traded: [0; 2],
        open_orders: 0,
        orders: 0,
        fills: 0,
        messages: Bucket { level: 0, time: 0 },
        accepted: Bucket { level: 0, time: 0 },
    };
}

impl Money {
    const EMPTY: Self = Self { gross: 0, net: 0, open: [0; 2], traded: [0; 2], profit: 0 };

    /// What is exposed at worst.
    #[inline]
    pub(crate) fn worst(&self) -> i128 {
        (self.net + self.open[0]).max(self.open[1] - self.net)
    }
}

/// An account, a session or a firm.
#[derive(Clone, Copy, Debug, keep::Value)]
pub(crate) struct Owner {
    /// Whether it may trade at all.
    pub(crate) known: bool,
    /// Why it was stopped, 0 while it is not.
    pub(crate) killed: u8,
    /// Its limits among the sets; 0 is none.
    pub(crate) set: u16,
    /// The firm of an account.
    pub(crate) firm: u16,
    /// Checks of which a warning was told: those that have no currency.
    pub(crate) warned: u32,
    /// Those in money, by currency.
    pub(crate) warned_money: [u32; CURRENCIES_MAX],
    pub(crate) rejects: Window,
    pub(crate) fills: Window,
    pub(crate) flow: Flow,
    pub(crate) money: [Money; CURRENCIES_MAX],
}

impl Default for Owner {
    fn default() -> Self {
        Self {
            known: false,
            killed: 0,
            set: 0,
            firm: NO_FIRM,
            warned: 0,
            warned_money: [0; CURRENCIES_MAX],
            rejects: Window::default(),
            fills: Window::default(),
            flow: Flow::default(),
            money: [Money::default(); CURRENCIES_MAX],
        }
    }
}

/// An order as duplicates are told apart: side, shares and limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub(crate) struct Print {
    pub(crate) key: u64,
    pub(crate) time: u64,
}

/// An owner in one instrument.
#[derive(Clone, Copy, Debug, Default, keep::Value)]
#[repr(align(64))]
pub(crate) struct Cell {
    /// Owner and instrument, see `table`; 0 is vacant.
    pub(crate) key: u64,
    /// Limits of an account in this instrument; 0 is none.
    pub(crate) set: u16,
    pub(crate) currency: u8,
    /// Where the next print goes.
    pub(crate) next_print: u8,
    /// The mark of its profit, in price units.
    pub(crate) mark: u32,
    /// Shares held; negative: short.
    pub(crate) position: i64,
    pub(crate) flow: Flow,
    pub(crate) money: Money,
    pub(crate) realised: i128,
    /// Shares of the locate that are used.
    pub(crate) located: u64,
    /// Checks of which a warning was told: by the owner's limits, by those of this cell.
    pub(crate) warned: [u32; 2],
    pub(crate) prints: [Print; 4],
    /// Executions by the owner's limits and by those of this cell, each by side.
    pub(crate) executions: [[Window; 2]; 2],
}

impl Cell {
    /// What an owner has where it never traded.
    pub(crate) const EMPTY: Self = Self {
        key: 0,
        set: 0,
        currency: 0,
        next_print: 0,
        mark: 0,
        position: 0,
        flow: Flow::EMPTY,
        money: Money::EMPTY,
        realised: 0,
        located: 0,
        warned: [0; 2],
        prints: [Print { key: 0, time: 0 }; 4],
        executions: [[Window { start: 0, count: 0 }; 2]; 2],
    };

    /// Counts shares that were traded at a price: position, cost and profit.
    #[inline]
    pub(crate) fn trade(&mut self, side: Side, quantity: u64, price: Price) {
        let (quantity, price) = (i128::from(quantity), i128::from(price.0));
        let sign = if side == Side::Buy { 1 } else { -1 };
        let held = i128::from(self.position);
        let opens = if held * sign >= 0 { quantity } else { (quantity + held * sign).max(0) };
        let closes = quantity - opens;
        if closes > 0 {
            let held = held.abs();
            let cost = self.money.net.abs();
            // At most 2^93 times 2^31.
            let removed = if closes == held { cost } else { cost * closes / held };
            self.realised += (removed - closes * price) * sign;
            self.money.net += removed * sign;
        }
        self.money.net += opens * price * sign;
        // The sums of shares that come are at most 2^62.
        #[allow(clippy::cast_possible_truncation, reason = "an order has at most 2^32 shares")]
        let moved = (quantity * sign) as i64;
        self.position += moved;
        #[allow(clippy::cast_possible_truncation, reason = "an order has at most 2^32 shares")]
        let traded = quantity as u64;
        self.flow.traded[side.index()] += traded;
        self.money.traded[side.index()] += quantity * price;
        self.flow.fills += 1;
    }

    /// What it is worth at its mark.
    #[inline]
    pub(crate) fn value(&self) -> i128 {
        self.realised + i128::from(self.position) * i128::from(self.mark) - self.money.net
    }
}
