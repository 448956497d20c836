//! State as bytes: how the whole of a part is written down, exactly as it lies in memory, and put back into a part
//! that was made anew, so that everything afterwards is the same to the last number.
//!
//! A [`Value`] is made from bytes. A [`State`] is filled from them: it was made before, with its memory and with what
//! its configuration says, and nothing is allocated for what has its room. Both are derived, field by field. What comes
//! in bytes is never trusted: a value that cannot be, or a table of another length, is [`Unfit`]; whether numbers lead
//! to places that there are is for each state to check.
//!
//! ```
//! use spindle_types::keep::{Pen, Reader, State};
//!
//! #[derive(State)]
//! struct Slab {
//!     used: u32,
//!     places: Box<[u64]>,
//! }
//!
//! let slab = Slab { used: 1, places: [7, 0, 0].into() };
//! let mut pen = Pen::new();
//! slab.save(&mut pen);
//! let mut other = Slab { used: 0, places: [0; 3].into() };
//! other.load(&mut Reader::new(pen.bytes())).unwrap();
//! assert_eq!((other.used, &other.places[..]), (1, &[7, 0, 0][..]));
//! ```

mod parts;
#[cfg(test)]
mod tests;

pub use spindle_types_derive::{State, Value};
use thiserror::Error;

/// Why bytes are no state of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{part} {field}: {what}")]
pub struct Unfit {
    /// The innermost part that is known.
    pub part: &'static str,
    /// Its field.
    pub field: &'static str,
    /// What is wrong.
    pub what: &'static str,
}

impl Unfit {
    /// Something wrong in a part.
    pub const fn new(part: &'static str, what: &'static str) -> Self {
        Self { part, field: "", what }
    }

    /// The same, where the place is not known yet.
    #[must_use]
    pub const fn within(self, part: &'static str, field: &'static str) -> Self {
        match self.part.is_empty() {
            true => Self { part, field, ..self },
            false => self,
        }
    }
}

/// What a part consists of, as one number: another layout has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape(pub u64);

impl Shape {
    /// Of a name, with nothing in it yet.
    pub const fn of(name: &str) -> Self {
        Self(0xcbf2_9ce4_8422_2325).word(name)
    }

    /// With a word more.
    #[must_use]
    pub const fn word(self, word: &str) -> Self {
        let bytes = word.as_bytes();
        let (mut hash, mut at) = (self.0, 0);
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            at += 1;
        }
        // The end of the word counts as well.
        Self((hash ^ 0xff).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// With a shape within it.
    #[must_use]
    pub const fn shape(self, other: Self) -> Self {
        Self((self.0 ^ other.0).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
    }

    /// With a field.
    #[must_use]
    pub const fn field(self, name: &str, shape: Self) -> Self {
        self.word(name).shape(shape)
    }
}

/// Takes down bytes, little-endian.
#[derive(Clone, Debug, Default)]
pub struct Pen(Vec<u8>);

impl Pen {
    /// With nothing written.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What was written, to be kept.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Writes a byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Writes bytes, without their number.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Writes how many.
    #[inline]
    pub fn count(&mut self, count: usize) {
        self.raw(&(count as u64).to_le_bytes());
    }

    /// Writes a small number in few bytes: seven bits each, the lowest first.
    #[inline]
    fn short(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.u8((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.u8((number & 0x7f) as u8);
    }
}

/// Reads what a [`Pen`] has written.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

/// The bytes end too soon.
const SHORT: Unfit = Unfit::new("", "the bytes end too soon");

impl<'a> Reader<'a> {
    /// At the front of bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes that are left.
    pub const fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The next bytes.
    ///
    /// # Errors
    /// There are fewer; so of all that follow.
    #[inline]
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], Unfit> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(SHORT)?;
        self.bytes = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unfit> {
        let (array, rest) = self.bytes.split_first_chunk::<N>().ok_or(SHORT)?;
        self.bytes = rest;
        Ok(*array)
    }

    /// A byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Unfit> {
        self.array().map(u8::from_le_bytes)
    }

    /// How many.
    #[inline]
    pub fn count(&mut self) -> Result<usize, Unfit> {
        let count = self.array().map(u64::from_le_bytes)?;
        usize::try_from(count).map_err(|_| Unfit::new("", "a count beyond all memory"))
    }

    #[inline]
    fn short(&mut self) -> Result<u64, Unfit> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Unfit::new("", "a number that does not end"))
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    pub const fn end(&self) -> Result<(), Unfit> {
        match self.bytes.len() {
            0 => Ok(()),
            _ => Err(Unfit::new("", "bytes behind the end")),
        }
    }
}

/// What is made from bytes.
pub trait Value: Sized + Clone {
    /// What it consists of.
    const SHAPE: Shape;

    /// Writes it down.
    fn save(&self, pen: &mut Pen);

    /// Makes it.
    ///
    /// # Errors
    /// Bytes that are none; so of all that follow.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit>;

    /// Writes down several, without their number. Of those that are alike and stand together one is written, and how
    /// many there are: most places of a table are vacant.
    fn save_all<'a>(items: impl IntoIterator<Item = &'a Self>, pen: &mut Pen)
    where
        Self: 'a,
    {
        let (mut begin, mut alike, mut next) = (0, 0, Pen::new());
        for item in items {
            next.0.clear();
            item.save(&mut next);
            if alike > 0 && pen.0[begin..] == next.0 {
                alike += 1;
                continue;
            }
            if alike > 0 {
                pen.short(alike);
            }
            (begin, alike) = (pen.0.len(), 1);
            pen.raw(&next.0);
        }
        if alike > 0 {
            pen.short(alike);
        }
    }

    /// Reads so many: each with how many there are of it.
    fn read_all(
        reader: &mut Reader<'_>,
        count: usize,
        mut take: impl FnMut(Self, usize),
    ) -> Result<(), Unfit> {
        let mut left = count;
        while left > 0 {
            let value = Self::read(reader)?;
            let alike = usize::try_from(reader.short()?).unwrap_or(usize::MAX);
            if alike == 0 || alike > left {
                return Err(Unfit::new("", "another number in a table than it says"));
            }
            take(value, alike);
            left -= alike;
        }
        Ok(())
    }

    /// Reads as many as there are places.
    fn read_into(places: &mut [Self], reader: &mut Reader<'_>) -> Result<(), Unfit> {
        let mut at = 0;
        Self::read_all(reader, places.len(), |value, alike| {
            places[at..at + alike].fill(value);
            at += alike;
        })
    }
}

/// What was made before and is filled from bytes.
pub trait State {
    /// What it consists of.
    const SHAPE: Shape;

    /// Writes it down.
    fn save(&self, pen: &mut Pen);

    /// Fills it. After an error it is in no state that means anything.
    ///
    /// # Errors
    /// Bytes that are no state of this part.
    fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit>;
}

/// Writes down states one after the other.
pub fn save_each<T: State>(states: &[T], pen: &mut Pen) {
    pen.count(states.len());
    states.iter().for_each(|state| state.save(pen));
}

/// Fills states one after the other.
///
/// # Errors
/// Another number of them, and what a state says.
pub fn load_each<T: State>(states: &mut [T], reader: &mut Reader<'_>) -> Result<(), Unfit> {
    if reader.count()? != states.len() {
        return Err(Unfit::new("", "another number of parts: another configuration"));
    }
    states.iter_mut().try_for_each(|state| state.load(reader))
}

/// Writes down a state that there may be.
pub fn save_same<T: State>(state: &Option<T>, pen: &mut Pen) {
    pen.u8(state.is_some().into());
    if let Some(state) = state {
        state.save(pen);
    }
}

/// Fills a state that there may be.
///
/// # Errors
/// It was there and is not, or the other way round; and what the state says.
pub fn load_same<T: State>(state: &mut Option<T>, reader: &mut Reader<'_>) -> Result<(), Unfit> {
    match (bool::read(reader)?, state) {
        (false, None) => Ok(()),
        (true, Some(state)) => state.load(reader),
        _ => Err(Unfit::new("", "a part that is not in both: another configuration")),
    }
}

/// What is in a table of states.
pub trait Several {
    /// Of what.
    type Item: State;
}

impl<T: State> Several for Box<[T]> {
    type Item = T;
}

impl<T: State> Several for Vec<T> {
    type Item = T;
}

impl<T: State> Several for Option<T> {
    type Item = T;
}
