//! An engine that looks at every message some time before its turn ends in the same state as one that does not, whatever the messages
//! are: in order, about orders that never were, cut short, or no messages at all.

#![allow(clippy::cast_possible_truncation, reason = "small random numbers")]

use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_risk::Gate;
use spindle_types::Sequence;

/// A source of random numbers: SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn engine() -> Engine {
    // Small: references and prices come round the tables many times.
    let capacity = Capacity { orders: 300, levels: 60, instruments: 4 };
    let config =
        EngineConfig { capacity, own_orders: 16, first_number: EngineConfig::BESIDE_A_FEED };
    Engine::new(&config, Gate::new(1)).0
}

/// A message of ITCH 5.0: adds, and what may become of an order; some are damaged.
fn message(chance: &mut Chance, newest: &mut u64) -> Vec<u8> {
    let kind = b"AAAFDDUUEXR"[chance.below(11) as usize];
    let mut message = vec![kind, 0, 1 + chance.below(3) as u8, 0, 0];
    message.extend([0, 0, 0, 0, 0, 9]);
    let price = (9_900 + 50 * chance.below(30)) as u32;
    let known = newest.saturating_sub(chance.below(250));
    match kind {
        b'A' | b'F' => {
            *newest += 1;
            message.extend(newest.to_be_bytes());
            message.push(b"BS"[chance.below(2) as usize]);
            message.extend([0, 0, 1, 0]);
            message.extend(b"X       ");
            message.extend(price.to_be_bytes());
            message.extend_from_slice(if kind == b'F' { b"ABCD" } else { b"" });
        }
        b'U' => {
            *newest += 1;
            message.extend(known.to_be_bytes());
            message.extend(newest.to_be_bytes());
            message.extend([0, 0, 0, 200]);
            message.extend(price.to_be_bytes());
        }
        b'R' => message.extend((0..28).map(|_| chance.below(256) as u8)),
        _ => {
            message.extend(known.to_be_bytes());
            message.extend([0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 1]);
            let length = if kind == b'D' {
                19
            } else if kind == b'X' {
                23
            } else {
                31
            };
            message.truncate(length);
        }
    }
    match chance.below(60) {
        0 => message.truncate(chance.below(40) as usize),
        1 => message.iter_mut().for_each(|byte| *byte = chance.below(256) as u8),
        _ => {}
    }
    message
}

#[test]
fn an_engine_that_looks_ahead_ends_in_the_same_state() {
    const AHEAD: usize = 33;
    for seed in 0..20 {
        let (mut chance, mut newest) = (Chance(seed), 0);
        let messages: Vec<_> = (0..3_000).map(|_| message(&mut chance, &mut newest)).collect();
        let (mut plain, mut looking) = (engine(), engine());
        for (at, bytes) in messages.iter().enumerate() {
            if let Some(next) = messages.get(at + AHEAD) {
                // What lies behind a message is read as well, and is whatever it is.
                let behind = vec![chance.below(256) as u8; chance.below(40) as usize];
                looking.look_out(&[next.as_slice(), behind.as_slice()].concat());
            }
            let sequence = Sequence(at as u64 + 1);
            assert_eq!(plain.on_message(sequence, bytes), looking.on_message(sequence, bytes));
            plain.clear_outbox();
            looking.clear_outbox();
        }
        assert_eq!(plain.state_hash(), looking.state_hash(), "seed {seed}");
        assert!(plain.books().live_orders() > 50, "{}", plain.books().live_orders());
    }
}
