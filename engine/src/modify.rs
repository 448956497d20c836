//! Changes of an order in its place.

use spindle_risk::Reserved;
use spindle_types::Quantity;

use crate::book::OrderKey;
use crate::command::Modify;
use crate::engine::{Address, Engine};
use crate::event::{CancelReason, Outcome};
use crate::matching::Special;
use crate::matching::admit::{Refusal, Terms};

impl Engine {
    /// Changes side or size of an open order, which keeps its place.
    pub(crate) fn modify(&mut self, to: Address, modify: &Modify) {
        let Some(index) = self.find_own(OrderKey::own(to.session, to.token)) else {
            self.gate.message(to.account, to.session, None, self.time);
            return self.emit(to, Outcome::CancelRejected);
        };
        let own = *self.own.get(index);
        let to = Address { account: own.account, ..to };
        let before = self.open_of(index);
        let open = modify.quantity.0.saturating_sub(own.executed.0);
        let is_possible = open <= before && own.side.may_become(modify.side);
        let changes_sale = open != 0 && is_possible && own.side != modify.side;
        if !changes_sale {
            self.gate.message(to.account, to.session, Some(own.instrument), self.time);
        } else if self.change_sale(index, modify, Quantity(open)).is_err() {
            if self.gate.has_tripped() {
                self.stop_at_the_end();
            }
            return self.emit(to, Outcome::CancelRejected);
        }
        if open == 0 {
            return self.cancel_own(index, CancelReason::UserRequest, to.received);
        }
        if !is_possible {
            return self.emit(to, Outcome::CancelRejected);
        }
        let quantity = Quantity(before - open);
        if !changes_sale {
            self.gate.release(&own.holder(), quantity, false);
        }
        if !quantity.is_zero() && self.reduce_open(index, quantity.0) {
            self.publish(own.instrument);
        }
        self.touch(own.instrument);
        let (side, open) = (modify.side, Quantity(open));
        self.emit(to, Outcome::Modified { side, quantity, open });
    }

    /// Makes another kind of sale of an order, if the price test and the risk gate let it: what is to be
    /// open is reserved as the new kind before what is open is given back as the old one, so that the gate
    /// judges the one beside the other.
    fn change_sale(&mut self, index: u32, modify: &Modify, open: Quantity) -> Result<(), Refusal> {
        let own = *self.own.get(index);
        let known = self.instruments.get(own.instrument);
        let special = match own.special {
            true => self.extras.specials[index as usize],
            false => Special::PLAIN,
        };
        let before = Quantity(self.open_of(index));
        let terms = Terms {
            account: own.account,
            session: own.session,
            side: modify.side,
            total: modify.quantity,
            open,
            limit: own.limit.get(),
            time_in_force: own.stay.until(special.expiry),
            special,
            before: Reserved::default(),
            replaces: true,
            keeps_place: true,
        };
        self.admit_short_sale(own.instrument, &known, modify.side, terms.limit)?;
        let request = self.terms_request(own.instrument, &known, &terms);
        let admission = self.admit_risk(&request, false)?;
        self.gate.reserve(&request, &admission);
        self.gate.release(&own.holder(), before, false);
        let order = self.own.get_mut(index);
        (order.side, order.valued) = (modify.side, admission.price);
        Ok(())
    }
}
