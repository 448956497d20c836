//! The engine's reasons as FIX codes and texts. No match has a catch-all, so a new reason does not
//! compile without its codes.

use spindle_engine::command::{OrderSide, TimeInForce};
use spindle_engine::event::{CancelReason, Liquidity, RejectReason};
use spindle_risk::{Check, Measure};

use crate::fix::dictionary::Version;
use crate::fix::encode::Writer;

/// The unit of a refusal's limit and of what was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A plain number: shares, orders, a tag.
    Number,
    /// Ten-thousandths of the currency.
    Money,
}

/// OrdRejReason in 4.2 and in 4.4, which has finer ones, and the unit of the figures.
const fn facts(reason: RejectReason) -> (u64, u64, Unit) {
    use Unit::{Money, Number};
    match reason {
        RejectReason::UnknownInstrument => (1, 1, Number),
        RejectReason::Halted | RejectReason::OperationalHalt | RejectReason::Closed => {
            (2, 2, Number)
        }
        RejectReason::DuplicateToken => (6, 6, Number),
        RejectReason::Risk(check) => {
            let (fix42, fix44) = check_codes(check);
            (fix42, fix44, unit(check))
        }
        RejectReason::InvalidQuantity | RejectReason::QuantityOffLot => (0, 13, Number),
        RejectReason::InvalidSide
        | RejectReason::InvalidTimeInForce
        | RejectReason::InvalidDisplay
        | RejectReason::InvalidCross
        | RejectReason::InvalidOption
        | RejectReason::MinimumQuantity
        | RejectReason::InvalidCombination(_)
        | RejectReason::NoReferencePrice
        | RejectReason::NotInAuction
        | RejectReason::WrongPhase => (0, 11, Number),
        RejectReason::PostOnly | RejectReason::ShortSale => (0, 11, Money),
        RejectReason::InvalidPrice | RejectReason::PriceOffTick => (0, 99, Money),
        RejectReason::Stale
        | RejectReason::Quarantined
        | RejectReason::InvalidExpiry
        | RejectReason::Capacity => (0, 99, Number),
    }
}

/// OrdRejReason in 4.2 and in 4.4 for a check of the risk gate.
const fn check_codes(check: Check) -> (u64, u64) {
    match check {
        Check::Account => (0, 15),
        Check::Duplicate => (6, 6),
        Check::OrderSize
        | Check::OrderValue
        | Check::LuldBand
        | Check::Collar
        | Check::OpenOrders
        | Check::Position
        | Check::BoughtQuantity
        | Check::SoldQuantity
        | Check::BoughtValue
        | Check::SoldValue
        | Check::GrossExposure
        | Check::NetExposure
        | Check::Credit
        | Check::Loss => (3, 3),
        Check::Side | Check::Locate | Check::RegSho => (0, 11),
        Check::Killed
        | Check::Restricted
        | Check::Positions
        | Check::MessageRate
        | Check::OrderRate
        | Check::NoPrice
        | Check::RepeatedExecution
        | Check::OrderToTrade => (0, 99),
    }
}

/// The unit of what a check of the risk gate tells.
const fn unit(check: Check) -> Unit {
    match check.measure() {
        Measure::Money => Unit::Money,
        Measure::Count | Measure::None => Unit::Number,
    }
}

/// OrdRejReason.
pub(crate) const fn ord_rej_reason(version: Version, reason: RejectReason) -> u64 {
    let (fix42, fix44, _) = facts(reason);
    match version {
        Version::Fix42 => fix42,
        Version::Fix44 => fix44,
    }
}

/// CxlRejReason of a replacement that was refused while its original stands.
pub(super) const fn cxl_rej_reason(version: Version, reason: RejectReason) -> u64 {
    match (version, ord_rej_reason(version, reason)) {
        (Version::Fix44, 6) => 6,
        (Version::Fix44, _) => 99,
        (Version::Fix42, _) => 2,
    }
}

/// MassCancelRejectReason: unknown security, not supported, other.
pub(super) const fn mass_cancel_reject_reason(reason: RejectReason) -> u64 {
    match ord_rej_reason(Version::Fix44, reason) {
        1 => 1,
        11 => 0,
        _ => 99,
    }
}

/// The text of a refusal: what was checked, what would be allowed, what was asked.
pub(crate) fn write_refusal(
    text: &mut Writer<'_>,
    reason: RejectReason,
    limit: u64,
    observed: u64,
) {
    text.raw(reason.name().as_bytes());
    match reason {
        RejectReason::InvalidOption => drop(text.raw(b": tag ").digits(observed)),
        RejectReason::InvalidCombination(field) => {
            text.raw(b": ").raw(field.name().as_bytes());
        }
        _ if limit == 0 && observed == 0 => {}
        _ => {
            text.raw(b": limit ");
            amount(text, reason, limit);
            text.raw(b", observed ");
            amount(text, reason, observed);
        }
    }
}

/// A value in its reason's unit, as people read it.
fn amount(text: &mut Writer<'_>, reason: RejectReason, value: u64) {
    if facts(reason).2 == Unit::Money {
        text.digits(value / 10_000).raw(b".");
        for unit in [1_000, 100, 10, 1] {
            text.digits(value / unit % 10);
        }
    } else {
        text.digits(value);
    }
}

/// Whether a cancel is told as an order that has expired.
pub(crate) const fn is_expiry(reason: CancelReason) -> bool {
    match reason {
        CancelReason::EndOfDay | CancelReason::Expired => true,
        CancelReason::UserRequest
        | CancelReason::ImmediateOrCancel
        | CancelReason::InvalidReplace
        | CancelReason::Protection
        | CancelReason::Capacity
        | CancelReason::NoLiquidity
        | CancelReason::FillOrKill
        | CancelReason::MinimumQuantity
        | CancelReason::SelfTrade
        | CancelReason::AuctionOver
        | CancelReason::MassCancel
        | CancelReason::Killed
        | CancelReason::Risk(_) => false,
    }
}

/// LastLiquidityInd.
pub(crate) const fn liquidity(liquidity: Liquidity) -> u64 {
    match liquidity {
        Liquidity::Added => 1,
        Liquidity::Removed => 2,
    }
}

/// Side.
pub(crate) const fn side(side: OrderSide) -> u8 {
    match side {
        OrderSide::Buy => b'1',
        OrderSide::Sell => b'2',
        OrderSide::SellShort => b'5',
        OrderSide::SellShortExempt => b'6',
    }
}

/// TimeInForce.
pub(crate) const fn time_in_force(time_in_force: TimeInForce) -> u8 {
    match time_in_force {
        TimeInForce::Day => b'0',
        TimeInForce::GoodTillCancel => b'1',
        TimeInForce::AtOpen => b'2',
        TimeInForce::ImmediateOrCancel => b'3',
        TimeInForce::FillOrKill => b'4',
        TimeInForce::GoodTillDate(_) | TimeInForce::GoodFor(_) => b'6',
        TimeInForce::AtClose => b'7',
    }
}

/// AvgPx: the average price of executed shares of this value, in millionths, rounded to the nearest.
#[inline]
pub(crate) fn average(value: u64, executed: u32) -> u64 {
    let executed = u128::from(executed.max(1));
    let average = (u128::from(value) * 100 + executed / 2) / executed;
    u64::try_from(average).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reason: RejectReason, limit: u64, observed: u64) -> String {
        let mut space = [0; 128];
        let mut writer = Writer::new(&mut space);
        write_refusal(&mut writer, reason, limit, observed);
        String::from_utf8(writer.written().to_vec()).expect("ASCII")
    }

    #[test]
    fn a_refusal_names_check_limit_and_what_was_seen() {
        let table = [
            (RejectReason::Risk(Check::OrderSize), 500, 600, "order_size: limit 500, observed 600"),
            (
                RejectReason::Risk(Check::OrderValue),
                100_000_000,
                100_000_001,
                "order_value: limit 10000.0000, observed 10000.0001",
            ),
            (RejectReason::Halted, 0, 0, "halted"),
            (RejectReason::InvalidOption, 0, 21, "invalid_option: tag 21"),
            (
                RejectReason::InvalidCombination(spindle_engine::event::Field::PostOnly),
                0,
                0,
                "invalid_combination: post_only",
            ),
        ];
        for (reason, limit, observed, expected) in table {
            assert_eq!(text(reason, limit, observed), expected);
        }
    }

    #[test]
    fn the_numbers_are_those_of_the_version() {
        use Version::{Fix42, Fix44};
        let table = [
            (RejectReason::UnknownInstrument, 1, 1),
            (RejectReason::Closed, 2, 2),
            (RejectReason::DuplicateToken, 6, 6),
            (RejectReason::InvalidQuantity, 0, 13),
            (RejectReason::InvalidSide, 0, 11),
            (RejectReason::Stale, 0, 99),
            (RejectReason::Risk(Check::Account), 0, 15),
            (RejectReason::Risk(Check::OrderSize), 3, 3),
        ];
        for (reason, fix42, fix44) in table {
            assert_eq!(ord_rej_reason(Fix42, reason), fix42, "{reason:?}");
            assert_eq!(ord_rej_reason(Fix44, reason), fix44, "{reason:?}");
        }
    }
}
