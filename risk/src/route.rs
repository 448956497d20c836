//! Whom an order concerns: looked up once for each account, session and instrument, and kept.

use spindle_types::{AccountId, InstrumentId, SessionId};

use crate::gate::Gate;
use crate::keys::CURRENCIES_MAX;
use crate::notice::NO_FIRM;
use crate::set::Set;
use crate::table::{NONE, key_of};

/// Owners, cells and limits of the orders of one account, session and instrument: a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Route {
    /// Account, session, instrument and age; 0 is vacant.
    key: u64,
    /// Account, session and firm; [`NONE`] where there is none.
    pub(crate) owners: [u32; 3],
    /// Their cells; [`NONE`] where there is none, or none yet.
    pub(crate) cells: [u32; 3],
    /// The limits of each level, 0 where it has none.
    pub(crate) sets: [u16; 4],
    /// The levels whose limits an order is judged by one by one, a bit for each.
    pub(crate) levels: u8,
    /// Every check that is on at any of the levels.
    pub(crate) on: u32,
    pub(crate) currency: u8,
    /// Whether the account may trade at all.
    pub(crate) known: bool,
    /// Whether nothing of it is missing; only such a one is kept.
    pub(crate) whole: bool,
}

const _: () = assert!(size_of::<Route>() == 64);

impl Route {
    /// The currency of its instrument.
    #[inline(always)]
    pub(crate) const fn currency(&self) -> usize {
        // Always below: this says so to the compiler.
        self.currency as usize % CURRENCIES_MAX
    }

    const VACANT: Self = Self {
        key: 0,
        owners: [NONE; 3],
        cells: [NONE; 3],
        sets: [0; 4],
        levels: 0,
        on: 0,
        currency: 0,
        known: false,
        whole: false,
    };

    /// Cells that would have to be made.
    #[cold]
    pub(crate) fn missing(&self) -> usize {
        let cells = self.owners.iter().zip(self.cells);
        cells.filter(|(owner, cell)| **owner != NONE && *cell == NONE).count()
    }
}

/// Routes that were looked up, each in the one place that its key has; behind them one place for a
/// route that is not kept. All of them are void when what they say has changed.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    routes: Box<[Route]>,
    /// The bits of a place that a key has; there is one place more.
    mask: usize,
    /// How often what they say has changed, from 1.
    age: u16,
}

impl Routes {
    pub(crate) fn new(cells: usize) -> Self {
        let routes = vec![Route::VACANT; Self::places(cells) + 1].into_boxed_slice();
        Self { mask: routes.len() - 2, routes, age: 1 }
    }

    /// An order has up to three cells.
    const fn places(cells: usize) -> usize {
        let places = cells.next_power_of_two() / 2;
        if places < 16 {
            16
        } else if places > 1 << 16 {
            1 << 16
        } else {
            places
        }
    }

    pub(crate) const fn bytes(cells: usize) -> usize {
        (Self::places(cells) + 1) * size_of::<Route>()
    }

    /// What routes say has changed.
    pub(crate) fn forget(&mut self) {
        match self.age.checked_add(1) {
            Some(age) => self.age = age,
            None => {
                self.routes.fill(Route::VACANT);
                self.age = 1;
            }
        }
    }

    #[inline]
    fn key(&self, account: AccountId, session: SessionId, instrument: InstrumentId) -> u64 {
        u64::from(account.0) << 48
            | u64::from(session.0) << 32
            | u64::from(instrument.0) << 16
            | u64::from(self.age)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the high bits are what is wanted")]
    fn home(&self, key: u64) -> usize {
        // Without the age, which is the same for all.
        let mixed = (key >> 16).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as usize & self.mask
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> &Route {
        &self.routes[at]
    }
}

impl Gate {
    /// Account, session and firm; [`NONE`] where the tables know none.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "at most three times 2^16 owners")]
    pub(crate) fn owners_of(&self, account: AccountId, session: SessionId) -> [u32; 3] {
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

    /// Where the route of an order lies, until the next is asked for.
    #[inline]
    pub(crate) fn route(
        &mut self,
        account: AccountId,
        session: SessionId,
        instrument: InstrumentId,
    ) -> usize {
        let key = self.routes.key(account, session, instrument);
        let at = self.routes.home(key);
        if self.routes.routes[at].key == key {
            at
        } else {
            self.look_up(key, at, account, session, instrument)
        }
    }

    /// Looks a route up; one of which nothing is missing is kept.
    #[cold]
    #[inline(never)]
    fn look_up(
        &mut self,
        key: u64,
        home: usize,
        account: AccountId,
        session: SessionId,
        instrument: InstrumentId,
    ) -> usize {
        let found = self.find(account, session, instrument);
        let at = if found.whole && found.known { home } else { self.routes.routes.len() - 1 };
        self.routes.routes[at] = Route { key: if at == home { key } else { 0 }, ..found };
        at
    }

    /// Whom an order concerns.
    pub(crate) fn find(
        &self,
        account: AccountId,
        session: SessionId,
        instrument: InstrumentId,
    ) -> Route {
        let owners = self.owners_of(account, session);
        let mut route = Route { owners, ..Route::VACANT };
        for (cell, owner) in route.cells.iter_mut().zip(owners).filter(|(_, one)| *one != NONE) {
            *cell = self.cells.find(key_of(owner, instrument));
        }
        let owned = owners.map(|owner| self.owners.get(owner as usize).map_or(0, |one| one.set));
        let own = self.cells.get(route.cells[0]).map_or(0, |cell| cell.set);
        route.sets = [owned[0], own, owned[1], owned[2]];
        let judges = |at: usize| self.set(route.sets[at]).is_some_and(|set| set.judges);
        route.levels = (0..4).fold(0, |all, at| all | u8::from(judges(at)) << at);
        route.on = route.sets.iter().fold(0, |on, &set| on | self.set(set).map_or(0, |set| set.on));
        route.currency = self.instruments.get(instrument.index()).map_or(0, |one| one.currency);
        route.known = self.owners.get(owners[0] as usize).is_some_and(|owner| owner.known);
        route.whole = route.missing() == 0;
        route
    }

    /// Limits by their number; `None` where there are none.
    #[inline]
    pub(crate) fn set(&self, set: u16) -> Option<&Set> {
        if set == 0 { None } else { self.sets.get(usize::from(set)) }
    }
}
