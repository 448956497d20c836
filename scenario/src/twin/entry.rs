//! A new order, and what an order does on entry.

use spindle_risk::Purpose;

use super::check::Asked;
use super::{Order, Place, Twin, risk};
use crate::decimal::Amount;
use crate::edge;
use crate::line::{Line, Rejected};
use crate::op::{self, Id, Kind, Phase, SelfTrade, Side, Tif};

impl Twin {
    pub(super) fn enter_new(&mut self, op: &op::New) -> Result<(), Rejected> {
        if self.used.contains(&op.id) {
            return Err(Rejected::because("duplicate_id"));
        }
        edge::new(op)?;
        let unknown = Rejected::because("unknown_instrument");
        let at = self.instrument(&op.symbol).ok_or(unknown)?;
        let units = |price: Option<Amount>| price.map(|price| price.units);
        let asked = Asked {
            at,
            kind: op.kind,
            limit: units(op.price),
            stop: units(op.stop_price),
            trail: units(op.trail),
            offset: units(op.offset),
            quantity: op.quantity.0,
            display: op.display.map(|display| display.0),
            hidden: op.hidden,
            post_only: op.post_only,
            minimum: op.minimum_quantity.map_or(0, |minimum| minimum.0),
            tif: op.tif,
            expire: op.expire_ns.unwrap_or(0),
        };
        let session = op.session.clone().unwrap_or_else(|| op.account.clone());
        let admitted = self.admit_new(op, &asked);
        if admitted.is_err() && !op.check_only {
            self.count_refused(&op.account, &session);
        }
        let (stop, limit) = admitted?;
        let slid = limit.filter(|_| limit != asked.limit).map(Amount::new);
        let entry = self.moment();
        let quantity = op.quantity.0.unsigned_abs();
        let order = Order {
            id: op.id,
            account: op.account.clone(),
            session,
            at,
            side: op.side,
            sale: op.sale,
            kind: op.kind,
            limit,
            price: None,
            tif: op.tif,
            expire: asked.expire,
            stop,
            stop_moment: entry,
            trail: asked.trail.unwrap_or(0),
            offset: asked.offset.unwrap_or(0),
            display: asked.display.unwrap_or(0).unsigned_abs(),
            hidden: op.hidden,
            post_only: op.post_only,
            minimum: asked.minimum.unsigned_abs(),
            executed: 0,
            open: quantity,
            shown: quantity,
            entry,
            time: entry,
            place: Place::Entering,
            is_tape: false,
            taken: 0,
            met: 0,
        };
        let (ask, seen) = (self.ask(&order, Purpose::Enter, None), self.seen(at));
        if op.check_only {
            let price = self.gate.would(&ask, &seen)?;
            let price = Some(Amount::new(risk::units(price)));
            let (id, passes) = (op.id, true);
            let (reason, field, limit, observed) = (None, None, None, None);
            self.tell(Line::Checked { id, passes, price, reason, field, limit, observed });
            return Ok(());
        }
        let price = self.gate.check(&ask, &seen)?;
        self.gate.reserve(&ask, op.id, price);
        self.used.insert(op.id);
        self.tell(Line::Accepted { id: op.id, price: slid });
        self.orders.push(order);
        self.place(op.id);
        Ok(())
    }

    /// What is wrong with a new order before the gate is asked; its stop price and its limit.
    fn admit_new(&self, op: &op::New, asked: &Asked) -> Result<(i64, Option<i64>), Rejected> {
        self.check(asked)?;
        let stop = match op.kind {
            Kind::TrailingStop => self.first_stop(asked, op.side)?,
            _ => asked.stop.unwrap_or(0),
        };
        let limit = match asked.limit {
            Some(limit) if op.post_only => {
                Some(self.post_only_limit(&op.account, asked.at, op.side, limit)?)
            }
            limit => limit,
        };
        self.check_short_sale(asked.at, op.sale, limit)?;
        Ok((stop, limit))
    }

    /// Brings an order to where its kind has its place.
    pub(super) fn place(&mut self, id: Id) {
        let at = self.order(id).at;
        let phase = self.instruments[at].phase;
        let order = self.order(id);
        if order.tif == Tif::AtClose {
            order.place = Place::AtClose;
        } else if order.tif == Tif::AtOpen && phase == Phase::Continuous {
            order.place = Place::AtOpen;
        } else if order.is_peg() {
            order.place = Place::PegOutside;
        } else if matches!(order.kind, Kind::Stop | Kind::StopLimit | Kind::TrailingStop) {
            order.place = Place::Stop;
            self.elect_if_reached(id);
        } else {
            self.enter(id);
        }
    }

    /// A limit, market or market-to-limit order comes in.
    pub(super) fn enter(&mut self, id: Id) {
        let moment = self.moment();
        let order = self.order(id);
        order.time = moment;
        order.place = Place::Entering;
        let (at, side) = (order.at, order.side);
        if self.instruments[at].phase != Phase::Continuous {
            return self.rest(id);
        }
        if self.order(id).kind == Kind::MarketToLimit {
            let Some(best) = self.best(at, side.opposite()) else {
                return self.cancel_all(id, "no_liquidity");
            };
            let order = self.order(id);
            order.kind = Kind::Limit;
            order.limit = Some(best);
        }
        let order = self.order(id).clone();
        let bound = self.bound(&order);
        let at_once = self.could_trade(&order, bound);
        if order.tif == Tif::Fok && at_once < order.open {
            return self.cancel_all(id, "fill_or_kill");
        }
        if at_once < order.minimum {
            return self.cancel_all(id, "minimum_quantity");
        }
        self.order(id).minimum = 0;
        self.take(id, bound);
        if self.find(id).is_none() {
            return;
        }
        if order.kind == Kind::Market {
            let reason = match self.best(at, side.opposite()) {
                None => "no_liquidity",
                Some(_) => "protection",
            };
            self.cancel_all(id, reason);
        } else if order.tif == Tif::Ioc {
            self.cancel_all(id, "immediate_or_cancel");
        } else {
            self.rest(id);
        }
    }

    /// What is left stands in the book.
    pub(super) fn rest(&mut self, id: Id) {
        let order = self.order(id);
        order.price = order.price.or(order.limit);
        order.shown = order.slice();
        order.place = Place::Book;
    }

    /// Trades with what stands on the other side, as far as the limit allows.
    pub(super) fn take(&mut self, id: Id, limit: Option<i64>) {
        while let Some(taker) = self.find(id).cloned() {
            let Some(maker) = self.first(taker.at, taker.side.opposite()) else { return };
            let price = maker.price.expect("no market order stands in continuous trading");
            if !taker.reaches(limit, price) {
                return;
            }
            match self.prevention(&taker, &maker) {
                None => self.trade(&maker, id, price, taker.open.min(maker.available())),
                Some(SelfTrade::CancelNewest) => self.cancel_all(id, "self_trade"),
                Some(SelfTrade::CancelOldest) => self.cancel_all(maker.id, "self_trade"),
                Some(SelfTrade::CancelBoth) => {
                    self.cancel_all(maker.id, "self_trade");
                    self.cancel_all(id, "self_trade");
                }
                Some(SelfTrade::DecrementAndCancel) => {
                    let smaller = taker.open.min(maker.open);
                    self.cancel_shares(maker.id, smaller, "self_trade");
                    self.cancel_shares(id, smaller, "self_trade");
                }
            }
        }
    }

    /// What prevents these two from trading.
    fn prevention(&self, taker: &Order, maker: &Order) -> Option<SelfTrade> {
        if maker.is_tape {
            return None;
        }
        let taker = self.account(&taker.account)?;
        let maker = self.account(&maker.account)?;
        if taker.group.is_some() && taker.group == maker.group { taker.mode } else { None }
    }

    /// A trade in continuous trading: maker and taker have that many shares.
    fn trade(&mut self, maker: &Order, taker: Id, price: i64, quantity: u64) {
        let taker = self.order(taker).clone();
        self.execute(maker.at, Some(maker), Some(&taker), None, price, quantity);
        if !maker.is_tape {
            self.refill(maker.id);
        }
        self.print(maker.at, price);
    }

    /// The next slice of an iceberg goes behind all that is displayed at its price.
    pub(super) fn refill(&mut self, id: Id) {
        let moment = self.moment();
        if let Some(order) = self.orders.iter_mut().find(|order| order.id == id)
            && order.shown == 0
        {
            order.shown = order.slice();
            order.time = moment;
        }
    }

    /// Takes the shares of a trade off both and tells it. An order of the market only remembers
    /// what was taken. Where the other side is none of its orders, `because_of` may be the one that
    /// the tape did something with.
    pub(super) fn execute(
        &mut self,
        at: usize,
        maker: Option<&Order>,
        taker: Option<&Order>,
        because_of: Option<Id>,
        price: i64,
        quantity: u64,
    ) {
        let symbol = self.instruments[at].symbol.clone();
        let id = |order: Option<&Order>, is_tape| {
            order.filter(|order| order.is_tape == is_tape).map(|order| order.id)
        };
        let reference = id(maker, true).or(id(taker, true)).or(because_of);
        self.tell(Line::Trade {
            symbol,
            maker: id(maker, false),
            taker: id(taker, false),
            reference,
            price: Amount::new(price),
            quantity,
            cross: None,
        });
        for order in [maker, taker].into_iter().flatten() {
            if order.is_tape {
                self.tape_order(order.id).taken += quantity;
                continue;
            }
            let id = order.id;
            let now = self.now;
            self.gate.fill(id, quantity, rust_decimal::Decimal::new(price, 4), now);
            let order = self.order(id);
            order.open -= quantity;
            order.executed += quantity;
            order.shown = order.shown.saturating_sub(quantity);
            if order.open == 0 {
                self.remove(id);
            }
        }
    }

    /// How many shares would trade at once: a rehearsal on a copy of the other side, until an order
    /// of the own group comes up that is not simply cancelled.
    fn could_trade(&self, order: &Order, limit: Option<i64>) -> u64 {
        let other: Side = order.side.opposite();
        let queue = self.queue(order.at, other);
        let mut book: Vec<Order> = queue.into_iter().cloned().collect();
        let mut traded = 0;
        while traded < order.open && !book.is_empty() {
            let mut maker = book.remove(0);
            let price = maker.price.expect("no market order stands in continuous trading");
            if !order.reaches(limit, price) {
                break;
            }
            match self.prevention(order, &maker) {
                Some(SelfTrade::CancelOldest) => continue,
                Some(_) => break,
                None => {}
            }
            traded += maker.available();
            maker.open -= maker.shown;
            maker.shown = maker.slice();
            if maker.open > 0 && !maker.is_tape {
                // The next slice goes behind all that is displayed at its price.
                let behind = |next: &Order| next.price != Some(price) || !next.is_displayed();
                let back = book.iter().position(behind).unwrap_or(book.len());
                book.insert(back, maker);
            }
        }
        traded.min(order.open)
    }
}
