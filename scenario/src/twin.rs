//! The naive twin: every rule of `docs/matching.md` in the plainest way there is. All orders are in
//! one vector that is searched and sorted whenever something is to be known.

mod auction;
mod check;
mod cross;
mod entry;
mod replace;
mod risk;
mod states;
mod tape;
mod waiting;

use crate::decimal::Amount;
use crate::gate::NaiveGate;
use crate::line::{Figures, Level, Line, Rejected};
use crate::op::{
    self, Center, Day, Id, Kind, Op, Phase, PostOnly, Restriction, Sale, SelfTrade, Side, State,
    Tif,
};
use crate::{Matcher, edge};

/// The naive twin.
#[derive(Clone, Debug, Default)]
pub struct Twin {
    now: u64,
    instruments: Vec<Instrument>,
    accounts: Vec<Account>,
    orders: Vec<Order>,
    /// Orders of the recorded market. Each stands in the book.
    tape: Vec<Order>,
    /// The phase of the recorded day.
    day: Option<Day>,
    /// The levels of the circuit breaker, and the highest that was breached.
    levels: Option<[Amount; 3]>,
    breaker: u8,
    /// Ids of orders that were ever accepted.
    used: std::collections::HashSet<Id>,
    /// Counts whatever needs an order in time.
    moments: u64,
    lines: Vec<Line>,
    gate: NaiveGate,
    /// Names that the gate knows by their place.
    names: risk::Names,
}

#[derive(Clone, Debug)]
struct Instrument {
    symbol: String,
    tick: i64,
    lot: i64,
    phase: Phase,
    /// The trading state that the tape gave it, and why.
    state: State,
    reason: Option<String>,
    /// Market centres that do not trade it.
    halted_at: Vec<Center>,
    /// Reference, highest and lowest price and extension of the next reopening auction.
    collar: Option<(i64, i64, i64, u32)>,
    restriction: Restriction,
    /// Whether something of it was lost.
    stale: bool,
    /// Whether the tape's opening and closing cross have been.
    opened: bool,
    closed: bool,
    /// Seconds and price of its release, once one was told; none in it where it is put off.
    release: Option<Option<(u32, i64)>>,
    /// The last print.
    last: Option<i64>,
    /// Elected stops that have not had their turn.
    elected: Vec<Id>,
    /// What was last told of the coming auction.
    told: Figures,
}

impl Instrument {
    /// Whether it trades continuously, here and on the tape, while the day lasts.
    fn trades(&self) -> bool {
        self.phase == Phase::Continuous && self.tape_trades()
    }

    /// Whether the tape trades it where the venue is.
    fn tape_trades(&self) -> bool {
        self.state == State::Trading && !self.halted_at.contains(&Center::Nasdaq)
    }
}

#[derive(Clone, Debug)]
struct Account {
    name: String,
    group: Option<String>,
    mode: Option<SelfTrade>,
    post_only: PostOnly,
}

/// Where an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On its way in.
    Entering,
    /// In the book.
    Book,
    /// A stop that waits to be elected.
    Stop,
    /// A stop that waits for its turn.
    Elected,
    /// A peg that has no price now.
    PegOutside,
    /// An at-close order that waits for its auction.
    AtClose,
    /// An at-open order that waits for the tape's opening cross.
    AtOpen,
}

#[derive(Clone, Debug)]
struct Order {
    id: Id,
    account: String,
    session: String,
    /// Which instrument.
    at: usize,
    side: Side,
    sale: Sale,
    kind: Kind,
    /// Its own limit.
    limit: Option<i64>,
    /// Where it stands in the book; market orders have no price.
    price: Option<i64>,
    tif: Tif,
    expire: u64,
    stop: i64,
    /// When it took its place among the stops of its stop price.
    stop_moment: u64,
    trail: i64,
    offset: i64,
    /// The display size, 0 for all.
    display: u64,
    hidden: bool,
    post_only: bool,
    minimum: u64,
    executed: u64,
    open: u64,
    /// What of it is shown, or of a hidden order, what could be traded: all but a reserve.
    shown: u64,
    /// Its place in the order of entry.
    entry: u64,
    /// Its place in the queue of its price.
    time: u64,
    place: Place,
    /// Whether it is an order of the recorded market; its id is then its reference.
    is_tape: bool,
    /// Of the market's order: shares that strategies have taken.
    taken: u64,
    /// And shares that met another order of the market in the auction that is held.
    met: u64,
}

impl Order {
    /// Shares that can be traded against now.
    fn available(&self) -> u64 {
        self.shown - self.taken
    }

    /// Shares that can be traded in an auction.
    fn whole(&self) -> u64 {
        self.open - self.taken - self.met
    }

    fn is_peg(&self) -> bool {
        matches!(self.kind, Kind::MidpointPeg | Kind::PrimaryPeg)
    }

    fn is_displayed(&self) -> bool {
        !self.hidden && self.kind != Kind::MidpointPeg
    }

    /// One slice of an iceberg, or all that is open.
    fn slice(&self) -> u64 {
        if self.display == 0 { self.open } else { self.open.min(self.display) }
    }

    /// Whether this order, with this limit (none: a market order), may trade at a price.
    fn reaches(&self, limit: Option<i64>, price: i64) -> bool {
        match (limit, self.side) {
            (None, _) => true,
            (Some(limit), Side::Buy) => limit >= price,
            (Some(limit), Side::Sell) => limit <= price,
        }
    }
}

impl Phase {
    fn collects(self) -> bool {
        matches!(self, Self::PreOpen | Self::Paused | Self::PreClose)
    }
}

/// A price so that the better one is less.
fn badness(side: Side, price: i64) -> i64 {
    match side {
        Side::Buy => -price,
        Side::Sell => price,
    }
}

impl Twin {
    /// A venue without instruments, at time 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The open orders and their open shares.
    pub fn open_orders(&self) -> impl Iterator<Item = (Id, u64)> + '_ {
        self.orders.iter().map(|order| (order.id, order.open))
    }

    /// Shares that strategies have of the market's orders that stand.
    pub fn taken(&self, symbol: &str) -> u64 {
        let at = self.instrument(symbol);
        self.tape.iter().filter(|order| Some(order.at) == at).map(|order| order.taken).sum()
    }

    /// Whether the tape trades an instrument, whatever its phase here.
    pub fn is_traded_on_the_tape(&self, symbol: &str) -> bool {
        self.instrument(symbol).is_some_and(|at| self.instruments[at].tape_trades())
    }

    /// Shares that an order of the market has left.
    pub fn left_on_the_tape(&self, reference: Id) -> Option<u64> {
        self.tape.iter().find(|order| order.id == reference).map(|order| order.open)
    }

    /// Whether the recorded day is over.
    pub fn is_over(&self) -> bool {
        self.day_is_over()
    }

    /// The instrument of an open order, and how many shares of its whole chain were executed.
    pub fn executed(&self, id: Id) -> Option<(&str, u64)> {
        self.find(id).map(|order| (&*self.instruments[order.at].symbol, order.executed))
    }

    fn moment(&mut self) -> u64 {
        self.moments += 1;
        self.moments
    }

    fn tell(&mut self, line: Line) {
        self.lines.push(line);
    }

    fn instrument(&self, symbol: &str) -> Option<usize> {
        self.instruments.iter().position(|instrument| instrument.symbol == symbol)
    }

    /// Whether an instrument trades continuously now.
    fn trades(&self, at: usize) -> bool {
        self.instruments[at].trades() && !self.instruments[at].stale && !self.day_is_over()
    }

    fn find(&self, id: Id) -> Option<&Order> {
        self.orders.iter().find(|order| order.id == id)
    }

    /// An order that must be there.
    fn order(&mut self, id: Id) -> &mut Order {
        let found = self.orders.iter_mut().find(|order| order.id == id);
        found.unwrap_or_else(|| panic!("order {id} is gone"))
    }

    fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    /// Ids of the orders that are so, in order of entry.
    fn ids(&self, is: impl Fn(&Order) -> bool) -> Vec<Id> {
        let mut found: Vec<_> = self.orders.iter().filter(|order| is(order)).collect();
        found.sort_by_key(|order| order.entry);
        found.into_iter().map(|order| order.id).collect()
    }

    /// A side of the book in priority; market orders first.
    fn queue(&self, at: usize, side: Side) -> Vec<&Order> {
        let in_it =
            |order: &&Order| order.at == at && order.side == side && order.place == Place::Book;
        let mut queue: Vec<_> = self.orders.iter().chain(&self.tape).filter(in_it).collect();
        queue.sort_by_key(|order| {
            let price = order.price.map(|price| badness(side, price));
            (price, !order.is_displayed(), order.time)
        });
        queue
    }

    /// The first of a side with shares to trade.
    fn first(&self, at: usize, side: Side) -> Option<Order> {
        self.queue(at, side).into_iter().find(|order| order.available() > 0).cloned()
    }

    /// The best price of a side at which there is something, hidden shares included.
    fn best(&self, at: usize, side: Side) -> Option<i64> {
        self.first(at, side).and_then(|order| order.price)
    }

    /// Takes shares off and tells it. An order without shares is gone.
    fn cancel_shares(&mut self, id: Id, quantity: u64, reason: &'static str) {
        self.tell(Line::Canceled { id, quantity, reason });
        self.shrink(id, quantity);
    }

    fn cancel_all(&mut self, id: Id, reason: &'static str) {
        let open = self.order(id).open;
        self.cancel_shares(id, open, reason);
    }

    /// Takes off shares that nobody executed: the reserve first.
    fn shrink(&mut self, id: Id, quantity: u64) {
        self.gate.release(id, quantity);
        let order = self.order(id);
        order.open -= quantity;
        order.shown = order.shown.min(order.open);
        if order.open == 0 {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: Id) {
        self.orders.retain(|order| order.id != id);
        for instrument in &mut self.instruments {
            instrument.elected.retain(|elected| *elected != id);
        }
    }

    /// What follows from an input: pegs, then elected stops in turn; at the very end what the
    /// coming auctions would give.
    fn settle(&mut self) {
        for at in 0..self.instruments.len() {
            self.reprice(at);
            while self.trades(at) && !self.instruments[at].elected.is_empty() {
                self.trigger(at);
                self.reprice(at);
            }
        }
    }

    fn tell_figures(&mut self) {
        for at in 0..self.instruments.len() {
            let instrument = &self.instruments[at];
            if !instrument.phase.collects() {
                continue;
            }
            let closing = instrument.phase == Phase::PreClose;
            let figures = self.figures(at, closing, instrument.last);
            if figures != instrument.told {
                let symbol = instrument.symbol.clone();
                self.instruments[at].told = figures;
                self.tell(Line::Imbalance { symbol, figures, of_tape: None });
            }
        }
    }

    fn carry_out(&mut self, op: &Op) -> Result<(), Line> {
        match op {
            Op::Instrument(op) => self.add_instrument(op).map_err(|why| why.of_op("instrument")),
            Op::Account(op) => self.set_account(op).map_err(|why| why.of_op("account")),
            Op::New(op) if op.check_only => self.enter_new(op).map_err(|why| why.checked(op.id)),
            Op::New(op) => self.enter_new(op).map_err(|why| why.of(op.id)),
            Op::Limits(op) => self.set_limits(op).map_err(|why| why.of_op("limits")),
            Op::Reference(op) => self.set_reference(op).map_err(|why| why.of_op("reference")),
            Op::Kill(op) => self.kill(op).map_err(|why| why.of_op("kill")),
            Op::Arm(op) => self.arm(op).map_err(|why| why.of_op("arm")),
            Op::Cancel(op) => {
                if self.find(op.id).is_none() {
                    return Err(Rejected::because("unknown_id").of(op.id));
                }
                self.count_cancel(op.id);
                self.cancel_all(op.id, "user_request");
                Ok(())
            }
            Op::Replace(op) => self.replace(op).map_err(|why| why.of(op.new_id)),
            Op::MassCancel(op) => self.mass_cancel(op).map_err(|why| why.of_op("mass_cancel")),
            Op::Phase(op) => self.change_phase(op).map_err(|why| why.of_op("phase")),
            Op::Time(op) => {
                if op.ns < self.now {
                    return Err(Rejected::because("invalid_time").of_op("time"));
                }
                self.now = op.ns;
                self.expire();
                Ok(())
            }
            Op::Tape(op) => self.tape_does(op).map_err(|why| why.of_op("tape")),
            Op::Book(op) => self.show(op).map_err(|why| why.of_op("book")),
        }
    }

    fn add_instrument(&mut self, op: &op::Instrument) -> Result<(), Rejected> {
        edge::instrument(op)?;
        if self.instrument(&op.symbol).is_some() {
            return Err(Rejected::because("duplicate_symbol"));
        }
        self.instruments.push(Instrument {
            symbol: op.symbol.clone(),
            tick: op.tick.map_or(1, |tick| tick.units),
            lot: op.lot.map_or(1, |lot| lot.0),
            phase: Phase::Continuous,
            state: State::Trading,
            reason: None,
            halted_at: Vec::new(),
            collar: None,
            restriction: Restriction::Free,
            stale: false,
            opened: false,
            closed: false,
            release: None,
            last: None,
            elected: Vec::new(),
            told: Figures::default(),
        });
        self.set_currency(self.instruments.len() - 1, op.currency.as_deref())
    }

    fn set_account(&mut self, op: &op::Account) -> Result<(), Rejected> {
        self.set_firm(op)?;
        self.accounts.retain(|account| account.name != op.account);
        self.accounts.push(Account {
            name: op.account.clone(),
            group: op.group.clone(),
            mode: op.self_trade,
            post_only: op.post_only.unwrap_or_default(),
        });
        Ok(())
    }

    fn mass_cancel(&mut self, op: &op::MassCancel) -> Result<(), Rejected> {
        let at = match &op.symbol {
            None => None,
            Some(symbol) => {
                let unknown = Rejected::because("unknown_instrument");
                Some(self.instrument(symbol).ok_or(unknown)?)
            }
        };
        let meant = self.ids(|order| {
            at.is_none_or(|at| at == order.at)
                && op.account.as_ref().is_none_or(|account| *account == order.account)
                && op.session.as_ref().is_none_or(|session| *session == order.session)
                && op.side.is_none_or(|side| side == order.side)
        });
        for id in &meant {
            self.cancel_all(*id, "mass_cancel");
        }
        self.tell(Line::MassCanceled { orders: meant.len() as u64 });
        Ok(())
    }

    fn expire(&mut self) {
        let now = self.now;
        let mut expired = self.ids(|order| order.tif == Tif::Gtd && order.expire <= now);
        expired.sort_by_key(|id| self.find(*id).map(|order| order.expire));
        for id in expired {
            self.cancel_all(id, "expired");
        }
    }

    fn show(&mut self, op: &op::Book) -> Result<(), Rejected> {
        let unknown = Rejected::because("unknown_instrument");
        let at = self.instrument(&op.symbol).ok_or(unknown)?;
        let levels = |side| {
            let mut levels: Vec<Level> = Vec::new();
            for order in self.queue(at, side).iter().filter(|order| order.is_displayed()) {
                let Some(price) = order.price.map(Amount::new) else { continue };
                if levels.last().is_none_or(|level| level.price != price) {
                    levels.push(Level { price, quantity: 0, orders: 0 });
                }
                let level = levels.last_mut().expect("a level");
                level.quantity += order.available();
                level.orders += 1;
            }
            // What strategies have taken is not offered again.
            levels.retain(|level| level.quantity > 0);
            levels.truncate(op.depth.unwrap_or(usize::MAX));
            levels
        };
        let (bids, asks) = (levels(Side::Buy), levels(Side::Sell));
        self.tell(Line::Book { symbol: op.symbol.clone(), bids, asks });
        Ok(())
    }
}

impl Matcher for Twin {
    fn apply(&mut self, op: &Op, answer: &mut Vec<Line>) {
        let done = self.carry_out(op);
        let is_answered = match done {
            Ok(()) => matches!(op, Op::New(_) | Op::Replace(_)),
            Err(refused) => {
                self.tell(refused);
                true
            }
        };
        loop {
            if self.gate.take_tripped() {
                self.cancel_killed();
            }
            self.settle();
            if !self.gate.has_tripped() {
                break;
            }
        }
        self.tell_figures();
        self.tell_notices(is_answered);
        answer.append(&mut self.lines);
    }
}
