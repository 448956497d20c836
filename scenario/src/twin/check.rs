//! What is checked before an order is accepted: the first thing that is wrong is the answer.

use super::{Order, Twin};
use crate::decimal::Amount;
use crate::edge::{self, HIGHEST};
use crate::line::{Figure, Rejected};
use crate::op::{Day, Kind, Phase, PostOnly, Side, State, Tif};

/// What an order asks for, with values that may be anything.
pub(super) struct Asked {
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) limit: Option<i64>,
    pub(super) stop: Option<i64>,
    pub(super) trail: Option<i64>,
    pub(super) offset: Option<i64>,
    pub(super) quantity: i64,
    pub(super) display: Option<i64>,
    pub(super) hidden: bool,
    pub(super) post_only: bool,
    pub(super) minimum: i64,
    pub(super) tif: Tif,
    pub(super) expire: u64,
}

impl Twin {
    pub(super) fn check(&self, asked: &Asked) -> Result<(), Rejected> {
        self.check_phase(asked.at)?;
        self.check_quantities(asked)?;
        self.check_prices(asked)?;
        check_combination(asked)?;
        let phase = self.instruments[asked.at].phase;
        let entry_counts = matches!(asked.kind, Kind::Limit | Kind::Market | Kind::MarketToLimit)
            && !asked.post_only
            && !matches!(asked.tif, Tif::AtOpen | Tif::AtClose)
            && !phase.collects();
        if asked.minimum != 0 && (!entry_counts || !(1..=asked.quantity).contains(&asked.minimum)) {
            return Err(Rejected::because("minimum_quantity"));
        }
        if asked.tif == Tif::Gtd && asked.expire <= self.now {
            return Err(Rejected::because("invalid_expiry"));
        }
        let instrument = &self.instruments[asked.at];
        let before_the_open =
            matches!(self.day, Some(Day::StartOfMessages | Day::StartOfSystemHours));
        let opens = match phase {
            Phase::PreOpen => true,
            Phase::Continuous => before_the_open && !instrument.opened,
            _ => false,
        };
        if asked.tif == Tif::AtOpen && !opens || asked.tif == Tif::AtClose && instrument.closed {
            return Err(Rejected::because("wrong_phase"));
        }
        let at_once = matches!(asked.tif, Tif::Ioc | Tif::Fok) || asked.kind == Kind::MarketToLimit;
        if at_once && phase.collects() {
            return Err(Rejected::because("not_in_auction"));
        }
        Ok(())
    }

    fn check_phase(&self, at: usize) -> Result<(), Rejected> {
        let instrument = &self.instruments[at];
        if self.day_is_over() {
            return Err(Rejected::because("closed"));
        }
        match instrument.phase {
            Phase::Closed => Err(Rejected::because("closed")),
            _ if instrument.stale => Err(Rejected::because("stale")),
            Phase::Halted => Err(Rejected::because("halted")),
            _ if instrument.state != State::Trading => Err(Rejected::because("halted")),
            _ if !instrument.tape_trades() => Err(Rejected::because("operational_halt")),
            _ => Ok(()),
        }
    }

    fn check_quantities(&self, asked: &Asked) -> Result<(), Rejected> {
        let lot = self.instruments[asked.at].lot;
        for quantity in [Some(asked.quantity), asked.display].into_iter().flatten() {
            edge::shares(1, quantity)?;
            if quantity % lot != 0 {
                let count = |shares: i64| Figure::Count(shares.unsigned_abs());
                let off_lot = Rejected::because("quantity_off_lot");
                return Err(off_lot.with(count(lot), count(quantity)));
            }
        }
        Ok(())
    }

    fn check_prices(&self, asked: &Asked) -> Result<(), Rejected> {
        let tick = self.instruments[asked.at].tick;
        let off_tick = |price: i64| {
            let amount = |units| Figure::Amount(Amount::new(units));
            Rejected::because("price_off_tick").with(amount(tick), amount(price))
        };
        for price in [asked.limit, asked.stop, asked.trail].into_iter().flatten() {
            edge::price(price)?;
            if price % tick != 0 {
                return Err(off_tick(price));
            }
        }
        let offset = asked.offset.unwrap_or(0);
        if offset % tick != 0 {
            return Err(off_tick(offset.abs()));
        }
        Ok(())
    }

    /// The limit that a post-only order gets: its own, or where it slides to.
    pub(super) fn post_only_limit(
        &self,
        account: &str,
        at: usize,
        side: Side,
        limit: i64,
    ) -> Result<i64, Rejected> {
        if self.instruments[at].phase != Phase::Continuous {
            return Ok(limit);
        }
        let Some(best) = self.best(at, side.opposite()) else { return Ok(limit) };
        let reaches = match side {
            Side::Buy => limit >= best,
            Side::Sell => limit <= best,
        };
        if !reaches {
            return Ok(limit);
        }
        let amount = |units| Figure::Amount(Amount::new(units));
        let refused = Rejected::because("post_only").with(amount(best), amount(limit));
        let tick = self.instruments[at].tick;
        let slid = match side {
            Side::Buy => best - tick,
            Side::Sell => best + tick,
        };
        let slides = self.account(account).is_some_and(|known| known.post_only == PostOnly::Slide);
        if slides && (tick..=HIGHEST).contains(&slid) { Ok(slid) } else { Err(refused) }
    }

    /// The stop price with which a trailing stop begins.
    pub(super) fn first_stop(&self, asked: &Asked, side: Side) -> Result<i64, Rejected> {
        let last = self.instruments[asked.at].last;
        let followed = last.and_then(|last| trailing(side, last, asked.trail.unwrap_or(0)));
        match (asked.stop, followed) {
            (None, None) => Err(Rejected::because("no_reference_price")),
            (Some(stop), None) | (None, Some(stop)) => Ok(stop),
            (Some(own), Some(followed)) => Ok(match side {
                Side::Sell => own.max(followed),
                Side::Buy => own.min(followed),
            }),
        }
    }
}

/// Where a trailing stop stands after a print; `None` where that is no price.
pub(super) fn trailing(side: Side, print: i64, trail: i64) -> Option<i64> {
    let stop = match side {
        Side::Sell => print - trail,
        Side::Buy => print + trail,
    };
    (1..=HIGHEST).contains(&stop).then_some(stop)
}

fn check_combination(asked: &Asked) -> Result<(), Rejected> {
    use Tif::{AtClose, AtOpen, Day, Fok, Gtc, Gtd, Ioc};
    let limited = asked.limit.is_some();
    if asked.kind == Kind::MarketToLimit && limited {
        return Err(Rejected::combination("price"));
    }
    let offered: &[Tif] = match asked.kind {
        Kind::Limit => &[Day, Ioc, Fok, Gtc, Gtd, AtOpen, AtClose],
        Kind::Market => &[Day, Ioc, Fok, AtOpen, AtClose],
        Kind::MarketToLimit => &[Day, Ioc, Fok, Gtc, Gtd],
        _ => &[Day, Gtc, Gtd],
    };
    if !offered.contains(&asked.tif) {
        return Err(Rejected::combination("tif"));
    }
    let may_be_concealed = match asked.kind {
        Kind::Limit | Kind::MarketToLimit | Kind::StopLimit => true,
        Kind::TrailingStop => limited,
        _ => false,
    } && matches!(asked.tif, Day | Gtc | Gtd);
    let iceberg = asked.display.is_some();
    if asked.hidden && (!may_be_concealed || iceberg) {
        return Err(Rejected::combination("hidden"));
    }
    if iceberg && !may_be_concealed {
        return Err(Rejected::combination("display"));
    }
    if asked.post_only && !(asked.kind == Kind::Limit && matches!(asked.tif, Day | Gtc | Gtd)) {
        return Err(Rejected::combination("post_only"));
    }
    if asked.minimum != 0 && asked.tif == Fok {
        return Err(Rejected::combination("minimum_quantity"));
    }
    Ok(())
}

impl Order {
    /// What a replaced order asks for.
    pub(super) fn asked(&self) -> Asked {
        let stop = matches!(self.kind, Kind::Stop | Kind::StopLimit | Kind::TrailingStop);
        let signed = |shares: u64| i64::try_from(shares).unwrap_or(i64::MAX);
        Asked {
            at: self.at,
            kind: self.kind,
            limit: self.limit,
            // The stop price stays as it is, wherever it has moved to.
            stop: None,
            trail: (stop && self.kind == Kind::TrailingStop).then_some(self.trail),
            offset: self.is_peg().then_some(self.offset),
            quantity: signed(self.open),
            display: (self.display != 0).then_some(signed(self.display)),
            hidden: self.hidden,
            post_only: self.post_only,
            minimum: signed(self.minimum),
            tif: self.tif,
            expire: self.expire,
        }
    }
}
