//! What clients send.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Appendage;
use super::messages::fields::{Alpha, U16be, U32be, U64be};
use super::messages::{DecodeError, Form, appendage, messages};

messages! {
    /// `O`: a new order.
    Enter b'O' 47 Always {
        /// The client's number for it: higher than every one before.
        user_ref_num: U32be,
        /// B buy, S sell, T sell short, E sell short exempt.
        side: u8,
        /// 1 to 999,999 shares.
        quantity: U32be,
        /// Symbol.
        symbol: Alpha<8>,
        /// Limit in 1/10,000, or [`super::MARKET_PRICE`].
        price: U64be,
        /// 0 day, 3 immediate or cancel, 5 extended hours, 6 until a time, E after hours.
        time_in_force: u8,
        /// Y visible, N hidden, A attributable.
        display: u8,
        /// A agency, P principal, R riskless, O other.
        capacity: u8,
        /// Y or N.
        iso: u8,
        /// N continuous, O opening, C closing, H halt, S supplemental, R retail, E extended life,
        /// A after hours.
        cross: u8,
        /// Free text of the client.
        client_order_id: Alpha<14>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `U`: another order in the place of an open one.
    Replace b'U' 40 Always {
        /// The number of the open order.
        original: U32be,
        /// The client's number for the new one: higher than every one before.
        user_ref_num: U32be,
        /// Shares of the whole chain, those already executed included.
        quantity: U32be,
        /// Limit in 1/10,000, or [`super::MARKET_PRICE`].
        price: U64be,
        /// As in Enter, without E.
        time_in_force: u8,
        /// Y, N or A.
        display: u8,
        /// Y or N.
        iso: u8,
        /// Free text of the client.
        client_order_id: Alpha<14>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `X`: cancel an open order or part of it.
    Cancel b'X' 9 Optional {
        /// The number of the open order.
        user_ref_num: U32be,
        /// The size that it shall have in total, executed shares included; 0 cancels what is open.
        quantity: U32be,
    }
    /// `M`: change side or size of an open order in its place.
    Modify b'M' 10 Optional {
        /// The number of the open order.
        user_ref_num: U32be,
        /// The new side.
        side: u8,
        /// The new size.
        quantity: U32be,
    }
    /// `C` (1.05): cancel the orders of a firm.
    MassCancel b'C' 19 Always {
        /// A new number.
        user_ref_num: U32be,
        /// Whose orders.
        firm: Alpha<4>,
        /// Of which instrument; spaces for all.
        symbol: Alpha<8>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `D` (1.05): take no more orders of a firm.
    DisableEntry b'D' 11 Always {
        /// A new number.
        user_ref_num: U32be,
        /// Whose orders.
        firm: Alpha<4>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `E` (1.05): take orders of a firm again.
    EnableEntry b'E' 11 Always {
        /// A new number.
        user_ref_num: U32be,
        /// Whose orders.
        firm: Alpha<4>,
        /// Bytes of options.
        appendage_length: U16be,
    }
    /// `Q`: which number is the next?
    AccountQuery b'Q' 1 Optional {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bytes;

    /// Real captures, and for what nobody has captured bytes laid out by hand from the tables.
    const GOLDEN: &[(&str, &str)] = &[
        (
            "Enter",
            "4f 00000071 54 000000e1 43564c5420202020 0000000000099db8 3059414e4e \
             4838465542384956202020202020 0006 05024c494d45",
        ),
        (
            "Replace",
            "55 00000071 00000072 0000012c 0000000000099db8 30 59 4e 4f524445523220202020202020 20 0000",
        ),
        ("Cancel", "5800752e7100000000"),
        ("Cancel", "5800752e71000000000000"),
        ("Cancel", "5800752e71000000000003021c05"),
        ("Modify", "4d000000715400000064"),
        ("Modify", "4d0000007154000000640000"),
        ("MassCancel", "43000000014649524d4141504c202020200000"),
        ("DisableEntry", "44000000014649524d0000"),
        ("EnableEntry", "45000000014649524d0003021c00"),
        ("AccountQuery", "51"),
        ("AccountQuery", "510000"),
    ];

    #[test]
    fn golden_messages_survive_decoding_and_encoding() {
        for (name, hex) in GOLDEN {
            let wire = bytes(hex);
            let message = Message::decode(&wire).expect(hex);
            assert_eq!(message.name(), *name);
            assert_eq!(message.to_owned_bytes(), wire, "{name}");
        }
    }

    #[test]
    fn fields_are_where_the_specification_says() {
        let wire = bytes(GOLDEN[0].1);
        let Ok(Message::Enter(enter, options)) = Message::decode(&wire) else {
            panic!("not an enter")
        };
        assert_eq!((enter.user_ref_num.get(), enter.side, enter.quantity.get()), (113, b'T', 225));
        assert_eq!((&enter.symbol, enter.price.get()), (b"CVLT    ", 630_200));
        let letters = [enter.time_in_force, enter.display, enter.capacity, enter.iso, enter.cross];
        assert_eq!(&letters, b"0YANN");
        assert_eq!(&enter.client_order_id, b"H8FUB8IV      ");
        assert_eq!(options.iter().next().map(|option| option.value), Some(&b"LIME"[..]));
        let wire = bytes(GOLDEN[1].1);
        let Ok(Message::Replace(replace, _)) = Message::decode(&wire) else {
            panic!("not a replace")
        };
        assert_eq!((replace.original.get(), replace.user_ref_num.get()), (113, 114));
        assert_eq!((replace.quantity.get(), replace.price.get()), (300, 630_200));
        assert_eq!(&[replace.time_in_force, replace.display, replace.iso], b"0YN");
        assert_eq!(&replace.client_order_id, b"ORDER2        ");
    }

    #[test]
    fn every_type_has_the_length_of_the_summary() {
        let table: [(u8, usize); 8] = [
            (b'O', 47),
            (b'U', 40),
            (b'X', 9),
            (b'M', 10),
            (b'C', 19),
            (b'D', 11),
            (b'E', 11),
            (b'Q', 1),
        ];
        assert_eq!(MESSAGES, table);
        for (message_type, needed) in table {
            let mut wire = vec![0; needed];
            wire[0] = message_type;
            assert_eq!(Message::decode(&wire).expect("full").to_owned_bytes(), wire);
            if needed > 1 {
                let short = Message::decode(&wire[..needed - 1]);
                let got = needed - 1;
                assert_eq!(short, Err(DecodeError::Short { message_type, needed, got }));
            }
            wire.push(0);
            assert!(
                matches!(Message::decode(&wire), Err(DecodeError::AppendageLength { .. })),
                "a stray byte after {}",
                char::from(message_type)
            );
        }
        assert_eq!(Message::decode(b""), Err(DecodeError::Empty));
        assert_eq!(Message::decode(b"Z"), Err(DecodeError::UnknownType(b'Z')));
    }

    #[test]
    fn appendage_lengths_that_lie_are_refused() {
        let refused = |hex: &str| Message::decode(&bytes(hex)).expect_err(hex);
        let wrong = |message_type, announced, got| DecodeError::AppendageLength {
            message_type,
            announced,
            got,
        };
        assert_eq!(refused("44000000014649524d0001"), wrong(b'D', 1, 0));
        assert_eq!(refused("44000000014649524d0000ff"), wrong(b'D', 0, 1));
        assert_eq!(refused("510001"), wrong(b'Q', 1, 0));
        assert!(matches!(refused("51000100"), DecodeError::Chain { message_type: b'Q', .. }));
    }
}
