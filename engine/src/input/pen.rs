//! Writing and reading little-endian values.

use spindle_types::Price;

use super::InputError;

/// Appends values. The vector has room: nothing is allocated where it was made with enough.
pub(super) struct Pen<'a>(pub(super) &'a mut Vec<u8>);

impl Pen<'_> {
    pub(super) fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Whether there is one (u8), and which (u32).
    pub(super) fn price(&mut self, price: Option<Price>) -> &mut Self {
        self.u8(price.is_some().into()).u32(price.map_or(0, |price| price.0))
    }
}

/// Takes values from the front of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the front of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// There are fewer; so of all that follow.
    #[inline]
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], InputError> {
        let (array, rest) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or(InputError { what, value: self.bytes.len() as u64 })?;
        self.bytes = rest;
        Ok(*array)
    }

    /// A number.
    #[inline]
    pub fn u8(&mut self, what: &'static str) -> Result<u8, InputError> {
        self.array(what).map(u8::from_le_bytes)
    }

    /// A number.
    #[inline]
    pub fn u16(&mut self, what: &'static str) -> Result<u16, InputError> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// A number.
    #[inline]
    pub fn u32(&mut self, what: &'static str) -> Result<u32, InputError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// A number.
    #[inline]
    pub fn u64(&mut self, what: &'static str) -> Result<u64, InputError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// 0 or 1.
    #[inline]
    pub fn flag(&mut self, what: &'static str) -> Result<bool, InputError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(InputError { what, value: other.into() }),
        }
    }

    /// A price, if there is one.
    #[inline]
    pub fn price(&mut self, what: &'static str) -> Result<Option<Price>, InputError> {
        let (is_some, price) = (self.flag(what)?, self.u32(what)?);
        Ok(is_some.then_some(Price(price)))
    }

    /// So many bytes.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], InputError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or(InputError { what, value: self.bytes.len() as u64 })?;
        self.bytes = rest;
        Ok(taken)
    }

    /// All that is left.
    #[inline]
    pub const fn rest(self) -> &'a [u8] {
        self.bytes
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    #[inline]
    pub fn end(self) -> Result<(), InputError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(InputError { what: "bytes behind the end", value: left as u64 }),
        }
    }
}
