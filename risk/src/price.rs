//! What an order is valued at, and how far it may go.

use spindle_types::{Price, Side};

use crate::keys::{Key, OFF};
use crate::limits::Limits;
use crate::request::{Form, InstrumentState, Market, Request};

/// The highest price of an order.
pub(crate) const HIGHEST: u32 = (1 << 31) - 1;

/// What an order of a side is measured against.
#[inline]
pub(crate) fn reference(side: Side, market: &Market, state: &InstrumentState) -> Option<Price> {
    let other = match side {
        Side::Buy => market.ask,
        Side::Sell => market.bid,
    };
    other.or(market.last).or(state.reference)
}

/// How far from a price the collar of these limits reaches: the least of what is set.
#[inline(always)]
pub(crate) fn width(limits: &Limits, price: Price, tick: u32) -> Option<u64> {
    let (ticks, percent) = (limits.at(Key::CollarTicks), limits.at(Key::CollarPercent));
    let mut width = limits.at(Key::CollarMoney);
    if ticks != OFF {
        // Both below 2^32.
        width = width.min(ticks * u64::from(tick));
    }
    if percent != OFF {
        width = width.min(u64::from(price.0) * percent / 10_000);
    }
    if width == OFF { None } else { Some(width) }
}

/// A price moved away from the market, within what prices can be.
#[inline(always)]
pub(crate) fn moved(side: Side, price: Price, width: u64) -> Price {
    let width = u32::try_from(width).unwrap_or(u32::MAX);
    Price(match side {
        Side::Buy => price.0.saturating_add(width).min(HIGHEST),
        Side::Sell => price.0.saturating_sub(width),
    })
}

/// The nearer of two bounds, which for a buy is the lower one.
#[inline]
pub(crate) fn nearer(side: Side, one: Option<Price>, other: Option<Price>) -> Option<Price> {
    match (one, other) {
        (Some(one), Some(other)) => Some(match side {
            Side::Buy => one.min(other),
            Side::Sell => one.max(other),
        }),
        (one, other) => one.or(other),
    }
}

/// The price that collar and band are held against; `None` where they are not: a stop that waits,
/// and what is protected when it trades.
#[inline]
pub(crate) fn held(request: &Request) -> Option<Price> {
    match (request.form, request.limit) {
        (Form::Stop(_), _) => None,
        (_, Some(limit)) => Some(limit),
        (Form::Plain, None) => None,
        (Form::Free, None) => Some(match request.side {
            Side::Buy => Price(HIGHEST),
            Side::Sell => Price(1),
        }),
    }
}

/// The worst price that an order could get; `None` where nothing says. `protection` is the nearest
/// of collars and band from the reference, `stop_width` the collar's width at the stop price.
#[inline]
pub(crate) fn valued(
    request: &Request,
    reference: Option<Price>,
    protection: Option<Price>,
    stop_bound: Option<Price>,
) -> Option<Price> {
    match (request.side, request.form, request.limit) {
        (Side::Buy, _, Some(limit)) => Some(limit),
        (Side::Buy, Form::Plain, None) => reference.map(|price| protection.unwrap_or(price)),
        (Side::Buy, Form::Stop(stop), None) => Some(stop_bound.unwrap_or(stop)),
        (Side::Buy, Form::Free, None) => Some(Price(HIGHEST)),
        (Side::Sell, Form::Stop(stop), None) => Some(stop),
        (Side::Sell, Form::Stop(stop), Some(limit)) => Some(stop.max(limit).max(or_0(reference))),
        (Side::Sell, _, Some(limit)) => Some(limit.max(or_0(reference))),
        (Side::Sell, _, None) => reference,
    }
}

fn or_0(price: Option<Price>) -> Price {
    price.unwrap_or_default()
}
