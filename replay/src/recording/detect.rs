//! Which format a recording has, from its first bytes.

use std::fmt;

use spindle_feed::itch;

use super::RecordingError;

/// How many of the first bytes [`detect`] wants.
pub const HEAD_LENGTH: usize = 4096;

/// How a recording is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ITCH 5.0 messages, each behind a 2-byte big-endian length: Nasdaq's daily files.
    ItchFile,
    /// Made up by the generator, in memory.
    Generated,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with zstd.
    Zstd,
    /// Captured packets, classic.
    Pcap,
    /// Captured packets, next generation.
    Pcapng,
    /// Databento Binary Encoding.
    Dbn,
}

impl Format {
    /// A short name for machines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ItchFile => "itch",
            Self::Generated => "generated",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
            Self::Dbn => "dbn",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ItchFile => "ITCH 5.0 file (2-byte length before each message)",
            Self::Generated => "generated ITCH 5.0 day",
            Self::Gzip => "gzip-compressed file",
            Self::Zstd => "zstd-compressed file",
            Self::Pcap => "packet capture (pcap)",
            Self::Pcapng => "packet capture (pcapng)",
            Self::Dbn => "Databento DBN file",
        })
    }
}

/// The magic numbers that begin a file.
const MAGIC: &[(&[u8], Format)] = &[
    (&[0x1f, 0x8b], Format::Gzip),
    (&[0x28, 0xb5, 0x2f, 0xfd], Format::Zstd),
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
    match head {
        [0, 0, following @ ..] if following.iter().any(|&byte| byte != 0) => {
            Err(RecordingError::ZeroPrefix { following: following.len() as u64 })
        }
        _ if looks_like_itch(head) => Ok(Format::ItchFile),
        _ => Err(RecordingError::Unknown(first_bytes(head))),
    }
}

/// Whether records of known type and sufficient length stand among the first. One alone is enough:
/// the file may begin with types of a later edition, or end after one record that is cut.
fn looks_like_itch(head: &[u8]) -> bool {
    let mut rest = head;
    for _ in 0..64 {
        let Some((prefix, after)) = rest.split_first_chunk::<2>() else { return false };
        let length = usize::from(u16::from_be_bytes(*prefix));
        let Some(&message_type) = after.first() else { return false };
        if itch::length_of(message_type)
            .is_some_and(|needed| (needed..needed + 16).contains(&length))
        {
            return true;
        }
        let Some(next) = after.get(length..) else { return false };
        rest = next;
    }
    false
}

fn first_bytes(head: &[u8]) -> String {
    let shown = &head[..head.len().min(8)];
    let hex: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "it begins with {}; an ITCH 5.0 file begins with a 2-byte length and a message type",
        hex.join(" ")
    )
}
