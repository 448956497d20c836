//! Prices and sizes as people write them, whatever they wrote: a bad value is kept, so that the
//! venue can refuse it.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Price units of 1.00.
const ONE: i64 = 10_000;

/// A price as it was written: units of 1/10,000, perhaps negative, perhaps far beyond what a price
/// can be, perhaps finer than a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount {
    /// Price units, cut to whole ones towards zero; at the end of the range where it was beyond.
    pub units: i64,
    /// Whether the units are all of it.
    pub exact: bool,
}

impl Amount {
    /// This many price units.
    pub const fn new(units: i64) -> Self {
        Self { units, exact: true }
    }

    /// Reads digits with a sign and a point; `None` is text that is no decimal number.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction)
        {
            return None;
        }
        let digit =
            |at: usize| fraction.as_bytes().get(at).map_or(0, |byte| i64::from(byte - b'0'));
        let part = (0..4).fold(0, |sum, at| sum * 10 + digit(at));
        let digits = whole.trim_start_matches('0');
        let whole = if digits.is_empty() { Ok(0) } else { digits.parse::<i64>() };
        let units = whole.unwrap_or(i64::MAX).saturating_mul(ONE).saturating_add(part);
        let exact = fraction.bytes().skip(4).all(|byte| byte == b'0');
        Some(Self { units: if negative { -units } else { units }, exact })
    }
}

impl fmt::Display for Amount {
    /// With two decimal places, or with as many as it needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let units = self.units.unsigned_abs();
        let (whole, part) = (units / ONE.unsigned_abs(), units % ONE.unsigned_abs());
        let mut places = format!("{part:04}");
        while places.len() > 2 && places.ends_with('0') {
            places.pop();
        }
        let finer = if self.exact { "" } else { "…" };
        write!(f, "{sign}{whole}.{places}{finer}")
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number such as \"10.00\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
                Amount::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_i64<E: Error>(self, whole: i64) -> Result<Amount, E> {
                Ok(Amount::new(whole.saturating_mul(ONE)))
            }

            fn visit_u64<E: Error>(self, whole: u64) -> Result<Amount, E> {
                self.visit_i64(i64::try_from(whole).unwrap_or(i64::MAX))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Amount, E> {
                // The shortest digits that mean this number are the digits that were written.
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A number of shares as it was written. What is no whole number is -1, which no size can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Shares(pub i64);

impl<'de> Deserialize<'de> for Shares {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Shares;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of shares such as 100")
            }

            fn visit_i64<E: Error>(self, shares: i64) -> Result<Shares, E> {
                Ok(Shares(shares))
            }

            fn visit_u64<E: Error>(self, shares: u64) -> Result<Shares, E> {
                Ok(Shares(i64::try_from(shares).unwrap_or(i64::MAX)))
            }

            fn visit_f64<E: Error>(self, shares: f64) -> Result<Shares, E> {
                if shares.fract() != 0.0 {
                    return Ok(Shares(-1));
                }
                // From float to integer `as` stops at the ends of the range.
                #[allow(clippy::cast_possible_truncation)]
                Ok(Shares(shares as i64))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Amount {
        serde_json::from_str(text).expect("an amount")
    }

    #[test]
    fn text_and_numbers_mean_the_same() {
        for text in ["10.01", "\"10.01\"", "\"010.0100\""] {
            assert_eq!(read(text), Amount::new(100_100), "{text}");
        }
        assert_eq!(read("10"), Amount::new(100_000));
        assert_eq!(read("\"-.5\""), Amount::new(-5_000));
        assert_eq!(read("0.00001"), Amount { units: 0, exact: false });
        assert_eq!(read("1e300"), Amount::new(i64::MAX));
        assert_eq!(read("\"99999999999999999999999999.5\""), Amount::new(i64::MAX));
        for text in ["\"\"", "\".\"", "\"1e5\"", "\"ten\"", "\"1.2.3\"", "true", "null"] {
            assert!(serde_json::from_str::<Amount>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_prints_with_two_places_or_more() {
        for (units, text) in
            [(100_000, "10.00"), (100_050, "10.005"), (1, "0.0001"), (-12_300, "-1.23")]
        {
            assert_eq!(Amount::new(units).to_string(), text);
        }
    }

    #[test]
    fn sizes_beyond_all_measure_are_kept_at_the_end_of_the_range() {
        let read = |text: &str| serde_json::from_str::<Shares>(text).expect("shares").0;
        assert_eq!(read("100"), 100);
        assert_eq!(read("-3"), -3);
        assert_eq!(read("1.5"), -1);
        assert_eq!(read("18446744073709551615"), i64::MAX);
        assert_eq!(read("1e40"), i64::MAX);
        assert!(serde_json::from_str::<Shares>("\"100\"").is_err());
    }
}
