//! Prices, quantities and money as integers.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use thiserror::Error;

use crate::{Side, keep};

/// A price in the instrument's own [`PriceUnit`]; for ITCH 5.0 that is 1/10,000 dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
pub struct Price(pub u32);

/// A number of shares of one order. Sums over many orders are `u64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
pub struct Quantity(pub u32);

/// Price times quantity, in price units. The product of two `u32` always fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
pub struct Notional(pub u64);

impl Price {
    /// The highest price that the type holds.
    pub const MAX: Self = Self(u32::MAX);

    /// Whether an order on `side` with this limit may trade at `other`.
    #[inline]
    pub const fn reaches(self, side: Side, other: Self) -> bool {
        match side {
            Side::Buy => self.0 >= other.0,
            Side::Sell => self.0 <= other.0,
        }
    }

    /// Whether this price stands in front of `other` on `side` of a book.
    #[inline]
    pub const fn is_better(self, side: Side, other: Self) -> bool {
        match side {
            Side::Buy => self.0 > other.0,
            Side::Sell => self.0 < other.0,
        }
    }

    /// The value of `quantity` shares at this price.
    #[inline]
    pub const fn times(self, quantity: Quantity) -> Notional {
        Notional(self.0 as u64 * quantity.0 as u64)
    }
}

impl Quantity {
    /// No shares.
    pub const ZERO: Self = Self(0);

    /// The smaller of the two.
    #[inline]
    #[must_use]
    pub const fn min(self, other: Self) -> Self {
        if self.0 < other.0 { self } else { other }
    }

    /// Whether this is no shares at all.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// How many decimal places one unit of [`Price`] has: with 4, `Price(123_400)` is 12.3400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PriceUnit {
    decimals: u8,
}

/// Why a decimal is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PriceError {
    /// Below zero.
    #[error("the price is negative; it must be at least 0")]
    Negative,
    /// More decimal places than the unit has.
    #[error("the price has more than {0} decimal places")]
    TooFine(u8),
    /// Too large for the type.
    #[error("the price is above the highest that {0} decimal places allow, {highest}",
        highest = PriceUnit { decimals: *.0 }.decimal(Price::MAX))]
    TooHigh(u8),
}

impl PriceUnit {
    /// 1/10,000 of the currency: the price unit of ITCH, OUCH and US equities.
    pub const TEN_THOUSANDTH: Self = Self { decimals: 4 };

    /// A unit with this many decimal places, at most 9; more are cut to 9.
    pub const fn new(decimals: u8) -> Self {
        Self { decimals: if decimals > 9 { 9 } else { decimals } }
    }

    /// Decimal places.
    pub const fn decimals(self) -> u8 {
        self.decimals
    }

    /// The price as a decimal with exactly this unit's places: 12.3400.
    pub fn decimal(self, price: Price) -> Decimal {
        Decimal::new(i64::from(price.0), u32::from(self.decimals))
    }

    /// The amount of money as a decimal.
    pub fn money(self, notional: Notional) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(notional.0), u32::from(self.decimals))
    }

    /// The decimal as a price.
    ///
    /// # Errors
    /// A negative value, one that this unit cannot express exactly, or one above [`Price::MAX`].
    pub fn price(self, value: Decimal) -> Result<Price, PriceError> {
        let units = self.units(value)?;
        let units = u32::try_from(units).map_err(|_| PriceError::TooHigh(self.decimals))?;
        Ok(Price(units))
    }

    /// The decimal as an amount of money.
    ///
    /// # Errors
    /// A negative value, one that this unit cannot express exactly, or one above `u64::MAX` units.
    pub fn notional(self, value: Decimal) -> Result<Notional, PriceError> {
        self.units(value).map(Notional)
    }

    fn units(self, value: Decimal) -> Result<u64, PriceError> {
        if value.is_sign_negative() && !value.is_zero() {
            return Err(PriceError::Negative);
        }
        let scale = Decimal::from(10_u64.pow(u32::from(self.decimals)));
        let units = value.checked_mul(scale).ok_or(PriceError::TooHigh(self.decimals))?;
        if !units.fract().is_zero() {
            return Err(PriceError::TooFine(self.decimals));
        }
        units.to_u64().ok_or(PriceError::TooHigh(self.decimals))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_prints_with_all_its_places() {
        let unit = PriceUnit::TEN_THOUSANDTH;
        assert_eq!(unit.decimal(Price(123_400)).to_string(), "12.3400");
        assert_eq!(unit.decimal(Price(1)).to_string(), "0.0001");
        assert_eq!(unit.decimal(Price(0)).to_string(), "0.0000");
    }

    #[test]
    fn decimals_that_are_no_price_are_refused_with_the_reason() {
        let unit = PriceUnit::TEN_THOUSANDTH;
        let parse = |text: &str| unit.price(text.parse().expect("a decimal"));
        assert_eq!(parse("12.34"), Ok(Price(123_400)));
        assert_eq!(parse("-0.0001"), Err(PriceError::Negative));
        assert_eq!(parse("0.00001"), Err(PriceError::TooFine(4)));
        assert_eq!(parse("429496.7295"), Ok(Price::MAX));
        assert_eq!(parse("429496.7296"), Err(PriceError::TooHigh(4)));
        assert_eq!(
            PriceError::TooHigh(4).to_string(),
            "the price is above the highest that 4 decimal places allow, 429496.7295"
        );
    }

    #[test]
    fn a_limit_reaches_what_is_no_worse() {
        assert!(Price(10).reaches(Side::Buy, Price(10)));
        assert!(!Price(10).reaches(Side::Buy, Price(11)));
        assert!(Price(10).reaches(Side::Sell, Price(11)));
        assert!(!Price(10).reaches(Side::Sell, Price(9)));
    }

    #[test]
    fn the_largest_order_has_a_value() {
        let most = Price::MAX.times(Quantity(u32::MAX));
        assert_eq!(most.0, 18_446_744_065_119_617_025);
        assert_eq!(PriceUnit::TEN_THOUSANDTH.money(most).to_string(), "1844674406511961.7025");
    }
}
