//! What a venue takes from the machine that it runs on: clocks, ports, disk and lines. A simulation gives its own, and
//! all of the venue runs on them as it does on a machine.

use quanta::Clock as Ticks;
use spindle_gateway::{Clock, SystemClock};
use spindle_journal::disk::Disk;

use crate::feed::Lines;

/// Entries of the rings between the parts of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rings {
    /// Commands that wait between gateway and engine at most. When they do, the gateway stops reading.
    pub commands: usize,
    /// Events that wait between engine and gateway at most. When they do, the engine takes no input.
    pub events: usize,
    /// Bytes of the engine's ring to the journal.
    pub engine_journal_bytes: usize,
    /// Bytes of the gateway's.
    pub gateway_journal_bytes: usize,
}

impl Default for Rings {
    fn default() -> Self {
        Self {
            commands: 4_096,
            events: 16_384,
            // 120,000 requests or 40,000 messages of the market; in a longer one its memory is never at hand.
            engine_journal_bytes: 2 << 20,
            gateway_journal_bytes: 8 << 20,
        }
    }
}

/// A machine.
pub struct Machine {
    /// Its clocks.
    pub clock: SystemClock,
    /// How long the rings are.
    pub rings: Rings,
    /// What is simulated, where something is.
    pub simulated: Option<Simulated>,
}

/// What stands in the place of ports, disk and lines. The gateway listens nowhere: its connections are handed to it.
pub struct Simulated {
    /// Where the journal lies, if the configuration asks for one. Nobody else has it.
    pub disk: Option<Box<dyn Disk>>,
    /// What carries the feed, if the configuration asks for one.
    pub lines: Option<Box<dyn Lines>>,
    /// Turns that the engine waits for a full ring in the middle of a packet.
    pub waits: u32,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        Self { clock: SystemClock::new(), rings: Rings::default(), simulated: None }
    }

    /// The clock for intervals.
    pub fn ticks(&self) -> Ticks {
        self.clock.intervals()
    }

    /// Ticks, and the time of day at them.
    pub(crate) fn time_of_day(&self) -> (u64, spindle_types::EventTime) {
        let ticks = self.ticks().raw();
        (ticks, self.clock.time_of_day())
    }
}
