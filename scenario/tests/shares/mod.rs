//! The fill rules with every share an object of its own, as `docs/fill-rules.md` says them: a share
//! has an owner and a place in a queue, and one fate in the end. Limit orders of strategies, for the
//! day, at once or for the close; all that the tape does.

use spindle_engine::Divergence;
use spindle_scenario::{Amount, Id, Level, Line, Rejected, Side, State};

/// Whose a share is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The tape's order with this reference; whether strategies have the share.
    Tape { reference: Id, taken: bool },
    /// The strategies' order with this id.
    Strategy { id: Id },
}

/// A share that stands or waits.
#[derive(Clone, Copy, Debug)]
struct Share {
    owner: Owner,
    price: i64,
    /// When its order came.
    time: u64,
}

impl Share {
    fn is_of(&self, order: Id) -> bool {
        matches!(self.owner, Owner::Strategy { id } if id == order)
    }

    fn is_of_tape(&self, order: Id) -> bool {
        matches!(self.owner, Owner::Tape { reference, .. } if reference == order)
    }

    fn is_untaken(&self) -> bool {
        matches!(self.owner, Owner::Tape { taken: false, .. })
    }

    fn is_taken(&self) -> bool {
        matches!(self.owner, Owner::Tape { taken: true, .. })
    }

    fn strategy(&self) -> Option<Id> {
        match self.owner {
            Owner::Strategy { id } => Some(id),
            Owner::Tape { .. } => None,
        }
    }
}

/// How many shares had which fate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fates {
    /// Strategies' shares that came into being.
    entered: u64,
    executed: u64,
    canceled: u64,
    /// The tape's shares that came into being, those of replacements too.
    shown: u64,
    /// And ceased to be.
    gone: u64,
}

/// One instrument.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// Shares that stand, by side, the first in priority first.
    queues: [Vec<Share>; 2],
    /// Shares that wait for the close, by side.
    waiting: [Vec<Share>; 2],
    state: State,
    stale: bool,
    closed: bool,
    clock: u64,
    pub(crate) booked: Divergence,
    pub(crate) fates: Fates,
    pub(crate) lines: Vec<Line>,
}

fn at(side: Side) -> usize {
    usize::from(side == Side::Sell)
}

/// Whether an order of this side and limit trades at a price.
fn allows(side: Side, limit: i64, price: i64) -> bool {
    match side {
        Side::Buy => limit >= price,
        Side::Sell => limit <= price,
    }
}

fn is_better(side: Side, price: i64, other: i64) -> bool {
    price != other && allows(side, price, other)
}

impl World {
    fn moment(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Tells of one share that traded; shares of the same two orders are one trade.
    fn trade(
        &mut self,
        maker: Option<Id>,
        taker: Option<Id>,
        reference: Option<Id>,
        price: i64,
        cross: Option<&'static str>,
    ) {
        self.fates.executed += u64::from(maker.is_some()) + u64::from(taker.is_some());
        let price = Amount::new(price);
        let (m, t, r, p, c) = (maker, taker, reference, price, cross);
        if let Some(Line::Trade { maker, taker, reference, price, quantity, cross, .. }) =
            self.lines.last_mut()
            && (*maker, *taker, *reference, *price, *cross) == (m, t, r, p, c)
        {
            *quantity += 1;
            return;
        }
        let symbol = "X".into();
        self.lines.push(Line::Trade { symbol, maker, taker, reference, price, quantity: 1, cross });
    }

    fn insert(&mut self, side: Side, share: Share) {
        let queue = &mut self.queues[at(side)];
        let behind = queue.iter().position(|other| is_better(side, share.price, other.price));
        queue.insert(behind.unwrap_or(queue.len()), share);
    }

    fn trades(&self) -> bool {
        self.state == State::Trading && !self.stale
    }

    /// A strategy's limit order.
    pub(crate) fn enter(&mut self, id: Id, side: Side, quantity: u64, price: i64, tif: &str) {
        let refusal = if self.stale {
            Some("stale")
        } else if self.state != State::Trading {
            Some("halted")
        } else if tif == "at_close" && self.closed {
            Some("wrong_phase")
        } else {
            None
        };
        if let Some(reason) = refusal {
            self.booked.refused += if reason == "wrong_phase" { 0 } else { quantity };
            return self.lines.push(Rejected::because(reason).of(id));
        }
        self.lines.push(Line::Accepted { id, price: None });
        self.fates.entered += quantity;
        let time = self.moment();
        let share = Share { owner: Owner::Strategy { id }, price, time };
        for left in (1..=quantity).rev() {
            if tif == "at_close" {
                self.waiting[at(side)].push(share);
                continue;
            }
            let other = &mut self.queues[at(side.opposite())];
            let met = other.iter().position(|share| !share.is_taken());
            let met = met.filter(|met| allows(side, price, other[*met].price));
            match met {
                Some(met) => self.take(id, side.opposite(), met),
                None if tif == "ioc" => {
                    self.fates.canceled += left;
                    let reason = "immediate_or_cancel";
                    return self.lines.push(Line::Canceled { id, quantity: left, reason });
                }
                None => self.insert(side, share),
            }
        }
    }

    /// Rule 1, one share.
    fn take(&mut self, taker: Id, side: Side, met: usize) {
        let share = &mut self.queues[at(side)][met];
        let price = share.price;
        match share.owner {
            Owner::Tape { reference, .. } => {
                share.owner = Owner::Tape { reference, taken: true };
                self.booked.taken += 1;
                self.trade(None, Some(taker), Some(reference), price, None);
            }
            Owner::Strategy { id } => {
                self.queues[at(side)].remove(met);
                self.trade(Some(id), Some(taker), None, price, None);
            }
        }
    }

    /// A strategy takes its order back.
    pub(crate) fn cancel(&mut self, id: Id) {
        let before = self.open(id);
        for shares in self.queues.iter_mut().chain(&mut self.waiting) {
            shares.retain(|share| !share.is_of(id));
        }
        self.lines.push(if before == 0 {
            Rejected::because("unknown_id").of(id)
        } else {
            self.fates.canceled += before;
            Line::Canceled { id, quantity: before, reason: "user_request" }
        });
    }

    fn open(&self, id: Id) -> u64 {
        let shares = self.queues.iter().chain(&self.waiting).flatten();
        shares.filter(|share| share.is_of(id)).count() as u64
    }

    /// Fills the strategies' share at a place because of the tape.
    fn fill(&mut self, side: Side, place: usize, reference: Option<Id>) {
        let share = self.queues[at(side)].remove(place);
        self.trade(share.strategy(), None, reference, share.price, None);
    }

    /// The first share of strategies on a side.
    fn first_own(&self, side: Side) -> Option<usize> {
        self.queues[at(side)].iter().position(|share| share.strategy().is_some())
    }

    /// Rule 3: each share of an arriving order meets the first share of strategies that it reaches.
    /// Of `taken` it is known already that strategies have them.
    fn arrive(&mut self, reference: Id, side: Side, quantity: u64, price: i64, taken: u64) {
        let time = self.moment();
        self.fates.shown += quantity;
        for nth in 0..quantity {
            let mut has = nth < taken;
            if !has
                && self.trades()
                && let Some(first) = self.first_own(side.opposite())
                && allows(side, price, self.queues[at(side.opposite())][first].price)
            {
                self.fill(side.opposite(), first, Some(reference));
                self.booked.met += 1;
                has = true;
            }
            self.insert(side, Share { owner: Owner::Tape { reference, taken: has }, price, time });
        }
    }

    pub(crate) fn add(&mut self, reference: Id, side: Side, quantity: u64, price: i64) {
        self.arrive(reference, side, quantity, price, 0);
    }

    /// Where an order of the tape stands: its side and first place.
    pub(crate) fn find(&self, reference: Id) -> Option<(Side, usize)> {
        [Side::Buy, Side::Sell].into_iter().find_map(|side| {
            let first = self.queues[at(side)].iter().position(|s| s.is_of_tape(reference));
            first.map(|first| (side, first))
        })
    }

    /// Shares of an order of the tape that stand.
    pub(crate) fn left(&self, reference: Id) -> u64 {
        let shares = self.queues.iter().flatten();
        shares.filter(|share| share.is_of_tape(reference)).count() as u64
    }

    /// The tape takes shares off its order: those that nobody has go first.
    fn reduce(&mut self, reference: Id, quantity: u64) {
        let Some((side, _)) = self.find(reference) else {
            return;
        };
        for _ in 0..quantity {
            let queue = &mut self.queues[at(side)];
            let of_it = |share: &Share| share.is_of_tape(reference);
            let untaken = queue.iter().rposition(|share| of_it(share) && share.is_untaken());
            let Some(place) = untaken.or_else(|| queue.iter().rposition(of_it)) else {
                self.stale = true;
                let symbol = Some("X".into());
                return self.lines.push(Line::Stale { symbol, cause: "excess" });
            };
            self.booked.displaced += u64::from(queue.remove(place).is_taken());
            self.fates.gone += 1;
        }
    }

    /// Rule 4: each executed share fills the first share of strategies that stands ahead.
    pub(crate) fn execute(&mut self, reference: Id, quantity: u64, printable: bool) {
        if printable {
            self.booked.volume += quantity;
            for _ in 0..quantity {
                if self.trades()
                    && let Some((side, place)) = self.find(reference)
                    && let Some(first) = self.first_own(side)
                    && first < place
                {
                    self.fill(side, first, Some(reference));
                    self.booked.ahead += 1;
                }
            }
        }
        self.reduce_once(reference, quantity);
    }

    /// As [`World::reduce`]; a book that is stale already is not told again.
    fn reduce_once(&mut self, reference: Id, quantity: u64) {
        let (was_stale, told) = (self.stale, self.lines.len());
        self.reduce(reference, quantity);
        if was_stale {
            self.lines.truncate(told);
        }
    }

    pub(crate) fn tape_cancels(&mut self, reference: Id, quantity: u64) {
        self.reduce_once(reference, quantity);
    }

    pub(crate) fn delete(&mut self, reference: Id) {
        self.reduce(reference, self.left(reference));
    }

    /// Rule 6: what strategies have goes with the order, as far as its size goes.
    pub(crate) fn replace(&mut self, old: Id, new: Id, quantity: u64, price: i64) {
        let Some((side, _)) = self.find(old) else {
            return;
        };
        let of_it = self.queues[at(side)].iter().filter(|share| share.is_of_tape(old));
        let taken = of_it.filter(|share| share.is_taken()).count() as u64;
        self.fates.gone += self.left(old);
        self.queues[at(side)].retain(|share| !share.is_of_tape(old));
        let kept = taken.min(quantity);
        self.booked.displaced += taken - kept;
        self.arrive(new, side, quantity, price, kept);
    }

    /// Rule 5.
    pub(crate) fn hidden_trade(&mut self, quantity: u64, price: i64) {
        self.booked.volume += quantity;
        for side in [Side::Buy, Side::Sell] {
            for _ in 0..quantity {
                if self.trades()
                    && let Some(first) = self.first_own(side)
                    && allows(side, self.queues[at(side)][first].price, price)
                {
                    self.fill(side, first, None);
                    self.booked.hidden += 1;
                }
            }
        }
    }

    pub(crate) fn status(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            let (symbol, state) = ("X".into(), state.name());
            self.lines.push(Line::Status { symbol, state, reason: None });
        }
    }

    /// Rule 7: each share of a cross, on each side, goes to the first share that takes part.
    pub(crate) fn cross(&mut self, quantity: u64, price: i64, closing: bool) {
        self.booked.volume += quantity;
        let kind = if closing { "closing" } else { "halt" };
        if !self.stale {
            for side in [Side::Buy, Side::Sell] {
                for _ in 0..quantity {
                    self.cross_one(side, price, closing, kind);
                }
            }
            if closing {
                self.close();
            }
        }
        self.closed |= closing;
    }

    fn cross_one(&mut self, side: Side, price: i64, closing: bool, kind: &'static str) {
        let queue = &self.queues[at(side)];
        let stands = queue.iter().enumerate().position(|(place, share)| {
            let in_front = &queue[..place];
            let stayed = in_front.iter().any(|ahead| ahead.price == price && ahead.is_untaken());
            share.strategy().is_some()
                && allows(side, share.price, price)
                && !(share.price == price && stayed)
        });
        let waits = self.waiting[at(side)]
            .iter()
            .enumerate()
            .filter(|(_, share)| closing && allows(side, share.price, price))
            .min_by_key(|(_, share)| match side {
                Side::Buy => (-share.price, share.time),
                Side::Sell => (share.price, share.time),
            })
            .map(|(place, _)| place);
        let share = match (stands, waits) {
            (None, None) => return,
            (Some(stands), Some(waits)) => {
                let (one, other) = (queue[stands], self.waiting[at(side)][waits]);
                let first = is_better(side, one.price, other.price)
                    || one.price == other.price && one.time < other.time;
                if first {
                    self.queues[at(side)].remove(stands)
                } else {
                    self.waiting[at(side)].remove(waits)
                }
            }
            (Some(stands), None) => self.queues[at(side)].remove(stands),
            (None, Some(waits)) => self.waiting[at(side)].remove(waits),
        };
        self.booked.cross += 1;
        self.trade(share.strategy(), None, None, price, Some(kind));
    }

    /// What waited for the close is cancelled, in order of entry.
    fn close(&mut self) {
        let mut left: Vec<Share> = self.waiting.iter_mut().flat_map(std::mem::take).collect();
        left.sort_by_key(|share| share.time);
        self.fates.canceled += left.len() as u64;
        for shares in left.chunk_by(|one, next| one.time == next.time) {
            let id = shares[0].strategy().expect("only strategies' shares wait");
            let quantity = shares.len() as u64;
            self.lines.push(Line::Canceled { id, quantity, reason: "auction_over" });
        }
    }

    /// The displayed levels of a side.
    pub(crate) fn levels(&self, side: Side) -> Vec<Level> {
        let mut levels: Vec<Level> = Vec::new();
        for shares in self.queues[at(side)].chunk_by(|one, next| one.time == next.time) {
            let price = Amount::new(shares[0].price);
            let quantity = shares.iter().filter(|share| !share.is_taken()).count() as u64;
            match levels.last_mut() {
                Some(level) if level.price == price => {
                    level.quantity += quantity;
                    level.orders += 1;
                }
                _ => levels.push(Level { price, quantity, orders: 1 }),
            }
        }
        levels.retain(|level| level.quantity > 0);
        levels
    }

    /// Every share that came into being is somewhere, once.
    pub(crate) fn conserves(&self) -> Result<(), String> {
        let standing = self.queues.iter().flatten();
        let own = standing.clone().filter(|share| share.strategy().is_some()).count();
        let waiting = self.waiting.iter().flatten().count();
        let fates = self.fates;
        if fates.entered != fates.executed + fates.canceled + (own + waiting) as u64 {
            return Err(format!("strategies' shares: {own} + {waiting} left, {fates:?}"));
        }
        let of_tape = standing.clone().count() - own;
        if fates.shown != fates.gone + of_tape as u64 {
            return Err(format!("the tape's shares: {of_tape} left, {fates:?}"));
        }
        let taken = standing.filter(|share| share.is_taken()).count() as u64;
        let booked = self.booked;
        if booked.taken + booked.met != booked.displaced + taken {
            return Err(format!("{taken} taken shares stand, {booked:?}"));
        }
        Ok(())
    }
}
