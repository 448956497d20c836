//! The users behind the connections: who they are, their sessions and streams, and the two rings
//! that tie them to the engine. Connections come and go; what is here lasts the day.

use std::collections::VecDeque;

use rtrb::{Consumer, Producer};
use spindle_engine::command::{Action, Command};
use spindle_engine::event::Event;
use spindle_types::{AccountId, EventTime, SessionId};

use crate::config::{CheckedUser, ConfigError, GatewayConfig, Limits};
use crate::lockstep::Wait;
use crate::notice::{GatewayNotice, UserName};
use crate::ouch::answer::Answer;
use crate::ouch::inbound;
use crate::ouch::session::{Ignored, Reaction, Session, is_first_answer};
use crate::soup::codec::{LoginRequest, SessionName};
use crate::soup::login::{Credentials, Refusal, Standing, admit};
use crate::soup::server::CloseCause;
use crate::soup::stream::Stream;
use crate::stats::GatewayStats;

/// Answers of one user whose way to the socket is being timed at once.
const MARKS_MAX: usize = 1_024;

/// "No user" in the table from sessions to users.
const NOBODY: u16 = u16::MAX;

/// An answer on its way to the socket: when its request came in, and where in the stream it ends.
#[derive(Clone, Copy, Debug)]
struct Mark {
    received: u64,
    end: u64,
}

/// One user.
#[derive(Debug)]
struct User {
    credentials: Credentials,
    session_id: SessionId,
    account: AccountId,
    session: Session,
    stream: Stream,
    logged_in: bool,
    /// Whether its connection has requests that were received and not yet taken.
    behind: bool,
    full_told: bool,
    marks: VecDeque<Mark>,
}

impl User {
    fn new(user: &CheckedUser) -> Self {
        Self {
            credentials: user.credentials,
            session_id: user.session,
            account: user.account,
            session: Session::new(user.firm),
            stream: Stream::new(),
            logged_in: false,
            behind: false,
            full_told: false,
            marks: VecDeque::with_capacity(MARKS_MAX),
        }
    }

    const fn name(&self) -> UserName {
        UserName(self.credentials.username())
    }
}

/// Users, rings and counters. A user is known by its place in the configuration, from 0.
pub struct Desk {
    users: Vec<User>,
    by_session: Box<[u16]>,
    session_name: SessionName,
    ended: bool,
    limits: Limits,
    commands: Producer<Command>,
    events: Consumer<Event>,
    /// For stamps; `None` when nothing is measured.
    ticks: Option<quanta::Clock>,
    stats: GatewayStats,
    notices: Option<Producer<GatewayNotice>>,
    /// In lockstep, what each user waits for; `None` while it has its turn.
    waits: Option<Box<[Option<Wait>]>>,
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
        let last = users.iter().map(|user| user.session.index()).max();
        let mut by_session = vec![NOBODY; last.map_or(0, |last| last + 1)].into_boxed_slice();
        for (index, user) in users.iter().enumerate() {
            by_session[user.session.index()] = u16::try_from(index).unwrap_or(NOBODY);
        }
        let mut desk = Self {
            users: users.iter().map(User::new).collect(),
            by_session,
            session_name: config.session_name()?,
            ended: false,
            limits: config.limits,
            commands,
            events,
            ticks: config.stamps.then(quanta::Clock::new),
            stats: GatewayStats::new(),
            notices: None,
            waits: None,
        };
        desk.tell_all(&Answer::start_of_day(time));
        Ok(desk)
    }

    /// The capacities.
    #[inline]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What was counted and measured.
    pub const fn stats(&self) -> &GatewayStats {
        &self.stats
    }

    /// Takes what was counted and measured, and counts from 0 again. Allocates.
    pub fn take_stats(&mut self) -> GatewayStats {
        std::mem::take(&mut self.stats)
    }

    pub(crate) const fn stats_mut(&mut self) -> &mut GatewayStats {
        &mut self.stats
    }

    pub(crate) const fn count_ring_full(&mut self) {
        self.stats.ring_full += 1;
    }

    pub(crate) const fn count_slow_consumer(&mut self) {
        self.stats.slow_consumers += 1;
    }

    pub(crate) fn set_notices(&mut self, ring: Producer<GatewayNotice>) {
        self.notices = Some(ring);
    }

    /// The name of a user.
    pub(crate) fn user_name(&self, user: usize) -> UserName {
        self.users[user].name()
    }

    /// From now on debug packets say what a user waits for, and nothing more is taken from one who
    /// waits.
    pub(crate) fn lockstep(&mut self) {
        self.waits = Some(vec![None; self.users.len()].into_boxed_slice());
    }

    /// A user's debug packet: whether it begins to wait with it.
    pub(crate) fn debug(&mut self, user: usize, text: &[u8]) -> Result<bool, CloseCause> {
        let Some(waits) = &mut self.waits else {
            return Ok(false);
        };
        waits[user] = Some(Wait::parse(text).map_err(CloseCause::Wait)?);
        Ok(true)
    }

    /// Whether a user waits, in lockstep.
    #[inline]
    pub(crate) fn is_waiting(&self, user: usize) -> bool {
        self.waits.as_ref().is_some_and(|waits| waits[user].is_some())
    }

    /// What a user waits for.
    pub(crate) fn wait_of(&self, user: usize) -> Option<Wait> {
        self.waits.as_ref().and_then(|waits| waits[user])
    }

    /// A user's wait is over.
    pub(crate) fn release(&mut self, user: usize) {
        if let Some(waits) = &mut self.waits {
            waits[user] = None;
        }
    }

    /// The user with these credentials.
    pub(crate) fn user_of(&self, request: &LoginRequest) -> Option<usize> {
        let given = Credentials::new(request.username, request.password);
        let mut found = None;
        // Every user is compared, so that the time does not tell which names exist.
        for (index, user) in self.users.iter().enumerate() {
            if user.credentials.matches(&given) {
                found = Some(index);
            }
        }
        found
    }

    /// The user of a session.
    #[inline]
    pub(crate) fn user_of_session(&self, session: SessionId) -> Option<usize> {
        let found = self.by_session.get(session.index()).copied().unwrap_or(NOBODY);
        (found != NOBODY).then_some(usize::from(found))
    }

    /// Whether a user is logged in.
    pub(crate) fn is_logged_in(&self, user: usize) -> bool {
        self.users[user].logged_in
    }

    /// Users.
    pub(crate) fn users(&self) -> usize {
        self.users.len()
    }

    /// The stream of a user.
    #[inline]
    pub(crate) fn stream(&self, user: usize) -> &Stream {
        &self.users[user].stream
    }

    /// The raw ticks of now; 0 when nothing is measured.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        self.ticks.as_ref().map_or(0, quanta::Clock::raw)
    }

    pub(crate) const fn session_name(&self) -> SessionName {
        self.session_name
    }

    pub(crate) fn notice(&mut self, notice: GatewayNotice) {
        if let Some(ring) = &mut self.notices
            && ring.push(notice).is_err()
        {
            self.stats.notices_lost += 1;
        }
    }

    /// Whether a request can be passed on: reading stops while it cannot.
    #[inline]
    pub(crate) fn takes_requests(&self) -> bool {
        !self.commands.is_full()
    }

    /// Ends the day of every session: nobody can log in any more.
    pub fn end_day(&mut self, time: EventTime) {
        self.ended = true;
        self.tell_all(&Answer::end_of_day(time));
    }

    fn tell_all(&mut self, answer: &Answer) {
        for user in &mut self.users {
            append(user, answer);
            self.stats.messages += 1;
        }
    }

    /// Whether the engine has nothing more to say about what was passed to it: every request has
    /// its answer, or the engine is gone.
    pub fn is_settled(&self) -> bool {
        let answered = self.users.iter().all(|user| user.session.under_way() == 0);
        // Whether the engine is gone is asked before whether the ring is empty: it may put in
        // something and go in between, never the other way round.
        (self.events.is_abandoned() || answered) && self.events.is_empty()
    }

    /// Decides on a login: which user, and from which number on. `None` when it has to wait: the
    /// user's connection has requests left to be taken, and may turn out to have ended after them.
    pub(crate) fn login(
        &mut self,
        request: &LoginRequest,
    ) -> Option<Result<(usize, u64), Refusal>> {
        let decision = self.decide_login(request);
        match decision {
            Ok((index, _)) => {
                let user = &mut self.users[index];
                user.logged_in = true;
                user.behind = false;
                user.marks.clear();
                self.stats.logins += 1;
            }
            Err((_, true)) => return None,
            Err((_, false)) => self.stats.refused_logins += 1,
        }
        Some(decision.map_err(|(refusal, _)| refusal))
    }

    /// The decision, and for a refusal whether waiting could change it.
    fn decide_login(&self, request: &LoginRequest) -> Result<(usize, u64), (Refusal, bool)> {
        let found = self.user_of(request);
        let index = found.ok_or((Refusal::NotAuthorized, false))?;
        let user = &self.users[index];
        let standing = Standing {
            session: self.session_name,
            next_sequence: user.stream.next_sequence(),
            logged_in: user.logged_in,
            ended: self.ended,
        };
        admit(request, &standing)
            .map(|sequence| (index, sequence))
            .map_err(|refusal| (refusal, refusal == Refusal::AlreadyLoggedIn && user.behind))
    }

    /// Whether the user's connection has requests that were received and not yet taken.
    #[inline]
    pub(crate) fn set_behind(&mut self, user: usize, behind: bool) {
        self.users[user].behind = behind;
    }

    /// The user's connection is gone. What the engine answers goes into the stream all the same.
    pub(crate) fn disconnected(&mut self, user: usize) {
        self.users[user].logged_in = false;
        self.users[user].marks.clear();
    }

    /// Deals with one request; false when it has to wait for the engine's next answers. There must
    /// be room in the ring: see [`Desk::takes_requests`].
    #[inline]
    pub(crate) fn request(
        &mut self,
        index: usize,
        message: &[u8],
        received: u64,
    ) -> Result<bool, CloseCause> {
        let full = self.is_full(index, message)?;
        let user = &mut self.users[index];
        match user.session.request(message, full).map_err(CloseCause::Message)? {
            Reaction::Pass(action) => self.pass(index, action, received),
            Reaction::Wait => return Ok(false),
            Reaction::Ignore(Ignored::Retransmission) => self.stats.retransmissions += 1,
            Reaction::Ignore(Ignored::NoSuchOrder | Ignored::Modify) => self.stats.ignored += 1,
        }
        Ok(true)
    }

    /// Whether the user's stream is at its limit; an error when it is so far beyond it that only
    /// cancels are taken.
    #[inline]
    fn is_full(&mut self, index: usize, message: &[u8]) -> Result<bool, CloseCause> {
        let user = &mut self.users[index];
        let bytes = user.stream.len_bytes();
        let soft = self.limits.stream_bytes_max;
        if bytes < soft {
            return Ok(false);
        }
        let is_cancel = message.first() == Some(&inbound::Cancel::TYPE);
        if !is_cancel && bytes >= soft.saturating_add(self.limits.stream_reserve_bytes) {
            return Err(CloseCause::StreamFull { bytes });
        }
        if !user.full_told {
            user.full_told = true;
            let user = user.name();
            self.notice(GatewayNotice::StreamFull { user, bytes });
        }
        Ok(true)
    }

    #[inline]
    fn pass(&mut self, index: usize, action: Action, received: u64) {
        let user = &self.users[index];
        let command = Command {
            time: EventTime(0),
            session: user.session_id,
            account: user.account,
            received,
            queued: self.stamp(),
            action,
        };
        let pushed = self.commands.push(command);
        debug_assert!(pushed.is_ok(), "room in the ring was checked before");
        self.stats.commands += 1;
    }

    /// Takes events from the engine and puts their messages into the streams. Gives how many.
    #[inline]
    pub fn take_events(&mut self) -> usize {
        for taken in 0..self.limits.events_max {
            let Ok(event) = self.events.pop() else {
                return taken;
            };
            self.stats.events += 1;
            if let Some(ticks) = &self.ticks
                && event.queued != 0
            {
                let waited = ticks.delta_as_nanos(event.queued, ticks.raw());
                self.stats.ring_out.saturating_record(waited);
            }
            self.route(&event);
        }
        self.limits.events_max
    }

    #[inline]
    fn route(&mut self, event: &Event) {
        if event.outcome.is_public() {
            return;
        }
        let found = self.by_session.get(event.session.index()).copied().unwrap_or(NOBODY);
        let Some(user) = self.users.get_mut(usize::from(found)) else {
            self.unrouted(event.session);
            return;
        };
        let Some(answer) = user.session.answer(event) else {
            return;
        };
        append(user, &answer);
        self.stats.messages += 1;
        if event.received != 0 && user.logged_in && is_first_answer(event) {
            if user.marks.len() < MARKS_MAX {
                let end = user.stream.len_bytes();
                user.marks.push_back(Mark { received: event.received, end });
            } else {
                self.stats.unmeasured += 1;
            }
        }
    }

    #[cold]
    fn unrouted(&mut self, session: SessionId) {
        if self.stats.unrouted == 0 {
            self.notice(GatewayNotice::Unrouted { session });
        }
        self.stats.unrouted += 1;
    }

    /// The user's stream has gone out up to this byte: records the answers that have left.
    #[inline]
    pub(crate) fn sent(&mut self, index: usize, position: u64) {
        let Some(ticks) = &self.ticks else {
            return;
        };
        let marks = &mut self.users[index].marks;
        let now = ticks.raw();
        while let Some(mark) = marks.front()
            && mark.end <= position
        {
            let took = ticks.delta_as_nanos(mark.received, now);
            self.stats.order_in_to_answer_out.saturating_record(took);
            marks.pop_front();
        }
    }

    /// Gets ahead of coming work, when there is nothing better to do.
    pub fn prepare(&mut self) {
        for user in &mut self.users {
            user.stream.prepare();
        }
    }
}

#[inline]
fn append(user: &mut User, answer: &Answer) {
    let appended = user.stream.append(answer.as_bytes());
    debug_assert!(appended.is_ok(), "every answer is far shorter than a chunk");
}
