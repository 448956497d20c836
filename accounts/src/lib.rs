//! An account for each strategy: positions, profit, fees and markouts, in integers.
//!
//! Fills, prices and the passing of tape time go in, plain values come out; nothing here asks a clock,
//! allocates after the start or formats.
//!
//! ```
//! use spindle_accounts::{Accounts, AccountsConfig, FeeSchedule, Fill, Liquidity, Money};
//! use spindle_types::{AccountId, EventTime, InstrumentId, Price, Quantity, Side};
//!
//! let config = AccountsConfig { positions_max: 8, markouts_max: 8 };
//! let fees = FeeSchedule { maker: Money(-2_000), taker: Money(3_000), share: Money(100) };
//! let mut accounts = Accounts::new(&config, 10, &[fees]);
//! let buy = Fill {
//!     time: EventTime::at(9, 30, 0),
//!     account: AccountId(0),
//!     instrument: InstrumentId(1),
//!     side: Side::Buy,
//!     price: Price(100_000),
//!     quantity: Quantity(100),
//!     liquidity: Liquidity::Maker,
//!     assumed: false,
//! };
//! accounts.fill(&buy);
//! let mark = |_| Some(Money(10_010_000)); // 10.01 dollars
//! let line = accounts.line(AccountId(0), mark).unwrap();
//! assert_eq!(line.unrealised, Money(1_000_000)); // one dollar
//! assert_eq!(line.fees, Money(-190_000)); // a rebate of 19 cents
//! ```

mod accounts;
mod fees;
mod markout;
mod money;
mod position;
mod report;

pub use accounts::{Accounts, AccountsConfig, Fill};
pub use fees::{FeeSchedule, Liquidity};
pub use markout::{HORIZONS, Markout};
pub use money::Money;
pub use position::Position;
pub use report::{AccountLine, Owner, PositionLine, Report};
