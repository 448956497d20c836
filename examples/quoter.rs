//! A quoting strategy in a recorded day: joins the best bid and the best ask with 100 shares each and
//! follows them, as long as it holds or owes no more than 1,000.
//!
//!     spindle run --config examples/lockstep.toml --recording day.itch --lockstep
//!     cargo run --release --example quoter -- SYMBOL
//!
//! It sees the same in every run, so it does the same.

use std::error::Error;
use std::net::SocketAddr;

use spindle_engine::command::OrderSide;
use spindle_gateway::client::{LockstepClient, Login, NewOrder, Step, TapeBook};
use spindle_gateway::lockstep::Wait;
use spindle_gateway::ouch::outbound::Message;
use spindle_types::{OrderToken, Price, Quantity, Symbol};

const SHARES: u32 = 100;
const POSITION_MAX: i64 = 1_000;

/// A quote of one side.
#[derive(Clone, Copy)]
struct Quote {
    number: OrderToken,
    price: Price,
    open: u32,
}

/// What the strategy knows.
struct Quoter {
    symbol: Symbol,
    book: TapeBook,
    /// Bid and ask.
    quotes: [Option<Quote>; 2],
    position: i64,
    fills: u64,
    /// Orders are no longer taken.
    closed: bool,
}

impl Quoter {
    /// Takes note of what happened to an order.
    fn told(&mut self, message: &Message<'_>) {
        let (number, shares, executed) = match message {
            Message::Executed(m, _) => (m.user_ref_num.get(), m.quantity.get(), true),
            Message::Canceled(m, _) => (m.user_ref_num.get(), m.quantity.get(), false),
            Message::Rejected(m, _) => {
                self.closed = true;
                (m.user_ref_num.get(), SHARES, false)
            }
            _ => return,
        };
        for (quote, sign) in self.quotes.iter_mut().zip([1, -1]) {
            let Some(known) = quote.as_mut().filter(|known| known.number.0 == number) else {
                continue;
            };
            known.open = known.open.saturating_sub(shares);
            if executed {
                self.position += sign * i64::from(shares);
                self.fills += 1;
            }
            if known.open == 0 {
                *quote = None;
            }
        }
    }

    /// Brings the quotes to the best prices, one request for a side at a time: an order that is to move
    /// is cancelled now and entered anew when it is gone.
    fn act(&mut self, client: &mut LockstepClient) -> Result<(), Box<dyn Error>> {
        let wanted = [
            self.book.bid().filter(|_| self.position < POSITION_MAX),
            self.book.ask().filter(|_| self.position > -POSITION_MAX),
        ];
        for (at, side) in [OrderSide::Buy, OrderSide::Sell].into_iter().enumerate() {
            let wanted = wanted[at].map(|(price, _)| price).filter(|_| !self.closed);
            match (self.quotes[at], wanted) {
                (Some(quote), wanted) if wanted != Some(quote.price) => {
                    client.cancel(quote.number)?;
                }
                (None, Some(price)) => {
                    let order = NewOrder::limit(side, Quantity(SHARES), self.symbol, price);
                    let number = client.enter(&order)?;
                    self.quotes[at] = Some(Quote { number, price, open: SHARES });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let symbol: Symbol = arguments.next().ok_or("give the symbol to quote")?.parse()?;
    let mut address = |default: &str| -> Result<SocketAddr, Box<dyn Error>> {
        Ok(arguments.next().as_deref().unwrap_or(default).parse()?)
    };
    let (ouch, tape) = (address("127.0.0.1:8401")?, address("127.0.0.1:8402")?);
    let login = Login::new("maker1", "quote")?;
    let mut client = LockstepClient::connect(ouch, Some(tape), login)?;
    let (book, quotes) = (TapeBook::new(symbol), [None; 2]);
    let mut quoter = Quoter { symbol, book, quotes, position: 0, fills: 0, closed: false };
    let wait = Wait::message_of(&[symbol]);
    client.wait(&wait)?;
    while let Some(step) = client.next_step()? {
        match step {
            Step::Tape { message, .. } => quoter.book.apply(message),
            Step::Own { message, .. } => quoter.told(&message),
            Step::Turn(_) => {
                quoter.act(&mut client)?;
                client.wait(&wait)?;
            }
        }
    }
    println!("{symbol}: {} fills, {} shares held at the end", quoter.fills, quoter.position);
    Ok(())
}
