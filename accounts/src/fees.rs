//! What a fill costs.

use spindle_types::Quantity;

use crate::money::Money;

/// Whether an order stood in the book or came and took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Liquidity {
    /// It stood.
    Maker,
    /// It came and took.
    Taker,
}

/// Fees for each share executed. A rebate is below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeSchedule {
    /// For a share of an order that stood.
    pub maker: Money,
    /// For a share of an order that came and took.
    pub taker: Money,
    /// For every share, besides.
    pub share: Money,
}

impl FeeSchedule {
    /// What a fill costs: exact.
    #[inline]
    pub const fn of(&self, liquidity: Liquidity, quantity: Quantity) -> Money {
        let own = match liquidity {
            Liquidity::Maker => self.maker,
            Liquidity::Taker => self.taker,
        };
        Money((own.0 + self.share.0) * quantity.0 as i128)
    }
}
