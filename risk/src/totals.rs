//! What is counted, for tests and tables.

use spindle_types::{AccountId, InstrumentId};

use crate::gate::Gate;
use crate::notice::Target;
use crate::table::key_of;

/// What an owner, or an owner in one instrument, has reserved and holds: for tests and tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Open orders.
    pub open_orders: u64,
    /// Open shares to buy and to sell.
    pub open: [u64; 2],
    /// What they are valued at, in price units times shares, over all currencies.
    pub open_value: [i128; 2],
    /// Shares held, of one instrument; negative: short.
    pub position: i64,
    /// What they cost; negative: short.
    pub net: i128,
    /// Exposure at worst.
    pub gross: i128,
    /// Shares traded today, bought and sold.
    pub traded: [u64; 2],
    /// Money traded for today.
    pub traded_value: [i128; 2],
    /// Realised and unrealised profit by the latest marks.
    pub profit: i128,
}
impl Gate {
    /// What an account, a session or a firm has.
    pub fn totals(&self, target: Target) -> Totals {
        let Some(owner) = self.owner_of(target).and_then(|at| self.owners.get(at as usize)) else {
            return Totals::default();
        };
        let mut totals = Totals {
            open_orders: owner.flow.open_orders,
            open: owner.flow.open,
            traded: owner.flow.traded,
            ..Totals::default()
        };
        for money in &owner.money {
            for side in 0..2 {
                totals.open_value[side] += money.open[side];
                totals.traded_value[side] += money.traded[side];
            }
            totals.net += money.net;
            totals.gross += money.gross;
            totals.profit += money.profit;
        }
        totals
    }

    /// What an account, a session or a firm has in one instrument.
    pub fn totals_in(&self, target: Target, instrument: InstrumentId) -> Totals {
        let owner = self.owner_of(target);
        let cell =
            owner.and_then(|owner| self.cells.get(self.cells.find(key_of(owner, instrument))));
        cell.map_or_else(Totals::default, |cell| Totals {
            open_orders: cell.flow.open_orders,
            open: cell.flow.open,
            open_value: cell.money.open,
            position: cell.position,
            net: cell.money.net,
            gross: cell.money.worst(),
            traded: cell.flow.traded,
            traded_value: cell.money.traded,
            profit: cell.money.profit,
        })
    }

    /// Everybody who has anything in an instrument.
    pub fn positions(&self) -> impl Iterator<Item = (Target, InstrumentId, Totals)> + '_ {
        self.cells.iter().map(|cell| {
            let (target, instrument) = (self.target(cell.owner()), cell.instrument());
            (target, instrument, self.totals_in(target, instrument))
        })
    }

    /// Orders of the account that are open now.
    pub fn open_orders(&self, account: AccountId) -> u64 {
        self.totals(Target::Account(account)).open_orders
    }

    /// Whether every owner's sums are those of its cells.
    ///
    /// # Errors
    /// The first owner whose are not.
    pub fn check_sums(&self) -> Result<(), String> {
        let mut sums = vec![Totals::default(); self.owners.len()];
        for cell in self.cells.iter() {
            if cell.money.gross != cell.money.worst() || cell.money.profit != cell.value() {
                return Err(format!("{:?}: exposure or profit does not follow", cell.key));
            }
            let sum = &mut sums[cell.owner() as usize];
            for side in 0..2 {
                sum.open[side] += cell.flow.open[side];
                sum.traded[side] += cell.flow.traded[side];
                sum.open_value[side] += cell.money.open[side];
                sum.traded_value[side] += cell.money.traded[side];
            }
            sum.open_orders += cell.flow.open_orders;
            sum.net += cell.money.net;
            sum.gross += cell.money.gross;
            sum.profit += cell.money.profit;
        }
        for (number, sum) in (0..).zip(sums) {
            let target = self.target(number);
            let has = self.totals(target);
            if has != sum {
                return Err(format!("{target:?} has {has:?}, its instruments {sum:?}"));
            }
        }
        Ok(())
    }
}
