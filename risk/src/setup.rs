//! What is set: accounts, firms, instruments, limits.

use spindle_types::{AccountId, InstrumentId, Symbol, keep};

use crate::gate::Gate;
use crate::limits::Limits;
use crate::notice::{NO_FIRM, Target};
use crate::request::InstrumentState;
use crate::set::Set;
use crate::table::{NONE, key_of};

/// Limits for an account in an instrument that is known by its symbol alone so far.
#[derive(Clone, Copy, Debug, keep::Value)]
pub(crate) struct Awaited {
    symbol: Symbol,
    account: AccountId,
    set: u16,
}
impl Gate {
    /// Makes an account known and puts it into a firm; false, and nothing changes, where that cannot
    /// be.
    pub fn set_account(&mut self, account: AccountId, firm: Option<u16>) -> bool {
        let may = self.may_set_account(account, firm);
        if may {
            let owner = &mut self.owners[account.index()];
            owner.known = true;
            owner.firm = firm.unwrap_or(NO_FIRM);
            self.routes.forget();
        }
        may
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
            self.routes.forget();
            for cell in self.cells.iter_mut().filter(|cell| cell.instrument() == instrument) {
                cell.currency = state.currency;
            }
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
                self.routes.forget();
            }
        }
    }

    /// Writes a set, in the place that it has or in a new one.
    fn put(&mut self, before: u16, limits: Limits) -> Result<u16, GateError> {
        self.routes.forget();
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

    /// Room for further sets of limits.
    pub fn sets_room(&self) -> usize {
        self.sets_max - self.sets.len()
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
