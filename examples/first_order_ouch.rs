//! A first order over OUCH, as docs/connect.md shows it.
//!
//!     spindle run --config examples/venue.toml
//!     cargo run --example first_order_ouch

use std::error::Error;
use std::net::SocketAddr;

use spindle_gateway::client::{Login, Order, TradingClient};
use spindle_types::Price;

pub(crate) fn first_order(venue: SocketAddr) -> Result<(), Box<dyn Error>> {
    let login = Login::new("maker1", "quote")?;
    let mut client = TradingClient::connect_ouch(venue, login)?;
    let id = client.enter(&Order::buy(100, "AAPL".parse()?, Price(1_500_000)))?;
    for event in client.events() {
        println!("{event}");
    }
    client.cancel(id)?;
    client.events().for_each(|event| println!("{event}"));
    Ok(())
}

#[allow(dead_code, reason = "a test calls the other function alone")]
fn main() -> Result<(), Box<dyn Error>> {
    first_order(([127, 0, 0, 1], 8401).into())
}
