//! Packet captures: who was sent what, by which protocol.

use std::collections::HashMap;
use std::io::Read;
use std::net::SocketAddr;

use spindle_feed::moldudp64::Packet;

use super::Tick;
use super::clock::{Span, utc};
use super::mold::Mold;
use super::report::{CaptureReport, FaultKind, GroupReport, Inspection};
use super::tally::{Tally, code, fault_kind, note_fault, sorted};
use crate::recording::{
    Datagram, Dissected, Format, Look, Looks, Packets, Protocol, RecordingError, Resolution,
    Transport, Without, dissect, look,
};

/// Groups that are told apart; packets to further ones are counted together.
const GROUPS_MAX: usize = 1_000;

/// What has been seen so far.
#[derive(Default)]
struct Survey {
    report: CaptureReport,
    span: Span,
    places: HashMap<(Transport, SocketAddr), usize>,
    groups: Vec<Group>,
    faults: Vec<super::Fault>,
}

struct Group {
    transport: Transport,
    address: SocketAddr,
    packets: u64,
    bytes: u64,
    span: Span,
    looks: Looks,
    mold: Box<Mold>,
    iex: Iex,
    soup_bin: [u64; 256],
    /// Packets that are no whole packet of the group's protocol: how many, the first one's frame and
    /// byte.
    malformed: Option<(u64, u64, u64)>,
    cut: Option<(u64, u64, u64)>,
}

/// Segments of IEX-TP, by their headers alone.
#[derive(Default)]
struct Iex {
    messages: u64,
    heartbeats: u64,
    breaks: u64,
    first: Option<u64>,
    next: Option<u64>,
}

pub(super) fn inspect(
    reader: impl Read + Send + 'static,
    format: Format,
    tick: &mut Tick<'_>,
) -> Inspection {
    let mut survey = Survey::default();
    match Packets::new(reader) {
        Ok(mut packets) => {
            survey.read(&mut packets, tick);
            survey.report.resolution = match packets.resolution() {
                Resolution::Microseconds => "microseconds",
                Resolution::Nanoseconds => "nanoseconds",
                Resolution::ByInterface => "by interface",
            };
        }
        Err(error) => survey.stopped(&error),
    }
    survey.finish(format)
}

impl Survey {
    fn read(&mut self, packets: &mut Packets, tick: &mut Tick<'_>) {
        loop {
            let step = packets.next(&mut |frame| {
                self.report.frames += 1;
                self.report.cut += u64::from(frame.bytes.len() < frame.wire_length as usize);
                if let Some(time) = frame.time_ns {
                    self.span.note(time);
                }
                let Dissected { vlan_tags, datagram } = dissect(&frame);
                self.report.vlan_tagged += u64::from(vlan_tags > 0);
                match datagram {
                    Ok(datagram) => self.datagram(&datagram, frame.time_ns, frame.offset),
                    Err(Without::Fragment) => self.report.fragments += 1,
                    Err(Without::OtherProtocol) => self.report.other += 1,
                }
            });
            tick.tick();
            match step {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.stopped(&error);
                    break;
                }
            }
        }
    }

    fn stopped(&mut self, error: &RecordingError) {
        let byte = error.offset().unwrap_or(0);
        note_fault(&mut self.faults, fault_kind(error), byte, self.report.frames + 1, error);
    }

    fn datagram(&mut self, datagram: &Datagram<'_>, time_ns: Option<u64>, offset: u64) {
        match datagram.transport {
            Transport::Udp => self.report.udp += 1,
            Transport::Tcp => self.report.tcp += 1,
        }
        let key = (datagram.transport, datagram.destination);
        let place = match self.places.get(&key) {
            Some(&place) => place,
            None if self.groups.len() >= GROUPS_MAX => {
                self.report.ungrouped += 1;
                return;
            }
            None => {
                self.places.insert(key, self.groups.len());
                self.groups.push(Group::new(key.0, key.1));
                self.groups.len() - 1
            }
        };
        let group = &mut self.groups[place];
        if let Some(time) = time_ns {
            group.span.note(time);
        }
        group.payload(datagram, offset, self.report.frames);
    }

    fn finish(mut self, format: Format) -> Inspection {
        let mut all = Tally::default();
        let mut undecoded = 0;
        for group in &self.groups {
            let protocol = group.looks.verdict();
            if protocol.is_decoded() {
                all.merge(&group.mold.tally);
                group.faults(&mut self.faults);
            } else {
                undecoded += 1;
            }
            self.report.groups.push(group.report(protocol));
        }
        (self.report.first_time, self.report.last_time) = self.span.show(utc);
        let decoded = self.report.groups.iter().any(|group| group.decoded);
        let faults = std::mem::take(&mut self.faults);
        let mut inspection = all.finish(format);
        inspection.decoded = decoded;
        inspection.remark = match (decoded, undecoded) {
            (_, 0) if decoded => None,
            (true, undecoded) => {
                Some(format!("the messages of {undecoded} groups are not decoded"))
            }
            (false, 0) => Some("it holds no UDP or TCP packets".to_owned()),
            (false, _) => Some("its messages are of protocols that are not decoded".to_owned()),
        };
        inspection.faults.extend(faults);
        inspection.capture = Some(self.report);
        inspection
    }
}

impl Group {
    fn new(transport: Transport, address: SocketAddr) -> Self {
        Self {
            transport,
            address,
            packets: 0,
            bytes: 0,
            span: Span::default(),
            looks: Looks::default(),
            mold: Box::default(),
            iex: Iex::default(),
            soup_bin: [0; 256],
            malformed: None,
            cut: None,
        }
    }

    fn payload(&mut self, datagram: &Datagram<'_>, offset: u64, frame: u64) {
        self.packets += 1;
        self.bytes += datagram.payload.len() as u64;
        let count = |slot: &mut Option<(u64, u64, u64)>| {
            slot.get_or_insert((0, frame, offset)).0 += 1;
        };
        if datagram.cut {
            return count(&mut self.cut);
        }
        let seen = look(datagram.transport, datagram.payload);
        self.looks.note(seen);
        match seen {
            Look::Itch | Look::Mold | Look::MoldIdle => {
                if let Ok(packet) = Packet::parse(datagram.payload) {
                    self.mold.packet(&packet, offset, frame);
                }
            }
            Look::IexTp(_) => self.iex.segment(datagram.payload),
            Look::SoupBinTcp => self.soup_bin_packets(datagram.payload),
            Look::Nothing | Look::Other => count(&mut self.malformed),
        }
    }

    fn soup_bin_packets(&mut self, payload: &[u8]) {
        let mut rest = payload;
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let Some(&packet_type) = after.first() else { break };
            self.soup_bin[usize::from(packet_type)] += 1;
            rest = after.get(usize::from(u16::from_be_bytes(*length))..).unwrap_or_default();
        }
    }

    fn faults(&self, faults: &mut Vec<super::Fault>) {
        let kinds = [
            (FaultKind::MalformedPacket, self.malformed, "the datagram is no MoldUDP64 packet"),
            (FaultKind::CutPacket, self.cut, "the capture holds only the beginning of the packet"),
        ];
        for (kind, found, words) in kinds {
            if let Some((count, frame, offset)) = found {
                note_fault(faults, kind, offset, frame, &words);
                if let Some(fault) = faults.iter_mut().find(|fault| fault.kind == kind) {
                    fault.count += count - 1;
                }
            }
        }
    }

    fn report(&self, protocol: Protocol) -> GroupReport {
        let (first_time, last_time) = self.span.show(utc);
        let mut report = GroupReport {
            transport: self.transport.name(),
            address: self.address.to_string(),
            packets: self.packets,
            bytes: self.bytes,
            first_time,
            last_time,
            protocol: protocol.to_string(),
            decoded: protocol.is_decoded(),
            ..GroupReport::default()
        };
        match protocol {
            Protocol::Itch | Protocol::Mold => self.mold.report(&mut report, protocol.is_decoded()),
            Protocol::IexTp(_) => self.iex.report(&mut report),
            Protocol::SoupBinTcp => {
                report.messages = Some(self.soup_bin.iter().sum());
                let counted = (0_u8..=255).zip(self.soup_bin);
                report.types = sorted(counted.map(|(byte, count)| (code(byte), "", count)));
            }
            Protocol::Unknown => {}
        }
        report
    }
}

impl Iex {
    /// Number of messages at byte 14, number of the first at byte 24, both little-endian.
    fn segment(&mut self, payload: &[u8]) {
        let Some(header) = payload.first_chunk::<40>() else { return };
        let count = u64::from(u16::from_le_bytes([header[14], header[15]]));
        let first = header[24..32].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        self.messages += count;
        if count == 0 {
            self.heartbeats += 1;
            return;
        }
        self.breaks += u64::from(self.next.is_some_and(|next| next != first));
        self.first.get_or_insert(first);
        self.next = Some(first.saturating_add(count));
    }

    fn report(&self, report: &mut GroupReport) {
        report.messages = Some(self.messages);
        report.idle_packets = self.heartbeats;
        report.sequence_breaks = self.breaks;
        report.first_sequence = self.first;
        report.last_sequence = self.next.map(|next| next.saturating_sub(1));
    }
}
