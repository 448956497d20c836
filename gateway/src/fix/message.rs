//! A message as its fields, which are views of its bytes.

use thiserror::Error;

use super::{SOH, tag};

/// Fields that a message may have at most.
pub const FIELDS_MAX: usize = 256;

/// Why bytes are no fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// A tag that is no number of up to nine digits, or no `=` behind it.
    #[error("a field that does not begin with a number and '='")]
    Tag,
    /// No SOH at the end, or not where a length field says that its data end.
    #[error("a field that does not end with SOH where it should")]
    End,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    tag: i32,
    start: u32,
    end: u32,
}

/// Where the fields of one message are noted; used again for the next.
#[derive(Clone, Debug)]
pub struct Scratch {
    spans: Box<[Span]>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its tag; 0 and below where the sender wrote so.
    pub tag: i32,
    /// Its value, which may be empty.
    pub value: &'a [u8],
}

/// A message taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
    too_many: bool,
}

impl Scratch {
    /// Room for the fields of one message.
    pub fn new() -> Self {
        Self { spans: vec![Span::default(); FIELDS_MAX].into_boxed_slice() }
    }

    /// Takes a message apart, which [`frame`](super::frame()) has found. Fields beyond
    /// [`FIELDS_MAX`] are left out, and [`Message::has_too_many`] says so.
    ///
    /// # Errors
    /// See [`ParseError`]; the message is then garbled.
    #[inline]
    pub fn parse<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Message<'a>, ParseError> {
        let (mut at, mut count, mut too_many) = (0, 0, false);
        let mut data = None;
        while at < bytes.len() {
            let (tag, start) = parse_tag(bytes, at)?;
            let length = match data.take() {
                Some((of, length)) if of == tag => {
                    let end = bytes.get(start + length).ok_or(ParseError::End)?;
                    if *end == SOH { length } else { return Err(ParseError::End) }
                }
                _ => {
                    let rest = bytes.get(start..).ok_or(ParseError::End)?;
                    rest.iter().position(|&byte| byte == SOH).ok_or(ParseError::End)?
                }
            };
            let end = start + length;
            if let Some(of) = data_field(tag) {
                let length = super::value::uint(&bytes[start..end]);
                let length = length.and_then(|length| usize::try_from(length).ok());
                data = length.filter(|&length| length < bytes.len()).map(|length| (of, length));
            }
            match self.spans.get_mut(count) {
                #[allow(clippy::cast_possible_truncation, reason = "messages are far below 4 GiB")]
                Some(span) => *span = Span { tag, start: start as u32, end: end as u32 },
                None => too_many = true,
            }
            count += 1;
            at = end + 1;
        }
        let count = count.min(self.spans.len());
        Ok(Message { bytes, spans: &self.spans[..count], too_many })
    }
}

/// The tag at `at`, and where its value begins.
#[inline]
fn parse_tag(bytes: &[u8], at: usize) -> Result<(i32, usize), ParseError> {
    let negative = bytes.get(at) == Some(&b'-');
    let first = at + usize::from(negative);
    let mut tag = 0_i32;
    for (index, &byte) in bytes.iter().enumerate().skip(first) {
        match byte {
            b'0'..=b'9' if index - first < 9 => tag = tag * 10 + i32::from(byte - b'0'),
            b'=' if index > first => return Ok((if negative { -tag } else { tag }, index + 1)),
            _ => break,
        }
    }
    Err(ParseError::Tag)
}

/// The data field whose length this tag gives: its value may hold SOH.
#[inline]
const fn data_field(tag: i32) -> Option<i32> {
    Some(match tag {
        90 => 91,
        93 => 89,
        95 => 96,
        212 => 213,
        348 => 349,
        350 => 351,
        352 => 353,
        354 => 355,
        356 => 357,
        358 => 359,
        360 => 361,
        362 => 363,
        364 => 365,
        445 => 446,
        618 => 619,
        621 => 622,
        _ => return None,
    })
}

impl<'a> Message<'a> {
    /// All bytes, checksum included.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether it has more than [`FIELDS_MAX`] fields.
    #[inline]
    pub const fn has_too_many(&self) -> bool {
        self.too_many
    }

    /// The fields in their order.
    #[inline]
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = Field<'a>> + Clone + use<'a> {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| Field {
            tag: span.tag,
            value: &bytes[span.start as usize..span.end as usize],
        })
    }

    /// The value of the first field with this tag.
    #[inline]
    pub fn get(&self, tag: u16) -> Option<&'a [u8]> {
        let tag = i32::from(tag);
        let span = self.spans.iter().find(|span| span.tag == tag)?;
        Some(&self.bytes[span.start as usize..span.end as usize])
    }

    /// The value of a field of one character.
    #[inline]
    pub fn char(&self, tag: u16) -> Option<u8> {
        match self.get(tag)? {
            &[byte] => Some(byte),
            _ => None,
        }
    }

    /// Whether a boolean field is there and `Y`.
    #[inline]
    pub fn is_yes(&self, tag: u16) -> bool {
        self.get(tag) == Some(b"Y")
    }

    /// BeginString.
    #[inline]
    pub fn begin_string(&self) -> &'a [u8] {
        self.get(tag::BEGIN_STRING).unwrap_or_default()
    }

    /// MsgType; empty only in what no frame has found.
    #[inline]
    pub fn msg_type(&self) -> &'a [u8] {
        self.get(tag::MSG_TYPE).unwrap_or_default()
    }

    /// MsgSeqNum, where it is there and a number.
    #[inline]
    pub fn sequence(&self) -> Option<u64> {
        super::value::uint(self.get(tag::MSG_SEQ_NUM)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::testing::wire;

    #[test]
    fn fields_come_in_their_order_and_are_found_by_tag() {
        let bytes = wire("8=FIX.4.2|9=1|35=D|34=7|43=Y|-1=neg|0=|55=A=B|55=C|10=000|");
        let mut scratch = Scratch::new();
        let message = scratch.parse(&bytes).expect("fields");
        let tags: Vec<i32> = message.fields().map(|field| field.tag).collect();
        assert_eq!(tags, [8, 9, 35, 34, 43, -1, 0, 55, 55, 10]);
        assert_eq!(message.get(55), Some(&b"A=B"[..]));
        assert_eq!((message.sequence(), message.msg_type()), (Some(7), &b"D"[..]));
        assert!(message.is_yes(43) && !message.is_yes(97));
        assert_eq!(message.char(35), Some(b'D'));
        assert_eq!(message.char(55), None);
    }

    #[test]
    fn data_may_hold_soh_where_their_length_says_so() {
        let bytes = wire("35=A|95=5|96=a|b=c|98=0|");
        let mut scratch = Scratch::new();
        let message = scratch.parse(&bytes).expect("fields");
        assert_eq!(message.get(96), Some(&b"a\x01b=c"[..]));
        assert_eq!(message.get(98), Some(&b"0"[..]));
        for wrong in ["95=4|96=a|b=c|", "95=50|96=a|b=c|"] {
            let error = Scratch::new().parse(&wire(wrong)).expect_err(wrong);
            assert!(matches!(error, ParseError::End | ParseError::Tag));
        }
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for wrong in ["=x|", "a=x|", "4garbled9=TW|", "1x=2|", "-=1|", "55|", "1234567890=x|"] {
            assert_eq!(Scratch::new().parse(&wire(wrong)).err(), Some(ParseError::Tag), "{wrong}");
        }
        assert_eq!(Scratch::new().parse(b"55=MSFT").err(), Some(ParseError::End));
    }

    #[test]
    fn a_message_with_too_many_fields_says_so() {
        let bytes = wire(&"58=x|".repeat(FIELDS_MAX + 1));
        let mut scratch = Scratch::new();
        let message = scratch.parse(&bytes).expect("fields");
        assert!(message.has_too_many());
        assert_eq!(message.fields().count(), FIELDS_MAX);
    }
}
