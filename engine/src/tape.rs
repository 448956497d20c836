//! What a message of the market does: to the books as the tape says, and to strategies' orders by
//! the fill rules.

use spindle_feed::event::{MarketAction, MarketEvent};
use spindle_feed::state::WholeState;
use spindle_feed::top::TopState;
use spindle_types::{
    EventTime, InstrumentId, OrderReference, Price, Quantity, Sequence, Side, Symbol,
};

use crate::RULES;
use crate::book::{BookError, OrderKey, Placement, Slot};
use crate::command::TradingPhase;
use crate::engine::Engine;
use crate::event::{Basis, CancelReason, Change, Liquidity, StaleCause};
use crate::ledger::Booking;
use crate::matching::Execution;
use crate::publication::Cause;

impl Engine {
    /// Applies one message of the market, the `sequence`th of its stream.
    pub fn on_market(&mut self, event: &MarketEvent, sequence: Sequence) {
        self.begin_message(event.time, sequence);
        let instrument = event.instrument;
        match event.action {
            MarketAction::Add { reference, side, quantity, price, symbol } => {
                let placement = Placement { instrument, side, quantity, price };
                self.on_add(reference, &placement, symbol, 0);
            }
            MarketAction::Execute { reference, quantity, .. } => {
                self.on_execute(instrument, reference, quantity, None, true);
            }
            MarketAction::ExecuteAt { reference, quantity, price, printable, .. } => {
                self.on_execute(instrument, reference, quantity, Some(price), printable);
            }
            MarketAction::Reduce { reference, quantity } => {
                self.on_reduce(instrument, reference, quantity);
            }
            MarketAction::Delete { reference } => self.on_delete(instrument, reference),
            MarketAction::Replace { reference, new_reference, quantity, price } => {
                self.on_replace(instrument, reference, new_reference, quantity, price);
            }
            MarketAction::Trade { quantity, price, .. } => {
                self.on_trade(instrument, quantity, price);
            }
            MarketAction::Directory { symbol, .. } => self.on_directory(instrument, symbol),
            MarketAction::Status { state, reason } => self.on_status(instrument, state, reason),
            MarketAction::State(change) => self.on_state(instrument, change),
            MarketAction::Phase { phase } => self.on_phase(phase),
            MarketAction::Cross { quantity, price, kind, .. } => {
                self.on_cross(instrument, quantity, price, kind);
            }
            MarketAction::Imbalance(imbalance) => self.on_imbalance(instrument, imbalance),
            MarketAction::Other => {}
        }
        self.finish();
    }

    /// A message of the market begins.
    #[inline]
    pub(crate) fn begin_message(&mut self, time: EventTime, sequence: Sequence) {
        self.begin(time);
        self.market_sequence = sequence;
        self.counters.market_messages.add(1);
    }

    /// Messages are missing and awaited, or no longer: while they are, no book is up to date, every
    /// top of book says so, and no order is taken.
    pub fn on_gap(&mut self, is_open: bool) {
        self.gap_open = is_open;
        self.set_table_state();
    }

    /// Nothing has come from the market for too long, not even a heartbeat, or it speaks again:
    /// while it is silent, every top of book is stale and no order is taken.
    pub fn on_silence(&mut self, is_silent: bool) {
        self.feed_silent = is_silent;
        self.set_table_state();
        if is_silent {
            self.feed_failed();
        }
    }

    fn set_table_state(&mut self) {
        let stale = self.gap_open || self.feed_silent;
        self.tops.set_table_state(if stale { TopState::Stale } else { TopState::Good });
        if !stale {
            self.touch_all();
            self.finish();
        }
    }

    /// A new session of the market's stream begins: what was known of the market is void. Strategies'
    /// orders of the session before are cancelled. Takes as long as writing all tables once, which
    /// nothing else on this thread does.
    pub fn on_session_start(&mut self) {
        if self.market_sequence == Sequence(0) {
            return;
        }
        self.cancel_in_order(CancelReason::EndOfDay, |_, _| true);
        self.void_ledgers();
        self.books.clear();
        self.see_cleared();
        self.instruments.clear();
        self.gate.new_day();
        #[cfg(feature = "verify")]
        self.verify_anew();
        self.extras.clear();
        self.forget_anchors();
        self.phase = None;
        self.whole = WholeState::default();
        self.market_sequence = Sequence(0);
        self.tops.set_all_states(TopState::Stale);
    }

    /// Messages were lost: no book is known to be the market's any more. One is again when the
    /// session's first word of its instrument is its directory message, before which no order of
    /// it can have been; all are in a new session.
    pub fn on_loss(&mut self) {
        let mut is_news = false;
        for number in 0..self.books.instruments() {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            let instrument = InstrumentId(number as u16);
            is_news |= self.keep_stale(instrument, StaleCause::Loss)
                && self.instruments.is_known(instrument);
        }
        if is_news {
            self.announce(Symbol::BLANK, Change::Stale(StaleCause::Loss));
        }
        self.feed_failed();
        self.finish();
    }

    /// Messages were lost that concern this instrument alone.
    pub fn on_loss_at(&mut self, instrument: InstrumentId) {
        self.mark_stale(instrument, StaleCause::Loss);
        self.finish();
    }

    /// The day's directory names every instrument before its first order: the book of one that
    /// nothing was heard of before is empty for certain, whatever was lost.
    #[cold]
    fn on_directory(&mut self, instrument: InstrumentId, symbol: Symbol) {
        self.begin_book(instrument);
        self.learn(instrument, symbol);
    }

    /// The first word of an instrument: whatever was lost before, its book is empty.
    pub(crate) fn begin_book(&mut self, instrument: InstrumentId) {
        if let Some(known) = self.instruments.get_mut(instrument)
            && !known.known
        {
            known.stale = false;
            self.ledgers[instrument.index()].stale = None;
        }
    }

    #[cold]
    fn learn(&mut self, instrument: InstrumentId, symbol: Symbol) {
        if self.instruments.learn(instrument, symbol) {
            self.gate.learn(instrument, symbol);
            self.publish(instrument);
            self.see_directory(instrument);
        }
    }

    /// The book of an instrument is not known to be the market's any more. The first cause is told
    /// and stays.
    #[cold]
    fn mark_stale(&mut self, instrument: InstrumentId, cause: StaleCause) {
        if self.keep_stale(instrument, cause) {
            self.announce_at(instrument, Change::Stale(cause));
        }
    }

    /// Keeps that a book is stale, and why; whether that is news.
    fn keep_stale(&mut self, instrument: InstrumentId, cause: StaleCause) -> bool {
        let Some(known) = self.instruments.get_mut(instrument) else {
            return false;
        };
        if std::mem::replace(&mut known.stale, true) {
            return false;
        }
        self.ledgers[instrument.index()].stale = Some(cause);
        self.tops.set_state(instrument, self.top_state(instrument));
        self.tape_changed(instrument);
        true
    }

    /// Rule 3: the order would have met strategies' orders that it reaches; they are filled first,
    /// and the order then stands as the tape says with that much taken. `taken` is what strategies
    /// took of the order that this one replaces.
    #[inline(always)]
    pub(crate) fn on_add(
        &mut self,
        reference: OrderReference,
        placement: &Placement,
        symbol: Symbol,
        taken: u32,
    ) {
        let Placement { instrument, side, quantity, price } = *placement;
        let placed = OrderKey::market(reference).ok_or(BookError::Duplicate).and_then(|key| {
            if quantity.is_zero() {
                return Err(BookError::Duplicate);
            }
            self.books.add(key, placement, None)
        });
        let placed = match placed {
            Ok(placed) => placed,
            Err(error) => {
                if taken > 0 {
                    self.book(instrument, Booking::Displaced, taken.min(quantity.0));
                    self.balance(instrument, Booking::Displaced);
                }
                return self.on_add_refused(instrument, symbol, error);
            }
        };
        if placed.new_level && !self.instruments.is_known(instrument) {
            self.learn(instrument, symbol);
        }
        let opposite = side.opposite();
        if RULES && (taken > 0 || self.own.live() > 0 && self.may_meet(instrument, opposite, price))
        {
            // An absurd order must not fill anybody before it is seen to be one.
            self.watch_market(instrument);
            let taken = taken.min(quantity.0);
            let quantity = Quantity(quantity.0 - taken);
            let told = self.counters.executed_shares.get();
            let met = self.fill_reached(instrument, opposite, price, quantity, Some(reference));
            self.book(instrument, Booking::Met, met.0);
            self.take_shares(instrument, placed.slot, Quantity(taken + met.0));
            self.balance_fills(instrument, Booking::Met, met.0.into(), told);
            self.balance(instrument, Booking::Met);
            if placed.best_changed || met.0 + taken > 0 {
                self.publish(instrument);
            }
        } else if placed.best_changed {
            self.publish_side(instrument, side);
        }
        self.see_order(placed.slot, Cause::Canceled);
        self.touch(instrument);
    }

    #[cold]
    fn on_add_refused(&mut self, instrument: InstrumentId, symbol: Symbol, error: BookError) {
        if !self.instruments.is_known(instrument) {
            self.learn(instrument, symbol);
        }
        let cause = match error {
            BookError::Duplicate => {
                self.counters.duplicate_references.add(1);
                StaleCause::Duplicate
            }
            BookError::Instrument | BookError::Orders | BookError::Levels => {
                self.counters.beyond_capacity.add(1);
                StaleCause::Capacity
            }
        };
        self.mark_stale(instrument, cause);
    }

    /// Rule 4: strategies' orders that stand in front of the executed order are filled first, up to
    /// the executed shares; the order is then reduced as the tape says. Shares that a cross prints
    /// again (not printable) reduce only.
    #[inline(never)]
    pub(crate) fn on_execute(
        &mut self,
        named: InstrumentId,
        reference: OrderReference,
        quantity: Quantity,
        price: Option<Price>,
        printable: bool,
    ) {
        let Some(slot) = self.market_order(named, reference) else {
            return;
        };
        if printable {
            let order = self.books.order(slot);
            let (instrument, side) = (order.instrument(), order.side());
            if RULES && self.own.live() > 0 && self.has_own(instrument, side) {
                self.fill_ahead(instrument, side, slot, quantity);
            }
            let price = price.unwrap_or_else(|| self.books.price_of(slot));
            self.print_of_tape(instrument, price, quantity.0.into());
        }
        self.see_tape_execution(price, printable);
        self.reduce(slot, quantity);
        self.see_tape_done();
    }

    /// Whether an order of the market at this price may meet strategies' orders on a side.
    #[inline]
    fn may_meet(&self, instrument: InstrumentId, side: Side, price: Price) -> bool {
        self.first_hidden(instrument, side).is_some()
            || self.books.own_orders(instrument, side) > 0
                && self.books.is_reached(instrument, side, price)
    }

    /// Whether strategies' orders stand on a side.
    #[inline]
    fn has_own(&self, instrument: InstrumentId, side: Side) -> bool {
        self.books.own_orders(instrument, side) > 0 || self.first_hidden(instrument, side).is_some()
    }

    #[inline(never)]
    pub(crate) fn on_reduce(
        &mut self,
        named: InstrumentId,
        reference: OrderReference,
        quantity: Quantity,
    ) {
        if let Some(slot) = self.market_order(named, reference) {
            self.reduce(slot, quantity);
        }
    }

    #[inline]
    pub(crate) fn on_delete(&mut self, named: InstrumentId, reference: OrderReference) {
        if let Some(slot) = self.market_order(named, reference) {
            self.remove(slot);
        }
    }

    #[inline(never)]
    pub(crate) fn on_replace(
        &mut self,
        named: InstrumentId,
        reference: OrderReference,
        new_reference: OrderReference,
        quantity: Quantity,
        price: Price,
    ) {
        let Some(slot) = self.market_order(named, reference) else {
            return;
        };
        let order = self.books.order(slot);
        let (instrument, side, taken) = (order.instrument(), order.side(), order.taken());
        self.see_leaving(slot, Cause::Replaced);
        if self.books.remove(slot) {
            self.publish_side(instrument, side);
        }
        if RULES && taken > 0 {
            // The rest goes with the order that comes, or with one that cannot.
            self.stands(instrument, taken, 0);
            self.book(instrument, Booking::Displaced, taken.saturating_sub(quantity.0));
        }
        let placement = Placement { instrument, side, quantity, price };
        self.on_add(new_reference, &placement, Symbol::BLANK, taken);
    }

    /// Rule 5: an execution against a hidden order at a price fills strategies' displayed orders
    /// that are better or at it, up to its size. Only one side can have such orders. Which side the
    /// hidden order was on does not matter: a strategy's order there would have met who came, one
    /// opposite the hidden order itself.
    #[inline]
    fn on_trade(&mut self, instrument: InstrumentId, quantity: Quantity, price: Price) {
        if instrument.index() >= self.books.instruments() {
            return;
        }
        self.watch_trade(instrument, price);
        for side in [Side::Buy, Side::Sell] {
            if RULES && self.own.live() > 0 && self.books.own_orders(instrument, side) > 0 {
                let told = self.counters.executed_shares.get();
                let filled = self.fill_reached(instrument, side, price, quantity, None);
                if filled.0 > 0 {
                    self.book(instrument, Booking::Hidden, filled.0);
                    self.balance_fills(instrument, Booking::Hidden, filled.0.into(), told);
                    self.publish(instrument);
                }
            }
        }
        self.print_of_tape(instrument, price, quantity.0.into());
        self.see_tape_trade(instrument, quantity, price);
        self.touch(instrument);
    }

    /// The order of the market with this reference. One that is unknown is counted, and the book of
    /// the instrument that the message names had an order that was never seen.
    #[inline]
    fn market_order(&mut self, named: InstrumentId, reference: OrderReference) -> Option<Slot> {
        let slot = OrderKey::market(reference).and_then(|key| self.books.find(key));
        if slot.is_none() {
            self.on_unknown_order(named);
        }
        slot
    }

    #[cold]
    fn on_unknown_order(&mut self, named: InstrumentId) {
        self.counters.unknown_references.add(1);
        self.mark_stale(named, StaleCause::UnknownOrder);
    }

    /// Takes shares off a market order as the tape says.
    #[inline]
    fn reduce(&mut self, slot: Slot, quantity: Quantity) {
        let order = self.books.order(slot);
        if quantity.0 >= order.quantity() {
            let excess = quantity.0 > order.quantity();
            let instrument = order.instrument();
            self.remove(slot);
            if excess {
                self.counters.excess_reductions.add(1);
                self.mark_stale(instrument, StaleCause::Excess);
            }
            return;
        }
        let (instrument, side) = (order.instrument(), order.side());
        let (taken, left) = (order.taken(), order.quantity() - quantity.0);
        if self.books.reduce(slot, quantity) {
            self.publish_side(instrument, side);
        }
        self.see_order(slot, Cause::Canceled);
        if RULES && taken > 0 {
            let after = self.books.order(slot).taken();
            self.displace(instrument, taken.saturating_sub(left), taken, after);
        }
        self.touch(instrument);
    }

    /// Books shares that strategies had taken and the tape disposes of all the same. What they had
    /// of the order was `before`, and is `after`.
    #[cold]
    fn displace(&mut self, instrument: InstrumentId, shares: u32, before: u32, after: u32) {
        self.book(instrument, Booking::Displaced, shares);
        self.stands(instrument, before, after);
        self.balance(instrument, Booking::Displaced);
    }

    /// Takes a market order out.
    #[inline(always)]
    fn remove(&mut self, slot: Slot) {
        let order = self.books.order(slot);
        let (instrument, side) = (order.instrument(), order.side());
        if RULES && !order.is_untaken() {
            return self.remove_taken(slot);
        }
        self.see_leaving(slot, Cause::Canceled);
        if self.books.remove_untaken(slot) {
            self.publish_side(instrument, side);
        }
        self.touch(instrument);
    }

    /// Takes out a market order that strategies took of.
    #[cold]
    fn remove_taken(&mut self, slot: Slot) {
        let order = self.books.order(slot);
        let (instrument, side, taken) = (order.instrument(), order.side(), order.taken());
        self.displace(instrument, taken, taken, 0);
        self.see_leaving(slot, Cause::Canceled);
        if self.books.remove(slot) {
            self.publish_side(instrument, side);
        }
        self.touch(instrument);
    }

    /// Whether what the tape does to this instrument may fill strategies' orders.
    fn fills(&self, instrument: InstrumentId) -> bool {
        let known = self.instruments.get(instrument);
        !known.stale
            && !known.quarantined
            && known.tape_trades()
            && !self.is_closed()
            && known.phase == TradingPhase::Continuous
    }

    /// Fills strategies' orders of `side` that an order at `price` on the other side reaches, best
    /// first, with up to `quantity` shares: displayed and hidden ones because of this order of the
    /// market, displayed ones alone because of an order that the tape does not name. Returns the
    /// shares filled.
    fn fill_reached(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        quantity: Quantity,
        because_of: Option<OrderReference>,
    ) -> Quantity {
        let mut left = quantity;
        if !self.fills(instrument) {
            return Quantity::ZERO;
        }
        while left.0 > 0
            && let Some((index, own)) =
                self.first_own(instrument, side, price, because_of.is_some())
            && price.reaches(side.opposite(), own)
        {
            left.0 -= self.fill_from_tape(index, own, left, because_of).0;
        }
        Quantity(quantity.0 - left.0)
    }

    /// Fills strategies' orders that stand in front of a market order with up to `quantity` shares.
    fn fill_ahead(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        executed: Slot,
        quantity: Quantity,
    ) {
        let mut left = quantity;
        if !self.fills(instrument) {
            return;
        }
        let told = self.counters.executed_shares.get();
        let price = self.books.price_of(executed);
        let because_of = self.books.order(executed).key().reference();
        while left.0 > 0
            && let Some((index, own)) = self.first_own(instrument, side, price, true)
        {
            let slot = self.own.get(index).slot;
            let is_ahead = match self.books.is_parked(slot) {
                true => own.is_better(side, price),
                false => self.books.is_ahead(slot, executed),
            };
            if !is_ahead {
                break;
            }
            left.0 -= self.fill_from_tape(index, own, left, because_of).0;
        }
        if left != quantity {
            let filled = quantity.0 - left.0;
            self.book(instrument, Booking::Ahead, filled);
            self.balance_fills(instrument, Booking::Ahead, filled.into(), told);
            self.publish(instrument);
        }
    }

    /// The first strategy's order of a side and its price, hidden ones behind displayed ones at the
    /// same price, or left out. Displayed ones beyond the worst price are not looked for.
    fn first_own(
        &self,
        instrument: InstrumentId,
        side: Side,
        worst: Price,
        with_hidden: bool,
    ) -> Option<(u32, Price)> {
        let shown = self.books.first_own(instrument, side, worst).and_then(|slot| {
            self.books.order(slot).own_index().map(|index| (index, self.books.price_of(slot)))
        });
        let hidden = if with_hidden { self.first_hidden(instrument, side) } else { None };
        let Some(hidden) = hidden else {
            return shown;
        };
        let price = Price(self.extras.specials[hidden as usize].price);
        match shown {
            Some((index, best)) if !price.is_better(side, best) => Some((index, best)),
            _ => Some((hidden, price)),
        }
    }

    /// Fills one strategy's order with up to `quantity` shares because of the tape, at its own
    /// price.
    fn fill_from_tape(
        &mut self,
        index: u32,
        price: Price,
        quantity: Quantity,
        because_of: Option<OrderReference>,
    ) -> Quantity {
        let own = self.own.get(index);
        let instrument = own.instrument;
        let filled = Quantity(self.books.order(own.slot).quantity()).min(quantity);
        let match_number = self.next_match();
        self.fill_own(
            index,
            Execution {
                quantity: filled,
                price,
                match_number,
                liquidity: Liquidity::Added,
                tape: because_of,
                basis: if because_of.is_some() { Basis::Queue } else { Basis::Hidden },
            },
        );
        self.print(instrument, price);
        filled
    }
}
