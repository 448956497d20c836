//! Who trades what in a configuration: instruments, accounts and sessions of OUCH.

use std::net::SocketAddr;

use rust_decimal::Decimal;
use serde::Deserialize;
use spindle_accounts::FeeSchedule;
use spindle_gateway::OuchEdition;
use spindle_gateway::delay::SessionModels;
use spindle_gateway::fix::CancelOn;
use spindle_gateway::vault::is_hash;
use spindle_risk::Limits;
use spindle_types::{AccountId, SessionId, Symbol};

use super::access::{SessionAccess, ThrottleTable};
use super::fix::CancelOnName;
use super::strategies::{FeesTable, SessionLatencyTable};
use super::{Checker, ConfigError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstrumentTable {
    pub(super) symbol: String,
    pub(super) currency: Option<String>,
    pub(super) reference_price: Option<Decimal>,
    pub(super) band_low: Option<Decimal>,
    pub(super) band_high: Option<Decimal>,
    #[serde(default)]
    pub(super) restricted: bool,
    #[serde(default)]
    pub(super) price_test: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct AccountTable {
    pub(super) name: String,
    pub(super) firm: Option<String>,
    #[serde(default)]
    pub(super) ouch_firm: String,
    #[serde(default)]
    pub(super) fees: FeesTable,
    /// Whatever else is there must be a limit.
    #[serde(flatten)]
    pub(super) limits: toml::Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionTable {
    pub(super) user: String,
    pub(super) password: String,
    pub(super) account: Option<String>,
    #[serde(default)]
    pub(super) accounts: Vec<String>,
    #[serde(default)]
    pub(super) sessions: Vec<String>,
    #[serde(default)]
    pub(super) firms: Vec<String>,
    #[serde(default)]
    pub(super) allow: Vec<String>,
    pub(super) throttle: Option<ThrottleTable>,
    #[serde(default)]
    pub(super) drop_copy: bool,
    #[serde(default)]
    protocol: OuchName,
    #[serde(default)]
    cancel_on: CancelOnName,
    #[serde(default)]
    grace_ms: u64,
    #[serde(default)]
    pub(super) latency: SessionLatencyTable,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum OuchName {
    #[default]
    #[serde(rename = "ouch-5.0")]
    V50,
    #[serde(rename = "ouch-4.2")]
    V42,
}

impl SessionTable {
    pub(super) fn access(&self) -> SessionAccess<'_> {
        SessionAccess {
            account: self.account.as_deref(),
            accounts: &self.accounts,
            sessions: &self.sessions,
            firms: &self.firms,
            allow: &self.allow,
            throttle: self.throttle,
            drop_copy: self.drop_copy,
        }
    }
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
    /// What OUCH calls it in the option Firm: up to four capitals, empty where it cannot.
    pub ouch_firm: String,
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
    /// Password: 1 to 10 letters or digits, or its hash.
    pub password: String,
    /// The account that it trades for.
    pub account: AccountId,
    /// The edition of OUCH that it speaks.
    pub protocol: OuchEdition,
    /// When its open orders are cancelled.
    pub cancel_on: CancelOn,
    /// How long it may be gone before they are, in nanoseconds.
    pub grace_ns: u64,
    /// How long its requests and answers are under way.
    pub latency: SessionModels,
}

impl Checker<'_> {
    pub(super) fn instruments(
        &self,
        tables: &[InstrumentTable],
    ) -> Result<Vec<Symbol>, ConfigError> {
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

    pub(super) fn accounts(
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
            let visible = name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
            if !visible || !(1..=32).contains(&name.len()) {
                return Err(self.wrong(place("name"), "give 1 to 32 visible ASCII characters"));
            }
            let ouch_firm = table.ouch_firm.clone();
            if ouch_firm.len() > 4 || !ouch_firm.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Err(self.wrong(place("ouch_firm"), "give up to 4 capitals"));
            }
            accounts.push(AccountConfig {
                id: AccountId(id),
                name: name.clone(),
                firm,
                ouch_firm,
                limits,
                fees,
            });
        }
        Ok(accounts)
    }

    pub(super) fn sessions(
        &self,
        tables: &[SessionTable],
        accounts: &[AccountConfig],
        listen: SocketAddr,
        plain: &mut usize,
    ) -> Result<Vec<SessionConfig>, ConfigError> {
        let mut sessions: Vec<SessionConfig> = Vec::new();
        for (id, table) in (0..=u16::MAX).zip(tables) {
            let place = |key: &str| format!("[[session]] {}, {key}", table.user);
            let user = self.text(&table.user, 6, &place("user"))?;
            if sessions.iter().any(|session| session.user.eq_ignore_ascii_case(&user)) {
                return Err(self.wrong(place("user"), "the user is there twice"));
            }
            let password = if is_hash(&table.password) {
                table.password.clone()
            } else {
                self.text(&table.password, 10, &place("password"))?
            };
            self.password(&password, listen, plain, place("password"))?;
            let account = self.account_of(&table.access(), accounts, place("account"))?;
            let id = SessionId(id);
            let latency = self.session_latency(&table.latency, &place)?;
            let protocol = match table.protocol {
                OuchName::V50 => OuchEdition::V50,
                OuchName::V42 => OuchEdition::V42,
            };
            sessions.push(SessionConfig {
                id,
                user,
                password,
                account,
                protocol,
                cancel_on: table.cancel_on.value(),
                grace_ns: table.grace_ms.saturating_mul(1_000_000),
                latency,
            });
        }
        Ok(sessions)
    }
}
