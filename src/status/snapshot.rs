//! How a venue stands, as plain values: what the control socket tells, the metrics count and `spindle
//! top` shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The form of a [`Snapshot`]; another number is another form.
pub const VERSION: u32 = 1;

/// How a venue stands at one moment. Counts are since its start; every number stands for itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`VERSION`].
    pub version: u32,
    /// The venue's name.
    pub venue: String,
    /// Milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// The feed; `None` where there is none.
    pub feed: Option<Feed>,
    /// Books by what can be believed of them.
    pub books: Books,
    /// Rings between threads.
    pub rings: Vec<Ring>,
    /// Requests, orders, fills.
    pub orders: Orders,
    /// Requests refused, by reason; a reason that never came is left out.
    pub rejects: BTreeMap<String, u64>,
    /// Warnings of the risk gate, by check; a check that never warned is left out.
    pub warnings: BTreeMap<String, u64>,
    /// Where time goes, in the order of the way.
    pub hops: Vec<Hop>,
    /// Connections.
    pub gateway: GatewayCounts,
    /// Every session of the configuration.
    pub sessions: Vec<Session>,
    /// Every account of the configuration.
    pub accounts: Vec<Account>,
    /// What accounts have traded.
    pub positions: Vec<Position>,
    /// Limits of which something can be used.
    pub limits: Vec<Limit>,
    /// Who is stopped.
    pub stopped: Vec<Stopped>,
    /// The journal; `None` where there is none.
    pub journal: Option<Journal>,
    /// The ladder that was asked for.
    pub ladder: Option<Ladder>,
    /// What is missing, and why: the engine had no time, or there is no such instrument.
    pub missing: Vec<String>,
}

/// The feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    /// Packets received.
    pub packets: u64,
    /// The number of the last message that was applied or given up.
    pub last_sequence: u64,
    /// Messages lost.
    pub lost: u64,
    /// Times that a gap opened.
    pub gaps: u64,
    /// Requests for missed messages that were not answered.
    pub requests_unanswered: u64,
    /// Whether it is silent, without a heartbeat.
    pub silent: bool,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// A line of the feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Where it listens.
    pub address: String,
    /// What it is doing.
    pub state: LineState,
    /// Milliseconds since its last datagram; `None` before the first.
    pub age_ms: Option<u64>,
    /// Datagrams.
    pub packets: u64,
    /// Packets that brought something new.
    pub first: u64,
    /// Packets of which everything was here already.
    pub duplicates: u64,
    /// Messages that it passed over.
    pub missed: u64,
    /// Messages of a gap that it filled.
    pub filled: u64,
    /// Datagrams that are no packet of this session.
    pub dropped: u64,
}

/// What a line is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineState {
    /// Nothing has come yet.
    #[default]
    Waiting,
    /// Packets come.
    Live,
    /// Nothing has come for longer than the feed may be silent.
    Silent,
}

impl LineState {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::Silent => "silent",
        }
    }
}

/// Books by what can be believed of them, as readers of their tops see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Books {
    /// Instruments that are known.
    pub known: u64,
    /// Exact, and trading.
    pub good: u64,
    /// Exact, and not trading.
    pub halted: u64,
    /// Not known to be the market's.
    pub stale: u64,
    /// Over for the day.
    pub closed: u64,
    /// Orders that stand, of the market and of strategies.
    pub orders: u64,
    /// Orders of strategies that stand or wait.
    pub own_orders: u64,
    /// Price levels.
    pub levels: u64,
    /// The first of those that are not good, with their state.
    pub not_good: Vec<(String, String)>,
}

/// A ring between two threads. Its entries are bytes where the journal is at its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ring {
    /// From whom to whom.
    pub name: String,
    /// Entries that waited when its owner last looked.
    pub used: u64,
    /// Entries it takes.
    pub capacity: u64,
}

/// Requests, orders and fills of strategies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Requests that the engine has taken.
    pub requests: u64,
    /// Orders accepted, replacements included.
    pub accepted: u64,
    /// Requests refused.
    pub rejected: u64,
    /// Executions, each side counted.
    pub fills: u64,
    /// Shares executed, each side counted.
    pub shares: u64,
    /// Market messages applied.
    pub market_messages: u64,
    /// Market messages about orders that were never shown.
    pub unknown_references: u64,
    /// Times that an instrument went into quarantine.
    pub quarantines: u64,
}

/// Where time goes, one part of the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// Its name, as in the laboratory.
    pub name: String,
    /// Since the start.
    pub all: Percentiles,
    /// Since a moment some seconds ago.
    pub recent: Percentiles,
    /// All time spent in it since the start, in nanoseconds.
    pub sum_ns: u64,
    /// How many of all took at most so many nanoseconds, in the order of [`BOUNDS_NS`].
    pub at_most: Vec<u64>,
}

/// Bounds of the counts of [`Hop::at_most`], in nanoseconds: 50 ns to 1 s.
pub const BOUNDS_NS: [u64; 23] = [
    50,
    100,
    200,
    350,
    500,
    750,
    1_000,
    1_500,
    2_000,
    3_500,
    5_000,
    7_500,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    5_000_000,
    20_000_000,
    100_000_000,
    1_000_000_000,
];

/// Percentiles in nanoseconds; 0 where nothing was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many there were.
    pub count: u64,
    /// Half stayed at or below.
    pub p50_ns: u64,
    /// Nine in ten.
    pub p90_ns: u64,
    /// 99 in a hundred.
    pub p99_ns: u64,
    /// 999 in a thousand.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// What the gateway counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayCounts {
    /// Connections that are open.
    pub open: u64,
    /// Connections taken.
    pub connections: u64,
    /// Connections turned away.
    pub turned_away: u64,
    /// Logins accepted.
    pub logins: u64,
    /// Logins refused.
    pub refused_logins: u64,
    /// Requests beyond a session's throttle.
    pub throttled: u64,
    /// Clients disconnected because they read too slowly.
    pub slow_consumers: u64,
    /// Turns in which reading stopped because the ring to the engine was full.
    pub ring_full: u64,
    /// Notices lost because nobody read their ring.
    pub notices_lost: u64,
}

/// A session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its user, or its CompID over FIX.
    pub name: String,
    /// `ouch` or `fix`.
    pub protocol: String,
    /// Its account.
    pub account: String,
    /// Whether it is logged in.
    pub up: bool,
    /// Bytes that wait for it to read them.
    pub backlog_bytes: u64,
}

/// What an account has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Executions.
    pub fills: u64,
    /// Shares bought.
    pub bought: u64,
    /// Shares sold.
    pub sold: u64,
    /// Fees paid, in dollars, exact.
    pub fees: String,
    /// Profit of what was closed, without fees, in dollars, exact.
    pub realised: String,
}

/// What an account has of an instrument.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Whose.
    pub account: String,
    /// Of what.
    pub symbol: String,
    /// Shares; below zero they are owed.
    pub shares: i64,
    /// What a share has cost, in dollars; empty without shares.
    pub average: String,
    /// Profit of what was closed, in dollars, exact.
    pub realised: String,
}

/// A limit and what is used of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Whose.
    pub of: String,
    /// In which instrument alone; empty where in all.
    pub symbol: String,
    /// Its name.
    pub name: String,
    /// What is used.
    pub used: String,
    /// What may be.
    pub limit: String,
    /// How much that is in a hundred, rounded down.
    pub percent: u64,
}

/// Somebody who is stopped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Who.
    pub of: String,
    /// Why.
    pub cause: String,
}

/// The journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Inputs of the engine that are safe.
    pub engine_frames: u64,
    /// Records of the gateway that are safe.
    pub gateway_frames: u64,
    /// Milliseconds that the oldest record which is not safe has waited.
    pub waiting_ms: u64,
    /// Whether it cannot be written any more.
    pub failed: bool,
}

/// Both sides of a book.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ladder {
    /// Of what.
    pub symbol: String,
    /// Whether it may be believed.
    pub state: String,
    /// Bids, the best first.
    pub bids: Vec<Level>,
    /// Asks, the best first.
    pub asks: Vec<Level>,
}

/// A price level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// In dollars, exact.
    pub price: String,
    /// Shares that can be traded against.
    pub quantity: u64,
    /// Orders.
    pub orders: u32,
}

impl Snapshot {
    /// The hop of this name.
    pub fn hop(&self, name: &str) -> Option<&Hop> {
        self.hops.iter().find(|hop| hop.name == name)
    }
}
