//! What is used of limits, for whoever asks.

use spindle_types::{EventTime, InstrumentId, Side};

use crate::gate::Gate;
use crate::keys::{CURRENCIES_MAX, Key, OFF};
use crate::notice::Target;
use crate::state::{Cell, Flow, Money};
use crate::table::{NONE, key_of};
use crate::view::cut;

/// Sums of money against which limits are held, in one currency, in price units times shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct MoneyUsed {
    /// Traded and open, by side.
    value: [u64; 2],
    gross: u64,
    /// Net with what is open, by side.
    net: [u64; 2],
    loss: u64,
}

/// What is used of the limits of an account, an account in an instrument, a session or a firm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    money: [MoneyUsed; CURRENCIES_MAX],
    open_orders: u64,
    /// Shares at worst; of an owner in the instrument where it is most.
    position: u64,
    /// Shares traded and open, by side.
    quantity: [u64; 2],
    /// Requests and orders in their buckets.
    rates: [u64; 2],
    orders: u64,
    /// Orders that the executions so far allow.
    allowed: u64,
    located: u64,
    /// Executions in the windows that run; of an owner on the side and in the instrument where it is
    /// most.
    executions: u64,
    /// Refusals and executions towards stopping by itself.
    kills: [u64; 2],
}

impl Usage {
    /// What is used of a limit, in its unit; `None` of a limit that every order meets alone.
    pub const fn of(&self, key: Key, currency: usize) -> Option<u64> {
        let money = &self.money[currency % CURRENCIES_MAX];
        let [buy, sell] = [Side::Buy as usize, Side::Sell as usize];
        Some(match key {
            Key::BoughtValueMax => money.value[buy],
            Key::SoldValueMax => money.value[sell],
            Key::GrossExposureMax => money.gross,
            Key::NetExposureMax => {
                if money.net[buy] > money.net[sell] {
                    money.net[buy]
                } else {
                    money.net[sell]
                }
            }
            Key::CreditMax => money.net[buy],
            Key::LossMax => money.loss,
            Key::OpenOrdersMax => self.open_orders,
            Key::PositionMax => self.position,
            Key::BoughtQuantityMax => self.quantity[buy],
            Key::SoldQuantityMax => self.quantity[sell],
            Key::MessageBurst => self.rates[0],
            Key::OrderBurst => self.rates[1],
            Key::OrderToTradeMax => self.orders,
            Key::LocateShares => self.located,
            Key::ExecutionsMax => self.executions,
            Key::KillRejectsMax => self.kills[0],
            Key::KillFillsMax => self.kills[1],
            // Where no burst is set a bucket holds what drains in a second.
            Key::MessageRateMax => self.rates[0],
            Key::OrderRateMax => self.rates[1],
            _ => return None,
        })
    }

    /// What is held against what is used, where that is not the limit as it was set: of
    /// `order_to_trade_max` the orders that the executions so far allow.
    pub const fn allowed(&self, key: Key) -> Option<u64> {
        match key {
            Key::OrderToTradeMax => Some(self.allowed),
            _ => None,
        }
    }

    fn take_money(&mut self, currency: usize, money: &Money) {
        let [buys, sells] = money.open;
        self.money[currency % CURRENCIES_MAX] = MoneyUsed {
            value: [cut(money.traded[0] + buys), cut(money.traded[1] + sells)],
            gross: cut(money.gross),
            net: [cut(money.net + buys), cut(sells - money.net)],
            loss: cut(-money.profit),
        };
    }

    fn take_flow(&mut self, flow: &Flow) {
        self.open_orders = flow.open_orders;
        self.quantity = [0, 1].map(|side| flow.open[side].saturating_add(flow.traded[side]));
        self.orders = flow.orders;
    }

    /// A cell of the owner, where position and executions are each instrument's.
    fn take_cell(&mut self, cell: &Cell, window: u64, own: usize, time: EventTime) {
        let [buys, sells] = cell.flow.open.map(i128::from);
        let position = i128::from(cell.position);
        self.position = self.position.max(cut((position + buys).max(sells - position)));
        for executions in &cell.executions[own] {
            self.executions = self.executions.max(executions.count(time, window));
        }
    }
}

/// Of whom usage is asked, and the answer.
#[derive(Clone, Copy, Debug)]
pub struct UsageRow {
    /// Whose limits.
    pub target: Target,
    /// Of an account: in which instrument.
    pub instrument: Option<InstrumentId>,
    /// What is used of them.
    pub usage: Usage,
}

impl UsageRow {
    /// A row to be filled.
    pub fn of(target: Target, instrument: Option<InstrumentId>) -> Self {
        Self { target, instrument, usage: Usage::default() }
    }
}

impl Gate {
    /// Owners that a table of places for [`Gate::fill_usage`] must have room for.
    pub fn owners(&self) -> usize {
        self.owners.len()
    }

    /// Fills rows with what is used at this time. One pass over the rows and one over the cells in
    /// use; nothing is allocated. `places` needs room for every owner ([`Gate::owners`]): of one
    /// that has none there, `position_max` and `executions_max` stay 0.
    pub fn fill_usage(&self, time: EventTime, rows: &mut [UsageRow], places: &mut [u32]) {
        places.fill(0);
        for (place, row) in (1..).zip(&mut *rows) {
            row.usage = Usage::default();
            let Some(owner) = self.owner_of(row.target) else {
                continue;
            };
            match row.instrument {
                Some(instrument) => self.use_in(owner, instrument, time, &mut row.usage),
                None => {
                    self.use_of(owner, time, &mut row.usage);
                    if let Some(at) = places.get_mut(owner as usize) {
                        *at = place;
                    }
                }
            }
        }
        for cell in self.cells.iter() {
            let place = places.get(cell.owner() as usize).map_or(0, |&place| place as usize);
            if place > 0
                && let Some(row) = rows.get_mut(place - 1)
            {
                let set = self.owners[cell.owner() as usize].set;
                let window = self.sets[usize::from(set)].limits.at(Key::ExecutionsWindowMs);
                row.usage.take_cell(cell, window, 0, time);
            }
        }
    }

    fn use_of(&self, owner: u32, time: EventTime, usage: &mut Usage) {
        let owner = &self.owners[owner as usize];
        let set = &self.sets[usize::from(owner.set)];
        usage.take_flow(&owner.flow);
        for (currency, money) in owner.money.iter().enumerate() {
            usage.take_money(currency, money);
        }
        usage.rates = self.rates_of(owner.set, &owner.flow, time);
        usage.allowed = set.allowed(&owner.flow);
        for (used, (window, key)) in usage.kills.iter_mut().zip([
            (&owner.rejects, Key::KillRejectsWindowMs),
            (&owner.fills, Key::KillFillsWindowMs),
        ]) {
            *used = window.count(time, set.limits.at(key));
        }
    }

    fn use_in(&self, owner: u32, instrument: InstrumentId, time: EventTime, usage: &mut Usage) {
        let at = self.cells.find(key_of(owner, instrument));
        let Some(cell) = self.cells.get(at).filter(|_| at != NONE) else {
            return;
        };
        let set = &self.sets[usize::from(cell.set)];
        usage.take_flow(&cell.flow);
        usage.take_money(usize::from(cell.currency), &cell.money);
        usage.take_cell(cell, set.limits.at(Key::ExecutionsWindowMs), 1, time);
        usage.rates = self.rates_of(cell.set, &cell.flow, time);
        usage.allowed = set.allowed(&cell.flow);
        usage.located = cell.located;
    }

    fn rates_of(&self, set: u16, flow: &Flow, time: EventTime) -> [u64; 2] {
        let set = &self.sets[usize::from(set)];
        let is_on = |key| set.limits.at(key) != OFF;
        [
            if is_on(Key::MessageRateMax) { flow.messages.filled(time, &set.messages) } else { 0 },
            if is_on(Key::OrderRateMax) { flow.accepted.filled(time, &set.orders) } else { 0 },
        ]
    }
}

#[cfg(test)]
mod tests {
    use spindle_types::{AccountId, Price, Quantity, SessionId};

    use super::*;
    use crate::{Form, Holder, Limits, Market, Purpose, Request, Reserved, Sale};

    const ACCOUNT: AccountId = AccountId(0);
    const X: InstrumentId = InstrumentId(1);

    /// 100 bought of 300 at 2.0000 in the first instrument, 50 offered in the second.
    fn gate() -> Gate {
        let mut gate = Gate::new(2);
        gate.fit_instruments(4);
        let limits = Limits::NONE
            .with(Key::OrderRateMax, 1)
            .with(Key::OrderBurst, 5)
            .with(Key::OrderToTradeMax, 10)
            .with(Key::OrderToTradeFree, 100)
            .with(Key::ExecutionsMax, 3)
            .with(Key::ExecutionsWindowMs, 1_000);
        gate.set_limits(Target::Account(ACCOUNT), limits).expect("limits");
        for (instrument, side, quantity) in [(1, Side::Buy, 300), (2, Side::Sell, 50)] {
            let (session, instrument) = (SessionId(0), InstrumentId(instrument));
            let (sale, price) = (Sale::Long, Price(20_000));
            let request = Request {
                time: EventTime(0),
                account: ACCOUNT,
                session,
                instrument,
                side,
                sale,
                quantity: Quantity(quantity),
                limit: Some(price),
                form: Form::Plain,
                purpose: Purpose::Enter,
                before: Reserved::default(),
            };
            let admission = gate.check(&request, &Market::default()).expect("a pass");
            gate.reserve(&request, &admission);
            if side == Side::Buy {
                let holder = Holder { account: ACCOUNT, session, instrument, side, sale, price };
                gate.fill(&holder, Quantity(100), Price(19_000), false, EventTime(0));
            }
        }
        gate
    }

    fn used(gate: &Gate, row: UsageRow, time: u64) -> Usage {
        let (mut rows, mut places) = ([row], vec![7; gate.owners()]);
        gate.fill_usage(EventTime(time), &mut rows, &mut places);
        rows[0].usage
    }

    #[test]
    fn an_account_uses_what_it_has_traded_and_what_is_open() {
        let usage = used(&gate(), UsageRow::of(Target::Account(ACCOUNT), None), 0);
        for (key, expected) in [
            (Key::OpenOrdersMax, Some(2)),
            (Key::PositionMax, Some(300)),
            (Key::BoughtQuantityMax, Some(300)),
            (Key::SoldQuantityMax, Some(50)),
            (Key::BoughtValueMax, Some(100 * 19_000 + 200 * 20_000)),
            (Key::SoldValueMax, Some(50 * 20_000)),
            (Key::GrossExposureMax, Some(100 * 19_000 + 200 * 20_000 + 50 * 20_000)),
            (Key::NetExposureMax, Some(100 * 19_000 + 200 * 20_000)),
            (Key::CreditMax, Some(100 * 19_000 + 200 * 20_000)),
            (Key::LossMax, Some(0)),
            (Key::OrderBurst, Some(2)),
            (Key::OrderToTradeMax, Some(2)),
            (Key::ExecutionsMax, Some(1)),
            (Key::OrderSizeMax, None),
            (Key::Luld, None),
        ] {
            assert_eq!(usage.of(key, 0), expected, "{key:?}");
        }
        assert_eq!(usage.allowed(Key::OrderToTradeMax), Some(110));
        assert_eq!(usage.of(Key::GrossExposureMax, 1), Some(0), "another currency");
        // The bucket drains one a second, and the window of executions ends.
        let later = used(&gate(), UsageRow::of(Target::Account(ACCOUNT), None), 1_000_000_000);
        assert_eq!(later.of(Key::OrderBurst, 0), Some(1));
        assert_eq!(later.of(Key::ExecutionsMax, 0), Some(0));
    }

    #[test]
    fn in_one_instrument_it_uses_what_is_of_that_instrument() {
        let row = |instrument| UsageRow::of(Target::Account(ACCOUNT), Some(instrument));
        let usage = used(&gate(), row(InstrumentId(2)), 0);
        assert_eq!(usage.of(Key::OpenOrdersMax, 0), Some(1));
        assert_eq!(usage.of(Key::PositionMax, 0), Some(50));
        assert_eq!(usage.of(Key::SoldValueMax, 0), Some(50 * 20_000));
        assert_eq!(usage.of(Key::BoughtValueMax, 0), Some(0));
        assert_eq!(used(&gate(), row(InstrumentId(3)), 0), Usage::default());
        assert_eq!(used(&gate(), row(X), 0).of(Key::PositionMax, 0), Some(300));
        let nobody = UsageRow::of(Target::Account(AccountId(9)), None);
        assert_eq!(used(&gate(), nobody, 0), Usage::default());
    }
}
