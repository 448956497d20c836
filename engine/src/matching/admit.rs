//! Which orders the engine takes.

use spindle_feed::event::{Phase, TradingState};
use spindle_risk::{Admission, Form, Purpose, Reject, Request, Reserved};
use spindle_types::{AccountId, InstrumentId, Price, Quantity, SessionId, Side};

use super::{HIGHEST, Kind, Place, Special, features};
use crate::command::{Modifiers, OrderKind, OrderSide, PostOnly, TimeInForce, TradingPhase};
use crate::engine::Engine;
use crate::event::{Field, RejectReason};
use crate::instruments::Instrument;

/// A refusal with what was allowed and what was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: RejectReason,
    pub(crate) limit: u64,
    pub(crate) observed: u64,
}

impl From<RejectReason> for Refusal {
    fn from(reason: RejectReason) -> Self {
        Self { reason, limit: 0, observed: 0 }
    }
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        let Reject { check, limit, observed, .. } = reject;
        Self { reason: RejectReason::Risk(check), limit, observed }
    }
}

const fn refusal(reason: RejectReason, limit: u64, observed: u64) -> Refusal {
    Refusal { reason, limit, observed }
}

/// What is asked for, of a new order or a replacement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    pub(crate) side: OrderSide,
    /// Shares as written; of a replacement those of the whole chain.
    pub(crate) total: Quantity,
    /// Shares that would be open.
    pub(crate) open: Quantity,
    pub(crate) limit: Option<Price>,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) special: Special,
    /// What the order that it replaces still reserves; nothing for a new order.
    pub(crate) before: Reserved,
    /// Whether it replaces an order.
    pub(crate) replaces: bool,
    /// Whether it keeps the place of the order that it replaces.
    pub(crate) keeps_place: bool,
}

/// The kind and modifiers of a new order as the engine keeps them.
pub(crate) fn special_of(kind: OrderKind, modifiers: &Modifiers) -> Special {
    let bare = Special {
        hidden: modifiers.hidden,
        post_only: modifiers.post_only,
        display: modifiers.display.0,
        minimum: modifiers.minimum.0,
        ..Special::PLAIN
    };
    match kind {
        OrderKind::Plain => bare,
        OrderKind::MarketToLimit => Special { kind: Kind::MarketToLimit, ..bare },
        OrderKind::Stop { stop } => Special { kind: Kind::Stop, stop: stop.0, ..bare },
        OrderKind::TrailingStop { trail, stop } => {
            let stop = stop.map_or(0, |stop| stop.0);
            Special { kind: Kind::Trailing, trail: trail.0, stop, ..bare }
        }
        OrderKind::MidpointPeg { offset } => Special { kind: Kind::Midpoint, offset, ..bare },
        OrderKind::PrimaryPeg { offset } => Special { kind: Kind::Primary, offset, ..bare },
    }
}

impl Engine {
    /// Whether an instrument takes orders now.
    #[inline]
    pub(crate) fn admit_state(&self, known: &Instrument) -> Result<(), Refusal> {
        if self.is_closed() || known.phase == TradingPhase::Closed {
            return Err(RejectReason::Closed.into());
        }
        if known.stale || self.gap_open || self.feed_silent {
            return Err(RejectReason::Stale.into());
        }
        if known.quarantined {
            return Err(RejectReason::Quarantined.into());
        }
        if known.trading != TradingState::Trading || known.phase == TradingPhase::Halted {
            return Err(RejectReason::Halted.into());
        }
        if known.operationally_halted {
            return Err(RejectReason::OperationalHalt.into());
        }
        Ok(())
    }

    /// Checks the quantity and the limit, which every order has.
    #[inline]
    pub(crate) fn admit_size_and_limit(
        known: &Instrument,
        quantity: Quantity,
        limit: Option<Price>,
    ) -> Result<(), Refusal> {
        admit_quantity(known, quantity)?;
        match limit {
            Some(limit) => admit_price(known, limit.0),
            None => Ok(()),
        }
    }

    /// Checks what an order asks for, beyond quantity and limit. Nothing here depends on other
    /// orders.
    pub(crate) fn admit_terms(&self, known: &Instrument, terms: &Terms) -> Result<(), Refusal> {
        let special = &terms.special;
        admit_quantity(known, terms.total)?;
        if special.display != 0 && !terms.replaces {
            admit_quantity(known, Quantity(special.display))?;
        }
        if let Some(limit) = terms.limit {
            admit_price(known, limit.0)?;
        }
        let brings_stop =
            special.kind == Kind::Stop || (special.kind == Kind::Trailing && special.stop != 0);
        // One that is replaced keeps its stop price, which may have moved between ticks.
        if brings_stop && !terms.replaces {
            admit_price(known, special.stop)?;
        }
        if special.kind == Kind::Trailing {
            admit_price(known, special.trail)?;
        }
        if special.kind.is_peg() {
            let tick = i64::from(known.steps.tick.max(1));
            if i64::from(special.offset) % tick != 0 {
                let observed = u64::from(special.offset.unsigned_abs());
                return Err(refusal(RejectReason::PriceOffTick, tick.unsigned_abs(), observed));
            }
        }
        if let Some(field) = wrong_field(terms) {
            return Err(RejectReason::InvalidCombination(field).into());
        }
        let collects = known.phase.collects();
        if special.minimum != 0 {
            let bounds = u64::from(terms.total.0);
            let is_offered = !special.kind.is_stop()
                && !special.kind.is_peg()
                && !special.post_only
                && !collects
                && !matches!(terms.time_in_force, TimeInForce::AtOpen | TimeInForce::AtClose);
            if !is_offered || special.minimum > terms.total.0 {
                let observed = u64::from(special.minimum);
                return Err(refusal(RejectReason::MinimumQuantity, bounds, observed));
            }
        }
        match terms.time_in_force {
            TimeInForce::GoodTillDate(time) if time <= self.time => {
                return Err(refusal(RejectReason::InvalidExpiry, self.time.0, time.0));
            }
            TimeInForce::AtOpen if !self.takes_at_open(known) => {
                return Err(RejectReason::WrongPhase.into());
            }
            TimeInForce::AtClose if known.crosses.closing => {
                return Err(RejectReason::WrongPhase.into());
            }
            TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill if collects => {
                return Err(RejectReason::NotInAuction.into());
            }
            _ => {}
        }
        if collects && special.kind == Kind::MarketToLimit {
            return Err(RejectReason::NotInAuction.into());
        }
        Ok(())
    }

    /// Whether there is an opening to come: the venue's own auction, or the tape's cross.
    fn takes_at_open(&self, known: &Instrument) -> bool {
        match known.phase {
            TradingPhase::PreOpen => true,
            TradingPhase::Continuous => {
                !known.crosses.opening && self.phase.is_some_and(Phase::is_before_the_open)
            }
            _ => false,
        }
    }

    /// Checks what depends on the market, and settles limit and stop price: a trailing stop's first
    /// one, and where a post-only order slides to.
    pub(crate) fn admit_market(
        &self,
        instrument: InstrumentId,
        known: &Instrument,
        terms: &mut Terms,
    ) -> Result<(), Refusal> {
        let side = terms.side.book_side();
        let special = &mut terms.special;
        if special.kind == Kind::Trailing && !terms.replaces {
            let brought = (special.stop != 0).then_some(special.stop);
            special.stop = self
                .first_stop(instrument, side, special.trail, brought)
                .ok_or(RejectReason::NoReferencePrice)?;
        }
        if special.post_only && !terms.keeps_place && known.phase == TradingPhase::Continuous {
            terms.limit = self.slide(instrument, known, terms)?;
        }
        if !terms.keeps_place {
            self.admit_short_sale(instrument, known, terms.side, terms.limit)?;
        }
        Ok(())
    }

    /// Asks the risk gate; `dry` leaves no trace there.
    #[inline]
    pub(crate) fn admit_risk(
        &mut self,
        request: &Request,
        dry: bool,
    ) -> Result<Admission, Refusal> {
        let market = self.market(request.instrument);
        let decision = match dry {
            true => self.gate.would(request, &market),
            false => self.gate.check(request, &market),
        };
        decision.map_err(Refusal::from)
    }

    /// An order as the risk gate sees it.
    pub(crate) fn terms_request(
        &self,
        instrument: InstrumentId,
        known: &Instrument,
        terms: &Terms,
    ) -> Request {
        let special = &terms.special;
        let waits_for_auction = known.phase.collects()
            || matches!(terms.time_in_force, TimeInForce::AtOpen | TimeInForce::AtClose);
        let form = match special.kind {
            Kind::Stop | Kind::Trailing => Form::Stop(Price(special.stop)),
            Kind::Midpoint | Kind::Primary => Form::Free,
            Kind::Plain if terms.limit.is_none() && waits_for_auction => Form::Free,
            Kind::Plain | Kind::MarketToLimit => Form::Plain,
        };
        Request {
            time: self.time,
            account: terms.account,
            session: terms.session,
            instrument,
            side: terms.side.book_side(),
            sale: terms.side.sale(),
            quantity: terms.open,
            limit: terms.limit,
            form,
            purpose: if terms.replaces { Purpose::Replace } else { Purpose::Enter },
            before: terms.before,
        }
    }

    /// Whether there is room for what an iceberg may show.
    pub(crate) fn admit_refills(&self, terms: &Terms) -> Result<(), Refusal> {
        let special = &terms.special;
        if special.display > 0 && terms.open.0 > special.display {
            let needed = u64::from((terms.open.0 - 1) / special.display);
            let room = self.own.capacity() as u64;
            if self.extras.refills + needed > room {
                let room = room.saturating_sub(self.extras.refills);
                return Err(refusal(RejectReason::Capacity, room, needed));
            }
        }
        Ok(())
    }

    /// Checks a short sale against the price test: while the instrument is restricted, its limit
    /// must lie above the best bid. One without a limit could trade anywhere.
    #[inline]
    pub(crate) fn admit_short_sale(
        &self,
        instrument: InstrumentId,
        known: &Instrument,
        side: OrderSide,
        limit: Option<Price>,
    ) -> Result<(), Refusal> {
        if side != OrderSide::SellShort || !known.short_sale_restricted() {
            return Ok(());
        }
        let bid = self.books.best(instrument, Side::Buy).map_or(0, |best| best.price.0);
        match limit {
            Some(limit) if limit.0 > bid => Ok(()),
            limit => {
                let observed = limit.map_or(0, |limit| limit.0.into());
                Err(refusal(RejectReason::ShortSale, bid.into(), observed))
            }
        }
    }

    /// The limit of a post-only order that stands without trading.
    fn slide(
        &self,
        instrument: InstrumentId,
        known: &Instrument,
        terms: &Terms,
    ) -> Result<Option<Price>, Refusal> {
        let side = terms.side.book_side();
        let best = self.best_with_hidden(instrument, side.opposite());
        let (Some(best), Some(limit)) = (best, terms.limit) else {
            return Ok(terms.limit);
        };
        if !limit.reaches(side, best) {
            return Ok(terms.limit);
        }
        let tick = known.steps.tick.max(1);
        let slides = self
            .extras
            .accounts
            .get(terms.account.index())
            .is_some_and(|account| account.post_only == PostOnly::Slide);
        let slid = match side {
            Side::Buy => best.0.checked_sub(tick).filter(|&price| price >= tick),
            Side::Sell => best.0.checked_add(tick).filter(|&price| price <= HIGHEST),
        };
        match slid {
            Some(price) if slides => Ok(Some(Price(price))),
            _ => Err(refusal(RejectReason::PostOnly, best.0.into(), limit.0.into())),
        }
    }
}

/// The end of what a price or a quantity can be, beyond which this one lies.
#[cold]
fn bound(value: u32) -> u64 {
    if value == 0 { 1 } else { HIGHEST.into() }
}

#[inline]
fn admit_quantity(known: &Instrument, quantity: Quantity) -> Result<(), Refusal> {
    if quantity.is_zero() || quantity.0 > HIGHEST {
        return Err(refusal(RejectReason::InvalidQuantity, bound(quantity.0), quantity.0.into()));
    }
    if known.features & features::STEPS != 0 && !quantity.0.is_multiple_of(known.steps.lot.max(1)) {
        let lot = u64::from(known.steps.lot);
        return Err(refusal(RejectReason::QuantityOffLot, lot, quantity.0.into()));
    }
    Ok(())
}

#[inline]
fn admit_price(known: &Instrument, price: u32) -> Result<(), Refusal> {
    if price == 0 || price > HIGHEST {
        return Err(refusal(RejectReason::InvalidPrice, bound(price), price.into()));
    }
    if known.features & features::STEPS != 0 && !price.is_multiple_of(known.steps.tick.max(1)) {
        return Err(refusal(RejectReason::PriceOffTick, known.steps.tick.into(), price.into()));
    }
    Ok(())
}

/// The first field, in the order in which they are judged, that does not go with the rest.
fn wrong_field(terms: &Terms) -> Option<Field> {
    use TimeInForce::{AtClose, AtOpen, FillOrKill, ImmediateOrCancel};
    let special = &terms.special;
    let tif = terms.time_in_force;
    let is_market = special.kind == Kind::Plain && terms.limit.is_none();
    let has_limit = terms.limit.is_some();
    if special.kind == Kind::MarketToLimit && has_limit {
        return Some(Field::Limit);
    }
    let stays = !matches!(tif, ImmediateOrCancel | FillOrKill | AtOpen | AtClose);
    let tif_fits = match special.kind {
        Kind::Plain if is_market => {
            !matches!(tif, TimeInForce::GoodTillCancel | TimeInForce::GoodTillDate(_))
        }
        Kind::Plain => true,
        Kind::MarketToLimit => !matches!(tif, AtOpen | AtClose),
        Kind::Stop | Kind::Trailing | Kind::Midpoint | Kind::Primary => stays,
    };
    if !tif_fits {
        return Some(Field::TimeInForce);
    }
    let can_be_shown = stays
        && match special.kind {
            Kind::Plain | Kind::Stop | Kind::Trailing => has_limit,
            Kind::MarketToLimit => true,
            Kind::Midpoint | Kind::Primary => false,
        };
    if special.hidden && (!can_be_shown || special.display != 0) {
        return Some(Field::Hidden);
    }
    if special.display != 0 && !can_be_shown {
        return Some(Field::Display);
    }
    if special.post_only && !(special.kind == Kind::Plain && has_limit && stays) {
        return Some(Field::PostOnly);
    }
    if special.minimum != 0 && tif == FillOrKill {
        return Some(Field::Minimum);
    }
    None
}

impl Special {
    /// Where an order of this kind stands while orders are collected.
    pub(crate) const fn place_in_auction(&self, is_market: bool) -> Place {
        match (is_market, self.hidden) {
            (true, _) => Place::Market,
            (false, true) => Place::Hidden,
            (false, false) => Place::Shown,
        }
    }
}
