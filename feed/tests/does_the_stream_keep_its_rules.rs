//! Does the stream keep its rules on lines, gaps and requests? Scenarios as text; the language is told
//! in `tools/scenario.rs`.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

mod tools;

use spindle_feed::stream::{Delivery, HoldLimits, LineStatus, Origin, Stream, StreamConfig};

use tools::scenario::{Scenario, config, with_servers};
use tools::{Checker, Random, packet};

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
fn a_silent_line_and_an_old_stream_show_in_the_status() {
    let mut scenario = Scenario::new(StreamConfig { alarm_ns: 100, ..config() });
    let status = |scenario: &Scenario, now| {
        let status = scenario.stream.status(now);
        let line = |line: usize| match status.lines[line] {
            LineStatus::Waiting => "waiting".to_owned(),
            LineStatus::Alive { silence_ns } => format!("alive {silence_ns}"),
            LineStatus::Silent { silence_ns } => format!("SILENT {silence_ns}"),
            LineStatus::NotConfigured => "none".to_owned(),
        };
        let age = status.age_ns.map_or("-".to_owned(), |age| age.to_string());
        format!("{} {} age {age} alarm {}", line(0), line(1), status.is_alarm())
    };
    assert_eq!(status(&scenario, 5_000), "waiting waiting age - alarm false");
    scenario.run("1000: A 1-2 => start 1-2");
    assert_eq!(status(&scenario, 1_099), "alive 99 alive 99 age 99 alarm false");
    assert_eq!(status(&scenario, 1_100), "SILENT 100 SILENT 100 age 100 alarm true");
    scenario.run(
        "1100: B 1-2 =>
         1110: A 3 => 3
         1120: B 1 =>",
    );
    assert_eq!(status(&scenario, 1_130), "alive 20 alive 10 age 20 alarm false");
    scenario.run("1150: A 5 => gap");
    assert_eq!(status(&scenario, 1_160), "alive 10 alive 40 age 50 alarm false");
    scenario.run(
        "1170: S 4 => 4-5 whole
         1180: B hb 6 =>
         1190: A hb 6 =>",
    );
    assert_eq!(status(&scenario, 1_200), "alive 10 alive 20 age 10 alarm false");
    scenario.run("1300: A hb 6 =>");
    assert_eq!(status(&scenario, 1_310), "alive 10 SILENT 130 age 10 alarm true");
    scenario.run("1320: A end 6 => end");
    assert_eq!(status(&scenario, 9_000), "alive 7680 alive 7820 age 7680 alarm false");
    let one = Scenario::new(StreamConfig { lines: 1, ..config() });
    assert_eq!(status(&one, 0), "waiting none age - alarm false");
}

/// Time is what the caller says. A clock that jumps an hour either way, or goes wild, costs
/// waiting times their meaning, and nothing else.
#[test]
fn a_wild_clock_breaks_nothing() {
    let hour: u64 = 3_600_000_000_000;
    for seed in 1..=50 {
        let mut random = Random(seed);
        let mut stream = Stream::new(with_servers(2)).expect("a configuration");
        let (mut checker, mut now, mut next) = (Checker::default(), 2 * hour, 1);
        for _ in 0..2_000 {
            now = match random.below(100) {
                0 => now.saturating_add(hour),
                1 => now.saturating_sub(hour),
                2 => u64::MAX - random.below(3),
                3 => random.below(3),
                _ => now.saturating_add(random.below(50)),
            };
            let each = &mut |delivery: Delivery<'_>| checker.take(delivery);
            if !random.per_mille(100) {
                stream.on_datagram(Origin::Line(0), &packet('x', next, 3), now, each);
            }
            next += 3;
            while let Some(request) = stream.poll_request(now) {
                let first = request.header.sequence.get();
                if random.per_mille(700) {
                    stream.on_datagram(Origin::Server, &packet('x', first, 1), now, each);
                }
            }
            stream.on_timer(now, each);
            let _ = stream.status(now);
            checker.check(&stream);
        }
    }
}
