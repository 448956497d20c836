//! The program as a process of its own, whose engine or gateway panics while strategies are logged in: who can be told is
//! told, everybody is closed, and the program ends with a status and a line of its own. In builds without debug
//! assertions nothing can be made to panic, and the tests say that they were left out.

mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use process::{Process, example};

/// Logs a user in over OUCH and reads up to the acceptance.
fn login(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).expect("it listens");
    let login = format!("\0/L{:<6}{:<10}{:10}{:>20}", "maker1", "quote", "", 1);
    client.write_all(login.as_bytes()).expect("room");
    let mut accepted = [0; 33];
    client.read_exact(&mut accepted).expect("an answer");
    assert_eq!(accepted[..3], *b"\x00\x1fA");
    client
}

/// Everything up to the end of the connection.
fn rest(client: &mut TcpStream) -> Vec<u8> {
    client.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let mut rest = Vec::new();
    match client.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "closed"),
    }
    rest
}

/// A venue whose `thread` panics with a client logged in: what the client got, and what the program said at its end.
fn panic_of(thread: &str) -> Option<(Vec<u8>, String)> {
    if !cfg!(debug_assertions) {
        println!("left out: without debug assertions no thread panics on request");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = example(folder.path(), "");
    let mut venue = Process::venue_in(&config, &[], &[("SPINDLE_PANIC", thread)]);
    let address = venue.address("ouch: listening on ");
    let fix = venue.address("fix: listening on ");
    let mut client = login(address);
    venue.signal("USR2");
    let told = rest(&mut client);
    assert_eq!(venue.status(), Some(4));
    assert!(TcpStream::connect(address).is_err() && TcpStream::connect(fix).is_err());
    Some((told, venue.rest_of_log()))
}

/// The one line that the program ends with.
fn last_line(log: &str) -> &str {
    let lines: Vec<_> = log.lines().filter(|line| line.contains("panicked")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!(log.lines().last(), Some(lines[0]), "{log}");
    lines[0]
}

#[test]
fn when_the_engine_panics_sessions_are_told_and_the_status_says_so() {
    let Some((told, log)) = panic_of("engine") else { return };
    // The end of the day, and the end of the session.
    assert!(
        told.windows(13).any(|packet| packet[..4] == *b"\x00\x0bSS" && packet[12] == b'E'),
        "{told:?}"
    );
    assert!(told.ends_with(b"\x00\x01Z"), "{told:?}");
    assert!(log.contains("gateway: the engine is gone; every session is ended"), "{log}");
    let line = last_line(&log);
    assert!(line.starts_with("spindle: the thread engine panicked at src/panic.rs:"), "{line}");
    assert!(line.contains("SPINDLE_PANIC asks for it"), "{line}");
}

#[test]
fn when_the_gateway_panics_everybody_is_closed_and_the_status_says_so() {
    let Some((_, log)) = panic_of("gateway") else { return };
    assert!(last_line(&log).starts_with("spindle: the thread gateway panicked at "), "{log}");
}
