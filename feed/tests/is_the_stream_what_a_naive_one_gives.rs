//! Does the stream deliver, step by step, what a naive reassembler delivers? The naive one keeps a
//! map of every message and a map of when each missing one was found missing; it is slow, unbounded
//! and short. Both are fed loss, duplication, reordering, jumps, heartbeats, ends and changes of
//! session on two lines.
//!
//! `SPINDLE_PACKETS` sets how many packets the long walk has, `SPINDLE_SEED` its seed, and
//! `SPINDLE_LOSS_A` and `SPINDLE_LOSS_B` how many of 1,000 each line loses.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

mod tools;

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use spindle_feed::moldudp64::{END_OF_SESSION, header};
use spindle_feed::stream::{Delivery, HoldLimits, Origin, RequestLimits, Stream, StreamConfig};
use zerocopy::IntoBytes;

use tools::{Checker, Random, message, packet, session};

const WAIT: u64 = 100;

/// What is fed to both.
#[derive(Clone, Copy, Debug)]
enum Input {
    Data { line: u8, letter: char, first: u64, count: u64 },
    Heartbeat { line: u8, letter: char, next: u64 },
    End { line: u8, letter: char, next: u64 },
    Timer,
}

/// What comes out of both, message by message.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Output {
    Start(char),
    Message(u64, Vec<u8>),
    Lost(u64),
    End,
}

#[derive(Default)]
struct Naive {
    letter: Option<char>,
    /// Sessions that are over, newest first; the stream remembers eight.
    over: VecDeque<char>,
    next: u64,
    seen: BTreeMap<u64, Vec<u8>>,
    /// When each missing message was found missing.
    missing: BTreeMap<u64, u64>,
    known_end: u64,
    end: Option<u64>,
    ended: bool,
    out: Vec<Output>,
}

impl Naive {
    fn step(&mut self, input: Input, now: u64) {
        match input {
            Input::Data { letter, first, count, .. } => {
                if !self.belongs(letter) {
                    return;
                }
                if self.end.is_some_and(|end| first + count > end) {
                    self.end = None;
                }
                self.reveal(first, now);
                for number in first..first + count {
                    if number >= self.next {
                        self.seen.insert(number, message(letter, number));
                        self.missing.remove(&number);
                    }
                }
                self.known_end = self.known_end.max(first + count);
            }
            Input::Heartbeat { letter, next, .. } => {
                if self.belongs(letter) {
                    if self.end.is_some_and(|end| next > end) {
                        self.end = None;
                    }
                    self.reveal(next, now);
                }
            }
            Input::End { letter, next, .. } => {
                if self.belongs(letter) && next >= self.known_end {
                    self.reveal(next, now);
                    self.end = Some(next);
                }
            }
            Input::Timer => self.lose(now),
        }
        self.deliver();
    }

    fn belongs(&mut self, letter: char) -> bool {
        if self.letter == Some(letter) {
            return !self.ended;
        }
        if self.letter.is_some() && (!self.ended || self.over.contains(&letter)) {
            return false;
        }
        if let Some(letter) = self.letter {
            self.over.push_front(letter);
            self.over.truncate(8);
        }
        *self = Self {
            letter: Some(letter),
            over: std::mem::take(&mut self.over),
            next: 1,
            known_end: 1,
            out: std::mem::take(&mut self.out),
            ..Self::default()
        };
        self.out.push(Output::Start(letter));
        true
    }

    fn reveal(&mut self, end: u64, now: u64) {
        for number in self.known_end..end {
            self.missing.insert(number, now);
        }
        self.known_end = self.known_end.max(end);
    }

    /// Whatever has been missing too long is lost, and with it all that is missing before it.
    fn lose(&mut self, now: u64) {
        let overdue = self
            .missing
            .iter()
            .filter(|&(_, since)| since + WAIT <= now)
            .map(|(number, _)| *number);
        let Some(last) = overdue.max() else { return };
        while self.next <= last {
            match self.seen.remove(&self.next) {
                Some(bytes) => self.out.push(Output::Message(self.next, bytes)),
                None => self.out.push(Output::Lost(self.next)),
            }
            self.missing.remove(&self.next);
            self.next += 1;
        }
    }

    fn deliver(&mut self) {
        while let Some(bytes) = self.seen.remove(&self.next) {
            self.out.push(Output::Message(self.next, bytes));
            self.next += 1;
        }
        if self.end == Some(self.next) && !self.ended {
            self.ended = true;
            self.out.push(Output::End);
        }
    }
}

fn config() -> StreamConfig {
    StreamConfig {
        gap_wait_ns: WAIT,
        hold: HoldLimits { messages: 1 << 12, bytes: 1 << 16, packets: 1 << 12 },
        jump_max: 1 << 11,
        ..StreamConfig::default()
    }
}

/// Feeds the stream and turns its deliveries into outputs.
fn feed(stream: &mut Stream, checker: &mut Checker, input: Input, now: u64) -> Vec<Output> {
    let mut out = Vec::new();
    let each = &mut |delivery: Delivery<'_>| {
        checker.take(delivery);
        match delivery {
            Delivery::SessionStarted { session } => out.push(Output::Start(char::from(session[8]))),
            Delivery::Message { sequence, bytes } => {
                out.push(Output::Message(sequence, bytes.to_vec()));
            }
            Delivery::Lost { first, count } => {
                out.extend((first..first + count).map(Output::Lost));
            }
            Delivery::EndOfSession { .. } => out.push(Output::End),
            Delivery::GapOpened { .. } | Delivery::GapClosed { .. } => {}
        }
    };
    let (line, bytes) = match input {
        Input::Data { line, letter, first, count } => (line, packet(letter, first, count)),
        Input::Heartbeat { line, letter, next } => {
            (line, header(session(letter), next, 0).as_bytes().to_vec())
        }
        Input::End { line, letter, next } => {
            (line, header(session(letter), next, END_OF_SESSION).as_bytes().to_vec())
        }
        Input::Timer => {
            stream.on_timer(now, each);
            return out;
        }
    };
    stream.on_datagram(Origin::Line(line), &bytes, now, each);
    out
}

/// Both, side by side.
struct Pair {
    stream: Stream,
    checker: Checker,
    naive: Naive,
    now: u64,
}

impl Pair {
    fn new() -> Self {
        let stream = Stream::new(config()).expect("a configuration within its ranges");
        Self { stream, checker: Checker::default(), naive: Naive::default(), now: 0 }
    }

    fn step(&mut self, input: Input, passed: u64) {
        self.now += passed;
        self.naive.step(input, self.now);
        let got = feed(&mut self.stream, &mut self.checker, input, self.now);
        let expected = std::mem::take(&mut self.naive.out);
        assert_eq!(got, expected, "after {input:?} at {}", self.now);
        assert_eq!(self.stream.missing(), self.naive.missing.len() as u64, "after {input:?}");
        self.checker.check(&self.stream);
    }
}

fn input() -> impl Strategy<Value = Input> {
    let line = 0_u8..2;
    let letter = prop_oneof![20 => Just('x'), 1 => Just('y'), 1 => Just('z')];
    let number = 1_u64..60;
    prop_oneof![
        20 => (line.clone(), letter.clone(), number.clone(), 1_u64..9)
            .prop_map(|(line, letter, first, count)| Input::Data { line, letter, first, count }),
        2 => (line.clone(), letter.clone(), number.clone())
            .prop_map(|(line, letter, next)| Input::Heartbeat { line, letter, next }),
        1 => (line, letter, number)
            .prop_map(|(line, letter, next)| Input::End { line, letter, next }),
        2 => Just(Input::Timer),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_packets_in_any_order_give_the_same(
        inputs in prop::collection::vec((input(), 0_u64..40), 1..80),
    ) {
        let mut pair = Pair::new();
        for (input, passed) in inputs {
            pair.step(input, passed);
        }
    }
}

/// One line of a sender: loses, repeats and delays packets, and has outages.
struct Line {
    random: Random,
    loss: u64,
    behind: usize,
    queue: Vec<Input>,
    outage: u64,
}

impl Line {
    fn send(&mut self, input: Input) {
        if self.outage > 0 {
            self.outage -= 1;
            return;
        }
        if self.random.per_mille(1) {
            self.outage = self.random.below(20);
        }
        if self.random.per_mille(self.loss) {
            return;
        }
        self.queue.push(input);
        if self.random.per_mille(20) {
            self.queue.push(input);
        }
        let last = self.queue.len() - 1;
        if last > 0 && self.random.per_mille(30) {
            let other = last - self.random.below(last.min(4) as u64 + 1) as usize;
            self.queue.swap(last, other);
        }
    }

    fn next(&mut self) -> Option<Input> {
        (self.queue.len() > self.behind).then(|| self.queue.remove(0))
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn a_long_walk_gives_the_same() {
    let (packets, seed) = (number("SPINDLE_PACKETS", 200_000), number("SPINDLE_SEED", 1));
    println!("SPINDLE_PACKETS={packets} SPINDLE_SEED={seed}");
    let mut random = Random(seed);
    let line = |loss, behind, seed| Line {
        random: Random(seed),
        loss,
        behind,
        queue: Vec::new(),
        outage: 0,
    };
    let losses = [number("SPINDLE_LOSS_A", 50), number("SPINDLE_LOSS_B", 80)];
    let mut lines = [line(losses[0], 0, seed + 1), line(losses[1], 3, seed + 2)];
    let mut pair = Pair::new();
    let (mut next, mut letter, mut stepped) = (1, 'a', 0);
    while stepped < packets {
        let count = 1 + random.below(6);
        let input = |line| match next {
            next if next % 501 == 0 => Input::Heartbeat { line, letter, next },
            first => Input::Data { line, letter, first, count },
        };
        lines[0].send(input(0));
        lines[1].send(input(1));
        next += if next % 501 == 0 { 0 } else { count };
        next += u64::from(next % 501 == 0);
        if next > 20_000 {
            for _ in 0..40 {
                lines[0].send(Input::End { line: 0, letter, next });
                lines[1].send(Input::End { line: 1, letter, next });
            }
            letter = if letter == 'k' { 'a' } else { (letter as u8 + 1) as char };
            next = 1;
        }
        for line in &mut lines {
            while let Some(input) = line.next() {
                stepped += 1;
                pair.step(input, random.below(9));
            }
        }
        if random.per_mille(100) {
            pair.step(Input::Timer, 0);
        }
    }
    let counters = pair.stream.counters();
    assert!(counters.gaps.filled_by_other_line > packets / 50, "{:?}", counters.gaps);
    assert!(counters.gaps.lost > packets / 1_000, "{:?}", counters.gaps);
    assert!(counters.sessions > packets / 50_000, "{}", counters.sessions);
}

fn small() -> StreamConfig {
    let hold = HoldLimits { messages: 32, bytes: 300, packets: 6 };
    let requests = RequestLimits {
        servers: 3,
        timeout_ns: 40,
        attempts: 2,
        outstanding: 4,
        messages: 5,
        per_second: 100_000_000,
        silence_ns: 2_000,
    };
    StreamConfig { hold, requests, jump_max: 500, ..config() }
}

/// What a server says to a request: nothing, of another session, of other numbers, or the truth, in
/// any length.
fn answer(random: &mut Random, first: u64, count: u64) -> Option<Vec<u8>> {
    let (letter, first) = match random.below(10) {
        0..3 => return None,
        3 => ('y', first),
        4 => ('x', first + random.below(9)),
        5 => ('x', first.saturating_sub(random.below(9)).max(1)),
        _ => ('x', first),
    };
    Some(packet(letter, first, 1 + random.below(count + 2)))
}

/// With small bounds and servers that lie: nothing to compare with step by step, but what must hold
/// of every delivery holds, no more waits than may, and what came in time is never called lost.
#[test]
fn small_bounds_and_lying_servers_break_no_promise() {
    let mut sums = [0; 4];
    for seed in 1..=20 {
        let mut stream = Stream::new(small()).expect("a configuration within its ranges");
        let (mut random, mut checker) = (Random(seed), Checker::default());
        let (mut next, mut now) = (if seed % 4 == 0 { 200_u64 } else { 1 }, 0);
        for _ in 0..20_000 {
            now += random.below(9);
            let count = 1 + random.below(4);
            for line in 0..2 {
                let first = match random.below(100) {
                    0..60 => next,
                    60..70 => next.saturating_sub(random.below(20)).max(1),
                    70..72 => next + random.below(100),
                    72 => next + random.below(1_000_000),
                    _ => continue,
                };
                let input = Input::Data { line, letter: 'x', first, count };
                feed(&mut stream, &mut checker, input, now);
            }
            next += count;
            while let Some(request) = stream.poll_request(now) {
                assert!(request.server < 3);
                let (first, count) = (request.header.sequence.get(), request.header.count.get());
                assert!((1..=5).contains(&count));
                let Some(bytes) = answer(&mut random, first, count.into()) else { continue };
                let each = &mut |delivery: Delivery<'_>| checker.take(delivery);
                stream.on_datagram(Origin::Server, &bytes, now, each);
            }
            stream.on_timer(now, &mut |delivery| checker.take(delivery));
            checker.check(&stream);
            assert!(stream.waiting() <= 32);
        }
        let counters = stream.counters();
        let requests = counters.requests;
        let more = [
            counters.gaps.filled_by_request,
            counters.overflows,
            requests.useless,
            requests.failed,
        ];
        sums = std::array::from_fn(|index| sums[index] + more[index]);
    }
    assert!(sums.iter().all(|&sum| sum > 10_000), "{sums:?}");
}
