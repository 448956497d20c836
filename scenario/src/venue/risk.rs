//! The risk gate on its way into the engine and out of it.

use spindle_engine::event::Outcome;
use spindle_engine::{RiskChange, RiskFault};
use spindle_risk::{Cause, Check, GateError, InstrumentState, Level, Notice, Target};
use spindle_types::{AccountId, InstrumentId};

use super::{Venue, amount, price_of, rejected};
use crate::edge;
use crate::line::{Figure, Line, OwnerName, Rejected};
use crate::op;
use crate::risk_op::{Arm, Kill, Limits, Owner, Reference};

impl Venue {
    /// The target behind a name.
    fn target(&mut self, owner: &Owner) -> Result<Target, Rejected> {
        Ok(match owner {
            Owner::All => Target::All,
            Owner::Account(name) => Target::Account(self.account_of(name)?),
            Owner::Session(name) => Target::Session(self.session_of(name)?),
            Owner::Firm(name) => Target::Firm(self.firm_of(name)?),
        })
    }

    fn firm_of(&mut self, name: &str) -> Result<u16, Rejected> {
        self.firms.number(name, u16::MAX).ok_or(Rejected::because("capacity"))
    }

    fn currency_of(&mut self, name: Option<&str>) -> Result<u8, Rejected> {
        let Some(name) = name else {
            return Ok(0);
        };
        let number = self.currencies.number(name, 4).ok_or(Rejected::because("capacity"))?;
        u8::try_from(number).map_err(|_| Rejected::because("capacity"))
    }

    fn change(&mut self, change: RiskChange) -> Result<(), Rejected> {
        self.engine.on_risk(self.now, &[change]).map_err(|error| match error.why {
            RiskFault::Gate(GateError::InUse) => Rejected::because("in_use"),
            RiskFault::NotStopped => Rejected::because("not_stopped"),
            _ => Rejected::because("capacity"),
        })
    }

    pub(super) fn set_firm(
        &mut self,
        account: AccountId,
        firm: Option<&str>,
    ) -> Result<(), Rejected> {
        let firm = firm.map(|name| self.firm_of(name)).transpose()?;
        self.change(RiskChange::Firm { account, firm })
    }

    pub(super) fn set_currency(
        &mut self,
        instrument: InstrumentId,
        currency: Option<&str>,
    ) -> Result<(), Rejected> {
        let currency = self.currency_of(currency)?;
        let symbol = self.engine.instruments().get(instrument).symbol;
        let state = InstrumentState { currency, ..InstrumentState::default() };
        self.change(RiskChange::Instrument { symbol, state })
    }

    pub(super) fn limits(&mut self, op: &Limits) -> Result<(), Rejected> {
        let instrument = op.symbol.as_deref().map(|symbol| self.find(symbol)).transpose()?;
        let target = self.target(&op.owner)?;
        let currency = self.currency_of(op.currency.as_deref())?;
        let gate = self.engine.gate();
        let before = match (target, instrument) {
            (Target::Account(account), Some(instrument)) => {
                *gate.instrument_limits(account, instrument)
            }
            _ => gate.limits(target).copied().unwrap_or_default(),
        };
        let limits = edge::limits(before, op, currency.into())?;
        self.change(match (target, instrument) {
            (Target::Account(account), Some(instrument)) => {
                let symbol = self.engine.instruments().get(instrument).symbol;
                RiskChange::InstrumentLimits { account, symbol, limits }
            }
            _ => RiskChange::Limits { target, limits },
        })
    }

    pub(super) fn reference(&mut self, op: &Reference) -> Result<(), Rejected> {
        let instrument = self.find(&op.symbol)?;
        edge::prices(op)?;
        let symbol = self.engine.instruments().get(instrument).symbol;
        let state = InstrumentState {
            currency: self.engine.gate().instrument(instrument).currency,
            restricted: op.restricted,
            price_test: op.price_test,
            reference: op.price.map(price_of),
            low: op.low.map(price_of),
            high: op.high.map(price_of),
        };
        self.change(RiskChange::Instrument { symbol, state })
    }

    pub(super) fn kill(&mut self, op: &Kill) -> Result<(), Rejected> {
        let owner = op.owner().map_err(|_| Rejected::because("unknown_owner"))?;
        let target = self.target(&owner)?;
        self.change(RiskChange::Kill { target, cause: Cause::Operator })
    }

    pub(super) fn arm(&mut self, op: &Arm) -> Result<(), Rejected> {
        let owner = op.owner().map_err(|_| Rejected::because("unknown_owner"))?;
        let target = self.target(&owner)?;
        self.change(RiskChange::Arm { target })
    }

    /// Says what would become of an order.
    pub(super) fn check(&mut self, op: &op::New, answer: &mut Vec<Line>) {
        if let Err(why) = self.enter(op, answer) {
            answer.push(why.checked(op.id));
        }
    }

    /// Reads the answer to a check.
    pub(super) fn checked(&mut self, id: op::Id, answer: &mut Vec<Line>) -> Result<(), Rejected> {
        let Some(first) = self.engine.outbox().first().copied() else {
            return Err(Rejected::because("unanswered"));
        };
        self.engine.forget_events(1);
        match first.outcome {
            Outcome::Checked { refused: None, observed, .. } => {
                let price = u32::try_from(observed).unwrap_or(u32::MAX);
                let price = Some(amount(spindle_types::Price(price)));
                let (reason, field, limit, observed) = (None, None, None, None);
                let passes = true;
                answer.push(Line::Checked { id, passes, price, reason, field, limit, observed });
                Ok(())
            }
            Outcome::Checked { refused: Some(reason), limit, observed } => {
                Err(rejected(reason, limit, observed))
            }
            _ => Err(Rejected::because("unanswered")),
        }
    }

    fn owner_name(&self, target: Target) -> OwnerName {
        let none = OwnerName::default();
        match target {
            Target::All => none,
            Target::Account(account) => {
                OwnerName { account: self.accounts.name(account.0), ..none }
            }
            Target::Session(session) => {
                OwnerName { session: self.sessions.name(session.0), ..none }
            }
            Target::Firm(firm) => OwnerName { firm: self.firms.name(firm), ..none },
        }
    }

    /// Hands on what the gate tells its operator.
    pub(super) fn tell_notices(&mut self, answer: &mut Vec<Line>) {
        while let Some(notice) = self.engine.next_notice() {
            answer.push(match notice {
                Notice::Warning { check, level, owner, instrument, limit, observed } => {
                    let is_of_one = level == Level::Instrument || check == Check::Position;
                    let symbol = is_of_one.then(|| self.symbol(instrument));
                    let figure = |units| {
                        Figure::of_check(check.name(), units).unwrap_or(Figure::Count(units))
                    };
                    Line::Warning {
                        owner: Box::new(self.owner_name(owner)),
                        symbol,
                        check: check.name(),
                        limit: figure(limit),
                        observed: figure(observed),
                    }
                }
                Notice::Killed { target, cause } => {
                    Line::Killed { owner: Box::new(self.owner_name(target)), cause: cause.name() }
                }
                Notice::Armed { target } => {
                    Line::Armed { owner: Box::new(self.owner_name(target)) }
                }
            });
        }
    }
}
