//! Does a feed allocate after it is open? An allocator that counts, by thread, says no: not while it
//! receives on any path, not while gaps open, wait, are asked for and are given up.

#![allow(unsafe_code, reason = "a global allocator is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::UdpSocket;

use spindle_feed::mold_feed::{FeedError, MoldFeed};
use spindle_feed::moldudp64::{Header, PacketBuilder};
use spindle_feed::receive::{LineConfig, OpenError, Path, PathChoice, ReceiveConfig};
use spindle_feed::stream::{Delivery, RequestLimits, StreamConfig};
use spindle_feed::top::{TopOfBook, top_table};
use spindle_types::InstrumentId;
use zerocopy::FromBytes;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it is; counting touches nothing but a
// cell of this thread that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn packet(first: u64, count: u64) -> Vec<u8> {
    let mut builder = PacketBuilder::new(*b"ALLOCATION", first, 1_400);
    for number in first..first + count {
        assert!(builder.push(&number.to_be_bytes()));
    }
    builder.packet().to_vec()
}

/// A feed with two lines and one server, on one path; `None` with a notice where it is refused.
fn open(path: Path, server: &UdpSocket) -> Option<MoldFeed> {
    let line = LineConfig::new("127.0.0.1:0".parse().expect("an address"));
    let receive = ReceiveConfig {
        path: PathChoice::Only(path),
        buffers: 8,
        ..ReceiveConfig::new(vec![line; 2])
    };
    let requests = RequestLimits {
        attempts: 2,
        timeout_ns: 20_000,
        per_second: 1_000_000,
        ..StreamConfig::default().requests
    };
    let stream = StreamConfig { gap_wait_ns: 20_000, requests, ..StreamConfig::default() };
    match MoldFeed::open(&receive, &[server.local_addr().expect("bound")], stream) {
        Ok(feed) => Some(feed),
        Err(FeedError::Open(error @ OpenError::Refused { .. })) => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The server answers every other request.
fn serve(server: &UdpSocket) {
    let mut bytes = [0; 20];
    while let Ok((_, from)) = server.recv_from(&mut bytes) {
        let request = Header::read_from_bytes(&bytes).expect("20 bytes");
        if request.sequence.get() / 3 % 2 == 0 {
            let answer = packet(request.sequence.get(), request.count.get().into());
            server.send_to(&answer, from).expect("sent");
        }
    }
}

#[test]
fn a_feed_that_is_open_allocates_nothing() {
    for path in Path::ALL {
        let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        server.set_nonblocking(true).expect("set");
        let Some(mut feed) = open(path, &server) else { continue };
        let to = [0, 1].map(|line| feed.receiver().address(line).expect("bound"));
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (mut writer, reader) = top_table(4);
        let (mut now, mut allocations, mut delivered, mut lost) = (0, 0, 0, 0);
        for round in 0..2_000_u64 {
            // Each line loses every third packet, and both every ninth; B is one packet behind.
            if round % 3 != 1 {
                sender.send_to(&packet(1 + round * 3, 3), to[0]).expect("sent");
            }
            if let Some(behind) = round.checked_sub(1)
                && behind / 3 % 3 != 1
            {
                sender.send_to(&packet(1 + behind * 3, 3), to[1]).expect("sent");
            }
            now += 10_000;
            let before = ALLOCATIONS.get();
            feed.poll(now, &mut |_, delivery| match delivery {
                Delivery::Message { .. } => delivered += 1,
                Delivery::Lost { count, .. } => lost += count,
                _ => {}
            });
            writer.write(InstrumentId(1), &TopOfBook::EMPTY);
            assert_eq!(reader.read(InstrumentId(1)), TopOfBook::EMPTY);
            allocations += ALLOCATIONS.get() - before;
            serve(&server);
        }
        assert_eq!(allocations, 0, "{path:?}");
        let gaps = feed.stream().counters().gaps;
        assert!(delivered > 5_000 && lost > 100 && gaps.filled_by_request > 100, "{gaps:?}");
        assert!(gaps.filled_by_other_line > 100, "{gaps:?}");
    }
}
