//! Do the fuzz targets of SoupBinTCP and OUCH hold, on a machine without a fuzzer? The same functions, over a
//! corpus that is made here and a bounded number of random mutations of it.

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::cast_possible_truncation,
    reason = "a test includes what the fuzzer calls"
)]
#[path = "../../fuzz/src/ouch.rs"]
mod targets;

#[allow(missing_docs, unreachable_pub, reason = "several tests include what mutates")]
#[path = "../../fuzz/src/mutations.rs"]
mod mutations;

use mutations::run;
use spindle_gateway::ouch::{inbound, outbound};
use spindle_gateway::ouch42;
use spindle_gateway::soup::codec::Packet;

/// A message of every type of both editions and directions, and with options where it may have some.
fn messages() -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let tables = [
        inbound::MESSAGES,
        outbound::MESSAGES,
        ouch42::inbound::MESSAGES,
        ouch42::outbound::MESSAGES,
    ];
    for (letter, length) in tables.concat() {
        let mut message = vec![0; length];
        message[0] = letter;
        messages.push(message.clone());
        let options = [5, 2, b'F', b'I', b'R', b'M', 2, 12, b'P', 5, 3, 0, 0, 0, 9];
        let count = u8::try_from(options.len()).expect("few");
        if length > 2 {
            message[length - 2..].copy_from_slice(&[0, count]);
            messages.push([&message[..], &options].concat());
        }
        messages.push([&message[..], &[0, count], &options].concat());
    }
    messages
}

/// The corpus is written where `SPINDLE_CORPUS` says, for the fuzzer to begin with.
fn corpus(target: &str, entries: &[Vec<u8>]) {
    let Ok(folder) = std::env::var("SPINDLE_CORPUS") else { return };
    let folder = std::path::Path::new(&folder).join(target);
    std::fs::create_dir_all(&folder).expect("a folder");
    for (number, entry) in entries.iter().enumerate() {
        std::fs::write(folder.join(format!("made_{number}")), entry).expect("a file");
    }
}

#[test]
fn any_bytes_are_packets_or_none() {
    let packets: Vec<Vec<u8>> = messages()
        .iter()
        .flat_map(|message| {
            [
                Packet::Unsequenced(message),
                Packet::Sequenced(message),
                Packet::Debug(message),
                Packet::ClientHeartbeat,
                Packet::LogoutRequest,
                Packet::LoginRejected(b'A'),
            ]
            .map(|packet| {
                let mut bytes = vec![0; packet.wire_length()];
                packet.write(&mut bytes).expect("it fits");
                bytes
            })
        })
        .collect();
    let login = [&b"\0\x2fL"[..], &[b'1'; 46]].concat();
    let all = [packets, vec![login]].concat();
    corpus("soup_packet", &all);
    run("soup_packet", targets::soup_packet, &all, 100_000, 2_048);
}

#[test]
fn any_bytes_are_messages_or_none() {
    let messages = messages();
    corpus("ouch_message", &messages);
    run("ouch_message", targets::ouch_message, &messages, 200_000, 512);
}

#[test]
fn sessions_keep_their_word_whatever_comes() {
    // Two bytes an operation: the low bits say what, bit 3 who, the rest how.
    let both = |operations: &[u8]| {
        let other =
            operations.iter().enumerate().map(|(at, byte)| byte | u8::from(at % 2 == 0) << 3);
        let other: Vec<u8> = other.collect();
        [&[3, 1, 17, 9, 17][..], operations, &other, &[6, 7, 5, 250, 13, 250]].concat()
    };
    let sessions = [
        both(&[2, 1, 2, 2, 6, 1, 5, 100, 2 | 5 << 4, 0x13, 6, 1, 2 | 9 << 4, 3, 6, 0]),
        both(&[2, 1, 6, 0, 1, 0, 1, 19, 5, 3, 5, 200, 2, 2, 6, 0, 1, 18, 5, 250]),
        both(&[2, 1, 2, 2, 2, 3, 6, 3, 2 | 13 << 4, 4, 7, 1, 6, 0, 2 | 14 << 4, 5, 2, 6, 6, 9]),
        both(&[2, 0x81, 6, 0, 2 | 6 << 4, 0x12, 2 | 11 << 4, 2, 6, 2, 7, 1, 5, 250]),
        both(&[2, 1, 6, 0, 4, 1, 0, 30, 6, 1, 1, 17, 2 | 12 << 4, 0, 6, 0, 5, 250]),
        both(&[[2, 1].repeat(9), [6, 255].repeat(3), vec![0, 200, 0, 1, 6, 7]].concat()),
        [&[8][..], &[1, 17].repeat(2), &(1..60).flat_map(|n| [2, n, 6, 1]).collect::<Vec<u8>>()]
            .concat(),
    ];
    corpus("ouch_session", &sessions);
    run("ouch_session", targets::ouch_session, &sessions, 20_000, 400);
}
