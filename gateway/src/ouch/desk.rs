//! The OUCH users behind the connections: who they are, their sessions and streams. Connections
//! come and go; what is here lasts the day.

use std::collections::VecDeque;

use spindle_engine::event::Event;
use spindle_types::{AccountId, EventTime, SessionId};

use super::answer::Answer;
use super::inbound;
use super::session::{Ignored, Reaction, Session, is_first_answer};
use crate::close::CloseCause;
use crate::config::CheckedUser;
use crate::lockstep::Wait;
use crate::notice::{GatewayNotice, UserName};
use crate::port::Port;
use crate::protocol::Sessions;
use crate::record::{Head, kind};
use crate::soup::codec::{LoginRequest, SessionName};
use crate::soup::login::{Credentials, Refusal, Standing, admit};
use crate::soup::stream::Stream;

/// Answers of one user whose way to the socket is being timed at once.
const MARKS_MAX: usize = 1_024;

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

    fn name(&self) -> UserName {
        UserName::new(&self.credentials.username())
    }
}

/// The users of OUCH. A user is known by its place in the configuration, from 0.
pub(crate) struct OuchDesk {
    users: Vec<User>,
    session_name: SessionName,
    ended: bool,
    /// In lockstep, what each user waits for; `None` while it has its turn.
    waits: Option<Box<[Option<Wait>]>>,
}

impl OuchDesk {
    /// The users of a configuration, at `time`, the begin of their day.
    pub(crate) fn new(
        users: &[CheckedUser],
        session_name: SessionName,
        time: EventTime,
        port: &mut Port,
    ) -> Self {
        let users = users.iter().map(User::new).collect();
        let mut desk = Self { users, session_name, ended: false, waits: None };
        desk.tell_all(&Answer::start_of_day(time), port);
        desk
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

    /// A user's debug packet. In lockstep it begins to wait with it.
    pub(crate) fn debug(&mut self, user: usize, text: &[u8]) -> Result<(), CloseCause> {
        if let Some(waits) = &mut self.waits {
            waits[user] = Some(Wait::parse(text).map_err(CloseCause::Wait)?);
        }
        Ok(())
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

    /// Nobody is connected any more.
    pub(crate) fn restart(&mut self) {
        for user in &mut self.users {
            (user.logged_in, user.behind) = (false, false);
        }
    }

    /// Whether a user is logged in.
    pub(crate) fn is_logged_in(&self, user: usize) -> bool {
        self.users[user].logged_in
    }

    /// Users.
    pub(crate) const fn users(&self) -> usize {
        self.users.len()
    }

    /// The stream of a user.
    #[inline]
    pub(crate) fn stream(&self, user: usize) -> &Stream {
        &self.users[user].stream
    }

    pub(crate) const fn session_name(&self) -> SessionName {
        self.session_name
    }

    fn tell_all(&mut self, answer: &Answer, port: &mut Port) {
        for user in &mut self.users {
            append(user, answer);
            port.stats.messages += 1;
        }
    }

    /// Decides on a login: which user, and from which number on. `None` when it has to wait: the
    /// user's connection has requests left to be taken, and may turn out to have ended after them.
    pub(crate) fn login(
        &mut self,
        request: &LoginRequest,
        port: &mut Port,
    ) -> Option<Result<(usize, u64), Refusal>> {
        let decision = self.decide_login(request);
        match decision {
            Ok((index, _)) => {
                let user = &mut self.users[index];
                user.logged_in = true;
                user.behind = false;
                user.marks.clear();
                port.stats.logins += 1;
            }
            Err((_, true)) => return None,
            Err((_, false)) => port.stats.refused_logins += 1,
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
    /// be room in the ring: see [`Port::takes_requests`].
    #[inline]
    pub(crate) fn request(
        &mut self,
        index: usize,
        message: &[u8],
        received: u64,
        port: &mut Port,
    ) -> Result<bool, CloseCause> {
        let full = self.is_full(index, message, port)?;
        let user = &mut self.users[index];
        match user.session.request(message, full).map_err(CloseCause::Message)? {
            Reaction::Pass(action) => {
                // There are at most as many users as sessions.
                let session = u16::try_from(index).unwrap_or(u16::MAX);
                let head = Head { session, ..Head::default() };
                port.record(kind::OUCH_MESSAGE, &head, message);
                port.pass(user.session_id, user.account, action, received);
            }
            Reaction::Wait => return Ok(false),
            Reaction::Ignore(Ignored::Retransmission) => port.stats.retransmissions += 1,
            Reaction::Ignore(Ignored::NoSuchOrder | Ignored::Modify) => port.stats.ignored += 1,
        }
        Ok(true)
    }

    /// Whether the user's stream is at its limit; an error when it is so far beyond it that only
    /// cancels are taken.
    #[inline]
    fn is_full(
        &mut self,
        index: usize,
        message: &[u8],
        port: &mut Port,
    ) -> Result<bool, CloseCause> {
        let user = &mut self.users[index];
        let bytes = user.stream.len_bytes();
        let soft = port.limits.stream_bytes_max;
        if bytes < soft {
            return Ok(false);
        }
        let is_cancel = message.first() == Some(&inbound::Cancel::TYPE);
        if !is_cancel && bytes >= soft.saturating_add(port.limits.stream_reserve_bytes) {
            return Err(CloseCause::StreamFull { bytes });
        }
        if !user.full_told {
            user.full_told = true;
            let user = user.name();
            port.notice(GatewayNotice::StreamFull { user, bytes });
        }
        Ok(true)
    }

    /// The user's stream has gone out up to this byte: records the answers that have left.
    #[inline]
    pub(crate) fn sent(&mut self, index: usize, position: u64, port: &mut Port) {
        let Some(ticks) = &port.ticks else {
            return;
        };
        let marks = &mut self.users[index].marks;
        let now = ticks.raw();
        while let Some(mark) = marks.front()
            && mark.end <= position
        {
            let took = ticks.delta_as_nanos(mark.received, now);
            port.stats.order_in_to_answer_out.saturating_record(took);
            marks.pop_front();
        }
    }
}

impl Sessions for OuchDesk {
    #[inline]
    fn answer(&mut self, index: usize, event: &Event, port: &mut Port) {
        let Some(user) = self.users.get_mut(index) else {
            return;
        };
        let Some(answer) = user.session.answer(event) else {
            return;
        };
        append(user, &answer);
        port.stats.messages += 1;
        if event.received != 0 && user.logged_in && is_first_answer(event) {
            if user.marks.len() < MARKS_MAX {
                let end = user.stream.len_bytes();
                user.marks.push_back(Mark { received: event.received, end });
            } else {
                port.stats.unmeasured += 1;
            }
        }
    }

    fn is_settled(&self) -> bool {
        self.users.iter().all(|user| user.session.under_way() == 0)
    }

    fn end_day(&mut self, time: EventTime, port: &mut Port) {
        self.ended = true;
        self.tell_all(&Answer::end_of_day(time), port);
    }

    fn turn(&mut self, _: &mut Port) {}

    fn prepare(&mut self) {
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
