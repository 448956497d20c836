//! Scenarios as text: what comes in at which nanosecond, and what goes out.
//!
//! In: `A 1-3` messages 1 to 3 on line A, `B hb 4` a heartbeat with next number 4, `A end 4` the end
//! of the session, `S 2` message 2 from a request server, `timer`, `ask`. A letter after a slash
//! names another session: `A/y 1`. Out: `start`, `1-3` messages, `lost 4-5`, `gap` opened, `whole`
//! again, `end`, and for `ask` the requests as `server:first+count`.

use std::fmt::Write;

use spindle_feed::moldudp64::{END_OF_SESSION, header};
use spindle_feed::stream::{Delivery, HoldLimits, Origin, RequestLimits, Stream, StreamConfig};
use zerocopy::IntoBytes;

use super::{Checker, packet, session};

pub(crate) fn config() -> StreamConfig {
    StreamConfig {
        gap_wait_ns: 100,
        hold: HoldLimits { messages: 64, bytes: 1_000, packets: 16 },
        jump_max: 1_000,
        ..StreamConfig::default()
    }
}

pub(crate) fn with_servers(servers: usize) -> StreamConfig {
    let requests = RequestLimits {
        servers,
        timeout_ns: 80,
        attempts: 3,
        outstanding: 2,
        messages: 4,
        per_second: 1_000_000_000,
        silence_ns: 1_000_000,
    };
    StreamConfig { requests, ..config() }
}

/// A stream under a script.
pub(crate) struct Scenario {
    pub(crate) stream: Stream,
    pub(crate) checker: Checker,
    now: u64,
}

impl Scenario {
    pub(crate) fn new(config: StreamConfig) -> Self {
        let stream = Stream::new(config).expect("a configuration within its ranges");
        Self { stream, checker: Checker::default(), now: 0 }
    }

    /// Runs lines of `time: in => out`; a missing time is the one before.
    pub(crate) fn run(&mut self, script: &str) -> &mut Self {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (input, expected) = line.split_once("=>").expect("in => out");
            let input = match input.split_once(": ") {
                Some((time, input)) => {
                    self.now = time.trim().parse().expect("a time");
                    input
                }
                None => input,
            };
            let got = self.step(input.trim());
            assert_eq!(got, expected.trim(), "in the line `{line}`");
            self.checker.check(&self.stream);
        }
        self
    }

    fn step(&mut self, input: &str) -> String {
        let mut out = Out::default();
        let (stream, checker, now) = (&mut self.stream, &mut self.checker, self.now);
        if input == "ask" {
            while let Some(request) = stream.poll_request(now) {
                let (first, count) = (request.header.sequence.get(), request.header.count.get());
                assert_eq!(Some(request.header.session), stream.session());
                write!(out.text, " {}:{first}+{count}", request.server).expect("a string");
            }
            return out.done();
        }
        let each = &mut |delivery: Delivery<'_>| {
            checker.take(delivery);
            out.take(delivery);
        };
        if input == "timer" {
            stream.on_timer(now, each);
            return out.done();
        }
        let (origin, bytes) = datagram(input);
        stream.on_datagram(origin, &bytes, now, each);
        out.done()
    }
}

fn datagram(input: &str) -> (Origin, Vec<u8>) {
    let mut words = input.split(' ');
    let origin = words.next().expect("an origin");
    let letter = origin.split_once('/').map_or('x', |(_, letter)| letter.parse().expect("one"));
    let origin = match origin.as_bytes()[0] {
        b'A' => Origin::Line(0),
        b'B' => Origin::Line(1),
        b'S' => Origin::Server,
        _ => panic!("no origin: {input}"),
    };
    let what = words.next().expect("a packet");
    let bytes = match words.next() {
        Some(next) => {
            let count = if what == "hb" { 0 } else { END_OF_SESSION };
            header(session(letter), next.parse().expect("a number"), count).as_bytes().to_vec()
        }
        None => {
            let (first, last) = what.split_once('-').unwrap_or((what, what));
            let (first, last): (u64, u64) =
                (first.parse().expect("a number"), last.parse().expect("a number"));
            packet(letter, first, last - first + 1)
        }
    };
    (origin, bytes)
}

/// Deliveries as text, runs of messages as one word.
#[derive(Default)]
struct Out {
    text: String,
    run: Option<(u64, u64)>,
}

impl Out {
    fn take(&mut self, delivery: Delivery<'_>) {
        if let Delivery::Message { sequence, .. } = delivery {
            self.run = Some((self.run.map_or(sequence, |(first, _)| first), sequence));
            return;
        }
        self.end_run();
        match delivery {
            Delivery::SessionStarted { .. } => self.text += " start",
            Delivery::GapOpened { .. } => self.text += " gap",
            Delivery::GapClosed { .. } => self.text += " whole",
            Delivery::EndOfSession { .. } => self.text += " end",
            Delivery::Lost { first, count } => {
                self.text += " lost ";
                self.span(first, first + count - 1);
            }
            Delivery::Message { .. } => {}
        }
    }

    fn end_run(&mut self) {
        if let Some((first, last)) = self.run.take() {
            self.text += " ";
            self.span(first, last);
        }
    }

    fn span(&mut self, first: u64, last: u64) {
        write!(self.text, "{first}").expect("a string");
        if last > first {
            write!(self.text, "-{last}").expect("a string");
        }
    }

    fn done(mut self) -> String {
        self.end_run();
        self.text.trim().to_owned()
    }
}
