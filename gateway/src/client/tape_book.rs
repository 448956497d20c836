//! A strategy's own view of one instrument: the tape's orders, and what is best.

use std::collections::{BTreeMap, HashMap};

use spindle_feed::event::MarketAction;
use spindle_feed::itch::{self, Message};
use spindle_types::{InstrumentId, OrderReference, Price, Quantity, Side, Symbol};

/// The book of one instrument as the tape's messages tell it, without strategies' orders.
#[derive(Clone, Debug)]
pub struct TapeBook {
    symbol: Symbol,
    /// The instrument, once a message has named it.
    instrument: Option<InstrumentId>,
    orders: HashMap<OrderReference, (Side, Price, u32)>,
    /// Shares by price.
    levels: [BTreeMap<Price, u64>; 2],
}

impl TapeBook {
    /// An empty book.
    pub fn new(symbol: Symbol) -> Self {
        Self {
            symbol,
            instrument: None,
            orders: HashMap::new(),
            levels: [BTreeMap::new(), BTreeMap::new()],
        }
    }

    /// Applies a message of the tape; those of other instruments do nothing.
    pub fn apply(&mut self, message: &[u8]) {
        let Ok(message) = Message::decode(message) else {
            return;
        };
        let event = itch::to_event(&message);
        match event.action {
            MarketAction::Directory { symbol, .. } if symbol == self.symbol => {
                self.instrument = Some(event.instrument);
            }
            MarketAction::Add { reference, side, quantity, price, symbol } => {
                if symbol == self.symbol {
                    self.instrument = Some(event.instrument);
                }
                if self.instrument == Some(event.instrument) {
                    self.add(reference, side, quantity, price);
                }
            }
            MarketAction::Execute { reference, quantity, .. }
            | MarketAction::ExecuteAt { reference, quantity, .. }
            | MarketAction::Reduce { reference, quantity } => self.reduce(reference, quantity.0),
            MarketAction::Delete { reference } => self.reduce(reference, u32::MAX),
            MarketAction::Replace { reference, new_reference, quantity, price } => {
                if let Some(&(side, ..)) = self.orders.get(&reference) {
                    self.reduce(reference, u32::MAX);
                    self.add(new_reference, side, quantity, price);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, reference: OrderReference, side: Side, quantity: Quantity, price: Price) {
        self.orders.insert(reference, (side, price, quantity.0));
        *self.levels[side.index()].entry(price).or_default() += u64::from(quantity.0);
    }

    fn reduce(&mut self, reference: OrderReference, by: u32) {
        let Some((side, price, left)) = self.orders.get_mut(&reference) else {
            return;
        };
        let by = by.min(*left);
        *left -= by;
        let (side, price, is_gone) = (*side, *price, *left == 0);
        if is_gone {
            self.orders.remove(&reference);
        }
        let levels = &mut self.levels[side.index()];
        if let Some(shares) = levels.get_mut(&price) {
            *shares -= u64::from(by);
            if *shares == 0 {
                levels.remove(&price);
            }
        }
    }

    /// The best bid and its shares.
    pub fn bid(&self) -> Option<(Price, u64)> {
        self.levels[Side::Buy.index()].last_key_value().map(|(price, shares)| (*price, *shares))
    }

    /// The best ask and its shares.
    pub fn ask(&self) -> Option<(Price, u64)> {
        self.levels[Side::Sell.index()].first_key_value().map(|(price, shares)| (*price, *shares))
    }
}
