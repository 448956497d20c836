//! The operator's side of the risk gate: a socket that takes changes, what the gate has to say, and
//! the file that remembers who was stopped. All of it is done by the cold thread.

mod port;
mod state;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};
use serde_json::{Map, Value, json};
use spindle_engine::agent::{RiskInput, RiskPort};
use spindle_engine::input::{CHANGES_MAX, encode_changes};
use spindle_engine::tap::Progress;
use spindle_engine::{GateCounts, RiskChange, UsageReport};
use spindle_risk::{Cause, Check, GateConfig, Key, Limits, Notice, Target, Usage};
use spindle_scenario::{Op, Owner, written};
use spindle_types::Symbol;

pub use self::port::ControlPort;
pub use self::state::{StateError, read as read_state};
use crate::config::risk::{LimitsConfig, name_of};
use crate::config::{Config, SessionConfig};
use crate::log::{Entry, Level};
use crate::status::{Limit, Stopped};

/// Changes that are under way at once at most.
const INPUTS_MAX: usize = 16;

/// Notices between engine and operator at most; what is more waits in the gate.
const NOTICES_MAX: usize = 256;

/// The cold end of the rings.
pub struct RiskDesk {
    config: Config,
    /// Where the configuration is read again from.
    file: Option<PathBuf>,
    inputs: Producer<RiskInput>,
    answers: Consumer<RiskInput>,
    notices: Consumer<Notice>,
    /// Limits of accounts, and beside them, as they are now.
    limits: Vec<LimitsConfig>,
    /// Who is stopped.
    stopped: Vec<(Target, Cause)>,
    next: u64,
    /// What was asked and is not answered yet.
    asked: Vec<(u64, Asked)>,
    counts: Arc<GateCounts>,
    /// What is used of limits, where somebody in this process asked.
    used: Option<Vec<Limit>>,
    /// The journal that has to have a change before it is answered.
    journal: Option<Arc<Progress>>,
    /// Answers that wait for it.
    held: VecDeque<RiskInput>,
}

/// What the engine was asked.
enum Asked {
    /// To change: these limits will hold then.
    Change(Vec<LimitsConfig>),
    /// What is used of these limits.
    Usage(Vec<LimitsConfig>),
    /// The same, by somebody in this process.
    Limits(Vec<LimitsConfig>),
}

/// The answer to a line: at once, or when the engine has answered the input of this number.
pub(crate) enum Reply {
    Now(Value),
    When(u64),
}

fn error(message: impl std::fmt::Display) -> Reply {
    Reply::Now(json!({"error": message.to_string()}))
}

impl RiskDesk {
    /// The desk of a configuration, and the engine's ends of its rings.
    pub fn new(config: &Config, stopped: &[Target]) -> (Self, RiskPort) {
        let (inputs, inputs_out) = RingBuffer::new(INPUTS_MAX);
        let (answers_in, answers) = RingBuffer::new(INPUTS_MAX);
        let (notices_in, notices) = RingBuffer::new(NOTICES_MAX);
        let counts = Arc::<GateCounts>::default();
        let port = RiskPort {
            inputs: inputs_out,
            answers: answers_in,
            notices: notices_in,
            counts: Arc::clone(&counts),
        };
        let desk = Self {
            limits: all_limits(config),
            config: config.clone(),
            file: None,
            inputs,
            answers,
            notices,
            stopped: stopped.iter().map(|&target| (target, Cause::Restart)).collect(),
            next: 1,
            asked: Vec::new(),
            counts,
            used: None,
            journal: None,
            held: VecDeque::new(),
        };
        (desk, port)
    }

    /// From now on a change is answered when the journal has it safe.
    pub fn hold(&mut self, journal: Arc<Progress>) {
        self.journal = Some(journal);
    }

    /// Takes over limits that a journal has brought back.
    pub fn adopt(&mut self, changes: &[RiskChange]) {
        for change in changes {
            let (target, symbol, limits) = match *change {
                RiskChange::Limits { target, limits } => (target, None, limits),
                RiskChange::InstrumentLimits { account, symbol, limits } => {
                    (Target::Account(account), Some(symbol), limits)
                }
                _ => continue,
            };
            self.limits.retain(|one| (one.target, one.symbol) != (target, symbol));
            self.limits.push(LimitsConfig { target, symbol, limits });
        }
    }

    /// From now on the configuration can be read again from this file.
    pub fn read_again_from(&mut self, file: PathBuf) {
        self.file = Some(file);
    }

    /// How often each check has warned and refused: for metrics, to be read by any thread.
    pub const fn counts(&self) -> &Arc<GateCounts> {
        &self.counts
    }

    /// Warnings so far, by check.
    pub fn warned(&self) -> BTreeMap<String, u64> {
        let counted = Check::ALL.into_iter().map(|check| (check, self.counts.warnings(check)));
        let some = counted.filter(|(_, count)| *count > 0);
        some.map(|(check, count)| (check.name().to_owned(), count)).collect()
    }

    /// Who is stopped.
    pub fn stopped(&self) -> Vec<Stopped> {
        let stopped = self.stopped.iter();
        stopped
            .map(|&(of, cause)| Stopped { of: self.name(of), cause: cause.name().to_owned() })
            .collect()
    }

    /// Asks the engine what is used of all limits; nothing where too much is under way.
    pub fn ask_limits(&mut self) {
        let limits = self.limits.clone();
        self.ask_usage(Asked::Limits(limits));
    }

    /// What was asked with [`RiskDesk::ask_limits`], once it has come.
    pub const fn take_limits(&mut self) -> Option<Vec<Limit>> {
        self.used.take()
    }

    /// Reads what the engine has said: each notice as a line for people, each answer by its number.
    pub(crate) fn look(
        &mut self,
        mut tell: impl FnMut(Entry),
        mut answer: impl FnMut(u64, Result<Value, String>),
    ) {
        let mut kills_changed = false;
        while let Ok(notice) = self.notices.pop() {
            match notice {
                Notice::Killed { target, cause } => {
                    kills_changed |= cause != Cause::Restart;
                    self.stopped.retain(|(of, _)| *of != target);
                    self.stopped.push((target, cause));
                }
                Notice::Armed { target } => {
                    kills_changed = true;
                    self.stopped.retain(|(of, _)| *of != target);
                }
                Notice::Warning { .. } => {}
            }
            tell(self.entry(&notice));
        }
        if kills_changed && let Err(error) = self.keep() {
            let text = format!("{error}; who is stopped will not be known after a restart");
            tell(Entry::new(Level::Error, "risk", "state_not_written").text(text));
        }
        while let Ok(input) = self.answers.pop() {
            self.held.push_back(input);
        }
        while let Some(input) = self.next_safe() {
            let Some(at) = self.asked.iter().position(|(number, _)| *number == input.number) else {
                continue;
            };
            let (_, asked) = self.asked.remove(at);
            let told = match (asked, input.answer, input.usage) {
                (Asked::Usage(limits), _, Some(report)) => Ok(self.show(&limits, &report)),
                (Asked::Limits(limits), _, Some(report)) => {
                    self.used = Some(self.used_of(&limits, &report));
                    continue;
                }
                (_, Err(error), _) => Err(error.to_string()),
                (Asked::Change(limits), Ok(()), _) => {
                    for set in limits {
                        let is_it = |one: &LimitsConfig| {
                            (one.target, one.symbol) == (set.target, set.symbol)
                        };
                        self.limits.retain(|one| !is_it(one));
                        self.limits.push(set);
                    }
                    Ok(json!({"done": true}))
                }
                (Asked::Usage(_) | Asked::Limits(_), Ok(()), None) => {
                    Err("the report was lost; ask again".to_owned())
                }
            };
            answer(input.number, told);
        }
    }

    /// The next answer, if the journal has what it answers.
    fn next_safe(&mut self) -> Option<RiskInput> {
        let frame = self.held.front()?.frame;
        let is_safe = self.journal.as_ref().is_none_or(|journal| frame <= journal.engine());
        if is_safe { self.held.pop_front() } else { None }
    }

    /// Writes down who is stopped.
    fn keep(&self) -> Result<(), StateError> {
        let Some(path) = &self.config.risk.state else {
            return Ok(());
        };
        let names: Vec<_> =
            self.stopped.iter().map(|&(target, cause)| (self.name(target), cause.name())).collect();
        state::write(path, &names)
    }

    fn name(&self, target: Target) -> String {
        let Config { accounts, sessions, risk, .. } = &self.config;
        name_of(target, accounts, sessions, &risk.firms)
    }

    /// A notice for the log.
    fn entry(&self, notice: &Notice) -> Entry {
        let entry = |level, event| Entry::new(level, "risk", event).text(self.line(notice));
        match *notice {
            Notice::Warning { check, owner, limit, observed, .. } => entry(Level::Warn, "warning")
                .with("of", self.name(owner))
                .with("check", check.name())
                .with("limit", limit)
                .with("observed", observed),
            Notice::Killed { target, cause } => entry(Level::Error, "stopped")
                .with("of", self.name(target))
                .with("cause", cause.name()),
            Notice::Armed { target } => entry(Level::Info, "armed").with("of", self.name(target)),
        }
    }

    /// A notice for people.
    fn line(&self, notice: &Notice) -> String {
        match *notice {
            Notice::Warning { check, level, owner, limit, observed, .. } => {
                let name = self.name(owner);
                let place =
                    if level == spindle_risk::Level::Instrument { ", one instrument" } else { "" };
                format!("warning: {name}{place}: {} is {observed} of {limit}", check.name())
            }
            Notice::Killed { target, cause } => format!(
                "{} stopped ({}): orders are refused and what rested is cancelled",
                self.name(target),
                cause.name()
            ),
            Notice::Armed { target } => format!("{} may go on", self.name(target)),
        }
    }

    /// Carries out a line of the control socket: an operation of `spindle match` that concerns the
    /// gate (`limits`, `kill`, `arm`), `{"op":"show"}` or `{"op":"reload"}`.
    pub(crate) fn ask(&mut self, line: &str) -> Reply {
        let op: Value = match serde_json::from_str(line) {
            Ok(op) => op,
            Err(wrong) => return error(format!("not JSON: {wrong}")),
        };
        match op.get("op").and_then(Value::as_str) {
            Some("show") => self.look_up(),
            Some("reload") => self.reload(),
            Some("limits" | "kill" | "arm") => match Op::parse(line) {
                Ok(op) => self.operate(&op),
                Err(wrong) => error(wrong),
            },
            _ => error("op: give one of limits, kill, arm, show, reload"),
        }
    }

    fn target(&self, owner: &Owner) -> Result<Target, String> {
        let Config { accounts, sessions, risk, .. } = &self.config;
        let session =
            |name: &String| sessions.iter().find(|one: &&SessionConfig| one.user == *name);
        match owner {
            Owner::All => Ok(Target::All),
            Owner::Account(name) => {
                let found = accounts.iter().find(|account| account.name == *name);
                let found = found.ok_or_else(|| format!("account: none is named '{name}'"))?;
                Ok(Target::Account(found.id))
            }
            Owner::Session(name) => {
                let found = session(name).ok_or_else(|| format!("session: no user is '{name}'"))?;
                Ok(Target::Session(found.id))
            }
            Owner::Firm(name) => {
                let at = risk.firms.iter().position(|firm| firm == name);
                let number = at.and_then(|at| u16::try_from(at).ok());
                number.map(Target::Firm).ok_or_else(|| format!("firm: none is named '{name}'"))
            }
        }
    }

    fn operate(&mut self, op: &Op) -> Reply {
        let wish = match op {
            Op::Kill(kill) => kill
                .owner()
                .and_then(|owner| self.target(&owner))
                .map(|target| (RiskChange::Kill { target, cause: Cause::Operator }, None)),
            Op::Arm(arm) => arm
                .owner()
                .and_then(|owner| self.target(&owner))
                .map(|target| (RiskChange::Arm { target }, None)),
            Op::Limits(limits) => self.wished(limits).map(|set| (set.change(), Some(set))),
            _ => Err("op: give one of limits, kill, arm, show, reload".to_owned()),
        };
        match wish {
            Ok((change, set)) => self.send(vec![change], set.into_iter().collect()),
            Err(wrong) => error(wrong),
        }
    }

    /// All limits that somebody would have after some of them were set.
    fn wished(&self, op: &spindle_scenario::Limits) -> Result<LimitsConfig, String> {
        let target = self.target(&op.owner)?;
        let symbol: Option<Symbol> = match &op.symbol {
            None => None,
            Some(symbol) => Some(symbol.parse().map_err(|error| format!("symbol: {error}"))?),
        };
        if let Some(symbol) = symbol
            && self.config.feed.is_none()
            && !self.config.instruments.contains(&symbol)
        {
            return Err(format!("symbol: no instrument has the symbol {symbol}"));
        }
        let currency = match &op.currency {
            None => 0,
            Some(name) => {
                let mut known = self.config.risk.currencies.iter();
                let found = known.position(|currency| currency == name);
                found
                    .ok_or_else(|| format!("currency: [risk] currencies does not name '{name}'"))?
            }
        };
        let is_it = |one: &&LimitsConfig| (one.target, one.symbol) == (target, symbol);
        let mut limits = self.limits.iter().find(is_it).map_or(Limits::NONE, |one| one.limits);
        for &(key, value) in &op.values {
            let at = if key.is_money() { currency } else { 0 };
            limits.set(key, at, value.unwrap_or(Limits::NONE.get(key, at)));
        }
        limits.check(symbol.is_some()).map_err(|error| error.to_string())?;
        Ok(LimitsConfig { target, symbol, limits })
    }

    fn send(&mut self, changes: Vec<RiskChange>, limits: Vec<LimitsConfig>) -> Reply {
        self.push(changes, None, Asked::Change(limits))
    }

    /// Asks the engine what is used of all limits.
    fn look_up(&mut self) -> Reply {
        let limits = self.limits.clone();
        self.ask_usage(Asked::Usage(limits))
    }

    fn ask_usage(&mut self, asked: Asked) -> Reply {
        let of: Vec<_> = self.limits.iter().map(|one| (one.target, one.symbol)).collect();
        let GateConfig { accounts, sessions, firms, .. } = self.config.risk.gate;
        let report = UsageReport::new(&of, accounts + sessions + firms);
        self.push(Vec::new(), Some(report.into()), asked)
    }

    fn push(
        &mut self,
        changes: Vec<RiskChange>,
        usage: Option<Box<UsageReport>>,
        asked: Asked,
    ) -> Reply {
        let number = self.next;
        let mut encoded = Vec::new();
        encode_changes(&mut encoded, &changes);
        if encoded.len() > CHANGES_MAX {
            return error("too many changes at once; send them in parts");
        }
        let input = RiskInput { number, changes: changes.into(), answer: Ok(()), frame: 0, usage };
        if self.inputs.push(input).is_err() {
            return error("too many changes are under way; ask again");
        }
        self.next += 1;
        self.asked.push((number, asked));
        Reply::When(number)
    }

    /// Reads the configuration again and brings the gate to its limits, all of them or none.
    pub(crate) fn reload(&mut self) -> Reply {
        let Some(file) = &self.file else {
            return error("there is no configuration to read again");
        };
        let fresh = match Config::read(file) {
            Ok(fresh) => fresh,
            Err(wrong) => return error(wrong),
        };
        let names = |config: &Config| -> Vec<(String, Option<u16>)> {
            config.accounts.iter().map(|account| (account.name.clone(), account.firm)).collect()
        };
        let users = |config: &Config| -> Vec<String> {
            config.sessions.iter().map(|session| session.user.clone()).collect()
        };
        let old = &self.config;
        if names(&fresh) != names(old)
            || users(&fresh) != users(old)
            || fresh.risk.firms != old.risk.firms
            || fresh.risk.currencies != old.risk.currencies
        {
            return error(
                "accounts, sessions, firms and currencies cannot change while the venue runs; only \
                 limits can",
            );
        }
        let mut limits = all_limits(&fresh);
        // What is not there any more has no limits any more.
        for one in &self.limits {
            let is_it = |new: &LimitsConfig| (new.target, new.symbol) == (one.target, one.symbol);
            if !limits.iter().any(is_it) {
                limits.push(LimitsConfig { limits: Limits::NONE, ..*one });
            }
        }
        self.send(limits.iter().map(LimitsConfig::change).collect(), limits)
    }

    /// All limits that are set with what is used of them, and who is stopped.
    fn show(&self, limits: &[LimitsConfig], report: &UsageReport) -> Value {
        let limits: Vec<Value> = limits
            .iter()
            .zip(report.rows())
            .map(|(one, (_, _, usage))| self.show_limits(one, usage))
            .collect();
        let stopped: Vec<Value> = self
            .stopped
            .iter()
            .map(|&(target, cause)| json!({"of": self.name(target), "cause": cause.name()}))
            .collect();
        let counts = &self.counts;
        json!({
            "limits": limits,
            "stopped": stopped,
            "warnings": counts.all_warnings(),
            "warnings_by": by_check(|check| counts.warnings(check)),
            "refusals_by": by_check(|check| counts.refusals(check)),
        })
    }

    /// Every limit of which something can be used.
    fn used_of(&self, limits: &[LimitsConfig], report: &UsageReport) -> Vec<Limit> {
        let mut told = Vec::new();
        for (one, (_, _, usage)) in limits.iter().zip(report.rows()) {
            let symbol = one.symbol.map(|symbol| symbol.to_string()).unwrap_or_default();
            for (key, currency, value) in one.limits.iter() {
                let Some(used) = usage.of(key, currency) else {
                    continue;
                };
                let limit = usage.allowed(key).unwrap_or(value);
                told.push(Limit {
                    of: self.name(one.target),
                    symbol: symbol.clone(),
                    name: self.limit_name(key, currency),
                    used: plain(&written(key, used)),
                    limit: plain(&written(key, limit)),
                    percent: percent(used, limit),
                });
            }
        }
        told
    }

    fn limit_name(&self, key: Key, currency: usize) -> String {
        match currency {
            0 => key.name().to_owned(),
            at => format!("{} {}", key.name(), self.config.risk.currencies[at]),
        }
    }

    /// The limits of somebody, and in `usage` those of which something can be used, each with what
    /// is used of it and how much that is in a hundred.
    fn show_limits(&self, one: &LimitsConfig, usage: &Usage) -> Value {
        let mut shown = Map::new();
        shown.insert("of".into(), self.name(one.target).into());
        if let Some(symbol) = one.symbol {
            shown.insert("symbol".into(), symbol.to_string().into());
        }
        let mut used_of = Map::new();
        for (key, currency, value) in one.limits.iter() {
            let name = self.limit_name(key, currency);
            shown.insert(name.clone(), written(key, value));
            if let Some(used) = usage.of(key, currency) {
                let limit = usage.allowed(key).unwrap_or(value);
                used_of.insert(
                    name,
                    json!({
                        "used": written(key, used),
                        "limit": written(key, limit),
                        "percent": percent(used, limit),
                    }),
                );
            }
        }
        if !used_of.is_empty() {
            shown.insert("usage".into(), used_of.into());
        }
        Value::Object(shown)
    }
}

/// A value as it is written, without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A count of each check that has any, by its name.
fn by_check(count: impl Fn(Check) -> u64) -> Map<String, Value> {
    let counted = Check::ALL.into_iter().map(|check| (check, count(check)));
    let some = counted.filter(|(_, count)| *count > 0);
    some.map(|(check, count)| (check.name().to_owned(), count.into())).collect()
}

/// How much of a limit is used, in whole parts of a hundred, rounded down; of a limit of 0 nothing
/// or all.
fn percent(used: u64, limit: u64) -> u64 {
    match (used, limit) {
        (0, _) => 0,
        (_, 0) => 100,
        (used, limit) => {
            u64::try_from(u128::from(used) * 100 / u128::from(limit)).unwrap_or(u64::MAX)
        }
    }
}

fn all_limits(config: &Config) -> Vec<LimitsConfig> {
    let beside = |account: &crate::config::AccountConfig| {
        let target = Target::Account(account.id);
        config.risk.limits.iter().any(|one| one.target == target && one.symbol.is_none())
    };
    let of_accounts = config.accounts.iter().filter(|account| !beside(account));
    let of_accounts = of_accounts.map(|account| LimitsConfig {
        target: Target::Account(account.id),
        symbol: None,
        limits: account.limits,
    });
    of_accounts.chain(config.risk.limits.iter().copied()).collect()
}
