//! Datagrams out of the kernel, on three paths with one face.
//!
//! A [`Receiver`] has one or two lines, each a socket of its own, and hands out what arrives with
//! the kernel's receive time. Which path it takes is a matter of configuration; with
//! [`PathChoice::Auto`] it takes io_uring and falls back to recvmmsg where the kernel refuses, and
//! [`Receiver::chosen`] says which and why.
//!
//! A poll does a bounded amount of work, never waits, and allocates nothing. One thread must do all
//! polling, because an io_uring with deferred completions belongs to the thread that polled it first;
//! opening on another thread is fine.

mod arena;
mod batch;
mod config;
mod error;
mod message;
mod requests;
mod ring;
mod socket;
mod stats;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use socket2::Socket;
use spindle_types::ReceiveTime;

pub use config::*;
pub use error::{Fault, OpenError, Refusal};
pub use requests::{RequestClient, RequestStats};
pub use stats::{LineStats, ReceiveStats, RingStats};

use batch::{Batch, Raw};
use ring::{Ring, RingSetup};

/// One datagram, as it lies in the buffer that the kernel wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The line that it came on, from 0.
    pub line: u8,
    /// When the kernel received it.
    pub received: ReceiveTime,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The path that a receiver takes, and why not the one it would have preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The path.
    pub path: Path,
    /// Why io_uring was refused, where it was tried and refused.
    pub refused: Option<Refusal>,
}

impl fmt::Display for Chosen {
    /// One line: `io_uring`, or `recvmmsg, because io_uring is refused: ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path.name())?;
        match self.refused {
            Some(refusal) => write!(f, ", because io_uring is refused: {refusal}"),
            None => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Line {
    source: Option<IpAddr>,
    stats: LineStats,
    /// The kernel's drop count as last told; it wraps.
    dropped: u32,
    socket: Socket,
}

#[derive(Debug)]
enum Way {
    Ring(Box<Ring>),
    Batch(Batch),
    Single(Batch),
    Stopped(Fault),
}

/// Receives datagrams. See the module.
#[derive(Debug)]
pub struct Receiver {
    // Before the sockets: it is dropped before they are closed.
    way: Way,
    lines: Vec<Line>,
    chosen: Chosen,
    setup: RingSetup,
    ring_stats: RingStats,
    batch: usize,
    /// The line that is polled first in this turn, so that none is always last.
    turn: usize,
}

impl Receiver {
    /// Opens the sockets, joins the groups and sets up the path.
    ///
    /// # Errors
    /// A value outside its range, a port in use, an address or interface that is not here, a group
    /// that cannot be joined, or a path that was asked for and is refused.
    pub fn open(config: &ReceiveConfig) -> Result<Self, OpenError> {
        check(config)?;
        let mut lines = Vec::with_capacity(config.lines.len());
        for (index, line) in config.lines.iter().enumerate() {
            let socket = socket::open(index, line, config.socket_buffer)?;
            let socket_buffer = socket::granted_buffer(&socket);
            let stats = LineStats { socket_buffer, ..LineStats::default() };
            lines.push(Line { source: line.source, stats, dropped: 0, socket });
        }
        let setup = RingSetup {
            buffers: config.buffers,
            datagram_max: config.datagram_max,
            completions: config.completions,
            mode: config.ring_mode,
        };
        let (way, chosen) = choose(config, &lines, setup)?;
        let batch = usize::from(config.batch);
        let ring_stats = RingStats::default();
        Ok(Self { way, lines, chosen, setup, ring_stats, batch, turn: 0 })
    }

    /// Hands out what has arrived, up to the configured batch from each line, and returns how many
    /// datagrams there were, dropped ones included. 0 means that nothing is there, or that the
    /// receiver has stopped: see [`Receiver::fault`].
    #[inline]
    pub fn poll<F: FnMut(Datagram<'_>)>(&mut self, mut each: F) -> usize {
        let lines = &mut self.lines;
        match &mut self.way {
            Way::Ring(ring) => {
                let limit = self.batch * lines.len();
                let polled = ring.poll(limit, &mut self.ring_stats, |line, raw| {
                    if let Some(datagram) = accept(line, &mut lines[line], raw) {
                        each(datagram);
                    }
                });
                match polled {
                    Ok(_) if ring.is_broken() => self.rebuild(),
                    Ok(handled) => handled,
                    Err(fault) => self.stop(fault),
                }
            }
            Way::Batch(batch) => {
                self.turn = usize::from(self.turn == 0 && lines.len() > 1);
                let mut taken = 0;
                for step in 0..lines.len() {
                    let index = (self.turn + step) % lines.len();
                    taken += receive_batch(batch, index, &mut lines[index], self.batch, &mut each);
                }
                taken
            }
            Way::Single(batch) => {
                self.turn = usize::from(self.turn == 0 && lines.len() > 1);
                let mut taken = 0;
                for step in 0..lines.len() {
                    let index = (self.turn + step) % lines.len();
                    taken += receive_single(batch, index, &mut lines[index], self.batch, &mut each);
                }
                taken
            }
            Way::Stopped(_) => 0,
        }
    }

    /// The path taken, and why not another.
    pub fn chosen(&self) -> Chosen {
        self.chosen
    }

    /// What was counted so far.
    pub fn stats(&self) -> ReceiveStats {
        let mut lines = [LineStats::default(); LINES_MAX];
        for (stats, line) in lines.iter_mut().zip(&self.lines) {
            *stats = line.stats;
        }
        ReceiveStats { lines, ring: self.ring_stats }
    }

    /// Why the receiver has stopped, or `None` while it runs.
    pub fn fault(&self) -> Option<Fault> {
        match self.way {
            Way::Stopped(fault) => Some(fault),
            _ => None,
        }
    }

    /// The address that a line is bound to, with the port that the kernel chose where the
    /// configured one was 0; `None` for a line that is not configured.
    pub fn address(&self, line: usize) -> Option<SocketAddr> {
        self.lines.get(line)?.socket.local_addr().ok()?.as_socket()
    }

    /// Datagrams that the kernel has dropped on a line since it was opened, as of now; `None` for a
    /// line that is not configured, and where the kernel does not say. A system call: not for the
    /// thread that polls.
    pub fn kernel_drops(&self, line: usize) -> Option<u32> {
        socket::dropped(&self.lines.get(line)?.socket).ok()
    }

    /// The kernel dropped completions: nobody knows which buffers it still holds. The sockets stay,
    /// with what waits in them.
    #[cold]
    fn rebuild(&mut self) -> usize {
        // Another fault stands in while the old ring is dropped, before the new one is built.
        self.way = Way::Stopped(Fault::Thread);
        match new_ring(&self.lines, self.setup) {
            Ok(ring) => {
                self.ring_stats.rebuilt += 1;
                self.way = Way::Ring(ring);
            }
            Err(refusal) => self.way = Way::Stopped(Fault::Ring(refusal)),
        }
        0
    }

    #[cold]
    fn stop(&mut self, fault: Fault) -> usize {
        self.way = Way::Stopped(fault);
        0
    }
}

fn check(config: &ReceiveConfig) -> Result<(), OpenError> {
    if !(1..=LINES_MAX).contains(&config.lines.len()) {
        return Err(OpenError::Lines(config.lines.len()));
    }
    let checks = [
        ("batch", config.batch.into(), 1, 4_096),
        ("datagram_max", config.datagram_max.into(), 64, u64::from(u16::MAX)),
        ("buffers", config.buffers.into(), 1, BUFFERS_MAX.into()),
        ("completions", config.completions.unwrap_or(1).into(), 1, 1 << 16),
    ];
    for (name, value, least, most) in checks {
        if value < least || value > most {
            return Err(OpenError::Range { name, value, least, most });
        }
    }
    Ok(())
}

fn choose(
    config: &ReceiveConfig,
    lines: &[Line],
    setup: RingSetup,
) -> Result<(Way, Chosen), OpenError> {
    let datagram_max = usize::from(config.datagram_max);
    let batch = || Way::Batch(Batch::new(usize::from(config.batch), datagram_max));
    let plain = |path| Chosen { path, refused: None };
    Ok(match config.path {
        PathChoice::Auto => match new_ring(lines, setup) {
            Ok(ring) => (Way::Ring(ring), plain(Path::IoUring)),
            Err(refusal) => (batch(), Chosen { path: Path::Recvmmsg, refused: Some(refusal) }),
        },
        PathChoice::Only(path @ Path::IoUring) => match new_ring(lines, setup) {
            Ok(ring) => (Way::Ring(ring), plain(path)),
            Err(refusal) => return Err(OpenError::Refused { path, refusal }),
        },
        PathChoice::Only(path @ Path::Recvmmsg) => (batch(), plain(path)),
        PathChoice::Only(path @ Path::Recv) => {
            (Way::Single(Batch::new(1, datagram_max)), plain(path))
        }
    })
}

fn new_ring(lines: &[Line], setup: RingSetup) -> Result<Box<Ring>, Refusal> {
    let sockets: Vec<_> = lines.iter().map(|line| &line.socket).collect();
    Ring::new(&sockets, setup).map(Box::new)
}

#[inline]
fn receive_batch(
    batch: &mut Batch,
    index: usize,
    line: &mut Line,
    most: usize,
    each: &mut impl FnMut(Datagram<'_>),
) -> usize {
    let taken = count_errors(batch.receive(line.socket.as_fd(), most), line);
    for at in 0..taken {
        if let Some(datagram) = accept(index, line, batch.get(at)) {
            each(datagram);
        }
    }
    taken
}

#[inline]
fn receive_single(
    batch: &mut Batch,
    index: usize,
    line: &mut Line,
    most: usize,
    each: &mut impl FnMut(Datagram<'_>),
) -> usize {
    let mut taken = 0;
    while taken < most && count_errors(batch.receive_one(line.socket.as_fd()), line) == 1 {
        taken += 1;
        if let Some(datagram) = accept(index, line, batch.get(0)) {
            each(datagram);
        }
    }
    taken
}

#[inline]
fn count_errors(result: io::Result<usize>, line: &mut Line) -> usize {
    result.unwrap_or_else(|_| {
        line.stats.errors += 1;
        0
    })
}

/// Reads what the kernel wrote beside the datagram, counts it, and passes it on if it is from the
/// right sender and whole.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "there are two lines")]
fn accept<'a>(index: usize, line: &mut Line, raw: Raw<'a>) -> Option<Datagram<'a>> {
    let control = message::control(raw.control);
    if let Some(dropped) = control.dropped {
        line.stats.kernel_drops += u64::from(dropped.wrapping_sub(line.dropped));
        line.dropped = dropped;
    }
    if let Some(source) = line.source
        && message::sender(raw.name).map(|sender| sender.ip()) != Some(source)
    {
        line.stats.wrong_source += 1;
        return None;
    }
    if raw.truncated {
        line.stats.truncated += 1;
        return None;
    }
    line.stats.datagrams += 1;
    line.stats.bytes += raw.payload.len() as u64;
    Some(Datagram { line: index as u8, received: control.received, bytes: raw.payload })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    /// The kernel drops completions only when it has no memory left, so this test says that it did.
    #[test]
    fn a_ring_that_dropped_completions_is_built_again_and_goes_on() {
        let line = LineConfig::new("127.0.0.1:0".parse().expect("an address"));
        let config = ReceiveConfig {
            path: PathChoice::Only(Path::IoUring),
            buffers: 8,
            ..ReceiveConfig::new(vec![line; 2])
        };
        let Ok(mut receiver) = Receiver::open(&config) else {
            println!("skipped: no io_uring here");
            return;
        };
        let to = [0, 1].map(|line| receiver.address(line).expect("bound"));
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let mut seen = 0;
        for _ in 0..100 {
            for _ in 0..20 {
                for to in to {
                    sender.send_to(b"packet", to).expect("sent");
                }
            }
            // What was completed before the ring went is gone with it; the rest waits in the sockets.
            receiver.poll(|_| seen += 1);
            if let Way::Ring(ring) = &mut receiver.way {
                ring.pretend_dropped();
            }
            for _ in 0..100 {
                receiver.poll(|_| seen += 1);
            }
            assert_eq!(receiver.fault(), None);
        }
        let stats = receiver.stats();
        assert_eq!(stats.ring.rebuilt, 100);
        assert!(seen > 2_000, "{seen} of 4,000");
        let before = seen;
        sender.send_to(b"packet", to[0]).expect("sent");
        for _ in 0..100 {
            receiver.poll(|_| seen += 1);
        }
        assert_eq!(seen, before + 1);
    }

    #[test]
    fn a_ring_polled_by_two_threads_stops_with_the_reason() {
        let line = LineConfig::new("127.0.0.1:0".parse().expect("an address"));
        let config = ReceiveConfig {
            path: PathChoice::Only(Path::IoUring),
            ..ReceiveConfig::new(vec![line])
        };
        let Ok(mut receiver) = Receiver::open(&config) else {
            println!("skipped: no io_uring here");
            return;
        };
        receiver.poll(|_| ());
        let to = receiver.address(0).expect("bound");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        sender.send_to(b"packet", to).expect("sent");
        let fault = std::thread::spawn(move || {
            for _ in 0..100 {
                receiver.poll(|_| ());
            }
            receiver.fault()
        });
        assert_eq!(fault.join().expect("no panic"), Some(Fault::Thread));
    }
}
