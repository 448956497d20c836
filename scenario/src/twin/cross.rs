//! The crosses of the recorded market.

use super::{Order, Place, Twin, badness};
use crate::decimal::Amount;
use crate::line::{Figures, Line, OfTape};
use crate::op::{Cross, Phase, Side, Tape, Tif};

fn name(kind: Cross) -> &'static str {
    match kind {
        Cross::Opening => "opening",
        Cross::Closing => "closing",
        Cross::Halt => "halt",
    }
}

/// Whether an order was entered for this cross.
fn is_for(order: &Order, kind: Cross) -> bool {
    (order.tif == Tif::AtOpen && kind == Cross::Opening)
        || (order.tif == Tif::AtClose && kind == Cross::Closing)
}

impl Twin {
    pub(super) fn tape_crosses(&mut self, at: usize, op: &Tape, quantity: u64, price: i64) {
        let kind = op.kind.expect("it has a kind");
        let phase = self.instruments[at].phase;
        let stale = self.instruments[at].stale;
        if !stale && !self.day_is_over() && !matches!(phase, Phase::Halted | Phase::Closed) {
            let collar = self.instruments[at].collar.filter(|_| kind == Cross::Halt);
            if collar.is_none_or(|(_, upper, lower, _)| (lower..=upper).contains(&price)) {
                for side in [Side::Buy, Side::Sell] {
                    self.cross_side(at, side, kind, quantity, price);
                }
            }
            for id in self.ids(|order| order.at == at && is_for(order, kind)) {
                self.cancel_all(id, "auction_over");
            }
        }
        let instrument = &mut self.instruments[at];
        match kind {
            Cross::Opening => instrument.opened = true,
            Cross::Closing => instrument.closed = true,
            Cross::Halt => instrument.collar = None,
        }
        if quantity > 0 {
            self.print(at, price);
        }
    }

    /// Each order that takes part is filled, whole if the cross has shares enough.
    fn cross_side(&mut self, at: usize, side: Side, kind: Cross, quantity: u64, price: i64) {
        let mut left = quantity;
        for order in self.in_cross(at, side, kind, price) {
            let shares = order.open.min(left);
            if shares == 0 {
                return;
            }
            left -= shares;
            self.tell(Line::Trade {
                symbol: self.instruments[at].symbol.clone(),
                maker: Some(order.id),
                taker: None,
                reference: None,
                price: Amount::new(price),
                quantity: shares,
                cross: Some(name(kind)),
            });
            let now = self.now;
            self.gate.fill(order.id, shares, rust_decimal::Decimal::new(price, 4), now);
            let own = self.order(order.id);
            own.open -= shares;
            own.executed += shares;
            own.shown = own.shown.saturating_sub(shares);
            if own.open == 0 {
                self.remove(order.id);
            }
            self.refill(order.id);
        }
    }

    /// Who takes part on a side, in the cross's priority.
    fn in_cross(&self, at: usize, side: Side, kind: Cross, price: i64) -> Vec<Order> {
        let of_tape: Vec<&Order> = self
            .tape
            .iter()
            .filter(|order| order.at == at && order.side == side && order.price == Some(price))
            .filter(|order| order.available() > 0)
            .collect();
        let mut found: Vec<(Option<i64>, bool, u64, Order)> = Vec::new();
        for order in self.orders.iter().filter(|order| order.at == at && order.side == side) {
            let (limit, time) = match order.place {
                Place::Book => (order.price, order.time),
                Place::AtClose if kind == Cross::Closing => (order.limit, order.entry),
                Place::AtOpen if kind == Cross::Opening => (order.limit, order.entry),
                _ => continue,
            };
            if limit.is_some_and(|limit| badness(side, limit) > badness(side, price)) {
                continue;
            }
            // At the cross's own price, who stands behind shares of the tape that are left was not
            // reached, unless it was entered for this cross.
            let hidden = !order.is_displayed();
            let behind = of_tape.iter().any(|tape| hidden || tape.time < order.time);
            if limit == Some(price) && !is_for(order, kind) && behind {
                continue;
            }
            let rank = limit.map(|limit| badness(side, limit));
            found.push((rank, hidden, time, order.clone()));
        }
        found.sort_by_key(|(rank, hidden, time, _)| (*rank, *hidden, *time));
        found.into_iter().map(|(.., order)| order).collect()
    }

    /// Told where somebody waits for that cross.
    pub(super) fn tape_has_an_imbalance(&mut self, at: usize, op: &Tape) {
        let kind = op.kind.expect("it has a kind");
        let phase = self.instruments[at].phase;
        let somebody =
            |place: Place| self.orders.iter().any(|order| order.at == at && order.place == place);
        let waits = match kind {
            Cross::Opening => {
                somebody(Place::AtOpen) || phase != Phase::Continuous && somebody(Place::Book)
            }
            Cross::Closing => somebody(Place::AtClose),
            Cross::Halt => somebody(Place::Book),
        };
        if !waits {
            return;
        }
        let shares = |shares: Option<crate::decimal::Shares>| {
            shares.map_or(0, |shares| shares.0.unsigned_abs())
        };
        let figures = Figures {
            price: op.near,
            quantity: shares(op.quantity),
            imbalance: shares(op.imbalance),
            side: op.side,
        };
        let of_tape = Some(OfTape { cross: name(kind), reference: op.price, far: op.far });
        let symbol = self.instruments[at].symbol.clone();
        self.tell(Line::Imbalance { symbol, figures, of_tape });
    }
}
