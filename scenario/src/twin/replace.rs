//! Replacing an order.

use spindle_risk::Purpose;

use super::check::Asked;
use super::{Order, Place, Twin};
use crate::decimal::Amount;
use crate::edge;
use crate::line::{Line, Rejected};
use crate::op::{self, Kind, Tif};

impl Twin {
    pub(super) fn replace(&mut self, op: &op::Replace) -> Result<(), Rejected> {
        let Some(old) = self.find(op.id).cloned() else {
            return Err(Rejected::because("unknown_id"));
        };
        if self.used.contains(&op.new_id) {
            return Err(Rejected::because("duplicate_id"));
        }
        edge::replace(op)?;
        let open = op.quantity.0.unsigned_abs().saturating_sub(old.executed);
        if open == 0 {
            self.cancel_all(op.id, "invalid_replace");
            return Ok(());
        }
        let mut new = old.clone();
        new.id = op.new_id;
        new.limit = op.price.map(|price| price.units);
        new.open = open;
        new.minimum = 0;
        new.tif = op.tif.unwrap_or(old.tif);
        new.expire = op.expire_ns.unwrap_or(old.expire);
        new.kind = match (old.kind, new.limit.is_some()) {
            (Kind::Limit | Kind::Market, true) => Kind::Limit,
            (Kind::Limit | Kind::Market, false) => Kind::Market,
            (Kind::Stop | Kind::StopLimit, true) => Kind::StopLimit,
            (Kind::Stop | Kind::StopLimit, false) => Kind::Stop,
            (kind, _) => kind,
        };
        let checked = self.check(&Asked { quantity: op.quantity.0, ..new.asked() });
        if checked.is_err() {
            self.count_refused(&old.account, &old.session);
        }
        checked?;
        let until_told = |tif| matches!(tif, Tif::Day | Tif::Gtc | Tif::Gtd);
        let same_tif = new.tif == old.tif || (until_told(new.tif) && until_told(old.tif));
        let keeps = new.limit == old.limit && open <= old.open && same_tif;
        if keeps {
            self.judge_replacement(op, &new)?;
            self.used.insert(op.new_id);
            self.tell(Line::Replaced { id: op.id, new_id: op.new_id, price: None });
            // The reserve goes first.
            new.shown = old.shown.min(open);
            *self.order(op.id) = new;
            for elected in &mut self.instruments[old.at].elected {
                if *elected == op.id {
                    *elected = op.new_id;
                }
            }
            return Ok(());
        }
        let moved = self.moved_limit(&old, &new);
        if moved.is_err() {
            self.count_refused(&old.account, &old.session);
        }
        new.limit = moved?;
        self.judge_replacement(op, &new)?;
        let asked = op.price.map(|price| price.units);
        let slid = new.limit.filter(|_| new.limit != asked).map(Amount::new);
        self.used.insert(op.new_id);
        self.tell(Line::Replaced { id: op.id, new_id: op.new_id, price: slid });
        self.remove(op.id);
        let moment = self.moment();
        new.entry = moment;
        new.stop_moment = moment;
        new.price = None;
        let elected = old.place == Place::Elected;
        self.orders.push(new);
        if elected {
            self.order(op.new_id).place = Place::Elected;
            self.instruments[old.at].elected.push(op.new_id);
        } else {
            self.place(op.new_id);
        }
        Ok(())
    }

    /// The limit of a replacement that loses its place.
    fn moved_limit(&self, old: &Order, new: &Order) -> Result<Option<i64>, Rejected> {
        let limit = match new.limit {
            Some(limit) if new.post_only => {
                Some(self.post_only_limit(&old.account, old.at, old.side, limit)?)
            }
            limit => limit,
        };
        self.check_short_sale(old.at, old.sale, limit)?;
        Ok(limit)
    }

    /// Asks the gate, and moves the reservation to the new number.
    fn judge_replacement(&mut self, op: &op::Replace, new: &Order) -> Result<(), Rejected> {
        let ask = self.ask(new, Purpose::Replace, Some(op.id));
        let price = self.gate.check(&ask, &self.seen(new.at))?;
        self.gate.reserve(&ask, op.new_id, price);
        Ok(())
    }
}
