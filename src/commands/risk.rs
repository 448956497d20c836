//! `spindle risk`: the operator's hand on the gate of a venue that runs.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use spindle_risk::{Key, Unit};

use crate::config::Config;
use crate::exit::Exit;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Change limits of a venue that runs, stop somebody, let somebody go on.
#[derive(Args)]
pub(crate) struct Risk {
    /// The venue's configuration, which names the control socket
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "control")]
    config: Option<PathBuf>,
    /// The control socket itself
    #[arg(long, value_name = "PATH", global = true)]
    control: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

/// Whom it is about.
#[derive(Args)]
struct Whom {
    /// An account
    #[arg(long, value_name = "NAME", conflicts_with_all = ["session", "firm"])]
    account: Option<String>,
    /// A session, by its user
    #[arg(long, value_name = "USER", conflicts_with = "firm")]
    session: Option<String>,
    /// A firm
    #[arg(long, value_name = "NAME")]
    firm: Option<String>,
}

#[derive(Subcommand)]
enum What {
    /// Set limits: spindle risk set --account A position_max=500 collar_percent=off
    Set {
        #[command(flatten)]
        whom: Whom,
        /// In this instrument alone, of an account
        #[arg(long)]
        symbol: Option<String>,
        /// Of which currency those in money are
        #[arg(long)]
        currency: Option<String>,
        /// Limits as name=value; off takes one away
        #[arg(required = true, value_name = "NAME=VALUE")]
        limits: Vec<String>,
    },
    /// Show all limits with what is used of them, and who is stopped
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Refuse orders and cancel what rests; of everybody where nobody is named
    Kill {
        #[command(flatten)]
        whom: Whom,
    },
    /// Let somebody go on who was stopped; everybody where nobody is named
    Arm {
        #[command(flatten)]
        whom: Whom,
        /// Why that is right
        #[arg(long)]
        cause: String,
    },
    /// Read the configuration again and bring the limits to it
    Reload,
}

impl Whom {
    fn write(self, fields: &mut Map<String, Value>) {
        let names = [("account", self.account), ("session", self.session), ("firm", self.firm)];
        for (field, name) in names {
            if let Some(name) = name {
                fields.insert(field.to_owned(), name.into());
            }
        }
    }
}

/// A limit as JSON, in the form of its unit.
fn value(key: Key, text: &str) -> Result<Value, String> {
    if text == "off" && key.unit() != Unit::Flag {
        return Ok(Value::Null);
    }
    match key.unit() {
        Unit::Money | Unit::Price | Unit::Percent => Ok(text.into()),
        Unit::Count | Unit::Millis => match text.replace('_', "").parse::<u64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => Err(format!("{}: '{text}' is no whole number", key.name())),
        },
        Unit::Flag => match text {
            "on" | "true" => Ok(true.into()),
            "off" | "false" => Ok(false.into()),
            _ => Err(format!("{}: give on or off", key.name())),
        },
    }
}

impl What {
    fn line(self) -> Result<Value, String> {
        let mut fields = Map::new();
        let op = match self {
            Self::Show { .. } => "show",
            Self::Reload => "reload",
            Self::Kill { whom } => {
                whom.write(&mut fields);
                "kill"
            }
            Self::Arm { whom, cause } => {
                whom.write(&mut fields);
                fields.insert("cause".to_owned(), cause.into());
                "arm"
            }
            Self::Set { whom, symbol, currency, limits } => {
                whom.write(&mut fields);
                for (field, name) in [("symbol", symbol), ("currency", currency)] {
                    if let Some(name) = name {
                        fields.insert(field.to_owned(), name.into());
                    }
                }
                for limit in limits {
                    let (name, text) = limit
                        .split_once('=')
                        .ok_or_else(|| format!("'{limit}': write it as name=value"))?;
                    let key = Key::named(name).ok_or_else(|| format!("'{name}' is no limit"))?;
                    fields.insert(name.to_owned(), value(key, text)?);
                }
                "limits"
            }
        };
        fields.insert("op".to_owned(), op.into());
        Ok(Value::Object(fields))
    }
}

impl Risk {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let path = match (self.control, self.config) {
            (Some(path), _) => path,
            (None, Some(file)) => {
                let config = Config::read(&file).map_err(Exit::usage)?;
                config.risk.control.ok_or_else(|| {
                    let file = file.display();
                    Exit::usage(format!("{file}: [risk] control names no socket; add one"))
                })?
            }
            (None, None) => return Err(Exit::usage("give --config FILE or --control PATH")),
        };
        let is_for_people = matches!(self.what, What::Show { json: false });
        let line = self.what.line().map_err(Exit::usage)?;
        let wrong = |error| Exit::failed(format!("{}: {error}", path.display()));
        let mut stream = UnixStream::connect(&path).map_err(wrong)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(wrong)?;
        stream.write_all(format!("{line}\n").as_bytes()).map_err(wrong)?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).map_err(wrong)?;
        let told: Value = serde_json::from_str(&answer)
            .map_err(|_| Exit::failed("the venue ended without an answer"))?;
        if let Some(error) = told.get("error").and_then(Value::as_str) {
            return Err(Exit::failed(error));
        }
        if is_for_people {
            print!("{}", table(&told));
        } else if told != json!({"done": true}) {
            println!("{told:#}");
        }
        Ok(())
    }
}

/// What `show` answers, for people: a line a limit, then who is stopped.
fn table(told: &Value) -> String {
    let list = |field: &str| told.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = vec![["whose", "limit", "used", "of", "%"].map(str::to_owned)];
    for one in list("limits") {
        let Some(fields) = one.as_object() else {
            continue;
        };
        let mut of = fields.get("of").map(text).unwrap_or_default();
        if let Some(symbol) = fields.get("symbol").map(text) {
            of = format!("{of}, {symbol}");
        }
        for (name, value) in fields {
            if matches!(name.as_str(), "of" | "symbol" | "usage") {
                continue;
            }
            let usage = fields.get("usage").and_then(|usage| usage.get(name));
            let part = |field: &str| usage.and_then(|usage| usage.get(field)).map(text);
            let limit = part("limit").unwrap_or_else(|| text(value));
            let [used, percent] = ["used", "percent"].map(|field| part(field).unwrap_or_default());
            lines.push([of.clone(), name.clone(), used, limit, percent]);
        }
    }
    let width =
        |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or_default();
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(width);
    let mut shown = String::new();
    for [of, limit, used, most, percent] in &lines {
        let line = format!("{of:a$}  {limit:b$}  {used:>c$}  {most:>d$}  {percent:>e$}");
        shown += &format!("{}\n", line.trim_end());
    }
    for one in list("stopped") {
        let field = |name: &str| one.get(name).map(text).unwrap_or_default();
        shown += &format!("stopped: {} ({})\n", field("of"), field("cause"));
    }
    shown += &format!("warnings: {}", told.get("warnings").map(text).unwrap_or_default());
    shown += &counts(told, "warnings_by", ": ");
    shown += &counts(told, "refusals_by", "\nrefused: ");
    shown.push('\n');
    shown
}

/// Counts by check on one line, after these words; nothing where nothing was counted.
fn counts(told: &Value, field: &str, words: &str) -> String {
    let by = told.get(field).and_then(Value::as_object);
    let some = by.into_iter().flatten().map(|(check, count)| format!("{check} {count}"));
    let some = some.collect::<Vec<_>>().join(", ");
    if some.is_empty() { some } else { format!("{words}{some}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_shown_with_what_is_used_of_them() {
        let told = json!({
            "limits": [
                {
                    "of": "account A", "order_size_max": 500, "credit_max": "1000.00",
                    "usage": {"credit_max": {"used": "250.00", "limit": "1000.00", "percent": 25}},
                },
                {
                    "of": "account A", "symbol": "X", "position_max": 40,
                    "usage": {"position_max": {"used": 40, "limit": 40, "percent": 100}},
                },
            ],
            "stopped": [{"of": "firm F", "cause": "operator"}],
            "warnings": 3,
            "warnings_by": {"credit": 1, "position": 2},
            "refusals_by": {"order_size": 7},
        });
        let expected = "\
whose         limit             used       of    %
account A     credit_max      250.00  1000.00   25
account A     order_size_max              500
account A, X  position_max        40       40  100
stopped: firm F (operator)
warnings: 3: credit 1, position 2
refused: order_size 7
";
        assert_eq!(table(&told), expected);
    }

    #[test]
    fn limits_are_written_in_their_unit() {
        let set = |limits: &[&str]| What::Set {
            whom: Whom { account: Some("A".to_owned()), session: None, firm: None },
            symbol: None,
            currency: None,
            limits: limits.iter().map(|&limit| limit.to_owned()).collect(),
        };
        let line = set(&["position_max=1_000", "credit_max=10.50", "luld=off", "loss_max=off"]);
        let expected = json!({
            "op": "limits", "account": "A", "position_max": 1000, "credit_max": "10.50",
            "luld": false, "loss_max": null,
        });
        assert_eq!(line.line(), Ok(expected));
        for (limit, expected) in [
            ("position_max", "write it as name=value"),
            ("size=1", "'size' is no limit"),
            ("position_max=-1", "is no whole number"),
            ("luld=1", "give on or off"),
        ] {
            let wrong = set(&[limit]).line().expect_err(limit);
            assert!(wrong.contains(expected), "{wrong}");
        }
    }
}
