//! What is fuzzed: one function for each parser, which panics when a promise is broken. The
//! libFuzzer targets call them, and so does a test that any toolchain runs.

use spindle_feed::itch::{self, Message};
use spindle_feed::moldudp64::{Kind, Packet, PacketBuilder};
use spindle_feed::stream::{
    Delivery, HoldLimits, Join, Origin, RequestLimits, Stream, StreamConfig,
};

/// A MoldUDP64 packet is refused, or its blocks fill it exactly and build the same bytes again.
pub fn mold_packet(data: &[u8]) {
    let Ok(packet) = Packet::parse(data) else { return };
    assert_eq!(packet.messages().count(), usize::from(packet.message_count()));
    let length: usize = packet.messages().map(|message| message.len() + 2).sum();
    assert_eq!(length + 20, data.len());
    assert!(packet.next_sequence() >= packet.sequence());
    if packet.kind() == Kind::Data && data.len() >= 64 {
        let mut builder = PacketBuilder::new(*packet.session(), packet.sequence(), data.len());
        for message in packet.messages() {
            assert!(builder.push(message));
        }
        assert_eq!(builder.packet(), data);
    }
}

/// An ITCH message is refused, or it is exactly the bytes that its type has.
pub fn itch_message(data: &[u8]) {
    let Ok(message) = Message::decode(data) else { return };
    let bytes = message.as_bytes();
    assert_eq!(Some(bytes.len()), itch::length_of(data[0]));
    assert_eq!(bytes, &data[..bytes.len()]);
    let event = itch::to_event(&message);
    assert_eq!(event.instrument.0, message.header().locate.get());
}

/// A stream under whatever the data says: records of an origin and time byte, a length byte, and a
/// datagram of that length, of which the first record's configures the stream. Whatever comes in,
/// what goes out is in order, and every count adds up.
pub fn feed_stream(data: &[u8]) {
    let Some((&[first, second], mut rest)) = data.split_first_chunk::<2>() else { return };
    let Ok(mut stream) = Stream::new(config(first, second)) else { return };
    let (mut now, mut next) = (0_u64, None);
    while let Some((&[what, length], after)) = rest.split_first_chunk::<2>() {
        let (datagram, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        now += u64::from(what >> 2) * 10;
        let each = &mut |delivery: Delivery<'_>| check(&mut next, delivery);
        match what & 3 {
            0 => stream.on_datagram(Origin::Line(0), datagram, now, each),
            1 => stream.on_datagram(Origin::Line(1), datagram, now, each),
            2 => stream.on_datagram(Origin::Server, datagram, now, each),
            _ => stream.on_timer(now, each),
        }
        while let Some(request) = stream.poll_request(now) {
            assert!(request.server < 2);
            assert!(request.header.count.get() > 0);
            assert!(request.header.sequence.get() >= stream.expected());
        }
        let gaps = stream.counters().gaps;
        let filled = gaps.filled_by_other_line + gaps.filled_late + gaps.filled_by_request;
        assert_eq!(gaps.opened, filled + gaps.lost + stream.missing());
        assert!(stream.waiting() <= 32);
        let _ = stream.status(now);
    }
}

fn config(first: u8, second: u8) -> StreamConfig {
    StreamConfig {
        lines: 2,
        join: if first & 1 == 0 { Join::First } else { Join::Here },
        gap_wait_ns: u64::from(first >> 2) * 10,
        hold: HoldLimits { messages: 32, bytes: 1 << (second & 7), packets: 4 },
        jump_max: 100,
        requests: RequestLimits {
            servers: usize::from(first >> 1 & 1) * 2,
            timeout_ns: 100,
            attempts: 2,
            outstanding: 3,
            messages: 4,
            per_second: 100_000_000,
            silence_ns: 1_000,
        },
        ..StreamConfig::default()
    }
}

/// Numbers follow each other from 1 in every session.
fn check(next: &mut Option<u64>, delivery: Delivery<'_>) {
    let (first, count) = match delivery {
        Delivery::SessionStarted { .. } => {
            assert_eq!(*next, None, "the session before has ended");
            *next = Some(1);
            return;
        }
        Delivery::Message { sequence, bytes } => {
            itch_message(bytes);
            (sequence, 1)
        }
        Delivery::Lost { first, count } => (first, count),
        Delivery::GapOpened { first } | Delivery::GapClosed { next: first } => (first, 0),
        Delivery::EndOfSession { next: end } => {
            assert_eq!(*next, Some(end));
            *next = None;
            return;
        }
    };
    assert_eq!(*next, Some(first), "out of order");
    *next = Some(first + count);
}
