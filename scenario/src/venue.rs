//! The engine behind the interface of a scenario: names become numbers on the way in, and the two
//! sides of a trade become one line on the way out.

use std::collections::{HashMap, HashSet};

use spindle_engine::command::{
    AccountSettings, Action, Attributes, Cancel, Command, Enter, InstrumentSettings, MassCancel,
    Modifiers, OrderKind, OrderSide, PostOnly, Priority, Replace, SelfTrade, SelfTradeMode,
    TimeInForce, TradingPhase,
};
use spindle_engine::event::{self, Event, Field, Outcome, RejectReason};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_risk::{Check, Gate, Limits};
use spindle_types::{
    AccountId, EventTime, InstrumentId, MatchNumber, Notional, OrderToken, Price, Quantity,
    SessionId, Symbol,
};

use crate::decimal::{Amount, Shares};
use crate::edge::HIGHEST;
use crate::line::{Figure, Figures, Level, Line, Rejected};
use crate::op::{self, Id, Kind, Op, Phase, Side, Tif};
use crate::{Matcher, edge};

/// An account without limits.
const UNLIMITED: Limits = Limits {
    order_size_max: Quantity(u32::MAX),
    order_value_max: Notional(u64::MAX),
    collar_basis_points: u32::MAX,
    open_orders_max: u32::MAX,
};

/// How much a venue holds at once.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Instruments.
    pub instruments: u16,
    /// Accounts.
    pub accounts: u16,
    /// Open orders.
    pub orders: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { instruments: 4_096, accounts: 16_384, orders: 1 << 17 }
    }
}

/// The engine as something that answers operations.
#[derive(Debug)]
pub struct Venue {
    engine: Engine,
    size: Size,
    now: EventTime,
    symbols: HashMap<String, InstrumentId>,
    accounts: Names,
    sessions: Names,
    groups: Names,
    /// Ids of orders that were ever accepted.
    used: HashSet<Id>,
    open: HashMap<Id, Own>,
    by_token: HashMap<OrderToken, Id>,
    tokens: u32,
    /// The side of a trade that was told first.
    half: Option<(MatchNumber, Id)>,
}

/// An open order as the venue needs to know it to speak of it.
#[derive(Clone, Copy, Debug)]
struct Own {
    token: OrderToken,
    session: SessionId,
    account: AccountId,
    instrument: InstrumentId,
}

/// Numbers for names, from 0 in the order in which they come.
#[derive(Debug, Default)]
struct Names(HashMap<String, u16>);

impl Names {
    /// The number of a name, a new one where it is new; `None` where there are no more.
    fn number(&mut self, name: &str, most: u16) -> Option<u16> {
        if let Some(number) = self.0.get(name) {
            return Some(*number);
        }
        let number = u16::try_from(self.0.len()).ok().filter(|number| *number < most)?;
        self.0.insert(name.into(), number);
        Some(number)
    }
}

impl Default for Venue {
    fn default() -> Self {
        Self::new(Size::default())
    }
}

impl Venue {
    /// A venue without instruments, at time 0.
    pub fn new(size: Size) -> Self {
        let mut gate = Gate::new(usize::from(size.accounts));
        for account in 0..size.accounts {
            // Limits of which none is 0 are never refused.
            let _ = gate.set_limits(AccountId(account), UNLIMITED);
        }
        let capacity = Capacity {
            instruments: usize::from(size.instruments) + 1,
            orders: size.orders,
            levels: size.orders,
        };
        let config = EngineConfig { capacity, own_orders: size.orders, first_number: 1 };
        let (engine, _) = Engine::new(&config, gate);
        Self {
            engine,
            size,
            now: EventTime(0),
            symbols: HashMap::new(),
            accounts: Names::default(),
            sessions: Names::default(),
            groups: Names::default(),
            used: HashSet::new(),
            open: HashMap::new(),
            by_token: HashMap::new(),
            tokens: 0,
            half: None,
        }
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    fn carry_out(&mut self, op: &Op, answer: &mut Vec<Line>) -> Result<(), Line> {
        match op {
            Op::Instrument(op) => self.instrument(op).map_err(|why| why.of_op("instrument"))?,
            Op::Account(op) => self.account(op).map_err(|why| why.of_op("account"))?,
            Op::New(op) => self.enter(op, answer).map_err(|why| why.of(op.id))?,
            Op::Cancel(op) => self.cancel(op.id).map_err(|why| why.of(op.id))?,
            Op::Replace(op) => self.replace(op, answer).map_err(|why| why.of(op.new_id))?,
            Op::MassCancel(op) => self.mass_cancel(op).map_err(|why| why.of_op("mass_cancel"))?,
            Op::Phase(op) => self.phase(op).map_err(|why| why.of_op("phase"))?,
            Op::Time(op) => {
                if op.ns < self.now.0 {
                    return Err(Rejected::because("invalid_time").of_op("time"));
                }
                self.now = EventTime(op.ns);
                self.engine.on_time(self.now);
            }
            Op::Book(op) => answer.push(self.book(op).map_err(|why| why.of_op("book"))?),
        }
        self.tell(answer);
        Ok(())
    }

    fn find(&self, symbol: &str) -> Result<InstrumentId, Rejected> {
        let unknown = Rejected::because("unknown_instrument");
        self.symbols.get(symbol).copied().ok_or(unknown)
    }

    fn instrument(&mut self, op: &op::Instrument) -> Result<(), Rejected> {
        edge::instrument(op)?;
        if self.symbols.contains_key(&op.symbol) {
            return Err(Rejected::because("duplicate_symbol"));
        }
        let full = Rejected::because("capacity");
        let number = u16::try_from(self.symbols.len() + 1).map_err(|_| full.clone())?;
        let symbol: Symbol = op.symbol.parse().map_err(|_| Rejected::because("invalid_symbol"))?;
        let instrument = InstrumentId(number);
        if number > self.size.instruments || !self.engine.add_instrument(instrument, symbol) {
            return Err(full);
        }
        let settings = InstrumentSettings {
            tick: op.tick.map_or(1, |tick| price_of(tick).0),
            lot: op.lot.map_or(1, |lot| shares_of(lot).0),
        };
        self.engine.set_instrument(instrument, settings);
        self.symbols.insert(op.symbol.clone(), instrument);
        Ok(())
    }

    fn account_of(&mut self, name: &str) -> Result<AccountId, Rejected> {
        let number = self.accounts.number(name, self.size.accounts);
        number.map(AccountId).ok_or(Rejected::because("capacity"))
    }

    fn session_of(&mut self, name: &str) -> Result<SessionId, Rejected> {
        // The last number is nobody's.
        let number = self.sessions.number(name, u16::MAX);
        number.map(SessionId).ok_or(Rejected::because("capacity"))
    }

    fn account(&mut self, op: &op::Account) -> Result<(), Rejected> {
        let account = self.account_of(&op.account)?;
        let self_trade = match (&op.group, op.self_trade) {
            (Some(group), Some(mode)) => {
                let full = Rejected::because("capacity");
                let group = self.groups.number(group, u16::MAX).ok_or(full)?;
                Some(SelfTrade { group, mode: mode.into() })
            }
            _ => None,
        };
        let post_only = match op.post_only.unwrap_or_default() {
            op::PostOnly::Reject => PostOnly::Refuse,
            op::PostOnly::Slide => PostOnly::Slide,
        };
        self.engine.set_account(account, AccountSettings { self_trade, post_only });
        Ok(())
    }

    fn token(&mut self) -> OrderToken {
        self.tokens += 1;
        OrderToken(self.tokens)
    }

    fn command(&mut self, session: SessionId, account: AccountId, action: Action) {
        let time = self.now;
        let command = Command { time, session, account, received: 0, queued: 0, action };
        self.engine.on_command(&command, &mut ());
    }

    fn enter(&mut self, op: &op::New, answer: &mut Vec<Line>) -> Result<(), Rejected> {
        if self.used.contains(&op.id) {
            return Err(Rejected::because("duplicate_id"));
        }
        edge::new(op)?;
        let instrument = self.find(&op.symbol)?;
        let account = self.account_of(&op.account)?;
        let session = self.session_of(op.session.as_ref().unwrap_or(&op.account))?;
        let token = self.token();
        let enter = Enter {
            token,
            symbol: self.engine.instruments().get(instrument).symbol,
            side: match op.side {
                Side::Buy => OrderSide::Buy,
                Side::Sell => OrderSide::Sell,
            },
            quantity: shares_of(op.quantity),
            limit: op.price.map(price_of),
            kind: kind_of(op),
            modifiers: Modifiers {
                display: op.display.map_or(Quantity::ZERO, shares_of),
                hidden: op.hidden,
                post_only: op.post_only,
                minimum: match op.minimum_quantity {
                    None | Some(Shares(0)) => Quantity::ZERO,
                    Some(minimum) => shares_of(minimum),
                },
            },
            time_in_force: time_in_force(op.tif, op.expire_ns),
            attributes: Attributes::default(),
        };
        let own = Own { token, session, account, instrument };
        self.command(session, account, Action::Enter(enter));
        self.answered(op.id, own, enter.limit, answer)
    }

    fn replace(&mut self, op: &op::Replace, answer: &mut Vec<Line>) -> Result<(), Rejected> {
        let Some(own) = self.open.get(&op.id).copied() else {
            return Err(Rejected::because("unknown_id"));
        };
        if self.used.contains(&op.new_id) {
            return Err(Rejected::because("duplicate_id"));
        }
        edge::replace(op)?;
        let token = self.token();
        let replace = Replace {
            original: own.token,
            token,
            quantity: match op.quantity {
                Shares(0) => Quantity::ZERO,
                quantity => shares_of(quantity),
            },
            limit: op.price.map(price_of),
            time_in_force: op.tif.map(|tif| time_in_force(tif, op.expire_ns)),
            priority: Priority::KeepWhenReduced,
            attributes: Attributes::default(),
        };
        self.command(own.session, own.account, Action::Replace(replace));
        self.answered(op.new_id, Own { token, ..own }, replace.limit, answer)
    }

    /// Reads the answer to a request that brings an order: the first event, for time passes only when the
    /// scenario says so.
    fn answered(
        &mut self,
        id: Id,
        own: Own,
        asked: Option<Price>,
        answer: &mut Vec<Line>,
    ) -> Result<(), Rejected> {
        let Some(first) = self.engine.outbox().first().copied() else {
            return Err(Rejected::because("unanswered"));
        };
        let slid = |limit: Option<Price>| limit.filter(|_| limit != asked).map(amount);
        match first.outcome {
            Outcome::Accepted { limit, .. } => {
                self.stands(id, own);
                answer.push(Line::Accepted { id, price: slid(limit) });
            }
            Outcome::Replaced { original, limit, .. } => {
                let before = self.by_token.remove(&original).unwrap_or_default();
                self.open.remove(&before);
                self.stands(id, own);
                answer.push(Line::Replaced { id: before, new_id: id, price: slid(limit) });
            }
            Outcome::Rejected { reason, limit, observed, .. } => {
                self.engine.clear_outbox();
                return Err(rejected(reason, limit, observed));
            }
            // A replacement that leaves nothing open cancels.
            _ => return Ok(()),
        }
        self.engine.forget_events(1);
        Ok(())
    }

    fn stands(&mut self, id: Id, own: Own) {
        self.used.insert(id);
        self.open.insert(id, own);
        self.by_token.insert(own.token, id);
    }

    fn cancel(&mut self, id: Id) -> Result<(), Rejected> {
        let Some(own) = self.open.get(&id).copied() else {
            return Err(Rejected::because("unknown_id"));
        };
        let cancel = Cancel { token: own.token, quantity: Quantity::ZERO };
        self.command(own.session, own.account, Action::Cancel(cancel));
        Ok(())
    }

    fn mass_cancel(&mut self, op: &op::MassCancel) -> Result<(), Rejected> {
        let instrument = op.symbol.as_deref().map(|symbol| self.find(symbol)).transpose()?;
        let account = op.account.as_deref().map(|name| self.account_of(name)).transpose()?;
        let session = op.session.as_deref().map(|name| self.session_of(name)).transpose()?;
        let token = self.token();
        let mass = MassCancel {
            token,
            account,
            session,
            symbol: instrument.map(|at| self.engine.instruments().get(at).symbol),
            side: op.side.map(Into::into),
        };
        // Asked by an operator, who is none of the sessions.
        self.command(SessionId(u16::MAX), AccountId(0), Action::MassCancel(mass));
        Ok(())
    }

    fn phase(&mut self, op: &op::PhaseChange) -> Result<(), Rejected> {
        let instrument = self.find(&op.symbol)?;
        edge::reference(op.reference)?;
        let phase = match op.phase {
            Phase::PreOpen => TradingPhase::PreOpen,
            Phase::Continuous => TradingPhase::Continuous,
            Phase::Paused => TradingPhase::Paused,
            Phase::Halted => TradingPhase::Halted,
            Phase::PreClose => TradingPhase::PreClose,
            Phase::Closed => TradingPhase::Closed,
        };
        let reference = op.reference.map(price_of);
        self.engine.on_phase_change(self.now, instrument, phase, reference);
        Ok(())
    }

    fn book(&self, op: &op::Book) -> Result<Line, Rejected> {
        let instrument = self.find(&op.symbol)?;
        let levels = |side| {
            let levels = self.engine.books().levels_of(instrument, side);
            let depth = op.depth.unwrap_or(usize::MAX);
            let level = |level: spindle_engine::LevelView| Level {
                price: amount(level.price),
                quantity: level.quantity,
                orders: level.orders.into(),
            };
            levels.take(depth).map(level).collect()
        };
        let symbol = op.symbol.clone();
        let (buy, sell) = (spindle_types::Side::Buy, spindle_types::Side::Sell);
        Ok(Line::Book { symbol, bids: levels(buy), asks: levels(sell) })
    }

    /// Hands on what the engine has told.
    fn tell(&mut self, answer: &mut Vec<Line>) {
        for at in 0..self.engine.outbox().len() {
            let event = self.engine.outbox()[at];
            answer.extend(self.line(&event));
        }
        self.engine.clear_outbox();
    }

    fn line(&mut self, event: &Event) -> Option<Line> {
        let id = self.by_token.get(&event.token).copied().unwrap_or_default();
        match event.outcome {
            Outcome::Executed { quantity, price, open, match_number, .. } => {
                let instrument = self.open.get(&id).map(|own| own.instrument);
                if open.is_zero() {
                    self.gone(id);
                }
                match self.half.take() {
                    Some((number, maker)) if number == match_number => Some(Line::Trade {
                        symbol: self.symbol(instrument.unwrap_or_default()),
                        maker,
                        taker: id,
                        price: amount(price),
                        quantity: quantity.0.into(),
                    }),
                    _ => {
                        self.half = Some((match_number, id));
                        None
                    }
                }
            }
            Outcome::Canceled { quantity, open, reason } => {
                if open.is_zero() {
                    self.gone(id);
                }
                let quantity = quantity.0.into();
                Some(Line::Canceled { id, quantity, reason: reason.name() })
            }
            Outcome::Triggered => Some(Line::Triggered { id }),
            Outcome::MassCanceled { orders } => Some(Line::MassCanceled { orders: orders.into() }),
            Outcome::Indicative { symbol, figures } => {
                let figures = figures.into();
                Some(Line::Imbalance { symbol: text(symbol), figures })
            }
            Outcome::Auction { symbol, kind, figures } => {
                let (auction, figures) = (kind.name(), figures.into());
                Some(Line::Auction { symbol: text(symbol), auction, figures })
            }
            Outcome::Rejected { reason, limit, observed, .. } => {
                Some(Line::Rejected(rejected(reason, limit, observed)))
            }
            Outcome::CancelRejected | Outcome::ReplaceRejected { .. } => {
                Some(Rejected::because("unknown_id").of(id))
            }
            // Answers, which are read where the request was made.
            Outcome::Accepted { .. } | Outcome::Replaced { .. } => None,
        }
    }

    fn gone(&mut self, id: Id) {
        if let Some(own) = self.open.remove(&id) {
            self.by_token.remove(&own.token);
        }
    }

    fn symbol(&self, instrument: InstrumentId) -> String {
        text(self.engine.instruments().get(instrument).symbol)
    }
}

impl Matcher for Venue {
    fn apply(&mut self, op: &Op, answer: &mut Vec<Line>) {
        if let Err(refused) = self.carry_out(op, answer) {
            answer.push(refused);
        }
    }
}

fn text(symbol: Symbol) -> String {
    symbol.chars().collect()
}

fn amount(price: Price) -> Amount {
    Amount::new(price.0.into())
}

/// A price for the engine. What no price can be becomes one above the highest, which it refuses.
fn price_of(amount: Amount) -> Price {
    Price(in_range(amount.units))
}

/// A quantity for the engine. What no size can be becomes one above the highest, which it refuses.
fn shares_of(shares: Shares) -> Quantity {
    Quantity(in_range(shares.0))
}

fn in_range(value: i64) -> u32 {
    u32::try_from(value).ok().filter(|_| (1..=HIGHEST).contains(&value)).unwrap_or(u32::MAX)
}

fn kind_of(op: &op::New) -> OrderKind {
    let stop = op.stop_price.map(price_of);
    let offset = op.offset.map_or(0, |offset| offset.units);
    let offset = i32::try_from(offset).unwrap_or(i32::MIN);
    match op.kind {
        Kind::Limit | Kind::Market => OrderKind::Plain,
        Kind::MarketToLimit => OrderKind::MarketToLimit,
        Kind::Stop | Kind::StopLimit => OrderKind::Stop { stop: stop.unwrap_or_default() },
        Kind::TrailingStop => {
            OrderKind::TrailingStop { trail: op.trail.map(price_of).unwrap_or_default(), stop }
        }
        Kind::MidpointPeg => OrderKind::MidpointPeg { offset },
        Kind::PrimaryPeg => OrderKind::PrimaryPeg { offset },
    }
}

fn time_in_force(tif: Tif, expire_ns: Option<u64>) -> TimeInForce {
    match tif {
        Tif::Day => TimeInForce::Day,
        Tif::Ioc => TimeInForce::ImmediateOrCancel,
        Tif::Fok => TimeInForce::FillOrKill,
        Tif::Gtc => TimeInForce::GoodTillCancel,
        Tif::Gtd => TimeInForce::GoodTillDate(EventTime(expire_ns.unwrap_or(0))),
        Tif::AtOpen => TimeInForce::AtOpen,
        Tif::AtClose => TimeInForce::AtClose,
    }
}

/// A refusal in the words of the scenario: an order's number is its id there, and its fields have
/// other names.
fn rejected(reason: RejectReason, limit: u64, observed: u64) -> Rejected {
    let money = |units: u64| Figure::Amount(Amount::new(i64::try_from(units).unwrap_or(i64::MAX)));
    match reason {
        RejectReason::InvalidCombination(field) => Rejected::combination(match field {
            Field::Limit => "price",
            Field::Stop => "stop_price",
            Field::TimeInForce => "tif",
            Field::Display => "display",
            Field::Hidden => "hidden",
            Field::PostOnly => "post_only",
            Field::Minimum => "minimum_quantity",
        }),
        RejectReason::DuplicateToken => Rejected::because("duplicate_id"),
        RejectReason::PriceOffTick
        | RejectReason::PostOnly
        | RejectReason::Risk(Check::OrderValue | Check::Collar) => {
            Rejected::because(reason.name()).with(money(limit), money(observed))
        }
        RejectReason::QuantityOffLot
        | RejectReason::Capacity
        | RejectReason::Risk(Check::OrderSize | Check::OpenOrders) => {
            Rejected::because(reason.name()).with(Figure::Count(limit), Figure::Count(observed))
        }
        _ => Rejected::because(reason.name()),
    }
}

impl From<event::Figures> for Figures {
    fn from(figures: event::Figures) -> Self {
        Self {
            price: figures.price.map(amount),
            quantity: figures.quantity,
            imbalance: figures.imbalance,
            side: figures.side.map(|side| match side {
                spindle_types::Side::Buy => Side::Buy,
                spindle_types::Side::Sell => Side::Sell,
            }),
        }
    }
}

impl From<Side> for spindle_types::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Buy => Self::Buy,
            Side::Sell => Self::Sell,
        }
    }
}

impl From<op::SelfTrade> for SelfTradeMode {
    fn from(mode: op::SelfTrade) -> Self {
        match mode {
            op::SelfTrade::CancelNewest => Self::CancelNewest,
            op::SelfTrade::CancelOldest => Self::CancelOldest,
            op::SelfTrade::CancelBoth => Self::CancelBoth,
            op::SelfTrade::DecrementAndCancel => Self::DecrementAndCancel,
        }
    }
}
