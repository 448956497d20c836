//! The agent that publishes the books: it takes the engine's notes from their ring, makes messages of them and
//! sends them. It runs on any thread but the engine's.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

use rtrb::Consumer;
use spindle_engine::publication::Seen;
use spindle_feed::event::Phase;
use spindle_gateway::{Clock, SystemClock};
use spindle_replay::publish::{Live, OutgoingConfig, Target, open_socket};
use spindle_types::{Agent, EventTime};
use thiserror::Error;

use super::tape::BookTape;
use crate::config::PublishConfig;
use crate::status::RingLevel;

/// Notes taken in one turn at most.
const NOTES_PER_TURN: usize = 256;

/// Packets sent in one turn at most, on each line.
const PACKETS_PER_TURN: usize = 16;

/// Requests answered in one turn at most. Looking for one is a system call, so it is not done in every
/// turn.
const REQUESTS_PER_TURN: usize = 16;

/// Between two looks for requests, in nanoseconds.
const REQUEST_INTERVAL_NS: u64 = 100_000;

/// Linux: no room for the packet in a queue of the device.
const ENOBUFS: i32 = 105;

/// Why the books cannot be published.
#[derive(Debug, Error)]
pub enum PublicationError {
    /// The socket of a line.
    #[error("[publish] to: cannot send to {address}: {error}")]
    Line {
        /// Where to.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The socket for requests.
    #[error(
        "[publish] requests: cannot listen on {address}: {error}; give another address or port"
    )]
    Requests {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
}

/// What has been published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicationCounters {
    /// Messages, from number 1.
    pub messages: u64,
    /// Packets of the first line.
    pub packets: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests whose messages were no longer kept.
    pub forgotten: u64,
    /// The lowest number that can still be asked for.
    pub first_kept: u64,
}

/// Publishes the books of one engine.
pub struct BookPublisher {
    notes: Consumer<Seen>,
    level: RingLevel,
    tape: BookTape,
    live: Live,
    lines: Vec<(UdpSocket, SocketAddr)>,
    requests: Option<UdpSocket>,
    request_address: Option<SocketAddr>,
    clock: SystemClock,
    requests_at: u64,
    /// Whether the phases of the day are the publisher's own: there is no outside market.
    tells_phases: bool,
    is_ended: bool,
}

impl BookPublisher {
    /// Opens the sockets and begins the day. `slots` is that of the engine's books; `first` is what the
    /// engine has noted so far.
    ///
    /// # Errors
    /// A socket that cannot be opened.
    pub fn open(
        config: &PublishConfig,
        notes: Consumer<Seen>,
        slots: usize,
        first: &[Seen],
        beside_a_feed: bool,
    ) -> Result<Self, PublicationError> {
        let mut lines = Vec::new();
        for &address in &config.to {
            let target = Target { address, interface: config.interface };
            let socket =
                open_socket(target).map_err(|error| PublicationError::Line { address, error })?;
            lines.push((socket, address));
        }
        let open = |address| {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            let bound = socket.local_addr()?;
            Ok((socket, bound))
        };
        let requests = config.requests.map(|address| {
            open(address).map_err(|error| PublicationError::Requests { address, error })
        });
        let requests = requests.transpose()?;
        let outgoing = OutgoingConfig {
            session: config.session,
            keep_bytes: config.keep_bytes,
            end_spacing_ns: END_SPACING_NS,
            ..OutgoingConfig::default()
        };
        let request_address = requests.as_ref().map(|(_, address)| *address);
        let mut publisher = Self {
            level: RingLevel::new("engine to publisher", notes.buffer().capacity()),
            notes,
            tape: BookTape::new(slots),
            live: Live::new(&outgoing, lines.len()),
            lines,
            requests: requests.map(|(socket, _)| socket),
            request_address,
            clock: SystemClock::new(),
            requests_at: 0,
            tells_phases: !beside_a_feed,
            is_ended: false,
        };
        publisher.begin(first);
        Ok(publisher)
    }

    fn begin(&mut self, first: &[Seen]) {
        let time = self.clock.time_of_day();
        let Self { tape, live, .. } = self;
        let mut out = |message: &[u8]| live.push(message);
        if self.tells_phases {
            tape.phase(time, Phase::StartOfMessages, &mut out);
        }
        for seen in first {
            tape.take(&Seen { time, ..*seen }, &mut out);
        }
        if self.tells_phases {
            tape.phase(time, Phase::StartOfSystemHours, &mut out);
            tape.phase(time, Phase::StartOfMarketHours, &mut out);
        }
    }

    /// How many notes wait in its ring, as it sees them at the beginning of a turn.
    pub fn level(&self) -> RingLevel {
        self.level.clone()
    }

    /// Where requests are answered, if they are: port 0 resolved.
    pub const fn request_address(&self) -> Option<SocketAddr> {
        self.request_address
    }

    /// Where the lines go to.
    pub fn targets(&self) -> Vec<SocketAddr> {
        self.lines.iter().map(|(_, address)| *address).collect()
    }

    /// Ends the day after all that the engine has noted: to be called when it notes no more.
    pub fn end(&mut self) {
        if self.is_ended {
            return;
        }
        self.is_ended = true;
        while self.take_notes() > 0 {}
        let time = self.clock.time_of_day();
        let Self { tape, live, .. } = self;
        let mut out = |message: &[u8]| live.push(message);
        if self.tells_phases {
            for phase in [Phase::EndOfMarketHours, Phase::EndOfSystemHours, Phase::EndOfMessages] {
                tape.phase(time, phase, &mut out);
            }
        }
        live.end();
    }

    /// What has been published.
    pub fn counters(&self) -> PublicationCounters {
        let requests = self.live.request_counters();
        PublicationCounters {
            messages: self.live.next_sequence() - 1,
            packets: self.live.line_counters(0).packets,
            answered: requests.answered,
            forgotten: requests.forgotten,
            first_kept: self.live.first_kept(),
        }
    }

    /// Time of the last note.
    pub const fn time(&self) -> EventTime {
        self.tape.time()
    }

    fn take_notes(&mut self) -> usize {
        let Self { notes, tape, live, .. } = self;
        let mut out = |message: &[u8]| live.push(message);
        let mut taken = 0;
        while taken < NOTES_PER_TURN
            && let Ok(seen) = notes.pop()
        {
            tape.take(&seen, &mut out);
            taken += 1;
        }
        if notes.is_empty() {
            tape.flush(&mut out);
        }
        taken
    }

    /// Sends what is due on a line; whether something went out.
    fn send_one(&mut self, line: usize, now: u64) -> bool {
        let Some((socket, address)) = self.lines.get(line) else { return false };
        let Some(packet) = self.live.packet(line, now) else { return false };
        match socket.send_to(packet, address) {
            // The kernel has no room now. The packet stays what it is.
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
                    || error.raw_os_error() == Some(ENOBUFS) =>
            {
                false
            }
            // Nobody listens yet, or there is no way there now: who misses it can ask.
            Ok(_) | Err(_) => {
                self.live.sent(line, now);
                true
            }
        }
    }

    fn answer_requests(&mut self, now: u64) -> usize {
        let Some(socket) = &self.requests else { return 0 };
        if now < self.requests_at {
            return 0;
        }
        let mut request = [0; 64];
        for answered in 0..REQUESTS_PER_TURN {
            let Ok((length, from)) = socket.recv_from(&mut request) else {
                self.requests_at = now + REQUEST_INTERVAL_NS;
                return answered;
            };
            if let Some(answer) = self.live.answer(&request[..length], from, now) {
                // An answer that the kernel has no room for is lost, as on any network; who needs it
                // asks again.
                let _ = socket.send_to(answer, from);
            }
        }
        REQUESTS_PER_TURN
    }
}

/// Between two packets that say that the session is over, in nanoseconds.
const END_SPACING_NS: u64 = 50_000_000;

impl Agent for BookPublisher {
    fn name(&self) -> &str {
        "publisher"
    }

    fn poll(&mut self) -> usize {
        self.level.set(self.notes.slots());
        let mut work = self.take_notes();
        let now = self.clock.now_ns();
        for _ in 0..PACKETS_PER_TURN {
            let sent = (0..self.lines.len()).filter(|&line| self.send_one(line, now)).count();
            work += sent;
            if sent == 0 {
                break;
            }
        }
        work + self.answer_requests(now)
    }

    fn is_done(&self) -> bool {
        self.is_ended && self.live.is_done()
    }
}
