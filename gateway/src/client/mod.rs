//! The clients. [`TradingClient`] has one face for both protocols and is what most want. What it is made of is public as well,
//! for who looks at single messages or counts nanoseconds: [`OuchClient`] and [`FixClient`], which neither wait nor allocate for a
//! message, [`ClientSession`], which is OUCH's session without a socket, and [`LockstepClient`] for strategies in a recorded day.
//!
//! ```no_run
//! use spindle_engine::command::OrderSide;
//! use spindle_gateway::client::{Login, NewOrder, OuchClient};
//! use spindle_types::{Price, Quantity};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let address = "127.0.0.1:26400".parse()?;
//! let mut client = OuchClient::connect(address, Login::new("alice", "secret")?)?;
//! let symbol = "AAPL".parse()?;
//! let order = NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(1_500_000));
//! let number = client.enter(&order)?;
//! println!("sent order {number}");
//! while client.is_connected() {
//!     client.poll(&mut |event| println!("{event:?}"));
//! }
//! # Ok(())
//! # }
//! ```

pub mod fix;

mod lockstep;
mod machine;
mod order;
mod tape_book;
mod tcp;
mod trading;

pub use fix::{FixClient, FixEvent, FixLogin, FixOrder};
pub use lockstep::{LockstepClient, Step, StepError};
pub use machine::{
    ClientEvent, ClientSession, ClientTiming, Disconnect, Login, LoginError, Resume,
};
pub use order::{NewOrder, Replacement, cancel as cancel_message};
pub use tape_book::TapeBook;
pub use tcp::{ClientError, OuchClient, SendError};
pub use trading::{Events, OpenOrder, Order, OrderEvent, OrderId, TradingClient, TradingError};
