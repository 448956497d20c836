//! The client's side of a SoupBinTCP session: what a packet means, when a heartbeat is due, when
//! the link is dead. Packets and times in, decisions out; no socket.

use std::io;

use thiserror::Error;

use crate::ouch::DecodeError;
use crate::ouch::outbound::Message;
use crate::soup::codec::{
    ANY_SESSION, FrameError, LoginRequest, MARK, Packet, SessionName, format_number, padded_right,
};

/// A user's name and password, as a login carries them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Login {
    username: [u8; 6],
    password: [u8; 10],
}

/// Why a name or a password cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a user name has up to 6 printable ASCII characters, a password up to 10")]
pub struct LoginError;

impl Login {
    /// Name and password; case does not matter.
    ///
    /// # Errors
    /// A name longer than 6 or a password longer than 10 characters, or other characters than
    /// printable ASCII.
    pub fn new(username: &str, password: &str) -> Result<Self, LoginError> {
        Ok(Self {
            username: padded_right(username).ok_or(LoginError)?,
            password: padded_right(password).ok_or(LoginError)?,
        })
    }
}

impl std::fmt::Debug for Login {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.username.escape_ascii())
    }
}

/// Where in which session a login goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The session exactly as the server named it, or spaces for the current one.
    pub session: SessionName,
    /// The number of the next message wanted.
    pub sequence: u64,
}

impl Resume {
    /// The current session from its first message on.
    pub const START: Self = Self { session: ANY_SESSION, sequence: 1 };
}

/// The times of a client, all in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTiming {
    /// A heartbeat goes out when nothing else has for this long.
    pub heartbeat_ns: u64,
    /// The link is dead when nothing came for this long.
    pub silence_ns: u64,
    /// The connection and the answer to the login may take this long, together.
    pub login_ns: u64,
}

impl Default for ClientTiming {
    /// 1 s, 15 s, 5 s.
    fn default() -> Self {
        const SECOND: u64 = 1_000_000_000;
        Self { heartbeat_ns: SECOND, silence_ns: 15 * SECOND, login_ns: 5 * SECOND }
    }
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEvent<'a> {
    /// The login is accepted; requests can be sent.
    LoggedIn {
        /// The session.
        session: SessionName,
        /// The number of the next message.
        sequence: u64,
    },
    /// A message of the venue.
    Message {
        /// Its number.
        sequence: u64,
        /// The message.
        message: Message<'a>,
    },
    /// A message of the venue that this client does not know. The session goes on.
    Unreadable {
        /// Its number.
        sequence: u64,
        /// Its bytes.
        bytes: &'a [u8],
        /// What is wrong with them.
        error: DecodeError,
    },
    /// The answer to a [mark](super::OuchClient::mark).
    Mark,
    /// The connection is over. A reconnect goes on with the next message.
    Disconnected(Disconnect),
}

/// Why a client's connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Disconnect {
    /// The connection could not be made.
    #[error("cannot connect: {0}")]
    Connect(io::ErrorKind),
    /// The login was refused.
    #[error("login refused: {}", match .0 {
        b'A' => "unknown user or wrong password",
        b'S' => "the session or the sequence number is not available",
        _ => "unknown reason",
    })]
    Refused(u8),
    /// No connection or no answer to the login in time.
    #[error("no answer to the login in time")]
    NoAnswer,
    /// Nothing came for too long.
    #[error("nothing came for too long, not even a heartbeat")]
    Silent,
    /// The server closed the connection.
    #[error("the server closed the connection")]
    PeerClosed,
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Socket(io::ErrorKind),
    /// Bytes that are no packet.
    #[error("{0}")]
    Frame(FrameError),
    /// A packet that has no place here.
    #[error("unexpected packet type '{}'", char::from(*.0))]
    Unexpected(u8),
    /// The session ended: it cannot be resumed, the next login is to a new one.
    #[error("end of session")]
    EndOfSession,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    LoggingIn,
    Live,
}

/// The client's side of one session, over any number of connections.
#[derive(Clone, Copy, Debug)]
pub struct ClientSession {
    login: Login,
    timing: ClientTiming,
    phase: Phase,
    resume: Resume,
    opened: u64,
    received: u64,
    sent: u64,
}

impl ClientSession {
    /// A session that will log in at `resume`.
    pub fn new(login: Login, resume: Resume, timing: ClientTiming, now: u64) -> Self {
        let phase = Phase::LoggingIn;
        Self { login, timing, phase, resume, opened: now, received: now, sent: now }
    }

    /// A new connection begins; the login goes on where the session was.
    pub fn reopen(&mut self, now: u64) {
        (self.opened, self.received, self.sent) = (now, now, now);
        self.phase = Phase::LoggingIn;
    }

    /// Whether requests can be sent.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// The session, and the number of the next message.
    pub const fn resume(&self) -> Resume {
        self.resume
    }

    /// The login request to be sent first on a new connection.
    pub fn login_request(&self) -> LoginRequest {
        LoginRequest {
            username: self.login.username,
            password: self.login.password,
            session: self.resume.session,
            sequence: format_number(self.resume.sequence),
        }
    }

    /// A packet came: what it tells the client, if anything.
    ///
    /// # Errors
    /// The connection is over.
    #[inline]
    pub fn receive<'a>(
        &mut self,
        packet: Packet<'a>,
        now: u64,
    ) -> Result<Option<ClientEvent<'a>>, Disconnect> {
        self.received = now;
        match (self.phase, packet) {
            (Phase::Live, Packet::Debug(MARK)) => Ok(Some(ClientEvent::Mark)),
            (_, Packet::Debug(_)) | (Phase::Live, Packet::ServerHeartbeat) => Ok(None),
            (Phase::Live, Packet::Sequenced(bytes)) => {
                let sequence = self.resume.sequence;
                self.resume.sequence = sequence.saturating_add(1);
                Ok(Some(match Message::decode(bytes) {
                    Ok(message) => ClientEvent::Message { sequence, message },
                    Err(error) => ClientEvent::Unreadable { sequence, bytes, error },
                }))
            }
            (Phase::LoggingIn, Packet::LoginAccepted(accepted)) => {
                let sequence =
                    accepted.next_sequence().ok_or(Disconnect::Unexpected(packet.packet_type()))?;
                let session = accepted.session;
                self.resume = Resume { session, sequence };
                self.phase = Phase::Live;
                Ok(Some(ClientEvent::LoggedIn { session, sequence }))
            }
            (Phase::LoggingIn, Packet::LoginRejected(reason)) => Err(Disconnect::Refused(reason)),
            (Phase::Live, Packet::EndOfSession) => {
                self.resume = Resume::START;
                Err(Disconnect::EndOfSession)
            }
            (_, packet) => Err(Disconnect::Unexpected(packet.packet_type())),
        }
    }

    /// Something was sent.
    #[inline]
    pub const fn sent(&mut self, now: u64) {
        self.sent = now;
    }

    /// Lets time pass; whether a heartbeat is due.
    ///
    /// # Errors
    /// The connection is over.
    #[inline]
    pub fn tick(&self, now: u64) -> Result<bool, Disconnect> {
        match self.phase {
            Phase::LoggingIn if now.saturating_sub(self.opened) >= self.timing.login_ns => {
                Err(Disconnect::NoAnswer)
            }
            Phase::LoggingIn => Ok(false),
            Phase::Live if now.saturating_sub(self.received) >= self.timing.silence_ns => {
                Err(Disconnect::Silent)
            }
            Phase::Live => Ok(now.saturating_sub(self.sent) >= self.timing.heartbeat_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soup::codec::LoginAccepted;

    const SECOND: u64 = 1_000_000_000;

    fn session() -> ClientSession {
        let login = Login::new("ALICE", "PASS").expect("a login");
        ClientSession::new(login, Resume::START, ClientTiming::default(), 0)
    }

    fn live(now: u64) -> ClientSession {
        let mut session = session();
        let accepted = LoginAccepted::new(*b"     DAY01", 7);
        let event = session.receive(Packet::LoginAccepted(&accepted), now);
        let logged_in = ClientEvent::LoggedIn { session: *b"     DAY01", sequence: 7 };
        assert_eq!(event, Ok(Some(logged_in)));
        session.sent(now);
        session
    }

    #[test]
    fn the_login_asks_for_the_current_session_from_its_start() {
        let session = session();
        let request = session.login_request();
        assert_eq!((&request.username, &request.password), (b"ALICE ", b"PASS      "));
        assert_eq!((&request.session, &request.sequence), (&[b' '; 10], b"                   1"));
        assert_eq!(session.tick(5 * SECOND - 1), Ok(false));
        assert_eq!(session.tick(5 * SECOND), Err(Disconnect::NoAnswer));
        assert_eq!(Login::new("SEVENCH", "").err(), Some(LoginError));
        assert_eq!(format!("{:?}", session.login), "Login(ALICE )");
    }

    #[test]
    fn messages_are_numbered_and_nothing_else_is() {
        let mut session = live(0);
        let day = [&b"S"[..], &[0; 8], b"S"].concat();
        for sequence in 7..9 {
            assert_eq!(session.receive(Packet::Debug(b"hello"), 0), Ok(None));
            assert_eq!(session.receive(Packet::ServerHeartbeat, 0), Ok(None));
            let event = session.receive(Packet::Sequenced(&day), 0);
            let message = Message::decode(&day).expect("a message");
            assert_eq!(event, Ok(Some(ClientEvent::Message { sequence, message })));
        }
        let unknown = session.receive(Packet::Sequenced(b"?"), 0);
        let error = DecodeError::UnknownType(b'?');
        let event = ClientEvent::Unreadable { sequence: 9, bytes: b"?", error };
        assert_eq!(unknown, Ok(Some(event)));
        assert_eq!(session.resume(), Resume { session: *b"     DAY01", sequence: 10 });
        session.reopen(0);
        assert_eq!(&session.login_request().sequence, b"                  10");
        assert_eq!(&session.login_request().session, b"     DAY01");
    }

    #[test]
    fn heartbeats_are_due_in_own_silence_and_the_others_silence_is_the_end() {
        let mut session = live(SECOND);
        assert_eq!(session.tick(2 * SECOND - 1), Ok(false));
        assert_eq!(session.tick(2 * SECOND), Ok(true));
        session.sent(2 * SECOND);
        assert_eq!(session.tick(3 * SECOND - 1), Ok(false));
        assert_eq!(session.tick(16 * SECOND - 1), Ok(true));
        assert_eq!(session.tick(16 * SECOND), Err(Disconnect::Silent));
        assert_eq!(session.receive(Packet::ServerHeartbeat, 15 * SECOND), Ok(None));
        assert_eq!(session.tick(30 * SECOND - 1), Ok(true));
        assert_eq!(session.tick(30 * SECOND), Err(Disconnect::Silent));
    }

    #[test]
    fn what_has_no_place_ends_the_connection() {
        let mut early = session();
        let heartbeat = early.receive(Packet::ServerHeartbeat, 0);
        assert_eq!(heartbeat, Err(Disconnect::Unexpected(b'H')));
        let refused = early.receive(Packet::LoginRejected(b'S'), 0);
        assert_eq!(refused, Err(Disconnect::Refused(b'S')));
        let mut session = live(0);
        let own = session.receive(Packet::ClientHeartbeat, 0);
        assert_eq!(own, Err(Disconnect::Unexpected(b'R')));
        let end = session.receive(Packet::EndOfSession, 0);
        assert_eq!(end, Err(Disconnect::EndOfSession));
        assert_eq!(session.resume(), Resume::START, "the next login is to a new session");
    }
}
