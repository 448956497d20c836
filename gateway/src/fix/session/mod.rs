//! One FIX session: its numbers, what it must answer by itself, what it sends again, and its times.
//! Messages and times in, bytes and messages for the application out; no socket and no clock.
//!
//! A session outlives its connections. Both sides number their messages from 1; a number that is
//! missing is asked for, and what came beyond the gap waits. What the application sends while nobody is
//! connected is numbered and stored, so that the peer finds the gap at its next logon and asks for it.
//!
//! While stored messages are sent again nothing new overtakes them: new application messages are held in
//! the store and follow, and no request is taken.

mod inbound;
mod outbound;

use spindle_types::keep;
use thiserror::Error;

use super::dictionary::Version;
use super::output::Output;
use super::queue::Queue;
use super::store::Store;

const SECOND: u64 = 1_000_000_000;

/// How long a client waits for the answer to its Logon.
const LOGON_NS: u64 = 10 * SECOND;

/// The time of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct Now {
    /// Nanoseconds on a clock that never goes back.
    pub monotonic: u64,
    /// Nanoseconds since 1970, in UTC.
    pub utc: u64,
}

/// Capacities and times of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// The largest message that is taken, in bytes.
    pub message_max: usize,
    /// Bytes of sent application messages that are kept.
    pub store_bytes: usize,
    /// Sent application messages that are kept.
    pub store_messages: usize,
    /// Bytes that may wait beyond a gap.
    pub queue_bytes: usize,
    /// Messages that may wait beyond a gap.
    pub queue_messages: usize,
    /// Bytes that wait for the socket at most; what does not fit follows from the store.
    pub output_bytes: usize,
    /// How far SendingTime may be from now, in nanoseconds.
    pub latency_ns: u64,
    /// The longest HeartBtInt that is taken, in seconds.
    pub heartbeat_max: u64,
    /// How long the answer to a Logout is waited for, in nanoseconds.
    pub logout_ns: u64,
}

impl Default for SessionLimits {
    /// Messages of 8 KiB; 64 MiB and 262,144 messages to send again; 256 KiB and 1,024 messages beyond
    /// a gap; two minutes of latency, an hour between heartbeats, 2 s for a Logout.
    fn default() -> Self {
        Self {
            message_max: 8 * 1024,
            store_bytes: 64 << 20,
            store_messages: 1 << 18,
            queue_bytes: 256 * 1024,
            queue_messages: 1_024,
            output_bytes: 64 * 1024,
            latency_ns: 120 * SECOND,
            heartbeat_max: 3_600,
            logout_ns: 2 * SECOND,
        }
    }
}

/// Who talks with whom, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The version that both speak.
    pub version: Version,
    /// SenderCompID of what is sent here.
    pub our_comp_id: String,
    /// SenderCompID of what comes.
    pub their_comp_id: String,
    /// Whether numbers begin anew at each logon, also when it does not ask for that.
    pub reset_on_logon: bool,
    /// Capacities and times.
    pub limits: SessionLimits,
}

/// Why a connection of a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, keep::Value)]
pub enum Close {
    /// The peer logged out.
    #[error("logout")]
    Logout,
    /// The venue logged the peer out, and it agreed.
    #[error("logged out by the venue: {0}")]
    LoggedOut(Why),
    /// The venue logged the peer out, and it did not answer.
    #[error("logged out by the venue: {0}; no answer")]
    NoAnswer(Why),
    /// The venue said why and closed at once.
    #[error("{0}")]
    Fatal(Why),
    /// Nothing came for 2.4 times HeartBtInt, not even an answer to a TestRequest.
    #[error("nothing came for too long, not even an answer to a TestRequest")]
    Silent,
    /// The first message is no Logon.
    #[error("the first message is no valid Logon")]
    NoLogon,
    /// The first message is a Logon of nobody, or with wrong credentials.
    #[error("Logon with unknown CompIDs or wrong credentials")]
    Unknown,
    /// The session may not come from where it comes.
    #[error("the session may not log on from this address")]
    Address,
    /// The session is logged on already.
    #[error("the session is logged on already on another connection")]
    AlreadyLoggedOn,
    /// The Logon itself is invalid.
    #[error("Logon refused: {0}")]
    LogonRefused(Why),
}

/// What a session found wrong for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, keep::Value)]
pub enum Why {
    /// The day is over.
    #[error("the day is over")]
    EndOfDay,
    /// BeginString is another.
    #[error("Incorrect BeginString")]
    BeginString,
    /// A message whose number is used and that is no repetition.
    #[error("MsgSeqNum too low, expecting {expected} but received {received}")]
    TooLow {
        /// The next number.
        expected: u64,
        /// The number that came.
        received: u64,
    },
    /// MsgSeqNum is missing or no number.
    #[error("MsgSeqNum missing")]
    NoSequence,
    /// CompIDs are others than at logon.
    #[error("CompID problem")]
    CompId,
    /// SendingTime is too far off.
    #[error("SendingTime accuracy problem")]
    SendingTime,
    /// More messages beyond a gap than may wait.
    #[error("Too many messages beyond a gap")]
    QueueFull,
    /// More requests than the session may send.
    #[error("Too many requests")]
    Throttled,
    /// A Logon on a session that is logged on.
    #[error("Already logged on")]
    LogonTwice,
    /// The Logon breaks the tables.
    #[error("invalid field")]
    Invalid,
    /// HeartBtInt is out of range.
    #[error("HeartBtInt out of range")]
    HeartBtInt,
    /// EncryptMethod is not 0.
    #[error("EncryptMethod not offered")]
    EncryptMethod,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
enum State {
    /// Nobody is connected.
    Down,
    /// A Logon was sent, on the client's side; its answer is awaited.
    LogonSent { since: u64 },
    /// Logged on.
    Up,
    /// A Logout was sent; its answer is awaited.
    LogoutSent { since: u64, why: Why },
    /// The last bytes are leaving.
    Closing(Close),
}

/// Stored messages that are being sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
struct Replay {
    next: u64,
    end: u64,
}

/// What was asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
struct Asked {
    from: u64,
    /// The number that showed the gap.
    until: u64,
}

/// What is left to do about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Nothing.
    Nothing,
    /// It is a message for the application, and its turn: hand it on.
    Application,
}

/// One session.
#[derive(Debug, keep::State)]
pub struct Session {
    #[keep(skip)]
    version: Version,
    #[keep(skip)]
    ours: Box<[u8]>,
    #[keep(skip)]
    theirs: Box<[u8]>,
    #[keep(skip)]
    reset_on_logon: bool,
    #[keep(skip)]
    limits: SessionLimits,
    state: State,
    /// The number of the next message that comes.
    next_in: u64,
    /// The number of the next message that goes.
    next_out: u64,
    heartbeat_ns: u64,
    received_at: u64,
    sent_at: u64,
    test_request: bool,
    asked: Option<Asked>,
    /// Whether a ResendRequest has to go out once the replay under way is done.
    ask_later: Option<u64>,
    replay: Option<Replay>,
    /// The first application message that has not gone to the peer that is connected.
    held: Option<u64>,
    /// Whether a Logout has to go out when everything else has.
    ending: bool,
    queue: Queue,
    store: Store,
    output: Output,
    #[keep(skip)]
    body: Box<[u8]>,
}

impl Session {
    /// A session whose day begins.
    pub fn new(config: &SessionConfig) -> Self {
        let limits = config.limits;
        Self {
            version: config.version,
            ours: config.our_comp_id.as_bytes().into(),
            theirs: config.their_comp_id.as_bytes().into(),
            reset_on_logon: config.reset_on_logon,
            limits,
            state: State::Down,
            next_in: 1,
            next_out: 1,
            heartbeat_ns: 0,
            received_at: 0,
            sent_at: 0,
            test_request: false,
            asked: None,
            ask_later: None,
            replay: None,
            held: None,
            ending: false,
            queue: Queue::new(limits.queue_bytes, limits.queue_messages),
            store: Store::new(limits.store_bytes, limits.store_messages),
            output: Output::new(limits.output_bytes.max(least_output(&limits))),
            body: vec![0; limits.message_max].into_boxed_slice(),
        }
    }

    /// Touches its memory once. Nothing has been sent yet.
    pub fn warm_up(&mut self) {
        self.store.warm_up();
    }

    /// The version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// SenderCompID of the peer.
    pub fn their_comp_id(&self) -> &[u8] {
        &self.theirs
    }

    /// Whether a Logon with these CompIDs is meant for this session.
    pub fn is_of(&self, version: Version, sender: &[u8], target: &[u8]) -> bool {
        self.version == version && *self.theirs == *sender && *self.ours == *target
    }

    /// Whether a connection is logged on, or still leaving.
    pub const fn is_taken(&self) -> bool {
        !matches!(self.state, State::Down)
    }

    /// Whether messages go out as they come up.
    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Up)
    }

    /// Whether nothing more is to be read: the last bytes are leaving.
    pub const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing(_))
    }

    /// Whether it is closing because the peer logged out, or agreed to be logged out.
    pub const fn is_closing_by_logout(&self) -> bool {
        matches!(self.state, State::Closing(Close::Logout | Close::LoggedOut(_)))
    }

    /// The number of the next message that comes.
    pub const fn next_in(&self) -> u64 {
        self.next_in
    }

    /// The number of the next message that goes.
    pub const fn next_out(&self) -> u64 {
        self.next_out
    }

    /// Whether new orders are to be refused, because little room is left to store what is sent.
    #[inline]
    pub fn is_nearly_full(&self) -> bool {
        self.store.is_nearly_full()
    }

    /// Bytes of the messages that are kept to be sent again.
    pub const fn stored_bytes(&self) -> u64 {
        self.store.used_bytes()
    }

    /// Messages that can no longer be sent again.
    pub const fn evicted(&self) -> u64 {
        self.store.evicted()
    }

    /// Whether a request can be dealt with: all that it can make the session say has room, and
    /// nothing is being sent again.
    #[inline]
    pub fn takes_requests(&self) -> bool {
        self.replay.is_none()
            && self.held.is_none()
            && self.output.room() >= least_output(&self.limits)
    }

    /// Whether stored messages are being sent: again, or because the peer did not read.
    #[inline]
    pub const fn is_catching_up(&self) -> bool {
        self.replay.is_some() || self.held.is_some()
    }

    /// The bytes to write next.
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    /// The first `count` bytes of [`Session::output`] were written.
    #[inline]
    pub fn written(&mut self, count: usize) {
        self.output.written(count);
    }

    /// Bytes that were ever put out, those included that a lost connection has swallowed.
    #[inline]
    pub const fn put_bytes(&self) -> u64 {
        self.output.put()
    }

    /// Takes over numbers that were recorded: of the next message that comes, and of the next that goes.
    pub(crate) const fn adopt_numbers(&mut self, (next_in, next_out): (u64, u64)) {
        (self.next_in, self.next_out) = (next_in, next_out);
    }

    /// What was being sent again when something was recorded had been sent by then, and what had to be asked for behind it had
    /// been asked for: its number is among those that were recorded.
    pub(crate) const fn assume_sent(&mut self) {
        (self.replay, self.held) = (None, None);
        if let Some(until) = self.ask_later.take() {
            self.asked = Some(Asked { from: self.next_in, until });
        }
    }

    /// Bytes of new messages that wait because the peer does not read, or so many that are more than `enough`.
    pub fn backlog(&self, enough: usize) -> usize {
        self.held.map_or(0, |held| self.store.bytes_from(held, enough))
    }

    /// The venue did not read for a while: the peer's silence does not count.
    pub const fn excuse(&mut self, now: Now) {
        self.received_at = now.monotonic;
    }

    /// The connection is gone. Numbers and stored messages stay.
    pub fn disconnected(&mut self) {
        self.state = State::Down;
        self.output.clear();
        self.queue.clear();
        (self.asked, self.ask_later, self.replay, self.held) = (None, None, None, None);
        (self.test_request, self.ending) = (false, false);
    }

    /// Lets time pass: heartbeats, test requests, what waits for room. To be called at each turn.
    ///
    /// # Errors
    /// Why the connection is to be closed now.
    pub fn tick(&mut self, now: Now) -> Result<(), Close> {
        self.pump(now);
        self.ask_at_last(now);
        match self.state {
            State::Down => Ok(()),
            State::LogonSent { since } => {
                let late = now.monotonic.saturating_sub(since) >= LOGON_NS;
                if late { Err(Close::NoLogon) } else { Ok(()) }
            }
            State::Up => self.tick_up(now),
            State::LogoutSent { since, why } => {
                if now.monotonic.saturating_sub(since) >= self.limits.logout_ns {
                    return Err(Close::NoAnswer(why));
                }
                Ok(())
            }
            State::Closing(close) if self.output.waiting().is_empty() => Err(close),
            State::Closing(_) => Ok(()),
        }
    }

    fn tick_up(&mut self, now: Now) -> Result<(), Close> {
        let quiet = self.replay.is_none() && self.held.is_none();
        if self.ending && quiet {
            self.ending = false;
            self.logout(Why::EndOfDay, true, now);
            return Ok(());
        }
        if self.heartbeat_ns == 0 {
            return Ok(());
        }
        let silent = now.monotonic.saturating_sub(self.received_at);
        if silent >= self.heartbeat_ns / 10 * 24 {
            return Err(Close::Silent);
        }
        if !quiet || self.output.room() < least_output(&self.limits) {
            return Ok(());
        }
        if silent >= self.heartbeat_ns / 10 * 12 && !self.test_request {
            self.test_request = true;
            self.send_test_request(now);
        }
        let still = now.monotonic.saturating_sub(self.sent_at);
        if still >= self.heartbeat_ns && !self.test_request {
            self.send_heartbeat(None, now);
        }
        Ok(())
    }

    /// The venue ends: what waits goes out, then a Logout.
    pub const fn end(&mut self) {
        self.ending = true;
    }

    /// When [`Session::tick`] has something to do at the latest, on the monotonic clock; `None` where
    /// no time makes it do anything. For a test that moves its clock by itself.
    pub fn next_timer(&self) -> Option<u64> {
        match self.state {
            State::Up if self.heartbeat_ns > 0 => {
                let silence = if self.test_request { 24 } else { 12 };
                let silent = self.received_at + self.heartbeat_ns / 10 * silence;
                let heartbeat = self.sent_at + self.heartbeat_ns;
                Some(if self.test_request { silent } else { silent.min(heartbeat) })
            }
            State::LogoutSent { since, .. } => Some(since + self.limits.logout_ns),
            State::LogonSent { since } => Some(since + LOGON_NS),
            State::Down | State::Up | State::Closing(_) => None,
        }
    }

    /// The client's side: sends a Logon on a connection that was just opened. With `reset` both sides
    /// begin at 1. A name and a password that are empty are left out.
    pub fn open(
        &mut self,
        heartbeat: u64,
        reset: bool,
        username: &[u8],
        password: &[u8],
        now: Now,
    ) {
        self.disconnected();
        if reset || self.reset_on_logon {
            self.reset();
        }
        self.heartbeat_ns = heartbeat * SECOND;
        self.received_at = now.monotonic;
        self.send_first_logon(heartbeat, reset, username, password, now);
        self.state = State::LogonSent { since: now.monotonic };
    }

    /// The client's side: logs out; what comes until the answer is still dealt with.
    pub const fn close(&mut self) {
        self.ending = true;
    }

    /// It asks for too much: it is logged out and closed at once.
    pub(crate) fn throttle(&mut self, now: Now) {
        if self.is_up() {
            self.logout(Why::Throttled, false, now);
        }
    }

    fn reset(&mut self) {
        (self.next_in, self.next_out) = (1, 1);
        self.store.clear();
        self.queue.clear();
        (self.asked, self.ask_later, self.replay, self.held) = (None, None, None, None);
    }
}

#[cfg(test)]
mod tests;

/// Room for what one request can make a session say at once: its longest message, and a few short
/// ones.
const fn least_output(limits: &SessionLimits) -> usize {
    limits.message_max + 4 * 1_024
}
