//! An engine with one venue's instrument, orders in short form, and what is told as short texts.
//! After every input, what was told is held against what the engine has, and the engine's state is
//! looked at as a whole.

#![allow(dead_code, reason = "each test uses a part of it")]

use spindle_engine::check::Ledger;
use spindle_engine::command::{
    AccountSettings, Action, Attributes, Cancel, Command, Enter, InstrumentSettings, MassCancel,
    Modifiers, OrderKind, OrderSide, PostOnly, Priority, Replace, SelfTrade, SelfTradeMode,
    TimeInForce, TradingPhase,
};
use spindle_engine::event::{Change, Event, Figures, Liquidity, Outcome, RejectReason};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_feed::event::{MarketAction, MarketEvent};
use spindle_risk::{Gate, Limits, Target};
use spindle_types::{
    AccountId, EventTime, InstrumentId, OrderToken, Price, Quantity, Sequence, SessionId, Side,
    Symbol,
};

pub(crate) const X: InstrumentId = InstrumentId(1);
pub(crate) const ACCOUNTS: u16 = 6;

pub(crate) fn symbol(instrument: InstrumentId) -> Symbol {
    format!("S{}", instrument.0).parse().expect("a symbol")
}

/// An order in short form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) enter: Enter,
    pub(crate) account: u16,
}

fn order(token: u32, side: OrderSide, quantity: u32) -> Order {
    let enter = Enter {
        token: OrderToken(token),
        symbol: symbol(X),
        side,
        quantity: Quantity(quantity),
        limit: None,
        kind: OrderKind::Plain,
        modifiers: Modifiers::NONE,
        time_in_force: TimeInForce::Day,
        attributes: Attributes::default(),
    };
    Order { enter, account: 0 }
}

pub(crate) fn buy(token: u32, quantity: u32) -> Order {
    order(token, OrderSide::Buy, quantity)
}

pub(crate) fn sell(token: u32, quantity: u32) -> Order {
    order(token, OrderSide::Sell, quantity)
}

impl Order {
    pub(crate) fn at(mut self, limit: u32) -> Self {
        self.enter.limit = Some(Price(limit));
        self
    }

    pub(crate) fn of(self, account: u16) -> Self {
        Self { account, ..self }
    }

    pub(crate) fn on(mut self, instrument: InstrumentId) -> Self {
        self.enter.symbol = symbol(instrument);
        self
    }

    pub(crate) fn kind(mut self, kind: OrderKind) -> Self {
        self.enter.kind = kind;
        self
    }

    pub(crate) fn to_limit(self) -> Self {
        self.kind(OrderKind::MarketToLimit)
    }

    pub(crate) fn stop(self, stop: u32) -> Self {
        self.kind(OrderKind::Stop { stop: Price(stop) })
    }

    pub(crate) fn trail(self, trail: u32) -> Self {
        self.kind(OrderKind::TrailingStop { trail: Price(trail), stop: None })
    }

    pub(crate) fn trail_from(self, trail: u32, stop: u32) -> Self {
        self.kind(OrderKind::TrailingStop { trail: Price(trail), stop: Some(Price(stop)) })
    }

    pub(crate) fn midpoint(self, offset: i32) -> Self {
        self.kind(OrderKind::MidpointPeg { offset })
    }

    pub(crate) fn primary(self, offset: i32) -> Self {
        self.kind(OrderKind::PrimaryPeg { offset })
    }

    pub(crate) fn show(mut self, display: u32) -> Self {
        self.enter.modifiers.display = Quantity(display);
        self
    }

    pub(crate) fn hidden(mut self) -> Self {
        self.enter.modifiers.hidden = true;
        self
    }

    pub(crate) fn post_only(mut self) -> Self {
        self.enter.modifiers.post_only = true;
        self
    }

    pub(crate) fn minimum(mut self, minimum: u32) -> Self {
        self.enter.modifiers.minimum = Quantity(minimum);
        self
    }

    pub(crate) fn tif(mut self, time_in_force: TimeInForce) -> Self {
        self.enter.time_in_force = time_in_force;
        self
    }

    pub(crate) fn ioc(self) -> Self {
        self.tif(TimeInForce::ImmediateOrCancel)
    }

    pub(crate) fn fok(self) -> Self {
        self.tif(TimeInForce::FillOrKill)
    }

    pub(crate) fn gtc(self) -> Self {
        self.tif(TimeInForce::GoodTillCancel)
    }

    pub(crate) fn gtd(self, time: u64) -> Self {
        self.tif(TimeInForce::GoodTillDate(EventTime(time)))
    }

    pub(crate) fn at_open(self) -> Self {
        self.tif(TimeInForce::AtOpen)
    }

    pub(crate) fn at_close(self) -> Self {
        self.tif(TimeInForce::AtClose)
    }
}

/// The engine and who watches it.
pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) ledger: Ledger,
    pub(crate) time: u64,
    pub(crate) sequence: u64,
    /// The events of the last input.
    pub(crate) events: Vec<Event>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(64)
    }

    /// With room for so many orders of strategies.
    pub(crate) fn with(own_orders: usize) -> Self {
        let limits = Limits::NONE;
        let mut gate = Gate::new(ACCOUNTS.into());
        for account in 0..ACCOUNTS {
            gate.set_limits(Target::Account(AccountId(account)), limits).expect("limits");
        }
        let capacity = Capacity { instruments: 3, orders: 1_024, levels: 512 };
        let config = EngineConfig { capacity, own_orders, first_number: 1 << 62 };
        let (mut engine, _) = Engine::new(&config, gate);
        for instrument in [X, InstrumentId(2)] {
            assert!(engine.add_instrument(instrument, symbol(instrument)));
        }
        let ledger = Ledger::default();
        Self { engine, ledger, time: 0, sequence: 0, events: Vec::new() }
    }

    /// Puts accounts into a group of that mode.
    pub(crate) fn group(&mut self, accounts: &[u16], mode: SelfTradeMode) {
        for &account in accounts {
            let self_trade = Some(SelfTrade { group: 7, mode });
            let settings = AccountSettings { self_trade, post_only: PostOnly::Refuse };
            assert!(self.engine.set_account(AccountId(account), settings));
        }
    }

    pub(crate) fn slides(&mut self, account: u16) {
        let settings = AccountSettings { self_trade: None, post_only: PostOnly::Slide };
        assert!(self.engine.set_account(AccountId(account), settings));
    }

    pub(crate) fn steps(&mut self, tick: u32, lot: u32) {
        assert!(self.engine.set_instrument(X, InstrumentSettings { tick, lot }));
    }

    /// What the last input told.
    pub(crate) fn told(&mut self) -> Vec<String> {
        self.events = self.engine.outbox().to_vec();
        self.engine.clear_outbox();
        for event in &self.events {
            self.ledger.take(event).unwrap_or_else(|fault| panic!("{fault}"));
        }
        self.ledger.check(&self.engine).unwrap_or_else(|fault| panic!("{fault}"));
        self.events.iter().map(text).collect()
    }

    pub(crate) fn command(&mut self, account: u16, action: Action) -> Vec<String> {
        assert!(self.engine.has_room());
        let command = Command {
            time: EventTime(self.time),
            session: SessionId(0),
            account: AccountId(account),
            received: 0,
            queued: 0,
            action,
        };
        self.engine.on_command(&command, &mut ());
        self.told()
    }

    pub(crate) fn send(&mut self, order: Order) -> Vec<String> {
        self.command(order.account, Action::Enter(order.enter))
    }

    /// Sends orders that do nothing but stand.
    pub(crate) fn stand<const N: usize>(&mut self, orders: [Order; N]) {
        for order in orders {
            let told = self.send(order);
            assert_eq!(told, [format!("{} accepted", order.enter.token)], "{order:?}");
        }
    }

    pub(crate) fn replace(
        &mut self,
        original: u32,
        token: u32,
        quantity: u32,
        limit: impl Into<Option<u32>>,
    ) -> Vec<String> {
        let replace = Replace {
            original: OrderToken(original),
            token: OrderToken(token),
            quantity: Quantity(quantity),
            limit: limit.into().map(Price),
            time_in_force: None,
            priority: Priority::KeepWhenReduced,
            attributes: Attributes::default(),
        };
        self.command(0, Action::Replace(replace))
    }

    pub(crate) fn cancel(&mut self, token: u32, quantity: u32) -> Vec<String> {
        let (token, quantity) = (OrderToken(token), Quantity(quantity));
        self.command(0, Action::Cancel(Cancel { token, quantity }))
    }

    pub(crate) fn mass_cancel(&mut self, mass: MassCancel) -> Vec<String> {
        self.command(0, Action::MassCancel(mass))
    }

    pub(crate) fn phase(&mut self, phase: TradingPhase) -> Vec<String> {
        self.phase_near(phase, None)
    }

    pub(crate) fn phase_near(&mut self, phase: TradingPhase, near: Option<u32>) -> Vec<String> {
        let _ = self.engine.on_phase_change(EventTime(self.time), X, phase, near.map(Price));
        self.told()
    }

    pub(crate) fn clock(&mut self, time: u64) -> Vec<String> {
        self.time = time;
        self.engine.on_time(EventTime(time));
        self.told()
    }

    pub(crate) fn market(&mut self, action: MarketAction) -> Vec<String> {
        self.sequence += 1;
        let event = MarketEvent { time: EventTime(self.time), instrument: X, action };
        self.engine.on_market(&event, Sequence(self.sequence));
        self.told()
    }

    /// A message of the market as it comes over the wire.
    pub(crate) fn wire(&mut self, bytes: &[u8]) -> Vec<String> {
        self.sequence += 1;
        self.engine.on_message(Sequence(self.sequence), bytes).expect("a message of ITCH 5.0");
        self.told()
    }

    /// Displayed price, shares and orders of a side, the best first.
    pub(crate) fn levels(&self, side: Side) -> Vec<(u32, u64, u32)> {
        self.engine
            .books()
            .levels_of(X, side)
            .map(|level| (level.price.0, level.quantity, level.orders))
            .collect()
    }

    /// Open shares of an order.
    pub(crate) fn open(&self, token: u32) -> u32 {
        self.engine.open_shares(SessionId(0), OrderToken(token)).unwrap_or_default()
    }
}

fn figures(figures: &Figures) -> String {
    match figures.price {
        None => "nothing".to_owned(),
        Some(price) => {
            let side = figures.side.map_or("even", Side::name);
            format!("{} at {}, {} {side}", figures.quantity, price.0, figures.imbalance)
        }
    }
}

/// What an event tells, in short.
pub(crate) fn text(event: &Event) -> String {
    let token = event.token;
    match event.outcome {
        Outcome::Accepted { .. } => format!("{token} accepted"),
        Outcome::Rejected { reason, .. } => match reason {
            RejectReason::InvalidCombination(field) => {
                format!("{token} rejected {} {}", reason.name(), field.name())
            }
            _ => format!("{token} rejected {}", reason.name()),
        },
        Outcome::Replaced { original, quantity, .. } => {
            format!("{token} replaced {original}, {quantity} left")
        }
        Outcome::Canceled { quantity, open, reason } => {
            format!("{token} canceled {quantity}, {open} left: {}", reason.name())
        }
        Outcome::Executed { quantity, price, open, liquidity, .. } => {
            let did = if liquidity == Liquidity::Added { "made" } else { "took" };
            format!("{token} {did} {quantity} at {}, {open} left", price.0)
        }
        Outcome::Modified { side, quantity, open } => {
            format!("{token} modified to {side:?}, {quantity} off, {open} left")
        }
        Outcome::Checked { refused, .. } => {
            format!("{token} checked {}", refused.map_or("passes", |reason| reason.name()))
        }
        Outcome::Triggered => format!("{token} triggered"),
        Outcome::MassCanceled { orders } => format!("{token} mass-canceled {orders}"),
        Outcome::Indicative { figures: f, .. } => format!("indicative {}", figures(&f)),
        Outcome::Auction { kind, figures: f, .. } => {
            format!("{} auction {}", kind.name(), figures(&f))
        }
        Outcome::TapeImbalance { imbalance, .. } => {
            format!("tape: {} paired, {} left", imbalance.paired, imbalance.imbalance)
        }
        Outcome::State { change: Change::Trading { state, .. }, .. } => {
            format!("tape: {}", state.name())
        }
        Outcome::State { change, .. } => format!("tape: {change:?}"),
        Outcome::CancelRejected => format!("{token} not canceled"),
        Outcome::ReplaceRejected { .. } => format!("{token} not replaced"),
    }
}
