//! What a gateway is told before it starts.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use spindle_types::{AccountId, SessionId};
use thiserror::Error;

use crate::fix::config::{CancelOn, FixConfig};
use crate::options::{Door, SessionOptions};
use crate::soup::codec::{SessionName, padded_left, padded_right};
use crate::soup::login::canonical;
use crate::soup::server::Timing;
use crate::vault::{BadHash, check_hash, is_hash};

/// The configuration of one gateway.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where to listen. Port 0 takes any free one; see `Gateway::local_address`.
    pub listen: SocketAddr,
    /// The name of the day's session, up to ten letters and digits.
    pub session: String,
    /// Who may log in. Each user has a stream of its own.
    pub users: Vec<User>,
    /// Capacities.
    pub limits: Limits,
    /// Heartbeats and time limits.
    pub timing: Timing,
    /// Whether requests are stamped and latencies recorded.
    pub stamps: bool,
    /// The FIX side, if there is one.
    pub fix: Option<FixConfig>,
    /// Who may come to the port of OUCH, and how.
    pub door: Door,
    /// What sessions of either protocol may do beside what is usual, by their numbers.
    pub options: BTreeMap<SessionId, SessionOptions>,
    /// What drop copies call accounts: 1 to 32 visible characters each. One that has no name here is
    /// called by its number.
    pub account_names: BTreeMap<AccountId, String>,
}

impl GatewayConfig {
    /// A configuration with the usual limits and times, without users, with stamps.
    pub fn new(listen: SocketAddr, session: &str) -> Self {
        Self {
            listen,
            session: session.to_owned(),
            users: Vec::new(),
            limits: Limits::default(),
            timing: Timing::default(),
            stamps: true,
            fix: None,
            door: Door::default(),
            options: BTreeMap::new(),
            account_names: BTreeMap::new(),
        }
    }
}

/// Someone who may log in.
#[derive(Clone)]
pub struct User {
    /// Up to six letters and digits; case does not matter.
    pub username: String,
    /// Up to ten letters and digits; case does not matter. Or the hash of them in capitals, which
    /// `spindle password` makes.
    pub password: String,
    /// The number of its session towards the engine, different from every other user's.
    pub session: SessionId,
    /// The account that it trades for.
    pub account: AccountId,
    /// The firm that its orders may name, up to four capitals; empty where they may name none.
    pub firm: String,
    /// The edition of OUCH that it speaks.
    pub protocol: OuchEdition,
    /// When its open orders are cancelled.
    pub cancel_on: CancelOn,
    /// How long it may be gone before they are, in nanoseconds.
    pub grace_ns: u64,
}

/// The editions of OUCH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OuchEdition {
    /// 5.0: numbers, options.
    #[default]
    V50,
    /// 4.2: tokens, fixed fields.
    V42,
}

impl User {
    /// A user of OUCH 5.0 without a firm, whose orders stay when it is gone.
    pub fn new(username: &str, password: &str, session: SessionId, account: AccountId) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
            session,
            account,
            firm: String::new(),
            protocol: OuchEdition::V50,
            cancel_on: CancelOn::Never,
            grace_ns: 0,
        }
    }
}

impl std::fmt::Debug for User {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("username", &self.username)
            .field("session", &self.session)
            .field("account", &self.account)
            .field("firm", &self.firm)
            .finish_non_exhaustive()
    }
}

/// The gateway's capacities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at once; further ones are closed as they come.
    pub connections_max: usize,
    /// Most connections from one address at once; further ones are closed as they come.
    pub connections_by_address_max: usize,
    /// Orders that drop copies know at once at most; the engine's table of strategies' orders is
    /// what is right. Of an order beyond it a FIX drop copy does not know symbol, side and name.
    pub copied_orders_max: usize,
    /// The largest length field of a packet from a client; longer ones close the connection.
    pub packet_length_max: usize,
    /// Bytes read from one connection in one turn at most. Kept at or above what the largest
    /// packet needs.
    pub read_bytes_max: usize,
    /// Requests taken from one connection in one turn at most.
    pub requests_max: usize,
    /// Events taken from the engine in one turn at most.
    pub events_max: usize,
    /// Bytes that may come up after a login and wait to be sent; beyond them the client is too slow
    /// and is disconnected. It loses nothing: a reconnect continues where it was.
    pub backlog_bytes_max: u64,
    /// Bytes of one session's stream at which new orders and replaces are refused with
    /// "processing error". Cancels and answers to what is open go on.
    pub stream_bytes_max: u64,
    /// Bytes above `stream_bytes_max` at which a new order or a replace closes the connection:
    /// refusals fill the stream too.
    pub stream_reserve_bytes: u64,
    /// Tokens of new orders and replacements that a session of OUCH 4.2 can use in a day.
    pub tokens_max: usize,
}

impl Default for Limits {
    /// 64 connections; 256 MiB a session, and 4 MiB of backlog: 50,000 answers.
    fn default() -> Self {
        Self {
            connections_max: 64,
            connections_by_address_max: 64,
            copied_orders_max: 1 << 16,
            packet_length_max: 2_048,
            read_bytes_max: 16 * 1024,
            requests_max: 64,
            events_max: 256,
            backlog_bytes_max: 4 << 20,
            stream_bytes_max: 256 << 20,
            stream_reserve_bytes: 16 << 20,
            tokens_max: 1 << 16,
        }
    }
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The session's name is not 1 to 10 letters and digits.
    #[error("gateway.session: '{0}' is no session name; 1 to 10 letters and digits are")]
    Session(String),
    /// A username is not 1 to 6 letters and digits.
    #[error("gateway.users: '{0}' is no username; 1 to 6 letters and digits are")]
    Username(String),
    /// A password is not 1 to 10 letters and digits, nor a hash.
    #[error("gateway.users: the password of '{0}' is none; 1 to 10 letters and digits are")]
    Password(String),
    /// A hash of a password that cannot be used.
    #[error("gateway: the password of '{0}': {1}")]
    Hash(String, BadHash),
    /// A firm twice among the accounts of a session.
    #[error("gateway.options: session {session} has the account {twice} twice")]
    DuplicateAccount {
        /// Which session.
        session: SessionId,
        /// Name or firm.
        twice: String,
    },
    /// A name of an account that is not 1 to 32 visible characters.
    #[error("gateway.options: '{0}' is no name of an account; 1 to 32 visible characters are")]
    AccountName(String),
    /// Rate or burst of a throttle is 0.
    #[error("gateway.options: the throttle of session {0} lets nothing through; give 1 or more")]
    Throttle(SessionId),
    /// A firm is not up to 4 capitals.
    #[error("gateway.users: the firm '{firm}' of '{username}' is none; up to 4 capitals are")]
    Firm {
        /// Whose.
        username: String,
        /// What was given.
        firm: String,
    },
    /// A username twice.
    #[error("gateway.users: '{0}' stands twice; case does not matter")]
    DuplicateUsername(String),
    /// A CompID is not 1 to 32 visible characters.
    #[error("gateway.fix: '{0}' is no CompID; 1 to 32 visible characters are")]
    CompId(String),
    /// A CompID twice in one version.
    #[error("gateway.fix: '{0}' stands twice in one version")]
    DuplicateCompId(String),
    /// A session number twice.
    #[error("gateway.users: session {0} stands twice; each user has its own")]
    DuplicateSession(SessionId),
    /// A capacity with which nothing would work.
    #[error("gateway.limits: {name} is {value}; it must be {least} or more")]
    Limit {
        /// The limit.
        name: &'static str,
        /// What was given.
        value: u64,
        /// The least that works.
        least: u64,
    },
}

/// A user as the gateway uses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedUser {
    /// In capitals, padded.
    pub(crate) username: [u8; 6],
    pub(crate) session: SessionId,
    pub(crate) account: AccountId,
    pub(crate) firm: [u8; 4],
    pub(crate) protocol: OuchEdition,
    pub(crate) cancel_on: CancelOn,
    pub(crate) grace_ns: u64,
}

impl GatewayConfig {
    /// Checks everything that does not need the machine.
    ///
    /// # Errors
    /// The first thing found that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.session_name()?;
        let users = self.checked_users()?;
        if let Some(fix) = &self.fix {
            fix.check(users.iter().map(|user| user.session).collect())?;
        }
        for (&session, options) in &self.options {
            options.check(session)?;
        }
        self.account_names.values().try_for_each(|name| account_name(name))?;
        self.limits.check()
    }

    pub(crate) fn session_name(&self) -> Result<SessionName, ConfigError> {
        let name = &self.session;
        alphanumeric(name)
            .then(|| padded_left(name))
            .flatten()
            .ok_or_else(|| ConfigError::Session(name.escape_default().to_string()))
    }

    pub(crate) fn checked_users(&self) -> Result<Vec<CheckedUser>, ConfigError> {
        let mut users = Vec::with_capacity(self.users.len());
        let (mut names, mut sessions) = (HashSet::new(), HashSet::new());
        for user in &self.users {
            let checked = user.checked()?;
            if !names.insert(checked.username) {
                return Err(ConfigError::DuplicateUsername(user.username.clone()));
            }
            if !sessions.insert(user.session) {
                return Err(ConfigError::DuplicateSession(user.session));
            }
            users.push(checked);
        }
        Ok(users)
    }
}

impl FixConfig {
    fn check(&self, mut numbers: HashSet<SessionId>) -> Result<(), ConfigError> {
        comp_id(&self.comp_id)?;
        let mut names = HashSet::new();
        for user in &self.sessions {
            comp_id(&user.comp_id)?;
            if !names.insert((user.version, user.comp_id.as_str())) {
                return Err(ConfigError::DuplicateCompId(user.comp_id.clone()));
            }
            if !numbers.insert(user.session) {
                return Err(ConfigError::DuplicateSession(user.session));
            }
            if is_hash(&user.password) {
                let complain = |error| ConfigError::Hash(user.comp_id.clone(), error);
                check_hash(&user.password).map_err(complain)?;
            }
        }
        let message_max = self.limits.message_max as u64;
        let table = [
            ("fix.message_max", message_max, 1_024),
            ("fix.store_bytes", self.limits.store_bytes as u64, 4 * message_max),
            ("fix.store_messages", self.limits.store_messages as u64, 16),
            ("fix.queue_bytes", self.limits.queue_bytes as u64, message_max),
            ("fix.queue_messages", self.limits.queue_messages as u64, 1),
            ("fix.ids_max", self.ids_max as u64, 1),
        ];
        match table.into_iter().find(|(_, value, least)| value < least) {
            Some((name, value, least)) => Err(ConfigError::Limit { name, value, least }),
            None => Ok(()),
        }
    }
}

impl SessionOptions {
    fn check(&self, session: SessionId) -> Result<(), ConfigError> {
        let (mut names, mut firms) = (HashSet::new(), HashSet::new());
        for account in &self.accounts {
            account_name(&account.name)?;
            let firm = account.firm.as_str();
            if firm.len() > 4 || !firm.bytes().all(|byte| byte.is_ascii_uppercase()) {
                let username = account.name.clone();
                return Err(ConfigError::Firm {
                    username,
                    firm: firm.escape_default().to_string(),
                });
            }
            let twice = if !names.insert(account.name.as_str()) {
                &account.name
            } else if !firm.is_empty() && !firms.insert(firm) {
                &account.firm
            } else {
                continue;
            };
            return Err(ConfigError::DuplicateAccount { session, twice: twice.clone() });
        }
        match self.throttle {
            Some(throttle) if throttle.rate == 0 || throttle.burst == 0 => {
                Err(ConfigError::Throttle(session))
            }
            _ => Ok(()),
        }
    }
}

fn account_name(text: &str) -> Result<(), ConfigError> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if visible && (1..=32).contains(&text.len()) {
        Ok(())
    } else {
        Err(ConfigError::AccountName(text.escape_default().to_string()))
    }
}

fn comp_id(text: &str) -> Result<(), ConfigError> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=');
    if visible && (1..=32).contains(&text.len()) {
        Ok(())
    } else {
        Err(ConfigError::CompId(text.escape_default().to_string()))
    }
}

impl User {
    fn checked(&self) -> Result<CheckedUser, ConfigError> {
        let name = || self.username.escape_default().to_string();
        let username = alphanumeric(&self.username)
            .then(|| padded_right(&self.username))
            .flatten()
            .ok_or_else(|| ConfigError::Username(name()))?;
        if is_hash(&self.password) {
            check_hash(&self.password).map_err(|error| ConfigError::Hash(name(), error))?;
        } else if !alphanumeric(&self.password) || self.password.len() > 10 {
            return Err(ConfigError::Password(name()));
        }
        let capitals = self.firm.bytes().all(|byte| byte.is_ascii_uppercase());
        let firm = capitals.then(|| padded_right(&self.firm)).flatten().ok_or_else(|| {
            let firm = self.firm.escape_default().to_string();
            ConfigError::Firm { username: name(), firm }
        })?;
        Ok(CheckedUser {
            username: canonical(username),
            session: self.session,
            account: self.account,
            firm,
            protocol: self.protocol,
            cancel_on: self.cancel_on,
            grace_ns: self.grace_ns,
        })
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        // A login request has length 47, the longest order with every option some 200.
        let packet = self.packet_length_max as u64;
        let table = [
            ("connections_max", self.connections_max as u64, 1),
            ("connections_by_address_max", self.connections_by_address_max as u64, 1),
            ("packet_length_max", packet, 256),
            ("read_bytes_max", self.read_bytes_max as u64, packet + 2),
            ("requests_max", self.requests_max as u64, 1),
            ("events_max", self.events_max as u64, 1),
            ("backlog_bytes_max", self.backlog_bytes_max, 1_024),
            ("stream_bytes_max", self.stream_bytes_max, 1_024),
            ("stream_reserve_bytes", self.stream_reserve_bytes, 1_024),
            ("tokens_max", self.tokens_max as u64, 1),
        ];
        match table.into_iter().find(|(_, value, least)| value < least) {
            Some((name, value, least)) => Err(ConfigError::Limit { name, value, least }),
            None => Ok(()),
        }
    }
}

fn alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(username: &str, session: u16) -> User {
        User::new(username, "secret", SessionId(session), AccountId(1))
    }

    fn config(users: Vec<User>) -> GatewayConfig {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        GatewayConfig { users, ..GatewayConfig::new(listen, "DAY") }
    }

    #[test]
    fn a_wrong_value_is_named_with_what_would_be_right() {
        let message = |config: GatewayConfig| config.check().expect_err("wrong").to_string();
        assert_eq!(config(vec![user("alice", 1), user("bob", 2)]).check(), Ok(()));
        assert_eq!(
            message(config(vec![user("alice", 1), user("ALICE", 2)])),
            "gateway.users: 'ALICE' stands twice; case does not matter"
        );
        assert_eq!(
            message(config(vec![user("alice", 1), user("bob", 1)])),
            "gateway.users: session 1 stands twice; each user has its own"
        );
        assert_eq!(
            message(config(vec![user("carolin", 1)])),
            "gateway.users: 'carolin' is no username; 1 to 6 letters and digits are"
        );
        let weak = User { password: String::new(), ..user("dave", 1) };
        assert_eq!(
            message(config(vec![weak])),
            "gateway.users: the password of 'dave' is none; 1 to 10 letters and digits are"
        );
        let firm = User { firm: "lime".to_owned(), ..user("dave", 1) };
        assert_eq!(
            message(config(vec![firm])),
            "gateway.users: the firm 'lime' of 'dave' is none; up to 4 capitals are"
        );
        let mut small = config(vec![]);
        small.limits.read_bytes_max = 100;
        assert_eq!(
            message(small),
            "gateway.limits: read_bytes_max is 100; it must be 2050 or more"
        );
        let mut long = config(vec![]);
        long.session = "ELEVENCHARS".to_owned();
        assert!(message(long).starts_with("gateway.session: 'ELEVENCHARS' is no session name"));
    }

    #[test]
    fn a_password_is_never_printed() {
        assert!(!format!("{:?}", config(vec![user("alice", 1)])).contains("secret"));
    }
}
