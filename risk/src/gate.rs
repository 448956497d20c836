//! The gate: tables of fixed size.

use std::collections::VecDeque;

use spindle_types::{AccountId, InstrumentId, Price, SessionId, Side, keep};

use crate::counts::Counts;
use crate::keys::CURRENCIES_MAX;
use crate::limits::Limits;
use crate::notice::{NO_FIRM, Notice, Target};
use crate::request::InstrumentState;
use crate::route::Routes;
use crate::set::Set;
use crate::setup::Awaited;
use crate::state::Owner;
use crate::switch::NOTICES_MAX;
use crate::table::{Cells, NONE};

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
            + Routes::bytes(self.cells)
            + self.sets * size_of::<Set>()
    }
}

/// The risk state of all accounts, sessions and firms, in tables of fixed size.
#[derive(Clone, Debug, keep::State)]
#[keep(settle)]
pub struct Gate {
    pub(crate) owners: Box<[Owner]>,
    #[keep(skip)]
    pub(crate) accounts: usize,
    #[keep(skip)]
    pub(crate) sessions: usize,
    pub(crate) cells: Cells,
    #[keep(skip)]
    pub(crate) routes: Routes,
    /// The first is that of those who have none.
    pub(crate) sets: Vec<Set>,
    #[keep(skip)]
    pub(crate) sets_max: usize,
    pub(crate) instruments: Box<[InstrumentState]>,
    /// Bands of the tape, by the side that each end bounds; they go before those in `instruments`.
    bands: Box<[Option<[Price; 2]>]>,
    pub(crate) awaited: Vec<Awaited>,
    /// Shares of all orders that were accepted today.
    pub(crate) entered: u64,
    /// Those who are stopped, all counted as one.
    pub(crate) kills: u32,
    pub(crate) all_killed: u8,
    /// Whether somebody was stopped whose orders still stand.
    pub(crate) tripped: bool,
    pub(crate) notices: VecDeque<Notice>,
    pub(crate) notices_lost: u64,
    pub(crate) counts: Counts,
}

impl Gate {
    /// Whether every number leads somewhere. What was looked up before is forgotten.
    fn settle_kept(&mut self) -> Result<(), keep::Unfit> {
        self.routes.forget();
        let firms = self.owners.len() - self.accounts - self.sessions;
        let has_set = |set: u16| usize::from(set) < self.sets.len();
        let has_currency = |currency: u8| usize::from(currency) < CURRENCIES_MAX;
        let owners = self.owners.iter().all(|owner| {
            has_set(owner.set) && (owner.firm == NO_FIRM || usize::from(owner.firm) < firms)
        });
        let cells = self.cells.iter().all(|cell| {
            has_set(cell.set)
                && has_currency(cell.currency)
                && (cell.owner() as usize) < self.owners.len()
        });
        let instruments = self.instruments.iter().all(|one| has_currency(one.currency));
        let sets = !self.sets.is_empty() && self.sets.len() <= self.sets_max;
        match owners && cells && instruments && sets {
            true => Ok(()),
            false => Err(keep::Unfit::new("Gate", "a place that there is not")),
        }
    }

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
            routes: Routes::new(config.cells),
            sets,
            sets_max: sets_max + 1,
            instruments: Box::default(),
            bands: Box::default(),
            awaited: Vec::with_capacity(sets_max),
            entered: 0,
            kills: 0,
            all_killed: 0,
            tripped: false,
            notices: VecDeque::with_capacity(NOTICES_MAX),
            notices_lost: 0,
            counts: Counts::default(),
        }
    }

    /// Makes room for instruments with numbers below this. To be called before the first order.
    pub fn fit_instruments(&mut self, instruments: usize) {
        let mut states = std::mem::take(&mut self.instruments).into_vec();
        states.resize(instruments.max(states.len()), InstrumentState::default());
        self.instruments = states.into();
        self.bands = vec![None; self.instruments.len()].into();
    }

    /// Sets the band of an instrument by what the tape says of its lower and upper end: it goes
    /// before the one that is kept of the instrument until it is taken away.
    pub fn set_band(&mut self, instrument: InstrumentId, band: Option<(Price, Price)>) {
        if let Some(kept) = self.bands.get_mut(instrument.index()) {
            *kept = band.map(|(low, high)| [high, low]);
        }
    }

    /// The end of the band that bounds a side of an instrument.
    #[inline]
    pub(crate) fn band(
        &self,
        instrument: InstrumentId,
        side: Side,
        state: &InstrumentState,
    ) -> Option<Price> {
        match self.bands.get(instrument.index()) {
            Some(Some(band)) => Some(band[side.index()]),
            _ => match side {
                Side::Buy => state.high,
                Side::Sell => state.low,
            },
        }
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

    /// Every session and firm number that there can be.
    pub const fn sizes(&self) -> (usize, usize) {
        (self.sessions, self.owners.len() - self.accounts - self.sessions)
    }

    /// What is kept of an instrument.
    pub fn instrument(&self, instrument: InstrumentId) -> InstrumentState {
        self.instruments.get(instrument.index()).copied().unwrap_or_default()
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
    pub(crate) fn owner_of(&self, target: Target) -> Option<u32> {
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

    /// Who an owner is, for people.
    #[allow(clippy::cast_possible_truncation, reason = "numbers of owners have 16 bits")]
    pub(crate) fn target(&self, owner: u32) -> Target {
        let (accounts, sessions) = (self.accounts as u32, self.sessions as u32);
        if owner < accounts {
            Target::Account(AccountId(owner as u16))
        } else if owner < accounts + sessions {
            Target::Session(SessionId((owner - accounts) as u16))
        } else {
            Target::Firm((owner - accounts - sessions) as u16)
        }
    }

    /// Whether there is such an account, session or firm; all there always are.
    pub fn has(&self, target: Target) -> bool {
        target == Target::All || self.owner_of(target).is_some()
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
        self.bands.fill(None);
        self.entered = 0;
        self.routes.forget();
    }
}
