//! Auctions: the price at which most trades, and who trades there.

use std::cmp::Reverse;

use spindle_types::{InstrumentId, Price, Quantity, Side};

use super::Place;
use super::forest::Root;
use super::pools::{price_of, rank_of};
use super::taker::Execution;
use crate::book::Slot;
use crate::command::TradingPhase;
use crate::engine::{Address, Engine};
use crate::event::{Auction, Basis, Figures, Liquidity, Outcome};
use crate::publication::Cause;

/// How good an auction price is: most shares, least imbalance, nearest the reference. Among equals
/// the first looked at, the lowest, stays.
type Rating = (u64, Reverse<u64>, Reverse<u32>);

/// Shares that would trade at or beyond a price, counted as prices go up.
struct Demand<'a> {
    engine: &'a Engine,
    side: Side,
    /// Sets whose members have a price.
    sets: [Root; 3],
    /// Shares without a limit.
    market: u64,
}

impl Demand<'_> {
    /// Shares in the sets that take part at a price.
    fn in_sets(&self, price: u32) -> u64 {
        let places = &self.engine.extras.places;
        let rank = rank_of(self.side, price);
        self.sets.iter().map(|&set| places.sum_to(set, rank)).sum::<u64>() + self.market
    }

    /// The next price above this one at which somebody in the sets has a limit.
    fn above(&self, price: u32) -> Option<u32> {
        let places = &self.engine.extras.places;
        let rank = rank_of(self.side, price);
        let next = |&set: &Root| match self.side {
            Side::Sell => places.after_rank(set, rank),
            // Rank 0 is that of orders without a limit.
            Side::Buy => places.before_rank(set, rank).filter(|&at| places.key(at).rank > 0),
        };
        let price = |index| price_of(self.side, places.key(index).rank);
        self.sets.iter().filter_map(next).map(price).min()
    }
}

/// Where an auction is in one side's displayed queue.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    slot: Option<Slot>,
    /// Shares of the market's order there that met another order of the market.
    met: u32,
}

/// Who is next in an auction.
#[derive(Clone, Copy, Debug)]
enum Participant {
    Own { index: u32, is_shown: bool },
    Market(Slot),
}

/// The iceberg of a side whose displayed shares an auction has used up, and by what. It is the last that is executed:
/// whoever comes before it has nothing left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsedUp {
    index: u32,
    cause: Cause,
}

impl Engine {
    /// What an auction would give now, with or without at-close orders.
    pub(crate) fn figures(
        &self,
        instrument: InstrumentId,
        with_close: bool,
        reference: Option<Price>,
    ) -> Figures {
        let pools = &self.extras.pools[instrument.index()];
        let none = super::forest::NONE;
        let demand = |side: Side| {
            let at = side.index();
            let close = if with_close { pools.close[at] } else { none };
            Demand {
                engine: self,
                side,
                sets: [pools.hidden[at], pools.icebergs[at], close],
                market: self.extras.places.sum(pools.market[at]),
            }
        };
        let (buyers, sellers) = (demand(Side::Buy), demand(Side::Sell));
        let mut bids = self.books.levels_of(instrument, Side::Buy).rev().peekable();
        let mut asks = self.books.levels_of(instrument, Side::Sell).peekable();
        let mut bought: u64 =
            self.books.levels_of(instrument, Side::Buy).map(|level| level.quantity).sum();
        let mut sold = 0;
        let reference = reference.map(|price| price.0).filter(|&price| price > 0);
        let mut best: Option<(Rating, Figures)> = None;
        let mut at = 0;
        loop {
            while bids.peek().is_some_and(|level| level.price.0 <= at || level.quantity == 0) {
                bought -= bids.next().map_or(0, |level| level.quantity);
            }
            while asks.peek().is_some_and(|level| level.price.0 <= at || level.quantity == 0) {
                sold += asks.next().map_or(0, |level| level.quantity);
            }
            let next = [
                bids.peek().map(|level| level.price.0),
                asks.peek().map(|level| level.price.0),
                buyers.above(at),
                sellers.above(at),
                reference.filter(|&price| price > at),
            ];
            let Some(price) = next.into_iter().flatten().min() else {
                break;
            };
            at = price;
            let asked = asks.peek().filter(|level| level.price.0 == at);
            let supply = sold + asked.map_or(0, |level| level.quantity) + sellers.in_sets(at);
            let demand = bought + buyers.in_sets(at);
            let quantity = supply.min(demand);
            let imbalance = supply.abs_diff(demand);
            let distance = reference.map_or(0, |reference| reference.abs_diff(at));
            let rating = (quantity, Reverse(imbalance), Reverse(distance));
            if quantity > 0 && best.is_none_or(|(before, _)| rating > before) {
                let side = match imbalance {
                    0 => None,
                    _ if demand > supply => Some(Side::Buy),
                    _ => Some(Side::Sell),
                };
                let price = Some(Price(at));
                best = Some((rating, Figures { price, quantity, imbalance, side }));
            }
        }
        best.map_or(Figures::NONE, |(_, figures)| figures)
    }

    /// Tells what an auction would give, if orders are collected and it has changed.
    pub(crate) fn tell_indicative(&mut self, instrument: InstrumentId) {
        let known = self.instruments.get(instrument);
        if !known.phase.collects() {
            return;
        }
        let reference = (known.last_print > 0).then_some(Price(known.last_print));
        let with_close = known.phase == TradingPhase::PreClose;
        let figures = self.figures(instrument, with_close, reference);
        let told = &mut self.extras.pools[instrument.index()].told;
        if *told != figures {
            *told = figures;
            self.emit(Address::NOBODY, Outcome::Indicative { symbol: known.symbol, figures });
        }
    }

    /// What an auction gives whose price shall be near this reference, or else near the last print.
    pub(crate) fn auction_figures(
        &self,
        instrument: InstrumentId,
        with_close: bool,
        reference: Option<Price>,
    ) -> Figures {
        let known = self.instruments.get(instrument);
        let last = (known.last_print > 0).then_some(Price(known.last_print));
        self.figures(instrument, with_close, reference.or(last))
    }

    /// Holds an auction. Returns its price where something traded.
    pub(crate) fn hold_auction(
        &mut self,
        instrument: InstrumentId,
        kind: Auction,
        reference: Option<Price>,
    ) -> Option<Price> {
        let known = self.instruments.get(instrument);
        let with_close = kind == Auction::Closing;
        let figures = self.auction_figures(instrument, with_close, reference);
        let price = figures.price?;
        self.emit(Address::NOBODY, Outcome::Auction { symbol: known.symbol, kind, figures });
        self.see_auction(instrument, kind, price, figures.quantity);
        let mut left = figures.quantity;
        let mut cursors = [Side::Buy, Side::Sell]
            .map(|side| Cursor { slot: self.books.first(instrument, side), met: 0 });
        let mut used_up = [None; 2];
        while left > 0 {
            let buyer = self.next_in_auction(instrument, Side::Buy, with_close, &mut cursors[0]);
            let seller = self.next_in_auction(instrument, Side::Sell, with_close, &mut cursors[1]);
            let (Some(buyer), Some(seller)) = (buyer, seller) else {
                debug_assert!(false, "the shares were counted");
                break;
            };
            let shares = |who: Participant, cursor: &Cursor| match who {
                Participant::Own { index, .. } => self.open_of(index),
                Participant::Market(slot) => self.books.order(slot).available() - cursor.met,
            };
            let quantity = shares(buyer, &cursors[0]).min(shares(seller, &cursors[1]));
            let quantity = u32::try_from(left).map_or(quantity, |left| quantity.min(left));
            left -= u64::from(quantity);
            if let (Participant::Market(_), Participant::Market(_)) = (buyer, seller) {
                cursors[0].met += quantity;
                cursors[1].met += quantity;
                continue;
            }
            let meets_tape =
                matches!(buyer, Participant::Market(_)) || matches!(seller, Participant::Market(_));
            if meets_tape && !self.may_take_from_tape() {
                break;
            }
            let entry = |who| match who {
                Participant::Own { index, .. } => self.own.get(index).entry,
                Participant::Market(_) => 0,
            };
            let is_buyer_first = entry(buyer) < entry(seller);
            let reference = |who| match who {
                Participant::Own { .. } => None,
                Participant::Market(slot) => self.books.order(slot).key().reference(),
            };
            let tape = reference(buyer).or(reference(seller));
            let match_number = self.next_match();
            let [buying, selling] = &mut cursors;
            let [bought, sold] = &mut used_up;
            let mut pair = [(buyer, buying, bought), (seller, selling, sold)];
            if !is_buyer_first {
                pair.reverse();
            }
            let liquidity = [Liquidity::Added, Liquidity::Removed];
            for ((who, cursor, used_up), liquidity) in pair.into_iter().zip(liquidity) {
                let quantity = Quantity(quantity);
                match who {
                    Participant::Own { index, is_shown } => {
                        if is_shown && self.open_of(index) == quantity.0 {
                            cursor.slot = cursor.slot.and_then(|slot| self.books.behind(slot));
                        }
                        let execution = Execution {
                            quantity,
                            price,
                            match_number,
                            liquidity,
                            tape,
                            basis: Basis::Queue,
                        };
                        self.fill_in_auction(index, execution, used_up);
                    }
                    Participant::Market(slot) => {
                        let cause = Cause::Executed { match_number, price, printable: true };
                        self.take_from_tape(instrument, slot, quantity, cause);
                    }
                }
            }
        }
        used_up.into_iter().for_each(|used_up| self.show_next_slice(used_up));
        self.see_auction_over();
        Some(price)
    }

    /// The first of a side that has shares left: market orders, then better prices, at a price
    /// displayed orders before hidden ones, then time.
    fn next_in_auction(
        &self,
        instrument: InstrumentId,
        side: Side,
        with_close: bool,
        cursor: &mut Cursor,
    ) -> Option<Participant> {
        while let Some(slot) = cursor.slot
            && self.books.order(slot).available() == cursor.met
        {
            *cursor = Cursor { slot: self.books.behind(slot), met: 0 };
        }
        let shown = cursor.slot.map(|slot| {
            let rank = rank_of(side, self.books.price_of(slot).0);
            match self.books.order(slot).own_index() {
                Some(index) => {
                    let order = self.own.get(index);
                    let time = match order.special {
                        true => self.extras.specials[index as usize].time,
                        false => order.entry,
                    };
                    (rank, 0, time, Participant::Own { index, is_shown: true })
                }
                None => (rank, 0, 0, Participant::Market(slot)),
            }
        });
        let pools = &self.extras.pools[instrument.index()];
        let in_set = |set: Root, class: u8| {
            self.extras.places.first(set).map(|index| {
                let key = self.extras.places.key(index);
                (key.rank, class, key.time, Participant::Own { index, is_shown: false })
            })
        };
        let close = if with_close { pools.close[side.index()] } else { super::forest::NONE };
        [
            shown,
            in_set(pools.market[side.index()], 0),
            in_set(close, 0),
            in_set(pools.hidden[side.index()], 1),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|&(rank, class, time, _)| (rank, class, time))
        .map(|(.., who)| who)
    }

    /// Executes shares of a strategy's order in an auction. An iceberg takes part with all it has, in the place of what
    /// it shows. Once that is used up it is the one of its side that waits for its next slice: see
    /// [`Engine::show_next_slice`].
    pub(crate) fn fill_in_auction(
        &mut self,
        index: u32,
        execution: Execution,
        used_up: &mut Option<UsedUp>,
    ) {
        let quantity = execution.quantity;
        let own = *self.own.get(index);
        let open = self.open_of(index);
        let display = match own.special {
            true => self.extras.specials[index as usize].display,
            false => 0,
        };
        let is_iceberg = display > 0 && self.extras.specials[index as usize].place == Place::Shown;
        if !is_iceberg || open == quantity.0 {
            if is_iceberg {
                *used_up = None;
                self.resize(index, open, 0);
            }
            self.fill_own(index, execution);
            return;
        }
        let open = open - quantity.0;
        let shown = self.books.order(own.slot).quantity();
        self.own.get_mut(index).executed.0 += quantity.0;
        if used_up.is_none() && quantity.0 < shown {
            let shown = shown - quantity.0;
            self.resize(index, shown, open - shown);
            self.see_order(own.slot, execution.cause());
        } else {
            // Its place is that of whoever is next, until the auction is over.
            let shown = display.min(open);
            self.resize(index, shown, open - shown);
            *used_up = Some(UsedUp { index, cause: execution.cause() });
        }
        let to =
            Address { session: own.session, account: own.account, token: own.token, received: 0 };
        self.tell_executed(to, own.holder(), execution, Quantity(open));
    }

    /// The auction is over for a side. An iceberg that is left with shares, and with none of those that it showed, shows
    /// its next slice behind its level, as it does everywhere.
    pub(crate) fn show_next_slice(&mut self, used_up: Option<UsedUp>) {
        let Some(UsedUp { index, cause }) = used_up else { return };
        let open = self.open_of(index);
        let own = self.own.get(index);
        let (slot, instrument, side) = (own.slot, own.instrument, own.side.book_side());
        self.see_leaving(slot, cause);
        self.next_slice(index, slot, (instrument, side), open);
    }
}
