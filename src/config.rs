//! The configuration of a venue: a TOML file in, checked values out.

mod access;
mod feed;
mod fix;
mod journal;
mod observe;
mod parties;
mod publish;
pub mod risk;
mod strategies;

pub use access::Access;
pub use feed::{FeedConfig, FeedLine, JoinAt, ReceivePath};
pub use journal::{DiskCalls, Durability, JournalConfig, OldSegments};
pub use parties::{AccountConfig, SessionConfig};
pub use publish::PublishConfig;
pub use strategies::{LatencyConfig, LockstepSettings};

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use spindle_accounts::AccountsConfig;
use spindle_engine::{Capacity, EngineConfig};
use spindle_gateway::fix::FixConfig;
use spindle_types::Symbol;
use thiserror::Error;

use self::access::{GatewayLimits, Known, TlsTable};
use self::feed::FeedTable;
use self::parties::{AccountTable, InstrumentTable, SessionTable};
use self::risk::{LimitsTable, RiskConfig, RiskTable};
use self::strategies::{AccountingTable, LatencyTable, LockstepTable};
use crate::log::Format;
use crate::runner::Idle;

/// Why a configuration is refused. The line names the file, the place and what would be right.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not TOML, a key that does not exist, or a value of the wrong kind.
    #[error("{path}, line {line}: {message}")]
    Parse {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A value that is well formed and cannot be.
    #[error("{path}: {place}: {message}")]
    Value {
        /// The file.
        path: String,
        /// Table and key.
        place: String,
        /// What is wrong, and what would be right.
        message: String,
    },
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    venue: VenueTable,
    #[serde(default)]
    engine: EngineTable,
    #[serde(default)]
    threads: ThreadsTable,
    gateway: GatewayTable,
    fix: Option<fix::FixTable>,
    feed: Option<FeedTable>,
    publish: Option<publish::PublishTable>,
    lockstep: Option<LockstepTable>,
    journal: Option<journal::JournalTable>,
    metrics: Option<observe::MetricsTable>,
    #[serde(default)]
    log: observe::LogTable,
    #[serde(default)]
    latency: LatencyTable,
    #[serde(default)]
    accounting: AccountingTable,
    #[serde(default)]
    risk: RiskTable,
    #[serde(default)]
    limits: Vec<LimitsTable>,
    #[serde(default, rename = "instrument")]
    instruments: Vec<InstrumentTable>,
    #[serde(default, rename = "account")]
    accounts: Vec<AccountTable>,
    #[serde(default, rename = "session")]
    sessions: Vec<SessionTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VenueTable {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EngineTable {
    orders_max: usize,
    levels_max: usize,
    own_orders_max: usize,
    instruments_max: usize,
    measure: bool,
}

impl Default for EngineTable {
    fn default() -> Self {
        Self {
            orders_max: 1_000_000,
            levels_max: 500_000,
            own_orders_max: 65_536,
            instruments_max: 16_384,
            measure: true,
        }
    }
}

/// Cores by number, and how threads wait.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThreadsTable {
    /// The engine's core.
    pub engine_core: Option<usize>,
    /// The gateway's core.
    pub gateway_core: Option<usize>,
    /// What a thread does without work; left out, it spins where it has a core to itself.
    pub idle: Option<Idle>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewayTable {
    ouch_listen: String,
    #[serde(default = "default_connections_max")]
    connections_max: usize,
    #[serde(default)]
    connections_by_address_max: Option<usize>,
    stream_mib: Option<u64>,
    backlog_kib: Option<u64>,
    wrong_login_delay_ms: Option<u64>,
    #[serde(default)]
    allow: Vec<String>,
    tls: Option<TlsTable>,
    #[serde(default)]
    plain_text: bool,
}

impl GatewayTable {
    const fn limits(&self) -> GatewayLimits {
        GatewayLimits {
            connections_by_address_max: self.connections_by_address_max,
            stream_mib: self.stream_mib,
            backlog_kib: self.backlog_kib,
            wrong_login_delay_ms: self.wrong_login_delay_ms,
        }
    }
}

const fn default_connections_max() -> usize {
    64
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The venue's name, which is the name of its SoupBinTCP session: 1 to 10 letters or digits.
    pub name: String,
    /// What the engine is made for.
    pub engine: EngineConfig,
    /// Whether the hot threads stamp every hop.
    pub measure: bool,
    /// Cores.
    pub threads: ThreadsTable,
    /// Where OUCH is served.
    pub ouch_listen: SocketAddr,
    /// Connections at once.
    pub connections_max: usize,
    /// Who may come, and what the gateway keeps for whom.
    pub access: Access,
    /// The FIX side, if there is one. Its sessions are numbered behind those of OUCH.
    pub fix: Option<FixConfig>,
    /// The outside feed, if there is one.
    pub feed: Option<FeedConfig>,
    /// The venue's own feed, if there is one.
    pub publish: Option<PublishConfig>,
    /// Instruments of a venue without a feed, numbered from 1.
    pub instruments: Vec<Symbol>,
    /// What the risk gate is made of.
    pub risk: RiskConfig,
    /// Accounts, numbered from 0.
    pub accounts: Vec<AccountConfig>,
    /// Sessions, numbered from 0.
    pub sessions: Vec<SessionConfig>,
    /// The delays of all sessions.
    pub latency: LatencyConfig,
    /// How much room the strategies' accounts have.
    pub accounting: AccountsConfig,
    /// The journal, where the file asks for one.
    pub journal: Option<JournalConfig>,
    /// Where metrics are served, if they are.
    pub metrics: Option<SocketAddr>,
    /// How the log is written.
    pub log: Format,
    /// A run in lockstep, where the file says how.
    pub lockstep: Option<LockstepSettings>,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: name.clone(), source })?;
        Self::parse(&text, &name)
    }

    /// Checks a text; `path` names it in errors.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            ConfigError::Parse {
                path: path.to_owned(),
                line: 1 + text[..at].matches('\n').count(),
                message: error.message().replace('\n', " "),
            }
        })?;
        Checker { path, text }.check(file)
    }
}

/// Turns the file into checked values; every complaint names the place.
struct Checker<'a> {
    path: &'a str,
    text: &'a str,
}

impl Checker<'_> {
    fn wrong(&self, place: impl fmt::Display, message: impl fmt::Display) -> ConfigError {
        let (place, message) = (place.to_string(), message.to_string());
        ConfigError::Value { path: self.path.to_owned(), place, message }
    }

    fn check(&self, file: File) -> Result<Config, ConfigError> {
        let name = self.text(&file.venue.name, 10, "[venue] name")?;
        if file.gateway.connections_max == 0 || file.gateway.connections_max > 1024 {
            let place = "[gateway] connections_max";
            return Err(self.wrong(place, "give a number from 1 to 1024"));
        }
        let mut firms = Vec::new();
        let accounts = self.accounts(&file.accounts, &mut firms)?;
        let listen = self.address(&file.gateway.ouch_listen, "[gateway] ouch_listen")?;
        let mut plain = 0;
        let sessions = self.sessions(&file.sessions, &accounts, listen, &mut plain)?;
        let fix = file.fix.as_ref();
        let fix =
            fix.map(|fix| self.fix(fix, sessions.len(), &accounts, &mut plain)).transpose()?;
        if sessions.is_empty() && fix.as_ref().is_none_or(|fix| fix.sessions.is_empty()) {
            let message = "nobody could connect; give at least one [[session]] or [[fix.session]]";
            return Err(self.wrong("the file", message));
        }
        let known =
            Known { accounts: &accounts, firms: &firms, sessions: &sessions, fix: fix.as_ref() };
        let mut access = self.access(&file, listen, &known)?;
        access.plain_passwords = plain;
        let instruments = self.instruments(&file.instruments)?;
        let (table, limits) = (file.risk, &file.limits);
        let risk = self.risk(table, limits, &file.instruments, &accounts, &sessions, firms)?;
        if file.feed.is_none() && file.lockstep.is_none() {
            self.known_symbols(limits, &instruments)?;
        }
        if instruments.is_empty() && file.feed.is_none() && file.lockstep.is_none() {
            let message = "nothing to trade; give at least one [[instrument]], or a [feed]";
            return Err(self.wrong("the file", message));
        }
        let lockstep = file.lockstep.as_ref().map(|table| self.lockstep(table, &sessions));
        let feed = file.feed.as_ref().map(|feed| self.feed(feed)).transpose()?;
        let publish =
            file.publish.as_ref().map(|publish| self.publish(publish, &name)).transpose()?;
        let engine = self.engine(&file.engine, feed.is_some(), instruments.len())?;
        let journal = file.journal.as_ref().map(|table| self.journal(table)).transpose()?;
        if journal.is_some() && sessions.iter().any(|session| !session.latency.is_zero()) {
            let message =
                "not beside [session.latency]: what is under way is on no disk; leave one out";
            return Err(self.wrong("[journal]", message));
        }
        Ok(Config {
            name,
            engine,
            measure: file.engine.measure,
            threads: file.threads,
            ouch_listen: listen,
            connections_max: file.gateway.connections_max,
            access,
            fix,
            feed,
            publish,
            instruments,
            accounts,
            sessions,
            latency: Self::latency(&file.latency),
            accounting: self.accounting(&file.accounting)?,
            risk,
            lockstep: lockstep.transpose()?,
            journal,
            metrics: file.metrics.as_ref().map(|table| self.metrics(table)).transpose()?,
            log: file.log.format,
        })
    }

    /// Who may come, once everybody is known.
    fn access(
        &self,
        file: &File,
        listen: SocketAddr,
        known: &Known<'_>,
    ) -> Result<Access, ConfigError> {
        let gateway = &file.gateway;
        let mut access = Access {
            door: self.door(
                listen,
                &gateway.allow,
                gateway.tls.as_ref(),
                gateway.plain_text,
                "gateway",
            )?,
            limits: self.gateway_limits(
                &gateway.limits(),
                gateway.connections_max,
                file.engine.own_orders_max,
            )?,
            refusal_ns: self.refusal(&gateway.limits())?,
            ..Access::default()
        };
        let names = known.accounts.iter().map(|account| (account.id, account.name.clone()));
        access.account_names = names.collect();
        for (session, table) in known.sessions.iter().zip(&file.sessions) {
            let place = |key: &str| format!("[[session]] {}, {key}", session.user);
            let options = self.options(session.account, &table.access(), known, &place)?;
            access.options.insert(session.id, options);
        }
        let of_fix = known.fix.iter().flat_map(|fix| &fix.sessions);
        let tables = file.fix.iter().flat_map(|fix| &fix.sessions);
        for (session, table) in of_fix.zip(tables) {
            let place = |key: &str| format!("[[fix.session]] {}, {key}", session.comp_id);
            let options = self.options(session.account, &table.access(), known, &place)?;
            access.options.insert(session.session, options);
        }
        Ok(access)
    }

    fn engine(
        &self,
        table: &EngineTable,
        beside_feed: bool,
        instruments: usize,
    ) -> Result<EngineConfig, ConfigError> {
        let bounds = [
            ("orders_max", table.orders_max, 1 << 26),
            ("levels_max", table.levels_max, 1 << 26),
            ("own_orders_max", table.own_orders_max, 1 << 24),
            ("instruments_max", table.instruments_max, (1 << 16) - 1),
        ];
        for (key, value, max) in bounds {
            if value == 0 || value > max {
                let message = format!("{value} is out of range; give a number from 1 to {max}");
                return Err(self.wrong(format!("[engine] {key}"), message));
            }
        }
        if instruments > table.instruments_max {
            let message = format!("there are {instruments} instruments; give at least as many");
            return Err(self.wrong("[engine] instruments_max", message));
        }
        let capacity = Capacity {
            instruments: table.instruments_max + 1,
            orders: table.orders_max,
            levels: table.levels_max,
        };
        let first_number = if beside_feed { EngineConfig::BESIDE_A_FEED } else { 1 };
        Ok(EngineConfig { capacity, own_orders: table.own_orders_max, first_number })
    }

    fn basis_points(&self, percent: Decimal, place: impl fmt::Display) -> Result<u32, ConfigError> {
        let basis_points = percent.checked_mul(Decimal::ONE_HUNDRED);
        let whole = basis_points.filter(|points| points.fract().is_zero());
        whole.and_then(|points| points.to_u32()).ok_or_else(|| {
            let message = "give a percentage of at least 0 with at most two decimal places";
            self.wrong(place, message)
        })
    }

    fn address(&self, text: &str, place: &str) -> Result<SocketAddr, ConfigError> {
        text.parse().map_err(|_| {
            let message =
                format!("'{text}' is no address and port; give one such as 127.0.0.1:8401");
            self.wrong(place, message)
        })
    }

    fn text(&self, text: &str, length_max: usize, place: &str) -> Result<String, ConfigError> {
        let fits = (1..=length_max).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(text.to_owned())
        } else {
            Err(self.wrong(place, format!("give 1 to {length_max} ASCII letters or digits")))
        }
    }
}

#[cfg(test)]
mod tests;
