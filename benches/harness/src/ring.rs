//! The queue for the reports: the ring that lies between the venue's threads too. Reports cross in
//! groups, as what one turn of the venue's loop has caused does.

use std::ffi::c_void;

use crossbeam_utils::CachePadded;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::interface::{Report, Transport};

/// Reports that become visible together. Each time a line of memory goes from core to core and
/// back; one at a time that is what is measured and not the matching.
const GROUP: usize = 16;

/// Both ends, each for one thread.
struct Ring {
    producer: CachePadded<Sender>,
    consumer: CachePadded<Consumer<Report>>,
}

/// The end where reports are put in.
struct Sender {
    ring: Producer<Report>,
    /// What is not visible yet: the first `count`.
    group: [Report; GROUP],
    count: usize,
}

impl Sender {
    #[inline(always)]
    fn put(&mut self, report: Report) {
        self.group[self.count % GROUP] = report;
        self.count += 1;
        if self.count >= GROUP {
            self.publish();
        }
    }

    /// Makes visible what is not, and waits for room where there is none.
    #[inline(never)]
    fn publish(&mut self) {
        let group = &self.group[..self.count.min(GROUP)];
        loop {
            if let Ok(chunk) = self.ring.write_chunk_uninit(group.len()) {
                chunk.fill_from_iter(group.iter().copied());
                break;
            }
            std::hint::spin_loop();
        }
        self.count = 0;
    }
}

/// The functions of this queue.
pub(crate) static TRANSPORT: Transport = Transport { create, push, drain, flush, destroy };

extern "C" fn create(capacity: u32) -> *mut c_void {
    // Never so short that a group has no room.
    let capacity = (capacity as usize).max(GROUP);
    let (mut producer, mut consumer) = RingBuffer::new(capacity);
    // Every page is touched once before time counts.
    if let Ok(chunk) = producer.write_chunk(capacity) {
        chunk.commit_all();
    }
    if let Ok(chunk) = consumer.read_chunk(capacity) {
        chunk.commit_all();
    }
    let sender = Sender { ring: producer, group: [Report::default(); GROUP], count: 0 };
    let ring = Ring { producer: CachePadded::new(sender), consumer: CachePadded::new(consumer) };
    Box::into_raw(Box::new(ring)).cast()
}

/// Puts a report in; it becomes visible with its group. Waits for room where there is none.
///
/// # Safety
/// The handle came from [`create`], was not destroyed, and no other thread puts reports in.
#[inline(always)]
#[allow(unsafe_code, reason = "a handle of a C interface")]
pub(crate) unsafe fn put(handle: *mut c_void, report: Report) {
    // SAFETY: the handle is a ring, as the caller says; only this end of it is borrowed, and only
    // by this thread.
    unsafe { (*handle.cast::<Ring>()).producer.put(report) }
}

#[allow(unsafe_code, reason = "a function of a C interface")]
unsafe extern "C" fn push(handle: *mut c_void, report: *const Report) -> i32 {
    // SAFETY: as for `put`; the report is the caller's.
    unsafe { put(handle, *report) };
    1
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

#[allow(unsafe_code, reason = "a function of a C interface")]
unsafe extern "C" fn flush(handle: *mut c_void) {
    // SAFETY: as for `put`.
    unsafe { (*handle.cast::<Ring>()).producer.publish() }
}

#[allow(unsafe_code, reason = "a function of a C interface")]
unsafe extern "C" fn destroy(handle: *mut c_void) {
    // SAFETY: it came from `create`, and the driver destroys it once.
    drop(unsafe { Box::from_raw(handle.cast::<Ring>()) });
}
