//! The order of the day: which message is due, and when.

use spindle_types::EventTime;

use super::config::GenerateConfig;
use super::plan::{self, KINDS, Kind, OPEN_GAP, Period, Segment};
use super::tables;
use crate::random::Random;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A system event with this code.
    System(u8),
    /// The directory entry of an instrument.
    Directory(u16),
    /// Its trading state.
    Trading(u16),
    /// Its short-sale price test.
    PriceTest(u16),
    /// A message of the market: see [`Script::choose`].
    Market,
}

/// A part of the day.
enum Part {
    /// One system event at a fixed time.
    System(u8, EventTime),
    /// One message for each instrument, evenly from a time on for a minute.
    Spin(fn(u16) -> Step, EventTime),
    /// A stretch of the market.
    Market(Segment),
}

pub(crate) struct Script {
    parts: std::vec::IntoIter<Part>,
    current: Option<Part>,
    /// Messages left in the current part.
    left: u64,
    symbols: u16,
    crosses: usize,
}

impl Script {
    pub(crate) fn new(config: &GenerateConfig) -> Self {
        let mut parts = vec![
            Part::System(b'O', EventTime::at(3, 4, 32)),
            Part::Spin(Step::Directory, EventTime::at(3, 5, 0)),
            Part::Spin(Step::Trading, EventTime::at(3, 7, 0)),
            Part::Spin(Step::PriceTest, EventTime::at(3, 9, 0)),
            Part::System(b'S', EventTime::at(4, 0, 0)),
        ];
        for segment in plan::segments(config) {
            match segment.period {
                Period::OpenHead => parts.push(Part::System(b'Q', EventTime::at(9, 30, 0))),
                Period::Close => parts.push(Part::System(b'M', EventTime::at(16, 0, 0))),
                Period::Over => parts.push(Part::System(b'E', EventTime::at(20, 0, 0))),
                _ => {}
            }
            parts.push(Part::Market(segment));
        }
        parts.push(Part::System(b'C', EventTime::at(20, 5, 0)));
        let symbols = config.symbols();
        Self { parts: parts.into_iter(), current: None, left: 0, symbols, crosses: 0 }
    }

    /// The next step, with the clock set to its time; or `None` when the day is over. `at_once` asks
    /// for the time of the step before, where the stretch is the same.
    pub(crate) fn next(
        &mut self,
        random: &mut Random,
        clock: &mut u64,
        at_once: bool,
    ) -> Option<Step> {
        while self.left == 0 {
            self.current = Some(self.parts.next()?);
            self.crosses = 0;
            self.left = match self.current.as_ref()? {
                Part::System(..) => 1,
                Part::Spin(..) => u64::from(self.symbols),
                Part::Market(segment) => segment.messages(),
            };
            if let Some(Part::Market(segment)) = &self.current {
                *clock = segment.start.max(*clock);
            }
        }
        let step = match self.current.as_ref()? {
            Part::System(code, time) => {
                *clock = time.0;
                Step::System(*code)
            }
            Part::Spin(step, from) => {
                let done = u64::from(self.symbols) - self.left;
                *clock = from.0 + done * 60 * EventTime::SECOND / u64::from(self.symbols);
                step(u16::try_from(done).unwrap_or(0))
            }
            Part::Market(segment) => {
                if !at_once {
                    *clock += gap(random, segment.end.saturating_sub(*clock), self.left);
                }
                Step::Market
            }
        };
        self.left -= 1;
        Some(step)
    }

    /// The part of the market's day, where the day has begun.
    pub(crate) fn period(&self) -> Option<Period> {
        self.segment().map(|segment| segment.period)
    }

    /// Draws the kind of the next message from what is left of the stretch, and uses it up.
    pub(crate) fn choose(&mut self, random: &mut Random) -> Kind {
        let Some(segment) = self.segment() else { return Kind::Add };
        let mut at = random.below(segment.messages().max(1));
        for kind in KINDS {
            let count = segment.counts[kind as usize];
            if at < count {
                self.used(kind);
                return kind;
            }
            at -= count;
        }
        Kind::Add
    }

    /// Messages of a kind that are left in the stretch.
    pub(crate) fn remaining(&self, kind: Kind) -> u64 {
        self.segment().map_or(0, |segment| segment.counts[kind as usize])
    }

    /// Uses up one message of a kind.
    pub(crate) fn used(&mut self, kind: Kind) {
        if let Some(Part::Market(segment)) = &mut self.current {
            let count = &mut segment.counts[kind as usize];
            *count = count.saturating_sub(1);
        }
    }

    /// Gives one message of a kind back.
    pub(crate) fn unused(&mut self, kind: Kind) {
        if let Some(Part::Market(segment)) = &mut self.current {
            segment.counts[kind as usize] += 1;
        }
    }

    /// Which instrument of the ranking crosses next.
    pub(crate) fn next_cross(&mut self) -> usize {
        let at = self.crosses.min(usize::from(self.symbols) - 1);
        self.crosses += 1;
        at
    }

    fn segment(&self) -> Option<&Segment> {
        match &self.current {
            Some(Part::Market(segment)) => Some(segment),
            _ => None,
        }
    }
}

/// The time to the next message when `left` messages share `time`. Messages come in clusters: seven
/// of eight follow at the pace of the open, the eighth after a long silence, so that lives can be
/// short even where messages are few. Where there is no room for clusters, evenly spread chance.
fn gap(random: &mut Random, time: u64, left: u64) -> u64 {
    let mean = time / left.max(1);
    let gap = if mean < 8 * OPEN_GAP {
        tables::gap(random, mean)
    } else if random.chance(896) {
        tables::gap(random, OPEN_GAP)
    } else {
        tables::gap(random, 8 * mean)
    };
    // The last message of a stretch stays inside it.
    gap.min(time.saturating_sub(1))
}
