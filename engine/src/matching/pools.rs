//! Where orders stand that are not plain, and how they get there and away.

use spindle_types::{EventTime, InstrumentId, Price, Quantity, Side, keep};

use super::TAPE_FILLS_MAX;
use super::forest::{Forest, Key, NONE, Root};
use crate::book::{OrderKey, Placement};
use crate::command::AccountSettings;
use crate::engine::{Address, Engine};
use crate::event::{CancelReason, Figures, Outcome};
use crate::own::{OwnOrder, Stay};
use crate::publication::Cause;

/// What an instrument has beyond plain orders: bits of [`Instrument`](crate::Instrument).
pub(crate) mod features {
    /// Hidden buy orders stand; hidden sell orders are the next bit.
    pub(crate) const HIDDEN: u16 = 1;
    /// Stops wait.
    pub(crate) const STOPS: u16 = 4;
    /// Trailing stops are among them.
    pub(crate) const TRAILING: u16 = 8;
    /// Pegs stand or wait.
    pub(crate) const PEGS: u16 = 16;
    /// Elected stops wait for their turn.
    pub(crate) const ELECTED: u16 = 32;
    /// The phase is not continuous trading.
    pub(crate) const PHASE: u16 = 64;
    /// Orders are collected.
    pub(crate) const COLLECTS: u16 = 128;
    /// Tick or lot is not 1.
    pub(crate) const STEPS: u16 = 256;

    /// With one of these, nothing takes the short way.
    pub(crate) const COMPLEX: u16 = HIDDEN | (HIDDEN << 1) | STOPS | PEGS | ELECTED | PHASE;
    /// With one of these, a change of the book may lead to more.
    pub(crate) const WATCHED: u16 = PEGS | ELECTED | COLLECTS;
}

/// How many orders ahead of the one that is cancelled its neighbours in a list are asked for.
const AHEAD: usize = 8;

/// What an order is, beyond its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub(crate) enum Kind {
    Plain,
    MarketToLimit,
    Stop,
    Trailing,
    Midpoint,
    Primary,
}

impl Kind {
    pub(crate) const fn is_stop(self) -> bool {
        matches!(self, Self::Stop | Self::Trailing)
    }

    pub(crate) const fn is_peg(self) -> bool {
        matches!(self, Self::Midpoint | Self::Primary)
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub(crate) enum Place {
    /// In the book, displayed.
    Shown,
    /// In the book, hidden.
    Hidden,
    /// Among the stops that wait.
    Stop,
    /// In the queue of elected stops.
    Elected,
    /// Among the orders for the closing auction.
    Close,
    /// Among the orders for the tape's opening cross.
    Open,
    /// Among the market orders that an auction collects.
    Market,
    /// Nowhere: a peg without a price.
    Waiting,
}

/// What is known of an order that is not plain, beside its [`OwnOrder`].
#[derive(Clone, Copy, Debug, keep::Value)]
pub(crate) struct Special {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) hidden: bool,
    pub(crate) post_only: bool,
    /// Shares shown at a time; 0 for all.
    pub(crate) display: u32,
    /// Shares of a standing iceberg that are not shown.
    pub(crate) reserve: u32,
    /// The stop price of a stop that was not triggered yet.
    pub(crate) stop: u32,
    pub(crate) trail: u32,
    pub(crate) offset: i32,
    /// Where it stands in the book.
    pub(crate) price: u32,
    /// The least that may execute on entry; 0 afterwards.
    pub(crate) minimum: u32,
    /// When it expires, if it does.
    pub(crate) expiry: EventTime,
    /// Its time among orders of one price: that of its entry, or of what lost it its place.
    pub(crate) time: u64,
}

impl Special {
    pub(crate) const PLAIN: Self = Self {
        kind: Kind::Plain,
        place: Place::Shown,
        hidden: false,
        post_only: false,
        display: 0,
        reserve: 0,
        stop: 0,
        trail: 0,
        offset: 0,
        price: 0,
        minimum: 0,
        expiry: EventTime(0),
        time: 0,
    };

    /// How often a standing iceberg can be refilled.
    const fn refills(&self) -> u64 {
        match self.display {
            0 => 0,
            display => self.reserve.div_ceil(display) as u64,
        }
    }
}

/// An order that stands nowhere at the moment: it comes, or was taken out to come again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) order: OwnOrder,
    pub(crate) special: Special,
    pub(crate) open: u32,
    /// The stamp of the request that brought it; 0 where none did.
    pub(crate) received: u64,
}

impl Incoming {
    #[inline]
    pub(crate) const fn side(&self) -> Side {
        self.order.side.book_side()
    }

    pub(crate) const fn address(&self) -> Address {
        let OwnOrder { session, account, token, .. } = self.order;
        Address { session, account, token, received: self.received }
    }
}

/// The sets of one instrument.
#[derive(Clone, Copy, Debug, keep::Value)]
pub(crate) struct Pools {
    pub(crate) hidden: [Root; 2],
    pub(crate) close: [Root; 2],
    pub(crate) open: [Root; 2],
    pub(crate) market: [Root; 2],
    /// Icebergs that stand displayed, with their reserves as weight.
    pub(crate) icebergs: [Root; 2],
    /// Primary pegs that stand, with their shares as weight.
    pub(crate) primaries: [Root; 2],
    pub(crate) stops: [Root; 2],
    pub(crate) elected: Root,
    /// Trailing stops and pegs, in order of entry.
    pub(crate) trailing: Root,
    pub(crate) pegs: Root,
    /// Prints up to the first move no trailing sell, prints from the second on no trailing buy.
    pub(crate) marks: (u32, i64),
    /// The reference prices by which the pegs stand; 0 for none.
    pub(crate) references: (u32, u32),
    /// Whether a peg has come since.
    pub(crate) peg_came: bool,
    /// Whether the instrument is in the list of those to be settled.
    pub(crate) dirty: bool,
    /// The indicative figures that were told last.
    pub(crate) told: Figures,
}

impl Pools {
    const EMPTY: Self = Self {
        hidden: [NONE; 2],
        close: [NONE; 2],
        open: [NONE; 2],
        market: [NONE; 2],
        icebergs: [NONE; 2],
        primaries: [NONE; 2],
        stops: [NONE; 2],
        elected: NONE,
        trailing: NONE,
        pegs: NONE,
        marks: (u32::MAX, -1),
        references: (0, 0),
        peg_came: false,
        dirty: false,
        told: Figures::NONE,
    };

    /// The set that an order belongs to by its place.
    fn place(&mut self, special: &Special, side: Side) -> Option<&mut Root> {
        let side = side.index();
        Some(match special.place {
            Place::Shown if special.display > 0 => &mut self.icebergs[side],
            Place::Shown if special.kind == Kind::Primary => &mut self.primaries[side],
            Place::Shown | Place::Waiting => return None,
            Place::Hidden => &mut self.hidden[side],
            Place::Stop => &mut self.stops[side],
            Place::Elected => &mut self.elected,
            Place::Close => &mut self.close[side],
            Place::Open => &mut self.open[side],
            Place::Market => &mut self.market[side],
        })
    }

    /// The set of those that are looked at in order of entry.
    fn following(&mut self, special: &Special) -> Option<&mut Root> {
        match special.kind {
            Kind::Midpoint | Kind::Primary => Some(&mut self.pegs),
            Kind::Trailing if special.place == Place::Stop => Some(&mut self.trailing),
            _ => None,
        }
    }
}

/// The rank of a price in the book of a side: the best first.
#[inline]
pub(crate) fn rank_of(side: Side, price: u32) -> u64 {
    u64::from(match side {
        Side::Buy => !price,
        Side::Sell => price,
    })
}

/// The price of a rank of a side.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "ranks are made of prices")]
pub(crate) fn price_of(side: Side, rank: u64) -> u32 {
    match side {
        Side::Buy => !(rank as u32),
        Side::Sell => rank as u32,
    }
}

/// All that is known beyond plain orders.
#[derive(Debug, keep::State)]
pub(crate) struct Extras {
    pub(crate) specials: Box<[Special]>,
    pub(crate) pools: Box<[Pools]>,
    pub(crate) places: Forest,
    pub(crate) followers: Forest,
    pub(crate) expiries: Forest,
    pub(crate) expiring: Root,
    /// The first time at which something expires.
    pub(crate) next_expiry: EventTime,
    /// Instruments to be settled at the end of the input.
    pub(crate) dirty: Vec<InstrumentId>,
    /// For lists of orders in order of entry.
    #[keep(skip)]
    pub(crate) list: Vec<(u64, u32)>,
    /// How often all standing icebergs together can be refilled.
    pub(crate) refills: u64,
    pub(crate) accounts: Box<[AccountSettings]>,
    /// Instruments of which a change may lead to more.
    pub(crate) watched: u32,
    /// Hidden orders that stand.
    pub(crate) hidden: u32,
    /// Executions against orders of the market that this input may still cause.
    pub(crate) tape_fills: usize,
    /// What comes later has more.
    clock: u64,
}

impl Extras {
    /// Whether every number leads somewhere.
    pub(crate) fn leads_somewhere(&self) -> bool {
        let forests = [&self.places, &self.followers, &self.expiries];
        let instruments = self.pools.len();
        let has = |roots: &[Root]| roots.iter().all(|&root| self.places.has(root));
        forests.iter().all(|forest| forest.leads_somewhere())
            && self.expiries.has(self.expiring)
            && self.dirty.iter().all(|one| one.index() < instruments)
            && self.dirty.len() <= instruments
            && self.pools.iter().all(|pools| {
                let Pools { hidden, close, open, market, icebergs, primaries, stops, .. } = pools;
                [hidden, close, open, market, icebergs, primaries, stops]
                    .iter()
                    .all(|two| has(*two))
                    && has(&[pools.elected])
                    && [pools.trailing, pools.pegs].iter().all(|&root| self.followers.has(root))
            })
    }

    pub(crate) fn new(own_orders: usize, instruments: usize, accounts: usize) -> Self {
        Self {
            specials: vec![Special::PLAIN; own_orders].into(),
            pools: vec![Pools::EMPTY; instruments].into(),
            places: Forest::new(own_orders),
            followers: Forest::new(own_orders),
            expiries: Forest::new(own_orders),
            expiring: NONE,
            next_expiry: EventTime(u64::MAX),
            dirty: Vec::with_capacity(instruments),
            list: Vec::with_capacity(own_orders),
            refills: 0,
            accounts: vec![AccountSettings::default(); accounts].into(),
            watched: 0,
            hidden: 0,
            tape_fills: TAPE_FILLS_MAX,
            clock: 0,
        }
    }

    /// Bytes for so many orders and instruments.
    pub(crate) fn bytes(own_orders: usize, instruments: usize) -> usize {
        own_orders * (size_of::<Special>() + 3 * Forest::NODE_BYTES + size_of::<(u64, u32)>())
            + instruments * (size_of::<Pools>() + size_of::<InstrumentId>())
    }

    /// Forgets what is known of instruments. No order is open.
    pub(crate) fn clear(&mut self) {
        self.pools.fill(Pools::EMPTY);
        self.dirty.clear();
        self.watched = 0;
    }

    /// The next moment.
    #[inline]
    pub(crate) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

impl Engine {
    /// Open shares of an order, reserve included.
    #[inline]
    pub(crate) fn open_of(&self, index: u32) -> u32 {
        let own = self.own.get(index);
        let reserve = if own.special { self.extras.specials[index as usize].reserve } else { 0 };
        self.books.order(own.slot).quantity() + reserve
    }

    /// Puts an order down at the place that its `special` names, in the book at the price named
    /// there. Where a table is full the order is cancelled and its session told.
    pub(crate) fn lodge(&mut self, mut incoming: Incoming) {
        let Incoming { order, special, open, .. } = &mut incoming;
        let key = OrderKey::own(order.session, order.token);
        let (instrument, side) = (order.instrument, order.side.book_side());
        let index = self.own.next_index();
        let placed = match special.place {
            Place::Shown => {
                let shown = if special.display > 0 { special.display.min(*open) } else { *open };
                special.reserve = *open - shown;
                let (quantity, price) = (Quantity(shown), Price(special.price));
                let placement = Placement { instrument, side, quantity, price };
                self.books.add(key, &placement, Some(index)).map(|placed| placed.slot)
            }
            _ => {
                special.reserve = 0;
                self.books.park(key, instrument, side, Quantity(*open), index)
            }
        };
        let Ok(slot) = placed else {
            let (to, open) = (incoming.address(), Quantity(incoming.open));
            let holder = incoming.order.holder();
            return self.cancel_remainder(to, holder, open, CancelReason::Capacity);
        };
        order.slot = slot;
        order.special = special.place != Place::Shown
            || special.kind != Kind::Plain
            || special.display > 0
            || special.post_only
            || special.time != order.entry
            || order.stay == Stay::GoodTillDate;
        self.own.insert(*order);
        if order.special {
            self.extras.specials[index as usize] = *special;
            self.link(index);
            self.link_expiry(index);
        }
        self.see_order(slot, Cause::Canceled);
    }

    /// Takes an order out, for it to come again.
    pub(crate) fn lift(&mut self, index: u32, cause: Cause) -> Incoming {
        let order = *self.own.get(index);
        let special = match order.special {
            true => self.extras.specials[index as usize],
            false => Special { time: order.entry, ..Special::PLAIN },
        };
        let open = self.open_of(index);
        self.discard(index, cause);
        Incoming { order, special, open, received: 0 }
    }

    /// Takes an order out for good. Returns whether the best of its side may have changed.
    #[inline]
    pub(crate) fn discard(&mut self, index: u32, cause: Cause) -> bool {
        let order = self.own.get(index);
        let (slot, special) = (order.slot, order.special);
        self.see_leaving(slot, cause);
        if special {
            return self.discard_special(index);
        }
        self.own.remove(index);
        self.books.remove(slot)
    }

    #[cold]
    fn discard_special(&mut self, index: u32) -> bool {
        self.unlink_expiry(index);
        self.unlink(index);
        let slot = self.own.get(index).slot;
        self.own.remove(index);
        if self.books.is_parked(slot) {
            self.books.unpark(slot);
            false
        } else {
            self.books.remove(slot)
        }
    }

    /// Enters an order that has a `special` into the sets of its place.
    pub(crate) fn link(&mut self, index: u32) {
        let order = self.own.get(index);
        let (instrument, side, entry) = (order.instrument, order.side.book_side(), order.entry);
        let open = self.books.order(order.slot).quantity();
        let is_market = order.limit.get().is_none();
        let extras = &mut self.extras;
        let special = &extras.specials[index as usize];
        let pools = &mut extras.pools[instrument.index()];
        let time = special.time;
        let rank = match special.place {
            Place::Shown | Place::Hidden => rank_of(side, special.price),
            Place::Close | Place::Open if !is_market => {
                rank_of(side, order.limit.get().map_or(special.price, |limit| limit.0))
            }
            Place::Stop => rank_of(side.opposite(), special.stop),
            Place::Close | Place::Open | Place::Elected | Place::Market | Place::Waiting => 0,
        };
        let weight = match special.place {
            Place::Shown if special.display > 0 => special.reserve,
            _ => open,
        };
        if let Some(root) = pools.place(special, side) {
            extras.places.insert(root, index, Key { rank, time }, weight);
        }
        if let Some(root) = pools.following(special) {
            extras.followers.insert(root, index, Key { rank: entry, time: 0 }, 0);
        }
        match special.place {
            Place::Hidden => extras.hidden += 1,
            Place::Waiting => pools.peg_came = true,
            Place::Stop if special.kind == Kind::Trailing => match side {
                Side::Sell => {
                    let mark = special.stop.saturating_add(special.trail);
                    pools.marks.0 = pools.marks.0.min(mark);
                }
                Side::Buy => {
                    let mark = i64::from(special.stop) - i64::from(special.trail);
                    pools.marks.1 = pools.marks.1.max(mark);
                }
            },
            _ => {}
        }
        extras.refills += special.refills();
        self.refresh(instrument);
    }

    /// Takes an order out of the sets of its place.
    pub(crate) fn unlink(&mut self, index: u32) {
        let order = self.own.get(index);
        let (instrument, side) = (order.instrument, order.side.book_side());
        let extras = &mut self.extras;
        let special = &extras.specials[index as usize];
        let pools = &mut extras.pools[instrument.index()];
        if let Some(root) = pools.place(special, side) {
            extras.places.remove(root, index);
        }
        if let Some(root) = pools.following(special) {
            extras.followers.remove(root, index);
        }
        if special.place == Place::Hidden {
            extras.hidden -= 1;
        }
        extras.refills -= special.refills();
        self.refresh(instrument);
    }

    /// Enters an order that has a `special` among those that expire, if it does.
    pub(crate) fn link_expiry(&mut self, index: u32) {
        let order = self.own.get(index);
        if order.stay != Stay::GoodTillDate {
            return;
        }
        let expiry = self.extras.specials[index as usize].expiry;
        let key = Key { rank: expiry.0, time: order.entry };
        self.extras.expiries.insert(&mut self.extras.expiring, index, key, 0);
        self.refresh_expiry();
    }

    /// Takes an order that has a `special` out of those that expire, if it is among them.
    pub(crate) fn unlink_expiry(&mut self, index: u32) {
        if self.own.get(index).stay == Stay::GoodTillDate {
            self.extras.expiries.remove(&mut self.extras.expiring, index);
            self.refresh_expiry();
        }
    }

    fn refresh_expiry(&mut self) {
        let first = self.extras.expiries.first(self.extras.expiring);
        let time = first.map_or(u64::MAX, |index| self.extras.expiries.key(index).rank);
        self.extras.next_expiry = EventTime(time);
    }

    /// Sizes of an order that has a `special` and stays in its place: shares that the books count,
    /// and reserve. Returns whether the best of its side may have changed.
    pub(crate) fn resize(&mut self, index: u32, shown: u32, reserve: u32) -> bool {
        let order = self.own.get(index);
        let (slot, side, instrument) = (order.slot, order.side.book_side(), order.instrument);
        let changed = self.books.resize(slot, Quantity(shown));
        self.reweigh(index, instrument, side, shown, reserve);
        changed
    }

    /// Tells the sets of an order's place what it has now.
    pub(crate) fn reweigh(
        &mut self,
        index: u32,
        instrument: InstrumentId,
        side: Side,
        shown: u32,
        reserve: u32,
    ) {
        let extras = &mut self.extras;
        let special = &mut extras.specials[index as usize];
        extras.refills -= special.refills();
        special.reserve = reserve;
        extras.refills += special.refills();
        let weight = match special.place {
            Place::Shown if special.display > 0 => reserve,
            _ => shown,
        };
        if let Some(root) = extras.pools[instrument.index()].place(special, side) {
            extras.places.set_weight(*root, index, weight);
        }
    }

    /// Takes shares off an order that keeps more than these and its place: of an iceberg the
    /// reserve first. Returns whether the best of its side may have changed.
    pub(crate) fn reduce_open(&mut self, index: u32, by: u32) -> bool {
        let order = self.own.get(index);
        let slot = order.slot;
        if by == 0 {
            return false;
        }
        if !order.special {
            let changed = self.books.reduce(slot, Quantity(by));
            self.see_order(slot, Cause::Canceled);
            return changed;
        }
        let shown = self.books.order(slot).quantity();
        let reserve = self.extras.specials[index as usize].reserve;
        let from_reserve = by.min(reserve);
        let changed = self.resize(index, shown - (by - from_reserve), reserve - from_reserve);
        self.see_order(slot, Cause::Canceled);
        changed
    }

    /// Cancels an open order and tells its session.
    #[inline]
    pub(crate) fn cancel_own(&mut self, index: u32, reason: CancelReason, received: u64) {
        let own = self.own.get(index);
        let (instrument, holder) = (own.instrument, own.holder());
        let to = Address { session: own.session, account: own.account, token: own.token, received };
        let quantity = Quantity(self.open_of(index));
        self.gate.release(&holder, quantity, true);
        if self.discard(index, Cause::Canceled) {
            self.publish(instrument);
        }
        self.touch(instrument);
        self.emit(to, Outcome::Canceled { quantity, open: Quantity::ZERO, reason });
    }

    /// Cancels, in order of entry, every open order that `which` means. Returns how many.
    pub(crate) fn cancel_in_order(
        &mut self,
        reason: CancelReason,
        which: impl Fn(&Self, u32) -> bool,
    ) -> u32 {
        self.cancel_for(reason, None, which)
    }

    /// As [`Engine::cancel_in_order`], for a request: who asked reads its stamp in what is told of
    /// its own orders.
    pub(crate) fn cancel_for(
        &mut self,
        reason: CancelReason,
        asked: Option<Address>,
        which: impl Fn(&Self, u32) -> bool,
    ) -> u32 {
        let mut list = std::mem::take(&mut self.extras.list);
        let meant = self.own.iter().filter(|&(index, _)| which(self, index));
        list.extend(meant.map(|(index, order)| (order.entry, index)));
        list.sort_unstable();
        let mut count = 0;
        for (at, &(_, index)) in list.iter().enumerate() {
            if let Some(&(_, later)) = list.get(at + AHEAD) {
                let later = self.own.get(later);
                self.books.ask_for_standing(later.slot, OrderKey::own(later.session, later.token));
            }
            let session = self.own.get(index).session;
            let received = asked.filter(|to| to.session == session).map_or(0, |to| to.received);
            self.cancel_own(index, reason, received);
            count += 1;
        }
        list.clear();
        self.extras.list = list;
        count
    }

    /// Whether an order is a market order that an auction collects.
    pub(crate) fn is_collected_market(&self, index: u32) -> bool {
        self.own.get(index).special && self.extras.specials[index as usize].place == Place::Market
    }

    /// Works out what an instrument has beyond plain orders.
    pub(crate) fn refresh(&mut self, instrument: InstrumentId) {
        let pools = &self.extras.pools[instrument.index()];
        let Some(known) = self.instruments.get_mut(instrument) else {
            return;
        };
        let bit = |is_set: bool, bit: u16| if is_set { bit } else { 0 };
        let now = bit(pools.hidden[0] != NONE, features::HIDDEN)
            | bit(pools.hidden[1] != NONE, features::HIDDEN << 1)
            | bit(pools.stops != [NONE; 2], features::STOPS)
            | bit(pools.trailing != NONE, features::TRAILING)
            | bit(pools.pegs != NONE, features::PEGS)
            | bit(pools.elected != NONE, features::ELECTED)
            | bit(known.phase != crate::command::TradingPhase::Continuous, features::PHASE)
            | bit(known.phase.collects(), features::COLLECTS)
            | bit(known.steps.tick > 1 || known.steps.lot > 1, features::STEPS);
        let before = std::mem::replace(&mut known.features, now);
        match (before & features::WATCHED != 0, now & features::WATCHED != 0) {
            (false, true) => self.extras.watched += 1,
            (true, false) => self.extras.watched -= 1,
            _ => {}
        }
    }
}
