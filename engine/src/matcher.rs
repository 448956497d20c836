//! Matching alone: limit orders in price-time priority, without sessions, accounts, risk, events or
//! a market's tape.
//!
//! It is the books and the walk along them that an order takes when it comes, with a caller that is
//! told of each trade in place of an outbox. For measuring matching by itself, and for those who
//! bring all else themselves.

use spindle_types::{InstrumentId, OrderReference, Price, Quantity, Side};

use crate::book::{BookError, Books, Capacity, OrderKey, Place, Placement};

/// Shares that changed hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The order that stood.
    pub maker: OrderReference,
    /// Its price, which is that of the trade.
    pub price: Price,
    /// Shares.
    pub quantity: Quantity,
}

/// Order books and the matching of what comes to them. Takes its memory at the start.
#[derive(Debug)]
pub struct Matcher {
    books: Books,
}

impl Matcher {
    /// Empty books of this capacity, [clamped](Capacity::clamped).
    pub fn new(capacity: Capacity) -> Self {
        Self { books: Books::new(capacity) }
    }

    /// Touches the memory of the books once, so that the system has given every page before the
    /// first order needs it.
    pub fn warm_up(&mut self) {
        self.books.warm_up();
    }

    /// The books.
    #[inline]
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Asks the processor for what an order needs that is entered next, so that the memory comes
    /// while something else is done.
    #[inline]
    pub fn look_ahead(&self, reference: OrderReference, placement: &Placement) {
        let Placement { instrument, side, price, .. } = *placement;
        self.books.ask_for(true, reference.0, instrument, side, price);
    }

    /// The first of three looks at what will be done later, an order that is entered or, without a
    /// placement, one that is cancelled, reduced or replaced. Its answer is for the next look.
    #[inline]
    pub fn look(
        &self,
        reference: OrderReference,
        instrument: InstrumentId,
        enters: Option<(Side, Price)>,
    ) -> Place {
        let (side, price) = enters.unwrap_or((Side::Buy, Price(0)));
        self.books.ask_for(enters.is_some(), reference.0, instrument, side, price)
    }

    /// The second look, some orders later.
    #[inline]
    pub fn look_again(&self, place: Place) {
        self.books.ask_for_orders(place);
    }

    /// The third look, some orders after the second.
    #[inline]
    pub fn look_last(&self, place: Place) {
        self.books.ask_for_more(place);
    }

    /// Enters an order: it trades with the other side as far as its price allows, and what is left
    /// stands behind everything at its price, or is gone where it does not `stay`. `on_trade` is
    /// told of each trade, in order. Returns the shares that did not trade.
    ///
    /// # Errors
    /// A number that no order can have or that lives, an instrument beyond the capacity, or no
    /// room for one more order at a price of its own; nothing has changed then.
    #[inline]
    pub fn enter(
        &mut self,
        reference: OrderReference,
        placement: &Placement,
        stays: bool,
        on_trade: impl FnMut(Trade),
    ) -> Result<Quantity, BookError> {
        let key = OrderKey::market(reference).ok_or(BookError::Duplicate)?;
        let Placement { instrument, side, price, .. } = *placement;
        if stays && !self.books.is_reached(instrument, side.opposite(), price) {
            self.books.add(key, placement, None)?;
            return Ok(placement.quantity);
        }
        self.books.admit(key, instrument)?;
        let open = self.trade(placement, on_trade);
        if open.0 > 0 && stays {
            self.books.add(key, &Placement { quantity: open, ..*placement }, None)?;
        }
        Ok(open)
    }

    /// Takes an order out. Returns what stood, or `None` where no such order lives.
    #[inline]
    pub fn cancel(&mut self, reference: OrderReference) -> Option<Placement> {
        let slot = OrderKey::market(reference).and_then(|key| self.books.find(key))?;
        let stood = self.books.placement_of(slot);
        self.books.remove(slot);
        Some(stood)
    }

    /// Takes shares off an order, which keeps its place; one without shares is gone. Returns
    /// whether such an order lived.
    #[inline]
    pub fn reduce(&mut self, reference: OrderReference, by: Quantity) -> bool {
        let found = OrderKey::market(reference).and_then(|key| self.books.find(key));
        let Some(slot) = found else {
            return false;
        };
        if by.0 >= self.books.order(slot).quantity() {
            self.books.remove(slot);
        } else {
            self.books.reduce(slot, by);
        }
        true
    }

    /// Takes an order out and enters another on its side, which may have the same number. Returns
    /// what the first one was and the shares of the second that did not trade, or `None` where
    /// no such order lives.
    ///
    /// # Errors
    /// As for [`Matcher::enter`]; the first order is gone then.
    #[inline]
    pub fn replace(
        &mut self,
        reference: OrderReference,
        new_reference: OrderReference,
        price: Price,
        quantity: Quantity,
        on_trade: impl FnMut(Trade),
    ) -> Option<Result<(Placement, Quantity), BookError>> {
        let stood = self.cancel(reference)?;
        let placement = Placement { price, quantity, ..stood };
        let entered = self.enter(new_reference, &placement, true, on_trade);
        Some(entered.map(|open| (stood, open)))
    }

    /// Trades with the other side, best first, as far as the price reaches. Returns what is left.
    #[inline]
    fn trade(&mut self, placement: &Placement, mut on_trade: impl FnMut(Trade)) -> Quantity {
        let Placement { instrument, side, price: limit, quantity } = *placement;
        let mut open = quantity.0;
        while open > 0
            && let Some((slot, price)) = self.books.reached(instrument, side.opposite(), limit)
        {
            let order = self.books.order(slot);
            let stood = order.quantity();
            let maker = order.key().reference().unwrap_or(OrderReference(0));
            let traded = stood.min(open);
            on_trade(Trade { maker, price, quantity: Quantity(traded) });
            if traded == stood {
                self.books.remove(slot);
            } else {
                self.books.reduce(slot, Quantity(traded));
            }
            open -= traded;
        }
        Quantity(open)
    }

    /// The best price of a side.
    #[inline]
    pub fn best(&self, instrument: InstrumentId, side: Side) -> Option<Price> {
        self.books.best(instrument, side).map(|best| best.price)
    }
}
