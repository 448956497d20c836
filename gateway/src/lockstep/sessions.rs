//! The strategies of a run in lockstep: their connections, whose turn it is, and what they ask.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};
use spindle_engine::command::Command;
use spindle_engine::event::Event;
use spindle_types::EventTime;

use super::tape_port::TapePort;
use super::wait::{Turn, Wait};
use super::{LockstepConfig, LockstepError};
use crate::clock::{Clock, SystemClock};
use crate::desk::Desk;
use crate::gateway::GatewayError;
use crate::line::Line;
use crate::notice::Away;
use crate::notice::GatewayNotice;
use crate::soup::server::{CloseCause, Timing};
use crate::stats::GatewayStats;
use crate::transport::Connection;
use crate::wire::Carrier;

/// Requests between a session and the engine at once.
const COMMANDS_MAX: usize = 4_096;

/// Requests of all strategies before their first wait at most.
const FIRST_MAX: usize = 65_536;

/// A sign of life goes out this often.
const BEAT_NS: u64 = 1_000_000_000;

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// The strategy waits.
    Waits,
    /// Its next request has to wait for answers that are under way.
    Held,
    /// It is gone.
    Gone,
}

/// Connections and streams of all strategies.
pub(super) struct Sessions {
    listener: Option<TcpListener>,
    connections: Vec<Connection>,
    /// The connection of each user.
    by_user: Vec<Option<usize>>,
    pub(super) desk: Desk,
    pub(super) tape: TapePort,
    commands: Consumer<Command>,
    events: Producer<Event>,
    clock: SystemClock,
    timing: Timing,
    deadline: Duration,
    beat_at: u64,
}

impl Sessions {
    pub(super) fn bind(config: &LockstepConfig) -> Result<Self, LockstepError> {
        let (commands_in, commands) = RingBuffer::new(COMMANDS_MAX);
        let (events, events_out) = RingBuffer::new(1);
        let gateway = &config.gateway;
        let mut desk = Desk::new(gateway, EventTime(0), commands_in, events_out)
            .map_err(GatewayError::Config)?;
        desk.lockstep();
        let listen = |address| move |source| GatewayError::Listen { address, source };
        let listener = TcpListener::bind(gateway.listen).map_err(listen(gateway.listen))?;
        listener.set_nonblocking(true).map_err(listen(gateway.listen))?;
        let tape = TapePort::bind(config.tape_listen, desk.session_name())
            .map_err(listen(config.tape_listen))?;
        // What ends a connection here is a missed turn: nobody has to speak while others think.
        let never = u64::MAX;
        let timing = Timing { silence_ns: never, stall_ns: never, ..gateway.timing };
        Ok(Self {
            listener: Some(listener),
            connections: Vec::new(),
            by_user: vec![None; desk.users()],
            desk,
            tape,
            commands,
            events,
            clock: SystemClock::new(),
            timing,
            deadline: config.deadline,
            beat_at: 0,
        })
    }

    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let ouch = self.listener.as_ref().and_then(|listener| listener.local_addr().ok());
        ouch.zip(self.tape.address())
    }

    pub(super) fn notices(&mut self, capacity: usize) -> Consumer<GatewayNotice> {
        let (producer, consumer) = RingBuffer::new(capacity);
        self.desk.set_notices(producer);
        consumer
    }

    pub(super) fn take_stats(&mut self) -> GatewayStats {
        self.desk.take_stats()
    }

    /// Users.
    pub(super) fn count(&self) -> usize {
        self.by_user.len()
    }

    /// Waits until every user is logged in and waits for the tape, and gives what they have asked until
    /// then, by user; `None` when the end is asked for first.
    pub(super) fn gather(
        &mut self,
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Command>>, LockstepError> {
        let mut first = Vec::new();
        let mut complete = None;
        loop {
            let now = self.clock.now_ns();
            let work = self.accept(now) + self.tape.gather(&mut self.desk);
            let work = work + self.serve(now, &mut first);
            if (0..self.count()).all(|user| self.desk.is_waiting(user)) {
                break;
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if (0..self.count()).all(|user| self.desk.is_logged_in(user)) {
                let since = *complete.get_or_insert(now);
                let late = (0..self.count()).find(|&user| !self.desk.is_waiting(user));
                if let Some(user) = late.filter(|_| self.is_late(since, now)) {
                    return Err(self.late(user, EventTime(0)));
                }
            } else {
                complete = None;
            }
            if work == 0 {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        self.listener = None;
        self.tape.close();
        self.assign();
        let desk = &self.desk;
        first.sort_by_key(|command| desk.user_of_session(command.session));
        Ok(Some(first))
    }

    fn accept(&mut self, now: u64) -> usize {
        let Some(Ok((socket, peer))) = self.listener.as_ref().map(TcpListener::accept) else {
            return 0;
        };
        let connections_max = self.desk.limits().connections_max;
        if self.connections.len() >= connections_max {
            let why = Away::Full { connections_max };
            self.desk.notice(GatewayNotice::TurnedAway { peer, why });
            return 1;
        }
        let line = Line::new(self.timing, &self.desk, now);
        if socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true)).is_ok() {
            self.connections.push(Connection::new(Carrier::Plain(socket), peer, line));
            self.desk.notice(GatewayNotice::Connected { peer });
        }
        1
    }

    fn serve(&mut self, now: u64, first: &mut Vec<Command>) -> usize {
        let mut work = 0;
        for connection in &mut self.connections {
            work += connection.flush(&mut self.desk, now);
            let waits = connection.line().user_index().is_some_and(|u| self.desk.is_waiting(u));
            if !waits {
                work += connection.read(&mut self.desk, now);
            }
            connection.tick(&mut self.desk, &self.timing, now);
            while first.len() < FIRST_MAX
                && let Ok(command) = self.commands.pop()
            {
                first.push(command);
            }
        }
        self.connections.retain(|connection| !connection.is_closed());
        work
    }

    fn assign(&mut self) {
        self.connections.retain_mut(|connection| connection.line().has_user());
        for (at, connection) in self.connections.iter_mut().enumerate() {
            if let Some(user) = connection.line().user_index() {
                self.by_user[user] = Some(at);
            }
        }
    }

    fn is_late(&self, since: u64, now: u64) -> bool {
        u128::from(now.saturating_sub(since)) > self.deadline.as_nanos()
    }

    fn late(&self, user: usize, time: EventTime) -> LockstepError {
        LockstepError::Late { user: self.desk.user_name(user), deadline: self.deadline, time }
    }

    /// What a user waits for; `None` where it is gone.
    pub(super) fn wait_of(&self, user: usize) -> Option<Wait> {
        self.by_user[user].and_then(|_| self.desk.wait_of(user))
    }

    /// Whether a user is still there.
    pub(super) fn is_there(&self, user: usize) -> bool {
        self.by_user[user].is_some()
    }

    /// Puts an answer into its user's stream: the user, if there is now more to tell it.
    pub(super) fn tell(&mut self, event: Event) -> Option<usize> {
        let user = self.desk.user_of_session(event.session)?;
        let before = self.desk.stream(user).next_sequence();
        let pushed = self.events.push(event);
        debug_assert!(pushed.is_ok(), "every event is taken at once");
        self.desk.take_events();
        (self.desk.stream(user).next_sequence() > before).then_some(user)
    }

    /// Sends a user all that waits for it, and then that it is its turn.
    pub(super) fn give_turn(&mut self, user: usize, turn: Turn) -> Result<(), LockstepError> {
        self.flush_tape(user, turn.time)?;
        self.flush(user, turn.time)?;
        if let Some(at) = self.by_user[user] {
            // Where it is not sent, the connection is broken, which reading from it will show.
            self.connections[at].line().say(&self.desk, turn.text().as_bytes());
        }
        self.flush(user, turn.time)?;
        self.desk.release(user);
        Ok(())
    }

    /// Waits until the tape's bytes for a user have left.
    pub(super) fn flush_tape(&mut self, user: usize, time: EventTime) -> Result<(), LockstepError> {
        let since = self.clock.now_ns();
        let mut rounds = 0;
        while !self.tape.flush(user) {
            if self.is_late(since, self.clock.now_ns()) {
                return Err(self.stalled(user, "the tape", time));
            }
            pause(&mut rounds);
        }
        Ok(())
    }

    fn flush(&mut self, user: usize, time: EventTime) -> Result<(), LockstepError> {
        let Some(at) = self.by_user[user] else {
            return Ok(());
        };
        let since = self.clock.now_ns();
        let mut rounds = 0;
        loop {
            let now = self.clock.now_ns();
            self.connections[at].flush(&mut self.desk, now);
            if self.connections[at].is_flushed(&self.desk) {
                return Ok(());
            }
            if self.is_late(since, now) {
                return Err(self.stalled(user, "its answers", time));
            }
            pause(&mut rounds);
        }
    }

    fn stalled(&self, user: usize, what: &'static str, time: EventTime) -> LockstepError {
        let (user, deadline) = (self.desk.user_name(user), self.deadline);
        LockstepError::Stalled { user, what, deadline, time }
    }

    /// Reads a user's requests until it waits. Each is handed to `take`, which says whether it has room.
    pub(super) fn collect(
        &mut self,
        user: usize,
        time: EventTime,
        mut take: impl FnMut(Command) -> bool,
        mut room: impl FnMut() -> bool,
    ) -> Result<Turned, LockstepError> {
        let since = self.clock.now_ns();
        let mut rounds = 0;
        loop {
            let Some(at) = self.by_user[user] else {
                return Ok(Turned::Gone);
            };
            let now = self.clock.now_ns();
            let work = self.connections[at].read(&mut self.desk, now);
            while room()
                && let Ok(command) = self.commands.pop()
            {
                take(command);
            }
            if self.desk.is_waiting(user) {
                return Ok(Turned::Waits);
            }
            if self.connections[at].is_over() {
                self.leave(user);
                return Ok(Turned::Gone);
            }
            if work > 0 {
                rounds = 0;
                continue;
            }
            if self.connections[at].line().is_stopped() {
                return Ok(Turned::Held);
            }
            if self.is_late(since, now) {
                return Err(self.late(user, time));
            }
            self.beat();
            pause(&mut rounds);
        }
    }

    /// A user is gone: what it has open stays, and nothing more comes.
    fn leave(&mut self, user: usize) {
        if let Some(at) = self.by_user[user].take() {
            self.connections[at].cut(&mut self.desk, CloseCause::PeerClosed);
        }
        self.tape.leave(user);
    }

    pub(super) fn user_name(&self, user: usize) -> crate::notice::UserName {
        self.desk.user_name(user)
    }

    /// Signs of life to all, about once a second.
    pub(super) fn beat(&mut self) {
        let now = self.clock.now_ns();
        if now < self.beat_at {
            return;
        }
        self.beat_at = now.saturating_add(BEAT_NS);
        self.tape.beat();
        for connection in &mut self.connections {
            connection.tick(&mut self.desk, &self.timing, now);
            connection.flush(&mut self.desk, now);
        }
    }

    /// Ends the day of all sessions and waits until they have been told, but no longer than a strategy
    /// may take.
    pub(super) fn end(&mut self, time: EventTime) {
        self.desk.end_day(time);
        self.tape.end();
        let since = self.clock.now_ns();
        for connection in &mut self.connections {
            connection.end(&mut self.desk, since);
        }
        let mut rounds = 0;
        loop {
            let now = self.clock.now_ns();
            let mut left = (0..self.count()).filter(|&user| !self.tape.flush(user)).count();
            for connection in &mut self.connections {
                connection.flush(&mut self.desk, now);
                connection.read_end(&mut self.desk, now);
                connection.tick(&mut self.desk, &self.timing, now);
                left += usize::from(!connection.is_closed());
            }
            if left == 0 || self.is_late(since, now) {
                return;
            }
            pause(&mut rounds);
        }
    }
}

/// Lets others run: at once again for a while, then after a short sleep.
fn pause(rounds: &mut u32) {
    *rounds = rounds.saturating_add(1);
    if *rounds < 2_000 {
        std::thread::yield_now();
    } else {
        std::thread::sleep(Duration::from_micros(100));
    }
}
