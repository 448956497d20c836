//! What a client knows of its orders from its own reports alone: a naive ledger. It knows nothing of the venue but the
//! meaning of its messages.

use std::collections::BTreeMap;

/// A side of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Buys.
    Buy,
    /// Sells.
    Sell,
}

/// What a message of the venue says of an order, whatever the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// An order is accepted.
    Accepted {
        /// The client's number.
        id: u64,
        /// Its side.
        way: Way,
        /// Of which instrument, from 0.
        symbol: usize,
        /// Shares.
        quantity: u32,
        /// Whether it is open.
        is_live: bool,
    },
    /// An order stands in the place of another.
    Replaced {
        /// The one that is gone.
        old: u64,
        /// The one that stands.
        new: u64,
        /// Open shares.
        open: u32,
        /// Whether it is open.
        is_live: bool,
    },
    /// Shares were taken off.
    Canceled {
        /// The order.
        id: u64,
        /// How many.
        quantity: u32,
    },
    /// Shares are open now, for no reason that was told.
    Open {
        /// The order.
        id: u64,
        /// How many are open.
        open: u32,
    },
    /// Shares were executed.
    Executed {
        /// The order.
        id: u64,
        /// How many.
        quantity: u32,
        /// At which price.
        price: u64,
        /// The number that both sides share; 0 where none is told.
        matched: u64,
    },
    /// A request for a new order, or a replacement, is refused.
    Rejected {
        /// The request.
        id: u64,
    },
    /// A request that is answered once is answered.
    Answered {
        /// The request.
        id: u64,
    },
    /// Nothing of orders.
    Nothing,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its side.
    pub way: Way,
    /// Its instrument.
    pub symbol: usize,
    /// Shares when it came to stand.
    pub entered: u32,
    /// Executed since.
    pub filled: u32,
    /// Taken off since.
    pub canceled: u32,
    /// Executed of the orders in whose place it stands.
    pub filled_before: u32,
    /// The limit that was asked for; 0 where there is none.
    pub price: u32,
    /// Whether another stands in its place.
    pub is_replaced: bool,
}

impl Order {
    /// Shares that are open.
    pub const fn open(&self) -> u32 {
        if self.is_replaced { 0 } else { self.entered - self.filled - self.canceled }
    }
}

/// What was asked for under a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The side; `None` where it is that of the order that is replaced.
    pub way: Option<Way>,
    /// The instrument.
    pub symbol: usize,
    /// Shares, of a replacement those of the whole chain.
    pub quantity: u32,
    /// The limit; 0 where there is none.
    pub price: u32,
}

/// An execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The side.
    pub way: Way,
    /// The instrument.
    pub symbol: usize,
    /// Shares.
    pub quantity: u32,
    /// The price.
    pub price: u64,
    /// The number that both sides share; 0 where none is told.
    pub matched: u64,
}

/// The orders of one client.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// What was asked for.
    pub asked: BTreeMap<u64, Asked>,
    /// All of them, by the client's numbers.
    pub orders: BTreeMap<u64, Order>,
    /// Those that are open.
    pub open: Vec<u64>,
    /// Requests that were refused.
    pub rejected: BTreeMap<u64, ()>,
    /// Requests that were answered otherwise.
    pub answered: BTreeMap<u64, ()>,
    /// Every execution.
    pub fills: Vec<Fill>,
}

impl Ledger {
    /// Whether a request for an order was answered.
    pub fn knows(&self, id: u64) -> bool {
        self.orders.contains_key(&id)
            || self.rejected.contains_key(&id)
            || self.answered.contains_key(&id)
    }

    fn settle(&mut self, id: u64) {
        if self.orders.get(&id).is_none_or(|order| order.open() == 0) {
            self.open.retain(|&open| open != id);
        }
    }

    fn begin(&mut self, id: u64, order: Order, is_live: bool) -> Result<(), String> {
        if self.knows(id) {
            return Err(format!("request {id} was answered before"));
        }
        self.orders.insert(id, order);
        if is_live {
            self.open.push(id);
        }
        Ok(())
    }

    fn take(&mut self, id: u64, quantity: u32) -> Result<&mut Order, String> {
        let order = self.orders.get_mut(&id);
        let order = order.ok_or_else(|| format!("nobody entered order {id}"))?;
        if quantity > order.open() {
            let open = order.open();
            return Err(format!("{quantity} shares of order {id}, of which {open} are open"));
        }
        Ok(order)
    }

    /// Takes a report.
    ///
    /// # Errors
    /// What cannot be, after what was told before.
    pub fn apply(&mut self, report: Report) -> Result<(), String> {
        match report {
            Report::Accepted { id, way, symbol, quantity, is_live } => {
                let canceled = if is_live { 0 } else { quantity };
                let asked = self.asked.get(&id).ok_or_else(|| format!("nobody asked for {id}"))?;
                if (asked.way, asked.symbol, asked.quantity) != (Some(way), symbol, quantity) {
                    return Err(format!("{asked:?} was asked for as {id}, this is accepted"));
                }
                let order = Order {
                    way,
                    symbol,
                    entered: quantity,
                    filled: 0,
                    canceled,
                    filled_before: 0,
                    price: asked.price,
                    is_replaced: false,
                };
                self.begin(id, order, is_live)
            }
            Report::Replaced { old, new, open, is_live } => {
                let asked = self.asked.get(&new).copied();
                let asked = asked.ok_or_else(|| format!("nobody asked for {new}"))?;
                let before = self.take(old, 0)?;
                if before.open() == 0 {
                    return Err(format!("order {old} was replaced, of which nothing was open"));
                }
                let filled_before = before.filled_before + before.filled;
                let due = asked.quantity.saturating_sub(filled_before);
                if open != due {
                    return Err(format!(
                        "{new} should have {due} open in the place of {old}, not {open}"
                    ));
                }
                let price = asked.price;
                before.is_replaced = true;
                let canceled = if is_live { 0 } else { open };
                let order = Order {
                    entered: open,
                    filled: 0,
                    canceled,
                    filled_before,
                    price,
                    is_replaced: false,
                    ..*before
                };
                self.settle(old);
                self.begin(new, order, is_live)
            }
            Report::Canceled { id, quantity } => {
                self.take(id, quantity)?.canceled += quantity;
                self.settle(id);
                Ok(())
            }
            Report::Open { id, open } => {
                let order = self.take(id, 0)?;
                if open > order.open() {
                    order.entered += open - order.open();
                } else {
                    order.canceled += order.open() - open;
                }
                self.settle(id);
                Ok(())
            }
            Report::Executed { id, quantity, price, matched } => {
                if quantity == 0 {
                    return Err(format!("no shares of order {id} were executed"));
                }
                let order = self.take(id, quantity)?;
                order.filled += quantity;
                let (way, symbol) = (order.way, order.symbol);
                self.fills.push(Fill { way, symbol, quantity, price, matched });
                self.settle(id);
                Ok(())
            }
            Report::Rejected { id } if self.knows(id) => {
                Err(format!("request {id} was answered before"))
            }
            Report::Rejected { id } => {
                self.rejected.insert(id, ());
                Ok(())
            }
            Report::Answered { id } if self.answered.contains_key(&id) => {
                Err(format!("request {id} was answered before"))
            }
            Report::Answered { id } => {
                self.answered.insert(id, ());
                Ok(())
            }
            Report::Nothing => Ok(()),
        }
    }
}
