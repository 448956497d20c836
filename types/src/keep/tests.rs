//! What was written is read back, and what does not fit is refused.

use std::collections::{HashMap, VecDeque};

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
        names: (0..40).map(|number| (number, (-i64::from(number), number.to_string()))).collect(),
        made: 4,
        inner: inner.then_some(Inner { wide: 1 << 99 }),
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
    assert_eq!(longer.load(&mut Reader::new(&bytes)).map_err(|unfit| unfit.field), Err("numbers"));
    let mut more = Part { several: Vec::new(), ..empty(true) };
    assert_eq!(more.load(&mut Reader::new(&bytes)).map_err(|unfit| unfit.field), Err("several"));
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
