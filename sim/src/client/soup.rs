//! A client over SoupBinTCP: it numbers what comes, goes on at its next number, and sends again what has no answer.

use std::collections::{BTreeMap, BTreeSet};

use super::cable::Cable;
use super::ouch::{self, Edition, Enter};
use super::trader::{Habits, Wish};
use super::{Act, Around, Client, Manners, MayLose};
use crate::ledger::{Asked, Ledger, Report};
use crate::net::{Arrival, Link};
use crate::random::Random;

const SECOND: u64 = 1_000_000_000;

/// Requests without an answer at most.
const PENDING_MAX: usize = 40;

/// Who a client is, and how it behaves.
#[derive(Clone, Debug)]
pub struct SoupPlan {
    /// Its place among all clients.
    pub number: usize,
    /// User, and password too.
    pub user: String,
    /// The edition; a drop copy has none.
    pub edition: Option<Edition>,
    /// How it trades.
    pub habits: Habits,
    /// How it behaves.
    pub manners: Manners,
    /// The venue's instruments.
    pub symbols: Vec<[u8; 8]>,
    /// Whether its orders stay when it is gone.
    pub keeps_orders: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Down { until: u64 },
    LoggingIn { since: u64, asked: u64 },
    Live,
}

/// A message of the venue, and when it came first.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When.
    pub when: u64,
}

struct Pending {
    message: Vec<u8>,
    /// Whether there has to be an answer.
    is_owed: bool,
}

/// A client.
pub struct SoupClient {
    plan: SoupPlan,
    random: Random,
    cable: Cable,
    phase: Phase,
    /// The number of the next message of this connection.
    at: u64,
    log: Vec<Told>,
    ledger: Ledger,
    next_id: u64,
    pending: BTreeMap<u64, Pending>,
    deaf_until: u64,
    /// Orders that it has asked to cancel, change or replace, and whether it has asked for all.
    touched: (BTreeSet<u64>, bool),
    again_from: Option<u64>,
    /// Crashes of the venue before the last login.
    crashes: u64,
    /// Up to where what it was told is known to be what the venue has.
    known: u64,
    cancel_again: u64,
}

impl SoupClient {
    /// A client that will connect.
    pub fn new(plan: SoupPlan, mut random: Random) -> Self {
        let until = random.below(SECOND / 1000);
        Self {
            plan,
            random,
            cable: Cable::default(),
            phase: Phase::Down { until },
            at: 1,
            log: Vec::new(),
            ledger: Ledger::default(),
            next_id: 1,
            pending: BTreeMap::new(),
            deaf_until: 0,
            touched: (BTreeSet::new(), false),
            again_from: None,
            crashes: 0,
            known: 0,
            cancel_again: 0,
        }
    }

    /// What it was told.
    pub fn log(&self) -> &[Told] {
        &self.log
    }

    /// Its edition; `None` of a drop copy.
    pub const fn edition(&self) -> Option<Edition> {
        self.plan.edition
    }

    /// The venue's instruments.
    pub fn symbols(&self) -> &[[u8; 8]] {
        &self.plan.symbols
    }

    fn go_down(&mut self, now: u64, wait: u64) {
        self.cable.hang_up();
        self.phase = Phase::Down { until: now + wait };
    }

    fn send(&mut self, kind: u8, payload: &[u8]) {
        self.cable.output.extend(ouch::packet(kind, payload));
    }

    fn connect(&mut self, around: &mut Around<'_>) {
        let link = around.connect(self.plan.number, &mut self.random);
        if around.may_lose.window_ns.is_some() && around.crashes != self.crashes {
            // What was lost may have been overtaken by something else: everything is held against what was told.
            self.known = 0;
        }
        self.crashes = around.crashes;
        let mut asked = self.known + 1;
        if let Some(from) = self.again_from {
            asked = from;
        } else if around.act == Act::Trade && self.random.chance(self.plan.manners.read_again) {
            asked = self.random.between(1, asked);
        }
        self.cable.plug_in(link, around.now);
        let user = self.plan.user.clone();
        self.cable.output.extend(ouch::login(&user, &user, "", asked));
        self.phase = Phase::LoggingIn { since: around.now, asked };
        let name = &self.plan.user;
        around.trace.say(|| format!("{name} connects and asks for {asked}"));
    }

    fn take_packet(
        &mut self,
        kind: u8,
        payload: &[u8],
        around: &mut Around<'_>,
    ) -> Result<(), String> {
        match (self.phase, kind) {
            (Phase::LoggingIn { asked, .. }, b'A') => self.logged_in(payload, asked, around),
            (Phase::LoggingIn { .. }, b'J') => self.refused(payload, around),
            (Phase::Live, b'S') => self.message(payload, around),
            (Phase::Live, b'H') | (_, b'+') => Ok(()),
            (phase, kind) => {
                Err(format!("a packet of type {:?} in the phase {phase:?}", char::from(kind)))
            }
        }
    }

    fn logged_in(
        &mut self,
        payload: &[u8],
        asked: u64,
        around: &mut Around<'_>,
    ) -> Result<(), String> {
        let text = std::str::from_utf8(payload.get(10..).unwrap_or_default()).unwrap_or_default();
        let sequence: u64 =
            text.trim().parse().map_err(|_| format!("login accepted with number {text:?}"))?;
        if sequence == 0 || asked != 0 && sequence != asked {
            return Err(format!("asked for {asked}, the stream goes on at {sequence}"));
        }
        let here = self.log.len() as u64;
        if asked == 0 && sequence != here.max(1) {
            // More was told meanwhile, or less is known now: from the beginning.
            self.again_from = Some(1);
            self.go_down(around.now, 1);
            return Ok(());
        }
        self.again_from = None;
        self.at = sequence;
        self.phase = Phase::Live;
        let again: Vec<_> = self.pending.values().map(|pending| pending.message.clone()).collect();
        for message in &again {
            self.send(b'U', message);
        }
        let name = &self.plan.user;
        around.trace.say(|| format!("{name} is logged in at {sequence}; {} again", again.len()));
        Ok(())
    }

    fn refused(&mut self, payload: &[u8], around: &mut Around<'_>) -> Result<(), String> {
        if payload != b"S" {
            return Err(format!("login refused: {:?}", payload.escape_ascii().to_string()));
        }
        // Logged in elsewhere still; or, after a crash, further on than the venue.
        if around.may_lose.window_ns.is_some() {
            self.known = 0;
        }
        let wait = self.random.between(SECOND / 1000, SECOND / 10);
        self.go_down(around.now, wait);
        Ok(())
    }

    /// The venue knows messages up to this one alone.
    fn lose(&mut self, last: u64, may_lose: &MayLose) -> Result<(), String> {
        let from = usize::try_from(last).unwrap_or(usize::MAX);
        let (first, count) = (self.log[from].when, self.log.len() - from);
        let may = may_lose.check(first);
        may.map_err(|why| format!("{count} messages from {} on were lost: {why}", last + 1))?;
        self.log.truncate(from);
        let mut ledger = Ledger { asked: self.ledger.asked.clone(), ..Ledger::default() };
        for told in &self.log {
            ledger.apply(self.report(&told.bytes)?)?;
        }
        self.ledger = ledger;
        Ok(())
    }

    fn report(&self, bytes: &[u8]) -> Result<Report, String> {
        match self.plan.edition {
            Some(edition) => ouch::read(edition, bytes, &self.plan.symbols)
                .ok_or_else(|| format!("no message: {}", bytes.escape_ascii())),
            None => Ok(Report::Nothing),
        }
    }

    fn message(&mut self, bytes: &[u8], around: &mut Around<'_>) -> Result<(), String> {
        let at = self.at;
        self.at += 1;
        self.known = self.known.max(at);
        around.trace.note(at);
        around.trace.note_bytes(bytes);
        if let Some(before) = self.log.get(usize::try_from(at - 1).unwrap_or(usize::MAX)) {
            if before.bytes == bytes {
                return Ok(());
            }
            let [was, is] = [&before.bytes, bytes].map(|bytes| bytes.escape_ascii().to_string());
            let name = &self.plan.user;
            around.trace.say(|| format!("{name} has lost what was told from {at} on"));
            self.lose(at - 1, around.may_lose)
                .map_err(|why| format!("message {at} was {was}, now it is {is}: {why}"))?;
        }
        let report = self.report(bytes)?;
        if let Report::Canceled { id, .. } = report
            && bytes.last() == Some(&b'U')
            && self.plan.keeps_orders
            && !self.touched.1
            && !self.touched.0.contains(&id)
        {
            return Err(format!("message {at}: nobody asked for a cancel of order {id}"));
        }
        let name = &self.plan.user;
        around.trace.say(|| format!("{name} {at}: {report:?}"));
        self.ledger.apply(report).map_err(|why| format!("message {at}: {why}"))?;
        let when = self.cable.left_by(around.now);
        self.log.push(Told { bytes: bytes.to_vec(), when });
        match report {
            Report::Accepted { id, .. } | Report::Rejected { id } | Report::Answered { id } => {
                self.pending.remove(&id);
            }
            Report::Replaced { new, .. } => {
                self.pending.remove(&new);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_input(&mut self, around: &mut Around<'_>) -> Result<(), String> {
        let input = std::mem::take(&mut self.cable.input);
        let mut at = 0;
        while let Some(&[high, low]) = input.get(at..at + 2) {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some(packet) = input.get(at + 2..at + 2 + length) else { break };
            let Some((&kind, payload)) = packet.split_first() else {
                return Err("an empty packet".to_owned());
            };
            at += 2 + length;
            self.take_packet(kind, payload, around)?;
            if matches!(self.phase, Phase::Down { .. }) {
                return Ok(());
            }
        }
        self.cable.input = input[at..].to_vec();
        Ok(())
    }

    fn read(&mut self, around: &mut Around<'_>) -> Result<(), String> {
        for _ in 0..4 {
            match self.cable.receive(around.now) {
                Arrival::Bytes(0) => return Ok(()),
                Arrival::Bytes(_) => {
                    self.take_input(around)?;
                }
                Arrival::End | Arrival::Reset => {
                    let name = &self.plan.user;
                    around.trace.say(|| format!("{name} has lost its connection"));
                    let wait = self.random.between(1, SECOND / 500);
                    self.go_down(around.now, wait);
                }
            }
        }
        Ok(())
    }

    /// Enters something into what waits for an answer, and sends it.
    fn ask(&mut self, id: u64, message: Vec<u8>, is_owed: bool) {
        self.send(b'U', &message);
        self.pending.insert(id, Pending { message, is_owed });
    }

    fn trade(&mut self, edition: Edition, around: &mut Around<'_>) {
        if self.pending.len() >= PENDING_MAX || self.cable.output.len() > 8_192 {
            // What has no answer and is owed none does not wait for ever.
            let unowed = self.pending.iter().find(|(_, pending)| !pending.is_owed);
            if let Some(id) = unowed.map(|(&id, _)| id) {
                self.pending.remove(&id);
            }
            return;
        }
        let wish = self.plan.habits.wish(&self.ledger, self.plan.symbols.len(), &mut self.random);
        let name = &self.plan.user;
        let next = self.next_id;
        around.trace.say(|| format!("{name} wishes {next}: {wish:?}"));
        match wish {
            Wish::Enter { way, symbol, quantity, price, at_once } => {
                let is_nonsense = self.random.chance(self.plan.manners.nonsense);
                let asked = Asked { way: Some(way), symbol, quantity, price };
                self.ledger.asked.insert(next, asked);
                let symbol = if is_nonsense { *b"NOPE    " } else { self.plan.symbols[symbol] };
                let order = Enter { id: next, way, quantity, symbol, price, at_once };
                self.next_id += 1;
                self.ask(next, ouch::enter(edition, &order), true);
            }
            Wish::Replace { id, quantity, price } => {
                self.touched.0.insert(id);
                self.next_id += 1;
                self.ledger.asked.insert(next, Asked { way: None, symbol: 0, quantity, price });
                self.ask(next, ouch::replace(edition, id, next, quantity, price), false);
            }
            Wish::Cancel { id, quantity } => {
                self.touched.0.insert(id);
                self.send(b'U', &ouch::cancel(edition, id, quantity));
            }
            Wish::Shrink { id, quantity } => {
                self.touched.0.insert(id);
                if let Some(order) = self.ledger.orders.get(&id) {
                    let message = ouch::modify(edition, id, order.way, quantity);
                    self.send(b'U', &message);
                }
            }
            Wish::CancelAll if edition == Edition::V50 => {
                self.next_id += 1;
                self.touched.1 = true;
                self.ask(next, ouch::mass_cancel(next), true);
            }
            Wish::CancelAll => {}
        }
    }

    /// What a good client does not do.
    fn misbehave(&mut self, around: &mut Around<'_>) {
        let Manners { close, logout, reset, cut, stop_reading, garbage, .. } = self.plan.manners;
        let name = self.plan.user.clone();
        let random = &mut self.random;
        if random.chance(close) {
            around.trace.say(|| format!("{name} closes"));
            let wait = random.below(SECOND / 20);
            self.go_down(around.now, wait);
        } else if random.chance(logout) {
            around.trace.say(|| format!("{name} logs out"));
            self.send(b'O', &[]);
            self.cable.flush(around.now);
            let wait = self.random.below(SECOND / 20);
            self.go_down(around.now, wait);
        } else if random.chance(reset) {
            around.trace.say(|| format!("{name} is reset"));
            self.cable.reset();
        } else if random.chance(cut) {
            around.trace.say(|| format!("{name} is cut off"));
            self.cable.cut();
        } else if random.chance(stop_reading) {
            self.deaf_until = around.now + random.spread(1_000, 8 * SECOND);
            around.trace.say(|| format!("{name} stops reading"));
        } else if random.chance(garbage) {
            around.trace.say(|| format!("{name} sends garbage"));
            match random.below(4) {
                0 => self.send(b'U', b"?"),
                1 => self.send(b'H', b""),
                2 => self.cable.output.extend([0xff, 0xff, b'U', 1, 2, 3]),
                _ => self.send(b'L', b"again"),
            }
        }
    }

    fn live(&mut self, around: &mut Around<'_>) {
        match (around.act, self.plan.edition) {
            (Act::Trade, edition) => {
                if let Some(edition) = edition
                    && self.random.chance(self.plan.habits.trade)
                {
                    self.trade(edition, around);
                }
                self.misbehave(around);
            }
            (Act::Cancel, Some(edition))
                if around.now >= self.cancel_again && !self.ledger.open.is_empty() =>
            {
                self.cancel_again = around.now + SECOND;
                for id in self.ledger.open.clone() {
                    self.touched.0.insert(id);
                    self.send(b'U', &ouch::cancel(edition, id, 0));
                }
            }
            _ => {}
        }
        if around.now.saturating_sub(self.cable.sent) >= SECOND && self.cable.output.is_empty() {
            self.send(b'R', &[]);
        }
    }
}

impl Client for SoupClient {
    fn step(&mut self, around: &mut Around<'_>) -> Result<(), String> {
        let now = around.now;
        let listens = now >= self.deaf_until || around.act != Act::Trade;
        if listens {
            self.read(around)?;
        }
        match self.phase {
            Phase::Down { until } if now >= until && around.venue_is_up => self.connect(around),
            Phase::LoggingIn { since, .. } if now.saturating_sub(since) > 5 * SECOND => {
                self.go_down(now, 1);
            }
            Phase::Live if listens && now.saturating_sub(self.cable.received) > 15 * SECOND => {
                self.go_down(now, 1);
            }
            Phase::Live => self.live(around),
            _ => {}
        }
        self.cable.flush(now);
        Ok(())
    }

    fn link(&self) -> Option<&Link> {
        self.cable.link()
    }

    fn settle(&mut self, next_out: u64, may_lose: &MayLose) -> Result<(), String> {
        let mut here = self.log.len() as u64 + 1;
        if here > next_out && self.at == next_out && self.phase == Phase::Live {
            self.lose(next_out - 1, may_lose)?;
            here = next_out;
        }
        if self.phase != Phase::Live {
            return Err(format!("is not logged in: {:?}", self.phase));
        }
        if here != next_out || self.at != here {
            return Err(format!("has heard up to {} of {}", self.at - 1, next_out - 1));
        }
        match self.pending.iter().find(|(_, pending)| pending.is_owed) {
            Some((id, _)) => Err(format!("request {id} has no answer")),
            None if !self.cable.output.is_empty() => Err("has not sent everything".to_owned()),
            None => Ok(()),
        }
    }

    fn read_all_again(&mut self) {
        self.go_down(0, 0);
        self.again_from = Some(1);
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn name(&self) -> &str {
        &self.plan.user
    }

    fn as_soup(&self) -> Option<&SoupClient> {
        Some(self)
    }
}
