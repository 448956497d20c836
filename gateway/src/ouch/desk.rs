//! The OUCH users behind the connections: who they are, their sessions and streams. Connections
//! come and go; what is here lasts the day.

use std::collections::VecDeque;
use std::net::IpAddr;

use spindle_engine::command::Action;
use spindle_engine::event::{Event, RejectReason};
use spindle_risk::Check;
use spindle_types::{AccountId, EventTime, SessionId, keep};
use zeroize::Zeroizing;

use super::DecodeError;
use super::answer::{ANSWER_MAX, Answer};
use super::remark::Remark;
use super::session::{Ignored, Reaction, Session, firm_of, is_first_answer};
use crate::close::CloseCause;
use crate::config::{CheckedUser, ConfigError, GatewayConfig, OuchEdition};
use crate::fix::config::CancelOn;
use crate::lockstep::Wait;
use crate::notice::{GatewayNotice, UserName};
use crate::options::{AllowList, Beyond, Bucket, SessionOptions};
use crate::ouch42::session as ouch42;
use crate::port::Port;
use crate::protocol::{ALWAYS, Sessions};
use crate::record::{Head, kind};
use crate::soup::codec::{LoginRequest, MARK, SessionName, padded_right};
use crate::soup::login::{Refusal, Standing, admit, canonical};
use crate::soup::stream::Stream;
use crate::vault::{Knock, Secret, Vault, is_hash, is_same};

/// Answers of one user whose way to the socket is being timed at once.
const MARKS_MAX: usize = 1_024;

/// An answer on its way to the socket: when its request came in, and where in the stream it ends.
#[derive(Clone, Copy, Debug)]
struct Mark {
    received: u64,
    /// When the answer was put into the stream, in raw ticks.
    encoded: u64,
    end: u64,
}

/// The edition that a user speaks. Both have the same system events.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of each user, for the day")]
enum Dialect {
    V50(Session),
    V42(ouch42::Session),
}

impl Dialect {
    #[inline]
    fn decide(
        &mut self,
        message: &[u8],
        refused: Option<RejectReason>,
    ) -> Result<Reaction, DecodeError> {
        match self {
            Self::V50(session) => session.decide(message, refused),
            Self::V42(session) => session.decide(message, refused),
        }
    }

    /// The firm that a request names.
    fn firm_of(&self, message: &[u8]) -> Option<[u8; 4]> {
        match self {
            Self::V50(_) => firm_of(message),
            Self::V42(_) => ouch42::firm_of(message),
        }
    }

    fn take_remark(&mut self) -> Option<Remark> {
        match self {
            Self::V50(session) => session.take_remark(),
            Self::V42(session) => session.take_remark(),
        }
    }

    fn cancel_all(&mut self) -> Option<Action> {
        match self {
            Self::V50(session) => session.cancel_all(),
            Self::V42(session) => session.cancel_all(),
        }
    }

    fn under_way(&self) -> usize {
        match self {
            Self::V50(session) => session.under_way(),
            Self::V42(session) => session.under_way(),
        }
    }

    #[inline]
    fn answer(&mut self, event: &Event, mut tell: impl FnMut(&[u8])) {
        match self {
            Self::V50(session) => {
                session.answer(event, |answer| tell(answer.bytes(&mut [0; ANSWER_MAX])));
            }
            Self::V42(session) => session.answer(event, |answer| tell(answer.as_bytes())),
        }
    }
}

impl keep::State for Dialect {
    const SHAPE: keep::Shape = keep::Shape::of("dialect")
        .shape(<Session as keep::State>::SHAPE)
        .shape(<ouch42::Session as keep::State>::SHAPE);

    fn save(&self, pen: &mut keep::Pen) {
        match self {
            Self::V50(session) => keep::State::save(session, pen),
            Self::V42(session) => keep::State::save(session, pen),
        }
    }

    fn load(&mut self, reader: &mut keep::Reader<'_>) -> Result<(), keep::Unfit> {
        match self {
            Self::V50(session) => keep::State::load(session, reader),
            Self::V42(session) => keep::State::load(session, reader),
        }
    }
}

/// One user.
#[derive(keep::State)]
struct User {
    /// In capitals, padded.
    #[keep(skip)]
    username: [u8; 6],
    #[keep(skip)]
    secret: Secret,
    #[keep(skip)]
    session_id: SessionId,
    #[keep(skip)]
    account: AccountId,
    /// The accounts that its orders may name, by the option Firm.
    #[keep(skip)]
    accounts: Box<[([u8; 4], AccountId)]>,
    #[keep(skip)]
    allow: AllowList,
    #[keep(skip)]
    bucket: Option<Bucket>,
    /// Whether it only reads along.
    #[keep(skip)]
    is_copy: bool,
    session: Dialect,
    stream: Stream,
    #[keep(skip)]
    cancel_on: CancelOn,
    #[keep(skip)]
    grace_ns: u64,
    /// When its orders are cancelled, on the monotonic clock.
    cancel_at: Option<u64>,
    logged_in: bool,
    /// Whether its connection has requests that were received and not yet taken.
    behind: bool,
    /// The turn in which its connection was last read from, as far as that is not every turn.
    #[keep(skip)]
    looked_at: u64,
    full_told: bool,
    #[keep(skip)]
    marks: VecDeque<Mark>,
}

impl User {
    fn new(user: &CheckedUser, password: &str, options: &SessionOptions, port: &mut Port) -> Self {
        let capitals = Zeroizing::new(password.to_ascii_uppercase());
        let password = if is_hash(password) { password } else { capitals.as_str() };
        let firm = |text: &String| padded_right(text).unwrap_or([b' '; 4]);
        let named = options.accounts.iter().filter(|account| !account.firm.is_empty());
        let accounts = named.map(|account| (firm(&account.firm), account.account));
        let accounts: Box<[_]> = match user.firm {
            [b' ', ..] => accounts.collect(),
            own => std::iter::once((own, user.account)).chain(accounts).collect(),
        };
        let firms = accounts.iter().map(|(firm, _)| *firm).collect();
        Self {
            username: user.username,
            secret: port.vault.take_in(password.as_bytes()),
            session_id: user.session,
            account: user.account,
            accounts,
            allow: options.allow.clone(),
            bucket: options.throttle.map(Bucket::new),
            is_copy: options.copy.is_some(),
            session: match user.protocol {
                OuchEdition::V50 => Dialect::V50(Session::with_firms(user.session, firms)),
                OuchEdition::V42 => {
                    let tokens_max = port.limits.tokens_max;
                    Dialect::V42(ouch42::Session::new(user.session, firms, tokens_max))
                }
            },
            stream: Stream::new(),
            cancel_on: user.cancel_on,
            grace_ns: user.grace_ns,
            cancel_at: None,
            logged_in: false,
            behind: false,
            looked_at: ALWAYS,
            full_told: false,
            marks: VecDeque::with_capacity(MARKS_MAX),
        }
    }

    /// Takes a token for a request: why it is to be refused without one.
    #[inline]
    fn throttled(&mut self, port: &mut Port) -> Result<Option<RejectReason>, CloseCause> {
        let Some(bucket) = &mut self.bucket else { return Ok(None) };
        if bucket.take(port.now.monotonic) {
            return Ok(None);
        }
        port.stats.throttled += 1;
        match bucket.beyond() {
            Beyond::Reject => Ok(Some(RejectReason::Risk(Check::MessageRate))),
            Beyond::Disconnect => Err(CloseCause::Throttled { rate: bucket.rate() }),
        }
    }

    /// The account that a request is for.
    #[inline]
    fn account_of(&self, message: &[u8]) -> AccountId {
        if self.accounts.is_empty() {
            return self.account;
        }
        let Some(firm) = self.session.firm_of(message) else { return self.account };
        let named = self.accounts.iter().find(|(known, _)| *known == firm);
        named.map_or(self.account, |(_, account)| *account)
    }

    fn name(&self) -> UserName {
        UserName::new(&self.username)
    }

    /// Cancels the orders of a user who is gone for too long.
    fn cancel_orders(&mut self, index: usize, port: &mut Port) {
        if port.takes_requests()
            && let Some(action) = self.session.cancel_all()
        {
            port.record(kind::OUCH_CANCEL, &head(index), &[]);
            self.cancel_at = None;
            port.pass(self.session_id, self.account, action, 0);
        }
    }
}

/// The users of OUCH. A user is known by its place in the configuration, from 0.
#[derive(keep::State)]
pub(crate) struct OuchDesk {
    #[keep(each)]
    users: Vec<User>,
    #[keep(skip)]
    session_name: SessionName,
    ended: bool,
    /// In lockstep, what each user waits for; `None` while it has its turn.
    #[keep(skip)]
    waits: Option<Box<[Option<Wait>]>>,
}

impl OuchDesk {
    /// The users of a configuration, at `time`, the begin of their day.
    pub(crate) fn new(
        config: &GatewayConfig,
        time: EventTime,
        port: &mut Port,
    ) -> Result<Self, ConfigError> {
        let checked = config.checked_users()?;
        let none = SessionOptions::default();
        let users = checked.iter().zip(&config.users).map(|(user, from)| {
            let options = config.options.get(&user.session).unwrap_or(&none);
            User::new(user, &from.password, options, port)
        });
        let users = users.collect();
        let session_name = config.session_name()?;
        let mut desk = Self { users, session_name, ended: false, waits: None };
        desk.tell_all(&Answer::start_of_day(time), port);
        Ok(desk)
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

    /// A user's debug packet. In lockstep it begins to wait with it; otherwise it may ask for a mark, which is the
    /// answer here.
    pub(crate) fn debug(&mut self, user: usize, text: &[u8]) -> Result<bool, CloseCause> {
        let Some(waits) = &mut self.waits else { return Ok(text == MARK) };
        waits[user] = Some(Wait::parse(text).map_err(CloseCause::Wait)?);
        Ok(false)
    }

    /// Whether every request of a user that was taken has its answer in the stream.
    pub(crate) fn is_answered(&self, user: usize) -> bool {
        self.users[user].session.under_way() == 0
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

    /// The user with this name.
    fn named(&self, username: [u8; 6]) -> Option<usize> {
        let username = canonical(username);
        let mut found = None;
        // Every user is compared, so that the time does not tell which names exist.
        for (index, user) in self.users.iter().enumerate() {
            if is_same(&user.username, &username) {
                found = Some(index);
            }
        }
        found
    }

    /// Nobody is connected any more: who was is as one whose connection is lost now.
    pub(crate) fn restart(&mut self, port: &Port) {
        for index in 0..self.users.len() {
            let user = &mut self.users[index];
            if user.cancel_at.is_some() {
                user.cancel_at = Some(port.now.monotonic.saturating_add(user.grace_ns));
            }
            if user.logged_in {
                self.lose(index, false, port);
            }
        }
    }

    /// Applies a record again; `None` where there is no such user, or the bytes are no request.
    pub(crate) fn apply(
        &mut self,
        kind: u16,
        head: &Head,
        body: &[u8],
        port: &mut Port,
    ) -> Option<()> {
        let index = usize::from(head.session);
        let user = self.users.get_mut(index)?;
        match kind {
            kind::OUCH_MESSAGE => {
                let refused = match head.numbers.0 {
                    1 => Some(RejectReason::Capacity),
                    2 => Some(RejectReason::Risk(Check::MessageRate)),
                    _ => None,
                };
                self.decide(index, body, refused, 0, port).ok()?;
            }
            kind::OUCH_CANCEL => user.cancel_orders(index, port),
            kind::OUCH_LOGIN => (user.logged_in, user.cancel_at) = (true, None),
            _ => self.lose(index, head.numbers.0 == 1, port),
        }
        Some(())
    }

    /// The user with these credentials; `None` for wrong ones. The outer `None` while they are being
    /// verified.
    pub(crate) fn user_of(
        &self,
        request: &LoginRequest,
        knock: &mut Knock,
        vault: &mut Vault,
    ) -> Option<Option<usize>> {
        let found = self.named(request.username);
        let password = Zeroizing::new(canonical(request.password));
        let secret = found.map(|index| &self.users[index].secret);
        let right = knock.ask(vault, secret, password.trim_ascii_end())?;
        Some(found.filter(|_| right))
    }

    /// Whether a user is logged in.
    pub(crate) fn is_logged_in(&self, user: usize) -> bool {
        self.users[user].logged_in
    }

    /// Users.
    pub(crate) const fn users(&self) -> usize {
        self.users.len()
    }

    /// The session of a user.
    pub(crate) fn session_id(&self, user: usize) -> SessionId {
        self.users[user].session_id
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
            append(&mut user.stream, answer.bytes(&mut [0; ANSWER_MAX]));
            port.stats.messages += 1;
        }
    }

    /// Decides on a login: which user, and from which number on. `None` when it has to wait: its
    /// password is being verified, or the user's connection has requests left to be taken, and may
    /// turn out to have ended after them.
    pub(crate) fn login(
        &mut self,
        request: &LoginRequest,
        address: Option<IpAddr>,
        knock: &mut Knock,
        port: &mut Port,
    ) -> Option<Result<(usize, u64), Refusal>> {
        knock.begin(port.refusal_ns, port.now.monotonic);
        let found = self.user_of(request, knock, &mut port.vault)?;
        let decision = self.decide_login(found, address, request, knock, port.turn);
        if let Err((Refusal::NotAuthorized | Refusal::Address, _)) = decision
            && knock.holds_back(port.now.monotonic)
        {
            return None;
        }
        match decision {
            Ok((index, _)) => {
                let user = &mut self.users[index];
                user.logged_in = true;
                (user.behind, user.looked_at) = (false, ALWAYS);
                user.cancel_at = None;
                user.marks.clear();
                port.stats.logins += 1;
                port.record(kind::OUCH_LOGIN, &head(index), &[]);
            }
            Err((_, true)) => return None,
            Err((_, false)) => port.stats.refused_logins += 1,
        }
        Some(decision.map_err(|(refusal, _)| refusal))
    }

    /// The decision, and for a refusal whether waiting could change it.
    fn decide_login(
        &self,
        found: Option<usize>,
        address: Option<IpAddr>,
        request: &LoginRequest,
        knock: &mut Knock,
        turn: u64,
    ) -> Result<(usize, u64), (Refusal, bool)> {
        let index = found.ok_or((Refusal::NotAuthorized, false))?;
        let user = &self.users[index];
        if address.is_some_and(|address| !user.allow.admits(address)) {
            return Err((Refusal::Address, false));
        }
        let standing = Standing {
            session: self.session_name,
            next_sequence: user.stream.next_sequence(),
            logged_in: user.logged_in,
            ended: self.ended,
        };
        admit(request, &standing).map(|sequence| (index, sequence)).map_err(|refusal| {
            let taken = refusal == Refusal::AlreadyLoggedIn;
            let waits = taken && (user.behind || knock.is_before(user.looked_at, turn));
            (refusal, waits)
        })
    }

    /// Whether the user's connection has requests that were received and not yet taken.
    #[inline]
    pub(crate) fn set_behind(&mut self, user: usize, behind: bool) {
        self.users[user].behind = behind;
    }

    /// See [`Talk::set_looked_at`](crate::protocol::Talk::set_looked_at).
    pub(crate) fn set_looked_at(&mut self, user: usize, turn: u64) {
        self.users[user].looked_at = turn;
    }

    /// The user's connection is gone. What the engine answers goes into the stream all the same.
    pub(crate) fn disconnected(&mut self, user: usize, is_logout: bool, port: &mut Port) {
        let numbers = (u64::from(is_logout), 0);
        port.record(kind::OUCH_DOWN, &Head { numbers, ..head(user) }, &[]);
        self.lose(user, is_logout, port);
    }

    fn lose(&mut self, user: usize, is_logout: bool, port: &Port) {
        let user = &mut self.users[user];
        user.logged_in = false;
        user.marks.clear();
        if user.cancel_on.means(is_logout) {
            user.cancel_at = Some(port.now.monotonic.saturating_add(user.grace_ns));
        }
    }

    /// The time at which the orders of a user who is gone are cancelled, if there is one.
    pub(crate) fn next_timer(&self) -> Option<u64> {
        self.users.iter().filter_map(|user| user.cancel_at).min()
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
        if self.users[index].is_copy {
            return Err(CloseCause::ReadOnly);
        }
        let full = self.is_full(index, message, port)?.then_some(RejectReason::Capacity);
        let user = &mut self.users[index];
        let refused = user.throttled(port)?.or(full);
        self.decide(index, message, refused, received, port)
    }

    /// Deals with one request that is to be refused for a reason or for none; false when it has to wait.
    #[inline]
    fn decide(
        &mut self,
        index: usize,
        message: &[u8],
        refused: Option<RejectReason>,
        received: u64,
        port: &mut Port,
    ) -> Result<bool, CloseCause> {
        let user = &mut self.users[index];
        let reaction = user.session.decide(message, refused).map_err(CloseCause::Message)?;
        if reaction != Reaction::Wait {
            let code = match refused {
                None => 0,
                Some(RejectReason::Capacity) => 1,
                Some(_) => 2,
            };
            let head = Head { numbers: (code, 0), ..head(index) };
            port.record(kind::OUCH_MESSAGE, &head, message);
        }
        match reaction {
            Reaction::Pass(mut action) => {
                let account = user.account_of(message);
                if let Action::MassCancel(mass) = &mut action
                    && user.session.firm_of(message).is_some()
                {
                    mass.account = Some(account);
                }
                port.pass(user.session_id, account, action, received);
            }
            Reaction::Wait => return Ok(false),
            Reaction::Ignore(Ignored::Retransmission) => port.stats.retransmissions += 1,
            Reaction::Ignore(Ignored::NoSuchOrder) => port.stats.ignored += 1,
        }
        if let Some(remark) = user.session.take_remark() {
            let user = user.name();
            port.notice(GatewayNotice::NotTaken { user, remark });
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
        // What asks for no more orders is taken still.
        let is_cancel = message.first().is_some_and(|letter| b"XMCDQ".contains(letter));
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

    /// Puts a record into the stream of a drop copy; at the end of its room, one that says so.
    pub(crate) fn copy(&mut self, index: usize, record: &[u8], time: EventTime, port: &mut Port) {
        let Some(user) = self.users.get_mut(index) else { return };
        if user.full_told {
            return;
        }
        let bytes = user.stream.len_bytes();
        if bytes + record.len() as u64 > port.limits.stream_bytes_max {
            user.full_told = true;
            append(&mut user.stream, Answer::copy_full(time).bytes(&mut [0; ANSWER_MAX]));
            let user = user.name();
            port.notice(GatewayNotice::CopyFull { user, bytes, ends: true });
        } else {
            let appended = user.stream.append(record);
            debug_assert!(appended.is_ok(), "every record is far shorter than a chunk");
        }
        port.stats.messages += 1;
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
            port.stats.order_in_to_answer_out.record(took);
            port.stats.send.record(ticks.delta_as_nanos(mark.encoded, now));
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
        let User { session, stream, .. } = user;
        let mut told = 0;
        session.answer(event, |bytes| {
            append(stream, bytes);
            told += 1;
        });
        if told == 0 {
            return;
        }
        port.stats.messages += told;
        if event.received != 0 && user.logged_in && is_first_answer(event) {
            if user.marks.len() < MARKS_MAX {
                let end = user.stream.len_bytes();
                let encoded = port.stamp();
                if let Some(ticks) = &port.ticks {
                    port.stats.encode.record(ticks.delta_as_nanos(port.taken, encoded));
                }
                user.marks.push_back(Mark { received: event.received, encoded, end });
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

    #[inline]
    fn turn(&mut self, port: &mut Port) {
        let now = port.now.monotonic;
        for (index, user) in self.users.iter_mut().enumerate() {
            if user.cancel_at.is_some_and(|at| now >= at) {
                user.cancel_orders(index, port);
            }
        }
    }

    fn prepare(&mut self) {
        // One page in a turn.
        let _ = self.users.iter_mut().any(|user| user.stream.prepare());
    }
}

/// What a record of a user begins with.
fn head(index: usize) -> Head {
    // There are at most as many users as sessions.
    Head { session: u16::try_from(index).unwrap_or(u16::MAX), ..Head::default() }
}

#[inline]
fn append(stream: &mut Stream, message: &[u8]) {
    let appended = stream.append(message);
    debug_assert!(appended.is_ok(), "every answer is far shorter than a chunk");
}
