//! The orders of one session and day, by ClOrdID and by the engine's token. Room is taken at the
//! start; nothing is forgotten before the day is over, so that every ClOrdID is known again.

use std::collections::HashMap;

use spindle_types::{AccountId, OrderToken, Price, keep};

use super::{ClOrdId, Text};

/// One order with all its replacements.
#[derive(Clone, Copy, Debug, keep::Value)]
pub(super) struct Order {
    pub(super) account: AccountId,
    pub(super) symbol: Text<24>,
    pub(super) side: u8,
    pub(super) ord_type: u8,
    pub(super) time_in_force: u8,
    pub(super) limit: Option<Price>,
    pub(super) stop: Option<Price>,
    /// Shares of the whole chain.
    pub(super) quantity: u32,
    /// Shares executed.
    pub(super) executed: u32,
    /// Shares open.
    pub(super) open: u32,
    /// The sum of price times shares executed.
    pub(super) value: u64,
    /// The venue's number for the first order of the chain.
    pub(super) reference: Option<u64>,
    /// The last token that the engine knows it by.
    pub(super) token: OrderToken,
    /// Whether it was ever replaced.
    pub(super) replaced: bool,
    pub(super) life: Life,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub(super) enum Life {
    /// The engine has not answered yet.
    Pending,
    Open,
    Filled,
    Canceled,
    Expired,
    Rejected,
}

/// One name of an order: that of its entry, or of a replacement.
#[derive(Clone, Copy, Debug, keep::Value)]
pub(super) struct Name {
    pub(super) id: ClOrdId,
    /// Its place among the orders.
    pub(super) order: u32,
    /// What a replacement asks for.
    pub(super) ord_type: u8,
    pub(super) time_in_force: u8,
}

/// All of them. A token is the place of a name, from 1.
#[derive(Debug, keep::State)]
#[keep(settle)]
pub(super) struct Orders {
    orders: Vec<Order>,
    names: Vec<Name>,
    #[keep(skip)]
    by_id: HashMap<ClOrdId, u32>,
    #[keep(skip)]
    names_max: usize,
}

impl Orders {
    /// Whether every name is that of an order. What finds them is made anew.
    fn settle_kept(&mut self) -> Result<(), keep::Unfit> {
        let has_room = self.names.len() <= self.names_max && self.orders.len() <= self.names_max;
        if !has_room || self.names.iter().any(|name| name.order as usize >= self.orders.len()) {
            return Err(keep::Unfit::new("Orders", "a name of no order"));
        }
        self.by_id.clear();
        for (token, name) in (1..).zip(&self.names) {
            self.by_id.entry(name.id).or_insert(token);
        }
        Ok(())
    }

    pub(super) fn new(names_max: usize) -> Self {
        Self {
            orders: Vec::with_capacity(names_max),
            names: Vec::with_capacity(names_max),
            by_id: HashMap::with_capacity(names_max),
            names_max,
        }
    }

    /// Touches its memory once. There are no orders yet.
    pub(super) fn warm_up(&mut self) {
        debug_assert!(self.names.is_empty(), "a session whose day has not begun");
        let id = ClOrdId::EMPTY;
        let order = Order {
            account: AccountId(0),
            symbol: Text::EMPTY,
            side: 0,
            ord_type: 0,
            time_in_force: 0,
            limit: None,
            stop: None,
            quantity: 0,
            executed: 0,
            open: 0,
            value: 0,
            reference: None,
            token: OrderToken(0),
            replaced: false,
            life: Life::Pending,
        };
        self.orders.resize(self.names_max, order);
        self.names.resize(self.names_max, Name { id, order: 0, ord_type: 0, time_in_force: 0 });
        let mut number = [0; 20];
        for token in 0..u32::try_from(self.names_max).unwrap_or(u32::MAX) {
            number[..4].copy_from_slice(&token.to_le_bytes());
            if let Some(id) = ClOrdId::new(&number) {
                self.by_id.insert(id, token);
            }
        }
        self.orders.clear();
        self.names.clear();
        self.by_id.clear();
    }

    /// The token of a name that was used before.
    #[inline]
    pub(super) fn find(&self, id: &ClOrdId) -> Option<OrderToken> {
        self.by_id.get(id).map(|&token| OrderToken(token))
    }

    #[inline]
    pub(super) fn name(&self, token: OrderToken) -> Option<&Name> {
        self.names.get((token.0 as usize).checked_sub(1)?)
    }

    #[inline]
    pub(super) fn order(&self, token: OrderToken) -> Option<&Order> {
        self.orders.get(self.name(token)?.order as usize)
    }

    #[inline]
    pub(super) fn order_mut(&mut self, token: OrderToken) -> Option<&mut Order> {
        let at = self.name(token)?.order as usize;
        self.orders.get_mut(at)
    }

    /// Takes up an order under a name; `None` where there is no room. A name that was used before
    /// goes on meaning the order that it meant.
    #[inline]
    pub(super) fn enter(&mut self, id: ClOrdId, order: Order) -> Option<OrderToken> {
        let at = u32::try_from(self.orders.len()).ok()?;
        let (ord_type, time_in_force) = (order.ord_type, order.time_in_force);
        let token = self.add(Name { id, order: at, ord_type, time_in_force })?;
        self.orders.push(Order { token, ..order });
        Some(token)
    }

    /// Takes up another name of an order; `None` where there is no room.
    #[inline]
    pub(super) fn add(&mut self, name: Name) -> Option<OrderToken> {
        if self.names.len() >= self.names_max {
            return None;
        }
        self.names.push(name);
        let token = u32::try_from(self.names.len()).ok()?;
        self.by_id.entry(name.id).or_insert(token);
        Some(OrderToken(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(symbol: &[u8]) -> Order {
        Order {
            account: AccountId(1),
            symbol: Text::new(symbol).expect("short"),
            side: b'1',
            ord_type: b'2',
            time_in_force: b'0',
            limit: Some(Price(1)),
            stop: None,
            quantity: 5,
            executed: 0,
            open: 0,
            value: 0,
            reference: None,
            token: OrderToken(0),
            replaced: false,
            life: Life::Pending,
        }
    }

    #[test]
    fn a_name_means_the_order_that_it_meant_first() {
        let mut orders = Orders::new(3);
        let id = |text: &str| ClOrdId::new(text.as_bytes()).expect("short");
        let first = orders.enter(id("a"), order(b"X")).expect("room");
        let again = orders.enter(id("a"), order(b"Y")).expect("room");
        assert_ne!(first, again);
        assert_eq!(orders.find(&id("a")), Some(first));
        assert_eq!(orders.order(again).expect("it is there").symbol.as_bytes(), b"Y");
        let name = *orders.name(first).expect("it is there");
        let replaced = orders.add(Name { id: id("b"), ..name }).expect("room");
        assert_eq!(orders.order(replaced).expect("it is there").symbol.as_bytes(), b"X");
        assert_eq!(orders.add(name), None, "all room is taken");
        assert!(orders.order(OrderToken(0)).is_none());
        assert!(orders.order(OrderToken(9)).is_none());
    }
}
