//! In steady state the gateway and the client allocate nothing for a message: only a new chunk of
//! a stream, once in 64 KiB.
#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without it")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use common::{World, config};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{ClientEvent, Login, NewOrder, OuchClient};
use spindle_types::{Price, Quantity};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract;
// counting touches nothing but an atomic.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, which got it from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Enters orders one after the other, each answered by two messages; gives the bytes of them.
fn trade(
    world: &mut World,
    client: &mut OuchClient<common::ManualClock>,
    orders: usize,
) -> (u64, usize) {
    let symbol = "FILL".parse().expect("a symbol");
    let order = NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(10_000));
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let mut messages = 0;
    for _ in 0..orders {
        client.enter(&order).expect("live");
        let expected = messages + 2;
        while messages < expected {
            world.turn();
            client.poll(&mut |event| {
                messages += usize::from(matches!(event, ClientEvent::Message { .. }));
            });
        }
    }
    (ALLOCATIONS.load(Ordering::Relaxed) - before, messages)
}

#[test]
fn messages_cost_no_allocation() {
    let mut world = World::new(&config());
    world.engine.taken.reserve(20_000);
    let login = Login::new("ALICE", "PASS").expect("a login");
    let mut client = OuchClient::connect_later(world.address, login, world.clock.clone());
    let mut told = 0;
    while told < 2 {
        world.turn();
        told += client.poll(&mut |_| {});
    }
    trade(&mut world, &mut client, 1_000);
    let (allocations, messages) = trade(&mut world, &mut client, 10_000);
    // An acceptance and an execution take up 67 and 39 bytes: 1,060,000 bytes, 17 chunks at most,
    // and the table of chunks that grows a few times.
    println!("{allocations} allocations for {messages} messages");
    assert_eq!(messages, 20_000);
    assert!(allocations <= 17 + 4, "{allocations} allocations for {messages} messages");
}
