//! The client over TCP. After it is connected, and from the beginning with
//! [`OuchClient::connect_later`], no call ever blocks.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use spindle_types::{OrderToken, Quantity};
use thiserror::Error;
use zerocopy::IntoBytes;

use super::machine::{ClientEvent, ClientSession, ClientTiming, Disconnect, Login, Resume};
use super::order::{NewOrder, Replacement, cancel};
use crate::clock::{Clock, SystemClock};
use crate::ouch::inbound;
use crate::ouch::outbound::Message;
use crate::soup::buffer::{ReceiveBuffer, SendBuffer};
use crate::soup::codec::{MARK, PACKET_MAX, PAYLOAD_MAX, Packet, split};

/// Bytes of requests that wait for the socket at most.
const SEND_BYTES: usize = 64 * 1024;

/// Bytes read at once; the largest packet fits.
const RECEIVE_BYTES: usize = PACKET_MAX.next_power_of_two();

/// Reads in one poll at most.
const READS_MAX: usize = 4;

/// Why a client could not connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{address}: {cause}")]
pub struct ClientError {
    /// Where to.
    pub address: SocketAddr,
    /// What happened.
    pub cause: Disconnect,
}

/// Why a request was not sent. It has used up no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The client is not logged in, or not any more.
    #[error("not logged in: wait for LoggedIn, or reconnect")]
    NotLoggedIn,
    /// The socket takes less than is sent.
    #[error("{SEND_BYTES} bytes wait for the socket: poll, and send later")]
    Full,
    /// All numbers are used up.
    #[error("all 4,294,967,295 order numbers of the day are used up")]
    NumbersUsedUp,
}

enum Connection {
    /// The three-way handshake is under way.
    Pending(TcpStream),
    Open(TcpStream),
    /// Over, but the client has not been told.
    Failed(Disconnect),
    Closed,
}

/// A client of one session. It numbers its orders, sends heartbeats, and keeps the number of the
/// next message, so that a reconnect misses nothing.
pub struct OuchClient<C = SystemClock> {
    address: SocketAddr,
    connection: Connection,
    session: ClientSession,
    input: ReceiveBuffer,
    output: SendBuffer,
    next_number: u32,
    clock: C,
}

impl OuchClient<SystemClock> {
    /// Connects, logs in to the current session from its first message on, and waits until the
    /// login is accepted: at most 5 s. Everything after that is non-blocking. The first poll tells
    /// the first message; [`ClientEvent::LoggedIn`] is not told.
    ///
    /// # Errors
    /// No connection, a refused login, or no answer in time.
    pub fn connect(address: SocketAddr, login: Login) -> Result<Self, ClientError> {
        let mut client = Self::connect_later(address, login, SystemClock::new());
        while !client.is_live() {
            let mut failed = None;
            let events = client.step(true, &mut |event| {
                if let ClientEvent::Disconnected(cause) = event {
                    failed = Some(cause);
                }
            });
            if let Some(cause) = failed {
                return Err(ClientError { address, cause });
            }
            if events == 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        Ok(client)
    }
}

impl<C: Clock> OuchClient<C> {
    /// Begins to connect and returns at once. [`OuchClient::poll`] then tells of the login, or of
    /// its failure.
    pub fn connect_later(address: SocketAddr, login: Login, clock: C) -> Self {
        Self::resume_later(address, login, Resume::START, ClientTiming::default(), clock)
    }

    /// Like [`OuchClient::connect_later`], from any message of any session on and with other
    /// times.
    pub fn resume_later(
        address: SocketAddr,
        login: Login,
        resume: Resume,
        timing: ClientTiming,
        clock: C,
    ) -> Self {
        let session = ClientSession::new(login, resume, timing, clock.now_ns());
        let mut client = Self {
            address,
            connection: Connection::Closed,
            session,
            input: ReceiveBuffer::new(RECEIVE_BYTES),
            output: SendBuffer::new(SEND_BYTES),
            next_number: 1,
            clock,
        };
        client.open();
        client
    }

    /// Begins a new connection in the place of the old one, if there is one, and goes on with the
    /// next message of the session. Returns at once.
    pub fn reconnect(&mut self) {
        self.session.reopen(self.clock.now_ns());
        self.input.clear();
        self.output.clear();
        self.open();
    }

    fn open(&mut self) {
        // The old connection is closed first: the venue refuses a second login of a live user.
        self.connection = Connection::Closed;
        self.connection = match begin_connect(self.address) {
            Ok(socket) => Connection::Pending(socket),
            Err(error) => Connection::Failed(Disconnect::Connect(error.kind())),
        };
        let request = self.session.login_request();
        self.output.push(&Packet::LoginRequest(&request));
    }

    /// Whether the login is accepted and the connection stands: requests can be sent.
    pub fn is_live(&self) -> bool {
        matches!(self.connection, Connection::Open(_)) && self.session.is_live()
    }

    /// Whether there is a connection or one is being made.
    pub const fn is_connected(&self) -> bool {
        !matches!(self.connection, Connection::Closed)
    }

    /// The session, and the number of the next message.
    pub const fn resume_point(&self) -> Resume {
        self.session.resume()
    }

    /// The number that the next order will have. It rises with every order sent, and when the
    /// venue answers an account query with a higher one.
    pub const fn next_number(&self) -> OrderToken {
        OrderToken(self.next_number)
    }

    /// Enters an order and gives its number. It is written at once, as far as the socket takes it.
    ///
    /// # Errors
    /// See [`SendError`]; nothing was sent then.
    pub fn enter(&mut self, order: &NewOrder) -> Result<OrderToken, SendError> {
        let number = self.usable_number()?;
        self.enter_as(number, order)
    }

    /// Enters an order with a number of the caller's choice. To repeat, after a reconnect, an
    /// order that has no answer: the venue ignores it if it knows the number.
    ///
    /// # Errors
    /// See [`SendError`]; nothing was sent then.
    pub fn enter_as(
        &mut self,
        number: OrderToken,
        order: &NewOrder,
    ) -> Result<OrderToken, SendError> {
        self.send(order.message(number).as_bytes())?;
        self.use_number(number);
        Ok(number)
    }

    /// Replaces an open order and gives the number of the replacement.
    ///
    /// # Errors
    /// See [`SendError`]; nothing was sent then.
    pub fn replace(
        &mut self,
        original: OrderToken,
        replacement: &Replacement,
    ) -> Result<OrderToken, SendError> {
        let number = self.usable_number()?;
        self.send(replacement.message(original, number).as_bytes())?;
        self.use_number(number);
        Ok(number)
    }

    /// Cancels what is open of an order.
    ///
    /// # Errors
    /// See [`SendError`]; nothing was sent then.
    pub fn cancel(&mut self, number: OrderToken) -> Result<(), SendError> {
        self.cancel_to(number, Quantity::ZERO)
    }

    /// Cancels so much of an order that it will not execute more than `quantity` in total.
    ///
    /// # Errors
    /// See [`SendError`]; nothing was sent then.
    pub fn cancel_to(&mut self, number: OrderToken, quantity: Quantity) -> Result<(), SendError> {
        self.send(cancel(number, quantity).as_bytes())
    }

    /// Asks the venue for the next usable number.
    ///
    /// # Errors
    /// See [`SendError`]; nothing was sent then.
    pub fn query(&mut self) -> Result<(), SendError> {
        self.send(&[inbound::AccountQuery::TYPE])
    }

    /// Asks for a mark: [`ClientEvent::Mark`] is told when every request sent before is answered and all that the venue
    /// had to tell until then is told. What a debug packet is not to other venues: they do not answer.
    ///
    /// # Errors
    /// See [`SendError`]; nothing was sent then.
    pub fn mark(&mut self) -> Result<(), SendError> {
        self.push(&Packet::Debug(MARK))
    }

    /// Sends the bytes of any OUCH message. Numbers in it are the caller's affair.
    ///
    /// # Errors
    /// See [`SendError`]; nothing was sent then.
    pub fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.push(&Packet::Unsequenced(message))
    }

    fn push(&mut self, packet: &Packet<'_>) -> Result<(), SendError> {
        if !self.is_live() {
            return Err(SendError::NotLoggedIn);
        }
        if !self.output.push(packet) {
            return Err(SendError::Full);
        }
        let now = self.clock.now_ns();
        self.flush(now);
        Ok(())
    }

    /// Closes the connection without a word, as a cut cable does.
    pub fn drop_connection(&mut self) {
        self.connection = Connection::Closed;
    }

    /// Logs out and closes. What was sent and is not yet answered comes at the next login.
    pub fn logout(&mut self) {
        if self.is_live() && self.output.push(&Packet::LogoutRequest) {
            let now = self.clock.now_ns();
            self.flush(now);
        }
        self.connection = Connection::Closed;
    }

    fn usable_number(&self) -> Result<OrderToken, SendError> {
        // The highest number is left out, so that there is always a next one.
        let free = self.next_number < u32::MAX;
        free.then_some(OrderToken(self.next_number)).ok_or(SendError::NumbersUsedUp)
    }

    fn use_number(&mut self, number: OrderToken) {
        self.next_number = self.next_number.max(number.0.saturating_add(1));
    }

    /// Does a bounded amount of work: writes what waits, reads what came and tells it to `each`,
    /// sends a heartbeat when one is due. Gives how many events were told.
    pub fn poll(&mut self, each: &mut impl FnMut(ClientEvent<'_>)) -> usize {
        self.step(false, each)
    }

    /// A poll; with `stop_at_login` it leaves what follows the login's answer for the next one.
    fn step(&mut self, stop_at_login: bool, each: &mut impl FnMut(ClientEvent<'_>)) -> usize {
        let now = self.clock.now_ns();
        let mut events = 0;
        let mut tell = |event: ClientEvent<'_>| {
            events += 1;
            each(event);
        };
        self.check_handshake();
        self.flush(now);
        if matches!(self.connection, Connection::Open(_))
            && let Err(cause) = self.take_packets(now, stop_at_login, &mut tell)
        {
            self.connection = Connection::Failed(cause);
        }
        for _ in 0..READS_MAX {
            if !self.read(now, stop_at_login, &mut tell) {
                break;
            }
        }
        if !matches!(self.connection, Connection::Closed | Connection::Failed(_)) {
            match self.session.tick(now) {
                Ok(true) if self.output.waiting().is_empty() => {
                    self.output.push(&Packet::ClientHeartbeat);
                    self.flush(now);
                }
                Ok(_) => {}
                Err(cause) => self.connection = Connection::Failed(cause),
            }
        }
        if let Connection::Failed(cause) = self.connection {
            self.connection = Connection::Closed;
            tell(ClientEvent::Disconnected(cause));
        }
        events
    }

    fn check_handshake(&mut self) {
        let Connection::Pending(socket) = &self.connection else {
            return;
        };
        self.connection = match socket.take_error() {
            Ok(Some(error)) | Err(error) => Connection::Failed(Disconnect::Connect(error.kind())),
            Ok(None) => match socket.peer_addr() {
                Err(error) if error.kind() == ErrorKind::NotConnected => return,
                Err(error) => Connection::Failed(Disconnect::Connect(error.kind())),
                Ok(_) => match std::mem::replace(&mut self.connection, Connection::Closed) {
                    Connection::Pending(socket) => Connection::Open(socket),
                    other => other,
                },
            },
        };
    }

    fn flush(&mut self, now: u64) {
        let Connection::Open(socket) = &mut self.connection else {
            return;
        };
        while !self.output.waiting().is_empty() {
            match socket.write(self.output.waiting()) {
                Ok(count) if count > 0 => {
                    self.output.written(count);
                    self.session.sent(now);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // What the server sent before it closed may still be there to be read, so only
                // what waits to be written is given up; reading then finds the end.
                Ok(_) | Err(_) => return self.output.clear(),
            }
        }
    }

    /// Reads once and tells what came. Whether there may be more.
    fn read(
        &mut self,
        now: u64,
        stop_at_login: bool,
        tell: &mut impl FnMut(ClientEvent<'_>),
    ) -> bool {
        let Connection::Open(socket) = &mut self.connection else {
            return false;
        };
        let space = self.input.space();
        let room = space.len();
        let cause = match socket.read(space) {
            Ok(0) => Disconnect::PeerClosed,
            Ok(count) => {
                self.input.commit(count);
                match self.take_packets(now, stop_at_login, tell) {
                    Ok(()) => return count == room && !stop_at_login,
                    Err(cause) => cause,
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == ErrorKind::Interrupted => return true,
            Err(error) => Disconnect::Socket(error.kind()),
        };
        self.connection = Connection::Failed(cause);
        false
    }

    fn take_packets(
        &mut self,
        now: u64,
        stop_at_login: bool,
        tell: &mut impl FnMut(ClientEvent<'_>),
    ) -> Result<(), Disconnect> {
        while let Some((packet, length)) = first_packet(self.input.filled())? {
            let event = self.session.receive(packet, now)?;
            if let Some(ClientEvent::Message {
                message: Message::AccountQueryResponse(answer, _),
                ..
            }) = event
            {
                self.next_number = self.next_number.max(answer.next_user_ref_num.get());
            }
            if let Some(event) = event {
                tell(event);
            }
            self.input.consume(length);
            if stop_at_login && self.session.is_live() {
                break;
            }
        }
        Ok(())
    }
}

fn first_packet(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Disconnect> {
    split(bytes, PAYLOAD_MAX + 1).map_err(Disconnect::Frame)
}

/// A socket on its way to the address.
fn begin_connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        // EINPROGRESS has no kind of its own in every version of the standard library.
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}
