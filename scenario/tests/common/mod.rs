//! Twin and engine side by side: every line of both compared, the whole book after every command,
//! and what must always be true.

use std::collections::HashMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use spindle_engine::Divergence;
use spindle_scenario::{
    Amount, Book, Id, Level, Line, MassCancel, Matcher, Op, Phase, Size, TapeEvent, Twin, Venue,
};

/// Twin and engine.
pub(crate) struct Pair {
    pub(crate) twin: Twin,
    venue: Venue,
    ledger: Ledger,
    /// What each instrument's ledger of divergence must say, from the lines alone.
    divergence: HashMap<String, Divergence>,
    symbols: Vec<String>,
    phases: HashMap<String, Phase>,
    /// Whether the tape, which may stand crossed for a moment, has said anything.
    has_tape: bool,
    /// What both said to the last command.
    pub(crate) lines: Vec<Line>,
}

impl Pair {
    /// Both of this size.
    pub(crate) fn new(size: Size) -> Self {
        Self {
            twin: Twin::with(size),
            venue: Venue::new(size),
            ledger: Ledger::default(),
            divergence: HashMap::new(),
            symbols: Vec::new(),
            phases: HashMap::new(),
            has_tape: false,
            lines: Vec::new(),
        }
    }

    /// Carries out one operation on both and compares; what is wrong is the error.
    pub(crate) fn apply(&mut self, op: &Op) -> Result<(), String> {
        self.lines.clear();
        let asked = self.asked(op);
        self.twin.apply(op, &mut self.lines);
        let mut theirs = Vec::new();
        self.venue.apply(op, &mut theirs);
        same(&self.lines, &theirs)?;
        if let [Line::Rejected(_)] = self.lines[..] {
        } else {
            match op {
                Op::Instrument(op) => {
                    self.symbols.push(op.symbol.clone());
                    self.phases.insert(op.symbol.clone(), Phase::Continuous);
                }
                Op::Tape(_) => self.has_tape = true,
                Op::Phase(op) => {
                    self.phases.insert(op.symbol.clone(), op.phase);
                }
                _ => {}
            }
        }
        self.ledger.book(op, &self.lines)?;
        self.ledger.balances(&self.twin)?;
        if self.twin.open_orders().count() != self.venue.engine().own_orders() {
            return Err(format!(
                "open orders: twin {}, engine {}",
                self.twin.open_orders().count(),
                self.venue.engine().own_orders()
            ));
        }
        self.diverge(op);
        self.refuse(asked);
        for at in 0..self.symbols.len() {
            let symbol = self.symbols[at].clone();
            self.compare_divergence(&symbol)?;
            self.compare_book(symbol)?;
        }
        Ok(())
    }

    /// Books what the tape traded, and what the lines tell of trades with it, by the rule behind
    /// them.
    fn diverge(&mut self, op: &Op) {
        if let Op::Tape(tape) = op
            && !matches!(self.lines[..], [Line::Rejected(_)])
        {
            let trades = match tape.event {
                TapeEvent::Execute => tape.printable != Some(false),
                event => matches!(event, TapeEvent::Trade | TapeEvent::Cross),
            };
            let shares = tape.quantity.map_or(0, |shares| shares.0.unsigned_abs());
            if trades {
                self.divergence.entry(tape.symbol.clone()).or_default().volume += shares;
            }
        }
        for line in &self.lines {
            let Line::Trade { symbol, maker, taker, reference, quantity, cross, .. } = line else {
                continue;
            };
            if cross.is_some() {
                self.divergence.entry(symbol.clone()).or_default().cross += quantity;
                continue;
            }
            let ledger = self.divergence.entry(symbol.clone()).or_default();
            let executes = matches!(op, Op::Tape(tape) if matches!(tape.event, TapeEvent::Execute));
            match (maker, taker, reference) {
                (Some(_), Some(_), _) => {}
                (None, _, _) => ledger.taken += quantity,
                (_, None, None) => ledger.hidden += quantity,
                (_, None, Some(_)) if executes => ledger.ahead += quantity,
                (_, None, Some(_)) => ledger.met += quantity,
            }
        }
    }

    /// The instrument and the shares that an operation asks for, were it refused.
    fn asked(&self, op: &Op) -> Option<(String, u64)> {
        let fits = |shares: i64| u64::try_from(shares).ok().filter(|shares| *shares < 1 << 31);
        match op {
            Op::New(op) => fits(op.quantity.0).map(|shares| (op.symbol.clone(), shares)),
            Op::Replace(op) => {
                let (symbol, executed) = self.twin.executed(op.id)?;
                fits(op.quantity.0).map(|shares| (symbol.into(), shares.saturating_sub(executed)))
            }
            _ => None,
        }
    }

    /// Books shares that were refused because of the tape.
    fn refuse(&mut self, asked: Option<(String, u64)>) {
        let ([Line::Rejected(why)], Some((symbol, shares))) = (&self.lines[..], asked) else {
            return;
        };
        let is_of_tape = match why.reason {
            "halted" => !self.twin.is_traded_on_the_tape(&symbol),
            "stale" => true,
            "closed" => self.twin.is_over(),
            reason => matches!(reason, "operational_halt" | "short_sale"),
        };
        if is_of_tape {
            self.divergence.entry(symbol).or_default().refused += shares;
        }
    }

    /// The engine's ledger is what the lines told, and what strategies have of the tape's orders is
    /// what stands as taken in the twin.
    fn compare_divergence(&self, symbol: &str) -> Result<(), String> {
        let theirs = self.venue.divergence(symbol).unwrap_or_default();
        let standing = self.twin.taken(symbol);
        let told = self.divergence.get(symbol).copied().unwrap_or_default();
        let displaced = (told.taken + told.met).checked_sub(standing);
        let told = displaced.map(|displaced| Divergence { displaced, ..told });
        if told != Some(theirs) {
            return Err(format!(
                "{symbol}: {standing} taken shares stand, told: {told:?}, booked: {theirs:?}"
            ));
        }
        Ok(())
    }

    fn compare_book(&mut self, symbol: String) -> Result<(), String> {
        let look = Op::Book(Book { symbol: symbol.clone(), depth: None });
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        self.twin.apply(&look, &mut ours);
        self.venue.apply(&look, &mut theirs);
        same(&ours, &theirs)?;
        let [Line::Book { bids, asks, .. }] = &ours[..] else {
            return Err("no book".into());
        };
        let is_continuous = self.phases[&symbol] == Phase::Continuous && !self.has_tape;
        sound(bids, asks, is_continuous).map_err(|wrong| format!("{wrong}: {}", ours[0].to_json()))
    }

    /// Cancels all that is left and compares that: what no book shows comes to light.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        self.apply(&Op::MassCancel(MassCancel::default()))?;
        if self.twin.open_orders().next().is_some() {
            Err("orders are left".into())
        } else {
            Ok(())
        }
    }
}

fn same(twin: &[Line], engine: &[Line]) -> Result<(), String> {
    if twin == engine {
        return Ok(());
    }
    let text = |lines: &[Line]| -> String {
        lines.iter().fold(String::new(), |text, line| text + "    " + &line.to_json() + "\n")
    };
    Err(format!("twin:\n{}engine:\n{}", text(twin), text(engine)))
}

/// Levels in order, none of them empty, and no trade left undone.
fn sound(bids: &[Level], asks: &[Level], is_continuous: bool) -> Result<(), String> {
    let full = |level: &Level| level.orders > 0 && level.quantity > 0;
    if !bids.iter().chain(asks).all(full) {
        return Err("a level without orders or shares".into());
    }
    if !bids.is_sorted_by(|one, next| one.price > next.price) {
        return Err("bids out of order".into());
    }
    if !asks.is_sorted_by(|one, next| one.price < next.price) {
        return Err("asks out of order".into());
    }
    let crossed = |bid: &Level, ask: &Level| bid.price >= ask.price;
    let is_crossed = bids.first().zip(asks.first()).is_some_and(|(bid, ask)| crossed(bid, ask));
    if is_crossed && is_continuous { Err("crossed".into()) } else { Ok(()) }
}

/// What became of the shares of an order.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    entered: u64,
    executed: u64,
    canceled: u64,
}

impl Shares {
    fn open(&self) -> Option<u64> {
        self.entered.checked_sub(self.executed)?.checked_sub(self.canceled)
    }
}

/// Every open order's shares, kept from the lines alone.
#[derive(Debug, Default)]
struct Ledger {
    orders: HashMap<Id, Shares>,
}

impl Ledger {
    fn book(&mut self, op: &Op, lines: &[Line]) -> Result<(), String> {
        for line in lines {
            match line {
                Line::Accepted { id, .. } => {
                    let Op::New(new) = op else {
                        return Err("accepted without being asked".into());
                    };
                    let entered = new.quantity.0.unsigned_abs();
                    self.orders.insert(*id, Shares { entered, ..Shares::default() });
                }
                Line::Replaced { id, new_id, .. } => {
                    let Op::Replace(new) = op else {
                        return Err("replaced without being asked".into());
                    };
                    let old = self.orders.remove(id).ok_or("replaced an order that is gone")?;
                    let entered = new.quantity.0.unsigned_abs();
                    self.orders.insert(*new_id, Shares { entered, canceled: 0, ..old });
                }
                Line::Trade { maker, taker, quantity, .. } => {
                    for id in [maker, taker].into_iter().flatten() {
                        let order =
                            self.orders.get_mut(id).ok_or("traded an order that is gone")?;
                        order.executed += quantity;
                    }
                }
                Line::Canceled { id, quantity, .. } => {
                    let order = self.orders.get_mut(id).ok_or("canceled an order that is gone")?;
                    order.canceled += quantity;
                }
                _ => {}
            }
            self.orders.retain(|_, order| order.open() != Some(0));
        }
        Ok(())
    }

    /// For every order, and so for all orders of an account: entered = executed + open + cancelled.
    fn balances(&self, twin: &Twin) -> Result<(), String> {
        let mut count = 0;
        for (id, open) in twin.open_orders() {
            count += 1;
            let told = self.orders.get(&id).and_then(Shares::open);
            if told != Some(open) {
                return Err(format!("order {id}: {open} shares open, told: {told:?}"));
            }
        }
        if count != self.orders.len() {
            return Err(format!("{count} orders open, told: {:?}", self.orders));
        }
        Ok(())
    }
}

/// Where a run went wrong, and how.
pub(crate) fn first_fault(size: Size, ops: &[Op]) -> Option<(usize, String)> {
    let mut pair = Pair::new(size);
    let mut at = 0;
    let run = catch_unwind(AssertUnwindSafe(|| {
        for op in ops {
            pair.apply(op)?;
            at += 1;
        }
        pair.end()
    }));
    match run {
        Ok(Ok(())) => None,
        Ok(Err(fault)) => Some((at, fault)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied());
            Some((at, format!("panicked: {}", text.unwrap_or("without a word"))))
        }
    }
}

/// The smallest scenario that still fails, found by leaving out what is not needed.
pub(crate) fn shrink(size: Size, mut ops: Vec<Op>) -> Vec<Op> {
    if let Some((at, _)) = first_fault(size, &ops) {
        ops.truncate(at + 1);
    }
    let mut chunk = ops.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        let mut shrunk = false;
        while at < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(at..(at + chunk).min(ops.len()));
            if let Some((fault, _)) = first_fault(size, &fewer) {
                fewer.truncate(fault + 1);
                ops = fewer;
                shrunk = true;
            } else {
                at += chunk;
            }
        }
        if chunk > 1 {
            chunk /= 2;
        } else if !shrunk {
            break;
        }
    }
    ops
}

/// Shrinks a failing scenario and says all there is to say about it.
pub(crate) fn report(size: Size, ops: Vec<Op>, about: &str) -> String {
    let ops = shrink(size, ops);
    let fault = first_fault(size, &ops).map_or("it does not fail again".into(), |(_, fault)| fault);
    let mut text = format!("{about}\nthe smallest scenario:\n");
    for op in &ops {
        let _ = writeln!(text, "{}", op.to_json());
    }
    let _ = write!(text, "its last line:\n{fault}");
    text
}

/// A price of this many units.
#[allow(dead_code, reason = "not every test writes prices")]
pub(crate) fn price(units: i64) -> Amount {
    Amount::new(units)
}
