//! Which format a recording has, from its first bytes.

use std::fmt;

use spindle_feed::itch;

use super::RecordingError;
use super::lobster::LobsterRow;
use super::mold_file::looks_like_mold;

/// How many of the first bytes [`detect`] wants.
pub const HEAD_LENGTH: usize = 1 << 16;

/// How a recording is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ITCH 5.0 messages, each behind a 2-byte big-endian length: Nasdaq's daily files.
    ItchFile,
    /// Made up by the generator, in memory.
    Generated,
    /// MoldUDP64 packets, one after another.
    Mold,
    /// Captured packets, classic.
    Pcap,
    /// Captured packets, next generation.
    Pcapng,
    /// Databento Binary Encoding.
    Dbn,
    /// LOBSTER messages: the events of one instrument as text.
    Lobster,
    /// LOBSTER order book: levels after each event, as text. Described, not read.
    LobsterBook,
    /// BATS PITCH as text. Described, not read.
    PitchText,
    /// A JSON document on each line, perhaps behind the time it was received. Described, not read.
    JsonLines,
}

impl Format {
    /// A short name for machines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ItchFile => "itch",
            Self::Generated => "generated",
            Self::Mold => "moldudp64",
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
            Self::Dbn => "dbn",
            Self::Lobster => "lobster-messages",
            Self::LobsterBook => "lobster-orderbook",
            Self::PitchText => "pitch-text",
            Self::JsonLines => "json-lines",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ItchFile => "ITCH 5.0 file (2-byte length before each message)",
            Self::Generated => "generated ITCH 5.0 day",
            Self::Mold => "MoldUDP64 packets, one after another",
            Self::Pcap => "packet capture (pcap)",
            Self::Pcapng => "packet capture (pcapng)",
            Self::Dbn => "Databento DBN file",
            Self::Lobster => "LOBSTER message file",
            Self::LobsterBook => "LOBSTER order book file",
            Self::PitchText => "BATS PITCH text",
            Self::JsonLines => "text with a JSON document on each line",
        })
    }
}

/// The magic numbers that begin a file.
const MAGIC: &[(&[u8], Format)] = &[
    (&[0xa1, 0xb2, 0xc3, 0xd4], Format::Pcap),
    (&[0xd4, 0xc3, 0xb2, 0xa1], Format::Pcap),
    (&[0xa1, 0xb2, 0x3c, 0x4d], Format::Pcap),
    (&[0x4d, 0x3c, 0xb2, 0xa1], Format::Pcap),
    (&[0x0a, 0x0d, 0x0d, 0x0a], Format::Pcapng),
    (b"DBN", Format::Dbn),
];

/// The format of an input that begins with `head`: its first [`HEAD_LENGTH`] bytes, or all of them.
///
/// # Errors
/// The input is empty, or nothing that is known begins so.
pub fn detect(head: &[u8]) -> Result<Format, RecordingError> {
    if head.is_empty() {
        return Err(RecordingError::Empty);
    }
    if let Some((_, format)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Ok(*format);
    }
    if let Some(format) = text_format(head) {
        return Ok(format);
    }
    if looks_like_mold(head) {
        return Ok(Format::Mold);
    }
    match head {
        [0, 0, following @ ..] if following.iter().any(|&byte| byte != 0) => {
            Err(RecordingError::ZeroPrefix { following: following.len() as u64 })
        }
        _ if looks_like_itch(head) => Ok(Format::ItchFile),
        _ => Err(RecordingError::Unknown(first_bytes(head))),
    }
}

/// Whether a record of known type and sufficient length stands among the first. One alone is enough:
/// the file may begin with types of a later edition, or end after one record that is cut.
fn looks_like_itch(head: &[u8]) -> bool {
    let mut rest = head;
    for _ in 0..64 {
        let Some((prefix, after)) = rest.split_first_chunk::<2>() else { return false };
        let length = usize::from(u16::from_be_bytes(*prefix));
        let Some(&message_type) = after.first() else { return false };
        let needed = itch::length_of(message_type);
        if needed.is_some_and(|needed| (needed..needed + 16).contains(&length)) {
            return true;
        }
        let Some(next) = after.get(length..) else { return false };
        rest = next;
    }
    false
}

/// The text format whose first line this is.
fn text_format(head: &[u8]) -> Option<Format> {
    let line = head.split(|&byte| byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok().or_else(|| {
        // A first line longer than what is seen may be cut inside a character.
        std::str::from_utf8(&line[..line.len().saturating_sub(4)]).ok()
    })?;
    let line = line.trim_end();
    if line.is_empty() || line.chars().any(|c| c.is_control() && c != '\t') {
        return None;
    }
    if LobsterRow::parse(line).is_ok() && line.split(',').count() == 6 {
        return Some(Format::Lobster);
    }
    if is_lobster_book(line) {
        return Some(Format::LobsterBook);
    }
    if is_pitch(line) {
        return Some(Format::PitchText);
    }
    is_json(line).then_some(Format::JsonLines)
}

/// Ask price, ask size, bid price, bid size for each level, all of them whole numbers.
fn is_lobster_book(line: &str) -> bool {
    let fields = line.split(',');
    let count = fields.clone().count();
    count.is_multiple_of(4) && count <= 4 * 200 && fields.clone().all(|f| f.parse::<i64>().is_ok())
}

/// `S`, which begins a message in a stream, 8 digits of milliseconds since midnight, and a letter.
fn is_pitch(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() >= 10
        && bytes[0] == b'S'
        && bytes[1..9].iter().all(u8::is_ascii_digit)
        && bytes[9].is_ascii_alphabetic()
}

fn is_json(line: &str) -> bool {
    let document = match line.split_once(' ') {
        Some((time, rest)) if time.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => line,
    };
    document.starts_with("{\"") || document.starts_with("[{")
}

fn first_bytes(head: &[u8]) -> String {
    let shown = &head[..head.len().min(8)];
    let hex: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "it begins with {}; known are ITCH 5.0 and MoldUDP64 files, pcap, pcapng, Databento DBN and \
         LOBSTER, plain or in gzip or zstd",
        hex.join(" ")
    )
}
