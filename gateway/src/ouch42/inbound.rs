//! What clients send.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Token;
use super::messages::messages;
use crate::ouch::DecodeError;
use crate::ouch::fields::{Alpha, U32be};

messages! {
    /// `O`: a new order.
    Enter b'O' 49 or EnterWithoutCustomer {
        /// The client's name for it: not used before today.
        token: Token,
        /// B buy, S sell, T sell short, E sell short exempt.
        side: u8,
        /// 1 to 999,999 shares.
        shares: U32be,
        /// Symbol.
        stock: Alpha<8>,
        /// Limit in 1/10,000, or [`super::MARKET_PRICE`].
        price: U32be,
        /// Seconds to live, or one of the constants of [`super`].
        time_in_force: U32be,
        /// Four capitals; blank is the port's default.
        firm: Alpha<4>,
        /// A attributable, Y anonymous, N not shown, P post-only, M midpoint peg; others see the specification.
        display: u8,
        /// A agency, P principal, R riskless, O other.
        capacity: u8,
        /// Y eligible, N not, y trade-at.
        iso: u8,
        /// Least shares that may execute on entry; 0 none.
        minimum: U32be,
        /// N none, O opening, C closing; others see the specification.
        cross: u8,
        /// R retail designated, N not, space is the port's default; absent in the older form.
        customer: u8,
    }
    /// `U`: another order in the place of an open one.
    Replace b'U' 47 {
        /// The token of the open order.
        existing: Token,
        /// The client's name for the new one.
        token: Token,
        /// Shares of the whole chain, those already executed included.
        shares: U32be,
        /// As in Enter.
        price: U32be,
        /// As in Enter.
        time_in_force: U32be,
        /// As in Enter.
        display: u8,
        /// As in Enter.
        iso: u8,
        /// As in Enter.
        minimum: U32be,
    }
    /// `X`: cancel an open order or part of it.
    Cancel b'X' 19 {
        /// The token of the open order.
        token: Token,
        /// The size that it shall have in total, executed shares included; 0 cancels what is open.
        shares: U32be,
    }
    /// `M`: change side or size of an open order in its place.
    Modify b'M' 20 {
        /// The token of the open order.
        token: Token,
        /// The new side.
        side: u8,
        /// The new size.
        shares: U32be,
    }
    /// `N`: take liquidity from an order that locks with a resting one.
    TradeNow b'N' 15 {
        /// The token of the open order.
        token: Token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bytes;

    /// The first is a packet that Wireshark dissects; the others are laid out by hand from the tables.
    pub(crate) const GOLDEN: &[(&str, &str)] = &[
        (
            "Enter",
            "4f 544f4b454e303030303030303031 42 00000064 4141504c20202020 0016f0a8 0001869e \
             4649524d 59 41 4e 00000000 4e 20",
        ),
        (
            "EnterWithoutCustomer",
            "4f 544f4b454e303030303030303031 42 00000064 4141504c20202020 0016f0a8 0001869e \
             4649524d 59 41 4e 00000000 4e",
        ),
        (
            "Replace",
            "55 544f4b454e303030303030303031 544f4b454e303030303030303032 000000c8 0016f10c 00000000 \
             4e 4e 00000032",
        ),
        ("Cancel", "58 544f4b454e303030303030303031 00000028"),
        ("Modify", "4d 544f4b454e303030303030303031 54 00000028"),
        ("TradeNow", "4e 544f4b454e303030303030303031"),
    ];

    #[test]
    fn golden_messages_survive_decoding_and_encoding() {
        for (name, hex) in GOLDEN {
            let wire = bytes(hex);
            let message = Message::decode(&wire).expect(hex);
            assert_eq!((message.name(), message.as_bytes()), (*name, &wire[..]));
        }
    }

    #[test]
    fn fields_are_where_the_specification_says() {
        let wire = bytes(GOLDEN[0].1);
        let Ok(Message::Enter(enter)) = Message::decode(&wire) else { panic!("not an enter") };
        assert_eq!((&enter.token, enter.side, enter.shares.get()), (b"TOKEN000000001", b'B', 100));
        assert_eq!((&enter.stock, enter.price.get()), (b"AAPL    ", 1_503_400));
        assert_eq!((enter.time_in_force.get(), &enter.firm), (99_998, b"FIRM"));
        let letters = [enter.display, enter.capacity, enter.iso, enter.cross, enter.customer];
        assert_eq!((&letters, enter.minimum.get()), (b"YANN ", 0));
        let wire = bytes(GOLDEN[2].1);
        let Ok(Message::Replace(replace)) = Message::decode(&wire) else { panic!("no replace") };
        assert_eq!((&replace.existing, &replace.token), (b"TOKEN000000001", b"TOKEN000000002"));
        assert_eq!((replace.shares.get(), replace.price.get()), (200, 1_503_500));
        assert_eq!((replace.time_in_force.get(), replace.minimum.get()), (0, 50));
        assert_eq!((replace.display, replace.iso), (b'N', b'N'));
        let wire = bytes(GOLDEN[4].1);
        let Ok(Message::Modify(modify)) = Message::decode(&wire) else { panic!("no modify") };
        assert_eq!((modify.side, modify.shares.get()), (b'T', 40));
    }

    #[test]
    fn every_type_has_the_length_of_the_summary() {
        let table: [(u8, usize); 5] = [(b'O', 49), (b'U', 47), (b'X', 19), (b'M', 20), (b'N', 15)];
        assert_eq!(MESSAGES, table);
        for (message_type, needed) in table {
            let mut wire = vec![0; needed + 1];
            wire[0] = message_type;
            let long = Message::decode(&wire);
            let got = needed + 1;
            assert_eq!(long, Err(DecodeError::Long { message_type, needed, got }));
            assert!(Message::decode(&wire[..needed]).is_ok());
            let got = needed - if message_type == b'O' { 2 } else { 1 };
            let short = Message::decode(&wire[..got]);
            assert_eq!(short, Err(DecodeError::Short { message_type, needed, got }));
        }
        assert_eq!(Message::decode(b""), Err(DecodeError::Empty));
        assert_eq!(Message::decode(b"Q"), Err(DecodeError::UnknownType(b'Q')));
    }
}
