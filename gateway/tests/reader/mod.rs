//! Readers of sequenced streams on bare sockets: they log in, and collect what comes byte by byte.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use spindle_gateway::Clock;
use spindle_gateway::fix::encode::envelope;
use spindle_gateway::fix::value::format_timestamp;
use spindle_gateway::fix::{Frame, Scratch, Version, frame};
use spindle_gateway::soup::codec::{Packet, split};

use super::common::ManualClock;

/// Turns without anything new after which all has come.
const QUIET: usize = 300;

/// A reader over SoupBinTCP.
pub(crate) struct SoupReader {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// Sequenced messages.
    pub(crate) messages: Vec<Vec<u8>>,
    /// The types of the other packets.
    pub(crate) others: Vec<u8>,
    pub(crate) closed: bool,
}

impl SoupReader {
    pub(crate) fn login(address: SocketAddr, user: &str, password: &str, from: u64) -> Self {
        let mut socket = TcpStream::connect(address).expect("the gateway listens");
        let login = format!("\0/L{user:<6}{password:<10}{:10}{from:>20}", "");
        socket.write_all(login.as_bytes()).expect("room");
        socket.set_nonblocking(true).expect("a socket");
        Self { socket, buffer: Vec::new(), messages: Vec::new(), others: Vec::new(), closed: false }
    }

    /// Reads until nothing more comes, with `turn` in between.
    pub(crate) fn read(&mut self, mut turn: impl FnMut()) {
        let mut quiet = 0;
        while quiet < QUIET && !self.closed {
            turn();
            let come = fill(&mut self.socket, &mut self.buffer);
            self.closed = come.is_none();
            quiet = if come == Some(0) { quiet + 1 } else { 0 };
            let mut used = 0;
            while let Some((packet, length)) =
                split(&self.buffer[used..], 65_535).expect("a packet")
            {
                match packet {
                    Packet::Sequenced(message) => self.messages.push(message.to_vec()),
                    other => self.others.push(other.packet_type()),
                }
                used += length;
            }
            self.buffer.drain(..used);
            std::thread::yield_now();
        }
    }
}

/// Bytes read, or `None` when the other side has closed.
fn fill(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<usize> {
    let mut space = [0; 65_536];
    match socket.read(&mut space) {
        Ok(0) => None,
        Ok(count) => {
            buffer.extend_from_slice(&space[..count]);
            Some(count)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Some(0),
        Err(_) => None,
    }
}

/// A field of a message.
pub(crate) fn get(message: &[(i32, String)], tag: i32) -> Option<&str> {
    message.iter().find(|(known, _)| *known == tag).map(|(_, value)| value.as_str())
}

/// A reader over FIX.
pub(crate) struct FixReader {
    socket: TcpStream,
    version: Version,
    names: (String, String),
    clock: ManualClock,
    next: u64,
    buffer: Vec<u8>,
    /// Messages by their fields.
    pub(crate) messages: Vec<Vec<(i32, String)>>,
    pub(crate) closed: bool,
}

impl FixReader {
    /// Logs on with the number after the last one that this name used here.
    pub(crate) fn logon(
        address: SocketAddr,
        version: Version,
        name: &str,
        venue: &str,
        clock: &ManualClock,
    ) -> Self {
        let mut reader = Self::connect(address, version, name, venue, clock);
        reader.send(b"A", "98=0\u{1}108=0\u{1}");
        reader
    }

    pub(crate) fn connect(
        address: SocketAddr,
        version: Version,
        name: &str,
        venue: &str,
        clock: &ManualClock,
    ) -> Self {
        let socket = TcpStream::connect(address).expect("the gateway listens");
        socket.set_nonblocking(true).expect("a socket");
        Self {
            socket,
            version,
            names: (name.to_owned(), venue.to_owned()),
            clock: clock.clone(),
            next: USED.with_borrow_mut(|used| *used.entry(name.to_owned()).or_insert(1)),
            buffer: Vec::new(),
            messages: Vec::new(),
            closed: false,
        }
    }

    pub(crate) fn timestamp(&self) -> String {
        String::from_utf8_lossy(&format_timestamp(self.clock.utc_ns())[..21]).into_owned()
    }

    /// Sends a message with this body, its fields ended by SOH.
    pub(crate) fn send(&mut self, msg_type: &[u8], body: &str) {
        let (ours, theirs) = &self.names;
        let (next, time) = (self.next, self.timestamp());
        let kind = String::from_utf8_lossy(msg_type);
        let head =
            format!("35={kind}\u{1}34={next}\u{1}49={ours}\u{1}52={time}\u{1}56={theirs}\u{1}");
        let mut space = [0; 4_096];
        let begin = self.version.begin_string();
        let length = envelope(&mut space, begin, head.as_bytes(), body.as_bytes()).expect("short");
        // A peer that has gone takes nothing.
        let _ = self.socket.write_all(&space[..length]);
        self.next += 1;
        USED.with_borrow_mut(|used| used.insert(self.names.0.clone(), self.next));
    }

    /// Reads until nothing more comes, with `turn` in between.
    pub(crate) fn read(&mut self, mut turn: impl FnMut()) {
        let mut quiet = 0;
        let mut scratch = Scratch::new();
        while quiet < QUIET && !self.closed {
            turn();
            let come = fill(&mut self.socket, &mut self.buffer);
            self.closed = come.is_none();
            quiet = if come == Some(0) { quiet + 1 } else { 0 };
            while let Frame::Whole { start, end } = frame(&self.buffer, 1 << 16, 1 << 17) {
                let message = scratch.parse(&self.buffer[start..end]).expect("a message");
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let mut fields: Vec<_> =
                    message.fields().map(|field| (field.tag, text(field.value))).collect();
                if !fields.iter().any(|(tag, _)| *tag == 35) {
                    fields.insert(0, (35, text(message.msg_type())));
                }
                self.messages.push(fields);
                self.buffer.drain(..end);
            }
            std::thread::yield_now();
        }
    }
}

thread_local! {
    /// The next MsgSeqNum of each name: it survives connections, as it does with a real client.
    static USED: std::cell::RefCell<std::collections::HashMap<String, u64>> = std::cell::RefCell::default();
}
