//! Every world of a few commands: all sequences over small alphabets, twin against engine, every
//! line and the whole book compared after every command.
//!
//! The alphabets, each with the cancel of any earlier order besides:
//!
//! * 4 commands of limit and IOC orders at 3 prices and market orders, of 2 sizes: 28 letters;
//! * 5 commands of limit orders at 3 prices, of 2 sizes, and market orders of one: 14 letters;
//! * 4 commands of all kinds of order at 3 prices: 24 letters.
//!
//! Fewer commands are the beginnings of these.

mod common;

use common::{Pair, price, report};
use spindle_scenario::{Cancel, Id, Instrument, Kind, New, Op, Sale, Shares, Side, Size, Tif};

const SIZE: Size = Size { instruments: 1, accounts: 2, orders: 16 };
const LOW: i64 = 99_900;
const MIDDLE: i64 = 100_000;
const HIGH: i64 = 100_100;

fn order(side: Side, kind: Kind, units: Option<i64>, quantity: i64) -> New {
    New {
        id: 0,
        account: "A".into(),
        session: None,
        symbol: "X".into(),
        side,
        sale: Sale::Long,
        kind,
        price: units.map(price),
        quantity: Shares(quantity),
        tif: Tif::Day,
        expire_ns: None,
        stop_price: None,
        trail: None,
        offset: None,
        display: None,
        hidden: false,
        post_only: false,
        check_only: false,
        minimum_quantity: None,
    }
}

/// Limit orders at every price, of these sizes and times in force.
fn limits(sizes: &[i64], tifs: &[Tif]) -> Vec<New> {
    let mut letters = Vec::new();
    for side in [Side::Buy, Side::Sell] {
        for units in [LOW, MIDDLE, HIGH] {
            for &quantity in sizes {
                for &tif in tifs {
                    let limit = order(side, Kind::Limit, Some(units), quantity);
                    letters.push(New { tif, ..limit });
                }
            }
        }
    }
    letters
}

fn markets(sizes: &[i64]) -> Vec<New> {
    let sides = [Side::Buy, Side::Sell].into_iter();
    sides.flat_map(|side| sizes.iter().map(move |&q| order(side, Kind::Market, None, q))).collect()
}

/// One letter of each kind of order and modifier for each side.
fn kinds() -> Vec<New> {
    let mut letters = Vec::new();
    for side in [Side::Buy, Side::Sell] {
        let (near, far) = match side {
            Side::Buy => (LOW, HIGH),
            Side::Sell => (HIGH, LOW),
        };
        let limit = |units, quantity| order(side, Kind::Limit, Some(units), quantity);
        let stop_price = Some(price(far));
        let trail = Some(price(100));
        letters.extend([
            limit(near, 2),
            limit(MIDDLE, 1),
            limit(MIDDLE, 3),
            New { display: Some(Shares(1)), ..limit(MIDDLE, 3) },
            New { hidden: true, ..limit(MIDDLE, 2) },
            New { tif: Tif::Fok, ..limit(MIDDLE, 3) },
            New { minimum_quantity: Some(Shares(2)), ..limit(MIDDLE, 3) },
            order(side, Kind::MarketToLimit, None, 2),
            New { stop_price: Some(price(MIDDLE)), ..order(side, Kind::Stop, None, 2) },
            New { trail, stop_price, ..order(side, Kind::TrailingStop, None, 1) },
            order(side, Kind::MidpointPeg, None, 2),
            New { offset: Some(price(100)), ..order(side, Kind::PrimaryPeg, None, 1) },
        ]);
    }
    letters
}

/// Goes through every continuation of a world up to its length; how many worlds that were.
fn all(letters: &[New], length: usize, world: &mut Vec<Op>, count: &mut u64) {
    if world.len() > length {
        *count += 1;
        return try_one(world);
    }
    let id = world.len() as Id;
    for letter in letters {
        world.push(Op::New(New { id, ..letter.clone() }));
        all(letters, length, world, count);
        world.pop();
    }
    for earlier in 1..id {
        if matches!(world[usize::try_from(earlier).expect("small")], Op::New(_)) {
            world.push(Op::Cancel(Cancel { id: earlier }));
            all(letters, length, world, count);
            world.pop();
        }
    }
}

fn try_one(world: &[Op]) {
    let mut pair = Pair::new(SIZE);
    let wrong = world.iter().any(|op| pair.apply(op).is_err());
    if wrong || pair.end().is_err() {
        panic!("{}", report(world.to_vec(), "twin and engine differ"));
    }
}

fn worlds(letters: &[New], length: usize) {
    let tick = Some(price(100));
    let instrument =
        Op::Instrument(Instrument { symbol: "X".into(), tick, lot: None, currency: None });
    let mut count = 0;
    all(letters, length, &mut vec![instrument], &mut count);
    println!("{count} worlds of {length} commands over {} letters", letters.len());
    let orders_alone = (letters.len() as u64).pow(u32::try_from(length).expect("small"));
    assert!(count > orders_alone, "only {count} worlds");
}

#[test]
fn four_commands_of_limit_ioc_and_market_orders() {
    let letters = [limits(&[1, 2], &[Tif::Day, Tif::Ioc]), markets(&[1, 2])].concat();
    worlds(&letters, 4);
}

#[test]
fn five_commands_of_limit_and_market_orders() {
    let letters = [limits(&[1, 2], &[Tif::Day]), markets(&[2])].concat();
    worlds(&letters, 5);
}

#[test]
fn four_commands_of_all_kinds_of_order() {
    worlds(&kinds(), 4);
}
