//! The one function that decides.

use spindle_types::{Price, Side};

use crate::gate::{Case, Gate};
use crate::limits::{Key, OFF, Set};
use crate::notice::Target;
use crate::price;
use crate::reject::{Check, Level, Reject};
use crate::request::{Purpose, Request, Sale};
use crate::state::{Cell, Flow, Money, Window};

/// A level at which limits are set, with what is counted there.
#[derive(Clone, Copy)]
struct View<'a> {
    set: &'a Set,
    level: Level,
    flow: &'a Flow,
    money: &'a Money,
    cell: &'a Cell,
    executions: &'a Window,
}

/// What the gate lets through: to be handed to [`Gate::reserve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// What each share is valued at.
    pub price: Price,
    pub(crate) case: Case,
    /// Checks that have reached the part of their limit that is told, by level.
    pub(crate) warned: [u32; 4],
}

/// What is told of a sum: cut to 64 bits, at least 0.
#[inline]
pub(crate) fn cut(sum: i128) -> u64 {
    if sum <= 0 { 0 } else { u64::try_from(sum).unwrap_or(u64::MAX) }
}

/// The most shares that may be traded and open on one side in a day.
pub(crate) const SHARES_MAX: u64 = 1 << 62;

static NO_CELL: Cell = Cell::EMPTY;

impl Gate {
    /// Judges an order, and changes nothing. `case` is what [`Gate::open`] has found.
    ///
    /// # Errors
    /// The first check, in order of precedence, that fails.
    #[inline]
    pub(crate) fn judge(&self, case: &Case, request: &Request) -> Result<Admission, Reject> {
        let Some(account) = self.owners.get(case.owners[0] as usize).filter(|owner| owner.known)
        else {
            let observed = request.account.0.into();
            return Err(Reject {
                check: Check::Account,
                level: Level::Account,
                limit: 0,
                observed,
            });
        };
        let currency = usize::from(case.state.currency);
        let side = request.side.index();
        let cells = case.cells.map(|cell| self.cells.get(cell).unwrap_or(&NO_CELL));
        let mut views = [None; 4];
        if account.set != 0 {
            views[0] = Some(self.view(case, cells, 0, Level::Account, side));
        }
        if cells[0].set != 0 {
            views[1] = Some(View {
                set: &self.sets[usize::from(cells[0].set)],
                level: Level::Instrument,
                flow: &cells[0].flow,
                money: &cells[0].money,
                cell: cells[0],
                executions: &cells[0].executions[1][side],
            });
        }
        for (at, level) in [(1, Level::Session), (2, Level::Firm)] {
            if let Some(owner) = self.owners.get(case.owners[at] as usize)
                && owner.set != 0
            {
                views[at + 1] = Some(self.view(case, cells, at, level, side));
            }
        }
        self.judge_views(case, request, cells[0], &views, currency)
    }

    #[inline]
    fn view<'a>(
        &'a self,
        case: &Case,
        cells: [&'a Cell; 3],
        at: usize,
        level: Level,
        side: usize,
    ) -> View<'a> {
        let owner = &self.owners[case.owners[at] as usize];
        View {
            set: &self.sets[usize::from(owner.set)],
            level,
            flow: &owner.flow,
            money: &owner.money[usize::from(case.state.currency)],
            cell: cells[at],
            executions: &cells[at].executions[0][side],
        }
    }

    #[inline]
    fn judge_views(
        &self,
        case: &Case,
        request: &Request,
        own: &Cell,
        views: &[Option<View<'_>>; 4],
        currency: usize,
    ) -> Result<Admission, Reject> {
        let views = || views.iter().flatten();
        let reject = |check, level, limit, observed| Err(Reject { check, level, limit, observed });
        let at = request.side.index();
        let is_trigger = request.purpose == Purpose::Trigger;
        let is_new = request.purpose == Purpose::Enter;
        let now = request.time;
        let quantity = u64::from(request.quantity.0);
        let shares = i64::from(request.quantity.0) - i64::from(request.before.quantity.0);

        if let Some(killed) = self.killed(case, request, own, shares) {
            return reject(Check::Killed, Level::Account, 0, killed);
        }
        if case.state.restricted {
            return reject(Check::Restricted, Level::Account, 0, 1);
        }
        for view in views() {
            if view.set.limits.is_on(Key::Restricted) {
                return reject(Check::Restricted, view.level, 0, 1);
            }
        }
        let may = match (request.side, request.sale) {
            (Side::Buy, _) => Key::MayBuy,
            (Side::Sell, Sale::Long) => Key::MaySell,
            (Side::Sell, Sale::Short) => Key::MayShort,
            (Side::Sell, Sale::ShortExempt) => Key::MayShortExempt,
        };
        for view in views() {
            if !view.set.limits.is_on(may) {
                return reject(Check::Side, view.level, 0, 1);
            }
        }
        if request.side == Side::Sell && request.sale != Sale::Long {
            self.judge_short(case, request, own, views())?;
        }
        if !is_trigger {
            let missing = case
                .keys
                .iter()
                .zip(case.cells)
                .filter(|(key, cell)| **key != 0 && *cell == crate::table::NONE);
            if missing.count() > self.cells.room() {
                let cells = self.cells.capacity() as u64;
                return reject(Check::Positions, Level::Account, cells, cells);
            }
            for view in views() {
                if let Some((rate, burst)) = view.set.rate(Key::MessageRateMax, Key::MessageBurst)
                    && !view.flow.messages.fits(now, rate, burst)
                {
                    let observed = view.flow.messages.with_one(now, rate);
                    return reject(Check::MessageRate, view.level, burst, observed);
                }
            }
            for view in views() {
                if let Some((rate, burst)) = view.set.rate(Key::OrderRateMax, Key::OrderBurst)
                    && !view.flow.accepted.fits(now, rate, burst)
                {
                    let observed = view.flow.accepted.with_one(now, rate);
                    return reject(Check::OrderRate, view.level, burst, observed);
                }
            }
        }
        for view in views() {
            let limit = view.set.limits.at(Key::OrderSizeMax);
            if quantity > limit {
                return reject(Check::OrderSize, view.level, limit, quantity);
            }
        }

        let market = &case.market;
        let reference = price::reference(request.side, market, &case.state);
        let tick = market.tick.max(1);
        let (mut collar, mut collar_level) = (None, Level::Account);
        let (mut band, mut band_level) = (None, Level::Account);
        let mut stop_bound = None;
        let mut is_valued = false;
        for view in views() {
            let limits = &view.set.limits;
            if let Some(reference) = reference
                && let Some(width) = price::width(limits, reference, tick)
            {
                let bound = Some(price::moved(request.side, reference, width));
                let nearer = price::nearer(request.side, collar, bound);
                if nearer != collar {
                    (collar, collar_level) = (nearer, view.level);
                }
            }
            if band.is_none() && limits.is_on(Key::Luld) {
                (band, band_level) = (price::band(request.side, &case.state), view.level);
            }
            if let crate::Form::Stop(stop) = request.form
                && let Some(width) = price::width(limits, stop, tick)
            {
                let bound = Some(price::moved(request.side, stop, width));
                stop_bound = price::nearer(request.side, stop_bound, bound);
            }
            is_valued |= view.set.values[currency];
        }
        let protection = price::nearer(request.side, collar, band);
        let valued = match price::valued(request, reference, protection, stop_bound) {
            Some(price) => price,
            None if is_valued => return reject(Check::NoPrice, Level::Account, 0, 0),
            None => Price(0),
        };
        let value = valued.times(request.quantity).0;
        let worth =
            i128::from(value) - i128::from(request.before.price.times(request.before.quantity).0);
        for view in views() {
            let limit = view.set.limits.money(Key::OrderValueMax, currency);
            if value > limit {
                return reject(Check::OrderValue, view.level, limit, value);
            }
        }
        if let Some(held) = price::held(request) {
            let is_beyond = |bound: Price| bound.is_better(request.side.opposite(), held);
            if let Some(band) = band.filter(|band| is_beyond(*band)) {
                return reject(Check::LuldBand, band_level, band.0.into(), held.0.into());
            }
            if let Some(collar) = collar.filter(|collar| is_beyond(*collar)) {
                return reject(Check::Collar, collar_level, collar.0.into(), held.0.into());
            }
        }
        let mut warned = [0; 4];
        if is_new {
            let print = print_of(request);
            for view in views() {
                let limit = view.set.limits.at(Key::DuplicateMax);
                if limit != OFF {
                    let window =
                        view.set.limits.at(Key::DuplicateWindowMs).saturating_mul(1_000_000);
                    let is_alike = |one: &&crate::state::Print| {
                        one.key == print && now.0 < one.time.saturating_add(window)
                    };
                    let alike = view.cell.prints.iter().filter(is_alike).count() as u64;
                    if alike >= limit {
                        return reject(Check::Duplicate, view.level, limit, alike + 1);
                    }
                }
            }
        }
        if !is_trigger {
            for view in views() {
                let limit = view.set.limits.at(Key::ExecutionsMax);
                if limit != OFF {
                    let window = view.set.limits.at(Key::ExecutionsWindowMs);
                    let observed = view.executions.count(now, window);
                    if observed >= limit {
                        return reject(Check::RepeatedExecution, view.level, limit, observed);
                    }
                }
            }
            for view in views() {
                let most = view.set.limits.at(Key::OrderToTradeMax);
                if most != OFF {
                    let free = match view.set.limits.at(Key::OrderToTradeFree) {
                        OFF => ORDERS_FREE,
                        free => free,
                    };
                    // Both factors stay far below 2^63 in a day of any length.
                    let limit = free.saturating_add(most.saturating_mul(view.flow.fills));
                    let observed = view.flow.orders + 1;
                    if observed > limit {
                        return reject(Check::OrderToTrade, view.level, limit, observed);
                    }
                }
            }
        }
        if is_new {
            for view in views() {
                let observed = view.flow.open_orders + 1;
                let warn = view.set.warn(Key::OpenOrdersMax, 0);
                let limit = view.set.limits.at(Key::OpenOrdersMax);
                sum(view, Check::OpenOrders, warn, limit, observed, true, &mut warned)?;
            }
        }
        let after = |count: u64| i128::from(count) + i128::from(shares);
        for view in views() {
            let open = after(view.cell.flow.open[at]);
            let position = i128::from(view.cell.position);
            let worst = if request.side == Side::Buy { position + open } else { open - position };
            let (warn, limit) =
                (view.set.warn(Key::PositionMax, 0), view.set.limits.at(Key::PositionMax));
            sum(view, Check::Position, warn, limit, cut(worst), shares > 0, &mut warned)?;
        }
        let (check, key, money_check, money_key) = match request.side {
            Side::Buy => (
                Check::BoughtQuantity,
                Key::BoughtQuantityMax,
                Check::BoughtValue,
                Key::BoughtValueMax,
            ),
            Side::Sell => {
                (Check::SoldQuantity, Key::SoldQuantityMax, Check::SoldValue, Key::SoldValueMax)
            }
        };
        for view in views() {
            let observed = cut(after(view.flow.open[at]) + i128::from(view.flow.traded[at]));
            sum(
                view,
                check,
                view.set.warn(key, 0),
                view.set.limits.at(key),
                observed,
                shares > 0,
                &mut warned,
            )?;
        }
        // What no level limits ends where the sums could no longer be counted.
        for owner in case.owners.iter().filter_map(|&owner| self.owners.get(owner as usize)) {
            let observed = cut(after(owner.flow.open[at]) + i128::from(owner.flow.traded[at]));
            if observed > SHARES_MAX && shares > 0 {
                return reject(check, Level::Account, SHARES_MAX, observed);
            }
        }
        let grows = worth > 0;
        let mut money = |check: Check, key: Key, seen: &dyn Fn(&View<'_>) -> (i128, bool)| {
            for view in views() {
                let warn = view.set.warn(key, currency);
                let limit = view.set.limits.money(key, currency);
                if limit == OFF {
                    continue;
                }
                let (observed, grows) = seen(view);
                sum(view, check, warn, limit, cut(observed), grows, &mut warned)?;
            }
            Ok::<(), Reject>(())
        };
        money(money_check, money_key, &|view| {
            (view.money.traded[at] + view.money.open[at] + worth, grows)
        })?;
        money(Check::GrossExposure, Key::GrossExposureMax, &|view| {
            let mut after = view.cell.money;
            after.open[at] += worth;
            let growth = after.worst() - view.cell.money.worst();
            (view.money.gross + growth, grows && growth > 0)
        })?;
        money(Check::NetExposure, Key::NetExposureMax, &|view| {
            let net = if request.side == Side::Buy { view.money.net } else { -view.money.net };
            (net + view.money.open[at] + worth, grows)
        })?;
        if request.side == Side::Buy {
            money(Check::Credit, Key::CreditMax, &|view| {
                (view.money.net + view.money.open[at] + worth, grows)
            })?;
        }
        for view in views() {
            let limit = view.set.limits.money(Key::LossMax, currency);
            let loss = cut(-view.money.profit);
            if limit != OFF && loss >= view.set.warn(Key::LossMax, currency).min(limit) {
                if loss > limit && !self.passes_reducing(case, request, own, shares) {
                    return reject(Check::Loss, view.level, limit, loss);
                }
                if loss >= view.set.warn(Key::LossMax, currency) {
                    warned[view.level as usize] |= Check::Loss.bit();
                }
            }
        }
        Ok(Admission { price: valued, case: *case, warned })
    }

    /// Locate and price test of a short sale.
    #[cold]
    fn judge_short<'a>(
        &self,
        case: &Case,
        request: &Request,
        own: &Cell,
        views: impl Iterator<Item = &'a View<'a>> + Clone,
    ) -> Result<(), Reject> {
        let needs = views.clone().find(|view| view.set.limits.is_on(Key::Locate));
        if let Some(view) = needs {
            let limit = match self.sets[usize::from(own.set)].limits.at(Key::LocateShares) {
                OFF => 0,
                shares => shares,
            };
            // What is used is at most 2^62.
            let used = own.located.saturating_sub(request.before.quantity.0.into());
            let observed = used + u64::from(request.quantity.0);
            if observed > limit {
                let (check, level) = (Check::Locate, view.level);
                return Err(Reject { check, level, limit, observed });
            }
        }
        let heeds = views.clone().find(|view| view.set.limits.is_on(Key::RegSho));
        if let (Some(view), true, Sale::Short, Some(bid)) =
            (heeds, case.state.price_test, request.sale, case.market.bid)
            && !matches!(request.form, crate::Form::Stop(_))
            && request.limit.is_none_or(|limit| limit <= bid)
        {
            let observed = request.limit.map_or(0, |limit| limit.0.into());
            let limit = u64::from(bid.0) + u64::from(case.market.tick.max(1));
            let (check, level) = (Check::RegSho, view.level);
            return Err(Reject { check, level, limit, observed });
        }
        Ok(())
    }

    /// Who was stopped, if that concerns this order: 1 all, 2 account, 3 session, 4 firm.
    #[inline]
    fn killed(&self, case: &Case, request: &Request, own: &Cell, shares: i64) -> Option<u64> {
        if self.kills == 0 {
            return None;
        }
        let reduces = self.is_reducing(request, own, shares);
        let allows = |owner: u32| {
            self.owners
                .get(owner as usize)
                .is_some_and(|owner| self.sets[usize::from(owner.set)].limits.is_on(Key::Reducing))
        };
        if self.all_killed != 0 && !(reduces && allows(case.owners[0])) {
            return Some(1);
        }
        (2..).zip(case.owners).find_map(|(number, owner)| {
            let is_killed = self.owners.get(owner as usize).is_some_and(|owner| owner.killed != 0);
            (is_killed && !(reduces && allows(owner))).then_some(number)
        })
    }

    fn passes_reducing(&self, case: &Case, request: &Request, own: &Cell, shares: i64) -> bool {
        let account = &self.owners[case.owners[0] as usize];
        self.sets[usize::from(account.set)].limits.is_on(Key::Reducing)
            && self.is_reducing(request, own, shares)
    }

    /// Whether an order only takes from the account's position, with all that is open on its side.
    fn is_reducing(&self, request: &Request, own: &Cell, shares: i64) -> bool {
        let open = i128::from(own.flow.open[request.side.index()]) + i128::from(shares);
        let held = match request.side {
            Side::Buy => -i128::from(own.position),
            Side::Sell => i128::from(own.position),
        };
        held > 0 && open <= held
    }

    /// The furthest price at which an order without a limit may trade, of an order that was let
    /// through; `None` where nothing bounds it.
    pub fn protection(&self, request: &Request, market: &crate::Market) -> Option<Price> {
        let case = self.find(request, market);
        let reference = price::reference(request.side, market, &case.state);
        let owners = case
            .owners
            .map(|owner| self.owners.get(owner as usize).map_or(0, |owner| usize::from(owner.set)));
        let own = self.cells.get(case.cells[0]).map_or(0, |cell| usize::from(cell.set));
        let mut bound = None;
        for set in [owners[0], own, owners[1], owners[2]].into_iter().filter(|&set| set != 0) {
            let limits = &self.sets[set].limits;
            if let Some(reference) = reference
                && let Some(width) = price::width(limits, reference, market.tick.max(1))
            {
                let end = Some(price::moved(request.side, reference, width));
                bound = price::nearer(request.side, bound, end);
            }
            if limits.is_on(Key::Luld) {
                bound = price::nearer(request.side, bound, price::band(request.side, &case.state));
            }
        }
        bound
    }

    /// Who an owner is, for people.
    #[allow(clippy::cast_possible_truncation, reason = "numbers of owners have 16 bits")]
    pub(crate) fn target(&self, owner: u32) -> Target {
        let (accounts, sessions) = (self.accounts as u32, self.sessions as u32);
        if owner < accounts {
            Target::Account(spindle_types::AccountId(owner as u16))
        } else if owner < accounts + sessions {
            Target::Session(spindle_types::SessionId((owner - accounts) as u16))
        } else {
            Target::Firm((owner - accounts - sessions) as u16)
        }
    }
}

/// Orders that need no executions where nothing is said.
const ORDERS_FREE: u64 = 1_000;

/// Holds a sum against its limit, and notes where it is told.
#[inline]
fn sum(
    view: &View<'_>,
    check: Check,
    warn: u64,
    limit: u64,
    observed: u64,
    grows: bool,
    warned: &mut [u32; 4],
) -> Result<(), Reject> {
    if observed >= warn.min(limit) && limit != OFF {
        if observed > limit && grows {
            return Err(Reject { check, level: view.level, limit, observed });
        }
        if observed >= warn {
            warned[view.level as usize] |= check.bit();
        }
    }
    Ok(())
}

/// Side, shares and limit in one word: both are below 2^31.
#[inline]
pub(crate) fn print_of(request: &Request) -> u64 {
    let side = match (request.side, request.sale) {
        (Side::Buy, _) => 0_u64,
        (Side::Sell, Sale::Long) => 1,
        (Side::Sell, Sale::Short) => 2,
        (Side::Sell, Sale::ShortExempt) => 3,
    };
    let limit = request.limit.map_or(0, |limit| u64::from(limit.0));
    (side << 62) ^ (u64::from(request.quantity.0) << 31) ^ limit
}
