//! A strategy's side of lockstep: both connections as one sequence of steps.
//!
//! ```no_run
//! use spindle_engine::command::OrderSide;
//! use spindle_gateway::client::{LockstepClient, Login, NewOrder, Step};
//! use spindle_gateway::lockstep::Wait;
//! use spindle_types::{EventTime, Price, Quantity};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (ouch, tape) = ("127.0.0.1:8401".parse()?, "127.0.0.1:8402".parse()?);
//! let mut client = LockstepClient::connect(ouch, Some(tape), Login::new("maker1", "quote")?)?;
//! client.wait(&Wait::until(EventTime::at(9, 30, 0)))?;
//! while let Some(step) = client.next_step()? {
//!     match step {
//!         Step::Tape { number, message } => println!("message {number}: {message:?}"),
//!         Step::Own { message, .. } => println!("{message:?}"),
//!         Step::Turn(turn) => {
//!             let symbol = "AAPL".parse()?;
//!             client.enter(&NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(1_500_000)))?;
//!             client.wait(&Wait::until(EventTime(turn.time.0 + EventTime::SECOND)))?;
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use spindle_types::{OrderToken, Quantity};
use thiserror::Error;
use zerocopy::IntoBytes;

use super::machine::{ClientTiming, Disconnect, Login, Resume};
use super::order::{NewOrder, Replacement, cancel};
use super::tcp::ClientError;
use crate::client::ClientSession;
use crate::lockstep::{Turn, Wait};
use crate::ouch::outbound::Message;
use crate::soup::buffer::ReceiveBuffer;
use crate::soup::codec::{HEADER_LENGTH, PACKET_MAX, PAYLOAD_MAX, Packet, split};

/// Bytes read at once; the largest packet fits.
const RECEIVE_BYTES: usize = PACKET_MAX.next_power_of_two();

/// How long the answer to a login may take.
const LOGIN: Duration = Duration::from_secs(5);

/// What a strategy is told next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A message of the tape.
    Tape {
        /// Its number, from 1.
        number: u64,
        /// Its bytes, ITCH 5.0.
        message: &'a [u8],
    },
    /// Something happened to an own order.
    Own {
        /// The message's bytes, as OUCH has them.
        bytes: &'a [u8],
        /// The message.
        message: Message<'a>,
    },
    /// It is the strategy's turn: it asks what it wants and then waits.
    Turn(Turn),
}

/// Why a strategy cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StepError {
    /// A connection is over.
    #[error("{0}: {1}")]
    Disconnected(&'static str, Disconnect),
    /// The venue said something that is no OUCH message.
    #[error("a message that is none came on the order-entry session")]
    Unreadable,
    /// A step was asked for in the strategy's own turn.
    #[error("it is the strategy's turn: call wait before the next step")]
    OwnTurn,
    /// A request outside the strategy's turn.
    #[error("it is not the strategy's turn: requests are sent between a turn and a wait")]
    NotItsTurn,
}

/// One of the two connections.
struct Wire {
    what: &'static str,
    socket: TcpStream,
    input: ReceiveBuffer,
    over: bool,
}

/// A strategy in lockstep.
pub struct LockstepClient {
    ouch: Wire,
    tape: Option<Wire>,
    next_number: u32,
    /// Messages of the tape told so far.
    tape_told: u64,
    /// Messages of the venue that have come and are told with the next turn.
    own: VecDeque<Vec<u8>>,
    /// The turn that has been given and not been told.
    turn: Option<Turn>,
    in_turn: bool,
    /// The bytes of the last step.
    current: Vec<u8>,
}

impl LockstepClient {
    /// Connects to the tape, where a strategy wants it, and then for orders, and logs in on both. What
    /// is sent until the first wait is asked at the tape's first message.
    ///
    /// # Errors
    /// No connection, a refused login, or no answer in time.
    pub fn connect(
        ouch: SocketAddr,
        tape: Option<SocketAddr>,
        login: Login,
    ) -> Result<Self, ClientError> {
        let tape = tape.map(|address| Wire::open("the tape", address, login)).transpose()?;
        let ouch = Wire::open("order entry", ouch, login)?;
        Ok(Self {
            ouch,
            tape,
            next_number: 1,
            tape_told: 0,
            own: VecDeque::new(),
            turn: None,
            in_turn: true,
            current: Vec::new(),
        })
    }

    /// Enters an order and gives its number.
    ///
    /// # Errors
    /// See [`StepError`].
    pub fn enter(&mut self, order: &NewOrder) -> Result<OrderToken, StepError> {
        let number = OrderToken(self.next_number);
        self.send(order.message(number).as_bytes())?;
        self.next_number += 1;
        Ok(number)
    }

    /// Replaces an open order and gives the number of the replacement.
    ///
    /// # Errors
    /// See [`StepError`].
    pub fn replace(
        &mut self,
        original: OrderToken,
        replacement: &Replacement,
    ) -> Result<OrderToken, StepError> {
        let number = OrderToken(self.next_number);
        self.send(replacement.message(original, number).as_bytes())?;
        self.next_number += 1;
        Ok(number)
    }

    /// Cancels what is open of an order.
    ///
    /// # Errors
    /// See [`StepError`].
    pub fn cancel(&mut self, number: OrderToken) -> Result<(), StepError> {
        self.send(cancel(number, Quantity::ZERO).as_bytes())
    }

    /// Ends the turn: nothing more is asked until the next one.
    ///
    /// # Errors
    /// See [`StepError`].
    pub fn wait(&mut self, wait: &Wait) -> Result<(), StepError> {
        if !self.in_turn {
            return Err(StepError::NotItsTurn);
        }
        self.in_turn = false;
        self.ouch.write(&Packet::Debug(wait.text().as_bytes()))
    }

    /// Leaves the run. What is open stays open.
    pub fn logout(mut self) {
        // A connection that is gone needs no farewell.
        let _ = self.ouch.write(&Packet::LogoutRequest);
    }

    fn send(&mut self, message: &[u8]) -> Result<(), StepError> {
        if !self.in_turn {
            return Err(StepError::NotItsTurn);
        }
        self.ouch.write(&Packet::Unsequenced(message))
    }

    /// What comes next, in the one order that it has: messages of the tape, what happened to own orders
    /// at the moment behind them, and then the turn. `None` when the run is over. Blocks.
    ///
    /// # Errors
    /// See [`StepError`].
    pub fn next_step(&mut self) -> Result<Option<Step<'_>>, StepError> {
        if self.in_turn {
            return Err(StepError::OwnTurn);
        }
        let mut rounds = 0_u32;
        loop {
            if self.take_tape()? {
                self.tape_told += 1;
                let number = self.tape_told;
                return Ok(Some(Step::Tape { number, message: &self.current }));
            }
            let behind = self.tape.as_ref().is_some_and(|tape| {
                !tape.over && self.turn.is_none_or(|turn| self.tape_told < turn.messages)
            });
            if !behind && (self.turn.is_some() || self.ouch.over) {
                if let Some(bytes) = self.own.pop_front() {
                    self.current = bytes;
                    let bytes = self.current.as_slice();
                    let message = Message::decode(bytes).map_err(|_| StepError::Unreadable)?;
                    return Ok(Some(Step::Own { bytes, message }));
                }
                let turn = self.turn.take();
                self.in_turn = turn.is_some();
                return Ok(turn.map(Step::Turn));
            }
            if self.take_ouch()? {
                rounds = 0;
                continue;
            }
            rounds = rounds.saturating_add(1);
            if rounds < 2_000 {
                std::thread::yield_now();
            } else {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }

    /// Takes one message of the tape, if there is one.
    fn take_tape(&mut self) -> Result<bool, StepError> {
        let Some(tape) = &mut self.tape else {
            return Ok(false);
        };
        loop {
            let current = &mut self.current;
            let taken = tape.take(|packet| match packet {
                Packet::Sequenced(bytes) => {
                    current.clear();
                    current.extend_from_slice(bytes);
                    Ok(true)
                }
                Packet::EndOfSession => Ok(false),
                _ => Ok(false),
            })?;
            match taken {
                Some((true, _)) => return Ok(true),
                Some((false, ends)) => tape.over |= ends,
                None => return Ok(false),
            }
        }
    }

    /// Takes one packet of the order-entry session, if there is one.
    fn take_ouch(&mut self) -> Result<bool, StepError> {
        if self.ouch.over || self.turn.is_some() {
            return Ok(false);
        }
        let (own, turn) = (&mut self.own, &mut self.turn);
        let taken = self.ouch.take(|packet| {
            match packet {
                Packet::Sequenced(bytes) => own.push_back(bytes.to_vec()),
                Packet::Debug(text) => *turn = Turn::parse(text),
                _ => {}
            }
            Ok(true)
        })?;
        if let Some((_, ends)) = taken {
            self.ouch.over |= ends;
        }
        Ok(taken.is_some())
    }
}

impl Wire {
    fn open(what: &'static str, address: SocketAddr, login: Login) -> Result<Self, ClientError> {
        let failed = |cause| ClientError { address, cause };
        let connect = |error: std::io::Error| failed(Disconnect::Connect(error.kind()));
        let socket = TcpStream::connect_timeout(&address, LOGIN).map_err(connect)?;
        socket.set_nodelay(true).map_err(connect)?;
        socket.set_nonblocking(true).map_err(connect)?;
        let input = ReceiveBuffer::new(RECEIVE_BYTES);
        let mut wire = Self { what, socket, input, over: false };
        let session = ClientSession::new(login, Resume::START, ClientTiming::default(), 0);
        let cause = |error| match error {
            StepError::Disconnected(_, cause) => failed(cause),
            _ => failed(Disconnect::NoAnswer),
        };
        wire.write(&Packet::LoginRequest(&session.login_request())).map_err(cause)?;
        let begun = Instant::now();
        loop {
            let answer = wire.take(|packet| match packet {
                Packet::LoginAccepted(_) => Ok(true),
                Packet::LoginRejected(reason) => Err(Disconnect::Refused(reason)),
                _ => Ok(false),
            });
            match answer.map_err(cause)? {
                Some((true, _)) => return Ok(wire),
                Some((false, _)) => {}
                None if begun.elapsed() > LOGIN => return Err(failed(Disconnect::NoAnswer)),
                None => std::thread::sleep(Duration::from_micros(100)),
            }
        }
    }

    /// Hands the next packet on, if one has come whole; with what came of it, whether it is the end of
    /// the session.
    fn take(
        &mut self,
        mut each: impl FnMut(Packet<'_>) -> Result<bool, Disconnect>,
    ) -> Result<Option<(bool, bool)>, StepError> {
        let what = self.what;
        let failed = |cause| StepError::Disconnected(what, cause);
        loop {
            let packet = split(self.input.filled(), PAYLOAD_MAX + 1)
                .map_err(|error| failed(Disconnect::Frame(error)))?;
            if let Some((packet, length)) = packet {
                let ends = packet == Packet::EndOfSession;
                let taken = each(packet).map_err(failed)?;
                self.input.consume(length);
                return Ok(Some((taken, ends)));
            }
            if self.over {
                return Ok(None);
            }
            match self.socket.read(self.input.space()) {
                Ok(0) => return Err(failed(Disconnect::PeerClosed)),
                Ok(count) => self.input.commit(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(failed(Disconnect::Socket(error.kind()))),
            }
        }
    }

    fn write(&mut self, packet: &Packet<'_>) -> Result<(), StepError> {
        let failed = |kind| StepError::Disconnected(self.what, Disconnect::Socket(kind));
        let mut bytes = vec![0; HEADER_LENGTH + PAYLOAD_MAX.min(2_048)];
        let length = packet.write(&mut bytes).ok_or(failed(ErrorKind::InvalidInput))?;
        let mut left = &bytes[..length];
        while !left.is_empty() {
            match self.socket.write(left) {
                Ok(count) if count > 0 => left = &left[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Ok(_) => return Err(failed(ErrorKind::WriteZero)),
                Err(error) => return Err(failed(error.kind())),
            }
        }
        Ok(())
    }
}
