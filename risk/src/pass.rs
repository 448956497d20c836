//! The quick way of an order that nothing refuses: every check in the order of what it costs, out at
//! the first doubt. What does not pass here is judged again (`judge`), which says which check is
//! first and what it saw, or lets the order go after all.

use spindle_types::{Price, Side};

use crate::gate::Gate;
use crate::judge::{Admission, NO_STATE, applies};
use crate::keys::Key;
use crate::near::{sums_are_below, sums_pass};
use crate::price;
use crate::reject::Check;
use crate::request::{Form, InstrumentState, Market, Request, Sale};
use crate::route::Route;
use crate::set::Set;
use crate::view::{Added, SHARES_MAX, View, print_of, sale_of};

/// An order, as every level looks at it.
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a Request,
    pub(crate) added: Added,
    pub(crate) applies: u32,
    pub(crate) currency: usize,
    value: u64,
    sale: usize,
    print: u64,
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
    /// Whether an order passes without a doubt; `CLOSELY` where sums may have reached what is told of them.
    #[inline(always)]
    pub(crate) fn passes<const CLOSELY: bool>(
        &self,
        route: &Route,
        request: &Request,
        market: &Market,
    ) -> Option<Admission> {
        match request.side {
            Side::Buy => self.side_passes::<false, CLOSELY>(route, request, market),
            Side::Sell => self.side_passes::<true, CLOSELY>(route, request, market),
        }
    }

    #[inline(always)]
    fn side_passes<const SELLS: bool, const CLOSELY: bool>(
        &self,
        route: &Route,
        request: &Request,
        market: &Market,
    ) -> Option<Admission> {
        let side = if SELLS { Side::Sell } else { Side::Buy };
        let state = self.instruments.get(request.instrument.index()).unwrap_or(&NO_STATE);
        let added = Added { side, ..Added::shares_of(request) };
        if !(route.known & route.whole & !state.restricted)
            || self.entered > SHARES_MAX / 2
            || (self.kills != 0 && self.killed(route, request, added.shares).is_some())
        {
            return None;
        }
        if SELLS
            && request.sale != Sale::Long
            && route.on & SHORT != 0
            && self.short_failures(route, request, market, state) & route.on != 0
        {
            return None;
        }
        let reference = price::reference(side, market, state);
        let valued = match (request.form, request.limit) {
            (Form::Plain, Some(limit)) => {
                if route.on & Check::LuldBand.bit() != 0
                    && let Some(band) = self.band(request.instrument, side, state)
                    && band.is_better(side.opposite(), limit)
                {
                    return None;
                }
                if SELLS { limit.max(reference.unwrap_or_default()) } else { limit }
            }
            _ => self.bounded(route, request, market, state)?,
        };
        let value = valued.times(request.quantity).0;
        let before = request.before.price.times(request.before.quantity).0;
        let facts = Facts {
            request,
            added: Added { worth: i128::from(value) - i128::from(before), ..added },
            value,
            sale: if SELLS { sale_of(request) } else { 0 },
            print: print_of(request),
            applies: applies(side, request.purpose),
            currency: route.currency(),
            reference,
            tick: market.tick,
        };
        let mut warned = [0; 4];
        let mut levels = route.levels;
        while levels != 0 {
            let level = levels.trailing_zeros() as usize % 4;
            levels &= levels - 1;
            if let Some(view) = self.view(route, level, side) {
                let told = level_passes::<SELLS, CLOSELY>(&view, &facts)?;
                if CLOSELY {
                    warned[level] = told;
                }
            }
        }
        Some(Admission { price: valued, warned })
    }

    /// What an order is valued at that has no limit, or waits for one: it may be bounded by collar and
    /// band, so it is valued by the whole of them. `None` where it is beyond, or nothing values it.
    #[inline(never)]
    fn bounded(
        &self,
        route: &Route,
        request: &Request,
        market: &Market,
        state: &InstrumentState,
    ) -> Option<Price> {
        let bounds = self.bounds(route, request, market, state);
        if bounds.is_beyond(request) { None } else { bounds.valued }
    }
}

/// Whether an order passes the limits of a level without a doubt: the sums that have reached the
/// part of their limit that is told.
#[inline(always)]
fn level_passes<const SELLS: bool, const CLOSELY: bool>(
    view: &View<'_>,
    facts: &Facts<'_>,
) -> Option<u32> {
    let set = view.set;
    if set.blocked[facts.sale] != 0
        || u64::from(facts.request.quantity.0) > set.limits.at(Key::OrderSizeMax)
        || facts.value > set.limits.money(Key::OrderValueMax, facts.currency)
    {
        return None;
    }
    let on = set.on & facts.applies;
    if on & OTHERS != 0 && !others_pass(view, facts, on) {
        return None;
    }
    if sums_are_below::<SELLS>(view, facts) {
        return Some(0);
    }
    if CLOSELY { sums_pass::<SELLS>(view, facts) } else { None }
}

/// The checks of a level that are neither sums nor about the order alone. Each has a question before it that costs less, and
/// whose answer is mostly enough.
#[inline(always)]
fn others_pass(view: &View<'_>, facts: &Facts<'_>, on: u32) -> bool {
    let View { set, flow, cell, executions, .. } = view;
    let (request, limits) = (facts.request, &set.limits);
    let is_on = |check: Check| on & check.bit() != 0;
    let most = limits.at(Key::ExecutionsMax);
    (!is_on(Check::MessageRate) || flow.messages.fits(request.time, &set.messages))
        && (!is_on(Check::OrderRate) || flow.accepted.fits(request.time, &set.orders))
        && (!is_on(Check::Collar) || collar_passes(set, facts))
        && (!is_on(Check::Duplicate)
            || cell.prints.iter().all(|one| one.key != facts.print)
            || view.alike(facts.print, request) <= limits.at(Key::DuplicateMax))
        && (!is_on(Check::RepeatedExecution)
            || executions.is_below(most)
            || view.executed(request) < most)
        && (!is_on(Check::OrderToTrade) || flow.orders < set.free || {
            let (most, orders) = view.order_to_trade();
            orders <= most
        })
}

/// Whether a limit is within the collar of a level. One on the passive side always is.
#[inline(always)]
fn collar_passes(set: &Set, facts: &Facts<'_>) -> bool {
    let Request { side, limit, form, .. } = *facts.request;
    let (Some(reference), Some(limit), Form::Plain) = (facts.reference, limit, form) else {
        return true;
    };
    if !price::moved(side, reference, 0).is_better(side.opposite(), limit) {
        return true;
    }
    price::width(&set.limits, reference, facts.tick.max(1))
        .is_none_or(|width| !price::moved(side, reference, width).is_better(side.opposite(), limit))
}
