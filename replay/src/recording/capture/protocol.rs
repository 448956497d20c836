//! Which protocol a payload speaks, as far as can be told from its bytes.

use std::fmt;

use spindle_feed::itch;
use spindle_feed::moldudp64::{Kind, Packet};

use super::datagram::Transport;

/// What a group's packets carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MoldUDP64 with ITCH 5.0 messages: decoded.
    Itch,
    /// MoldUDP64 with other messages: the packets are counted, the messages not decoded.
    Mold,
    /// IEX-TP with this message protocol: 0x8003 is TOPS, 0x8004 DEEP, 0x8005 DEEP+. Not decoded.
    IexTp(u16),
    /// SoupBinTCP: not decoded.
    SoupBinTcp,
    /// Anything else: not decoded.
    Unknown,
}

impl Protocol {
    /// Whether its messages are decoded here.
    pub const fn is_decoded(self) -> bool {
        matches!(self, Self::Itch)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itch => f.pad("MoldUDP64 with ITCH 5.0"),
            Self::Mold => f.pad("MoldUDP64 with other messages, not decoded"),
            Self::IexTp(0x8003) => f.pad("IEX-TP TOPS, not decoded"),
            Self::IexTp(0x8004) => f.pad("IEX-TP DEEP, not decoded"),
            Self::IexTp(0x8005) => f.pad("IEX-TP DEEP+, not decoded"),
            Self::IexTp(id) => f.pad(&format!("IEX-TP {id:#06x}, not decoded")),
            Self::SoupBinTcp => f.pad("SoupBinTCP, not decoded"),
            Self::Unknown => f.pad("unknown, not decoded"),
        }
    }
}

/// What one payload looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// MoldUDP64 whose messages are all of ITCH 5.0.
    Itch,
    /// MoldUDP64 with at least one message that is not.
    Mold,
    /// A header of MoldUDP64 without messages: an idle sender, or anything else of 20 bytes.
    MoldIdle,
    IexTp(u16),
    SoupBinTcp,
    /// No bytes: an acknowledgement of TCP.
    Nothing,
    Other,
}

pub(crate) fn look(transport: Transport, payload: &[u8]) -> Look {
    if payload.is_empty() {
        return Look::Nothing;
    }
    match transport {
        Transport::Tcp if is_soup_bin(payload) => Look::SoupBinTcp,
        Transport::Tcp => Look::Other,
        Transport::Udp => match Packet::parse(payload) {
            Ok(packet) if packet.kind() != Kind::Data => Look::MoldIdle,
            Ok(packet) if packet.messages().all(is_itch) => Look::Itch,
            Ok(_) => Look::Mold,
            Err(_) => iex_protocol(payload).map_or(Look::Other, Look::IexTp),
        },
    }
}

/// A known type and its exact length.
pub(crate) fn is_itch(message: &[u8]) -> bool {
    message.first().is_some_and(|&byte| itch::length_of(byte) == Some(message.len()))
}

/// The message protocol of an IEX-TP segment: version 1, and a payload length (at byte 12) that fits
/// what follows the header of 40 bytes. All fields are little-endian.
fn iex_protocol(payload: &[u8]) -> Option<u16> {
    let header: &[u8; 40] = payload.first_chunk()?;
    let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let fits = usize::from(word(12)) == payload.len() - 40;
    (header[0] == 1 && header[1] == 0 && word(2) & 0xff00 == 0x8000 && fits).then(|| word(2))
}

/// Whether the segment is whole SoupBinTCP packets: a big-endian length, which counts the type byte,
/// then one of the types of version 3.00.
fn is_soup_bin(payload: &[u8]) -> bool {
    let mut rest = payload;
    while !rest.is_empty() {
        let Some((length, after)) = rest.split_first_chunk::<2>() else { return false };
        let length = usize::from(u16::from_be_bytes(*length));
        let known = after.first().is_some_and(|byte| b"+AJSHZLURO".contains(byte));
        match after.get(length..) {
            Some(next) if known && length > 0 => rest = next,
            _ => return false,
        }
    }
    true
}

/// How often the packets of a group looked like what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks {
    pub(crate) itch: u64,
    pub(crate) mold: u64,
    pub(crate) idle: u64,
    pub(crate) iex: u64,
    pub(crate) iex_protocol: u16,
    pub(crate) soup_bin: u64,
    pub(crate) other: u64,
}

impl Looks {
    pub(crate) fn note(&mut self, look: Look) {
        match look {
            Look::Itch => self.itch += 1,
            Look::Mold => self.mold += 1,
            Look::MoldIdle => self.idle += 1,
            Look::IexTp(protocol) => {
                self.iex += 1;
                self.iex_protocol = protocol;
            }
            Look::SoupBinTcp => self.soup_bin += 1,
            Look::Nothing => {}
            Look::Other => self.other += 1,
        }
    }

    /// What most packets say. Idle packets alone say nothing.
    pub(crate) fn verdict(&self) -> Protocol {
        let votes = [
            (self.itch, Protocol::Itch),
            (self.mold, Protocol::Mold),
            (self.iex, Protocol::IexTp(self.iex_protocol)),
            (self.soup_bin, Protocol::SoupBinTcp),
        ];
        let most = votes.into_iter().max_by_key(|(votes, _)| *votes);
        match most {
            Some((votes, protocol)) if votes > 0 && votes >= self.other => protocol,
            _ if self.idle > 0 && self.other == 0 => Protocol::Mold,
            _ => Protocol::Unknown,
        }
    }
}
