//! What each pane shows of a snapshot, and of the one before it.

use super::sheet::{Cell, Sheet, Tone};
use crate::report::grouped;
use crate::status::{LineState, Percentiles, Snapshot};

/// One count of a snapshot.
type Counted = fn(&Snapshot) -> u64;

/// A pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    /// What is done: requests, fills, refusals, warnings; and the rings.
    Flow,
    /// Where time goes.
    Latency,
    /// The feed's lines, and books that are not good.
    Feed,
    /// Sessions.
    Sessions,
    /// Positions by account.
    Positions,
    /// Limits and what is used of them.
    Limits,
    /// A book.
    Ladder,
}

impl Pane {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 7] = [
        Self::Flow,
        Self::Latency,
        Self::Feed,
        Self::Sessions,
        Self::Positions,
        Self::Limits,
        Self::Ladder,
    ];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Flow => "Flow",
            Self::Latency => "Latency",
            Self::Feed => "Feed",
            Self::Sessions => "Sessions",
            Self::Positions => "Positions",
            Self::Limits => "Limits",
            Self::Ladder => "Ladder",
        }
    }
}

/// Two snapshots, of which the differences are rates.
pub(super) struct Pair<'a> {
    /// How it stands.
    pub(super) now: &'a Snapshot,
    /// How it stood before.
    pub(super) before: Option<&'a Snapshot>,
}

impl Pair<'_> {
    /// By how much a count grows in a second; `None` without a snapshot before.
    pub(super) fn rate(&self, count: impl Fn(&Snapshot) -> u64) -> Option<u64> {
        let before = self.before?;
        let millis = self.now.uptime_ms.checked_sub(before.uptime_ms).filter(|ms| *ms > 0)?;
        let grown = count(self.now).saturating_sub(count(before));
        u64::try_from(u128::from(grown) * 1_000 / u128::from(millis)).ok()
    }

    fn rate_cell(&self, count: impl Fn(&Snapshot) -> u64) -> Cell {
        rate_cell(self.rate(count))
    }

    /// The tables of a pane.
    pub(super) fn sheets(&self, pane: Pane) -> Vec<Sheet> {
        match pane {
            Pane::Flow => vec![self.flow(), self.rings()],
            Pane::Latency => vec![self.latency()],
            Pane::Feed => vec![self.lines(), self.books()],
            Pane::Sessions => vec![self.sessions()],
            Pane::Positions => vec![self.positions()],
            Pane::Limits => vec![self.limits()],
            Pane::Ladder => vec![self.ladder()],
        }
    }

    fn flow(&self) -> Sheet {
        let mut sheet = Sheet::new("Flow", &["what", "a second>", "in all>"], "");
        let rows: [(&str, Counted, Tone); 7] = [
            ("market messages", |of| of.orders.market_messages, Tone::Plain),
            ("requests", |of| of.orders.requests, Tone::Plain),
            ("orders accepted", |of| of.orders.accepted, Tone::Plain),
            ("fills", |of| of.orders.fills, Tone::Plain),
            ("shares filled", |of| of.orders.shares, Tone::Plain),
            ("requests refused", |of| of.orders.rejected, Tone::Warn),
            ("quarantines", |of| of.orders.quarantines, Tone::Warn),
        ];
        let mut add = |name: String, count: &dyn Fn(&Snapshot) -> u64, tone| {
            let all = count(self.now);
            let tone = if all > 0 { tone } else { Tone::Plain };
            let cells = vec![
                Cell::text(name).toned(tone),
                self.rate_cell(count),
                Cell::number(grouped(all), all).toned(tone),
            ];
            sheet.row(cells);
        };
        for (name, count, tone) in rows {
            add(name.to_owned(), &count, tone);
        }
        for reason in self.now.rejects.keys() {
            let count = |of: &Snapshot| of.rejects.get(reason).copied().unwrap_or_default();
            add(format!("refused: {reason}"), &count, Tone::Warn);
        }
        for check in self.now.warnings.keys() {
            let count = |of: &Snapshot| of.warnings.get(check).copied().unwrap_or_default();
            add(format!("warned: {check}"), &count, Tone::Warn);
        }
        let gateway: [(&str, Counted); 5] = [
            ("connections turned away", |of| of.gateway.turned_away),
            ("logins refused", |of| of.gateway.refused_logins),
            ("requests throttled", |of| of.gateway.throttled),
            ("slow consumers", |of| of.gateway.slow_consumers),
            ("turns with a full ring", |of| of.gateway.ring_full),
        ];
        for (name, count) in gateway {
            if count(self.now) > 0 {
                add(name.to_owned(), &count, Tone::Warn);
            }
        }
        sheet
    }

    fn rings(&self) -> Sheet {
        let mut sheet = Sheet::new("Rings", &["ring", "waits>", "room>", "%>", "fill"], "none");
        for ring in &self.now.rings {
            let percent = percent(ring.used, ring.capacity);
            let cells = vec![
                Cell::text(&ring.name),
                Cell::number(grouped(ring.used), ring.used),
                Cell::number(grouped(ring.capacity), ring.capacity),
                Cell::number(percent.to_string(), percent),
                Cell::number(bar(percent), percent).toned(filled(percent)),
            ];
            sheet.row(cells);
        }
        sheet
    }

    fn latency(&self) -> Sheet {
        let columns = ["hop", "a second>", "p50>", "p90>", "p99>", "p99.9>", "max>", "all p99>"];
        let title = "Latency of the last seconds";
        let mut sheet = Sheet::new(title, &columns, "not measured: [engine] measure");
        for hop in &self.now.hops {
            let of = |snapshot: &Snapshot| snapshot.hop(&hop.name).map_or(0, |hop| hop.all.count);
            let Percentiles { count, p50_ns, p90_ns, p99_ns, p999_ns, max_ns } = hop.recent;
            let time = |ns: u64| match count {
                0 => Cell::number("-", 0).toned(Tone::Dim),
                _ => Cell::number(time(ns), ns),
            };
            let all = hop.all;
            let all = match all.count {
                0 => Cell::number("-", 0).toned(Tone::Dim),
                _ => Cell::number(self::time(all.p99_ns), all.p99_ns).toned(Tone::Dim),
            };
            let mut cells = vec![Cell::text(&hop.name), self.rate_cell(of)];
            cells.extend([p50_ns, p90_ns, p99_ns, p999_ns, max_ns].map(time));
            cells.push(all);
            sheet.row(cells);
        }
        sheet
    }

    fn lines(&self) -> Sheet {
        let columns = [
            "line",
            "state",
            "age>",
            "packets/s>",
            "first/s>",
            "late/s>",
            "missed>",
            "filled>",
            "dropped>",
        ];
        let title = match &self.now.feed {
            None => "Feed".to_owned(),
            Some(feed) => format!(
                "Feed: message {}, {} lost, {} gaps{}",
                grouped(feed.last_sequence),
                grouped(feed.lost),
                grouped(feed.gaps),
                if feed.silent { ", SILENT" } else { "" },
            ),
        };
        let mut sheet = Sheet::new(title, &columns, "this venue has no feed");
        let lines = self.now.feed.iter().flat_map(|feed| &feed.lines);
        for (at, line) in lines.enumerate() {
            let of = |count: fn(&crate::status::Line) -> u64| {
                self.rate_cell(move |snapshot| {
                    let lines = snapshot.feed.as_ref().map(|feed| feed.lines.as_slice());
                    lines.and_then(|lines| lines.get(at)).map_or(0, count)
                })
            };
            let tone = match line.state {
                LineState::Live => Tone::Good,
                LineState::Waiting => Tone::Dim,
                LineState::Silent => Tone::Bad,
            };
            let age = line.age_ms.map_or("-".to_owned(), |ms| format!("{ms} ms"));
            let wrong = |count: u64| {
                let tone = if count > 0 { Tone::Warn } else { Tone::Plain };
                Cell::number(grouped(count), count).toned(tone)
            };
            sheet.row(vec![
                Cell::text(&line.address),
                Cell::text(line.state.name()).toned(tone),
                Cell::number(age, line.age_ms.unwrap_or(u64::MAX)),
                of(|line| line.packets),
                of(|line| line.first),
                of(|line| line.duplicates),
                wrong(line.missed),
                Cell::number(grouped(line.filled), line.filled),
                wrong(line.dropped),
            ]);
        }
        sheet
    }

    fn books(&self) -> Sheet {
        let books = &self.now.books;
        let title = format!(
            "Books: {} good, {} halted, {} stale, {} closed",
            grouped(books.good),
            grouped(books.halted),
            grouped(books.stale),
            grouped(books.closed),
        );
        let mut sheet = Sheet::new(title, &["symbol", "state"], "every book is good");
        if books.known > 0 && books.good == 0 && books.not_good.is_empty() {
            sheet.empty = "no book is good: the feed has a gap, or has lost something";
        }
        for (symbol, state) in &books.not_good {
            let tone = if state == "stale" { Tone::Bad } else { Tone::Warn };
            sheet.row_of(symbol, vec![Cell::text(symbol), Cell::text(state).toned(tone)]);
        }
        sheet
    }

    fn sessions(&self) -> Sheet {
        let columns = ["session", "protocol", "account", "state", "backlog>"];
        let up = self.now.sessions.iter().filter(|session| session.up).count();
        let title = format!("Sessions: {up} of {} up", self.now.sessions.len());
        let mut sheet = Sheet::new(title, &columns, "none");
        for session in &self.now.sessions {
            let state = match session.up {
                true => Cell::number("up", 1).toned(Tone::Good),
                false => Cell::number("down", 0).toned(Tone::Dim),
            };
            let bytes = session.backlog_bytes;
            let tone = if bytes > 0 { Tone::Warn } else { Tone::Plain };
            sheet.row(vec![
                Cell::text(&session.name),
                Cell::text(&session.protocol),
                Cell::text(&session.account),
                state,
                Cell::number(format!("{} B", grouped(bytes)), bytes).toned(tone),
            ]);
        }
        sheet
    }

    fn positions(&self) -> Sheet {
        let columns = ["account", "symbol", "shares>", "average>", "realised>"];
        let title = format!("Positions: {}", self.now.positions.len());
        let mut sheet = Sheet::new(title, &columns, "nobody has traded");
        for one in &self.now.positions {
            let tone = if one.shares == 0 { Tone::Dim } else { Tone::Plain };
            let cells = vec![
                Cell::text(&one.account),
                Cell::text(&one.symbol),
                Cell::number(signed(one.shares), one.shares),
                money(&one.average),
                money(&one.realised),
            ];
            sheet.row_of(&one.symbol, cells.into_iter().map(|cell| cell.toned(tone)).collect());
        }
        sheet
    }

    fn limits(&self) -> Sheet {
        let columns = ["of", "symbol", "limit", "used>", "of>", "%>", "fill"];
        let stopped = &self.now.stopped;
        let title = match stopped.len() {
            0 => "Limits".to_owned(),
            _ => {
                let names = stopped.iter().map(|one| format!("{} ({})", one.of, one.cause));
                format!("Limits. STOPPED: {}", names.collect::<Vec<_>>().join(", "))
            }
        };
        let mut sheet = Sheet::new(title, &columns, "no limit of which something can be used");
        for one in &self.now.limits {
            let cells = vec![
                Cell::text(&one.of),
                Cell::text(&one.symbol),
                Cell::text(&one.name),
                money(&one.used),
                money(&one.limit),
                Cell::number(one.percent.to_string(), one.percent),
                Cell::number(bar(one.percent), one.percent).toned(filled(one.percent)),
            ];
            match one.symbol.as_str() {
                "" => sheet.row(cells),
                symbol => sheet.row_of(symbol, cells),
            }
        }
        sheet
    }

    fn ladder(&self) -> Sheet {
        let columns = ["orders>", "shares>", "bid>", "ask>", "shares>", "orders>"];
        let (title, empty) = match &self.now.ladder {
            None => ("Ladder".to_owned(), "l and a symbol, or Enter on a row with one"),
            Some(ladder) => (format!("Ladder of {}: {}", ladder.symbol, ladder.state), "empty"),
        };
        let mut sheet = Sheet::new(title, &columns, empty);
        sheet.fixed = true;
        let Some(ladder) = &self.now.ladder else {
            return sheet;
        };
        for at in 0..ladder.bids.len().max(ladder.asks.len()) {
            let side = |levels: &[crate::status::Level], tone| match levels.get(at) {
                None => [(); 3].map(|()| Cell::default()),
                Some(level) => [
                    Cell::text(level.orders.to_string()).toned(Tone::Dim),
                    Cell::text(grouped(level.quantity)),
                    Cell::text(&level.price).toned(tone),
                ],
            };
            let [orders, shares, bid] = side(&ladder.bids, Tone::Good);
            let [ask_orders, ask_shares, ask] = side(&ladder.asks, Tone::Bad);
            sheet.row(vec![orders, shares, bid, ask, ask_shares, ask_orders]);
        }
        sheet
    }
}

fn rate_cell(rate: Option<u64>) -> Cell {
    match rate {
        None => Cell::number("-", -1).toned(Tone::Dim),
        Some(rate) => Cell::number(grouped(rate), rate),
    }
}

/// How much of a whole that is, in a hundred, rounded up: something is never nothing.
fn percent(used: u64, whole: u64) -> u64 {
    let percent = (u128::from(used) * 100).div_ceil(u128::from(whole.max(1)));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

/// Ten cells of a bar.
fn bar(percent: u64) -> String {
    let full = usize::try_from(percent.min(100).div_ceil(10)).unwrap_or(10);
    format!("{}{}", "█".repeat(full), "·".repeat(10 - full))
}

const fn filled(percent: u64) -> Tone {
    match percent {
        0..75 => Tone::Good,
        75..90 => Tone::Warn,
        _ => Tone::Bad,
    }
}

fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// An exact decimal that is shown to the hundredth, cut; it is sorted by all of its digits.
fn money(text: &str) -> Cell {
    let Ok(amount) = text.parse::<rust_decimal::Decimal>() else {
        return Cell::text(text);
    };
    let rank = amount.mantissa() * 10_i128.pow(9_u32.saturating_sub(amount.scale()));
    let cut =
        if text.contains('.') { amount.trunc_with_scale(2).to_string() } else { text.to_owned() };
    let (sign, digits) = cut.strip_prefix('-').map_or(("", cut.as_str()), |rest| ("-", rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.parse::<u64>().map_or(whole.to_owned(), grouped);
    let dot = if part.is_empty() { "" } else { "." };
    Cell::number(format!("{sign}{whole}{dot}{part}"), rank)
}

/// A time in three digits or so.
pub(super) fn time(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..10_000 => format!("{}.{:02} µs", ns / 1_000, ns % 1_000 / 10),
        10_000..100_000 => format!("{}.{} µs", ns / 1_000, ns % 1_000 / 100),
        100_000..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..10_000_000 => format!("{}.{:02} ms", ns / 1_000_000, ns % 1_000_000 / 10_000),
        10_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{}.{} s", ns / 1_000_000_000, ns % 1_000_000_000 / 100_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_right() {
        let times = [0, 999, 1_000, 9_999, 12_345, 999_999, 1_234_567, 60_000_000_000].map(time);
        let wanted =
            ["0 ns", "999 ns", "1.00 µs", "9.99 µs", "12.3 µs", "999 µs", "1.23 ms", "60.0 s"];
        assert_eq!(times, wanted);
        let shown = ["-1234567.899999", "150.000000", "12", "", "n"].map(|text| money(text).text);
        assert_eq!(shown, ["-1,234,567.89", "150.00", "12", "", "n"]);
        assert!(money("2.5").rank < money("10").rank && money("-3").rank < money("-2.9").rank);
        assert_eq!([0, 1, 1_024].map(|used| percent(used, 1_024)), [0, 1, 100]);
        assert_eq!(
            [0, 1, 55, 100, 300].map(bar).map(|bar| bar.matches('█').count()),
            [0, 1, 6, 10, 10]
        );
    }

    #[test]
    fn a_rate_is_what_has_grown_in_a_second() {
        let at = |uptime_ms, requests| {
            let mut snapshot = Snapshot { uptime_ms, ..Snapshot::default() };
            snapshot.orders.requests = requests;
            snapshot
        };
        let rate = |now: &Snapshot, before: Option<&Snapshot>| {
            Pair { now, before }.rate(|of| of.orders.requests)
        };
        assert_eq!(rate(&at(2_000, 500), Some(&at(1_500, 100))), Some(800));
        assert_eq!(rate(&at(2_000, 500), None), None);
        assert_eq!(rate(&at(2_000, 500), Some(&at(2_000, 500))), None, "no time has passed");
        assert_eq!(rate(&at(10, 5), Some(&at(9_000, 700))), None, "another venue");
    }
}
