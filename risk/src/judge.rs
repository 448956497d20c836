//! What decides where the quick way (`pass`) does not: each level's checks at once, a bit for each that fails. Which
//! comes first, and what is told of it, is looked for only when one has failed (`why`).

use spindle_types::{Price, Side};

use crate::gate::Gate;
use crate::keys::{Key, OFF};
use crate::near::{MONEY, SHARES};
use crate::price;
use crate::reject::{Check, Level, Reject};
use crate::request::{Form, InstrumentState, Market, Purpose, Request, Sale};
use crate::route::Route;
use crate::state::Cell;
use crate::view::{Added, NO_CELL, SHARES_MAX, View, day_of, print_of, sale_of};

/// What the gate lets through: to be handed to [`Gate::reserve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// What each share is valued at.
    pub price: Price,
    /// Checks that have reached the part of their limit that is told, by level.
    pub(crate) warned: [u32; 4],
}

/// What is kept of an instrument where nothing is.
pub(crate) static NO_STATE: InstrumentState = InstrumentState {
    currency: 0,
    restricted: false,
    price_test: false,
    reference: None,
    low: None,
    high: None,
};

/// Checks that have failed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Failed {
    /// Whatever the limits are.
    pub(crate) always: u32,
    /// By the limits of each level.
    pub(crate) by: [u32; 4],
}

/// How far an order may go, and what it is valued at.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// The tightest collar, with the level that set it first.
    pub(crate) collar: Option<(Price, usize)>,
    /// The end of the band that bounds the side, where any level heeds it.
    pub(crate) band: Option<Price>,
    /// What the order is valued at, if anything says.
    pub(crate) valued: Option<Price>,
}

const RATES: u32 = Check::Positions.bit() | Check::MessageRate.bit() | Check::OrderRate.bit();
const OF_THE_DAY: u32 = Check::RepeatedExecution.bit() | Check::OrderToTrade.bit();
const OF_NEW: u32 = Check::Duplicate.bit() | Check::OpenOrders.bit();

/// The checks that an order is held to.
#[inline]
pub(crate) const fn applies(side: Side, purpose: Purpose) -> u32 {
    let others = match purpose {
        Purpose::Enter => 0,
        Purpose::Replace => OF_NEW,
        Purpose::Trigger => OF_NEW | RATES | OF_THE_DAY,
    };
    match side {
        Side::Buy => !others,
        Side::Sell => !(others | Check::Credit.bit()),
    }
}

impl Bounds {
    /// Whether what an order is held to lies beyond collar or band.
    pub(crate) fn is_beyond(&self, request: &Request) -> bool {
        let collar = self.collar.map(|(collar, _)| collar);
        let nearest = price::nearer(request.side, collar, self.band);
        price::held(request)
            .zip(nearest)
            .is_some_and(|(held, bound)| bound.is_better(request.side.opposite(), held))
    }
}

impl Gate {
    /// Judges an order, and changes nothing.
    ///
    /// # Errors
    /// The first check, in order of precedence, that fails.
    #[cold]
    #[inline(never)]
    pub(crate) fn judge(
        &self,
        route: &Route,
        request: &Request,
        market: &Market,
    ) -> Result<Admission, Reject> {
        let state = self.instruments.get(request.instrument.index()).unwrap_or(&NO_STATE);
        let mut added = Added::shares_of(request);
        let mut failed = Failed::default();
        // What decides before any level is looked at.
        if !route.known {
            failed.always |= Check::Account.bit();
        }
        if self.kills != 0 && self.killed(route, request, added.shares).is_some() {
            failed.always |= Check::Killed.bit();
        }
        if state.restricted {
            failed.always |= Check::Restricted.bit();
        }
        if !route.whole && route.missing() > self.cells.room() {
            failed.always |= Check::Positions.bit();
        }
        let bounds = self.bounds(route, request, market, state);
        // Of the checks that are the same at every level: those that fail where they are on.
        let mut wherever = 0;
        if request.sale != Sale::Long && request.side == Side::Sell {
            wherever = self.short_failures(route, request, market, state);
        }
        if let Some(held) = price::held(request) {
            let is_beyond = |bound: Price| bound.is_better(request.side.opposite(), held);
            if bounds.band.is_some_and(is_beyond) {
                wherever |= Check::LuldBand.bit();
            }
            if let Some((_, level)) = bounds.collar.filter(|(collar, _)| is_beyond(*collar)) {
                failed.by[level] |= Check::Collar.bit();
            }
        }
        let valued = bounds.valued.unwrap_or(Price(0));
        let value = valued.times(request.quantity).0;
        added.worth =
            i128::from(value) - i128::from(request.before.price.times(request.before.quantity).0);

        let applies = applies(request.side, request.purpose);
        let currency = usize::from(route.currency);
        let mut warned = [0; 4];
        for (level, warned) in warned.iter_mut().enumerate() {
            let Some(view) = self.view(route, level, request.side) else {
                continue;
            };
            if bounds.valued.is_none() && view.set.values[currency] {
                failed.always |= Check::NoPrice.bit();
            }
            let (fails, warns) = sums(&view, &added, currency);
            let others = others(&view, request, value, currency) | (view.set.on & wherever);
            failed.by[level] |= (fails | others) & applies;
            *warned = warns & applies;
        }
        if self.is_beyond_counting(route, &added) {
            failed.always |= Check::BoughtQuantity.bit() << request.side.index();
        }
        failed.always &= applies;
        if failed.by.iter().fold(failed.always, |all, by| all | by) != 0 {
            self.refusal(route, request, market, &failed, &bounds, &added)?;
        }
        Ok(Admission { price: valued, warned })
    }

    /// Collar, band and what an order is valued at.
    #[inline]
    pub(crate) fn bounds(
        &self,
        route: &Route,
        request: &Request,
        market: &Market,
        state: &InstrumentState,
    ) -> Bounds {
        let reference = price::reference(request.side, market, state);
        let tick = market.tick.max(1);
        let (mut collar, mut stop_bound): (Option<(Price, usize)>, Option<Price>) = (None, None);
        if route.on & Check::Collar.bit() != 0 {
            for (level, set) in route.sets.into_iter().enumerate() {
                let Some(set) = self.set(set).filter(|set| set.is_on(Check::Collar)) else {
                    continue;
                };
                let limits = &set.limits;
                if let Some(reference) = reference
                    && let Some(width) = price::width(limits, reference, tick)
                {
                    let bound = price::moved(request.side, reference, width);
                    if collar.is_none_or(|(nearest, _)| {
                        bound != nearest && bound.is_better(request.side.opposite(), nearest)
                    }) {
                        collar = Some((bound, level));
                    }
                }
                if let Form::Stop(stop) = request.form
                    && let Some(width) = price::width(limits, stop, tick)
                {
                    let bound = Some(price::moved(request.side, stop, width));
                    stop_bound = price::nearer(request.side, stop_bound, bound);
                }
            }
        }
        let heeds = route.on & Check::LuldBand.bit() != 0;
        let band = if heeds { self.band(request.instrument, request.side, state) } else { None };
        let nearest = collar.map(|(collar, _)| collar);
        let protection = price::nearer(request.side, nearest, band);
        let valued = price::valued(request, reference, protection, stop_bound);
        Bounds { collar, band, valued }
    }

    /// Whether shares of a day could no longer be counted with an order.
    #[inline]
    fn is_beyond_counting(&self, route: &Route, added: &Added) -> bool {
        // Nobody's sums are above what all orders of the day have brought.
        self.entered > SHARES_MAX / 2
            && added.shares > 0
            && self.first_beyond(route, added).is_some()
    }

    /// The first sum of shares that is beyond what is counted.
    #[cold]
    pub(crate) fn first_beyond(&self, route: &Route, added: &Added) -> Option<u64> {
        let owners = route.owners.into_iter();
        let known = owners.filter_map(|owner| self.owners.get(owner as usize));
        known.map(|owner| day_of(&owner.flow, added)).find(|day| *day > SHARES_MAX)
    }

    /// Of locate and price test, those that a short sale fails where they are on.
    #[inline]
    pub(crate) fn short_failures(
        &self,
        route: &Route,
        request: &Request,
        market: &Market,
        state: &InstrumentState,
    ) -> u32 {
        let (located, used) = self.located(route, request);
        let mut fails = if used > located { Check::Locate.bit() } else { 0 };
        if let (true, Sale::Short, Some(bid)) = (state.price_test, request.sale, market.bid)
            && !matches!(request.form, Form::Stop(_))
            && request.limit.is_none_or(|limit| limit <= bid)
        {
            fails |= Check::RegSho.bit();
        }
        fails
    }

    /// Shares that are located for short sales of the account in the instrument, and what would be
    /// used of them.
    #[inline]
    pub(crate) fn located(&self, route: &Route, request: &Request) -> (u64, u64) {
        let own = self.own_cell(route);
        let located = match self.set(own.set).map_or(OFF, |set| set.limits.at(Key::LocateShares)) {
            OFF => 0,
            shares => shares,
        };
        // What is used is at most 2^62.
        let used = own.located.saturating_sub(request.before.quantity.0.into());
        (located, used + u64::from(request.quantity.0))
    }

    #[inline]
    fn own_cell(&self, route: &Route) -> &Cell {
        self.cells.get(route.cells[0]).unwrap_or(&NO_CELL)
    }

    /// Who was stopped, if that concerns this order: 1 all, 2 account, 3 session, 4 firm.
    #[cold]
    pub(crate) fn killed(&self, route: &Route, request: &Request, shares: i64) -> Option<u64> {
        let reduces = self.is_reducing(route, request, shares);
        let allows = |owner: u32| {
            let set = self.owners.get(owner as usize).and_then(|owner| self.set(owner.set));
            set.is_some_and(|set| set.limits.is_on(Key::Reducing))
        };
        if self.all_killed != 0 && !(reduces && allows(route.owners[0])) {
            return Some(1);
        }
        (2..).zip(route.owners).find_map(|(number, owner)| {
            let is_killed = self.owners.get(owner as usize).is_some_and(|owner| owner.killed != 0);
            (is_killed && !(reduces && allows(owner))).then_some(number)
        })
    }

    /// Whether an order passes the limit of losses because it takes from a position.
    pub(crate) fn passes_reducing(&self, route: &Route, request: &Request, shares: i64) -> bool {
        self.set(route.sets[Level::Account as usize])
            .is_some_and(|set| set.limits.is_on(Key::Reducing))
            && self.is_reducing(route, request, shares)
    }

    /// Whether an order only takes from the account's position, with all that is open on its side.
    fn is_reducing(&self, route: &Route, request: &Request, shares: i64) -> bool {
        let own = self.own_cell(route);
        let open = i128::from(own.flow.open[request.side.index()]) + i128::from(shares);
        let held = match request.side {
            Side::Buy => -i128::from(own.position),
            Side::Sell => i128::from(own.position),
        };
        held > 0 && open <= held
    }

    /// The furthest price at which an order without a limit may trade, of an order that was let
    /// through; `None` where nothing bounds it.
    pub fn protection(&self, request: &Request, market: &Market) -> Option<Price> {
        let route = self.find(request.account, request.session, request.instrument);
        let state = &self.instrument(request.instrument);
        let bounds = self.bounds(&route, request, market, state);
        price::nearer(request.side, bounds.collar.map(|(collar, _)| collar), bounds.band)
    }
}

/// Sums at a level that an order would bring over their limit, and those of which a warning is due.
#[inline(always)]
fn sums(view: &View<'_>, added: &Added, currency: usize) -> (u32, u32) {
    let (mut fails, mut warns) = (0, 0);
    let limited = view.set.limited[currency];
    let (side, limits) = (added.side.index(), &view.set.limits);
    let sided = |check: Check| check.bit() << side;
    if limited & SHARES != 0 {
        let mut hold = |bit: u32, key: Key, observed: u64, grows: bool| {
            fails |= u32::from((observed > limits.at(key)) & grows) * bit;
            warns |= u32::from(observed >= view.set.warn(key, 0)) * bit;
        };
        let more = added.shares > 0;
        let quantity = [Key::BoughtQuantityMax, Key::SoldQuantityMax][side];
        hold(Check::OpenOrders.bit(), Key::OpenOrdersMax, view.open_orders(), true);
        hold(Check::Position.bit(), Key::PositionMax, view.position(added), more);
        hold(sided(Check::BoughtQuantity), quantity, day_of(view.flow, added), more);
    }
    if limited & MONEY != 0 {
        let mut hold = |bit: u32, key: Key, observed: i128, grows: bool| {
            let observed = observed.max(0);
            fails |= u32::from((observed > limits.money(key, currency).into()) & grows) * bit;
            warns |= u32::from(observed >= view.set.warn(key, currency).into()) * bit;
        };
        let more = added.worth > 0;
        let value = [Key::BoughtValueMax, Key::SoldValueMax][side];
        hold(sided(Check::BoughtValue), value, view.value(added), more);
        let (gross, grows) = view.gross(added);
        hold(Check::GrossExposure.bit(), Key::GrossExposureMax, gross, more & grows);
        let net = view.net(added);
        hold(Check::NetExposure.bit(), Key::NetExposureMax, net, more);
        hold(Check::Credit.bit(), Key::CreditMax, net, more);
        hold(Check::Loss.bit(), Key::LossMax, view.loss(), true);
    }
    (fails & limited, warns & view.set.warns[currency])
}

/// The checks of a level that are no sums: those that fail.
#[inline(always)]
fn others(view: &View<'_>, request: &Request, value: u64, currency: usize) -> u32 {
    let View { set, flow, .. } = view;
    let size = u64::from(request.quantity.0) > set.limits.at(Key::OrderSizeMax);
    let worth = value > set.limits.money(Key::OrderValueMax, currency);
    let mut fails = set.blocked[sale_of(request)];
    let mut fail = |check: Check, does: bool| fails |= u32::from(does) * check.bit();
    fail(Check::OrderSize, size);
    fail(Check::OrderValue, worth);
    if set.is_on(Check::MessageRate) {
        fail(Check::MessageRate, !flow.messages.fits(request.time, &set.messages));
    }
    if set.is_on(Check::OrderRate) {
        fail(Check::OrderRate, !flow.accepted.fits(request.time, &set.orders));
    }
    if set.is_on(Check::Duplicate) {
        let most = set.limits.at(Key::DuplicateMax);
        fail(Check::Duplicate, view.alike(print_of(request), request) > most);
    }
    if set.is_on(Check::RepeatedExecution) {
        let most = set.limits.at(Key::ExecutionsMax);
        fail(Check::RepeatedExecution, view.executed(request) >= most);
    }
    if set.is_on(Check::OrderToTrade) {
        let (most, orders) = view.order_to_trade();
        fail(Check::OrderToTrade, orders > most);
    }
    fails
}
