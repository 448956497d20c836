//! All accounts of a run, and the firm that they add up to.

use spindle_types::{AccountId, EventTime, InstrumentId, Price, Quantity, Side, keep};

use crate::fees::{FeeSchedule, Liquidity};
use crate::markout::{HORIZONS, Markout, Pending, Queue};
use crate::money::{Money, sign};
use crate::position::Position;
use crate::report::{AccountLine, Owner, PositionLine, Report};

/// What accounts are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountsConfig {
    /// Positions of all accounts together; the firm has its own place for each instrument.
    pub positions_max: usize,
    /// Fills that wait for their markouts at once: those of the last ten seconds of tape time.
    pub markouts_max: usize,
}

impl Default for AccountsConfig {
    /// 16,384 positions, 262,144 fills in ten seconds.
    fn default() -> Self {
        Self { positions_max: 16_384, markouts_max: 262_144 }
    }
}

/// Shares of an account executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// When, in tape time. One before the last counts as at the last.
    pub time: EventTime,
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Bought or sold.
    pub side: Side,
    /// At which price.
    pub price: Price,
    /// How many.
    pub quantity: Quantity,
    /// Whether the order stood or took.
    pub liquidity: Liquidity,
    /// Whether it rests on an assumption about the tape and not on a displayed queue.
    pub assumed: bool,
}

/// The sums of one account.
#[derive(Clone, Copy, Debug, Default, keep::Value)]
struct Sums {
    fills: u64,
    bought: u64,
    sold: u64,
    maker: u64,
    taker: u64,
    assumed: u64,
    fees: Money,
    markouts: [Markout; HORIZONS.len()],
    markouts_missed: u64,
    unplaced: u64,
}

/// A position and whose it is.
#[derive(Clone, Copy, Debug, keep::Value)]
struct Place {
    owner: usize,
    instrument: InstrumentId,
    position: Position,
}

const NOWHERE: u32 = u32::MAX;

/// The accounts, by number, and behind them the firm.
#[derive(Debug, keep::State)]
#[keep(settle)]
pub struct Accounts {
    #[keep(skip)]
    fees: Box<[FeeSchedule]>,
    sums: Box<[Sums]>,
    #[keep(skip)]
    instruments: usize,
    /// For each owner and instrument the place of its position.
    index: Box<[u32]>,
    /// In the order in which positions were first traded.
    places: Vec<Place>,
    queue: Queue,
    time: EventTime,
    strangers: u64,
}

impl Accounts {
    /// Whether every position is found and somebody's.
    fn settle_kept(&self) -> Result<(), keep::Unfit> {
        let owners = self.fees.len() + 1;
        let known =
            |place: &Place| place.owner < owners && place.instrument.index() < self.instruments;
        let leads = |&at: &u32| at == NOWHERE || (at as usize) < self.places.len();
        match self.index.iter().all(leads) && self.places.iter().all(known) && self.queue.is_whole()
        {
            true => Ok(()),
            false => Err(keep::Unfit::new("Accounts", "a place that there is not")),
        }
    }

    /// An account for each schedule of fees, numbered from 0, for instruments numbered below
    /// `instruments`. Takes all its memory now: 4 bytes for each account and instrument, 64 for each
    /// position and 32 for each fill that waits.
    pub fn new(config: &AccountsConfig, instruments: usize, fees: &[FeeSchedule]) -> Self {
        let owners = fees.len() + 1;
        let places = (config.positions_max + instruments).min(owners * instruments);
        Self {
            fees: fees.into(),
            sums: vec![Sums::default(); owners].into_boxed_slice(),
            instruments,
            index: vec![NOWHERE; owners * instruments].into_boxed_slice(),
            places: Vec::with_capacity(places.min(NOWHERE as usize - 1)),
            queue: Queue::new(config.markouts_max),
            time: EventTime(0),
            strangers: 0,
        }
    }

    /// Accounts, without the firm.
    pub fn len(&self) -> usize {
        self.fees.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fees.is_empty()
    }

    /// Fills of accounts or instruments that are not known here. They are counted and nothing more.
    pub const fn strangers(&self) -> u64 {
        self.strangers
    }

    /// Takes a fill into account, for its account and the firm. Where all places for positions are
    /// taken, or too many fills wait for their markouts, the account's line says so.
    pub fn fill(&mut self, fill: &Fill) {
        let (account, firm) = (fill.account.index(), self.fees.len());
        if account >= firm || fill.instrument.index() >= self.instruments {
            self.strangers += 1;
            return;
        }
        self.time = self.time.max(fill.time);
        let fee = self.fees[account].of(fill.liquidity, fill.quantity);
        let shares = sign(fill.side) * i64::from(fill.quantity.0);
        let waits = self.queue.push(Pending {
            time: self.time.0,
            shares,
            price: fill.price,
            account: fill.account.0,
            instrument: fill.instrument,
        });
        for owner in [account, firm] {
            let placed = self.place(owner, fill.instrument).map(|position| {
                position.apply(fill.side, fill.price, fill.quantity);
            });
            let sums = &mut self.sums[owner];
            sums.fills += 1;
            sums.fees += fee;
            let quantity = u64::from(fill.quantity.0);
            match fill.side {
                Side::Buy => sums.bought += quantity,
                Side::Sell => sums.sold += quantity,
            }
            match fill.liquidity {
                Liquidity::Maker => sums.maker += quantity,
                Liquidity::Taker => sums.taker += quantity,
            }
            sums.assumed += if fill.assumed { quantity } else { 0 };
            sums.unplaced += u64::from(placed.is_none());
            sums.markouts_missed += u64::from(!waits);
        }
    }

    fn place(&mut self, owner: usize, instrument: InstrumentId) -> Option<&mut Position> {
        let entry = &mut self.index[owner * self.instruments + instrument.index()];
        if *entry == NOWHERE {
            if self.places.len() == self.places.capacity() {
                return None;
            }
            *entry = u32::try_from(self.places.len()).ok()?;
            self.places.push(Place { owner, instrument, position: Position::default() });
        }
        self.places.get_mut(*entry as usize).map(|place| &mut place.position)
    }

    /// Whether a markout is due at this time: one comparison.
    #[inline]
    pub fn is_due(&self, now: EventTime) -> bool {
        self.queue.is_due(now)
    }

    /// Lets tape time pass up to `now`: to be called before what happens at `now`, so that a fill is
    /// valued by the market as it stood when its time came. `mark` gives the price of a share.
    #[inline]
    pub fn advance(&mut self, now: EventTime, mark: impl FnMut(InstrumentId) -> Option<Money>) {
        if self.queue.is_due(now) {
            self.value(now, mark);
        }
    }

    #[cold]
    fn value(&mut self, now: EventTime, mut mark: impl FnMut(InstrumentId) -> Option<Money>) {
        let (sums, firm) = (&mut self.sums, self.fees.len());
        self.queue.take_due(now, |horizon, pending| {
            let mark = mark(pending.instrument);
            for owner in [usize::from(pending.account), firm] {
                sums[owner].markouts[horizon].add(pending.shares, pending.price, mark);
            }
        });
    }

    /// The position of an account in an instrument.
    pub fn position(&self, account: AccountId, instrument: InstrumentId) -> Position {
        let known = account.index() < self.fees.len() && instrument.index() < self.instruments;
        let at = known.then(|| account.index() * self.instruments + instrument.index());
        let place = at.and_then(|at| self.places.get(self.index[at] as usize));
        place.map_or(Position::default(), |place| place.position)
    }

    /// How an account stands, with what it holds valued by `mark`. `None` where it is unknown. Walks
    /// all positions.
    pub fn line(
        &self,
        account: AccountId,
        mark: impl FnMut(InstrumentId) -> Option<Money>,
    ) -> Option<AccountLine> {
        let known = account.index() < self.fees.len();
        known.then(|| self.line_of(account.index(), mark))
    }

    /// How the firm stands: all accounts as one, with positions of its own, so that what one account
    /// sells and another buys closes nothing for them and everything for the firm.
    pub fn firm(&self, mark: impl FnMut(InstrumentId) -> Option<Money>) -> AccountLine {
        self.line_of(self.fees.len(), mark)
    }

    fn owner(&self, owner: usize) -> Owner {
        match u16::try_from(owner) {
            Ok(account) if owner < self.fees.len() => Owner::Account(AccountId(account)),
            _ => Owner::Firm,
        }
    }

    /// What an account has done, without what it has made of it: profit is 0 here, as nothing is walked. `None` where
    /// it is unknown.
    pub fn done(&self, account: AccountId) -> Option<AccountLine> {
        (account.index() < self.fees.len()).then(|| self.done_by(account.index()))
    }

    fn done_by(&self, owner: usize) -> AccountLine {
        let sums = &self.sums[owner];
        AccountLine {
            owner: self.owner(owner),
            fills: sums.fills,
            bought: sums.bought,
            sold: sums.sold,
            maker: sums.maker,
            taker: sums.taker,
            assumed: sums.assumed,
            fees: sums.fees,
            realised: Money::ZERO,
            unrealised: Money::ZERO,
            unpriced: 0,
            markouts: sums.markouts,
            markouts_missed: sums.markouts_missed,
            unplaced: sums.unplaced,
        }
    }

    fn line_of(
        &self,
        owner: usize,
        mut mark: impl FnMut(InstrumentId) -> Option<Money>,
    ) -> AccountLine {
        let mut line = self.done_by(owner);
        for place in self.places.iter().filter(|place| place.owner == owner) {
            line.realised += place.position.realised;
            match mark(place.instrument) {
                _ if place.position.shares == 0 => {}
                Some(mark) => line.unrealised += place.position.unrealised(mark),
                None => line.unpriced += 1,
            }
        }
        line
    }

    /// How many positions were ever traded, those of the firm included.
    pub fn positions(&self) -> usize {
        self.places.len()
    }

    /// Positions in the order of their first trade, from the one of this number on.
    pub fn positions_from(
        &self,
        from: usize,
    ) -> impl Iterator<Item = (Owner, InstrumentId, Position)> + '_ {
        let places = self.places.iter().skip(from);
        places.map(|place| (self.owner(place.owner), place.instrument, place.position))
    }

    /// An empty report with room for all that [`Accounts::report`] puts into one. Allocates.
    pub fn empty_report(&self) -> Report {
        Report::with_room(self.sums.len(), self.places.capacity())
    }

    /// Writes how all stand into a report with room for it: accounts in order, then the firm, and
    /// every position ever traded in the order of its first trade. Does not allocate.
    pub fn report(&self, report: &mut Report, mut mark: impl FnMut(InstrumentId) -> Option<Money>) {
        report.clear();
        report.time = self.time;
        report.strangers = self.strangers;
        for owner in 0..self.sums.len() {
            report.accounts.push(self.line_of(owner, &mut mark));
        }
        for place in &self.places {
            report.positions.push(PositionLine {
                owner: self.owner(place.owner),
                instrument: place.instrument,
                position: place.position,
                mark: mark(place.instrument),
            });
        }
    }
}
