//! What a configuration says of the risk gate.

use std::path::PathBuf;

use serde::Deserialize;
use spindle_engine::RiskChange;
use spindle_risk::{CURRENCIES_MAX, GateConfig, InstrumentState, Key, LimitError, Limits, Target};
use spindle_scenario::value_of;
use spindle_types::{AccountId, PriceUnit, SessionId, Symbol};

use super::{AccountConfig, AccountTable, Checker, ConfigError, InstrumentTable, SessionConfig};

/// The gate's table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RiskTable {
    control: Option<PathBuf>,
    state: Option<PathBuf>,
    kill_on_stale: bool,
    currencies: Vec<String>,
    cells_max: usize,
    limits_max: usize,
}

impl Default for RiskTable {
    fn default() -> Self {
        Self {
            control: None,
            state: None,
            kill_on_stale: false,
            currencies: vec!["USD".to_owned()],
            cells_max: 65_536,
            limits_max: 1_024,
        }
    }
}

/// Limits beside those of accounts.
#[derive(Debug, Deserialize)]
pub(super) struct LimitsTable {
    account: Option<String>,
    symbol: Option<String>,
    session: Option<String>,
    firm: Option<String>,
    currency: Option<String>,
    #[serde(flatten)]
    values: toml::Table,
}

/// What the gate is made of.
#[derive(Clone, Debug)]
pub struct RiskConfig {
    /// Where its operator connects: the path of a Unix socket.
    pub control: Option<PathBuf>,
    /// Where it is kept who was stopped, over a restart.
    pub state: Option<PathBuf>,
    /// Whether everybody is stopped when the feed is silent or loses messages.
    pub kill_on_stale: bool,
    /// Currencies by number.
    pub currencies: Vec<String>,
    /// Firms by number.
    pub firms: Vec<String>,
    /// The size of its tables.
    pub gate: GateConfig,
    /// Limits of sessions, firms and accounts in one instrument, all of each in one entry.
    pub limits: Vec<LimitsConfig>,
    /// What is known of the instruments of a venue without a feed.
    pub instruments: Vec<(Symbol, InstrumentState)>,
}

/// Limits beside those of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Whose.
    pub target: Target,
    /// In which instrument alone.
    pub symbol: Option<Symbol>,
    /// All of them.
    pub limits: Limits,
}

impl Default for RiskConfig {
    fn default() -> Self {
        Self {
            control: None,
            state: None,
            kill_on_stale: false,
            currencies: vec!["USD".to_owned()],
            firms: Vec::new(),
            gate: GateConfig::for_accounts(64),
            limits: Vec::new(),
            instruments: Vec::new(),
        }
    }
}

impl RiskConfig {
    /// The changes that bring a gate whose accounts are known to these limits.
    pub fn changes(&self, accounts: &[AccountConfig], with_instruments: bool) -> Vec<RiskChange> {
        let of_accounts = accounts.iter().map(|account| RiskChange::Limits {
            target: Target::Account(account.id),
            limits: account.limits,
        });
        let instruments = self.instruments.iter().filter(|_| with_instruments);
        let states = instruments.map(|&(symbol, state)| RiskChange::Instrument { symbol, state });
        states.chain(of_accounts).chain(self.limits.iter().map(LimitsConfig::change)).collect()
    }
}

impl LimitsConfig {
    /// The change that makes them hold.
    pub fn change(&self) -> RiskChange {
        let limits = self.limits;
        match (self.target, self.symbol) {
            (Target::Account(account), Some(symbol)) => {
                RiskChange::InstrumentLimits { account, symbol, limits }
            }
            (target, _) => RiskChange::Limits { target, limits },
        }
    }
}

/// The line of a key in the so-manieth table with this header, from 1; that of the header where the
/// key is not there.
fn line_of(text: &str, header: &str, number: usize, key: &str) -> usize {
    let mut seen = 0;
    let mut at = 0;
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.starts_with('[') {
            if seen == number && at > 0 && !content.starts_with("[account.") {
                return at;
            }
            seen += usize::from(content.starts_with(header));
            if seen == number && content.starts_with(header) {
                at = line;
            }
        } else if seen == number
            && at > 0
            && content.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
        {
            return line;
        }
    }
    at.max(1)
}

impl Checker<'_> {
    fn at(&self, header: &str, number: usize, key: &str, message: String) -> ConfigError {
        let line = line_of(self.text, header, number, key);
        ConfigError::Parse { path: self.path.to_owned(), line, message }
    }

    /// Reads limits of one table; every complaint names the line.
    fn read_limits(
        &self,
        header: &str,
        number: usize,
        values: &toml::Table,
        currency: usize,
        mut limits: Limits,
    ) -> Result<Limits, ConfigError> {
        for (name, value) in values {
            let wrong = |message| self.at(header, number, name, message);
            let key = Key::named(name)
                .ok_or_else(|| wrong(format!("unknown field `{name}`: no limit has this name")))?;
            if limits.get(key, currency) != Limits::NONE.get(key, currency) {
                let message =
                    format!("{name} is set before for the same owner; leave one of them out");
                return Err(wrong(message));
            }
            let value = serde_json::to_value(value).map_err(|error| wrong(error.to_string()))?;
            limits.set(key, currency, value_of(key, &value).map_err(wrong)?);
        }
        Ok(limits)
    }

    fn check_limits(
        &self,
        header: &str,
        number: usize,
        limits: &Limits,
        for_instrument: bool,
    ) -> Result<(), ConfigError> {
        limits.check(for_instrument).map_err(|error| {
            let key = match error {
                LimitError::Zero(key)
                | LimitError::NotForInstrument(key)
                | LimitError::OnlyForInstrument(key)
                | LimitError::TooHigh { key, .. }
                | LimitError::Contradiction { key, .. }
                | LimitError::Alone { key, .. } => key,
            };
            self.at(header, number, key, error.to_string())
        })
    }

    /// The limits of an account: some must be there.
    pub(super) fn account_limits(
        &self,
        number: usize,
        table: &AccountTable,
    ) -> Result<Limits, ConfigError> {
        const HEADER: &str = "[[account]]";
        for needed in ["order_size_max", "order_value_max", "open_orders_max"] {
            if !table.limits.contains_key(needed) {
                let message = format!("missing field `{needed}` of [[account]] {}", table.name);
                return Err(self.at(HEADER, number, needed, message));
            }
        }
        if !table.limits.keys().any(|key| key.starts_with("collar_")) {
            let message = format!(
                "missing field `collar_percent` of [[account]] {}; collar_ticks or collar_money do \
                 as well",
                table.name
            );
            return Err(self.at(HEADER, number, "collar_percent", message));
        }
        let limits = self.read_limits(HEADER, number, &table.limits, 0, Limits::NONE)?;
        self.check_limits(HEADER, number, &limits, false)?;
        Ok(limits)
    }

    /// The number of a firm; a new one where the name is new.
    pub(super) fn firm(firms: &mut Vec<String>, name: &str) -> Option<u16> {
        let at = firms.iter().position(|known| known == name).unwrap_or_else(|| {
            firms.push(name.to_owned());
            firms.len() - 1
        });
        u16::try_from(at).ok().filter(|&number| number < u16::MAX)
    }

    pub(super) fn risk(
        &self,
        table: RiskTable,
        tables: &[LimitsTable],
        instruments: &[InstrumentTable],
        accounts: &[AccountConfig],
        sessions: &[SessionConfig],
        firms: Vec<String>,
    ) -> Result<RiskConfig, ConfigError> {
        let currencies = table.currencies;
        let mut names = currencies.clone();
        names.sort_unstable();
        names.dedup();
        if currencies.is_empty()
            || currencies.len() > CURRENCIES_MAX
            || names.len() < currencies.len()
        {
            let message = format!("give 1 to {CURRENCIES_MAX} currencies, each once");
            return Err(self.wrong("[risk] currencies", message));
        }
        for (key, value) in [("cells_max", table.cells_max), ("limits_max", table.limits_max)] {
            if value == 0 || value > 1 << 24 {
                let message =
                    format!("{value} is out of range; give a number from 1 to {}", 1 << 24);
                return Err(self.wrong(format!("[risk] {key}"), message));
            }
        }
        let mut limits: Vec<LimitsConfig> = Vec::new();
        for (number, entry) in (1..).zip(tables) {
            self.beside(number, entry, &currencies, accounts, sessions, &firms, &mut limits)?;
        }
        let states = self.states(instruments, &currencies)?;
        let gate = GateConfig {
            accounts: accounts.len(),
            sessions: sessions.len(),
            firms: firms.len(),
            cells: table.cells_max,
            sets: (accounts.len() + table.limits_max).min(usize::from(u16::MAX)),
        };
        Ok(RiskConfig {
            control: table.control,
            state: table.state,
            kill_on_stale: table.kill_on_stale,
            currencies,
            firms,
            gate,
            limits,
            instruments: states,
        })
    }

    /// Without a feed every instrument is in the file: limits in another one are a mistake.
    pub(super) fn known_symbols(
        &self,
        tables: &[LimitsTable],
        known: &[Symbol],
    ) -> Result<(), ConfigError> {
        for (number, table) in (1..).zip(tables) {
            if let Some(symbol) = &table.symbol
                && !known.iter().any(|known| known.to_string() == *symbol)
            {
                let message = format!("no [[instrument]] has the symbol '{symbol}'");
                return Err(self.at("[[limits]]", number, "symbol", message));
            }
        }
        Ok(())
    }

    /// One table of limits beside those of accounts; a further one of the same owner adds to it.
    #[allow(clippy::too_many_arguments, reason = "everything that a name can stand for")]
    fn beside(
        &self,
        number: usize,
        table: &LimitsTable,
        currencies: &[String],
        accounts: &[AccountConfig],
        sessions: &[SessionConfig],
        firms: &[String],
        limits: &mut Vec<LimitsConfig>,
    ) -> Result<(), ConfigError> {
        const HEADER: &str = "[[limits]]";
        let wrong = |key: &str, message: String| self.at(HEADER, number, key, message);
        let target = match (&table.account, &table.session, &table.firm) {
            (Some(name), None, None) => {
                let found = accounts.iter().find(|account| account.name == *name);
                let unknown = || wrong("account", format!("no [[account]] is named '{name}'"));
                Target::Account(found.ok_or_else(unknown)?.id)
            }
            (None, Some(name), None) => {
                let found = sessions.iter().find(|session| session.user == *name);
                let unknown = || wrong("session", format!("no [[session]] has the user '{name}'"));
                Target::Session(found.ok_or_else(unknown)?.id)
            }
            (None, None, Some(name)) => {
                let found = firms.iter().position(|firm| firm == name);
                let number = found.and_then(|at| u16::try_from(at).ok());
                let unknown = || wrong("firm", format!("no [[account]] belongs to firm '{name}'"));
                Target::Firm(number.ok_or_else(unknown)?)
            }
            _ => {
                let message = "give one of account, session and firm";
                return Err(wrong("account", message.to_owned()));
            }
        };
        let symbol = match &table.symbol {
            None => None,
            Some(_) if table.account.is_none() => {
                let message = "only an account has limits in one instrument";
                return Err(wrong("symbol", message.to_owned()));
            }
            Some(symbol) => {
                Some(symbol.parse().map_err(|error| wrong("symbol", format!("{error}")))?)
            }
        };
        let currency = match &table.currency {
            None => 0,
            Some(name) => currencies.iter().position(|known| known == name).ok_or_else(|| {
                wrong("currency", format!("[risk] currencies does not name '{name}'"))
            })?,
        };
        let is_it = |one: &LimitsConfig| one.target == target && one.symbol == symbol;
        let before = match (limits.iter().position(is_it), target) {
            (Some(at), _) => limits.remove(at).limits,
            (None, Target::Account(account)) if symbol.is_none() => {
                // Those of the account itself, with more beside them.
                let found = accounts.iter().find(|known| known.id == account);
                found.map_or(Limits::NONE, |account| account.limits)
            }
            _ => Limits::NONE,
        };
        let set = self.read_limits(HEADER, number, &table.values, currency, before)?;
        self.check_limits(HEADER, number, &set, symbol.is_some())?;
        limits.push(LimitsConfig { target, symbol, limits: set });
        Ok(())
    }

    fn states(
        &self,
        tables: &[InstrumentTable],
        currencies: &[String],
    ) -> Result<Vec<(Symbol, InstrumentState)>, ConfigError> {
        const HEADER: &str = "[[instrument]]";
        let mut states = Vec::new();
        for (number, table) in (1..).zip(tables) {
            let wrong = |key: &str, message: String| self.at(HEADER, number, key, message);
            let symbol =
                table.symbol.parse().map_err(|error| wrong("symbol", format!("{error}")))?;
            let currency = match &table.currency {
                None => 0,
                Some(name) => {
                    currencies.iter().position(|known| known == name).ok_or_else(|| {
                        wrong("currency", format!("[risk] currencies does not name '{name}'"))
                    })?
                }
            };
            let price = |key: &str, value: Option<rust_decimal::Decimal>| match value {
                None => Ok(None),
                Some(value) => PriceUnit::TEN_THOUSANDTH
                    .price(value)
                    .map(Some)
                    .map_err(|error| wrong(key, format!("{key}: {error}"))),
            };
            let state = InstrumentState {
                currency: u8::try_from(currency).unwrap_or(0),
                restricted: table.restricted,
                price_test: table.price_test,
                reference: price("reference_price", table.reference_price)?,
                low: price("band_low", table.band_low)?,
                high: price("band_high", table.band_high)?,
            };
            states.push((symbol, state));
        }
        Ok(states)
    }
}

/// The name of whoever has limits, as the configuration has it.
pub fn name_of(
    target: Target,
    accounts: &[AccountConfig],
    sessions: &[SessionConfig],
    firms: &[String],
) -> String {
    match target {
        Target::All => "all".to_owned(),
        Target::Account(AccountId(at)) => {
            let found = accounts.get(usize::from(at));
            format!("account {}", found.map_or("?", |account| &account.name))
        }
        Target::Session(SessionId(at)) => {
            let found = sessions.get(usize::from(at));
            format!("session {}", found.map_or("?", |session| &session.user))
        }
        Target::Firm(at) => {
            format!("firm {}", firms.get(usize::from(at)).map_or("?", |firm| firm))
        }
    }
}
