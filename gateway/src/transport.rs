//! One client's TCP connection: bytes between the socket and the machines.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::clock::Clock;
use crate::desk::Desk;
use crate::notice::{GatewayNotice, UserName};
use crate::soup::buffer::ReceiveBuffer;
use crate::soup::codec::{LoginRequest, split};
use crate::soup::server::{CloseCause, Inbound, Link, Timing};
use crate::soup::stream::Stream;

/// A connection of the gateway.
pub(crate) struct Connection {
    socket: TcpStream,
    peer: SocketAddr,
    link: Link,
    input: ReceiveBuffer,
    user: Option<usize>,
    /// When the bytes in `input` were read, in raw ticks.
    received: u64,
    /// Whether `input` may hold whole packets: taking them stopped before the end.
    stopped: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Everything is written and the sending side closed; what still comes is thrown away, because
    /// a socket closed over unread bytes takes back what was written last.
    Draining {
        until: u64,
    },
    Closed,
}

impl Connection {
    /// Takes over a socket that was just accepted.
    pub(crate) fn new(
        socket: TcpStream,
        peer: SocketAddr,
        timing: Timing,
        desk: &Desk,
        now: u64,
    ) -> std::io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            peer,
            link: Link::new(timing, now),
            input: ReceiveBuffer::new(desk.limits.read_bytes_max),
            user: None,
            received: 0,
            stopped: false,
            state: State::Open,
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Ends the session: the rest of the stream goes out, then the end.
    pub(crate) fn end(&mut self, now: u64) {
        self.link.end(now);
    }

    /// Closes at once.
    pub(crate) fn cut(&mut self, desk: &mut Desk, cause: CloseCause) {
        if self.state == State::Open {
            self.leave(desk, cause);
        }
        self.state = State::Closed;
    }

    fn leave(&mut self, desk: &mut Desk, cause: CloseCause) {
        let name = self.user.take().map(|user| {
            desk.disconnected(user);
            desk.users[user].name()
        });
        if matches!(cause, CloseCause::SlowConsumer { .. } | CloseCause::Stalled { .. }) {
            desk.stats.slow_consumers += 1;
        }
        if !matches!(cause, CloseCause::Refused(_)) {
            desk.notice(GatewayNotice::Closed { user: name, peer: self.peer, cause });
        }
    }

    /// Writes what waits, as far as the socket takes it. Gives how many writes were done.
    #[inline]
    pub(crate) fn flush(&mut self, desk: &mut Desk, now: u64) -> usize {
        if self.state != State::Open {
            return 0;
        }
        let mut writes = 0;
        // Bounded: control bytes, and the stream chunk by chunk up to a turn's worth.
        while writes < WRITES_MAX {
            let stream = self.user.map_or(Stream::NOTHING, |user| &desk.users[user].stream);
            let output = self.link.output(stream);
            if output.is_empty() {
                break;
            }
            let wanted = output.len();
            match self.socket.write(output) {
                Ok(0) => {
                    self.cut(desk, CloseCause::Socket(ErrorKind::WriteZero));
                    return writes;
                }
                Ok(count) => {
                    writes += 1;
                    self.link.written(stream, count, now);
                    if let Some(user) = self.user {
                        desk.sent(user, self.link.position());
                    }
                    if count < wanted {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.cut(desk, CloseCause::Socket(error.kind()));
                    return writes;
                }
            }
        }
        writes
    }

    /// Reads once and deals with what came. Gives how many packets were dealt with.
    #[inline]
    pub(crate) fn read(&mut self, desk: &mut Desk, clock: &impl Clock, now: u64) -> usize {
        match self.state {
            State::Open if self.link.is_closing() => return self.discard(desk, now),
            State::Open => {}
            State::Draining { .. } => return self.discard(desk, now),
            State::Closed => return 0,
        }
        let mut packets = 0;
        if self.stopped {
            packets = self.take_packets(desk, clock, now);
            if self.stopped {
                return packets;
            }
        }
        if self.state == State::Open && !self.link.is_closing() && self.fill(desk) {
            packets += self.take_packets(desk, clock, now);
        }
        packets
    }

    /// Reads once from the socket; whether something came.
    #[inline]
    fn fill(&mut self, desk: &mut Desk) -> bool {
        match self.socket.read(self.input.space()) {
            Ok(0) => self.cut(desk, CloseCause::PeerClosed),
            Ok(count) => {
                self.received = desk.stamp();
                self.input.commit(count);
                return true;
            }
            Err(error) if is_for_now(error.kind()) => {}
            Err(error) => self.cut(desk, CloseCause::Socket(error.kind())),
        }
        false
    }

    /// Takes packets out of the buffer, until there is no whole one, the ring to the engine is
    /// full, or the connection has had its share of this turn.
    #[inline]
    fn take_packets(&mut self, desk: &mut Desk, clock: &impl Clock, now: u64) -> usize {
        if self.stopped {
            // It was the venue that did not read, so the client was not silent.
            self.link.excuse(now);
            self.stopped = false;
        }
        for taken in 0..desk.limits.requests_max {
            if !desk.takes_requests() {
                desk.stats.ring_full += 1;
                self.stopped = true;
                return taken;
            }
            match self.take_packet(desk, clock, now) {
                Ok(true) => {}
                Ok(false) => return taken,
                Err(cause) => {
                    self.cut(desk, cause);
                    return taken;
                }
            }
        }
        self.stopped = true;
        desk.limits.requests_max
    }

    #[inline]
    fn take_packet(
        &mut self,
        desk: &mut Desk,
        clock: &impl Clock,
        now: u64,
    ) -> Result<bool, CloseCause> {
        let packet = split(self.input.filled(), desk.limits.packet_length_max);
        let Some((packet, length)) = packet.map_err(CloseCause::Frame)? else {
            return Ok(false);
        };
        match self.link.receive(packet, now)? {
            Inbound::Message(message) => {
                if let Some(user) = self.user {
                    desk.request(user, message, self.received, || clock.time_of_day())?;
                }
            }
            Inbound::Login(request) => {
                let request = *request;
                self.login(desk, &request, now);
            }
            Inbound::Nothing => {}
        }
        self.input.consume(length);
        Ok(true)
    }

    #[cold]
    fn login(&mut self, desk: &mut Desk, request: &LoginRequest, now: u64) {
        let peer = self.peer;
        match desk.login(request) {
            Ok((user, sequence)) => {
                self.user = Some(user);
                let (name, stream) = (desk.users[user].name(), &desk.users[user].stream);
                self.link.accept(desk.session_name(), sequence, stream, now);
                let next_sequence = stream.next_sequence();
                desk.notice(GatewayNotice::LoggedIn { user: name, peer, sequence, next_sequence });
            }
            Err(refusal) => {
                self.link.refuse(refusal, now);
                desk.stats.refused_logins += 1;
                let user = UserName(request.username);
                desk.notice(GatewayNotice::Refused { user, peer, refusal });
            }
        }
    }

    /// What is left of reading once the venue shuts down: see [`Connection::discard`].
    pub(crate) fn read_end(&mut self, desk: &mut Desk, now: u64) {
        let closing = self.state == State::Open && self.link.is_closing();
        if closing || matches!(self.state, State::Draining { .. }) {
            self.discard(desk, now);
        }
    }

    /// Reads once and throws it away, until the client has closed too.
    fn discard(&mut self, desk: &mut Desk, now: u64) -> usize {
        self.input.clear();
        let gone = match self.socket.read(self.input.space()) {
            Ok(count) => count == 0,
            Err(error) => !is_for_now(error.kind()),
        };
        let late = matches!(self.state, State::Draining { until } if now >= until);
        if gone || late {
            self.cut(desk, CloseCause::PeerClosed);
        }
        0
    }

    /// Lets time pass.
    #[inline]
    pub(crate) fn tick(&mut self, desk: &mut Desk, timing: &Timing, now: u64) {
        if self.state != State::Open {
            return;
        }
        if self.stopped {
            self.link.excuse(now);
        }
        let stream = self.user.map_or(Stream::NOTHING, |user| &desk.users[user].stream);
        let Err(cause) = self.link.tick(stream, desk.limits.backlog_bytes_max, now) else {
            return;
        };
        let written = matches!(cause, CloseCause::Refused(_) | CloseCause::EndOfSession);
        if written && self.socket.shutdown(Shutdown::Write).is_ok() {
            self.leave(desk, cause);
            self.state = State::Draining { until: now.saturating_add(timing.linger_ns) };
        } else {
            self.cut(desk, cause);
        }
    }
}

/// Writes to one connection in one turn at most: control bytes, then two chunks of the stream.
const WRITES_MAX: usize = 3;

const fn is_for_now(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
