//! Who may come in a configuration: addresses, certificates, passwords, accounts of a session, how
//! fast it may ask, and who reads along.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use spindle_gateway::Limits;
use spindle_gateway::fix::FixConfig;
use spindle_gateway::options::{
    AllowList, Beyond, CopyScope, Door, NamedAccount, SessionOptions, Throttle,
};
use spindle_gateway::tls::Tls;
use spindle_gateway::vault::{check_hash, is_hash};
use spindle_types::{AccountId, SessionId};

use super::{AccountConfig, Checker, ConfigError, SessionConfig};

/// How long a wrong login waits for its refusal, unless the file says otherwise.
const REFUSAL_MS: u64 = 1_000;

/// What a port asks of those who come.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsTable {
    certificate: PathBuf,
    key: PathBuf,
    client_authority: Option<PathBuf>,
}

impl TlsTable {
    /// Whether clients have to show a certificate.
    pub(super) fn asks_for_certificates(&self) -> bool {
        self.client_authority.is_some()
    }
}

/// What a session may do beside what its protocol says, as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionAccess<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) accounts: &'a [String],
    pub(super) sessions: &'a [String],
    pub(super) firms: &'a [String],
    pub(super) allow: &'a [String],
    pub(super) throttle: Option<ThrottleTable>,
    pub(super) drop_copy: bool,
}

/// A throttle as it is written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThrottleTable {
    rate: u32,
    burst: Option<u32>,
    #[serde(default)]
    beyond: BeyondKey,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BeyondKey {
    #[default]
    Reject,
    Disconnect,
}

/// Who may come, and what the gateway keeps for whom.
#[derive(Clone, Debug)]
pub struct Access {
    /// The port of OUCH. That of FIX has its own with the FIX side.
    pub door: Door,
    /// What sessions may do beside what is usual.
    pub options: BTreeMap<SessionId, SessionOptions>,
    /// What drop copies call accounts.
    pub account_names: BTreeMap<AccountId, String>,
    /// The gateway's capacities.
    pub limits: Limits,
    /// How long a wrong login waits for its refusal.
    pub refusal_ns: u64,
    /// Passwords that stand in the file as they are.
    pub plain_passwords: usize,
}

impl Default for Access {
    /// Everybody may come, with the usual limits.
    fn default() -> Self {
        Self {
            door: Door::default(),
            options: BTreeMap::new(),
            account_names: BTreeMap::new(),
            limits: Limits::default(),
            refusal_ns: 0,
            plain_passwords: 0,
        }
    }
}

/// The gateway's limits as they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GatewayLimits {
    pub(super) connections_by_address_max: Option<usize>,
    pub(super) stream_mib: Option<u64>,
    pub(super) backlog_kib: Option<u64>,
    pub(super) wrong_login_delay_ms: Option<u64>,
}

impl Checker<'_> {
    /// A port: who may come, and its certificate. Beyond loopback it speaks TLS, or the file says
    /// that it shall not.
    pub(super) fn door(
        &self,
        listen: SocketAddr,
        allow: &[String],
        tls: Option<&TlsTable>,
        plain_text: bool,
        place: &str,
    ) -> Result<Door, ConfigError> {
        let allow = self.allow(allow, format!("[{place}] allow"))?;
        let tls = tls.map(|table| {
            let authority = table.client_authority.as_deref();
            Tls::read(&table.certificate, &table.key, authority)
                .map_err(|error| self.wrong(format!("[{place}.tls]"), error))
        });
        let tls = tls.transpose()?;
        if tls.is_none() && !plain_text && !listen.ip().is_loopback() {
            let message = format!(
                "{listen} is no loopback address and everything could be read on the way; give \
                 [{place}.tls], or plain_text = true where the network is to be trusted"
            );
            return Err(self.wrong(format!("[{place}]"), message));
        }
        Ok(Door { allow, tls })
    }

    fn allow(&self, texts: &[String], place: impl fmt::Display) -> Result<AllowList, ConfigError> {
        let nets = texts.iter().map(|text| {
            let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(Into::into));
            net.map_err(|_| {
                let message = format!(
                    "'{text}' is no address or network; give one such as 10.1.2.3 or 10.1.0.0/16"
                );
                self.wrong(&place, message)
            })
        });
        Ok(AllowList(nets.collect::<Result<_, _>>()?))
    }

    /// The gateway's capacities.
    pub(super) fn gateway_limits(
        &self,
        table: &GatewayLimits,
        connections_max: usize,
        own_orders: usize,
    ) -> Result<Limits, ConfigError> {
        let mut limits = Limits { connections_max, ..Limits::default() };
        limits.copied_orders_max = own_orders;
        let by_address = table.connections_by_address_max.unwrap_or(connections_max);
        if by_address == 0 || by_address > connections_max {
            let message = format!("give a number from 1 to connections_max, {connections_max}");
            return Err(self.wrong("[gateway] connections_by_address_max", message));
        }
        limits.connections_by_address_max = by_address;
        let bounds =
            [("stream_mib", table.stream_mib, 65_536), ("backlog_kib", table.backlog_kib, 1 << 20)];
        for (key, value, max) in bounds {
            if value.is_some_and(|value| value == 0 || value > max) {
                let message = format!("give a number from 1 to {max}");
                return Err(self.wrong(format!("[gateway] {key}"), message));
            }
        }
        if let Some(mebibytes) = table.stream_mib {
            limits.stream_bytes_max = mebibytes << 20;
            limits.stream_reserve_bytes = (mebibytes << 20) / 16;
        }
        if let Some(kibibytes) = table.backlog_kib {
            limits.backlog_bytes_max = kibibytes << 10;
        }
        Ok(limits)
    }

    /// How long a wrong login waits for its refusal.
    pub(super) fn refusal(&self, table: &GatewayLimits) -> Result<u64, ConfigError> {
        match table.wrong_login_delay_ms.unwrap_or(REFUSAL_MS) {
            delay @ 0..=20_000 => Ok(delay * 1_000_000),
            _ => Err(self.wrong("[gateway] wrong_login_delay_ms", "give a number from 0 to 20000")),
        }
    }

    /// A password as it may stand in the file: a hash, or on loopback as it is. Counts the latter.
    pub(super) fn password(
        &self,
        password: &str,
        listen: SocketAddr,
        plain: &mut usize,
        place: impl fmt::Display,
    ) -> Result<(), ConfigError> {
        if is_hash(password) {
            return check_hash(password).map_err(|error| self.wrong(place, error));
        }
        if !listen.ip().is_loopback() {
            let message = "beyond loopback a session has a password, and here stands its hash: give \
                           what `spindle password` makes of it";
            return Err(self.wrong(place, message));
        }
        *plain += usize::from(!password.is_empty());
        Ok(())
    }

    /// The account of a session: the one that it names, or the first that a drop copy sees.
    pub(super) fn account_of(
        &self,
        access: &SessionAccess<'_>,
        accounts: &[AccountConfig],
        place: impl fmt::Display,
    ) -> Result<AccountId, ConfigError> {
        match access.account {
            Some(name) => self.account(name, accounts, place),
            None if access.drop_copy => Ok(AccountId(0)),
            None => Err(self.wrong(place, "give the account that it trades for")),
        }
    }

    fn account(
        &self,
        name: &str,
        accounts: &[AccountConfig],
        place: impl fmt::Display,
    ) -> Result<AccountId, ConfigError> {
        let found = accounts.iter().find(|account| account.name == name);
        let missing = || self.wrong(place, format!("no [[account]] is named '{name}'"));
        found.map(|account| account.id).ok_or_else(missing)
    }

    /// What a session may do beside what is usual, once all sessions are known.
    pub(super) fn options(
        &self,
        own: AccountId,
        access: &SessionAccess<'_>,
        known: &Known<'_>,
        place: &dyn Fn(&str) -> String,
    ) -> Result<SessionOptions, ConfigError> {
        let throttle = match access.throttle {
            None => None,
            Some(ThrottleTable { rate, burst, beyond }) => {
                let burst = burst.unwrap_or(rate);
                if rate == 0 || burst == 0 {
                    let message = "a rate or burst of 0 lets nothing through; give 1 or more";
                    return Err(self.wrong(place("throttle"), message));
                }
                let beyond = match beyond {
                    BeyondKey::Reject => Beyond::Reject,
                    BeyondKey::Disconnect => Beyond::Disconnect,
                };
                Some(Throttle { rate, burst, beyond })
            }
        };
        let allow = self.allow(access.allow, place("allow"))?;
        if access.drop_copy {
            let copy = Some(self.scope(access, known, place)?);
            return Ok(SessionOptions { accounts: Vec::new(), allow, throttle, copy });
        }
        for (key, given) in [("sessions", access.sessions), ("firms", access.firms)] {
            if !given.is_empty() {
                return Err(
                    self.wrong(place(key), "this is for a drop copy; give drop_copy = true")
                );
            }
        }
        let mut ids = vec![own];
        for name in access.accounts {
            let id = self.account(name, known.accounts, place("accounts"))?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let named = ids.iter().filter_map(|id| {
            let account = known.accounts.iter().find(|account| account.id == *id)?;
            let (name, firm) = (account.name.clone(), account.ouch_firm.clone());
            Some(NamedAccount { name, firm, account: *id })
        });
        Ok(SessionOptions { accounts: named.collect(), allow, throttle, copy: None })
    }

    fn scope(
        &self,
        access: &SessionAccess<'_>,
        known: &Known<'_>,
        place: &dyn Fn(&str) -> String,
    ) -> Result<CopyScope, ConfigError> {
        let mut scope = CopyScope { all: access.accounts == ["*"], ..CopyScope::default() };
        let own = access.account.map(str::to_owned);
        for name in own.iter().chain(access.accounts).filter(|_| !scope.all) {
            scope.accounts.push(self.account(name, known.accounts, place("accounts"))?);
        }
        for name in access.firms {
            let firm = known.firms.iter().position(|firm| firm == name);
            let missing =
                || self.wrong(place("firms"), format!("no [[account]] belongs to firm '{name}'"));
            let firm = firm.ok_or_else(missing)?;
            let of_firm = |account: &&AccountConfig| account.firm.map(usize::from) == Some(firm);
            scope.accounts.extend(known.accounts.iter().filter(of_firm).map(|account| account.id));
        }
        for name in access.sessions {
            let of_ouch =
                known.sessions.iter().filter(|session| session.user.eq_ignore_ascii_case(name));
            let of_fix = known.fix.iter().flat_map(|fix| &fix.sessions);
            let of_fix = of_fix.filter(|session| session.comp_id == *name);
            let found =
                of_ouch.map(|session| session.id).chain(of_fix.map(|session| session.session));
            let before = scope.sessions.len();
            scope.sessions.extend(found);
            if scope.sessions.len() == before {
                let message = format!("no session has the user or CompID '{name}'");
                return Err(self.wrong(place("sessions"), message));
            }
        }
        if !scope.all && scope.accounts.is_empty() && scope.sessions.is_empty() {
            let message =
                "it would see nothing; give accounts, firms or sessions, or accounts = [\"*\"]";
            return Err(self.wrong(place("drop_copy"), message));
        }
        Ok(scope)
    }
}

/// All that a session's options can name.
pub(super) struct Known<'a> {
    pub(super) accounts: &'a [AccountConfig],
    pub(super) firms: &'a [String],
    pub(super) sessions: &'a [SessionConfig],
    pub(super) fix: Option<&'a FixConfig>,
}
