//! An order that comes and takes what it reaches.

use spindle_risk::{Form, Holder, Market, Purpose};
use spindle_types::{InstrumentId, MatchNumber, OrderReference, Price, Quantity, Side};

use super::forest::Key;
use super::pools::price_of;
use super::{Incoming, Kind, Place};
use crate::book::{OrderKey, Slot};
use crate::command::{SelfTrade, SelfTradeMode};
use crate::engine::{Address, Engine};
use crate::event::{Basis, CancelReason, Liquidity, Outcome};
use crate::ledger::Booking;
use crate::own::{OwnOrder, Stay};
use crate::publication::Cause;

/// One side of a trade.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Execution {
    pub(crate) quantity: Quantity,
    pub(crate) price: Price,
    pub(crate) match_number: MatchNumber,
    pub(crate) liquidity: Liquidity,
    /// The market's order behind it.
    pub(crate) tape: Option<OrderReference>,
    pub(crate) basis: Basis,
}

impl Execution {
    /// The other side, which came and took, of an execution of an order that stood.
    const fn of_taker(self) -> Self {
        Self { liquidity: Liquidity::Removed, ..self }
    }

    /// Why the shares are not displayed any more.
    pub(crate) const fn cause(&self) -> Cause {
        let Self { match_number, price, .. } = *self;
        Cause::Executed { match_number, price, printable: true }
    }
}

impl Engine {
    /// The short way of an order that is nothing but a limit or a market order, at an instrument
    /// that has nothing but such orders on the other side: it walks the other side in price-time
    /// priority, at the resting orders' prices. Returns what is left of `open`.
    #[inline]
    pub(crate) fn take(
        &mut self,
        to: Address,
        order: &mut OwnOrder,
        mut open: Quantity,
        bound: Price,
    ) -> Quantity {
        let (instrument, side) = (order.instrument, order.side.book_side());
        let mut next = self.books.first(instrument, side.opposite());
        // Whether an order of the market stays in front of the next because all of it is taken.
        let mut passed = false;
        let mut last = None;
        while open.0 > 0
            && let Some(slot) = next
        {
            let price = self.books.price_of(slot);
            if !bound.reaches(side, price) {
                break;
            }
            let resting = *self.books.order(slot);
            let quantity = Quantity(resting.available()).min(open);
            let Some(index) = resting.own_index() else {
                next = self.books.behind(slot);
                passed = true;
                if !quantity.is_zero() {
                    if !self.may_take_from_tape() {
                        let holder = order.holder();
                        self.cancel_remainder(to, holder, open, CancelReason::Capacity);
                        open = Quantity::ZERO;
                        break;
                    }
                    let match_number = self.next_match();
                    open.0 -= quantity.0;
                    order.executed.0 += quantity.0;
                    let (liquidity, tape) = (Liquidity::Removed, resting.key().reference());
                    let basis = Basis::Queue;
                    let execution =
                        Execution { quantity, price, match_number, liquidity, tape, basis };
                    self.take_from_tape(instrument, slot, quantity, execution.cause());
                    self.tell_executed(to, order.holder(), execution, open);
                    last = Some(price);
                }
                continue;
            };
            let match_number = self.next_match();
            open.0 -= quantity.0;
            order.executed.0 += quantity.0;
            next = if passed { self.books.behind(slot) } else { None };
            let liquidity = Liquidity::Added;
            let (tape, basis) = (None, Basis::Queue);
            let execution = Execution { quantity, price, match_number, liquidity, tape, basis };
            let refilled = self.fill_own(index, execution);
            if !passed {
                next = self.books.first(instrument, side.opposite());
            } else if refilled && next.is_none_or(|next| !self.books.is_same_level(slot, next)) {
                next = Some(slot);
            }
            self.tell_executed(to, order.holder(), execution.of_taker(), open);
            last = Some(price);
        }
        if let (Some(last), Some(known)) = (last, self.instruments.get_mut(instrument)) {
            known.last_print = last.0;
        }
        open
    }

    /// A strategy takes shares of a market order.
    #[inline]
    pub(crate) fn take_from_tape(
        &mut self,
        instrument: InstrumentId,
        slot: Slot,
        by: Quantity,
        cause: Cause,
    ) {
        self.take_shares(instrument, slot, by);
        self.see_order(slot, cause);
        self.book(instrument, Booking::Taken, by.0);
        self.balance(instrument, Booking::Taken);
    }

    /// Whether this input may cause one more execution against an order of the market.
    #[inline]
    pub(crate) fn may_take_from_tape(&mut self) -> bool {
        let may = self.extras.tape_fills > 0;
        self.extras.tape_fills -= usize::from(may);
        may
    }

    /// Counts an execution and tells the session of its order, of which `open` shares are left.
    #[inline]
    pub(crate) fn tell_executed(
        &mut self,
        to: Address,
        holder: Holder,
        execution: Execution,
        open: Quantity,
    ) {
        let Execution { quantity, price, match_number, liquidity, tape, basis } = execution;
        self.gate.fill(&holder, quantity, price, open.is_zero(), self.time);
        if self.gate.has_tripped() {
            self.settle_at_the_end(holder.instrument);
        }
        self.counters.executions.add(1);
        self.counters.executed_shares.add(u64::from(quantity.0));
        let outcome =
            Outcome::Executed { quantity, price, open, liquidity, match_number, tape, basis };
        self.emit(to, outcome);
    }

    /// Executes shares of a strategy's order that stands, of an iceberg at most those it shows, and
    /// tells its session. An order without shares is gone. Returns whether the order shows new
    /// shares now, at the back of its level.
    #[inline(always)]
    pub(crate) fn fill_own(&mut self, index: u32, execution: Execution) -> bool {
        let quantity = execution.quantity;
        let own = self.own.get_mut(index);
        own.executed.0 += quantity.0;
        let (slot, special, holder) = (own.slot, own.special, own.holder());
        let to =
            Address { session: own.session, account: own.account, token: own.token, received: 0 };
        let left = self.books.order(slot).quantity() - quantity.0;
        let (open, refilled) = if special {
            self.fill_special(index, left, execution)
        } else if left == 0 {
            self.see_leaving(slot, execution.cause());
            self.own.remove(index);
            self.books.remove(slot);
            (0, false)
        } else {
            self.books.reduce(slot, quantity);
            self.see_order(slot, execution.cause());
            (left, false)
        };
        self.tell_executed(to, holder, execution, Quantity(open));
        refilled
    }

    /// What is left of an order that is not plain, of which `left` shares can still be traded
    /// against: its open shares, and whether it shows new ones.
    #[cold]
    fn fill_special(&mut self, index: u32, left: u32, execution: Execution) -> (u32, bool) {
        let reserve = self.extras.specials[index as usize].reserve;
        let own = self.own.get(index);
        let (slot, instrument) = (own.slot, own.instrument);
        if self.books.is_parked(slot) {
            let Execution { quantity, price, match_number, .. } = execution;
            self.see_hidden_execution(instrument, quantity, price, match_number);
        }
        if left > 0 {
            self.resize(index, left, reserve);
            self.see_order(slot, execution.cause());
            return (left + reserve, false);
        }
        if reserve == 0 {
            self.discard(index, execution.cause());
            return (0, false);
        }
        self.see_leaving(slot, execution.cause());
        let side = self.own.get(index).side.book_side();
        self.next_slice(index, slot, (instrument, side), reserve);
        (reserve, true)
    }

    /// An iceberg with so many open shares, of which nobody sees any, shows its next slice at the back of its level.
    pub(crate) fn next_slice(
        &mut self,
        index: u32,
        slot: Slot,
        (instrument, side): (InstrumentId, Side),
        open: u32,
    ) {
        let slice = self.extras.specials[index as usize].display.min(open);
        self.extras.specials[index as usize].time = self.extras.tick();
        self.books.requeue(slot, Quantity(slice));
        self.reweigh(index, instrument, side, slice, open - slice);
        self.see_order(slot, Cause::Canceled);
    }

    /// The best prices by which an order is judged: displayed ones, hidden where there are none.
    #[inline]
    pub(crate) fn market(&self, instrument: InstrumentId) -> Market {
        let price = |side| match self.books.best(instrument, side) {
            Some(best) => Some(best.price),
            None => self.best_with_hidden(instrument, side),
        };
        let known = self.instruments.get(instrument);
        Market {
            bid: price(Side::Buy),
            ask: price(Side::Sell),
            last: (known.last_print > 0).then_some(Price(known.last_print)),
            tick: known.steps.tick.max(1),
        }
    }

    /// The furthest price at which an order may trade; `None` where there is nothing to trade with
    /// and nothing to take a protection from.
    #[inline]
    pub(crate) fn bound(&self, order: &OwnOrder, quantity: Quantity) -> Option<Price> {
        order.limit.get().or_else(|| {
            let market = self.market(order.instrument);
            let request = self.request(order, quantity, Form::Plain, Purpose::Enter);
            let unbounded = match request.side {
                Side::Buy => market.ask.map(|_| Price::MAX),
                Side::Sell => market.bid.map(|_| Price(0)),
            };
            self.gate.protection(&request, &market).or(unbounded)
        })
    }

    /// Why what is left of a market order is cancelled.
    pub(crate) fn why_no_more(&self, order: &OwnOrder) -> CancelReason {
        let opposite = order.side.book_side().opposite();
        match self.best_with_hidden(order.instrument, opposite) {
            Some(_) => CancelReason::Protection,
            None => CancelReason::NoLiquidity,
        }
    }

    /// A limit, market or market-to-limit order has its turn in continuous trading.
    pub(crate) fn arrive(&mut self, mut incoming: Incoming) {
        let to = incoming.address();
        let (instrument, side) = (incoming.order.instrument, incoming.side());
        if incoming.special.kind == Kind::MarketToLimit {
            let Some(best) = self.best_with_hidden(instrument, side.opposite()) else {
                let open = Quantity(incoming.open);
                let holder = incoming.order.holder();
                return self.cancel_remainder(to, holder, open, CancelReason::NoLiquidity);
            };
            incoming.special.kind = Kind::Plain;
            incoming.order.limit = Some(best).into();
        }
        let bound = self.bound(&incoming.order, Quantity(incoming.open));
        let minimum = std::mem::take(&mut incoming.special.minimum);
        let is_whole = incoming.order.stay == Stay::FillOrKill;
        let needed = if is_whole { incoming.open } else { minimum };
        if needed > 0 && bound.is_none_or(|bound| !self.reaches(&incoming, bound, needed)) {
            let reason =
                if is_whole { CancelReason::FillOrKill } else { CancelReason::MinimumQuantity };
            let holder = incoming.order.holder();
            return self.cancel_remainder(to, holder, Quantity(incoming.open), reason);
        }
        if let Some(bound) = bound {
            self.take_any(&mut incoming, bound);
        }
        if incoming.open > 0 {
            let (open, holder) = (Quantity(incoming.open), incoming.order.holder());
            match (incoming.order.limit.get(), incoming.order.stay) {
                (None, _) => {
                    let reason = self.why_no_more(&incoming.order);
                    self.cancel_remainder(to, holder, open, reason);
                }
                (Some(_), Stay::ImmediateOrCancel | Stay::FillOrKill) => {
                    self.cancel_remainder(to, holder, open, CancelReason::ImmediateOrCancel);
                }
                (Some(limit), _) => self.stand(incoming, limit),
            }
        }
        self.publish(instrument);
    }

    /// An order takes its place in the book.
    pub(crate) fn stand(&mut self, mut incoming: Incoming, price: Price) {
        let special = &mut incoming.special;
        special.price = price.0;
        let is_hidden = special.hidden || special.kind == Kind::Midpoint;
        special.place = if is_hidden { Place::Hidden } else { Place::Shown };
        self.lodge(incoming);
    }

    /// The group whose orders an order of this account does not trade with.
    #[inline]
    pub(crate) fn group_of(&self, account: spindle_types::AccountId) -> Option<SelfTrade> {
        self.extras.accounts.get(account.index()).and_then(|settings| settings.self_trade)
    }

    /// The first order of a side that has shares to trade, and its price.
    fn first_resting(&self, instrument: InstrumentId, side: Side) -> Option<(Slot, Price)> {
        let mut shown = self.books.first(instrument, side);
        while let Some(slot) = shown
            && self.books.order(slot).available() == 0
        {
            shown = self.books.behind(slot);
        }
        let shown = shown.map(|slot| (slot, self.books.price_of(slot)));
        let Some(hidden) = self.first_hidden(instrument, side) else {
            return shown;
        };
        let price = Price(price_of(side, self.extras.places.key(hidden).rank));
        match shown {
            Some((slot, best)) if !price.is_better(side, best) => Some((slot, best)),
            _ => Some((self.own.get(hidden).slot, price)),
        }
    }

    /// The long way: as [`Engine::take`], with hidden orders, self-trade prevention, and each trade
    /// a print that may elect stops.
    pub(crate) fn take_any(&mut self, incoming: &mut Incoming, bound: Price) {
        let (instrument, side) = (incoming.order.instrument, incoming.side());
        let group = self.group_of(incoming.order.account);
        let to = incoming.address();
        while incoming.open > 0
            && let Some((slot, price)) = self.first_resting(instrument, side.opposite())
        {
            if !bound.reaches(side, price) {
                return;
            }
            let resting = *self.books.order(slot);
            let own = resting.own_index();
            if let (Some(group), Some(index)) = (group, own)
                && self.group_of(self.own.get(index).account).map(|g| g.group) == Some(group.group)
            {
                self.prevent(incoming, index, group.mode);
                continue;
            }
            let quantity = Quantity(resting.available().min(incoming.open));
            if own.is_none() && !self.may_take_from_tape() {
                let open = Quantity(std::mem::take(&mut incoming.open));
                let holder = incoming.order.holder();
                return self.cancel_remainder(to, holder, open, CancelReason::Capacity);
            }
            let match_number = self.next_match();
            incoming.open -= quantity.0;
            incoming.order.executed.0 += quantity.0;
            let (liquidity, tape) = (Liquidity::Added, resting.key().reference());
            let basis = Basis::Queue;
            let execution = Execution { quantity, price, match_number, liquidity, tape, basis };
            match own {
                Some(index) => {
                    self.fill_own(index, execution);
                }
                None => {
                    self.take_from_tape(instrument, slot, quantity, execution.cause());
                }
            }
            let (holder, open) = (incoming.order.holder(), Quantity(incoming.open));
            self.tell_executed(to, holder, execution.of_taker(), open);
            self.print(instrument, price);
        }
    }

    /// An order would trade with a resting one of its group.
    #[cold]
    fn prevent(&mut self, incoming: &mut Incoming, index: u32, mode: SelfTradeMode) {
        let to = incoming.address();
        let reason = CancelReason::SelfTrade;
        if matches!(mode, SelfTradeMode::CancelOldest | SelfTradeMode::CancelBoth) {
            self.cancel_own(index, reason, 0);
        }
        if matches!(mode, SelfTradeMode::CancelNewest | SelfTradeMode::CancelBoth) {
            let quantity = Quantity(std::mem::take(&mut incoming.open));
            self.cancel_remainder(to, incoming.order.holder(), quantity, reason);
        }
        if mode == SelfTradeMode::DecrementAndCancel {
            let resting = self.open_of(index);
            let by = resting.min(incoming.open);
            if by == resting {
                self.cancel_own(index, reason, 0);
            } else {
                let own = *self.own.get(index);
                self.reduce_open(index, by);
                let (session, account, token) = (own.session, own.account, own.token);
                let to = Address { session, account, token, received: 0 };
                let (quantity, open) = (Quantity(by), Quantity(resting - by));
                self.gate.release(&own.holder(), quantity, false);
                self.emit(to, Outcome::Canceled { quantity, open, reason });
            }
            incoming.open -= by;
            let (quantity, open) = (Quantity(by), Quantity(incoming.open));
            self.gate.release(&incoming.order.holder(), quantity, open.is_zero());
            self.emit(to, Outcome::Canceled { quantity, open, reason });
        }
    }

    /// Whether an order can trade this many shares at once, as far as `bound`. Reserves of icebergs
    /// come up behind everything displayed at their price, and are counted there.
    fn reaches(&self, incoming: &Incoming, bound: Price, needed: u32) -> bool {
        let (instrument, side) = (incoming.order.instrument, incoming.side());
        let opposite = side.opposite();
        let group = self.group_of(incoming.order.account);
        let mut shown = self.books.first(instrument, opposite);
        let mut hidden = self.first_hidden(instrument, opposite);
        let mut left = u64::from(needed);
        let (mut level, mut reserves) = (None, 0);
        loop {
            let shown_price = shown.map(|slot| self.books.price_of(slot));
            let hidden_key = hidden.map(|index| self.extras.places.key(index));
            let hidden_price = hidden_key.map(|key: Key| Price(price_of(opposite, key.rank)));
            let takes_hidden = match (shown_price, hidden_price) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(shown), Some(hidden)) => hidden.is_better(opposite, shown),
            };
            if takes_hidden || shown_price != level {
                left = left.saturating_sub(std::mem::take(&mut reserves));
                level = shown_price;
                if left == 0 {
                    return true;
                }
            }
            let (own, shares, price) = if takes_hidden {
                let index = hidden;
                let set = self.extras.pools[instrument.index()].hidden[opposite.index()];
                hidden = hidden_key.and_then(|key| self.extras.places.after(set, key));
                (index, index.map_or(0, |index| self.open_of(index)), hidden_price)
            } else {
                let Some(slot) = shown else {
                    return false;
                };
                let order = self.books.order(slot);
                shown = self.books.behind(slot);
                (order.own_index(), order.available(), shown_price)
            };
            if price.is_none_or(|price| !bound.reaches(side, price)) {
                return false;
            }
            if let (Some(group), Some(index)) = (group, own)
                && self.group_of(self.own.get(index).account).map(|g| g.group) == Some(group.group)
            {
                if group.mode == SelfTradeMode::CancelOldest {
                    continue;
                }
                return false;
            }
            if let (Some(index), false) = (own, takes_hidden) {
                reserves += u64::from(self.open_of(index) - shares);
            }
            left = left.saturating_sub(shares.into());
            if left == 0 {
                return true;
            }
        }
    }

    pub(crate) fn cancel_remainder(
        &mut self,
        to: Address,
        holder: Holder,
        quantity: Quantity,
        reason: CancelReason,
    ) {
        self.gate.release(&holder, quantity, true);
        self.emit(to, Outcome::Canceled { quantity, open: Quantity::ZERO, reason });
    }

    /// An order with this number of the session, if one is open: its index.
    #[inline]
    pub(crate) fn find_own(&self, key: OrderKey) -> Option<u32> {
        self.books.find(key).and_then(|slot| self.books.order(slot).own_index())
    }
}
