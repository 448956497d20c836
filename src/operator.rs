//! The cold thread's work while a venue runs: the control socket, what the risk gate has to say, and
//! snapshots for whoever wants one.

use std::time::Instant;

use serde_json::{Value, json};

use crate::accounting::RecordDesk;
use crate::log::{Entry, Level, Log};
use crate::metrics::MetricsServer;
use crate::risk::{ControlPort, Reply, RiskDesk};
use crate::status::{LEVELS_MAX, StatusDesk, Waiter, Wish};

/// Numbers of requests for a snapshot begin here, beyond those of changes of the gate.
const FIRST_NUMBER: u64 = 1 << 63;

/// Levels of a ladder where nothing is said.
const LEVELS: usize = 20;

/// Who acts for the operator.
pub(crate) struct Operator {
    pub(crate) risk: RiskDesk,
    pub(crate) status: StatusDesk,
    pub(crate) port: Option<ControlPort>,
    pub(crate) metrics: Option<MetricsServer>,
    log: Log,
    next: u64,
}

impl Operator {
    /// Serves from now on.
    pub(crate) const fn new(
        risk: RiskDesk,
        status: StatusDesk,
        port: Option<ControlPort>,
        metrics: Option<MetricsServer>,
        log: Log,
    ) -> Self {
        Self { risk, status, port, metrics, log, next: FIRST_NUMBER }
    }

    /// Does what is due, without waiting.
    pub(crate) fn turn(&mut self, records: &mut RecordDesk, now: Instant) {
        let Self { risk, status, port, metrics, log, next } = self;
        if let Some(port) = port {
            port.serve(|line| match wish(line) {
                Some(Ok(wish)) => {
                    *next += 1;
                    match status.ask(wish, Waiter::Client(*next)) {
                        true => Reply::When(*next),
                        false => error("too many wait for how the venue stands; ask again"),
                    }
                }
                Some(Err(wrong)) => error(wrong),
                None => risk.ask(line),
            });
        }
        if let Some(metrics) = metrics {
            while let Some(ask) = metrics.next_ask() {
                // Where too many wait, the client is closed in its time.
                status.ask(Wish::default(), Waiter::Channel(ask));
            }
        }
        risk.look(
            |entry| log.tell(&entry),
            |number, answer| match port {
                Some(port) => port.answered(number, &answer),
                None => {
                    if let Err(error) = answer {
                        log.tell(&Entry::new(Level::Error, "risk", "refused").text(error));
                    }
                }
            },
        );
        for answer in status.turn(records, risk, now) {
            match answer.waiter {
                Waiter::Client(number) => {
                    if let Some(port) = port {
                        let told = serde_json::to_value(&answer.snapshot);
                        port.answered(number, &told.map_err(|error| error.to_string()));
                    }
                }
                Waiter::Channel(channel) => {
                    // Nobody is there any more where it does not go.
                    let _ = channel.try_send(answer.snapshot);
                }
            }
        }
    }
}

fn error(message: impl std::fmt::Display) -> Reply {
    Reply::Now(json!({"error": message.to_string()}))
}

/// What `{"op":"status","ladder":"AAPL","levels":20}` asks for; `None` for another operation.
fn wish(line: &str) -> Option<Result<Wish, String>> {
    let op: Value = serde_json::from_str(line).ok()?;
    let fields = op.as_object().filter(|op| op.get("op").is_some_and(|op| op == "status"))?;
    let known = ["op", "ladder", "levels"];
    if let Some(field) = fields.keys().find(|field| !known.contains(&field.as_str())) {
        return Some(Err(format!("{field}: give ladder and levels, or nothing")));
    }
    let ladder = match fields.get("ladder") {
        None | Some(Value::Null) => None,
        Some(Value::String(symbol)) if !symbol.is_empty() && symbol.len() <= 8 => {
            Some(symbol.clone())
        }
        Some(_) => return Some(Err("ladder: give a symbol of 1 to 8 characters".to_owned())),
    };
    let levels = match fields.get("levels") {
        None => LEVELS,
        Some(levels) => match levels.as_u64().and_then(|levels| usize::try_from(levels).ok()) {
            Some(levels) if (1..=LEVELS_MAX).contains(&levels) => levels,
            _ => return Some(Err(format!("levels: give 1 to {LEVELS_MAX}"))),
        },
    };
    let levels = if ladder.is_some() { levels } else { 0 };
    Some(Ok(Wish { ladder, levels }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_or_refused_with_what_would_be_right() {
        let wished = |line| wish(line).map(|wish| wish.map(|wish| (wish.ladder, wish.levels)));
        assert_eq!(wished(r#"{"op":"status"}"#), Some(Ok((None, 0))));
        let aapl = || Some("AAPL".to_owned());
        assert_eq!(wished(r#"{"op":"status","ladder":"AAPL"}"#), Some(Ok((aapl(), 20))));
        let five = r#"{"op":"status","ladder":"AAPL","levels":5}"#;
        assert_eq!(wished(five), Some(Ok((aapl(), 5))));
        for line in [
            r#"{"op":"status","levels":0}"#,
            r#"{"op":"status","levels":65}"#,
            r#"{"op":"status","levels":"5"}"#,
            r#"{"op":"status","ladder":7}"#,
            r#"{"op":"status","ladder":""}"#,
            r#"{"op":"status","depth":5}"#,
        ] {
            assert!(wish(line).is_some_and(|wish| wish.is_err()), "{line}");
        }
        for line in [r#"{"op":"show"}"#, "", "{", "7", r#"{"op":["status"]}"#] {
            assert!(wish(line).is_none(), "{line}");
        }
    }
}
