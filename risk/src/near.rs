//! Sums and their limits on the quick way. Of each sum one figure is kept, the **next** that matters: where a warning
//! begins, or the first beyond the limit. A sum below it needs no other look; what reaches it is looked at more closely.

use spindle_types::{Side, keep};

use crate::keys::{CURRENCIES_MAX, Key, OFF};
use crate::limits::Limits;
use crate::pass::Facts;
use crate::reject::Check;
use crate::request::Purpose;
use crate::view::{Added, View, day_of};

/// The next figure of each sum that matters to an order of a side.
#[derive(Clone, Copy, Debug, keep::Value)]
pub(crate) struct Next {
    open_orders: u64,
    position: i64,
    /// Bought or sold today, with what is open.
    day: u64,
    by: [InMoney; CURRENCIES_MAX],
}

/// The same of those in money of one currency.
#[derive(Clone, Copy, Debug, keep::Value)]
struct InMoney {
    value: i128,
    gross: i128,
    /// Of net exposure, and for a buy of credit, whichever comes first: both see the same sum.
    net: i128,
    /// Profit must stay above this: what is lost, negated.
    profit: i128,
}

impl Next {
    /// What follows from limits, and from where each is told.
    pub(crate) fn of(side: Side, limits: &Limits, warn: impl Fn(Key, usize) -> u64) -> Self {
        let next =
            |key: Key, currency: usize| match (limits.get(key, currency), warn(key, currency)) {
                // Never.
                (OFF, _) => i128::MAX,
                // Always: what is negative counts as 0.
                (_, 0) => i128::MIN,
                (limit, OFF) => i128::from(limit) + 1,
                (limit, warn) => i128::from(warn.min(limit + 1)),
            };
        let shares = |key: Key| {
            let next = next(key, 0);
            i64::try_from(next).unwrap_or(if next < 0 { i64::MIN } else { i64::MAX })
        };
        let unsigned = |key: Key| u64::try_from(shares(key)).unwrap_or(0);
        let (day, value) = match side {
            Side::Buy => (Key::BoughtQuantityMax, Key::BoughtValueMax),
            Side::Sell => (Key::SoldQuantityMax, Key::SoldValueMax),
        };
        let mut by = [InMoney { value: 0, gross: 0, net: 0, profit: 0 }; CURRENCIES_MAX];
        for (currency, by) in by.iter_mut().enumerate() {
            let net = next(Key::NetExposureMax, currency);
            *by = InMoney {
                value: next(value, currency),
                gross: next(Key::GrossExposureMax, currency),
                net: match side {
                    Side::Buy => net.min(next(Key::CreditMax, currency)),
                    Side::Sell => net,
                },
                profit: next(Key::LossMax, currency).saturating_neg(),
            };
        }
        Self {
            open_orders: unsigned(Key::OpenOrdersMax),
            position: shares(Key::PositionMax),
            day: unsigned(day),
            by,
        }
    }
}

/// Whether all sums of a level stay below the next figure that matters.
#[inline(always)]
pub(crate) fn sums_are_below<const SELLS: bool>(view: &View<'_>, facts: &Facts<'_>) -> bool {
    let added = &Added { side: if SELLS { Side::Sell } else { Side::Buy }, ..facts.added };
    let limited = view.set.limited[facts.currency];
    let next = &view.set.next[usize::from(SELLS)];
    let by = &next.by[facts.currency];
    let is_new = facts.request.purpose == Purpose::Enter;
    let shares = limited & SHARES == 0
        || ((view.open_orders() < next.open_orders || !is_new)
            && view.position_of(added) < next.position
            && day_of(view.flow, added) < next.day);
    shares
        && (limited & MONEY == 0
            || (view.value(added) < by.value
                && view.gross(added).0 < by.gross
                && view.net(added) < by.net
                && view.money.profit > by.profit))
}

/// Where some sum has reached what matters: whether the order passes the limits of all sums of a level without a doubt, and
/// which have reached the part of their limit that is told.
#[inline(never)]
pub(crate) fn sums_pass<const SELLS: bool>(view: &View<'_>, facts: &Facts<'_>) -> Option<u32> {
    let side = if SELLS { Side::Sell } else { Side::Buy };
    let added = &Added { side, ..facts.added };
    let (set, currency) = (view.set, facts.currency);
    let limited = set.limited[currency] & facts.applies;
    let (limits, warns) = (&set.limits.common, &set.warn);
    let (money_limits, money_warns) = (&set.limits.money[currency], &set.warn_money[currency]);
    let mut told = 0;
    if limited & SHARES != 0 {
        let mut hold = |check: Check, key: Key, observed: u64| {
            hold(check, observed, limits[key.place()], warns[key.place()], &mut told)
        };
        let (check, key) = match side {
            Side::Buy => (Check::BoughtQuantity, Key::BoughtQuantityMax),
            Side::Sell => (Check::SoldQuantity, Key::SoldQuantityMax),
        };
        let is_open = limited & Check::OpenOrders.bit() != 0;
        let passes = (!is_open || hold(Check::OpenOrders, Key::OpenOrdersMax, view.open_orders()))
            && hold(Check::Position, Key::PositionMax, view.position(added))
            && hold(check, key, day_of(view.flow, added));
        if !passes {
            return None;
        }
    }
    if limited & MONEY != 0 {
        let mut hold = |check: Check, key: Key, observed: i128| {
            // What is not above 0 reaches no limit; what leaves 64 bits is judged again.
            let Ok(observed) = u64::try_from(observed.max(0)) else {
                return false;
            };
            let place = key.place();
            hold(check, observed, money_limits[place], money_warns[place], &mut told)
        };
        let (check, key) = match side {
            Side::Buy => (Check::BoughtValue, Key::BoughtValueMax),
            Side::Sell => (Check::SoldValue, Key::SoldValueMax),
        };
        let net = view.net(added);
        let passes = hold(check, key, view.value(added))
            && hold(Check::GrossExposure, Key::GrossExposureMax, view.gross(added).0)
            && hold(Check::NetExposure, Key::NetExposureMax, net)
            && (SELLS || hold(Check::Credit, Key::CreditMax, net))
            && hold(Check::Loss, Key::LossMax, view.loss());
        if !passes {
            return None;
        }
    }
    Some(told & limited & set.warns[currency])
}

/// Whether a sum keeps a limit; noted where it reaches the part of it that is told.
#[inline(always)]
const fn hold(check: Check, observed: u64, limit: u64, warn: u64, told: &mut u32) -> bool {
    if observed >= warn {
        *told |= check.bit();
    }
    observed <= limit
}

/// Sums of orders and shares, and sums of money.
pub(crate) const SHARES: u32 = Check::OpenOrders.bit()
    | Check::Position.bit()
    | Check::BoughtQuantity.bit()
    | Check::SoldQuantity.bit();
pub(crate) const MONEY: u32 = crate::set::SUMS & !SHARES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::Set;

    #[test]
    fn what_matters_next_is_the_warning_or_the_first_beyond_the_limit() {
        for (percent, limit, expected) in
            [(70, 100, 70), (0, 100, 101), (100, 100, 100), (70, 1, 1), (70, 3, 3), (0, 0, 1)]
        {
            let limits = [
                Key::OpenOrdersMax,
                Key::PositionMax,
                Key::BoughtQuantityMax,
                Key::SoldQuantityMax,
                Key::BoughtValueMax,
                Key::SoldValueMax,
                Key::GrossExposureMax,
                Key::NetExposureMax,
                Key::LossMax,
            ]
            .into_iter()
            .fold(Limits::NONE.with(Key::WarnPercent, percent), |all, key| all.with(key, limit));
            for next in Set::new(limits).next {
                let shares = [next.open_orders, next.position.cast_unsigned(), next.day];
                assert_eq!(shares, [expected; 3], "{percent} of {limit}");
                let InMoney { value, gross, net, profit } = next.by[0];
                assert_eq!(
                    [value, gross, net, -profit],
                    [expected.into(); 4],
                    "{percent} of {limit}"
                );
                assert_eq!(next.by[1].gross, i128::MAX, "another currency");
            }
        }
        // The lower of net exposure and credit, of a buy alone; always, where a warning begins at nothing.
        let limits = Limits::NONE.with(Key::NetExposureMax, 100).with(Key::CreditMax, 10);
        let [buy, sell] = Set::new(limits).next;
        assert_eq!((buy.by[0].net, sell.by[0].net), (7, 70));
        let none = Set::new(Limits::NONE.with(Key::PositionMax, 0)).next[0];
        assert_eq!((none.position, none.day), (i64::MIN, i64::MAX as u64));
    }
}
