//! What the gate is asked: whether an order may go; and what each request counts for.

use spindle_types::{AccountId, EventTime, InstrumentId, Price, SessionId};

use crate::gate::Gate;
use crate::judge::Admission;
use crate::keys::{Key, OFF};
use crate::notice::Cause;
use crate::reject::{Check, Reject};
use crate::request::{Market, Purpose, Request};
use crate::route::Route;
use crate::table::{NONE, key_of};
use crate::view::cut;

impl Gate {
    /// Judges an order, and counts what a request counts for. Where it may go, its reservation is
    /// made by [`Gate::reserve`].
    ///
    /// # Errors
    /// The first check, in order of precedence, that fails.
    #[inline]
    pub fn check(&mut self, request: &Request, market: &Market) -> Result<Admission, Reject> {
        let at = self.route(request.account, request.session, request.instrument);
        let route = self.routes.get(at);
        if self.is_marked(route, market)
            && let Some(admission) = self.passes::<false>(route, request, market)
        {
            debug_assert_eq!(self.judge(route, request, market), Ok(admission));
            return Ok(admission);
        }
        self.check_closely(at, request, market)
    }

    /// The same of an order that does not pass at once.
    #[inline(never)]
    fn check_closely(
        &mut self,
        at: usize,
        request: &Request,
        market: &Market,
    ) -> Result<Admission, Reject> {
        self.mark(at, market, request.instrument);
        let route = self.routes.get(at);
        if let Some(admission) = self.passes::<true>(route, request, market) {
            debug_assert_eq!(self.judge(route, request, market), Ok(admission));
            return Ok(admission);
        }
        let decision = self.judge(route, request, market);
        if let Err(reject) = &decision {
            let route = *self.routes.get(at);
            self.refuse(&route, request, reject);
        }
        decision
    }

    /// What [`Gate::check`] would say, without counting anything.
    ///
    /// # Errors
    /// The first check, in order of precedence, that would fail.
    pub fn would(&mut self, request: &Request, market: &Market) -> Result<Admission, Reject> {
        let at = self.route(request.account, request.session, request.instrument);
        let route = *self.routes.get(at);
        let before =
            route.cells.map(|at| self.cells.get(at).map(|cell| (cell.mark, cell.money.profit)));
        let currency = usize::from(route.currency);
        self.mark(at, market, request.instrument);
        let decision = self.judge(&route, request, market);
        for ((at, owner), before) in route.cells.into_iter().zip(route.owners).zip(before) {
            if let (Some(cell), Some((mark, profit))) = (self.cells.get_mut(at), before) {
                let back = profit - cell.money.profit;
                (cell.mark, cell.money.profit) = (mark, profit);
                self.owners[owner as usize].money[currency].profit += back;
            }
        }
        decision
    }

    /// Whether what is held in the instrument is valued by what it could be sold or bought back for,
    /// as far as that is seen at a glance.
    #[inline(always)]
    fn is_marked(&self, route: &Route, market: &Market) -> bool {
        let price = |side: Option<Price>| side.map_or(u64::MAX, |price| price.0.into());
        let (long, short) = (price(market.bid), price(market.ask));
        route.cells.iter().all(|&at| {
            self.cells.get(at).is_none_or(|cell| {
                let best = if cell.position < 0 { short } else { long };
                cell.position == 0 || best == u64::from(cell.mark)
            })
        })
    }

    /// Values what is held in the instrument by what it could be sold or bought back for.
    fn mark(&mut self, at: usize, market: &Market, instrument: InstrumentId) {
        let route = self.routes.get(at);
        for at in 0..3 {
            let Some(cell) = self.cells.get_mut(route.cells[at]) else {
                continue;
            };
            let best = match cell.position {
                0 => continue,
                1.. => market.bid,
                _ => market.ask,
            };
            if let Some(mark) = best.or(market.last).or_else(|| {
                let state = self.instruments.get(instrument.index());
                state.and_then(|state| state.reference)
            }) && mark.0 != cell.mark
            {
                let before = cell.money.profit;
                cell.mark = mark.0;
                cell.money.profit = cell.value();
                let moved = cell.money.profit - before;
                let owner = &mut self.owners[route.owners[at] as usize];
                owner.money[usize::from(route.currency)].profit += moved;
            }
        }
    }

    /// Counts a refusal, and stops who has too many or has lost too much.
    #[cold]
    fn refuse(&mut self, route: &Route, request: &Request, reject: &Reject) {
        self.counts.refuse(reject.check);
        if reject.check == Check::Account {
            return;
        }
        if request.purpose != Purpose::Trigger {
            self.count_message(route.owners, route.cells[0], request.time);
        }
        for owner in route.owners {
            let Some(known) = self.owners.get_mut(owner as usize) else {
                continue;
            };
            let limits = &self.sets[usize::from(known.set)].limits;
            let most = limits.at(Key::KillRejectsMax);
            if most != OFF && reject.check != Check::Killed {
                let window = limits.at(Key::KillRejectsWindowMs);
                if known.rejects.add(request.time, window) > most {
                    self.stop(owner, Cause::Rejects);
                }
            }
            self.stop_for_loss(owner, usize::from(route.currency));
        }
    }

    /// Stops an owner whose loss is beyond its limit, where that is configured.
    #[inline]
    pub(crate) fn stop_for_loss(&mut self, owner: u32, currency: usize) {
        let Some(known) = self.owners.get(owner as usize) else {
            return;
        };
        let Some(set) = self.set(known.set) else {
            return;
        };
        if set.limits.is_on(Key::KillLoss)
            && cut(-known.money[currency].profit) > set.limits.money(Key::LossMax, currency)
        {
            self.stop(owner, Cause::Loss);
        }
    }

    /// Counts a request for the rates: a cancel, or one that was refused before the gate.
    #[inline]
    pub fn message(
        &mut self,
        account: AccountId,
        session: SessionId,
        instrument: Option<InstrumentId>,
        time: EventTime,
    ) {
        // Only limits have rates.
        if self.sets.len() == 1 {
            return;
        }
        let owners = self.owners_of(account, session);
        let cell = match instrument {
            Some(instrument) if owners[0] != NONE => self.cells.find(key_of(owners[0], instrument)),
            _ => NONE,
        };
        self.count_message(owners, cell, time);
    }

    fn count_message(&mut self, owners: [u32; 3], cell: u32, time: EventTime) {
        for owner in owners {
            if let Some(owner) = self.owners.get_mut(owner as usize)
                && let Some(set) = self.sets.get(usize::from(owner.set))
                && set.is_on(Check::MessageRate)
            {
                owner.flow.messages.add(time, &set.messages);
            }
        }
        if let Some(cell) = self.cells.get_mut(cell)
            && let Some(set) = self.sets.get(usize::from(cell.set))
            && set.is_on(Check::MessageRate)
        {
            cell.flow.messages.add(time, &set.messages);
        }
    }
}
