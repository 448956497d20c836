//! The stream of a venue's own feed: its messages under their numbers, made of what the engine notes. A venue that comes back
//! makes the same ones again from the same inputs, so the stream goes on where it was.

use spindle_engine::publication::Seen;
use spindle_feed::event::Phase;
use spindle_replay::publish::{Live, OutgoingConfig};
use spindle_types::{EventTime, keep};

use super::tape::BookTape;
use crate::config::PublishConfig;

/// Between two packets that say that the session is over, in nanoseconds.
const END_SPACING_NS: u64 = 50_000_000;

/// Makes the messages and keeps them.
#[derive(keep::State)]
pub struct BookStream {
    tape: BookTape,
    pub(super) live: Live,
    /// Whether the phases of the day are the venue's own: there is no outside market.
    #[keep(skip)]
    tells_phases: bool,
}

impl BookStream {
    /// The stream of a day that begins at this time. `slots` is that of the engine's books; `first` is what the engine has
    /// noted so far.
    pub fn new(
        config: &PublishConfig,
        slots: usize,
        beside_a_feed: bool,
        time: EventTime,
        first: &[Seen],
    ) -> Self {
        let outgoing = OutgoingConfig {
            session: config.session,
            keep_bytes: config.keep_bytes,
            end_spacing_ns: END_SPACING_NS,
            ..OutgoingConfig::default()
        };
        let mut stream = Self {
            tape: BookTape::new(slots),
            live: Live::new(&outgoing, config.to.len()),
            tells_phases: !beside_a_feed,
        };
        stream.phases(time, &[Phase::StartOfMessages]);
        for seen in first {
            stream.take(&Seen { time, ..*seen });
        }
        stream.phases(time, &[Phase::StartOfSystemHours, Phase::StartOfMarketHours]);
        stream
    }

    fn phases(&mut self, time: EventTime, phases: &[Phase]) {
        let Self { tape, live, tells_phases } = self;
        for &phase in phases.iter().filter(|_| *tells_phases) {
            tape.phase(time, phase, &mut |message| live.push(message));
        }
    }

    /// Takes a note. Its message may wait for the next one: see [`BookStream::flush`].
    pub fn take(&mut self, seen: &Seen) {
        let Self { tape, live, .. } = self;
        tape.take(seen, &mut |message| live.push(message));
    }

    /// Makes the message that waits for a note: no more come of this input.
    pub fn flush(&mut self) {
        let Self { tape, live, .. } = self;
        tape.flush(&mut |message| live.push(message));
    }

    /// Ends the day, and the session of the stream with it.
    pub fn end(&mut self, time: EventTime) {
        self.flush();
        self.phases(
            time,
            &[Phase::EndOfMarketHours, Phase::EndOfSystemHours, Phase::EndOfMessages],
        );
        self.live.hold_from(u64::MAX);
        self.live.end();
    }

    /// The number of the next message.
    pub fn next_sequence(&self) -> u64 {
        self.live.next_sequence()
    }

    /// The lowest number whose message is still kept.
    pub fn first_kept(&self) -> u64 {
        self.live.first_kept()
    }

    /// Time of the last note.
    pub const fn time(&self) -> EventTime {
        self.tape.time()
    }
}
