//! The agent that sends.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use spindle_types::Agent;

use super::control::Control;
use super::outgoing::{Outgoing, PublishError};
use super::socket::{self, Target};
use super::stats::PublishStats;

/// Packets sent in one poll at most, on each line.
const PACKETS_PER_POLL: usize = 16;

/// Requests answered in one poll at most.
const REQUESTS_PER_POLL: usize = 16;

type Clock = Box<dyn FnMut() -> u64 + Send>;

/// Sends a recording to one target for each line, and answers requests. As an agent it never blocks:
/// what a socket does not take now is sent on a later poll, in order. It is done when the end of the
/// session is out, or when sending failed: see [`take_error`](Self::take_error).
pub struct Publisher {
    outgoing: Outgoing,
    lines: Vec<(UdpSocket, Target)>,
    requests: Option<UdpSocket>,
    clock: Clock,
    stats: Arc<PublishStats>,
    retries: u64,
    failure: Option<PublishError>,
    failed: bool,
}

impl Publisher {
    /// A publisher of a stream with one line, on this machine's monotonic clock.
    ///
    /// # Errors
    /// The socket cannot be opened: the interface is not there, or is of the other kind of address.
    pub fn new(outgoing: Outgoing, target: Target) -> Result<Self, PublishError> {
        Self::with_targets(outgoing, &[target])
    }

    /// A publisher of a stream with as many lines as targets, on this machine's monotonic clock.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_targets(outgoing: Outgoing, targets: &[Target]) -> Result<Self, PublishError> {
        let clock = quanta::Clock::new();
        let start = clock.raw();
        let clock = move || clock.delta_as_nanos(start, clock.raw());
        Self::with_clock(outgoing, targets, Box::new(clock))
    }

    /// A publisher on a clock of the caller's, which counts nanoseconds and never goes back.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clock(
        outgoing: Outgoing,
        targets: &[Target],
        clock: Clock,
    ) -> Result<Self, PublishError> {
        let mut lines = Vec::new();
        for &target in targets.iter().take(outgoing.lines()) {
            let socket = socket::open(target)
                .map_err(|error| PublishError::Socket { target: target.address, error })?;
            lines.push((socket, target));
        }
        let stats = Arc::default();
        Ok(Self {
            outgoing,
            lines,
            requests: None,
            clock,
            stats,
            retries: 0,
            failure: None,
            failed: false,
        })
    }

    /// Answers requests that come to this address, and says which one that is: port 0 lets the
    /// operating system choose.
    ///
    /// # Errors
    /// The address is not of this machine, or the port is in use.
    pub fn serve_requests(&mut self, address: SocketAddr) -> Result<SocketAddr, PublishError> {
        let opened = UdpSocket::bind(address).and_then(|socket| {
            socket.set_nonblocking(true)?;
            let bound = socket.local_addr()?;
            Ok((socket, bound))
        });
        let (socket, bound) = opened.map_err(|error| PublishError::Requests { address, error })?;
        self.requests = Some(socket);
        Ok(bound)
    }

    /// Bounds what is in flight: see [`Outgoing::set_window`].
    pub fn set_window(&mut self, consumed: Arc<AtomicU64>, in_flight_max: u64) {
        self.outgoing.set_window(consumed, in_flight_max);
    }

    /// The counters.
    pub fn stats(&self) -> Arc<PublishStats> {
        Arc::clone(&self.stats)
    }

    /// The stream that is sent.
    pub fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// Does something to the running feed.
    pub fn control(&mut self, control: Control) {
        let now = (self.clock)();
        self.outgoing.control(control, now);
    }

    /// Ends the session after what is out by now.
    pub fn stop(&mut self) {
        self.control(Control::Stop);
    }

    /// Nanoseconds until a packet may be due, after a poll that did nothing.
    pub fn wait(&mut self) -> u64 {
        let now = (self.clock)();
        self.outgoing.wait(now)
    }

    /// Why the recording was not sent to its end, once.
    pub fn take_error(&mut self) -> Option<PublishError> {
        self.failure.take().or_else(|| self.outgoing.take_error())
    }

    /// Sends the packet that is due on a line, and says whether there was one and it went out.
    fn send_one(&mut self, line: usize) -> bool {
        let Some((socket, target)) = self.lines.get(line) else { return false };
        let now = (self.clock)();
        let Some(packet) = self.outgoing.packet(line, now) else { return false };
        match socket.send_to(packet, target.address) {
            Ok(_) => {}
            // The kernel has no room now. The packet stays what it is.
            Err(error) if is_full(&error) => {
                self.retries += 1;
                return false;
            }
            // Nobody listens yet at a receiver on this machine: UDP does not mind.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => {
                self.failure = Some(PublishError::Socket { target: target.address, error });
                self.failed = true;
                return false;
            }
        }
        let now = (self.clock)();
        self.outgoing.sent(line, now);
        true
    }

    /// Answers a request, and says whether there was one.
    fn answer_one(&mut self) -> bool {
        let Some(socket) = &self.requests else { return false };
        let mut request = [0; 64];
        let Ok((length, from)) = socket.recv_from(&mut request) else { return false };
        let now = (self.clock)();
        if let Some(answer) = self.outgoing.answer(&request[..length], from, now) {
            // An answer that the kernel has no room for is lost, as on any network; who needs it
            // asks again.
            let _ = socket.send_to(answer, from);
        }
        true
    }
}

/// Linux: no room for the packet in a queue of the device.
const ENOBUFS: i32 = 105;

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
        || error.raw_os_error() == Some(ENOBUFS)
}

impl Agent for Publisher {
    fn name(&self) -> &str {
        "publisher"
    }

    fn poll(&mut self) -> usize {
        let mut work = 0;
        for _ in 0..PACKETS_PER_POLL {
            // The lines take turns, so that none runs ahead.
            let sent = (0..self.lines.len()).filter(|&line| !self.failed && self.send_one(line));
            let sent = sent.count();
            work += sent;
            if sent == 0 {
                break;
            }
        }
        work += (0..REQUESTS_PER_POLL).take_while(|_| self.answer_one()).count();
        if work > 0 {
            self.stats.store(&self.outgoing, self.retries);
        }
        work
    }

    fn is_done(&self) -> bool {
        self.failed || self.outgoing.is_done()
    }
}
