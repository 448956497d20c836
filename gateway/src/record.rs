//! What the gateway records of its sessions, and how it is applied again.
//!
//! OUCH sessions and FIX sessions are state machines. What brings them from one state to the next is recorded before
//! anything that follows from it leaves: messages of clients that were dealt with, logons, ends of connections, what a
//! timer made a session send, and how far sessions had been told the engine's events. With the engine's
//! events, which come from the engine's own records, each session ends in the same state, byte for byte in what it has
//! stored to be sent again.

use std::sync::Arc;

use spindle_engine::command::Command;
use spindle_engine::event::Event;
use spindle_engine::input::{self, Cursor, InputError, Told, encode_command};
use spindle_engine::tap::{FrameHeader, Progress, Tap, ring};
use spindle_types::{EventTime, keep};

use crate::desk::Desk;
use crate::fix::session::Now;

/// Kinds of records of sessions. Each begins with the session's place among those of its protocol (u16), the time on the
/// monotonic clock and in UTC (u64 each), the numbers of a FIX session before it, in and out (u64 each), and the
/// last event that any session had been told (u64).
pub mod kind {
    /// A message of an OUCH client that was dealt with: its bytes. The first number says why it was to be refused: 0 for
    /// no reason, 1 for want of room, 2 by the throttle.
    pub const OUCH_MESSAGE: u16 = 16;
    /// A Logon that opened a FIX session: its bytes, without passwords.
    pub const FIX_LOGON: u16 = 17;
    /// A message of a FIX client: its bytes.
    pub const FIX_MESSAGE: u16 = 18;
    /// A message of a FIX client that had waited beyond a gap has its turn.
    pub const FIX_QUEUED: u16 = 19;
    /// The connection of a FIX session is gone.
    pub const FIX_DOWN: u16 = 20;
    /// The orders of a FIX session that is gone are cancelled.
    pub const FIX_CANCEL: u16 = 21;
    /// Sessions were told events, up to the one above.
    pub const TOLD: u16 = 22;
    /// A timer made a FIX session send: the numbers above are those after it.
    pub const FIX_NUMBERS: u16 = 23;
    /// The day is over: time of day (u64). Nothing follows.
    pub const DAY_ENDED: u16 = 24;
    /// The orders of an OUCH user who is gone are cancelled.
    pub const OUCH_CANCEL: u16 = 25;
    /// An OUCH user has logged in.
    pub const OUCH_LOGIN: u16 = 26;
    /// The connection of an OUCH user is gone; the first number says whether by a logout (1).
    pub const OUCH_DOWN: u16 = 27;
}

/// Bytes before what a record of a session says.
const HEAD: usize = 2 + 5 * 8;

/// What a record says before its own part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The session's place among those of its protocol.
    pub(crate) session: u16,
    /// When.
    pub(crate) now: Now,
    /// The numbers of a FIX session: of the next message that comes, and that goes.
    pub(crate) numbers: (u64, u64),
    /// The last event that any session was told.
    pub(crate) told: u64,
}

impl Head {
    fn encode(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..2].copy_from_slice(&self.session.to_le_bytes());
        let words = [self.now.monotonic, self.now.utc, self.numbers.0, self.numbers.1, self.told];
        for (space, word) in bytes[2..].chunks_exact_mut(8).zip(words) {
            space.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, InputError> {
        Ok(Self {
            session: cursor.u16("session")?,
            now: Now { monotonic: cursor.u64("time")?, utc: cursor.u64("time")? },
            numbers: (cursor.u64("number")?, cursor.u64("number")?),
            told: cursor.u64("events")?,
        })
    }
}

/// What sessions consist of in a snapshot; another layout has another number.
pub const SHAPE: keep::Shape = <Desk as keep::State>::SHAPE;

/// What is asked of a journal before anything leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It has to be safe.
    UntilSafe,
    /// Nothing, but while records wait for longer than so many nanoseconds no request is taken.
    Window(u64),
}

/// The gateway's end of the journal.
#[derive(Debug)]
pub struct SessionTap {
    tap: Tap,
    hold: Hold,
    /// What was taken from the engine, in earlier runs too.
    told: Told,
    /// A request in the making.
    request: Vec<u8>,
}

impl SessionTap {
    /// A gateway's tap, behind what was told in earlier runs.
    pub fn new(tap: Tap, hold: Hold, told: Told) -> Self {
        Self { tap, hold, told, request: Vec::with_capacity(512) }
    }

    /// How far the journal is.
    pub fn progress(&self) -> &Arc<Progress> {
        self.tap.progress()
    }

    /// The last event that was taken from the engine.
    pub(crate) const fn last_told(&self) -> u64 {
        self.told.events
    }

    /// Whether a request can be taken.
    #[inline]
    pub(crate) fn takes_requests(&self, now: u64) -> bool {
        let in_time = match self.hold {
            Hold::UntilSafe => true,
            Hold::Window(window) => {
                let since = self.tap.progress().waiting_since();
                since == 0 || now.saturating_sub(since) <= window
            }
        };
        in_time && self.tap.has_room()
    }

    /// Whether an event may be told: what it follows from is safe, or need not be.
    #[inline]
    pub(crate) fn may_tell(&self, event: &Event) -> bool {
        self.hold != Hold::UntilSafe || event.sequence <= self.tap.progress().events()
    }

    /// An event was taken from the engine; so many commands have gone to it.
    #[inline]
    pub(crate) fn told(&mut self, event: &Event, utc: u64, passed: u64) {
        if self.told.tell(event) {
            self.digest(utc, passed);
        }
    }

    /// Records all that was told so far.
    #[cold]
    pub(crate) fn digest(&mut self, time: u64, passed: u64) {
        let kind = input::kind::DIGEST;
        let header = FrameHeader { length: 0, kind, time, told: self.told.events, passed };
        self.tap.write(&header, [&self.told.encode(), &[]]);
    }

    /// A request is passed on to the engine, after so many; its tap says when it was carried out.
    #[inline]
    pub(crate) fn pass(&mut self, command: &Command, utc: u64, passed: u64) {
        self.request.clear();
        encode_command(&mut self.request, command);
        let (kind, told) = (ring::PASSED, self.told.events);
        let header = FrameHeader { length: 0, kind, time: utc, told, passed };
        self.tap.write(&header, [&self.request, &[]]);
    }

    /// Frames so far, where what follows from them has to wait until they are safe.
    #[inline]
    pub(crate) fn held_frame(&self) -> Option<u64> {
        (self.hold == Hold::UntilSafe).then(|| self.tap.frames())
    }

    /// Records something. `passed` commands have gone to the engine before.
    #[inline]
    pub(crate) fn record(&mut self, kind: u16, head: &Head, passed: u64, body: &[u8]) {
        let (time, told) = (head.now.utc, self.told.events);
        let header = FrameHeader { length: 0, kind, time, told, passed };
        self.tap.write(&header, [&Head { told, ..*head }.encode(), body]);
    }
}

/// How much of what waits to be sent may leave: what was put in before some frame may when that is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Release {
    /// Bytes that may leave, of all that were ever put in.
    free: u64,
    /// Bytes that may leave when this frame is safe.
    next: Option<(u64, u64)>,
}

impl Release {
    /// Looks again: `put` bytes were put in so far, after `frames` frames of which so many are safe.
    pub(crate) const fn look(&mut self, put: u64, frames: u64, safe: u64) {
        if let Some((bytes, frame)) = self.next
            && frame <= safe
        {
            self.free = bytes;
            self.next = None;
        }
        if self.next.is_none() && self.free < put {
            if frames <= safe {
                self.free = put;
            } else {
                self.next = Some((put, frames));
            }
        }
    }

    /// How many of `waiting` bytes, the first of which is the `written`th, may leave.
    pub(crate) fn of(&self, written: u64, waiting: usize) -> usize {
        let free = usize::try_from(self.free.saturating_sub(written)).unwrap_or(usize::MAX);
        free.min(waiting)
    }
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its place among those of its protocol.
    pub place: usize,
    /// Whether it speaks FIX; otherwise OUCH.
    pub is_fix: bool,
    /// The number of the next message that comes; 0 over OUCH, whose messages have none.
    pub next_in: u64,
    /// The number of the next message that goes.
    pub next_out: u64,
    /// Whether a client is logged in.
    pub is_taken: bool,
}

impl Desk {
    /// Where all sessions stand. Allocates.
    pub fn standing(&self) -> Vec<Standing> {
        let ouch = (0..self.ouch.users()).map(|place| Standing {
            place,
            is_fix: false,
            next_in: 0,
            next_out: self.ouch.stream(place).next_sequence(),
            is_taken: self.ouch.is_logged_in(place),
        });
        let fix = (0..self.fix.users()).map(|place| {
            let session = self.fix.session(place);
            let (next_in, next_out) = (session.next_in(), session.next_out());
            Standing { place, is_fix: true, next_in, next_out, is_taken: session.is_taken() }
        });
        ouch.chain(fix).collect()
    }

    /// From now on what happens at sessions is recorded, and what leaves waits for the journal as it says.
    pub fn record(&mut self, tap: SessionTap) {
        self.port.tap = Some(tap);
    }

    /// Takes the tap away, when nobody polls the gateway any more. Where sessions were told all that the engine has told, that is
    /// recorded.
    pub fn close_tap(&mut self, told: u64) {
        self.port.close_tap(told);
    }

    /// Whether the journal has failed: nothing may be told any more.
    pub(crate) fn has_failed(&self) -> bool {
        self.port.tap.as_ref().is_some_and(|tap| tap.progress().has_failed())
    }

    /// Applies a record again; false for a kind that is none of a session.
    ///
    /// What follows from it for the engine goes into the ring of commands, from where the caller takes it.
    ///
    /// # Errors
    /// Bytes that are no such record, or a session that is not there.
    pub fn apply(&mut self, kind: u16, payload: &[u8]) -> Result<bool, InputError> {
        if !(kind::OUCH_MESSAGE..=kind::OUCH_DOWN).contains(&kind) {
            return Ok(false);
        }
        let mut cursor = Cursor::new(payload);
        let head = Head::decode(&mut cursor)?;
        let body = cursor.rest();
        self.port.now = head.now;
        let unknown = InputError { what: "session", value: head.session.into() };
        match kind {
            kind::TOLD => {}
            kind::DAY_ENDED => {
                let mut cursor = Cursor::new(body);
                self.end_day(EventTime(cursor.u64("time of day")?));
            }
            kind::OUCH_MESSAGE | kind::OUCH_CANCEL | kind::OUCH_LOGIN | kind::OUCH_DOWN => {
                self.ouch.apply(kind, &head, body, &mut self.port).ok_or(unknown)?;
            }
            _ => self.fix.apply(kind, &head, body, &mut self.port).ok_or(unknown)?,
        }
        Ok(true)
    }

    /// The last event that sessions had been told before this record; `None` for a kind that is none of a session.
    ///
    /// # Errors
    /// Bytes that are no record of a session.
    pub fn told_before(&self, kind: u16, payload: &[u8]) -> Result<Option<u64>, InputError> {
        if !(kind::OUCH_MESSAGE..=kind::OUCH_DOWN).contains(&kind) {
            return Ok(None);
        }
        Head::decode(&mut Cursor::new(payload)).map(|head| Some(head.told))
    }

    /// Sets the time at which what follows happens.
    pub fn set_time_of(&mut self, payload: &[u8]) {
        if let Ok(head) = Head::decode(&mut Cursor::new(payload)) {
            self.port.now = head.now;
        }
    }

    /// Sets the time at which what follows happens.
    pub fn set_time(&mut self, now: Now) {
        self.port.now = now;
    }

    /// Tells a session an event again.
    pub fn tell(&mut self, event: &Event) {
        self.route(event);
    }

    /// Writes down all of the sessions that comes back with them: numbers, streams, stores, what is awaited. What a client's
    /// connection alone knows is no part of it.
    pub fn save(&self, pen: &mut keep::Pen) {
        keep::State::save(self, pen);
    }

    /// Fills sessions that were made from the same configuration. After an error they must not be used.
    ///
    /// # Errors
    /// Bytes that are no state of them.
    pub fn load(&mut self, reader: &mut keep::Reader<'_>) -> Result<(), keep::Unfit> {
        keep::State::load(self, reader)
    }

    /// The venue begins anew behind what was recorded: nobody is connected any more.
    pub fn restart(&mut self, now: Now) {
        self.port.begin_anew(now);
        self.ouch.restart(&self.port);
        self.fix.restart(&self.port);
    }

    /// Passes a request to the engine that was recorded and that the engine had not taken; false where the ring is full.
    pub fn pass_again(&mut self, command: Command) -> bool {
        self.port.pass_again(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_when_the_frame_before_them_is_safe() {
        let mut release = Release::default();
        release.look(100, 3, 2);
        assert_eq!(release.of(0, 100), 0);
        // More comes meanwhile, behind a later frame.
        release.look(150, 5, 2);
        assert_eq!(release.of(0, 150), 0);
        release.look(150, 5, 3);
        assert_eq!(release.of(0, 150), 100);
        assert_eq!(release.of(60, 90), 40);
        release.look(150, 5, 5);
        assert_eq!(release.of(60, 90), 90);
        // Nothing was recorded since.
        release.look(160, 5, 5);
        assert_eq!(release.of(150, 10), 10);
    }

    #[test]
    fn no_request_is_taken_while_records_wait_for_longer_than_the_window() {
        let progress = Arc::<Progress>::default();
        let (hot, _reader) = spindle_engine::tap::tap(0, &progress);
        let tap = SessionTap::new(hot, Hold::Window(10), Told::default());
        assert!(tap.takes_requests(1_000), "nothing waits");
        progress.set_waiting_since(1_000);
        assert!(tap.takes_requests(1_010));
        assert!(!tap.takes_requests(1_011), "the window is over");
        progress.set_waiting_since(0);
        assert!(tap.takes_requests(1_011));
        progress.fail();
        assert!(!tap.takes_requests(1_011), "the journal has failed");
    }

    #[test]
    fn a_head_is_read_back() {
        let head = Head { session: 3, now: Now { monotonic: 4, utc: 5 }, numbers: (6, 7), told: 8 };
        let bytes = head.encode();
        assert_eq!(Head::decode(&mut Cursor::new(&bytes)), Ok(head));
    }
}
