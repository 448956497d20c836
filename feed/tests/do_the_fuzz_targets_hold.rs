//! Do the fuzz targets hold, on a machine without a fuzzer? The same functions, over a corpus and a
//! bounded number of random mutations of it.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

mod tools;

#[allow(missing_docs, unreachable_pub, reason = "a test includes what the fuzzer calls")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

#[allow(missing_docs, unreachable_pub, reason = "two tests include what mutates")]
#[path = "../../fuzz/src/mutations.rs"]
mod mutations;

use spindle_feed::moldudp64::{END_OF_SESSION, PacketBuilder, header};
use zerocopy::IntoBytes;

use mutations::run;

use tools::{itch_messages, packet, real_datagrams, session};

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
    run("mold_packet", targets::mold_packet, &packets(), 100_000, 4_096);
}

#[test]
fn itch_messages_alone() {
    run("itch_message", targets::itch_message, &itch_messages(), 100_000, 4_096);
}

#[test]
fn streams() {
    run("feed_stream", targets::feed_stream, &histories(), 100_000, 4_096);
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
