use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::keep;

/// An instrument's symbol: up to eight ASCII characters, padded on the right with spaces, as ITCH
/// and OUCH carry it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
pub struct Symbol(pub [u8; 8]);

/// Why a text is not a symbol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not a symbol: 1 to 8 printable ASCII characters without spaces are")]
pub struct SymbolError(String);

impl Symbol {
    /// No symbol: eight spaces.
    pub const BLANK: Self = Self(*b"        ");

    /// The characters without the padding. Bytes outside printable ASCII, which only a broken feed
    /// has, show as `?`.
    pub fn chars(&self) -> impl Iterator<Item = char> {
        let length = self.0.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
        self.0[..length].iter().map(|&byte| match byte {
            0x20..=0x7e => char::from(byte),
            _ => '?',
        })
    }

    /// The eight bytes as one integer, for comparing and hashing.
    #[inline]
    pub const fn bits(self) -> u64 {
        u64::from_ne_bytes(self.0)
    }
}

impl Default for Symbol {
    fn default() -> Self {
        Self::BLANK
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let fits =
            (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(SymbolError(text.escape_default().to_string()));
        }
        let mut bytes = *b"        ";
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(bytes))
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.chars().collect::<String>())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbol({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_padded_and_printed_without_padding() {
        let symbol: Symbol = "AAPL".parse().expect("a symbol");
        assert_eq!(symbol.0, *b"AAPL    ");
        assert_eq!(symbol.to_string(), "AAPL");
        assert_eq!(format!("{symbol:<6}|"), "AAPL  |");
        assert_eq!(Symbol::BLANK.to_string(), "");
        assert_eq!(Symbol(*b"A\x1b[2J   ").to_string(), "A?[2J");
    }

    #[test]
    fn texts_that_are_no_symbol_are_refused() {
        for text in ["", "NINECHARS", "A B", "Ä"] {
            assert!(text.parse::<Symbol>().is_err(), "{text:?}");
        }
    }
}
