//! The agent that publishes the books: it takes the engine's notes from their ring, makes messages of them and
//! sends them. It runs on any thread but the engine's.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use rtrb::Consumer;
use spindle_engine::publication::{Seen, Sight};
use spindle_engine::tap::Progress;
use spindle_gateway::{Clock, SystemClock};
use spindle_replay::publish::{Target, open_socket};
use spindle_types::{Agent, EventTime};
use thiserror::Error;

use super::stream::BookStream;
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

/// Inputs whose messages wait to be safe, for which there is room from the start.
const WAITING: usize = 16_384;

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

/// What waits to be safe in a journal before it leaves.
struct Gate {
    progress: Arc<Progress>,
    /// Frames of the engine, and the number of the first message that does not follow from one.
    waiting: VecDeque<(u64, u64)>,
}

impl Gate {
    /// The number below which messages may leave, where that is another than before.
    fn pass(&mut self) -> Option<u64> {
        if self.waiting.is_empty() {
            return None;
        }
        let (safe, mut end) = (self.progress.engine(), None);
        while let Some(&(frame, next)) = self.waiting.front()
            && frame <= safe
        {
            self.waiting.pop_front();
            end = Some(next);
        }
        end
    }
}

/// Publishes the books of one engine.
pub struct BookPublisher {
    notes: Consumer<Seen>,
    level: RingLevel,
    stream: BookStream,
    /// Where there is a journal: nothing leaves before its input is safe.
    gate: Option<Gate>,
    lines: Vec<(UdpSocket, SocketAddr)>,
    requests: Option<UdpSocket>,
    request_address: Option<SocketAddr>,
    clock: SystemClock,
    requests_at: u64,
    is_ended: bool,
}

impl BookPublisher {
    /// Opens the sockets for a stream.
    ///
    /// # Errors
    /// A socket that cannot be opened.
    pub fn open(
        config: &PublishConfig,
        notes: Consumer<Seen>,
        stream: BookStream,
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
        let request_address = requests.as_ref().map(|(_, address)| *address);
        Ok(Self {
            level: RingLevel::new("engine to publisher", notes.buffer().capacity()),
            notes,
            stream,
            gate: None,
            lines,
            requests: requests.map(|(socket, _)| socket),
            request_address,
            clock: SystemClock::new(),
            requests_at: 0,
            is_ended: false,
        })
    }

    /// From now on messages leave when what they follow from is safe in the journal; those that there are have left, or
    /// follow from what is safe already. `goes_on`: some of them were sent before.
    pub fn hold(&mut self, progress: Arc<Progress>, goes_on: bool) {
        if goes_on {
            self.stream.live.resume();
        }
        self.stream.live.hold_from(self.stream.next_sequence());
        self.gate = Some(Gate { progress, waiting: VecDeque::with_capacity(WAITING) });
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

    /// Ends the day after all that the engine has noted: to be called when it notes no more, and with a journal when all is
    /// safe.
    pub fn end(&mut self) {
        if self.is_ended {
            return;
        }
        self.is_ended = true;
        while self.take_notes() > 0 {}
        self.gate = None;
        self.stream.end(self.clock.time_of_day());
    }

    /// What has been published.
    pub fn counters(&self) -> PublicationCounters {
        let live = &self.stream.live;
        let requests = live.request_counters();
        PublicationCounters {
            messages: live.next_sequence() - 1,
            packets: live.line_counters(0).packets,
            answered: requests.answered,
            forgotten: requests.forgotten,
            first_kept: live.first_kept(),
        }
    }

    /// Time of the last note.
    pub const fn time(&self) -> EventTime {
        self.stream.time()
    }

    fn take_notes(&mut self) -> usize {
        let Self { notes, stream, gate, .. } = self;
        let mut taken = 0;
        while taken < NOTES_PER_TURN
            && let Ok(seen) = notes.pop()
        {
            stream.take(&seen);
            if let (Sight::Input { frame }, Some(gate)) = (seen.what, &mut *gate) {
                gate.waiting.push_back((frame, stream.next_sequence()));
            }
            taken += 1;
        }
        match gate {
            // Where an input ends is noted, and a message waits no longer: the same ones are made when the venue comes back.
            Some(gate) => {
                if let Some(end) = gate.pass() {
                    stream.live.hold_from(end);
                }
            }
            None if notes.is_empty() => stream.flush(),
            None => {}
        }
        taken
    }

    /// Sends what is due on a line; whether something went out.
    fn send_one(&mut self, line: usize, now: u64) -> bool {
        let Some((socket, address)) = self.lines.get(line) else { return false };
        let Some(packet) = self.stream.live.packet(line, now) else { return false };
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
                self.stream.live.sent(line, now);
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
            if let Some(answer) = self.stream.live.answer(&request[..length], from, now) {
                // An answer that the kernel has no room for is lost, as on any network; who needs it
                // asks again.
                let _ = socket.send_to(answer, from);
            }
        }
        REQUESTS_PER_TURN
    }
}

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
        self.is_ended && self.stream.live.is_done()
    }
}

#[cfg(test)]
mod tests {
    use rtrb::{Producer, RingBuffer};
    use spindle_feed::moldudp64::Packet;
    use spindle_types::{InstrumentId, Price, Quantity};

    use super::*;

    const CONFIG: &str = "[venue]\nname = \"V\"\n[gateway]\nouch_listen = \"127.0.0.1:0\"\n\
        [[instrument]]\nsymbol = \"AAA\"\n[[account]]\nname = \"A\"\norder_size_max = 1\n\
        order_value_max = \"1\"\ncollar_percent = \"1\"\nopen_orders_max = 1\n[[session]]\n\
        user = \"a\"\npassword = \"b\"\naccount = \"A\"\n[publish]\nto = [\"TO\"]\n";

    /// What came: the next number after each packet.
    fn heard(socket: &UdpSocket) -> Vec<u64> {
        let mut space = [0; 2_048];
        std::iter::from_fn(|| {
            let count = socket.recv(&mut space).ok()?;
            Some(Packet::parse(&space[..count]).expect("a packet").next_sequence())
        })
        .collect()
    }

    fn publisher(goes_on: bool) -> (BookPublisher, Producer<Seen>, Arc<Progress>, UdpSocket) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("set");
        let to = socket.local_addr().expect("an address").to_string();
        let config = crate::config::Config::parse(&CONFIG.replace("TO", &to), "venue.toml");
        let config = config.expect("a configuration").publish.expect("it publishes");
        let (notes, out) = RingBuffer::new(64);
        // Three messages before the first input: the phases of the day.
        let stream = BookStream::new(&config, 8, false, EventTime(1), &[]);
        let mut publisher = BookPublisher::open(&config, out, stream).expect("sockets");
        let progress = Arc::<Progress>::default();
        publisher.hold(Arc::clone(&progress), goes_on);
        (publisher, notes, progress, socket)
    }

    fn note(notes: &mut Producer<Seen>, what: Sight) {
        let (time, instrument) = (EventTime(2), InstrumentId(1));
        notes.push(Seen { time, instrument, what }).expect("room");
    }

    fn added(slot: u32) -> Sight {
        let (quantity, price) = (Quantity(1), Price(1));
        Sight::Added { slot, reference: None, side: spindle_types::Side::Buy, quantity, price }
    }

    #[test]
    fn nothing_leaves_before_its_input_is_safe() {
        let (mut publisher, mut notes, progress, socket) = publisher(false);
        publisher.poll();
        assert_eq!(heard(&socket), [4], "what was before the first input");
        // Two inputs, the second with a replacement whose new order is not displayed.
        note(&mut notes, added(1));
        note(&mut notes, Sight::Input { frame: 5 });
        note(&mut notes, added(2));
        publisher.poll();
        note(&mut notes, Sight::Deleted { slot: 1, replaced: true });
        publisher.poll();
        assert_eq!(publisher.counters().messages, 5, "a message that may become another waits");
        note(&mut notes, Sight::Input { frame: 7 });
        progress.advance(4, 9, 9);
        publisher.poll();
        assert_eq!(publisher.counters().messages, 6);
        assert_eq!(heard(&socket), [0; 0]);
        progress.advance(6, 9, 9);
        publisher.poll();
        assert_eq!(heard(&socket), [5]);
        progress.advance(7, 9, 9);
        publisher.poll();
        assert_eq!(heard(&socket), [7]);
        // A journal that has failed lets nothing through.
        note(&mut notes, added(3));
        note(&mut notes, Sight::Input { frame: 8 });
        progress.fail();
        publisher.poll();
        assert_eq!(heard(&socket), [0; 0]);
    }

    #[test]
    fn a_stream_that_goes_on_says_at_once_where_it_is() {
        let (mut publisher, mut notes, progress, socket) = publisher(true);
        publisher.poll();
        assert_eq!(heard(&socket), [4], "a heartbeat");
        note(&mut notes, added(1));
        note(&mut notes, Sight::Input { frame: 1 });
        progress.advance(1, 0, 0);
        publisher.poll();
        assert_eq!(heard(&socket), [5]);
        assert_eq!(publisher.counters().packets, 2, "what was sent before is not sent again");
    }
}
