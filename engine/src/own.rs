//! Strategies' orders: what the book does not need to know of them.

use std::num::NonZeroU32;

use spindle_risk::{Holder, Reserved};
use spindle_types::{
    AccountId, EventTime, InstrumentId, OrderToken, Price, Quantity, SessionId, keep,
};

use crate::book::Slot;
use crate::command::{Attributes, OrderSide, TimeInForce};

/// How long an order stays, without the time of expiry, which is not needed where the rest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub(crate) enum Stay {
    Day,
    ImmediateOrCancel,
    FillOrKill,
    GoodTillCancel,
    GoodTillDate,
    AtOpen,
    AtClose,
}

impl Stay {
    pub(crate) const fn of(time_in_force: TimeInForce) -> Self {
        match time_in_force {
            TimeInForce::Day => Self::Day,
            TimeInForce::ImmediateOrCancel => Self::ImmediateOrCancel,
            TimeInForce::FillOrKill => Self::FillOrKill,
            TimeInForce::GoodTillCancel => Self::GoodTillCancel,
            TimeInForce::GoodTillDate(_) | TimeInForce::GoodFor(_) => Self::GoodTillDate,
            TimeInForce::AtOpen => Self::AtOpen,
            TimeInForce::AtClose => Self::AtClose,
        }
    }

    /// The time in force, of an order that expires at this time if it does.
    pub(crate) const fn until(self, expiry: EventTime) -> TimeInForce {
        match self {
            Self::Day => TimeInForce::Day,
            Self::ImmediateOrCancel => TimeInForce::ImmediateOrCancel,
            Self::FillOrKill => TimeInForce::FillOrKill,
            Self::GoodTillCancel => TimeInForce::GoodTillCancel,
            Self::GoodTillDate => TimeInForce::GoodTillDate(expiry),
            Self::AtOpen => TimeInForce::AtOpen,
            Self::AtClose => TimeInForce::AtClose,
        }
    }

    /// Whether such an order stays when the day ends.
    pub(crate) const fn outlives_the_day(self) -> bool {
        matches!(self, Self::GoodTillCancel | Self::GoodTillDate)
    }
}

/// A limit or none, in 32 bits: 0 is no price of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub(crate) struct Limit(Option<NonZeroU32>);

impl Limit {
    #[inline]
    pub(crate) fn get(self) -> Option<Price> {
        self.0.map(|limit| Price(limit.get()))
    }
}

impl From<Option<Price>> for Limit {
    #[inline]
    fn from(limit: Option<Price>) -> Self {
        Self(limit.and_then(|limit| NonZeroU32::new(limit.0)))
    }
}

/// A strategy's order, beside its record in the books: a cache line.
#[derive(Clone, Copy, Debug, keep::Value)]
#[repr(align(64))]
pub(crate) struct OwnOrder {
    pub(crate) session: SessionId,
    pub(crate) account: AccountId,
    pub(crate) token: OrderToken,
    pub(crate) instrument: InstrumentId,
    pub(crate) side: OrderSide,
    /// Whether its [`Special`](crate::matching::Special) says more. An order without stands whole
    /// and displayed at its limit.
    pub(crate) special: bool,
    pub(crate) limit: Limit,
    /// What each of its open shares is valued at by the risk gate.
    pub(crate) valued: Price,
    pub(crate) stay: Stay,
    /// Shares of the whole chain of replacements that were executed.
    pub(crate) executed: Quantity,
    /// Its record in the books; while it is vacant, the next vacant one here.
    pub(crate) slot: Slot,
    /// Its place in the order of entry, from 1; 0 while it is vacant.
    pub(crate) entry: u64,
    pub(crate) attributes: Attributes,
}

const _: () = assert!(size_of::<OwnOrder>() == 64);

impl OwnOrder {
    /// What is written where there is no order yet.
    const VACANT: Self = Self {
        session: SessionId(0),
        account: AccountId(0),
        token: OrderToken(0),
        instrument: InstrumentId(0),
        side: OrderSide::Buy,
        special: false,
        limit: Limit(None),
        valued: Price(0),
        stay: Stay::Day,
        executed: Quantity(0),
        slot: 0,
        entry: 0,
        attributes: Attributes {
            client_order_id: [0; 20],
            capacity: 0,
            iso: 0,
            display: 0,
            cross: 0,
        },
    };

    /// The order as the risk gate needs to know it to take back what it reserved.
    #[inline]
    pub(crate) const fn holder(&self) -> Holder {
        Holder {
            account: self.account,
            session: self.session,
            instrument: self.instrument,
            side: self.side.book_side(),
            sale: self.side.sale(),
            price: self.valued,
        }
    }

    /// What it has reserved with so many shares open.
    pub(crate) const fn reserved(&self, open: u32) -> Reserved {
        Reserved { quantity: Quantity(open), price: self.valued }
    }
}

/// The table of strategies' orders that are open.
#[derive(Debug, keep::State)]
pub(crate) struct OwnOrders {
    orders: Vec<OwnOrder>,
    #[keep(skip)]
    orders_max: usize,
    vacant: Option<u32>,
    live: usize,
}

impl OwnOrders {
    /// Whether every number leads somewhere: of this table, of so many slots and instruments.
    pub(crate) fn leads_somewhere(&self, slots: usize, instruments: usize) -> bool {
        let places = self.orders.len();
        places <= self.orders_max
            && self.live <= places
            && self.vacant.is_none_or(|vacant| (vacant as usize) < places)
            && self.vacant.is_some() == (self.live < places)
            && self.orders.iter().all(|order| match order.entry {
                0 => (order.slot as usize) < places,
                _ => (order.slot as usize) < slots && order.instrument.index() < instruments,
            })
    }

    /// Places that there are.
    pub(crate) fn places(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn new(orders_max: usize) -> Self {
        Self { orders: Vec::with_capacity(orders_max), orders_max, vacant: None, live: 0 }
    }

    /// Touches the memory of the table once, while it is empty.
    pub(crate) fn warm_up(&mut self) {
        if self.orders.is_empty() {
            self.orders.resize(self.orders_max, OwnOrder::VACANT);
            self.orders.clear();
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.live == self.orders_max
    }

    pub(crate) fn capacity(&self) -> usize {
        self.orders_max
    }

    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// The index that the next order will get. The table must not be full.
    #[allow(clippy::cast_possible_truncation, reason = "capacities fit 32 bits")]
    pub(crate) fn next_index(&self) -> u32 {
        self.vacant.unwrap_or(self.orders.len() as u32)
    }

    /// Puts an order at [`OwnOrders::next_index`].
    pub(crate) fn insert(&mut self, order: OwnOrder) {
        debug_assert!(!self.is_full(), "callers ask before");
        self.live += 1;
        match self.vacant {
            Some(index) => {
                let next = self.orders[index as usize].slot;
                self.vacant = (next != index).then_some(next);
                self.orders[index as usize] = order;
            }
            None => self.orders.push(order),
        }
    }

    /// Frees an index. The last vacant one points at itself.
    pub(crate) fn remove(&mut self, index: u32) {
        let order = &mut self.orders[index as usize];
        order.entry = 0;
        order.slot = self.vacant.unwrap_or(index);
        self.vacant = Some(index);
        self.live -= 1;
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> &OwnOrder {
        &self.orders[index as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut OwnOrder {
        &mut self.orders[index as usize]
    }

    /// Every open order with its index, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &OwnOrder)> {
        (0..).zip(&self.orders).filter(|(_, order)| order.entry != 0)
    }
}
