//! Which packet is due: the sending side without socket and clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle_feed::moldudp64::{END_OF_SESSION, PAYLOAD_MAX, PacketBuilder, Session, header};
use spindle_types::EventTime;
use thiserror::Error;
use zerocopy::IntoBytes;

use super::limit::RateLimit;
use super::pace::{Pacer, Speed};
use crate::recording::{Batch, Recording, RecordingError};

/// How a recording is sent.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingConfig {
    /// The stream's name: ten bytes, padded on the right with spaces.
    pub session: Session,
    /// The most bytes in a packet, MoldUDP64 header included; kept between 64 and 65,507.
    pub payload_max: usize,
    /// How fast the tape runs.
    pub speed: Speed,
    /// The most messages a second, whatever the speed; `None` for no limit.
    pub rate: Option<u64>,
    /// Nanoseconds of silence after which a heartbeat is sent.
    pub heartbeat_ns: u64,
    /// How often the end of the session is said.
    pub end_packets: u32,
    /// Nanoseconds between one such packet and the next.
    pub end_spacing_ns: u64,
}

impl Default for OutgoingConfig {
    /// Session `SPINDLE001`, packets as for Ethernet, real time, heartbeats after 1 s, five packets
    /// at the end, 200 ms apart.
    fn default() -> Self {
        Self {
            session: *b"SPINDLE001",
            payload_max: PAYLOAD_MAX,
            speed: Speed::REAL,
            rate: None,
            heartbeat_ns: 1_000_000_000,
            end_packets: 5,
            end_spacing_ns: 200_000_000,
        }
    }
}

/// Why sending a recording stopped before its end.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The recording is broken. What came before has been sent, and the session ended.
    #[error("{0}")]
    Recording(#[from] RecordingError),
    /// A message that no packet of this size can carry.
    #[error(
        "message {sequence} has {length} bytes; with its header it does not fit a packet of \
         {payload_max}"
    )]
    TooLong {
        /// Its number.
        sequence: u64,
        /// Its bytes.
        length: usize,
        /// The most bytes in a packet.
        payload_max: usize,
    },
    /// The recording holds no ITCH messages.
    #[error("the recording holds no ITCH 5.0 messages; only those can be sent")]
    NotItch,
    /// The operating system refused to send.
    #[error("cannot send to {target}: {error}")]
    Socket {
        /// Where to.
        target: std::net::SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
}

/// What is going to be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// The builder's packet, which has messages.
    Data,
    /// The builder's packet, which is empty.
    Heartbeat,
    EndOfSession,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Streaming,
    /// The recording is over; so many packets that say so are left, the next at this time.
    Ending {
        left: u32,
        at: u64,
    },
    Done,
}

/// Turns a recording into packets, each when it is due. Pure: the time comes with every call, in
/// nanoseconds of any clock that never goes back.
///
/// Messages that are due together share a packet as far as they fit, as an exchange sends them. A
/// message without a time (shorter than 11 bytes) is due with the one before it.
pub struct Outgoing {
    config: OutgoingConfig,
    recording: Recording,
    /// The message of the batch that is next.
    at: usize,
    /// Messages of the batch.
    batch_length: usize,
    pacer: Pacer,
    limit: Option<RateLimit>,
    window: Option<(Arc<AtomicU64>, u64)>,
    builder: PacketBuilder,
    end_packet: Vec<u8>,
    pending: Pending,
    state: State,
    /// When the last packet was sent; of a stream that has sent none, when it was first asked.
    last: Option<u64>,
    tape_time: EventTime,
    due: u64,
    error: Option<PublishError>,
}

impl Outgoing {
    /// A stream that begins with number 1.
    pub fn new(recording: Recording, config: OutgoingConfig) -> Self {
        Self {
            config,
            recording,
            at: 0,
            batch_length: 0,
            pacer: Pacer::new(config.speed),
            limit: config.rate.map(RateLimit::new),
            window: None,
            builder: PacketBuilder::new(config.session, 1, config.payload_max),
            end_packet: Vec::new(),
            pending: Pending::Nothing,
            state: State::Streaming,
            last: None,
            tape_time: EventTime(0),
            due: 0,
            error: None,
        }
    }

    /// Sends no message while `in_flight_max` messages or more are beyond `consumed`, the number of
    /// messages that the receiver is done with. For a receiver in the same process, whose socket
    /// buffer is then never overrun. Heartbeats go on.
    pub fn set_window(&mut self, consumed: Arc<AtomicU64>, in_flight_max: u64) {
        self.window = Some((consumed, in_flight_max.max(1)));
    }

    /// The packet that is due now, or `None`. The same packet comes until [`sent`](Self::sent) says
    /// that it is out.
    pub fn packet(&mut self, now: u64) -> Option<&[u8]> {
        self.last.get_or_insert(now);
        if self.pending == Pending::Nothing {
            self.prepare(now);
        }
        match self.pending {
            Pending::Nothing => None,
            Pending::Data | Pending::Heartbeat => Some(self.builder.packet()),
            Pending::EndOfSession => Some(&self.end_packet),
        }
    }

    /// Notes that the packet is out, and returns how many messages were in it.
    pub fn sent(&mut self, now: u64) -> u16 {
        let count = if self.pending == Pending::Data { self.builder.count() } else { 0 };
        match self.pending {
            Pending::Data => self.builder.next_packet(),
            Pending::EndOfSession => {
                if let State::Ending { left, .. } = &mut self.state {
                    *left -= 1;
                    self.state = match *left {
                        0 => State::Done,
                        left => State::Ending { left, at: now + self.config.end_spacing_ns },
                    };
                }
            }
            Pending::Nothing | Pending::Heartbeat => {}
        }
        self.pending = Pending::Nothing;
        self.last = Some(now);
        count
    }

    /// Ends the session after what is out by now: the rest of the recording is not sent.
    pub fn stop(&mut self, now: u64) {
        if self.state == State::Streaming {
            self.end(now);
        }
    }

    /// Whether everything is out, the end of the session included.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the recording is over and only the end of the session is still said.
    pub fn is_ending(&self) -> bool {
        self.state != State::Streaming
    }

    /// The number of the next message.
    pub fn next_sequence(&self) -> u64 {
        self.builder.sequence()
    }

    /// The tape's time of the last message taken into a packet.
    pub fn tape_time(&self) -> EventTime {
        self.tape_time
    }

    /// The recording, for its size and position.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Why the recording was not sent to its end, once.
    pub fn take_error(&mut self) -> Option<PublishError> {
        self.error.take()
    }

    /// Nanoseconds until a packet may be due, after [`packet`](Self::packet) gave none: never more
    /// than until the next heartbeat. A window can open at any time, and is not looked at.
    pub fn wait(&self, now: u64) -> u64 {
        let silence = self.last.unwrap_or(now).saturating_add(self.config.heartbeat_ns);
        let event = match self.state {
            State::Streaming => {
                let limited = self.limit.as_ref().map_or(0, RateLimit::ready_at);
                self.due.max(limited)
            }
            State::Ending { at, .. } => at,
            State::Done => return 0,
        };
        event.min(silence).saturating_sub(now)
    }

    fn prepare(&mut self, now: u64) {
        if self.state == State::Streaming {
            self.fill(now);
            if self.builder.count() > 0 {
                self.pending = Pending::Data;
                return;
            }
        }
        match self.state {
            State::Ending { at, .. } if now >= at => self.pending = Pending::EndOfSession,
            State::Done => {}
            _ if now.saturating_sub(self.last.unwrap_or(now)) >= self.config.heartbeat_ns => {
                self.pending = Pending::Heartbeat;
            }
            _ => {}
        }
    }

    /// Takes the messages that are due into the packet, as many as fit.
    fn fill(&mut self, now: u64) {
        let mut allowed = self.allowance(now);
        let before = self.builder.count();
        while allowed > 0 {
            if self.at == self.batch_length && !self.next_batch(now) {
                break;
            }
            let Batch::Itch(messages) = self.recording.batch() else { break };
            let message = messages.at(self.at);
            let time = time_of(message).unwrap_or(self.tape_time);
            self.due = self.pacer.due(time, now);
            if self.due > now {
                break;
            }
            if !self.builder.push(message) {
                if self.builder.count() == 0 {
                    let (sequence, length) = (messages.sequence(self.at), message.len());
                    let payload_max = self.config.payload_max;
                    self.fail(PublishError::TooLong { sequence, length, payload_max }, now);
                }
                break;
            }
            self.tape_time = time;
            self.at += 1;
            allowed -= 1;
        }
        if let Some(limit) = &mut self.limit {
            limit.spend(u64::from(self.builder.count() - before));
        }
    }

    /// Messages that the limits let through now.
    fn allowance(&mut self, now: u64) -> u64 {
        let window = self.window.as_ref().map_or(u64::MAX, |(consumed, most)| {
            // Pairs with the receiver's store, of which nothing but the number is needed.
            let consumed = consumed.load(Ordering::Relaxed);
            (consumed + most).saturating_sub(self.builder.sequence() - 1)
        });
        self.limit.as_mut().map_or(u64::MAX, |limit| limit.allowance(now)).min(window)
    }

    fn next_batch(&mut self, now: u64) -> bool {
        self.at = 0;
        self.batch_length = 0;
        match self.recording.advance() {
            Ok(true) => match self.recording.batch() {
                Batch::Itch(messages) => {
                    self.batch_length = messages.len();
                    return true;
                }
                Batch::Events(_) => self.fail(PublishError::NotItch, now),
            },
            Ok(false) => self.end(now),
            Err(error) => self.fail(error.into(), now),
        }
        false
    }

    fn fail(&mut self, error: PublishError, now: u64) {
        self.error.get_or_insert(error);
        self.end(now);
    }

    fn end(&mut self, now: u64) {
        let next = self.builder.sequence() + u64::from(self.builder.count());
        self.end_packet = header(self.config.session, next, END_OF_SESSION).as_bytes().to_vec();
        self.state = match self.config.end_packets {
            0 => State::Done,
            left => State::Ending { left, at: now },
        };
    }
}

/// The time inside an ITCH message: six bytes after type, locate and tracking number.
pub(crate) fn time_of(message: &[u8]) -> Option<EventTime> {
    let bytes: &[u8; 6] = message.get(5..11)?.first_chunk()?;
    let [a, b, c, d, e, f] = *bytes;
    Some(EventTime(u64::from_be_bytes([0, 0, a, b, c, d, e, f])))
}
