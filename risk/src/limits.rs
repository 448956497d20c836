//! Limits: what is set together, and what contradicts what.

use spindle_types::keep;
use thiserror::Error;

use crate::keys::{COMMON, CURRENCIES_MAX, Key, MONEY, OFF};

/// Why limits are refused before the gate ever uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LimitError {
    /// A limit of 0 would refuse everything.
    #[error("{0} is 0 and would refuse every order; give at least 1")]
    Zero(&'static str),
    /// Above what the limit can be.
    #[error("{key} is {value}; give at most {highest}")]
    TooHigh {
        /// Which.
        key: &'static str,
        /// What was given.
        value: u64,
        /// What would be right.
        highest: u64,
    },
    /// An order that one limit lets through never passes the other.
    #[error("{key} is above {other}, which no order of that size could meet; lower it")]
    Contradiction {
        /// The limit of one order.
        key: &'static str,
        /// The limit of the sum.
        other: &'static str,
    },
    /// A limit that needs another.
    #[error("{key} needs {other}; give both or neither")]
    Alone {
        /// The limit.
        key: &'static str,
        /// What it needs.
        other: &'static str,
    },
    /// A limit that this level does not have.
    #[error("{0} cannot be set for one instrument; set it for the account")]
    NotForInstrument(&'static str),
    /// A limit that only this level has.
    #[error("{0} is set for an account in one instrument")]
    OnlyForInstrument(&'static str),
}

/// The limits at one level. What is not set is [`OFF`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Limits {
    pub(crate) money: [[u64; MONEY]; CURRENCIES_MAX],
    pub(crate) common: [u64; COMMON],
}

impl Default for Limits {
    fn default() -> Self {
        Self::NONE
    }
}

impl Limits {
    /// No limit is set; bands and the price test are heeded, and every side is allowed.
    pub const NONE: Self = Self::none();

    const fn none() -> Self {
        let mut limits = Self { money: [[OFF; MONEY]; CURRENCIES_MAX], common: [OFF; COMMON] };
        let flags = [
            (Key::Luld, 1),
            (Key::RegSho, 1),
            (Key::Locate, 0),
            (Key::Restricted, 0),
            (Key::MayBuy, 1),
            (Key::MaySell, 1),
            (Key::MayShort, 1),
            (Key::MayShortExempt, 1),
            (Key::KillLoss, 0),
            (Key::Reducing, 0),
        ];
        let mut at = 0;
        while at < flags.len() {
            limits.common[flags[at].0 as usize - MONEY] = flags[at].1;
            at += 1;
        }
        limits
    }

    /// These limits and one more, in money of the first currency.
    #[must_use]
    pub const fn with(mut self, key: Key, value: u64) -> Self {
        self.set(key, 0, value);
        self
    }

    /// Sets a limit; one that is not in money has no currency.
    pub const fn set(&mut self, key: Key, currency: usize, value: u64) {
        if key.is_money() {
            self.money[currency % CURRENCIES_MAX][key as usize] = value;
        } else {
            self.common[key as usize - MONEY] = value;
        }
    }

    /// A limit, [`OFF`] where it is not set.
    #[inline]
    pub const fn get(&self, key: Key, currency: usize) -> u64 {
        if key.is_money() {
            self.money[currency % CURRENCIES_MAX][key as usize]
        } else {
            self.common[key as usize - MONEY]
        }
    }

    /// A limit that has no currency.
    #[inline]
    pub(crate) const fn at(&self, key: Key) -> u64 {
        self.common[key as usize - MONEY]
    }

    /// A flag.
    #[inline]
    pub(crate) const fn is_on(&self, key: Key) -> bool {
        self.common[key as usize - MONEY] == 1
    }

    /// A limit in money.
    #[inline]
    pub(crate) const fn money(&self, key: Key, currency: usize) -> u64 {
        self.money[currency][key as usize]
    }

    /// Every limit that differs from [`Limits::NONE`], with its currency.
    pub fn iter(&self) -> impl Iterator<Item = (Key, usize, u64)> + '_ {
        Key::ALL.into_iter().flat_map(move |key| {
            let currencies = if key.is_money() { CURRENCIES_MAX } else { 1 };
            (0..currencies)
                .map(move |currency| (key, currency, self.get(key, currency)))
                .filter(|&(key, currency, value)| value != Self::NONE.get(key, currency))
        })
    }

    /// Whether anybody could trade under these limits, at one account in one instrument or elsewhere.
    ///
    /// # Errors
    /// The first thing found that cannot be.
    pub fn check(&self, for_instrument: bool) -> Result<(), LimitError> {
        let name = Key::name;
        for (key, _, value) in self.iter() {
            if value > key.highest() && value != OFF {
                let highest = key.highest();
                return Err(LimitError::TooHigh { key: name(key), value, highest });
            }
            let some_must_be = matches!(
                key,
                Key::OrderValueMax
                    | Key::OrderSizeMax
                    | Key::OpenOrdersMax
                    | Key::MessageRateMax
                    | Key::MessageBurst
                    | Key::OrderRateMax
                    | Key::OrderBurst
                    | Key::DuplicateMax
                    | Key::DuplicateWindowMs
                    | Key::ExecutionsMax
                    | Key::ExecutionsWindowMs
                    | Key::KillRejectsWindowMs
                    | Key::KillFillsWindowMs
            );
            if value == 0 && some_must_be {
                return Err(LimitError::Zero(name(key)));
            }
            if for_instrument && !key.is_for_instrument() {
                return Err(LimitError::NotForInstrument(name(key)));
            }
            if !for_instrument && key == Key::LocateShares {
                return Err(LimitError::OnlyForInstrument(name(key)));
            }
        }
        self.check_pairs()
    }

    fn check_pairs(&self) -> Result<(), LimitError> {
        let is_set = |key: Key| self.get(key, 0) != OFF;
        for (key, other) in [
            (Key::DuplicateMax, Key::DuplicateWindowMs),
            (Key::ExecutionsMax, Key::ExecutionsWindowMs),
            (Key::KillRejectsMax, Key::KillRejectsWindowMs),
            (Key::KillFillsMax, Key::KillFillsWindowMs),
            (Key::MessageBurst, Key::MessageRateMax),
            (Key::OrderBurst, Key::OrderRateMax),
            (Key::OrderToTradeFree, Key::OrderToTradeMax),
        ] {
            let burst =
                matches!(other, Key::MessageRateMax | Key::OrderRateMax | Key::OrderToTradeMax);
            let (key, other) = if is_set(key) { (key, other) } else { (other, key) };
            if is_set(key) && !is_set(other) && !(burst && key.name().ends_with("_max")) {
                return Err(LimitError::Alone { key: key.name(), other: other.name() });
            }
        }
        for other in [Key::PositionMax, Key::BoughtQuantityMax, Key::SoldQuantityMax] {
            self.above(Key::OrderSizeMax, other, 0)?;
        }
        let mut has_loss = false;
        for currency in 0..CURRENCIES_MAX {
            for other in [
                Key::BoughtValueMax,
                Key::SoldValueMax,
                Key::GrossExposureMax,
                Key::NetExposureMax,
                Key::CreditMax,
            ] {
                self.above(Key::OrderValueMax, other, currency)?;
            }
            has_loss |= self.get(Key::LossMax, currency) != OFF;
        }
        if self.is_on(Key::KillLoss) && !has_loss {
            let (key, other) = (Key::KillLoss.name(), Key::LossMax.name());
            return Err(LimitError::Alone { key, other });
        }
        Ok(())
    }

    fn above(&self, key: Key, other: Key, currency: usize) -> Result<(), LimitError> {
        let (one, sum) = (self.get(key, currency), self.get(other, currency));
        if one != OFF && sum != OFF && one > sum {
            return Err(LimitError::Contradiction { key: key.name(), other: other.name() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Unit;

    #[test]
    fn every_key_has_its_place_and_its_name() {
        for (at, key) in Key::ALL.into_iter().enumerate() {
            assert_eq!(key as usize, at);
            assert_eq!(Key::named(key.name()), Some(key));
            assert_eq!(key.is_money(), key.unit() == Unit::Money);
        }
        assert_eq!(Limits::NONE.iter().count(), 0);
        let limits = Limits::NONE.with(Key::CreditMax, 7);
        assert_eq!(limits.iter().collect::<Vec<_>>(), [(Key::CreditMax, 0, 7)]);
    }

    #[test]
    fn limits_that_cannot_be_are_refused() {
        let none = Limits::NONE;
        let daily = none.with(Key::OrderSizeMax, 10).with(Key::BoughtQuantityMax, 9);
        let said = [
            (none.with(Key::OrderSizeMax, 0), "order_size_max is 0"),
            (none.with(Key::OpenOrdersMax, 0), "open_orders_max is 0"),
            (daily, "order_size_max is above bought_quantity_max"),
            (
                none.with(Key::OrderValueMax, 10).with(Key::CreditMax, 9),
                "order_value_max is above credit_max",
            ),
            (none.with(Key::DuplicateMax, 5), "duplicate_max is 5; give at most 4"),
            (none.with(Key::DuplicateMax, 1), "duplicate_max needs duplicate_window_ms"),
            (none.with(Key::DuplicateWindowMs, 1), "duplicate_window_ms needs duplicate_max"),
            (none.with(Key::MessageBurst, 1), "message_burst needs message_rate_max"),
            (none.with(Key::KillLoss, 1), "kill_loss needs loss_max"),
            (none.with(Key::WarnPercent, 101), "warn_percent is 101; give at most 100"),
            (none.with(Key::LocateShares, 1), "locate_shares is set for an account in one"),
        ];
        for (limits, expected) in said {
            let error = limits.check(false).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}: no {expected}");
        }
        assert_eq!(none.with(Key::OrderRateMax, 5).check(false), Ok(()));
        assert_eq!(none.with(Key::PositionMax, 0).check(true), Ok(()));
        assert!(
            none.with(Key::KillFillsMax, 1).with(Key::KillFillsWindowMs, 1).check(true).is_err()
        );
    }
}
