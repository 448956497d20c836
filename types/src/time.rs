//! Times. Event time and receive time are different types: subtracting one from the other is
//! meaningless unless the clocks behind them are synchronised, so no such operation exists.

use std::fmt;

use crate::keep;

/// Nanoseconds since midnight in the venue's time zone: the time inside a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
pub struct EventTime(pub u64);

/// Nanoseconds since the Unix epoch on this machine's clock: when the kernel received a packet. 0
/// where the kernel gave no stamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
pub struct ReceiveTime(pub u64);

impl EventTime {
    /// Nanoseconds in a second.
    pub const SECOND: u64 = 1_000_000_000;

    /// The time of day, for example 9:30:00.
    pub const fn at(hours: u64, minutes: u64, seconds: u64) -> Self {
        Self((hours * 3600 + minutes * 60 + seconds) * Self::SECOND)
    }
}

impl fmt::Display for EventTime {
    /// `09:30:00.000000001`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / Self::SECOND;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let nanos = self.0 % Self::SECOND;
        write!(f, "{hours:02}:{minutes:02}:{:02}.{nanos:09}", seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_time_prints_as_time_of_day() {
        let time = EventTime(EventTime::at(9, 30, 0).0 + 1);
        assert_eq!(time.to_string(), "09:30:00.000000001");
    }
}
