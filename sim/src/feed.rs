//! An outside market: a tape that is made as the run goes, sent over two lines that lose, double and delay, with a server
//! that answers requests, or does not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quanta::Mock;
use spindle::feed::Lines;
use spindle_feed::receive::Datagram;
use spindle_feed::stream::Request;
use spindle_types::ReceiveTime;

use crate::client::trader::{MIDDLE, TICK};
use crate::random::Random;

/// The name of the session: ten bytes.
const SESSION: &[u8; 10] = b"SIMULATED ";

/// Messages of a packet at most.
const PACKET_MAX: usize = 6;

/// Datagrams handed over in one turn at most.
const TURN_MAX: usize = 8;

/// How a feed behaves; rates in 10,000.
#[derive(Clone, Copy, Debug)]
pub struct FeedPlan {
    /// How often a packet is sent in a turn.
    pub rate: u64,
    /// Packets that a line loses.
    pub loss: u64,
    /// Packets that a line doubles.
    pub double: u64,
    /// How often a line goes dark for a while.
    pub outage: u64,
    /// The longest delay of a packet, in nanoseconds: packets overtake each other within it.
    pub delay_ns: u64,
    /// Requests and answers that are lost.
    pub server_loss: u64,
}

impl FeedPlan {
    /// Nothing goes wrong any more.
    const fn fair(self) -> Self {
        Self { rate: 0, loss: 0, double: 0, outage: 0, delay_ns: 10_000, server_loss: 0 }
    }
}

/// An order of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeOrder {
    /// The instrument, from 0.
    pub symbol: usize,
    /// Shares.
    pub shares: u32,
    is_buy: bool,
    price: u32,
}

struct State {
    plan: FeedPlan,
    random: Random,
    clock: Arc<Mock>,
    /// Nanoseconds since midnight when the clock showed 0.
    began: u64,
    symbols: Vec<[u8; 8]>,
    /// Every message of the day.
    tape: Vec<Vec<u8>>,
    /// What stands by the tape.
    orders: BTreeMap<u64, TapeOrder>,
    next_reference: u64,
    next_match: u64,
    /// On each line what is under way, and until when it is dark.
    lines: [(Vec<(u64, Vec<u8>)>, u64); 2],
    /// Answers of the server under way.
    answers: VecDeque<(u64, Vec<u8>)>,
    heartbeat: u64,
}

/// A market, for who drives the run.
#[derive(Clone)]
pub struct Market(Arc<Mutex<State>>);

/// The venue's end of it.
pub struct SimLines {
    market: Market,
    answer: Vec<u8>,
}

fn message(kind: u8, symbol: usize, time: u64, rest: &[&[u8]]) -> Vec<u8> {
    let locate = u16::try_from(symbol + 1).unwrap_or(0);
    let mut bytes = vec![kind];
    bytes.extend(locate.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(&time.to_be_bytes()[2..]);
    rest.iter().for_each(|part| bytes.extend(*part));
    bytes
}

fn packet(first: u64, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = SESSION.to_vec();
    bytes.extend(first.to_be_bytes());
    bytes.extend(u16::try_from(messages.len()).unwrap_or(0).to_be_bytes());
    for message in messages {
        bytes.extend(u16::try_from(message.len()).unwrap_or(0).to_be_bytes());
        bytes.extend(message);
    }
    bytes
}

impl State {
    fn time(&self) -> u64 {
        self.began + self.clock.value()
    }

    fn begin(&mut self) {
        let time = self.time();
        for event in [b'O', b'S'] {
            let mut bytes = message(b'S', 0, time, &[&[event]]);
            bytes[1..3].fill(0);
            self.tape.push(bytes);
        }
        for symbol in 0..self.symbols.len() {
            let name = self.symbols[symbol];
            let rest: [&[u8]; 3] = [&name, b"QN\0\0\0\x64NCZ PNN", b"1N\0\0\0\0N"];
            let mut bytes = message(b'R', symbol, time, &rest);
            bytes.resize(39, b'N');
            self.tape.push(bytes);
            self.tape.push(message(b'H', symbol, time, &[&name, b"T     "]));
        }
        let mut bytes = message(b'S', 0, time, &[b"Q"]);
        bytes[1..3].fill(0);
        self.tape.push(bytes);
    }

    /// Makes a message that can be, after those before.
    fn make(&mut self) -> Vec<u8> {
        let time = self.time();
        let random = &mut self.random;
        let keys: Vec<_> = self.orders.keys().copied().collect();
        let roll = random.below(10);
        if keys.len() > 40 || !keys.is_empty() && roll < 5 {
            let reference = random.pick(&keys);
            let Some(order) = self.orders.get_mut(&reference) else { return Vec::new() };
            let number = reference.to_be_bytes();
            let shares = random.between32(1, order.shares);
            let symbol = order.symbol;
            match roll {
                0 | 1 => {
                    // The tape executes what is best.
                    order.shares -= shares;
                    self.next_match += 1;
                    let bytes = message(
                        b'E',
                        symbol,
                        time,
                        &[&number, &shares.to_be_bytes(), &self.next_match.to_be_bytes()],
                    );
                    self.orders.retain(|_, order| order.shares > 0);
                    return bytes;
                }
                2 if shares < order.shares => {
                    order.shares -= shares;
                    return message(b'X', symbol, time, &[&number, &shares.to_be_bytes()]);
                }
                3 => {
                    self.next_reference += 1;
                    let new = self.next_reference;
                    let old = *order;
                    let replaced = TapeOrder { shares, ..old };
                    self.orders.remove(&reference);
                    self.orders.insert(new, replaced);
                    let parts: [&[u8]; 4] = [
                        &number,
                        &new.to_be_bytes(),
                        &shares.to_be_bytes(),
                        &replaced.price.to_be_bytes(),
                    ];
                    return message(b'U', symbol, time, &parts);
                }
                _ => {
                    self.orders.remove(&reference);
                    return message(b'D', symbol, time, &[&number]);
                }
            }
        }
        self.next_reference += 1;
        let symbol = random.index(self.symbols.len());
        let is_buy = random.once_in(2);
        // The market itself never crosses: bids are below the middle, offers above.
        let ticks = random.between32(1, 8) * TICK;
        let price = if is_buy { MIDDLE - ticks } else { MIDDLE + ticks };
        let shares = random.between32(1, 300);
        self.orders.insert(self.next_reference, TapeOrder { symbol, shares, is_buy, price });
        let side = [if is_buy { b'B' } else { b'S' }];
        let parts: [&[u8]; 5] = [
            &self.next_reference.to_be_bytes(),
            &side,
            &shares.to_be_bytes(),
            &self.symbols[symbol],
            &price.to_be_bytes(),
        ];
        message(b'A', symbol, time, &parts)
    }

    fn send(&mut self, bytes: &[u8]) {
        let now = self.clock.value();
        for (under_way, dark) in &mut self.lines {
            if self.random.chance(self.plan.outage) {
                *dark = now + self.random.spread(1_000, 2_000_000_000);
            }
            if now < *dark || self.random.chance(self.plan.loss) {
                continue;
            }
            for _ in 0..1 + u32::from(self.random.chance(self.plan.double)) {
                let at = now + self.random.below(self.plan.delay_ns + 1);
                under_way.push((at, bytes.to_vec()));
            }
        }
    }

    fn step(&mut self) {
        let now = self.clock.value();
        if self.tape.is_empty() {
            self.begin();
        }
        if self.random.chance(self.plan.rate) {
            let first = self.tape.len() as u64 + 1;
            let count = self.random.count(1, PACKET_MAX);
            for _ in 0..count {
                let made = self.make();
                self.tape.push(made);
            }
            let from = self.tape.len() - count;
            let bytes = packet(first, &self.tape[from..]);
            self.send(&bytes);
            self.heartbeat = now;
        } else if now.saturating_sub(self.heartbeat) >= 1_000_000_000 {
            self.heartbeat = now;
            let bytes = packet(self.tape.len() as u64 + 1, &[]);
            self.send(&bytes);
        }
    }
}

impl Market {
    /// A market whose day has not begun.
    pub fn new(
        plan: FeedPlan,
        random: Random,
        clock: Arc<Mock>,
        began: u64,
        symbols: Vec<[u8; 8]>,
    ) -> Self {
        Self(Arc::new(Mutex::new(State {
            plan,
            random,
            clock,
            began,
            symbols,
            tape: Vec::new(),
            orders: BTreeMap::new(),
            next_reference: 0,
            next_match: 0,
            lines: Default::default(),
            answers: VecDeque::new(),
            heartbeat: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its turn.
    pub fn step(&self) {
        self.state().step();
    }

    /// From now on nothing new comes and nothing goes wrong.
    pub fn settle(&self) {
        let mut state = self.state();
        state.plan = state.plan.fair();
        for (_, dark) in &mut state.lines {
            *dark = 0;
        }
    }

    /// What is under way is lost: nobody listens.
    pub fn lose_all(&self) {
        let mut state = self.state();
        state.answers.clear();
        for (under_way, _) in &mut state.lines {
            under_way.clear();
        }
    }

    /// The number of the last message.
    pub fn last(&self) -> u64 {
        self.state().tape.len() as u64
    }

    /// What stands by the tape: references and orders.
    pub fn orders(&self) -> Vec<(u64, TapeOrder)> {
        self.state().orders.iter().map(|(&reference, &order)| (reference, order)).collect()
    }

    /// The venue's end of its lines.
    pub fn lines(&self) -> SimLines {
        SimLines { market: self.clone(), answer: Vec::new() }
    }
}

impl Lines for SimLines {
    fn poll(&mut self, each: &mut dyn FnMut(Datagram<'_>)) -> usize {
        let mut taken: Vec<(u8, Vec<u8>)> = Vec::new();
        {
            let mut state = self.market.state();
            let now = state.clock.value();
            for (line, (under_way, _)) in (0_u8..).zip(&mut state.lines) {
                let mut at = 0;
                while at < under_way.len() && taken.len() < TURN_MAX {
                    if under_way[at].0 <= now {
                        taken.push((line, under_way.remove(at).1));
                    } else {
                        at += 1;
                    }
                }
            }
        }
        for (line, bytes) in &taken {
            each(Datagram { line: *line, received: ReceiveTime(0), bytes });
        }
        taken.len()
    }

    fn request(&mut self, request: &Request) {
        let state = &mut *self.market.state();
        if state.random.chance(state.plan.server_loss) {
            return;
        }
        let first = request.header.sequence.get();
        let count = usize::from(request.header.count.get()).min(20);
        let from = usize::try_from(first).unwrap_or(0).saturating_sub(1).min(state.tape.len());
        let messages = &state.tape[from..(from + count).min(state.tape.len())];
        if messages.is_empty() || state.random.chance(state.plan.server_loss) {
            return;
        }
        let at = state.clock.value() + state.random.below(state.plan.delay_ns + 1);
        let bytes = packet(first, messages);
        state.answers.push_back((at, bytes));
    }

    fn answer(&mut self) -> Option<&[u8]> {
        let mut state = self.market.state();
        let now = state.clock.value();
        if state.answers.front().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        let (_, bytes) = state.answers.pop_front()?;
        drop(state);
        self.answer = bytes;
        Some(&self.answer)
    }
}
