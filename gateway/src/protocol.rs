//! What the gateway asks of a protocol: two narrow traits. One is for its sessions, which last the
//! day, the other for its part of one connection. Sockets, buffers, turns and the rings know nothing
//! else of it.

use spindle_engine::event::Event;
use spindle_types::{EventTime, SessionId};

use crate::close::CloseCause;
use crate::desk::Desk;
use crate::notice::UserName;
use crate::port::Port;

/// The sessions of one protocol. A session is known by its place in the configuration, from 0.
pub(crate) trait Sessions {
    /// The engine told something to a session: puts it where the session's client will get it.
    fn answer(&mut self, session: usize, event: &Event, port: &mut Port);

    /// Whether every request that was passed on has its answer.
    fn is_settled(&self) -> bool;

    /// The day is over: nobody can log in any more.
    fn end_day(&mut self, time: EventTime, port: &mut Port);

    /// Does what became due by itself. Once a turn.
    fn turn(&mut self, port: &mut Port);

    /// Gets ahead of coming work, when there is nothing better to do.
    fn prepare(&mut self);
}

/// The turn in which a session was last read from, where that is every turn.
pub(crate) const ALWAYS: u64 = u64::MAX;

/// What came of a look at received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Something was dealt with; this many bytes at the front are used up. 0 where it had been
    /// received before and waited.
    Used(usize),
    /// More bytes are needed; this many at the front can be thrown away.
    More(usize),
    /// What stands at the front has to wait: ask again at the next turn.
    Wait,
    /// Nothing that came or comes is of interest any more.
    Over,
}

/// A protocol's part of one connection.
pub(crate) trait Talk {
    /// Deals with the first message of `bytes`, which were read at `received` in raw ticks.
    ///
    /// # Errors
    /// The cause for which the connection is to be closed now. What was passed on before stays.
    fn take(
        &mut self,
        bytes: &[u8],
        received: u64,
        desk: &mut Desk,
        now: u64,
    ) -> Result<Taken, CloseCause>;

    /// It was the venue that did not read, so the client was not silent.
    fn excuse(&mut self, desk: &mut Desk, now: u64);

    /// Says whether the connection has requests that were received and not yet taken.
    fn set_behind(&self, behind: bool, desk: &mut Desk);

    /// Whether the session catches up with what it missed, or causes work that is no trading: it may wait for those who
    /// trade.
    fn is_aside(&self, desk: &Desk) -> bool;

    /// Says in which turn the session was last read from: who logs in again is not refused before the end of the old
    /// connection could be seen.
    fn set_looked_at(&self, turn: u64, desk: &mut Desk);

    /// The bytes to send next, as far as they are in one piece; empty when there are none.
    fn output<'a>(&'a self, desk: &'a Desk) -> &'a [u8];

    /// The first `count` bytes of the output were sent; at least one.
    fn written(&mut self, count: usize, desk: &mut Desk, now: u64);

    /// Lets time pass.
    ///
    /// # Errors
    /// The cause for which the connection is to be closed now.
    fn tick(&mut self, desk: &mut Desk, now: u64) -> Result<(), CloseCause>;

    /// Ends the session: what waits goes out, then the end.
    fn end(&mut self, desk: &mut Desk, now: u64);

    /// The connection is gone: its user can log in again.
    fn leave(&mut self, desk: &mut Desk);

    /// Whether a user is logged in.
    fn has_user(&self) -> bool;

    /// The name of the user who is logged in.
    fn user(&self, desk: &Desk) -> Option<UserName>;

    /// Whether nothing more is to be read: the last bytes are leaving.
    fn is_closing(&self, desk: &Desk) -> bool;

    /// The session of the user who is logged in, and the bytes that wait for the client to read them.
    fn standing(&self, desk: &Desk) -> Option<(SessionId, u64)>;
}
