//! From tape time to wall time.

use std::fmt;
use std::str::FromStr;

use spindle_types::{Decimal, EventTime};
use thiserror::Error;

/// How fast the tape runs: a multiple of real time, or as fast as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// As fast as it can.
    Max,
    /// So many thousandths of real time; at least 1.
    Times {
        /// 1,000 is real time.
        thousandths: u64,
    },
}

/// Why a text is not a speed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "'{0}' is not a speed: 'max', or 'x' and a number from 0.001 to 1000000, as in x1, x10, x0.1"
)]
pub struct SpeedError(String);

impl Speed {
    /// Real time.
    pub const REAL: Self = Self::Times { thousandths: 1_000 };
}

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        let refuse = || SpeedError(text.escape_default().to_string());
        if text == "max" {
            return Ok(Self::Max);
        }
        let factor = text.strip_prefix('x').ok_or_else(refuse)?;
        if !factor.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(refuse());
        }
        let factor: Decimal = factor.parse().map_err(|_| refuse())?;
        let scaled = factor.checked_mul(Decimal::ONE_THOUSAND).ok_or_else(refuse)?;
        let thousandths = u64::try_from(scaled.trunc()).map_err(|_| refuse())?;
        let exact = scaled.fract().is_zero();
        if exact && (1..=1_000_000_000).contains(&thousandths) {
            Ok(Self::Times { thousandths })
        } else {
            Err(refuse())
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.pad("max"),
            Self::Times { thousandths } => {
                let factor = Decimal::new(i64::try_from(*thousandths).unwrap_or(i64::MAX), 3);
                f.pad(&format!("x{}", factor.normalize()))
            }
        }
    }
}

/// Says when a moment of the tape has come. All wall times are nanoseconds of one clock that never
/// goes back; which one is up to the caller.
#[derive(Clone, Debug)]
pub struct Pacer {
    speed: Speed,
    /// A moment of the tape and when it was.
    anchor: Option<(u64, u64)>,
}

impl Pacer {
    /// A pacer that has not begun: the first moment it is asked about has come.
    pub fn new(speed: Speed) -> Self {
        Self { speed, anchor: None }
    }

    /// How fast the tape runs.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// When `time` comes or came. A moment before the first one asked about came with it. At full
    /// speed every moment has come: 0.
    pub fn due(&mut self, time: EventTime, now: u64) -> u64 {
        self.anchor.get_or_insert((time.0, now));
        self.when(time).unwrap_or(0)
    }

    /// When `time` comes or came; `None` before the first [`due`](Self::due), and at full speed,
    /// where nothing is due at a time.
    pub fn when(&self, time: EventTime) -> Option<u64> {
        let Speed::Times { thousandths } = self.speed else { return None };
        let (tape, wall) = self.anchor?;
        let distance = u128::from(time.0.saturating_sub(tape)) * 1_000 / u128::from(thousandths);
        Some(wall.saturating_add(u64::try_from(distance).unwrap_or(u64::MAX)))
    }

    /// The moment of the tape that is now; `None` before the first [`due`](Self::due), and at full
    /// speed, where the tape has no now.
    pub fn tape_time(&self, now: u64) -> Option<EventTime> {
        let Speed::Times { thousandths } = self.speed else { return None };
        let (tape, wall) = self.anchor?;
        let distance = u128::from(now.saturating_sub(wall)) * u128::from(thousandths) / 1_000;
        Some(EventTime(tape.saturating_add(u64::try_from(distance).unwrap_or(u64::MAX))))
    }

    /// Goes on from `time`, which is now, at another speed.
    pub fn set_speed(&mut self, speed: Speed, time: EventTime, now: u64) {
        self.speed = speed;
        self.anchor = Some((time.0, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(text: &str) -> Speed {
        text.parse().expect(text)
    }

    #[test]
    fn speeds_are_read_and_printed() {
        for text in ["max", "x1", "x10", "x0.1", "x0.001", "x1000000", "x2.5"] {
            assert_eq!(speed(text).to_string(), text);
        }
        assert_eq!(speed("x1"), Speed::REAL);
        for text in [
            "",
            "x",
            "1",
            "x0",
            "x-1",
            "x0.0001",
            "x1000001",
            "xmax",
            "fast",
            "x1e3",
            "x79228162514264337593543950335",
        ] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }

    #[test]
    fn tape_time_maps_to_wall_time_by_the_speed() {
        const HOUR: u64 = 3_600_000_000_000;
        for (text, wall) in
            [("x1", HOUR), ("x10", HOUR / 10), ("x0.1", 10 * HOUR), ("x1000", HOUR / 1000)]
        {
            let mut pacer = Pacer::new(speed(text));
            let open = EventTime::at(9, 30, 0);
            assert_eq!((pacer.tape_time(5), pacer.when(open)), (None, None));
            assert_eq!(pacer.due(open, 1_000), 1_000, "{text}");
            assert_eq!(pacer.due(EventTime::at(10, 30, 0), 2_000), 1_000 + wall, "{text}");
            assert_eq!(
                pacer.due(EventTime::at(9, 0, 0), 2_000),
                1_000,
                "{text}: the past has come"
            );
            assert_eq!(pacer.tape_time(1_000 + wall), Some(EventTime::at(10, 30, 0)));
        }
    }

    #[test]
    fn at_full_speed_every_moment_has_come() {
        let mut pacer = Pacer::new(Speed::Max);
        assert_eq!(pacer.due(EventTime::at(9, 30, 0), 77), 0);
        assert_eq!(pacer.due(EventTime(u64::MAX), 78), 0);
        assert_eq!(pacer.when(EventTime::at(9, 30, 0)), None);
        assert_eq!(pacer.tape_time(78), None);
    }

    #[test]
    fn a_change_of_speed_goes_on_from_where_the_tape_is() {
        let mut pacer = Pacer::new(speed("x1"));
        pacer.due(EventTime(0), 0);
        let now = 5_000_000_000;
        let tape = pacer.tape_time(now).expect("begun");
        pacer.set_speed(speed("x10"), tape, now);
        assert_eq!(pacer.due(EventTime(15_000_000_000), now), now + 1_000_000_000);
    }

    #[test]
    fn nothing_overflows() {
        let mut pacer = Pacer::new(speed("x0.001"));
        pacer.due(EventTime(0), u64::MAX - 5);
        assert_eq!(pacer.due(EventTime(u64::MAX), 0), u64::MAX);
    }
}
