//! Orders of every kind, phases, auctions and the tape, and not one allocation: what is told stays
//! within the room that was made for it, however few orders there is room for.
#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without it")]

mod chance;
mod desk;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chance::{Course, input};
use desk::Desk;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that is ending has no counter any more; it is not the one that is watched.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed to the system's allocator unchanged; counting allocates nothing,
// because the counter is a constant-initialised thread local without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nothing_is_allocated_whatever_comes() {
    let mut runner = TestRunner::deterministic();
    let mut events = 0;
    for own_orders in [4, 8, 16, 64] {
        for _ in 0..40 {
            let inputs = prop::collection::vec(input(), 400).new_tree(&mut runner);
            let inputs = inputs.expect("inputs").current();
            let (mut desk, mut course) = (Desk::with(own_orders), Course::default());
            let before = CALLS.with(Cell::get);
            for input in &inputs {
                assert!(desk.engine.has_room());
                course.apply(&mut desk.engine, input);
                events += desk.engine.outbox().len();
                desk.engine.clear_outbox();
            }
            assert_eq!(CALLS.with(Cell::get), before, "allocations with {own_orders} orders");
        }
    }
    assert!(events > 20_000, "only {events} events");
}
