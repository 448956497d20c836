//! A level at which limits are set, and the sums that an order would bring it to.

use spindle_types::Side;

use crate::gate::Gate;
use crate::keys::Key;
use crate::reject::Level;
use crate::request::Request;
use crate::route::Route;
use crate::set::Set;
use crate::state::{Cell, Flow, Money, Window};

/// The most shares that may be traded and open on one side in a day.
pub(crate) const SHARES_MAX: u64 = 1 << 62;

/// The levels, in the order in which they are looked at.
pub(crate) const LEVELS: [Level; 4] =
    [Level::Account, Level::Instrument, Level::Session, Level::Firm];

pub(crate) static NO_CELL: Cell = Cell::EMPTY;

/// What is told of a sum: cut to 64 bits, at least 0.
#[inline]
pub(crate) fn cut(sum: i128) -> u64 {
    if sum <= 0 { 0 } else { u64::try_from(sum).unwrap_or(u64::MAX) }
}

/// A level with limits, and what is counted there.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) set: &'a Set,
    pub(crate) flow: &'a Flow,
    pub(crate) money: &'a Money,
    pub(crate) cell: &'a Cell,
    pub(crate) executions: &'a Window,
}

/// What an order adds to sums.
#[derive(Clone, Copy)]
pub(crate) struct Added {
    pub(crate) side: Side,
    /// Shares beyond what is reserved already.
    pub(crate) shares: i64,
    /// Money beyond what is reserved already.
    pub(crate) worth: i128,
}

impl Added {
    /// Without its worth, which is not known yet.
    #[inline]
    pub(crate) fn shares_of(request: &Request) -> Self {
        let shares = i64::from(request.quantity.0) - i64::from(request.before.quantity.0);
        Self { side: request.side, shares, worth: 0 }
    }
}

/// Shares with others added or taken off that are among them: at most 2^62, and never below 0.
#[inline(always)]
#[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "as it says")]
pub(crate) const fn moved(shares: u64, by: i64) -> u64 {
    (shares as i64 + by) as u64
}

/// Shares traded on a side and open there, with an order. Both are at most 2^62, an order 2^32.
#[inline(always)]
pub(crate) fn day_of(flow: &Flow, added: &Added) -> u64 {
    let side = added.side.index();
    moved(flow.open[side], added.shares) + flow.traded[side]
}

impl View<'_> {
    /// Open orders with one more.
    #[inline(always)]
    pub(crate) const fn open_orders(&self) -> u64 {
        self.flow.open_orders + 1
    }

    /// Shares of the instrument at worst on a side, with an order.
    #[inline(always)]
    #[allow(clippy::cast_sign_loss, reason = "of what is at least 0")]
    pub(crate) fn position(&self, added: &Added) -> u64 {
        self.position_of(added).max(0) as u64
    }

    /// The same, below 0 where what is held is on the other side.
    #[inline(always)]
    #[allow(clippy::cast_possible_wrap, reason = "shares of a day are at most 2^62")]
    pub(crate) fn position_of(&self, added: &Added) -> i64 {
        let open = moved(self.cell.flow.open[added.side.index()], added.shares) as i64;
        let held = match added.side {
            Side::Buy => self.cell.position,
            Side::Sell => -self.cell.position,
        };
        held + open
    }

    /// Money traded on a side and open there, with an order.
    #[inline(always)]
    pub(crate) fn value(&self, added: &Added) -> i128 {
        let side = added.side.index();
        self.money.traded[side] + self.money.open[side] + added.worth
    }

    /// Gross exposure with an order, and whether it has grown.
    #[inline(always)]
    pub(crate) fn gross(&self, added: &Added) -> (i128, bool) {
        let Money { net, open: [buys, sells], gross, .. } = self.cell.money;
        let after = match added.side {
            Side::Buy => (net + buys + added.worth).max(sells - net),
            Side::Sell => (net + buys).max(sells + added.worth - net),
        };
        (self.money.gross + (after - gross), after > gross)
    }

    /// Net exposure on a side with an order; of a buy also what its credit is held against.
    #[inline(always)]
    pub(crate) fn net(&self, added: &Added) -> i128 {
        let net = match added.side {
            Side::Buy => self.money.net,
            Side::Sell => -self.money.net,
        };
        net + self.money.open[added.side.index()] + added.worth
    }

    /// Realised and unrealised loss.
    #[inline(always)]
    pub(crate) fn loss(&self) -> i128 {
        -self.money.profit
    }

    /// Orders of the day that executions so far allow, and the orders with one more.
    #[inline(always)]
    pub(crate) fn order_to_trade(&self) -> (u64, u64) {
        (self.set.allowed(self.flow), self.flow.orders + 1)
    }

    /// Orders among the last ones that are alike, with one more.
    #[inline(always)]
    pub(crate) fn alike(&self, print: u64, request: &Request) -> u64 {
        let window = self.set.limits.at(Key::DuplicateWindowMs).saturating_mul(1_000_000);
        let is_alike = |one: &&crate::state::Print| {
            one.key == print && request.time.0 < one.time.saturating_add(window)
        };
        self.cell.prints.iter().filter(is_alike).count() as u64 + 1
    }

    /// Executions in the window that runs.
    #[inline(always)]
    pub(crate) fn executed(&self, request: &Request) -> u64 {
        self.executions.count(request.time, self.set.limits.at(Key::ExecutionsWindowMs))
    }
}

impl Gate {
    /// A level of an order; `None` where it has no limits.
    #[inline(always)]
    pub(crate) fn view(&self, route: &Route, at: usize, side: Side) -> Option<View<'_>> {
        let set = self.set(route.sets[at])?;
        let owner = at.saturating_sub(1);
        let cell = self.cells.get(route.cells[owner]).unwrap_or(&NO_CELL);
        if at == 1 {
            let executions = &cell.executions[1][side.index()];
            return Some(View { set, flow: &cell.flow, money: &cell.money, cell, executions });
        }
        let executions = &cell.executions[0][side.index()];
        let owner = self.owners.get(route.owners[owner] as usize)?;
        let money = &owner.money[route.currency()];
        Some(View { set, flow: &owner.flow, money, cell, executions })
    }
}

/// Side, shares and limit in one word: both are below 2^31.
#[inline]
pub(crate) fn print_of(request: &Request) -> u64 {
    let limit = request.limit.map_or(0, |limit| u64::from(limit.0));
    ((sale_of(request) as u64) << 62) ^ (u64::from(request.quantity.0) << 31) ^ limit
}

/// Which of the four it is: a buy, a sale of what is owned, a short one, an exempt one.
#[inline]
pub(crate) fn sale_of(request: &Request) -> usize {
    use crate::request::Sale;
    match (request.side, request.sale) {
        (Side::Buy, _) => 0,
        (Side::Sell, Sale::Long) => 1,
        (Side::Sell, Sale::Short) => 2,
        (Side::Sell, Sale::ShortExempt) => 3,
    }
}
