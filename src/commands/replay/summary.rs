//! What was sent, as text and as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use spindle_replay::publish::{LineCounters, Publisher, RequestCounters, Target};

use crate::report::grouped;

/// What was sent.
#[derive(Serialize)]
pub(super) struct Summary {
    messages: u64,
    elapsed_ns: u64,
    /// The part of it before the end of the session was said.
    sending_ns: u64,
    messages_per_second: u64,
    passes: u32,
    stopped: bool,
    tape_time: String,
    lines: Vec<LineSummary>,
    requests: RequestSummary,
    pacing_error: Option<PacingError>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct LineSummary {
    to: String,
    packets: u64,
    bytes: u64,
    messages: u64,
    heartbeats: u64,
    lost_packets: u64,
    lost_messages: u64,
    outages: u64,
    duplicated: u64,
    reordered: u64,
    overrun: u64,
}

#[derive(Serialize)]
struct RequestSummary {
    received: u64,
    answered: u64,
    messages: u64,
    invalid: u64,
    forgotten: u64,
    limited: u64,
}

/// How much later than due packets went out, in nanoseconds.
#[derive(Serialize)]
struct PacingError {
    packets: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
    histogram: Vec<Bucket>,
}

/// Packets that were later than the bucket before, and no later than this.
#[derive(Serialize)]
struct Bucket {
    up_to_ns: u64,
    packets: u64,
}

/// The upper ends of the histogram's buckets: 1, 2, 5, 10 and so on, in nanoseconds.
const BUCKETS: [u64; 20] = [
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
    60_000_000_000,
];

impl Summary {
    pub(super) fn new(
        publisher: &Publisher,
        targets: &[Target],
        elapsed: Duration,
        sending: Duration,
    ) -> Self {
        let feed = publisher.outgoing();
        let lines: Vec<LineSummary> = (0..feed.lines())
            .zip(targets)
            .map(|(line, target)| LineSummary::new(target, feed.line_counters(line)))
            .collect();
        let messages = lines.iter().map(|line| line.messages + line.lost_messages).max();
        let messages = messages.unwrap_or(0);
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (elapsed_ns, sending_ns) = (nanoseconds(elapsed), nanoseconds(sending));
        let rate = super::per_second(messages, sending);
        Self {
            messages,
            elapsed_ns,
            sending_ns,
            messages_per_second: u64::try_from(rate).unwrap_or(u64::MAX),
            passes: feed.pass(),
            stopped: feed.is_stopped(),
            tape_time: feed.tape_time().to_string(),
            lines,
            requests: RequestSummary::new(feed.request_counters()),
            pacing_error: PacingError::new(publisher),
            notes: feed.recording().notes(),
        }
    }
}

impl LineSummary {
    fn new(target: &Target, counters: LineCounters) -> Self {
        Self {
            to: target.address.to_string(),
            packets: counters.packets,
            bytes: counters.bytes,
            messages: counters.messages,
            heartbeats: counters.heartbeats,
            lost_packets: counters.lost_packets,
            lost_messages: counters.lost_messages,
            outages: counters.outages,
            duplicated: counters.duplicated,
            reordered: counters.reordered,
            overrun: counters.overrun,
        }
    }
}

impl RequestSummary {
    fn new(counters: RequestCounters) -> Self {
        Self {
            received: counters.received,
            answered: counters.answered,
            messages: counters.messages,
            invalid: counters.invalid,
            forgotten: counters.forgotten,
            limited: counters.limited,
        }
    }
}

impl PacingError {
    fn new(publisher: &Publisher) -> Option<Self> {
        let error = publisher.outgoing().pacing_error();
        if error.is_empty() {
            return None;
        }
        let mut below = 0;
        let histogram = BUCKETS
            .iter()
            .map(|&up_to_ns| {
                let all = error.count_between(0, up_to_ns);
                let packets = all - below;
                below = all;
                Bucket { up_to_ns, packets }
            })
            .filter(|bucket| bucket.packets > 0)
            .collect();
        Some(Self {
            packets: error.len(),
            p50: error.value_at_quantile(0.5),
            p90: error.value_at_quantile(0.9),
            p99: error.value_at_quantile(0.99),
            p999: error.value_at_quantile(0.999),
            max: error.max(),
            histogram,
        })
    }
}

/// A time as people read it: 950 ns, 12.3 us, 4.5 ms, 1.2 s.
fn time(nanoseconds: u64) -> String {
    let (unit, name) = match nanoseconds {
        0..1_000 => return format!("{nanoseconds} ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let tenths = nanoseconds * 10 / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stopped = if self.stopped { "stopped: " } else { "" };
        let (messages, rate) = (grouped(self.messages), grouped(self.messages_per_second));
        write!(f, "{stopped}{messages} messages in {}: {rate} a second", time(self.sending_ns))?;
        if self.passes > 1 {
            write!(f, ", {} passes", self.passes)?;
        }
        for line in &self.lines {
            line.write(f)?;
        }
        let requests = &self.requests;
        if requests.received > 0 {
            write!(
                f,
                "\nrequests: {} received, {} answered with {} messages, {} invalid, {} forgotten, \
                 {} limited",
                grouped(requests.received),
                grouped(requests.answered),
                grouped(requests.messages),
                grouped(requests.invalid),
                grouped(requests.forgotten),
                grouped(requests.limited)
            )?;
        }
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        self.pacing_error.as_ref().map_or(Ok(()), |error| error.write(f))
    }
}

impl LineSummary {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\n{}: {} packets, {} bytes, {} heartbeats",
            self.to,
            grouped(self.packets),
            grouped(self.bytes),
            grouped(self.heartbeats)
        )?;
        let faults = [
            (self.lost_packets, "packets lost on purpose"),
            (self.lost_messages, "messages in them"),
            (self.outages, "outages"),
            (self.duplicated, "sent twice"),
            (self.reordered, "sent late"),
            (self.overrun, "messages forgotten before they were sent"),
        ];
        for (count, what) in faults.iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {} {what}", grouped(*count))?;
        }
        Ok(())
    }
}

impl PacingError {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\nlater than due: p50 {}, p90 {}, p99 {}, p99.9 {}, most {}",
            time(self.p50),
            time(self.p90),
            time(self.p99),
            time(self.p999),
            time(self.max)
        )?;
        for bucket in &self.histogram {
            let share = u128::from(bucket.packets) * 1_000 / u128::from(self.packets.max(1));
            let (whole, tenth) = (share / 10, share % 10);
            let width = usize::try_from(share / 20).unwrap_or(0);
            let (limit, bar) = (time(bucket.up_to_ns), "#".repeat(width));
            write!(f, "\n  up to {limit:>9} {:>12} {whole:>3}.{tenth} %", grouped(bucket.packets))?;
            if width > 0 {
                write!(f, "  {bar}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_short() {
        for (nanoseconds, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (12_345, "12.3 us"),
            (4_500_000, "4.5 ms"),
            (1_250_000_000, "1.2 s"),
        ] {
            assert_eq!(time(nanoseconds), text);
        }
    }
}
