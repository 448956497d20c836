//! The server's side of one connection: what may come when, which bytes go out next, and when it
//! is over. Bytes and times in, decisions out; no socket.
//!
//! A connection waits for its login, then sends a user's stream from the number asked for on, and
//! at the end lingers until its last bytes have left. Control packets (accepted, rejected,
//! heartbeat, end of session) never queue behind a full socket: a heartbeat is written only when
//! everything else has gone.

use super::codec::{LoginAccepted, LoginRequest, Packet, SessionName};
use super::login::Refusal;
use super::stream::{Cursor, Stream};

pub use crate::close::CloseCause;

/// The times of a connection, all in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A heartbeat goes out when nothing else has for this long.
    pub heartbeat_ns: u64,
    /// The connection is closed when nothing came for this long.
    pub silence_ns: u64,
    /// The connection is closed when no login came for this long.
    pub login_ns: u64,
    /// The connection is closed when bytes wait and the client has taken none for this long.
    pub stall_ns: u64,
    /// A login with wrong credentials is answered after this long, so that guessing takes time.
    pub refusal_ns: u64,
    /// How long the last bytes (a rejection, the end of the session) may take to leave.
    pub linger_ns: u64,
}

impl Timing {
    const SECOND: u64 = 1_000_000_000;
}

impl Default for Timing {
    /// The usual times: 1 s, 15 s, 30 s; 5 s for a stall and 1 s to linger; refusals at once.
    fn default() -> Self {
        Self {
            heartbeat_ns: Self::SECOND,
            silence_ns: 15 * Self::SECOND,
            login_ns: 30 * Self::SECOND,
            stall_ns: 5 * Self::SECOND,
            refusal_ns: 0,
            linger_ns: Self::SECOND,
        }
    }
}

/// What a packet asks of the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// A login; answer with [`Link::accept`] or [`Link::refuse`].
    Login(&'a LoginRequest),
    /// A message of the layer above.
    Message(&'a [u8]),
    /// A debug packet of who is logged in. It means nothing but in lockstep.
    Debug(&'a [u8]),
    /// Nothing.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for a login.
    Login,
    /// Sends the stream.
    Live,
    /// Sends what is left of the stream and then the end of the session.
    Ending,
    /// Its last bytes are leaving; nothing is read any more.
    Closing { cause: CloseCause, since: u64 },
}

/// Control packets on their way out.
#[derive(Clone, Copy, Debug)]
struct Control {
    bytes: [u8; 64],
    start: usize,
    end: usize,
}

impl Control {
    const EMPTY: Self = Self { bytes: [0; 64], start: 0, end: 0 };

    fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// There is room always: at most an acceptance, a heartbeat and an end of session can be under
    /// way, 39 bytes.
    fn push(&mut self, packet: Packet<'_>) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let written = packet.write(&mut self.bytes[self.end..]);
        debug_assert!(written.is_some(), "control packets fit their buffer");
        self.end += written.unwrap_or(0);
    }
}

/// The server's side of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    timing: Timing,
    phase: Phase,
    control: Control,
    cursor: Cursor,
    /// The stream's length when the login came: what lies before is replay and may take its time.
    replay_end: u64,
    opened: u64,
    received: u64,
    sent: u64,
    /// When the client last took bytes, or last had none to take.
    progressed: u64,
}

impl Link {
    /// A connection that has just been opened.
    pub fn new(timing: Timing, now: u64) -> Self {
        Self {
            timing,
            phase: Phase::Login,
            control: Control::EMPTY,
            cursor: Cursor::default(),
            replay_end: 0,
            opened: now,
            received: now,
            sent: now,
            progressed: now,
        }
    }

    /// Whether the user's stream is being sent.
    pub const fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    /// Whether nothing more is to be read: the last bytes are leaving.
    pub const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. } | Phase::Ending)
    }

    /// Whether what lay in the stream before the login is still being sent.
    #[inline]
    pub const fn is_replaying(&self) -> bool {
        self.is_live() && self.cursor.position() < self.replay_end
    }

    /// How far the stream is sent, in its bytes.
    pub const fn position(&self) -> u64 {
        self.cursor.position()
    }

    /// A packet came.
    ///
    /// # Errors
    /// A packet that has no place in the conversation, and a logout: close at once.
    #[inline]
    pub fn receive<'a>(&mut self, packet: Packet<'a>, now: u64) -> Result<Inbound<'a>, CloseCause> {
        self.received = now;
        match (self.phase, packet) {
            (Phase::Live, Packet::Debug(text)) => Ok(Inbound::Debug(text)),
            (Phase::Ending | Phase::Closing { .. }, _) | (_, Packet::Debug(_)) => {
                Ok(Inbound::Nothing)
            }
            (Phase::Login, Packet::LoginRequest(request)) => Ok(Inbound::Login(request)),
            (Phase::Live, Packet::Unsequenced(message)) => Ok(Inbound::Message(message)),
            (Phase::Live, Packet::ClientHeartbeat) => Ok(Inbound::Nothing),
            (Phase::Live, Packet::LogoutRequest) => Err(CloseCause::Logout),
            (Phase::Live, Packet::LoginRequest(_)) => Err(CloseCause::SecondLogin),
            (phase, packet) => Err(CloseCause::Unexpected {
                packet_type: packet.packet_type(),
                logged_in: phase == Phase::Live,
            }),
        }
    }

    /// Accepts the login: the stream goes on from message `sequence`, which
    /// [`admit`](super::login::admit) gave for it.
    pub fn accept(&mut self, session: SessionName, sequence: u64, stream: &Stream, now: u64) {
        debug_assert!(matches!(self.phase, Phase::Login), "one login for each connection");
        self.cursor = stream.find(sequence).unwrap_or_default();
        self.replay_end = stream.len_bytes();
        self.control.push(Packet::LoginAccepted(&LoginAccepted::new(session, sequence)));
        self.phase = Phase::Live;
        self.progressed = now;
    }

    /// Refuses the login and closes once the rejection has left.
    pub fn refuse(&mut self, refusal: Refusal, now: u64) {
        self.control.push(Packet::LoginRejected(refusal.code()));
        self.phase = Phase::Closing { cause: CloseCause::Refused(refusal), since: now };
    }

    /// Sends a debug packet of at most 48 bytes; false, and nothing is sent, while other bytes wait.
    pub fn say(&mut self, stream: &Stream, text: &[u8]) -> bool {
        let ready = self.is_live() && self.output(stream).is_empty() && text.len() <= 48;
        if ready {
            self.control.push(Packet::Debug(text));
        }
        ready
    }

    /// Ends the session: what is left of the stream goes out, then the end of the session, and the
    /// connection closes. Without a login it closes at once.
    pub fn end(&mut self, now: u64) {
        match self.phase {
            Phase::Login => {
                self.phase = Phase::Closing { cause: CloseCause::EndOfSession, since: now };
            }
            Phase::Live => self.phase = Phase::Ending,
            Phase::Ending | Phase::Closing { .. } => {}
        }
    }

    /// The bytes to write next, as far as they are in one piece; empty when there are none.
    #[inline]
    pub fn output<'a>(&'a self, stream: &'a Stream) -> &'a [u8] {
        let control = self.control.waiting();
        match self.phase {
            _ if !control.is_empty() => control,
            Phase::Live | Phase::Ending => stream.after(self.cursor),
            Phase::Login | Phase::Closing { .. } => &[],
        }
    }

    /// The first `count` bytes of [`Link::output`] were written; at least one.
    #[inline]
    pub fn written(&mut self, stream: &Stream, count: usize, now: u64) {
        if self.control.waiting().is_empty() {
            self.cursor = stream.advance(self.cursor, count);
        } else {
            self.control.start += count.min(self.control.waiting().len());
        }
        self.sent = now;
        self.progressed = now;
    }

    /// Lets time pass: to be called at each turn, after reading and before writing.
    ///
    /// # Errors
    /// The cause for which the connection is to be closed now.
    #[inline]
    pub fn tick(&mut self, stream: &Stream, backlog_max: u64, now: u64) -> Result<(), CloseCause> {
        let timing = self.timing;
        let waits = !self.output(stream).is_empty();
        let stalled = now.saturating_sub(self.progressed) >= timing.stall_ns;
        match self.phase {
            Phase::Login if now.saturating_sub(self.opened) >= timing.login_ns => {
                Err(CloseCause::NoLogin)
            }
            Phase::Login => Ok(()),
            Phase::Live if now.saturating_sub(self.received) >= timing.silence_ns => {
                Err(CloseCause::Silent)
            }
            Phase::Closing { cause, since } => {
                let late = now.saturating_sub(since) >= timing.linger_ns;
                if late || !waits { Err(cause) } else { Ok(()) }
            }
            Phase::Live | Phase::Ending if waits && stalled => {
                let waiting = stream.len_bytes() - self.cursor.position();
                Err(CloseCause::Stalled { waiting })
            }
            Phase::Live => self.live_tick(stream, backlog_max, waits, now),
            Phase::Ending => {
                if !waits {
                    self.control.push(Packet::EndOfSession);
                    let cause = CloseCause::EndOfSession;
                    self.phase = Phase::Closing { cause, since: now };
                }
                Ok(())
            }
        }
    }

    #[inline]
    fn live_tick(
        &mut self,
        stream: &Stream,
        waiting_max: u64,
        waits: bool,
        now: u64,
    ) -> Result<(), CloseCause> {
        if waits {
            let begin = self.cursor.position().max(self.replay_end);
            let waiting = stream.len_bytes() - begin;
            if waiting > waiting_max {
                return Err(CloseCause::SlowConsumer { waiting, waiting_max });
            }
            return Ok(());
        }
        self.progressed = now;
        if now.saturating_sub(self.sent) >= self.timing.heartbeat_ns {
            self.control.push(Packet::ServerHeartbeat);
        }
        Ok(())
    }

    /// The venue did not read from this connection for a while, so its silence says nothing: the
    /// time without a sign of life starts anew.
    pub fn excuse(&mut self, now: u64) {
        self.received = now;
    }
}
