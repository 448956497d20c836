//! What an order reserves, what it gives back, and what an execution moves.

use spindle_types::{EventTime, Price, Quantity, Side};

use crate::gate::Gate;
use crate::judge::Admission;
use crate::keys::{CURRENCIES_MAX, Key, OFF};
use crate::notice::Cause;
use crate::reject::Check;
use crate::request::{Holder, Purpose, Request, Sale};
use crate::set::Set;
use crate::state::{Cell, Flow, Owner, Print};
use crate::table::{NONE, key_of};
use crate::view::{moved, print_of};

impl Gate {
    /// An order that was let through is accepted: what it, or the order that it replaces, had
    /// reserved goes back, and what it may need is reserved.
    #[inline]
    pub fn reserve(&mut self, request: &Request, admission: &Admission) {
        let mut at = self.route(request.account, request.session, request.instrument);
        if !self.routes.get(at).whole {
            at = self.make_cells(request);
        }
        match request.side {
            Side::Buy => self.reserve_on::<0>(at, request, admission),
            Side::Sell => self.reserve_on::<1>(at, request, admission),
        }
    }

    #[inline(always)]
    fn reserve_on<const SIDE: usize>(
        &mut self,
        at: usize,
        request: &Request,
        admission: &Admission,
    ) {
        let Admission { price, warned } = *admission;
        self.entered = self.entered.saturating_add(request.quantity.0.into());
        let Self { owners, cells, sets, routes, .. } = self;
        let route = routes.get(at);
        let currency = route.currency();
        let Request { time, sale, purpose, before, .. } = *request;
        let added = Reservation {
            shares: i64::from(request.quantity.0) - i64::from(before.quantity.0),
            value: i128::from(price.times(request.quantity).0)
                - i128::from(before.price.times(before.quantity).0),
            orders: [u64::from(purpose == Purpose::Enter), u64::from(purpose != Purpose::Trigger)],
            print: Print { key: print_of(request), time: time.0 },
        };
        let rates = route.on & RATES != 0 && added.orders[1] != 0;
        let mut told = warned.iter().fold(0, |told, warned| told | warned);
        for at in 0..3 {
            let (Some(owner), Some(cell)) =
                (owners.get_mut(route.owners[at] as usize), cells.get_mut(route.cells[at]))
            else {
                continue;
            };
            told |= added.add::<SIDE>(owner, cell, currency);
        }
        if rates {
            for (at, set) in [route.sets[0], route.sets[2], route.sets[3]].into_iter().enumerate() {
                if set != 0
                    && let Some(owner) = owners.get_mut(route.owners[at] as usize)
                {
                    count(&mut owner.flow, &sets[usize::from(set)], time);
                }
            }
        }
        if SIDE == 1
            && sale != Sale::Long
            && let Some(own) = cells.get_mut(route.cells[0])
        {
            own.located = moved(own.located, added.shares);
        }
        if rates
            && route.sets[1] != 0
            && let Some(own) = cells.get_mut(route.cells[0])
        {
            count(&mut own.flow, &sets[usize::from(route.sets[1])], time);
        }
        if told != 0 && added.orders[1] != 0 {
            self.keep_warnings(at, request, warned);
        }
    }

    /// Makes the cells that an order needs and that are not there; there was room when it was
    /// judged. Returns where its route lies then.
    #[cold]
    fn make_cells(&mut self, request: &Request) -> usize {
        let Request { account, session, instrument, .. } = *request;
        let route = self.find(account, session, instrument);
        for (owner, cell) in route.owners.into_iter().zip(route.cells) {
            if owner != NONE && cell == NONE {
                self.cells.make(key_of(owner, instrument), route.currency);
            }
        }
        self.route(account, session, instrument)
    }

    /// Shares that were reserved are not wanted any more: cancelled. `is_gone` where the order has
    /// none left.
    #[inline]
    pub fn release(&mut self, holder: &Holder, quantity: Quantity, is_gone: bool) {
        let at = self.route(holder.account, holder.session, holder.instrument);
        let route = self.routes.get(at);
        for at in 0..3 {
            let (Some(owner), Some(cell)) = (
                self.owners.get_mut(route.owners[at] as usize),
                self.cells.get_mut(route.cells[at]),
            ) else {
                continue;
            };
            let before = cell.money.gross;
            give_back(cell, owner, holder, quantity, is_gone);
            if at == 0 && holder.sale != Sale::Long {
                cell.located -= u64::from(quantity.0);
            }
            cell.money.gross = cell.money.worst();
            owner.money[usize::from(cell.currency)].gross += cell.money.gross - before;
        }
    }

    /// Shares that were reserved were executed at a price. `is_gone` where the order has none left.
    #[inline]
    pub fn fill(
        &mut self,
        holder: &Holder,
        quantity: Quantity,
        price: Price,
        is_gone: bool,
        time: EventTime,
    ) {
        let at = self.route(holder.account, holder.session, holder.instrument);
        let (side, owners) = (holder.side, self.routes.get(at).owners);
        let route = self.routes.get(at);
        let currency = route.currency();
        let mut stops = [false; 3];
        for (at, stops) in stops.iter_mut().enumerate() {
            let (Some(owner), Some(cell)) = (
                self.owners.get_mut(route.owners[at] as usize),
                self.cells.get_mut(route.cells[at]),
            ) else {
                continue;
            };
            let before = cell.money;
            give_back(cell, owner, holder, quantity, is_gone);
            cell.trade(side, quantity.0.into(), price);
            cell.mark = price.0;
            cell.money.profit = cell.value();
            cell.money.gross = cell.money.worst();
            let money = &mut owner.money[currency];
            money.gross += cell.money.gross - before.gross;
            money.net += cell.money.net - before.net;
            money.profit += cell.money.profit - before.profit;
            money.traded[side.index()] += i128::from(price.times(quantity).0);
            owner.flow.traded[side.index()] += u64::from(quantity.0);
            owner.flow.fills += 1;
            for (set, number) in [(owner.set, 0), (cell.set, 1)] {
                let set = &self.sets[usize::from(set)];
                if set.is_on(Check::RepeatedExecution) {
                    let window = set.limits.at(Key::ExecutionsWindowMs);
                    cell.executions[number][side.index()].add(time, window);
                }
            }
            let limits = &self.sets[usize::from(owner.set)].limits;
            let most = limits.at(Key::KillFillsMax);
            if most != OFF {
                *stops = owner.fills.add(time, limits.at(Key::KillFillsWindowMs)) > most;
            }
        }
        for (owner, stops) in owners.into_iter().zip(stops) {
            if stops {
                self.stop(owner, Cause::Fills);
            }
            self.stop_for_loss(owner, currency);
        }
    }
}

/// What an accepted order adds to the sums of an owner and of its cell.
struct Reservation {
    shares: i64,
    value: i128,
    /// Open orders, and orders of the day.
    orders: [u64; 2],
    print: Print,
}

impl Reservation {
    /// Adds it: checks of which a warning was told there. A function of its own keeps its figures in
    /// registers.
    #[inline(always)]
    fn add<const SIDE: usize>(&self, owner: &mut Owner, cell: &mut Cell, currency: usize) -> u32 {
        let before = cell.money.gross;
        cell.money.open[SIDE] += self.value;
        cell.money.gross = cell.money.worst();
        let money = &mut owner.money[currency % CURRENCIES_MAX];
        money.open[SIDE] += self.value;
        money.gross += cell.money.gross - before;
        self.add_shares::<SIDE>(&mut cell.flow);
        self.add_shares::<SIDE>(&mut owner.flow);
        if self.orders[0] != 0 {
            cell.prints[usize::from(cell.next_print & 3)] = self.print;
            cell.next_print = cell.next_print.wrapping_add(1) & 3;
        }
        owner.told(currency % CURRENCIES_MAX) | cell.warned[0] | cell.warned[1]
    }

    #[inline(always)]
    fn add_shares<const SIDE: usize>(&self, flow: &mut Flow) {
        flow.open[SIDE] = moved(flow.open[SIDE], self.shares);
        flow.open_orders += self.orders[0];
        flow.orders += self.orders[1];
    }
}

/// Checks for which an accepted order counts.
const RATES: u32 = Check::MessageRate.bit() | Check::OrderRate.bit();

/// An order that is accepted counts for the rates.
#[inline]
fn count(flow: &mut Flow, set: &Set, time: EventTime) {
    if set.is_on(Check::MessageRate) {
        flow.messages.add(time, &set.messages);
    }
    if set.is_on(Check::OrderRate) {
        flow.accepted.add(time, &set.orders);
    }
}

/// Takes shares that were reserved off the sums.
#[inline]
fn give_back(
    cell: &mut Cell,
    owner: &mut Owner,
    holder: &Holder,
    quantity: Quantity,
    is_gone: bool,
) {
    let side = holder.side.index();
    let value = i128::from(holder.price.times(quantity).0);
    cell.money.open[side] -= value;
    owner.money[usize::from(cell.currency)].open[side] -= value;
    for flow in [&mut cell.flow, &mut owner.flow] {
        flow.open[side] -= u64::from(quantity.0);
        flow.open_orders -= u64::from(is_gone);
    }
}
