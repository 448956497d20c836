//! Do the fuzz targets hold, on a machine without a fuzzer? The same functions, over a corpus and a
//! bounded number of random mutations of it, from a seed. `SPINDLE_MUTATIONS` sets how many for each
//! target, `SPINDLE_SEED` the seed.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

mod tools;

#[allow(missing_docs, unreachable_pub, reason = "a test includes what the fuzzer calls")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use spindle_feed::moldudp64::{END_OF_SESSION, PacketBuilder, header};
use zerocopy::IntoBytes;

use tools::{Random, itch_messages, packet, real_datagrams, session};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs a target over the corpus, and over mutations of its entries.
fn run(name: &str, target: fn(&[u8]), corpus: &[Vec<u8>]) {
    let (count, seed) = (number("SPINDLE_MUTATIONS", 100_000), number("SPINDLE_SEED", 1));
    println!("{name}: SPINDLE_MUTATIONS={count} SPINDLE_SEED={seed}");
    for entry in corpus {
        target(entry);
    }
    let mut random = Random(seed);
    let pick = |random: &mut Random| corpus[random.below(corpus.len() as u64) as usize].clone();
    for _ in 0..count {
        let mut data = pick(&mut random);
        for _ in 0..=random.below(4) {
            let other = pick(&mut random);
            mutate(&mut data, &other, &mut random);
        }
        target(&data);
    }
}

fn mutate(data: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(data.len() as u64 + 1) as usize;
    let byte = random.below(256) as u8;
    match random.below(7) {
        0 if at < data.len() => data[at] ^= 1 << (byte & 7),
        1 if at < data.len() => data[at] = byte,
        2 => data.truncate(at),
        3 => data.insert(at, byte),
        4 if at < data.len() => drop(data.remove(at)),
        5 => data.truncate(at + other.len().min(at)),
        _ => {
            let from = random.below(other.len() as u64 + 1) as usize;
            data.truncate(at);
            data.extend_from_slice(&other[from..]);
        }
    }
    data.truncate(4_096);
}

/// The real messages in packets of one and of all.
fn packets() -> Vec<Vec<u8>> {
    let messages = itch_messages();
    let mut packets: Vec<_> = messages
        .iter()
        .map(|message| {
            let mut builder = PacketBuilder::new(*b"000010059B", 14_757_722, 1_472);
            assert!(builder.push(message));
            builder.packet().to_vec()
        })
        .collect();
    let mut all = PacketBuilder::new(*b"000010059B", 1, 1_472);
    for message in &messages {
        assert!(all.push(message));
    }
    packets.push(all.packet().to_vec());
    packets.push(header(session('x'), 4, 0).as_bytes().to_vec());
    packets.push(header(session('x'), 4, END_OF_SESSION).as_bytes().to_vec());
    packets.extend(real_datagrams());
    packets
}

/// Histories of a stream: a gap that the other line fills, one that a server fills, one that nobody
/// does, and a change of session.
fn histories() -> Vec<Vec<u8>> {
    let end = |letter, next| header(session(letter), next, END_OF_SESSION).as_bytes().to_vec();
    let history = |configuration: [u8; 2], records: &[(u8, Vec<u8>)]| {
        let mut data = configuration.to_vec();
        for (what, datagram) in records {
            data.push(*what);
            data.push(datagram.len() as u8);
            data.extend_from_slice(datagram);
        }
        data
    };
    let (a, b, server, timer) = (4, 5, 6, 7);
    vec![
        history([4, 7], &[(a, packet('x', 1, 2)), (a, packet('x', 5, 1)), (b, packet('x', 3, 2))]),
        history(
            [6, 7],
            &[
                (a, packet('x', 1, 1)),
                (a, packet('x', 4, 1)),
                (255, vec![]),
                (server, packet('x', 2, 2)),
            ],
        ),
        history(
            [5, 3],
            &[(a, packet('x', 9, 1)), (a, packet('x', 12, 1)), (255, vec![]), (timer, vec![])],
        ),
        history(
            [4, 7],
            &[
                (a, packet('x', 1, 3)),
                (b, end('x', 4)),
                (b, packet('y', 2, 1)),
                (a, packet('y', 1, 1)),
            ],
        ),
    ]
}

#[test]
fn mold_packets() {
    run("mold_packet", targets::mold_packet, &packets());
}

#[test]
fn itch_messages_alone() {
    run("itch_message", targets::itch_message, &itch_messages());
}

#[test]
fn streams() {
    run("feed_stream", targets::feed_stream, &histories());
}

/// Writes the corpora for the fuzzer: `SPINDLE_CORPUS=$PWD/fuzz/corpus cargo test ...
/// -- --ignored`.
#[test]
#[ignore = "writes files; for those who fuzz"]
fn write_the_corpora() {
    let folder = std::env::var("SPINDLE_CORPUS").expect("SPINDLE_CORPUS names a folder");
    let corpora = [
        ("mold_packet", packets()),
        ("itch_message", itch_messages()),
        ("feed_stream", histories()),
    ];
    for (name, entries) in corpora {
        let folder = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (index, entry) in entries.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index:03}")), entry).expect("a file");
        }
    }
}
