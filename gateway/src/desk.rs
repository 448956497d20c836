//! The desk: the sessions of all protocols, and the two rings that tie them to the engine. What it
//! knows of a protocol is [`Sessions`](crate::protocol::Sessions).

use rtrb::{Consumer, Producer};
use spindle_engine::command::Command;
use spindle_engine::event::Event;
use spindle_types::{EventTime, SessionId, keep};

use crate::board::GatewayCounts;
use crate::config::{ConfigError, GatewayConfig, Limits};
use crate::copy::Copies;
use crate::fix::desk::FixDesk;
use crate::fix::session::Now;
use crate::lockstep::Wait;
use crate::notice::{GatewayNotice, UserName};
use crate::ouch::desk::OuchDesk;
use crate::port::Port;
use crate::protocol::Sessions;
use crate::record::{self, Head};
use crate::soup::codec::{LoginRequest, SessionName};
use crate::soup::stream::Stream;
use crate::stats::GatewayStats;
use crate::vault::Knock;

/// Looks at the ring from the engine after requests were passed on: about two microseconds' worth.
const LOOKS_FOR_AN_ANSWER: u32 = 40;

/// Whose session a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Nobody,
    Ouch(u16),
    Fix(u16),
}

/// Sessions, rings and counters.
#[derive(keep::State)]
pub struct Desk {
    pub(crate) port: Port,
    pub(crate) ouch: OuchDesk,
    pub(crate) fix: FixDesk,
    #[keep(skip)]
    routes: Box<[Route]>,
    copies: Copies,
    #[keep(skip)]
    events: Consumer<Event>,
    /// Requests that had been passed on when an answer was last looked for.
    #[keep(skip)]
    passed: u64,
}

impl Desk {
    /// The users of a configuration, at `time`, the begin of their day, with the ring to the engine
    /// and the one from it.
    ///
    /// # Errors
    /// A configuration that is wrong.
    pub fn new(
        config: &GatewayConfig,
        time: EventTime,
        commands: Producer<Command>,
        events: Consumer<Event>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let users = config.checked_users()?;
        let mut port = Port::new(config.limits, commands, config.stamps);
        port.refusal_ns = config.timing.refusal_ns;
        let ouch = OuchDesk::new(config, time, &mut port)?;
        let fix = FixDesk::new(config, &mut port);
        let of_ouch = users.iter().map(|user| user.session).zip((0..).map(Route::Ouch));
        let of_fix = config.fix.iter().flat_map(|fix| &fix.sessions).map(|user| user.session);
        let of_fix = of_fix.zip((0..).map(Route::Fix));
        let mut routes = Vec::new();
        for (session, route) in of_ouch.chain(of_fix) {
            if routes.len() <= session.index() {
                routes.resize(session.index() + 1, Route::Nobody);
            }
            routes[session.index()] = route;
        }
        let copies = Copies::new(config);
        Ok(Self { port, ouch, fix, routes: routes.into(), copies, events, passed: 0 })
    }

    /// From now on a thread of its own verifies hashed passwords, if there are any.
    pub(crate) fn start_helper(&mut self) -> std::io::Result<()> {
        self.port.vault.start_helper()
    }

    /// The capacities.
    #[inline]
    pub const fn limits(&self) -> &Limits {
        &self.port.limits
    }

    /// What was counted and measured.
    pub const fn stats(&self) -> &GatewayStats {
        &self.port.stats
    }

    /// Takes what was counted and measured, and counts from 0 again. Allocates.
    pub fn take_stats(&mut self) -> GatewayStats {
        std::mem::take(&mut self.port.stats)
    }

    pub(crate) const fn stats_mut(&mut self) -> &mut GatewayStats {
        &mut self.port.stats
    }

    pub(crate) const fn count_ring_full(&mut self) {
        self.port.stats.ring_full += 1;
    }

    pub(crate) const fn count_slow_consumer(&mut self) {
        self.port.stats.slow_consumers += 1;
    }

    pub(crate) fn set_notices(&mut self, ring: Producer<GatewayNotice>) {
        self.port.set_notices(ring);
    }

    /// The raw ticks of now; 0 when nothing is measured.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        self.port.stamp()
    }

    pub(crate) fn notice(&mut self, notice: GatewayNotice) {
        self.port.notice(notice);
    }

    /// What is counted, with the fill of both rings.
    pub(crate) fn counts(&self) -> GatewayCounts {
        let (used, capacity) = self.port.commands_fill();
        GatewayCounts {
            commands_used: used as u64,
            commands_capacity: capacity as u64,
            events_used: self.events.slots() as u64,
            events_capacity: self.events.buffer().capacity() as u64,
            ..GatewayCounts::of(&self.port.stats)
        }
    }

    /// Sessions have numbers below this.
    pub(crate) fn sessions(&self) -> usize {
        self.routes.len()
    }

    /// Whether a request can be passed on: reading stops while it cannot.
    #[inline]
    pub(crate) fn takes_requests(&self) -> bool {
        self.port.takes_requests()
    }

    /// Begins a turn: what is done from here on is done at this time.
    #[inline]
    pub fn begin_turn(&mut self, now: Now) {
        self.port.now = now;
        self.port.turn += 1;
        self.fix.turn(&mut self.port);
        self.ouch.turn(&mut self.port);
    }

    /// Whether there are FIX sessions: only they need the time of day in every turn.
    pub(crate) fn has_fix(&self) -> bool {
        !self.fix.is_empty()
    }

    /// Whether the time of day is needed in every turn: for FIX, and for a journal.
    pub(crate) fn needs_utc(&self) -> bool {
        self.has_fix() || self.port.tap.is_some()
    }

    /// The time at which a FIX session that is logged on does something by itself, or the orders of a session that is gone are cancelled, on
    /// the monotonic clock. For a test that moves its clock by itself.
    pub fn next_timer(&self) -> Option<u64> {
        self.fix.next_timer().into_iter().chain(self.ouch.next_timer()).min()
    }

    /// Ends the day of every session: nobody can log in any more.
    pub fn end_day(&mut self, time: EventTime) {
        self.port.record(record::kind::DAY_ENDED, &Head::default(), &time.0.to_le_bytes());
        self.ouch.end_day(time, &mut self.port);
        self.fix.end_day(time, &mut self.port);
    }

    /// Whether the engine has nothing more to say about what was passed to it: every request has
    /// its answer, or the engine is gone.
    pub fn is_settled(&self) -> bool {
        let answered = self.ouch.is_settled() && self.fix.is_settled();
        // Whether the engine is gone is asked before whether the ring is empty: it may put in
        // something and go in between, never the other way round.
        (self.events.is_abandoned() || answered) && self.events.is_empty()
    }

    /// After requests were passed on: looks for the first answer a little longer, because the next look at
    /// a socket costs more than the engine takes for most requests. Whether there is one.
    #[inline]
    pub fn await_answer(&mut self) -> bool {
        if std::mem::replace(&mut self.passed, self.port.stats.commands) == self.port.stats.commands
        {
            return false;
        }
        (0..LOOKS_FOR_AN_ANSWER).any(|_| {
            std::hint::spin_loop();
            !self.events.is_empty()
        })
    }

    /// What was passed on since is for sessions that are served aside: nobody looks for its answers.
    #[inline]
    pub(crate) const fn await_nothing(&mut self) {
        self.passed = self.port.stats.commands;
    }

    /// Touches the memory of all sessions once.
    pub fn warm_up(&mut self) {
        self.fix.warm_up();
    }

    /// Whether nobody is at the other ends of the rings any more.
    pub(crate) fn engine_is_gone(&self) -> bool {
        self.events.is_abandoned()
    }

    /// Takes events from the engine and puts their messages into the streams. Gives how many.
    #[inline]
    pub fn take_events(&mut self) -> usize {
        for taken in 0..self.port.limits.events_max {
            if self.port.tap.is_some()
                && !self.events.peek().is_ok_and(|event| self.port.tells(event))
            {
                self.record_told(taken);
                return taken;
            }
            let Ok(event) = self.events.pop() else {
                return taken;
            };
            self.port.stats.events += 1;
            if let Some(ticks) = &self.port.ticks
                && event.queued != 0
            {
                self.port.taken = ticks.raw();
                let waited = ticks.delta_as_nanos(event.queued, self.port.taken);
                self.port.stats.ring_out.record(waited);
            }
            self.route(&event);
        }
        self.record_told(self.port.limits.events_max);
        self.port.limits.events_max
    }

    /// Records how far sessions were told in this turn, and when: FIX sessions number their own messages among the
    /// answers, and write the time into them.
    #[inline]
    fn record_told(&mut self, taken: usize) {
        if taken > 0 && !self.fix.is_empty() {
            self.port.record(record::kind::TOLD, &Head::default(), &[]);
        }
    }

    #[inline]
    pub(crate) fn route(&mut self, event: &Event) {
        if event.outcome.is_public() {
            return;
        }
        let route = self.routes.get(event.session.index()).copied().unwrap_or(Route::Nobody);
        match route {
            Route::Ouch(index) => self.ouch.answer(index.into(), event, &mut self.port),
            Route::Fix(index) => self.fix.answer(index.into(), event, &mut self.port),
            Route::Nobody => self.unrouted(event.session),
        }
        if !self.copies.is_empty() {
            self.copies.tell(event, &mut self.ouch, &mut self.fix, &mut self.port);
        }
    }

    #[cold]
    fn unrouted(&mut self, session: SessionId) {
        if self.port.stats.unrouted == 0 {
            self.notice(GatewayNotice::Unrouted { session });
        }
        self.port.stats.unrouted += 1;
    }

    /// Gets ahead of coming work, when there is nothing better to do.
    pub fn prepare(&mut self) {
        self.ouch.prepare();
        self.fix.prepare();
    }
}

/// What a run in lockstep asks. Only users of OUCH take part in one.
impl Desk {
    /// From now on debug packets say what a user waits for, and nothing more is taken from one who
    /// waits.
    pub(crate) fn lockstep(&mut self) {
        self.ouch.lockstep();
    }

    /// Whether a user waits, in lockstep.
    #[inline]
    pub(crate) fn is_waiting(&self, user: usize) -> bool {
        self.ouch.is_waiting(user)
    }

    /// What a user waits for.
    pub(crate) fn wait_of(&self, user: usize) -> Option<Wait> {
        self.ouch.wait_of(user)
    }

    /// A user's wait is over.
    pub(crate) fn release(&mut self, user: usize) {
        self.ouch.release(user);
    }

    /// The user with these credentials.
    pub(crate) fn user_of(&mut self, request: &LoginRequest) -> Option<usize> {
        // Without a helper every answer is there at once.
        self.ouch.user_of(request, &mut Knock::default(), &mut self.port.vault).flatten()
    }

    /// The user of a session.
    #[inline]
    pub(crate) fn user_of_session(&self, session: SessionId) -> Option<usize> {
        match self.routes.get(session.index()) {
            Some(Route::Ouch(index)) => Some(usize::from(*index)),
            Some(Route::Fix(_) | Route::Nobody) | None => None,
        }
    }

    /// Whether a user is logged in.
    pub(crate) fn is_logged_in(&self, user: usize) -> bool {
        self.ouch.is_logged_in(user)
    }

    /// Users.
    pub(crate) const fn users(&self) -> usize {
        self.ouch.users()
    }

    /// The name of a user.
    pub(crate) fn user_name(&self, user: usize) -> UserName {
        self.ouch.user_name(user)
    }

    /// The stream of a user.
    #[inline]
    pub(crate) fn stream(&self, user: usize) -> &Stream {
        self.ouch.stream(user)
    }

    pub(crate) const fn session_name(&self) -> SessionName {
        self.ouch.session_name()
    }
}
