//! The engine behind the interface of a scenario: names become numbers on the way in, and the two
//! sides of a trade become one line on the way out.

use std::collections::{HashMap, HashSet};

use spindle_engine::command::{
    AccountSettings, Action, Attributes, Cancel, Command, Enter, InstrumentSettings, MassCancel,
    Modifiers, OrderKind, OrderSide, PostOnly, Priority, Replace, SelfTrade, SelfTradeMode,
    TimeInForce, TradingPhase,
};
use spindle_engine::event::{self, Basis, Event, Field, Liquidity, Outcome, RejectReason};
use spindle_engine::{Capacity, Divergence, Engine, EngineConfig};
use spindle_feed::event::{Cross, MarketAction, MarketEvent};
use spindle_risk::{Gate, GateConfig, Measure};
use spindle_types::{
    AccountId, EventTime, InstrumentId, MatchNumber, OrderReference, OrderToken, Price, Quantity,
    Sequence, SessionId, Symbol,
};

use crate::decimal::{Amount, Shares};
use crate::edge::HIGHEST;
use crate::line::{Figure, Figures, Level, Line, Rejected};
use crate::op::{self, Id, Kind, Op, Phase, Sale, Side, TapeEvent, Tif};
use crate::{Matcher, edge};

mod risk;
mod states;

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
    firms: Names,
    currencies: Names,
    /// Ids of orders that were ever accepted.
    used: HashSet<Id>,
    open: HashMap<Id, Own>,
    by_token: HashMap<OrderToken, Id>,
    tokens: u32,
    /// The side of a trade that was told first: the whole line, should no other follow.
    half: Option<(MatchNumber, Line)>,
    /// Messages of the tape.
    messages: u64,
    /// The market's orders that stand: of which instrument, and how many shares are left.
    tape: HashMap<u64, (InstrumentId, u32)>,
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

    /// One name, with the number 0.
    fn with(name: &str) -> Self {
        Self(HashMap::from([(name.into(), 0)]))
    }

    /// The name of a number.
    fn name(&self, number: u16) -> Option<String> {
        self.0.iter().find(|(_, of)| **of == number).map(|(name, _)| name.clone())
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
        let accounts = usize::from(size.accounts);
        let mut gate = Gate::with(&GateConfig {
            accounts,
            sessions: accounts,
            firms: accounts.min(256),
            cells: 4 * size.orders.clamp(1 << 10, 1 << 15),
            sets: accounts.clamp(64, 4_096),
        });
        for account in 0..size.accounts {
            gate.set_account(AccountId(account), None);
        }
        let capacity = Capacity {
            instruments: usize::from(size.instruments) + 1,
            orders: size.orders,
            levels: size.orders,
        };
        let config = EngineConfig {
            capacity,
            own_orders: size.orders,
            first_number: EngineConfig::BESIDE_A_FEED,
        };
        let (engine, _) = Engine::new(&config, gate);
        Self {
            engine,
            size,
            now: EventTime(0),
            symbols: HashMap::new(),
            accounts: Names::default(),
            sessions: Names::default(),
            groups: Names::default(),
            firms: Names::default(),
            currencies: Names::with("USD"),
            used: HashSet::new(),
            open: HashMap::new(),
            by_token: HashMap::new(),
            tokens: 0,
            half: None,
            messages: 0,
            tape: HashMap::new(),
        }
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// By how many shares the run has left the tape in an instrument.
    pub fn divergence(&self, symbol: &str) -> Option<Divergence> {
        self.symbols.get(symbol).map(|instrument| self.engine.divergence_of(*instrument))
    }

    fn carry_out(&mut self, op: &Op, answer: &mut Vec<Line>) -> Result<(), Line> {
        match op {
            Op::Instrument(op) => self.instrument(op).map_err(|why| why.of_op("instrument"))?,
            Op::Account(op) => self.account(op).map_err(|why| why.of_op("account"))?,
            Op::New(op) if op.check_only => self.check(op, answer),
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
            Op::Tape(op) => self.tape(op).map_err(|why| why.of_op("tape"))?,
            Op::Limits(op) => self.limits(op).map_err(|why| why.of_op("limits"))?,
            Op::Reference(op) => self.reference(op).map_err(|why| why.of_op("reference"))?,
            Op::Kill(op) => self.kill(op).map_err(|why| why.of_op("kill"))?,
            Op::Arm(op) => self.arm(op).map_err(|why| why.of_op("arm"))?,
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
        self.set_currency(instrument, op.currency.as_deref())?;
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
        self.set_firm(account, op.firm.as_deref())?;
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

    fn token(&mut self) -> Result<OrderToken, Rejected> {
        self.tokens = self.tokens.checked_add(1).ok_or(Rejected::because("capacity"))?;
        Ok(OrderToken(self.tokens))
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
        let token = self.token()?;
        let enter = Enter {
            token,
            symbol: self.engine.instruments().get(instrument).symbol,
            side: match (op.side, op.sale) {
                (Side::Buy, _) => OrderSide::Buy,
                (Side::Sell, Sale::Long) => OrderSide::Sell,
                (Side::Sell, Sale::Short) => OrderSide::SellShort,
                (Side::Sell, Sale::ShortExempt) => OrderSide::SellShortExempt,
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
                check_only: op.check_only,
            },
            time_in_force: time_in_force(op.tif, op.expire_ns),
            attributes: Attributes::default(),
        };
        let own = Own { token, session, account, instrument };
        self.command(session, account, Action::Enter(enter));
        let answered = match op.check_only {
            true => self.checked(op.id, answer),
            false => self.answered(op.id, own, enter.limit, answer),
        };
        answered.map_err(|refused| {
            let prices = [op.price, op.stop_price, op.trail];
            edge::as_written(refused, &[Some(op.quantity), op.display], &prices)
        })
    }

    fn replace(&mut self, op: &op::Replace, answer: &mut Vec<Line>) -> Result<(), Rejected> {
        let Some(own) = self.open.get(&op.id).copied() else {
            return Err(Rejected::because("unknown_id"));
        };
        if self.used.contains(&op.new_id) {
            return Err(Rejected::because("duplicate_id"));
        }
        edge::replace(op)?;
        let token = self.token()?;
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
        let own = Own { token, ..own };
        let answered = self.answered(op.new_id, own, replace.limit, answer);
        answered.map_err(|refused| edge::as_written(refused, &[Some(op.quantity)], &[op.price]))
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
                self.engine.forget_events(1);
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
        let token = self.token()?;
        let mass = MassCancel {
            token,
            account,
            session,
            symbol: instrument.map(|at| self.engine.instruments().get(at).symbol),
            side: op.side.map(Into::into),
        };
        // Asked by an operator, who is none of the sessions.
        self.command(SessionId(u16::MAX), AccountId(u16::MAX), Action::MassCancel(mass));
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
        let changed = self.engine.on_phase_change(self.now, instrument, phase, reference);
        changed.map(|_| ()).map_err(|why| Rejected::because(why.name()))
    }

    fn tape(&mut self, op: &op::Tape) -> Result<(), Rejected> {
        let is_whole = op.event == TapeEvent::Loss && op.symbol.is_empty();
        let instrument = match op.event.is_of_the_market() || is_whole {
            true => InstrumentId(0),
            false => self.find(&op.symbol)?,
        };
        edge::tape(op)?;
        if op.event == TapeEvent::Loss {
            match is_whole {
                true => self.engine.on_loss(),
                false => self.engine.on_loss_at(instrument),
            }
            return Ok(());
        }
        let known = |reference: Option<u64>| reference.and_then(|known| self.tape.get(&known));
        let old = known(op.reference).filter(|(at, _)| *at == instrument).copied();
        let comes = match op.event {
            TapeEvent::Add => op.reference,
            TapeEvent::Replace if op.new_reference != op.reference => op.new_reference,
            _ => None,
        };
        if known(comes).is_some() {
            return Err(Rejected::because("duplicate_ref"));
        }
        if op.event.names_an_order() && old.is_none() {
            return Err(Rejected::because("unknown_ref"));
        }
        // Beyond its capacity the engine gives the book up for the day.
        if comes.is_some() && !self.engine.books().has_room() {
            return Err(Rejected::because("capacity"));
        }
        // A cross may have no shares.
        let quantity = op.quantity.filter(|shares| shares.0 != 0);
        let quantity = quantity.map_or(Quantity::ZERO, shares_of);
        let price = op.price.map(price_of).unwrap_or_default();
        let reference = OrderReference(op.reference.unwrap_or(0));
        let new_reference = OrderReference(op.new_reference.unwrap_or(0));
        let match_number = MatchNumber(0);
        let printable = op.printable.unwrap_or(true);
        let action = match (op.event, op.price) {
            (TapeEvent::Add, _) => {
                let side = op.side.unwrap_or(Side::Buy).into();
                let symbol = self.engine.instruments().get(instrument).symbol;
                MarketAction::Add { reference, side, quantity, price, symbol }
            }
            (TapeEvent::Execute, None) if printable => {
                MarketAction::Execute { reference, quantity, match_number }
            }
            (TapeEvent::Execute, _) => {
                MarketAction::ExecuteAt { reference, quantity, match_number, price, printable }
            }
            (TapeEvent::Cancel, _) => MarketAction::Reduce { reference, quantity },
            (TapeEvent::Delete, _) => MarketAction::Delete { reference },
            (TapeEvent::Replace, _) => {
                MarketAction::Replace { reference, new_reference, quantity, price }
            }
            // The side of the hidden order changes nothing.
            (TapeEvent::Trade, _) => MarketAction::Trade { quantity, price, match_number },
            (TapeEvent::Cross, _) => {
                let kind = op.kind.map_or(Cross::Other, Into::into);
                let quantity = quantity.0.into();
                MarketAction::Cross { quantity, price, kind, match_number }
            }
            _ => states::action(op, self.engine.instruments().get(instrument).symbol),
        };
        let left = old.map_or(0, |(_, left)| left);
        let stands = match op.event {
            TapeEvent::Add => Some((reference, quantity.0)),
            TapeEvent::Replace => Some((new_reference, quantity.0)),
            TapeEvent::Execute | TapeEvent::Cancel => {
                Some((reference, left.saturating_sub(quantity.0)))
            }
            _ => None,
        };
        self.tape.remove(&reference.0);
        if let Some((reference, shares)) = stands.filter(|(_, shares)| *shares > 0) {
            self.tape.insert(reference.0, (instrument, shares));
        }
        self.messages += 1;
        let event = MarketEvent { time: self.now, instrument, action };
        self.engine.on_market(&event, Sequence(self.messages));
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
            // What strategies have taken of the market's orders is not offered again.
            levels.filter(|level| level.quantity > 0).take(depth).map(level).collect()
        };
        let symbol = op.symbol.clone();
        let (buy, sell) = (spindle_types::Side::Buy, spindle_types::Side::Sell);
        Ok(Line::Book { symbol, bids: levels(buy), asks: levels(sell) })
    }

    /// Hands on what the gate and the engine have told.
    fn tell(&mut self, answer: &mut Vec<Line>) {
        self.tell_notices(answer);
        for at in 0..self.engine.outbox().len() {
            let event = self.engine.outbox()[at];
            self.line(&event, answer);
        }
        self.engine.clear_outbox();
        answer.extend(self.half.take().map(|(_, line)| line));
    }

    /// Tells one event. Of a trade the side that is told first waits for the other, which follows
    /// at once where it is a strategy's.
    fn line(&mut self, event: &Event, answer: &mut Vec<Line>) {
        let id = self.by_token.get(&event.token).copied().unwrap_or_default();
        let half = self.half.take();
        if let Outcome::Executed { quantity, price, open, liquidity, match_number, tape, basis } =
            event.outcome
        {
            let instrument = self.open.get(&id).map(|own| own.instrument);
            let symbol = self.symbol(instrument.unwrap_or_default());
            let (price, quantity) = (amount(price), quantity.0.into());
            let reference = tape.map(|tape| tape.0);
            let cross = match basis {
                Basis::Cross(kind) => Some(kind.name()),
                Basis::Queue | Basis::Hidden => None,
            };
            let trade = |maker, taker| Line::Trade {
                symbol,
                maker,
                taker,
                reference,
                price,
                quantity,
                cross,
            };
            match (half, liquidity) {
                (Some((number, Line::Trade { maker, .. })), _) if number == match_number => {
                    answer.push(trade(maker, Some(id)));
                }
                (half, liquidity) => {
                    answer.extend(half.map(|(_, line)| line));
                    match liquidity {
                        Liquidity::Added => {
                            self.half = Some((match_number, trade(Some(id), None)));
                        }
                        Liquidity::Removed => answer.push(trade(None, Some(id))),
                    }
                }
            }
            if open.is_zero() {
                self.gone(id);
            }
            return;
        }
        answer.extend(half.map(|(_, line)| line));
        answer.extend(self.plain_line(event, id));
        if let Outcome::Canceled { open: Quantity::ZERO, .. } = event.outcome {
            self.gone(id);
        }
    }

    fn plain_line(&self, event: &Event, id: Id) -> Option<Line> {
        match event.outcome {
            Outcome::Canceled { quantity, reason, .. } => {
                let quantity = quantity.0.into();
                Some(Line::Canceled { id, quantity, reason: reason.name() })
            }
            Outcome::Triggered => Some(Line::Triggered { id }),
            Outcome::MassCanceled { orders } => Some(Line::MassCanceled { orders: orders.into() }),
            Outcome::Indicative { symbol, figures } => {
                let figures = figures.into();
                Some(Line::Imbalance { symbol: text(symbol), figures, of_tape: None })
            }
            Outcome::Auction { symbol, kind, figures } => {
                let (auction, figures) = (kind.name(), figures.into());
                Some(Line::Auction { symbol: text(symbol), auction, figures })
            }
            Outcome::TapeImbalance { symbol, imbalance } => {
                Some(states::imbalance(text(symbol), &imbalance))
            }
            Outcome::State { symbol, change } => Some(states::line(text(symbol), change)),
            Outcome::Rejected { reason, limit, observed, .. } => {
                Some(Line::Rejected(rejected(reason, limit, observed)))
            }
            Outcome::CancelRejected | Outcome::ReplaceRejected { .. } => {
                Some(Rejected::because("unknown_id").of(id))
            }
            // Answers, which are read where the request was made, and trades.
            Outcome::Checked { .. }
            | Outcome::Modified { .. }
            | Outcome::Accepted { .. }
            | Outcome::Replaced { .. }
            | Outcome::Executed { .. } => None,
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
            self.tell(answer);
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
        RejectReason::Risk(check) => match check.measure() {
            Measure::Money => Rejected::because(reason.name()).with(money(limit), money(observed)),
            Measure::Count => {
                Rejected::because(reason.name()).with(Figure::Count(limit), Figure::Count(observed))
            }
            Measure::None => Rejected::because(reason.name()),
        },
        RejectReason::InvalidPrice
        | RejectReason::PriceOffTick
        | RejectReason::PostOnly
        | RejectReason::ShortSale => {
            Rejected::because(reason.name()).with(money(limit), money(observed))
        }
        RejectReason::InvalidQuantity | RejectReason::QuantityOffLot | RejectReason::Capacity => {
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
            side: figures.side.map(Into::into),
        }
    }
}

impl From<spindle_types::Side> for Side {
    fn from(side: spindle_types::Side) -> Self {
        match side {
            spindle_types::Side::Buy => Self::Buy,
            spindle_types::Side::Sell => Self::Sell,
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
