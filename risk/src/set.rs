//! Limits as the gate uses them.

use spindle_types::Side;

use crate::keys::{COMMON, CURRENCIES_MAX, Key, MONEY, OFF};
use crate::limits::Limits;
use crate::near::Next;
use crate::reject::Check;
use crate::state::{Flow, Rate};
use spindle_types::keep;

/// Per cent of a limit from which a warning is due, where nothing is said.
const WARN_PERCENT: u64 = 70;

/// Orders that need no executions where nothing is said.
const ORDERS_FREE: u64 = 1_000;

/// The limits of a level, with what follows from them.
#[derive(Clone, Copy, Debug, keep::Value)]
pub(crate) struct Set {
    /// The checks that are on, in money of any currency.
    pub(crate) on: u32,
    /// Whether any of them looks at this level alone: neither band, nor locate, nor price test.
    pub(crate) judges: bool,
    /// The checks that refuse an order for its side alone: of a buy, a sale, a short one, an exempt one.
    pub(crate) blocked: [u32; 4],
    /// The sums that are limited, by currency.
    pub(crate) limited: [u32; CURRENCIES_MAX],
    /// Sums of which a warning can come, by currency.
    pub(crate) warns: [u32; CURRENCIES_MAX],
    /// Whether a limit in money needs an order to have a value, by currency.
    pub(crate) values: [bool; CURRENCIES_MAX],
    pub(crate) messages: Rate,
    pub(crate) orders: Rate,
    /// Orders that need no executions.
    pub(crate) free: u64,
    pub(crate) limits: Limits,
    pub(crate) warn_money: [[u64; MONEY]; CURRENCIES_MAX],
    pub(crate) warn: [u64; COMMON],
    /// The next of each sum that matters, by side.
    pub(crate) next: [Next; 2],
}

/// Which key switches a check on that is a limit.
const KEYS: [(Check, Key); 18] = [
    (Check::MessageRate, Key::MessageRateMax),
    (Check::OrderRate, Key::OrderRateMax),
    (Check::Collar, Key::CollarTicks),
    (Check::Collar, Key::CollarPercent),
    (Check::Collar, Key::CollarMoney),
    (Check::Duplicate, Key::DuplicateMax),
    (Check::RepeatedExecution, Key::ExecutionsMax),
    (Check::OrderToTrade, Key::OrderToTradeMax),
    (Check::OpenOrders, Key::OpenOrdersMax),
    (Check::Position, Key::PositionMax),
    (Check::BoughtQuantity, Key::BoughtQuantityMax),
    (Check::SoldQuantity, Key::SoldQuantityMax),
    (Check::BoughtValue, Key::BoughtValueMax),
    (Check::SoldValue, Key::SoldValueMax),
    (Check::GrossExposure, Key::GrossExposureMax),
    (Check::NetExposure, Key::NetExposureMax),
    (Check::Credit, Key::CreditMax),
    (Check::Loss, Key::LossMax),
];

/// The checks that are sums: from the open orders on.
pub(crate) const SUMS: u32 = !(Check::OpenOrders.bit() - 1);

impl Set {
    pub(crate) fn new(limits: Limits) -> Self {
        let percent = match limits.at(Key::WarnPercent) {
            OFF => WARN_PERCENT,
            percent => percent,
        };
        let part = |value: u64| match (value, percent) {
            (OFF, _) | (_, 0) => OFF,
            _ => u64::try_from((u128::from(value) * u128::from(percent)).div_ceil(100))
                .unwrap_or(OFF),
        };
        let mut values = [false; CURRENCIES_MAX];
        for (currency, values) in values.iter_mut().enumerate() {
            *values = Key::ALL
                .into_iter()
                .filter(|&key| key.is_money() && key != Key::LossMax)
                .any(|key| limits.get(key, currency) != OFF);
        }
        let rate = |rate: Key, burst: Key| match (limits.at(rate), limits.at(burst)) {
            (rate, OFF) => Rate::new(rate, rate),
            (rate, burst) => Rate::new(rate, burst),
        };
        let free = match limits.at(Key::OrderToTradeFree) {
            OFF => ORDERS_FREE,
            free => free,
        };
        let (warn_money, warn) = (limits.money.map(|row| row.map(part)), limits.common.map(part));
        let warned = |key: Key, currency: usize| match key.is_money() {
            true => warn_money[currency][key.place()],
            false => warn[key.place()],
        };
        let mut set = Self {
            on: 0,
            judges: false,
            blocked: [0; 4],
            limited: [0; CURRENCIES_MAX],
            warns: [0; CURRENCIES_MAX],
            values,
            messages: rate(Key::MessageRateMax, Key::MessageBurst),
            orders: rate(Key::OrderRateMax, Key::OrderBurst),
            free,
            limits,
            warn_money,
            warn,
            next: [Side::Buy, Side::Sell].map(|side| Next::of(side, &limits, warned)),
        };
        for (check, key) in KEYS {
            for currency in 0..CURRENCIES_MAX {
                if limits.get(key, currency) != OFF {
                    set.on |= check.bit();
                    set.limited[currency] |= check.bit() & SUMS;
                }
                if set.warn(key, currency) != OFF {
                    set.warns[currency] |= check.bit() & SUMS;
                }
            }
        }
        for (check, key) in [
            (Check::Locate, Key::Locate),
            (Check::RegSho, Key::RegSho),
            (Check::LuldBand, Key::Luld),
        ] {
            if limits.is_on(key) {
                set.on |= check.bit();
            }
        }
        let may = [Key::MayBuy, Key::MaySell, Key::MayShort, Key::MayShortExempt];
        for (blocked, may) in set.blocked.iter_mut().zip(may) {
            let (restricted, side) = (limits.is_on(Key::Restricted), !limits.is_on(may));
            *blocked = if restricted { Check::Restricted.bit() } else { 0 }
                | if side { Check::Side.bit() } else { 0 };
        }
        let elsewhere = Check::Locate.bit() | Check::RegSho.bit() | Check::LuldBand.bit();
        let of_each = [Key::OrderSizeMax, Key::OrderValueMax];
        set.judges = set.on & !elsewhere != 0
            || set.blocked != [0; 4]
            || limits.iter().any(|(key, _, _)| of_each.contains(&key));
        set
    }

    #[inline]
    pub(crate) const fn warn(&self, key: Key, currency: usize) -> u64 {
        if key.is_money() {
            self.warn_money[currency][key as usize]
        } else {
            self.warn[key as usize - MONEY]
        }
    }

    /// Orders of the day that executions so far allow.
    #[inline]
    pub(crate) const fn allowed(&self, flow: &Flow) -> u64 {
        // Both factors stay far below 2^63 in a day of any length.
        let most = self.limits.at(Key::OrderToTradeMax).saturating_mul(flow.fills);
        self.free.saturating_add(most)
    }

    /// Whether a check is on.
    #[inline]
    pub(crate) const fn is_on(&self, check: Check) -> bool {
        self.on & check.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_begin_at_a_part_of_the_limit() {
        let set = Set::new(Limits::NONE.with(Key::PositionMax, 101));
        assert_eq!(set.warn(Key::PositionMax, 0), 71);
        assert_eq!(set.warn(Key::CreditMax, 0), OFF);
        let none = Limits::NONE.with(Key::PositionMax, 101).with(Key::WarnPercent, 0);
        assert_eq!(Set::new(none).warn(Key::PositionMax, 0), OFF);
    }
}
