//! The FIX sessions of a gateway with their applications. Connections come and go; what is here
//! lasts the day.

use std::net::IpAddr;

use spindle_engine::command::{Action, MassCancel};
use spindle_engine::event::{Event, RejectReason};
use spindle_risk::Check;
use spindle_types::{AccountId, EventTime, OrderToken, SessionId, keep};

use super::config::{Application, CancelOn, FixConfig, FixUser};
use super::dictionary::Version;
use super::echo::Echo;
use super::entry::{Accounts, Entry, Reaction, Text};
use super::frame::{Frame, frame};
use super::message::{Message, Scratch};
use super::session::{Close, Now, Received, Session};
use super::tag;
use crate::config::GatewayConfig;
use crate::copy::{self, Told};
use crate::notice::{GatewayNotice, UserName};
use crate::options::{AllowList, Beyond, Bucket, SessionOptions, Throttle};
use crate::port::Port;
use crate::protocol::{ALWAYS, Sessions, Taken};
use crate::record::{Head, Release, kind};
use crate::vault::{Knock, Secret, is_same};

/// Messages of the session layer (all but heartbeats), repetitions, rejected and garbled messages: so many at once, and
/// so many a second, before a session is served aside. None is refused.
const NUISANCE: Throttle = Throttle { rate: 16, burst: 64, beyond: Beyond::Reject };

/// What answers a session.
enum App {
    Venue(Box<Entry>),
    Echo(Echo),
    /// It reads along and enters nothing.
    Copy,
}

#[derive(keep::State)]
struct User {
    session: Session,
    app: App,
    #[keep(skip)]
    username: Box<[u8]>,
    #[keep(skip)]
    secret: Secret,
    #[keep(skip)]
    allow: AllowList,
    #[keep(same)]
    bucket: Option<Bucket>,
    #[keep(skip)]
    session_id: SessionId,
    #[keep(skip)]
    account: AccountId,
    #[keep(skip)]
    cancel_on: CancelOn,
    #[keep(skip)]
    grace_ns: u64,
    /// When its orders are cancelled, on the monotonic clock.
    cancel_at: Option<u64>,
    /// Whether its connection has requests that were received and not yet taken.
    behind: bool,
    /// The turn in which its connection was last read from, as far as that is not every turn.
    #[keep(skip)]
    looked_at: u64,
    /// What it may cause of work that is no trading before it is served aside.
    #[keep(skip)]
    nuisance: Bucket,
    full_told: bool,
    /// What may leave, where a journal has to be safe first.
    #[keep(skip)]
    release: Option<Release>,
}

impl keep::State for App {
    const SHAPE: keep::Shape = keep::Shape::of("app")
        .shape(<Entry as keep::State>::SHAPE)
        .shape(<Echo as keep::State>::SHAPE);

    fn save(&self, pen: &mut keep::Pen) {
        match self {
            Self::Venue(entry) => entry.save(pen),
            Self::Echo(echo) => echo.save(pen),
            Self::Copy => {}
        }
    }

    fn load(&mut self, reader: &mut keep::Reader<'_>) -> Result<(), keep::Unfit> {
        match self {
            Self::Venue(entry) => entry.load(reader),
            Self::Echo(echo) => echo.load(reader),
            Self::Copy => Ok(()),
        }
    }
}

impl User {
    fn new(user: &FixUser, config: &FixConfig, options: &SessionOptions, port: &mut Port) -> Self {
        let app = match user.application {
            _ if options.copy.is_some() => App::Copy,
            Application::Venue => {
                let named = options.accounts.iter();
                let named = named.filter_map(|account| {
                    Some((Text::new(account.name.as_bytes())?, account.account))
                });
                let accounts = Accounts::new(user.account, named.collect());
                App::Venue(Box::new(Entry::new(user.version, accounts, config.ids_max)))
            }
            Application::Echo => App::Echo(Echo::new(config.ids_max)),
        };
        Self {
            session: Session::new(&user.session_config(&config.comp_id, config.limits)),
            app,
            username: user.username.as_bytes().into(),
            secret: port.vault.take_in(user.password.as_bytes()),
            allow: options.allow.clone(),
            bucket: options.throttle.map(Bucket::new),
            session_id: user.session,
            account: user.account,
            cancel_on: user.cancel_on,
            grace_ns: user.grace_ns,
            cancel_at: None,
            behind: false,
            looked_at: ALWAYS,
            nuisance: Bucket::new(NUISANCE),
            full_told: false,
            release: None,
        }
    }

    /// What a record of it begins with.
    fn head(&self, index: usize) -> Head {
        Head {
            // There are at most as many users as sessions.
            session: u16::try_from(index).unwrap_or(u16::MAX),
            numbers: (self.session.next_in(), self.session.next_out()),
            ..Head::default()
        }
    }

    /// Whether the Logon's name is the one that is asked for.
    fn is_named(&self, username: &[u8]) -> bool {
        let asks = !self.username.is_empty() && self.session.version() == Version::Fix44;
        !asks || is_same(&self.username, username)
    }
}

/// The password of a Logon. RawData is where 4.2 has room for one.
fn password<'a>(version: Option<Version>, message: &Message<'a>) -> &'a [u8] {
    let tag = if version == Some(Version::Fix42) { tag::RAW_DATA } else { tag::PASSWORD };
    message.get(tag).unwrap_or_default()
}

/// The sessions of FIX. A session is known by its place in the configuration, from 0.
#[derive(keep::State)]
pub(crate) struct FixDesk {
    #[keep(each)]
    users: Vec<User>,
    #[keep(skip)]
    scratch: Scratch,
    /// A message that waited beyond a gap, while it is dealt with.
    #[keep(skip)]
    queued: Box<[u8]>,
    #[keep(skip)]
    message_max: usize,
    ended: bool,
}

impl FixDesk {
    pub(crate) fn new(config: &GatewayConfig, port: &mut Port) -> Self {
        let none = SessionOptions::default();
        let options = |user: &FixUser| config.options.get(&user.session).unwrap_or(&none);
        let config = config.fix.as_ref();
        let message_max = config.map_or(0, |config| config.limits.message_max);
        let users = config.map(|config| {
            let sessions = config.sessions.iter();
            sessions.map(|user| User::new(user, config, options(user), port)).collect()
        });
        Self {
            users: users.unwrap_or_default(),
            scratch: Scratch::new(),
            queued: vec![0; message_max].into_boxed_slice(),
            message_max,
            ended: false,
        }
    }

    /// Touches the memory of all sessions once.
    pub(crate) fn warm_up(&mut self) {
        for user in &mut self.users {
            user.session.warm_up();
            if let App::Venue(entry) = &mut user.app {
                entry.warm_up();
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Bytes that a connection reads at once at least: a message, and one that swallows another.
    pub(crate) const fn block_max(&self) -> usize {
        2 * self.message_max
    }

    pub(crate) fn session(&self, user: usize) -> &Session {
        &self.users[user].session
    }

    pub(crate) fn session_mut(&mut self, user: usize) -> &mut Session {
        &mut self.users[user].session
    }

    pub(crate) fn session_id(&self, user: usize) -> SessionId {
        self.users[user].session_id
    }

    pub(crate) fn user_name(&self, user: usize) -> UserName {
        UserName::new(self.users[user].session.their_comp_id())
    }

    pub(crate) fn set_behind(&mut self, user: usize, behind: bool) {
        self.users[user].behind = behind;
    }

    /// See [`Talk::set_looked_at`](crate::protocol::Talk::set_looked_at).
    pub(crate) fn set_looked_at(&mut self, user: usize, turn: u64) {
        self.users[user].looked_at = turn;
    }

    /// Whether a session gets again what it has missed, or causes work that is no trading.
    #[inline]
    pub(crate) fn is_aside(&self, user: usize, now: u64) -> bool {
        let user = &self.users[user];
        user.session.is_catching_up() || user.nuisance.is_empty(now)
    }

    pub(crate) fn next_timer(&self) -> Option<u64> {
        let due = self.users.iter().filter_map(|user| user.cancel_at);
        self.users.iter().filter_map(|user| user.session.next_timer()).chain(due).min()
    }

    /// The connection of a session is gone.
    pub(crate) fn disconnected(&mut self, index: usize, port: &mut Port) {
        let head = self.users[index].head(index);
        port.record(kind::FIX_DOWN, &head, &[]);
        self.lose(index, port);
    }

    fn lose(&mut self, index: usize, port: &Port) {
        let user = &mut self.users[index];
        let is_logout = user.session.is_closing_by_logout();
        user.session.disconnected();
        user.behind = false;
        if user.cancel_on.means(is_logout) && matches!(user.app, App::Venue(_)) {
            user.cancel_at = Some(port.now.monotonic.saturating_add(user.grace_ns));
        }
    }

    /// Looks for a Logon at the front of what a connection has sent. The session that it opens.
    ///
    /// # Errors
    /// Anything else, and a Logon that is not admitted: close without a word.
    pub(crate) fn take_logon(
        &mut self,
        bytes: &[u8],
        address: Option<IpAddr>,
        knock: &mut Knock,
        port: &mut Port,
    ) -> Result<(Taken, Option<usize>), Close> {
        let (start, end) = match frame(bytes, self.message_max, self.block_max()) {
            // Nothing but a message may come first.
            Frame::More { skip: 0 } => return Ok((Taken::More(0), None)),
            Frame::More { .. } | Frame::Garbled { .. } => return Err(Close::NoLogon),
            Frame::Whole { start, end } => (start, end),
        };
        let Self { users, scratch, ended, .. } = self;
        let message = scratch.parse(&bytes[start..end]).map_err(|_| Close::NoLogon)?;
        if message.msg_type() != b"A" || start > 0 {
            return Err(Close::NoLogon);
        }
        let field = |tag| message.get(tag).unwrap_or_default();
        let (sender, target) = (field(tag::SENDER_COMP_ID), field(tag::TARGET_COMP_ID));
        let version = Version::ALL
            .into_iter()
            .find(|version| version.begin_string() == message.begin_string());
        let found = version.and_then(|version| {
            users.iter().position(|user| user.session.is_of(version, sender, target))
        });
        let secret = found.map(|index| &users[index].secret);
        let given = password(version, &message);
        knock.begin(port.refusal_ns, port.now.monotonic);
        let Some(right) = knock.ask(&mut port.vault, secret, given) else {
            return Ok((Taken::Wait, None));
        };
        let named = found.is_some_and(|index| users[index].is_named(field(tag::USERNAME)));
        let index = found.filter(|_| right & named && !*ended);
        let at_home =
            |index: &usize| address.is_none_or(|address| users[*index].allow.admits(address));
        let Some(index) = index.filter(at_home) else {
            if knock.holds_back(port.now.monotonic) {
                return Ok((Taken::Wait, None));
            }
            port.stats.refused_logins += 1;
            return Err(if index.is_some() { Close::Address } else { Close::Unknown });
        };
        let user = &mut users[index];
        if user.session.is_taken() {
            // Its connection may turn out to have ended behind what is left to be taken of it.
            if user.behind || knock.is_before(user.looked_at, port.turn) {
                return Ok((Taken::Wait, None));
            }
            port.stats.refused_logins += 1;
            return Err(Close::AlreadyLoggedOn);
        }
        if port.tap.is_some() {
            let head = user.head(index);
            let mut bytes = bytes[start..end].to_vec();
            without_passwords(&message, &mut bytes);
            port.record(kind::FIX_LOGON, &head, &bytes);
        }
        user.session.logon(&message, port.now).inspect_err(|_| {
            user.session.disconnected();
            port.stats.refused_logins += 1;
        })?;
        if let App::Echo(echo) = &mut user.app {
            echo.forget();
        }
        (user.cancel_at, user.behind, user.looked_at) = (None, false, ALWAYS);
        port.stats.logins += 1;
        Ok((Taken::Used(end), Some(index)))
    }

    /// Deals with one message of a session: one that waited beyond a gap and has its turn, or the
    /// first of `bytes`.
    #[inline]
    pub(crate) fn take(
        &mut self,
        index: usize,
        bytes: &[u8],
        received: u64,
        port: &mut Port,
    ) -> Taken {
        let (message_max, block_max) = (self.message_max, self.block_max());
        let Self { users, scratch, queued, .. } = self;
        let user = &mut users[index];
        if user.session.is_closing() {
            return Taken::Over;
        }
        if !user.session.takes_requests() || !user.has_room() {
            return Taken::Wait;
        }
        if user.session.has_queued() {
            let head = user.head(index);
            port.record(kind::FIX_QUEUED, &head, &[]);
            if let Some(length) = user.session.take_queued(queued)
                && let Ok(message) = scratch.parse(&queued[..length])
                && user.session.receive_queued(&message, port.now) == Received::Application
            {
                user.apply(&message, received, port);
            }
            return Taken::Used(0);
        }
        match frame(bytes, message_max, block_max) {
            Frame::More { skip } => Taken::More(skip),
            Frame::Garbled { used, .. } => {
                port.stats.garbled += 1;
                user.nuisance.take(port.now.monotonic);
                Taken::Used(used)
            }
            Frame::Whole { start, end } => {
                match scratch.parse(&bytes[start..end]) {
                    Ok(message) => {
                        let head = user.head(index);
                        port.record(kind::FIX_MESSAGE, &head, &bytes[start..end]);
                        if user.session.receive(&message, port.now) == Received::Application {
                            user.apply(&message, received, port);
                        } else if message.msg_type() != b"0" {
                            user.nuisance.take(port.now.monotonic);
                        }
                    }
                    Err(_) => {
                        port.stats.garbled += 1;
                        user.nuisance.take(port.now.monotonic);
                    }
                }
                Taken::Used(end)
            }
        }
    }
}

impl User {
    /// Whether the application can take a request.
    #[inline]
    fn has_room(&self) -> bool {
        match &self.app {
            App::Venue(entry) => entry.has_room(),
            App::Echo(_) | App::Copy => true,
        }
    }

    /// Hands a message to the application.
    #[inline]
    fn apply(&mut self, message: &Message<'_>, received: u64, port: &mut Port) {
        let now = port.now;
        let reaction = match &mut self.app {
            App::Venue(entry) => {
                let full = self.session.is_nearly_full();
                if full && !self.full_told {
                    self.full_told = true;
                    let user = UserName::new(self.session.their_comp_id());
                    port.notice(GatewayNotice::StreamFull {
                        user,
                        bytes: self.session.stored_bytes(),
                    });
                }
                let refused = full.then_some(RejectReason::Capacity);
                let refused = throttled(&mut self.bucket, &mut self.session, port).or(refused);
                entry.request(message, refused, now)
            }
            App::Copy => return self.refuse_on_copy(message, now),
            App::Echo(echo) => {
                if echo.request(message, &mut self.session, now) {
                    Reaction::Ignore
                } else {
                    Reaction::Unsupported
                }
            }
        };
        match reaction {
            Reaction::Pass(account, action) => {
                port.pass(self.session_id, account, action, received);
            }
            Reaction::Reject(violation) => self.session.reject(message, violation, now),
            Reaction::Unsupported => {
                let sequence = message.sequence().unwrap_or(0);
                let text = b"Unsupported Message Type";
                self.session.reject_business(sequence, message.msg_type(), 3, None, text, now);
            }
            Reaction::Ignore => port.stats.ignored += 1,
        }
    }

    /// A drop copy asks for something: it may not.
    #[cold]
    fn refuse_on_copy(&mut self, message: &Message<'_>, now: Now) {
        let sequence = message.sequence().unwrap_or(0);
        // 4.2 has no number for what is not authorized.
        let reason = if self.session.version() == Version::Fix42 { 0 } else { 6 };
        let text = b"a drop copy only reads";
        let id = message.get(tag::CL_ORD_ID);
        let msg_type = message.msg_type();
        self.session.reject_business(sequence, msg_type, reason, id, text, now);
    }

    /// Cancels the orders of a session that is gone for too long.
    fn cancel_orders(&mut self, index: usize, port: &mut Port) {
        let head = self.head(index);
        let App::Venue(entry) = &mut self.app else { return };
        if !entry.has_room() || !port.takes_requests() {
            return;
        }
        port.record(kind::FIX_CANCEL, &head, &[]);
        self.cancel_at = None;
        entry.expect_cancel_on_disconnect();
        let action = Action::MassCancel(MassCancel {
            token: OrderToken(0),
            session: Some(self.session_id),
            ..MassCancel::default()
        });
        port.pass(self.session_id, self.account, action, 0);
    }
}

/// What the journal knows of FIX sessions.
impl FixDesk {
    /// The bytes of a session that may leave.
    #[inline]
    pub(crate) fn output(&self, user: usize) -> &[u8] {
        let user = &self.users[user];
        let waiting = user.session.output();
        match &user.release {
            None => waiting,
            Some(release) => {
                let written = user.session.put_bytes() - waiting.len() as u64;
                &waiting[..release.of(written, waiting.len())]
            }
        }
    }

    /// Users.
    pub(crate) const fn users(&self) -> usize {
        self.users.len()
    }

    /// Lets time pass for a session; what that makes it send is recorded.
    pub(crate) fn tick(&mut self, index: usize, port: &mut Port) -> Result<(), Close> {
        let user = &mut self.users[index];
        let before = user.session.next_out();
        let ticked = user.session.tick(port.now);
        if user.session.next_out() != before {
            port.record(kind::FIX_NUMBERS, &user.head(index), &[]);
        }
        ticked
    }

    /// Applies a record again; `None` where there is no such session, or the bytes are no message.
    pub(crate) fn apply(
        &mut self,
        kind: u16,
        head: &Head,
        body: &[u8],
        port: &mut Port,
    ) -> Option<()> {
        let index = usize::from(head.session);
        let Self { users, scratch, queued, .. } = self;
        let user = users.get_mut(index)?;
        user.session.adopt_numbers(head.numbers);
        // No message is taken, and no time makes a session speak, before all is sent again that was asked for.
        user.session.assume_sent();
        match kind {
            kind::FIX_LOGON => {
                let message = scratch.parse(body).ok()?;
                let opened = user.session.logon(&message, port.now);
                if opened.is_err() {
                    user.session.disconnected();
                }
                if let App::Echo(echo) = &mut user.app {
                    echo.forget();
                }
                if opened.is_ok() {
                    (user.cancel_at, user.behind) = (None, false);
                }
            }
            kind::FIX_MESSAGE => {
                let message = scratch.parse(body).ok()?;
                if user.session.receive(&message, port.now) == Received::Application {
                    user.apply(&message, 0, port);
                }
            }
            kind::FIX_QUEUED => {
                if let Some(length) = user.session.take_queued(queued) {
                    let message = scratch.parse(&queued[..length]).ok()?;
                    if user.session.receive_queued(&message, port.now) == Received::Application {
                        user.apply(&message, 0, port);
                    }
                }
            }
            kind::FIX_CANCEL => user.cancel_orders(index, port),
            kind::FIX_DOWN => self.lose(index, port),
            _ => {}
        }
        // What would leave left then, or is asked for again.
        let user = self.users.get_mut(index)?;
        user.session.written(user.session.output().len());
        Some(())
    }

    /// Nobody is connected any more: who was is as one whose connection is lost now.
    pub(crate) fn restart(&mut self, port: &Port) {
        for index in 0..self.users.len() {
            let user = &self.users[index];
            let waits = user.cancel_at.is_some();
            if user.session.is_taken() {
                self.lose(index, port);
            }
            let user = &mut self.users[index];
            if waits {
                user.cancel_at = Some(port.now.monotonic.saturating_add(user.grace_ns));
            }
        }
    }
}

/// Writes stars over the passwords that `bytes`, those of the message, have.
fn without_passwords(message: &Message<'_>, bytes: &mut [u8]) {
    let begin = message.bytes().as_ptr() as usize;
    for tag in [tag::RAW_DATA, tag::PASSWORD] {
        if let Some(value) = message.get(tag) {
            let at = (value.as_ptr() as usize).wrapping_sub(begin);
            if let Some(space) = bytes.get_mut(at..at.wrapping_add(value.len())) {
                space.fill(b'*');
            }
        }
    }
}

/// Takes a token for a request: why it is to be refused without one.
#[inline]
fn throttled(
    bucket: &mut Option<Bucket>,
    session: &mut Session,
    port: &mut Port,
) -> Option<RejectReason> {
    let bucket = bucket.as_mut()?;
    if bucket.take(port.now.monotonic) {
        return None;
    }
    port.stats.throttled += 1;
    if bucket.beyond() == Beyond::Disconnect {
        session.throttle(port.now);
    }
    Some(RejectReason::Risk(Check::MessageRate))
}

impl FixDesk {
    /// Sends a drop copy what an event means.
    pub(crate) fn copy(&mut self, index: usize, event: &Event, told: &Told<'_>, port: &mut Port) {
        let Some(user) = self.users.get_mut(index) else { return };
        copy::report::send(&mut user.session, event, told, port.now);
        port.stats.messages += 1;
        if user.session.evicted() > 0 && !user.full_told {
            user.full_told = true;
            let (name, bytes) = (user.session.their_comp_id(), user.session.stored_bytes());
            let user = UserName::new(name);
            port.notice(GatewayNotice::CopyFull { user, bytes, ends: false });
        }
    }
}

impl Sessions for FixDesk {
    #[inline]
    fn answer(&mut self, session: usize, event: &Event, port: &mut Port) {
        if let Some(user) = self.users.get_mut(session)
            && let App::Venue(entry) = &mut user.app
        {
            entry.answer(event, &mut user.session, port.now);
            port.stats.messages += 1;
        }
    }

    fn is_settled(&self) -> bool {
        self.users.iter().all(|user| match &user.app {
            App::Venue(entry) => entry.under_way() == 0,
            App::Echo(_) | App::Copy => true,
        })
    }

    fn end_day(&mut self, _: EventTime, _: &mut Port) {
        self.ended = true;
    }

    #[inline]
    fn turn(&mut self, port: &mut Port) {
        let now = port.now.monotonic;
        for (index, user) in self.users.iter_mut().enumerate() {
            if user.cancel_at.is_some_and(|at| now >= at) {
                user.cancel_orders(index, port);
            }
            if let Some(tap) = &port.tap
                && let Some(frames) = tap.held_frame()
            {
                let (put, safe) = (user.session.put_bytes(), tap.progress().gateway());
                user.release.get_or_insert_default().look(put, frames, safe);
            }
        }
    }

    fn prepare(&mut self) {}
}
