//! The naive twin of the risk gate: `docs/risk.md` in decimal arithmetic and lists that are searched.
//! Nothing is kept that could be added up.

mod judge;
mod kept;
mod price;
mod sums;
mod values;

use rust_decimal::Decimal;
use spindle_risk::{Cause, Key, Sale};
use spindle_types::Side;

pub use self::values::{About, Ask, Refused, Seen, Shape, Told, Warned, Who};

/// An open order.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u64,
    account: u32,
    session: u32,
    instrument: u32,
    side: Side,
    sale: Sale,
    shares: u64,
    price: Decimal,
}

/// Shares that were traded.
#[derive(Clone, Copy, Debug)]
struct Fill {
    account: u32,
    session: u32,
    instrument: u32,
    side: Side,
    sale: Sale,
    shares: u64,
    price: Decimal,
}

/// An order or replacement that was accepted.
#[derive(Clone, Copy, Debug)]
struct Accepted {
    account: u32,
    session: u32,
    instrument: u32,
    side: Side,
    sale: Sale,
    quantity: u64,
    limit: Option<Decimal>,
    time: u64,
    is_new: bool,
}

/// What an owner made of its trades in an instrument.
#[derive(Clone, Copy, Debug)]
struct Held {
    owner: Who,
    instrument: u32,
    shares: i64,
    cost: Decimal,
    realised: Decimal,
    mark: Decimal,
}

/// Requests that have not drained away yet.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    who: Who,
    rate: Key,
    level: Decimal,
    time: u64,
}

/// A count that begins anew with the first after a window.
#[derive(Clone, Copy, Debug)]
struct Window {
    who: Who,
    key: Key,
    /// Of executions in one instrument on one side.
    of: Option<(u32, Side)>,
    start: u64,
    count: u64,
}

/// A sum as an order would make it.
#[derive(Clone, Copy, Debug)]
struct Reached {
    who: Who,
    level: &'static str,
    check: &'static str,
    currency: usize,
    limit: u64,
    observed: u64,
    /// Whether that is the part of the limit that is told.
    is_told: bool,
}

/// The naive gate.
#[derive(Clone, Debug, Default)]
pub struct NaiveGate {
    limits: Vec<(Who, Key, usize, u64)>,
    /// Whose limits were ever set: they heed bands and price tests where nothing else is said.
    limited: Vec<Who>,
    firms: Vec<(u32, u32)>,
    about: Vec<(u32, About)>,
    killed: Vec<(Who, Cause)>,
    open: Vec<Open>,
    fills: Vec<Fill>,
    accepted: Vec<Accepted>,
    held: Vec<Held>,
    buckets: Vec<Bucket>,
    windows: Vec<Window>,
    /// Which warnings stand: of a position also in which instrument.
    warned: Vec<(Who, &'static str, Option<u32>, usize)>,
    /// Who was stopped by itself since the last look.
    tripped: bool,
    /// What the order that was let through last would bring sums to.
    pending: Vec<Reached>,
    /// What the operator was told, in order.
    pub told: Vec<Told>,
}

/// Price units in one of the currency.
const UNITS: u64 = 10_000;

/// An amount in price units.
pub(crate) fn units(amount: Decimal) -> Decimal {
    amount * Decimal::from(UNITS)
}

/// A limit as it is told.
fn told(amount: Decimal) -> u64 {
    use rust_decimal::prelude::ToPrimitive;
    if amount <= Decimal::ZERO { 0 } else { amount.trunc().to_u64().unwrap_or(u64::MAX) }
}

/// An amount of so many units.
pub(crate) fn amount(units: u64) -> Decimal {
    Decimal::from(units) / Decimal::from(UNITS)
}

impl NaiveGate {
    /// The owners of an order, the account first.
    fn owners(&self, account: u32, session: u32) -> Vec<Who> {
        let mut owners = vec![Who::Account(account), Who::Session(session)];
        let firm = self.firms.iter().find(|(of, _)| *of == account);
        owners.extend(firm.map(|(_, firm)| Who::Firm(*firm)));
        owners
    }

    /// The levels of an order in the order in which they are looked at, those without limits too.
    fn levels(&self, account: u32, session: u32, instrument: u32) -> Vec<(Who, &'static str)> {
        let mut levels = vec![
            (Who::Account(account), "account"),
            (Who::Pair(account, instrument), "instrument"),
            (Who::Session(session), "session"),
        ];
        let firm = self.firms.iter().find(|(of, _)| *of == account);
        levels.extend(firm.map(|(_, firm)| (Who::Firm(*firm), "firm")));
        levels
    }

    /// Whether something of this account and session is this owner's.
    fn owns(&self, who: Who, account: u32, session: u32) -> bool {
        match who {
            Who::All => true,
            Who::Account(of) | Who::Pair(of, _) => of == account,
            Who::Session(of) => of == session,
            Who::Firm(firm) => self.firms.contains(&(account, firm)),
        }
    }

    fn limit(&self, who: Who, key: Key, currency: usize) -> Option<u64> {
        let currency = if key.is_money() { currency } else { 0 };
        let is_it = |one: &&(Who, Key, usize, u64)| (one.0, one.1, one.2) == (who, key, currency);
        self.limits.iter().find(is_it).map(|one| one.3)
    }

    /// A flag, as set or as it is without being set.
    fn is_on(&self, who: Who, key: Key) -> bool {
        let usual = matches!(
            key,
            Key::Luld
                | Key::RegSho
                | Key::MayBuy
                | Key::MaySell
                | Key::MayShort
                | Key::MayShortExempt
        );
        self.limit(who, key, 0).map_or(usual, |value| value == 1)
    }

    fn currency(&self, instrument: u32) -> usize {
        self.about(instrument).currency
    }

    fn about(&self, instrument: u32) -> About {
        let found = self.about.iter().find(|(of, _)| *of == instrument);
        found.map_or_else(About::default, |(_, about)| *about)
    }

    /// Sets all limits of somebody.
    pub fn set_limits(&mut self, who: Who, limits: &[(Key, usize, u64)]) {
        self.limited.push(who);
        self.limits.retain(|(of, ..)| *of != who);
        self.limits
            .extend(limits.iter().map(|&(key, currency, value)| (who, key, currency, value)));
    }

    /// All limits of somebody that were set.
    pub fn limits_of(&self, who: Who) -> Vec<(Key, usize, u64)> {
        let its = self.limits.iter().filter(|(of, ..)| *of == who);
        its.map(|&(_, key, currency, value)| (key, currency, value)).collect()
    }

    /// Puts an account into a firm.
    pub fn set_firm(&mut self, account: u32, firm: Option<u32>) {
        self.firms.retain(|(of, _)| *of != account);
        self.firms.extend(firm.map(|firm| (account, firm)));
    }

    /// Sets what is known of an instrument.
    pub fn set_about(&mut self, instrument: u32, about: About) {
        self.about.retain(|(of, _)| *of != instrument);
        self.about.push((instrument, about));
    }

    /// What is known of an instrument.
    pub fn about_of(&self, instrument: u32) -> About {
        self.about(instrument)
    }

    /// Whether an account has had an order accepted.
    pub fn has_traded(&self, account: u32) -> bool {
        self.accepted.iter().any(|order| order.account == account)
    }

    /// Whether somebody had an order of an instrument accepted.
    pub fn was_traded(&self, instrument: u32) -> bool {
        self.accepted.iter().any(|order| order.instrument == instrument)
    }

    /// The firm of an account.
    pub fn firm_of(&self, account: u32) -> Option<u32> {
        self.firms.iter().find(|(of, _)| *of == account).map(|(_, firm)| *firm)
    }

    /// Stops somebody.
    pub fn kill(&mut self, who: Who, cause: Cause) {
        self.tripped = true;
        if !self.is_stopped(who) {
            self.killed.push((who, cause));
            self.told.push(Told::Killed(who, cause));
        }
    }

    /// Lets somebody go on.
    pub fn arm(&mut self, who: Who) -> bool {
        let was = self.is_stopped(who);
        if was {
            self.told.push(Told::Armed(who));
        }
        self.killed.retain(|(of, _)| *of != who);
        self.windows.retain(|window| {
            !was || window.who != who
                || !matches!(window.key, Key::KillFillsMax | Key::KillRejectsMax)
        });
        was
    }

    /// Whether this one was stopped.
    pub fn is_stopped(&self, who: Who) -> bool {
        self.killed.iter().any(|(of, _)| *of == who)
    }

    /// Whether orders of these are to be cancelled because somebody was stopped since the last look.
    pub fn take_tripped(&mut self) -> bool {
        std::mem::take(&mut self.tripped)
    }

    /// Whether somebody was stopped since the last look.
    pub const fn has_tripped(&self) -> bool {
        self.tripped
    }

    /// Whether an owner of these was stopped.
    pub fn is_killed(&self, account: u32, session: u32) -> bool {
        let owners = self.owners(account, session);
        self.killed.iter().any(|(of, _)| *of == Who::All || owners.contains(of))
    }

    /// What an order has reserved: shares and the price of each.
    pub fn reserved(&self, id: u64) -> Option<(u64, Decimal)> {
        self.open.iter().find(|open| open.id == id).map(|open| (open.shares, open.price))
    }

    /// Shares that an owner holds of an instrument.
    pub fn position(&self, who: Who, instrument: u32) -> i64 {
        let is_it = |held: &&Held| held.owner == who && held.instrument == instrument;
        self.held.iter().find(is_it).map_or(0, |held| held.shares)
    }
}
