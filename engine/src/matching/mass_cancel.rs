//! Mass cancel.

use crate::command::MassCancel;
use crate::engine::{Address, Engine};
use crate::event::{CancelReason, Outcome, RejectReason};

impl Engine {
    /// Cancels every open order that matches all that is given, in order of entry, and tells who
    /// asked how many there were.
    pub(crate) fn mass_cancel(&mut self, to: Address, mass: &MassCancel) {
        self.gate.message(to.account, to.session, None, self.time);
        let instrument = match mass.symbol.map(|symbol| self.instruments.find(symbol)) {
            Some(None) => {
                let attributes = crate::command::Attributes::default();
                return self.reject(to, RejectReason::UnknownInstrument.into(), attributes);
            }
            Some(found) => found,
            None => None,
        };
        let orders = self.cancel_for(CancelReason::MassCancel, Some(to), |engine, index| {
            let order = engine.own.get(index);
            mass.account.is_none_or(|account| account == order.account)
                && mass.session.is_none_or(|session| session == order.session)
                && instrument.is_none_or(|instrument| instrument == order.instrument)
                && mass.side.is_none_or(|side| side == order.side.book_side())
        });
        self.emit(to, Outcome::MassCanceled { orders });
    }
}
