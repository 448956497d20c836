//! The engine's reasons as OUCH codes.
//!
//! Only codes that both editions of OUCH 5.0 have are sent.

use spindle_engine::event::{CancelReason, Field, Liquidity, RejectReason};
use spindle_risk::Check;

use super::tag::Tag;

/// What [`RejectReason::InvalidOption`] saw is an option of the protocol: below 256 the number of
/// a tag, and these for fields.
pub mod option {
    /// The capacity.
    pub const CAPACITY: u64 = 0x100;
    /// The ISO flag.
    pub const ISO: u64 = 0x101;
    /// Order entry, which the client has disabled.
    pub const DISABLED: u64 = 0x102;
}

/// The reason of a Rejected message for the engine's reason and what it saw. `None` where OUCH
/// says nothing: a number used before is a retransmission, and a rejection with that number would
/// be taken for one of the order that has it.
pub const fn reject_code(reason: RejectReason, observed: u64) -> Option<u16> {
    Some(match reason {
        RejectReason::UnknownInstrument => 0x17,
        RejectReason::Halted | RejectReason::OperationalHalt => 0x07,
        RejectReason::ShortSale => 0x23,
        RejectReason::Stale | RejectReason::Quarantined => 0x01,
        RejectReason::Closed => 0x02,
        RejectReason::InvalidQuantity => 0x13,
        RejectReason::InvalidPrice => 0x1d,
        RejectReason::InvalidSide => 0x09,
        RejectReason::InvalidTimeInForce => 0x0f,
        RejectReason::InvalidDisplay => 0x03,
        RejectReason::InvalidCross => 0x14,
        RejectReason::InvalidOption => option_code(observed),
        RejectReason::DuplicateToken => return None,
        RejectReason::Capacity => 0x0a,
        RejectReason::Risk(check) => check_code(check),
        RejectReason::QuantityOffLot => 0x13,
        RejectReason::PriceOffTick => 0x1d,
        RejectReason::MinimumQuantity => 0x0d,
        RejectReason::InvalidCombination(Field::Display) => 0x04,
        RejectReason::InvalidCombination(Field::Hidden) => 0x03,
        RejectReason::InvalidCombination(Field::Minimum) => 0x0d,
        RejectReason::InvalidCombination(Field::Limit | Field::Stop) => 0x1d,
        RejectReason::InvalidCombination(Field::TimeInForce | Field::PostOnly)
        | RejectReason::PostOnly
        | RejectReason::InvalidExpiry
        | RejectReason::NoReferencePrice
        | RejectReason::NotInAuction
        | RejectReason::WrongPhase => 0x0f,
    })
}

/// The code for a check of the risk gate.
const fn check_code(check: Check) -> u16 {
    match check {
        Check::Account | Check::Killed => 0x0c,
        Check::Restricted => 0x22,
        Check::Side => 0x09,
        Check::RegSho => 0x23,
        Check::Locate => 0x27,
        Check::Positions => 0x0a,
        Check::MessageRate | Check::OrderRate | Check::OrderToTrade => 0x29,
        Check::RepeatedExecution => 0x28,
        Check::Duplicate => 0x2a,
        Check::OrderSize => 0x1e,
        Check::OrderValue => 0x1f,
        Check::NoPrice | Check::LuldBand | Check::Collar => 0x26,
        Check::OpenOrders
        | Check::Position
        | Check::BoughtQuantity
        | Check::SoldQuantity
        | Check::BoughtValue
        | Check::SoldValue
        | Check::GrossExposure
        | Check::NetExposure
        | Check::Credit
        | Check::Loss => 0x20,
    }
}

/// The specific code for an option that is not offered, or "other".
const fn option_code(observed: u64) -> u16 {
    const OTHER: u16 = 0x0f;
    if observed == option::ISO {
        return 0x08;
    }
    if observed == option::DISABLED {
        return 0x0c;
    }
    if observed > 0xff {
        return OTHER;
    }
    #[allow(clippy::cast_possible_truncation, reason = "it is below 256")]
    match Tag::from_number(observed as u8) {
        Some(Tag::Firm) => 0x0c,
        Some(Tag::MinQuantity) => 0x0d,
        Some(Tag::CustomerType) => 0x1a,
        Some(Tag::MaxFloor) => 0x04,
        Some(Tag::PriceType) => 0x05,
        Some(Tag::PegOffset) => 0x11,
        Some(Tag::Route) => 0x16,
        _ => OTHER,
    }
}

/// The reason letter of a Canceled message.
pub const fn cancel_letter(reason: CancelReason) -> u8 {
    match reason {
        CancelReason::UserRequest | CancelReason::InvalidReplace | CancelReason::MassCancel => b'U',
        CancelReason::ImmediateOrCancel
        | CancelReason::FillOrKill
        | CancelReason::MinimumQuantity => b'I',
        CancelReason::SelfTrade => b'Q',
        CancelReason::Expired => b'T',
        CancelReason::AuctionOver => b'C',
        CancelReason::Protection | CancelReason::NoLiquidity => b'K',
        CancelReason::EndOfDay => b'E',
        CancelReason::Capacity => b'Z',
        CancelReason::Killed | CancelReason::Risk(_) => b'S',
    }
}

/// The liquidity flag of an Executed message.
pub const fn liquidity_flag(liquidity: Liquidity) -> u8 {
    match liquidity {
        Liquidity::Added => b'A',
        Liquidity::Removed => b'R',
    }
}

/// The meaning of a reject code, for people; `None` for codes that OUCH does not have.
pub const fn reject_meaning(code: u16) -> Option<&'static str> {
    Some(match code {
        0x01 => "quote unavailable",
        0x02 => "destination closed",
        0x03 => "invalid display",
        0x04 => "invalid max floor",
        0x05 => "invalid peg type",
        0x06 => "fat finger",
        0x07 => "halted",
        0x08 => "ISO not allowed",
        0x09 => "invalid side",
        0x0a => "processing error",
        0x0b => "cancel pending",
        0x0c => "firm not authorized",
        0x0d => "invalid min quantity",
        0x0e => "no closing reference price",
        0x0f => "other",
        0x10 => "cancel not allowed",
        0x11 => "pegging not allowed",
        0x12 => "crossed market",
        0x13 => "invalid quantity",
        0x14 => "invalid cross order",
        0x15 => "replace not allowed",
        0x16 => "routing not allowed",
        0x17 => "invalid symbol",
        0x18 => "test",
        0x19 => "late limit-on-close too aggressive",
        0x1a => "retail not allowed",
        0x1b => "invalid midpoint post-only price",
        0x1c => "invalid destination",
        0x1d => "invalid price",
        0x1e => "shares exceed threshold",
        0x1f => "exceeds maximum notional",
        0x20 => "risk: aggregate exposure",
        0x21 => "risk: market impact",
        0x22 => "risk: restricted stock",
        0x23 => "risk: short sell restricted",
        0x24 => "risk: order type restricted",
        0x25 => "risk: exceeds ADV limit",
        0x26 => "risk: fat finger",
        0x27 => "risk: locate required",
        0x28 => "risk: symbol message rate",
        0x29 => "risk: port message rate",
        0x2a => "risk: duplicate message rate",
        0x2b => "risk: short sell not allowed",
        0x2c => "risk: market order not allowed",
        0x2d => "risk: pre-market not allowed",
        0x2e => "risk: post-market not allowed",
        0x2f => "risk: short exempt not allowed",
        0x30 => "risk: single-order notional",
        0x31 => "risk: max quantity",
        0x32 => "Reg SHO state not available",
        0x33 => "IPO market buy not allowed",
        0x40 => "invalid AIQ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reason with its code, in the order of the enum. The match in [`reject_code`] has no
    /// catch-all, so a new reason does not compile without a code; here it must be written down a
    /// second time.
    #[test]
    fn every_reject_reason_has_its_code() {
        let table = [
            (RejectReason::UnknownInstrument, Some("invalid symbol")),
            (RejectReason::Halted, Some("halted")),
            (RejectReason::Stale, Some("quote unavailable")),
            (RejectReason::Quarantined, Some("quote unavailable")),
            (RejectReason::Closed, Some("destination closed")),
            (RejectReason::InvalidQuantity, Some("invalid quantity")),
            (RejectReason::InvalidPrice, Some("invalid price")),
            (RejectReason::InvalidSide, Some("invalid side")),
            (RejectReason::InvalidTimeInForce, Some("other")),
            (RejectReason::InvalidDisplay, Some("invalid display")),
            (RejectReason::InvalidCross, Some("invalid cross order")),
            (RejectReason::InvalidOption, Some("other")),
            (RejectReason::DuplicateToken, None),
            (RejectReason::Capacity, Some("processing error")),
            (RejectReason::Risk(Check::Account), Some("firm not authorized")),
            (RejectReason::Risk(Check::OrderSize), Some("shares exceed threshold")),
            (RejectReason::Risk(Check::OrderValue), Some("exceeds maximum notional")),
            (RejectReason::Risk(Check::Collar), Some("risk: fat finger")),
            (RejectReason::Risk(Check::Killed), Some("firm not authorized")),
            (RejectReason::Risk(Check::Restricted), Some("risk: restricted stock")),
            (RejectReason::Risk(Check::Side), Some("invalid side")),
            (RejectReason::Risk(Check::Locate), Some("risk: locate required")),
            (RejectReason::Risk(Check::RegSho), Some("risk: short sell restricted")),
            (RejectReason::Risk(Check::Positions), Some("processing error")),
            (RejectReason::Risk(Check::MessageRate), Some("risk: port message rate")),
            (RejectReason::Risk(Check::OrderRate), Some("risk: port message rate")),
            (RejectReason::Risk(Check::NoPrice), Some("risk: fat finger")),
            (RejectReason::Risk(Check::LuldBand), Some("risk: fat finger")),
            (RejectReason::Risk(Check::Duplicate), Some("risk: duplicate message rate")),
            (RejectReason::Risk(Check::RepeatedExecution), Some("risk: symbol message rate")),
            (RejectReason::Risk(Check::OrderToTrade), Some("risk: port message rate")),
            (RejectReason::Risk(Check::OpenOrders), Some("risk: aggregate exposure")),
            (RejectReason::Risk(Check::Position), Some("risk: aggregate exposure")),
            (RejectReason::Risk(Check::BoughtQuantity), Some("risk: aggregate exposure")),
            (RejectReason::Risk(Check::SoldQuantity), Some("risk: aggregate exposure")),
            (RejectReason::Risk(Check::BoughtValue), Some("risk: aggregate exposure")),
            (RejectReason::Risk(Check::SoldValue), Some("risk: aggregate exposure")),
            (RejectReason::Risk(Check::GrossExposure), Some("risk: aggregate exposure")),
            (RejectReason::Risk(Check::NetExposure), Some("risk: aggregate exposure")),
            (RejectReason::Risk(Check::Credit), Some("risk: aggregate exposure")),
            (RejectReason::Risk(Check::Loss), Some("risk: aggregate exposure")),
            (RejectReason::QuantityOffLot, Some("invalid quantity")),
            (RejectReason::PriceOffTick, Some("invalid price")),
            (RejectReason::PostOnly, Some("other")),
            (RejectReason::MinimumQuantity, Some("invalid min quantity")),
            (RejectReason::InvalidCombination(Field::Limit), Some("invalid price")),
            (RejectReason::InvalidCombination(Field::Stop), Some("invalid price")),
            (RejectReason::InvalidCombination(Field::TimeInForce), Some("other")),
            (RejectReason::InvalidCombination(Field::Display), Some("invalid max floor")),
            (RejectReason::InvalidCombination(Field::Hidden), Some("invalid display")),
            (RejectReason::InvalidCombination(Field::PostOnly), Some("other")),
            (RejectReason::InvalidCombination(Field::Minimum), Some("invalid min quantity")),
            (RejectReason::InvalidExpiry, Some("other")),
            (RejectReason::NoReferencePrice, Some("other")),
            (RejectReason::NotInAuction, Some("other")),
            (RejectReason::WrongPhase, Some("other")),
        ];
        for (reason, meaning) in table {
            let code = reject_code(reason, 0);
            assert_eq!(code.and_then(reject_meaning), meaning, "{}", reason.name());
            assert!(code.is_none_or(|code| code <= 0x2a), "only codes that both editions have");
        }
        for check in Check::ALL {
            assert!(table.iter().any(|(reason, _)| *reason == RejectReason::Risk(check)));
        }
    }

    #[test]
    fn options_are_refused_by_name() {
        let meaning =
            |observed| reject_code(RejectReason::InvalidOption, observed).and_then(reject_meaning);
        assert_eq!(meaning(option::ISO), Some("ISO not allowed"));
        assert_eq!(meaning(option::CAPACITY), Some("other"));
        assert_eq!(meaning(option::DISABLED), Some("firm not authorized"));
        assert_eq!(meaning(Tag::MaxFloor as u64), Some("invalid max floor"));
        assert_eq!(meaning(Tag::PriceType as u64), Some("invalid peg type"));
        assert_eq!(meaning(Tag::MinQuantity as u64), Some("invalid min quantity"));
        assert_eq!(meaning(Tag::PegOffset as u64), Some("pegging not allowed"));
        assert_eq!(meaning(Tag::PostOnly as u64), Some("other"));
        assert_eq!(meaning(0x1_0000_0002), Some("other"), "no number is cut to a tag");
    }

    #[test]
    fn every_cancel_reason_has_its_letter() {
        let table = [
            (CancelReason::UserRequest, b'U'),
            (CancelReason::ImmediateOrCancel, b'I'),
            (CancelReason::InvalidReplace, b'U'),
            (CancelReason::Protection, b'K'),
            (CancelReason::EndOfDay, b'E'),
            (CancelReason::Capacity, b'Z'),
            (CancelReason::NoLiquidity, b'K'),
            (CancelReason::FillOrKill, b'I'),
            (CancelReason::MinimumQuantity, b'I'),
            (CancelReason::SelfTrade, b'Q'),
            (CancelReason::Expired, b'T'),
            (CancelReason::AuctionOver, b'C'),
            (CancelReason::MassCancel, b'U'),
            (CancelReason::Killed, b'S'),
            (CancelReason::Risk(Check::Collar), b'S'),
        ];
        for (reason, letter) in table {
            assert_eq!(cancel_letter(reason), letter, "{reason:?}");
        }
    }
}
