//! The packets, encoder and decoder side by side.
//!
//! A packet is a 2-byte big-endian length, a type byte and a payload; the length counts the type
//! and the payload. Decoded packets are views into the bytes they came from.

use std::fmt;

use spindle_feed::itch::printable;
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the length field and the type.
pub const HEADER_LENGTH: usize = 3;

/// The largest payload that the length field can announce.
pub const PAYLOAD_MAX: usize = u16::MAX as usize - 1;

/// The largest packet on the wire.
pub const PACKET_MAX: usize = HEADER_LENGTH + PAYLOAD_MAX;

/// A session's name on the wire: up to ten characters. The server pads on the left; senders
/// differ, so it is compared without its padding.
pub type SessionName = [u8; 10];

/// Ten spaces: the current session.
pub const ANY_SESSION: SessionName = [b' '; 10];

/// The text of a debug packet that asks for a mark, and of the one that is it.
pub const MARK: &[u8] = b"mark";

/// The 46 bytes after the type of a login request.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct LoginRequest {
    /// User, padded on the right with spaces; case does not matter.
    pub username: [u8; 6],
    /// Password, padded on the right with spaces; case does not matter.
    pub password: [u8; 10],
    /// The session to continue, or spaces for the current one.
    pub session: SessionName,
    /// The number of the next message wanted, in decimal digits.
    pub sequence: [u8; 20],
}

/// The 30 bytes after the type of a login acceptance.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct LoginAccepted {
    /// The session, padded on the left with spaces.
    pub session: SessionName,
    /// The number of the next sequenced packet, in decimal digits.
    pub sequence: [u8; 20],
}

const _: () = assert!(size_of::<LoginRequest>() == 46);
const _: () = assert!(size_of::<LoginAccepted>() == 30);

impl LoginRequest {
    /// The number of the next message wanted; `None` where the field holds no number that fits 64
    /// bits.
    pub fn requested_sequence(&self) -> Option<u64> {
        parse_number(&self.sequence)
    }
}

impl LoginAccepted {
    /// An acceptance with the numeric field padded on the left.
    pub fn new(session: SessionName, sequence: u64) -> Self {
        Self { session, sequence: format_number(sequence) }
    }

    /// The number of the next sequenced packet; `None` where the field holds no number that fits
    /// 64 bits.
    pub fn next_sequence(&self) -> Option<u64> {
        parse_number(&self.sequence)
    }
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `+` from either side: text for people, to be ignored.
    Debug(&'a [u8]),
    /// `L` from the client.
    LoginRequest(&'a LoginRequest),
    /// `A` from the server.
    LoginAccepted(&'a LoginAccepted),
    /// `J` from the server: A not authorized, S session not available.
    LoginRejected(u8),
    /// `S` from the server: one message of the layer above, which has the next number.
    Sequenced(&'a [u8]),
    /// `U` from the client: one message of the layer above.
    Unsequenced(&'a [u8]),
    /// `H` from the server.
    ServerHeartbeat,
    /// `R` from the client.
    ClientHeartbeat,
    /// `Z` from the server.
    EndOfSession,
    /// `O` from the client.
    LogoutRequest,
}

/// Why bytes are no packet. What follows on the connection cannot be understood any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A length of 0, which leaves no room for a type.
    #[error("a packet of length 0; the length counts the type byte and is at least 1")]
    Empty,
    /// Longer than this receiver takes.
    #[error("a packet of length {length}; at most {length_max} is taken here")]
    TooLong {
        /// The length field.
        length: usize,
        /// The largest length field taken.
        length_max: usize,
    },
    /// A type that SoupBinTCP 3.00 does not have.
    #[error("unknown packet type {}", printable(*.0))]
    UnknownType(u8),
    /// A type of fixed length with another one.
    #[error("packet type {} of length {length}; it has {needed}", printable(*.packet_type))]
    Length {
        /// The type.
        packet_type: u8,
        /// The length that the type has.
        needed: usize,
        /// The length field.
        length: usize,
    },
}

/// Takes the first packet from `bytes`: the packet and how many bytes it takes up, or `None` while
/// it is incomplete. `length_max` bounds the length field; a packet is refused as soon as its
/// length and type are there, without waiting for its payload.
///
/// # Errors
/// See [`FrameError`].
#[inline]
pub fn split(bytes: &[u8], length_max: usize) -> Result<Option<(Packet<'_>, usize)>, FrameError> {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 {
        return Err(FrameError::Empty);
    }
    if length > length_max {
        return Err(FrameError::TooLong { length, length_max });
    }
    let Some(&packet_type) = rest.first() else {
        return Ok(None);
    };
    check_length(packet_type, length)?;
    let Some(body) = rest.get(1..length) else {
        return Ok(None);
    };
    let packet = decode(packet_type, body)?;
    Ok(Some((packet, length + 2)))
}

/// The length field that a type demands; `None` where the payload may have any length.
#[inline]
const fn length_of(packet_type: u8) -> Result<Option<usize>, FrameError> {
    match packet_type {
        b'+' | b'S' | b'U' => Ok(None),
        b'L' => Ok(Some(47)),
        b'A' => Ok(Some(31)),
        b'J' => Ok(Some(2)),
        b'H' | b'R' | b'Z' | b'O' => Ok(Some(1)),
        _ => Err(FrameError::UnknownType(packet_type)),
    }
}

#[inline]
fn check_length(packet_type: u8, length: usize) -> Result<(), FrameError> {
    match length_of(packet_type)? {
        Some(needed) if needed != length => Err(FrameError::Length { packet_type, needed, length }),
        _ => Ok(()),
    }
}

#[inline]
fn decode(packet_type: u8, body: &[u8]) -> Result<Packet<'_>, FrameError> {
    let wrong = |needed| FrameError::Length { packet_type, needed, length: body.len() + 1 };
    Ok(match packet_type {
        b'+' => Packet::Debug(body),
        b'L' => Packet::LoginRequest(LoginRequest::ref_from_bytes(body).map_err(|_| wrong(47))?),
        b'A' => Packet::LoginAccepted(LoginAccepted::ref_from_bytes(body).map_err(|_| wrong(31))?),
        b'J' => Packet::LoginRejected(*body.first().ok_or(wrong(2))?),
        b'S' => Packet::Sequenced(body),
        b'U' => Packet::Unsequenced(body),
        b'H' => Packet::ServerHeartbeat,
        b'R' => Packet::ClientHeartbeat,
        b'Z' => Packet::EndOfSession,
        b'O' => Packet::LogoutRequest,
        _ => return Err(FrameError::UnknownType(packet_type)),
    })
}

impl Packet<'_> {
    /// The type byte.
    #[inline]
    pub const fn packet_type(&self) -> u8 {
        match self {
            Self::Debug(_) => b'+',
            Self::LoginRequest(_) => b'L',
            Self::LoginAccepted(_) => b'A',
            Self::LoginRejected(_) => b'J',
            Self::Sequenced(_) => b'S',
            Self::Unsequenced(_) => b'U',
            Self::ServerHeartbeat => b'H',
            Self::ClientHeartbeat => b'R',
            Self::EndOfSession => b'Z',
            Self::LogoutRequest => b'O',
        }
    }

    /// Bytes on the wire.
    #[inline]
    pub fn wire_length(&self) -> usize {
        HEADER_LENGTH + self.body().len()
    }

    fn body(&self) -> &[u8] {
        match self {
            Self::Debug(body) | Self::Sequenced(body) | Self::Unsequenced(body) => body,
            Self::LoginRequest(request) => request.as_bytes(),
            Self::LoginAccepted(accepted) => accepted.as_bytes(),
            Self::LoginRejected(reason) => std::slice::from_ref(reason),
            Self::ServerHeartbeat
            | Self::ClientHeartbeat
            | Self::EndOfSession
            | Self::LogoutRequest => &[],
        }
    }

    /// Writes the packet to the front of `space` and gives its length; `None`, with nothing
    /// written, where it does not fit or the payload is longer than [`PAYLOAD_MAX`].
    #[inline]
    pub fn write(&self, space: &mut [u8]) -> Option<usize> {
        let body = self.body();
        let length = u16::try_from(body.len() + 1).ok()?;
        let space = space.get_mut(..HEADER_LENGTH + body.len())?;
        space[..2].copy_from_slice(&length.to_be_bytes());
        space[2] = self.packet_type();
        space[HEADER_LENGTH..].copy_from_slice(body);
        Some(space.len())
    }
}

impl fmt::Display for Packet<'_> {
    /// The name and type, for messages: `login request 'L'`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug(_) => "debug '+'",
            Self::LoginRequest(_) => "login request 'L'",
            Self::LoginAccepted(_) => "login accepted 'A'",
            Self::LoginRejected(_) => "login rejected 'J'",
            Self::Sequenced(_) => "sequenced data 'S'",
            Self::Unsequenced(_) => "unsequenced data 'U'",
            Self::ServerHeartbeat => "server heartbeat 'H'",
            Self::ClientHeartbeat => "client heartbeat 'R'",
            Self::EndOfSession => "end of session 'Z'",
            Self::LogoutRequest => "logout request 'O'",
        })
    }
}

/// The number in a field of decimal digits, with spaces on either side and leading zeros allowed.
/// `None` where it is blank, holds anything else, or does not fit 64 bits.
pub fn parse_number(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// The number as decimal digits, padded on the left with spaces.
pub fn format_number(mut value: u64) -> [u8; 20] {
    let mut field = [b' '; 20];
    for byte in field.iter_mut().rev() {
        let digit = u8::try_from(value % 10).unwrap_or_default();
        *byte = b'0' + digit;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    field
}

/// A text as a field of `N` characters, padded on the right with spaces; `None` where it is longer
/// or holds anything but printable ASCII.
pub fn padded_right<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut field = [b' '; N];
    field.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    field.iter().all(|byte| matches!(byte, 0x20..=0x7e)).then_some(field)
}

/// A text as a field of `N` characters, padded on the left with spaces; `None` where it is longer
/// or holds anything but printable ASCII.
pub fn padded_left<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut field: [u8; N] = padded_right(text)?;
    field.rotate_right(N - text.len());
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bytes;

    const USER: LoginRequest = LoginRequest {
        username: *b"USER01",
        password: *b"PASS      ",
        session: ANY_SESSION,
        sequence: *b"                   1",
    };

    fn written(packet: Packet<'_>) -> Vec<u8> {
        let mut space = vec![0; PACKET_MAX];
        let length = packet.write(&mut space).expect("a packet fits");
        assert_eq!(length, packet.wire_length());
        space.truncate(length);
        space
    }

    #[test]
    fn golden_packets_survive_decoding_and_encoding() {
        let cancel = bytes("5800752e7100000000");
        let canceled = bytes("430000289b4d68131700753a8d0000002855");
        let accepted = LoginAccepted::new(*b"SESSION001", 1);
        let table: [(&str, Packet<'_>); 10] = [
            ("000148", Packet::ServerHeartbeat),
            ("000152", Packet::ClientHeartbeat),
            ("00014f", Packet::LogoutRequest),
            ("00015a", Packet::EndOfSession),
            ("00024a41", Packet::LoginRejected(b'A')),
            (
                "002f4c 555345523031 50415353202020202020 20202020202020202020 \
                 2020202020202020202020202020202020202031",
                Packet::LoginRequest(&USER),
            ),
            (
                "001f4153455353494f4e3030312020202020202020202020202020202020202031",
                Packet::LoginAccepted(&accepted),
            ),
            ("000a555800752e7100000000", Packet::Unsequenced(&cancel)),
            ("001353430000289b4d68131700753a8d0000002855", Packet::Sequenced(&canceled)),
            ("00042b686579", Packet::Debug(b"hey")),
        ];
        for (hex, packet) in table {
            let wire = bytes(hex);
            assert_eq!(split(&wire, PAYLOAD_MAX + 1), Ok(Some((packet, wire.len()))), "{hex}");
            assert_eq!(written(packet), wire, "{packet}");
            for cut in 0..wire.len() {
                assert_eq!(split(&wire[..cut], PAYLOAD_MAX + 1), Ok(None), "{hex} at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_packet_is_refused_as_soon_as_that_is_clear() {
        let refused = |hex: &str| split(&bytes(hex), 1_000).expect_err(hex);
        assert_eq!(refused("0000"), FrameError::Empty);
        assert_eq!(refused("03e9"), FrameError::TooLong { length: 1_001, length_max: 1_000 });
        assert_eq!(refused("000158"), FrameError::UnknownType(b'X'));
        let wrong =
            |packet_type, needed, length| FrameError::Length { packet_type, needed, length };
        assert_eq!(refused("000252"), wrong(b'R', 1, 2));
        assert_eq!(refused("00344c"), wrong(b'L', 47, 52));
        assert_eq!(refused("00014a"), wrong(b'J', 2, 1));
        assert_eq!(refused("002041"), wrong(b'A', 31, 32));
        assert_eq!(
            FrameError::UnknownType(0xff).to_string(),
            "unknown packet type 0xff",
            "a byte that is no character prints as a number"
        );
    }

    #[test]
    fn numbers_are_read_with_any_padding_and_written_with_the_left() {
        let table: [(&[u8], Option<u64>); 9] = [
            (b"                   1", Some(1)),
            (b"1                   ", Some(1)),
            (b"00000000000000000042", Some(42)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"99999999999999999999", None),
            (b"                    ", None),
            (b"               1 2  ", None),
            (b"                  -1", None),
        ];
        for (field, number) in table {
            assert_eq!(parse_number(field), number, "{}", String::from_utf8_lossy(field));
        }
        assert_eq!(&format_number(0), b"                   0");
        assert_eq!(&format_number(1_020), b"                1020");
        assert_eq!(&format_number(u64::MAX), b"18446744073709551615");
    }

    #[test]
    fn the_largest_payload_fits_and_one_more_does_not() {
        let payload = vec![7; PAYLOAD_MAX + 1];
        let mut space = vec![0; PACKET_MAX + 1];
        assert_eq!(Packet::Sequenced(&payload).write(&mut space), None);
        let largest = Packet::Sequenced(&payload[1..]);
        assert_eq!(largest.write(&mut space), Some(PACKET_MAX));
        assert_eq!(largest.write(&mut space[..PACKET_MAX - 1]), None);
        let whole = split(&space, PAYLOAD_MAX + 1).expect("a packet");
        assert_eq!(whole, Some((largest, PACKET_MAX)));
    }

    #[test]
    fn texts_are_padded_on_the_side_that_is_asked() {
        assert_eq!(padded_right::<6>("AB"), Some(*b"AB    "));
        assert_eq!(padded_left::<6>("AB"), Some(*b"    AB"));
        assert_eq!(padded_left::<6>(""), Some([b' '; 6]));
        assert_eq!(padded_right::<6>("ABCDEFG"), None);
        assert_eq!(padded_right::<6>("A\n"), None);
    }
}
