//! Does a feed with two lossy lines and a request server give every message once, in order, and
//! account for every loss? Over loopback, with a server that answers in short packets and now and
//! then not at all. Time is a counter: nothing waits.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};

use spindle_feed::mold_feed::MoldFeed;
use spindle_feed::moldudp64::{END_OF_SESSION, Header, PacketBuilder, Session, header};
use spindle_feed::receive::{LineConfig, ReceiveConfig};
use spindle_feed::stream::{Delivery, Phase, RequestLimits, StreamConfig};
use zerocopy::{FromBytes, IntoBytes};

const SESSION: Session = *b"LOOPBACK  ";
const MESSAGES: u64 = 20_000;

fn message(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(1 + (number % 5) as usize)
}

fn packet(first: u64, count: u64) -> Vec<u8> {
    let mut builder = PacketBuilder::new(SESSION, first, 1_400);
    for number in first..first + count {
        assert!(builder.push(&message(number)));
    }
    builder.packet().to_vec()
}

/// A generator good enough to lose packets by.
struct Random(u64);

impl Random {
    fn per_cent(&mut self, chance: u64) -> bool {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100 < chance
    }
}

/// Answers every request with up to seven messages, and loses every fifth.
fn serve(server: &UdpSocket, random: &mut Random) {
    let mut bytes = [0; 64];
    while let Ok((length, from)) = server.recv_from(&mut bytes) {
        let request = Header::read_from_bytes(&bytes[..length]).expect("20 bytes");
        assert_eq!(request.session, SESSION);
        let (first, count) = (request.sequence.get(), u64::from(request.count.get()));
        assert!(first >= 1 && count >= 1 && first + count <= MESSAGES + 1, "an honest request");
        if !random.per_cent(20) {
            server.send_to(&packet(first, count.min(7)), from).expect("sent");
        }
    }
}

fn open(servers: &[UdpSocket]) -> MoldFeed {
    let addresses: Vec<_> = servers.iter().map(|s| s.local_addr().expect("bound")).collect();
    let requests = RequestLimits {
        timeout_ns: 400_000,
        attempts: 50,
        per_second: 100_000,
        ..StreamConfig::default().requests
    };
    let config = StreamConfig { gap_wait_ns: 50_000, requests, ..StreamConfig::default() };
    let receive = ReceiveConfig::new(vec![LineConfig::new(local()); 2]);
    MoldFeed::open(&receive, &addresses, config).expect("it opens")
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

fn check_counters(feed: &MoldFeed) {
    let counters = feed.stream().counters();
    let gaps = counters.gaps;
    assert_eq!(
        gaps.opened,
        gaps.filled_by_other_line + gaps.filled_late + gaps.filled_by_request + gaps.lost
    );
    assert!(gaps.filled_by_other_line > 500 && gaps.filled_by_request > 500, "{gaps:?}");
    assert_eq!((counters.delivered, gaps.lost), (MESSAGES, 0));
    assert!(counters.requests.timed_out > 10, "{:?}", counters.requests);
    let stats = feed.requests().expect("servers").stats();
    assert_eq!((stats.sent, stats.strangers), (counters.requests.sent, 0));
    assert_eq!(stats.answers, counters.requests.answers);
}

#[test]
fn every_message_comes_once_in_order() {
    let servers: Vec<_> = (0..2)
        .map(|_| {
            let server = UdpSocket::bind(local()).expect("a socket");
            server.set_nonblocking(true).expect("set");
            server
        })
        .collect();
    let mut feed = open(&servers);
    println!("{}", feed.receiver().chosen());
    let lines = [0, 1].map(|line| feed.receiver().address(line).expect("bound"));

    let sender = UdpSocket::bind(local()).expect("a socket");
    let (mut random, mut next, mut ended, mut now) = (Random(3), 1, false, 0);
    let mut check = |delivery: Delivery<'_>| match delivery {
        Delivery::Message { sequence, bytes } => {
            assert_eq!((sequence, bytes), (next, &message(next)[..]));
            next += 1;
        }
        Delivery::Lost { first, count } => panic!("{count} lost from {first} on"),
        Delivery::EndOfSession { next } => ended = next == MESSAGES + 1,
        _ => {}
    };
    let mut step = |feed: &mut MoldFeed, random: &mut Random| {
        now += 10_000;
        feed.poll(now, &mut |_, delivery| check(delivery));
        for server in &servers {
            serve(server, random);
        }
    };
    let (mut sent, mut behind) = (1, VecDeque::new());
    while sent <= MESSAGES || !behind.is_empty() {
        if sent <= MESSAGES {
            let count = (1 + sent % 9).min(MESSAGES + 1 - sent);
            let packet = packet(sent, count);
            if !random.per_cent(20) {
                sender.send_to(&packet, lines[0]).expect("sent");
            }
            behind.push_back(packet);
            sent += count;
        }
        // Line B is three packets behind.
        if (behind.len() > 3 || sent > MESSAGES)
            && let Some(packet) = behind.pop_front()
            && !random.per_cent(30)
        {
            sender.send_to(&packet, lines[1]).expect("sent");
        }
        step(&mut feed, &mut random);
    }
    let end = header(SESSION, MESSAGES + 1, END_OF_SESSION);
    sender.send_to(end.as_bytes(), lines[0]).expect("sent");
    for _ in 0..100_000 {
        step(&mut feed, &mut random);
        if feed.stream().phase() == Phase::Ended {
            break;
        }
    }
    assert_eq!((next, ended), (MESSAGES + 1, true));
    check_counters(&feed);
}
