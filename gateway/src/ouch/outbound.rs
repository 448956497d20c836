//! What the venue sends. Every message but the system event ends with options in the revision
//! 1.05; where the edition of 2023 has none, both forms are read and the short one is written.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Appendage;
use super::messages::fields::{Alpha, U16be, U32be, U64be};
use super::messages::{DecodeError, Form, appendage, messages};

messages! {
    /// `S`: the day begins or ends.
    SystemEvent b'S' 10 Plain {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// S start of day, E end of day.
        event_code: u8,
    }
    /// `A`: an order is accepted.
    Accepted b'A' 64 Always {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
        /// As entered.
        side: u8,
        /// Accepted shares.
        quantity: U32be,
        /// Symbol.
        symbol: Alpha<8>,
        /// Accepted price.
        price: U64be,
        /// Accepted time in force: the same or a shorter one.
        time_in_force: u8,
        /// Y, N, A, or Z conformant.
        display: u8,
        /// The venue's number.
        reference: U64be,
        /// As entered.
        capacity: u8,
        /// As entered.
        iso: u8,
        /// As entered.
        cross: u8,
        /// L live, D dead.
        state: u8,
        /// As entered.
        client_order_id: Alpha<14>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `U`: an order stands in the place of another.
    Replaced b'U' 68 Always {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The number of the order that is gone.
        original: U32be,
        /// The number of the order that stands instead.
        user_ref_num: U32be,
        /// Side of the first order of the chain.
        side: u8,
        /// Open shares now.
        quantity: U32be,
        /// Symbol.
        symbol: Alpha<8>,
        /// Accepted price.
        price: U64be,
        /// Accepted time in force.
        time_in_force: u8,
        /// Y, N, A or Z.
        display: u8,
        /// The venue's new number.
        reference: U64be,
        /// Of the first order of the chain.
        capacity: u8,
        /// As entered.
        iso: u8,
        /// Of the first order of the chain.
        cross: u8,
        /// L live, D dead.
        state: u8,
        /// Of the replacement.
        client_order_id: Alpha<14>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `C`: shares were taken off an order.
    Canceled b'C' 18 Optional {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
        /// Shares taken off now.
        quantity: U32be,
        /// Why: see [`codes`](super::codes).
        reason: u8,
    }
    /// `D`: shares were taken off because own orders met.
    AiqCanceled b'D' 32 Optional {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
        /// Shares taken off now.
        decrement: U32be,
        /// Q always.
        reason: u8,
        /// Shares that would have traded.
        quantity_prevented: U32be,
        /// At which price.
        price: U64be,
        /// With which liquidity flag.
        liquidity: u8,
        /// The strategy that applied.
        strategy: u8,
    }
    /// `E`: shares were executed.
    Executed b'E' 36 Always {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
        /// Shares executed now.
        quantity: U32be,
        /// At which price.
        price: U64be,
        /// A added, R removed; others see the specification.
        liquidity: u8,
        /// The number that both sides share.
        match_number: U64be,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `B`: an execution is taken back.
    BrokenTrade b'B' 36 Optional {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
        /// The number of the execution.
        match_number: U64be,
        /// E erroneous, C consent, S supervisory, X external.
        reason: u8,
        /// Of the order.
        client_order_id: Alpha<14>,
    }
    /// `J`: a request is refused.
    Rejected b'J' 29 Optional {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The number that the request used up.
        user_ref_num: U32be,
        /// Why: see [`codes`](super::codes).
        reason: U16be,
        /// As entered.
        client_order_id: Alpha<14>,
    }
    /// `P`: a cancel waits for a cross.
    CancelPending b'P' 13 Optional {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
    }
    /// `I`: a partial cancel comes too late before a cross.
    CancelReject b'I' 13 Optional {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
    }
    /// `T`: an order has a new place.
    PriorityUpdate b'T' 30 Optional {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
        /// Limit price.
        price: U64be,
        /// New display.
        display: u8,
        /// New reference.
        reference: U64be,
    }
    /// `M`: an order was modified in its place.
    Modified b'M' 18 Optional {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
        /// New side.
        side: u8,
        /// Open shares.
        quantity: U32be,
    }
    /// `R`: what is displayed of an order changed.
    Restated b'R' 16 Always {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The client's number.
        user_ref_num: U32be,
        /// R display refreshed, P displayed price updated.
        reason: u8,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `X` (1.05): a mass cancel is under way.
    MassCancelResponse b'X' 27 Always {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The number of the request.
        user_ref_num: U32be,
        /// Whose orders.
        firm: Alpha<4>,
        /// Of which instrument; spaces for all.
        symbol: Alpha<8>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `G` (1.05): no more orders of the firm are taken.
    DisableEntryResponse b'G' 19 Always {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The number of the request.
        user_ref_num: U32be,
        /// Whose orders.
        firm: Alpha<4>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `K` (1.05): orders of the firm are taken again.
    EnableEntryResponse b'K' 19 Always {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The number of the request.
        user_ref_num: U32be,
        /// Whose orders.
        firm: Alpha<4>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `Q`: the next number.
    AccountQueryResponse b'Q' 13 Optional {
        /// Nanoseconds since midnight.
        timestamp: U64be,
        /// The next usable number.
        next_user_ref_num: U32be,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bytes;

    /// A, C are real captures; the others are laid out by hand from the tables.
    const GOLDEN: &[(&str, &str)] = &[
        ("SystemEvent", "530000000000000001 53"),
        (
            "Accepted",
            "410000289b4d64af8700753a8d42000000284144424520202020000000000048e7483559000000000f56\
             b4f5414e4e4c3736383237303120202020202020000905024d4c524f021230",
        ),
        (
            "Replaced",
            "550000289b4d64af87 00000071 00000072 54 0000012c 43564c5420202020 0000000000099db8 30 \
             59 00000000000003e8 41 4e 4e 4c 4f524445523220202020202020 20 0000",
        ),
        ("Canceled", "430000289b4d68131700753a8d0000002855"),
        ("Canceled", "430000289b4d68131700753a8d0000002855 0003 021c05"),
        ("AiqCanceled", "44 0000289b4d681317 00753a8d 00000028 51 00000028 000000000048e748 52 2a"),
        (
            "Executed",
            "45 0000289b4d681317 00753a8d 00000028 000000000048e748 52 00000000000003e9 0000",
        ),
        (
            "BrokenTrade",
            "42 0000289b4d681317 00753a8d 00000000000003e9 45 4f524445523220202020202020 20",
        ),
        ("Rejected", "4a 0000289b4d681317 00753a8d 001d 4f524445523220202020202020 20"),
        ("CancelPending", "50 0000289b4d681317 00753a8d"),
        ("CancelReject", "49 0000289b4d681317 00753a8d 0000"),
        ("PriorityUpdate", "54 0000289b4d681317 00753a8d 000000000048e748 59 00000000000003ea"),
        ("Modified", "4d 0000289b4d681317 00753a8d 54 00000020"),
        ("Restated", "52 0000289b4d681317 00753a8d 52 0006 0516 00000064"),
        ("MassCancelResponse", "58 0000289b4d681317 00753a8d 4649524d 4141504c20202020 0000"),
        ("DisableEntryResponse", "47 0000289b4d681317 00753a8d 4649524d 0000"),
        ("EnableEntryResponse", "4b 0000289b4d681317 00753a8d 4649524d 0000"),
        ("AccountQueryResponse", "51 0000289b4d681317 00753a8e"),
    ];

    #[test]
    fn golden_messages_survive_decoding_and_encoding() {
        for (name, hex) in GOLDEN {
            let wire = bytes(hex);
            let message = Message::decode(&wire).expect(hex);
            assert_eq!(message.name(), *name);
            assert_eq!(message.to_owned_bytes(), wire, "{name}");
        }
        for &(message_type, _) in MESSAGES {
            let seen = GOLDEN.iter().any(|(_, hex)| bytes(hex)[0] == message_type);
            assert!(seen, "no golden bytes for {}", char::from(message_type));
        }
    }

    #[test]
    fn fields_are_where_the_specification_says() {
        let wire = bytes(GOLDEN[1].1);
        let Ok(Message::Accepted(accepted, options)) = Message::decode(&wire) else {
            panic!("not an acceptance")
        };
        assert_eq!(accepted.timestamp.get(), 0x0000_289b_4d64_af87);
        assert_eq!(accepted.user_ref_num.get(), 7_682_701);
        assert_eq!((accepted.side, accepted.quantity.get()), (b'B', 40));
        assert_eq!((&accepted.symbol, accepted.price.get()), (b"ADBE    ", 4_777_800));
        assert_eq!((accepted.time_in_force, accepted.display), (b'5', b'Y'));
        assert_eq!(accepted.reference.get(), 0x0f56_b4f5);
        let letters = [accepted.capacity, accepted.iso, accepted.cross, accepted.state];
        assert_eq!(&letters, b"ANNL");
        assert_eq!(&accepted.client_order_id, b"7682701       ");
        let numbers: Vec<_> = options.iter().map(|option| option.number).collect();
        assert_eq!(numbers, [2, 18]);
        let wire = bytes(GOLDEN[6].1);
        let Ok(Message::Executed(executed, _)) = Message::decode(&wire) else {
            panic!("not an execution")
        };
        assert_eq!((executed.quantity.get(), executed.price.get()), (40, 4_777_800));
        assert_eq!((executed.liquidity, executed.match_number.get()), (b'R', 1_001));
    }

    #[test]
    fn every_type_has_the_length_of_the_summary() {
        let table: [(u8, usize); 17] = [
            (b'S', 10),
            (b'A', 64),
            (b'U', 68),
            (b'C', 18),
            (b'D', 32),
            (b'E', 36),
            (b'B', 36),
            (b'J', 29),
            (b'P', 13),
            (b'I', 13),
            (b'T', 30),
            (b'M', 18),
            (b'R', 16),
            (b'X', 27),
            (b'G', 19),
            (b'K', 19),
            (b'Q', 13),
        ];
        assert_eq!(MESSAGES, table);
        for (message_type, needed) in table {
            let mut wire = vec![0; needed];
            wire[0] = message_type;
            assert_eq!(Message::decode(&wire).expect("full").to_owned_bytes(), wire);
            let short = Message::decode(&wire[..needed - 1]);
            let got = needed - 1;
            assert_eq!(short, Err(DecodeError::Short { message_type, needed, got }));
        }
    }

    #[test]
    fn unknown_options_of_answers_are_skipped_by_their_length() {
        let mut wire = bytes("52 0000289b4d681317 00753a8d 52 000a 03c80102 0516 00000064");
        let Ok(Message::Restated(_, options)) = Message::decode(&wire) else {
            panic!("not a restatement")
        };
        let display = options.get(super::super::tag::Tag::DisplayQuantity);
        assert_eq!(display.map(|option| option.as_number()), Some(100));
        wire[16] = 10;
        assert!(matches!(Message::decode(&wire), Err(DecodeError::Chain { .. })));
    }
}
