//! A counting allocator over a whole demo: from the moment that the engine's thread is ready until
//! it ends, it allocates nothing and frees nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle::config::ReceivePath;
use spindle::demo::{self, DemoOptions, Hooks};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

static AT_BEGIN: AtomicU64 = AtomicU64::new(u64::MAX);
static AT_END: AtomicU64 = AtomicU64::new(u64::MAX);

struct Counting;

fn count() {
    // A thread that is ending has no counter any more; it is not the one that is watched.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

#[allow(unsafe_code, reason = "an allocator is an unsafe trait")]
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

fn calls() -> u64 {
    CALLS.with(Cell::get)
}

#[test]
fn a_whole_demo_without_one_allocation_on_the_engine_thread() {
    for receive in [ReceivePath::Auto, ReceivePath::Recvmmsg, ReceivePath::Recv] {
        let options = DemoOptions {
            messages: 100_000,
            symbols: 50,
            seed: 3,
            rate: 50_000,
            receive,
            hooks: Some(Hooks {
                begin: || AT_BEGIN.store(calls(), Ordering::SeqCst),
                end: || AT_END.store(calls(), Ordering::SeqCst),
            }),
        };
        let before = calls();
        drop(Vec::<u8>::with_capacity(16));
        assert_eq!(calls(), before + 2, "the allocator does count");

        let outcome = demo::run(&options, &mut |_| {}).expect("a demo");
        assert_eq!(outcome.engine.engine().counters().market_messages, options.messages);
        assert!(outcome.engine.engine().counters().executions > 0, "nobody traded");
        let (begin, end) = (AT_BEGIN.load(Ordering::SeqCst), AT_END.load(Ordering::SeqCst));
        assert_ne!(begin, u64::MAX);
        assert_eq!(end - begin, 0, "allocations on the engine thread with {receive:?}");
    }
}
