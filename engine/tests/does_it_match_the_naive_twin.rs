//! The engine against the plainest matching engine that can be written: one vector of orders,
//! sorted whenever it is looked at. Random markets and strategies, every event and the whole book
//! compared after every input.

use proptest::prelude::*;
use spindle_engine::command::{
    Action, Attributes, Cancel, Command, Enter, Modifiers, OrderKind, OrderSide, Priority, Replace,
    TimeInForce,
};
use spindle_engine::event::{Basis, CancelReason, Liquidity, Outcome};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_feed::event::{MarketAction, MarketEvent};
use spindle_risk::{Gate, Limits, Target};
use spindle_types::{
    AccountId, EventTime, InstrumentId, MatchNumber, OrderReference, OrderToken, Price, Quantity,
    Sequence, SessionId, Side, Symbol,
};

const INSTRUMENTS: u16 = 2;
const SESSIONS: u16 = 2;

/// One input, small enough that orders meet.
#[derive(Clone, Debug)]
enum Input {
    Add {
        instrument: u16,
        reference: u64,
        sell: bool,
        quantity: u32,
        price: u32,
    },
    Execute {
        reference: u64,
        quantity: u32,
        printable: bool,
    },
    Reduce {
        reference: u64,
        quantity: u32,
    },
    Delete {
        reference: u64,
    },
    TapeReplace {
        reference: u64,
        new_reference: u64,
        quantity: u32,
        price: u32,
    },
    Trade {
        instrument: u16,
        quantity: u32,
        price: u32,
    },
    Enter {
        session: u16,
        token: u32,
        instrument: u16,
        sell: bool,
        quantity: u32,
        price: u32,
        ioc: bool,
    },
    Replace {
        session: u16,
        original: u32,
        token: u32,
        quantity: u32,
        price: u32,
        keep: bool,
    },
    Cancel {
        session: u16,
        token: u32,
        quantity: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Market(u64),
    Strategy { session: u16, token: u32, executed: u32, side: OrderSide },
}

fn reference(owner: &Owner) -> Option<OrderReference> {
    match owner {
        Owner::Market(reference) => Some(OrderReference(*reference)),
        Owner::Strategy { .. } => None,
    }
}

#[derive(Clone, Debug)]
struct NaiveOrder {
    owner: Owner,
    instrument: u16,
    side: Side,
    price: u32,
    quantity: u32,
    taken: u32,
    arrival: u64,
}

type Told = (u16, u32, Outcome);

/// The twin.
#[derive(Default)]
struct Naive {
    orders: Vec<NaiveOrder>,
    told: Vec<Told>,
    arrivals: u64,
    references: u64,
    matches: u64,
}

impl Naive {
    fn arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// The orders of a side, in price-time priority, as indices.
    fn queue(&self, instrument: u16, side: Side) -> Vec<usize> {
        let mut queue: Vec<_> = (0..self.orders.len())
            .filter(|&at| self.orders[at].instrument == instrument && self.orders[at].side == side)
            .collect();
        queue.sort_by_key(|&at| {
            let order = &self.orders[at];
            let price = i64::from(order.price);
            (if side == Side::Buy { -price } else { price }, order.arrival)
        });
        queue
    }

    fn market(&self, reference: u64) -> Option<usize> {
        self.orders.iter().position(|order| order.owner == Owner::Market(reference))
    }

    /// Whether no intact tape says this: it repeats a reference, names an order that it never
    /// showed, or takes off more than that has. That makes the book stale, which has
    /// tests of its own.
    fn cannot_be(&self, input: &Input) -> bool {
        let lacks = |reference, quantity| {
            self.market(reference).is_none_or(|at| self.orders[at].quantity < quantity)
        };
        match *input {
            Input::Add { reference, .. } => self.market(reference).is_some(),
            Input::TapeReplace { reference, new_reference, .. } => {
                lacks(reference, 0)
                    || reference != new_reference && self.market(new_reference).is_some()
            }
            Input::Execute { reference, quantity, .. } | Input::Reduce { reference, quantity } => {
                lacks(reference, quantity)
            }
            Input::Delete { reference } => lacks(reference, 0),
            _ => false,
        }
    }

    fn strategy(&self, session: u16, token: u32) -> Option<usize> {
        self.orders.iter().position(|order| {
            matches!(order.owner, Owner::Strategy { session: s, token: t, .. }
                if (s, t) == (session, token))
        })
    }

    fn next_match(&mut self) -> MatchNumber {
        self.matches += 1;
        MatchNumber(self.matches)
    }

    /// Executes shares of a strategy's order because somebody met it.
    fn fill(
        &mut self,
        at: usize,
        quantity: u32,
        match_number: MatchNumber,
        tape: Option<OrderReference>,
        basis: Basis,
    ) {
        let order = &mut self.orders[at];
        order.quantity -= quantity;
        let Owner::Strategy { session, token, executed, .. } = &mut order.owner else {
            panic!("only strategies' orders are filled")
        };
        *executed += quantity;
        let executed = Outcome::Executed {
            quantity: Quantity(quantity),
            price: Price(order.price),
            open: Quantity(order.quantity),
            liquidity: Liquidity::Added,
            match_number,
            tape,
            basis,
        };
        self.told.push((*session, *token, executed));
    }

    fn sweep(&mut self) {
        self.orders.retain(|order| order.quantity > 0);
    }

    fn tape_fills(&mut self, queue: &[usize], quantity: u32, because_of: Option<&Owner>) -> u32 {
        let tape = because_of.and_then(reference);
        let mut left = quantity;
        for &at in queue {
            if left > 0 && matches!(self.orders[at].owner, Owner::Strategy { .. }) {
                let filled = left.min(self.orders[at].quantity);
                let number = self.next_match();
                let basis = if tape.is_some() { Basis::Queue } else { Basis::Hidden };
                self.fill(at, filled, number, tape, basis);
                left -= filled;
            }
        }
        quantity - left
    }

    fn reached(&self, instrument: u16, side: Side, price: u32) -> Vec<usize> {
        let mut queue = self.queue(instrument, side);
        queue.retain(|&at| Price(price).reaches(side.opposite(), Price(self.orders[at].price)));
        queue
    }

    fn tape_add(&mut self, new: NaiveOrder) {
        let queue = self.reached(new.instrument, new.side.opposite(), new.price);
        let met = self.tape_fills(&queue, new.quantity - new.taken, Some(&new.owner));
        let arrival = self.arrival();
        self.orders.push(NaiveOrder { taken: new.taken + met, arrival, ..new });
        self.sweep();
    }

    fn tape_reduce(&mut self, at: usize, quantity: u32) {
        let order = &mut self.orders[at];
        order.quantity = order.quantity.saturating_sub(quantity);
        order.taken = order.taken.min(order.quantity);
        self.sweep();
    }

    fn apply(&mut self, input: &Input) {
        self.told.clear();
        match *input {
            Input::Add { instrument, reference, sell, quantity, price } => {
                let side = side(sell);
                let owner = Owner::Market(reference);
                let (taken, arrival) = (0, 0);
                self.tape_add(NaiveOrder {
                    owner,
                    instrument,
                    side,
                    price,
                    quantity,
                    taken,
                    arrival,
                });
            }
            Input::Execute { reference, quantity, printable } => {
                let Some(at) = self.market(reference) else { return };
                if printable {
                    let order = self.orders[at].clone();
                    let queue = self.queue(order.instrument, order.side);
                    let ahead: Vec<_> =
                        queue.into_iter().take_while(|&other| other != at).collect();
                    self.tape_fills(&ahead, quantity, Some(&order.owner));
                    self.sweep();
                }
                let at = self.market(reference).expect("the market's order still stands");
                self.tape_reduce(at, quantity);
            }
            Input::Reduce { reference, quantity } => {
                if let Some(at) = self.market(reference) {
                    self.tape_reduce(at, quantity);
                }
            }
            Input::Delete { reference } => {
                if let Some(at) = self.market(reference) {
                    self.orders.remove(at);
                }
            }
            Input::TapeReplace { reference, new_reference, quantity, price } => {
                let Some(at) = self.market(reference) else { return };
                let old = self.orders.remove(at);
                let owner = Owner::Market(new_reference);
                let taken = old.taken.min(quantity);
                self.tape_add(NaiveOrder { owner, price, quantity, taken, ..old });
            }
            Input::Trade { instrument, quantity, price } => {
                for side in [Side::Buy, Side::Sell] {
                    let queue = self.reached(instrument, side, price);
                    self.tape_fills(&queue, quantity, None);
                    self.sweep();
                }
            }
            Input::Enter { session, token, instrument, sell, quantity, price, ioc } => {
                self.enter(session, token, instrument, sell, quantity, price, ioc);
            }
            Input::Replace { session, original, token, quantity, price, keep } => {
                self.replace(session, original, token, quantity, price, keep);
            }
            Input::Cancel { session, token, quantity } => self.cancel(session, token, quantity),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn enter(
        &mut self,
        session: u16,
        token: u32,
        instrument: u16,
        sell: bool,
        quantity: u32,
        price: u32,
        ioc: bool,
    ) {
        if self.strategy(session, token).is_some() {
            let (reason, attributes) =
                (spindle_engine::event::RejectReason::DuplicateToken, Attributes::default());
            let (limit, observed) = (0, 0);
            let rejected = Outcome::Rejected { reason, limit, observed, attributes };
            return self.told.push((session, token, rejected));
        }
        let order_side = order_side(sell);
        self.references += 1;
        let accepted = Outcome::Accepted {
            reference: OrderReference(self.references),
            symbol: symbol(instrument),
            side: order_side,
            quantity: Quantity(quantity),
            limit: (price > 0).then_some(Price(price)),
            time_in_force: tif(ioc),
            live: true,
            attributes: Attributes::default(),
        };
        self.told.push((session, token, accepted));
        let owner = Owner::Strategy { session, token, executed: 0, side: order_side };
        self.take_and_rest(owner, instrument, side(sell), quantity, price, ioc);
    }

    fn take_and_rest(
        &mut self,
        owner: Owner,
        instrument: u16,
        side: Side,
        quantity: u32,
        price: u32,
        ioc: bool,
    ) {
        let Owner::Strategy { session, token, mut executed, side: order_side } = owner else {
            panic!("strategies take")
        };
        let bound = match (price, side) {
            (0, Side::Buy) => u32::MAX,
            (0, Side::Sell) => 0,
            (price, _) => price,
        };
        let mut open = quantity;
        for at in self.reached(instrument, side.opposite(), bound) {
            let resting = &mut self.orders[at];
            let traded = open.min(resting.quantity - resting.taken);
            if traded == 0 {
                continue;
            }
            open -= traded;
            executed += traded;
            let price = Price(resting.price);
            let tape = reference(&resting.owner);
            let is_market = tape.is_some();
            let match_number = self.next_match();
            if is_market {
                self.orders[at].taken += traded;
            } else {
                self.fill(at, traded, match_number, None, Basis::Queue);
            }
            let told = Outcome::Executed {
                quantity: Quantity(traded),
                price,
                open: Quantity(open),
                liquidity: Liquidity::Removed,
                match_number,
                tape,
                basis: Basis::Queue,
            };
            self.told.push((session, token, told));
        }
        self.sweep();
        let quantity = Quantity(open);
        let cancel = |reason| Outcome::Canceled { quantity, open: Quantity(0), reason };
        if open == 0 {
        } else if price == 0 {
            self.told.push((session, token, cancel(CancelReason::NoLiquidity)));
        } else if ioc {
            self.told.push((session, token, cancel(CancelReason::ImmediateOrCancel)));
        } else {
            let arrival = self.arrival();
            let owner = Owner::Strategy { session, token, executed, side: order_side };
            let (quantity, taken) = (open, 0);
            self.orders.push(NaiveOrder {
                owner,
                instrument,
                side,
                price,
                quantity,
                taken,
                arrival,
            });
        }
    }

    fn replace(
        &mut self,
        session: u16,
        original: u32,
        token: u32,
        quantity: u32,
        price: u32,
        keep: bool,
    ) {
        let found = self.strategy(session, original);
        let (Some(at), None) = (found, self.strategy(session, token)) else {
            let original = OrderToken(original);
            return self.told.push((session, token, Outcome::ReplaceRejected { original }));
        };
        let old = self.orders[at].clone();
        let Owner::Strategy { executed, side: order_side, .. } = old.owner else {
            panic!("strategies replace")
        };
        let open = quantity.saturating_sub(executed);
        if open == 0 {
            self.orders.remove(at);
            let (quantity, open) = (Quantity(old.quantity), Quantity(0));
            let reason = CancelReason::InvalidReplace;
            let told = Outcome::Canceled { quantity, open, reason };
            return self.told.push((session, original, told));
        }
        self.references += 1;
        let replaced = Outcome::Replaced {
            original: OrderToken(original),
            reference: OrderReference(self.references),
            symbol: symbol(old.instrument),
            side: order_side,
            quantity: Quantity(open),
            limit: Some(Price(price)),
            time_in_force: TimeInForce::Day,
            attributes: Attributes::default(),
        };
        self.told.push((session, token, replaced));
        let owner = Owner::Strategy { session, token, executed, side: order_side };
        if keep && price == old.price && open <= old.quantity {
            self.orders[at].owner = owner;
            self.orders[at].quantity = open;
        } else {
            self.orders.remove(at);
            self.take_and_rest(owner, old.instrument, old.side, open, price, false);
        }
    }

    fn cancel(&mut self, session: u16, token: u32, quantity: u32) {
        let Some(at) = self.strategy(session, token) else {
            return self.told.push((session, token, Outcome::CancelRejected));
        };
        let order = &mut self.orders[at];
        let Owner::Strategy { executed, .. } = order.owner else { panic!("strategies cancel") };
        let left = quantity.saturating_sub(executed);
        if quantity != 0 && left >= order.quantity {
            return self.told.push((session, token, Outcome::CancelRejected));
        }
        let gone = Quantity(order.quantity - left);
        order.quantity = left;
        let (open, reason) = (Quantity(left), CancelReason::UserRequest);
        self.told.push((session, token, Outcome::Canceled { quantity: gone, open, reason }));
        self.sweep();
    }

    /// Price, available shares and orders of each level, the best first.
    fn levels(&self, instrument: u16, side: Side) -> Vec<(u32, u64, u32)> {
        let mut levels: Vec<(u32, u64, u32)> = Vec::new();
        for at in self.queue(instrument, side) {
            let order = &self.orders[at];
            let available = u64::from(order.quantity - order.taken);
            match levels.last_mut() {
                Some((price, shares, count)) if *price == order.price => {
                    *shares += available;
                    *count += 1;
                }
                _ => levels.push((order.price, available, 1)),
            }
        }
        levels
    }
}

fn side(sell: bool) -> Side {
    if sell { Side::Sell } else { Side::Buy }
}

fn order_side(sell: bool) -> OrderSide {
    if sell { OrderSide::Sell } else { OrderSide::Buy }
}

fn tif(ioc: bool) -> TimeInForce {
    if ioc { TimeInForce::ImmediateOrCancel } else { TimeInForce::Day }
}

fn symbol(instrument: u16) -> Symbol {
    format!("S{instrument}").parse().expect("a symbol")
}

fn engine() -> Engine {
    let limits = Limits::NONE;
    let mut gate = Gate::new(1);
    gate.set_limits(Target::Account(AccountId(0)), limits).expect("limits");
    let capacity = Capacity { instruments: 1 + INSTRUMENTS as usize, orders: 512, levels: 512 };
    let config = EngineConfig { capacity, own_orders: 256, first_number: 1 };
    let (mut engine, _) = Engine::new(&config, gate);
    for instrument in 1..=INSTRUMENTS {
        assert!(engine.add_instrument(InstrumentId(instrument), symbol(instrument)));
    }
    engine
}

fn apply(engine: &mut Engine, input: &Input, number: u64) {
    let market = |instrument, action| {
        let instrument = InstrumentId(instrument);
        MarketEvent { time: EventTime(number), instrument, action }
    };
    let command = |session, action| Command {
        time: EventTime(number),
        session: SessionId(session),
        account: AccountId(0),
        received: 0,
        queued: 0,
        action,
    };
    let event = match *input {
        Input::Add { instrument, reference, sell, quantity, price } => {
            let (reference, quantity) = (OrderReference(reference), Quantity(quantity));
            let (side, price, symbol) = (side(sell), Price(price), symbol(instrument));
            market(instrument, MarketAction::Add { reference, side, quantity, price, symbol })
        }
        Input::Execute { reference, quantity, printable } => {
            let (reference, quantity) = (OrderReference(reference), Quantity(quantity));
            let (match_number, price) = (MatchNumber(1), Price(1));
            let action =
                MarketAction::ExecuteAt { reference, quantity, match_number, price, printable };
            market(1, action)
        }
        Input::Reduce { reference, quantity } => {
            let (reference, quantity) = (OrderReference(reference), Quantity(quantity));
            market(1, MarketAction::Reduce { reference, quantity })
        }
        Input::Delete { reference } => {
            market(1, MarketAction::Delete { reference: OrderReference(reference) })
        }
        Input::TapeReplace { reference, new_reference, quantity, price } => {
            let action = MarketAction::Replace {
                reference: OrderReference(reference),
                new_reference: OrderReference(new_reference),
                quantity: Quantity(quantity),
                price: Price(price),
            };
            market(1, action)
        }
        Input::Trade { instrument, quantity, price } => {
            let (quantity, price, match_number) =
                (Quantity(quantity), Price(price), MatchNumber(1));
            market(instrument, MarketAction::Trade { quantity, price, match_number })
        }
        Input::Enter { session, token, instrument, sell, quantity, price, ioc } => {
            let enter = Enter {
                token: OrderToken(token),
                symbol: symbol(instrument),
                side: order_side(sell),
                quantity: Quantity(quantity),
                limit: (price > 0).then_some(Price(price)),
                kind: OrderKind::Plain,
                modifiers: Modifiers::NONE,
                time_in_force: tif(ioc),
                attributes: Attributes::default(),
            };
            return engine.on_command(&command(session, Action::Enter(enter)), &mut ());
        }
        Input::Replace { session, original, token, quantity, price, keep } => {
            let replace = Replace {
                original: OrderToken(original),
                token: OrderToken(token),
                quantity: Quantity(quantity),
                limit: Some(Price(price)),
                time_in_force: Some(TimeInForce::Day),
                priority: if keep { Priority::KeepWhenReduced } else { Priority::New },
                attributes: Attributes::default(),
            };
            return engine.on_command(&command(session, Action::Replace(replace)), &mut ());
        }
        Input::Cancel { session, token, quantity } => {
            let cancel = Cancel { token: OrderToken(token), quantity: Quantity(quantity) };
            return engine.on_command(&command(session, Action::Cancel(cancel)), &mut ());
        }
    };
    engine.on_market(&event, Sequence(number));
}

/// Feeds both and compares everything after each input. Returns what strategies executed.
fn compare(inputs: &[Input]) -> u64 {
    let (mut engine, mut naive) = (engine(), Naive::default());
    for (number, input) in (1..).zip(inputs) {
        if naive.cannot_be(input) {
            continue;
        }
        assert!(engine.has_room());
        apply(&mut engine, input, number);
        naive.apply(input);
        let told: Vec<Told> = engine
            .outbox()
            .iter()
            .map(|event| (event.session.0, event.token.0, event.outcome))
            .collect();
        assert_eq!(told, naive.told, "events of input {number}, {input:?}");
        engine.clear_outbox();
        for instrument in 1..=INSTRUMENTS {
            for side in [Side::Buy, Side::Sell] {
                let books = engine.books();
                let levels: Vec<_> = books
                    .levels_of(InstrumentId(instrument), side)
                    .map(|level| (level.price.0, level.quantity, level.orders))
                    .collect();
                let twin = naive.levels(instrument, side);
                assert_eq!(levels, twin, "{} of {instrument} after {input:?}", side.name());
                let best = books.best(InstrumentId(instrument), side);
                let best = best.map(|best| (best.price.0, best.quantity));
                let expected = twin.iter().find(|level| level.1 > 0).map(|l| (l.0, l.1));
                assert_eq!(best, expected, "best {} after {input:?}", side.name());
            }
        }
    }
    engine.counters().executed_shares
}

fn input() -> impl Strategy<Value = Input> {
    let instrument = || 1..=INSTRUMENTS;
    let (session, token) = (|| 0..SESSIONS, || 1..24_u32);
    let (reference, quantity, price) = (|| 1..40_u64, || 1..6_u32, || 1..8_u32);
    prop_oneof![
        6 => (instrument(), reference(), any::<bool>(), quantity(), price()).prop_map(
            |(instrument, reference, sell, quantity, price)| Input::Add {
                instrument, reference, sell, quantity, price }),
        3 => (reference(), quantity(), any::<bool>()).prop_map(
            |(reference, quantity, printable)| Input::Execute { reference, quantity, printable }),
        1 => (reference(), quantity()).prop_map(
            |(reference, quantity)| Input::Reduce { reference, quantity }),
        2 => reference().prop_map(|reference| Input::Delete { reference }),
        2 => (reference(), reference(), quantity(), price()).prop_map(
            |(reference, new_reference, quantity, price)| Input::TapeReplace {
                reference, new_reference, quantity, price }),
        1 => (instrument(), quantity(), price()).prop_map(
            |(instrument, quantity, price)| Input::Trade { instrument, quantity, price }),
        6 => (session(), token(), instrument(), any::<bool>(), quantity(), 0..8_u32, any::<bool>())
            .prop_map(|(session, token, instrument, sell, quantity, price, ioc)| Input::Enter {
                session, token, instrument, sell, quantity, price, ioc }),
        3 => (session(), token(), token(), 0..8_u32, price(), any::<bool>()).prop_map(
            |(session, original, token, quantity, price, keep)| Input::Replace {
                session, original, token, quantity, price, keep }),
        2 => (session(), token(), 0..5_u32).prop_map(
            |(session, token, quantity)| Input::Cancel { session, token, quantity }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    #[test]
    fn engine_and_twin_agree_on_every_event(inputs in prop::collection::vec(input(), 1..250)) {
        compare(&inputs);
    }
}

#[test]
fn random_inputs_do_trade() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let inputs =
        prop::collection::vec(input(), 2_000).new_tree(&mut runner).expect("inputs").current();
    assert!(compare(&inputs) > 500, "a comparison without executions compares nothing");
}
