//! Once a FIX session is logged on, neither its messages nor the venue's cost an allocation, nor do
//! those of the client.
#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without it")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use common::{World, config};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{FixClient, FixEvent, FixLogin, FixOrder};
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_types::{AccountId, Price, Quantity, SessionId};

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

#[test]
fn messages_cost_no_allocation() {
    let mut gateway = config();
    let mut fix = FixConfig::new(([127, 0, 0, 1], 0).into(), "SPIN");
    fix.sessions = vec![FixUser::new(Version::Fix44, "FIONA", SessionId(3), AccountId(3))];
    gateway.fix = Some(fix);
    let mut world = World::new(&gateway);
    world.engine.taken.reserve(20_000);
    world.clock.advance(1_000_000_000);
    let address = world.gateway.fix_address().expect("FIX is served");
    let login = FixLogin::new(Version::Fix44, "FIONA", "SPIN");
    let mut client = FixClient::begin(address, login, world.clock.clone()).expect("a connection");
    while !client.is_live() {
        world.turn();
        client.poll(&mut |_| {});
    }
    let fills = FixOrder::limit(
        OrderSide::Buy,
        Quantity(100),
        "FILL".parse().expect("a symbol"),
        Price(10_000),
    );
    let stays = FixOrder { symbol: "STAY".parse().expect("a symbol"), ..fills };
    let mut trade = |orders: usize| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut reports = 0;
        for _ in 0..orders {
            client.enter(&fills).expect("live");
            let id = client.enter(&stays).expect("live");
            client.cancel(id, stays.side, stays.symbol).expect("live");
            client.cancel(7_000_000, stays.side, stays.symbol).expect("live");
            // Accepted and executed, accepted, canceled, not found.
            let expected = reports + 5;
            while reports < expected {
                world.turn();
                client.poll(&mut |event| {
                    let told =
                        matches!(event, FixEvent::Report(_) | FixEvent::CancelRejected { .. });
                    reports += usize::from(told);
                });
            }
        }
        (ALLOCATIONS.load(Ordering::Relaxed) - before, reports)
    };
    trade(100);
    let (allocations, reports) = trade(3_000);
    println!("{allocations} allocations for {reports} reports");
    assert_eq!((allocations, reports), (0, 15_000));
}
