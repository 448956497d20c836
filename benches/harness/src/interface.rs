//! The records and functions of the C interface, as its description has them.

use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};

use spindle_types::Side;

use crate::desk::{Desk, Reports};
use crate::ring;

/// A new order.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct NewOrder {
    /// Its number.
    pub order: u64,
    /// The number of this record.
    pub sequence: u64,
    /// Its price in ticks.
    pub price: i64,
    /// Its shares.
    pub quantity: u32,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// 1 for immediate-or-cancel.
    pub ioc: u8,
    /// Nothing.
    pub reserved: [u8; 2],
}

/// A cancel.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Cancel {
    /// The order.
    pub order: u64,
    /// The number of this record.
    pub sequence: u64,
}

/// A change of an order's price and size.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Modify {
    /// The order.
    pub order: u64,
    /// The number of this record.
    pub sequence: u64,
    /// Its new price in ticks.
    pub price: i64,
    /// Its new size.
    pub quantity: u32,
    /// Its side, which stays.
    pub side: u8,
    /// Nothing.
    pub reserved: [u8; 3],
}

/// Kinds of reports.
pub mod kind {
    /// A new order was taken.
    pub const ORDER_ACK: u8 = 0;
    /// Two orders traded.
    pub const TRADE: u8 = 1;
    /// An order, or what was left of one, is gone.
    pub const CANCEL_ACK: u8 = 2;
    /// An order was changed.
    pub const MODIFY_ACK: u8 = 3;
    /// There is no such order to cancel.
    pub const CANCEL_REJECT: u8 = 4;
    /// There is no such order to change.
    pub const MODIFY_REJECT: u8 = 5;
}

/// A report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Report {
    /// One of [`kind`].
    pub kind: u8,
    /// The order's side.
    pub side: u8,
    /// Nothing.
    pub reserved: [u8; 6],
    /// The number of the record that caused it.
    pub sequence: u64,
    /// The order.
    pub order: u64,
    /// Of a trade, the price of the order that stood.
    pub price: i64,
    /// Shares.
    pub quantity: u32,
    /// Nothing.
    pub reserved_2: u32,
    /// Of a trade, the order that stood.
    pub maker: u64,
    /// Of a trade, the order that came.
    pub taker: u64,
    /// Nothing.
    pub reserved_3: u64,
}

/// The functions of a queue.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Transport {
    /// Makes one with room for so many reports.
    pub create: unsafe extern "C" fn(u32) -> *mut c_void,
    /// Puts a report in; 0 where there is no room.
    pub push: unsafe extern "C" fn(*mut c_void, *const Report) -> i32,
    /// Takes up to so many reports out and says how many.
    pub drain: unsafe extern "C" fn(*mut c_void, *mut Report, u32) -> u32,
    /// Makes visible what is not yet.
    pub flush: unsafe extern "C" fn(*mut c_void),
    /// Ends one.
    pub destroy: unsafe extern "C" fn(*mut c_void),
}

const _: () = assert!(size_of::<NewOrder>() == 32);
const _: () = assert!(size_of::<Cancel>() == 16);
const _: () = assert!(size_of::<Modify>() == 32);
const _: () = assert!(size_of::<Report>() == 64);

/// Where the reports go.
#[derive(Clone, Copy)]
enum Queue {
    /// The ring of this library.
    Ring(Ring),
    /// The driver's queue.
    Driver(Driver),
}

#[derive(Clone, Copy)]
struct Ring(*mut c_void);

impl Reports for Ring {
    #[inline(always)]
    fn put(&mut self, report: Report) {
        // SAFETY: the handle came from `ring::create`, is alive until the driver destroys it after
        // the last call here, and this thread is the only one that pushes.
        #[allow(unsafe_code, reason = "a handle of a C interface")]
        unsafe {
            ring::put(self.0, report);
        }
    }
}

#[derive(Clone, Copy)]
struct Driver(Transport, *mut c_void);

impl Reports for Driver {
    #[inline]
    fn put(&mut self, report: Report) {
        let Self(transport, handle) = self;
        // SAFETY: the driver gave function and handle together, for this thread to push into until
        // it shuts the engine down.
        #[allow(unsafe_code, reason = "a function of a C interface")]
        while unsafe { (transport.push)(*handle, &raw const report) } == 0 {
            std::hint::spin_loop();
        }
    }
}

struct Session {
    desk: Desk,
    queue: Queue,
}

/// The one session of a process, between `engine_init` and `engine_shutdown`.
static SESSION: AtomicPtr<Session> = AtomicPtr::new(std::ptr::null_mut());

/// The session. The driver calls from one thread at a time, after `engine_init` and before
/// `engine_shutdown`: that is its interface.
#[inline]
#[allow(unsafe_code, reason = "state behind a C interface")]
fn session() -> Option<&'static mut Session> {
    // SAFETY: the pointer is null or came from `Box::into_raw` in `engine_init` and is freed in
    // `engine_shutdown` only. Calls do not overlap, and the reference ends with the call.
    unsafe { SESSION.load(Ordering::Relaxed).as_mut() }
}

/// The queue of this library, unless the environment says that the driver's shall be used.
#[allow(unsafe_code, reason = "a function of a C interface")]
#[unsafe(no_mangle)]
pub extern "C" fn engine_get_transport() -> *const Transport {
    match std::env::var_os("SPINDLE_HARNESS_QUEUE") {
        Some(which) if which == "driver" => std::ptr::null(),
        _ => &raw const ring::TRANSPORT,
    }
}

/// Begins a session.
///
/// # Safety
/// `transport` is null or points at functions that go with `sink`.
#[allow(unsafe_code, reason = "a function of a C interface")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_init(_: u64, transport: *const Transport, sink: *mut c_void) {
    // SAFETY: as the caller says.
    let Some(transport) = (unsafe { transport.as_ref() }) else {
        return;
    };
    let queue = if std::ptr::fn_addr_eq(transport.push, ring::TRANSPORT.push) {
        Queue::Ring(Ring(sink))
    } else {
        Queue::Driver(Driver(*transport, sink))
    };
    let session = Box::into_raw(Box::new(Session { desk: Desk::new(), queue }));
    free(SESSION.swap(session, Ordering::Relaxed));
}

/// Ends the session.
#[allow(unsafe_code, reason = "a function of a C interface")]
#[unsafe(no_mangle)]
pub extern "C" fn engine_shutdown() {
    free(SESSION.swap(std::ptr::null_mut(), Ordering::Relaxed));
}

#[allow(unsafe_code, reason = "state behind a C interface")]
fn free(session: *mut Session) {
    if !session.is_null() {
        // SAFETY: it came from `Box::into_raw` and was taken out of the only place that has it.
        drop(unsafe { Box::from_raw(session) });
    }
}

macro_rules! entry {
    ($(#[$doc:meta])* $name:ident, $record:ty, $action:ident) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// The pointer is null or points at such a record.
        #[allow(unsafe_code, reason = "a function of a C interface")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(record: *const $record) {
            // SAFETY: as the caller says.
            if let (Some(session), Some(record)) = (session(), unsafe { record.as_ref() }) {
                match &mut session.queue {
                    Queue::Ring(ring) => session.desk.$action(record, ring),
                    Queue::Driver(driver) => session.desk.$action(record, driver),
                }
            }
        }
    };
}

entry! {
    /// A new order.
    engine_on_new_order, NewOrder, enter
}
entry! {
    /// A cancel.
    engine_on_cancel, Cancel, cancel
}
entry! {
    /// A change.
    engine_on_modify, Modify, modify
}

/// Nothing is left undone between calls.
#[allow(unsafe_code, reason = "a function of a C interface")]
#[unsafe(no_mangle)]
pub extern "C" fn engine_flush() {}

/// The highest bid in ticks, or the lowest number where there is none.
#[allow(unsafe_code, reason = "a function of a C interface")]
#[unsafe(no_mangle)]
pub extern "C" fn engine_query_best_bid() -> i64 {
    session().and_then(|session| session.desk.best(Side::Buy)).unwrap_or(i64::MIN)
}

/// The lowest ask in ticks, or the highest number where there is none.
#[allow(unsafe_code, reason = "a function of a C interface")]
#[unsafe(no_mangle)]
pub extern "C" fn engine_query_best_ask() -> i64 {
    session().and_then(|session| session.desk.best(Side::Sell)).unwrap_or(i64::MAX)
}

/// Shares that stand at a price of a side.
#[allow(unsafe_code, reason = "a function of a C interface")]
#[unsafe(no_mangle)]
pub extern "C" fn engine_query_depth_at(price: i64, side: u8) -> u64 {
    let side = if side == 0 { Side::Buy } else { Side::Sell };
    session().map_or(0, |session| session.desk.depth(side, price))
}
