//! The demo's strategies: one quotes both sides, one takes, one breaks its limits. Each is an agent
//! and a real OUCH client; prices they read from the venue's atomic cells.

use spindle_engine::command::OrderSide;
use spindle_feed::top::{TopOfBook, TopState};
use spindle_gateway::client::{NewOrder, Replacement};
use spindle_types::{Agent, OrderToken, Price, Quantity, Symbol};

use super::trader::{Answer, Tally, Trader};

const MILLISECOND: u64 = 1_000_000;

/// Shares of an ordinary order.
const LOT: Quantity = Quantity(100);

/// What a strategy decides. What it has sent and got is counted by its [`Trader`].
pub trait Decide: Send {
    /// A short name.
    fn name(&self) -> &'static str;

    /// Nanoseconds between two decisions.
    fn interval(&self) -> u64;

    /// Decides on what stands in the market now.
    fn decide(&mut self, trader: &mut Trader, top: &TopOfBook);

    /// Takes note of an answer, and gives the shares bought (or minus the shares sold) by it.
    fn answer(&mut self, answer: Answer) -> i64;
}

/// A strategy that runs.
pub struct Strategy {
    trader: Trader,
    decide: Box<dyn Decide>,
    answers: Vec<Answer>,
    next: u64,
}

impl Strategy {
    /// A strategy that decides by `decide` and trades by `trader`.
    pub fn new(trader: Trader, decide: Box<dyn Decide>) -> Self {
        Self { trader, decide, answers: Vec::new(), next: 0 }
    }

    /// Logs out and gives name and count.
    pub fn finish(self) -> (&'static str, Symbol, Tally) {
        (self.decide.name(), self.trader.symbol(), self.trader.finish())
    }

    /// The connection.
    pub fn trader(&self) -> &Trader {
        &self.trader
    }
}

impl Agent for Strategy {
    fn name(&self) -> &str {
        self.decide.name()
    }

    fn poll(&mut self) -> usize {
        let answers = &mut self.answers;
        let mut work = self.trader.poll(&mut |answer| answers.push(answer));
        for answer in self.answers.drain(..) {
            let shares = self.decide.answer(answer);
            self.trader.count_position(shares);
        }
        let now = self.trader.now();
        if now < self.next || !self.trader.is_live() {
            return work;
        }
        self.next = now + self.decide.interval();
        let top = self.trader.top();
        if top.state == TopState::Good {
            self.decide.decide(&mut self.trader, &top);
            work += 1;
        }
        work
    }
}

/// An order as the quoter knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    None,
    /// Sent, or open, at a price.
    Open { token: OrderToken, price: Price, open: u32 },
    /// A replacement is under way.
    Replacing { token: OrderToken, price: Price, open: u32, next: OrderToken, next_price: Price },
}

/// Joins the best bid and the best ask with an order each, and follows them.
pub struct Quoter {
    quotes: [Quote; 2],
    position: i64,
}

impl Quoter {
    /// A quoter without orders.
    pub fn new() -> Self {
        Self { quotes: [Quote::None; 2], position: 0 }
    }

    /// Most shares that it holds, or is short.
    const POSITION_MAX: i64 = 5_000;

    fn quote(&mut self, trader: &mut Trader, which: usize, price: Price) {
        let side = [OrderSide::Buy, OrderSide::Sell][which];
        self.quotes[which] = match self.quotes[which] {
            Quote::None => {
                let order = NewOrder::limit(side, LOT, trader.symbol(), price);
                match trader.enter(&order) {
                    Some(token) => Quote::Open { token, price, open: LOT.0 },
                    None => Quote::None,
                }
            }
            Quote::Open { token, price: at, open } if at != price => {
                match trader.replace(token, &Replacement::limit(LOT, price)) {
                    Some(next) => Quote::Replacing { token, price: at, open, next, next_price: price },
                    None => Quote::Open { token, price: at, open },
                }
            }
            quote @ (Quote::Open { .. } | Quote::Replacing { .. }) => quote,
        };
    }
}

/// What becomes of a quote by an answer, and the shares executed.
fn after(quote: Quote, answer: Answer) -> (Quote, u32) {
    match (quote, answer) {
        (Quote::Open { token, price, open }, Answer::Executed(of, shares)) if of == token => {
            let left = open.saturating_sub(shares);
            let quote =
                if left == 0 { Quote::None } else { Quote::Open { token, price, open: left } };
            (quote, shares)
        }
        (
            Quote::Replacing { token, price, open, next, next_price },
            Answer::Executed(of, shares),
        ) if of == token => {
            let open = open.saturating_sub(shares);
            let quote = match open {
                0 => Quote::None,
                _ => Quote::Replacing { token, price, open, next, next_price },
            };
            (quote, shares)
        }
        (Quote::Replacing { token, open, next, next_price, .. }, Answer::Replaced(of, by))
            if (of, by) == (token, next) =>
        {
            (Quote::Open { token: next, price: next_price, open }, 0)
        }
        (Quote::Replacing { token, price, open, next, .. }, Answer::Rejected(of)) if of == next => {
            (Quote::Open { token, price, open }, 0)
        }
        (
            Quote::Open { token, .. } | Quote::Replacing { token, .. },
            Answer::Canceled(of, _) | Answer::Rejected(of),
        ) if of == token => (Quote::None, 0),
        (quote, _) => (quote, 0),
    }
}

impl Decide for Quoter {
    fn name(&self) -> &'static str {
        "quoter"
    }

    fn interval(&self) -> u64 {
        MILLISECOND
    }

    fn decide(&mut self, trader: &mut Trader, top: &TopOfBook) {
        let (Some((bid, _)), Some((ask, _))) = (top.bid(), top.ask()) else {
            return;
        };
        if self.position < Self::POSITION_MAX {
            self.quote(trader, 0, bid);
        }
        if self.position > -Self::POSITION_MAX {
            self.quote(trader, 1, ask);
        }
    }

    fn answer(&mut self, answer: Answer) -> i64 {
        let [(buy, bought), (sell, sold)] = self.quotes.map(|quote| after(quote, answer));
        self.quotes = [buy, sell];
        let shares = i64::from(bought) - i64::from(sold);
        self.position += shares;
        shares
    }
}

/// Takes a lot from the other side, in turn buying and selling.
pub struct Taker {
    sells: bool,
    buying: Option<OrderToken>,
}

impl Taker {
    /// A taker that buys first.
    pub fn new() -> Self {
        Self { sells: false, buying: None }
    }
}

impl Decide for Taker {
    fn name(&self) -> &'static str {
        "taker"
    }

    fn interval(&self) -> u64 {
        2 * MILLISECOND
    }

    fn decide(&mut self, trader: &mut Trader, top: &TopOfBook) {
        let (side, best) =
            if self.sells { (OrderSide::Sell, top.bid()) } else { (OrderSide::Buy, top.ask()) };
        let Some((price, _)) = best else {
            return;
        };
        let order = NewOrder::limit(side, LOT, trader.symbol(), price).immediate_or_cancel();
        let token = trader.enter(&order);
        self.buying = token.filter(|_| !self.sells);
        self.sells = !self.sells;
    }

    fn answer(&mut self, answer: Answer) -> i64 {
        match answer {
            Answer::Executed(token, shares) if self.buying == Some(token) => i64::from(shares),
            Answer::Executed(_, shares) => -i64::from(shares),
            _ => 0,
        }
    }
}

/// Breaks one limit of its account after the other, and is refused each time.
pub struct Breaker {
    turn: usize,
}

impl Breaker {
    /// A breaker that begins with the order size.
    pub fn new() -> Self {
        Self { turn: 0 }
    }

    /// The order that breaks the limit whose turn it is.
    fn order(&self, symbol: Symbol, bid: Price, ask: Price) -> NewOrder {
        let buy = |quantity, symbol, price| {
            NewOrder::limit(OrderSide::Buy, Quantity(quantity), symbol, Price(price))
        };
        match self.turn % 5 {
            0 => buy(super::BREAKER_SIZE_MAX + 1, symbol, ask.0),
            1 => {
                // The fewest shares whose value at the ask is above the limit.
                let shares = super::BREAKER_VALUE_MAX / u64::from(ask.0.max(1)) + 1;
                let shares = u32::try_from(shares).unwrap_or(u32::MAX);
                buy(shares.min(super::BREAKER_SIZE_MAX), symbol, ask.0)
            }
            2 => buy(1, symbol, ask.0.saturating_mul(2)),
            3 => buy(1, Symbol(*b"NOSUCH  "), ask.0),
            // Far below the market it rests: from the second one on it is one too many.
            _ => buy(1, symbol, (bid.0 / 2).max(100) / 100 * 100),
        }
    }
}

impl Decide for Breaker {
    fn name(&self) -> &'static str {
        "breaker"
    }

    fn interval(&self) -> u64 {
        4 * MILLISECOND
    }

    fn decide(&mut self, trader: &mut Trader, top: &TopOfBook) {
        let (Some((bid, _)), Some((ask, _))) = (top.bid(), top.ask()) else {
            return;
        };
        let order = self.order(trader.symbol(), bid, ask);
        trader.enter(&order);
        self.turn += 1;
    }

    fn answer(&mut self, answer: Answer) -> i64 {
        match answer {
            Answer::Executed(_, shares) => i64::from(shares),
            _ => 0,
        }
    }
}
