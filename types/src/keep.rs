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

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU32;

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

/// A state of a value is the value.
macro_rules! value_is_state {
    ([$($bounds:tt)*] $type:ty) => {
        impl<$($bounds)*> State for $type {
            const SHAPE: Shape = <Self as Value>::SHAPE;
            #[inline]
            fn save(&self, pen: &mut Pen) {
                Value::save(self, pen);
            }
            #[inline]
            fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
                *self = Value::read(reader)?;
                Ok(())
            }
        }
    };
}

macro_rules! numbers {
    ($($type:ident),*) => {
        $(
            impl Value for $type {
                const SHAPE: Shape = Shape::of(stringify!($type));
                #[inline]
                fn save(&self, pen: &mut Pen) {
                    pen.raw(&self.to_le_bytes());
                }
                #[inline]
                fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
                    reader.array().map(Self::from_le_bytes)
                }
            }
            value_is_state!([] $type);
        )*
    };
}

numbers!(u16, u32, u64, u128, i8, i16, i32, i64, i128);

impl Value for u8 {
    const SHAPE: Shape = Shape::of("u8");

    #[inline]
    fn save(&self, pen: &mut Pen) {
        pen.u8(*self);
    }

    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
        reader.u8()
    }

    fn save_all<'a>(items: impl IntoIterator<Item = &'a Self>, pen: &mut Pen) {
        pen.0.extend(items);
    }

    fn read_all(
        reader: &mut Reader<'_>,
        count: usize,
        mut take: impl FnMut(Self, usize),
    ) -> Result<(), Unfit> {
        reader.raw(count)?.iter().for_each(|&byte| take(byte, 1));
        Ok(())
    }

    fn read_into(places: &mut [Self], reader: &mut Reader<'_>) -> Result<(), Unfit> {
        places.copy_from_slice(reader.raw(places.len())?);
        Ok(())
    }
}

impl Value for usize {
    const SHAPE: Shape = Shape::of("usize");

    #[inline]
    fn save(&self, pen: &mut Pen) {
        pen.count(*self);
    }

    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
        reader.count()
    }
}

impl Value for bool {
    const SHAPE: Shape = Shape::of("bool");

    #[inline]
    fn save(&self, pen: &mut Pen) {
        pen.u8((*self).into());
    }

    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
        match reader.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unfit::new("", "neither no nor yes")),
        }
    }
}

impl Value for NonZeroU32 {
    const SHAPE: Shape = Shape::of("NonZeroU32");

    #[inline]
    fn save(&self, pen: &mut Pen) {
        Value::save(&self.get(), pen);
    }

    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
        Self::new(Value::read(reader)?).ok_or(Unfit::new("", "a 0 where none can be"))
    }
}

impl Value for String {
    const SHAPE: Shape = Shape::of("String");

    fn save(&self, pen: &mut Pen) {
        pen.count(self.len());
        pen.raw(self.as_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
        let count = reader.count()?;
        let text = std::str::from_utf8(reader.raw(count)?);
        text.map(ToOwned::to_owned).map_err(|_| Unfit::new("", "no text"))
    }
}

value_is_state!([] u8);
value_is_state!([] usize);
value_is_state!([] bool);
value_is_state!([] NonZeroU32);
value_is_state!([] String);

impl<T: Value> Value for Option<T> {
    const SHAPE: Shape = Shape::of("Option").shape(T::SHAPE);

    #[inline]
    fn save(&self, pen: &mut Pen) {
        pen.u8(self.is_some().into());
        if let Some(value) = self {
            value.save(pen);
        }
    }

    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
        bool::read(reader)?.then(|| T::read(reader)).transpose()
    }
}

value_is_state!([T: Value] Option<T>);

macro_rules! tuples {
    ($($name:ident $field:tt),*) => {
        impl<$($name: Value),*> Value for ($($name,)*) {
            const SHAPE: Shape = Shape::of("tuple")$(.shape($name::SHAPE))*;
            #[inline]
            fn save(&self, pen: &mut Pen) {
                $(self.$field.save(pen);)*
            }
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
                Ok(($($name::read(reader)?,)*))
            }
        }
        value_is_state!([$($name: Value),*] ($($name,)*));
    };
}

tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);

impl<T: Value + Copy, const N: usize> Value for [T; N] {
    const SHAPE: Shape = Shape::of("array").shape(T::SHAPE).shape(Shape(N as u64));

    #[inline]
    fn save(&self, pen: &mut Pen) {
        self.iter().for_each(|item| item.save(pen));
    }

    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
        let mut array = [T::read(reader)?; N];
        for item in &mut array[1..] {
            *item = T::read(reader)?;
        }
        Ok(array)
    }
}

value_is_state!([T: Value + Copy, const N: usize] [T; N]);

impl<T: Value> State for Box<[T]> {
    const SHAPE: Shape = Shape::of("table").shape(T::SHAPE);

    fn save(&self, pen: &mut Pen) {
        pen.count(self.len());
        T::save_all(self, pen);
    }

    fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
        if reader.count()? != self.len() {
            return Err(Unfit::new("", "a table of another length: another configuration"));
        }
        T::read_into(self, reader)
    }
}

/// A number of things for which there is room, or of which each takes a byte at least.
fn count_within(reader: &mut Reader<'_>, room: usize) -> Result<usize, Unfit> {
    let count = reader.count()?;
    match count <= room.max(reader.left()) {
        true => Ok(count),
        false => Err(Unfit::new("", "more than there is room for")),
    }
}

macro_rules! lists {
    ($($list:ident),*) => {
        $(
            impl<T: Value> State for $list<T> {
                const SHAPE: Shape = Shape::of("list").shape(T::SHAPE);

                fn save(&self, pen: &mut Pen) {
                    pen.count(self.len());
                    T::save_all(self, pen);
                }

                fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
                    self.clear();
                    let count = count_within(reader, self.capacity())?;
                    T::read_all(reader, count, |value, alike| {
                        self.extend(std::iter::repeat_n(value, alike));
                    })
                }
            }
        )*
    };
}

lists!(Vec, VecDeque);

/// Writes things in the order of their bytes: what has no order of its own gives the same bytes every time.
fn save_sorted<T>(
    things: impl ExactSizeIterator<Item = T>,
    mut save: impl FnMut(T, &mut Pen),
    pen: &mut Pen,
) {
    pen.count(things.len());
    let (mut all, mut places) = (Pen::new(), Vec::with_capacity(things.len()));
    for thing in things {
        let begin = all.0.len();
        save(thing, &mut all);
        places.push(begin..all.0.len());
    }
    places.sort_unstable_by(|one, other| all.0[one.clone()].cmp(&all.0[other.clone()]));
    places.into_iter().for_each(|place| pen.raw(&all.0[place]));
}

impl<K: Value + Eq + Hash, V: Value, S: BuildHasher> State for HashMap<K, V, S> {
    const SHAPE: Shape = Shape::of("map").shape(K::SHAPE).shape(V::SHAPE);

    fn save(&self, pen: &mut Pen) {
        let save = |(key, value): (&K, &V), pen: &mut Pen| {
            key.save(pen);
            value.save(pen);
        };
        save_sorted(self.iter(), save, pen);
    }

    fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
        self.clear();
        for _ in 0..count_within(reader, 0)? {
            if self.insert(K::read(reader)?, V::read(reader)?).is_some() {
                return Err(Unfit::new("", "one key twice"));
            }
        }
        Ok(())
    }
}

impl<K: Value + Eq + Hash, S: BuildHasher> State for HashSet<K, S> {
    const SHAPE: Shape = Shape::of("set").shape(K::SHAPE);

    fn save(&self, pen: &mut Pen) {
        save_sorted(self.iter(), K::save, pen);
    }

    fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
        self.clear();
        for _ in 0..count_within(reader, 0)? {
            if !self.insert(K::read(reader)?) {
                return Err(Unfit::new("", "one key twice"));
            }
        }
        Ok(())
    }
}

impl<K: Value + Ord, V: Value> State for BTreeMap<K, V> {
    const SHAPE: Shape = Shape::of("map").shape(K::SHAPE).shape(V::SHAPE);

    fn save(&self, pen: &mut Pen) {
        pen.count(self.len());
        for (key, value) in self {
            key.save(pen);
            value.save(pen);
        }
    }

    fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
        self.clear();
        for _ in 0..count_within(reader, 0)? {
            if self.insert(K::read(reader)?, V::read(reader)?).is_some() {
                return Err(Unfit::new("", "one key twice"));
            }
        }
        Ok(())
    }
}

impl<T: State> State for Box<T> {
    const SHAPE: Shape = T::SHAPE;

    fn save(&self, pen: &mut Pen) {
        (**self).save(pen);
    }

    fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
        (**self).load(reader)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
    enum Kind {
        Nothing,
        One(u32),
        Both { first: bool, second: Option<[u16; 3]> },
    }

    #[derive(Debug, Default, PartialEq, Eq, State)]
    struct Part {
        numbers: Box<[u32]>,
        kinds: Vec<Kind>,
        bytes: VecDeque<u8>,
        names: HashMap<u16, (i64, String)>,
        #[keep(skip)]
        made: u8,
        #[keep(same)]
        inner: Option<Inner>,
        #[keep(each)]
        several: Vec<Inner>,
    }

    #[derive(Debug, Default, PartialEq, Eq, State)]
    struct Inner {
        wide: u128,
    }

    fn part(inner: bool) -> Part {
        Part {
            numbers: [0, 0, 0, 7, 7, 0].into(),
            kinds: vec![
                Kind::Nothing,
                Kind::One(5),
                Kind::One(5),
                Kind::Both { first: true, second: Some([1, 2, 3]) },
            ],
            bytes: [9, 9, 8].into(),
            names: (0..40)
                .map(|number| (number, (-i64::from(number), number.to_string())))
                .collect(),
            made: 4,
            inner: inner.then(|| Inner { wide: 1 << 99 }),
            several: vec![Inner { wide: 1 }, Inner { wide: 2 }],
        }
    }

    fn empty(inner: bool) -> Part {
        Part {
            numbers: [1; 6].into(),
            made: 3,
            inner: inner.then(Inner::default),
            several: vec![Inner::default(), Inner::default()],
            ..Part::default()
        }
    }

    fn bytes_of(part: &Part) -> Vec<u8> {
        let mut pen = Pen::new();
        part.save(&mut pen);
        pen.into_bytes()
    }

    #[test]
    fn what_was_written_is_read_back() {
        for inner in [false, true] {
            let (from, mut into) = (part(inner), empty(inner));
            let bytes = bytes_of(&from);
            let mut reader = Reader::new(&bytes);
            into.load(&mut reader).expect("it fits");
            reader.end().expect("all of it");
            assert_eq!(into.made, 3, "what is skipped stays");
            into.made = from.made;
            assert_eq!(into, from);
            assert_eq!(bytes_of(&into), bytes, "a map has no order, its bytes have");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bytes = bytes_of(&part(true));
        for length in 0..bytes.len() {
            assert!(empty(true).load(&mut Reader::new(&bytes[..length])).is_err(), "{length}");
        }
        let unfit = empty(false).load(&mut Reader::new(&bytes)).expect_err("another configuration");
        assert_eq!((unfit.part, unfit.field), ("Part", "inner"));
        let mut longer = Part { numbers: [0; 7].into(), ..empty(true) };
        assert_eq!(
            longer.load(&mut Reader::new(&bytes)).map_err(|unfit| unfit.field),
            Err("numbers")
        );
        let mut more = Part { several: Vec::new(), ..empty(true) };
        assert_eq!(
            more.load(&mut Reader::new(&bytes)).map_err(|unfit| unfit.field),
            Err("several")
        );
        for tag in 3..=u8::MAX {
            assert!(<Kind as Value>::read(&mut Reader::new(&[tag, 0, 0, 0, 0])).is_err());
        }
    }

    #[test]
    fn a_shape_tells_names_orders_and_types_apart() {
        let shapes = [
            <Kind as Value>::SHAPE,
            <Part as State>::SHAPE,
            <Inner as State>::SHAPE,
            <u128 as Value>::SHAPE,
            <[u16; 3] as Value>::SHAPE,
            <[u16; 4] as Value>::SHAPE,
            <(u16, u32) as Value>::SHAPE,
            <(u32, u16) as Value>::SHAPE,
            <Option<u32> as Value>::SHAPE,
            Shape::of("a").word("bc"),
            Shape::of("ab").word("c"),
        ];
        for (at, shape) in shapes.iter().enumerate() {
            assert!(!shapes[..at].contains(shape), "{at}");
        }
    }
}
