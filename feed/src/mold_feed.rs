//! A whole MoldUDP64 feed: sockets in, messages in order out.

use std::net::SocketAddr;

use spindle_types::ReceiveTime;
use thiserror::Error;

use crate::receive::{OpenError, ReceiveConfig, Receiver, RequestClient};
use crate::stream::{ConfigError, Delivery, Origin, Stream, StreamConfig};

/// Why a feed does not open.
#[derive(Debug, Error)]
pub enum FeedError {
    /// The sockets or the receive path.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The stream's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Receiver, request client and stream, wired together.
#[derive(Debug)]
pub struct MoldFeed {
    receiver: Receiver,
    requests: Option<RequestClient>,
    stream: Stream,
}

impl MoldFeed {
    /// Opens a feed. The numbers of lines and servers in `stream` are taken from `receive` and
    /// `servers`.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub fn open(
        receive: &ReceiveConfig,
        servers: &[SocketAddr],
        mut stream: StreamConfig,
    ) -> Result<Self, FeedError> {
        stream.lines = receive.lines.len();
        stream.requests.servers = servers.len();
        let stream = Stream::new(stream)?;
        let requests = if servers.is_empty() { None } else { Some(RequestClient::open(servers)?) };
        Ok(Self { receiver: Receiver::open(receive)?, requests, stream })
    }

    /// Takes what has arrived and does what is due at `now`, nanoseconds of a clock that never goes
    /// back. Each delivery comes with the kernel's receive time of the datagram that led to it, 0
    /// where that was the answer of a request server or a timer. Returns how many datagrams there
    /// were; 0 means idle.
    #[inline]
    pub fn poll(&mut self, now: u64, each: &mut impl FnMut(ReceiveTime, Delivery<'_>)) -> usize {
        let stream = &mut self.stream;
        let mut taken = self.receiver.poll(|datagram| {
            let origin = Origin::Line(datagram.line);
            stream.on_datagram(origin, datagram.bytes, now, &mut |delivery: Delivery<'_>| {
                each(datagram.received, delivery);
            });
        });
        if stream.is_gap_open() {
            let each = &mut |delivery: Delivery<'_>| each(ReceiveTime::default(), delivery);
            if let Some(requests) = &mut self.requests {
                taken +=
                    requests.poll(|bytes| stream.on_datagram(Origin::Server, bytes, now, each));
                while let Some(request) = stream.poll_request(now) {
                    requests.send(&request);
                }
            }
            stream.on_timer(now, each);
        }
        taken
    }

    /// The state machine: counters, phase, what is missing.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The receive path: chosen path, counters, fault.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// The socket to the request servers, where there are any.
    pub fn requests(&self) -> Option<&RequestClient> {
        self.requests.as_ref()
    }
}
