//! What a receiver counts.

/// What one line's socket brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineStats {
    /// Datagrams handed out.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams of another sender than the configured one; dropped.
    pub wrong_source: u64,
    /// Datagrams longer than a buffer; dropped.
    pub truncated: u64,
    /// Datagrams that the kernel dropped because the socket's buffer was full, as told with the
    /// last datagram: drops after it are not in here yet. See
    /// [`super::Receiver::kernel_drops`].
    pub kernel_drops: u64,
    /// Bytes of the socket's receive buffer, as the kernel counts them.
    pub socket_buffer: usize,
    /// Calls to receive that failed for another reason than that there was nothing.
    pub errors: u64,
}

/// What the io_uring did; all 0 with the other paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingStats {
    /// Times that a line's buffers were exhausted. Nothing is lost by that: datagrams wait in the
    /// socket's buffer.
    pub buffers_exhausted: u64,
    /// Requests armed again after they had ended.
    pub rearmed: u64,
    /// Times that the completion queue was full and completions waited in the kernel.
    pub completion_overflows: u64,
    /// Times that the ring was built again because the kernel had dropped completions.
    pub rebuilt: u64,
    /// System calls made to poll.
    pub enters: u64,
    /// Completions with an unexpected error, or whose buffer makes no sense.
    pub errors: u64,
}

/// Everything that a receiver counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveStats {
    /// By line.
    pub lines: [LineStats; super::LINES_MAX],
    /// The io_uring.
    pub ring: RingStats,
}
