//! What the FIX side of a gateway is told before it starts.

use std::net::SocketAddr;

use spindle_types::{AccountId, SessionId};

use super::dictionary::Version;
use super::session::{SessionConfig, SessionLimits};
use crate::options::Door;

/// The FIX side of a gateway.
#[derive(Clone, Debug)]
pub struct FixConfig {
    /// Where to listen. Port 0 takes any free one; see `Gateway::fix_address`.
    pub listen: SocketAddr,
    /// The venue's CompID: TargetCompID of what comes.
    pub comp_id: String,
    /// Who may log on.
    pub sessions: Vec<FixUser>,
    /// Capacities and times of each session.
    pub limits: SessionLimits,
    /// Who may come to the port, and how.
    pub door: Door,
    /// ClOrdIDs of new orders and replacements that a session can use in a day.
    pub ids_max: usize,
}

impl FixConfig {
    /// A configuration with the usual limits, without sessions.
    pub fn new(listen: SocketAddr, comp_id: &str) -> Self {
        Self {
            listen,
            comp_id: comp_id.to_owned(),
            sessions: Vec::new(),
            limits: SessionLimits::default(),
            door: Door::default(),
            ids_max: 1 << 16,
        }
    }
}

impl FixConfig {
    /// Bytes that all sessions together take at most. Most of it is touched only when it is used.
    pub fn bytes(&self) -> usize {
        let limits = &self.limits;
        let messages =
            limits.store_bytes + limits.queue_bytes + limits.output_bytes + limits.message_max;
        let tables = limits.store_messages * 48 + limits.queue_messages * 24 + self.ids_max * 256;
        self.sessions.len() * (messages + tables + 1_024 * 1_024)
    }
}

/// A session: the pair of CompIDs and what belongs to it.
#[derive(Clone)]
pub struct FixUser {
    /// The version that it speaks.
    pub version: Version,
    /// SenderCompID of what it sends: 1 to 32 visible characters.
    pub comp_id: String,
    /// What Username (553) must be. Empty asks for none; 4.2 has no such field.
    pub username: String,
    /// What Password (554), in 4.2 RawData (96), must be: as it is, or the hash that `spindle password`
    /// makes of it. Empty asks for none.
    pub password: String,
    /// The number of its session towards the engine, different from every other's.
    pub session: SessionId,
    /// The account that it trades for.
    pub account: AccountId,
    /// Whether numbers begin anew at each logon.
    pub reset_on_logon: bool,
    /// When its open orders are cancelled.
    pub cancel_on: CancelOn,
    /// How long it may be gone before they are, in nanoseconds.
    pub grace_ns: u64,
    /// What answers it.
    pub application: Application,
}

impl FixUser {
    /// A session of the venue that is asked for no credentials and keeps its orders.
    pub fn new(version: Version, comp_id: &str, session: SessionId, account: AccountId) -> Self {
        Self {
            version,
            comp_id: comp_id.to_owned(),
            username: String::new(),
            password: String::new(),
            session,
            account,
            reset_on_logon: false,
            cancel_on: CancelOn::Never,
            grace_ns: 0,
            application: Application::Venue,
        }
    }

    pub(crate) fn session_config(&self, ours: &str, limits: SessionLimits) -> SessionConfig {
        SessionConfig {
            version: self.version,
            our_comp_id: ours.to_owned(),
            their_comp_id: self.comp_id.clone(),
            reset_on_logon: self.reset_on_logon,
            limits,
        }
    }
}

impl std::fmt::Debug for FixUser {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FixUser")
            .field("version", &self.version)
            .field("comp_id", &self.comp_id)
            .field("session", &self.session)
            .field("account", &self.account)
            .field("application", &self.application)
            .finish_non_exhaustive()
    }
}

/// When a session's open orders are cancelled by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CancelOn {
    /// Never: they stay, and their reports are stored.
    #[default]
    Never,
    /// When its connection is lost.
    Loss,
    /// When it logs out.
    Logout,
    /// Both.
    Both,
}

impl CancelOn {
    /// Whether it means an end of this kind.
    pub const fn means(self, is_logout: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Loss => !is_logout,
            Self::Logout => is_logout,
            Self::Both => true,
        }
    }
}

/// What answers the requests of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Application {
    /// The venue.
    #[default]
    Venue,
    /// What comes goes back: for testing a session layer, ours or another's.
    Echo,
}
