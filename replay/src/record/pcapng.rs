//! A writer of pcapng captures with nanosecond times.
//!
//! The format is described in <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>. A
//! socket gives payloads without their headers, so each is written in an IP packet made for it (link
//! type raw IP): addresses and ports are what was asked for, checksums are right, all else is
//! default.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use etherparse::PacketBuilder;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

/// Raw IP: the first nibble tells IPv4 from IPv6.
const LINK_RAW: u16 = 101;

/// Option: resolution of times. 9: ten to the minus ninth of a second.
const IF_TSRESOL: u16 = 9;
const NANOSECONDS: u8 = 9;

/// Writes datagrams to a capture. What is written is whole blocks, so that a capture that is cut off
/// can be read up to its last block.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    output: W,
    packet: Vec<u8>,
    block: Vec<u8>,
    datagrams: u64,
    bytes: u64,
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a capture with one interface.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn new(output: W) -> io::Result<Self> {
        let mut writer =
            Self { output, packet: Vec::new(), block: Vec::new(), datagrams: 0, bytes: 0 };
        // Byte-order magic, version 1.0, section length unknown.
        let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
        section.extend_from_slice(&[1, 0, 0, 0]);
        section.extend_from_slice(&u64::MAX.to_le_bytes());
        writer.write_block(SECTION_HEADER, &section)?;
        // Link type, reserved, no limit on the length, resolution, end of options.
        let mut interface = LINK_RAW.to_le_bytes().to_vec();
        interface.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
        interface.extend_from_slice(&IF_TSRESOL.to_le_bytes());
        interface.extend_from_slice(&[1, 0, NANOSECONDS, 0, 0, 0]);
        interface.extend_from_slice(&[0, 0, 0, 0]);
        writer.write_block(INTERFACE, &interface)?;
        Ok(writer)
    }

    /// Appends a datagram that was received at `time_ns`, nanoseconds since the Unix epoch. A
    /// `source` of the other kind of address than `destination` is written as unspecified.
    ///
    /// # Errors
    /// Those of `output`, and a payload that is longer than a datagram can be.
    pub fn datagram(
        &mut self,
        time_ns: u64,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        self.packet.clear();
        let ports = (source.port(), destination.port());
        let builder = match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                PacketBuilder::ipv4(from.octets(), to.octets(), 1)
            }
            (_, IpAddr::V4(to)) => PacketBuilder::ipv4([0; 4], to.octets(), 1),
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                PacketBuilder::ipv6(from.octets(), to.octets(), 1)
            }
            (_, IpAddr::V6(to)) => PacketBuilder::ipv6([0; 16], to.octets(), 1),
        };
        builder
            .udp(ports.0, ports.1)
            .write(&mut self.packet, payload)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        let length = u32::try_from(self.packet.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut body = Vec::with_capacity(20 + self.packet.len() + 3);
        body.extend_from_slice(&0_u32.to_le_bytes());
        body.extend_from_slice(&u32::try_from(time_ns >> 32).unwrap_or(0).to_le_bytes());
        body.extend_from_slice(&u32::try_from(time_ns & 0xffff_ffff).unwrap_or(0).to_le_bytes());
        body.extend_from_slice(&length);
        body.extend_from_slice(&length);
        body.extend_from_slice(&self.packet);
        body.resize(body.len().next_multiple_of(4), 0);
        self.datagrams += 1;
        self.write_block(ENHANCED_PACKET, &body)
    }

    /// Datagrams written.
    pub fn datagrams(&self) -> u64 {
        self.datagrams
    }

    /// Bytes written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Passes everything on to the operating system.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// A block: type, length, body, length again. The body's length is a multiple of 4.
    fn write_block(&mut self, block_type: u32, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 12)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a block above 4 GiB"))?;
        self.block.clear();
        self.block.extend_from_slice(&block_type.to_le_bytes());
        self.block.extend_from_slice(&length.to_le_bytes());
        self.block.extend_from_slice(body);
        self.block.extend_from_slice(&length.to_le_bytes());
        self.output.write_all(&self.block)?;
        self.bytes += u64::from(length);
        Ok(())
    }
}
