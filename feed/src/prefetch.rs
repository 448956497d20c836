//! Asking the processor for a cache line before it is needed.

/// Asks for the cache line that holds `slice[at]`; changes nothing. A place outside the slice is
/// harmless, and of no use.
#[inline(always)]
#[allow(unsafe_code, reason = "measured: see docs/measuring.md")]
pub fn prefetch<T>(slice: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch neither faults nor changes memory whatever its address, and the address
        // is made without a claim that it lies inside the slice. SSE is part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(slice.as_ptr().wrapping_add(at).cast()) };
    }
}
