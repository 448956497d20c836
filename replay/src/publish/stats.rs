use std::sync::atomic::{AtomicU64, Ordering};

use super::line::LineCounters;
use super::outgoing::{LINES_MAX, Outgoing};

/// What has been sent: counters that any thread may read at any time. Each is exact by itself; two
/// read one after the other may be of different moments.
#[derive(Debug, Default)]
pub struct PublishStats {
    /// Messages sent, or lost on purpose, on the line that is furthest, over all passes.
    pub messages: AtomicU64,
    /// Packets of all kinds, on all lines.
    pub packets: AtomicU64,
    /// UDP payload bytes, on all lines.
    pub bytes: AtomicU64,
    /// Packets without messages while the tape was silent, on all lines.
    pub heartbeats: AtomicU64,
    /// Packets not sent on purpose, on all lines.
    pub lost_packets: AtomicU64,
    /// Times that a socket could take no more, and the packet was kept for the next poll.
    pub retries: AtomicU64,
    /// Requests for missed messages that were answered.
    pub answered: AtomicU64,
    /// The tape's time of the last message, in nanoseconds since midnight.
    pub tape_time: AtomicU64,
    /// Bytes of the recording taken in.
    pub position: AtomicU64,
}

impl PublishStats {
    /// Takes over what the stream has counted. One thread writes.
    pub(super) fn store(&self, outgoing: &Outgoing, retries: u64) {
        let lines: [LineCounters; LINES_MAX] =
            std::array::from_fn(|line| outgoing.line_counters(line));
        let sum = |count: fn(&LineCounters) -> u64| lines.iter().map(count).sum();
        let set = |counter: &AtomicU64, value: u64| counter.store(value, Ordering::Relaxed);
        let furthest = lines.iter().map(|line| line.messages + line.lost_messages).max();
        set(&self.messages, furthest.unwrap_or(0));
        set(&self.packets, sum(|line| line.packets));
        set(&self.bytes, sum(|line| line.bytes));
        set(&self.heartbeats, sum(|line| line.heartbeats));
        set(&self.lost_packets, sum(|line| line.lost_packets));
        set(&self.retries, retries);
        set(&self.answered, outgoing.request_counters().answered);
        set(&self.tape_time, outgoing.tape_time().0);
        set(&self.position, outgoing.recording().position());
    }
}
