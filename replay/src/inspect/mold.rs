//! MoldUDP64 packets: what one stream of them holds, and files of nothing else.

use std::io::Read;

use spindle_feed::moldudp64::{Kind, Packet, Session};

use super::Tick;
use super::report::{Fact, FaultKind, GroupReport, Inspection};
use super::tally::Tally;
use crate::recording::{Format, Look, Looks, MoldPackets, Protocol, Transport, look};

/// Sessions that are listed.
const SESSIONS_MAX: usize = 8;

/// What the packets of one stream say.
#[derive(Clone, Debug, Default)]
pub(super) struct Mold {
    pub(super) tally: Tally,
    sessions: Vec<Session>,
    first: Option<u64>,
    next: Option<u64>,
    messages: u64,
    idle: u64,
    breaks: u64,
}

impl Mold {
    /// Counts a packet that begins at this byte and has this number.
    pub(super) fn packet(&mut self, packet: &Packet<'_>, byte: u64, record: u64) {
        let session = *packet.session();
        if !self.sessions.contains(&session) && self.sessions.len() < SESSIONS_MAX {
            self.sessions.push(session);
        }
        if packet.kind() != Kind::Data {
            self.idle += 1;
        } else if packet.sequence() > 0 {
            self.breaks += u64::from(self.next.is_some_and(|next| next != packet.sequence()));
            self.first.get_or_insert(packet.sequence());
            self.next = Some(packet.next_sequence());
        }
        self.messages += u64::from(packet.message_count());
        for message in packet.messages() {
            self.tally.message(message, byte, record);
        }
    }

    /// Puts what was counted into a group's report.
    pub(super) fn report(&self, group: &mut GroupReport, decoded: bool) {
        group.messages = Some(self.messages);
        group.idle_packets = self.idle;
        group.sessions = self.sessions.iter().map(|session| shown(*session)).collect();
        group.first_sequence = self.first;
        group.last_sequence = self.next.map(|next| next - 1);
        group.sequence_breaks = self.breaks;
        group.types = self.tally.types(decoded);
        if decoded {
            group.instruments = self.tally.instruments();
            (group.first_message_time, group.last_message_time) = self.tally.times();
        }
    }
}

/// A session as people read it: spaces and zeroes around it left away.
fn shown(session: Session) -> String {
    let text: String = session
        .iter()
        .map(|&byte| match byte {
            0x21..=0x7e => char::from(byte),
            0 | 0x20 => ' ',
            _ => '?',
        })
        .collect();
    match text.trim() {
        "" => "(blank)".to_owned(),
        text => text.to_owned(),
    }
}

/// A file of packets, one after another.
pub(super) fn inspect(reader: impl Read, tick: &mut Tick<'_>) -> Inspection {
    let mut packets = MoldPackets::new(reader);
    let (mut mold, mut looks, mut count) = (Mold::default(), Looks::default(), 0);
    let stopped = loop {
        let step = packets.next(|bytes, offset| {
            count += 1;
            looks.note(look(Transport::Udp, bytes));
            if let Ok(packet) = Packet::parse(bytes) {
                mold.packet(&packet, offset, count);
            }
        });
        tick.tick();
        match step {
            Ok(true) => {}
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
    };
    if stopped.is_some() {
        rest_of_packet(packets.rest(), &mut mold, &mut looks, &mut count);
    }
    let decoded = looks.verdict() == Protocol::Itch;
    let mut group = GroupReport::default();
    mold.report(&mut group, decoded);
    let mut tally = std::mem::take(&mut mold.tally);
    if !decoded {
        tally.faults.clear();
    }
    if let Some(error) = &stopped {
        tally.stopped(error);
        if let Some(fault) = tally.faults.last_mut() {
            fault.kind = FaultKind::Truncated;
        }
    }
    let mut report = tally.finish(Format::Mold);
    report.types = group.types;
    report.decoded = decoded;
    report.facts = facts(&group.sessions, count, &mold);
    if !decoded {
        report.remark = Some("the messages are not ITCH 5.0 and are not decoded".to_owned());
        report.instruments = group.instruments;
        (report.first_time, report.last_time) = (None, None);
    }
    report
}

/// Counts the whole messages of a packet that is cut short, since a description should show them.
fn rest_of_packet(rest: &[u8], mold: &mut Mold, looks: &mut Looks, count: &mut u64) {
    let Some((header, mut blocks)) = rest.split_first_chunk::<20>() else { return };
    let mut whole = header.to_vec();
    let mut messages = 0_u16;
    while let Some((length, after)) = blocks.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some(next) = after.get(length..) else { break };
        whole.extend_from_slice(&blocks[..2 + length]);
        messages += 1;
        blocks = next;
    }
    whole[18..20].copy_from_slice(&messages.to_be_bytes());
    *count += 1;
    let seen = look(Transport::Udp, &whole);
    if messages > 0 && matches!(seen, Look::Itch | Look::Mold) {
        looks.note(seen);
        if let Ok(packet) = Packet::parse(&whole) {
            mold.packet(&packet, 0, *count);
        }
    }
}

fn facts(sessions: &[String], packets: u64, mold: &Mold) -> Vec<Fact> {
    let number = |number: Option<u64>| number.map_or("none".to_owned(), |n| n.to_string());
    vec![
        Fact { name: "packets", value: packets.to_string() },
        Fact { name: "sessions", value: sessions.join(", ") },
        Fact { name: "first number", value: number(mold.first) },
        Fact { name: "last number", value: number(mold.next.map(|next| next - 1)) },
        Fact { name: "jumps of number", value: mold.breaks.to_string() },
    ]
}
