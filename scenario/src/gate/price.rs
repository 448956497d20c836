//! What an order is valued at, and how far it may go: collar, band and protection price.

use rust_decimal::Decimal;
use spindle_risk::Key;
use spindle_types::Side;

use super::judge::refuse;
use super::{Ask, NaiveGate, Refused, Seen, Shape, Who, amount, told, units};

/// The highest price of an order.
fn highest() -> Decimal {
    amount((1 << 31) - 1)
}

impl NaiveGate {
    /// How far a collar reaches from a price.
    fn width(&self, who: Who, price: Decimal, tick: Decimal) -> Option<Decimal> {
        let ticks = self.limit(who, Key::CollarTicks, 0).map(|ticks| tick * Decimal::from(ticks));
        let percent = self.limit(who, Key::CollarPercent, 0).map(|points| {
            let part = units(price) * Decimal::from(points) / Decimal::from(10_000);
            part.floor() / Decimal::from(10_000)
        });
        let money = self.limit(who, Key::CollarMoney, 0).map(amount);
        [ticks, percent, money].into_iter().flatten().min()
    }

    /// A price so far away from the market.
    fn away(side: Side, price: Decimal, width: Decimal) -> Decimal {
        match side {
            Side::Buy => (price + width).min(highest()),
            Side::Sell => (price - width).max(Decimal::ZERO),
        }
    }

    /// What is worse of two prices for whoever is protected: the one that lets less through.
    fn tighter(side: Side, one: Decimal, other: Decimal) -> Decimal {
        if side == Side::Buy { one.min(other) } else { one.max(other) }
    }

    fn reference(&self, ask: &Ask, seen: &Seen) -> Option<Decimal> {
        let other = if ask.side == Side::Buy { seen.ask } else { seen.bid };
        other.or(seen.last).or(self.about(ask.instrument).reference)
    }

    /// The tightest collar and its level; the band and its level.
    #[allow(clippy::type_complexity)]
    fn bounds(
        &self,
        ask: &Ask,
        seen: &Seen,
        levels: &[(Who, &'static str)],
    ) -> (Option<(Decimal, &'static str)>, Option<(Decimal, &'static str)>) {
        let reference = self.reference(ask, seen);
        let mut collar: Option<(Decimal, &'static str)> = None;
        for &(who, level) in levels {
            let Some(reference) = reference else { continue };
            let Some(width) = self.width(who, reference, seen.tick) else { continue };
            let bound = Self::away(ask.side, reference, width);
            let is_tighter = collar.is_none_or(|(before, _)| {
                before != bound && Self::tighter(ask.side, before, bound) == bound
            });
            if is_tighter {
                collar = Some((bound, level));
            }
        }
        let about = self.about(ask.instrument);
        let (low, high) = match seen.band {
            Some((low, high)) => (Some(low), Some(high)),
            None => (about.low, about.high),
        };
        let end = if ask.side == Side::Buy { high } else { low };
        let heeds = levels
            .iter()
            .find(|(who, _)| self.limited.contains(who) && self.is_on(*who, Key::Luld));
        let band = heeds.and_then(|(_, level)| end.map(|end| (end, *level)));
        (collar, band)
    }

    /// The furthest price of an order without a limit, if anything bounds it.
    pub fn protection(&self, ask: &Ask, seen: &Seen) -> Option<Decimal> {
        let levels = self.levels(ask.account, ask.session, ask.instrument);
        let (collar, band) = self.bounds(ask, seen, &levels);
        let ends = [collar, band].into_iter().flatten().map(|(end, _)| end);
        ends.reduce(|one, other| Self::tighter(ask.side, one, other))
    }

    /// What the order is valued at; value, band and collar.
    pub(super) fn check_price(
        &self,
        ask: &Ask,
        seen: &Seen,
        levels: &[(Who, &'static str)],
    ) -> Result<Decimal, Refused> {
        let currency = self.currency(ask.instrument);
        let reference = self.reference(ask, seen);
        let (collar, band) = self.bounds(ask, seen, levels);
        let protection = self.protection(ask, seen);
        let price = match (ask.side, ask.shape, ask.limit) {
            (Side::Buy, _, Some(limit)) => Some(limit),
            (Side::Buy, Shape::Plain, None) => reference.map(|price| protection.unwrap_or(price)),
            (Side::Buy, Shape::Stop(stop), None) => {
                let widths = levels.iter().filter_map(|(who, _)| self.width(*who, stop, seen.tick));
                let width = widths.min().unwrap_or(Decimal::ZERO);
                Some(Self::away(Side::Buy, stop, width))
            }
            (Side::Buy, Shape::Free, None) => Some(highest()),
            (Side::Sell, Shape::Stop(stop), None) => Some(stop),
            (Side::Sell, Shape::Stop(stop), Some(limit)) => {
                [Some(stop), Some(limit), reference].into_iter().flatten().max()
            }
            (Side::Sell, _, Some(limit)) => Some(limit.max(reference.unwrap_or(limit))),
            (Side::Sell, _, None) => reference,
        };
        let needs_price = levels.iter().any(|(who, _)| {
            [
                Key::OrderValueMax,
                Key::BoughtValueMax,
                Key::SoldValueMax,
                Key::GrossExposureMax,
                Key::NetExposureMax,
                Key::CreditMax,
            ]
            .into_iter()
            .any(|key| self.limit(*who, key, currency).is_some())
        });
        if price.is_none() && needs_price {
            refuse("no_price", "account", 0, 0)?;
        }
        let price = price.unwrap_or(Decimal::ZERO);
        let value = told(units(price) * Decimal::from(ask.quantity));
        for &(who, level) in levels {
            if let Some(most) = self.limit(who, Key::OrderValueMax, currency)
                && value > most
            {
                refuse("order_value", level, most, value)?;
            }
        }
        let held = match (ask.shape, ask.limit) {
            (Shape::Stop(_), _) | (Shape::Plain, None) => None,
            (_, Some(limit)) => Some(limit),
            (Shape::Free, None) => Some(if ask.side == Side::Buy { highest() } else { amount(1) }),
        };
        if let Some(held) = held {
            let is_beyond = |end: Decimal| match ask.side {
                Side::Buy => held > end,
                Side::Sell => held < end,
            };
            for (check, bound) in [("luld_band", band), ("collar", collar)] {
                if let Some((end, level)) = bound.filter(|(end, _)| is_beyond(*end)) {
                    refuse(check, level, told(units(end)), told(units(held)))?;
                }
            }
        }
        Ok(price)
    }
}
