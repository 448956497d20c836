//! Large tables in large pages.
//!
//! A table that is read at random misses the processor's address cache at nearly every access while
//! its pages are 4 KiB; in a virtual machine each miss is two walks. So the system is asked for
//! pages of 2 MiB before a table is touched. Where it has none, or is told never to give them, all
//! works as before and is slower.

/// A table of `length` records that all hold `value`, in large pages if the system gives them.
pub fn table<T: Copy>(length: usize, value: T) -> Box<[T]> {
    let mut table = Vec::with_capacity(length);
    ask_for_large_pages(table.spare_capacity_mut());
    table.resize(length, value);
    table.into_boxed_slice()
}

/// Asks that memory which is not touched yet be backed by large pages. An answer is not needed.
#[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
pub fn ask_for_large_pages<T>(memory: &mut [std::mem::MaybeUninit<T>]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let range = memory.as_mut_ptr_range();
        let start = range.start.map_addr(|address| address.next_multiple_of(PAGE));
        let end = range.end.addr() & !(PAGE - 1);
        if let Some(length) = end.checked_sub(start.addr())
            && length > 0
        {
            // SAFETY: the pages lie wholly inside `memory`, which is borrowed for writing, and this
            // advice changes how they are backed and never what is in them.
            let _ = unsafe { libc::madvise(start.cast(), length, libc::MADV_HUGEPAGE) };
        }
    }
}
