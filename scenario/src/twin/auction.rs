//! Phases and auctions.

use super::{Order, Place, Twin, badness};
use crate::decimal::Amount;
use crate::edge;
use crate::line::{Figures, Line, Rejected};
use crate::op::{self, Phase, Side, State, Tif};

impl Twin {
    pub(super) fn change_phase(&mut self, op: &op::PhaseChange) -> Result<(), Rejected> {
        let unknown = Rejected::because("unknown_instrument");
        let at = self.instrument(&op.symbol).ok_or(unknown)?;
        edge::reference(op.reference)?;
        let (old, new) = (self.instruments[at].phase, op.phase);
        if old == new {
            return Ok(());
        }
        let reference = op.reference.map(|price| price.units).or(self.instruments[at].last);
        if new == Phase::Continuous {
            self.may_begin(at, old, reference)?;
        }
        let auction = match (old, new) {
            (Phase::PreOpen, Phase::Continuous) => Some("opening"),
            (_, Phase::Continuous) => Some("halt"),
            (Phase::PreClose, Phase::Closed)
                if self.instruments[at].tape_trades()
                    && !self.instruments[at].stale
                    && !self.day_is_over() =>
            {
                Some("closing")
            }
            _ => None,
        };
        let print = auction.and_then(|auction| self.hold(at, auction, reference));
        self.instruments[at].phase = new;
        if auction == Some("halt") {
            self.instruments[at].collar = None;
        }
        if new.collects() && !old.collects() {
            self.instruments[at].told = Figures::default();
        }
        if new == Phase::Closed {
            let over = self.ids(|order| {
                order.at == at && matches!(order.tif, Tif::Day | Tif::AtOpen | Tif::AtClose)
            });
            for id in over {
                self.cancel_all(id, "end_of_day");
            }
        }
        if let Some(price) = print {
            self.print(at, price);
        }
        Ok(())
    }

    /// Whether the tape lets continuous trading begin.
    fn may_begin(&self, at: usize, old: Phase, reference: Option<i64>) -> Result<(), Rejected> {
        let instrument = &self.instruments[at];
        if self.day_is_over() {
            return Err(Rejected::because("closed"));
        }
        if instrument.stale {
            return Err(Rejected::because("stale"));
        }
        if instrument.state != State::Trading {
            return Err(Rejected::because("halted"));
        }
        if !instrument.tape_trades() {
            return Err(Rejected::because("operational_halt"));
        }
        if let Some((_, upper, lower, _)) = instrument.collar.filter(|_| old != Phase::PreOpen)
            && let Some(price) = self.figures(at, false, reference).price
            && !(lower..=upper).contains(&price.units)
        {
            return Err(Rejected::because("outside_collar"));
        }
        Ok(())
    }

    /// Holds an auction and cancels what was for it alone. Gives its price.
    fn hold(&mut self, at: usize, auction: &'static str, reference: Option<i64>) -> Option<i64> {
        let closing = auction == "closing";
        let figures = self.figures(at, closing, reference);
        if let Some(price) = figures.price {
            let symbol = self.instruments[at].symbol.clone();
            self.tell(Line::Auction { symbol, auction, figures });
            self.trade_at(at, closing, price.units, figures.quantity);
        }
        let over = self.ids(|order| {
            let market = order.place == Place::Book && order.price.is_none();
            let opens = order.tif == Tif::AtOpen && order.place != Place::AtOpen;
            let its_own = opens || (closing && order.tif == Tif::AtClose);
            order.at == at && (market || its_own)
        });
        for id in over {
            self.cancel_all(id, "auction_over");
        }
        figures.price.map(|price| price.units)
    }

    /// Who takes part on a side and has shares left, in the auction's priority.
    fn participants(&self, at: usize, side: Side, closing: bool) -> Vec<&Order> {
        let takes_part = |order: &&Order| {
            order.at == at
                && order.side == side
                && order.whole() > 0
                && (order.place == Place::Book || closing && order.place == Place::AtClose)
        };
        let everybody = self.orders.iter().chain(&self.tape);
        let mut found: Vec<_> = everybody.filter(takes_part).collect();
        found.sort_by_key(|order| {
            let price = order.limit.map(|limit| badness(side, limit));
            let time = match order.place {
                Place::Book if order.is_tape => self.time_before(order),
                Place::Book => order.time,
                _ => order.entry,
            };
            (price, order.hidden, time, order.time)
        });
        found
    }

    /// The time of the last strategy's order that stands ahead of one of the market: all that is
    /// known of the latter's own, beside its place. 0 where there is none.
    fn time_before(&self, market: &Order) -> u64 {
        let ahead = self.queue(market.at, market.side).into_iter().filter(|order| {
            !order.is_tape && order.price == market.price && order.time < market.time
        });
        ahead.filter(|order| order.is_displayed()).map(|order| order.time).max().unwrap_or(0)
    }

    /// What an auction would give now.
    pub(super) fn figures(&self, at: usize, closing: bool, reference: Option<i64>) -> Figures {
        let buyers = self.participants(at, Side::Buy, closing);
        let sellers = self.participants(at, Side::Sell, closing);
        let mut prices: Vec<i64> =
            buyers.iter().chain(&sellers).filter_map(|order| order.limit).collect();
        prices.extend(reference);
        let outcomes = prices.into_iter().map(|price| {
            let shares = |orders: &[&Order]| -> u64 {
                let willing = |order: &&&Order| order.reaches(order.limit, price);
                orders.iter().filter(willing).map(|order| order.whole()).sum()
            };
            (price, shares(&buyers), shares(&sellers))
        });
        let best = outcomes.filter(|(_, buy, sell)| buy.min(sell) > &0).min_by_key(
            |&(price, buy, sell)| {
                let most = std::cmp::Reverse(buy.min(sell));
                (most, buy.abs_diff(sell), reference.map(|near| near.abs_diff(price)), price)
            },
        );
        let Some((price, buy, sell)) = best else { return Figures::default() };
        let side = match buy.cmp(&sell) {
            std::cmp::Ordering::Greater => Some(Side::Buy),
            std::cmp::Ordering::Less => Some(Side::Sell),
            std::cmp::Ordering::Equal => None,
        };
        Figures {
            price: Some(Amount::new(price)),
            quantity: buy.min(sell),
            imbalance: buy.abs_diff(sell),
            side,
        }
    }

    /// Pairs the first of the buyers with the first of the sellers until the shares are out.
    fn trade_at(&mut self, at: usize, closing: bool, price: i64, shares: u64) {
        let (mut left, mut last) = (shares, [None; 2]);
        while left > 0 {
            let first = |side| {
                let queue = self.participants(at, side, closing);
                (*queue.first().expect("the shares were counted")).clone()
            };
            let (buyer, seller) = (first(Side::Buy), first(Side::Sell));
            let quantity = left.min(buyer.whole()).min(seller.whole());
            left -= quantity;
            if buyer.is_tape && seller.is_tape {
                // Left to the tape; nobody is told.
                self.tape_order(buyer.id).met += quantity;
                self.tape_order(seller.id).met += quantity;
                continue;
            }
            let own = |order: &Order| (!order.is_tape).then_some(order.id);
            let (buyer_id, seller_id) = (own(&buyer), own(&seller));
            // The market's orders have entry 0: they are earlier than every strategy's.
            let (maker, taker) =
                if buyer.entry < seller.entry { (buyer, seller) } else { (seller, buyer) };
            self.execute(at, Some(&maker), Some(&taker), None, price, quantity);
            // The last of each side may have shares left.
            last = [buyer_id, seller_id];
        }
        last.into_iter().flatten().for_each(|id| self.refill(id));
        for order in &mut self.tape {
            order.met = 0;
        }
    }
}
