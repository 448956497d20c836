//! Whether the sending side puts the right packets out at the right time.

use std::io::Cursor;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spindle_feed::moldudp64::{Kind, Packet};
use spindle_replay::generate::{GenerateConfig, GeneratedDay, Generator};
use spindle_replay::publish::{Outgoing, OutgoingConfig, PublishError, Publisher, Speed, Target};
use spindle_replay::recording::{ItchFile, Recording};
use spindle_types::{Agent, EventTime};

const SECOND: u64 = 1_000_000_000;

fn day(messages: u64) -> GenerateConfig {
    GenerateConfig::new(messages, 5, 11).expect("a day")
}

fn expected(messages: u64) -> Vec<Vec<u8>> {
    let mut generator = Generator::new(day(messages));
    let mut all = Vec::new();
    while let Some(message) = generator.next_message() {
        all.push(message.to_vec());
    }
    all
}

/// System events at these nanoseconds, as a file.
fn tape(times: &[u64]) -> Recording {
    let mut bytes = Vec::new();
    for time in times {
        bytes.extend_from_slice(&[0, 12, b'S', 0, 0, 0, 0]);
        bytes.extend_from_slice(&time.to_be_bytes()[2..]);
        bytes.push(b'O');
    }
    Recording::new(ItchFile::new(Cursor::new(bytes)))
}

fn config(speed: Speed) -> OutgoingConfig {
    OutgoingConfig { speed, ..OutgoingConfig::default() }
}

/// What a packet is, its number and its messages.
fn read(packet: &[u8]) -> (Kind, u64, Vec<Vec<u8>>) {
    let packet = Packet::parse(packet).expect("a packet");
    assert_eq!(packet.session(), b"SPINDLE001");
    let messages = packet.messages().map(<[u8]>::to_vec).collect();
    (packet.kind(), packet.sequence(), messages)
}

#[test]
fn at_full_speed_packets_are_full_and_all_messages_come_in_order() {
    for payload_max in [128, 200, 1472, 9000] {
        let recording = Recording::new(GeneratedDay::new(day(10_000)));
        let mut outgoing =
            Outgoing::new(recording, OutgoingConfig { payload_max, ..config(Speed::Max) });
        let expected = expected(10_000);
        let mut received = Vec::new();
        let mut ends = 0;
        let mut now = 0;
        while !outgoing.is_done() {
            now += 1;
            let Some(packet) = outgoing.packet(0, now) else {
                now += outgoing.wait(now);
                continue;
            };
            assert!(packet.len() <= payload_max);
            let length = packet.len();
            let (kind, sequence, messages) = read(packet);
            assert_eq!(sequence, received.len() as u64 + 1);
            match kind {
                Kind::Data => {
                    received.extend(messages);
                    if let Some(next) = expected.get(received.len()) {
                        assert!(length + 2 + next.len() > payload_max, "one more would fit");
                    }
                }
                Kind::EndOfSession => ends += 1,
                Kind::Heartbeat => panic!("no silence at full speed"),
            }
            outgoing.sent(0, now);
        }
        assert_eq!(ends, 5);
        assert!(received == expected);
        assert!(outgoing.take_error().is_none());
    }
}

/// Every packet with its time, asking whenever the stream says that something may be due.
fn run(outgoing: &mut Outgoing, start: u64) -> Vec<(u64, Kind, u64, usize)> {
    let (mut now, mut packets) = (start, Vec::new());
    while !outgoing.is_done() {
        match outgoing.packet(0, now) {
            Some(packet) => {
                let (kind, sequence, messages) = read(packet);
                packets.push((now - start, kind, sequence, messages.len()));
                outgoing.sent(0, now);
            }
            None => now += outgoing.wait(now).max(1),
        }
    }
    packets
}

#[test]
fn messages_come_when_their_time_has_come() {
    let open = EventTime::at(9, 30, 0).0;
    let times = [open, open, open + 10, open + SECOND / 2, open + 4 * SECOND];
    let mut outgoing = Outgoing::new(tape(&times), config(Speed::REAL));
    let end = 4 * SECOND;
    let spacing = SECOND / 5;
    assert_eq!(
        run(&mut outgoing, 777),
        [
            (0, Kind::Data, 1, 2),
            (10, Kind::Data, 3, 1),
            (SECOND / 2, Kind::Data, 4, 1),
            (SECOND * 3 / 2, Kind::Heartbeat, 5, 0),
            (SECOND * 5 / 2, Kind::Heartbeat, 5, 0),
            (SECOND * 7 / 2, Kind::Heartbeat, 5, 0),
            (end, Kind::Data, 5, 1),
            (end, Kind::EndOfSession, 6, 0),
            (end + spacing, Kind::EndOfSession, 6, 0),
            (end + 2 * spacing, Kind::EndOfSession, 6, 0),
            (end + 3 * spacing, Kind::EndOfSession, 6, 0),
            (end + 4 * spacing, Kind::EndOfSession, 6, 0),
        ]
    );
    let mut faster = Outgoing::new(tape(&times), config("x10".parse().expect("a speed")));
    let packets = run(&mut faster, 777);
    let due: Vec<u64> = packets.iter().map(|packet| packet.0).take(4).collect();
    assert_eq!(due, [0, 1, SECOND / 20, 4 * SECOND / 10]);
    let mut slower = Outgoing::new(tape(&times), config("x0.1".parse().expect("a speed")));
    let packets = run(&mut slower, 777);
    let data: Vec<u64> =
        packets.iter().filter(|packet| packet.1 == Kind::Data).map(|packet| packet.0).collect();
    assert_eq!(data, [0, 100, 5 * SECOND, 40 * SECOND]);
    assert_eq!(packets.iter().filter(|packet| packet.1 == Kind::Heartbeat).count(), 4 + 34);
}

#[test]
fn what_is_late_goes_out_together() {
    let times: Vec<u64> = (0..100).map(|n| n * 1_000).collect();
    let mut outgoing = Outgoing::new(tape(&times), config(Speed::REAL));
    assert_eq!(read(outgoing.packet(0, 0).expect("the first")).2.len(), 1);
    outgoing.sent(0, 0);
    assert_eq!(read(outgoing.packet(0, 50_500).expect("late")).2.len(), 50);
    let again = read(outgoing.packet(0, 90_000).expect("not sent yet"));
    assert_eq!((again.1, again.2.len()), (2, 50), "a packet stays as it is until it is out");
    outgoing.sent(0, 90_000);
    assert_eq!(outgoing.next_sequence(), 52);
}

#[test]
fn limits_hold_whatever_the_speed() {
    let recording = Recording::new(GeneratedDay::new(day(10_000)));
    let mut outgoing =
        Outgoing::new(recording, OutgoingConfig { rate: Some(5_000), ..config(Speed::Max) });
    let packets = run(&mut outgoing, 0);
    let end = packets.iter().find(|packet| packet.1 == Kind::EndOfSession).expect("an end");
    assert!((SECOND * 19 / 10..=SECOND * 2).contains(&end.0), "{}", end.0);

    // A packet waits a moment for the messages that fill it: at a million a second it is full.
    let recording = Recording::new(GeneratedDay::new(day(10_000)));
    let mut outgoing =
        Outgoing::new(recording, OutgoingConfig { rate: Some(1_000_000), ..config(Speed::Max) });
    let packets = run(&mut outgoing, 0);
    let data = packets.iter().filter(|packet| packet.1 == Kind::Data);
    assert!(data.clone().all(|packet| packet.3 > 25 || packet.2 > 9_900), "a packet is half empty");
    assert_eq!(data.map(|packet| packet.3).sum::<usize>(), 10_000);

    let recording = Recording::new(GeneratedDay::new(day(10_000)));
    let mut outgoing = Outgoing::new(recording, config(Speed::Max));
    let consumed = Arc::new(AtomicU64::new(0));
    outgoing.set_window(Arc::clone(&consumed), 100);
    let mut sent = 0;
    for now in 0..1_000 {
        while outgoing.packet(0, now).is_some() {
            sent += u64::from(outgoing.sent(0, now));
        }
        let in_flight = sent - consumed.load(Ordering::Relaxed);
        assert_eq!(in_flight, 100.min(10_000 - consumed.load(Ordering::Relaxed)));
        consumed.fetch_add(7, Ordering::Relaxed);
    }
    assert!(outgoing.packet(0, SECOND * 2).is_some(), "heartbeats go on while the window is shut");
}

#[test]
fn a_broken_recording_is_sent_up_to_the_break_and_ended() {
    let mut bytes = Vec::new();
    Generator::new(day(1_000)).write_to(&mut bytes, |_| ()).expect("memory");
    bytes.truncate(bytes.len() - 5);
    let recording = Recording::new(ItchFile::new(Cursor::new(bytes)));
    let mut outgoing = Outgoing::new(recording, config(Speed::Max));
    let packets = run(&mut outgoing, 0);
    assert_eq!(packets.iter().map(|packet| packet.3).sum::<usize>(), 999);
    assert_eq!(
        packets.last().map(|packet| (packet.1, packet.2)),
        Some((Kind::EndOfSession, 1_000))
    );
    let error = outgoing.take_error().expect("an error").to_string();
    assert!(error.contains("record 1000 is cut short"), "{error}");

    let long: Vec<u8> = [[0, 100].as_slice(), &[b'A'; 100]].concat();
    let recording = Recording::new(ItchFile::new(Cursor::new(long)));
    let mut outgoing =
        Outgoing::new(recording, OutgoingConfig { payload_max: 64, ..config(Speed::Max) });
    run(&mut outgoing, 0);
    assert!(matches!(
        outgoing.take_error(),
        Some(PublishError::TooLong { sequence: 1, length: 100, payload_max: 64 })
    ));
}

#[test]
fn stopping_ends_the_session_after_what_is_out() {
    let recording = Recording::new(GeneratedDay::new(day(10_000)));
    let mut outgoing = Outgoing::new(recording, config(Speed::Max));
    let first = read(outgoing.packet(0, 0).expect("a packet")).2.len() as u64;
    outgoing.stop(0);
    let packets = run(&mut outgoing, 0);
    assert_eq!(packets[0].3 as u64, first, "the packet that was made goes out");
    assert_eq!((packets[1].1, packets[1].2), (Kind::EndOfSession, first + 1));
    assert_eq!(packets.len(), 6);
}

#[test]
fn a_publisher_sends_over_loopback() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a port");
    receiver.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let target = Target { address: receiver.local_addr().expect("an address"), interface: None };
    let time = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&time);
    let recording = Recording::new(GeneratedDay::new(day(2_000)));
    let mut publisher = Publisher::with_clock(
        Outgoing::new(recording, config(Speed::Max)),
        &[target],
        Box::new(move || clock.load(Ordering::Relaxed)),
    )
    .expect("a socket");
    let consumed = Arc::new(AtomicU64::new(0));
    publisher.set_window(Arc::clone(&consumed), 1_000);
    let stats = publisher.stats();
    let (mut received, mut kinds) = (Vec::new(), Vec::new());
    let mut packet = [0; 2048];
    while !publisher.is_done() {
        let packets = publisher.poll();
        for _ in 0..packets {
            let length = receiver.recv(&mut packet).expect("what was sent arrives");
            let (kind, sequence, messages) = read(&packet[..length]);
            assert_eq!(sequence, received.len() as u64 + 1);
            received.extend(messages);
            kinds.push(kind);
        }
        if packets == 0 && received.len() < 1_500 && kinds.last() != Some(&Kind::Heartbeat) {
            time.fetch_add(SECOND, Ordering::Relaxed); // The window is shut: silence.
        } else if packets == 0 {
            consumed.store(received.len() as u64, Ordering::Relaxed);
            time.fetch_add(publisher.wait(), Ordering::Relaxed);
        }
    }
    assert!(received == expected(2_000));
    assert!(kinds.contains(&Kind::Heartbeat));
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::EndOfSession).count(), 5);
    assert_eq!(stats.messages.load(Ordering::Relaxed), 2_000);
    assert_eq!(stats.packets.load(Ordering::Relaxed), kinds.len() as u64);
    let heartbeats = kinds.iter().filter(|kind| **kind == Kind::Heartbeat).count();
    assert_eq!(stats.heartbeats.load(Ordering::Relaxed), heartbeats as u64);
    assert_eq!(stats.tape_time.load(Ordering::Relaxed), EventTime::at(20, 5, 0).0);
}

#[test]
fn groups_are_reached_through_loopback_by_default() {
    let receiver = UdpSocket::bind("0.0.0.0:0").expect("a port");
    receiver.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let group = "239.255.77.1".parse().expect("a group");
    if receiver.join_multicast_v4(&group, &"127.0.0.1".parse().expect("loopback")).is_err() {
        println!("skipped: loopback takes no multicast here");
        return;
    }
    let port = receiver.local_addr().expect("an address").port();
    let target = Target { address: (group, port).into(), interface: None };
    let outgoing = Outgoing::new(tape(&[1, 2, 3]), config(Speed::Max));
    let mut publisher =
        Publisher::with_clock(outgoing, &[target], Box::new(|| 0)).expect("a socket");
    assert!(publisher.poll() > 0);
    let mut packet = [0; 2048];
    let (length, source) = receiver.recv_from(&mut packet).expect("a packet");
    assert!(source.ip().is_loopback());
    assert_eq!(read(&packet[..length]).2.len(), 3);
}

#[test]
fn an_interface_that_is_not_there_is_refused() {
    let target = Target {
        address: "127.0.0.1:9".parse().expect("an address"),
        interface: Some("::1".parse().expect("an address")),
    };
    let outgoing = Outgoing::new(tape(&[1]), config(Speed::Max));
    let error = Publisher::new(outgoing, target).err().expect("an error").to_string();
    assert!(error.contains("both be IPv4"), "{error}");
}
