//! A recording whose instruments are shared among several engines: the same tops, the same queues,
//! the same counts as from one engine, however many share.

use spindle::shares::Shares;
use spindle::tops::write_tops;
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::recording::{ItchFile, Recording};
use spindle_types::Side;

fn config() -> EngineConfig {
    let capacity = Capacity { instruments: 400, orders: 60_000, levels: 40_000 };
    EngineConfig { capacity, own_orders: 0, first_number: EngineConfig::BESIDE_A_FEED }
}

/// What can be seen of the books and of what was counted.
fn seen(mut recording: Recording, shares: usize) -> String {
    let mut shares = Shares::new(&config(), shares);
    while let Some(batch) = recording.next_batch().expect("an intact recording") {
        shares.apply(&batch);
    }
    let (messages, undecodable) = (shares.messages(), shares.undecodable());
    let engines = shares.into_engines();
    let mut tops = Vec::new();
    write_tops(&mut tops, &engines).expect("memory");
    let count = |of: fn(&Engine) -> u64| engines.iter().map(of).sum::<u64>();
    let unknown = count(|engine| engine.counters().unknown_references);
    let duplicate = count(|engine| engine.counters().duplicate_references);
    let live = count(|engine| engine.books().live_orders() as u64);
    let mut levels: Vec<String> = Vec::new();
    for engine in &engines {
        for (instrument, _) in engine.instruments().iter() {
            for side in [Side::Buy, Side::Sell] {
                let side: Vec<_> = engine.books().levels_of(instrument, side).collect();
                levels.push(format!("{instrument} {side:?}"));
            }
        }
    }
    levels.sort();
    let tops = String::from_utf8(tops).expect("text");
    format!("{messages} {undecodable} {unknown} {duplicate} {live}\n{tops}\n{}", levels.join("\n"))
}

#[test]
fn a_day_gives_the_same_books_however_many_share_it() {
    let day = || {
        let config = GenerateConfig::new(300_000, 300, 5).expect("a day");
        Recording::new(GeneratedDay::new(config))
    };
    let alone = seen(day(), 1);
    assert!(alone.lines().count() > 600, "a day with books");
    for shares in [2, 3, 7] {
        assert_eq!(seen(day(), shares), alone, "{shares} shares");
    }
}

/// Messages that cannot be decoded, that name no instrument, or an order that nobody knows: counted
/// once.
#[test]
fn broken_messages_are_counted_once() {
    let delete = |locate: u8| {
        let mut message = vec![b'D', 0, locate];
        message.extend([0; 15]);
        message.push(77);
        message
    };
    let messages = [
        vec![b'?', 0, 0],
        vec![b'?', 0, 3],
        vec![b'?'],
        vec![b'S', 0, 0],
        vec![b'A', 0, 1],
        delete(0),
        delete(1),
        delete(2),
    ];
    let mut bytes = Vec::new();
    for message in &messages {
        bytes.extend([0, u8::try_from(message.len()).expect("short")]);
        bytes.extend(message);
    }
    let recording = || Recording::new(ItchFile::new(std::io::Cursor::new(bytes.clone())));
    let alone = seen(recording(), 1);
    assert!(alone.starts_with("8 5 3 0 0\n"), "{}", alone.lines().next().unwrap_or_default());
    for shares in [2, 3, 7] {
        assert_eq!(seen(recording(), shares), alone, "{shares} shares");
    }
}
