//! The recorded market: what it does, and how it fills strategies' orders.

use super::{Order, Place, Twin, badness};
use crate::edge;
use crate::line::{Line, Rejected};
use crate::op::{Id, Kind, Sale, Side, Tape, TapeEvent, Tif};

impl Twin {
    /// An order of the market that must be there.
    pub(super) fn tape_order(&mut self, reference: Id) -> &mut Order {
        let found = self.tape.iter_mut().find(|order| order.id == reference);
        found.unwrap_or_else(|| panic!("the market's order {reference} is gone"))
    }

    pub(super) fn tape_does(&mut self, op: &Tape) -> Result<(), Rejected> {
        if op.event.is_of_the_market() {
            edge::tape(op)?;
            self.market_says(op);
            return Ok(());
        }
        if op.event == TapeEvent::Loss && op.symbol.is_empty() {
            self.tape_is_lost(None);
            return Ok(());
        }
        let unknown = Rejected::because("unknown_instrument");
        let at = self.instrument(&op.symbol).ok_or(unknown)?;
        edge::tape(op)?;
        if op.event == TapeEvent::Loss {
            self.tape_is_lost(Some(at));
            return Ok(());
        }
        let known = |reference: Option<Id>| {
            self.tape.iter().find(|order| Some(order.id) == reference).cloned()
        };
        let old = known(op.reference).filter(|order| order.at == at);
        let comes = match op.event {
            TapeEvent::Add => op.reference,
            TapeEvent::Replace if op.new_reference != op.reference => op.new_reference,
            _ => None,
        };
        if known(comes).is_some() {
            return Err(Rejected::because("duplicate_ref"));
        }
        if op.event.names_an_order() && old.is_none() {
            return Err(Rejected::because("unknown_ref"));
        }
        if comes.is_some() && !self.has_room() {
            return Err(Rejected::because("capacity"));
        }
        let quantity = op.quantity.map_or(0, |quantity| quantity.0.unsigned_abs());
        let price = op.price.map(|price| price.units);
        match (op.event, old) {
            (TapeEvent::Add, _) => {
                let (side, reference) = (op.side.unwrap_or(Side::Buy), op.reference.unwrap_or(0));
                self.tape_adds(at, side, reference, quantity, price.unwrap_or(0), 0);
            }
            (TapeEvent::Trade, _) => self.tape_trades(at, quantity, price.unwrap_or(0)),
            (TapeEvent::Cross, _) => self.tape_crosses(at, op, quantity, price.unwrap_or(0)),
            (TapeEvent::Imbalance, _) => self.tape_has_an_imbalance(at, op),
            (
                TapeEvent::Status
                | TapeEvent::OperationalHalt
                | TapeEvent::Collar
                | TapeEvent::ShortSale
                | TapeEvent::Release,
                _,
            ) => self.tape_says(at, op),
            // The whole market's are not of an instrument.
            (
                TapeEvent::BreakerLevels | TapeEvent::Breaker | TapeEvent::System | TapeEvent::Loss,
                _,
            ) => {}
            (_, None) => return Err(Rejected::because("unknown_ref")),
            // Shares that a cross prints again.
            (TapeEvent::Execute, Some(old)) if op.printable == Some(false) => {
                self.tape_reduces(old.id, quantity);
            }
            (TapeEvent::Execute, Some(old)) => self.tape_executes(&old, quantity, price),
            (TapeEvent::Cancel, Some(old)) => self.tape_reduces(old.id, quantity),
            (TapeEvent::Delete, Some(old)) => self.tape.retain(|order| order.id != old.id),
            (TapeEvent::Replace, Some(old)) => {
                self.tape.retain(|order| order.id != old.id);
                let (reference, taken) = (op.new_reference.unwrap_or(0), old.taken.min(quantity));
                self.tape_adds(at, old.side, reference, quantity, price.unwrap_or(0), taken);
            }
        }
        Ok(())
    }

    /// Rule 3: strategies' orders that it would have met are filled first; then it stands as the
    /// tape says, with that much taken.
    fn tape_adds(
        &mut self,
        at: usize,
        side: Side,
        reference: Id,
        quantity: u64,
        price: i64,
        taken: u64,
    ) {
        let moment = self.moment();
        let mut left = quantity - taken;
        while left > 0
            && let Some(own) = self.own_that_meets(at, side.opposite(), price, true)
        {
            left -= self.fill(&own, left, Some(reference));
        }
        self.tape.push(Order {
            id: reference,
            account: String::new(),
            session: String::new(),
            at,
            side,
            sale: Sale::Long,
            kind: Kind::Limit,
            limit: Some(price),
            price: Some(price),
            tif: Tif::Day,
            expire: 0,
            stop: 0,
            stop_moment: 0,
            trail: 0,
            offset: 0,
            display: 0,
            hidden: false,
            post_only: false,
            minimum: 0,
            executed: 0,
            open: quantity,
            shown: quantity,
            entry: 0,
            time: moment,
            place: Place::Book,
            is_tape: true,
            taken: quantity - left,
            met: 0,
        });
    }

    /// Rule 4: strategies' orders that rank ahead are filled first; then it is reduced as the tape
    /// says.
    fn tape_executes(&mut self, executed: &Order, quantity: u64, price: Option<i64>) {
        let mut left = quantity;
        while left > 0
            && let Some(own) = self.own_ahead_of(executed)
        {
            left -= self.fill(&own, left, Some(executed.id));
        }
        self.print(executed.at, price.or(executed.price).unwrap_or(0));
        self.tape_reduces(executed.id, quantity);
    }

    fn tape_reduces(&mut self, reference: Id, quantity: u64) {
        let order = self.tape_order(reference);
        let (at, excess) = (order.at, quantity > order.open);
        order.open = order.open.saturating_sub(quantity);
        order.shown = order.open;
        order.taken = order.taken.min(order.open);
        self.tape.retain(|order| order.open > 0);
        if excess && !self.instruments[at].stale {
            // It had more than was ever shown.
            self.instruments[at].stale = true;
            let symbol = Some(self.instruments[at].symbol.clone());
            self.tell(Line::Stale { symbol, cause: "excess" });
        }
    }

    /// Rule 5: displayed orders of strategies that are better or at it are filled, whichever side
    /// the hidden order was on.
    fn tape_trades(&mut self, at: usize, quantity: u64, price: i64) {
        for side in [Side::Buy, Side::Sell] {
            let mut left = quantity;
            while left > 0
                && let Some(own) = self.own_that_meets(at, side, price, false)
            {
                left -= self.fill(&own, left, None);
            }
        }
        self.print(at, price);
    }

    /// The first of a side's orders of strategies, while the tape fills any.
    fn first_own(&self, at: usize, side: Side, with_hidden: bool) -> Option<&Order> {
        if !self.trades(at) {
            return None;
        }
        let fits = |order: &&Order| !order.is_tape && (with_hidden || order.is_displayed());
        self.queue(at, side).into_iter().find(fits)
    }

    /// The first strategy's order, if it stands at this price or better.
    fn own_that_meets(
        &self,
        at: usize,
        side: Side,
        price: i64,
        with_hidden: bool,
    ) -> Option<Order> {
        let own = self.first_own(at, side, with_hidden)?;
        let reaches = badness(side, own.price?) <= badness(side, price);
        reaches.then(|| own.clone())
    }

    /// The first strategy's order, if it ranks ahead of this one of the market.
    fn own_ahead_of(&self, market: &Order) -> Option<Order> {
        let own = self.first_own(market.at, market.side, true)?;
        let queue = self.queue(market.at, market.side);
        let place =
            |id, is_tape| queue.iter().position(|order| order.id == id && order.is_tape == is_tape);
        (place(own.id, false) < place(market.id, true)).then(|| own.clone())
    }

    /// Fills what an order shows with up to this many shares, at its price, because of an order of
    /// the tape. Gives how many.
    fn fill(&mut self, own: &Order, most: u64, because_of: Option<Id>) -> u64 {
        let quantity = own.shown.min(most);
        let price = own.price.expect("no market order stands in continuous trading");
        self.execute(own.at, Some(own), None, because_of, price, quantity);
        self.refill(own.id);
        self.print(own.at, price);
        quantity
    }
}
