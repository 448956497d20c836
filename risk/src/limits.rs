//! Limits: what can be set, in which unit, and what contradicts what.

use thiserror::Error;

/// Currencies that a gate tells apart.
pub const CURRENCIES_MAX: usize = 4;

/// A limit that is not set.
pub const OFF: u64 = u64::MAX;

/// What can be set. Those in money come first; each of them is set for one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "docs/risk.md has one row for each name")]
pub enum Key {
    OrderValueMax,
    BoughtValueMax,
    SoldValueMax,
    GrossExposureMax,
    NetExposureMax,
    CreditMax,
    LossMax,
    OrderSizeMax,
    CollarTicks,
    CollarPercent,
    CollarMoney,
    Luld,
    RegSho,
    Locate,
    LocateShares,
    Restricted,
    MayBuy,
    MaySell,
    MayShort,
    MayShortExempt,
    OpenOrdersMax,
    PositionMax,
    BoughtQuantityMax,
    SoldQuantityMax,
    MessageRateMax,
    MessageBurst,
    OrderRateMax,
    OrderBurst,
    OrderToTradeMax,
    OrderToTradeFree,
    DuplicateMax,
    DuplicateWindowMs,
    ExecutionsMax,
    ExecutionsWindowMs,
    KillLoss,
    KillRejectsMax,
    KillRejectsWindowMs,
    KillFillsMax,
    KillFillsWindowMs,
    Reducing,
    WarnPercent,
}

/// The unit of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Price units times shares, as a decimal amount where people write it.
    Money,
    /// Price units, as a decimal price where people write it.
    Price,
    /// Basis points, as a percentage with at most two places where people write it.
    Percent,
    /// A whole number of shares, orders, ticks, executions, or a rate a second.
    Count,
    /// Whole milliseconds.
    Millis,
    /// On (1) or off (0).
    Flag,
}

const MONEY: usize = 7;
const COMMON: usize = Key::ALL.len() - MONEY;

impl Key {
    /// Every key.
    pub const ALL: [Self; 41] = [
        Self::OrderValueMax,
        Self::BoughtValueMax,
        Self::SoldValueMax,
        Self::GrossExposureMax,
        Self::NetExposureMax,
        Self::CreditMax,
        Self::LossMax,
        Self::OrderSizeMax,
        Self::CollarTicks,
        Self::CollarPercent,
        Self::CollarMoney,
        Self::Luld,
        Self::RegSho,
        Self::Locate,
        Self::LocateShares,
        Self::Restricted,
        Self::MayBuy,
        Self::MaySell,
        Self::MayShort,
        Self::MayShortExempt,
        Self::OpenOrdersMax,
        Self::PositionMax,
        Self::BoughtQuantityMax,
        Self::SoldQuantityMax,
        Self::MessageRateMax,
        Self::MessageBurst,
        Self::OrderRateMax,
        Self::OrderBurst,
        Self::OrderToTradeMax,
        Self::OrderToTradeFree,
        Self::DuplicateMax,
        Self::DuplicateWindowMs,
        Self::ExecutionsMax,
        Self::ExecutionsWindowMs,
        Self::KillLoss,
        Self::KillRejectsMax,
        Self::KillRejectsWindowMs,
        Self::KillFillsMax,
        Self::KillFillsWindowMs,
        Self::Reducing,
        Self::WarnPercent,
    ];

    /// The name in configurations, scripts and on the control socket.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderValueMax => "order_value_max",
            Self::BoughtValueMax => "bought_value_max",
            Self::SoldValueMax => "sold_value_max",
            Self::GrossExposureMax => "gross_exposure_max",
            Self::NetExposureMax => "net_exposure_max",
            Self::CreditMax => "credit_max",
            Self::LossMax => "loss_max",
            Self::OrderSizeMax => "order_size_max",
            Self::CollarTicks => "collar_ticks",
            Self::CollarPercent => "collar_percent",
            Self::CollarMoney => "collar_money",
            Self::Luld => "luld",
            Self::RegSho => "reg_sho",
            Self::Locate => "locate",
            Self::LocateShares => "locate_shares",
            Self::Restricted => "restricted",
            Self::MayBuy => "may_buy",
            Self::MaySell => "may_sell",
            Self::MayShort => "may_short",
            Self::MayShortExempt => "may_short_exempt",
            Self::OpenOrdersMax => "open_orders_max",
            Self::PositionMax => "position_max",
            Self::BoughtQuantityMax => "bought_quantity_max",
            Self::SoldQuantityMax => "sold_quantity_max",
            Self::MessageRateMax => "message_rate_max",
            Self::MessageBurst => "message_burst",
            Self::OrderRateMax => "order_rate_max",
            Self::OrderBurst => "order_burst",
            Self::OrderToTradeMax => "order_to_trade_max",
            Self::OrderToTradeFree => "order_to_trade_free",
            Self::DuplicateMax => "duplicate_max",
            Self::DuplicateWindowMs => "duplicate_window_ms",
            Self::ExecutionsMax => "executions_max",
            Self::ExecutionsWindowMs => "executions_window_ms",
            Self::KillLoss => "kill_loss",
            Self::KillRejectsMax => "kill_rejects_max",
            Self::KillRejectsWindowMs => "kill_rejects_window_ms",
            Self::KillFillsMax => "kill_fills_max",
            Self::KillFillsWindowMs => "kill_fills_window_ms",
            Self::Reducing => "reducing",
            Self::WarnPercent => "warn_percent",
        }
    }

    /// The key with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Its unit.
    pub const fn unit(self) -> Unit {
        match self {
            Self::OrderValueMax
            | Self::BoughtValueMax
            | Self::SoldValueMax
            | Self::GrossExposureMax
            | Self::NetExposureMax
            | Self::CreditMax
            | Self::LossMax => Unit::Money,
            Self::CollarMoney => Unit::Price,
            Self::CollarPercent => Unit::Percent,
            Self::Luld
            | Self::RegSho
            | Self::Locate
            | Self::Restricted
            | Self::MayBuy
            | Self::MaySell
            | Self::MayShort
            | Self::MayShortExempt
            | Self::KillLoss
            | Self::Reducing => Unit::Flag,
            Self::DuplicateWindowMs
            | Self::ExecutionsWindowMs
            | Self::KillRejectsWindowMs
            | Self::KillFillsWindowMs => Unit::Millis,
            _ => Unit::Count,
        }
    }

    /// Whether it is set for a currency.
    pub const fn is_money(self) -> bool {
        (self as usize) < MONEY
    }

    /// The highest value, besides not being set: sums of what is set never leave 64 bits.
    pub const fn highest(self) -> u64 {
        match self.unit() {
            Unit::Money => u64::MAX - 1,
            Unit::Flag => 1,
            Unit::Price => (1 << 31) - 1,
            Unit::Percent | Unit::Count | Unit::Millis => match self {
                Self::DuplicateMax => 4,
                Self::WarnPercent => 100,
                Self::OpenOrdersMax
                | Self::PositionMax
                | Self::BoughtQuantityMax
                | Self::SoldQuantityMax
                | Self::LocateShares => 1 << 62,
                _ => u32::MAX as u64,
            },
        }
    }

    /// Whether it can be set for an account in one instrument.
    pub const fn is_for_instrument(self) -> bool {
        !matches!(
            self,
            Self::KillLoss
                | Self::KillRejectsMax
                | Self::KillRejectsWindowMs
                | Self::KillFillsMax
                | Self::KillFillsWindowMs
        )
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    money: [[u64; MONEY]; CURRENCIES_MAX],
    common: [u64; COMMON],
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

/// Limits as the gate uses them, with the values from which it warns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Set {
    pub(crate) limits: Limits,
    warn_money: [[u64; MONEY]; CURRENCIES_MAX],
    warn: [u64; COMMON],
    /// Whether a limit in money needs an order to have a value, by currency.
    pub(crate) values: [bool; CURRENCIES_MAX],
}

/// Per cent of a limit from which a warning is due, where nothing is said.
const WARN_PERCENT: u64 = 70;

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
        let warn_money = limits.money.map(|row| row.map(part));
        Self { limits, warn_money, warn: limits.common.map(part), values }
    }

    #[inline]
    pub(crate) const fn warn(&self, key: Key, currency: usize) -> u64 {
        if key.is_money() {
            self.warn_money[currency][key as usize]
        } else {
            self.warn[key as usize - MONEY]
        }
    }

    /// The rate of a bucket and what it holds, if it is on.
    #[inline]
    pub(crate) const fn rate(&self, rate: Key, burst: Key) -> Option<(u64, u64)> {
        match (self.limits.at(rate), self.limits.at(burst)) {
            (OFF, _) => None,
            (rate, OFF) => Some((rate, rate)),
            (rate, burst) => Some((rate, burst)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn warnings_begin_at_a_part_of_the_limit() {
        let set = Set::new(Limits::NONE.with(Key::PositionMax, 101));
        assert_eq!(set.warn(Key::PositionMax, 0), 71);
        assert_eq!(set.warn(Key::CreditMax, 0), OFF);
        let none = Limits::NONE.with(Key::PositionMax, 101).with(Key::WarnPercent, 0);
        assert_eq!(Set::new(none).warn(Key::PositionMax, 0), OFF);
    }
}
