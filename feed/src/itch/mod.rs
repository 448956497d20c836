//! Nasdaq TotalView-ITCH 5.0: the messages, encoder and decoder in one.
//!
//! Each message is a plain struct whose memory layout is the wire layout, so a decoded message is
//! a view into the packet (nothing is copied) and an encoded one is the struct's own bytes. All
//! integers are big-endian; alpha fields are ASCII, padded on the right with spaces. Layouts follow
//! the specification's 2026 edition; earlier editions have the same ones without `O`.

mod event;
mod messages;

pub use event::to_event;
pub use messages::*;

use thiserror::Error;

/// Why bytes are not a message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// No byte at all, so no type either.
    #[error("an empty message; an ITCH 5.0 message has at least 11 bytes")]
    Empty,
    /// A type that this edition does not know. The framing tells its length: skip it.
    #[error("unknown message type {}", printable(*.0))]
    UnknownType(u8),
    /// Shorter than its type demands.
    #[error("message type {} has {got} bytes; it needs {needed}", printable(*.message_type))]
    Short {
        /// The type byte.
        message_type: u8,
        /// Bytes that the type demands.
        needed: usize,
        /// Bytes that were there.
        got: usize,
    },
}

/// A type byte as people read it: `'A'`, or `0x07` where it is no printable character.
pub fn printable(byte: u8) -> String {
    if byte.is_ascii_graphic() { format!("'{}'", char::from(byte)) } else { format!("{byte:#04x}") }
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
            .collect()
    }

    /// Real messages, captured from the exchange's own feed.
    const REAL: &[&str] = &[
        "52000d00000a37d4d0d3094141504c20202020514e000000644e435a20504e4e314e000000004e",
        "48000d00000a37eaed11924141504c20202020542020202020",
        "59000d00000a37eaed14b44141504c2020202030",
        "4c000d00000a3a6780f14f4753434f4141504c20202020594e41",
        "41000d00000d18eaab3613000000000000dbf1530000012c4141504c20202020003131c0",
        "46000d00001948f95c8dc6000000000037bde942000000644141504c20202020000000644e495445",
        "50000d00020d1b863d6d45000000000000000042000000644141504c20202020003102e000000000000045cf",
        "44000d00000d1c13b3a003000000000001a34d",
        "45000d00020d1f03f1cb0a000000000001a4c10000001e00000000000045fc",
        "58000d00000fa122ca150900000000000baa8900000032",
        "55000d00001a1cb763e0a100000000003e0ca100000000003e0ca9000000640030daa4",
        "4313e400011f1aceebb03b00000000013113de0000133e000000000003e65d4e00036e20",
        "5113e400021f1aceebb03b0000000000001503494254472020202000036e20000000000003e65e4f",
        "49193e00001f1acede0ab2000000000000000100000000000000004e4d44432020202020000716100007161000\
         0716104f4c",
        "4a2c3d00001f1e703b4f955a585a5a5420202000020918000223440001aa9000000000",
        "482c3d00001f1e7036e4655a585a5a5420202050204c554450",
        "53000000001f1acedb02f051",
        "4e04ea00001f1aceceff2f42495a44202020204e",
    ];

    #[test]
    fn real_messages_survive_decoding_and_encoding() {
        for hex in REAL {
            let wire = bytes(hex);
            let message = Message::decode(&wire).expect(hex);
            assert_eq!(message.to_owned_bytes(), wire, "{message:?}");
        }
    }

    #[test]
    fn fields_are_where_the_specification_says() {
        let wire = bytes(REAL[4]);
        let Ok(Message::AddOrder(add)) = Message::decode(&wire) else { panic!("not an add") };
        assert_eq!(add.header.locate.get(), 13);
        assert_eq!(add.reference.get(), 56_305);
        assert_eq!((add.side, add.shares.get()), (b'S', 300));
        assert_eq!(&add.stock, b"AAPL    ");
        assert_eq!(add.price.get(), 3_224_000);
        let wire = bytes(REAL[16]);
        let Ok(Message::SystemEvent(event)) = Message::decode(&wire) else {
            panic!("not a system event")
        };
        assert_eq!(event.header.time.get(), 34_200_000_070_384);
        assert_eq!(event.event_code, b'Q');
    }

    #[test]
    fn every_type_has_the_length_of_the_specification() {
        let table = [
            (b'S', 12),
            (b'R', 39),
            (b'H', 25),
            (b'Y', 20),
            (b'L', 26),
            (b'V', 35),
            (b'W', 12),
            (b'K', 28),
            (b'J', 35),
            (b'h', 21),
            (b'A', 36),
            (b'F', 40),
            (b'E', 31),
            (b'C', 36),
            (b'X', 23),
            (b'D', 19),
            (b'U', 35),
            (b'P', 44),
            (b'Q', 40),
            (b'B', 19),
            (b'I', 50),
            (b'N', 20),
            (b'O', 48),
        ];
        assert_eq!(table.len(), MESSAGE_TYPES.len());
        for (message_type, length) in table {
            assert_eq!(length_of(message_type), Some(length), "{}", char::from(message_type));
            let mut wire = vec![0x20; length];
            wire[0] = message_type;
            assert_eq!(Message::decode(&wire).expect("full length").as_bytes(), wire);
            assert_eq!(
                Message::decode(&wire[..length - 1]).expect_err("one short"),
                DecodeError::Short { message_type, needed: length, got: length - 1 }
            );
            wire.push(0);
            let longer = Message::decode(&wire).expect("appended fields are tolerated");
            assert_eq!(longer.as_bytes().len(), length);
        }
        assert_eq!(Message::decode(b""), Err(DecodeError::Empty));
        assert_eq!(Message::decode(b"z123"), Err(DecodeError::UnknownType(b'z')));
        assert_eq!(DecodeError::UnknownType(7).to_string(), "unknown message type 0x07");
    }

    #[test]
    fn times_are_six_bytes() {
        let time = U48::new(86_399_999_999_999);
        assert_eq!(time.as_bytes(), [0x4e, 0x94, 0x91, 0x4e, 0xff, 0xff]);
        assert_eq!(time.get(), 86_399_999_999_999);
    }
}
