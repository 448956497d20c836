//! Values of fields: numbers, prices, quantities and times, read from their digits and never through a
//! floating-point number.

use spindle_types::{Price, Quantity};
use thiserror::Error;

/// Nanoseconds of a second and of a day.
const SECOND: u64 = 1_000_000_000;
/// Nanoseconds of a day.
pub const DAY: u64 = 86_400 * SECOND;

/// Why a value is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ValueError {
    /// It is no decimal number.
    #[error("no decimal number")]
    Format,
    /// It has a fraction finer than the unit: a ten-thousandth for prices, one for quantities.
    #[error("finer than the unit")]
    TooFine,
    /// It is negative or larger than what is taken.
    #[error("out of range")]
    Range,
}

/// A number without a sign. `None` for anything but 1 to 20 digits that fit 64 bits.
#[inline]
pub fn uint(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// A number that may be negative.
#[inline]
pub fn int(value: &[u8]) -> Option<i64> {
    match value.strip_prefix(b"-") {
        Some(digits) => i64::try_from(uint(digits)?).ok().map(|number| -number),
        None => i64::try_from(uint(value)?).ok(),
    }
}

/// Whether a value is a decimal number as the standard writes it: an optional minus, digits, at
/// most one point, no exponent.
#[inline]
pub fn is_decimal(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let (mut points, mut numbers) = (0, 0);
    for byte in digits {
        match byte {
            b'0'..=b'9' => numbers += 1,
            b'.' => points += 1,
            _ => return false,
        }
    }
    numbers > 0 && points <= 1
}

/// A decimal as a whole number of units of which `10^places` make one.
#[inline]
fn scaled(value: &[u8], places: u32) -> Result<i64, ValueError> {
    if !is_decimal(value) {
        return Err(ValueError::Format);
    }
    let negative = value.first() == Some(&b'-');
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let point = digits.iter().position(|&byte| byte == b'.').unwrap_or(digits.len());
    let whole = &digits[..point];
    let fraction = digits.get(point + 1..).unwrap_or_default();
    let kept = fraction.len().min(places as usize);
    if fraction[kept..].iter().any(|&byte| byte != b'0') {
        return Err(ValueError::TooFine);
    }
    let mut number = 0_i64;
    let padding = std::iter::repeat_n(&b'0', places as usize - kept);
    for byte in whole.iter().chain(&fraction[..kept]).chain(padding) {
        let digit = i64::from(byte - b'0');
        number =
            number.checked_mul(10).and_then(|n| n.checked_add(digit)).ok_or(ValueError::Range)?;
    }
    Ok(if negative { -number } else { number })
}

/// A price in units of 1/10,000.
///
/// # Errors
/// See [`ValueError`].
#[inline]
pub fn price(value: &[u8]) -> Result<Price, ValueError> {
    u32::try_from(scaled(value, 4)?).map(Price).map_err(|_| ValueError::Range)
}

/// A difference of prices in units of 1/10,000.
///
/// # Errors
/// See [`ValueError`].
#[inline]
pub fn offset(value: &[u8]) -> Result<i32, ValueError> {
    i32::try_from(scaled(value, 4)?).map_err(|_| ValueError::Range)
}

/// A number of whole shares.
///
/// # Errors
/// See [`ValueError`].
#[inline]
pub fn quantity(value: &[u8]) -> Result<Quantity, ValueError> {
    u32::try_from(scaled(value, 0)?).map(Quantity).map_err(|_| ValueError::Range)
}

/// A UTCTimestamp, `YYYYMMDD-HH:MM:SS` with up to nine decimal places, as nanoseconds since 1970.
/// A leap second counts as the last nanosecond before it, a time after the year 2553 as the last that
/// 64 bits hold.
#[inline]
pub fn timestamp(value: &[u8]) -> Option<u64> {
    let (date, time) = value.split_at_checked(8)?;
    let day = date_day(date)?;
    let time = time.strip_prefix(b"-")?;
    let (clock, fraction) = time.split_at_checked(8)?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *clock else { return None };
    let (hours, minutes) = (uint(&[h1, h2])?, uint(&[m1, m2])?);
    let seconds = uint(&[s1, s2])?;
    if hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let nanoseconds = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            let padding = u32::try_from(9 - digits.len()).ok()?;
            uint(digits)? * 10_u64.pow(padding)
        }
        _ => return None,
    };
    let of_minute = (seconds * SECOND + nanoseconds).min(60 * SECOND - 1);
    let of_day = (hours * 60 + minutes) * 60 * SECOND + of_minute;
    Some(day.saturating_mul(DAY).saturating_add(of_day))
}

/// A date, `YYYYMMDD`, as days since 1970. Dates before that are none.
#[inline]
pub fn date_day(value: &[u8]) -> Option<u64> {
    if value.len() != 8 {
        return None;
    }
    let (year, month, day) = (uint(&value[..4])?, uint(&value[4..6])?, uint(&value[6..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || day == 0 || day > length {
        return None;
    }
    // Years begin in March, so that the leap day is their last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1;
    Some(days - DAYS_TO_1970)
}

/// Days from the first of March of year 0 to the first of January 1970.
const DAYS_TO_1970: u64 = 719_468;

/// How fine a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 17 characters.
    Seconds,
    /// 21 characters.
    #[default]
    Milliseconds,
}

impl Precision {
    /// Characters of a time.
    #[inline]
    pub const fn length(self) -> usize {
        match self {
            Self::Seconds => 17,
            Self::Milliseconds => 21,
        }
    }
}

/// Nanoseconds since 1970 as `YYYYMMDD-HH:MM:SS.sss`; the first [`Precision::length`] bytes are the
/// time. Years above 9999 are written as 9999.
#[inline]
pub fn format_timestamp(nanoseconds: u64) -> [u8; 21] {
    let (day, of_day) = (nanoseconds / DAY, nanoseconds % DAY);
    let (year, month, date) = civil(day);
    let seconds = of_day / SECOND;
    let mut text = *b"00000000-00:00:00.000";
    put(&mut text[0..4], year.min(9_999));
    put(&mut text[4..6], month);
    put(&mut text[6..8], date);
    put(&mut text[9..11], seconds / 3_600);
    put(&mut text[12..14], seconds / 60 % 60);
    put(&mut text[15..17], seconds % 60);
    put(&mut text[18..21], of_day % SECOND / 1_000_000);
    text
}

#[allow(clippy::cast_possible_truncation, reason = "a digit fits a byte")]
fn put(space: &mut [u8], mut number: u64) {
    for byte in space.iter_mut().rev() {
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and date of a day since 1970.
fn civil(day: u64) -> (u64, u64, u64) {
    let days = day + DAYS_TO_1970;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, date)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prices_are_exact_or_refused() {
        let table: [(&str, Result<u32, ValueError>); 17] = [
            ("1", Ok(10_000)),
            ("150.25", Ok(1_502_500)),
            ("0.0001", Ok(1)),
            (".5", Ok(5_000)),
            ("5.", Ok(50_000)),
            ("00012.340000", Ok(123_400)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("429496.7295", Ok(u32::MAX)),
            ("429496.7296", Err(ValueError::Range)),
            ("0.00001", Err(ValueError::TooFine)),
            ("-1", Err(ValueError::Range)),
            ("99999999999999999999", Err(ValueError::Range)),
            ("+1", Err(ValueError::Format)),
            ("1e3", Err(ValueError::Format)),
            ("", Err(ValueError::Format)),
            (".", Err(ValueError::Format)),
        ];
        for (text, expected) in table {
            assert_eq!(price(text.as_bytes()), expected.map(Price), "{text}");
        }
        assert_eq!(quantity(b"100"), Ok(Quantity(100)));
        assert_eq!(quantity(b"002000.00"), Ok(Quantity(2_000)));
        assert_eq!(quantity(b"1.5"), Err(ValueError::TooFine));
        assert_eq!(offset(b"-0.01"), Ok(-100));
        assert_eq!(offset(b"300000"), Err(ValueError::Range));
    }

    #[test]
    fn numbers_have_digits_only() {
        assert_eq!(uint(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(uint(b"18446744073709551616"), None);
        for wrong in ["", "-1", "+1", " 1", "1.0", "0x1"] {
            assert_eq!(uint(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert_eq!(
            (int(b"-7"), int(b"7"), int(b"--7"), int(b"-")),
            (Some(-7), Some(7), None, None)
        );
    }

    #[test]
    fn times_are_read_in_every_precision() {
        let second = 1_795_217_018 * SECOND;
        let table = [
            ("20261120-23:23:38", Some(second)),
            ("20261120-23:23:38.000", Some(second)),
            ("20261120-23:23:38.5", Some(second + SECOND / 2)),
            ("20261120-23:23:38.123", Some(second + 123_000_000)),
            ("20261120-23:23:38.123456", Some(second + 123_456_000)),
            ("20261120-23:23:38.123456789", Some(second + 123_456_789)),
            ("20261120-23:23:38.1234567890", None),
            ("20261120-23:23:38.", None),
            ("20261120-23:23", None),
            ("20261120 23:23:38", None),
            ("20260229-00:00:00", None),
            ("20240229-00:00:00", Some(19_782 * DAY)),
            ("20261320-00:00:00", None),
            ("20261100-00:00:00", None),
            ("20261120-24:00:00", None),
            ("20261120-00:60:00", None),
            ("20261120-00:00:61", None),
            ("19691231-00:00:00", None),
            ("19700101-00:00:00", Some(0)),
            ("99991231-23:59:59", Some(u64::MAX)),
            ("20040415", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(timestamp(text.as_bytes()), expected, "{text}");
        }
        let leap = timestamp(b"20261231-23:59:60.5").expect("a leap second");
        assert_eq!(leap + 1, timestamp(b"20270101-00:00:00").expect("the next day"));
    }

    proptest! {
        #[test]
        fn a_time_that_is_written_is_read_again(milliseconds in 0_u64..18_000_000_000_000) {
            let nanoseconds = milliseconds * 1_000_000;
            let text = format_timestamp(nanoseconds);
            prop_assert_eq!(timestamp(&text), Some(nanoseconds));
            let whole = timestamp(&text[..Precision::Seconds.length()]);
            prop_assert_eq!(whole, Some(nanoseconds - nanoseconds % SECOND));
        }

        #[test]
        fn a_price_is_what_a_decimal_says(text in "-?[0-9]{0,7}(\\.[0-9]{0,6})?") {
            use rust_decimal::Decimal;
            let plain = text.trim_start_matches('-');
            let naive = plain.bytes().any(|byte| byte.is_ascii_digit()).then(|| {
                let text = if plain.starts_with('.') { text.replacen('.', "0.", 1) } else { text.clone() };
                text.trim_end_matches('.').parse::<Decimal>().expect("a decimal")
            });
            let expected = naive.map(|value| value * Decimal::from(10_000)).filter(|value| {
                value.fract().is_zero() && *value >= Decimal::ZERO && *value <= Decimal::from(u32::MAX)
            });
            let read = price(text.as_bytes()).ok().map(|price| Decimal::from(price.0));
            prop_assert_eq!(read, expected);
        }
    }
}
