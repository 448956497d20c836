//! Memory that the kernel writes into behind the compiler's back.

#![allow(unsafe_code, reason = "the kernel holds addresses of this memory between calls")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// The kernel wants rings to begin at a page.
const PAGE: usize = 4_096;

/// A block of memory that is reached through raw pointers alone, so that the kernel may write into
/// it while no reference to that part exists. It begins at a page and is zero at first, hence
/// always initialised.
#[derive(Debug)]
pub(super) struct Arena {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the arena owns its memory and nothing in it depends on the thread.
unsafe impl Send for Arena {}

impl Arena {
    /// `length` bytes, at least one.
    pub(super) fn new(length: usize) -> Self {
        let layout = Layout::from_size_align(length.max(1), PAGE)
            .expect("a few buffers of at most 64 KiB fit the address space");
        // SAFETY: the layout's size is not 0.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, layout }
    }

    /// The address of a byte, for the kernel or for [`Arena::bytes`].
    ///
    /// # Panics
    /// When it lies beyond the end.
    pub(super) fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset <= self.layout.size(), "an offset inside the arena");
        // SAFETY: the offset lies inside the one allocation or one past it, as checked.
        unsafe { self.start.add(offset) }
    }

    /// The bytes from `offset` on.
    ///
    /// # Panics
    /// When they lie beyond the end.
    ///
    /// # Safety
    /// Nobody, the kernel included, writes to these bytes while the slice lives.
    pub(super) unsafe fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        let start = self.at(offset);
        assert!(length <= self.layout.size() - offset, "a range inside the arena");
        // SAFETY: the range lies inside the allocation, as checked; all of it was zeroed, so it is
        // initialised; the caller vouches that nobody writes to it.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and given back once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}
