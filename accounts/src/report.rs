//! What accounts say of themselves: plain values.

use spindle_types::{AccountId, EventTime, InstrumentId};

use crate::markout::{HORIZONS, Markout};
use crate::money::Money;
use crate::position::Position;

/// Whose a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// One account's.
    Account(AccountId),
    /// All accounts as one.
    Firm,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountLine {
    /// Whose.
    pub owner: Owner,
    /// Fills.
    pub fills: u64,
    /// Shares bought.
    pub bought: u64,
    /// Shares sold.
    pub sold: u64,
    /// Shares of orders that stood.
    pub maker: u64,
    /// Shares of orders that took.
    pub taker: u64,
    /// Shares of fills that rest on an assumption about the tape and not on a displayed queue.
    pub assumed: u64,
    /// Fees paid; below zero rebates received.
    pub fees: Money,
    /// Profit of what was closed, without fees.
    pub realised: Money,
    /// What open positions would make besides, at the tape's prices.
    pub unrealised: Money,
    /// Open positions for which the tape has no price: they are not in `unrealised`.
    pub unpriced: u64,
    /// By horizon, see [`HORIZONS`].
    pub markouts: [Markout; HORIZONS.len()],
    /// Fills that found no room to wait for their markouts.
    pub markouts_missed: u64,
    /// Fills that found no place for their position: they are in the shares and fees alone.
    pub unplaced: u64,
}

impl AccountLine {
    /// Realised and unrealised profit without fees.
    pub fn profit(&self) -> Money {
        self.realised + self.unrealised
    }

    /// Profit after fees.
    pub fn net(&self) -> Money {
        self.profit() - self.fees
    }

    /// Fills whose horizon had not come when the tape ended.
    pub fn unreached(&self, horizon: usize) -> u64 {
        let valued = self.markouts.get(horizon).map_or(0, |one| one.fills + one.unpriced);
        self.fills.saturating_sub(valued + self.markouts_missed)
    }
}

/// What an account has of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionLine {
    /// Whose.
    pub owner: Owner,
    /// Of what.
    pub instrument: InstrumentId,
    /// The position.
    pub position: Position,
    /// The tape's price of a share; `None` where it has none.
    pub mark: Option<Money>,
}

/// How all accounts stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The time of the last fill.
    pub time: EventTime,
    /// Accounts in order, then the firm.
    pub accounts: Vec<AccountLine>,
    /// Every position ever traded.
    pub positions: Vec<PositionLine>,
    /// Fills of accounts or instruments that nobody knows.
    pub strangers: u64,
}

impl Report {
    /// An empty report with room for so many lines.
    pub fn with_room(accounts: usize, positions: usize) -> Self {
        Self {
            accounts: Vec::with_capacity(accounts),
            positions: Vec::with_capacity(positions),
            ..Self::default()
        }
    }

    /// Empties it and keeps the room.
    pub fn clear(&mut self) {
        self.accounts.clear();
        self.positions.clear();
    }
}
