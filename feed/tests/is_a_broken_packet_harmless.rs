//! Is a broken packet harmless? Every prefix and every single-bit flip of 500 packets of real ITCH
//! messages, and of the real packets in the shared folder where that exists: no panic, and no
//! partial update. A packet is delivered whole or not at all.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

mod tools;

use spindle_feed::itch::{self, Message};
use spindle_feed::moldudp64::{Packet, PacketBuilder};
use spindle_feed::stream::{Delivery, HoldLimits, Join, Origin, Stream, StreamConfig};

use tools::{Random, check_balance, itch_messages, real_datagrams};

fn config() -> StreamConfig {
    StreamConfig {
        lines: 1,
        join: Join::Here,
        hold: HoldLimits { messages: 16, bytes: 1_024, packets: 4 },
        ..StreamConfig::default()
    }
}

/// Packets of one to six real messages, cut as a sender would.
fn golden() -> Vec<Vec<u8>> {
    let (mut random, messages) = (Random(1), itch_messages());
    let mut sequence = 1;
    (0..500)
        .map(|_| {
            let mut builder = PacketBuilder::new(*b"000010059B", sequence, 1_472);
            for _ in 0..=random.below(6) {
                let message = &messages[random.below(messages.len() as u64) as usize];
                assert!(builder.push(message));
            }
            sequence += u64::from(builder.count());
            builder.packet().to_vec()
        })
        .collect()
}

/// Feeds a datagram to a stream that runs, and to the parsers, and checks that it was taken whole
/// or not at all.
fn feed(stream: &Stream, datagram: &[u8]) {
    let mut stream = stream.clone();
    let before = (stream.expected(), stream.counters().delivered);
    let mut delivered = 0;
    stream.on_datagram(Origin::Line(0), datagram, 1, &mut |delivery| {
        if let Delivery::Message { bytes, .. } = delivery {
            delivered += 1;
            decode(bytes);
        }
    });
    check_balance(stream.counters(), stream.missing());
    assert_eq!(stream.counters().delivered, before.1 + delivered);
    match Packet::parse(datagram) {
        Err(error) => {
            assert!(!error.to_string().contains('\n'));
            assert_eq!((stream.expected(), delivered), (before.0, 0), "partly applied");
            assert_eq!(stream.counters().lines[0].malformed, 1);
        }
        Ok(packet) => {
            assert_eq!(packet.messages().count(), usize::from(packet.message_count()));
            let bytes: usize = packet.messages().map(|message| message.len() + 2).sum();
            assert_eq!(bytes + 20, datagram.len(), "blocks fill the datagram");
            let all = u64::from(packet.message_count());
            assert!(delivered == 0 || delivered == all || packet.sequence() < before.0);
        }
    }
}

/// A message decodes to exactly the bytes that its type has, or not at all.
fn decode(bytes: &[u8]) {
    match Message::decode(bytes) {
        Ok(message) => {
            assert_eq!(Some(message.as_bytes().len()), itch::length_of(bytes[0]));
            let _ = itch::to_event(&message);
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
}

/// Every prefix and every flip, fed to a stream that expects just this packet.
fn mangle(datagram: &[u8]) {
    let packet = Packet::parse(datagram).expect("a packet");
    let mut stream = Stream::new(config()).expect("a configuration within its ranges");
    if packet.sequence() > 1 {
        let mut before = PacketBuilder::new(*packet.session(), packet.sequence() - 1, 100);
        assert!(before.push(b"before"));
        stream.on_datagram(Origin::Line(0), before.packet(), 0, &mut |_| ());
    }
    feed(&stream, datagram);
    for length in 0..datagram.len() {
        feed(&stream, &datagram[..length]);
    }
    let mut flipped = datagram.to_vec();
    for bit in 0..datagram.len() * 8 {
        flipped[bit / 8] ^= 1 << (bit % 8);
        feed(&stream, &flipped);
        flipped[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn prefixes_and_flips_of_golden_packets() {
    for packet in golden() {
        mangle(&packet);
    }
}

#[test]
fn prefixes_and_flips_of_single_messages() {
    for message in itch_messages() {
        for length in 0..message.len() {
            decode(&message[..length]);
        }
        let mut flipped = message.clone();
        for bit in 0..message.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            decode(&flipped);
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn prefixes_and_flips_of_real_packets() {
    let datagrams = real_datagrams();
    if datagrams.is_empty() {
        println!("skipped: no recordings in ../shared/data");
        return;
    }
    for datagram in &datagrams {
        mangle(datagram);
    }
    println!("{} real packets", datagrams.len());
}
