//! The risk gate of the twin: what it is asked, told and set.

use rust_decimal::Decimal;
use spindle_risk::{Cause, Purpose, Sale as GateSale};

use super::{Order, Place, Twin};
use crate::decimal::Amount;
use crate::edge;
use crate::gate::{About, Ask, Refused, Seen, Shape, Told, Who};
use crate::line::{Figure, Line, OwnerName, Rejected};
use crate::op::{self, Id, Kind, Sale, Side, Tif};
use crate::risk_op::{Arm, Kill, Limits, Owner, Reference};

/// Names that the gate knows by their place.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    accounts: Vec<String>,
    sessions: Vec<String>,
    firms: Vec<String>,
    /// Behind the first, which is USD.
    currencies: Vec<String>,
}

fn place(names: &mut Vec<String>, name: &str) -> u32 {
    let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.into());
        names.len() - 1
    });
    u32::try_from(at).expect("few names")
}

fn decimal(units: i64) -> Decimal {
    Decimal::new(units, 4)
}

pub(super) fn units(amount: Decimal) -> i64 {
    use rust_decimal::prelude::ToPrimitive;
    (amount * Decimal::from(10_000)).to_i64().expect("a price")
}

impl Twin {
    fn who(&mut self, owner: &Owner) -> Who {
        match owner {
            Owner::All => Who::All,
            Owner::Account(name) => Who::Account(place(&mut self.names.accounts, name)),
            Owner::Session(name) => Who::Session(place(&mut self.names.sessions, name)),
            Owner::Firm(name) => Who::Firm(place(&mut self.names.firms, name)),
        }
    }

    fn currency(&mut self, name: Option<&str>) -> Result<usize, Rejected> {
        match name {
            None | Some("USD") => Ok(0),
            Some(name) => match place(&mut self.names.currencies, name) {
                at @ 0..3 => Ok(at as usize + 1),
                _ => {
                    self.names.currencies.pop();
                    Err(Rejected::because("capacity"))
                }
            },
        }
    }

    pub(super) fn set_currency(&mut self, at: usize, name: Option<&str>) -> Result<(), Rejected> {
        let currency = self.currency(name)?;
        self.gate.set_about(number(at), About { currency, ..About::default() });
        Ok(())
    }

    pub(super) fn set_firm(&mut self, op: &op::Account) -> Result<(), Rejected> {
        let account = place(&mut self.names.accounts, &op.account);
        let firm = op.firm.as_ref().map(|name| place(&mut self.names.firms, name));
        if firm != self.gate.firm_of(account) && self.gate.has_traded(account) {
            return Err(Rejected::because("in_use"));
        }
        self.gate.set_firm(account, firm);
        Ok(())
    }

    pub(super) fn set_limits(&mut self, op: &Limits) -> Result<(), Rejected> {
        let unknown = Rejected::because("unknown_instrument");
        let at = match &op.symbol {
            Some(symbol) => Some(self.instrument(symbol).ok_or(unknown)?),
            None => None,
        };
        let who = match (self.who(&op.owner), at) {
            (Who::Account(account), Some(at)) => Who::Pair(account, number(at)),
            (who, _) => who,
        };
        let currency = self.currency(op.currency.as_deref())?;
        let mut before = spindle_risk::Limits::NONE;
        for (key, currency, value) in self.gate.limits_of(who) {
            before.set(key, currency, value);
        }
        let after = edge::limits(before, op, currency)?;
        self.gate.set_limits(who, &after.iter().collect::<Vec<_>>());
        Ok(())
    }

    pub(super) fn set_reference(&mut self, op: &Reference) -> Result<(), Rejected> {
        let unknown = Rejected::because("unknown_instrument");
        let at = self.instrument(&op.symbol).ok_or(unknown)?;
        edge::prices(op)?;
        let price = |amount: Option<Amount>| amount.map(|amount| decimal(amount.units));
        let about = About {
            currency: self.gate.about_of(number(at)).currency,
            restricted: op.restricted,
            price_test: op.price_test,
            reference: price(op.price),
            low: price(op.low),
            high: price(op.high),
        };
        self.gate.set_about(number(at), about);
        Ok(())
    }

    pub(super) fn kill(&mut self, op: &Kill) -> Result<(), Rejected> {
        let owner = op.owner().map_err(|_| Rejected::because("unknown_owner"))?;
        let who = self.who(&owner);
        self.gate.kill(who, Cause::Operator);
        Ok(())
    }

    pub(super) fn arm(&mut self, op: &Arm) -> Result<(), Rejected> {
        let owner = op.owner().map_err(|_| Rejected::because("unknown_owner"))?;
        let who = self.who(&owner);
        if self.gate.arm(who) { Ok(()) } else { Err(Rejected::because("not_stopped")) }
    }

    /// Cancels what rests of those who were stopped.
    pub(super) fn cancel_killed(&mut self) {
        let numbers: Vec<(Id, u32, u32)> = self
            .orders
            .clone()
            .iter()
            .map(|order| {
                let account = place(&mut self.names.accounts, &order.account);
                (order.id, account, place(&mut self.names.sessions, &order.session))
            })
            .collect();
        let is_killed = |id: Id| {
            let found = numbers.iter().find(|(of, ..)| *of == id);
            found.is_some_and(|&(_, account, session)| self.gate.is_killed(account, session))
        };
        for id in self.ids(|order| is_killed(order.id)) {
            self.cancel_all(id, "killed");
        }
    }

    /// A cancel of an open order counts as a request.
    pub(super) fn count_cancel(&mut self, id: Id) {
        let order = self.order(id).clone();
        let account = place(&mut self.names.accounts, &order.account);
        let session = place(&mut self.names.sessions, &order.session);
        self.gate.message(account, session, Some(number(order.at)), self.now);
    }

    /// A request that was refused before the gate counts too.
    pub(super) fn count_refused(&mut self, account: &str, session: &str) {
        let account = place(&mut self.names.accounts, account);
        let session = place(&mut self.names.sessions, session);
        self.gate.message(account, session, None, self.now);
    }

    /// An order as the gate is asked about it.
    pub(super) fn ask(&mut self, order: &Order, purpose: Purpose, before: Option<Id>) -> Ask {
        let at_auction = self.instruments[order.at].phase.collects()
            || matches!(order.tif, Tif::AtOpen | Tif::AtClose);
        let shape = match order.kind {
            Kind::Stop | Kind::StopLimit | Kind::TrailingStop => Shape::Stop(decimal(order.stop)),
            Kind::MidpointPeg | Kind::PrimaryPeg => Shape::Free,
            Kind::Market if at_auction => Shape::Free,
            Kind::Limit | Kind::Market | Kind::MarketToLimit => Shape::Plain,
        };
        Ask {
            time: self.now,
            account: place(&mut self.names.accounts, &order.account),
            session: place(&mut self.names.sessions, &order.session),
            instrument: number(order.at),
            side: order.side.into(),
            sale: match order.sale {
                Sale::Short => GateSale::Short,
                Sale::ShortExempt => GateSale::ShortExempt,
                Sale::Long => GateSale::Long,
            },
            quantity: order.open,
            limit: order.limit.map(decimal),
            shape,
            purpose,
            before,
        }
    }

    /// The market that an order is judged by: the best displayed price of a side, or the best
    /// hidden one where nothing is displayed.
    pub(super) fn seen(&self, at: usize) -> Seen {
        let best = |side: Side| {
            let queue = self.queue(at, side);
            let is_there = |order: &&&Order| order.available() > 0 && order.price.is_some();
            let shown = queue.iter().filter(is_there).find(|order| order.is_displayed());
            let any = queue.iter().find(is_there);
            shown.or(any).and_then(|order| order.price).map(decimal)
        };
        Seen {
            bid: best(Side::Buy),
            ask: best(Side::Sell),
            last: self.instruments[at].last.map(decimal),
            tick: decimal(self.instruments[at].tick),
            band: self.instruments[at]
                .collar
                .map(|(_, upper, lower, _)| (decimal(lower), decimal(upper))),
        }
    }

    /// How far an order may go: its limit, or what protects it.
    pub(super) fn bound(&mut self, order: &Order) -> Option<i64> {
        if order.limit.is_some() {
            return order.limit;
        }
        let ask = Ask { shape: Shape::Plain, ..self.ask(order, Purpose::Enter, None) };
        let seen = self.seen(order.at);
        self.gate.protection(&ask, &seen).map(units)
    }

    /// A stop that was elected is judged anew; false where it may not go on and is cancelled.
    pub(super) fn passes_again(&mut self, id: Id) -> bool {
        let order = self.order(id).clone();
        let ask = Ask { shape: Shape::Plain, ..self.ask(&order, Purpose::Trigger, Some(id)) };
        let seen = self.seen(order.at);
        match self.gate.check(&ask, &seen) {
            Ok(price) => {
                self.gate.reserve(&ask, id, price);
                true
            }
            Err(refused) => {
                self.order(id).place = Place::Entering;
                self.cancel_all(id, refused.check);
                false
            }
        }
    }

    fn owner_name(&self, who: Who) -> OwnerName {
        let none = OwnerName::default();
        let name = |names: &[String], at: u32| names.get(at as usize).cloned();
        match who {
            Who::All => none,
            Who::Account(at) | Who::Pair(at, _) => {
                OwnerName { account: name(&self.names.accounts, at), ..none }
            }
            Who::Session(at) => OwnerName { session: name(&self.names.sessions, at), ..none },
            Who::Firm(at) => OwnerName { firm: name(&self.names.firms, at), ..none },
        }
    }

    /// What the gate's operator is told comes behind the answer, before all else.
    pub(super) fn tell_notices(&mut self, is_answered: bool) {
        let told = std::mem::take(&mut self.gate.told).into_iter();
        let lines: Vec<Line> = told
            .map(|told| match told {
                Told::Warning(one) => {
                    let is_of_one = matches!(one.who, Who::Pair(..)) || one.check == "position";
                    let symbol = self.instruments[one.instrument as usize - 1].symbol.clone();
                    let figure =
                        |units| Figure::of_check(one.check, units).unwrap_or(Figure::Count(units));
                    Line::Warning {
                        owner: Box::new(self.owner_name(one.who)),
                        symbol: is_of_one.then_some(symbol),
                        check: one.check,
                        limit: figure(one.limit),
                        observed: figure(one.observed),
                    }
                }
                Told::Killed(who, cause) => {
                    Line::Killed { owner: Box::new(self.owner_name(who)), cause: cause.name() }
                }
                Told::Armed(who) => Line::Armed { owner: Box::new(self.owner_name(who)) },
            })
            .collect();
        let at = usize::from(is_answered).min(self.lines.len());
        self.lines.splice(at..at, lines);
    }
}

/// The gate's number of an instrument.
fn number(at: usize) -> u32 {
    u32::try_from(at + 1).expect("few instruments")
}

impl From<Refused> for Rejected {
    fn from(refused: Refused) -> Self {
        let rejected = Self::because(refused.check);
        let figure = |units| Figure::of_check(refused.check, units);
        match (figure(refused.limit), figure(refused.observed)) {
            (Some(limit), Some(observed)) => rejected.with(limit, observed),
            _ => rejected,
        }
    }
}
