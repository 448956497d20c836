//! What a command of a strategy does.

use spindle_risk::{Admission, Form, Purpose, Request, Reserved};
use spindle_types::{EventTime, InstrumentId, Price, Quantity};

use crate::book::{OrderKey, Placement};
use crate::command::{
    Action, Attributes, Cancel, Command, Enter, Modifiers, OrderKind, Priority, Refuse, Replace,
    TimeInForce, TradingPhase,
};
use crate::engine::{Address, Engine};
use crate::event::{CancelReason, Outcome, RejectReason};
use crate::instruments::Instrument;
use crate::matching::admit::{Refusal, Terms, special_of};
use crate::matching::{Incoming, Kind, Place, Special, TAPE_FILLS_MAX, features};
use crate::own::{OwnOrder, Stay};
use crate::probe::{Probe, Step};
use crate::publication::Cause;

impl Engine {
    /// Carries out one command and answers it.
    pub fn on_command<P: Probe>(&mut self, command: &Command, probe: &mut P) {
        self.begin(command.time);
        self.counters.commands.add(1);
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
            Action::Modify(modify) => self.modify(to(modify.token), modify),
            Action::MassCancel(mass) => self.mass_cancel(to(mass.token), mass),
            Action::Refuse(refuse) => self.refuse(to(refuse.token), refuse),
        }
        self.finish();
        self.extras.tape_fills = TAPE_FILLS_MAX;
        probe.passed(Step::Match);
    }

    fn enter<P: Probe>(&mut self, to: Address, enter: &Enter, probe: &mut P) {
        let Some(instrument) = self.instruments.find(enter.symbol) else {
            probe.passed(Step::Risk);
            let refusal = RejectReason::UnknownInstrument.into();
            if enter.modifiers.check_only {
                return self.tell_checked(to, Err(refusal));
            }
            return self.reject(to, refusal, enter.attributes);
        };
        let known = self.instruments.get(instrument);
        let is_short = enter.kind == OrderKind::Plain
            && enter.modifiers == Modifiers::NONE
            && self.takes_short_way(known.features, to, enter.time_in_force);
        if !is_short {
            return self.enter_special(to, enter, instrument, &known, probe);
        }
        let request = Request {
            time: self.time,
            account: to.account,
            session: to.session,
            instrument,
            side: enter.side.book_side(),
            sale: enter.side.sale(),
            quantity: enter.quantity,
            limit: enter.limit,
            form: Form::Plain,
            purpose: Purpose::Enter,
            before: Reserved::default(),
        };
        let decision = self.admit(to, enter, &request, &known);
        probe.passed(Step::Risk);
        let admission = match decision {
            Ok(admission) => admission,
            Err(refusal) => {
                self.book_refused(instrument, refusal.reason, enter.quantity);
                return self.reject(to, refusal, enter.attributes);
            }
        };
        self.gate.reserve(&request, &admission);
        let order = self.accept(to, enter, instrument, enter.limit, admission.price);
        self.match_and_rest(to, order, enter.quantity);
    }

    /// A new order that does not take the short way.
    #[inline(never)]
    fn enter_special<P: Probe>(
        &mut self,
        to: Address,
        enter: &Enter,
        instrument: InstrumentId,
        known: &Instrument,
        probe: &mut P,
    ) {
        let dry = enter.modifiers.check_only;
        let enter = &Enter { time_in_force: enter.time_in_force.from(self.time), ..*enter };
        let decision = self.admit_special(to, enter, instrument, known, dry);
        probe.passed(Step::Risk);
        if dry {
            return self.tell_checked(to, decision.map(|(_, _, admission)| admission));
        }
        let (terms, request, admission) = match decision {
            Ok(decision) => decision,
            Err(refusal) => {
                self.book_refused(instrument, refusal.reason, enter.quantity);
                return self.reject(to, refusal, enter.attributes);
            }
        };
        self.gate.reserve(&request, &admission);
        let order = self.accept(to, enter, instrument, terms.limit, admission.price);
        let mut special = terms.special;
        (special.time, special.expiry) = (order.entry, expiry_of(enter.time_in_force));
        let (open, received) = (enter.quantity.0, to.received);
        self.come(Incoming { order, special, open, received });
    }

    /// Whether a new order of any kind may go; `dry` leaves no trace in the risk gate.
    fn admit_special(
        &mut self,
        to: Address,
        enter: &Enter,
        instrument: InstrumentId,
        known: &Instrument,
        dry: bool,
    ) -> Result<(Terms, Request, Admission), Refusal> {
        let mut terms = Terms {
            account: to.account,
            session: to.session,
            side: enter.side,
            total: enter.quantity,
            open: enter.quantity,
            limit: enter.limit,
            time_in_force: enter.time_in_force,
            special: special_of(enter.kind, &enter.modifiers),
            before: Reserved::default(),
            replaces: false,
            keeps_place: false,
        };
        self.admit_state(known)?;
        self.admit_terms(known, &terms)?;
        self.admit_token(to)?;
        self.admit_market(instrument, known, &mut terms)?;
        let request = self.terms_request(instrument, known, &terms);
        self.admit_refills(&terms)?;
        self.admit_capacity()?;
        let admission = self.admit_risk(&request, dry)?;
        Ok((terms, request, admission))
    }

    /// Says what would become of a new order.
    fn tell_checked(&mut self, to: Address, decision: Result<Admission, Refusal>) {
        let (refused, limit, observed) = match decision {
            Ok(admission) => (None, 0, admission.price.0.into()),
            Err(Refusal { reason, limit, observed }) => (Some(reason), limit, observed),
        };
        self.emit(to, Outcome::Checked { refused, limit, observed });
    }

    /// Tells that an order is accepted.
    #[inline]
    fn accept(
        &mut self,
        to: Address,
        enter: &Enter,
        instrument: InstrumentId,
        limit: Option<Price>,
        valued: Price,
    ) -> OwnOrder {
        let reference = self.next_reference();
        self.see_accepted(OrderKey::own(to.session, to.token), reference);
        self.counters.accepted.add(1);
        self.emit(
            to,
            Outcome::Accepted {
                reference,
                symbol: enter.symbol,
                side: enter.side,
                quantity: enter.quantity,
                limit,
                time_in_force: enter.time_in_force,
                live: true,
                attributes: enter.attributes,
            },
        );
        OwnOrder {
            session: to.session,
            account: to.account,
            token: to.token,
            instrument,
            side: enter.side,
            special: false,
            limit: limit.into(),
            valued,
            stay: Stay::of(enter.time_in_force),
            executed: Quantity::ZERO,
            slot: 0,
            entry: self.extras.tick(),
            attributes: enter.attributes,
        }
    }

    /// Whether a new order that takes the short way may go.
    #[inline]
    fn admit(
        &mut self,
        to: Address,
        enter: &Enter,
        request: &Request,
        known: &Instrument,
    ) -> Result<Admission, Refusal> {
        self.admit_state(known)?;
        Self::admit_size_and_limit(known, enter.quantity, enter.limit)?;
        self.admit_token(to)?;
        self.admit_short_sale(request.instrument, known, enter.side, enter.limit)?;
        self.admit_capacity()?;
        self.admit_risk(request, false)
    }

    #[inline]
    fn admit_token(&self, to: Address) -> Result<(), Refusal> {
        match self.books.find(OrderKey::own(to.session, to.token)) {
            Some(_) => Err(RejectReason::DuplicateToken.into()),
            None => Ok(()),
        }
    }

    #[inline]
    fn admit_capacity(&self) -> Result<(), Refusal> {
        if self.own.is_full() || !self.books.has_room() {
            return Err(self.why_no_room());
        }
        Ok(())
    }

    /// Of the table that is full, how many it holds, and that it would be one more.
    #[cold]
    fn why_no_room(&self) -> Refusal {
        let most = if self.own.is_full() { self.own.capacity() } else { self.books.most() } as u64;
        Refusal { reason: RejectReason::Capacity, limit: most, observed: most + 1 }
    }

    /// Whether a plain order takes the short way: nothing at the instrument asks for more, nor its
    /// account, nor its time in force.
    #[inline]
    fn takes_short_way(&self, features: u16, to: Address, time_in_force: TimeInForce) -> bool {
        features & features::COMPLEX == 0
            && matches!(time_in_force, TimeInForce::Day | TimeInForce::ImmediateOrCancel)
            && self.group_of(to.account).is_none()
    }

    /// Rules 1 and 2: an order that crosses walks the other side in price-time priority, at the
    /// resting orders' prices; what is left rests behind everything at its price, or is cancelled.
    fn match_and_rest(&mut self, to: Address, mut order: OwnOrder, quantity: Quantity) {
        let instrument = order.instrument;
        let open = match self.bound(&order, quantity) {
            Some(bound) => self.take(to, &mut order, quantity, bound),
            None => quantity,
        };
        match (order.limit.get(), order.stay) {
            _ if open.is_zero() => {}
            (None, _) => {
                let reason = self.why_no_more(&order);
                self.cancel_remainder(to, order.holder(), open, reason);
            }
            (Some(_), Stay::ImmediateOrCancel) => {
                self.cancel_remainder(to, order.holder(), open, CancelReason::ImmediateOrCancel);
            }
            (Some(limit), _) => self.rest(to, order, open, limit),
        }
        self.publish(instrument);
    }

    /// Puts a plain order into the book. The tables have room, as was asked before the order was
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
                order.special = false;
                self.own.insert(order);
                self.see_order(placed.slot, Cause::Canceled);
            }
            Err(_) => self.cancel_remainder(to, order.holder(), open, CancelReason::Capacity),
        }
    }

    /// An accepted order that does not take the short way goes where its kind and the phase send
    /// it.
    fn come(&mut self, mut incoming: Incoming) {
        let instrument = incoming.order.instrument;
        let phase = self.instruments.get(instrument).phase;
        let special = &mut incoming.special;
        match special.kind {
            Kind::Stop | Kind::Trailing => self.wait_for_print(incoming),
            Kind::Midpoint | Kind::Primary => {
                special.place = Place::Waiting;
                self.lodge(incoming);
            }
            _ if incoming.order.stay == Stay::AtClose => {
                special.place = Place::Close;
                self.lodge(incoming);
            }
            _ if incoming.order.stay == Stay::AtOpen && phase == TradingPhase::Continuous => {
                special.place = Place::Open;
                self.lodge(incoming);
            }
            _ if phase == TradingPhase::Continuous => self.arrive(incoming),
            _ => {
                let limit = incoming.order.limit.get();
                special.place = special.place_in_auction(limit.is_none());
                special.price = limit.map_or(0, |limit| limit.0);
                self.lodge(incoming);
                self.publish(instrument);
            }
        }
        self.touch(instrument);
    }

    fn replace<P: Probe>(&mut self, to: Address, replace: &Replace, probe: &mut P) {
        let is_taken = self.books.find(OrderKey::own(to.session, replace.token)).is_some();
        let found = self.find_own(OrderKey::own(to.session, replace.original));
        let Some(index) = found.filter(|_| !is_taken) else {
            probe.passed(Step::Risk);
            return self.emit(to, Outcome::ReplaceRejected { original: replace.original });
        };
        let original = *self.own.get(index);
        let to = Address { account: original.account, ..to };
        let attributes = replace.attributes.or(original.attributes);
        let open = replace.quantity.0.saturating_sub(original.executed.0);
        if open == 0 {
            probe.passed(Step::Risk);
            return self.cancel_own(index, CancelReason::InvalidReplace, to.received);
        }
        let before = self.open_of(index);
        let special = match original.special {
            true => self.extras.specials[index as usize],
            false => Special::PLAIN,
        };
        let before_in_force = original.stay.until(special.expiry);
        let time_in_force = replace.time_in_force.unwrap_or(before_in_force).from(self.time);
        let keeps_place = replace.priority == Priority::KeepWhenReduced
            && keeps_place(before_in_force, time_in_force)
            && replace.limit == original.limit.get()
            && open <= before;
        let mut terms = Terms {
            account: original.account,
            session: original.session,
            side: original.side,
            total: replace.quantity,
            open: Quantity(open),
            limit: replace.limit,
            time_in_force,
            special,
            before: original.reserved(before),
            replaces: true,
            keeps_place,
        };
        let known = self.instruments.get(original.instrument);
        let decision = self.admit_replacement(original.instrument, &known, &mut terms);
        probe.passed(Step::Risk);
        let (request, admission) = match decision {
            Ok(decision) => decision,
            Err(refusal) => {
                self.book_refused(original.instrument, refusal.reason, Quantity(open));
                return self.reject(to, refusal, attributes);
            }
        };
        self.gate.reserve(&request, &admission);
        let order = OwnOrder {
            token: to.token,
            limit: terms.limit.into(),
            valued: admission.price,
            stay: Stay::of(time_in_force),
            attributes,
            ..original
        };
        let reference = self.next_reference();
        self.see_accepted(OrderKey::own(to.session, to.token), reference);
        self.counters.accepted.add(1);
        self.emit(
            to,
            Outcome::Replaced {
                original: replace.original,
                reference,
                symbol: known.symbol,
                side: order.side,
                quantity: Quantity(open),
                limit: order.limit.get(),
                time_in_force,
                attributes,
            },
        );
        if keeps_place {
            self.rename(index, order, before - open, expiry_of(time_in_force));
            self.touch(order.instrument);
            return;
        }
        let is_elected =
            original.special && self.extras.specials[index as usize].place == Place::Elected;
        let mut incoming = self.lift(index, Cause::Replaced);
        let entry = self.extras.tick();
        incoming.order = OwnOrder { entry, ..order };
        (incoming.special.time, incoming.special.expiry) = (entry, expiry_of(time_in_force));
        incoming.open = open;
        incoming.received = to.received;
        if is_elected {
            incoming.special.place = Place::Elected;
            self.lodge(incoming);
            return self.touch(order.instrument);
        }
        let is_short = !original.special && self.takes_short_way(known.features, to, time_in_force);
        if is_short {
            self.match_and_rest(to, incoming.order, Quantity(open));
        } else {
            self.come(incoming);
            self.publish(order.instrument);
        }
    }

    /// Whether a replacement may come.
    fn admit_replacement(
        &mut self,
        instrument: InstrumentId,
        known: &Instrument,
        terms: &mut Terms,
    ) -> Result<(Request, Admission), Refusal> {
        self.admit_state(known)?;
        self.admit_terms(known, terms)?;
        self.admit_market(instrument, known, terms)?;
        let request = self.terms_request(instrument, known, terms);
        self.admit_refills(terms)?;
        let admission = self.admit_risk(&request, false)?;
        Ok((request, admission))
    }

    /// Gives a resting order its new token and time in force, takes shares off and leaves it in its
    /// place.
    fn rename(&mut self, index: u32, mut order: OwnOrder, by: u32, expiry: EventTime) {
        let before = *self.own.get(index);
        let key = OrderKey::own(order.session, order.token);
        self.books.rekey(before.slot, key);
        order.slot = before.slot;
        if before.special {
            self.unlink_expiry(index);
        } else if order.stay == Stay::GoodTillDate {
            let special = Special { time: order.entry, ..Special::PLAIN };
            self.extras.specials[index as usize] = special;
            order.special = true;
        }
        *self.own.get_mut(index) = order;
        if order.special {
            self.extras.specials[index as usize].expiry = expiry;
            self.link_expiry(index);
        }
        if self.reduce_open(index, by) {
            self.publish(order.instrument);
        }
    }

    fn cancel(&mut self, to: Address, cancel: &Cancel) {
        let Some(index) = self.find_own(OrderKey::own(to.session, to.token)) else {
            self.gate.message(to.account, to.session, None, self.time);
            return self.emit(to, Outcome::CancelRejected);
        };
        let own = self.own.get(index);
        let to = Address { account: own.account, ..to };
        let (executed, instrument, holder) = (own.executed.0, own.instrument, own.holder());
        self.gate.message(to.account, to.session, Some(instrument), self.time);
        let open = self.open_of(index);
        let intended = cancel.quantity.0.saturating_sub(executed);
        if cancel.quantity.0 != 0 && intended >= open {
            return self.emit(to, Outcome::CancelRejected);
        }
        if intended == 0 {
            return self.cancel_own(index, CancelReason::UserRequest, to.received);
        }
        let quantity = Quantity(open - intended);
        self.gate.release(&holder, quantity, false);
        if self.reduce_open(index, quantity.0) {
            self.publish(instrument);
        }
        self.touch(instrument);
        let (open, reason) = (Quantity(intended), CancelReason::UserRequest);
        self.emit(to, Outcome::Canceled { quantity, open, reason });
    }

    fn refuse(&mut self, to: Address, refuse: &Refuse) {
        let refusal = Refusal { reason: refuse.reason, limit: 0, observed: refuse.observed };
        self.reject(to, refusal, refuse.attributes);
    }

    pub(crate) fn reject(&mut self, to: Address, refusal: Refusal, attributes: Attributes) {
        let Refusal { reason, limit, observed } = refusal;
        self.counters.rejected.add(1);
        self.counters.rejects[reason.index()].add(1);
        if !matches!(reason, RejectReason::Risk(_)) {
            self.gate.message(to.account, to.session, None, self.time);
        } else if self.gate.has_tripped() {
            self.stop_at_the_end();
        }
        self.emit(to, Outcome::Rejected { reason, limit, observed, attributes });
    }
}

/// When an order expires, if it does.
fn expiry_of(time_in_force: TimeInForce) -> EventTime {
    match time_in_force {
        TimeInForce::GoodTillDate(time) => time,
        _ => EventTime(0),
    }
}

/// Whether an order can keep its place when this becomes its time in force.
fn keeps_place(before: TimeInForce, after: TimeInForce) -> bool {
    let stays = |time_in_force| {
        matches!(
            time_in_force,
            TimeInForce::Day | TimeInForce::GoodTillCancel | TimeInForce::GoodTillDate(_)
        )
    };
    before == after || (stays(before) && stays(after))
}
