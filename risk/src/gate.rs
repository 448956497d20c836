//! The gate: limits and counters of every account, and the one function that decides.

use spindle_types::{AccountId, Notional, Price, Quantity, Side};
use thiserror::Error;

use crate::{Check, Reject};

/// The limits of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most shares in one order.
    pub order_size_max: Quantity,
    /// Highest price times quantity of one order.
    pub order_value_max: Notional,
    /// How far a price may go beyond the other side's best, in basis points (1/100 %) of it; where
    /// the other side is empty, beyond the own side's best. Where both are empty the check passes:
    /// there is nothing to compare with. `u32::MAX` is any distance.
    pub collar_basis_points: u32,
    /// Most orders open at once.
    pub open_orders_max: u32,
}

impl Limits {
    /// Whether an account can trade under these limits at all.
    ///
    /// # Errors
    /// A limit of 0.
    pub const fn check(&self) -> Result<(), GateError> {
        if self.order_size_max.is_zero() {
            return Err(GateError::Zero("order_size_max"));
        }
        if self.order_value_max.0 == 0 {
            return Err(GateError::Zero("order_value_max"));
        }
        if self.open_orders_max == 0 {
            return Err(GateError::Zero("open_orders_max"));
        }
        Ok(())
    }
}

/// Why limits are refused before the gate ever uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GateError {
    /// A limit of 0 would refuse everything: an account that may not trade is left out instead.
    #[error("limit {0} is 0 and would refuse every order; give at least 1")]
    Zero(&'static str),
}

/// What the gate must know of the market to judge one order: the best prices of its instrument
/// before the order, `None` where a side is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Market {
    /// Best bid.
    pub bid: Option<Price>,
    /// Best ask.
    pub ask: Option<Price>,
}

/// An order as the gate sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose order.
    pub account: AccountId,
    /// Its side.
    pub side: Side,
    /// Its shares.
    pub quantity: Quantity,
    /// Its limit; `None` is a market order.
    pub limit: Option<Price>,
    /// Whether it takes the place of an open order, so that the number of open orders stays.
    pub replaces: bool,
    /// Whether it waits outside the book, a stop: its limit is then not held against the collar.
    pub waits: bool,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    limits: Limits,
    open_orders: u32,
}

/// The risk state of all accounts, in one table of fixed size.
#[derive(Clone, Debug)]
pub struct Gate {
    accounts: Box<[Option<Account>]>,
}

impl Gate {
    /// A gate for accounts 0 to `accounts_max - 1`, none of which may trade yet.
    pub fn new(accounts_max: usize) -> Self {
        Self { accounts: vec![None; accounts_max].into_boxed_slice() }
    }

    /// Sets the limits of an account; what it has open stays counted.
    ///
    /// # Errors
    /// A limit of 0.
    ///
    /// # Panics
    /// When the account lies outside the table: tables are sized by the same configuration that
    /// names the accounts.
    pub fn set_limits(&mut self, account: AccountId, limits: Limits) -> Result<(), GateError> {
        limits.check()?;
        let slot = &mut self.accounts[account.index()];
        let open_orders = slot.map_or(0, |account| account.open_orders);
        *slot = Some(Account { limits, open_orders });
        Ok(())
    }

    /// How many accounts the table holds.
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// Decides on an order. Nothing is reserved: tell the gate with [`Gate::opened`] when the order
    /// rests, and with [`Gate::closed`] when it no longer does.
    ///
    /// # Errors
    /// The first check, in order of precedence, that fails.
    #[inline]
    pub fn check(&self, request: &Request, market: &Market) -> Result<(), Reject> {
        let Some(Some(account)) = self.accounts.get(request.account.index()) else {
            let observed = u64::from(request.account.0);
            return Err(Reject { check: Check::Account, limit: 0, observed });
        };
        let limits = &account.limits;
        if request.quantity > limits.order_size_max {
            let (limit, observed) = (limits.order_size_max.0, request.quantity.0);
            return Err(reject(Check::OrderSize, limit.into(), observed.into()));
        }
        let worst = worst_price(request, market);
        if let Some(price) = worst {
            let value = price.times(request.quantity);
            if value > limits.order_value_max {
                return Err(reject(Check::OrderValue, limits.order_value_max.0, value.0));
            }
        }
        if !request.waits
            && let (Some(price), Some(bound)) = (request.limit, collar(request, limits, market))
            && bound.is_better(request.side.opposite(), price)
        {
            return Err(reject(Check::Collar, bound.0.into(), price.0.into()));
        }
        let open_orders = account.open_orders + u32::from(!request.replaces);
        if open_orders > limits.open_orders_max {
            return Err(reject(
                Check::OpenOrders,
                limits.open_orders_max.into(),
                open_orders.into(),
            ));
        }
        Ok(())
    }

    /// The furthest price at which an order without a limit may trade: the collar, or `None` where
    /// the book has no price to take it from.
    pub fn protection(&self, request: &Request, market: &Market) -> Option<Price> {
        let account = self.accounts.get(request.account.index())?.as_ref()?;
        collar(request, &account.limits, market)
    }

    /// An order of the account now rests.
    #[inline]
    pub fn opened(&mut self, account: AccountId) {
        if let Some(account) = &mut self.accounts[account.index()] {
            account.open_orders += 1;
        }
    }

    /// An order of the account no longer rests.
    #[inline]
    pub fn closed(&mut self, account: AccountId) {
        if let Some(account) = &mut self.accounts[account.index()] {
            account.open_orders -= 1;
        }
    }

    /// Orders of the account that rest now.
    pub fn open_orders(&self, account: AccountId) -> u32 {
        self.accounts
            .get(account.index())
            .and_then(Option::as_ref)
            .map_or(0, |account| account.open_orders)
    }
}

const fn reject(check: Check, limit: u64, observed: u64) -> Reject {
    Reject { check, limit, observed }
}

/// The price at which the order's value is counted: its limit, or for a market order the furthest
/// price that the collar lets it reach.
fn worst_price(request: &Request, market: &Market) -> Option<Price> {
    request.limit.or(match request.side {
        Side::Buy => market.ask.or(market.bid),
        Side::Sell => market.bid.or(market.ask),
    })
}

/// The furthest price that the collar allows, or `None` where the book is empty.
#[inline]
fn collar(request: &Request, limits: &Limits, market: &Market) -> Option<Price> {
    let (reference, is_buy) = match request.side {
        Side::Buy => (market.ask.or(market.bid)?, true),
        Side::Sell => (market.bid.or(market.ask)?, false),
    };
    let width = u64::from(reference.0) * u64::from(limits.collar_basis_points) / 10_000;
    let width = match limits.collar_basis_points {
        u32::MAX => u32::MAX,
        _ => u32::try_from(width).unwrap_or(u32::MAX),
    };
    Some(Price(if is_buy {
        reference.0.saturating_add(width)
    } else {
        reference.0.saturating_sub(width)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: AccountId = AccountId(1);

    fn gate() -> Gate {
        let mut gate = Gate::new(4);
        let limits = Limits {
            order_size_max: Quantity(500),
            order_value_max: Notional(100_000_000),
            collar_basis_points: 500,
            open_orders_max: 2,
        };
        gate.set_limits(ACCOUNT, limits).expect("limits");
        gate
    }

    fn request(side: Side, quantity: u32, limit: Option<u32>) -> Request {
        let limit = limit.map(Price);
        let quantity = Quantity(quantity);
        Request { account: ACCOUNT, side, quantity, limit, replaces: false, waits: false }
    }

    fn market(bid: u32, ask: u32) -> Market {
        let price = |raw| (raw != 0).then_some(Price(raw));
        Market { bid: price(bid), ask: price(ask) }
    }

    #[test]
    fn the_first_failing_check_answers_with_limit_and_value() {
        let gate = gate();
        let market = market(99_000, 100_000);
        let ask = |request| gate.check(&request, &market);
        assert_eq!(ask(request(Side::Buy, 500, Some(100_000))), Ok(()));
        let mut stranger = request(Side::Buy, 501, Some(1));
        stranger.account = AccountId(3);
        assert_eq!(ask(stranger), Err(reject(Check::Account, 0, 3)));
        stranger.account = AccountId(400);
        assert_eq!(ask(stranger), Err(reject(Check::Account, 0, 400)));
        let large = request(Side::Buy, 501, Some(900_000));
        assert_eq!(ask(large), Err(reject(Check::OrderSize, 500, 501)));
        let dear = request(Side::Buy, 500, Some(200_001));
        assert_eq!(ask(dear), Err(reject(Check::OrderValue, 100_000_000, 100_000_500)));
        let far = request(Side::Buy, 100, Some(105_001));
        assert_eq!(ask(far), Err(reject(Check::Collar, 105_000, 105_001)));
        assert_eq!(ask(request(Side::Buy, 100, Some(105_000))), Ok(()));
        let low = request(Side::Sell, 100, Some(94_049));
        assert_eq!(ask(low), Err(reject(Check::Collar, 94_050, 94_049)));
        assert_eq!(ask(request(Side::Sell, 100, Some(94_050))), Ok(()));
    }

    #[test]
    fn passive_prices_are_outside_the_collar() {
        let gate = gate();
        let market = market(99_000, 100_000);
        assert_eq!(gate.check(&request(Side::Buy, 1, Some(1)), &market), Ok(()));
        assert_eq!(gate.check(&request(Side::Sell, 1, Some(4_000_000)), &market), Ok(()));
    }

    #[test]
    fn an_empty_side_falls_back_to_the_other_and_an_empty_book_to_none() {
        let gate = gate();
        let buy = request(Side::Buy, 1, Some(105_001));
        let refused = Err(reject(Check::Collar, 105_000, 105_001));
        assert_eq!(gate.check(&buy, &market(100_000, 0)), refused);
        assert_eq!(gate.check(&buy, &market(0, 0)), Ok(()));
        assert_eq!(gate.protection(&buy, &market(0, 0)), None);
    }

    #[test]
    fn market_orders_are_valued_and_protected_by_the_book() {
        let gate = gate();
        let buy = request(Side::Buy, 500, None);
        let refused = Err(reject(Check::OrderValue, 100_000_000, 150_000_000));
        assert_eq!(gate.check(&buy, &market(0, 300_000)), refused);
        assert_eq!(gate.protection(&buy, &market(0, 300_000)), Some(Price(315_000)));
    }

    #[test]
    fn open_orders_are_counted_and_given_back() {
        let mut gate = gate();
        let buy = request(Side::Buy, 1, Some(1));
        gate.opened(ACCOUNT);
        gate.opened(ACCOUNT);
        let refused = Err(reject(Check::OpenOrders, 2, 3));
        assert_eq!(gate.check(&buy, &Market::default()), refused);
        let replacement = Request { replaces: true, ..buy };
        assert_eq!(gate.check(&replacement, &Market::default()), Ok(()));
        gate.closed(ACCOUNT);
        assert_eq!(gate.check(&buy, &Market::default()), Ok(()));
    }

    #[test]
    fn arithmetic_holds_at_the_ends_of_the_types() {
        let mut gate = Gate::new(4);
        let limits = Limits {
            order_size_max: Quantity(u32::MAX),
            order_value_max: Notional(u64::MAX),
            collar_basis_points: u32::MAX,
            open_orders_max: u32::MAX,
        };
        gate.set_limits(ACCOUNT, limits).expect("limits");
        let most = request(Side::Buy, u32::MAX, Some(u32::MAX));
        assert_eq!(gate.check(&most, &market(u32::MAX, u32::MAX)), Ok(()));
        let least = request(Side::Sell, u32::MAX, Some(0));
        assert_eq!(gate.check(&least, &market(u32::MAX, u32::MAX)), Ok(()));
    }

    #[test]
    fn limits_of_zero_are_refused() {
        let limits = Limits {
            order_size_max: Quantity(1),
            order_value_max: Notional(1),
            collar_basis_points: 0,
            open_orders_max: 0,
        };
        let refused = Gate::new(2).set_limits(ACCOUNT, limits);
        assert_eq!(refused, Err(GateError::Zero("open_orders_max")));
    }
}
