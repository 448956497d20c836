//! A runner for acceptance definitions in the line language of the public ones: `I` sends a line,
//! `E` expects a message, `i` acts on a connection, `e` expects something of it, `#` is a comment. A
//! number and a comma behind the letter name a connection, 1 is meant without them.
//!
//! In a file without SOH bytes `|` stands for SOH, so that people can read and write it.

#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod venue;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use spindle_gateway::fix::SOH;
use spindle_gateway::fix::frame::{check_sum, three_digits};
use spindle_gateway::fix::value::format_timestamp;

/// What a definition is run against.
pub trait Peer {
    /// Opens a connection, in the place of the one with this number if there is one.
    fn connect(&mut self, id: usize) -> Result<(), String>;
    /// Closes it from this side.
    fn disconnect(&mut self, id: usize);
    /// Sends bytes on it.
    fn send(&mut self, id: usize, bytes: &[u8]) -> Result<(), String>;
    /// The next whole message from it, waiting for it.
    fn receive(&mut self, id: usize) -> Result<Vec<u8>, String>;
    /// Waits until the other side closes it, which it must do without another byte.
    fn expect_closed(&mut self, id: usize) -> Result<(), String>;
    /// Nanoseconds since 1970.
    fn utc(&self) -> u64;
}

/// How what is sent is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A line at a time.
    Lines,
    /// A byte at a time.
    Bytes,
    /// All that is sent up to the next expectation at once.
    Together,
    /// Each line in two, so many hundredths of it in the first.
    AtHundredth(usize),
    /// Each line in two, so many bytes of it in the first.
    AtByte(usize),
}

/// Runs a definition.
///
/// # Errors
/// The first line that does not hold, with its number and what came instead.
pub fn run(text: &[u8], peer: &mut impl Peer, cut: Cut) -> Result<(), String> {
    let readable = !text.contains(&SOH);
    let mut waiting: Vec<(usize, Vec<u8>)> = Vec::new();
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let line: Vec<u8> =
            line.iter().map(|&byte| if readable && byte == b'|' { SOH } else { byte }).collect();
        let Some((&what, rest)) = line.split_first() else { continue };
        let (id, rest) = match rest {
            [digit @ b'1'..=b'9', b',', rest @ ..] => (usize::from(digit - b'0'), rest),
            rest => (1, rest),
        };
        let wrong = |error: String| format!("line {number}: {error}\n  {}", show(&line));
        if what != b'I' || cut != Cut::Together {
            flush(&mut waiting, peer).map_err(wrong)?;
        }
        match (what, rest) {
            (b'#', _) => Ok(()),
            (b'I', text) => {
                let bytes = complete(&substitute(text, peer.utc()));
                match cut {
                    Cut::Lines => peer.send(id, &bytes),
                    Cut::Bytes => bytes.iter().try_for_each(|byte| peer.send(id, &[*byte])),
                    Cut::AtHundredth(part) => {
                        let (front, back) = bytes.split_at(bytes.len() * part / 100);
                        peer.send(id, front).and_then(|()| peer.send(id, back))
                    }
                    Cut::AtByte(at) => {
                        let (front, back) = bytes.split_at(at.min(bytes.len()));
                        peer.send(id, front).and_then(|()| peer.send(id, back))
                    }
                    Cut::Together => {
                        waiting.push((id, bytes));
                        Ok(())
                    }
                }
            }
            (b'E', text) => {
                let expected = complete(&substitute(text, peer.utc()));
                peer.receive(id).and_then(|message| compare(&expected, &message))
            }
            (b'i', b"CONNECT") => peer.connect(id),
            (b'i', b"DISCONNECT") => {
                peer.disconnect(id);
                Ok(())
            }
            (b'e', b"DISCONNECT") => peer.expect_closed(id),
            _ => Err("no command of this language".to_owned()),
        }
        .map_err(wrong)?;
    }
    flush(&mut waiting, peer)
}

fn flush(waiting: &mut Vec<(usize, Vec<u8>)>, peer: &mut impl Peer) -> Result<(), String> {
    let mut lines = std::mem::take(waiting).into_iter().peekable();
    while let Some((id, mut bytes)) = lines.next() {
        while let Some((_, more)) = lines.next_if(|(other, _)| *other == id) {
            bytes.extend_from_slice(&more);
        }
        peer.send(id, &bytes)?;
    }
    Ok(())
}

/// Times in the place of `<TIME>`, `<TIME+n>` and `<TIME-n>`.
fn substitute(text: &[u8], utc: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(5).position(|window| window == b"<TIME") {
        let Some(end) = rest[at..].iter().position(|&byte| byte == b'>') else { break };
        let offset = String::from_utf8_lossy(&rest[at + 5..at + end]).into_owned();
        let seconds: i64 = offset.parse().unwrap_or(0);
        let time = utc.saturating_add_signed(seconds * 1_000_000_000);
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(&format_timestamp(time)[..17]);
        rest = &rest[at + end + 1..];
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// Puts in BodyLength and CheckSum where they are missing and the text begins with BeginString.
fn complete(text: &[u8]) -> Vec<u8> {
    let Some(first) = text.iter().position(|&byte| byte == SOH) else { return text.to_vec() };
    if !text.starts_with(b"8=") {
        return text.to_vec();
    }
    let has_sum = text.windows(4).any(|window| window == b"\x0110=");
    let mut bytes = text[..=first].to_vec();
    let rest = &text[first + 1..];
    if !rest.starts_with(b"9=") {
        let sum = rest.windows(4).position(|window| window == b"\x0110=");
        let length = sum.map_or(rest.len(), |at| at + 1);
        bytes.extend_from_slice(format!("9={length}\x01").as_bytes());
    }
    bytes.extend_from_slice(rest);
    if !has_sum {
        let sum = three_digits(check_sum(&bytes));
        bytes.extend_from_slice(b"10=");
        bytes.extend_from_slice(&sum);
        bytes.push(SOH);
    }
    bytes
}

/// The length of the first message in `bytes`, when it is whole.
pub fn whole(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(3).position(|window| window == b"\x019=")? + 3;
    let end = at + bytes[at..].iter().position(|&byte| byte == SOH)?;
    let length: usize = std::str::from_utf8(&bytes[at..end]).ok()?.parse().ok()?;
    let sum = end + 1 + length;
    let last = bytes.get(sum..)?.iter().position(|&byte| byte == SOH)?;
    Some(sum + last + 1)
}

/// Compares field by field. Times and the checksum need only look like ones; the checksum of what
/// came must also be right.
fn compare(expected: &[u8], message: &[u8]) -> Result<(), String> {
    let fail = |why: &str| {
        Err(format!("{why}; expected\n  {}\n  came\n  {}", show(expected), show(message)))
    };
    let fields = |bytes: &[u8]| -> Vec<(String, String)> {
        bytes
            .split(|&byte| byte == SOH)
            .filter(|field| !field.is_empty())
            .map(|field| {
                let text = String::from_utf8_lossy(field).into_owned();
                let (tag, value) = text.split_once('=').unwrap_or((&text, ""));
                (tag.to_owned(), value.to_owned())
            })
            .collect()
    };
    if message.len() > 7 {
        let end = message.len() - 7;
        if message[end + 3..end + 6] != three_digits(check_sum(&message[..end])) {
            return fail("the checksum is wrong");
        }
    }
    let (wanted, got) = (fields(expected), fields(message));
    if wanted.len() != got.len() {
        return fail("another number of fields");
    }
    for ((tag, value), (got_tag, got_value)) in wanted.iter().zip(&got) {
        let same = match tag.as_str() {
            "10" => got_value.len() == 3,
            "42" | "52" | "60" | "122" => {
                spindle_gateway::fix::value::timestamp(got_value.as_bytes()).is_some()
            }
            _ => value == got_value,
        };
        if tag != got_tag || !same {
            return fail(&format!("field {tag}={value} is {got_tag}={got_value}"));
        }
    }
    Ok(())
}

/// Bytes as people read them.
pub fn show(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, &byte| {
        match byte {
            SOH => text.push('|'),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
        text
    })
}

/// The definitions in a folder, by name.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "def"))
        .collect();
    files.sort();
    files
}
