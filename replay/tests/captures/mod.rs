//! Packet captures made up for tests, in every dialect.

#![allow(dead_code, reason = "each test file uses a part")]

use std::net::SocketAddr;

use etherparse::{PacketBuilder, VlanId};
use spindle_feed::moldudp64::{PAYLOAD_MAX, PacketBuilder as MoldBuilder, Session};
use spindle_replay::generate::{GenerateConfig, Generator};

pub(crate) const SESSION: Session = *b"TEST000001";

/// The messages of a small made-up day.
pub(crate) fn day(messages: u64) -> Vec<Vec<u8>> {
    let config = GenerateConfig::new(messages, 10, 3).expect("a day");
    let mut generator = Generator::new(config);
    let mut all = Vec::new();
    while let Some(message) = generator.next_message() {
        all.push(message.to_vec());
    }
    all
}

/// In the framing of daily files.
pub(crate) fn itch_file(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend_from_slice(&u16::try_from(message.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(message);
    }
    bytes
}

/// In packets of MoldUDP64, as full as they get.
pub(crate) fn mold(messages: &[Vec<u8>], payload_max: usize) -> Vec<Vec<u8>> {
    let mut builder = MoldBuilder::new(SESSION, 1, payload_max);
    let mut packets = Vec::new();
    for message in messages {
        if !builder.push(message) {
            packets.push(builder.packet().to_vec());
            builder.next_packet();
            assert!(builder.push(message));
        }
    }
    packets.push(builder.packet().to_vec());
    packets
}

pub(crate) fn mold_packets(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    mold(messages, PAYLOAD_MAX)
}

/// How frames are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Container {
    /// Classic: big-endian or not, nanoseconds or not.
    Pcap { big: bool, nanoseconds: bool },
    /// Next generation: big-endian or not, ten to the minus so many of a second.
    Pcapng { big: bool, resolution: u8 },
}

/// What is around a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet { vlan_tags: usize },
    Raw,
    LinuxCooked,
    Loopback,
}

impl Link {
    pub(crate) const ALL: [Self; 6] = [
        Self::Ethernet { vlan_tags: 0 },
        Self::Ethernet { vlan_tags: 1 },
        Self::Ethernet { vlan_tags: 2 },
        Self::Raw,
        Self::LinuxCooked,
        Self::Loopback,
    ];

    fn number(self) -> u16 {
        match self {
            Self::Ethernet { .. } => 1,
            Self::Raw => 101,
            Self::LinuxCooked => 113,
            Self::Loopback => 0,
        }
    }
}

/// A datagram's frame.
pub(crate) fn frame(link: Link, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let ip = |bytes: &mut Vec<u8>| {
        let builder = match to {
            SocketAddr::V4(to) => PacketBuilder::ipv4([10, 0, 0, 1], to.ip().octets(), 8),
            SocketAddr::V6(to) => PacketBuilder::ipv6([1; 16], to.ip().octets(), 8),
        };
        builder.udp(1234, to.port()).write(bytes, payload).expect("a packet");
    };
    let mut bytes = Vec::new();
    let ether_type: u16 = if to.is_ipv4() { 0x0800 } else { 0x86dd };
    match link {
        Link::Ethernet { vlan_tags } => {
            bytes.extend_from_slice(&[1, 0, 0x5e, 0, 0, 1, 2, 2, 2, 2, 2, 2]);
            for tag in 0..vlan_tags {
                let outer = tag + 1 < vlan_tags;
                bytes.extend_from_slice(if outer { &[0x88, 0xa8] } else { &[0x81, 0] });
                let id = VlanId::try_new(100).expect("an id");
                bytes.extend_from_slice(&id.value().to_be_bytes());
            }
            bytes.extend_from_slice(&ether_type.to_be_bytes());
        }
        Link::Raw => {}
        Link::LinuxCooked => {
            bytes.extend_from_slice(&[0; 14]);
            bytes.extend_from_slice(&ether_type.to_be_bytes());
        }
        Link::Loopback => bytes.extend_from_slice(&[2, 0, 0, 0]),
    }
    ip(&mut bytes);
    if link == (Link::Ethernet { vlan_tags: 0 }) {
        bytes.extend_from_slice(&[0xee; 7]); // a trailer, as switches append
    }
    bytes
}

/// A capture being written.
pub(crate) struct Capture {
    pub(crate) bytes: Vec<u8>,
    container: Container,
}

impl Capture {
    pub(crate) fn new(container: Container, link: Link) -> Self {
        let mut capture = Self { bytes: Vec::new(), container };
        match container {
            Container::Pcap { nanoseconds, .. } => {
                let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
                capture.u32(magic);
                capture.u16(2);
                capture.u16(4);
                for value in [0, 0, 65_535, u32::from(link.number())] {
                    capture.u32(value);
                }
            }
            Container::Pcapng { resolution, .. } => {
                for value in [0x0a0d_0d0a, 28, 0x1a2b_3c4d] {
                    capture.u32(value);
                }
                capture.u16(1);
                capture.u16(0);
                for value in [u32::MAX, u32::MAX, 28] {
                    capture.u32(value);
                }
                for value in [1, 32] {
                    capture.u32(value);
                }
                capture.u16(link.number());
                capture.u16(0);
                capture.u32(0);
                capture.u16(9);
                capture.u16(1);
                capture.bytes.extend_from_slice(&[resolution, 0, 0, 0]);
                for value in [0, 32] {
                    capture.u32(value);
                }
            }
        }
        capture
    }

    fn big(&self) -> bool {
        match self.container {
            Container::Pcap { big, .. } | Container::Pcapng { big, .. } => big,
        }
    }

    fn u16(&mut self, value: u16) {
        let bytes = if self.big() { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend_from_slice(&bytes);
    }

    fn u32(&mut self, value: u32) {
        let bytes = if self.big() { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend_from_slice(&bytes);
    }

    /// Appends a frame of which at most `snap` bytes are kept.
    pub(crate) fn frame(&mut self, time_ns: u64, frame: &[u8], snap: usize) {
        let kept = &frame[..frame.len().min(snap)];
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short");
        match self.container {
            Container::Pcap { nanoseconds, .. } => {
                let fraction = time_ns % 1_000_000_000 / if nanoseconds { 1 } else { 1_000 };
                self.u32(u32::try_from(time_ns / 1_000_000_000).expect("this century"));
                self.u32(u32::try_from(fraction).expect("small"));
                self.u32(length(kept));
                self.u32(length(frame));
                self.bytes.extend_from_slice(kept);
            }
            Container::Pcapng { resolution, .. } => {
                let units = time_ns / 10_u64.pow(u32::from(9 - resolution));
                let padding = kept.len().next_multiple_of(4) - kept.len();
                let total = 32 + length(kept) + u32::try_from(padding).expect("small");
                for value in [6, total, 0] {
                    self.u32(value);
                }
                self.u32(u32::try_from(units >> 32).expect("small"));
                self.u32(u32::try_from(units & 0xffff_ffff).expect("masked"));
                self.u32(length(kept));
                self.u32(length(frame));
                self.bytes.extend_from_slice(kept);
                self.bytes.resize(self.bytes.len() + padding, 0);
                self.u32(total);
            }
        }
    }
}
