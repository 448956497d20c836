//! The quick way of an order that nothing refuses: every check in the order of what it costs, out at
//! the first doubt. What does not pass here is judged again (`judge`), which says which check is
//! first and what it saw, or lets the order go after all.

use spindle_types::{Price, Side};

use crate::gate::Gate;
use crate::judge::{Admission, NO_STATE, applies};
use crate::keys::Key;
use crate::price;
use crate::reject::Check;
use crate::request::{Form, Market, Request, Sale};
use crate::route::Route;
use crate::set::Set;
use crate::view::{Added, SHARES_MAX, View, day_of, print_of, sale_of};

/// An order, as every level looks at it.
struct Facts<'a> {
    request: &'a Request,
    added: Added,
    quantity: u64,
    value: u64,
    sale: usize,
    applies: u32,
    currency: usize,
    /// Where the collar is measured from, of an order with a limit.
    reference: Option<Price>,
    tick: u32,
}

const SHORT: u32 = Check::Locate.bit() | Check::RegSho.bit();

/// Checks of a level that are no sums, besides size and value of the order.
const OTHERS: u32 = Check::MessageRate.bit()
    | Check::OrderRate.bit()
    | Check::Collar.bit()
    | Check::Duplicate.bit()
    | Check::RepeatedExecution.bit()
    | Check::OrderToTrade.bit();

impl Gate {
    /// Whether an order passes without a doubt.
    #[inline]
    pub(crate) fn passes(
        &self,
        route: &Route,
        request: &Request,
        market: &Market,
    ) -> Option<Admission> {
        let state = self.instruments.get(request.instrument.index()).unwrap_or(&NO_STATE);
        let added = Added::shares_of(request);
        if !(route.known & route.whole & !state.restricted)
            || self.entered > SHARES_MAX / 2
            || (self.kills != 0 && self.killed(route, request, added.shares).is_some())
        {
            return None;
        }
        let is_short = request.sale != Sale::Long && request.side == Side::Sell;
        if is_short
            && route.on & SHORT != 0
            && self.short_failures(route, request, market, state) & route.on != 0
        {
            return None;
        }
        let reference = price::reference(request.side, market, state);
        let (valued, collared) = match (request.form, request.limit) {
            (Form::Plain, Some(limit)) => {
                let heeds = route.on & Check::LuldBand.bit() != 0;
                if heeds
                    && let Some(band) = self.band(request.instrument, request.side, state)
                    && band.is_better(request.side.opposite(), limit)
                {
                    return None;
                }
                (price::valued(request, reference, None, None)?, reference)
            }
            // What has no limit may be bounded by collar and band: valued by the whole of them.
            _ => {
                let bounds = self.bounds(route, request, market, state);
                if bounds.is_beyond(request) {
                    return None;
                }
                (bounds.valued?, None)
            }
        };
        let value = valued.times(request.quantity).0;
        let worth =
            i128::from(value) - i128::from(request.before.price.times(request.before.quantity).0);
        let facts = Facts {
            request,
            added: Added { worth, ..added },
            quantity: request.quantity.0.into(),
            value,
            sale: sale_of(request),
            applies: applies(request.side, request.purpose),
            currency: usize::from(route.currency),
            reference: collared,
            tick: market.tick.max(1),
        };
        let mut warned = [0; 4];
        for (level, warned) in warned.iter_mut().enumerate() {
            if let Some(view) = self.view(route, level, request.side) {
                *warned = match request.side {
                    Side::Buy => level_passes::<false>(&view, &facts)?,
                    Side::Sell => level_passes::<true>(&view, &facts)?,
                };
            }
        }
        Some(Admission { price: valued, warned })
    }
}

/// Whether an order passes the limits of a level without a doubt: the sums that have reached the
/// part of their limit that is told.
#[inline(never)]
fn level_passes<const SELLS: bool>(view: &View<'_>, facts: &Facts<'_>) -> Option<u32> {
    let currency = facts.currency;
    let side = if SELLS { Side::Sell } else { Side::Buy };
    let added = &Added { side, ..facts.added };
    let set = view.set;
    let (limits, warns) = (&set.limits.common, &set.warn);
    let (money_limits, money_warns) = (&set.limits.money[currency], &set.warn_money[currency]);
    if set.blocked[facts.sale] != 0
        || facts.quantity > limits[Key::OrderSizeMax.place()]
        || facts.value > money_limits[Key::OrderValueMax.place()]
    {
        return None;
    }
    let on = set.on & facts.applies;
    if on & OTHERS != 0 && !others_pass(view, facts, on) {
        return None;
    }
    let limited = set.limited[currency] & facts.applies;
    let mut told = 0;
    if limited & SHARES != 0 {
        let mut hold = |check: Check, key: Key, observed: u64| {
            hold(check, observed, limits[key.place()], warns[key.place()], &mut told)
        };
        let (check, key) = match side {
            Side::Buy => (Check::BoughtQuantity, Key::BoughtQuantityMax),
            Side::Sell => (Check::SoldQuantity, Key::SoldQuantityMax),
        };
        let is_open = limited & Check::OpenOrders.bit() != 0;
        let passes = (!is_open || hold(Check::OpenOrders, Key::OpenOrdersMax, view.open_orders()))
            && hold(Check::Position, Key::PositionMax, view.position(added))
            && hold(check, key, day_of(view.flow, added));
        if !passes {
            return None;
        }
    }
    if limited & MONEY != 0 {
        let mut hold = |check: Check, key: Key, observed: i128| {
            // What is not above 0 reaches no limit; what leaves 64 bits is judged again.
            let Ok(observed) = u64::try_from(observed.max(0)) else {
                return false;
            };
            let place = key.place();
            hold(check, observed, money_limits[place], money_warns[place], &mut told)
        };
        let (check, key) = match side {
            Side::Buy => (Check::BoughtValue, Key::BoughtValueMax),
            Side::Sell => (Check::SoldValue, Key::SoldValueMax),
        };
        let net = view.net(added);
        let passes = hold(check, key, view.value(added))
            && hold(Check::GrossExposure, Key::GrossExposureMax, view.gross(added).0)
            && hold(Check::NetExposure, Key::NetExposureMax, net)
            && (SELLS || hold(Check::Credit, Key::CreditMax, net))
            && hold(Check::Loss, Key::LossMax, view.loss());
        if !passes {
            return None;
        }
    }
    Some(told & limited & set.warns[currency])
}

/// Whether a sum keeps a limit; noted where it reaches the part of it that is told.
#[inline(always)]
const fn hold(check: Check, observed: u64, limit: u64, warn: u64, told: &mut u32) -> bool {
    if observed >= warn {
        *told |= check.bit();
    }
    observed <= limit
}

/// The checks of a level that are neither sums nor about the order alone.
#[inline(always)]
fn others_pass(view: &View<'_>, facts: &Facts<'_>, on: u32) -> bool {
    let View { set, flow, .. } = view;
    let (request, limits) = (facts.request, &set.limits);
    let is_on = |check: Check| on & check.bit() != 0;
    (!is_on(Check::MessageRate) || flow.messages.fits(request.time, &set.messages))
        && (!is_on(Check::OrderRate) || flow.accepted.fits(request.time, &set.orders))
        && (!is_on(Check::Collar) || collar_passes(set, facts))
        && (!is_on(Check::Duplicate)
            || view.alike(print_of(request), request) <= limits.at(Key::DuplicateMax))
        && (!is_on(Check::RepeatedExecution)
            || view.executed(request) < limits.at(Key::ExecutionsMax))
        && (!is_on(Check::OrderToTrade) || {
            let (most, orders) = view.order_to_trade();
            orders <= most
        })
}

/// Whether a limit is within the collar of a level.
#[inline(always)]
fn collar_passes(set: &Set, facts: &Facts<'_>) -> bool {
    let (Some(reference), Some(limit)) = (facts.reference, facts.request.limit) else {
        return true;
    };
    let side = facts.request.side;
    price::width(&set.limits, reference, facts.tick)
        .is_none_or(|width| !price::moved(side, reference, width).is_better(side.opposite(), limit))
}

/// Sums of orders and shares, and sums of money.
pub(crate) const SHARES: u32 = Check::OpenOrders.bit()
    | Check::Position.bit()
    | Check::BoughtQuantity.bit()
    | Check::SoldQuantity.bit();
pub(crate) const MONEY: u32 = crate::set::SUMS & !SHARES;
