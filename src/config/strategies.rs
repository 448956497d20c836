//! What a configuration says of strategies in a recorded day: fees, latencies, lockstep.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use spindle_accounts::{AccountsConfig, FeeSchedule, Money};
use spindle_gateway::delay::{Draw, LONGEST_NS, Model, SessionModels};
use spindle_types::SessionId;

use super::{Checker, ConfigError, SessionConfig};

/// Fees of an account: in the currency for each share, with up to six decimal places; a rebate is
/// below zero.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FeesTable {
    maker: Decimal,
    taker: Decimal,
    share: Decimal,
}

/// How much room the strategies' accounts have.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AccountingTable {
    positions_max: usize,
    markouts_max: usize,
}

impl Default for AccountingTable {
    fn default() -> Self {
        let AccountsConfig { positions_max, markouts_max } = AccountsConfig::default();
        Self { positions_max, markouts_max }
    }
}

/// What holds for the delays of all sessions.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LatencyTable {
    seed: u64,
    scale: bool,
}

impl Default for LatencyTable {
    fn default() -> Self {
        Self { seed: 1, scale: true }
    }
}

/// The delays of one session.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SessionLatencyTable {
    entry: Option<ModelTable>,
    /// Left out, as `entry`.
    cancel: Option<ModelTable>,
    answer: Option<ModelTable>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case", deny_unknown_fields)]
enum ModelTable {
    Constant {
        ns: u64,
    },
    Normal {
        mean_ns: u64,
        deviation_ns: u64,
    },
    LogNormal {
        median_ns: u64,
        sigma: Decimal,
    },
    File {
        path: String,
        #[serde(default)]
        draw: DrawName,
    },
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DrawName {
    #[default]
    InOrder,
    Sampled,
}

/// What a run in lockstep needs besides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockstepTable {
    tape_listen: String,
    sessions: Option<Vec<String>>,
    #[serde(default = "default_deadline")]
    deadline_ms: u64,
    #[serde(default)]
    on_disconnect: OnDisconnect,
    #[serde(default = "default_rounds")]
    rounds_max: u32,
    /// Not watched where nothing is said: what LOBSTER's files leave out is made up at the next
    /// row, and until then such a market may stand crossed.
    #[serde(default)]
    quarantine_percent: Decimal,
}

const fn default_deadline() -> u64 {
    10_000
}

const fn default_rounds() -> u32 {
    100_000
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnDisconnect {
    #[default]
    Continue,
    End,
}

/// What holds for the delays of all sessions.
#[derive(Clone, Copy, Debug)]
pub struct LatencyConfig {
    /// What chance is seeded with.
    pub seed: u64,
    /// Whether delays are in tape time and so scale with its speed; otherwise they are in this
    /// machine's time and stay.
    pub scale: bool,
}

/// A run in lockstep.
#[derive(Clone, Debug)]
pub struct LockstepSettings {
    /// Where the tape is served.
    pub tape_listen: SocketAddr,
    /// The sessions that take part, in the order in which requests of the same time are processed.
    pub sessions: Vec<SessionId>,
    /// How long a strategy may take for its turn.
    pub deadline: Duration,
    /// Whether the run goes on without a strategy that disconnects.
    pub goes_on: bool,
    /// Rounds of turns at one time of the tape, between two of its messages.
    pub rounds_max: u32,
    /// How far a market may leave its place at once before it is put into quarantine, in basis
    /// points; `None` where markets are not watched.
    pub quarantine_basis_points: Option<u32>,
}

impl Checker<'_> {
    pub(super) fn fees(
        &self,
        table: &FeesTable,
        place: &dyn Fn(&str) -> String,
    ) -> Result<FeeSchedule, ConfigError> {
        Ok(FeeSchedule {
            maker: self.money(table.maker, place("fees.maker"))?,
            taker: self.money(table.taker, place("fees.taker"))?,
            share: self.money(table.share, place("fees.share"))?,
        })
    }

    fn money(&self, amount: Decimal, place: impl fmt::Display) -> Result<Money, ConfigError> {
        let units = amount.checked_mul(Decimal::from(1_000_000));
        let whole = units
            .filter(|units| units.fract().is_zero() && units.abs() <= Decimal::from(1_000_000_000));
        whole.and_then(|units| units.to_i128()).map(Money).ok_or_else(|| {
            let message = "give an amount for each share between -1000 and 1000 with at most six \
                           decimal places, as \"0.0030\"";
            self.wrong(place, message)
        })
    }

    pub(super) fn accounting(
        &self,
        table: &AccountingTable,
    ) -> Result<AccountsConfig, ConfigError> {
        let AccountingTable { positions_max, markouts_max } = *table;
        for (key, value) in [("positions_max", positions_max), ("markouts_max", markouts_max)] {
            if value == 0 || value > 1 << 24 {
                let message = "give a number from 1 to 16777216";
                return Err(self.wrong(format!("[accounting] {key}"), message));
            }
        }
        Ok(AccountsConfig { positions_max, markouts_max })
    }

    pub(super) const fn latency(table: &LatencyTable) -> LatencyConfig {
        LatencyConfig { seed: table.seed, scale: table.scale }
    }

    pub(super) fn session_latency(
        &self,
        table: &SessionLatencyTable,
        place: &dyn Fn(&str) -> String,
    ) -> Result<SessionModels, ConfigError> {
        let model = |table: &Option<ModelTable>, key: &str| match table {
            None => Ok(Model::ZERO),
            Some(table) => self.model(table, place(key)),
        };
        let entry = model(&table.entry, "latency.entry")?;
        let cancel = match &table.cancel {
            None => entry.clone(),
            given => model(given, "latency.cancel")?,
        };
        Ok(SessionModels { entry, cancel, answer: model(&table.answer, "latency.answer")? })
    }

    fn model(&self, table: &ModelTable, place: String) -> Result<Model, ConfigError> {
        let bounded = |ns: u64, key: &str| {
            if ns <= LONGEST_NS {
                return Ok(ns);
            }
            let message = format!("{key} is {ns}; give at most {LONGEST_NS}, an hour");
            Err(self.wrong(&place, message))
        };
        Ok(match table {
            ModelTable::Constant { ns } => Model::Constant { ns: bounded(*ns, "ns")? },
            ModelTable::Normal { mean_ns, deviation_ns } => Model::Normal {
                mean_ns: bounded(*mean_ns, "mean_ns")?,
                deviation_ns: bounded(*deviation_ns, "deviation_ns")?,
            },
            ModelTable::LogNormal { median_ns, sigma } => {
                let millionths = sigma.checked_mul(Decimal::from(1_000_000));
                let fits =
                    |sigma: &Decimal| sigma.fract().is_zero() && *sigma <= Decimal::from(5_000_000);
                let sigma = millionths.filter(fits).and_then(|sigma| sigma.to_u32());
                let sigma = sigma.ok_or_else(|| {
                    let message = "give sigma from \"0\" to \"5\" with at most six decimal places";
                    self.wrong(&place, message)
                })?;
                Model::LogNormal { median_ns: bounded(*median_ns, "median_ns")?, sigma }
            }
            ModelTable::File { path, draw } => Model::Measured {
                figures: self.figures(path, &place)?,
                draw: match draw {
                    DrawName::InOrder => Draw::InOrder,
                    DrawName::Sampled => Draw::Sampled,
                },
            },
        })
    }

    /// The figures of a file, whose path is that of the configuration's folder or absolute.
    fn figures(&self, path: &str, place: &str) -> Result<Arc<[u64]>, ConfigError> {
        let folder = Path::new(self.path).parent().unwrap_or(Path::new(""));
        let text = std::fs::read_to_string(folder.join(path))
            .map_err(|error| self.wrong(place, format!("{path}: {error}")))?;
        let mut figures = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let figure = line.parse().ok().filter(|figure| *figure <= LONGEST_NS);
            figures.push(figure.ok_or_else(|| {
                let shown: String = line.chars().take(20).flat_map(char::escape_default).collect();
                let message = format!(
                    "{path}, line {number}: '{shown}' is no number of nanoseconds up to an hour"
                );
                self.wrong(place, message)
            })?);
        }
        if figures.is_empty() {
            let message = format!("{path}: no figures; give one a line, in nanoseconds");
            return Err(self.wrong(place, message));
        }
        Ok(figures.into())
    }

    pub(super) fn lockstep(
        &self,
        table: &LockstepTable,
        sessions: &[SessionConfig],
    ) -> Result<LockstepSettings, ConfigError> {
        let ids = match &table.sessions {
            None => sessions.iter().map(|session| session.id).collect(),
            Some(users) => {
                let mut ids: Vec<SessionId> = Vec::new();
                for user in users {
                    let place = "[lockstep] sessions";
                    let found = sessions.iter().find(|one| one.user.eq_ignore_ascii_case(user));
                    let id = found.map(|session| session.id).ok_or_else(|| {
                        self.wrong(place, format!("no [[session]] has the user '{user}'"))
                    })?;
                    if ids.contains(&id) {
                        return Err(self.wrong(place, format!("'{user}' is there twice")));
                    }
                    ids.push(id);
                }
                ids
            }
        };
        if ids.is_empty() {
            return Err(self.wrong("[lockstep] sessions", "nobody would trade; name at least one"));
        }
        if table.deadline_ms == 0 || table.rounds_max == 0 {
            let key = if table.deadline_ms == 0 { "deadline_ms" } else { "rounds_max" };
            return Err(self.wrong(format!("[lockstep] {key}"), "it is 0; give at least 1"));
        }
        Ok(LockstepSettings {
            tape_listen: self.address(&table.tape_listen, "[lockstep] tape_listen")?,
            sessions: ids,
            deadline: Duration::from_millis(table.deadline_ms),
            goes_on: table.on_disconnect == OnDisconnect::Continue,
            rounds_max: table.rounds_max,
            quarantine_basis_points: self
                .quarantine(table.quarantine_percent, "[lockstep] quarantine_percent")?,
        })
    }
}
