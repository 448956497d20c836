//! Prints, stops and pegs: what waits outside the book.

use super::check::trailing;
use super::{Order, Place, Twin};
use crate::edge::HIGHEST;
use crate::line::Line;
use crate::op::{Id, Kind, Side};

impl Twin {
    /// A print elects stops and then moves the trailing ones that it did not elect.
    pub(super) fn print(&mut self, at: usize, price: i64) {
        self.instruments[at].last = Some(price);
        for side in [Side::Buy, Side::Sell] {
            let elects = |order: &&Order| {
                order.at == at
                    && order.side == side
                    && order.place == Place::Stop
                    && reached(order, price)
            };
            let mut elected: Vec<_> = self.orders.iter().filter(elects).collect();
            elected.sort_by_key(|order| match side {
                Side::Buy => (order.stop, order.stop_moment),
                Side::Sell => (-order.stop, order.stop_moment),
            });
            let elected: Vec<Id> = elected.into_iter().map(|order| order.id).collect();
            for id in elected {
                self.elect(id);
            }
        }
        let waiting = self.ids(|order| {
            order.at == at && order.place == Place::Stop && order.kind == Kind::TrailingStop
        });
        for id in waiting {
            let moment = self.moment();
            let order = self.order(id);
            let Some(stop) = trailing(order.side, price, order.trail) else { continue };
            let follows = match order.side {
                Side::Sell => stop > order.stop,
                Side::Buy => stop < order.stop,
            };
            if follows {
                order.stop = stop;
                order.stop_moment = moment;
            }
        }
    }

    fn elect(&mut self, id: Id) {
        let order = self.order(id);
        order.place = Place::Elected;
        let at = order.at;
        self.instruments[at].elected.push(id);
    }

    /// A stop that comes: the last print may have reached it already.
    pub(super) fn elect_if_reached(&mut self, id: Id) {
        let order = self.order(id).clone();
        if self.instruments[order.at].last.is_some_and(|last| reached(&order, last)) {
            self.elect(id);
        }
    }

    /// The first of the elected has its turn.
    pub(super) fn trigger(&mut self, at: usize) {
        let id = self.instruments[at].elected.remove(0);
        self.tell(Line::Triggered { id });
        let order = self.order(id);
        order.kind = if order.limit.is_some() { Kind::Limit } else { Kind::Market };
        if self.passes_again(id) {
            self.enter(id);
        }
    }

    /// Brings pegs to where they should stand, until all do.
    pub(super) fn reprice(&mut self, at: usize) {
        let mut moved = true;
        while moved {
            moved = false;
            for id in self.ids(|order| order.at == at && order.is_peg()) {
                // A peg before it may have traded with it.
                let Some(order) = self.find(id).cloned() else { continue };
                let right = self.peg_price(&order);
                if right == order.price {
                    continue;
                }
                moved = true;
                let moment = self.moment();
                let order = self.order(id);
                order.price = right;
                order.place = Place::PegOutside;
                if right.is_some() {
                    order.place = Place::Entering;
                    order.time = moment;
                    self.take(id, right);
                    if self.find(id).is_some() {
                        self.rest(id);
                    }
                }
            }
        }
    }

    /// Where a peg should stand; `None` is outside.
    fn peg_price(&self, order: &Order) -> Option<i64> {
        if !self.trades(order.at) {
            return None;
        }
        let reference = |side| {
            let queue = self.queue(order.at, side);
            let counts =
                |other: &&&Order| other.is_displayed() && !other.is_peg() && other.available() > 0;
            queue.iter().find(counts).and_then(|other| other.price)
        };
        let base = match order.kind {
            Kind::PrimaryPeg => reference(order.side)?,
            _ => {
                let (bid, ask) = (reference(Side::Buy)?, reference(Side::Sell)?);
                if bid >= ask {
                    return None;
                }
                match order.side {
                    Side::Buy => (bid + ask) / 2,
                    Side::Sell => (bid + ask + 1) / 2,
                }
            }
        };
        let price = match order.side {
            Side::Buy => (base + order.offset).min(order.limit.unwrap_or(i64::MAX)),
            Side::Sell => (base - order.offset).max(order.limit.unwrap_or(i64::MIN)),
        };
        (1..=HIGHEST).contains(&price).then_some(price)
    }
}

/// Whether a print at this price elects the stop.
fn reached(order: &Order, price: i64) -> bool {
    match order.side {
        Side::Buy => price >= order.stop,
        Side::Sell => price <= order.stop,
    }
}
