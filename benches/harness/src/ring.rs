//! The queue for the reports: the ring that lies between the venue's threads too.

use std::ffi::c_void;

use crossbeam_utils::CachePadded;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::interface::{Report, Transport};

/// Both ends, each for one thread.
struct Ring {
    producer: CachePadded<Producer<Report>>,
    consumer: CachePadded<Consumer<Report>>,
}

/// The functions of this queue.
pub(crate) static TRANSPORT: Transport = Transport { create, push, drain, flush, destroy };

extern "C" fn create(capacity: u32) -> *mut c_void {
    let (mut producer, mut consumer) = RingBuffer::new(capacity as usize);
    // Every page is touched once before time counts.
    if let Ok(chunk) = producer.write_chunk(capacity as usize) {
        chunk.commit_all();
    }
    if let Ok(chunk) = consumer.read_chunk(capacity as usize) {
        chunk.commit_all();
    }
    let ring = Ring { producer: CachePadded::new(producer), consumer: CachePadded::new(consumer) };
    Box::into_raw(Box::new(ring)).cast()
}

/// Puts a report in, and waits for room where there is none.
///
/// # Safety
/// The handle came from [`create`], was not destroyed, and no other thread puts reports in.
#[inline]
#[allow(unsafe_code, reason = "a handle of a C interface")]
pub(crate) unsafe fn put(handle: *mut c_void, report: Report) {
    // SAFETY: the handle is a ring, as the caller says; only this end of it is borrowed, and only
    // by this thread.
    let producer = unsafe { &mut (*handle.cast::<Ring>()).producer };
    while producer.push(report).is_err() {
        std::hint::spin_loop();
    }
}

#[allow(unsafe_code, reason = "a function of a C interface")]
unsafe extern "C" fn push(handle: *mut c_void, report: *const Report) -> i32 {
    // SAFETY: as for `put`; the report is the caller's.
    let (producer, report) = unsafe { (&mut (*handle.cast::<Ring>()).producer, *report) };
    i32::from(producer.push(report).is_ok())
}

#[allow(unsafe_code, reason = "a function of a C interface")]
unsafe extern "C" fn drain(handle: *mut c_void, out: *mut Report, most: u32) -> u32 {
    // SAFETY: the handle is a ring; only this end of it is borrowed, and only by the one thread
    // that drains.
    let consumer = unsafe { &mut (*handle.cast::<Ring>()).consumer };
    let count = consumer.slots().min(most as usize);
    let Ok(chunk) = consumer.read_chunk(count) else {
        return 0;
    };
    let (first, second) = chunk.as_slices();
    // SAFETY: the caller has room for `most` reports at `out`, and the chunk has no more than that.
    unsafe {
        std::ptr::copy_nonoverlapping(first.as_ptr(), out, first.len());
        std::ptr::copy_nonoverlapping(second.as_ptr(), out.add(first.len()), second.len());
    }
    chunk.commit_all();
    u32::try_from(count).unwrap_or(most)
}

extern "C" fn flush(_: *mut c_void) {}

#[allow(unsafe_code, reason = "a function of a C interface")]
unsafe extern "C" fn destroy(handle: *mut c_void) {
    // SAFETY: it came from `create`, and the driver destroys it once.
    drop(unsafe { Box::from_raw(handle.cast::<Ring>()) });
}
