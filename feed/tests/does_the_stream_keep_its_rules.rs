//! Does the stream keep each of its rules? Scenarios as text: what comes in at which nanosecond, and
//! what goes out.
//!
//! In: `A 1-3` messages 1 to 3 on line A, `B hb 4` a heartbeat with next number 4, `A end 4` the end
//! of the session, `S 2` message 2 from a request server, `timer`, `ask`. A letter after a slash
//! names another session: `A/y 1`. Out: `start`, `1-3` messages, `lost 4-5`, `gap` opened, `whole`
//! again, `end`, and for `ask` the requests as `server:first+count`.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

mod tools;

use std::fmt::Write;

use spindle_feed::moldudp64::{END_OF_SESSION, header};
use spindle_feed::stream::{
    Delivery, HoldLimits, Join, Origin, Phase, RequestLimits, Stream, StreamConfig,
};
use zerocopy::IntoBytes;

use tools::{Checker, packet, session};

fn config() -> StreamConfig {
    StreamConfig {
        gap_wait_ns: 100,
        hold: HoldLimits { messages: 64, bytes: 1_000, packets: 16 },
        jump_max: 1_000,
        ..StreamConfig::default()
    }
}

fn with_servers(servers: usize) -> StreamConfig {
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

struct Scenario {
    stream: Stream,
    checker: Checker,
    now: u64,
}

impl Scenario {
    fn new(config: StreamConfig) -> Self {
        let stream = Stream::new(config).expect("a configuration within its ranges");
        Self { stream, checker: Checker::default(), now: 0 }
    }

    /// Runs lines of `time: in => out`; a missing time is the one before.
    fn run(&mut self, script: &str) -> &mut Self {
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

#[test]
fn the_first_copy_wins_and_packets_may_be_cut_differently() {
    let mut scenario = Scenario::new(config());
    scenario.run(
        "A 1-3 => start 1-3
         7: B 1-2 =>
         B 3-5 => 4-5
         A 4 =>
         A 5-7 => 6-7",
    );
    let [a, b] = scenario.stream.counters().lines;
    assert_eq!((a.first, a.duplicates, b.first, b.duplicates), (2, 1, 1, 1));
    assert_eq!((a.skew.count(), b.skew.count()), (0, 1), "4 is no packet of its own on B");
    assert_eq!(b.skew.at_most(1_000), Some(7));
    assert_eq!(scenario.stream.silence_ns(0, 27), Some(20));
    assert_eq!(scenario.stream.silence_ns(2, 27), None);
}

#[test]
fn a_gap_shows_at_the_first_packet_beyond_it_and_the_other_line_fills_it() {
    let mut scenario = Scenario::new(config());
    scenario.run(
        "A 1-2 => start 1-2
         A 5-6 => gap
         A 8 =>
         B 3-4 => 3-6
         B 7-8 => 7-8 whole
         A 9 => 9",
    );
    let counters = scenario.stream.counters();
    assert_eq!((counters.gaps.opened, counters.gaps.filled_by_other_line), (3, 3));
    assert_eq!(counters.lines[0].missed, 3);
    assert_eq!((counters.lines[1].filled, counters.lines[1].filled_late), (3, 0));
}

#[test]
fn a_packet_out_of_order_on_one_line_counts_as_late() {
    let mut scenario = Scenario::new(StreamConfig { lines: 1, ..config() });
    scenario.run(
        "A 1 => start 1
         A 3 => gap
         A 2 => 2-3 whole",
    );
    assert_eq!(scenario.stream.counters().gaps.filled_late, 1);
    assert_eq!(scenario.stream.counters().lines[0].filled_late, 1);
}

#[test]
fn without_servers_a_gap_is_lost_after_its_wait_and_not_before() {
    Scenario::new(config()).run(
        "0:   A 1 => start 1
         10:  A 4 => gap
         50:  A 6 =>
         109: timer =>
         110: timer => lost 2-3 4
         149: B 5 => 5-6 whole
         150: timer =>
         160: B 8 => gap
         200: A 8 =>
         260: timer => lost 7 8 whole
         261: B 7 =>",
    );
}

#[test]
fn a_gap_is_asked_for_in_chunks_after_its_wait() {
    let mut scenario = Scenario::new(with_servers(2));
    scenario.run(
        "0:   A 1 => start 1
         10:  A 12 => gap
         109: ask =>
         110: ask => 0:2+4 0:6+4
         120: S 6-7 =>
         ask =>
         125: S 2-5 => 2-7
         129: ask => 0:10+2
         ask =>
         130: ask => 0:8+2
         131: S 8 => 8
         S 9 => 9
         S 10-11 => 10-12 whole
         ask =>",
    );
    let counters = scenario.stream.counters();
    assert_eq!((counters.gaps.filled_by_request, counters.requests.sent), (10, 4));
    assert_eq!((counters.requests.answers, counters.requests.timed_out), (5, 0));
}

#[test]
fn a_server_that_does_not_answer_is_followed_by_the_next_and_then_by_loss() {
    let mut scenario = Scenario::new(with_servers(2));
    scenario.run(
        "0:   A 1 => start 1
         0:   A 4 => gap
         100: ask => 0:2+2
         179: ask =>
         180: ask => 1:2+2
         260: ask => 0:2+2
         340: ask =>
         339: timer =>
         340: timer => lost 2-3 4 whole
         341: S 2-3 =>",
    );
    let requests = scenario.stream.counters().requests;
    assert_eq!((requests.sent, requests.timed_out, requests.failed), (3, 2, 1));
    assert_eq!((requests.answers, requests.useless), (1, 1));
}

#[test]
fn what_is_given_up_behind_another_gap_is_lost_in_order_unless_it_comes_after_all() {
    Scenario::new(with_servers(1)).run(
        "0:   A 1 => start 1
         0:   A 8 => gap
         100: ask => 0:2+4 0:6+2
         180: ask => 0:2+4 0:6+2
         185: S 2 => 2
         260: ask => 0:3+3 0:6+2
         340: timer =>
         341: B 7 =>
         342: S 3-5 => 3-5 lost 6 7-8 whole",
    );
}

#[test]
fn a_dead_server_costs_a_long_gap_its_silence_and_not_every_chunk() {
    let mut config = with_servers(1);
    config.requests.silence_ns = 500;
    let mut scenario = Scenario::new(config);
    scenario.run(
        "0:   A 1 => start 1
         0:   A 60 => gap
         100: ask => 0:2+4 0:6+4
         599: timer =>
         600: timer => lost 2-59 60 whole
         700: A 62 => gap
         750: A 64 =>
         900: ask => 0:61+1 0:63+1
         950: S 61 => 61-62
         1449: ask => 0:63+1
         1449: timer =>
         1450: timer => lost 63 64 whole",
    );
}

#[test]
fn requests_keep_their_pace() {
    let mut config = with_servers(1);
    // One in 100 ns, and as many ahead of that as may be outstanding.
    config.requests.per_second = 10_000_000;
    config.requests.timeout_ns = 10_000;
    config.requests.outstanding = 3;
    Scenario::new(config).run(
        "0:   A 1 => start 1
         0:   A 62 => gap
         1000: ask => 0:2+4 0:6+4 0:10+4
         1001: S 2-5 => 2-5
         1001: ask => 0:14+4
         1002: S 6-9 => 6-9
         1002: ask =>
         1099: ask =>
         1100: ask => 0:18+4
         1101: S 10-13 => 10-13
         1101: ask =>
         1200: ask => 0:22+4",
    );
}

#[test]
fn heartbeats_and_the_end_show_what_is_missing_at_the_tail() {
    Scenario::new(config()).run(
        "A hb 1 => start
         A 1-2 => 1-2
         B hb 3 =>
         A hb 4 => gap
         B 3 => 3 whole
         A end 6 => gap
         B 4-5 => 4-5 whole end
         A end 6 =>
         B hb 6 =>
         B 5 =>",
    );
}

#[test]
fn the_end_waits_for_what_is_missing() {
    let mut scenario = Scenario::new(with_servers(1));
    scenario.run(
        "0:   A 1 => start 1
         0:   A end 4 => gap
         50:  B end 4 =>
         100: ask => 0:2+2
         110: S 2-3 => 2-3 whole end",
    );
    assert_eq!(scenario.stream.phase(), Phase::Ended);
}

#[test]
fn an_end_that_contradicts_what_was_seen_is_none() {
    let mut scenario = Scenario::new(config());
    scenario.run(
        "A 1-5 => start 1-5
         B end 4 =>
         A 8 => gap
         B end 8 =>
         B end 9 =>
         B 9 =>
         A 6-7 => 6-9 whole
         A end 12 => gap
         B hb 13 =>
         A 10-12 => 10-12 whole
         A end 13 => end",
    );
    assert_eq!(scenario.stream.counters().lines[1].implausible, 2);
}

#[test]
fn another_session_begins_only_after_the_end_and_the_old_one_never_again() {
    let mut scenario = Scenario::new(config());
    scenario.run(
        "A 1 => start 1
         B/y 1 =>
         A/y hb 1 =>
         A end 2 => end
         S/y 1 =>
         B/y 3 => start gap
         A 2-9 =>
         B end 2 =>
         A/y 1-2 => 1-3 whole
         B/y end 4 => end
         A 1 =>
         A/z 1 => start 1",
    );
    let counters = scenario.stream.counters();
    assert_eq!(counters.sessions, 3);
    assert_eq!((counters.lines[0].other_session, counters.lines[1].other_session), (3, 2));
    assert_eq!(counters.requests.useless, 1);
}

#[test]
fn a_configured_session_is_the_only_one_without_rollover() {
    let config = StreamConfig { session: Some(session('y')), rollover: false, ..config() };
    Scenario::new(config).run(
        "A 1 =>
         A/y 1 => start 1
         A/y end 2 => end
         A/z 1 =>",
    );
}

#[test]
fn a_late_joiner_begins_where_it_is_told_to() {
    let here = StreamConfig { join: Join::Here, ..config() };
    let mut scenario = Scenario::new(here);
    scenario.run("A 900-901 => start lost 1-899 900-901");
    assert_eq!(scenario.stream.counters().before_join, 899);
    assert_eq!(scenario.stream.counters().gaps.opened, 0);

    Scenario::new(config()).run(
        "0:   A 50 => start gap
         100: timer => lost 1-49 50 whole",
    );

    let mut scenario = Scenario::new(with_servers(1));
    scenario.run("0: A 9 => start gap");
    assert_eq!(scenario.stream.phase(), Phase::Backfill);
    scenario.run(
        "100: ask => 0:1+4 0:5+4
         110: S 1-4 => 1-4
         110: A 10 =>
         111: S 5-8 => 5-10 whole",
    );
    assert_eq!(scenario.stream.phase(), Phase::Synchronised);
}

#[test]
fn a_late_joiner_drops_what_has_no_room_and_asks_for_it_later() {
    let mut config = with_servers(1);
    config.hold.messages = 8;
    config.requests.messages = 100;
    let mut scenario = Scenario::new(config);
    scenario.run(
        "0:   A 20 => start gap
         10:  A 21 =>
         100: ask => 0:1+8
         101: S 1-8 => 1-8
         110: ask => 0:9+8
         111: S 9-16 => 9-16
         112: ask => 0:17+5
         113: A 22 =>
         114: S 17-21 => 17-22 whole",
    );
    assert_eq!(scenario.stream.counters().postponed, 2);
}

#[test]
fn when_no_more_can_wait_the_oldest_gap_is_lost() {
    let by_reach = StreamConfig { hold: HoldLimits { messages: 8, ..config().hold }, ..config() };
    let mut scenario = Scenario::new(by_reach);
    scenario.run(
        "A 1 => start 1
         A 3 => gap
         A 5 =>
         A 9 =>
         A 10 => lost 2 3
         B 4 => 4-5
         A 40 => lost 6-8 9-10 lost 11-39 whole 40",
    );
    assert_eq!(scenario.stream.counters().overflows, 2);

    let by_packets = StreamConfig { hold: HoldLimits { packets: 2, ..config().hold }, ..config() };
    Scenario::new(by_packets).run(
        "A 1 => start 1
         A 3 => gap
         A 5 =>
         A 7 => lost 2 3
         B 2 =>",
    );

    // A message holds as many bytes as its number over 19 leaves.
    let by_bytes = StreamConfig { hold: HoldLimits { bytes: 20, ..config().hold }, ..config() };
    Scenario::new(by_bytes).run(
        "A 1 => start 1
         A 7 => gap
         A 10 =>
         A 12 => lost 2-6 7 lost 8-9 10
         A 37 => lost 11 12
         A 14-18 => lost 13 14-18",
    );
}

#[test]
fn a_packet_far_ahead_is_believed_when_others_agree() {
    let mut scenario = Scenario::new(StreamConfig { jump_max: 50, ..config() });
    scenario.run(
        "A 1 => start 1
         A 52 => gap
         A 2 => 2
         B 104 =>
         A 3 => 3
         B 105 =>
         A 9000 =>
         A 9001 =>
         B 9000 => lost 4-51 52 lost 53-8999 whole 9000
         A 9001 => 9001",
    );
    let [a, b] = scenario.stream.counters().lines;
    assert_eq!((a.implausible, b.implausible), (2, 2));
    scenario.run("B hb 18446744073709551615 => ");
}

#[test]
fn packets_in_order_refute_one_far_ahead() {
    let mut scenario = Scenario::new(config());
    scenario.run(
        "A 1 => start 1
         B 5000 =>
         A 2 => 2
         B 5001 =>
         A 3 => 3
         B 5002 =>
         B 5003 =>
         B 5002 => gap lost 4-5001 whole 5002",
    );
}

#[test]
fn a_late_joiner_far_behind_fetches_from_the_beginning_all_the_same() {
    let mut scenario = Scenario::new(with_servers(1));
    scenario.run(
        "0:   A 5000 => start
         A 1 => 1
         A 5001 =>
         A 5002 =>
         A 5003 => gap
         100: ask => 0:2+4 0:6+4
         101: S 2-5 => 2-5",
    );
    assert_eq!((scenario.stream.phase(), scenario.checker.lost), (Phase::Backfill, 0));
}

#[test]
fn nothing_of_an_old_session_counts_in_the_next() {
    let mut scenario = Scenario::new(with_servers(1));
    scenario.run(
        "0:   A 1 => start 1
         A 4 => gap
         100: ask => 0:2+2
         180: ask => 0:2+2
         260: ask => 0:2+2
         340: timer => lost 2-3 4 whole
         A end 5 => end
         1000: A/y 1 => start 1
         A/y 4-5 => gap
         B/y 4 =>
         1100: ask => 0:2+2",
    );
    assert_eq!(scenario.stream.counters().lines[1].skew.count(), 1, "4 in this session");
    scenario.run(
        "S/y 2-3 => 2-5 whole
         A/y end 6 => end
         A/z 1-5 => start 1-5
         B/z 4 =>",
    );
    assert_eq!(scenario.stream.counters().lines[1].skew.count(), 1, "4 was no packet");
}

#[test]
fn numbers_at_the_end_of_their_type_do_no_harm() {
    let here = StreamConfig { join: Join::Here, ..config() };
    let last = u64::MAX - 1;
    let mut scenario = Scenario::new(here);
    scenario.run(&format!(
        "A {last} => start lost 1-{} {last}
         A hb {} =>
         A end {} => end",
        last - 1,
        u64::MAX,
        u64::MAX,
    ));
    let mut scenario = Scenario::new(config());
    let mut zero = packet('x', 1, 1);
    zero[17] = 0;
    scenario.stream.on_datagram(Origin::Line(0), &zero, 0, &mut |_| panic!("number 0"));
    zero[10..18].fill(0xff);
    scenario.stream.on_datagram(Origin::Line(0), &zero, 0, &mut |_| panic!("beyond the last"));
    assert_eq!(scenario.stream.counters().lines[0].malformed, 2);
    assert_eq!(scenario.stream.phase(), Phase::Waiting);
}

#[test]
fn servers_begin_nothing_and_open_nothing() {
    let mut scenario = Scenario::new(with_servers(1));
    scenario.run(
        "S 1 =>
         A 1 => start 1
         S 3 =>
         S hb 9 =>
         S end 9 =>
         S/y 2 =>
         S 2 => 2",
    );
    assert_eq!(scenario.stream.counters().requests.useless, 5);
}

#[test]
fn configurations_out_of_range_are_refused_in_one_line() {
    let wrong = StreamConfig { lines: 3, ..config() };
    let error = Stream::new(wrong).expect_err("three lines").to_string();
    assert_eq!(error, "lines is 3; it must be between 1 and 2");
    let mut wrong = config();
    wrong.requests.messages = 0xffff;
    let error = Stream::new(wrong).expect_err("the end of session").to_string();
    assert_eq!(error, "requests.messages is 65535; it must be between 1 and 65534");
}
