//! The configuration of a venue: a TOML file in, checked values out.

mod fix;
mod journal;
pub mod risk;
mod strategies;

pub use journal::{DiskCalls, Durability, JournalConfig};
pub use strategies::{LatencyConfig, LockstepSettings};

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use clap::ValueEnum;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use spindle_accounts::{AccountsConfig, FeeSchedule};
use spindle_engine::{Capacity, EngineConfig};
use spindle_gateway::delay::SessionModels;
use spindle_gateway::fix::FixConfig;
use spindle_risk::Limits;
use spindle_types::{AccountId, SessionId, Symbol};
use thiserror::Error;

use self::risk::{LimitsTable, RiskConfig, RiskTable};
use self::strategies::{
    AccountingTable, FeesTable, LatencyTable, LockstepTable, SessionLatencyTable,
};
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
    lockstep: Option<LockstepTable>,
    journal: Option<journal::JournalTable>,
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
}

const fn default_connections_max() -> usize {
    64
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedTable {
    #[serde(rename = "line")]
    lines: Vec<FeedLineTable>,
    #[serde(default)]
    receive: ReceivePath,
    session: Option<String>,
    #[serde(default)]
    request: Vec<String>,
    #[serde(default)]
    join: JoinAt,
    #[serde(default = "default_receive_buffer")]
    receive_buffer_bytes: usize,
    #[serde(default = "default_silence")]
    silence_ms: u64,
    #[serde(default = "default_quarantine")]
    quarantine_percent: Decimal,
}

const fn default_silence() -> u64 {
    3_000
}

fn default_quarantine() -> Decimal {
    Decimal::from(50)
}

const fn default_receive_buffer() -> usize {
    4 << 20
}

/// Which receive path the feed takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum ReceivePath {
    /// io_uring where the kernel allows it, otherwise `recvmmsg`.
    Auto,
    /// io_uring, or an error.
    IoUring,
    /// `recvmmsg`, spinning: the default, because it measured best (docs/measuring.md).
    #[default]
    Recvmmsg,
    /// `recvmsg`, spinning.
    Recv,
}

/// Where a feed begins when its first packet is not the first of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoinAt {
    /// Message 1: what was sent before is asked for, and lost where nobody gives it.
    #[default]
    First,
    /// The first packet: what was sent before is lost, and every book stale.
    Here,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedLineTable {
    address: String,
    interface: Option<String>,
    source: Option<String>,
}

/// One line of a feed.
#[derive(Clone, Debug)]
pub struct FeedLine {
    /// The group and port, or the local address and port for unicast.
    pub address: SocketAddr,
    /// The interface on which the packets arrive, by name; the kernel's choice where left out.
    pub interface: Option<String>,
    /// The one address that packets are taken from.
    pub source: Option<IpAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstrumentTable {
    symbol: String,
    currency: Option<String>,
    reference_price: Option<Decimal>,
    band_low: Option<Decimal>,
    band_high: Option<Decimal>,
    #[serde(default)]
    restricted: bool,
    #[serde(default)]
    price_test: bool,
}

#[derive(Debug, Deserialize)]
struct AccountTable {
    name: String,
    firm: Option<String>,
    #[serde(default)]
    fees: FeesTable,
    /// Whatever else is there must be a limit.
    #[serde(flatten)]
    limits: toml::Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionTable {
    user: String,
    password: String,
    account: String,
    #[serde(default)]
    latency: SessionLatencyTable,
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
    /// The FIX side, if there is one. Its sessions are numbered behind those of OUCH.
    pub fix: Option<FixConfig>,
    /// The outside feed, if there is one.
    pub feed: Option<FeedConfig>,
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
    /// A run in lockstep, where the file says how.
    pub lockstep: Option<LockstepSettings>,
}

/// An outside feed.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// One line or two that carry the same stream.
    pub lines: Vec<FeedLine>,
    /// How packets are received.
    pub receive: ReceivePath,
    /// The MoldUDP64 session; `None` takes the first that is seen.
    pub session: Option<[u8; 10]>,
    /// Request servers, asked in turn for what both lines miss.
    pub request: Vec<SocketAddr>,
    /// Where to begin.
    pub join: JoinAt,
    /// What is asked of the kernel for each socket.
    pub receive_buffer_bytes: usize,
    /// Milliseconds without a message or a heartbeat after which every top of book is stale and no
    /// order is taken.
    pub silence_ms: u64,
    /// How far a market may leave its place at once before it is put into quarantine, in basis
    /// points; `None` watches nothing.
    pub quarantine_basis_points: Option<u32>,
}

/// An account with its limits.
#[derive(Clone, Debug)]
pub struct AccountConfig {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// The number of its firm, if it belongs to one.
    pub firm: Option<u16>,
    /// Its limits.
    pub limits: Limits,
    /// What a share costs it.
    pub fees: FeeSchedule,
}

/// An order-entry session.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Its number.
    pub id: SessionId,
    /// User name: 1 to 6 letters or digits.
    pub user: String,
    /// Password: 1 to 10 letters or digits.
    pub password: String,
    /// The account that it trades for.
    pub account: AccountId,
    /// How long its requests and answers are under way.
    pub latency: SessionModels,
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
        let mut firms = Vec::new();
        let accounts = self.accounts(&file.accounts, &mut firms)?;
        let sessions = self.sessions(&file.sessions, &accounts)?;
        let fix =
            file.fix.as_ref().map(|fix| self.fix(fix, sessions.len(), &accounts)).transpose()?;
        if sessions.is_empty() && fix.as_ref().is_none_or(|fix| fix.sessions.is_empty()) {
            let message = "nobody could connect; give at least one [[session]] or [[fix.session]]";
            return Err(self.wrong("the file", message));
        }
        let instruments = self.instruments(&file.instruments)?;
        let (table, limits) = (file.risk, &file.limits);
        let risk = self.risk(table, limits, &file.instruments, &accounts, &sessions, firms)?;
        if instruments.is_empty() && file.feed.is_none() && file.lockstep.is_none() {
            let message = "nothing to trade; give at least one [[instrument]], or a [feed]";
            return Err(self.wrong("the file", message));
        }
        if file.gateway.connections_max == 0 || file.gateway.connections_max > 1024 {
            let place = "[gateway] connections_max";
            return Err(self.wrong(place, "give a number from 1 to 1024"));
        }
        let lockstep = file.lockstep.as_ref().map(|table| self.lockstep(table, &sessions));
        let feed = file.feed.as_ref().map(|feed| self.feed(feed)).transpose()?;
        let engine = self.engine(&file.engine, feed.is_some(), instruments.len())?;
        Ok(Config {
            name,
            engine,
            measure: file.engine.measure,
            threads: file.threads,
            ouch_listen: self.address(&file.gateway.ouch_listen, "[gateway] ouch_listen")?,
            connections_max: file.gateway.connections_max,
            fix,
            feed,
            instruments,
            accounts,
            sessions,
            latency: Self::latency(&file.latency),
            accounting: self.accounting(&file.accounting)?,
            risk,
            lockstep: lockstep.transpose()?,
            journal: file.journal.as_ref().map(|table| self.journal(table)).transpose()?,
        })
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

    fn feed(&self, table: &FeedTable) -> Result<FeedConfig, ConfigError> {
        if table.lines.is_empty() || table.lines.len() > 2 {
            let message = format!("{} lines; give one or two [[feed.line]]", table.lines.len());
            return Err(self.wrong("[feed]", message));
        }
        let session = match &table.session {
            None => None,
            Some(session) => {
                let text = self.text(session, 10, "[feed] session")?;
                let mut bytes = [b' '; 10];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Some(bytes)
            }
        };
        Ok(FeedConfig {
            lines: table.lines.iter().map(|line| self.line(line)).collect::<Result<_, _>>()?,
            receive: table.receive,
            session,
            request: table
                .request
                .iter()
                .map(|text| self.address(text, "[feed] request"))
                .collect::<Result<_, _>>()?,
            join: table.join,
            receive_buffer_bytes: table.receive_buffer_bytes,
            silence_ms: match table.silence_ms {
                0 => return Err(self.wrong("[feed] silence_ms", "it is 0; give at least 1")),
                silence => silence,
            },
            quarantine_basis_points: self
                .quarantine(table.quarantine_percent, "[feed] quarantine_percent")?,
        })
    }

    fn basis_points(&self, percent: Decimal, place: impl fmt::Display) -> Result<u32, ConfigError> {
        let basis_points = percent.checked_mul(Decimal::ONE_HUNDRED);
        let whole = basis_points.filter(|points| points.fract().is_zero());
        whole.and_then(|points| points.to_u32()).ok_or_else(|| {
            let message = "give a percentage of at least 0 with at most two decimal places";
            self.wrong(place, message)
        })
    }

    /// How far a market may jump; `None` where nobody watches it.
    fn quarantine(&self, percent: Decimal, place: &str) -> Result<Option<u32>, ConfigError> {
        Ok(Some(self.basis_points(percent, place)?).filter(|&points| points > 0))
    }

    fn line(&self, table: &FeedLineTable) -> Result<FeedLine, ConfigError> {
        let address = self.address(&table.address, "[[feed.line]] address")?;
        let source = table.source.as_ref().map(|text| {
            let place = "[[feed.line]] source";
            text.parse().map_err(|_| {
                self.wrong(place, format!("'{text}' is no address; give one such as 10.0.0.1"))
            })
        });
        Ok(FeedLine { address, interface: table.interface.clone(), source: source.transpose()? })
    }

    fn address(&self, text: &str, place: &str) -> Result<SocketAddr, ConfigError> {
        text.parse().map_err(|_| {
            let message =
                format!("'{text}' is no address and port; give one such as 127.0.0.1:8401");
            self.wrong(place, message)
        })
    }

    fn instruments(&self, tables: &[InstrumentTable]) -> Result<Vec<Symbol>, ConfigError> {
        let mut symbols = Vec::new();
        for (number, table) in (1..).zip(tables) {
            let place = format!("[[instrument]] number {number}, symbol");
            let symbol: Symbol = table.symbol.parse().map_err(|error| self.wrong(&place, error))?;
            if symbols.contains(&symbol) {
                return Err(self.wrong(&place, format!("{symbol} is there twice")));
            }
            symbols.push(symbol);
        }
        Ok(symbols)
    }

    fn accounts(
        &self,
        tables: &[AccountTable],
        firms: &mut Vec<String>,
    ) -> Result<Vec<AccountConfig>, ConfigError> {
        let mut accounts: Vec<AccountConfig> = Vec::new();
        for (id, table) in (0..=u16::MAX).zip(tables) {
            let name = &table.name;
            let place = |key: &str| format!("[[account]] {name}, {key}");
            if accounts.iter().any(|account| account.name == *name) {
                return Err(self.wrong(place("name"), "the name is there twice"));
            }
            let limits = self.account_limits(usize::from(id) + 1, table)?;
            let firm = table.firm.as_deref().map(|firm| {
                let full = || self.wrong(place("firm"), "there are too many firms");
                Self::firm(firms, firm).ok_or_else(full)
            });
            let firm = firm.transpose()?;
            let fees = self.fees(&table.fees, &place)?;
            accounts.push(AccountConfig {
                id: AccountId(id),
                name: name.clone(),
                firm,
                limits,
                fees,
            });
        }
        Ok(accounts)
    }

    fn sessions(
        &self,
        tables: &[SessionTable],
        accounts: &[AccountConfig],
    ) -> Result<Vec<SessionConfig>, ConfigError> {
        let mut sessions: Vec<SessionConfig> = Vec::new();
        for (id, table) in (0..=u16::MAX).zip(tables) {
            let place = |key: &str| format!("[[session]] {}, {key}", table.user);
            let user = self.text(&table.user, 6, &place("user"))?;
            if sessions.iter().any(|session| session.user.eq_ignore_ascii_case(&user)) {
                return Err(self.wrong(place("user"), "the user is there twice"));
            }
            let password = self.text(&table.password, 10, &place("password"))?;
            let account = accounts.iter().find(|account| account.name == table.account);
            let account = account.ok_or_else(|| {
                let message = format!("no [[account]] is named '{}'", table.account);
                self.wrong(place("account"), message)
            })?;
            let (id, account) = (SessionId(id), account.id);
            let latency = self.session_latency(&table.latency, &place)?;
            sessions.push(SessionConfig { id, user, password, account, latency });
        }
        Ok(sessions)
    }

    /// A text of 1 to `length_max` letters or digits.
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
mod tests {
    use spindle_risk::{Key, OFF, Target};

    use super::*;

    const GOOD: &str = r#"
[venue]
name = "SPINDLE"
[gateway]
ouch_listen = "127.0.0.1:0"
[[instrument]]
symbol = "AAA"
[[account]]
name = "MAKER"
order_size_max = 500
order_value_max = "10000.00"
collar_percent = "5"
open_orders_max = 10
[[session]]
user = "maker"
password = "secret"
account = "MAKER"
"#;

    fn complaint(text: &str) -> String {
        Config::parse(text, "venue.toml").expect_err("a complaint").to_string()
    }

    #[test]
    fn a_good_file_is_taken() {
        let config = Config::parse(GOOD, "venue.toml").expect("a configuration");
        assert_eq!(config.accounts[0].limits.get(Key::OrderValueMax, 0), 100_000_000);
        assert_eq!(config.accounts[0].limits.get(Key::CollarPercent, 0), 500);
        assert_eq!(config.instruments, ["AAA".parse().unwrap()]);
        assert_eq!(config.engine.first_number, 1);
    }

    #[test]
    fn complaints_name_place_and_remedy() {
        let cases = [
            ("name = \"SPINDLE\"", "nam = \"SPINDLE\"", "line 3: unknown field `nam`"),
            ("500", "-5", "line 10: order_size_max: give a whole number"),
            ("500", "0", "line 10: order_size_max is 0 and would refuse"),
            ("\"10000.00\"", "\"-1\"", "line 11: order_value_max: it is negative"),
            ("\"10000.00\"", "\"ten\"", "line 11: order_value_max: give a decimal"),
            ("\"5\"", "\"5.123\"", "line 12: collar_percent: give at most two"),
            ("\"AAA\"", "\"TOOLONGSYM\"", "'TOOLONGSYM' is not a symbol"),
            ("account = \"MAKER\"", "account = \"X\"", "no [[account]] is named 'X'"),
            ("\"secret\"", "\"with space\"", "maker, password: give 1 to 10 ASCII"),
            ("127.0.0.1:0", "localhost", "ouch_listen: 'localhost' is no address and port"),
            ("SPINDLE", "ELEVENCHARS", "[venue] name: give 1 to 10 ASCII"),
            ("", "[lockstep]\ntape_listen = 'x'\n", "[lockstep] tape_listen: 'x' is no address"),
            (
                "",
                "[lockstep]\ntape_listen = '127.0.0.1:0'\nsessions = ['x']\n",
                "[lockstep] sessions: no [[session]] has the user 'x'",
            ),
            (
                "open_orders_max = 10",
                "open_orders_max = 10\nfees = { maker = '0.00000001' }",
                "[[account]] MAKER, fees.maker: give an amount for each share",
            ),
            (
                "account = \"MAKER\"",
                "account = \"MAKER\"\nlatency = { entry = { model = 'log_normal', median_ns = 1, sigma = '9' } }",
                "[[session]] maker, latency.entry: give sigma from",
            ),
            (
                "account = \"MAKER\"",
                "account = \"MAKER\"\nlatency = { entry = { model = 'file', path = 'none.txt' } }",
                "[[session]] maker, latency.entry: none.txt: No such file",
            ),
            (
                "account = \"MAKER\"",
                "account = \"MAKER\"\nlatency = { entry = { model = 'uniform' } }",
                "unknown variant `uniform`",
            ),
        ];
        for (good, bad, expected) in cases {
            let text = GOOD.replacen(good, bad, 1);
            let complaint = complaint(&text);
            assert!(complaint.starts_with("venue.toml"), "{complaint}");
            assert!(complaint.contains(expected), "{complaint} does not contain {expected}");
            assert!(!complaint.contains('\n'), "{complaint:?}");
        }
    }

    #[test]
    fn limits_that_are_wrong_are_refused_with_the_line() {
        let after = |text: &str| format!("{GOOD}{text}");
        let of_account = |text: &str| GOOD.replacen("open_orders_max = 10", text, 1);
        let cases = [
            (of_account(""), "line 8: missing field `open_orders_max`"),
            (GOOD.replacen("collar_percent = \"5\"", "", 1), "missing field `collar_percent`"),
            (of_account("open_orders_max = \"10\""), "line 13: open_orders_max: give a whole"),
            (of_account("open_orders_max = 10\nluld = 1"), "line 14: luld: give true or false"),
            (
                of_account("open_orders_max = 10\nbought_quantity_max = 499"),
                "line 10: order_size_max is above bought_quantity_max",
            ),
            (of_account("open_orders_max = 10\norders = 1"), "line 14: unknown field `orders`"),
            (after("[[limits]]\naccount = \"X\"\n"), "line 19: no [[account]] is named 'X'"),
            (after("[[limits]]\nsession = \"X\"\n"), "line 19: no [[session]] has the user 'X'"),
            (after("[[limits]]\nfirm = \"X\"\n"), "line 19: no [[account]] belongs to firm 'X'"),
            (after("[[limits]]\nposition_max = 1\n"), "line 18: give one of account, session"),
            (
                after("[[limits]]\nsession = \"maker\"\nsymbol = \"AAA\"\n"),
                "line 20: only an account has limits in one",
            ),
            (
                after("[[limits]]\nsession = \"maker\"\ncurrency = \"EUR\"\n"),
                "line 20: [risk] currencies does not name 'EUR'",
            ),
            (
                after("[[limits]]\nsession = \"maker\"\nduplicate_max = 1\n"),
                "line 20: duplicate_max needs duplicate_window_ms",
            ),
            (after("[risk]\ncurrencies = []\n"), "[risk] currencies: give 1 to 4"),
            (after("[risk]\ncells_max = 0\n"), "[risk] cells_max: 0 is out of range"),
        ];
        for (text, expected) in cases {
            let complaint = complaint(&text);
            assert!(complaint.contains(expected), "{complaint} does not contain {expected}");
            assert!(!complaint.contains('\n'), "{complaint:?}");
        }
    }

    #[test]
    fn limits_are_read_at_every_level() {
        let text = GOOD.replacen("name = \"MAKER\"", "name = \"MAKER\"\nfirm = \"F\"", 1)
            + "[risk]\ncurrencies = [\"USD\", \"EUR\"]\n\
               [[limits]]\nfirm = \"F\"\ncurrency = \"EUR\"\ncredit_max = \"10.00\"\n\
               [[limits]]\naccount = \"MAKER\"\nsymbol = \"AAA\"\nposition_max = 7\n\
               [[limits]]\nsession = \"maker\"\nmessage_rate_max = 5\n\
               [[limits]]\nfirm = \"F\"\nwarn_percent = 50\n";
        let config = Config::parse(&text, "venue.toml").expect("a configuration");
        assert_eq!(
            (config.accounts[0].firm, &*config.risk.firms),
            (Some(0), &["F".to_owned()][..])
        );
        let limits = |target, symbol: Option<&str>| {
            let symbol = symbol.map(|symbol| symbol.parse().expect("a symbol"));
            let found = config.risk.limits.iter();
            let found = found.filter(|one| one.target == target && one.symbol == symbol);
            found.map(|one| one.limits).collect::<Vec<_>>()
        };
        let [firm] = limits(Target::Firm(0), None)[..] else { panic!("one") };
        assert_eq!(firm.get(Key::CreditMax, 1), 100_000);
        assert_eq!(firm.get(Key::CreditMax, 0), OFF);
        assert_eq!(firm.get(Key::WarnPercent, 0), 50);
        let own = limits(Target::Account(AccountId(0)), Some("AAA"));
        assert_eq!(own[0].get(Key::PositionMax, 0), 7);
        assert_eq!(limits(Target::Session(SessionId(0)), None)[0].get(Key::MessageRateMax, 0), 5);
    }

    #[test]
    fn fix_sessions_are_numbered_behind_the_others() {
        let fix = "[fix]\nlisten = \"127.0.0.1:0\"\ncomp_id = \"SPINDLE\"\n[[fix.session]]\n\
            comp_id = \"CLIENT\"\nversion = \"4.4\"\npassword = \"secret\"\naccount = \"MAKER\"\n\
            cancel_on = \"loss\"\ngrace_ms = 20\n";
        let config = Config::parse(&format!("{GOOD}{fix}"), "venue.toml").expect("a configuration");
        let session = &config.fix.expect("a FIX side").sessions[0];
        assert_eq!((session.session, session.grace_ns), (SessionId(1), 20_000_000));
        let cases = [
            ("\"4.4\"", "\"4.3\"", "unknown variant `4.3`"),
            ("CLIENT", "A=B", "comp_id: give 1 to 32 visible ASCII characters"),
            ("\"MAKER\"", "\"X\"", "CLIENT, account: no [[account]] is named 'X'"),
            ("\"loss\"", "\"death\"", "unknown variant `death`"),
        ];
        for (good, bad, expected) in cases {
            let complaint = complaint(&format!("{GOOD}{}", fix.replacen(good, bad, 1)));
            assert!(complaint.contains(expected), "{complaint} does not contain {expected}");
        }
        let cut = GOOD.find("[[session]]").unwrap();
        let only_fix = format!("{}{fix}", &GOOD[..cut]);
        assert!(Config::parse(&only_fix, "venue.toml").is_ok(), "OUCH needs nobody then");
    }

    #[test]
    fn a_venue_needs_something_to_trade_and_someone_who_trades() {
        let without = GOOD.replace("[[instrument]]\nsymbol = \"AAA\"", "");
        assert!(complaint(&without).contains("give at least one [[instrument]], or a [feed]"));
        let cut = GOOD.find("[[session]]").unwrap();
        assert!(complaint(&GOOD[..cut]).contains("give at least one [[session]]"));
    }
}
