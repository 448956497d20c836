//! A venue with room for sixteen orders: what comes then is refused with the number that there is
//! room for, nothing changes, and when an order goes there is room again.

mod common;

use common::{Pair, report};
use spindle_scenario::{Line, Op, Size};

const SIZE: Size = Size { instruments: 2, accounts: 4, orders: 16 };

fn apply(pair: &mut Pair, ops: &mut Vec<Op>, line: &str) -> Vec<Line> {
    let op = Op::parse(line).expect("an operation");
    ops.push(op);
    if let Err(fault) = pair.apply(&ops[ops.len() - 1]) {
        panic!("{fault}\n{}", report(SIZE, ops.clone(), "twin and engine differ"));
    }
    pair.lines.clone()
}

fn order(id: u64, side: &str, price: u64) -> String {
    format!(
        r#"{{"op":"new","id":{id},"account":"A","symbol":"X","side":"{side}","type":"limit","price":"{price}","quantity":100,"tif":"day"}}"#
    )
}

#[test]
fn a_full_book_refuses_with_its_limit_and_takes_orders_again() {
    let (mut pair, mut ops) = (Pair::new(SIZE), Vec::new());
    apply(&mut pair, &mut ops, r#"{"op":"instrument","symbol":"X","tick":"0.01"}"#);
    apply(
        &mut pair,
        &mut ops,
        r#"{"op":"tape","event":"add","symbol":"X","ref":1,"side":"buy","price":"9","quantity":50}"#,
    );
    for id in 1..=15 {
        let lines = apply(&mut pair, &mut ops, &order(id, "buy", 10 + id));
        assert!(matches!(lines[..], [Line::Accepted { .. }]), "{lines:?}");
    }
    // One that would trade at once is refused too: room is asked for before it is known.
    for (id, side) in [(100, "buy"), (101, "sell")] {
        let [Line::Rejected(why)] = &apply(&mut pair, &mut ops, &order(id, side, 1))[..] else {
            panic!("not refused");
        };
        let figures = (why.reason, format!("{:?} {:?}", why.limit, why.observed));
        assert_eq!(figures, ("capacity", "Some(Count(16)) Some(Count(17))".to_owned()));
    }
    let tape = r#"{"op":"tape","event":"add","symbol":"X","ref":2,"side":"sell","price":"99","quantity":50}"#;
    let [Line::Rejected(why)] = &apply(&mut pair, &mut ops, tape)[..] else {
        panic!("not refused");
    };
    assert_eq!(why.reason, "capacity");
    assert_eq!(pair.twin.open_orders().count(), 15, "nothing has changed");
    // The number of a refused order is free.
    apply(&mut pair, &mut ops, r#"{"op":"cancel","id":3}"#);
    let lines = apply(&mut pair, &mut ops, &order(101, "sell", 20));
    assert!(matches!(lines[..], [Line::Accepted { .. }, Line::Trade { .. }, ..]), "{lines:?}");
}
