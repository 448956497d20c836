//! Two lines with every fault, a request server, and the feed's own arbitration at the other end: all
//! messages arrive once and in order, and every loss on purpose is accounted for.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spindle_feed::moldudp64::{Kind, Packet, header};
use spindle_feed::stream::{Delivery, Origin, Stream, StreamConfig};
use spindle_replay::generate::{GenerateConfig, GeneratedDay, Generator};
use spindle_replay::publish::{
    Control, Impairments, LineConfig, Outgoing, OutgoingConfig, Publisher, Share, Speed, Target,
};
use spindle_replay::recording::Recording;
use spindle_types::{Agent, EventTime};
use zerocopy::IntoBytes;

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

fn config(messages: u64) -> GenerateConfig {
    GenerateConfig::new(messages, 20, 5).expect("a day")
}

fn recording(messages: u64) -> Recording {
    Recording::new(GeneratedDay::new(config(messages)))
}

fn expected(messages: u64) -> Vec<Vec<u8>> {
    let mut generator = Generator::new(config(messages));
    let mut all = Vec::new();
    while let Some(message) = generator.next_message() {
        all.push(message.to_vec());
    }
    all
}

fn share(text: &str) -> Share {
    text.parse().expect("a share")
}

fn lines(seed: u64) -> [LineConfig; 2] {
    let a = Impairments {
        loss: share("0.02"),
        duplicate: share("0.01"),
        reorder: share("0.01"),
        outages: 5,
        seed,
    };
    let b = Impairments { loss: share("0.05"), ..a };
    [
        LineConfig { payload_max: 1_472, impairments: a },
        LineConfig { payload_max: 900, impairments: b },
    ]
}

fn asker() -> SocketAddr {
    ([127, 0, 0, 1], 4_000).into()
}

/// What came out at the other end.
#[derive(Default)]
struct Received {
    messages: Vec<Vec<u8>>,
    lost: u64,
    ended: bool,
}

impl Received {
    fn deliver(&mut self, delivery: Delivery<'_>) {
        match delivery {
            Delivery::Message { sequence, bytes } => {
                assert_eq!(sequence, self.messages.len() as u64 + self.lost + 1);
                self.messages.push(bytes.to_vec());
            }
            Delivery::Lost { count, .. } => self.lost += count,
            Delivery::EndOfSession { .. } => self.ended = true,
            _ => {}
        }
    }
}

/// Runs a feed into a stream without sockets, in simulated time. Requests take effect at once.
fn run(outgoing: &mut Outgoing, servers: usize) -> (Received, Stream) {
    let mut stream = StreamConfig { lines: outgoing.lines(), ..StreamConfig::default() };
    stream.requests.servers = servers;
    stream.gap_wait_ns = 10 * MILLISECOND;
    let mut stream = Stream::new(stream).expect("a configuration");
    let mut received = Received::default();
    let mut now = 0;
    while !outgoing.is_done() {
        let mut sent = 0;
        for line in 0..outgoing.lines() {
            let Some(packet) = outgoing.packet(line, now) else { continue };
            let origin = Origin::Line(u8::try_from(line).expect("two"));
            stream.on_datagram(origin, packet, now, &mut |delivery| received.deliver(delivery));
            outgoing.sent(line, now);
            sent += 1;
        }
        while let Some(request) = stream.poll_request(now) {
            let answer = outgoing.answer(request.header.as_bytes(), asker(), now);
            if let Some(answer) = answer.map(<[u8]>::to_vec) {
                stream.on_datagram(Origin::Server, &answer, now, &mut |d| received.deliver(d));
            }
        }
        stream.on_timer(now, &mut |delivery| received.deliver(delivery));
        now += if sent > 0 { 1_000 } else { outgoing.wait(now).clamp(1_000, MILLISECOND) };
    }
    (received, stream)
}

#[test]
fn everything_arrives_through_two_bad_lines_and_requests() {
    for seed in 0..4 {
        let wanted = expected(60_000);
        let feed =
            OutgoingConfig { speed: Speed::Max, keep_bytes: 64 << 20, ..OutgoingConfig::default() };
        let mut outgoing = Outgoing::with_lines(recording(60_000), feed, &lines(seed));
        let (received, stream) = run(&mut outgoing, 1);
        assert!(received.ended && received.lost == 0, "seed {seed}: lost {}", received.lost);
        assert!(received.messages == wanted, "seed {seed}");
        let (a, b) = (outgoing.line_counters(0), outgoing.line_counters(1));
        for line in [&a, &b] {
            assert_eq!(line.messages + line.lost_messages, 60_000, "each is sent or lost");
            assert_eq!((line.outages, line.overrun), (5, 0));
            assert!(line.duplicated > 0 && line.reordered > 0);
        }
        assert!(b.packets > a.packets, "smaller packets");
        let counters = stream.counters();
        assert_eq!(counters.delivered, 60_000);
        assert_eq!(counters.lines[0].packets, a.packets);
        assert_eq!(counters.lines[1].packets, b.packets);
        let gaps = counters.gaps;
        let filled = gaps.filled_by_other_line + gaps.filled_late + gaps.filled_by_request;
        assert_eq!(gaps.opened, filled, "every gap was filled");
        assert!(outgoing.request_counters().answered > 0, "both lines lost some");
    }
}

#[test]
fn without_a_server_what_both_lines_lose_is_lost() {
    let feed = OutgoingConfig { speed: Speed::Max, ..OutgoingConfig::default() };
    let mut outgoing = Outgoing::with_lines(recording(60_000), feed, &lines(1));
    let (received, stream) = run(&mut outgoing, 0);
    assert!(received.ended && received.lost > 0);
    assert_eq!(received.messages.len() as u64 + received.lost, 60_000);
    assert_eq!(stream.counters().gaps.lost, received.lost);
}

#[test]
fn a_late_joiner_gets_what_was_before_it() {
    let wanted = expected(20_000);
    let from = EventTime::at(9, 30, 0);
    let feed = OutgoingConfig {
        speed: Speed::Max,
        from: Some(from),
        keep_bytes: 64 << 20,
        ..OutgoingConfig::default()
    };
    let mut outgoing = Outgoing::new(recording(20_000), feed);
    let (received, stream) = run(&mut outgoing, 1);
    assert!(received.messages == wanted, "{} of 20,000", received.messages.len());
    let before = 20_000 - outgoing.line_counters(0).messages;
    assert!(before > 500, "{before}");
    assert!(stream.counters().gaps.filled_by_request >= before);

    // Without a server the stream begins where the feed does, with the true number.
    let mut outgoing = Outgoing::new(recording(20_000), feed);
    let packet = loop {
        if let Some(packet) = outgoing.packet(0, 0) {
            break Packet::parse(packet).expect("a packet");
        }
    };
    assert_eq!(packet.sequence(), before + 1);
}

/// Every packet with messages: when, its number, how many.
fn data(outgoing: &mut Outgoing, now: &mut u64, until: u64) -> Vec<(u64, u64, u16)> {
    let mut packets = Vec::new();
    while *now < until && !outgoing.is_done() {
        match outgoing.packet(0, *now) {
            Some(packet) => {
                let packet = Packet::parse(packet).expect("a packet");
                if packet.kind() == Kind::Data {
                    packets.push((*now, packet.sequence(), packet.message_count()));
                }
                outgoing.sent(0, *now);
            }
            None => *now = until.min(*now + outgoing.wait(*now).max(1)),
        }
    }
    packets
}

#[test]
fn the_tape_stands_steps_and_changes_its_speed() {
    let feed = OutgoingConfig { from: Some(EventTime::at(14, 0, 0)), ..OutgoingConfig::default() };
    let mut outgoing = Outgoing::new(recording(20_000), feed);
    let mut now = 0;
    let running = data(&mut outgoing, &mut now, 20 * SECOND);
    assert!(!running.is_empty());
    let stands = outgoing.tape_time();
    outgoing.control(Control::Pause, now);
    assert!(data(&mut outgoing, &mut now, 80 * SECOND).is_empty());
    assert!(outgoing.line_counters(0).heartbeats >= 59, "heartbeats go on");

    outgoing.control(Control::Step(3), now);
    let stepped = data(&mut outgoing, &mut now, 81 * SECOND);
    assert_eq!(stepped.iter().map(|packet| u64::from(packet.2)).sum::<u64>(), 3);
    let after_step = outgoing.tape_time();
    assert!(after_step > stands);

    outgoing.control(Control::Resume, now);
    let resumed = now;
    data(&mut outgoing, &mut now, 141 * SECOND);
    let passed = outgoing.tape_time().0 - after_step.0;
    assert!(passed <= now - resumed, "the pause is no part of the tape");
    assert!(passed > (now - resumed) / 2, "{passed}");

    outgoing.control(Control::Speed("x100".parse().expect("a speed")), now);
    let (before, changed) = (outgoing.tape_time().0, now);
    data(&mut outgoing, &mut now, 171 * SECOND);
    let factor = (outgoing.tape_time().0 - before) / (now - changed);
    assert!((90..=101).contains(&factor), "{factor}");
    assert_eq!(outgoing.speed().to_string(), "x100");

    outgoing.control(Control::Stop, now);
    data(&mut outgoing, &mut now, 200 * SECOND);
    assert!(outgoing.is_done());
    assert_eq!(outgoing.pacing_error().max(), 0, "asked in time, every packet was in time");
    assert!(outgoing.pacing_error().len() > 100);
}

#[test]
fn lateness_is_measured() {
    let from = Some(EventTime::at(9, 30, 1));
    let mut outgoing =
        Outgoing::new(recording(20_000), OutgoingConfig { from, ..OutgoingConfig::default() });
    let (mut now, mut packets) = (0, 0);
    while packets < 500 {
        match outgoing.packet(0, now) {
            Some(packet) => {
                packets += u64::from(Packet::parse(packet).expect("it").kind() == Kind::Data);
                now += 30_000; // It takes that long to get it out.
                outgoing.sent(0, now);
            }
            None => now += outgoing.wait(now).max(1),
        }
    }
    let error = outgoing.pacing_error();
    assert_eq!(error.len(), 500);
    assert!(error.min() >= 30_000 - 100 && error.value_at_quantile(0.5) >= 30_000 - 100);
}

#[test]
fn only_a_part_of_the_day_is_sent() {
    let (from, until) = (EventTime::at(9, 30, 0), EventTime::at(12, 0, 0));
    let feed = OutgoingConfig {
        speed: Speed::Max,
        from: Some(from),
        until: Some(until),
        ..OutgoingConfig::default()
    };
    let mut outgoing = Outgoing::new(recording(20_000), feed);
    let mut now = 0;
    let packets = data(&mut outgoing, &mut now, 10 * SECOND);
    let time = |message: &Vec<u8>| {
        u64::from_be_bytes([
            0,
            0,
            message[5],
            message[6],
            message[7],
            message[8],
            message[9],
            message[10],
        ])
    };
    let all = expected(20_000);
    let first = all.iter().position(|message| time(message) >= from.0).expect("some") as u64 + 1;
    let count = all.iter().filter(|m| (from.0..until.0).contains(&time(m))).count() as u64;
    assert_eq!(packets.first().map(|packet| packet.1), Some(first));
    assert_eq!(packets.iter().map(|packet| u64::from(packet.2)).sum::<u64>(), count);
    assert!(outgoing.is_done());
}

#[test]
fn a_loop_begins_a_session_each_time() {
    let feed = OutgoingConfig { speed: Speed::Max, end_packets: 1, ..OutgoingConfig::default() };
    let mut outgoing = Outgoing::new(recording(1_000), feed);
    outgoing.set_loop(|| Ok(recording(1_000)));
    let (mut sessions, mut next, mut now) = (VecDeque::new(), 1, 0);
    while outgoing.pass() < 4 {
        now += 1_000;
        let Some(packet) = outgoing.packet(0, now) else { continue };
        let packet = Packet::parse(packet).expect("a packet");
        if sessions.back() != Some(packet.session()) {
            sessions.push_back(*packet.session());
            next = 1;
        }
        assert_eq!(packet.sequence(), next);
        next = packet.next_sequence();
        if packet.kind() == Kind::EndOfSession {
            assert_eq!(next, 1_001, "the whole day in each");
        }
        outgoing.sent(0, now);
    }
    assert!(!outgoing.is_done());
    outgoing.control(Control::Stop, now);
    data(&mut outgoing, &mut now, 10 * SECOND);
    assert!(outgoing.is_done());
    assert_eq!(sessions, [*b"SPINDLE001", *b"SPINDLE002", *b"SPINDLE003"]);
}

#[test]
fn a_publisher_serves_two_lines_and_requests_over_loopback() {
    let receiver = |port: &UdpSocket| port.local_addr().expect("an address");
    let sockets = [(), ()].map(|()| {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        socket
    });
    let targets = [&sockets[0], &sockets[1]]
        .map(|socket| Target { address: receiver(socket), interface: None });
    let feed = OutgoingConfig { speed: Speed::Max, ..OutgoingConfig::default() };
    let lossless = LineConfig { payload_max: 1_472, impairments: Impairments::default() };
    let outgoing = Outgoing::with_lines(
        recording(3_000),
        feed,
        &[lossless, LineConfig { payload_max: 600, ..lossless }],
    );
    let time = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&time);
    let clock = Box::new(move || clock.load(Ordering::Relaxed));
    let mut publisher = Publisher::with_clock(outgoing, &targets, clock).expect("sockets");
    let server = publisher.serve_requests("127.0.0.1:0".parse().expect("any")).expect("a port");
    let (mut messages, mut asked) = ([Vec::new(), Vec::new()], None);
    let mut packet = [0; 2_048];
    while !publisher.is_done() {
        let before = [0, 1].map(|line| publisher.outgoing().line_counters(line).packets);
        publisher.poll();
        for line in 0..2 {
            let sent = publisher.outgoing().line_counters(line).packets - before[line];
            for _ in 0..sent {
                let length = sockets[line].recv(&mut packet).expect("what was sent arrives");
                let packet = Packet::parse(&packet[..length]).expect("a packet");
                assert_eq!(packet.sequence(), messages[line].len() as u64 + 1);
                messages[line].extend(packet.messages().map(<[u8]>::to_vec));
            }
        }
        time.fetch_add(publisher.wait(), Ordering::Relaxed);
        if messages[0].len() > 1_500 && asked.is_none() {
            let asker = UdpSocket::bind("127.0.0.1:0").expect("a port");
            asker.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
            let request = header(*b"SPINDLE001", 700, 5);
            asker.send_to(request.as_bytes(), server).expect("sent");
            asked = Some(asker);
        }
    }
    let length = asked.expect("a question").recv(&mut packet).expect("an answer");
    let answer = Packet::parse(&packet[..length]).expect("a packet");
    assert_eq!((answer.sequence(), answer.message_count()), (700, 5));
    let wanted = expected(3_000);
    assert!(messages[0] == wanted && messages[1] == wanted);
    assert_eq!(publisher.outgoing().request_counters().answered, 1);
    assert_eq!(publisher.stats().messages.load(Ordering::Relaxed), 3_000);
}
