//! When things happen in lockstep: turns, requests and answers on a tape of a few messages, with and
//! without delays, and what is said of strategies that do not keep the rules.

mod lockstep;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use lockstep::{BOB, CONFIG, Journal, Process, Ran, Raw, Trade, run, run_raw};
use spindle::lockstep::Tape;
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{LockstepClient, NewOrder, Step};
use spindle_gateway::lockstep::{LockstepError, Wait};
use spindle_gateway::ouch::outbound::Message;
use spindle_replay::recording::OpenOptions;
use spindle_types::{EventTime, Price, Quantity, Symbol};

const SECOND: u64 = EventTime::SECOND;

/// Two orders, one a second, of which the second is a sell at 100.01; it goes at 5 s.
const DAY: &str = "1,1,11,100,1000000,1\n2,1,12,100,1000100,-1\n4,1,13,10,999900,1\n\
                   5,3,12,100,1000100,-1\n9,1,14,10,999800,1\n";

fn tape(day: &str) -> Tape {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("X_message.csv");
    std::fs::write(&path, day).expect("a file");
    Tape::open(&path, None, &OpenOptions::default(), None).expect("a tape")
}

fn symbol() -> Symbol {
    "X".parse().expect("a symbol")
}

fn buy(quantity: u32) -> NewOrder {
    NewOrder::limit(OrderSide::Buy, Quantity(quantity), symbol(), Price(1_000_100))
}

/// A step in a few letters: `tape 1`, `turn 2 1`, `own A 3`, with times in seconds.
fn short(step: &Step<'_>) -> String {
    let seconds = |nanoseconds: u64| nanoseconds as f64 / SECOND as f64;
    match step {
        Step::Tape { number, .. } => format!("tape {number}"),
        Step::Turn(turn) => format!("turn {} {}", seconds(turn.time.0), turn.messages),
        Step::Own { bytes, message } => {
            let time = match message {
                Message::Accepted(m, _) => m.timestamp.get(),
                Message::Executed(m, _) => m.timestamp.get(),
                Message::Canceled(m, _) => m.timestamp.get(),
                _ => 0,
            };
            format!("own {} {}", char::from(bytes[0]), seconds(time))
        }
    }
}

/// A strategy that does `act` at its first turn at or after `at`, and then waits for its own events.
fn once(at: u64, act: impl FnOnce(&mut LockstepClient) + Send + 'static) -> Trade {
    Box::new(move |mut client| {
        let (mut journal, mut act) = (Journal::new(), Some(act));
        client.wait(&Wait::until(EventTime(at))).expect("a wait");
        loop {
            match client.next_step() {
                Ok(Some(step)) => {
                    journal.push(short(&step));
                    if let Step::Turn(turn) = step {
                        if turn.time.0 >= at
                            && let Some(act) = act.take()
                        {
                            act(&mut client);
                        }
                        client.wait(&Wait::EVENT).expect("a wait");
                    }
                }
                Ok(None) => return journal,
                Err(error) => {
                    journal.push(error.to_string());
                    return journal;
                }
            }
        }
    })
}

fn alone(config: &str, trade: Trade) -> Ran {
    run(config, tape(DAY), vec![("alice", "a", trade)])
}

#[test]
fn a_turn_comes_before_what_is_not_earlier() {
    let ran = alone(
        CONFIG,
        once(2 * SECOND, |client| {
            client.enter(&buy(100)).expect("sent");
        }),
    );
    assert!(ran.error.is_none(), "{:?}", ran.error);
    // At 2 s the sell order has not come: the order rests and is met by it.
    let wanted = [
        "tape 1", "own S 0", "turn 2 1", "own A 2", "turn 2 1", "tape 2", "own E 2", "turn 2 2",
        "tape 3", "tape 4", "tape 5", "own S 0",
    ];
    assert_eq!(ran.journals[0], wanted);
    assert_eq!(ran.engine.divergence().met, 100);
}

#[test]
fn delays_hold_on_both_ways() {
    let latency = |entry: u64| {
        format!(
            "{CONFIG}[session.latency]\nentry = {{ model = 'constant', ns = {} }}\n\
             answer = {{ model = 'constant', ns = 1_500_000_000 }}\n",
            entry * SECOND
        )
    };
    let trade = || {
        once(3 * SECOND, |client| {
            client.enter(&buy(100)).expect("sent");
        })
    };
    // Asked at 3, there at 4, told at 5.5, when order 12 has gone from the tape.
    let ran = alone(&latency(1), trade());
    let wanted = [
        "tape 1",
        "tape 2",
        "own S 0",
        "turn 3 2",
        "tape 3",
        "tape 4",
        "own A 4",
        "own E 4",
        "turn 5.5 4",
        "tape 5",
        "own S 0",
    ];
    assert_eq!(ran.journals[0], wanted);
    assert_eq!(ran.engine.divergence().taken, 100);
    // There at 5, before the tape's message of that time: it still trades. A second later it rests.
    let ran = alone(&latency(2), trade());
    assert_eq!(ran.engine.divergence().taken, 100);
    let ran = alone(&latency(3), trade());
    assert_eq!((ran.engine.divergence().taken, ran.engine.own_orders()), (0, 1));
    // What is under way when the tape ends arrives all the same.
    let ran = alone(&latency(60), trade());
    assert_eq!(ran.journals[0].last().map(String::as_str), Some("own S 0"));
    assert!(ran.journals[0].contains(&"own A 63".to_owned()), "{:?}", ran.journals[0]);
}

#[test]
fn requests_of_one_time_are_taken_in_the_order_of_the_sessions() {
    let trade = || {
        once(3 * SECOND, |client| {
            client.enter(&buy(100).immediate_or_cancel()).expect("sent");
        })
    };
    for (order, first) in [("'alice', 'bob'", 0), ("'bob', 'alice'", 1)] {
        let lockstep = format!("[lockstep]\nsessions = [{order}]");
        let config = CONFIG.replacen("[lockstep]", &lockstep, 1);
        for _ in 0..20 {
            let ran = run(
                &format!("{config}{BOB}"),
                tape(DAY),
                vec![("alice", "a", trade()), ("bob", "b", trade())],
            );
            let executed = |at: usize| ran.journals[at].contains(&"own E 3".to_owned());
            assert!(executed(first) && !executed(1 - first), "{:?}", ran.journals);
        }
    }
}

#[test]
fn a_strategy_that_disconnects_is_left_behind_or_ends_the_run() {
    let leaves = || -> Trade {
        Box::new(|mut client| {
            client.wait(&Wait::until(EventTime(3 * SECOND))).expect("a wait");
            while let Some(step) = client.next_step().expect("a step") {
                if matches!(step, Step::Turn(_)) {
                    client.enter(&buy(50)).expect("sent");
                    client.logout();
                    break;
                }
            }
            Journal::new()
        })
    };
    let stays = once(6 * SECOND, |client| {
        client.enter(&buy(10)).expect("sent");
    });
    let both = format!("{CONFIG}{BOB}");
    let ran = run(&both, tape(DAY), vec![("alice", "a", leaves()), ("bob", "b", stays)]);
    assert!(ran.error.is_none(), "{:?}", ran.error);
    assert_eq!(ran.outcome.messages, 5);
    assert_eq!(ran.outcome.gone.len(), 1);
    assert_eq!(ran.outcome.gone[0].1, EventTime(3 * SECOND));
    assert_eq!(ran.engine.divergence().taken, 50, "what it asked before it left is done");
    let config = CONFIG.replacen("[lockstep]", "[lockstep]\non_disconnect = 'end'", 1);
    let error = alone(&config, leaves()).error.expect("an error").to_string();
    assert!(error.starts_with("ALICE has disconnected at 00:00:03.0"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

/// A login of alice on a plain socket, whose answer is read and checked.
fn raw_login(ouch: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(ouch).expect("a connection");
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("a limit");
    let login = format!("\0\x2fL{:<6}{:<10}{:10}{:>20}", "alice", "a", "", 1);
    socket.write_all(login.as_bytes()).expect("sent");
    let mut accepted = [0; 33];
    socket.read_exact(&mut accepted).expect("an answer");
    assert_eq!(&accepted, b"\x00\x1fA  LOCKSTEP                   1");
    let mut start_of_day = [0; 13];
    socket.read_exact(&mut start_of_day).expect("a message");
    assert_eq!(&start_of_day, b"\x00\x0bSS\0\0\0\0\0\0\0\0S");
    socket
}

#[test]
fn the_bytes_are_those_of_the_page() {
    let trade: Raw = Box::new(|ouch, _| {
        let mut socket = raw_login(ouch);
        socket.write_all(b"\x00\x16+wait until 3000000000").expect("sent");
        let mut turn = [0; 18];
        socket.read_exact(&mut turn).expect("a turn");
        assert_eq!(&turn, b"\x00\x10+at 3000000000 2");
        let order =
            b"\x00\x30UO\0\0\0\x01B\0\0\0\x64X       \0\0\0\0\0\x0f\x42\xa40YPNN              \0\0";
        socket.write_all(order).expect("sent");
        socket.write_all(b"\x00\x05+wait").expect("sent");
        let mut told = [0; 67 + 39 + 18];
        socket.read_exact(&mut told).expect("answers");
        let (accepted, rest) = told.split_at(67);
        let (executed, turn) = rest.split_at(39);
        assert_eq!(&accepted[..16], b"\x00\x41SA\0\0\0\0\xb2\xd0\x5e\0\0\0\0\x01");
        assert_eq!(
            &executed[..24],
            b"\x00\x25SE\0\0\0\0\xb2\xd0\x5e\0\0\0\0\x01\0\0\0\x64\0\0\0\0"
        );
        assert_eq!(turn, b"\x00\x10+at 3000000000 2");
        socket.write_all(b"\x00\x05+wait").expect("sent");
        let mut end = Vec::new();
        socket.read_to_end(&mut end).expect("the end");
        assert!(end.ends_with(b"E\x00\x01Z"), "{end:?}");
        Journal::new()
    });
    let ran = run_raw(CONFIG, tape(DAY), vec![trade]);
    assert!(ran.error.is_none(), "{:?}", ran.error);
    assert_eq!(ran.engine.divergence().taken, 100);
}

#[test]
fn a_strategy_that_never_waits_is_named() {
    let config = CONFIG.replacen("deadline_ms = 60_000", "deadline_ms = 200", 1);
    // Before the first message; and in its turn, of which it reads and to which it says nothing.
    for waits_once in [false, true] {
        let trade: Raw = Box::new(move |ouch, _| {
            let mut socket = raw_login(ouch);
            if waits_once {
                socket.write_all(b"\x00\x16+wait until 3000000000").expect("sent");
            }
            // Until the venue gives up.
            let mut end = Vec::new();
            let _ = socket.read_to_end(&mut end);
            Journal::new()
        });
        let error = run_raw(&config, tape(DAY), vec![trade]).error.expect("an error");
        assert!(matches!(error, LockstepError::Late { .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("ALICE neither answers nor waits"), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn a_debug_packet_that_is_no_wait_closes_the_connection() {
    let trade: Raw = Box::new(|ouch, _| {
        let mut socket = raw_login(ouch);
        socket.write_all(b"\x00\x05+wait\x00\x06+hello").expect("sent");
        let mut end = Vec::new();
        let _ = socket.read_to_end(&mut end);
        Journal::new()
    });
    let mut ran = run_raw(CONFIG, tape(DAY), vec![trade]);
    assert!(
        ran.error.is_none(),
        "what is behind a wait is not read before the turn: {:?}",
        ran.error
    );
    assert_eq!(ran.outcome.gone, []);
    let trade: Raw = Box::new(|ouch, _| {
        let mut socket = raw_login(ouch);
        socket.write_all(b"\x00\x0d+wait message\x00\x06+hello").expect("sent");
        let mut end = Vec::new();
        let _ = socket.read_to_end(&mut end);
        Journal::new()
    });
    ran = run_raw(CONFIG, tape(DAY), vec![trade]);
    assert_eq!((ran.outcome.messages, ran.outcome.gone.len()), (5, 1));
}

#[test]
fn a_strategy_that_acts_for_ever_is_named() {
    let config = CONFIG.replacen("[lockstep]", "[lockstep]\nrounds_max = 50", 1);
    let trade: Trade = Box::new(|mut client| {
        client.wait(&Wait::until(EventTime(3 * SECOND))).expect("a wait");
        while let Ok(Some(step)) = client.next_step() {
            if let Step::Turn(turn) = step {
                client.wait(&Wait::until(turn.time)).expect("a wait");
            }
        }
        Journal::new()
    });
    let error = alone(&config, trade).error.expect("an error").to_string();
    assert!(error.starts_with("ALICE has had 50 turns at 00:00:03.0"), "{error}");
}

fn start(arguments: &[&str]) -> (Option<i32>, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_spindle"));
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    match Process::start(program, &arguments) {
        Err(ended) => ended,
        Ok(_) => panic!("it started"),
    }
}

#[test]
fn what_is_wrong_at_the_start_is_said_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("text").to_owned()
    };
    let good = file("venue.toml", CONFIG);
    let day = file("X_message.csv", DAY);
    let plain = file(
        "plain.toml",
        &CONFIG.replacen("[lockstep]\ntape_listen", "#", 1).replace("deadline_ms", "#"),
    );
    let with_feed = file("nothing.toml", "");
    let cases: [(&[&str], &str); 6] = [
        (&["--config", &good, "--recording", "no.itch", "--lockstep"], "no.itch: cannot be read"),
        (
            &["--config", &good, "--recording", &good, "--lockstep"],
            "is no recording that is known here",
        ),
        (
            &["--config", &plain, "--recording", &day, "--lockstep"],
            "give at least one [[instrument]]",
        ),
        (&["--config", &with_feed, "--recording", &day, "--lockstep"], "missing field `venue`"),
        (
            &["--config", &good, "--recording", &day, "--orderbook", &day, "--lockstep"],
            "has an order-book file beside it that is none of LOBSTER's",
        ),
        (&["--config", &good, "--recording", &day], "--lockstep"),
    ];
    for (arguments, wanted) in cases {
        let (status, said) = start(arguments);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(wanted), "{said} does not contain {wanted}");
        let is_usage = arguments.len() == 4;
        assert!(is_usage || said.lines().count() == 1, "{said}");
    }
}
