//! What people and programs read of a run: accounts, and how far the run has left the tape.

use std::fmt::Write as _;

use serde_json::{Value, json};
use spindle_accounts::{AccountLine, HORIZONS, Money, Owner};
use spindle_engine::Divergence;
use spindle_engine::event::{Basis, StaleCause};
use spindle_gateway::lockstep::Outcome;

use crate::accounting::{AssumedFill, RunRecord};
use crate::config::Config;
use crate::report::grouped;

/// The horizons by name, in the order of [`HORIZONS`].
const HORIZON_NAMES: [&str; HORIZONS.len()] = ["1 ms", "10 ms", "100 ms", "1 s", "10 s"];

/// What a statement says besides the record: names, and how delays were modelled.
#[derive(Clone, Debug)]
pub struct Frame {
    accounts: Vec<String>,
    latencies: Vec<(String, [String; 3])>,
    scaling: &'static str,
}

impl Frame {
    /// The names of a configuration, for a run in lockstep or in real time.
    pub fn new(config: &Config, lockstep: bool) -> Self {
        let accounts = config.accounts.iter().map(|account| account.name.clone()).collect();
        let delayed = config.sessions.iter().filter(|session| !session.latency.is_zero());
        let latencies = delayed.map(|session| {
            let models = &session.latency;
            let texts = [&models.entry, &models.cancel, &models.answer].map(ToString::to_string);
            (session.user.clone(), texts)
        });
        let scaling = match (lockstep, config.latency.scale) {
            (true, _) => "in tape time, which is the only time in lockstep",
            (false, true) => "in tape time: scaled with the tape's speed",
            (false, false) => "in this machine's time: not scaled with the tape's speed",
        };
        Self { accounts, latencies: latencies.collect(), scaling }
    }

    fn name(&self, owner: Owner) -> &str {
        match owner {
            Owner::Firm => "all",
            Owner::Account(account) => {
                self.accounts.get(account.index()).map_or("?", String::as_str)
            }
        }
    }

    /// A line for each session whose messages are delayed, and one that says in which time.
    fn latency_lines(&self) -> Vec<String> {
        if self.latencies.is_empty() {
            return vec!["latency: none added".to_owned()];
        }
        let line = |(user, [entry, cancel, answer]): &(String, [String; 3])| {
            format!("latency of {user}: entry {entry}; cancel {cancel}; answer {answer}")
        };
        let mut lines: Vec<_> = self.latencies.iter().map(line).collect();
        lines.push(format!("latencies are {}", self.scaling));
        lines
    }
}

/// The statement as a table.
pub fn table(record: &RunRecord, frame: &Frame) -> String {
    let mut out = format!("accounts at {}\n", record.time);
    let _ = write!(out, "{:<12}{:>8}{:>12}{:>12}", "account", "fills", "bought", "sold");
    for name in ["fees", "realised", "unrealised", "net"] {
        let _ = write!(out, "{name:>15}");
    }
    out.push('\n');
    for line in &record.accounts.accounts {
        let (bought, sold) = (grouped(line.bought), grouped(line.sold));
        let name = frame.name(line.owner);
        let _ = write!(out, "{name:<12}{:>8}{bought:>12}{sold:>12}", line.fills);
        for amount in [line.fees, line.realised, line.unrealised, line.net()] {
            let _ = write!(out, "{:>15}", cents(amount));
        }
        out.push('\n');
    }
    let _ = write!(out, "{:<12}", "a share");
    for name in HORIZON_NAMES {
        let _ = write!(out, "{:>14}", format!("after {name}"));
    }
    out.push('\n');
    for line in &record.accounts.accounts {
        let _ = write!(out, "{:<12}", frame.name(line.owner));
        for markout in &line.markouts {
            let average = markout.average().map_or("-".to_owned(), money);
            let _ = write!(out, "{average:>14}");
        }
        out.push('\n');
    }
    out.push_str(&position_table(record, frame));
    for line in &record.accounts.accounts {
        for shortcoming in shortcomings(line) {
            let _ = writeln!(out, "{}: {shortcoming}", frame.name(line.owner));
        }
    }
    for line in frame.latency_lines() {
        let _ = writeln!(out, "{line}");
    }
    out.push_str(&divergence_table(record));
    out
}

/// The open positions, and those that are closed, up to a screen or two.
fn position_table(record: &RunRecord, frame: &Frame) -> String {
    const ROWS_MAX: usize = 60;
    let lines = || {
        let all = record.accounts.positions.iter().zip(&record.symbols);
        all.filter(|(line, _)| line.owner != Owner::Firm)
    };
    let mut out = format!("{:<12}{:<9}{:>14}", "position in", "", "shares");
    for name in ["average", "price", "realised", "unrealised"] {
        let _ = write!(out, "{name:>15}");
    }
    out.push('\n');
    for (line, symbol) in lines().take(ROWS_MAX) {
        let (name, position) = (frame.name(line.owner), &line.position);
        let _ = write!(out, "{name:<12}{symbol:<9}{:>14}", position.shares);
        let price = |price: Option<Money>| price.map_or("-".to_owned(), money);
        let unrealised = line.mark.map_or("-".to_owned(), |mark| cents(position.unrealised(mark)));
        let (average, mark) = (price(position.average()), price(line.mark));
        let realised = cents(position.realised);
        let _ = writeln!(out, "{average:>15}{mark:>15}{realised:>15}{unrealised:>15}");
    }
    let more = lines().count().saturating_sub(ROWS_MAX);
    if more > 0 {
        let _ = writeln!(out, "and {more} more: --json or --csv has all");
    }
    out
}

/// What is missing from an account's figures.
fn shortcomings(line: &AccountLine) -> Vec<String> {
    let unreached = line.unreached(HORIZONS.len() - 1);
    let table = [
        (line.unpriced, "open positions without a price on the tape are not in unrealised"),
        (unreached, "fills less than 10 s before the end have not all their markouts"),
        (line.markouts_missed, "fills have no markouts: raise [accounting] markouts_max"),
        (line.unplaced, "fills are in no position: raise [accounting] positions_max"),
    ];
    let told = table.into_iter().filter(|(count, _)| *count > 0);
    told.map(|(count, text)| format!("{count} {text}")).collect()
}

/// The columns of a ledger, with what each counts.
fn columns(sums: &Divergence) -> [(&'static str, u64); 8] {
    [
        ("taken", sums.taken),
        ("met", sums.met),
        ("ahead", sums.ahead),
        ("hidden", sums.hidden),
        ("cross", sums.cross),
        ("displaced", sums.displaced),
        ("void", sums.void),
        ("refused", sums.refused),
    ]
}

fn divergence_table(record: &RunRecord) -> String {
    let mut out = format!("{:<12}", "off the tape");
    for (name, _) in columns(&record.total) {
        let _ = write!(out, "{name:>10}");
    }
    let _ = writeln!(out, "{:>14}{:>10}", "day's volume", "traded");
    let mut row = |name: &str, sums: &Divergence| {
        let _ = write!(out, "{name:<12}");
        for (_, shares) in columns(sums) {
            let _ = write!(out, "{:>10}", grouped(shares));
        }
        let _ =
            writeln!(out, "{:>14}{:>10}", grouped(sums.volume), part(sums.traded(), sums.volume));
    };
    for line in &record.divergence {
        row(&line.symbol.to_string(), &line.sums);
    }
    row("all", &record.total);
    for line in &record.divergence {
        if let Some(cause) = line.stale {
            let _ = writeln!(
                out,
                "{}: its book is not known to be the market's any more ({}): no order is taken or filled \
                 there",
                line.symbol,
                cause.name()
            );
        }
    }
    let assumed = record.total.assumed();
    if assumed > 0 {
        let _ = writeln!(
            out,
            "{} shares of fills rest on an assumption and not on a displayed queue: hidden trades and \
             crosses",
            grouped(assumed)
        );
    }
    out
}

/// A part as a percentage with three places; `-` of nothing.
fn part(shares: u64, of: u64) -> String {
    if of == 0 {
        return "-".to_owned();
    }
    let thousandths = u128::from(shares) * 100_000 / u128::from(of);
    format!("{}.{:03} %", thousandths / 1_000, thousandths % 1_000)
}

/// The statement as JSON. Amounts are texts with six decimal places, shares are numbers.
pub fn json(record: &RunRecord, frame: &Frame, outcome: Option<&Outcome>) -> Value {
    let accounts = record.accounts.accounts.iter().map(|line| {
        let markouts =
            HORIZON_NAMES.iter().zip(&line.markouts).enumerate().map(|(at, (name, one))| {
                json!({
                    "after": name,
                    "fills": one.fills,
                    "shares": one.shares,
                    "profit": money(one.profit),
                    "a_share": one.average().map(money),
                    "without_price": one.unpriced,
                    "not_reached": line.unreached(at),
                })
            });
        json!({
            "account": frame.name(line.owner),
            "fills": line.fills,
            "bought": line.bought,
            "sold": line.sold,
            "maker": line.maker,
            "taker": line.taker,
            "assumed": line.assumed,
            "fees": money(line.fees),
            "realised": money(line.realised),
            "unrealised": money(line.unrealised),
            "net": money(line.net()),
            "positions_without_price": line.unpriced,
            "fills_without_markout": line.markouts_missed,
            "fills_without_position": line.unplaced,
            "markouts": markouts.collect::<Vec<_>>(),
        })
    });
    let positions = record.accounts.positions.iter().zip(&record.symbols).map(|(line, symbol)| {
        json!({
            "account": frame.name(line.owner),
            "symbol": symbol.to_string(),
            "shares": line.position.shares,
            "average": line.position.average().map(money),
            "price": line.mark.map(money),
            "realised": money(line.position.realised),
            "unrealised": line.mark.map(|mark| money(line.position.unrealised(mark))),
        })
    });
    let instruments = record.divergence.iter().map(|line| {
        let mut sums = divergence_json(&line.sums);
        sums["stale"] = line.stale.map(StaleCause::name).into();
        sums["symbol"] = line.symbol.to_string().into();
        sums
    });
    let latencies = frame.latencies.iter().map(|(user, [entry, cancel, answer])| {
        json!({ "user": user, "entry": entry, "cancel": cancel, "answer": answer })
    });
    json!({
        "time": record.time.to_string(),
        "run": outcome.map(outcome_json),
        "latency": { "time": frame.scaling, "sessions": latencies.collect::<Vec<_>>() },
        "accounts": accounts.collect::<Vec<_>>(),
        "positions": positions.collect::<Vec<_>>(),
        "divergence": {
            "all": divergence_json(&record.total),
            "instruments": instruments.collect::<Vec<_>>(),
        },
        "assumed_fills": {
            "count": record.assumed_fills,
            "first": record.assumed.iter().map(|fill| assumed_json(fill, frame)).collect::<Vec<_>>(),
        },
    })
}

fn assumed_json(fill: &AssumedFill, frame: &Frame) -> Value {
    json!({
        "time": fill.time.to_string(),
        "account": frame.name(Owner::Account(fill.account)),
        "symbol": fill.symbol.to_string(),
        "side": fill.side.name(),
        "price": money(Money::of_price(fill.price)),
        "shares": fill.quantity.0,
        "rests_on": match fill.basis {
            Basis::Queue => "queue",
            Basis::Hidden => "hidden trade",
            Basis::Cross(_) => "cross",
        },
    })
}

fn divergence_json(sums: &Divergence) -> Value {
    let mut value = json!({
        "volume": sums.volume,
        "traded": sums.traded(),
        "assumed": sums.assumed(),
        "traded_of_volume": part(sums.traded(), sums.volume),
    });
    for (name, shares) in columns(sums) {
        value[name] = shares.into();
    }
    value
}

fn outcome_json(outcome: &Outcome) -> Value {
    let gone = outcome.gone.iter();
    json!({
        "messages": outcome.messages,
        "undecoded": outcome.undecoded,
        "turns": outcome.turns,
        "answers": outcome.answers,
        "hurried": outcome.hurried,
        "checksum": format!("{:016x}", outcome.checksum),
        "stopped": outcome.stopped,
        "gone": gone.map(|(user, time)| json!({ "user": user.to_string(), "time": time.to_string() }))
            .collect::<Vec<_>>(),
    })
}

/// The statement as CSV: a row for each account, position, markout and instrument, told apart by the
/// first field. Fields that a row does not have are empty.
pub fn csv(record: &RunRecord, frame: &Frame) -> String {
    let mut out = String::from(
        "record,account,symbol,after,fills,shares,bought,sold,maker,taker,average,price,fees,realised,\
         unrealised,net,profit,volume,taken,met,ahead,hidden,cross,displaced,void,refused\n",
    );
    for line in &record.accounts.accounts {
        let name = frame.name(line.owner);
        let AccountLine { fills, bought, sold, maker, taker, .. } = line;
        let amounts = [line.fees, line.realised, line.unrealised, line.net()].map(money).join(",");
        let _ = writeln!(
            out,
            "account,{name},,,{fills},,{bought},{sold},{maker},{taker},,,{amounts},,,,,,,,,,"
        );
        for (after, markout) in HORIZON_NAMES.iter().zip(&line.markouts) {
            let (fills, shares, profit) = (markout.fills, markout.shares, money(markout.profit));
            let _ = writeln!(
                out,
                "markout,{name},,{after},{fills},{shares},,,,,,,,,,,{profit},,,,,,,,,"
            );
        }
    }
    for (line, symbol) in record.accounts.positions.iter().zip(&record.symbols) {
        let (name, shares) = (frame.name(line.owner), line.position.shares);
        let (price, realised) = (line.mark.map(money), money(line.position.realised));
        let unrealised = line.mark.map(|mark| money(line.position.unrealised(mark)));
        let (price, unrealised) = (price.unwrap_or_default(), unrealised.unwrap_or_default());
        let average = line.position.average().map(money).unwrap_or_default();
        let _ = writeln!(
            out,
            "position,{name},{symbol},,,{shares},,,,,{average},{price},,{realised},{unrealised},,,,,,,,,,,"
        );
    }
    for line in &record.divergence {
        let sums = columns(&line.sums).map(|(_, shares)| shares.to_string()).join(",");
        let _ =
            writeln!(out, "divergence,,{},,,,,,,,,,,,,,,{},{sums}", line.symbol, line.sums.volume);
    }
    out
}

/// An amount with six decimal places.
pub(crate) fn money(amount: Money) -> String {
    let sign = if amount.0 < 0 { "-" } else { "" };
    let units = amount.0.unsigned_abs();
    format!("{sign}{}.{:06}", units / 1_000_000, units % 1_000_000)
}

/// An amount with two decimal places, halves away from zero.
fn cents(amount: Money) -> String {
    let cents = (amount.0.unsigned_abs() + 5_000) / 10_000;
    let sign = if amount.0 < 0 && cents > 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use spindle_accounts::{Position, PositionLine, Report};
    use spindle_engine::DivergenceRow;
    use spindle_types::{AccountId, InstrumentId};

    use super::*;

    #[test]
    fn amounts_are_written_exactly_or_to_the_cent() {
        assert_eq!(money(Money(-1_234_567)), "-1.234567");
        assert_eq!(money(Money(5)), "0.000005");
        assert_eq!(cents(Money(-1_235_000)), "-1.24");
        assert_eq!(cents(Money(-4_999)), "0.00");
        assert_eq!((part(1, 3), part(1, 0)), ("33.333 %".to_owned(), "-".to_owned()));
    }

    fn record() -> RunRecord {
        let line = |owner| AccountLine {
            owner,
            fills: 2,
            bought: 100,
            sold: 50,
            maker: 100,
            taker: 50,
            assumed: 0,
            fees: Money(-150_000),
            realised: Money(2_000_000),
            unrealised: Money(-1_000_000),
            unpriced: 0,
            markouts: Default::default(),
            markouts_missed: 0,
            unplaced: 0,
        };
        let owner = Owner::Account(AccountId(0));
        let position =
            Position { shares: 50, cost: Money(500_000_000), realised: Money(2_000_000) };
        let mark = Some(Money(9_980_000));
        let symbol = "GOOG".parse().expect("a symbol");
        let sums = Divergence { taken: 50, ahead: 100, displaced: 20, ..Divergence::default() };
        RunRecord {
            accounts: Report {
                accounts: vec![line(owner), line(Owner::Firm)],
                positions: vec![PositionLine {
                    owner,
                    instrument: InstrumentId(1),
                    position,
                    mark,
                }],
                ..Report::default()
            },
            symbols: vec![symbol],
            divergence: vec![DivergenceRow {
                instrument: InstrumentId(1),
                symbol,
                sums,
                stale: Some(StaleCause::Loss),
            }],
            total: sums,
            ..RunRecord::default()
        }
    }

    fn frame() -> Frame {
        Frame { accounts: vec!["MAKER".to_owned()], latencies: Vec::new(), scaling: "in tape time" }
    }

    #[test]
    fn the_same_figures_stand_in_table_json_and_csv() {
        let (record, frame) = (record(), frame());
        let table = table(&record, &frame);
        assert!(table.contains("MAKER              2         100          50"), "{table}");
        assert!(table.contains("-0.15           2.00          -1.00           1.15"), "{table}");
        assert!(table.contains("GOOG: its book is not known to be the market's any more (loss)"));
        assert!(table.contains("MAKER: 2 fills less than 10 s before the end"), "{table}");
        let json = json(&record, &frame, None);
        assert_eq!(json["accounts"][0]["net"], "1.150000");
        assert_eq!(json["positions"][0]["unrealised"], "-1.000000");
        assert_eq!(json["divergence"]["instruments"][0]["ahead"], 100);
        let csv = csv(&record, &frame);
        let widths: Vec<_> = csv.lines().map(|line| line.matches(',').count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{csv}");
        assert!(
            csv.contains("position,MAKER,GOOG,,,50,,,,,10.000000,9.980000,,2.000000,-1.000000"),
            "{csv}"
        );
    }
}
