//! The engine's reasons as OUCH 4.2 letters.
//!
//! Editions differ in their lower-case reject letters, so only upper-case ones are sent.

use spindle_engine::event::{Field, RejectReason};
use spindle_risk::Check;

/// The reason of a Rejected message; `None` where OUCH says nothing: a token used before is a
/// retransmission.
pub const fn reject_letter(reason: RejectReason, observed: u64) -> Option<u8> {
    Some(match reason {
        RejectReason::DuplicateToken => return None,
        RejectReason::UnknownInstrument => b'S',
        RejectReason::Halted
        | RejectReason::OperationalHalt
        | RejectReason::Stale
        | RejectReason::Quarantined => b'H',
        RejectReason::Closed => b'C',
        RejectReason::InvalidQuantity | RejectReason::QuantityOffLot => b'Z',
        RejectReason::InvalidPrice
        | RejectReason::PriceOffTick
        | RejectReason::InvalidCombination(Field::Limit | Field::Stop) => b'X',
        RejectReason::InvalidDisplay
        | RejectReason::InvalidCombination(Field::Display | Field::Hidden) => b'D',
        RejectReason::InvalidCross => b'R',
        RejectReason::MinimumQuantity | RejectReason::InvalidCombination(Field::Minimum) => b'N',
        RejectReason::NotInAuction | RejectReason::WrongPhase => b'M',
        RejectReason::InvalidOption if observed == option::FIRM => b'L',
        RejectReason::Risk(Check::Account | Check::Killed) => b'L',
        RejectReason::Risk(Check::OrderSize) => b'Z',
        RejectReason::Risk(Check::Side)
        | RejectReason::Risk(_)
        | RejectReason::InvalidOption
        | RejectReason::InvalidSide
        | RejectReason::InvalidTimeInForce
        | RejectReason::Capacity
        | RejectReason::ShortSale
        | RejectReason::InvalidCombination(Field::TimeInForce | Field::PostOnly)
        | RejectReason::PostOnly
        | RejectReason::InvalidExpiry
        | RejectReason::NoReferencePrice => b'O',
    })
}

/// What [`RejectReason::InvalidOption`] saw is a field of the protocol.
pub mod option {
    /// The firm.
    pub const FIRM: u64 = 1;
    /// The ISO flag.
    pub const ISO: u64 = 2;
    /// The customer type.
    pub const CUSTOMER: u64 = 3;
    /// A token that is none: 14 letters or digits, padded with spaces.
    pub const TOKEN: u64 = 4;
}

/// The name of such a field.
pub(super) const fn option_name(observed: u64) -> &'static str {
    match observed {
        option::FIRM => "firm",
        option::ISO => "ISO eligibility",
        option::CUSTOMER => "customer type",
        option::TOKEN => "token",
        _ => "option",
    }
}

/// The meaning of a reject letter, for people; `None` for letters that are not sent.
pub const fn reject_meaning(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'T' => "test",
        b'H' => "halted",
        b'Z' => "shares exceed threshold",
        b'S' => "invalid stock",
        b'D' => "invalid display",
        b'C' => "closed",
        b'L' => "firm not authorized",
        b'M' => "outside permitted times",
        b'R' => "not allowed in this cross",
        b'X' => "invalid price",
        b'N' => "invalid minimum quantity",
        b'O' => "other",
        b'W' => "invalid midpoint post-only price",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reject_reason_has_its_letter() {
        let table = [
            (RejectReason::UnknownInstrument, b'S'),
            (RejectReason::Halted, b'H'),
            (RejectReason::OperationalHalt, b'H'),
            (RejectReason::ShortSale, b'O'),
            (RejectReason::Stale, b'H'),
            (RejectReason::Quarantined, b'H'),
            (RejectReason::Closed, b'C'),
            (RejectReason::InvalidQuantity, b'Z'),
            (RejectReason::InvalidPrice, b'X'),
            (RejectReason::InvalidSide, b'O'),
            (RejectReason::InvalidTimeInForce, b'O'),
            (RejectReason::InvalidDisplay, b'D'),
            (RejectReason::InvalidCross, b'R'),
            (RejectReason::Capacity, b'O'),
            (RejectReason::QuantityOffLot, b'Z'),
            (RejectReason::PriceOffTick, b'X'),
            (RejectReason::PostOnly, b'O'),
            (RejectReason::MinimumQuantity, b'N'),
            (RejectReason::InvalidCombination(Field::Limit), b'X'),
            (RejectReason::InvalidCombination(Field::Stop), b'X'),
            (RejectReason::InvalidCombination(Field::TimeInForce), b'O'),
            (RejectReason::InvalidCombination(Field::Display), b'D'),
            (RejectReason::InvalidCombination(Field::Hidden), b'D'),
            (RejectReason::InvalidCombination(Field::PostOnly), b'O'),
            (RejectReason::InvalidCombination(Field::Minimum), b'N'),
            (RejectReason::InvalidExpiry, b'O'),
            (RejectReason::NoReferencePrice, b'O'),
            (RejectReason::NotInAuction, b'M'),
            (RejectReason::WrongPhase, b'M'),
        ];
        for (reason, letter) in table {
            assert_eq!(reject_letter(reason, 0), Some(letter), "{}", reason.name());
            assert!(letter.is_ascii_uppercase() && reject_meaning(letter).is_some());
        }
        for check in Check::ALL {
            let letter = match check {
                Check::Account | Check::Killed => b'L',
                Check::OrderSize => b'Z',
                _ => b'O',
            };
            assert_eq!(reject_letter(RejectReason::Risk(check), 0), Some(letter));
        }
        let option = RejectReason::InvalidOption;
        assert_eq!(reject_letter(option, option::FIRM), Some(b'L'));
        assert_eq!(reject_letter(option, option::ISO), Some(b'O'));
        assert_eq!(reject_letter(RejectReason::DuplicateToken, 0), None);
    }
}
