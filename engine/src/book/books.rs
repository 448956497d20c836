//! The books: what an add, a reduction and a removal do to table, queue, level and ladder.

use spindle_types::{InstrumentId, Price, Quantity, Side, keep};
use thiserror::Error;

use super::ladder::{Arena, Ladder, entry, level_of, price_of, rank};
use super::levels::{Level, LevelIndex, Levels, NO_LEVEL};
use super::orders::{LIVE_MAX, NONE, NoVacancy, Order, OrderKey, OrderTable, Slot};
use crate::RULES;
use spindle_feed::memory::table;
use spindle_feed::prefetch::prefetch;

mod parked;

/// How much the books hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Highest instrument number plus one, at most 65,536.
    pub instruments: usize,
    /// Orders that live at once.
    pub orders: usize,
    /// Price levels that live at once.
    pub levels: usize,
}

impl Capacity {
    /// Capacities within what the books can address: at least 16 of each, at most 65,536
    /// instruments and 2^26 orders and levels.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            instruments: self.instruments.clamp(1, 1 << 16),
            orders: self.orders.clamp(16, LIVE_MAX),
            levels: self.levels.clamp(16, LIVE_MAX),
        }
    }

    /// Bytes of memory that the books take for this, at the start and once.
    pub fn bytes(self) -> usize {
        let capacity = self.clamped();
        OrderTable::bytes(capacity.orders)
            + Levels::slots(capacity.levels) * size_of::<Level>()
            + Arena::bytes(capacity.levels, 2 * capacity.instruments)
            + capacity.instruments * (size_of::<Book>() + size_of::<u32>())
    }
}

/// Why an order does not enter a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BookError {
    /// The instrument's number is beyond the capacity.
    #[error("the instrument number is beyond the books' capacity")]
    Instrument,
    /// An order with this key lives already.
    #[error("an order with this reference lives already")]
    Duplicate,
    /// The table of orders is full.
    #[error("the table of orders is full")]
    Orders,
    /// The table of price levels is full.
    #[error("the table of price levels is full")]
    Levels,
}

/// An order that shall enter a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its instrument.
    pub instrument: InstrumentId,
    /// Its side.
    pub side: Side,
    /// Its shares, at least 1.
    pub quantity: Quantity,
    /// Its price.
    pub price: Price,
}

/// An order that entered a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its handle while it lives.
    pub slot: Slot,
    /// Whether the best of its side may have changed.
    pub best_changed: bool,
    /// Whether no order stood at its price.
    pub new_level: bool,
}

/// The best price of a side, and the shares that can be traded against there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Best {
    /// Price.
    pub price: Price,
    /// Shares, of the market and of strategies.
    pub quantity: u64,
}

/// A level, for those who look at a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelView {
    /// Price.
    pub price: Price,
    /// Shares that can be traded against.
    pub quantity: u64,
    /// Orders, those without an available share included.
    pub orders: u32,
}

/// Where the record probably is that a message is about: for looking ahead. Wrong where a slot was
/// taken; that costs time and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    entry: u32,
    level: LevelIndex,
    instrument: InstrumentId,
    /// Of an order that comes; 0 for one that goes.
    side: u8,
}

#[derive(Clone, Copy, Debug, keep::Value)]
#[repr(C, align(64))]
struct Book {
    /// The level of the last entry of each ladder, kept here because almost every message asks for
    /// it.
    best: [LevelIndex; 2],
    /// The price of that level, for orders that come and mostly do not reach it; 0 where there is
    /// none.
    best_price: [u32; 2],
    ladders: [Ladder; 2],
    /// Strategies' orders that stand on each side.
    own: [u32; 2],
}

const _: () = assert!(size_of::<Book>() == 64);

impl Book {
    const EMPTY: Self =
        Self { best: [NO_LEVEL; 2], best_price: [0; 2], ladders: [Ladder::EMPTY; 2], own: [0; 2] };
}

/// The books of all instruments.
#[derive(Debug, keep::State)]
#[keep(settle)]
pub struct Books {
    orders: OrderTable,
    levels: Levels,
    arena: Arena,
    books: Box<[Book]>,
    /// Market orders of which strategies have taken shares. While there are none, the last entry of
    /// a ladder is the best that can be traded against.
    taken_orders: usize,
    /// How many of those each instrument has: looked at only while there are any at all.
    taken_of: Box<[u32]>,
}

impl Books {
    /// Whether every number leads somewhere: nothing that is trusted later is out of range.
    fn settle_kept(&self) -> Result<(), keep::Unfit> {
        let (levels, instruments) = (self.levels.indices(), self.books.len());
        let leads = self.orders.leads_somewhere(levels, instruments)
            && self.levels.leads_somewhere(self.orders.slots())
            && self.arena.frees_what_is_there()
            && self.books.iter().all(|book| {
                book.best.iter().all(|&level| (level as usize) < levels)
                    && book.ladders.iter().all(|one| self.arena.leads_somewhere(one, levels))
            });
        if leads { Ok(()) } else { Err(keep::Unfit::new("Books", "a place that there is not")) }
    }

    /// The places in the table of strategies' orders that orders name.
    pub(crate) fn own_places(&self) -> impl Iterator<Item = u32> {
        self.orders.own_places()
    }

    /// Empty books of this capacity, [clamped](Capacity::clamped).
    pub fn new(capacity: Capacity) -> Self {
        let capacity = capacity.clamped();
        Self {
            orders: OrderTable::new(capacity.orders),
            levels: Levels::new(capacity.levels),
            arena: Arena::new(capacity.levels, 2 * capacity.instruments),
            books: table(capacity.instruments, Book::EMPTY),
            taken_orders: 0,
            taken_of: vec![0; capacity.instruments].into(),
        }
    }

    /// Writes to every page of the tables once. A page that is only reserved costs a fault, a
    /// thousand times a message, when it is first used.
    pub fn warm_up(&mut self) {
        self.orders.warm_up();
        self.levels.warm_up();
        self.arena.warm_up();
    }

    /// Empties all books. Takes as long as writing the tables once.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.levels.clear();
        self.arena.clear();
        self.books.fill(Book::EMPTY);
        self.taken_orders = 0;
        self.taken_of.fill(0);
    }

    /// Instruments that the books can hold; the highest number is one less.
    pub fn instruments(&self) -> usize {
        self.books.len()
    }

    /// Slots of orders that there are: the highest is one less.
    pub fn slots(&self) -> usize {
        self.orders.slots()
    }

    /// Orders that live now.
    pub fn live_orders(&self) -> usize {
        self.orders.live()
    }

    /// Levels that live now.
    pub fn live_levels(&self) -> usize {
        self.levels.live()
    }

    /// Whether one more order, at a price of its own, has room.
    #[inline]
    pub fn has_room(&self) -> bool {
        !self.orders.is_full() && !self.levels.is_full()
    }

    /// Orders or levels that live at most: of the table that is full, or else of that of orders.
    pub fn most(&self) -> usize {
        let all_orders = self.orders.is_full() || !self.levels.is_full();
        if all_orders { self.orders.live_max() } else { self.levels.live_max() }
    }

    /// Gives an order another key, which no order has, and leaves it in its place, with its handle.
    pub fn rekey(&mut self, slot: Slot, key: OrderKey) {
        self.orders.rekey(slot, key);
    }

    /// The order with this key.
    #[inline]
    pub fn find(&self, key: OrderKey) -> Option<Slot> {
        self.orders.find(key)
    }

    /// The order of a slot that lives.
    #[inline]
    pub fn order(&self, slot: Slot) -> &Order {
        self.orders.get(slot)
    }

    /// The price at which an order stands.
    #[inline]
    pub fn price_of(&self, slot: Slot) -> Price {
        Price(self.levels.get(self.orders.get(slot).level).price())
    }

    /// An order as it stands: with the shares that it has now.
    #[inline]
    pub fn placement_of(&self, slot: Slot) -> Placement {
        let order = self.orders.get(slot);
        Placement {
            instrument: order.instrument(),
            side: order.side(),
            quantity: Quantity(order.quantity),
            price: Price(self.levels.known(order.level).price()),
        }
    }

    /// Whether an order with this key may enter a book of this instrument, at whatever price.
    ///
    /// # Errors
    /// See [`BookError`].
    #[inline]
    pub fn admit(&self, key: OrderKey, instrument: InstrumentId) -> Result<(), BookError> {
        if instrument.index() >= self.books.len() {
            return Err(BookError::Instrument);
        }
        if self.levels.is_full() {
            return Err(BookError::Levels);
        }
        self.admit_key(key)
    }

    #[inline]
    fn admit_key(&self, key: OrderKey) -> Result<(), BookError> {
        self.orders.admit(key).map_err(|why| match why {
            NoVacancy::Full => BookError::Orders,
            NoVacancy::Duplicate => BookError::Duplicate,
        })
    }

    /// The first order of a side and its price, if an order of the other side with this limit
    /// reaches it.
    #[inline]
    pub fn reached(
        &self,
        instrument: InstrumentId,
        side: Side,
        limit: Price,
    ) -> Option<(Slot, Price)> {
        let book = &self.books[instrument.index()];
        let best = book.best[side.index()];
        let price = Price(book.best_price[side.index()]);
        let reached = best != NO_LEVEL && limit.reaches(side.opposite(), price);
        reached.then(|| (self.levels.known(best).head, price))
    }

    /// Whether an order of the other side with this limit reaches the best price of a side.
    #[inline]
    pub fn is_reached(&self, instrument: InstrumentId, side: Side, limit: Price) -> bool {
        self.books.get(instrument.index()).is_some_and(|book| {
            let price = Price(book.best_price[side.index()]);
            book.best[side.index()] != NO_LEVEL && limit.reaches(side.opposite(), price)
        })
    }

    /// How many strategies' orders stand on a side.
    #[inline]
    pub fn own_orders(&self, instrument: InstrumentId, side: Side) -> u32 {
        self.books[instrument.index()].own[side.index()]
    }

    /// Whether strategies have taken shares of a market order of this instrument that lives.
    #[inline]
    pub fn any_taken(&self, instrument: InstrumentId) -> bool {
        RULES && self.taken_orders > 0 && self.taken_of[instrument.index()] > 0
    }

    /// Puts an order at the back of its level. `own` is the index in the table of own orders for a
    /// strategy's order, and nothing for the market's.
    ///
    /// # Errors
    /// See [`BookError`]; nothing has changed then.
    #[inline(always)]
    pub fn add(
        &mut self,
        key: OrderKey,
        placement: &Placement,
        own: Option<u32>,
    ) -> Result<Placed, BookError> {
        let Placement { instrument, side, quantity, price } = *placement;
        let index = self.levels.home(instrument, side, price.0);
        // Nearly always the key's entry is free, the level lives, and both are where they are looked
        // for first. A level lives only in a book that there is.
        let home = match self.orders.free_home(key) {
            Some(home) if self.levels.holds(index, instrument, side, price.0) & own.is_none() => {
                home
            }
            _ => return self.add_searching(key, placement, own),
        };
        let tail = self.levels.known(index).tail;
        let order = Order::new(key, instrument, side, quantity.0, index, tail);
        let slot = self.orders.insert_at(home, order);
        let level = self.levels.known_mut(index);
        level.tail = slot;
        level.count = level.count.wrapping_add(1);
        level.quantity = level.quantity.wrapping_add(u64::from(quantity.0));
        self.orders.known_mut(tail).next = slot;
        let best_changed = self.touches_best(instrument, side, index);
        Ok(Placed { slot, best_changed, new_level: false })
    }

    /// As [`Books::add`], in all cases.
    #[inline(never)]
    fn add_searching(
        &mut self,
        key: OrderKey,
        placement: &Placement,
        own: Option<u32>,
    ) -> Result<Placed, BookError> {
        let Placement { instrument, side, quantity, price } = *placement;
        if instrument.index() >= self.books.len() {
            return Err(BookError::Instrument);
        }
        self.admit_key(key)?;
        let found = self.levels.find(instrument, side, price.0);
        let new_level = found.is_none();
        let index = match found {
            Some(index) => index,
            None => self.make_level(instrument, side, price)?,
        };
        let tail = self.levels.get(index).tail;
        let mut order = Order::new(key, instrument, side, quantity.0, index, tail);
        order.extra = own.unwrap_or(0);
        let slot = self.orders.insert(order);
        let level = self.levels.get_mut(index);
        level.tail = slot;
        level.count += 1;
        level.quantity += u64::from(quantity.0);
        level.head = if tail == NONE { slot } else { level.head };
        if own.is_some() {
            level.own += 1;
            self.books[instrument.index()].own[side.index()] += 1;
        }
        self.orders.get_mut(tail).next = slot;
        Ok(Placed { slot, best_changed: self.touches_best(instrument, side, index), new_level })
    }

    /// Takes an order out, whatever it has left. Returns whether the best of its side may have
    /// changed.
    #[inline(always)]
    pub fn remove(&mut self, slot: Slot) -> bool {
        let order = self.orders.get(slot);
        if RULES && (order.extra != 0 || order.is_own()) {
            return self.remove_shared(slot);
        }
        self.take_out(slot, 0)
    }

    /// As [`Books::remove`], for an order of the market of which nothing is taken.
    #[inline(always)]
    pub fn remove_untaken(&mut self, slot: Slot) -> bool {
        debug_assert!(self.orders.get(slot).is_untaken() && !self.orders.get(slot).is_own());
        self.take_out(slot, 0)
    }

    /// Takes out a strategy's order, or one that strategies took of.
    #[cold]
    fn remove_shared(&mut self, slot: Slot) -> bool {
        let order = *self.orders.get(slot);
        let touched = self.touches_best(order.instrument(), order.side(), order.level);
        self.forget_shares(&order);
        self.take_out(slot, order.taken()) || touched
    }

    /// Unlinks an order and takes the shares that are not `taken` off its level.
    #[inline(always)]
    fn take_out(&mut self, slot: Slot, taken: u32) -> bool {
        let order = *self.orders.get(slot);
        debug_assert!(order.level != NO_LEVEL, "an order that stands");
        let touched = self.touches_best(order.instrument(), order.side(), order.level);
        self.orders.vacate(slot);
        self.orders.known_mut(order.previous).next = order.next;
        self.orders.known_mut(order.next).previous = order.previous;
        let level = self.levels.known_mut(order.level);
        level.head = if order.previous == NONE { order.next } else { level.head };
        level.tail = if order.next == NONE { order.previous } else { level.tail };
        level.quantity = level.quantity.wrapping_sub(u64::from(order.quantity.wrapping_sub(taken)));
        level.count = level.count.wrapping_sub(1);
        if level.count == 0 {
            self.remove_level(order.level);
        }
        touched
    }

    /// Counts an order that leaves no longer among strategies' orders, or among those of the market
    /// that strategies took of.
    #[cold]
    fn forget_shares(&mut self, order: &Order) {
        if order.is_own() {
            self.levels.get_mut(order.level).own -= 1;
            self.books[order.instrument().index()].own[order.side().index()] -= 1;
        } else {
            self.taken_orders -= 1;
            self.taken_of[order.instrument().index()] -= 1;
        }
    }

    /// Takes shares off an order that keeps more than these; it keeps its place. Of a market order
    /// with taken shares, the untaken ones go first. Returns whether the best of its side may have
    /// changed.
    #[inline]
    pub fn reduce(&mut self, slot: Slot, by: Quantity) -> bool {
        let order = self.orders.get_mut(slot);
        debug_assert!(by.0 < order.quantity, "a reduction to nothing is a removal");
        let before = order.available();
        order.quantity = order.quantity.wrapping_sub(by.0);
        if !order.is_own() {
            order.extra = order.extra.min(order.quantity);
        }
        let gone = before.wrapping_sub(order.available());
        let (instrument, side, index) = (order.instrument(), order.side(), order.level);
        let level = self.levels.known_mut(index);
        level.quantity = level.quantity.wrapping_sub(u64::from(gone));
        self.touches_best(instrument, side, index)
    }

    /// A strategy takes available shares of a market order: they are remembered on it and cannot be
    /// taken again; the order itself stands until the tape says otherwise.
    pub fn take(&mut self, slot: Slot, by: Quantity) {
        let order = self.orders.get_mut(slot);
        debug_assert!(!order.is_own(), "shares of a strategy's order are executed, not taken");
        debug_assert!(by.0 <= order.available(), "shares are sold once");
        if order.extra == 0 && by.0 > 0 {
            self.taken_orders += 1;
            self.taken_of[order.instrument().index()] += 1;
        }
        order.extra += by.0;
        self.levels.get_mut(order.level).quantity -= u64::from(by.0);
    }

    /// The best price of a side at which shares can be traded against.
    #[inline(always)]
    pub fn best(&self, instrument: InstrumentId, side: Side) -> Option<Best> {
        let best = self.books[instrument.index()].best[side.index()];
        if best == NO_LEVEL {
            return None;
        }
        let level = self.levels.known(best);
        if level.quantity > 0 {
            return Some(Best { price: Price(level.price()), quantity: level.quantity });
        }
        self.best_with_shares(instrument, side)
    }

    /// The best price where not all shares are taken.
    #[cold]
    fn best_with_shares(&self, instrument: InstrumentId, side: Side) -> Option<Best> {
        self.levels_of(instrument, side)
            .find(|level| level.quantity > 0)
            .map(|level| Best { price: level.price, quantity: level.quantity })
    }

    /// Shares that can be traded against at a price of a side.
    pub fn quantity_at(&self, instrument: InstrumentId, side: Side, price: Price) -> u64 {
        let level = self.levels.find(instrument, side, price.0);
        level.map_or(0, |level| self.levels.get(level).quantity)
    }

    /// The levels of a side from the best down, those without an available share included.
    pub fn levels_of(
        &self,
        instrument: InstrumentId,
        side: Side,
    ) -> impl DoubleEndedIterator<Item = LevelView> + '_ {
        let ladder = &self.books[instrument.index()].ladders[side.index()];
        self.arena.entries_of(ladder).rev().map(|entry| {
            let level = self.levels.get(level_of(entry));
            LevelView { price: Price(level.price()), quantity: level.quantity, orders: level.count }
        })
    }

    /// The first order, in price-time priority, of a side.
    #[inline]
    pub fn first(&self, instrument: InstrumentId, side: Side) -> Option<Slot> {
        let best = self.books[instrument.index()].best[side.index()];
        if best == NO_LEVEL { None } else { Some(self.levels.get(best).head) }
    }

    /// The order behind this one in price-time priority: in its level, or at the head of the next.
    #[inline]
    pub fn behind(&self, slot: Slot) -> Option<Slot> {
        let order = self.orders.get(slot);
        if order.next != NONE {
            return Some(order.next);
        }
        let level = self.levels.get(order.level);
        let ladder = &self.books[level.instrument().index()].ladders[level.side().index()];
        let below = self.arena.below(ladder, rank(level.side(), level.price()))?;
        Some(self.levels.get(level_of(below)).head)
    }

    /// The first strategy's order, in price-time priority, of a side, if it stands at this price or
    /// a better one.
    pub fn first_own(&self, instrument: InstrumentId, side: Side, worst: Price) -> Option<Slot> {
        let book = &self.books[instrument.index()];
        if book.own[side.index()] == 0 {
            return None;
        }
        let ladder = &book.ladders[side.index()];
        let level = self
            .arena
            .entries_of(ladder)
            .rev()
            .map(|entry| self.levels.get(level_of(entry)))
            .take_while(|level| worst.reaches(side.opposite(), Price(level.price())))
            .find(|level| level.own > 0)?;
        let mut slot = level.head;
        while !self.orders.get(slot).is_own() {
            slot = self.orders.get(slot).next;
        }
        Some(slot)
    }

    /// Whether `slot` stands in front of `other`, on the same side of the same book.
    pub fn is_ahead(&self, slot: Slot, other: Slot) -> bool {
        let (order, than) = (self.orders.get(slot), self.orders.get(other));
        if order.level != than.level {
            let (price, than) = (self.price_of(slot), self.price_of(other));
            return price.is_better(order.side(), than);
        }
        let mut behind = order.next;
        while behind != NONE {
            if behind == other {
                return true;
            }
            behind = self.orders.get(behind).next;
        }
        false
    }

    /// Looks ahead, first time, at a message of this instrument: asks for the head of its book, and
    /// for the record that the message is about, an order, or the level of one that comes.
    /// Everything is as the message has it, and without sense in messages that name no order.
    #[inline]
    pub fn ask_for(
        &self,
        comes: bool,
        reference: u64,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> Place {
        prefetch(&self.books, instrument.index());
        let entry = self.orders.home(reference);
        let level = self.levels.home(instrument, side, price.0);
        self.orders.prefetch_entry(entry);
        // No branch: whether an order comes or goes is what the processor guesses worst.
        let side = side as u8 & u8::from(comes);
        let comes = u32::from(comes);
        #[allow(clippy::cast_possible_truncation, reason = "an index has fewer than 2^32 entries")]
        let entry = entry as u32;
        let level = level & 0_u32.wrapping_sub(comes);
        self.levels.prefetch(level);
        Place { entry, level, instrument, side }
    }

    /// Looks ahead, second time: asks for the record to which the entry leads, and for the last
    /// order of the level.
    #[inline]
    pub fn ask_for_orders(&self, place: Place) {
        self.orders.prefetch(self.orders.likely_slot(place.entry as usize));
        self.orders.prefetch(self.levels.known(place.level).tail);
    }

    /// Looks ahead, third time: asks for what the record leads to.
    #[inline]
    pub fn ask_for_more(&self, place: Place) {
        let order = self.orders.known(self.orders.likely_slot(place.entry as usize));
        self.levels.prefetch(order.level);
        self.orders.prefetch(order.previous);
        self.orders.prefetch(order.next);
        if let Some(book) = self.books.get(place.instrument.index()) {
            let side = order.side().index() | usize::from(place.side & 1);
            self.arena.prefetch_best(&book.ladders[side & 1]);
        }
    }

    /// Looks ahead, third time, at an order that another replaces: asks for the other's entry and
    /// level.
    #[inline]
    pub fn ask_for_replacement(&self, place: Place, reference: u64, price: Price) -> Place {
        let side = self.orders.known(self.orders.likely_slot(place.entry as usize)).side();
        self.orders.prefetch_entry(self.orders.home(reference));
        let level = self.levels.home(place.instrument, side, price.0);
        self.levels.prefetch(level);
        Place { level, ..place }
    }

    /// Asks for what taking out an order needs that stands at this slot under this key.
    #[inline]
    pub fn ask_for_standing(&self, slot: Slot, key: OrderKey) {
        self.orders.prefetch(slot);
        self.orders.prefetch_entry(self.orders.home(key.raw()));
    }

    /// Looks ahead, last time: asks for the last order of the level that another will join.
    #[inline]
    pub fn ask_for_tail(&self, place: Place) {
        self.orders.prefetch(self.levels.known(place.level).tail);
    }

    /// Whether something at this level can change the best of its side.
    #[inline]
    fn touches_best(&self, instrument: InstrumentId, side: Side, level: LevelIndex) -> bool {
        (self.books[instrument.index()].best[side.index()] == level) || self.any_taken(instrument)
    }

    /// Makes the level at a price where there is none.
    #[inline(never)]
    fn make_level(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> Result<LevelIndex, BookError> {
        let book = &mut self.books[instrument.index()];
        let new = rank(side, price.0);
        let ladder = &mut book.ladders[side.index()];
        let level = self.levels.allocate(instrument, side, price.0).ok_or(BookError::Levels)?;
        if self.arena.insert(ladder, entry(new, level)).is_err() {
            self.levels.free(level);
            return Err(BookError::Levels);
        }
        let best = rank(side, book.best_price[side.index()]);
        if book.best[side.index()] == NO_LEVEL || new > best {
            book.best[side.index()] = level;
            book.best_price[side.index()] = price.0;
        }
        Ok(level)
    }

    #[inline(never)]
    fn remove_level(&mut self, index: LevelIndex) {
        let level = self.levels.get(index);
        let (instrument, side) = (level.instrument(), level.side());
        let book = &mut self.books[instrument.index()];
        let ladder = &mut book.ladders[side.index()];
        self.arena.remove(ladder, rank(side, level.price()));
        let best = self.arena.best(ladder);
        book.best[side.index()] = best.map_or(NO_LEVEL, level_of);
        book.best_price[side.index()] = best.map_or(0, |entry| price_of(side, entry));
        self.levels.free(index);
    }
}
