//! The FIX side of a configuration.

use serde::Deserialize;
use spindle_gateway::fix::{Application, CancelOn, FixConfig, FixUser, Version};
use spindle_types::SessionId;

use super::access::{SessionAccess, ThrottleTable, TlsTable};
use super::{AccountConfig, Checker, ConfigError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FixTable {
    listen: String,
    comp_id: String,
    store_mib: Option<usize>,
    orders_max: Option<usize>,
    #[serde(default)]
    allow: Vec<String>,
    tls: Option<TlsTable>,
    #[serde(default)]
    plain_text: bool,
    #[serde(default, rename = "session")]
    pub(super) sessions: Vec<FixSessionTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FixSessionTable {
    pub(super) comp_id: String,
    version: FixVersion,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    account: Option<String>,
    #[serde(default)]
    accounts: Vec<String>,
    #[serde(default)]
    sessions: Vec<String>,
    #[serde(default)]
    firms: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
    throttle: Option<ThrottleTable>,
    #[serde(default)]
    drop_copy: bool,
    #[serde(default)]
    reset_on_logon: bool,
    #[serde(default)]
    cancel_on: CancelOnName,
    #[serde(default)]
    grace_ms: u64,
    #[serde(default)]
    application: FixApplication,
}

impl FixSessionTable {
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

#[derive(Clone, Copy, Debug, Deserialize)]
enum FixVersion {
    #[serde(rename = "4.2")]
    Fix42,
    #[serde(rename = "4.4")]
    Fix44,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CancelOnName {
    #[default]
    Never,
    Loss,
    Logout,
    Both,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FixApplication {
    #[default]
    Venue,
    Echo,
}

impl Checker<'_> {
    /// Sessions are numbered from `first`, behind those of OUCH.
    pub(super) fn fix(
        &self,
        table: &FixTable,
        first: usize,
        accounts: &[AccountConfig],
        plain: &mut usize,
    ) -> Result<FixConfig, ConfigError> {
        let listen = self.address(&table.listen, "[fix] listen")?;
        let mut fix = FixConfig::new(listen, &self.comp_id(&table.comp_id, "[fix] comp_id")?);
        let (allow, tls) = (&table.allow, table.tls.as_ref());
        fix.door = self.door(listen, allow, tls, table.plain_text, "fix")?;
        if let Some(mebibytes) = table.store_mib {
            if !(1..=1_024).contains(&mebibytes) {
                return Err(self.wrong("[fix] store_mib", "give a number from 1 to 1024"));
            }
            fix.limits.store_bytes = mebibytes << 20;
            fix.limits.store_messages = mebibytes << 12;
        }
        if let Some(orders_max) = table.orders_max {
            if !(1..=1 << 24).contains(&orders_max) {
                return Err(self.wrong("[fix] orders_max", "give a number from 1 to 16777216"));
            }
            fix.ids_max = orders_max;
        }
        for (offset, session) in table.sessions.iter().enumerate() {
            let place = |key: &str| format!("[[fix.session]] {}, {key}", session.comp_id);
            let number = u16::try_from(first + offset)
                .map_err(|_| self.wrong(place("comp_id"), "there are more than 65536 sessions"))?;
            let account = self.account_of(&session.access(), accounts, place("account"))?;
            // Who shows a certificate of the authority needs no password beside it.
            let known = session.password.is_empty()
                && table.tls.as_ref().is_some_and(TlsTable::asks_for_certificates);
            if !known {
                self.password(&session.password, listen, plain, place("password"))?;
            }
            let version = session.version.value();
            let twice = |user: &FixUser| user.comp_id == session.comp_id && user.version == version;
            if fix.sessions.iter().any(twice) {
                return Err(
                    self.wrong(place("comp_id"), "the CompID is there twice in one version")
                );
            }
            if version == Version::Fix42 && !session.username.is_empty() {
                let message =
                    "4.2 has no field for it; give a password alone, which RawData carries";
                return Err(self.wrong(place("username"), message));
            }
            fix.sessions.push(FixUser {
                version,
                comp_id: self.comp_id(&session.comp_id, &place("comp_id"))?,
                username: session.username.clone(),
                password: session.password.clone(),
                session: SessionId(number),
                account,
                reset_on_logon: session.reset_on_logon,
                cancel_on: session.cancel_on.value(),
                grace_ns: session.grace_ms.saturating_mul(1_000_000),
                application: session.application.value(),
            });
        }
        Ok(fix)
    }

    fn comp_id(&self, text: &str, place: &str) -> Result<String, ConfigError> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=');
        if visible && (1..=32).contains(&text.len()) {
            Ok(text.to_owned())
        } else {
            Err(self.wrong(place, "give 1 to 32 visible ASCII characters without '='"))
        }
    }
}

impl FixVersion {
    const fn value(self) -> Version {
        match self {
            Self::Fix42 => Version::Fix42,
            Self::Fix44 => Version::Fix44,
        }
    }
}

impl CancelOnName {
    pub(super) const fn value(self) -> CancelOn {
        match self {
            Self::Never => CancelOn::Never,
            Self::Loss => CancelOn::Loss,
            Self::Logout => CancelOn::Logout,
            Self::Both => CancelOn::Both,
        }
    }
}

impl FixApplication {
    const fn value(self) -> Application {
        match self {
            Self::Venue => Application::Venue,
            Self::Echo => Application::Echo,
        }
    }
}
