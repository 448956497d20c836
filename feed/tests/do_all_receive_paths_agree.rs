//! Do all receive paths hand out the same datagrams, with stamps and counts? Over loopback, bounded
//! in packets and in polls. Nothing here depends on how long anything takes: loopback delivers
//! within the call that sends.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use spindle_feed::receive::{
    LineConfig, OpenError, Path, PathChoice, ReceiveConfig, Receiver, RingMode,
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Polls without a datagram after which a test takes it that there is none.
const IDLE_POLLS: usize = 100;

fn config(path: Path, lines: usize) -> ReceiveConfig {
    let line = LineConfig::new(SocketAddr::new(LOOPBACK, 0));
    ReceiveConfig {
        path: PathChoice::Only(path),
        socket_buffer: 1 << 20,
        ..ReceiveConfig::new(vec![line; lines])
    }
}

/// The receiver, or `None` with a printed notice where this kernel has no such path.
fn open(config: &ReceiveConfig) -> Option<Receiver> {
    match Receiver::open(config) {
        Ok(receiver) => Some(receiver),
        Err(error @ OpenError::Refused { .. }) => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Polls until nothing comes any more.
fn drain(receiver: &mut Receiver, mut each: impl FnMut(u8, &[u8])) -> usize {
    let (mut taken, mut idle) = (0, 0);
    while idle < IDLE_POLLS {
        let polled = receiver.poll(|datagram| each(datagram.line, datagram.bytes));
        taken += polled;
        idle = if polled == 0 { idle + 1 } else { 0 };
    }
    assert_eq!(receiver.fault(), None);
    taken
}

fn sender() -> UdpSocket {
    UdpSocket::bind((LOOPBACK, 0)).expect("a socket to send from")
}

#[test]
fn every_datagram_comes_once_in_order_with_a_stamp() {
    for path in Path::ALL {
        let Some(mut receiver) = open(&config(path, 2)) else { continue };
        assert_eq!(receiver.chosen().path, path);
        assert_eq!(receiver.chosen().to_string(), path.name());
        let sender = sender();
        let to = [0, 1].map(|line| receiver.address(line).expect("bound"));
        let (mut seen, mut last) = ([0_u32; 2], 0);
        for round in 0..50_u32 {
            for number in round * 10..round * 10 + 10 {
                for to in to {
                    // Lengths from 4 bytes up, so that each datagram differs from its neighbours.
                    let mut bytes = number.to_be_bytes().to_vec();
                    bytes.resize(4 + number as usize, 7);
                    sender.send_to(&bytes, to).expect("sent");
                }
            }
            for _ in 0..IDLE_POLLS {
                receiver.poll(|datagram| {
                    let number = u32::from_be_bytes(*datagram.bytes.first_chunk().expect("4"));
                    let line = usize::from(datagram.line);
                    assert_eq!(number, seen[line], "{path:?} line {line}");
                    assert_eq!(datagram.bytes.len(), 4 + number as usize);
                    seen[line] += 1;
                    assert!(datagram.received.0 > 1_500_000_000_000_000_000, "a real time");
                    last = last.max(datagram.received.0);
                });
            }
        }
        assert_eq!(seen, [500, 500], "{path:?}");
        let stats = receiver.stats();
        for line in 0..2 {
            assert_eq!(stats.lines[line].datagrams, 500);
            assert_eq!(stats.lines[line].bytes, (0..500).map(|number| 4 + number).sum::<u64>());
            assert_eq!((stats.lines[line].errors, stats.lines[line].kernel_drops), (0, 0));
            assert!(stats.lines[line].socket_buffer > 0);
            assert_eq!(receiver.kernel_drops(line), Some(0));
        }
    }
}

#[test]
fn every_ring_mode_receives() {
    for ring_mode in [RingMode::Interrupt, RingMode::Cooperative, RingMode::Deferred] {
        let Some(mut receiver) = open(&ReceiveConfig { ring_mode, ..config(Path::IoUring, 1) })
        else {
            continue;
        };
        let to = receiver.address(0).expect("bound");
        let sender = sender();
        for _ in 0..100 {
            sender.send_to(b"packet", to).expect("sent");
        }
        assert_eq!(drain(&mut receiver, |_, bytes| assert_eq!(bytes, b"packet")), 100);
    }
}

#[test]
fn an_idle_ring_makes_no_system_call() {
    let Some(mut receiver) = open(&config(Path::IoUring, 2)) else { return };
    drain(&mut receiver, |_, _| ());
    let before = receiver.stats().ring.enters;
    drain(&mut receiver, |_, _| ());
    assert_eq!(receiver.stats().ring.enters, before);
}

#[test]
fn a_poll_takes_no_more_than_its_batch() {
    for path in Path::ALL {
        let Some(mut receiver) = open(&ReceiveConfig { batch: 3, ..config(path, 1) }) else {
            continue;
        };
        let sender = sender();
        receiver.poll(|_| ());
        for _ in 0..10 {
            sender.send_to(b"packet", receiver.address(0).expect("bound")).expect("sent");
        }
        let (mut most, mut seen) = (0, 0);
        for _ in 0..IDLE_POLLS {
            let mut polled = 0;
            receiver.poll(|_| polled += 1);
            most = most.max(polled);
            seen += polled;
        }
        assert_eq!((most, seen), (3, 10), "{path:?}");
    }
}

#[test]
fn only_the_configured_source_is_accepted() {
    for path in Path::ALL {
        let mut config = config(path, 1);
        config.lines[0].source = Some("127.0.0.2".parse().expect("an address"));
        let Some(mut receiver) = open(&config) else { continue };
        let to = receiver.address(0).expect("bound");
        let right = UdpSocket::bind("127.0.0.2:0").expect("loopback is a /8");
        let wrong = sender();
        for _ in 0..30 {
            wrong.send_to(b"wrong", to).expect("sent");
            right.send_to(b"right", to).expect("sent");
        }
        assert_eq!(drain(&mut receiver, |_, bytes| assert_eq!(bytes, b"right")), 60, "{path:?}");
        let stats = receiver.stats().lines[0];
        assert_eq!((stats.datagrams, stats.wrong_source), (30, 30));
    }
}

#[test]
fn datagrams_longer_than_a_buffer_are_dropped_and_counted() {
    for path in Path::ALL {
        let Some(mut receiver) = open(&ReceiveConfig { datagram_max: 100, ..config(path, 1) })
        else {
            continue;
        };
        let (sender, to) = (sender(), receiver.address(0).expect("bound"));
        for length in [99, 100, 101, 5_000, 0, 1] {
            sender.send_to(&vec![1; length], to).expect("sent");
        }
        let mut lengths = Vec::new();
        drain(&mut receiver, |_, bytes| lengths.push(bytes.len()));
        assert_eq!(lengths, [99, 100, 0, 1], "{path:?}");
        assert_eq!(receiver.stats().lines[0].truncated, 2);
    }
}

/// 1,000 packets into a ring of 8 buffers: the buffers are exhausted again and again, and what is
/// lost is exactly what the kernel says that the socket's buffer could not take.
#[test]
fn exhausted_buffers_recover_and_every_loss_is_counted() {
    for (socket_buffer, loses) in [(1 << 20, false), (8 << 10, true)] {
        for path in Path::ALL {
            let config = ReceiveConfig { buffers: 8, socket_buffer, ..config(path, 1) };
            let Some(mut receiver) = open(&config) else { continue };
            let (sender, to) = (sender(), receiver.address(0).expect("bound"));
            let (mut sent, mut seen) = (0_u32, 0_u32);
            receiver.poll(|_| ());
            for _ in 0..5 {
                for _ in 0..200 {
                    sender.send_to(&sent.to_be_bytes(), to).expect("sent");
                    sent += 1;
                }
                drain(&mut receiver, |_, _| seen += 1);
            }
            let dropped = receiver.kernel_drops(0).expect("this kernel says");
            assert_eq!(sent - seen, dropped, "{path:?}");
            assert_eq!(dropped > 0, loses, "{path:?}");
            // The drops after the last datagram are told with the next one.
            sender.send_to(b"next", to).expect("sent");
            drain(&mut receiver, |_, _| ());
            let stats = receiver.stats();
            assert_eq!(stats.lines[0].kernel_drops, u64::from(dropped), "{path:?}");
            if path == Path::IoUring {
                assert!(stats.ring.buffers_exhausted > 0);
                assert!(stats.ring.rearmed >= stats.ring.buffers_exhausted);
                assert_eq!((stats.ring.errors, stats.ring.rebuilt), (0, 0));
            }
        }
    }
}

/// A completion queue of 4 entries behind 64 buffers overflows at every burst.
#[test]
fn an_overflown_completion_queue_is_noticed_and_loses_nothing() {
    let config = ReceiveConfig { buffers: 64, completions: Some(4), ..config(Path::IoUring, 1) };
    for ring_mode in [RingMode::Interrupt, RingMode::Cooperative, RingMode::Deferred] {
        let Some(mut receiver) = open(&ReceiveConfig { ring_mode, ..config.clone() }) else {
            return;
        };
        let (sender, to) = (sender(), receiver.address(0).expect("bound"));
        receiver.poll(|_| ());
        let (mut sent, mut seen) = (0_u32, 0_u32);
        for _ in 0..1_000 {
            for _ in 0..50 {
                sender.send_to(&sent.to_be_bytes(), to).expect("sent");
                sent += 1;
            }
            drain(&mut receiver, |_, bytes| {
                assert_eq!(bytes, seen.to_be_bytes(), "{ring_mode:?}");
                seen += 1;
            });
        }
        assert_eq!(seen, sent, "{ring_mode:?}");
        let stats = receiver.stats().ring;
        assert!(stats.completion_overflows >= 1_000, "{ring_mode:?} {stats:?}");
        assert_eq!((stats.errors, stats.rebuilt), (0, 0), "{ring_mode:?}");
    }
}

#[test]
fn an_open_receiver_may_move_to_the_thread_that_polls_it() {
    for path in Path::ALL {
        let Some(mut receiver) = open(&config(path, 1)) else { continue };
        let to = receiver.address(0).expect("bound");
        let polled = std::thread::spawn(move || {
            sender().send_to(b"packet", to).expect("sent");
            drain(&mut receiver, |_, _| ())
        });
        assert_eq!(polled.join().expect("no panic"), 1, "{path:?}");
    }
}

#[test]
fn multicast_on_a_named_interface_comes_from_the_joined_group_alone() {
    let groups = ["239.255.77.1", "239.255.77.2"].map(|text| text.parse::<IpAddr>().expect("v4"));
    for path in Path::ALL {
        let mut config = config(path, 1);
        config.lines[0] = LineConfig {
            address: SocketAddr::new(groups[0], 0),
            interface: Some("lo".into()),
            source: None,
        };
        let Some(mut receiver) = open(&config) else { continue };
        let port = receiver.address(0).expect("bound").port();
        let sender = sender();
        socket2::SockRef::from(&sender).set_multicast_if_v4(&Ipv4Addr::LOCALHOST).expect("set");
        sender.set_multicast_ttl_v4(0).expect("kept on this host");
        for _ in 0..5 {
            for group in groups {
                sender.send_to(group.to_string().as_bytes(), (group, port)).expect("sent");
            }
        }
        sender.send_to(b"to the host", (LOOPBACK, port)).expect("sent");
        let wanted = groups[0].to_string();
        let taken = drain(&mut receiver, |_, bytes| assert_eq!(bytes, wanted.as_bytes()));
        assert_eq!(taken, 5, "{path:?}");
    }
}

/// Loopback carries no IPv6 multicast. On a machine, or in a network namespace, with an interface that
/// does, `SPINDLE_MULTICAST_INTERFACE` names it.
#[test]
fn multicast_works_with_ipv6_too() {
    let Ok(interface) = std::env::var("SPINDLE_MULTICAST_INTERFACE") else {
        println!("skipped: SPINDLE_MULTICAST_INTERFACE is not set");
        return;
    };
    let index = std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))
        .expect("an interface that exists");
    let index = index.trim().parse().expect("a number");
    let groups = ["ff01::77:1", "ff01::77:2"].map(|text| text.parse::<IpAddr>().expect("v6"));
    for path in Path::ALL {
        let mut config = config(path, 1);
        config.lines[0] = LineConfig {
            address: SocketAddr::new(groups[0], 0),
            interface: Some(interface.clone()),
            source: None,
        };
        let Some(mut receiver) = open(&config) else { continue };
        let port = receiver.address(0).expect("bound").port();
        let sender = UdpSocket::bind("[::]:0").expect("a socket");
        socket2::SockRef::from(&sender).set_multicast_if_v6(index).expect("set");
        for _ in 0..5 {
            for group in groups {
                sender.send_to(group.to_string().as_bytes(), (group, port)).expect("sent");
            }
        }
        let wanted = groups[0].to_string();
        let taken = drain(&mut receiver, |_, bytes| assert_eq!(bytes, wanted.as_bytes()));
        assert_eq!(taken, 5, "{path:?}");
    }
}

#[test]
fn both_families_are_received() {
    for path in Path::ALL {
        let mut config = config(path, 1);
        config.lines[0] = LineConfig {
            source: Some("::1".parse().expect("an address")),
            ..LineConfig::new("[::1]:0".parse().expect("an address"))
        };
        let Some(mut receiver) = open(&config) else { continue };
        let sender = UdpSocket::bind("[::1]:0").expect("a socket");
        sender.send_to(b"six", receiver.address(0).expect("bound")).expect("sent");
        assert_eq!(drain(&mut receiver, |_, bytes| assert_eq!(bytes, b"six")), 1, "{path:?}");
        assert_eq!(receiver.stats().lines[0].datagrams, 1);
    }
}

#[test]
fn a_receiver_that_cannot_open_says_what_and_where_in_one_line() {
    let taken = sender();
    let address = taken.local_addr().expect("bound");
    let line = |address: &str| LineConfig::new(address.parse().expect("an address"));
    let on = |address: &str, interface: &str| LineConfig {
        interface: Some(interface.into()),
        ..line(address)
    };
    let from = |address: &str, source: &str| LineConfig {
        source: Some(source.parse().expect("an address")),
        ..line(address)
    };
    let table = [
        (vec![line(&address.to_string())], "is in use by another socket"),
        (vec![line("192.0.2.77:5000")], "neither an address of this machine nor a multicast group"),
        (vec![on("127.0.0.1:0", "nosuch0")], "there is no interface 'nosuch0' here"),
        (vec![on("239.1.1.1:0", "no\nsuch")], "there is no interface 'no\\nsuch' here"),
        (vec![from("127.0.0.1:0", "::1")], "different families"),
        (vec![], "0 lines are configured"),
        (vec![line("127.0.0.1:0"); 3], "3 lines are configured"),
    ];
    for (lines, expected) in table {
        let error = Receiver::open(&ReceiveConfig::new(lines)).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let batch = ReceiveConfig { batch: 0, ..ReceiveConfig::new(vec![line("127.0.0.1:0")]) };
    let error = Receiver::open(&batch).expect_err("out of range").to_string();
    assert_eq!(error, "batch is 0; it must be between 1 and 4096");
}
