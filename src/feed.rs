//! An outside feed put together: a receiver's packets through a stream's arbitration.

use std::net::SocketAddr;

use quanta::Clock;
use spindle_engine::agent::{MarketFeed, MarketSink};
use spindle_feed::receive::{
    LineConfig, OpenError, Path, PathChoice, ReceiveConfig, ReceiveStats, Receiver,
};
use spindle_feed::stream::{ConfigError, Counters, Delivery, Origin, Stream, StreamConfig};
use spindle_types::Sequence;
use thiserror::Error;

use crate::config::{FeedConfig, ReceivePath};

/// Why a feed does not start.
#[derive(Debug, Error)]
pub enum FeedError {
    /// A socket, a group or the receive path.
    #[error("{0}")]
    Open(#[from] OpenError),
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

/// A feed that is received.
pub struct LiveFeed {
    receiver: Receiver,
    stream: Stream,
    clock: Clock,
    addresses: Vec<SocketAddr>,
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

    /// One line on where the feed listens and how it is received, if there is one.
    pub fn describe(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Live(feed) => {
                let lines: Vec<_> = feed.addresses.iter().map(ToString::to_string).collect();
                Some(format!("{} by {}", lines.join(" and "), feed.receiver.chosen()))
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
            Self::Live(feed) => Some(feed.receiver.stats()),
        }
    }
}

impl LiveFeed {
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
        let stream = StreamConfig {
            lines: config.lines.len(),
            session: config.session,
            ..StreamConfig::default()
        };
        let receiver = Receiver::open(&receive)?;
        let addresses = (0..config.lines.len()).filter_map(|line| receiver.address(line)).collect();
        Ok(Self { receiver, stream: Stream::new(stream)?, clock: Clock::new(), addresses })
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
        let Self { receiver, stream, clock, .. } = self;
        let now = clock.delta_as_nanos(0, clock.raw());
        let packets = receiver.poll(|datagram| {
            sink.packet(datagram.received);
            let origin = Origin::Line(datagram.line);
            stream.on_datagram(origin, datagram.bytes, now, &mut |delivery| {
                deliver(sink, delivery);
            });
        });
        stream.on_timer(now, &mut |delivery| deliver(sink, delivery));
        packets
    }
}

#[inline]
fn deliver<S: MarketSink>(sink: &mut S, delivery: Delivery<'_>) {
    match delivery {
        Delivery::Message { sequence, bytes } => sink.message(Sequence(sequence), bytes),
        Delivery::Lost { first, count } => sink.lost(Sequence(first), count),
        Delivery::EndOfSession { .. } => sink.end_of_session(),
        Delivery::SessionStarted { .. }
        | Delivery::GapOpened { .. }
        | Delivery::GapClosed { .. } => {}
    }
}
