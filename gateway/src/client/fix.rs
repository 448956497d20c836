//! The client of one FIX session over TCP: the same session machine as the venue's, from the other
//! end. It numbers its orders, keeps the session alive, asks for what it has missed, and tells what comes as
//! typed events. Connecting waits; nothing else does.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use spindle_engine::command::{OrderSide, TimeInForce};
use spindle_types::{EventTime, Price, Quantity, Symbol};
use thiserror::Error;

use crate::clock::{Clock, SystemClock};
use crate::fix::encode::Writer;
use crate::fix::entry::codes;
use crate::fix::session::{Close, Now, Received, Session, SessionConfig, SessionLimits};
use crate::fix::value::{self, Precision};
use crate::fix::{Frame, Message, Scratch, Version, frame, tag};
use crate::soup::buffer::ReceiveBuffer;

/// How long a connection and the answer to a Logon are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who logs on, and how.
#[derive(Clone)]
pub struct FixLogin {
    /// The version.
    pub version: Version,
    /// SenderCompID of what the client sends.
    pub comp_id: String,
    /// The venue's CompID.
    pub venue: String,
    /// Username, in 4.4; empty where none is wanted.
    pub username: String,
    /// Password, in 4.2 as RawData; empty where none is wanted.
    pub password: String,
    /// HeartBtInt, in seconds.
    pub heartbeat: u64,
}

impl FixLogin {
    /// A login without credentials and with a heartbeat every 30 s.
    pub fn new(version: Version, comp_id: &str, venue: &str) -> Self {
        Self {
            version,
            comp_id: comp_id.to_owned(),
            venue: venue.to_owned(),
            username: String::new(),
            password: String::new(),
            heartbeat: 30,
        }
    }

    /// The same with a name and a password.
    #[must_use]
    pub fn with(self, username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.to_owned(), ..self }
    }
}

impl std::fmt::Debug for FixLogin {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FixLogin({} {} to {})", self.version.name(), self.comp_id, self.venue)
    }
}

/// Why a client has no connection, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FixDisconnect {
    /// The connection cannot be made.
    #[error("cannot connect: {0}")]
    Connect(ErrorKind),
    /// The other side closed it. Before the Logon is answered: the Logon was refused.
    #[error("the other side closed the connection")]
    PeerClosed,
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Socket(ErrorKind),
    /// The session ended.
    #[error("{0}")]
    Session(Close),
    /// No answer to the Logon in time.
    #[error("no answer to the Logon within 5 s")]
    NoAnswer,
}

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FixSendError {
    /// The client is not logged on, or not any more.
    #[error("not logged on: wait for LoggedOn, or reconnect")]
    NotLoggedOn,
    /// The socket takes less than is sent.
    #[error("too much waits for the socket: poll, and send later")]
    Full,
    /// All numbers are used up.
    #[error("all 999,999,999 numbers of this client are used up: make a new one")]
    NumbersUsedUp,
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixOrder {
    /// Buy, or how it sells.
    pub side: OrderSide,
    /// Shares.
    pub quantity: Quantity,
    /// The instrument.
    pub symbol: Symbol,
    /// The limit in 1/10,000; `None` is a market order.
    pub limit: Option<Price>,
    /// How long it stays. A date is written as the time that it is, counted from today's midnight.
    pub time_in_force: TimeInForce,
}

impl FixOrder {
    /// A limit order for the day.
    pub const fn limit(side: OrderSide, quantity: Quantity, symbol: Symbol, limit: Price) -> Self {
        let time_in_force = TimeInForce::Day;
        Self { side, quantity, symbol, limit: Some(limit), time_in_force }
    }
}

/// What an execution report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionReport<'a> {
    /// Whether it is sent again and may have been seen.
    pub again: bool,
    /// MsgSeqNum.
    pub sequence: u64,
    /// ClOrdID, as the number that [`FixClient::enter`] gave; `None` where another client wrote it.
    pub id: Option<u64>,
    /// ClOrdID as it stands there.
    pub client_id: &'a [u8],
    /// OrigClOrdID, as such a number.
    pub original: Option<u64>,
    /// OrderID.
    pub order_id: &'a [u8],
    /// ExecID.
    pub exec_id: &'a [u8],
    /// ExecType.
    pub exec_type: u8,
    /// OrdStatus.
    pub status: u8,
    /// Shares executed, now: LastQty.
    pub last_quantity: Quantity,
    /// At which price: `LastPx`.
    pub last_price: Price,
    /// Shares executed in all.
    pub executed: Quantity,
    /// Shares open.
    pub open: Quantity,
    /// Text.
    pub text: &'a [u8],
}

/// What a client is told.
#[derive(Clone, Copy, Debug)]
pub enum FixEvent<'a> {
    /// The Logon is answered.
    LoggedOn,
    /// Something happened to an order.
    Report(ExecutionReport<'a>),
    /// A cancel or a replacement is refused.
    CancelRejected {
        /// ClOrdID of the request.
        id: Option<u64>,
        /// CxlRejReason.
        reason: u64,
        /// Text.
        text: &'a [u8],
    },
    /// A mass cancel is done.
    MassCanceled {
        /// ClOrdID of the request.
        id: Option<u64>,
        /// How many orders; `None` where it was refused.
        orders: Option<u64>,
    },
    /// The venue cannot deal with a message.
    BusinessRejected {
        /// BusinessRejectReason.
        reason: u64,
        /// Text.
        text: &'a [u8],
    },
    /// Any other message of the venue.
    Message(Message<'a>),
    /// The connection is over.
    Disconnected(FixDisconnect),
}

/// The numbers of a client's requests as ClOrdIDs. They must differ from those of the session's earlier clients, whose
/// numbers began at 1 as well, so the time at which the client was made stands before each.
#[derive(Clone, Copy, Debug)]
struct Ids {
    /// Microseconds since 1970 with the base 36, which last until 2085, and a hyphen.
    begin: [u8; Self::BEGIN],
    next: u64,
}

impl Ids {
    const BEGIN: usize = 11;
    /// What is left of the 20 characters of a ClOrdID holds it.
    const MAX: u64 = 999_999_999;

    fn new(utc_ns: u64) -> Self {
        let mut begin = [b'-'; Self::BEGIN];
        let mut left = utc_ns / 1_000;
        for digit in begin[..Self::BEGIN - 1].iter_mut().rev() {
            *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(left % 36) as usize];
            left /= 36;
        }
        Self { begin, next: 1 }
    }

    fn write(&self, body: &mut Writer<'_>, tag: u16, number: u64) {
        let (mut text, mut left) = ([0; Self::BEGIN + 20], number);
        let mut at = text.len();
        loop {
            at -= 1;
            text[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        at -= Self::BEGIN;
        text[at..at + Self::BEGIN].copy_from_slice(&self.begin);
        body.field(tag, &text[at..]);
    }

    /// The number that a ClOrdID of this client has.
    fn read(&self, text: &[u8]) -> Option<u64> {
        text.strip_prefix(&self.begin).and_then(value::uint)
    }
}

/// A client of one session.
#[derive(Debug)]
pub struct FixClient<C = SystemClock> {
    address: SocketAddr,
    login: FixLogin,
    socket: Option<TcpStream>,
    session: Session,
    limits: SessionLimits,
    scratch: Scratch,
    input: ReceiveBuffer,
    queued: Box<[u8]>,
    ids: Ids,
    was_up: bool,
    clock: C,
}

impl FixClient<SystemClock> {
    /// Connects, logs on with both sides' numbers from 1, and waits until the Logon is answered: at
    /// most 5 s. Everything after that is non-blocking.
    ///
    /// # Errors
    /// No connection, a refused Logon, or no answer in time.
    pub fn connect(address: SocketAddr, login: FixLogin) -> Result<Self, FixDisconnect> {
        let mut client = Self::begin(address, login, SystemClock::new())?;
        let begun = client.clock.now_ns();
        loop {
            let mut over = None;
            client.poll(&mut |event| {
                if let FixEvent::Disconnected(cause) = event {
                    over = Some(cause);
                }
            });
            if let Some(cause) = over {
                return Err(cause);
            }
            if client.is_live() {
                return Ok(client);
            }
            if u128::from(client.clock.now_ns() - begun) > PATIENCE.as_nanos() {
                return Err(FixDisconnect::NoAnswer);
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

impl<C: Clock> FixClient<C> {
    /// Connects and sends a Logon that begins both sides' numbers at 1; [`FixClient::poll`] tells of its answer.
    ///
    /// # Errors
    /// No connection.
    pub fn begin(address: SocketAddr, login: FixLogin, clock: C) -> Result<Self, FixDisconnect> {
        let limits = SessionLimits {
            store_bytes: 4 << 20,
            store_messages: 1 << 14,
            ..SessionLimits::default()
        };
        let session = Session::new(&SessionConfig {
            version: login.version,
            our_comp_id: login.comp_id.clone(),
            their_comp_id: login.venue.clone(),
            reset_on_logon: false,
            limits,
        });
        let mut client = Self {
            address,
            login,
            socket: None,
            session,
            limits,
            scratch: Scratch::new(),
            input: ReceiveBuffer::new(2 * limits.message_max),
            queued: vec![0; limits.message_max].into_boxed_slice(),
            ids: Ids::new(clock.utc_ns()),
            was_up: false,
            clock,
        };
        client.open(true)?;
        Ok(client)
    }

    /// Connects again and goes on with the numbers of the session: what was missed is asked for and
    /// told.
    ///
    /// # Errors
    /// No connection.
    pub fn reconnect(&mut self) -> Result<(), FixDisconnect> {
        self.open(false)
    }

    fn open(&mut self, reset: bool) -> Result<(), FixDisconnect> {
        self.drop_connection();
        let failed = |error: std::io::Error| FixDisconnect::Connect(error.kind());
        let socket = TcpStream::connect_timeout(&self.address, PATIENCE).map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        self.socket = Some(socket);
        let now = self.now();
        let FixLogin { heartbeat, username, password, .. } = &self.login;
        self.session.open(*heartbeat, reset, username.as_bytes(), password.as_bytes(), now);
        Ok(())
    }

    /// Closes the connection without a word, as a cut cable does. Numbers stay.
    pub fn drop_connection(&mut self) {
        self.socket = None;
        self.session.disconnected();
        self.input.clear();
        self.was_up = false;
    }

    /// Asks for the end of the session; [`FixClient::poll`] tells when it has come.
    pub const fn logout(&mut self) {
        self.session.close();
    }

    /// Whether requests can be sent.
    pub const fn is_live(&self) -> bool {
        self.socket.is_some() && self.session.is_up()
    }

    /// Whether there is a connection.
    pub const fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// The session: numbers of the next messages.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    fn now(&self) -> Now {
        Now { monotonic: self.clock.now_ns(), utc: self.clock.utc_ns() }
    }

    /// Enters an order and gives its ClOrdID. It is written at once, as far as the socket takes it.
    ///
    /// # Errors
    /// See [`FixSendError`]; nothing was sent then.
    pub fn enter(&mut self, order: &FixOrder) -> Result<u64, FixSendError> {
        let version = self.login.version;
        self.request(b'D', |body, ids, id, utc| {
            ids.write(body, tag::CL_ORD_ID, id);
            terms(body, version, order, utc);
        })
    }

    /// Replaces an order: its side and instrument must be those of the original, the quantity is
    /// that of the whole chain. Gives the ClOrdID that the order has from then on.
    ///
    /// # Errors
    /// See [`FixSendError`]; nothing was sent then.
    pub fn replace(&mut self, original: u64, order: &FixOrder) -> Result<u64, FixSendError> {
        let version = self.login.version;
        self.request(b'G', |body, ids, id, utc| {
            ids.write(body, tag::CL_ORD_ID, id);
            ids.write(body, tag::ORIG_CL_ORD_ID, original);
            terms(body, version, order, utc);
        })
    }

    /// Cancels an order and gives the ClOrdID of the request.
    ///
    /// # Errors
    /// See [`FixSendError`]; nothing was sent then.
    pub fn cancel(
        &mut self,
        original: u64,
        side: OrderSide,
        symbol: Symbol,
    ) -> Result<u64, FixSendError> {
        self.request(b'F', |body, ids, id, utc| {
            ids.write(body, tag::CL_ORD_ID, id);
            ids.write(body, tag::ORIG_CL_ORD_ID, original);
            instrument(body, side, symbol);
            body.time(tag::TRANSACT_TIME, utc, Precision::Milliseconds);
        })
    }

    /// Cancels everything that the account has open, over whatever session it came; in 4.4 alone.
    ///
    /// # Errors
    /// See [`FixSendError`]; nothing was sent then.
    pub fn mass_cancel(&mut self) -> Result<u64, FixSendError> {
        self.request(b'q', |body, ids, id, utc| {
            ids.write(body, tag::CL_ORD_ID, id);
            body.char(tag::MASS_CANCEL_REQUEST_TYPE, b'7');
            body.time(tag::TRANSACT_TIME, utc, Precision::Milliseconds);
        })
    }

    fn request(
        &mut self,
        msg_type: u8,
        write: impl FnOnce(&mut Writer<'_>, &Ids, u64, u64),
    ) -> Result<u64, FixSendError> {
        if !self.is_live() {
            return Err(FixSendError::NotLoggedOn);
        }
        if !self.session.takes_requests() {
            return Err(FixSendError::Full);
        }
        let (ids, now) = (self.ids, self.now());
        let id = ids.next;
        if id > Ids::MAX {
            return Err(FixSendError::NumbersUsedUp);
        }
        self.ids.next += 1;
        self.session.send(msg_type, false, now, |body| write(body, &ids, id, now.utc));
        self.flush();
        Ok(id)
    }

    /// Does a bounded amount of work: writes what waits, reads what came and tells it to `each`,
    /// keeps the session alive. Gives how many events were told.
    pub fn poll(&mut self, each: &mut impl FnMut(FixEvent<'_>)) -> usize {
        let mut events = 0;
        let mut tell = |event: FixEvent<'_>| {
            events += 1;
            each(event);
        };
        let now = self.now();
        self.flush();
        let read = self.read();
        self.take(now, &mut tell);
        let ended = self.session.tick(now).map_err(FixDisconnect::Session);
        self.flush();
        if self.socket.is_some()
            && let Err(cause) = read.and(ended)
        {
            self.drop_connection();
            tell(FixEvent::Disconnected(cause));
        }
        events
    }

    fn flush(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        while !self.session.output().is_empty() {
            match socket.write(self.session.output()) {
                Ok(count) if count > 0 => self.session.written(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // What the other side sent before it closed may still be there: reading finds the end.
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn read(&mut self) -> Result<(), FixDisconnect> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let space = self.input.space();
        if space.is_empty() {
            return Ok(());
        }
        match socket.read(space) {
            Ok(0) => Err(FixDisconnect::PeerClosed),
            Ok(count) => {
                self.input.commit(count);
                Ok(())
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(())
            }
            Err(error) => Err(FixDisconnect::Socket(error.kind())),
        }
    }

    fn take(&mut self, now: Now, tell: &mut impl FnMut(FixEvent<'_>)) {
        let Self { session, scratch, input, queued, limits, was_up, ids, .. } = self;
        let block_max = 2 * limits.message_max;
        while session.takes_requests() {
            if session.has_queued() {
                if let Some(length) = session.take_queued(queued)
                    && let Ok(message) = scratch.parse(&queued[..length])
                    && session.receive_queued(&message, now) == Received::Application
                {
                    tell(event(&message, ids));
                }
                continue;
            }
            match frame(input.filled(), limits.message_max, block_max) {
                Frame::More { skip } => {
                    input.consume(skip);
                    return;
                }
                Frame::Garbled { used, .. } => input.consume(used),
                Frame::Whole { start, end } => {
                    if let Ok(message) = scratch.parse(&input.filled()[start..end]) {
                        let received = session.receive(&message, now);
                        if session.is_up() && !*was_up {
                            *was_up = true;
                            tell(FixEvent::LoggedOn);
                        }
                        if received == Received::Application {
                            tell(event(&message, ids));
                        }
                    }
                    input.consume(end);
                }
            }
        }
    }
}

fn instrument(body: &mut Writer<'_>, side: OrderSide, symbol: Symbol) {
    body.char(tag::SIDE, codes::side(side));
    body.field(tag::SYMBOL, symbol.0.trim_ascii_end());
}

fn terms(body: &mut Writer<'_>, version: Version, order: &FixOrder, utc: u64) {
    if version == Version::Fix42 {
        body.char(tag::HANDL_INST, b'1');
    }
    body.uint(tag::ORDER_QTY, order.quantity.0.into());
    body.char(tag::ORD_TYPE, if order.limit.is_some() { b'2' } else { b'1' });
    if let Some(limit) = order.limit {
        body.price(tag::PRICE, limit);
    }
    instrument(body, order.side, order.symbol);
    body.char(tag::TIME_IN_FORCE, codes::time_in_force(order.time_in_force));
    body.time(tag::TRANSACT_TIME, utc, Precision::Milliseconds);
    let midnight = utc / value::DAY * value::DAY;
    if let TimeInForce::GoodTillDate(time) = order.time_in_force.from(EventTime(utc - midnight)) {
        body.time(tag::EXPIRE_TIME, midnight + time.0, Precision::Milliseconds);
    }
}

/// What a message of the venue says.
fn event<'a>(message: &Message<'a>, ids: &Ids) -> FixEvent<'a> {
    let number = |tag| message.get(tag).and_then(value::uint);
    let text = message.get(tag::TEXT).unwrap_or_default();
    let own = |tag| message.get(tag).and_then(|text| ids.read(text));
    let (id, original) = (own(tag::CL_ORD_ID), own(tag::ORIG_CL_ORD_ID));
    match message.msg_type() {
        b"8" => {
            let shares = |tag| {
                let value = message.get(tag).and_then(|value| value::quantity(value).ok());
                value.unwrap_or_default()
            };
            FixEvent::Report(ExecutionReport {
                again: message.is_yes(tag::POSS_DUP_FLAG),
                sequence: message.sequence().unwrap_or(0),
                id,
                client_id: message.get(tag::CL_ORD_ID).unwrap_or_default(),
                original,
                order_id: message.get(tag::ORDER_ID).unwrap_or_default(),
                exec_id: message.get(tag::EXEC_ID).unwrap_or_default(),
                exec_type: message.char(tag::EXEC_TYPE).unwrap_or(0),
                status: message.char(tag::ORD_STATUS).unwrap_or(0),
                last_quantity: shares(tag::LAST_QTY),
                last_price: message
                    .get(tag::LAST_PX)
                    .and_then(|price| value::price(price).ok())
                    .unwrap_or_default(),
                executed: shares(tag::CUM_QTY),
                open: shares(tag::LEAVES_QTY),
                text,
            })
        }
        b"9" => {
            FixEvent::CancelRejected { id, reason: number(tag::CXL_REJ_REASON).unwrap_or(0), text }
        }
        b"r" => FixEvent::MassCanceled { id, orders: number(tag::TOTAL_AFFECTED_ORDERS) },
        b"j" => FixEvent::BusinessRejected {
            reason: number(tag::BUSINESS_REJECT_REASON).unwrap_or(0),
            text,
        },
        _ => FixEvent::Message(*message),
    }
}
