//! Where a message begins and ends in a stream of bytes.
//!
//! A message is `8=…|9=length|35=…|10=sum|`. Where that does not hold, the block up to the next
//! checksum field is garbled: it is ignored, and its number shows later as a gap. A length that is too large
//! therefore takes the following message with it, as the acceptance definitions have it.

use thiserror::Error;

use super::SOH;

/// What the first bytes of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// More bytes are needed. The first `skip` can be thrown away.
    More {
        /// Bytes that belong to no message.
        skip: usize,
    },
    /// No message: the first `used` bytes are to be thrown away.
    Garbled {
        /// How many.
        used: usize,
        /// What is wrong with them.
        why: Garble,
    },
    /// A whole message with the right length and checksum.
    Whole {
        /// Where it begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Garble {
    /// `8=` is not followed by a short text and `9=`.
    #[error("no BodyLength behind BeginString")]
    Begin,
    /// The length is no number, 0, or above what is taken.
    #[error("BodyLength is no number from 1 to the longest that is taken")]
    Length,
    /// The checksum field is not where the length says, or nowhere.
    #[error("CheckSum is not where BodyLength says")]
    End,
    /// The checksum is another, or not three digits.
    #[error("CheckSum is another")]
    CheckSum,
    /// The third field is not MsgType.
    #[error("the third field is not MsgType")]
    MsgType,
    /// The fields are no `tag=value` with tags of up to nine digits.
    #[error("a field that is no tag=value")]
    Field,
}

/// The longest BeginString that is looked at.
const BEGIN_MAX: usize = 16;

/// The first message of `bytes`. `body_max` bounds BodyLength; a block that is longer than
/// `block_max` without a checksum field is garbled, so that a receiver with room for so much never
/// waits in vain.
#[inline]
pub fn frame(bytes: &[u8], body_max: usize, block_max: usize) -> Frame {
    let Some(start) = find_start(bytes) else {
        let keep = usize::from(bytes.last() == Some(&b'8'));
        return Frame::More { skip: bytes.len() - keep };
    };
    let more = if bytes.len() - start >= block_max {
        Frame::Garbled { used: start + 2, why: Garble::End }
    } else {
        Frame::More { skip: start }
    };
    let garbled = |why| Frame::Garbled { used: start + 2, why };
    let Some(begin) = position(&bytes[start..], BEGIN_MAX, SOH) else {
        return if bytes.len() - start > BEGIN_MAX { garbled(Garble::Begin) } else { more };
    };
    let rest = &bytes[start + begin + 1..];
    if !rest.starts_with(b"9=") {
        return if b"9=".starts_with(rest) { more } else { garbled(Garble::Begin) };
    }
    let digits = &rest[2..];
    let Some(count) = position(digits, 8, SOH) else {
        let digits_only = digits.iter().take(8).all(u8::is_ascii_digit);
        return if digits.len() >= 8 || !digits_only { garbled(Garble::Length) } else { more };
    };
    let length = super::value::uint(&digits[..count]).and_then(|n| usize::try_from(n).ok());
    let Some(length) = length.filter(|length| (1..=body_max).contains(length)) else {
        return garbled(Garble::Length);
    };
    let body = start + begin + 1 + 2 + count + 1;
    // The byte that ends the body, which is the one before the checksum field.
    let last = body + length - 1;
    let Some(tail) = bytes.get(last..) else { return more };
    let Some(found) = find(tail, b"\x0110=") else { return more };
    let value = &tail[found + 4..];
    let Some(count) = position(value, 8, SOH) else {
        let used = last + found + 4;
        return if value.len() >= 8 { Frame::Garbled { used, why: Garble::End } } else { more };
    };
    let end = last + found + 4 + count + 1;
    let garbled = |why| Frame::Garbled { used: end, why };
    if found != 0 {
        return garbled(Garble::End);
    }
    let sum = check_sum(&bytes[start..=last]);
    if value[..count] != three_digits(sum) {
        return garbled(Garble::CheckSum);
    }
    if !bytes[body..].starts_with(b"35=") {
        return garbled(Garble::MsgType);
    }
    Frame::Whole { start, end }
}

/// The first `8=` that is no end of another tag.
#[inline]
fn find_start(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"8=") {
        return Some(0);
    }
    (1..bytes.len().saturating_sub(1))
        .find(|&at| &bytes[at..at + 2] == b"8=" && !bytes[at - 1].is_ascii_digit())
}

#[inline]
fn position(bytes: &[u8], within: usize, byte: u8) -> Option<usize> {
    bytes.iter().take(within + 1).position(|&each| each == byte)
}

#[inline]
fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    if bytes.starts_with(what) {
        return Some(0);
    }
    bytes.windows(what.len()).position(|window| window == what)
}

/// The sum of all bytes, modulo 256.
#[inline]
pub fn check_sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

/// A number as three digits.
#[inline]
pub const fn three_digits(number: u8) -> [u8; 3] {
    [b'0' + number / 100, b'0' + number / 10 % 10, b'0' + number % 10]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::testing::wire;

    fn cut(bytes: &[u8]) -> Frame {
        frame(bytes, 1_000, 2_000)
    }

    /// A real message, with the checksum that a public engine gave it.
    const HEARTBEAT: &str =
        "8=FIX.4.2|9=55|35=0|34=2|49=SRV|52=20261120-23:23:03.167|56=CLI|112=A|10=180|";

    #[test]
    fn a_whole_message_is_found_behind_whatever_comes_before() {
        let message = wire(HEARTBEAT);
        assert_eq!(cut(&message), Frame::Whole { start: 0, end: message.len() });
        for before in ["x", "58=no start|", "35=0|", "9=8=|"] {
            let bytes = [wire(before), message.clone()].concat();
            let start = before.len();
            if before == "9=8=|" {
                assert!(matches!(cut(&bytes), Frame::Garbled { used: 4, why: Garble::Begin }));
            } else {
                assert_eq!(cut(&bytes), Frame::Whole { start, end: bytes.len() }, "{before}");
            }
        }
    }

    #[test]
    fn every_prefix_needs_more() {
        let message = wire(HEARTBEAT);
        for length in 0..message.len() {
            assert_eq!(cut(&message[..length]), Frame::More { skip: 0 }, "{length} bytes");
        }
    }

    #[test]
    fn what_is_wrong_is_skipped_as_the_definitions_have_it() {
        let garbled = |text: &str| cut(&wire(text));
        let whole = |used, why| Frame::Garbled { used, why };
        let sum = HEARTBEAT.replace("10=180", "10=181");
        assert_eq!(garbled(&sum), whole(sum.len(), Garble::CheckSum));
        let sum = HEARTBEAT.replace("10=180", "10=1800");
        assert_eq!(garbled(&sum), whole(sum.len(), Garble::CheckSum));
        let short = HEARTBEAT.replace("9=55", "9=40");
        assert_eq!(garbled(&short), whole(short.len(), Garble::End));
        let long = HEARTBEAT.replace("9=55", "9=66");
        let both = format!("{long}{HEARTBEAT}");
        assert_eq!(garbled(&both), whole(both.len(), Garble::End), "it takes the next one with it");
        for length in ["9=+55", "9=0", "9=1001", "9=-1", "9=", "9=18446744073709551616", "9=5x"] {
            let text = HEARTBEAT.replace("9=55", length);
            assert_eq!(garbled(&text), whole(2, Garble::Length), "{length}");
        }
        assert_eq!(garbled("8=FIX.4.2|35=0|"), whole(2, Garble::Begin));
        assert_eq!(garbled("8=FIX.4.2 and much more|"), whole(2, Garble::Begin));
        let third = "8=FIX.4.2|9=10|34=3|35=0|10=";
        let third = format!("{third}{}|", {
            let sum = check_sum(&wire("8=FIX.4.2|9=10|34=3|35=0|"));
            String::from_utf8(three_digits(sum).to_vec()).unwrap()
        });
        assert_eq!(garbled(&third), whole(third.len(), Garble::MsgType));
    }

    #[test]
    fn a_block_without_an_end_is_given_up() {
        let mut bytes = wire("8=FIX.4.2|9=30|35=0|");
        bytes.resize(1_999, b'x');
        assert_eq!(cut(&bytes), Frame::More { skip: 0 });
        bytes.push(b'x');
        assert_eq!(cut(&bytes), Frame::Garbled { used: 2, why: Garble::End });
    }
}
