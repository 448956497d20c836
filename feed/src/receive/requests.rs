//! The socket to the request servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use zerocopy::IntoBytes;

use super::OpenError;
use crate::stream::Request;

/// Answers taken in one poll at most.
const BATCH: usize = 64;

/// What the socket counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestStats {
    /// Requests sent.
    pub sent: u64,
    /// Requests that could not be sent. The stream takes them for unanswered.
    pub send_errors: u64,
    /// Datagrams from the servers.
    pub answers: u64,
    /// Datagrams from anyone else; dropped.
    pub strangers: u64,
}

/// Sends requests to the servers and takes their answers.
#[derive(Debug)]
pub struct RequestClient {
    socket: UdpSocket,
    servers: Vec<SocketAddr>,
    buffer: Box<[u8]>,
    stats: RequestStats,
}

impl RequestClient {
    /// A client of these servers, all IPv4 or all IPv6. It is bound to loopback when all of them
    /// are.
    ///
    /// # Errors
    /// Families mixed, or no socket to be had.
    pub fn open(servers: &[SocketAddr]) -> Result<Self, OpenError> {
        let first = servers.first().copied();
        let ipv6 = first.is_some_and(|server| server.is_ipv6());
        if let (Some(address), Some(other)) =
            (first, servers.iter().find(|server| server.is_ipv6() != ipv6))
        {
            return Err(OpenError::Family { line: 0, from: other.ip(), address });
        }
        let loopback = servers.iter().all(|server| server.ip().is_loopback());
        let local: IpAddr = match (ipv6, loopback) {
            (false, true) => Ipv4Addr::LOCALHOST.into(),
            (false, false) => Ipv4Addr::UNSPECIFIED.into(),
            (true, true) => Ipv6Addr::LOCALHOST.into(),
            (true, false) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let address = SocketAddr::new(local, 0);
        let failed = |error| OpenError::Socket {
            line: 0,
            what: "cannot open the socket to the request servers",
            address,
            error,
        };
        let socket = UdpSocket::bind(address).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let buffer = vec![0; usize::from(u16::MAX)].into_boxed_slice();
        Ok(Self { socket, servers: servers.to_vec(), buffer, stats: RequestStats::default() })
    }

    /// Sends a request. One that cannot be sent is counted and left to its timeout.
    pub fn send(&mut self, request: &Request) {
        let sent = match self.servers.get(request.server) {
            Some(server) => self.socket.send_to(request.header.as_bytes(), server).is_ok(),
            None => false,
        };
        self.stats.sent += u64::from(sent);
        self.stats.send_errors += u64::from(!sent);
    }

    /// Hands out answers that have arrived, without waiting, and returns how many datagrams there
    /// were. What is not from a server is dropped and counted.
    pub fn poll(&mut self, mut each: impl FnMut(&[u8])) -> usize {
        for taken in 0..BATCH {
            match self.socket.recv_from(&mut self.buffer) {
                Ok((length, from)) if self.servers.contains(&from) => {
                    self.stats.answers += 1;
                    each(&self.buffer[..length]);
                }
                Ok(_) => self.stats.strangers += 1,
                // A server that is not there shows here as a refused connection: the stream's
                // timeout deals with it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return taken,
                Err(_) => {}
            }
        }
        BATCH
    }

    /// What was counted so far.
    pub fn stats(&self) -> RequestStats {
        self.stats
    }
}
