//! Does the stream begin and end where it should: late joiners, heartbeats, ends, changes of session,
//! jumps far ahead, numbers at the end of their type? Scenarios as text; the language is told in
//! `tools/scenario.rs`.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

mod tools;

use spindle_feed::stream::{Join, Origin, Phase, Stream, StreamConfig};

use tools::scenario::{Scenario, config, with_servers};
use tools::{packet, session};

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
