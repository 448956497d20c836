//! What a receiver is told at the start.

use std::net::{IpAddr, SocketAddr};

/// Lines that one receiver can take.
pub const LINES_MAX: usize = 2;

/// Buffers that a line's ring can have at most: the kernel's own limit.
pub const BUFFERS_MAX: u16 = 1 << 15;

/// How datagrams come out of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathChoice {
    /// io_uring where the kernel allows it, or else recvmmsg.
    #[default]
    Auto,
    /// This one and no other.
    Only(Path),
}

/// A way for datagrams out of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// io_uring: a multishot receive for each line into a ring of provided buffers. Needs Linux 6.1.
    IoUring,
    /// `recvmmsg`, spinning: one call takes a batch.
    Recvmmsg,
    /// `recvmsg`, spinning: one call takes one datagram.
    Recv,
}

impl Path {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::IoUring, Self::Recvmmsg, Self::Recv];

    /// `io_uring`, `recvmmsg` or `recv`: the name in configurations and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Recvmmsg => "recvmmsg",
            Self::Recv => "recv",
        }
    }
}

/// When the kernel turns arrived packets into completions of an io_uring. Which is best is a matter
/// of measurement; the default is what measured best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RingMode {
    /// In an interrupt of the receiving thread, whenever something arrives.
    Interrupt,
    /// When the receiving thread next enters the kernel.
    Cooperative,
    /// When the receiving thread asks for completions.
    #[default]
    Deferred,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineConfig {
    /// Where the packets are sent to: a multicast group, or an address of this machine; and the
    /// port. Port 0 lets the kernel choose one.
    pub address: SocketAddr,
    /// The interface on which they arrive, by name; the kernel's choice where `None`. Packets from
    /// another interface are not received.
    pub interface: Option<String>,
    /// The only sender that is accepted; any where `None`.
    pub source: Option<IpAddr>,
}

impl LineConfig {
    /// A line from any interface and any sender.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, interface: None, source: None }
    }
}

/// What a receiver is told at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiveConfig {
    /// One or two lines.
    pub lines: Vec<LineConfig>,
    /// The way out of the kernel.
    pub path: PathChoice,
    /// Datagrams that one poll hands out at most, 1 to 4,096; also the batch of `recvmmsg`.
    pub batch: u16,
    /// The longest datagram, in bytes, 64 to 65,535. A longer one is dropped and counted.
    pub datagram_max: u16,
    /// Buffers of each line's ring (io_uring), 1 to [`BUFFERS_MAX`]; rounded up to a power of two.
    pub buffers: u16,
    /// Entries of the completion queue (io_uring), up to 65,536; `None` for as many as there can be
    /// completions at once, so that it never overflows.
    pub completions: Option<u32>,
    /// When completions are made (io_uring).
    pub ring_mode: RingMode,
    /// Bytes of the sockets' receive buffers to ask for. What was granted is in
    /// [`super::LineStats::socket_buffer`].
    pub socket_buffer: usize,
}

impl ReceiveConfig {
    /// The defaults, for these lines. The path is recvmmsg, because it measured best: see
    /// `docs/measuring.md`.
    pub const fn new(lines: Vec<LineConfig>) -> Self {
        Self {
            lines,
            path: PathChoice::Only(Path::Recvmmsg),
            batch: 64,
            datagram_max: 2_048,
            buffers: 1_024,
            completions: None,
            ring_mode: RingMode::Deferred,
            socket_buffer: 8 << 20,
        }
    }
}
