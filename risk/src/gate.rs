//! The gate: tables of fixed size, and what moves in them.

use std::collections::VecDeque;

use spindle_types::{AccountId, EventTime, InstrumentId, Price, Quantity, SessionId, Side, Symbol};

use crate::judge::{Admission, cut, print_of};
use crate::limits::{Key, Limits, OFF, Set};
use crate::notice::{Cause, NO_FIRM, Notice, Target};
use crate::reject::{Check, Level, Reject};
use crate::request::{Holder, InstrumentState, Market, Purpose, Request, Sale};
use crate::state::{Owner, Print};
use crate::table::{Cells, NONE, key_of};

/// Notices that wait at most; further ones are counted.
const NOTICES_MAX: usize = 256;

/// What a gate is made for. All its memory is taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateConfig {
    /// Accounts, numbered from 0.
    pub accounts: usize,
    /// Sessions, numbered from 0. Those beyond have no limits of their own.
    pub sessions: usize,
    /// Firms, numbered from 0.
    pub firms: usize,
    /// Owners in instruments: each account, session and firm that trades in one takes a place until
    /// the day is over.
    pub cells: usize,
    /// Sets of limits: one for each account, account in an instrument, session and firm that has any.
    pub sets: usize,
}

impl GateConfig {
    /// For so many accounts, with room beside them that fits a small venue.
    pub const fn for_accounts(accounts: usize) -> Self {
        let sessions = if accounts > 64 { accounts } else { 64 };
        let cells = 4_096 + 16 * accounts;
        let sets = 64 + 4 * accounts;
        Self {
            accounts,
            sessions,
            firms: 16,
            cells,
            sets: if sets > 65_535 { 65_535 } else { sets },
        }
    }

    /// Bytes that such a gate takes.
    pub const fn bytes(&self) -> usize {
        (self.accounts + self.sessions + self.firms) * size_of::<Owner>()
            + Cells::bytes(self.cells)
            + self.sets * size_of::<Set>()
    }
}

/// Whom an order concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Account, session and firm.
    pub(crate) owners: [u32; 3],
    /// Their cells.
    pub(crate) cells: [u32; 3],
    pub(crate) currency: u8,
}

impl Case {
    /// Cells that would have to be made.
    #[cold]
    pub(crate) fn missing(&self) -> usize {
        let cells = self.owners.iter().zip(self.cells);
        cells.filter(|(owner, cell)| **owner != NONE && *cell == NONE).count()
    }
}

/// Limits for an account in an instrument that is known by its symbol alone so far.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    symbol: Symbol,
    account: AccountId,
    set: u16,
}

/// What an owner, or an owner in one instrument, has reserved and holds: for tests and tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Open orders.
    pub open_orders: u64,
    /// Open shares to buy and to sell.
    pub open: [u64; 2],
    /// What they are valued at, in price units times shares, over all currencies.
    pub open_value: [i128; 2],
    /// Shares held, of one instrument; negative: short.
    pub position: i64,
    /// What they cost; negative: short.
    pub net: i128,
    /// Exposure at worst.
    pub gross: i128,
    /// Shares traded today, bought and sold.
    pub traded: [u64; 2],
    /// Money traded for today.
    pub traded_value: [i128; 2],
    /// Realised and unrealised profit by the latest marks.
    pub profit: i128,
}

/// The risk state of all accounts, sessions and firms, in tables of fixed size.
#[derive(Clone, Debug)]
pub struct Gate {
    pub(crate) owners: Box<[Owner]>,
    pub(crate) accounts: usize,
    pub(crate) sessions: usize,
    pub(crate) cells: Cells,
    /// The first is that of those who have none.
    pub(crate) sets: Vec<Set>,
    sets_max: usize,
    instruments: Box<[InstrumentState]>,
    awaited: Vec<Awaited>,
    /// Those who are stopped, all counted as one.
    pub(crate) kills: u32,
    pub(crate) all_killed: u8,
    /// Whether somebody was stopped whose orders still stand.
    tripped: bool,
    notices: VecDeque<Notice>,
    notices_lost: u64,
    warnings: u64,
}

impl Gate {
    /// A gate for accounts 0 to `accounts_max - 1`, none of which may trade yet.
    pub fn new(accounts_max: usize) -> Self {
        Self::with(&GateConfig::for_accounts(accounts_max))
    }

    /// A gate of this size, none of whose accounts may trade yet.
    pub fn with(config: &GateConfig) -> Self {
        let sets_max = config.sets.clamp(1, usize::from(u16::MAX));
        let mut sets = Vec::with_capacity(sets_max + 1);
        sets.push(Set::new(Limits::NONE));
        let owners = config.accounts + config.sessions + config.firms;
        let mut owners = vec![Owner::default(); owners].into_boxed_slice();
        owners.iter_mut().skip(config.accounts).for_each(|owner| owner.known = true);
        Self {
            owners,
            accounts: config.accounts,
            sessions: config.sessions,
            cells: Cells::new(config.cells),
            sets,
            sets_max: sets_max + 1,
            instruments: Box::default(),
            awaited: Vec::with_capacity(sets_max),
            kills: 0,
            all_killed: 0,
            tripped: false,
            notices: VecDeque::with_capacity(NOTICES_MAX),
            notices_lost: 0,
            warnings: 0,
        }
    }

    /// Makes room for instruments with numbers below this. To be called before the first order.
    pub fn fit_instruments(&mut self, instruments: usize) {
        let mut states = std::mem::take(&mut self.instruments).into_vec();
        states.resize(instruments.max(states.len()), InstrumentState::default());
        self.instruments = states.into();
    }

    /// Shows all that decides, part by part, for a digest of the state. What the operator was told and was
    /// not told yet decides nothing.
    pub fn show_state(&self, show: &mut dyn FnMut(&dyn std::fmt::Debug)) {
        let Self { owners, cells, sets, instruments, awaited, kills, all_killed, tripped, .. } =
            self;
        show(owners);
        cells.iter().for_each(|cell| show(cell));
        show(sets);
        let is_set = |state: &&InstrumentState| **state != InstrumentState::default();
        for (number, state) in (0_u32..).zip(instruments).filter(|(_, state)| is_set(state)) {
            show(&(number, state));
        }
        show(awaited);
        show(&(kills, all_killed, tripped));
    }

    /// How many accounts the table holds.
    pub const fn accounts(&self) -> usize {
        self.accounts
    }

    /// What is kept of an instrument.
    pub fn instrument(&self, instrument: InstrumentId) -> InstrumentState {
        self.instruments.get(instrument.index()).copied().unwrap_or_default()
    }

    /// Whether this can be what is kept of an instrument: its number lies within the table, and its
    /// currency does not change while somebody has traded it.
    pub fn may_set_instrument(&self, instrument: InstrumentId, state: &InstrumentState) -> bool {
        let Some(kept) = self.instruments.get(instrument.index()) else {
            return false;
        };
        let is_traded =
            |cell: &crate::state::Cell| cell.instrument() == instrument && cell.flow.orders > 0;
        let moves = kept.currency != state.currency && self.cells.iter().any(is_traded);
        !moves && usize::from(state.currency) < crate::CURRENCIES_MAX
    }

    /// Sets what is kept of an instrument; false, and nothing changes, where it cannot be.
    pub fn set_instrument(&mut self, instrument: InstrumentId, state: InstrumentState) -> bool {
        let may = self.may_set_instrument(instrument, &state);
        if may {
            self.instruments[instrument.index()] = state;
            for cell in self.cells.iter_mut().filter(|cell| cell.instrument() == instrument) {
                cell.currency = state.currency;
            }
        }
        may
    }

    /// Account, session and firm of an order, as far as the tables know them.
    pub fn targets_of(
        &self,
        account: AccountId,
        session: SessionId,
    ) -> impl Iterator<Item = Target> + '_ {
        let owners = self.owners_of(account, session).into_iter();
        owners.filter(|&owner| owner != NONE).map(|owner| self.target(owner))
    }

    /// The owner behind a target; `None` for all and for those beyond the tables.
    fn owner_of(&self, target: Target) -> Option<u32> {
        let (number, from, to) = match target {
            Target::All => return None,
            Target::Account(account) => (account.index(), 0, self.accounts),
            Target::Session(session) => {
                (session.index(), self.accounts, self.accounts + self.sessions)
            }
            Target::Firm(firm) => {
                (usize::from(firm), self.accounts + self.sessions, self.owners.len())
            }
        };
        u32::try_from(from + number).ok().filter(|&owner| (owner as usize) < to)
    }

    /// Whether there is such an account, session or firm; all there always are.
    pub fn has(&self, target: Target) -> bool {
        target == Target::All || self.owner_of(target).is_some()
    }

    /// Room for further sets of limits.
    pub fn sets_room(&self) -> usize {
        self.sets_max - self.sets.len()
    }

    /// Whether an account can be put into a firm: both lie within the tables, and the firm does not
    /// change while orders of the account are counted there.
    pub fn may_set_account(&self, account: AccountId, firm: Option<u16>) -> bool {
        let firm = firm.unwrap_or(NO_FIRM);
        if account.index() >= self.accounts
            || (firm != NO_FIRM && self.owner_of(Target::Firm(firm)).is_none())
        {
            return false;
        }
        let owner = &self.owners[account.index()];
        !owner.known || owner.firm == firm || owner.flow.orders == 0
    }

    /// Makes an account known and puts it into a firm; false, and nothing changes, where that cannot
    /// be.
    pub fn set_account(&mut self, account: AccountId, firm: Option<u16>) -> bool {
        let may = self.may_set_account(account, firm);
        if may {
            let owner = &mut self.owners[account.index()];
            owner.known = true;
            owner.firm = firm.unwrap_or(NO_FIRM);
        }
        may
    }

    /// Sets the limits of an account, a session or a firm; what is counted stays counted. An account
    /// is known from then on.
    ///
    /// # Errors
    /// Limits that cannot be, nobody, or a table that is full. Nothing has changed then.
    pub fn set_limits(&mut self, target: Target, limits: Limits) -> Result<(), GateError> {
        limits.check(false)?;
        let owner = self.owner_of(target).ok_or(GateError::Unknown)? as usize;
        let set = self.put(self.owners[owner].set, limits)?;
        self.owners[owner].set = set;
        self.owners[owner].known = true;
        Ok(())
    }

    /// Sets the limits of an account in one instrument.
    ///
    /// # Errors
    /// As [`Gate::set_limits`].
    pub fn set_instrument_limits(
        &mut self,
        account: AccountId,
        instrument: InstrumentId,
        limits: Limits,
    ) -> Result<(), GateError> {
        limits.check(true)?;
        let owner = self.owner_of(Target::Account(account)).ok_or(GateError::Unknown)?;
        if self.cells.room() == 0 && self.cells.find(key_of(owner, instrument)) == NONE {
            return Err(GateError::Full);
        }
        let currency = self.instrument(instrument).currency;
        let at = self.cells.make(key_of(owner, instrument), currency);
        let before = self.cells.get(at).map_or(0, |cell| cell.set);
        let set = self.put(before, limits)?;
        if let Some(cell) = self.cells.get_mut(at) {
            cell.set = set;
        }
        Ok(())
    }

    /// Limits of an account in an instrument that is known by its symbol: they hold from when the
    /// instrument is learnt, also on the days that follow.
    ///
    /// # Errors
    /// As [`Gate::set_limits`].
    pub fn await_instrument_limits(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        limits: Limits,
    ) -> Result<(), GateError> {
        limits.check(true)?;
        self.owner_of(Target::Account(account)).ok_or(GateError::Unknown)?;
        let is_same = |one: &Awaited| one.symbol == symbol && one.account == account;
        let before = self.awaited.iter().position(is_same);
        let set = self.put(before.map_or(0, |at| self.awaited[at].set), limits)?;
        let awaited = Awaited { symbol, account, set };
        match before {
            Some(at) => self.awaited[at] = awaited,
            None => self.awaited.push(awaited),
        }
        Ok(())
    }

    /// An instrument has got its symbol.
    pub fn learn(&mut self, instrument: InstrumentId, symbol: Symbol) {
        for at in 0..self.awaited.len() {
            let Awaited { symbol: awaited, account, set } = self.awaited[at];
            if awaited == symbol
                && let Some(owner) = self.owner_of(Target::Account(account))
            {
                let currency = self.instrument(instrument).currency;
                let cell = self.cells.make(key_of(owner, instrument), currency);
                if let Some(cell) = self.cells.get_mut(cell) {
                    cell.set = set;
                }
            }
        }
    }

    /// The limits of an account, a session or a firm.
    pub fn limits(&self, target: Target) -> Option<&Limits> {
        let owner = self.owner_of(target)?;
        Some(&self.sets[usize::from(self.owners[owner as usize].set)].limits)
    }

    /// The limits of an account in an instrument.
    pub fn instrument_limits(&self, account: AccountId, instrument: InstrumentId) -> &Limits {
        let owner = self.owner_of(Target::Account(account));
        let cell =
            owner.and_then(|owner| self.cells.get(self.cells.find(key_of(owner, instrument))));
        &self.sets[cell.map_or(0, |cell| usize::from(cell.set))].limits
    }

    /// Writes a set, in the place that it has or in a new one.
    fn put(&mut self, before: u16, limits: Limits) -> Result<u16, GateError> {
        if before != 0 {
            self.sets[usize::from(before)] = Set::new(limits);
            return Ok(before);
        }
        if self.sets.len() >= self.sets_max {
            return Err(GateError::Full);
        }
        self.sets.push(Set::new(limits));
        u16::try_from(self.sets.len() - 1).map_err(|_| GateError::Full)
    }

    /// Whom an order concerns.
    #[inline]
    pub(crate) fn find(&self, request: &Request) -> Case {
        let owners = self.owners_of(request.account, request.session);
        let mut cells = [NONE; 3];
        for at in 0..3 {
            if owners[at] != NONE {
                cells[at] = self.cells.find(key_of(owners[at], request.instrument));
            }
        }
        let currency = self.instruments.get(request.instrument.index());
        Case { owners, cells, currency: currency.map_or(0, |state| state.currency) }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "at most three times 2^16 owners")]
    fn owners_of(&self, account: AccountId, session: SessionId) -> [u32; 3] {
        let mut owners = [NONE; 3];
        if let Some(owner) = self.owners[..self.accounts].get(account.index()) {
            owners[0] = account.index() as u32;
            if owner.firm != NO_FIRM {
                owners[2] = (self.accounts + self.sessions + usize::from(owner.firm)) as u32;
            }
        }
        if session.index() < self.sessions {
            owners[1] = (self.accounts + session.index()) as u32;
        }
        owners
    }

    /// Judges an order, and counts what a request counts for. Where it may go, its reservation is
    /// made by [`Gate::reserve`].
    ///
    /// # Errors
    /// The first check, in order of precedence, that fails.
    #[inline]
    pub fn check(&mut self, request: &Request, market: &Market) -> Result<Admission, Reject> {
        let case = self.find(request);
        let state = self.instrument(request.instrument);
        self.mark(&case, market, &state);
        let decision = self.judge(&case, request, market, &state);
        if let Err(reject) = &decision {
            self.refuse(&case, request, reject);
        }
        decision
    }

    /// What [`Gate::check`] would say, without counting anything.
    ///
    /// # Errors
    /// The first check, in order of precedence, that would fail.
    pub fn would(&mut self, request: &Request, market: &Market) -> Result<Admission, Reject> {
        let case = self.find(request);
        let state = self.instrument(request.instrument);
        let before =
            case.cells.map(|at| self.cells.get(at).map(|cell| (cell.mark, cell.money.profit)));
        let currency = usize::from(case.currency);
        self.mark(&case, market, &state);
        let decision = self.judge(&case, request, market, &state);
        for ((at, owner), before) in case.cells.into_iter().zip(case.owners).zip(before) {
            if let (Some(cell), Some((mark, profit))) = (self.cells.get_mut(at), before) {
                let back = profit - cell.money.profit;
                (cell.mark, cell.money.profit) = (mark, profit);
                self.owners[owner as usize].money[currency].profit += back;
            }
        }
        decision
    }

    /// Values what is held in the instrument by what it could be sold or bought back for.
    #[inline]
    fn mark(&mut self, case: &Case, market: &Market, state: &InstrumentState) {
        let currency = usize::from(case.currency);
        for at in 0..3 {
            let Some(cell) = self.cells.get_mut(case.cells[at]) else {
                continue;
            };
            let best = match cell.position {
                0 => continue,
                1.. => market.bid,
                _ => market.ask,
            };
            if let Some(mark) = best.or(market.last).or(state.reference)
                && mark.0 != cell.mark
            {
                let before = cell.money.profit;
                cell.mark = mark.0;
                cell.money.profit = cell.value();
                let moved = cell.money.profit - before;
                self.owners[case.owners[at] as usize].money[currency].profit += moved;
            }
        }
    }

    /// Counts a refusal, and stops who has too many or has lost too much.
    #[cold]
    fn refuse(&mut self, case: &Case, request: &Request, reject: &Reject) {
        if reject.check == Check::Account {
            return;
        }
        if request.purpose != Purpose::Trigger {
            self.count_message(case.owners, case.cells[0], request.time);
        }
        for owner in case.owners {
            let Some(known) = self.owners.get_mut(owner as usize) else {
                continue;
            };
            let limits = &self.sets[usize::from(known.set)].limits;
            let most = limits.at(Key::KillRejectsMax);
            if most != OFF && reject.check != Check::Killed {
                let window = limits.at(Key::KillRejectsWindowMs);
                if known.rejects.add(request.time, window) > most {
                    self.stop(owner, Cause::Rejects);
                }
            }
            self.stop_for_loss(owner, usize::from(case.currency));
        }
    }

    /// Stops an owner whose loss is beyond its limit, where that is configured.
    #[inline]
    fn stop_for_loss(&mut self, owner: u32, currency: usize) {
        let Some(known) = self.owners.get(owner as usize) else {
            return;
        };
        if known.set == 0 {
            return;
        }
        let limits = &self.sets[usize::from(known.set)].limits;
        if limits.is_on(Key::KillLoss)
            && cut(-known.money[currency].profit) > limits.money(Key::LossMax, currency)
        {
            self.stop(owner, Cause::Loss);
        }
    }

    /// Counts a request for the rates: a cancel, or one that was refused before the gate.
    #[inline]
    pub fn message(
        &mut self,
        account: AccountId,
        session: SessionId,
        instrument: Option<InstrumentId>,
        time: EventTime,
    ) {
        // Only limits have rates.
        if self.sets.len() == 1 {
            return;
        }
        let owners = self.owners_of(account, session);
        let cell = match instrument {
            Some(instrument) if owners[0] != NONE => self.cells.find(key_of(owners[0], instrument)),
            _ => NONE,
        };
        self.count_message(owners, cell, time);
    }

    fn count_message(&mut self, owners: [u32; 3], cell: u32, time: EventTime) {
        for owner in owners {
            if let Some(owner) = self.owners.get_mut(owner as usize)
                && let Some((rate, burst)) =
                    self.sets[usize::from(owner.set)].rate(Key::MessageRateMax, Key::MessageBurst)
            {
                owner.flow.messages.add(time, rate, burst);
            }
        }
        if let Some(cell) = self.cells.get_mut(cell)
            && let Some((rate, burst)) =
                self.sets[usize::from(cell.set)].rate(Key::MessageRateMax, Key::MessageBurst)
        {
            cell.flow.messages.add(time, rate, burst);
        }
    }

    /// An order that was let through is accepted: what it, or the order that it replaces, had
    /// reserved goes back, and what it may need is reserved.
    #[inline]
    pub fn reserve(&mut self, request: &Request, admission: &Admission) {
        let Admission { price, mut case, warned } = *admission;
        let side = request.side.index();
        let currency = usize::from(case.currency);
        let shares = i64::from(request.quantity.0) - i64::from(request.before.quantity.0);
        let value = i128::from(price.times(request.quantity).0)
            - i128::from(request.before.price.times(request.before.quantity).0);
        let is_new = request.purpose == Purpose::Enter;
        let counts = request.purpose != Purpose::Trigger;
        for at in 0..3 {
            if case.owners[at] == NONE {
                continue;
            }
            if case.cells[at] == NONE {
                let key = key_of(case.owners[at], request.instrument);
                case.cells[at] = self.cells.make(key, case.currency);
            }
            // There was room when the order was judged.
            let Some(cell) = self.cells.get_mut(case.cells[at]) else {
                continue;
            };
            let owner = &mut self.owners[case.owners[at] as usize];
            let set = &self.sets[usize::from(owner.set)];
            let before = cell.money.worst();
            cell.money.open[side] += value;
            cell.money.gross = cell.money.worst();
            let money = &mut owner.money[currency];
            money.open[side] += value;
            money.gross += cell.money.gross - before;
            for flow in [&mut cell.flow, &mut owner.flow] {
                flow.open[side] = flow.open[side].saturating_add_signed(shares);
                flow.open_orders += u64::from(is_new);
                flow.orders += u64::from(counts);
            }
            if at == 0 {
                if request.sale != Sale::Long {
                    cell.located = cell.located.saturating_add_signed(shares);
                }
                if cell.set != 0 && counts {
                    let own = &self.sets[usize::from(cell.set)];
                    if let Some((rate, burst)) = own.rate(Key::MessageRateMax, Key::MessageBurst) {
                        cell.flow.messages.add(request.time, rate, burst);
                    }
                    if let Some((rate, burst)) = own.rate(Key::OrderRateMax, Key::OrderBurst) {
                        cell.flow.accepted.add(request.time, rate, burst);
                    }
                }
            }
            if owner.set != 0 && counts {
                if let Some((rate, burst)) = set.rate(Key::MessageRateMax, Key::MessageBurst) {
                    owner.flow.messages.add(request.time, rate, burst);
                }
                if let Some((rate, burst)) = set.rate(Key::OrderRateMax, Key::OrderBurst) {
                    owner.flow.accepted.add(request.time, rate, burst);
                }
            }
            if is_new {
                let next = usize::from(cell.next_print & 3);
                cell.prints[next] = Print { key: print_of(request), time: request.time.0 };
                cell.next_print = (cell.next_print + 1) & 3;
            }
        }
        if counts {
            self.warn(&case, request, warned, currency);
        }
    }

    /// Keeps which sums have reached the part of their limit that is told, and tells the new ones.
    #[inline]
    fn warn(&mut self, case: &Case, request: &Request, warned: [u32; 4], currency: usize) {
        let is_told = |told: u32, now: u32| now & !told != 0;
        let mut any = false;
        let levels =
            [(0, Level::Account), (0, Level::Instrument), (1, Level::Session), (2, Level::Firm)];
        for ((at, level), now) in levels.into_iter().zip(warned) {
            let (Some(cell), Some(owner)) =
                (self.cells.get_mut(case.cells[at]), self.owners.get_mut(case.owners[at] as usize))
            else {
                continue;
            };
            if level == Level::Instrument {
                any |= is_told(cell.warned[1], now);
            } else {
                // A position is that of each instrument.
                any |= is_told(owner.told(currency) | cell.warned[0], now);
            }
        }
        let sums = if request.side == Side::Buy { BUY_SUMS } else { SELL_SUMS };
        let is_new = request.purpose == Purpose::Enter;
        let seen = if is_new { sums } else { sums & !Check::OpenOrders.bit() };
        if any {
            self.tell_warnings(case, request, warned, currency);
        }
        for ((at, level), now) in levels.into_iter().zip(warned) {
            let (Some(cell), Some(owner)) =
                (self.cells.get_mut(case.cells[at]), self.owners.get_mut(case.owners[at] as usize))
            else {
                continue;
            };
            let position = Check::Position.bit();
            // Only what this side looks at can have fallen.
            if level == Level::Instrument {
                cell.warned[1] = (cell.warned[1] & !seen) | now;
            } else {
                cell.warned[0] = (cell.warned[0] & !(seen & position)) | (now & position);
                let money = &mut owner.warned_money[currency];
                *money = (*money & !(seen & MONEY_SUMS)) | (now & MONEY_SUMS);
                let rest = !position & !MONEY_SUMS;
                owner.warned = (owner.warned & !(seen & rest)) | (now & rest);
            }
        }
    }

    #[cold]
    fn tell_warnings(&mut self, case: &Case, request: &Request, warned: [u32; 4], currency: usize) {
        let levels =
            [(0, Level::Account), (0, Level::Instrument), (1, Level::Session), (2, Level::Firm)];
        for check in Check::ALL.into_iter().skip(Check::OpenOrders as usize) {
            for ((at, level), now) in levels.into_iter().zip(warned) {
                let (Some(cell), Some(owner)) =
                    (self.cells.get(case.cells[at]), self.owners.get(case.owners[at] as usize))
                else {
                    continue;
                };
                let told = match level {
                    Level::Instrument => cell.warned[1],
                    _ => owner.told(currency) | cell.warned[0],
                };
                if now & !told & check.bit() == 0 {
                    continue;
                }
                let is_own = level == Level::Instrument;
                let set = &self.sets[usize::from(if is_own { cell.set } else { owner.set })];
                let (flow, money) = match is_own {
                    true => (&cell.flow, &cell.money),
                    false => (&owner.flow, &owner.money[currency]),
                };
                let side = request.side.index();
                let net = if request.side == Side::Buy { money.net } else { -money.net };
                let position = i128::from(cell.position);
                let held = if request.side == Side::Buy { position } else { -position };
                let (key, observed) = match check {
                    Check::OpenOrders => (Key::OpenOrdersMax, flow.open_orders.into()),
                    Check::Position => (Key::PositionMax, held + i128::from(cell.flow.open[side])),
                    Check::BoughtQuantity | Check::SoldQuantity => {
                        let key = [Key::BoughtQuantityMax, Key::SoldQuantityMax][side];
                        (key, i128::from(flow.traded[side]) + i128::from(flow.open[side]))
                    }
                    Check::BoughtValue | Check::SoldValue => {
                        let key = [Key::BoughtValueMax, Key::SoldValueMax][side];
                        (key, money.traded[side] + money.open[side])
                    }
                    Check::GrossExposure => (Key::GrossExposureMax, money.gross),
                    Check::NetExposure => (Key::NetExposureMax, net + money.open[side]),
                    Check::Credit => (Key::CreditMax, net + money.open[side]),
                    _ => (Key::LossMax, -money.profit),
                };
                let limit = set.limits.get(key, currency);
                let (owner, instrument) = (self.target(case.owners[at]), request.instrument);
                let observed = cut(observed);
                self.warnings += 1;
                self.tell(Notice::Warning { check, level, owner, instrument, limit, observed });
            }
        }
    }

    /// Shares that were reserved are not wanted any more: cancelled. `is_gone` where the order has
    /// none left.
    #[inline]
    pub fn release(&mut self, holder: &Holder, quantity: Quantity, is_gone: bool) {
        let owners = self.owners_of(holder.account, holder.session);
        for (at, owner) in owners.into_iter().enumerate().filter(|&(_, owner)| owner != NONE) {
            let cell = self.cells.find(key_of(owner, holder.instrument));
            let Some(cell) = self.cells.get_mut(cell) else {
                continue;
            };
            let owner = &mut self.owners[owner as usize];
            let before = cell.money.worst();
            give_back(cell, owner, holder, quantity, is_gone);
            if at == 0 && holder.sale != Sale::Long {
                cell.located -= u64::from(quantity.0);
            }
            cell.money.gross = cell.money.worst();
            owner.money[usize::from(cell.currency)].gross += cell.money.gross - before;
        }
    }

    /// Shares that were reserved were executed at a price. `is_gone` where the order has none left.
    #[inline]
    pub fn fill(
        &mut self,
        holder: &Holder,
        quantity: Quantity,
        price: Price,
        is_gone: bool,
        time: EventTime,
    ) {
        let owners = self.owners_of(holder.account, holder.session);
        let side = holder.side;
        for number in owners.into_iter().filter(|&owner| owner != NONE) {
            let cell = self.cells.find(key_of(number, holder.instrument));
            let Some(cell) = self.cells.get_mut(cell) else {
                continue;
            };
            let owner = &mut self.owners[number as usize];
            let currency = usize::from(cell.currency);
            let before = cell.money;
            let worst = before.worst();
            give_back(cell, owner, holder, quantity, is_gone);
            cell.trade(side, quantity.0.into(), price);
            cell.mark = price.0;
            cell.money.profit = cell.value();
            cell.money.gross = cell.money.worst();
            let money = &mut owner.money[currency];
            money.gross += cell.money.gross - worst;
            money.net += cell.money.net - before.net;
            money.profit += cell.money.profit - before.profit;
            money.traded[side.index()] += i128::from(price.times(quantity).0);
            owner.flow.traded[side.index()] += u64::from(quantity.0);
            owner.flow.fills += 1;
            let mut stop = None;
            if owner.set != 0 {
                let limits = &self.sets[usize::from(owner.set)].limits;
                if limits.at(Key::ExecutionsMax) != OFF {
                    let window = limits.at(Key::ExecutionsWindowMs);
                    cell.executions[0][side.index()].add(time, window);
                }
                let most = limits.at(Key::KillFillsMax);
                if most != OFF && owner.fills.add(time, limits.at(Key::KillFillsWindowMs)) > most {
                    stop = Some(Cause::Fills);
                }
            }
            if cell.set != 0 {
                let limits = &self.sets[usize::from(cell.set)].limits;
                if limits.at(Key::ExecutionsMax) != OFF {
                    let window = limits.at(Key::ExecutionsWindowMs);
                    cell.executions[1][side.index()].add(time, window);
                }
            }
            if let Some(cause) = stop {
                self.stop(number, cause);
            }
            self.stop_for_loss(number, currency);
        }
    }

    #[cold]
    fn stop(&mut self, owner: u32, cause: Cause) {
        if let Some(known) = self.owners.get_mut(owner as usize)
            && known.killed == 0
        {
            known.killed = cause as u8;
            self.kills += 1;
            self.tripped = true;
            let target = self.target(owner);
            self.tell(Notice::Killed { target, cause });
        }
    }

    /// Stops somebody: orders are refused from now on, and what rests is to be cancelled. One who
    /// is stopped already stays so for the first cause. False where there is no such owner.
    pub fn kill(&mut self, target: Target, cause: Cause) -> bool {
        if target == Target::All {
            if self.all_killed == 0 {
                self.all_killed = cause as u8;
                self.kills += 1;
                self.tell(Notice::Killed { target, cause });
            }
            self.tripped = true;
            return true;
        }
        let Some(owner) = self.owner_of(target) else {
            return false;
        };
        self.stop(owner, cause);
        self.tripped = true;
        true
    }

    /// Lets somebody go on who was stopped; false where there is no such owner, or it was not
    /// stopped. What counted towards stopping it by itself begins anew.
    pub fn arm(&mut self, target: Target) -> bool {
        let killed = match (target, self.owner_of(target)) {
            (Target::All, _) => std::mem::take(&mut self.all_killed),
            (_, Some(owner)) => std::mem::take(&mut self.owners[owner as usize].killed),
            (_, None) => 0,
        };
        if killed == 0 {
            return false;
        }
        if let Some(owner) = self.owner_of(target) {
            let owner = &mut self.owners[owner as usize];
            (owner.rejects, owner.fills) = Default::default();
        }
        self.kills -= 1;
        self.tell(Notice::Armed { target });
        true
    }

    /// Whether an order of these would be refused for being stopped, whether it reduces or not.
    pub fn is_killed(&self, account: AccountId, session: SessionId) -> bool {
        let is_killed =
            |&owner: &u32| self.owners.get(owner as usize).is_some_and(|owner| owner.killed != 0);
        self.all_killed != 0 || self.owners_of(account, session).iter().any(is_killed)
    }

    /// Whether this one was stopped.
    pub fn is_stopped(&self, target: Target) -> bool {
        match self.owner_of(target) {
            None => self.all_killed != 0,
            Some(owner) => self.owners[owner as usize].killed != 0,
        }
    }

    /// Everybody who is stopped.
    pub fn stopped(&self) -> impl Iterator<Item = Target> + '_ {
        let all = (self.all_killed != 0).then_some(Target::All);
        let owners = (0..).zip(&self.owners).filter(|(_, owner)| owner.killed != 0);
        all.into_iter().chain(owners.map(|(number, _)| self.target(number)))
    }

    /// Whether somebody was stopped whose orders have not been cancelled yet.
    #[inline]
    pub const fn has_tripped(&self) -> bool {
        self.tripped
    }

    /// The orders of those who were stopped are being cancelled.
    pub const fn settle_trips(&mut self) {
        self.tripped = false;
    }

    fn tell(&mut self, notice: Notice) {
        if self.notices.len() < NOTICES_MAX {
            self.notices.push_back(notice);
        } else {
            self.notices_lost += 1;
        }
    }

    /// The next that the operator is to be told.
    #[inline]
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Whether the operator is to be told something.
    #[inline]
    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Warnings that were told.
    pub const fn warnings(&self) -> u64 {
        self.warnings
    }

    /// Notices for which there was no room.
    pub const fn notices_lost(&self) -> u64 {
        self.notices_lost
    }

    /// The day is over, and the instruments' numbers with it: positions and what was counted are
    /// void; limits and stops stay. No order is open.
    pub fn new_day(&mut self) {
        self.cells.clear();
        for owner in &mut self.owners {
            let Owner { known, killed, set, firm, .. } = *owner;
            *owner = Owner { known, killed, set, firm, ..Owner::default() };
        }
        self.instruments.fill(InstrumentState::default());
    }

    /// What an account, a session or a firm has.
    pub fn totals(&self, target: Target) -> Totals {
        let Some(owner) = self.owner_of(target).and_then(|at| self.owners.get(at as usize)) else {
            return Totals::default();
        };
        let mut totals = Totals {
            open_orders: owner.flow.open_orders,
            open: owner.flow.open,
            traded: owner.flow.traded,
            ..Totals::default()
        };
        for money in &owner.money {
            for side in 0..2 {
                totals.open_value[side] += money.open[side];
                totals.traded_value[side] += money.traded[side];
            }
            totals.net += money.net;
            totals.gross += money.gross;
            totals.profit += money.profit;
        }
        totals
    }

    /// What an account, a session or a firm has in one instrument.
    pub fn totals_in(&self, target: Target, instrument: InstrumentId) -> Totals {
        let owner = self.owner_of(target);
        let cell =
            owner.and_then(|owner| self.cells.get(self.cells.find(key_of(owner, instrument))));
        cell.map_or_else(Totals::default, |cell| Totals {
            open_orders: cell.flow.open_orders,
            open: cell.flow.open,
            open_value: cell.money.open,
            position: cell.position,
            net: cell.money.net,
            gross: cell.money.worst(),
            traded: cell.flow.traded,
            traded_value: cell.money.traded,
            profit: cell.money.profit,
        })
    }

    /// Everybody who has anything in an instrument.
    pub fn positions(&self) -> impl Iterator<Item = (Target, InstrumentId, Totals)> + '_ {
        self.cells.iter().map(|cell| {
            let (target, instrument) = (self.target(cell.owner()), cell.instrument());
            (target, instrument, self.totals_in(target, instrument))
        })
    }

    /// Orders of the account that are open now.
    pub fn open_orders(&self, account: AccountId) -> u64 {
        self.totals(Target::Account(account)).open_orders
    }

    /// Every session and firm number that there can be.
    pub const fn sizes(&self) -> (usize, usize) {
        (self.sessions, self.owners.len() - self.accounts - self.sessions)
    }

    /// Whether every owner's sums are those of its cells.
    ///
    /// # Errors
    /// The first owner whose are not.
    pub fn check_sums(&self) -> Result<(), String> {
        let mut sums = vec![Totals::default(); self.owners.len()];
        for cell in self.cells.iter() {
            if cell.money.gross != cell.money.worst() || cell.money.profit != cell.value() {
                return Err(format!("{:?}: exposure or profit does not follow", cell.key));
            }
            let sum = &mut sums[cell.owner() as usize];
            for side in 0..2 {
                sum.open[side] += cell.flow.open[side];
                sum.traded[side] += cell.flow.traded[side];
                sum.open_value[side] += cell.money.open[side];
                sum.traded_value[side] += cell.money.traded[side];
            }
            sum.open_orders += cell.flow.open_orders;
            sum.net += cell.money.net;
            sum.gross += cell.money.gross;
            sum.profit += cell.money.profit;
        }
        for (number, sum) in (0..).zip(sums) {
            let target = self.target(number);
            let has = self.totals(target);
            if has != sum {
                return Err(format!("{target:?} has {has:?}, its instruments {sum:?}"));
            }
        }
        Ok(())
    }
}

/// Sums that an order of a side looks at.
const BUY_SUMS: u32 = Check::OpenOrders.bit()
    | Check::Position.bit()
    | Check::BoughtQuantity.bit()
    | Check::BoughtValue.bit()
    | Check::GrossExposure.bit()
    | Check::NetExposure.bit()
    | Check::Credit.bit()
    | Check::Loss.bit();
const SELL_SUMS: u32 = Check::OpenOrders.bit()
    | Check::Position.bit()
    | Check::SoldQuantity.bit()
    | Check::SoldValue.bit()
    | Check::GrossExposure.bit()
    | Check::NetExposure.bit()
    | Check::Loss.bit();

/// Those in money.
const MONEY_SUMS: u32 = Check::BoughtValue.bit()
    | Check::SoldValue.bit()
    | Check::GrossExposure.bit()
    | Check::NetExposure.bit()
    | Check::Credit.bit()
    | Check::Loss.bit();

impl Owner {
    /// Checks of which a warning was told, of an order in this currency.
    const fn told(&self, currency: usize) -> u32 {
        self.warned | self.warned_money[currency]
    }
}

/// Takes shares that were reserved off the sums.
#[inline]
fn give_back(
    cell: &mut crate::state::Cell,
    owner: &mut Owner,
    holder: &Holder,
    quantity: Quantity,
    is_gone: bool,
) {
    let side = holder.side.index();
    let value = i128::from(holder.price.times(quantity).0);
    cell.money.open[side] -= value;
    owner.money[usize::from(cell.currency)].open[side] -= value;
    for flow in [&mut cell.flow, &mut owner.flow] {
        flow.open[side] -= u64::from(quantity.0);
        flow.open_orders -= u64::from(is_gone);
    }
}

/// Why a change of the gate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// Limits that cannot be.
    #[error("{0}")]
    Limits(#[from] crate::limits::LimitError),
    /// Nobody has this number.
    #[error("no such account, session, firm or instrument")]
    Unknown,
    /// There is no room for another set of limits.
    #[error("the table of limits is full; configure a larger one")]
    Full,
    /// The account's firm, or the instrument's currency, cannot change while something is counted.
    #[error("it cannot change while orders of the day are counted; change it before the start")]
    InUse,
}
