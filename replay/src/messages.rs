//! A recording as ITCH 5.0 messages, one after the other, whatever its format is.

use spindle_types::EventTime;

use crate::publish::{Encoder, time_of};
use crate::recording::{Batch, Recording, RecordingError};

/// The messages of a recording. Events of other formats are encoded; those without effect are left out.
pub struct ItchMessages {
    recording: Recording,
    encoder: Encoder,
    /// The record of the batch that is next.
    at: usize,
    length: usize,
    time: EventTime,
    until: Option<EventTime>,
}

impl ItchMessages {
    /// The messages of a recording from its first on, up to those of the time `until`.
    pub fn new(recording: Recording, until: Option<EventTime>) -> Self {
        let encoder = Encoder::new();
        Self { recording, encoder, at: 0, length: 0, time: EventTime(0), until }
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The next message and its time, or `None` at the end. A message without a time has that of the
    /// one before it.
    ///
    /// # Errors
    /// What is broken, and at which byte. The messages before that byte have all been given.
    pub fn next_message(&mut self) -> Result<Option<(EventTime, &[u8])>, RecordingError> {
        loop {
            if self.at == self.length {
                (self.at, self.length) = (0, 0);
                if !self.recording.advance()? {
                    return Ok(None);
                }
                self.length = self.recording.batch().len();
            }
            self.at += 1;
            let (time, is_message) = match self.recording.batch() {
                Batch::Itch(messages) => (time_of(messages.at(self.at - 1)), true),
                Batch::Events(events) => match events.events.get(self.at - 1) {
                    Some(event) => (Some(event.time), self.encoder.encode(event).is_some()),
                    None => (None, false),
                },
            };
            self.time = time.unwrap_or(self.time);
            if self.until.is_some_and(|until| self.time >= until) {
                self.at = self.length;
                return Ok(None);
            }
            if is_message {
                break;
            }
        }
        let bytes = match self.recording.batch() {
            Batch::Itch(messages) => messages.at(self.at - 1),
            Batch::Events(_) => self.encoder.message(),
        };
        Ok(Some((self.time, bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{GenerateConfig, GeneratedDay, Generator};

    fn all(messages: &mut ItchMessages) -> Vec<(u64, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some((time, bytes)) = messages.next_message().expect("a message") {
            all.push((time.0, bytes.to_vec()));
        }
        all
    }

    #[test]
    fn a_recording_is_given_message_by_message_up_to_a_time() {
        let config = GenerateConfig::new(5_000, 3, 1).expect("a day");
        let mut generator = Generator::new(config);
        let mut twin = Vec::new();
        while let Some(bytes) = generator.next_message() {
            twin.push(bytes.to_vec());
        }
        let mut messages = ItchMessages::new(Recording::new(GeneratedDay::new(config)), None);
        let given = all(&mut messages);
        assert!(given.iter().map(|(_, bytes)| bytes).eq(&twin));
        assert!(given.is_sorted_by_key(|(time, _)| *time));
        let until = EventTime(given[2_000].0);
        let mut cut = ItchMessages::new(Recording::new(GeneratedDay::new(config)), Some(until));
        let wanted: Vec<_> = given.into_iter().take_while(|(time, _)| *time < until.0).collect();
        assert_eq!(all(&mut cut), wanted);
    }
}
