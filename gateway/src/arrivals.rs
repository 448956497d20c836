//! Who may wait: newcomers, connections without a login, and sessions that are served aside. One slice serves one of
//! them; [`Pace`](crate::pace::Pace) says when there is one.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketFlags, acceptfrom_with};

use crate::clock::Clock;
use crate::close::CloseCause;
use crate::gateway::{Gateway, Listener, Speech};
use crate::line::Line;
use crate::notice::{Away, GatewayNotice};
use crate::options::Door;
use crate::transport::Connection;
use crate::wire::{Carrier, Wire};

/// Addresses that are asked about in one call.
const LISTENERS_AT_ONCE: usize = 4;

/// Asks and does not wait.
const NO_TIME: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Kinds of slices, which take turns.
const KINDS: u8 = 3;

/// Takes the next of those who wait to be accepted. Its socket does not block, which the one call asks for too, and sends at
/// once, which it has from its listener: a newcomer costs no call more than it must.
fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, peer) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    // Whoever is gone already has no address any more.
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
    Ok((socket.into(), peer.ok_or(ErrorKind::ConnectionAborted)?))
}

impl<C: Clock> Gateway<C> {
    /// Gives those who may wait their slice, if one is due: in a turn that had other work `busy`, or none. Where a slice
    /// costs nothing, as on a clock that stands still, all kinds come in one turn. How much was done.
    pub(crate) fn serve_aside(&mut self, busy: bool, now: u64) -> usize {
        // Before a login is looked at, so are all who may have left.
        if !self.read_all || !self.pace.is_due(now, busy) {
            return 0;
        }
        let mut work = 0;
        for _ in 0..KINDS {
            let began = self.clock.now_ns();
            if !self.pace.is_due(began, false) {
                break;
            }
            // A kind with nobody in it gives its slice to the next.
            for _ in 0..KINDS {
                self.kind = (self.kind + 1) % KINDS;
                let done = match self.kind {
                    0 => Some(usize::from(self.accept(now))),
                    1 => self.serve_stranger(now),
                    _ => self.serve_member_aside(now),
                };
                if let Some(done) = done {
                    work += done;
                    break;
                }
            }
            let guarded = self.members.iter().any(|member| !member.is_aside());
            let aside = self.members.iter().any(Connection::is_aside);
            let waited = work > 0 || aside || !self.crowd.is_empty();
            let ended = self.clock.now_ns();
            self.pace.spent(began, ended, guarded, waited);
            self.desk.stats_mut().aside.record(ended.saturating_sub(began));
        }
        work
    }

    /// Serves one of those without a login: writes, reads, lets time pass. `None` where there is none.
    fn serve_stranger(&mut self, now: u64) -> Option<usize> {
        if self.crowd.is_empty() {
            return None;
        }
        let at = self.next_stranger % self.crowd.len();
        self.next_stranger = at + 1;
        let connection = &mut self.crowd[at];
        let work = connection.serve_aside(&mut self.desk, &self.timing, now);
        if connection.is_closed() {
            self.crowd.swap_remove(at);
        } else if connection.has_user() {
            let connection = self.crowd.swap_remove(at);
            self.members.push(connection);
        }
        Some(work)
    }

    /// Serves one of the sessions that are served aside. `None` where there is none.
    fn serve_member_aside(&mut self, now: u64) -> Option<usize> {
        let count = self.members.len();
        let at = (0..count)
            .map(|step| (self.next_aside + step) % count)
            .find(|&at| self.members[at].is_aside())?;
        self.next_aside = at + 1;
        Some(self.members[at].serve_aside(&mut self.desk, &self.timing, now))
    }

    /// Whether somebody waits to be accepted. One call for all addresses, and a cheap one: to accept
    /// makes a socket before it looks whether there is anybody, which costs microseconds.
    fn has_newcomers(&self) -> bool {
        self.listeners.chunks(LISTENERS_AT_ONCE).any(|listeners| {
            let mut asked: [_; LISTENERS_AT_ONCE] = std::array::from_fn(|at| {
                let listener = listeners.get(at).unwrap_or(&listeners[0]);
                PollFd::new(&listener.socket, PollFlags::IN)
            });
            // Where the answer is a failure, accepting tells it.
            poll(&mut asked[..listeners.len()], Some(&NO_TIME)).map_or(true, |ready| ready > 0)
        })
    }

    /// Accepts one on one of the addresses. Whether there was one.
    fn accept(&mut self, now: u64) -> bool {
        if !self.has_newcomers() {
            return false;
        }
        // Who is looked at first moves on, so that a flood of one port leaves the other open.
        let count = self.listeners.len();
        self.first_listener = (self.first_listener + 1) % count.max(1);
        (0..count).any(|at| self.accept_from((self.first_listener + at) % count, now))
    }

    fn accept_from(&mut self, index: usize, now: u64) -> bool {
        let Some(Listener { socket, .. }) = self.listeners.get(index) else { return false };
        match accept(socket) {
            Ok((socket, peer)) => self.admit(socket, peer, index, now),
            Err(error) => self.accept_failed(error.kind()),
        }
        true
    }

    fn admit(&mut self, socket: TcpStream, peer: SocketAddr, index: usize, now: u64) {
        self.accept_failing = false;
        let Some(Listener { speech, door, .. }) = self.listeners.get(index) else { return };
        let speech = *speech;
        if let Some(why) = self.turns_away(peer, door) {
            return self.turn_away(peer, why);
        }
        let carrier = match &door.tls {
            None => Ok(Carrier::Plain(socket)),
            Some(tls) => {
                tls.accept(Box::new(socket)).map(|secure| Carrier::Secure(Box::new(secure)))
            }
        };
        match carrier {
            Ok(carrier) => self.take_over(carrier, peer, speech, now),
            Err(error) => {
                let cause = CloseCause::Socket(error.kind());
                self.desk.notice(GatewayNotice::Closed { user: None, peer, cause });
            }
        }
    }

    /// Why a newcomer is not taken, if it is not.
    fn turns_away(&self, peer: SocketAddr, door: &Door) -> Option<Away> {
        if !door.allow.admits(peer.ip()) {
            return Some(Away::Address);
        }
        let limits = self.desk.limits();
        if self.connections_open() >= limits.connections_max {
            return Some(Away::Full { connections_max: limits.connections_max });
        }
        let address = peer.ip().to_canonical();
        let same = |connection: &&Connection| connection.address().to_canonical() == address;
        let connections_max = limits.connections_by_address_max;
        let all = self.crowd.iter().chain(&self.members);
        let full = all.filter(same).count() >= connections_max;
        full.then_some(Away::AddressFull { connections_max })
    }

    fn turn_away(&mut self, peer: SocketAddr, why: Away) {
        self.desk.stats_mut().turned_away += 1;
        self.desk.notice(GatewayNotice::TurnedAway { peer, why });
    }

    fn take_over(&mut self, carrier: Carrier, peer: SocketAddr, speech: Speech, now: u64) {
        let line = match speech {
            Speech::Ouch => Line::new(self.timing, &self.desk, now),
            Speech::Fix => Line::fix(self.timing, &self.desk, now),
        };
        self.crowd.push(Connection::new(carrier, peer, line));
        self.desk.stats_mut().connections += 1;
        self.desk.notice(GatewayNotice::Connected { peer });
    }

    /// Takes over a connection that something else than a port of this gateway brought: a
    /// simulated network, or a stream that fails on purpose. Limits and lists of addresses hold for
    /// it too, TLS does not. False where it is turned away.
    pub fn adopt(&mut self, wire: Box<dyn Wire>, peer: SocketAddr, speech: Speech) -> bool {
        let why = self.turns_away(peer, &Door::default());
        match why {
            Some(why) => self.turn_away(peer, why),
            None => self.take_over(Carrier::Other(wire), peer, speech, self.clock.now_ns()),
        }
        why.is_none()
    }

    fn accept_failed(&mut self, error: ErrorKind) {
        // A client that was gone before it was accepted is no failure of this side.
        let harmless = matches!(
            error,
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
        );
        if !harmless && !self.accept_failing {
            self.accept_failing = true;
            self.desk.notice(GatewayNotice::AcceptFailed { error });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_accepted_does_not_block_and_sends_at_once() {
        let any = ([127, 0, 0, 1], 0).into();
        let (listener, address) =
            Listener::bind(any, Speech::Ouch, &Door::default()).expect("a free port");
        let client = TcpStream::connect(address).expect("it listens");
        let (mut socket, peer) = accept(&listener.socket).expect("somebody waits");
        assert_eq!(peer, client.local_addr().expect("an address"));
        assert!(socket.nodelay().expect("an option"));
        let read = socket.read(&mut [0]).expect_err("nothing was sent");
        assert_eq!(read.kind(), ErrorKind::WouldBlock);
        let nobody = accept(&listener.socket).expect_err("nobody else waits");
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    }
}
