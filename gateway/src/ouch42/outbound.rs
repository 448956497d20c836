//! What the venue sends.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Token;
use super::messages::messages;
use crate::ouch::DecodeError;
use crate::ouch::fields::{Alpha, U32be, U64be};

messages! {
    /// `S`: the day begins or ends.
    SystemEvent b'S' 10 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// S start of day, E end of day.
        event_code: u8,
    }
    /// `A`: an order is accepted.
    Accepted b'A' 66 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
        /// As entered.
        side: u8,
        /// Accepted shares.
        shares: U32be,
        /// Symbol.
        stock: Alpha<8>,
        /// Accepted price.
        price: U32be,
        /// Accepted time in force.
        time_in_force: U32be,
        /// As entered.
        firm: Alpha<4>,
        /// Accepted display.
        display: u8,
        /// The venue's number.
        reference: U64be,
        /// As entered; O where that was none of the letters.
        capacity: u8,
        /// As entered.
        iso: u8,
        /// As entered.
        minimum: U32be,
        /// As entered.
        cross: u8,
        /// L live, D dead.
        state: u8,
        /// Where it stood to the best bid and offer; space where nothing is said.
        bbo_weight: u8,
    }
    /// `U`: an order stands in the place of another.
    Replaced b'U' 80 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name for the replacement.
        token: Token,
        /// Side of the first order of the chain.
        side: u8,
        /// Open shares now.
        shares: U32be,
        /// Symbol.
        stock: Alpha<8>,
        /// Accepted price.
        price: U32be,
        /// Accepted time in force.
        time_in_force: U32be,
        /// Of the first order of the chain.
        firm: Alpha<4>,
        /// Accepted display.
        display: u8,
        /// The venue's new number.
        reference: U64be,
        /// Of the first order of the chain.
        capacity: u8,
        /// As entered.
        iso: u8,
        /// As entered.
        minimum: U32be,
        /// Of the first order of the chain.
        cross: u8,
        /// L live, D dead.
        state: u8,
        /// The token of the order that is gone.
        previous: Token,
        /// As in Accepted.
        bbo_weight: u8,
    }
    /// `C`: shares were taken off an order.
    Canceled b'C' 28 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
        /// Shares taken off now.
        decrement: U32be,
        /// Why.
        reason: u8,
    }
    /// `D`: shares were taken off because own orders met. The form of October 2025 ends with the strategy.
    AiqCanceled b'D' 38 or AiqCanceledWithoutStrategy {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
        /// Shares taken off now.
        decrement: U32be,
        /// Q always.
        reason: u8,
        /// Shares that would have traded.
        quantity_prevented: U32be,
        /// At which price.
        price: U32be,
        /// With which liquidity flag.
        liquidity: u8,
        /// The strategy that applied.
        strategy: u8,
    }
    /// `E`: shares were executed.
    Executed b'E' 40 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
        /// Shares executed now.
        shares: U32be,
        /// At which price.
        price: U32be,
        /// A added, R removed; others see the specification.
        liquidity: u8,
        /// The number that both sides share.
        match_number: U64be,
    }
    /// `B`: an execution is taken back.
    BrokenTrade b'B' 32 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
        /// The number of the execution.
        match_number: U64be,
        /// E erroneous, C consent, S supervisory, X external.
        reason: u8,
    }
    /// `G`: shares were executed, with a reference price.
    ExecutedWithReference b'G' 45 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
        /// Shares executed now.
        shares: U32be,
        /// At which price.
        price: U32be,
        /// As in Executed.
        liquidity: u8,
        /// The number that both sides share.
        match_number: U64be,
        /// The reference price.
        reference_price: U32be,
        /// I intraday indicative value.
        reference_type: u8,
    }
    /// `F`: an execution is corrected.
    TradeCorrection b'F' 41 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
        /// Shares executed.
        shares: U32be,
        /// At which price.
        price: U32be,
        /// As in Executed.
        liquidity: u8,
        /// The number of the execution.
        match_number: U64be,
        /// N adjusted to net asset value.
        reason: u8,
    }
    /// `J`: a request is refused.
    Rejected b'J' 24 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The token that the request used up.
        token: Token,
        /// Why.
        reason: u8,
    }
    /// `P`: a cancel waits for a cross.
    CancelPending b'P' 23 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
    }
    /// `I`: a partial cancel comes too late before a cross.
    CancelReject b'I' 23 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
    }
    /// `T`: an order has a new place.
    PriorityUpdate b'T' 36 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
        /// Limit price.
        price: U32be,
        /// New display.
        display: u8,
        /// New reference.
        reference: U64be,
    }
    /// `M`: an order was modified in its place.
    Modified b'M' 28 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
        /// New side.
        side: u8,
        /// Open shares.
        shares: U32be,
    }
    /// `N`: a trade-now was taken.
    TradeNowAnswer b'N' 23 {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's name.
        token: Token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bytes;

    /// Time stamp, then TOKEN000000001: what nearly all of them begin with.
    const HEAD: &str = "00001f1aced9f07b 544f4b454e303030303030303031";

    /// A, E and U are packets that Wireshark dissects; the others are laid out by hand from the tables.
    const GOLDEN: &[(&str, &str)] = &[
        ("SystemEvent", "53 0000000000000001 53"),
        (
            "Accepted",
            "41 HEAD 42 00000064 4141504c20202020 0016f0a8 0001869e 4649524d 59 000000000000004d 41 4e \
             00000000 4e 4c 20",
        ),
        (
            "Replaced",
            "55 00001f1aced9f315 544f4b454e303030303030303032 42 0000003c 4141504c20202020 0016f10c \
             0001869e 4649524d 59 000000000000004e 41 4e 00000000 4e 4c \
             544f4b454e303030303030303031 20",
        ),
        ("Canceled", "43 HEAD 00000028 55"),
        ("AiqCanceled", "44 HEAD 00000028 51 00000028 0016f0a8 41 59"),
        ("AiqCanceledWithoutStrategy", "44 HEAD 00000028 51 00000028 0016f0a8 41"),
        ("Executed", "45 HEAD 00000028 0016f0a8 41 0000000000000063"),
        ("BrokenTrade", "42 HEAD 0000000000000063 45"),
        ("ExecutedWithReference", "47 HEAD 00000028 0016f0a8 41 0000000000000063 0016f10c 49"),
        ("TradeCorrection", "46 HEAD 00000028 0016f0a8 41 0000000000000063 4e"),
        ("Rejected", "4a HEAD 58"),
        ("CancelPending", "50 HEAD"),
        ("CancelReject", "49 HEAD"),
        ("PriorityUpdate", "54 HEAD 0016f0a8 59 000000000000004f"),
        ("Modified", "4d HEAD 54 00000028"),
        ("TradeNowAnswer", "4e HEAD"),
    ];

    #[test]
    fn golden_messages_survive_decoding_and_encoding() {
        for (name, hex) in GOLDEN {
            let wire = bytes(&hex.replace("HEAD", HEAD));
            let message = Message::decode(&wire).expect(hex);
            assert_eq!((message.name(), message.as_bytes()), (*name, &wire[..]));
        }
        assert_eq!(GOLDEN.len(), MESSAGES.len() + 1, "every message, one in two forms");
    }

    #[test]
    fn fields_are_where_the_specification_says() {
        let wire = bytes(GOLDEN[2].1);
        let Ok(Message::Replaced(replaced)) = Message::decode(&wire) else { panic!("no replaced") };
        assert_eq!((&replaced.token, replaced.shares.get()), (b"TOKEN000000002", 60));
        assert_eq!((&replaced.previous, replaced.reference.get()), (b"TOKEN000000001", 78));
        assert_eq!((replaced.state, replaced.bbo_weight), (b'L', b' '));
        let wire = bytes(&GOLDEN[4].1.replace("HEAD", HEAD));
        let Ok(Message::AiqCanceled(aiq)) = Message::decode(&wire) else { panic!("no D") };
        assert_eq!((aiq.reason, aiq.quantity_prevented.get(), aiq.strategy), (b'Q', 40, b'Y'));
        let wire = bytes(&GOLDEN[8].1.replace("HEAD", HEAD));
        let Ok(Message::ExecutedWithReference(executed)) = Message::decode(&wire) else {
            panic!("no G")
        };
        assert_eq!((executed.reference_price.get(), executed.reference_type), (1_503_500, b'I'));
    }

    #[test]
    fn every_type_has_the_length_of_the_summary() {
        let table: &[(u8, usize)] = &[
            (b'S', 10),
            (b'A', 66),
            (b'U', 80),
            (b'C', 28),
            (b'D', 38),
            (b'E', 40),
            (b'B', 32),
            (b'G', 45),
            (b'F', 41),
            (b'J', 24),
            (b'P', 23),
            (b'I', 23),
            (b'T', 36),
            (b'M', 28),
            (b'N', 23),
        ];
        assert_eq!(MESSAGES, table);
    }
}
