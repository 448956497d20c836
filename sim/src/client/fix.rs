//! A client over FIX: it numbers what it sends, asks for what it has missed, sends again what it is asked for, and holds
//! what is sent again against what it was told.

use std::collections::BTreeMap;

use super::cable::Cable;
use super::fixwire::{self, Field, Message, Names, field};
use super::trader::{Habits, Wish};
use super::{Act, Around, Client, Manners, MayLose};
use crate::ledger::{Asked, Ledger, Report, Way};
use crate::net::{Arrival, Link};
use crate::plan::Plan;
use crate::random::Random;

const SECOND: u64 = 1_000_000_000;

/// Requests without an answer at most.
const PENDING_MAX: usize = 30;

/// Who a client is, and how it behaves.
#[derive(Clone, Debug)]
pub struct FixPlan {
    /// Its place among all clients.
    pub number: usize,
    /// CompID, user and password.
    pub name: String,
    /// Whether it speaks 4.4.
    pub is_44: bool,
    /// HeartBtInt, in seconds.
    pub heartbeat: u64,
    /// How it trades.
    pub habits: Habits,
    /// How it behaves.
    pub manners: Manners,
    /// The venue's instruments.
    pub symbols: Vec<[u8; 8]>,
    /// When its orders are cancelled: as the configuration says it.
    pub cancel_on: &'static str,
    /// Nanoseconds since midnight when the clock showed 0.
    pub began: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Down { until: u64 },
    LoggingOn { since: u64 },
    Live,
    LoggingOut { since: u64 },
}

#[derive(Clone, Debug)]
struct Told {
    kind: u8,
    body: Vec<Field>,
    when: u64,
}

struct Sent {
    kind: u8,
    body: Vec<Field>,
    time: String,
}

/// A client.
pub struct FixClient {
    plan: FixPlan,
    names: Names,
    random: Random,
    cable: Cable,
    phase: Phase,
    /// The number of the next message that comes.
    next_in: u64,
    /// The number of the next message that goes.
    next_out: u64,
    /// What was told, by number: messages of the application alone.
    log: BTreeMap<u64, Told>,
    /// One above the highest number that ever came.
    heard: u64,
    /// What was sent: messages of the application alone.
    store: BTreeMap<u64, Sent>,
    ledger: Ledger,
    next_id: u64,
    pending: BTreeMap<u64, ()>,
    deaf_until: u64,
    /// Up to which number what is missing was asked for, and when.
    asked: Option<u64>,
    /// Whether what it asked for is being sent again: nothing new overtakes that.
    is_replayed: bool,
    /// Whether it ever sent a Logout, and whether it was ever disconnected without one that was answered.
    parted: (bool, bool),
    crashes: u64,
    cancel_again: u64,
}

impl FixClient {
    /// A client that will connect.
    pub fn new(plan: FixPlan, mut random: Random) -> Self {
        let names = Names {
            version: if plan.is_44 { "FIX.4.4" } else { "FIX.4.2" },
            ours: plan.name.clone(),
            venue: "SPINDLE".to_owned(),
        };
        Self {
            phase: Phase::Down { until: random.below(SECOND / 1000) },
            plan,
            names,
            random,
            cable: Cable::default(),
            next_in: 1,
            next_out: 1,
            log: BTreeMap::new(),
            heard: 1,
            store: BTreeMap::new(),
            ledger: Ledger::default(),
            next_id: 1,
            pending: BTreeMap::new(),
            deaf_until: 0,
            asked: None,
            is_replayed: false,
            parted: (false, false),
            crashes: 0,
            cancel_again: 0,
        }
    }

    fn go_down(&mut self, now: u64, wait: u64) {
        self.cable.hang_up();
        (self.asked, self.is_replayed) = (None, false);
        self.parted.1 = true;
        self.phase = Phase::Down { until: now + wait };
    }

    fn time(&self, now: u64) -> String {
        fixwire::time(self.plan.began + now)
    }

    fn send(&mut self, kind: u8, body: Vec<Field>, now: u64) {
        let time = self.time(now);
        let sequence = self.next_out;
        self.next_out += 1;
        self.cable.output.extend(fixwire::write(&self.names, kind, sequence, &body, &time, None));
        if !matches!(kind, b'0'..=b'5' | b'A') {
            self.store.insert(sequence, Sent { kind, body, time });
        }
        self.cable.sent = now;
    }

    fn connect(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        self.cable.plug_in(around.connect(self.plan.number, &mut self.random), now);
        if around.may_lose.window_ns.is_some() && around.crashes != self.crashes {
            // What was lost may have been overtaken by something else: everything is held against what was told.
            self.next_in = 1;
        } else if around.act == Act::Trade && self.random.chance(self.plan.manners.read_again) {
            self.next_in = self.random.between(1, self.next_in);
        }
        self.crashes = around.crashes;
        let mut body = vec![];
        if !self.plan.is_44 {
            body.push(field(95, self.plan.name.len()));
            body.push(field(96, &self.plan.name));
        }
        body.push(field(98, 0));
        body.push(field(108, self.plan.heartbeat));
        if self.plan.is_44 {
            body.push(field(553, &self.plan.name));
            body.push(field(554, &self.plan.name));
        }
        self.phase = Phase::LoggingOn { since: now };
        let (name, next_in, next_out) = (&self.plan.name, self.next_in, self.next_out);
        around.trace.say(|| format!("{name} connects, next {next_in} in, {next_out} out"));
        self.send(b'A', body, now);
    }

    /// Asks for everything from the next number on.
    fn ask(&mut self, now: u64) {
        if self.asked.is_none() {
            self.asked = Some(now);
            let body = vec![field(7, self.next_in), field(16, 0)];
            self.send(b'2', body, now);
        }
    }

    fn send_again(&mut self, from: u64, to: u64, now: u64) {
        let last = if to == 0 { self.next_out - 1 } else { to.min(self.next_out - 1) };
        let time = self.time(now);
        let mut at = from.max(1);
        while at <= last {
            if let Some(sent) = self.store.get(&at) {
                let bytes =
                    fixwire::write(&self.names, sent.kind, at, &sent.body, &time, Some(&sent.time));
                self.cable.output.extend(bytes);
                at += 1;
                continue;
            }
            let next =
                self.store.range(at..).next().map_or(last + 1, |(&next, _)| next).min(last + 1);
            let body = [field(36, next), field(123, "Y")];
            self.cable.output.extend(fixwire::write(
                &self.names,
                b'4',
                at,
                &body,
                &time,
                Some(&time),
            ));
            at = next;
        }
    }

    /// The venue does not know what it told from this number on.
    fn lose(&mut self, from: u64, may_lose: &MayLose) -> Result<(), String> {
        let lost = self.log.split_off(&from);
        self.heard = self.heard.min(from);
        let Some((number, first)) = lost.first_key_value() else { return Ok(()) };
        let may = may_lose.check(first.when);
        may.map_err(|why| format!("{} messages from {number} on were lost: {why}", lost.len()))?;
        let mut ledger = Ledger { asked: self.ledger.asked.clone(), ..Ledger::default() };
        for (&sequence, told) in &self.log {
            let body = told.body.clone();
            let message = Message { kind: told.kind, sequence, again: false, body };
            if let Some((report, _)) = message.report(&self.plan.symbols) {
                ledger.apply(report)?;
            }
        }
        self.ledger = ledger;
        Ok(())
    }

    fn take(&mut self, message: Message, around: &mut Around<'_>) -> Result<(), String> {
        let (now, sequence) = (around.now, message.sequence);
        around.trace.note(sequence);
        let name = &self.plan.name;
        around.trace.say(|| format!("{name} < {message:?}"));
        if matches!(self.phase, Phase::LoggingOn { .. }) && message.kind != b'A' {
            if message.kind == b'5' {
                self.go_down(now, SECOND / 50);
                return Ok(());
            }
            return Err(format!("before the answer to its Logon: {message:?}"));
        }
        if message.kind == b'4' && message.get(123) != Some(b"Y") {
            return Err(format!("the venue resets numbers: {message:?}"));
        }
        if message.kind == b'A' {
            self.phase = Phase::Live;
        }
        if sequence < self.next_in && !message.again {
            if self.heard <= sequence || around.may_lose.window_ns.is_none() {
                let next = self.next_in;
                return Err(format!("number {sequence} again, after {}: {message:?}", next - 1));
            }
            let name = &self.plan.name;
            around.trace.say(|| format!("{name} has lost what was told from {sequence} on"));
            self.lose(sequence, around.may_lose)?;
            self.next_in = sequence;
        }
        if sequence > self.next_in {
            if self.is_replayed && message.kind != b'5' {
                let next = self.next_in;
                return Err(format!(
                    "overtakes what is sent again, of which {next} is next: {message:?}"
                ));
            }
            // A ResendRequest and a Logout do not wait for what is missing.
            match message.kind {
                b'2' => self.answer(&message, around)?,
                b'5' => return self.logged_out(around),
                _ => {}
            }
            self.ask(now);
            return Ok(());
        }
        if sequence < self.next_in {
            return self.compare(&message, self.heard, around);
        }
        if sequence < self.heard && !message.again && message.kind != b'4' {
            // Something else was told under this number.
            let lost = self.lose(sequence, around.may_lose);
            lost.map_err(|why| format!("{sequence} was used before: {message:?}: {why}"))?;
        }
        // What was asked for comes, or all of it has come.
        self.is_replayed = message.again && (self.is_replayed || self.asked.is_some());
        let heard = self.heard;
        self.next_in += 1;
        self.heard = self.heard.max(self.next_in);
        if message.kind == b'4' {
            let next = message.number(36).unwrap_or(0);
            if next <= sequence {
                return Err(format!("a gap is filled from {sequence} to {next}"));
            }
            self.forget(sequence, next, around)?;
            self.next_in = next;
            self.heard = self.heard.max(next);
            self.asked = None;
            return Ok(());
        }
        if !message.is_application() {
            self.forget(sequence, sequence + 1, around)?;
            return self.answer(&message, around);
        }
        if message.again {
            self.asked = None;
        }
        self.compare(&message, heard, around)
    }

    /// The venue says that nothing of the application was told under these numbers.
    fn forget(&mut self, from: u64, to: u64, around: &mut Around<'_>) -> Result<(), String> {
        match self.log.range(from..to).next().map(|(&number, _)| number) {
            None => Ok(()),
            Some(number) => self
                .lose(number, around.may_lose)
                .map_err(|why| format!("what was told as {number} is a gap now: {why}")),
        }
    }

    /// A message of the application: a new one, or the same as before.
    fn compare(
        &mut self,
        message: &Message,
        heard: u64,
        around: &mut Around<'_>,
    ) -> Result<(), String> {
        if !message.is_application() {
            return Ok(());
        }
        let sequence = message.sequence;
        let name = self.plan.name.clone();
        if let Some(told) = self.log.get(&sequence) {
            if told.kind == message.kind && told.body == message.body {
                return Ok(());
            }
            let was = told.clone();
            around.trace.say(|| format!("{name} has lost what was told from {sequence} on"));
            self.lose(sequence, around.may_lose)
                .map_err(|why| format!("{sequence} was {was:?}, now it is {message:?}: {why}"))?;
            self.next_in = sequence + 1;
        } else if sequence < heard {
            self.lose(sequence, around.may_lose).map_err(|why| {
                format!("{sequence} was none of the application: {message:?}: {why}")
            })?;
        }
        for (tag, value) in &message.body {
            around.trace.note(u64::from(*tag));
            around.trace.note_bytes(value);
        }
        let Some((report, open)) = message.report(&self.plan.symbols) else {
            return Err(format!("no report: {message:?}"));
        };
        around.trace.say(|| format!("{name} {sequence}: {report:?}"));
        self.is_due(message, around.may_lose)?;
        self.ledger.apply(report).map_err(|why| format!("{message:?}: {why}"))?;
        let mut is_end_of_cancel = message.number(41).is_some();
        if let Report::Replaced { .. } = report {
            is_end_of_cancel = false;
        }
        if let Some((id, open)) = open {
            let order = self.ledger.orders.get(&id);
            let filled = order.map(|order| u64::from(order.filled + order.filled_before));
            if filled != message.number(14) {
                return Err(format!("{filled:?} of order {id} were executed, not: {message:?}"));
            }
            let known = order.map(crate::ledger::Order::open);
            if known != Some(open) {
                return Err(format!(
                    "order {id} has {known:?} open, the venue says {open}: {message:?}"
                ));
            }
        }
        if let Some(id) = message.number(11).or(message.number(379)) {
            self.pending.remove(&id);
            if is_end_of_cancel && !self.ledger.knows(id) {
                self.ledger.apply(Report::Answered { id })?;
            }
        }
        let when = self.cable.left_by(around.now);
        self.log.insert(sequence, Told { kind: message.kind, body: message.body.clone(), when });
        self.heard = self.heard.max(sequence + 1);
        Ok(())
    }

    /// Orders of a session that is gone are cancelled where it was parted from in the way that its configuration names.
    fn is_due(&self, message: &Message, may_lose: &MayLose) -> Result<(), String> {
        if message.get(58) != Some(b"mass_cancel") {
            return Ok(());
        }
        let (logout, loss) = self.parted;
        // In async the Logout may be lost: then it was a loss.
        let may = match self.plan.cancel_on {
            "never" => false,
            "loss" => loss || logout && may_lose.window_ns.is_some(),
            "logout" => logout,
            _ => logout || loss,
        };
        match may {
            true => Ok(()),
            false => Err(format!("nobody asked for this cancel: {message:?}")),
        }
    }

    fn logged_out(&mut self, around: &mut Around<'_>) -> Result<(), String> {
        let now = around.now;
        let is_answer = matches!(self.phase, Phase::LoggingOut { .. });
        let was_lost = self.parted.1;
        if self.phase == Phase::Live {
            self.parted.0 = true;
            self.send(b'5', vec![], now);
            self.cable.flush(now);
        }
        let wait = self.random.between(1, SECOND / 20);
        self.go_down(now, wait);
        if is_answer {
            self.parted.1 = was_lost;
        }
        Ok(())
    }

    /// What the session layer has to do.
    fn answer(&mut self, message: &Message, around: &mut Around<'_>) -> Result<(), String> {
        let now = around.now;
        match message.kind {
            b'1' => {
                let body = message.get(112).map(|id| (112, id.to_vec()));
                self.send(b'0', body.into_iter().collect(), now);
            }
            b'2' => {
                let (from, to) = (message.number(7).unwrap_or(1), message.number(16).unwrap_or(0));
                self.send_again(from, to, now);
            }
            b'5' => return self.logged_out(around),
            b'3' if self.plan.manners.garbage + self.plan.manners.nonsense == 0 => {
                return Err(format!("the venue rejects: {message:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn read(&mut self, around: &mut Around<'_>) -> Result<(), String> {
        for _ in 0..4 {
            match self.cable.receive(around.now) {
                Arrival::Bytes(0) => return Ok(()),
                Arrival::Bytes(_) => {
                    while let Some((message, bytes)) =
                        fixwire::read(&self.cable.input, &self.names)?
                    {
                        self.cable.input.drain(..bytes);
                        self.take(message, around)?;
                        if matches!(self.phase, Phase::Down { .. }) {
                            return Ok(());
                        }
                    }
                }
                Arrival::End | Arrival::Reset => {
                    let name = &self.plan.name;
                    around.trace.say(|| format!("{name} has lost its connection"));
                    let wait = self.random.between(1, SECOND / 500);
                    self.go_down(around.now, wait);
                }
            }
        }
        Ok(())
    }

    fn request(&mut self, kind: u8, body: Vec<Field>, now: u64) {
        let mut body = body;
        let id = self.next_id;
        self.next_id += 1;
        body.insert(0, field(11, id));
        if !self.plan.is_44 && matches!(kind, b'D' | b'G') {
            body.insert(1, field(21, 1));
        }
        body.push(field(60, self.time(now)));
        self.pending.insert(id, ());
        self.send(kind, body, now);
    }

    fn instrument(&self, way: Way, symbol: usize) -> [Field; 2] {
        let name = self.plan.symbols.get(symbol).copied().unwrap_or(*b"NOPE    ");
        [(55, name.trim_ascii_end().to_vec()), field(54, if way == Way::Buy { 1 } else { 2 })]
    }

    fn trade(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        if self.pending.len() >= PENDING_MAX || self.cable.output.len() > 8_192 {
            return;
        }
        let wish = self.plan.habits.wish(&self.ledger, self.plan.symbols.len(), &mut self.random);
        let (name, next) = (&self.plan.name, self.next_id);
        around.trace.say(|| format!("{name} wishes {next}: {wish:?}"));
        match wish {
            Wish::Enter { way, symbol, quantity, price, at_once } => {
                let is_nonsense = self.random.chance(self.plan.manners.nonsense);
                let asked = Asked { way: Some(way), symbol, quantity, price };
                self.ledger.asked.insert(next, asked);
                let symbol = if is_nonsense { usize::MAX } else { symbol };
                let mut body = self.instrument(way, symbol).to_vec();
                body.push(field(38, quantity));
                body.push(field(40, if price == 0 { 1 } else { 2 }));
                if price != 0 {
                    body.push(field(44, fixwire::decimal(price)));
                }
                body.push(field(59, if at_once { 3 } else { 0 }));
                self.request(b'D', body, now);
            }
            Wish::Replace { id, quantity, price } => {
                self.replace(id, quantity, price, now);
            }
            Wish::Shrink { id, quantity } => {
                self.replace(id, quantity, super::trader::MIDDLE, now);
            }
            Wish::Cancel { id, .. } => self.cancel(id, now),
            Wish::CancelAll => {}
        }
    }

    fn replace(&mut self, id: u64, quantity: u32, price: u32, now: u64) {
        let Some(order) = self.ledger.orders.get(&id) else { return };
        let mut body = self.instrument(order.way, order.symbol).to_vec();
        let asked = Asked { way: None, symbol: order.symbol, quantity, price };
        self.ledger.asked.insert(self.next_id, asked);
        body.insert(0, field(41, id));
        body.push(field(38, quantity));
        body.push(field(40, 2));
        body.push(field(44, fixwire::decimal(price)));
        self.request(b'G', body, now);
    }

    fn cancel(&mut self, id: u64, now: u64) {
        let Some(order) = self.ledger.orders.get(&id) else { return };
        let mut body = self.instrument(order.way, order.symbol).to_vec();
        body.insert(0, field(41, id));
        self.request(b'F', body, now);
    }

    /// What a good client does not do.
    fn misbehave(&mut self, around: &mut Around<'_>) {
        let Manners { close, logout, reset, cut, stop_reading, garbage, .. } = self.plan.manners;
        let (name, now) = (self.plan.name.clone(), around.now);
        if self.random.chance(close) {
            around.trace.say(|| format!("{name} closes"));
            let wait = self.random.below(SECOND / 20);
            self.go_down(now, wait);
        } else if self.random.chance(logout) {
            around.trace.say(|| format!("{name} logs out"));
            self.send(b'5', vec![], now);
            self.parted.0 = true;
            self.phase = Phase::LoggingOut { since: now };
        } else if self.random.chance(reset) {
            around.trace.say(|| format!("{name} is reset"));
            self.cable.reset();
        } else if self.random.chance(cut) {
            around.trace.say(|| format!("{name} is cut off"));
            self.cable.cut();
        } else if self.random.chance(stop_reading) {
            self.deaf_until = now + self.random.spread(1_000, 8 * SECOND);
            around.trace.say(|| format!("{name} stops reading"));
        } else if self.random.chance(garbage) {
            around.trace.say(|| format!("{name} sends garbage"));
            let time = self.time(now);
            let names = &self.names;
            match self.random.below(6) {
                0 => self.cable.output.extend(b"8=FIX.4.2\x019=5\x0135=0\x0110=000\x01"),
                // A number that was used.
                1 => self.cable.output.extend(fixwire::write(names, b'0', 1, &[], &time, None)),
                // A number that is skipped: the venue asks for it.
                2 => self.next_out += 1,
                // Everything is asked for, for no reason.
                3 => {
                    self.send(b'2', vec![field(7, 1), field(16, 0)], now);
                }
                // A request without what it needs.
                4 => self.send(b'D', vec![field(11, "bad"), field(21, 1)], now),
                _ => self.send(b'1', vec![field(112, "are you there")], now),
            }
        }
    }

    fn live(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        match around.act {
            Act::Trade => {
                if self.random.chance(self.plan.habits.trade) {
                    self.trade(around);
                }
                self.misbehave(around);
            }
            Act::Cancel if now >= self.cancel_again && !self.ledger.open.is_empty() => {
                self.cancel_again = now + SECOND;
                for id in self.ledger.open.clone() {
                    self.cancel(id, now);
                }
            }
            _ => {}
        }
        if self.asked.is_some_and(|asked| now.saturating_sub(asked) > 2 * SECOND) {
            self.asked = None;
            self.ask(now);
        }
        let heartbeat = self.plan.heartbeat * SECOND;
        if heartbeat > 0
            && now.saturating_sub(self.cable.sent) >= heartbeat
            && self.cable.output.is_empty()
        {
            self.send(b'0', vec![], now);
        }
    }
}

impl Client for FixClient {
    fn step(&mut self, around: &mut Around<'_>) -> Result<(), String> {
        let now = around.now;
        let listens = now >= self.deaf_until || around.act != Act::Trade;
        if listens {
            self.read(around)?;
        }
        // Without heartbeats silence says nothing.
        let silence = match self.plan.heartbeat {
            0 => u64::MAX,
            heartbeat => 3 * heartbeat.max(5) * SECOND,
        };
        match self.phase {
            Phase::Down { until } if now >= until && around.venue_is_up => self.connect(around),
            Phase::LoggingOn { since } if now.saturating_sub(since) > 5 * SECOND => {
                self.go_down(now, 1);
            }
            Phase::LoggingOut { since } if now.saturating_sub(since) > SECOND => {
                self.go_down(now, 1);
            }
            Phase::Live if listens && now.saturating_sub(self.cable.received) > silence => {
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
        if self.phase != Phase::Live {
            return Err(format!("is not logged on: {:?}", self.phase));
        }
        if self.next_in != next_out {
            return Err(format!("has heard up to {} of {}", self.next_in - 1, next_out - 1));
        }
        if self.heard > next_out {
            self.lose(next_out, may_lose)?;
        }
        match self.pending.first_key_value() {
            Some((id, ())) => Err(format!("request {id} has no answer")),
            _ if !self.cable.output.is_empty() => Err("has not sent everything".to_owned()),
            _ => Ok(()),
        }
    }

    fn read_all_again(&mut self) {
        self.go_down(0, 0);
        self.next_in = 1;
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn name(&self) -> &str {
        &self.plan.name
    }
}

impl FixPlan {
    /// The name of a client.
    pub fn named(number: usize) -> String {
        format!("{}X", Plan::user(number))
    }
}
