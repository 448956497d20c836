//! The times that the gateway is given.

use std::time::{SystemTime, UNIX_EPOCH};

use spindle_types::EventTime;

/// Where a gateway or a client gets its times from. A test has one that stands still.
pub trait Clock: Send {
    /// Nanoseconds on a clock that never goes back, from any beginning. Read once a turn.
    fn now_ns(&self) -> u64;

    /// The venue's time of day, for the two messages that the gateway writes by itself, the day's
    /// begin and end. All others carry the engine's time.
    fn time_of_day(&self) -> EventTime;

    /// Nanoseconds since 1970 in UTC, for what FIX writes of the time. Where a clock does not say
    /// otherwise it is the first day.
    fn utc_ns(&self) -> u64 {
        self.time_of_day().0
    }
}

/// The machine's clocks: `quanta` for intervals, the system's time of day in UTC.
#[derive(Clone, Debug, Default)]
pub struct SystemClock {
    clock: quanta::Clock,
    /// UTC when `clock` showed 0, where nothing but `clock` moves time.
    began: Option<u64>,
}

impl SystemClock {
    /// The machine's clocks. The first call in a process measures the counter's rate, which takes
    /// a part of a second.
    pub fn new() -> Self {
        Self::default()
    }

    /// Clocks of a simulation: `clock` alone moves time, and it showed 0 at `began`, in nanoseconds since
    /// 1970 in UTC.
    pub const fn simulated(clock: quanta::Clock, began: u64) -> Self {
        Self { clock, began: Some(began) }
    }

    /// The clock for intervals.
    pub fn intervals(&self) -> quanta::Clock {
        self.clock.clone()
    }
}

impl Clock for SystemClock {
    #[inline]
    fn now_ns(&self) -> u64 {
        self.clock.delta_as_nanos(0, self.clock.raw())
    }

    fn time_of_day(&self) -> EventTime {
        const DAY: u64 = 86_400 * 1_000_000_000;
        EventTime(self.utc_ns() % DAY)
    }

    fn utc_ns(&self) -> u64 {
        if let Some(began) = self.began {
            return began.saturating_add(self.now_ns());
        }
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
    }
}
