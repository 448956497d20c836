//! What a seed stands for: who trades how, what fails how often, how small everything is. Each kind of fault is in some seeds
//! and not in others, so that none hides another.

use std::fmt::Write as _;

use crate::client::Manners;
use crate::client::fix::FixPlan;
use crate::client::ouch::Edition;
use crate::client::trader::Habits;
use crate::feed::FeedPlan;
use crate::net::Weather;
use crate::random::Random;

/// What is asked of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing leaves before it is safe.
    Sync,
    /// A window of so many milliseconds may be lost.
    Async(u64),
    /// There is no journal.
    Off,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// OUCH.
    Ouch(Edition),
    /// FIX, 4.4 or 4.2, with a HeartBtInt in seconds.
    Fix {
        /// Whether it is 4.4.
        is_44: bool,
        /// HeartBtInt.
        heartbeat: u64,
    },
    /// A drop copy over SoupBinTCP, of everybody.
    Copy,
}

/// A client.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// What it speaks.
    pub speech: Speech,
    /// Its account, from 0.
    pub account: usize,
    /// When its orders are cancelled: as the configuration says it.
    pub cancel_on: &'static str,
    /// How long after.
    pub grace_ms: u64,
    /// How it trades.
    pub habits: Habits,
    /// How it behaves.
    pub manners: Manners,
}

impl ClientPlan {
    /// Whether it enters orders.
    pub const fn trades(&self) -> bool {
        !matches!(self.speech, Speech::Copy)
    }
}

/// Crashes and faults of the disk, in 10,000 turns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The process is killed: what was written stays.
    pub kill: u64,
    /// The power is cut: what was not synced is there, not there, or torn.
    pub power: u64,
    /// A write or sync fails.
    pub disk: u64,
    /// How often, in 10,000, a start meets a fault of the disk.
    pub start: u64,
    /// A part is not polled for a while.
    pub pause: u64,
    /// The same, for ten times as long.
    pub nap: u64,
    /// The process is killed between two parts: what the gateway has just said was said, and nobody else had a turn.
    pub between: u64,
    /// How often, in 10,000, a start is followed by a crash within a few turns.
    pub again: u64,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Turns while clients trade.
    pub turns: u64,
    /// The mean time of a turn, in nanoseconds.
    pub pace_ns: u64,
    /// Who trades; clients over SoupBinTCP first.
    pub clients: Vec<ClientPlan>,
    /// Accounts.
    pub accounts: usize,
    /// Instruments.
    pub symbols: usize,
    /// The journal.
    pub durability: Durability,
    /// Bytes of its segments.
    pub segment_bytes: u64,
    /// The network.
    pub weather: Weather,
    /// The outside market, if there is one.
    pub feed: Option<FeedPlan>,
    /// What fails.
    pub faults: Faults,
    /// Entries of the rings of commands and of events.
    pub rings: (usize, usize),
    /// Orders that the venue has room for.
    pub own_orders: usize,
    /// Open orders of an account at most.
    pub open_orders_max: usize,
    /// The largest order that is taken.
    pub order_size_max: u32,
    /// Shares that an account may hold.
    pub position_max: u64,
}

/// `rate`, or, in most runs, nothing.
fn sometimes(random: &mut Random, least: u64, most: u64) -> u64 {
    if random.once_in(3) { random.spread(least, most) } else { 0 }
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed ^ 0x5157_494e_444c_4521);
        let durability = match random.below(10) {
            0..=5 => Durability::Sync,
            6..=8 => Durability::Async(random.between(1, 40)),
            _ => Durability::Off,
        };
        let crashes = durability != Durability::Off;
        let turns = random.spread(200, 2_400);
        let rate = |random: &mut Random, most| {
            if crashes && random.once_in(2) { random.between(1, most) } else { 0 }
        };
        let faults = Faults {
            kill: rate(random, 30),
            power: rate(random, 30),
            disk: rate(random, 12),
            start: rate(random, 5_000),
            pause: sometimes(random, 1, 200),
            nap: sometimes(random, 1, 40),
            between: rate(random, 60),
            again: rate(random, 5_000),
        };
        let weather = Weather {
            delay_ns: random.spread(1, 3_000_000),
            buffer: random.size(64, 65_536),
            split: sometimes(random, 10, 9_000),
            stall: sometimes(random, 1, 300),
            stall_ns: random.spread(1_000, 4_000_000_000),
        };
        let accounts = random.count(1, 3);
        let order_size_max = random.pick(&[150, 1_000, 1_000_000]);
        let clients = Self::clients(random, accounts);
        let feed = random.once_in(4).then(|| FeedPlan {
            rate: random.spread(200, 6_000),
            loss: sometimes(random, 10, 4_000),
            double: sometimes(random, 10, 3_000),
            outage: sometimes(random, 1, 50),
            delay_ns: random.spread(1, 5_000_000),
            server_loss: sometimes(random, 10, 5_000),
        });
        Self {
            seed,
            turns,
            pace_ns: random.spread(300, 20_000_000),
            clients,
            accounts,
            symbols: random.count(1, 3),
            durability,
            segment_bytes: random.pick(&[64, 64, 128, 1_024]) << 10,
            weather,
            feed,
            faults,
            rings: (random.size(4, 1_024), random.size(4, 4_096)),
            own_orders: random.size(24, 1_024),
            open_orders_max: random.size(4, 1_000),
            order_size_max,
            position_max: random
                .pick(&[500, 5_000, 1_000_000, 1_000_000_000])
                .max(u64::from(order_size_max)),
        }
    }

    fn clients(random: &mut Random, accounts: usize) -> Vec<ClientPlan> {
        let count = random.between(1, 5);
        let open_max = random.size(2, 60);
        let (quantity_max, ticks) = (random.between32(2, 300), random.between(0, 12));
        let mut clients: Vec<_> = (0..count)
            .map(|_| {
                let edition = random.pick(&[Edition::V50, Edition::V50, Edition::V42]);
                let speech = match random.below(5) {
                    0 | 1 => Speech::Fix {
                        is_44: random.once_in(2),
                        heartbeat: random.pick(&[0, 1, 5, 30, 30]),
                    },
                    _ => Speech::Ouch(edition),
                };
                let bad = |random: &mut Random, most| sometimes(random, 1, most);
                let mut manners = Manners {
                    close: bad(random, 100),
                    logout: bad(random, 100),
                    reset: bad(random, 100),
                    cut: bad(random, 20),
                    stop_reading: bad(random, 60),
                    garbage: bad(random, 60),
                    read_again: bad(random, 5_000),
                    nonsense: bad(random, 1_500),
                };
                if matches!(speech, Speech::Fix { heartbeat: 0, .. }) {
                    // Nobody would ever notice.
                    manners.cut = 0;
                }
                ClientPlan {
                    speech,
                    account: random.index(accounts),
                    cancel_on: random.pick(&["never", "never", "loss", "logout", "both"]),
                    grace_ms: random.pick(&[0, 0, 3, 50, 2_000]),
                    habits: Habits {
                        trade: random.spread(300, 9_000),
                        replace: random.between(0, 2_500),
                        cancel: random.between(0, 2_500),
                        shrink: sometimes(random, 10, 1_000),
                        cancel_all: sometimes(random, 10, 300),
                        at_once: random.between(0, 3_000),
                        market: sometimes(random, 10, 2_000),
                        quantity_max,
                        ticks,
                        open_max,
                    },
                    manners,
                }
            })
            .collect();
        if random.once_in(3) {
            let mut copy = clients[0].clone();
            copy.speech = Speech::Copy;
            copy.manners.garbage = 0;
            clients.push(copy);
        }
        // Numbers of sessions of FIX come behind those of OUCH.
        clients.sort_by_key(|client| matches!(client.speech, Speech::Fix { .. }));
        clients
    }

    /// The user of a client over SoupBinTCP.
    pub fn user(number: usize) -> String {
        format!("C{number}")
    }

    /// The symbol of an instrument.
    pub fn symbol(number: usize) -> [u8; 8] {
        let mut symbol = *b"SYM0    ";
        symbol[3] += u8::try_from(number).unwrap_or(0);
        symbol
    }

    /// The configuration of the venue, as a file says it.
    pub fn configuration(&self) -> String {
        let mut text = format!(
            "[venue]\nname = \"SIM\"\n[engine]\norders_max = 4096\nlevels_max = 1024\nown_orders_max = {}\n\
             instruments_max = 8\nmeasure = false\n[gateway]\nouch_listen = \"127.0.0.1:0\"\n\
             stream_mib = 1\nbacklog_kib = 64\nwrong_login_delay_ms = 0\n",
            self.own_orders
        );
        let mut add = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        for symbol in (0..self.symbols).filter(|_| self.feed.is_none()) {
            add(format!("[[instrument]]\nsymbol = \"SYM{symbol}\""));
        }
        for account in 0..self.accounts {
            add(format!(
                "[[account]]\nname = \"A{account}\"\norder_size_max = {}\n\
                 order_value_max = \"500000000.00\"\ncollar_percent = \"50\"\nopen_orders_max = {}\n\
                 position_max = {}",
                self.order_size_max, self.open_orders_max, self.position_max
            ));
        }
        if self.feed.is_some() {
            add("[feed]\nsession = \"SIMULATED\"\nrequest = [\"127.0.0.1:1\"]\n\
                 [[feed.line]]\naddress = \"127.0.0.1:2\"\n[[feed.line]]\naddress = \"127.0.0.1:3\""
                .to_owned());
        }
        let is_fix = |client: &&ClientPlan| matches!(client.speech, Speech::Fix { .. });
        if self.clients.iter().any(|client| is_fix(&client)) {
            add("[fix]\nlisten = \"127.0.0.1:0\"\ncomp_id = \"SPINDLE\"\nstore_mib = 4".to_owned());
        }
        for (number, client) in self.clients.iter().enumerate() {
            let user = Self::user(number);
            if !is_fix(&client) {
                add(format!("[[session]]\nuser = \"{user}\"\npassword = \"{user}\""));
            }
            match client.speech {
                Speech::Fix { is_44, .. } => {
                    let name = FixPlan::named(number);
                    let (version, user) = match is_44 {
                        true => ("4.4", name.as_str()),
                        false => ("4.2", ""),
                    };
                    add(format!(
                        "[[fix.session]]\ncomp_id = \"{name}\"\nversion = \"{version}\"\nusername = \"{user}\"\n\
                         password = \"{name}\"\naccount = \"A{}\"\ncancel_on = \"{}\"\ngrace_ms = {}",
                        client.account, client.cancel_on, client.grace_ms
                    ));
                }
                Speech::Copy => add("drop_copy = true\naccounts = [\"*\"]".to_owned()),
                Speech::Ouch(edition) => {
                    let name = if edition == Edition::V50 { "ouch-5.0" } else { "ouch-4.2" };
                    add(format!(
                        "protocol = \"{name}\"\naccount = \"A{}\"\ncancel_on = \"{}\"\ngrace_ms = {}",
                        client.account, client.cancel_on, client.grace_ms
                    ));
                }
            }
        }
        let (name, window) = match self.durability {
            Durability::Off => return text,
            Durability::Sync => ("sync", 10),
            Durability::Async(window) => ("async", window),
        };
        let _ = writeln!(
            text,
            "[journal]\ndirectory = \"simulated\"\ndurability = \"{name}\"\nloss_window_ms = {window}"
        );
        text
    }
}
