//! Of an order that fails: which check says so first, and what it saw.

use crate::gate::Gate;
use crate::judge::{Bounds, Failed};
use crate::keys::Key;
use crate::reject::{Check, Level, Reject};
use crate::request::{Market, Request};
use crate::route::Route;
use crate::view::{Added, LEVELS, SHARES_MAX, View, cut, day_of, print_of};

impl Gate {
    /// The first check that fails, or nothing where only the limit of losses does and the order
    /// takes from a position.
    ///
    /// # Errors
    /// That check.
    #[cold]
    #[inline(never)]
    pub(crate) fn refusal(
        &self,
        route: &Route,
        request: &Request,
        market: &Market,
        failed: &Failed,
        bounds: &Bounds,
        added: &Added,
    ) -> Result<(), Reject> {
        let all = failed.by.iter().fold(failed.always, |all, by| all | by);
        let Some(&check) = Check::ALL.get(all.trailing_zeros() as usize) else {
            return Ok(());
        };
        if check == Check::Loss && self.passes_reducing(route, request, added.shares) {
            return Ok(());
        }
        let at = failed.by.iter().position(|by| by & check.bit() != 0);
        let view = at.and_then(|at| self.view(route, at, request.side));
        let (limit, observed) = match (check, view) {
            (Check::Account, _) => (0, request.account.0.into()),
            (Check::Killed, _) => {
                (0, self.killed(route, request, added.shares).unwrap_or_default())
            }
            (Check::Positions, _) => (self.cells.capacity() as u64, self.cells.capacity() as u64),
            (Check::NoPrice, _) => (0, 0),
            (Check::Restricted | Check::Side, _) => (0, 1),
            (check, Some(view)) => {
                self.figures(check, &view, route, request, market, bounds, added)
            }
            // The sums that no limit is set for end where they could not be counted any more.
            (_, None) => (SHARES_MAX, self.first_beyond(route, added).unwrap_or_default()),
        };
        // What fails whatever the limits are is nobody's limit.
        let is_of_all = failed.always & check.bit() != 0 && check < Check::BoughtQuantity;
        let level = if is_of_all { Level::Account } else { LEVELS[at.unwrap_or(0)] };
        Err(Reject { check, level, limit, observed })
    }

    /// Limit and observed value of a check that fails at a level.
    #[allow(clippy::too_many_arguments, reason = "all that an order is judged by")]
    fn figures(
        &self,
        check: Check,
        view: &View<'_>,
        route: &Route,
        request: &Request,
        market: &Market,
        bounds: &Bounds,
        added: &Added,
    ) -> (u64, u64) {
        let limits = &view.set.limits;
        let currency = usize::from(route.currency);
        let side = request.side.index();
        let limited = |key: Key, observed: u64| (limits.get(key, currency), observed);
        let quantity = u64::from(request.quantity.0);
        let limit = request.limit.map_or(0, |limit| u64::from(limit.0));
        let held = crate::price::held(request).map_or(0, |held| u64::from(held.0));
        match check {
            Check::Locate => self.located(route, request),
            Check::RegSho => {
                let bid = market.bid.map_or(0, |bid| u64::from(bid.0));
                (bid + u64::from(market.tick.max(1)), limit)
            }
            Check::MessageRate => {
                let rate = &view.set.messages;
                (rate.burst, view.flow.messages.with_one(request.time, rate))
            }
            Check::OrderRate => {
                let rate = &view.set.orders;
                (rate.burst, view.flow.accepted.with_one(request.time, rate))
            }
            Check::OrderSize => limited(Key::OrderSizeMax, quantity),
            Check::OrderValue => {
                let valued = bounds.valued.unwrap_or_default();
                limited(Key::OrderValueMax, valued.times(request.quantity).0)
            }
            Check::LuldBand => (bounds.band.map_or(0, |band| band.0.into()), held),
            Check::Collar => (bounds.collar.map_or(0, |(collar, _)| collar.0.into()), held),
            Check::Duplicate => limited(Key::DuplicateMax, view.alike(print_of(request), request)),
            Check::RepeatedExecution => limited(Key::ExecutionsMax, view.executed(request)),
            Check::OrderToTrade => view.order_to_trade(),
            Check::OpenOrders => limited(Key::OpenOrdersMax, view.open_orders()),
            Check::Position => limited(Key::PositionMax, view.position(added)),
            Check::BoughtQuantity | Check::SoldQuantity => {
                let key = [Key::BoughtQuantityMax, Key::SoldQuantityMax][side];
                limited(key, day_of(view.flow, added))
            }
            Check::BoughtValue | Check::SoldValue => {
                limited([Key::BoughtValueMax, Key::SoldValueMax][side], cut(view.value(added)))
            }
            Check::GrossExposure => limited(Key::GrossExposureMax, cut(view.gross(added).0)),
            Check::NetExposure => limited(Key::NetExposureMax, cut(view.net(added))),
            Check::Credit => limited(Key::CreditMax, cut(view.net(added))),
            Check::Loss => limited(Key::LossMax, cut(view.loss())),
            _ => (0, 0),
        }
    }
}
