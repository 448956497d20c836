//! The agent that sends.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle_types::Agent;

use super::outgoing::{Outgoing, PublishError};
use super::socket::{self, Target};

/// Packets sent in one poll at most.
const PACKETS_PER_POLL: usize = 16;

/// What has been sent: counters that any thread may read at any time. Each is exact by itself; two
/// read one after the other may be of different moments.
#[derive(Debug, Default)]
pub struct PublishStats {
    /// Messages.
    pub messages: AtomicU64,
    /// Packets of all kinds.
    pub packets: AtomicU64,
    /// UDP payload bytes.
    pub bytes: AtomicU64,
    /// Packets without messages while the tape was silent.
    pub heartbeats: AtomicU64,
    /// Times that the socket could take no more, and the packet was kept for the next poll.
    pub retries: AtomicU64,
    /// The tape's time of the last message, in nanoseconds since midnight.
    pub tape_time: AtomicU64,
    /// Bytes of the recording taken in.
    pub position: AtomicU64,
}

type Clock = Box<dyn FnMut() -> u64 + Send>;

/// Sends a recording to one target. As an agent it never blocks: what the socket does not take now
/// is sent on a later poll, in order. It is done when the end of the session is out, or when sending
/// failed: see [`take_error`](Self::take_error).
pub struct Publisher {
    outgoing: Outgoing,
    socket: UdpSocket,
    target: Target,
    clock: Clock,
    stats: Arc<PublishStats>,
    failure: Option<PublishError>,
    failed: bool,
}

impl Publisher {
    /// A publisher with a socket of its own, on this machine's monotonic clock.
    ///
    /// # Errors
    /// The socket cannot be opened: the interface is not there, or is of the other kind of address.
    pub fn new(outgoing: Outgoing, target: Target) -> Result<Self, PublishError> {
        let clock = quanta::Clock::new();
        let start = clock.raw();
        Self::with_clock(
            outgoing,
            target,
            Box::new(move || clock.delta_as_nanos(start, clock.raw())),
        )
    }

    /// A publisher on a clock of the caller's, which counts nanoseconds and never goes back.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clock(
        outgoing: Outgoing,
        target: Target,
        clock: Clock,
    ) -> Result<Self, PublishError> {
        let socket = socket::open(target)
            .map_err(|error| PublishError::Socket { target: target.address, error })?;
        let stats = Arc::default();
        Ok(Self { outgoing, socket, target, clock, stats, failure: None, failed: false })
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

    /// Ends the session after what is out by now.
    pub fn stop(&mut self) {
        let now = (self.clock)();
        self.outgoing.stop(now);
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

    /// Sends the packet that is due, and says whether there was one and it went out.
    fn send_one(&mut self) -> bool {
        let now = (self.clock)();
        let Some(packet) = self.outgoing.packet(now) else { return false };
        let length = packet.len() as u64;
        match self.socket.send_to(packet, self.target.address) {
            Ok(_) => {}
            // The kernel has no room now. The packet stays what it is.
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
                    || error.raw_os_error() == Some(ENOBUFS) =>
            {
                self.stats.retries.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            // Nobody listens yet at a receiver on this machine: UDP does not mind.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => {
                let target = self.target.address;
                self.failure = Some(PublishError::Socket { target, error });
                self.failed = true;
                return false;
            }
        }
        let messages = u64::from(self.outgoing.sent(now));
        self.count(messages, length);
        true
    }

    fn count(&self, messages: u64, bytes: u64) {
        let stats = &self.stats;
        stats.messages.fetch_add(messages, Ordering::Relaxed);
        stats.packets.fetch_add(1, Ordering::Relaxed);
        stats.bytes.fetch_add(bytes, Ordering::Relaxed);
        if messages == 0 && !self.outgoing.is_ending() {
            stats.heartbeats.fetch_add(1, Ordering::Relaxed);
        }
        stats.tape_time.store(self.outgoing.tape_time().0, Ordering::Relaxed);
        stats.position.store(self.outgoing.recording().position(), Ordering::Relaxed);
    }
}

/// Linux: no room for the packet in a queue of the device.
const ENOBUFS: i32 = 105;

impl Agent for Publisher {
    fn name(&self) -> &str {
        "publisher"
    }

    fn poll(&mut self) -> usize {
        if self.failed {
            return 0;
        }
        (0..PACKETS_PER_POLL).take_while(|_| self.send_one()).count()
    }

    fn is_done(&self) -> bool {
        self.failed || self.outgoing.is_done()
    }
}
