//! Which packet is due on which line: the sending side without sockets and clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hdrhistogram::Histogram;
use spindle_feed::moldudp64::{PAYLOAD_MAX, Session};
use spindle_types::EventTime;
use thiserror::Error;

use super::control::Control;
use super::impair::Impairments;
use super::line::{Line, LineConfig, LineCounters, View};
use super::pace::Speed;
use super::requests::{RequestCounters, RequestServer};
use super::store::Store;
use super::tape::{Reopen, Tape};
use crate::recording::{Recording, RecordingError};

/// Lines that a feed has at most.
pub const LINES_MAX: usize = 2;

/// Messages released ahead of the line that has sent most: some packets' worth.
const AHEAD: u64 = 2_048;

/// How a recording is sent.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingConfig {
    /// The stream's name: ten bytes, padded on the right with spaces.
    pub session: Session,
    /// The most bytes in a packet of a feed with one line, MoldUDP64 header included; kept between 64
    /// and 65,507.
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
    /// Messages before this time of the tape are not sent. They keep their numbers and can be asked
    /// for.
    pub from: Option<EventTime>,
    /// Nothing from this time of the tape on is sent.
    pub until: Option<EventTime>,
    /// Bytes of messages kept for lines that are held up and for requests; at least 2 MiB. Memory is
    /// taken as messages come.
    pub keep_bytes: usize,
    /// Requests a second that one asker may make.
    pub requests_per_second: u64,
}

impl Default for OutgoingConfig {
    /// Session `SPINDLE001`, packets as for Ethernet, real time, heartbeats after 1 s, five packets
    /// at the end, 200 ms apart, 2 MiB kept, 100,000 requests a second.
    fn default() -> Self {
        Self {
            session: *b"SPINDLE001",
            payload_max: PAYLOAD_MAX,
            speed: Speed::REAL,
            rate: None,
            heartbeat_ns: 1_000_000_000,
            end_packets: 5,
            end_spacing_ns: 200_000_000,
            from: None,
            until: None,
            keep_bytes: 2 << 20,
            requests_per_second: 100_000,
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
    /// The operating system refused to send.
    #[error("cannot send to {target}: {error}")]
    Socket {
        /// Where to.
        target: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The request server's socket.
    #[error("cannot take requests at {address}: {error}")]
    Requests {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
}

/// Turns a recording into packets on one or two lines, each when it is due. Pure: the time comes with
/// every call, in nanoseconds of any clock that never goes back.
///
/// Messages that are due together share a packet as far as they fit, as an exchange sends them. A
/// message without a time (shorter than 11 bytes) is due with the one before it. Each line packs the
/// same messages for itself, so packets are cut differently where their sizes or their faults
/// differ.
pub struct Outgoing {
    config: OutgoingConfig,
    session: Session,
    /// Passes through the recording so far, this one not counted.
    pass: u32,
    tape: Tape,
    store: Store,
    lines: Vec<Line>,
    requests: RequestServer,
    /// When the feed was stopped: the number after the last that is sent.
    stopped: Option<u64>,
    error_ns: Histogram<u64>,
}

impl Outgoing {
    /// A stream on one line, without faults, that begins with number 1.
    pub fn new(recording: Recording, config: OutgoingConfig) -> Self {
        let payload_max = config.payload_max;
        let line = LineConfig { payload_max, impairments: Impairments::default() };
        Self::with_lines(recording, config, &[line])
    }

    /// A stream on these lines: the first two of them, and one as [`new`](Self::new) has it where
    /// there is none.
    pub fn with_lines(recording: Recording, config: OutgoingConfig, lines: &[LineConfig]) -> Self {
        let alone =
            LineConfig { payload_max: config.payload_max, impairments: Impairments::default() };
        let chosen = if lines.is_empty() { &[alone] } else { lines };
        let lines: Vec<Line> = chosen
            .iter()
            .take(LINES_MAX)
            .enumerate()
            .map(|(number, line)| Line::new(&config, *line, number))
            .collect();
        let payload_max = lines.iter().map(Line::payload_max).min().unwrap_or(PAYLOAD_MAX);
        Self {
            session: config.session,
            pass: 0,
            tape: Tape::new(recording, &config, payload_max),
            store: Store::new(config.keep_bytes),
            requests: RequestServer::new(payload_max, config.requests_per_second),
            lines,
            config,
            stopped: None,
            error_ns: histogram(),
        }
    }

    /// Begins again, in a session of another name, whenever the recording has been sent: the name's
    /// last three characters count up. `reopen` opens the recording from its start.
    pub fn set_loop(
        &mut self,
        reopen: impl FnMut() -> Result<Recording, RecordingError> + Send + 'static,
    ) {
        let reopen: Reopen = Box::new(reopen);
        self.tape.reopen = Some(reopen);
    }

    /// Sends no message while `in_flight_max` messages or more are beyond `consumed`, the number of
    /// messages that the receiver is done with. For a receiver in the same process, whose socket
    /// buffer is then never overrun. Heartbeats go on.
    pub fn set_window(&mut self, consumed: Arc<AtomicU64>, in_flight_max: u64) {
        self.tape.window = Some((consumed, in_flight_max.max(1)));
    }

    /// Does something to the running feed.
    pub fn control(&mut self, control: Control, now: u64) {
        match control {
            Control::Pause => self.tape.pause(now),
            Control::Resume => self.tape.resume(now),
            Control::Step(messages) => self.tape.step(messages),
            Control::Speed(speed) => self.tape.set_speed(speed, now),
            Control::Stop => {
                let end = self.furthest();
                self.stopped.get_or_insert(end);
                self.tape.over = true;
            }
        }
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// The packet that is due now on a line, or `None`. The same packet comes until
    /// [`sent`](Self::sent) says that it is out.
    pub fn packet(&mut self, line: usize, now: u64) -> Option<&[u8]> {
        if !self.lines.get(line)?.has_packet() {
            self.release(now);
            let view = View {
                store: &self.store,
                pacer: &self.tape.pacer,
                timed: !self.tape.is_paused(),
                over: self.tape.over,
                first: self.tape.first,
                end: self.store.end().min(self.stopped.unwrap_or(u64::MAX)),
                progress: self.tape.progress(&self.store),
                more: self.tape.is_streaming(),
            };
            self.lines.get_mut(line)?.prepare(now, &view);
        }
        self.lines.get(line)?.front()
    }

    fn release(&mut self, now: u64) {
        if self.tape.over {
            if self.lines.iter().all(Line::is_done) && self.stopped.is_none() && self.tape.restart()
            {
                self.begin_session();
            }
            return;
        }
        let furthest = self.furthest();
        let room = AHEAD.saturating_sub(self.store.end() - furthest);
        self.tape.advance(now, &mut self.store, room);
    }

    /// The number after the last that any line has packed.
    fn furthest(&self) -> u64 {
        let furthest = self.lines.iter().map(Line::cursor).max().unwrap_or(1);
        furthest.max(self.tape.first).min(self.store.end())
    }

    fn begin_session(&mut self) {
        self.pass += 1;
        self.session = session_of_pass(self.config.session, self.pass);
        self.store.clear();
        for line in &mut self.lines {
            line.restart(self.session);
        }
    }

    /// Notes that a line's packet is out, and returns how many messages were in it.
    pub fn sent(&mut self, line: usize, now: u64) -> u16 {
        let Some(packet) = self.lines.get_mut(line).and_then(|line| line.sent(now)) else {
            return 0;
        };
        if let Some(due) = packet.due {
            self.error_ns.saturating_record(now.saturating_sub(due));
        }
        packet.messages
    }

    /// The answer to a datagram that came to the request server, or `None`.
    pub fn answer(&mut self, request: &[u8], from: SocketAddr, now: u64) -> Option<&[u8]> {
        let end = self.furthest();
        self.requests.answer(request, from, now, (self.session, &self.store, end))
    }

    /// Ends the session after what is out by now: the rest of the recording is not sent.
    pub fn stop(&mut self, now: u64) {
        self.control(Control::Stop, now);
    }

    /// Whether everything is out, the end of the session included, and no pass follows.
    pub fn is_done(&self) -> bool {
        let again =
            self.tape.reopen.is_some() && self.stopped.is_none() && self.tape.error.is_none();
        !again && self.lines.iter().all(Line::is_done)
    }

    /// Whether the recording is over and only the end of the session is still said.
    pub fn is_ending(&self) -> bool {
        self.lines.iter().all(Line::is_ending)
    }

    /// Whether the feed was asked to end before the recording did.
    pub fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Whether the tape stands still.
    pub fn is_paused(&self) -> bool {
        self.tape.is_paused()
    }

    /// How fast the tape runs.
    pub fn speed(&self) -> Speed {
        self.tape.pacer.speed()
    }

    /// The stream's name in this pass.
    pub fn session(&self) -> Session {
        self.session
    }

    /// Passes through the recording, from 1.
    pub fn pass(&self) -> u32 {
        self.pass + 1
    }

    /// The number of the next message, on the line that has sent most.
    pub fn next_sequence(&self) -> u64 {
        self.lines.iter().map(Line::cursor).max().unwrap_or(1)
    }

    /// The tape's time of the last message that was released.
    pub fn tape_time(&self) -> EventTime {
        self.tape.time
    }

    /// The recording, for its size and position.
    pub fn recording(&self) -> &Recording {
        self.tape.recording()
    }

    /// What became of a line's packets, over all passes.
    pub fn line_counters(&self, line: usize) -> LineCounters {
        self.lines.get(line).map(|line| line.counters).unwrap_or_default()
    }

    /// What became of requests.
    pub fn request_counters(&self) -> RequestCounters {
        self.requests.counters
    }

    /// How much later than due packets went out, in nanoseconds: of each packet of a paced feed, by
    /// its first message. Empty at full speed.
    pub fn pacing_error(&self) -> &Histogram<u64> {
        &self.error_ns
    }

    /// Why the recording was not sent to its end, once.
    pub fn take_error(&mut self) -> Option<PublishError> {
        self.tape.error.take()
    }

    /// Nanoseconds until a packet may be due, after [`packet`](Self::packet) gave none on every line:
    /// never more than until the next heartbeat. A window can open and a request or a control come
    /// at any time; those are not looked at.
    pub fn wait(&self, now: u64) -> u64 {
        if self.is_done() {
            return 0;
        }
        let line = self.lines.iter().map(|line| line.next_event(now)).min().unwrap_or(now);
        let tape = match self.tape.is_paused() {
            _ if self.tape.over => u64::MAX,
            true if self.tape.is_stepping() => now,
            true => u64::MAX,
            false => self.tape.due.max(self.tape.limited_until()),
        };
        line.min(tape).saturating_sub(now)
    }
}

/// From a nanosecond to a minute, three digits.
fn histogram() -> Histogram<u64> {
    // These bounds are within what the type allows.
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("valid bounds")
}

/// The name of a later pass: the last three characters count it.
fn session_of_pass(base: Session, pass: u32) -> Session {
    let mut session = base;
    let number = 1 + (last_digits(base) + pass - 1) % 999;
    let digits = [number / 100, number / 10 % 10, number % 10];
    for (place, digit) in session[7..].iter_mut().zip(digits) {
        *place = b"0123456789"[digit as usize % 10];
    }
    session
}

fn last_digits(session: Session) -> u32 {
    let last = &session[7..];
    if !last.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    last.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_later_passes_count_up() {
        assert_eq!(&session_of_pass(*b"SPINDLE001", 1), b"SPINDLE002");
        assert_eq!(&session_of_pass(*b"SPINDLE001", 2), b"SPINDLE003");
        assert_eq!(&session_of_pass(*b"SPINDLE999", 1), b"SPINDLE001");
        assert_eq!(&session_of_pass(*b"DAY       ", 1), b"DAY    001");
        assert_eq!(&session_of_pass(*b"000010059B", 1), b"0000100001");
    }
}
