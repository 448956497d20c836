//! Books of a recording on several threads: engines that know nothing of each other, each with its
//! share of the instruments.
//!
//! An instrument's messages all go to one engine, in their order, so its book is what one engine
//! alone would make of them. What concerns no single instrument goes to every engine.

use std::thread;
use std::time::{Duration, Instant};

use spindle_engine::{Engine, EngineConfig};
use spindle_feed::event::MarketEvent;
use spindle_replay::recording::{Batch, Messages, Recording, RecordingError};
use spindle_risk::Gate;
use spindle_types::Sequence;

/// Engines with a share of the instruments each.
pub struct Shares {
    shares: Vec<Share>,
    messages: u64,
}

struct Share {
    engine: Engine,
    number: u64,
    of: u64,
    /// Which messages of the batch are this share's.
    mine: Vec<u32>,
    undecodable: u64,
}

impl Shares {
    /// This many engines, at least one, each made with `config` and ready to run.
    pub fn new(config: &EngineConfig, count: usize) -> Self {
        let of = count.max(1) as u64;
        let share = |number| {
            let (mut engine, _tops) = Engine::new(config, Gate::new(0));
            engine.warm_up();
            Share { engine, number, of, mine: Vec::new(), undecodable: 0 }
        };
        Self { shares: (0..of).map(share).collect(), messages: 0 }
    }

    /// Applies a batch, on as many threads as there are engines; this one is the first of them.
    pub fn apply(&mut self, batch: &Batch<'_>) {
        self.messages += batch.len() as u64;
        let Some((first, others)) = self.shares.split_first_mut() else {
            return;
        };
        thread::scope(|scope| {
            for share in others {
                scope.spawn(|| share.apply(batch));
            }
            first.apply(batch);
        });
    }

    /// Applies a whole recording and gives how long that took. Only applying is timed, reading is not.
    ///
    /// # Errors
    /// A recording that cannot be read.
    pub fn build(&mut self, recording: &mut Recording) -> Result<Duration, RecordingError> {
        let mut took = Duration::ZERO;
        while let Some(batch) = recording.next_batch()? {
            let start = Instant::now();
            self.apply(&batch);
            took += start.elapsed();
        }
        Ok(took)
    }

    /// Messages that were applied, or could not be decoded.
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages that could not be decoded.
    pub fn undecodable(&self) -> u64 {
        self.shares.iter().map(|share| share.undecodable).sum()
    }

    /// The engines.
    pub fn into_engines(self) -> Vec<Engine> {
        self.shares.into_iter().map(|share| share.engine).collect()
    }
}

impl Share {
    fn apply(&mut self, batch: &Batch<'_>) {
        match batch {
            Batch::Itch(messages) if self.of == 1 => {
                self.apply_messages(messages, messages.len(), |at| at);
            }
            Batch::Itch(messages) => {
                let mut mine = std::mem::take(&mut self.mine);
                mine.resize(messages.len(), 0);
                let mut count = 0;
                // No branch: whose a message is cannot be guessed.
                for (at, message) in (0..).zip(messages.iter()) {
                    mine[count] = at;
                    count += usize::from(self.takes(message));
                }
                self.apply_messages(messages, count, |at| mine[at] as usize);
                self.mine = mine;
            }
            Batch::Events(events) => {
                for (sequence, event) in (events.first_sequence..).zip(events.events) {
                    if self.takes_event(event) {
                        self.engine.on_market(event, Sequence(sequence));
                    }
                }
            }
        }
    }

    fn apply_messages(
        &mut self,
        messages: &Messages<'_>,
        count: usize,
        index: impl Fn(usize) -> usize,
    ) {
        let Self { engine, number, undecodable, .. } = self;
        engine.on_messages(
            count,
            |at| Sequence(messages.sequence(index(at))),
            |at| messages.in_place(index(at)),
            |_, at, decoded| {
                // What goes to all is counted once.
                let counts = *number == 0 || locate(messages.at(index(at))) != 0;
                *undecodable += u64::from(decoded.is_err() && counts);
            },
        );
    }

    /// Whether an ITCH message is for this share. One about an order that names no instrument is
    /// for the first.
    #[inline]
    fn takes(&self, message: &[u8]) -> bool {
        const ABOUT_ORDERS: &[u8] = b"AFECXDU";
        let locate = locate(message);
        if locate == 0 {
            return self.number == 0
                || !message.first().is_some_and(|kind| ABOUT_ORDERS.contains(kind));
        }
        self.owns(locate)
    }

    fn takes_event(&self, event: &MarketEvent) -> bool {
        event.instrument.0 == 0 || self.owns(event.instrument.0)
    }

    /// Whether an instrument is in this share: its number, scattered, falls into it.
    #[inline]
    fn owns(&self, instrument: u16) -> bool {
        let scattered = u64::from(u32::from(instrument).wrapping_mul(0x9e37_79b1) << 3);
        (scattered * self.of) >> 32 == self.number
    }
}

/// The instrument's number in an ITCH message; 0 where the message is too short to have one.
#[inline]
fn locate(message: &[u8]) -> u16 {
    match message {
        [_, high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}
