//! A position by the average-cost method.

use spindle_types::{Price, Quantity, Side, keep};

use crate::money::{Money, sign};

/// What an account holds of an instrument, and what it has made of it.
///
/// Shares that add to a position add their price to its cost. Shares that take from it take the same
/// part of the cost, rounded to the nearest unit of [`Money`], halves away from zero; the difference to
/// their own price is realised. What rounding takes from one it leaves in the other, so at every moment
///
/// ```text
/// realised - cost = money received - money paid
/// ```
///
/// exactly: realised and unrealised profit together are never off, and a position that is closed has
/// realised all of it. Between the two they are off by at most half a unit for each fill that takes
/// from the position, since it was last closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct Position {
    /// Shares held; below zero they are owed. Up to 9 * 10^18.
    pub shares: i64,
    /// What the shares have cost; below zero what was received for them.
    pub cost: Money,
    /// Profit of what was closed, without fees.
    pub realised: Money,
}

impl Position {
    /// Takes a fill into account.
    #[inline]
    pub fn apply(&mut self, side: Side, price: Price, quantity: Quantity) {
        let sign = sign(side);
        let signed = sign * i64::from(quantity.0);
        let mut opening = quantity;
        if self.shares.signum() == -sign {
            let held = self.shares.unsigned_abs();
            let closing = held.min(u64::from(quantity.0));
            let released = self.cost.part(closing, held);
            self.cost -= released;
            let closing = u32::try_from(closing).unwrap_or(quantity.0);
            self.realised -= Money::of(price, Quantity(closing)).times(sign) + released;
            opening = Quantity(quantity.0 - closing);
        }
        self.cost += Money::of(price, opening).times(sign);
        self.shares += signed;
    }

    /// What the position would make beyond what is realised, if it were closed at this price.
    #[inline]
    pub fn unrealised(&self, mark: Money) -> Money {
        mark.times(self.shares) - self.cost
    }

    /// What a share has cost, rounded to the nearest unit, halves away from zero; `None` without shares.
    pub fn average(&self) -> Option<Money> {
        let held = self.shares.unsigned_abs();
        let all = if self.shares < 0 { -self.cost } else { self.cost };
        (held > 0).then(|| all.part(1, held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(fills: &[(i64, u32)]) -> Position {
        let mut position = Position::default();
        for &(shares, price) in fills {
            let side = if shares > 0 { Side::Buy } else { Side::Sell };
            let quantity = Quantity(u32::try_from(shares.unsigned_abs()).expect("shares"));
            position.apply(side, Price(price), quantity);
        }
        position
    }

    #[test]
    fn a_long_position_is_built_and_closed() {
        let position = after(&[(100, 100_000), (100, 110_000)]);
        assert_eq!(position.average(), Some(Money(10_500_000)));
        assert_eq!(position.unrealised(Money(11_000_000)), Money(100_000_000));
        let position = after(&[(100, 100_000), (100, 110_000), (-50, 120_000)]);
        assert_eq!((position.shares, position.realised), (150, Money(75_000_000)));
        assert_eq!(position.average(), Some(Money(10_500_000)));
        let closed = after(&[(100, 100_000), (100, 110_000), (-50, 120_000), (-150, 100_000)]);
        assert_eq!(closed, Position { realised: Money(0), ..Position::default() });
    }

    #[test]
    fn one_fill_can_close_a_position_and_open_the_other_way() {
        let position = after(&[(100, 100_000), (-250, 90_000)]);
        assert_eq!((position.shares, position.realised), (-150, Money(-100_000_000)));
        assert_eq!(position.average(), Some(Money(9_000_000)));
        assert_eq!(position.unrealised(Money(8_000_000)), Money(150_000_000));
        assert_eq!(Position::default().average(), None);
    }

    #[test]
    fn rounding_moves_profit_between_realised_and_unrealised_and_loses_none() {
        let position = after(&[(1, 1), (2, 2), (-1, 2)]);
        // 5 price units for 3 shares; a third of 500 is 166.67.
        assert_eq!((position.cost, position.realised), (Money(333), Money(33)));
        assert_eq!(position.realised - position.cost, Money(-300));
    }
}
