//! Packet captures: the messages of one MoldUDP64 group, or of two groups that carry one stream.

mod assembler;
mod datagram;
mod packets;
mod protocol;

pub(crate) use assembler::Assembler;
pub(crate) use datagram::{Datagram, Dissected, Without, dissect};
pub(crate) use packets::{Packets, Resolution};
pub(crate) use protocol::{Look, Looks, look};

pub use datagram::Transport;
pub use protocol::Protocol;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;

use super::{Batch, Format, RecordingError, Source};

/// Groups that a capture may have before further ones are ignored when one is looked for.
const GROUPS_MAX: usize = 4096;

/// The messages of chosen groups of a capture.
pub(crate) struct CaptureSource {
    packets: Packets,
    format: Format,
    groups: Vec<SocketAddr>,
    assembler: Assembler,
    seen: Seen,
    error: Option<RecordingError>,
    done: bool,
}

/// Frames that gave no messages, and why.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    chosen: u64,
    other_groups: u64,
    cut: u64,
    fragments: u64,
}

impl CaptureSource {
    /// The messages of one group, or of two that are lines A and B of one stream.
    pub(crate) fn new(
        input: impl Read + Send + 'static,
        format: Format,
        groups: Vec<SocketAddr>,
    ) -> Result<Self, RecordingError> {
        Ok(Self {
            packets: Packets::new(input)?,
            format,
            assembler: Assembler::new(groups.len()),
            groups,
            seen: Seen::default(),
            error: None,
            done: false,
        })
    }

    fn read_batch(&mut self) -> Result<(), RecordingError> {
        let Self { packets, groups, assembler, seen, .. } = self;
        let mut offset = 0;
        while !assembler.is_full() {
            let more = packets.next(&mut |frame| {
                offset = frame.offset;
                match dissect(&frame).datagram {
                    Ok(datagram) if datagram.transport == Transport::Udp => {
                        let line = groups.iter().position(|group| *group == datagram.destination);
                        match line.and_then(|line| u8::try_from(line).ok()) {
                            None => seen.other_groups += 1,
                            Some(_) if datagram.cut => seen.cut += 1,
                            Some(line) => {
                                seen.chosen += 1;
                                let payload = datagram.payload;
                                assembler.packet(line, payload, frame.time_ns, frame.offset);
                            }
                        }
                    }
                    Err(Without::Fragment) => seen.fragments += 1,
                    Ok(_) | Err(Without::OtherProtocol) => {}
                }
            })?;
            if !more {
                self.done = true;
                assembler.finish(offset);
                break;
            }
        }
        Ok(())
    }
}

impl Source for CaptureSource {
    fn format(&self) -> Format {
        self.format
    }

    fn advance(&mut self) -> Result<bool, RecordingError> {
        self.assembler.next_batch();
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.done {
            return Ok(false);
        }
        if let Err(error) = self.read_batch() {
            // What was read before the damage comes first.
            self.done = true;
            self.assembler.finish(error.offset().unwrap_or(0));
            if self.assembler.is_empty() {
                return Err(error);
            }
            self.error = Some(error);
        }
        if self.done && self.error.is_none() && self.seen.chosen == 0 {
            let groups = self.groups.clone();
            return Err(RecordingError::SilentGroup(list(&groups)));
        }
        Ok(!self.assembler.is_empty())
    }

    fn batch(&self) -> Batch<'_> {
        Batch::Itch(self.assembler.messages())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        };
        note(self.seen.other_groups, "datagrams of other groups");
        note(self.seen.cut, "packets of the group cut by the capture, their messages lost");
        note(self.seen.fragments, "IP fragments, which are not put together");
        note(self.assembler.malformed, "datagrams of the group that are no MoldUDP64 packets");
        if let Some(stream) = self.assembler.stream() {
            let counters = stream.counters();
            note(counters.gaps.lost, "messages lost in gaps of the numbers");
            let filled = counters.gaps.filled_by_other_line + counters.gaps.filled_late;
            note(filled, "messages that were missing at first and came later");
        }
        notes
    }
}

/// The groups of a capture that carry ITCH 5.0, in order of their first packet, and all others.
pub(crate) struct Found {
    pub(crate) itch: Vec<SocketAddr>,
    pub(crate) others: Vec<(SocketAddr, Protocol)>,
}

/// Reads a capture through and tells its groups. A capture that is broken further on has the groups
/// of its sound part.
pub(crate) fn find_groups(input: impl Read + Send + 'static) -> Result<Found, RecordingError> {
    let mut packets = Packets::new(input)?;
    let mut order = Vec::new();
    let mut groups: BTreeMap<SocketAddr, Looks> = BTreeMap::new();
    let mut visit = |frame: packets::Captured<'_>| {
        let Ok(datagram) = dissect(&frame).datagram else { return };
        let known = groups.contains_key(&datagram.destination);
        if datagram.cut || (!known && order.len() >= GROUPS_MAX) {
            return;
        }
        if !known {
            order.push(datagram.destination);
        }
        let look = look(datagram.transport, datagram.payload);
        groups.entry(datagram.destination).or_default().note(look);
    };
    while let Ok(true) = packets.next(&mut visit) {}
    let mut found = Found { itch: Vec::new(), others: Vec::new() };
    for address in order {
        match groups.get(&address).map_or(Protocol::Unknown, Looks::verdict) {
            Protocol::Itch => found.itch.push(address),
            protocol => found.others.push((address, protocol)),
        }
    }
    Ok(found)
}

/// Addresses with commas between.
pub(crate) fn list(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    addresses.join(", ")
}
