//! How numbers, texts, tables, lists and maps are kept.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU32;

use super::{Pen, Reader, Shape, State, Unfit, Value};

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
