//! Writing messages into buffers that are there already.

use spindle_types::Price;

use super::frame::{check_sum, three_digits};
use super::value::{Precision, format_timestamp};
use super::{SOH, tag};

/// Writes fields one after the other into a buffer of fixed size. What does not fit is left out, and
/// [`Writer::is_whole`] says so.
#[derive(Debug)]
pub struct Writer<'a> {
    space: &'a mut [u8],
    at: usize,
    whole: bool,
}

impl<'a> Writer<'a> {
    /// Writes to the front of `space`.
    #[inline]
    pub fn new(space: &'a mut [u8]) -> Self {
        Self { space, at: 0, whole: true }
    }

    /// Bytes written.
    #[inline]
    pub const fn len(&self) -> usize {
        self.at
    }

    /// Whether nothing is written.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// Whether everything had room.
    #[inline]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// What is written.
    #[inline]
    pub fn written(&self) -> &[u8] {
        &self.space[..self.at]
    }

    /// Bytes as they are.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        match self.space.get_mut(self.at..self.at + bytes.len()) {
            Some(space) => {
                space.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.whole = false,
        }
        self
    }

    /// A field with this value.
    #[inline]
    pub fn field(&mut self, tag: u16, value: &[u8]) -> &mut Self {
        self.digits(tag.into()).raw(b"=").raw(value).raw(&[SOH])
    }

    /// A field, where there is a value.
    #[inline]
    pub fn maybe(&mut self, tag: u16, value: Option<&[u8]>) -> &mut Self {
        if let Some(value) = value { self.field(tag, value) } else { self }
    }

    /// A field of one character.
    #[inline]
    pub fn char(&mut self, tag: u16, value: u8) -> &mut Self {
        self.field(tag, &[value])
    }

    /// A field with a number.
    #[inline]
    pub fn uint(&mut self, tag: u16, value: u64) -> &mut Self {
        self.digits(tag.into()).raw(b"=").digits(value).raw(&[SOH])
    }

    /// A field with a number that may be negative.
    #[inline]
    pub fn int(&mut self, tag: u16, value: i64) -> &mut Self {
        self.digits(tag.into()).raw(b"=");
        if value < 0 {
            self.raw(b"-");
        }
        self.digits(value.unsigned_abs()).raw(&[SOH])
    }

    /// A field with a price, without zeros at its end.
    #[inline]
    pub fn price(&mut self, tag: u16, price: Price) -> &mut Self {
        self.decimal(tag, price.0.into(), 4)
    }

    /// A field with `value / 10^places`, without zeros at its end.
    #[inline]
    pub fn decimal(&mut self, tag: u16, value: u64, places: u32) -> &mut Self {
        let unit = 10_u64.pow(places);
        let (mut fraction, mut places) = (value % unit, places);
        self.digits(tag.into()).raw(b"=").digits(value / unit);
        if fraction > 0 {
            while fraction.is_multiple_of(10) {
                fraction /= 10;
                places -= 1;
            }
            self.raw(b".");
            for place in (0..places).rev() {
                self.raw(&[digit(fraction / 10_u64.pow(place))]);
            }
        }
        self.raw(&[SOH])
    }

    /// A field with a time in nanoseconds since 1970.
    #[inline]
    pub fn time(&mut self, tag: u16, nanoseconds: u64, precision: Precision) -> &mut Self {
        self.field(tag, &format_timestamp(nanoseconds)[..precision.length()])
    }

    /// The digits of a number.
    #[inline]
    pub fn digits(&mut self, mut number: u64) -> &mut Self {
        let mut text = [0; 20];
        let mut at = text.len();
        loop {
            at -= 1;
            text[at] = digit(number);
            number /= 10;
            if number == 0 {
                return self.raw(&text[at..]);
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a digit fits a byte")]
const fn digit(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}

/// Writes a whole message to the front of `space`: BeginString, BodyLength, the fields given in two
/// pieces, CheckSum. Its length, or `None`, with `space` in any state, where it does not fit.
#[inline]
pub fn envelope(space: &mut [u8], begin: &[u8], head: &[u8], body: &[u8]) -> Option<usize> {
    let mut writer = Writer::new(space);
    writer.field(tag::BEGIN_STRING, begin);
    writer.uint(tag::BODY_LENGTH, (head.len() + body.len()) as u64);
    writer.raw(head).raw(body);
    let sum = three_digits(check_sum(writer.written()));
    writer.field(tag::CHECK_SUM, &sum);
    writer.is_whole().then_some(writer.len())
}

/// Bytes that [`envelope`] adds to its two pieces at most, for a BeginString of eight characters.
pub const ENVELOPE_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::testing::{readable, wire};

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut space = [0; 200];
        let mut writer = Writer::new(&mut space);
        write(&mut writer);
        assert!(writer.is_whole());
        readable(writer.written())
    }

    #[test]
    fn values_are_written_as_the_standard_has_them() {
        let text = written(|writer| {
            writer.uint(34, 0).uint(34, u64::MAX).int(1, -7).char(54, b'1').maybe(58, None);
        });
        assert_eq!(text, "34=0|34=18446744073709551615|1=-7|54=1|");
        let text = written(|writer| {
            writer.price(44, Price(1_502_500)).price(44, Price(1)).price(44, Price(20_000));
            writer.decimal(6, 1_000_100, 6);
        });
        assert_eq!(text, "44=150.25|44=0.0001|44=2|6=1.0001|");
        let text = written(|writer| {
            writer.time(52, 1_500_000_000, Precision::Milliseconds);
            writer.time(60, 1_500_000_000, Precision::Seconds);
        });
        assert_eq!(text, "52=19700101-00:00:01.500|60=19700101-00:00:01|");
    }

    /// Messages of a public engine, byte for byte.
    #[test]
    fn length_and_checksum_are_those_of_a_real_engine() {
        for golden in [
            "8=FIX.4.2|9=55|35=0|34=2|49=SRV|52=20261120-23:23:03.167|56=CLI|112=A|10=180|",
            "8=FIX.4.4|9=67|35=A|34=1|49=SRV|52=20261120-23:23:29.473|56=CLI|98=0|108=30|141=Y|10=004|",
        ] {
            let bytes = wire(golden);
            let begin = &bytes[2..9];
            let body = &bytes[15..bytes.len() - 7];
            let mut space = [0; 200];
            let (head, rest) = body.split_at(10);
            let length = envelope(&mut space, begin, head, rest).expect("it fits");
            assert_eq!(readable(&space[..length]), golden);
            for short in 0..length {
                assert_eq!(envelope(&mut space[..short], begin, head, rest), None);
            }
        }
    }
}
