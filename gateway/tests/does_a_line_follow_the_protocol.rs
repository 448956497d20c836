//! Scenarios of one connection as text tables, without sockets: what the client sends, how time
//! passes, what comes back. Each runs with its bytes whole, one by one and in odd pieces, and must
//! come out the same.
//!
//! ```text
//! > ...   the client sends a packet       < ...   exactly this comes back next
//! +1.5s   time passes                     x ...   the connection is closed for this cause
//! end     the venue ends the session      away    the client is gone; another one connects
//! ? ...   this may have come back, when its bytes left before the close
//! pause   the engine stops for a while    resume  it goes on
//! ```

mod common;

use std::collections::VecDeque;

use common::{ManualClock, SECOND, StandIn, config, message_text};
use rtrb::RingBuffer;
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{NewOrder, Replacement};
use spindle_gateway::desk::Desk;
use spindle_gateway::fix::CancelOn;
use spindle_gateway::fix::session::Now;
use spindle_gateway::line::Line;
use spindle_gateway::ouch::outbound::Message;
use spindle_gateway::soup::codec::{LoginRequest, Packet, padded_left, padded_right, split};
use spindle_gateway::soup::server::Timing;
use spindle_gateway::{Clock, GatewayConfig};
use spindle_types::{OrderToken, Price, Quantity};
use zerocopy::IntoBytes;

struct Wire {
    clock: ManualClock,
    desk: Desk,
    engine: StandIn,
    line: Line,
    /// What came back and was not yet expected.
    came: VecDeque<String>,
    rest: Vec<u8>,
    closed: Option<String>,
    step: usize,
}

impl Wire {
    fn new(config: &GatewayConfig, step: usize) -> Self {
        let clock = ManualClock::default();
        let (commands, engine_commands) = RingBuffer::new(64);
        let (engine_events, events) = RingBuffer::new(256);
        let desk = Desk::new(config, clock.time_of_day(), commands, events).expect("a desk");
        let engine = StandIn::new(engine_commands, engine_events);
        let line = Line::new(Timing::default(), &desk, 0);
        let (came, rest) = (VecDeque::new(), Vec::new());
        Self { clock, desk, engine, line, came, rest, closed: None, step }
    }

    /// The client sends bytes, in pieces.
    fn send(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.step) {
            if self.closed.is_some() {
                return;
            }
            let space = self.line.space();
            space[..piece.len()].copy_from_slice(piece);
            self.line.commit(piece.len(), 0);
            self.turn();
        }
    }

    /// One turn of the gateway, all that it can send included.
    fn turn(&mut self) {
        let now = self.clock.now_ns();
        self.desk.begin_turn(Now { monotonic: now, utc: 0 });
        let taken = self.line.take_packets(&mut self.desk, now);
        let mut closed = taken.err();
        self.engine.poll();
        self.desk.take_events();
        for _ in 0..2 {
            loop {
                let output = self.line.output(&self.desk);
                let count = output.len().min(self.step);
                if count == 0 || closed.is_some() {
                    break;
                }
                self.rest.extend_from_slice(&output[..count]);
                self.line.written(&mut self.desk, count, now);
            }
            closed = closed.or(self.line.tick(&mut self.desk, now).err());
        }
        if let Some(cause) = closed {
            self.closed.get_or_insert(cause.to_string());
        }
        while let Some((packet, length)) = split(&self.rest, usize::MAX).expect("good packets") {
            self.came.push_back(packet_text(&packet));
            self.rest.drain(..length);
        }
    }

    fn run(&mut self, script: &str) {
        for (number, line) in script.lines().enumerate() {
            let line = line.trim();
            let place = format!("line {}: {line} (pieces of {})", number + 1, self.step);
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] | ["#", ..] => {}
                ["<", expected @ ..] => {
                    assert_eq!(self.came.pop_front(), Some(expected.join(" ")), "{place}");
                }
                ["x", cause @ ..] => {
                    assert_eq!(self.closed, Some(cause.join(" ")), "{place}");
                    assert_eq!(self.came, [""; 0], "{place}");
                }
                ["?", possible @ ..] => {
                    if self.came.front() == Some(&possible.join(" ")) {
                        self.came.pop_front();
                    }
                }
                ["away"] => self.away(),
                action => {
                    assert_eq!(self.came, [""; 0], "before {place}");
                    assert_eq!(self.closed, None, "before {place}");
                    self.act(action);
                }
            }
        }
        assert_eq!(self.came, [""; 0], "at the end");
        let expects_close = script.lines().any(|line| line.trim().starts_with("x "));
        assert!(expects_close || self.closed.is_none(), "at the end: {:?}", self.closed);
    }

    fn away(&mut self) {
        self.line.leave(&mut self.desk);
        self.line = Line::new(Timing::default(), &self.desk, self.clock.now_ns());
        self.closed = None;
    }

    fn act(&mut self, action: &[&str]) {
        match action {
            [">", request @ ..] => self.send(&request_bytes(request)),
            ["end"] => {
                self.desk.end_day(self.clock.time_of_day());
                self.line.end(&mut self.desk, self.clock.now_ns());
                self.turn();
            }
            ["pause"] => self.engine.paused = true,
            ["resume"] => {
                self.engine.paused = false;
                self.turn();
                self.turn();
            }
            [time] => {
                let seconds: f64 = time[1..time.len() - 1].parse().expect("a time");
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                self.clock.advance((seconds * 1e9).round() as u64);
                self.turn();
            }
            _ => panic!("no such action: {action:?}"),
        }
    }
}

fn packet_text(packet: &Packet<'_>) -> String {
    let field = |field: &[u8]| String::from_utf8_lossy(field).trim().to_owned();
    match packet {
        Packet::LoginAccepted(accepted) => {
            format!("A {} {}", field(&accepted.session), field(&accepted.sequence))
        }
        Packet::LoginRejected(reason) => format!("J {}", char::from(*reason)),
        Packet::Sequenced(bytes) => {
            format!("S {}", message_text(&Message::decode(bytes).expect("a message")))
        }
        other => char::from(other.packet_type()).to_string(),
    }
}

fn request_bytes(words: &[&str]) -> Vec<u8> {
    let number = |text: &str| text.parse::<u32>().expect("a number");
    let token = |text: &str| OrderToken(number(text));
    let packet = |packet: Packet<'_>| {
        let mut bytes = vec![0; packet.wire_length()];
        packet.write(&mut bytes).expect("it fits");
        bytes
    };
    let ouch = |message: &[u8]| packet(Packet::Unsequenced(message));
    match words {
        ["L", user, password, session, sequence] => {
            let session = session.trim_matches('"');
            let sequence = sequence.trim_matches('"');
            packet(Packet::LoginRequest(&LoginRequest {
                username: padded_right(user).expect("short"),
                password: padded_right(password).expect("short"),
                session: padded_left(session).expect("short"),
                sequence: padded_left(sequence).expect("short"),
            }))
        }
        ["R"] => packet(Packet::ClientHeartbeat),
        ["O"] => packet(Packet::LogoutRequest),
        ["+"] => packet(Packet::Debug(b"hello")),
        ["raw", hex @ ..] => bytes(&hex.concat()),
        ["U", hex @ ..] => ouch(&bytes(&hex.concat())),
        ["enter", own, symbol] => {
            let symbol = symbol.parse().expect("a symbol");
            let order = NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(10_000));
            ouch(order.message(token(own)).as_bytes())
        }
        ["replace", original, own, quantity] => {
            let quantity = Quantity(number(quantity));
            let replacement = Replacement::limit(quantity, Price(10_000));
            ouch(replacement.message(token(original), token(own)).as_bytes())
        }
        ["cancel", own] => {
            let number = token(own).0.to_be_bytes();
            ouch(&[&b"X"[..], &number, &[0; 4]].concat())
        }
        ["query"] => ouch(b"Q"),
        _ => panic!("no such request: {words:?}"),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

fn scenario_with(config: &GatewayConfig, script: &str) {
    for step in [usize::MAX, 1, 2, 3, 7, 16] {
        Wire::new(config, step).run(script);
    }
}

fn scenario(script: &str) {
    scenario_with(&config(), script);
}

#[test]
fn a_login_is_accepted_and_the_stream_follows() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        > enter 1 REST
        < S accepted 1 L
        > query
        < S next 2
        > O
        x logout
        "#,
    );
}

#[test]
fn the_login_does_not_mind_case_and_side_of_the_padding() {
    scenario(
        r#"
        # alice, pass, the session's name and the number on the left and right
        > raw 002f4c 616c69636520 70617373202020202020 44415930312020202020 3120202020202020202020202020202020202020
        < A DAY01 1
        < S day S
        away
        > raw 002f4c 414c49434520 50415353202020202020 20202020204441593031 3030303030303030303030303030303030303031
        < A DAY01 1
        < S day S
        "#,
    );
}

#[test]
fn logins_are_refused_with_the_right_letter() {
    let table = [
        ("L ALICE WRONG \"\" 1", "J A", "unknown user or wrong password"),
        ("L NOBODY PASS \"\" 1", "J A", "unknown user or wrong password"),
        ("L NOBODY PASS OTHER 99", "J A", "unknown user or wrong password"),
        (
            "L ALICE PASS OTHER 1",
            "J S",
            "the session asked for is not the current one; ask for it by name or leave it blank",
        ),
        ("L ALICE PASS \"\" 3", "J S", "sequence number 3 asked for; the next is 2"),
        ("L ALICE PASS \"\" \"\"", "J S", "the sequence number field holds no number"),
        ("L ALICE PASS \"\" ten", "J S", "the sequence number field holds no number"),
    ];
    for (request, answer, cause) in table {
        scenario(&format!("> {request}\n < {answer}\n x login refused: {cause}"));
    }
}

#[test]
fn nothing_after_a_refused_login_matters() {
    scenario(
        r#"
        > raw 002f4c 4e4f424f4459 50415353202020202020 20202020202020202020 2020202020202020202020202020202020202031 00014f 0000
        < J A
        x login refused: unknown user or wrong password
        "#,
    );
}

#[test]
fn a_login_goes_on_where_it_asks_to() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        > enter 1 FILL
        < S accepted 1 L
        < S executed 1 100
        > enter 2 REST
        away
        > L ALICE PASS DAY01 3
        < A DAY01 3
        < S executed 1 100
        < S accepted 2 L
        away
        # 0 is the most recent message, the next number is live only
        > L ALICE PASS DAY01 0
        < A DAY01 4
        < S accepted 2 L
        away
        > L ALICE PASS DAY01 5
        < A DAY01 5
        > cancel 2
        < S canceled 2 100 U
        away
        # another user has a stream of its own
        > L BOB PASS DAY01 1
        < A DAY01 1
        < S day S
        "#
        .replace("> enter 2 REST", "> enter 2 REST\n < S accepted 2 L")
        .as_str(),
    );
}

#[test]
fn heartbeats_go_out_in_silence_and_only_then() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        +0.999s
        +0.001s
        < H
        +0.5s
        > enter 1 REST
        < S accepted 1 L
        +0.999s
        +0.001s
        < H
        +3s
        < H
        "#,
    );
}

#[test]
fn a_silent_client_is_dead_after_fifteen_seconds() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        +14s
        < H
        > R
        +14.999s
        < H
        > +
        +14.999s
        < H
        +0.001s
        x nothing came for too long, not even a heartbeat
        "#,
    );
}

#[test]
fn half_a_packet_is_no_sign_of_life() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        +14s
        < H
        > raw 002f
        +1s
        x nothing came for too long, not even a heartbeat
        "#,
    );
}

#[test]
fn without_a_login_the_time_is_short_whatever_comes() {
    scenario("+29.999s\n > +\n +0.001s\n x no login in time");
    scenario("> raw 002f4c55\n +29.999s\n > raw 53\n +0.001s\n x no login in time");
}

#[test]
fn packets_out_of_place_close_the_connection() {
    let before = [("U 51", 'U'), ("R", 'R'), ("O", 'O'), ("raw 000148", 'H')];
    for (request, letter) in before {
        scenario(&format!("> {request}\n x packet type '{letter}' before the login"));
    }
    let login = "> L ALICE PASS \"\" 1\n < A DAY01 1\n < S day S\n";
    for (request, letter) in [("raw 00015a", 'Z'), ("raw 000148", 'H'), ("raw 000153", 'S')] {
        let cause = format!("packet type '{letter}' does not come from a client");
        scenario(&format!("{login} > {request}\n x {cause}"));
    }
    scenario(&format!("{login} > L ALICE PASS \"\" 1\n x a second login on one connection"));
}

#[test]
fn bytes_that_are_no_packet_close_the_connection() {
    let table = [
        ("0000", "a packet of length 0; the length counts the type byte and is at least 1"),
        ("0801", "a packet of length 2049; at most 2048 is taken here"),
        ("000158", "unknown packet type 'X'"),
        ("000100", "unknown packet type 0x00"),
        ("00344c", "packet type 'L' of length 52; it has 47"),
        ("000252", "packet type 'R' of length 2; it has 1"),
    ];
    for (hex, cause) in table {
        scenario(&format!("> raw {hex}\n x {cause}"));
    }
}

#[test]
fn content_that_is_no_message_closes_the_connection() {
    let login = "> L ALICE PASS \"\" 1\n < A DAY01 1\n < S day S\n";
    let table = [
        ("U", "an empty message; an OUCH message has at least its type"),
        ("U 5a00", "unknown message type 'Z'"),
        ("U 5800000001", "message type 'X' has 5 bytes; it needs 9"),
        ("U 5100", "message type 'Q' announces 0 bytes of options; 1 follow"),
        (
            "U 51000100",
            "message type 'Q' has a broken chain of options: length 0 at byte 0; it counts the tag \
             and is at least 1",
        ),
    ];
    for (request, cause) in table {
        scenario(&format!("{login} > {request}\n x {cause}"));
    }
}

#[test]
fn what_came_before_an_error_is_not_lost() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        # an account query in front of a packet of length 0, in the same bytes
        > raw 00025551 0000
        ? S next 1
        x a packet of length 0; the length counts the type byte and is at least 1
        away
        > L ALICE PASS DAY01 2
        < A DAY01 2
        < S next 1
        "#,
    );
}

#[test]
fn numbers_that_do_not_rise_are_ignored_silently() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        > enter 5 REST
        < S accepted 5 L
        > enter 5 REST
        > enter 4 REST
        > enter 0 REST
        > replace 5 5 200
        > query
        < S next 6
        > enter 9 REST
        < S accepted 9 L
        # a refused number is used up
        > enter 10 REST
        < S accepted 10 L
        > U 43 0000000b 4649524d 4141504c20202020 0000
        < S rejected 11 0c
        > U 43 0000000b 4649524d 4141504c20202020 0000
        > query
        < S next 12
        "#,
    );
}

#[test]
fn a_failed_replace_leaves_its_number_unused() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        # the original is unknown: silence
        > replace 7 8 200
        > query
        < S next 1
        > enter 8 REST
        < S accepted 8 L
        # the details are invalid: the original is cancelled
        > replace 8 9 1000000
        < S canceled 8 100 U
        > query
        < S next 9
        > enter 9 REST
        < S accepted 9 L
        > replace 9 10 200
        < S replaced 9 10
        > cancel 9
        > cancel 10
        < S canceled 10 200 U
        "#,
    );
}

#[test]
fn order_entry_is_disabled_and_enabled_again() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        > enter 1 REST
        < S accepted 1 L
        > U 44 00000002 20202020 0000
        < S disabled 2
        > enter 3 REST
        < S rejected 3 0c
        > replace 1 4 200
        < S rejected 4 0c
        > U 44 00000002 20202020 0000
        # another firm's entry is none of its business, nor one in another channel
        > U 45 00000005 4649524d 0000
        < S rejected 5 0c
        > U 45 00000006 20202020 0003 021c01
        < S rejected 6 0f
        # it holds over connections, and cancels are taken
        > O
        x logout
        away
        > L ALICE PASS "" 8
        < A DAY01 8
        > enter 7 REST
        < S rejected 7 0c
        > cancel 1
        < S canceled 1 100 U
        > query
        < S next 8
        > U 45 00000008 20202020 0000
        < S enabled 8
        > enter 9 REST
        < S accepted 9 L
        > query
        < S next 10
        "#,
    );
}

#[test]
fn a_mass_cancel_is_answered_ahead_of_what_it_cancels() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        > enter 1 REST
        < S accepted 1 L
        > enter 2 OTHER
        < S accepted 2 L
        > enter 3 REST
        < S accepted 3 L
        > U 43 00000004 20202020 5245535420202020 0003 021b53
        < S mass-canceled 4
        > U 43 00000005 20202020 5245535420202020 0000
        < S mass-canceled 5
        < S canceled 1 100 U
        < S canceled 3 100 U
        > U 43 00000006 20202020 2020202020202020 0003 021b42
        < S mass-canceled 6
        < S canceled 2 100 U
        > U 43 00000006 20202020 2020202020202020 0000
        # kinds of sales and groups are not told apart, firms are
        > U 43 00000007 20202020 2020202020202020 0003 021b54
        < S rejected 7 0f
        > U 43 00000008 20202020 2020202020202020 0004 03180001
        < S rejected 8 0f
        > U 43 00000009 4649524d 2020202020202020 0000
        < S rejected 9 0c
        > query
        < S next 10
        "#,
    );
}

#[test]
fn what_names_no_order_is_ignored() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        > enter 4 REST
        < S accepted 4 L
        > U 4d 00000009 54 00000032
        > U 4d 00000004 58 00000032
        > U 4d 00000000 42 00000032
        # a cancel of an order in another channel cannot mean this one
        > U 58 00000004 00000000 0003 021c05
        > U 51 0003 021c05
        > U 58 00000004 00000000 0000
        < S canceled 4 100 U
        "#,
    );
}

/// One scenario for each way to cancel on disconnect: what is left after a loss, and after a logout.
#[test]
fn orders_are_cancelled_when_their_session_is_gone_as_it_has_it() {
    let table = [
        (CancelOn::Never, false, false),
        (CancelOn::Loss, true, false),
        (CancelOn::Logout, false, true),
        (CancelOn::Both, true, true),
    ];
    for (cancel_on, at_loss, at_logout) in table {
        let mut config = config();
        config.users[0].cancel_on = cancel_on;
        config.users[0].grace_ns = 2 * SECOND;
        let gone = |is_gone: bool, order: u32| match is_gone {
            true => format!("< S canceled {order} 100 U"),
            false => String::new(),
        };
        let next = |is_gone: bool, without: u32| without + u32::from(is_gone);
        let script = format!(
            r#"
            > L ALICE PASS "" 1
            < A DAY01 1
            < S day S
            > enter 1 REST
            < S accepted 1 L
            # back within the window: they stay
            away
            +1.9s
            > L ALICE PASS "" 3
            < A DAY01 3
            +0.5s
            > query
            < S next 2
            # beyond it
            away
            +2s
            +0s
            > L ALICE PASS "" 4
            < A DAY01 4
            {}
            > enter 2 REST
            < S accepted 2 L
            > O
            x logout
            away
            +2s
            +0s
            > L ALICE PASS "" {}
            < A DAY01 {}
            {}
            {}
            > query
            < S next 3
            "#,
            gone(at_loss, 1),
            next(at_loss, 5),
            next(at_loss, 5),
            if at_logout && !at_loss { gone(true, 1) } else { String::new() },
            gone(at_logout, 2),
        );
        scenario_with(&config, &script);
    }
}

#[test]
fn the_end_of_the_session_comes_after_its_last_message() {
    scenario(
        r#"
        > L ALICE PASS "" 1
        < A DAY01 1
        < S day S
        end
        < S day E
        < Z
        x end of session
        "#,
    );
    scenario("end\n x end of session");
}

#[test]
fn after_the_end_nobody_logs_in() {
    scenario(
        r#"
        end
        x end of session
        "#,
    );
    for step in [usize::MAX, 1] {
        let mut wire = Wire::new(&config(), step);
        wire.desk.end_day(wire.clock.time_of_day());
        wire.run("> L ALICE PASS \"\" 1\n < J S\n x login refused: the session has ended");
    }
}

#[test]
fn a_full_stream_takes_cancels_and_answers_but_no_orders() {
    let mut small = config();
    small.limits.stream_bytes_max = 1_024;
    small.limits.stream_reserve_bytes = 1_024;
    let mut script = String::from("> L ALICE PASS \"\" 1\n < A DAY01 1\n < S day S\n");
    // 13 bytes for the begin of the day and 67 for each acceptance: 16 of them reach 1,085.
    for number in 1..=16 {
        script += &format!("> enter {number} REST\n < S accepted {number} L\n");
    }
    script += "> enter 17 REST\n < S rejected 17 0a\n";
    script += "> replace 1 18 200\n < S rejected 18 0a\n";
    script += "> cancel 1\n < S canceled 1 100 U\n";
    // 32 bytes for each rejection, 21 for the cancel, and 30 more rejections: beyond 2,048.
    for number in 19..=46 {
        script += &format!("> enter {number} REST\n < S rejected {number} 0a\n");
    }
    script += "> cancel 2\n < S canceled 2 100 U\n > enter 60 REST\n";
    script += "x the session's stream holds 2087 bytes and takes only answers to what is open\n";
    scenario_with(&small, &script);
}

#[test]
fn while_the_ring_is_full_nothing_is_read_and_nobody_is_silent() {
    let login = "> L ALICE PASS \"\" 1\n < A DAY01 1\n < S day S\n";
    let mut script = format!("{login} pause\n");
    // The ring holds 64 commands, so 6 requests wait in front of it.
    for number in 1..=70 {
        script += &format!("> enter {number} REST\n");
    }
    script += "+14s\n < H\n +14s\n < H\n +14s\n < H\n resume\n";
    for number in 1..=70 {
        script += &format!("< S accepted {number} L\n");
    }
    scenario(&script);
}
