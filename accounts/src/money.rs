//! Money as an integer.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use spindle_types::{Price, Quantity, Side, keep};

/// An amount in 1/1,000,000 of the currency (for dollars, 1/10,000 of a cent), above or below zero. A
/// price unit of ITCH is 100 of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
pub struct Money(pub i128);

/// What one price unit (1/10,000) is worth.
const PRICE_UNIT: i128 = 100;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Decimal places of one unit.
    pub const DECIMALS: u32 = 6;

    /// The price of one share.
    #[inline]
    pub const fn of_price(price: Price) -> Self {
        Self(price.0 as i128 * PRICE_UNIT)
    }

    /// Half way between two prices: exact, as a price unit is an even number of these.
    #[inline]
    pub const fn between(one: Price, other: Price) -> Self {
        Self((one.0 as i128 + other.0 as i128) * (PRICE_UNIT / 2))
    }

    /// The value of so many shares at a price.
    #[inline]
    pub const fn of(price: Price, quantity: Quantity) -> Self {
        Self(price.0 as i128 * quantity.0 as i128 * PRICE_UNIT)
    }

    /// This amount for each of `shares`, which may be below zero.
    #[inline]
    #[must_use]
    pub const fn times(self, shares: i64) -> Self {
        Self(self.0 * shares as i128)
    }

    /// The `part`th of `whole` parts of this amount, rounded to the nearest unit, halves away from
    /// zero. All of it where `part` is `whole`; nothing where `whole` is 0.
    #[inline]
    #[must_use]
    pub const fn part(self, part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self::ZERO;
        }
        // In two steps, so that no product leaves 128 bits.
        let (part, whole) = (part as i128, whole as i128);
        let (quotient, rest) = (self.0 / whole, self.0 % whole);
        let scaled = rest * part;
        let half = if scaled < 0 { -(whole / 2 + whole % 2) } else { whole / 2 + whole % 2 };
        // A half or more goes away from zero: |scaled| / whole + 1/2, cut.
        let rounded = if (scaled % whole).abs() >= half.abs() {
            scaled / whole + scaled.signum()
        } else {
            scaled / whole
        };
        Self(quotient * part + rounded)
    }
}

/// Plus 1 for who buys, minus 1 for who sells.
#[inline]
pub(crate) const fn sign(side: Side) -> i64 {
    match side {
        Side::Buy => 1,
        Side::Sell => -1,
    }
}

impl Add for Money {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Money {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Money {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Money {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_rounded_to_the_nearest_and_halves_away_from_zero() {
        let part = |amount, part, whole| Money(amount).part(part, whole).0;
        assert_eq!(part(10, 1, 4), 3);
        assert_eq!(part(-10, 1, 4), -3);
        assert_eq!(part(10, 3, 4), 8);
        assert_eq!(part(10, 1, 3), 3);
        assert_eq!(part(11, 1, 3), 4);
        assert_eq!(part(7, 1, 5), 1);
        assert_eq!(part(8, 1, 5), 2);
        assert_eq!(part(10, 7, 7), 10);
        assert_eq!(part(10, 0, 7), 0);
        assert_eq!(part(10, 0, 0), 0);
        let most = i128::from(u64::MAX) * i128::from(u32::MAX) * 100;
        assert_eq!(part(most, u64::MAX - 1, u64::MAX), most - i128::from(u32::MAX) * 100);
    }

    #[test]
    fn the_middle_of_two_prices_is_exact() {
        assert_eq!(Money::between(Price(1), Price(2)), Money(150));
        assert_eq!(Money::of_price(Price(100_000)), Money(10_000_000));
        assert_eq!(Money::of(Price::MAX, Quantity(u32::MAX)).0, 1_844_674_406_511_961_702_500);
    }
}
