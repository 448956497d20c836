//! A first order over FIX, as docs/connect.md shows it.
//!
//!     spindle run --config examples/venue.toml
//!     cargo run --example first_order_fix

use std::error::Error;
use std::net::SocketAddr;

use spindle_gateway::client::{FixLogin, Order, TradingClient};
use spindle_gateway::fix::Version;
use spindle_types::Price;

pub(crate) fn first_order(venue: SocketAddr) -> Result<(), Box<dyn Error>> {
    let login = FixLogin::new(Version::Fix44, "MAKER", "SPINDLE").with("maker", "quote");
    let mut client = TradingClient::connect_fix(venue, login)?;
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
    first_order(([127, 0, 0, 1], 8402).into())
}
