//! An outside feed put together: a receiver's packets through a stream's arbitration.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use quanta::Clock;
use spindle_engine::agent::{MarketFeed, MarketSink};
use spindle_feed::receive::{
    Datagram, LineConfig, OpenError, Path, PathChoice, ReceiveConfig, ReceiveStats, Receiver,
};
use spindle_feed::stream::{
    ConfigError, Counters, Delivery, Join, Origin, Phase, Request, RequestLimits, Stream,
    StreamConfig,
};
use spindle_types::Sequence;
use thiserror::Error;
use zerocopy::IntoBytes;

use crate::config::{FeedConfig, JoinAt, ReceivePath};
use crate::health::{FeedHealth, FeedWatch, STORE_NS};

/// Why a feed does not start.
#[derive(Debug, Error)]
pub enum FeedError {
    /// A socket, a group or the receive path.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The socket for requests.
    #[error("cannot open a socket for requests: {0}")]
    Requests(#[from] io::Error),
    /// A value of the stream.
    #[error("{0}")]
    Stream(#[from] ConfigError),
}

/// A feed, or none.
pub enum AnyFeed {
    /// No outside market.
    None,
    /// One or two lines of one stream.
    Live(Box<LiveFeed>),
}

/// What carries a feed instead of sockets: a simulated network.
pub trait Lines: Send {
    /// Hands over what has arrived on the lines, a bounded amount, and gives how many datagrams.
    fn poll(&mut self, each: &mut dyn FnMut(Datagram<'_>)) -> usize;

    /// Sends a request to the server that it names.
    fn request(&mut self, request: &Request);

    /// The next answer of a server.
    fn answer(&mut self) -> Option<&[u8]>;
}

/// What carries a feed.
enum Carrier {
    Sockets { receiver: Box<Receiver>, requests: Option<Requests> },
    Other(Box<dyn Lines>),
}

/// A feed that is received.
pub struct LiveFeed {
    carrier: Carrier,
    stream: Stream,
    clock: Clock,
    addresses: Vec<SocketAddr>,
    /// After how long without a sign that all is delivered the feed counts as silent.
    silence_ns: u64,
    is_silent: bool,
    packets: u64,
    /// When the next time is to write down how the feed is.
    store_at: u64,
    health: Arc<FeedHealth>,
}

/// Where what both lines miss is asked for.
struct Requests {
    socket: UdpSocket,
    servers: Vec<SocketAddr>,
    answer: Box<[u8; ANSWER_MAX]>,
}

/// The longest answer: the largest UDP payload.
const ANSWER_MAX: usize = 65_507;

/// Answers taken in one turn at most.
const ANSWERS_PER_TURN: usize = 32;

impl Requests {
    fn open(servers: &[SocketAddr]) -> io::Result<Option<Self>> {
        let Some(first) = servers.first() else {
            return Ok(None);
        };
        let local: SocketAddr = match first.ip() {
            ip if ip.is_loopback() => (ip, 0).into(),
            IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        let servers = servers.to_vec();
        Ok(Some(Self { socket, servers, answer: Box::new([0; ANSWER_MAX]) }))
    }

    /// Sends a request. One that the socket does not take is as one that is lost on the way: it is
    /// asked again after its time.
    fn send(&self, request: &Request) {
        let _ = self.socket.send_to(request.header.as_bytes(), self.servers[request.server]);
    }

    /// The next answer, from a configured server alone.
    fn receive(&mut self) -> Option<&[u8]> {
        loop {
            let (length, from) = self.socket.recv_from(&mut self.answer[..]).ok()?;
            if self.servers.contains(&from) {
                return Some(&self.answer[..length]);
            }
        }
    }
}

impl AnyFeed {
    /// Opens the feed of a configuration.
    ///
    /// # Errors
    /// An address that cannot be received from, or a receive path that the kernel refuses.
    pub fn open(config: Option<&FeedConfig>) -> Result<Self, FeedError> {
        match config {
            None => Ok(Self::None),
            Some(config) => Ok(Self::Live(Box::new(LiveFeed::open(config)?))),
        }
    }

    /// The feed of a configuration as these lines carry it, by this clock.
    ///
    /// # Errors
    /// A value of the stream.
    pub fn carried(
        config: &FeedConfig,
        lines: Box<dyn Lines>,
        clock: Clock,
    ) -> Result<Self, FeedError> {
        let carrier = Carrier::Other(lines);
        Ok(Self::Live(Box::new(LiveFeed::over(config, carrier, Vec::new(), clock)?)))
    }

    /// One line on where the feed listens and how it is received, if there is one.
    pub fn describe(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Live(feed) => {
                let lines: Vec<_> = feed.addresses.iter().map(ToString::to_string).collect();
                let receiver = feed.receiver()?;
                Some(format!("{} by {}", lines.join(" and "), receiver.chosen()))
            }
        }
    }

    /// Where the lines listen, port 0 resolved.
    pub fn addresses(&self) -> &[SocketAddr] {
        match self {
            Self::None => &[],
            Self::Live(feed) => &feed.addresses,
        }
    }

    /// A watch over the feed's condition, for another thread; `None` where there is no feed.
    pub fn watch(&self) -> Option<FeedWatch> {
        match self {
            Self::None => None,
            Self::Live(feed) => {
                let lines: Vec<_> = feed.addresses.iter().map(ToString::to_string).collect();
                Some(FeedWatch::new(Arc::clone(&feed.health), lines.join(" and ")))
            }
        }
    }

    /// How the feed is, for another thread; `None` where there is no feed.
    pub fn health(&self) -> Option<Arc<FeedHealth>> {
        match self {
            Self::None => None,
            Self::Live(feed) => Some(Arc::clone(&feed.health)),
        }
    }

    /// What the stream has counted.
    pub fn stream_counters(&self) -> Option<&Counters> {
        match self {
            Self::None => None,
            Self::Live(feed) => Some(feed.stream.counters()),
        }
    }

    /// What the receive path has counted.
    pub fn receive_stats(&self) -> Option<ReceiveStats> {
        match self {
            Self::None => None,
            Self::Live(feed) => feed.receiver().map(Receiver::stats),
        }
    }
}

impl Carrier {
    const fn takes_requests(&self) -> bool {
        match self {
            Self::Sockets { requests, .. } => requests.is_some(),
            Self::Other(_) => true,
        }
    }

    fn request(&mut self, request: &Request) {
        match self {
            Self::Sockets { requests: Some(requests), .. } => requests.send(request),
            Self::Sockets { requests: None, .. } => {}
            Self::Other(lines) => lines.request(request),
        }
    }

    fn answer(&mut self) -> Option<&[u8]> {
        match self {
            Self::Sockets { requests, .. } => requests.as_mut()?.receive(),
            Self::Other(lines) => lines.answer(),
        }
    }
}

impl LiveFeed {
    fn receiver(&self) -> Option<&Receiver> {
        match &self.carrier {
            Carrier::Sockets { receiver, .. } => Some(receiver),
            Carrier::Other(_) => None,
        }
    }

    fn open(config: &FeedConfig) -> Result<Self, FeedError> {
        let lines = config
            .lines
            .iter()
            .map(|line| LineConfig {
                address: line.address,
                interface: line.interface.clone(),
                source: line.source,
            })
            .collect();
        let receive = ReceiveConfig {
            path: match config.receive {
                ReceivePath::Auto => PathChoice::Auto,
                ReceivePath::IoUring => PathChoice::Only(Path::IoUring),
                ReceivePath::Recvmmsg => PathChoice::Only(Path::Recvmmsg),
                ReceivePath::Recv => PathChoice::Only(Path::Recv),
            },
            socket_buffer: config.receive_buffer_bytes,
            ..ReceiveConfig::new(lines)
        };
        let requests = Requests::open(&config.request)?;
        let receiver = Box::new(Receiver::open(&receive)?);
        let addresses = (0..config.lines.len()).filter_map(|line| receiver.address(line)).collect();
        Self::over(config, Carrier::Sockets { receiver, requests }, addresses, Clock::new())
    }

    fn over(
        config: &FeedConfig,
        carrier: Carrier,
        addresses: Vec<SocketAddr>,
        clock: Clock,
    ) -> Result<Self, FeedError> {
        let stream = StreamConfig {
            lines: config.lines.len(),
            session: config.session,
            join: match config.join {
                JoinAt::First => Join::First,
                JoinAt::Here => Join::Here,
            },
            requests: RequestLimits {
                servers: config.request.len(),
                ..StreamConfig::default().requests
            },
            ..StreamConfig::default()
        };
        let silence_ns = config.silence_ms.saturating_mul(1_000_000);
        Ok(Self {
            carrier,
            stream: Stream::new(stream)?,
            clock,
            addresses,
            silence_ns,
            is_silent: false,
            packets: 0,
            store_at: 0,
            health: Arc::default(),
        })
    }
}

impl MarketFeed for AnyFeed {
    fn poll<S: MarketSink>(&mut self, sink: &mut S) -> usize {
        match self {
            Self::None => 0,
            Self::Live(feed) => feed.poll(sink),
        }
    }
}

impl LiveFeed {
    #[inline]
    fn poll<S: MarketSink>(&mut self, sink: &mut S) -> usize {
        let Self { carrier, stream, clock, silence_ns, is_silent, health, .. } = self;
        let now = clock.delta_as_nanos(0, clock.raw());
        let mut each = |datagram: Datagram<'_>| {
            sink.packet(datagram.received, datagram.bytes);
            let origin = Origin::Line(datagram.line);
            stream.on_datagram(origin, datagram.bytes, now, &mut |delivery| {
                deliver(sink, delivery);
            });
        };
        let packets = match carrier {
            Carrier::Sockets { receiver, .. } => receiver.poll(each),
            Carrier::Other(lines) => lines.poll(&mut each),
        };
        stream.on_timer(now, &mut |delivery| deliver(sink, delivery));
        let is_running = !matches!(stream.phase(), Phase::Waiting | Phase::Ended);
        let old = is_running && stream.age_ns(now).is_some_and(|age| age > *silence_ns);
        if old != *is_silent {
            *is_silent = old;
            sink.silent(old);
            health.set_silent(old);
        }
        self.packets += packets as u64;
        if now >= self.store_at {
            self.store_at = now + STORE_NS;
            health.store(self.packets, stream.counters());
        }
        if stream.is_gap_open() && carrier.takes_requests() {
            return packets + recover(carrier, stream, now, sink);
        }
        packets
    }
}

/// Asks for what is missing, and takes the answers that have come.
fn recover<S: MarketSink>(
    carrier: &mut Carrier,
    stream: &mut Stream,
    now: u64,
    sink: &mut S,
) -> usize {
    while let Some(request) = stream.poll_request(now) {
        carrier.request(&request);
    }
    for taken in 0..ANSWERS_PER_TURN {
        let Some(answer) = carrier.answer() else {
            return taken;
        };
        stream.on_datagram(Origin::Server, answer, now, &mut |delivery| deliver(sink, delivery));
    }
    ANSWERS_PER_TURN
}

#[inline]
fn deliver<S: MarketSink>(sink: &mut S, delivery: Delivery<'_>) {
    match delivery {
        Delivery::Message { sequence, bytes } => sink.message(Sequence(sequence), bytes),
        Delivery::Lost { first, count } => sink.lost(Sequence(first), count),
        Delivery::EndOfSession { .. } => sink.end_of_session(),
        Delivery::SessionStarted { .. } => sink.session_started(),
        Delivery::GapOpened { .. } => sink.gap_opened(),
        Delivery::GapClosed { .. } => sink.gap_closed(),
    }
}
