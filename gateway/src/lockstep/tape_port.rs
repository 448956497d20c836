//! The tape over TCP: ITCH messages as sequenced data of SoupBinTCP.
//!
//! Nothing is kept for who comes later: strategies log in before the first message.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::desk::Desk;
use crate::soup::buffer::ReceiveBuffer;
use crate::soup::codec::{LoginAccepted, PACKET_MAX, Packet, SessionName, split};
use crate::soup::login::{Refusal, Standing, admit};

/// Bytes that wait for a client before they are written without having been asked for.
const WRITE_AT: usize = 64 << 10;

/// Bytes that wait for a client at most before the run waits for it.
const WAITING_MAX: usize = 16 << 20;

/// Bytes read at once: clients send logins and heartbeats.
const READ_BYTES: usize = 4 << 10;

/// Clients of the tape.
pub(super) struct TapePort {
    listener: Option<TcpListener>,
    clients: Vec<Client>,
    session: SessionName,
}

struct Client {
    socket: TcpStream,
    input: ReceiveBuffer,
    output: Vec<u8>,
    written: usize,
    user: Option<usize>,
    closing: bool,
    gone: bool,
}

impl TapePort {
    pub(super) fn bind(address: SocketAddr, session: SessionName) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener: Some(listener), clients: Vec::new(), session })
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Takes in who comes and answers logins, without waiting. Gives how much was done.
    pub(super) fn gather(&mut self, desk: &mut Desk) -> usize {
        let mut work = 0;
        if let Some(listener) = &self.listener
            && self.clients.len() < desk.limits().connections_max
            && let Ok((socket, _)) = listener.accept()
            && socket.set_nonblocking(true).is_ok()
            && socket.set_nodelay(true).is_ok()
        {
            self.clients.push(Client::new(socket));
            work += 1;
        }
        for at in 0..self.clients.len() {
            work += self.serve(at, desk);
        }
        self.clients.retain(|client| !client.gone);
        work
    }

    fn serve(&mut self, at: usize, desk: &mut Desk) -> usize {
        let taken: Vec<usize> = self.clients.iter().filter_map(|client| client.user).collect();
        let client = &mut self.clients[at];
        let work = client.read();
        if client.user.is_none()
            && let Some(request) = client.login()
        {
            let user = desk.user_of(&request);
            let decision = user.ok_or(Refusal::NotAuthorized).and_then(|user| {
                let logged_in = taken.contains(&user);
                let session = self.session;
                admit(&request, &Standing { session, next_sequence: 1, logged_in, ended: false })
            });
            match decision {
                Ok(sequence) => {
                    client.user = user;
                    let accepted = LoginAccepted::new(self.session, sequence);
                    client.push(&Packet::LoginAccepted(&accepted));
                }
                Err(refusal) => {
                    client.push(&Packet::LoginRejected(refusal.code()));
                    client.closing = true;
                }
            }
        }
        client.write();
        work
    }

    /// Nobody else is taken in.
    pub(super) fn close(&mut self) {
        self.listener = None;
        self.clients.retain(|client| client.user.is_some());
    }

    /// Adds a message for all. False where somebody has to be waited for: see [`TapePort::is_full`].
    #[inline]
    pub(super) fn send(&mut self, message: &[u8]) {
        for client in &mut self.clients {
            client.push(&Packet::Sequenced(message));
            if client.waiting() >= WRITE_AT {
                client.write();
            }
        }
    }

    /// A user for whom so much waits that nothing more is to be sent.
    #[inline]
    pub(super) fn is_full(&self) -> Option<usize> {
        let full = self.clients.iter().find(|client| client.waiting() >= WAITING_MAX);
        full.and_then(|client| client.user)
    }

    /// Writes what waits for a user, as far as it goes now: whether all has left.
    pub(super) fn flush(&mut self, user: usize) -> bool {
        let found = self.clients.iter_mut().find(|client| client.user == Some(user));
        found.is_none_or(|client| {
            client.write();
            client.waiting() == 0
        })
    }

    /// A sign of life to all who have none on its way, and what they sent is thrown away.
    pub(super) fn beat(&mut self) {
        for client in &mut self.clients {
            client.discard();
            if client.waiting() == 0 {
                client.push(&Packet::ServerHeartbeat);
            }
            client.write();
        }
        self.clients.retain(|client| !client.gone);
    }

    /// The end of the session, for all.
    pub(super) fn end(&mut self) {
        for client in &mut self.clients {
            client.push(&Packet::EndOfSession);
        }
    }

    /// The user is gone.
    pub(super) fn leave(&mut self, user: usize) {
        self.clients.retain(|client| client.user != Some(user));
    }
}

impl Client {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            input: ReceiveBuffer::new(READ_BYTES),
            output: Vec::new(),
            written: 0,
            user: None,
            closing: false,
            gone: false,
        }
    }

    fn waiting(&self) -> usize {
        if self.gone { 0 } else { self.output.len() - self.written }
    }

    fn push(&mut self, packet: &Packet<'_>) {
        if self.gone {
            return;
        }
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        }
        let start = self.output.len();
        self.output.resize(start + packet.wire_length(), 0);
        let written = packet.write(&mut self.output[start..]);
        debug_assert!(written.is_some(), "a message of a tape is far shorter than a packet may be");
    }

    fn write(&mut self) {
        while self.waiting() > 0 {
            match self.socket.write(&self.output[self.written..]) {
                Ok(0) => self.gone = true,
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
        }
        self.gone |= self.closing;
    }

    fn read(&mut self) -> usize {
        let space = self.input.space();
        if space.is_empty() {
            self.gone = true;
            return 0;
        }
        match self.socket.read(space) {
            Ok(0) => self.gone = true,
            Ok(count) => {
                self.input.commit(count);
                return count;
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.gone = true,
        }
        0
    }

    fn discard(&mut self) {
        while self.read() > 0 {
            self.input.clear();
        }
    }

    /// The login, when it is there whole; whatever else comes first ends the connection.
    fn login(&mut self) -> Option<crate::soup::codec::LoginRequest> {
        let (request, length) = match split(self.input.filled(), PACKET_MAX) {
            Ok(None) => return None,
            Ok(Some((Packet::LoginRequest(request), length))) => (*request, length),
            Ok(Some(_)) | Err(_) => {
                self.gone = true;
                return None;
            }
        };
        self.input.consume(length);
        Some(request)
    }
}
