//! A build that looks at itself: with the feature `verify` the engine holds the risk gate after
//! every input against its books and against what it has told. Slow, and it allocates.

use crate::check::{Fault, Ledger};
use crate::engine::Engine;

impl Engine {
    /// Open orders, shares and money of every account, session and firm in each instrument as all
    /// orders in the books add up to them; positions and what was traded as the executions that were
    /// told add up to them; and sums that follow from each other.
    ///
    /// # Panics
    /// At the first difference: that is what this build is for.
    pub(crate) fn verify(&mut self) {
        let mut ledger = std::mem::take(&mut self.told);
        if let Err(fault) = self.verify_with(&mut ledger) {
            panic!(
                "verify: after the input at {} (events up to {}, market message {}): {fault}",
                self.time,
                ledger.sequence(),
                self.market_sequence
            );
        }
        self.told = ledger;
    }

    fn verify_with(&self, ledger: &mut Ledger) -> Result<(), Fault> {
        let last = ledger.sequence();
        for event in self.outbox.iter().filter(|event| event.sequence > last) {
            ledger.take(event)?;
        }
        ledger.forget_closed();
        self.check_risk()?;
        ledger.check_positions(self)
    }

    /// A day begins: what was told of the one before counts no more.
    pub(crate) fn verify_anew(&mut self) {
        self.told = Ledger::begin_after(self.sequence);
    }
}

#[cfg(test)]
mod tests {
    use spindle_risk::{Gate, Holder, Sale};
    use spindle_types::{AccountId, EventTime, InstrumentId, OrderToken, Price, Quantity};
    use spindle_types::{SessionId, Side};

    use crate::check::Ledger;
    use crate::command::{Action, Attributes, Command, Enter, Modifiers, OrderKind, OrderSide};
    use crate::command::{Cancel, TimeInForce};
    use crate::{Capacity, Engine, EngineConfig};

    const X: InstrumentId = InstrumentId(1);

    fn engine() -> Engine {
        let mut gate = Gate::new(2);
        gate.set_account(AccountId(0), None);
        gate.set_account(AccountId(1), Some(0));
        let capacity = Capacity { instruments: 2, orders: 64, levels: 64 };
        let config = EngineConfig { capacity, own_orders: 32, first_number: 1 };
        let (mut engine, _) = Engine::new(&config, gate);
        engine.add_instrument(X, "X".parse().expect("a symbol"));
        for (account, side, quantity) in [(0, OrderSide::Sell, 100), (1, OrderSide::Buy, 150)] {
            engine.on_command(&enter(account, side, quantity), &mut ());
        }
        engine
    }

    fn command(account: u16, action: Action) -> Command {
        let (session, account) = (SessionId(account), AccountId(account));
        Command { time: EventTime(1), session, account, received: 0, queued: 0, action }
    }

    fn enter(account: u16, side: OrderSide, quantity: u32) -> Command {
        let enter = Enter {
            token: OrderToken(1),
            symbol: "X".parse().expect("a symbol"),
            side,
            quantity: Quantity(quantity),
            limit: Some(Price(100_000)),
            kind: OrderKind::Plain,
            modifiers: Modifiers::NONE,
            time_in_force: TimeInForce::Day,
            attributes: Attributes::default(),
        };
        command(account, Action::Enter(enter))
    }

    fn cancel(account: u16) -> Command {
        let cancel = Cancel { token: OrderToken(1), quantity: Quantity(0) };
        command(account, Action::Cancel(cancel))
    }

    fn holder() -> Holder {
        let (account, session) = (AccountId(1), SessionId(1));
        let (side, sale, price) = (Side::Buy, Sale::Long, Price(100_000));
        Holder { account, session, instrument: X, side, sale, price }
    }

    #[test]
    fn what_agrees_goes_on() {
        engine().on_command(&cancel(1), &mut ());
    }

    #[test]
    #[should_panic(expected = "in instrument 1: the gate has")]
    fn shares_given_back_twice_stop_the_run() {
        let mut engine = engine();
        engine.gate.release(&holder(), Quantity(1), false);
        engine.on_command(&cancel(0), &mut ());
    }

    #[test]
    #[should_panic(expected = "told were")]
    fn an_execution_that_nobody_was_told_of_stops_the_run() {
        let mut engine = engine();
        engine.told = Ledger::begin_after(engine.sequence);
        engine.on_command(&cancel(0), &mut ());
    }
}
