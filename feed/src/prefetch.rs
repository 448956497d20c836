//! Asking the processor for a cache line before it is needed.

/// Asks for the cache line that holds `slice[at]`; changes nothing. A place outside the slice is
/// harmless, and of no use.
#[inline(always)]
pub fn prefetch<T>(slice: &[T], at: usize) {
    prefetch_in(slice, at, 0);
}

/// Asks for the cache line `bytes` behind the beginning of `slice[at]`: for records of more lines
/// than one. As harmless.
#[inline(always)]
#[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
pub fn prefetch_in<T>(slice: &[T], at: usize, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let place = slice.as_ptr().wrapping_add(at).wrapping_byte_add(bytes);
        // SAFETY: a prefetch neither faults nor changes memory whatever its address, and the address
        // is made without a claim that it lies inside the slice. SSE is part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
}
