//! What a command of a strategy does.

use spindle_feed::event::TradingState;
use spindle_risk::{Market, Reject, Request};
use spindle_types::{InstrumentId, MatchNumber, Price, Quantity, Side};

use crate::book::{OrderKey, Placement, Slot};
use crate::command::{Action, Cancel, Command, Enter, Priority, Refuse, Replace, TimeInForce};
use crate::engine::{Address, Engine};
use crate::event::{CancelReason, Liquidity, Outcome, RejectReason};
use crate::own::OwnOrder;
use crate::probe::{Probe, Step};

/// A refusal with what was allowed and what was asked.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    reason: RejectReason,
    limit: u64,
    observed: u64,
}

impl From<RejectReason> for Refusal {
    fn from(reason: RejectReason) -> Self {
        Self { reason, limit: 0, observed: 0 }
    }
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        let Reject { check, limit, observed } = reject;
        Self { reason: RejectReason::Risk(check), limit, observed }
    }
}

impl Engine {
    /// Carries out one command and answers it.
    pub fn on_command<P: Probe>(&mut self, command: &Command, probe: &mut P) {
        self.time = command.time;
        self.counters.commands += 1;
        let to = |token| Address {
            session: command.session,
            account: command.account,
            token,
            received: command.received,
        };
        match &command.action {
            Action::Enter(enter) => self.enter(to(enter.token), enter, probe),
            Action::Replace(replace) => self.replace(to(replace.token), replace, probe),
            Action::Cancel(cancel) => self.cancel(to(cancel.token), cancel),
            Action::Refuse(refuse) => self.refuse(to(refuse.token), refuse),
        }
        probe.passed(Step::Match);
    }

    fn enter<P: Probe>(&mut self, to: Address, enter: &Enter, probe: &mut P) {
        let decision = self.admit(to, enter);
        probe.passed(Step::Risk);
        let instrument = match decision {
            Ok(instrument) => instrument,
            Err(refusal) => return self.reject(to, refusal, enter.attributes),
        };
        let reference = self.next_reference();
        self.counters.accepted += 1;
        self.emit(
            to,
            Outcome::Accepted {
                reference,
                symbol: enter.symbol,
                side: enter.side,
                quantity: enter.quantity,
                limit: enter.limit,
                time_in_force: enter.time_in_force,
                live: true,
                attributes: enter.attributes,
            },
        );
        let order = OwnOrder {
            session: to.session,
            account: to.account,
            token: to.token,
            instrument,
            side: enter.side,
            limit: enter.limit,
            time_in_force: enter.time_in_force,
            reference,
            executed: Quantity::ZERO,
            slot: 0,
            attributes: enter.attributes,
        };
        self.match_and_rest(to, order, enter.quantity);
    }

    /// Whether a new order may go, and for which instrument.
    fn admit(&self, to: Address, enter: &Enter) -> Result<InstrumentId, Refusal> {
        let Some(instrument) = self.instruments.find(enter.symbol) else {
            return Err(RejectReason::UnknownInstrument.into());
        };
        self.admit_state(instrument)?;
        if enter.quantity.is_zero() {
            return Err(RejectReason::InvalidQuantity.into());
        }
        if enter.limit == Some(Price(0)) {
            return Err(RejectReason::InvalidPrice.into());
        }
        if self.books.find(OrderKey::own(to.session, to.token)).is_some() {
            return Err(RejectReason::DuplicateToken.into());
        }
        let request = Request {
            account: to.account,
            side: enter.side.book_side(),
            quantity: enter.quantity,
            limit: enter.limit,
            replaces: false,
        };
        self.gate.check(&request, &self.market(instrument))?;
        if self.own.is_full() || !self.books.has_room() {
            return Err(RejectReason::Capacity.into());
        }
        Ok(instrument)
    }

    fn admit_state(&self, instrument: InstrumentId) -> Result<(), Refusal> {
        if self.is_closed() {
            return Err(RejectReason::Closed.into());
        }
        let known = self.instruments.get(instrument);
        if known.stale || self.gap_open {
            return Err(RejectReason::Stale.into());
        }
        if known.trading != TradingState::Trading {
            return Err(RejectReason::Halted.into());
        }
        Ok(())
    }

    fn market(&self, instrument: InstrumentId) -> Market {
        let price = |side| self.books.best(instrument, side).map(|best| best.price);
        Market { bid: price(Side::Buy), ask: price(Side::Sell) }
    }

    /// Rules 1 and 2: an order that crosses walks the other side in price-time priority, at the
    /// resting orders' prices; what is left rests behind everything at its price, or is cancelled.
    fn match_and_rest(&mut self, to: Address, order: OwnOrder, quantity: Quantity) {
        let (instrument, side) = (order.instrument, order.side.book_side());
        let request =
            Request { account: to.account, side, quantity, limit: order.limit, replaces: false };
        let market = self.market(instrument);
        let bound = order.limit.or_else(|| self.gate.protection(&request, &market));
        let mut order = order;
        let open = match bound {
            Some(bound) => self.take_liquidity(to, &mut order, quantity, bound),
            None => quantity,
        };
        match (order.limit, order.time_in_force) {
            _ if open.is_zero() => {}
            (Some(limit), TimeInForce::Day) => self.rest(to, order, open, limit),
            (Some(_), TimeInForce::ImmediateOrCancel) => {
                self.cancel_remainder(to, open, CancelReason::ImmediateOrCancel);
            }
            (None, _) => self.cancel_remainder(to, open, CancelReason::Protection),
        }
        self.publish(instrument);
    }

    fn cancel_remainder(&mut self, to: Address, quantity: Quantity, reason: CancelReason) {
        self.emit(to, Outcome::Canceled { quantity, open: Quantity::ZERO, reason });
    }

    /// Trades `open` shares against the other side as far as `bound`. Returns what is left.
    fn take_liquidity(
        &mut self,
        to: Address,
        order: &mut OwnOrder,
        mut open: Quantity,
        bound: Price,
    ) -> Quantity {
        let (instrument, side) = (order.instrument, order.side.book_side());
        let mut next = self.books.first(instrument, side.opposite());
        while open.0 > 0
            && let Some(slot) = next
        {
            let price = self.books.price_of(slot);
            if !bound.reaches(side, price) {
                break;
            }
            next = self.books.behind(slot);
            let resting = *self.books.order(slot);
            let quantity = Quantity(resting.available()).min(open);
            if quantity.is_zero() {
                continue;
            }
            let match_number = self.next_match();
            if resting.is_own() {
                self.fill_resting(slot, quantity, price, match_number);
            } else {
                self.books.take(slot, quantity);
                self.divergence.taken += u64::from(quantity.0);
            }
            open.0 -= quantity.0;
            order.executed.0 += quantity.0;
            self.counters.executions += 1;
            self.counters.executed_shares += u64::from(quantity.0);
            let liquidity = Liquidity::Removed;
            self.emit(to, Outcome::Executed { quantity, price, open, liquidity, match_number });
        }
        open
    }

    /// Puts an order into the book. The tables have room, as was asked before the order was
    /// accepted; should a book refuse it all the same, the order is cancelled and its session told.
    fn rest(&mut self, to: Address, mut order: OwnOrder, open: Quantity, limit: Price) {
        let key = OrderKey::own(to.session, to.token);
        let side = order.side.book_side();
        let index = self.own.next_index();
        let (instrument, quantity, price) = (order.instrument, open, limit);
        let placement = Placement { instrument, side, quantity, price };
        match self.books.add(key, &placement, Some(index)) {
            Ok(placed) => {
                order.slot = placed.slot;
                self.own.insert(order);
                self.gate.opened(to.account);
            }
            Err(_) => self.cancel_remainder(to, open, CancelReason::Capacity),
        }
    }

    fn replace<P: Probe>(&mut self, to: Address, replace: &Replace, probe: &mut P) {
        let original_key = OrderKey::own(to.session, replace.original);
        let taken_token = self.books.find(OrderKey::own(to.session, replace.token)).is_some();
        let found = self.books.find(original_key).filter(|_| !taken_token);
        let own_index = found.and_then(|slot| self.books.order(slot).own_index());
        let (Some(slot), Some(index)) = (found, own_index) else {
            probe.passed(Step::Risk);
            return self.emit(to, Outcome::ReplaceRejected { original: replace.original });
        };
        let original = *self.own.get(index);
        let attributes = replace.attributes.or(original.attributes);
        let open = replace.quantity.0.saturating_sub(original.executed.0);
        if open == 0 || replace.limit == Some(Price(0)) {
            probe.passed(Step::Risk);
            return self.cancel_resting(slot, CancelReason::InvalidReplace, to.received);
        }
        let open = Quantity(open);
        let decision = self.admit_replacement(to, replace, &original, open);
        probe.passed(Step::Risk);
        if let Err(refusal) = decision {
            return self.reject(to, refusal, attributes);
        }
        let order = OwnOrder {
            token: to.token,
            limit: replace.limit,
            time_in_force: replace.time_in_force,
            reference: self.next_reference(),
            attributes,
            ..original
        };
        self.counters.accepted += 1;
        self.emit(
            to,
            Outcome::Replaced {
                original: replace.original,
                reference: order.reference,
                symbol: self.instruments.get(order.instrument).symbol,
                side: order.side,
                quantity: open,
                limit: order.limit,
                time_in_force: order.time_in_force,
                attributes,
            },
        );
        let before = self.books.order(slot).quantity();
        let keeps_place = replace.priority == Priority::KeepWhenReduced
            && replace.time_in_force == TimeInForce::Day
            && order.limit == original.limit
            && open.0 <= before;
        if keeps_place {
            self.rename(slot, index, order, Quantity(before - open.0));
        } else {
            self.gate.closed(original.account);
            self.own.remove(index);
            self.books.remove(slot);
            self.match_and_rest(to, order, open);
        }
    }

    /// Whether a replacement may go. Its own original does not count among the open orders.
    fn admit_replacement(
        &self,
        to: Address,
        replace: &Replace,
        original: &OwnOrder,
        open: Quantity,
    ) -> Result<(), Refusal> {
        self.admit_state(original.instrument)?;
        let request = Request {
            account: to.account,
            side: original.side.book_side(),
            quantity: open,
            limit: replace.limit,
            replaces: true,
        };
        Ok(self.gate.check(&request, &self.market(original.instrument))?)
    }

    /// Gives a resting order its new token, takes shares off and leaves it in its place.
    fn rename(&mut self, slot: Slot, index: u32, order: OwnOrder, by: Quantity) {
        let key = OrderKey::own(order.session, order.token);
        self.books.rekey(slot, key);
        *self.own.get_mut(index) = OwnOrder { slot, ..order };
        if by.0 > 0 && self.books.reduce(slot, by) {
            self.publish(order.instrument);
        }
    }

    fn cancel(&mut self, to: Address, cancel: &Cancel) {
        let found = self.books.find(OrderKey::own(to.session, to.token));
        let own_index = found.and_then(|slot| self.books.order(slot).own_index());
        let (Some(slot), Some(index)) = (found, own_index) else {
            return self.emit(to, Outcome::CancelRejected);
        };
        let executed = self.own.get(index).executed.0;
        let open = self.books.order(slot).quantity();
        let intended = cancel.quantity.0.saturating_sub(executed);
        if cancel.quantity.0 != 0 && intended >= open {
            return self.emit(to, Outcome::CancelRejected);
        }
        if intended == 0 {
            return self.cancel_resting(slot, CancelReason::UserRequest, to.received);
        }
        let instrument = self.books.order(slot).instrument();
        let quantity = Quantity(open - intended);
        if self.books.reduce(slot, quantity) {
            self.publish(instrument);
        }
        let (open, reason) = (Quantity(intended), CancelReason::UserRequest);
        self.emit(to, Outcome::Canceled { quantity, open, reason });
    }

    /// Executes shares of a strategy's resting order and tells its session; an order without shares
    /// leaves the book.
    pub(crate) fn fill_resting(
        &mut self,
        slot: Slot,
        quantity: Quantity,
        price: Price,
        match_number: MatchNumber,
    ) {
        let order = self.books.order(slot);
        let open = Quantity(order.quantity() - quantity.0);
        let Some(index) = order.own_index() else {
            debug_assert!(false, "a market order is taken, not filled");
            return;
        };
        let own = self.own.get_mut(index);
        own.executed.0 += quantity.0;
        let to =
            Address { session: own.session, account: own.account, token: own.token, received: 0 };
        if open.is_zero() {
            self.gate.closed(to.account);
            self.own.remove(index);
            self.books.remove(slot);
        } else {
            self.books.reduce(slot, quantity);
        }
        self.counters.executions += 1;
        self.counters.executed_shares += u64::from(quantity.0);
        let liquidity = Liquidity::Added;
        self.emit(to, Outcome::Executed { quantity, price, open, liquidity, match_number });
    }

    /// Takes a resting order of a strategy out and tells its session.
    pub(crate) fn cancel_resting(&mut self, slot: Slot, reason: CancelReason, received: u64) {
        let order = *self.books.order(slot);
        let Some(index) = order.own_index() else {
            debug_assert!(false, "the market's orders are cancelled by the tape");
            return;
        };
        let own = *self.own.get(index);
        self.own.remove(index);
        self.gate.closed(own.account);
        if self.books.remove(slot) {
            self.publish(own.instrument);
        }
        let to = Address { session: own.session, account: own.account, token: own.token, received };
        let (quantity, open) = (Quantity(order.quantity()), Quantity::ZERO);
        self.emit(to, Outcome::Canceled { quantity, open, reason });
    }

    fn refuse(&mut self, to: Address, refuse: &Refuse) {
        let refusal = Refusal { reason: refuse.reason, limit: 0, observed: refuse.observed };
        self.reject(to, refusal, refuse.attributes);
    }

    fn reject(&mut self, to: Address, refusal: Refusal, attributes: crate::command::Attributes) {
        let Refusal { reason, limit, observed } = refusal;
        self.counters.rejected += 1;
        self.emit(to, Outcome::Rejected { reason, limit, observed, attributes });
    }
}
