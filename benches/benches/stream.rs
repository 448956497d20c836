//! What does arbitration cost a message? A session in packets of 1 and of 30 messages, over one line,
//! over two, and over two that lose 2 % and 5 % of their packets; beside it the same packets parsed
//! and walked with nothing kept in mind, which is the least that any receiver does.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use spindle_feed::moldudp64::{Packet, PacketBuilder};
use spindle_feed::stream::{Delivery, Origin, Stream, StreamConfig};

const MESSAGES: u64 = 60_000;

/// A session of messages of 36 bytes, and for each packet whether line A and line B bring it.
fn session(per_packet: u64, loss: [u64; 2]) -> Vec<(Vec<u8>, [bool; 2])> {
    let mut random = 1_u64;
    let mut kept = |loss: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % 100 >= loss
    };
    let mut builder = PacketBuilder::new(*b"BENCHMARK ", 1, 1_472);
    let mut packets = Vec::new();
    for number in 1..=MESSAGES {
        builder.push(&[0x41; 36]);
        if number % per_packet == 0 {
            packets.push((builder.packet().to_vec(), loss.map(&mut kept)));
            builder.next_packet();
        }
    }
    packets
}

fn feed(stream: &mut Stream, packets: &[(Vec<u8>, [bool; 2])], lines: usize) -> usize {
    let mut bytes = 0;
    let mut now = 0;
    let each = &mut |delivery: Delivery<'_>| {
        if let Delivery::Message { bytes: message, .. } = delivery {
            bytes += message.len();
        }
    };
    for (packet, kept) in packets {
        now += 1_000;
        for (line, kept) in (0..2).zip(kept).take(lines) {
            if *kept {
                stream.on_datagram(Origin::Line(line), packet, now, each);
            }
        }
        stream.on_timer(now, each);
    }
    bytes
}

fn streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(MESSAGES));
    let new = || Stream::new(StreamConfig::default());
    for per_packet in [1, 30] {
        let whole = session(per_packet, [0, 0]);
        group.bench_function(format!("{per_packet} a packet/parse alone"), |bencher| {
            bencher.iter(|| {
                let mut bytes = 0;
                for (packet, _) in &whole {
                    let Ok(packet) = Packet::parse(packet) else { continue };
                    for message in packet.messages() {
                        bytes += black_box(message).len();
                    }
                }
                bytes
            });
        });
        let cases = [
            ("one line", 1, &whole),
            ("two lines", 2, &whole),
            ("two lossy lines", 2, &session(per_packet, [2, 5])),
        ];
        for (name, lines, packets) in cases {
            group.bench_function(format!("{per_packet} a packet/{name}"), |bencher| {
                bencher.iter_batched_ref(
                    new,
                    |stream| stream.as_mut().map(|stream| feed(stream, packets, lines)).ok(),
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, streams);
criterion_main!(benches);
