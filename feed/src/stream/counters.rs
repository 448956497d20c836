//! What a stream counts. Every count is of one cause, so that sums can be checked against what was
//! sent.

/// Buckets of a [`Skew`]: bucket `n` counts times of `2^(n-1)` up to `2^n - 1` nanoseconds, bucket
/// 0 those of 0, the last one all that are longer.
pub const SKEW_BUCKETS: usize = 40;

/// How far one line is behind the other: a histogram with a bucket for each power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    counts: [u64; SKEW_BUCKETS],
}

impl Default for Skew {
    fn default() -> Self {
        Self { counts: [0; SKEW_BUCKETS] }
    }
}

impl Skew {
    #[inline]
    pub(super) fn record(&mut self, nanoseconds: u64) {
        let bucket = (64 - nanoseconds.leading_zeros()) as usize;
        self.counts[bucket.min(SKEW_BUCKETS - 1)] += 1;
    }

    /// Counts by bucket.
    pub fn counts(&self) -> &[u64; SKEW_BUCKETS] {
        &self.counts
    }

    /// Times counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// A time in nanoseconds that at least `per_mille` of 1,000 counted times do not pass: the upper
    /// end of the bucket in which that one lies. `None` when nothing was counted.
    pub fn at_most(&self, per_mille: u64) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = (u128::from(count) * u128::from(per_mille.min(1_000))).div_ceil(1_000).max(1);
        let mut below = 0_u128;
        for (bucket, &counted) in self.counts.iter().enumerate() {
            below += u128::from(counted);
            if below >= rank {
                return Some((1_u64 << bucket) - 1);
            }
        }
        None
    }
}

/// What one line brought. Every datagram is in `packets`, and in exactly one of `first`,
/// `duplicates`, `heartbeats`, `ends`, `malformed`, `other_session` and `implausible`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounters {
    /// Datagrams of any kind.
    pub packets: u64,
    /// Packets of which at least one message was new, whether delivered, held or dropped for want
    /// of room.
    pub first: u64,
    /// Packets of which every message was here already, or given up before it came.
    pub duplicates: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// End-of-session packets.
    pub ends: u64,
    /// Datagrams that are no packet, or whose numbers begin at 0; dropped whole.
    pub malformed: u64,
    /// Packets of another session; dropped.
    pub other_session: u64,
    /// Packets too far ahead, or an end of session before what was already seen; dropped.
    pub implausible: u64,
    /// Messages that this line passed over, by its own numbering.
    pub missed: u64,
    /// Messages of a gap that this line filled and had not itself passed over.
    pub filled: u64,
    /// Messages of a gap that this line brought after it had passed over them: reordering.
    pub filled_late: u64,
    /// When the last datagram came, on the caller's clock; `None` before the first.
    pub last_ns: Option<u64>,
    /// How far packets that the other line brought first were behind it.
    pub skew: Skew,
}

/// What became of gaps, in messages:
/// `opened = filled_by_other_line + filled_late + filled_by_request + lost + still open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GapCounters {
    /// Times that the stream went from whole to having a gap.
    pub gaps: u64,
    /// Messages found missing by a packet beyond them.
    pub opened: u64,
    /// Brought by a line that had not passed over them.
    pub filled_by_other_line: u64,
    /// Brought late by the line that had passed over them.
    pub filled_late: u64,
    /// Brought by a request server.
    pub filled_by_request: u64,
    /// Declared lost.
    pub lost: u64,
}

/// What requests for missed messages came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounters {
    /// Requests sent, repetitions included.
    pub sent: u64,
    /// Requests whose time ran out.
    pub timed_out: u64,
    /// Chunks given up after all attempts.
    pub failed: u64,
    /// Datagrams from servers.
    pub answers: u64,
    /// Answers of which nothing was of use: nothing missing, malformed, of another session, or with
    /// numbers that nobody asked for.
    pub useless: u64,
}

/// Everything that a stream counts. It goes on counting over a change of session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By line.
    pub lines: [LineCounters; super::LINES_MAX],
    /// Gaps.
    pub gaps: GapCounters,
    /// Requests.
    pub requests: RequestCounters,
    /// Messages delivered.
    pub delivered: u64,
    /// Messages before the place where the stream joined, reported lost and in no other count.
    pub before_join: u64,
    /// Times that a gap was declared lost because no more could wait behind it.
    pub overflows: u64,
    /// Messages dropped while a late joiner was still fetching the beginning; they are asked for
    /// later, as part of `opened`.
    pub postponed: u64,
    /// Sessions begun.
    pub sessions: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skew_is_counted_by_powers_of_two() {
        let mut skew = Skew::default();
        assert_eq!(skew.at_most(500), None);
        for time in [0, 1, 2, 3, 4, 1_000, u64::MAX] {
            skew.record(time);
        }
        assert_eq!(&skew.counts()[..4], [1, 1, 2, 1]);
        assert_eq!((skew.counts()[10], skew.counts()[SKEW_BUCKETS - 1]), (1, 1));
        assert_eq!(skew.count(), 7);
        assert_eq!(skew.at_most(0), Some(0));
        assert_eq!(skew.at_most(500), Some(3));
        assert_eq!(skew.at_most(800), Some(1_023));
        assert_eq!(skew.at_most(1_000), Some((1 << 39) - 1));
    }
}
