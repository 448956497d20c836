//! The recording as it runs: which messages have come by now.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle_types::EventTime;

use super::encode::Encoder;
use super::limit::RateLimit;
use super::outgoing::{OutgoingConfig, PublishError};
use super::pace::{Pacer, Speed};
use super::store::Store;
use crate::recording::{Batch, Recording, RecordingError};

/// Opens the recording again from its start.
pub(crate) type Reopen = Box<dyn FnMut() -> Result<Recording, RecordingError> + Send>;

/// Messages passed over in one go on the way to the first that is sent.
const SKIP: u32 = 16_384;

/// Releases messages into the store when their time has come.
pub(crate) struct Tape {
    recording: Recording,
    pub(crate) reopen: Option<Reopen>,
    encoder: Encoder,
    /// The record of the batch that is next.
    at: usize,
    /// Records of the batch.
    length: usize,
    pub(crate) pacer: Pacer,
    limit: Option<RateLimit>,
    pub(crate) window: Option<(Arc<AtomicU64>, u64)>,
    from: Option<EventTime>,
    until: Option<EventTime>,
    message_max: usize,
    payload_max: usize,
    /// While paused: the tape's time when that began, where it had begun to run.
    paused: Option<Option<EventTime>>,
    /// Messages that may still come while paused.
    steps: u64,
    /// Time of the last message that came.
    pub(crate) time: EventTime,
    /// When the next message comes.
    pub(crate) due: u64,
    /// The first number that is sent; those below are only kept.
    pub(crate) first: u64,
    pub(crate) over: bool,
    pub(crate) error: Option<PublishError>,
}

impl Tape {
    pub(crate) fn new(recording: Recording, config: &OutgoingConfig, payload_max: usize) -> Self {
        Self {
            recording,
            reopen: None,
            encoder: Encoder::new(),
            at: 0,
            length: 0,
            pacer: Pacer::new(config.speed),
            limit: config.rate.map(RateLimit::new),
            window: None,
            from: config.from,
            until: config.until,
            message_max: payload_max.saturating_sub(22),
            payload_max,
            paused: None,
            steps: 0,
            time: EventTime(0),
            due: 0,
            first: 1,
            over: false,
            error: None,
        }
    }

    pub(crate) fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Puts the messages that have come by now into the store, at most `room` of them.
    pub(crate) fn advance(&mut self, now: u64, store: &mut Store, room: u64) {
        let running = self.paused.is_none();
        let allowed = if running { self.allowance(now, store) } else { self.steps };
        let (mut left, mut skips) = (allowed.min(room), SKIP);
        let before = left;
        while left > 0 && skips > 0 && !self.over {
            if self.at == self.length && !self.next_batch() {
                break;
            }
            let time = self.next_time();
            if self.from.is_some_and(|from| time < from) {
                self.take(store);
                self.first = store.end();
                skips -= 1;
                continue;
            }
            if self.until.is_some_and(|until| time >= until) {
                self.over = true;
                break;
            }
            if running {
                self.due = self.pacer.due(time, now);
                if self.due > now {
                    break;
                }
            }
            self.time = time;
            if self.take(store) {
                left -= 1;
            }
        }
        if running {
            if let Some(limit) = &mut self.limit {
                limit.spend(before - left);
            }
        } else {
            self.steps -= before - left;
        }
    }

    /// Messages that the limits let through now.
    fn allowance(&mut self, now: u64, store: &Store) -> u64 {
        let released = store.end() - 1;
        let window = self.window.as_ref().map_or(u64::MAX, |(consumed, most)| {
            // Pairs with the receiver's store, of which nothing but the number is needed.
            let consumed = consumed.load(Ordering::Relaxed).max(self.first - 1);
            (consumed + most).saturating_sub(released)
        });
        self.limit.as_mut().map_or(window, |limit| limit.allowance(now).min(window))
    }

    /// The time of the next record. One without a time comes with the record before it.
    fn next_time(&self) -> EventTime {
        match self.recording.batch() {
            Batch::Itch(messages) => time_of(messages.at(self.at)).unwrap_or(self.time),
            Batch::Events(events) => events.events.get(self.at).map_or(self.time, |e| e.time),
        }
    }

    /// Puts the next record into the store; false where it is no message.
    fn take(&mut self, store: &mut Store) -> bool {
        let message = match self.recording.batch() {
            Batch::Itch(messages) => Some(messages.at(self.at)),
            Batch::Events(events) => {
                events.events.get(self.at).and_then(|event| self.encoder.encode(event))
            }
        };
        self.at += 1;
        let Some(message) = message else { return false };
        if message.len() > self.message_max {
            let error = PublishError::TooLong {
                sequence: store.end(),
                length: message.len(),
                payload_max: self.payload_max,
            };
            self.fail(error);
            return false;
        }
        store.push(message);
        true
    }

    fn next_batch(&mut self) -> bool {
        (self.at, self.length) = (0, 0);
        match self.recording.advance() {
            Ok(true) => self.length = self.recording.batch().len(),
            Ok(false) => self.over = true,
            Err(error) => self.fail(error.into()),
        }
        !self.over
    }

    fn fail(&mut self, error: PublishError) {
        self.error.get_or_insert(error);
        self.over = true;
    }

    /// Opens the recording again for another pass, where that was asked for and nothing failed.
    pub(crate) fn restart(&mut self) -> bool {
        let Some(reopen) = &mut self.reopen else { return false };
        if self.error.is_some() {
            return false;
        }
        match reopen() {
            Ok(recording) => self.recording = recording,
            Err(error) => {
                self.error = Some(error.into());
                return false;
            }
        }
        (self.at, self.length, self.first, self.over) = (0, 0, 1, false);
        self.pacer = Pacer::new(self.pacer.speed());
        self.encoder = Encoder::new();
        self.time = EventTime(0);
        true
    }

    /// Whether nothing but a rate holds messages back: no times, no pause, no receiver's window.
    pub(crate) fn is_streaming(&self) -> bool {
        let timed = self.pacer.speed() != Speed::Max;
        !timed && !self.over && self.paused.is_none() && self.window.is_none()
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    pub(crate) fn pause(&mut self, now: u64) {
        if self.paused.is_none() {
            self.paused = Some(self.pacer.tape_time(now));
        }
    }

    /// Goes on from the tape's time of the pause, or from what was stepped to since.
    pub(crate) fn resume(&mut self, now: u64) {
        let Some(at) = self.paused.take() else { return };
        self.steps = 0;
        if let Some(at) = at {
            self.pacer.set_speed(self.pacer.speed(), at.max(self.time), now);
        }
    }

    /// Lets so many messages come while paused.
    pub(crate) fn step(&mut self, messages: u64) {
        if self.paused.is_some() {
            self.steps = self.steps.saturating_add(messages);
        }
    }

    /// Whether messages may come though the tape is paused.
    pub(crate) fn is_stepping(&self) -> bool {
        self.steps > 0
    }

    pub(crate) fn set_speed(&mut self, speed: Speed, now: u64) {
        let running = self.pacer.tape_time(now).or((self.time.0 > 0).then_some(self.time));
        let at = self.paused.unwrap_or(running);
        match at {
            Some(at) => self.pacer.set_speed(speed, at.max(self.time), now),
            None => self.pacer = Pacer::new(speed),
        }
    }

    /// When a limit lets the next message through.
    pub(crate) fn limited_until(&self) -> u64 {
        self.limit.as_ref().map_or(0, RateLimit::ready_at)
    }

    /// How far through the recording the store's end is, in millionths; 0 where that is not known.
    pub(crate) fn progress(&self, store: &Store) -> u32 {
        let (done, all) = match (self.recording.messages(), self.recording.size()) {
            (Some(all), _) => (store.end() - 1, all),
            (None, Some(size)) => (self.recording.position(), size),
            (None, None) => (0, 0),
        };
        let millionths = u128::from(done) * 1_000_000 / u128::from(all.max(1));
        u32::try_from(millionths.min(1_000_000)).unwrap_or(1_000_000)
    }
}

/// The time inside an ITCH message: six bytes after type, locate and tracking number.
pub(crate) fn time_of(message: &[u8]) -> Option<EventTime> {
    let bytes: &[u8; 6] = message.get(5..11)?.first_chunk()?;
    let [a, b, c, d, e, f] = *bytes;
    Some(EventTime(u64::from_be_bytes([0, 0, a, b, c, d, e, f])))
}
