//! The demo's strategies: one quotes both sides, one takes, one breaks its limits. Each is an agent
//! and a real client over OUCH; prices they read from the venue's atomic cells.

use spindle_engine::command::OrderSide;
use spindle_feed::top::{TopOfBook, TopState};
use spindle_gateway::client::{Order, OrderEvent, OrderId};
use spindle_types::{Agent, Price, Quantity, Symbol};

use super::trader::{Tally, Trader};

const MILLISECOND: u64 = 1_000_000;

/// Shares of an ordinary order.
const LOT: Quantity = Quantity(100);

/// What a strategy decides. What it has sent and got is counted by its [`Trader`].
pub(super) trait Decide: Send {
    /// A short name.
    fn name(&self) -> &'static str;

    /// Nanoseconds between two decisions.
    fn interval(&self) -> u64;

    /// Decides on what stands in the market now.
    fn decide(&mut self, trader: &mut Trader, top: &TopOfBook);

    /// Takes note of an answer, and gives the shares bought (or minus the shares sold) by it.
    fn answer(&mut self, answer: &OrderEvent) -> i64;
}

/// A strategy that runs.
pub(super) struct Strategy {
    trader: Trader,
    decide: Box<dyn Decide>,
    answers: Vec<OrderEvent>,
    next: u64,
}

impl Strategy {
    /// A strategy that decides by `decide` and trades by `trader`.
    pub(super) fn new(trader: Trader, decide: Box<dyn Decide>) -> Self {
        Self { trader, decide, answers: Vec::new(), next: 0 }
    }

    /// Logs out and gives name and count.
    pub(super) fn finish(self) -> (&'static str, Symbol, Tally) {
        (self.decide.name(), self.trader.symbol(), self.trader.finish())
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
            let shares = self.decide.answer(&answer);
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

/// An order as the quoter knows it: sent, or open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quote {
    id: OrderId,
    price: Price,
    open: u32,
    under_way: UnderWay,
}

/// What was asked of an order and not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnderWay {
    Nothing,
    Replace { next: OrderId, price: Price },
    Cancel,
}

/// Joins the best bid and the best ask with an order each, and follows them. Where it stands alone
/// at the best it steps back and joins what is best then: its own order is no market.
pub(super) struct Quoter {
    quotes: [Option<Quote>; 2],
    position: i64,
}

impl Quoter {
    /// A quoter without orders.
    pub(super) fn new() -> Self {
        Self { quotes: [None; 2], position: 0 }
    }

    /// Most shares that it holds, or is short.
    const POSITION_MAX: i64 = 5_000;

    fn quote(&mut self, trader: &mut Trader, which: usize, (price, size): (Price, u64)) {
        let Some(quote) = &mut self.quotes[which] else {
            let order = [Order::buy, Order::sell][which](LOT.0, trader.symbol(), price);
            let id = trader.enter(&order);
            let under_way = UnderWay::Nothing;
            self.quotes[which] = id.map(|id| Quote { id, price, open: LOT.0, under_way });
            return;
        };
        if quote.under_way != UnderWay::Nothing {
            return;
        }
        if quote.price == price && u64::from(quote.open) == size {
            trader.cancel(quote.id);
            quote.under_way = UnderWay::Cancel;
        } else if quote.price != price
            && let Some(next) = trader.replace(quote.id, LOT, price)
        {
            quote.under_way = UnderWay::Replace { next, price };
        }
    }
}

/// What becomes of a quote by an answer, and the shares executed.
fn after(quote: Option<Quote>, answer: &OrderEvent) -> (Option<Quote>, u32) {
    let Some(mut quote) = quote else {
        return (None, 0);
    };
    let mut executed = 0;
    match *answer {
        OrderEvent::Executed { id, quantity, .. } if id == quote.id => {
            quote.open = quote.open.saturating_sub(quantity);
            executed = quantity;
        }
        OrderEvent::Canceled { id, .. } | OrderEvent::Rejected { id, .. } if id == quote.id => {
            quote.open = 0;
        }
        OrderEvent::Replaced { original, id, .. } if original == quote.id => {
            if let UnderWay::Replace { price, .. } = quote.under_way {
                quote = Quote { id, price, under_way: UnderWay::Nothing, ..quote };
            }
        }
        OrderEvent::Rejected { id, .. } => {
            // The replacement was refused; the original stands as before.
            if matches!(quote.under_way, UnderWay::Replace { next, .. } if next == id) {
                quote.under_way = UnderWay::Nothing;
            }
        }
        _ => {}
    }
    (Some(quote).filter(|quote| quote.open > 0), executed)
}

impl Decide for Quoter {
    fn name(&self) -> &'static str {
        "quoter"
    }

    fn interval(&self) -> u64 {
        MILLISECOND
    }

    fn decide(&mut self, trader: &mut Trader, top: &TopOfBook) {
        let (Some(bid), Some(ask)) = (top.bid(), top.ask()) else {
            return;
        };
        if self.position < Self::POSITION_MAX {
            self.quote(trader, 0, bid);
        }
        if self.position > -Self::POSITION_MAX {
            self.quote(trader, 1, ask);
        }
    }

    fn answer(&mut self, answer: &OrderEvent) -> i64 {
        let [(buy, bought), (sell, sold)] = self.quotes.map(|quote| after(quote, answer));
        self.quotes = [buy, sell];
        let shares = i64::from(bought) - i64::from(sold);
        self.position += shares;
        shares
    }
}

/// Takes a lot from the other side, in turn buying and selling.
pub(super) struct Taker {
    sells: bool,
    /// For the last orders, by number, whether they sell.
    sold: Box<[bool; Self::REMEMBERED]>,
}

impl Taker {
    const REMEMBERED: usize = 1_024;

    fn place(id: OrderId) -> usize {
        usize::try_from(id.0).unwrap_or(usize::MAX) % Self::REMEMBERED
    }

    /// A taker that buys first.
    pub(super) fn new() -> Self {
        Self { sells: false, sold: Box::new([false; Self::REMEMBERED]) }
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
        let order =
            Order { side, ..Order::buy(LOT.0, trader.symbol(), price) }.immediate_or_cancel();
        if let Some(id) = trader.enter(&order) {
            self.sold[Self::place(id)] = self.sells;
            self.sells = !self.sells;
        }
    }

    fn answer(&mut self, answer: &OrderEvent) -> i64 {
        match *answer {
            OrderEvent::Executed { id, quantity, .. } => {
                let sold = self.sold[Self::place(id)];
                if sold { -i64::from(quantity) } else { i64::from(quantity) }
            }
            _ => 0,
        }
    }
}

/// Breaks one limit of its account after the other, and is refused each time.
pub(super) struct Breaker {
    turn: usize,
}

impl Breaker {
    /// A breaker that begins with the order size.
    pub(super) fn new() -> Self {
        Self { turn: 0 }
    }

    /// The order that breaks the limit whose turn it is.
    fn order(&self, symbol: Symbol, bid: Price, ask: Price) -> Order {
        let buy = |shares, symbol, price| Order::buy(shares, symbol, Price(price));
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

    fn answer(&mut self, answer: &OrderEvent) -> i64 {
        match *answer {
            OrderEvent::Executed { quantity, .. } => i64::from(quantity),
            _ => 0,
        }
    }
}
