//! A [`Snapshot`] as metrics: names, units, help, and the OpenMetrics text that Prometheus reads.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::status::{BOUNDS_NS, LineState, Snapshot};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; its samples end with `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Times in seconds by bucket; its samples end with `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    /// The name on the page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    const fn of(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

/// A family of metrics.
pub struct Family {
    /// Its name, without the ending of its samples.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels, separated by commas.
    pub labels: &'static str,
    /// In what it is counted.
    pub unit: &'static str,
    /// What it says.
    pub help: &'static str,
    samples: Samples,
}

type Labels = Vec<(&'static str, String)>;

/// Where the samples of a family come from.
enum Samples {
    Whole(fn(&Snapshot, &mut dyn FnMut(Labels, u64))),
    Seconds(fn(&Snapshot, &mut dyn FnMut(Labels, f64))),
    Signed(fn(&Snapshot, &mut dyn FnMut(Labels, i64))),
    /// The hops, as a histogram.
    Hops,
}

/// Nothing is told apart.
const NONE: &str = "";

macro_rules! family {
    ($name:literal, $kind:ident, $labels:expr, $unit:literal, $help:literal, $form:ident, $samples:expr) => {
        Family {
            name: $name,
            kind: Kind::$kind,
            labels: $labels,
            unit: $unit,
            help: $help,
            samples: Samples::$form($samples),
        }
    };
}

/// A label and its value.
fn by(label: &'static str, value: &str) -> Labels {
    vec![(label, value.to_owned())]
}

/// One number without labels.
macro_rules! one {
    ($($path:tt)+) => {
        |status, tell| tell(Vec::new(), status.$($path)+)
    };
}

/// One number of the feed, where there is one.
macro_rules! of_feed {
    ($field:ident) => {
        |status, tell| {
            if let Some(feed) = &status.feed {
                tell(Vec::new(), feed.$field);
            }
        }
    };
}

/// One number of each line.
macro_rules! of_lines {
    ($field:ident) => {
        |status, tell| {
            for line in status.feed.iter().flat_map(|feed| &feed.lines) {
                tell(by("line", &line.address), line.$field);
            }
        }
    };
}

/// One number of each session.
macro_rules! of_sessions {
    ($session:ident => $value:expr) => {
        |status, tell| {
            for $session in &status.sessions {
                let mut labels = by("session", &$session.name);
                labels.push(("protocol", $session.protocol.clone()));
                tell(labels, $value);
            }
        }
    };
}

/// One number of each account.
macro_rules! of_accounts {
    ($field:ident) => {
        |status, tell| {
            for account in &status.accounts {
                tell(by("account", &account.name), account.$field);
            }
        }
    };
}

/// Every family, in the order of the page and of the endpoint.
pub static FAMILIES: &[Family] = &[
    family!(
        "spindle_uptime_seconds",
        Gauge,
        NONE,
        "seconds",
        "Since the venue started",
        Seconds,
        |status, tell| tell(Vec::new(), seconds(u128::from(status.uptime_ms) * 1_000_000))
    ),
    family!(
        "spindle_feed_packets",
        Counter,
        NONE,
        "packets",
        "Packets of the feed received on all lines",
        Whole,
        of_feed!(packets)
    ),
    family!(
        "spindle_feed_last_sequence",
        Gauge,
        NONE,
        "messages",
        "Number of the last message of the feed that was applied or given up",
        Whole,
        of_feed!(last_sequence)
    ),
    family!(
        "spindle_feed_lost_messages",
        Counter,
        NONE,
        "messages",
        "Messages that no line and no request server gave",
        Whole,
        of_feed!(lost)
    ),
    family!(
        "spindle_feed_gaps",
        Counter,
        NONE,
        "gaps",
        "Times that the stream went from whole to having a gap",
        Whole,
        of_feed!(gaps)
    ),
    family!(
        "spindle_feed_requests_unanswered",
        Counter,
        NONE,
        "requests",
        "Requests for missed messages that were not answered in time",
        Whole,
        of_feed!(requests_unanswered)
    ),
    family!(
        "spindle_feed_silent",
        Gauge,
        NONE,
        "0 or 1",
        "1 while nothing comes, not even a heartbeat, and no order is taken",
        Whole,
        |status, tell| if let Some(feed) = &status.feed {
            tell(Vec::new(), feed.silent.into())
        }
    ),
    family!(
        "spindle_feed_line_up",
        Gauge,
        "line",
        "0 or 1",
        "1 while datagrams come on the line",
        Whole,
        |status, tell| for line in status.feed.iter().flat_map(|feed| &feed.lines) {
            tell(by("line", &line.address), (line.state == LineState::Live).into());
        }
    ),
    family!(
        "spindle_feed_line_packets",
        Counter,
        "line",
        "packets",
        "Datagrams that came on the line",
        Whole,
        of_lines!(packets)
    ),
    family!(
        "spindle_feed_line_first",
        Counter,
        "line",
        "packets",
        "Packets with something new, of which the line was first",
        Whole,
        of_lines!(first)
    ),
    family!(
        "spindle_feed_line_duplicates",
        Counter,
        "line",
        "packets",
        "Packets of which everything was here already",
        Whole,
        of_lines!(duplicates)
    ),
    family!(
        "spindle_feed_line_missed",
        Counter,
        "line",
        "messages",
        "Messages that the line passed over, by its own numbering",
        Whole,
        of_lines!(missed)
    ),
    family!(
        "spindle_feed_line_filled",
        Counter,
        "line",
        "messages",
        "Messages of a gap that the line filled",
        Whole,
        of_lines!(filled)
    ),
    family!(
        "spindle_feed_line_dropped",
        Counter,
        "line",
        "packets",
        "Datagrams that are no packet of this session",
        Whole,
        of_lines!(dropped)
    ),
    family!(
        "spindle_books",
        Gauge,
        "state",
        "instruments",
        "Instruments by what can be believed of their books: good, halted, stale, closed",
        Whole,
        |status, tell| {
            let books = &status.books;
            let states = [
                ("good", books.good),
                ("halted", books.halted),
                ("stale", books.stale),
                ("closed", books.closed),
            ];
            for (state, count) in states {
                tell(by("state", state), count);
            }
        }
    ),
    family!(
        "spindle_book_orders",
        Gauge,
        NONE,
        "orders",
        "Orders that stand, of the market and of strategies",
        Whole,
        one!(books.orders)
    ),
    family!(
        "spindle_book_own_orders",
        Gauge,
        NONE,
        "orders",
        "Orders of strategies that stand or wait",
        Whole,
        one!(books.own_orders)
    ),
    family!(
        "spindle_book_levels",
        Gauge,
        NONE,
        "levels",
        "Price levels of all books",
        Whole,
        one!(books.levels)
    ),
    family!(
        "spindle_market_messages",
        Counter,
        NONE,
        "messages",
        "Market messages applied to the books",
        Whole,
        one!(orders.market_messages)
    ),
    family!(
        "spindle_unknown_references",
        Counter,
        NONE,
        "messages",
        "Market messages about orders that were never shown: their books are stale",
        Whole,
        one!(orders.unknown_references)
    ),
    family!(
        "spindle_quarantines",
        Counter,
        NONE,
        "instruments",
        "Times that an instrument was taken out because its market was absurd",
        Whole,
        one!(orders.quarantines)
    ),
    family!(
        "spindle_ring_used",
        Gauge,
        "ring",
        "entries",
        "Entries that wait in a ring between two threads; bytes in those to the journal",
        Whole,
        |status, tell| for ring in &status.rings {
            tell(by("ring", &ring.name), ring.used)
        }
    ),
    family!(
        "spindle_ring_capacity",
        Gauge,
        "ring",
        "entries",
        "Entries, or bytes, that the ring takes",
        Whole,
        |status, tell| for ring in &status.rings {
            tell(by("ring", &ring.name), ring.capacity)
        }
    ),
    family!(
        "spindle_requests",
        Counter,
        NONE,
        "requests",
        "Requests of strategies that the engine has taken",
        Whole,
        one!(orders.requests)
    ),
    family!(
        "spindle_orders_accepted",
        Counter,
        NONE,
        "orders",
        "Orders accepted, replacements included",
        Whole,
        one!(orders.accepted)
    ),
    family!(
        "spindle_rejects",
        Counter,
        "reason",
        "requests",
        "Requests refused, by reason",
        Whole,
        |status, tell| for (reason, count) in &status.rejects {
            tell(by("reason", reason), *count)
        }
    ),
    family!(
        "spindle_fills",
        Counter,
        NONE,
        "executions",
        "Executions of strategies' orders, each side counted",
        Whole,
        one!(orders.fills)
    ),
    family!(
        "spindle_filled_shares",
        Counter,
        NONE,
        "shares",
        "Shares of strategies' orders executed, each side counted",
        Whole,
        one!(orders.shares)
    ),
    family!(
        "spindle_risk_warnings",
        Counter,
        "check",
        "warnings",
        "Warnings of the risk gate, by check",
        Whole,
        |status, tell| for (check, count) in &status.warnings {
            tell(by("check", check), *count)
        }
    ),
    family!(
        "spindle_risk_stopped",
        Gauge,
        "of,cause",
        "0 or 1",
        "1 for everybody who is stopped",
        Whole,
        |status, tell| for one in &status.stopped {
            tell(vec![("of", one.of.clone()), ("cause", one.cause.clone())], 1);
        }
    ),
    family!(
        "spindle_limit_used_ratio",
        Gauge,
        "of,symbol,limit",
        "1 is the limit",
        "How much of a limit is used, in whole hundredths",
        Seconds,
        |status, tell| for one in &status.limits {
            let labels = vec![
                ("of", one.of.clone()),
                ("symbol", one.symbol.clone()),
                ("limit", one.name.clone()),
            ];
            tell(labels, hundredths(one.percent));
        }
    ),
    family!(
        "spindle_account_fills",
        Counter,
        "account",
        "executions",
        "Executions of the account's orders",
        Whole,
        of_accounts!(fills)
    ),
    family!(
        "spindle_account_bought_shares",
        Counter,
        "account",
        "shares",
        "Shares the account has bought",
        Whole,
        of_accounts!(bought)
    ),
    family!(
        "spindle_account_sold_shares",
        Counter,
        "account",
        "shares",
        "Shares the account has sold",
        Whole,
        of_accounts!(sold)
    ),
    family!(
        "spindle_position_shares",
        Gauge,
        "account,symbol",
        "shares",
        "Shares the account has; below zero they are owed",
        Signed,
        |status, tell| for one in &status.positions {
            tell(
                vec![("account", one.account.clone()), ("symbol", one.symbol.clone())],
                one.shares,
            );
        }
    ),
    family!(
        "spindle_session_up",
        Gauge,
        "session,protocol",
        "0 or 1",
        "1 while the session is logged in",
        Whole,
        of_sessions!(session => session.up.into())
    ),
    family!(
        "spindle_session_backlog_bytes",
        Gauge,
        "session,protocol",
        "bytes",
        "Bytes that wait for the session to read them",
        Whole,
        of_sessions!(session => session.backlog_bytes)
    ),
    family!(
        "spindle_connections_open",
        Gauge,
        NONE,
        "connections",
        "Connections that are open",
        Whole,
        one!(gateway.open)
    ),
    family!(
        "spindle_connections",
        Counter,
        NONE,
        "connections",
        "Connections taken",
        Whole,
        one!(gateway.connections)
    ),
    family!(
        "spindle_connections_turned_away",
        Counter,
        NONE,
        "connections",
        "Connections turned away",
        Whole,
        one!(gateway.turned_away)
    ),
    family!(
        "spindle_logins",
        Counter,
        NONE,
        "logins",
        "Logins accepted",
        Whole,
        one!(gateway.logins)
    ),
    family!(
        "spindle_logins_refused",
        Counter,
        NONE,
        "logins",
        "Logins refused",
        Whole,
        one!(gateway.refused_logins)
    ),
    family!(
        "spindle_throttled_requests",
        Counter,
        NONE,
        "requests",
        "Requests beyond a session's throttle",
        Whole,
        one!(gateway.throttled)
    ),
    family!(
        "spindle_slow_consumers",
        Counter,
        NONE,
        "connections",
        "Clients disconnected because they read too slowly",
        Whole,
        one!(gateway.slow_consumers)
    ),
    family!(
        "spindle_ring_full_turns",
        Counter,
        NONE,
        "turns",
        "Turns of the gateway in which reading stopped because the ring to the engine was full",
        Whole,
        one!(gateway.ring_full)
    ),
    family!(
        "spindle_notices_lost",
        Counter,
        NONE,
        "notices",
        "Lines of the log that were lost because they came too fast",
        Whole,
        one!(gateway.notices_lost)
    ),
    family!(
        "spindle_journal_safe_inputs",
        Counter,
        NONE,
        "inputs",
        "Inputs of the engine that are safe on disk",
        Whole,
        |status, tell| if let Some(journal) = &status.journal {
            tell(Vec::new(), journal.engine_frames);
        }
    ),
    family!(
        "spindle_journal_waiting_seconds",
        Gauge,
        NONE,
        "seconds",
        "How long the oldest record that is not safe has waited",
        Seconds,
        |status, tell| if let Some(journal) = &status.journal {
            tell(Vec::new(), seconds(u128::from(journal.waiting_ms) * 1_000_000));
        }
    ),
    family!(
        "spindle_journal_failed",
        Gauge,
        NONE,
        "0 or 1",
        "1 once the journal cannot be written any more",
        Whole,
        |status, tell| if let Some(journal) = &status.journal {
            tell(Vec::new(), journal.failed.into());
        }
    ),
    Family {
        name: "spindle_hop_seconds",
        kind: Kind::Histogram,
        labels: "hop",
        unit: "seconds",
        help: "Where time goes, from the first byte of a message to the last of an answer",
        samples: Samples::Hops,
    },
];

#[allow(clippy::cast_precision_loss, reason = "a metric is a floating-point number")]
fn seconds(nanoseconds: u128) -> f64 {
    nanoseconds as f64 / 1e9
}

#[allow(clippy::cast_precision_loss, reason = "a metric is a floating-point number")]
fn hundredths(percent: u64) -> f64 {
    percent as f64 / 100.0
}

/// The families of one snapshot.
#[derive(Debug)]
struct Shown(Snapshot);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        for family in FAMILIES {
            family.encode(&self.0, &mut encoder)?;
        }
        Ok(())
    }
}

impl Family {
    fn encode(&self, status: &Snapshot, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, self.kind.of())?;
        let mut result = Ok(());
        let is_counter = self.kind == Kind::Counter;
        match self.samples {
            Samples::Whole(samples) => samples(status, &mut |labels, value| {
                let told = if labels.is_empty() {
                    put(&mut metric, is_counter, value)
                } else {
                    let labels = labels.as_slice();
                    metric
                        .encode_family(&labels)
                        .and_then(|mut one| put(&mut one, is_counter, value))
                };
                result = result.and(told);
            }),
            Samples::Seconds(samples) => samples(status, &mut |labels, value| {
                let told = if labels.is_empty() {
                    metric.encode_gauge(&value)
                } else {
                    let labels = labels.as_slice();
                    metric.encode_family(&labels).and_then(|mut one| one.encode_gauge(&value))
                };
                result = result.and(told);
            }),
            Samples::Signed(samples) => samples(status, &mut |labels, value| {
                let labels = labels.as_slice();
                let told =
                    metric.encode_family(&labels).and_then(|mut one| one.encode_gauge(&value));
                result = result.and(told);
            }),
            Samples::Hops => {
                for hop in &status.hops {
                    let labels: &[_] = &by("hop", &hop.name);
                    let mut one = metric.encode_family(&labels)?;
                    let (mut below, mut buckets) = (0, Vec::with_capacity(BOUNDS_NS.len() + 1));
                    for (&bound, &count) in BOUNDS_NS.iter().zip(&hop.at_most) {
                        buckets.push((seconds(bound.into()), count.saturating_sub(below)));
                        below = count;
                    }
                    buckets.push((f64::INFINITY, hop.all.count.saturating_sub(below)));
                    let sum = seconds(hop.sum_ns.into());
                    one.encode_histogram::<NoLabelSet>(sum, hop.all.count, &buckets, None)?;
                }
            }
        }
        result
    }
}

fn put(
    metric: &mut prometheus_client::encoding::MetricEncoder<'_>,
    is_counter: bool,
    value: u64,
) -> Result<(), Error> {
    if is_counter {
        return metric.encode_counter::<NoLabelSet, _, u64>(&value, None);
    }
    metric.encode_gauge(&value)
}

/// The metrics of a snapshot, as OpenMetrics text.
pub fn text(status: Snapshot) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Shown(status)));
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}
