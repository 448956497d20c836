//! Random orders of every kind, replaces, cancels, phases, times and messages of the market.

use proptest::prelude::*;
use spindle_engine::command::{
    AccountSettings, Action, Attributes, Cancel, Command, MassCancel, PostOnly, Priority, Replace,
    SelfTrade, SelfTradeMode, TimeInForce, TradingPhase,
};
use spindle_engine::{Engine, OrderKey};
use spindle_feed::event::{MarketAction, MarketEvent, TradingState};
use spindle_types::{
    AccountId, EventTime, MatchNumber, OrderReference, OrderToken, Price, Quantity, Sequence,
    SessionId, Side, Symbol,
};

use crate::desk::{ACCOUNTS, Order, X, buy, sell};

#[derive(Clone, Debug)]
pub(crate) enum Input {
    Enter(Order),
    Replace { original: u32, token: u32, quantity: u32, limit: Option<u32> },
    Cancel { token: u32, quantity: u32 },
    MassCancel { account: Option<u16>, side: Option<Side> },
    Phase { phase: TradingPhase, near: Option<u32> },
    Time(u64),
    Market(MarketAction),
    Settings { account: u16, mode: Option<SelfTradeMode>, slides: bool },
}

const TOKENS: u32 = 40;
const PRICES: u32 = 14;

fn price() -> impl Strategy<Value = u32> {
    1..PRICES
}

fn limit() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![5 => price().prop_map(Some), 1 => Just(None)]
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn kinds() -> impl Strategy<Value = fn(Order, u32, i32) -> Order> {
    prop_oneof![
        8 => Just((|order, _, _| order) as fn(Order, u32, i32) -> Order),
        1 => Just((|order: Order, _, _| {
            let mut order = order.to_limit();
            order.enter.limit = None;
            order
        }) as fn(Order, u32, i32) -> Order),
        2 => Just((|order: Order, price, _| order.stop(price)) as fn(Order, u32, i32) -> Order),
        2 => Just((|order: Order, price, offset| {
            order.trail_from(offset.unsigned_abs() + 1, price)
        }) as fn(Order, u32, i32) -> Order),
        1 => Just((|order: Order, _, offset| {
            order.trail(offset.unsigned_abs() + 1)
        }) as fn(Order, u32, i32) -> Order),
        2 => Just((|order: Order, _, offset| order.midpoint(offset)) as fn(Order, u32, i32) -> Order),
        2 => Just((|order: Order, _, offset| order.primary(offset)) as fn(Order, u32, i32) -> Order),
    ]
}

fn modifiers() -> impl Strategy<Value = fn(Order, u32) -> Order> {
    prop_oneof![
        8 => Just((|order, _| order) as fn(Order, u32) -> Order),
        2 => Just((|order: Order, size| order.show(size)) as fn(Order, u32) -> Order),
        2 => Just((|order: Order, _| order.hidden()) as fn(Order, u32) -> Order),
        1 => Just((|order: Order, _| order.post_only()) as fn(Order, u32) -> Order),
        1 => Just((|order: Order, size| order.minimum(size)) as fn(Order, u32) -> Order),
    ]
}

fn times() -> impl Strategy<Value = fn(Order, u64) -> Order> {
    prop_oneof![
        8 => Just((|order, _| order) as fn(Order, u64) -> Order),
        1 => Just((|order: Order, _| order.ioc()) as fn(Order, u64) -> Order),
        1 => Just((|order: Order, _| order.fok()) as fn(Order, u64) -> Order),
        2 => Just((|order: Order, _| order.gtc()) as fn(Order, u64) -> Order),
        2 => Just((|order: Order, time| order.gtd(time)) as fn(Order, u64) -> Order),
        1 => Just((|order: Order, _| order.at_open()) as fn(Order, u64) -> Order),
        1 => Just((|order: Order, _| order.at_close()) as fn(Order, u64) -> Order),
    ]
}

fn enter() -> impl Strategy<Value = Input> {
    let numbers = (1..TOKENS, 1..30_u32, 0..ACCOUNTS, price(), -2..3_i32, 1..8_u32, 0..20_u64);
    (side(), limit(), numbers, kinds(), modifiers(), times()).prop_map(
        |(side, limit, numbers, kind, modifier, time)| {
            let (token, quantity, account, price, offset, size, until) = numbers;
            let order =
                if side == Side::Buy { buy(token, quantity) } else { sell(token, quantity) };
            let mut order = order.of(account);
            order.enter.limit = limit.map(Price);
            Input::Enter(time(modifier(kind(order, price, offset), size), until))
        },
    )
}

fn market() -> impl Strategy<Value = Input> {
    let reference = || (1..30_u64).prop_map(OrderReference);
    let quantity = || (1..20_u32).prop_map(Quantity);
    let price = || price().prop_map(Price);
    prop_oneof![
        4 => (reference(), side(), quantity(), price()).prop_map(
            |(reference, side, quantity, price)| MarketAction::Add {
                reference, side, quantity, price, symbol: Symbol::BLANK }),
        2 => (reference(), quantity()).prop_map(|(reference, quantity)| MarketAction::Execute {
            reference, quantity, match_number: MatchNumber(1) }),
        1 => (reference(), quantity()).prop_map(
            |(reference, quantity)| MarketAction::Reduce { reference, quantity }),
        2 => reference().prop_map(|reference| MarketAction::Delete { reference }),
        1 => (quantity(), price()).prop_map(|(quantity, price)| MarketAction::Trade {
            quantity, price, match_number: MatchNumber(1) }),
        1 => prop_oneof![1 => Just(TradingState::Halted), 12 => Just(TradingState::Trading)]
            .prop_map(MarketAction::status),
    ]
    .prop_map(Input::Market)
}

/// Any input.
pub(crate) fn input() -> impl Strategy<Value = Input> {
    let phase = prop_oneof![
        1 => Just(TradingPhase::PreOpen),
        9 => Just(TradingPhase::Continuous),
        1 => Just(TradingPhase::Paused),
        1 => Just(TradingPhase::Halted),
        2 => Just(TradingPhase::PreClose),
        1 => Just(TradingPhase::Closed),
    ];
    let mode = prop_oneof![
        Just(SelfTradeMode::CancelNewest),
        Just(SelfTradeMode::CancelOldest),
        Just(SelfTradeMode::CancelBoth),
        Just(SelfTradeMode::DecrementAndCancel),
    ];
    prop_oneof![
        30 => enter(),
        8 => (1..TOKENS, 1..TOKENS, 0..30_u32, limit()).prop_map(
            |(original, token, quantity, limit)| Input::Replace { original, token, quantity, limit }),
        6 => (1..TOKENS, prop_oneof![2 => Just(0), 1 => 1..20_u32]).prop_map(
            |(token, quantity)| Input::Cancel { token, quantity }),
        1 => (prop::option::weighted(0.9, 0..ACCOUNTS), prop::option::of(side())).prop_map(
            |(account, side)| Input::MassCancel { account, side }),
        3 => (phase, prop::option::of(price())).prop_map(|(phase, near)| Input::Phase { phase, near }),
        3 => (1..10_u64).prop_map(Input::Time),
        8 => market(),
        1 => (0..ACCOUNTS, prop::option::of(mode), any::<bool>()).prop_map(
            |(account, mode, slides)| Input::Settings { account, mode, slides }),
    ]
}

/// What the inputs so far have left behind outside the engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    time: u64,
    sequence: u64,
    /// References that were used: one that lives must not come again, the book would be stale for
    /// good.
    used: [bool; 32],
}

impl Course {
    /// Gives an input to the engine, and allocates nothing.
    pub(crate) fn apply(&mut self, engine: &mut Engine, input: &Input) {
        let time = EventTime(self.time);
        let command = |account, action| Command {
            time,
            session: SessionId(0),
            account: AccountId(account),
            received: 0,
            queued: 0,
            action,
        };
        match *input {
            Input::Enter(mut order) => {
                if let TimeInForce::GoodTillDate(until) = order.enter.time_in_force {
                    order = order.gtd(self.time + until.0);
                }
                engine.on_command(&command(order.account, Action::Enter(order.enter)), &mut ());
            }
            Input::Replace { original, token, quantity, limit } => {
                let replace = Replace {
                    original: OrderToken(original),
                    token: OrderToken(token),
                    quantity: Quantity(quantity),
                    limit: limit.map(Price),
                    time_in_force: None,
                    priority: Priority::KeepWhenReduced,
                    attributes: Attributes::default(),
                };
                engine.on_command(&command(0, Action::Replace(replace)), &mut ());
            }
            Input::Cancel { token, quantity } => {
                let (token, quantity) = (OrderToken(token), Quantity(quantity));
                let cancel = Cancel { token, quantity };
                engine.on_command(&command(0, Action::Cancel(cancel)), &mut ());
            }
            Input::MassCancel { account, side } => {
                let account = account.map(AccountId);
                let mass = MassCancel { account, side, ..MassCancel::default() };
                engine.on_command(&command(0, Action::MassCancel(mass)), &mut ());
            }
            Input::Phase { phase, near } => {
                let _ = engine.on_phase_change(time, X, phase, near.map(Price));
            }
            Input::Time(by) => {
                self.time += by;
                engine.on_time(EventTime(self.time));
            }
            Input::Settings { account, mode, slides } => {
                let settings = AccountSettings {
                    self_trade: mode.map(|mode| SelfTrade { group: account % 2, mode }),
                    post_only: if slides { PostOnly::Slide } else { PostOnly::Refuse },
                };
                engine.set_account(AccountId(account), settings);
            }
            Input::Market(action) => {
                if let MarketAction::Add { reference, .. } = action {
                    let at = usize::try_from(reference.0).unwrap_or(0);
                    if std::mem::replace(&mut self.used[at], true) {
                        return;
                    }
                }
                // What no intact tape says makes the book stale for good: seldom.
                let left = |reference| {
                    let slot = engine.books().find(OrderKey::market(reference)?)?;
                    Some(engine.books().order(slot).quantity())
                };
                let cannot_be = match action {
                    MarketAction::Execute { reference, quantity, .. }
                    | MarketAction::Reduce { reference, quantity } => {
                        left(reference).is_none_or(|left| left < quantity.0)
                    }
                    MarketAction::Delete { reference } => left(reference).is_none(),
                    _ => false,
                };
                if cannot_be && !time.0.is_multiple_of(97) {
                    return;
                }
                self.sequence += 1;
                let event = MarketEvent { time, instrument: X, action };
                engine.on_market(&event, Sequence(self.sequence));
            }
        }
    }
}
