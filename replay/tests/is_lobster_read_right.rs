//! Whether LOBSTER messages mean what their order book says: the oracle is the book file, one row for
//! each message.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use spindle_feed::event::MarketAction;
use spindle_replay::recording::{Batch, LobsterRow, Recording};
use spindle_types::Side;

/// Levels by price, asks and bids.
type Levels = [BTreeMap<i64, i64>; 2];

fn shared(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/lobster"));
    let path = folder.join(format!("GOOG_2012-06-21_34200000_57600000_{name}_10.csv.gz"));
    if !path.exists() {
        println!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

fn lines(path: &PathBuf) -> impl Iterator<Item = String> + use<> {
    let file = GzDecoder::new(File::open(path).expect("a file"));
    BufReader::new(file).lines().map(|line| line.expect("a line"))
}

/// A row of the book file: ask price, ask size, bid price, bid size for each level.
fn levels(row: &str) -> Levels {
    let numbers: Vec<i64> = row.split(',').map(|field| field.parse().expect("a number")).collect();
    let mut levels = Levels::default();
    for level in numbers.chunks(4) {
        levels[0].insert(level[0], level[1]);
        levels[1].insert(level[2], level[3]);
    }
    levels
}

/// The first nine levels of each side, the best first.
fn top(levels: &Levels) -> [Vec<(i64, i64)>; 2] {
    let pair = |(price, size): (&i64, &i64)| (*price, *size);
    let asks = levels[0].iter().map(pair).take(9).collect();
    [asks, levels[1].iter().rev().map(pair).take(9).collect()]
}

fn apply(levels: &mut Levels, row: &LobsterRow) {
    let change = match row.kind {
        1 => i64::from(row.size),
        2..=4 => -i64::from(row.size),
        _ => 0,
    };
    let side = &mut levels[usize::from(row.side == Side::Buy)];
    let size = side.entry(row.price).or_default();
    *size += change;
    if *size <= 0 {
        side.remove(&row.price);
    }
}

#[test]
fn each_message_leads_from_one_row_of_the_book_to_the_next() {
    let (Some(messages), Some(books)) = (shared("message"), shared("orderbook")) else { return };
    let mut rows = lines(&messages).map(|line| LobsterRow::parse(&line).expect("a row"));
    let mut books = lines(&books);
    let mut before = levels(&books.next().expect("a row"));
    rows.next();
    let mut steps = 0;
    for (row, book) in rows.zip(books) {
        apply(&mut before, &row);
        let after = levels(&book);
        assert_eq!(top(&before), top(&after), "step {steps}: {row:?}");
        before = after;
        steps += 1;
    }
    assert_eq!(steps, 147_915);
}

#[test]
fn events_are_the_rows_one_by_one() {
    let Some(messages) = shared("message") else { return };
    let mut rows = lines(&messages).map(|line| LobsterRow::parse(&line).expect("a row"));
    let mut recording = Recording::open(&messages).expect("a recording");
    let mut count = 0;
    while let Some(Batch::Events(events)) = recording.next_batch().expect("events") {
        for event in events.events {
            count += 1;
            let row = rows.next().expect("as many rows");
            assert_eq!((event.time, event.instrument.0), (row.time, 1));
            let MarketAction::Add { reference, side, quantity, price, symbol } = event.action
            else {
                continue;
            };
            assert_eq!((row.kind, reference.0, quantity.0), (1, row.order, row.size));
            assert_eq!((i64::from(price.0), side), (row.price, row.side));
            assert_eq!(symbol.to_string(), "GOOG");
        }
    }
    assert_eq!(count, 147_916);
    assert!(rows.next().is_none());
}
